/* The book of serial numbers that the open batch names. */
#include "orchestrate/stock/serial.h"

#include "base/mem.h"
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/past.h"
#include "orchestrate/stock/verbs_internal.h"

#include <assert.h>

#define BOOK_MAX 4000000

static const char *const state_names[SERIAL_STATES] = {
    [SERIAL_UNKNOWN] = "unknown", [SERIAL_IN_STOCK] = "in_stock", [SERIAL_QUARANTINED] = "quarantined",
    [SERIAL_PICKED] = "picked",   [SERIAL_RETURNED] = "returned", [SERIAL_IN_TRANSIT] = "in_transit",
    [SERIAL_SHIPPED] = "shipped", [SERIAL_SCRAPPED] = "scrapped",
};

const char *serial_state_name(enum serial_state s)
{
	return s < SERIAL_STATES ? state_names[s] : "unknown";
}

bool serial_state_parse(struct str name, enum serial_state *out)
{
	for (int i = 0; i < SERIAL_STATES; i++) {
		if (!str_is(name, state_names[i]))
			continue;
		*out = (enum serial_state)i;
		return true;
	}
	return false;
}

static_assert(SERIAL_IN_STOCK == 1 && SERIAL_RETURNED == 4, "R_SERIALS_HERE");

bool serial_is_here(enum serial_state s)
{
	return s == SERIAL_IN_STOCK || s == SERIAL_QUARANTINED || s == SERIAL_PICKED || s == SERIAL_RETURNED;
}

struct serial_book *serial_book_new(void)
{
	struct serial_book *b = mem_zalloc(1, sizeof(*b));

	map_init(&b->serials, BOOK_MAX);
	map_init(&b->items, BOOK_MAX);
	return b;
}

void serial_book_free(struct serial_book *b)
{
	if (!b)
		return;
	map_done(&b->serials);
	map_done(&b->items);
	free(b);
}

void serial_book_begin(struct serial_book *b)
{
	if (b->items.count > 0) {
		map_done(&b->serials);
		map_done(&b->items);
		map_init(&b->serials, BOOK_MAX);
		map_init(&b->items, BOOK_MAX);
	}
	b->made = NULL;
	b->undo = NULL;
	b->counts = NULL;
	b->closed = NULL;
}

static struct serial_item *item_of(struct serial_book *b, struct txn *t, struct str sku)
{
	struct serial_item *i = map_get(&b->items, sku);

	if (i)
		return i;
	i = arena_new(t->arena, struct serial_item);
	if (i)
		*i = (struct serial_item){.first = NULL};
	if (i && map_put(&b->items, sku, i) == RC_OK)
		return i;
	t->failed = true;
	return NULL;
}

struct serial *serial_make(struct serial_book *b, struct txn *t, struct str sku, struct str serial)
{
	char *text = arena_alloc(t->arena, sku.n + 1 + serial.n);
	struct str key = {text, sku.n + 1 + serial.n};
	struct serial_item *item;
	struct serial *s;

	if (!text) {
		t->failed = true;
		return NULL;
	}
	memcpy(text, sku.p, sku.n);
	text[sku.n] = '\0';
	memcpy(text + sku.n + 1, serial.p, serial.n);
	s = map_get(&b->serials, key);
	if (s)
		return s;
	s = arena_new(t->arena, struct serial);
	item = s ? item_of(b, t, (struct str){text, sku.n}) : NULL;
	if (!item || map_put(&b->serials, key, s) != RC_OK) {
		t->failed = true;
		return NULL;
	}
	*s = (struct serial){.sku = {text, sku.n}, .serial = {text + sku.n + 1, serial.n}, .next = item->first};
	item->first = s;
	return s;
}

static bool same_count(const struct serial_count *a, const struct serial_count *b)
{
	return a->movement == b->movement && str_eq(a->location, b->location) && str_eq(a->lot, b->lot) &&
	       str_eq(a->owner, b->owner);
}

struct serial_count *serial_count_add(struct serial_book *b, struct txn *t, const struct serial_count *count)
{
	struct serial_item *item = item_of(b, t, count->sku);
	struct serial_count **at = item ? &item->counts : NULL, *c;

	while (at && *at && !same_count(*at, count) &&
	       ((*at)->occurred_at < count->occurred_at ||
		((*at)->occurred_at == count->occurred_at && (*at)->movement <= count->movement)))
		at = &(*at)->next;
	if (at && *at && same_count(*at, count))
		return *at;
	c = at ? arena_new(t->arena, struct serial_count) : NULL;
	if (!c) {
		t->failed = true;
		return NULL;
	}
	*c = *count;
	c->next = *at;
	*at = c;
	c->next_any = b->counts;
	b->counts = c;
	return c;
}

