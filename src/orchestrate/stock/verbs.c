#include "orchestrate/stock/verbs.h"

#include "orchestrate/order/book.h"
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/past.h"
#include "orchestrate/stock/serial.h"
#include "orchestrate/stock/terms.h"
#include "orchestrate/stock/verbs_internal.h"

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
	bool judged;              /* out: a count that was not stale */
};

/* What the books cannot explain: somebody is told, and it is counted. */
static void report_drift(struct line_step *l, const char *kind, qty_t quantity, const char *what)
{
	char now[DECIMAL_TEXT_MAX];
	struct json_writer w;
	struct buf data;
	char *detail;

	qty_format(l->place->position.states[STOCK_FREE], now);
	detail = arena_printf(l->txn->arena, "%s of " STR_FMT " at " STR_FMT ": free is now %s. %s",
			      movement_type_name(l->movement->type), STR_ARG(l->line->sku), STR_ARG(l->line->location),
			      now, what);
	buf_init(&data, 64u << 10);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "kind", str_from(kind));
	jw_key_text(&w, "sku", l->item->sku);
	jw_key_text(&w, "location", l->line->location);
	jw_opt_text(&w, "lot", l->line->lot);
	jw_opt_text(&w, "owner", l->line->owner);
	jw_key_qty(&w, "quantity", quantity);
	jw_key_text(&w, "movement_id", l->draft->movement_id);
	jw_key_text(&w, "movement_type", str_from(movement_type_name(l->movement->type)));
	jw_key_time(&w, "occurred_at", l->movement->occurred_at);
	jw_opt_text(&w, "order_id", l->movement->order_id);
	jw_object_end(&w);
	txn_event(l->txn, "stock.drift", l->item->sku, 0, txn_text(l->txn, &data));
	buf_done(&data);
	txn_count(l->txn, COUNTED_DRIFT, STR_NONE, STR_NONE, STR_NONE, 1);
	txn_exception(l->txn, kind, l->item->sku, l->movement->order_id, str_from(detail));
}

/* May this place give what the line takes? One lot where the line names it, else any at that location. */
static bool matches(const struct line_step *l, const struct stock_place *p)
{
	return p->position.location == l->place->position.location &&
	       str_eq(p->position.owner, l->place->position.owner) && (!l->line->lot.n || p == l->place);
}

static struct stock_place *same_lot_at(struct line_step *l, const struct stock_place *p, int32_t to_location)
{
	if (to_location < 0)
		return NULL;
	return stock_place_make(l->stock, l->item, (uint16_t)to_location, p->position.lot, p->position.owner);
}

/* The places that may give, in the order of taking. Copied, because what is posted may add to the item's list. */
static size_t givers(struct line_step *l, enum stock_state from, struct stock_place ***out)
{
	size_t count = 0;

	*out = arena_array(l->txn->arena, struct stock_place *, l->item->place_count);
	if (!*out) {
		l->txn->failed = true;
		return 0;
	}
	for (uint32_t n = 0; n < l->item->place_count; n++)
		if (matches(l, l->item->places[n]) && l->item->places[n]->position.states[from] > 0)
			(*out)[count++] = l->item->places[n];
	return count;
}

/* Moves at most `quantity` out of a state, as far as there is any; returns what is left to find elsewhere. */
static qty_t take(struct line_step *l, enum stock_state from, enum stock_state to, qty_t quantity, int32_t to_location)
{
	struct stock_place **places;
	size_t count;

	if (quantity <= 0)
		return 0;
	count = givers(l, from, &places);
	for (size_t n = 0; n < count && quantity > 0; n++) {
		struct stock_place *p = places[n], *q = same_lot_at(l, p, to_location);
		qty_t there = p->position.states[from];
		qty_t part = there < quantity ? there : quantity;

		stock_post(l->draft, p, from, q, to, part);
		quantity -= part;
	}
	return quantity;
}

/* Out of free, below nothing if it must be. */
static void take_free(struct line_step *l, enum stock_state to, qty_t quantity, int32_t to_location)
{
	qty_t left = take(l, STOCK_FREE, to, quantity, to_location);

	if (left <= 0)
		return;
	stock_post(l->draft, l->place, STOCK_FREE, same_lot_at(l, l->place, to_location), to, left);
	report_drift(l, "stock_negative", left, "More left than the books had: count this place.");
}

