/* What an operator sees and does: systems, deliveries, dead letters, exceptions, traces. */
#include "edge/exchange.h"
#include "edge/handlers.h"

/* A query about the thing that the path names. */
static enum server_next read_one(struct exchange *x,
				 enum rc (*read)(struct query *, struct str, struct buf *, struct err *))
{
	struct reading r;
	struct err e = ERR_NONE;
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = read(&r.query, x->params[0], &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next systems_get(struct exchange *x)
{
	return read_one(x, query_system);
}

enum server_next deliveries_get(struct exchange *x)
{
	return read_one(x, query_delivery);
}

enum server_next dead_letters_get(struct exchange *x)
{
	return read_one(x, query_dead_letter);
}

enum server_next trace_get(struct exchange *x)
{
	return read_one(x, query_trace);
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

/* A list with two filters: `system`, and `other` unless that is NULL. */
static enum server_next read_list(struct exchange *x, const char *other,
				  enum rc (*read)(struct query *, struct str, struct str, const struct query_page *,
						  struct buf *, struct err *))
{
	struct parameter p[] = {{.name = "limit"}, {.name = "cursor"}, {.name = "system"}, {.name = other}};
	struct reading r;
	struct err e = ERR_NONE;
	int64_t limit;
	if (exchange_parameters(x, p, 4, &e) != RC_OK || parameter_int(&p[0], 1, 1000, 100, &limit, &e) != RC_OK)
		return exchange_fail(x, &e);
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	const struct query_page page = {(uint32_t)limit, p[1].value};
	enum rc rc = read(&r.query, p[2].value, p[3].value, &page, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next deliveries_list(struct exchange *x)
{
	return read_list(x, "status", query_deliveries);
}

enum server_next dead_letters_list(struct exchange *x)
{
	return read_list(x, "class", query_dead_letters);
}

enum server_next exceptions_list(struct exchange *x)
{
	struct parameter p[] = {{.name = "limit"}, {.name = "cursor"}};
	struct reading r;
	struct err e = ERR_NONE;
	int64_t limit;
	if (exchange_parameters(x, p, 2, &e) != RC_OK || parameter_int(&p[0], 1, 1000, 100, &limit, &e) != RC_OK)
		return exchange_fail(x, &e);
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	const struct query_page page = {(uint32_t)limit, p[1].value};
	enum rc rc = query_exceptions(&r.query, &page, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

static enum server_next read_all(struct exchange *x, enum rc (*read)(struct query *, struct buf *, struct err *))
{
	struct reading r;
	struct err e = ERR_NONE;
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = read(&r.query, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next systems_list(struct exchange *x)
{
	return read_all(x, query_systems);
}

enum server_next overview(struct exchange *x)
{
	return read_all(x, query_overview);
}

enum server_next audit(struct exchange *x)
{
	return read_all(x, query_audit);
}
