/* The API over a real node and a real store: what is taken, what is refused and in which words. */
#include "edge/test_world.h"

static void refuses_in_precise_words(void **state)
{
	(void)state;
	static const struct {
		const char *line, *headers, *body;
		int status;
		const char *code, *pointer; /* pointer: of the first error, or NULL */
		const char *header;         /* in the answer, or NULL */
	} rows[] = {
	    {"GET /v1/orders", "", NULL, 401, "unauthorized", NULL, "WWW-Authenticate: Bearer"},
	    {"GET /v1/orders", "Authorization: Basic abc\r\n", NULL, 401, "unauthorized", NULL, NULL},
	    {"GET /v1/orders", "Authorization: Bearer cd_acme_short\r\n", NULL, 401, "unauthorized", NULL, NULL},
	    {"GET /v1/orders", UNKNOWN, NULL, 401, "unauthorized", NULL, NULL},
	    {"GET /v1/orders", REVOKED, NULL, 401, "key_revoked", NULL, NULL},
	    {"POST /v1/orders", READER, "{}", 403, "insufficient_scope", NULL, NULL},
	    {"GET /v1/nothing", ADMIN, NULL, 404, "unknown_route", NULL, NULL},
	    {"GET /v1/orders/", ADMIN, NULL, 404, "unknown_route", NULL, NULL},
	    {"GET /v1/orders/no-such", ADMIN, NULL, 404, NULL, NULL, NULL},
	    {"PATCH /v1/orders", ADMIN, NULL, 405, "method_not_allowed", NULL, "Allow: POST, GET"},
	    {"GET /v1/orders/%ff", ADMIN, NULL, 400, "bad_encoding", NULL, NULL},
	    {"GET /v1/orders/%0", ADMIN, NULL, 400, "bad_target", NULL, "Correlation-Id: "},
	    {"GET /v1/orders?limit=0", ADMIN, NULL, 400, "bad_parameter", NULL, NULL},
	    {"GET /v1/orders?limit=1&limit=2", ADMIN, NULL, 400, "bad_parameter", NULL, NULL},
	    {"GET /v1/orders?color=red", ADMIN, NULL, 400, "unknown_parameter", NULL, NULL},
	    {"GET /v1/orders/x?color=red", ADMIN, NULL, 400, "unknown_parameter", NULL, NULL},
	    {"POST /v1/orders?dry=1", ADMIN, ORDER("1", "shop", "1"), 400, "unknown_parameter", NULL, NULL},
	    {"GET /v1/orders?placed_after=soon", ADMIN, NULL, 400, "bad_parameter", NULL, NULL},
	    {"GET /v1/orders?cursor=!", ADMIN, NULL, 400, "bad_cursor", NULL, NULL},
	    {"GET /v1/orders", ADMIN "Correlation-Id: a b\r\n", NULL, 400, "bad_parameter", NULL, NULL},
	    {"GET /v1/orders", ADMIN, "{}", 400, "body_not_expected", NULL, NULL},
	    {"POST /v1/orders", ADMIN "Content-Type: text/xml\r\n", "<a/>", 415, "unsupported_media_type", NULL, NULL},
	    {"POST /v1/orders", ADMIN "Content-Encoding: gzip\r\n", "x", 415, "unsupported_media_type", NULL, NULL},
	    {"POST /v1/orders", ADMIN, NULL, 400, "body_required", NULL, NULL},
	    {"POST /v1/orders", ADMIN, "{", 400, "invalid_json", NULL, NULL},
	    {"POST /v1/orders", ADMIN, "{\"a\":01}", 400, "invalid_number", NULL, NULL},
	    {"POST /v1/orders", ADMIN, "{\"a\":1,\"a\":2}", 400, "duplicate_member", NULL, NULL},
	    {"POST /v1/orders", ADMIN, "{\"a\":\"\xff\"}", 400, "invalid_utf8", NULL, NULL},
	    {"POST /v1/orders", ADMIN, "[]", 422, "validation_failed", "", NULL},
	    {"POST /v1/orders", ADMIN, ORDER("1", "shop", "0"), 422, "validation_failed", "/lines/0/quantity", NULL},
	    {"POST /v1/orders", ADMIN, ORDER("1", "shop", "1e9"), 422, "validation_failed", "/lines/0/quantity", NULL},
	    {"POST /v1/orders", ADMIN, ORDER("1", "shop\",\"colour\":\"red", "1"), 422, "validation_failed", "/colour",
	     NULL},
	    {"POST /v1/orders", ADMIN, ORDER("1", "wms", "1"), 422, "unknown_channel", "/channel", NULL},
	    {"POST /v1/orders", SHOP, ORDER("1", "portal", "1"), 403, "other_system", NULL, NULL},
	    {"POST /v1/orders", ADMIN "Idempotency-Key: a b\r\n", ORDER("1", "shop", "1"), 400, "bad_idempotency_key",
	     NULL, NULL},
	    {"POST /v1/orders/no-such/cancel", ADMIN, NULL, 404, "order_not_found", NULL, NULL},
	    {"POST /v1/orders/x/cancel", ADMIN, "{\"lines\":[{\"line_id\":\"1\"}]}", 422, "partial_cancel", "/lines",
	     NULL},
	    {"POST /v1/stock/movements", ADMIN, MOVE("1", "nobody", "1"), 422, "unknown_source", "/source", NULL},
	    {"POST /v1/stock/movements", SHOP, MOVE("1", "wms", "1"), 403, "other_system", "/source", NULL},
	    {"POST /v1/stock/movements", ADMIN, "{\"items\":[]}", 422, "validation_failed", "/items", NULL},
	    {"POST /v1/stock/movements", ADMIN, "{\"items\":[{}],\"more\":1}", 422, "validation_failed", "/items",
	     NULL},
	    {"POST /v1/reservations", ADMIN, "{\"channel\":\"shop\",\"lines\":[]}", 422, "validation_failed", "/lines",
	     NULL},
	    {"POST /v1/reservations/no-such/commit", ADMIN, "{\"order_id\":\"x\"}", 404, "reservation_not_found", NULL,
	     NULL},
	    {"DELETE /v1/reservations/no-such", ADMIN, NULL, 404, "reservation_not_found", NULL, NULL},
	    {"GET /v1/availability?sku=A", ADMIN, NULL, 400, "bad_parameter", NULL, NULL},
	    {"GET /v1/availability?sku=A&channel=none", ADMIN, NULL, 422, "unknown_channel", NULL, NULL},
	    {"GET /v1/events?after=x", ADMIN, NULL, 400, "bad_parameter", NULL, NULL},
	    {"GET /v1/events", READER, NULL, 403, "insufficient_scope", NULL, NULL},
	    {"POST /v1/systems/none/pause", ADMIN, NULL, 404, "system_not_found", NULL, NULL},
	    {"POST /v1/systems/shop/pause", ADMIN, "{\"why\":1}", 422, "validation_failed", "", NULL},
	    {"POST /in/acme/shop/order", "", "{}", 401, "unauthorized", NULL, NULL},
	    {"POST /in/acme/shop/order", OTHER, "{}", 401, "unauthorized", NULL, NULL},
	    {"POST /in/acme/shop/order", READER, "{}", 403, "insufficient_scope", NULL, NULL},
	    {"POST /in/acme/wms/shipment", SHOP, "{}", 403, "other_system", NULL, NULL},
	    {"POST /in/acme/shop/nonsense", ADMIN, "{}", 404, "not_found", NULL, NULL},
	    {"POST /in/acme/none/order", ADMIN, "{}", 404, "not_found", NULL, NULL},
	    {"POST /in/acme/portal/order", ADMIN, "{}", 401, "bad_signature", NULL, NULL},
	    {"GET /console/none.js", "", NULL, 404, "not_found", NULL, NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct heard h;
		ask(&h, rows[i].line, rows[i].headers, rows[i].body);
		if (h.status != rows[i].status || (rows[i].code && !text_is(&h, "code", rows[i].code)))
			fail_msg("%s %s: %d %s", rows[i].line, rows[i].body ? rows[i].body : "", h.status, h.body);
		assert_non_null(strstr(h.head, "Content-Type: application/problem+json\r\n"));
		assert_non_null(strstr(h.head, "Correlation-Id: "));
		assert_non_null(strstr(h.head, "Cache-Control: no-store\r\n"));
		int64_t status;
		assert_true(json_int(json_get(h.json, "status"), &status) && status == h.status);
		assert_true(json_get_text(h.json, "title").n > 0 && json_get_text(h.json, "type").n > 0);
		assert_non_null(strstr(h.head, json_get_text(h.json, "correlation_id").p ? "Correlation-Id" : "?"));
		if (rows[i].pointer) {
			const struct json *errors = json_get(h.json, "errors");
			if (!json_is(errors, JSON_ARRAY) ||
			    !str_is(json_get_text(&errors->items[0], "pointer"), rows[i].pointer))
				fail_msg("%s: %s", rows[i].line, h.body);
		}
		if (rows[i].header)
			assert_non_null(strstr(h.head, rows[i].header));
		forget(&h);
	}
}

static void a_large_body_is_413(void **state)
{
	(void)state;
	struct heard h;
	char *body = mem_zalloc(70001, 1);
	memset(body, ' ', 70000);
	ask(&h, "POST /v1/orders", ADMIN "Correlation-Id: mine\r\n", body);
	assert_int_equal(h.status, 413);
	assert_true(text_is(&h, "code", "body_too_large"));
	assert_true(text_is(&h, "correlation_id", "mine"));
	assert_true(text_is(&h, "instance", "/v1/orders"));
	forget(&h);
	free(body);
}

static void orders_are_captured_once(void **state)
{
	(void)state;
	struct heard h;
	ask(&h, "POST /v1/orders", ADMIN "Idempotency-Key: k1\r\nCorrelation-Id: corr-1\r\n",
	    ORDER("1001", "shop", "2"));
	if (h.status != 202)
		fail_msg("%d %s", h.status, h.body);
	assert_non_null(strstr(h.head, "Correlation-Id: corr-1\r\n"));
	assert_true(text_is(&h, "correlation_id", "corr-1"));
	char id[64];
	snprintf(id, sizeof(id), STR_FMT, STR_ARG(json_get_text(h.json, "order_id")));
	assert_true(id[0]);
	assert_null(strstr(h.head, "Idempotency-Replayed"));
	forget(&h);

	ask(&h, "POST /v1/orders", ADMIN "Idempotency-Key: k1\r\n", ORDER("1001", "shop", "2"));
	assert_int_equal(h.status, 202);
	assert_non_null(strstr(h.head, "Idempotency-Replayed: true\r\n"));
	assert_true(text_is(&h, "order_id", id));
	forget(&h);

	ask(&h, "POST /v1/orders", ADMIN "Idempotency-Key: k1\r\n", ORDER("1001", "shop", "3"));
	assert_int_equal(h.status, 422);
	assert_true(text_is(&h, "code", "idempotency_key_reused"));
	forget(&h);

	ask(&h, "POST /v1/orders", ADMIN, ORDER("1001", "shop", "3"));
	assert_int_equal(h.status, 409);
	assert_true(text_is(&h, "code", "order_exists"));
	forget(&h);

	char line[128];
	snprintf(line, sizeof(line), "GET /v1/orders/%s", id);
	ask(&h, line, READER, NULL);
	assert_int_equal(h.status, 200);
	assert_true(text_is(&h, "order_id", id));
	forget(&h);
	ask(&h, line, OTHER, NULL); /* another tenant's: there is no such thing */
	assert_int_equal(h.status, 404);
	forget(&h);
	snprintf(line, sizeof(line), "GET /v1/orders/%s/timeline", id);
	ask(&h, line, READER, NULL);
	assert_int_equal(h.status, 200);
	forget(&h);
	snprintf(line, sizeof(line), "POST /v1/orders/%s/cancel", id);
	ask(&h, line, SHOP, "{\"reason\":\"changed mind\"}");
	if (h.status != 200)
		fail_msg("%d %s", h.status, h.body);
	forget(&h);
}

static void movements_are_answered_item_by_item(void **state)
{
	(void)state;
	struct heard h;
	ask(&h, "POST /v1/stock/movements", ADMIN, MOVE("m1", "wms", "5"));
	assert_int_equal(h.status, 200);
	assert_true(json_get_text(h.json, "movement_id").n > 0);
	forget(&h);
	ask(&h, "POST /v1/stock/movements", ADMIN,
	    "{\"items\":[" MOVE("m2", "wms", "5") "," MOVE("m3", "wms", "-1") "," MOVE("m1", "wms", "5") ",7]}");
	assert_int_equal(h.status, 200);
	const struct json *items = json_get(h.json, "items");
	assert_true(json_is(items, JSON_ARRAY) && items->count == 4);
	assert_true(json_get_text(&items->items[0], "movement_id").n > 0);
	const struct json *problem = json_get(&items->items[1], "problem");
	const struct json *errors = json_get(problem, "errors");
	assert_true(json_is(errors, JSON_ARRAY));
	assert_true(str_is(json_get_text(&errors->items[0], "pointer"), "/items/1/lines/0/quantity"));
	assert_true(json_get(&items->items[2], "duplicate")->boolean);
	errors = json_get(json_get(&items->items[3], "problem"), "errors");
	assert_true(str_is(json_get_text(&errors->items[0], "pointer"), "/items/3"));
	forget(&h);
	ask(&h, "GET /v1/availability?channel=shop&sku=A&sku=None", READER, NULL);
	assert_int_equal(h.status, 200);
	items = json_get(h.json, "items");
	assert_true(json_is(items, JSON_ARRAY) && items->count == 2);
	forget(&h);
	ask(&h, "POST /v1/availability/query", READER, "{\"channel\":\"shop\",\"skus\":[\"A\"]}");
	assert_int_equal(h.status, 200);
	forget(&h);
	static const char *const reads[] = {"GET /v1/stock/A",
					    "GET /v1/stock/A/movements?limit=2",
					    "GET /v1/systems",
					    "GET /v1/systems/shop",
					    "GET /v1/deliveries?system=shop",
					    "GET /v1/dead-letters",
					    "GET /v1/exceptions",
					    "GET /v1/trace/corr-1",
					    "GET /v1/overview",
					    "GET /v1/audit",
					    "GET /v1/events?type=order.captured&limit=5",
					    "HEAD /v1/orders"};
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		ask(&h, reads[i], ADMIN, NULL);
		if (h.status != 200)
			fail_msg("%s: %d %s", reads[i], h.status, h.body);
		forget(&h);
	}
}

