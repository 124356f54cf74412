/*
 * The delivery loop.
 *
 * Purpose: take what the hubs want sent, send it, and hand the results back, for all tenants and systems on one thread,
 * so that no destination can hold another up: nothing here waits for one. Mappings and reads run on workers, commits on
 * the hubs' writers, transfers in curl; each tells the loop through one queue of notes whose eventfd ends the loop's
 * sleep.
 *
 * One delivery's way (who does it):
 *
 *     head (writer) -> lane (loop) -> rendered (worker) -> START committed (writer) -> transferred (loop)
 *       -> classified (worker) -> RESULT committed (writer) -> settled, or back into its lane (loop)
 *
 * Invariants:
 *   - a lane has one run at most, until its result is committed: in order per key, one in flight per key;
 *   - starts and results of one turn go to a hub in one command each;
 *   - the request leaves only after START is committed: what may have been sent is known after a crash;
 *   - what has been sent and not answered is unknown, in memory as in the store, until it is settled;
 *   - slots, back-off and queue are a destination's own; what is global (ENGINE_TRANSFERS_MAX) is handed out in turn.
 *
 * How it fails: the process may die at any instant. What was waiting waits; what was sending is looked up, or sent
 * again under the same id if the operation is idempotent, or given to a person. A hub that does not commit stops its
 * own deliveries only.
 */
#include "connect/engine.h"

#include "backbone/subscription.h"
#include "base/hash.h"
#include "base/mem.h"
#include "connect/webhook.h"
#include "hub/counters.h"
#include "observe/log.h"

#include <assert.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NOTES_AT_ONCE      256
#define NAME_MAX_TEXT      128
#define COUNTERS_ARENA_MAX (64u << 20)

struct heads_note {
	struct note note;
	struct delivery_hub *hub;
	size_t count;
	struct delivery_head heads[];
};

void engine_post(struct delivery_engine *d, struct note *n)
{
	enum rc rc = queue_push_always(d->notes, n);
	assert(rc == RC_OK);
}

static void give_work(struct delivery_engine *d)
{
	size_t n = d->work_count;
	d->work_count = 0;
	if (n)
		workers_run(d->workers, d->work, n);
}

void engine_work(struct delivery_engine *d, struct work *work, struct note *n)
{
	work->note = n;
	d->with_workers++;
	d->work[d->work_count++] = work;
	if (d->work_count == ENGINE_WORK_AT_ONCE)
		give_work(d);
}

void delivery_heads(struct delivery_hub *h, const struct delivery_head *heads, size_t count)
{
	if (atomic_load(&h->engine->stopping))
		return; /* the next start finds them in the store */
	struct heads_note *n = mem_alloc(sizeof(*n) + count * sizeof(*heads));
	n->note.type = NOTE_HEADS;
	n->hub = h;
	n->count = count;
	memcpy(n->heads, heads, count * sizeof(*heads));
	engine_post(h->engine, &n->note);
}

struct changes_note {
	struct note note;
	struct delivery_hub *hub;
	size_t count;
	struct delivery_change changes[];
};

void delivery_changes(struct delivery_hub *h, const struct delivery_change *changes, size_t count)
{
	if (atomic_load(&h->engine->stopping))
		return;
	struct changes_note *n = mem_alloc(sizeof(*n) + count * sizeof(*changes));
	n->note.type = NOTE_CHANGES;
	n->hub = h;
	n->count = count;
	memcpy(n->changes, changes, count * sizeof(*changes));
	engine_post(h->engine, &n->note);
}

/* xorshift64*, Vigna 2016: for jitter only. */
uint64_t engine_random(struct delivery_engine *d)
{
	d->random ^= d->random >> 12;
	d->random ^= d->random << 25;
	d->random ^= d->random >> 27;
	return d->random * 0x2545f4914f6cdd1du;
}

void engine_activate(struct engine_destination *t)
{
	struct delivery_engine *d = t->hub->engine;
	if (t->active)
		return;
	t->active = true;
	d->active[d->active_count++] = t;
}

/* ---- destinations ---- */

static struct metric *series(enum metric_id id, const struct config_tenant *t, struct str second, const char *third)
{
	char tenant[NAME_MAX_TEXT], name[NAME_MAX_TEXT];
	snprintf(tenant, sizeof(tenant), STR_FMT, STR_ARG(t->name));
	snprintf(name, sizeof(name), STR_FMT, STR_ARG(second));
	return metric_find(id, (const char *const[]){tenant, name, third});
}

