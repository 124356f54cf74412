/* Lines for kits: what the warehouse is asked for, and what is shipped of it, whole or by component. */
#include "orchestrate/order/book.h"
#include "orchestrate/order/test_kits.h"

static const char *asked(void)
{
	const struct store_write *d = world_delivery(&w, "wms", "shipment.request");
	const char *lines;

	assert_non_null(d);
	lines = strstr(arena_printf(&w.arena, STR_FMT, STR_ARG(d->values[9].bytes)), "\"lines\"");
	assert_non_null(lines);
	return lines;
}

static void test_the_warehouse_gets_kits_with_components(void **state)
{
	(void)state;
	start();
	stock_up("A", 4, 2, 0);
	accept(order("PACK", 2));
	assert_string_equal(asked(), "\"lines\":[{\"line_id\":\"1\",\"sku\":\"PACK\",\"location\":\"A\",\"quantity\":"
				     "\"2\",\"components\":[{\"sku\":\"A-1\",\"quantity\":\"4\"},"
				     "{\"sku\":\"A-2\",\"quantity\":\"2\"}]}]}");
}

static void test_a_split_kit_is_asked_for_by_components(void **state)
{
	(void)state;
	w.channels[0].split_kits = true;
	start();
	stock_up("A", 2, 0, 0);
	stock_up("B", 0, 1, 0);
	accept(order("PACK", 1));
	assert_string_equal(
	    asked(), "\"lines\":[{\"line_id\":\"1\",\"sku\":\"A-1\",\"kit\":\"PACK\",\"location\":\"A\",\"quantity\":"
		     "\"2\"},{\"line_id\":\"1\",\"sku\":\"A-2\",\"kit\":\"PACK\",\"location\":\"B\",\"quantity\":"
		     "\"1\"}]}");
}

/* What the channel hears of the last shipment. */
static const char *told(void)
{
	const struct store_write *d = world_delivery(&w, "shop", "shipment");

	return d ? strstr(arena_printf(&w.arena, STR_FMT, STR_ARG(d->values[9].bytes)), "\"lines\"") : "nothing";
}

static void test_kits_are_shipped(void **state)
{
	struct order_open *o;
	struct str id;

	(void)state;
	start();
	stock_up("A", 9, 3, 0);
	o = order("PACK", 3);
	id = world_keep_id(o);
	accept(o);
	move(MOVE_SHIP, id, "PACK", "A", 1, "1");
	assert_int_equal(o->lines[0].shipped, Q(1));
	assert_int_equal(o->status, ORDER_PARTIALLY_SHIPPED);
	check_allocated("of two kits", 4, 2, 0);
	o = loaded(id);
	move(MOVE_PICK, id, "PACK", "A", 1, NULL);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_PICKED), Q(2));
	move(MOVE_SHIP, id, "PACK", "A", 2, NULL);
	assert_int_equal(o->status, ORDER_SHIPPED);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(3));
	check_allocated("nothing", 0, 0, 0);
	assert_int_equal(world_exceptions(&w, "over_shipped"), 0);
	assert_string_equal(told(), "\"lines\":[{\"sku\":\"PACK\",\"location\":\"A\",\"quantity\":\"2\"}]}");
}

static void test_components_are_shipped(void **state)
{
	struct order_open *o;
	struct str id;

	(void)state;
	start();
	stock_up("A", 4, 2, 0);
	o = order("PACK", 2);
	id = world_keep_id(o);
	accept(o);
	world_commit(&w, SIZE_MAX);
	move(MOVE_SHIP, id, "A-1", "A", 3, "1");
	assert_int_equal(o->lines[0].shipped, 0);
	assert_string_equal(told(), "nothing");
	o = loaded(id);
	check_allocated("the rest", 1, 2, 0);
	move(MOVE_SHIP, id, "A-2", "A", 1, "1");
	assert_int_equal(o->lines[0].shipped, Q(1));
	assert_string_equal(told(), "\"lines\":[{\"line_id\":\"1\",\"sku\":\"PACK\",\"location\":\"A\",\"quantity\":"
				    "\"1\"}],\"components\":[{\"line_id\":\"1\",\"sku\":\"A-2\",\"location\":\"A\","
				    "\"quantity\":\"1\"}]}");
	move(MOVE_SHIP, id, "A-1", "A", 1, "1");
	move(MOVE_SHIP, id, "A-2", "A", 1, NULL);
	assert_int_equal(o->status, ORDER_SHIPPED);
	assert_int_equal(world_exceptions(&w, "over_shipped"), 0);
}

