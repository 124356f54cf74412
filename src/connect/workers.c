/*
 * Two queues: what goes first, and the rest. For each that goes first there is a ticket in the other queue, which is
 * the one that the threads wait for. Whoever takes so many from there takes as many of those that go first, and runs
 * them before; so none of them is left behind, and the rest moves on at its own pace whatever goes first.
 */
#include "connect/workers.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>

#define WORKERS_QUEUE_MAX 1024 /* the callers are bounded by their slots: not enforced */
#define WORK_AT_ONCE      8

struct worker {
	struct workers *pool;
	pthread_t thread;
	struct mediator *mediator;
	struct store_reader **readers; /* by hub */
};

struct workers {
	struct queue *queue, *first, *done;
	struct worker *list;
	uint32_t count;
	bool threaded;
	size_t hubs;
	bool stopped;
};

static struct work ticket;

static void run_all(struct worker *w, void *const *items, size_t count)
{
	void *notes[WORK_AT_ONCE];
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		struct work *work = items[i];
		if (work == &ticket)
			continue;
		notes[n++] = work->note;
		work->run(work, w);
	}
	enum rc rc = queue_push_many(w->pool->done, notes, n);
	assert(rc == RC_OK);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct workers *pool = w->pool;
	void *items[WORK_AT_ONCE], *first[WORK_AT_ONCE];
	pthread_setname_np(pthread_self(), "mediator");
	for (size_t n; (n = queue_take_part(pool->queue, items, WORK_AT_ONCE, pool->count, -1));) {
		run_all(w, first, queue_take(pool->first, first, n, 0));
		run_all(w, items, n);
	}
	return NULL;
}

struct workers *workers_new(uint32_t threads, size_t hubs, struct queue *done)
{
	struct workers *w = mem_zalloc(1, sizeof(*w));
	w->queue = queue_new(WORKERS_QUEUE_MAX, -1);
	w->first = queue_new(WORKERS_QUEUE_MAX, -1);
	w->count = threads ? threads : 1;
	w->threaded = threads > 0;
	w->hubs = hubs;
	w->done = done;
	w->list = mem_zalloc(w->count, sizeof(struct worker));
	for (uint32_t i = 0; i < w->count; i++) {
		struct worker *one = &w->list[i];
		one->pool = w;
		one->mediator = mediator_new(&MEDIATOR_LIMITS_DEFAULT);
		one->readers = mem_zalloc(hubs, sizeof(struct store_reader *));
		int failed = w->threaded ? pthread_create(&one->thread, NULL, worker_main, one) : 0;
		assert(!failed);
	}
	return w;
}

void workers_stop(struct workers *w)
{
	if (w->stopped)
		return;
	w->stopped = true;
	queue_close(w->queue);
	for (uint32_t i = 0; w->threaded && i < w->count; i++)
		pthread_join(w->list[i].thread, NULL);
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	assert(w->stopped);
	for (uint32_t i = 0; i < w->count; i++) {
		for (size_t j = 0; j < w->hubs; j++)
			if (w->list[i].readers[j])
				store_reader_close(w->list[i].readers[j]);
		free(w->list[i].readers);
		mediator_free(w->list[i].mediator);
	}
	queue_free(w->queue);
	queue_free(w->first);
	free(w->list);
	free(w);
}

static void put(struct workers *w, void *const *work, size_t count, bool first)
{
	void *tickets[WORK_AT_ONCE];
	enum rc rc = queue_push_many(first ? w->first : w->queue, work, count);
	assert(rc == RC_OK);
	for (size_t i = 0; i < WORK_AT_ONCE; i++)
		tickets[i] = &ticket;
	for (size_t n; first && count; count -= n) {
		n = count < WORK_AT_ONCE ? count : WORK_AT_ONCE;
		rc = queue_push_many(w->queue, tickets, n);
		assert(rc == RC_OK);
	}
}

void workers_run(struct workers *w, void *const *work, size_t count, bool first)
{
	for (size_t i = 0; i < count && !w->threaded; i++)
		run_all(&w->list[0], &work[i], 1);
	if (w->threaded)
		put(w, work, count, first);
}

struct mediator *worker_mediator(struct worker *w)
{
	return w->mediator;
}

enum rc worker_reader(struct worker *w, struct hub *h, size_t hub_index, struct store_reader **out, struct err *e)
{
	assert(hub_index < w->pool->hubs);
	struct store_reader **r = &w->readers[hub_index];
	if (!*r) {
		enum rc rc = store_reader_open(hub_store(h), r, e);
		if (rc != RC_OK) {
			*r = NULL;
			return rc;
		}
	}
	*out = *r;
	return RC_OK;
}
