/* Inside the order steps: what their files share. */
#ifndef ORCHESTRATE_ORDER_STEPS_H
#define ORCHESTRATE_ORDER_STEPS_H

#include "orchestrate/order/book.h"

/* A JSON object that begins with the order's ids; end gives its text and frees the buffer. */
void order_data_begin(struct buf *b, struct json_writer *w, const struct order_book *book, const struct order_open *o);
struct str order_data_end(struct buf *b, struct json_writer *w, struct txn *t);

bool system_can(const struct config_system *s, unsigned role, enum operation op);
void order_deliver(struct txn *t, const struct order_open *o, const struct config_system *s, enum operation op,
		   int64_t event, int64_t document, struct str params);
/* The only place that changes an order's status. Returns the position of the event that says so, "order.<status>". */
int64_t order_set_status(struct order_book *b, struct txn *t, struct order_open *o, enum order_status status,
			 struct str reason);

/* reserve.c: what there is of all its lines is allocated, or of substitutes; the rest is backordered. */
void order_reserve(struct order_book *b, struct txn *t, struct order_open *o);
/* What of a line is neither shipped, cancelled nor allocated. */
qty_t order_open_quantity(const struct order_line_open *l);
/* Nothing of it is backordered. */
bool order_is_whole(const struct order_open *o);
/* Allocates what there is of a line where its channel sells, the rest is backordered. */
void order_allocate_line(struct order_book *b, struct stock_draft *d, struct order_line_open *l);
/* Gives back everything that is allocated and not picked. */
void order_deallocate_line(struct stock_draft *d, struct order_line_open *l);
/* Gives back what is more than is still to be shipped, or of a kit than whole ones need. True: it did. */
bool order_trim_line(struct stock_draft *d, struct order_line_open *l);
/* Asks the warehouses for what is allocated and was not yet asked for. */
void order_release(struct order_book *b, struct txn *t, struct order_open *o);
/* Reserves, decides on the status, posts. as_is: a person has decided that it may be backordered whatever it is. */
void order_decide(struct order_book *b, struct txn *t, struct order_open *o, bool as_is);
/* Where all of an order comes from that may not be split, once a part of it has a place; else ALLOCATE_ANYWHERE. */
int32_t order_only_location(const struct config_channel *c, const struct order_open *o);

/* accept.c: lines that are short, of a channel that takes substitutes, become their substitutes. True: some did. */
bool order_substitute(struct order_book *b, struct stock_draft *d, struct order_open *o);
/* What is lacking of discontinued items, by the channel's policy: cancelled. Says what it is for, STR_NONE: nothing. */
struct str order_end_discontinued(struct order_book *b, struct txn *t, struct order_open *o);
/* "changes": what was decided of its lines beside what was ordered, if anything. */
void order_write_changes(struct json_writer *w, const struct order_open *o);
bool order_has_changes(const struct order_open *o);

#endif
