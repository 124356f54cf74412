/*
 * Random histories of orders for kits and for their components, against what must be true after each step:
 *
 * - what is allocated, picked for orders and held is what orders and reservations have, place by place;
 * - a line has just what its whole kits need of each component, and lacks the rest; so many are shipped as all
 *   components that were shipped make;
 * - a promise takes nothing that is not free;
 * - no line waits while one more of it could be had;
 * - what is loaded from the rows is what was in memory.
 *
 * KIT-1 is 2 of A-1 and 1 of A-2, KIT-2 1 of A-2, 3 of A-3 and (in KIT-1) 2 of A-1 and another A-2. The market splits
 * kits, the shop does not.
 */
#include "base/test_history.h"
#include "orchestrate/order/book.h"
#include "orchestrate/order/progress.h"
#include "orchestrate/world.h"

#define ITEMS  3
#define GOODS  5 /* items and kits */
#define STEPS  60
#define SEEDS  1500
#define ORDERS STEPS
#define HOLDS  STEPS

static const char *const skus[GOODS] = {"A-1", "A-2", "A-3", "KIT-1", "KIT-2"};
static const char *const places[WORLD_LOCATIONS] = {"A", "B", "C"};
static const char *const channels[WORLD_CHANNELS] = {"shop", "market"};

static struct world w;
static char order_ids[ORDERS][UUID_TEXT], hold_ids[HOLDS][8];
static int order_count, hold_count;

static struct order_open *draw_order(struct test_step *s)
{
	int from = order_count ? test_draw(s, order_count) : 0;

	for (int i = 0; i < order_count; i++) {
		struct order_open *o =
		    order_find(w.orders, (struct str){order_ids[(from + i) % order_count], UUID_TEXT});

		if (o && o->status < ORDER_CLOSED)
			return o;
	}
	return NULL;
}

static struct hold *draw_hold(struct test_step *s)
{
	int from = hold_count ? test_draw(s, hold_count) : 0;

	for (int i = 0; i < hold_count; i++) {
		struct hold *h = hold_find(w.holds, str_from(hold_ids[(from + i) % hold_count]));

		if (h)
			return h;
	}
	return NULL;
}

/* ---- steps ---- */

static void step_fact(struct test_step *s)
{
	static const enum movement_type types[] = {MOVE_RECEIVE, MOVE_RECEIVE, MOVE_ADJUST, MOVE_SHIP, MOVE_PICK};
	enum movement_type type = types[test_draw(s, COUNT(types))];
	struct order_open *o = type == MOVE_SHIP || type == MOVE_PICK ? draw_order(s) : NULL;
	struct world_line l = {.sku = skus[test_draw(s, GOODS)], .location = places[test_draw(s, WORLD_LOCATIONS)]};
	int n = 1 + test_draw(s, type == MOVE_RECEIVE ? 6 : 4);
	struct world_fact fact = {.type = type, .order_id = o ? o->order_id : STR_NONE};
	char line_id[8] = "";
	struct err e = ERR_NONE;

	if (o && test_draw(s, 4)) {
		const struct order_line_open *in = &o->lines[test_draw(s, (int)o->line_count)];

		snprintf(line_id, sizeof(line_id), STR_FMT, STR_ARG(in->line_id));
		l.line_id = line_id;
		for (int i = 0; i < GOODS; i++)
			if (str_is(test_draw(s, 2) ? in->sku : in->parts[test_draw(s, (int)in->part_count)].item->sku,
				   skus[i]))
				l.sku = skus[i];
		for (uint32_t i = 0; i < in->allocation_count && test_draw(s, 3); i++)
			l.location = places[in->allocations[i].place->position.location];
	}
	l.quantity = Q(type == MOVE_ADJUST ? -n : n);
	snprintf(s->text, sizeof(s->text), "%s %d of %s at %s, line '%s' of " STR_FMT, movement_type_name(type), n,
		 l.sku, l.location, line_id, STR_ARG(fact.order_id));
	assert_int_equal(world_apply(&w, fact, &l, 1, &e), RC_OK);
}

