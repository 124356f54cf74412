/* Stock movements and reservations as steps (DESIGN.md, Stock: the table of verbs). Pure; writer only. */
#ifndef ORCHESTRATE_STOCK_VERBS_H
#define ORCHESTRATE_STOCK_VERBS_H

#include "orchestrate/order/order.h"
#include "orchestrate/stock/stock.h"

/*
 * Applies a movement of the record for stock: a fact, never refused for lack of stock. RC_INVALID "unknown_location"
 * with the line in err.where; then nothing was changed. movement_id and seq are of the row that was written.
 */
struct movement_result {
	struct str movement_id;
	int64_t seq;
};
enum rc stock_step_movement(struct stock *s, struct order_book *orders, struct txn *t, const struct movement *m,
			    struct movement_result *out, struct err *e) MUST_CHECK;

#endif
