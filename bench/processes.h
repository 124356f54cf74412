/* What processes and all their descendants use, as /proc tells it. */
#ifndef BENCH_PROCESSES_H
#define BENCH_PROCESSES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESSES_ROOTS_MAX 8

struct processes {
	pid_t roots[PROCESSES_ROOTS_MAX];
	size_t count;
};

struct processes_use {
	int64_t cpu_ns; /* user and system, with the children that have ended */
	int64_t memory; /* bytes: proportional set size, so that shared pages count once; else resident size */
	size_t found;
};

/* memory is read only if asked for: it costs the processes a little. */
struct processes_use processes_look(const struct processes *p, int with_memory);

#endif
