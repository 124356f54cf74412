/*
 * What bears on what may be sold of an item beyond its balances: ring-fences, arrivals that are expected, and units
 * that a channel has sold before we heard of it (gaps). Few items have any; item->terms is NULL for the rest.
 *
 * A ring-fence keeps a quantity of an item at a location for one channel. It is used up by what the channel's own holds
 * and orders take there, and fills again when they give it back before anything was shipped. Of what is there, nobody
 * else can hold or be allocated what is left of it. Ring-fences of more than is there are filled in the order of the
 * channels.
 *
 * All of it has rows that are written with the batch that changed it (terms_flush). Time changes what it means: a heap
 * of instants says which items to look at again (terms_due). Writer only.
 */
#ifndef ORCHESTRATE_STOCK_TERMS_H
#define ORCHESTRATE_STOCK_TERMS_H

#include "orchestrate/stock/stock.h"

struct stock_terms {
	struct ats_fence *fences; /* by channel, then location */
	struct ats_arrival *arrivals;
	struct ats_gap *gaps;
	uint32_t fence_count, arrival_count, gap_count;
	bool dirty, arrivals_dirty;
	struct stock_item *next_dirty;
	int64_t due_at; /* its entry in the heap; 0: none */
};

/* Sets a ring-fence anew, nothing of it used; 0 removes it. */
void fence_set(struct stock *s, struct stock_item *i, uint16_t channel, uint16_t location, qty_t quantity);
/* The channel has taken from free there, or has given back (negative). channel: any number; those that are not
 * configured have none. */
void fence_use(struct stock *s, const struct stock_place *p, uint16_t channel, qty_t quantity);

/* Goods that are to come. a->owner is that of a position. */
void arrival_expect(struct stock *s, struct stock_item *i, const struct ats_arrival *a);
/* Announced at this place without a date: the dates that were given with the order hold. */
void arrival_announced(struct stock *s, const struct stock_place *p, qty_t quantity);
/* After the item's balances changed: what has arrived is expected no more, the earliest first. So nobody is expected to
 * bring more than they have on its way. */
void arrival_settle(struct stock *s, struct stock_item *i);

/* A channel has sold so many more than it has told us; until: then it is forgotten. */
void gap_add(struct stock *s, struct stock_item *i, uint16_t channel, qty_t quantity, int64_t until);
/* The channel tells of a sale; returns how much of it was known. */
qty_t gap_tell(struct stock *s, struct stock_item *i, uint16_t channel, qty_t quantity);
qty_t gap_of(const struct stock_item *i, uint16_t channel);

/* Touches at most max items whose time has come. */
void terms_due(struct stock *s, int64_t now, size_t max);
int64_t terms_next(const struct stock *s); /* INT64_MAX: none */
/* Writes the rows that this batch has changed. */
void terms_flush(struct stock *s, struct txn *t);

/* Loading: rows of R_RING_FENCES_ALL (sku, channel, location, quantity, used), R_ARRIVALS (sku, list), R_GAPS (sku,
 * channel, quantity, until). What is not configured any more is left out. */
enum rc fence_load(struct stock *s, const struct store_value *row, struct err *e) MUST_CHECK;
enum rc arrival_load(struct stock *s, const struct store_value *row, struct err *e) MUST_CHECK;
enum rc gap_load(struct stock *s, const struct store_value *row, struct err *e) MUST_CHECK;
/* After loading: the heap. */
void terms_loaded(struct stock *s, int64_t now);
void terms_free(struct stock_item *i);

#endif
