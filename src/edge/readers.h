/* Readers of the tenants' stores, lent to whoever answers a request. Any thread. */
#ifndef EDGE_READERS_H
#define EDGE_READERS_H

#include "hub/node.h"

struct readers;
struct readers *readers_new(struct node *node);
void readers_free(struct readers *p);

/* RC_RETRY "store_unavailable". */
enum rc readers_take(struct readers *p, struct hub *hub, struct store_reader **out, struct err *e) MUST_CHECK;
/* broken: a read failed through it; it is closed. */
void readers_give(struct readers *p, struct hub *hub, struct store_reader *r, bool broken);

#endif
