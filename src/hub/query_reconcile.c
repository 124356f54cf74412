/* Reconciliations and what they found, as JSON and CSV. */
#include "hub/query_parts.h"
#include "hub/reconciliation.h"

#include "base/clock.h"

#include <stdio.h>

#define ONE_PAGE 1000

static enum rc write_run(void *ctx, struct json_writer *w, const struct store_value *row, struct err *e)
{
	const struct query_reconciliation_live *live = ctx;
	(void)e;
	jw_object(w);
	jw_key_text(w, "id", row[1].bytes);
	jw_key_text(w, "status", str_from(reconciliation_status_name(row[7].integer)));
	jw_key_text(w, "system", row[3].bytes);
	jw_key_text(w, "balances", row[4].bytes);
	jw_key_text(w, "on_drift", row[5].bytes);
	jw_key_text(w, "correlation_id", row[6].bytes);
	query_write_time(w, "started_at", row[2]);
	query_write_time(w, "ended_at", row[8]);
	if (row[9].bytes.n)
		query_write_json(w, "summary", row[9].bytes);
	else if (live)
		live->write(live->ctx, row[0].integer, w);
	jw_object_end(w);
	return RC_OK;
}

enum rc query_reconciliation(struct query *q, struct str id, const struct query_reconciliation_live *live,
			     struct buf *out, struct err *e)
{
	struct store_value row[10];
	struct json_writer w;
	enum rc rc = query_one(q, R_RECONCILIATION, SV_TEXT(id), "reconciliation_not_found", "reconciliation", row, e);

	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	rc = write_run((void *)(uintptr_t)live, &w, row, e);
	return rc == RC_OK ? query_done(out, e) : rc;
}

enum rc query_reconciliations(struct query *q, const struct query_reconciliation_live *live, const struct query_page *p,
			      struct buf *out, struct err *e)
{
	struct query_list l = {
	    .statement = R_RECONCILIATIONS_BEFORE, .write = write_run, .ctx = (void *)(uintptr_t)live};

	return query_list(q, &l, p, out, e);
}

/* ---- differences ---- */

struct drift_rows {
	struct query *q;
	struct buf *out;
	struct json_writer w;
	struct str class_;
	uint32_t limit, written, seen;
	int64_t last;
	bool more;
};

static bool wanted(struct drift_rows *d, const struct store_value *row)
{
	return !d->class_.n || str_is(d->class_, drift_class_name((enum drift_class)row[7].integer));
}

static enum rc json_row(void *ctx, const struct store_value *row, size_t count)
{
	struct drift_rows *d = ctx;
	(void)count;
	d->seen++;
	if (d->written == d->limit) {
		d->more = true;
		return RC_CONFLICT;
	}
	d->last = row[0].integer;
	if (!wanted(d, row))
		return RC_OK;
	d->written++;
	jw_object(&d->w);
	jw_key_text(&d->w, "sku", row[1].bytes);
	jw_opt_text(&d->w, "location", row[2].bytes);
	jw_opt_text(&d->w, "lot", row[3].bytes);
	jw_key_text(&d->w, "theirs", row[4].bytes);
	jw_key_text(&d->w, "ours", row[5].bytes);
	query_write_time(&d->w, "as_of", row[6]);
	jw_key_text(&d->w, "class", str_from(drift_class_name((enum drift_class)row[7].integer)));
	jw_key_text(&d->w, "action", str_from(drift_action_name((enum drift_action)row[8].integer)));
	jw_opt_text(&d->w, "detail", row[9].bytes);
	jw_object_end(&d->w);
	return RC_OK;
}

/* RFC 4180; a text that a spreadsheet would take for a formula gets an apostrophe. */
static void csv_text(struct buf *out, struct str s)
{
	bool formula = s.n && s.p[0] && strchr("=+-@\t\r", s.p[0]);
	buf_add_char(out, '"');
	if (formula)
		buf_add_char(out, '\'');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			buf_add_char(out, '"');
		buf_add_char(out, s.p[i]);
	}
	buf_add_char(out, '"');
}

static enum rc csv_row(void *ctx, const struct store_value *row, size_t count)
{
	struct drift_rows *d = ctx;
	char as_of[TIME_TEXT];
	(void)count;
	d->seen++;
	d->last = row[0].integer;
	if (!wanted(d, row))
		return RC_OK;
	for (int i = 1; i <= 3; i++) {
		csv_text(d->out, row[i].bytes);
		buf_add_char(d->out, ',');
	}
	time_format(row[6].integer, as_of);
	buf_printf(d->out, STR_FMT "," STR_FMT ",%s,%s,%s,", STR_ARG(row[4].bytes), STR_ARG(row[5].bytes), as_of,
		   drift_class_name((enum drift_class)row[7].integer),
		   drift_action_name((enum drift_action)row[8].integer));
	csv_text(d->out, row[9].bytes);
	buf_add_z(d->out, "\r\n");
	return RC_OK;
}

static enum rc find_run(struct query *q, struct str id, int64_t *seq, struct err *e)
{
	struct store_value row[10];
	enum rc rc = query_one(q, R_RECONCILIATION, SV_TEXT(id), "reconciliation_not_found", "reconciliation", row, e);

	*seq = rc == RC_OK ? row[0].integer : 0;
	return rc;
}

enum rc query_drift(struct query *q, struct str id, struct str class_, const struct query_page *p, struct buf *out,
		    struct err *e)
{
	struct drift_rows d = {.q = q, .out = out, .class_ = class_, .limit = p->limit};
	int64_t seq, after = 0;
	enum rc rc = find_run(q, id, &seq, e);

	if (rc == RC_OK && p->cursor.n)
		rc = query_cursor(p->cursor, &after, e);
	if (rc != RC_OK)
		return rc;
	d.last = after;
	jw_init(&d.w, out);
	jw_object(&d.w);
	jw_key(&d.w, "items");
	jw_array(&d.w);
	const struct store_value args[] = {SV_INT(seq), SV_INT(after), SV_INT(QUERY_SCAN_MAX)};
	rc = store_read(q->reader, R_DRIFT_AFTER, args, 3, json_row, &d, e);
	if (rc != RC_OK && !d.more)
		return rc;
	return query_end_at(&d.w, d.more || d.seen == QUERY_SCAN_MAX, d.last, out, e);
}

enum rc query_drift_csv(struct query *q, struct str id, struct str class_, struct buf *out, struct err *e)
{
	struct drift_rows d = {.q = q, .out = out, .class_ = class_};
	int64_t seq;
	enum rc rc = find_run(q, id, &seq, e);

	if (rc != RC_OK)
		return rc;
	buf_add_z(out, "sku,location,lot,theirs,ours,as_of,class,action,detail\r\n");
	do {
		const struct store_value args[] = {SV_INT(seq), SV_INT(d.last), SV_INT(ONE_PAGE)};
		d.seen = 0;
		rc = store_read(q->reader, R_DRIFT_AFTER, args, 3, csv_row, &d, e);
	} while (rc == RC_OK && d.seen == ONE_PAGE && buf_ok(out));
	return rc == RC_OK ? query_done(out, e) : rc;
}
