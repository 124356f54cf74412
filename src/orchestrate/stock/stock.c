#include "orchestrate/stock/stock.h"

#include "base/mem.h"
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/ledger.h"
#include "orchestrate/stock/past.h"
#include "orchestrate/stock/serial.h"
#include "orchestrate/stock/terms.h"
#include "orchestrate/stock/view_writer.h"

struct stock *stock_new(const struct config_tenant *tenant, size_t items_max, struct stock_view *view)
{
	struct stock *s = mem_zalloc(1, sizeof(*s));

	s->tenant = tenant;
	map_init(&s->items, items_max);
	map_init(&s->aliases, items_max * 4);
	s->serials = serial_book_new();
	s->dirty_last = &s->dirty;
	s->view = view;
	s->safety = mem_zalloc(tenant->location_count + 1, sizeof(*s->safety));
	for (size_t i = 0; i < tenant->location_count; i++)
		s->safety[i] = tenant->locations[i].safety_stock;
	s->policies = mem_zalloc(tenant->channel_count + 1, sizeof(*s->policies));
	s->stale = mem_zalloc(tenant->channel_count + 1, sizeof(*s->stale));
	for (size_t i = 0; i < tenant->channel_count; i++)
		ats_policy_init(&s->policies[i], tenant, &tenant->channels[i]);
	return s;
}

static void place_free(struct stock_place *p)
{
	free(p->past);
	if (p->position.lot.n)
		free((char *)p->position.lot.p);
	if (p->position.owner.n)
		free((char *)p->position.owner.p);
	free(p);
}

void stock_free(struct stock *s)
{
	if (!s)
		return;
	serial_book_free(s->serials);
	item_aliases_free(s);
	for (size_t k = 0; k < s->item_count; k++) {
		struct stock_item *i = s->list[k];

		for (uint32_t n = 0; n < i->place_count; n++)
			place_free(i->places[n]);
		item_rules_free(i);
		terms_free(i);
		if (i->places != &i->first_place)
			free(i->places);
		free(i->publications);
		free(i);
	}
	map_done(&s->items);
	for (uint32_t n = 1; n < s->uom_count; n++)
		free((char *)s->uoms[n].p);
	free(s->uoms);
	free(s->list);
	free(s->due);
	free(s->policies);
	free(s->stale);
	free(s->safety);
	free(s);
}

struct stock_item *stock_find(const struct stock *s, struct str sku)
{
	return map_get(&s->items, sku);
}

struct stock_item *stock_item_make(struct stock *s, struct txn *t, struct str sku, struct str uom)
{
	struct stock_item *i = stock_find(s, sku);

	if (i) {
		if (!i->uom && uom.n) {
			item_set_uom(s, i, uom);
			if (t)
				txn_put(t, W_ITEM, SV_TEXT(i->sku), SV_INT(t->now), SV_TEXT(txn_copy(t, uom)), SV_NULL,
					SV_NULL);
		}
		return i;
	}
	i = mem_zalloc(1, sizeof(*i) + sku.n);
	memcpy(i->text, sku.p, sku.n);
	i->sku = (struct str){i->text, sku.n};
	i->places = &i->first_place;
	i->waiting_last = &i->waiting;
	if (map_put(&s->items, i->sku, i) != RC_OK) {
		free(i);
		return NULL;
	}
	if (s->item_count == s->item_room) {
		s->item_room = s->item_room ? s->item_room * 2 : 64;
		s->list = mem_grow(s->list, s->item_room * sizeof(*s->list));
	}
	s->list[s->item_count++] = i;
	item_set_uom(s, i, uom);
	if (t)
		txn_put(t, W_ITEM, SV_TEXT(txn_copy(t, sku)), SV_INT(t->now), SV_TEXT_OPT(txn_copy(t, uom)), SV_NULL,
			SV_NULL);
	stock_touch(s, i); /* readers know it from now on, as after a restart */
	return i;
}

struct stock_place *stock_place_find(const struct stock_item *i, uint16_t location, struct str lot, struct str owner)
{
	for (uint32_t n = 0; n < i->place_count; n++) {
		const struct stock_position *p = &i->places[n]->position;

		if (p->location == location && str_eq(p->lot, lot) && str_eq(p->owner, owner))
			return i->places[n];
	}
	return NULL;
}

void stock_restock(struct stock *s, struct stock_item *i)
{
	if (i->restocked)
		return;
	i->restocked = true;
	i->next_restocked = s->restocked;
	s->restocked = i;
}

void stock_touch(struct stock *s, struct stock_item *i)
{
	if (i->touched)
		return;
	i->touched = true;
	i->next_touched = s->touched;
	s->touched = i;
}

static bool str_before(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c < 0 : a.n < b.n;
}

static void swap_places(struct stock_place **a, struct stock_place **b)
{
	struct stock_place *p = *a;

	*a = *b;
	*b = p;
}

