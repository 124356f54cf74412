/*
 * Reads: what the API, the console and the command line show of committed state, as JSON. Each call reads through the
 * given reader (one thread at a time) and writes one JSON value. RC_NOT_FOUND where the thing does not exist;
 * RC_INVALID "bad_cursor".
 */
#ifndef HUB_QUERY_H
#define HUB_QUERY_H

#include "base/buf.h"
#include "format/json.h"
#include "hub/hub.h"

struct query {
	struct hub *hub;
	struct store_reader *reader;
	struct arena *arena; /* scratch and results; the caller resets it */
};

struct query_page {
	uint32_t limit;    /* 1 to 1,000 */
	struct str cursor; /* empty: from the start (the newest) */
};

struct query_orders {
	struct str channel, external_id, status; /* empty: any */
	int64_t placed_after;                    /* 0: any */
};

enum rc query_order(struct query *q, struct str order_id, struct buf *out, struct err *e) MUST_CHECK;
enum rc query_orders(struct query *q, const struct query_orders *f, const struct query_page *p, struct buf *out,
		     struct err *e) MUST_CHECK;
/* Every step, attempt and decision of an order, in order of time. */
enum rc query_timeline(struct query *q, struct str order_id, struct buf *out, struct err *e) MUST_CHECK;
enum rc query_trace(struct query *q, struct str correlation_id, struct buf *out, struct err *e) MUST_CHECK;

enum rc query_stock(struct query *q, struct str sku, struct buf *out, struct err *e) MUST_CHECK;
enum rc query_movements(struct query *q, struct str sku, const struct query_page *p, struct buf *out,
			struct err *e) MUST_CHECK;
struct query_serials {
	struct str location, state, serial; /* empty: any */
};
enum rc query_serials(struct query *q, struct str sku, const struct query_serials *by, const struct query_page *p,
		      struct buf *out, struct err *e) MUST_CHECK;
/* One, with the movements that named it, the newest first; the page is of these. */
enum rc query_serial(struct query *q, struct str sku, struct str serial, const struct query_page *p, struct buf *out,
		     struct err *e) MUST_CHECK;
/* Of one channel, by item and location. */
enum rc query_ring_fences(struct query *q, struct str channel, const struct query_page *p, struct buf *out,
			  struct err *e) MUST_CHECK;
enum rc query_availability(struct query *q, struct str channel, const struct str *skus, size_t count, struct buf *out,
			   struct err *e) MUST_CHECK;
enum rc query_reservation(struct query *q, struct str id, struct buf *out, struct err *e) MUST_CHECK;

/* {"items":[CloudEvents with position],"next_cursor"}; types empty: all; "order.*" is every type that begins so. *last
 * is the position up to which the log was looked at: whoever goes on from it misses nothing and sees nothing twice. */
enum rc query_events(struct query *q, int64_t after, const struct str *types, size_t type_count, uint32_t limit,
		     struct buf *out, int64_t *last, struct err *e) MUST_CHECK;
/* The same events one by one, for the stream: emit is called with id, type and the event's JSON. */
typedef enum rc (*query_event_fn)(void *ctx, int64_t position, struct str type, struct str json);
enum rc query_events_each(struct query *q, int64_t after, const struct str *types, size_t type_count, uint32_t limit,
			  query_event_fn emit, void *ctx, int64_t *last, struct err *e) MUST_CHECK;

/* One event as it is sent; *id in the arena. */
enum rc query_event(struct query *q, int64_t position, struct str *id, struct buf *out, struct err *e) MUST_CHECK;

struct query_subscription_live {
	void (*write)(void *ctx, const struct hub *h, uint32_t system, struct json_writer *w);
	void *ctx;
};
/* live: what is known of its deliveries at the moment; NULL for none. */
enum rc query_subscriptions(struct query *q, const struct query_subscription_live *live, const struct query_page *p,
			    struct buf *out, struct err *e) MUST_CHECK;
enum rc query_subscription(struct query *q, struct str id, const struct query_subscription_live *live, struct buf *out,
			   struct err *e) MUST_CHECK;

/* Adds members to a system's object: what is known of it at the moment. oldest_age_ms: of its open deliveries; 0: none.
 */
struct query_live {
	void (*write)(void *ctx, const struct hub *h, const struct config_system *s, int64_t oldest_age_ms,
		      struct json_writer *w);
	void *ctx;
};
/* live: NULL for none. */
enum rc query_systems(struct query *q, const struct query_live *live, struct buf *out, struct err *e) MUST_CHECK;
enum rc query_system(struct query *q, struct str name, const struct query_live *live, struct buf *out,
		     struct err *e) MUST_CHECK;
enum rc query_deliveries(struct query *q, struct str system, struct str status, const struct query_page *p,
			 struct buf *out, struct err *e) MUST_CHECK;
enum rc query_delivery(struct query *q, struct str delivery_id, struct buf *out, struct err *e) MUST_CHECK;
struct query_dead_letters {
	struct str system, class_, operation, status; /* empty: any */
};
enum rc query_dead_letters(struct query *q, const struct query_dead_letters *by, const struct query_page *p,
			   struct buf *out, struct err *e) MUST_CHECK;
enum rc query_dead_letter(struct query *q, struct str id, struct buf *out, struct err *e) MUST_CHECK;
enum rc query_exceptions(struct query *q, const struct query_page *p, struct buf *out, struct err *e) MUST_CHECK;
/* What is known of a run that is under way, beside its row. */
struct query_reconciliation_live {
	void (*write)(void *ctx, int64_t seq, struct json_writer *w);
	void *ctx;
};
/* live: NULL for none. */
enum rc query_reconciliation(struct query *q, struct str id, const struct query_reconciliation_live *live,
			     struct buf *out, struct err *e) MUST_CHECK;
enum rc query_reconciliations(struct query *q, const struct query_reconciliation_live *live, const struct query_page *p,
			      struct buf *out, struct err *e) MUST_CHECK;
/* What a run found: a list, oldest first, and all of it as CSV (RFC 4180). class_: empty for any. */
enum rc query_drift(struct query *q, struct str id, struct str class_, const struct query_page *p, struct buf *out,
		    struct err *e) MUST_CHECK;
enum rc query_drift_csv(struct query *q, struct str id, struct str class_, struct buf *out, struct err *e) MUST_CHECK;
/* Counts for the first console page and the demo: orders by status, deliveries by system and status, exceptions, dead
 * letters, inbox fates, position, lag quantiles from the metrics. From memory: no table is read. */
enum rc query_overview(struct query *q, struct buf *out, struct err *e) MUST_CHECK;
/* Promise 6 and the ledger: sums of all movements against the balances, order lines against allocations, inbox and
 * outbox, the counters against the tables. {"ok":true,"checks":[{"name","ok","detail"}]} */
enum rc query_audit(struct query *q, struct buf *out, struct err *e) MUST_CHECK;

#endif
