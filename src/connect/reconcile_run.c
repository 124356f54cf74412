/* A run's steps after reading: settle, look again, judge, write, end. */
#include "connect/reconcile_run.h"

#include "base/mem.h"
#include "observe/log.h"
#include "observe/metrics.h"

#include <stdarg.h>
#include <stdio.h>

#define JUDGE_SLICE   1000
#define HISTORY_SLICE 5000
#define SUBMIT_AGAIN  1000
#define SUMMARY_BYTES 8192

const char *run_state_name(enum run_state s)
{
	static const char *const names[] = {"reading", "settling", "reading_again", "looking_back",
					    "judging", "writing",  "ending",        "over"};
	return names[s];
}

void run_fail(struct run *run, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(run->failure, sizeof(run->failure), format, args);
	va_end(args);
	run->state = RUN_ENDING;
	run->next_at = 0;
}

/* From where our movements are read: those that come from now on, and as far back as their instant. */
static void find_newest(struct run *run)
{
	struct store_reader *reader;
	struct store_value row[1];
	struct err e = ERR_NONE;
	if (reconciler_reader(run->owner, run->hub_index, &reader, &e) == RC_OK &&
	    store_read_one(reader, R_MOVEMENT_LAST, NULL, 0, &run->arena, row, &e) == RC_OK)
		run->newest = run->oldest = run->looked_back = row[0].integer;
	else
		run_fail(run, "%s", e.detail);
}

/* What a system answers for: a warehouse for its locations, any other for all. */
static struct reconcile *comparison(const struct config_tenant *t, const struct config_system *s)
{
	uint16_t all[CONFIG_LOCATIONS_MAX];
	if (s->location_count)
		return reconcile_new(t, s->locations, s->location_count);
	for (size_t i = 0; i < t->location_count; i++)
		all[i] = (uint16_t)i;
	return reconcile_new(t, all, t->location_count);
}

struct run *run_begin(struct reconciler *r, size_t hub_index, const struct store_value *row)
{
	struct hub *h = r->hubs[hub_index];
	const struct config_system *s = config_find_system(hub_tenant(h), row[3].bytes);
	struct run *run = mem_zalloc(1, sizeof(*run));
	run->owner = r;
	run->hub = h;
	run->hub_index = hub_index;
	run->system = s;
	run->seq = row[0].integer;
	snprintf(run->id, sizeof(run->id), STR_FMT, STR_ARG(row[1].bytes));
	snprintf(run->correlation_id, sizeof(run->correlation_id), STR_FMT, STR_ARG(row[6].bytes));
	drift_reaction_parse(row[5].bytes, &run->on_drift);
	run->given = str_is(row[4].bytes, "given");
	run->given_at = r->now;
	arena_init(&run->arena, (size_t)1 << 20);
	if (!s) {
		run_fail(run, "The system is not configured any more.");
		return run;
	}
	run->channel = s->roles & ROLE_CHANNEL;
	run->compare = comparison(hub_tenant(h), s);
	run->newest = -1;
	if (!run->given && !s->pack->operations[run->channel ? OP_AVAILABILITY_SHOWN : OP_STOCK_BALANCES].present)
		run_fail(run, "The connector cannot read balances: they have to be given.");
	return run;
}

void run_end(struct run *run)
{
	if (run->transfer)
		http_cancel(run->transfer);
	command_free(run->command); /* of a hub that is gone */
	for (struct given_page *p = run->given_first, *next; p; p = next) {
		next = p->next;
		arena_done(&p->arena);
		free(p);
	}
	reconcile_free(run->compare);
	arena_done(&run->arena);
	free(run);
}

/* ---- after reading ---- */

struct rest {
	struct run *run;
	enum rc rc;
};

/* What they left out; only items that are there now. */
static void look_at_ours(void *ctx, struct str sku, const struct stock_position *positions, size_t count)
{
	struct rest *rest = ctx;
	if (rest->rc == RC_OK)
		rest->rc = reconcile_ours(rest->run->compare, sku, positions, count, rest->run->as_of);
}

