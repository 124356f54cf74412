#include "edge/exchange.h"
#include "observe/log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define OWN_FIELDS 6
#define FIELDS_MAX 16

struct fields {
	struct server_field list[FIELDS_MAX];
	size_t count;
	char rate[96], policy[64], wait[16];
};

static void add(struct fields *f, const char *name, struct str value)
{
	assert(f->count < FIELDS_MAX);
	f->list[f->count++] = (struct server_field){name, value};
}

static void add_rate(struct fields *f, const struct exchange *x)
{
	if (x->rate.limit == 0)
		return;
	snprintf(f->policy, sizeof(f->policy), "\"key\";q=%u;w=1", x->rate.limit);
	snprintf(f->rate, sizeof(f->rate), "\"key\";r=%u;t=1", x->rate.left);
	add(f, "RateLimit-Policy", str_from(f->policy));
	add(f, "RateLimit", str_from(f->rate));
}

enum server_next exchange_answer_as(struct exchange *x, int status, const char *type, struct str body,
				    const struct server_field *fields, size_t count)
{
	struct fields f = {.count = 0};
	add(&f, "Content-Type", str_from(type));
	for (size_t i = 0; i < count; i++)
		add(&f, fields[i].name, fields[i].value);
	server_answer(x->request, status, f.list, f.count, body);
	return SERVER_ANSWERED;
}

static enum server_next answer(struct exchange *x, int status, const char *type, struct str body,
			       const struct server_field *fields, size_t count)
{
	struct fields f = {.count = 0};
	assert(count + OWN_FIELDS <= FIELDS_MAX);
	if (status != 204)
		add(&f, "Content-Type", str_from(type));
	add(&f, "Correlation-Id", x->correlation_id);
	add(&f, "Cache-Control", STR("no-store"));
	add_rate(&f, x);
	if (status == 429 || status == 503) {
		snprintf(f.wait, sizeof(f.wait), "%u", x->rate.wait_s ? x->rate.wait_s : 1);
		add(&f, "Retry-After", str_from(f.wait));
	}
	for (size_t i = 0; i < count; i++)
		add(&f, fields[i].name, fields[i].value);
	server_answer(x->request, status, f.list, f.count, body);
	return SERVER_ANSWERED;
}

enum server_next exchange_answer(struct exchange *x, int status, struct str body, const struct server_field *fields,
				 size_t count)
{
	return answer(x, status, status >= 400 ? PROBLEM_TYPE : "application/json", body, fields, count);
}

enum server_next exchange_problem(struct exchange *x, const struct problem *p)
{
	struct problem full = *p;
	struct buf out;
	struct server_field field = {"WWW-Authenticate", STR("Bearer realm=\"crossdock\"")};
	full.instance = x->request->path;
	full.correlation_id = x->correlation_id;
	buf_init(&out, 1 << 20);
	int status = problem_write(&out, &full);
	enum server_next next = exchange_answer(x, status, buf_str(&out), &field, status == 401);
	buf_done(&out);
	return next;
}

static const char *code_of_class(enum rc rc)
{
	switch (rc) {
	case RC_INVALID:
	case RC_REJECT:
	case RC_CONFLICT:
		return "validation_failed";
	case RC_NOT_FOUND:
		return "not_found";
	case RC_DENIED:
		return "insufficient_scope";
	case RC_LIMIT:
		return "body_too_large";
	case RC_RETRY:
		return "busy";
	case RC_IO:
		return "store_unavailable";
	case RC_UNKNOWN:
		return "outcome_unknown";
	case RC_OK:
		break;
	}
	return "internal";
}

enum server_next exchange_fail(struct exchange *x, const struct err *e)
{
	const char *code = problem_find(e->code) ? problem_find(e->code)->code : code_of_class(e->rc);
	struct problem p = {.code = code, .detail = str_from(e->detail), .where = e->where[0] ? e->where : NULL};
	if (e->rc == RC_IO || e->rc == RC_UNKNOWN) {
		/* The cause may name files and hosts: it is for the log. */
		log_err(LOG_ERROR, "edge", x->route->name, e);
		p.detail = STR_NONE;
		p.where = NULL;
	}
	return exchange_problem(x, &p);
}

enum server_next exchange_refuse(struct exchange *x, const char *code, const char *format, ...)
{
	char detail[512];
	va_list args;
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	return exchange_problem(x, &(struct problem){.code = code, .detail = str_from(detail)});
}

enum server_next exchange_wrong(struct exchange *x, const char *code, const char *pointer, const char *format, ...)
{
	char detail[512];
	va_list args;
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	return exchange_problem(x, &(struct problem){.code = code, .detail = str_from(detail), .where = pointer});
}

enum server_next exchange_invalid(struct exchange *x, const struct findings *f)
{
	char detail[96];
	snprintf(detail, sizeof(detail), "%zu thing%s in the body %s wrong.", f->count + f->more,
		 f->count + f->more == 1 ? "" : "s", f->count + f->more == 1 ? "is" : "are");
	struct problem p = {.code = "validation_failed", .detail = str_from(detail), .findings = f};
	return exchange_problem(x, &p);
}
