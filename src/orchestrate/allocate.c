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
 * By cost two near locations may beat one that has all, so that rule skips step 2. The set is the best of all sets as
 * long as there are at most COVER_STEPS to look at; beyond that it is built greedily (what adds most for its cost) and
 * then thinned out, which may keep a location too many. What the writer spends on it is bounded that way.
 */
#include "orchestrate/allocate.h"

#include "base/mem.h"
#include "orchestrate/stock/terms.h"

#include <math.h>

#define COVER_STEPS 65536
#define COVER_BITS  16
#define FAR         (INT64_C(1) << 40) /* of a location that the policy says nothing about */

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

qty_t allocate_free_at(const struct stock_item *i, uint16_t location, uint16_t channel)
{
	qty_t free = 0;

	for (uint32_t n = 0; n < i->place_count; n++)
		if (i->places[n]->position.location == location && stock_is_ours(&i->places[n]->position))
			free += i->places[n]->position.states[STOCK_FREE] - i->places[n]->planned;
	return free > 0 ? free - stock_fenced_for_others(i, location, channel, free) : 0;
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
	qty_t left = allocate_free_at(item, location, (uint16_t)(r->channel - r->tenant->channels));

	for (uint32_t at = item->part; at; at = w->out->parts[at - 1].earlier)
		if (w->out->parts[at - 1].location == location)
			left -= w->out->parts[at - 1].quantity;
	return left > 0 ? left : 0;
}

static qty_t open(const struct allocate_need *n)
{
	return n->item ? n->want - n->got : 0;
}

static void take(struct work *w, size_t need, uint16_t location)
{
	struct allocate_need *n = &w->needs[need];
	struct allocate_list *l = w->out;
	qty_t part = open(n), left = part > 0 ? left_at(w, n->item, location) : 0;

	if (part > left)
		part = left;
	if (part <= 0)
		return;
	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 16;
		l->parts = mem_grow(l->parts, l->room * sizeof(*l->parts));
	}
	l->parts[l->count++] = (struct allocate_part){(uint32_t)need, location, n->item->part, part};
	n->item->part = (uint32_t)l->count;
	n->got += part;
}

/* Has this location all that is open, needs of one item together? */
static bool has_all(const struct work *w, uint16_t location)
{
	bool all = true;

	for (size_t i = 0; i < w->count; i++)
		if (w->needs[i].item)
			w->needs[i].item->wanted = 0;
	for (size_t i = 0; i < w->count && all; i++) {
		const struct allocate_need *n = &w->needs[i];

		if (!n->item) {
			all = n->want <= 0;
			continue;
		}
		n->item->wanted += open(n);
		all = open(n) <= 0 || left_at(w, n->item, location) >= n->item->wanted;
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
			if (left_at(w, n->item, order[k]) >= open(n))
				take(w, i, order[k]);
		for (size_t k = 0; k < locations && open(n) > 0; k++)
			take(w, i, order[k]);
	}
}

