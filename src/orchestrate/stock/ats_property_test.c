/*
 * Available-to-sell by its promises rather than its formula, on random items, some of it consigned: never more than
 * there is and policy allows, nothing of others' ring-fences, of goods on their way only what is announced, due and
 * really on the way, and of stale locations nothing. A case that breaks one is made smaller, and printed.
 */
#include "orchestrate/stock/ats.h"

#include "base/test.h"

#include <stdio.h>

#define CASES     200000
#define LOCATIONS 3
#define CHANNELS  3
#define MANY      4
#define NOW       1000000
#define HORIZON   1000
#define Q(n)      ((qty_t)(n)*QTY_ONE)

/* Channel 0 sells from locations 0 and 1, 1 from 1 and 2, 2 from 2 only. */
static const struct location_set sold_at[CHANNELS] = {{{3}}, {{6}}, {{4}}};
static const uint64_t together[CHANNELS] = {3, 7, 6};
/* Of consignor 1 sells channel 0; levels have what it may sell. */
static const uint64_t sells[CHANNELS] = {2, 0, 0};

/* All whole units or halves; what is zero is not there. */
struct world {
	struct ats_level levels[LOCATIONS];
	struct ats_fence fences[MANY];
	struct ats_arrival arrivals[MANY];
	struct ats_gap gaps[MANY];
	qty_t safety[LOCATIONS], buffer, cap, minimum, backorder, inbound_cap;
	struct location_set stale;
	int32_t share_ppm;
	bool stale_zero, blocked, discontinued;
};

static qty_t draw(uint64_t *random, int up_to)
{
	uint64_t word = test_random(random);

	return word % 3 == 0 ? 0 : (qty_t)((word >> 8) % (uint64_t)(2 * up_to)) * (QTY_ONE / 2);
}

static int pick(uint64_t *random, int of)
{
	return (int)((test_random(random) >> 8) % (uint64_t)of);
}

static struct world make(uint64_t seed)
{
	struct world w = {.cap = -1, .share_ppm = 1000000};
	uint64_t r = seed * 0x9e3779b97f4a7c15 + 1;

	for (int i = 0; i < LOCATIONS; i++) {
		w.levels[i] =
		    (struct ats_level){(uint16_t)i, draw(&r, 20) - draw(&r, 4), draw(&r, 20), draw(&r, 8), draw(&r, 8)};
		w.safety[i] = draw(&r, 3);
	}
	for (int i = 0; i < MANY; i++) {
		w.fences[i] = (struct ats_fence){.channel = (uint16_t)(i * CHANNELS / MANY),
						 .location = (uint16_t)pick(&r, LOCATIONS),
						 .quantity = draw(&r, 8),
						 .used = draw(&r, 3)};
		w.arrivals[i] = (struct ats_arrival){.location = (uint16_t)pick(&r, LOCATIONS),
						     .ordered = pick(&r, 4) == 0,
						     .consignor = (uint8_t)pick(&r, 3),
						     .expected_at = NOW + pick(&r, 3 * HORIZON) - HORIZON / 2,
						     .quantity = draw(&r, 15)};
		w.gaps[i] = (struct ats_gap){.channel = (uint16_t)pick(&r, CHANNELS),
					     .quantity = pick(&r, 3) ? 0 : draw(&r, 3),
					     .until = NOW + pick(&r, 3) - 1};
	}
	w.inbound_cap = pick(&r, 2) ? draw(&r, 12) : QTY_MAX;
	w.share_ppm = pick(&r, 2) ? 1000000 : pick(&r, 1000001);
	w.buffer = draw(&r, 2);
	w.backorder = draw(&r, 2);
	w.minimum = draw(&r, 2);
	w.cap = pick(&r, 4) ? -1 : draw(&r, 10);
	w.stale.word[0] = (uint64_t)pick(&r, 8);
	w.stale_zero = pick(&r, 2);
	w.blocked = pick(&r, 20) == 0;
	w.discontinued = pick(&r, 5) == 0;
	return w;
}

static qty_t compute_at(const struct world *w, int channel, int64_t at)
{
	const struct ats_policy p = {.channel = (uint16_t)channel,
				     .stale_zero = w->stale_zero,
				     .share_ppm = w->share_ppm,
				     .buffer = w->buffer,
				     .cap = w->cap,
				     .minimum = w->minimum,
				     .backorder = w->backorder,
				     .inbound_cap = w->inbound_cap,
				     .horizon_ms = HORIZON,
				     .together = together[channel],
				     .consignors = sells[channel],
				     .locations = sold_at[channel]};
	struct ats_level levels[LOCATIONS];
	const struct ats_item item = {levels, w->fences, w->arrivals, w->gaps,    LOCATIONS,
				      MANY,   MANY,      MANY,        w->blocked, w->discontinued};

	for (int i = 0; i < LOCATIONS; i++) {
		levels[i] = w->levels[i];
		if (!sells[channel])
			levels[i].consigned = levels[i].consigned_in_transit = 0;
	}
	return ats_compute(&p, &(struct ats_now){at, w->safety, &w->stale}, &item);
}

