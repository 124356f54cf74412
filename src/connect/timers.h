/* Destinations by when they want to be looked at again: a binary heap. Not thread-safe. */
#ifndef CONNECT_TIMERS_H
#define CONNECT_TIMERS_H

#include <stddef.h>
#include <stdint.h>

/* A member of what waits. */
struct timer {
	int64_t due;
	size_t at; /* place in the heap, from 1; 0: it does not wait */
};

struct timers {
	struct timer **heap;
	size_t count, room;
};

void timers_done(struct timers *t);
/* When it is due; INT64_MAX: it does not wait (any longer). */
void timers_set(struct timers *t, struct timer *one, int64_t due);
struct timer *timers_first(const struct timers *t); /* or NULL */

#endif
