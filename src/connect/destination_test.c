#include "base/test.h"

#include "connect/destination.h"

static const struct retry_policy policy = {.base_ms = 1000, .max_ms = 300000, .give_up_after_ms = 86400000};

static void the_delay_grows_within_its_bounds(void **state)
{
	(void)state;
	static const struct {
		uint32_t attempts;
		int64_t low, high;
	} rows[] = {{1, 500, 1500},
		    {2, 1000, 3000},
		    {3, 2000, 6000},
		    {9, 128000, 384000},
		    {10, 150000, 450000},
		    {40, 150000, 450000},
		    {UINT32_MAX, 150000, 450000}};
	uint64_t random = 7;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t least = INT64_MAX, most = 0;
		for (int n = 0; n < 2000; n++) {
			int64_t delay = retry_delay_ms(&policy, rows[i].attempts, test_random(&random));
			least = delay < least ? delay : least;
			most = delay > most ? delay : most;
		}
		int64_t spread = rows[i].high - rows[i].low;
		assert_true(least >= rows[i].low && least < rows[i].low + spread / 20);
		assert_true(most <= rows[i].high && most > rows[i].high - spread / 20);
	}
}

static void each_outcome_has_its_next_time(void **state)
{
	(void)state;
	const int64_t now = 1000000000, young = 5000, old = policy.give_up_after_ms;
	static const struct {
		enum outcome outcome;
		int64_t retry_after_ms;
		bool is_old;
		int64_t low, high; /* after now; 0, 0: never */
	} rows[] = {
	    {OUTCOME_DELIVERED, 0, false, 0, 0},
	    {OUTCOME_REFUSED, 0, false, 0, 0},
	    {OUTCOME_CONFIGURATION, 0, false, 0, 0},
	    {OUTCOME_TECHNICAL, 0, false, 500, 1500},
	    {OUTCOME_TECHNICAL, 0, true, 0, 0},
	    {OUTCOME_THROTTLED, 0, false, 1000, 1000},
	    {OUTCOME_THROTTLED, 7000, false, 7000, 7000},
	    {OUTCOME_THROTTLED, INT64_MAX / 4, false, DESTINATION_RETRY_AFTER_MAX, DESTINATION_RETRY_AFTER_MAX},
	    {OUTCOME_THROTTLED, 7000, true, 0, 0},
	    {OUTCOME_UNKNOWN, 0, false, 1000, 1000},
	    {OUTCOME_UNAUTHORIZED, 0, false, DESTINATION_PROBE_MS, DESTINATION_PROBE_MS},
	    {OUTCOME_UNAUTHORIZED, 0, true, DESTINATION_PROBE_MS, DESTINATION_PROBE_MS},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t at = retry_at(&policy, rows[i].outcome, 1, rows[i].retry_after_ms, rows[i].is_old ? old : young,
				      now, 123456789);
		if (rows[i].high == 0)
			assert_int_equal(at, 0);
		else
			assert_in_range(at, now + rows[i].low, now + rows[i].high);
	}
}

static struct destination_answer answer(int64_t seq, enum outcome outcome, int status, int64_t started_at)
{
	return (struct destination_answer){.seq = seq, .outcome = outcome, .status = status, .started_at = started_at};
}

static bool tell(struct destination_health *d, struct destination_answer a, int64_t now)
{
	return destination_note(d, &policy, &a, 4, now, 0);
}

static void a_dead_destination_gets_one_probe(void **state)
{
	(void)state;
	struct destination_health d = {0};
	assert_int_equal(destination_open(&d, 4, 0, 100), 4);
	assert_int_equal(destination_open(&d, 4, 3, 100), 1);
	assert_int_equal(destination_room(&d, 4, 0, 4, 100), 8); /* some are prepared while others are sent */
	assert_int_equal(destination_room(&d, 4, 7, 11, 100), 1);
	assert_int_equal(destination_room(&d, 4, 0, 24, 100), 0);
	/* Four were under way when it died: that is one failure. */
	for (int64_t seq = 1; seq <= 4; seq++)
		assert_false(tell(&d, answer(seq, OUTCOME_TECHNICAL, 0, 90), 100 + seq));
	assert_int_equal(d.state, DESTINATION_BACKING_OFF);
	assert_int_equal(d.failures, 1);
	assert_int_equal(destination_room(&d, 4, 0, 0, d.blocked_until - 1), 0);
	assert_int_equal(destination_room(&d, 4, 0, 0, d.blocked_until), 1);
	assert_int_equal(destination_room(&d, 4, 0, 1, d.blocked_until), 0);
	int64_t first = d.blocked_until;
	tell(&d, answer(5, OUTCOME_UNKNOWN, 0, first), first);
	assert_int_equal(d.failures, 2);
	assert_int_equal(d.blocked_until, first + 1000);
	/* Back with the first good answer, a refusal included. */
	assert_true(tell(&d, answer(6, OUTCOME_REFUSED, 422, first + 1000), first + 1001));
	assert_int_equal(d.state, DESTINATION_RUNNING);
	assert_int_equal(destination_open(&d, 4, 0, first + 1001), 1); /* slowly */
	assert_false(tell(&d, answer(7, OUTCOME_DELIVERED, 200, first + 1001), first + 1002));
}

