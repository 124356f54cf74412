/* The server over real sockets: framing, pending answers, streams, limits, deadlines, lost clients, stop. */
#include "edge/server.h"

#include "edge/test_socket.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HELD_MAX 64

struct bench {
	struct server *server;
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct server_request *held[HELD_MAX];
	size_t held_count, answered, heads;
	struct server_stream *stream;
};

static enum server_next handle(void *ctx, struct server_request *r)
{
	struct bench *b = ctx;
	const struct server_field fields[] = {{"Content-Type", STR("text/plain")}, {"X-Method", r->method}};
	if (str_is(r->path, "/later")) {
		pthread_mutex_lock(&b->lock);
		b->held[b->held_count++] = r;
		pthread_cond_broadcast(&b->change);
		pthread_mutex_unlock(&b->lock);
		return SERVER_PENDING;
	}
	if (str_is(r->path, "/stream")) {
		pthread_mutex_lock(&b->lock);
		b->stream = server_stream_begin(r, 200, fields, 1);
		pthread_cond_broadcast(&b->change);
		pthread_mutex_unlock(&b->lock);
		return SERVER_ANSWERED;
	}
	char *text = arena_printf(r->arena, STR_FMT "|" STR_FMT "|" STR_FMT "|" STR_FMT, STR_ARG(r->path),
				  STR_ARG(r->query), STR_ARG(server_header(r, "x-test")), STR_ARG(r->body));
	server_answer(r, 200, fields, 2, str_from(text));
	/* An answer given before the handler says pending. */
	return str_is(r->path, "/early") ? SERVER_PENDING : SERVER_ANSWERED;
}

static void head(void *ctx, struct server_request *r)
{
	struct bench *b = ctx;
	pthread_mutex_lock(&b->lock);
	b->heads++;
	pthread_mutex_unlock(&b->lock);
	if (str_is(r->path, "/denied"))
		server_answer(r, 401, NULL, 0, STR("no"));
}

static void answered(void *ctx, struct server_request *r, int status)
{
	struct bench *b = ctx;
	(void)r, (void)status;
	pthread_mutex_lock(&b->lock);
	b->answered++;
	pthread_cond_broadcast(&b->change);
	pthread_mutex_unlock(&b->lock);
}

static size_t refuse(void *ctx, struct server_request *r, int status, const char *code, const char *detail,
		     struct server_field *fields, struct str *body)
{
	(void)ctx, (void)status, (void)detail;
	fields[0] = (struct server_field){"X-Code", str_from(code)};
	*body = str_from(arena_printf(r->arena, "code=%s", code));
	return 1;
}

static void start(struct bench *b, unsigned threads, struct server_limits limits)
{
	*b = (struct bench){.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};
	struct server_options o = {.listen = "127.0.0.1:0",
				   .threads = threads,
				   .limits = limits,
				   .clock = clock_system(),
				   .ctx = b,
				   .handler = handle,
				   .head = head,
				   .refuse = refuse,
				   .answered = answered};
	struct err e = ERR_NONE;
	assert_int_equal(server_start(&o, &b->server, &e), RC_OK);
}

static void stop(struct bench *b)
{
	server_stop(b->server, 5000);
}

static int dial(struct bench *b)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(server_port(b->server)),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

struct heard {
	int status;
	char head[2048], body[8192];
};

/* One answer with a Content-Length. status 0: the connection was closed. */
static void hear(int fd, struct heard *h)
{
	*h = (struct heard){0};
	if (!hear_until(fd, h->head, sizeof(h->head), "\r\n\r\n"))
		return;
	h->status = (int)strtol(h->head + 9, NULL, 10);
	const char *at = strstr(h->head, "Content-Length: ");
	size_t n = at ? strtoul(at + 16, NULL, 10) : 0, got = 0;
	assert_true(n < sizeof(h->body));
	while (got < n) {
		ssize_t part = recv(fd, h->body + got, n - got, 0);
		assert_true(part > 0);
		got += (size_t)part;
	}
}

static bool is_closed(int fd)
{
	char c;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 20000), 1);
	return recv(fd, &c, 1, 0) <= 0;
}

