#include "model/schema.h"

#include <stdarg.h>
#include <stdio.h>

void findings_init(struct findings *f, struct arena *arena)
{
	f->arena = arena;
	f->count = 0;
	f->more = 0;
}

void findings_add(struct findings *f, const char *pointer, const char *code, const char *format, ...)
{
	char detail[320];
	va_list args;

	if (f->count == FINDINGS_MAX) {
		f->more++;
		return;
	}
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);

	struct str at = arena_copy(f->arena, str_from(pointer));
	struct str code_copy = arena_copy(f->arena, str_from(code));
	struct str text = arena_copy(f->arena, str_from(detail));
	f->list[f->count++] = (struct finding){
	    .pointer = at.p ? at.p : "",
	    .code = code_copy.p ? code_copy.p : "invalid",
	    .detail = text.p ? text.p : "",
	};
}
