#include "hub/query_parts.h"

#include "base/compress.h"
#include "hub/unsent.h"

#include <assert.h>
#include <stdio.h>

#define SCAN_PAGE        500
#define ATTEMPT_TEXT_MAX (64u << 10)

enum rc query_one(struct query *q, enum store_statement s, struct store_value arg, const char *code, const char *what,
		  struct store_value *columns, struct err *e)
{
	struct err cause = ERR_NONE;
	enum rc rc = store_read_one(q->reader, s, &arg, 1, q->arena, columns, &cause);

	if (rc == RC_NOT_FOUND)
		return err_set(e, rc, code, "There is no such %s.", what);
	if (rc != RC_OK && e && e->rc == RC_OK)
		*e = cause;
	return rc;
}

static enum rc add_row(void *ctx, const struct store_value *columns, size_t count)
{
	struct query_rows *r = ctx;

	assert(count == r->columns);
	if (r->count == r->room) {
		size_t room = r->room ? r->room * 2 : 16, size = r->columns * sizeof(*r->values);
		struct store_value *more = arena_grow(r->arena, r->values, r->room * size, room * size);
		if (!more)
			return RC_LIMIT;
		r->values = more;
		r->room = room;
	}
	struct store_value *row = &r->values[r->count * r->columns];
	for (size_t i = 0; i < count; i++) {
		row[i] = columns[i];
		if (columns[i].bytes.n && !(row[i].bytes = arena_copy(r->arena, columns[i].bytes)).p)
			return RC_LIMIT;
	}
	r->count++;
	return RC_OK;
}

enum rc query_all(struct query *q, enum store_statement s, const struct store_value *args, size_t arg_count,
		  struct query_rows *out, struct err *e)
{
	*out = (struct query_rows){.arena = q->arena, .columns = store_statement_sql(s)->columns};
	enum rc rc = store_read(q->reader, s, args, arg_count, add_row, out, e);
	return rc == RC_LIMIT ? err_set(e, rc, "answer_too_large", "The answer is too large.") : rc;
}

enum rc query_cursor(struct str cursor, int64_t *before, struct err *e)
{
	int64_t n = 0;

	*before = INT64_MAX;
	if (!cursor.n)
		return RC_OK;
	for (size_t i = 0; i < cursor.n; i++) {
		if (cursor.p[i] < '0' || cursor.p[i] > '9' || i >= 18)
			return err_set(e, RC_INVALID, "bad_cursor", "The cursor is not one that this list gave.");
		n = n * 10 + (cursor.p[i] - '0');
	}
	*before = n;
	return RC_OK;
}

struct scan {
	const struct query_list *list;
	struct json_writer *w;
	struct err *e;
	uint32_t limit, written, rows;
	int64_t last; /* seq of the last row that was looked at */
	bool more;    /* a row that matches did not fit any more */
};

static enum rc scan_row(void *ctx, const struct store_value *row, size_t count)
{
	struct scan *s = ctx;
	(void)count;

	bool matches = !s->list->match || s->list->match(s->list->ctx, row);
	if (matches && s->written == s->limit) {
		s->more = true;
		return RC_LIMIT;
	}
	s->last = row[0].integer;
	s->rows++;
	if (!matches)
		return RC_OK;
	s->written++;
	return s->list->write(s->list->ctx, s->w, row, s->e);
}

enum rc query_list(struct query *q, const struct query_list *l, const struct query_page *p, struct buf *out,
		   struct err *e)
{
	struct json_writer w;
	struct scan s = {.list = l, .w = &w, .e = e, .limit = p->limit};
	uint32_t page = p->limit + 1; /* what suffices where every row matches */
	bool end = false;

	assert(p->limit >= 1 && p->limit <= 1000 && l->more_count <= QUERY_MORE_MAX);
	enum rc rc = query_cursor(p->cursor, &s.last, e);
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	while (!end && !s.more && s.rows < QUERY_SCAN_MAX) {
		uint32_t before = s.rows;
		struct store_value args[2 + QUERY_MORE_MAX] = {SV_INT(s.last), SV_INT(page)};
		for (size_t i = 0; i < l->more_count; i++)
			args[2 + i] = l->more[i];
		rc = store_read(q->reader, l->statement, args, 2 + l->more_count, scan_row, &s, e);
		if (rc != RC_OK && !s.more)
			return rc;
		end = !s.more && s.rows - before < page;
		page = SCAN_PAGE;
	}
	return query_end_at(&w, !end, s.last, out, e);
}

enum rc query_end(struct json_writer *w, struct str cursor, const struct buf *out, struct err *e)
{
	jw_array_end(w);
	jw_key(w, "next_cursor");
	if (cursor.n)
		jw_text(w, cursor);
	else
		jw_null(w);
	jw_object_end(w);
	return query_done(out, e);
}

