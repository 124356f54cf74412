/*
 * The windows: which of a destination's open deliveries are in memory. There is one for each priority, so that no
 * number of bulk deliveries keeps an order in the store.
 *
 * Invariant, of each: every open delivery with seq <= loaded_through is in the lanes; those behind are in the store
 * only, and `more` says that there may be some. While `more` is set, new heads with a greater seq are dropped (they are
 * in the store) and `dropped` remembers it. A load reads rows with seq > loaded_through; if it comes back short, it has
 * seen the end, and unless a head was dropped since it was asked for (its snapshot may be older) there is no more. A
 * head that is dropped before the load is asked for was committed before, so the load sees it, unless it is final by
 * then.
 *
 * What is replayed shares the lane of the live deliveries of its key, which are of another window. So nothing is taken
 * before each window has been looked at once, and the job that replays (hub/job_replay.c) has no more open than fit
 * into one look: what is replayed is in memory whenever something is taken.
 *
 * A head at or below loaded_through (a replayed delivery) is always taken: no load would find it. So memory is bounded
 * by queue_max for each priority plus what is replayed. A delivery that its key goes on without (on_failure:
 * skip_after) is set aside when it comes from the store, as it was in memory.
 */
#include "connect/engine.h"

#include "base/mem.h"
#include "observe/log.h"

struct load {
	struct note note;
	struct work work;
	struct engine_destination *destination;
	enum delivery_priority priority;
	int64_t after;
	size_t limit, rows; /* rows: that were read, damaged ones included */
	int64_t last;
	bool failed;
	size_t count;
	struct delivery_head *heads;
};

static struct delivery_head with_live(const struct engine_destination *t, struct delivery_head head)
{
	if (head.replayed)
		head.live = (uint8_t)config_operation(t->system, head.operation)->priority;
	return head;
}

void window_add(struct engine_destination *t, const struct delivery_head *heads, size_t count)
{
	int64_t now = t->hub->engine->now;
	for (size_t i = 0; i < count; i++) {
		const struct delivery_head *h = &heads[i];
		struct delivery_head head = with_live(t, *h);
		struct engine_window *w = &t->windows[h->priority];
		bool known = h->seq <= w->loaded_through;
		if (!known && !w->more && lanes_count_of(t->lanes, h->priority) >= t->system->delivery.queue_max)
			w->more = true;
		if (!known && w->more) {
			w->dropped = true;
			t->backlog++;
			continue;
		}
		if (lanes_add(t->lanes, &head, now))
			t->backlog++;
		if (!known)
			w->loaded_through = h->seq;
	}
	engine_activate(t);
}

static enum rc take_row(void *ctx, const struct store_value *columns, size_t count)
{
	struct load *l = ctx;
	struct delivery d;
	(void)count;
	l->rows++;
	l->last = columns[0].integer;
	if (delivery_from_row(columns, &d) != RC_OK) {
		log_error("delivery", "a delivery in the store makes no sense", LOG_INT("seq", columns[0].integer));
		return RC_OK;
	}
	d.head.system = l->destination->index;
	d.head.priority = (uint8_t)l->priority;
	d.head.replayed = columns[17].type != STORE_NULL;
	if (d.head.status == DELIVERY_SENDING)
		d.head.next_at = 0; /* what became of it is asked at once */
	l->heads[l->count++] = d.head;
	return RC_OK;
}

