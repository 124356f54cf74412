/*
 * The node: one process with its tenants, their hubs and upkeep. Ties config, stores and hubs together; connect and
 * edge are started on top of it by cli/serve.
 */
#ifndef HUB_NODE_H
#define HUB_NODE_H

#include "hub/hub.h"

struct node;

/* vfs: see store_options; NULL in production. Creates DIR/data/<tenant>/ for SQLite. */
enum rc node_open(struct config *config, const struct clock *clock, struct node **out, struct err *e) MUST_CHECK;
void node_close(struct node *n);
/* Starts the writers and the maintenance thread (checkpoints). Sinks were set and hub_resume was called. */
enum rc node_start(struct node *n, struct err *e) MUST_CHECK;
void node_stop(struct node *n); /* drains the writers */

size_t node_tenants(const struct node *n);
struct hub *node_hub(const struct node *n, size_t i);
struct hub *node_find(const struct node *n, struct str tenant); /* or NULL */
const struct config *node_config(const struct node *n);
const struct clock *node_clock(const struct node *n);
bool node_ready(const struct node *n);

/* The store_options of a tenant, for tools; the url is allocated in the arena. Creates the folder. */
enum rc node_store_options(const struct config *config, struct str tenant, struct arena *a, struct store_options *out,
			   struct err *e) MUST_CHECK;

#endif
