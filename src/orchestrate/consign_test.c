/* Stock that others have consigned: who sells it, in which order it is taken, and who is told whose it was. */
#include "orchestrate/world.h"

static struct world w;

static void start(void)
{
	world_init(&w);
	world_consign(&w);
	world_start(&w);
}

static void receive(const char *sku, const char *location, const char *owner, int units)
{
	struct world_line line = {.sku = sku, .location = location, .owner = owner, .quantity = Q(units)};
	struct err e = ERR_NONE;

	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_RECEIVE}, &line, 1, &e), RC_OK);
}

static struct order_open *order(const char *channel, const char *sku, int units)
{
	return world_order(&w, channel, &(struct world_line)WANT(sku, NULL, Q(units)), 1, NULL);
}

static void ship(struct order_open *o, const char *sku, const char *owner, int units)
{
	struct world_line line = {.sku = sku, .location = "A", .owner = owner, .quantity = Q(units)};
	struct err e = ERR_NONE;

	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_SHIP, .order_id = o->order_id}, &line, 1, &e),
			 RC_OK);
}

static qty_t available(const char *sku, int channel)
{
	return stock_available(w.stock, stock_find(w.stock, str_from(sku)), &w.channels[channel]);
}

/* The data of the last event of a type has this in it. */
static bool event_says(const char *type, const char *text)
{
	const struct store_write *last = NULL;

	for (const struct store_write *r = w.txn.batch.first; r; r = r->next)
		if (r->statement == W_EVENT && str_is(r->values[3].bytes, type))
			last = r;
	assert_non_null(last);
	return memmem(last->values[8].bytes.p, last->values[8].bytes.n, text, strlen(text)) != NULL;
}

static bool request_says(const char *text)
{
	const struct store_write *d = world_delivery(&w, "wms", "shipment.request");

	assert_non_null(d);
	return memmem(d->values[9].bytes.p, d->values[9].bytes.n, text, strlen(text)) != NULL;
}

static void check(const char *owner, enum stock_state s, int units)
{
	assert_int_equal(world_state_of(&w, owner, "W", 0, s), Q(units));
}

/* ---- who sells it ---- */

static void test_sold_by_policy(void **state)
{
	(void)state;
	start();
	receive("W", "B", NULL, 1);
	receive("W", "B", "acme", 2);
	receive("W", "B", "globex", 4);
	receive("W", "B", "somebody", 8);
	assert_int_equal(available("W", 0), Q(7));
	assert_int_equal(available("W", 1), Q(3));
	world_done(&w);
	world_init(&w);
	world_start(&w);
	receive("W", "B", NULL, 1);
	receive("W", "B", "acme", 2);
	assert_int_equal(available("W", 0), Q(1));
	assert_int_equal(order("shop", "W", 2)->lines[0].backordered, Q(1));
	world_done(&w);
}

static struct stock_offer offer(qty_t *at)
{
	struct ats_policy policy;
	static const qty_t safety[WORLD_LOCATIONS];
	struct stock_offer out = {.by_location = at};

	ats_policy_init(&policy, &w.tenant, &w.channels[0]);
	assert_int_equal(stock_view_offer(w.view, STR("W"), &w.channels[0], &policy,
					  &(struct ats_now){.now = w.now, .safety = safety}, &out),
			 RC_OK);
	return out;
}

static void test_view_and_publication(void **state)
{
	const struct store_write *told;
	qty_t at[2];

	(void)state;
	start();
	receive("W", "B", "acme", 2);
	receive("W", "A", "globex", 3);
	world_finish(&w, 100);
	told = world_delivery(&w, "shop", "availability");
	assert_non_null(told);
	assert_non_null(memmem(told->values[9].bytes.p, told->values[9].bytes.n, "\"5\"", 3));
	told = world_delivery(&w, "market", "availability");
	assert_non_null(memmem(told->values[9].bytes.p, told->values[9].bytes.n, "\"2\"", 3));
	world_committed(&w);
	assert_int_equal(offer(at).available, Q(5));
	assert_int_equal(at[0], Q(3));
	assert_int_equal(at[1], Q(2));
	world_done(&w);
}

static void coming(enum movement_type type, const char *owner, int units, int64_t expected_at)
{
	const struct world_fact fact = {.type = type, .purchase_order_id = "P", .expected_at = expected_at};
	const struct world_line line = {.sku = "W", .location = "B", .owner = owner, .quantity = Q(units)};
	struct err e = ERR_NONE;

	assert_int_equal(world_apply(&w, fact, &line, 1, &e), RC_OK);
}

