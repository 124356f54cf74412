/*
 * Random histories of ours and of consigned stock under two channels that sell different owners': who may have what is
 * computed here again, from the balances alone.
 */
#include "base/test_history.h"
#include "orchestrate/world.h"

#define STEPS  60
#define SEEDS  1500
#define OWNERS 4
#define HOLDS  8
#define ORDERS 24

static struct world w;
static const char *const owners[OWNERS] = {NULL, "acme", "globex", "somebody"};
static const char *const skus[] = {"W", "V", "K"}; /* a K is two W and one V */
/* By channel: the owners that it sells, in order; 0 ends. */
static const int sells[WORLD_CHANNELS][3] = {{2, 1, 0}, {1, 0}};
static const uint16_t places[WORLD_CHANNELS][2] = {{0, 1}, {1, 2}};
static struct str orders[ORDERS], holds[HOLDS];
static size_t order_count;
static int on_hand[2][WORLD_LOCATIONS][OWNERS];
static char ids[ORDERS][64];

static int state(int item, int location, int owner, enum stock_state s)
{
	return (int)(world_state_of(&w, owners[owner], skus[item], (uint16_t)location, s) / QTY_ONE);
}

static int most(int a, int b)
{
	return a > b ? a : b;
}

/* ---- who may have what ---- */

static int fence_left(int item, int channel, int location)
{
	const struct stock_item *i = stock_find(w.stock, str_from(skus[item]));

	for (uint32_t n = 0; i && i->terms && n < i->terms->fence_count; n++)
		if (i->terms->fences[n].channel == channel && i->terms->fences[n].location == location)
			return (int)(ats_fence_left(&i->terms->fences[n]) / QTY_ONE);
	return 0;
}

/* Of ours at a location, what is kept for the other channel: the first one's ring-fence is filled first. */
static int for_other(int item, int channel, int location)
{
	int ours = most(0, state(item, location, 0, STOCK_FREE)), first = fence_left(item, 0, location);
	int second = fence_left(item, 1, location);

	first = first < ours ? first : ours;
	second = second < ours - first ? second : ours - first;
	return channel == 0 ? second : first;
}

static int consigned(int item, int channel, int location)
{
	int sum = 0;

	for (int i = 0; sells[channel][i]; i++)
		sum += state(item, location, sells[channel][i], STOCK_FREE);
	return sum;
}

static int room_at(int item, int channel, int location)
{
	int ours = state(item, location, 0, STOCK_FREE), theirs = consigned(item, channel, location);

	return most(0, ours) - for_other(item, channel, location) + most(0, ours < 0 ? theirs + ours : theirs);
}

static int room(int item, int channel)
{
	return room_at(item, channel, places[channel][0]) + room_at(item, channel, places[channel][1]);
}

static bool is_sold_by(int channel, const struct stock_place *p)
{
	if (!p->position.owner.n)
		return true;
	for (int i = 0; sells[channel][i]; i++)
		if (str_is(p->position.owner, owners[sells[channel][i]]))
			return true;
	return false;
}

/* ---- what always holds ---- */

static const char *check_promises(void)
{
	for (size_t n = 0; n < w.stock->item_count; n++) {
		struct stock_item *i = w.stock->list[n];

		for (uint32_t k = 0; k < i->place_count; k++) {
			struct stock_place *p = i->places[k];
			qty_t held = 0, allocated = 0;
			struct order_open *o;
			struct hold *h;

			for (size_t at = 0; (h = map_next(&w.holds->holds, &at, NULL));)
				for (size_t l = 0; l < h->line_count; l++)
					if (h->lines[l].place == p) {
						held += h->lines[l].quantity;
						if (!is_sold_by(h->channel, p))
							return "held of an owner that the channel does not sell";
					}
			for (size_t at = 0; (o = map_next(&w.orders->orders, &at, NULL));)
				for (uint32_t l = 0; l < o->line_count; l++)
					for (uint32_t a = 0; a < o->lines[l].allocation_count; a++)
						if (o->lines[l].allocations[a].place == p) {
							allocated += o->lines[l].allocations[a].allocated;
							if (!is_sold_by(o->channel, p) &&
							    o->lines[l].allocations[a].allocated)
								return "allocated of an owner that is not sold";
						}
			if (held != p->position.states[STOCK_HELD] || allocated != p->position.states[STOCK_ALLOCATED])
				return "holds and orders are not what the ledger has";
		}
	}
	return NULL;
}