static void reservations(void **state)
{
	(void)state;
	struct heard h;
	ask(&h, "POST /v1/stock/movements", ADMIN, MOVE("r1", "wms", "5"));
	forget(&h);
	ask(&h, "POST /v1/reservations", SHOP,
	    "{\"reservation_id\":\"R1\",\"channel\":\"shop\",\"lines\":[{\"sku\":\"A\",\"quantity\":\"1\"}]}");
	if (h.status != 201)
		fail_msg("%d %s", h.status, h.body);
	forget(&h);
	ask(&h, "GET /v1/reservations/R1", ADMIN, NULL);
	assert_int_equal(h.status, 200);
	forget(&h);
	ask(&h, "POST /v1/reservations", SHOP,
	    "{\"channel\":\"shop\",\"lines\":[{\"sku\":\"A\",\"quantity\":\"100000\"}]}");
	assert_int_equal(h.status, 409);
	assert_true(text_is(&h, "code", "insufficient_stock"));
	forget(&h);
	ask(&h, "DELETE /v1/reservations/R1", SHOP, NULL);
	assert_true(h.status == 200 || h.status == 204);
	forget(&h);
}

/* Headers of a Standard Webhooks message, signed with the portal's secret. */
static char *signed_headers(struct arena *a, const char *id, int64_t at, const char *body, bool right)
{
	char text[1024], base[64];
	unsigned char mac[32];
	int n = snprintf(text, sizeof(text), "%s.%lld.%s", id, (long long)at, body);
	hash_hmac_sha256(STR("secretsecretsecretsecret"), (struct str){text, (size_t)n}, mac);
	if (!right)
		mac[31] ^= 1;
	base64_encode(mac, 32, base);
	return arena_printf(a,
			    "webhook-id: %s\r\nwebhook-timestamp: %lld\r\nwebhook-signature: v1,AAAA v1a,x v1,%s\r\n",
			    id, (long long)at, base);
}

