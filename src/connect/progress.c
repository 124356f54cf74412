/*
 * From under way to an end: rendered, started, transferred, classified, committed, and then what the hub says the
 * delivery is now.
 *
 * A run holds its lane until its result is committed, so that nothing overtakes within a key; its transfer slot only
 * until the answer is there. A result whose commit failed is submitted again, until it is committed: the run keeps what
 * it says. A look-up writes a result only when it settles something: found, or given up. What it found out otherwise is
 * kept in the lane, and after a restart it is simply asked again.
 */
#include "connect/engine.h"

#include "base/mem.h"
#include "connect/ratelimit.h"
#include "connect/record.h"
#include "hub/unsent.h"
#include "observe/log.h"

#include <assert.h>
#include <stdio.h>

#define LOOKUP_STEPS 3 /* look-ups within the time that an empty one has to stay empty */

static struct attempt_run *run_of_work(struct work *w)
{
	return (struct attempt_run *)((char *)w - offsetof(struct attempt_run, work));
}

struct attempt_run *run_new(struct engine_destination *t, struct lane *lane, struct lane_entry *e,
			    enum attempt_kind kind)
{
	struct delivery_engine *d = t->hub->engine;
	struct attempt_run *r = mem_zalloc(1, sizeof(*r));
	attempt_init(&r->attempt, kind, t->system, &e->head);
	if (d->arena_count)
		r->attempt.arena = d->arenas[--d->arena_count];
	r->attempt.head.priority = lane->priority; /* as its turn came */
	r->attempt.hub = t->hub->hub;
	r->attempt.started_at = d->now;
	r->destination = t;
	r->lane = lane;
	r->entry = e;
	t->unfinished++;
	r->all_next = d->all;
	r->all_back = &d->all;
	if (d->all)
		d->all->all_back = &r->all_next;
	d->all = r;
	return r;
}

static void leave_ahead(struct attempt_run *r)
{
	if (!r->is_ahead)
		return;
	r->is_ahead = false;
	r->destination->ahead--;
	r->destination->ahead_of[r->attempt.head.priority]--;
	r->destination->hub->engine->ahead--;
}

static void take_slot(struct attempt_run *r)
{
	leave_ahead(r);
	r->in_transfer_slot = true;
	r->destination->transfers++;
	r->destination->transfers_of[r->attempt.head.priority]++;
	r->destination->hub->engine->transfers++;
}

static void leave_slot(struct attempt_run *r)
{
	leave_ahead(r);
	if (!r->in_transfer_slot)
		return;
	r->in_transfer_slot = false;
	r->destination->transfers--;
	r->destination->transfers_of[r->attempt.head.priority]--;
	r->destination->hub->engine->transfers--;
}

/* Something of it leaves, or the store knows better. false: it was cancelled meanwhile, so nothing may leave. */
static bool let_go(struct attempt_run *r)
{
	bool free = !r->held || unsent_remove(hub_unsent(r->destination->hub->hub), r->attempt.head.seq);
	r->held = false;
	return free;
}

/* What one attempt needed, the next one needs as well: without this each asks malloc for blocks that another thread has
 * freed. */
static void keep_arena(struct delivery_engine *d, struct attempt *a)
{
	arena_reset(&a->arena);
	if (d->arena_count == ENGINE_ARENAS_KEPT || !a->arena.blocks ||
	    (size_t)(a->arena.end - a->arena.next) > ENGINE_ARENA_KEPT)
		return;
	d->arenas[d->arena_count++] = a->arena;
	arena_init(&a->arena, 0);
}

void run_free(struct attempt_run *r)
{
	struct delivery_engine *d = r->destination->hub->engine;
	(void)let_go(r);
	leave_slot(r);
	admission_give(r);
	r->destination->unfinished--;
	*r->all_back = r->all_next;
	if (r->all_next)
		r->all_next->all_back = r->all_back;
	keep_arena(d, &r->attempt);
	attempt_done(&r->attempt);
	free(r);
}

void run_drop(struct attempt_run *r, int64_t due)
{
	struct engine_destination *t = r->destination;
	for (struct attempt_run *behind; r; r = behind) {
		struct lane *lane = r->lane;
		behind = r->behind;
		run_free(r);
		lanes_put_back(t->lanes, lane, due, false);
	}
	engine_activate(t);
}