static const char *check_books(void)
{
	for (int item = 0; item < 2; item++)
		for (int l = 0; l < WORLD_LOCATIONS; l++)
			for (int o = 0; o < OWNERS; o++)
				if (state(item, l, o, STOCK_FREE) + state(item, l, o, STOCK_HELD) +
					state(item, l, o, STOCK_ALLOCATED) !=
				    on_hand[item][l][o])
					return "what an owner has is not what came less what left";
	return NULL;
}

/* What may be sold: without ring-fences exactly, with them never more than there is. */
static const char *check_offer(void)
{
	for (int item = 0; item < 2; item++) {
		const struct stock_item *i = stock_find(w.stock, str_from(skus[item]));

		for (int c = 0; i && c < WORLD_CHANNELS; c++) {
			int told = (int)(stock_available(w.stock, i, &w.channels[c]) / QTY_ONE), all = 0;
			bool fenced = false;

			for (int n = 0; n < 2; n++) {
				int l = places[c][n], safety = (int)(w.locations[l].safety_stock / QTY_ONE);
				int ours = state(item, l, 0, STOCK_FREE) - safety;

				all += most(most(0, ours), ours + consigned(item, c, l));
				fenced = fenced || fence_left(item, 0, l) || fence_left(item, 1, l);
			}
			if (told > all || (!fenced && told != all))
				return "the offer is not what there is";
			if (room(item, c) < told)
				return "more is offered than may be held";
		}
	}
	return NULL;
}

/* ---- steps ---- */

/* Of an item at a location before a channel took: what was kept for the other. */
struct before {
	int kept[2][WORLD_LOCATIONS], theirs[2][WORLD_LOCATIONS][OWNERS];
};

static struct before look(int channel)
{
	struct before b;

	for (int i = 0; i < 2; i++)
		for (int l = 0; l < WORLD_LOCATIONS; l++) {
			b.kept[i][l] = for_other(i, channel, l);
			for (int o = 0; o < OWNERS; o++)
				b.theirs[i][l][o] = state(i, l, o, STOCK_FREE);
		}
	return b;
}

/* Ours first and not what is kept for the other, then owner by owner; nothing below zero. */
static const char *check_taken(const struct before *b, int channel, int item)
{
	for (int l = 0; l < WORLD_LOCATIONS; l++) {
		bool took_later = false;

		for (int o = 0; o < OWNERS; o++)
			if (state(item, l, o, STOCK_FREE) < b->theirs[item][l][o] && state(item, l, o, STOCK_FREE) < 0)
				return "taken from what is not there";
		if (state(item, l, 0, STOCK_FREE) < b->theirs[item][l][0] &&
		    state(item, l, 0, STOCK_FREE) < b->kept[item][l])
			return "taken from what is kept for the other channel";
		for (int i = 1; i >= 0; i--) {
			int o = sells[channel][i];

			if (o && took_later && state(item, l, o, STOCK_FREE) > 0)
				return "an owner was passed over";
			took_later = took_later || (o && state(item, l, o, STOCK_FREE) < b->theirs[item][l][o]);
		}
		if (took_later && state(item, l, 0, STOCK_FREE) > for_other(item, channel, l))
			return "ours was passed over";
	}
	return NULL;
}

static const char *step_receive(struct test_step *s)
{
	int item = test_draw(s, 2), l = test_draw(s, WORLD_LOCATIONS), o = test_draw(s, OWNERS),
	    n = 1 + test_draw(s, 6);
	bool down = test_draw(s, 5) == 0;
	struct world_line line = {
	    .sku = skus[item], .location = w.locations[l].name.p, .owner = owners[o], .quantity = Q(down ? -n : n)};
	struct err e = ERR_NONE;

	snprintf(s->text, sizeof(s->text), "%s %d of %s at %s of %s", down ? "lose" : "receive", n, skus[item],
		 line.location, o ? owners[o] : "ours");
	on_hand[item][l][o] += down ? -n : n;
	assert_int_equal(world_apply(&w, (struct world_fact){.type = down ? MOVE_ADJUST : MOVE_RECEIVE}, &line, 1, &e),
			 RC_OK);
	return NULL;
}

