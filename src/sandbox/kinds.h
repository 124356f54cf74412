/* The kinds of sandbox systems. */
#ifndef SANDBOX_KINDS_H
#define SANDBOX_KINDS_H

#include "sandbox/system.h"

/*
 * An ERP: takes orders (each gets a number of its own: an order that comes under two Idempotency-Keys is there twice,
 * as it would be in a real one), cancellations, shipments, stock transactions, and whatever else the canonical
 * connector sends.
 */
struct system *sandbox_erp_new(const char *name, uint64_t seed);

/*
 * A warehouse with a stock book of its own. It accepts shipment requests, picks for pick_ms, ships what it physically
 * has (what is missing is counted: nobody may promise what is not there) and tells the hub.
 */
struct system *sandbox_warehouse_new(const char *name, uint64_t seed, int64_t pick_ms);
/* What lies there before the first message; nothing is sent. */
void sandbox_warehouse_stock(struct system *s, struct str sku, struct str location, qty_t quantity);
/* Sends the whole book to the hub as stock-count messages, one line a position. */
void sandbox_warehouse_count(struct system *s, int64_t now_ms);
struct sandbox_movement_line {
	struct str sku, location;
	qty_t quantity;
};
/* Books it and tells the hub. type: "return", "adjust", "receive". id: its source_event_id. */
void sandbox_warehouse_move(struct system *s, const char *type, struct str id, struct str reason,
			    const struct sandbox_movement_line *lines, size_t count, int64_t now_ms);
/* Units that it was asked to ship but did not have. */
qty_t sandbox_warehouse_short(struct system *s);

/*
 * A shop: shows what the hub says it may sell (older versions are ignored and counted), keeps order status and
 * shipments. compare: it refuses a number whose `expected` is not what it shows, as a compare-and-set, and answers it
 * as stale.
 */
struct system *sandbox_shop_new(const char *name, uint64_t seed, bool compare);
/* May it sell this many now? Unknown items are not sold. With compare a sale lowers what is shown. */
bool sandbox_shop_sell(struct system *s, struct str sku, qty_t quantity);
/* false: it has never been told. */
bool sandbox_shop_shown(struct system *s, struct str sku, qty_t *quantity);

#endif
