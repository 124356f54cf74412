/*
 * One thread reads each client's log onwards from its position and writes into the client's bounded buffer. A full
 * buffer ends that client's turn; the others do not wait. A client whose buffer has not moved for STUCK_MS is cut off:
 * it resumes with Last-Event-ID. New clients are put at the head of the list, only the thread takes them out.
 */
#include "edge/streams.h"

#include "base/mem.h"
#include "hub/query.h"
#include "observe/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define HEARTBEAT_MS 15000
#define STUCK_MS     10000
#define FULL_WAIT_MS 50
#define IDLE_WAIT_MS 1000
#define TURN_EVENTS  200
#define FRAME_MAX    ((size_t)68 << 20)

struct client {
	struct client *next;
	struct server_stream *stream;
	struct hub *hub;
	int64_t position;
	int64_t written_ns; /* the last write that went in */
	bool full;          /* the last one did not */
	bool lost;
	struct str types[STREAM_TYPES_MAX];
	size_t type_count;
	struct arena arena;
};

struct streams {
	struct readers *readers;
	const struct clock *clock;
	uint32_t max;
	atomic_uint count; /* with the places that are taken */
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct client *clients;
	bool woken, quitting;
	pthread_t thread;
	struct buf frame;   /* of the thread */
	struct arena arena; /* of the thread */
};

/* JSON has line breaks only between its tokens. */
static void add_line(struct buf *out, struct str json)
{
	while (json.n) {
		size_t n = 0;
		while (n < json.n && json.p[n] != '\n' && json.p[n] != '\r')
			n++;
		buf_add(out, json.p, n);
		if (n < json.n)
			buf_add_char(out, ' ');
		json = n < json.n ? (struct str){json.p + n + 1, json.n - n - 1} : STR_NONE;
	}
}

struct turn {
	struct streams *s;
	struct client *c;
};

static enum rc write_frame(struct streams *s, struct client *c)
{
	enum rc rc = buf_ok(&s->frame) ? server_stream_write(c->stream, buf_str(&s->frame)) : RC_DENIED;
	if (rc == RC_OK)
		c->written_ns = clock_mono_ns(s->clock);
	if (rc == RC_DENIED || (rc == RC_LIMIT && server_stream_backlog(c->stream) == 0))
		c->lost = true; /* gone, or an event that will never fit */
	c->full = rc == RC_LIMIT;
	return rc;
}

static enum rc emit(void *ctx, int64_t position, struct str type, struct str json)
{
	struct turn *t = ctx;
	struct buf *out = &t->s->frame;
	buf_reset(out);
	buf_printf(out, "id: %lld\nevent: " STR_FMT "\ndata: ", (long long)position, STR_ARG(type));
	add_line(out, json);
	buf_add_z(out, "\n\n");
	return write_frame(t->s, t->c);
}

static void read_on(struct streams *s, struct client *c)
{
	struct turn t = {s, c};
	struct err e = ERR_NONE;
	struct query q = {.hub = c->hub, .arena = &s->arena};
	if (readers_take(s->readers, c->hub, &q.reader, &e) != RC_OK)
		return;
	int64_t last = c->position;
	enum rc rc = query_events_each(&q, c->position, c->types, c->type_count, TURN_EVENTS, emit, &t, &last, &e);
	bool broken = rc != RC_OK && !c->full && !c->lost;
	readers_give(s->readers, c->hub, q.reader, broken);
	arena_reset(&s->arena);
	c->position = last;
	if (broken)
		log_err(LOG_WARN, "edge", "an event stream cannot read the log", &e);
}

