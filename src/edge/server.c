/*
 * The server over libmicrohttpd: one request from its first byte to its answer. Structures and the hand-over between
 * threads are in server_internal.h, deadlines in server_reaper.c.
 *
 * The library calls `accessed` for the head, for each part of the body, and again until an answer is queued. An answer
 * queued before the whole body was read makes it close with the client's data unread, and the reset can overtake the
 * answer; so what is refused early is drained first, up to a bound, and then answered. With Expect: 100-continue the
 * client sends nothing and is answered at once.
 */
#include "edge/server_internal.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ARENA_MAX      ((size_t)32 << 20)
#define ANSWER_MAX     ((size_t)64 << 20)
#define DRAIN_MIN      ((size_t)1 << 20)
#define STOP_GRACE_MS  1000
#define DEFAULT_STREAM (256u * 1024)

void connection_phase(struct connection *c, enum phase phase)
{
	atomic_store(&c->since_ns, clock_mono_ns(c->server->options.clock));
	atomic_store(&c->phase, (int)phase);
}

static void server_release(struct server *s)
{
	if (atomic_fetch_sub(&s->references, 1) > 1)
		return;
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->change);
	free(s);
}

void connection_release(struct connection *c)
{
	if (atomic_fetch_sub(&c->references, 1) > 1)
		return;
	arena_done(&c->arena);
	buf_done(&c->head);
	buf_done(&c->body);
	buf_done(&c->answer);
	buf_done(&c->fields);
	struct server *s = c->server;
	free(c);
	server_release(s);
}

/* ---- connections ---- */

static void peer_read(struct connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *a = info ? info->client_addr : NULL;
	if (a && a->sa_family == AF_INET) {
		const struct in_addr *in = &((const struct sockaddr_in *)(const void *)a)->sin_addr;
		inet_ntop(AF_INET, in, c->peer, sizeof(c->peer));
		c->request.loopback = ntohl(in->s_addr) >> 24 == 127;
	} else if (a && a->sa_family == AF_INET6) {
		const struct in6_addr *in = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
		inet_ntop(AF_INET6, in, c->peer, sizeof(c->peer));
		c->request.loopback = IN6_IS_ADDR_LOOPBACK(in);
	}
	c->request.peer = str_from(c->peer);
}

static void connection_open(struct server *s, struct MHD_Connection *mhd, void **socket_context)
{
	struct connection *c = mem_zalloc(1, sizeof(*c));
	c->server = s;
	c->mhd = mhd;
	c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	atomic_init(&c->references, 1);
	atomic_fetch_add(&s->references, 1);
	arena_init(&c->arena, ARENA_MAX);
	buf_init(&c->head, s->options.limits.header_bytes + 1);
	buf_init(&c->body, s->options.limits.body_bytes);
	buf_init(&c->answer, ANSWER_MAX);
	buf_init(&c->fields, 64 * 1024);
	peer_read(c);
	connection_phase(c, PHASE_IDLE);
	pthread_mutex_lock(&s->lock);
	c->next = s->connections;
	if (c->next)
		c->next->previous = c;
	s->connections = c;
	pthread_mutex_unlock(&s->lock);
	*socket_context = c;
}

static void connection_close(struct server *s, struct connection *c)
{
	pthread_mutex_lock(&s->lock);
	if (c->next)
		c->next->previous = c->previous;
	*(c->previous ? &c->previous->next : &s->connections) = c->next;
	pthread_mutex_unlock(&s->lock);
	connection_release(c);
}

static void connection_changed(void *ctx, struct MHD_Connection *mhd, void **socket_context,
			       enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		connection_open(ctx, mhd, socket_context);
	else if (*socket_context)
		connection_close(ctx, *socket_context);
}

/* ---- requests ---- */

static void keep_small(struct buf *b)
{
	if (b->room > SERVER_KEEP_BYTES)
		buf_done(b);
	else
		buf_reset(b);
}

static void request_forget(struct connection *c)
{
	c->head_read = c->discard = false;
	c->drained = 0;
	c->refusal = (struct refusal){0};
	c->request = (struct server_request){.peer = c->request.peer, .loopback = c->request.loopback};
	arena_reset(&c->arena);
	if ((size_t)(c->arena.end - c->arena.next) > SERVER_KEEP_BYTES)
		arena_done(&c->arena);
	keep_small(&c->head);
	keep_small(&c->body);
	keep_small(&c->answer);
	keep_small(&c->fields);
	atomic_store(&c->turn, TURN_HANDLER);
}

/* The request line has been read. What it returns is `accessed`'s *request. */
static void *request_begin(void *ctx, const char *uri, struct MHD_Connection *mhd)
{
	struct server *s = ctx;
	struct connection *c = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	request_forget(c);
	connection_phase(c, PHASE_READING);
	c->request.started_ns = clock_mono_ns(s->options.clock);
	c->request.arena = &c->arena;
	head_target(c, uri);
	return c;
}

