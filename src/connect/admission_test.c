#include "connect/test_destination.h"

static int64_t seq;

static struct attempt_run *take(enum operation op)
{
	seq++;
	bare_add(&(struct delivery_head){
	    .seq = seq, .key = (uint64_t)seq, .operation = (uint8_t)op, .created_at = bare.engine.now});
	struct attempt_run *r = bare_try(PRIORITY_EXPEDITED);
	admission_take(r);
	r->attempt.started_at = bare.engine.now;
	return r;
}

static void answer(struct attempt_run *r, enum outcome outcome)
{
	r->attempt.outcome = outcome;
	r->attempt.transfer.status = 200;
	admission_note(r);
	run_free(r);
}

static bool allowed(enum operation op)
{
	int64_t due;
	return admission_allows(&bare.t, op, &due);
}

static void rates_are_kept(void **state)
{
	static const struct {
		struct config_rate rate, catch_up;
		uint32_t burst, taken, given;
		bool catching_up;
		int64_t wait_ms;
	} cases[] = {
	    {{0, 0}, {0, 0}, 0, 50, 0, false, 0},
	    {{2, 1000}, {0, 0}, 2, 1, 0, false, 0},
	    {{2, 1000}, {0, 0}, 2, 2, 0, false, 500},
	    {{2, 1000}, {0, 0}, 2, 2, 1, false, 0}, /* it was not sent after all */
	    {{1, 60000}, {0, 0}, 1, 1, 0, false, 60000},
	    {{0, 0}, {1, 1000}, 0, 3, 0, false, 0},
	    {{0, 0}, {1, 1000}, 0, 1, 0, true, 1000},
	    {{10, 1000}, {1, 1000}, 10, 1, 0, true, 1000}, /* the slower one holds */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bare_init();
		bare.system.delivery.rate = cases[i].rate;
		bare.system.delivery.catch_up_rate = cases[i].catch_up;
		bare.system.delivery.burst = cases[i].burst;
		bare_begin();
		bare.t.backlog = cases[i].catching_up ? 1000 : 0;
		admission_back(&bare.t);
		assert_int_equal(bare.t.admission.catching_up, cases[i].catching_up);
		for (uint32_t n = 0; n < cases[i].taken; n++) {
			struct attempt_run *r = take(OP_PRICE);
			if (n < cases[i].given)
				admission_give(r);
		}
		int64_t at = admission_at(&bare.t, OP_PRICE);
		if ((at > BARE_NOW ? at - BARE_NOW : 0) != cases[i].wait_ms)
			fail_msg("case %zu: %lld", i, (long long)(at - BARE_NOW));
		bare_done();
	}
}

/* Answers, one character each: delivered, Refused, technical, unknown, 4 (throttled), credentials; and what the breaker
 * makes of them: of four at least, half of them bad. */
static void what_opens_a_breaker(void **state)
{
	static const struct {
		const char *answers;
		bool open;
	} cases[] = {{"tttt", true},  {"ttt", false},    {"uuuu", true},  {"ddtt", true},
		     {"dddt", false}, {"4444", false},   {"cccc", false}, {"RRRR", false},
		     {"ttdd", true},  {"t4c4ttt", true}, {"44t4t", false}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bare_init();
		bare.system.delivery.breaker = (struct config_breaker){60000, 4, 50, 1000, 2};
		bare_begin();
		for (const char *c = cases[i].answers; *c; c++)
			answer(take(OP_PRICE), *c == 'd'   ? OUTCOME_DELIVERED
					       : *c == 'R' ? OUTCOME_REFUSED
					       : *c == 't' ? OUTCOME_TECHNICAL
					       : *c == 'u' ? OUTCOME_UNKNOWN
					       : *c == '4' ? OUTCOME_THROTTLED
							   : OUTCOME_UNAUTHORIZED);
		if (allowed(OP_PRICE) == cases[i].open)
			fail_msg("case %zu: %s", i, cases[i].answers);
		assert_true(allowed(OP_ITEM));
		assert_string_equal(bare_told(), cases[i].open ? "delivery.breaker_opened" : "");
		bare_done();
	}
}

