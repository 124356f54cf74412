/*
 * Time, the process and its end.
 *
 * Virtual time stands still while something happens. world_pump lets the hub and the delivery engine do what they can
 * do at this instant; world_pass moves to the next instant at which anything wants to happen. The process may end
 * between any two rounds, and inside a commit, at any write or sync (the fault VFS cuts the power there). What it had
 * in memory is dropped as it is: no queue is drained, nothing is flushed.
 */
#include "simulate/world.h"

#include "base/hash.h"
#include "connect/reconcile.h"
#include "store/postgres/fault_server.h"
#include "store/sqlite/fault_vfs.h"

#include <stdarg.h>

#define ROUNDS_MAX  3000
#define IDLE_MS     500
#define IDLE_MAX_MS 16000
#define TEXT_MAX    8000

static const struct hash_key trace_key = {"trace-of-a-seed"};

static void keep_line(struct world *w, const char *line)
{
	char *slot = w->last[w->last_count++ % WORLD_EVENTS_MAX];

	snprintf(slot, WORLD_TEXT, "%.*s", WORLD_TEXT - 1, line);
	w->trace_hash = w->trace_hash * 31 + hash64(&trace_key, str_from(slot));
	if (w->trace)
		fprintf(w->trace, "%s\n", line);
}

void world_say(struct world *w, const char *format, ...)
{
	int64_t ms = w->now - w->started;
	char line[1000];
	va_list args;
	int n;

	n = snprintf(line, sizeof(line), "%4u %7lld.%03lld s  ", w->step, (long long)(ms / 1000),
		     (long long)(ms % 1000));
	va_start(args, format);
	vsnprintf(line + n, sizeof(line) - (size_t)n, format, args);
	va_end(args);
	keep_line(w, line);
}

void world_break(struct world *w, const char *format, ...)
{
	va_list args;

	if (w->broken[0])
		return;
	va_start(args, format);
	vsnprintf(w->broken, sizeof(w->broken), format, args);
	va_end(args);
	world_say(w, "BROKEN: %s", w->broken);
}

struct str world_text(struct world *w, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n >= (int)sizeof(text))
		n = (int)sizeof(text) - 1;
	for (int i = 0; i < n; i++)
		if (text[i] == '\'')
			text[i] = '"';
	return arena_copy(&w->arena, (struct str){text, (size_t)n});
}

struct errand_later {
	struct task task;
	void (*run)(struct world *w, void *arg);
	void *arg;
};

static void run_later(void *ctx, struct task *t)
{
	struct errand_later *l = (struct errand_later *)t;

	l->run(ctx, l->arg);
}

void world_later(struct world *w, int64_t ms, void (*run)(struct world *w, void *arg), void *arg)
{
	struct errand_later *l = arena_new(&w->arena, struct errand_later);

	*l = (struct errand_later){.task = {.run = run_later}, .run = run, .arg = arg};
	agenda_put(&w->agenda, &l->task, w->now + ms);
}

void world_drop_later(struct world *w, struct task *t, void (*run)(struct world *w, void *arg))
{
	struct errand_later *l = (struct errand_later *)t;

	if (t->run == run_later && l->run == run)
		run(w, l->arg);
}

/* ---- the process ---- */

static void told_deliveries(void *ctx, struct hub *h, const struct delivery_head *heads, size_t count)
{
	struct world *w = ctx;

	(void)h;
	w->counts.deliveries += (int64_t)count;
	if (w->engine_hub)
		delivery_heads(w->engine_hub, heads, count);
}

static void told_message(void *ctx, struct hub *h, struct message *m)
{
	(void)h;
	world_message(ctx, m);
}

static void told_reconciliation(void *ctx, struct hub *h)
{
	struct world *w = ctx;

	(void)h;
	if (w->reconciler)
		reconciler_wake(w->reconciler);
	w->reconciler_at = w->now;
}

