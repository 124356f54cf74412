/* For *_test.c only: facts about the one item A-1, at A unless a line says otherwise, as the warehouse tells them. */
#ifndef ORCHESTRATE_STOCK_TEST_FACTS_H
#define ORCHESTRATE_STOCK_TEST_FACTS_H

#include "orchestrate/world.h"

struct told {
	enum movement_type type;
	struct movement_line line;
	int64_t ago;
	const char *purchase_order_id, *transfer_id, *return_id;
	int64_t expected_at;
};

static inline void tell(struct world *w, struct told t)
{
	struct movement fact = {.type = t.type,
				.source = STR("wms"),
				.source_event_id = STR("event"),
				.occurred_at = w->now - t.ago,
				.purchase_order_id = str_from(t.purchase_order_id),
				.transfer_id = str_from(t.transfer_id),
				.return_id = str_from(t.return_id),
				.expected_at = t.expected_at,
				.line_count = 1,
				.lines = &t.line};
	struct movement_result result;
	struct err e = ERR_NONE;

	if (!t.line.location.n)
		t.line.location = STR("A");
	t.line.sku = STR("A-1");
	assert_int_equal(stock_step_movement(w->stock, w->orders, &w->txn, &fact, &result, &e), RC_OK);
}

#define OF(n, ...)                                                                                                     \
	{                                                                                                              \
		.quantity = Q(n), __VA_ARGS__                                                                          \
	}

static inline qty_t at(const struct world *w, const char *location, const char *lot, enum stock_state s)
{
	const struct stock_place *p = world_place(w, "A-1", location, lot);

	return p ? p->position.states[s] / QTY_ONE : 0;
}

#endif
