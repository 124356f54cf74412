/* Keys and scopes as text, and request targets; looking keys up is in edge_test.c. */
#include "edge/auth.h"
#include "edge/uri.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECRET "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"

static void keys_are_taken_apart(void **state)
{
	(void)state;
	static const struct {
		const char *key, *tenant; /* tenant: NULL: not a key */
	} rows[] = {
	    {"cd_acme_" SECRET, "acme"},
	    {"cd_a_b_c_" SECRET, "a_b_c"},
	    {"cd__" SECRET, NULL},
	    {"cd_" SECRET, NULL},
	    {"cd_acme_" SECRET "x", NULL},
	    {"cd_acme" SECRET "x", NULL},
	    {"CD_acme_" SECRET, NULL},
	    {"cd_acme_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde-g", NULL},
	    {"cd_acme_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_bcdefg", NULL},
	    {"cd_acme_", NULL},
	    {"", NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str tenant, secret;
		bool good = auth_key_parse(str_from(rows[i].key), &tenant, &secret);
		if (good != (rows[i].tenant != NULL))
			fail_msg("%s", rows[i].key);
		if (good) {
			assert_true(str_is(tenant, rows[i].tenant));
			assert_true(str_is(secret, SECRET));
		}
	}
}

static void bearer_headers(void **state)
{
	(void)state;
	static const struct {
		const char *header, *key;
	} rows[] = {{"Bearer k", "k"}, {"bEARER  k", "k"}, {"Bearer ", NULL},
		    {"Bearer", NULL},  {"Basic k", NULL},  {"", NULL}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str key;
		assert_int_equal(auth_bearer(str_from(rows[i].header), &key), rows[i].key != NULL);
		if (rows[i].key)
			assert_true(str_is(key, rows[i].key));
	}
}

static void scopes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned bits;
	} rows[] = {
	    {"orders:write", SCOPE_ORDERS_WRITE},
	    {"orders:read stock:read", SCOPE_ORDERS_READ | SCOPE_STOCK_READ},
	    {"inbound,operate", SCOPE_INBOUND | SCOPE_OPERATE},
	    {"orders:writer order stock", 0},
	    {"", 0},
	    {"admin", (1u << SCOPES) - 1},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(scopes_parse(str_from(rows[i].text)), rows[i].bits);
}

static void targets(void **state)
{
	(void)state;
	static const struct {
		const char *raw;
		bool valid, form;
		const char *decoded; /* NULL: refused */
	} rows[] = {
	    {"/a%20b", true, false, "/a b"}, {"a+b", true, true, "a b"},   {"a+b", true, false, "a+b"},
	    {"%E2%82%AC", true, false, "€"}, {"%ff", true, false, NULL},   {"%00", false, false, NULL},
	    {"%0", false, false, NULL},      {"%", false, false, NULL},    {"%g0", false, false, NULL},
	    {"a b", false, false, "a b"},    {"a#b", false, false, "a#b"}, {"%C0%80", true, false, NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a;
		struct str out;
		struct err e = ERR_NONE;
		arena_init(&a, 4096);
		assert_int_equal(uri_valid(str_from(rows[i].raw)), rows[i].valid);
		enum rc rc = uri_decode(&a, str_from(rows[i].raw), rows[i].form, &out, &e);
		assert_int_equal(rc, rows[i].decoded ? RC_OK : RC_INVALID);
		if (rows[i].decoded)
			assert_true(str_is(out, rows[i].decoded));
		else
			assert_string_equal(e.code, "bad_encoding");
		arena_done(&a);
	}
}

static void queries_are_taken_apart(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value;
	} expected[] = {{"a", "1"}, {"b", ""}, {"c", ""}, {"", "x"}, {"d", "=2"}};
	struct str name, value;
	size_t at = 0, n = 0;
	while (uri_query_next(STR("a=1&&b&c=&=x&d==2&"), &at, &name, &value)) {
		assert_true(n < 5);
		assert_true(str_is(name, expected[n].name) && str_is(value, expected[n].value));
		n++;
	}
	assert_int_equal(n, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_are_taken_apart),
	    cmocka_unit_test(bearer_headers),
	    cmocka_unit_test(scopes),
	    cmocka_unit_test(targets),
	    cmocka_unit_test(queries_are_taken_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