static const char *step_hold(struct test_step *s)
{
	static const char *const names[HOLDS] = {"h0", "h1", "h2", "h3", "h4", "h5", "h6", "h7"};
	int at = test_draw(s, HOLDS), channel = test_draw(s, WORLD_CHANNELS), item = test_draw(s, 2),
	    n = 1 + test_draw(s, 8);
	struct hold *h = holds[at].n ? hold_find(w.holds, holds[at]) : NULL;
	struct before b = look(channel);
	int there = room(item, channel);
	struct str shortage;
	enum rc rc;

	if (h) {
		snprintf(s->text, sizeof(s->text), "void %s", names[at]);
		hold_step_end(w.holds, &w.txn, h, HOLD_VOIDED);
		order_step_restock(w.orders, &w.txn);
		holds[at] = STR_NONE;
		return NULL;
	}
	snprintf(s->text, sizeof(s->text), "%s holds %d of %s as %s, of %d", channel ? "market" : "shop", n, skus[item],
		 names[at], there);
	rc = world_hold(&w, names[at], channel ? "market" : "shop", &(struct world_line)WANT(skus[item], NULL, Q(n)), 1,
			&h, &shortage);
	if ((rc == RC_OK) != (n <= there))
		return "a hold was not decided by what there is";
	if (rc == RC_OK)
		holds[at] = str_from(names[at]);
	return check_taken(&b, channel, item);
}

static const char *step_order(struct test_step *s)
{
	int channel = test_draw(s, WORLD_CHANNELS), item = test_draw(s, 3), n = 1 + test_draw(s, 6),
	    there = item < 2 ? room(item, channel) : 0;
	struct before b = look(channel);
	struct order_open *o;

	if (order_count == ORDERS)
		return NULL;
	snprintf(s->text, sizeof(s->text), "%s orders %d of %s", channel ? "market" : "shop", n, skus[item]);
	o = world_order(&w, channel ? "market" : "shop", &(struct world_line)WANT(skus[item], NULL, Q(n)), 1, NULL);
	assert_non_null(o);
	snprintf(ids[order_count], sizeof(ids[0]), STR_FMT, STR_ARG(o->order_id));
	orders[order_count] = str_from(ids[order_count]);
	order_count++;
	if (o->status == ORDER_ON_HOLD || item == 2)
		return NULL;
	if (o->lines[0].backordered != Q(most(0, n - there)))
		return "an order did not get what there is";
	return check_taken(&b, channel, item);
}

static struct order_open *any_order(struct test_step *s)
{
	return order_count ? order_find(w.orders, orders[test_draw(s, (int)order_count)]) : NULL;
}

static const char *step_cancel(struct test_step *s)
{
	struct order_open *o = any_order(s);
	struct err e = ERR_NONE;

	if (!o || order_step_cancel(w.orders, &w.txn, o, STR_NONE, &e) != RC_OK)
		return NULL;
	snprintf(s->text, sizeof(s->text), "cancel " STR_FMT, STR_ARG(o->order_id));
	order_step_restock(w.orders, &w.txn);
	return NULL;
}

static int index_of(const char *const *names, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (names[i] ? str_is(name, names[i]) : !name.n)
			return (int)i;
	return 0;
}

