/* What a shipment or a pick does to an order and to the stock that was promised to it. */
#include "orchestrate/order/book.h"
#include "orchestrate/order/test_orders.h"

static struct order_open *order_picked(qty_t ordered, const char *location, qty_t picked)
{
	struct order_open *o = order_one("shop", ordered);

	pick(o->order_id, location, picked);
	return o;
}

static void test_ship_in_parts(void **state)
{
	struct order_open *o;
	struct str id;

	(void)state;
	stock_up(9, 0, 0);
	o = order_one("shop", 3);
	id = world_keep_id(o);
	pick(id, "A", 2);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_PICKED), Q(2));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), Q(1));
	ship(id, "A", 1, NULL);
	assert_int_equal(o->status, ORDER_PARTIALLY_SHIPPED);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_PICKED), Q(1));
	ship(id, "A", 2, NULL);
	assert_int_equal(o->status, ORDER_SHIPPED);
	assert_int_equal(o->lines[0].shipped, Q(3));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_PICKED), 0);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), 0);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(6));
	assert_int_equal(world_events(&w, "shipment.created"), 2);
	assert_int_equal(world_deliveries(&w, "shipment"), 4); /* channel and ERP, twice */
	world_commit(&w, 10);
	assert_null(order_find(w.orders, id));
}

/* The wrong place ships: its stock goes, and so much of the reserved one is free again. */
static void test_ship_from_elsewhere(void **state)
{
	struct order_open *o;

	(void)state;
	stock_up(5, 5, 0);
	o = order_one("shop", 3);
	ship(o->order_id, "B", 1, NULL);
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_FREE), Q(4));
	assert_int_equal(o->status, ORDER_PARTIALLY_SHIPPED);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), Q(2));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(3));
	ship(o->order_id, "B", 2, NULL);
	assert_int_equal(o->status, ORDER_SHIPPED);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), 0);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(5));
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_FREE), Q(2));
}

/* A line of 5 has 3 at A and waits for 2. What leaves elsewhere is taken off what it waits for, and only then off what
 * it has: nothing is allocated or waited for beyond what is still to be shipped. */
static void test_ship_from_elsewhere_what_it_waits_for(void **state)
{
	static const struct {
		qty_t ship, allocated, backordered, given; /* given: to the next order, which waits */
	} after[] = {{1, 3, 1, 0}, {1, 3, 0, 0}, {2, 1, 0, 2}};
	struct order_open *o, *next;
	char ids[2][UUID_TEXT];

	(void)state;
	stock_up(3, 0, 4);
	memcpy(ids[0], order_one("shop", 5)->order_id.p, UUID_TEXT);
	memcpy(ids[1], order_one("shop", 2)->order_id.p, UUID_TEXT);
	for (size_t i = 0; i < COUNT(after); i++) {
		const struct order_line_open *l;

		o = order_find(w.orders, (struct str){ids[0], UUID_TEXT});
		next = order_find(w.orders, (struct str){ids[1], UUID_TEXT});
		l = &o->lines[0];
		ship(o->order_id, "C", after[i].ship, NULL);
		assert_int_equal(l->backordered, Q(after[i].backordered));
		assert_int_equal(order_part_has(l, &l->parts[0]), Q(after[i].allocated));
		assert_int_equal(l->ordered - l->shipped, Q(after[i].allocated + after[i].backordered));
		assert_int_equal(order_part_has(&next->lines[0], &next->lines[0].parts[0]), Q(after[i].given));
		assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), Q(after[i].allocated + after[i].given));
		assert_int_equal(o->status, ORDER_PARTIALLY_SHIPPED);
		world_commit(&w, 10);
		world_reload(&w);
	}
}

/* What the warehouse was not asked for goes first, then what is not picked. */
static void test_trim_keeps_what_is_picked(void **state)
{
	struct order_open *o;

	(void)state;
	stock_up(2, 3, 9);
	o = order_picked(5, "B", 2);
	ship(o->order_id, "C", 2, NULL);
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_PICKED), Q(2));
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_ALLOCATED), 0);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), Q(1));
	ship(o->order_id, "C", 2, NULL);
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_PICKED), Q(1));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), 0);
	assert_int_equal(world_place(&w, "A-1", "B", NULL)->order_picked, Q(1));
}

