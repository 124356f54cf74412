/*
 * The facts of one serial number, in order of occurred_at (of equal ones, in order of the log), and what they come to.
 *
 * A fact says where the serial number is, but may leave a part of that as it was: the lot and the owner that its line
 * does not name; all of it for a count that found the serial number where it was. A count that did not find it says
 * that it is lost, if it was there at that instant. So a fact that arrives late, or is taken back, can change what
 * later ones come to. They are gone through again then; the rows of those that come to something else are written
 * again.
 */
#include "orchestrate/stock/serial.h"

#include <assert.h>

static struct serial_at at_of(struct txn *t, const struct store_value *row)
{
	return (struct serial_at){
	    .state = (enum serial_state)row[2].integer,
	    .location = txn_copy(t, row[3].bytes),
	    .lot = txn_copy(t, row[4].bytes),
	    .owner = txn_copy(t, row[5].bytes),
	    .order_id = txn_copy(t, row[6].bytes),
	    .movement = row[7].integer,
	    .occurred_at = row[8].integer,
	};
}

void serial_put(struct serial_book *b, struct txn *t, const struct store_value *row)
{
	struct serial *s = serial_make(b, t, row[0].bytes, row[1].bytes);

	if (!s || s->fetched)
		return;
	s->fetched = true;
	s->now = at_of(t, row);
}

struct serial_fact *serial_fact_of(const struct serial *s, int64_t movement)
{
	for (struct serial_fact *f = s->facts; f; f = f->next)
		if (f->after.movement == movement && !f->taken_back)
			return f;
	return NULL;
}

static bool happened_before(const struct serial_at *a, const struct serial_at *b)
{
	return a->occurred_at < b->occurred_at || (a->occurred_at == b->occurred_at && a->movement < b->movement);
}

/* One movement may name it in two lines: the last line stands. */
static void insert(struct serial *s, struct serial_fact *fact)
{
	struct serial_fact **at = &s->facts;

	while (*at && happened_before(&(*at)->after, &fact->after))
		at = &(*at)->next;
	fact->next = *at && (*at)->after.movement == fact->after.movement ? (*at)->next : *at;
	*at = fact;
}

/* What was said, of a row that has what it came to. */
static void read_said(struct serial_fact *f)
{
	f->said = f->after;
	if (f->leaves & SERIAL_LEAVES_LOT)
		f->said.lot = STR_NONE;
	if (f->leaves & SERIAL_LEAVES_OWNER)
		f->said.owner = STR_NONE;
	f->lost = f->told = (f->leaves & SERIAL_LOST) != 0;
	f->leaves &= ~(unsigned)SERIAL_LOST;
	if (f->leaves & (SERIAL_SEEN | SERIAL_MISSED)) {
		f->said.state = f->leaves & SERIAL_SEEN ? SERIAL_IN_STOCK : SERIAL_UNKNOWN;
		f->said.location = f->place;
		f->said.order_id = STR_NONE;
	}
}

struct serial *serial_fact_put(struct serial_book *b, struct txn *t, const struct store_value *row)
{
	struct serial *s = serial_make(b, t, row[0].bytes, row[1].bytes);
	struct serial_fact *f;

	if (!s || s->whole)
		return s;
	f = arena_new(t->arena, struct serial_fact);
	if (!f) {
		t->failed = true;
		return NULL;
	}
	*f = (struct serial_fact){.of = s,
				  .place = txn_copy(t, row[9].bytes),
				  .after = at_of(t, row),
				  .leaves = (unsigned)row[10].integer,
				  .late = row[11].integer != 0,
				  .line = (uint32_t)row[12].integer};
	if (row[14].bytes.n) {
		f->exception = row[13].integer;
		f->exception_id = txn_copy(t, row[14].bytes);
	}
	read_said(f);
	insert(s, f);
	return s;
}

bool serial_counted_at(const struct serial_at *at, const struct serial_at *count, bool all_lots)
{
	return serial_is_here(at->state) && str_eq(at->location, count->location) && str_eq(at->owner, count->owner) &&
	       (all_lots || str_eq(at->lot, count->lot));
}

/* Where it is after the fact, which is to be written as f->after: of a count that passes it by, that has the count's
 * own lot and owner. */
static struct serial_at come_to(struct serial_fact *f, const struct serial_at *before)
{
	bool here = serial_counted_at(before, &f->said, f->leaves & SERIAL_ALL_LOTS);
	struct serial_at at = f->said;

