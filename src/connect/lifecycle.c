/* The engine's beginning and end. */
#include "connect/engine.h"

#include "backbone/subscription.h"
#include "base/mem.h"
#include "hub/counters.h"
#include "observe/log.h"

#include <assert.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define COUNTERS_ARENA_MAX (64u << 20)

/* How much waits, as the hub has counted it: no table is read. */
static void take_backlog(struct delivery_hub *h, const struct counter *c)
{
	if (c->what != COUNTED_DELIVERIES || !str_is(c->c, "open") || c->total <= 0)
		return;
	const struct config_system *s = config_find_system(hub_tenant(h->hub), c->a);
	int64_t seq;
	if (!s && subscription_name_parse(c->a, &seq)) {
		struct engine_destination *t = roster_of(h, subscription_system(seq));
		t->backlog += c->total;
		destination_begin_slowly(&t->health);
		window_open(t);
		engine_activate(t);
		return;
	}
	if (!s) {
		log_warn("delivery", "deliveries wait for a system that is not configured", LOG_STR("system", c->a),
			 LOG_STR("operation", c->b), LOG_INT("deliveries", c->total));
		return;
	}
	h->destinations[s->index].backlog += c->total;
	destination_begin_slowly(&h->destinations[s->index].health);
}

static enum rc load_troubles(struct delivery_hub *h, struct err *e)
{
	struct store_reader *r;
	enum rc rc = store_reader_open(hub_store(h->hub), &r, e);
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < h->count && rc == RC_OK; i++)
		rc = trouble_load(&h->destinations[i], r, e);
	store_reader_close(r);
	return rc;
}

static enum rc hub_init(struct delivery_engine *d, struct delivery_hub *h, struct hub *hub, size_t index, struct err *e)
{
	const struct config_tenant *tenant = hub_tenant(hub);
	h->engine = d;
	h->hub = hub;
	h->index = index;
	h->destinations = mem_zalloc(tenant->system_count, sizeof(struct engine_destination));
	h->count = tenant->system_count;
	for (size_t i = 0; i < h->count; i++) {
		roster_init(&h->destinations[i], h, &tenant->systems[i]);
		window_open(&h->destinations[i]);
		engine_activate(&h->destinations[i]);
	}
	struct arena a;
	size_t count;
	int64_t batch;
	arena_init(&a, COUNTERS_ARENA_MAX);
	const struct counter *counters = counters_read(hub_counters(hub), &a, &count, &batch);
	for (size_t i = 0; counters && i < count; i++)
		take_backlog(h, &counters[i]);
	arena_done(&a);
	return counters ? load_troubles(h, e)
			: err_set(e, RC_LIMIT, "too_many_counters", "the counts do not fit into memory");
}

/* What the loop has not taken any more. A run's notes are part of the run, a submission's of the submission. */
static void free_notes(struct delivery_engine *d)
{
	for (;;) {
		void *left = NULL;
		if (!queue_take(d->notes, &left, 1, 0))
			return;
		switch (((struct note *)left)->type) {
		case NOTE_HEADS:
		case NOTE_CHANGES:
			free(left);
			break;
		case NOTE_LOADED:
			window_forget(left);
			break;
		case NOTE_STARTED:
		case NOTE_RESULT:
		case NOTE_TOLD:
		case NOTE_RENDERED:
		case NOTE_CLASSIFIED:
			break;
		}
	}
}

void runs_done(struct delivery_engine *d)
{
	while (d->all)
		run_free(d->all);
	while (d->arena_count)
		arena_done(&d->arenas[--d->arena_count]);
}

