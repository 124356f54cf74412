/* What the hub says at the end, in the shape in which it is compared. Everything in the arena. */
#ifndef SANDBOX_COMPARE_HUB_H
#define SANDBOX_COMPARE_HUB_H

#include "base/decimal.h"
#include "base/map.h"
#include "sandbox/client.h"

struct hub_line {
	struct str line_id, sku;
	qty_t ordered, shipped;
	qty_t told; /* shipped, as the warehouse has it: filled in by the comparison */
};

struct hub_order {
	struct str order_id, channel, external_id, status;
	struct str name; /* "channel/external_id" */
	size_t line_count;
	struct hub_line *lines;
	bool sent; /* found among what was sent */
};

struct hub_orders {
	struct map by_id, by_name; /* struct hub_order */
};

#define HUB_ORDERS_MAX 1000000

enum rc hub_orders_read(struct client *hub, struct arena *a, struct hub_orders *out, struct err *e) MUST_CHECK;
void hub_orders_done(struct hub_orders *o);
struct hub_line *hub_line_find(const struct hub_order *o, struct str line_id);

#endif
