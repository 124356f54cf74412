/*
 * One transaction in the making: what step functions write to. Nothing here does I/O or looks at a clock; the hub
 * commits the result as one batch.
 *
 * Writing cannot fail step by step: when the arena's limit is reached the transaction is marked as failed and the hub
 * gives the whole batch up. Texts that are given must live until the commit (the command's arena or this one's).
 */
#ifndef BACKBONE_TXN_H
#define BACKBONE_TXN_H

#include "backbone/dedup.h"
#include "backbone/inbox.h"
#include "backbone/outbox.h"
#include "backbone/subscription.h"
#include "base/uuid.h"
#include "format/json.h"
#include "store/store.h"

/* The last number that each log has given out. */
struct log_heads {
	int64_t inbox, dedup, document, event, orders, movement, delivery, attempt, dead_letter, exception,
	    subscription, reconciliation, drift, job, reservation;
};

/* Who is behind the effects: of the command that is being applied. */
struct txn_cause {
	struct str correlation_id;
	struct str source; /* may be empty */
};

/* What is counted of a tenant's rows; a, b, c say which of them. */
enum counted {
	COUNTED_ORDERS,            /* status */
	COUNTED_INBOX,             /* kind, fate */
	COUNTED_DELIVERIES,        /* system, operation, "open" or a final status */
	COUNTED_EXCEPTIONS,        /* open ones: kind */
	COUNTED_DEAD_LETTERS,      /* open ones: class, system, operation */
	COUNTED_BACKORDERED_LINES, /* ever: a metric only */
	COUNTED_DRIFT,             /* ever: a metric only */
	COUNTED_AWAY,              /* the same: channel, what was decided */
	COUNTED_KINDS
};

struct txn_count {
	struct txn_count *next;
	enum counted what;
	struct str a, b, c;
	int64_t delta; /* of the number there are */
	int64_t added; /* without what was taken away */
};
#define TXN_COUNT_BUCKETS 64

struct txn {
	struct store_batch batch;
	struct arena *arena;
	struct log_heads *heads;
	struct dedup *dedup;
	struct uuid_source *ids;
	struct subscriptions *subscriptions; /* that events go to; NULL: none */
	int64_t now;
	struct txn_cause cause;
	struct delivery_head *deliveries; /* made in this transaction, for the delivery engine */
	size_t delivery_count, delivery_room;
	unsigned char *keys; /* packed dedup keys, for txn_keys */
	size_t key_count, key_room;
	struct txn_count *counts[TXN_COUNT_BUCKETS]; /* by hash of a, b, c */
	bool failed;
};

void txn_init(struct txn *t, struct arena *arena, struct log_heads *heads, struct dedup *dedup, struct uuid_source *ids,
	      int64_t batch_number, int64_t now);

/* Adds one write; on failure marks the transaction. */
#define txn_put(t, statement, ...)                                                                                     \
	txn_write((t), (statement), (const struct store_value[]){__VA_ARGS__},                                         \
		  sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value))
void txn_write(struct txn *t, enum store_statement s, const struct store_value *values, size_t count);

struct str txn_uuid(struct txn *t); /* text, in the arena */
struct str txn_copy(struct txn *t, struct str s);

/* A scratch buffer for JSON that the next txn_text turns into a slice of the arena. */
struct str txn_text(struct txn *t, const struct buf *b);

/* Appends an event, with a delivery for each subscription that wants it; returns its position. data: a JSON object.
 * document: 0 for none. */
int64_t txn_event(struct txn *t, const char *type, struct str subject, int64_t document, struct str data);
int64_t txn_document(struct txn *t, struct str type, struct str packed); /* returns its seq */
/* The key counts at once, and is written by txn_keys. */
void txn_dedup(struct txn *t, enum dedup_kind kind, struct hash128 hash, uint64_t fingerprint, int64_t ref);
/* At the end of the transaction, once: writes the row of all its keys, if there are any. */
void txn_keys(struct txn *t);

/* Whoever writes a row that is counted says so: 1 for a row that is now of this kind, -1 for one that no longer is. */
void txn_count(struct txn *t, enum counted what, struct str a, struct str b, struct str c, int64_t delta);
/* A delivery is open no longer. status: a final one. */
void txn_delivery_ended(struct txn *t, struct str system, enum operation op, enum delivery_status status);

struct txn_delivery {
	struct str id; /* empty: one is made */
	struct str system;
	uint32_t system_index;
	enum operation operation;
	enum delivery_priority priority;
	bool replayed;
	struct str key; /* what order is kept by: an order id. One key has one priority */
	struct str order_id;
	int64_t event, document; /* 0: none */
	struct str params;       /* JSON, or empty */
};
int64_t txn_delivery(struct txn *t, const struct txn_delivery *d); /* returns its seq */
/* An event to a subscription; in order per subject. op: OP_EVENT or OP_EVENT_REPLAY. */
int64_t txn_event_delivery(struct txn *t, int64_t seq, enum operation op, int64_t position, struct str subject);
/* The engine looks again at what waits for this system. */
void txn_system_changed(struct txn *t, uint32_t system);
/* The same, for the last time: a subscription was deleted. */
void txn_system_gone(struct txn *t, uint32_t system);
/* A delivery that has ended waits again, at once, under its id. d->head.system is set. replay: the job or dead letter
 * that did it. */
void txn_delivery_reopen(struct txn *t, const struct delivery *d, struct str replay);

/* Something that a person must decide; also an event. */
struct str txn_exception(struct txn *t, const char *kind, struct str subject, struct str order_id, struct str detail);
/* class: "mapping", "validation", "refused", "configuration", "technical", "unknown". inbox, delivery: 0 for none.
 * operation: of a delivery, else empty. trace_key: the business object whose later success closes it; may be empty.
 * Also an event. */
void txn_dead_letter(struct txn *t, const char *class_, struct str system, struct str operation, int64_t inbox,
		     int64_t delivery, struct str reason, struct str payload, struct str trace_key);

#endif
