/* Operating: systems, deliveries, dead letters, exceptions, and the overview. */
#include "hub/counters.h"
#include "hub/query_parts.h"
#include "observe/metrics.h"
#include "orchestrate/order/order.h"

#include <stdio.h>

/* ---- systems ---- */

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

/* Attempts since the process started. */
static void write_outcomes(struct json_writer *w, struct str tenant, struct str system)
{
	char t[64], s[96];
	snprintf(t, sizeof(t), STR_FMT, STR_ARG(tenant));
	snprintf(s, sizeof(s), STR_FMT, STR_ARG(system));

	jw_object(w);
	for (int o = 0; o < OUTCOMES; o++) {
		const char *outcome = outcome_name((enum outcome)o);
		jw_key_int(w, outcome, metric_value(metric_find(M_DELIVERIES, (const char *const[]){t, s, outcome})));
	}
	jw_object_end(w);
}

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

static enum rc first_created(void *ctx, const struct store_value *row, size_t count)
{
	(void)count;
	*(int64_t *)ctx = row[13].integer;
	return RC_OK;
}

/* The time of the oldest open delivery, which is the first of some priority; 0: none. */
static enum rc oldest_open(struct query *q, struct str system, int64_t *at, struct err *e)
{
	enum rc rc = RC_OK;

	*at = 0;
	for (int p = 0; p < PRIORITIES && rc == RC_OK; p++) {
		const struct store_value args[] = {SV_TEXT(system), SV_INT(p), SV_INT(0), SV_INT(1)};
		int64_t first = 0;

		rc = store_read(q->reader, R_DELIVERIES_OPEN, args, 4, first_created, &first, e);
		if (first && (!*at || first < *at))
			*at = first;
	}
	return rc;
}

static enum rc write_system(struct query *q, struct json_writer *w, const struct config_system *s, int64_t backlog,
			    const struct query_live *live, struct err *e)
{
	struct str tenant = hub_tenant(q->hub)->name;
	int64_t oldest = 0, age = 0;
	enum rc rc = backlog ? oldest_open(q, s->name, &oldest, e) : RC_OK;

	if (oldest) {
		age = hub_clock_ms(q->hub) - oldest;
		age = age > 0 ? age : 0;
	}
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
	jw_key_int(w, "backlog", backlog);
	if (oldest) {
		jw_key_time(w, "oldest_at", oldest);
		jw_key_int(w, "oldest_age_ms", age);
	}
	if (live)
		live->write(live->ctx, q->hub, s, age, w);
	jw_key(w, "outcomes");
	write_outcomes(w, tenant, s->name);
	jw_key(w, "lag");
	write_lag_of(w, M_DELIVERY_LAG_SECONDS, tenant, s->name);
	jw_object_end(w);
	return rc;
}

static int64_t backlog_of(const struct counter *c, size_t n, struct str system)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (c[i].what == COUNTED_DELIVERIES && str_eq(c[i].a, system) && str_is(c[i].c, "open"))
			sum += c[i].total;
	return sum;
}

static enum rc read_counters(struct query *q, const struct counter **c, size_t *n, struct err *e)
{
	int64_t batch;

	*c = counters_read(hub_counters(q->hub), q->arena, n, &batch);
	return *c ? RC_OK : err_set(e, RC_LIMIT, "answer_too_large", "There are too many counters to show.");
}

enum rc query_systems(struct query *q, const struct query_live *live, struct buf *out, struct err *e)
{
	const struct config_tenant *t = hub_tenant(q->hub);
	const struct counter *c;
	struct json_writer w;
	size_t n;

	enum rc rc = read_counters(q, &c, &n, e);
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	for (size_t i = 0; i < t->system_count && rc == RC_OK; i++)
		rc = write_system(q, &w, &t->systems[i], backlog_of(c, n, t->systems[i].name), live, e);
	return rc == RC_OK ? query_end(&w, STR_NONE, out, e) : rc;
}

enum rc query_system(struct query *q, struct str name, const struct query_live *live, struct buf *out, struct err *e)
{
	const struct config_system *s = config_find_system(hub_tenant(q->hub), name);
	const struct counter *c;
	struct json_writer w;
	size_t n;

	if (!s)
		return err_set(e, RC_NOT_FOUND, "system_not_found", "There is no such system.");
	enum rc rc = read_counters(q, &c, &n, e);
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	rc = write_system(q, &w, s, backlog_of(c, n, name), live, e);
	return rc == RC_OK ? query_done(out, e) : rc;
}

/* ---- deliveries ---- */

struct delivery_filter {
	const struct query *q;
	struct str system;
	int64_t status; /* -1: any */
};

static bool delivery_matches(void *ctx, const struct store_value *row)
{
	const struct delivery_filter *f = ctx;
	return (!f->system.n || str_eq(row[2].bytes, f->system)) &&
	       (f->status < 0 || (int64_t)query_delivery_shown(f->q->hub, row).status == f->status);
}

static enum rc write_delivery_item(void *ctx, struct json_writer *w, const struct store_value *row, struct err *e)
{
	const struct delivery_filter *f = ctx;
	enum rc rc = query_write_delivery(f->q, w, row, e);
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

/* The index that has what is asked for: those that are open or have failed are few among those that were delivered. */
enum rc query_deliveries(struct query *q, struct str system, struct str status, const struct query_page *p,
			 struct buf *out, struct err *e)
{
	struct delivery_filter f = {q, system, delivery_status_parse(status)};
	const struct store_value more[] = {system.n ? SV_TEXT(system) : SV_INT(f.status), SV_INT(f.status)};
	bool open = f.status >= 0 && f.status<DELIVERY_FINAL, failed = f.status> DELIVERY_DELIVERED;
	struct query_list list = {.statement = R_DELIVERIES_BEFORE,
				  .match = delivery_matches,
				  .write = write_delivery_item,
				  .ctx = &f,
				  .more = more};

