/*
 * The writer's loop with group commit.
 *
 * A round takes what is queued, applies it to the state in memory through the step functions, and commits all effects
 * as one transaction. While the disk is busy the next batch grows by itself. Only after the commit is anything shown:
 * answers, the stock view, the sinks, the event position.
 *
 * How it fails. A commit that certainly did not happen: every command of the batch is answered 503, the state is loaded
 * again. A commit in doubt: the store is recovered and says whether the batch is there; if it is, the answers stand.
 * Until that has worked the hub is not ready, takes nothing, and tries again each second. Time never goes back: a
 * batch's time is the larger of the last one's and the clock's.
 */
#include "hub/state.h"
#include "hub/unsent.h"

#include "base/mem.h"
#include "hub/config_secrets.h"
#include "observe/log.h"
#include "orchestrate/stock/serial.h"

#include <assert.h>

#define BATCH_ARENA_MAX ((size_t)1 << 30)
#define EXPIRE_SLICE    200
/* Snapshot rows (positions, publications) have scattered keys: under load a share of a row a command is saved up and
 * written by the group, in which rows share pages; when nothing happens many are written at once. */
#define FLUSH_SHARE    8
#define FLUSH_GROUP    128
#define FLUSH_IDLE     500
#define FLUSH_AFTER_MS 200
#define RETRY_MS       1000
#define IDLE_MS        500
#define TAKE_MAX       4096
#define KEYS_MAX       100000000
#define SLOW_MS        50 /* a batch that takes longer is logged, one a second */
#define REPLAY_MS      20 /* between two slices of a replay, when nothing else happens */

const struct config *hub_config(const struct hub *h)
{
	return h->config;
}

const struct config_tenant *hub_tenant(const struct hub *h)
{
	return h->tenant;
}

struct store *hub_store(const struct hub *h)
{
	return h->store;
}

const struct stock_view *hub_stock(const struct hub *h)
{
	return h->view;
}

struct counters *hub_counters(const struct hub *h)
{
	return h->counters;
}

int64_t hub_clock_ms(const struct hub *h)
{
	return clock_wall_ms(h->clock);
}

int64_t hub_position(const struct hub *h)
{
	return atomic_load(&h->position);
}

bool hub_ready(const struct hub *h)
{
	return atomic_load(&h->ready);
}

enum rc hub_secret_key(struct hub *h, struct secretbox_key *out, struct err *e)
{
	enum rc rc = RC_OK;

	pthread_mutex_lock(&h->secret_lock);
	if (!h->has_secret_key)
		rc = config_secrets_key(h->config->folder.p, &h->secret_key, e);
	h->has_secret_key = rc == RC_OK;
	*out = h->secret_key;
	pthread_mutex_unlock(&h->secret_lock);
	return rc;
}

struct unsent *hub_unsent(const struct hub *h)
{
	return h->unsent;
}

bool hub_system_paused(const struct hub *h, uint32_t system)
{
	return !system_is_subscription(system) && atomic_load(&h->paused[system]);
}

enum rc hub_find_order(const struct hub *h, struct store_reader *r, struct str channel, struct str external_id,
		       struct arena *a, struct store_value *row, struct err *e)
{
	struct dedup_entry entry;
	enum rc rc = dedup_look(h->keys, dedup_hash(DEDUP_ORDER, channel, external_id), &entry);

	if (rc == RC_RETRY)
		return err_set(e, rc, "not_ready", "the state is being loaded");
	if (rc == RC_OK)
		rc = store_read_one(r, R_ORDER_BY_SEQ, &SV_INT(entry.ref), 1, a, row, e);
	if (rc == RC_OK && (!str_eq(row[2].bytes, channel) || !str_eq(row[3].bytes, external_id)))
		rc = RC_NOT_FOUND;
	return rc;
}

enum rc hub_find_reservation(const struct hub *h, struct store_reader *r, struct str reservation_id, struct arena *a,
			     struct store_value *row, struct err *e)
{
	struct dedup_entry entry;
	enum rc rc = dedup_look(h->keys, dedup_hash(DEDUP_RESERVATION, reservation_id, STR_NONE), &entry);
	int64_t seq = rc == RC_OK ? entry.ref : hold_seq_of_id(reservation_id);

	if (rc == RC_RETRY)
		return err_set(e, rc, "not_ready", "the state is being loaded");
	rc = seq > 0 ? store_read_one(r, R_RESERVATION, &SV_INT(seq), 1, a, row, e) : RC_NOT_FOUND;
	if (rc == RC_OK && !str_eq(row[5].bytes, reservation_id))
		rc = RC_NOT_FOUND;
	return rc;
}