/* Picked at one place, shipped from another: what was picked is free again, and belongs to no order that is gone. */
static void test_ship_from_elsewhere_after_pick(void **state)
{
	struct order_open *o;
	struct stock_place *p;

	(void)state;
	stock_up(5, 5, 0);
	o = order_picked(3, "A", 3);
	ship(o->order_id, "B", 3, NULL);
	assert_int_equal(o->status, ORDER_SHIPPED);
	p = world_place(&w, "A-1", "A", NULL);
	assert_int_equal(p->order_picked, 0);
	assert_int_equal(p->position.states[STOCK_PICKED], 0);
	assert_int_equal(p->position.states[STOCK_FREE], Q(5));
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_FREE), Q(2));
}

static void test_over_shipment(void **state)
{
	struct order_open *o;

	(void)state;
	stock_up(5, 0, 0);
	o = order_one("shop", 3);
	ship(o->order_id, "A", 7, NULL);
	assert_int_equal(o->status, ORDER_SHIPPED);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), 0);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(-2));
	assert_int_equal(world_exceptions(&w, "stock_negative"), 1);
}

/* Backordered, and shipped all the same from where the books had nothing for it. */
static void test_ship_what_was_backordered(void **state)
{
	static const struct {
		qty_t shipped, backordered;
	} steps[] = {{2, 2}, {3, 0}, {3, 0}};
	struct order_open *o;

	(void)state;
	stock_up(6, 0, 0);
	o = order_one("shop", 10);
	assert_int_equal(o->lines[0].backordered, Q(4));
	for (size_t i = 0; i < COUNT(steps); i++) {
		ship(o->order_id, "B", steps[i].shipped, NULL);
		assert_int_equal(o->lines[0].backordered, Q(steps[i].backordered));
	}
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(9));
	assert_int_equal(o->lines[0].backordered, 0);
	ship(o->order_id, "A", 2, NULL);
	assert_int_equal(o->status, ORDER_SHIPPED);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), 0);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(13));
	assert_null(stock_find(w.stock, STR("A-1"))->waiting);
}

static void test_ship_by_line(void **state)
{
	struct world_line lines[] = {WANT("A-1", NULL, Q(2)), WANT("A-1", NULL, Q(3))};
	struct order_open *o;

	(void)state;
	stock_up(5, 0, 0);
	o = world_order(&w, "shop", lines, 2, NULL);
	ship(o->order_id, "A", 3, "2");
	assert_int_equal(o->lines[0].shipped, 0);
	assert_int_equal(o->lines[1].shipped, Q(3));
	assert_int_equal(o->status, ORDER_PARTIALLY_SHIPPED);
	ship(o->order_id, "A", 2, "1");
	assert_int_equal(o->status, ORDER_SHIPPED);
}

/* A shipment of one order leaves the stock of another alone. */
static void test_orders_keep_apart(void **state)
{
	struct order_open *first, *second;

	(void)state;
	stock_up(4, 0, 0);
	first = order_picked(2, "A", 2);
	second = order_one("shop", 2);
	ship(second->order_id, "A", 2, NULL);
	assert_int_equal(second->status, ORDER_SHIPPED);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_PICKED), Q(2));
	world_move(&w, MOVE_SHIP, "A-1", "A", Q(1)); /* without an order: not out of what was picked for one */
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_PICKED), Q(2));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(-1));
	ship(first->order_id, "A", 2, NULL);
	assert_int_equal(first->status, ORDER_SHIPPED);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_PICKED), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_ship_in_parts),
	    TEST(test_ship_from_elsewhere),
	    TEST(test_ship_from_elsewhere_what_it_waits_for),
	    TEST(test_trim_keeps_what_is_picked),
	    TEST(test_ship_from_elsewhere_after_pick),
	    TEST(test_over_shipment),
	    TEST(test_ship_what_was_backordered),
	    TEST(test_ship_by_line),
	    TEST(test_orders_keep_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
