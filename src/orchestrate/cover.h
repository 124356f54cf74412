/*
 * A set of locations that together have what is wanted, for the least price; of those the one with the fewest
 * locations, and then the one with the most preferred of them.
 *
 * It is the best of all sets as long as there are at most COVER_STEPS to look at; beyond that it is built greedily
 * (what adds most for its price) and then thinned out, so that none of it is needless, but another may be better. What
 * the writer spends on it is bounded that way.
 */
#ifndef ORCHESTRATE_COVER_H
#define ORCHESTRATE_COVER_H

#include "orchestrate/stock/stock.h"

#define COVER_STEPS     65536 /* sets times items */
#define COVER_LOCATIONS 16    /* of which all sets are looked at, at most */

struct cover {
	size_t items, locations; /* locations in the order of preference */
	const qty_t *target;     /* by item: what is wanted, at most what all locations have */
	const qty_t *there;      /* by location, then by item: there[location * items + item] */
	const int64_t *price;    /* by location; not negative */
};

/* chosen: by location, all false; out. */
void cover_choose(const struct cover *c, bool *chosen);

#endif
