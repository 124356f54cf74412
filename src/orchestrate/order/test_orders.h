/* For *_test.c only: orders for the one item A-1 in the world that orchestrate/world.h describes. */
#ifndef ORCHESTRATE_ORDER_TEST_ORDERS_H
#define ORCHESTRATE_ORDER_TEST_ORDERS_H

#include "orchestrate/world_each.h"

static inline void stock_up(qty_t a, qty_t b, qty_t c)
{
	const char *const locations[] = {"A", "B", "C"};
	const qty_t quantities[] = {a, b, c};

	for (int i = 0; i < 3; i++)
		if (quantities[i])
			world_move(&w, MOVE_ADJUST, "A-1", locations[i], Q(quantities[i]));
}

static inline struct order_open *order_one(const char *channel, qty_t q)
{
	struct order_open *o = world_order(&w, channel, &(struct world_line)WANT("A-1", NULL, Q(q)), 1, NULL);

	assert_non_null(o);
	return o;
}

static inline void ship(struct str order_id, const char *location, qty_t q, const char *line_id)
{
	struct world_line line = {.sku = "A-1", .location = location, .quantity = Q(q), .line_id = line_id};
	struct err e = ERR_NONE;

	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_SHIP, .order_id = order_id}, &line, 1, &e),
			 RC_OK);
}

static inline void pick(struct str order_id, const char *location, qty_t q)
{
	struct world_line line = {.sku = "A-1", .location = location, .quantity = Q(q)};
	struct err e = ERR_NONE;

	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_PICK, .order_id = order_id}, &line, 1, &e),
			 RC_OK);
}

#endif