/* The order in which stock is taken. What has no lot and no owner has no age: it comes before lots of unknown expiry.
 */
static bool taken_before(const struct stock_place *a, const struct stock_place *b)
{
	uint32_t ea = (uint32_t)a->position.expires_on - 1, eb = (uint32_t)b->position.expires_on - 1;

	if (ea != eb)
		return ea < eb;
	if (a->since != b->since)
		return a->since < b->since;
	if (!str_eq(a->position.lot, b->position.lot))
		return str_before(a->position.lot, b->position.lot);
	if (!str_eq(a->position.owner, b->position.owner))
		return str_before(a->position.owner, b->position.owner);
	return a->position.location < b->position.location;
}

/* Puts p, whose rank has changed, where it belongs. */
void stock_reorder(struct stock_item *i, const struct stock_place *p)
{
	uint32_t n = 0;

	while (i->places[n] != p)
		n++;
	for (; n > 0 && taken_before(i->places[n], i->places[n - 1]); n--)
		swap_places(&i->places[n], &i->places[n - 1]);
	for (; n + 1 < i->place_count && taken_before(i->places[n + 1], i->places[n]); n++)
		swap_places(&i->places[n], &i->places[n + 1]);
}

/* One place, the usual number, costs no memory of its own. */
static void add_place(struct stock_item *i, struct stock_place *p)
{
	if (i->place_count == 1) {
		i->places = mem_alloc(2 * sizeof(struct stock_place *));
		i->places[0] = i->first_place;
	} else if (i->place_count > 1) {
		i->places = mem_grow(i->places, (i->place_count + 1) * sizeof(struct stock_place *));
	}
	i->places[i->place_count++] = p;
}

struct stock_place *stock_place_make(struct stock *s, struct stock_item *i, uint16_t location, struct str lot,
				     struct str owner)
{
	struct stock_place *p = stock_place_find(i, location, lot, owner);

	if (p)
		return p;
	p = mem_zalloc(1, sizeof(*p));
	p->item = i;
	p->position.location = location;
	p->position.lot = lot.n ? mem_copy(lot) : STR("");
	p->position.owner = owner.n ? mem_copy(owner) : STR("");
	p->position.consignor = config_consignor(s->tenant, owner);
	for (uint32_t n = 0; lot.n && n < i->place_count; n++)
		if (str_eq(i->places[n]->position.lot, lot))
			p->position.expires_on = i->places[n]->position.expires_on;
	add_place(i, p);
	stock_reorder(i, p);
	stock_touch(s, i);
	return p;
}

qty_t stock_free_at(const struct stock_item *i, uint16_t location)
{
	qty_t free = 0;

	for (uint32_t n = 0; n < i->place_count; n++)
		if (i->places[n]->position.location == location && stock_is_ours(&i->places[n]->position))
			free += i->places[n]->position.states[STOCK_FREE] - i->places[n]->planned;
	return free > 0 ? free : 0;
}

qty_t stock_on_hand(const struct stock_place *p)
{
	qty_t sum = 0;

	for (enum stock_state s = STOCK_FREE; s <= STOCK_DAMAGED; s++)
		sum += p->position.states[s];
	return sum;
}

#define FEW_LEVELS 8

void ats_add_position(struct ats_level *levels, size_t *count, const struct stock_position *p, uint64_t consignors)
{
	size_t at = 0;

	if (!stock_is_ours(p) && !(consignors >> p->consignor & 1))
		return;
	while (at < *count && levels[at].location != p->location)
		at++;
	if (at == *count)
		levels[(*count)++] = (struct ats_level){.location = p->location};
	if (!stock_is_ours(p)) {
		levels[at].consigned += p->states[STOCK_FREE];
		levels[at].consigned_in_transit += p->states[STOCK_IN_TRANSIT];
		return;
	}
	levels[at].free += p->states[STOCK_FREE];
	levels[at].in_transit += p->states[STOCK_IN_TRANSIT];
}

void stock_ats_terms(const struct stock_item *i, struct ats_item *out)
{
	*out = (struct ats_item){0};
	if (i->rules) {
		out->blocked = i->rules->blocked;
		out->discontinued = i->rules->discontinued;
	}
	if (i->terms) {
		out->fences = i->terms->fences;
		out->fence_count = i->terms->fence_count;
		out->arrivals = i->terms->arrivals;
		out->arrival_count = i->terms->arrival_count;
		out->gaps = i->terms->gaps;
		out->gap_count = i->terms->gap_count;
	}
}

/* All of the item's consignors, bit by bit. */
static uint64_t fill_levels(const struct stock_item *i, struct ats_item *out, struct ats_level *levels,
			    uint64_t consignors)
{
	uint64_t there = 0;

	out->levels = levels;
	out->level_count = 0;
	for (uint32_t n = 0; n < i->place_count; n++) {
		there |= (uint64_t)1 << i->places[n]->position.consignor;
		ats_add_position(levels, &out->level_count, &i->places[n]->position, consignors);
	}
	return there;
}

