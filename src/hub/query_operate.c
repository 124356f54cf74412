/* Operating: systems, deliveries, dead letters, exceptions, and the overview. */
#include "base/compress.h"
#include "base/utf8.h"
#include "hub/query_parts.h"
#include "observe/metrics.h"
#include "orchestrate/order/order.h"

#include <stdio.h>

#define PAYLOAD_SHOWN_MAX (4u << 20)

/* ---- systems ---- */

struct backlog {
	int64_t count, oldest_at;
};

static const struct {
	enum role role;
	const char *name;
} roles[] = {{ROLE_CHANNEL, "channel"},
	     {ROLE_ERP, "erp"},
	     {ROLE_WAREHOUSE, "warehouse"},
	     {ROLE_CRM, "crm"},
	     {ROLE_SUPPLIER, "supplier"}};

/* Scheme and host only: the rest may hold a secret. */
static struct str url_origin(struct str url)
{
	const char *slashes = url.n ? memmem(url.p, url.n, "://", 3) : NULL;
	size_t at = slashes ? (size_t)(slashes - url.p) + 3 : 0;
	while (at < url.n && url.p[at] != '/')
		at++;
	return (struct str){url.p, at};
}

static void write_system(struct query *q, struct json_writer *w, const struct config_system *s, const struct backlog *b)
{
	jw_object(w);
	jw_key_text(w, "id", s->name);
	jw_key_text(w, "connector", s->pack->name);
	jw_key_text(w, "connector_version", s->pack->version);
	jw_key_text(w, "url", url_origin(s->url));
	jw_key(w, "roles");
	jw_array(w);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (s->roles & roles[i].role)
			jw_text(w, str_from(roles[i].name));
	jw_array_end(w);
	jw_key_bool(w, "paused", hub_system_paused(q->hub, s->index));
	jw_key_int(w, "backlog", b->count);
	if (b->oldest_at)
		jw_key_time(w, "oldest_at", b->oldest_at);
	jw_object_end(w);
}

static struct backlog backlog_of(const struct query_rows *rows, struct str system)
{
	for (size_t i = 0; i < rows->count; i++)
		if (str_eq(query_row(rows, i)[0].bytes, system))
			return (struct backlog){query_row(rows, i)[1].integer, query_row(rows, i)[2].integer};
	return (struct backlog){0, 0};
}

enum rc query_systems(struct query *q, struct buf *out, struct err *e)
{
	const struct config_tenant *t = hub_tenant(q->hub);
	struct query_rows rows;
	struct json_writer w;

	enum rc rc = query_all(q, R_DELIVERIES_OPEN_COUNT, NULL, 0, &rows, e);
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	for (size_t i = 0; i < t->system_count; i++) {
		struct backlog b = backlog_of(&rows, t->systems[i].name);
		write_system(q, &w, &t->systems[i], &b);
	}
	jw_array_end(&w);
	jw_key(&w, "next_cursor");
	jw_null(&w);
	jw_object_end(&w);
	return query_done(out, e);
}

enum rc query_system(struct query *q, struct str name, struct buf *out, struct err *e)
{
	const struct config_system *s = config_find_system(hub_tenant(q->hub), name);
	struct query_rows rows;
	struct json_writer w;

	if (!s)
		return err_set(e, RC_NOT_FOUND, "system_not_found", "There is no such system.");
	enum rc rc = query_all(q, R_DELIVERIES_OPEN_COUNT, NULL, 0, &rows, e);
	if (rc != RC_OK)
		return rc;
	struct backlog b = backlog_of(&rows, name);
	jw_init(&w, out);
	write_system(q, &w, s, &b);
	return query_done(out, e);
}

/* ---- deliveries ---- */

struct delivery_filter {
	struct str system;
	int64_t status; /* -1: any */
};

static bool delivery_matches(void *ctx, const struct store_value *row)
{
	const struct delivery_filter *f = ctx;
	return (!f->system.n || str_eq(row[2].bytes, f->system)) && (f->status < 0 || row[10].integer == f->status);
}

static enum rc write_delivery_item(void *ctx, struct json_writer *w, const struct store_value *row, struct err *e)
{
	(void)ctx;
	enum rc rc = query_write_delivery(w, row, e);
	if (rc == RC_OK)
		jw_object_end(w);
	return rc;
}

