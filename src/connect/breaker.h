/*
 * The circuit breaker of one operation at one destination. Pure: the caller gives the time.
 *
 *     closed     all may go; answers are counted over a sliding window
 *     open       too many of them failed: none may go until a time
 *     half open  one at a time may go; enough good answers close it, one bad one opens it again, for longer
 */
#ifndef CONNECT_BREAKER_H
#define CONNECT_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_SLICES     10
#define BREAKER_LONGER_MAX 4 /* doublings of the time that it is open */

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
const char *breaker_state_name(enum breaker_state s);

struct breaker_policy {
	int64_t window_ms;
	uint32_t samples; /* fewer answers than this say nothing; 0: there is no breaker */
	uint32_t percent; /* of failures that opens it */
	int64_t open_ms;
	uint32_t probes; /* good answers that close it */
};

struct breaker {
	enum breaker_state state;
	int64_t since, until; /* of the state; open: until when */
	uint32_t opened;      /* times in a row */
	uint32_t good;        /* half open: good answers */
	bool trying;          /* half open: one is under way */
	int64_t slice;
	uint32_t all[BREAKER_SLICES], bad[BREAKER_SLICES];
};

bool breaker_allows(const struct breaker *b, int64_t now);
/* One goes; true if the state has changed by it (half open). *probe: it is the one. */
bool breaker_go(struct breaker *b, int64_t now, bool *probe);
/* The probe did not go after all. */
void breaker_stay(struct breaker *b);
/* An answer of one that went at started_at; true if the state has changed by it. */
bool breaker_note(struct breaker *b, const struct breaker_policy *p, bool good, int64_t started_at, int64_t now);
/* Open until then, as it was before a restart. */
void breaker_restore(struct breaker *b, int64_t until, int64_t now);
/* In the window. */
void breaker_counts(const struct breaker *b, uint32_t *all, uint32_t *bad);

#endif
