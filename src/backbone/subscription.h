/*
 * Subscriptions: callers of the API who get the events of the log as signed webhooks (docs/webhooks.md).
 *
 * To the delivery engine a subscription is a destination as a system is: its deliveries are rows of the outbox, made in
 * the transaction of their event. In rows it is called "sub_<seq>"; where a system goes by its index
 * (delivery_head.system), a subscription goes by its seq with SUBSCRIPTION_SYSTEM set.
 *
 * The table is the writer's: what it has to know of each to match events and to follow failures. Whoever else wants a
 * subscription reads its row.
 */
#ifndef BACKBONE_SUBSCRIPTION_H
#define BACKBONE_SUBSCRIPTION_H

#include "backbone/replay.h"
#include "base/arena.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define SUBSCRIPTION_SYSTEM    0x80000000u
#define SUBSCRIPTION_NAME_MAX  32
#define SUBSCRIPTION_TYPES_MAX 50
#define SUBSCRIPTION_TYPE_MAX  100
#define SUBSCRIPTION_URL_MAX   2000

static inline bool system_is_subscription(uint32_t system)
{
	return system & SUBSCRIPTION_SYSTEM;
}

static inline int64_t subscription_seq(uint32_t system)
{
	return system & ~SUBSCRIPTION_SYSTEM;
}

static inline uint32_t subscription_system(int64_t seq)
{
	return (uint32_t)seq | SUBSCRIPTION_SYSTEM;
}

void subscription_name(int64_t seq, char out[SUBSCRIPTION_NAME_MAX]);
/* false: it is not the name of a subscription. */
bool subscription_name_parse(struct str name, int64_t *seq);

/* Stored as numbers: never renumber. */
enum subscription_state {
	SUBSCRIPTION_ENABLED = 0,
	SUBSCRIPTION_DISABLED = 1, /* by its owner, or because it failed for too long */
	SUBSCRIPTION_DELETED = 2,  /* the row stays for its deliveries' sake, without url and secrets */
};

/* One of them, as its row says; texts belong to the table, or to the arena it was read into. */
struct subscription {
	int64_t seq;
	enum subscription_state state;
	struct str url;
	struct str types;   /* by spaces; "order.*" is every type that begins so, "*" is all */
	struct str secrets; /* sealed (hub/webhook_secret.h) */
	struct str reason;  /* why it is disabled; may be empty */
	int64_t created_at, changed_at;
	int64_t failing_since;       /* every attempt since then has failed; 0: the last one was good */
	int64_t warned_at;           /* that it will be disabled; 0: not yet */
	int64_t failures;            /* attempts that have failed since then; counted up to what disabling takes */
	struct replay_ranges replay; /* what is asked for again and not yet in the outbox */
};

#define SUBSCRIPTION_COLUMNS 12
/* Columns as R_SUBSCRIPTION gives them; texts are not copied. RC_IO if a row makes no sense. */
enum rc subscription_from_row(const struct store_value *columns, struct subscription *out) MUST_CHECK;
enum rc subscription_load(struct store_reader *r, struct arena *a, int64_t seq, struct subscription *out,
			  struct err *e) MUST_CHECK;
/* Is the type among them? */
bool subscription_wants(struct str types, struct str type);

struct subscriptions;
struct subscriptions *subscriptions_new(void);
void subscriptions_free(struct subscriptions *s); /* NULL is fine */
/* Adds or replaces; copied. One that is deleted is forgotten. */
void subscriptions_put(struct subscriptions *s, const struct subscription *one);
struct subscription *subscriptions_find(struct subscriptions *s, int64_t seq); /* or NULL; until the next put */
size_t subscriptions_count(const struct subscriptions *s);
struct subscription *subscriptions_at(struct subscriptions *s, size_t i); /* by seq */
/* The seqs of those that are enabled and want this event; until the next put. An event about a subscription (its
 * subject is one) goes to others only, and only if it is one of the few that a subscription can cause
 * ("subscription.*"): what its deliveries do must not make more deliveries. */
const int64_t *subscriptions_match(struct subscriptions *s, struct str type, struct str subject, size_t *count);

#endif