static void step_order(struct test_step *s)
{
	const char *channel = channels[test_draw(s, WORLD_CHANNELS)];
	struct hold *h = test_draw(s, 3) ? NULL : draw_hold(s);
	struct world_line lines[3] = {{0}};
	int count = 1 + test_draw(s, 3), at = 0;
	struct order_open *o;

	for (int i = 0; i < count; i++)
		lines[i] = (struct world_line){.sku = skus[test_draw(s, GOODS)], .quantity = Q(1 + test_draw(s, 4))};
	o = world_order(&w, channel, lines, (size_t)count, h);
	assert_non_null(o);
	memcpy(order_ids[order_count++], o->order_id.p, UUID_TEXT);
	at = snprintf(s->text, sizeof(s->text), "order " STR_FMT " by %s%s:", STR_ARG(o->order_id), channel,
		      h ? " with a hold" : "");
	for (int i = 0; i < count; i++)
		at += snprintf(s->text + at, sizeof(s->text) - (size_t)at, " %d %s", (int)(lines[i].quantity / QTY_ONE),
			       lines[i].sku);
}

static void step_hold(struct test_step *s)
{
	struct movement_line line = {.sku = str_from(skus[test_draw(s, GOODS)]), .quantity = Q(1 + test_draw(s, 3))};
	struct hold_request r = {.channel = str_from(channels[test_draw(s, WORLD_CHANNELS)]),
				 .partial = test_draw(s, 2),
				 .lines = &line,
				 .line_count = 1};
	struct str shortage;
	struct hold *h;

	snprintf(hold_ids[hold_count], sizeof(hold_ids[0]), "h%d", hold_count);
	r.reservation_id = str_from(hold_ids[hold_count++]);
	snprintf(s->text, sizeof(s->text), "hold h%d: %d of " STR_FMT " by " STR_FMT, hold_count - 1,
		 (int)(line.quantity / QTY_ONE), STR_ARG(line.sku), STR_ARG(r.channel));
	(void)world_place_hold(&w, &r, &h, &shortage);
}

static void step_end_hold(struct test_step *s)
{
	struct hold *h = draw_hold(s);
	struct order_open *o = test_draw(s, 4) ? draw_order(s) : NULL;
	struct movement_line line = {.sku = str_from(skus[test_draw(s, GOODS)]), .quantity = Q(1 + test_draw(s, 2))};
	struct err e = ERR_NONE;
	enum rc rc = RC_OK;
	bool kept;

	if (!h)
		return;
	snprintf(s->text, sizeof(s->text), "end " STR_FMT " for " STR_FMT ", perhaps %d of " STR_FMT,
		 STR_ARG(h->reservation_id), STR_ARG(o ? o->order_id : STR_NONE), (int)(line.quantity / QTY_ONE),
		 STR_ARG(line.sku));
	if (!o)
		hold_step_end(w.holds, &w.txn, h, HOLD_VOIDED);
	else if (test_draw(s, 2))
		rc = hold_step_commit_part(w.holds, &w.txn, h, o, &line, 1, test_draw(s, 2), &kept, &e);
	else
		hold_step_commit(w.holds, &w.txn, h, o);
	assert_true(rc == RC_OK || rc == RC_CONFLICT);
	if (o)
		order_step_given(w.orders, &w.txn, o);
	order_step_restock(w.orders, &w.txn);
}

static void step_answer(struct test_step *s)
{
	struct order_open *o = draw_order(s);
	struct err e = ERR_NONE;
	int what = test_draw(s, 4);

	if (!o)
		return;
	snprintf(s->text, sizeof(s->text), "%s " STR_FMT, what ? "accept" : "cancel", STR_ARG(o->order_id));
	if (what)
		order_step_accepted(w.orders, &w.txn, o, 1, STR("SO-1"));
	else if (order_step_cancel(w.orders, &w.txn, o, STR("no"), &e) != RC_OK)
		assert_string_not_equal(e.code, "");
	order_step_restock(w.orders, &w.txn);
}

/* ---- what must be true ---- */

/* A component's quantity in one of what was ordered, by the records of this file. */
static int per(struct str sku, int item)
{
	static const int kits[2][ITEMS] = {{2, 1, 0}, {2, 2, 3}};

	if (str_is(sku, "KIT-1"))
		return kits[0][item];
	if (str_is(sku, "KIT-2"))
		return kits[1][item];
	return str_is(sku, skus[item]);
}

