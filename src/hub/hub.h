/*
 * A tenant's hub: the single writer.
 *
 * hub_submit takes a command from any thread; the writer drains the queue, applies each command to the state in memory,
 * writes all effects as one transaction, and then calls done for each. A full queue refuses. Nothing uncommitted is
 * ever visible: answers, availability and what goes to the sinks come after the commit.
 */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include "base/clock.h"
#include "hub/command.h"
#include "hub/config.h"
#include "orchestrate/stock/view.h"
#include "store/store.h"

struct hub;
struct counters;

/* A raw message that is durable and waits to be mediated. */
struct message {
	struct message *next;
	struct arena arena; /* owns the rest */
	int64_t seq, at;
	struct str source, endpoint, correlation_id, headers;
	struct str payload; /* raw */
};
void message_free(struct message *m);

struct delivery_change {
	struct delivery_head head;
	enum { DELIVERY_RUN_NOW, DELIVERY_WAS_CANCELLED } what;
};

/* Told after a commit, on the writer's thread: short, must not block, must not refuse. */
struct hub_sinks {
	void *ctx;
	/* New deliveries, in order. */
	void (*deliveries)(void *ctx, struct hub *h, const struct delivery_head *heads, size_t count);
	/* One accepted message; the receiver owns it. NULL sink: not mediated until the next start. */
	void (*message)(void *ctx, struct hub *h, struct message *m);
	/* A reconciliation was begun or cancelled; may be NULL. */
	void (*reconciliation)(void *ctx, struct hub *h);
	/* The log has grown to this position. */
	void (*events)(void *ctx, struct hub *h, int64_t position);
	/* What an operator changed of deliveries that are waiting. May be NULL. */
	void (*changes)(void *ctx, struct hub *h, const struct delivery_change *changes, size_t count);
};

/* Opens the tenant's store, loads its state. The hub has no thread yet. */
enum rc hub_open(const struct config *config, const struct config_tenant *tenant, const struct store_options *store,
		 const struct clock *clock, struct hub **out, struct err *e) MUST_CHECK;
/* The writer must have stopped. */
void hub_close(struct hub *h);
void hub_set_sinks(struct hub *h, const struct hub_sinks *sinks); /* before the writer starts */

/* Any thread. RC_LIMIT: the queue is full; RC_RETRY: stopping or the store does not commit: not taken. */
enum rc hub_submit(struct hub *h, struct command *c) MUST_CHECK;

/* One round of the writer, for whoever owns the hub's thread: applies up to the batch limit of what is queued, commits,
 * answers. wait_ms: how long to wait for the first command. Returns how many commands were applied; *next_ms: when it
 * wants to be called again at the latest (expiries). A simulation calls this from its own loop. */
size_t hub_run(struct hub *h, int wait_ms, int64_t *next_ms);

/* The writer thread: runs until hub_stop; what is queued by then is still applied. */
enum rc hub_start(struct hub *h, struct err *e) MUST_CHECK;
void hub_stop(struct hub *h);

/* Hands all messages that were acknowledged but not mediated to the sink, and to the deliveries sink nothing: the
 * delivery engine loads open deliveries itself. After hub_set_sinks, before hub_start. */
enum rc hub_resume(struct hub *h, struct err *e) MUST_CHECK;

/* Can it commit? For /readyz. */
bool hub_ready(const struct hub *h);
const struct config *hub_config(const struct hub *h);
const struct config_tenant *hub_tenant(const struct hub *h);
struct store *hub_store(const struct hub *h);
const struct stock_view *hub_stock(const struct hub *h); /* any thread */
struct counters *hub_counters(const struct hub *h);      /* any thread may read them */
int64_t hub_clock_ms(const struct hub *h);               /* now */
int64_t hub_position(const struct hub *h);               /* last committed event */
/* The committed order of a channel's own number; any thread, through its reader. row: as R_ORDER_BY_SEQ, in the arena.
 * RC_NOT_FOUND; RC_RETRY while the state is being loaded. */
enum rc hub_find_order(const struct hub *h, struct store_reader *r, struct str channel, struct str external_id,
		       struct arena *a, struct store_value *row, struct err *e) MUST_CHECK;
/* A committed reservation; row: as R_RESERVATION. The same. */
enum rc hub_find_reservation(const struct hub *h, struct store_reader *r, struct str reservation_id, struct arena *a,
			     struct store_value *row, struct err *e) MUST_CHECK;
/* The key that secrets in the store are sealed with; any thread. RC_INVALID, RC_IO: of config_secrets_key. */
struct secretbox_key;
enum rc hub_secret_key(struct hub *h, struct secretbox_key *out, struct err *e) MUST_CHECK;
bool hub_system_paused(const struct hub *h, uint32_t system); /* never of a subscription */
/* More waits for the system than its backlog limits say, until it is below nine tenths of them. The delivery engine
 * says so, any thread asks. */
void hub_system_set_crowded(struct hub *h, uint32_t system, bool crowded);
bool hub_system_crowded(const struct hub *h, uint32_t system);
struct unsent;
/* Deliveries that were asked to be started, and of which nothing has left yet. The delivery engine's; any thread. */
struct unsent *hub_unsent(const struct hub *h);
/* The ERP that is so crowded that its configuration takes no more orders; NULL: orders are taken. */
const struct config_system *hub_full_erp(const struct hub *h);

#endif
