/*
 * How many rows of each kind a tenant has, without looking at the tables: orders by status, the inbox by kind and fate,
 * deliveries by system, operation and end, open exceptions by kind, open dead letters by class,
 * system and operation.
 *
 * Step functions say what they change (txn_count). The totals of what a batch has changed are rows of meta in the same
 * transaction, "count:inbox/message/applied", and "count:batch" is the number of the last batch that wrote any; in
 * memory they follow after the commit. A store that has no such rows yet is counted once, when it is loaded.
 *
 * The writer alone loads, flushes and commits; any thread reads. The lock is held for additions and for a copy.
 */
#ifndef HUB_COUNTERS_H
#define HUB_COUNTERS_H

#include "backbone/txn.h"

struct counters;

struct counter {
	struct str name; /* of its row */
	enum counted what;
	struct str a, b, c; /* as in txn_count; parts of name */
	int64_t total;
};

struct counters *counters_new(struct str tenant);
void counters_free(struct counters *c); /* NULL is fine */

/* The committed totals, from the rows or else from the tables. In the reader's snapshot, if it has begun one. */
enum rc counters_load(struct counters *c, struct store_reader *r, struct err *e) MUST_CHECK;
/* At the end of a batch: adds the rows. */
void counters_flush(struct counters *c, struct txn *t);
/* After its commit. */
void counters_committed(struct counters *c, const struct txn *t);

/* One committed total. The writer only. */
int64_t counters_total(const struct counters *c, enum counted what, struct str a, struct str b, struct str third);
/* By name; the names live as long as the counters. *batch: of the last batch that changed them. NULL: the arena is
 * full. */
struct counter *counters_read(struct counters *c, struct arena *a, size_t *count, int64_t *batch);

/* What the rows say; nothing for "count:batch", whose value is *batch (0: there are no rows). */
typedef enum rc (*counters_fn)(void *ctx, struct str name, int64_t total);
enum rc counters_stored(struct store_reader *r, counters_fn each, void *ctx, int64_t *batch, struct err *e) MUST_CHECK;
/* What the tables say: reads all of them. A name may come more than once, its totals add up. */
enum rc counters_scan(struct store_reader *r, counters_fn each, void *ctx, struct err *e) MUST_CHECK;

#endif
