/* The ledger from its rows: snapshots of positions, and the movements that are not in them. */
#include "orchestrate/stock/ledger.h"
#include "orchestrate/stock/past.h"

static bool parse_int(struct str text, int64_t *out)
{
	bool negative = text.n > 0 && text.p[0] == '-';
	int64_t v = 0;

	if (text.n <= (size_t)negative)
		return false;
	for (size_t n = negative; n < text.n; n++) {
		if (text.p[n] < '0' || text.p[n] > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, text.p[n] - '0', &v))
			return false;
	}
	*out = negative ? -v : v;
	return true;
}

struct replay {
	struct stock *stock;
	int64_t seq, at;
	struct err *e;
};

static enum rc find_location(const struct stock *s, struct str name, uint16_t *index, struct err *e)
{
	const struct config_location *l = config_find_location(s->tenant, name);

	if (l) {
		*index = l->index;
		return RC_OK;
	}
	return err_set(e, RC_CONFLICT, "location_missing",
		       "location " STR_FMT " of tenant " STR_FMT " has stock, but is not in the configuration",
		       STR_ARG(name), STR_ARG(s->tenant->name));
}

/* inside: the other side of the entry is on hand at the same place, so that the quantity there did not change. False:
 * the sum cannot be. */
static bool replay_side(struct replay *r, struct stock_place *p, enum stock_state state, qty_t delta, bool inside)
{
	qty_t sum = 0;

	if (r->seq <= p->loaded)
		return true;
	stock_note_since(p, r->at);
	if (stock_state_on_hand(state) && !inside)
		past_change(p, r->at, delta);
	if (state != STOCK_OUTSIDE && __builtin_add_overflow(p->position.states[state], delta, &sum))
		return false;
	if (state != STOCK_OUTSIDE)
		p->position.states[state] = sum;
	stock_mark_dirty(r->stock, p, r->seq);
	return true;
}

/* An entry that moves nothing. */
static enum rc replay_note(struct replay *r, struct stock_place *p, qty_t day)
{
	struct stock_item *i = p->item;

	if (day < 0 || day > INT32_MAX)
		return RC_IO;
	if (r->seq <= p->loaded)
		return RC_OK;
	stock_mark_dirty(r->stock, p, r->seq);
	if (day == 0)
		past_counted(p, r->at, r->seq);
	for (uint32_t n = 0; day > 0 && n < i->place_count; n++) {
		struct stock_place *same = i->places[n];

		if (!str_eq(same->position.lot, p->position.lot) || !stock_set_expiry(same, (int32_t)day))
			continue;
		stock_mark_dirty(r->stock, same, r->seq);
		n = (uint32_t)-1; /* it has moved in the list */
	}
	return RC_OK;
}

static enum rc replay_entry(void *ctx, const struct entry *en)
{
	struct replay *r = ctx;
	struct stock_item *i = stock_item_make(r->stock, NULL, en->sku, STR_NONE);
	struct stock_place *p, *q;
	uint16_t location;
	enum rc rc = find_location(r->stock, en->location, &location, r->e);

	if (rc != RC_OK)
		return rc;
	if (!i)
		return err_set(r->e, RC_LIMIT, "too_many_items", "the limit on items (limits.items) is reached");
	if (r->seq > i->last)
		i->last = r->seq;
	p = q = stock_place_make(r->stock, i, location, en->lot, en->owner);
	if (en->from == STOCK_OUTSIDE && en->to == STOCK_OUTSIDE)
		return replay_note(r, p, en->quantity);
	if (en->to_location.n) {
		rc = find_location(r->stock, en->to_location, &location, r->e);
		if (rc != RC_OK)
			return rc;
		q = stock_place_make(r->stock, i, location, en->lot, en->owner);
	}
	if (!replay_side(r, p, en->from, -en->quantity, p == q && stock_state_on_hand(en->to)) ||
	    !replay_side(r, q, en->to, en->quantity, p == q && stock_state_on_hand(en->from)))
		return RC_IO;
	return RC_OK;
}

enum rc stock_replay(struct stock *s, int64_t seq, int64_t at, struct str entries, struct err *e)
{
	struct replay r = {s, seq, at, e};
	enum rc rc = entries_each(entries, replay_entry, &r);

	if (rc == RC_IO)
		return err_set(e, RC_IO, "store_damaged", "the entries of movement %lld are damaged", (long long)seq);
	return rc;
}

static bool next_int(struct str *in, int64_t *out)
{
	const char *end = memchr(in->p, ' ', in->n);
	size_t length = end ? (size_t)(end - in->p) : in->n;
	bool good = parse_int((struct str){in->p, length}, out);

	in->p += length + (end ? 1 : 0);
	in->n -= length + (end ? 1 : 0);
	return good;
}

static enum rc damaged_position(struct str sku, struct str location, struct err *e)
{
	return err_set(e, RC_IO, "store_damaged", "the position of " STR_FMT " at " STR_FMT " is damaged", STR_ARG(sku),
		       STR_ARG(location));
}

/* Rows of positions come in the order of the items' rows, so that the next item is mostly the next one there. */
static struct stock_item *load_find(struct stock *s, struct str sku)
{
	for (size_t n = s->load_at; n < s->item_count && n < s->load_at + 2; n++) {
		if (!str_eq(s->list[n]->sku, sku))
			continue;
		s->load_at = n;
		return s->list[n];
	}
	return stock_item_make(s, NULL, sku, STR_NONE);
}

enum rc stock_load_position(struct stock *s, struct str sku, struct str location, struct str lot, struct str owner,
			    int64_t through, struct str states, struct err *e)
{
	struct stock_item *i = load_find(s, sku);
	int64_t rest[5 + 2 * STOCK_RECENTS];
	size_t count = 0;
	struct stock_place *p;
	uint16_t index;
	enum rc rc = find_location(s, location, &index, e);

	if (rc != RC_OK)
		return rc;
	if (!i)
		return err_set(e, RC_LIMIT, "too_many_items", "the limit on items (limits.items) is reached");
	p = stock_place_make(s, i, index, lot, owner);
	p->loaded = p->through = through;
	if (through > i->last)
		i->last = through;
	for (size_t n = 0; n < STOCK_STATES; n++)
		if (!next_int(&states, &p->position.states[n]))
			return damaged_position(sku, location, e);
	if (!states.n)
		return RC_OK;
	while (states.n && count < sizeof(rest) / sizeof(rest[0]))
		if (!next_int(&states, &rest[count++]))
			return damaged_position(sku, location, e);
	if (count < 2 || rest[0] < 0 || rest[0] > UINT32_MAX || rest[1] < 0 || rest[1] > INT32_MAX || states.n ||
	    (count > 2 && !past_read(p, rest + 2, count - 2)))
		return damaged_position(sku, location, e);
	p->since = (uint32_t)rest[0];
	p->position.expires_on = (int32_t)rest[1];
	stock_reorder(i, p);
	return RC_OK;
}
