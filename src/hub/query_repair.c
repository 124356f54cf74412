#include "hub/query_repair.h"

#include "hub/counters.h"
#include "hub/job.h"

#define COUNT_PAGE 1000

/* ---- dead letters by filter ---- */

static enum rc read_instant(const struct json *j, const char *name, const char *pointer, int64_t *out, struct err *e)
{
	const struct json *v = json_get(j, name);

	*out = 0;
	if (!v)
		return RC_OK;
	if (time_parse(json_get_text(j, name), out, NULL) != RC_OK)
		return err_set_at(e, RC_INVALID, "validation_failed", pointer, "This is not an RFC 3339 time.");
	return RC_OK;
}

enum rc dead_letter_filter_read(const struct json *j, struct dead_letter_filter *out, struct err *e)
{
	enum rc rc;

	*out = (struct dead_letter_filter){.system = json_get_text(j, "system"),
					   .class_ = json_get_text(j, "class"),
					   .operation = json_get_text(j, "operation")};
	rc = read_instant(j, "from", "/filter/from", &out->from, e);
	return rc == RC_OK ? read_instant(j, "to", "/filter/to", &out->to, e) : rc;
}

/* ---- by time ---- */

struct found {
	int64_t seq, at;
	bool any;
};

static enum rc note_found(void *ctx, const struct store_value *row, size_t count)
{
	(void)count;
	*(struct found *)ctx = (struct found){row[0].integer, row[1].integer, true};
	return RC_OK;
}

/* The seq before the first row that was made at this time or later: they are made in order of time. statement: the seq
 * and time of the first one from $1 on. */
static enum rc first_from(struct query *q, enum store_statement statement, int64_t from, int64_t through, int64_t *out,
			  struct err *e)
{
	int64_t low = 0, high = through; /* the answer is in between */

	while (low < high) {
		int64_t middle = low + (high - low) / 2;
		struct found f = {0};
		enum rc rc = store_read(q->reader, statement, &SV_INT(middle + 1), 1, note_found, &f, e);

		if (rc != RC_OK)
			return rc;
		if (!f.any || f.at >= from)
			high = middle;
		else
			low = f.seq;
	}
	*out = low;
	return RC_OK;
}

/* ---- dead letters ---- */

static enum rc note_last(void *ctx, const struct store_value *row, size_t count)
{
	(void)count;
	*(int64_t *)ctx = row[0].integer;
	return RC_OK;
}

/* The times of the filter as bounds. */
static enum rc bounds(struct query *q, const struct dead_letter_filter *f, int64_t *after, int64_t *through,
		      struct err *e)
{
	int64_t last = 0, first = 0;
	enum rc rc = RC_OK;

	if (!f->from && !f->to)
		return rc;
	rc = store_read(q->reader, R_DEAD_LETTER_LAST, NULL, 0, note_last, &last, e);
	if (rc == RC_OK && f->from)
		rc = first_from(q, R_DEAD_LETTER_FROM, f->from, last, &first, e);
	if (rc == RC_OK && f->to)
		rc = first_from(q, R_DEAD_LETTER_FROM, f->to, last, &last, e);
	*after = first > *after ? first : *after;
	*through = last < *through ? last : *through;
	return rc;
}

enum rc dead_letters_read(struct query *q, const struct dead_letter_filter *f, int64_t after, int64_t through,
			  uint32_t max, store_row_fn row, void *ctx, struct err *e)
{
	static const enum store_statement statements[2][2][2] = {
	    {{R_DEAD_LETTERS_OPEN_HEADS, R_DEAD_LETTERS_OPEN_HEADS_OPERATION},
	     {R_DEAD_LETTERS_OPEN_HEADS_CLASS, R_DEAD_LETTERS_OPEN_HEADS_CLASS_OPERATION}},
	    {{R_DEAD_LETTERS_OPEN_HEADS_SYSTEM, R_DEAD_LETTERS_OPEN_HEADS_SYSTEM_OPERATION},
	     {R_DEAD_LETTERS_OPEN_HEADS_BOTH, R_DEAD_LETTERS_OPEN_HEADS_ALL}}};
	const enum store_statement statement = statements[f->system.n > 0][f->class_.n > 0][f->operation.n > 0];
	enum rc rc = bounds(q, f, &after, &through, e);
	struct store_value args[6] = {SV_INT(after), SV_INT(through), SV_INT(max)};
	size_t n = 3;

	if (f->system.n)
		args[n++] = SV_TEXT(f->system);
	if (f->class_.n)
		args[n++] = SV_TEXT(f->class_);
	if (f->operation.n)
		args[n++] = SV_TEXT(f->operation);
	return rc == RC_OK ? store_read(q->reader, statement, args, n, row, ctx, e) : rc;
}

struct counting {
	int64_t count, last;
	uint32_t rows;
};

static enum rc count_row(void *ctx, const struct store_value *row, size_t count)
{
	struct counting *c = ctx;

	(void)count;
	c->rows++;
	c->count++;
	c->last = row[0].integer;
	return RC_OK;
}

static bool is_or_any(struct str want, struct str is)
{
	return !want.n || str_eq(want, is);
}

static enum rc count_counters(struct query *q, const struct dead_letter_filter *f, int64_t *count, struct err *e)
{
	int64_t batch;
	size_t n;
	const struct counter *c = counters_read(hub_counters(q->hub), q->arena, &n, &batch);

