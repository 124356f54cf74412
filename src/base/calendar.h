/*
 * Times that repeat every week in some time zone, and times that come once. Pure.
 */
#ifndef BASE_CALENDAR_H
#define BASE_CALENDAR_H

#include "base/zone.h"

#include <stdbool.h>
#include <stddef.h>

struct calendar_window {
	const struct zone *zone; /* NULL: once, from from_ms to to_ms */
	int64_t from_ms, to_ms;
	uint8_t days;             /* of the week on which it begins: bit 0 is Monday */
	int16_t from_min, to_min; /* of the local day; to not after from: on the next day */
};

struct calendar {
	const struct calendar_window *windows;
	size_t count;
};

/* Is this instant in a window? *until: when that changes; INT64_MAX: never. */
bool calendar_within(const struct calendar *c, int64_t now_ms, int64_t *until);
/* How much of the time between two instants is in windows. */
int64_t calendar_overlap(const struct calendar *c, int64_t from_ms, int64_t to_ms);

#endif
