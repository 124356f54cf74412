/* ERP, warehouse and shop as a careful caller meets them, without sockets. */
#include "sandbox/kinds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct call {
	int status;
	bool hang_up;
	char body[65536];
};

static struct call last;

static const struct call *call(struct system *s, const char *method, const char *target, const char *key,
			       const char *body, int64_t now_ms)
{
	size_t path = strcspn(target, "?");
	struct system_request r = {.method = str_from(method),
				   .path = {target, path},
				   .query = str_from(target[path] ? target + path + 1 : ""),
				   .body = str_from(body),
				   .idempotency_key = str_from(key),
				   .correlation_id = STR("corr")};
	struct system_answer a = {0};
	buf_init(&a.body, SYSTEM_STATE_MAX);
	system_handle(s, &r, now_ms, &a);
	last = (struct call){.status = a.status, .hang_up = a.hang_up};
	(void)snprintf(last.body, sizeof(last.body), "%s", a.body.p ? a.body.p : "");
	buf_done(&a.body);
	return &last;
}

static const struct call *post(struct system *s, const char *path, const char *key, const char *body)
{
	return call(s, "POST", path, key, body, 1000);
}

static bool holds(struct system *s, const char *text)
{
	return strstr(call(s, "GET", "/_state", "", "", 1000)->body, text) != NULL;
}

#define ORDER(id)                                                                                                      \
	"{\"order_id\":\"" id "\",\"channel\":\"shop\",\"external_id\":\"1\",\"lines\":[{\"line_id\":\"1\",\"sku\":"   \
	"\"A\",\"quantity\":\"2\"}]}"
#define SHIPMENT(id, order, quantity)                                                                                  \
	"{\"shipment_id\":\"" id "\",\"order_id\":\"" order "\",\"shipped_at\":\"2026-01-01T00:00:00Z\",\"lines\":[{"  \
	"\"line_id\":\"1\",\"sku\":\"A\",\"location\":\"east\",\"quantity\":\"" quantity "\"}]}"

static void the_same_key_gets_the_same_answer(void **state)
{
	(void)state;
	struct system *s = sandbox_erp_new("erp", 1);
	assert_int_equal(post(s, "/orders", "k1", ORDER("o1"))->status, 201);
	assert_string_equal(last.body, "{\"external_id\":\"SO-000001\"}");
	assert_int_equal(post(s, "/orders", "k1", ORDER("o1"))->status, 201);
	assert_string_equal(last.body, "{\"external_id\":\"SO-000001\"}");
	assert_true(holds(s, "\"replayed\":1"));
	assert_true(holds(s, "\"problems\":{}"));
	assert_int_equal(post(s, "/orders", "k1", ORDER("o2"))->status, 422);
	assert_true(holds(s, "\"problems\":{\"idempotency_key_reused\":1}"));
	system_free(s);
}

static void an_order_under_two_keys_is_there_twice(void **state)
{
	(void)state;
	struct system *s = sandbox_erp_new("erp", 1);
	post(s, "/orders", "k1", ORDER("o1"));
	assert_int_equal(post(s, "/orders", "k2", ORDER("o1"))->status, 201);
	assert_string_equal(call(s, "GET", "/orders?order_id=o1", "", "", 1000)->body,
			    "{\"items\":[{\"external_id\":\"SO-000002\",\"order_id\":\"o1\"},"
			    "{\"external_id\":\"SO-000001\",\"order_id\":\"o1\"}]}");
	assert_true(holds(s, "\"problems\":{\"done_twice\":1}"));
	assert_string_equal(call(s, "GET", "/orders?order_id=o%32", "", "", 1000)->body, "{\"items\":[]}");
	system_free(s);
}

static void a_lost_answer_has_had_its_effect(void **state)
{
	(void)state;
	struct system *s = sandbox_erp_new("erp", 1);
	assert_int_equal(post(s, "/_behave", "", "{\"mode\":\"lose_answers\",\"every\":2}")->status, 200);
	assert_false(post(s, "/orders", "k1", ORDER("o1"))->hang_up);
	assert_true(post(s, "/orders", "k2", ORDER("o2"))->hang_up);
	assert_string_equal(call(s, "GET", "/orders?order_id=o2", "", "", 1000)->body,
			    "{\"items\":[{\"external_id\":\"SO-000002\",\"order_id\":\"o2\"}]}");
	assert_true(holds(s, "\"lost_answers\":1"));
	system_free(s);
}