	*count = 0;
	for (size_t i = 0; c && i < n; i++)
		if (c[i].what == COUNTED_DEAD_LETTERS && is_or_any(f->class_, c[i].a) && is_or_any(f->system, c[i].b) &&
		    is_or_any(f->operation, c[i].c))
			*count += c[i].total;
	return c ? RC_OK : err_set(e, RC_LIMIT, "answer_too_large", "There are too many counters to look at.");
}

enum rc dead_letters_count(struct query *q, const struct dead_letter_filter *f, int64_t *count, int64_t *through,
			   struct err *e)
{
	struct counting c = {0};
	enum rc rc;

	*count = *through = 0;
	if (!f->from && !f->to) {
		rc = store_read(q->reader, R_DEAD_LETTER_LAST, NULL, 0, note_last, through, e);
		return rc == RC_OK ? count_counters(q, f, count, e) : rc;
	}
	do {
		c.rows = 0;
		rc = dead_letters_read(q, f, c.last, INT64_MAX, COUNT_PAGE, count_row, &c, e);
	} while (rc == RC_OK && c.rows == COUNT_PAGE);
	*count = c.count;
	*through = c.last;
	return rc;
}

/* ---- what a system was told ---- */

static enum rc event_time(void *ctx, const struct store_value *row, size_t count)
{
	(void)count;
	*(int64_t *)ctx = row[2].integer;
	return RC_OK;
}

static enum rc read_operations(const struct json *names, struct replay_plan *out, struct err *e)
{
	enum operation op;

	for (int i = 0; i < OPERATIONS; i++)
		out->operations[i] = !names;
	if (!names)
		return RC_OK;
	for (uint32_t i = 0; json_is(names, JSON_ARRAY) && i < names->count; i++) {
		if (!operation_parse(json_text(&names->items[i]), &op))
			return err_set_at(e, RC_INVALID, "validation_failed", "/operations",
					  "There is no operation of this name.");
		out->operations[op] = true;
	}
	return RC_OK;
}

static enum rc count_operation(void *ctx, const struct store_value *row, size_t count)
{
	struct replay_plan *p = ctx;
	enum operation op;

	(void)count;
	if (!operation_parse(row[0].bytes, &op) || !p->operations[op])
		return RC_OK;
	p->counts[op] = row[1].integer;
	p->count += row[1].integer;
	return RC_OK;
}

enum rc replay_plan_make(struct query *q, struct str system, const struct json *request, struct replay_plan *out,
			 struct err *e)
{
	const struct json *after = json_get(request, "after");
	int64_t from = 0;
	enum rc rc;

	*out = (struct replay_plan){.system = system};
	if (!after == !json_get(request, "from"))
		return err_set_at(e, RC_INVALID, "validation_failed", "",
				  "Say either \"after\", a position of the event log, or \"from\", a time.");
	if (after && (!json_int(after, &out->after) || out->after < 0))
		return err_set_at(e, RC_INVALID, "validation_failed", "/after", "A position is a whole number.");
	rc = read_instant(request, "from", "/from", &from, e);
	if (rc == RC_OK)
		rc = read_operations(json_get(request, "operations"), out, e);
	if (rc == RC_OK)
		rc = store_read(q->reader, R_DELIVERY_LAST, NULL, 0, note_last, &out->through, e);
	if (rc == RC_OK && after) {
		const struct store_value args[] = {SV_INT(out->after), SV_INT(1)};

		from = INT64_MAX; /* nothing has happened since */
		rc = store_read(q->reader, R_EVENT_AFTER, args, 2, event_time, &from, e);
	}
	if (rc == RC_OK)
		rc = first_from(q, R_DELIVERY_FROM, from, out->through, &out->first, e);
	if (rc != RC_OK)
		return rc;
	const struct store_value args[] = {SV_TEXT(system), SV_INT(out->first), SV_INT(out->through),
					   SV_INT(out->after)};
	return store_read(q->reader, R_DELIVERIES_REPLAY_COUNT, args, 4, count_operation, out, e);
}

/* ---- jobs ---- */

static void write_job(struct json_writer *w, const struct store_value *row)
{
	jw_object(w);
	jw_key_text(w, "job_id", row[1].bytes);
	jw_key_text(w, "kind", row[2].bytes);
	jw_key_text(w, "status", str_from(job_status_name((enum job_status)row[3].integer)));
	jw_key_time(w, "started_at", row[4].integer);
	jw_opt_text(w, "started_by", row[5].bytes);
	jw_key_text(w, "correlation_id", row[6].bytes);
	query_write_json(w, "params", row[7].bytes);
	jw_key(w, "progress");
	jw_object(w);
	jw_key_int(w, "done", row[9].integer);
	jw_key_int(w, "failed", row[10].integer);
	jw_key_int(w, "total", row[11].integer);
	jw_object_end(w);
	query_write_time(w, "updated_at", row[12]);
	query_write_time(w, "finished_at", row[13]);
	jw_opt_text(w, "error", row[14].bytes);
}

static enum rc write_job_item(void *ctx, struct json_writer *w, const struct store_value *row, struct err *e)
{
	(void)ctx;
	(void)e;
	write_job(w, row);
	jw_object_end(w);
	return RC_OK;
}

enum rc query_job(struct query *q, struct str id, struct buf *out, struct err *e)
{
	struct store_value row[15];
	struct json_writer w;
	enum rc rc = query_one(q, R_JOB, SV_TEXT(id), "job_not_found", "job", row, e);

	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	write_job(&w, row);
	jw_object_end(&w);
	return query_done(out, e);
}

enum rc query_jobs(struct query *q, const struct query_page *p, struct buf *out, struct err *e)
{
	struct query_list list = {.statement = R_JOBS_BEFORE, .write = write_job_item};

	return query_list(q, &list, p, out, e);
}
