/* What the API lists and shows, asked of a hub. */
#include "hub/query_world.h"

static void test_an_order(void **state)
{
	(void)state;
	const struct two_orders o = open_with_orders();
	const struct json *j = ASK(query_order, str_from(o.first));
	check(j, "order_id", o.first);
	check(j, "status", "backordered");
	check(j, "correlation_id", "c-test");
	check(j, "notes/0/text", "ring twice");
	check(j, "lines/0/status", "reserved");
	check(j, "lines/0/quantity", "6");
	check(j, "lines/0/unit_price", "2.55");
	check(j, "lines/0/allocations/0/location", "east");
	check(j, "lines/1/status", "backordered");
	check(j, "lines/1/reserved", "5");
	check(j, "lines/1/backordered", "4");
	check(j, "lines/1/allocations/0/lot", "L1");
	REFUSED(RC_NOT_FOUND, "order_not_found", query_order, STR("nobody"));
}

static void test_lists_of_orders(void **state)
{
	const struct query_page page = {.limit = 10}, one = {.limit = 1};
	(void)state;
	const struct two_orders o = open_with_orders();
	const struct json *j = ASK(query_orders, &(struct query_orders){0}, &one);
	check(j, "items/0/order_id", o.second);
	assert_int_equal(json_get(j, "items")->count, 1);
	struct query_page next = {1, str_from(world_at(j, "next_cursor"))};
	j = ASK(query_orders, &(struct query_orders){0}, &next);
	check(j, "items/0/order_id", o.first);
	assert_int_equal(json_get(j, "next_cursor")->type, JSON_NULL);

	const struct {
		struct query_orders filter;
		const char *found;
	} cases[] = {
	    {{.status = STR("backordered")}, o.first},
	    {{.status = STR("reserved")}, o.second},
	    {{.channel = STR("shop"), .external_id = STR("1001")}, o.first},
	    {{.external_id = STR("1002")}, o.second},
	    {{.placed_after = 1772409600000}, o.second}, /* 2026-03-02T00:00:00Z */
	    {{.channel = STR("portal")}, NULL},
	    {{.channel = STR("shop"), .external_id = STR("9")}, NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		j = ASK(query_orders, &cases[i].filter, &page);
		assert_int_equal(json_get(j, "items")->count, cases[i].found ? 1 : 0);
		if (cases[i].found)
			check(j, "items/0/order_id", cases[i].found);
	}
	REFUSED(RC_INVALID, "unknown_status", query_orders, &(struct query_orders){.status = STR("odd")}, &page);
	REFUSED(RC_INVALID, "bad_cursor", query_orders, &(struct query_orders){0}, &(struct query_page){1, STR("x1")});
}

static void test_stock(void **state)
{
	const struct query_page page = {.limit = 10}, one = {.limit = 1};
	const struct str skus[] = {STR("A"), STR("B"), STR("none")};
	(void)state;
	const struct two_orders o = open_with_orders();
	const struct json *j = ASK(query_stock, STR("A"));
	check(j, "on_hand", "10");
	check(j, "totals/free", "1");
	check(j, "totals/held", "2");
	check(j, "positions/0/location", "east");
	check(j, "positions/0/states/allocated", "7");
	j = ASK(query_availability, STR("shop"), skus, 3);
	check(j, "items/0/available", "0"); /* half of 1, to whole units, less 1 */
	check(j, "items/0/locations/east", "1");
	check(j, "items/1/sku", "B");
	check(j, "items/2/available", "0");
	j = ASK(query_movements, STR("A"), &page);
	assert_int_equal(json_get(j, "items")->count, 4);
	check(j, "items/0/entries/0/to", "held");
	check(j, "items/3/type", "receive");
	check(j, "items/3/entries/0/quantity", "10");
	assert_int_equal(json_get(&json_get(j, "items")->items[3], "entries")->count, 1);
	j = ASK(query_movements, STR("B"), &one);
	struct query_page next = {10, str_from(world_at(j, "next_cursor"))};
	j = ASK(query_movements, STR("B"), &next);
	assert_int_equal(json_get(j, "items")->count, 1);
	check(j, "items/0/type", "receive");
	j = ASK(query_reservation, str_from(o.hold));
	check(j, "status", "held");
	check(j, "lines/0/quantity", "2");
	REFUSED(RC_NOT_FOUND, "item_not_found", query_stock, STR("none"));
	REFUSED(RC_NOT_FOUND, "unknown_channel", query_availability, STR("erp"), skus, 1);
	REFUSED(RC_NOT_FOUND, "reservation_not_found", query_reservation, STR("none"));
}

static const struct json *ask_events(int64_t after, const struct str *types, size_t count, uint32_t limit,
				     int64_t *last)
{
	struct query q = {world.hub, world.reader, &world.arena};
	struct err e = ERR_NONE;

	buf_reset(&world.out);
	return world_answer(query_events(&q, after, types, count, limit, &world.out, last, &e), &e);
}

static void test_events(void **state)
{
	const struct str captured[] = {STR("order.captured")}, orders[] = {STR("order.*")};
	int64_t last;
	(void)state;
	const struct two_orders o = open_with_orders();
	const struct json *j = ask_events(0, NULL, 0, 2, &last);
	assert_int_equal(json_get(j, "items")->count, 2);
	assert_int_equal(last, 2);
	check(j, "next_cursor", "2");
	check(j, "items/0/specversion", "1.0");
	check(j, "items/0/position", "1");
	check(j, "items/0/type", "stock.moved");
	check(j, "items/0/source", "/crossdock/acme/shop");
	check(j, "items/0/correlationid", "c-test");
	j = ask_events(0, captured, 1, 100, &last);
	assert_int_equal(json_get(j, "items")->count, 2);
	assert_int_equal(json_get(j, "next_cursor")->type, JSON_NULL);
	assert_int_equal(last, hub_position(world.hub));
	check(j, "items/0/subject", o.first);
	check(j, "items/0/data/document/notes/0/text", "ring twice");
	j = ask_events(0, captured, 1, 1, &last);
	j = ask_events(last, captured, 1, 1, &last);
	check(j, "items/0/subject", o.second);
	j = ask_events(0, orders, 1, 100, &last);
	assert_int_equal(json_get(j, "items")->count, 4);
	j = ask_events(hub_position(world.hub), NULL, 0, 100, &last);
	assert_int_equal(json_get(j, "items")->count, 0);
}

static void test_traces(void **state)
{
	(void)state;
	const struct two_orders o = open_with_orders();
	const struct json *j = ASK(query_trace, STR("c-test"));
	const struct json *entries = json_get(j, "entries");
	bool delivery = false, exception = false;
	struct str before = STR_NONE;

	check(j, "entries/0/kind", "message");
	for (uint32_t i = 0; i < entries->count; i++) {
		const struct json *entry = &entries->items[i];
		struct str when = json_get_text(entry, "at");
		assert_true(!before.n || memcmp(before.p, when.p, when.n) <= 0);
		before = when;
		assert_true(json_get_text(entry, "summary").n > 0);
		delivery |= str_is(json_get_text(entry, "summary"), "Order to erp: waiting");
		exception |= str_is(json_get_text(entry, "kind"), "exception");
	}
	assert_true(delivery);
	assert_true(exception);
	j = ASK(query_timeline, str_from(o.first));
	check(j, "status", "backordered");
	REFUSED(RC_NOT_FOUND, "trace_not_found", query_trace, STR("none"));
	REFUSED(RC_NOT_FOUND, "order_not_found", query_timeline, STR("none"));
}

static void write_index(void *ctx, const struct hub *h, const struct config_system *s, int64_t oldest_age_ms,
			struct json_writer *w)
{
	(void)oldest_age_ms;
	assert_ptr_equal(ctx, &world);
	assert_ptr_equal(h, world.hub);
	jw_key_int(w, "index", s->index);
}

static void test_operating(void **state)
{
	const struct query_page page = {.limit = 100};
	const struct query_live live = {write_index, &world};
	(void)state;
	const struct two_orders o = open_with_orders();
	const struct json *j = ASK(query_systems, &live);
	check(j, "items/0/id", "shop");
	check(j, "items/0/index", "0");
	check(j, "items/1/index", "1");
	check(j, "items/0/url", "http://127.0.0.1:1"); /* a path may hold a secret */
	j = ASK(query_system, STR("erp"), NULL);
	check(j, "roles/0", "erp");
	check(j, "backlog", "3");
	check(j, "outcomes/delivered", "0");
	check(j, "lag/count", "0");
	assert_non_null(json_get(j, "oldest_age_ms"));
	assert_null(json_get(j, "index"));
	j = ASK(query_deliveries, STR("erp"), STR("waiting"), &page);
	assert_true(json_get(j, "items")->count > 0);
	check(j, "items/0/operation", "order.post");
	struct str delivery = str_from(world_at(j, "items/0/delivery_id"));
	j = ASK(query_delivery, delivery);
	check(j, "order_id", o.second);
	check(j, "document/external_id", "1002");
	assert_int_equal(json_get(j, "attempts")->count, 0);
	j = ASK(query_deliveries, STR("erp"), STR("delivered"), &page);
	assert_int_equal(json_get(j, "items")->count, 0);
	j = ASK(query_exceptions, &page);
	check(j, "items/0/order_id", o.first);
	check(j, "items/0/status", "open");
	j = ASK(query_dead_letters, &(struct query_dead_letters){.system = STR_NONE}, &page);
	assert_int_equal(json_get(j, "items")->count, 0);
	j = ASK(query_overview);
	check(j, "orders/backordered", "1");
	check(j, "orders_total", "2");
	check(j, "exceptions_open", "1");
	REFUSED(RC_NOT_FOUND, "system_not_found", query_system, STR("none"), NULL);
	REFUSED(RC_NOT_FOUND, "delivery_not_found", query_delivery, STR("none"));
	REFUSED(RC_NOT_FOUND, "dead_letter_not_found", query_dead_letter, STR("none"));
	REFUSED(RC_INVALID, "unknown_status", query_deliveries, STR_NONE, STR("odd"), &page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    QUERY_TEST(test_an_order), QUERY_TEST(test_lists_of_orders), QUERY_TEST(test_stock),
	    QUERY_TEST(test_events),   QUERY_TEST(test_traces),          QUERY_TEST(test_operating),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