static void wait_for_hub(struct attempt_run *r);

void run_take_back(struct attempt_run *r)
{
	struct delivery_engine *d = r->destination->hub->engine;
	if (!r->started) {
		run_drop(r, d->now);
		return;
	}
	leave_slot(r);
	admission_give(r);
	r->unsent = true;
	wait_for_hub(r);
}

void run_take_back_all(struct attempt_run *r)
{
	for (struct attempt_run *behind; r; r = behind) {
		behind = r->behind;
		r->behind = NULL;
		run_take_back(r);
	}
}

/* ---- on a worker ---- */

static enum rc render(struct attempt_run *r, struct mediator *m, struct store_reader *reader, int64_t now_ms,
		      struct err *e)
{
	const struct attempt *a = &r->attempt;
	const struct operation_policy *p = config_operation(a->system, a->head.operation);
	if (a->kind != ATTEMPT_SEND || p->batch_count < 2)
		return attempt_render(&r->attempt, m, reader, now_ms, e);
	struct attempt **list = mem_alloc(p->batch_count * sizeof(struct attempt *));
	size_t n = 0;
	for (struct attempt_run *one = r; one; one = one->behind)
		list[n++] = &one->attempt;
	enum rc rc = attempt_render_batch(list, n, p->batch_bytes, m, reader, now_ms, e);
	free(list);
	return rc;
}

static void render_work(struct work *work, struct worker *w)
{
	struct attempt_run *r = run_of_work(work);
	struct delivery_hub *h = r->destination->hub;
	const struct clock *clock = h->engine->clock;
	struct store_reader *reader;
	struct err e = ERR_NONE;
	int64_t begin = clock_mono_ns(clock);
	enum rc rc = worker_reader(w, h->hub, h->index, &reader, &e);
	if (rc == RC_OK)
		rc = render(r, worker_mediator(w), reader, clock_wall_ms(clock), &e);
	if (rc != RC_OK)
		log_err(LOG_ERROR, "delivery", "a delivery cannot be read", &e);
	r->unreadable = rc != RC_OK;
	metric_observe_us(r->destination->mediate, (clock_mono_ns(clock) - begin) / 1000);
}

static void classify_work(struct work *work, struct worker *w)
{
	struct attempt_run *r = run_of_work(work);
	const struct clock *clock = r->destination->hub->engine->clock;
	int64_t begin = clock_mono_ns(clock);
	attempt_classify(&r->attempt, worker_mediator(w), clock_wall_ms(clock));
	metric_observe_us(r->destination->mediate, (clock_mono_ns(clock) - begin) / 1000);
}

static void run_work(struct attempt_run *r, void (*run)(struct work *, struct worker *), enum note_type after)
{
	r->work.run = run;
	r->note.type = after;
	engine_work(r->destination, &r->work, &r->note);
}

void run_render(struct attempt_run *r)
{
	run_work(r, render_work, NOTE_RENDERED);
}

/* ---- the transfer ---- */

static void transferred(void *ctx, const struct http_answer *answer)
{
	struct attempt_run *r = ctx;
	r->transfer = NULL;
	attempt_keep_answer(&r->attempt, answer);
	run_work(r, classify_work, NOTE_CLASSIFIED);
}

static void concluded(struct attempt_run *r);

void run_transfer(struct attempt_run *r)
{
	struct delivery_engine *d = r->destination->hub->engine;
	struct attempt *a = &r->attempt;
	struct err e = ERR_NONE;
	bool free = true;
	for (struct attempt_run *one = r; one && !a->ended; one = one->behind)
		free &= let_go(one);
	if (!free) {
		run_take_back_all(r);
		return;
	}
	a->started_at = d->now;
	if (a->ended)
		leave_slot(r);
	else
		take_slot(r);
	if (!a->ended && d->transport->start(d->transport, &a->request, transferred, r, &r->transfer, &e) != RC_OK) {
		a->ended = true;
		a->outcome = OUTCOME_CONFIGURATION;
		a->detail = arena_copy(&a->arena, str_from(e.detail));
	}
	if (a->ended)
		concluded(r);
}

