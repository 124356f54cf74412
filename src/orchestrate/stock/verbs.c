#include "orchestrate/stock/verbs.h"

#include "orchestrate/order/book.h"

#include <stdio.h>

/* One line of a movement on its way into the ledger. */
struct line_step {
	struct stock_draft *draft;
	struct stock *stock;
	struct txn *txn;
	const struct movement *movement;
	const struct movement_line *line;
	struct stock_item *item;
	struct stock_place *place;
	struct order_open *order; /* the movement's, or NULL */
};

/* Moves at most `quantity` out of a state, as far as there is any; returns what is left to find elsewhere. */
static qty_t take(struct line_step *l, enum stock_state from, enum stock_state to, qty_t quantity)
{
	qty_t there = l->place->position.states[from];
	qty_t part = there < quantity ? there : quantity;

	if (part <= 0)
		return quantity;
	stock_post(l->draft, l->place, from, NULL, to, part);
	return quantity - part;
}

/* A fact that the books cannot explain: it is applied all the same and somebody is told. */
static void report_drift(struct line_step *l, const char *kind, const char *what)
{
	char quantity[DECIMAL_TEXT_MAX];
	char *detail;

	qty_format(l->place->position.states[STOCK_FREE], quantity);
	detail = arena_printf(l->txn->arena, "%s of " STR_FMT " at " STR_FMT ": free is now %s. %s",
			      movement_type_name(l->movement->type), STR_ARG(l->line->sku), STR_ARG(l->line->location),
			      quantity, what);
	txn_exception(l->txn, kind, l->item->sku, l->movement->order_id, str_from(detail));
}

static void take_free(struct line_step *l, enum stock_state to, qty_t quantity)
{
	qty_t before = l->place->position.states[STOCK_FREE];

	if (quantity <= 0)
		return;
	stock_post(l->draft, l->place, STOCK_FREE, NULL, to, quantity);
	if (before < quantity)
		report_drift(l, "stock_negative", "More left than the books had: count this place.");
}

static void step_receive(struct line_step *l)
{
	qty_t left = l->line->quantity;

	if (l->movement->purchase_order_id.n) {
		left = take(l, STOCK_IN_TRANSIT, STOCK_FREE, left);
		left = take(l, STOCK_ON_ORDER, STOCK_FREE, left);
	}
	if (left > 0)
		stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, STOCK_FREE, left);
}

static void step_adjust(struct line_step *l)
{
	if (l->line->quantity > 0)
		stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, STOCK_FREE, l->line->quantity);
	else
		take_free(l, STOCK_OUTSIDE, -l->line->quantity);
}

static void step_pick(struct line_step *l)
{
	qty_t left = l->line->quantity;

	if (l->order)
		left -= order_take(l->order, l->draft, l->item, l->place->position.location, l->line->order_line_id,
				   STOCK_PICKED, left);
	take_free(l, STOCK_PICKED, left);
}

static void step_ship(struct line_step *l)
{
	qty_t left = l->line->quantity, loose;

	if (l->order)
		left -= order_take(l->order, l->draft, l->item, l->place->position.location, l->line->order_line_id,
				   STOCK_OUTSIDE, left);
	loose = l->place->position.states[STOCK_PICKED] - l->place->order_picked;
	if (loose > left)
		loose = left;
	if (loose > 0) {
		stock_post(l->draft, l->place, STOCK_PICKED, NULL, STOCK_OUTSIDE, loose);
		left -= loose;
	}
	take_free(l, STOCK_OUTSIDE, left);
}

static void step_move(struct line_step *l, uint16_t to_location)
{
	struct stock_place *to =
	    stock_place_make(l->stock, l->item, to_location, l->place->position.lot, l->place->position.owner);
	qty_t before = l->place->position.states[STOCK_FREE];

	if (to == l->place)
		return;
	stock_post(l->draft, l->place, STOCK_FREE, to, STOCK_FREE, l->line->quantity);
	if (before < l->line->quantity)
		report_drift(l, "stock_negative", "More left than the books had: count this place.");
}

