/*
 * Everything that touches other systems: inbound mediation and outbound delivery, on top of a node.
 *
 * Order: node_open, connect_start, node_start ... connect_stop, node_stop, connect_free, node_close.
 */
#ifndef CONNECT_CONNECT_H
#define CONNECT_CONNECT_H

#include "connect/delivery.h"

struct connect;
struct reconciler;

struct connect_options {
	/* The log of a hub has grown; see hub_sinks.events. NULL: nobody is told. */
	void (*events)(void *ctx, struct hub *h, int64_t position);
	void *ctx;
	int64_t stop_ms; /* how long connect_stop lets transfers finish; 0: DELIVERY_STOP_MS */
};

/* Sets every hub's sinks and hands over what waits (hub_resume). The writers must not run yet. */
enum rc connect_start(struct node *n, const struct connect_options *o, struct connect **out, struct err *e) MUST_CHECK;
/* Takes nothing new and lets what is under way end in a bounded time. The writers must still run: they give our
 * commands back; what they tell the sinks afterwards is found in the stores by the next start. */
void connect_stop(struct connect *c);
/* Stopped, and the writers have ended. NULL is fine. */
void connect_free(struct connect *c);

/* The reconciliations; lives as long as connect. */
struct reconciler *connect_reconciler(struct connect *c);

/* What is known of a system's deliveries; any thread, until connect_free. */
bool connect_delivery(struct connect *c, const struct hub *h, uint32_t system, struct delivery_view *out);

#endif
