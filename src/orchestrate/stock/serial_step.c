/* What a movement makes of the serial numbers that it names, and what the registry cannot explain of it. */
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/serial.h"

#define ONE(state) (1u << (state))
#define HERE       (ONE(SERIAL_IN_STOCK) | ONE(SERIAL_QUARANTINED) | ONE(SERIAL_PICKED) | ONE(SERIAL_RETURNED))

/* serial_move.kind; stored. */
enum { MOVE_STANDS = 0, MOVE_TAKEN_BACK = 1, MOVE_TAKES_BACK = 2 };

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
	return one->now.movement && s->movement->occurred_at < one->now.occurred_at;
}

static void write_row(struct txn *t, const struct serial *one)
{
	const struct serial_at *at = &one->now;

	txn_put(t, W_SERIAL, SV_TEXT(one->sku), SV_TEXT(one->serial), SV_INT(at->state), SV_TEXT(at->location),
		SV_TEXT(at->lot), SV_TEXT(at->owner), SV_TEXT(at->order_id), SV_INT(at->movement),
		SV_INT(at->occurred_at));
}

static void write_move(struct serial_step *s, const struct serial *one, struct str place, const struct serial_at *after,
		       int kind, bool late)
{
	txn_put(s->draft->txn, W_SERIAL_MOVE, SV_TEXT(one->sku), SV_TEXT(one->serial), SV_INT(s->draft->seq),
		SV_INT(kind), SV_INT(s->movement->occurred_at), SV_TEXT(place), SV_INT(after->state),
		SV_TEXT(after->location), SV_TEXT(after->lot), SV_TEXT(after->owner), SV_TEXT(after->order_id),
		SV_INT(late));
}

/* The fact is in the serial's history; it is where that says, unless it is known to have gone on since. */
static void apply(struct serial_step *s, struct serial *one, struct str place, const struct serial_at *after)
{
	struct txn *t = s->draft->txn;
	struct serial_book *b = s->draft->stock->serials;
	struct serial_move *move = arena_new(t->arena, struct serial_move);
	bool late = is_late(s, one);

	if (!move) {
		t->failed = true;
		return;
	}
	*move = (struct serial_move){.of = one,
				     .movement = s->draft->seq,
				     .place = place,
				     .after = *after,
				     .next = one->moves,
				     .next_made = b->made};
	one->moves = b->made = move;
	write_move(s, one, place, after, MOVE_STANDS, late);
	if (late)
		return;
	one->now = *after;
	write_row(t, one);
}

static struct serial_at after_line(const struct serial_step *s, const struct movement_line *l, const struct serial *one,
				   enum serial_state to)
{
	bool goes = s->movement->type == MOVE_MOVE;
	struct serial_at after = {
	    .state = to,
	    .location = goes ? l->to_location : l->location,
	    .lot = l->lot.n || is_late(s, one) ? l->lot : one->now.lot,
	    .owner = owner_is_open(s, l) ? one->now.owner : l->owner,
	    .occurred_at = s->movement->occurred_at,
	    .movement = s->draft->seq,
	};

	if (to == SERIAL_SHIPPED || to == SERIAL_PICKED)
		after.order_id = s->movement->order_id;
	return after;
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
		struct serial_at after;

		if (!one)
			return;
		if (!is_late(s, one))
			judge(s, l, one, &rule, full);
		after = after_line(s, l, one, rule.to);
		apply(s, one, l->location, &after);
	}
}

/* ---- counts ---- */

static bool same_place(const struct movement_line *l, const struct serial_at *at, bool all_lots)
{
	return serial_is_here(at->state) && str_eq(at->location, l->location) && str_eq(at->owner, l->owner) &&
	       (all_lots || str_eq(at->lot, l->lot));
}

/* It was seen: where it is stays as it is said, but for what it was thought to be. */
static void count_one(struct serial_step *s, const struct movement_line *l, struct serial *one, bool full,
		      bool all_lots)
{
	struct serial_at after = after_line(s, l, one, SERIAL_IN_STOCK);

	if (!is_late(s, one)) {
		bool here = same_place(l, &one->now, all_lots);

		if (full && !here)
			tell_serial(s, l, one, "serial_found", "It was counted here.");
		if (here) {
			after.state = one->now.state;
			after.order_id = one->now.order_id;
		}
	}
	apply(s, one, l->location, &after);
}

/* What was here at that instant and was not seen is lost. */
static void count_missing(struct serial_step *s, const struct movement_line *l, const struct serial_item *book,
			  bool all_lots)
{
	for (struct serial *one = book->first; one; one = one->next) {
		struct serial_at after = {.state = SERIAL_UNKNOWN,
					  .location = l->location,
					  .lot = one->now.lot,
					  .owner = l->owner,
					  .occurred_at = s->movement->occurred_at,
					  .movement = s->draft->seq};

		if (one->now.movement == s->draft->seq || is_late(s, one) || !same_place(l, &one->now, all_lots))
			continue;
		tell_serial(s, l, one, "serial_missing", "It was not counted.");
		apply(s, one, l->location, &after);
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

static bool is_named(const struct movement *m, const struct serial_undo *u)
{
	for (size_t i = 0; i < m->line_count; i++) {
		const struct movement_line *l = &m->lines[i];

		if (str_eq(l->sku, u->serial->sku) && str_eq(l->location, u->place) && str_eq(l->owner, u->owner) &&
		    (!l->lot.n || str_eq(l->lot, u->lot)))
			return true;
	}
	return m->line_count == 0;
}

static void put_back(struct serial_step *s, struct serial_undo *u, int64_t undone)
{
	struct txn *t = s->draft->txn;
	struct serial *one = u->serial;
	struct serial_void *gone = arena_new(t->arena, struct serial_void);

	if (!gone) {
		t->failed = true;
		return;
	}
	*gone = (struct serial_void){undone, one->voided};
	one->voided = gone;
	txn_put(t, W_SERIAL_MOVE_VOID, SV_TEXT(one->sku), SV_TEXT(one->serial), SV_INT(undone));
	if (one->now.movement == undone) {
		one->now = u->best;
		if (!u->best.movement) /* nothing else has ever been said */
			one->now = (struct serial_at){.state = SERIAL_UNKNOWN};
		write_row(t, one);
	}
	write_move(s, one, u->place, &one->now, MOVE_TAKES_BACK, false);
}

void serial_step_reverse(struct serial_step *s)
{
	struct serial_book *b = s->draft->stock->serials;

	for (struct serial_undo *u = b->undo; u; u = u->next)
		if (is_named(s->movement, u))
			put_back(s, u, b->undone);
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