static qty_t compute(const struct world *w, int channel)
{
	return compute_at(w, channel, NOW);
}

static bool is_due(const struct ats_arrival *a)
{
	return !a->ordered && a->expected_at <= NOW + HORIZON;
}

/* What a location has that the channel may count: on hand, and due. */
static qty_t on_hand(const struct world *w, int channel, int location)
{
	qty_t base = w->levels[location].free - w->safety[location];

	if (!location_set_has(&sold_at[channel], (uint16_t)location) ||
	    (w->stale_zero && location_set_has(&w->stale, (uint16_t)location)))
		return 0;
	return base > 0 ? base : 0;
}

static qty_t least(qty_t a, qty_t b)
{
	return a < b ? a : b;
}

/* Of ours, or of what the channel sells of others. */
static qty_t coming(const struct world *w, int channel, int location, bool ours)
{
	const struct ats_level *l = &w->levels[location];
	qty_t due = 0;

	if (!location_set_has(&sold_at[channel], (uint16_t)location) ||
	    (w->stale_zero && location_set_has(&w->stale, (uint16_t)location)))
		return 0;
	for (int i = 0; i < MANY; i++) {
		const struct ats_arrival *a = &w->arrivals[i];

		if (a->location == location && is_due(a) && ours == !a->consignor &&
		    (ours || sells[channel] >> a->consignor & 1))
			due += a->quantity;
	}
	return least(due, ours ? l->in_transit : l->consigned_in_transit);
}

/* What consigned stock adds: all but what is kept for safety, or owed, beyond ours. */
static qty_t on_hand_of_others(const struct world *w, int channel, int location)
{
	const struct ats_level *l = &w->levels[location];
	qty_t all = l->free + l->consigned - w->safety[location], ours = on_hand(w, channel, location);

	if (!sells[channel] || !location_set_has(&sold_at[channel], (uint16_t)location) ||
	    (w->stale_zero && location_set_has(&w->stale, (uint16_t)location)))
		return 0;
	return all > ours ? all - ours : 0;
}

static qty_t at_most(const struct world *w, int channel)
{
	qty_t there = 0, due = 0;

	for (int i = 0; i < LOCATIONS; i++) {
		there += on_hand(w, channel, i) + on_hand_of_others(w, channel, i) -
			 ats_fenced_for_others(w->fences, MANY, (uint16_t)i, (uint16_t)channel, on_hand(w, channel, i));
		due += coming(w, channel, i, true) + coming(w, channel, i, false);
	}
	return there + least(due, w->inbound_cap) + (w->discontinued ? 0 : w->backorder) - w->buffer;
}

static const char *is_bounded(const struct world *w, int c)
{
	qty_t n = compute(w, c), most = at_most(w, c);

	if (n < 0 || n % QTY_ONE)
		return "it is not a number of whole units";
	if (n && (w->blocked || n > most))
		return "it is more than there is, or comes, that is not kept for others";
	if (n && (n < w->minimum || (w->cap >= 0 && n > w->cap)))
		return "it is above the cap, or below the minimum and not zero";
	return NULL;
}

/* As if what does not count were not there. */
static const char *forgets(const struct world *w, int c)
{
	struct world without = *w;

	for (int i = 0; i < MANY; i++) {
		if (!is_due(&w->arrivals[i]) ||
		    (w->arrivals[i].consignor && !(sells[c] >> w->arrivals[i].consignor & 1)))
			without.arrivals[i].quantity = 0;
		if (w->gaps[i].until <= NOW || !(together[c] >> w->gaps[i].channel & 1))
			without.gaps[i].quantity = 0;
		if (!location_set_has(&sold_at[c], w->fences[i].location))
			without.fences[i].quantity = 0;
	}
	for (int i = 0; i < LOCATIONS; i++)
		if (!location_set_has(&sold_at[c], (uint16_t)i) ||
		    (w->stale_zero && location_set_has(&w->stale, (uint16_t)i))) {
			without.levels[i] = (struct ats_level){.location = (uint16_t)i};
			for (int k = 0; k < MANY; k++)
				if (w->fences[k].location == i)
					without.fences[k].quantity = 0;
		}
	without.stale.word[0] = 0;
	return compute(&without, c) == compute(w, c) ? NULL : "something counts that must not";
}

/* Where the inbound cap binds, what comes of ours takes the place of what comes of others, and may be kept for another
 * channel. */
static bool takes_turns(const struct world *w, int channel)
{
	qty_t ours = Q(1), theirs = Q(1);

	for (int i = 0; i < LOCATIONS; i++) {
		ours += w->levels[i].in_transit;
		theirs += w->levels[i].consigned_in_transit;
	}
	return sells[channel] && ours + theirs > w->inbound_cap;
}

