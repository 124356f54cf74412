/* The functions behind routes.def. Each answers its exchange, or leaves it pending. */
#ifndef EDGE_HANDLERS_H
#define EDGE_HANDLERS_H

#include "edge/server.h"

struct exchange;

#define ROUTE(name, method, path, scopes, flags, function) enum server_next function(struct exchange *x);
#include "edge/routes.def"
#undef ROUTE

#endif
