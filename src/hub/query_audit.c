/*
 * The audit: what is stored must add up. It is read in one snapshot.
 *
 * - ledger: the balances (a row as of movement `through`, and the movements after it) are the sum of all movements
 * - states: no state but free is negative
 * - memory: the published stock is the same; only when nothing was committed while the audit read
 * - holds: what is held is the sum of the live reservations
 * - allocations: what is allocated is the sum of the open orders' allocations; what is picked for orders was picked
 * - orders: a line's quantities add up to what was ordered
 * - inbox: every message has a fate; what is pending is young
 * - deliveries: every delivery is in a known state
 * - counters: the counters, stored and in memory, are what there is in the tables
 *
 * A check collects its first differences as text and counts the rest.
 */
#include "hub/query_audit.h"

#include "base/mem.h"
#include "hub/counters.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define AUDIT_BYTES_MAX     ((size_t)8 << 30)
#define AUDIT_POSITIONS_MAX ((size_t)100000000)
#define AUDIT_PENDING_MS    300000
#define DETAIL_MAX          2000

void audit_differ(struct audit *a, enum audit_which which, const char *format, ...)
{
	struct audit_check *c = &a->checks[which];
	char text[512];
	va_list args;

	c->bad++;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (c->detail.n + strlen(text) + 2 > DETAIL_MAX)
		return;
	if (c->detail.n)
		buf_add_z(&c->detail, "; ");
	buf_add_z(&c->detail, text);
}

enum rc audit_too_large(struct audit *a)
{
	return err_set(a->e, RC_LIMIT, "audit_too_large", "There are too many stock positions to audit at once.");
}

/* ---- checks ---- */

static enum rc check_inbox(struct audit *a, int64_t *messages)
{
	struct query_rows fates, pending;
	struct store_value args[] = {SV_INT(0), SV_INT(1)};
	int64_t now = stock_view_as_of(hub_stock(a->q->hub));

	enum rc rc = query_all(a->q, R_INBOX_FATES, NULL, 0, &fates, a->e);
	if (rc == RC_OK)
		rc = query_all(a->q, R_INBOX_PENDING, args, 2, &pending, a->e);
	for (size_t i = 0; rc == RC_OK && i < fates.count; i++) {
		const struct store_value *row = query_row(&fates, i);
		*messages += row[2].integer;
		if (row[1].integer < FATE_PENDING || row[1].integer > FATE_DEAD)
			audit_differ(a, INBOX, "%" PRId64 " of kind " STR_FMT " have the unknown fate %" PRId64,
				     row[2].integer, STR_ARG(row[0].bytes), row[1].integer);
	}
	if (rc == RC_OK && pending.count && now - query_row(&pending, 0)[1].integer > AUDIT_PENDING_MS)
		audit_differ(a, INBOX, "message %" PRId64 " from " STR_FMT " is pending for %" PRId64 " s",
			     query_row(&pending, 0)[0].integer, STR_ARG(query_row(&pending, 0)[2].bytes),
			     (now - query_row(&pending, 0)[1].integer) / 1000);
	return rc;
}

static enum rc check_deliveries(struct audit *a, int64_t *final, int64_t *open)
{
	struct query_rows rows;
	enum rc rc = query_all(a->q, R_DELIVERIES_COUNT, NULL, 0, &rows, a->e);

	for (size_t i = 0; rc == RC_OK && i < rows.count; i++) {
		const struct store_value *row = query_row(&rows, i);
		*(row[2].integer >= DELIVERY_FINAL ? final : open) += row[3].integer;
		if (str_is(str_from(delivery_status_name((enum delivery_status)row[2].integer)), "invalid"))
			audit_differ(a, DELIVERIES, "%" PRId64 " to " STR_FMT " have the unknown status %" PRId64,
				     row[3].integer, STR_ARG(row[0].bytes), row[2].integer);
	}
	return rc;
}

