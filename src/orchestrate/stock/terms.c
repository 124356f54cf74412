#include "orchestrate/stock/terms.h"

#include "base/mem.h"
#include "orchestrate/stock/item.h"

#define ARRIVALS_MAX 1000 /* of one item: what comes later joins the last one */
#define LIST_MAX     (256u << 10)

struct stock_due {
	int64_t at;
	struct stock_item *item;
};

static struct stock_terms *terms_of(struct stock_item *i)
{
	if (!i->terms)
		i->terms = mem_zalloc(1, sizeof(*i->terms));
	return i->terms;
}

void terms_free(struct stock_item *i)
{
	if (!i->terms)
		return;
	free(i->terms->fences);
	free(i->terms->arrivals);
	free(i->terms->gaps);
	free(i->terms);
	i->terms = NULL;
}

static void changed(struct stock *s, struct stock_item *i)
{
	item_touch(s, i);
	if (i->terms->dirty)
		return;
	i->terms->dirty = true;
	i->terms->next_dirty = s->terms_dirty;
	s->terms_dirty = i;
}

/* ---- the heap of instants ---- */

static void due_push(struct stock *s, struct stock_item *i, int64_t at)
{
	size_t n = s->due_count++;

	if (n == s->due_room) {
		s->due_room = s->due_room ? s->due_room * 2 : 64;
		s->due = mem_grow(s->due, s->due_room * sizeof(*s->due));
	}
	for (; n > 0 && s->due[(n - 1) / 2].at > at; n = (n - 1) / 2)
		s->due[n] = s->due[(n - 1) / 2];
	s->due[n] = (struct stock_due){at, i};
	i->terms->due_at = at;
}

static struct stock_due due_pop(struct stock *s)
{
	struct stock_due top = s->due[0], last = s->due[--s->due_count];
	size_t n = 0;

	for (size_t child; (child = 2 * n + 1) < s->due_count; n = child) {
		if (child + 1 < s->due_count && s->due[child + 1].at < s->due[child].at)
			child++;
		if (s->due[child].at >= last.at)
			break;
		s->due[n] = s->due[child];
	}
	s->due[n] = last;
	return top;
}

int64_t terms_next(const struct stock *s)
{
	return s->due_count ? s->due[0].at : INT64_MAX;
}

/* When time changes what may be sold of it, after now. */
static int64_t next_change(const struct stock *s, const struct stock_item *i, int64_t now)
{
	const struct stock_terms *t = i->terms;
	int64_t next = INT64_MAX;

	for (uint32_t n = 0; n < t->gap_count; n++)
		if (t->gaps[n].until < next)
			next = t->gaps[n].until > now ? t->gaps[n].until : now;
	for (uint32_t n = 0; n < t->arrival_count; n++) {
		for (size_t c = 0; c < s->tenant->channel_count && !t->arrivals[n].ordered; c++) {
			int64_t at = t->arrivals[n].expected_at - s->policies[c].horizon_ms;

			if (s->policies[c].inbound_cap > 0 && at > now && at < next)
				next = at;
		}
	}
	return next;
}

static void schedule(struct stock *s, struct stock_item *i, int64_t now)
{
	int64_t next = next_change(s, i, now);

	if (next != INT64_MAX && (!i->terms->due_at || next < i->terms->due_at))
		due_push(s, i, next);
}

static void drop_old_gaps(struct stock *s, struct stock_item *i, int64_t now)
{
	for (uint32_t n = 0; n < i->terms->gap_count; n++)
		if (i->terms->gaps[n].quantity > 0 && i->terms->gaps[n].until <= now) {
			i->terms->gaps[n].quantity = 0;
			i->terms->gaps[n].dirty = true;
			changed(s, i);
		}
}

void terms_due(struct stock *s, int64_t now, size_t max)
{
	for (; max > 0 && terms_next(s) <= now; max--) {
		struct stock_due d = due_pop(s);

		if (d.item->terms->due_at != d.at)
			continue;
		d.item->terms->due_at = 0;
		drop_old_gaps(s, d.item, now);
		item_touch(s, d.item);
		schedule(s, d.item, now);
	}
}

