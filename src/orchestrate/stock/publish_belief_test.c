/* What is believed that a channel shows, and what it must have sold if it shows less. */
#include "base/test_history.h"
#include "orchestrate/stock/publish_internal.h"
#include "orchestrate/stock/test_publish.h"

/* A kit that was sold and not told is its parts; its order gives them back. */
static void test_gap_of_a_kit(void **state)
{
	struct err e = ERR_NONE;
	struct item_record kit = {.component_count = 1};
	struct item_part part = {.sku = STR("PART"), .quantity = Q(2)};
	struct stock_item *item = stock_item_make(w.stock, &w.txn, STR("KIT"), STR_NONE), *in;
	int64_t seq = 0;

	(void)state;
	kit.components = &part;
	assert_int_equal(item_set(w.stock, &w.txn, item, &kit, &e), RC_OK);
	in = stock_find(w.stock, STR("PART"));
	set("PART", 9);
	assert_string_equal(told(&seq), "PART=9 KIT=4");
	delivered(seq);
	set("PART", 10);
	assert_string_equal(told(&seq), "KIT=5 PART=10");
	publish_end(w.publisher, 0, seq, PUBLISH_DELIVERED, stale_item("KIT", "3"), w.now); /* one was sold */
	assert_int_equal(gap_of(in, 0), Q(2));
	assert_string_equal(told(&seq), "KIT=4 PART=8");
	delivered(seq);
	world_reload(&w);
	item = stock_find(w.stock, STR("KIT"));
	assert_int_equal(item_set(w.stock, &w.txn, item, &kit, &e), RC_OK);
	in = stock_find(w.stock, STR("PART"));
	assert_int_equal(gap_of(in, 0), Q(2));
	publish_sold(w.publisher, &w.txn, 0, stock_find(w.stock, STR("KIT")), Q(1));
	assert_int_equal(gap_of(in, 0), 0);
	assert_int_equal(stock_available(w.stock, in, &w.channels[0]), Q(10));
}

/* A channel that does not know the key of a request refuses what it has done: it shows what it was told. */
static void test_gap_of_what_was_tried_before(void **state)
{
	static const struct {
		const char *name;
		int first, then; /* it is told */
		bool in_doubt;
		int ordered; /* meanwhile */
		const char *shown;
		int gap;
	} cases[] = {
	    {"what it shows is what it was told", 10, 6, true, 0, "6", 0},
	    {"the same, of more", 6, 10, true, 0, "10", 0},
	    {"the same, less its orders", 10, 6, true, 2, "4", 0},
	    {"the first try", 10, 6, false, 0, "6", 4},
	    {"it has sold, and the earlier try did nothing", 10, 6, true, 0, "7", 3},
	    {"it has done it, and sold", 6, 10, true, 0, "8", 2},
	    {"it has done it, sold, and told some", 6, 10, true, 1, "7", 2},
	    {"nobody can say: it may have sold all of that", 10, 6, true, 0, "5", 5},
	    {"it shows more on the first try", 6, 10, false, 0, "8", 0},
	};
	int64_t seq = 0;

	for (size_t n = 0; n < COUNT(cases); n++) {
		struct stock_item *item;

		assert_int_equal(n ? set_up(state) : 0, 0);
		set("A-1", cases[n].first);
		told(&seq);
		delivered(seq);
		set("A-1", cases[n].then);
		assert_string_not_equal(told(&seq), "-");
		item = stock_find(w.stock, STR("A-1"));
		if (cases[n].in_doubt)
			publish_doubt(w.publisher, 0, seq);
		publish_doubt(w.publisher, 0, seq + 1); /* another */
		if (cases[n].ordered)
			publish_sold(w.publisher, &w.txn, 0, item, Q(cases[n].ordered));
		publish_end(w.publisher, 0, seq, PUBLISH_DELIVERED, stale_item("A-1", cases[n].shown), w.now);
		if (gap_of(item, 0) != Q(cases[n].gap))
			fail_msg("%s: %lld", cases[n].name, (long long)(gap_of(item, 0) / QTY_ONE));
		/* The next request is nobody's repeat. */
		set("A-1", 20);
		assert_string_not_equal(told(&seq), "-");
		publish_end(w.publisher, 0, seq, PUBLISH_DELIVERED, stale_item("A-1", "0"), w.now);
		assert_true(gap_of(item, 0) >= Q(cases[n].gap + 1));
		if (n + 1 < COUNT(cases))
			tear_down(state);
	}
}