/* What is on its way counts for who sells the owner's, as ours does: by its own dates, and as it comes. */
static void test_on_its_way(void **state)
{
	(void)state;
	world_init(&w);
	world_consign(&w);
	for (int c = 0; c < 2; c++) {
		w.channels[c].inbound_cap = QTY_MAX;
		w.channels[c].inbound_horizon_ms = 1000;
	}
	world_start(&w);
	coming(MOVE_ORDER_IN, "acme", 2, w.now + 500);
	coming(MOVE_ANNOUNCE, "acme", 2, 0); /* the order's date holds */
	coming(MOVE_ANNOUNCE, "globex", 4, w.now + 500);
	coming(MOVE_ANNOUNCE, "somebody", 8, w.now + 500);
	coming(MOVE_ANNOUNCE, NULL, 16, w.now + 500);
	coming(MOVE_ANNOUNCE, "acme", 32, w.now + 5000);
	for (int loaded = 0; loaded < 2; loaded++) {
		assert_int_equal(available("W", 0), Q(2 + 4 + 16));
		assert_int_equal(available("W", 1), Q(2 + 16));
		world_finish(&w, 100);
		world_committed(&w);
		assert_int_equal(offer((qty_t[2]){0}).available, Q(2 + 4 + 16));
		world_reload(&w);
	}
	/* Of what has come nothing is expected any more, and of what others have on the way none of it. */
	coming(MOVE_RECEIVE, "globex", 4, 0);
	coming(MOVE_ANNOUNCE, "globex", 64, 0);
	assert_int_equal(available("W", 0), Q(2 + 4 + 16));
	assert_int_equal(available("W", 1), Q(2 + 16));
	coming(MOVE_RECEIVE, "acme", 2, 0);
	assert_int_equal(available("W", 1), Q(2 + 16));
	w.now = w.txn.now = w.now + 4000;
	world_finish(&w, 100);
	assert_int_equal(available("W", 1), Q(2 + 16 + 32));
	world_done(&w);
}

/* ---- the order of taking ---- */

static void test_ours_first_then_by_owner(void **state)
{
	struct order_open *o;

	(void)state;
	start();
	receive("W", "A", "acme", 2);
	receive("W", "A", "globex", 2);
	receive("W", "A", "somebody", 9);
	receive("W", "A", NULL, 2);
	o = order("shop", "W", 5);
	assert_int_equal(o->lines[0].backordered, 0);
	check(NULL, STOCK_ALLOCATED, 2);
	check("globex", STOCK_ALLOCATED, 2);
	check("acme", STOCK_ALLOCATED, 1);
	check("somebody", STOCK_FREE, 9);
	o = order("shop", "W", 3);
	assert_int_equal(o->lines[0].backordered, Q(2));
	check("acme", STOCK_ALLOCATED, 2);
	/* What comes of an owner's stock goes to who waits, where the channel sells it. */
	receive("W", "A", "somebody", 1);
	assert_int_equal(o->lines[0].backordered, Q(2));
	receive("W", "A", "globex", 1);
	assert_int_equal(o->lines[0].backordered, Q(1));
	world_done(&w);
}

static void test_hold(void **state)
{
	struct hold *h;
	struct str shortage;
	struct order_open *o;

	(void)state;
	start();
	receive("W", "A", NULL, 1);
	receive("W", "A", "globex", 2);
	assert_int_equal(world_hold(&w, "H", "shop", &(struct world_line)WANT("W", NULL, Q(3)), 1, &h, &shortage),
			 RC_OK);
	check(NULL, STOCK_HELD, 1);
	check("globex", STOCK_HELD, 2);
	assert_true(event_says("reservation.held", "\"owner\":\"globex\""));
	world_commit(&w, 100);
	world_reload(&w);
	h = hold_find(w.holds, STR("H"));
	assert_non_null(h);
	assert_int_equal(h->line_count, 2);
	o = world_order(&w, "shop", &(struct world_line)WANT("W", NULL, Q(2)), 1, h);
	assert_int_equal(o->lines[0].backordered, 0);
	check(NULL, STOCK_ALLOCATED, 1);
	check("globex", STOCK_ALLOCATED, 1);
	check("globex", STOCK_FREE, 1);
	assert_int_equal(world_hold(&w, "I", "shop", &(struct world_line)WANT("W", NULL, Q(2)), 1, &h, &shortage),
			 RC_CONFLICT);
	world_done(&w);
}

