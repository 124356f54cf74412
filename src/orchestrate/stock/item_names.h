/* Between item.c and item_names.c: the names that an item's record claims. */
#ifndef ORCHESTRATE_STOCK_ITEM_NAMES_H
#define ORCHESTRATE_STOCK_ITEM_NAMES_H

#include "orchestrate/stock/item.h"

/* A name of its record, and the same in the letter case of the system's rule; i->rules->aliases has room for both.
 * show: readers are told after the commit. */
void item_names_add(struct stock *s, struct stock_item *i, const struct item_name *n, bool show);
void item_alias_drop(struct stock *s, struct item_alias *a, const struct stock_item *i);
/* Readers are told after the commit. */
void item_renamed(struct stock *s, struct stock_item *i, struct str key);

#endif
