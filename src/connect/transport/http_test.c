#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "connect/transport/http.h"
#include "connect/transport/test_server.h"

static char *big; /* longer than an answer may be */
#define BIG_BYTES (HTTP_ANSWER_BYTES_MAX + 100000u)

static struct test_answer by_path(void *ctx, const struct test_request *r)
{
	static _Thread_local char seen[32768];
	(void)ctx;
	if (strstr(r->head, " /echo "))
		return (struct test_answer){.status = 200,
					    .body = seen,
					    .body_n =
						(size_t)snprintf(seen, sizeof(seen), "%s\n\n%s", r->head, r->body)};
	if (strstr(r->head, " /busy "))
		return (struct test_answer){.status = 429, .headers = "Retry-After:  7 \r\n", .body = "x", .body_n = 1};
	if (strstr(r->head, " /moved "))
		return (struct test_answer){.status = 302, .headers = "Location: /echo\r\n"};
	if (strstr(r->head, " /hang "))
		return (struct test_answer){.status = -1};
	if (strstr(r->head, " /close "))
		return (struct test_answer){.status = 0};
	if (strstr(r->head, " /cut "))
		return (struct test_answer){
		    .status = 200, .body = "0123456789", .body_n = 10, .body_sent = 4, .cut = true};
	if (strstr(r->head, " /big "))
		return (struct test_answer){.status = 200, .body = big, .body_n = BIG_BYTES};
	return (struct test_answer){.status = 404, .body = "", .body_n = 0};
}

struct seen {
	int calls, status;
	bool sent, truncated;
	size_t body_n;
	char body[32768], retry_after[64], error[256];
};

static void note(void *ctx, const struct http_answer *a)
{
	struct seen *s = ctx;
	s->calls++;
	s->status = a->status;
	s->sent = a->sent;
	s->truncated = a->truncated;
	s->body_n = a->body.n;
	snprintf(s->body, sizeof(s->body), STR_FMT, STR_ARG(a->body));
	snprintf(s->retry_after, sizeof(s->retry_after), STR_FMT, STR_ARG(a->retry_after));
	snprintf(s->error, sizeof(s->error), STR_FMT, STR_ARG(a->error));
}

struct fixture {
	struct test_server server;
	struct http *http;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	big = malloc(BIG_BYTES);
	memset(big, 'b', BIG_BYTES);
	test_server_start(&f->server, by_path, NULL);
	f->http = http_new("crossdock/test");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	http_free(f->http);
	test_server_stop(&f->server);
	free(big);
	free(f);
	return 0;
}

static void begin(struct fixture *f, const char *method, const char *path, const char *body, int timeout_ms,
		  struct seen *s)
{
	static const struct http_header headers[] = {{STR("Idempotency-Key"), STR("d-1")}, {STR("X-Empty"), STR("")}};
	char url[128];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", f->server.port, path);
	memset(s, 0, sizeof(*s));
	struct http_request r = {.method = str_from(method),
				 .url = str_from(url),
				 .headers = headers,
				 .header_count = 2,
				 .body = str_from(body),
				 .timeout_ms = timeout_ms,
				 .connect_timeout_ms = 5000};
	assert_int_equal(http_start(f->http, &r, note, s, NULL, NULL), RC_OK);
	assert_int_equal(s->calls, 0);
}

static void finish(struct fixture *f, struct seen *s)
{
	while (!s->calls)
		http_run(f->http, 100, -1);
	assert_int_equal(s->calls, 1);
}

static void ask(struct fixture *f, const char *method, const char *path, const char *body, struct seen *s)
{
	begin(f, method, path, body, 10000, s);
	finish(f, s);
}

static void sends_what_it_is_given(void **state)
{
	struct seen s;
	ask(*state, "POST", "/echo", "{\"a\":1}", &s);
	assert_int_equal(s.status, 200);
	assert_true(s.sent);
	assert_non_null(strstr(s.body, "POST /echo HTTP/1.1\r\n"));
	assert_non_null(strstr(s.body, "\r\nIdempotency-Key: d-1"));
	assert_non_null(strstr(s.body, "\r\nX-Empty:"));
	assert_non_null(strstr(s.body, "\r\nUser-Agent: crossdock/test"));
	assert_non_null(strstr(s.body, "\n\n{\"a\":1}"));
	assert_null(strstr(s.body, "Expect:"));
	ask(*state, "GET", "/echo", "", &s);
	assert_non_null(strstr(s.body, "GET /echo HTTP/1.1\r\n"));
	ask(*state, "POST", "/echo", "", &s);
	assert_non_null(strstr(s.body, "\r\nContent-Length: 0"));
}

