#include "base/test.h"

#include "connect/breaker.h"

static const struct breaker_policy policy = {
    .window_ms = 10000, .samples = 10, .percent = 50, .open_ms = 1000, .probes = 2};

/* What happens, one character each: g good, b bad answer (a second apart: G, B); and the state after it. */
static void answers_open_it(void **state)
{
	(void)state;
	static const struct {
		const char *answers;
		enum breaker_state state;
	} rows[] = {
	    {"bbbbbbbbb", BREAKER_CLOSED}, /* too few to tell */
	    {"bbbbbbbbbb", BREAKER_OPEN},
	    {"gbgbgbgbgb", BREAKER_OPEN}, /* half of them */
	    {"gbgbgbgbgg", BREAKER_CLOSED},
	    {"ggggggggggbbbbb", BREAKER_CLOSED},
	    {"ggggggggggbbbbbbbbbb", BREAKER_OPEN},
	    {"BBBBBBBBBBBBBBBBBBBB", BREAKER_OPEN},   /* ten a window */
	    {"bbbbGGGGGGGGGGbbbbbb", BREAKER_CLOSED}, /* what was is forgotten */
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct breaker b = {0};
		int64_t now = 1000000;
		for (const char *p = rows[i].answers; *p; p++) {
			now += *p < 'a' ? 1000 : 1;
			if (b.state == BREAKER_CLOSED)
				breaker_note(&b, &policy, *p == 'g' || *p == 'G', now, now);
		}
		assert_int_equal(b.state, rows[i].state);
	}
}

static void opened(struct breaker *b, int64_t now)
{
	for (int i = 0; i < 10; i++)
		assert_int_equal(breaker_note(b, &policy, false, now, now), i == 9);
	assert_int_equal(b->state, BREAKER_OPEN);
}

static void probes_close_it(void **state)
{
	(void)state;
	struct breaker b = {0};
	bool probe;
	opened(&b, 5000);
	assert_false(breaker_allows(&b, 5999));
	assert_false(breaker_note(&b, &policy, true, 4000, 5500)); /* sent before it opened */
	assert_true(breaker_allows(&b, 6000));
	assert_true(breaker_go(&b, 6000, &probe));
	assert_true(probe);
	assert_int_equal(b.state, BREAKER_HALF_OPEN);
	assert_false(breaker_allows(&b, 6000)); /* one at a time */
	breaker_stay(&b);
	assert_true(breaker_allows(&b, 6000));
	assert_false(breaker_go(&b, 6001, &probe));
	assert_false(breaker_note(&b, &policy, true, 6001, 6002));
	assert_false(breaker_go(&b, 6003, &probe));
	assert_true(breaker_note(&b, &policy, true, 6003, 6004));
	assert_int_equal(b.state, BREAKER_CLOSED);
	assert_false(breaker_go(&b, 6005, &probe));
	assert_false(probe);
}

static void it_opens_for_longer_each_time(void **state)
{
	(void)state;
	struct breaker b = {0};
	bool probe;
	int64_t now = 5000, wanted = 1000;
	opened(&b, now);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(b.until, now + wanted);
		now = b.until;
		breaker_go(&b, now, &probe);
		assert_true(breaker_note(&b, &policy, false, now, now));
		wanted = wanted < 16000 ? 2 * wanted : wanted;
	}
	now = b.until;
	for (int i = 0; i < 2; i++) {
		breaker_go(&b, now, &probe);
		breaker_note(&b, &policy, true, now, now);
	}
	assert_int_equal(b.state, BREAKER_CLOSED);
	opened(&b, now);
	assert_int_equal(b.until, now + 1000);
}

static void it_can_be_off(void **state)
{
	(void)state;
	struct breaker_policy off = policy;
	struct breaker b = {0};
	off.samples = 0;
	for (int i = 0; i < 100; i++)
		assert_false(breaker_note(&b, &off, false, 10, 10));
	assert_int_equal(b.state, BREAKER_CLOSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_open_it),
	    cmocka_unit_test(probes_close_it),
	    cmocka_unit_test(it_opens_for_longer_each_time),
	    cmocka_unit_test(it_can_be_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
