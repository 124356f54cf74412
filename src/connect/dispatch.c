/*
 * From waiting to started: which deliveries of a destination are prepared now, and how.
 *
 * Prepared are more than there are slots, so that no slot stands idle while a start is committed; what is started waits
 * at the gate (gate.c) for its slot. Rate, budget and breaker are asked here: what is started may be sent.
 *
 * A delivery that was never sent, or whose unknown outcome is settled as "not there", is rendered and then started with
 * COMMAND_DELIVERY_START: the request leaves only when the hub has committed that it is being sent. One with an unknown
 * outcome is looked up; where that is not possible it is sent again if the operation is idempotent, else given to a
 * person. One whose place a newer one takes (on_failure: latest_wins) is ended by the same command, without a request.
 */
#include "connect/engine.h"

#include "base/mem.h"
#include "hub/unsent.h"

#include <assert.h>

#define SUPERSEDED_AT_ONCE 256

/* ---- taking ---- */

enum way { WAY_START, WAY_LOOKUP, WAY_ABANDON };

static enum way way_of(const struct engine_destination *t, const struct lane *lane)
{
	const struct delivery_head *head = &lane->first->head;
	const struct pack_operation *op = &t->system->pack->operations[head->operation];
	if (head->status != DELIVERY_UNKNOWN && head->status != DELIVERY_SENDING)
		return WAY_START;
	if (op->has_lookup) {
		const struct lane_doubt *q = &lane->doubt;
		struct retry_policy retry = admission_retry(t, (enum operation)head->operation);
		if (q->failures && admission_age(t, head->created_at) >= retry.give_up_after_ms)
			return WAY_ABANDON;
		bool settled = q->empties >= 2 &&
			       q->empty_last - q->empty_since >= attempt_confirm_after_ms(t->system, head->operation);
		return settled ? WAY_START : WAY_LOOKUP;
	}
	return op->idempotent ? WAY_START : WAY_ABANDON;
}

static uint32_t room(const struct engine_destination *t)
{
	const struct delivery_engine *d = t->hub->engine;
	uint32_t n = destination_room(&t->health, t->system->delivery.slots, t->ahead, t->unfinished, d->now);
	size_t left = d->ahead < ENGINE_TRANSFERS_MAX ? ENGINE_TRANSFERS_MAX - d->ahead : 0;
	return n < left ? n : (uint32_t)left;
}

/* The ready lane whose turn it is. */
static struct lane *choose(struct engine_destination *t)
{
	bool waits[PRIORITIES];
	for (int p = 0; p < PRIORITIES; p++)
		waits[p] =
		    lanes_ready(t->lanes, (enum delivery_priority)p) && !gate_is_full(t, (enum delivery_priority)p);
	enum delivery_priority next = turns_next(&t->turns, waits);
	return next < PRIORITIES ? lanes_look(t->lanes, next, NULL) : NULL;
}

/* Does a newer one of this kind wait behind it, or was one delivered before it, and is this one known not to be there?
 */
static bool is_superseded(const struct engine_destination *t, const struct lane *lane, const struct lane_entry *e)
{
	const struct lane_entry *behind = e->behind;
	bool newer = behind && behind->head.operation == e->head.operation;
	bool passed = lane->passed > e->head.seq && lane->passed_op == e->head.operation;
	return (newer || passed) && e->head.status == DELIVERY_WAITING &&
	       config_operation(t->system, e->head.operation)->on_failure == ON_FAILURE_LATEST;
}

static void supersede(struct engine_destination *t, struct lane *lane)
{
	struct lane_entry *e = lane->first;
	for (int n = 0; e && n < SUPERSEDED_AT_ONCE && is_superseded(t, lane, e); n++) {
		if (n)
			lanes_take_more(lane);
		dispatch_rendered(run_new(t, lane, e, ATTEMPT_SUPERSEDE));
		e = e->behind;
	}
}

static void begin(struct engine_destination *t, struct lane *lane, enum way way)
{
	static const enum attempt_kind kinds[] = {
	    [WAY_START] = ATTEMPT_SEND, [WAY_LOOKUP] = ATTEMPT_LOOKUP, [WAY_ABANDON] = ATTEMPT_ABANDON};
	struct attempt_run *r = run_new(t, lane, lane->first, kinds[way]);
	r->is_ahead = true;
	t->ahead++;
	t->ahead_of[r->attempt.head.priority]++;
	t->hub->engine->ahead++;
	if (way != WAY_ABANDON)
		admission_take(r);
	if (way == WAY_START)
		batch_gather(r);
	run_render(r);
}