static void read_all(struct run *run)
{
	struct rest rest = {.run = run};
	if (run->state == RUN_READING_AGAIN) {
		run->state = RUN_WRITING;
		return;
	}
	if (!run->channel && run->as_of)
		stock_view_each(hub_stock(run->hub), look_at_ours, &rest);
	if (rest.rc != RC_OK) {
		run_fail(run, "There are more than %d differences: this is no drift.", RECONCILE_CANDIDATES_MAX);
		return;
	}
	run->state = reconcile_count(run->compare) ? RUN_SETTLING : RUN_ENDING;
	run->next_at = run->latest + run->system->reconcile.settle_ms;
}

static void settled(struct run *run)
{
	/* A channel cannot be asked about a moment that is gone: it is read a second time. What is given is not. */
	bool again = run->channel && !run->given;
	run->state = again ? RUN_READING_AGAIN : run->channel ? RUN_WRITING : RUN_LOOKING_BACK;
	run->cursor[0] = '\0';
	run->looked_back = run->oldest;
	run->next_at = 0;
}

static void look_back(struct run *run)
{
	struct err e = ERR_NONE;
	bool done = false;
	if (run_movements_newer(run, &e) != RC_OK ||
	    run_movements_older(run, run->owner->now - RECONCILE_HISTORY_MS, true, HISTORY_SLICE, &done, &e) != RC_OK) {
		run_fail(run, "%s", e.detail);
		return;
	}
	run->rows += HISTORY_SLICE;
	if (done || run->rows >= RECONCILE_HISTORY_MAX) {
		run->state = RUN_JUDGING;
		run->at = 0;
	}
}

struct judged {
	struct run *run;
	struct drift *drift;
	struct str unit;
};

static void judge_now(void *ctx, const struct stock_position *positions, size_t count)
{
	struct judged *j = ctx;
	reconcile_judge(j->run->compare, j->drift, j->unit, positions, count);
}

static void judge(struct run *run)
{
	struct err e = ERR_NONE;
	struct store_reader *reader;
	if (reconciler_reader(run->owner, run->hub_index, &reader, &e) != RC_OK ||
	    run_movements_newer(run, &e) != RC_OK) {
		run_fail(run, "%s", e.detail);
		return;
	}
	for (size_t n = 0; n < JUDGE_SLICE && run->at < reconcile_count(run->compare); n++) {
		struct judged j = {.run = run, .drift = reconcile_at(run->compare, run->at++)};
		struct store_value item[4];
		if (j.drift->unit.n &&
		    store_read_one(reader, R_ITEM, &SV_TEXT(j.drift->sku), 1, &run->arena, item, &e) == RC_OK)
			j.unit = item[2].bytes;
		if (stock_view_read(hub_stock(run->hub), j.drift->sku, judge_now, &j) == RC_NOT_FOUND)
			judge_now(&j, NULL, 0);
	}
	if (run->at >= reconcile_count(run->compare)) {
		run->state = RUN_WRITING;
		run->at = 0;
	}
}

/* ---- writing ---- */

static bool drifted(const struct run *run, const struct drift *d)
{
	const struct config_reconcile *p = &run->system->reconcile;
	return d->class_ != DRIFT_LATE &&
	       (d->class_ == DRIFT_MASTER_DATA || !drift_tolerable(d, p->tolerance, p->tolerance_ppm));
}

/* So much differs that it is rather the other side that is wrong. */
static bool too_much(const struct run *run)
{
	int64_t n = 0;
	for (size_t i = 0; i < reconcile_count(run->compare); i++)
		n += drifted(run, reconcile_at(run->compare, i));
	return n > RECONCILE_CORRECT_ALWAYS &&
	       n * 1000000 > reconcile_totals(run->compare).compared * RECONCILE_CORRECT_MAX_PPM;
}

static enum drift_action action_for(struct run *run, const struct drift *d)
{
	if (d->class_ == DRIFT_LATE)
		return DRIFT_REPORTED;
	if (!drifted(run, d))
		return DRIFT_TOLERATED;
	if (run->on_drift == ON_DRIFT_REPORT)
		return DRIFT_REPORTED;
	if (run->on_drift == ON_DRIFT_CORRECT && !run->correct_refused && d->class_ != DRIFT_MASTER_DATA)
		return DRIFT_CORRECTED;
	if (run->raised >= RECONCILIATION_RAISED_MAX) {
		run->unraised++;
		return DRIFT_REPORTED;
	}
	run->raised++;
	return DRIFT_RAISED;
}