void terms_loaded(struct stock *s, int64_t now)
{
	for (size_t n = 0; n < s->item_count; n++)
		if (s->list[n]->terms)
			schedule(s, s->list[n], now);
}

/* ---- ring-fences ---- */

static struct ats_fence *fence_find(const struct stock_item *i, uint16_t channel, uint16_t location)
{
	for (uint32_t n = 0; i->terms && n < i->terms->fence_count; n++)
		if (i->terms->fences[n].channel == channel && i->terms->fences[n].location == location)
			return &i->terms->fences[n];
	return NULL;
}

static struct ats_fence *fence_make(struct stock_item *i, uint16_t channel, uint16_t location)
{
	struct stock_terms *t = terms_of(i);
	struct ats_fence *f = fence_find(i, channel, location);
	uint32_t n = t->fence_count;

	if (f)
		return f;
	t->fences = mem_grow(t->fences, (n + 1) * sizeof(*t->fences));
	for (; n > 0 && (t->fences[n - 1].channel > channel ||
			 (t->fences[n - 1].channel == channel && t->fences[n - 1].location > location));
	     n--)
		t->fences[n] = t->fences[n - 1];
	t->fence_count++;
	t->fences[n] = (struct ats_fence){.channel = channel, .location = location};
	return &t->fences[n];
}

void fence_set(struct stock *s, struct stock_item *i, uint16_t channel, uint16_t location, qty_t quantity)
{
	struct ats_fence *f = quantity > 0 ? fence_make(i, channel, location) : fence_find(i, channel, location);

	if (!f)
		return;
	f->quantity = quantity;
	f->used = 0;
	f->dirty = true;
	changed(s, i);
	if (i->waiting)
		stock_restock(s, i);
}

void fence_use(struct stock *s, const struct stock_place *p, uint16_t channel, qty_t quantity)
{
	struct ats_fence *f =
	    p->item->terms && stock_is_ours(&p->position) ? fence_find(p->item, channel, p->position.location) : NULL;

	if (!f || !f->quantity)
		return;
	f->used += quantity;
	if (f->used < 0)
		f->used = 0;
	f->dirty = true;
	changed(s, p->item);
}

qty_t stock_fenced_for_others(const struct stock_item *i, uint16_t location, uint16_t channel, qty_t there)
{
	return i->terms ? ats_fenced_for_others(i->terms->fences, i->terms->fence_count, location, channel, there) : 0;
}

qty_t stock_ours_for(const struct stock_item *i, uint16_t location, uint16_t channel)
{
	qty_t free = stock_free_at(i, location);

	return free > 0 ? free - stock_fenced_for_others(i, location, channel, free) : 0;
}

/* What is owed of ours is owed by what is consigned as well: it may be that which has left. */
static qty_t consigned_for(const struct stock_item *i, uint16_t location, const struct config_channel *c)
{
	qty_t ours = 0, consigned = 0;

	for (uint32_t n = 0; n < i->place_count; n++) {
		const struct stock_place *p = i->places[n];
		qty_t free = p->position.states[STOCK_FREE] - p->planned;

		if (p->position.location != location || !stock_is_sold_by(&p->position, c))
			continue;
		if (stock_is_ours(&p->position))
			ours += free;
		else
			consigned += free;
	}
	consigned += ours < 0 ? ours : 0;
	return consigned > 0 ? consigned : 0;
}

qty_t stock_free_for(const struct stock_item *i, uint16_t location, uint16_t channel, const struct config_channel *c)
{
	return stock_ours_for(i, location, channel) + (c->consignors ? consigned_for(i, location, c) : 0);
}

/* ---- arrivals ---- */

