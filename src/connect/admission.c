/*
 * What may be sent to a destination, and when: rate, budget of points, breakers, maintenance, catching up, and how much
 * may wait. The rules are in rate.h, breaker.h and base/calendar.h; here they are asked and told, and what changes is
 * told to people: as an event of the log, in the log file and as a metric.
 */
#include "connect/engine.h"

#include "base/mem.h"
#include "observe/log.h"

#include <stdio.h>

#define NOTE_MAX 1024

void admission_init(struct engine_destination *t)
{
	const struct config_delivery *c = &t->system->delivery;
	struct admission *a = &t->admission;
	int64_t now = t->hub->engine->now;
	rate_init(&a->rate, c->rate.count, c->rate.per_ms, c->burst, now);
	rate_init(&a->catch_up, c->catch_up_rate.count, c->catch_up_rate.per_ms, 1, now);
}

void admission_done(struct engine_destination *t)
{
	for (int op = 0; op < OPERATIONS; op++)
		free(t->admission.breakers[op]);
}

/* ---- telling ---- */

/* Subscriptions have events of their own. */
static bool is_told(const struct engine_destination *t)
{
	return !t->own;
}

static void note_begin(struct engine_destination *t, struct buf *b, struct json_writer *w)
{
	buf_init(b, NOTE_MAX);
	jw_init(w, b);
	jw_object(w);
	jw_key_text(w, "system", t->system->name);
}

/* op: the operation whose breaker it is about; OPERATIONS: none's. */
static void note_end(struct engine_destination *t, const char *type, struct buf *b, struct json_writer *w,
		     enum operation op)
{
	jw_object_end(w);
	if (buf_ok(b) && is_told(t)) {
		struct submission *s = submit_prepare(t, type, b);
		if (op != OPERATIONS)
			trouble_breaker(s, t, op);
		submit(s);
	}
	buf_done(b);
}

/* ---- maintenance and pauses ---- */

static void maintenance_changed(struct engine_destination *t)
{
	const struct admission *a = &t->admission;
	struct json_writer w;
	struct buf b;
	note_begin(t, &b, &w);
	if (a->maintenance && a->maintenance_until != INT64_MAX)
		jw_key_time(&w, "until", a->maintenance_until);
	note_end(t, a->maintenance ? "system.maintenance_began" : "system.maintenance_ended", &b, &w, OPERATIONS);
	log_info("delivery", a->maintenance ? "maintenance begins" : "maintenance ends",
		 LOG_STR("system", t->system->name));
}

bool admission_held(struct engine_destination *t, bool paused)
{
	struct admission *a = &t->admission;
	bool was_held = a->held;
	if (t->system->delivery.maintenance.count) {
		bool was = a->maintenance;
		a->maintenance =
		    calendar_within(&t->system->delivery.maintenance, t->hub->engine->now, &a->maintenance_until);
		if (a->maintenance != was)
			maintenance_changed(t);
	}
	a->held = paused || a->maintenance;
	if (was_held && !a->held)
		admission_back(t);
	return a->held;
}

int64_t admission_age(const struct engine_destination *t, int64_t created_at)
{
	int64_t now = t->hub->engine->now;
	return now - created_at - calendar_overlap(&t->system->delivery.maintenance, created_at, now);
}

struct retry_policy admission_retry(const struct engine_destination *t, enum operation op)
{
	const struct operation_policy *p = config_operation(t->system, op);
	struct retry_policy r = t->policy;
	if (p->retry_base_ms)
		r.base_ms = p->retry_base_ms;
	if (p->retry_max_ms)
		r.max_ms = p->retry_max_ms;
	if (p->give_up_after_ms)
		r.give_up_after_ms = p->give_up_after_ms;
	r.delays = p->delays;
	r.delay_count = p->delay_count;
	return r;
}

/* ---- catching up, and how much waits ---- */