/* The first of those that have most, lines before units. */
static uint16_t fullest(const struct work *w)
{
	uint16_t best = w->order[0];
	__int128 most = -1;

	for (size_t k = 0; k < w->locations; k++) {
		__int128 sum = 0;

		for (size_t i = 0; i < w->count; i++)
			if (w->needs[i].item)
				w->needs[i].item->wanted = 0;
		for (size_t i = 0; i < w->count; i++) {
			const struct allocate_need *n = &w->needs[i];
			qty_t there = n->item ? left_at(w, n->item, w->order[k]) - n->item->wanted : 0,
			      part = there < open(n) ? there : open(n);

			if (part <= 0)
				continue;
			n->item->wanted += part;
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

struct cover {
	const struct work *work;
	size_t items, locations; /* that have something */
	qty_t *target;           /* by item: what there is to have, at most what is wanted */
	qty_t *there;            /* by item and location */
	uint16_t location[CONFIG_LOCATIONS_MAX];
	int64_t price[CONFIG_LOCATIONS_MAX];
};

/* The wanted items, each once, in item->wanted: their open quantity. */
static size_t sum_items(struct work *w, struct stock_item **items)
{
	size_t count = 0;

	for (size_t i = 0; i < w->count; i++)
		if (w->needs[i].item)
			w->needs[i].item->wanted = -1;
	for (size_t i = 0; i < w->count; i++) {
		struct stock_item *item = w->needs[i].item;

		if (open(&w->needs[i]) <= 0)
			continue;
		if (item->wanted < 0) {
			item->wanted = 0;
			items[count++] = item;
		}
		item->wanted += open(&w->needs[i]);
	}
	return count;
}

static void cover_fill(struct cover *c, struct work *w, struct stock_item **items)
{
	for (size_t k = 0; k < w->locations; k++) {
		qty_t any = 0;

		for (size_t i = 0; i < c->items; i++)
			any += (c->there[c->locations * c->items + i] = left_at(w, items[i], w->order[k]));
		if (!any)
			continue;
		c->price[c->locations] =
		    w->request->channel->allocation == ALLOCATION_COST ? preference(w->request, w->order[k]) : 1;
		c->location[c->locations++] = w->order[k];
	}
	for (size_t i = 0; i < c->items; i++) {
		qty_t sum = 0;

		for (size_t k = 0; k < c->locations; k++)
			sum += c->there[k * c->items + i];
		c->target[i] = sum < items[i]->wanted ? sum : items[i]->wanted;
	}
}

static bool covers(const struct cover *c, const bool *chosen)
{
	for (size_t i = 0; i < c->items; i++) {
		qty_t left = c->target[i];

		for (size_t k = 0; k < c->locations && left > 0; k++)
			if (chosen[k])
				left -= c->there[k * c->items + i];
		if (left > 0)
			return false;
	}
	return true;
}

static void choose_bits(const struct cover *c, unsigned set, bool *chosen)
{
	for (size_t k = 0; k < c->locations; k++)
		chosen[k] = set & 1u << (c->locations - 1 - k); /* the most preferred is the highest bit */
}

static void choose_best(const struct cover *c, bool *chosen)
{
	unsigned sets = 1u << c->locations, best = sets - 1;
	int64_t least = INT64_MAX;
	int fewest = INT32_MAX;

	for (unsigned set = sets - 1; set > 0; set--) {
		int count = __builtin_popcount(set);
		int64_t price = 0;

		for (size_t k = 0; k < c->locations; k++)
			if (set & 1u << (c->locations - 1 - k))
				price += c->price[k];
		if (price > least || (price == least && count >= fewest))
			continue;
		choose_bits(c, set, chosen);
		if (!covers(c, chosen))
			continue;
		least = price;
		fewest = count;
		best = set;
	}
	choose_bits(c, best, chosen);
}

/* What a location adds to those that are chosen, for its price: a share of each item's target. */
static double adds(const struct cover *c, const bool *chosen, size_t location)
{
	double sum = 0;

	for (size_t i = 0; i < c->items; i++) {
		qty_t left = c->target[i], there = c->there[location * c->items + i];

		for (size_t k = 0; k < c->locations && left > 0; k++)
			if (chosen[k])
				left -= c->there[k * c->items + i];
		if (left > 0 && there > 0)
			sum += (double)(there < left ? there : left) / (double)c->target[i];
	}
	return sum / (double)(c->price[location] > 0 ? c->price[location] : 1);
}

static void choose_greedily(const struct cover *c, bool *chosen)
{
	while (!covers(c, chosen)) {
		size_t best = c->locations;
		double most = 0;

		for (size_t k = 0; k < c->locations; k++) {
			double gain = chosen[k] ? 0 : adds(c, chosen, k);

			if (gain > most) {
				most = gain;
				best = k;
			}
		}
		if (best == c->locations)
			return;
		chosen[best] = true;
	}
	for (size_t k = c->locations; k-- > 0;) {
		if (!chosen[k])
			continue;
		chosen[k] = false;
		if (!covers(c, chosen))
			chosen[k] = true;
	}
}

static void take_from_set(struct work *w)
{
	struct stock_item **items = mem_zalloc(w->count, sizeof(struct stock_item *));
	struct cover c = {.work = w, .items = sum_items(w, items)};
	bool chosen[CONFIG_LOCATIONS_MAX] = {false};
	uint16_t set[CONFIG_LOCATIONS_MAX];
	size_t count = 0;

	c.target = mem_zalloc(c.items + 1, sizeof(qty_t));
	c.there = mem_zalloc((c.items + 1) * w->locations, sizeof(qty_t));
	cover_fill(&c, w, items);
	if (c.locations <= COVER_BITS && (c.items + 1) << c.locations <= COVER_STEPS)
		choose_best(&c, chosen);
	else
		choose_greedily(&c, chosen);
	for (size_t k = 0; k < c.locations; k++)
		if (chosen[k])
			set[count++] = c.location[k];
	take_each(w, set, count);
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
}

void allocate(const struct allocate_request *r, struct allocate_need *needs, size_t count, struct allocate_list *out)
{
	struct work w = {.request = r, .needs = needs, .count = count, .out = out};

	out->count = 0;
	w.locations = allocate_rank(r, w.order);
	for (size_t i = 0; i < count; i++) {
		needs[i].got = 0;
		if (needs[i].item)
			needs[i].item->part = 0;
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
		if (needs[i].item)
			needs[i].item->part = 0;
}
