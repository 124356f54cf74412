#include "orchestrate/stock/hold.h"

#include "base/mem.h"

#include <stdio.h>

#define HOLD_JSON_MAX (1u << 20)

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
	return b;
}

static void free_hold(struct hold *h)
{
	free((char *)h->reservation_id.p);
	free((char *)h->correlation_id.p);
	free((char *)h->orphan_of.p);
	free(h->lines);
	free(h);
}

void hold_book_free(struct hold_book *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->heap_count; i++)
		free_hold(b->heap[i]);
	free(b->heap);
	map_done(&b->holds);
	free(b);
}

struct hold *hold_find(const struct hold_book *b, struct str reservation_id)
{
	return map_get(&b->holds, reservation_id);
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

static void heap_add(struct hold_book *b, struct hold *h)
{
	if (b->heap_count == b->heap_room) {
		b->heap_room = b->heap_room ? b->heap_room * 2 : 64;
		b->heap = mem_grow(b->heap, b->heap_room * sizeof(struct hold *));
	}
	heap_up(b, b->heap_count++, h);
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

/* ---- rows and events ---- */

static struct str channel_name(const struct hold_book *b, const struct hold *h)
{
	return h->channel == HOLD_NO_CHANNEL ? h->orphan_of : b->tenant->channels[h->channel].name;
}

static void write_lines(struct json_writer *w, const struct hold_book *b, const struct hold *h)
{
	jw_array(w);
	for (size_t i = 0; i < h->line_count; i++) {
		const struct stock_place *p = h->lines[i].place;

		jw_object(w);
		jw_key_text(w, "sku", p->item->sku);
		jw_key_qty(w, "quantity", h->lines[i].quantity);
		jw_key_text(w, "location", b->tenant->locations[p->position.location].name);
		jw_opt_text(w, "lot", p->position.lot);
		jw_object_end(w);
	}
	jw_array_end(w);
}

void hold_write(struct buf *out, const struct hold_book *b, const struct hold *h, enum hold_status status)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w);
	jw_key_text(&w, "reservation_id", h->reservation_id);
	jw_key_text(&w, "status", str_from(hold_status_name(status)));
	jw_key_text(&w, "channel", channel_name(b, h));
	jw_key_time(&w, "expires_at", h->expires_at);
	jw_key(&w, "lines");
	write_lines(&w, b, h);
	jw_object_end(&w);
}

static void write_effects(struct hold_book *b, struct txn *t, const struct hold *h, enum hold_status status,
			  struct str order_id)
{
	char *type = arena_printf(t->arena, "reservation.%s", hold_status_name(status));
	struct str id = txn_copy(t, h->reservation_id);
	struct json_writer w;
	struct buf text;

	buf_init(&text, HOLD_JSON_MAX);
	jw_init(&w, &text);
	write_lines(&w, b, h);
	txn_put(t, W_RESERVATION, SV_TEXT(id), SV_INT(status), SV_TEXT(txn_copy(t, channel_name(b, h))),
		SV_INT(h->created_at), SV_INT(h->expires_at), SV_TEXT_OPT(order_id),
		SV_TEXT(txn_copy(t, h->correlation_id)), SV_INT((int64_t)h->fingerprint), SV_TEXT(txn_text(t, &text)));
	buf_reset(&text);
	hold_write(&text, b, h, status);
	txn_event(t, type ? type : "reservation", id, 0, txn_text(t, &text));
	buf_done(&text);
}

static struct hold *make(struct hold_book *b, struct str id, struct str correlation_id, size_t lines)
{
	struct hold *h = mem_zalloc(1, sizeof(*h));

	h->reservation_id = mem_copy(id);
	h->correlation_id = mem_copy(correlation_id);
	h->lines = mem_zalloc(lines, sizeof(*h->lines));
	if (map_put(&b->holds, h->reservation_id, h) != RC_OK) {
		free_hold(h);
		return NULL;
	}
	return h;
}

static void drop(struct hold_book *b, struct hold *h)
{
	heap_remove(b, h);
	map_remove(&b->holds, h->reservation_id);
	free_hold(h);
}

static uint16_t find_channel(const struct hold_book *b, struct str name)
{
	for (uint16_t i = 0; i < b->tenant->channel_count; i++)
		if (str_eq(b->tenant->channels[i].name, name))
			return i;
	return HOLD_NO_CHANNEL;
}

enum rc hold_load(struct hold_book *b, const struct store_value *row, struct err *e)
{
	struct arena a;
	struct json *lines;
	struct hold *h;
	enum rc rc;