static void find_metrics(struct hub *h)
{
	const char *labels[2] = {arena_copy(&h->batch.arena, h->tenant->name).p, NULL};

	h->metric_batches = metric_find(M_HUB_BATCHES, labels);
	h->metric_commit = metric_find(M_HUB_COMMIT_SECONDS, labels);
	h->metric_queue = metric_find(M_HUB_QUEUE, labels);
	h->metric_apply = metric_find(M_HUB_APPLY_SECONDS, labels);
	h->metric_wait = metric_find(M_STORE_COMMIT_SECONDS, (const char *[]){labels[0], "wait"});
	h->metric_write = metric_find(M_STORE_COMMIT_SECONDS, (const char *[]){labels[0], "write"});
	h->metric_sync = metric_find(M_STORE_COMMIT_SECONDS, (const char *[]){labels[0], "sync"});
	for (size_t i = 0; i < COMMAND_TYPES; i++) {
		labels[1] = command_type_name((enum command_type)i);
		h->metric_commands[i] = metric_find(M_HUB_COMMANDS, labels);
	}
	for (size_t i = 0; i < h->tenant->channel_count && i < CONFIG_CHANNELS_MAX; i++) {
		labels[1] = arena_copy(&h->batch.arena, h->tenant->channels[i].name).p;
		if (h->tenant->channels[i].max_age_ms > 0)
			h->metric_stale[i] = metric_find(M_AVAILABILITY_STALE, labels);
		if (h->tenant->channels[i].away.over_limit != AWAY_ACCEPT)
			h->metric_away[i] = metric_find(M_ERP_AWAY, labels);
	}
}

enum rc hub_open(const struct config *config, const struct config_tenant *tenant, const struct store_options *store,
		 const struct clock *clock, struct hub **out, struct err *e)
{
	struct hub *h = mem_zalloc(1, sizeof(*h));
	enum rc rc;

	h->config = config_ref((struct config *)config);
	h->tenant = tenant;
	h->clock = clock;
	h->view = stock_view_new();
	h->keys = dedup_new(KEYS_MAX);
	h->counters = counters_new(tenant->name);
	h->queue = queue_new(config->limits.queue, -1);
	h->paused = mem_zalloc(tenant->system_count, sizeof(*h->paused));
	h->unsent = unsent_new();
	h->crowded = mem_zalloc(tenant->system_count, sizeof(*h->crowded));
	h->paused_now = mem_zalloc(tenant->system_count, sizeof(*h->paused_now));
	uuid_source_init(&h->ids);
	pthread_mutex_init(&h->secret_lock, NULL);
	arena_init(&h->batch.arena, BATCH_ARENA_MAX);
	find_metrics(h);
	rc = store_open(store, &h->store, &h->batch_number, e);
	if (rc == RC_OK)
		rc = store_reader_open(h->store, &h->reader, e);
	if (rc == RC_OK)
		rc = state_load(h, e);
	if (rc != RC_OK) {
		hub_close(h);
		return rc;
	}
	atomic_store(&h->ready, true);
	*out = h;
	return RC_OK;
}

static void drop_messages(struct hub *h)
{
	while (h->batch.messages) {
		struct message *m = h->batch.messages;

		h->batch.messages = m->next;
		message_free(m);
	}
}

void hub_close(struct hub *h)
{
	if (!h)
		return;
	assert(!h->threaded);
	drop_messages(h);
	job_free_all(h);
	dead_keys_free(h);
	state_done(&h->state);
	dedup_free(h->keys);
	while (h->messages) {
		struct message_progress *p = h->messages;

		h->messages = p->next;
		free(p);
	}
	store_reader_close(h->reader);
	store_close(h->store);
	stock_view_free(h->view);
	counters_free(h->counters);
	queue_free(h->queue);
	arena_done(&h->batch.arena);
	free(h->paused);
	unsent_free(h->unsent);
	free(h->crowded);
	free(h->paused_now);
	config_unref(h->config);
	pthread_mutex_destroy(&h->secret_lock);
	secret_wipe(&h->secret_key, sizeof(h->secret_key));
	free(h);
}

void hub_set_sinks(struct hub *h, const struct hub_sinks *sinks)
{
	h->sinks = *sinks;
}

