#include "orchestrate/stock/past.h"
#include "orchestrate/world.h"

static void post(struct world *w, const char *type, struct stock_place *p, enum stock_state from,
		 struct stock_place *to, enum stock_state state, qty_t q)
{
	struct stock_draft d;
	int64_t seq;

	stock_draft_begin(&d, w->stock, &w->txn, str_from(type), w->now);
	stock_post(&d, p, from, to, state, q);
	seq = stock_draft_end(&d, false);
	assert_int_equal(seq, w->heads.movement);
}

static struct stock_place *make_place(struct world *w, const char *sku, uint16_t location, const char *lot)
{
	struct stock_item *i = stock_item_make(w->stock, &w->txn, str_from(sku), STR("H87"));

	assert_non_null(i);
	return stock_place_make(w->stock, i, location, str_from(lot), STR_NONE);
}

static void test_items_and_places(void **state)
{
	struct world w;
	struct stock_item *i;
	struct stock_place *p;

	(void)state;
	world_init(&w);
	world_start(&w);
	assert_null(stock_find(w.stock, STR("A-1")));
	i = stock_item_make(w.stock, &w.txn, STR("A-1"), STR("H87"));
	assert_ptr_equal(stock_item_make(w.stock, &w.txn, STR("A-1"), STR("H87")), i);
	assert_int_equal(world_count(&w, W_ITEM, 0, "A-1"), 1);
	p = stock_place_make(w.stock, i, 1, STR("lot"), STR_NONE);
	assert_ptr_equal(stock_place_make(w.stock, i, 1, STR("lot"), STR_NONE), p);
	assert_ptr_not_equal(stock_place_make(w.stock, i, 1, STR_NONE, STR_NONE), p);
	assert_ptr_not_equal(stock_place_make(w.stock, i, 1, STR("lot"), STR("owner")), p);
	assert_null(stock_place_find(i, 0, STR("lot"), STR_NONE));
	for (int n = 1; n < WORLD_ITEMS_MAX; n++) {
		char sku[16];

		snprintf(sku, sizeof(sku), "N-%d", n);
		assert_non_null(stock_item_make(w.stock, NULL, str_from(sku), STR_NONE));
	}
	assert_null(stock_item_make(w.stock, NULL, STR("one too many"), STR_NONE));
	world_done(&w);
}

static void test_draft(void **state)
{
	struct world w;
	struct stock_place *p, *q;
	struct stock_draft d;

	(void)state;
	world_init(&w);
	world_start(&w);
	p = make_place(&w, "A-1", 0, "");
	q = make_place(&w, "A-1", 1, "");
	stock_draft_begin(&d, w.stock, &w.txn, STR("nothing"), w.now);
	assert_int_equal(stock_draft_end(&d, false), 0);
	assert_int_equal(w.heads.movement, 0);
	assert_int_equal(world_count(&w, W_MOVEMENT, 4, NULL), 0);
	stock_draft_begin(&d, w.stock, &w.txn, STR("nothing, but said"), w.now);
	assert_int_equal(stock_draft_end(&d, true), 1);
	post(&w, "receive", p, STOCK_OUTSIDE, NULL, STOCK_FREE, Q(10));
	post(&w, "move", p, STOCK_FREE, q, STOCK_IN_TRANSIT, Q(4));
	assert_int_equal(world_count(&w, W_MOVEMENT, 4, NULL), 3);
	assert_int_equal(p->position.states[STOCK_FREE], Q(6));
	assert_int_equal(q->position.states[STOCK_IN_TRANSIT], Q(4));
	assert_int_equal(stock_on_hand(p), Q(6));
	assert_int_equal(stock_on_hand(q), 0);
	world_done(&w);
}

