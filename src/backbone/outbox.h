/*
 * The outbox: deliveries, their states and attempts. Stored as numbers: never renumber. Final from DELIVERY_FINAL.
 *
 *     waiting -> sending -> delivered
 *        ^          |---> waiting (technical, throttled: next_at says when)
 *        |          |---> unknown -> (look-up) -> delivered, or waiting
 *        |          `---> dead (refused, configuration, too old), superseded, cancelled
 */
#ifndef BACKBONE_OUTBOX_H
#define BACKBONE_OUTBOX_H

#include "mediate/pack.h"
#include "store/store.h"

#include <stdbool.h>

enum delivery_status {
	DELIVERY_WAITING = 0,
	DELIVERY_SENDING = 1, /* committed before the first byte leaves */
	DELIVERY_UNKNOWN = 2,
	DELIVERY_DELIVERED = 90,
	DELIVERY_SUPERSEDED = 91,
	DELIVERY_CANCELLED = 92,
	DELIVERY_DEAD = 93,
};
#define DELIVERY_FINAL 90

const char *delivery_status_name(enum delivery_status s);

/* What the delivery engine keeps of a delivery that waits. seq 0: none; the system itself has changed, and what waits
 * for it is tried at once. */
struct delivery_head {
	int64_t seq;
	uint64_t key; /* hash of the ordering key */
	int64_t next_at, created_at;
	uint32_t attempts;
	uint32_t system;   /* index in the tenant's systems, or a subscription (backbone/subscription.h) */
	uint8_t operation; /* enum operation */
	uint8_t status;    /* enum delivery_status */
	uint8_t priority;  /* enum delivery_priority */
	bool aside;        /* its key goes on without it (on_failure: skip_after) */
	bool replayed;     /* keeps its place among the live ones of its key, whatever its priority */
	uint8_t live;      /* of one that is: the priority of those; the engine sets it */
	uint64_t batch;    /* 0, or the hash of the batch that it was sent with and is sent with again */
};

/* delivery.result of one that is under way, or is tried again, together with others: this, and how the request is
 * called.
 */
#define DELIVERY_BATCH "batch "
uint64_t delivery_batch_hash(struct str result); /* 0: it is of no batch */
/* Goes on from what was hashed before (0: nothing). The same in every process: it is part of what requests are called.
 */
uint64_t delivery_hash(uint64_t before, struct str s);

/* As params: they are the data of the delivery's event, which is not stored twice. Readers get the data. */
#define DELIVERY_PARAMS_EVENT STR("=")

/* All of it; texts in the arena. */
struct delivery {
	struct delivery_head head;
	struct str delivery_id, system, key, order_id, correlation_id;
	int64_t event, document; /* 0: none */
	struct str params;       /* JSON, or empty */
	struct str result, reason;
	int64_t updated_at;
};

/* The hash of an ordering key, as in delivery_head.key. */
uint64_t delivery_key_hash(struct str key);
/* columns as R_DELIVERY and its relatives give them; texts are not copied; head.system is
 * left to the caller, and head.priority is the operation's. RC_IO if a row makes no sense. */
enum rc delivery_from_row(const struct store_value *columns, struct delivery *out) MUST_CHECK;
enum rc delivery_load(struct store_reader *r, struct arena *a, int64_t seq, struct delivery *out,
		      struct err *e) MUST_CHECK;
/* The same with what its request is made of; empty: there is none. */
struct delivery_parts {
	struct str document;    /* packed */
	struct str progress;    /* of its order: as order/progress.h reads it */
	struct str external_id; /* of its order at the system, if it came from there */
};
enum rc delivery_load_parts(struct store_reader *r, struct arena *a, int64_t seq, struct delivery *out,
			    struct delivery_parts *parts, struct err *e) MUST_CHECK;
/* A canonical document, unpacked. */
enum rc document_load(struct store_reader *r, struct arena *a, int64_t seq, struct str *json, struct err *e) MUST_CHECK;

#define DOCUMENT_BYTES_MAX (16u << 20)

#endif
