/* The table of routes: rows of routes.def. */
#ifndef EDGE_ROUTES_H
#define EDGE_ROUTES_H

#include "edge/server.h"

#define ROUTE_PARAMS_MAX 3

struct exchange;

enum route_flags {
	ROUTE_JSON = 1,     /* takes a JSON body */
	ROUTE_OPTIONAL = 2, /* which may be absent */
	ROUTE_RAW = 4,      /* takes any body */
	ROUTE_OPEN = 8,     /* no key: health, console; inbound checks for itself */
	ROUTE_HIDDEN = 16,  /* not part of the contract: tests, console */
	ROUTE_READ = 64,    /* reads the store: runs on a worker */
	ROUTE_QUERY = 256,  /* takes query parameters */
	ROUTE_HEAVY = 128,  /* reads much of it: one at a time */
	ROUTE_REST = 32,    /* the last segment of the template takes the rest of the path */
};

struct route {
	const char *name;
	const char *method;
	const char *path; /* "/v1/orders/{order_id}" */
	unsigned scopes;  /* any of these */
	unsigned flags;
	enum server_next (*run)(struct exchange *x);
};

/* Every route: from 0; NULL at the end. */
const struct route *edge_routes(size_t i);
size_t route_index(const struct route *r);

struct route_match {
	const struct route *route;           /* NULL: none */
	struct str params[ROUTE_PARAMS_MAX]; /* raw, in the order of the template */
	char allow[64];                      /* when there is none for this method: the methods there are; else "" */
};

/* A HEAD is matched as a GET. */
void route_find(struct str method, struct str path, struct route_match *out);

#endif
