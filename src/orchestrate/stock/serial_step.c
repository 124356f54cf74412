/* What a movement makes of the serial numbers that it names, and what the registry cannot explain of it. */
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/serial.h"

#define ONE(state) (1u << (state))
#define HERE       (ONE(SERIAL_IN_STOCK) | ONE(SERIAL_QUARANTINED) | ONE(SERIAL_PICKED) | ONE(SERIAL_RETURNED))

/* By type of movement: where a serial may come from, where it goes, and whether an item that is tracked fully must name
 * it. */
struct serial_rule {
	unsigned from;
	enum serial_state to;
	bool needed;
};

static struct serial_rule rule_of(const struct movement *m, const struct movement_line *l)
{
	bool aside = l->state == MOVE_STATE_QUARANTINED || l->state == MOVE_STATE_DAMAGED;

	switch (m->type) {
	case MOVE_RECEIVE:
		return (struct serial_rule){ONE(SERIAL_UNKNOWN) | ONE(SERIAL_IN_TRANSIT),
					    aside ? SERIAL_QUARANTINED : SERIAL_IN_STOCK, true};
	case MOVE_ADJUST:
		if (l->quantity > 0)
			return (struct serial_rule){ONE(SERIAL_UNKNOWN), SERIAL_IN_STOCK, true};
		return (struct serial_rule){HERE, SERIAL_UNKNOWN, true};
	case MOVE_PICK:
		return (struct serial_rule){HERE, SERIAL_PICKED, true};
	case MOVE_SHIP:
		return (struct serial_rule){HERE, SERIAL_SHIPPED, true};
	case MOVE_MOVE:
		return (struct serial_rule){HERE, m->transfer_id.n ? SERIAL_IN_TRANSIT : SERIAL_IN_STOCK, true};
	case MOVE_QUARANTINE:
		return (struct serial_rule){HERE, SERIAL_QUARANTINED, true};
	case MOVE_CLEAR:
		return (struct serial_rule){HERE, SERIAL_IN_STOCK, true};
	case MOVE_SCRAP:
		return (struct serial_rule){HERE, SERIAL_SCRAPPED, true};
	case MOVE_RETURN:
		if (m->expected_at)
			return (struct serial_rule){ONE(SERIAL_SHIPPED), SERIAL_IN_TRANSIT, false};
		return (struct serial_rule){ONE(SERIAL_SHIPPED) | (m->return_id.n ? ONE(SERIAL_IN_TRANSIT) : 0),
					    l->state == MOVE_STATE_FREE ? SERIAL_IN_STOCK : SERIAL_RETURNED, true};
	case MOVE_ANNOUNCE:
		return (struct serial_rule){ONE(SERIAL_UNKNOWN), SERIAL_IN_TRANSIT, false};
	case MOVE_COUNT:
		return (struct serial_rule){HERE, SERIAL_IN_STOCK, true};
	case MOVE_ORDER_IN:
	case MOVE_REVERSE:
		break;
	}
	return (struct serial_rule){0, SERIAL_UNKNOWN, false};
}

/* ---- telling ---- */

static void write_known(struct json_writer *w, const struct serial_at *at)
{
	jw_key(w, "known");
	jw_object(w);
	jw_key_text(w, "state", str_from(serial_state_name(at->state)));
	jw_opt_text(w, "location", at->location);
	jw_opt_text(w, "lot", at->lot);
	jw_opt_text(w, "owner", at->owner);
	jw_opt_text(w, "order_id", at->order_id);
	if (at->movement)
		jw_key_time(w, "occurred_at", at->occurred_at);
	jw_object_end(w);
}

