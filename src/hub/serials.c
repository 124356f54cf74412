/* What the registry has of serial numbers, read into the batch's book before the step that asks for them. */
#include "hub/state.h"

#include "orchestrate/stock/serial.h"

#define NAMED    16 /* of R_SERIALS_NAMED */
#define UNDO_MAX 4000000

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

enum rc serials_fetch(struct hub *h, const struct movement *m, struct err *e)
{
	struct serial_wants wants;
	enum rc rc;

	if (h->state.stock->serial_items == 0)
		return RC_OK;
	serials_wanted(h->state.stock, &h->batch.txn, m,
		       m->order_id.n ? order_find(h->state.orders, m->order_id) : NULL, &wants);
	if (!wants.serials && !wants.places)
		return RC_OK;
	rc = fetch_named(h, wants.serials, e);
	for (const struct serial_place *p = wants.places; p && rc == RC_OK; p = p->next)
		rc = fetch_place(h, p, e);
	return rc;
}

/* ---- a reversal ---- */

struct undo_reading {
	struct hub *h;
	int64_t seq;
	struct serial *named; /* to be fetched */
	bool look;            /* the first look: for what is to be undone */
	struct map by_serial;
};

static struct serial_undo *add_undo(struct undo_reading *r, struct serial *s, struct str place, struct str lot,
				    struct str owner)
{
	struct txn *t = &r->h->batch.txn;
	struct serial_book *b = r->h->state.stock->serials;
	struct serial_undo *u = arena_new(t->arena, struct serial_undo);

	if (!u) {
		t->failed = true;
		return NULL;
	}
	*u = (struct serial_undo){.serial = s, .place = place, .lot = lot, .owner = owner, .next = b->undo};
	b->undo = u;
	if (!s->fetched && !s->wanted) {
		s->wanted = true;
		s->next_fetch = r->named;
		r->named = s;
	}
	return u;
}

/* A row of the movement itself makes an undo; the others come after it, in the second look. */
static enum rc history_row(void *ctx, const struct store_value *c, size_t count)
{
	struct undo_reading *r = ctx;
	struct txn *t = &r->h->batch.txn;
	struct serial *s = serial_make(r->h->state.stock->serials, t, c[0].bytes, c[1].bytes);
	struct serial_at at;

	(void)count;
	if (!s)
		return RC_LIMIT;
	at = serial_at_of(t, c);
	if (r->look && at.movement == r->seq && !serial_is_void(s, r->seq)) {
		struct serial_undo *u = add_undo(r, s, txn_copy(t, c[9].bytes), at.lot, at.owner);

		if (!u || map_put(&r->by_serial, (struct str){(const char *)&u->serial, sizeof(u->serial)}, u) != RC_OK)
			t->failed = true;
	} else if (!r->look && at.movement != r->seq) {
		struct serial_undo *u = map_get(&r->by_serial, (struct str){(const char *)&s, sizeof(s)});

		if (u)
			serial_undo_consider(u, &at, r->seq);
	}
	return t->failed ? RC_LIMIT : RC_OK;
}

static enum rc fetch_histories(struct undo_reading *r, struct err *e)
{
	enum rc rc;

	map_init(&r->by_serial, UNDO_MAX);
	r->look = true;
	rc = store_read(r->h->reader, R_SERIAL_HISTORIES, &SV_INT(r->seq), 1, history_row, r, e);
	r->look = false;
	if (rc == RC_OK)
		rc = store_read(r->h->reader, R_SERIAL_HISTORIES, &SV_INT(r->seq), 1, history_row, r, e);
	map_done(&r->by_serial);
	return rc;
}

static enum rc standing_row(void *ctx, const struct store_value *c, size_t count)
{
	struct undo_reading *r = ctx;
	struct serial_at at = serial_at_of(&r->h->batch.txn, c);

	(void)count;
	serial_undo_consider(r->h->state.stock->serials->undo, &at, r->seq);
	return RC_OK;
}

/* The movement is of the open batch. */
static enum rc fetch_made(struct undo_reading *r, struct err *e)
{
	struct serial_book *b = r->h->state.stock->serials;
	enum rc rc = RC_OK;

	for (struct serial_move *m = b->made; m && rc == RC_OK; m = m->next_made) {
		const struct store_value args[] = {SV_TEXT(m->of->sku), SV_TEXT(m->of->serial)};

		if (m->movement != r->seq || serial_is_void(m->of, r->seq))
			continue;
		if (!add_undo(r, m->of, m->place, m->after.lot, m->after.owner))
			return RC_LIMIT;
		rc = store_read(r->h->reader, R_SERIAL_STANDING, args, 2, standing_row, r, e);
	}
	return rc;
}

enum rc serials_fetch_undo(struct hub *h, int64_t seq, struct err *e)
{
	struct serial_book *b = h->state.stock->serials;
	struct undo_reading r = {.h = h, .seq = seq};
	enum rc rc;

	b->undo = NULL;
	b->undone = seq;
	if (h->state.stock->serial_items == 0)
		return RC_OK;
	rc = seq > h->batch.committed.movement ? fetch_made(&r, e) : fetch_histories(&r, e);
	if (rc == RC_OK)
		rc = fetch_named(h, r.named, e);
	for (struct serial_undo *u = b->undo; u && rc == RC_OK; u = u->next)
		for (const struct serial_move *m = u->serial->moves; m; m = m->next)
			serial_undo_consider(u, &m->after, seq);
	if (rc != RC_OK)
		b->undo = NULL;
	return rc;
}