	if (f->leaves & SERIAL_LEAVES_LOT)
		at.lot = before->lot;
	if (f->leaves & SERIAL_LEAVES_OWNER)
		at.owner = before->owner;
	if ((f->leaves & SERIAL_SEEN) && here) {
		at.state = before->state;
		at.order_id = before->order_id;
	}
	f->lost = (f->leaves & SERIAL_MISSED) && here;
	if (f->lost) {
		at.lot = before->lot;
		f->found = *before;
	}
	f->after = at;
	if ((f->leaves & SERIAL_MISSED) && !here) {
		at = *before;
		at.movement = f->said.movement;
		at.occurred_at = f->said.occurred_at;
		f->after.state = at.state;
		f->after.location = at.location;
		f->after.order_id = at.order_id;
	}
	return at;
}

void serial_write_fact(struct txn *t, const struct serial_fact *f)
{
	serial_write_move(t, f, &f->after, f->taken_back ? SERIAL_MOVE_TAKEN_BACK : SERIAL_MOVE_STANDS);
}

static bool same(const struct serial_at *a, const struct serial_at *b)
{
	return a->state == b->state && str_eq(a->location, b->location) && str_eq(a->lot, b->lot) &&
	       str_eq(a->owner, b->owner) && str_eq(a->order_id, b->order_id);
}

void serial_write_move(struct txn *t, const struct serial_fact *f, const struct serial_at *after,
		       enum serial_move_kind kind)
{
	txn_put(t, W_SERIAL_MOVE, SV_TEXT(f->of->sku), SV_TEXT(f->of->serial), SV_INT(after->movement), SV_INT(kind),
		SV_INT(after->occurred_at), SV_TEXT(f->place), SV_INT(after->state), SV_TEXT(after->location),
		SV_TEXT(after->lot), SV_TEXT(after->owner), SV_TEXT(after->order_id),
		SV_INT(f->leaves | (f->lost ? SERIAL_LOST : 0u)), SV_INT(f->late), SV_INT(f->line),
		SV_INT(f->exception));
}

static void set_now(struct txn *t, struct serial *s, const struct serial_at *at)
{
	s->now = *at;
	txn_put(t, W_SERIAL, SV_TEXT(s->sku), SV_TEXT(s->serial), SV_INT(at->state), SV_TEXT(at->location),
		SV_TEXT(at->lot), SV_TEXT(at->owner), SV_TEXT(at->order_id), SV_INT(at->movement),
		SV_INT(at->occurred_at));
}

/* added: is written whatever it comes to; or NULL. */
static void go_through(struct txn *t, struct serial *s, const struct serial_fact *added)
{
	struct serial_at now = {.state = SERIAL_UNKNOWN};

	for (struct serial_fact *f = s->facts; f; f = f->next) {
		struct serial_at was = f->after;
		bool was_lost = f->lost;

		if (f->taken_back)
			continue;
		now = come_to(f, &now);
		if (f == added || f->lost != was_lost || !same(&f->after, &was))
			serial_write_fact(t, f);
	}
	if (now.movement != s->now.movement || !same(&now, &s->now))
		set_now(t, s, &now);
}

void serial_add(struct serial_book *b, struct txn *t, struct serial *s, const struct serial_fact *fact)
{
	struct serial_fact *f = arena_new(t->arena, struct serial_fact);
	struct serial_at now;

	if (!f) {
		t->failed = true;
		return;
	}
	*f = *fact;
	f->of = s;
	f->after = f->said;
	f->next_made = b->made;
	b->made = f;
	insert(s, f);
	if (s->whole) {
		go_through(t, s, f);
		return;
	}
	assert(!f->late);
	now = come_to(f, &s->now);
	serial_write_fact(t, f);
	set_now(t, s, &now);
}

void serial_take_back(struct txn *t, struct serial_fact *f)
{
	f->taken_back = true;
	serial_write_fact(t, f);
	go_through(t, f->of, NULL);
}

struct serial_at serial_before(struct serial *s, int64_t occurred_at, int64_t movement)
{
	const struct serial_at then = {.occurred_at = occurred_at, .movement = movement};
	struct serial_at now = {.state = SERIAL_UNKNOWN};

	for (struct serial_fact *f = s->facts; f && happened_before(&f->after, &then); f = f->next)
		if (!f->taken_back)
			now = come_to(f, &now);
	return now;
}