void admission_back(struct engine_destination *t)
{
	struct admission *a = &t->admission;
	const struct config_rate *c = &t->system->delivery.catch_up_rate;
	if (!c->count || t->backlog <= (int64_t)t->system->delivery.slots)
		return;
	a->catching_up = true;
	rate_init(&a->catch_up, c->count, c->per_ms, 1, t->hub->engine->now);
}

/* More than so much of its limit waits. */
static const char *over(const struct engine_destination *t, int64_t percent)
{
	const struct config_backlog *c = &t->system->delivery.backlog;
	int64_t oldest = lanes_oldest(t->lanes), age = oldest ? t->hub->engine->now - oldest : 0;
	if (c->count && t->backlog * 100 > (int64_t)c->count * percent)
		return "count";
	if (c->bytes && t->backlog * t->admission.request_bytes > c->bytes / 100 * percent)
		return "bytes";
	return c->age_ms && age * 100 > c->age_ms * percent ? "age" : NULL;
}

void admission_watch(struct engine_destination *t)
{
	struct admission *a = &t->admission;
	if (a->catching_up && t->backlog <= (int64_t)t->unfinished)
		a->catching_up = false;
	const char *why = over(t, a->crowded ? 90 : 100);
	if (!why == !a->crowded)
		return;
	struct json_writer w;
	struct buf b;
	a->crowded = why != NULL;
	metric_add(t->crowded_metric, a->crowded ? 1 : -1);
	note_begin(t, &b, &w);
	if (why)
		jw_key_text(&w, "limit", str_from(why));
	jw_key_int(&w, "backlog", t->backlog);
	if (lanes_oldest(t->lanes))
		jw_key_time(&w, "oldest_at", lanes_oldest(t->lanes));
	note_end(t, why ? "system.backlog_high" : "system.backlog_normal", &b, &w, OPERATIONS);
	if (why)
		log_error("delivery", "alert: more waits for the system than its backlog limit says",
			  LOG_STR("system", t->system->name), LOG_STR("limit", str_from(why)),
			  LOG_INT("backlog", t->backlog));
}

/* ---- rate, points, breakers ---- */

int64_t admission_at(struct engine_destination *t, enum operation op)
{
	struct admission *a = &t->admission;
	int64_t now = t->hub->engine->now, at = rate_at(&a->rate, now);
	int64_t slow = a->catching_up ? rate_at(&a->catch_up, now) : now, points = points_at(&a->points, op, now);
	at = slow > at ? slow : at;
	return points > at ? points : at;
}

bool admission_allows(const struct engine_destination *t, enum operation op, int64_t *due)
{
	const struct breaker *b = t->admission.breakers[op];
	int64_t now = t->hub->engine->now;
	if (!b || breaker_allows(b, now))
		return true;
	*due = b->state == BREAKER_OPEN ? b->until : now + t->system->delivery.breaker.open_ms;
	return false;
}

static void breaker_changed(struct engine_destination *t, enum operation op, uint32_t all, uint32_t bad)
{
	static const char *const types[] = {
	    [BREAKER_CLOSED] = "delivery.breaker_closed",
	    [BREAKER_OPEN] = "delivery.breaker_opened",
	    [BREAKER_HALF_OPEN] = "delivery.breaker_half_open",
	};
	const struct breaker *b = t->admission.breakers[op];
	struct str name = str_from(operation_name(op));
	struct json_writer w;
	struct buf data;
	note_begin(t, &data, &w);
	jw_key_text(&w, "operation", name);
	if (b->state == BREAKER_OPEN) {
		jw_key_int(&w, "answers", all);
		jw_key_int(&w, "failures", bad);
		jw_key_time(&w, "until", b->until);
	}
	note_end(t, types[b->state], &data, &w, op);
	if (b->state == BREAKER_OPEN)
		log_warn("delivery", "breaker opened: too many requests of an operation fail",
			 LOG_STR("system", t->system->name), LOG_STR("operation", name), LOG_INT("answers", all),
			 LOG_INT("failures", bad));
	else if (b->state == BREAKER_CLOSED)
		log_info("delivery", "breaker closed", LOG_STR("system", t->system->name), LOG_STR("operation", name));
	metric_add(t->breaker_metric, b->state == BREAKER_OPEN ? 1 : 0);
	if (b->state == BREAKER_CLOSED)
		lanes_hasten(t->lanes);
}

