/* Orders, by the events that tell of them. */
#include "simulate/model_books.h"

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

/* Whose it was. */
static void take_settled(struct model_order *o, const struct json *data)
{
	int told[MODEL_OWNERS][MODEL_ITEMS];

	model_read_consigned(json_get(data, "consigned"), told);
	for (int n = 0; n < MODEL_OWNERS; n++)
		for (int i = 0; i < MODEL_ITEMS; i++)
			o->settled[n][i] += told[n][i];
}

/* The channel and the ERP hear of what was ordered. */
void model_take_shipment(struct model *m, const struct model_event *row, const struct json *data)
{
	struct model_order *o = map_get(&m->by_id, row->subject);
	const struct json *lines = json_get(data, "lines");

	if (o)
		take_settled(o, data);
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
