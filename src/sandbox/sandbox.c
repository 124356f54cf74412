/*
 * Servers, and one thread that sends the systems' own messages and gives late answers when their time has come. The
 * lock guards the list of late answers; a system has a lock of its own, and none is held while the other is taken. When
 * the sandbox ends, the thread goes first, so that a message is either sent or still in its system's outbox; then each
 * server is stopped, which waits for its handlers; what was late by then is let go.
 */
#include "sandbox/sandbox.h"

#include "base/mem.h"
#include "connect/transport/http.h"
#include "edge/server.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define TRANSFERS_MAX      64
#define TICK_MS            5
#define MESSAGE_TIMEOUT_MS 5000
#define DRAIN_MS           500

struct late_answer {
	struct late_answer *next;
	struct server_request *request;
	int64_t due_ms, retry_after_s;
	int status;
	struct buf body;
};

struct member {
	struct sandbox *sandbox;
	struct system *system;
	struct server *server;
};

struct outgoing {
	struct sandbox *sandbox;
	struct system_message *message;
};

struct sandbox {
	struct sandbox_options options;
	struct member members[SANDBOX_SYSTEMS_MAX];
	size_t count;
	pthread_mutex_t lock;
	struct late_answer *late;
	bool running;
	pthread_t thread;
	atomic_bool stopping;
	struct http *http;
	char *hub, *tenant, *authorization;
};

static int64_t now(const struct sandbox *b)
{
	return clock_wall_ms(b->options.clock);
}

/* ---- answers ---- */

static void hang_up(struct server_request *r)
{
	server_stream_end(server_stream_begin(r, 200, NULL, 0), true);
}

static void answer(struct server_request *r, int status, int64_t retry_after_s, struct str body)
{
	char seconds[24];
	int n = snprintf(seconds, sizeof(seconds), "%lld", (long long)retry_after_s);
	struct server_field fields[] = {
	    {"Content-Type", status >= 400 ? STR("application/problem+json") : STR("application/json")},
	    {"Retry-After", {seconds, (size_t)n}},
	};
	server_answer(r, status, fields, retry_after_s > 0 ? 2 : 1, body);
}

static void answer_later(struct sandbox *b, struct server_request *r, struct system_answer *a)
{
	struct late_answer *l = mem_alloc(sizeof(*l));
	*l = (struct late_answer){.request = r,
				  .due_ms = now(b) + a->delay_ms,
				  .retry_after_s = a->retry_after_s,
				  .status = a->status,
				  .body = a->body};
	pthread_mutex_lock(&b->lock);
	l->next = b->late;
	b->late = l;
	pthread_mutex_unlock(&b->lock);
}

static struct late_answer *take_late(struct sandbox *b, int64_t until_ms)
{
	struct late_answer *l;
	pthread_mutex_lock(&b->lock);
	struct late_answer **at = &b->late;
	while (*at && (*at)->due_ms > until_ms)
		at = &(*at)->next;
	l = *at;
	if (l)
		*at = l->next;
	pthread_mutex_unlock(&b->lock);
	return l;
}

static void give_late(struct sandbox *b, int64_t until_ms)
{
	for (struct late_answer *l; (l = take_late(b, until_ms)) != NULL;) {
		answer(l->request, l->status, l->retry_after_s, buf_str(&l->body));
		buf_done(&l->body);
		free(l);
	}
}

static enum server_next handle(void *ctx, struct server_request *r)
{
	struct member *m = ctx;
	struct system_request request = {.method = r->method,
					 .path = r->path,
					 .query = r->query,
					 .body = r->body,
					 .idempotency_key = server_header(r, "Idempotency-Key"),
					 .correlation_id = server_header(r, "Correlation-Id")};
	struct system_answer a = {0};
	buf_init(&a.body, SYSTEM_STATE_MAX);
	system_handle(m->system, &request, now(m->sandbox), &a);
	if (!a.hang_up && a.delay_ms > 0) {
		answer_later(m->sandbox, r, &a);
		return SERVER_PENDING;
	}
	if (a.hang_up)
		hang_up(r);
	else
		answer(r, a.status, a.retry_after_s, buf_str(&a.body));
	buf_done(&a.body);
	return SERVER_ANSWERED;
}

/* ---- the systems' own messages ---- */

static void sent(void *ctx, const struct http_answer *a)
{
	struct outgoing *o = ctx;
	system_message_done(o->message, a->status, now(o->sandbox));
	free(o);
}

