/*
 * From waiting to under way: which deliveries of a destination are started now, and how.
 *
 * A delivery that was never sent, or whose unknown outcome is settled as "not there", is rendered and then started with
 * COMMAND_DELIVERY_START: the request leaves only when the hub has committed that it is being sent. One with an unknown
 * outcome is looked up; where that is not possible it is sent again if the operation is idempotent, else given to a
 * person.
 *
 * A hub that refuses a command (its queue is full, or it does not commit) gets it again after ENGINE_RESUBMIT_MS, in
 * order. What waits there is bounded by the slots.
 */
#include "connect/engine.h"

#include "base/mem.h"

#include <assert.h>

/* ---- commands ---- */

static void command_back(struct command *c, void *ctx)
{
	struct submission *s = ctx;
	(void)c;
	engine_post(s->hub->engine, &s->note);
}

struct submission *submission_new(struct delivery_hub *h, enum note_type type, struct command *c)
{
	struct submission *s = mem_zalloc(1, sizeof(*s));
	struct delivery_engine *d = h->engine;
	s->note.type = type;
	s->hub = h;
	s->command = c;
	s->all_next = d->submissions;
	s->all_back = &d->submissions;
	if (d->submissions)
		d->submissions->all_back = &s->all_next;
	d->submissions = s;
	return s;
}

void submission_free(struct submission *s)
{
	*s->all_back = s->all_next;
	if (s->all_next)
		s->all_next->all_back = s->all_back;
	command_free(s->command);
	free(s);
}

static bool try_submit(struct submission *s)
{
	struct delivery_engine *d = s->hub->engine;
	s->command->done = command_back;
	s->command->ctx = s;
	if (hub_submit(s->hub->hub, s->command) != RC_OK)
		return false;
	d->with_hub++;
	return true;
}

void submit(struct submission *s)
{
	struct delivery_hub *h = s->hub;
	s->next = NULL;
	if (!h->first && h->engine->now >= h->submit_at && try_submit(s))
		return;
	if (h->first)
		h->last->next = s;
	else
		h->first = s;
	h->last = s;
	if (h->submit_at <= h->engine->now)
		h->submit_at = h->engine->now + ENGINE_RESUBMIT_MS;
}

void submit_again(struct delivery_hub *h)
{
	if (!h->first || h->engine->now < h->submit_at)
		return;
	while (h->first) {
		struct submission *s = h->first, *next = s->next;
		if (!try_submit(s)) {
			h->submit_at = h->engine->now + ENGINE_RESUBMIT_MS;
			return;
		}
		h->first = next;
	}
	h->last = NULL;
}

/* ---- starting ---- */

enum way { WAY_START, WAY_LOOKUP, WAY_ABANDON };

static enum way way_of(const struct engine_destination *t, const struct lane *lane, int64_t now)
{
	const struct delivery_head *head = &lane->first->head;
	const struct pack_operation *op = &t->system->pack->operations[head->operation];
	if (head->status != DELIVERY_UNKNOWN && head->status != DELIVERY_SENDING)
		return WAY_START;
	if (op->has_lookup) {
		const struct lane_doubt *q = &lane->doubt;
		if (now - head->created_at >= t->policy.give_up_after_ms && q->failures)
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
	uint32_t n = destination_room(&t->health, t->system->delivery.slots, t->transfers, t->unfinished, d->now);
	size_t left = d->transfers < ENGINE_TRANSFERS_MAX ? ENGINE_TRANSFERS_MAX - d->transfers : 0;
	return n < left ? n : (uint32_t)left;
}

static struct lane *take(struct engine_destination *t)
{
	bool waits[PRIORITIES];
	for (int p = 0; p < PRIORITIES; p++)
		waits[p] = lanes_ready(t->lanes, (enum delivery_priority)p) &&
			   t->transfers_of[p] < turns_slots((enum delivery_priority)p, t->system->delivery.slots);
	enum delivery_priority next = turns_next(&t->turns, waits);
	return next < PRIORITIES ? lanes_take(t->lanes, next) : NULL;
}

void dispatch(struct engine_destination *t)
{
	struct delivery_engine *d = t->hub->engine;
	lanes_wake(t->lanes, d->now);
	for (uint32_t n = room(t); n; n--) {
		struct lane *lane = take(t);
		if (!lane)
			break;
		switch (way_of(t, lane, d->now)) {
		case WAY_START:
			run_render(run_new(t, lane, ATTEMPT_SEND));
			break;
		case WAY_LOOKUP:
			run_render(run_new(t, lane, ATTEMPT_LOOKUP));
			break;
		case WAY_ABANDON:
			run_render(run_new(t, lane, ATTEMPT_ABANDON));
			break;
		}
	}
}

int64_t dispatch_next(const struct engine_destination *t, bool paused)
{
	int64_t now = t->hub->engine->now, next = window_next(t);
	if (paused || lanes_count(t->lanes) == 0)
		return next;
	int64_t due = lanes_any_ready(t->lanes) ? now : lanes_next_due(t->lanes);
	if (due < t->health.blocked_until)
		due = t->health.blocked_until;
	/* Ready and not blocked, and yet not taken: no slot is free, an answer will wake us. */
	if (due <= now)
		return next;
	return due < next ? due : next;
}

void dispatch_rendered(struct attempt_run *r)
{
	struct delivery_hub *h = r->destination->hub;
	r->next = NULL;
	*(h->rendered ? &h->rendered_last->next : &h->rendered) = r;
	h->rendered_last = r;
	h->rendered_count++;
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
	for (struct attempt_run *r = h->rendered; r; r = r->next) {
		const struct delivery_head *head = &r->attempt.head;
		c->starts.items[c->starts.count++] = (struct delivery_start){.seq = head->seq,
									     .system = head->system,
									     .operation = head->operation,
									     .attempts = head->attempts,
									     .order_id = r->attempt.delivery.order_id};
	}
	h->rendered = h->rendered_last = NULL;
	h->rendered_count = 0;
	submit(s);
}

void dispatch_started(struct submission *s)
{
	struct delivery_engine *d = s->hub->engine;
	const struct command *c = s->command;
	d->with_hub--;
	bool failed = c->answer.status >= 500;
	size_t i = 0;
	for (struct attempt_run *r = s->runs, *next; r; r = next, i++) {
		next = r->next;
		r->next = NULL;
		if (failed) {
			run_drop(r, d->now + ENGINE_AGAIN_MS);
		} else if (!c->starts.items[i].go) {
			struct engine_destination *t = r->destination;
			struct lane *lane = r->lane;
			struct lane_entry *entry = r->entry;
			t->backlog--;
			run_free(r);
			lanes_settle(t->lanes, lane, entry, d->now);
			engine_activate(t);
		} else if (!d->ended) {
			run_transfer(r);
		}
	}
	submission_free(s);
}