static void test_free_at(void **state)
{
	static const struct {
		qty_t a, b, want;
	} cases[] = {{Q(3), Q(4), Q(7)}, {Q(3), Q(-1), Q(2)}, {Q(1), Q(-4), 0}, {0, 0, 0}};
	struct world w;
	struct stock_place *a, *b;

	(void)state;
	world_init(&w);
	world_start(&w);
	a = make_place(&w, "A-1", 0, "a");
	b = make_place(&w, "A-1", 0, "b");
	make_place(&w, "A-1", 1, "")->position.states[STOCK_FREE] = Q(50);
	for (size_t i = 0; i < COUNT(cases); i++) {
		a->position.states[STOCK_FREE] = cases[i].a;
		b->position.states[STOCK_FREE] = cases[i].b;
		assert_int_equal(stock_free_at(a->item, 0), cases[i].want);
	}
	world_done(&w);
}

/* The channel's policy reaches the formula, and more places than fit on the stack are counted. */
static void test_available(void **state)
{
	struct world w;
	struct stock_item *i;

	(void)state;
	world_init(&w);
	w.locations[0].safety_stock = Q(2);
	w.channels[0].share_ppm = 500000;
	w.channels[0].buffer = Q(1);
	world_start(&w);
	for (int n = 0; n < 20; n++) {
		char lot[8];

		snprintf(lot, sizeof(lot), "%d", n);
		make_place(&w, "A-1", n % 2 ? 0 : 2, lot)->position.states[STOCK_FREE] = Q(1);
	}
	i = stock_find(w.stock, STR("A-1"));
	assert_int_equal(i->place_count, 20);
	assert_int_equal(stock_available(w.stock, i, &w.channels[0]), Q(3)); /* (10 - 2) / 2 - 1 */
	assert_int_equal(stock_available(w.stock, i, &w.channels[1]), Q(10));
	world_done(&w);
}

/* Rows are written oldest change first, and the floor says from where the log is needed. */
static void test_flush_and_floor(void **state)
{
	static const struct {
		size_t flush, rows;
		int64_t floor;
	} steps[] = {{1, 1, 1}, {1, 1, 2}, {5, 1, 4}, {5, 0, -1}};
	struct world w;
	struct stock_place *places[3];

	(void)state;
	world_init(&w);
	world_start(&w);
	for (uint16_t n = 0; n < 3; n++) {
		places[n] = make_place(&w, "A-1", n, "");
		post(&w, "receive", places[n], STOCK_OUTSIDE, NULL, STOCK_FREE, Q(10));
	}
	post(&w, "adjust", places[0], STOCK_OUTSIDE, NULL, STOCK_FREE, Q(1));
	for (size_t i = 0; i < COUNT(steps); i++) {
		size_t before = world_count(&w, W_POSITION, 0, NULL);
		const struct store_write *last = NULL;

		stock_flush(w.stock, &w.txn, steps[i].flush);
		assert_int_equal(world_count(&w, W_POSITION, 0, NULL) - before, steps[i].rows);
		for (const struct store_write *r = w.txn.batch.first; r; r = r->next)
			last = r;
		if (steps[i].floor >= 0) {
			assert_int_equal(last->statement, W_META);
			assert_int_equal(last->values[1].integer, steps[i].floor);
		}
	}
	assert_null(w.stock->dirty);
	world_done(&w);
}

static void test_damaged_rows(void **state)
{
	static const struct {
		const char *name, *location, *states;
		enum rc want;
	} cases[] = {
	    {"good", "A", "1 2 3 4 5 6 7 8 -9", RC_OK},
	    {"too few", "A", "1 2 3", RC_IO},
	    {"empty", "A", "", RC_IO},
	    {"not a number", "A", "1 2 x 4 5 6 7 8 9", RC_IO},
	    {"only a sign", "A", "1 2 - 4 5 6 7 8 9", RC_IO},
	    {"too large", "A", "9999999999999999999 2 3 4 5 6 7 8 9", RC_IO},
	    {"a location that is gone", "Z", "1 2 3 4 5 6 7 8 9", RC_CONFLICT},
	};
	struct world w;

	(void)state;
	world_init(&w);
	world_start(&w);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = ERR_NONE;

		if (stock_load_position(w.stock, STR("A-1"), str_from(cases[i].location), STR_NONE, STR_NONE, 1,
					str_from(cases[i].states), &e) != cases[i].want)
			fail_msg("%s: %s", cases[i].name, e.code);
	}
	assert_int_equal(stock_replay(w.stock, 9, w.now,
				      STR("\x05"
					  "x"),
				      &(struct err){0}),
			 RC_IO);
	world_done(&w);
}

