/*
 * A file of balances (CSV, RFC 4180) as pages of a reconciliation (schemas/stock-balances). Its first record names the
 * columns, in any order: sku and quantity (or available, what a channel shows), and location, lot, uom. Pure.
 */
#ifndef CLI_BALANCES_H
#define CLI_BALANCES_H

#include "base/arena.h"
#include "base/buf.h"
#include "format/csv.h"

#define BALANCES_COLUMNS    6
#define BALANCES_PAGE       5000
#define BALANCES_PAGE_BYTES (900u << 10) /* a request may have 1 MiB */

struct balances {
	struct csv csv;
	struct arena arena;
	int column[BALANCES_COLUMNS]; /* where each is; -1: nowhere */
	size_t width;
	int64_t rows; /* read so far */
};

/* Reads the first record. text lives as long as the balances. RC_INVALID with the line. */
enum rc balances_open(struct balances *b, struct str text, struct err *e) MUST_CHECK;
void balances_done(struct balances *b);

/* The next page, into the emptied buffer; *last: there are no more. RC_INVALID names the line. */
enum rc balances_page(struct balances *b, const char *as_of, struct buf *out, bool *last, struct err *e) MUST_CHECK;

#endif
