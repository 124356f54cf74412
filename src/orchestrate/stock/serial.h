/*
 * The registry of serial numbers: where each one is, by what movement. Pure; writer only.
 *
 * The rows are in the store, not in memory: there are millions. The book holds those that the open batch names. Before
 * a movement is applied the hub asks serials_wanted for what it names, reads it and gives it to serial_put; the steps
 * find it in the book and write what changes. A serial that has no row is SERIAL_UNKNOWN.
 *
 * Each movement that names a serial adds a fact to its history (serial_history.c). The registry says what all facts
 * that stand come to in order of occurred_at (of equal ones, in order of the log), whatever the order in which they
 * arrived; a movement that is taken back leaves what the others say. For a fact that comes late the hub reads the
 * history first; it is not judged: what it met is not known any more. Only of counts the order of arrival matters: one
 * that is older than the last count of its place says nothing, and one that is told late does not miss a serial of
 * which something later is known.
 *
 * A count that names as many as it counted says of every other serial that it is not there. So such counts have rows of
 * their own: for a fact from before one of them the hub reads them as well, and what the serial then must have been
 * missing from it is, from then on. What a count missed and a fact explains is missed no more; its exception is closed.
 *
 * Movements are facts. What the registry cannot explain is applied, and told by an event serial.drift and an exception.
 */
#ifndef ORCHESTRATE_STOCK_SERIAL_H
#define ORCHESTRATE_STOCK_SERIAL_H

#include "model/movement.h"
#include "orchestrate/stock/stock.h"

struct order_open;

#define SERIALS_COUNTED_MAX  20000 /* of an item at a location: beyond it a count does not say which are missing */
#define SERIAL_COUNTS_MAX    1000  /* of an item after a late fact: later ones do not miss what it names */
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

/* What a fact leaves as it was. Stored: never renumbered. */
enum {
	SERIAL_LEAVES_LOT = 1,
	SERIAL_LEAVES_OWNER = 2,
	SERIAL_SEEN = 4,   /* counted: if it was here, all but that */
	SERIAL_MISSED = 8, /* not counted: if it was here, it is lost; else everything */
	SERIAL_ALL_LOTS = 16,
	SERIAL_LOST = 32 /* of a row: serial_fact.lost */
};

/* serial_move.kind; stored. */
enum serial_move_kind { SERIAL_MOVE_STANDS, SERIAL_MOVE_TAKEN_BACK, SERIAL_MOVE_TAKES_BACK };

struct serial_fact {
	struct serial *of;
	struct str place; /* the location of its line */
	uint32_t line;    /* of the movement, from 0 */
	struct serial_at said, after;
	unsigned leaves;
	bool late;         /* it came after a fact that happened later */
	bool lost;         /* a count that did not find it, where it was */
	bool told;         /* that it was lost */
	int64_t exception; /* that says so, while it is open; 0: none */
	struct str exception_id;
	struct serial_at found; /* if it is lost: where it was */
	bool taken_back;
	struct serial_fact *next;
	struct serial_fact *next_made; /* of the open batch */
};

struct serial {
	struct str sku, serial;
	struct serial_at now;
	bool wanted, fetched;
	bool whole;                /* facts has all that stand; else those of the open batch */
	struct serial_fact *facts; /* in order of occurred_at */
	struct serial *next;       /* of the item */
	struct serial *next_fetch;
};

/* A fact that is to be taken back. */
struct serial_undo {
	struct serial_fact *fact;
	struct serial_undo *next;
};

/* A line of a count that says which are missing. */
struct serial_count {
	struct str sku, location, lot, owner;
	int64_t occurred_at, movement;
	uint32_t line;
	bool all_lots, taken_back;
	struct serial_count *next;     /* of the item, by instant and movement */
	struct serial_count *next_any; /* of the book */
};

/* An exception that was closed. */
struct serial_closed {
	int64_t exception;
	struct serial_closed *next;
};