/* Commands of our own threads, which bound themselves: not refused for the queue's length. */
static bool is_internal(enum command_type t)
{
	return t == COMMAND_DELIVERY_START || t == COMMAND_DELIVERY_RESULT || t == COMMAND_MESSAGE_DEAD ||
	       t == COMMAND_JOB_PROGRESS || t == COMMAND_SYSTEM_NOTE;
}

enum rc hub_submit(struct hub *h, struct command *c)
{
	enum rc rc;

	if (!atomic_load(&h->ready) || atomic_load(&h->stopping))
		return RC_RETRY;
	rc = is_internal(c->type) ? queue_push_always(h->queue, c) : queue_push(h->queue, c);
	return rc == RC_DENIED ? RC_RETRY : rc;
}

/* ---- one batch ---- */

static void begin_batch(struct hub *h)
{
	int64_t wall = clock_wall_ms(h->clock);

	if (wall > h->now)
		h->now = wall;
	arena_reset(&h->batch.arena);
	h->batch.committed = h->state.heads;
	h->batch.inbox = NULL;
	h->batch.movements = NULL;
	h->batch.messages = NULL;
	h->batch.messages_last = &h->batch.messages;
	h->batch.pauses_changed = h->batch.reconciliations_changed = false;
	h->batch.touched = NULL;
	h->batch.starts = NULL;
	serial_book_begin(h->state.stock->serials);
	h->batch.changes = NULL;
	h->batch.change_count = h->batch.change_room = 0;
	txn_init(&h->batch.txn, &h->batch.arena, &h->state.heads, h->state.dedup, &h->ids, h->batch_number + 1, h->now);
	h->batch.txn.subscriptions = h->state.subscriptions;
}

/* What a batch adds at its end: publications, order rows, and position rows that are oldest. */
static void finish_batch(struct hub *h, size_t commands)
{
	struct txn *t = &h->batch.txn;

	away_step(h->state.away, h->state.orders, t);
	publish_step(h->state.publisher, h->state.orders, t);
	order_flush(h->state.orders, t);
	txn_keys(t);
	if (t->batch.count > 0 || commands == 0) {
		bool idle = commands == 0 && h->now - h->busy_at >= FLUSH_AFTER_MS;

		h->flush_saved += FLUSH_SHARE + commands;
		if (idle || atomic_load(&h->stopping))
			h->flush_saved = FLUSH_IDLE * FLUSH_SHARE;
		if (h->flush_saved >= FLUSH_GROUP * FLUSH_SHARE) {
			stock_flush(h->state.stock, t, h->flush_saved / FLUSH_SHARE);
			publish_flush(h->state.publisher, t, h->flush_saved / FLUSH_SHARE);
			h->flush_saved = 0;
		}
	}
	counters_flush(h->counters, t);
}

static void show_state(struct hub *h)
{
	h->batch_number = h->batch.txn.batch.number;
	order_committed(h->state.orders);
	counters_committed(h->counters, &h->batch.txn);
	publish_show_heard(h->state.publisher, h->view);
	for (uint16_t i = 0; i < h->tenant->channel_count; i++)
		if (h->metric_stale[i])
			metric_set(h->metric_stale[i], (int64_t)publish_stale_locations(h->state.publisher, i));
	for (uint16_t i = 0; i < h->tenant->channel_count; i++)
		if (h->metric_away[i])
			metric_set(h->metric_away[i], away_is(h->state.away, i));
	stock_publish(h->state.stock, h->now);
	for (size_t i = 0; h->batch.pauses_changed && i < h->tenant->system_count; i++)
		atomic_store(&h->paused[i], h->paused_now[i]);
}

static void tell_sinks(struct hub *h)
{
	struct txn *t = &h->batch.txn;
	int64_t position = h->state.heads.event;

	if (h->sinks.deliveries && t->delivery_count > 0)
		h->sinks.deliveries(h->sinks.ctx, h, t->deliveries, t->delivery_count);
	if (h->sinks.changes && h->batch.change_count > 0)
		h->sinks.changes(h->sinks.ctx, h, h->batch.changes, h->batch.change_count);
	while (h->batch.messages) {
		struct message *m = h->batch.messages;

		h->batch.messages = m->next;
		m->next = NULL;
		h->sinks.message(h->sinks.ctx, h, m);
	}
	if (h->batch.reconciliations_changed && h->sinks.reconciliation)
		h->sinks.reconciliation(h->sinks.ctx, h);
	if (position == h->told_position)
		return;
	h->told_position = position;
	atomic_store(&h->position, position);
	if (h->sinks.events)
		h->sinks.events(h->sinks.ctx, h, position);
}

/* Makes state and store agree again; RC_OK when the hub can go on. *committed: the batch in doubt is there after all.
 */
static enum rc repair(struct hub *h, bool *committed, struct err *e)
{
	int64_t attempted = h->batch_number + 1;
	enum rc rc = RC_OK;

	if (h->in_doubt) {
		rc = store_recover(h->store, &h->batch_number, e);
		if (rc != RC_OK)
			return rc;
		*committed = h->batch_number == attempted;
		h->in_doubt = false;
	}
	rc = state_load(h, e);
	if (rc == RC_OK)
		h->stale = false;
	return rc;
}

/* apply_ns, commit_ns: what the last batch took in memory and in the store. */
static void note_times(struct hub *h, size_t commands, int64_t apply_ns, int64_t commit_ns)
{
	struct store_times t;

	store_commit_times(h->store, &t);
	metric_observe_us(h->metric_apply, apply_ns / 1000);
	metric_observe_us(h->metric_commit, commit_ns / 1000);
	metric_observe_us(h->metric_wait, t.wait_ns / 1000);
	metric_observe_us(h->metric_write, t.write_ns / 1000);
	metric_observe_us(h->metric_sync, (commit_ns - t.wait_ns - t.write_ns) / 1000);
	if (apply_ns + commit_ns < SLOW_MS * 1000000LL || h->now < h->slow_at + 1000)
		return;
	h->slow_at = h->now;
	log_warn("hub", "a slow batch", LOG_STR("tenant", h->tenant->name), LOG_INT("commands", (int64_t)commands),
		 LOG_INT("rows", h->batch.txn.batch.count), LOG_INT("apply_us", apply_ns / 1000),
		 LOG_INT("wait_us", t.wait_ns / 1000), LOG_INT("write_us", t.write_ns / 1000),
		 LOG_INT("sync_us", (commit_ns - t.wait_ns - t.write_ns) / 1000));
}

/* True: the batch is on the disk. After a failure the state has been loaded again, or h->stale is still set. */
static bool commit_batch(struct hub *h, size_t commands, int64_t began)
{
	struct err e = ERR_NONE;
	int64_t started = clock_mono_ns(h->clock);
	bool committed = false;
	enum rc rc;

	if (h->batch.txn.failed)
		rc = err_set(&e, RC_LIMIT, "batch_too_large", "the batch does not fit in memory");
	else if (h->batch.txn.batch.count == 0)
		return true;
	else
		rc = store_commit(h->store, &h->batch.txn.batch, &e);
	note_times(h, commands, started - began, clock_mono_ns(h->clock) - started);
	if (rc == RC_OK) {
		metric_add(h->metric_batches, 1);
		show_state(h);
		return true;
	}
	log_err(LOG_ERROR, "hub", "commit failed", &e);
	h->stale = true;
	h->in_doubt = rc == RC_UNKNOWN;
	h->doubted |= h->in_doubt;
	atomic_store(&h->ready, false);
	e = ERR_NONE;
	if (rc == RC_DENIED)
		return false;
	if (repair(h, &committed, &e) == RC_OK)
		atomic_store(&h->ready, true);
	else
		log_err(LOG_ERROR, "hub", "the store does not recover", &e);
	return committed;
}

static void refuse(struct command *c)
{
	c->answer = answer_error(&c->arena, 503, "not_durable",
				 "this could not be written; repeat it with the same key: it has one effect");
}

static void answer_all(struct hub *h, void **commands, size_t count, bool committed)
{
	for (size_t i = 0; i < count; i++) {
		struct command *c = commands[i];

		metric_add(h->metric_commands[c->type], 1);
		if (!committed)
			refuse(c);
		c->done(c, c->ctx);
	}
}

static bool is_dirty(const struct hub *h)
{
	return h->state.stock->dirty || publish_dirty(h->state.publisher);
}

static int64_t next_call(const struct hub *h)
{
	int64_t next = h->now + IDLE_MS,
		due[] = {job_next(h), hold_next_expiry(h->state.holds), publish_next(h->state.publisher),
			 away_next(h->state.away, h->state.orders, h->now),
			 is_dirty(h) ? h->busy_at + FLUSH_AFTER_MS : INT64_MAX};

	if (h->state.replaying)
		next = h->now + REPLAY_MS;
	for (size_t i = 0; i < sizeof(due) / sizeof(due[0]); i++)
		if (due[i] < next)
			next = due[i];
	return next > h->now ? next - h->now : 0;
}

