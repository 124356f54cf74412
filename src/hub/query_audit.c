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
#include "base/map.h"
#include "base/mem.h"
#include "hub/counters.h"
#include "hub/query_parts.h"
#include "orchestrate/order/order.h"
#include "orchestrate/order/progress.h"
#include "orchestrate/stock/entry.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define AUDIT_BYTES_MAX     ((size_t)8 << 30)
#define AUDIT_POSITIONS_MAX ((size_t)100000000)
#define AUDIT_PAGE          2000
#define AUDIT_PENDING_MS    300000
#define DETAIL_MAX          2000

struct audit_position {
	struct str key; /* sku, location, lot, owner, each with a line feed behind it */
	int64_t through;
	qty_t row[STOCK_STATES];       /* as stored */
	qty_t after[STOCK_STATES];     /* by movements after through */
	qty_t sum[STOCK_STATES];       /* by all movements */
	qty_t held, allocated, picked; /* by reservations and orders */
	bool in_view;
};

struct audit_check {
	const char *name;
	struct buf detail;
	int64_t bad;
};

enum check { LEDGER, STATES, MEMORY, HOLDS, ALLOCATIONS, ORDERS, INBOX, DELIVERIES, COUNTERS, SERIALS, CHECKS };

struct audit {
	struct query *q;
	struct arena arena;
	struct map positions;
	struct map totals; /* struct audit_total by name */
	struct audit_check checks[CHECKS];
	struct err *e;
	int64_t seq, movements, orders, reservations;
	uint32_t page_rows;
	struct buf key;
};

static void __attribute__((format(printf, 3, 4))) differ(struct audit *a, enum check which, const char *format, ...)
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

static const char *readable(struct audit *a, const struct audit_position *p)
{
	char *text = arena_printf(&a->arena, STR_FMT, STR_ARG(p->key));
	for (char *at = text; at && *at; at++)
		if (*at == '\n')
			*at = at[1] ? '/' : ' ';
	return text ? text : "";
}

/* NULL: out of memory for it. */
static struct audit_position *position(struct audit *a, struct str sku, struct str location, struct str lot,
				       struct str owner)
{
	const struct str parts[] = {sku, location, lot, owner};

	buf_reset(&a->key);
	for (size_t i = 0; i < 4; i++) {
		buf_add_str(&a->key, parts[i]);
		buf_add_char(&a->key, '\n');
	}
	struct audit_position *p = map_get(&a->positions, buf_str(&a->key));
	if (p)
		return p;
	p = arena_new(&a->arena, struct audit_position);
	if (!p)
		return NULL;
	p->key = arena_copy(&a->arena, buf_str(&a->key));
	return p->key.p && map_put(&a->positions, p->key, p) == RC_OK ? p : NULL;
}

static enum rc too_large(struct audit *a)
{
	return err_set(a->e, RC_LIMIT, "audit_too_large", "There are too many stock positions to audit at once.");
}

/* ---- reading ---- */

static bool states_parse(struct str text, qty_t *out)
{
	size_t at = 0;

	for (int s = 0; s < STOCK_STATES; s++) {
		bool negative = at < text.n && text.p[at] == '-';
		size_t digits = 0;
		qty_t v = 0;
		at += negative;
		for (; at < text.n && text.p[at] >= '0' && text.p[at] <= '9' && digits < 18; at++, digits++)
			v = v * 10 + (text.p[at] - '0');
		if (!digits || (at < text.n && text.p[at] != ' '))
			return false;
		out[s] = negative ? -v : v;
		at++;
	}
	/* What else the row says of a lot is not of the balance. */
	return at == text.n + 1 || (at > 0 && at < text.n);
}

static enum rc position_row(void *ctx, const struct store_value *row, size_t count)
{
	struct audit *a = ctx;
	struct audit_position *p = position(a, row[0].bytes, row[1].bytes, row[2].bytes, row[3].bytes);
	(void)count;

