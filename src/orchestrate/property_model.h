/*
 * For orchestrate_property_test.c only: the rules of stock, reservations and orders in whole units and plain arrays. It
 * shares no code with the books. One history at a time: w is the world, m what the model says of it.
 */
#ifndef ORCHESTRATE_PROPERTY_MODEL_H
#define ORCHESTRATE_PROPERTY_MODEL_H

#include "orchestrate/world.h"

#define ITEMS      3
#define PLACES     WORLD_LOCATIONS
#define STEPS      70
#define SEEDS      1500
#define ORDERS     STEPS
#define LINES      3
#define CHANGES    4096
#define EACH(i, n) for (int i = 0; i < (n); i++)

/* ---- the model ---- */

struct m_line {
	int item, ordered, shipped, cancelled, backordered;
	int allocated[PLACES], picked[PLACES], released[PLACES];
	int used[PLACES], used_count; /* places that it was allocated at, the first one first */
};

struct m_order {
	char id[UUID_TEXT];
	int channel, line_count;
	enum order_status status;
	bool posted;
	struct m_line lines[LINES];
};

struct m_hold {
	char id[8];
	int channel, held[ITEMS][PLACES], ended;
	int used[ITEMS][PLACES], used_count[ITEMS]; /* places where it was held, as they were chosen */
	int64_t expires_at;
	bool live;
};

struct m_fence {
	int quantity, used;
};

/* What a channel is told of an item: what it is believed to show (-1: nobody knows), and what is under way. */
struct m_told {
	int believed, told, sent, expected, sold;
	bool in_flight;
};

struct m_change {
	int64_t at;
	int item, place, delta;
};

struct model {
	int states[ITEMS][PLACES][STOCK_STATES], entered[ITEMS];
	struct m_order orders[ORDERS];
	struct m_hold holds[STEPS];
	struct m_change changes[CHANGES];
	int order_count, hold_count, change_count;
	int64_t counted[ITEMS][PLACES];  /* when last */
	int told[WORLD_CHANNELS][ITEMS]; /* -1: that delivery failed for good */
	int64_t under_way[WORLD_CHANNELS];
	struct m_told shown[WORLD_CHANNELS][ITEMS];
	struct m_fence fences[WORLD_CHANNELS][ITEMS][PLACES];
	int gap[WORLD_CHANNELS][ITEMS]; /* sold by the channel, and not told to us */
	int64_t gap_until[WORLD_CHANNELS][ITEMS];
	bool oversold;
};

static struct world w;
static struct model m;
static const char *const skus[ITEMS] = {"A-1", "A-2", "A-3"}, *const places[PLACES] = {"A", "B", "C"};
static const int sells_at[WORLD_CHANNELS][2] = {{0, 1}, {1, 2}};
static const int safety[PLACES] = {0, 0, 1};

static void note_change(int64_t at, int item, int place, int delta)
{
	m.changes[m.change_count++] = (struct m_change){at, item, place, delta};
	assert_true(m.change_count < CHANGES);
}

static void m_move(int item, int place, enum stock_state from, enum stock_state to, int n, int64_t at)
{
	bool out = from <= STOCK_DAMAGED, in = to <= STOCK_DAMAGED;

	if (n <= 0)
		return;
	if (from == STOCK_OUTSIDE)
		m.entered[item] += n;
	else
		m.states[item][place][from] -= n;
	if (to == STOCK_OUTSIDE)
		m.entered[item] -= n;
	else
		m.states[item][place][to] += n;
	if (out != in)
		note_change(at, item, place, in ? n : -n);
}

/* A promise, unlike a fact, never takes what is not there. */
static void m_promise(int item, int place, enum stock_state to, int n)
{
	if (n > 0 && m.states[item][place][STOCK_FREE] < n)
		m.oversold = true;
	m_move(item, place, STOCK_FREE, to, n, w.now);
}