/* Its whole life, and what is kept with each event for the next start. */
static void a_breaker_is_told_and_kept(void **state)
{
	int64_t due;
	(void)state;
	bare_init();
	bare.system.delivery.breaker = (struct config_breaker){60000, 2, 50, 1000, 2};
	bare_begin();
	answer(take(OP_PRICE), OUTCOME_TECHNICAL);
	answer(take(OP_PRICE), OUTCOME_TECHNICAL);
	assert_false(admission_allows(&bare.t, OP_PRICE, &due));
	assert_int_equal(due, BARE_NOW + 1000);
	bare.engine.now += 1000;
	assert_true(allowed(OP_PRICE));
	struct attempt_run *probe = take(OP_PRICE);
	assert_false(allowed(OP_PRICE)); /* one at a time */
	admission_give(probe);
	assert_true(allowed(OP_PRICE)); /* it did not go: another may */
	for (int i = 0; i < 2; i++)
		answer(take(OP_PRICE), OUTCOME_DELIVERED);
	assert_true(allowed(OP_PRICE));
	assert_string_equal(bare_told(), "delivery.breaker_opened delivery.breaker_half_open delivery.breaker_closed");
	static const int64_t kept[] = {BARE_NOW + 1000, BARE_NOW + 1000, 0};
	const struct submission *s = bare.hub.first;
	for (int i = 0; i < 3; i++, s = s->next) {
		assert_true(str_is(s->command->note.state, "breaker:one:price"));
		assert_int_equal(s->command->note.value, kept[i]);
	}
	bare_done();
}

/* By what was kept: shut until its time, then one probe. */
static void an_open_breaker_is_open_after_a_restart(void **state)
{
	static const int64_t left[] = {5000, 0, -3600000};
	(void)state;
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		bare_init();
		bare.system.delivery.breaker = (struct config_breaker){60000, 2, 50, 1000, 1};
		bare_begin();
		admission_restore(&bare.t, OP_PRICE, BARE_NOW + left[i]);
		assert_int_equal(allowed(OP_PRICE), left[i] <= 0);
		assert_true(allowed(OP_ITEM));
		bare.engine.now += left[i] > 0 ? left[i] : 0;
		struct attempt_run *probe = take(OP_PRICE);
		assert_true(probe->probe);
		assert_false(allowed(OP_PRICE));
		answer(probe, i ? OUTCOME_DELIVERED : OUTCOME_TECHNICAL);
		assert_int_equal(allowed(OP_PRICE), i > 0);
		bare_done();
	}
}

/* Points as the answers say: what is under way is reckoned with, and comes back by the second. */
static void points_are_kept(void **state)
{
	static const struct {
		int64_t cost, available, restore; /* of the answer, in points */
		uint32_t under_way;
		int64_t wait_ms;
	} cases[] = {
	    {400, 1000, 100, 0, 0},      {400, 1000, 100, 1, 0},    {400, 1000, 100, 2, 2000},
	    {400, 1000, 50, 2, 4000},    {400, 100, 100, 0, 3000},  {5000, 2000, 100, 0, 0},
	    {5000, 1000, 100, 0, 10000}, {800, 2000, 100, 2, 4000}, {10, 0, 0, 0, 1000},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bare_init();
		bare_begin();
		struct attempt_run *first = take(OP_PRICE);
		assert_true(admission_at(&bare.t, OP_PRICE) <= BARE_NOW); /* nothing is known yet */
		first->attempt.cost = (struct pack_cost){.known = true,
							 .requested = cases[i].cost * 1000,
							 .available = cases[i].available * 1000,
							 .maximum = 2000 * 1000,
							 .restore_rate = cases[i].restore * 1000};
		answer(first, OUTCOME_DELIVERED);
		for (uint32_t n = 0; n < cases[i].under_way; n++)
			take(OP_PRICE);
		int64_t at = admission_at(&bare.t, OP_PRICE);
		if ((at > BARE_NOW ? at - BARE_NOW : 0) != cases[i].wait_ms)
			fail_msg("case %zu: %lld", i, (long long)(at - BARE_NOW));
		bare_done();
	}
}