	arena_init(&a, 16u << 20);
	rc = json_parse(&a, row[8].bytes, &JSON_LIMITS_DEFAULT, &lines, e);
	if (rc != RC_OK)
		goto done;
	h = make(b, row[0].bytes, row[6].bytes, lines->count);
	if (!h) {
		rc = err_set(e, RC_LIMIT, "too_many_reservations",
			     "the limit on reservations (limits.holds) is reached");
		goto done;
	}
	for (uint32_t i = 0; i < lines->count; i++) {
		const struct json *j = &lines->items[i];
		struct stock_item *item = stock_find(b->stock, json_get_text(j, "sku"));
		const struct config_location *location = config_find_location(b->tenant, json_get_text(j, "location"));

		if (!item || !location ||
		    qty_parse(json_get_text(j, "quantity"), &h->lines[i].quantity, NULL) != RC_OK ||
		    !(h->lines[i].place = stock_place_find(item, location->index, json_get_text(j, "lot"), STR_NONE)))
			rc = err_set(e, RC_IO, "store_damaged", "reservation " STR_FMT " is damaged",
				     STR_ARG(row[0].bytes));
	}
	h->line_count = lines->count;
	h->channel = find_channel(b, row[2].bytes);
	if (h->channel == HOLD_NO_CHANNEL)
		h->orphan_of = mem_copy(row[2].bytes);
	h->created_at = row[3].integer;
	h->expires_at = row[4].integer;
	h->fingerprint = (uint64_t)row[7].integer;
	heap_add(b, h);
done:
	arena_done(&a);
	return rc;
}

/* ---- placing ---- */

struct plan {
	struct hold_line *lines;
	size_t count, room;
};

static qty_t plan_place(struct plan *plan, struct stock_place *p, qty_t want)
{
	qty_t part = p->position.states[STOCK_FREE] - p->planned;

	if (part <= 0 || want <= 0)
		return want;
	if (part > want)
		part = want;
	p->planned += part;
	if (plan->count == plan->room) {
		plan->room = plan->room ? plan->room * 2 : 16;
		plan->lines = mem_grow(plan->lines, plan->room * sizeof(*plan->lines));
	}
	plan->lines[plan->count++] = (struct hold_line){p, part};
	return want - part;
}

/* Free at a location and not yet planned, over its lots: what one lot owes, another has not. */
static qty_t unplanned_at(const struct stock_item *i, uint16_t location)
{
	qty_t free = stock_free_at(i, location);

	for (uint32_t n = 0; n < i->place_count; n++)
		if (i->places[n]->position.location == location && stock_is_ours(&i->places[n]->position))
			free -= i->places[n]->planned;
	return free > 0 ? free : 0;
}

static qty_t plan_location(struct plan *plan, struct stock_item *item, uint16_t location, qty_t want)
{
	qty_t there = unplanned_at(item, location), part = want < there ? want : there, rest = want - part;

	for (uint32_t n = 0; n < item->place_count && part > 0; n++)
		if (item->places[n]->position.location == location && stock_is_ours(&item->places[n]->position))
			part = plan_place(plan, item->places[n], part);
	return rest + part;
}

/* Where it fits whole, else split in the channel's order of preference. Returns what is short. */
static qty_t plan_line(struct plan *plan, const struct config_channel *c, struct stock_item *item, qty_t want)
{
	for (size_t i = 0; i < c->location_count && want > 0; i++)
		if (unplanned_at(item, c->locations[i]) >= want)
			want = plan_location(plan, item, c->locations[i], want);
	for (size_t i = 0; i < c->location_count && want > 0; i++)
		want = plan_location(plan, item, c->locations[i], want);
	return want;
}

/* What a strict channel may still hold of an item. */
static qty_t strict_limit(const struct hold_book *b, const struct config_channel *c, const struct stock_item *item)
{
	qty_t planned = 0, available = stock_available(b->stock, item, c);

	for (uint32_t n = 0; n < item->place_count; n++)
		planned += item->places[n]->planned;
	return available > planned ? available - planned : 0;
}

static void write_short(struct json_writer *w, const struct movement_line *l, qty_t available)
{
	jw_object(w);
	jw_key_text(w, "sku", l->sku);
	jw_opt_text(w, "location", l->location);
	jw_key_qty(w, "requested", l->quantity);
	jw_key_qty(w, "available", available);
	jw_object_end(w);
}

static bool sells_from(const struct config_channel *c, uint16_t location)
{
	for (size_t i = 0; i < c->location_count; i++)
		if (c->locations[i] == location)
			return true;
	return false;
}