static int least(int a, int b)
{
	return a < b ? a : b;
}

static int most(int a, int b)
{
	return a > b ? a : b;
}

static int m_take(int item, int place, enum stock_state from, enum stock_state to, int n)
{
	int part = most(0, least(n, m.states[item][place][from]));

	m_move(item, place, from, to, part, w.now);
	return n - part;
}

static int m_left(int channel, int item, int place)
{
	const struct m_fence *f = &m.fences[channel][item][place];

	return most(0, f->quantity - f->used);
}

/* What of `there` units is kept for the channel: the ring-fences of the channels before it come first. */
static int m_kept(int channel, int item, int place, int there)
{
	int before = channel == 1 ? least(there, m_left(0, item, place)) : 0;

	return least(there - before, m_left(channel, item, place));
}

static int m_free_for(int channel, int item, int place)
{
	int there = most(0, m.states[item][place][STOCK_FREE]);

	return there - m_kept(1 - channel, item, place, there);
}

static void m_use(int channel, int item, int place, int n)
{
	struct m_fence *f = &m.fences[channel][item][place];

	if (f->quantity)
		f->used = most(0, f->used + n);
}

/* All channels sell at B. */
static int m_gap(int channel, int item)
{
	return m.gap_until[channel][item] > w.now ? m.gap[channel][item] : 0;
}

static int m_sellable(int channel, int item)
{
	int pool = -m_gap(0, item) - m_gap(1, item), fenced = 0, own = 0, kept = 0, all;

	EACH(i, 2)
	{
		int place = sells_at[channel][i], base = most(0, m.states[item][place][STOCK_FREE] - safety[place]);

		pool += base;
		kept += m_kept(channel, item, place, base);
		own += m_left(channel, item, place);
		fenced += m_left(0, item, place) + m_left(1, item, place);
	}
	EACH(c, WORLD_CHANNELS)
	{
		int left = 0;

		EACH(i, 2)
		left += m_left(c, item, sells_at[channel][i]);
		left = least(left, m_gap(c, item));
		fenced -= left;
		if (c == channel) {
			own -= left;
			kept -= least(kept, left);
		}
	}
	all = most(0, pool - fenced);
	return most(0, least(own, kept) + (channel == 0 ? all : all / 2 - 1));
}

/* The channel has sold these, and its order tells us. */
static void m_sold(int channel, int item, int n)
{
	struct m_told *t = &m.shown[channel][item];
	int known = least(n, m.gap[channel][item]);

	m.gap[channel][item] -= known;
	n -= known;
	if (t->believed >= 0)
		t->believed = most(0, t->believed - n);
	t->sold += n;
}

static int m_open(const struct m_line *l)
{
	int open = l->ordered - l->shipped - l->cancelled;

	EACH(p, PLACES)
	open -= l->allocated[p] + l->picked[p];
	return open;
}

static void m_use_place(struct m_line *l, int place)
{
	EACH(i, l->used_count)
	if (l->used[i] == place)
		return;
	l->used[l->used_count++] = place;
}

/* Places where nothing is left are not in the rows. */
static void m_load_line(struct m_line *l)
{
	int count = l->used_count;

	l->used_count = 0;
	EACH(i, count)
	if (l->allocated[l->used[i]] + l->picked[l->used[i]])
		l->used[l->used_count++] = l->used[i];
}

static void m_allocate(int channel, struct m_line *l, int place, int n)
{
	n = least(n, m_free_for(channel, l->item, place));
	if (n <= 0)
		return;
	m_use(channel, l->item, place, n);
	m_promise(l->item, place, STOCK_ALLOCATED, n);
	l->allocated[place] += n;
	m_use_place(l, place);
}