enum rc query_end_at(struct json_writer *w, bool more, int64_t seq, const struct buf *out, struct err *e)
{
	char cursor[24];
	int n = snprintf(cursor, sizeof(cursor), "%lld", (long long)seq);

	return query_end(w, more ? (struct str){cursor, (size_t)n} : STR_NONE, out, e);
}

enum rc query_done(const struct buf *out, struct err *e)
{
	return buf_ok(out) ? RC_OK : err_set(e, RC_LIMIT, "answer_too_large", "The answer is too large.");
}

enum rc query_damaged(struct err *e, const char *what)
{
	return err_set(e, RC_IO, "store_damaged", "A stored %s makes no sense.", what);
}

void query_write_json(struct json_writer *w, const char *name, struct str json)
{
	jw_key(w, name);
	jw_raw(w, json.n ? json : STR("{}"));
}

void query_write_time(struct json_writer *w, const char *name, struct store_value v)
{
	if (v.type == STORE_INT && v.integer)
		jw_key_time(w, name, v.integer);
}

struct delivery_shown query_delivery_shown(const struct hub *h, const struct store_value *row)
{
	struct delivery_shown s = {
	    .status = (enum delivery_status)row[10].integer, .attempts = row[11].integer, .next_at = row[12].integer};

	if (s.status == DELIVERY_SENDING && unsent_has(hub_unsent(h), row[0].integer)) {
		s.status = DELIVERY_WAITING;
		s.attempts--;
		s.next_at = row[14].integer; /* since then it may be sent */
	}
	if (s.status == DELIVERY_SENDING || s.status >= DELIVERY_FINAL)
		s.next_at = 0;
	return s;
}

enum rc query_write_delivery(const struct query *q, struct json_writer *w, const struct store_value *row, struct err *e)
{
	const struct delivery_shown now = query_delivery_shown(q->hub, row);
	struct delivery d;

	if (delivery_from_row(row, &d) != RC_OK)
		return query_damaged(e, "delivery");
	jw_object(w);
	jw_key_text(w, "delivery_id", d.delivery_id);
	jw_key_text(w, "system", d.system);
	jw_key_text(w, "operation", row[3].bytes);
	jw_key_text(w, "status", str_from(delivery_status_name(now.status)));
	jw_key_int(w, "attempts_made", now.attempts);
	jw_opt_text(w, "order_id", d.order_id);
	jw_key_text(w, "correlation_id", d.correlation_id);
	if (d.event)
		jw_key_int(w, "event_position", d.event);
	jw_key_time(w, "created_at", d.head.created_at);
	jw_key_time(w, "updated_at", d.updated_at);
	if (now.next_at)
		jw_key_time(w, "next_at", now.next_at);
	jw_opt_text(w, "result", d.result);
	jw_opt_text(w, "reason", d.reason);
	return RC_OK;
}

enum rc query_write_attempt(struct query *q, struct json_writer *w, const struct store_value *row, struct err *e)
{
	struct str request, response;
	enum rc rc = decompress_text(q->arena, row[6].bytes, ATTEMPT_TEXT_MAX, &request, e);
	int64_t outcome = row[3].integer;

	if (rc == RC_OK)
		rc = decompress_text(q->arena, row[7].bytes, ATTEMPT_TEXT_MAX, &response, e);
	if (rc != RC_OK)
		return rc;
	jw_object(w);
	jw_key_int(w, "number", row[0].integer);
	jw_key_time(w, "at", row[1].integer);
	jw_key_int(w, "duration_us", row[2].integer);
	jw_key_text(w, "outcome",
		    str_from(outcome >= 0 && outcome < OUTCOMES ? outcome_name((enum outcome)outcome) : "invalid"));
	if (row[4].integer)
		jw_key_int(w, "http_status", row[4].integer);
	jw_opt_text(w, "detail", row[5].bytes);
	jw_opt_text(w, "request", request);
	jw_opt_text(w, "response", response);
	return RC_OK;
}

void query_write_exception(struct json_writer *w, const struct store_value *row)
{
	jw_object(w);
	jw_key_text(w, "exception_id", row[1].bytes);
	jw_key_time(w, "at", row[2].integer);
	jw_key_text(w, "kind", row[3].bytes);
	jw_key_text(w, "subject", row[4].bytes);
	jw_opt_text(w, "order_id", row[5].bytes);
	jw_key_text(w, "correlation_id", row[6].bytes);
	jw_key_text(w, "detail", row[7].bytes);
	jw_key_text(w, "status", row[8].integer == 0 ? STR("open") : STR("resolved"));
	jw_opt_text(w, "assignee", row[9].bytes);
	query_write_time(w, "resolved_at", row[10]);
	jw_opt_text(w, "resolution", row[11].bytes);
}
