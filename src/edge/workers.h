/* Threads that answer what may take a while, so that the listener's threads go on taking requests. */
#ifndef EDGE_WORKERS_H
#define EDGE_WORKERS_H

#include "base/rc.h"

struct exchange;
struct workers;

struct workers *workers_new(unsigned threads, unsigned queue_max);
/* Runs what is queued, then ends. */
void workers_free(struct workers *w);
/* The exchange's route is run on one of the threads. RC_LIMIT: too many wait. */
enum rc workers_run(struct workers *w, struct exchange *x) MUST_CHECK;

#endif