static bool m_allocate_line(struct m_order *o, struct m_line *l)
{
	int before = m_open(l);

	EACH(i, 2)
	if (m_open(l) > 0 && m_free_for(o->channel, l->item, sells_at[o->channel][i]) >= m_open(l))
		m_allocate(o->channel, l, sells_at[o->channel][i], m_open(l));
	EACH(i, 2)
	m_allocate(o->channel, l, sells_at[o->channel][i], m_open(l));
	l->backordered = most(0, m_open(l));
	return m_open(l) != before;
}

static void m_release(struct m_order *o)
{
	EACH(i, o->line_count)
	EACH(p, 2)
	o->lines[i].released[p] = most(o->lines[i].released[p], o->lines[i].allocated[p] + o->lines[i].picked[p]);
}

static void m_given(struct m_order *o)
{
	bool whole = true;

	EACH(i, o->line_count)
	whole = whole && o->lines[i].backordered == 0;
	if (whole && o->status == ORDER_BACKORDERED)
		o->status = ORDER_RESERVED;
	if (o->posted)
		m_release(o);
}

static void m_restock(void)
{
	EACH(n, m.order_count)
	{
		struct m_order *o = &m.orders[n];

		if (o->status >= ORDER_CLOSED || o->status == ORDER_ON_HOLD)
			continue;
		EACH(i, o->line_count)
		if (o->lines[i].backordered > 0 && m_allocate_line(o, &o->lines[i]))
			m_given(o);
	}
}

static void m_decide(struct m_order *o)
{
	int whole = -1;

	EACH(i, 2)
	{
		int wanted[ITEMS] = {0};
		bool all = true;

		EACH(n, o->line_count)
		wanted[o->lines[n].item] += m_open(&o->lines[n]);
		EACH(n, ITEMS)
		all = all && m_free_for(o->channel, n, sells_at[o->channel][i]) >= wanted[n];
		if (all && whole < 0)
			whole = sells_at[o->channel][i];
	}
	o->status = ORDER_RESERVED;
	EACH(n, o->line_count)
	{
		if (whole >= 0)
			m_allocate(o->channel, &o->lines[n], whole, m_open(&o->lines[n]));
		m_allocate_line(o, &o->lines[n]);
		if (o->lines[n].backordered > 0)
			o->status = ORDER_BACKORDERED;
	}
}

static void m_give_back(int channel, struct m_line *l, int p, enum stock_state from, int n)
{
	if (n <= 0)
		return;
	m_move(l->item, p, from, STOCK_FREE, n, w.now);
	m_use(channel, l->item, p, -n);
	*(from == STOCK_PICKED ? &l->picked[p] : &l->allocated[p]) -= n;
	l->released[p] = least(l->released[p], l->allocated[p] + l->picked[p]);
}

/* What is more than is open is free again, at the newest place first: of what no warehouse was asked for, then of what
 * is not picked, then of the rest. */
static void m_trim(int channel, struct m_line *l)
{
	EACH(round, 3)
	for (int i = l->used_count - 1; i >= 0; i--) {
		int p = l->used[i], there = round == 2 ? l->picked[p] : l->allocated[p];

		if (round == 0)
			there = least(there, there + l->picked[p] - l->released[p]);
		m_give_back(channel, l, p, round == 2 ? STOCK_PICKED : STOCK_ALLOCATED, least(there, -m_open(l)));
	}
}

/* Gives an order up to n of what is held; returns how much it took. */
static int m_give(struct m_order *o, int item, int p, int n)
{
	int left = n;

	for (int i = 0; o && i < o->line_count; i++) {
		struct m_line *l = &o->lines[i];
		int part = least(left, m_open(l));

		if (l->item != item || part <= 0)
			continue;
		m_move(item, p, STOCK_HELD, STOCK_ALLOCATED, part, w.now);
		l->allocated[p] += part;
		m_use_place(l, p);
		l->backordered = most(0, l->backordered - part);
		left -= part;
	}
	return n - left;
}