void progress_rendered(struct attempt_run *r)
{
	struct delivery_engine *d = r->destination->hub->engine;
	engine_worked(r->destination);
	if (r->unreadable)
		run_drop(r, d->now + ENGINE_AGAIN_MS);
	else if (atomic_load(&d->stopping))
		run_drop(r, r->attempt.head.next_at);
	else if (!batch_settle(r))
		return;
	else if (r->attempt.kind == ATTEMPT_SEND && !r->attempt.cancelled)
		dispatch_rendered(r);
	else
		gate_add(r);
}

/* ---- the outcome ---- */

static bool transfer_was_made(const struct attempt *a)
{
	return a->transfer.status || a->transfer.error.n;
}

static void tell_health(struct engine_destination *t, const struct attempt *a)
{
	static const char *const types[] = {
	    [DESTINATION_RUNNING] = "system.recovered",
	    [DESTINATION_BACKING_OFF] = "system.failing",
	    [DESTINATION_STOPPED] = "system.credentials_refused",
	};
	struct json_writer w;
	struct buf b;
	if (t->own)
		return;
	buf_init(&b, 4 * RECORD_TEXT_MAX);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key_text(&w, "system", t->system->name);
	if (t->health.state != DESTINATION_RUNNING)
		jw_opt_text(&w, "cause", a->detail);
	jw_object_end(&w);
	if (buf_ok(&b)) {
		struct submission *s = submit_prepare(t, types[t->health.state], &b);
		trouble_health(s, t);
		submit(s);
	}
	buf_done(&b);
}

static void note_health(struct attempt_run *r)
{
	struct engine_destination *t = r->destination;
	struct delivery_engine *d = t->hub->engine;
	const struct attempt *a = &r->attempt;
	enum destination_state before = t->health.state;
	if (!transfer_was_made(a))
		return; /* it says nothing about the destination */
	struct destination_answer answer = {.seq = a->head.seq,
					    .outcome = a->outcome,
					    .status = a->transfer.status,
					    .retry_after_ms = a->retry_after_ms,
					    .started_at = a->started_at};
	bool back =
	    destination_note(&t->health, &t->policy, &answer, t->system->delivery.slots, d->now, engine_random(d));
	int64_t wait = ratelimit_wait_ms(&a->transfer);
	if (wait)
		destination_hold(&t->health,
				 d->now + (wait < DESTINATION_RETRY_AFTER_MAX ? wait : DESTINATION_RETRY_AFTER_MAX));
	if (a->outcome == OUTCOME_DELIVERED || a->outcome == OUTCOME_REFUSED) {
		t->last_success_at = d->now;
	} else if (a->outcome != OUTCOME_THROTTLED) {
		t->last_failure_at = d->now;
		snprintf(t->last_failure, sizeof(t->last_failure), STR_FMT, STR_ARG(a->detail));
	}
	if (back) {
		lanes_hasten(t->lanes);
		admission_back(t);
		log_info("delivery", "destination is back", LOG_STR("system", t->system->name));
	}
	if (t->health.state == before)
		return;
	tell_health(t, a);
	if (t->health.state == DESTINATION_STOPPED)
		log_error("delivery", "alert: the system refuses our credentials; its deliveries wait",
			  LOG_STR("system", t->system->name), LOG_INT("status", a->transfer.status));
	else if (t->health.state == DESTINATION_BACKING_OFF)
		log_warn("delivery", "destination fails; backing off", LOG_STR("system", t->system->name),
			 LOG_INT("status", a->transfer.status), LOG_STR("cause", a->detail));
}

static void measure(struct attempt_run *r)
{
	struct engine_destination *t = r->destination;
	const struct attempt *a = &r->attempt;
	int64_t lag_us = (t->hub->engine->now - a->head.created_at) * 1000;
	if (a->cancelled)
		return;
	metric_add(t->outcomes[a->outcome], 1);
	if (a->outcome != OUTCOME_DELIVERED)
		return;
	metric_observe_us(t->lag, lag_us);
	if (a->head.operation == OP_AVAILABILITY) {
		metric_add(t->items, a->items ? (int64_t)a->items : 1);
		metric_observe_us(t->items_lag, lag_us);
	}
}