static int whole(qty_t q)
{
	assert_int_equal(q % QTY_ONE, 0);
	return (int)(q / QTY_ONE);
}

struct has {
	int shipped, has, at[WORLD_LOCATIONS];
};

static void add_up(const struct order_line_open *l, struct has out[ITEMS])
{
	memset(out, 0, ITEMS * sizeof(*out));
	for (int i = 0; i < ITEMS; i++) {
		for (uint32_t n = 0; n < l->part_count; n++)
			if (str_is(l->parts[n].item->sku, skus[i]))
				out[i].shipped += whole(l->parts[n].shipped);
		for (uint32_t n = 0; n < l->allocation_count; n++)
			if (str_is(l->allocations[n].place->item->sku, skus[i]))
				out[i].has += whole(l->allocations[n].allocated + l->allocations[n].picked);
	}
}

static int free_at(int item, int place)
{
	int n = whole(world_state(&w, skus[item], places[place], STOCK_FREE));

	return n > 0 ? n : 0;
}

/* Could one more be had? */
static bool one_more(const struct order_line_open *l, const struct has has[ITEMS], int kits)
{
	const struct config_channel *c = &w.channels[l->order->channel];
	bool anywhere = false, together = c->split_kits;

	for (size_t k = 0; k < c->location_count; k++) {
		bool here = true;

		for (int i = 0; i < ITEMS; i++)
			here = here &&
			       (kits + 1) * per(l->sku, i) - has[i].shipped - has[i].has <= free_at(i, c->locations[k]);
		anywhere = anywhere || here;
	}
	for (int i = 0; i < ITEMS && together; i++) {
		int there = 0;

		for (size_t k = 0; k < c->location_count; k++)
			there += free_at(i, c->locations[k]);
		together = (kits + 1) * per(l->sku, i) - has[i].shipped - has[i].has <= there;
	}
	return anywhere || together;
}

static const char *check_line(const struct order_line_open *l)
{
	int total = whole(l->ordered - l->cancelled), kits = total, shipped = total;
	struct has has[ITEMS];

	add_up(l, has);
	for (int i = 0; i < ITEMS; i++) {
		int p = per(l->sku, i);

		if (!p)
			continue;
		if ((has[i].shipped + has[i].has) / p < kits)
			kits = (has[i].shipped + has[i].has) / p;
		if (has[i].shipped / p < shipped)
			shipped = has[i].shipped / p;
	}
	if (whole(l->shipped) != shipped)
		return "what is shipped is not what its components make";
	if (whole(l->backordered) != total - kits)
		return "what is lacking is not what is left";
	for (int i = 0; i < ITEMS; i++)
		if (has[i].has && has[i].shipped + has[i].has > kits * per(l->sku, i))
			return "more is kept than is needed";
	if (kits < total && one_more(l, has, kits))
		return "a line waits, and one more could be had";
	return NULL;
}

static const char *check_places(void)
{
	qty_t allocated[ITEMS][WORLD_LOCATIONS] = {{0}}, picked[ITEMS][WORLD_LOCATIONS] = {{0}},
	      held[ITEMS][WORLD_LOCATIONS] = {{0}};
	struct order_open *o;
	struct hold *h;

	for (size_t at = 0; (o = map_next(&w.orders->orders, &at, NULL));) {
		for (uint32_t i = 0; i < o->line_count; i++) {
			for (uint32_t n = 0; n < o->lines[i].allocation_count; n++) {
				const struct allocation *a = &o->lines[i].allocations[n];
				int item = a->place->item->sku.p[2] - '1', p = a->place->position.location;

				allocated[item][p] += a->allocated;
				picked[item][p] += a->picked;
				if (a->released > a->allocated + a->picked)
					return "more is released than there is";
			}
		}
	}
	for (size_t at = 0; (h = map_next(&w.holds->holds, &at, NULL));)
		for (size_t i = 0; i < h->line_count; i++)
			held[h->lines[i].place->item->sku.p[2] - '1'][h->lines[i].place->position.location] +=
			    h->lines[i].quantity;
	for (int i = 0; i < ITEMS; i++)
		for (int p = 0; p < WORLD_LOCATIONS; p++)
			if (world_state(&w, skus[i], places[p], STOCK_ALLOCATED) != allocated[i][p] ||
			    world_state(&w, skus[i], places[p], STOCK_PICKED) < picked[i][p] ||
			    world_state(&w, skus[i], places[p], STOCK_HELD) != held[i][p])
				return "orders and reservations have not what is promised";
	return NULL;
}

