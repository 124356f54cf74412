#include "connect/test_destination.h"

#include "hub/state.h"
#include "hub/unsent.h"

/* What stands at the gate by priority, what it goes through, and what becomes of it. */
struct gate_case {
	uint32_t slots, waiting[PRIORITIES];
	uint32_t ramp;
	enum destination_state state;
	int64_t blocked_ms;
	bool held, stopping;
	uint32_t sent[PRIORITIES], taken_back;
};

static void add(enum delivery_priority p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		static int64_t seq;
		seq++;
		bare_add(&(struct delivery_head){.seq = seq, .key = (uint64_t)seq, .priority = (uint8_t)p});
		struct attempt_run *r = bare_try(p);
		r->started = true;
		gate_add(r);
	}
}

static uint32_t count(const struct attempt_run *r)
{
	uint32_t n = 0;
	for (; r; r = r->next)
		n++;
	return n;
}

static void what_goes_through(void **state)
{
	static const struct gate_case cases[] = {
	    {.slots = 4, .waiting = {6, 0, 0}, .sent = {4, 0, 0}},
	    {.slots = 4, .waiting = {2, 0, 0}, .sent = {2, 0, 0}},
	    {.slots = 4, .waiting = {0, 0, 6}, .sent = {0, 0, 3}}, /* one is left for what is urgent */
	    {.slots = 16, .waiting = {0, 0, 20}, .sent = {0, 0, 14}},
	    {.slots = 1, .waiting = {0, 0, 2}, .sent = {0, 0, 1}},
	    {.slots = 4, .waiting = {3, 0, 6}, .sent = {3, 0, 1}},
	    {.slots = 4, .waiting = {1, 1, 6}, .sent = {1, 1, 2}},
	    {.slots = 4, .waiting = {0, 6, 6}, .sent = {0, 4, 0}},
	    {.slots = 4, .waiting = {6, 0, 0}, .ramp = 2, .sent = {2, 0, 0}}, /* after trouble */
	    {.slots = 4, .waiting = {1, 0, 0}, .state = DESTINATION_BACKING_OFF, .sent = {1, 0, 0}},
	    {.slots = 4,
	     .waiting = {3, 0, 1},
	     .state = DESTINATION_BACKING_OFF, /* a probe; the others are known as being sent for nothing */
	     .sent = {1, 0, 0},
	     .taken_back = 3},
	    {.slots = 4, .waiting = {3, 2, 1}, .blocked_ms = 500}, /* for a moment: they stay */
	    {.slots = 4, .waiting = {3, 2, 1}, .blocked_ms = 2000, .taken_back = 6},
	    {.slots = 4, .waiting = {3, 2, 1}, .held = true, .taken_back = 6},
	    {.slots = 4, .waiting = {3, 2, 1}, .stopping = true, .taken_back = 6},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct gate_case *c = &cases[i];
		uint32_t left = 0, sent = 0;
		bare_init();
		bare.system.delivery.slots = c->slots;
		bare_begin();
		for (int p = 0; p < PRIORITIES; p++)
			add((enum delivery_priority)p, c->waiting[p]);
		bare.t.health.state = c->state;
		bare.t.health.ramp = c->ramp;
		bare.t.health.blocked_until = c->blocked_ms ? BARE_NOW + c->blocked_ms : 0;
		bare.t.admission.held = c->held;
		gate_open(&bare.t, c->stopping);
		for (int p = 0; p < PRIORITIES; p++) {
			if (bare.t.transfers_of[p] != c->sent[p])
				fail_msg("case %zu, priority %d: %u sent", i, p, bare.t.transfers_of[p]);
			sent += c->sent[p];
			left += c->waiting[p] - c->sent[p];
		}
		assert_int_equal(bare.sent, sent);
		assert_int_equal(bare.t.transfers, sent);
		if (count(bare.hub.concluded) != c->taken_back)
			fail_msg("case %zu: %u taken back", i, count(bare.hub.concluded));
		for (const struct attempt_run *r = bare.hub.concluded; r; r = r->next)
			assert_true(r->unsent);
		assert_int_equal(gate_waits(&bare.t), left > c->taken_back);
		assert_int_equal(bare.t.ahead, left - c->taken_back);
		bare_done();
	}
}