static int count(struct fixture *f, const int *what)
{
	pthread_mutex_lock(&f->server.lock);
	int n = *what;
	pthread_mutex_unlock(&f->server.lock);
	return n;
}

static void keeps_connections(void **state)
{
	struct fixture *f = *state;
	struct seen s;
	int before = count(f, &f->server.connections);
	for (int i = 0; i < 5; i++)
		ask(f, "POST", "/echo", "x", &s);
	assert_true(count(f, &f->server.connections) <= before + 1);
}

static void gives_headers_and_status(void **state)
{
	struct seen s;
	ask(*state, "POST", "/busy", "x", &s);
	assert_int_equal(s.status, 429);
	assert_string_equal(s.retry_after, "7");
	ask(*state, "GET", "/moved", "", &s);
	assert_int_equal(s.status, 302);
	assert_string_equal(s.retry_after, "");
}

static void knows_what_was_sent(void **state)
{
	static const struct {
		const char *path;
		int timeout_ms;
	} rows[] = {{"/hang", 200}, {"/close", 10000}, {"/cut", 10000}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seen s;
		begin(*state, "POST", rows[i].path, "x", rows[i].timeout_ms, &s);
		finish(*state, &s);
		assert_int_equal(s.status, 0);
		assert_true(s.sent);
		assert_true(s.error[0]);
	}
}

/* A kept connection that dies under the request: the request must not be sent a second time. */
static void never_sends_twice(void **state)
{
	static char large[100 << 10]; /* more than goes to the socket with the head */
	const char *const bodies[] = {"", "x", large, "x"};
	struct fixture *f = *state;
	memset(large, 'x', sizeof(large) - 1);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct seen s;
		ask(f, "POST", "/echo", "x", &s);
		int before = count(f, &f->server.requests);
		ask(f, "POST", "/close", bodies[i], &s);
		assert_int_equal(s.status, 0);
		assert_true(s.sent);
		assert_int_equal(count(f, &f->server.requests), before + 1);
	}
}

static void knows_what_was_not_sent(void **state)
{
	struct fixture *f = *state;
	struct seen s;
	int port, fd = test_listen(&port);
	close(fd); /* nobody listens there now */
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
	static const char *const urls[] = {NULL,
					   "http://169.254.169.254/latest",
					   "http://0.0.0.0:1/",
					   "ftp://127.0.0.1/",
					   "http://[ff02::1]/",
					   "https://127.0.0.1:1/"};
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		memset(&s, 0, sizeof(s));
		struct http_request r = {.method = STR("POST"),
					 .url = str_from(urls[i] ? urls[i] : url),
					 .body = STR("x"),
					 .timeout_ms = 5000,
					 .connect_timeout_ms = 5000};
		assert_int_equal(http_start(f->http, &r, note, &s, NULL, NULL), RC_OK);
		finish(f, &s);
		assert_int_equal(s.status, 0);
		assert_false(s.sent);
		assert_true(s.error[0]);
	}
}

static void refuses_what_cannot_be_sent(void **state)
{
	struct fixture *f = *state;
	static const struct http_header bad_value = {STR("X"), STR("a\r\nY: b")}, bad_name = {STR("X Y"), STR("a")};
	const struct http_request rows[] = {
	    {.method = STR("PO ST"), .url = STR("http://127.0.0.1/")},
	    {.method = STR("POST"), .url = STR("http://127.0.0.1/ HTTP/1.1\r\nX: y")},
	    {.method = STR("POST"), .url = STR("")},
	    {.method = STR("POST"), .url = STR("http://127.0.0.1/"), .headers = &bad_value, .header_count = 1},
	    {.method = STR("POST"), .url = STR("http://127.0.0.1/"), .headers = &bad_name, .header_count = 1},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = ERR_NONE;
		assert_int_equal(http_start(f->http, &rows[i], note, NULL, NULL, &e), RC_INVALID);
		assert_string_equal(e.code, "invalid_request");
	}
	assert_int_equal(http_transfers(f->http), 0);
}

