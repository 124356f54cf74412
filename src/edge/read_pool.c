#include "edge/read_pool.h"

#include "base/mem.h"
#include "base/queue.h"
#include "edge/exchange.h"

#include <pthread.h>

struct read_pool {
	struct queue *queue;
	unsigned count;
	pthread_t threads[];
};

static void *work(void *ctx)
{
	struct read_pool *w = ctx;
	void *item;
	while (queue_take(w->queue, &item, 1, -1) == 1) {
		struct exchange *x = item;
		x->route->run(x);
	}
	return NULL;
}

struct read_pool *read_pool_new(unsigned threads, unsigned queue_max)
{
	struct read_pool *w = mem_zalloc(1, sizeof(*w) + threads * sizeof(w->threads[0]));
	w->queue = queue_new(queue_max, -1);
	w->count = threads;
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&w->threads[i], NULL, work, w) != 0)
			abort();
	return w;
}

void read_pool_free(struct read_pool *w)
{
	if (!w)
		return;
	queue_close(w->queue);
	for (unsigned i = 0; i < w->count; i++)
		pthread_join(w->threads[i], NULL);
	queue_free(w->queue);
	free(w);
}

enum rc read_pool_run(struct read_pool *w, struct exchange *x)
{
	return queue_push(w->queue, x);
}