static void told_events(void *ctx, struct hub *h, int64_t position)
{
	(void)h;
	(void)position;
	follow(ctx);
}

static enum rc start(struct world *w, struct err *e)
{
	const struct hub_sinks sinks = {.ctx = w,
					.deliveries = told_deliveries,
					.message = told_message,
					.events = told_events,
					.reconciliation = told_reconciliation};
	const struct store_options store = {.url = w->url,
					    .schema = w->server ? fault_server_schema(w->server) : NULL,
					    .vfs = "fault",
					    .clock = &w->clock};
	enum rc rc = hub_open(w->config, w->tenant, &store, &w->clock, &w->hub, e);

	if (rc != RC_OK) {
		w->hub = NULL;
		return rc;
	}
	if (w->server)
		fault_server_watch(w->server, hub_store(w->hub));
	hub_set_sinks(w->hub, &sinks);
	rc = hub_resume(w->hub, e);
	if (rc == RC_OK)
		rc = store_reader_open(hub_store(w->hub), &w->reader, e);
	if (rc == RC_OK) {
		struct delivery_setup setup = {&w->hub, 1, &w->clock, &w->network.transport, dice_next(&w->dice)};

		rc = delivery_open(&setup, &w->engine, e);
	}
	if (rc == RC_OK)
		w->engine_hub = delivery_hub_of(w->engine, 0);
	if (rc == RC_OK && world_has(w, FEATURE_REPORTS))
		reconciler_open(&w->hub, 1, &w->clock, &w->reconciler);
	return rc;
}

static void drop_process(struct world *w)
{
	delivery_free(w->engine);
	reconciler_stop(w->reconciler);
	store_reader_close(w->reader);
	hub_close(w->hub);
	reconciler_free(w->reconciler);
	w->reconciler = NULL;
	w->engine = NULL;
	w->engine_hub = NULL;
	w->reader = NULL;
	w->hub = NULL;
	calls_forget(w);
}

bool world_start(struct world *w)
{
	struct err e = ERR_NONE;

	if (w->hub)
		return true;
	if (start(w, &e) != RC_OK) {
		world_say(w, "the hub does not start: %s", e.detail);
		drop_process(w);
		return false;
	}
	w->hub_at = w->now;
	w->engine_at = w->reconciler_at = w->now;
	w->latest = world_wall(w) > w->latest ? world_wall(w) : w->latest;
	world_say(w, "the hub runs, from event %lld on", (long long)hub_position(w->hub));
	if (hub_position(w->hub) < w->model->position)
		world_break(w, "durable: the log ends at event %lld, and was seen up to %lld",
			    (long long)hub_position(w->hub), (long long)w->model->position);
	follow(w);
	return true;
}

void world_stop(struct world *w, enum ending how)
{
	static const char *const names[] = {"is killed", "loses its power", "stops"};

	world_say(w, "the hub %s", names[how]);
	w->counts.crashes += how == END_KILL;
	w->counts.power_cuts += how == END_POWER_CUT;
	if (how == END_KILL)
		fault_vfs_kill();
	if (how == END_POWER_CUT)
		fault_vfs_power_cut(dice_next(&w->dice));
	drop_process(w);
	/* Also where the power failed while it stopped, and before it fails where nobody would see that. */
	if (how != END_STOP || w->plan_cuts)
		fault_vfs_power_on();
	w->plan_cuts = false;
}

static void start_again(struct world *w, void *arg)
{
	(void)arg;
	if (!world_start(w) && !world_is_broken(w)) {
		/* Also where the power failed while it started. */
		fault_vfs_power_on();
		w->plan_cuts = false;
		world_restart_in(w, 1000);
	}
}

void world_restart_in(struct world *w, int64_t ms)
{
	world_later(w, ms, start_again, NULL);
}

/* ---- rounds ---- */