/* More stock, earlier goods, more of a share, less kept back, later: never less to sell. */
static const char *is_monotone(const struct world *w, int c)
{
	qty_t before = compute(w, c);

	for (int i = 0; i < LOCATIONS; i++) {
		struct world more = *w;

		more.levels[i].free += Q(1);
		if (compute(&more, c) < before)
			return "more stock is less to sell";
		more = *w;
		more.levels[i].in_transit += Q(1);
		if (compute(&more, c) < before && !takes_turns(w, c))
			return "more on the way is less to sell";
		more = *w;
		more.levels[i].consigned += Q(1);
		if (compute(&more, c) < before)
			return "more of others' stock is less to sell";
		more = *w;
		more.levels[i].consigned_in_transit += Q(1);
		if (compute(&more, c) < before)
			return "more of others' on the way is less to sell";
	}
	for (int i = 0; i < MANY; i++) {
		struct world more = *w;

		more.arrivals[i].expected_at -= HORIZON;
		if (compute(&more, c) < before && !takes_turns(w, c))
			return "what comes earlier is less to sell";
		more = *w;
		more.gaps[i].quantity = 0;
		if (compute(&more, c) < before)
			return "without a gap there is less to sell";
	}
	return compute_at(w, c, NOW + HORIZON) < before && !takes_turns(w, c) ? "later there is less to sell" : NULL;
}

/* Where nothing is kept back for anybody, all that counts is sold. */
static const char *is_all(const struct world *w, int c)
{
	struct world open = *w;
	qty_t most;

	for (int i = 0; i < MANY; i++)
		open.fences[i].quantity = open.gaps[i].quantity = 0;
	open.buffer = open.minimum = open.backorder = 0;
	open.cap = -1;
	open.share_ppm = 1000000;
	open.blocked = false;
	most = at_most(&open, c);
	return compute(&open, c) == most - most % QTY_ONE ? NULL : "something that counts is not sold";
}

static const char *broken(const struct world *w)
{
	const char *wrong = NULL;

	for (int c = 0; c < CHANNELS && !wrong; c++) {
		wrong = is_bounded(w, c);
		wrong = wrong ? wrong : forgets(w, c);
		wrong = wrong ? wrong : is_all(w, c);
		wrong = wrong ? wrong : is_monotone(w, c);
	}
	return wrong;
}

/* ---- making it smaller ---- */

static bool try_smaller(struct world *w, qty_t *quantity)
{
	qty_t was = *quantity;
	const qty_t tries[] = {0, was / 2 - was / 2 % QTY_ONE};

	for (size_t i = 0; i < COUNT(tries) && was > 0; i++) {
		*quantity = tries[i];
		if (tries[i] < was && broken(w))
			return true;
	}
	*quantity = was;
	return false;
}

static bool smaller(struct world *w)
{
	bool any = false;

	for (int i = 0; i < MANY; i++)
		any = try_smaller(w, &w->fences[i].quantity) || try_smaller(w, &w->fences[i].used) ||
		      try_smaller(w, &w->arrivals[i].quantity) || try_smaller(w, &w->gaps[i].quantity) || any;
	for (int i = 0; i < LOCATIONS; i++)
		any = try_smaller(w, &w->levels[i].free) || try_smaller(w, &w->levels[i].in_transit) ||
		      try_smaller(w, &w->levels[i].consigned) || try_smaller(w, &w->levels[i].consigned_in_transit) ||
		      try_smaller(w, &w->safety[i]) || any;
	return try_smaller(w, &w->buffer) || try_smaller(w, &w->backorder) || try_smaller(w, &w->minimum) || any;
}

static void print(const struct world *w)
{
	print_error(
	    "share %d ppm, buffer %lld, cap %lld, minimum %lld, backorder %lld, inbound cap %lld, stale %llx%s\n",
	    w->share_ppm, (long long)w->buffer, (long long)w->cap, (long long)w->minimum, (long long)w->backorder,
	    (long long)w->inbound_cap, (unsigned long long)w->stale.word[0], w->stale_zero ? " (zero)" : "");
	for (int i = 0; i < LOCATIONS; i++)
		print_error("location %d: free %lld, in transit %lld, of others %lld and %lld, safety %lld\n", i,
			    (long long)w->levels[i].free, (long long)w->levels[i].in_transit,
			    (long long)w->levels[i].consigned, (long long)w->levels[i].consigned_in_transit,
			    (long long)w->safety[i]);
	for (int i = 0; i < MANY; i++)
		print_error(
		    "fence of %d at %d: %lld, %lld used; arrival at %d of %u in %lld ms: %lld%s; gap of %d: %lld\n",
		    w->fences[i].channel, w->fences[i].location, (long long)w->fences[i].quantity,
		    (long long)w->fences[i].used, w->arrivals[i].location, w->arrivals[i].consignor,
		    (long long)(w->arrivals[i].expected_at - NOW), (long long)w->arrivals[i].quantity,
		    w->arrivals[i].ordered ? " ordered" : "", w->gaps[i].channel, (long long)w->gaps[i].quantity);
	for (int c = 0; c < CHANNELS; c++)
		print_error("channel %d: %lld, at most %lld\n", c, (long long)compute(w, c), (long long)at_most(w, c));
}

static void test_promises(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= CASES; seed++) {
		struct world w = make(seed);

		if (!broken(&w))
			continue;
		while (smaller(&w))
			continue;
		print(&w);
		fail_msg("seed %llu: %s", (unsigned long long)seed, broken(&w));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_promises)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