static void caps_an_answer(void **state)
{
	struct seen s;
	ask(*state, "POST", "/big", "x", &s);
	assert_int_equal(s.status, 200);
	assert_true(s.truncated);
	assert_int_equal(s.body_n, HTTP_ANSWER_BYTES_MAX);
}

static void one_hanging_does_not_hold_others(void **state)
{
	struct fixture *f = *state;
	struct seen hanging, s;
	begin(f, "POST", "/hang", "x", 60000, &hanging);
	for (int i = 0; i < 3; i++)
		ask(f, "POST", "/echo", "x", &s);
	assert_int_equal(hanging.calls, 0);
	assert_int_equal(http_transfers(f->http), 1);
}

static void a_cancelled_one_is_silent(void **state)
{
	struct fixture *f = *state;
	struct seen s = {0};
	struct http_transfer *t;
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/hang", f->server.port);
	struct http_request r = {
	    .method = STR("GET"), .url = str_from(url), .timeout_ms = 60000, .connect_timeout_ms = 5000};
	assert_int_equal(http_start(f->http, &r, note, &s, &t, NULL), RC_OK);
	http_run(f->http, 10, -1);
	http_cancel(t);
	assert_int_equal(http_transfers(f->http), 0);
	http_run(f->http, 0, -1);
	assert_int_equal(s.calls, 0);
}

/* ---- names ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t change;
	int hanging, most;
	bool let_go;
} names = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

/* Curl's resolver asks here: names below .hang are not answered until the test says so. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	if (!node || !strstr(node, ".hang")) {
		void *found = dlsym(RTLD_NEXT, "getaddrinfo");
		memcpy(&real, &found, sizeof(found));
		return real(node, service, hints, out);
	}
	pthread_mutex_lock(&names.lock);
	if (++names.hanging > names.most)
		names.most = names.hanging;
	while (!names.let_go)
		pthread_cond_wait(&names.change, &names.lock);
	names.hanging--;
	pthread_cond_broadcast(&names.change);
	pthread_mutex_unlock(&names.lock);
	return EAI_AGAIN;
}

static void names_that_hang_are_bounded_and_hold_no_address(void **state)
{
	enum { EXTRA = 8 };
	struct fixture *f = *state;
	static struct seen all[HTTP_LOOKUPS_MAX + EXTRA], s;
	memset(all, 0, sizeof(all));
	for (int i = 0; i < HTTP_LOOKUPS_MAX + EXTRA; i++) {
		char url[64];
		snprintf(url, sizeof(url), "http://n%d.hang/", i);
		struct http_request r = {
		    .method = STR("GET"), .url = str_from(url), .timeout_ms = 600000, .connect_timeout_ms = 600000};
		assert_int_equal(http_start(f->http, &r, note, &all[i], NULL, NULL), RC_OK);
	}
	while (http_transfers(f->http) > HTTP_LOOKUPS_MAX)
		http_run(f->http, 100, -1);
	int refused = 0;
	for (int i = 0; i < HTTP_LOOKUPS_MAX + EXTRA; i++) {
		refused += all[i].calls;
		assert_int_equal(all[i].status, 0);
		assert_false(all[i].sent);
	}
	assert_int_equal(refused, EXTRA);
	ask(f, "POST", "/echo", "x", &s);
	assert_int_equal(s.status, 200);
	assert_int_equal(http_transfers(f->http), HTTP_LOOKUPS_MAX);
	pthread_mutex_lock(&names.lock);
	names.let_go = true;
	pthread_cond_broadcast(&names.change);
	while (names.hanging)
		pthread_cond_wait(&names.change, &names.lock);
	assert_in_range(names.most, 1, HTTP_LOOKUPS_MAX);
	pthread_mutex_unlock(&names.lock);
	while (http_transfers(f->http))
		http_run(f->http, 100, -1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(sends_what_it_is_given),
	    T(keeps_connections),
	    T(gives_headers_and_status),
	    T(knows_what_was_sent),
	    T(never_sends_twice),
	    T(knows_what_was_not_sent),
	    T(refuses_what_cannot_be_sent),
	    T(caps_an_answer),
	    T(one_hanging_does_not_hold_others),
	    T(a_cancelled_one_is_silent),
	    T(names_that_hang_are_bounded_and_hold_no_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
