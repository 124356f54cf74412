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
#include "connect/inbound.h"

#include "base/compress.h"
#include "base/mem.h"
#include "connect/canonical.h"
#include "observe/log.h"
#include "observe/metrics.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define INTAKE_ARENA_MAX (256u << 20)
#define PAYLOAD_MAX      (64u << 20)
#define ENVELOPE_MAX     (1u << 20)
#define RELOAD_ROWS      256
#define PARK_MS          20
#define PARK_FAILED_MS   1000
#define GIVE_MS          200 /* how long a worker waits for a hub before it parks the stream */

struct stream {
	struct inbound_worker *worker;
	struct inbound_hub *hub;
	struct store_reader *reader; /* the worker's */
	int64_t taken, scanned;      /* the worker's: seq of the last message taken out; of the last row read */
	int items_taken;             /* the worker's: of the first message, when it was parked */

	/* Guarded by the worker's lock. */
	struct message *first, *last;
	size_t bytes;
	bool behind, dropped;
	uint32_t outstanding; /* commands with the hub */
	int64_t rewind;       /* the commit of this message failed; 0: none */
	int64_t park_until;   /* monotonic ms */
};

struct inbound_worker {
	struct inbound_engine *engine;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct mediator *mediator;
	struct stream *streams; /* by hub */
	size_t bytes, turn;
	bool stopping;
};

struct inbound_hub {
	struct inbound_engine *engine;
	struct hub *hub;
	const struct config_tenant *tenant;
	size_t index;
};

struct inbound_engine {
	const struct clock *clock;
	struct inbound_hub *hubs;
	size_t hub_count;
	struct inbound_worker *workers;
	uint32_t worker_count;
};

/* A message on its way; lives until the last of its commands is back. */
struct intake {
	struct arena arena;
	struct message *message;
	atomic_int references;
};

/* What a command needs when it comes back; in its arena. */
struct errand {
	struct stream *stream;
	struct intake *intake;
};