/* What hardly changes is kept for the next start, once; no event tells it. */
static void points_are_remembered(void **state)
{
	static const struct {
		const char *name;
		int64_t value;
	} kept[] = {{"points:one:maximum", 2000000},
		    {"points:one:restore", 100000},
		    {"points:one:price", 400000},
		    {"points:one:price", 500000},
		    {"points:one:restore", 50000}};
	static const int64_t answers[][2] = {{400, 100}, {400, 100}, {300, 100}, {500, 100}, {400, 50}};
	(void)state;
	bare_init();
	bare_begin();
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct attempt_run *r = take(OP_PRICE);
		r->attempt.cost = (struct pack_cost){.known = true,
						     .requested = answers[i][0] * 1000,
						     .available = 2000000 - (int64_t)i,
						     .maximum = 2000000,
						     .restore_rate = answers[i][1] * 1000};
		answer(r, OUTCOME_DELIVERED);
	}
	const struct submission *s = bare.hub.first;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++, s = s->next) {
		assert_non_null(s);
		assert_null(s->command->note.type);
		assert_true(str_is(s->command->note.state, kept[i].name));
		assert_int_equal(s->command->note.value, kept[i].value);
	}
	assert_null(s);
	bare_done();
}

/* A refusal for want of points says how long by the points, if by nothing else. */
static void a_throttled_request_waits_for_its_points(void **state)
{
	static const int64_t said[] = {0, 250};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		bare_init();
		bare_begin();
		struct attempt_run *r = take(OP_PRICE);
		r->attempt.outcome = OUTCOME_THROTTLED;
		r->attempt.retry_after_ms = said[i];
		r->attempt.cost = (struct pack_cost){true, 300000, 0, 100000, 1000000, 100000};
		admission_note(r);
		assert_int_equal(r->attempt.retry_after_ms, i ? 250 : 2000);
		bare_done();
	}
}

static void a_backlog_is_watched(void **state)
{
	static const struct {
		struct config_backlog limit;
		int64_t backlog, request_bytes, oldest_ms;
		bool was, is;
	} cases[] = {
	    {{0, 0, 0, false}, 1000000, 1000, 1000000, false, false},
	    {{100, 0, 0, false}, 100, 0, 0, false, false},
	    {{100, 0, 0, false}, 101, 0, 0, false, true},
	    {{100, 0, 0, false}, 95, 0, 0, true, true}, /* until it is below 90 % */
	    {{100, 0, 0, false}, 90, 0, 0, true, false},
	    {{0, 100000, 0, false}, 90, 1000, 0, false, false},
	    {{0, 100000, 0, false}, 101, 1000, 0, false, true},
	    {{0, 0, 60000, false}, 1, 0, 60000, false, false},
	    {{0, 0, 60000, false}, 1, 0, 60001, false, true},
	    {{0, 0, 60000, false}, 1, 0, 55000, true, true},
	    {{0, 0, 60000, false}, 1, 0, 50000, true, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bare_init();
		bare.system.delivery.backlog = cases[i].limit;
		bare_begin();
		bare.t.backlog = cases[i].backlog;
		bare.t.admission.request_bytes = cases[i].request_bytes;
		bare.t.admission.crowded = cases[i].was;
		bare_add(&(struct delivery_head){.seq = 1, .key = 1, .created_at = BARE_NOW - cases[i].oldest_ms});
		admission_watch(&bare.t);
		if (bare.t.admission.crowded != cases[i].is)
			fail_msg("case %zu", i);
		assert_string_equal(bare_told(), cases[i].was == cases[i].is ? ""
						 : cases[i].is               ? "system.backlog_high"
									     : "system.backlog_normal");
		bare_done();
	}
}

/* A pause holds everything; when it ends, what has gathered is caught up with. */
static void a_pause_holds(void **state)
{
	(void)state;
	bare_init();
	bare.system.delivery.catch_up_rate = (struct config_rate){1, 1000};
	bare_begin();
	assert_false(admission_held(&bare.t, false));
	assert_true(admission_held(&bare.t, true));
	bare.t.backlog = 100;
	assert_false(admission_held(&bare.t, false));
	assert_true(bare.t.admission.catching_up);
	bare.t.backlog = 0;
	admission_watch(&bare.t);
	assert_false(bare.t.admission.catching_up);
	bare_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rates_are_kept),
	    cmocka_unit_test(what_opens_a_breaker),
	    cmocka_unit_test(a_breaker_is_told_and_kept),
	    cmocka_unit_test(an_open_breaker_is_open_after_a_restart),
	    cmocka_unit_test(points_are_kept),
	    cmocka_unit_test(points_are_remembered),
	    cmocka_unit_test(a_throttled_request_waits_for_its_points),
	    cmocka_unit_test(a_backlog_is_watched),
	    cmocka_unit_test(a_pause_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
