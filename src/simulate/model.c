#include "simulate/model.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "format/json.h"

#include <stdarg.h>
#include <stdio.h>

const char *const model_items[MODEL_ITEMS] = {"A-1", "A-2", "A-3", "A-4", "A-5"};
const char *const model_products[MODEL_PRODUCTS] = {"A-1", "A-2", "A-3", "A-4", "A-5", "K-1", "K-2"};
const char *const model_lots[MODEL_LOTS] = {"L1", "L2", ""};
const int model_kits[MODEL_KITS][MODEL_ITEMS] = {{1, 2, 0, 0, 0}, {0, 1, 1, 0, 0}};
const char *const model_places[MODEL_PLACES] = {"east", "west", "south"};
const char *const model_channels[MODEL_CHANNELS] = {"shop", "portal"};

static const struct hash_key chain_key = {"a-chain-of-rows"};

struct model *model_new(const struct model_policy *policy)
{
	struct model *m = mem_zalloc(1, sizeof(*m));

	m->policy = *policy;
	memset(m->told, -1, sizeof(m->told));
	memset(m->last, -1, sizeof(m->last));
	map_init(&m->by_id, MODEL_ORDERS);
	return m;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	map_done(&m->by_id);
	free(m->changes);
	free(m);
}

struct model *model_again(const struct model *m)
{
	struct model *n = model_new(&m->policy);

	n->reads_again = true;
	n->fact_count = m->fact_count;
	n->order_count = m->order_count;
	n->hold_count = m->hold_count;
	for (int i = 0; i < m->fact_count; i++) {
		n->facts[i] = m->facts[i];
		n->facts[i].applied = false;
		memset(n->facts[i].effect, 0, sizeof(n->facts[i].effect));
	}
	for (int c = 0; c < MODEL_CHANNELS; c++)
		for (int i = 0; i < MODEL_ITEMS; i++)
			for (int p = 0; p < MODEL_PLACES; p++)
				n->fences[c][i][p].asked = m->fences[c][i][p].asked;
	for (int i = 0; i < m->order_count; i++) {
		struct model_order *o = &n->orders[i];

		o->channel = m->orders[i].channel;
		o->line_count = m->orders[i].line_count;
		memcpy(o->lines, m->orders[i].lines, sizeof(o->lines));
		memcpy(o->ordered, m->orders[i].ordered, sizeof(o->ordered));
	}
	for (int i = 0; i < m->hold_count; i++) {
		n->holds[i].channel = m->holds[i].channel;
		memcpy(n->holds[i].wanted, m->holds[i].wanted, sizeof(n->holds[i].wanted));
	}
	return n;
}

void model_break(struct model *m, const char *format, ...)
{
	va_list args;

	if (m->broken[0])
		return;
	va_start(args, format);
	vsnprintf(m->broken, sizeof(m->broken), format, args);
	va_end(args);
}

int model_number(struct str name, char kind)
{
	int n = 0;

	if (name.n < 2 || name.n > 7 || name.p[0] != kind)
		return -1;
	for (size_t i = 1; i < name.n; i++) {
		if (name.p[i] < '0' || name.p[i] > '9')
			return -1;
		n = n * 10 + (name.p[i] - '0');
	}
	return n;
}

static int find(const char *const *names, int count, struct str name)
{
	for (int i = 0; i < count; i++)
		if (str_is(name, names[i]))
			return i;
	return -1;
}

int model_item(struct str sku)
{
	return find(model_items, MODEL_ITEMS, sku);
}

int model_product(struct str sku)
{
	return find(model_products, MODEL_PRODUCTS, sku);
}

int model_place(struct str location)
{
	return find(model_places, MODEL_PLACES, location);
}

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

/* ---- movements ---- */

struct taking {
	struct model *m;
	const struct model_movement *row;
	struct model_order *order;
	int delta[MODEL_ITEMS][MODEL_PLACES]; /* of what is there: on hand or on its way to there */
	int hand[MODEL_ITEMS][MODEL_PLACES];  /* of what is on hand */
	int owned[MODEL_ITEMS][MODEL_PLACES]; /* of what others own */
	bool promised[MODEL_ITEMS][MODEL_PLACES][MODEL_LOTS];
	int taken[MODEL_ITEMS][MODEL_PLACES]; /* of what was free, for a channel */
	int channel;                          /* -1: nobody's */
	int outside;                          /* entries to or from outside */
};

