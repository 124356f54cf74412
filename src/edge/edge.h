/*
 * The edge: who are you, may you, how fast, seen before; then the hub or a query. One HTTP listener with the API, the
 * inbound endpoints, health, metrics and the console.
 */
#ifndef EDGE_EDGE_H
#define EDGE_EDGE_H

#include "connect/connect.h"
#include "edge/routes.h"
#include "hub/node.h"

struct edge;

struct edge_options {
	struct connect *connect; /* for the systems' state; until edge_stop. NULL: it is not shown */
	const char *listen;      /* NULL: the configuration's */
	const char *share;       /* folder with console/; NULL: no console */
	int64_t answer_ms;       /* a command that is not answered in this time: 503; 0: 30 s */
	int64_t drain_ms;        /* edge_stop waits so long for what runs; 0: 10 s */
};

/* After node_start. RC_INVALID, RC_IO: as server_start; RC_INVALID "schema_missing". */
enum rc edge_start(struct node *node, const struct edge_options *options, struct edge **out, struct err *e) MUST_CHECK;
/* Before node_stop. NULL is ignored. */
void edge_stop(struct edge *e);
uint16_t edge_port(const struct edge *e);
/* The tenant's log has grown: wakes its event streams. Any thread; short. */
void edge_events_committed(struct edge *e, struct hub *hub, int64_t position);

#endif
