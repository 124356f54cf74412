#include "orchestrate/order/book.h"
#include "orchestrate/order/progress.h"
#include "orchestrate/order/test_orders.h"

static enum rc cancel(struct order_open *o, struct err *e)
{
	enum rc rc;

	*e = ERR_NONE;
	rc = order_step_cancel(w.orders, &w.txn, o, STR("changed my mind"), e);
	order_step_restock(w.orders, &w.txn);
	return rc;
}

/* ---- reserving ---- */

struct reserve_case {
	const char *name;
	qty_t free[3]; /* of A-1 */
	qty_t free_2[3];
	struct world_line lines[3];
	size_t count;
	enum order_status want;
	qty_t allocated[3], backordered; /* of A-1 */
};

static const struct reserve_case cases[] = {
    {"all from one", {5, 5}, {0}, {WANT("A-1", NULL, Q(3))}, 1, ORDER_RESERVED, {3}, 0},
    {"the one that has it whole", {2, 5}, {0}, {WANT("A-1", NULL, Q(3))}, 1, ORDER_RESERVED, {0, 3}, 0},
    {"split in the order of preference", {2, 5}, {0}, {WANT("A-1", NULL, Q(6))}, 1, ORDER_RESERVED, {2, 4}, 0},
    {"backordered for the rest", {2, 1}, {0}, {WANT("A-1", NULL, Q(6))}, 1, ORDER_BACKORDERED, {2, 1}, 3},
    {"backordered for all", {0, 0, 9}, {5}, {WANT("A-1", NULL, Q(6))}, 1, ORDER_BACKORDERED, {0}, 6},
    /* The ten ways, 3. */
    {"two lines of one item together",
     {5},
     {0},
     {WANT("A-1", NULL, Q(3)), WANT("A-1", NULL, Q(3))},
     2,
     ORDER_BACKORDERED,
     {5},
     1},
    {"two lines of one item go where both fit",
     {5, 6},
     {0},
     {WANT("A-1", NULL, Q(3)), WANT("A-1", NULL, Q(3))},
     2,
     ORDER_RESERVED,
     {0, 6},
     0},
    /* The ten ways, 6. */
    {"one location for the whole order",
     {9, 4},
     {0, 2},
     {WANT("A-1", NULL, Q(4)), WANT("A-2", NULL, Q(2))},
     2,
     ORDER_RESERVED,
     {0, 4},
     0},
    {"no location for the whole order",
     {9, 4},
     {0, 1, 9},
     {WANT("A-1", NULL, Q(4)), WANT("A-2", NULL, Q(2))},
     2,
     ORDER_BACKORDERED,
     {4},
     0},
    {"negative is not there", {-2, 1}, {0}, {WANT("A-1", NULL, Q(2))}, 1, ORDER_BACKORDERED, {0, 1}, 1},
};

static void test_reserve(void **state)
{
	static const char *const locations[] = {"A", "B", "C"};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct reserve_case *c = &cases[i];
		qty_t backordered = 0;
		struct order_open *o;

		set_up(state);
		stock_up(c->free[0], c->free[1], c->free[2]);
		for (int n = 0; n < 3; n++)
			if (c->free_2[n])
				world_move(&w, MOVE_RECEIVE, "A-2", locations[n], Q(c->free_2[n]));
		o = world_order(&w, "shop", c->lines, c->count, NULL);
		if (o->status != c->want)
			fail_msg("%s: %s", c->name, order_status_name(o->status));
		for (int n = 0; n < 3; n++)
			if (world_state(&w, "A-1", locations[n], STOCK_ALLOCATED) != Q(c->allocated[n]) ||
			    world_state(&w, "A-1", locations[n], STOCK_FREE) != Q(c->free[n] - c->allocated[n]))
				fail_msg("%s: at %s", c->name, locations[n]);
		for (size_t n = 0; n < c->count; n++)
			if (str_is(o->lines[n].sku, "A-1"))
				backordered += o->lines[n].backordered;
		if (backordered != Q(c->backordered))
			fail_msg("%s: %lld backordered", c->name, (long long)backordered);
		assert_int_equal(world_deliveries(&w, "order.post"), 1);
		assert_int_equal(world_exceptions(&w, "backordered"), c->want == ORDER_BACKORDERED);
		tear_down(state);
	}
}