static void command_done(struct command *c, void *ctx)
{
	struct run *run = ctx;
	(void)c;
	pthread_mutex_lock(&run->owner->lock);
	run->command_done = true;
	pthread_mutex_unlock(&run->owner->lock);
	reconciler_signal(run->owner);
}

static void submit(struct run *run, struct command *c)
{
	c->correlation_id = arena_copy(&c->arena, str_from(run->correlation_id));
	c->source = arena_copy(&c->arena, run->system ? run->system->name : STR_NONE);
	c->done = command_done;
	c->ctx = run;
	run->command_done = false;
	run->command = c;
	if (hub_submit(run->hub, c) == RC_OK)
		return;
	run->command = NULL;
	command_free(c);
	run->next_at = run->owner->now + SUBMIT_AGAIN;
}

static struct drift_row row_of(struct run *run, struct arena *a, const struct drift *d)
{
	struct drift_row row = {.drift = *d, .action = action_for(run, d)};
	row.drift.sku = arena_copy(a, d->sku);
	row.drift.place = arena_copy(a, d->place);
	row.drift.lot = arena_copy(a, d->lot);
	row.drift.unit = arena_copy(a, d->unit);
	if (!row.drift.class_)
		row.drift.class_ = DRIFT_LOST; /* given by a channel: there was one look only */
	return row;
}

static void write_slice(struct run *run)
{
	size_t left = reconcile_count(run->compare) - run->at;
	if (!run->at && run->on_drift == ON_DRIFT_CORRECT)
		run->correct_refused = too_much(run);
	if (!left) {
		run->state = RUN_ENDING;
		return;
	}
	struct command *c = command_new(COMMAND_RECONCILE_DRIFT);
	size_t n = left < RECONCILIATION_SLICE ? left : RECONCILIATION_SLICE;
	uint32_t raised = run->raised;
	int64_t unraised = run->unraised;
	c->drift.seq = run->seq;
	c->drift.id = arena_copy(&c->arena, str_from(run->id));
	c->drift.system = run->system->index;
	c->drift.rows = arena_array(&c->arena, struct drift_row, n);
	for (; c->drift.count < n; c->drift.count++)
		c->drift.rows[c->drift.count] =
		    row_of(run, &c->arena, reconcile_at(run->compare, run->at + c->drift.count));
	submit(run, c);
	if (!run->command) { /* not taken: the same rows again, later */
		run->raised = raised;
		run->unraised = unraised;
	}
}

static void count_rows(struct run *run, const struct command *c)
{
	char tenant[64], system[96];
	snprintf(tenant, sizeof(tenant), STR_FMT, STR_ARG(hub_tenant(run->hub)->name));
	snprintf(system, sizeof(system), STR_FMT, STR_ARG(run->system->name));
	for (size_t i = 0; i < c->drift.count; i++) {
		const struct drift_row *row = &c->drift.rows[i];
		const char *const labels[] = {tenant, system, drift_class_name(row->drift.class_)};
		qty_t by = row->drift.theirs - row->drift.ours;
		run->classes[row->drift.class_]++;
		run->actions[row->action]++;
		run->more += by > 0 ? by : 0;
		run->less += by < 0 ? -by : 0;
		metric_add(metric_find(M_BALANCE_DRIFT, labels), 1);
		metric_add(metric_find(M_BALANCE_DRIFT_UNITS, labels), ((by < 0 ? -by : by) + QTY_ONE - 1) / QTY_ONE);
	}
	run->at += c->drift.count;
}

/* ---- the end ---- */

