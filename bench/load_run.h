/* One run of the load: requests over kept-alive connections to one address, one thread. */
#ifndef BENCH_LOAD_RUN_H
#define BENCH_LOAD_RUN_H

#include "histogram.h"
#include "marks.h"
#include "processes.h"

#include <netinet/in.h>
#include <stdbool.h>

#define LOAD_CONNECTIONS_MAX 4096
#define LOAD_STATUSES        600

struct load_body {
	const char *p;
	size_t n;
	size_t id; /* where MARKS_PLACEHOLDER stands; n if it does not */
};

struct load_options {
	struct sockaddr_in to;
	const char *head; /* request line and fields up to Content-Length */
	const struct load_body *bodies;
	size_t body_count;
	unsigned connections;
	double warm_up_s, seconds; /* measured after the warm-up */
	double rate;        /* a second, each due at its own time; 0: each connection sends when it is answered */
	bool once;          /* every body once, then it ends; times do not matter */
	const char *tag;    /* MARKS_TAG characters that make this run's ids its own */
	struct mark *marks; /* or NULL */
	struct processes watched;
};

struct load_result {
	struct histogram times;           /* from when it was due (rate) or sent, to its answer */
	uint64_t statuses[LOAD_STATUSES]; /* of all answers, the warm-up's too */
	uint64_t sent, acknowledged;      /* acknowledged: 2xx */
	uint64_t broken;                  /* connections that failed or answered what is not HTTP */
	uint64_t unanswered;              /* requests: broken, or still open at the end */
	uint64_t measured;                /* answers inside the measured time */
	double measured_s;
	int64_t stall_ns;           /* longest time without any answer while a request was open */
	uint64_t number;            /* ids used */
	int64_t cpu_ns, own_cpu_ns; /* of the watched, and of this process, in the measured time */
	int64_t memory;             /* bytes, of the watched, after it */
	char first_refusal[512];    /* head and body of the first answer that was not 2xx */
};

/* Ends the process if the address cannot be reached at all. */
void load_run(const struct load_options *o, struct load_result *r);

#endif
