/*
 * Who is delivered to: one destination for each system, and one for each subscription that had something to deliver
 * since the start; and what others may see of them. Other threads look through view_lock only.
 */
#include "connect/engine.h"

#include "backbone/subscription.h"
#include "base/mem.h"
#include "connect/webhook.h"

#include <assert.h>
#include <stdio.h>

#define NAME_MAX_TEXT 128

/* ---- destinations ---- */

static struct metric *series(enum metric_id id, const struct config_tenant *t, struct str second, const char *third)
{
	char tenant[NAME_MAX_TEXT], name[NAME_MAX_TEXT];
	snprintf(tenant, sizeof(tenant), STR_FMT, STR_ARG(t->name));
	snprintf(name, sizeof(name), STR_FMT, STR_ARG(second));
	return metric_find(id, (const char *const[]){tenant, name, third});
}

void roster_init(struct engine_destination *t, struct delivery_hub *h, const struct config_system *s)
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
	roster_init(t, h, t->own);
	t->index = system;
	if (++d->destination_count > d->active_room) {
		d->active_room = 2 * d->destination_count;
		d->active = mem_grow(d->active, d->active_room * sizeof(*d->active));
		d->active_next = mem_grow(d->active_next, d->active_room * sizeof(*d->active));
	}
	return t;
}

/* NULL: a subscription that had nothing to deliver since the start. */
struct engine_destination *roster_known(const struct delivery_hub *h, uint32_t system)
{
	size_t i = (size_t)subscription_seq(system);
	if (!system_is_subscription(system))
		return i < h->count ? &h->destinations[i] : NULL;
	return i < h->subscription_room ? h->subscriptions[i] : NULL;
}

struct engine_destination *roster_of(struct delivery_hub *h, uint32_t system)
{
	struct engine_destination *t = roster_known(h, system);
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

void roster_done(struct engine_destination *t)
{
	if (t->backlog_metric)
		metric_add(t->backlog_metric, -t->backlog_shown);
	if (t->crowded_metric && t->admission.crowded)
		metric_add(t->crowded_metric, -1);
	lanes_free(t->lanes);
	admission_done(t);
}

/* Of a subscription: it is on the heap, with the system that it stands for. */
void roster_free(struct engine_destination *t)
{
	roster_done(t);
	free((char *)t->own->name.p);
	free(t->own);
	free(t);
}

/* It may have another url now, or nobody may want its deliveries any more. */
void roster_changed(struct engine_destination *t)
{
	t->health = (struct destination_health){.since = t->hub->engine->now};
	lanes_hasten(t->lanes);
	engine_activate(t);
}

/* The same, and it is not needed any longer than it has something to do. */
void roster_gone(struct delivery_hub *h, uint32_t system)
{
	struct engine_destination *t = roster_known(h, system);
	if (!t || !t->own)
		return;
	t->gone = true;
	roster_changed(t);
}

/* Nobody has anything of it: no run, no load (there is more while one is under way), no turn. */
bool roster_forget(struct engine_destination *t)
{
	struct delivery_hub *h = t->hub;
	if (!t->gone || t->active || t->unfinished || window_more(t) || lanes_count(t->lanes))
		return false;
	timers_set(&h->engine->timers, &t->timer, INT64_MAX);
	pthread_mutex_lock(&h->engine->view_lock);
	h->subscriptions[subscription_seq(t->index)] = NULL;
	pthread_mutex_unlock(&h->engine->view_lock);
	h->engine->destination_count--;
	roster_free(t);
	return true;
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

void roster_show(struct engine_destination *t, bool paused, int64_t next)
{
	struct delivery_engine *d = t->hub->engine;
	size_t count = lanes_count(t->lanes);
	if (!window_more(t))
		t->backlog = (int64_t)count;
	/* All subscriptions have one series. */
	metric_add(t->backlog_metric, t->backlog - t->backlog_shown);
	t->backlog_shown = t->backlog;
	hub_system_set_crowded(t->hub->hub, t->index, t->admission.crowded);
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
		const struct engine_destination *t = roster_known(one, system);
		if (t)
			*out = t->view;
		pthread_mutex_unlock(&d->view_lock);
		if (t && hub_system_paused(h, system))
			out->state = "paused";
		return t != NULL;
	}
	return false;
}
