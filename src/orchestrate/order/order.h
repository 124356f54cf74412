/*
 * Order-to-cash: open orders in memory and the steps that move them.
 *
 *     captured -> on_hold | reserved | backordered -> accepted (ERP) -> released (warehouse)
 *              -> partially_shipped -> shipped -> invoiced -> closed;   cancelled, rejected
 *
 * A backordered order is posted and released for what is there; what arrives later is allocated to the oldest waiting
 * line and released as well. Closed orders (from ORDER_CLOSED on) are not in memory. All steps are pure: they change
 * the books in memory and write effects to the transaction. Writer only.
 */
#ifndef ORCHESTRATE_ORDER_ORDER_H
#define ORCHESTRATE_ORDER_ORDER_H

#include "base/pool.h"
#include "orchestrate/allocate.h"
#include "orchestrate/stock/stock.h"

/* Stored as numbers: never renumber. */
enum order_status {
	ORDER_CAPTURED = 10,
	ORDER_ON_HOLD = 20,
	ORDER_BACKORDERED = 30,
	ORDER_RESERVED = 40,
	ORDER_ACCEPTED = 50,
	ORDER_RELEASED = 60,
	ORDER_PARTIALLY_SHIPPED = 70,
	ORDER_SHIPPED = 90,
	ORDER_INVOICED = 91,
	ORDER_CLOSED_STATUS = 92,
	ORDER_CANCELLED = 95,
	ORDER_REJECTED = 96,
};
#define ORDER_CLOSED 90

const char *order_status_name(enum order_status s);
bool order_status_parse(struct str name, enum order_status *out);

/* Stock that an order has at one place. */
struct allocation {
	struct stock_place *place;
	qty_t allocated; /* in state allocated */
	qty_t picked;    /* in state picked */
	qty_t released;  /* of these two: the warehouse was asked to ship it */
};

struct order_open;

/* A backordered line on the list of an item that it waits for. */
struct order_wait {
	struct order_line_open *line;
	struct order_wait *next, **previous; /* previous NULL: on no list */
};

/* A stocked item that a line is made of: its own item, or one component of its kit. */
struct order_part {
	struct stock_item *item;
	qty_t per; /* of it in one of the line's */
	qty_t shipped;
	struct order_wait waiting;
};

/*
 * A line for a kit is made of the components that the kit had when the order was captured: a later record changes
 * nothing of it. Its quantities are kits; its allocations are of components. What is reserved of it are whole kits:
 * as many as what is shipped and allocated makes of every component.
 */
struct order_line_open {
	struct order_open *order;
	struct str line_id;
	struct stock_item *item; /* NULL: unknown item (on hold) */
	struct str sku;
	struct stock_item *substitute; /* what the line is made of instead of its item; NULL: nothing else */
	bool kit;
	qty_t ordered, backordered, shipped, cancelled;
	qty_t told;                     /* of shipped: in the shipments that were told */
	struct allocation *allocations; /* one: in the order's memory; more: on the heap */
	uint32_t allocation_count, part_count;
	struct order_part *parts; /* &part, or on the heap */
	struct order_part part;
};

struct order_external {
	uint16_t system;
	struct str id;
};

struct order_open {
	int64_t seq, document, placed_at, stage_since;
	struct str order_id, external_id, correlation_id, customer;
	uint16_t channel; /* index in the tenant's channels */
	enum order_status status;
	bool posted; /* the ERP has accepted it (or there is none) */
	struct order_line_open *lines;
	uint32_t line_count;
	size_t bytes;                   /* of this piece of memory */
	struct order_external external; /* the ERP's */
	struct str currency;
	struct str country, postal_code; /* it goes to; empty where the channel's allocation does not ask for them */
	struct order_open *next_changed, *next_held, **previous_held;
	struct order_await *await; /* NULL: it does not */
	struct str untold;   /* consigned stock that left with components that were not told; members of an array */
	bool changed, fresh; /* fresh: has no row yet */
};

/* It waits for the ERP to be there again; its exception, which ends with that (seq 0: a person has ended it). */
struct order_await {
	int64_t exception;
	struct str exception_id;
	char text[];
};

/* Orders on hold, oldest first. */
struct order_list {
	struct order_open *first, **last;
};