/* Where a serial number is, is what its history says. */
static enum rc check_serials(struct audit *a, int64_t *serials)
{
	struct query_rows rows;
	enum rc rc = query_all(a->q, R_SERIALS_UNEXPLAINED, NULL, 0, &rows, a->e);

	if (rc != RC_OK || rows.count == 0)
		return rc;
	*serials = query_row(&rows, 0)[0].integer;
	if (query_row(&rows, 0)[1].integer)
		audit_differ(a, SERIALS, "%" PRId64 " serial numbers are not where their movements left them",
			     query_row(&rows, 0)[1].integer);
	return rc;
}

struct audit_total {
	struct str name;
	int64_t stored, shown, counted;
};

static struct audit_total *total_of(struct audit *a, struct str name)
{
	struct audit_total *n = map_get(&a->totals, name);

	if (n)
		return n;
	n = arena_new(&a->arena, struct audit_total);
	if (!n)
		return NULL;
	*n = (struct audit_total){.name = arena_copy(&a->arena, name)};
	return n->name.p && map_put(&a->totals, n->name, n) == RC_OK ? n : NULL;
}

static enum rc add_stored(void *ctx, struct str name, int64_t total)
{
	struct audit_total *n = total_of(ctx, name);

	if (!n)
		return audit_too_large(ctx);
	n->stored = total;
	return RC_OK;
}

static enum rc add_counted(void *ctx, struct str name, int64_t total)
{
	struct audit_total *n = total_of(ctx, name);

	if (!n)
		return audit_too_large(ctx);
	n->counted += total;
	return RC_OK;
}

/*
 * In the snapshot. Rows and tables are of one commit and must agree; the memory with them, if its batch is that of the
 * rows. Without rows (nothing was committed since the store was made) there is the memory alone.
 */
static enum rc check_counters(struct audit *a, int64_t *counters)
{
	struct audit_total *n;
	int64_t stored = 0, shown;
	size_t count;

	enum rc rc = counters_stored(a->q->reader, add_stored, a, &stored, a->e);
	if (rc == RC_OK)
		rc = counters_scan(a->q->reader, add_counted, a, a->e);
	const struct counter *c = counters_read(hub_counters(a->q->hub), &a->arena, &count, &shown);
	if (rc == RC_OK && !c)
		rc = audit_too_large(a);
	for (size_t i = 0; rc == RC_OK && i < count; i++) {
		n = total_of(a, c[i].name);
		if (n)
			n->shown = c[i].total;
		else
			rc = audit_too_large(a);
	}
	for (size_t at = 0; rc == RC_OK && (n = map_next(&a->totals, &at, NULL));) {
		if (stored && n->stored != n->counted)
			audit_differ(a, COUNTERS, STR_FMT " is %" PRId64 ", the tables say %" PRId64, STR_ARG(n->name),
				     n->stored, n->counted);
		if (stored == shown && n->shown != n->counted)
			audit_differ(a, COUNTERS, STR_FMT " is shown as %" PRId64 ", the tables say %" PRId64,
				     STR_ARG(n->name), n->shown, n->counted);
	}
	*counters = (int64_t)a->totals.count;
	return rc;
}

/* ---- the answer ---- */

static void write_check(struct json_writer *w, const struct audit_check *c, const char *good)
{
	jw_object(w);
	jw_key_text(w, "name", str_from(c->name));
	jw_key_bool(w, "ok", c->bad == 0);
	if (c->bad)
		jw_key_int(w, "differences", c->bad);
	jw_key_text(w, "detail", c->bad ? buf_str(&c->detail) : str_from(good));
	jw_object_end(w);
}

struct audit_counts {
	int64_t messages, deliveries_final, deliveries_open, counters, serials;
	bool memory;
};

