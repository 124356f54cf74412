/*
 * HTTP/1.1 requests to other systems: any number of transfers on the thread that calls http_run.
 *
 * Connections are kept and reused per host. No redirects, no proxies, no cookies, http and https only. A request whose
 * body has been sent is never sent again by this module, whatever happened to the connection. Addresses that no system
 * has a business at (link-local with the clouds' metadata services, multicast, unspecified) are refused when the socket
 * is made. One thread owns a struct http.
 */
#ifndef CONNECT_TRANSPORT_HTTP_H
#define CONNECT_TRANSPORT_HTTP_H

#include "connect/transport/transport.h"

#define HTTP_ANSWER_BYTES_MAX (4u << 20) /* of a body; what is behind is not read */
#define HTTP_HEADER_VALUE_MAX 256        /* of a header that is given on */
#define HTTP_LOOKUPS_MAX      256        /* names being resolved at once */
#define HTTP_CONNECTIONS_MAX  1024       /* kept when idle */

struct http;
struct http_transfer;

struct http *http_new(const char *user_agent);
/* Drops what is under way without calling back. */
void http_free(struct http *h);

/* The request is copied, but for its body, which must stay until done. RC_INVALID "invalid_request": a method, url or
 * header that cannot be sent. Never calls back from inside. */
enum rc http_start(struct http *h, const struct http_request *r, http_done_fn done, void *ctx,
		   struct http_transfer **out, struct err *e) MUST_CHECK;
/* Drops it without calling back. */
void http_cancel(struct http_transfer *t);

/* Moves transfers on for up to timeout_ms, or until wake_fd (-1: none) is readable; calls back for those that ended. */
void http_run(struct http *h, int timeout_ms, int wake_fd);
size_t http_transfers(const struct http *h);

/* The same, as the delivery engine wants it; lives as long as h. */
struct transport *http_transport(struct http *h);

#endif
