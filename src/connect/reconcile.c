/*
 * The reconciler's thread: begins runs that were asked for, starts those that are due, and steps all of them in turn.
 *
 * A run is asked for by its row, so a request that was acknowledged survives a crash; what was under way begins again
 * from the start, as nothing of it was written but what the end of it would write again. Only a run whose balances are
 * given cannot: it ends as failed.
 */
#include "connect/reconcile_run.h"

#include "base/mem.h"
#include "observe/log.h"

#include <assert.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define TICK_MS        500
#define DAY_MS         ((int64_t)86400000)
#define PAGE_NODES_MAX 1000000

void reconciler_signal(struct reconciler *r)
{
	uint64_t one = 1;
	ssize_t n = write(r->wake_fd, &one, sizeof(one));
	(void)n;
}

void reconciler_wake(struct reconciler *r)
{
	pthread_mutex_lock(&r->lock);
	r->woken = true;
	pthread_mutex_unlock(&r->lock);
	reconciler_signal(r);
}

enum rc reconciler_reader(struct reconciler *r, size_t hub_index, struct store_reader **out, struct err *e)
{
	struct store_reader **reader = &r->readers[hub_index];
	if (!*reader) {
		enum rc rc = store_reader_open(hub_store(r->hubs[hub_index]), reader, e);
		if (rc != RC_OK) {
			*reader = NULL;
			return rc;
		}
	}
	*out = *reader;
	return RC_OK;
}

/* ---- finding what is to be done ---- */

struct open_runs {
	struct reconciler *r;
	size_t hub_index;
};

static struct run *run_of(const struct reconciler *r, const struct hub *h, int64_t seq)
{
	for (struct run *run = r->runs; run; run = run->next)
		if (run->hub == h && run->seq == seq)
			return run;
	return NULL;
}

static enum rc take_open(void *ctx, const struct store_value *row, size_t count)
{
	struct open_runs *f = ctx;
	struct reconciler *r = f->r;
	(void)count;
	struct run *known = run_of(r, r->hubs[f->hub_index], row[0].integer);
	if (known)
		known->open = true;
	if (known || r->run_count >= RECONCILE_RUNS_MAX)
		return RC_OK;
	struct run *run = run_begin(r, f->hub_index, row);
	if (!r->started && run->given)
		run_fail(run, "Crossdock was restarted: the balances have to be sent again.");
	run->open = true;
	pthread_mutex_lock(&r->lock);
	run->next = r->runs;
	r->runs = run;
	r->run_count++;
	pthread_mutex_unlock(&r->lock);
	return RC_OK;
}

/* Of a run that was begun, the row is open until it ends it or a person cancels it. */
static void note_cancelled(struct reconciler *r, const struct hub *h)
{
	for (struct run *run = r->runs; run; run = run->next) {
		if (run->hub == h && !run->open)
			run->cancelled = true;
	}
}

static void find_open(struct reconciler *r)
{
	for (size_t i = 0; i < r->hub_count; i++) {
		struct open_runs f = {r, i};
		struct store_reader *reader;
		struct err e = ERR_NONE;
		for (struct run *run = r->runs; run; run = run->next)
			run->open = run->open && run->hub != r->hubs[i];
		if (reconciler_reader(r, i, &reader, &e) != RC_OK ||
		    store_read(reader, R_RECONCILIATIONS_OPEN, NULL, 0, take_open, &f, &e) != RC_OK)
			log_warn("reconcile", "the reconciliations cannot be read",
				 LOG_STR("detail", str_from(e.detail)));
		else
			note_cancelled(r, r->hubs[i]);
	}
	r->started = true;
}

static void drop_ended(struct reconciler *r)
{
	for (struct run **at = &r->runs; *at;) {
		struct run *run = *at;
		if (run->state != RUN_OVER) {
			at = &run->next;
			continue;
		}
		pthread_mutex_lock(&r->lock);
		*at = run->next;
		r->run_count--;
		pthread_mutex_unlock(&r->lock);
		run_end(run);
		r->look = true; /* there is room for one that waits */
	}
}

/* ---- the schedule ---- */

static int64_t due_after(const struct config_reconcile *c, int64_t now)
{
	if (c->at_minute < 0)
		return now + c->every_ms;
	int64_t today = now - now % DAY_MS + (int64_t)c->at_minute * 60000;
	return today > now ? today : today + c->every_ms;
}

static void forget_command(struct command *c, void *ctx)
{
	reconciler_wake(ctx);
	command_free(c);
}

