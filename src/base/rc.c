#include "base/rc.h"

#include <stdarg.h>
#include <stdio.h>

static void text_set(char *out, size_t room, const char *text)
{
	snprintf(out, room, "%s", text ? text : "");
}

void err_note(struct err *e, enum rc rc, const char *code, const char *format, ...)
{
	if (!e || e->rc != RC_OK)
		return;
	e->rc = rc;
	text_set(e->code, sizeof(e->code), code);
	e->where[0] = '\0';
	va_list args;
	va_start(args, format);
	vsnprintf(e->detail, sizeof(e->detail), format, args);
	va_end(args);
}

void err_note_at(struct err *e, enum rc rc, const char *code, const char *where, const char *format, ...)
{
	if (!e || e->rc != RC_OK)
		return;
	e->rc = rc;
	text_set(e->code, sizeof(e->code), code);
	text_set(e->where, sizeof(e->where), where);
	va_list args;
	va_start(args, format);
	vsnprintf(e->detail, sizeof(e->detail), format, args);
	va_end(args);
}

const char *rc_name(enum rc rc)
{
	switch (rc) {
	case RC_OK:
		return "ok";
	case RC_RETRY:
		return "retry";
	case RC_REJECT:
		return "reject";
	case RC_INVALID:
		return "invalid";
	case RC_NOT_FOUND:
		return "not_found";
	case RC_CONFLICT:
		return "conflict";
	case RC_DENIED:
		return "denied";
	case RC_LIMIT:
		return "limit";
	case RC_IO:
		return "io";
	case RC_UNKNOWN:
		return "unknown";
	}
	return "unknown";
}
