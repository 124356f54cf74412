/*
 * The delivery engine: sends what the hubs want sent. One thread for all hubs, thousands of transfers on one event
 * loop.
 *
 * delivery_heads is called by the writers after a commit; everything else the engine learns from the store and from its
 * own commands. docs/delivery.md tells the rules; engine.c the order of events.
 */
#ifndef CONNECT_DELIVERY_H
#define CONNECT_DELIVERY_H

#include "connect/breaker.h"
#include "connect/transport/transport.h"
#include "hub/node.h"

#include <stdbool.h>
#include <stdint.h>

#define DELIVERY_STOP_MS 5000 /* by default */

struct delivery_engine;
struct delivery_hub;

/* The hubs' writers need not run yet. Threads are started; open deliveries are loaded from the stores in the
 * background. */
enum rc delivery_start(struct node *n, struct delivery_engine **out, struct err *e) MUST_CHECK;

/* The same engine for a simulation: no thread, no sleep. The caller turns it. */
struct delivery_setup {
	struct hub *const *hubs; /* one configuration; copied */
	size_t hub_count;
	const struct clock *clock;
	struct transport *transport; /* the caller's */
	uint64_t seed;               /* of the jitter */
};
enum rc delivery_open(const struct delivery_setup *s, struct delivery_engine **out, struct err *e) MUST_CHECK;
/* Does what can be done now, the workers' part and transport->run with no time included. When it wants to be called
 * again: wall ms (not after now: at once); INT64_MAX: not by itself. It may have submitted commands: run the hubs after
 * it, and call it again after a hub has done something or a transfer can end. delivery_free without delivery_stop is
 * what a crash is; the hubs must not run after it. */
int64_t delivery_turn(struct delivery_engine *d);

/* Takes nothing new, lets transfers finish for up to patience_ms, drops the rest (the next start treats them as
 * unknown). The hubs' writers must still run. Closes what it has open
 * of the stores. */
void delivery_stop(struct delivery_engine *d, int64_t patience_ms);
/* Stopped (or never threaded), and the writers have ended: nobody calls the sinks any more. NULL is fine. */
void delivery_free(struct delivery_engine *d);

/* For the deliveries sink; any thread, does not block. */
struct delivery_hub *delivery_hub_of(struct delivery_engine *d, size_t tenant);
void delivery_heads(struct delivery_hub *h, const struct delivery_head *heads, size_t count);
/* For the changes sink: what an operator runs at once, or has cancelled. */
void delivery_changes(struct delivery_hub *h, const struct delivery_change *changes, size_t count);

/* What the engine knows about one system's deliveries. */
struct delivery_view {
	const char *state;   /* "running", "paused", "maintenance", "stopped" (credentials refused), "backing_off" */
	int64_t state_since; /* 0: since the start */
	uint32_t in_flight;  /* started, the result not yet committed */
	uint32_t waiting;    /* in memory */
	bool more;           /* and more in the store */
	int64_t oldest_at;   /* created_at of the oldest in memory; 0: none */
	int64_t next_attempt_at;                  /* 0: at once, or none waits */
	uint32_t failures;                        /* probes in a row that failed */
	int64_t last_success_at, last_failure_at; /* since the start; 0: none */
	char last_failure[160];
	uint32_t slots;                  /* requests at once, now */
	uint32_t waiting_of[PRIORITIES]; /* in memory, those under way included */
	bool catching_up, crowded;
	int64_t maintenance_until;                     /* 0: there is none now */
	int64_t sent_per_minute, delivered_per_minute; /* in the last minute */
	enum breaker_state breakers[OPERATIONS];
};
/* Any thread. false: no such hub or system. */
bool delivery_snapshot(struct delivery_engine *d, const struct hub *h, uint32_t system, struct delivery_view *out);

#endif