void delivery_free(struct delivery_engine *d)
{
	if (!d)
		return;
	engine_cancel_all(d);
	free_notes(d);
	while (d->submissions)
		submission_free(d->submissions);
	runs_done(d);
	for (size_t i = 0; i < d->hub_count; i++) {
		for (size_t j = 0; j < d->hubs[i].count; j++)
			roster_done(&d->hubs[i].destinations[j]);
		for (size_t j = 0; j < d->hubs[i].subscription_room; j++)
			if (d->hubs[i].subscriptions[j])
				roster_free(d->hubs[i].subscriptions[j]);
		free(d->hubs[i].destinations);
		free(d->hubs[i].subscriptions);
	}
	if (d->workers)
		workers_stop(d->workers);
	workers_free(d->workers);
	http_free(d->http);
	queue_free(d->notes);
	if (d->wake_fd >= 0)
		close(d->wake_fd);
	pthread_mutex_destroy(&d->view_lock);
	free(d->active);
	free(d->active_next);
	timers_done(&d->timers);
	free(d->hubs);
	free(d);
}

static enum rc engine_new(const struct delivery_setup *o, int wake_fd, struct delivery_engine **out, struct err *e)
{
	struct delivery_engine *d = mem_zalloc(1, sizeof(*d));
	d->clock = o->clock;
	d->now = clock_wall_ms(d->clock);
	d->hub_count = o->hub_count;
	d->hubs = mem_zalloc(d->hub_count, sizeof(struct delivery_hub));
	for (size_t i = 0; i < d->hub_count; i++)
		d->destination_count += hub_tenant(o->hubs[i])->system_count;
	d->active_room = d->destination_count;
	d->active = mem_zalloc(d->active_room, sizeof(*d->active));
	d->active_next = mem_zalloc(d->active_room, sizeof(*d->active));
	pthread_mutex_init(&d->view_lock, NULL);
	d->wake_fd = wake_fd;
	d->notes = queue_new(1, wake_fd);
	d->random = o->seed | 1;
	d->transport = o->transport;
	if (!d->transport) {
		d->http = http_new("crossdock/" CROSSDOCK_VERSION);
		d->transport = http_transport(d->http);
	}
	enum rc rc = RC_OK;
	for (size_t i = 0; i < d->hub_count && rc == RC_OK; i++)
		rc = hub_init(d, &d->hubs[i], o->hubs[i], i, e);
	if (rc != RC_OK) {
		delivery_free(d);
		return rc;
	}
	*out = d;
	return RC_OK;
}

enum rc delivery_open(const struct delivery_setup *s, struct delivery_engine **out, struct err *e)
{
	enum rc rc = engine_new(s, -1, out, e);
	if (rc == RC_OK)
		(*out)->workers = workers_new(0, (*out)->hub_count, (*out)->notes);
	return rc;
}

enum rc delivery_start(struct node *n, struct delivery_engine **out, struct err *e)
{
	struct delivery_setup s = {.hub_count = node_tenants(n), .clock = node_clock(n)};
	struct hub **hubs = mem_zalloc(s.hub_count, sizeof(struct hub *));
	for (size_t i = 0; i < s.hub_count; i++)
		hubs[i] = node_hub(n, i);
	s.hubs = hubs;
	random_bytes(&s.seed, sizeof(s.seed));
	int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert(wake_fd >= 0);
	enum rc rc = engine_new(&s, wake_fd, out, e);
	free(hubs);
	if (rc != RC_OK)
		return rc;
	struct delivery_engine *d = *out;
	uint32_t threads = node_config(n)->mediation_threads;
	d->workers = workers_new(threads ? threads : 1, d->hub_count, d->notes);
	int failed = pthread_create(&d->thread, NULL, engine_main, d);
	assert(!failed);
	return RC_OK;
}

void delivery_stop(struct delivery_engine *d, int64_t patience_ms)
{
	if (!d)
		return;
	d->patience_ms = patience_ms;
	atomic_store(&d->stopping, true);
	uint64_t one = 1;
	ssize_t n = write(d->wake_fd, &one, sizeof(one));
	(void)n;
	pthread_join(d->thread, NULL);
	workers_stop(d->workers);
	workers_free(d->workers);
	d->workers = NULL;
}

struct delivery_hub *delivery_hub_of(struct delivery_engine *d, size_t tenant)
{
	assert(tenant < d->hub_count);
	return &d->hubs[tenant];
}
