/* Serial numbers: where they are, and each one's history. */
#include "hub/query_parts.h"
#include "orchestrate/stock/serial.h"

enum { SKU, SERIAL, STATE, LOCATION, LOT, OWNER, ORDER, MOVEMENT, OCCURRED, COLUMNS };
#define READ_PAGE 1000

static void write_at(struct json_writer *w, const struct store_value *state_to_order)
{
	jw_key_text(w, "state", str_from(serial_state_name((enum serial_state)state_to_order[0].integer)));
	jw_opt_text(w, "location", state_to_order[1].bytes);
	jw_opt_text(w, "lot", state_to_order[2].bytes);
	jw_opt_text(w, "owner", state_to_order[3].bytes);
	jw_opt_text(w, "order_id", state_to_order[4].bytes);
}

static void write_serial(struct json_writer *w, const struct store_value *row)
{
	jw_key_text(w, "serial", row[SERIAL].bytes);
	write_at(w, &row[STATE]);
	if (row[MOVEMENT].integer)
		jw_key_time(w, "occurred_at", row[OCCURRED].integer);
}

struct serial_page {
	struct query *q;
	const struct query_serials *by;
	struct json_writer *w;
	int state; /* -1: any */
	uint32_t limit, written, looked_at, page;
	struct str last;
};

static enum rc list_row(void *ctx, const struct store_value *row, size_t count)
{
	struct serial_page *p = ctx;

	(void)count;
	if (p->written == p->limit)
		return RC_LIMIT;
	p->page++;
	p->looked_at++;
	p->last = arena_copy(p->q->arena, row[SERIAL].bytes);
	if ((p->state >= 0 && row[STATE].integer != p->state) ||
	    (p->by->location.n && !str_eq(row[LOCATION].bytes, p->by->location)))
		return RC_OK;
	p->written++;
	jw_object(p->w);
	write_serial(p->w, row);
	jw_object_end(p->w);
	return RC_OK;
}

/* false in *more: the list has ended. */
static enum rc read_page(struct serial_page *p, struct str sku, bool *more, struct err *e)
{
	struct store_value all[] = {SV_TEXT(sku), SV_TEXT(p->last), SV_INT(READ_PAGE)};
	struct store_value at[] = {SV_TEXT(sku), SV_TEXT(p->by->location), SV_TEXT(p->last), SV_INT(READ_PAGE)};
	enum rc rc;

	p->page = 0;
	if (p->by->serial.n) {
		*more = false;
		return store_read(p->q->reader, R_SERIAL, (struct store_value[]){SV_TEXT(sku), SV_TEXT(p->by->serial)},
				  2, list_row, p, e);
	}
	rc = p->by->location.n ? store_read(p->q->reader, R_SERIALS_AT, at, 4, list_row, p, e)
			       : store_read(p->q->reader, R_SERIALS, all, 3, list_row, p, e);
	*more = rc == RC_LIMIT || p->page == READ_PAGE;
	return rc == RC_LIMIT ? RC_OK : rc;
}

/* The cursor is the last serial number that was looked at. */
enum rc query_serials(struct query *q, struct str sku, const struct query_serials *by, const struct query_page *page,
		      struct buf *out, struct err *e)
{
	struct json_writer w;
	struct serial_page p = {.q = q,
				.by = by,
				.w = &w,
				.state = -1,
				.limit = page->limit,
				.last = page->cursor.n ? page->cursor : STR("")};
	enum serial_state state;
	bool more = true;
	enum rc rc = RC_OK;

	if (by->state.n) {
		if (!serial_state_parse(by->state, &state))
			return err_set(e, RC_INVALID, "unknown_status", "There is no such state of a serial number.");
		p.state = (int)state;
	}
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	while (more && rc == RC_OK && p.written < p.limit && p.looked_at < QUERY_SCAN_MAX)
		rc = read_page(&p, sku, &more, e);
	if (rc != RC_OK)
		return rc;
	return query_end(&w, more ? p.last : STR_NONE, out, e);
}

/* ---- one ---- */

enum {
	H_MOVEMENT,
	H_KIND,
	H_OCCURRED,
	H_PLACE,
	H_STATE,
	H_LATE = 9,
	H_ID,
	H_AT,
	H_TYPE,
	H_SOURCE,
	H_EVENT,
	H_ORDER,
	H_REASON,
	H_CORRELATION
};

struct serial_history {
	struct json_writer *w;
	uint32_t limit, count;
	int64_t last;
	bool more;
};

static enum rc history_row(void *ctx, const struct store_value *row, size_t count)
{
	struct serial_history *h = ctx;
	struct json_writer *w = h->w;

	(void)count;
	if (h->count == h->limit) {
		h->more = true;
		return RC_LIMIT;
	}
	h->count++;
	h->last = row[H_MOVEMENT].integer;
	jw_object(w);
	jw_key_text(w, "movement_id", row[H_ID].bytes);
	jw_key_text(w, "type", row[H_TYPE].bytes);
	jw_key_time(w, "at", row[H_AT].integer);
	jw_key_time(w, "occurred_at", row[H_OCCURRED].integer);
	jw_opt_text(w, "source", row[H_SOURCE].bytes);
	jw_opt_text(w, "source_event_id", row[H_EVENT].bytes);
	jw_opt_text(w, "reason", row[H_REASON].bytes);
	jw_key_text(w, "correlation_id", row[H_CORRELATION].bytes);
	if (row[H_KIND].integer == 1)
		jw_key_bool(w, "taken_back", true);
	if (row[H_LATE].integer)
		jw_key_bool(w, "late", true);
	jw_key(w, "after");
	jw_object(w);
	write_at(w, &row[H_STATE]);
	jw_object_end(w);
	jw_object_end(w);
	return RC_OK;
}

enum rc query_serial(struct query *q, struct str sku, struct str serial, const struct query_page *page, struct buf *out,
		     struct err *e)
{
	struct store_value row[COLUMNS],
	    args[] = {SV_TEXT(sku), SV_TEXT(serial), SV_INT(INT64_MAX), SV_INT((int64_t)page->limit + 1)};
	struct json_writer w;
	struct serial_history h = {.w = &w, .limit = page->limit};
	enum rc rc = query_cursor(page->cursor, &args[2].integer, e);

	if (rc == RC_OK)
		rc = store_read_one(q->reader, R_SERIAL, args, 2, q->arena, row, e);
	if (rc == RC_NOT_FOUND)
		return err_set(e, rc, "serial_not_found", "No movement has named this serial number.");
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	jw_object(&w);
	jw_key_text(&w, "sku", sku);
	write_serial(&w, row);
	jw_key(&w, "history");
	jw_array(&w);
	rc = store_read(q->reader, R_SERIAL_HISTORY, args, 4, history_row, &h, e);
	if (rc != RC_OK && rc != RC_LIMIT)
		return rc;
	return query_end_at(&w, h.more, h.last, out, e);
}