	if (status.n && f.status < 0)
		return err_set(e, RC_INVALID, "unknown_status", "There is no delivery status '" STR_FMT "'.",
			       STR_ARG(status));
	if (open)
		list.statement = system.n ? R_DELIVERIES_OPEN_SYSTEM_BEFORE : R_DELIVERIES_OPEN_BEFORE;
	else if (failed)
		list.statement = system.n ? R_DELIVERIES_FAILED_SYSTEM_BEFORE : R_DELIVERIES_FAILED_BEFORE;
	else if (system.n)
		list.statement = R_DELIVERIES_SYSTEM_BEFORE;
	list.more_count = (failed ? 1 : 0) + (system.n ? 1 : 0);
	return query_list(q, &list, p, out, e);
}

enum rc query_delivery(struct query *q, struct str delivery_id, struct buf *out, struct err *e)
{
	struct store_value row[17], replayed[2];
	struct query_rows attempts;
	struct json_writer w;
	struct str document = STR_NONE;

	enum rc rc = query_one(q, R_DELIVERY_BY_ID, SV_TEXT(delivery_id), "delivery_not_found", "delivery", row, e);
	if (rc == RC_OK && row[8].integer)
		rc = document_load(q->reader, q->arena, row[8].integer, &document, e);
	if (rc == RC_OK)
		rc = query_all(q, R_ATTEMPTS, &SV_INT(row[0].integer), 1, &attempts, e);
	if (rc == RC_OK)
		rc = store_read_one(q->reader, R_DELIVERY_REPLAYED, &SV_INT(row[0].integer), 1, q->arena, replayed, e);
	jw_init(&w, out);
	if (rc == RC_OK)
		rc = query_write_delivery(q, &w, row, e);
	if (rc != RC_OK)
		return rc;
	jw_opt_text(&w, "replayed_by", replayed[0].bytes);
	query_write_time(&w, "replayed_at", replayed[1]);
	if (row[9].bytes.n)
		query_write_json(&w, "params", row[9].bytes);
	if (document.n)
		query_write_json(&w, "document", document);
	jw_key(&w, "attempts");
	jw_array(&w);
	for (size_t i = 0; i < attempts.count; i++) {
		rc = query_write_attempt(q, &w, query_row(&attempts, i), e);
		if (rc != RC_OK)
			return rc;
		jw_object_end(&w);
	}
	jw_array_end(&w);
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
	struct query_list list = {
	    .statement = R_EXCEPTIONS_BEFORE, .match = NULL, .write = write_exception, .ctx = NULL};
	return query_list(q, &list, p, out, e);
}

/* ---- overview ---- */

/* An object of the sums by the first part of the name. */
static int64_t write_sums(struct json_writer *w, const char *name, enum counted what, const struct counter *c, size_t n)
{
	int64_t sum = 0;

	jw_key(w, name);
	jw_object(w);
	for (size_t i = 0; i < n; i++) {
		if (c[i].what != what || c[i].total == 0)
			continue;
		jw_key_str(w, c[i].a);
		jw_int(w, c[i].total);
		sum += c[i].total;
	}
	jw_object_end(w);
	return sum;
}

static int64_t sum_of(enum counted what, const struct counter *c, size_t n)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += c[i].what == what ? c[i].total : 0;
	return sum;
}

/* An array of objects, one for each counter. */
static void write_counters(struct json_writer *w, const char *name, enum counted what, const char *const *parts,
			   const struct counter *c, size_t n)
{
	jw_key(w, name);
	jw_array(w);
	for (size_t i = 0; i < n; i++) {
		const struct str values[] = {c[i].a, c[i].b, c[i].c};

		if (c[i].what != what || c[i].total == 0)
			continue;
		jw_object(w);
		for (size_t p = 0; p < 3 && parts[p]; p++)
			jw_key_text(w, parts[p], values[p]);
		jw_key_int(w, "count", c[i].total);
		jw_object_end(w);
	}
	jw_array_end(w);
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

enum rc query_overview(struct query *q, struct buf *out, struct err *e)
{
	static const char *const delivery_parts[] = {"system", "operation", "status"}, *const inbox_parts[] = {
											   "kind", "fate", NULL};
	const struct config_tenant *t = hub_tenant(q->hub);
	const struct counter *c;
	struct json_writer w;
	size_t n;

	enum rc rc = read_counters(q, &c, &n, e);
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	jw_object(&w);
	jw_key_text(&w, "tenant", t->name);
	jw_key_time(&w, "as_of", stock_view_as_of(hub_stock(q->hub)));
	jw_key_bool(&w, "ready", hub_ready(q->hub));
	jw_key_int(&w, "position", hub_position(q->hub));
	jw_key_int(&w, "items", (int64_t)stock_view_items(hub_stock(q->hub)));
	jw_key_int(&w, "orders_total", write_sums(&w, "orders", COUNTED_ORDERS, c, n));
	write_counters(&w, "deliveries", COUNTED_DELIVERIES, delivery_parts, c, n);
	jw_key_int(&w, "exceptions_open", write_sums(&w, "exceptions", COUNTED_EXCEPTIONS, c, n));
	jw_key_int(&w, "dead_letters_open", sum_of(COUNTED_DEAD_LETTERS, c, n));
	write_counters(&w, "inbox", COUNTED_INBOX, inbox_parts, c, n);
	write_lags(&w, t);
	jw_object_end(&w);
	return query_done(out, e);
}
