/* What the parts of the audit share (query_audit.c). */
#ifndef HUB_QUERY_AUDIT_H
#define HUB_QUERY_AUDIT_H

#include "base/map.h"
#include "hub/query_parts.h"
#include "orchestrate/stock/view.h"

#define AUDIT_PAGE 2000

struct audit_check {
	const char *name;
	struct buf detail;
	int64_t bad;
};

enum audit_which { LEDGER, STATES, MEMORY, HOLDS, ALLOCATIONS, ORDERS, INBOX, DELIVERIES, COUNTERS, SERIALS, CHECKS };

struct audit {
	struct query *q;
	struct arena arena;
	struct map positions; /* query_audit_books.c */
	struct map totals;    /* struct audit_total by name */
	struct audit_check checks[CHECKS];
	struct err *e;
	int64_t seq, movements, orders, reservations;
	uint32_t page_rows;
	struct buf key;
};

void audit_differ(struct audit *a, enum audit_which which, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum rc audit_too_large(struct audit *a) MUST_CHECK;

/* In the snapshot: balances, movements, reservations and orders. */
enum rc audit_read_books(struct audit *a) MUST_CHECK;
/* Then: they add up. */
void audit_check_books(struct audit *a);
/*
 * Outside the snapshot, whose last event is `stored`. The hub publishes after it has committed and counts the position
 * after it has published: so if all was published before and nothing is committed afterwards, the published stock is
 * that of the snapshot. Else what was seen means nothing. *compared says which.
 */
enum rc audit_check_memory(struct audit *a, int64_t position_before, int64_t stored, bool *compared) MUST_CHECK;

#endif