/* An answer makes room for the next one, first come first served within a priority. */
static void a_slot_is_used_again(void **state)
{
	(void)state;
	bare_init();
	bare.system.delivery.slots = 1;
	bare_begin();
	add(PRIORITY_BULK, 1);
	add(PRIORITY_EXPEDITED, 2);
	for (int i = 0; i < 3; i++) {
		gate_open(&bare.t, false);
		gate_open(&bare.t, false);
		assert_int_equal(bare.sent, i + 1);
		struct attempt_run *out = NULL;
		for (struct attempt_run *r = bare.engine.all; r; r = r->all_next)
			out = r->in_transfer_slot ? r : out;
		assert_non_null(out);
		assert_int_equal(out->attempt.head.priority, i < 2 ? PRIORITY_EXPEDITED : PRIORITY_BULK);
		run_free(out);
	}
	assert_false(gate_waits(&bare.t));
	bare_done();
}

/* One priority fills its own share of what may be prepared, not another one's. */
static void each_priority_has_its_share(void **state)
{
	(void)state;
	bare_init();
	bare_begin(); /* 4 slots */
	for (uint32_t n = 0; n < 9; n++) {
		assert_false(gate_is_full(&bare.t, PRIORITY_BULK));
		add(PRIORITY_BULK, 1);
	}
	assert_true(gate_is_full(&bare.t, PRIORITY_BULK));
	assert_false(gate_is_full(&bare.t, PRIORITY_NORMAL));
	for (uint32_t n = 0; n < 12; n++) {
		assert_false(gate_is_full(&bare.t, PRIORITY_EXPEDITED));
		add(PRIORITY_EXPEDITED, 1);
	}
	assert_true(gate_is_full(&bare.t, PRIORITY_EXPEDITED));
	bare_done();
}

/* What is cancelled is taken back, the others go in their order; what is not there is nobody's. */
static void what_is_cancelled_is_taken_back(void **state)
{
	(void)state;
	for (int which = 0; which < 4; which++) {
		bare_init();
		bare.system.delivery.slots = 1;
		bare_begin();
		int64_t seqs[3];
		for (int i = 0; i < 3; i++) {
			add(PRIORITY_NORMAL, 1);
			seqs[i] = bare.t.gate_last[PRIORITY_NORMAL]->attempt.head.seq;
		}
		gate_cancel(&bare.t, which < 3 ? seqs[which] : 1000000);
		assert_int_equal(count(bare.hub.concluded), which < 3);
		if (which < 3)
			assert_int_equal(bare.hub.concluded->attempt.head.seq, seqs[which]);
		for (int i = 0; i < 3; i++) {
			if (i == which)
				continue;
			gate_open(&bare.t, false);
			struct attempt_run *out = bare.engine.all;
			while (out && !out->in_transfer_slot)
				out = out->all_next;
			assert_non_null(out);
			assert_int_equal(out->attempt.head.seq, seqs[i]);
			run_free(out);
		}
		assert_false(gate_waits(&bare.t));
		add(PRIORITY_NORMAL, 1); /* behind whoever is the last */
		gate_open(&bare.t, false);
		assert_int_equal(bare.sent, which < 3 ? 3 : 4);
		bare_done();
	}
}

/* The cancellation was committed and the loop has not heard of it yet: the request does not leave, whichever of its
 * deliveries it is about. */
static void what_was_claimed_does_not_leave(void **state)
{
	(void)state;
	for (int which = 0; which < 3; which++) {
		static struct hub hub;
		bare_init();
		bare_begin();
		hub.unsent = unsent_new();
		bare.hub.hub = &hub;
		add(PRIORITY_NORMAL, 2);
		struct attempt_run *first = bare.t.gate[PRIORITY_NORMAL], *second = first->next;
		bare.t.gate_last[PRIORITY_NORMAL] = first;
		first->next = NULL;
		first->behind = second; /* one request */
		for (struct attempt_run *r = first; r; r = r->behind) {
			r->held = true;
			unsent_add(hub.unsent, r->attempt.head.seq);
		}
		if (which < 2)
			assert_true(unsent_claim(hub.unsent, (which ? second : first)->attempt.head.seq));
		gate_open(&bare.t, false);
		assert_int_equal(bare.sent, which < 2 ? 0 : 1);
		assert_int_equal(count(bare.hub.concluded), which < 2 ? 2 : 0);
		for (const struct attempt_run *r = bare.hub.concluded; r; r = r->next)
			assert_true(r->unsent && !r->behind);
		assert_false(unsent_has(hub.unsent, first->attempt.head.seq));
		assert_false(unsent_claim(hub.unsent, second->attempt.head.seq)); /* too late */
		bare_done();
		unsent_free(hub.unsent);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_goes_through),
	    cmocka_unit_test(a_slot_is_used_again),
	    cmocka_unit_test(each_priority_has_its_share),
	    cmocka_unit_test(what_is_cancelled_is_taken_back),
	    cmocka_unit_test(what_was_claimed_does_not_leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