static enum stock_state state_of(const struct movement_line *line, enum stock_state otherwise)
{
	switch (line->state) {
	case MOVE_STATE_DEFAULT:
		return otherwise;
	case MOVE_STATE_FREE:
		return STOCK_FREE;
	case MOVE_STATE_QUARANTINED:
		return STOCK_QUARANTINED;
	case MOVE_STATE_DAMAGED:
		return STOCK_DAMAGED;
	}
	return otherwise;
}

/* Something that was announced arrives at the line's place. It was perhaps announced without its lot, or with another
 * one: what is off site is taken off wherever it was noted, own lot first, none next. */
static qty_t arrive(struct line_step *l, enum stock_state from, enum stock_state to, qty_t quantity)
{
	qty_t there = l->place->position.states[from], part = there < quantity ? there : quantity;
	struct stock_place *none, *p;

	if (part > 0) {
		stock_post(l->draft, l->place, from, NULL, to, part);
		quantity -= part;
	}
	none = stock_place_find(l->item, l->place->position.location, STR_NONE, l->line->owner);
	for (uint32_t n = 0; quantity > 0 && n <= l->item->place_count; n++) {
		p = n ? l->item->places[n - 1] : none;
		if (!p || p->position.location != l->place->position.location ||
		    !str_eq(p->position.owner, l->place->position.owner) || p->position.states[from] <= 0)
			continue;
		part = p->position.states[from] < quantity ? p->position.states[from] : quantity;
		stock_post(l->draft, p, from, NULL, STOCK_OUTSIDE, part);
		stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, to, part);
		quantity -= part;
	}
	return quantity;
}

static void step_receive(struct line_step *l)
{
	enum stock_state to = state_of(l->line, STOCK_FREE);
	qty_t left = l->line->quantity;

	if (l->movement->purchase_order_id.n || l->movement->transfer_id.n)
		left = arrive(l, STOCK_IN_TRANSIT, to, left);
	if (l->movement->purchase_order_id.n)
		left = arrive(l, STOCK_ON_ORDER, to, left);
	arrival_settle(l->stock, l->item);
	if (left <= 0)
		return;
	stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, to, left);
	if (l->movement->transfer_id.n)
		report_drift(l, "transfer_unexplained", left, "More arrived than was on its way.");
}

static void step_adjust(struct line_step *l)
{
	if (l->line->quantity > 0)
		stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, STOCK_FREE, l->line->quantity);
	else
		take_free(l, STOCK_OUTSIDE, -l->line->quantity, -1);
}

static bool order_names(const struct order_open *o, struct str line_id)
{
	for (uint32_t i = 0; i < o->line_count; i++)
		if (str_eq(o->lines[i].line_id, line_id))
			return true;
	return false;
}

/* What the order has of the item, wherever. */
static qty_t order_has(const struct order_open *o, const struct stock_item *item)
{
	qty_t has = 0;

	for (uint32_t i = 0; i < o->line_count; i++)
		for (uint32_t n = 0; n < o->lines[i].allocation_count; n++)
			if (o->lines[i].allocations[n].place->item == item)
				has += o->lines[i].allocations[n].allocated + o->lines[i].allocations[n].picked;
	return has;
}

/* What the order has at the place goes first. */
static qty_t take_of_order(struct line_step *l, enum stock_state to)
{
	qty_t quantity = l->line->quantity;
	struct str line_id = l->line->order_line_id;
	char *detail;

	if (!l->order)
		return quantity;
	if (line_id.n && !order_names(l->order, line_id)) {
		detail = arena_printf(l->txn->arena,
				      "The order has no line " STR_FMT ": the %s of " STR_FMT
				      " counts for its other lines of "
				      "this item.",
				      STR_ARG(line_id), movement_type_name(l->movement->type), STR_ARG(l->item->sku));
		txn_exception(l->txn, "unknown_order_line", l->movement->order_id, l->movement->order_id,
			      str_from(detail));
		line_id = STR_NONE;
	}
	if (to == STOCK_OUTSIDE && quantity > order_has(l->order, l->item)) {
		detail = arena_printf(l->txn->arena, "More of " STR_FMT " was shipped than the order had allocated.",
				      STR_ARG(l->item->sku));
		txn_exception(l->txn, "over_shipped", l->movement->order_id, l->movement->order_id, str_from(detail));
	}
	return quantity -
	       order_take(l->order, l->draft,
			  &(struct order_taking){.item = l->item,
						 .kit = l->line->kit.n ? stock_find(l->stock, l->line->kit) : NULL,
						 .location = l->place->position.location,
						 .owner = l->line->owner,
						 .line_id = line_id,
						 .to = to,
						 .quantity = quantity});
}

static void step_pick(struct line_step *l)
{
	take_free(l, STOCK_PICKED, take_of_order(l, STOCK_PICKED), -1);
}

