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

/* hold_quota.c: counts a hold that is live now (1) or no longer (-1), with its lines as they are. */
void hold_quota_count(struct hold_book *b, const struct hold *h, int sign);
void hold_quota_free(struct hold_book *b);
/* The plan against the channel's quota. RC_CONFLICT "hold_quota_exceeded". */
enum rc hold_quota_check(const struct hold_draft *d, uint16_t channel, struct err *e) MUST_CHECK;

#endif