/* Plans all lines; writes what is short. RC_OK, RC_CONFLICT, RC_INVALID. */
static enum rc plan_all(struct hold_book *b, const struct config_channel *c, const struct hold_request *r,
			struct plan *plan, struct json_writer *w, struct err *e)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < r->line_count; i++) {
		const struct movement_line *l = &r->lines[i];
		struct stock_item *item = stock_find(b->stock, l->sku);
		qty_t left = l->quantity, limit = QTY_MAX;
		const struct config_location *location = config_find_location(b->tenant, l->location);

		if (l->location.n && (!location || !sells_from(c, location->index))) {
			char where[48];

			snprintf(where, sizeof(where), "/lines/%zu/location", i);
			return err_set_at(e, RC_INVALID, "unknown_location", where,
					  location ? "the channel does not sell from location " STR_FMT
						   : "there is no location " STR_FMT,
					  STR_ARG(l->location));
		}
		if (item && c->strict)
			limit = strict_limit(b, c, item);
		if (item && left <= limit)
			left = location ? plan_location(plan, item, location->index, left)
					: plan_line(plan, c, item, left);
		if (left > 0) {
			qty_t there = l->quantity - left;

			write_short(w, l, item && c->strict && limit < l->quantity ? limit : there);
			rc = RC_CONFLICT;
		}
	}
	return rc;
}

enum rc hold_step_place(struct hold_book *b, struct txn *t, const struct hold_request *r, uint64_t fingerprint,
			struct hold **out, struct str *shortage, struct err *e)
{
	const struct config_channel *c = NULL;
	struct plan plan = {0};
	struct stock_draft d;
	struct json_writer w;
	struct buf lacking;
	struct hold *h = NULL;
	uint16_t channel = find_channel(b, r->channel);
	enum rc rc;

	if (channel == HOLD_NO_CHANNEL)
		return err_set_at(e, RC_INVALID, "unknown_channel", "/channel", "there is no channel " STR_FMT,
				  STR_ARG(r->channel));
	c = &b->tenant->channels[channel];
	buf_init(&lacking, HOLD_JSON_MAX);
	jw_init(&w, &lacking);
	jw_array(&w);
	rc = plan_all(b, c, r, &plan, &w, e);
	jw_array_end(&w);
	for (size_t i = 0; i < plan.count; i++)
		plan.lines[i].place->planned = 0;
	if (rc == RC_CONFLICT) {
		*shortage = txn_text(t, &lacking);
		err_set(e, RC_CONFLICT, "insufficient_stock", "there is not enough stock for this reservation");
	}
	if (rc != RC_OK)
		goto done;
	h = make(b, r->reservation_id.n ? r->reservation_id : txn_uuid(t), t->cause.correlation_id, plan.count);
	if (!h) {
		rc = err_set(e, RC_LIMIT, "too_many_reservations",
			     "the limit on reservations (limits.holds) is reached");
		goto done;
	}
	h->channel = channel;
	h->created_at = t->now;
	h->expires_at = t->now + (r->ttl_ms ? r->ttl_ms : c->hold_ttl_ms);
	h->fingerprint = fingerprint;
	stock_draft_begin(&d, b->stock, t, STR("hold"), t->now);
	d.reason = txn_copy(t, h->reservation_id);
	for (size_t i = 0; i < plan.count; i++) {
		h->lines[i] = plan.lines[i];
		stock_post(&d, plan.lines[i].place, STOCK_FREE, NULL, STOCK_HELD, plan.lines[i].quantity);
	}
	h->line_count = plan.count;
	stock_draft_end(&d, false);
	heap_add(b, h);
	write_effects(b, t, h, HOLD_HELD, STR_NONE);
	*out = h;
done:
	buf_done(&lacking);
	free(plan.lines);
	return rc;
}

/* ---- ending ---- */

static void release_rest(struct stock_draft *d, struct stock_place *p, qty_t quantity)
{
	if (quantity > 0)
		stock_post(d, p, STOCK_HELD, NULL, STOCK_FREE, quantity);
}

void hold_step_commit(struct hold_book *b, struct txn *t, struct hold *h, struct order_open *o)
{
	struct stock_draft d;

	stock_draft_begin(&d, b->stock, t, STR("commit"), t->now);
	d.order_id = o->order_id;
	d.reason = txn_copy(t, h->reservation_id);
	for (size_t i = 0; i < h->line_count; i++) {
		qty_t given = order_give(o, &d, h->lines[i].place, h->lines[i].quantity);

		release_rest(&d, h->lines[i].place, h->lines[i].quantity - given);
	}
	stock_draft_end(&d, false);
	write_effects(b, t, h, HOLD_COMMITTED, o->order_id);
	drop(b, h);
}

void hold_step_end(struct hold_book *b, struct txn *t, struct hold *h, enum hold_status status)
{
	struct stock_draft d;

	stock_draft_begin(&d, b->stock, t, status == HOLD_EXPIRED ? STR("expire") : STR("void"), t->now);
	d.reason = txn_copy(t, h->reservation_id);
	for (size_t i = 0; i < h->line_count; i++)
		release_rest(&d, h->lines[i].place, h->lines[i].quantity);
	stock_draft_end(&d, false);
	write_effects(b, t, h, status, STR_NONE);
	drop(b, h);
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