/* So many of what an order has at one place, with its owner or without; then it may be any that the order has there. */
static const char *step_ship(struct test_step *s)
{
	struct order_open *o = any_order(s);
	bool named = test_draw(s, 2);
	struct world_line line = {.sku = NULL};
	const struct stock_place *p = NULL;
	struct err e = ERR_NONE;
	int left, item;

	if (!o || !o->line_count || !o->lines[0].allocation_count)
		return NULL;
	p = o->lines[0].allocations[test_draw(s, (int)o->lines[0].allocation_count)].place;
	for (uint32_t i = 0; i < o->lines[0].allocation_count; i++)
		if (o->lines[0].allocations[i].place == p)
			line.quantity = o->lines[0].allocations[i].allocated;
	if (line.quantity <= 0)
		return NULL;
	line.quantity = Q(1 + test_draw(s, (int)(line.quantity / QTY_ONE)));
	item = index_of(skus, 2, p->item->sku);
	line.sku = skus[item];
	line.location = w.locations[p->position.location].name.p;
	line.owner = named ? owners[index_of(owners, OWNERS, p->position.owner)] : NULL;
	snprintf(s->text, sizeof(s->text), "ship %d of %s from %s for " STR_FMT " of %s",
		 (int)(line.quantity / QTY_ONE), line.sku, line.location, STR_ARG(o->order_id),
		 line.owner ? line.owner : "any");
	left = (int)(line.quantity / QTY_ONE);
	for (uint32_t i = 0; i < o->lines[0].allocation_count && left > 0; i++) {
		const struct allocation *a = &o->lines[0].allocations[i];
		const struct stock_position *at = &a->place->position;
		int part = (int)(a->allocated / QTY_ONE);

		if (a->place->item != p->item || at->location != p->position.location ||
		    (line.owner && !str_is(at->owner, line.owner)))
			continue;
		part = part < left ? part : left;
		on_hand[item][at->location][index_of(owners, OWNERS, at->owner)] -= part;
		left -= part;
	}
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_SHIP, .order_id = o->order_id}, &line, 1, &e),
			 RC_OK);
	return NULL;
}

static const char *step_fence(struct test_step *s)
{
	int item = test_draw(s, 2), channel = test_draw(s, WORLD_CHANNELS), l = places[channel][test_draw(s, 2)],
	    n = test_draw(s, 6);
	struct stock_item *i = stock_find(w.stock, str_from(skus[item]));

	if (!i)
		return NULL;
	snprintf(s->text, sizeof(s->text), "ring-fence %d of %s at %d for %d", n, skus[item], l, channel);
	fence_set(w.stock, i, (uint16_t)channel, (uint16_t)l, Q(n));
	terms_flush(w.stock, &w.txn);
	order_step_restock(w.orders, &w.txn);
	return NULL;
}

static const char *step_load(struct test_step *s)
{
	struct before b = look(0);
	int offers[2][WORLD_CHANNELS];

	snprintf(s->text, sizeof(s->text), "load");
	for (int i = 0; i < 4; i++)
		offers[i / 2][i % 2] = room(i / 2, i % 2);
	terms_flush(w.stock, &w.txn);
	world_commit(&w, (size_t)test_draw(s, 6));
	world_reload(&w);
	for (int i = 0; i < 4; i++)
		if (offers[i / 2][i % 2] != room(i / 2, i % 2))
			return "loading has changed what there is";
	for (int i = 0; i < 2; i++)
		for (int l = 0; l < WORLD_LOCATIONS; l++)
			for (int o = 0; o < OWNERS; o++)
				if (b.theirs[i][l][o] != state(i, l, o, STOCK_FREE))
					return "loading has changed whose it is";
	return NULL;
}

static const char *run_step(struct test_step *s)
{
	static const char *(*const steps[])(struct test_step *) = {step_receive, step_receive, step_hold,   step_hold,
								   step_order,   step_order,   step_cancel, step_ship,
								   step_ship,    step_fence,   step_load};
	const char *wrong = steps[test_draw(s, COUNT(steps))](s);

	wrong = wrong ? wrong : check_promises();
	wrong = wrong ? wrong : check_books();
	return wrong ? wrong : check_offer();
}

static void begin(uint64_t seed)
{
	memset(on_hand, 0, sizeof(on_hand));
	memset(orders, 0, sizeof(orders));
	memset(holds, 0, sizeof(holds));
	order_count = 0;
	world_init(&w);
	world_consign(&w);
	w.random = seed;
	w.locations[1].safety_stock = Q(seed % 3);
	world_start(&w);
	world_record(&w, "W", "{\"sku\":\"W\"}");
	world_record(&w, "V", "{\"sku\":\"V\"}");
	world_record(&w, "K",
		     "{\"sku\":\"K\",\"components\":[{\"sku\":\"W\",\"quantity\":\"2\"},"
		     "{\"sku\":\"V\",\"quantity\":\"1\"}]}");
}

static void end(void)
{
	world_done(&w);
}

static void test_owners(void **state)
{
	(void)state;
	test_histories(
	    &(struct test_history){.steps = STEPS, .seeds = SEEDS, .begin = begin, .step = run_step, .end = end});
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_owners, test_history_teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