/* serial: NULL for what is said of the line. */
static void tell(struct serial_step *s, const struct movement_line *l, const struct serial *serial, const char *kind,
		 const char *detail)
{
	struct txn *t = s->draft->txn;
	struct json_writer w;
	struct buf data;

	txn_count(t, COUNTED_DRIFT, STR_NONE, STR_NONE, STR_NONE, 1);
	if (++s->reported > SERIALS_REPORTED_MAX)
		return;
	buf_init(&data, 64u << 10);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "kind", str_from(kind));
	jw_key_text(&w, "sku", l->sku);
	if (serial)
		jw_key_text(&w, "serial", serial->serial);
	jw_key_text(&w, "location", l->location);
	jw_opt_text(&w, "lot", l->lot);
	jw_opt_text(&w, "owner", l->owner);
	jw_key_text(&w, "movement_id", s->draft->movement_id);
	jw_key_text(&w, "movement_type", str_from(movement_type_name(s->movement->type)));
	jw_key_time(&w, "occurred_at", s->movement->occurred_at);
	jw_opt_text(&w, "order_id", s->movement->order_id);
	if (serial) {
		write_known(&w, &serial->now);
	} else {
		jw_key_qty(&w, "quantity", l->quantity);
		jw_key_int(&w, "named", l->serials ? (int64_t)l->serials->count : 0);
	}
	jw_object_end(&w);
	txn_event(t, "serial.drift", l->sku, 0, txn_text(t, &data));
	buf_done(&data);
	txn_exception(t, kind, l->sku, s->movement->order_id, str_from(detail));
}

static const char *place_text(struct txn *t, const struct serial_at *at)
{
	struct str where = at->state == SERIAL_SHIPPED ? at->order_id : at->location;

	return arena_printf(t->arena, "%s%s" STR_FMT "%s" STR_FMT, serial_state_name(at->state),
			    !where.n                      ? ""
			    : at->state == SERIAL_SHIPPED ? " with order "
							  : " at ",
			    STR_ARG(where), at->lot.n ? ", lot " : "", STR_ARG(at->lot));
}

static void tell_serial(struct serial_step *s, const struct movement_line *l, const struct serial *one,
			const char *kind, const char *what)
{
	struct txn *t = s->draft->txn;

	tell(s, l, one, kind,
	     arena_printf(t->arena, "%s of serial number " STR_FMT " of " STR_FMT " at " STR_FMT ": %s It was %s.",
			  movement_type_name(s->movement->type), STR_ARG(one->serial), STR_ARG(l->sku),
			  STR_ARG(l->location), what, place_text(t, &one->now)));
}

/* ---- judging ---- */

static bool differs(struct str named, struct str known)
{
	return named.n && known.n && !str_eq(named, known);
}

/* What goes for an order need not say whose it is. */
static bool owner_is_open(const struct serial_step *s, const struct movement_line *l)
{
	enum movement_type type = s->movement->type;

	return !l->owner.n && s->movement->order_id.n && (type == MOVE_PICK || type == MOVE_SHIP);
}

static bool elsewhere(const struct serial_step *s, const struct movement_line *l, const struct serial_at *at)
{
	return !str_eq(at->location, l->location) || differs(l->lot, at->lot) ||
	       (!owner_is_open(s, l) && !str_eq(at->owner, l->owner));
}

static void judge(struct serial_step *s, const struct movement_line *l, const struct serial *one,
		  const struct serial_rule *rule, bool full)
{
	const struct serial_at *at = &one->now;
	enum movement_type type = s->movement->type;

	if (type == MOVE_SHIP && at->state == SERIAL_SHIPPED)
		tell_serial(s, l, one, "serial_shipped_twice", "It has left already.");
	else if (type == MOVE_RETURN && !(rule->from & ONE(at->state)))
		tell_serial(s, l, one, "serial_not_shipped", "It comes back, and never left.");
	else if (!full)
		return;
	else if (!(rule->from & ONE(at->state)) && (rule->from & HERE))
		tell_serial(s, l, one, "serial_not_in_stock", "It is not known to be in stock.");
	else if (!(rule->from & ONE(at->state)) && serial_is_here(at->state))
		tell_serial(s, l, one, "serial_in_stock", "It is in stock already.");
	else if (!(rule->from & ONE(at->state)))
		tell_serial(s, l, one, "serial_unexpected", "Nothing was to come.");
	else if (at->state == SERIAL_PICKED && differs(s->movement->order_id, at->order_id))
		tell_serial(s, l, one, "serial_of_other_order", "It was picked for another order.");
	else if (at->state != SERIAL_UNKNOWN && at->state != SERIAL_SHIPPED && type != MOVE_RETURN &&
		 elsewhere(s, l, at))
		tell_serial(s, l, one, "serial_elsewhere", "It was thought to be elsewhere.");
}

