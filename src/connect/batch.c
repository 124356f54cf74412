/*
 * Several deliveries in one request.
 *
 * They are of one operation and priority: the first ones of ready lanes, and what waits behind a first one in its own
 * lane, in order. The first run has the request, the others hang behind it; each has an outcome of its own.
 *
 * What was sent together and has no known outcome is sent together again, under the same name (the Idempotency-Key),
 * also after a restart: the name stands in the rows (delivery.result), is made from the ids of all and their order (by
 * age), and so holds for that composition only. If one is missing by then, it is another request with another name: an
 * operation that is batched is one whose items the destination knows again, by the delivery id that each carries. What
 * cannot be rendered together, or is refused as a whole, is sent one by one, so that one bad delivery does not take
 * others with it.
 */
#include "connect/engine.h"

#include "connect/record.h"

#define LANES_SEEN_MAX 4096

static bool fits(const struct lane_entry *e, const struct delivery_head *first)
{
	return e->head.operation == first->operation && e->head.batch == first->batch && !e->alone &&
	       (e->head.batch || e->head.status == DELIVERY_WAITING);
}

static void hang(struct attempt_run ***last, struct engine_destination *t, struct lane *lane, struct lane_entry *e)
{
	struct attempt_run *r = run_new(t, lane, e, ATTEMPT_SEND);
	**last = r;
	*last = &r->behind;
}

void batch_gather(struct attempt_run *r)
{
	struct engine_destination *t = r->destination;
	const struct delivery_head *first = &r->entry->head;
	const struct operation_policy *p = config_operation(t->system, first->operation);
	enum delivery_priority priority = (enum delivery_priority)r->attempt.head.priority;
	struct attempt_run **last = &r->behind;
	uint32_t n = 1;
	/* Its outcome is unknown and it was alone: so it is again. */
	if (p->batch_count < 2 || r->entry->alone || !fits(r->entry, first))
		return;
	if (p->batch_linger_ms)
		lanes_end_linger(t->lanes);
	for (struct lane_entry *e; n < p->batch_count && (e = lanes_next(r->lane)) && fits(e, first); n++)
		hang(&last, t, r->lane, lanes_take_more(r->lane));
	struct lane *lane = lanes_look(t->lanes, priority, NULL), *next;
	for (int seen = 0; lane && n < p->batch_count && seen < LANES_SEEN_MAX; lane = next, seen++) {
		next = lanes_look(t->lanes, priority, lane);
		if (!fits(lane->first, first))
			continue;
		lanes_take_one(t->lanes, lane);
		hang(&last, t, lane, lane->first);
		n++;
	}
}

bool batch_lingers(const struct engine_destination *t, const struct lane *lane, int64_t *due)
{
	const struct lane_entry *first = lane->first;
	const struct operation_policy *p = config_operation(t->system, first->head.operation);
	uint32_t n = 0;
	*due = first->head.created_at + p->batch_linger_ms;
	if (p->batch_count < 2 || first->head.attempts || first->head.batch || *due <= t->hub->engine->now)
		return false;
	for (const struct lane_entry *e = first; e && n < p->batch_count; e = e->behind)
		n++;
	return n < p->batch_count;
}

bool batch_settle(struct attempt_run *r)
{
	int64_t now = r->destination->hub->engine->now;
	bool first_out = r->attempt.left_out, apart = first_out || r->attempt.ended;
	for (struct attempt_run **at = &r->behind; *at;) {
		struct attempt_run *one = *at;
		if (!one->attempt.left_out) {
			at = &one->behind;
			continue;
		}
		*at = one->behind;
		one->behind = NULL;
		one->entry->alone = one->entry->alone || apart;
		run_drop(one, now);
	}
	if (!first_out)
		return true;
	r->entry->alone = true;
	run_drop(r, now);
	return false;
}

/* What one delivery is told of the request that it was in. */
static void copy_record(struct attempt *to, const struct attempt *from)
{
	const char *text =
	    arena_printf(&to->arena, "(in the request of delivery " STR_FMT ")", STR_ARG(from->delivery.delivery_id));
	to->started_at = from->started_at;
	to->transfer.status = from->transfer.status;
	to->transfer.duration_us = from->transfer.duration_us;
	to->transfer.error = arena_copy(&to->arena, from->transfer.error);
	to->retry_after_ms = from->retry_after_ms;
	to->request_text = record_packed(&to->arena, str_from(text));
}

void batch_share(struct attempt_run *first)
{
	const struct attempt whole = first->attempt;
	/* A request that is wrong as a whole says nothing about each. */
	bool apart = first->behind && !whole.parts &&
		     (whole.outcome == OUTCOME_REFUSED || whole.outcome == OUTCOME_CONFIGURATION);
	int64_t next_at = 0;
	for (struct attempt_run *r = first, *behind; r; r = behind) {
		struct attempt *a = &r->attempt;
		const struct pack_part *part =
		    whole.parts && whole.parts[a->place].said ? &whole.parts[a->place] : NULL;
		behind = r->behind;
		r->behind = NULL;
		if (r != first)
			copy_record(a, &whole);
		a->ended = true;
		a->outcome = apart ? OUTCOME_TECHNICAL : part ? part->outcome : whole.outcome;
		a->detail = arena_copy(&a->arena, part ? part->detail : whole.detail);
		if (part)
			a->external_id = arena_copy(&a->arena, part->external_id);
		r->whole = !whole.parts && !apart;
		r->entry->alone = r->entry->alone || apart;
		r->next_at = apart ? r->destination->hub->engine->now : r->whole ? next_at : 0;
		run_finish(r);
		next_at = first->next_at;
	}
}
