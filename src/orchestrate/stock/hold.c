#include "orchestrate/stock/hold_internal.h"

#include "base/mem.h"
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/terms.h"

#include <stdio.h>

const char *hold_status_name(enum hold_status s)
{
	switch (s) {
	case HOLD_HELD:
		return "held";
	case HOLD_COMMITTED:
		return "committed";
	case HOLD_VOIDED:
		return "voided";
	case HOLD_EXPIRED:
		return "expired";
	}
	return "invalid";
}

struct hold_book *hold_book_new(const struct config_tenant *tenant, struct stock *stock, size_t max)
{
	struct hold_book *b = mem_zalloc(1, sizeof(*b));

	b->tenant = tenant;
	b->stock = stock;
	map_init(&b->holds, max);
	map_init(&b->quotas, SIZE_MAX / 2);
	return b;
}

void hold_book_free(struct hold_book *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->heap_count; i++)
		free(b->heap[i]);
	free(b->heap);
	map_done(&b->holds);
	hold_quota_free(b);
	free(b);
}

struct hold *hold_find(const struct hold_book *b, struct str reservation_id)
{
	return map_get(&b->holds, reservation_id);
}

/* ---- ids ---- */

#define SEQ_DIGITS 12

/* A UUID whose last 48 bits are the row's key, so that no index is needed to find it. */
struct str hold_make_id(struct txn *t, int64_t seq)
{
	struct str id = txn_uuid(t);
	char *digit = (char *)id.p + id.n;

	for (int i = 0; id.n == UUID_TEXT && i < SEQ_DIGITS; i++, seq >>= 4)
		*--digit = "0123456789abcdef"[seq & 15];
	return id;
}

int64_t hold_seq_of_id(struct str reservation_id)
{
	struct uuid u;
	int64_t seq = 0;

	if (!uuid_parse(reservation_id, &u))
		return 0;
	for (size_t i = sizeof(u.b) - SEQ_DIGITS / 2; i < sizeof(u.b); i++)
		seq = seq << 8 | u.b[i];
	return seq;
}

int64_t hold_next_expiry(const struct hold_book *b)
{
	return b->heap_count ? b->heap[0]->expires_at : INT64_MAX;
}

/* ---- a binary heap by expiry ---- */

static void heap_put(struct hold_book *b, size_t i, struct hold *h)
{
	b->heap[i] = h;
	h->heap_index = i;
}

static void heap_up(struct hold_book *b, size_t i, struct hold *h)
{
	for (; i > 0 && b->heap[(i - 1) / 2]->expires_at > h->expires_at; i = (i - 1) / 2)
		heap_put(b, i, b->heap[(i - 1) / 2]);
	heap_put(b, i, h);
}

static void heap_down(struct hold_book *b, size_t i, struct hold *h)
{
	for (size_t child; (child = 2 * i + 1) < b->heap_count; i = child) {
		if (child + 1 < b->heap_count && b->heap[child + 1]->expires_at < b->heap[child]->expires_at)
			child++;
		if (b->heap[child]->expires_at >= h->expires_at)
			break;
		heap_put(b, i, b->heap[child]);
	}
	heap_put(b, i, h);
}

void hold_heap_add(struct hold_book *b, struct hold *h)
{
	if (b->heap_count == b->heap_room) {
		b->heap_room = b->heap_room ? b->heap_room * 2 : 64;
		b->heap = mem_grow(b->heap, b->heap_room * sizeof(struct hold *));
	}
	heap_up(b, b->heap_count++, h);
	hold_quota_count(b, h, 1);
}

static void heap_remove(struct hold_book *b, struct hold *h)
{
	struct hold *last = b->heap[--b->heap_count];
	size_t i = h->heap_index;

	if (last == h)
		return;
	if (i > 0 && b->heap[(i - 1) / 2]->expires_at > last->expires_at)
		heap_up(b, i, last);
	else
		heap_down(b, i, last);
}

/* ---- what is told ---- */