static void test_lots_of_a_location_count_together(void **state)
{
	struct world_line lot = {.sku = "A-1", .location = "A", .lot = "L1", .quantity = Q(5)};
	struct order_open *o;
	struct err e = ERR_NONE;

	(void)state;
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_RECEIVE}, &lot, 1, &e), RC_OK);
	world_move(&w, MOVE_SHIP, "A-1", "A", Q(3));
	o = order_one("shop", 4);
	assert_int_equal(o->lines[0].backordered, Q(2));
	assert_int_equal(world_place(&w, "A-1", "A", "L1")->position.states[STOCK_ALLOCATED], Q(2));
}

static void test_refused_capture(void **state)
{
	(void)state;
	assert_null(world_order(&w, "nobody", &(struct world_line)WANT("A-1", NULL, Q(1)), 1, NULL));
	tear_down(state);
	world_init(&w);
	w.orders_max = 1;
	world_start(&w);
	stock_up(9, 0, 0);
	order_one("shop", 1);
	assert_null(world_order(&w, "shop", &(struct world_line)WANT("A-1", NULL, Q(1)), 1, NULL));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), Q(1));
}

/* ---- acceptance and release ---- */

static void test_accept_and_release(void **state)
{
	struct order_open *o;

	(void)state;
	stock_up(2, 2, 0);
	o = order_one("shop", 3);
	assert_int_equal(world_deliveries(&w, "shipment.request"), 0);
	order_step_accepted(w.orders, &w.txn, o, 1, STR("SO-7"));
	assert_int_equal(o->status, ORDER_ACCEPTED);
	assert_true(str_is(o->external.id, "SO-7"));
	assert_int_equal(world_deliveries(&w, "shipment.request"), 1);
	order_step_accepted(w.orders, &w.txn, o, 1, STR("SO-8"));
	assert_true(str_is(o->external.id, "SO-7"));
	assert_int_equal(world_deliveries(&w, "shipment.request"), 1);
	order_step_released(w.orders, &w.txn, o);
	assert_int_equal(o->status, ORDER_RELEASED);
	world_commit(&w, 10);
	world_reload(&w);
	assert_int_equal(w.orders->orders.count, 1);
}

/* The warehouse's shipment may be here before its answer to the request: it was released nevertheless, once. */
static void test_shipped_before_the_release_is_answered(void **state)
{
	struct order_open *o;

	(void)state;
	stock_up(9, 0, 0);
	o = order_one("shop", 3);
	order_step_accepted(w.orders, &w.txn, o, 1, STR("SO-7"));
	ship(o->order_id, "A", 1, NULL);
	assert_int_equal(o->status, ORDER_PARTIALLY_SHIPPED);
	assert_int_equal(world_events(&w, "order.released"), 1);
	order_step_released(w.orders, &w.txn, o);
	assert_int_equal(o->status, ORDER_PARTIALLY_SHIPPED);
	assert_int_equal(world_events(&w, "order.released"), 1);
}

/* A warehouse may ship before the ERP has answered: the answer does not turn the order back. */
static void test_accepted_after_the_first_shipment(void **state)
{
	struct order_open *o;
	struct str id;

	(void)state;
	stock_up(9, 0, 0);
	o = order_one("shop", 3);
	ship(o->order_id, "A", 1, NULL);
	assert_int_equal(o->status, ORDER_PARTIALLY_SHIPPED);
	order_step_accepted(w.orders, &w.txn, o, 1, STR("SO-7"));
	assert_int_equal(o->status, ORDER_PARTIALLY_SHIPPED);
	assert_true(o->posted);
	assert_true(str_is(o->external.id, "SO-7"));
	assert_int_equal(world_deliveries(&w, "shipment.request"), 1);
	/* The same with a restart in between. */
	o = order_one("shop", 3);
	id = world_keep_id(o);
	ship(id, "A", 1, NULL);
	world_commit(&w, 10);
	world_reload(&w);
	o = order_find(w.orders, id);
	assert_false(o->posted);
	order_step_accepted(w.orders, &w.txn, o, 1, STR("SO-8"));
	assert_true(str_is(o->external.id, "SO-8"));
	assert_int_equal(world_deliveries(&w, "shipment.request"), 1);
}

/* Refused by the ERP: a person decides. A restart decides nothing. */
static void test_refused_stays_on_hold(void **state)
{
	struct order_open *o;
	struct str id;

	(void)state;
	stock_up(9, 0, 0);
	o = order_one("shop", 3);
	id = world_keep_id(o);
	order_step_refused(w.orders, &w.txn, o, "order_refused", STR("credit limit"));
	assert_int_equal(o->status, ORDER_ON_HOLD);
	assert_int_equal(world_exceptions(&w, "order_refused"), 1);
	world_commit(&w, 10);
	for (int loaded = 0; loaded < 2; loaded++) {
		world_move(&w, MOVE_RECEIVE, loaded ? "A-8" : "A-9", "A", Q(1));
		assert_int_equal(order_find(w.orders, id)->status, ORDER_ON_HOLD);
		assert_int_equal(world_deliveries(&w, "order.post"), 0);
		world_commit(&w, 10);
		world_reload(&w);
	}
	o = order_find(w.orders, id);
	order_step_accepted(w.orders, &w.txn, o, 1, STR("SO-7"));
	assert_int_equal(o->status, ORDER_ACCEPTED);
}

