/* Movements as they are made: each entry is applied as it is posted, and all of them become one row of the ledger. */
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/ledger.h"
#include "orchestrate/stock/past.h"
#include "orchestrate/stock/stock.h"

#include <assert.h>

#define ENTRIES_MAX (4u << 20)

void stock_draft_begin(struct stock_draft *d, struct stock *s, struct txn *t, struct str type, int64_t occurred_at)
{
	*d = (struct stock_draft){
	    .stock = s,
	    .txn = t,
	    .type = type,
	    .source = t->cause.source,
	    .seq = t->heads->movement + 1,
	    .told = t->heads->movement + 1,
	    .occurred_at = occurred_at,
	};
	buf_init(&d->entries, ENTRIES_MAX);
}

void stock_mark_dirty(struct stock *s, struct stock_place *p, int64_t seq)
{
	p->through = seq;
	if (p->dirty_since)
		return;
	p->dirty_since = seq;
	p->next_dirty = NULL;
	*s->dirty_last = p;
	s->dirty_last = &p->next_dirty;
}

/* Stock of a lot or an owner has an age. */
void stock_note_since(struct stock_place *p, int64_t at)
{
	if (p->since || (!p->position.lot.n && !p->position.owner.n))
		return;
	p->since = at < 1000 ? 1 : (uint32_t)(at / 1000);
	stock_reorder(p->item, p);
}

/* True if it was not known. */
bool stock_set_expiry(struct stock_place *p, int32_t expires_on)
{
	if (p->position.expires_on == expires_on)
		return false;
	p->position.expires_on = expires_on;
	stock_reorder(p->item, p);
	return true;
}

/* One side of an entry. */
static void apply_side(struct stock_place *p, enum stock_state state, qty_t delta)
{
	if (state != STOCK_OUTSIDE)
		p->position.states[state] += delta;
}

static void apply(struct stock *s, struct stock_place *p, enum stock_state from, struct stock_place *q,
		  enum stock_state to, qty_t quantity, int64_t seq, int64_t occurred_at)
{
	bool leaves = stock_state_on_hand(from), enters = stock_state_on_hand(to);

	stock_note_since(p, occurred_at);
	stock_note_since(q, occurred_at);
	apply_side(p, from, -quantity);
	apply_side(q, to, quantity);
	if (leaves && !(enters && p == q))
		past_change(p, occurred_at, -quantity);
	if (enters && !(leaves && p == q))
		past_change(q, occurred_at, quantity);
	stock_mark_dirty(s, p, seq);
	item_touch(s, p->item);
	if (p != q)
		stock_mark_dirty(s, q, seq);
	if (to == STOCK_FREE && p->item->waiting)
		stock_restock(s, p->item);
}

/* The movement before this one, once a movement. */
static int64_t chain(struct stock_draft *d, struct stock_item *i)
{
	int64_t previous = i->last;

	if (previous == d->seq)
		return 0;
	i->last = d->seq;
	return previous;
}

static void post(struct stock_draft *d, struct stock_place *p, enum stock_state from, struct stock_place *to_place,
		 enum stock_state to, qty_t quantity)
{
	const struct config_location *locations = d->stock->tenant->locations;
	struct stock_place *q = to_place ? to_place : p;

	assert(quantity > 0 && p->item == q->item && (from != to || p != q));
	assert(p == q || (str_eq(p->position.lot, q->position.lot) && str_eq(p->position.owner, q->position.owner)));
	entry_pack(&d->entries,
		   &(struct entry){
		       .sku = p->item->sku,
		       .location = locations[p->position.location].name,
		       .lot = p->position.lot,
		       .owner = p->position.owner,
		       .to_location = q == p ? STR_NONE : locations[q->position.location].name,
		       .from = from,
		       .to = to,
		       .quantity = quantity,
		       .previous = chain(d, p->item),
		       .line = d->line,
		   },
		   &d->line_packed);
	d->consigned |= p->position.consignor != CONSIGNOR_NONE;
	apply(d->stock, p, from, q, to, quantity, d->seq, d->occurred_at);
}