static void wait_held(struct bench *b, size_t count)
{
	pthread_mutex_lock(&b->lock);
	while (b->held_count < count)
		pthread_cond_wait(&b->change, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

static void wait_answered(struct bench *b, size_t count)
{
	pthread_mutex_lock(&b->lock);
	while (b->answered < count)
		pthread_cond_wait(&b->change, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

static void answers_kept_alive_and_pipelined(void **state)
{
	(void)state;
	struct bench b;
	struct heard h;
	start(&b, 2, (struct server_limits){0});
	int fd = dial(&b);
	say(fd, "GET /a%20b?x=1&y=%2B HTTP/1.1\r\nHost: h\r\nX-TEST: v\r\n\r\n");
	hear(fd, &h);
	assert_int_equal(h.status, 200);
	assert_string_equal(h.body, "/a%20b|x=1&y=%2B|v|");
	assert_non_null(strstr(h.head, "X-Method: GET\r\n"));
	say(fd, "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET /q HTTP/1.1\r\nHost: h\r\n\r\n"
		"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
		"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nz");
	static const char *const bodies[] = {"/p|||hello", "/q|||", "/c|||abcde", "/early|||z"};
	for (size_t i = 0; i < 4; i++) {
		hear(fd, &h);
		assert_int_equal(h.status, 200);
		assert_string_equal(h.body, bodies[i]);
	}
	say(fd, "HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n");
	char text[1024];
	assert_true(hear_until(fd, text, sizeof(text), "\r\n\r\n"));
	assert_non_null(strstr(text, "Content-Length: 5\r\n"));
	say(fd, "GET http://host/abs?q HTTP/1.1\r\nHost: h\r\n\r\n");
	hear(fd, &h);
	assert_string_equal(h.body, "/abs|q||");
	assert_int_equal(b.heads, 7);
	close(fd);
	stop(&b);
}

struct answerer {
	struct bench *b;
	size_t count;
};

static void *answer_all(void *ctx)
{
	struct answerer *a = ctx;
	wait_held(a->b, a->count);
	for (size_t i = 0; i < a->count; i++)
		server_answer(a->b->held[i], 202, NULL, 0, a->b->held[i]->body);
	return NULL;
}

static void answers_from_another_thread(void **state)
{
	(void)state;
	struct bench b;
	struct heard h;
	int fds[32];
	start(&b, 2, (struct server_limits){0});
	struct answerer a = {&b, 32};
	pthread_t thread;
	pthread_create(&thread, NULL, answer_all, &a);
	for (size_t i = 0; i < 32; i++) {
		fds[i] = dial(&b);
		say(fds[i], "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok"
			    "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
	}
	for (size_t i = 0; i < 32; i++) {
		hear(fds[i], &h);
		assert_int_equal(h.status, 202);
		assert_string_equal(h.body, "ok");
		hear(fds[i], &h);
		assert_string_equal(h.body, "/next|||");
		close(fds[i]);
	}
	pthread_join(thread, NULL);
	stop(&b);
}

static void refuses_bad_requests(void **state)
{
	(void)state;
	static const struct {
		const char *request;
		int status;
		const char *body; /* NULL: the library's own */
	} rows[] = {
	    {"GET /a%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400, "code=bad_target"},
	    {"GET /a%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400, "code=bad_target"},
	    {"GET /?a=%2 HTTP/1.1\r\nHost: h\r\n\r\n", 400, "code=bad_target"},
	    {"GET /a\x80 HTTP/1.1\r\nHost: h\r\n\r\n", 400, "code=bad_target"},
	    {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 400, "code=bad_target"},
	    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
	     "code=bad_request"},
	    {"GET / HTTP/1.1\r\nHost: h\r\nX-A: a\001b\r\n\r\n", 400, "code=bad_request"},
	    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65\r\nExpect: 100-continue\r\n\r\n", 413,
	     "code=body_too_large"},
	    {"GET / HTTP/1.1\r\n\r\n", 400, NULL},
	    {"POST /denied HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 401, "no"},
	};
	struct bench b;
	start(&b, 1, (struct server_limits){.body_bytes = 64, .header_bytes = 1024});
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct heard h;
		int fd = dial(&b);
		say(fd, rows[i].request);
		hear(fd, &h);
		assert_int_equal(h.status, rows[i].status);
		if (rows[i].body)
			assert_string_equal(h.body, rows[i].body);
		close(fd);
	}
	char big[2000];
	snprintf(big, sizeof(big), "GET / HTTP/1.1\r\nHost: h\r\nX-Big: %01200d\r\n\r\n", 7);
	struct heard h;
	int fd = dial(&b);
	say(fd, big);
	hear(fd, &h);
	assert_int_equal(h.status, 431);
	assert_string_equal(h.body, "code=headers_too_large");
	close(fd);
	stop(&b);
}

/* The client gets its 413 although it sends everything before it listens; far too much is cut off. */
static void drains_then_413(void **state)
{
	(void)state;
	struct bench b;
	struct heard h;
	start(&b, 1, (struct server_limits){.body_bytes = 1 << 18});
	size_t n = 1 << 19;
	char *body = malloc(n);
	memset(body, 'x', n);
	for (int chunked = 0; chunked < 2; chunked++) {
		int fd = dial(&b);
		say(fd, chunked ? "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n80000\r\n"
				: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 524288\r\n\r\n");
		for (size_t at = 0; at < n;) {
			ssize_t part = send(fd, body + at, n - at, MSG_NOSIGNAL);
			assert_true(part > 0);
			at += (size_t)part;
		}
		if (chunked)
			say(fd, "\r\n0\r\n\r\n");
		hear(fd, &h);
		assert_int_equal(h.status, 413);
		assert_string_equal(h.body, "code=body_too_large");
		close(fd);
	}
	int fd = dial(&b);
	say(fd, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n");
	ssize_t part;
	do
		part = send(fd, body, n, MSG_NOSIGNAL);
	while (part > 0);
	close(fd);
	free(body);
	stop(&b);
}

static void closes_slow_clients(void **state)
{
	(void)state;
	static const char *const starts[] = {"", "GET / HTT", "POST / HTTP/1.1\r\nHost: h\r\n",
					     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"};
	struct bench b;
	start(&b, 1, (struct server_limits){.request_ms = 80, .idle_ms = 80});
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		int fd = dial(&b);
		say(fd, starts[i]);
		assert_true(is_closed(fd));
		close(fd);
	}
	stop(&b);
}

static void survives_a_client_lost_while_pending(void **state)
{
	(void)state;
	struct bench b;
	start(&b, 1, (struct server_limits){0});
	int fd = dial(&b);
	say(fd, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	wait_held(&b, 1);
	struct linger reset = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	server_answer(b.held[0], 200, NULL, 0, STR("nobody"));
	wait_answered(&b, 1);
	fd = dial(&b);
	say(fd, "GET /still HTTP/1.1\r\nHost: h\r\n\r\n");
	struct heard h;
	hear(fd, &h);
	assert_string_equal(h.body, "/still|||");
	close(fd);
	stop(&b);
}

static void answers_too_late_ones_itself(void **state)
{
	(void)state;
	struct bench b;
	struct heard h;
	start(&b, 1, (struct server_limits){.answer_ms = 60});
	int fd = dial(&b);
	say(fd, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	hear(fd, &h);
	assert_int_equal(h.status, 503);
	assert_string_equal(h.body, "code=answer_too_late");
	assert_true(is_closed(fd));
	close(fd);
	server_answer(b.held[0], 200, NULL, 0, STR("late"));
	stop(&b);
}

static void stops_while_pending(void **state)
{
	(void)state;
	struct bench b;
	struct heard h;
	start(&b, 2, (struct server_limits){0});
	int idle = dial(&b), fd[3];
	for (size_t i = 0; i < 3; i++) {
		fd[i] = dial(&b);
		say(fd[i], "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	}
	wait_held(&b, 3);
	server_stop(b.server, 20);
	for (size_t i = 0; i < 3; i++) {
		hear(fd[i], &h);
		assert_int_equal(h.status, 503);
		assert_string_equal(h.body, "code=answer_too_late");
		close(fd[i]);
	}
	close(idle);
	for (size_t i = 0; i < 3; i++)
		server_answer(b.held[i], 200, NULL, 0, STR("late"));
}

static void *stop_it(void *ctx)
{
	server_stop(((struct bench *)ctx)->server, 60000);
	return NULL;
}

/* What runs when the stop begins still gets its answer; what comes on the kept connection after it does not run. */
static void drains_before_it_stops(void **state)
{
	(void)state;
	struct bench b;
	struct heard h;
	pthread_t thread;
	start(&b, 1, (struct server_limits){0});
	int fd = dial(&b);
	say(fd, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	wait_held(&b, 1);
	int other = dial(&b);
	say(other, "GET /first HTTP/1.1\r\nHost: h\r\n\r\n");
	hear(other, &h);
	pthread_create(&thread, NULL, stop_it, &b);
	int status = 200;
	while (status == 200) { /* until the stop has begun */
		say(other, "GET /more HTTP/1.1\r\nHost: h\r\n\r\n");
		hear(other, &h);
		status = h.status;
	}
	/* One that was under way when the stop began has its answer, and the connection is closed behind it. */
	assert_true(status == 503 || status == 0);
	assert_string_equal(h.body, status ? "code=stopping" : "");
	server_answer(b.held[0], 200, NULL, 0, STR("in time"));
	hear(fd, &h);
	assert_int_equal(h.status, 200);
	assert_string_equal(h.body, "in time");
	pthread_join(thread, NULL);
	close(fd);
	close(other);
}

static struct server_stream *open_stream(struct bench *b, int fd)
{
	char text[2048];
	say(fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(hear_until(fd, text, sizeof(text), "\r\n\r\n"));
	pthread_mutex_lock(&b->lock);
	struct server_stream *st = b->stream;
	b->stream = NULL;
	pthread_mutex_unlock(&b->lock);
	assert_non_null(st);
	return st;
}

/* n bytes of a chunked body, in whatever chunks they come. */
static void hear_chunks(int fd, char *out, size_t n)
{
	char frame[32];
	for (size_t got = 0; got < n;) {
		assert_true(hear_until(fd, frame, sizeof(frame), "\r\n"));
		for (size_t left = strtoul(frame, NULL, 16); left > 0; left--, got++)
			assert_int_equal(recv(fd, out + got, 1, MSG_WAITALL), 1);
		assert_true(hear_until(fd, frame, sizeof(frame), "\r\n"));
	}
	out[n] = '\0';
}

static void wait_gone(struct server_stream *st)
{
	while (!server_stream_gone(st))
		sched_yield();
}

static void streams(void **state)
{
	(void)state;
	struct bench b;
	char text[4096];
	start(&b, 1, (struct server_limits){.stream_bytes = 1000, .idle_ms = 100});
	int fd = dial(&b);
	struct server_stream *st = open_stream(&b, fd);
	for (int i = 0; i < 500; i++) {
		char line[32];
		int n = snprintf(line, sizeof(line), "line %d.", i);
		assert_int_equal(server_stream_write(st, (struct str){line, (size_t)n}), RC_OK);
		hear_chunks(fd, text, (size_t)n);
		assert_string_equal(text, line);
	}
	server_stream_end(st, false);
	assert_true(hear_until(fd, text, sizeof(text), "0\r\n\r\n"));
	close(fd);

	/* A client that goes away is noticed although nothing is written. */
	fd = dial(&b);
	st = open_stream(&b, fd);
	close(fd);
	wait_gone(st);
	assert_int_equal(server_stream_write(st, STR("x")), RC_DENIED);
	server_stream_end(st, false);

	/* One that does not read fills the buffer, and can be cut off. */
	fd = dial(&b);
	st = open_stream(&b, fd);
	static char block[900];
	memset(block, 'b', sizeof(block));
	enum rc rc;
	do
		rc = server_stream_write(st, (struct str){block, sizeof(block)});
	while (rc == RC_OK || server_stream_backlog(st) < 101);
	assert_int_equal(rc, RC_LIMIT);
	server_stream_end(st, true);
	close(fd);

	/* A stop ends it. */
	fd = dial(&b);
	st = open_stream(&b, fd);
	stop(&b);
	assert_int_equal(server_stream_write(st, STR("x")), RC_DENIED);
	server_stream_end(st, false);
	close(fd);
}

static void refuses_bad_addresses(void **state)
{
	(void)state;
	static const char *const addresses[] = {"", "8080", ":80", "127.0.0.1", "127.0.0.1:http", "no such host:1"};
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct server_options o = {
		    .listen = addresses[i], .threads = 1, .clock = clock_system(), .handler = handle};
		struct server *s = NULL;
		struct err e = ERR_NONE;
		assert_int_equal(server_start(&o, &s, &e), RC_INVALID);
		assert_string_equal(e.code, "bad_listen_address");
	}
	struct bench b;
	start(&b, 1, (struct server_limits){0});
	char taken[32];
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", server_port(b.server));
	struct server_options o = {.listen = taken, .threads = 1, .clock = clock_system(), .handler = handle};
	struct server *s = NULL;
	struct err e = ERR_NONE;
	assert_int_equal(server_start(&o, &s, &e), RC_IO);
	stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_kept_alive_and_pipelined),
	    cmocka_unit_test(answers_from_another_thread),
	    cmocka_unit_test(refuses_bad_requests),
	    cmocka_unit_test(drains_then_413),
	    cmocka_unit_test(closes_slow_clients),
	    cmocka_unit_test(survives_a_client_lost_while_pending),
	    cmocka_unit_test(answers_too_late_ones_itself),
	    cmocka_unit_test(stops_while_pending),
	    cmocka_unit_test(drains_before_it_stops),
	    cmocka_unit_test(streams),
	    cmocka_unit_test(refuses_bad_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
