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

struct drift {
	const struct movement_line *line;
	const struct serial *serial; /* NULL: it is said of the line */
	const struct serial_at *known;
	int64_t counted_at; /* of a count that was told before; 0: none */
	const char *kind, *detail;
};

/* Returns the exception's id; empty: it is one of too many. */
static struct str tell(struct serial_step *s, const struct drift *d)
{
	const struct movement_line *l = d->line;
	struct txn *t = s->draft->txn;
	struct json_writer w;
	struct buf data;

	txn_count(t, COUNTED_DRIFT, STR_NONE, STR_NONE, STR_NONE, 1);
	if (++s->reported > SERIALS_REPORTED_MAX)
		return STR_NONE;
	buf_init(&data, 64u << 10);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "kind", str_from(d->kind));
	jw_key_text(&w, "sku", l->sku);
	if (d->serial)
		jw_key_text(&w, "serial", d->serial->serial);
	jw_key_text(&w, "location", l->location);
	jw_opt_text(&w, "lot", l->lot);
	jw_opt_text(&w, "owner", l->owner);
	jw_key_text(&w, "movement_id", s->draft->movement_id);
	jw_key_text(&w, "movement_type", str_from(movement_type_name(s->movement->type)));
	jw_key_time(&w, "occurred_at", s->movement->occurred_at);
	jw_opt_text(&w, "order_id", s->movement->order_id);
	if (d->counted_at)
		jw_key_time(&w, "counted_at", d->counted_at);
	if (d->serial) {
		write_known(&w, d->known);
	} else {
		jw_key_qty(&w, "quantity", l->quantity);
		jw_key_int(&w, "named", l->serials ? (int64_t)l->serials->count : 0);
	}
	jw_object_end(&w);
	txn_event(t, "serial.drift", l->sku, 0, txn_text(t, &data));
	buf_done(&data);
	return txn_exception(t, d->kind, l->sku, s->movement->order_id, str_from(d->detail));
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

static struct str tell_serial(struct serial_step *s, const struct movement_line *l, const struct serial *one,
			      const char *kind, const char *what)
{
	struct txn *t = s->draft->txn;

	return tell(s, &(struct drift){
			   .line = l,
			   .serial = one,
			   .known = &one->now,
			   .kind = kind,
			   .detail = arena_printf(
			       t->arena, "%s of serial number " STR_FMT " of " STR_FMT " at " STR_FMT ": %s It was %s.",
			       movement_type_name(s->movement->type), STR_ARG(one->serial), STR_ARG(l->sku),
			       STR_ARG(l->location), what, place_text(t, &one->now)),
		       });
}

static void tell_line(struct serial_step *s, const struct movement_line *l, const char *kind, const char *detail)
{
	tell(s, &(struct drift){.line = l, .kind = kind, .detail = detail});
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
	tell_line(s, l, named ? "serials_differ" : "serials_missing",
		  arena_printf(t->arena, "%s of %s " STR_FMT " at " STR_FMT " names %u serial numbers.",
			       movement_type_name(s->movement->type), text, STR_ARG(l->sku), STR_ARG(l->location),
			       named));
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

/* ---- counts that came before by arrival, and after by their instant ---- */

static void note_exception(struct serial_step *s, struct serial_fact *f, struct str id)
{
	f->told = true;
	f->exception = id.n ? s->draft->txn->heads->exception : 0;
	f->exception_id = id;
}

/* They did not name it: where it was there, they have missed it. */
static void recount(struct serial_step *s, struct serial *one, int64_t occurred_at, int64_t movement)
{
	struct serial_book *b = s->draft->stock->serials;
	const struct serial_item *item = map_get(&b->items, one->sku);

	for (const struct serial_count *c = item ? item->counts : NULL; c; c = c->next) {
		struct serial_fact fact = {.place = c->location,
					   .line = c->line,
					   .said = {.state = SERIAL_UNKNOWN,
						    .location = c->location,
						    .lot = c->lot,
						    .owner = c->owner,
						    .occurred_at = c->occurred_at,
						    .movement = c->movement},
					   .leaves = SERIAL_MISSED | (c->all_lots ? SERIAL_ALL_LOTS : 0u)};
		struct serial_at before;

		if (c->taken_back || c->occurred_at < occurred_at ||
		    (c->occurred_at == occurred_at && c->movement <= movement) || serial_fact_of(one, c->movement))
			continue;
		before = serial_before(one, c->occurred_at, c->movement);
		if (!serial_counted_at(&before, &fact.said, c->all_lots))
			continue;
		fact.said.lot = before.lot;
		serial_add(b, s->draft->txn, one, &fact);
	}
}

static void tell_missed(struct serial_step *s, struct serial_fact *f)
{
	const struct movement_line line = {
	    .sku = f->of->sku, .location = f->place, .lot = f->found.lot, .owner = f->found.owner};
	struct txn *t = s->draft->txn;
	char when[TIME_TEXT];

	time_format(f->said.occurred_at, when);
	note_exception(
	    s, f,
	    tell(s, &(struct drift){
			.line = &line,
			.serial = f->of,
			.known = &f->found,
			.counted_at = f->said.occurred_at,
			.kind = "serial_missing",
			.detail = arena_printf(t->arena,
					       "count of serial number " STR_FMT " of " STR_FMT " at " STR_FMT
					       ": It was not counted at %s, and was %s by what was told since.",
					       STR_ARG(f->of->serial), STR_ARG(f->of->sku), STR_ARG(f->place), when,
					       place_text(t, &f->found)),
		    }));
	serial_write_fact(t, f);
}

static void close_exception(struct serial_step *s, const struct serial_fact *f)
{
	struct txn *t = s->draft->txn;
	struct serial_book *b = s->draft->stock->serials;
	struct serial_closed *c = arena_new(t->arena, struct serial_closed);
	char when[TIME_TEXT];
	struct json_writer w;
	struct str resolution;
	struct buf data;

	if (!c) {
		t->failed = true;
		return;
	}
	*c = (struct serial_closed){f->exception, b->closed};
	b->closed = c;
	time_format(s->movement->occurred_at, when);
	resolution =
	    str_from(arena_printf(t->arena, "Explained by the %s of %s, movement " STR_FMT ".",
				  movement_type_name(s->movement->type), when, STR_ARG(s->draft->movement_id)));
	txn_put(t, W_EXCEPTION_CLOSE, SV_INT(f->exception), SV_INT(t->now), SV_TEXT(resolution));
	txn_count(t, COUNTED_EXCEPTIONS, STR("serial_missing"), STR_NONE, STR_NONE, -1);
	buf_init(&data, 64u << 10);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "exception_id", f->exception_id);
	jw_key_text(&w, "kind", STR("serial_missing"));
	jw_key_text(&w, "resolution", resolution);
	jw_object_end(&w);
	txn_event(t, "exception.resolved", f->of->sku, 0, txn_text(t, &data));
	buf_done(&data);
}

