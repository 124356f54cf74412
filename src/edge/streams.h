/* Event streams (Server-Sent Events, WHATWG HTML section 9.2): one thread serves all clients from the tenants' logs. */
#ifndef EDGE_STREAMS_H
#define EDGE_STREAMS_H

#include "edge/readers.h"
#include "edge/server.h"

#define STREAM_TYPES_MAX 20

struct streams;
struct streams *streams_new(struct readers *readers, const struct clock *clock, uint32_t max_clients);
/* After the server has stopped. */
void streams_free(struct streams *s);

/* Is there room for one more? A place is taken, streams_add must follow. */
bool streams_reserve(struct streams *s);
/* Takes over the stream; types are copied. */
void streams_add(struct streams *s, struct hub *hub, struct server_stream *stream, int64_t after,
		 const struct str *types, size_t type_count);
/* Any thread; short. */
void streams_wake(struct streams *s);

#endif