static void destination_init(struct engine_destination *t, struct delivery_hub *h, const struct config_system *s)
{
	const struct config_tenant *tenant = hub_tenant(h->hub);
	t->hub = h;
	t->system = s;
	t->index = s->index;
	t->policy = (struct retry_policy){.base_ms = s->delivery.retry_base_ms,
					  .max_ms = s->delivery.retry_max_ms,
					  .give_up_after_ms = s->delivery.give_up_after_ms};
	t->lanes = lanes_new();
	admission_init(t);
	t->view.state = destination_state_name(DESTINATION_RUNNING);
	struct str name = t->own ? STR("subscriptions") : s->name;
	for (int o = 0; o < OUTCOMES; o++)
		t->outcomes[o] = series(M_DELIVERIES, tenant, name, outcome_name(o));
	t->backlog_metric = series(M_DELIVERY_BACKLOG, tenant, name, NULL);
	t->crowded_metric = series(M_DELIVERY_CROWDED, tenant, name, NULL);
	t->breaker_metric = series(M_BREAKER_OPENED, tenant, name, NULL);
	t->lag = series(M_DELIVERY_LAG_SECONDS, tenant, name, NULL);
	t->items = series(M_AVAILABILITY_ITEMS, tenant, name, NULL);
	t->items_lag = series(M_AVAILABILITY_LAG_SECONDS, tenant, name, NULL);
	t->mediate = series(M_MEDIATE_SECONDS, tenant, s->pack->name, NULL);
}

/* What is the same for all subscriptions, and the name. Where it goes and whether it still wants anything is read with
 * each delivery (webhook.c). */
static struct engine_destination *subscription_new(struct delivery_hub *h, uint32_t system)
{
	struct delivery_engine *d = h->engine;
	struct engine_destination *t = mem_zalloc(1, sizeof(*t));
	char name[SUBSCRIPTION_NAME_MAX];
	subscription_name(subscription_seq(system), name);
	t->own = mem_zalloc(1, sizeof(*t->own));
	*t->own = (struct config_system){
	    .name = mem_copy(str_from(name)), .pack = webhook_pack(), .delivery = hub_tenant(h->hub)->delivery};
	destination_init(t, h, t->own);
	t->index = system;
	if (++d->destination_count > d->active_room) {
		d->active_room = 2 * d->destination_count;
		d->active = mem_grow(d->active, d->active_room * sizeof(*d->active));
		d->active_next = mem_grow(d->active_next, d->active_room * sizeof(*d->active));
	}
	return t;
}

/* NULL: a subscription that had nothing to deliver since the start. */
static struct engine_destination *destination_known(const struct delivery_hub *h, uint32_t system)
{
	size_t i = (size_t)subscription_seq(system);
	if (!system_is_subscription(system))
		return i < h->count ? &h->destinations[i] : NULL;
	return i < h->subscription_room ? h->subscriptions[i] : NULL;
}

static struct engine_destination *destination_of(struct delivery_hub *h, uint32_t system)
{
	struct engine_destination *t = destination_known(h, system);
	if (t)
		return t;
	assert(system_is_subscription(system));
	size_t i = (size_t)subscription_seq(system), room = 2 * i + 16;
	t = subscription_new(h, system);
	pthread_mutex_lock(&h->engine->view_lock);
	if (i >= h->subscription_room) {
		h->subscriptions = mem_grow(h->subscriptions, room * sizeof(struct engine_destination *));
		memset(h->subscriptions + h->subscription_room, 0,
		       (room - h->subscription_room) * sizeof(struct engine_destination *));
		h->subscription_room = room;
	}
	h->subscriptions[i] = t;
	pthread_mutex_unlock(&h->engine->view_lock);
	return t;
}

static void destination_done(struct engine_destination *t)
{
	if (t->backlog_metric)
		metric_add(t->backlog_metric, -t->backlog_shown);
	if (t->crowded_metric && t->admission.crowded)
		metric_add(t->crowded_metric, -1);
	lanes_free(t->lanes);
	admission_done(t);
}

/* Of a subscription: it is on the heap, with the system that it stands for. */
static void destination_free(struct engine_destination *t)
{
	destination_done(t);
	free((char *)t->own->name.p);
	free(t->own);
	free(t);
}

/* ---- notes ---- */

/* It may have another url now, or nobody may want its deliveries any more. */
static void destination_changed(struct engine_destination *t)
{
	t->health = (struct destination_health){.since = t->hub->engine->now};
	lanes_hasten(t->lanes);
	engine_activate(t);
}