/* Of the same goods: what is expected of one cannot be told from the other but by its date. */
static bool same_goods(const struct ats_arrival *a, const struct ats_arrival *b)
{
	return a->location == b->location && a->ordered == b->ordered && str_eq(a->owner, b->owner);
}

static void arrival_add(struct stock_terms *t, struct ats_arrival a)
{
	uint32_t n = t->arrival_count;

	for (uint32_t k = 0; k < n; k++)
		if (same_goods(&t->arrivals[k], &a) &&
		    (t->arrivals[k].expected_at == a.expected_at || n >= ARRIVALS_MAX)) {
			t->arrivals[k].quantity += a.quantity;
			if (a.expected_at > t->arrivals[k].expected_at)
				t->arrivals[k].expected_at = a.expected_at;
			return;
		}
	t->arrivals = mem_grow(t->arrivals, (n + 1) * sizeof(*t->arrivals));
	for (; n > 0 && t->arrivals[n - 1].expected_at > a.expected_at; n--)
		t->arrivals[n] = t->arrivals[n - 1];
	t->arrivals[n] = a;
	t->arrival_count++;
}

void arrival_expect(struct stock *s, struct stock_item *i, const struct ats_arrival *a)
{
	arrival_add(terms_of(i), *a);
	i->terms->arrivals_dirty = true;
	changed(s, i);
	schedule(s, i, 0);
}

/* Takes off, the earliest first. */
static void arrival_drop(struct stock_terms *t, const struct ats_arrival *of, qty_t quantity)
{
	uint32_t kept = 0;

	for (uint32_t n = 0; n < t->arrival_count; n++) {
		struct ats_arrival a = t->arrivals[n];

		if (same_goods(&a, of)) {
			qty_t part = a.quantity < quantity ? a.quantity : quantity;

			a.quantity -= part;
			quantity -= part;
			t->arrivals_dirty = t->arrivals_dirty || part > 0;
		}
		if (a.quantity > 0)
			t->arrivals[kept++] = a;
	}
	t->arrival_count = kept;
}

void arrival_announced(struct stock *s, const struct stock_place *p, qty_t quantity)
{
	const struct ats_arrival ordered = {
	    .location = p->position.location, .ordered = true, .owner = p->position.owner};
	struct stock_terms *t = p->item->terms;

	while (t && quantity > 0) {
		struct ats_arrival moved;
		uint32_t n = 0;

		while (n < t->arrival_count && !same_goods(&t->arrivals[n], &ordered))
			n++;
		if (n == t->arrival_count)
			return;
		moved = t->arrivals[n];
		if (moved.quantity > quantity)
			moved.quantity = quantity;
		quantity -= moved.quantity;
		arrival_drop(t, &ordered, moved.quantity);
		moved.ordered = false;
		arrival_expect(s, p->item, &moved);
	}
}

static qty_t off_site(const struct stock_item *i, const struct ats_arrival *a)
{
	qty_t sum = 0;

	for (uint32_t n = 0; n < i->place_count; n++) {
		const struct stock_position *p = &i->places[n]->position;

		if (p->location == a->location && str_eq(p->owner, a->owner))
			sum += p->states[a->ordered ? STOCK_ON_ORDER : STOCK_IN_TRANSIT];
	}
	return sum > 0 ? sum : 0;
}

void arrival_settle(struct stock *s, struct stock_item *i)
{
	struct stock_terms *t = i->terms;

	for (uint32_t n = 0; t && n < t->arrival_count; n++) {
		struct ats_arrival a = t->arrivals[n];
		qty_t sum = -off_site(i, &a);

		for (uint32_t k = 0; k < t->arrival_count; k++)
			if (same_goods(&t->arrivals[k], &a))
				sum += t->arrivals[k].quantity;
		if (sum <= 0)
			continue;
		arrival_drop(t, &a, sum);
		changed(s, i);
		n = (uint32_t)-1;
	}
}

/* ---- gaps ---- */

