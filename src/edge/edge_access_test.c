/* Streams, keys over time, health and the console over a real node. */
#include "edge/test_world.h"

static void streams_follow_the_log(void **state)
{
	(void)state;
	char text[65536];
	struct heard h;
	ask(&h, "POST /v1/stock/movements", ADMIN, MOVE("s0", "wms", "5"));
	assert_int_equal(h.status, 200);
	forget(&h);
	int fd = dial();
	static const char request[] = "GET /v1/events/stream?after=0 HTTP/1.1\r\nHost: h\r\n" ADMIN "\r\n";
	say(fd, request);
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
		    {"GET /metrics", 200, "crossdock_http_requests_total{route=\"stock.move\",status=\"200\"}"},
		    {"GET /", 302, ""},
		    {"GET /console", 302, ""},
		    {"GET /console/", 200, "<!doctype html>"},
		    {"GET /console/orders/1", 200, "<!doctype html>"},
		    {"GET /console/app.js", 200, "let a;"},
		    {"GET /console/assets/a.css", 200, "a{}"},
		    {"GET /console/assets/b.css", 404, "not_found"},
		    {"GET /console/../secret.txt", 404, "not_found"},
		    {"GET /console/%2e%2e/secret.txt", 404, "not_found"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct heard h;
		ask(&h, rows[i].line, "", NULL);
		assert_int_equal(h.status, rows[i].status);
		assert_non_null(strstr(h.body, rows[i].part));
		forget(&h);
	}
	struct heard h;
	ask(&h, "GET /console/app.js", "", NULL);
	assert_non_null(strstr(h.head, "Content-Type: text/javascript"));
	assert_non_null(strstr(h.head, "Content-Security-Policy: default-src 'none'"));
	const char *tag = strstr(h.head, "ETag: ");
	assert_non_null(tag);
	char headers[128];
	snprintf(headers, sizeof(headers), "If-None-Match: %.18s\r\n", tag + 6);
	forget(&h);
	ask(&h, "GET /console/app.js", headers, NULL);
	assert_int_equal(h.status, 304);
	forget(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(streams_follow_the_log),
	    cmocka_unit_test(each_key_has_its_rate),
	    cmocka_unit_test(a_revoked_key_is_soon_refused),
	    cmocka_unit_test(health_and_console),
	};
	return cmocka_run_group_tests(tests, build, tear_down);
}
