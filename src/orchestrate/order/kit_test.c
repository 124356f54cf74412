/* Lines for kits: what is promised to them, and what they wait for. */
#include "orchestrate/order/book.h"
#include "orchestrate/order/test_kits.h"

/* ---- reserving ---- */

struct reserve_case {
	const char *name;
	int stock[2][SKUS]; /* at A, B */
	struct world_line lines[3];
	int backordered[3];
	int at_a[SKUS], at_b[SKUS]; /* allocated */
	bool split, unsplit;
};

static const struct reserve_case cases[] = {
    {"all", {{4, 2, 0}}, {WANT("PACK", NULL, Q(2))}, {0}, {4, 2}, {0}, false, false},
    {"as many as the scarcest makes", {{9, 1, 0}}, {WANT("PACK", NULL, Q(3))}, {2}, {2, 1}, {0}, false, false},
    {"half a kit is none", {{1, 5, 0}}, {WANT("PACK", NULL, Q(1))}, {1}, {0}, {0}, false, false},
    {"one kit is not made at two places", {{4}, {0, 2}}, {WANT("PACK", NULL, Q(2))}, {2}, {0}, {0}, false, false},
    {"unless it may", {{4}, {0, 2}}, {WANT("PACK", NULL, Q(2))}, {0}, {4}, {0, 2}, true, false},
    {"whole ones first", {{4, 1}, {0, 2}}, {WANT("PACK", NULL, Q(2))}, {0}, {4, 1}, {0, 1}, true, false},
    {"kits from two places", {{2, 1}, {2, 1}}, {WANT("PACK", NULL, Q(2))}, {0}, {2, 1}, {2, 1}, false, false},
    {"never split", {{2, 1}, {4, 2}}, {WANT("PACK", NULL, Q(3))}, {1}, {0}, {4, 2}, false, true},
    {"the place that has all", {{9, 1}, {4, 2}}, {WANT("PACK", NULL, Q(2))}, {0}, {0}, {4, 2}, false, false},
    {"a kit and its part, together",
     {{4, 2}},
     {WANT("PACK", NULL, Q(2)), WANT("A-1", NULL, Q(1))},
     {0, 1},
     {4, 2},
     {0},
     false,
     false},
    {"a part and its kit",
     {{4, 2}},
     {WANT("A-1", NULL, Q(1)), WANT("PACK", NULL, Q(2))},
     {0, 1},
     {3, 1},
     {0},
     false,
     false},
    {"what two kits share is there once",
     {{9, 2, 9}},
     {WANT("PACK", NULL, Q(1)), WANT("PAIR", NULL, Q(2))},
     {0, 1},
     {2, 2, 3},
     {0},
     false,
     false},
    {"two lines of a kit",
     {{4, 2}},
     {WANT("PACK", NULL, Q(1)), WANT("PACK", NULL, Q(2))},
     {0, 1},
     {4, 2},
     {0},
     false,
     false},
};

static void check_case(const struct reserve_case *c, const struct order_open *o)
{
	for (uint32_t i = 0; i < o->line_count; i++)
		if (o->lines[i].backordered != Q(c->backordered[i]))
			fail_msg("%s: line %u lacks %lld", c->name, i, (long long)(o->lines[i].backordered / QTY_ONE));
	for (int i = 0; i < SKUS; i++)
		if (world_state(&w, skus[i], "A", STOCK_ALLOCATED) != Q(c->at_a[i]) ||
		    world_state(&w, skus[i], "B", STOCK_ALLOCATED) != Q(c->at_b[i]))
			fail_msg("%s: the allocations of %s", c->name, skus[i]);
}

static void test_reserve(void **state)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct reserve_case *c = &cases[i];
		struct order_open *o;
		struct str id;
		size_t lines = 0;

		if (i)
			set_up(state);
		w.channels[0].split_kits = c->split;
		w.channels[0].unsplit = c->unsplit;
		start();
		for (int n = 0; n < 2; n++)
			stock_up(n ? "B" : "A", c->stock[n][0], c->stock[n][1], c->stock[n][2]);
		while (lines < 3 && c->lines[lines].sku)
			lines++;
		o = world_order(&w, "shop", c->lines, lines, NULL);
		assert_non_null(o);
		id = world_keep_id(o);
		check_case(c, o);
		o = loaded(id);
		check_case(c, o);
		if (i + 1 < COUNT(cases))
			tear_down(state);
	}
}

