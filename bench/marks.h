/*
 * A file that the load and the sink map together: when order number i was due, and when it reached the sink. Numbers
 * are the last 8 digits of an order's external_id, which ends "-b" TAG NUMBER (a tag has 4 characters).
 */
#ifndef BENCH_MARKS_H
#define BENCH_MARKS_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define MARKS_MAX         (1u << 21)
#define MARKS_TAG         4
#define MARKS_DIGITS      8
#define MARKS_PLACEHOLDER "-b@@@@@@@@@@@@"

struct mark {
	int64_t due_ns; /* 0: not measured, or not acknowledged */
	_Atomic int64_t arrived_ns;
};

/* MARKS_MAX of them, all zero if the file was not there; ends the process if it cannot. */
struct mark *marks_open(const char *path);

/* CLOCK_MONOTONIC, which is the same in all processes. */
static inline int64_t marks_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif
