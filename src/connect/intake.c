/* One message: bytes to canonical objects, objects to commands, commands to the hub. */
#include "connect/stream.h"

#include "base/mem.h"
#include "connect/canonical.h"
#include "observe/log.h"
#include "observe/metrics.h"

#include <stdatomic.h>
#include <stdio.h>

#define INTAKE_ARENA_MAX (256u << 20)
#define GIVE_MS          200 /* how long a worker waits for a hub before it parks the stream */

/* A message on its way; lives until the last of its commands is back. */
struct intake {
	struct arena arena;
	struct message *message;
	atomic_int references;
};

/* What a command needs when it comes back. */
struct errand {
	struct stream *stream;
	struct intake *intake;
};

struct message *message_copy(const struct message *from)
{
	struct message *m = mem_zalloc(1, sizeof(*m));
	arena_init(&m->arena, MESSAGE_PAYLOAD_MAX + MESSAGE_ENVELOPE_MAX);
	m->seq = from->seq;
	m->at = from->at;
	m->source = arena_copy(&m->arena, from->source);
	m->endpoint = arena_copy(&m->arena, from->endpoint);
	m->correlation_id = arena_copy(&m->arena, from->correlation_id);
	m->headers = arena_copy(&m->arena, from->headers);
	m->payload = arena_copy(&m->arena, from->payload);
	return m;
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
	struct errand *errand = ctx;
	struct stream *s = errand->stream;
	int64_t seq = c->message_seq;
	bool failed = c->answer.status >= 500;
	command_free(c);
	pthread_mutex_lock(&s->worker->lock);
	s->outstanding--;
	if (failed && (s->rewind == 0 || seq < s->rewind))
		s->rewind = seq;
	pthread_cond_signal(&s->worker->news);
	pthread_mutex_unlock(&s->worker->lock);
	intake_release(errand->intake);
	free(errand);
}

/* Counts one more command with the hub, waiting for room until the deadline. */
static bool reserve(struct stream *s, int64_t deadline)
{
	struct inbound_worker *w = s->worker;
	int64_t left;
	pthread_mutex_lock(&w->lock);
	while (s->outstanding >= INBOUND_COMMANDS_MAX && !s->rewind && !w->stopping &&
	       (left = deadline - stream_now_ms(w->engine)) > 0)
		stream_wait(w, left);
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
		stream_wait(s->worker, STREAM_PARK_MS);
	pthread_mutex_unlock(&s->worker->lock);
}

static enum rc give(struct stream *s, struct intake *k, struct command *c)
{
	int64_t deadline = stream_now_ms(s->worker->engine) + GIVE_MS;
	struct errand *errand = mem_alloc(sizeof(*errand));
	*errand = (struct errand){s, k};
	c->done = command_back;
	c->ctx = errand;
	while (reserve(s, deadline)) {
		atomic_fetch_add(&k->references, 1);
		enum rc rc = hub_submit(s->hub->hub, c);
		if (rc == RC_OK)
			return rc;
		atomic_fetch_sub(&k->references, 1); /* the worker's own is left */
		bool again = rc == RC_LIMIT && stream_now_ms(s->worker->engine) < deadline;
		unreserve(s, again);
		if (!again)
			break;
	}
	command_free(c);
	free(errand);
	return RC_RETRY;
}

/* ---- mediation ---- */

static enum rc find_order(void *ctx, struct arena *a, struct str channel, struct str external_id, struct str *order_id,
			  struct err *e)
{
	struct stream *s = ctx;
	struct store_value row[12];
	pthread_mutex_lock(&s->worker->lock);
	bool pending = s->outstanding > 0;
	pthread_mutex_unlock(&s->worker->lock);
	enum rc rc = RC_OK;
	if (!s->reader)
		rc = store_reader_open(hub_store(s->hub->hub), &s->reader, e);
	if (rc == RC_OK)
		rc = hub_find_order(s->hub->hub, s->reader, channel, external_id, a, row, e);
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

/* The mapping says that the business does not want this: rejected, and somebody hears of it. */
static enum rc give_refused(struct stream *s, struct intake *k, const struct canonical_origin *o, struct str reason)
{
	struct command *c = canonical_dead(o, reason, NULL);
	c->refused = true;
	return give(s, k, c);
}

static enum rc give_dead_item(struct stream *s, struct intake *k, const struct canonical_origin *o,
			      const struct inbound_item *item)
{
	struct command *c = canonical_dead(o, canonical_reason(&k->arena, item->type, &item->findings), item->document);
	canonical_name(c, o, item->type, item->document);
	log_info("inbound", "an object cannot be used", LOG_STR("tenant", s->hub->tenant->name),
		 LOG_STR("system", o->source), LOG_INT("message", o->message_seq));
	return give(s, k, c);
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
		return give_dead_item(s, k, o, item);
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
	if (rc == RC_REJECT)
		return give_refused(s, k, &o, str_from(e.detail));
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

enum rc intake_mediate(struct stream *s, struct message *m, struct message **again)
{
	struct intake *k = mem_zalloc(1, sizeof(*k));
	arena_init(&k->arena, INTAKE_ARENA_MAX);
	k->message = m;
	atomic_init(&k->references, 1);
	enum rc rc = mediate(s, k);
	if (rc == RC_OK)
		s->items_taken = 0;
	else
		*again = message_copy(m); /* items of it may be with the hub already and point into it */
	intake_release(k);
	return rc;
}
