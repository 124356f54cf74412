/*
 * Reservations: stock held for a caller until it commits, voids or lets it expire. All or nothing, unless the caller
 * takes what there is (partial). A hold is admitted against what is free in the channel's locations; a `strict`
 * channel's holds are bound by its available-to-sell as well. Live holds are in memory; ended ones are in the store.
 * Steps are pure; writer only.
 *
 * A hold on a kit holds its components, of a partial one those of whole kits; they count together with lines for the
 * components themselves, and go to an order's line for that kit first. What makes one kit is at one location, unless
 * the channel splits kits.
 *
 * A hold's row has numbers only: its texts are those of the event that it was held with.
 */
#ifndef ORCHESTRATE_STOCK_HOLD_H
#define ORCHESTRATE_STOCK_HOLD_H

#include "orchestrate/allocate.h"
#include "orchestrate/order/order.h"
#include "orchestrate/stock/stock.h"

/* Stored as numbers: never renumber. */
enum hold_status { HOLD_HELD = 0, HOLD_COMMITTED = 1, HOLD_VOIDED = 2, HOLD_EXPIRED = 3 };
const char *hold_status_name(enum hold_status s);

#define HOLD_NO_CHANNEL UINT16_MAX

struct hold_line {
	struct stock_place *place;
	struct stock_item *kit; /* held as a component of it; NULL: for itself */
	qty_t quantity;
	qty_t requested; /* of a partial hold: what its line asked for; else 0 */
};

struct hold {
	int64_t seq; /* of its row */
	struct str reservation_id, correlation_id;
	uint16_t channel;     /* HOLD_NO_CHANNEL: it is no longer configured */
	struct str orphan_of; /* then its name */
	struct str shortage;  /* of a partial hold: JSON array of what it has not; may be empty */
	int64_t created_at, expires_at;
	struct hold_line *lines;
	size_t line_count;
	size_t heap_index;
};

struct hold_book {
	const struct config_tenant *tenant;
	struct stock *stock;
	struct map holds;   /* by reservation id */
	struct hold **heap; /* by expires_at */
	size_t heap_count, heap_room;
	uint32_t counts[CONFIG_CHANNELS_MAX]; /* live holds of a channel */
	struct map quotas;                    /* of channels with a quota: what they hold of an item */
};

struct hold_book *hold_book_new(const struct config_tenant *tenant, struct stock *stock, size_t max);
void hold_book_free(struct hold_book *b);
struct hold *hold_find(const struct hold_book *b, struct str reservation_id);
/* The row of a reservation whose id was made here; 0: the id was not. The row says whether it is of that id. */
int64_t hold_seq_of_id(struct str reservation_id);
/* A row of R_RESERVATIONS_HELD. */
enum rc hold_load(struct hold_book *b, const struct store_value *row, struct err *e) MUST_CHECK;

/*
 * Placing the holds of one command, which are one movement: begin, step by step, end. Between begin and end nothing
 * else moves stock.
 */
struct hold_draft {
	struct hold_book *book;
	struct txn *txn;
	struct stock_draft movement;
	struct hold_line *plan; /* of the hold that is being admitted */
	size_t plan_count, plan_room;
	struct allocate_need *needs;           /* by line */
	qty_t *limits;                         /* by line: what a strict channel may have */
	struct allocate_component *components; /* of its kits */
	size_t need_room, component_count, component_room;
	struct allocate_list parts;
	struct stock_place **places; /* planned for and not yet posted */
	size_t place_count, place_room;
	size_t held; /* holds that were placed */
	struct buf text;
};
struct hold_result {
	struct hold *hold;   /* or NULL: refused */
	struct str text;     /* hold_write of it; lives as long as the transaction */
	struct str shortage; /* insufficient_stock: JSON array of {"sku","location"?,"requested","available"} */
};
void hold_draft_begin(struct hold_draft *d, struct hold_book *b, struct txn *t);
/* RC_OK, RC_INVALID (unknown channel, location), RC_LIMIT; RC_CONFLICT "insufficient_stock", "hold_quota_exceeded".
 * Nothing was changed unless RC_OK. */
enum rc hold_step_place(struct hold_draft *d, const struct hold_request *r, struct hold_result *out,
			struct err *e) MUST_CHECK;
void hold_draft_end(struct hold_draft *d);

/* Held stock becomes the order's, as far as it needs it; the rest is free again. The hold is gone afterwards. */
void hold_step_commit(struct hold_book *b, struct txn *t, struct hold *h, struct order_open *o);
/* The same with a part of it: lines with sku, quantity and location (may be empty). The rest stays held if keep_rest,
 * and so does the hold: then true. RC_CONFLICT "more_than_held": nothing was changed. */
enum rc hold_step_commit_part(struct hold_book *b, struct txn *t, struct hold *h, struct order_open *o,
			      const struct movement_line *lines, size_t line_count, bool keep_rest, bool *kept,
			      struct err *e) MUST_CHECK;
/* HOLD_VOIDED or HOLD_EXPIRED. The hold is gone afterwards. */
void hold_step_end(struct hold_book *b, struct txn *t, struct hold *h, enum hold_status status);
/* Ends at most max holds that have expired by now; true if there may be more. */
bool hold_step_expire(struct hold_book *b, struct txn *t, size_t max);
int64_t hold_next_expiry(const struct hold_book *b); /* INT64_MAX: none */

/* {"reservation_id","status","channel","expires_at","lines":[{"sku","kit"?,"requested"?,"quantity","location","lot"?}],
 * "short"?} */
void hold_write(struct buf *out, const struct hold_book *b, const struct hold *h, enum hold_status status);

#endif