/* By the other rules of choice no unit is taken twice either, and what could be had is had. */
static void test_every_rule(void **state)
{
	static const enum allocation_rule rules[] = {ALLOCATION_PRIORITY, ALLOCATION_NEAREST, ALLOCATION_FEWEST_PARCELS,
						     ALLOCATION_COST};

	for (size_t i = 0; i < COUNT(rules); i++) {
		const struct world_line lines[] = {WANT("PACK", NULL, Q(2)), WANT("PAIR", NULL, Q(2))};
		struct order_open *o;

		if (i)
			set_up(state);
		w.channels[0].allocation = rules[i];
		start();
		stock_up("A", 4, 2, 0);
		stock_up("B", 2, 1, 6);
		o = world_order(&w, "shop", lines, 2, NULL);
		assert_int_equal(o->lines[0].backordered, 0);
		assert_int_equal(o->lines[1].backordered, Q(1));
		check_allocated("by rule", 4, 3, 3);
		if (i + 1 < COUNT(rules))
			tear_down(state);
	}
}

/* ---- waiting ---- */

static void test_waits_for_what_is_missing(void **state)
{
	struct order_open *o;
	struct str id;

	(void)state;
	start();
	stock_up("A", 9, 1, 0);
	o = order("PACK", 3);
	id = world_keep_id(o);
	assert_int_equal(o->status, ORDER_BACKORDERED);
	assert_null(stock_find(w.stock, STR("A-1"))->waiting); /* there is plenty of it */
	assert_non_null(stock_find(w.stock, STR("A-2"))->waiting);
	o = loaded(id);
	assert_non_null(stock_find(w.stock, STR("A-2"))->waiting);
	/* What is plenty is sold to others meanwhile: then it is missing. */
	order("A-1", 7);
	stock_up("A", 0, 5, 0);
	assert_int_equal(o->lines[0].backordered, Q(2));
	assert_non_null(stock_find(w.stock, STR("A-1"))->waiting);
	stock_up("A", 3, 0, 0);
	assert_int_equal(o->lines[0].backordered, Q(1));
	check_allocated("of the first three", 4 + 7, 2, 0);
	stock_up("B", 2, 0, 0); /* the others are at A */
	assert_int_equal(o->lines[0].backordered, Q(1));
	stock_up("B", 0, 1, 0);
	assert_int_equal(o->lines[0].backordered, 0);
	assert_int_equal(o->status, ORDER_RESERVED);
	assert_null(stock_find(w.stock, STR("A-1"))->waiting);
	assert_null(stock_find(w.stock, STR("A-2"))->waiting);
}

/* The older one is served first, also if what comes first in a movement is what the younger waits for. */
static void test_the_oldest_first(void **state)
{
	const struct world_line come[] = {{.sku = "A-1", .location = "A", .quantity = Q(2)},
					  {.sku = "A-2", .location = "A", .quantity = Q(1)}};
	struct order_open *kit, *part;
	struct err e = ERR_NONE;

	(void)state;
	start();
	kit = order("PACK", 1);
	part = order("A-1", 2);
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_RECEIVE}, come, 2, &e), RC_OK);
	assert_int_equal(kit->lines[0].backordered, 0);
	assert_int_equal(part->lines[0].backordered, Q(2));
	stock_up("A", 2, 0, 0);
	assert_int_equal(part->lines[0].backordered, 0);
}

/* A younger line takes what the older kit cannot use. */
static void test_half_a_kit_keeps_nothing(void **state)
{
	struct order_open *kit, *part;

	(void)state;
	start();
	kit = order("PACK", 1);
	part = order("A-1", 2);
	stock_up("A", 2, 0, 0);
	assert_int_equal(kit->lines[0].backordered, Q(1));
	assert_int_equal(part->lines[0].backordered, 0);
	check_allocated("the part", 2, 0, 0);
}

/* A kit that waits for a component is looked at when that comes, and not over and over. */
static void test_a_waiting_kit_is_let_be(void **state)
{
	(void)state;
	start();
	stock_up("A", 4, 0, 0);
	assert_int_equal(order("PACK", 2)->lines[0].backordered, Q(2));
	order_step_restock(w.orders, &w.txn);
	assert_null(w.stock->restocked);
	stock_up("A", 1, 0, 0);
	assert_null(w.stock->restocked);
}

static void test_cancel_frees_what_it_has(void **state)
{
	struct order_open *o, *next;
	struct err e = ERR_NONE;

	(void)state;
	start();
	stock_up("A", 4, 2, 0);
	o = order("PACK", 3);
	next = order("PACK", 1);
	assert_int_equal(next->lines[0].backordered, Q(1));
	assert_int_equal(order_step_cancel(w.orders, &w.txn, o, STR("no"), &e), RC_OK);
	order_step_restock(w.orders, &w.txn);
	check_allocated("the next", 2, 1, 0);
	assert_int_equal(next->status, ORDER_RESERVED);
	assert_null(stock_find(w.stock, STR("A-1"))->waiting);
	assert_null(stock_find(w.stock, STR("A-2"))->waiting);
	accept(next);
	assert_int_equal(order_step_cancel(w.orders, &w.txn, next, STR("no"), &e), RC_CONFLICT);
}

