/* Outbound: a delivery becomes a request. */
#include "mediate/pack_state.h"

#include <stdio.h>
#include <strings.h>

#define PATH_BYTES_MAX 4000
#define BODY_BYTES_MAX (16u << 20)
#define BODY_FIRST     ((size_t)4096 - 1) /* room at first: more than most need */

/* "settings.shop" -> the value in the input. */
static const struct json *find_named(const struct json *input, struct str name)
{
	const struct json *at = input;
	while (at && name.n) {
		const char *dot = memchr(name.p, '.', name.n);
		size_t n = dot ? (size_t)(dot - name.p) : name.n;
		at = json_get_str(at, (struct str){name.p, n});
		name.p += dot ? n + 1 : n;
		name.n -= dot ? n + 1 : n;
	}
	return at;
}

/* A dot segment would leave the path that the pack names. */
static bool is_dots(struct str s)
{
	return str_is(s, ".") || str_is(s, "..");
}

static enum rc expand_path(struct str path, const struct json *input, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < path.n; i++) {
		const char *end = path.p[i] == '{' ? memchr(path.p + i, '}', path.n - i) : NULL;
		if (!end) {
			buf_add_char(out, path.p[i]);
			continue;
		}
		struct str name = {path.p + i + 1, (size_t)(end - path.p) - i - 1};
		struct str value = json_text(find_named(input, name));
		if (!value.n || is_dots(value)) {
			char where[128];
			int n = snprintf(where, sizeof(where), "/" STR_FMT, STR_ARG(name));
			for (int k = 0; k < n && k < (int)sizeof(where); k++)
				where[k] = where[k] == '.' ? '/' : where[k];
			return err_set_at(e, RC_INVALID, "mapping_failed", where,
					  "the path needs %s, which the delivery does not have", where);
		}
		buf_add_percent(out, value);
		i = (size_t)(end - path.p);
	}
	return RC_OK;
}

static enum rc too_large(struct err *e)
{
	return err_set(e, RC_LIMIT, "request_too_large", "the request does not fit its memory");
}

static enum rc set_path(struct str path, const struct json *input, struct arena *arena, struct pack_request *out,
			struct err *e)
{
	struct buf text;
	buf_init(&text, PATH_BYTES_MAX);
	enum rc rc = expand_path(path, input, &text, e);
	if (rc == RC_OK && !buf_ok(&text))
		rc = err_set(e, RC_LIMIT, "request_too_large", "the request's path is longer than %d bytes",
			     PATH_BYTES_MAX);
	if (rc == RC_OK) {
		out->path = arena_copy(arena, buf_str(&text));
		rc = out->path.p ? RC_OK : too_large(e);
	}
	buf_done(&text);
	return rc;
}

static enum rc set_body(const struct json *body, struct arena *arena, struct pack_request *out, struct err *e)
{
	struct buf text;
	buf_init(&text, BODY_BYTES_MAX);
	(void)buf_reserve(&text, BODY_FIRST);
	json_write(&text, body);
	enum rc rc = buf_ok(&text) ? RC_OK : too_large(e);
	if (rc == RC_OK) {
		out->body = arena_copy(arena, buf_str(&text));
		rc = out->body.p ? RC_OK : too_large(e);
	}
	buf_done(&text);
	return rc;
}

/* A header from data must not be able to start another one. */
static bool is_header_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
			return false;
	return s.p != NULL;
}

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 127 ||
		    strchr("()<>@,;:\\\"/[]?={}", s.p[i]))
			return false;
	return s.n > 0;
}

/* Those that say where a request ends or goes are the transport's. */
static bool is_reserved(struct str name)
{
	static const char *const names[] = {"host", "content-length", "transfer-encoding", "connection", "upgrade",
					    "te",   "trailer"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i]) == name.n && strncasecmp(names[i], name.p, name.n) == 0)
			return true;
	return false;
}

static enum rc set_headers(const struct operation_plan *plan, const struct json *more, bool has_body,
			   struct arena *arena, struct pack_request *out, struct err *e)
{
	size_t count = json_is(more, JSON_OBJECT) ? more->count : 0;
	out->headers = arena_array(arena, struct pack_header, plan->header_count + count + 1);
	if (!out->headers)
		return too_large(e);
	if (has_body)
		out->headers[out->header_count++] = (struct pack_header){STR("Content-Type"), plan->content_type};
	for (size_t i = 0; i < plan->header_count; i++)
		out->headers[out->header_count++] = plan->headers[i];
	for (size_t i = 0; i < count; i++) {
		struct pack_header h = {more->members[i].name, json_text(&more->members[i].value)};
		if (!is_token(h.name) || is_reserved(h.name) || !is_header_text(h.value))
			return err_set_at(e, RC_INVALID, "mapping_failed", "/headers",
					  "a header's name is not a pack's to set, or it has characters it may not");
		out->headers[out->header_count++] = h;
	}
	return RC_OK;
}