static void inbound_messages_are_verified(void **state)
{
	(void)state;
	struct heard h;
	struct arena a;
	arena_init(&a, 65536);
	int64_t now = clock_wall_ms(clock_system()) / 1000;
	const struct {
		int64_t at;
		bool right;
		int status;
	} rows[] = {
	    {now, true, 202}, {now, true, 202}, {now, false, 401}, {now - 400, true, 401}, {now + 400, true, 401}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(&h, "POST /in/acme/portal/order",
		    signed_headers(&a, "msg_1", rows[i].at, "{\"any\":1}", rows[i].right), "{\"any\":1}");
		if (h.status != rows[i].status)
			fail_msg("%zu: %d %s", i, h.status, h.body);
		forget(&h);
	}
	ask(&h, "POST /in/acme/shop/order", SHOP, "not json at all"); /* acknowledged; a dead letter later */
	assert_int_equal(h.status, 202);
	assert_true(json_get_text(h.json, "correlation_id").n > 0);
	forget(&h);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refuses_in_precise_words),
	    cmocka_unit_test(a_large_body_is_413),
	    cmocka_unit_test(orders_are_captured_once),
	    cmocka_unit_test(movements_are_answered_item_by_item),
	    cmocka_unit_test(reservations),
	    cmocka_unit_test(inbound_messages_are_verified),
	};
	return cmocka_run_group_tests(tests, build, tear_down);
}