static int64_t mono_ms(const struct inbound_engine *in)
{
	return clock_mono_ns(in->clock) / 1000000;
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

/* Called with the lock; wait_ms below 0: for ever. */
static void wait_for_news(struct inbound_worker *w, int64_t wait_ms)
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

static struct message *message_copy(const struct message *from)
{
	struct message *m = mem_zalloc(1, sizeof(*m));
	arena_init(&m->arena, PAYLOAD_MAX + ENVELOPE_MAX);
	m->seq = from->seq;
	m->at = from->at;
	m->source = arena_copy(&m->arena, from->source);
	m->endpoint = arena_copy(&m->arena, from->endpoint);
	m->correlation_id = arena_copy(&m->arena, from->correlation_id);
	m->headers = arena_copy(&m->arena, from->headers);
	m->payload = arena_copy(&m->arena, from->payload);
	return m;
}

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
	if (decompress(&m->arena, c[6].bytes, PAYLOAD_MAX, &m->payload, &e) != RC_OK) {
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
		s->park_until = mono_ms(w->engine) + PARK_FAILED_MS;
	pthread_mutex_unlock(&w->lock);
	s->scanned = l.scanned;
}

/* ---- to the hub ---- */

static void intake_release(struct intake *k)
{
	if (atomic_fetch_sub(&k->references, 1) != 1)
		return;
	message_free(k->message);
	arena_done(&k->arena);
	free(k);
}

/* On the writer's thread. */
static void command_back(struct command *c, void *ctx)
{
	struct errand errand = *(struct errand *)ctx;
	struct stream *s = errand.stream;
	int64_t seq = c->message_seq;
	bool failed = c->answer.status >= 500;
	command_free(c);
	pthread_mutex_lock(&s->worker->lock);
	s->outstanding--;
	if (failed && (s->rewind == 0 || seq < s->rewind))
		s->rewind = seq;
	pthread_cond_signal(&s->worker->news);
	pthread_mutex_unlock(&s->worker->lock);
	intake_release(errand.intake);
}

/* Counts one more command with the hub, waiting for room until the deadline. */
static bool reserve(struct stream *s, int64_t deadline)
{
	struct inbound_worker *w = s->worker;
	int64_t left;
	pthread_mutex_lock(&w->lock);
	while (s->outstanding >= INBOUND_COMMANDS_MAX && !s->rewind && !w->stopping &&
	       (left = deadline - mono_ms(w->engine)) > 0)
		wait_for_news(w, left);
	bool room = s->outstanding < INBOUND_COMMANDS_MAX && !s->rewind && !w->stopping;
	s->outstanding += room;
	pthread_mutex_unlock(&w->lock);
	return room;
}

static void unreserve(struct stream *s, bool wait)
{
	pthread_mutex_lock(&s->worker->lock);
	s->outstanding--;
	if (wait)
		wait_for_news(s->worker, PARK_MS);
	pthread_mutex_unlock(&s->worker->lock);
}

static enum rc give(struct stream *s, struct intake *k, struct command *c)
{
	int64_t deadline = mono_ms(s->worker->engine) + GIVE_MS;
	struct errand *errand = arena_new(&c->arena, struct errand);
	assert(errand);
	*errand = (struct errand){s, k};
	c->done = command_back;
	c->ctx = errand;
	while (reserve(s, deadline)) {
		atomic_fetch_add(&k->references, 1);
		enum rc rc = hub_submit(s->hub->hub, c);
		if (rc == RC_OK)
			return rc;
		atomic_fetch_sub(&k->references, 1); /* the worker's own is left */
		bool again = rc == RC_LIMIT && mono_ms(s->worker->engine) < deadline;
		unreserve(s, again);
		if (!again)
			break;
	}
	command_free(c);
	return RC_RETRY;
}

/* ---- mediation ---- */

static enum rc find_order(void *ctx, struct arena *a, struct str channel, struct str external_id, struct str *order_id,
			  struct err *e)
{
	struct stream *s = ctx;
	struct store_value row[12];
	const struct store_value args[] = {SV_TEXT(channel), SV_TEXT(external_id)};
	pthread_mutex_lock(&s->worker->lock);
	bool pending = s->outstanding > 0;
	pthread_mutex_unlock(&s->worker->lock);
	enum rc rc = RC_OK;
	if (!s->reader)
		rc = store_reader_open(hub_store(s->hub->hub), &s->reader, e);
	if (rc == RC_OK)
		rc = store_read_one(s->reader, R_ORDER_EXTERNAL, args, 2, a, row, e);
	if (rc == RC_OK)
		*order_id = row[1].bytes;
	if (rc == RC_NOT_FOUND)
		return pending ? RC_RETRY : rc; /* the order itself may be on its way */
	return rc == RC_OK ? rc : RC_RETRY;
}

static enum rc give_dead(struct stream *s, struct intake *k, const struct canonical_origin *o, struct str reason,
			 const struct json *document)
{
	log_info("inbound", "a message cannot be used", LOG_STR("tenant", s->hub->tenant->name),
		 LOG_STR("system", o->source), LOG_INT("message", o->message_seq));
	return give(s, k, canonical_dead(o, reason, document));
}

static enum rc give_item(struct stream *s, struct intake *k, struct canonical_origin *o,
			 const struct inbound_item *item)
{
	struct command *c;
	struct err e = ERR_NONE;
	for (size_t i = 0; i < item->drift.count; i++)
		log_info("inbound", "a field that the schema does not know", LOG_STR("system", o->source),
			 LOG_STR("type", item->type), LOG_TEXT("pointer", item->drift.list[i].pointer));
	if (item->findings.count)
		return give_dead(s, k, o, canonical_reason(&k->arena, item->type, &item->findings), item->document);
	enum rc rc = canonical_command(o, item->type, item->document, &c, &e);
	if (rc == RC_OK)
		return give(s, k, c);
	return rc == RC_RETRY ? rc : give_dead(s, k, o, str_from(e.detail), NULL);
}

static void measure(struct stream *s, const struct config_system *system, int64_t begin_ns)
{
	char tenant[128], pack[128];
	snprintf(tenant, sizeof(tenant), STR_FMT, STR_ARG(s->hub->tenant->name));
	snprintf(pack, sizeof(pack), STR_FMT, STR_ARG(system->pack->name));
	metric_observe_us(metric_find(M_MEDIATE_SECONDS, (const char *const[]){tenant, pack}),
			  (clock_mono_ns(s->worker->engine->clock) - begin_ns) / 1000);
}

/* RC_RETRY: items_taken of its items are with the hub, the others later. */
static enum rc mediate(struct stream *s, struct intake *k)
{
	struct message *m = k->message;
	const struct config_system *system = config_find_system(s->hub->tenant, m->source);
	struct canonical_origin o = {.tenant = s->hub->tenant,
				     .source = m->source,
				     .correlation_id = m->correlation_id,
				     .message_seq = m->seq,
				     .items = 1,
				     .find_order = find_order,
				     .ctx = s};
	struct inbound in;
	struct err e = ERR_NONE;
	if (!system)
		return give_dead(s, k, &o, STR("the system that sent it is not configured"), NULL);
	int64_t begin = clock_mono_ns(s->worker->engine->clock);
	enum rc rc = pack_inbound(system->pack, s->worker->mediator, m->endpoint, system->settings, m->payload,
				  &k->arena, &in, &e);
	measure(s, system, begin);
	if (rc != RC_OK) {
		char reason[sizeof(e.code) + sizeof(e.where) + sizeof(e.detail) + 8];
		snprintf(reason, sizeof(reason), "%s%s%s: %s", e.code, e.where[0] ? " at " : "", e.where, e.detail);
		return give_dead(s, k, &o, str_from(reason), NULL);
	}
	if (in.count == 0)
		return give_dead(s, k, &o, STR("the message holds no objects"), NULL);
	o.items = (int)in.count;
	for (; s->items_taken < o.items; s->items_taken++) {
		o.item = s->items_taken;
		rc = give_item(s, k, &o, &in.items[o.item]);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static void work_on(struct stream *s, struct message *m)
{
	struct inbound_worker *w = s->worker;
	struct intake *k = mem_zalloc(1, sizeof(*k));
	arena_init(&k->arena, INTAKE_ARENA_MAX);
	k->message = m;
	atomic_init(&k->references, 1);
	if (mediate(s, k) == RC_OK) {
		s->items_taken = 0;
		intake_release(k);
		return;
	}
	/* Items of it may be with the hub already and point into it: go on with a copy. */
	struct message *again = message_copy(m);
	intake_release(k);
	pthread_mutex_lock(&w->lock);
	push_front(s, again);
	s->park_until = mono_ms(w->engine) + PARK_MS;
	pthread_mutex_unlock(&w->lock);
}

/* ---- the worker ---- */

/* All that were with the hub are back: from the failed message on, again from the store. */
static void rewind_stream(struct stream *s)
{
	clear(s);
	s->taken = s->scanned = s->rewind - 1;
	s->rewind = 0;
	s->items_taken = 0;
	s->behind = s->dropped = true;
	s->park_until = mono_ms(s->worker->engine) + PARK_FAILED_MS;
	log_warn("inbound", "the hub could not commit; messages are taken again",
		 LOG_STR("tenant", s->hub->tenant->name), LOG_INT("after", s->taken));
}

/* The next stream with something to do; NULL: none, and when to look again. Called with the lock. */
static struct stream *next_stream(struct inbound_worker *w, int64_t *wait_ms)
{
	int64_t now = mono_ms(w->engine);
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
			wait_for_news(w, wait_ms);
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
