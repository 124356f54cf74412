/*
 * From a request to the hub and back. The command is filled on the listener's thread; once hub_submit has taken it, the
 * exchange and the request's arena belong to `done`, on the writer's thread, until it has answered: it may run before
 * hub_submit returns.
 */
#include "edge/exchange.h"

#define FULL_WAIT_S 30

static bool visible(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	return true;
}

/* Method, target, caller and raw body. */
static uint64_t request_fingerprint(struct exchange *x)
{
	const struct server_request *r = x->request;
	struct buf text;
	buf_init(&text, 64 * 1024);
	buf_add_str(&text, r->method);
	buf_add_char(&text, ' ');
	buf_add_str(&text, r->path);
	buf_add_char(&text, '?');
	buf_add_str(&text, r->query);
	buf_printf(&text, "\n%s\n%016llx", x->principal.id,
		   (unsigned long long)hash64(&command_fingerprint_key, r->body));
	uint64_t h = hash64(&command_fingerprint_key, buf_str(&text));
	buf_done(&text);
	return h;
}

/* Prefer: wait=N (RFC 7240, section 4.3). */
static bool prefers_wait(const struct server_request *r)
{
	struct str s = server_header(r, "Prefer");
	for (size_t i = 0; i + 6 <= s.n; i++)
		if (memcmp(s.p + i, "wait=", 5) == 0 && s.p[i + 5] > '0' && s.p[i + 5] <= '9')
			return true;
	return false;
}

struct command *exchange_command(struct exchange *x, enum command_type type)
{
	struct str key = server_header(x->request, "Idempotency-Key");
	if (key.n > 1 && key.p[0] == '"' && key.p[key.n - 1] == '"')
		key = (struct str){key.p + 1, key.n - 2}; /* the draft's sf-string */
	if (key.n > 255 || !visible(key) || (key.p && key.n == 0)) {
		exchange_refuse(x, "bad_idempotency_key", "Idempotency-Key is 1 to 255 visible ASCII characters.");
		return NULL;
	}
	struct command *c = command_new(type);
	c->correlation_id = arena_copy(&c->arena, x->correlation_id);
	c->traceparent = arena_copy(&c->arena, x->traceparent);
	c->source = arena_copy(&c->arena, str_from(x->principal.system[0] ? x->principal.system : x->principal.id));
	if (key.n) {
		c->idempotency_key = arena_copy(&c->arena, key);
		c->request_fingerprint = request_fingerprint(x);
	}
	c->wait_decision = prefers_wait(x->request);
	return c;
}

static void answer_problem(struct exchange *x, const struct command *c)
{
	const struct answer *a = &c->answer;
	struct problem p = {.code = a->code ? a->code : "internal",
			    .status = a->status,
			    .instance = x->request->path,
			    .correlation_id = x->correlation_id};
	struct json *said = NULL;
	struct buf out;
	if (a->body.n && json_parse(x->request->arena, a->body, NULL, &said, NULL) != RC_OK)
		said = NULL;
	buf_init(&out, 4 << 20);
	problem_complete(&out, &p, said);
	const struct server_field replayed = {"Idempotency-Replayed", STR("true")};
	exchange_answer(x, a->status, buf_str(&out), &replayed, a->replayed);
	buf_done(&out);
}

void exchange_command_done(struct command *c, void *ctx)
{
	struct exchange *x = ctx;
	const struct server_field replayed = {"Idempotency-Replayed", STR("true")};
	if (c->answer.status >= 400)
		answer_problem(x, c);
	else
		exchange_answer(x, c->answer.status, c->answer.body, &replayed, c->answer.replayed);
	command_free(c);
}

bool exchange_orders_refused(struct exchange *x)
{
	const struct config_system *full = hub_full_erp(x->hub);
	if (!full)
		return false;
	x->rate.wait_s = FULL_WAIT_S;
	exchange_refuse(x, "destination_full", "More waits for the system " STR_FMT " than it may; come again later.",
			STR_ARG(full->name));
	return true;
}

enum server_next exchange_submit(struct exchange *x, struct command *c)
{
	return exchange_submit_to(x, c, exchange_command_done);
}

enum server_next exchange_submit_to(struct exchange *x, struct command *c, void (*done)(struct command *c, void *ctx))
{
	c->done = done;
	c->ctx = x;
	enum rc rc = hub_submit(x->hub, c);
	if (rc == RC_OK)
		return SERVER_PENDING;
	command_free(c);
	if (rc == RC_LIMIT)
		return exchange_refuse(x, "busy", "Too many commands are waiting; nothing was taken.");
	return exchange_refuse(x, "not_ready", "The store cannot commit now; nothing was taken.");
}

enum server_next exchange_drop(struct exchange *x, struct command *c, const struct err *e)
{
	enum server_next next = exchange_fail(x, e);
	command_free(c);
	return next;
}
