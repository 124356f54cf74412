/* Answers: good ones are JSON as the API has it, refusals are problems that the edge completes with type and instance.
 */
#include "hub/state.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

struct answer answer_json(int status, struct str body)
{
	return (struct answer){.status = status, .body = body};
}

struct answer answer_fields(struct arena *a, int status, ...)
{
	struct json_writer w;
	struct str body;
	struct buf b;
	const char *name;
	va_list args;

	buf_init(&b, 64 << 10);
	jw_init(&w, &b);
	jw_object(&w);
	va_start(args, status);
	while ((name = va_arg(args, const char *)))
		jw_opt_text(&w, name, va_arg(args, struct str));
	va_end(args);
	jw_object_end(&w);
	body = arena_copy(a, buf_str(&b));
	buf_done(&b);
	return answer_json(status, body);
}

static struct answer problem(struct arena *a, int status, const char *code, const char *where, struct str detail)
{
	struct json_writer w;
	struct buf b;
	struct str body;

	buf_init(&b, 64 << 10);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key_text(&w, "code", str_from(code));
	jw_key_text(&w, "detail", detail);
	if (where[0]) {
		jw_key(&w, "errors");
		jw_array(&w);
		jw_object(&w);
		jw_key_text(&w, "pointer", str_from(where));
		jw_key_text(&w, "code", str_from(code));
		jw_key_text(&w, "detail", detail);
		jw_object_end(&w);
		jw_array_end(&w);
	}
	jw_object_end(&w);
	body = arena_copy(a, buf_str(&b));
	buf_done(&b);
	return (struct answer){.status = status, .code = code, .body = body};
}

struct answer answer_problem(struct arena *a, int status, const struct err *e)
{
	assert(e);
	struct str code = arena_copy(a, str_from(e->code));

	return problem(a, status, code.p ? code.p : "error", e->where, str_from(e->detail));
}

struct answer answer_error(struct arena *a, int status, const char *code, const char *format, ...)
{
	char text[320];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return problem(a, status, code, "", str_from(text));
}

int answer_status_of(enum rc rc)
{
	switch (rc) {
	case RC_OK:
		return 200;
	case RC_REJECT:
	case RC_INVALID:
		return 422;
	case RC_NOT_FOUND:
		return 404;
	case RC_CONFLICT:
		return 409;
	case RC_DENIED:
		return 403;
	case RC_LIMIT:
	case RC_RETRY:
	case RC_IO:
	case RC_UNKNOWN:
		return 503;
	}
	return 500;
}

void answer_write_item(struct json_writer *w, const struct answer *a)
{
	if (!a->code) {
		jw_raw(w, a->body);
		return;
	}
	jw_object(w);
	jw_key_int(w, "status", a->status);
	jw_key(w, "problem");
	jw_raw(w, a->body);
	jw_object_end(w);
}
