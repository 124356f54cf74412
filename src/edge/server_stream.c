/*
 * Streams: a bounded buffer between whoever writes and the connection, which sleeps while the buffer is empty.
 *
 * Two hold a stream: the writer until server_stream_end, and the response until the library frees it. `connection` is
 * set as long as the connection serves it; under the stream's lock it may then be resumed and its socket is open. Lock
 * order: server, stream, the library's own.
 */
#include "edge/server_internal.h"

#include "base/mem.h"

#include <assert.h>
#include <poll.h>
#include <sys/socket.h>

struct server_stream {
	pthread_mutex_t lock;
	struct connection *connection;
	char *ring;
	size_t room, start, used;
	int references;
	bool asleep, ended, gone;
};

static void stream_release(struct server_stream *st)
{
	pthread_mutex_lock(&st->lock);
	int left = --st->references;
	pthread_mutex_unlock(&st->lock);
	if (left > 0)
		return;
	pthread_mutex_destroy(&st->lock);
	free(st->ring);
	free(st);
}

/* With the lock. */
static void wake(struct server_stream *st)
{
	if (!st->asleep || !st->connection)
		return;
	st->asleep = false;
	MHD_resume_connection(st->connection->mhd);
}

struct server_stream *server_stream_begin(struct server_request *r, int status, const struct server_field *fields,
					  size_t count)
{
	struct connection *c = (struct connection *)r;
	struct server *s = c->server;
	struct server_stream *st = mem_zalloc(1, sizeof(*st));
	pthread_mutex_init(&st->lock, NULL);
	st->room = s->options.limits.stream_bytes;
	st->ring = mem_alloc(st->room);
	st->references = 2;
	st->connection = c;
	answer_keep(c, status, fields, count);
	pthread_mutex_lock(&s->lock);
	assert(!c->stream);
	c->stream = st;
	pthread_mutex_unlock(&s->lock);
	atomic_store(&c->turn, TURN_ANSWERED);
	connection_release(c);
	return st;
}

static ssize_t stream_read(void *ctx, uint64_t position, char *out, size_t max)
{
	struct server_stream *st = ctx;
	ssize_t n = 0;
	(void)position;
	pthread_mutex_lock(&st->lock);
	if (st->gone) {
		n = MHD_CONTENT_READER_END_WITH_ERROR;
	} else if (st->used) {
		size_t part = st->room - st->start;
		if (part > st->used)
			part = st->used;
		if (part > max)
			part = max;
		memcpy(out, st->ring + st->start, part);
		st->start = (st->start + part) % st->room;
		st->used -= part;
		n = (ssize_t)part;
	} else if (st->ended || !st->connection) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		st->asleep = true;
		MHD_suspend_connection(st->connection->mhd);
	}
	pthread_mutex_unlock(&st->lock);
	return n;
}

static void stream_free(void *ctx)
{
	stream_release(ctx);
}

enum MHD_Result stream_queue(struct connection *c)
{
	struct MHD_Response *response =
	    MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 8192, stream_read, c->stream, stream_free);
	if (!response) {
		stream_release(c->stream);
		return MHD_NO;
	}
	answer_add_fields(c, response);
	return answer_send(c, response, c->status);
}

void stream_detach(struct connection *c)
{
	pthread_mutex_lock(&c->server->lock);
	struct server_stream *st = c->stream;
	c->stream = NULL;
	if (st) {
		pthread_mutex_lock(&st->lock);
		st->connection = NULL;
		st->gone = true;
		pthread_mutex_unlock(&st->lock);
	}
	pthread_mutex_unlock(&c->server->lock);
}

void stream_poll(struct connection *c)
{
	struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};
	if (!c->stream || poll(&p, 1, 0) <= 0)
		return;
	pthread_mutex_lock(&c->stream->lock);
	c->stream->gone = true;
	wake(c->stream);
	pthread_mutex_unlock(&c->stream->lock);
}

void stream_finish(struct connection *c)
{
	if (!c->stream)
		return;
	pthread_mutex_lock(&c->stream->lock);
	c->stream->ended = true;
	wake(c->stream);
	pthread_mutex_unlock(&c->stream->lock);
}

enum rc server_stream_write(struct server_stream *st, struct str bytes)
{
	enum rc rc = RC_OK;
	pthread_mutex_lock(&st->lock);
	if (st->gone || st->ended) {
		rc = RC_DENIED;
	} else if (bytes.n > st->room - st->used) {
		rc = RC_LIMIT;
	} else if (bytes.n) {
		size_t end = (st->start + st->used) % st->room;
		size_t part = st->room - end < bytes.n ? st->room - end : bytes.n;
		memcpy(st->ring + end, bytes.p, part);
		memcpy(st->ring, bytes.p + part, bytes.n - part);
		st->used += bytes.n;
		wake(st);
	}
	pthread_mutex_unlock(&st->lock);
	return rc;
}

size_t server_stream_backlog(struct server_stream *st)
{
	pthread_mutex_lock(&st->lock);
	size_t n = st->used;
	pthread_mutex_unlock(&st->lock);
	return n;
}

bool server_stream_gone(struct server_stream *st)
{
	pthread_mutex_lock(&st->lock);
	bool gone = st->gone || st->ended;
	pthread_mutex_unlock(&st->lock);
	return gone;
}

void server_stream_end(struct server_stream *st, bool now)
{
	pthread_mutex_lock(&st->lock);
	st->ended = true;
	if (now && st->connection) {
		st->gone = true;
		shutdown(st->connection->fd, SHUT_RDWR);
	}
	wake(st);
	pthread_mutex_unlock(&st->lock);
	stream_release(st);
}