static struct str channel_name(const struct hold_book *b, const struct hold *h)
{
	return h->channel == HOLD_NO_CHANNEL ? h->orphan_of : b->tenant->channels[h->channel].name;
}

static void write_lines(struct json_writer *w, const struct hold_book *b, const struct hold_line *lines, size_t count)
{
	jw_array(w);
	for (size_t i = 0; i < count; i++) {
		const struct stock_place *p = lines[i].place;

		jw_object(w);
		jw_key_text(w, "sku", p->item->sku);
		if (lines[i].kit)
			jw_key_text(w, "kit", lines[i].kit->sku);
		if (lines[i].requested)
			jw_key_qty(w, "requested", lines[i].requested);
		jw_key_qty(w, "quantity", lines[i].quantity);
		jw_key_text(w, "location", b->tenant->locations[p->position.location].name);
		jw_opt_text(w, "lot", p->position.lot);
		jw_opt_text(w, "owner", p->position.owner);
		jw_object_end(w);
	}
	jw_array_end(w);
}

/* Left open, for more fields. */
static void write_open(struct json_writer *w, struct buf *out, const struct hold_book *b, const struct hold *h,
		       enum hold_status status)
{
	jw_init(w, out);
	jw_object(w);
	jw_key_text(w, "reservation_id", h->reservation_id);
	jw_key_text(w, "status", str_from(hold_status_name(status)));
	jw_key_text(w, "channel", channel_name(b, h));
	jw_key_time(w, "expires_at", h->expires_at);
	jw_key(w, "lines");
	write_lines(w, b, h->lines, h->line_count);
	if (h->shortage.n) {
		jw_key(w, "short");
		jw_raw(w, h->shortage);
	}
}

void hold_write(struct buf *out, const struct hold_book *b, const struct hold *h, enum hold_status status)
{
	struct json_writer w;

	write_open(&w, out, b, h, status);
	jw_object_end(&w);
}

/* One allocation with all that it has; it is on no list yet. */
struct hold *hold_make(struct hold_book *b, const struct hold *from)
{
	size_t lines = from->line_count * sizeof(struct hold_line);
	const struct str texts[] = {from->reservation_id, from->correlation_id, from->orphan_of, from->shortage};
	struct hold *h;
	char *at;

	h = mem_alloc(sizeof(*h) + lines + texts[0].n + texts[1].n + texts[2].n + texts[3].n);
	*h = *from;
	h->lines = (struct hold_line *)(h + 1);
	memcpy(h->lines, from->lines, lines);
	at = (char *)h->lines + lines;
	for (size_t i = 0; i < 4; i++) {
		struct str *to[] = {&h->reservation_id, &h->correlation_id, &h->orphan_of, &h->shortage};

		if (!texts[i].n)
			continue;
		memcpy(at, texts[i].p, texts[i].n);
		*to[i] = (struct str){at, texts[i].n};
		at += texts[i].n;
	}
	if (map_put(&b->holds, h->reservation_id, h) == RC_OK)
		return h;
	free(h);
	return NULL;
}

static void drop(struct hold_book *b, struct hold *h)
{
	heap_remove(b, h);
	hold_quota_count(b, h, -1);
	map_remove(&b->holds, h->reservation_id);
	free(h);
}

uint16_t hold_find_channel(const struct hold_book *b, struct str name)
{
	for (uint16_t i = 0; i < b->tenant->channel_count; i++)
		if (str_eq(b->tenant->channels[i].name, name))
			return i;
	return HOLD_NO_CHANNEL;
}

/* ---- loading ---- */

enum { ROW_SEQ, ROW_STATUS, ROW_CREATED, ROW_EXPIRES, ROW_ORDER, ROW_ID, ROW_CORRELATION, ROW_DATA };