/* How long the hub may sleep; the longer it has had nothing to do, the longer it is let sleep. */
static void note_sleep(struct world *w, size_t commands, int64_t next)
{
	if (commands > 0)
		w->idle_ms = IDLE_MS;
	if (next >= IDLE_MS) {
		next = w->idle_ms;
		w->idle_ms = w->idle_ms < IDLE_MAX_MS ? w->idle_ms * 2 : IDLE_MAX_MS;
	}
	w->hub_at = w->now + (next < 5 ? 5 : next);
}

/* One round of the writer; true if the process has survived it. */
static bool run_hub(struct world *w, size_t *commands)
{
	bool was_ready = hub_ready(w->hub);
	int64_t next;

	w->latest = world_wall(w) > w->latest ? world_wall(w) : w->latest;
	*commands = hub_run(w->hub, 0, &next);
	w->counts.commands += (int64_t)*commands;
	note_sleep(w, *commands, next);
	if (w->plan_cuts && fault_vfs_fired()) {
		world_stop(w, END_POWER_CUT);
		world_restart_in(w, dice_between(&w->dice, 0, 5000));
		return false;
	}
	if (was_ready && !hub_ready(w->hub)) {
		w->counts.in_doubt++;
		world_say(w, "a commit is in doubt, the hub takes nothing");
	}
	if (!hub_ready(w->hub))
		return true;
	follow(w); /* stock may have moved without an event */
	calls_check(w);
	return !world_is_broken(w);
}

static bool run_engine(struct world *w)
{
	int64_t at = delivery_turn(w->engine);

	w->engine_at = at == INT64_MAX ? INT64_MAX : at - w->skew;
	return at <= world_wall(w);
}

static bool run_reconciler(struct world *w)
{
	int64_t at = w->reconciler && hub_ready(w->hub) ? reconciler_turn(w->reconciler) : INT64_MAX;

	w->reconciler_at = at == INT64_MAX ? INT64_MAX : at - w->skew;
	return at <= world_wall(w);
}

void world_pump(struct world *w)
{
	bool more = true;

	for (int i = 0; i < ROUNDS_MAX && w->hub; i++) {
		size_t commands;

		if (!run_hub(w, &commands))
			return;
		if (commands == 0 && !more)
			return;
		more = run_engine(w);
		more = run_reconciler(w) || more;
	}
	if (w->hub)
		world_break(w, "liveness: hub and delivery engine do not come to rest");
}

static int64_t next_instant(const struct world *w, int64_t until)
{
	int64_t at = agenda_next(&w->agenda);

	if (w->hub && w->hub_at < at)
		at = w->hub_at;
	if (w->hub && w->engine_at < at)
		at = w->engine_at;
	if (w->hub && w->reconciler_at < at)
		at = w->reconciler_at;
	if (at > until)
		at = until;
	return at > w->now ? at : w->now;
}

void world_pass(struct world *w, int64_t ms)
{
	int64_t until = w->now + ms;

	do {
		int64_t at = next_instant(w, until);

		w->now = at;
		if (w->hub && w->plan_cuts && fault_vfs_fired()) {
			world_stop(w, END_POWER_CUT);
			world_restart_in(w, 1000);
		}
		if (w->disk_until && w->now >= w->disk_until) {
			world_say(w, "the disk is well again");
			fault_vfs_plan(NULL);
			if (w->server)
				fault_server_plan(w->server, 0, false);
			w->disk_until = 0;
			w->plan_cuts = false;
		}
		while (agenda_next(&w->agenda) <= w->now && !world_is_broken(w)) {
			struct task *t = agenda_take(&w->agenda);

			t->run(w, t);
		}
		if (!world_is_broken(w))
			world_pump(w);
		if (w->engine_at <= w->now)
			w->engine_at = w->now + 1;
		if (w->reconciler_at <= w->now)
			w->reconciler_at = w->now + 1;
	} while ((w->now < until || agenda_next(&w->agenda) <= w->now) && !world_is_broken(w));
}
