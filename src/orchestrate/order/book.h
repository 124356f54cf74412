/* Inside the order steps: making and changing open orders. */
#ifndef ORCHESTRATE_ORDER_BOOK_H
#define ORCHESTRATE_ORDER_BOOK_H

#include "orchestrate/order/order.h"

struct order_texts {
	struct str order_id, external_id, correlation_id, customer, currency, country, postal_code;
	struct str *line_ids, *skus;
	size_t line_count;
};

/* In the book, with its texts copied; NULL: the limit is reached. */
struct order_open *order_make(struct order_book *b, const struct order_texts *t);
/* Its row is written at the end of the batch. */
void order_changed(struct order_book *b, struct order_open *o);
/* Found or made. */
struct allocation *order_allocation(struct order_line_open *l, struct stock_place *p);
void order_wait(struct order_line_open *l);   /* on its item's list of backordered lines */
void order_unwait(struct order_line_open *l); /* off it */
void order_hold(struct order_book *b, struct order_open *o);
void order_unhold(struct order_book *b, struct order_open *o);
/* Waits for the ERP; id is copied. */
void order_set_await(struct order_open *o, int64_t exception, struct str exception_id);
void order_note_external(struct order_book *b, uint16_t channel, struct str external_id);
void order_set_external(struct order_open *o, uint16_t system, struct str id);

#endif
