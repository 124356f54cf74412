#include "backbone/replay.h"

#include "base/test.h"

#include <stdio.h>
#include <string.h>

/* What is done to it, step by step: "?20-90" asks, "40" has been reached. */
static const struct {
	const char *steps, *left;
} cases[] = {
    {"?20-90", "20-90 20-90"},
    {"?90-90", ""},
    {"?95-90", ""},
    {"?20-90 40", "20-90 40-90"},
    {"?20-90 90", "20-90"},
    /* All is queued, and not yet delivered. */
    {"?20-90 90 ?30-90", "20-90"},
    {"?20-90 90 ?0-95", "0-95 0-20 90-95"},
    /* More of the log, in one piece. */
    {"?20-90 40 ?40-95", "20-95 40-95"},
    /* From where it has been already: not twice. */
    {"?20-90 40 ?30-90", "20-90 40-90"},
    {"?20-90 40 ?20-90", "20-90 40-90"},
    /* From farther back: only what is below. */
    {"?20-90 40 ?0-90", "0-90 0-20 40-90"},
    {"?20-90 40 ?0-90 20", "0-90 40-90"},
    {"?20-90 40 ?0-90 10 ?5-95", "0-95 10-20 40-95"},
    {"?20-90 ?0-90", "0-90 0-90"},
    /* What was between two that do not touch is sent as well. */
    {"?20-90 40 ?95-99", "20-99 40-99"},
    {"?20-90 40 ?10-91 12 ?5-92 7", "5-92 7-10 12-20 40-92"},
};

static void test_merging(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct replay_ranges r = {0}, again;
		char text[REPLAY_TEXT_MAX], shown[REPLAY_TEXT_MAX];
		long long after, through;

		for (const char *p = cases[i].steps; *p; p += strcspn(p, " "), p += *p == ' ') {
			if (sscanf(p, "?%lld-%lld", &after, &through) == 2) {
				assert_true(replay_ask(&r, after, through));
			} else {
				assert_int_equal(sscanf(p, "%lld", &after), 1);
				replay_reached(&r, after);
			}
		}
		struct str s = replay_format(&r, text);
		snprintf(shown, sizeof(shown), STR_FMT, STR_ARG(s));
		assert_string_equal(shown, cases[i].left);
		assert_true(replay_parse(s, &again));
		assert_memory_equal(&r.asked, &again.asked, sizeof(r.asked));
		assert_int_equal(r.count, again.count);
		assert_memory_equal(r.left, again.left, r.count * sizeof(r.left[0]));
	}
}

/* Each new beginning is farther back than one that has begun. */
static void test_too_many(void **state)
{
	struct replay_ranges r = {0}, before;
	char text[REPLAY_TEXT_MAX];
	const int64_t far = INT64_C(100000000000000000);

	(void)state;
	for (int64_t i = 0; i < REPLAY_RANGES_MAX; i++) {
		assert_true(replay_ask(&r, far - i * 10, far + 10));
		replay_reached(&r, far - i * 10 + 1);
	}
	assert_int_equal(r.count, REPLAY_RANGES_MAX);
	before = r;
	assert_false(replay_ask(&r, 0, far + 10));
	assert_memory_equal(&r, &before, sizeof(r));
	assert_true(replay_parse(replay_format(&r, text), &before));
	while (r.count)
		replay_reached(&r, r.left[0].through);
	assert_true(replay_ask(&r, 0, far + 10));
	assert_int_equal(r.count, 1);
	r = (struct replay_ranges){0};
	assert_true(replay_ask(&r, 0, 5));
}

static void test_nonsense(void **state)
{
	static const char *const bad[] = {"x",      "1",           "1-",       "5-5 5-5",     "9-5 5-9",  "1-9 0-9",
					  "1-9 1-", "1-9 4-9 1-3", "1-9 1-10", "1-9 1-3 2-4", "1-9  1-9", "-1-9 1-9"};
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct replay_ranges r;
		bool good = replay_parse(str_from(bad[i]), &r);
		if (good)
			fail_msg("%s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_merging),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_nonsense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
