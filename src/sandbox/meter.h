/*
 * What the demo measures while it runs: counters, and two lags as a bystander with a stop-watch would take them.
 * Thread-safe; its lock is taken inside a system's lock, never the other way round.
 *
 *     order lag   from the moment an order is sent to the hub until the ERP has it
 *     stock lag   from the moment a change of stock is sent to the hub until the shop hears a new number of that item
 */
#ifndef SANDBOX_METER_H
#define SANDBOX_METER_H

#include "base/clock.h"
#include "base/str.h"

#include <stdint.h>

struct meter;

struct meter_lag {
	int64_t count;
	double p50_ms, p99_ms; /* at most 10% off */
};

struct meter_values {
	int64_t posted, shown, shipped, refused; /* refused: messages that the hub will not take */
	struct meter_lag order, stock;
};

struct meter *meter_new(const struct clock *clock);
void meter_free(struct meter *m);

void meter_order_sent(struct meter *m, struct str channel, struct str external_id);
void meter_stock_changed(struct meter *m, struct str sku);
/* The other end. only the shop of this name counts for the stock lag. */
struct system_watch;
void meter_watch(struct meter *m, const char *shop, struct system_watch *out);
struct meter_values meter_read(struct meter *m);

#endif