/* The same, and it is not needed any longer than it has something to do. */
static void destination_gone(struct delivery_hub *h, uint32_t system)
{
	struct engine_destination *t = destination_known(h, system);
	if (!t || !t->own)
		return;
	t->gone = true;
	destination_changed(t);
}

/* Heads of one commit, in runs of one system. */
static void take_heads(struct heads_note *n)
{
	for (size_t i = 0, same; i < n->count; i += same) {
		uint32_t system = n->heads[i].system;
		if (!n->heads[i].seq && n->heads[i].status >= DELIVERY_FINAL) {
			destination_gone(n->hub, system);
			same = 1;
			continue;
		}
		struct engine_destination *t = destination_of(n->hub, system);
		for (same = 1; n->heads[i].seq && i + same < n->count && n->heads[i + same].seq &&
			       n->heads[i + same].system == system;)
			same++;
		if (n->heads[i].seq)
			window_add(t, &n->heads[i], same);
		else
			destination_changed(t);
	}
	free(n);
}

/* One that is under way is not removed: the hub refuses its start, or its result. */
static void take_changes(struct changes_note *n)
{
	for (size_t i = 0; i < n->count; i++) {
		const struct delivery_head *head = &n->changes[i].head;
		struct engine_destination *t = destination_known(n->hub, head->system);
		if (!t)
			continue;
		switch (n->changes[i].what) {
		case DELIVERY_RUN_NOW:
			lanes_hurry(t->lanes, head->key, head->seq);
			break;
		case DELIVERY_WAS_CANCELLED:
			if (lanes_remove(t->lanes, head->key, head->seq, n->hub->engine->now))
				t->backlog--;
			break;
		}
		engine_activate(t);
	}
	free(n);
}

static void take_note(struct note *n)
{
	struct attempt_run *r = (struct attempt_run *)((char *)n - offsetof(struct attempt_run, note));
	switch (n->type) {
	case NOTE_HEADS:
		take_heads((struct heads_note *)n);
		break;
	case NOTE_STARTED:
		dispatch_started((struct submission *)n);
		break;
	case NOTE_RESULT:
		progress_result((struct submission *)n);
		break;
	case NOTE_TOLD:
		submit_told((struct submission *)n);
		break;
	case NOTE_RENDERED:
		progress_rendered(r);
		break;
	case NOTE_CLASSIFIED:
		progress_classified(r);
		break;
	case NOTE_LOADED:
		window_loaded(n);
		break;
	case NOTE_CHANGES:
		take_changes((struct changes_note *)n);
		break;
	}
}

static void take_notes(struct delivery_engine *d)
{
	void *items[NOTES_AT_ONCE];
	/* Until it is empty: the eventfd is written only when it stops being empty. */
	for (size_t n; (n = queue_take(d->notes, items, NOTES_AT_ONCE, 0));)
		for (size_t i = 0; i < n; i++)
			take_note(items[i]);
}

/* ---- what others see ---- */

static const char *view_state(const struct engine_destination *t, bool paused)
{
	if (paused)
		return "paused";
	if (t->admission.maintenance)
		return "maintenance";
	if (t->health.state == DESTINATION_RUNNING && t->health.blocked_until > t->hub->engine->now)
		return destination_state_name(DESTINATION_BACKING_OFF);
	return destination_state_name(t->health.state);
}

static void show(struct engine_destination *t, bool paused, int64_t next)
{
	struct delivery_engine *d = t->hub->engine;
	size_t count = lanes_count(t->lanes);
	if (!window_more(t))
		t->backlog = (int64_t)count;
	/* All subscriptions have one series. */
	metric_add(t->backlog_metric, t->backlog - t->backlog_shown);
	t->backlog_shown = t->backlog;
	struct delivery_view v = {
	    .state = view_state(t, paused),
	    .state_since = t->health.since,
	    .in_flight = t->unfinished,
	    .waiting = (uint32_t)count - t->unfinished,
	    .more = window_more(t),
	    .oldest_at = lanes_oldest(t->lanes),
	    .next_attempt_at = next == INT64_MAX ? 0 : next,
	    .failures = t->health.failures,
	    .last_success_at = t->last_success_at,
	    .last_failure_at = t->last_failure_at,
	    .slots = destination_slots(&t->health, t->system->delivery.slots),
	    .catching_up = t->admission.catching_up,
	    .crowded = t->admission.crowded,
	    .maintenance_until = t->admission.maintenance ? t->admission.maintenance_until : 0,
	    .sent_per_minute = meter_per_minute(&t->admission.sent, d->now),
	    .delivered_per_minute = meter_per_minute(&t->admission.delivered, d->now),
	};
	for (int p = 0; p < PRIORITIES; p++)
		v.waiting_of[p] = (uint32_t)lanes_count_of(t->lanes, (enum delivery_priority)p);
	for (int op = 0; op < OPERATIONS; op++)
		v.breakers[op] = t->admission.breakers[op] ? t->admission.breakers[op]->state : BREAKER_CLOSED;
	memcpy(v.last_failure, t->last_failure, sizeof(v.last_failure));
	pthread_mutex_lock(&d->view_lock);
	t->view = v;
	pthread_mutex_unlock(&d->view_lock);
}