static struct ats_gap *gap_find(const struct stock_item *i, uint16_t channel)
{
	for (uint32_t n = 0; i->terms && n < i->terms->gap_count; n++)
		if (i->terms->gaps[n].channel == channel)
			return &i->terms->gaps[n];
	return NULL;
}

static struct ats_gap *gap_make(struct stock_item *i, uint16_t channel)
{
	struct stock_terms *t = terms_of(i);
	struct ats_gap *g = gap_find(i, channel);

	if (g)
		return g;
	t->gaps = mem_grow(t->gaps, (t->gap_count + 1) * sizeof(*t->gaps));
	t->gaps[t->gap_count] = (struct ats_gap){.channel = channel, .until = INT64_MAX};
	return &t->gaps[t->gap_count++];
}

void gap_add(struct stock *s, struct stock_item *i, uint16_t channel, qty_t quantity, int64_t until)
{
	struct ats_gap *g = gap_make(i, channel);

	g->quantity += quantity;
	g->until = until;
	g->dirty = true;
	changed(s, i);
	schedule(s, i, 0);
}

qty_t gap_tell(struct stock *s, struct stock_item *i, uint16_t channel, qty_t quantity)
{
	struct ats_gap *g = gap_find(i, channel);
	qty_t known;

	if (!g || g->quantity <= 0)
		return 0;
	known = g->quantity < quantity ? g->quantity : quantity;
	g->quantity -= known;
	g->dirty = true;
	changed(s, i);
	return known;
}

qty_t gap_of(const struct stock_item *i, uint16_t channel)
{
	const struct ats_gap *g = gap_find(i, channel);

	return g ? g->quantity : 0;
}

/* ---- rows ---- */

static struct str quantity_text(struct txn *t, qty_t q)
{
	char text[DECIMAL_TEXT_MAX];

	return txn_copy(t, (struct str){text, qty_format(q, text)});
}