/* Prepares the first of this lane, which is ready. false: nothing more can be prepared now. */
static bool prepare(struct engine_destination *t, struct lane *lane)
{
	enum operation op = (enum operation)lane->first->head.operation;
	int64_t due, now = t->hub->engine->now;
	bool superseded = is_superseded(t, lane, lane->first);
	int64_t at = superseded ? now : admission_at(t, op);
	if (at > now) {
		t->admission.wait_until = at;
		return false;
	}
	lanes_take_one(t->lanes, lane);
	if (superseded) {
		supersede(t, lane);
		return true;
	}
	enum way way = way_of(t, lane);
	if (way == WAY_START && !admission_allows(t, op, &due))
		lanes_put_back(t->lanes, lane, due, true);
	else if (way == WAY_START && batch_lingers(t, lane, &due))
		lanes_linger(t->lanes, lane, due);
	else
		begin(t, lane, way);
	return true;
}

void dispatch(struct engine_destination *t)
{
	t->admission.wait_until = 0;
	if (window_unseen(t))
		return;
	lanes_wake(t->lanes, t->hub->engine->now);
	while (room(t) > 0) {
		struct lane *lane = choose(t);
		if (!lane || !prepare(t, lane))
			break;
	}
}

int64_t dispatch_next(const struct engine_destination *t)
{
	const struct admission *a = &t->admission;
	int64_t now = t->hub->engine->now, next = window_next(t);
	if (lanes_count(t->lanes) == 0)
		return next;
	bool ready = lanes_any_ready(t->lanes) || gate_waits(t);
	int64_t due = ready ? now : lanes_next_due(t->lanes);
	if (due < t->health.blocked_until)
		due = t->health.blocked_until;
	if (ready && due < a->wait_until)
		due = a->wait_until;
	if (a->held)
		due = a->maintenance ? a->maintenance_until : INT64_MAX;
	/* Ready and not blocked, and yet not taken: no slot is free, an answer will wake us. */
	if (due <= now)
		return next;
	return due < next ? due : next;
}

/* ---- starting ---- */

void dispatch_rendered(struct attempt_run *r)
{
	struct delivery_hub *h = r->destination->hub;
	r->next = NULL;
	*(h->rendered ? &h->rendered_last->next : &h->rendered) = r;
	h->rendered_last = r;
	for (; r; r = r->behind)
		h->rendered_count++;
}

/* One that may have been sent before is not said to wait. */
static void hold(struct attempt_run *r)
{
	r->held = r->attempt.kind == ATTEMPT_SEND && r->attempt.head.status == DELIVERY_WAITING;
	if (r->held)
		unsent_add(hub_unsent(r->destination->hub->hub), r->attempt.head.seq);
}

void dispatch_start(struct delivery_hub *h)
{
	if (!h->rendered)
		return;
	struct command *c = command_new(COMMAND_DELIVERY_START);
	struct submission *s = submission_new(h, NOTE_STARTED, c);
	s->runs = h->rendered;
	c->starts.items = arena_array(&c->arena, struct delivery_start, h->rendered_count);
	assert(c->starts.items);
	for (struct attempt_run *first = h->rendered; first; first = first->next) {
		for (struct attempt_run *r = first; r; r = r->behind) {
			const struct attempt *a = &r->attempt;
			hold(r);
			c->starts.items[c->starts.count++] =
			    (struct delivery_start){.seq = a->head.seq,
						    .system = a->head.system,
						    .operation = a->head.operation,
						    .attempts = a->head.attempts,
						    .order_id = a->delivery.order_id,
						    .batch = a->batch_id,
						    .superseded = a->kind == ATTEMPT_SUPERSEDE};
		}
	}
	h->rendered = h->rendered_last = NULL;
	h->rendered_count = 0;
	submit(s);
}

/* The hub says that it is not to be sent. */
static void ended(struct attempt_run *r)
{
	struct engine_destination *t = r->destination;
	struct lane *lane = r->lane;
	struct lane_entry *e = r->entry;
	t->backlog--;
	run_free(r);
	lanes_settle(t->lanes, lane, e, t->hub->engine->now);
	engine_activate(t);
}

/* One request's deliveries, which the hub has committed as being sent; how many. If one of several is not to be sent,
 * the request is another one: the rest is taken back. */
static size_t start_one(struct attempt_run *first, const struct delivery_start *items)
{
	size_t n = 0;
	bool all = true;
	for (struct attempt_run *r = first; r; r = r->behind, n++) {
		all = all && items[n].go;
		r->started = items[n].go;
	}
	if (first->destination->hub->engine->ended)
		return n;
	if (all) {
		gate_add(first);
		return n;
	}
	for (struct attempt_run *r = first, *behind; r; r = behind) {
		behind = r->behind;
		r->behind = NULL;
		if (r->started)
			run_take_back(r);
		else
			ended(r);
	}
	return n;
}

void dispatch_started(struct submission *s)
{
	struct delivery_engine *d = s->hub->engine;
	const struct command *c = s->command;
	bool failed = c->answer.status >= 500;
	size_t i = 0;
	d->with_hub--;
	for (struct attempt_run *r = s->runs, *next; r; r = next) {
		next = r->next;
		r->next = NULL;
		if (failed)
			run_drop(r, d->now + ENGINE_AGAIN_MS);
		else
			i += start_one(r, &c->starts.items[i]);
	}
	submission_free(s);
}