/* ---- what the kit is ---- */

/* An order keeps the kit that was sold. */
static void test_a_later_record_changes_nothing(void **state)
{
	struct order_open *o;
	struct str id;

	(void)state;
	start();
	stock_up("A", 4, 1, 0);
	o = order("PACK", 2);
	id = world_keep_id(o);
	world_record(&w, "PACK", "{\"sku\":\"PACK\",\"components\":[{\"sku\":\"A-3\",\"quantity\":\"5\"}]}");
	o = loaded(id);
	stock_up("A", 0, 1, 0);
	assert_int_equal(o->lines[0].backordered, 0);
	move(MOVE_SHIP, id, "PACK", "A", 2, "1");
	assert_int_equal(o->status, ORDER_SHIPPED);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), 0);
}

/* ---- reservations ---- */

static struct hold *hold(const struct world_line *lines, size_t count)
{
	struct str shortage;
	struct hold *h;

	assert_int_equal(world_hold(&w, "h-1", "shop", lines, count, &h, &shortage), RC_OK);
	return h;
}

static void test_a_held_kit_becomes_the_orders(void **state)
{
	const struct world_line kit = WANT("PACK", NULL, Q(2)), lines[] = {WANT("A-1", NULL, Q(4)), kit};
	struct order_open *o;
	struct hold *h;

	(void)state;
	start();
	stock_up("A", 4, 2, 0);
	h = hold(&kit, 1);
	/* The other line is for what is held as well, and comes first. */
	o = world_order(&w, "shop", lines, 2, h);
	assert_int_equal(o->lines[0].backordered, Q(4));
	assert_int_equal(o->lines[1].backordered, 0);
	check_allocated("the kits", 4, 2, 0);
}

static void commit_part(struct hold *h, struct order_open *o, const char *sku, int n, bool keep)
{
	struct movement_line line = {.sku = str_from(sku), .quantity = Q(n)};
	struct err e = ERR_NONE;
	bool kept;

	assert_int_equal(hold_step_commit_part(w.holds, &w.txn, h, o, &line, 1, keep, &kept, &e), RC_OK);
	assert_int_equal(kept, keep);
	order_step_given(w.orders, &w.txn, o);
	order_step_restock(w.orders, &w.txn);
}

static void test_a_part_of_a_held_kit(void **state)
{
	const struct world_line kit = WANT("PACK", NULL, Q(2));
	struct order_open *o;
	struct str id;

	(void)state;
	start();
	stock_up("A", 4, 2, 0);
	hold(&kit, 1);
	id = world_keep_id(order("PACK", 2));
	o = loaded(id);
	assert_int_equal(o->lines[0].backordered, Q(2));
	commit_part(hold_find(w.holds, STR("h-1")), o, "PACK", 1, true);
	assert_int_equal(o->lines[0].backordered, Q(1));
	check_allocated("one kit", 2, 1, 0);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_HELD), Q(2));
	/* Half a kit is nothing: what cannot be used is free. */
	commit_part(hold_find(w.holds, STR("h-1")), o, "A-1", 2, true);
	assert_int_equal(o->lines[0].backordered, Q(1));
	check_allocated("still one kit", 2, 1, 0);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(2));
	commit_part(hold_find(w.holds, STR("h-1")), o, "A-2", 1, false);
	assert_int_equal(o->lines[0].backordered, 0);
	check_allocated("both", 4, 2, 0);
}

/* A kit that is held comes from one place, too. */
static void test_a_hold_is_not_split(void **state)
{
	const struct world_line kit = WANT("PACK", NULL, Q(1));
	struct str shortage;
	struct hold *h;

	(void)state;
	start();
	stock_up("A", 2, 0, 0);
	stock_up("B", 0, 1, 0);
	assert_int_equal(world_hold(&w, "h-1", "shop", &kit, 1, &h, &shortage), RC_CONFLICT);
	w.channels[0].split_kits = true;
	assert_int_equal(world_hold(&w, "h-1", "shop", &kit, 1, &h, &shortage), RC_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_reserve),
	    TEST(test_every_rule),
	    TEST(test_waits_for_what_is_missing),
	    TEST(test_the_oldest_first),
	    TEST(test_half_a_kit_keeps_nothing),
	    TEST(test_a_waiting_kit_is_let_be),
	    TEST(test_cancel_frees_what_it_has),
	    TEST(test_a_later_record_changes_nothing),
	    TEST(test_a_held_kit_becomes_the_orders),
	    TEST(test_a_part_of_a_held_kit),
	    TEST(test_a_hold_is_not_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
