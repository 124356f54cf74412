#include "sandbox/behave.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct behave behaving(const char *text)
{
	struct behave b;
	struct err e = ERR_NONE;
	behave_init(&b, 1);
	assert_int_equal(behave_set_text(&b, text, 1000, &e), RC_OK);
	return b;
}

static void each_mode_does_what_it_says(void **state)
{
	static const struct {
		const char *text;
		struct behave_verdict want;
	} cases[] = {
	    {"ok", {0}},
	    {"slow,ms=250", {.delay_ms = 250}},
	    {"down", {.status = 503}},
	    {"down,close", {.hang_up = true}},
	    {"down,close=true", {.hang_up = true}},
	    {"refuse", {.status = 422}},
	    {"throttle,retry_after=7", {.status = 429, .retry_after_s = 7}},
	    {"lose_answers", {.lose_answer = true}},
	    {"unauthorized", {.status = 401}},
	    {"duplicate", {0}},
	    {"reorder", {0}},
	    {"down,probability=0", {0}},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct behave b = behaving(cases[i].text);
		struct behave_verdict v = behave_request(&b, 1000);
		assert_int_equal(v.status, cases[i].want.status);
		assert_int_equal(v.delay_ms, cases[i].want.delay_ms);
		assert_int_equal(v.retry_after_s, cases[i].want.retry_after_s);
		assert_int_equal(v.hang_up, cases[i].want.hang_up);
		assert_int_equal(v.lose_answer, cases[i].want.lose_answer);
	}
}

static void every_counts(void **state)
{
	(void)state;
	struct behave b = behaving("lose_answers,every=3");
	static const bool want[] = {false, false, true, false, false, true};
	for (size_t i = 0; i < sizeof(want); i++)
		assert_int_equal(behave_request(&b, 0).lose_answer, want[i]);
}

static void flaps_by_the_clock(void **state)
{
	(void)state;
	struct behave b = behaving("flap,up_ms=100,down_ms=50");
	static const struct {
		int64_t at;
		int status;
	} cases[] = {{1000, 0}, {1099, 0}, {1100, 503}, {1149, 503}, {1150, 0}, {1250, 503}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(behave_request(&b, cases[i].at).status, cases[i].status);
}

static void chance_is_about_right_and_the_same_for_the_same_seed(void **state)
{
	(void)state;
	struct behave a = behaving("refuse,probability=0.25,seed=42"), b = behaving("refuse,probability=0.25,seed=42");
	int refused = 0;
	for (int i = 0; i < 10000; i++) {
		int status = behave_request(&a, 0).status;
		assert_int_equal(status, behave_request(&b, 0).status);
		refused += status != 0;
	}
	assert_in_range(refused, 2300, 2700);
}

static void rules_replace_or_add(void **state)
{
	(void)state;
	struct behave b = behaving("slow,ms=5");
	assert_int_equal(behave_set_text(&b, "duplicate,add", 0, NULL), RC_OK);
	assert_int_equal(behave_request(&b, 0).delay_ms, 5);
	assert_true(behave_duplicates(&b));
	assert_false(behave_reorders(&b));
	assert_int_equal(behave_set_text(&b, "reorder", 0, NULL), RC_OK);
	assert_int_equal(behave_request(&b, 0).delay_ms, 0);
	assert_true(behave_reorders(&b));
	assert_int_equal(behave_set_text(&b, "ok", 0, NULL), RC_OK);
	assert_false(behave_reorders(&b));
}

static void refuses_what_it_does_not_know(void **state)
{
	static const struct {
		const char *text, *code;
	} cases[] = {
	    {"crazy", "unknown_mode"},         {"", "unknown_mode"},
	    {"slow,ms=-1", "bad_behaviour"},   {"slow,ms=1.5", "bad_behaviour"},
	    {"slow,speed=1", "bad_behaviour"}, {"slow,probability=2", "bad_behaviour"},
	    {"slow,ms=abc", "invalid_json"},   {"flap,up_ms=0,down_ms=0", "bad_behaviour"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct behave b = behaving("slow,ms=7");
		struct err e = ERR_NONE;
		assert_int_not_equal(behave_set_text(&b, cases[i].text, 0, &e), RC_OK);
		if (strcmp(cases[i].code, "invalid_json") != 0)
			assert_string_equal(e.code, cases[i].code);
		assert_int_equal(behave_request(&b, 0).delay_ms, 7);
	}
	struct behave b = behaving("slow");
	for (int i = 1; i < BEHAVE_RULES_MAX; i++)
		assert_int_equal(behave_set_text(&b, "slow,add", 0, NULL), RC_OK);
	assert_int_equal(behave_set_text(&b, "slow,add", 0, NULL), RC_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_mode_does_what_it_says),
	    cmocka_unit_test(every_counts),
	    cmocka_unit_test(flaps_by_the_clock),
	    cmocka_unit_test(chance_is_about_right_and_the_same_for_the_same_seed),
	    cmocka_unit_test(rules_replace_or_add),
	    cmocka_unit_test(refuses_what_it_does_not_know),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
