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

#include "base/mem.h"
#include "observe/log.h"

#include <assert.h>

#define NOTES_AT_ONCE 256

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

static void give_pile(struct delivery_engine *d, struct work_pile *pile)
{
	size_t n = pile->count;
	pile->count = 0;
	if (n)
		workers_run(d->workers, pile->list, n, pile == &d->piles[0]);
}

static void give_work(struct delivery_engine *d)
{
	give_pile(d, &d->piles[0]);
	give_pile(d, &d->piles[1]);
}

void engine_work(struct engine_destination *t, struct work *work, struct note *n)
{
	struct delivery_engine *d = t->hub->engine;
	struct work_pile *pile = &d->piles[t->with_workers > 0];
	work->note = n;
	t->with_workers++;
	d->with_workers++;
	pile->list[pile->count++] = work;
	if (pile->count == ENGINE_WORK_AT_ONCE)
		give_pile(d, pile);
}

void engine_worked(struct engine_destination *t)
{
	t->with_workers--;
	t->hub->engine->with_workers--;
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

/* ---- notes ---- */

/* Heads of one commit, in runs of one system. */
static void take_heads(struct heads_note *n)
{
	for (size_t i = 0, same; i < n->count; i += same) {
		uint32_t system = n->heads[i].system;
		if (!n->heads[i].seq && n->heads[i].status >= DELIVERY_FINAL) {
			roster_gone(n->hub, system);
			same = 1;
			continue;
		}
		struct engine_destination *t = roster_of(n->hub, system);
		for (same = 1; n->heads[i].seq && i + same < n->count && n->heads[i + same].seq &&
			       n->heads[i + same].system == system;)
			same++;
		if (n->heads[i].seq)
			window_add(t, &n->heads[i], same);
		else
			roster_changed(t);
	}
	free(n);
}

/* One that is under way is not removed: the hub refuses its start, or its result. Cancelled at the gate it is taken
 * back at once. */
static void take_changes(struct changes_note *n)
{
	for (size_t i = 0; i < n->count; i++) {
		const struct delivery_head *head = &n->changes[i].head;
		struct engine_destination *t = roster_known(n->hub, head->system);
		if (!t)
			continue;
		switch (n->changes[i].what) {
		case DELIVERY_RUN_NOW:
			lanes_hurry(t->lanes, head->key, head->seq);
			break;
		case DELIVERY_WAS_CANCELLED:
			if (lanes_remove(t->lanes, head->key, head->seq, n->hub->engine->now))
				t->backlog--;
			else
				gate_cancel(t, head->seq);
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

/* ---- the loop ---- */

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
	if (roster_forget(t))
		return;
	int64_t next = dispatch_next(t);
	timers_set(&d->timers, &t->timer, next);
	admission_watch(t);
	roster_show(t, paused, next);
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

int64_t engine_cancel_all(struct delivery_engine *d)
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
	int64_t cancelled = engine_cancel_all(d);
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

void *engine_main(void *arg)
{
	struct delivery_engine *d = arg;
	pthread_setname_np(pthread_self(), "delivery");
	while (!atomic_load(&d->stopping))
		round_once(d, false);
	wind_down(d);
	return NULL;
}