static void a_refusal_is_not_remembered(void **state)
{
	(void)state;
	static const struct {
		const char *mode;
		int status;
	} cases[] = {{"{\"mode\":\"down\"}", 503},
		     {"{\"mode\":\"refuse\"}", 422},
		     {"{\"mode\":\"throttle\"}", 429},
		     {"{\"mode\":\"unauthorized\"}", 401}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct system *s = sandbox_erp_new("erp", 1);
		post(s, "/_behave", "", cases[i].mode);
		assert_int_equal(post(s, "/orders", "k1", ORDER("o1"))->status, cases[i].status);
		assert_true(holds(s, "\"orders\":[]"));
		post(s, "/_behave", "", "{\"mode\":\"ok\"}");
		assert_int_equal(post(s, "/orders", "k1", ORDER("o1"))->status, 201);
		system_free(s);
	}
}

static void a_careful_receiver_complains(void **state)
{
	static const struct {
		const char *path, *key, *body;
		int status;
		const char *problem;
	} cases[] = {
	    {"/orders", "", ORDER("o9"), 201, "no_idempotency_key"},
	    {"/orders", "k", "{", 400, "bad_body"},
	    {"/orders", "k", "[]", 400, "bad_body"},
	    {"/orders", "k", "{\"lines\":[]}", 422, "bad_body"},
	    {"/orders", "k", "{\"order_id\":\"o\",\"lines\":[]}", 422, "bad_body"},
	    {"/orders", "k", "{\"order_id\":\"o\",\"lines\":[{\"sku\":\"A\",\"quantity\":\"-1\"}]}", 422,
	     "bad_quantity"},
	    {"/orders", "k", "{\"order_id\":\"o\",\"lines\":[{\"sku\":\"A\",\"quantity\":1}]}", 422, "bad_quantity"},
	    {"/orders", "k",
	     "{\"order_id\":\"o\",\"lines\":[{\"line_id\":\"1\",\"sku\":\"A\",\"quantity\":\"1\"},{\"line_id\":\"1\","
	     "\"sku\":\"B\",\"quantity\":\"1\"}]}",
	     201, "bad_body"},
	    {"/orders/SO-9/cancel", "k", "{}", 404, "unknown_order"},
	    {"/shipments", "k", SHIPMENT("s1", "o9", "1"), 200, "unknown_order"},
	    {"/shipments", "k", SHIPMENT("s1", "o1", "3"), 200, "more_than_ordered"},
	    {"/stock-transactions", "k", "{}", 422, "bad_body"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char want[64];
		struct system *s = sandbox_erp_new("erp", 1);
		post(s, "/orders", "k1", ORDER("o1"));
		assert_int_equal(post(s, cases[i].path, cases[i].key, cases[i].body)->status, cases[i].status);
		(void)snprintf(want, sizeof(want), "\"problems\":{\"%s\":1}", cases[i].problem);
		assert_true(holds(s, want));
		system_free(s);
	}
}

static void an_erp_takes_what_follows_an_order(void **state)
{
	(void)state;
	struct system *s = sandbox_erp_new("erp", 1);
	post(s, "/orders", "k1", ORDER("o1"));
	assert_int_equal(post(s, "/shipments", "k2", SHIPMENT("s1", "o1", "2"))->status, 200);
	assert_int_equal(post(s, "/shipments", "k3", SHIPMENT("s1", "o1", "2"))->status, 200);
	assert_true(holds(s, "\"problems\":{\"done_twice\":1}"));
	assert_int_equal(post(s, "/orders/SO-000001/cancel", "k4", "{}")->status, 200);
	assert_true(holds(s, "\"cancelled\":true"));
	assert_int_equal(
	    post(s, "/stock-transactions", "k5", "{\"items\":[{\"movement_id\":\"m1\",\"lines\":[{},{}]}]}")->status,
	    200);
	assert_true(holds(s, "\"stock_transactions\":1,\"stock_transaction_lines\":2"));
	post(s, "/stock-transactions", "d1.1.7",
	     "{\"items\":[{\"movement_id\":\"m2\",\"delivery_id\":\"d1\",\"lines\":[{}]}]}");
	post(s, "/stock-transactions", "d1.2.8",
	     "{\"items\":[{\"movement_id\":\"m2\",\"delivery_id\":\"d1\",\"lines\":[{}]}]}");
	assert_true(holds(s, "\"stock_transactions\":2,\"stock_transaction_lines\":3"));
	assert_true(holds(s, "\"problems\":{\"done_twice\":1}"));
	post(s, "/stock-transactions", "k8",
	     "{\"items\":[{\"movement_id\":\"m2\",\"delivery_id\":\"d2\",\"lines\":[{}]}]}");
	assert_true(holds(s, "\"stock_transactions\":2,\"stock_transaction_lines\":3"));
	assert_true(holds(s, "\"problems\":{\"done_twice\":2}"));
	assert_int_equal(post(s, "/prices", "k6", "{}")->status, 200);
	assert_int_equal(post(s, "/shipment-requests", "k7", "{}")->status, 404);
	system_free(s);
}

#define NUMBER(available, version, more)                                                                               \
	"{\"channel\":\"shop\",\"items\":[{\"sku\":\"A\",\"available\":\"" available "\",\"version\":" version more    \
	"}]}"

static void a_shop_ignores_older_numbers(void **state)
{
	(void)state;
	struct system *s = sandbox_shop_new("shop", 1, false);
	qty_t shown = -1;
	assert_false(sandbox_shop_shown(s, STR("A"), &shown));
	assert_false(sandbox_shop_sell(s, STR("A"), QTY_ONE));
	post(s, "/availability", "k1", NUMBER("5", "2", ""));
	post(s, "/availability", "k2", NUMBER("9", "1", ""));
	post(s, "/availability", "k3", NUMBER("9", "2", ""));
	assert_true(sandbox_shop_shown(s, STR("A"), &shown));
	assert_int_equal(shown, 5 * QTY_ONE);
	assert_true(holds(s, "\"updates\":1,\"ignored\":2,\"stale\":0"));
	post(s, "/availability", "k4", NUMBER("4", "3", ",\"expected\":\"77\""));
	assert_true(sandbox_shop_sell(s, STR("A"), 4 * QTY_ONE));
	assert_false(sandbox_shop_sell(s, STR("A"), 5 * QTY_ONE));
	assert_true(holds(s, "\"sold_lines\":1,\"sold_out_lines\":2"));
	assert_int_equal(post(s, "/availability", "k5", "{\"channel\":\"portal\",\"items\":[]}")->status, 422);
	system_free(s);
}

static void a_shop_that_compares_refuses_what_it_did_not_expect(void **state)
{
	(void)state;
	struct system *s = sandbox_shop_new("shop", 1, true);
	qty_t shown;
	post(s, "/availability", "k1", NUMBER("5", "1", ",\"expected\":\"0\""));
	assert_true(sandbox_shop_sell(s, STR("A"), 2 * QTY_ONE));
	assert_string_equal(post(s, "/availability", "k2", NUMBER("5", "2", ",\"expected\":\"5\""))->body,
			    "{\"stale\":[{\"sku\":\"A\",\"available\":\"3\"}]}");
	assert_true(sandbox_shop_shown(s, STR("A"), &shown));
	assert_int_equal(shown, 3 * QTY_ONE);
	assert_string_equal(post(s, "/availability", "k3", NUMBER("2", "3", ",\"expected\":\"3\""))->body,
			    "{\"stale\":[]}");
	assert_true(sandbox_shop_shown(s, STR("A"), &shown));
	assert_int_equal(shown, 2 * QTY_ONE);
	system_free(s);
}

static void a_shop_notices_a_status_that_goes_back(void **state)
{
	(void)state;
	struct system *s = sandbox_shop_new("shop", 1, false);
	static const struct {
		const char *status, *since;
		bool back;
	} steps[] = {
	    {"reserved", "2026-01-01T00:00:00.000Z", false},
	    {"released", "2026-01-01T00:00:00.000Z", false},
	    {"shipped", "2026-01-01T00:00:02.000Z", false},
	    {"released", "2026-01-01T00:00:03.000Z", false}, /* what was backordered has arrived */
	    {"accepted", "2026-01-01T00:00:03.000Z", true},
	    {"shipped", "2026-01-01T00:00:01.000Z", true},
	};
	int backwards = 0;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		char key[8], body[256], want[64];
		(void)snprintf(key, sizeof(key), "k%zu", i + 10);
		(void)snprintf(body, sizeof(body), "{\"order_id\":\"o1\",\"status\":\"%s\",\"stage_since\":\"%s\"}",
			       steps[i].status, steps[i].since);
		assert_int_equal(post(s, "/order-status", key, body)->status, 200);
		backwards += steps[i].back;
		(void)snprintf(want, sizeof(want), backwards ? "\"out_of_order\":%d" : "\"problems\":{}", backwards);
		assert_true(holds(s, want));
	}
	assert_int_equal(post(s, "/order-status", "k4", "{\"status\":\"shipped\"}")->status, 422);
	assert_int_equal(post(s, "/shipments", "k5", SHIPMENT("s1", "o1", "1"))->status, 200);
	assert_true(holds(s, "\"shipment_id\":\"s1\""));
	system_free(s);
}

