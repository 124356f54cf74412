/* Orders and reservations, by the events that tell of them. */
#include "simulate/model_books.h"

#include "base/clock.h"

#include <stdio.h>

void model_take_order(struct model *m, const struct model_event *row, const struct json *data)
{
	struct model_order *o = map_get(&m->by_id, row->subject);
	struct str kind = {row->type.p + 6, row->type.n - 6};

	if (str_is(kind, "captured")) {
		int n = model_number(json_get_text(data, "external_id"), 'o');

		if (n < 0 || n >= m->order_count) {
			model_break(m, "log: nobody has placed the order " STR_FMT,
				    STR_ARG(json_get_text(data, "external_id")));
			return;
		}
		if (m->orders[n].id[0])
			model_break(m, "once: order o%d is captured a second time", n);
		o = &m->orders[n];
		snprintf(o->id, sizeof(o->id), STR_FMT, STR_ARG(row->subject));
		if (map_put(&m->by_id, str_from(o->id), o) != RC_OK)
			model_break(m, "the simulation has more orders than it can hold");
	}
	if (!o) {
		model_break(m, "log: " STR_FMT " of an order that was never captured", STR_ARG(row->type));
		return;
	}
	snprintf(o->kind, sizeof(o->kind), STR_FMT, STR_ARG(kind));
	if (o->cancelled)
		model_break(m, "orders: " STR_FMT " is cancelled, and then " STR_FMT,
			    STR_ARG(json_get_text(data, "external_id")), STR_ARG(kind));
	o->cancelled = o->cancelled || str_is(kind, "cancelled");
	o->accepted = o->accepted || str_is(kind, "accepted");
}

static void check_quota(struct model *m, const struct model_hold *h, int r)
{
	int quota = m->policy.channels[h->channel].quota;

	for (int i = 0; quota && i < MODEL_ITEMS; i++) {
		int held = 0;

		for (int n = 0; n < m->hold_count; n++)
			for (int p = 0; m->holds[n].channel == h->channel && p < MODEL_PLACES; p++)
				held += m->holds[n].held[i][p];
		if (h->wanted[i] > 0 && held > quota)
			model_break(m, "quota: with r%d %s holds %d of %s, it may hold %d", r,
				    model_channels[h->channel], held, model_items[i], quota);
	}
}

static void take_held(struct model *m, struct model_hold *h, int r, const struct json *data)
{
	const struct json *lines = json_get(data, "lines");
	int sums[MODEL_ITEMS] = {0};

	if (h->seen)
		model_break(m, "once: reservation r%d is held a second time", r);
	h->seen = true;
	if (time_parse(json_get_text(data, "expires_at"), &h->expires_at, NULL) != RC_OK)
		model_break(m, "log: reservation r%d has no end", r);
	for (uint32_t i = 0; lines && i < lines->count; i++) {
		int item = model_item(json_get_text(&lines->items[i], "sku"));
		int place = model_place(json_get_text(&lines->items[i], "location"));
		qty_t q = 0;

		if (item < 0 || place < 0 || qty_parse(json_get_text(&lines->items[i], "quantity"), &q, NULL) != RC_OK)
			continue;
		h->held[item][place] += (int)(q / QTY_ONE);
		sums[item] += (int)(q / QTY_ONE);
	}
	for (int i = 0; i < MODEL_ITEMS; i++)
		if (sums[i] != h->wanted[i])
			model_break(m, "reservations: r%d holds %d of %s, its caller asked for %d", r, sums[i],
				    model_items[i], h->wanted[i]);
	check_quota(m, h, r);
	model_check_whole(m, "r", r, h->channel, h->lines, h->line_count, h->held);
}

void model_take_reservation(struct model *m, const struct model_event *row, const struct json *data)
{
	struct str kind = {row->type.p + 12, row->type.n - 12};
	int r = model_number(row->subject, 'r');
	struct model_hold *h;

	if (r < 0 || r >= m->hold_count) {
		model_break(m, "log: nobody has asked for the reservation " STR_FMT, STR_ARG(row->subject));
		return;
	}
	h = &m->holds[r];
	if (str_is(kind, "held")) {
		take_held(m, h, r, data);
		return;
	}
	if (!h->seen || h->ends)
		model_break(m, "once: reservation r%d ends (" STR_FMT "), and %s", r, STR_ARG(kind),
			    h->ends ? "had ended before" : "was never held");
	h->ends++;
	h->committed = str_is(kind, "committed");
	memset(h->held, 0, sizeof(h->held));
}

void model_check_order(struct model *m, int n, int allocated[MODEL_ITEMS])
{
	const struct model_order *o = &m->orders[n];

	for (int i = 0; i < MODEL_ITEMS; i++) {
		int open = o->cancelled ? 0 : o->ordered[i] - o->shipped[i];

		if (o->allocated[i] < 0 || o->allocated[i] > (open > 0 ? open : 0))
			model_break(m, "orders: o%d (%s) has %d of %s allocated, and needs %d", n, o->kind,
				    o->allocated[i], model_items[i], open > 0 ? open : 0);
		allocated[i] += o->allocated[i];
	}
	if (o->moved && !o->blurred && !o->cancelled)
		model_check_whole(m, "o", n, o->channel, o->lines, o->line_count, m->orders[n].has);
	m->orders[n].moved = false;
}

/* The channel and the ERP hear of what was ordered. */
void model_take_shipment(struct model *m, const struct model_event *row, const struct json *data)
{
	struct model_order *o = map_get(&m->by_id, row->subject);
	const struct json *lines = json_get(data, "lines");

	for (uint32_t i = 0; o && lines && i < lines->count; i++) {
		int product = model_product(json_get_text(&lines->items[i], "sku"));
		qty_t q = 0;

		if (product < 0 || qty_parse(json_get_text(&lines->items[i], "quantity"), &q, NULL) != RC_OK) {
			model_break(m, "log: a shipment of nothing");
			return;
		}
		o->told[product] += (int)(q / QTY_ONE);
	}
}
