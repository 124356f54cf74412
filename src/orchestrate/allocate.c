/*
 * The choice of locations.
 *
 *     1. A need that names its location takes there.
 *     2. Where one location has all of the rest, the first of them in the order of preference gives it all.
 *     3. Otherwise, if it may not be split, the location that has most of it.
 *     4. Otherwise, need by need, where it fits whole, else split in the order of preference: over all locations
 *        (priority, nearest), or over a set that is chosen first: the one with the least number of locations
 *        (fewest_parcels), or whose costs add up to least (cost), of those that have what there is to have.
 *
 * A kit is a need of several items at once: what counts of it at a location is how many whole ones its components make
 * there. Only if the channel splits kits, what is then still open is made of components from several locations.
 *
 * By cost two near locations may beat one that has all, so that rule skips step 2.
 */
#include "orchestrate/allocate.h"

#include "base/mem.h"
#include "orchestrate/cover.h"
#include "orchestrate/stock/terms.h"

#include <math.h>

#define FAR (INT64_C(1) << 40) /* of a location that the policy says nothing about */

struct work {
	const struct allocate_request *request;
	struct allocate_need *needs;
	size_t count;
	struct allocate_list *out;
	uint16_t order[CONFIG_LOCATIONS_MAX];
	size_t locations;
};

void allocate_list_free(struct allocate_list *l)
{
	free(l->parts);
	*l = (struct allocate_list){0};
}

/* Of one consignor; returns what is left to take. */
static qty_t take_of(const struct stock_item *i, uint16_t location, uint8_t consignor, qty_t quantity,
		     allocate_take_fn take_place, void *ctx)
{
	for (uint32_t n = 0; n < i->place_count && quantity > 0; n++) {
		struct stock_place *p = i->places[n];
		qty_t part = p->position.states[STOCK_FREE] - p->planned;

		if (p->position.location != location || p->position.consignor != consignor || part <= 0)
			continue;
		part = part < quantity ? part : quantity;
		take_place(ctx, p, part);
		quantity -= part;
	}
	return quantity;
}

void allocate_take(const struct stock_item *i, uint16_t location, uint16_t channel, const struct config_channel *c,
		   qty_t quantity, allocate_take_fn take_place, void *ctx)
{
	qty_t ours = stock_ours_for(i, location, channel), there = stock_free_for(i, location, channel, c);

	if (quantity > there)
		quantity = there;
	if (ours > quantity)
		ours = quantity;
	quantity -= ours - take_of(i, location, CONSIGNOR_NONE, ours, take_place, ctx);
	for (size_t n = 0; n < c->owner_count && quantity > 0; n++)
		quantity = take_of(i, location, c->owners[n], quantity, take_place, ctx);
}

/* ---- the order of preference ---- */

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool same_prefix(struct str prefix, struct str text)
{
	size_t at = 0;

	for (size_t i = 0; i < prefix.n; i++) {
		if (prefix.p[i] == ' ')
			continue;
		while (at < text.n && text.p[at] == ' ')
			at++;
		if (at == text.n || upper(text.p[at++]) != upper(prefix.p[i]))
			return false;
	}
	return true;
}

bool allocate_zone_has(struct str zone, const struct ship_to *to)
{
	if (zone.n < 2 || to->country.n != 2 || !same_prefix((struct str){zone.p, 2}, to->country))
		return false;
	if (zone.n == 2)
		return true;
	return zone.n > 3 && same_prefix((struct str){zone.p + 3, zone.n - 3}, to->postal_code);
}

/* Metres over a sphere (haversine). */
static int64_t metres(int32_t latitude, int32_t longitude, int32_t to_latitude, int32_t to_longitude)
{
	const double radian = 3.14159265358979323846 / 180e6;
	double a = sin((to_latitude - latitude) * radian / 2), b = sin((to_longitude - longitude) * radian / 2);
	double h = a * a + cos(latitude * radian) * cos(to_latitude * radian) * b * b;

	return (int64_t)(2 * 6371000 * asin(sqrt(h < 1 ? h : 1)));
}

/* Measured ones before those that are known by zone, before the others. */
static int64_t distance(const struct config_location *l, const struct ship_to *to)
{
	if (l->has_point && to->has_point)
		return metres(l->latitude, l->longitude, to->latitude, to->longitude);
	for (size_t i = 0; i < l->zone_count; i++)
		if (allocate_zone_has(l->zones[i], to))
			return FAR / 2 + (int64_t)i;
	return FAR;
}

