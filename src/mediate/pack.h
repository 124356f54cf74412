/*
 * Connector packs: connectors/<name>/connector.yaml and its mappings, loaded, checked and immutable (counted).
 *
 * A pack says which operations a system of its kind can be asked (outbound), which endpoints it sends to (inbound), how
 * an answer is classified and how an unknown outcome is confirmed. All of it is data; nothing here knows a real system.
 */
#ifndef MEDIATE_PACK_H
#define MEDIATE_PACK_H

#include "mediate/mediator.h"
#include "mediate/operation_policy.h"
#include "model/schema.h"

#include <stdbool.h>
#include <stdint.h>

/* The canonical operations: what the hub may ask of a system. Names as in connector.yaml and in delivery.operation. */
enum operation {
	OP_ORDER_POST,         /* "order.post"        post an order (erp) */
	OP_ORDER_CANCEL,       /* "order.cancel"      cancel it (erp) */
	OP_SHIPMENT_REQUEST,   /* "shipment.request"  ask the warehouse to ship */
	OP_STOCK_TRANSACTIONS, /* "stock.transactions" tell the ERP of stock movements */
	OP_AVAILABILITY,       /* "availability"      what a channel may sell */
	OP_ORDER_STATUS,       /* "order.status"      tell a channel */
	OP_SHIPMENT,           /* "shipment"          tell a channel or the ERP */
	OP_INVOICE,            /* "invoice" */
	OP_PRICE,              /* "price" */
	OP_ITEM,               /* "item" */
	OP_CUSTOMER,           /* "customer" */
	OP_STOCK_BALANCES,     /* "stock.balances"    read: what is on hand there, a page at a time (pack_page) */
	OP_AVAILABILITY_SHOWN, /* "availability.shown" read: what a channel shows, a page at a time */
	OP_EVENT,              /* "event"             an event of the log, to a subscription: no pack has it */
	OP_EVENT_REPLAY,       /* "event.replay"      the same, again because somebody asked for it */
	OPERATIONS
};
#define OP_IS_EVENT(op) ((op) == OP_EVENT || (op) == OP_EVENT_REPLAY)
const char *operation_name(enum operation op);
bool operation_parse(struct str name, enum operation *out);
/* What a pack that says nothing else has. Deliveries about one order are of one priority: among them order is kept. */
enum delivery_priority operation_priority(enum operation op);

/* What an attempt came to. */
enum outcome {
	OUTCOME_DELIVERED,
	OUTCOME_REFUSED,       /* by the business: an exception for a person */
	OUTCOME_THROTTLED,     /* come again later; not counted as a failure */
	OUTCOME_TECHNICAL,     /* retried */
	OUTCOME_CONFIGURATION, /* our mistake: dead letter and alert at once */
	OUTCOME_UNAUTHORIZED,  /* stops the system's deliveries, which wait; alert at once */
	OUTCOME_UNKNOWN,       /* sent, but no answer: confirmed before it is sent again */
	OUTCOMES
};
const char *outcome_name(enum outcome o);

struct pack_operation {
	enum operation op;
	bool present;
	bool idempotent; /* the destination honours Idempotency-Key: may be sent again after an unknown outcome without
			    look-up */
	bool has_lookup;
	int64_t timeout_ms;       /* whole transfer */
	int64_t confirm_after_ms; /* an empty look-up counts when it has stayed empty this long */
	uint32_t batch_items;     /* of operations that read or cut their items: most in one request */
	struct operation_policy policy;
};

struct pack_endpoint {
	struct str name;   /* the last part of /in/{tenant}/{system}/{endpoint} */
	struct str type;   /* canonical type it yields: "order"; empty if its mapping says */
	struct str decode; /* "json", or "text": the codec the bytes go through */
};

struct pack {
	struct str name;
	struct str version; /* hash of its manifest and scripts, hex */
	struct pack_operation operations[OPERATIONS];
	struct pack_endpoint *endpoints;
	size_t endpoint_count;
	struct str signature;          /* "standard-webhooks", or "none" */
	const struct schema *settings; /* what a user fills in; NULL if nothing */
	const struct schema_registry *schemas;
	void *implementation; /* pack.c's own */
};

/* Findings: file (in pointer), line, reason. schemas must outlive the pack. */
enum rc pack_load(const char *folder, const struct schema_registry *schemas, struct pack **out,
		  struct findings *f) MUST_CHECK;
struct pack *pack_ref(struct pack *p);
void pack_unref(struct pack *p);
const struct pack_endpoint *pack_find_endpoint(const struct pack *p, struct str name);