/* What was on hand at the instant of a count: what is there now without the changes that happened after it. */
static qty_t on_hand_at(const struct stock_place *p, int64_t instant, bool *known)
{
	qty_t on_hand = stock_on_hand(p);
	uint32_t kept = p->recent_count < STOCK_RECENTS ? p->recent_count : STOCK_RECENTS;
	int64_t oldest = INT64_MAX;

	for (uint32_t i = 0; i < kept; i++) {
		if (p->recents[i].occurred_at > instant)
			on_hand -= p->recents[i].delta;
		if (p->recents[i].occurred_at < oldest)
			oldest = p->recents[i].occurred_at;
	}
	*known = p->recent_count <= STOCK_RECENTS || oldest <= instant;
	return on_hand;
}

static void step_count(struct line_step *l)
{
	bool known = true;
	qty_t difference = l->line->quantity - on_hand_at(l->place, l->movement->occurred_at, &known);

	if (!known)
		report_drift(l, "count_too_old",
			     "The count is older than the changes that are remembered: it may be wrong, count again.");
	if (difference > 0)
		stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, STOCK_FREE, difference);
	else if (difference < 0)
		take_free(l, STOCK_OUTSIDE, -difference);
}

static void step_scrap(struct line_step *l)
{
	qty_t left = take(l, STOCK_QUARANTINED, STOCK_OUTSIDE, l->line->quantity);

	left = take(l, STOCK_DAMAGED, STOCK_OUTSIDE, left);
	take_free(l, STOCK_OUTSIDE, left);
}

static void step_clear(struct line_step *l)
{
	qty_t left = take(l, STOCK_QUARANTINED, STOCK_FREE, l->line->quantity);

	left = take(l, STOCK_DAMAGED, STOCK_FREE, left);
	if (left > 0) {
		stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, STOCK_FREE, left);
		report_drift(l, "stock_drift", "More was cleared than was in quarantine: count this place.");
	}
}

static void step_return(struct line_step *l)
{
	stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, STOCK_RETURNING, l->line->quantity);
	stock_post(l->draft, l->place, STOCK_RETURNING, NULL, STOCK_QUARANTINED, l->line->quantity);
}

static void step_announce(struct line_step *l)
{
	qty_t left = take(l, STOCK_ON_ORDER, STOCK_IN_TRANSIT, l->line->quantity);

	if (left > 0)
		stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, STOCK_IN_TRANSIT, left);
}

static void step_line(struct line_step *l, uint16_t to_location)
{
	switch (l->movement->type) {
	case MOVE_RECEIVE:
		step_receive(l);
		return;
	case MOVE_ADJUST:
		step_adjust(l);
		return;
	case MOVE_PICK:
		step_pick(l);
		return;
	case MOVE_SHIP:
		step_ship(l);
		return;
	case MOVE_MOVE:
		step_move(l, to_location);
		return;
	case MOVE_COUNT:
		step_count(l);
		return;
	case MOVE_QUARANTINE:
		take_free(l, STOCK_QUARANTINED, l->line->quantity);
		return;
	case MOVE_CLEAR:
		step_clear(l);
		return;
	case MOVE_SCRAP:
		step_scrap(l);
		return;
	case MOVE_RETURN:
		step_return(l);
		return;
	case MOVE_ORDER_IN:
		stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, STOCK_ON_ORDER, l->line->quantity);
		return;
	case MOVE_ANNOUNCE:
		step_announce(l);
		return;
	}
}

/* Everything that could refuse the movement, before anything is changed. */
static enum rc check_lines(const struct stock *s, const struct movement *m, struct err *e)
{
	for (size_t i = 0; i < m->line_count; i++) {
		const struct movement_line *l = &m->lines[i];
		char where[48];

		snprintf(where, sizeof(where), "/lines/%zu/location", i);
		if (!config_find_location(s->tenant, l->location))
			return err_set_at(e, RC_INVALID, "unknown_location", where, "there is no location " STR_FMT,
					  STR_ARG(l->location));
		snprintf(where, sizeof(where), "/lines/%zu/to_location", i);
		if (m->type == MOVE_MOVE && !config_find_location(s->tenant, l->to_location))
			return err_set_at(e, RC_INVALID, "unknown_location", where, "there is no location " STR_FMT,
					  STR_ARG(l->to_location));
		if (!stock_find(s, l->sku) && s->items.count + m->line_count >= s->items.max)
			return err_set(e, RC_LIMIT, "too_many_items", "the limit on items (limits.items) is reached");
	}
	return RC_OK;
}