static int64_t cost(const struct config_location *l, const struct ship_to *to)
{
	for (size_t i = 0; i < l->cost_count; i++)
		if (str_is(l->costs[i].zone, "*") || allocate_zone_has(l->costs[i].zone, to))
			return l->costs[i].cost;
	return FAR;
}

static int64_t preference(const struct allocate_request *r, uint16_t location)
{
	static const struct ship_to nowhere = {.has_point = false};
	const struct config_location *l = &r->tenant->locations[location];
	const struct ship_to *to = r->ship_to ? r->ship_to : &nowhere;

	switch (r->channel->allocation) {
	case ALLOCATION_NEAREST:
		return distance(l, to);
	case ALLOCATION_COST:
		return cost(l, to);
	case ALLOCATION_PRIORITY:
	case ALLOCATION_FEWEST_PARCELS:
		break;
	}
	return 0;
}

size_t allocate_rank(const struct allocate_request *r, uint16_t out[static CONFIG_LOCATIONS_MAX])
{
	const struct config_channel *c = r->channel;
	int64_t keys[CONFIG_LOCATIONS_MAX];
	size_t count = 0;

	if (r->only != ALLOCATE_ANYWHERE) {
		out[0] = (uint16_t)r->only;
		return 1;
	}
	for (; count < c->location_count; count++) {
		int64_t key = preference(r, c->locations[count]);
		size_t at = count;

		for (; at > 0 && keys[at - 1] > key; at--) {
			keys[at] = keys[at - 1];
			out[at] = out[at - 1];
		}
		keys[at] = key;
		out[at] = c->locations[count];
	}
	return count;
}

/* ---- taking ---- */

static qty_t left_at(const struct work *w, const struct stock_item *item, uint16_t location)
{
	const struct allocate_request *r = w->request;
	qty_t left = stock_free_for(item, location, (uint16_t)(r->channel - r->tenant->channels), r->channel);

	for (uint32_t at = item->part; at; at = w->out->parts[at - 1].earlier)
		if (w->out->parts[at - 1].location == location)
			left -= w->out->parts[at - 1].quantity;
	return left > 0 ? left : 0;
}

qty_t allocate_times(qty_t kits, qty_t per)
{
	__int128 product = ((__int128)kits * per + QTY_ONE - 1) / QTY_ONE;

	return product > QTY_MAX ? QTY_MAX : (qty_t)product;
}

static qty_t open(const struct allocate_need *n)
{
	return n->item || n->component_count ? n->want - n->got : 0;
}

/* What a need is made of: a kit's components, else its item. */
static uint32_t component_count(const struct allocate_need *n)
{
	return n->component_count ? n->component_count : n->item ? 1 : 0;
}

static struct allocate_component component(const struct allocate_need *n, uint32_t at)
{
	return n->component_count ? n->components[at] : (struct allocate_component){n->item, QTY_ONE, 0};
}

/* How much of a need so much of one of its components makes; of a kit whole ones. */
static qty_t makes(const struct allocate_need *n, const struct allocate_component *c, qty_t there)
{
	if (!n->component_count)
		return there;
	there = there > 0 ? there + c->spare : c->spare;
	return there >= allocate_times(open(n), c->per) ? open(n) : there / c->per * QTY_ONE;
}

/* What so much of a need takes of one of its components. */
static qty_t takes(const struct allocate_component *c, qty_t quantity)
{
	qty_t part = allocate_times(quantity, c->per) - c->spare;

	return part > 0 ? part : 0;
}

/* How much of a need there is at a location, at most what is open. */
static qty_t need_left_at(const struct work *w, const struct allocate_need *n, uint16_t location)
{
	qty_t least = open(n);

	for (uint32_t i = 0; i < component_count(n) && least > 0; i++) {
		struct allocate_component c = component(n, i);
		qty_t part = makes(n, &c, left_at(w, c.item, location));

		if (part < least)
			least = part;
	}
	return least;
}

static void put(struct work *w, size_t need, struct stock_item *item, uint16_t location, qty_t part)
{
	struct allocate_list *l = w->out;

	if (part <= 0)
		return;
	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 16;
		l->parts = mem_grow(l->parts, l->room * sizeof(*l->parts));
	}
	l->parts[l->count++] = (struct allocate_part){(uint32_t)need, location, item, item->part, part};
	item->part = (uint32_t)l->count;
}

static void use_spare(struct allocate_component *c, qty_t kits)
{
	qty_t used = allocate_times(kits, c->per);

	c->spare = c->spare > used ? c->spare - used : 0;
}

