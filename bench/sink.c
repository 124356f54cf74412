/*
 * bench_sink [--threads N] [--marks FILE]: a server on edge/server.h without a store, on a free port of 127.0.0.1.
 *
 * It reads each request whole and answers: POST /v1/orders as intake does (the HTTP library's ceiling), POST /orders as
 * an ERP does, noting in FILE when each order came first; anything else as a system that agrees. Ends on SIGTERM.
 */
#include "edge/server.h"
#include "marks.h"

#include <err.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EXTERNAL_ID "\"external_id\":\""
#define ID_TAIL     (sizeof(MARKS_PLACEHOLDER) - 1)

static const struct server_field json_field = {"Content-Type", STR("application/json")};

static void note_number(struct mark *marks, const char *tail, int64_t now)
{
	uint32_t number = 0;
	for (size_t i = 2 + MARKS_TAG; i < ID_TAIL; i++) {
		if (tail[i] < '0' || tail[i] > '9')
			return;
		number = number * 10 + (uint32_t)(tail[i] - '0');
	}
	int64_t never = 0;
	if (number < MARKS_MAX)
		atomic_compare_exchange_strong(&marks[number].arrived_ns, &never, now);
}

/* Of all external ids in the body (the customer has one too), the one that ends as ours do. */
static void note_order(struct mark *marks, struct str body, int64_t now)
{
	const char *at = body.p, *end = body.p + body.n;
	while ((at = memmem(at, (size_t)(end - at), EXTERNAL_ID, sizeof(EXTERNAL_ID) - 1)) != NULL) {
		at += sizeof(EXTERNAL_ID) - 1;
		const char *quote = memchr(at, '"', (size_t)(end - at));
		if (!quote)
			return;
		if ((size_t)(quote - at) > ID_TAIL && memcmp(quote - ID_TAIL, "-b", 2) == 0)
			note_number(marks, quote - ID_TAIL, now);
		at = quote;
	}
}

static enum server_next answer(void *ctx, struct server_request *r)
{
	struct mark *marks = ctx;
	struct str body = STR("{}");
	int status = 200;
	if (str_is(r->method, "GET")) {
		body = STR("{\"items\":[]}");
	} else if (str_is(r->path, "/v1/orders")) {
		status = 202;
		body = STR("{\"order_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"correlation_id\":"
			   "\"01890a5d-ac96-774b-bcce-b302099a8058\",\"status\":\"captured\"}");
	} else if (str_is(r->path, "/orders")) {
		status = 201;
		body = STR("{\"external_id\":\"SO-1\"}");
		if (marks)
			note_order(marks, r->body, marks_now());
	}
	server_answer(r, status, &json_field, 1, body);
	return SERVER_ANSWERED;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {{"threads", 1, NULL, 't'}, {"marks", 1, NULL, 'm'}, {NULL, 0, NULL, 0}};
	struct server_options options = {
	    .listen = "127.0.0.1:0", .threads = 1, .clock = clock_system(), .handler = answer};
	struct server *s;
	struct err e = ERR_NONE;
	sigset_t signals;
	int number;
	for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		if (o == 't')
			options.threads = (unsigned)strtol(optarg, NULL, 10);
		else if (o == 'm')
			options.ctx = marks_open(optarg);
		else
			return 2;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (options.threads < 1 || server_start(&options, &s, &e))
		errx(1, "%s", e.detail);
	printf("listening on http://127.0.0.1:%u\n", server_port(s));
	fflush(stdout);
	sigwait(&signals, &number);
	server_stop(s, 1000);
	return 0;
}