/* How long it may be left alone, in milliseconds. */
static int64_t serve(struct streams *s, struct client *c)
{
	int64_t before = c->position;
	c->full = false;
	if (server_stream_gone(c->stream)) {
		c->lost = true;
		return 0;
	}
	if (hub_position(c->hub) > c->position)
		read_on(s, c);
	int64_t quiet_ms = (clock_mono_ns(s->clock) - c->written_ns) / 1000000;
	if (c->full) {
		c->lost |= quiet_ms > STUCK_MS;
		return FULL_WAIT_MS;
	}
	if (quiet_ms >= HEARTBEAT_MS) {
		buf_reset(&s->frame);
		buf_add_z(&s->frame, ":\n\n");
		(void)!write_frame(s, c);
	}
	return c->position > before && hub_position(c->hub) > c->position ? 0 : IDLE_WAIT_MS;
}

static void client_free(struct streams *s, struct client *c)
{
	server_stream_end(c->stream, true);
	arena_done(&c->arena);
	free(c);
	atomic_fetch_sub(&s->count, 1);
}

/* One turn of all; returns how long to wait. */
static int64_t serve_all(struct streams *s)
{
	pthread_mutex_lock(&s->lock);
	struct client *first = s->clients;
	pthread_mutex_unlock(&s->lock);
	int64_t wait = IDLE_WAIT_MS;
	for (struct client *c = first; c; c = c->next) {
		int64_t w = serve(s, c);
		wait = w < wait ? w : wait;
	}
	pthread_mutex_lock(&s->lock);
	for (struct client **at = &s->clients; *at;) {
		struct client *c = *at;
		if (!c->lost) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		client_free(s, c);
	}
	pthread_mutex_unlock(&s->lock);
	return wait;
}

static void *run(void *ctx)
{
	struct streams *s = ctx;
	pthread_mutex_lock(&s->lock);
	while (!s->quitting) {
		s->woken = false;
		pthread_mutex_unlock(&s->lock);
		int64_t wait = serve_all(s);
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += wait * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_mutex_lock(&s->lock);
		while (!s->woken && !s->quitting)
			if (pthread_cond_timedwait(&s->change, &s->lock, &until) != 0)
				break;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

struct streams *streams_new(struct readers *readers, const struct clock *clock, uint32_t max_clients)
{
	struct streams *s = mem_zalloc(1, sizeof(*s));
	s->readers = readers;
	s->clock = clock;
	s->max = max_clients;
	buf_init(&s->frame, FRAME_MAX);
	arena_init(&s->arena, FRAME_MAX);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&s->change, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&s->lock, NULL);
	if (pthread_create(&s->thread, NULL, run, s) != 0)
		abort();
	return s;
}

void streams_free(struct streams *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->quitting = true;
	pthread_cond_signal(&s->change);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	while (s->clients) {
		struct client *c = s->clients;
		s->clients = c->next;
		client_free(s, c);
	}
	buf_done(&s->frame);
	arena_done(&s->arena);
	pthread_cond_destroy(&s->change);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

bool streams_reserve(struct streams *s)
{
	if (atomic_fetch_add(&s->count, 1) < s->max)
		return true;
	atomic_fetch_sub(&s->count, 1);
	return false;
}

void streams_add(struct streams *s, struct hub *hub, struct server_stream *stream, int64_t after,
		 const struct str *types, size_t type_count)
{
	struct client *c = mem_zalloc(1, sizeof(*c));
	c->stream = stream;
	c->hub = hub;
	c->position = after;
	c->written_ns = clock_mono_ns(s->clock);
	arena_init(&c->arena, 64 * 1024);
	for (size_t i = 0; i < type_count && i < STREAM_TYPES_MAX; i++)
		c->types[c->type_count++] = arena_copy(&c->arena, types[i]);
	pthread_mutex_lock(&s->lock);
	c->next = s->clients;
	s->clients = c;
	s->woken = true;
	pthread_cond_signal(&s->change);
	pthread_mutex_unlock(&s->lock);
}

void streams_wake(struct streams *s)
{
	if (atomic_load(&s->count) == 0)
		return;
	pthread_mutex_lock(&s->lock);
	s->woken = true;
	pthread_cond_signal(&s->change);
	pthread_mutex_unlock(&s->lock);
}