static void take(struct work *w, size_t need, uint16_t location)
{
	struct allocate_need *n = &w->needs[need];
	qty_t part = open(n) > 0 ? need_left_at(w, n, location) : 0;

	if (part <= 0)
		return;
	for (uint32_t i = 0; i < component_count(n); i++) {
		struct allocate_component c = component(n, i);

		put(w, need, c.item, location, takes(&c, part));
		if (n->component_count)
			use_spare(&n->components[i], part);
	}
	n->got += part;
}

/* Kits of components from several locations. */
static void take_across(struct work *w, size_t need)
{
	struct allocate_need *n = &w->needs[need];
	qty_t kits = open(n);

	for (uint32_t i = 0; i < n->component_count && kits > 0; i++) {
		qty_t there = 0, part;

		for (size_t k = 0; k < w->locations; k++)
			there += left_at(w, n->components[i].item, w->order[k]);
		part = makes(n, &n->components[i], there);
		kits = part < kits ? part : kits;
	}
	if (kits <= 0)
		return;
	for (uint32_t i = 0; i < n->component_count; i++) {
		struct allocate_component *c = &n->components[i];
		qty_t want = takes(c, kits);

		for (size_t k = 0; k < w->locations && want > 0; k++) {
			qty_t left = left_at(w, c->item, w->order[k]), part = left < want ? left : want;

			put(w, need, c->item, w->order[k], part);
			want -= part;
		}
		use_spare(c, kits);
	}
	n->got += kits;
}

/* Nothing is wanted yet of what the needs are made of. */
static void want_none(const struct work *w, qty_t wanted)
{
	for (size_t i = 0; i < w->count; i++)
		for (uint32_t k = 0; k < component_count(&w->needs[i]); k++)
			component(&w->needs[i], k).item->wanted = wanted;
}

/* Has this location all that is open, needs of one item together? */
static bool has_all(const struct work *w, uint16_t location)
{
	bool all = true;

	want_none(w, 0);
	for (size_t i = 0; i < w->count && all; i++) {
		const struct allocate_need *n = &w->needs[i];

		if (!component_count(n))
			all = n->want <= 0;
		for (uint32_t k = 0; k < component_count(n) && open(n) > 0 && all; k++) {
			struct allocate_component c = component(n, k);
			qty_t part = takes(&c, open(n));

			c.item->wanted += part;
			all = part <= 0 || left_at(w, c.item, location) >= c.item->wanted;
		}
	}
	return all;
}

static void take_all_at(struct work *w, uint16_t location)
{
	for (size_t i = 0; i < w->count; i++)
		take(w, i, location);
}

static void take_each(struct work *w, const uint16_t *order, size_t locations)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct allocate_need *n = &w->needs[i];

		for (size_t k = 0; k < locations && open(n) > 0; k++)
			if (need_left_at(w, n, order[k]) >= open(n))
				take(w, i, order[k]);
		for (size_t k = 0; k < locations && open(n) > 0; k++)
			take(w, i, order[k]);
	}
}

/* How much of a need a location has beside what the needs before want there; that is wanted then as well. */
static qty_t want_there(const struct work *w, const struct allocate_need *n, uint16_t location)
{
	qty_t part = open(n);

	for (uint32_t i = 0; i < component_count(n) && part > 0; i++) {
		struct allocate_component c = component(n, i);
		qty_t there = makes(n, &c, left_at(w, c.item, location) - c.item->wanted);

		part = there < part ? there : part;
	}
	for (uint32_t i = 0; i < component_count(n) && part > 0; i++) {
		struct allocate_component c = component(n, i);

		c.item->wanted += takes(&c, part);
	}
	return part;
}

/* The first of those that have most, lines before units. */
static uint16_t fullest(const struct work *w)
{
	uint16_t best = w->order[0];
	__int128 most = -1;

	for (size_t k = 0; k < w->locations; k++) {
		__int128 sum = 0;

		want_none(w, 0);
		for (size_t i = 0; i < w->count; i++) {
			const struct allocate_need *n = &w->needs[i];
			qty_t part = want_there(w, n, w->order[k]);

			if (part > 0)
				sum += part + (part == open(n) ? (__int128)QTY_MAX : 0);
		}
		if (sum > most) {
			most = sum;
			best = w->order[k];
		}
	}
	return best;
}

/* ---- a set of locations ---- */

/* What is wanted: an item, by all needs for itself together, or one need's kits. */
struct wanted {
	struct stock_item *item;
	const struct allocate_need *kit; /* or NULL */
};

/* What there is to cover it with (cover.h), at the locations that have something. */
struct choice {
	size_t items, locations;
	qty_t *target, *there;
	uint16_t location[CONFIG_LOCATIONS_MAX];
	int64_t price[CONFIG_LOCATIONS_MAX];
};

