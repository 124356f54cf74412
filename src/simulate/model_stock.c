/* Movements: each changes what is there by what its warehouse said, and promises what is free only. */
#include "simulate/model_books.h"

#include "base/mem.h"

static bool is_on_hand(enum stock_state s)
{
	return s <= STOCK_DAMAGED;
}

int model_on_hand(const struct model *m, int item, int place)
{
	int n = 0;

	for (int s = 0; s < STOCK_STATES; s++)
		n += is_on_hand((enum stock_state)s) ? m->states[item][place][s] : 0;
	return n;
}

struct taking {
	struct model *m;
	const struct model_movement *row;
	struct model_order *order;
	int delta[MODEL_ITEMS][MODEL_PLACES]; /* of what is there: on hand or on its way to there */
	int hand[MODEL_ITEMS][MODEL_PLACES];  /* of what is on hand */
	struct model_theirs theirs;           /* of what others own */
	bool promised[MODEL_ITEMS][MODEL_PLACES][MODEL_LOTS];
	int taken[MODEL_ITEMS][MODEL_PLACES];   /* of what was free, for a channel */
	int shipped[MODEL_ITEMS][MODEL_PLACES]; /* of what the order had */
	int given[MODEL_ITEMS][MODEL_PLACES];   /* to the order, of what was held */
	int channel;                            /* -1: nobody's */
	int outside;                            /* entries to or from outside */
};

static const char *state_text(enum stock_state s)
{
	return s == STOCK_OUTSIDE ? "outside" : stock_state_name(s);
}

static void change(struct taking *t, int item, int place, int lot, enum stock_state s, int n)
{
	struct model *m = t->m;

	if (s == STOCK_OUTSIDE) {
		t->outside++;
		return;
	}
	m->states[item][place][s] += n;
	m->free[item][place][lot] += s == STOCK_FREE ? n : 0;
	t->hand[item][place] += is_on_hand(s) ? n : 0;
	if (is_on_hand(s) || s == STOCK_IN_TRANSIT)
		t->delta[item][place] += n;
	if (s != STOCK_FREE && m->states[item][place][s] < 0)
		model_break(m, "stock: movement %lld leaves %d units %s of %s at %s", (long long)t->row->seq,
			    m->states[item][place][s], state_text(s), model_items[item], model_places[place]);
}

static bool is_promise(enum stock_state s)
{
	return s == STOCK_HELD || s == STOCK_ALLOCATED;
}

static void entry_of_order(struct taking *t, const struct entry *e, int item, int place, int n)
{
	if (e->to != STOCK_ALLOCATED && e->from != STOCK_ALLOCATED)
		return;
	if (!t->order) {
		model_break(t->m, "orders: movement %lld changes the allocation of no order", (long long)t->row->seq);
		return;
	}
	t->order->allocated[item] += (e->to == STOCK_ALLOCATED ? n : 0) - (e->from == STOCK_ALLOCATED ? n : 0);
	t->order->has[item][place] += e->to == STOCK_ALLOCATED ? n : e->to == STOCK_OUTSIDE ? 0 : -n;
	t->order->blurred |= e->to == STOCK_PICKED;
	t->order->moved = true;
	t->shipped[item][place] += e->to == STOCK_OUTSIDE ? n : 0;
	t->given[item][place] += e->from == STOCK_HELD ? n : 0;
}

static enum rc take_entry(void *ctx, const struct entry *e)
{
	struct taking *t = ctx;
	int item = model_item(e->sku), place = model_place(e->location), to = place;
	int n = (int)(e->quantity / QTY_ONE), lot = model_find(model_lots, MODEL_LOTS, e->lot);

