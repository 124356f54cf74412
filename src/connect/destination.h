/*
 * How hard a destination is tried: its slots, and what its answers say about its health. Pure; the delivery loop owns
 * it.
 *
 *   - running: up to `slots` transfers; after trouble one at first, and twice as many with each round of good answers;
 *   - backing off: it fails. One probe at a time, each later than the one before;
 *   - stopped: it refuses our credentials. One probe every DESTINATION_PROBE_MS.
 *
 * A failed transfer (no connection, no answer) says that the destination is down. An answer 5xx may be the fault of one
 * delivery, so that takes DESTINATION_STREAK different deliveries in a row.
 */
#ifndef CONNECT_DESTINATION_H
#define CONNECT_DESTINATION_H

#include "mediate/pack.h"

#include <stdbool.h>
#include <stdint.h>

#define DESTINATION_PROBE_MS        60000
#define DESTINATION_STREAK          3
#define DESTINATION_RETRY_AFTER_MAX ((int64_t)3600 * 1000)
/* For each slot: deliveries that are prepared and not sent, and that are under way in any way. */
#define DESTINATION_AHEAD    2
#define DESTINATION_PIPELINE 6

enum destination_state { DESTINATION_RUNNING, DESTINATION_BACKING_OFF, DESTINATION_STOPPED };
const char *destination_state_name(enum destination_state s);

struct destination_health {
	enum destination_state state;
	uint32_t failures;     /* probes in a row that failed, for the back-off */
	uint32_t streak;       /* deliveries in a row that got a 5xx */
	int64_t streak_seq;    /* the last of them */
	int64_t blocked_until; /* nothing is sent before */
	int64_t since;         /* of the state */
	uint32_t ramp;         /* slots that it may have after trouble; 0: all */
	uint32_t ramp_left;    /* good answers until they double */
};

struct retry_policy {
	int64_t base_ms, max_ms, give_up_after_ms;
	const int64_t *delays; /* instead of base and max: these pauses, then never again */
	uint32_t delay_count;  /* 0: none */
};

/* base * 2^(attempts-1), at most max, times 0.5 to 1.5. random: any 64 bits. attempts from 1. */
int64_t retry_delay_ms(const struct retry_policy *p, uint32_t attempts, uint64_t random);

/* One attempt's or look-up's end. */
struct destination_answer {
	int64_t seq;
	enum outcome outcome;
	int status;             /* 0: the transfer failed */
	int64_t retry_after_ms; /* throttled; 0: not said */
	int64_t started_at;
};
/* What it says about the destination; true if the destination has just come back. slots: all it may have. */
bool destination_note(struct destination_health *d, const struct retry_policy *p, const struct destination_answer *a,
		      uint32_t slots, int64_t now, uint64_t random);
/* As it was before a restart: a probe at once, all slots when it is good, a longer pause when it is not. */
void destination_restore(struct destination_health *d, enum destination_state state, int64_t now);
/* One request at a time first, and twice as many with each round of good answers. */
void destination_begin_slowly(struct destination_health *d);
/* Nothing is sent until then. */
void destination_hold(struct destination_health *d, int64_t until);

/* How many it may have at once now. */
uint32_t destination_slots(const struct destination_health *d, uint32_t slots);
/* How many more may be prepared now, so that the slots do not stand idle while starts are committed. */
uint32_t destination_room(const struct destination_health *d, uint32_t slots, uint32_t ahead, uint32_t unfinished,
			  int64_t now);
/* How many more may be sent now. */
uint32_t destination_open(const struct destination_health *d, uint32_t slots, uint32_t transfers, int64_t now);

/* When a delivery whose attempt ended so is tried again; 0: never. age_ms: of the delivery, as far as it counts. */
int64_t retry_at(const struct retry_policy *p, enum outcome outcome, uint32_t attempts, int64_t retry_after_ms,
		 int64_t age_ms, int64_t now, uint64_t random);

#endif