void admission_restore(struct engine_destination *t, enum operation op, int64_t until)
{
	struct breaker **b = &t->admission.breakers[op];
	if (!*b)
		*b = mem_zalloc(1, sizeof(**b));
	breaker_restore(*b, until, t->hub->engine->now);
}

void admission_take(struct attempt_run *r)
{
	struct engine_destination *t = r->destination;
	struct admission *a = &t->admission;
	enum operation op = (enum operation)r->attempt.head.operation;
	int64_t now = t->hub->engine->now;
	r->admitted = true;
	rate_take(&a->rate, now);
	if (a->catching_up)
		rate_take(&a->catch_up, now);
	r->points = points_take(&a->points, op);
	struct breaker *b = r->attempt.kind == ATTEMPT_SEND ? a->breakers[op] : NULL;
	if (b && breaker_go(b, now, &r->probe))
		breaker_changed(t, op, 0, 0);
}

void admission_give(struct attempt_run *r)
{
	struct admission *a = &r->destination->admission;
	if (!r->admitted)
		return;
	r->admitted = false;
	rate_give(&a->rate);
	if (a->catching_up)
		rate_give(&a->catch_up);
	points_give(&a->points, r->points);
	if (r->probe)
		breaker_stay(a->breakers[r->attempt.head.operation]);
	r->probe = false;
}

static void note_breaker(struct attempt_run *r)
{
	struct engine_destination *t = r->destination;
	const struct config_breaker *c = &t->system->delivery.breaker;
	const struct breaker_policy policy = {c->window_ms, c->samples, c->percent, c->open_ms, c->probes};
	const struct attempt *a = &r->attempt;
	enum operation op = (enum operation)a->head.operation;
	bool bad = a->outcome == OUTCOME_TECHNICAL || a->outcome == OUTCOME_UNKNOWN;
	bool silent = a->outcome == OUTCOME_THROTTLED || a->outcome == OUTCOME_UNAUTHORIZED;
	struct breaker **b = &t->admission.breakers[op];
	if (a->kind != ATTEMPT_SEND || !c->samples || !is_told(t))
		return;
	if (silent) {
		if (r->probe)
			breaker_stay(*b);
		return;
	}
	if (!*b)
		*b = mem_zalloc(1, sizeof(**b));
	uint32_t all, failed;
	breaker_counts(*b, &all, &failed);
	if (breaker_note(*b, &policy, !bad, a->started_at, t->hub->engine->now))
		breaker_changed(t, op, all + 1, failed + bad);
}

void admission_note(struct attempt_run *r)
{
	struct engine_destination *t = r->destination;
	struct admission *adm = &t->admission;
	struct attempt *a = &r->attempt;
	enum operation op = (enum operation)a->head.operation;
	int64_t now = t->hub->engine->now, bytes = (int64_t)a->request.body.n;
	if (!r->admitted)
		return;
	r->admitted = false;
	points_give(&adm->points, r->points);
	if (a->cost.known) {
		points_note(&adm->points, op, &a->cost, now);
		trouble_points(t, op);
	} else if (a->kind == ATTEMPT_SEND && a->outcome == OUTCOME_DELIVERED) {
		points_silent(&adm->points);
	}
	if (a->cost.known && a->outcome == OUTCOME_THROTTLED && !a->retry_after_ms)
		a->retry_after_ms = points_at(&adm->points, op, now) - now;
	note_breaker(r);
	r->probe = false;
	meter_add(&adm->sent, now);
	if (a->outcome == OUTCOME_DELIVERED && a->kind == ATTEMPT_SEND)
		for (const struct attempt_run *one = r; one; one = one->behind)
			meter_add(&adm->delivered, now);
	if (a->kind == ATTEMPT_SEND)
		adm->request_bytes += (bytes - adm->request_bytes) / (adm->request_bytes ? 8 : 1);
}
