/* Threads that answer what may take a while, so that the listener's threads go on taking requests. */
#ifndef EDGE_READ_POOL_H
#define EDGE_READ_POOL_H

#include "base/rc.h"

struct exchange;
struct read_pool;

struct read_pool *read_pool_new(unsigned threads, unsigned queue_max);
/* Runs what is queued, then ends. */
void read_pool_free(struct read_pool *w);
/* The exchange's route is run on one of the threads. RC_LIMIT: too many wait. */
enum rc read_pool_run(struct read_pool *w, struct exchange *x) MUST_CHECK;

#endif