#define REQUEST(order, quantity)                                                                                       \
	"{\"order_id\":\"" order                                                                                       \
	"\",\"lines\":[{\"line_id\":\"1\",\"sku\":\"A\",\"location\":\"east\",\"quantity\":\"" quantity "\"}]}"

static void a_warehouse_ships_after_its_pick_time(void **state)
{
	(void)state;
	struct system *s = sandbox_warehouse_new("wms", 1, 300);
	sandbox_warehouse_stock(s, STR("A"), STR("east"), 5 * QTY_ONE);
	assert_int_equal(post(s, "/shipment-requests", "k1", REQUEST("o1", "2"))->status, 201);
	assert_string_equal(last.body, "{\"external_id\":\"WR-000001\"}");
	assert_string_equal(call(s, "GET", "/shipment-requests?order_id=o1", "", "", 1000)->body,
			    "{\"items\":[{\"external_id\":\"WR-000001\",\"order_id\":\"o1\"}]}");
	assert_null(system_take(s, 1299));
	assert_false(system_idle(s));
	struct system_message *m = system_take(s, 1300);
	assert_non_null(m);
	assert_string_equal(m->type, "shipment");
	static const char want[] =
	    "{\"shipment_id\":\"wms-SH-000001\",\"source\":\"wms\",\"order_id\":\"o1\",\"shipped_at\":"
	    "\"1970-01-01T00:00:01.300Z\",\"carrier\":\"sandbox-express\",\"tracking_numbers\":[\"TRK-wms-SH-"
	    "000001\"],\"lines\":[{\"line_id\":\"1\",\"sku\":\"A\",\"location\":\"east\",\"quantity\":\"2\"}]}";
	assert_true(str_is(m->body, want));
	system_message_done(m, 202, 1300);
	assert_true(system_idle(s));
	assert_true(holds(s, "\"on_hand\":\"3\""));
	assert_int_equal(sandbox_warehouse_short(s), 0);
	system_free(s);
}

