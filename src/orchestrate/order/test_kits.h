/* For *_test.c only: PACK is 2 of A-1 and 1 of A-2; PAIR is 1 of A-2 and 3 of A-3: they share A-2. */
#ifndef ORCHESTRATE_ORDER_TEST_KITS_H
#define ORCHESTRATE_ORDER_TEST_KITS_H

#include "orchestrate/world.h"

#define SKUS 3

static struct world w;
static const char *const skus[SKUS] = {"A-1", "A-2", "A-3"};

static inline int set_up(void **state)
{
	(void)state;
	world_init(&w);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

static inline void start(void)
{
	world_start(&w);
	world_record(&w, "PACK",
		     "{\"sku\":\"PACK\",\"components\":[{\"sku\":\"A-1\",\"quantity\":\"2\"},"
		     "{\"sku\":\"A-2\",\"quantity\":\"1\"}]}");
	world_record(&w, "PAIR",
		     "{\"sku\":\"PAIR\",\"components\":[{\"sku\":\"A-2\",\"quantity\":\"1\"},"
		     "{\"sku\":\"A-3\",\"quantity\":\"3\"}]}");
}

static inline void stock_up(const char *location, int a, int b, int c)
{
	const int quantities[SKUS] = {a, b, c};

	for (int i = 0; i < SKUS; i++)
		if (quantities[i])
			world_move(&w, MOVE_RECEIVE, skus[i], location, Q(quantities[i]));
}

static inline struct order_open *order(const char *sku, int n)
{
	struct order_open *o = world_order(&w, "shop", &(struct world_line)WANT(sku, NULL, Q(n)), 1, NULL);

	assert_non_null(o);
	return o;
}

static inline void move(enum movement_type type, struct str order_id, const char *sku, const char *at, int n,
			const char *line)
{
	struct world_line l = {.sku = sku, .location = at, .quantity = Q(n), .line_id = line};
	struct err e = ERR_NONE;

	assert_int_equal(world_apply(&w, (struct world_fact){.type = type, .order_id = order_id}, &l, 1, &e), RC_OK);
}

/* The order, from the rows. */
static inline struct order_open *loaded(struct str id)
{
	struct order_open *o;

	world_commit(&w, SIZE_MAX);
	world_reload(&w);
	o = order_find(w.orders, id);
	assert_non_null(o);
	return o;
}

static inline qty_t allocated(const char *sku)
{
	return world_state(&w, sku, "A", STOCK_ALLOCATED) + world_state(&w, sku, "B", STOCK_ALLOCATED) +
	       world_state(&w, sku, "C", STOCK_ALLOCATED);
}

static inline void check_allocated(const char *name, int a, int b, int c)
{
	const int want[SKUS] = {a, b, c};

	for (int i = 0; i < SKUS; i++)
		if (allocated(skus[i]) != Q(want[i]))
			fail_msg("%s: %lld of %s", name, (long long)(allocated(skus[i]) / QTY_ONE), skus[i]);
}

static inline void accept(struct order_open *o)
{
	order_step_accepted(w.orders, &w.txn, o, 1, STR("SO-1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