static void load_run(struct work *work, struct worker *w)
{
	struct load *l = (struct load *)((char *)work - offsetof(struct load, work));
	struct delivery_hub *h = l->destination->hub;
	struct store_reader *reader;
	struct err e = ERR_NONE;
	const struct store_value args[] = {SV_TEXT(l->destination->system->name), SV_INT(l->priority), SV_INT(l->after),
					   SV_INT((int64_t)l->limit)};
	l->heads = mem_alloc(l->limit * sizeof(struct delivery_head));
	enum rc rc = worker_reader(w, h->hub, h->index, &reader, &e);
	if (rc == RC_OK)
		rc = store_read(reader, R_DELIVERIES_OPEN, args, 4, take_row, l, &e);
	if (rc != RC_OK) {
		l->failed = true;
		log_err(LOG_ERROR, "delivery", "open deliveries cannot be read", &e);
	}
	/* Thousands of destinations are loaded at the start, most of them have nothing. */
	l->heads = mem_grow(l->heads, (l->count ? l->count : 1) * sizeof(struct delivery_head));
}

static void fill(struct engine_destination *t, enum delivery_priority p)
{
	struct delivery_engine *d = t->hub->engine;
	struct engine_window *window = &t->windows[p];
	size_t max = t->system->delivery.queue_max, have = lanes_count_of(t->lanes, p);
	if (!window->more || window->loading || have > max / 2 || d->now < window->load_at)
		return;
	size_t limit = max - have;
	if (limit > WINDOW_ROWS)
		limit = WINDOW_ROWS;
	if (limit == 0)
		limit = 1;
	struct load *l = mem_zalloc(1, sizeof(*l));
	l->note.type = NOTE_LOADED;
	l->work.run = load_run;
	l->destination = t;
	l->priority = p;
	l->after = window->loaded_through;
	l->limit = limit;
	window->loading = true;
	window->dropped = false;
	engine_work(t, &l->work, &l->note);
}

void window_fill(struct engine_destination *t)
{
	for (int p = 0; p < PRIORITIES; p++)
		fill(t, (enum delivery_priority)p);
}

void window_open(struct engine_destination *t)
{
	for (int p = 0; p < PRIORITIES; p++)
		t->windows[p].more = true;
}

bool window_more(const struct engine_destination *t)
{
	return t->windows[PRIORITY_EXPEDITED].more || t->windows[PRIORITY_NORMAL].more ||
	       t->windows[PRIORITY_BULK].more;
}

bool window_unseen(const struct engine_destination *t)
{
	for (int p = 0; p < PRIORITIES; p++)
		if (t->windows[p].more && !t->windows[p].seen)
			return true;
	return false;
}

int64_t window_next(const struct engine_destination *t)
{
	int64_t next = INT64_MAX, now = t->hub->engine->now;
	for (int p = 0; p < PRIORITIES; p++) {
		const struct engine_window *w = &t->windows[p];
		if (w->more && !w->loading && w->load_at > now && w->load_at < next)
			next = w->load_at;
	}
	return next;
}

static void load_free(struct load *l)
{
	free(l->heads);
	free(l);
}

void window_forget(struct note *n)
{
	load_free((struct load *)n);
}

void window_loaded(struct note *n)
{
	struct load *l = (struct load *)n;
	struct engine_destination *t = l->destination;
	struct delivery_engine *d = t->hub->engine;
	struct engine_window *w = &t->windows[l->priority];
	engine_worked(t);
	w->loading = false;
	if (l->failed) {
		/* What was read is not used: the next load reads it again. */
		w->load_at = d->now + ENGINE_AGAIN_MS;
		w->dropped = true;
		engine_activate(t);
		load_free(l);
		return;
	}
	for (size_t i = 0; i < l->count; i++) {
		const struct operation_policy *p = config_operation(t->system, l->heads[i].operation);
		if (p->on_failure == ON_FAILURE_SKIP && l->heads[i].status == DELIVERY_WAITING &&
		    l->heads[i].attempts >= p->skip_after)
			lane_aside(&l->heads[i]);
		const struct delivery_head head = with_live(t, l->heads[i]);
		lanes_add(t->lanes, &head, d->now);
	}
	w->seen = true;
	if (l->last > w->loaded_through)
		w->loaded_through = l->last;
	if (l->rows < l->limit && !w->dropped)
		w->more = false;
	engine_activate(t);
	load_free(l);
}