/* After something that is late, or was taken back: what counts have missed now is told, what they have not is closed.
 */
static void look_again(struct serial_step *s, struct serial *one, int64_t occurred_at, int64_t movement)
{
	if (!one->whole)
		return;
	recount(s, one, occurred_at, movement);
	for (struct serial_fact *f = one->facts; f; f = f->next) {
		bool lost = f->lost && !f->taken_back;

		if (lost && !f->told)
			tell_missed(s, f);
		if (lost || !f->told)
			continue;
		if (f->exception)
			close_exception(s, f);
		f->told = false;
		f->exception = 0;
		serial_write_fact(s->draft->txn, f);
	}
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
		if (full)
			look_again(s, one, fact.said.occurred_at, fact.said.movement);
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
	if (full)
		look_again(s, one, fact.said.occurred_at, fact.said.movement);
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
		note_exception(s, &fact, tell_serial(s, l, one, "serial_missing", "It was not counted."));
		serial_add(s->draft->stock->serials, s->draft->txn, one, &fact);
	}
}

/* For facts that are told later. */
static void note_count(struct serial_step *s, const struct movement_line *l, bool all_lots)
{
	struct txn *t = s->draft->txn;

	(void)serial_count_add(s->draft->stock->serials, t,
			       &(struct serial_count){.sku = l->sku,
						      .location = l->location,
						      .lot = l->lot,
						      .owner = l->owner,
						      .occurred_at = s->movement->occurred_at,
						      .movement = s->draft->seq,
						      .line = l->number,
						      .all_lots = all_lots});
	txn_put(t, W_SERIAL_COUNT, SV_TEXT(l->sku), SV_INT(s->movement->occurred_at), SV_INT(s->draft->seq),
		SV_TEXT(l->location), SV_TEXT(l->lot), SV_TEXT(l->owner), SV_INT(l->number), SV_INT(all_lots));
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
	if (!all || !full)
		return;
	if (book && book->truncated) {
		tell_line(s, l, "serials_uncounted",
			  "There are too many serial numbers here to say which of them were not counted.");
		return;
	}
	note_count(s, l, all_lots);
	if (book)
		count_missing(s, l, book, all_lots);
}

/* ---- taking back ---- */

static bool is_named(const struct movement *m, struct str sku, struct str place, uint32_t line,
		     const struct serial_at *at)
{
	for (size_t i = 0; i < m->line_count; i++) {
		const struct movement_line *l = &m->lines[i];

		if ((!l->of_line || l->of_line - 1 == line) && str_eq(l->sku, sku) && str_eq(l->location, place) &&
		    (str_eq(l->owner, at->owner) || (!l->owner.n && m->order_id.n)) &&
		    (!l->lot.n || str_eq(l->lot, at->lot)))
			return true;
	}
	return m->line_count == 0;
}

/* What is told from now on was not missing from it. */
static void forget_count(struct serial_step *s, struct serial_count *c)
{
	c->taken_back = true;
	txn_put(s->draft->txn, W_SERIAL_COUNT_BACK, SV_TEXT(c->sku), SV_INT(c->occurred_at), SV_INT(c->movement),
		SV_TEXT(c->location), SV_TEXT(c->lot), SV_TEXT(c->owner));
}

static void put_back(struct serial_step *s, struct serial_fact *f)
{
	struct serial_at after;
	struct serial_fact back;

	serial_take_back(s->draft->txn, f);
	look_again(s, f->of, f->after.occurred_at, f->after.movement);
	after = f->of->now;
	after.movement = s->draft->seq;
	after.occurred_at = s->movement->occurred_at;
	back = (struct serial_fact){.of = f->of, .place = f->place, .line = f->line};
	serial_write_move(s->draft->txn, &back, &after, SERIAL_MOVE_TAKES_BACK);
}

void serial_step_reverse(struct serial_step *s)
{
	struct serial_book *b = s->draft->stock->serials;

	for (struct serial_count *c = b->counts; c; c = c->next_any)
		if (c->movement == s->draft->told && !c->taken_back &&
		    is_named(s->movement, c->sku, c->location, c->line,
			     &(struct serial_at){.lot = c->lot, .owner = c->owner}))
			forget_count(s, c);
	for (struct serial_undo *u = b->undo; u; u = u->next)
		if (is_named(s->movement, u->fact->of->sku, u->fact->place, u->fact->line, &u->fact->after))
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
