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
 * Names that systems have for items are a second table of the same kind. A name stays in it for ever, as an item does,
 * and points to the item that it means now; so what a reader has found by it needs no guard but the table's.
 *
 * Rejected: a lock for readers (the writer would wait behind a reader that was preempted), a sequence lock (positions
 * hold pointers to texts).
 */
#include "orchestrate/stock/view_writer.h"

#include "base/hash.h"
#include "base/mem.h"
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/terms.h"

#include <stdatomic.h>

/* One piece of memory: the positions, what they come to by location, the terms, a kit's parts, texts. */
struct snapshot {
	struct snapshot *next_retired;
	struct ats_item *terms;  /* without its levels; NULL: there is nothing but positions */
	struct view_part *parts; /* not NULL: a kit; of none, if they are too many: then nobody can have it */
	uint32_t count, part_count;
	struct stock_position positions[];
};

struct view_part {
	struct view_item *item;
	qty_t quantity;
};

/* An item for ever: the writer keeps its address, so that publishing needs no look-up. Or a name. */
struct view_item {
	union {
		_Atomic(struct snapshot *) current;
		_Atomic(struct view_item *) means; /* of a name; NULL: nothing now */
	};
	struct str sku;
	char text[];
};

struct table {
	struct table *next_retired;
	size_t room; /* a power of two */
	_Atomic(struct view_item *) slots[];
};

struct shelf {
	_Atomic(struct table *) table;
	_Atomic size_t count;
};

struct stock_view {
	struct shelf items, names;
	_Atomic int64_t as_of;
	_Atomic unsigned phase;
	_Atomic uint64_t readers[2];
	struct snapshot *retired[2];
	struct table *retired_tables[2];
	_Atomic int64_t heard[CONFIG_LOCATIONS_MAX]; /* at + 1; 0: never told, as -1 */
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

	atomic_store(&v->items.table, table_new(1024));
	atomic_store(&v->names.table, table_new(8));
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

static void shelf_free(struct shelf *shelf, bool snapshots)
{
	struct table *t = atomic_load(&shelf->table);

	for (size_t i = 0; i < t->room; i++) {
		struct view_item *item = atomic_load(&t->slots[i]);

		if (item && snapshots)
			free(atomic_load(&item->current));
		free(item);
	}
	free(t);
}

void stock_view_free(struct stock_view *v)
{
	if (!v)
		return;
	shelf_free(&v->items, true);
	shelf_free(&v->names, false);
	free_retired(v, 0);
	free_retired(v, 1);
	free(v);
}

static size_t first_slot(const struct table *t, struct str name)
{
	return hash64(hash_process_key(), name) & (t->room - 1);
}

static size_t next_slot(const struct table *t, size_t i)
{
	return (i + 1) & (t->room - 1);
}

/* Looks at every slot once: an empty one may be another name's a moment later. */
static struct view_item *find(const struct table *t, struct str name)
{
	size_t i = first_slot(t, name);
	struct view_item *item;

	while ((item = atomic_load(&t->slots[i])) && !str_eq(item->sku, name))
		i = next_slot(t, i);
	return item;
}

static void insert(struct table *t, struct view_item *item)
{
	size_t i = first_slot(t, item->sku);

	while (atomic_load(&t->slots[i]))
		i = next_slot(t, i);
	atomic_store(&t->slots[i], item);
}

static struct view_item *find_or_make(struct stock_view *v, struct shelf *shelf, struct str name);

/* A copy of n elements at the end of what is filled already. */
static void *put(char **at, const void *from, size_t size)
{
	void *to = *at;

	if (size)
		memcpy(to, from, size);
	*at += size;
	return to;
}

static struct str put_text(char **at, struct str s)
{
	return (struct str){put(at, s.p, s.n), s.n};
}

static bool has_terms(const struct stock_item *i)
{
	return i->terms || (i->rules && (i->rules->blocked || i->rules->discontinued));
}

static void fill_terms(struct snapshot *s, const struct stock_item *item, char **at)
{
	struct ats_item *a = (struct ats_item *)*at;
	struct ats_arrival *arrivals;

	s->terms = NULL;
	if (!has_terms(item))
		return;
	*at += sizeof(*a);
	stock_ats_terms(item, a);
	a->fences = put(at, a->fences, a->fence_count * sizeof(*a->fences));
	arrivals = put(at, a->arrivals, a->arrival_count * sizeof(*a->arrivals));
	a->arrivals = arrivals;
	for (size_t i = 0; i < a->arrival_count; i++)
		arrivals[i].owner = STR_NONE; /* the text is the writer's */
	a->gaps = put(at, a->gaps, a->gap_count * sizeof(*a->gaps));
	s->terms = a;
}

static void fill_parts(struct stock_view *v, struct snapshot *s, const struct item_component *parts, size_t count,
		       char **at)
{
	s->part_count = (uint32_t)count;
	if (!parts)
		return;
	s->parts = (struct view_part *)*at;
	*at += count * sizeof(*s->parts);
	for (size_t i = 0; i < count; i++)
		s->parts[i] = (struct view_part){find_or_make(v, &v->items, parts[i].item->sku), parts[i].quantity};
}

static size_t bytes_for(const struct stock_item *item, size_t parts)
{
	const struct stock_terms *t = item->terms;
	size_t bytes = sizeof(struct snapshot) + parts * sizeof(struct view_part) +
		       item->place_count * sizeof(struct stock_position);

	if (has_terms(item))
		bytes += sizeof(struct ats_item);
	if (t)
		bytes += t->fence_count * sizeof(*t->fences) + t->arrival_count * sizeof(*t->arrivals) +
			 t->gap_count * sizeof(*t->gaps);
	for (uint32_t i = 0; i < item->place_count; i++)
		bytes += item->places[i]->position.lot.n + item->places[i]->position.owner.n;
	return bytes;
}

static struct snapshot *snapshot_with(struct stock_view *v, const struct stock_item *item,
				      const struct item_component *parts, size_t part_count)
{
	struct snapshot *s = mem_alloc(bytes_for(item, part_count));
	char *at = (char *)&s->positions[item->place_count];

	s->parts = NULL;
	s->count = item->place_count;
	fill_terms(s, item, &at);
	fill_parts(v, s, parts, part_count, &at);
	for (uint32_t i = 0; i < item->place_count; i++) {
		struct stock_position *to = &s->positions[i];

		*to = item->places[i]->position;
		to->lot = put_text(&at, to->lot);
		to->owner = put_text(&at, to->owner);
	}
	return s;
}

static struct snapshot *snapshot_of(struct stock_view *v, const struct stock_item *item)
{
	struct item_component parts[ITEM_KIT_PARTS_MAX];
	size_t count;