	if (!p)
		return too_large(a);
	p->through = row[4].integer;
	return states_parse(row[5].bytes, p->row) ? RC_OK : query_damaged(a->e, "stock position");
}

static enum rc apply(struct audit *a, struct str sku, struct str location, struct str lot, struct str owner,
		     enum stock_state state, qty_t delta)
{
	if (state >= STOCK_STATES)
		return RC_OK;
	struct audit_position *p = position(a, sku, location, lot, owner);
	if (!p)
		return too_large(a);
	p->sum[state] += delta;
	if (a->seq > p->through)
		p->after[state] += delta;
	return RC_OK;
}

static enum rc entry_apply(void *ctx, const struct entry *e)
{
	struct audit *a = ctx;
	struct str to = e->to_location.n ? e->to_location : e->location;
	enum rc rc = apply(a, e->sku, e->location, e->lot, e->owner, e->from, -e->quantity);
	return rc == RC_OK ? apply(a, e->sku, to, e->lot, e->owner, e->to, e->quantity) : rc;
}

static enum rc movement_row(void *ctx, const struct store_value *row, size_t count)
{
	struct audit *a = ctx;
	(void)count;

	a->seq = row[0].integer;
	a->movements++;
	a->page_rows++;
	enum rc rc = entries_each(row[3].bytes, entry_apply, a);
	return rc == RC_IO ? query_damaged(a->e, "movement") : rc;
}

static qty_t get_qty(const struct json *j, const char *name)
{
	struct str text = json_get_text(j, name);
	qty_t q = 0;
	return text.n && qty_parse(text, &q, NULL) == RC_OK ? q : 0;
}

static enum rc reservation_row(void *ctx, const struct store_value *row, size_t count)
{
	struct audit *a = ctx;
	struct json_limits limits = {.bytes = 16u << 20, .depth = 8, .nodes = 1u << 20};
	struct arena scratch;
	struct json *data = NULL;
	(void)count;

	a->seq = row[0].integer;
	a->reservations++;
	a->page_rows++;
	arena_init(&scratch, 64u << 20);
	enum rc rc = json_parse(&scratch, row[7].bytes, &limits, &data, a->e);
	const struct json *lines = rc == RC_OK ? json_get(data, "lines") : NULL;
	for (uint32_t i = 0; rc == RC_OK && json_is(lines, JSON_ARRAY) && i < lines->count; i++) {
		const struct json *l = &lines->items[i];
		struct audit_position *p = position(a, json_get_text(l, "sku"), json_get_text(l, "location"),
						    json_get_text(l, "lot"), json_get_text(l, "owner"));
		if (p)
			p->held += get_qty(l, "quantity");
		else
			rc = too_large(a);
	}
	arena_done(&scratch);
	return rc;
}

static enum rc line_allocations(struct audit *a, const struct json *line, qty_t *sum)
{
	const struct json *list = json_get(line, "allocations");

	for (uint32_t i = 0; json_is(list, JSON_ARRAY) && i < list->count; i++) {
		const struct json *l = &list->items[i];
		qty_t quantity = get_qty(l, "quantity"), picked = get_qty(l, "picked");
		struct str component = json_get_text(l, "sku");
		struct audit_position *p =
		    position(a, component.n ? component : json_get_text(line, "sku"), json_get_text(l, "location"),
			     json_get_text(l, "lot"), json_get_text(l, "owner"));
		if (!p)
			return too_large(a);
		p->allocated += quantity - picked;
		p->picked += picked;
		*sum += quantity;
	}
	return RC_OK;
}

