/*
 * What a place has to know of the past to judge counts, which speak of an instant that may be long gone.
 *
 * A count at T says what was on hand at T. What is there now is that, and every change after T. So the latest changes
 * of what is on hand are kept with the instant at which they happened, whenever they arrived, and the instant of the
 * last count. A count before that instant is stale. A change that happened before it, but arrives after it, is in
 * the count already: the ledger takes it back at once (stock_post), so that the order of arrival does not matter. Of
 * what happened at the very instant of the count nobody can say which was first: there the order of arrival decides, as
 * it is the sender's own. What is taken back counts as if it had arrived when it was first told.
 *
 * All of it is in the position's row, so a start changes no judgement.
 */
#ifndef ORCHESTRATE_STOCK_PAST_H
#define ORCHESTRATE_STOCK_PAST_H

#include "base/buf.h"
#include "orchestrate/stock/stock.h"

#define STOCK_RECENTS 64

struct stock_recent {
	int64_t occurred_at;
	qty_t delta;
};

struct stock_past {
	int64_t counted_at; /* 0: never */
	int64_t counted_by; /* the movement that was the count */
	int64_t forgotten;  /* no change after this instant was forgotten */
	uint32_t count, room;
	struct stock_recent list[]; /* in order of arrival, after counted_at */
};

void past_change(struct stock_place *p, int64_t occurred_at, qty_t delta);
void past_counted(struct stock_place *p, int64_t instant, int64_t movement);
/* What was on hand at the instant; *known is false if changes after it were forgotten. */
qty_t past_on_hand(const struct stock_place *p, int64_t instant, bool *known);

/* The last count: its instant, and the movement that it was; 0: never. */
struct past_count {
	int64_t at, by;
};
static inline struct past_count past_last_count(const struct stock_place *p)
{
	return p->past ? (struct past_count){p->past->counted_at, p->past->counted_by} : (struct past_count){0, 0};
}

/* counted_at counted_by forgotten {occurred_at delta}, with a blank before each. */
void past_write(struct buf *out, const struct stock_place *p);
bool past_read(struct stock_place *p, const int64_t *numbers, size_t count);

#endif