static int64_t delivery_status_parse(struct str name)
{
	static const enum delivery_status all[] = {DELIVERY_WAITING,   DELIVERY_SENDING,    DELIVERY_UNKNOWN,
						   DELIVERY_DELIVERED, DELIVERY_SUPERSEDED, DELIVERY_CANCELLED,
						   DELIVERY_DEAD};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (str_is(name, delivery_status_name(all[i])))
			return all[i];
	return -1;
}

enum rc query_deliveries(struct query *q, struct str system, struct str status, const struct query_page *p,
			 struct buf *out, struct err *e)
{
	struct delivery_filter f = {system, delivery_status_parse(status)};
	struct query_list list = {R_DELIVERIES_BEFORE, delivery_matches, write_delivery_item, &f};

	if (status.n && f.status < 0)
		return err_set(e, RC_INVALID, "unknown_status", "There is no delivery status '" STR_FMT "'.",
			       STR_ARG(status));
	return query_list(q, &list, p, out, e);
}

enum rc query_delivery(struct query *q, struct str delivery_id, struct buf *out, struct err *e)
{
	struct store_value row[17];
	struct query_rows attempts;
	struct json_writer w;
	struct str document = STR_NONE;

	enum rc rc = query_one(q, R_DELIVERY_BY_ID, SV_TEXT(delivery_id), "delivery_not_found", "delivery", row, e);
	if (rc == RC_OK && row[8].integer)
		rc = document_load(q->reader, q->arena, row[8].integer, &document, e);
	if (rc == RC_OK)
		rc = query_all(q, R_ATTEMPTS, &SV_INT(row[0].integer), 1, &attempts, e);
	jw_init(&w, out);
	if (rc == RC_OK)
		rc = query_write_delivery(&w, row, e);
	if (rc != RC_OK)
		return rc;
	if (row[9].bytes.n)
		query_write_json(&w, "params", row[9].bytes);
	if (document.n)
		query_write_json(&w, "document", document);
	jw_key(&w, "attempts");
	jw_array(&w);
	for (size_t i = 0; i < attempts.count; i++) {
		query_write_attempt(&w, query_row(&attempts, i));
		jw_object_end(&w);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	return query_done(out, e);
}

/* ---- dead letters ---- */

struct dead_letter_filter {
	struct str system, class_;
};

static bool dead_letter_matches(void *ctx, const struct store_value *row)
{
	const struct dead_letter_filter *f = ctx;
	return (!f->class_.n || str_eq(row[3].bytes, f->class_)) && (!f->system.n || str_eq(row[4].bytes, f->system));
}

static void write_dead_letter_head(struct json_writer *w, const struct store_value *row)
{
	jw_object(w);
	jw_key_text(w, "id", row[1].bytes);
	jw_key_time(w, "at", row[2].integer);
	jw_key_text(w, "class", row[3].bytes);
	jw_opt_text(w, "system", row[4].bytes);
	jw_key_text(w, "kind", row[6].integer ? STR("delivery") : STR("message"));
	jw_key_text(w, "correlation_id", row[7].bytes);
	jw_key_text(w, "reason", row[8].bytes);
	jw_key_text(w, "status", row[9].integer == 0 ? STR("open") : STR("closed"));
	query_write_time(w, "closed_at", row[10]);
	jw_opt_text(w, "note", row[11].bytes);
}

static enum rc write_dead_letter(void *ctx, struct json_writer *w, const struct store_value *row, struct err *e)
{
	(void)ctx;
	(void)e;
	write_dead_letter_head(w, row);
	jw_object_end(w);
	return RC_OK;
}

enum rc query_dead_letters(struct query *q, struct str system, struct str class_, const struct query_page *p,
			   struct buf *out, struct err *e)
{
	struct dead_letter_filter f = {system, class_};
	struct query_list list = {R_DEAD_LETTERS_BEFORE, dead_letter_matches, write_dead_letter, &f};
	return query_list(q, &list, p, out, e);
}

/* As text where it is text, else in base64; packed or not. */
static void write_payload(struct query *q, struct json_writer *w, const char *name, struct str stored)
{
	struct str raw = stored;
	char key[64];

	if (!stored.n)
		return;
	if (decompress(q->arena, stored, PAYLOAD_SHOWN_MAX, &raw, NULL) != RC_OK)
		raw = stored;
	if (utf8_check(raw) == raw.n) {
		jw_key_text(w, name, raw);
		return;
	}
	char *text = arena_alloc(q->arena, 4 * ((raw.n + 2) / 3) + 1);
	if (!text)
		return;
	base64_encode(raw.p, raw.n, text);
	snprintf(key, sizeof(key), "%s_base64", name);
	jw_key_text(w, key, str_from(text));
}

/* A row that retention may have taken away. */
static enum rc read_kept(struct query *q, enum store_statement s, int64_t seq, struct store_value *row, bool *found,
			 struct err *e)
{
	struct err cause = ERR_NONE;
	*found = false;
	if (!seq)
		return RC_OK;
	enum rc rc = store_read_one(q->reader, s, &SV_INT(seq), 1, q->arena, row, &cause);
	*found = rc == RC_OK;
	if (rc != RC_OK && rc != RC_NOT_FOUND && e)
		*e = cause;
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

enum rc query_dead_letter(struct query *q, struct str id, struct buf *out, struct err *e)
{
	struct store_value row[13], message[17], delivery[17];
	struct json_writer w;
	bool has_message = false, has_delivery = false;