static void test_lots_of_one_owner(void **state)
{
	struct order_open *o;
	struct err e = ERR_NONE;
	const struct world_line lines[] = {
	    {.sku = "W", .location = "A", .owner = "globex", .lot = "L1", .quantity = Q(2)},
	    {.sku = "W", .location = "A", .owner = "globex", .lot = "L2", .quantity = Q(2)},
	};

	(void)state;
	start();
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_RECEIVE}, lines, 2, &e), RC_OK);
	o = order("shop", "W", 3);
	assert_int_equal(o->lines[0].allocation_count, 2);
	assert_true(str_is(o->lines[0].allocations[0].place->position.lot, "L1"));
	assert_true(str_is(o->lines[0].allocations[1].place->position.lot, "L2"));
	world_commit(&w, 100);
	world_reload(&w);
	o = order_find(w.orders, ((struct order_open *)map_next(&w.orders->orders, &(size_t){0}, NULL))->order_id);
	assert_int_equal(o->lines[0].allocation_count, 2);
	assert_int_equal(o->lines[0].allocations[0].allocated, Q(2));
	assert_int_equal(o->lines[0].allocations[1].allocated, Q(1));
	world_done(&w);
}

/* K is of two W and a V. */
static void start_with_a_kit(void)
{
	static const char record[] =
	    "{\"sku\":\"K\",\"components\":[{\"sku\":\"W\",\"quantity\":\"2\"},{\"sku\":\"V\",\"quantity\":\"1\"}]}";
	struct err e = ERR_NONE;

	start();
	assert_non_null(stock_item_make(w.stock, NULL, STR("K"), STR_NONE));
	assert_int_equal(item_load(w.stock, STR("K"), STR_NONE, str_from(record), true, &e), RC_OK);
}

static void test_kit(void **state)
{
	struct order_open *o;

	(void)state;
	start_with_a_kit();
	receive("W", "A", NULL, 3);
	receive("W", "A", "acme", 1);
	receive("V", "A", "globex", 5);
	assert_int_equal(available("K", 0), Q(2));
	o = order("shop", "K", 3);
	assert_int_equal(o->lines[0].backordered, Q(1));
	check(NULL, STOCK_ALLOCATED, 3);
	check("acme", STOCK_ALLOCATED, 1);
	assert_int_equal(world_state_of(&w, "globex", "V", 0, STOCK_ALLOCATED), Q(2));
	ship(o, "K", NULL, 2);
	assert_true(event_says("shipment.created", "\"owner\":\"acme\""));
	assert_true(event_says("shipment.created", "\"owner\":\"globex\""));
	assert_int_equal(o->lines[0].shipped, Q(2));
	check("acme", STOCK_ALLOCATED, 0);
	check("acme", STOCK_FREE, 0);
	world_done(&w);
}

/* The ERP hears of a component with the kit that it makes whole, and so of whose it was. */
static void test_component_of_an_owner(void **state)
{
	struct order_open *o;

	(void)state;
	start_with_a_kit();
	receive("W", "A", "acme", 2);
	receive("V", "A", "globex", 1);
	o = order("shop", "K", 1);
	ship(o, "W", NULL, 2);
	assert_true(event_says("stock.moved", "\"owner\":\"acme\",\"from\":\"allocated\""));
	assert_false(event_says("shipment.created", "\"consigned\""));
	world_commit(&w, 100);
	world_reload(&w);
	o = map_next(&w.orders->orders, &(size_t){0}, NULL);
	assert_non_null(o);
	ship(o, "V", NULL, 1);
	assert_true(event_says("shipment.created",
			       "\"consigned\":[{\"sku\":\"W\",\"location\":\"A\",\"owner\":\"acme\",\"from\":"
			       "\"allocated\",\"to\":\"outside\",\"quantity\":\"2\"},{\"sku\":\"V\""));
	world_done(&w);
}

/* ---- what leaves ---- */

static void test_shipment_names_the_owner(void **state)
{
	struct order_open *o;

	(void)state;
	start();
	receive("W", "A", NULL, 1);
	receive("W", "A", "globex", 2);
	o = order("shop", "W", 3);
	order_step_accepted(w.orders, &w.txn, o, 1, STR("E1"));
	assert_true(request_says("\"owner\":\"globex\""));
	ship(o, "W", NULL, 3);
	assert_true(event_says("shipment.created",
			       "\"consigned\":[{\"sku\":\"W\",\"location\":\"A\",\"owner\":\"globex\","
			       "\"from\":\"allocated\",\"to\":\"outside\",\"quantity\":\"2\"}]"));
	assert_true(event_says("stock.moved", "\"owner\":\"globex\",\"from\":\"allocated\""));
	assert_int_equal(o->status, ORDER_SHIPPED);
	check("globex", STOCK_ALLOCATED, 0);
	check(NULL, STOCK_FREE, 0);
	assert_int_equal(world_exceptions(&w, "stock_negative"), 0);
	world_done(&w);
}