/* The serials of an item in the book. */
struct serial_item {
	struct serial *first;
	struct serial_count *counts;
	bool truncated; /* more than SERIALS_COUNTED_MAX at some location */
};

struct serial_book {
	struct map serials, items;
	struct serial_fact *made; /* the newest first */
	struct serial_undo *undo; /* of the reversal that is being applied */
	struct serial_count *counts;
	struct serial_closed *closed; /* by the movement that is being applied */
};

struct serial_book *serial_book_new(void);
void serial_book_free(struct serial_book *b);
void serial_book_begin(struct serial_book *b); /* a new batch: it is empty */

/* Finds or makes; the texts must live as long as the batch. NULL: there is no room, and the transaction has failed. */
struct serial *serial_make(struct serial_book *b, struct txn *t, struct str sku, struct str serial);
/* A row of R_SERIALS_NAMED or R_SERIALS_HERE, unless the batch has changed it. Copies. */
void serial_put(struct serial_book *b, struct txn *t, const struct store_value *row);
/* A row of R_SERIAL_COUNTS or R_SERIAL_COUNTS_OF. Copies. */
void serial_count_put(struct serial_book *b, struct txn *t, const struct store_value *row);
/* Adds it, unless it is there. NULL: there is no room, and the transaction has failed. */
struct serial_count *serial_count_add(struct serial_book *b, struct txn *t, const struct serial_count *count);
/* Somebody else has closed it in this batch. */
void serial_exception_closed(struct serial_book *b, int64_t exception);

static inline bool serial_is_late(const struct serial *s, int64_t occurred_at)
{
	return s->now.movement && occurred_at < s->now.occurred_at;
}

/* What a movement needs in the book. */
struct serial_place {
	struct str sku, location;
	struct serial_place *next;
};
struct serial_named {
	struct serial *serial;
	struct serial_named *next;
};
struct serial_wants {
	struct serial_named *named;  /* all: those that are late when they are fetched need their history */
	struct serial *serials;      /* by next_fetch; those of one item follow each other */
	struct serial_place *places; /* that are counted: all that are here */
	struct serial_place *counts; /* of sku: something is from before a count: its counts, and all histories */
};
/* order: the movement's, or NULL. Nothing for a movement that the step will refuse. Costs nothing while no item has
 * serial numbers. */
void serials_wanted(struct stock *s, struct txn *t, const struct movement *m, const struct order_open *order,
		    struct serial_wants *out);

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
/* Puts back what the book's undo says, of the lines of the reversal; and counts of the movement that is taken back. */
void serial_step_reverse(struct serial_step *s);
void serial_step_end(struct serial_step *s);

/* ---- the facts of a serial (serial_history.c) ---- */

/* A row of R_SERIAL_HISTORIES or R_SERIAL_STANDING, unless it is whole already. Copies. NULL: there is no room. */
struct serial *serial_fact_put(struct serial_book *b, struct txn *t, const struct store_value *row);
/* What the movement says of it; NULL: nothing that stands. */
struct serial_fact *serial_fact_of(const struct serial *s, int64_t movement);
/* Of place, said, leaves and late; a late one needs the whole history. */
void serial_add(struct serial_book *b, struct txn *t, struct serial *s, const struct serial_fact *fact);
/* Needs the whole history. */
void serial_take_back(struct txn *t, struct serial_fact *f);
/* Where it was before that movement. The same. */
struct serial_at serial_before(struct serial *s, int64_t occurred_at, int64_t movement);
/* As it is now. */
void serial_write_fact(struct txn *t, const struct serial_fact *f);
/* Is it where the count looked? */
bool serial_counted_at(const struct serial_at *at, const struct serial_at *count, bool all_lots);
/* As the fact says, but for what it comes to. */
void serial_write_move(struct txn *t, const struct serial_fact *f, const struct serial_at *after,
		       enum serial_move_kind kind);

#endif