/* What comes while an order is on hold goes to others; what is left is there for it when it goes on. */
static void test_stock_that_came_while_on_hold(void **state)
{
	struct order_open *first, *second;

	(void)state;
	stock_up(0, 0, 1);
	first = order_one("shop", 3);
	second = order_one("shop", 2);
	order_step_refused(w.orders, &w.txn, first, "order_refused", STR("credit limit"));
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(4));
	assert_int_equal(second->status, ORDER_RESERVED);
	assert_int_equal(first->lines[0].backordered, Q(3));
	world_commit(&w, 10);
	order_step_accepted(w.orders, &w.txn, first, 1, STR("SO-7"));
	order_step_restock(w.orders, &w.txn);
	assert_int_equal(first->lines[0].backordered, Q(1));
	assert_int_equal(world_deliveries(&w, "shipment.request"), 1);
}

/* ---- cancelling ---- */

/* The ten ways, 7: everything goes back to where it came from. */
static void test_cancel(void **state)
{
	struct order_open *o;
	struct err e;
	struct str id;

	(void)state;
	stock_up(2, 3, 4);
	o = order_one("shop", 9);
	id = world_keep_id(o);
	assert_int_equal(o->lines[0].backordered, Q(4));
	assert_int_equal(cancel(o, &e), RC_OK);
	assert_int_equal(o->status, ORDER_CANCELLED);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(2));
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_FREE), Q(3));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), 0);
	assert_int_equal(o->lines[0].cancelled, Q(9));
	assert_null(stock_find(w.stock, STR("A-1"))->waiting);
	assert_int_equal(world_deliveries(&w, "order.cancel"), 1);
	world_commit(&w, 10);
	assert_null(order_find(w.orders, id));
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(9));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), 0);
}

static void test_cancel_too_late(void **state)
{
	struct order_open *o;
	struct err e;

	(void)state;
	stock_up(9, 9, 0);
	o = order_one("shop", 3);
	order_step_accepted(w.orders, &w.txn, o, 1, STR("SO-7"));
	assert_int_equal(cancel(o, &e), RC_CONFLICT);
	assert_string_equal(e.code, "order_released");
	o = order_one("shop", 3);
	ship(o->order_id, "B", 1, NULL);
	assert_int_equal(cancel(o, &e), RC_CONFLICT);
	assert_string_equal(e.code, "order_shipped");
	/* Picked by somebody whom we did not ask. */
	o = order_one("shop", 3);
	pick(o->order_id, "A", 1);
	assert_int_equal(cancel(o, &e), RC_CONFLICT);
	assert_string_equal(e.code, "order_released");
	assert_int_equal(o->status, ORDER_RESERVED);
}

/* What a cancelled order had goes to those who wait. */
static void test_cancel_feeds_the_waiting(void **state)
{
	struct order_open *first, *second;
	struct err e;

	(void)state;
	stock_up(3, 0, 0);
	first = order_one("shop", 3);
	second = order_one("shop", 2);
	assert_int_equal(second->status, ORDER_BACKORDERED);
	assert_int_equal(cancel(first, &e), RC_OK);
	assert_int_equal(second->status, ORDER_RESERVED);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), Q(2));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(1));
}

/* ---- stock that comes later ---- */

static void test_restock_oldest_first(void **state)
{
	struct order_open *o[3];

	(void)state;
	stock_up(1, 0, 0);
	for (int i = 0; i < 3; i++)
		o[i] = order_one("shop", 3);
	assert_int_equal(o[0]->lines[0].backordered, Q(2));
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(4));
	assert_int_equal(o[0]->lines[0].backordered, 0);
	assert_int_equal(o[0]->status, ORDER_RESERVED);
	assert_int_equal(o[1]->lines[0].backordered, Q(1));
	assert_int_equal(o[2]->lines[0].backordered, Q(3));
	world_commit(&w, 10);
	world_reload(&w);
	world_move(&w, MOVE_RECEIVE, "A-1", "B", Q(2));
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_ALLOCATED), Q(2));
	assert_non_null(stock_find(w.stock, STR("A-1"))->waiting);
	assert_int_equal(stock_find(w.stock, STR("A-1"))->waiting->line->backordered, Q(2));
	assert_null(stock_find(w.stock, STR("A-1"))->waiting->next);
}