static void chain(uint64_t *chain, int64_t seq, struct str a, struct str b)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%lld %016llx", (long long)seq, (unsigned long long)*chain);

	*chain = hash64(&chain_key, (struct str){text, (size_t)n}) ^ hash64(&chain_key, a) ^ hash64(&chain_key, b) << 1;
}

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

static void entry_of_order(struct taking *t, const struct entry *e, int item, int n)
{
	if (e->to != STOCK_ALLOCATED && e->from != STOCK_ALLOCATED)
		return;
	if (!t->order) {
		model_break(t->m, "orders: movement %lld changes the allocation of no order", (long long)t->row->seq);
		return;
	}
	t->order->allocated[item] += (e->to == STOCK_ALLOCATED ? n : 0) - (e->from == STOCK_ALLOCATED ? n : 0);
}

/* What others own is there, and nobody sells it. */
static void take_owned(struct taking *t, const struct entry *e, int item, int place, int to, int n)
{
	t->outside += (e->from == STOCK_OUTSIDE) + (e->to == STOCK_OUTSIDE);
	if (e->from != STOCK_OUTSIDE)
		t->owned[item][place] -= n;
	if (e->to != STOCK_OUTSIDE)
		t->owned[item][to] += n;
	if (is_promise(e->to))
		model_break(t->m, "owners: movement %lld promises %d of %s at %s, which " STR_FMT " owns",
			    (long long)t->row->seq, n, model_items[item], model_places[place], STR_ARG(e->owner));
}