/* ---- random histories ---- */

struct picture {
	qty_t states[4][WORLD_LOCATIONS * 2][STOCK_STATES];
	int64_t through[4][WORLD_LOCATIONS * 2];
};

static const char *const skus[] = {"A-1", "A-2", "A-3", "A-4"}, *const lots[] = {"", "lot"};

static void take_picture(const struct world *w, struct picture *p)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < COUNT(skus); i++) {
		for (uint16_t n = 0; n < WORLD_LOCATIONS * 2; n++) {
			const struct stock_item *item = stock_find(w->stock, str_from(skus[i]));
			const struct stock_place *at =
			    item ? stock_place_find(item, n / 2, str_from(lots[n % 2]), STR_NONE) : NULL;

			if (!at)
				continue;
			memcpy(p->states[i][n], at->position.states, sizeof(at->position.states));
			p->through[i][n] = at->through;
		}
	}
}

static void post_something(struct world *w)
{
	const char *sku = skus[test_random(&w->random) % COUNT(skus)], *lot = lots[test_random(&w->random) % 2];
	uint16_t location = (uint16_t)(test_random(&w->random) % WORLD_LOCATIONS);
	struct stock_place *p = make_place(w, sku, location, lot), *to = NULL;
	enum stock_state from = (enum stock_state)(test_random(&w->random) % (STOCK_STATES + 1));
	enum stock_state state = (enum stock_state)(test_random(&w->random) % (STOCK_STATES + 1));

	if (from != STOCK_OUTSIDE && state != STOCK_OUTSIDE && test_random(&w->random) % 4 == 0)
		to = make_place(w, sku, (uint16_t)((location + 1) % WORLD_LOCATIONS), lot);
	if (from == state && !to)
		return;
	post(w, "any", p, from, to, state, 1 + (qty_t)(test_random(&w->random) % 100000));
}

/* The ten ways, 2: a counter never drifts from its rows. What is loaded from rows and log equals what was in memory. */
static void test_reload_equals_memory(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct picture before, after;
		struct world w;

		world_init(&w);
		w.random = seed * 0x9e3779b97f4a7c15u;
		w.replay_behind = 0;
		world_start(&w);
		for (int batch = 0; batch < 12; batch++) {
			for (uint64_t n = test_random(&w.random) % 8; n > 0; n--)
				post_something(&w);
			world_commit(&w, test_random(&w.random) % 5);
			if (test_random(&w.random) % 3)
				continue;
			take_picture(&w, &before);
			post_something(&w); /* not committed: gone */
			w.heads.movement = 0;
			for (size_t i = 0; i < w.disk.count; i++)
				if (w.disk.rows[i].table == W_MOVEMENT)
					w.heads.movement = w.disk.rows[i].values[0].integer;
			world_reload(&w);
			take_picture(&w, &after);
			if (memcmp(&before, &after, sizeof(before)) != 0)
				fail_msg("seed %llu, batch %d: the loaded state differs", (unsigned long long)seed,
					 batch);
		}
		world_done(&w);
	}
}

static enum rc sum_outside(void *ctx, const struct entry *e)
{
	qty_t *outside = ctx;

	*outside += e->from == STOCK_OUTSIDE ? e->quantity : 0;
	*outside -= e->to == STOCK_OUTSIDE ? e->quantity : 0;
	return RC_OK;
}