	if (e->to_location.n)
		to = model_place(e->to_location);
	if (item >= 0)
		t->m->known[item] = true;
	if (e->from == STOCK_OUTSIDE && e->to == STOCK_OUTSIDE)
		return RC_OK; /* a note, it moves nothing */
	if (item < 0 || place < 0 || to < 0 || lot < 0 || e->quantity <= 0 || e->quantity % QTY_ONE) {
		model_break(t->m, "stock: movement %lld moves %lld of an unknown item or place", (long long)t->row->seq,
			    (long long)e->quantity);
		return RC_OK;
	}
	if (e->owner.n) {
		const struct model_line l = {.item = item, .place = place, .to = to, .quantity = n};

		t->outside += (e->from == STOCK_OUTSIDE) + (e->to == STOCK_OUTSIDE);
		model_take_theirs(t->m, t->row, t->order, &t->theirs, e, &l);
		entry_of_order(t, e, item, place, n);
		return RC_OK;
	}
	change(t, item, place, lot, e->from, -n);
	change(t, item, to, lot, e->to, n);
	if (e->from == STOCK_FREE && is_promise(e->to))
		t->taken[item][place] += n;
	t->promised[item][place][lot] |= e->from == STOCK_FREE && is_promise(e->to);
	if (e->from == STOCK_FREE && is_promise(e->to) && t->m->states[item][place][STOCK_FREE] < 0)
		model_break(t->m, "oversold: movement %lld (" STR_FMT ") promises %d of %s at %s, %d more than is free",
			    (long long)t->row->seq, STR_ARG(t->row->type), n, model_items[item], model_places[place],
			    -t->m->states[item][place][STOCK_FREE]);
	entry_of_order(t, e, item, place, n);
	return RC_OK;
}

/* What was on hand at an instant: what is there now without what happened after it. */
static int on_hand_at(const struct model *m, int item, int place, int64_t at)
{
	int n = model_on_hand(m, item, place);

	for (size_t i = m->change_count; i-- > 0;)
		if (m->changes[i].item == item && m->changes[i].place == place && m->changes[i].at > at)
			n -= m->changes[i].delta;
	return n;
}

/* How a line of a fact changes what is there, by the state before it. */
static void expect_units(const struct model *m, const struct model_fact *f, const struct model_line *l,
			 int expected[MODEL_ITEMS][MODEL_PLACES])
{
	const int *states = m->states[l->item][l->place];
	int broken = states[STOCK_QUARANTINED] + states[STOCK_DAMAGED], *here = &expected[l->item][l->place];

	switch (f->type) {
	case MOVE_RECEIVE:
		/* What was on its way is there already, in that sense. */
		*here += l->quantity;
		if (f->off_site)
			*here -= l->quantity < states[STOCK_IN_TRANSIT] ? l->quantity : states[STOCK_IN_TRANSIT];
		return;
	case MOVE_ADJUST:
	case MOVE_RETURN:
	case MOVE_ANNOUNCE:
		*here += l->quantity;
		return;
	case MOVE_SHIP:
	case MOVE_SCRAP:
		*here -= l->quantity;
		return;
	case MOVE_COUNT:
		/* What an older count says was said better since. */
		if (f->at >= m->counted_at[l->item][l->place])
			*here += l->quantity - on_hand_at(m, l->item, l->place, f->at);
		return;
	case MOVE_MOVE:
		*here -= l->quantity;
		expected[l->item][l->to] += l->quantity;
		return;
	case MOVE_CLEAR:
		*here += l->quantity > broken ? l->quantity - broken : 0;
		return;
	case MOVE_REVERSE:
		for (int p = 0; p < MODEL_PLACES; p++)
			expected[l->item][p] -= m->facts[f->reverses].effect[p];
		return;
	case MOVE_PICK:
	case MOVE_QUARANTINE:
	case MOVE_ORDER_IN:
		return;
	}
}

/* A kit is its components. */
static void expect_line(const struct model *m, const struct model_fact *f, const struct model_line *l,
			int expected[MODEL_ITEMS][MODEL_PLACES])
{
	for (int i = 0; i < MODEL_ITEMS; i++) {
		struct model_line part = *l;

		part.item = i;
		part.quantity = l->quantity * model_in_one(l->item, i);
		if (model_in_one(l->item, i))
			expect_units(m, f, &part, expected);
	}
}

static void note_arrival(struct model *m, const struct model_fact *f)
{
	const struct model_line *l = &f->lines[0];

	if (f->expected_at && m->arrival_count < MODEL_ARRIVALS)
		m->arrivals[m->arrival_count++] = (struct model_arrival){
		    l->item, f->type == MOVE_MOVE ? l->to : l->place, l->quantity, f->expected_at};
}