static void begin_scheduled(struct reconciler *r, struct hub *h, const struct config_system *s)
{
	struct command *c = command_new(COMMAND_RECONCILE_BEGIN);
	c->target = s->name;
	c->source = s->name;
	c->reconcile.on_drift = s->reconcile.on_drift;
	c->correlation_id =
	    str_from(arena_printf(&c->arena, "reconcile-" STR_FMT "-%lld", STR_ARG(s->name), (long long)r->now));
	c->done = forget_command;
	c->ctx = r;
	if (hub_submit(h, c) != RC_OK)
		command_free(c); /* the next time */
}

static bool under_way(const struct reconciler *r, const struct config_system *s)
{
	for (const struct run *run = r->runs; run; run = run->next)
		if (run->system == s && !run->given)
			return true;
	return false;
}

static int64_t schedule(struct reconciler *r)
{
	int64_t next = INT64_MAX;
	for (size_t i = 0; i < r->hub_count; i++) {
		struct hub *h = r->hubs[i];
		const struct config_tenant *t = hub_tenant(h);
		for (size_t k = 0; k < t->system_count; k++) {
			const struct config_reconcile *c = &t->systems[k].reconcile;
			int64_t *due = &r->next_due[r->first_due[i] + k];
			if (!c->every_ms)
				continue;
			if (*due && *due <= r->now && !under_way(r, &t->systems[k]))
				begin_scheduled(r, h, &t->systems[k]);
			if (*due <= r->now)
				*due = due_after(c, r->now);
			next = *due < next ? *due : next;
		}
	}
	return next;
}

/* ---- the thread ---- */

static bool stopping(struct reconciler *r)
{
	pthread_mutex_lock(&r->lock);
	bool stop = r->stopping;
	r->look = r->look || r->woken;
	r->woken = false;
	pthread_mutex_unlock(&r->lock);
	return stop;
}

static bool any_with_hub(const struct reconciler *r)
{
	for (const struct run *run = r->runs; run; run = run->next)
		if (run->command)
			return true;
	return false;
}

/* When the next one is due (wall ms). */
static int64_t step_runs(struct reconciler *r, bool stop)
{
	r->now = clock_wall_ms(r->clock);
	if (r->look && !stop) {
		r->look = false;
		find_open(r);
	}
	int64_t next = stop ? INT64_MAX : schedule(r);
	for (struct run *run = r->runs; run; run = run->next) {
		if (run->cancelled && !run->command)
			run->state = RUN_OVER;
		int64_t at = run->state == RUN_OVER || (stop && !run->command) ? INT64_MAX : run_step(run);
		next = at < next ? at : next;
	}
	drop_ended(r);
	return r->look ? r->now : next;
}

static void round_once(struct reconciler *r, bool stop)
{
	int64_t wait = step_runs(r, stop) - r->now;
	http_run(r->http, wait < 0 ? 0 : wait < TICK_MS ? (int)wait : TICK_MS, r->wake_fd);
}

int64_t reconciler_turn(struct reconciler *r)
{
	return stopping(r) ? INT64_MAX : step_runs(r, false);
}

/* A nice value. */
#define BEHIND_OTHERS 10

static void *reconciler_main(void *arg)
{
	struct reconciler *r = arg;

	(void)setpriority(PRIO_PROCESS, 0, BEHIND_OTHERS); /* of this thread: orders go first */
	while (!stopping(r))
		round_once(r, false);
	while (any_with_hub(r))
		round_once(r, true);
	return NULL;
}

void reconciler_open(struct hub *const *hubs, size_t count, const struct clock *clock, struct reconciler **out)
{
	struct reconciler *r = mem_zalloc(1, sizeof(*r));
	size_t systems = 0;

	r->hub_count = count;
	r->hubs = mem_zalloc(count, sizeof(struct hub *));
	memcpy(r->hubs, hubs, count * sizeof(struct hub *));
	r->clock = clock;
	pthread_mutex_init(&r->lock, NULL);
	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert(r->wake_fd >= 0);
	r->readers = mem_zalloc(count, sizeof(struct store_reader *));
	r->first_due = mem_zalloc(count, sizeof(size_t));
	for (size_t i = 0; i < count; i++) {
		r->first_due[i] = systems;
		systems += hub_tenant(hubs[i])->system_count;
	}
	r->next_due = mem_zalloc(systems, sizeof(int64_t));
	r->look = true;
	*out = r;
}

enum rc reconciler_start(struct node *n, struct reconciler **out, struct err *e)
{
	size_t count = node_tenants(n);
	struct hub **hubs = mem_zalloc(count, sizeof(struct hub *));