static bool load_line(const struct hold_book *b, const struct json *j, struct hold_line *out)
{
	struct stock_item *item = stock_find(b->stock, json_get_text(j, "sku"));
	const struct config_location *location = config_find_location(b->tenant, json_get_text(j, "location"));
	struct str requested = json_get_text(j, "requested"), kit = json_get_text(j, "kit");

	if (!item || !location || qty_parse(json_get_text(j, "quantity"), &out->quantity, NULL) != RC_OK ||
	    (requested.n && qty_parse(requested, &out->requested, NULL) != RC_OK))
		return false;
	out->kit = kit.n ? stock_find(b->stock, kit) : NULL;
	out->place = stock_place_find(item, location->index, json_get_text(j, "lot"), json_get_text(j, "owner"));
	return out->place;
}

static enum rc load_data(struct hold_book *b, struct arena *a, const struct store_value *row, struct hold *h,
			 struct err *e)
{
	const struct json *lines;
	struct json *data;
	struct str channel;
	enum rc rc = json_parse(a, row[ROW_DATA].bytes, &(struct json_limits){16u << 20, 16, 1u << 20}, &data, e);

	if (rc != RC_OK)
		return rc;
	lines = json_get(data, "lines");
	h->line_count = lines ? lines->count : 0;
	h->lines = arena_array(a, struct hold_line, h->line_count);
	for (size_t i = 0; i < h->line_count; i++)
		if (!h->lines || !load_line(b, &lines->items[i], &h->lines[i]))
			return err_set(e, RC_IO, "store_damaged", "reservation " STR_FMT " is damaged",
				       STR_ARG(h->reservation_id));
	channel = json_get_text(data, "channel");
	h->channel = hold_find_channel(b, channel);
	if (h->channel == HOLD_NO_CHANNEL)
		h->orphan_of = channel;
	if (json_get(data, "short")) {
		struct buf text;
		struct json_writer w;

		buf_init(&text, HOLD_JSON_MAX);
		jw_init(&w, &text);
		jw_value(&w, json_get(data, "short"));
		h->shortage = arena_copy(a, buf_str(&text));
		buf_done(&text);
	}
	return RC_OK;
}

enum rc hold_load(struct hold_book *b, const struct store_value *row, struct err *e)
{
	struct hold from = {.seq = row[ROW_SEQ].integer,
			    .reservation_id = row[ROW_ID].bytes,
			    .correlation_id = row[ROW_CORRELATION].bytes,
			    .created_at = row[ROW_CREATED].integer,
			    .expires_at = row[ROW_EXPIRES].integer};
	struct hold *h;
	struct arena a;
	enum rc rc;

	arena_init(&a, 64u << 20);
	rc = load_data(b, &a, row, &from, e);
	if (rc == RC_OK) {
		h = hold_make(b, &from);
		if (h)
			hold_heap_add(b, h);
		else
			rc = err_set(e, RC_LIMIT, "too_many_reservations",
				     "the limit on reservations (limits.holds) is reached");
	}
	arena_done(&a);
	return rc;
}

/* ---- ending ---- */

static const char *ended_event(enum hold_status status)
{
	switch (status) {
	case HOLD_HELD:
		return "reservation.held";
	case HOLD_COMMITTED:
		return "reservation.committed";
	case HOLD_VOIDED:
		return "reservation.voided";
	case HOLD_EXPIRED:
		return "reservation.expired";
	}
	return "reservation";
}

static void release_rest(struct stock_draft *d, const struct hold *h, struct stock_place *p, qty_t quantity)
{
	if (quantity <= 0)
		return;
	stock_post(d, p, STOCK_HELD, NULL, STOCK_FREE, quantity);
	fence_use(d->stock, p, h->channel, -quantity);
}