static struct str summary(struct run *run, struct arena *a)
{
	struct json_writer w;
	struct buf out;
	struct reconcile_totals t = run->compare ? reconcile_totals(run->compare) : (struct reconcile_totals){0};
	buf_init(&out, SUMMARY_BYTES);
	jw_init(&w, &out);
	jw_object(&w);
	jw_opt_text(&w, "reason", str_from(run->failure));
	if (run->as_of)
		jw_key_time(&w, "as_of", run->as_of);
	jw_key_int(&w, "compared", t.compared);
	jw_key_int(&w, "equal", t.equal);
	jw_key(&w, "differences");
	jw_object(&w);
	for (int c = 1; c < DRIFT_CLASSES; c++)
		jw_key_int(&w, drift_class_name((enum drift_class)c), run->classes[c]);
	jw_object_end(&w);
	jw_key(&w, "actions");
	jw_object(&w);
	for (int c = 1; c < DRIFT_ACTIONS; c++)
		jw_key_int(&w, drift_action_name((enum drift_action)c), run->actions[c]);
	jw_object_end(&w);
	jw_key_qty(&w, "units_more", run->more);
	jw_key_qty(&w, "units_less", run->less);
	if (run->correct_refused)
		jw_key_text(&w, "not_corrected", STR("So much differs that it is raised, not corrected."));
	jw_object_end(&w);
	struct str text = arena_copy(a, buf_str(&out));
	buf_done(&out);
	return text;
}

static void write_end(struct run *run)
{
	struct command *c = command_new(COMMAND_RECONCILE_END);
	c->reconcile_end.seq = run->seq;
	c->reconcile_end.id = arena_copy(&c->arena, str_from(run->id));
	c->reconcile_end.failed = run->failure[0] != '\0';
	c->reconcile_end.summary = summary(run, &c->arena);
	c->reconcile_end.unraised = run->unraised;
	submit(run, c);
}

/* The hub has given the command back. */
static void take_command(struct run *run)
{
	struct command *c = run->command;
	bool good = c->answer.status < 300;
	run->command = NULL;
	if (good && c->type == COMMAND_RECONCILE_DRIFT)
		count_rows(run, c);
	else if (good)
		run->state = RUN_OVER;
	else if (c->type == COMMAND_RECONCILE_DRIFT)
		run_fail(run, "The store did not take what was found (%s).",
			 c->answer.code ? c->answer.code : "failed");
	else
		run->next_at = run->owner->now + SUBMIT_AGAIN;
	command_free(c);
}

static bool command_pending(struct run *run)
{
	if (!run->command)
		return false;
	pthread_mutex_lock(&run->owner->lock);
	bool done = run->command_done;
	pthread_mutex_unlock(&run->owner->lock);
	if (done)
		take_command(run);
	return !done;
}

static void show(struct run *run)
{
	pthread_mutex_lock(&run->owner->lock);
	run->shown_state = run->state;
	run->shown_totals = run->compare ? reconcile_totals(run->compare) : (struct reconcile_totals){0};
	run->shown_differences = run->compare ? reconcile_count(run->compare) : 0;
	pthread_mutex_unlock(&run->owner->lock);
}

static bool step(struct run *run)
{
	switch (run->state) {
	case RUN_READING:
	case RUN_READING_AGAIN: {
		if (run->newest < 0)
			find_newest(run);
		if (run->state == RUN_ENDING)
			return true;
		int64_t read = run_read(run);
		if (read == INT64_MAX)
			read_all(run);
		return read != 0 || run->state == RUN_ENDING;
	}
	case RUN_SETTLING:
		settled(run);
		return true;
	case RUN_LOOKING_BACK:
		look_back(run);
		return true;
	case RUN_JUDGING:
		judge(run);
		return true;
	case RUN_WRITING:
		write_slice(run);
		return !run->command && !run->next_at;
	case RUN_ENDING:
		write_end(run);
		return false;
	case RUN_OVER:
		break;
	}
	return false;
}

int64_t run_step(struct run *run)
{
	bool more = false;
	if (command_pending(run))
		return INT64_MAX;
	if (run->state != RUN_OVER && run->next_at <= run->owner->now) {
		run->next_at = 0;
		more = step(run);
	}
	show(run);
	if (more)
		return 0;
	return run->next_at ? run->next_at : INT64_MAX;
}