static bool came_before(int64_t occurred_at, int64_t told, struct past_count count)
{
	return occurred_at < count.at || (occurred_at == count.at && told < count.by);
}

bool stock_was_counted(const struct stock_place *p, int64_t occurred_at, int64_t told)
{
	const struct stock_place *none;

	if (came_before(occurred_at, told, past_last_count(p)))
		return true;
	if (!p->position.lot.n || !p->item->rules || !p->item->rules->lot_tracked)
		return false;
	none = stock_place_find(p->item, p->position.location, STR_NONE, p->position.owner);
	return none && came_before(occurred_at, told, past_last_count(none));
}

static bool counted_later(const struct stock_draft *d, const struct stock_place *p)
{
	return d->fact && stock_was_counted(p, d->occurred_at, d->told);
}

void stock_post(struct stock_draft *d, struct stock_place *p, enum stock_state from, struct stock_place *to_place,
		enum stock_state to, qty_t quantity)
{
	struct stock_place *q = to_place ? to_place : p;
	bool leaves = stock_state_on_hand(from), enters = stock_state_on_hand(to);

	post(d, p, from, to_place, to, quantity);
	if (leaves && !(enters && p == q) && counted_later(d, p))
		post(d, p, STOCK_OUTSIDE, NULL, STOCK_FREE, quantity);
	if (enters && !(leaves && p == q) && counted_later(d, q))
		post(d, q, STOCK_FREE, NULL, STOCK_OUTSIDE, quantity);
}

static void note(struct stock_draft *d, const struct stock_place *p, qty_t quantity)
{
	entry_pack(&d->entries,
		   &(struct entry){
		       .sku = p->item->sku,
		       .location = d->stock->tenant->locations[p->position.location].name,
		       .lot = p->position.lot,
		       .owner = p->position.owner,
		       .from = STOCK_OUTSIDE,
		       .to = STOCK_OUTSIDE,
		       .quantity = quantity,
		       .previous = chain(d, p->item),
		       .line = d->line,
		   },
		   &d->line_packed);
}

void stock_counted(struct stock_draft *d, struct stock_place *p)
{
	past_counted(p, d->occurred_at, d->seq);
	stock_mark_dirty(d->stock, p, d->seq);
	note(d, p, 0);
}

void stock_lot_expires(struct stock_draft *d, struct stock_place *p, int32_t expires_on)
{
	const struct stock_item *i = p->item;
	struct stock_place *changed[64];
	bool any = false;

	assert(expires_on > 0 && p->position.lot.n);
	for (uint32_t left = i->place_count; left > 0;) {
		size_t n = 0;

		/* Setting it moves places in the list: first who they are. */
		for (uint32_t k = 0; k < i->place_count && n < 64; k++)
			if (str_eq(i->places[k]->position.lot, p->position.lot) &&
			    i->places[k]->position.expires_on != expires_on)
				changed[n++] = i->places[k];
		for (size_t k = 0; k < n; k++) {
			any |= stock_set_expiry(changed[k], expires_on);
			stock_mark_dirty(d->stock, changed[k], d->seq);
		}
		left = n < 64 ? 0 : left - 64;
	}
	if (!any)
		return;
	stock_touch(d->stock, p->item);
	note(d, p, expires_on);
}

int64_t stock_draft_end(struct stock_draft *d, bool keep_empty)
{
	struct txn *t = d->txn;
	int64_t seq = 0;

	if (d->entries.n > 0 || keep_empty) {
		seq = ++t->heads->movement;
		assert(seq == d->seq);
		if (!d->movement_id.n)
			d->movement_id = txn_uuid(t);
		txn_put(t, W_MOVEMENT, SV_INT(seq), SV_TEXT(d->movement_id), SV_INT(t->now), SV_INT(d->occurred_at),
			SV_TEXT(d->type), SV_TEXT_OPT(d->source), SV_TEXT_OPT(d->source_event_id),
			SV_TEXT_OPT(d->order_id), SV_TEXT_OPT(d->reason), SV_TEXT(t->cause.correlation_id),
			SV_BLOB(txn_text(t, &d->entries)));
	}
	buf_done(&d->entries);
	return seq;
}