/* false: not as many as the quantity, and it is said. */
static bool check_number(struct serial_step *s, const struct movement_line *l, bool needed)
{
	struct txn *t = s->draft->txn;
	qty_t quantity = l->quantity < 0 ? -l->quantity : l->quantity;
	uint32_t named = l->serials ? l->serials->count : 0;
	char text[DECIMAL_TEXT_MAX];

	if ((qty_t)named * QTY_ONE == quantity)
		return true;
	if (named == 0 && !needed)
		return false;
	qty_format(quantity, text);
	tell(s, l, NULL, named ? "serials_differ" : "serials_missing",
	     arena_printf(t->arena, "%s of %s " STR_FMT " at " STR_FMT " names %u serial numbers.",
			  movement_type_name(s->movement->type), text, STR_ARG(l->sku), STR_ARG(l->location), named));
	return false;
}

/* ---- changing ---- */

static bool is_late(const struct serial_step *s, const struct serial *one)
{
	return serial_is_late(one, s->movement->occurred_at);
}

/* What a line says of a serial that it names. */
static struct serial_fact fact_of(const struct serial_step *s, const struct movement_line *l, const struct serial *one,
				  enum serial_state to)
{
	bool lot_left = !l->lot.n || l->lot_found;
	bool owner_left = owner_is_open(s, l) || l->owner_found;

	return (struct serial_fact){
	    .place = l->location,
	    .line = l->number,
	    .said = {.state = to,
		     .location = s->movement->type == MOVE_MOVE ? l->to_location : l->location,
		     .lot = lot_left ? STR_NONE : l->lot,
		     .owner = owner_left ? STR_NONE : l->owner,
		     .order_id = to == SERIAL_SHIPPED || to == SERIAL_PICKED ? s->movement->order_id : STR_NONE,
		     .occurred_at = s->movement->occurred_at,
		     .movement = s->draft->seq},
	    .leaves = (lot_left ? SERIAL_LEAVES_LOT : 0u) | (owner_left ? SERIAL_LEAVES_OWNER : 0u),
	    .late = is_late(s, one),
	};
}

void serial_step_line(struct serial_step *s, const struct movement_line *l, const struct stock_item *item)
{
	struct serial_rule rule = rule_of(s->movement, l);
	bool full = item->rules->serials == ITEM_SERIALS_FULL;
	struct serial_book *b = s->draft->stock->serials;

	if (s->movement->type == MOVE_ORDER_IN)
		return;
	(void)check_number(s, l, full ? rule.needed : s->movement->type == MOVE_SHIP);
	for (uint32_t i = 0; l->serials && i < l->serials->count; i++) {
		struct serial *one = serial_make(b, s->draft->txn, l->sku, json_text(&l->serials->items[i]));
		struct serial_fact fact;

		if (!one)
			return;
		fact = fact_of(s, l, one, rule.to);
		if (!fact.late)
			judge(s, l, one, &rule, full);
		serial_add(b, s->draft->txn, one, &fact);
	}
}

/* ---- counts ---- */