/* Of two lines of one kit one leaves by component, the other as the kit, without saying for which line. */
static void test_a_kit_leaves_beside_its_components(void **state)
{
	const struct world_line lines[] = {WANT("PACK", NULL, Q(1)), WANT("PACK", NULL, Q(3))};
	struct world_line parcel[] = {WANT("A-1", "A", Q(2)), WANT("A-2", "A", Q(1)), WANT("PACK", "A", Q(3))};
	struct world_fact fact = {.type = MOVE_SHIP};
	struct err e = ERR_NONE;
	struct order_open *o;

	(void)state;
	start();
	stock_up("A", 8, 4, 0);
	o = world_order(&w, "shop", lines, 2, NULL);
	accept(o);
	world_commit(&w, SIZE_MAX);
	parcel[0].line_id = parcel[1].line_id = "1";
	fact.order_id = o->order_id;
	assert_int_equal(world_apply(&w, fact, parcel, 3, &e), RC_OK);
	assert_int_equal(o->status, ORDER_SHIPPED);
	assert_non_null(strstr(told(), "\"lines\":[{\"sku\":\"PACK\",\"location\":\"A\",\"quantity\":\"3\"},"
				       "{\"line_id\":\"1\",\"sku\":\"PACK\",\"location\":\"A\","
				       "\"quantity\":\"1\"}],"));
}

/* From another place than was planned, and more than there was. */
static void test_shipped_from_elsewhere(void **state)
{
	struct order_open *o;
	struct str id;

	(void)state;
	start();
	stock_up("A", 4, 2, 0);
	o = order("PACK", 2);
	id = world_keep_id(o);
	stock_up("B", 2, 1, 0);
	move(MOVE_SHIP, id, "PACK", "B", 1, "1");
	assert_int_equal(o->lines[0].shipped, Q(1));
	check_allocated("for the other", 2, 1, 0);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(2));
	move(MOVE_SHIP, id, "PACK", "A", 2, "1");
	assert_int_equal(o->status, ORDER_SHIPPED);
	assert_int_equal(world_exceptions(&w, "over_shipped"), 2);
	check_allocated("nothing", 0, 0, 0);
}

/* Each shipment takes what is its line's: kits those of kit lines, a part alone the part's line. */
static void test_a_kit_beside_its_part(void **state)
{
	const struct world_line lines[] = {WANT("A-1", NULL, Q(2)), WANT("PACK", NULL, Q(1))};
	struct order_open *o;

	(void)state;
	start();
	stock_up("A", 4, 1, 0);
	o = world_order(&w, "shop", lines, 2, NULL);
	move(MOVE_SHIP, o->order_id, "PACK", "A", 1, NULL);
	assert_int_equal(o->lines[0].shipped, 0);
	assert_int_equal(o->lines[1].shipped, Q(1));
	move(MOVE_SHIP, o->order_id, "A-1", "A", 2, NULL);
	assert_int_equal(o->status, ORDER_SHIPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_the_warehouse_gets_kits_with_components),
	    TEST(test_a_split_kit_is_asked_for_by_components),
	    TEST(test_kits_are_shipped),
	    TEST(test_components_are_shipped),
	    TEST(test_a_kit_leaves_beside_its_components),
	    TEST(test_shipped_from_elsewhere),
	    TEST(test_a_kit_beside_its_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