static void a_warehouse_never_ships_what_is_not_there(void **state)
{
	(void)state;
	struct system *s = sandbox_warehouse_new("wms", 1, 0);
	sandbox_warehouse_stock(s, STR("A"), STR("east"), 5 * QTY_ONE);
	post(s, "/shipment-requests", "k1", REQUEST("o1", "7"));
	post(s, "/shipment-requests", "k2", REQUEST("o2", "1"));
	assert_int_equal(sandbox_warehouse_short(s), 3 * QTY_ONE);
	assert_true(holds(s, "\"problems\":{\"not_physically_there\":2}"));
	assert_true(holds(s, "\"on_hand\":\"0\""));
	struct system_message *m = system_take(s, 1000);
	assert_non_null(m);
	assert_non_null(memmem(m->body.p, m->body.n, "\"quantity\":\"5\"", 14));
	system_message_done(m, 202, 1000);
	assert_null(system_take(s, 1000));
	system_free(s);
}

static void counts_and_movements_go_out(void **state)
{
	(void)state;
	struct system *s = sandbox_warehouse_new("wms", 1, 0);
	sandbox_warehouse_stock(s, STR("A"), STR("east"), 5 * QTY_ONE);
	sandbox_warehouse_count(s, 1000);
	struct system_message *m = system_take(s, 1000);
	assert_string_equal(m->type, "stock-count");
	assert_true(str_is(m->body, "{\"source\":\"wms\",\"source_event_id\":\"count-1\",\"occurred_at\":"
				    "\"1970-01-01T00:00:01.000Z\",\"lines\":[{\"sku\":\"A\",\"location\":\"east\","
				    "\"quantity\":\"5\",\"uom\":\"EA\"}]}"));
	system_message_done(m, 202, 1000);
	const struct sandbox_movement_line lost = {STR("A"), STR("east"), -2 * QTY_ONE};
	sandbox_warehouse_move(s, "adjust", STR("540000"), STR("damaged"), &lost, 1, 2000);
	m = system_take(s, 2000);
	assert_string_equal(m->type, "stock-movement");
	assert_true(str_is(m->body,
			   "{\"source\":\"wms\",\"source_event_id\":\"540000\",\"occurred_at\":"
			   "\"1970-01-01T00:00:02.000Z\",\"type\":\"adjust\",\"reason\":\"damaged\",\"lines\":["
			   "{\"sku\":\"A\",\"location\":\"east\",\"quantity\":\"-2\",\"uom\":\"EA\"}]}"));
	system_message_done(m, 202, 2000);
	assert_true(holds(s, "\"on_hand\":\"3\""));
	system_free(s);
}

