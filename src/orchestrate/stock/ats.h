/*
 * Available-to-sell: what a channel may sell of an item (DESIGN.md, Stock; docs/availability.md). Pure.
 *
 *     base(n)   = free(n) - safety(n)
 *     pool(c)   = sum over the channel's locations of max(0, base(n)) + min(inbound cap(c), in transit due within
 *                 horizon(c)) - units that channels which share a location have sold and not told
 *     shared(c) = max(0, pool(c) - all that is still ring-fenced in those locations, the channel's own included)
 *     ATS(c)    = clamp(ring-fence left(c) + floor(share(c) * shared(c)) - buffer(c) + backorder(c), 0, cap(c))
 *                 zero below min(c)
 *     kit       = min over its parts of floor(ATS(part) / quantity)
 *
 * in whole units, rounded down. What is left of a ring-fence counts as far as it is there: ring-fences of one location
 * are filled from its base in the order of the channels, then from what the channel's inbound adds.
 *
 * free(n) is ours and that of the owners whose consigned stock the channel sells; so is what is in transit, of which
 * the inbound cap lets ours in first. Ring-fences are of ours only: what they lack is not made up from consigned stock,
 * and none of it is kept from others by them. Safety stock is kept back from ours first, then from what is consigned;
 * what is owed of ours (free below zero) is as well.
 */
#ifndef ORCHESTRATE_STOCK_ATS_H
#define ORCHESTRATE_STOCK_ATS_H

#include "orchestrate/policy.h"

#define LOCATION_SET_WORDS (CONFIG_LOCATIONS_MAX / 64)

struct location_set {
	uint64_t word[LOCATION_SET_WORDS];
};

static inline bool location_set_has(const struct location_set *s, uint16_t location)
{
	return s->word[location / 64] >> (location % 64) & 1;
}

static inline void location_set_add(struct location_set *s, uint16_t location)
{
	s->word[location / 64] |= (uint64_t)1 << (location % 64);
}

/* A channel's policy, as the sums need it. */
struct ats_policy {
	uint16_t channel;
	bool stale_zero; /* what a stale location has does not count */
	int32_t share_ppm;
	qty_t buffer, cap, minimum, backorder, inbound_cap; /* cap -1: none */
	int64_t horizon_ms;
	uint64_t consignors; /* of whose stock it may sell */
	uint64_t together;   /* bit by channel: sells from a location of this one; itself included */
	struct location_set locations;
};
void ats_policy_init(struct ats_policy *p, const struct config_tenant *t, const struct config_channel *c);

/* Of one item at a location, over its lots: what is ours, and what the consignors that count have free and on its way.
 */
struct ats_level {
	uint16_t location;
	qty_t free, in_transit, consigned, consigned_in_transit;
};

struct ats_fence {
	uint16_t channel, location;
	bool dirty; /* its row is to be written */
	qty_t quantity, used;
};

struct ats_arrival {
	uint16_t location;
	bool ordered;      /* acknowledged by the supplier, not announced: on_order, else in_transit */
	uint8_t consignor; /* whose it is: what counts of it is at most what they have on its way (arrival_settle) */
	int64_t expected_at;
	qty_t quantity;
	struct str owner; /* empty: ours */
};

/* Units that a channel was found to have sold before we heard of it. */
struct ats_gap {
	uint16_t channel;
	bool dirty;
	qty_t quantity;
	int64_t until;
};

struct ats_item {
	const struct ats_level *levels;
	const struct ats_fence *fences; /* in the order of the channels */
	const struct ats_arrival *arrivals;
	const struct ats_gap *gaps;
	size_t level_count, fence_count, arrival_count, gap_count;
	bool blocked;      /* not sold at all */
	bool discontinued; /* no backorder */
};

struct ats_now {
	int64_t now;
	const qty_t *safety;              /* by location */
	const struct location_set *stale; /* for the channel; NULL: none */
};

qty_t ats_compute(const struct ats_policy *c, const struct ats_now *now, const struct ats_item *item);
/* max(0, base) of a location. */
qty_t ats_base(const struct ats_now *now, const struct ats_item *item, uint16_t location);

static inline qty_t ats_fence_left(const struct ats_fence *f)
{
	return f->quantity > f->used ? f->quantity - f->used : 0;
}
/* Of `there` units at a location: what is ring-fenced for other channels. */
qty_t ats_fenced_for_others(const struct ats_fence *fences, size_t count, uint16_t location, uint16_t channel,
			    qty_t there);

#endif
