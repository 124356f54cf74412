#include "orchestrate/world.h"

static struct world w;

static int set_up(void **state)
{
	(void)state;
	world_init(&w);
	w.channels[0].inbound_cap = QTY_MAX;
	w.channels[0].inbound_horizon_ms = 1000;
	world_start(&w);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

static struct stock_item *item(void)
{
	return stock_find(w.stock, STR("A-1"));
}

static qty_t shop(void)
{
	return stock_available(w.stock, item(), &w.channels[0]);
}

static void coming(enum movement_type type, qty_t quantity, int64_t expected_at)
{
	const struct world_fact fact = {.type = type, .purchase_order_id = "P", .expected_at = expected_at};
	struct err e = ERR_NONE;

	assert_int_equal(world_apply(&w, fact, &(struct world_line)WANT("A-1", "A", quantity), 1, &e), RC_OK);
}

/* Time alone changes the number; what has arrived is expected no more. */
static void test_arrivals(void **state)
{
	int64_t begun = w.now;

	(void)state;
	coming(MOVE_ANNOUNCE, Q(6), begun + 5000);
	coming(MOVE_ANNOUNCE, Q(2), begun + 500);
	world_commit(&w, 9);
	assert_int_equal(shop(), Q(2));
	assert_int_equal(terms_next(w.stock), begun + 4000);
	world_reload(&w);
	assert_int_equal(terms_next(w.stock), begun + 4000);
	w.now = w.txn.now = begun + 4000;
	world_commit(&w, 9);
	assert_int_equal(shop(), Q(8));
	assert_int_equal(terms_next(w.stock), INT64_MAX);
	coming(MOVE_RECEIVE, Q(3), 0);
	world_commit(&w, 9);
	assert_int_equal(shop(), Q(8));
	assert_int_equal(item()->terms->arrival_count, 1);
	assert_int_equal(item()->terms->arrivals[0].quantity, Q(5));
}

/* The order's date holds for what is announced without one. */
static void test_ordered_then_announced(void **state)
{
	(void)state;
	coming(MOVE_ORDER_IN, Q(5), w.now + 100);
	world_commit(&w, 9);
	assert_int_equal(shop(), 0);
	coming(MOVE_ANNOUNCE, Q(3), 0);
	world_commit(&w, 9);
	assert_int_equal(shop(), Q(3));
	coming(MOVE_ANNOUNCE, Q(2), w.now + 5000); /* another date now */
	world_commit(&w, 9);
	world_reload(&w);
	assert_int_equal(shop(), Q(3));
	assert_int_equal(item()->terms->arrival_count, 2);
}

/* Used by holds and orders, filled again by what they give back; nobody else gets it. */
static void test_fence(void **state)
{
	struct hold *h;
	struct str shortage;
	struct order_open *o;
	struct err e = ERR_NONE;

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "B", Q(10));
	fence_set(w.stock, item(), 1, 1, Q(6));
	assert_int_equal(stock_free_for(item(), 1, 0, &w.channels[0]), Q(4));
	assert_int_equal(stock_free_for(item(), 1, 1, &w.channels[1]), Q(10));
	assert_int_equal(shop(), Q(4));
	assert_int_equal(world_hold(&w, "no", "shop", &(struct world_line)WANT("A-1", NULL, Q(5)), 1, &h, &shortage),
			 RC_CONFLICT);
	assert_int_equal(world_hold(&w, "m", "market", &(struct world_line)WANT("A-1", NULL, Q(8)), 1, &h, &shortage),
			 RC_OK);
	assert_int_equal(item()->terms->fences[0].used, Q(8));
	assert_int_equal(stock_free_for(item(), 1, 0, &w.channels[0]), Q(2));
	world_commit(&w, 9);
	world_reload(&w);
	hold_step_end(w.holds, &w.txn, hold_find(w.holds, STR("m")), HOLD_VOIDED);
	assert_int_equal(stock_free_for(item(), 1, 0, &w.channels[0]), Q(4));
	o = world_order(&w, "shop", &(struct world_line)WANT("A-1", NULL, Q(9)), 1, NULL);
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_ALLOCATED), Q(4));
	assert_int_equal(o->lines[0].backordered, Q(5));
	o = world_order(&w, "market", &(struct world_line)WANT("A-1", NULL, Q(6)), 1, NULL);
	assert_int_equal(o->lines[0].backordered, 0);
	assert_int_equal(order_step_cancel(w.orders, &w.txn, o, STR("why not"), &e), RC_OK);
	order_step_restock(w.orders, &w.txn);
	assert_int_equal(stock_free_for(item(), 1, 1, &w.channels[1]), Q(6)); /* the shop's line still waits */
	fence_set(w.stock, item(), 1, 1, 0);
	order_step_restock(w.orders, &w.txn);
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_ALLOCATED), Q(9));
}

/* Kept for its time, and less when it is told. */
static void test_gap(void **state)
{
	int64_t begun = w.now;

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "B", Q(10));
	gap_add(w.stock, item(), 1, Q(3), begun + 1000);
	assert_int_equal(shop(), Q(7));
	assert_int_equal(gap_tell(w.stock, item(), 1, Q(2)), Q(2));
	assert_int_equal(gap_tell(w.stock, item(), 0, Q(2)), 0);
	world_commit(&w, 9);
	world_reload(&w);
	assert_int_equal(shop(), Q(9));
	assert_int_equal(terms_next(w.stock), begun + 1000);
	w.now = w.txn.now = begun + 1000;
	world_commit(&w, 9);
	assert_int_equal(shop(), Q(10));
	assert_int_equal(gap_of(item(), 1), 0);
	assert_int_equal(gap_tell(w.stock, item(), 1, Q(2)), 0);
}

/* A row that makes no sense is said so; what is not configured any more is left out. */
static void test_rows(void **state)
{
	struct err e = ERR_NONE;
	struct store_value fence[] = {SV_TEXT(STR("A-1")), SV_TEXT(STR("gone")), SV_TEXT(STR("A")), SV_TEXT(STR("5")),
				      SV_TEXT(STR("0"))};

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(10));
	assert_int_equal(fence_load(w.stock, fence, &e), RC_OK);
	assert_null(item()->terms);
	fence[1] = SV_TEXT(STR("market"));
	fence[3] = SV_TEXT(STR("many"));
	assert_int_equal(fence_load(w.stock, fence, &e), RC_IO);
	assert_int_equal(arrival_load(w.stock, (struct store_value[]){SV_TEXT(STR("A-1")), SV_TEXT(STR("[{}]"))}, &e),
			 RC_IO);
	assert_int_equal(
	    gap_load(w.stock,
		     (struct store_value[]){SV_TEXT(STR("A-1")), SV_TEXT(STR("shop")), SV_TEXT(STR("x")), SV_INT(1)},
		     &e),
	    RC_IO);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {TEST(test_arrivals), TEST(test_ordered_then_announced), TEST(test_fence),
					   TEST(test_gap), TEST(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