bool delivery_snapshot(struct delivery_engine *d, const struct hub *h, uint32_t system, struct delivery_view *out)
{
	for (size_t i = 0; i < d->hub_count; i++) {
		struct delivery_hub *one = &d->hubs[i];
		if (one->hub != h)
			continue;
		pthread_mutex_lock(&d->view_lock);
		const struct engine_destination *t = destination_known(one, system);
		if (t)
			*out = t->view;
		pthread_mutex_unlock(&d->view_lock);
		if (t && hub_system_paused(h, system))
			out->state = "paused";
		return t != NULL;
	}
	return false;
}

/* ---- the loop ---- */

/* Nobody has anything of it: no run, no load (there is more while one is under way), no turn. */
static bool forget_gone(struct engine_destination *t)
{
	struct delivery_hub *h = t->hub;
	if (!t->gone || t->active || t->unfinished || window_more(t) || lanes_count(t->lanes))
		return false;
	timers_set(&h->engine->timers, &t->timer, INT64_MAX);
	pthread_mutex_lock(&h->engine->view_lock);
	h->subscriptions[subscription_seq(t->index)] = NULL;
	pthread_mutex_unlock(&h->engine->view_lock);
	h->engine->destination_count--;
	destination_free(t);
	return true;
}

/* One destination's turn. It gets the next one when something happens to it or when its time has come: what waits costs
 * nothing by waiting. */
static void step(struct engine_destination *t, bool stopping)
{
	struct delivery_engine *d = t->hub->engine;
	bool paused = hub_system_paused(t->hub->hub, t->index), held = admission_held(t, paused);
	if (!stopping) {
		window_fill(t);
		gate_open(t, false);
		if (!held)
			dispatch(t);
	} else {
		gate_open(t, true);
	}
	if (forget_gone(t))
		return;
	int64_t next = dispatch_next(t);
	timers_set(&d->timers, &t->timer, next);
	admission_watch(t);
	show(t, paused, next);
	/* Nobody tells when a pause ends, or when another one's transfers make room. */
	if ((paused && (window_more(t) || lanes_count(t->lanes))) ||
	    (d->transfers >= ENGINE_TRANSFERS_MAX && (lanes_any_ready(t->lanes) || gate_waits(t))) ||
	    (d->ahead >= ENGINE_TRANSFERS_MAX && lanes_any_ready(t->lanes)))
		engine_activate(t);
}

static void activate_due(struct delivery_engine *d)
{
	for (struct timer *first; (first = timers_first(&d->timers)) && first->due <= d->now;) {
		timers_set(&d->timers, first, INT64_MAX);
		engine_activate(
		    (struct engine_destination *)((char *)first - offsetof(struct engine_destination, timer)));
	}
}

/* A turn for each that wants one, another one first each time. Those that want one again are behind them. */
static void step_active(struct delivery_engine *d, bool stopping)
{
	size_t n = d->active_count;
	if (n == 0)
		return;
	struct engine_destination **round = d->active;
	d->active = d->active_next;
	d->active_next = round;
	d->active_count = 0;
	for (size_t i = 0; i < n; i++)
		round[i]->active = false;
	size_t from = d->turn++ % n;
	for (size_t i = 0; i < n; i++)
		step(round[(from + i) % n], stopping);
}

static int64_t step_all(struct delivery_engine *d, bool stopping)
{
	activate_due(d);
	step_active(d, stopping);
	int64_t next = timers_first(&d->timers) ? timers_first(&d->timers)->due : INT64_MAX;
	for (size_t i = 0; i < d->hub_count; i++) {
		submit_again(&d->hubs[i]);
		dispatch_start(&d->hubs[i]);
		progress_submit(&d->hubs[i]);
		if (d->hubs[i].first && d->hubs[i].submit_at < next)
			next = d->hubs[i].submit_at;
	}
	return next;
}