static void a_message_is_sent_until_it_is_taken(void **state)
{
	static const struct {
		int status;
		bool again;
	} cases[] = {{0, true},    {503, true},  {429, true},  {409, true},
		     {202, false}, {400, false}, {401, false}, {422, false}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct system *s = sandbox_warehouse_new("wms", 1, 0);
		sandbox_warehouse_stock(s, STR("A"), STR("east"), QTY_ONE);
		sandbox_warehouse_count(s, 0);
		system_message_done(system_take(s, 0), cases[i].status, 0);
		assert_null(system_take(s, 0));
		struct system_message *m = system_take(s, 50);
		assert_int_equal(m != NULL, cases[i].again);
		if (m)
			system_message_done(m, 202, 50);
		assert_true(system_idle(s));
		system_free(s);
	}
}

static void messages_are_doubled_and_reordered_on_request(void **state)
{
	(void)state;
	struct system *s = sandbox_warehouse_new("wms", 1, 0);
	static const struct sandbox_movement_line line = {{"A", 1}, {"east", 4}, QTY_ONE};
	post(s, "/_behave", "", "{\"mode\":\"duplicate\"}");
	sandbox_warehouse_move(s, "return", STR("m1"), STR_NONE, &line, 1, 0);
	for (int i = 0; i < 2; i++) {
		struct system_message *m = system_take(s, 0);
		assert_string_equal(m->key, "m1");
		system_message_done(m, 202, 0);
	}
	assert_null(system_take(s, 0));
	post(s, "/_behave", "", "{\"mode\":\"reorder\",\"every\":2}");
	static const char *const ids[] = {"m2", "m3", "m4"}, *const want[] = {"m2", "m4", "m3"};
	for (int i = 0; i < 3; i++)
		sandbox_warehouse_move(s, "return", str_from(ids[i]), STR_NONE, &line, 1, 0);
	for (int i = 0; i < 3; i++) {
		struct system_message *m = system_take(s, 0);
		assert_string_equal(m->key, want[i]);
		system_message_done(m, 202, 0);
	}
	system_free(s);
}

