/*
 * Admitting holds. What is planned is noted at its place (stock_place.planned) and counts as taken for what comes
 * after it in the same command; a hold that is refused takes its own notes back. At the end each place is posted once,
 * so that a thousand holds of one item are one entry of one movement. A strict channel's limit follows from what is
 * posted: there each hold is posted by itself.
 */
#include "orchestrate/stock/hold_internal.h"

#include "base/mem.h"
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/terms.h"

#include <stdio.h>

void hold_draft_begin(struct hold_draft *d, struct hold_book *b, struct txn *t)
{
	*d = (struct hold_draft){.book = b, .txn = t};
	stock_draft_begin(&d->movement, b->stock, t, STR("hold"), t->now);
	buf_init(&d->text, HOLD_JSON_MAX);
}

static void post_planned(struct hold_draft *d)
{
	for (size_t i = 0; i < d->place_count; i++) {
		struct stock_place *p = d->places[i];
		qty_t planned = p->planned;

		p->planned = 0;
		if (planned > 0)
			stock_post(&d->movement, p, STOCK_FREE, NULL, STOCK_HELD, planned);
	}
	d->place_count = 0;
}

void hold_draft_end(struct hold_draft *d)
{
	post_planned(d);
	stock_draft_end(&d->movement, false);
	buf_done(&d->text);
	allocate_list_free(&d->parts);
	free(d->needs);
	free(d->limits);
	free(d->components);
	free(d->plan);
	free(d->places);
}

/* ---- the plan of one hold ---- */

static void plan_add(struct hold_draft *d, struct stock_place *p, qty_t part)
{
	if (p->planned == 0) {
		if (d->place_count == d->place_room) {
			d->place_room = d->place_room ? d->place_room * 2 : 16;
			d->places = mem_grow(d->places, d->place_room * sizeof(struct stock_place *));
		}
		d->places[d->place_count++] = p;
	}
	p->planned += part;
	if (d->plan_count == d->plan_room) {
		d->plan_room = d->plan_room ? d->plan_room * 2 : 16;
		d->plan = mem_grow(d->plan, d->plan_room * sizeof(*d->plan));
	}
	d->plan[d->plan_count++] = (struct hold_line){.place = p, .quantity = part};
}

static void plan_undo(struct hold_draft *d)
{
	for (size_t i = 0; i < d->plan_count; i++)
		d->plan[i].place->planned -= d->plan[i].quantity;
}

static void plan_place(void *ctx, struct stock_place *p, qty_t part)
{
	plan_add(ctx, p, part);
}

