/*
 * What every request to a system carries besides what its pack says: our ids, the trace, authentication.
 *
 * Idempotency-Key is the delivery id, the same on every attempt. traceparent (W3C Trace Context) is derived from the
 * correlation id and the delivery id, so that all attempts of all deliveries of one business transaction are one trace.
 * With a secret: the Standard Webhooks 1.0 headers, signed anew for each attempt.
 */
#ifndef CONNECT_HEADERS_H
#define CONNECT_HEADERS_H

#include "base/arena.h"
#include "connect/transport/http.h"
#include "mediate/pack.h"

#define TRACEPARENT_TEXT 56 /* with the NUL */
#define SIGNATURE_TEXT   48 /* "v1,", 44 of base64, NUL */

void traceparent_derive(struct str correlation_id, struct str delivery_id, char out[TRACEPARENT_TEXT]);
/* HMAC-SHA256 over "id.timestamp.body". timestamp_s: Unix seconds. RC_LIMIT: the arena is full. */
enum rc webhook_sign(struct arena *a, struct str secret, struct str id, int64_t timestamp_s, struct str body,
		     char out[SIGNATURE_TEXT]) MUST_CHECK;

struct header_facts {
	struct str delivery_id, correlation_id, bearer, secret; /* bearer, secret: may be empty */
	int64_t now_ms;
};
/* The pack's headers and ours. A pack's header that has the name of one of ours is dropped. RC_LIMIT: the arena is
 * full. */
enum rc headers_build(struct arena *a, const struct header_facts *f, const struct pack_request *r,
		      struct http_header **out, size_t *count) MUST_CHECK;
/* May its value be shown in an attempt's record? */
bool header_is_public(struct str name);

/* The system's url and a path, with one slash between. {NULL,0}: the arena is full. */
struct str url_join(struct arena *a, struct str url, struct str path);

#endif
