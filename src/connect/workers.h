/*
 * A small pool of threads for what takes the processor or reads the store: mappings, loading. Each has a mediator, and
 * readers of the hubs' stores that it opens when it first needs them.
 */
#ifndef CONNECT_WORKERS_H
#define CONNECT_WORKERS_H

#include "base/queue.h"
#include "hub/hub.h"

struct workers;
struct worker;

/* threads 0: work is done inside workers_run. hubs: how many there are; a reader's index is below that.
 * done: where the notes of what has been worked on go, some at a time. */
struct workers *workers_new(uint32_t threads, size_t hubs, struct queue *done);
/* Runs what is queued, then ends the threads. */
void workers_stop(struct workers *w);
void workers_free(struct workers *w); /* stopped */

struct work {
	void (*run)(struct work *self, struct worker *worker); /* on a worker's thread */
	void *note;                                            /* goes to done after it */
};
/* work: pointers to struct work. first: before what waits already without it. Any thread; not after workers_stop. */
void workers_run(struct workers *w, void *const *work, size_t count, bool first);

struct mediator *worker_mediator(struct worker *w);
/* The worker's own reader of this hub's store. */
enum rc worker_reader(struct worker *w, struct hub *h, size_t hub_index, struct store_reader **out,
		      struct err *e) MUST_CHECK;

#endif
