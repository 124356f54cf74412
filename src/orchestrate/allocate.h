/*
 * Where the stock for an order or a reservation comes from: one pure choice for both, by the channel's policy.
 *
 * Only what is free for the channel, not yet planned (stock_place.planned) and not ring-fenced for others counts
 * (stock_free_for). Nothing is changed:
 * the parts say how much of each need comes from which location, and the caller takes it there, lot after lot.
 */
#ifndef ORCHESTRATE_ALLOCATE_H
#define ORCHESTRATE_ALLOCATE_H

#include "orchestrate/stock/stock.h"

#define ALLOCATE_ANYWHERE (-1)

/* Of a kit. */
struct allocate_component {
	struct stock_item *item;
	qty_t per;   /* of it in one kit; more than 0 */
	qty_t spare; /* of it there already, beyond what whole kits need; what is used of it is taken off */
};

struct allocate_need {
	struct stock_item *item; /* NULL: there is none of it */
	qty_t want;
	int32_t location;                      /* ALLOCATE_ANYWHERE: where the channel sells from */
	struct allocate_component *components; /* of a kit, each item once; then item is not looked at */
	uint32_t component_count;
	qty_t got; /* out; of a kit whole ones */
};

struct allocate_part {
	uint32_t need;
	uint16_t location;
	struct stock_item *item;
	uint32_t earlier; /* of the same item: index + 1 */
	qty_t quantity;
};

/* Reused from one call to the next. */
struct allocate_list {
	struct allocate_part *parts;
	size_t count, room;
};
void allocate_list_free(struct allocate_list *l);

struct allocate_request {
	const struct config_tenant *tenant;
	const struct config_channel *channel;
	const struct ship_to *ship_to; /* or NULL */
	int32_t only;                  /* a location that all comes from; ALLOCATE_ANYWHERE */
};

/* Needs of one item count together, in their order, whether it is wanted for itself or as a component. All that makes
 * one kit is at one location, unless the channel splits kits. */
void allocate(const struct allocate_request *r, struct allocate_need *needs, size_t count, struct allocate_list *out);

/* The channel's locations as the policy prefers them for this destination; returns how many. */
size_t allocate_rank(const struct allocate_request *r, uint16_t out[static CONFIG_LOCATIONS_MAX]);
/* Takes at most so much of an item at a location for a channel, place by place: what is ours first, then what is
 * consigned, in the order of the channel's owners; of each in the order in which stock is taken. */
typedef void (*allocate_take_fn)(void *ctx, struct stock_place *p, qty_t part);
void allocate_take(const struct stock_item *i, uint16_t location, uint16_t channel, const struct config_channel *c,
		   qty_t quantity, allocate_take_fn take, void *ctx);
/* So much of a component for so many kits. */
qty_t allocate_times(qty_t kits, qty_t per);
/* "GB", or "GB-BT" for postal codes that begin so; letter case and spaces do not matter. */
bool allocate_zone_has(struct str zone, const struct ship_to *to);

#endif