/* Runs connectors/<name>/fixtures: real payloads in, exact canonical out, and the reverse. Counts; findings name file
 * and difference. `crossdock test` is this. */
enum rc pack_test(struct mediator *m, const char *folder, const struct schema_registry *schemas, size_t *passed,
		  size_t *failed, struct findings *f) MUST_CHECK;

/* ---- inbound: bytes -> canonical objects ---- */

struct inbound_item {
	struct str type;             /* "order" */
	const struct json *document; /* canonical, valid by its schema; unknown fields moved into /extensions */
	struct findings findings;    /* not empty: this item is not valid and becomes a dead letter */
	struct findings drift;       /* fields that the schema does not know */
};

struct inbound {
	size_t count;
	struct inbound_item *items;
};
/* RC_INVALID, RC_LIMIT: the whole message is a dead letter; e says why. RC_REJECT: the mapping refused it, e.detail is
 * the business reason. Everything in the arena; body and settings have to live as long. */
enum rc pack_inbound(const struct pack *p, struct mediator *m, struct str endpoint, const struct json *settings,
		     struct str body, struct arena *arena, struct inbound *out, struct err *e) MUST_CHECK;

/* ---- outbound: canonical -> request, answer -> outcome ---- */

struct pack_header {
	struct str name, value;
};

struct pack_request {
	struct str method; /* "POST" */
	struct str path;   /* with query, joined to the system's url: "/orders?order_id=..." */
	struct str body;
	struct pack_header *headers; /* Content-Type and what the pack adds; not authentication, not our own ids */
	size_t header_count;
};

/*
 * RC_REJECT: the mapping refused it, as if the destination had (OUTCOME_REFUSED).
 * input: {"delivery_id","operation","system","settings":{},"correlation_id","order_id"?,"external_id"? (the order's id
 * in that system), "document"? (the canonical document), "params"? (what the hub said with the delivery)}.
 */
enum rc pack_render(const struct pack *p, struct mediator *m, enum operation op, const struct json *input,
		    struct arena *arena, struct pack_request *out, struct err *e) MUST_CHECK;
/* The look-up after an unknown outcome; same input. */
enum rc pack_render_lookup(const struct pack *p, struct mediator *m, enum operation op, const struct json *input,
			   struct arena *arena, struct pack_request *out, struct err *e) MUST_CHECK;

/* What a request cost in the destination's points, in thousandths, as the answer says. */
struct pack_cost {
	bool known;
	int64_t requested, actual;                /* 0: not said */
	int64_t available, maximum, restore_rate; /* a second */
};

/* One delivery of a batch by itself. */
struct pack_part {
	bool said; /* false: as the whole */
	enum outcome outcome;
	struct str external_id, detail;
};

struct pack_answer {
	enum outcome outcome;
	struct str external_id;   /* what the destination calls it; may be empty */
	struct str detail;        /* the problem's detail, for a person; may be empty */
	int64_t retry_after_ms;   /* 0: not said */
	int64_t retry_at_ms;      /* the same as an instant, when the answer gave a date; 0: not said */
	const struct json *items; /* availability: array of {"sku","available"} that were stale; else NULL. Status 412:
				     all were, if it is empty */
	const struct json *page;  /* of the operations that read: {"as_of","items":[...],"next_cursor"}, else NULL */
	struct pack_cost cost;
	const struct pack_part *parts; /* of a batch, by its deliveries; NULL: all are as the whole */
};
/* status 0: the transfer failed, body (the transport's words) says how, and sent tells whether the request may have
 * arrived. */
enum rc pack_classify(const struct pack *p, struct mediator *m, enum operation op, int status, struct str retry_after,
		      struct str body, bool sent, struct arena *arena, struct pack_answer *out,
		      struct err *e) MUST_CHECK;
/* Of a batch: deliveries as they were rendered, in order; out->parts has as many, or is NULL. */
enum rc pack_classify_batch(const struct pack *p, struct mediator *m, enum operation op, int status,
			    struct str retry_after, struct str body, bool sent, const struct json *deliveries,
			    struct arena *arena, struct pack_answer *out, struct err *e) MUST_CHECK;
/* *found: the destination has it (then answer->external_id). delivery_id: what is looked for in a list. */
enum rc pack_classify_lookup(const struct pack *p, struct mediator *m, enum operation op, struct str delivery_id,
			     int status, struct str body, struct arena *arena, bool *found, struct pack_answer *out,
			     struct err *e) MUST_CHECK;

#endif
