/*
 * Taking a movement back: the opposite of each of its entries, in a movement of its own. What was promised when it left
 * (held, allocated, picked) comes back as free stock: the promise is the order's, which has gone on. What has left the
 * state into which it was moved is taken from where such stock goes: what was cleared is free, what has arrived came
 * from outside if it was not on its way.
 *
 * The opposite is of the instant of what is taken back, not of the reversal's: what was counted after that instant was
 * counted without the mistake, so there stock_post leaves on hand as it is. Of that very instant too: what was told
 * before the count is in it, what was told after it came on top. A start finds what was decided in the entries.
 */
#include "base/mem.h"
#include "orchestrate/stock/serial.h"
#include "orchestrate/stock/terms.h"
#include "orchestrate/stock/verbs_internal.h"

#include <stdio.h>

struct reversal {
	struct stock *stock;
	struct txn *txn;
	struct stock_draft *draft;
	const struct movement *m;
	const struct movement_undo *undo;
	struct entry *entries;
	struct str sku, location, lot, owner; /* of the line that is looked for */
	bool has_lot, any_owner;
	uint32_t line; /* the same: its number, from 1; 0: any */
	size_t at, found;
	struct entry told;  /* the last entry that a count has not added */
	qty_t all, outside; /* what the line's entries moved */
};

static enum rc count_entry(void *ctx, const struct entry *e)
{
	(void)e;
	++*(size_t *)ctx;
	return RC_OK;
}

size_t stock_entry_count(struct str entries)
{
	size_t n = 0;

	return entries_each(entries, count_entry, &n) == RC_OK ? n : 0;
}

static bool moves(const struct entry *e)
{
	return e->from != STOCK_OUTSIDE || e->to != STOCK_OUTSIDE;
}

/* Was it added by stock_post, because a later count has seen what the entry before it moves? */
static bool was_counted(const struct entry *e, const struct entry *told)
{
	bool left = e->from == STOCK_OUTSIDE && e->to == STOCK_FREE && stock_state_on_hand(told->from);
	bool came = e->from == STOCK_FREE && e->to == STOCK_OUTSIDE && stock_state_on_hand(told->to);
	struct str to = told->to_location.n ? told->to_location : told->location;

	return e->quantity == told->quantity && str_eq(e->sku, told->sku) && str_eq(e->lot, told->lot) &&
	       str_eq(e->owner, told->owner) &&
	       ((left && str_eq(e->location, told->location)) || (came && str_eq(e->location, to)));
}

static enum rc choose_entry(void *ctx, const struct entry *e)
{
	struct reversal *r = ctx;
	size_t at = r->at++;
	bool counted = at > 0 && was_counted(e, &r->told);

	if (!counted)
		r->told = *e;
	if (!moves(e) || (r->line && e->line != r->line - 1) || !str_eq(e->sku, r->sku) ||
	    !str_eq(e->location, r->location) || (!r->any_owner && !str_eq(e->owner, r->owner)) ||
	    (r->has_lot && !str_eq(e->lot, r->lot)))
		return RC_OK;
	r->found++;
	r->undo->chosen[at] = true;
	if (counted)
		return RC_OK;
	r->all += e->quantity;
	if (e->from == STOCK_OUTSIDE || e->to == STOCK_OUTSIDE)
		r->outside += e->quantity;
	return RC_OK;
}

static enum rc choose_all(void *ctx, const struct entry *e)
{
	struct reversal *r = ctx;

	if (moves(e))
		r->undo->chosen[r->at] = true;
	r->at++;
	return RC_OK;
}

/* ---- the lines that are named ---- */

/* As the ledger keeps them. */
struct named {
	struct movement_line *lines;
	size_t *of; /* by line: of which one that was told */
	size_t count;
};

/* By what the source calls it, in base units, a kit by its components. */
static enum rc read_line(const struct reversal *r, const struct order_open *order, size_t i, struct movement *out,
			 struct err *e)
{
	struct movement_line *copy = arena_new(r->txn->arena, struct movement_line);
	static const char head[] = "/lines/0";
	char tail[32];
	enum rc rc;

	if (!copy)
		return err_set(e, RC_LIMIT, "too_many_lines", "the movement has too many lines");
	*copy = r->m->lines[i];
	*out = *r->m;
	out->lines = copy;
	out->line_count = 1;
	rc = verbs_prepare(r->stock, r->txn, out, order, e);
	if (rc == RC_OK || strncmp(e->where, head, strlen(head)) != 0)
		return rc;
	snprintf(tail, sizeof(tail), "%.31s", e->where + strlen(head));
	snprintf(e->where, sizeof(e->where), "/lines/%zu%s", i, tail);
	return rc;
}

