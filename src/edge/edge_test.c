/* The API over a real node and a real store: what is taken, what is refused and in which words, streams, stop. */
#include "base/hash.h"
#include "base/mem.h"
#include "edge/edge.h"
#include "edge/exchange.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET(c)                                                                                                      \
#c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c
#define ADMIN   "Authorization: Bearer cd_acme_" SECRET(a) "\r\n"
#define READER  "Authorization: Bearer cd_acme_" SECRET(b) "\r\n"
#define SHOP    "Authorization: Bearer cd_acme_" SECRET(c) "\r\n"
#define REVOKED "Authorization: Bearer cd_acme_" SECRET(d) "\r\n"
#define OTHER   "Authorization: Bearer cd_other_" SECRET(e) "\r\n"
#define BUSY    "Authorization: Bearer cd_acme_" SECRET(g) "\r\n"
#define BRIEF   "Authorization: Bearer cd_acme_" SECRET(h) "\r\n"
#define UNKNOWN "Authorization: Bearer cd_acme_" SECRET(f) "\r\n"

static const char configuration[] =
    "listen: 127.0.0.1:0\n"
    "store: sqlite\n"
    "limits: {stream_clients: 1, body_bytes: 65536, requests_per_s: 300}\n"
    "tenants:\n"
    "  acme:\n"
    "    locations: {east: {}}\n"
    "    systems:\n"
    "      shop: {connector: canonical, url: \"http://127.0.0.1:9\", roles: [channel]}\n"
    "      portal: {connector: canonical, url: \"http://127.0.0.1:9\", roles: [channel],\n"
    "               webhook_secret: \"${env:EDGE_TEST_SECRET}\"}\n"
    "      wms: {connector: canonical, url: \"http://127.0.0.1:9\", roles: [warehouse], locations: [east]}\n"
    "    channels:\n"
    "      shop: {locations: [east]}\n"
    "      portal: {locations: [east]}\n"
    "    records: {stock: wms}\n"
    "  other:\n"
    "    locations: {east: {}}\n";

/* Real time, that a test may stop or move on. */
static _Atomic int64_t moved_ns, stopped_ns;

static int64_t wall_ms(const struct clock *c)
{
	(void)c;
	return clock_wall_ms(clock_system());
}

static int64_t mono_ns(const struct clock *c)
{
	(void)c;
	int64_t stopped = atomic_load(&stopped_ns);
	return stopped ? stopped : clock_mono_ns(clock_system()) + atomic_load(&moved_ns);
}

static const struct clock test_clock_of_ours = {wall_ms, mono_ns};

static struct world {
	char folder[64];
	struct config *config;
	struct node *node;
	struct edge *edge;
} world;

static void tool_write(const char *tenant, enum store_statement w, const struct store_value *values, size_t count)
{
	struct arena a;
	struct err e = ERR_NONE;
	struct store_options o;
	struct store *s;
	arena_init(&a, 65536);
	assert_int_equal(node_store_options(world.config, str_from(tenant), &a, &o, &e), RC_OK);
	assert_int_equal(store_tool_open(&o, &s, &e), RC_OK);
	assert_int_equal(store_tool_write(s, w, values, count, &e), RC_OK);
	store_close(s);
	arena_done(&a);
}

static void key_revoke(const char *tenant, const char *id)
{
	const struct store_value values[] = {SV_TEXT(str_from(id)), SV_INT(2)};
	tool_write(tenant, W_API_KEY_REVOKE, values, 2);
}

static void key_add(const char *tenant, const char *id, const char *secret, const char *scopes, const char *system)
{
	unsigned char hash[32];
	hash_secret(str_from(secret), hash);
	const struct store_value values[] = {SV_TEXT(str_from(id)), SV_BLOB(((struct str){(char *)hash, 32})),
					     SV_TEXT(str_from(scopes)), SV_TEXT_OPT(str_from(system)), SV_INT(1)};
	tool_write(tenant, W_API_KEY, values, 5);
}

static void tell_edge(void *ctx, struct hub *h, int64_t position)
{
	(void)ctx;
	if (world.edge)
		edge_events_committed(world.edge, h, position);
}