static bool is_method(struct str s)
{
	return str_is(s, "GET") || str_is(s, "POST") || str_is(s, "PUT") || str_is(s, "PATCH") || str_is(s, "DELETE");
}

/* The mapping's result is the request itself: {method?, path?, headers?, body? | text?}. */
static enum rc from_result(const struct operation_plan *plan, const struct json *result, struct arena *arena,
			   struct pack_request *out, struct err *e)
{
	struct str method = json_get_text(result, "method"), path = json_get_text(result, "path");
	struct str text = json_get_text(result, "text");
	const struct json *body = json_get(result, "body");
	if (!json_is(result, JSON_OBJECT))
		return err_set(e, RC_INVALID, "mapping_failed",
			       "the mapping's result is not a request {method, path, headers, body}");
	if (method.p && !is_method(method))
		return err_set_at(e, RC_INVALID, "mapping_failed", "/method",
				  "the method is none of GET, POST, PUT, PATCH, DELETE");
	if (path.p && (path.n == 0 || path.p[0] != '/' || path.n > PATH_BYTES_MAX || !is_header_text(path) ||
		       memchr(path.p, ' ', path.n)))
		return err_set_at(e, RC_INVALID, "mapping_failed", "/path", "a path begins with / and has no spaces");
	if (method.p)
		out->method = method;
	if (path.p)
		out->path = path;
	out->body = text;
	enum rc rc = body ? set_body(body, arena, out, e) : RC_OK;
	return rc == RC_OK ? set_headers(plan, json_get(result, "headers"), out->body.p != NULL, arena, out, e) : rc;
}

enum rc pack_render(const struct pack *p, struct mediator *m, enum operation op, const struct json *input,
		    struct arena *arena, struct pack_request *out, struct err *e)
{
	const struct operation_plan *plan = &pack_state(p)->plans[op];
	*out = (struct pack_request){0};
	if (!p->operations[op].present)
		return err_set(e, RC_INVALID, "operation_not_supported",
			       "the connector " STR_FMT " has no operation %s", STR_ARG(p->name), operation_name(op));
	out->method = str_from(plan->method);
	enum rc rc = set_path(plan->path, input, arena, out, e);
	if (rc != RC_OK)
		return rc;
	struct json *result = NULL;
	const struct json *body = NULL;
	switch (plan->body) {
	case BODY_NONE:
		break;
	case BODY_DOCUMENT:
	case BODY_PARAMS:
		body = json_get(input, plan->body == BODY_DOCUMENT ? "document" : "params");
		if (!body)
			return err_set_at(e, RC_INVALID, "mapping_failed",
					  plan->body == BODY_DOCUMENT ? "/document" : "/params",
					  "the delivery does not have it");
		break;
	case BODY_MAP:
	case BODY_REQUEST_MAP:
		rc = mediator_call(m, plan->map.map, plan->map.name, input, arena, &result, e);
		if (rc != RC_OK)
			return rc;
		if (plan->body == BODY_REQUEST_MAP)
			return from_result(plan, result, arena, out, e);
		body = result;
		break;
	}
	rc = body ? set_body(body, arena, out, e) : RC_OK;
	return rc == RC_OK ? set_headers(plan, NULL, body != NULL, arena, out, e) : rc;
}

enum rc pack_render_lookup(const struct pack *p, struct mediator *m, enum operation op, const struct json *input,
			   struct arena *arena, struct pack_request *out, struct err *e)
{
	(void)m;
	const struct operation_plan *plan = &pack_state(p)->plans[op];
	*out = (struct pack_request){.method = STR("GET")};
	if (!p->operations[op].has_lookup)
		return err_set(e, RC_INVALID, "operation_not_supported", "the connector " STR_FMT " cannot look up %s",
			       STR_ARG(p->name), operation_name(op));
	enum rc rc = set_path(plan->lookup_path, input, arena, out, e);
	return rc == RC_OK ? set_headers(plan, NULL, false, arena, out, e) : rc;
}