/* A state can only change against another state or the outside. */
static void test_conservation(void **state)
{
	struct world w;
	qty_t outside = 0, sum = 0;

	(void)state;
	world_init(&w);
	world_start(&w);
	for (int i = 0; i < 500; i++)
		post_something(&w);
	for (const struct store_write *r = w.txn.batch.first; r; r = r->next)
		if (r->statement == W_MOVEMENT)
			assert_int_equal(entries_each(r->values[10].bytes, sum_outside, &outside), RC_OK);
	for (size_t i = 0; i < COUNT(skus); i++) {
		const struct stock_item *item = stock_find(w.stock, str_from(skus[i]));

		for (uint32_t n = 0; n < item->place_count; n++)
			for (int s = 0; s < STOCK_STATES; s++)
				sum += item->places[n]->position.states[s];
	}
	assert_int_equal(sum, outside);
	world_done(&w);
}

/* ---- what late counts look at ---- */

static void test_recents(void **state)
{
	static const struct {
		enum stock_state from, to;
		bool elsewhere;
		qty_t here, there; /* change of what is on hand */
	} cases[] = {
	    {STOCK_OUTSIDE, STOCK_FREE, false, Q(1), 0},    {STOCK_FREE, STOCK_OUTSIDE, false, Q(-1), 0},
	    {STOCK_FREE, STOCK_ALLOCATED, false, 0, 0},     {STOCK_FREE, STOCK_FREE, true, Q(-1), Q(1)},
	    {STOCK_FREE, STOCK_IN_TRANSIT, true, Q(-1), 0}, {STOCK_IN_TRANSIT, STOCK_FREE, false, Q(1), 0},
	    {STOCK_OUTSIDE, STOCK_ON_ORDER, false, 0, 0},   {STOCK_PICKED, STOCK_OUTSIDE, false, Q(-1), 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct stock_place *p, *q;
		struct world w;

		world_init(&w);
		world_start(&w);
		p = make_place(&w, "A-1", 0, "");
		q = make_place(&w, "A-1", 1, "");
		post(&w, "any", p, cases[i].from, cases[i].elsewhere ? q : NULL, cases[i].to, Q(1));
		for (int loaded = 0; loaded < 2; loaded++) {
			p = world_place(&w, "A-1", "A", NULL);
			q = world_place(&w, "A-1", "B", NULL);
			assert_int_equal(p->past ? p->past->count : 0, cases[i].here != 0);
			assert_int_equal(q && q->past ? q->past->count : 0, cases[i].there != 0);
			if (cases[i].here) {
				assert_int_equal(p->past->list[0].delta, cases[i].here);
				assert_int_equal(p->past->list[0].occurred_at, w.now);
			}
			if (cases[i].there)
				assert_int_equal(q->past->list[0].delta, cases[i].there);
			if (!loaded)
				world_commit(&w, 10);
			w.now += 5000;
			if (!loaded)
				world_reload(&w);
			w.now -= 5000;
		}
		world_done(&w);
	}
}

static void test_recents_ring(void **state)
{
	struct stock_place *p;
	struct world w;

	(void)state;
	world_init(&w);
	world_start(&w);
	p = make_place(&w, "A-1", 0, "");
	for (int i = 0; i < STOCK_RECENTS + 3; i++)
		post(&w, "receive", p, STOCK_OUTSIDE, NULL, STOCK_FREE, i + 1);
	assert_int_equal(p->past->count, STOCK_RECENTS);
	assert_int_equal(p->past->list[0].delta, 4);
	assert_int_equal(p->past->forgotten, w.now);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_items_and_places), cmocka_unit_test(test_draft),
	    cmocka_unit_test(test_free_at),          cmocka_unit_test(test_available),
	    cmocka_unit_test(test_flush_and_floor),  cmocka_unit_test(test_damaged_rows),
	    cmocka_unit_test(test_conservation),     cmocka_unit_test(test_reload_equals_memory),
	    cmocka_unit_test(test_recents),          cmocka_unit_test(test_recents_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