static const char *check(void)
{
	const char *wrong = check_places();
	struct order_open *o;

	for (size_t at = 0; !wrong && (o = map_next(&w.orders->orders, &at, NULL));)
		for (uint32_t i = 0; !wrong && o->status < ORDER_CLOSED && i < o->line_count; i++)
			wrong = check_line(&o->lines[i]);
	return wrong;
}

static struct str progress_of(struct buf *b, int order)
{
	struct order_open *o = order_find(w.orders, (struct str){order_ids[order], UUID_TEXT});

	buf_reset(b);
	if (o)
		order_progress_write(b, w.orders, o);
	return buf_str(b);
}

static const char *step_reload(struct test_step *s)
{
	char *before[ORDERS] = {NULL};
	const char *wrong = NULL;
	struct buf b;

	snprintf(s->text, sizeof(s->text), "load");
	buf_init(&b, 1u << 20);
	world_commit(&w, 5);
	for (int i = 0; i < order_count; i++) {
		struct str progress = progress_of(&b, i);

		before[i] = progress.n ? strndup(progress.p, progress.n) : strdup("");
	}
	world_reload(&w);
	for (int i = 0; i < order_count; i++) {
		if (!str_is(progress_of(&b, i), before[i]))
			wrong = "an order is loaded as something else";
		free(before[i]);
	}
	buf_done(&b);
	return wrong;
}

/* A promise takes what is free: only a fact may leave less than nothing. */
static bool less_than_nothing(int before[ITEMS][WORLD_LOCATIONS], bool compare)
{
	bool worse = false;

	for (int i = 0; i < ITEMS; i++) {
		for (int p = 0; p < WORLD_LOCATIONS; p++) {
			int n = whole(world_state(&w, skus[i], places[p], STOCK_FREE));

			worse = worse || (compare && n < 0 && n < before[i][p]);
			before[i][p] = n;
		}
	}
	return worse;
}

static const char *run_step(struct test_step *s)
{
	int before[ITEMS][WORLD_LOCATIONS], kind = test_draw(s, 16);
	const char *wrong = NULL;

	less_than_nothing(before, false);
	if (kind < 6)
		step_fact(s);
	else if (kind < 9)
		step_order(s);
	else if (kind < 11)
		step_hold(s);
	else if (kind < 13)
		step_end_hold(s);
	else if (kind < 15)
		step_answer(s);
	else
		wrong = step_reload(s);
	if (!wrong && less_than_nothing(before, kind >= 6))
		wrong = "what is not there was promised";
	return wrong ? wrong : check();
}

/* ---- histories ---- */

static void begin(uint64_t seed)
{
	order_count = hold_count = 0;
	world_init(&w);
	w.random = seed;
	w.channels[1].split_kits = true;
	w.channels[0].allocation = seed % 3 ? ALLOCATION_PRIORITY : ALLOCATION_FEWEST_PARCELS;
	world_start(&w);
	for (int i = 0; i < ITEMS; i++)
		stock_item_make(w.stock, &w.txn, str_from(skus[i]), STR_NONE);
	world_record(&w, "KIT-1",
		     "{\"sku\":\"KIT-1\",\"components\":[{\"sku\":\"A-1\",\"quantity\":\"2\"},"
		     "{\"sku\":\"A-2\",\"quantity\":\"1\"}]}");
	world_record(&w, "KIT-2",
		     "{\"sku\":\"KIT-2\",\"components\":[{\"sku\":\"A-2\",\"quantity\":\"1\"},"
		     "{\"sku\":\"A-3\",\"quantity\":\"3\"},{\"sku\":\"KIT-1\",\"quantity\":\"1\"}]}");
}

static void end(void)
{
	world_done(&w);
}

static void test_kits(void **state)
{
	(void)state;
	test_histories(
	    &(struct test_history){.steps = STEPS, .seeds = SEEDS, .begin = begin, .step = run_step, .end = end});
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_kits, test_history_teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
