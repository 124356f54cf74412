/*
 * The registry of serial numbers: where each one is, by what movement. Pure; writer only.
 *
 * The rows are in the store, not in memory: there are millions. The book holds those that the open batch names. Before
 * a movement is applied the hub asks serials_wanted for what it names, reads it and gives it to serial_put; the steps
 * find it in the book and write what changes. A serial that has no row is SERIAL_UNKNOWN.
 *
 * Each movement that names a serial adds a row to its history (serial_move): what it makes of the serial. The registry
 * says what the standing row with the greatest occurred_at says (of equal ones, that of the later movement). So late
 * and reordered facts end where the same facts in order would, and a movement that is taken back leaves what the others
 * say. A late fact is not judged: what it met is not known any more.
 *
 * Movements are facts. What the registry cannot explain is applied, and told by an event serial.drift and an exception.
 */
#ifndef ORCHESTRATE_STOCK_SERIAL_H
#define ORCHESTRATE_STOCK_SERIAL_H

#include "model/movement.h"
#include "orchestrate/stock/stock.h"

struct order_open;

#define SERIALS_COUNTED_MAX  20000 /* of an item at a location: beyond it a count does not say which are missing */
#define SERIALS_REPORTED_MAX 100   /* one by one, of a movement; the rest as a number */

/* Stored: never renumbered. Those that are here are 1 to 4 (R_SERIALS_HERE). */
enum serial_state {
	SERIAL_UNKNOWN, /* never seen, or not found where it should be */
	SERIAL_IN_STOCK,
	SERIAL_QUARANTINED,
	SERIAL_PICKED,
	SERIAL_RETURNED, /* here again, not cleared */
	SERIAL_IN_TRANSIT,
	SERIAL_SHIPPED,
	SERIAL_SCRAPPED,
	SERIAL_STATES
};
const char *serial_state_name(enum serial_state s);
bool serial_state_parse(struct str name, enum serial_state *out);
bool serial_is_here(enum serial_state s); /* in stock, quarantined, picked or returned */

struct serial_at {
	enum serial_state state;
	struct str location, lot, owner, order_id; /* may be empty */
	int64_t occurred_at;
	int64_t movement; /* that says so; 0: none */
};

struct serial_move {
	struct serial *of;
	int64_t movement;
	struct str place; /* the location of its line */
	struct serial_at after;
	struct serial_move *next;      /* of the same serial */
	struct serial_move *next_made; /* of the open batch */
};

struct serial {
	struct str sku, serial;
	struct serial_at now;
	bool wanted, fetched;
	struct serial_move *moves;  /* of the open batch, the newest first */
	struct serial_void *voided; /* movements that the open batch took back */
	struct serial *next;        /* of the item */
	struct serial *next_fetch;
};

struct serial_void {
	int64_t movement;
	struct serial_void *next;
};

/* What a reversal is to put back. */
struct serial_undo {
	struct serial *serial;
	struct str place, lot, owner; /* of the line that is taken back */
	struct serial_at best;        /* what the others say; movement 0: nothing */
	struct serial_undo *next;
};

/* The serials of an item in the book. */
struct serial_item {
	struct serial *first;
	bool truncated; /* more than SERIALS_COUNTED_MAX at some location */
};

struct serial_book {
	struct map serials, items;
	struct serial_move *made; /* the newest first */
	struct serial_undo *undo; /* of the reversal that is being applied */
	int64_t undone;           /* the movement that it takes back */
};

struct serial_book *serial_book_new(void);
void serial_book_free(struct serial_book *b);
void serial_book_begin(struct serial_book *b); /* a new batch: it is empty */

/* Finds or makes; the texts must live as long as the batch. NULL: there is no room, and the transaction has failed. */
struct serial *serial_make(struct serial_book *b, struct txn *t, struct str sku, struct str serial);
/* The columns that rows of the registry and of histories begin with: sku, serial, then where it is. Copies. */
struct serial_at serial_at_of(struct txn *t, const struct store_value *row);
/* A row of R_SERIALS_NAMED or R_SERIALS_HERE, unless the batch has changed it. Copies. */
void serial_put(struct serial_book *b, struct txn *t, const struct store_value *row);

/* What a movement needs in the book. */
struct serial_place {
	struct str sku, location;
	struct serial_place *next;
};
struct serial_wants {
	struct serial *serials;      /* by next_fetch; those of one item follow each other */
	struct serial_place *places; /* that are counted: all that are here */
};
/* order: the movement's, or NULL. Nothing for a movement that the step will refuse. Costs nothing while no item has
 * serial numbers. */
void serials_wanted(struct stock *s, struct txn *t, const struct movement *m, const struct order_open *order,
		    struct serial_wants *out);

/* Has the open batch taken the movement back? */
bool serial_is_void(const struct serial *s, int64_t movement);

/* The lot that all serial numbers of a line are of, as far as they are known to be at its location; empty: it is not
 * known, or they are of several. */
struct str serial_lot(struct serial_book *b, struct txn *t, const struct movement_line *l);
/* The owner likewise. */
struct str serial_owner(struct serial_book *b, struct txn *t, const struct movement_line *l);

/* ---- of the verbs ---- */

struct serial_step {
	struct stock_draft *draft;
	const struct movement *movement;
	uint32_t reported;
};
/* One line of an item with serial numbers, after the ledger has taken it. */
void serial_step_line(struct serial_step *s, const struct movement_line *l, const struct stock_item *item);
/* A line of a count that is not stale. all_lots: of every lot there. */
void serial_step_count(struct serial_step *s, const struct movement_line *l, const struct stock_item *item,
		       bool all_lots);
/* Puts back what the book's undo says, of the lines of the reversal. */
void serial_step_reverse(struct serial_step *s);
void serial_step_end(struct serial_step *s);

/* A standing row of the history of one of undo's serials (R_SERIAL_HISTORIES), or a move of the batch: it may say where
 * it is. */
void serial_undo_consider(struct serial_undo *u, const struct serial_at *at, int64_t undone);

#endif