void serial_count_put(struct serial_book *b, struct txn *t, const struct store_value *row)
{
	(void)serial_count_add(b, t,
			       &(struct serial_count){.sku = txn_copy(t, row[0].bytes),
						      .occurred_at = row[1].integer,
						      .movement = row[2].integer,
						      .location = txn_copy(t, row[3].bytes),
						      .lot = txn_copy(t, row[4].bytes),
						      .owner = txn_copy(t, row[5].bytes),
						      .line = (uint32_t)row[6].integer,
						      .all_lots = row[7].integer != 0});
}

void serial_exception_closed(struct serial_book *b, int64_t exception)
{
	size_t at = 0;
	const struct serial *s;

	while ((s = map_next(&b->serials, &at, NULL)))
		for (struct serial_fact *f = s->facts; f; f = f->next)
			if (f->exception == exception)
				f->exception = 0;
}

static bool note_named(struct txn *t, struct serial *one, struct serial_wants *out)
{
	struct serial_named *n = arena_new(t->arena, struct serial_named);

	if (!n) {
		t->failed = true;
		return false;
	}
	*n = (struct serial_named){one, out->named};
	out->named = n;
	return true;
}

static void want_line(struct stock *s, struct txn *t, const struct movement_line *l, struct serial_wants *out)
{
	for (uint32_t i = 0; l->serials && i < l->serials->count; i++) {
		struct serial *one = serial_make(s->serials, t, l->sku, json_text(&l->serials->items[i]));

		if (!one || !note_named(t, one, out) || one->fetched || one->wanted)
			continue;
		one->wanted = true;
		one->next_fetch = out->serials;
		out->serials = one;
	}
}

static void want_place(struct txn *t, const struct movement_line *l, struct serial_place **list)
{
	struct serial_place *p = arena_new(t->arena, struct serial_place);

	if (!p) {
		t->failed = true;
		return;
	}
	*p = (struct serial_place){l->sku, l->location, *list};
	*list = p;
}

/* Was anything of it counted at a later instant? */
static bool was_counted_since(const struct stock_item *item, int64_t occurred_at)
{
	for (uint32_t n = 0; n < item->place_count; n++)
		if (past_last_count(item->places[n]).at > occurred_at)
			return true;
	return false;
}

/* May a line be of an item with serial numbers, under whatever name? Cheap. */
static bool may_name_any(const struct stock *s, const struct movement *m)
{
	bool other_names = s->aliases.count > 0 || s->tenant->has_sku_rules;

	for (size_t i = 0; i < m->line_count; i++) {
		const struct stock_item *item = stock_find(s, m->lines[i].sku);

		if (item ? item->rules != NULL : other_names)
			return true;
	}
	return false;
}

void serials_wanted(struct stock *s, struct txn *t, const struct movement *given, const struct order_open *order,
		    struct serial_wants *out)
{
	struct movement m = *given;
	struct err e = ERR_NONE;

	*out = (struct serial_wants){.named = NULL};
	if (s->serial_items == 0 || m.type == MOVE_REVERSE || !may_name_any(s, &m) ||
	    verbs_prepare(s, t, &m, order, &e) != RC_OK)
		return;
	for (size_t i = 0; i < m.line_count; i++) {
		const struct stock_item *item = stock_find(s, m.lines[i].sku);

		if (!item || !item->rules || item->rules->serials == ITEM_SERIALS_NONE)
			continue;
		want_line(s, t, &m.lines[i], out);
		if (m.type == MOVE_COUNT && !m.quantity_only)
			want_place(t, &m.lines[i], &out->places);
		if (item->rules->serials == ITEM_SERIALS_FULL && m.lines[i].serials &&
		    was_counted_since(item, m.occurred_at))
			want_place(t, &m.lines[i], &out->counts);
	}
}

struct str serial_lot(struct serial_book *b, struct txn *t, const struct movement_line *l)
{
	struct str lot = STR_NONE;

	for (uint32_t i = 0; l->serials && i < l->serials->count; i++) {
		const struct serial *one = serial_make(b, t, l->sku, json_text(&l->serials->items[i]));

		if (!one || !serial_is_here(one->now.state) || !str_eq(one->now.location, l->location) ||
		    !one->now.lot.n || (i > 0 && !str_eq(one->now.lot, lot)))
			return STR_NONE;
		lot = one->now.lot;
	}
	return lot;
}

struct str serial_owner(struct serial_book *b, struct txn *t, const struct movement_line *l)
{
	struct str owner = STR_NONE;

	for (uint32_t i = 0; l->serials && i < l->serials->count; i++) {
		const struct serial *one = serial_make(b, t, l->sku, json_text(&l->serials->items[i]));

		if (!one || !serial_is_here(one->now.state) || !str_eq(one->now.location, l->location) ||
		    !one->now.owner.n || (i > 0 && !str_eq(one->now.owner, owner)))
			return STR_NONE;
		owner = one->now.owner;
	}
	return owner;
}
