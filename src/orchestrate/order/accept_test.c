/* Substitutes and discontinued items. OLD is replaced by NEW, then by SET, a kit of 2 of PART. */
#include "orchestrate/order/book.h"
#include "orchestrate/world.h"

static struct world w;

static int set_up(void **state)
{
	(void)state;
	world_init(&w);
	w.channels[0].substitute = true;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

static void start(bool discontinued)
{
	world_start(&w);
	world_record(&w, "SET", "{\"sku\":\"SET\",\"components\":[{\"sku\":\"PART\",\"quantity\":\"2\"}]}");
	world_record(&w, "OLD",
		     discontinued ? "{\"sku\":\"OLD\",\"status\":\"discontinued\",\"substitutes\":[\"NEW\",\"SET\"]}"
				  : "{\"sku\":\"OLD\",\"substitutes\":[\"NEW\",\"SET\"]}");
}

static struct order_open *order(const char *sku, int n)
{
	struct order_open *o = world_order(&w, "shop", &(struct world_line)WANT(sku, NULL, Q(n)), 1, NULL);

	assert_non_null(o);
	return o;
}

/* What a system is told; "" if it is told nothing. */
static const char *told(const char *system, const char *operation)
{
	const struct store_write *d = world_delivery(&w, system, operation);

	return d ? arena_printf(&w.arena, STR_FMT, STR_ARG(d->values[9].bytes)) : "";
}

static void ship(struct str order_id, const char *sku, int n)
{
	struct world_line l = {.sku = sku, .location = "A", .quantity = Q(n), .line_id = "1"};
	struct err e = ERR_NONE;

	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_SHIP, .order_id = order_id}, &l, 1, &e),
			 RC_OK);
}

/* ---- substitutes ---- */

struct substitute_case {
	const char *name;
	int old, new, part; /* there is */
	bool taken;         /* the channel takes substitutes */
	const char *by;
	int allocated[3], backordered;
};

static const struct substitute_case cases[] = {
    {"there is enough", 5, 9, 0, true, NULL, {5, 0, 0}, 0},
    {"never a mixture", 3, 9, 0, true, "NEW", {0, 5, 0}, 0},
    {"the channel does not take them", 3, 9, 0, false, NULL, {3, 0, 0}, 2},
    {"there is too little of all", 3, 4, 9, true, NULL, {3, 0, 0}, 2},
    {"a kit", 3, 4, 10, true, "SET", {0, 0, 10}, 0},
};

static void check_case(const struct substitute_case *c, const struct order_open *o)
{
	static const char *const skus[] = {"OLD", "NEW", "PART"};
	const struct order_line_open *l = &o->lines[0];

	if (c->by ? !l->substitute || !str_is(l->substitute->sku, c->by) : l->substitute != NULL)
		fail_msg("%s: the substitute", c->name);
	if (l->backordered != Q(c->backordered) || !str_is(l->sku, "OLD"))
		fail_msg("%s: the line", c->name);
	for (size_t i = 0; i < COUNT(skus); i++)
		if (world_state(&w, skus[i], "A", STOCK_ALLOCATED) != Q(c->allocated[i]))
			fail_msg("%s: the allocation of %s", c->name, skus[i]);
}

static void test_substitutes(void **state)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct substitute_case *c = &cases[i];
		struct order_open *o;
		struct str id;

		if (i)
			set_up(state);
		w.channels[0].substitute = c->taken;
		start(false);
		world_move(&w, MOVE_ADJUST, "OLD", "A", Q(c->old));
		world_move(&w, MOVE_ADJUST, "NEW", "A", Q(c->new));
		if (c->part)
			world_move(&w, MOVE_ADJUST, "PART", "A", Q(c->part));
		o = order("OLD", 5);
		id = world_keep_id(o);
		check_case(c, o);
		world_commit(&w, SIZE_MAX);
		world_reload(&w);
		check_case(c, order_find(w.orders, id));
		if (i + 1 < COUNT(cases))
			tear_down(state);
	}
}

static void test_everybody_is_told(void **state)
{
	const char *changes = "\"changes\":[{\"line_id\":\"1\",\"sku\":\"OLD\",\"substitute\":\"NEW\"}]";
	struct order_open *o;

	(void)state;
	start(false);
	world_move(&w, MOVE_ADJUST, "NEW", "A", Q(5));
	o = order("OLD", 5);
	assert_int_equal(o->status, ORDER_RESERVED);
	assert_non_null(strstr(told("erp", "order.post"), changes));
	assert_non_null(strstr(told("shop", "order.status"), changes));
	order_step_accepted(w.orders, &w.txn, o, 1, STR("SO-1"));
	assert_non_null(strstr(told("wms", "shipment.request"),
			       "{\"line_id\":\"1\",\"sku\":\"NEW\",\"substitute_for\":\"OLD\",\"location\":\"A\","
			       "\"quantity\":\"5\"}"));
	ship(o->order_id, "NEW", 5);
	assert_int_equal(o->status, ORDER_SHIPPED);
	assert_int_equal(world_exceptions(&w, "over_shipped"), 0);
	assert_non_null(strstr(told("shop", "shipment"), "{\"line_id\":\"1\",\"sku\":\"OLD\",\"substitute\":\"NEW\","
							 "\"location\":\"A\",\"quantity\":\"5\"}"));
}