/* It was seen: where it is stays as it is said, but for what it was thought to be. */
static void count_one(struct serial_step *s, const struct movement_line *l, struct serial *one, bool full,
		      bool all_lots)
{
	struct serial_fact fact = fact_of(s, l, one, SERIAL_IN_STOCK);

	fact.leaves |= SERIAL_SEEN | (all_lots ? SERIAL_ALL_LOTS : 0u);
	if (full && !fact.late && !serial_counted_at(&one->now, &fact.said, all_lots))
		tell_serial(s, l, one, "serial_found", "It was counted here.");
	serial_add(s->draft->stock->serials, s->draft->txn, one, &fact);
}

/* What was here at that instant and was not seen is lost. */
static void count_missing(struct serial_step *s, const struct movement_line *l, const struct serial_item *book,
			  bool all_lots)
{
	for (struct serial *one = book->first; one; one = one->next) {
		struct serial_fact fact = fact_of(s, l, one, SERIAL_UNKNOWN);

		fact.said.owner = l->owner;
		if (one->now.movement == s->draft->seq || fact.late ||
		    !serial_counted_at(&one->now, &fact.said, all_lots))
			continue;
		fact.said.lot = one->now.lot;
		fact.leaves = SERIAL_MISSED | (all_lots ? SERIAL_ALL_LOTS : 0u);
		tell_serial(s, l, one, "serial_missing", "It was not counted.");
		serial_add(s->draft->stock->serials, s->draft->txn, one, &fact);
	}
}

void serial_step_count(struct serial_step *s, const struct movement_line *l, const struct stock_item *item,
		       bool all_lots)
{
	bool full = item->rules->serials == ITEM_SERIALS_FULL, all;
	struct serial_book *b = s->draft->stock->serials;
	const struct serial_item *book;

	if (s->movement->quantity_only)
		return;
	all = check_number(s, l, full);
	for (uint32_t i = 0; l->serials && i < l->serials->count; i++) {
		struct serial *one = serial_make(b, s->draft->txn, l->sku, json_text(&l->serials->items[i]));

		if (one)
			count_one(s, l, one, full, all_lots);
	}
	book = map_get(&b->items, l->sku);
	if (!all || !full || !book)
		return;
	if (book->truncated)
		tell(s, l, NULL, "serials_uncounted",
		     "There are too many serial numbers here to say which of them were not counted.");
	else
		count_missing(s, l, book, all_lots);
}

/* ---- taking back ---- */

static bool is_named(const struct movement *m, const struct serial_fact *f)
{
	for (size_t i = 0; i < m->line_count; i++) {
		const struct movement_line *l = &m->lines[i];

		if ((!l->of_line || l->of_line - 1 == f->line) && str_eq(l->sku, f->of->sku) &&
		    str_eq(l->location, f->place) &&
		    (str_eq(l->owner, f->after.owner) || (!l->owner.n && m->order_id.n)) &&
		    (!l->lot.n || str_eq(l->lot, f->after.lot)))
			return true;
	}
	return m->line_count == 0;
}

static void put_back(struct serial_step *s, struct serial_fact *f)
{
	struct serial_at after;
	struct serial_fact back;

	serial_take_back(s->draft->txn, f);
	after = f->of->now;
	after.movement = s->draft->seq;
	after.occurred_at = s->movement->occurred_at;
	back = (struct serial_fact){.of = f->of, .place = f->place, .line = f->line};
	serial_write_move(s->draft->txn, &back, &after, SERIAL_MOVE_TAKES_BACK);
}

void serial_step_reverse(struct serial_step *s)
{
	struct serial_book *b = s->draft->stock->serials;

	for (struct serial_undo *u = b->undo; u; u = u->next)
		if (is_named(s->movement, u->fact))
			put_back(s, u->fact);
	b->undo = NULL;
}

void serial_step_end(struct serial_step *s)
{
	struct txn *t = s->draft->txn;

	if (s->reported > SERIALS_REPORTED_MAX)
		txn_exception(t, "serials_unexplained", s->draft->movement_id, s->movement->order_id,
			      str_from(arena_printf(t->arena, "%u more of this movement's serial numbers do not fit.",
						    s->reported - SERIALS_REPORTED_MAX)));
}