static int build(void **state)
{
	(void)state;
	char path[128];
	struct err e = ERR_NONE;
	struct arena a;
	struct findings f;
	arena_init(&a, 1 << 20);
	findings_init(&f, &a);
	setenv("EDGE_TEST_SECRET", "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", 1);
	strcpy(world.folder, "/tmp/edge-test-XXXXXX");
	assert_non_null(mkdtemp(world.folder));
	snprintf(path, sizeof(path), "%s/crossdock.yaml", world.folder);
	FILE *out = fopen(path, "w");
	fputs(configuration, out);
	fclose(out);
	if (config_load(world.folder, CD_SOURCE_DIR, &world.config, &f) != RC_OK)
		fail_msg("%s: %s", f.list[0].pointer, f.list[0].detail);
	assert_int_equal(node_open(world.config, &test_clock_of_ours, &world.node, &e), RC_OK);
	static const struct hub_sinks sinks = {.events = tell_edge};
	for (size_t i = 0; i < node_tenants(world.node); i++) {
		hub_set_sinks(node_hub(world.node, i), &sinks);
		assert_int_equal(hub_resume(node_hub(world.node, i), &e), RC_OK);
	}
	key_add("acme", "key_admin", SECRET(a), "admin", NULL);
	key_add("acme", "key_reader", SECRET(b), "stock:read orders:read", NULL);
	key_add("acme", "key_shop", SECRET(c), "orders:write stock:write", "shop");
	key_add("acme", "key_revoked", SECRET(d), "admin", NULL);
	key_revoke("acme", "key_revoked");
	key_add("acme", "key_busy", SECRET(g), "admin", NULL);
	key_add("acme", "key_brief", SECRET(h), "admin", NULL);
	key_add("other", "key_other", SECRET(e), "admin", NULL);
	assert_int_equal(node_start(world.node, &e), RC_OK);
	assert_int_equal(edge_start(world.node, &(struct edge_options){.share = CD_SOURCE_DIR}, &world.edge, &e),
			 RC_OK);
	arena_done(&a);
	return 0;
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
	(void)s, (void)type, (void)f;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	edge_stop(world.edge);
	if (world.node)
		node_stop(world.node);
	node_close(world.node);
	config_unref(world.config);
	nftw(world.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* ---- a small client ---- */

struct heard {
	int status;
	char head[4096], body[131072];
	struct arena arena;
	struct json *json; /* of the body, or NULL */
};

static int dial(void)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_port = htons(edge_port(world.edge)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static bool hear_until(int fd, char *out, size_t room, const char *until)
{
	size_t n = 0, m = strlen(until);
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		assert_int_equal(poll(&p, 1, 20000), 1);
		if (recv(fd, out + n, 1, 0) != 1)
			return false;
		out[++n] = '\0';
		if (n >= m && memcmp(out + n - m, until, m) == 0)
			return true;
		assert_true(n + 1 < room);
	}
}

/* line: "POST /v1/orders"; headers end with CRLF each. */
static void ask(struct heard *h, const char *line, const char *headers, const char *body)
{
	int fd = dial();
	struct buf out;
	buf_init(&out, 1 << 20);
	buf_printf(&out, "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s", line, headers);
	if (body)
		buf_printf(&out, "Content-Length: %zu\r\n", strlen(body));
	buf_printf(&out, "\r\n%s", body ? body : "");
	assert_int_equal(send(fd, out.p, out.n, MSG_NOSIGNAL), (ssize_t)out.n);
	buf_done(&out);
	*h = (struct heard){0};
	assert_true(hear_until(fd, h->head, sizeof(h->head), "\r\n\r\n"));
	h->status = atoi(h->head + 9);
	size_t n = 0;
	ssize_t part;
	while ((part = recv(fd, h->body + n, sizeof(h->body) - 1 - n, 0)) > 0)
		n += (size_t)part;
	close(fd);
	arena_init(&h->arena, 8 << 20);
	if (n && json_parse(&h->arena, (struct str){h->body, n}, NULL, &h->json, NULL) != RC_OK)
		h->json = NULL;
}

static void forget(struct heard *h)
{
	arena_done(&h->arena);
}

static bool text_is(const struct heard *h, const char *name, const char *value)
{
	return str_is(json_get_text(h->json, name), value);
}

#define ORDER(id, channel, quantity)                                                                                   \
	"{\"channel\":\"" channel "\",\"external_id\":\"" id                                                           \
	"\",\"placed_at\":\"2026-03-01T12:00:00Z\",\"currency\":\"GBP\","                                              \
	"\"customer\":{\"external_id\":\"C1\"},\"lines\":[{\"line_id\":\"1\",\"sku\":\"A\",\"quantity\":\"" quantity   \
	"\",\"uom\":\"EA\",\"unit_price\":\"2.55\"}]}"
#define MOVE(id, source, quantity)                                                                                     \
	"{\"source\":\"" source "\",\"source_event_id\":\"" id                                                         \
	"\",\"type\":\"receive\",\"occurred_at\":\"2026-03-01T10:00:00Z\","                                            \
	"\"lines\":[{\"sku\":\"A\",\"location\":\"east\",\"quantity\":\"" quantity "\"}]}"

/* ---- tests ---- */

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

static void streams_follow_the_log(void **state)
{
	(void)state;
	char text[65536];
	struct heard h;
	int fd = dial();
	static const char request[] = "GET /v1/events/stream?after=0 HTTP/1.1\r\nHost: h\r\n" ADMIN "\r\n";
	assert_int_equal(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), (ssize_t)sizeof(request) - 1);
	assert_true(hear_until(fd, text, sizeof(text), "\r\n\r\n"));
	assert_non_null(strstr(text, "text/event-stream"));
	assert_true(hear_until(fd, text, sizeof(text), "id: 1\n"));
	ask(&h, "GET /v1/events/stream", ADMIN, NULL); /* only one is allowed */
	assert_int_equal(h.status, 429);
	assert_non_null(strstr(h.head, "Retry-After: "));
	forget(&h);
	ask(&h, "POST /v1/stock/movements", ADMIN, MOVE("s1", "wms", "5"));
	char id[64];
	snprintf(id, sizeof(id), STR_FMT, STR_ARG(json_get_text(h.json, "movement_id")));
	forget(&h);
	assert_true(hear_until(fd, text, sizeof(text), id));
	close(fd);
}

static void each_key_has_its_rate(void **state)
{
	(void)state;
	struct heard h;
	atomic_store(&stopped_ns, mono_ns(NULL));
	for (int i = 0; i < 300; i++) {
		ask(&h, "GET /v1/availability?channel=shop&sku=A", BUSY, NULL);
		assert_int_equal(h.status, 200);
		forget(&h);
	}
	assert_non_null(strstr(h.head, "RateLimit: \"key\";r=0;t=1\r\n"));
	assert_non_null(strstr(h.head, "RateLimit-Policy: \"key\";q=300;w=1\r\n"));
	ask(&h, "GET /v1/availability?channel=shop&sku=A", BUSY, NULL);
	assert_int_equal(h.status, 429);
	assert_true(text_is(&h, "code", "rate_limited"));
	assert_non_null(strstr(h.head, "Retry-After: 1\r\n"));
	forget(&h);
	ask(&h, "GET /v1/availability?channel=shop&sku=A", READER, NULL); /* others do not feel it */
	assert_int_equal(h.status, 200);
	forget(&h);
	atomic_fetch_add(&stopped_ns, 1000000000 / 300 + 1000);
	ask(&h, "GET /v1/availability?channel=shop&sku=A", BUSY, NULL);
	assert_int_equal(h.status, 200);
	forget(&h);
	atomic_store(&stopped_ns, 0);
}

static void a_revoked_key_is_soon_refused(void **state)
{
	(void)state;
	struct heard h;
	ask(&h, "GET /v1/systems", BRIEF, NULL);
	assert_int_equal(h.status, 200);
	forget(&h);
	key_revoke("acme", "key_brief");
	atomic_fetch_add(&moved_ns, (int64_t)(AUTH_FRESH_MS + 1) * 1000000);
	ask(&h, "GET /v1/systems", BRIEF, NULL);
	assert_int_equal(h.status, 401);
	assert_true(text_is(&h, "code", "key_revoked"));
	forget(&h);
}

static void health_and_console(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		int status;
		const char *part;
	} rows[] = {{"GET /healthz", 200, "ok"},
		    {"GET /readyz", 200, "ready"},
		    {"GET /metrics", 200, "crossdock_http_requests_total{route=\"orders.capture\",status=\"202\"}"},
		    {"GET /", 302, ""}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct heard h;
		ask(&h, rows[i].line, "", NULL);
		assert_int_equal(h.status, rows[i].status);
		assert_non_null(strstr(h.body, rows[i].part));
		forget(&h);
	}
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
	    cmocka_unit_test(streams_follow_the_log),
	    cmocka_unit_test(each_key_has_its_rate),
	    cmocka_unit_test(a_revoked_key_is_soon_refused),
	    cmocka_unit_test(health_and_console),
	};
	return cmocka_run_group_tests(tests, build, tear_down);
}