/* The warehouse took other stock than what was set aside: what it says counts. */
static void test_shipment_of_another_owner(void **state)
{
	struct order_open *o;

	(void)state;
	start();
	receive("W", "A", NULL, 2);
	receive("W", "A", "globex", 2);
	o = order("shop", "W", 2);
	check(NULL, STOCK_ALLOCATED, 2);
	ship(o, "W", "globex", 2);
	assert_int_equal(o->status, ORDER_SHIPPED);
	check(NULL, STOCK_FREE, 2);
	check("globex", STOCK_FREE, 0);
	assert_true(event_says("shipment.created", "\"from\":\"free\",\"to\":\"outside\",\"quantity\":\"2\""));
	world_done(&w);
}

static void test_given_back(void **state)
{
	struct order_open *o;
	struct err e = ERR_NONE;

	(void)state;
	start();
	receive("W", "A", "globex", 2);
	o = order("shop", "W", 2);
	check("globex", STOCK_ALLOCATED, 2);
	assert_int_equal(order_step_cancel(w.orders, &w.txn, o, STR_NONE, &e), RC_OK);
	check("globex", STOCK_FREE, 2);
	check(NULL, STOCK_FREE, 0);
	world_done(&w);
}

/* ---- with the other policies ---- */

static void test_ring_fence_is_of_ours(void **state)
{
	struct order_open *o;

	(void)state;
	start();
	receive("W", "B", NULL, 3);
	receive("W", "B", "acme", 3);
	fence_set(w.stock, stock_find(w.stock, STR("W")), 1, 1, Q(2));
	assert_int_equal(available("W", 0), Q(4));
	assert_int_equal(available("W", 1), Q(6));
	o = order("shop", "W", 3);
	assert_int_equal(o->lines[0].backordered, 0);
	assert_int_equal(world_state_of(&w, NULL, "W", 1, STOCK_FREE), Q(2));
	assert_int_equal(world_state_of(&w, "acme", "W", 1, STOCK_FREE), Q(1));
	o = order("market", "W", 3);
	assert_int_equal(o->lines[0].backordered, 0);
	assert_int_equal(w.stock->list[0]->terms->fences[0].used, Q(2));
	world_done(&w);
}

/* More of ours has left than the books had: that may have been the owner's. */
static void test_what_ours_owes(void **state)
{
	(void)state;
	start();
	receive("W", "A", "globex", 3);
	world_move(&w, MOVE_ADJUST, "W", "A", Q(-2));
	assert_int_equal(available("W", 0), Q(1));
	assert_int_equal(order("shop", "W", 3)->lines[0].backordered, Q(2));
	check("globex", STOCK_ALLOCATED, 1);
	world_done(&w);
}

static void test_strict_and_quota(void **state)
{
	struct hold *h;
	struct str shortage;

	(void)state;
	world_init(&w);
	world_consign(&w);
	w.channels[0].strict = true;
	w.channels[0].buffer = Q(1);
	world_start(&w);
	receive("W", "A", NULL, 2);
	receive("W", "A", "globex", 2);
	assert_int_equal(world_hold(&w, "H", "shop", &(struct world_line)WANT("W", NULL, Q(4)), 1, &h, &shortage),
			 RC_CONFLICT);
	assert_int_equal(world_hold(&w, "H", "shop", &(struct world_line)WANT("W", NULL, Q(3)), 1, &h, &shortage),
			 RC_OK);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sold_by_policy),
	    cmocka_unit_test(test_view_and_publication),
	    cmocka_unit_test(test_on_its_way),
	    cmocka_unit_test(test_ours_first_then_by_owner),
	    cmocka_unit_test(test_hold),
	    cmocka_unit_test(test_lots_of_one_owner),
	    cmocka_unit_test(test_kit),
	    cmocka_unit_test(test_component_of_an_owner),
	    cmocka_unit_test(test_shipment_names_the_owner),
	    cmocka_unit_test(test_shipment_of_another_owner),
	    cmocka_unit_test(test_given_back),
	    cmocka_unit_test(test_ring_fence_is_of_ours),
	    cmocka_unit_test(test_what_ours_owes),
	    cmocka_unit_test(test_strict_and_quota),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