/* It waits to be tried again over a restart; only one that was tried may have got through. */
static void test_doubt_outlives_a_restart(void **state)
{
	for (int attempts = 0; attempts < 2; attempts++) {
		int64_t seq = 0;

		assert_int_equal(attempts ? set_up(state) : 0, 0);
		set("A-1", 10);
		told(&seq);
		delivered(seq);
		set("A-1", 6);
		assert_string_not_equal(told(&seq), "-");
		txn_put(&w.txn, W_DELIVERY_STATE, SV_INT(seq), SV_INT(DELIVERY_WAITING), SV_INT(attempts), SV_INT(0),
			SV_INT(w.now), SV_NULL, SV_NULL);
		world_commit(&w, SIZE_MAX);
		world_reload(&w);
		publish_end(w.publisher, 0, seq, PUBLISH_DELIVERED, stale_item("A-1", "6"), w.now);
		assert_int_equal(gap_of(stock_find(w.stock, STR("A-1")), 0), attempts ? 0 : Q(4));
		if (!attempts)
			tear_down(state);
	}
}

static qty_t belief(const char *sku)
{
	const struct stock_item *item = stock_find(w.stock, str_from(sku));
	const struct publication *pub = item && item->publications ? &item->publications[0] : NULL;

	if (!pub)
		return UNKNOWN;
	return pub->change ? pub->change->expected : pub->confirmed ? pub->told : UNKNOWN;
}

/* As the hub does it: with the row of the delivery. */
static void answered(int64_t seq, enum delivery_status status, const struct json *stale)
{
	publish_end(w.publisher, 0, seq, status == DELIVERY_DELIVERED ? PUBLISH_DELIVERED : PUBLISH_FAILED, stale,
		    w.now);
	txn_put(&w.txn, W_DELIVERY_STATE, SV_INT(seq), SV_INT(status), SV_INT(1), SV_INT(0), SV_INT(w.now), SV_NULL,
		SV_NULL);
}

static void sell(const char *sku, int units)
{
	assert_non_null(world_order(&w, "shop", &(struct world_line)WANT(sku, NULL, Q(units)), 1, NULL));
}

/* The first refusal after a restart says what the channel has sold: its orders since it was told are known. */
static void test_gap_after_a_restart(void **state)
{
	int64_t seq = 0;

	for (int rows = 0; rows < 2; rows++) {
		assert_int_equal(rows ? set_up(state) : 0, 0);
		set("A-1", 10);
		assert_string_equal(told(&seq), "A-1=10");
		answered(seq, DELIVERY_DELIVERED, NULL);
		assert_string_equal(told(&seq), "-");
		w.channels[0].linger_ms = 1000;
		sell("A-1", 3);
		world_finish(&w, rows ? 9 : 0);
		seq = world_delivery(&w, "shop", "availability")->values[0].integer;
		world_committed(&w);
		answered(seq, DELIVERY_DELIVERED, NULL);
		world_commit(&w, rows ? 9 : 0);
		sell("A-1", 2); /* it shows five */
		world_commit(&w, 0);
		world_reload(&w);
		assert_int_equal(belief("A-1"), Q(5));
		w.channels[0].linger_ms = 0;
		set("A-1", 9);
		assert_string_equal(told(&seq), "A-1=4"); /* five of nine are allocated */
		answered(seq, DELIVERY_DELIVERED, stale_item("A-1", "3"));
		assert_int_equal(gap_of(stock_find(w.stock, STR("A-1")), 0), Q(2));
		if (rows == 0)
			tear_down(state);
	}
}

