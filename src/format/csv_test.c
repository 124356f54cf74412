#include "base/buf.h"
#include "format/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Fields are joined with '|', records end with '/'. */
static const struct {
	const char *text, *want;
} good[] = {
    {"", ""},
    {"a,b\n", "a|b/"},
    {"a,b", "a|b/"},
    {"a,b\r\nc\r\n", "a|b/c/"},
    {",\n", "|/"},
    {"a,", "a|/"},
    {"\n", "/"},
    {"\"a,b\",c\n", "a,b|c/"},
    {"\"a\nb\",c\nd", "a\nb|c/d/"},
    {"\"say \"\"hi\"\"\",x", "say \"hi\"|x/"},
    {"\"\"", "/"},
    {"\"\"\"\"", "\"/"},
};

static const struct {
	const char *text, *code, *where;
} bad[] = {
    {"a\"b", "invalid_csv", "line 1"},         {"x\n\"a", "invalid_csv", "line 2"},
    {"\"a\"b", "invalid_csv", "line 1"},       {"a\rb", "invalid_csv", "line 1"},
    {"x\n\"a\nb\"c", "invalid_csv", "line 3"}, {"1\n1,2,3,4,5", "too_many_fields", "line 2"},
};

static enum rc read_all(const char *text, struct buf *out, struct err *e)
{
	struct arena a;
	arena_init(&a, 4096);
	struct csv c;
	csv_init(&c, str_from(text));
	struct str fields[4];
	size_t count;
	enum rc rc;
	while ((rc = csv_next(&c, &a, fields, 4, &count, e)) == RC_OK) {
		for (size_t i = 0; i < count; i++) {
			if (i)
				buf_add_char(out, '|');
			buf_add_str(out, fields[i]);
		}
		buf_add_char(out, '/');
	}
	arena_done(&a);
	return rc;
}

static void reads_what_the_rfc_allows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct buf out;
		buf_init(&out, 4096);
		buf_add_z(&out, "");
		struct err e = ERR_NONE;
		assert_int_equal(read_all(good[i].text, &out, &e), RC_NOT_FOUND);
		assert_true(str_is(buf_str(&out), good[i].want));
		buf_done(&out);
	}
}

static void refuses_the_rest_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf out;
		buf_init(&out, 4096);
		struct err e = ERR_NONE;
		assert_int_not_equal(read_all(bad[i].text, &out, &e), RC_NOT_FOUND);
		assert_string_equal(e.code, bad[i].code);
		assert_string_equal(e.where, bad[i].where);
		buf_done(&out);
	}
}

static void says_the_line_of_a_record(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 4096);
	struct csv c;
	csv_init(&c, STR("a\n\"b\nc\"\nd"));
	static const uint32_t lines[] = {1, 2, 4};
	for (size_t i = 0; i < 3; i++) {
		struct str field;
		size_t count;
		assert_int_equal(csv_next(&c, &a, &field, 1, &count, NULL), RC_OK);
		assert_int_equal(c.line, lines[i]);
	}
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_what_the_rfc_allows),
	    cmocka_unit_test(refuses_the_rest_with_its_line),
	    cmocka_unit_test(says_the_line_of_a_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
