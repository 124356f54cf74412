/* A caller of the hub's API that waits for each answer; one thread owns it. */
#ifndef SANDBOX_CLIENT_H
#define SANDBOX_CLIENT_H

#include "base/arena.h"
#include "format/json.h"

struct client;

/* key: bearer; the texts are copied. */
struct client *client_new(const char *hub, const char *key);
void client_free(struct client *c);

/* The answer's JSON in the arena. RC_NOT_FOUND for a 404, RC_RETRY for a 429 or 503, RC_IO for no answer, RC_REJECT for
 * any other but 2xx. body: NULL for a GET. */
enum rc client_call(struct client *c, const char *path, const struct buf *body, struct arena *a,
		    const struct json **out, struct err *e) MUST_CHECK;

#endif
