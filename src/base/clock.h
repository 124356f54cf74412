/*
 * Time. Everything that needs the time is given a clock; nothing calls the operating system's.
 *
 * Instants are int64_t milliseconds since 1970-01-01T00:00:00Z. Durations for measuring are monotonic nanoseconds.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/rc.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define TIME_TEXT 25 /* "2026-03-01T12:00:00.000Z" and a NUL */

struct clock {
	int64_t (*wall_ms)(const struct clock *);
	int64_t (*mono_ns)(const struct clock *);
};

/* The machine's clock. In builds with CD_TEST_HOOKS its wall time has an offset that clock_test_advance moves. */
const struct clock *clock_system(void);
#ifdef CD_TEST_HOOKS
void clock_test_advance(int64_t ms); /* any thread */
#endif

static inline int64_t clock_wall_ms(const struct clock *c)
{
	return c->wall_ms(c);
}

static inline int64_t clock_mono_ns(const struct clock *c)
{
	return c->mono_ns(c);
}

/* "500ms", "30s", "15m", "2h", "3d" as milliseconds; false: it is none. */
bool duration_parse(struct str text, int64_t *ms);

/* RFC 3339, UTC, milliseconds. */
void time_format(int64_t ms, char out[TIME_TEXT]);
/* RFC 3339 with any offset and any fraction (cut to milliseconds); years 1970 to 9999. RC_INVALID "not_an_instant". */
enum rc time_parse(struct str text, int64_t *out, struct err *e) MUST_CHECK;

#endif
