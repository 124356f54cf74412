/* Between item.c and item_names.c: the names that an item's record claims. */
#ifndef ORCHESTRATE_STOCK_ITEM_NAMES_H
#define ORCHESTRATE_STOCK_ITEM_NAMES_H

#include "orchestrate/stock/item.h"

struct str item_alias_key(struct buf *b, struct str system, struct str sku);
/* NULL: there are too many. */
struct item_alias *item_alias_add(struct stock *s, struct stock_item *i, struct str key);
void item_alias_drop(struct stock *s, struct item_alias *a, const struct stock_item *i);
/* Readers are told after the commit. */
void item_renamed(struct stock *s, struct str key);

#endif
