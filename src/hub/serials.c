/* What the registry has of serial numbers, read into the batch's book before the step that asks for them. */
#include "hub/state.h"

#include "orchestrate/stock/serial.h"

#define NAMED 16 /* of R_SERIALS_NAMED */

static enum rc put_row(void *ctx, const struct store_value *c, size_t count)
{
	struct hub *h = ctx;

	(void)count;
	serial_put(h->state.stock->serials, &h->batch.txn, c);
	return RC_OK;
}

/* Of one item, as many as a read takes; returns the rest. */
static struct serial *next_group(struct serial *first, struct store_value *args)
{
	struct serial *s = first;
	size_t n = 0;

	args[0] = SV_TEXT(first->sku);
	for (; s && n < NAMED && str_eq(s->sku, first->sku); s = s->next_fetch)
		args[1 + n++] = SV_TEXT(s->serial);
	for (; n < NAMED; n++)
		args[1 + n] = SV_TEXT(first->serial);
	return s;
}

static enum rc fetch_named(struct hub *h, struct serial *list, struct err *e)
{
	enum rc rc = RC_OK;

	for (struct serial *s = list; s && rc == RC_OK;) {
		struct store_value args[1 + NAMED];

		s = next_group(s, args);
		rc = store_read(h->reader, R_SERIALS_NAMED, args, 1 + NAMED, put_row, h, e);
	}
	for (struct serial *s = list, *next; s; s = next) {
		next = s->next_fetch;
		s->next_fetch = NULL;
		s->wanted = false;
		s->fetched = s->fetched || rc == RC_OK;
	}
	return rc;
}

struct place_reading {
	struct hub *h;
	size_t rows;
};

static enum rc place_row(void *ctx, const struct store_value *c, size_t count)
{
	struct place_reading *r = ctx;

	r->rows++;
	return put_row(r->h, c, count);
}

/* Everything of an item that is at a location. */
static enum rc fetch_place(struct hub *h, const struct serial_place *p, struct err *e)
{
	const struct store_value args[] = {SV_TEXT(p->sku), SV_TEXT(p->location), SV_INT(SERIALS_COUNTED_MAX + 1)};
	struct place_reading r = {.h = h};
	struct serial_item *item;
	enum rc rc = store_read(h->reader, R_SERIALS_HERE, args, 3, place_row, &r, e);

	item = map_get(&h->state.stock->serials->items, p->sku);
	if (item && r.rows > SERIALS_COUNTED_MAX)
		item->truncated = true;
	return rc;
}

enum { FACT_EXCEPTION = 13, FACT_EXCEPTION_ID, FACT_COLUMNS };

/* An exception that this batch has taken up is somebody's. */
static struct serial *put_fact(struct hub *h, const struct store_value *row)
{
	struct store_value c[FACT_COLUMNS];

	memcpy(c, row, sizeof(c));
	if (c[FACT_EXCEPTION].integer && batch_touched(h, TOUCHED_EXCEPTION, c[FACT_EXCEPTION].integer))
		c[FACT_EXCEPTION_ID] = SV_NULL;
	return serial_fact_put(h->state.stock->serials, &h->batch.txn, c);
}

static enum rc fact_row(void *ctx, const struct store_value *c, size_t count)
{
	(void)count;
	return put_fact(ctx, c) ? RC_OK : RC_LIMIT;
}

static enum rc count_row(void *ctx, const struct store_value *c, size_t count)
{
	struct hub *h = ctx;

	(void)count;
	serial_count_put(h->state.stock->serials, &h->batch.txn, c);
	return RC_OK;
}

/* Counts of an item since an instant. */
static enum rc fetch_counts(struct hub *h, struct str sku, int64_t since, struct err *e)
{
	const struct store_value args[] = {SV_TEXT(sku), SV_INT(since), SV_INT(SERIAL_COUNTS_MAX)};

	return store_read(h->reader, R_SERIAL_COUNTS, args, 3, count_row, h, e);
}

static bool is_in(const struct serial_place *list, struct str sku)
{
	while (list && !str_eq(list->sku, sku))
		list = list->next;
	return list;
}

static enum rc fetch_history(struct hub *h, struct serial *s, struct err *e)
{
	const struct store_value args[] = {SV_TEXT(s->sku), SV_TEXT(s->serial)};
	enum rc rc = s->whole ? RC_OK : store_read(h->reader, R_SERIAL_STANDING, args, 2, fact_row, h, e);

	s->whole = rc == RC_OK;
	return rc;
}