/* Ends a reservation; what the order o (or nobody) does not need is free again. */
static void m_end(struct m_hold *h, struct m_order *o)
{
	EACH(item, ITEMS)
	EACH(i, h->used_count[item])
	{
		int p = h->used[item][i], given = m_give(o, item, p, h->held[item][p]);

		m_move(item, p, STOCK_HELD, STOCK_FREE, h->held[item][p] - given, w.now);
		m_use(h->channel, item, p, given - h->held[item][p]);
	}
	h->live = false;
}

/* The same with n of an item at a place; the rest may be kept. */
static void m_end_part(struct m_hold *h, struct m_order *o, int item, int place, int n, bool keep)
{
	int left = 0;

	h->held[item][place] -= m_give(o, item, place, n);
	EACH(i, ITEMS)
	EACH(p, PLACES)
	{
		left += h->held[i][p];
		if (keep)
			continue;
		m_move(i, p, STOCK_HELD, STOCK_FREE, h->held[i][p], w.now);
		m_use(h->channel, i, p, -h->held[i][p]);
		h->held[i][p] = 0;
	}
	h->live = keep && left > 0;
}

static int m_loose(int item, int place)
{
	int loose = m.states[item][place][STOCK_PICKED];

	EACH(n, m.order_count)
	EACH(i, m.orders[n].line_count)
	if (m.orders[n].lines[i].item == item)
		loose -= m.orders[n].lines[i].picked[place];
	return loose;
}

/* What of a shipment or pick is the order's; returns the rest. */
static int m_of_order(struct m_order *o, int item, int place, int line, enum stock_state to, int n)
{
	int left = n;

	EACH(i, o->line_count)
	{
		struct m_line *l = &o->lines[i];
		int part;

		if (l->item != item || (line >= 0 && line != i))
			continue;
		if (to == STOCK_OUTSIDE) {
			part = least(left, l->picked[place]);
			m_move(item, place, STOCK_PICKED, to, part, w.now);
			l->picked[place] -= part;
			l->shipped += part;
			l->released[place] = most(0, l->released[place] - part);
			left -= part;
		}
		part = least(left, l->allocated[place]);
		m_move(item, place, STOCK_ALLOCATED, to, part, w.now);
		l->allocated[place] -= part;
		if (to == STOCK_OUTSIDE) {
			l->shipped += part;
			l->released[place] = most(0, l->released[place] - part);
		} else {
			l->picked[place] += part;
		}
		left -= part;
	}
	return left;
}

static void m_shipped(struct m_order *o, int item, int line, int beyond)
{
	bool complete = true;

	EACH(i, o->line_count)
	{
		struct m_line *l = &o->lines[i];
		int part = most(0, least(beyond, l->ordered - l->shipped - l->cancelled));

		if (l->item != item || (line >= 0 && line != i))
			continue;
		l->shipped += part;
		beyond -= part;
	}
	EACH(i, o->line_count)
	{
		struct m_line *l = &o->lines[i];

		m_trim(o->channel, l);
		complete = complete && l->shipped + l->cancelled >= l->ordered;
		l->backordered = most(0, least(l->backordered, m_open(l)));
	}
	o->status = complete ? ORDER_SHIPPED : ORDER_PARTIALLY_SHIPPED;
}

/* ---- facts, and what a reservation takes ---- */

static void m_count(int item, int place, int n, int64_t at)
{
	int on_hand = 0;

	/* A later instant was counted already. */
	if (at < m.counted[item][place])
		return;
	m.counted[item][place] = at;
	for (int s = STOCK_FREE; s <= STOCK_DAMAGED; s++)
		on_hand += m.states[item][place][s];
	EACH(i, m.change_count)
	if (m.changes[i].at > at && m.changes[i].item == item && m.changes[i].place == place)
		on_hand -= m.changes[i].delta;
	m_move(item, place, STOCK_OUTSIDE, STOCK_FREE, n - on_hand, at);
	m_move(item, place, STOCK_FREE, STOCK_OUTSIDE, on_hand - n, at);
}