static void one_bad_delivery_is_not_a_dead_destination(void **state)
{
	(void)state;
	struct destination_health d = {0};
	for (int i = 0; i < 10; i++)
		tell(&d, answer(1, OUTCOME_TECHNICAL, 500, 100 + i), 100 + i);
	assert_int_equal(d.state, DESTINATION_RUNNING);
	tell(&d, answer(2, OUTCOME_TECHNICAL, 500, 120), 120);
	assert_int_equal(d.state, DESTINATION_RUNNING);
	tell(&d, answer(3, OUTCOME_TECHNICAL, 500, 130), 130);
	assert_int_equal(d.state, DESTINATION_BACKING_OFF);
}

static void refused_credentials_stop_it(void **state)
{
	(void)state;
	struct destination_health d = {0};
	tell(&d, answer(1, OUTCOME_UNAUTHORIZED, 401, 100), 110);
	assert_int_equal(d.state, DESTINATION_STOPPED);
	assert_int_equal(destination_room(&d, 4, 0, 0, 110 + DESTINATION_PROBE_MS - 1), 0);
	assert_int_equal(destination_room(&d, 4, 0, 0, 110 + DESTINATION_PROBE_MS), 1);
	/* Sent before they were refused: says nothing. A failed transfer neither. */
	assert_false(tell(&d, answer(2, OUTCOME_DELIVERED, 200, 105), 120));
	tell(&d, answer(3, OUTCOME_TECHNICAL, 0, 105), 130);
	assert_int_equal(d.state, DESTINATION_STOPPED);
	assert_true(tell(&d, answer(4, OUTCOME_DELIVERED, 200, 70000), 70001));
	assert_int_equal(d.state, DESTINATION_RUNNING);
}

static void a_throttle_holds_all_but_a_conflict(void **state)
{
	(void)state;
	struct destination_health d = {0};
	struct destination_answer a = answer(1, OUTCOME_THROTTLED, 409, 100);
	tell(&d, a, 100);
	assert_int_equal(destination_open(&d, 4, 0, 100), 4);
	a.status = 429;
	a.retry_after_ms = 5000;
	tell(&d, a, 100);
	assert_int_equal(destination_open(&d, 4, 0, 5099), 0);
	assert_int_equal(destination_open(&d, 4, 0, 5100), 2); /* half of what it had */
	assert_int_equal(d.state, DESTINATION_RUNNING);
}

static void it_comes_back_slowly(void **state)
{
	(void)state;
	static const uint32_t slots[] = {1, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8, 10, 10};
	struct destination_health d = {0};
	struct destination_answer bad = answer(1, OUTCOME_TECHNICAL, 0, 100);
	destination_note(&d, &policy, &bad, 10, 100, 0);
	int64_t seq = 2, now = d.blocked_until;
	for (size_t i = 0; i < COUNT(slots); i++) {
		struct destination_answer good = answer(seq++, OUTCOME_DELIVERED, 200, now);
		assert_int_equal(destination_note(&d, &policy, &good, 10, now, 0), i == 0);
		assert_int_equal(destination_slots(&d, 10), slots[i]);
	}
	struct destination_answer busy = answer(seq, OUTCOME_THROTTLED, 429, now);
	for (uint32_t wanted[] = {5, 2, 1, 1}, i = 0; i < 4; i++) {
		destination_note(&d, &policy, &busy, 10, now, 0);
		assert_int_equal(destination_slots(&d, 10), wanted[i]);
	}
	destination_hold(&d, now + 70000);
	assert_int_equal(destination_open(&d, 10, 0, now + 69999), 0);
	destination_hold(&d, now + 10);
	assert_int_equal(destination_open(&d, 10, 0, now + 69999), 0);
	assert_int_equal(destination_open(&d, 10, 0, now + 70000), 1);
}

