/* The steps of order-to-cash from the warehouse on: shipping, and stock that comes later. */
#include "orchestrate/order/steps.h"

#include "orchestrate/stock/terms.h"

/* ---- shipping ---- */

static qty_t take_from(struct order_line_open *l, struct stock_draft *d, struct allocation *a, enum stock_state to,
		       qty_t quantity)
{
	qty_t left = quantity, part;

	if (to == STOCK_OUTSIDE && a->picked > 0) {
		part = a->picked < left ? a->picked : left;
		stock_post(d, a->place, STOCK_PICKED, NULL, to, part);
		a->picked -= part;
		a->place->order_picked -= part;
		left -= part;
	}
	if (a->allocated > 0 && left > 0) {
		part = a->allocated < left ? a->allocated : left;
		stock_post(d, a->place, STOCK_ALLOCATED, NULL, to, part);
		a->allocated -= part;
		left -= part;
		if (to == STOCK_PICKED) {
			a->picked += part;
			a->place->order_picked += part;
		}
	}
	part = quantity - left;
	if (to == STOCK_OUTSIDE) {
		a->released = a->released > part ? a->released - part : 0;
		l->shipped += part;
	}
	return part;
}

static bool line_matches(const struct order_line_open *l, const struct stock_item *item, struct str line_id)
{
	return l->item == item && (line_id.n == 0 || str_eq(l->line_id, line_id));
}

/* What was shipped beyond the allocation at that place still counts for the order's lines. */
static void count_shipped(struct order_open *o, const struct stock_item *item, struct str line_id, qty_t left)
{
	for (uint32_t i = 0; i < o->line_count && left > 0; i++) {
		struct order_line_open *l = &o->lines[i];
		qty_t part = l->ordered - l->shipped - l->cancelled;

		if (!line_matches(l, item, line_id) || part <= 0)
			continue;
		part = part < left ? part : left;
		l->shipped += part;
		left -= part;
	}
}

qty_t order_take(struct order_open *o, struct stock_draft *d, struct stock_item *item, uint16_t location,
		 struct str line_id, enum stock_state to, qty_t quantity)
{
	qty_t left = quantity;

	for (uint32_t i = 0; i < o->line_count && left > 0; i++) {
		struct order_line_open *l = &o->lines[i];

		if (!line_matches(l, item, line_id))
			continue;
		for (uint32_t n = 0; n < l->allocation_count && left > 0; n++)
			if (l->allocations[n].place->position.location == location)
				left -= take_from(l, d, &l->allocations[n], to, left);
	}
	if (to == STOCK_OUTSIDE)
		count_shipped(o, item, line_id, left);
	return quantity - left;
}

/* What was picked for a line that does not need it any more. */
static void unpick_line(struct stock_draft *d, struct order_line_open *l)
{
	for (uint32_t i = 0; i < l->allocation_count; i++) {
		struct allocation *a = &l->allocations[i];

		if (a->picked <= 0)
			continue;
		stock_post(d, a->place, STOCK_PICKED, NULL, STOCK_FREE, a->picked);
		fence_use(d->stock, a->place, l->order->channel, -a->picked);
		a->place->order_picked -= a->picked;
		a->picked = 0;
		a->released = 0;
	}
}

/* Lines that are complete give back what is still allocated or picked elsewhere, and wait for nothing. True: all are
 * complete. */
static bool settle_lines(struct order_book *b, struct txn *t, struct order_open *o)
{
	struct stock_draft d;
	bool complete = true;

	stock_draft_begin(&d, b->stock, t, STR("deallocate"), t->now);
	d.order_id = o->order_id;
	for (uint32_t i = 0; i < o->line_count; i++) {
		struct order_line_open *l = &o->lines[i];
		qty_t open = l->ordered - l->shipped - l->cancelled, missing;

		if (open <= 0) {
			order_deallocate_line(&d, l);
			unpick_line(&d, l);
		}
		missing = order_open_quantity(l);
		if (l->backordered > missing)
			l->backordered = missing > 0 ? missing : 0;
		if (l->backordered == 0)
			order_unwait(l);
		complete = complete && open <= 0;
	}
	stock_draft_end(&d, false);
	return complete;
}

/* A shipment may overtake the warehouse's answer to the request for it: that it was released is told all the same. */
static void note_release(struct order_book *b, struct txn *t, struct order_open *o)
{
	for (size_t i = 0; i < b->tenant->system_count && o->status == ORDER_ACCEPTED; i++)
		if (system_can(&b->tenant->systems[i], ROLE_WAREHOUSE, OP_SHIPMENT_REQUEST))
			order_step_released(b, t, o);
}