static enum rc take_entry(void *ctx, const struct entry *e)
{
	struct taking *t = ctx;
	int item = model_item(e->sku), place = model_place(e->location), to = place;
	int n = (int)(e->quantity / QTY_ONE), lot = find(model_lots, MODEL_LOTS, e->lot);

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
		take_owned(t, e, item, place, to, n);
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
	entry_of_order(t, e, item, n);
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
static void expect_line(const struct model *m, const struct model_fact *f, const struct model_line *l,
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

static void check_owned(struct taking *t, const struct model_fact *f)
{
	for (int i = 0; i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++) {
			int said = 0;

			for (int n = 0; f && f->owned && n < f->line_count; n++)
				if (f->lines[n].item == i && f->lines[n].place == p)
					said += f->type == MOVE_SCRAP ? -f->lines[n].quantity : f->lines[n].quantity;
			t->m->owned[i][p] += t->owned[i][p];
			if (t->owned[i][p] != said)
				model_break(t->m,
					    "owners: movement %lld changes what others own of %s at %s by %d, its "
					    "warehouse said %d",
					    (long long)t->row->seq, model_items[i], model_places[p], t->owned[i][p],
					    said);
		}
}

/* What happened before the last count and is heard of after it: the count has seen it. At the same instant nobody can
 * say; then it comes on top. */
static void forget_counted(const struct model *m, const struct model_fact *f, int expected[MODEL_ITEMS][MODEL_PLACES])
{
	for (int i = 0; f->type != MOVE_COUNT && i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++)
			if (f->at < m->counted_at[i][p])
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

static void take_fact(struct taking *t, struct model_fact *f, int expected[MODEL_ITEMS][MODEL_PLACES])
{
	struct model *m = t->m;

	if (f->applied)
		model_break(m, "once: the movement " STR_FMT " is applied a second time, by row %lld",
			    STR_ARG(t->row->source_event_id), (long long)t->row->seq);
	f->applied = true;
	for (int i = 0; i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++)
			if (t->delta[i][p] != expected[i][p])
				model_break(m,
					    "conservation: " STR_FMT " " STR_FMT
					    " changes %s at %s by %d, its warehouse said %d",
					    STR_ARG(t->row->type), STR_ARG(t->row->source_event_id), model_items[i],
					    model_places[p], t->delta[i][p], expected[i][p]);
	if (f->type == MOVE_SHIP && t->order)
		for (int i = 0; i < f->line_count; i++)
			t->order->shipped[f->lines[i].item] += f->lines[i].quantity;
	for (int i = 0; f->type == MOVE_COUNT && i < f->line_count; i++)
		if (f->at > m->counted_at[f->lines[i].item][f->lines[i].place])
			m->counted_at[f->lines[i].item][f->lines[i].place] = f->at;
	for (int p = 0; p < MODEL_PLACES; p++)
		f->effect[p] = t->delta[f->lines[0].item][p];
	note_arrival(m, f);
	note_changes(m, t, f->at);
}

/* A reservation of a channel that is strict is bound by what it may sell. */
static void check_strict(struct taking *t)
{
	int r = model_number(t->row->reason, 'r');
	const struct model_hold *h = r >= 0 && r < t->m->hold_count ? &t->m->holds[r] : NULL;

	if (!h || !t->m->policy.channels[h->channel].strict)
		return;
	for (int i = 0; i < MODEL_ITEMS; i++)
		if (h->wanted[i] > 0 && h->wanted[i] > model_may_sell(t->m, h->channel, i))
			model_break(t->m, "policy: r%d holds %d of %s for %s, which may sell %d", r, h->wanted[i],
				    model_items[i], model_channels[h->channel], model_may_sell(t->m, h->channel, i));
}

static int channel_of(const struct taking *t)
{
	int r = model_number(t->row->reason, 'r');

	if (t->order)
		return t->order->channel;
	return r >= 0 && r < t->m->hold_count && str_is(t->row->type, "hold") ? t->m->holds[r].channel : -1;
}

void model_take_movement(struct model *m, const struct model_movement *row)
{
	struct taking t = {.m = m, .row = row, .order = map_get(&m->by_id, row->order_id)};
	int expected[MODEL_ITEMS][MODEL_PLACES] = {0}, number = model_number(row->source_event_id, 'm');
	struct model_fact *f = number >= 0 && number < m->fact_count ? &m->facts[number] : NULL;

	if (row->seq != m->movement + 1)
		model_break(m, "log: movement %lld follows movement %lld", (long long)row->seq, (long long)m->movement);
	m->movement = row->seq;
	chain(&m->movement_chain, row->seq, row->entries, row->source_event_id);
	if (row->source_event_id.n && !f)
		model_break(m, "log: nobody has sent the movement " STR_FMT, STR_ARG(row->source_event_id));
	for (int i = 0; f && !f->owned && i < f->line_count; i++)
		expect_line(m, f, &f->lines[i], expected);
	if (f)
		forget_counted(m, f, expected);
	if (str_is(row->type, "hold") && !m->reads_again)
		check_strict(&t);
	if (entries_each(row->entries, take_entry, &t) != RC_OK)
		model_break(m, "log: the entries of movement %lld are damaged", (long long)row->seq);
	t.channel = channel_of(&t);
	check_fences(&t);
	check_lots(&t);
	check_owned(&t, f);
	if (f)
		take_fact(&t, f, expected);
	else if (t.outside)
		model_break(m, "conservation: movement %lld (" STR_FMT ") makes or destroys stock without a fact",
			    (long long)row->seq, STR_ARG(row->type));
}

/* ---- events ---- */

static void take_order_event(struct model *m, const struct model_event *row, const struct json *data)
{
	struct model_order *o = map_get(&m->by_id, row->subject);
	struct str kind = {row->type.p + 6, row->type.n - 6};

	if (str_is(kind, "captured")) {
		int n = model_number(json_get_text(data, "external_id"), 'o');

		if (n < 0 || n >= m->order_count) {
			model_break(m, "log: nobody has placed the order " STR_FMT,
				    STR_ARG(json_get_text(data, "external_id")));
			return;
		}
		if (m->orders[n].id[0])
			model_break(m, "once: order o%d is captured a second time", n);
		o = &m->orders[n];
		snprintf(o->id, sizeof(o->id), STR_FMT, STR_ARG(row->subject));
		if (map_put(&m->by_id, str_from(o->id), o) != RC_OK)
			model_break(m, "the simulation has more orders than it can hold");
	}
	if (!o) {
		model_break(m, "log: " STR_FMT " of an order that was never captured", STR_ARG(row->type));
		return;
	}
	snprintf(o->kind, sizeof(o->kind), STR_FMT, STR_ARG(kind));
	if (o->cancelled)
		model_break(m, "orders: " STR_FMT " is cancelled, and then " STR_FMT,
			    STR_ARG(json_get_text(data, "external_id")), STR_ARG(kind));
	o->cancelled = o->cancelled || str_is(kind, "cancelled");
	o->accepted = o->accepted || str_is(kind, "accepted");
}

static void check_quota(struct model *m, const struct model_hold *h, int r)
{
	int quota = m->policy.channels[h->channel].quota;

	for (int i = 0; quota && i < MODEL_ITEMS; i++) {
		int held = 0;

		for (int n = 0; n < m->hold_count; n++)
			for (int p = 0; m->holds[n].channel == h->channel && p < MODEL_PLACES; p++)
				held += m->holds[n].held[i][p];
		if (h->wanted[i] > 0 && held > quota)
			model_break(m, "quota: with r%d %s holds %d of %s, it may hold %d", r,
				    model_channels[h->channel], held, model_items[i], quota);
	}
}

static void take_held(struct model *m, struct model_hold *h, int r, const struct json *data)
{
	const struct json *lines = json_get(data, "lines");
	int sums[MODEL_ITEMS] = {0};

	if (h->seen)
		model_break(m, "once: reservation r%d is held a second time", r);
	h->seen = true;
	if (time_parse(json_get_text(data, "expires_at"), &h->expires_at, NULL) != RC_OK)
		model_break(m, "log: reservation r%d has no end", r);
	for (uint32_t i = 0; lines && i < lines->count; i++) {
		int item = model_item(json_get_text(&lines->items[i], "sku"));
		int place = model_place(json_get_text(&lines->items[i], "location"));
		qty_t q = 0;

		if (item < 0 || place < 0 || qty_parse(json_get_text(&lines->items[i], "quantity"), &q, NULL) != RC_OK)
			continue;
		h->held[item][place] += (int)(q / QTY_ONE);
		sums[item] += (int)(q / QTY_ONE);
	}
	for (int i = 0; i < MODEL_ITEMS; i++)
		if (sums[i] != h->wanted[i])
			model_break(m, "reservations: r%d holds %d of %s, its caller asked for %d", r, sums[i],
				    model_items[i], h->wanted[i]);
	check_quota(m, h, r);
}

static void take_reservation_event(struct model *m, const struct model_event *row, const struct json *data)
{
	struct str kind = {row->type.p + 12, row->type.n - 12};
	int r = model_number(row->subject, 'r');
	struct model_hold *h;

	if (r < 0 || r >= m->hold_count) {
		model_break(m, "log: nobody has asked for the reservation " STR_FMT, STR_ARG(row->subject));
		return;
	}
	h = &m->holds[r];
	if (str_is(kind, "held")) {
		take_held(m, h, r, data);
		return;
	}
	if (!h->seen || h->ends)
		model_break(m, "once: reservation r%d ends (" STR_FMT "), and %s", r, STR_ARG(kind),
			    h->ends ? "had ended before" : "was never held");
	h->ends++;
	h->committed = str_is(kind, "committed");
	memset(h->held, 0, sizeof(h->held));
}

static void take_fences(struct model *m, const struct json *data)
{
	const struct json *items = json_get(data, "items");

	for (uint32_t i = 0; items && i < items->count; i++) {
		const struct json *one = &items->items[i];
		int item = model_item(json_get_text(one, "sku")), place = model_place(json_get_text(one, "location"));
		int channel = find(model_channels, MODEL_CHANNELS, json_get_text(one, "channel"));
		struct model_fence *f;
		qty_t q = -1;

		if (item < 0 || place < 0 || channel < 0 ||
		    qty_parse(json_get_text(one, "quantity"), &q, NULL) != RC_OK || q / QTY_ONE > MODEL_FENCE_MAX) {
			model_break(m, "log: a ring-fence of nothing");
			continue;
		}
		f = &m->fences[channel][item][place];
		if (!(f->asked >> (q / QTY_ONE) & 1))
			model_break(m, "fences: %lld of %s at %s are kept for %s, nobody asked for that",
				    (long long)(q / QTY_ONE), model_items[item], model_places[place],
				    model_channels[channel]);
		f->before = f->fresh && f->before > f->quantity ? f->before : f->quantity;
		f->quantity = (int)(q / QTY_ONE);
		f->used = 0;
		f->fresh = true;
	}
}

static void take_told(struct model *m, const struct model_event *row, const struct json *data)
{
	const struct json *items = json_get(data, "items");
	int channel = find(model_channels, MODEL_CHANNELS, row->subject);

	for (uint32_t i = 0; items && i < items->count; i++) {
		int item = model_product(json_get_text(&items->items[i], "sku"));
		int64_t version = -1;
		qty_t q = -1;

		json_int(json_get(&items->items[i], "version"), &version);
		if (channel < 0 || item < 0 || version < 0 ||
		    qty_parse(json_get_text(&items->items[i], "available"), &q, NULL) != RC_OK) {
			model_break(m, "log: event %lld tells nothing", (long long)row->position);
			continue;
		}
		m->told[channel][item][version % MODEL_VERSIONS] = (int)(q / QTY_ONE);
		if (m->fresh_count < MODEL_TOLD)
			m->fresh[m->fresh_count++] =
			    (struct model_told){channel, item, (int)(q / QTY_ONE), m->last[channel][item]};
		m->last[channel][item] = (int)(q / QTY_ONE);
	}
}

static bool starts_with(struct str s, const char *z)
{
	size_t n = strlen(z);

	return s.n > n && memcmp(s.p, z, n) == 0;
}

/* With a kit its components are known. */
static void take_record(struct model *m, int product)
{
	m->known[product] = m->recorded[product] = true;
	for (int i = 0; product >= MODEL_ITEMS && i < MODEL_ITEMS; i++)
		m->known[i] |= model_kits[product - MODEL_ITEMS][i] > 0;
}

void model_take_event(struct model *m, const struct model_event *row)
{
	struct json *data = NULL;
	struct arena a;

	if (row->position != m->position + 1)
		model_break(m, "log: event %lld follows event %lld", (long long)row->position, (long long)m->position);
	m->position = row->position;
	m->now = row->at;
	m->newest = row->at > m->newest ? row->at : m->newest;
	chain(&m->event_chain, row->position, row->data, row->type);
	if (str_is(row->type, "item.recorded") && model_product(row->subject) >= 0)
		take_record(m, model_product(row->subject));
	bool told = str_is(row->type, "availability.changed"), fences = str_is(row->type, "ring_fences.set");

	m->subscribed |= str_is(row->type, "subscription.created");
	if (m->subscribed && starts_with(row->type, "order.") && row->position < MODEL_WANTED)
		m->wanted[row->position] = 1;
	if (!told && !fences && !starts_with(row->type, "order.") && !starts_with(row->type, "reservation."))
		return;
	arena_init(&a, 1u << 20);
	if (json_parse(&a, row->data, NULL, &data, NULL) != RC_OK)
		model_break(m, "log: event %lld is not JSON", (long long)row->position);
	else if (told)
		take_told(m, row, data);
	else if (fences)
		take_fences(m, data);
	else if (starts_with(row->type, "order."))
		take_order_event(m, row, data);
	else
		take_reservation_event(m, row, data);
	arena_done(&a);
}

/* ---- sums ---- */

static void check_order(struct model *m, int n, int allocated[MODEL_ITEMS])
{
	const struct model_order *o = &m->orders[n];

	for (int i = 0; i < MODEL_ITEMS; i++) {
		int open = o->cancelled ? 0 : o->ordered[i] - o->shipped[i];

		if (o->allocated[i] < 0 || o->allocated[i] > (open > 0 ? open : 0))
			model_break(m, "orders: o%d (%s) has %d of %s allocated, and needs %d", n, o->kind,
				    o->allocated[i], model_items[i], open > 0 ? open : 0);
		allocated[i] += o->allocated[i];
	}
}

/* In which order a commit set ring-fences and took stock is not told: until its end a new one binds nobody. */
static void settle_fences(struct model *m)
{
	for (int c = 0; c < MODEL_CHANNELS; c++)
		for (int i = 0; i < MODEL_ITEMS; i++)
			for (int p = 0; p < MODEL_PLACES; p++) {
				m->fences[c][i][p].fresh = false;
				m->fences[c][i][p].before = 0;
			}
}

void model_check(struct model *m)
{
	int allocated[MODEL_ITEMS] = {0}, held[MODEL_ITEMS][MODEL_PLACES] = {0};

	settle_fences(m);
	for (int n = 0; n < m->order_count; n++)
		check_order(m, n, allocated);
	for (int n = 0; n < m->hold_count; n++)
		for (int i = 0; m->holds[n].seen && !m->holds[n].ends && i < MODEL_ITEMS; i++)
			for (int p = 0; p < MODEL_PLACES; p++)
				held[i][p] += m->holds[n].held[i][p];
	for (int i = 0; i < MODEL_ITEMS; i++) {
		for (int p = 0; p < MODEL_PLACES; p++) {
			allocated[i] -= m->states[i][p][STOCK_ALLOCATED];
			if (m->states[i][p][STOCK_HELD] != held[i][p])
				model_break(m, "reservations: %d of %s are held at %s, live reservations hold %d",
					    m->states[i][p][STOCK_HELD], model_items[i], model_places[p], held[i][p]);
		}
		if (allocated[i])
			model_break(m, "conservation: orders have %d more of %s allocated than the ledger",
				    allocated[i], model_items[i]);
	}
}