struct order_book {
	const struct config_tenant *tenant;
	struct stock *stock;
	struct map orders;          /* by order_id */
	struct pool memory;         /* of the open orders */
	struct order_open *changed; /* in this batch: rows to write */
	struct order_list held;     /* for an unknown item */
	struct order_list awaiting; /* for the ERP */
	size_t items_seen;          /* items there were when the held orders were looked at */
	struct allocate_list parts; /* scratch, and */
	struct allocate_need *needs;
	struct allocate_component *components;
	struct order_line_open **woken; /* waiting lines to look at */
	size_t need_room, component_room, woken_room;
	struct str *counts_through; /* by channel: the external id of its last captured order */
};

struct order_book *order_book_new(const struct config_tenant *tenant, struct stock *stock, size_t max);
void order_book_free(struct order_book *b);
struct order_open *order_find(const struct order_book *b, struct str order_id);

/* Loads one open order (row as R_ORDERS_OPEN). */
enum rc order_load(struct order_book *b, const struct store_value *row, struct err *e) MUST_CHECK;

/* Captures an order that is not a repeat. RC_INVALID "unknown_channel", RC_LIMIT: refused, nothing was changed. */
struct order_capture {
	const struct order *order;
	struct str document; /* packed canonical JSON */
	struct order_open *out;
};
enum rc order_step_capture(struct order_book *b, struct txn *t, struct order_capture *c, struct err *e) MUST_CHECK;
/* Then: on hold, or what there is is reserved (after order_give, if stock was held for it beforehand), and it is
 * posted. */
void order_step_decide(struct order_book *b, struct txn *t, struct order_open *o);

/* Instead: it is on hold until the ERP is there again (away.h), or a person decides. */
void order_step_await(struct order_book *b, struct txn *t, struct order_open *o, struct str reason);
/* It is: what there is now is reserved, and it is posted. */
void order_step_resume(struct order_book *b, struct txn *t, struct order_open *o);
/* A person has resolved this exception of the order. */
void order_exception_ended(struct order_book *b, struct order_open *o, int64_t exception);

/* RC_CONFLICT "order_released": the warehouse has it. */
enum rc order_step_cancel(struct order_book *b, struct txn *t, struct order_open *o, struct str reason,
			  struct err *e) MUST_CHECK;

/* A person releases an order that is on hold: items that are not known are taken as they are named, what there is is
 * reserved, and it is posted (again). RC_CONFLICT "order_not_on_hold"; RC_LIMIT "too_many_items". */
enum rc order_step_unhold(struct order_book *b, struct txn *t, struct order_open *o, struct err *e) MUST_CHECK;

/* Answers of ERP and warehouse to what they were asked. */
void order_step_accepted(struct order_book *b, struct txn *t, struct order_open *o, uint16_t system,
			 struct str external_id);
void order_step_released(struct order_book *b, struct txn *t, struct order_open *o);
void order_step_refused(struct order_book *b, struct txn *t, struct order_open *o, const char *kind, struct str detail);

/* A physical fact for an order: takes its picked and allocated stock at a location, at most quantity; returns how much
 * it took. */
struct order_taking {
	struct stock_item *item; /* stocked: no kit */
	struct stock_item *kit;  /* it left as a component of this kit; NULL: as itself */
	uint16_t location;
	struct str owner;    /* empty: whosever the order has there */
	struct str line_id;  /* empty: any line, those of that kit or for the item itself first */
	enum stock_state to; /* STOCK_PICKED or STOCK_OUTSIDE */
	qty_t quantity;
};
qty_t order_take(struct order_open *o, struct stock_draft *d, const struct order_taking *t);
/* After the lines of a shipment were taken: status, events, deliveries to channel and ERP. */
struct order_shipment {
	struct str shipment_id;
	int64_t document; /* its own, or 0 */
	const struct movement *movement;
	struct str consigned; /* JSON array of what left of consigned stock; empty: nothing */
};
void order_step_shipped(struct order_book *b, struct txn *t, struct order_open *o, const struct order_shipment *s);

/* Gives held stock to an order (commit of a reservation): covers what its lines have not of the item; kit: it was held
 * as a component of it, or NULL: then no kit is given any. Returns how much. */
qty_t order_give(struct order_open *o, struct stock_draft *d, struct stock_place *p, const struct stock_item *kit,
		 qty_t quantity);
/* After order_give: what makes no whole kit is completed or given back; sets the status, and goes on (release). */
void order_step_given(struct order_book *b, struct txn *t, struct order_open *o);

/* After each command: free stock goes to the oldest backordered lines of the items that were touched. */
void order_step_restock(struct order_book *b, struct txn *t);

/* At the end of a batch: writes the changed orders' rows, and drops closed ones from memory after the commit. */
void order_flush(struct order_book *b, struct txn *t);
void order_committed(struct order_book *b);

#endif
