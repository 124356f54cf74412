/*
 * The stock view: a hash table of items behind atomic pointers.
 *
 * Readers announce themselves by counting up one of two counters (the current phase's) before they load any pointer,
 * and down when they are done. The writer unlinks what it replaces and keeps it on the current phase's list. After each
 * commit it changes the phase if nobody is counted in the other one, and frees the list of that other phase: what is on
 * it was unlinked before the previous change, and both counters have been seen at zero since. A reader that counts
 * itself late in an old phase loads its pointers after that, and so sees none of what was unlinked before (all of it is
 * sequentially consistent). The writer never waits; a reader that stays only delays the freeing.
 *
 * Rejected: a lock for readers (the writer would wait behind a reader that was preempted), a sequence lock (positions
 * hold pointers to texts).
 */
#include "orchestrate/stock/view_writer.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdatomic.h>

struct snapshot {
	struct snapshot *next_retired;
	uint32_t count;
	struct stock_position positions[];
};

/* An item for ever: the writer keeps its address, so that publishing needs no look-up. */
struct view_item {
	_Atomic(struct snapshot *) current;
	struct str sku;
	char text[];
};

struct table {
	struct table *next_retired;
	size_t room; /* a power of two */
	_Atomic(struct view_item *) slots[];
};

struct stock_view {
	_Atomic(struct table *) table;
	_Atomic size_t count;
	_Atomic int64_t as_of;
	_Atomic unsigned phase;
	_Atomic uint64_t readers[2];
	struct snapshot *retired[2];
	struct table *retired_tables[2];
};

static struct table *table_new(size_t room)
{
	struct table *t = mem_zalloc(1, sizeof(*t) + room * sizeof(t->slots[0]));

	t->room = room;
	return t;
}

struct stock_view *stock_view_new(void)
{
	struct stock_view *v = mem_zalloc(1, sizeof(*v));

	atomic_store(&v->table, table_new(1024));
	return v;
}

static void free_retired(struct stock_view *v, unsigned phase)
{
	while (v->retired[phase]) {
		struct snapshot *s = v->retired[phase];

		v->retired[phase] = s->next_retired;
		free(s);
	}
	while (v->retired_tables[phase]) {
		struct table *t = v->retired_tables[phase];

		v->retired_tables[phase] = t->next_retired;
		free(t);
	}
}

void stock_view_free(struct stock_view *v)
{
	struct table *t;

	if (!v)
		return;
	t = atomic_load(&v->table);
	for (size_t i = 0; i < t->room; i++) {
		struct view_item *item = atomic_load(&t->slots[i]);

		if (item)
			free(atomic_load(&item->current));
		free(item);
	}
	free(t);
	free_retired(v, 0);
	free_retired(v, 1);
	free(v);
}

static _Atomic(struct view_item *) *slot_of(struct table *t, struct str sku)
{
	size_t i = hash64(hash_process_key(), sku) & (t->room - 1);

	for (;; i = (i + 1) & (t->room - 1)) {
		struct view_item *item = atomic_load(&t->slots[i]);

		if (!item || str_eq(item->sku, sku))
			return &t->slots[i];
	}
}

static struct snapshot *snapshot_of(const struct stock_item *item)
{
	size_t bytes = sizeof(struct snapshot) + item->place_count * sizeof(struct stock_position);
	struct snapshot *s;
	char *text;

	for (uint32_t i = 0; i < item->place_count; i++)
		bytes += item->places[i]->position.lot.n + item->places[i]->position.owner.n;
	s = mem_alloc(bytes);
	text = (char *)&s->positions[item->place_count];
	s->count = item->place_count;
	for (uint32_t i = 0; i < item->place_count; i++) {
		struct stock_position *to = &s->positions[i];

		*to = item->places[i]->position;
		if (to->lot.n)
			memcpy(text, to->lot.p, to->lot.n);
		to->lot.p = text;
		text += to->lot.n;
		if (to->owner.n)
			memcpy(text, to->owner.p, to->owner.n);
		to->owner.p = text;
		text += to->owner.n;
	}
	return s;
}

static void grow(struct stock_view *v, unsigned phase)
{
	struct table *old = atomic_load(&v->table), *t = table_new(old->room * 2);

	for (size_t i = 0; i < old->room; i++) {
		struct view_item *item = atomic_load(&old->slots[i]);

		if (item)
			atomic_store(slot_of(t, item->sku), item);
	}
	atomic_store(&v->table, t);
	old->next_retired = v->retired_tables[phase];
	v->retired_tables[phase] = old;
}

static struct view_item *find_or_make(struct stock_view *v, struct str sku)
{
	_Atomic(struct view_item *) *slot = slot_of(atomic_load(&v->table), sku);
	struct view_item *item = atomic_load(slot);

	if (item)
		return item;
	if ((atomic_load(&v->count) + 1) * 10 > atomic_load(&v->table)->room * 7)
		grow(v, atomic_load(&v->phase));
	item = mem_zalloc(1, sizeof(*item) + sku.n);
	memcpy(item->text, sku.p, sku.n);
	item->sku = (struct str){item->text, sku.n};
	atomic_store(slot_of(atomic_load(&v->table), sku), item);
	atomic_fetch_add(&v->count, 1);
	return item;
}

void stock_view_put(struct stock_view *v, struct stock_item *item)
{
	unsigned phase = atomic_load(&v->phase);
	struct snapshot *old;

	if (!item->view)
		item->view = find_or_make(v, item->sku);
	old = atomic_exchange(&item->view->current, snapshot_of(item));
	if (!old)
		return;
	old->next_retired = v->retired[phase];
	v->retired[phase] = old;
}

void stock_view_committed(struct stock_view *v, int64_t now)
{
	unsigned other = 1 - atomic_load(&v->phase);

	atomic_store(&v->as_of, now);
	if (atomic_load(&v->readers[other]) != 0)
		return;
	free_retired(v, other);
	atomic_store(&v->phase, other);
}

/* The counters are part of an otherwise constant view. */
static unsigned reader_enter(const struct stock_view *v)
{
	struct stock_view *w = (struct stock_view *)v;
	unsigned phase = atomic_load(&w->phase);

	atomic_fetch_add(&w->readers[phase], 1);
	return phase;
}

static void reader_leave(const struct stock_view *v, unsigned phase)
{
	atomic_fetch_sub(&((struct stock_view *)v)->readers[phase], 1);
}

enum rc stock_view_read(const struct stock_view *v, struct str sku, stock_visit_fn visit, void *ctx)
{
	unsigned phase = reader_enter(v);
	struct view_item *item = atomic_load(slot_of(atomic_load(&v->table), sku));
	struct snapshot *s = item ? atomic_load(&item->current) : NULL;

	if (s)
		visit(ctx, s->positions, s->count);
	reader_leave(v, phase);
	return s ? RC_OK : RC_NOT_FOUND;
}

int64_t stock_view_as_of(const struct stock_view *v)
{
	return atomic_load(&v->as_of);
}

size_t stock_view_items(const struct stock_view *v)
{
	return atomic_load(&v->count);
}

void stock_view_each(const struct stock_view *v, stock_item_fn visit, void *ctx)
{
	unsigned phase = reader_enter(v);
	struct table *t = atomic_load(&v->table);

	for (size_t i = 0; i < t->room; i++) {
		struct view_item *item = atomic_load(&t->slots[i]);
		struct snapshot *s = item ? atomic_load(&item->current) : NULL;

		if (s)
			visit(ctx, item->sku, s->positions, s->count);
	}
	reader_leave(v, phase);
}
