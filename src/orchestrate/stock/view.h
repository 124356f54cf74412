/*
 * The committed stock as any thread may read it: positions by item, from memory, without a lock that the writer waits
 * for.
 *
 * The writer publishes the items that a batch changed after its commit. Each item's positions are an immutable array
 * behind an atomic pointer; a reader announces itself in an epoch slot while it looks, and the writer frees what it
 * replaced when no reader can still see it.
 */
#ifndef ORCHESTRATE_STOCK_VIEW_H
#define ORCHESTRATE_STOCK_VIEW_H

#include "base/decimal.h"
#include "base/rc.h"
#include "base/str.h"
#include "orchestrate/stock/ats.h"

#include <stddef.h>
#include <stdint.h>

enum stock_state {
	STOCK_FREE,
	STOCK_HELD,
	STOCK_ALLOCATED,
	STOCK_PICKED,
	STOCK_QUARANTINED,
	STOCK_DAMAGED,
	STOCK_IN_TRANSIT,
	STOCK_ON_ORDER,
	STOCK_RETURNING,
	STOCK_STATES,
	STOCK_OUTSIDE = STOCK_STATES, /* the other side of what enters or leaves */
};
const char *stock_state_name(enum stock_state s);

/* One position: item, location, lot, owner. */
struct stock_position {
	uint16_t location;  /* index in the tenant's locations */
	uint8_t consignor;  /* whose it is (policy.h) */
	int32_t expires_on; /* of the lot, in days since 1970; 0: not known */
	struct str lot, owner;
	qty_t states[STOCK_STATES];
};

static inline bool stock_is_ours(const struct stock_position *p)
{
	return p->consignor == CONSIGNOR_NONE;
}

/* What an owner has consigned is theirs: it is sold, held or allocated only where the channel names the owner. */
static inline bool stock_is_sold_by(const struct stock_position *p, const struct config_channel *c)
{
	return stock_is_ours(p) || (c->consignors >> p->consignor & 1);
}

struct stock_view;

/* Calls visit once with all positions of the item (valid during the call only): RC_NOT_FOUND if the item is not known.
 * as_of_ms: time of the last committed batch. */
typedef void (*stock_visit_fn)(void *ctx, const struct stock_position *positions, size_t count);
enum rc stock_view_read(const struct stock_view *v, struct str sku, stock_visit_fn visit, void *ctx) MUST_CHECK;
bool stock_view_has(const struct stock_view *v, struct str sku); /* is the item known? */

/* What a channel may sell of an item (ats.h), and what that rests on. */
struct stock_offer {
	qty_t available;
	qty_t *by_location;     /* room for one for each of the channel's locations: max(0, base) */
	struct location_set at; /* where it is, or parts of it are */
};
enum rc stock_view_offer(const struct stock_view *v, struct str sku, const struct config_channel *c,
			 const struct ats_policy *policy, const struct ats_now *now,
			 struct stock_offer *out) MUST_CHECK;
/* Names, by keys that item_names.c makes; what is found stays valid as long as the view. */
bool stock_view_has_names(const struct stock_view *v);
/* The item that a system's name for it means. RC_NOT_FOUND; RC_CONFLICT: several items. */
enum rc stock_view_alias(const struct stock_view *v, struct str key, struct str *sku) MUST_CHECK;
/* How a system spells an item of ours (item_spell). RC_NOT_FOUND. */
enum rc stock_view_spelling(const struct stock_view *v, struct str key, struct str *alias_key) MUST_CHECK;
/* When the record of a location was heard of last; 0: never, -1: it has none. */
int64_t stock_view_heard_at(const struct stock_view *v, uint16_t location);
int64_t stock_view_as_of(const struct stock_view *v);
size_t stock_view_items(const struct stock_view *v);
/* Items in no particular order, for listings: starts at *at = 0; false at the end. */
typedef void (*stock_item_fn)(void *ctx, struct str sku, const struct stock_position *positions, size_t count);
void stock_view_each(const struct stock_view *v, stock_item_fn visit, void *ctx);

#endif