/* Who cannot use it does not keep others from it. */
static void test_restock_where_the_channel_sells(void **state)
{
	struct order_open *shop, *market;

	(void)state;
	stock_up(1, 0, 0);
	shop = order_one("shop", 3);
	market = order_one("market", 2);
	world_move(&w, MOVE_RECEIVE, "A-1", "C", Q(4));
	assert_int_equal(shop->lines[0].backordered, Q(2));
	assert_int_equal(market->status, ORDER_RESERVED);
	world_move(&w, MOVE_RECEIVE, "A-1", "B", Q(2));
	assert_int_equal(shop->status, ORDER_RESERVED);
}

/* An accepted order is released once for each wave of stock. */
static void test_restock_releases(void **state)
{
	struct order_open *o;

	(void)state;
	stock_up(1, 0, 0);
	o = order_one("shop", 3);
	order_step_accepted(w.orders, &w.txn, o, 1, STR("SO-7"));
	assert_int_equal(world_deliveries(&w, "shipment.request"), 1);
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(2));
	assert_int_equal(world_deliveries(&w, "shipment.request"), 2);
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(2));
	assert_int_equal(world_deliveries(&w, "shipment.request"), 2);
	assert_int_equal(o->lines[0].allocations[0].released, Q(3));
}

/* ---- items that are not known yet ---- */

static void test_unknown_then_known(void **state)
{
	struct world_line lines[] = {WANT("A-1", NULL, Q(2)), WANT("new", NULL, Q(1))};
	struct order_open *o;
	struct str id;

	(void)state;
	stock_up(5, 0, 0);
	o = world_order(&w, "shop", lines, 2, NULL);
	id = world_keep_id(o);
	assert_int_equal(o->status, ORDER_ON_HOLD);
	assert_int_equal(world_exceptions(&w, "unknown_item"), 1);
	assert_int_equal(world_deliveries(&w, "order.post"), 0);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), 0);
	world_commit(&w, 10);
	world_reload(&w);
	world_move(&w, MOVE_RECEIVE, "other", "A", Q(1));
	assert_int_equal(order_find(w.orders, id)->status, ORDER_ON_HOLD);
	world_move(&w, MOVE_RECEIVE, "new", "A", Q(1));
	assert_int_equal(order_find(w.orders, id)->status, ORDER_RESERVED);
	assert_int_equal(world_deliveries(&w, "order.post"), 1);
	assert_int_equal(world_state(&w, "new", "A", STOCK_ALLOCATED), Q(1));
}

