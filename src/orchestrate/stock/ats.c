#include "orchestrate/stock/ats.h"

void ats_policy_init(struct ats_policy *p, const struct config_tenant *t, const struct config_channel *c)
{
	*p = (struct ats_policy){
	    .channel = (uint16_t)(c - t->channels),
	    .stale_zero = c->stale_zero,
	    .share_ppm = c->share_ppm,
	    .buffer = c->buffer,
	    .cap = c->cap,
	    .minimum = c->minimum,
	    .backorder = c->backorder,
	    .inbound_cap = c->inbound_cap,
	    .consignors = c->consignors,
	    .horizon_ms = c->inbound_horizon_ms,
	};
	for (size_t i = 0; i < c->location_count; i++)
		location_set_add(&p->locations, c->locations[i]);
	for (size_t k = 0; k < t->channel_count; k++)
		for (size_t i = 0; i < t->channels[k].location_count; i++)
			if (location_set_has(&p->locations, t->channels[k].locations[i]))
				p->together |= (uint64_t)1 << k;
	p->together |= (uint64_t)1 << p->channel;
}

struct sums {
	qty_t pool, backed; /* backed: of the channel's own ring-fences */
	qty_t consigned;    /* what owners' stock adds to the pool */
	qty_t inbound;      /* due within the horizon: ours */
	qty_t inbound_consigned;
	qty_t own, fenced; /* left of ring-fences: the channel's, all */
};

static bool counts(const struct ats_policy *c, const struct ats_now *now, uint16_t location)
{
	return location_set_has(&c->locations, location) &&
	       !(c->stale_zero && now->stale && location_set_has(now->stale, location));
}

static qty_t base_of(const struct ats_now *now, const struct ats_level *l)
{
	qty_t base = l->free - now->safety[l->location];

	return base > 0 ? base : 0;
}

/* With what is consigned. */
static qty_t base_of_all(const struct ats_now *now, const struct ats_level *l)
{
	qty_t ours = base_of(now, l), all = l->free + l->consigned - now->safety[l->location];

	return all > ours ? all : ours;
}

static qty_t smaller(qty_t a, qty_t b)
{
	return a < b ? a : b;
}

static void add_level(struct sums *sums, const struct ats_policy *c, const struct ats_now *now,
		      const struct ats_item *item, const struct ats_level *l)
{
	qty_t base = base_of(now, l), due = 0, theirs = 0;

	sums->pool += base;
	if (l->consigned)
		sums->consigned += base_of_all(now, l) - base;
	for (size_t i = 0; i < item->fence_count; i++) {
		const struct ats_fence *f = &item->fences[i];
		qty_t part = f->location == l->location ? smaller(ats_fence_left(f), base) : 0;

		base -= part;
		if (f->channel == c->channel)
			sums->backed += part;
	}
	for (size_t i = 0; i < item->arrival_count; i++) {
		const struct ats_arrival *a = &item->arrivals[i];

		if (a->location != l->location || a->ordered || a->expected_at - c->horizon_ms > now->now)
			continue;
		if (a->consignor == CONSIGNOR_NONE)
			due += a->quantity;
		else if (c->consignors >> a->consignor & 1)
			theirs += a->quantity;
	}
	sums->inbound += smaller(due, l->in_transit > 0 ? l->in_transit : 0);
	sums->inbound_consigned += smaller(theirs, l->consigned_in_transit > 0 ? l->consigned_in_transit : 0);
}

/* What is sold and not told uses up the seller's ring-fence first. */
static void subtract_gaps(struct sums *sums, const struct ats_policy *c, const struct ats_now *now,
			  const struct ats_item *item)
{
	for (size_t i = 0; i < item->gap_count; i++) {
		const struct ats_gap *g = &item->gaps[i];
		qty_t left = 0;

		if (g->until <= now->now || !(c->together >> g->channel & 1))
			continue;
		for (size_t k = 0; k < item->fence_count; k++)
			if (item->fences[k].channel == g->channel && counts(c, now, item->fences[k].location))
				left += ats_fence_left(&item->fences[k]);
		left = smaller(left, g->quantity);
		sums->pool -= g->quantity;
		sums->fenced -= left;
		if (g->channel == c->channel) {
			sums->own -= left;
			sums->backed -= smaller(left, sums->backed);
		}
	}
}

/* Without the channel's own limits. */
static qty_t offered(const struct ats_policy *c, const struct ats_now *now, const struct ats_item *item)
{
	struct sums sums = {0};
	qty_t shared;

	for (size_t i = 0; i < item->level_count; i++)
		if (counts(c, now, item->levels[i].location))
			add_level(&sums, c, now, item, &item->levels[i]);
	for (size_t i = 0; i < item->fence_count; i++) {
		const struct ats_fence *f = &item->fences[i];

		if (!counts(c, now, f->location))
			continue;
		sums.fenced += ats_fence_left(f);
		if (f->channel == c->channel)
			sums.own += ats_fence_left(f);
	}
	sums.inbound = smaller(sums.inbound, c->inbound_cap);
	sums.pool += sums.inbound;
	sums.consigned += smaller(sums.inbound_consigned, c->inbound_cap - sums.inbound);
	if (sums.consigned && sums.fenced > sums.pool)
		sums.fenced = sums.pool;
	if (item->gap_count)
		subtract_gaps(&sums, c, now, item);
	sums.pool += sums.consigned;
	shared = sums.pool > sums.fenced ? sums.pool - sums.fenced : 0;
	shared = (qty_t)((__int128)shared * c->share_ppm / 1000000);
	return smaller(sums.own, sums.backed + sums.inbound) + shared - shared % QTY_ONE;
}

qty_t ats_compute(const struct ats_policy *c, const struct ats_now *now, const struct ats_item *item)
{
	qty_t available;

	if (item->blocked)
		return 0;
	available = offered(c, now, item) - c->buffer + (item->discontinued ? 0 : c->backorder);
	if (available < 0)
		return 0;
	if (c->cap >= 0 && available > c->cap)
		available = c->cap;
	available -= available % QTY_ONE;
	return available < c->minimum ? 0 : available;
}

qty_t ats_base(const struct ats_now *now, const struct ats_item *item, uint16_t location)
{
	for (size_t i = 0; i < item->level_count; i++)
		if (item->levels[i].location == location)
			return base_of_all(now, &item->levels[i]);
	return 0;
}

qty_t ats_fenced_for_others(const struct ats_fence *fences, size_t count, uint16_t location, uint16_t channel,
			    qty_t there)
{
	qty_t others = 0;

	for (size_t i = 0; i < count && there > 0; i++) {
		qty_t part = fences[i].location == location ? smaller(ats_fence_left(&fences[i]), there) : 0;

		there -= part;
		if (fences[i].channel != channel)
			others += part;
	}
	return others;
}