/* Picked for nobody in particular. */
static qty_t take_loose(struct line_step *l, qty_t quantity)
{
	struct stock_place **places;
	size_t count = quantity > 0 ? givers(l, STOCK_PICKED, &places) : 0;

	for (size_t n = 0; n < count && quantity > 0; n++) {
		qty_t loose = places[n]->position.states[STOCK_PICKED] - places[n]->order_picked;
		qty_t part = loose < quantity ? loose : quantity;

		if (part <= 0)
			continue;
		stock_post(l->draft, places[n], STOCK_PICKED, NULL, STOCK_OUTSIDE, part);
		quantity -= part;
	}
	return quantity;
}

static void step_ship(struct line_step *l)
{
	take_free(l, STOCK_OUTSIDE, take_loose(l, take_of_order(l, STOCK_OUTSIDE)), -1);
}

static void step_move(struct line_step *l, uint16_t to_location)
{
	if (to_location == l->place->position.location)
		return;
	take_free(l, l->movement->transfer_id.n ? STOCK_IN_TRANSIT : STOCK_FREE, l->line->quantity, to_location);
}

/* A count of an item that is kept by lots, by somebody who does not see them, is of all lots there. */
static bool counts_all_lots(const struct line_step *l)
{
	return !l->line->lot.n && l->item->rules && l->item->rules->lot_tracked;
}

/* The places that a count is of; the line's own is one of them. */
static size_t counted_places(struct line_step *l, struct stock_place ***out)
{
	bool all = counts_all_lots(l);
	size_t count = 0;

	*out = arena_array(l->txn->arena, struct stock_place *, l->item->place_count);
	if (!*out) {
		l->txn->failed = true;
		return 0;
	}
	for (uint32_t n = 0; n < l->item->place_count; n++)
		if (l->item->places[n] == l->place || (all && matches(l, l->item->places[n])))
			(*out)[count++] = l->item->places[n];
	return count;
}

static void step_count(struct line_step *l)
{
	struct stock_place **places;
	size_t count = counted_places(l, &places);
	qty_t difference = l->line->quantity;
	bool known = true;

	for (size_t n = 0; n < count; n++)
		if (stock_was_counted(places[n], l->movement->occurred_at, l->draft->seq))
			return;
	l->judged = true;
	for (size_t n = 0; n < count; n++)
		difference -= past_on_hand(places[n], l->movement->occurred_at, &known);
	if (!known)
		report_drift(l, "count_too_old", difference,
			     "The count is older than the changes that are remembered: it may be wrong, count again.");
	if (difference > 0)
		stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, STOCK_FREE, difference);
	else if (difference < 0)
		take_free(l, STOCK_OUTSIDE, -difference, -1);
	for (size_t n = 0; n < count; n++)
		stock_counted(l->draft, places[n]);
}

static void step_scrap(struct line_step *l)
{
	qty_t left = take(l, STOCK_QUARANTINED, STOCK_OUTSIDE, l->line->quantity, -1);

	left = take(l, STOCK_DAMAGED, STOCK_OUTSIDE, left, -1);
	take_free(l, STOCK_OUTSIDE, left, -1);
}

static void step_clear(struct line_step *l)
{
	qty_t left = take(l, STOCK_QUARANTINED, STOCK_FREE, l->line->quantity, -1);

	left = take(l, STOCK_DAMAGED, STOCK_FREE, left, -1);
	if (left > 0) {
		stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, STOCK_FREE, left);
		report_drift(l, "stock_drift", left, "More was cleared than was in quarantine: count this place.");
	}
}

/* To come (expected_at), or here. */
static void step_return(struct line_step *l)
{
	enum stock_state to = state_of(l->line, STOCK_QUARANTINED);
	qty_t left = l->line->quantity;

	if (!l->movement->expected_at && l->movement->return_id.n)
		left = arrive(l, STOCK_RETURNING, to, left);
	if (left <= 0)
		return;
	stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, STOCK_RETURNING, left);
	if (!l->movement->expected_at)
		stock_post(l->draft, l->place, STOCK_RETURNING, NULL, to, left);
}

/* When it comes is kept: what is expected soon may be sold (terms.h). */
static void expect(struct line_step *l, uint16_t location, bool ordered)
{
	const struct stock_position *p = &l->place->position;

	if (l->movement->expected_at)
		arrival_expect(l->stock, l->item,
			       &(struct ats_arrival){.location = location,
						     .ordered = ordered,
						     .consignor = p->consignor,
						     .owner = p->owner,
						     .expected_at = l->movement->expected_at,
						     .quantity = l->line->quantity});
}

