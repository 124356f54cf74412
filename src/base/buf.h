/*
 * A growing byte buffer with a stated maximum.
 *
 * Appending past the maximum marks the buffer as overflowed and drops the append; a writer checks once, at the end
 * (buf_ok). Whatever the outside sizes goes through one of these.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/rc.h"
#include "base/str.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *p;     /* NUL-terminated whenever it is not NULL */
	size_t n;    /* bytes in use, without the NUL */
	size_t room; /* allocated */
	size_t max;  /* the most n may be */
	bool overflow;
};

void buf_init(struct buf *b, size_t max);
void buf_reset(struct buf *b); /* empties, keeps the memory, clears the overflow */
void buf_done(struct buf *b);  /* frees; the buffer is as after buf_init with the same maximum */

/* Where n more bytes go; they count once buf_wrote says how many were written (at most n). NULL, and an overflow, if
 * they do not fit. */
static inline char *buf_reserve(struct buf *b, size_t n);
static inline void buf_wrote(struct buf *b, size_t n);

/* Here, so that small appends cost no call while there is room. */
char *buf_widen(struct buf *b, size_t n); /* of buf_reserve */
void buf_append(struct buf *b, const void *p, size_t n);
static inline char *buf_reserve(struct buf *b, size_t n)
{
	if (b->overflow || n >= b->room - b->n || n > b->max - b->n)
		return buf_widen(b, n);
	return b->p + b->n;
}
static inline void buf_wrote(struct buf *b, size_t n)
{
	assert(b->p && n < b->room - b->n);
	b->n += n;
	b->p[b->n] = '\0';
}
static inline void buf_add(struct buf *b, const void *p, size_t n)
{
	if (b->overflow || n >= b->room - b->n || n > b->max - b->n) {
		buf_append(b, p, n);
		return;
	}
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}
static inline void buf_add_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}
static inline void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}
void buf_add_z(struct buf *b, const char *z);
/* Percent-encoded but for RFC 3986's unreserved characters (section 2.3). */
void buf_add_percent(struct buf *b, struct str s);
/* One byte of it: how many characters (1 or 3) were written. */
size_t percent_encode(char c, char out[3]);
void buf_add_int(struct buf *b, int64_t v); /* decimal */
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);

static inline bool buf_ok(const struct buf *b)
{
	return !b->overflow;
}

static inline struct str buf_str(const struct buf *b)
{
	return (struct str){b->p, b->n};
}

#endif