static void write_arrivals(const struct stock *s, struct txn *t, const struct stock_item *i)
{
	struct json_writer w;
	struct buf list;

	buf_init(&list, LIST_MAX);
	jw_init(&w, &list);
	jw_array(&w);
	for (uint32_t n = 0; n < i->terms->arrival_count; n++) {
		const struct ats_arrival *a = &i->terms->arrivals[n];

		jw_object(&w);
		jw_key_text(&w, "location", s->tenant->locations[a->location].name);
		jw_opt_text(&w, "owner", a->owner);
		jw_key_bool(&w, "ordered", a->ordered);
		jw_key_int(&w, "expected_at", a->expected_at);
		jw_key_qty(&w, "quantity", a->quantity);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	txn_put(t, W_ARRIVAL, SV_TEXT(i->sku), SV_TEXT(txn_text(t, &list)));
	buf_done(&list);
}

static void write_rows(struct stock *s, struct txn *t, struct stock_item *i)
{
	const struct config_tenant *tenant = s->tenant;

	for (uint32_t n = 0; n < i->terms->fence_count; n++) {
		struct ats_fence *f = &i->terms->fences[n];

		if (f->dirty)
			txn_put(t, W_RING_FENCE, SV_TEXT(tenant->channels[f->channel].name), SV_TEXT(i->sku),
				SV_TEXT(tenant->locations[f->location].name), SV_TEXT(quantity_text(t, f->quantity)),
				SV_TEXT(quantity_text(t, f->used)));
		f->dirty = false;
	}
	for (uint32_t n = 0; n < i->terms->gap_count; n++) {
		struct ats_gap *g = &i->terms->gaps[n];

		if (g->dirty)
			txn_put(t, W_GAP, SV_TEXT(tenant->channels[g->channel].name), SV_TEXT(i->sku),
				SV_TEXT(quantity_text(t, g->quantity)), SV_INT(g->until));
		g->dirty = false;
		if (g->quantity <= 0)
			g->until = INT64_MAX;
	}
	if (i->terms->arrivals_dirty)
		write_arrivals(s, t, i);
	i->terms->arrivals_dirty = false;
}

void terms_flush(struct stock *s, struct txn *t)
{
	while (s->terms_dirty) {
		struct stock_item *i = s->terms_dirty;

		s->terms_dirty = i->terms->next_dirty;
		i->terms->dirty = false;
		write_rows(s, t, i);
	}
}

/* ---- loading ---- */

static int find_channel(const struct stock *s, struct str name)
{
	for (size_t c = 0; c < s->tenant->channel_count; c++)
		if (str_eq(s->tenant->channels[c].name, name))
			return (int)c;
	return -1;
}

static enum rc damaged(struct err *e, struct str sku)
{
	return err_set(e, RC_IO, "store_damaged", "what is known about the sale of " STR_FMT " is damaged",
		       STR_ARG(sku));
}

enum rc fence_load(struct stock *s, const struct store_value *row, struct err *e)
{
	struct stock_item *i = stock_find(s, row[0].bytes);
	const struct config_location *l = config_find_location(s->tenant, row[2].bytes);
	int channel = find_channel(s, row[1].bytes);
	struct ats_fence *f;
	qty_t quantity, used;

	if (qty_parse(row[3].bytes, &quantity, NULL) != RC_OK || qty_parse(row[4].bytes, &used, NULL) != RC_OK)
		return damaged(e, row[0].bytes);
	if (!i || !l || channel < 0 || quantity <= 0)
		return RC_OK;
	f = fence_make(i, (uint16_t)channel, l->index);
	f->quantity = quantity;
	f->used = used;
	return RC_OK;
}

/* Whose it is, with the text of one of their places: there is one, if they have anything on its way. */
static bool find_owner(const struct stock_item *i, struct str owner, struct ats_arrival *a)
{
	for (uint32_t n = 0; owner.n && n < i->place_count; n++) {
		const struct stock_position *p = &i->places[n]->position;

		if (!str_eq(p->owner, owner))
			continue;
		a->owner = p->owner;
		a->consignor = p->consignor;
		return true;
	}
	return !owner.n;
}

enum rc arrival_load(struct stock *s, const struct store_value *row, struct err *e)
{
	struct stock_item *i = stock_find(s, row[0].bytes);
	struct json *list;
	struct arena a;
	enum rc rc = RC_OK;

	arena_init(&a, 1u << 20);
	if (json_parse(&a, row[1].bytes, NULL, &list, NULL) != RC_OK || !json_is(list, JSON_ARRAY))
		rc = damaged(e, row[0].bytes);
	for (uint32_t n = 0; rc == RC_OK && i && n < list->count; n++) {
		const struct json *j = &list->items[n], *ordered = json_get(j, "ordered");
		const struct config_location *l = config_find_location(s->tenant, json_get_text(j, "location"));
		struct ats_arrival arrival = {.ordered = json_is(ordered, JSON_BOOL) && ordered->boolean};

		if (!json_int(json_get(j, "expected_at"), &arrival.expected_at) ||
		    qty_parse(json_get_text(j, "quantity"), &arrival.quantity, NULL) != RC_OK)
			rc = damaged(e, row[0].bytes);
		if (rc != RC_OK || !l || !find_owner(i, json_get_text(j, "owner"), &arrival))
			continue;
		arrival.location = l->index;
		arrival_add(terms_of(i), arrival);
	}
	arena_done(&a);
	return rc;
}

enum rc gap_load(struct stock *s, const struct store_value *row, struct err *e)
{
	struct stock_item *i = stock_find(s, row[0].bytes);
	int channel = find_channel(s, row[1].bytes);
	struct ats_gap *g;
	qty_t quantity;

	if (qty_parse(row[2].bytes, &quantity, NULL) != RC_OK)
		return damaged(e, row[0].bytes);
	if (!i || channel < 0 || quantity <= 0)
		return RC_OK;
	g = gap_make(i, (uint16_t)channel);
	g->quantity = quantity;
	g->until = row[3].integer;
	return RC_OK;
}