static void m_fact(enum movement_type type, int item, int p, int to, int n, bool purchase)
{
	int left = n;

	switch (type) {
	case MOVE_RECEIVE:
		if (purchase) {
			left = m_take(item, p, STOCK_IN_TRANSIT, STOCK_FREE, left);
			left = m_take(item, p, STOCK_ON_ORDER, STOCK_FREE, left);
		}
		m_move(item, p, STOCK_OUTSIDE, STOCK_FREE, left, w.now);
		return;
	case MOVE_ADJUST:
		m_move(item, p, STOCK_OUTSIDE, STOCK_FREE, n, w.now);
		m_move(item, p, STOCK_FREE, STOCK_OUTSIDE, -n, w.now);
		return;
	case MOVE_MOVE:
		if (to != p) {
			m_move(item, p, STOCK_FREE, STOCK_OUTSIDE, n, w.now);
			m_move(item, to, STOCK_OUTSIDE, STOCK_FREE, n, w.now);
		}
		return;
	case MOVE_QUARANTINE:
		m_move(item, p, STOCK_FREE, STOCK_QUARANTINED, n, w.now);
		return;
	case MOVE_CLEAR:
		left = m_take(item, p, STOCK_QUARANTINED, STOCK_FREE, left);
		m_move(item, p, STOCK_OUTSIDE, STOCK_FREE, left, w.now);
		return;
	case MOVE_SCRAP:
		left = m_take(item, p, STOCK_QUARANTINED, STOCK_OUTSIDE, left);
		m_move(item, p, STOCK_FREE, STOCK_OUTSIDE, left, w.now);
		return;
	case MOVE_RETURN:
		m_move(item, p, STOCK_OUTSIDE, STOCK_QUARANTINED, n, w.now);
		return;
	case MOVE_ORDER_IN:
		m_move(item, p, STOCK_OUTSIDE, STOCK_ON_ORDER, n, w.now);
		return;
	case MOVE_ANNOUNCE:
		left = m_take(item, p, STOCK_ON_ORDER, STOCK_IN_TRANSIT, left);
		m_move(item, p, STOCK_OUTSIDE, STOCK_IN_TRANSIT, left, w.now);
		return;
	case MOVE_PICK:
	case MOVE_SHIP:
	case MOVE_COUNT:
	case MOVE_REVERSE:
		fail_msg("has a step of its own");
	}
}

/* Where n of an item are, not counting what is planned; round 0: only where they fit whole. */
static int m_plan_at(struct m_hold *h, int planned[ITEMS][PLACES], int item, int p, int n, int round)
{
	int there = m_free_for(h->channel, item, p) - planned[item][p],
	    part = n > 0 && there > 0 && (round == 1 || there >= n) ? least(n, there) : 0;

	if (part && !planned[item][p])
		h->used[item][h->used_count[item]++] = p;
	planned[item][p] += part;
	return n - part;
}

/* Lines of a hold: at the first place that has all of them, else each where it fits whole, else split. Returns how much
 * of them there is not. */
static int m_plan(struct m_hold *h, const int *items, const int *wants, int count, int planned[ITEMS][PLACES])
{
	int sums[ITEMS] = {0}, missing = 0;

	EACH(i, count)
	sums[items[i]] += wants[i];
	EACH(k, 2)
	{
		int p = sells_at[h->channel][k];
		bool all = true;

		EACH(i, ITEMS)
		all = all && m_free_for(h->channel, i, p) >= sums[i];
		if (!all)
			continue;
		EACH(i, ITEMS)
		m_plan_at(h, planned, i, p, sums[i], 0);
		return 0;
	}
	EACH(i, count)
	{
		int n = wants[i];

		EACH(round, 2)
		EACH(k, 2)
		n = m_plan_at(h, planned, items[i], sells_at[h->channel][k], n, round);
		missing += n;
	}
	return missing;
}

#endif