/* Of what may be given, what expires first goes first. */
static void check_lots(struct taking *t)
{
	for (int i = 0; i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++)
			for (int later = 1, first = 0; later < MODEL_LOTS; later++, first = 0) {
				while (first < later && t->m->free[i][p][first] <= 0)
					first++;
				if (t->promised[i][p][later] && first < later)
					model_break(t->m,
						    "lots: movement %lld promises %s at %s of lot '%s', while %d of "
						    "lot '%s' are free",
						    (long long)t->row->seq, model_items[i], model_places[p],
						    model_lots[later], t->m->free[i][p][first], model_lots[first]);
			}
}

/* What is kept for another channel is not promised to this one. */
static void check_fences(struct taking *t)
{
	for (int i = 0; t->channel >= 0 && !t->m->reads_again && i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++) {
			int free = t->m->states[i][p][STOCK_FREE] + t->taken[i][p];
			int kept = model_kept_from(t->m, t->channel, i, p, free);

			if (t->taken[i][p] > 0 && t->taken[i][p] > free - kept)
				model_break(t->m,
					    "fences: movement %lld promises %s %d of %s at %s, of %d that are free %d "
					    "are kept for others",
					    (long long)t->row->seq, model_channels[t->channel], t->taken[i][p],
					    model_items[i], model_places[p], free, kept);
			t->m->fences[t->channel][i][p].used += t->taken[i][p];
		}
}

/* What is taken back did not happen when it was said to have happened. */
static int64_t instant_of(const struct model *m, const struct model_fact *f)
{
	return f->type == MOVE_REVERSE ? m->facts[f->reverses].at : f->at;
}

/* What happened before the last count and is heard of after it: the count has seen it. At the same instant nobody can
 * say; then it comes on top, unless it takes back what the count was told after. */
static void forget_counted(const struct model *m, const struct model_fact *f, int expected[MODEL_ITEMS][MODEL_PLACES])
{
	for (int i = 0; f->type != MOVE_COUNT && i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++)
			if (instant_of(m, f) < m->counted_at[i][p] ||
			    (f->type == MOVE_REVERSE && instant_of(m, f) == m->counted_at[i][p] &&
			     m->facts[f->reverses].row < m->counted_by[i][p]))
				expected[i][p] = 0;
}

static void note_changes(struct model *m, const struct taking *t, int64_t at)
{
	for (int i = 0; i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++) {
			if (!t->hand[i][p])
				continue;
			if (m->change_count == m->change_room) {
				m->change_room = m->change_room ? m->change_room * 2 : 256;
				m->changes = mem_grow(m->changes, m->change_room * sizeof(*m->changes));
			}
			m->changes[m->change_count++] = (struct model_change){at, i, p, t->hand[i][p]};
		}
}

/* What did not leave from what the order had there blurs what it has now. */
static void take_shipment(struct taking *t, const struct model_fact *f)
{
	int units[MODEL_ITEMS][MODEL_PLACES] = {0};

	for (int n = 0; n < f->line_count * MODEL_ITEMS; n++) {
		const struct model_line *l = &f->lines[n / MODEL_ITEMS];

		units[n % MODEL_ITEMS][l->place] += l->quantity * model_in_one(l->item, n % MODEL_ITEMS);
	}
	for (int i = 0; i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++) {
			t->order->shipped[i] += units[i][p];
			t->order->blurred |= units[i][p] != t->shipped[i][p];
		}
}

static bool is_stale(const struct model *m, const struct model_fact *f)
{
	return f->type == MOVE_COUNT && f->at < m->counted_at[f->lines[0].item][f->lines[0].place];
}