static void step_announce(struct line_step *l)
{
	qty_t left = arrive(l, STOCK_ON_ORDER, STOCK_IN_TRANSIT, l->line->quantity);

	if (left > 0)
		stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, STOCK_IN_TRANSIT, left);
	expect(l, l->place->position.location, false);
	if (!l->movement->expected_at)
		arrival_announced(l->stock, l->place, l->line->quantity - left);
}

static void step_order_in(struct line_step *l)
{
	stock_post(l->draft, l->place, STOCK_OUTSIDE, NULL, STOCK_ON_ORDER, l->line->quantity);
	expect(l, l->place->position.location, true);
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
		if (l->movement->transfer_id.n)
			expect(l, to_location, false);
		return;
	case MOVE_COUNT:
		step_count(l);
		return;
	case MOVE_QUARANTINE:
		take_free(l, state_of(l->line, STOCK_QUARANTINED), l->line->quantity, -1);
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
		step_order_in(l);
		return;
	case MOVE_ANNOUNCE:
		step_announce(l);
		return;
	case MOVE_REVERSE:
		return; /* reverse.c */
	}
}

/* What leaves or is moved without its lot being named is of the lot that its serial numbers are known to be of; what
 * goes for an order, of their owner. */
static void name_lot(struct stock *s, struct txn *t, const struct movement *m, struct movement_line *l)
{
	const struct stock_item *item = l->serials && m->type != MOVE_COUNT ? stock_find(s, l->sku) : NULL;

	if (!item || !item->rules || !item->rules->serials)
		return;
	if (!l->lot.n && item->rules->lot_tracked)
		l->lot_found = (l->lot = serial_lot(s->serials, t, l)).n > 0;
	if (!l->owner.n && m->order_id.n && (m->type == MOVE_PICK || m->type == MOVE_SHIP))
		l->owner_found = (l->owner = serial_owner(s->serials, t, l)).n > 0;
}

static void step_serials(struct line_step *l, struct serial_step *s)
{
	if (l->movement->type != MOVE_COUNT)
		serial_step_line(s, l->line, l->item);
	else if (l->judged)
		serial_step_count(s, l->line, l->item, counts_all_lots(l));
}

void verbs_draft(struct stock_draft *d, struct stock *s, struct txn *t, const struct movement *m)
{
	stock_draft_begin(d, s, t, str_from(movement_type_name(m->type)), m->occurred_at);
	d->movement_id = txn_uuid(t);
	d->source = m->source;
	d->source_event_id = m->source_event_id;
	d->order_id = m->order_id;
	d->reason = m->reason;
	d->fact = m->type != MOVE_COUNT;
}

enum rc stock_step_movement(struct stock *s, struct order_book *orders, struct txn *t, const struct movement *given,
			    struct movement_result *out, struct err *e)
{
	struct stock_draft d;
	struct movement m = *given;
	bool judged = false;
	struct line_step l = {.draft = &d, .stock = s, .txn = t, .movement = &m};
	struct serial_step serials = {.draft = &d, .movement = &m};
	enum rc rc;

	l.order = m.order_id.n ? order_find(orders, m.order_id) : NULL;
	rc = verbs_prepare(s, t, &m, l.order, e);
	if (rc != RC_OK)
		return rc;
	verbs_draft(&d, s, t, &m);
	for (size_t i = 0; i < m.line_count; i++) {
		const struct config_location *location = config_find_location(s->tenant, m.lines[i].location);
		const struct config_location *to = config_find_location(s->tenant, m.lines[i].to_location);

		name_lot(s, t, &m, &m.lines[i]);
		d.line = m.lines[i].number;
		l.line = &m.lines[i];
		l.item = stock_item_make(s, t, l.line->sku, l.line->uom);
		l.place = stock_place_make(s, l.item, location->index, l.line->lot, l.line->owner);
		if (l.line->expires_on)
			stock_lot_expires(&d, l.place, l.line->expires_on);
		l.judged = false;
		step_line(&l, to ? to->index : 0);
		judged |= l.judged;
		if (l.item->rules && l.item->rules->serials)
			step_serials(&l, &serials);
	}
	serial_step_end(&serials);
	if (l.order)
		order_changed(orders, l.order);
	out->stale = m.type == MOVE_COUNT && !judged;
	out->consigned = verbs_event(&d, &m, out->stale);
	out->movement_id = d.movement_id;
	out->seq = stock_draft_end(&d, true);
	return RC_OK;
}