static void plan_part(struct hold_draft *d, const struct config_channel *c, const struct hold_request *r,
		      const struct allocate_part *from)
{
	const struct movement_line *l = &r->lines[from->need];
	const struct allocate_need *need = &d->needs[from->need];
	struct stock_item *item = from->item, *kit = need->component_count ? stock_find(d->book->stock, l->sku) : NULL;
	size_t before = d->plan_count;
	qty_t requested = r->partial ? l->quantity : 0;

	for (uint32_t i = 0; requested && i < need->component_count; i++)
		if (need->components[i].item == item)
			requested = allocate_times(l->quantity, need->components[i].per);
	allocate_take(item, from->location, (uint16_t)(c - d->book->tenant->channels), c, from->quantity, plan_place,
		      d);
	for (; before < d->plan_count; before++) {
		d->plan[before].requested = requested;
		d->plan[before].kit = kit;
	}
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

static enum rc read_location(const struct hold_draft *d, const struct config_channel *c, const struct hold_request *r,
			     size_t line, int32_t *out, struct err *e)
{
	struct str name = r->lines[line].location;
	const struct config_location *location = name.n ? config_find_location(d->book->tenant, name) : NULL;
	char where[48];

	*out = location ? location->index : ALLOCATE_ANYWHERE;
	if (!name.n || (location && sells_from(c, location->index)))
		return RC_OK;
	snprintf(where, sizeof(where), "/lines/%zu/location", line);
	return err_set_at(e, RC_INVALID, "unknown_location", where,
			  location ? "the channel does not sell from location " STR_FMT
				   : "there is no location " STR_FMT,
			  STR_ARG(name));
}

/* ---- what the lines need: themselves, or the components of kits ---- */

static enum rc add_kit(struct hold_draft *d, const struct stock_item *kit, size_t line, struct err *e)
{
	struct item_component *parts = mem_zalloc(ITEM_KIT_PARTS_MAX, sizeof(*parts));
	size_t count = item_parts(kit, parts, ITEM_KIT_PARTS_MAX);

	if (count > ITEM_KIT_PARTS_MAX) {
		free(parts);
		return err_set(e, RC_LIMIT, "kit_too_large", "kit " STR_FMT " has too many components",
			       STR_ARG(kit->sku));
	}
	if (d->component_count + count > d->component_room) {
		d->component_room = (d->component_count + count) * 2;
		d->components = mem_grow(d->components, d->component_room * sizeof(*d->components));
	}
	for (size_t i = 0; i < count; i++)
		d->components[d->component_count++] =
		    (struct allocate_component){.item = parts[i].item, .per = parts[i].quantity};
	d->needs[line].component_count = (uint32_t)count;
	free(parts);
	return RC_OK;
}

/* A need for each line. */
static enum rc make_needs(struct hold_draft *d, const struct config_channel *c, const struct hold_request *r,
			  struct err *e)
{
	size_t at = 0;
	enum rc rc = RC_OK;

	if (d->need_room < r->line_count) {
		d->need_room = r->line_count;
		d->needs = mem_grow(d->needs, d->need_room * sizeof(*d->needs));
		d->limits = mem_grow(d->limits, d->need_room * sizeof(*d->limits));
	}
	d->component_count = 0;
	for (size_t i = 0; i < r->line_count && rc == RC_OK; i++) {
		struct stock_item *item = stock_find(d->book->stock, r->lines[i].sku);
		int32_t location;

		rc = read_location(d, c, r, i, &location, e);
		if (rc != RC_OK)
			break;
		d->needs[i] = (struct allocate_need){.item = item, .want = r->lines[i].quantity, .location = location};
		d->limits[i] = QTY_MAX;
		if (item && item_is_kit(item)) {
			d->needs[i].item = NULL;
			rc = add_kit(d, item, i, e);
		}
	}
	for (size_t i = 0; i < r->line_count && rc == RC_OK; i++) {
		d->needs[i].components = d->needs[i].component_count ? &d->components[at] : NULL;
		at += d->needs[i].component_count;
	}
	return rc;
}

/* Of an item, what the needs before this one want. */
static qty_t wanted_before(const struct hold_draft *d, size_t need, const struct stock_item *item)
{
	qty_t wanted = 0;

	for (size_t i = 0; i < need; i++) {
		const struct allocate_need *n = &d->needs[i];

		if (n->item == item)
			wanted += n->want;
		for (uint32_t k = 0; k < n->component_count; k++)
			if (n->components[k].item == item)
				wanted += allocate_times(n->want, n->components[k].per);
	}
	return wanted;
}

static qty_t item_limit(const struct hold_draft *d, const struct config_channel *c, size_t need,
			const struct stock_item *item)
{
	qty_t limit = strict_limit(d->book, c, item) - wanted_before(d, need, item);

	return limit > 0 ? limit : 0;
}

/* A strict channel may have what it may sell of an item, less what the needs before want. One for more than that gets
 * nothing, unless the request takes what there is. */
static void keep_within_limit(struct hold_draft *d, const struct config_channel *c, const struct hold_request *r,
			      size_t need)
{
	struct allocate_need *n = &d->needs[need];
	qty_t limit = n->want;

	if (!c->strict || (!n->item && !n->component_count))
		return;
	if (n->item)
		limit = item_limit(d, c, need, n->item);
	for (uint32_t i = 0; i < n->component_count; i++) {
		qty_t per = n->components[i].per, there = item_limit(d, c, need, n->components[i].item);

		if (there < allocate_times(n->want, per) && there / per * QTY_ONE < limit)
			limit = there / per * QTY_ONE;
	}
	d->limits[need] = limit;
	if (n->want > limit)
		n->want = r->partial ? limit : 0;
}

/* What a line gets, or if it is refused for a limit what it could have. */
static qty_t line_gets(const struct hold_draft *d, const struct hold_request *r, size_t line)
{
	return !r->partial && d->limits[line] < r->lines[line].quantity ? d->limits[line] : d->needs[line].got;
}

/* Plans all lines; writes what is short. RC_OK, RC_CONFLICT, RC_INVALID. */
static enum rc plan_all(struct hold_draft *d, const struct config_channel *c, const struct hold_request *r,
			struct json_writer *w, struct err *e)
{
	struct allocate_request request = {
	    .tenant = d->book->tenant, .channel = c, .ship_to = &r->ship_to, .only = ALLOCATE_ANYWHERE};
	enum rc rc = RC_OK;

	rc = make_needs(d, c, r, e);
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < r->line_count; i++)
		keep_within_limit(d, c, r, i);
	allocate(&request, d->needs, r->line_count, &d->parts);
	for (size_t i = 0; i < d->parts.count; i++)
		plan_part(d, c, r, &d->parts.parts[i]);
	for (size_t i = 0; i < r->line_count; i++) {
		qty_t gets = line_gets(d, r, i);

		if (gets >= r->lines[i].quantity)
			continue;
		write_short(w, &r->lines[i], gets);
		rc = RC_CONFLICT;
	}
	return rc;
}

