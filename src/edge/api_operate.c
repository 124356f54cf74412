/* What an operator sees and does: systems, deliveries, dead letters, exceptions, traces. */
#include "connect/connect.h"
#include "edge/exchange.h"
#include "edge/handlers.h"

/* A backlog that is older than this is late. */
#define LATE_MS 30000

/* ---- systems ---- */

static const char *breaker_of(const struct delivery_view *v)
{
	if (strcmp(v->state, "backing_off") != 0 && strcmp(v->state, "stopped") != 0)
		return "closed";
	return v->in_flight ? "half_open" : "open";
}

/* Of single operations, those that are not closed. */
static void write_breakers(struct json_writer *w, const struct delivery_view *v)
{
	jw_key(w, "breakers");
	jw_object(w);
	for (int op = 0; op < OPERATIONS; op++)
		if (v->breakers[op] != BREAKER_CLOSED)
			jw_key_text(w, operation_name((enum operation)op),
				    str_from(breaker_state_name(v->breakers[op])));
	jw_object_end(w);
}

static void write_rates(struct json_writer *w, const struct delivery_view *v)
{
	jw_key(w, "rates");
	jw_object(w);
	jw_key_int(w, "requests_per_minute", v->sent_per_minute);
	jw_key_int(w, "delivered_per_minute", v->delivered_per_minute);
	jw_object_end(w);
}

static void write_waiting(struct json_writer *w, const struct delivery_view *v)
{
	jw_key(w, "in_memory");
	jw_object(w);
	for (int p = 0; p < PRIORITIES; p++)
		jw_key_int(w, delivery_priority_name((enum delivery_priority)p), v->waiting_of[p]);
	jw_object_end(w);
}

static const char *health_of(const struct delivery_view *v, int64_t oldest_age_ms)
{
	if (strcmp(v->state, "running") == 0)
		return oldest_age_ms > LATE_MS ? "late" : "good";
	return strcmp(v->state, "paused") == 0 || strcmp(v->state, "maintenance") == 0 ? v->state : "failing";
}

static void write_time(struct json_writer *w, const char *name, int64_t at)
{
	if (at)
		jw_key_time(w, name, at);
}

/* What the delivery engine knows of a system. */
static void write_live(void *ctx, const struct hub *h, const struct config_system *s, int64_t oldest_age_ms,
		       struct json_writer *w)
{
	struct delivery_view v;

	if (!connect_delivery(ctx, h, s->index, &v))
		return;
	jw_key_text(w, "health", str_from(health_of(&v, oldest_age_ms)));
	jw_key_text(w, "state", str_from(v.state));
	write_time(w, "state_since", v.state_since);
	jw_key_text(w, "breaker", str_from(breaker_of(&v)));
	write_breakers(w, &v);
	write_rates(w, &v);
	jw_key_int(w, "slots", v.slots);
	jw_key_bool(w, "catching_up", v.catching_up);
	jw_key_bool(w, "backlog_over_limit", v.crowded);
	write_time(w, "maintenance_until", v.maintenance_until == INT64_MAX ? 0 : v.maintenance_until);
	jw_key_int(w, "in_flight", v.in_flight);
	jw_key_int(w, "waiting", v.waiting);
	jw_key_bool(w, "waiting_more", v.more);
	write_waiting(w, &v);
	jw_key_int(w, "failures", v.failures);
	write_time(w, "next_attempt_at", v.next_attempt_at);
	write_time(w, "last_success_at", v.last_success_at);
	write_time(w, "last_failure_at", v.last_failure_at);
	jw_opt_text(w, "last_failure", str_from(v.last_failure));
}

static struct query_live live_of(const struct exchange *x)
{
	return (struct query_live){write_live, x->edge->connect};
}

enum server_next systems_get(struct exchange *x)
{
	const struct query_live live = live_of(x);
	struct reading r;
	struct err e = ERR_NONE;
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = query_system(&r.query, x->params[0], live.ctx ? &live : NULL, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next systems_list(struct exchange *x)
{
	const struct query_live live = live_of(x);
	struct reading r;
	struct err e = ERR_NONE;
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = query_systems(&r.query, live.ctx ? &live : NULL, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next deliveries_get(struct exchange *x)
{
	return reading_one(x, query_delivery);
}

enum server_next dead_letters_get(struct exchange *x)
{
	return reading_one(x, query_dead_letter);
}

enum server_next trace_get(struct exchange *x)
{
	return reading_one(x, query_trace);
}

static enum server_next switch_system(struct exchange *x, enum command_type type)
{
	if (!config_find_system(x->tenant, x->params[0]))
		return exchange_refuse(x, "system_not_found", "The tenant has no such system.");
	struct command *c = exchange_command(x, type);
	if (!c)
		return SERVER_ANSWERED;
	c->target = arena_copy(&c->arena, x->params[0]);
	if (x->request->body.n) {
		struct err e = ERR_NONE;
		const struct json *doc;
		if (exchange_document(x, &c->arena, &doc, &e) != RC_OK)
			return exchange_drop(x, c, &e);
		const struct json *reason = json_get(doc, "reason");
		if (!json_is(doc, JSON_OBJECT) || doc->count > (reason != NULL) ||
		    (reason && (!json_is(reason, JSON_STRING) || reason->count > 300))) {
			command_free(c);
			return exchange_wrong(x, "validation_failed", "", "The body is {\"reason\": text}.");
		}
		c->reason = json_text(reason);
	}
	return exchange_submit(x, c);
}

enum server_next systems_pause(struct exchange *x)
{
	return switch_system(x, COMMAND_SYSTEM_PAUSE);
}

enum server_next systems_resume(struct exchange *x)
{
	return switch_system(x, COMMAND_SYSTEM_RESUME);
}

enum server_next deliveries_list(struct exchange *x)
{
	struct parameter p[] = {{.name = "limit"}, {.name = "cursor"}, {.name = "system"}, {.name = "status"}};
	struct reading r;
	struct query_page page;
	struct err e = ERR_NONE;
	if (!reading_begin_page(x, p, 4, &r, &page))
		return SERVER_ANSWERED;
	enum rc rc = query_deliveries(&r.query, p[2].value, p[3].value, &page, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next dead_letters_list(struct exchange *x)
{
	struct parameter p[] = {{.name = "limit"}, {.name = "cursor"},    {.name = "system"},
				{.name = "class"}, {.name = "operation"}, {.name = "status"}};
	struct reading r;
	struct query_page page;
	struct err e = ERR_NONE;
	if (!reading_begin_page(x, p, 6, &r, &page))
		return SERVER_ANSWERED;
	const struct query_dead_letters by = {p[2].value, p[3].value, p[4].value, p[5].value};
	enum rc rc = query_dead_letters(&r.query, &by, &page, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next exceptions_list(struct exchange *x)
{
	return reading_page(x, query_exceptions);
}

enum server_next overview(struct exchange *x)
{
	return reading_all(x, query_overview);
}

enum server_next audit(struct exchange *x)
{
	return reading_all(x, query_audit);
}