static struct delivery_result result_of(const struct attempt_run *r)
{
	const struct attempt *a = &r->attempt;
	return (struct delivery_result){
	    .seq = a->head.seq,
	    .system = a->head.system,
	    .operation = a->head.operation,
	    .attempts = a->head.attempts + (!a->cancelled && !r->unsent),
	    .created_at = a->head.created_at,
	    .delivery_id = a->delivery.delivery_id,
	    .key = a->delivery.key,
	    .order_id = a->delivery.order_id,
	    .correlation_id = a->delivery.correlation_id,
	    .outcome = a->outcome,
	    .confirmed = a->kind == ATTEMPT_LOOKUP,
	    .cancelled = a->cancelled,
	    .unsent = r->unsent,
	    .next_at = r->next_at,
	    .at = a->started_at,
	    .duration_us = a->transfer.duration_us,
	    .http_status = a->transfer.status,
	    .external_id = r->whole && r->next_at ? a->batch_id : a->external_id,
	    .detail = a->detail,
	    .request = a->request_text,
	    .response = a->response_text,
	    .stale = a->stale,
	};
}

static void submit_runs(struct delivery_hub *h, struct attempt_run *runs, size_t count)
{
	struct command *c = command_new(COMMAND_DELIVERY_RESULT);
	struct submission *s = submission_new(h, NOTE_RESULT, c);
	s->runs = runs;
	c->results.items = arena_array(&c->arena, struct delivery_result, count);
	assert(c->results.items);
	for (struct attempt_run *r = runs; r; r = r->next)
		c->results.items[c->results.count++] = result_of(r);
	submit(s);
}

static void wait_for_hub(struct attempt_run *r)
{
	struct delivery_hub *h = r->destination->hub;
	r->next = NULL;
	*(h->concluded ? &h->concluded_last->next : &h->concluded) = r;
	h->concluded_last = r;
	h->concluded_count++;
}

void progress_submit(struct delivery_hub *h)
{
	struct attempt_run *runs = h->concluded;
	size_t count = h->concluded_count;
	if (!runs)
		return;
	h->concluded = h->concluded_last = NULL;
	h->concluded_count = 0;
	submit_runs(h, runs, count);
}

/* A look-up that settles nothing yet. */
static void look_again(struct attempt_run *r)
{
	struct engine_destination *t = r->destination;
	struct delivery_engine *d = t->hub->engine;
	struct lane_doubt *q = &r->lane->doubt;
	struct retry_policy retry = admission_retry(t, (enum operation)r->attempt.head.operation);
	int64_t settle = attempt_confirm_after_ms(t->system, r->attempt.head.operation);
	int64_t due, mono = clock_mono_ns(d->clock) / 1000000;
	bool failed = !r->attempt.empty;
	if (failed) {
		q->failures++;
		retry.delay_count = 0; /* a look-up is repeated for as long as it takes */
		due = retry_at(&retry,
			       r->attempt.outcome == OUTCOME_UNAUTHORIZED ? OUTCOME_UNAUTHORIZED : OUTCOME_TECHNICAL,
			       q->failures, 0, 0, d->now, engine_random(d));
	} else {
		q->failures = 0;
		if (!q->empties++)
			q->empty_since = mono;
		q->empty_last = mono; /* the one at the end counts: what comes late comes before it */
		int64_t left = q->empty_since + settle - mono;
		int64_t step = settle / LOOKUP_STEPS > 0 ? settle / LOOKUP_STEPS : 1;
		if (q->empties >= 2 && left <= 0)
			due = 0; /* settled: it is sent again */
		else if (step > left)
			due = d->now + (left > 0 ? left : 1);
		else
			due = d->now + step;
	}
	log_debug("delivery", failed ? "look-up failed" : "look-up found nothing",
		  LOG_INT("delivery", r->attempt.head.seq), LOG_INT("empties", q->empties));
	struct lane *lane = r->lane;
	run_free(r);
	lanes_put_back(t->lanes, lane, due, failed);
	engine_activate(t);
}

