/*
 * Time zones: how far local time is from UTC at an instant. From the system's time zone database (TZif, RFC 9636), or
 * the folder that TZDIR names; "UTC" needs none. Immutable, in the arena.
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/arena.h"
#include "base/rc.h"

#include <stdint.h>

struct zone;

/* "Europe/Berlin". RC_NOT_FOUND "unknown_zone"; RC_INVALID "bad_zone": its file makes no sense; RC_LIMIT: the arena. */
enum rc zone_load(struct arena *a, struct str name, const struct zone **out, struct err *e) MUST_CHECK;
/* Seconds east of UTC at this instant (Unix seconds). */
int32_t zone_offset(const struct zone *z, int64_t utc_s);
/* The instant of a local time (as Unix seconds without an offset). One that does not exist is the one as long after the
 * change as it is into the gap; one that exists twice is the first. */
int64_t zone_instant(const struct zone *z, int64_t local_s);

#endif
