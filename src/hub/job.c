#include "hub/job.h"

#include "base/mem.h"
#include "hub/newest.h"
#include "hub/state.h"

#define JOB_ARENA_MAX (1u << 20)
#define JOB_AGAIN_MS  500 /* after RC_RETRY */

static const struct job_kind kinds[] = {
    {"dead-letters.replay", job_step_dead_letters, 50},
    {"dead-letters.discard", job_step_dead_letters, 50},
    {"system.replay", job_step_replay, 100},
    {"reconciliation", NULL, 0},
};

const struct job_kind *job_kind_find(struct str name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (str_is(name, kinds[i].name))
			return &kinds[i];
	return NULL;
}

const char *job_status_name(enum job_status s)
{
	switch (s) {
	case JOB_RUNNING:
		return "running";
	case JOB_DONE:
		return "done";
	case JOB_FAILED:
		return "failed";
	case JOB_CANCELLED:
		return "cancelled";
	}
	return "invalid";
}

/* ---- in memory ---- */

static void job_free(struct job *j)
{
	newest_free(j->newest);
	arena_done(&j->arena);
	free(j);
}

void job_free_all(struct hub *h)
{
	while (h->state.jobs) {
		struct job *j = h->state.jobs;

		h->state.jobs = j->next;
		job_free(j);
	}
	h->state.job_count = 0;
}

static struct job *job_new(struct hub *h, const struct job_kind *kind, struct str params)
{
	struct job *j = mem_zalloc(1, sizeof(*j)), **at = &h->state.jobs;
	struct json *parsed;

	arena_init(&j->arena, JOB_ARENA_MAX);
	j->kind = kind;
	j->params_text = arena_copy(&j->arena, params);
	if (!j->params_text.p || json_parse(&j->arena, j->params_text, NULL, &parsed, NULL) != RC_OK) {
		job_free(j);
		return NULL;
	}
	j->params = parsed;
	while (*at)
		at = &(*at)->next;
	*at = j;
	h->state.job_count++;
	return j;
}

struct job *job_find(struct hub *h, struct str id)
{
	struct job *j = h->state.jobs;

	while (j && (!str_eq(j->id, id) || j->status != JOB_RUNNING))
		j = j->next;
	return j;
}

static enum rc load_job(void *ctx, const struct store_value *c, size_t count)
{
	struct hub *h = ctx;
	const struct job_kind *kind = job_kind_find(c[2].bytes);
	struct job *j = kind ? job_new(h, kind, c[7].bytes) : NULL;

	(void)count;
	if (!j)
		return RC_OK; /* of another version: left alone */
	j->seq = c[0].integer;
	j->id = arena_copy(&j->arena, c[1].bytes);
	j->source = arena_copy(&j->arena, c[5].bytes);
	j->correlation_id = arena_copy(&j->arena, c[6].bytes);
	j->position = c[8].integer;
	j->done = c[9].integer;
	j->failed = c[10].integer;
	j->total = c[11].integer;
	return RC_OK;
}

enum rc job_load(struct hub *h, struct err *e)
{
	return store_read(h->reader, R_JOBS_RUNNING, NULL, 0, load_job, h, e);
}

/* ---- states ---- */

static void tell(struct hub *h, const struct job *j, const char *type)
{
	struct txn *t = &h->batch.txn;
	struct txn_cause before = t->cause;
	struct json_writer w;
	struct buf data;

	t->cause = (struct txn_cause){txn_copy(t, j->correlation_id), txn_copy(t, j->source)};
	buf_init(&data, 1u << 20);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "job_id", j->id);
	jw_key_text(&w, "kind", str_from(j->kind->name));
	jw_key_text(&w, "status", str_from(job_status_name(j->status)));
	jw_key_int(&w, "done", j->done);
	jw_key_int(&w, "failed", j->failed);
	jw_key_int(&w, "total", j->total);
	jw_opt_text(&w, "error", j->error);
	jw_key(&w, "params");
	jw_raw(&w, j->params_text);
	jw_object_end(&w);
	txn_event(t, type, txn_copy(t, j->id), 0, txn_text(t, &data));
	buf_done(&data);
	t->cause = before;
}

static void write_state(struct hub *h, const struct job *j)
{
	struct txn *t = &h->batch.txn;

	txn_put(t, W_JOB_STATE, SV_INT(j->seq), SV_INT(j->status), SV_INT(j->position), SV_INT(j->done),
		SV_INT(j->failed), SV_INT(j->total), SV_INT(t->now), j->status < JOB_DONE ? SV_NULL : SV_INT(t->now),
		SV_TEXT_OPT(txn_copy(t, j->error)));
}

struct job *job_start(struct hub *h, const struct job_kind *kind, struct str params, int64_t total)
{
	struct txn *t = &h->batch.txn;
	struct job *j = h->state.job_count < JOB_RUNNING_MAX ? job_new(h, kind, params) : NULL;

