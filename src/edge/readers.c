#include "edge/readers.h"

#include "base/mem.h"
#include "observe/log.h"

#include <pthread.h>

#define IDLE_MAX 16 /* of a tenant */

struct shelf {
	struct hub *hub;
	struct store_reader *idle[IDLE_MAX];
	size_t count;
};

struct readers {
	pthread_mutex_t lock;
	struct shelf *shelves; /* one a tenant */
	size_t count;
};

struct readers *readers_new(struct node *node)
{
	struct readers *p = mem_zalloc(1, sizeof(*p));
	pthread_mutex_init(&p->lock, NULL);
	p->count = node_tenants(node);
	p->shelves = mem_zalloc(p->count, sizeof(*p->shelves));
	for (size_t i = 0; i < p->count; i++)
		p->shelves[i].hub = node_hub(node, i);
	return p;
}

void readers_free(struct readers *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->count; i++)
		while (p->shelves[i].count)
			store_reader_close(p->shelves[i].idle[--p->shelves[i].count]);
	pthread_mutex_destroy(&p->lock);
	free(p->shelves);
	free(p);
}

static struct shelf *shelf_of(struct readers *p, const struct hub *hub)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->shelves[i].hub == hub)
			return &p->shelves[i];
	return NULL;
}

enum rc readers_take(struct readers *p, struct hub *hub, struct store_reader **out, struct err *e)
{
	struct shelf *s = shelf_of(p, hub);
	struct err cause = ERR_NONE;
	*out = NULL;
	pthread_mutex_lock(&p->lock);
	if (s && s->count)
		*out = s->idle[--s->count];
	pthread_mutex_unlock(&p->lock);
	if (*out || store_reader_open(hub_store(hub), out, &cause) == RC_OK)
		return RC_OK;
	log_err(LOG_ERROR, "edge", "a store cannot be opened for reading", &cause);
	return err_set(e, RC_RETRY, "store_unavailable", "The store cannot be read now.");
}

void readers_give(struct readers *p, struct hub *hub, struct store_reader *r, bool broken)
{
	struct shelf *s = shelf_of(p, hub);
	if (!broken) {
		pthread_mutex_lock(&p->lock);
		if (s && s->count < IDLE_MAX) {
			s->idle[s->count++] = r;
			r = NULL;
		}
		pthread_mutex_unlock(&p->lock);
	}
	store_reader_close(r);
}
