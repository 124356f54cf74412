/*
 * How the deliveries of one operation are treated: how urgent they are, when they are tried again, what a failing one
 * does to those behind it, and whether several go in one request. A pack says it for its kind of system
 * (connector.yaml, operations), the configuration for one system (delivery.operations), key by key.
 */
#ifndef MEDIATE_OPERATION_POLICY_H
#define MEDIATE_OPERATION_POLICY_H

#include "format/json.h"

#include <stdbool.h>
#include <stdint.h>

#define RETRY_DELAYS_MAX 32

/* Stored as numbers: never renumber. */
enum delivery_priority {
	PRIORITY_EXPEDITED = 0, /* orders, shipments, cancellations, stock that goes to zero */
	PRIORITY_NORMAL = 1,
	PRIORITY_BULK = 2, /* catalogue, prices, replays */
	PRIORITIES
};
const char *delivery_priority_name(enum delivery_priority p);

/* What a delivery that fails does to those of its key that wait behind it. */
enum on_failure {
	ON_FAILURE_BLOCK,  /* they wait */
	ON_FAILURE_SKIP,   /* they go on after skip_after attempts; it is retried beside them */
	ON_FAILURE_LATEST, /* a newer one supersedes the older ones that are not sent */
};

struct operation_policy {
	enum delivery_priority priority;
	enum on_failure on_failure;
	uint32_t skip_after;
	int64_t retry_base_ms, retry_max_ms, give_up_after_ms; /* 0: the system's */
	uint32_t delay_count; /* more than 0: these pauses instead, then a dead letter */
	int64_t delays[RETRY_DELAYS_MAX];
	uint32_t batch_count; /* deliveries in one request; 0, 1: one */
	uint32_t batch_bytes; /* of what the deliveries say, about */
	int64_t batch_linger_ms;
};

/* Reads the members priority, retry, on_failure and batch (if it is an object) over what *p has. What is absent, or of
 * a wrong type (the schema has said so), stays. false: *detail says what is wrong with which member. */
bool operation_policy_read(const struct json *object, struct operation_policy *p, const char **member,
			   const char **detail);

#endif