/* What is still to come of a line is reserved or backordered, once the order is decided. */
static void line_adds_up(struct audit *a, const struct store_value *row, const struct json *line, qty_t allocations)
{
	qty_t reserved = get_qty(line, "reserved"), backordered = get_qty(line, "backordered");
	qty_t open = get_qty(line, "ordered") - get_qty(line, "shipped") - get_qty(line, "cancelled");
	bool decided = row[4].integer != ORDER_CAPTURED && row[4].integer != ORDER_ON_HOLD;
	struct str id = json_get_text(line, "line_id");

	/* A kit's allocations are of its components: what is reserved of it are the whole kits that they make. */
	if (!json_get(line, "components") && reserved != allocations)
		differ(a, ORDERS, "order " STR_FMT " line " STR_FMT ": reserved is not the sum of its allocations",
		       STR_ARG(row[1].bytes), STR_ARG(id));
	if (decided && reserved + backordered != (open > 0 ? open : 0))
		differ(a, ORDERS, "order " STR_FMT " line " STR_FMT ": reserved and backordered are not what is open",
		       STR_ARG(row[1].bytes), STR_ARG(id));
}

static enum rc order_row(void *ctx, const struct store_value *row, size_t count)
{
	struct audit *a = ctx;
	struct arena scratch;
	struct json *progress = NULL;
	(void)count;

	a->orders++;
	a->page_rows++;
	a->seq = row[0].integer;
	arena_init(&scratch, 64u << 20);
	enum rc rc = order_progress_read(&scratch, row[11].bytes, &progress, a->e);
	const struct json *lines = rc == RC_OK ? json_get(progress, "lines") : NULL;
	for (uint32_t i = 0; rc == RC_OK && json_is(lines, JSON_ARRAY) && i < lines->count; i++) {
		qty_t allocations = 0;
		rc = line_allocations(a, &lines->items[i], &allocations);
		if (rc == RC_OK)
			line_adds_up(a, row, &lines->items[i], allocations);
	}
	arena_done(&scratch);
	return rc;
}

/* Calls visit for all rows of a statement that takes (above this seq, limit). */
static enum rc read_pages(struct audit *a, enum store_statement s, store_row_fn visit)
{
	enum rc rc = RC_OK;

	a->seq = 0;
	do {
		struct store_value args[] = {SV_INT(a->seq), SV_INT(AUDIT_PAGE)};
		a->page_rows = 0;
		rc = store_read(a->q->reader, s, args, 2, visit, a, a->e);
	} while (rc == RC_OK && a->page_rows == AUDIT_PAGE);
	return rc;
}

/* ---- checks ---- */

static void check_positions(struct audit *a)
{
	struct audit_position *p;

	for (size_t at = 0; (p = map_next(&a->positions, &at, NULL));) {
		for (int s = 0; s < STOCK_STATES; s++) {
			const char *state = stock_state_name((enum stock_state)s);
			if (p->row[s] + p->after[s] != p->sum[s])
				differ(a, LEDGER,
				       "%s: %s is %" PRId64 " by its balance and %" PRId64 " by all movements",
				       readable(a, p), state, p->row[s] + p->after[s], p->sum[s]);
			if (s != STOCK_FREE && p->sum[s] < 0)
				differ(a, STATES, "%s: %s is negative", readable(a, p), state);
		}
		if (p->held != p->sum[STOCK_HELD])
			differ(a, HOLDS, "%s: held is %" PRId64 ", the reservations say %" PRId64, readable(a, p),
			       p->sum[STOCK_HELD], p->held);
		if (p->allocated != p->sum[STOCK_ALLOCATED])
			differ(a, ALLOCATIONS, "%s: allocated is %" PRId64 ", the orders say %" PRId64, readable(a, p),
			       p->sum[STOCK_ALLOCATED], p->allocated);
		if (p->picked > p->sum[STOCK_PICKED])
			differ(a, ALLOCATIONS, "%s: picked is %" PRId64 ", the orders alone say %" PRId64,
			       readable(a, p), p->sum[STOCK_PICKED], p->picked);
	}
}