static enum rc read_lines(const struct reversal *r, const struct order_open *order, struct named *out, struct err *e)
{
	size_t room = 0;

	*out = (struct named){NULL, NULL, 0};
	for (size_t i = 0; i < r->m->line_count; i++) {
		struct movement one;
		enum rc rc = read_line(r, order, i, &one, e);
		size_t need;

		if (rc != RC_OK)
			return rc;
		need = out->count + one.line_count;
		if (need > room) {
			struct arena *a = r->txn->arena;

			out->lines =
			    arena_grow(a, out->lines, room * sizeof(*out->lines), 2 * need * sizeof(*out->lines));
			out->of = arena_grow(a, out->of, room * sizeof(*out->of), 2 * need * sizeof(*out->of));
			room = 2 * need;
			if (!out->lines || !out->of)
				return err_set(e, RC_LIMIT, "too_many_lines", "the movement has too many lines");
		}
		for (size_t n = 0; n < one.line_count; n++) {
			out->of[out->count] = i;
			out->lines[out->count++] = one.lines[n];
		}
	}
	return RC_OK;
}

static bool same_goods(const struct movement_line *a, const struct movement_line *b)
{
	return str_eq(a->sku, b->sku) && str_eq(a->location, b->location) && str_eq(a->lot, b->lot) &&
	       str_eq(a->owner, b->owner);
}

/* What the lines name of these goods together: a component may be of several kits. *mixed: some name a line's number
 * and some do not, so that they may name the same twice. */
static qty_t named_of(const struct named *named, const struct movement_line *l, bool *mixed)
{
	__int128 sum = 0;

	*mixed = false;
	for (size_t i = 0; i < named->count; i++) {
		const struct movement_line *k = &named->lines[i];

		if (!same_goods(k, l))
			continue;
		*mixed = *mixed || !k->of_line != !l->of_line;
		if (k->of_line == l->of_line)
			sum += k->quantity < 0 ? -k->quantity : k->quantity;
	}
	return sum > QTY_MAX ? QTY_MAX : (qty_t)sum;
}

/* True: they have moved just that. */
static enum rc choose_goods(struct reversal *r, const struct movement_line *l, qty_t quantity, bool any_owner,
			    bool *fits, struct err *e)
{
	r->sku = l->sku;
	r->location = l->location;
	r->owner = l->owner;
	r->line = l->of_line;
	r->any_owner = any_owner;
	r->lot = l->lot;
	r->has_lot = l->lot.n > 0;
	r->at = r->found = 0;
	r->all = r->outside = 0;
	if (entries_each(r->undo->entries, choose_entry, r) != RC_OK)
		return err_set(e, RC_IO, "store_damaged", "the entries of the movement are damaged");
	*fits = r->found && (quantity == r->all || quantity == r->outside);
	return RC_OK;
}

/* A line that names no owner is of ours, or of what an order had of anybody's. */
static enum rc choose_line(struct reversal *r, const struct named *named, size_t i, struct err *e)
{
	const struct movement_line *l = &named->lines[i];
	char where[48];
	bool fits, mixed;
	qty_t quantity = named_of(named, l, &mixed);
	enum rc rc;

	snprintf(where, sizeof(where), "/lines/%zu", named->of[i]);
	if (mixed)
		return err_set_at(e, RC_INVALID, "ambiguous_line", where,
				  "of the same goods either every line is named by its number or none");
	rc = choose_goods(r, l, quantity, false, &fits, e);

	if (rc == RC_OK && !fits && !l->owner.n)
		rc = choose_goods(r, l, quantity, true, &fits, e);
	if (rc != RC_OK || fits)
		return rc;
	if (!r->found)
		return err_set_at(e, RC_INVALID, "not_in_movement", where,
				  "the movement has no such line of " STR_FMT " at " STR_FMT, STR_ARG(l->sku),
				  STR_ARG(l->location));
	return err_set_at(e, RC_INVALID, "quantity_differs", where,
			  "a line is taken back as a whole, with the quantity that it moved");
}

/* The entries of the lines that are named, or all. */
static enum rc choose(struct reversal *r, const struct named *named, struct err *e)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < named->count && rc == RC_OK; i++)
		rc = choose_line(r, named, i, e);
	r->at = 0;
	if (rc == RC_OK && !named->count && entries_each(r->undo->entries, choose_all, r) != RC_OK)
		return err_set(e, RC_IO, "store_damaged", "the entries of the movement are damaged");
	return rc;
}

