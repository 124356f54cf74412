/*
 * Reservations: stock held for a caller until it commits, voids or lets it expire. All or nothing. A hold is admitted
 * against what is free in the channel's locations; a `strict` channel's holds are bound by its available-to-sell as
 * well. Live holds are in memory; ended ones are in the store. Steps are pure; writer only.
 */
#ifndef ORCHESTRATE_STOCK_HOLD_H
#define ORCHESTRATE_STOCK_HOLD_H

#include "orchestrate/order/order.h"
#include "orchestrate/stock/stock.h"

/* Stored as numbers: never renumber. */
enum hold_status { HOLD_HELD = 0, HOLD_COMMITTED = 1, HOLD_VOIDED = 2, HOLD_EXPIRED = 3 };
const char *hold_status_name(enum hold_status s);

#define HOLD_NO_CHANNEL UINT16_MAX

struct hold_line {
	struct stock_place *place;
	qty_t quantity;
};

struct hold {
	struct str reservation_id, correlation_id;
	uint16_t channel;     /* HOLD_NO_CHANNEL: it is no longer configured */
	struct str orphan_of; /* then its name */
	int64_t created_at, expires_at;
	uint64_t fingerprint;
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
};

struct hold_book *hold_book_new(const struct config_tenant *tenant, struct stock *stock, size_t max);
void hold_book_free(struct hold_book *b);
struct hold *hold_find(const struct hold_book *b, struct str reservation_id);
enum rc hold_load(struct hold_book *b, const struct store_value *row,
		  struct err *e) MUST_CHECK; /* R_RESERVATIONS_HELD */

/* RC_OK, RC_INVALID (unknown channel, location), RC_LIMIT; RC_CONFLICT "insufficient_stock": *shortage is a JSON array
 * of
 * {"sku","location"?,"requested","available"}. Nothing was changed unless RC_OK. */
enum rc hold_step_place(struct hold_book *b, struct txn *t, const struct hold_request *r, uint64_t fingerprint,
			struct hold **out, struct str *shortage, struct err *e) MUST_CHECK;
/* Held stock becomes the order's, as far as it needs it; the rest is free again. The hold is gone afterwards. */
void hold_step_commit(struct hold_book *b, struct txn *t, struct hold *h, struct order_open *o);
/* HOLD_VOIDED or HOLD_EXPIRED. The hold is gone afterwards. */
void hold_step_end(struct hold_book *b, struct txn *t, struct hold *h, enum hold_status status);
/* Ends at most max holds that have expired by now; true if there may be more. */
bool hold_step_expire(struct hold_book *b, struct txn *t, size_t max);
int64_t hold_next_expiry(const struct hold_book *b); /* INT64_MAX: none */

/* {"reservation_id","status","channel","expires_at","lines":[{"sku","quantity","location","lot"?}]} */
void hold_write(struct buf *out, const struct hold_book *b, const struct hold *h, enum hold_status status);

#endif
