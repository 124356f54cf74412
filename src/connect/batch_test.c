#include "connect/test_destination.h"

struct one {
	int64_t seq;
	uint64_t key;
	enum operation op;
	enum delivery_status status;
	uint64_t batch;
	bool alone;
};

static void add(const struct one *o)
{
	bare_add(&(struct delivery_head){.seq = o->seq,
					 .key = o->key,
					 .operation = (uint8_t)o->op,
					 .status = (uint8_t)o->status,
					 .batch = o->batch,
					 .created_at = BARE_NOW});
}

static void set_alone(const struct one *list)
{
	for (struct lane *l = lanes_look(bare.t.lanes, PRIORITY_EXPEDITED, NULL); l;
	     l = lanes_look(bare.t.lanes, PRIORITY_EXPEDITED, l))
		for (struct lane_entry *e = l->first; e; e = e->behind)
			for (const struct one *o = list; o->seq; o++)
				e->alone |= o->alone && o->seq == e->head.seq;
}

static const char *chain(const struct attempt_run *r)
{
	static char text[200];
	size_t n = 0;
	for (; r; r = r->behind)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%lld", n ? " " : "",
				      (long long)r->attempt.head.seq);
	return text;
}

/* Which deliveries go with the first one: of all keys, in order within each. */
static void what_goes_together(void **state)
{
	static const struct {
		uint32_t count;
		const char *taken;
		struct one list[8];
	} cases[] = {
	    {1, "1", {{.seq = 1, .key = 1}, {.seq = 2, .key = 2}}},
	    {10, "1 2 3", {{.seq = 1, .key = 1}, {.seq = 2, .key = 2}, {.seq = 3, .key = 3}}},
	    {2, "1 2", {{.seq = 1, .key = 1}, {.seq = 2, .key = 2}, {.seq = 3, .key = 3}}},
	    {10,
	     "1 3 2 4",
	     {{.seq = 1, .key = 1},
	      {.seq = 2, .key = 2},
	      {.seq = 3, .key = 1},
	      {.seq = 4, .key = 3}}}, /* of one key in a row, then the first ones of others */
	    {10,
	     "1 2",
	     {{.seq = 1, .key = 1}, {.seq = 2, .key = 2}, {.seq = 3, .key = 2}}}, /* but only the first ones */
	    {10,
	     "1 3",
	     {{.seq = 1, .key = 1, .op = OP_PRICE},
	      {.seq = 2, .key = 2, .op = OP_ITEM},
	      {.seq = 3, .key = 3, .op = OP_PRICE}}},
	    {10,
	     "1",
	     {{.seq = 1, .key = 1, .op = OP_PRICE},
	      {.seq = 2, .key = 1, .op = OP_ITEM},
	      {.seq = 3, .key = 1, .op = OP_PRICE}}}, /* nothing overtakes */
	    {10, "1", {{.seq = 1, .key = 1, .alone = true}, {.seq = 2, .key = 2}}},
	    {10, "1 3", {{.seq = 1, .key = 1}, {.seq = 2, .key = 2, .alone = true}, {.seq = 3, .key = 3}}},
	    /* sent together, without an answer: the same ones again, and nobody else */
	    {10,
	     "1 3",
	     {{.seq = 1, .key = 1, .op = OP_PRICE, .status = DELIVERY_UNKNOWN, .batch = 7},
	      {.seq = 2, .key = 2},
	      {.seq = 3, .key = 3, .op = OP_PRICE, .status = DELIVERY_UNKNOWN, .batch = 7},
	      {.seq = 4, .key = 4, .op = OP_PRICE, .status = DELIVERY_UNKNOWN, .batch = 8}}},
	    /* sent alone, without an answer: alone again */
	    {10, "1", {{.seq = 1, .key = 1, .op = OP_PRICE, .status = DELIVERY_UNKNOWN}, {.seq = 2, .key = 2}}},
	    {10,
	     "1 3",
	     {{.seq = 1, .key = 1},
	      {.seq = 2, .key = 2, .op = OP_PRICE, .status = DELIVERY_UNKNOWN},
	      {.seq = 3, .key = 3}}},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bare_init();
		for (int op = 0; op < OPERATIONS; op++)
			bare.policies[op].batch_count = cases[i].count;
		bare_begin();
		for (const struct one *o = cases[i].list; o->seq; o++) {
			struct one with = *o;
			with.op = o->op ? o->op : OP_PRICE;
			add(&with);
		}
		set_alone(cases[i].list);
		struct attempt_run *r = bare_try(PRIORITY_EXPEDITED);
		batch_gather(r);
		if (strcmp(chain(r), cases[i].taken) != 0)
			fail_msg("case %zu: %s", i, chain(r));
		bare_done();
	}
}