/* The wanted items, each once, in item->wanted: their open quantity. Then the kits. */
static size_t sum_items(struct work *w, struct wanted *out)
{
	size_t count = 0;

	want_none(w, -1);
	for (size_t i = 0; i < w->count; i++) {
		struct allocate_need *n = &w->needs[i];

		if (open(n) <= 0)
			continue;
		if (n->component_count) {
			out[count++] = (struct wanted){.kit = n};
			continue;
		}
		if (n->item->wanted < 0) {
			n->item->wanted = 0;
			out[count++] = (struct wanted){.item = n->item};
		}
		n->item->wanted += open(n);
	}
	return count;
}

static void choice_fill(struct choice *c, struct work *w, const struct wanted *items)
{
	for (size_t k = 0; k < w->locations; k++) {
		qty_t any = 0;

		for (size_t i = 0; i < c->items; i++)
			any += (c->there[c->locations * c->items + i] = items[i].kit
									    ? need_left_at(w, items[i].kit, w->order[k])
									    : left_at(w, items[i].item, w->order[k]));
		if (!any)
			continue;
		c->price[c->locations] =
		    w->request->channel->allocation == ALLOCATION_COST ? preference(w->request, w->order[k]) : 1;
		c->location[c->locations++] = w->order[k];
	}
	for (size_t i = 0; i < c->items; i++) {
		qty_t sum = 0, wanted = items[i].kit ? open(items[i].kit) : items[i].item->wanted;

		for (size_t k = 0; k < c->locations; k++)
			sum += c->there[k * c->items + i];
		c->target[i] = sum < wanted ? sum : wanted;
	}
}

static void take_from_set(struct work *w)
{
	struct wanted *items = mem_zalloc(w->count, sizeof(*items));
	struct choice c = {.items = sum_items(w, items)};
	bool chosen[CONFIG_LOCATIONS_MAX] = {false};
	uint16_t set[CONFIG_LOCATIONS_MAX];
	size_t count = 0;

	c.target = mem_zalloc(c.items + 1, sizeof(qty_t));
	c.there = mem_zalloc((c.items + 1) * w->locations, sizeof(qty_t));
	choice_fill(&c, w, items);
	cover_choose(&(struct cover){c.items, c.locations, c.target, c.there, c.price}, chosen);
	for (size_t k = 0; k < c.locations; k++)
		if (chosen[k])
			set[count++] = c.location[k];
	take_each(w, set, count);
	/* What kits have in common was counted for each of them. */
	take_each(w, w->order, w->locations);
	free(items);
	free(c.target);
	free(c.there);
}

/* ---- the choice ---- */

static void choose(struct work *w)
{
	const struct config_channel *c = w->request->channel;
	bool by_cost = c->allocation == ALLOCATION_COST && !c->unsplit;
	size_t at = 0;

	if (w->locations == 0)
		return;
	/* One need that fits whole is the same as need by need. */
	if (w->count > 1 && !by_cost) {
		while (at < w->locations && !has_all(w, w->order[at]))
			at++;
		if (at < w->locations) {
			take_all_at(w, w->order[at]);
			return;
		}
	}
	if (c->unsplit)
		take_all_at(w, fullest(w));
	else if (by_cost || c->allocation == ALLOCATION_FEWEST_PARCELS)
		take_from_set(w);
	else
		take_each(w, w->order, w->locations);
	for (size_t i = 0; i < w->count && c->split_kits && !c->unsplit; i++)
		if (w->needs[i].component_count)
			take_across(w, i);
}

void allocate(const struct allocate_request *r, struct allocate_need *needs, size_t count, struct allocate_list *out)
{
	struct work w = {.request = r, .needs = needs, .count = count, .out = out};

	out->count = 0;
	w.locations = allocate_rank(r, w.order);
	for (size_t i = 0; i < count; i++) {
		needs[i].got = 0;
		for (uint32_t k = 0; k < component_count(&needs[i]); k++)
			component(&needs[i], k).item->part = 0;
	}
	for (size_t i = 0; i < count; i++)
		if (needs[i].location != ALLOCATE_ANYWHERE)
			take(&w, i, (uint16_t)needs[i].location);
	/* What a place that was named has not is not sought elsewhere. */
	for (size_t i = 0; i < count; i++)
		if (needs[i].location != ALLOCATE_ANYWHERE && needs[i].got < needs[i].want)
			needs[i].want = needs[i].got;
	choose(&w);
	for (size_t i = 0; i < count; i++)
		for (uint32_t k = 0; k < component_count(&needs[i]); k++)
			component(&needs[i], k).item->part = 0;
}
