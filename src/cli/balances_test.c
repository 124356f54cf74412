#include "cli/balances.h"

#include "base/test.h"

#include <stdio.h>
#include <string.h>

#define AS_OF "2026-03-01T02:00:00.000Z"
#define HEAD  "{\"as_of\":\"" AS_OF "\",\"items\":["

static void test_files_that_are_good(void **state)
{
	static const struct {
		const char *text, *items;
	} cases[] = {
	    {"sku,location,lot,quantity,uom\nA,east,L1,5,EA\n",
	     "{\"sku\":\"A\",\"location\":\"east\",\"lot\":\"L1\",\"quantity\":\"5\",\"uom\":\"EA\"}"},
	    {"\xef\xbb\xbfquantity,sku\r\n1.5,\"a \"\"b\"\", c\"\r\n\r\n0,B",
	     "{\"sku\":\"a \\\"b\\\", c\",\"quantity\":\"1.5\"},{\"sku\":\"B\",\"quantity\":\"0\"}"},
	    {"sku,location,available\nA,,-2\n", "{\"sku\":\"A\",\"available\":\"-2\"}"},
	    {"sku,quantity\n", ""},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_NONE;
		char expected[512];
		struct balances b;
		struct buf page;
		bool last;
		buf_init(&page, 1u << 20);
		assert_int_equal(balances_open(&b, str_from(cases[i].text), &e), RC_OK);
		assert_int_equal(balances_page(&b, AS_OF, &page, &last, &e), RC_OK);
		snprintf(expected, sizeof(expected), HEAD "%s],\"last\":true}", cases[i].items);
		assert_string_equal(page.p, expected);
		assert_true(last);
		balances_done(&b);
		buf_done(&page);
	}
}

static void test_files_that_are_wrong(void **state)
{
	static const struct {
		const char *text, *code, *where;
	} cases[] = {
	    {"", "empty_file", ""},
	    {"sku,qty\n", "unknown_column", "line 1"},
	    {"sku,sku,quantity\n", "column_twice", "line 1"},
	    {"location,quantity\n", "column_missing", "line 1"},
	    {"sku,location\n", "column_missing", "line 1"},
	    {"sku,quantity,available\n", "column_missing", "line 1"},
	    {"sku,quantity\nA,1\nB\n", "other_width", "line 3"},
	    {"sku,quantity\nA,1,2\n", "other_width", "line 2"},
	    {"sku,quantity\n,1\n", "sku_missing", "line 2"},
	    {"sku,quantity\nA,many\n", "bad_quantity", "line 2"},
	    {"sku,quantity\nA,\n", "bad_quantity", "line 2"},
	    {"sku,quantity\n\"A,1\n", "invalid_csv", "line 3"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_NONE;
		struct balances b;
		struct buf page;
		bool last;
		buf_init(&page, 1u << 20);
		enum rc rc = balances_open(&b, str_from(cases[i].text), &e);
		if (rc == RC_OK)
			rc = balances_page(&b, AS_OF, &page, &last, &e);
		assert_int_equal(rc, RC_INVALID);
		assert_string_equal(e.code, cases[i].code);
		assert_string_equal(e.where, cases[i].where);
		balances_done(&b);
		buf_done(&page);
	}
}

/* Every row is in one page, no page is larger than a request may be, and only the last one says so. */
static void pages_of(size_t rows, size_t sku_bytes, size_t *pages, int64_t *seen)
{
	struct err e = ERR_NONE;
	struct balances b;
	struct buf text, page;
	bool last = false;

	buf_init(&text, 64u << 20);
	buf_init(&page, 1u << 20);
	buf_add_z(&text, "sku,quantity\n");
	for (size_t i = 0; i < rows; i++)
		buf_printf(&text, "%0*zu,1\n", (int)sku_bytes, i);
	assert_int_equal(balances_open(&b, buf_str(&text), &e), RC_OK);
	for (*pages = 0; !last; (*pages)++) {
		assert_int_equal(balances_page(&b, AS_OF, &page, &last, &e), RC_OK);
		assert_true(page.n <= 1u << 20);
	}
	*seen = b.rows;
	balances_done(&b);
	buf_done(&text);
	buf_done(&page);
}

static void test_pages(void **state)
{
	static const struct {
		size_t rows, sku_bytes, pages;
	} cases[] = {{0, 8, 1}, {4999, 8, 1}, {5000, 8, 2}, {12000, 8, 3}, {5000, 400, 3}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t pages;
		int64_t seen;
		pages_of(cases[i].rows, cases[i].sku_bytes, &pages, &seen);
		assert_int_equal(pages, cases[i].pages);
		assert_int_equal(seen, cases[i].rows);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_files_that_are_good),
	    cmocka_unit_test(test_files_that_are_wrong),
	    cmocka_unit_test(test_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
