/*
 * Available-to-sell: what a channel may sell of an item (DESIGN.md, Stock). Pure.
 *
 *     base(n)   = free(n) - safety(n)
 *     pool(c)   = sum over the channel's locations of max(0, base(n))
 *     ATS(c)    = clamp(floor(share(c) * pool(c)) - buffer(c) + backorder(c), 0, cap(c)), zero below min(c)
 *
 * floor is to whole units.
 */
#ifndef ORCHESTRATE_STOCK_ATS_H
#define ORCHESTRATE_STOCK_ATS_H

#include "orchestrate/stock/view.h"

struct ats_channel {
	const uint16_t *locations;
	size_t location_count;
	int32_t share_ppm;
	qty_t buffer, cap, minimum, backorder; /* cap -1: none */
};

/* safety: by location index. by_location, if not NULL, gets max(0, base) of each of the channel's locations. */
qty_t ats_compute(const struct ats_channel *c, const qty_t *safety, const struct stock_position *positions,
		  size_t count, qty_t *by_location);

#endif
