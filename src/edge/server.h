/*
 * A small HTTP/1.1 server (RFC 9110, RFC 9112): framing, limits and deadlines; what a request means is the handler's.
 *
 * A handler runs on one of the server's threads, one request of a connection at a time. It answers at once, or returns
 * SERVER_PENDING and somebody answers later from any thread, exactly once. Every answer copies what it is given.
 *
 * Bad framing, a bad target, too many or too large headers, a body over the limit and a stop in progress are answered
 * here, through `refuse`; the handler sees only whole requests within the limits.
 */
#ifndef EDGE_SERVER_H
#define EDGE_SERVER_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/rc.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct server;
struct server_stream;

struct server_field {
	const char *name;
	struct str value;
};

struct server_pair {
	struct str name, value;
};

struct server_request {
	struct str method; /* "GET" */
	struct str path;   /* raw, starts with '/' */
	struct str query;  /* raw, without the '?'; may be empty */
	struct str body;   /* whole; empty in `head` */
	const struct server_pair *headers;
	size_t header_count;
	struct str peer;     /* "127.0.0.1" */
	bool loopback;       /* the peer is on this machine */
	int64_t started_ns;  /* monotonic: when its request line had been read */
	struct arena *arena; /* lives until the request is answered; 32 MiB at most */
	void *user;          /* the handler's own */
};

#define SERVER_REFUSE_FIELDS 8

enum server_next {
	SERVER_ANSWERED, /* one of the answering functions was called */
	SERVER_PENDING,  /* somebody will call server_answer, or has already */
};

struct server_limits {
	uint32_t body_bytes;   /* over it: 413, after a bounded drain */
	uint32_t header_bytes; /* names and values: 431 */
	uint32_t connections;
	uint32_t connections_per_ip; /* 0: no limit */
	int64_t request_ms;    /* a request has arrived whole, or an answer has been sent, in this time; else closed */
	int64_t idle_ms;       /* between requests of a connection */
	int64_t answer_ms;     /* a pending request is answered 503 after this time; 0: never */
	uint32_t stream_bytes; /* buffered for one stream; 0: 256 KiB */
};

struct server_options {
	const char *listen;          /* "127.0.0.1:8080", "[::1]:0"; port 0: any that is free */
	unsigned threads;            /* at least 1 */
	struct server_limits limits; /* zeros: generous defaults */
	const struct clock *clock;
	void *ctx;
	/* The request is whole. */
	enum server_next (*handler)(void *ctx, struct server_request *r);
	/* May be NULL: the head is there, the body is not. It may answer (then the body is drained and forgotten). */
	void (*head)(void *ctx, struct server_request *r);
	/* May be NULL: body and fields (up to SERVER_REFUSE_FIELDS, Content-Type among them) of an answer that the
	 * server gives itself, from r->arena; returns how many fields. code: body_too_large, headers_too_large,
	 * bad_target, bad_request, stopping, answer_too_late. */
	size_t (*refuse)(void *ctx, struct server_request *r, int status, const char *code, const char *detail,
			 struct server_field *fields, struct str *body);
	/* May be NULL: the answer is handed to the connection; on a server thread. For metrics. */
	void (*answered)(void *ctx, struct server_request *r, int status);
};

/* RC_INVALID "bad_listen_address", RC_IO "cannot_listen". options is copied, what it points to must stay. */
enum rc server_start(const struct server_options *options, struct server **out, struct err *e) MUST_CHECK;
/*
 * Takes no new connections, answers new requests 503, waits up to drain_ms for those that run, answers the rest 503 and
 * closes everything. Whoever still holds a pending request may answer it later: that only lets go of it.
 */
void server_stop(struct server *s, int64_t drain_ms);
uint16_t server_port(const struct server *s);

/* Case-insensitive; STR_NONE if it is absent, the first if there are several. */
struct str server_header(const struct server_request *r, const char *name);
/* Any thread; ends the caller's use of r unless the handler itself calls it. Content-Length and Date are added. An
 * answer to HEAD sends no body. */
void server_answer(struct server_request *r, int status, const struct server_field *fields, size_t count,
		   struct str body);

/* ---- streams: an answer without an end ---- */

/* In the handler, which then returns SERVER_ANSWERED. The caller owns the stream until server_stream_end. */
struct server_stream *server_stream_begin(struct server_request *r, int status, const struct server_field *fields,
					  size_t count);
/* Any one thread at a time. RC_LIMIT: it does not fit into the buffer now (nothing was taken); RC_DENIED: the client is
 * gone, or the server stops. */
enum rc server_stream_write(struct server_stream *st, struct str bytes) MUST_CHECK;
/* Bytes that the client has not taken yet. */
size_t server_stream_backlog(struct server_stream *st);
bool server_stream_gone(struct server_stream *st);
/* The client still gets what was written, then the end. now: it gets nothing more. */
void server_stream_end(struct server_stream *st, bool now);

#endif
