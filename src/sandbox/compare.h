/*
 * Compares, line by line, what each sandbox system holds (its _state) with what was sent and with what the hub says.
 * When nothing is under way any more.
 */
#ifndef SANDBOX_COMPARE_H
#define SANDBOX_COMPARE_H

#include "sandbox/client.h"
#include "sandbox/replay.h"

#include <stdio.h>

/* ROW(id, what) */
#define COMPARE_ROWS(ROW)                                                                                              \
	ROW(COMPARE_SENT, "orders sent are in the hub, line by line")                                                  \
	ROW(COMPARE_ERP, "orders in the hub are in the ERP once, line by line")                                        \
	ROW(COMPARE_CANCELLED, "cancelled orders are cancelled everywhere")                                            \
	ROW(COMPARE_SHIPPED, "order lines shipped: warehouse and hub")                                                 \
	ROW(COMPARE_SHIPMENT_ERP, "shipments of the warehouse are in the ERP")                                         \
	ROW(COMPARE_SHIPMENT_SHOP, "shipments of the warehouse are in their shop")                                     \
	ROW(COMPARE_STATUS, "orders that wait, are held or cancelled: shops and hub")                                  \
	ROW(COMPARE_SHOWN, "what the shops show is what the hub has available")                                        \
	ROW(COMPARE_STOCK, "stock on hand: warehouse and hub")                                                         \
	ROW(COMPARE_PROBLEMS, "requests that a careful receiver complains of")                                         \
	ROW(COMPARE_OVERSOLD, "units allocated beyond what was there")                                                 \
	ROW(COMPARE_DELIVERIES, "deliveries and messages that did not end well")                                       \
	ROW(COMPARE_AUDIT, "the hub's own audit")

enum compare_row {
#define COMPARE_ROW_ID(id, what) id,
	COMPARE_ROWS(COMPARE_ROW_ID)
#undef COMPARE_ROW_ID
	    COMPARE_ROW_COUNT
};

#define COMPARE_SHOWN_MAX 20 /* differences that are kept in words */

struct compare {
	int64_t checked[COMPARE_ROW_COUNT], differ[COMPARE_ROW_COUNT];
	int64_t lost; /* orders that the hub acknowledged and does not have, or the ERP does not */
	char *differences[COMPARE_SHOWN_MAX];
	size_t difference_count;
};

/* erp, warehouse, shops: names of systems. RC_OK also when there are differences. */
struct compare_systems {
	const char *erp, *warehouse;
	const char *shops[2];
};
enum rc compare_run(struct compare *out, struct client *hub, const struct sandbox *sandbox,
		    const struct compare_systems *systems, struct replay *replay, struct err *e) MUST_CHECK;
void compare_done(struct compare *c);
bool compare_agrees(const struct compare *c);
void compare_print(const struct compare *c, FILE *out);

#endif
