/*
 * What the delivery engine sends with: HTTP (http.h), or whatever a simulation puts in its place. One thread owns it.
 */
#ifndef CONNECT_TRANSPORT_TRANSPORT_H
#define CONNECT_TRANSPORT_TRANSPORT_H

#include "base/address.h"
#include "base/rc.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct http_header {
	struct str name, value;
};

struct http_request {
	struct str method, url;
	const struct http_header *headers;
	size_t header_count;
	struct str body;
	int64_t timeout_ms; /* for all of it; connecting included */
	int64_t connect_timeout_ms;
	/* Where it may lead, for a url that somebody else gave; it stays until done. NULL: where a system may be. */
	const struct address_policy *addresses;
};

struct http_answer {
	int status;                                        /* 0: no whole answer */
	struct str retry_after;                            /* the header, or empty */
	struct str rate_limit, rate_remaining, rate_reset; /* RateLimit, RateLimit-Remaining, RateLimit-Reset */
	struct str body;
	bool truncated;   /* the body was longer than HTTP_ANSWER_BYTES_MAX */
	bool sent;        /* some byte of the request may have left */
	struct str error; /* status 0: what failed */
	int64_t duration_us;
};

/* From inside run; the answer is valid during the call. May start and cancel transfers. */
typedef void (*http_done_fn)(void *ctx, const struct http_answer *a);

/* The first member of what implements it. */
struct transport {
	/* The request is copied, but for its body, which must stay until done. RC_INVALID: it cannot be sent. Never
	 * calls back from inside. */
	enum rc (*start)(struct transport *t, const struct http_request *r, http_done_fn done, void *ctx,
			 void **transfer, struct err *e);
	/* Drops it without calling back. */
	void (*cancel)(struct transport *t, void *transfer);
	/* Moves transfers on for up to timeout_ms, or until wake_fd (-1: none) is readable; calls back for those that
	 * ended. */
	void (*run)(struct transport *t, int timeout_ms, int wake_fd);
};

#endif