	if (!item_is_kit(item))
		return snapshot_with(v, item, NULL, 0);
	count = item_parts(item, parts, ITEM_KIT_PARTS_MAX);
	return snapshot_with(v, item, parts, count <= ITEM_KIT_PARTS_MAX ? count : 0);
}

static void grow(struct stock_view *v, struct shelf *shelf, size_t room)
{
	unsigned phase = atomic_load(&v->phase);
	struct table *old = atomic_load(&shelf->table), *t = table_new(room);

	for (size_t i = 0; i < old->room; i++) {
		struct view_item *item = atomic_load(&old->slots[i]);

		if (item)
			insert(t, item);
	}
	atomic_store(&shelf->table, t);
	old->next_retired = v->retired_tables[phase];
	v->retired_tables[phase] = old;
}

void stock_view_reserve(struct stock_view *v, size_t items)
{
	size_t room = atomic_load(&v->items.table)->room;

	while ((items + 1) * 10 > room * 7)
		room *= 2;
	if (room > atomic_load(&v->items.table)->room)
		grow(v, &v->items, room);
}

static struct view_item *find_or_make(struct stock_view *v, struct shelf *shelf, struct str name)
{
	struct table *t = atomic_load(&shelf->table);
	struct view_item *item = find(t, name);

	if (item)
		return item;
	if ((atomic_load(&shelf->count) + 1) * 10 > t->room * 7)
		grow(v, shelf, t->room * 2);
	item = mem_zalloc(1, sizeof(*item) + name.n);
	memcpy(item->text, name.p, name.n);
	item->sku = (struct str){item->text, name.n};
	insert(atomic_load(&shelf->table), item);
	atomic_fetch_add(&shelf->count, 1);
	return item;
}

/* What a name means that several items claim. */
static struct view_item several;

void stock_view_name(struct stock_view *v, struct str key, struct stock_item *item, bool ambiguous)
{
	struct view_item *name = find_or_make(v, &v->names, key);

	if (item && !item->view)
		item->view = find_or_make(v, &v->items, item->sku);
	atomic_store(&name->means, ambiguous ? &several : item ? item->view : NULL);
}

void stock_view_spell(struct stock_view *v, struct str key, struct str alias_key)
{
	struct view_item *spelling = find_or_make(v, &v->names, key);

	atomic_store(&spelling->means, alias_key.n ? find_or_make(v, &v->names, alias_key) : NULL);
}

void stock_view_names(struct stock_view *v, void (*visit)(void *ctx, struct str key), void *ctx)
{
	struct table *t = atomic_load(&v->names.table);

	for (size_t i = 0; i < t->room; i++) {
		struct view_item *name = atomic_load(&t->slots[i]);

		if (name)
			visit(ctx, name->sku);
	}
}

void stock_view_put(struct stock_view *v, struct stock_item *item)
{
	unsigned phase = atomic_load(&v->phase);
	struct snapshot *old;

	if (!item->view)
		item->view = find_or_make(v, &v->items, item->sku);
	old = atomic_exchange(&item->view->current, snapshot_of(v, item));
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
	struct view_item *item = find(atomic_load(&v->items.table), sku);
	struct snapshot *s = item ? atomic_load(&item->current) : NULL;

	if (s)
		visit(ctx, s->positions, s->count);
	reader_leave(v, phase);
	return s ? RC_OK : RC_NOT_FOUND;
}

bool stock_view_has(const struct stock_view *v, struct str sku)
{
	unsigned phase = reader_enter(v);
	struct view_item *item = find(atomic_load(&v->items.table), sku);
	bool has = item && atomic_load(&item->current);

	reader_leave(v, phase);
	return has;
}

enum rc stock_view_spelling(const struct stock_view *v, struct str key, struct str *alias_key)
{
	return stock_view_alias(v, key, alias_key);
}

bool stock_view_has_names(const struct stock_view *v)
{
	return atomic_load(&v->names.count) > 0;
}

enum rc stock_view_alias(const struct stock_view *v, struct str key, struct str *sku)
{
	unsigned phase = reader_enter(v);
	struct view_item *name = find(atomic_load(&v->names.table), key),
			 *item = name ? atomic_load(&name->means) : NULL;