static enum stock_state back_to(enum stock_state s)
{
	return s == STOCK_HELD || s == STOCK_ALLOCATED || s == STOCK_PICKED ? STOCK_FREE : s;
}

static enum stock_state gone_to(enum stock_state s)
{
	return s == STOCK_QUARANTINED || s == STOCK_DAMAGED ? STOCK_FREE : STOCK_OUTSIDE;
}

static void post(struct reversal *r, struct stock_place *q, enum stock_state from, struct stock_place *p,
		 enum stock_state into, qty_t quantity)
{
	bool nowhere = from == into && (p == q || from == STOCK_OUTSIDE);

	if (quantity > 0 && !nowhere)
		stock_post(r->draft, q, from, p, into, quantity);
}

static enum rc keep_entry(void *ctx, const struct entry *e)
{
	struct reversal *r = ctx;

	r->entries[r->at++] = *e;
	return RC_OK;
}

static enum rc post_entry(struct reversal *r, const struct entry *e)
{
	const struct config_location *location = config_find_location(r->stock->tenant, e->location);
	const struct config_location *to =
	    config_find_location(r->stock->tenant, e->to_location.n ? e->to_location : e->location);
	struct stock_item *item = stock_find(r->stock, e->sku);
	struct stock_place *p, *q;
	enum stock_state from = back_to(e->to), into = back_to(e->from);
	qty_t there = e->quantity;

	if (!item || !location || !to)
		return RC_NOT_FOUND;
	p = stock_place_make(r->stock, item, location->index, e->lot, e->owner);
	q = stock_place_make(r->stock, item, to->index, e->lot, e->owner);
	if (from != STOCK_FREE && from != STOCK_OUTSIDE && q->position.states[from] < there)
		there = q->position.states[from] > 0 ? q->position.states[from] : 0;
	post(r, q, from, p, into, there);
	post(r, q, gone_to(from), p, into, e->quantity - there);
	arrival_settle(r->stock, item);
	return RC_OK;
}

/* The last one first: each undoes what those before it have led to. */
static enum rc post_entries(struct reversal *r, size_t count)
{
	enum rc rc;

	r->entries = mem_zalloc(count, sizeof(*r->entries));
	r->at = 0;
	rc = entries_each(r->undo->entries, keep_entry, r);
	for (size_t i = count; rc == RC_OK && i-- > 0;)
		if (r->undo->chosen[i] && !r->undo->taken[i])
			rc = post_entry(r, &r->entries[i]);
	free(r->entries);
	return rc;
}

enum rc stock_step_reverse(struct stock *s, const struct order_book *orders, struct txn *t,
			   const struct movement *given, const struct movement_undo *undo, struct movement_result *out,
			   struct err *e)
{
	struct stock_draft d;
	struct movement told = *given, *m = &told;
	struct reversal r = {.stock = s, .txn = t, .draft = &d, .m = given, .undo = undo};
	size_t count = stock_entry_count(undo->entries);
	struct named named;
	bool any = false;
	enum rc rc = read_lines(&r, m->order_id.n ? order_find(orders, m->order_id) : NULL, &named, e);

	if (rc == RC_OK)
		rc = choose(&r, &named, e);
	if (rc != RC_OK)
		return rc;
	m->lines = named.lines;
	m->line_count = named.count;
	for (size_t i = 0; i < count; i++) {
		if (undo->chosen[i] && undo->taken[i] && m->line_count)
			return err_set(e, RC_CONFLICT, "already_reversed", "a line was taken back already");
		any |= undo->chosen[i] && !undo->taken[i];
	}
	if (!any)
		return err_set(e, RC_CONFLICT, "already_reversed", "there is nothing left to take back");
	verbs_draft(&d, s, t, m);
	d.occurred_at = undo->occurred_at;
	d.told = undo->seq;
	rc = post_entries(&r, count);
	if (rc != RC_OK) {
		t->failed = true;
		return err_set(e, RC_IO, "store_damaged", "the movement names what is not there any more");
	}
	serial_step_reverse(&(struct serial_step){.draft = &d, .movement = m});
	*out = (struct movement_result){.consigned = verbs_event(&d, m, false), .movement_id = d.movement_id};
	out->seq = stock_draft_end(&d, true);
	return RC_OK;
}