static int sleep_ms(const struct delivery_engine *d, int64_t next)
{
	int64_t ms = next == INT64_MAX ? ENGINE_SLEEP_MS : next - d->now;
	if (ms < 0)
		return 0;
	return ms < ENGINE_SLEEP_MS ? (int)ms : ENGINE_SLEEP_MS;
}

static int64_t turn(struct delivery_engine *d, bool stopping)
{
	d->now = clock_wall_ms(d->clock);
	take_notes(d);
	int64_t next = step_all(d, stopping);
	give_work(d);
	return next;
}

int64_t delivery_turn(struct delivery_engine *d)
{
	assert(d->wake_fd < 0);
	int64_t next = turn(d, false);
	d->transport->run(d->transport, 0, -1);
	give_work(d);
	return queue_length(d->notes) ? d->now : next;
}

static void round_once(struct delivery_engine *d, bool stopping)
{
	int64_t next = turn(d, stopping);
	/* At the end nothing would wake the loop. */
	bool idle = stopping && !d->all && !d->with_workers && !d->with_hub;
	d->transport->run(d->transport, idle ? 0 : sleep_ms(d, next), d->wake_fd);
	give_work(d);
	d->now = clock_wall_ms(d->clock);
}

static bool anything_waits_for_hub(const struct delivery_engine *d)
{
	for (size_t i = 0; i < d->hub_count; i++)
		if (d->hubs[i].first)
			return true;
	return false;
}

static void forget_refused(struct delivery_engine *d)
{
	for (size_t i = 0; i < d->hub_count; i++) {
		struct delivery_hub *h = &d->hubs[i];
		for (struct submission *s = h->first, *next; s; s = next) {
			next = s->next;
			submission_free(s);
		}
		h->first = h->last = NULL;
	}
}

static int64_t cancel_all(struct delivery_engine *d)
{
	int64_t n = 0;
	for (struct attempt_run *r = d->all; r; r = r->all_next) {
		if (r->transfer) {
			d->transport->cancel(d->transport, r->transfer);
			n++;
		}
		r->transfer = NULL;
	}
	return n;
}

/* Lets what is under way end in time, drops the rest; then nobody else has anything of ours. */
static void wind_down(struct delivery_engine *d)
{
	int64_t until = clock_mono_ns(d->clock) / 1000000 + d->patience_ms;
	while ((d->all || d->with_workers || anything_waits_for_hub(d)) && clock_mono_ns(d->clock) / 1000000 < until)
		round_once(d, true);
	bool dropped = d->all != NULL;
	int64_t cancelled = cancel_all(d);
	if (dropped)
		log_warn("delivery",
			 "stopped with deliveries under way; their outcome is looked into at the next start",
			 LOG_INT("transfers", cancelled));
	d->ended = true;
	forget_refused(d);
	while (d->with_workers || d->with_hub) {
		round_once(d, true);
		forget_refused(d);
	}
}

static void *engine_main(void *arg)
{
	struct delivery_engine *d = arg;
	pthread_setname_np(pthread_self(), "delivery");
	while (!atomic_load(&d->stopping))
		round_once(d, false);
	wind_down(d);
	return NULL;
}

/* ---- start and stop ---- */

/* How much waits, as the hub has counted it: no table is read. */
static void take_backlog(struct delivery_hub *h, const struct counter *c)
{
	if (c->what != COUNTED_DELIVERIES || !str_is(c->c, "open") || c->total <= 0)
		return;
	const struct config_system *s = config_find_system(hub_tenant(h->hub), c->a);
	int64_t seq;
	if (!s && subscription_name_parse(c->a, &seq)) {
		struct engine_destination *t = destination_of(h, subscription_system(seq));
		t->backlog += c->total;
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
		destination_init(&h->destinations[i], h, &tenant->systems[i]);
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
	return counters ? RC_OK : err_set(e, RC_LIMIT, "too_many_counters", "the counts do not fit into memory");
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

void delivery_free(struct delivery_engine *d)
{
	if (!d)
		return;
	cancel_all(d);
	free_notes(d);
	while (d->submissions)
		submission_free(d->submissions);
	while (d->all)
		run_free(d->all);
	for (size_t i = 0; i < d->hub_count; i++) {
		for (size_t j = 0; j < d->hubs[i].count; j++)
			destination_done(&d->hubs[i].destinations[j]);
		for (size_t j = 0; j < d->hubs[i].subscription_room; j++)
			if (d->hubs[i].subscriptions[j])
				destination_free(d->hubs[i].subscriptions[j]);
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