	reader_leave(v, phase);
	if (!item)
		return RC_NOT_FOUND;
	if (item == &several)
		return RC_CONFLICT;
	*sku = item->sku;
	return RC_OK;
}

#define FEW_LEVELS 16

struct level_room {
	struct ats_level few[FEW_LEVELS], *many; /* many: of the heap, or NULL */
};

static struct ats_item ats_of(const struct snapshot *s, uint64_t consignors, struct level_room *room)
{
	struct ats_level *levels = room->few;
	struct ats_item a = s && s->terms ? *s->terms : (struct ats_item){0};

	room->many = NULL;
	if (s && s->count > FEW_LEVELS)
		levels = room->many = mem_alloc(s->count * sizeof(*levels));
	a.levels = levels;
	for (uint32_t i = 0; s && i < s->count; i++)
		ats_add_position(levels, &a.level_count, &s->positions[i], consignors);
	return a;
}

static void add_locations(struct stock_offer *out, const struct ats_item *a)
{
	for (size_t i = 0; i < a->level_count; i++)
		location_set_add(&out->at, a->levels[i].location);
}

static void offer_plain(const struct snapshot *s, const struct config_channel *c, const struct ats_policy *policy,
			const struct ats_now *now, struct stock_offer *out)
{
	struct level_room room;
	struct ats_item a = ats_of(s, policy->consignors, &room);

	out->available = ats_compute(policy, now, &a);
	for (size_t i = 0; i < c->location_count; i++)
		out->by_location[i] = ats_base(now, &a, c->locations[i]);
	add_locations(out, &a);
	free(room.many);
}

static void at_most(qty_t *kits, qty_t of_part, qty_t quantity)
{
	if (of_part / quantity < *kits / QTY_ONE)
		*kits = of_part / quantity * QTY_ONE;
}

static void offer_kit(const struct snapshot *s, const struct config_channel *c, const struct ats_policy *policy,
		      const struct ats_now *now, struct stock_offer *out)
{
	out->available = !s->part_count || (s->terms && s->terms->blocked) ? 0 : QTY_MAX;
	for (size_t i = 0; i < c->location_count; i++)
		out->by_location[i] = s->part_count ? QTY_MAX : 0;
	for (uint32_t n = 0; n < s->part_count; n++) {
		struct level_room room;
		struct ats_item a = ats_of(atomic_load(&s->parts[n].item->current), policy->consignors, &room);

		at_most(&out->available, ats_compute(policy, now, &a), s->parts[n].quantity);
		for (size_t i = 0; i < c->location_count; i++)
			at_most(&out->by_location[i], ats_base(now, &a, c->locations[i]), s->parts[n].quantity);
		add_locations(out, &a);
		free(room.many);
	}
}

enum rc stock_view_offer(const struct stock_view *v, struct str sku, const struct config_channel *c,
			 const struct ats_policy *policy, const struct ats_now *now, struct stock_offer *out)
{
	unsigned phase = reader_enter(v);
	struct view_item *item = find(atomic_load(&v->items.table), sku);
	struct snapshot *s = item ? atomic_load(&item->current) : NULL;

	out->at = (struct location_set){{0}};
	if (s && s->parts)
		offer_kit(s, c, policy, now, out);
	else if (s)
		offer_plain(s, c, policy, now, out);
	reader_leave(v, phase);
	return s ? RC_OK : RC_NOT_FOUND;
}

void stock_view_heard(struct stock_view *v, uint16_t location, int64_t at)
{
	atomic_store(&v->heard[location], at + 1);
}

int64_t stock_view_heard_at(const struct stock_view *v, uint16_t location)
{
	return atomic_load(&v->heard[location]) - 1;
}

int64_t stock_view_as_of(const struct stock_view *v)
{
	return atomic_load(&v->as_of);
}

size_t stock_view_items(const struct stock_view *v)
{
	return atomic_load(&v->items.count);
}

void stock_view_each(const struct stock_view *v, stock_item_fn visit, void *ctx)
{
	unsigned phase = reader_enter(v);
	struct table *t = atomic_load(&v->items.table);

	for (size_t i = 0; i < t->room; i++) {
		struct view_item *item = atomic_load(&t->slots[i]);
		struct snapshot *s = item ? atomic_load(&item->current) : NULL;

		if (s)
			visit(ctx, item->sku, s->positions, s->count);
	}
	reader_leave(v, phase);
}