/* Its event and row; given: what an order got of it, if that is not all. */
static void end(struct hold_book *b, struct txn *t, struct hold *h, enum hold_status status, struct str order_id,
		const struct hold_line *given, size_t given_count)
{
	struct json_writer w;
	struct buf text;

	buf_init(&text, HOLD_JSON_MAX);
	write_open(&w, &text, b, h, status);
	jw_opt_text(&w, "order_id", order_id);
	if (given) {
		jw_key(&w, "committed");
		write_lines(&w, b, given, given_count);
	}
	jw_object_end(&w);
	txn_event(t, ended_event(status), txn_copy(t, h->reservation_id), 0, txn_text(t, &text));
	buf_done(&text);
	txn_put(t, W_RESERVATION_END, SV_INT(h->seq), SV_INT(status), SV_TEXT_OPT(txn_copy(t, order_id)));
	drop(b, h);
}

void hold_step_commit(struct hold_book *b, struct txn *t, struct hold *h, struct order_open *o)
{
	struct stock_draft d;

	stock_draft_begin(&d, b->stock, t, STR("commit"), t->now);
	d.order_id = o->order_id;
	d.reason = txn_copy(t, h->reservation_id);
	for (size_t i = 0; i < h->line_count; i++) {
		qty_t given = order_give(o, &d, h->lines[i].place, h->lines[i].kit, h->lines[i].quantity);

		release_rest(&d, h, h->lines[i].place, h->lines[i].quantity - given);
	}
	stock_draft_end(&d, false);
	end(b, t, h, HOLD_COMMITTED, o->order_id, NULL, 0);
}

/* ---- commit in part ---- */

struct chosen_part {
	const struct hold_book *book;
	const struct hold *hold;
	struct hold_line *part; /* by the hold's lines: how much is meant */
};

/* Chooses what is held of an item: as a component of kit, or for itself. Returns what is not there. */
static qty_t choose(const struct chosen_part *c, const struct movement_line *l, struct str sku,
		    const struct stock_item *kit, qty_t want)
{
	for (size_t n = 0; n < c->hold->line_count && want > 0; n++) {
		const struct stock_place *p = c->hold->lines[n].place;
		qty_t left = c->hold->lines[n].quantity - c->part[n].quantity;

		if (!str_eq(p->item->sku, sku) || c->hold->lines[n].kit != kit ||
		    (l->location.n && !str_eq(c->book->tenant->locations[p->position.location].name, l->location)))
			continue;
		if (left > want)
			left = want;
		c->part[n].quantity += left;
		want -= left;
	}
	return want;
}

/* Whole kits by their components; else what is held for itself, and then what kits have of it. */
static bool choose_line(const struct chosen_part *c, const struct movement_line *l)
{
	struct stock_item *item = stock_find(c->book->stock, l->sku);
	struct item_component *parts;
	qty_t want = l->quantity;
	size_t count;

	if (!item || !item_is_kit(item)) {
		want = choose(c, l, l->sku, NULL, want);
		for (size_t n = 0; n < c->hold->line_count && want > 0; n++)
			if (c->hold->lines[n].kit)
				want = choose(c, l, l->sku, c->hold->lines[n].kit, want);
		return want <= 0;
	}
	parts = mem_zalloc(ITEM_KIT_PARTS_MAX, sizeof(*parts));
	count = item_parts(item, parts, ITEM_KIT_PARTS_MAX);
	want = count > ITEM_KIT_PARTS_MAX;
	for (size_t i = 0; i < count && i < ITEM_KIT_PARTS_MAX && want <= 0; i++)
		want = choose(c, l, parts[i].item->sku, item, allocate_times(l->quantity, parts[i].quantity));
	free(parts);
	return want <= 0;
}

/* How much of each of the hold's lines is meant. */
static enum rc choose_part(const struct hold_book *b, const struct hold *h, const struct movement_line *lines,
			   size_t line_count, struct hold_line *part, struct err *e)
{
	struct chosen_part c = {b, h, part};

	for (size_t n = 0; n < h->line_count; n++)
		part[n] = (struct hold_line){.place = h->lines[n].place, .kit = h->lines[n].kit};
	for (size_t i = 0; i < line_count; i++) {
		char where[48];

		if (choose_line(&c, &lines[i]))
			continue;
		snprintf(where, sizeof(where), "/lines/%zu/quantity", i);
		return err_set_at(e, RC_CONFLICT, "more_than_held", where,
				  "the reservation does not hold so much of " STR_FMT, STR_ARG(lines[i].sku));
	}
	return RC_OK;
}