static void take_fact(struct taking *t, struct model_fact *f, int expected[MODEL_ITEMS][MODEL_PLACES])
{
	struct model *m = t->m;

	if (f->applied)
		model_break(m, "once: the movement " STR_FMT " is applied a second time, by row %lld",
			    STR_ARG(t->row->source_event_id), (long long)t->row->seq);
	f->applied = true;
	f->row = t->row->seq;
	model_note_late(m, f);
	for (int i = 0; i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++)
			if (t->delta[i][p] != expected[i][p])
				model_break(m,
					    "conservation: " STR_FMT " " STR_FMT
					    " changes %s at %s by %d, its warehouse said %d",
					    STR_ARG(t->row->type), STR_ARG(t->row->source_event_id), model_items[i],
					    model_places[p], t->delta[i][p], expected[i][p]);
	if (f->type == MOVE_SHIP && t->order)
		take_shipment(t, f);
	model_take_serials(m, f, is_stale(m, f));
	for (int i = 0; f->type == MOVE_COUNT && i < f->line_count; i++)
		if (f->at >= m->counted_at[f->lines[i].item][f->lines[i].place]) {
			m->counted_at[f->lines[i].item][f->lines[i].place] = f->at;
			m->counted_by[f->lines[i].item][f->lines[i].place] = t->row->seq;
		}
	for (int p = 0; f->lines[0].item < MODEL_ITEMS && p < MODEL_PLACES; p++) /* else it is of a kit */
		f->effect[p] = t->delta[f->lines[0].item][p];
	note_arrival(m, f);
	note_changes(m, t, instant_of(m, f));
}

static int hold_of(const struct taking *t)
{
	int r = model_number(t->row->reason, 'r');

	return r >= 0 && r < t->m->hold_count ? r : -1;
}

static int channel_of(const struct taking *t)
{
	int r = hold_of(t);

	if (t->order)
		return t->order->channel;
	return r >= 0 && str_is(t->row->type, "hold") ? t->m->holds[r].channel : -1;
}

void model_take_movement(struct model *m, const struct model_movement *row)
{
	struct taking t = {.m = m, .row = row, .order = map_get(&m->by_id, row->order_id)};
	int expected[MODEL_ITEMS][MODEL_PLACES] = {0}, number = model_number(row->source_event_id, 'm');
	struct model_fact *f = number >= 0 && number < m->fact_count ? &m->facts[number] : NULL, correction;
	int held;

	if (row->seq != m->movement + 1)
		model_break(m, "log: movement %lld follows movement %lld", (long long)row->seq, (long long)m->movement);
	m->movement = row->seq;
	model_chain(&m->movement_chain, row->seq, row->entries, row->source_event_id);
	if (!f && row->source_event_id.n && model_correction(m, row->source_event_id, &correction))
		f = &correction;
	if (row->source_event_id.n && !f)
		model_break(m, "log: nobody has sent the movement " STR_FMT, STR_ARG(row->source_event_id));
	for (int i = 0; f && i < f->line_count; i++)
		expect_line(m, f, &f->lines[i], f->lines[i].owner ? t.theirs.said[f->lines[i].owner - 1] : expected);
	if (f)
		forget_counted(m, f, expected);
	if (f && f->report)
		model_check_correction(m, f, expected[f->lines[0].item][f->lines[0].place]);
	held = str_is(row->type, "hold") && !m->reads_again ? hold_of(&t) : -1;
	if (held >= 0)
		model_check_held(&m->holds[held], m, held);
	if (entries_each(row->entries, take_entry, &t) != RC_OK)
		model_break(m, "log: the entries of movement %lld are damaged", (long long)row->seq);
	if (held >= 0)
		model_check_held_kits(&m->holds[held], m, held);
	if (str_is(row->type, "commit") && hold_of(&t) >= 0)
		model_take_given(m, hold_of(&t), t.order, t.given);
	t.channel = channel_of(&t);
	check_fences(&t);
	check_lots(&t);
	model_check_theirs(m, row, &t.theirs, f, t.channel, expected);
	/* Of these what is on hand cannot be told apart from what is on its way, or others own. */
	m->mended |= f && f->report ? m->policy.blurred & 1 << f->lines[0].item : 0;
	for (int i = 0; i < MODEL_ITEMS; i++)
		if (m->mended >> i & 1)
			memcpy(expected[i], t.delta[i], sizeof(expected[i]));
	if (f)
		take_fact(&t, f, expected);
	else if (t.outside)
		model_break(m, "conservation: movement %lld (" STR_FMT ") makes or destroys stock without a fact",
			    (long long)row->seq, STR_ARG(row->type));
}
