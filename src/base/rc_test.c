#include "base/rc.h"

#include "base/test.h"

#include <stdio.h>
#include <string.h>

static void test_first_cause_wins(void **state)
{
	(void)state;
	struct err e = ERR_NONE;
	assert_int_equal(err_set_at(&e, RC_INVALID, "bad_field", "/lines/0", "%d is not allowed", 7), RC_INVALID);
	assert_int_equal(err_set(&e, RC_IO, "disk_full", "no room"), RC_IO);
	assert_int_equal(e.rc, RC_INVALID);
	assert_string_equal(e.code, "bad_field");
	assert_string_equal(e.where, "/lines/0");
	assert_string_equal(e.detail, "7 is not allowed");
}

static void test_no_err_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, RC_RETRY, "busy", "busy"), RC_RETRY);
	assert_int_equal(err_set_at(NULL, RC_LIMIT, "full", "/", "full"), RC_LIMIT);
}

static void test_long_texts_are_cut(void **state)
{
	(void)state;
	char text[1000];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	struct err e = ERR_NONE;
	enum rc rc = err_set_at(&e, RC_REJECT, text, text, "%s", text);
	assert_int_equal(rc, RC_REJECT);
	assert_int_equal(strlen(e.code), sizeof(e.code) - 1);
	assert_int_equal(strlen(e.where), sizeof(e.where) - 1);
	assert_int_equal(strlen(e.detail), sizeof(e.detail) - 1);
}

static void test_names(void **state)
{
	(void)state;
	static const char *const names[] = {"ok",       "retry",  "reject", "invalid", "not_found",
					    "conflict", "denied", "limit",  "io",      "unknown"};
	for (size_t i = 0; i < COUNT(names); i++)
		assert_string_equal(rc_name((enum rc)i), names[i]);
	assert_int_equal(COUNT(names), RC_UNKNOWN + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_cause_wins),
	    cmocka_unit_test(test_no_err_is_allowed),
	    cmocka_unit_test(test_long_texts_are_cut),
	    cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
