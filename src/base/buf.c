#include "base/buf.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define ROOM_FIRST ((size_t)512)

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max < SIZE_MAX ? max : SIZE_MAX - 1};
}

void buf_reset(struct buf *b)
{
	b->n = 0;
	b->overflow = false;
	if (b->p)
		b->p[0] = '\0';
}

void buf_done(struct buf *b)
{
	free(b->p);
	buf_init(b, b->max);
}

/* With room for a NUL behind them. */
char *buf_widen(struct buf *b, size_t n)
{
	if (b->overflow || n > b->max - b->n) {
		b->overflow = true;
		return NULL;
	}
	size_t need = b->n + n + 1;
	if (need > b->room) {
		size_t room = b->room > b->max / 2 ? b->max + 1 : b->room * 2;
		if (room < ROOM_FIRST)
			room = b->max < ROOM_FIRST ? b->max + 1 : ROOM_FIRST;
		if (room < need)
			room = need;
		b->p = mem_grow(b->p, room);
		b->room = room;
	}
	return b->p + b->n;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
	char *at = buf_reserve(b, n);
	if (!at)
		return;
	if (n)
		memcpy(at, p, n);
	buf_wrote(b, n);
}

void buf_add_z(struct buf *b, const char *z)
{
	buf_add(b, z, z ? strlen(z) : 0);
}

size_t percent_encode(char c, char out[3])
{
	static const char hex[] = "0123456789ABCDEF";
	bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
		     c == '.' || c == '_' || c == '~';
	out[0] = plain ? c : '%';
	out[1] = hex[(unsigned char)c >> 4];
	out[2] = hex[(unsigned char)c & 15];
	return plain ? 1 : 3;
}

void buf_add_percent(struct buf *b, struct str s)
{
	char out[3];
	for (size_t i = 0; i < s.n; i++)
		buf_add(b, out, percent_encode(s.p[i], out));
}

void buf_add_int(struct buf *b, int64_t v)
{
	char text[20];
	char *p = text + sizeof(text);
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	do {
		*--p = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (v < 0)
		*--p = '-';
	buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	char small[256];
	int n = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	assert(n >= 0);
	if ((size_t)n < sizeof(small)) {
		buf_add(b, small, (size_t)n);
	} else {
		char *at = buf_reserve(b, (size_t)n);
		if (at) {
			vsnprintf(at, (size_t)n + 1, format, again);
			buf_wrote(b, (size_t)n);
		}
	}
	va_end(again);
}