static void the_log_shows_each_request(void **state)
{
	(void)state;
	struct system *s = sandbox_erp_new("erp", 1);
	post(s, "/orders", "k1", ORDER("o1"));
	post(s, "/nothing", "", "{}");
	assert_string_equal(
	    call(s, "GET", "/_log", "", "", 1000)->body,
	    "{\"forgotten\":0,\"items\":[{\"at\":\"1970-01-01T00:00:01.000Z\",\"method\":\"POST\",\"path\":"
	    "\"/orders\",\"idempotency_key\":\"k1\",\"status\":201},{\"at\":\"1970-01-01T00:00:01.000Z\","
	    "\"method\":\"POST\",\"path\":\"/nothing\",\"status\":404}]}");
	assert_int_equal(post(s, "/_behave", "", "{\"mode\":\"strange\"}")->status, 400);
	assert_int_equal(call(s, "GET", "/_nothing", "", "", 1000)->status, 404);
	for (int i = 0; i < SYSTEM_LOG_MAX; i++)
		post(s, "/nothing", "", "");
	assert_non_null(strstr(call(s, "GET", "/_log", "", "", 1000)->body, "{\"forgotten\":2,"));
	system_free(s);
}

static void balances_are_read_in_pages(void **state)
{
	(void)state;
	struct system *s = sandbox_warehouse_new("wms", 1, 0);
	post(s, "/_stock", "",
	     "{\"items\":[{\"sku\":\"A\",\"location\":\"east\",\"on_hand\":\"5\"},{\"sku\":\"B\",\"location\":\"east\","
	     "\"on_hand\":\"7\"}]}");
	assert_string_equal(call(s, "GET", "/stock-balances?limit=1", "", "", 1000)->body,
			    "{\"as_of\":\"1970-01-01T00:00:01.000Z\",\"items\":[{\"sku\":\"A\",\"location\":\"east\","
			    "\"quantity\":\"5\",\"uom\":\"EA\"}],\"next_cursor\":\"1\"}");
	assert_non_null(
	    strstr(call(s, "GET", "/stock-balances?limit=1&cursor=1", "", "", 1000)->body,
		   "\"sku\":\"B\",\"location\":\"east\",\"quantity\":\"7\",\"uom\":\"EA\"}],\"next_cursor\":null"));
	assert_int_equal(post(s, "/_stock", "", "{\"items\":[{\"sku\":\"A\"}]}")->status, 422);
	assert_int_equal(post(s, "/_shown", "", "{}")->status, 404);
	system_free(s);
	s = sandbox_shop_new("shop", 1, false);
	post(s, "/availability", "k1",
	     "{\"channel\":\"shop\",\"items\":[{\"sku\":\"A\",\"available\":\"3\",\"version\":1}]}");
	post(s, "/_shown", "", "{\"items\":[{\"sku\":\"A\",\"available\":\"9\"}]}");
	assert_non_null(strstr(call(s, "GET", "/availability", "", "", 1000)->body,
			       "\"items\":[{\"sku\":\"A\",\"available\":\"9\"}],\"next_cursor\":null"));
	assert_int_equal(post(s, "/_shown", "", "{\"items\":[{\"sku\":\"X\",\"available\":\"9\"}]}")->status, 422);
	system_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_key_gets_the_same_answer),
	    cmocka_unit_test(an_order_under_two_keys_is_there_twice),
	    cmocka_unit_test(a_lost_answer_has_had_its_effect),
	    cmocka_unit_test(a_refusal_is_not_remembered),
	    cmocka_unit_test(a_careful_receiver_complains),
	    cmocka_unit_test(an_erp_takes_what_follows_an_order),
	    cmocka_unit_test(a_shop_ignores_older_numbers),
	    cmocka_unit_test(a_shop_that_compares_refuses_what_it_did_not_expect),
	    cmocka_unit_test(a_shop_notices_a_status_that_goes_back),
	    cmocka_unit_test(a_warehouse_ships_after_its_pick_time),
	    cmocka_unit_test(a_warehouse_never_ships_what_is_not_there),
	    cmocka_unit_test(counts_and_movements_go_out),
	    cmocka_unit_test(a_message_is_sent_until_it_is_taken),
	    cmocka_unit_test(messages_are_doubled_and_reordered_on_request),
	    cmocka_unit_test(the_log_shows_each_request),
	    cmocka_unit_test(balances_are_read_in_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