/* Of channels first to last; an item that is no kit. */
static void available_plain(const struct stock *s, const struct stock_item *i, size_t first, size_t last, qty_t *out)
{
	struct ats_level few[FEW_LEVELS], *levels = few;
	struct ats_item item;
	uint64_t counted = 0, there; /* consignors: in the levels, and in the item */

	if (i->place_count > FEW_LEVELS)
		levels = mem_alloc(i->place_count * sizeof(*levels));
	stock_ats_terms(i, &item);
	there = fill_levels(i, &item, levels, counted);
	for (size_t c = first; c <= last; c++) {
		uint64_t sold = s->policies[c].consignors & there;

		if (sold != counted) {
			counted = sold;
			fill_levels(i, &item, levels, counted);
		}
		out[c - first] =
		    ats_compute(&s->policies[c],
				&(struct ats_now){.now = s->now, .safety = s->safety, .stale = &s->stale[c]}, &item);
	}
	if (levels != few)
		free(levels);
}

static void available_kit(const struct stock *s, const struct stock_item *i, size_t first, size_t last, qty_t *out)
{
	struct item_component parts[ITEM_KIT_PARTS_MAX];
	size_t count = item_parts(i, parts, ITEM_KIT_PARTS_MAX);
	qty_t of_part[CONFIG_CHANNELS_MAX];

	for (size_t c = first; c <= last; c++)
		out[c - first] = i->rules->blocked || !count || count > ITEM_KIT_PARTS_MAX ? 0 : QTY_MAX;
	for (size_t n = 0; n < count && n < ITEM_KIT_PARTS_MAX; n++) {
		available_plain(s, parts[n].item, first, last, of_part);
		for (size_t c = 0; c <= last - first; c++) {
			qty_t kits = of_part[c] / parts[n].quantity;

			if (kits < out[c] / QTY_ONE)
				out[c] = kits * QTY_ONE;
		}
	}
}

static void available(const struct stock *s, const struct stock_item *i, size_t first, size_t last, qty_t *out)
{
	if (item_is_kit(i))
		available_kit(s, i, first, last, out);
	else
		available_plain(s, i, first, last, out);
}

qty_t stock_available(const struct stock *s, const struct stock_item *i, const struct config_channel *c)
{
	size_t channel = (size_t)(c - s->tenant->channels);
	qty_t out;

	available(s, i, channel, channel, &out);
	return out;
}

void stock_available_all(const struct stock *s, const struct stock_item *i, qty_t *out)
{
	if (s->tenant->channel_count)
		available(s, i, 0, s->tenant->channel_count - 1, out);
}

void stock_flush(struct stock *s, struct txn *t, size_t max)
{
	struct buf states;

	if (!s->dirty)
		return;
	buf_init(&states, 8192);
	for (; s->dirty && max > 0; max--) {
		struct stock_place *p = s->dirty;

		s->dirty = p->next_dirty;
		if (!s->dirty)
			s->dirty_last = &s->dirty;
		p->dirty_since = 0;
		buf_reset(&states);
		for (size_t n = 0; n < STOCK_STATES; n++)
			buf_printf(&states, "%s%lld", n ? " " : "", (long long)p->position.states[n]);
		if (p->since || p->position.expires_on || p->past)
			buf_printf(&states, " %u %d", p->since, p->position.expires_on);
		if (p->past)
			past_write(&states, p);
		txn_put(t, W_POSITION, SV_TEXT(p->item->sku), SV_TEXT(s->tenant->locations[p->position.location].name),
			SV_TEXT(p->position.lot), SV_TEXT(p->position.owner), SV_INT(p->through),
			SV_TEXT(txn_text(t, &states)));
	}
	buf_done(&states);
	txn_put(t, W_META, SV_TEXT(STR("position_floor")),
		SV_INT(s->dirty ? s->dirty->dirty_since - 1 : t->heads->movement));
}

static void publish_item(struct stock *s, struct stock_item *i)
{
	i->touched = false;
	stock_view_put(s->view, i);
}

void stock_publish(struct stock *s, int64_t now)
{
	while (s->touched) {
		struct stock_item *i = s->touched;

		s->touched = i->next_touched;
		publish_item(s, i);
	}
	if (s->renamed)
		item_show_names(s, false);
	stock_view_committed(s->view, now);
}

void stock_publish_all(struct stock *s, int64_t now)
{
	stock_view_reserve(s->view, s->item_count);
	for (size_t n = 0; n < s->item_count; n++)
		publish_item(s, s->list[n]);
	s->touched = NULL;
	item_show_names(s, true);
	stock_view_committed(s->view, now);
}