enum rc serials_fetch(struct hub *h, const struct movement *m, struct err *e)
{
	struct serial_wants wants;
	enum rc rc;

	if (h->state.stock->serial_items == 0)
		return RC_OK;
	serials_wanted(h->state.stock, &h->batch.txn, m,
		       m->order_id.n ? order_find(h->state.orders, m->order_id) : NULL, &wants);
	if (!wants.named && !wants.places)
		return RC_OK;
	rc = fetch_named(h, wants.serials, e);
	for (const struct serial_named *n = wants.named; n && rc == RC_OK; n = n->next)
		if (serial_is_late(n->serial, m->occurred_at) || is_in(wants.counts, n->serial->sku))
			rc = fetch_history(h, n->serial, e);
	for (const struct serial_place *p = wants.counts; p && rc == RC_OK; p = p->next)
		if (!is_in(p->next, p->sku))
			rc = fetch_counts(h, p->sku, m->occurred_at, e);
	for (const struct serial_place *p = wants.places; p && rc == RC_OK; p = p->next)
		rc = fetch_place(h, p, e);
	return rc;
}

/* ---- a reversal ---- */

struct undo_reading {
	struct hub *h;
	struct serial *named; /* by next_fetch */
};

static void want_undo(struct undo_reading *r, struct serial *s)
{
	if (s->wanted)
		return;
	s->wanted = true;
	s->next_fetch = r->named;
	r->named = s;
}

static enum rc history_row(void *ctx, const struct store_value *c, size_t count)
{
	struct undo_reading *r = ctx;
	struct serial *s = put_fact(r->h, c);

	(void)count;
	if (!s)
		return RC_LIMIT;
	want_undo(r, s);
	return RC_OK;
}

/* Of all that a movement of the open batch names. */
static enum rc fetch_made(struct undo_reading *r, int64_t seq, struct err *e)
{
	enum rc rc = RC_OK;

	for (struct serial_fact *f = r->h->state.stock->serials->made; f && rc == RC_OK; f = f->next_made) {
		if (f->after.movement != seq)
			continue;
		want_undo(r, f->of);
		rc = fetch_history(r->h, f->of, e);
	}
	return rc;
}

static enum rc add_undo(struct hub *h, struct serial *s, int64_t seq)
{
	struct serial_book *b = h->state.stock->serials;
	struct serial_fact *f = serial_fact_of(s, seq);
	struct serial_undo *u = f ? arena_new(h->batch.txn.arena, struct serial_undo) : NULL;

	s->whole = true;
	if (!f)
		return RC_OK;
	if (!u) {
		h->batch.txn.failed = true;
		return RC_LIMIT;
	}
	*u = (struct serial_undo){f, b->undo};
	b->undo = u;
	return RC_OK;
}

/* Those of the movement, and those that its serial numbers may be missing from without it. */
static enum rc fetch_undo_counts(struct hub *h, int64_t seq, int64_t occurred_at, const struct serial *named,
				 struct err *e)
{
	struct str last = STR_NONE;
	enum rc rc = store_read(h->reader, R_SERIAL_COUNTS_OF, &SV_INT(seq), 1, count_row, h, e);

	for (const struct serial *s = named; s && rc == RC_OK; s = s->next_fetch) {
		if (!str_eq(s->sku, last))
			rc = fetch_counts(h, s->sku, occurred_at, e);
		last = s->sku;
	}
	return rc;
}

enum rc serials_fetch_undo(struct hub *h, int64_t seq, int64_t occurred_at, struct err *e)
{
	struct serial_book *b = h->state.stock->serials;
	struct undo_reading r = {.h = h};
	enum rc rc;

	b->undo = NULL;
	if (h->state.stock->serial_items == 0)
		return RC_OK;
	rc = store_read(h->reader, R_SERIAL_HISTORIES, &SV_INT(seq), 1, history_row, &r, e);
	if (rc == RC_OK)
		rc = fetch_made(&r, seq, e);
	if (rc == RC_OK)
		rc = fetch_undo_counts(h, seq, occurred_at, r.named, e);
	for (struct serial *s = r.named; s && rc == RC_OK; s = s->next_fetch)
		rc = add_undo(h, s, seq);
	if (rc == RC_OK)
		rc = fetch_named(h, r.named, e);
	if (rc != RC_OK)
		b->undo = NULL;
	return rc;
}

void serials_closed(struct hub *h)
{
	struct serial_book *b = h->state.stock->serials;

	for (const struct serial_closed *c = b->closed; c; c = c->next)
		batch_touch(h, TOUCHED_EXCEPTION, c->exception);
	b->closed = NULL;
}
