/*
 * Streams. A stream is what one worker mediates for one hub: the sources whose hash says so. A worker takes its
 * messages in the order of the inbox and submits their commands in that order; the hub's queue keeps it. So effects of
 * one source are in order, sources run in parallel, and a worker goes round its streams message by message.
 *
 * Memory. A message that finds its stream full is freed, and the stream is `behind`: from then on all new ones are,
 * until those that are in memory are done and the store has been read up to its end. Only the worker reads; `dropped`
 * tells whether a message was freed since the read began, for then the read may have missed it.
 *
 * A hub that does not take a command (its queue is full, too many of ours are with it, it does not commit) parks the
 * stream, not the worker: the message goes back to the front with the number of its items that were taken. A commit
 * that failed rewinds the stream to that message, when all commands have come back; what had an effect by then has it
 * once, because commands carry their natural keys.
 */
#include "connect/stream.h"

#include "base/compress.h"
#include "base/mem.h"
#include "observe/log.h"

#include <assert.h>
#include <time.h>

#define RELOAD_ROWS       256
#define PARK_FAILED_MS    1000
#define PARK_NOT_READY_MS 200 /* the hub does not commit, or not yet */

int64_t stream_now_ms(const struct inbound_engine *in)
{
	return clock_mono_ns(in->clock) / 1000000;
}

void stream_wait(struct inbound_worker *w, int64_t wait_ms)
{
	if (wait_ms < 0) {
		pthread_cond_wait(&w->news, &w->lock);
		return;
	}
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&w->news, &w->lock, &until);
}

static size_t weight(const struct message *m)
{
	return sizeof(*m) + m->arena.used;
}

static struct stream *stream_of(struct inbound_hub *h, struct str source)
{
	struct inbound_engine *in = h->engine;
	uint64_t hash = hash64(hash_process_key(), source) + h->index;
	return &in->workers[hash % in->worker_count].streams[h->index];
}

/* ---- into memory ---- */

static void append(struct stream *s, struct message *m)
{
	m->next = NULL;
	*(s->first ? &s->last->next : &s->first) = m;
	s->last = m;
	s->bytes += weight(m);
	s->worker->bytes += weight(m);
}

static struct message *pop(struct stream *s)
{
	struct message *m = s->first;
	s->first = m->next;
	s->bytes -= weight(m);
	s->worker->bytes -= weight(m);
	return m;
}

static void push_front(struct stream *s, struct message *m)
{
	m->next = s->first;
	if (!s->first)
		s->last = m;
	s->first = m;
	s->bytes += weight(m);
	s->worker->bytes += weight(m);
}

static void clear(struct stream *s)
{
	while (s->first)
		message_free(pop(s));
}

void inbound_message(struct inbound_hub *h, struct message *m)
{
	struct stream *s = stream_of(h, m->source);
	struct inbound_worker *w = s->worker;
	pthread_mutex_lock(&w->lock);
	bool full = s->bytes + weight(m) > INBOUND_STREAM_BYTES_MAX || w->bytes + weight(m) > INBOUND_BYTES_MAX;
	bool keep = !w->stopping && !s->behind && !full;
	if (keep)
		append(s, m);
	else
		s->behind = s->dropped = true;
	pthread_cond_signal(&w->news);
	pthread_mutex_unlock(&w->lock);
	if (!keep)
		message_free(m);
}

/* ---- from the store ---- */

struct reload {
	struct stream *stream;
	struct message *first, **last;
	size_t rows, bytes;
	int64_t scanned;
};