void order_step_shipped(struct order_book *b, struct txn *t, struct order_open *o, struct str shipment_id,
			int64_t document, struct str lines)
{
	bool complete = settle_lines(b, t, o);
	struct json_writer w;
	struct buf data;
	struct str params;
	int64_t event;

	note_release(b, t, o);
	order_changed(b, o);
	if (complete || o->status != ORDER_PARTIALLY_SHIPPED)
		order_set_status(b, t, o, complete ? ORDER_SHIPPED : ORDER_PARTIALLY_SHIPPED, STR_NONE);
	order_data_begin(&data, &w, b, o);
	jw_key_text(&w, "shipment_id", shipment_id);
	jw_key_text(&w, "status", str_from(order_status_name(o->status)));
	jw_key_time(&w, "shipped_at", t->now);
	jw_key(&w, "lines");
	jw_raw(&w, lines);
	params = order_data_end(&data, &w, t);
	event = txn_event(t, "shipment.created", o->order_id, document, params);
	for (size_t i = 0; i < b->tenant->system_count; i++) {
		const struct config_system *s = &b->tenant->systems[i];
		bool channel = s->index == b->tenant->channels[o->channel].system;

		if ((channel && system_can(s, ROLE_CHANNEL, OP_SHIPMENT)) || system_can(s, ROLE_ERP, OP_SHIPMENT))
			order_deliver(t, o, s, OP_SHIPMENT, event, document, DELIVERY_PARAMS_EVENT);
	}
}

/* ---- stock that comes later ---- */

qty_t order_give(struct order_open *o, struct stock_draft *d, struct stock_place *p, qty_t quantity)
{
	qty_t left = quantity;

	for (uint32_t i = 0; i < o->line_count && left > 0; i++) {
		struct order_line_open *l = &o->lines[i];
		qty_t part = order_open_quantity(l);

		if (l->item != p->item || part <= 0)
			continue;
		part = part < left ? part : left;
		stock_post(d, p, STOCK_HELD, NULL, STOCK_ALLOCATED, part);
		order_allocation(l, p)->allocated += part;
		l->backordered = l->backordered > part ? l->backordered - part : 0;
		if (l->backordered == 0)
			order_unwait(l);
		left -= part;
	}
	return quantity - left;
}

void order_step_given(struct order_book *b, struct txn *t, struct order_open *o)
{
	bool whole = true;

	order_changed(b, o);
	for (uint32_t i = 0; i < o->line_count; i++)
		whole = whole && o->lines[i].backordered == 0;
	if (o->status == ORDER_BACKORDERED && whole)
		order_set_status(b, t, o, ORDER_RESERVED, STR_NONE);
	if (o->posted)
		order_release(b, t, o);
}

static bool channel_sells_at(const struct config_channel *c, uint16_t location)
{
	for (size_t i = 0; i < c->location_count; i++)
		if (c->locations[i] == location)
			return true;
	return false;
}

static bool any_free(const struct stock_item *item, const struct config_channel *c)
{
	for (uint32_t i = 0; i < item->place_count; i++)
		if (item->places[i]->position.states[STOCK_FREE] > 0 && stock_is_ours(&item->places[i]->position) &&
		    channel_sells_at(c, item->places[i]->position.location))
			return true;
	return false;
}

static void restock_item(struct order_book *b, struct txn *t, struct stock_item *item)
{
	struct order_line_open *l = item->waiting, *next;

	for (; l; l = next) {
		const struct config_channel *c = &b->tenant->channels[l->order->channel];
		struct stock_draft d;

		next = l->next_waiting;
		if (l->order->status == ORDER_ON_HOLD || !any_free(item, c))
			continue;
		t->cause.correlation_id = l->order->correlation_id;
		stock_draft_begin(&d, b->stock, t, STR("allocate"), t->now);
		d.order_id = l->order->order_id;
		order_allocate_line(b, &d, l);
		if (stock_draft_end(&d, false))
			order_step_given(b, t, l->order);
	}
}

/* Orders on hold for an unknown item go on when the item has become known. */
static void resume_held(struct order_book *b, struct txn *t)
{
	struct order_open *o, *next;

	if (b->items_seen == b->stock->items.count)
		return;
	b->items_seen = b->stock->items.count;
	for (o = b->held.first; o; o = next) {
		bool known = true;

		next = o->next_held;
		for (uint32_t i = 0; i < o->line_count; i++) {
			o->lines[i].item = stock_find(b->stock, o->lines[i].sku);
			known = known && o->lines[i].item;
		}
		if (!known)
			continue;
		order_unhold(b, o);
		t->cause.correlation_id = o->correlation_id;
		order_decide(b, t, o);
	}
}

void order_step_restock(struct order_book *b, struct txn *t)
{
	struct txn_cause cause = t->cause;

	resume_held(b, t);
	while (b->stock->restocked) {
		struct stock_item *i = b->stock->restocked;

		b->stock->restocked = i->next_restocked;
		i->restocked = false;
		restock_item(b, t, i);
	}
	t->cause = cause;
}