static void request_end(void *ctx, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode why)
{
	struct server *s = ctx;
	struct connection *c = *request;
	(void)mhd;
	(void)why;
	if (!c || !c->head_read)
		return;
	stream_detach(c);
	bool unasked = c->owed && atomic_load(&c->turn) == TURN_HANDLER; /* nobody will release it by answering */
	c->owed = false;
	if (atomic_load(&c->turn) != TURN_LOST)
		request_forget(c);
	c->head_read = false;
	connection_phase(c, PHASE_IDLE);
	if (unasked)
		connection_release(c);
	if (atomic_fetch_sub(&s->active, 1) == 1 && atomic_load(&s->stopping)) {
		pthread_mutex_lock(&s->lock);
		pthread_cond_broadcast(&s->change);
		pthread_mutex_unlock(&s->lock);
	}
}

static bool expects_continue(const struct server_request *r)
{
	return server_header(r, "Expect").n > 0;
}

static enum MHD_Result answer_now(struct connection *c)
{
	return c->refusal.status ? answer_refusal(c) : answer_queue(c);
}

static enum MHD_Result accessed_head(struct connection *c, const char *method)
{
	struct server *s = c->server;
	c->head_read = true;
	atomic_fetch_add(&s->active, 1);
	head_read(c, method);
	if (atomic_load(&s->stopping) && !c->refusal.status)
		c->refusal = (struct refusal){503, "stopping", "The server is being stopped.", true};
	if (!c->refusal.status && s->options.head) {
		c->owed = true;
		atomic_fetch_add(&c->references, 1);
		s->options.head(s->options.ctx, &c->request);
	}
	c->discard = c->refusal.status || atomic_load(&c->turn) == TURN_ANSWERED;
	if (c->discard && expects_continue(&c->request))
		return answer_now(c);
	return MHD_YES;
}

static enum MHD_Result accessed_body(struct connection *c, const char *data, size_t *n)
{
	size_t limit = c->server->options.limits.body_bytes;
	if (!c->discard && *n > limit - c->body.n) {
		c->refusal =
		    (struct refusal){413, "body_too_large", "The body of the request is larger than the limit.", true};
		c->discard = true;
	}
	if (c->discard) {
		c->drained += *n;
		if (c->drained > (limit > DRAIN_MIN / 8 ? limit * 8 : DRAIN_MIN))
			return MHD_NO;
	} else {
		buf_add(&c->body, data, *n);
	}
	*n = 0;
	return MHD_YES;
}

static enum MHD_Result run_handler(struct connection *c)
{
	struct server *s = c->server;
	c->request.body = buf_str(&c->body);
	if (!c->owed) {
		c->owed = true;
		atomic_fetch_add(&c->references, 1);
	}
	connection_phase(c, PHASE_RUNNING);
	if (s->options.handler(s->options.ctx, &c->request) == SERVER_ANSWERED ||
	    atomic_load(&c->turn) == TURN_ANSWERED) {
		assert(atomic_load(&c->turn) == TURN_ANSWERED);
		return answer_queue(c);
	}
	connection_phase(c, PHASE_PENDING);
	MHD_suspend_connection(c->mhd);
	int expected = TURN_HANDLER;
	if (!atomic_compare_exchange_strong(&c->turn, &expected, TURN_SUSPENDED))
		MHD_resume_connection(c->mhd);
	return MHD_YES;
}

static enum MHD_Result accessed(void *ctx, struct MHD_Connection *mhd, const char *url, const char *method,
				const char *version, const char *data, size_t *n, void **request)
{
	struct connection *c = *request;
	(void)ctx, (void)mhd, (void)url, (void)version;
	if (!c->head_read)
		return accessed_head(c, method);
	if (*n)
		return accessed_body(c, data, n);
	if (c->refusal.status)
		return answer_refusal(c);
	switch ((enum turn)atomic_load(&c->turn)) {
	case TURN_HANDLER:
		return run_handler(c);
	case TURN_ANSWERED:
		return answer_queue(c);
	case TURN_LOST:
		c->refusal = (struct refusal){503, "answer_too_late",
					      "The answer did not come in time; whether the request "
					      "took effect is not known. Repeat it with the same key.",
					      true};
		return answer_refusal(c);
	case TURN_SUSPENDED:
		break; /* asleep: called for no reason */
	}
	return MHD_YES;
}

static size_t keep_encoded(void *ctx, struct MHD_Connection *mhd, char *text)
{
	(void)ctx, (void)mhd;
	return strlen(text);
}

/* ---- start and stop ---- */

static enum rc listen_on(const char *address, int *out, uint16_t *port, struct err *e)
{
	char host[256];
	const char *colon = strrchr(address, ':');
	size_t n = colon ? (size_t)(colon - address) : 0;
	if (n > 1 && address[0] == '[' && address[n - 1] == ']') {
		address++;
		n -= 2;
	}
	if (!colon || n == 0 || n >= sizeof(host))
		return err_set(e, RC_INVALID, "bad_listen_address", "\"%s\" is not host:port.", address);
	memcpy(host, address, n);
	host[n] = '\0';
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		return err_set(e, RC_INVALID, "bad_listen_address", "\"%s\" is not host:port of this machine.",
			       address);
	enum rc rc = RC_OK;
	int on = 1;
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 1024) != 0) {
		rc = err_set(e, RC_IO, "cannot_listen", "Cannot listen on %s:%s: %m.", host, colon + 1);
		if (fd >= 0)
			close(fd);
	} else {
		union {
			struct sockaddr any;
			struct sockaddr_in v4;
			struct sockaddr_in6 v6;
		} bound = {.v6 = {0}};
		socklen_t size = sizeof(bound);
		getsockname(fd, &bound.any, &size);
		*port = ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
		*out = fd;
	}
	freeaddrinfo(found);
	return rc;
}

