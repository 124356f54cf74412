/*
 * How fast a destination is sent to. Pure: the caller gives the time (wall ms).
 *
 * A bucket is filled evenly and holds `burst` requests at most. A budget of points is the destination's own bucket: it
 * says with its answers what a request costs, what is left and how fast that comes back; between answers we count
 * along.
 */
#ifndef CONNECT_RATE_H
#define CONNECT_RATE_H

#include "mediate/pack.h"

#include <stdbool.h>
#include <stdint.h>

struct rate {
	int64_t count, per_ms, burst; /* count 0: no limit */
	int64_t level;                /* in requests times per_ms */
	int64_t at;
};

/* The bucket is full. burst 0: what comes in a second, one at least. */
void rate_init(struct rate *r, int64_t count, int64_t per_ms, int64_t burst, int64_t now);
int64_t rate_at(struct rate *r, int64_t now); /* when the next request may go; not after now: at once */
void rate_take(struct rate *r, int64_t now);
void rate_give(struct rate *r); /* it did not go after all */

struct points {
	bool known;
	bool remembered;                           /* from before a restart, and no answer has said it yet */
	int64_t available, maximum, restore_per_s; /* thousandths of points */
	int64_t at;
	int64_t reserved;             /* for what is under way */
	int64_t expected[OPERATIONS]; /* what a request of it was said to cost last */
};

/* When a request of this operation may go. Where none are said to come back, one goes POINTS_ASK_MS after the last
 * answer that counted them. */
#define POINTS_ASK_MS 1000
int64_t points_at(const struct points *p, enum operation op, int64_t now);
/* What it may cost is kept for it; give it back with points_note or points_give. */
int64_t points_take(struct points *p, enum operation op);
void points_give(struct points *p, int64_t reserved);
/* After a restart, by what the answers before it said: as if nothing were left now. It cannot be more than there is. */
void points_restore(struct points *p, int64_t maximum, int64_t restore_per_s, int64_t now);
/* An answer without points: what was remembered of them does not hold any more. */
void points_silent(struct points *p);
/* An answer says where the budget stands. */
void points_note(struct points *p, enum operation op, const struct pack_cost *c, int64_t now);

/* How many a second, over the last minute. */
#define METER_SLICES   12
#define METER_SLICE_MS 5000
struct meter {
	int64_t slice; /* the newest one's number */
	uint32_t counts[METER_SLICES];
};
void meter_add(struct meter *m, int64_t now);
int64_t meter_per_minute(const struct meter *m, int64_t now);

#endif