static enum rc take_row(void *ctx, const struct store_value *c, size_t count)
{
	struct reload *l = ctx;
	(void)count;
	if (l->bytes > INBOUND_STREAM_BYTES_MAX / 2)
		return RC_LIMIT;
	l->rows++;
	l->scanned = c[0].integer;
	if (stream_of(l->stream->hub, c[2].bytes) != l->stream)
		return RC_OK;
	struct message envelope = {.seq = c[0].integer,
				   .at = c[1].integer,
				   .source = c[2].bytes,
				   .endpoint = c[3].bytes,
				   .correlation_id = c[4].bytes,
				   .headers = c[5].bytes};
	struct message *m = message_copy(&envelope);
	struct err e = ERR_NONE;
	if (decompress(&m->arena, c[6].bytes, MESSAGE_PAYLOAD_MAX, &m->payload, &e) != RC_OK) {
		log_err(LOG_ERROR, "inbound", "the payload of a message cannot be unpacked", &e);
		m->payload = STR_NONE;
	}
	l->bytes += weight(m);
	*l->last = m;
	l->last = &m->next;
	return RC_OK;
}

/* The stream has nothing in memory. */
static void reload(struct stream *s)
{
	struct inbound_worker *w = s->worker;
	pthread_mutex_lock(&w->lock);
	s->dropped = false;
	pthread_mutex_unlock(&w->lock);
	int64_t after = s->taken > s->scanned ? s->taken : s->scanned;
	struct reload l = {.stream = s, .last = &l.first, .scanned = after};
	struct err e = ERR_NONE;
	enum rc rc = RC_OK;
	if (!s->reader)
		rc = store_reader_open(hub_store(s->hub->hub), &s->reader, &e);
	const struct store_value args[] = {SV_INT(after), SV_INT(RELOAD_ROWS)};
	if (rc == RC_OK)
		rc = store_read(s->reader, R_INBOX_PENDING, args, 2, take_row, &l, &e);
	bool whole = rc == RC_OK && l.rows < RELOAD_ROWS;
	bool failed = rc != RC_OK && rc != RC_LIMIT;
	if (failed)
		log_err(LOG_ERROR, "inbound", "waiting messages cannot be read", &e);
	pthread_mutex_lock(&w->lock);
	for (struct message *m = l.first, *next; m; m = next) {
		next = m->next;
		append(s, m);
	}
	if (whole && !s->dropped)
		s->behind = false;
	if (failed)
		s->park_until = stream_now_ms(w->engine) + PARK_FAILED_MS;
	pthread_mutex_unlock(&w->lock);
	s->scanned = l.scanned;
}

/* ---- the worker ---- */

static void work_on(struct stream *s, struct message *m)
{
	struct message *again;
	if (intake_mediate(s, m, &again) == RC_OK)
		return;
	int64_t pause = hub_ready(s->hub->hub) ? STREAM_PARK_MS : PARK_NOT_READY_MS;
	pthread_mutex_lock(&s->worker->lock);
	push_front(s, again);
	s->park_until = stream_now_ms(s->worker->engine) + pause;
	pthread_mutex_unlock(&s->worker->lock);
}

/* All that were with the hub are back: from the failed message on, again from the store. */
static void rewind_stream(struct stream *s)
{
	clear(s);
	s->taken = s->scanned = s->rewind - 1;
	s->rewind = 0;
	s->items_taken = 0;
	s->behind = s->dropped = true;
	s->park_until = stream_now_ms(s->worker->engine) + PARK_FAILED_MS;
	log_warn("inbound", "the hub could not commit; messages are taken again",
		 LOG_STR("tenant", s->hub->tenant->name), LOG_INT("after", s->taken));
}

/* The next stream with something to do; NULL: none, and when to look again. Called with the lock. */
static struct stream *next_stream(struct inbound_worker *w, int64_t *wait_ms)
{
	int64_t now = stream_now_ms(w->engine);
	*wait_ms = -1;
	for (size_t i = 0; i < w->engine->hub_count; i++) {
		struct stream *s = &w->streams[(w->turn + i) % w->engine->hub_count];
		if (s->rewind) {
			if (s->outstanding)
				continue;
			rewind_stream(s);
		}
		if (!s->first && !s->behind)
			continue;
		if (s->park_until > now) {
			if (*wait_ms < 0 || s->park_until - now < *wait_ms)
				*wait_ms = s->park_until - now;
			continue;
		}
		w->turn = (w->turn + i + 1) % w->engine->hub_count;
		return s;
	}
	return NULL;
}