static void a_list_of_pauses_ends(void **state)
{
	(void)state;
	static const int64_t delays[] = {1000, 60000, 1};
	struct retry_policy list = policy;
	uint64_t random = 3;
	list.delays = delays;
	list.delay_count = COUNT(delays);
	for (uint32_t n = 1; n <= COUNT(delays); n++)
		for (int i = 0; i < 100; i++)
			assert_in_range(retry_at(&list, OUTCOME_TECHNICAL, n, 0, 5, 5000, test_random(&random)),
					5000 + delays[n - 1] * 9 / 10, 5000 + delays[n - 1] * 11 / 10 + 1);
	assert_int_equal(retry_at(&list, OUTCOME_TECHNICAL, COUNT(delays) + 1, 0, 5, 5000, 7), 0);
	assert_int_equal(retry_at(&list, OUTCOME_TECHNICAL, 1, 0, list.give_up_after_ms, 5000, 7), 0);
	assert_int_equal(retry_at(&list, OUTCOME_THROTTLED, 9, 2000, 5, 5000, 7), 7000);
}

/* After a restart: one request at once, then as its answer says. */
static void it_is_as_it_was_before_a_restart(void **state)
{
	static const struct {
		enum destination_state was;
		enum outcome answer;
		enum destination_state is;
		int64_t wait_ms; /* at least */
	} cases[] = {
	    {DESTINATION_BACKING_OFF, OUTCOME_DELIVERED, DESTINATION_RUNNING, 0},
	    {DESTINATION_BACKING_OFF, OUTCOME_TECHNICAL, DESTINATION_BACKING_OFF, 1000},
	    {DESTINATION_STOPPED, OUTCOME_DELIVERED, DESTINATION_RUNNING, 0},
	    {DESTINATION_STOPPED, OUTCOME_UNAUTHORIZED, DESTINATION_STOPPED, DESTINATION_PROBE_MS},
	};
	const struct retry_policy p = {.base_ms = 1000, .max_ms = 60000, .give_up_after_ms = 3600000};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct destination_health d = {0};
		destination_restore(&d, cases[i].was, 5000);
		assert_int_equal(destination_room(&d, 8, 0, 0, 5000), 1);
		assert_int_equal(destination_open(&d, 8, 0, 5000), 1);
		assert_int_equal(destination_open(&d, 8, 1, 5000), 0);
		const struct destination_answer a = {.seq = 1, .outcome = cases[i].answer, .started_at = 5000};
		bool back = destination_note(&d, &p, &a, 8, 5100, 0);
		assert_int_equal(back, cases[i].is == DESTINATION_RUNNING);
		assert_int_equal(d.state, cases[i].is);
		if (back)
			assert_int_equal(destination_slots(&d, 8), 1); /* slowly */
		else
			assert_true(d.blocked_until >= 5100 + cases[i].wait_ms / 2);
	}
	struct destination_health slow = {0};
	destination_begin_slowly(&slow);
	static const uint32_t slots[] = {1, 2, 2, 4, 4, 4, 4, 8};
	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		assert_int_equal(destination_slots(&slow, 8), slots[i]);
		const struct destination_answer good = {.seq = (int64_t)i, .outcome = OUTCOME_DELIVERED, .status = 200};
		destination_note(&slow, &p, &good, 8, 5000, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_delay_grows_within_its_bounds),
	    cmocka_unit_test(each_outcome_has_its_next_time),
	    cmocka_unit_test(a_dead_destination_gets_one_probe),
	    cmocka_unit_test(one_bad_delivery_is_not_a_dead_destination),
	    cmocka_unit_test(refused_credentials_stop_it),
	    cmocka_unit_test(a_throttle_holds_all_but_a_conflict),
	    cmocka_unit_test(it_comes_back_slowly),
	    cmocka_unit_test(it_is_as_it_was_before_a_restart),
	    cmocka_unit_test(a_list_of_pauses_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