	enum rc rc = query_one(q, R_DEAD_LETTER, SV_TEXT(id), "dead_letter_not_found", "dead letter", row, e);
	if (rc == RC_OK)
		rc = read_kept(q, R_INBOX_ONE, row[5].integer, message, &has_message, e);
	if (rc == RC_OK)
		rc = read_kept(q, R_DELIVERY, row[6].integer, delivery, &has_delivery, e);
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	write_dead_letter_head(&w, row);
	write_payload(q, &w, "payload", row[12].bytes);
	if (has_message) {
		jw_key(&w, "message");
		jw_object(&w);
		jw_key_time(&w, "at", message[1].integer);
		jw_opt_text(&w, "source", message[3].bytes);
		jw_opt_text(&w, "endpoint", message[4].bytes);
		jw_opt_text(&w, "detail", message[13].bytes);
		write_payload(q, &w, "payload", message[10].bytes);
		jw_object_end(&w);
	}
	if (has_delivery) {
		jw_key(&w, "delivery");
		rc = query_write_delivery(&w, delivery, e);
		if (rc != RC_OK)
			return rc;
		jw_object_end(&w);
	}
	jw_object_end(&w);
	return query_done(out, e);
}

/* ---- exceptions ---- */

static enum rc write_exception(void *ctx, struct json_writer *w, const struct store_value *row, struct err *e)
{
	(void)ctx;
	(void)e;
	query_write_exception(w, row);
	jw_object_end(w);
	return RC_OK;
}

enum rc query_exceptions(struct query *q, const struct query_page *p, struct buf *out, struct err *e)
{
	struct query_list list = {R_EXCEPTIONS_BEFORE, NULL, write_exception, NULL};
	return query_list(q, &list, p, out, e);
}

/* ---- overview ---- */

static void write_order_counts(struct json_writer *w, const struct query_rows *rows)
{
	int64_t sum = 0;

	jw_key(w, "orders");
	jw_object(w);
	for (size_t i = 0; i < rows->count; i++) {
		const struct store_value *row = query_row(rows, i);
		jw_key_int(w, order_status_name((enum order_status)row[0].integer), row[1].integer);
		sum += row[1].integer;
	}
	jw_object_end(w);
	jw_key_int(w, "orders_total", sum);
}

static void write_delivery_counts(struct json_writer *w, const struct query_rows *rows)
{
	jw_key(w, "deliveries");
	jw_array(w);
	for (size_t i = 0; i < rows->count; i++) {
		const struct store_value *row = query_row(rows, i);
		jw_object(w);
		jw_key_text(w, "system", row[0].bytes);
		jw_key_text(w, "operation", row[1].bytes);
		jw_key_text(w, "status", str_from(delivery_status_name((enum delivery_status)row[2].integer)));
		jw_key_int(w, "count", row[3].integer);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void write_exception_counts(struct json_writer *w, const struct query_rows *rows)
{
	int64_t sum = 0;

	jw_key(w, "exceptions");
	jw_object(w);
	for (size_t i = 0; i < rows->count; i++) {
		jw_key_str(w, query_row(rows, i)[0].bytes);
		jw_int(w, query_row(rows, i)[1].integer);
		sum += query_row(rows, i)[1].integer;
	}
	jw_object_end(w);
	jw_key_int(w, "exceptions_open", sum);
}

static void write_fates(struct json_writer *w, const struct query_rows *rows)
{
	jw_key(w, "inbox");
	jw_array(w);
	for (size_t i = 0; i < rows->count; i++) {
		const struct store_value *row = query_row(rows, i);
		jw_object(w);
		jw_key_text(w, "kind", row[0].bytes);
		jw_key_text(w, "fate", str_from(fate_name((enum fate)row[1].integer)));
		jw_key_int(w, "count", row[2].integer);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void write_lag_of(struct json_writer *w, enum metric_id id, struct str tenant, struct str system)
{
	char t[64], s[96];
	snprintf(t, sizeof(t), STR_FMT, STR_ARG(tenant));
	snprintf(s, sizeof(s), STR_FMT, STR_ARG(system));
	const struct metric *m = metric_find(id, (const char *const[]){t, s});

	jw_object(w);
	jw_key_int(w, "count", metric_value(m));
	jw_key_int(w, "p50_us", metric_quantile_us(m, 0.5));
	jw_key_int(w, "p95_us", metric_quantile_us(m, 0.95));
	jw_key_int(w, "p99_us", metric_quantile_us(m, 0.99));
	jw_object_end(w);
}

/* Since the process started. */
static void write_lags(struct json_writer *w, const struct config_tenant *t)
{
	jw_key(w, "lag");
	jw_object(w);
	for (size_t i = 0; i < t->system_count; i++) {
		jw_key_str(w, t->systems[i].name);
		jw_object(w);
		jw_key(w, "delivery");
		write_lag_of(w, M_DELIVERY_LAG_SECONDS, t->name, t->systems[i].name);
		if (t->systems[i].roles & ROLE_CHANNEL) {
			jw_key(w, "availability");
			write_lag_of(w, M_AVAILABILITY_LAG_SECONDS, t->name, t->systems[i].name);
		}
		jw_object_end(w);
	}
	jw_object_end(w);
}

struct open_count {
	int64_t open, seen, last;
};

static enum rc count_open(void *ctx, const struct store_value *row, size_t count)
{
	struct open_count *c = ctx;
	(void)count;
	c->last = row[0].integer;
	c->seen++;
	c->open += row[9].integer == 0;
	return RC_OK;
}

/* Of the newest QUERY_SCAN_MAX. */
static enum rc open_dead_letters(struct query *q, int64_t *open, struct err *e)
{
	struct open_count c = {0, 0, INT64_MAX};
	struct store_value args[] = {SV_INT(c.last), SV_INT(QUERY_SCAN_MAX)};
	enum rc rc = store_read(q->reader, R_DEAD_LETTERS_BEFORE, args, 2, count_open, &c, e);
	*open = c.open;
	return rc;
}

enum rc query_overview(struct query *q, struct buf *out, struct err *e)
{
	const struct config_tenant *t = hub_tenant(q->hub);
	struct query_rows orders, deliveries, exceptions, fates;
	struct json_writer w;
	int64_t dead = 0;

	enum rc rc = query_all(q, R_ORDERS_COUNT, NULL, 0, &orders, e);
	if (rc == RC_OK)
		rc = query_all(q, R_DELIVERIES_COUNT, NULL, 0, &deliveries, e);
	if (rc == RC_OK)
		rc = query_all(q, R_EXCEPTIONS_COUNT, NULL, 0, &exceptions, e);
	if (rc == RC_OK)
		rc = query_all(q, R_INBOX_FATES, NULL, 0, &fates, e);
	if (rc == RC_OK)
		rc = open_dead_letters(q, &dead, e);
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	jw_object(&w);
	jw_key_text(&w, "tenant", t->name);
	jw_key_time(&w, "as_of", stock_view_as_of(hub_stock(q->hub)));
	jw_key_bool(&w, "ready", hub_ready(q->hub));
	jw_key_int(&w, "position", hub_position(q->hub));
	jw_key_int(&w, "items", (int64_t)stock_view_items(hub_stock(q->hub)));
	write_order_counts(&w, &orders);
	write_delivery_counts(&w, &deliveries);
	write_exception_counts(&w, &exceptions);
	jw_key_int(&w, "dead_letters_open", dead);
	write_fates(&w, &fates);
	write_lags(&w, t);
	jw_object_end(&w);
	return query_done(out, e);
}
