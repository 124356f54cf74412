/* The audit of the books: what balances, movements, reservations and orders say of each position. */
#include "hub/query_audit.h"

#include "orchestrate/order/order.h"
#include "orchestrate/order/progress.h"
#include "orchestrate/stock/entry.h"

#include <inttypes.h>

struct audit_position {
	struct str key; /* sku, location, lot, owner, each with a line feed behind it */
	int64_t through;
	qty_t row[STOCK_STATES];       /* as stored */
	qty_t after[STOCK_STATES];     /* by movements after through */
	qty_t sum[STOCK_STATES];       /* by all movements */
	qty_t held, allocated, picked; /* by reservations and orders */
	bool in_view;
};

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
		return audit_too_large(a);
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
		return audit_too_large(a);
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
			rc = audit_too_large(a);
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
			return audit_too_large(a);
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
		audit_differ(a, ORDERS,
			     "order " STR_FMT " line " STR_FMT ": reserved is not the sum of its allocations",
			     STR_ARG(row[1].bytes), STR_ARG(id));
	if (decided && reserved + backordered != (open > 0 ? open : 0))
		audit_differ(a, ORDERS,
			     "order " STR_FMT " line " STR_FMT ": reserved and backordered are not what is open",
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

enum rc audit_read_books(struct audit *a)
{
	enum rc rc = store_read(a->q->reader, R_POSITIONS, NULL, 0, position_row, a, a->e);

	if (rc == RC_OK)
		rc = read_pages(a, R_MOVEMENTS_AFTER, movement_row);
	if (rc == RC_OK)
		rc = read_pages(a, R_RESERVATIONS_HELD, reservation_row);
	return rc == RC_OK ? read_pages(a, R_ORDERS_OPEN, order_row) : rc;
}

/* ---- checks ---- */

void audit_check_books(struct audit *a)
{
	struct audit_position *p;

	for (size_t at = 0; (p = map_next(&a->positions, &at, NULL));) {
		for (int s = 0; s < STOCK_STATES; s++) {
			const char *state = stock_state_name((enum stock_state)s);
			if (p->row[s] + p->after[s] != p->sum[s])
				audit_differ(a, LEDGER,
					     "%s: %s is %" PRId64 " by its balance and %" PRId64 " by all movements",
					     readable(a, p), state, p->row[s] + p->after[s], p->sum[s]);
			if (s != STOCK_FREE && p->sum[s] < 0)
				audit_differ(a, STATES, "%s: %s is negative", readable(a, p), state);
		}
		if (p->held != p->sum[STOCK_HELD])
			audit_differ(a, HOLDS, "%s: held is %" PRId64 ", the reservations say %" PRId64, readable(a, p),
				     p->sum[STOCK_HELD], p->held);
		if (p->allocated != p->sum[STOCK_ALLOCATED])
			audit_differ(a, ALLOCATIONS, "%s: allocated is %" PRId64 ", the orders say %" PRId64,
				     readable(a, p), p->sum[STOCK_ALLOCATED], p->allocated);
		if (p->picked > p->sum[STOCK_PICKED])
			audit_differ(a, ALLOCATIONS, "%s: picked is %" PRId64 ", the orders alone say %" PRId64,
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
			audit_differ(a, MEMORY, "%s: the published stock is not the sum of the movements",
				     readable(a, p));
	}
}

enum rc audit_check_memory(struct audit *a, int64_t position_before, int64_t stored, bool *compared)
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
			audit_differ(a, MEMORY, "%s: is not published", readable(a, p));
	enum rc rc = store_read_one(a->q->reader, R_EVENT_LAST, NULL, 0, a->q->arena, &last, a->e);
	if (rc != RC_OK || last.integer == stored)
		return rc;
	*compared = false;
	buf_reset(&a->checks[MEMORY].detail);
	a->checks[MEMORY].bad = 0;
	return RC_OK;
}