	(void)e;
	for (size_t i = 0; i < count; i++)
		hubs[i] = node_hub(n, i);
	reconciler_open(hubs, count, node_clock(n), out);
	free(hubs);
	(*out)->http = http_new("crossdock/" CROSSDOCK_VERSION);
	(*out)->mediator = mediator_new(&MEDIATOR_LIMITS_DEFAULT);
	if (pthread_create(&(*out)->thread, NULL, reconciler_main, *out) != 0)
		abort();
	return RC_OK;
}

void reconciler_stop(struct reconciler *r)
{
	if (!r || r->stopping)
		return;
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_mutex_unlock(&r->lock);
	reconciler_signal(r);
	if (r->http)
		pthread_join(r->thread, NULL);
	for (size_t i = 0; i < r->hub_count; i++)
		if (r->readers[i])
			store_reader_close(r->readers[i]);
}

void reconciler_free(struct reconciler *r)
{
	if (!r)
		return;
	while (r->runs) {
		struct run *run = r->runs;
		r->runs = run->next;
		run_end(run);
	}
	if (r->http) {
		http_free(r->http);
		mediator_free(r->mediator);
	}
	close(r->wake_fd);
	pthread_mutex_destroy(&r->lock);
	free(r->hubs);
	free(r->readers);
	free(r->first_due);
	free(r->next_due);
	free(r);
}

/* ---- for callers ---- */

static enum rc parse_page(const struct hub *h, struct given_page *p, struct str text, struct findings *f, struct err *e)
{
	const struct json_limits limits = {.bytes = text.n, .depth = 16, .nodes = PAGE_NODES_MAX};
	const struct schema *schema = schema_find(hub_config(h)->schemas, "stock-balances", 1);
	struct json *page;
	enum rc rc = json_parse(&p->arena, text, &limits, &page, e);
	if (rc != RC_OK)
		return rc;
	p->page = page;
	if (!schema || schema_validate(schema, page, SCHEMA_STRICT, f, NULL) != RC_OK)
		return RC_INVALID;
	const struct json *items = json_get(page, "items");
	for (uint32_t i = 0; i < items->count; i++)
		if (!json_get(&items->items[i], "quantity") && !json_get(&items->items[i], "available"))
			return err_set_at(e, RC_INVALID, "validation_failed", "/items",
					  "An item needs its quantity, or what is available.");
	return RC_OK;
}

static enum rc append_page(struct reconciler *r, const struct hub *h, struct str id, struct given_page *p,
			   struct err *e)
{
	const struct json *last = json_get(p->page, "last");
	for (struct run *run = r->runs; run; run = run->next) {
		if (run->hub != h || !str_is(id, run->id) || !run->given)
			continue;
		if (run->given_all || run->shown_state != RUN_READING)
			break;
		if (run->given_count >= RECONCILE_WAITING_MAX)
			return err_set(e, RC_RETRY, "busy", "Too many pages wait to be compared.");
		if (run->given_last)
			run->given_last->next = p;
		else
			run->given_first = p;
		run->given_last = p;
		run->given_count++;
		run->given_at = clock_wall_ms(r->clock);
		run->given_all = json_is(last, JSON_BOOL) && last->boolean;
		return RC_OK;
	}
	return err_set(e, RC_NOT_FOUND, "reconciliation_not_found", "No such reconciliation waits for balances.");
}

enum rc reconciler_give(struct reconciler *r, const struct hub *h, struct str id, struct str text, struct findings *f,
			struct err *e)
{
	struct given_page *p = mem_zalloc(1, sizeof(*p));
	arena_init(&p->arena, 64u << 20);
	enum rc rc = parse_page(h, p, text, f, e);
	if (rc == RC_OK) {
		pthread_mutex_lock(&r->lock);
		rc = append_page(r, h, id, p, e);
		pthread_mutex_unlock(&r->lock);
	}
	if (rc == RC_OK) {
		reconciler_signal(r);
		return RC_OK;
	}
	arena_done(&p->arena);
	free(p);
	return rc;
}

void reconciler_progress(struct reconciler *r, const struct hub *h, int64_t seq, struct json_writer *w)
{
	pthread_mutex_lock(&r->lock);
	const struct run *run = run_of(r, h, seq);
	if (run) {
		jw_key(w, "progress");
		jw_object(w);
		jw_key_text(w, "state", str_from(run_state_name(run->shown_state)));
		jw_key_int(w, "compared", run->shown_totals.compared);
		jw_key_int(w, "equal", run->shown_totals.equal);
		jw_key_int(w, "differences", (int64_t)run->shown_differences);
		jw_object_end(w);
	}
	pthread_mutex_unlock(&r->lock);
}
