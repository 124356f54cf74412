/* Stock movements and reservations as steps (DESIGN.md, Stock: the table of verbs). Pure; writer only. */
#ifndef ORCHESTRATE_STOCK_VERBS_H
#define ORCHESTRATE_STOCK_VERBS_H

#include "orchestrate/order/order.h"
#include "orchestrate/stock/stock.h"

/*
 * Applies a movement of the record for stock: a fact, never refused for lack of stock. RC_INVALID "unknown_location",
 * "ambiguous_sku", "unknown_uom", "not_exact", "kit_not_stocked" with the line in err.where; then nothing was changed.
 * movement_id and seq are of the row that was written.
 */
struct movement_result {
	struct str movement_id;
	int64_t seq;
	struct str consigned; /* JSON array of what it moved of consigned stock; empty: nothing */
	bool stale; /* a count of nothing but places that were counted at a later instant: nothing was changed */
};
enum rc stock_step_movement(struct stock *s, struct order_book *orders, struct txn *t, const struct movement *m,
			    struct movement_result *out, struct err *e) MUST_CHECK;

/* How many entries packed entries are; 0 if they are damaged. */
size_t stock_entry_count(struct str entries);
/*
 * MOVE_REVERSE: posts the opposite of another movement's entries, or of those of the named lines (by their number, or
 * by their goods: all lines of these). It did not happen: so the opposite is of the same instant, whenever it is told,
 * and what a later count has seen stays as it was counted; so does what a count of the same instant has seen that was
 * told later. The movement that is written has that instant as well. RC_INVALID "not_in_movement", "quantity_differs",
 * "ambiguous_line" (of the same goods some lines are named by number and some not); RC_CONFLICT
 * "already_reversed"; what verbs_prepare refuses of a line (a name that is ambiguous, a unit); then nothing was
 * changed. Lines are named as the source names them; a kit stands for what it is made of, for the order if it is of
 * one.
 */
struct movement_undo {
	int64_t seq, occurred_at; /* of the movement that is taken back */
	struct str entries;
	const bool *taken; /* by entry: was taken back before */
	bool *chosen;      /* by entry, all false: out, what this reversal is of */
};
enum rc stock_step_reverse(struct stock *s, const struct order_book *orders, struct txn *t, const struct movement *m,
			   const struct movement_undo *undo, struct movement_result *out, struct err *e) MUST_CHECK;

#endif