static void test_a_cancelled_one_is_free(void **state)
{
	struct order_open *o;
	struct err e = ERR_NONE;

	(void)state;
	start(false);
	world_move(&w, MOVE_ADJUST, "NEW", "A", Q(5));
	o = order("OLD", 5);
	assert_int_equal(order_step_cancel(w.orders, &w.txn, o, STR("no"), &e), RC_OK);
	assert_int_equal(world_state(&w, "NEW", "A", STOCK_FREE), Q(5));
}

/* ---- discontinued ---- */

struct over_case {
	const char *name;
	enum discontinued_rule rule;
	int there, status, allocated, backordered, cancelled;
	bool posted;
};

static const struct over_case over[] = {
    {"there is enough", DISCONTINUED_CANCEL, 5, ORDER_RESERVED, 5, 0, 0, true},
    {"what is left", DISCONTINUED_CANCEL, 3, ORDER_RESERVED, 3, 0, 2, true},
    {"nothing is left", DISCONTINUED_CANCEL, 0, ORDER_REJECTED, 0, 0, 5, false},
    {"a person decides", DISCONTINUED_HOLD, 3, ORDER_ON_HOLD, 3, 2, 0, false},
    {"it comes again after all", DISCONTINUED_BACKORDER, 3, ORDER_BACKORDERED, 3, 2, 0, true},
};

static void test_discontinued(void **state)
{
	for (size_t i = 0; i < COUNT(over); i++) {
		const struct over_case *c = &over[i];
		const struct order_open *o;
		const struct order_line_open *l;

		if (i)
			set_up(state);
		w.channels[0].discontinued = c->rule;
		start(true);
		if (c->there)
			world_move(&w, MOVE_ADJUST, "OLD", "A", Q(c->there));
		o = order("OLD", 5);
		l = &o->lines[0];
		if ((int)o->status != c->status || l->backordered != Q(c->backordered) ||
		    l->cancelled != Q(c->cancelled) || world_state(&w, "OLD", "A", STOCK_ALLOCATED) != Q(c->allocated))
			fail_msg("%s: %s", c->name, order_status_name(o->status));
		assert_int_equal(world_deliveries(&w, "order.post"), c->posted);
		assert_int_equal(world_exceptions(&w, "discontinued"),
				 c->rule != DISCONTINUED_BACKORDER && c->there < 5);
		if (c->cancelled && c->posted)
			assert_non_null(strstr(told("erp", "order.post"), "\"cancelled\":\"2\""));
		world_commit(&w, SIZE_MAX);
		if (i + 1 < COUNT(over))
			tear_down(state);
	}
}

static void test_a_person_lets_it_wait(void **state)
{
	struct order_open *o;
	struct err e = ERR_NONE;

	(void)state;
	w.channels[0].discontinued = DISCONTINUED_HOLD;
	start(true);
	o = order("OLD", 5);
	assert_int_equal(o->status, ORDER_ON_HOLD);
	assert_int_equal(order_step_unhold(w.orders, &w.txn, o, &e), RC_OK);
	assert_int_equal(o->status, ORDER_BACKORDERED);
	assert_int_equal(world_deliveries(&w, "order.post"), 1);
}

/* A kit is over with its component. */
static void test_a_discontinued_component(void **state)
{
	struct order_open *o;

	(void)state;
	start(false);
	world_record(&w, "PART", "{\"sku\":\"PART\",\"status\":\"discontinued\"}");
	world_move(&w, MOVE_ADJUST, "PART", "A", Q(5));
	o = order("SET", 3);
	assert_int_equal(o->status, ORDER_RESERVED);
	assert_int_equal(o->lines[0].cancelled, Q(1));
	assert_int_equal(world_state(&w, "PART", "A", STOCK_ALLOCATED), Q(4));
	ship(o->order_id, "SET", 2);
	assert_int_equal(o->status, ORDER_SHIPPED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_substitutes),  TEST(test_everybody_is_told),     TEST(test_a_cancelled_one_is_free),
	    TEST(test_discontinued), TEST(test_a_person_lets_it_wait), TEST(test_a_discontinued_component),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
