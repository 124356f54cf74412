/* The event log as CloudEvents 1.0 (JSON). */
#include "base/compress.h"
#include "hub/query_parts.h"

#include <stdio.h>

#define EVENTS_PAGE 500

enum rc query_write_event(struct query *q, struct json_writer *w, const struct store_value *row, struct err *e)
{
	const struct config_tenant *t = hub_tenant(q->hub);
	struct str document = STR_NONE, data = row[8].bytes;
	char source[160];
	struct arena scratch;

	/* data is an object, written by us: "{...}". */
	if (data.n < 2 || data.p[0] != '{' || data.p[data.n - 1] != '}')
		return query_damaged(e, "event");
	arena_init(&scratch, DOCUMENT_BYTES_MAX + 4096);
	if (row[9].type == STORE_BLOB) {
		enum rc rc = decompress(&scratch, row[9].bytes, DOCUMENT_BYTES_MAX, &document, e);
		if (rc != RC_OK) {
			arena_done(&scratch);
			return rc;
		}
	}
	/* The system that spoke; what came in with a key of one's own is the tenant's. */
	struct str system = config_find_system(t, row[5].bytes) ? row[5].bytes : STR_NONE;
	snprintf(source, sizeof(source), "/crossdock/" STR_FMT "%s" STR_FMT, STR_ARG(t->name), system.n ? "/" : "",
		 STR_ARG(system));
	jw_object(w);
	jw_key_text(w, "specversion", STR("1.0"));
	jw_key_text(w, "id", row[1].bytes);
	jw_key_text(w, "source", str_from(source));
	jw_key_text(w, "type", row[3].bytes);
	jw_key_text(w, "subject", row[4].bytes);
	jw_key_time(w, "time", row[2].integer);
	jw_key_text(w, "datacontenttype", STR("application/json"));
	jw_key_text(w, "correlationid", row[6].bytes);
	jw_key_int(w, "position", row[0].integer);
	jw_key(w, "data");
	if (document.n) {
		struct buf joined;
		buf_init(&joined, 2 * (size_t)DOCUMENT_BYTES_MAX);
		buf_add(&joined, data.p, data.n - 1);
		buf_add_z(&joined, data.n > 2 ? ",\"document\":" : "\"document\":");
		buf_add_str(&joined, document);
		buf_add_char(&joined, '}');
		jw_raw(w, buf_str(&joined));
		buf_done(&joined);
	} else {
		jw_raw(w, data);
	}
	jw_object_end(w);
	arena_done(&scratch);
	return RC_OK;
}

struct event_scan {
	struct query *q;
	const struct str *types;
	size_t type_count;
	uint32_t limit, written, rows;
	int64_t last;
	bool full; /* one more matched and was not taken */
	query_event_fn emit;
	void *ctx;
	struct buf text;
	struct err *e;
};

static bool type_wanted(const struct event_scan *s, struct str type)
{
	for (size_t i = 0; i < s->type_count; i++) {
		struct str t = s->types[i];
		/* "order.*" is every type that begins with "order.". */
		if (str_eq(t, type) ||
		    (t.n > 1 && t.p[t.n - 1] == '*' && type.n >= t.n - 1 && !memcmp(t.p, type.p, t.n - 1)))
			return true;
	}
	return s->type_count == 0;
}

static enum rc event_row(void *ctx, const struct store_value *row, size_t count)
{
	struct event_scan *s = ctx;
	struct json_writer w;
	(void)count;

	bool wanted = type_wanted(s, row[3].bytes);
	if (wanted && s->written == s->limit) {
		s->full = true;
		return RC_LIMIT;
	}
	s->rows++;
	if (wanted) {
		buf_reset(&s->text);
		jw_init(&w, &s->text);
		enum rc rc = query_write_event(s->q, &w, row, s->e);
		if (rc == RC_OK)
			rc = query_done(&s->text, s->e);
		if (rc == RC_OK)
			rc = s->emit(s->ctx, row[0].integer, row[3].bytes, buf_str(&s->text));
		if (rc != RC_OK)
			return rc;
		s->written++;
	}
	s->last = row[0].integer;
	return RC_OK;
}

/* *end: there was nothing more in the log. */
static enum rc scan(struct event_scan *s, bool *end)
{
	*end = false;
	while (!*end && !s->full && s->rows < QUERY_SCAN_MAX) {
		uint32_t before = s->rows;
		uint32_t left = s->limit - s->written + 1,
			 page = s->type_count || left > EVENTS_PAGE ? EVENTS_PAGE : left;
		struct store_value args[] = {SV_INT(s->last), SV_INT(page)};
		enum rc rc = store_read(s->q->reader, R_EVENT_AFTER, args, 2, event_row, s, s->e);
		if (rc != RC_OK && !s->full)
			return rc;
		*end = !s->full && s->rows - before < page;
	}
	return RC_OK;
}

enum rc query_events_each(struct query *q, int64_t after, const struct str *types, size_t type_count, uint32_t limit,
			  query_event_fn emit, void *ctx, int64_t *last, struct err *e)
{
	struct event_scan s = {.q = q,
			       .types = types,
			       .type_count = type_count,
			       .limit = limit,
			       .last = after,
			       .emit = emit,
			       .ctx = ctx,
			       .e = e};
	bool end;

	buf_init(&s.text, 4 * (size_t)DOCUMENT_BYTES_MAX);
	enum rc rc = scan(&s, &end);
	buf_done(&s.text);
	*last = s.last;
	return rc;
}

static enum rc add_to_list(void *ctx, int64_t position, struct str type, struct str json)
{
	struct json_writer *w = ctx;
	(void)position;
	(void)type;
	jw_raw(w, json);
	return RC_OK;
}

enum rc query_events(struct query *q, int64_t after, const struct str *types, size_t type_count, uint32_t limit,
		     struct buf *out, int64_t *last, struct err *e)
{
	struct json_writer w;
	struct event_scan s = {.q = q,
			       .types = types,
			       .type_count = type_count,
			       .limit = limit,
			       .last = after,
			       .emit = add_to_list,
			       .ctx = &w,
			       .e = e};
	bool end = false;

	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	buf_init(&s.text, 4 * (size_t)DOCUMENT_BYTES_MAX);
	enum rc rc = scan(&s, &end);
	buf_done(&s.text);
	*last = s.last;
	if (rc != RC_OK)
		return rc;
	return query_end_at(&w, !end, s.last, out, e);
}