static void limits_complete(struct server_limits *l)
{
	const struct server_limits defaults = {.body_bytes = 1u << 20,
					       .header_bytes = 16u << 10,
					       .connections = 1024,
					       .request_ms = 30000,
					       .idle_ms = 60000,
					       .stream_bytes = DEFAULT_STREAM};
	l->body_bytes = l->body_bytes ? l->body_bytes : defaults.body_bytes;
	l->header_bytes = l->header_bytes ? l->header_bytes : defaults.header_bytes;
	l->connections = l->connections ? l->connections : defaults.connections;
	l->request_ms = l->request_ms ? l->request_ms : defaults.request_ms;
	l->idle_ms = l->idle_ms ? l->idle_ms : defaults.idle_ms;
	l->stream_bytes = l->stream_bytes ? l->stream_bytes : defaults.stream_bytes;
}

static struct MHD_Daemon *daemon_start(struct server *s)
{
	const struct server_limits *l = &s->options.limits;
	/* The pool of a connection holds the head, the response's head and what is read of the body at a time. */
	size_t pool = l->header_bytes * 2 + 16384;
	unsigned threads = s->options.threads > 1 ? s->options.threads : 0;
	struct MHD_OptionItem options[] = {
	    {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)(l->connections < threads ? threads : l->connections), NULL},
	    {MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)l->connections_per_ip, NULL},
	    {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)pool, NULL},
	    {MHD_OPTION_CONNECTION_MEMORY_INCREMENT, 4096, NULL},
	    {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
	    {MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL},
	    {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL},
	    {MHD_OPTION_END, 0, NULL},
	};
	if (!threads)
		options[sizeof(options) / sizeof(options[0]) - 2] = options[sizeof(options) / sizeof(options[0]) - 1];
	return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_TURBO |
				    MHD_USE_NO_LISTEN_SOCKET,
				0, NULL, NULL, accessed, s, MHD_OPTION_NOTIFY_CONNECTION, connection_changed, s,
				MHD_OPTION_NOTIFY_COMPLETED, request_end, s, MHD_OPTION_URI_LOG_CALLBACK, request_begin,
				s, MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL, MHD_OPTION_ARRAY, options,
				MHD_OPTION_END);
}

enum rc server_start(const struct server_options *options, struct server **out, struct err *e)
{
	struct server *s = mem_zalloc(1, sizeof(*s));
	s->options = *options;
	limits_complete(&s->options.limits);
	atomic_init(&s->references, 1);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&s->change, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&s->lock, NULL);
	s->listen_fd = -1;
	enum rc rc = listen_on(options->listen, &s->listen_fd, &s->port, e);
	if (rc == RC_OK) {
		s->daemon = daemon_start(s);
		if (!s->daemon || !acceptor_start(s)) {
			MHD_stop_daemon(s->daemon);
			close(s->listen_fd);
			rc = err_set(e, RC_IO, "cannot_listen", "The HTTP server does not start on %s.",
				     options->listen);
		}
	}
	if (rc != RC_OK) {
		server_release(s);
		return rc;
	}
	if (pthread_create(&s->reaper, NULL, reaper_run, s) != 0)
		abort();
	*out = s;
	return RC_OK;
}

uint16_t server_port(const struct server *s)
{
	return s->port;
}

/* With the lock. Until no request runs, or for so long. */
static void wait_for_requests(struct server *s, int64_t ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (atomic_load(&s->active) > 0)
		if (pthread_cond_timedwait(&s->change, &s->lock, &until) != 0)
			return;
}

void server_stop(struct server *s, int64_t drain_ms)
{
	if (!s)
		return;
	acceptor_stop(s);
	atomic_store(&s->stopping, true);
	pthread_mutex_lock(&s->lock);
	for (struct connection *c = s->connections; c; c = c->next)
		stream_finish(c);
	wait_for_requests(s, drain_ms);
	for (struct connection *c = s->connections; c; c = c->next)
		connection_give_up(c);
	wait_for_requests(s, STOP_GRACE_MS);
	while (atomic_load(&s->active) > 0) {
		for (struct connection *c = s->connections; c; c = c->next) {
			stream_finish(c);
			connection_give_up(c);
			shutdown(c->fd, SHUT_RDWR);
		}
		wait_for_requests(s, STOP_GRACE_MS);
	}
	s->quitting = true;
	pthread_cond_broadcast(&s->change);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->reaper, NULL);
	while (atomic_load(&s->waking) > 0)
		sched_yield();
	MHD_stop_daemon(s->daemon);
	server_release(s);
}