/* ---- placing ---- */

static enum rc place(struct hold_draft *d, const struct hold_request *r, uint16_t channel, struct str shortage,
		     struct hold_result *out, struct err *e)
{
	const struct config_channel *c = &d->book->tenant->channels[channel];
	struct txn *t = d->txn;
	int64_t seq = t->heads->reservation + 1, event;
	struct hold from = {
	    .seq = seq,
	    .reservation_id = r->reservation_id.n ? r->reservation_id : hold_make_id(t, seq),
	    .correlation_id = t->cause.correlation_id,
	    .channel = channel,
	    .shortage = shortage,
	    .created_at = t->now,
	    .expires_at = t->now + (r->ttl_ms ? r->ttl_ms : c->hold_ttl_ms),
	    .lines = d->plan,
	    .line_count = d->plan_count,
	};
	struct hold *h = hold_make(d->book, &from);
	struct str id = from.reservation_id;

	if (!h)
		return err_set(e, RC_LIMIT, "too_many_reservations",
			       "the limit on reservations (limits.holds) is reached");
	for (size_t i = 0; i < h->line_count; i++)
		fence_use(d->book->stock, h->lines[i].place, channel, h->lines[i].quantity);
	t->heads->reservation = seq;
	hold_heap_add(d->book, h);
	buf_reset(&d->text);
	hold_write(&d->text, d->book, h, HOLD_HELD);
	out->text = txn_text(t, &d->text);
	out->hold = h;
	event = txn_event(t, "reservation.held", id, 0, out->text);
	txn_put(t, W_RESERVATION, SV_INT(seq), SV_INT(event), SV_INT(t->now), SV_INT(h->expires_at));
	/* One hold is named by its movement; several are found by their common correlation id. */
	d->movement.reason = d->held++ == 0 ? id : STR_NONE;
	if (c->strict)
		post_planned(d);
	return RC_OK;
}

enum rc hold_step_place(struct hold_draft *d, const struct hold_request *r, struct hold_result *out, struct err *e)
{
	uint16_t channel = hold_find_channel(d->book, r->channel);
	struct str shortage = STR_NONE;
	struct json_writer w;
	enum rc rc;

	*out = (struct hold_result){0};
	if (channel == HOLD_NO_CHANNEL)
		return err_set_at(e, RC_INVALID, "unknown_channel", "/channel", "there is no channel " STR_FMT,
				  STR_ARG(r->channel));
	d->plan_count = 0;
	buf_reset(&d->text);
	jw_init(&w, &d->text);
	jw_array(&w);
	rc = plan_all(d, &d->book->tenant->channels[channel], r, &w, e);
	jw_array_end(&w);
	if (rc == RC_CONFLICT) {
		shortage = txn_text(d->txn, &d->text);
		if (r->partial && d->plan_count > 0)
			rc = RC_OK;
		else
			err_set(e, RC_CONFLICT, "insufficient_stock", "there is not enough stock for this reservation");
		if (rc != RC_OK)
			out->shortage = shortage;
	}
	if (rc == RC_OK)
		rc = hold_quota_check(d, channel, e);
	if (rc == RC_OK)
		rc = place(d, r, channel, shortage, out, e);
	if (rc != RC_OK)
		plan_undo(d);
	return rc;
}