/* Lines with nothing left go. */
static size_t keep_lines(struct hold_line *lines, size_t count)
{
	size_t kept = 0;

	for (size_t n = 0; n < count; n++)
		if (lines[n].quantity > 0)
			lines[kept++] = lines[n];
	return kept;
}

/* It goes on with what is left; the row names the event that says what that is. */
static void go_on(struct hold_book *b, struct txn *t, struct hold *h, struct str order_id,
		  const struct hold_line *given, size_t given_count)
{
	struct json_writer w;
	struct buf text;
	int64_t event;

	buf_init(&text, HOLD_JSON_MAX);
	write_open(&w, &text, b, h, HOLD_HELD);
	jw_key_text(&w, "order_id", order_id);
	jw_key(&w, "committed");
	write_lines(&w, b, given, given_count);
	jw_object_end(&w);
	event = txn_event(t, "reservation.committed_in_part", txn_copy(t, h->reservation_id), 0, txn_text(t, &text));
	buf_done(&text);
	txn_put(t, W_RESERVATION_CHANGE, SV_INT(h->seq), SV_INT(event));
}

enum rc hold_step_commit_part(struct hold_book *b, struct txn *t, struct hold *h, struct order_open *o,
			      const struct movement_line *lines, size_t line_count, bool keep_rest, bool *kept,
			      struct err *e)
{
	struct hold_line *part = mem_zalloc(h->line_count, sizeof(*part));
	enum rc rc = choose_part(b, h, lines, line_count, part, e);
	size_t given;
	struct stock_draft d;

	*kept = false;
	if (rc != RC_OK)
		goto done;
	stock_draft_begin(&d, b->stock, t, STR("commit"), t->now);
	d.order_id = o->order_id;
	d.reason = txn_copy(t, h->reservation_id);
	hold_quota_count(b, h, -1);
	for (size_t n = 0; n < h->line_count; n++) {
		part[n].quantity =
		    part[n].quantity ? order_give(o, &d, part[n].place, part[n].kit, part[n].quantity) : 0;
		if (!keep_rest)
			release_rest(&d, h, part[n].place, h->lines[n].quantity - part[n].quantity);
		else
			h->lines[n].quantity -= part[n].quantity;
	}
	stock_draft_end(&d, false);
	given = keep_lines(part, h->line_count);
	if (keep_rest)
		h->line_count = keep_lines(h->lines, h->line_count);
	hold_quota_count(b, h, 1);
	*kept = keep_rest && h->line_count > 0;
	if (*kept)
		go_on(b, t, h, o->order_id, part, given);
	else
		end(b, t, h, HOLD_COMMITTED, o->order_id, part, given);
done:
	free(part);
	return rc;
}

void hold_step_end(struct hold_book *b, struct txn *t, struct hold *h, enum hold_status status)
{
	struct stock_draft d;

	stock_draft_begin(&d, b->stock, t, status == HOLD_EXPIRED ? STR("expire") : STR("void"), t->now);
	d.reason = txn_copy(t, h->reservation_id);
	for (size_t i = 0; i < h->line_count; i++)
		release_rest(&d, h, h->lines[i].place, h->lines[i].quantity);
	stock_draft_end(&d, false);
	end(b, t, h, status, STR_NONE, NULL, 0);
}

bool hold_step_expire(struct hold_book *b, struct txn *t, size_t max)
{
	struct txn_cause cause = t->cause;

	for (; max > 0 && hold_next_expiry(b) <= t->now; max--) {
		t->cause.correlation_id = txn_copy(t, b->heap[0]->correlation_id);
		t->cause.source = STR_NONE;
		hold_step_end(b, t, b->heap[0], HOLD_EXPIRED);
	}
	t->cause = cause;
	return hold_next_expiry(b) <= t->now;
}
