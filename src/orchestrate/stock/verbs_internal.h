/* Inside the verbs. */
#ifndef ORCHESTRATE_STOCK_VERBS_INTERNAL_H
#define ORCHESTRATE_STOCK_VERBS_INTERNAL_H

#include "orchestrate/stock/verbs.h"

/*
 * Everything that could refuse the movement, before anything is changed; and its lines as the ledger keeps them: our
 * SKUs for those of the source, base units for others, components for kits: those that the order's line has of it, if
 * order is not NULL. m->lines are replaced where they change.
 */
enum rc verbs_prepare(struct stock *s, struct txn *t, struct movement *m, const struct order_open *order,
		      struct err *e) MUST_CHECK;
void verbs_draft(struct stock_draft *d, struct stock *s, struct txn *t, const struct movement *m);
/* Tells of it. Returns what it moved of consigned stock (movement_result.consigned). */
struct str verbs_event(struct stock_draft *d, const struct movement *m, bool stale);

#endif