static void view_item(void *ctx, struct str sku, const struct stock_position *positions, size_t count)
{
	struct audit *a = ctx;
	const struct config_tenant *t = hub_tenant(a->q->hub);

	for (size_t i = 0; i < count; i++) {
		const struct stock_position *v = &positions[i];
		struct audit_position *p = position(a, sku, t->locations[v->location].name, v->lot, v->owner);
		if (!p)
			continue;
		p->in_view = true;
		if (memcmp(v->states, p->sum, sizeof(p->sum)) != 0)
			differ(a, MEMORY, "%s: the published stock is not the sum of the movements", readable(a, p));
	}
}

/*
 * Outside the snapshot, whose last event is `stored`. The hub publishes after it has committed and counts the position
 * after it has published: so if all was published before and nothing is committed afterwards, the published stock is
 * that of the snapshot. Else what was seen means nothing. *compared says which.
 */
static enum rc check_memory(struct audit *a, int64_t position_before, int64_t stored, bool *compared)
{
	static const qty_t nothing[STOCK_STATES];
	struct audit_position *p;
	struct store_value last;

	*compared = position_before == stored;
	if (!*compared)
		return RC_OK;
	stock_view_each(hub_stock(a->q->hub), view_item, a);
	for (size_t at = 0; (p = map_next(&a->positions, &at, NULL));)
		if (!p->in_view && memcmp(p->sum, nothing, sizeof(nothing)) != 0)
			differ(a, MEMORY, "%s: is not published", readable(a, p));
	enum rc rc = store_read_one(a->q->reader, R_EVENT_LAST, NULL, 0, a->q->arena, &last, a->e);
	if (rc != RC_OK || last.integer == stored)
		return rc;
	*compared = false;
	buf_reset(&a->checks[MEMORY].detail);
	a->checks[MEMORY].bad = 0;
	return RC_OK;
}

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
			differ(a, INBOX, "%" PRId64 " of kind " STR_FMT " have the unknown fate %" PRId64,
			       row[2].integer, STR_ARG(row[0].bytes), row[1].integer);
	}
	if (rc == RC_OK && pending.count && now - query_row(&pending, 0)[1].integer > AUDIT_PENDING_MS)
		differ(a, INBOX, "message %" PRId64 " from " STR_FMT " is pending for %" PRId64 " s",
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
			differ(a, DELIVERIES, "%" PRId64 " to " STR_FMT " have the unknown status %" PRId64,
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
		differ(a, SERIALS, "%" PRId64 " serial numbers are not where their movements left them",
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
		return too_large(ctx);
	n->stored = total;
	return RC_OK;
}

static enum rc add_counted(void *ctx, struct str name, int64_t total)
{
	struct audit_total *n = total_of(ctx, name);

	if (!n)
		return too_large(ctx);
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
		rc = too_large(a);
	for (size_t i = 0; rc == RC_OK && i < count; i++) {
		n = total_of(a, c[i].name);
		if (n)
			n->shown = c[i].total;
		else
			rc = too_large(a);
	}
	for (size_t at = 0; rc == RC_OK && (n = map_next(&a->totals, &at, NULL));) {
		if (stored && n->stored != n->counted)
			differ(a, COUNTERS, STR_FMT " is %" PRId64 ", the tables say %" PRId64, STR_ARG(n->name),
			       n->stored, n->counted);
		if (stored == shown && n->shown != n->counted)
			differ(a, COUNTERS, STR_FMT " is shown as %" PRId64 ", the tables say %" PRId64,
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
		rc = store_read(a->q->reader, R_POSITIONS, NULL, 0, position_row, a, a->e);
	if (rc == RC_OK)
		rc = read_pages(a, R_MOVEMENTS_AFTER, movement_row);
	if (rc == RC_OK)
		rc = read_pages(a, R_RESERVATIONS_HELD, reservation_row);
	if (rc == RC_OK)
		rc = read_pages(a, R_ORDERS_OPEN, order_row);
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
	check_positions(a);
	return check_memory(a, before, last_event, &n->memory);
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