static void write_event(struct stock_draft *d, const struct movement *m)
{
	struct txn *t = d->txn;
	struct json_writer w;
	struct buf data;

	buf_init(&data, 1u << 20);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "movement_id", d->movement_id);
	jw_key_text(&w, "type", str_from(movement_type_name(m->type)));
	jw_key_text(&w, "source", m->source);
	jw_key_text(&w, "source_event_id", m->source_event_id);
	jw_key_time(&w, "occurred_at", m->occurred_at);
	jw_opt_text(&w, "order_id", m->order_id);
	jw_opt_text(&w, "purchase_order_id", m->purchase_order_id);
	jw_opt_text(&w, "reason", m->reason);
	jw_key(&w, "lines");
	jw_array(&w);
	for (size_t i = 0; i < m->line_count; i++) {
		const struct movement_line *l = &m->lines[i];

		jw_object(&w);
		jw_key_text(&w, "sku", l->sku);
		jw_key_text(&w, "location", l->location);
		jw_opt_text(&w, "lot", l->lot);
		jw_opt_text(&w, "to_location", l->to_location);
		jw_key_qty(&w, "quantity", l->quantity);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	struct str json = txn_text(t, &data);
	int64_t event = txn_event(t, "stock.moved", d->movement_id, 0, json);

	buf_done(&data);
	/* The ERP is told of everything but the shipment of an order, which it hears of as a shipment. */
	if (m->type == MOVE_PICK || (m->type == MOVE_SHIP && m->order_id.n))
		return;
	for (size_t i = 0; i < d->stock->tenant->system_count; i++) {
		const struct config_system *s = &d->stock->tenant->systems[i];
		char *params;

		if (!(s->roles & ROLE_ERP) || !s->pack->operations[OP_STOCK_TRANSACTIONS].present ||
		    str_eq(s->name, m->source))
			continue;
		params = arena_printf(t->arena, "{\"items\":[" STR_FMT "]}", STR_ARG(json));
		txn_delivery(t, &(struct txn_delivery){
				    .system = s->name,
				    .system_index = s->index,
				    .operation = OP_STOCK_TRANSACTIONS,
				    .key = STR("stock"),
				    .event = event,
				    .params = str_from(params),
				});
	}
}

enum rc stock_step_movement(struct stock *s, struct order_book *orders, struct txn *t, const struct movement *m,
			    struct movement_result *out, struct err *e)
{
	struct stock_draft d;
	struct line_step l = {.draft = &d, .stock = s, .txn = t, .movement = m};
	enum rc rc = check_lines(s, m, e);

	if (rc != RC_OK)
		return rc;
	stock_draft_begin(&d, s, t, str_from(movement_type_name(m->type)), m->occurred_at);
	d.movement_id = txn_uuid(t);
	d.source = m->source;
	d.source_event_id = m->source_event_id;
	d.order_id = m->order_id;
	d.reason = m->reason;
	l.order = m->order_id.n ? order_find(orders, m->order_id) : NULL;
	for (size_t i = 0; i < m->line_count; i++) {
		const struct config_location *location = config_find_location(s->tenant, m->lines[i].location);
		const struct config_location *to = config_find_location(s->tenant, m->lines[i].to_location);

		l.line = &m->lines[i];
		l.item = stock_item_make(s, t, l.line->sku, l.line->uom);
		l.place = stock_place_make(s, l.item, location->index, l.line->lot, STR_NONE);
		step_line(&l, to ? to->index : 0);
	}
	if (l.order)
		order_changed(orders, l.order);
	write_event(&d, m);
	*out = (struct movement_result){d.movement_id, stock_draft_end(&d, true)};
	return RC_OK;
}