static void run_batch(struct hub *h, void **commands, size_t count)
{
	int64_t began = clock_mono_ns(h->clock);
	bool committed;

	begin_batch(h);
	h->state.stock->now = h->now;
	if (count > 0)
		h->busy_at = h->now;
	hold_step_expire(h->state.holds, &h->batch.txn, EXPIRE_SLICE);
	order_step_restock(h->state.orders, &h->batch.txn);
	if (!h->begun)
		job_interrupted(h);
	h->begun = true;
	for (size_t i = 0; i < count; i++)
		apply_command(h, commands[i]);
	if (h->state.replaying)
		subscription_step_replay(h);
	job_run(h);
	retention_run(h);
	finish_batch(h, count);
	committed = commit_batch(h, count, began);
	if (committed)
		tell_sinks(h);
	else if (!h->in_doubt)
		drop_messages(h);
	answer_all(h, commands, count, committed);
}

/* The store did not recover: what is waiting is refused, and it is tried again after a while. */
static bool still_stale(struct hub *h, int wait_ms)
{
	struct err e = ERR_NONE;
	bool committed = false;
	void *commands[64];
	size_t count;

	if (!h->stale)
		return false;
	if (repair(h, &committed, &e) == RC_OK) {
		/* Nobody was answered, but what the batch made is there: it must not wait for the next start. */
		if (committed)
			tell_sinks(h);
		else
			drop_messages(h);
		atomic_store(&h->ready, true);
		return false;
	}
	log_err(LOG_ERROR, "hub", "the store does not recover", &e);
	count = queue_take(h->queue, commands, 64, wait_ms < RETRY_MS ? wait_ms : RETRY_MS);
	answer_all(h, commands, count, false);
	return true;
}

size_t hub_run(struct hub *h, int wait_ms, int64_t *next_ms)
{
	void *commands[TAKE_MAX];
	size_t limit = h->config->limits.batch < TAKE_MAX ? h->config->limits.batch : TAKE_MAX, count;

	*next_ms = RETRY_MS;
	if (still_stale(h, wait_ms))
		return 0;
	count = queue_take(h->queue, commands, limit, wait_ms);
	metric_set(h->metric_queue, (int64_t)queue_length(h->queue));
	run_batch(h, commands, count);
	*next_ms = next_call(h);
	return count;
}

/* ---- the thread ---- */

static void *writer(void *ctx)
{
	struct hub *h = ctx;
	int64_t wait = 0;
	size_t count;

	pthread_setname_np(pthread_self(), "writer");
	do {
		count = hub_run(h, atomic_load(&h->stopping) ? 0 : (int)wait, &wait);
	} while (!atomic_load(&h->stopping) || count > 0 || (!h->stale && is_dirty(h)));
	return NULL;
}

enum rc hub_start(struct hub *h, struct err *e)
{
	if (pthread_create(&h->thread, NULL, writer, h) != 0)
		return err_set(e, RC_IO, "no_thread", "the writer's thread cannot be started");
	h->threaded = true;
	return RC_OK;
}

void hub_stop(struct hub *h)
{
	if (!h->threaded)
		return;
	atomic_store(&h->stopping, true);
	queue_close(h->queue);
	pthread_join(h->thread, NULL);
	h->threaded = false;
}

/* ---- what was acknowledged before the last stop ---- */

struct resume {
	struct hub *h;
	int64_t last;
	size_t rows;
};

static enum rc resume_message(void *ctx, const struct store_value *c, size_t count)
{
	struct resume *r = ctx;
	struct message *m =
	    message_new(c[0].integer, c[1].integer, c[2].bytes, c[3].bytes, c[4].bytes, c[5].bytes, c[6].bytes);

	(void)count;
	r->last = c[0].integer;
	r->rows++;
	if (m)
		r->h->sinks.message(r->h->sinks.ctx, r->h, m);
	else
		log_error("hub", "a message cannot be unpacked", LOG_INT("inbox", c[0].integer));
	return RC_OK;
}

enum rc hub_resume(struct hub *h, struct err *e)
{
	struct resume r = {.h = h};
	enum rc rc;

	if (!h->sinks.message)
		return RC_OK;
	do {
		struct store_value args[] = {SV_INT(r.last), SV_INT(1000)};

		r.rows = 0;
		rc = store_read(h->reader, R_INBOX_PENDING, args, 2, resume_message, &r, e);
	} while (rc == RC_OK && r.rows == 1000);
	return rc;
}