static int64_t next_of(struct attempt_run *r)
{
	struct engine_destination *t = r->destination;
	struct delivery_engine *d = t->hub->engine;
	const struct attempt *a = &r->attempt;
	const struct pack_operation *op = &t->system->pack->operations[a->head.operation];
	enum outcome as = a->outcome;
	if (a->kind == ATTEMPT_ABANDON || a->cancelled)
		return 0;
	if (as == OUTCOME_UNKNOWN && !op->has_lookup) {
		if (!op->idempotent)
			return 0;
		as = OUTCOME_TECHNICAL; /* simply sent again */
	}
	struct retry_policy retry = admission_retry(t, (enum operation)a->head.operation);
	return retry_at(&retry, as, a->head.attempts + 1, a->retry_after_ms, admission_age(t, a->head.created_at),
			d->now, engine_random(d));
}

static void concluded(struct attempt_run *r)
{
	/* The slot is free only when it is known what the answer says about the destination. */
	admission_note(r);
	note_health(r);
	leave_slot(r);
	engine_activate(r->destination);
	if (r->attempt.batch && transfer_was_made(&r->attempt))
		batch_share(r);
	else
		run_finish(r);
}

void run_finish(struct attempt_run *r)
{
	struct attempt *a = &r->attempt;
	bool asked = transfer_was_made(a) && a->outcome != OUTCOME_CONFIGURATION;
	if (a->kind == ATTEMPT_LOOKUP && !a->found && asked) {
		look_again(r);
		return;
	}
	if (a->kind == ATTEMPT_LOOKUP && !asked) {
		/* The look-up itself is wrong: nobody but a person can tell. */
		a->kind = ATTEMPT_ABANDON;
		a->outcome = OUTCOME_UNKNOWN;
	}
	r->destination->gone |= a->gone;
	if (!r->next_at)
		r->next_at = next_of(r);
	r->failing = a->outcome == OUTCOME_TECHNICAL || a->outcome == OUTCOME_UNAUTHORIZED ||
		     (a->outcome == OUTCOME_UNKNOWN && r->next_at);
	measure(r);
	wait_for_hub(r);
}

void progress_classified(struct attempt_run *r)
{
	engine_worked(r->destination);
	concluded(r);
}

/* It is committed what the delivery is now: it has ended, or waits again. */
static void settle(struct attempt_run *r, enum delivery_status status)
{
	struct engine_destination *t = r->destination;
	struct lane *lane = r->lane;
	struct lane_entry *e = r->entry;
	const struct operation_policy *p = config_operation(t->system, r->attempt.head.operation);
	int64_t now = t->hub->engine->now, due = r->unsent ? now : r->next_at;
	bool failing = r->failing && !r->unsent;
	if (r->attempt.kind == ATTEMPT_SEND && e == lane->first)
		lane->doubt = (struct lane_doubt){0};
	e->head.attempts += !r->unsent;
	e->head.status = (uint8_t)status;
	e->head.next_at = due;
	e->head.batch = r->whole && !r->unsent ? delivery_batch_hash(r->attempt.batch_id) : 0;
	run_free(r);
	if (status == DELIVERY_DELIVERED && p->on_failure == ON_FAILURE_LATEST && e->head.seq > lane->passed) {
		lane->passed = e->head.seq;
		lane->passed_op = e->head.operation;
	}
	if (status >= DELIVERY_FINAL) {
		t->backlog--;
		lanes_settle(t->lanes, lane, e, now);
	} else if (failing && status == DELIVERY_WAITING && p->on_failure == ON_FAILURE_SKIP &&
		   e->head.attempts >= p->skip_after && !e->head.aside) {
		lanes_set_aside(t->lanes, lane, e, due, now);
	} else {
		lanes_put_back(t->lanes, lane, due, failing);
	}
	engine_activate(t);
}

void progress_result(struct submission *s)
{
	struct delivery_hub *h = s->hub;
	struct delivery_engine *d = h->engine;
	struct attempt_run *runs = s->runs;
	struct command *c = s->command;
	d->with_hub--;
	if (c->answer.status >= 500) {
		/* The hub does not commit: wait a little with all of its commands. */
		h->submit_at = d->now + ENGINE_AGAIN_MS;
		submit_runs(h, runs, c->results.count);
	} else {
		size_t i = 0;
		for (struct attempt_run *r = runs, *next; r; r = next) {
			next = r->next;
			settle(r, c->results.items[i++].status);
		}
	}
	submission_free(s);
}
