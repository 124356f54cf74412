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
/* On the lists of what it lacks: of a kit, one component for each location that has no whole one, so that no more of
 * them can be made before one of these comes. */
void order_wait(const struct order_book *b, struct order_line_open *l);
void order_unwait(struct order_line_open *l);                                 /* off all of them */
void order_wake(const struct order_book *b, const struct order_line_open *l); /* the restock looks at it if it waits */
bool order_line_before(const struct order_line_open *a, const struct order_line_open *b); /* who is served first */
/* What the line is made of, by the record of its item or of its substitute. Nothing is allocated or shipped of it. */
void order_make_parts(struct order_line_open *l);
void order_set_parts(struct order_line_open *l, uint32_t count); /* room for so many, empty */
void order_note_kit(struct order_line_open *l); /* after that: one of one item is counted like it, else in kits */
struct order_part *order_part_of(const struct order_line_open *l, const struct stock_item *item); /* or NULL */
/* Not just its own item: a kit, or a substitute. */
bool order_is_composed(const struct order_line_open *l);
qty_t order_part_has(const struct order_line_open *l, const struct order_part *p); /* allocated or picked */
/* Of it for so many of the line's: what is still to be shipped. */
qty_t order_part_due(const struct order_line_open *l, const struct order_part *p, qty_t quantity);
/* How much of the line is shipped, allocated or picked: whole kits. */
qty_t order_covered(const struct order_line_open *l);
void order_count_shipped(struct order_line_open *l); /* after its parts were shipped */
void order_hold(struct order_book *b, struct order_open *o);
void order_unhold(struct order_book *b, struct order_open *o);
/* Waits for the ERP; id is copied. */
void order_set_await(struct order_open *o, int64_t exception, struct str exception_id);
/* Copied. */
void order_set_untold(struct order_open *o, struct str consigned);
void order_note_external(struct order_book *b, uint16_t channel, struct str external_id);
void order_set_external(struct order_open *o, uint16_t system, struct str id);

#endif