static uint32_t outstanding(const struct inbound_worker *w)
{
	uint32_t n = 0;
	for (size_t i = 0; i < w->engine->hub_count; i++)
		n += w->streams[i].outstanding;
	return n;
}

static void *worker_main(void *arg)
{
	struct inbound_worker *w = arg;
	int64_t wait_ms;
	pthread_mutex_lock(&w->lock);
	while (!w->stopping) {
		struct stream *s = next_stream(w, &wait_ms);
		if (!s) {
			stream_wait(w, wait_ms);
			continue;
		}
		struct message *m = s->first ? pop(s) : NULL;
		pthread_mutex_unlock(&w->lock);
		if (m) {
			s->taken = m->seq;
			work_on(s, m);
		} else {
			reload(s);
		}
		pthread_mutex_lock(&w->lock);
	}
	while (outstanding(w))
		pthread_cond_wait(&w->news, &w->lock);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- start and stop ---- */

static void worker_start(struct inbound_engine *in, struct inbound_worker *w)
{
	pthread_condattr_t monotonic;
	w->engine = in;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w->news, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&w->lock, NULL);
	w->mediator = mediator_new(&MEDIATOR_LIMITS_DEFAULT);
	w->streams = mem_zalloc(in->hub_count, sizeof(struct stream));
	for (size_t i = 0; i < in->hub_count; i++) {
		w->streams[i].worker = w;
		w->streams[i].hub = &in->hubs[i];
	}
	int failed = pthread_create(&w->thread, NULL, worker_main, w);
	assert(!failed);
}

enum rc inbound_start(struct node *n, struct inbound_engine **out, struct err *e)
{
	(void)e;
	struct inbound_engine *in = mem_zalloc(1, sizeof(*in));
	in->clock = node_clock(n);
	in->hub_count = node_tenants(n);
	in->hubs = mem_zalloc(in->hub_count, sizeof(struct inbound_hub));
	for (size_t i = 0; i < in->hub_count; i++)
		in->hubs[i] = (struct inbound_hub){in, node_hub(n, i), hub_tenant(node_hub(n, i)), i};
	in->worker_count = node_config(n)->mediation_threads ? node_config(n)->mediation_threads : 1;
	in->workers = mem_zalloc(in->worker_count, sizeof(struct inbound_worker));
	for (uint32_t i = 0; i < in->worker_count; i++)
		worker_start(in, &in->workers[i]);
	*out = in;
	return RC_OK;
}

void inbound_stop(struct inbound_engine *in)
{
	if (!in)
		return;
	for (uint32_t i = 0; i < in->worker_count; i++) {
		struct inbound_worker *w = &in->workers[i];
		pthread_mutex_lock(&w->lock);
		w->stopping = true;
		pthread_cond_signal(&w->news);
		pthread_mutex_unlock(&w->lock);
	}
	for (uint32_t i = 0; i < in->worker_count; i++) {
		struct inbound_worker *w = &in->workers[i];
		pthread_join(w->thread, NULL);
		for (size_t j = 0; j < in->hub_count; j++) {
			if (w->streams[j].reader)
				store_reader_close(w->streams[j].reader);
			w->streams[j].reader = NULL;
			pthread_mutex_lock(&w->lock);
			clear(&w->streams[j]);
			pthread_mutex_unlock(&w->lock);
		}
	}
}

void inbound_free(struct inbound_engine *in)
{
	if (!in)
		return;
	for (uint32_t i = 0; i < in->worker_count; i++) {
		struct inbound_worker *w = &in->workers[i];
		mediator_free(w->mediator);
		pthread_cond_destroy(&w->news);
		pthread_mutex_destroy(&w->lock);
		free(w->streams);
	}
	free(in->workers);
	free(in->hubs);
	free(in);
}

struct inbound_hub *inbound_hub_of(struct inbound_engine *in, size_t tenant)
{
	assert(tenant < in->hub_count);
	return &in->hubs[tenant];
}