/* What was under way, and was not being sent yet, says what was believed. */
static void test_gap_of_what_was_under_way(void **state)
{
	int64_t seq = 0;

	(void)state;
	set("A-1", 10);
	assert_string_equal(told(&seq), "A-1=10");
	answered(seq, DELIVERY_DELIVERED, NULL);
	set("A-1", 8);
	assert_string_equal(told(&seq), "A-1=8");
	sell("A-1", 1);
	world_commit(&w, 0);
	world_reload(&w);
	answered(seq, DELIVERY_DELIVERED, stale_item("A-1", "6"));
	assert_int_equal(gap_of(stock_find(w.stock, STR("A-1")), 0), Q(3));
	world_commit(&w, 9);
	world_reload(&w);
	assert_int_equal(gap_of(stock_find(w.stock, STR("A-1")), 0), Q(3));
}

/* Since it was cut more was sold than it tells: after a restart that is no gap. */
static void test_no_gap_of_what_was_sold_under_way(void **state)
{
	int64_t seq = 0;

	(void)state;
	set("A-1", 10);
	assert_string_equal(told(&seq), "A-1=10");
	answered(seq, DELIVERY_DELIVERED, NULL);
	set("A-1", 1);
	assert_string_equal(told(&seq), "A-1=1");
	sell("A-1", 3);
	world_commit(&w, 9);
	world_reload(&w);
	answered(seq, DELIVERY_DELIVERED, stale_item("A-1", "7"));
	assert_int_equal(gap_of(stock_find(w.stock, STR("A-1")), 0), 0);
}

/* ---- a restart changes nothing of what is believed of what is not under way ---- */

static const char *const skus[] = {"A-1", "A-2", "A-3"};

static void begin(uint64_t seed)
{
	(void)seed;
	set_up(NULL);
}

static void end(void)
{
	tear_down(NULL);
}

static bool is_in_flight(const char *sku)
{
	const struct stock_item *item = stock_find(w.stock, str_from(sku));
	const struct change *change = item && item->publications ? item->publications[0].change : NULL;

	return change && change->in_flight;
}

static const char *restart(void)
{
	qty_t before[COUNT(skus)];

	for (size_t n = 0; n < COUNT(skus); n++)
		before[n] = belief(skus[n]);
	world_reload(&w);
	for (size_t n = 0; n < COUNT(skus); n++)
		if (belief(skus[n]) != before[n] && !is_in_flight(skus[n]))
			return "something else is believed after a restart";
	return NULL;
}

static void answer(struct test_step *s, const char *sku, int how)
{
	static const char *const texts[] = {"delivered", "delivered, but stale: it shows 2 of ", "failed"};
	int64_t seq = w.publisher->channels[0].under_way;

	if (!seq)
		return;
	snprintf(s->text, sizeof(s->text), "%s%s", texts[how], how == 1 ? sku : "");
	answered(seq, how == 2 ? DELIVERY_DEAD : DELIVERY_DELIVERED, how == 1 ? stale_item(sku, "2") : NULL);
}

static const char *step(struct test_step *s)
{
	int kind = test_draw(s, 8), n;
	const char *sku = skus[test_draw(s, COUNT(skus))], *wrong = NULL;

	if (kind == 0) {
		n = test_draw(s, 30);
		snprintf(s->text, sizeof(s->text), "count %d of %s", n, sku);
		set(sku, n);
	} else if (kind < 3 && stock_find(w.stock, str_from(sku))) {
		n = 1 + test_draw(s, 3);
		snprintf(s->text, sizeof(s->text), "sell %d of %s", n, sku);
		sell(sku, n);
	} else if (kind > 2 && kind < 6) {
		answer(s, sku, kind - 3);
	} else if (kind >= 6) {
		n = test_draw(s, 4);
		snprintf(s->text, sizeof(s->text), "commit, %d rows%s", n, kind == 7 ? ", and load" : "");
		world_commit(&w, (size_t)n);
		if (kind == 7)
			wrong = restart();
	}
	w.now += 10;
	return wrong;
}

static void test_belief_outlives_restarts(void **state)
{
	(void)state;
	test_histories(&(struct test_history){.steps = 100, .seeds = 100, .begin = begin, .step = step, .end = end});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_gap_of_a_kit),
	    TEST(test_gap_of_what_was_tried_before),
	    TEST(test_doubt_outlives_a_restart),
	    TEST(test_gap_after_a_restart),
	    TEST(test_gap_of_what_was_under_way),
	    TEST(test_no_gap_of_what_was_sold_under_way),
	    cmocka_unit_test_teardown(test_belief_outlives_restarts, test_history_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
