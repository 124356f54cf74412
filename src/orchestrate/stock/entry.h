/*
 * Ledger entries: each moves a quantity of one item from one place and state to another, so that every movement is
 * double entry by its form. Packed into the `entries` column of a movement, self-contained (names, not numbers).
 *
 * Packed form of an entry: sku, location, lot, owner, to_location as (length varint, bytes); from, to as one byte each;
 * quantity as a varint (always positive). Varints are LEB128.
 *
 * Of a movement that is told by lines, bit 7 of `to` says that another line begins; its number (from 0) follows. Until
 * then it is line 0.
 *
 * The first entry of an item in a movement has bit 7 of `from` set if the item was moved before; the seq of that
 * movement follows at the end. So each item's movements are a chain from the newest to the oldest.
 *
 * An entry from outside to outside moves nothing. With a quantity it says that the lot expires on that day (since
 * 1970), with 0 that the place was counted at the movement's instant.
 */
#ifndef ORCHESTRATE_STOCK_ENTRY_H
#define ORCHESTRATE_STOCK_ENTRY_H

#include "base/buf.h"
#include "orchestrate/stock/view.h"

struct entry {
	struct str sku, location, lot, owner;
	struct str to_location; /* empty: the same place */
	enum stock_state from, to;
	qty_t quantity;   /* positive */
	int64_t previous; /* the item's movement before this one; 0: not said */
	uint32_t line;    /* of the movement, as it was told */
};

/* line: of the entry before; 0 at first. Updated. */
void entry_pack(struct buf *out, const struct entry *e, uint32_t *line);

/* Calls visit for each entry in order; RC_IO if the bytes are damaged; what visit returns if that is not RC_OK. The
 * texts point into `packed`. */
typedef enum rc (*entry_fn)(void *ctx, const struct entry *e);
enum rc entries_each(struct str packed, entry_fn visit, void *ctx) MUST_CHECK;

/* The states that are on hand: free held allocated picked quarantined damaged. */
bool stock_state_on_hand(enum stock_state s);

#endif
