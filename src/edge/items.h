/* Requests of one document or of many ({"items":[...]}), which are answered item by item. Inside the module. */
#ifndef EDGE_ITEMS_H
#define EDGE_ITEMS_H

#include "edge/exchange.h"

#define ITEMS_MAX 1000

/* The documents of a body: itself, or its items. false: answered. */
bool items_find(struct exchange *x, const struct json *doc, const char *what, const struct json **items, size_t *count);
/* The problem of one that is not valid, as the answer of its item. */
struct str items_problem(struct arena *a, const struct problem *p, int *status);
/* The same as the answer of the whole request; forgets the command. */
enum server_next items_answer(struct exchange *x, struct command *c, struct str problem, int status);

#endif