static void start(struct sandbox *b, struct system_message *m)
{
	char url[1024];
	(void)snprintf(url, sizeof(url), "%s/in/%s/%s/%s", b->hub, b->tenant, m->system->name, m->type);
	struct http_header headers[] = {{STR("Authorization"), str_from(b->authorization)},
					{STR("Content-Type"), STR("application/json")}};
	struct http_request r = {.method = STR("POST"),
				 .url = str_from(url),
				 .headers = headers,
				 .header_count = 2,
				 .body = m->body,
				 .timeout_ms = MESSAGE_TIMEOUT_MS,
				 .connect_timeout_ms = MESSAGE_TIMEOUT_MS};
	struct outgoing *o = mem_alloc(sizeof(*o));
	*o = (struct outgoing){b, m};
	struct http_transfer *transfer;
	if (http_start(b->http, &r, sent, o, &transfer, NULL)) {
		free(o);
		system_message_done(m, 0, now(b));
	}
}

static void *work(void *ctx)
{
	struct sandbox *b = ctx;
	while (!atomic_load(&b->stopping)) {
		give_late(b, now(b));
		for (size_t i = 0; i < b->count; i++) {
			struct system_message *m;
			while (http_transfers(b->http) < TRANSFERS_MAX &&
			       (m = system_take(b->members[i].system, now(b))) != NULL)
				start(b, m);
		}
		http_run(b->http, TICK_MS, -1);
	}
	while (http_transfers(b->http) > 0)
		http_run(b->http, TICK_MS, -1);
	return NULL;
}

/* ---- the whole ---- */

struct sandbox *sandbox_new(const struct sandbox_options *o)
{
	struct sandbox *b = mem_zalloc(1, sizeof(*b));
	b->options = *o;
	pthread_mutex_init(&b->lock, NULL);
	return b;
}

void sandbox_free(struct sandbox *b)
{
	if (!b)
		return;
	atomic_store(&b->stopping, true);
	if (b->running)
		pthread_join(b->thread, NULL);
	for (size_t i = 0; i < b->count; i++) {
		give_late(b, INT64_MAX);
		server_stop(b->members[i].server, DRAIN_MS);
	}
	give_late(b, INT64_MAX);
	for (size_t i = 0; i < b->count; i++)
		system_free(b->members[i].system);
	if (b->http)
		http_free(b->http);
	pthread_mutex_destroy(&b->lock);
	free(b->hub);
	free(b->tenant);
	free(b->authorization);
	free(b);
}

enum rc sandbox_serve(struct sandbox *b, struct system *s, uint16_t port, struct err *e)
{
	char listen[64];
	assert(!b->running);
	if (b->count == SANDBOX_SYSTEMS_MAX || sandbox_find(b, s->name)) {
		enum rc rc = err_set(e, RC_INVALID, "bad_systems", "Systems need names of their own, at most %d.",
				     SANDBOX_SYSTEMS_MAX);
		system_free(s);
		return rc;
	}
	struct member *m = &b->members[b->count];
	*m = (struct member){.sandbox = b, .system = s};
	s->watch = b->options.watch;
	(void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", (unsigned)port);
	struct server_options o = {.listen = listen,
				   .threads = 1,
				   .limits = {.body_bytes = SYSTEM_BODY_MAX, .stream_bytes = 1024},
				   .clock = b->options.clock,
				   .ctx = m,
				   .handler = handle};
	enum rc rc = server_start(&o, &m->server, e);
	if (rc)
		system_free(s);
	else
		b->count++;
	return rc;
}

uint16_t sandbox_port(const struct sandbox *b, const char *name)
{
	for (size_t i = 0; i < b->count; i++)
		if (strcmp(b->members[i].system->name, name) == 0)
			return server_port(b->members[i].server);
	return 0;
}

size_t sandbox_count(const struct sandbox *b)
{
	return b->count;
}

struct system *sandbox_find(const struct sandbox *b, const char *name)
{
	for (size_t i = 0; i < b->count; i++)
		if (strcmp(b->members[i].system->name, name) == 0)
			return b->members[i].system;
	return NULL;
}

enum rc sandbox_start(struct sandbox *b, const char *hub, const char *tenant, const char *key, struct err *e)
{
	assert(!b->running);
	b->hub = strdup(hub);
	b->tenant = strdup(tenant);
	if (!b->hub || !b->tenant || asprintf(&b->authorization, "Bearer %s", key) < 0)
		abort();
	b->http = http_new("crossdock-sandbox");
	if (pthread_create(&b->thread, NULL, work, b) != 0)
		return err_set(e, RC_IO, "no_thread", "A thread could not be started.");
	b->running = true;
	return RC_OK;
}

bool sandbox_idle(const struct sandbox *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (!system_idle(b->members[i].system))
			return false;
	return true;
}