static void write_answer(struct audit *a, const struct audit_counts *n, struct buf *out)
{
	char good[CHECKS][128];
	struct json_writer w;
	int64_t bad = 0;

	snprintf(good[LEDGER], sizeof(good[0]), "%" PRId64 " movements, %zu positions", a->movements,
		 a->positions.count);
	snprintf(good[STATES], sizeof(good[0]), "%zu positions", a->positions.count);
	snprintf(good[MEMORY], sizeof(good[0]), "%s", n->memory ? "compared" : "not compared: the hub was at work");
	snprintf(good[HOLDS], sizeof(good[0]), "%" PRId64 " live reservations", a->reservations);
	snprintf(good[ALLOCATIONS], sizeof(good[0]), "%" PRId64 " open orders", a->orders);
	snprintf(good[ORDERS], sizeof(good[0]), "%" PRId64 " open orders", a->orders);
	snprintf(good[INBOX], sizeof(good[0]), "%" PRId64 " messages and commands", n->messages);
	snprintf(good[DELIVERIES], sizeof(good[0]), "%" PRId64 " final, %" PRId64 " open", n->deliveries_final,
		 n->deliveries_open);
	snprintf(good[COUNTERS], sizeof(good[0]), "%" PRId64 " counters", n->counters);
	snprintf(good[SERIALS], sizeof(good[0]), "%" PRId64 " serial numbers", n->serials);
	for (int i = 0; i < CHECKS; i++)
		bad += a->checks[i].bad;
	jw_init(&w, out);
	jw_object(&w);
	jw_key_bool(&w, "ok", bad == 0);
	jw_key(&w, "checks");
	jw_array(&w);
	for (int i = 0; i < CHECKS; i++)
		write_check(&w, &a->checks[i], good[i]);
	jw_array_end(&w);
	jw_object_end(&w);
}

/* In the snapshot. */
static enum rc read_all(struct audit *a, struct audit_counts *n, int64_t *last_event)
{
	struct store_value last;

	enum rc rc = store_read_one(a->q->reader, R_EVENT_LAST, NULL, 0, a->q->arena, &last, a->e);
	if (rc == RC_OK)
		rc = audit_read_books(a);
	if (rc == RC_OK)
		rc = check_inbox(a, &n->messages);
	if (rc == RC_OK)
		rc = check_deliveries(a, &n->deliveries_final, &n->deliveries_open);
	if (rc == RC_OK)
		rc = check_counters(a, &n->counters);
	if (rc == RC_OK)
		rc = check_serials(a, &n->serials);
	if (rc == RC_OK)
		*last_event = last.integer;
	return rc;
}

static enum rc run(struct audit *a, struct audit_counts *n)
{
	int64_t before = hub_position(a->q->hub), last_event = 0;

	enum rc rc = store_reader_begin(a->q->reader, a->e);
	if (rc != RC_OK)
		return rc;
	rc = read_all(a, n, &last_event);
	store_reader_end(a->q->reader);
	if (rc != RC_OK)
		return rc;
	audit_check_books(a);
	return audit_check_memory(a, before, last_event, &n->memory);
}

enum rc query_audit(struct query *q, struct buf *out, struct err *e)
{
	static const char *const names[CHECKS] = {"ledger", "states", "memory",     "holds",    "allocations",
						  "orders", "inbox",  "deliveries", "counters", "serials"};
	struct audit *a = mem_zalloc(1, sizeof(*a));
	struct audit_counts n = {0};

	a->q = q;
	a->e = e;
	arena_init(&a->arena, AUDIT_BYTES_MAX);
	map_init(&a->positions, AUDIT_POSITIONS_MAX);
	map_init(&a->totals, AUDIT_POSITIONS_MAX);
	buf_init(&a->key, 64u << 10);
	for (int i = 0; i < CHECKS; i++) {
		a->checks[i].name = names[i];
		buf_init(&a->checks[i].detail, DETAIL_MAX + 512);
	}
	enum rc rc = run(a, &n);
	if (rc == RC_OK) {
		write_answer(a, &n, out);
		rc = query_done(out, e);
	}
	for (int i = 0; i < CHECKS; i++)
		buf_done(&a->checks[i].detail);
	buf_done(&a->key);
	map_done(&a->positions);
	map_done(&a->totals);
	arena_done(&a->arena);
	free(a);
	return rc;
}