static void test_unknown_oldest_first(void **state)
{
	struct world_line line = WANT("new", NULL, Q(1));
	struct order_open *o[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		o[i] = world_order(&w, "shop", &line, 1, NULL);
	world_move(&w, MOVE_RECEIVE, "new", "A", Q(2));
	assert_int_equal(o[0]->status, ORDER_RESERVED);
	assert_int_equal(o[1]->status, ORDER_RESERVED);
	assert_int_equal(o[2]->status, ORDER_BACKORDERED);
}

static void test_unknown_cancelled(void **state)
{
	struct world_line line = WANT("new", NULL, Q(1));
	struct order_open *o[3];
	struct err e;

	(void)state;
	for (int i = 0; i < 3; i++)
		o[i] = world_order(&w, "shop", &line, 1, NULL);
	assert_int_equal(cancel(o[1], &e), RC_OK);
	assert_int_equal(cancel(o[2], &e), RC_OK);
	world_commit(&w, 10);
	o[1] = world_order(&w, "shop", &line, 1, NULL);
	world_move(&w, MOVE_RECEIVE, "new", "A", Q(9));
	assert_int_equal(o[0]->status, ORDER_RESERVED);
	assert_int_equal(o[1]->status, ORDER_RESERVED);
	assert_int_equal(world_state(&w, "new", "A", STOCK_ALLOCATED), Q(2));
	assert_null(w.orders->held.first);
}

/* ---- rows ---- */

static void test_damaged_row(void **state)
{
	static const char *const progress[] = {
	    "",
	    "[]",
	    "{\"l\":{}}",
	    "{\"l\":[{}]}",
	    "{\"l\":[[\"1\",\"A-1\",\"1\"]]}",
	    "{\"l\":[[\"1\",\"A-1\",\"1\",[[\"A\"]]]]}",
	    "{\"l\":[[1,\"A-1\",\"1\",[]]]}",
	    "{\"l\":[[\"1\",\"A-1\",\"1\",[[\"Z\",\"1\"]]]]}",
	    "{\"l\":[[\"1\",\"A-1\",\"1\",[[\"A\",\"1\",\"0\",\"0\",\"no such lot\"]]]]}",
	    "{\"l\":[[\"1\",\"A-9\",\"1\",[[\"A\",\"1\"]]]]}",
	};

	(void)state;
	stock_up(5, 0, 0);
	for (size_t i = 0; i < COUNT(progress); i++) {
		struct str order = STR("order"), channel = STR("shop");
		struct store_value row[12] = {SV_INT(1),      SV_TEXT(order),      SV_TEXT(channel),
					      SV_TEXT(order), SV_INT(40),          SV_INT(1),
					      SV_INT(1),      SV_TEXT(STR("EUR")), SV_NULL,
					      SV_TEXT(order), SV_INT(1),           SV_TEXT(str_from(progress[i]))};
		struct order_book *book = order_book_new(&w.tenant, w.stock, 10);
		struct err e = ERR_NONE;

		assert_int_not_equal(order_load(book, row, &e), RC_OK);
		e = ERR_NONE;
		row[2] = SV_TEXT(STR("gone"));
		assert_int_equal(order_load(book, row, &e), RC_CONFLICT);
		assert_string_equal(e.code, "channel_missing");
		order_book_free(book);
	}
}

/* What is stored of an order is what is loaded; names may look like numbers. */
static void test_reload(void **state)
{
	struct world_line lines[] = {WANT("0", NULL, Q(2)), WANT("0", NULL, Q(7))};
	struct world_line lot = {.sku = "0", .location = "A", .lot = "0", .quantity = Q(5)};
	struct order_open *o;
	struct buf before, after;
	struct str id;
	struct err e = ERR_NONE;

	(void)state;
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_RECEIVE}, &lot, 1, &e), RC_OK);
	o = world_order(&w, "shop", lines, 2, NULL);
	id = world_keep_id(o);
	order_step_accepted(w.orders, &w.txn, o, 1, STR("0"));
	lot.quantity = Q(1);
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_SHIP, .order_id = id}, &lot, 1, &e), RC_OK);
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_PICK, .order_id = id}, &lot, 1, &e), RC_OK);
	world_commit(&w, 1);
	buf_init(&before, 4096);
	buf_init(&after, 4096);
	order_progress_write(&before, w.orders, o);
	world_reload(&w);
	o = order_find(w.orders, id);
	assert_non_null(o);
	order_progress_write(&after, w.orders, o);
	assert_true(str_eq(buf_str(&before), buf_str(&after)));
	assert_int_equal(o->status, ORDER_PARTIALLY_SHIPPED);
	assert_int_equal(o->lines[0].shipped, Q(1));
	assert_int_equal(o->lines[0].allocations[0].picked, Q(1));
	assert_int_equal(o->lines[1].backordered, Q(4));
	assert_int_equal(world_place(&w, "0", "A", "0")->order_picked, Q(1));
	buf_done(&before);
	buf_done(&after);
}

static void test_status_names(void **state)
{
	static const enum order_status all[] = {ORDER_CAPTURED,          ORDER_ON_HOLD,   ORDER_BACKORDERED,
						ORDER_RESERVED,          ORDER_ACCEPTED,  ORDER_RELEASED,
						ORDER_PARTIALLY_SHIPPED, ORDER_SHIPPED,   ORDER_INVOICED,
						ORDER_CLOSED_STATUS,     ORDER_CANCELLED, ORDER_REJECTED};
	enum order_status s;

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++) {
		assert_true(order_status_parse(str_from(order_status_name(all[i])), &s));
		assert_int_equal(s, all[i]);
	}
	assert_false(order_status_parse(STR("invalid"), &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reserve),
	    TEST(test_lots_of_a_location_count_together),
	    TEST(test_refused_capture),
	    TEST(test_accept_and_release),
	    TEST(test_shipped_before_the_release_is_answered),
	    TEST(test_accepted_after_the_first_shipment),
	    TEST(test_refused_stays_on_hold),
	    TEST(test_stock_that_came_while_on_hold),
	    TEST(test_cancel),
	    TEST(test_cancel_too_late),
	    TEST(test_cancel_feeds_the_waiting),
	    TEST(test_restock_oldest_first),
	    TEST(test_restock_where_the_channel_sells),
	    TEST(test_restock_releases),
	    TEST(test_unknown_then_known),
	    TEST(test_unknown_oldest_first),
	    TEST(test_unknown_cancelled),
	    TEST(test_reload),
	    TEST(test_damaged_row),
	    TEST(test_status_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
