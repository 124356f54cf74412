/* Inside the ledger: what posting and loading share. */
#ifndef ORCHESTRATE_STOCK_LEDGER_H
#define ORCHESTRATE_STOCK_LEDGER_H

#include "orchestrate/stock/stock.h"

/* Its row is not right since movement seq. */
void stock_mark_dirty(struct stock *s, struct stock_place *p, int64_t seq);
/* Puts p, whose rank has changed, where it belongs in the order of taking. */
void stock_reorder(struct stock_item *i, const struct stock_place *p);
/* Stock of a lot or an owner has an age. */
void stock_note_since(struct stock_place *p, int64_t at);
/* True if it was not known. */
bool stock_set_expiry(struct stock_place *p, int32_t expires_on);

#endif
