/* What hold.c and hold_place.c share. */
#ifndef ORCHESTRATE_STOCK_HOLD_INTERNAL_H
#define ORCHESTRATE_STOCK_HOLD_INTERNAL_H

#include "orchestrate/stock/hold.h"

#define HOLD_JSON_MAX (1u << 20)

struct str hold_make_id(struct txn *t, int64_t seq);
/* Copies `from` with its lines and texts, and puts it into the map. NULL: there are too many. */
struct hold *hold_make(struct hold_book *b, const struct hold *from);
void hold_heap_add(struct hold_book *b, struct hold *h);
uint16_t hold_find_channel(const struct hold_book *b, struct str name); /* or HOLD_NO_CHANNEL */

#endif
