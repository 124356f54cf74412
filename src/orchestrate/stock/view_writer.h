/* The writer's side of the stock view (view.h). One thread. */
#ifndef ORCHESTRATE_STOCK_VIEW_WRITER_H
#define ORCHESTRATE_STOCK_VIEW_WRITER_H

#include "orchestrate/stock/stock.h"

struct stock_view *stock_view_new(void);
void stock_view_free(struct stock_view *v); /* no reader may be left */
/* When the record of a location was heard of last; 0: never, -1: it has none. */
void stock_view_heard(struct stock_view *v, uint16_t location, int64_t at);
/* Room for so many items at once. */
void stock_view_reserve(struct stock_view *v, size_t items);
void stock_view_put(struct stock_view *v, struct stock_item *i);
/* What the name means from now on: item NULL: nothing; ambiguous: several items. */
void stock_view_name(struct stock_view *v, struct str key, struct stock_item *item, bool ambiguous);
/* Under this key stands another name, whose key this is; empty: none. */
void stock_view_spell(struct stock_view *v, struct str key, struct str alias_key);
/* All names that ever meant something. */
void stock_view_names(struct stock_view *v, void (*visit)(void *ctx, struct str key), void *ctx);
/* A batch is published; frees what no reader can see any more. */
void stock_view_committed(struct stock_view *v, int64_t now);

#endif
