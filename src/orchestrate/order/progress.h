/*
 * The stored form of an order's progress: compact, because it is written with every step.
 *
 *     {"l":[[line_id,sku,ordered,[[location,quantity,released,picked,lot],...],backordered,shipped,cancelled,
 *            [[sku,per,shipped,[[location,...],...]],...],substitute],...],
 *      "a":[location,released],
 *      "x":{"<system>":"<the order's id there>"},"w":[exception,exception_id],
 *      "s":{"country","postal_code"}}
 *
 * a: lines that end after `ordered` are allocated there as a whole, and are released if that is "1": most are.
 * w: it waits for the ERP. s: where it goes to, if its channel's allocation asks for that. Quantities are decimal
 * strings; trailing parts that are zero or empty are left out. quantity is what is allocated or picked there. The last
 * parts of a line are of kits and of substituted lines only: what it is made of, each with its allocations.
 */
#ifndef ORCHESTRATE_ORDER_PROGRESS_H
#define ORCHESTRATE_ORDER_PROGRESS_H

#include "orchestrate/order/order.h"

void order_progress_write(struct buf *out, const struct order_book *b, const struct order_open *o);
/* The same text with the order's id in a system; for one that has none yet. */
void order_progress_add_external(struct buf *out, struct str progress, struct str system, struct str id);

/* What the system calls the order; in the arena. Empty: it has not said, or the text is damaged. Cheap where no system
 * has. */
struct str order_progress_external(struct arena *a, struct str progress, struct str system);

/*
 * The readable form, in the arena: {"lines":[{"line_id","sku","ordered","reserved","backordered","released","shipped",
 * "cancelled","substitute","components":[{"sku","quantity","shipped"}],"allocations":[{"sku","location","lot","quantity","picked",
 * "released"}]}],"external_ids":{...}}; what is zero or empty is left out. components, and sku of an allocation, are of
 * kits and substituted lines; their reserved and released are whole kits. RC_IO "store_damaged".
 */
enum rc order_progress_read(struct arena *a, struct str text, struct json **out, struct err *e) MUST_CHECK;

#endif
