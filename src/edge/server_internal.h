/*
 * The server's own structures.
 *
 * A connection object lives from accept to close, and longer if somebody still owes an answer: it is counted. It
 * belongs to one of libmicrohttpd's threads; other threads touch only `turn`, `phase`, the answer (whoever owes it)
 * and, under the server's lock, the list and the socket.
 *
 * Who may answer is decided by one exchange on `turn`:
 *
 *     TURN_HANDLER   -> TURN_SUSPENDED  the handler said pending; the connection sleeps
 *     TURN_HANDLER   -> TURN_ANSWERED   answered before it slept: its own thread goes on
 *     TURN_SUSPENDED -> TURN_ANSWERED   answered by another thread, which wakes it
 *     TURN_SUSPENDED -> TURN_LOST       the server gave up on whoever owes the answer: 503, closed
 *
 * The connection is suspended before TURN_SUSPENDED is set, so whoever finds that value may resume it. libmicrohttpd
 * must not be stopped while one is suspended, nor while another thread is inside MHD_resume_connection: `waking` counts
 * those.
 */
#ifndef EDGE_SERVER_INTERNAL_H
#define EDGE_SERVER_INTERNAL_H

#include "base/buf.h"
#include "edge/server.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#define SERVER_FIELDS_MAX  24
#define SERVER_HEADERS_MAX 100
#define SERVER_KEEP_BYTES  ((size_t)64 * 1024) /* buffers up to this size are kept for the next request */

enum turn { TURN_HANDLER, TURN_SUSPENDED, TURN_ANSWERED, TURN_LOST };

/* What the reaper bounds. */
enum phase {
	PHASE_IDLE,    /* nothing of a request has been read: idle_ms */
	PHASE_READING, /* request_ms */
	PHASE_RUNNING, /* in the handler */
	PHASE_PENDING, /* answer_ms */
	PHASE_SENDING, /* request_ms */
	PHASE_STREAM,  /* no limit, but a lost client is noticed */
};

struct refusal {
	int status; /* 0: none */
	const char *code, *detail;
	bool close;
};

struct connection {
	struct server_request request; /* first: what the handler sees */
	struct server *server;
	struct MHD_Connection *mhd;
	struct connection *previous, *next;
	int fd;
	atomic_int references, turn, phase;
	_Atomic int64_t since_ns; /* of the phase */

	/* Of the connection's own thread. */
	bool head_read; /* the access handler has been called */
	bool owed;      /* the handler's reference is out */
	bool discard;   /* answered or refused: the body is drained */
	size_t drained;
	struct refusal refusal;
	struct str target;
	struct arena arena;
	struct buf head, body;
	struct server_pair headers[SERVER_HEADERS_MAX];
	char peer[INET6_ADDRSTRLEN];
	struct server_stream *stream; /* under the server's lock, but for its own thread's reads */

	/* Written by whoever answers, before `turn` changes. */
	int status;
	struct buf answer, fields; /* fields: name NUL value NUL ... */
	size_t field_count;
};

struct server {
	struct server_options options;
	struct MHD_Daemon *daemon;
	uint16_t port;
	pthread_mutex_t lock; /* list, sockets of the list, quitting */
	pthread_cond_t change;
	struct connection *connections;
	atomic_int references; /* one of the owner, one of each connection object */
	atomic_int active;     /* requests between their head and the end of their answer */
	atomic_int waking;
	atomic_bool stopping;
	bool quitting;
	pthread_t reaper, acceptor;
	int listen_fd, accept_wake;
};

void connection_phase(struct connection *c, enum phase phase);
void connection_release(struct connection *c);
/* TURN_SUSPENDED -> TURN_LOST, and wakes it. false if it was not suspended. */
bool connection_give_up(struct connection *c);

/* server_accept.c. stop closes the listening socket; connections stay. */
bool acceptor_start(struct server *s);
void acceptor_stop(struct server *s);

/* server_head.c: framing. Fills c->request from the head; sets c->refusal if it is not acceptable. */
void head_read(struct connection *c, const char *method);
void head_target(struct connection *c, const char *uri);

/* server_answer.c */
void answer_keep(struct connection *c, int status, const struct server_field *fields, size_t count);
void answer_add_fields(struct connection *c, struct MHD_Response *response);
enum MHD_Result answer_send(struct connection *c, struct MHD_Response *response, int status);
enum MHD_Result answer_queue(struct connection *c);
enum MHD_Result answer_refusal(struct connection *c);

/* server_stream.c */
enum MHD_Result stream_queue(struct connection *c);
void stream_detach(struct connection *c);
/* Under the server's lock: has the client gone away while the stream slept? */
void stream_poll(struct connection *c);
void stream_finish(struct connection *c);

/* server_reaper.c */
void *reaper_run(void *server);

#endif
