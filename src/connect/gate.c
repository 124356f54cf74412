/*
 * The gate: what is started and waits for a slot. Slots count requests under way only, not the commits before and
 * after.
 *
 * How it fails: what the store knows as being sent may have been sent, as far as anybody can tell after a crash. So
 * little waits here, not for long, and when nothing is sent for a while (a pause, a failure, a stop) it is taken back.
 * So it is when somebody has cancelled it: who sends asks hub/unsent.h first, in whatever order the news come.
 */
#include "connect/engine.h"

#define HOLD_MS 1000 /* for a shorter time it stays here */

bool gate_waits(const struct engine_destination *t)
{
	for (int p = 0; p < PRIORITIES; p++)
		if (t->gate[p])
			return true;
	return false;
}

/* What one priority may have at once, under way or prepared. */
bool gate_is_full(const struct engine_destination *t, enum delivery_priority p)
{
	uint32_t slots = turns_slots(p, destination_slots(&t->health, t->system->delivery.slots));
	return t->ahead_of[p] + t->transfers_of[p] >= slots * (1 + DESTINATION_AHEAD);
}

void gate_add(struct attempt_run *r)
{
	struct engine_destination *t = r->destination;
	unsigned p = r->attempt.head.priority;
	if (r->attempt.ended) {
		run_transfer(r); /* nothing is to be sent */
		return;
	}
	r->next = NULL;
	*(t->gate[p] ? &t->gate_last[p]->next : &t->gate[p]) = r;
	t->gate_last[p] = r;
	engine_activate(t);
}

static struct attempt_run *first_of(struct engine_destination *t)
{
	uint32_t slots = destination_slots(&t->health, t->system->delivery.slots);
	for (int p = 0; p < PRIORITIES; p++) {
		struct attempt_run *r = t->gate[p];
		if (!r || t->transfers_of[p] >= turns_slots((enum delivery_priority)p, slots))
			continue;
		t->gate[p] = r->next;
		r->next = NULL;
		return r;
	}
	return NULL;
}

static void take_all_back(struct engine_destination *t)
{
	for (int p = 0; p < PRIORITIES; p++) {
		struct attempt_run *all = t->gate[p];
		t->gate[p] = NULL;
		for (struct attempt_run *r = all, *next; r; r = next) {
			next = r->next;
			run_take_back_all(r);
		}
	}
}

static bool has(const struct attempt_run *r, int64_t seq)
{
	for (; r; r = r->behind)
		if (r->attempt.head.seq == seq)
			return true;
	return false;
}

void gate_cancel(struct engine_destination *t, int64_t seq)
{
	for (int p = 0; p < PRIORITIES; p++) {
		struct attempt_run *before = NULL, *r = t->gate[p];
		while (r && !has(r, seq)) {
			before = r;
			r = r->next;
		}
		if (!r)
			continue;
		*(before ? &before->next : &t->gate[p]) = r->next;
		if (t->gate_last[p] == r)
			t->gate_last[p] = before;
		r->next = NULL;
		run_take_back_all(r);
	}
}

static bool is_shut(const struct engine_destination *t)
{
	int64_t now = t->hub->engine->now;
	if (t->admission.held || t->health.blocked_until > now + HOLD_MS)
		return true;
	/* A probe is under way, or its time has not come. */
	return t->health.state != DESTINATION_RUNNING && (t->transfers > 0 || t->health.blocked_until > now);
}

void gate_open(struct engine_destination *t, bool stopping)
{
	struct delivery_engine *d = t->hub->engine;
	if (!gate_waits(t))
		return;
	while (!stopping && !t->admission.held && d->transfers < ENGINE_TRANSFERS_MAX &&
	       destination_open(&t->health, t->system->delivery.slots, t->transfers, d->now) > 0) {
		struct attempt_run *r = first_of(t);
		if (!r)
			break;
		run_transfer(r);
	}
	if (stopping || is_shut(t))
		take_all_back(t);
}