	if (!j)
		return NULL;
	j->seq = ++t->heads->job;
	j->id = arena_copy(&j->arena, txn_uuid(t));
	j->source = arena_copy(&j->arena, t->cause.source);
	j->correlation_id = arena_copy(&j->arena, t->cause.correlation_id);
	j->total = total;
	txn_put(t, W_JOB, SV_INT(j->seq), SV_TEXT(txn_copy(t, j->id)), SV_TEXT(str_from(kind->name)),
		SV_INT(JOB_RUNNING), SV_INT(t->now), SV_TEXT_OPT(txn_copy(t, j->source)),
		SV_TEXT(txn_copy(t, j->correlation_id)), SV_TEXT(txn_copy(t, j->params_text)), SV_INT(total));
	tell(h, j, "job.started");
	return j;
}

void job_end(struct hub *h, struct job *j, enum job_status status, struct str error)
{
	j->status = status;
	j->error = arena_copy(&j->arena, error);
	write_state(h, j);
	tell(h, j, "job.finished");
}

/* ---- running ---- */

static void drop_ended(struct hub *h)
{
	for (struct job **at = &h->state.jobs, *j; (j = *at);) {
		if (j->status == JOB_RUNNING) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		h->state.job_count--;
		job_free(j);
	}
}

static void step(struct hub *h, struct job *j)
{
	struct txn *t = &h->batch.txn;
	struct err e = ERR_NONE;
	bool finished = false;
	enum rc rc;

	t->cause = (struct txn_cause){txn_copy(t, j->correlation_id), txn_copy(t, j->source)};
	rc = j->kind->step(h, j, j->kind->slice, &finished, &e);
	j->due = t->now + (rc == RC_RETRY ? JOB_AGAIN_MS : JOB_PAUSE_MS);
	if (rc == RC_RETRY)
		return;
	if (rc != RC_OK)
		job_end(h, j, JOB_FAILED, str_from(e.detail));
	else if (finished)
		job_end(h, j, JOB_DONE, STR_NONE);
	else
		write_state(h, j);
}

void job_run(struct hub *h)
{
	for (struct job *j = h->state.jobs; j; j = j->next)
		if (j->kind->step && j->status == JOB_RUNNING && j->due <= h->batch.txn.now)
			step(h, j);
	drop_ended(h);
}

int64_t job_next(const struct hub *h)
{
	int64_t next = INT64_MAX;

	for (const struct job *j = h->state.jobs; j; j = j->next)
		if (j->kind->step && j->due < next)
			next = j->due;
	return next;
}

void job_interrupted(struct hub *h)
{
	for (struct job *j = h->state.jobs; j; j = j->next)
		if (!j->kind->step)
			job_end(h, j, JOB_FAILED, STR("interrupted: the server was restarted"));
	drop_ended(h);
}

/* ---- commands ---- */

static struct answer job_answer(struct command *c, int status, const struct job *j)
{
	return answer_fields(&c->arena, status, "job_id", j->id, "kind", str_from(j->kind->name), "status",
			     str_from(job_status_name(j->status)), "correlation_id", c->correlation_id, NULL);
}

void apply_job_start(struct hub *h, struct command *c)
{
	const struct job_kind *kind = job_kind_find(c->job.kind);
	struct job *j = kind ? job_start(h, kind, c->job.params, c->job.total) : NULL;

	if (j)
		c->answer = job_answer(c, 202, j);
	else
		c->answer =
		    answer_error(&c->arena, 503, "too_many_jobs", "%d jobs are running already", JOB_RUNNING_MAX);
}

void apply_job_progress(struct hub *h, struct command *c)
{
	struct job *j = job_find(h, c->target);

	if (!j) {
		c->answer = answer_error(&c->arena, 409, "job_ended", "there is no such job, or it has ended");
		return;
	}
	j->done = c->job.done;
	j->failed = c->job.failed;
	j->total = c->job.total;
	j->position = c->job.position;
	if (c->job.status == JOB_RUNNING)
		write_state(h, j);
	else
		job_end(h, j, (enum job_status)c->job.status, c->reason);
	c->answer = job_answer(c, 200, j);
	drop_ended(h);
}

void apply_job_cancel(struct hub *h, struct command *c)
{
	struct job *j = job_find(h, c->target);
	struct store_value row[15];

	if (j) {
		job_end(h, j, JOB_CANCELLED, c->reason);
		c->answer = job_answer(c, 200, j);
		drop_ended(h);
		return;
	}
	if (store_read_one(h->reader, R_JOB, &SV_TEXT(c->target), 1, &c->arena, row, NULL) == RC_OK)
		c->answer = answer_error(&c->arena, 409, "job_ended", "the job has ended already");
	else
		c->answer = answer_error(&c->arena, 404, "job_not_found", "there is no such job");
}
