#include "edge/exchange.h"
#include "edge/handlers.h"
#include "edge/streams.h"

#define TYPE_BYTES_MAX 200

enum { AFTER, TYPE, LIMIT, COUNT };

static enum rc read_parameters(struct exchange *x, struct parameter *p, size_t count, int64_t *after, struct err *e)
{
	enum rc rc = exchange_parameters(x, p, count, e);
	if (rc == RC_OK)
		rc = parameter_int(&p[AFTER], 0, INT64_MAX, 0, after, e);
	for (size_t i = 0; rc == RC_OK && i < p[TYPE].many_count; i++)
		if (p[TYPE].many[i].n == 0 || p[TYPE].many[i].n > TYPE_BYTES_MAX)
			rc = err_set(e, RC_INVALID, "bad_parameter", "\"type\" is the name of an event type.");
	return rc;
}

enum server_next events_list(struct exchange *x)
{
	struct str types[STREAM_TYPES_MAX];
	struct parameter p[COUNT] = {
	    {.name = "after"}, {.name = "type", .many = types, .many_max = STREAM_TYPES_MAX}, {.name = "limit"}};
	struct reading r;
	struct err e = ERR_NONE;
	int64_t after, limit, last;
	if (read_parameters(x, p, COUNT, &after, &e) != RC_OK ||
	    parameter_int(&p[LIMIT], 1, 1000, 100, &limit, &e) != RC_OK)
		return exchange_fail(x, &e);
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = query_events(&r.query, after, types, p[TYPE].many_count, (uint32_t)limit, &r.out, &last, &e);
	return reading_end(x, &r, rc, &e);
}

/* Last-Event-ID goes before ?after=, because a client that resumes sends the address it began with. */
enum server_next events_stream(struct exchange *x)
{
	struct str types[STREAM_TYPES_MAX];
	struct parameter p[LIMIT] = {{.name = "after"}, {.name = "type", .many = types, .many_max = STREAM_TYPES_MAX}};
	struct parameter resume = {.name = "Last-Event-ID", .value = server_header(x->request, "Last-Event-ID")};
	struct err e = ERR_NONE;
	int64_t after;
	resume.given = resume.value.n > 0;
	if (read_parameters(x, p, LIMIT, &after, &e) != RC_OK ||
	    parameter_int(&resume, 0, INT64_MAX, after, &after, &e) != RC_OK)
		return exchange_fail(x, &e);
	if (!p[AFTER].given && !resume.given)
		after = hub_position(x->hub);
	if (!streams_reserve(x->edge->streams))
		return exchange_refuse(x, "too_many_streams", "All places for event streams are taken.");
	const struct server_field fields[] = {
	    {"Content-Type", STR("text/event-stream")},
	    {"Cache-Control", STR("no-store")},
	    {"Correlation-Id", x->correlation_id},
	    {"X-Accel-Buffering", STR("no")},
	};
	struct server_stream *stream = server_stream_begin(x->request, 200, fields, 4);
	if (server_stream_write(stream, STR("retry: 2000\n\n")) != RC_OK)
		server_stream_gone(stream); /* the streams' thread finds out */
	streams_add(x->edge->streams, x->hub, stream, after, types, p[TYPE].many_count);
	return SERVER_ANSWERED;
}