static void how_long_a_batch_waits(void **state)
{
	static const struct {
		uint32_t count, waiting;
		int64_t linger_ms, age_ms;
		uint32_t attempts;
		bool lingers;
	} cases[] = {
	    {1, 1, 50, 0, 0, false}, {3, 1, 0, 0, 0, false},  {3, 1, 50, 0, 0, true},   {3, 2, 50, 0, 0, true},
	    {3, 3, 50, 0, 0, false}, {3, 1, 50, 49, 0, true}, {3, 1, 50, 50, 0, false}, {3, 1, 50, 0, 1, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t due;
		bare_init();
		bare.policies[OP_PRICE].batch_count = cases[i].count;
		bare.policies[OP_PRICE].batch_linger_ms = cases[i].linger_ms;
		bare_begin();
		for (uint32_t n = 0; n < cases[i].waiting; n++)
			bare_add(&(struct delivery_head){.seq = n + 1,
							 .key = 1,
							 .operation = OP_PRICE,
							 .attempts = cases[i].attempts,
							 .created_at = BARE_NOW - cases[i].age_ms});
		struct lane *lane = lanes_look(bare.t.lanes, PRIORITY_EXPEDITED, NULL);
		if (batch_lingers(&bare.t, lane, &due) != cases[i].lingers)
			fail_msg("case %zu", i);
		assert_int_equal(due, BARE_NOW - cases[i].age_ms + cases[i].linger_ms);
		bare_done();
	}
}

/* Each gets its own outcome, whatever the order in which they were taken. */
static void an_answer_is_shared_out(void **state)
{
	static const struct pack_part parts[] = {
	    {true, OUTCOME_DELIVERED, {0}, {0}}, {true, OUTCOME_REFUSED, {0}, {0}}, {.said = false}};
	static const struct {
		enum outcome whole;
		bool by_part;
		size_t places[3];
		enum outcome outcomes[3];
		bool alone, again_together;
	} cases[] = {
	    {OUTCOME_DELIVERED,
	     false,
	     {0, 1, 2},
	     {OUTCOME_DELIVERED, OUTCOME_DELIVERED, OUTCOME_DELIVERED},
	     false,
	     true},
	    {OUTCOME_DELIVERED, true, {0, 1, 2}, {OUTCOME_DELIVERED, OUTCOME_REFUSED, OUTCOME_DELIVERED}, false, false},
	    {OUTCOME_TECHNICAL, true, {2, 0, 1}, {OUTCOME_TECHNICAL, OUTCOME_DELIVERED, OUTCOME_REFUSED}, false, false},
	    {OUTCOME_UNKNOWN, false, {0, 1, 2}, {OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN}, false, true},
	    /* refused as a whole: it says nothing about each */
	    {OUTCOME_REFUSED, false, {0, 1, 2}, {OUTCOME_TECHNICAL, OUTCOME_TECHNICAL, OUTCOME_TECHNICAL}, true, false},
	    {OUTCOME_CONFIGURATION,
	     false,
	     {0, 1, 2},
	     {OUTCOME_TECHNICAL, OUTCOME_TECHNICAL, OUTCOME_TECHNICAL},
	     true,
	     false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = 0;
		bare_init();
		bare.pack.operations[OP_PRICE].idempotent = true;
		bare.policies[OP_PRICE].batch_count = 3;
		bare_begin();
		for (int64_t s = 1; s <= 3; s++)
			add(&(struct one){.seq = s, .key = (uint64_t)s, .op = OP_PRICE});
		struct attempt_run *first = bare_try(PRIORITY_EXPEDITED), *r = first;
		batch_gather(first);
		for (size_t k = 0; k < 3; k++, r = r->behind)
			r->attempt.place = cases[i].places[k];
		first->attempt.outcome = cases[i].whole;
		first->attempt.parts = cases[i].by_part ? parts : NULL;
		first->attempt.transfer.status = 200;
		batch_share(first);
		int64_t at = first->next_at;
		for (r = bare.hub.concluded; r; r = r->next, n++) {
			if (r->attempt.outcome != cases[i].outcomes[n])
				fail_msg("case %zu, %zu: %s", i, n, outcome_name(r->attempt.outcome));
			assert_int_equal(r->entry->alone, cases[i].alone);
			assert_int_equal(r->whole, cases[i].again_together);
			if (cases[i].again_together)
				assert_int_equal(r->next_at, at);
		}
		assert_int_equal(n, 3);
		bare_done();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_goes_together),
	    cmocka_unit_test(how_long_a_batch_waits),
	    cmocka_unit_test(an_answer_is_shared_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
