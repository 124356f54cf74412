#include "orchestrate/stock/publish_internal.h"
#include "orchestrate/stock/test_publish.h"

static void test_one_delivery_at_a_time(void **state)
{
	int64_t seq = 0, second = 0;

	(void)state;
	set("A-1", 5);
	assert_string_equal(told(&seq), "A-1=5");
	assert_string_equal(told(&second), "-");
	set("A-2", 1);
	assert_string_equal(told(&second), "-"); /* one is under way */
	delivered(seq + 100);                    /* not the one under way: nothing */
	assert_string_equal(told(&second), "-");
	delivered(seq);
	assert_string_equal(told(&second), "A-2=1");
	assert_true(second > seq);
}

/* The ten ways, 10: zero goes first. */
static void test_zero_first(void **state)
{
	int64_t seq = 0;

	(void)state;
	for (int i = 1; i <= 4; i++) {
		char sku[8];

		snprintf(sku, sizeof(sku), "A-%d", i);
		set(sku, i);
	}
	assert_string_equal(told(&seq), "A-4=4 A-3=3");
	delivered(seq);
	assert_string_equal(told(&seq), "A-2=2 A-1=1");
	set("A-3", 7);
	assert_string_equal(told(&seq), "-");
	set("A-2", 9);
	assert_string_equal(told(&seq), "-");
	set("A-1", 0);
	assert_string_equal(told(&seq), "-");
	set("A-2", 0);
	assert_string_equal(told(&seq), "-");
	delivered(seq);
	assert_string_equal(told(&seq), "A-1=0 A-2=0");
	delivered(seq);
	assert_string_equal(told(&seq), "A-3=7");
}

static void test_coalescing(void **state)
{
	int64_t seq = 0;

	(void)state;
	set("A-1", 5);
	assert_string_equal(told(&seq), "A-1=5");
	set("A-1", 4);
	set("A-2", 1);
	assert_string_equal(told(&seq), "-");
	set("A-1", 3);
	set("A-2", 0); /* it was never told */
	assert_string_equal(told(&seq), "-");
	delivered(seq);
	assert_string_equal(told(&seq), "A-2=0 A-1=3");
	set("A-1", 4);
	set("A-1", 3); /* as it was: nothing to tell */
	delivered(seq);
	assert_string_equal(told(&seq), "-");
}

static void test_not_for_other_changes(void **state)
{
	struct hold *h;
	struct str shortage;
	int64_t seq = 0;

	(void)state;
	set("A-1", 5);
	assert_string_equal(told(&seq), "A-1=5");
	delivered(seq);
	world_move(&w, MOVE_RECEIVE, "A-1", "C", Q(5)); /* the shop does not sell from there */
	assert_string_equal(told(&seq), "-");
	assert_int_equal(world_hold(&w, "r", "shop", &(struct world_line)WANT("A-1", NULL, Q(2)), 1, &h, &shortage),
			 RC_OK);
	assert_string_equal(told(&seq), "A-1=3");
}

/* About to be tried again although there is news: superseded, and its items go with the news. */
static void test_overtaken(void **state)
{
	int64_t seq = 0, first;

	(void)state;
	set("A-1", 5);
	assert_string_equal(told(&seq), "A-1=5");
	first = seq;
	assert_true(publish_start(w.publisher, 0, seq, 0));
	assert_true(publish_start(w.publisher, 0, seq, 1)); /* no news: try again */
	set("A-2", 1);
	assert_string_equal(told(&seq), "-");
	assert_true(publish_start(w.publisher, 0, seq, 0)); /* not tried yet: may go */
	assert_false(publish_start(w.publisher, 0, seq, 1));
	assert_string_equal(told(&seq), "A-2=1 A-1=5");
	assert_false(publish_start(w.publisher, 0, first, 0));
	assert_true(publish_start(w.publisher, 0, seq, 0));
	delivered(first); /* a late answer to what is superseded */
	set("A-1", 6);
	assert_string_equal(told(&seq), "-");
}

/* Under load the next one waits for more, but not when something goes to zero. */
static void test_linger(void **state)
{
	int64_t seq = 0, begun = w.now;

	(void)state;
	w.channels[0].linger_ms = 20;
	assert_int_equal(publish_next(w.publisher), INT64_MAX);
	set("A-1", 5);
	set("A-2", 5);
	assert_string_equal(told(&seq), "A-2=5 A-1=5");
	delivered(seq);
	set("A-1", 6);
	assert_string_equal(told(&seq), "-");
	assert_int_equal(publish_next(w.publisher), begun + 20);
	set("A-2", 7);
	w.now = w.txn.now = begun + 19;
	assert_string_equal(told(&seq), "-");
	w.now = w.txn.now = begun + 20;
	assert_string_equal(told(&seq), "A-1=6 A-2=7");
	delivered(seq);
	set("A-1", 0);
	assert_string_equal(told(&seq), "A-1=0");
	w.channels[0].linger_ms = 0;
}

static void test_stale(void **state)
{
	int64_t seq = 0;
	struct str params;

	(void)state;
	set("A-1", 5);
	assert_string_equal(told(&seq), "A-1=5");
	publish_end(w.publisher, 0, seq, PUBLISH_DELIVERED, stale_item("A-1", "3"), w.now);
	assert_string_equal(told(&seq), "A-1=5");
	params = disk_row(&w.disk, W_DELIVERY, &SV_INT(seq), 1)->values[9].bytes;
	assert_non_null(strstr(params.p, "\"expected\":\"3\""));
	publish_end(w.publisher, 0, seq, PUBLISH_DELIVERED, stale_item("A-1", "5"), w.now);
	assert_string_equal(told(&seq), "-");
	publish_end(w.publisher, 0, seq, PUBLISH_DELIVERED, stale_item("A-9", "3"), w.now);
	assert_string_equal(told(&seq), "-");
}

/* Failed for good: its items wait for their next change, others go on. */
static void test_failed(void **state)
{
	int64_t seq = 0;

	(void)state;
	set("A-1", 5);
	assert_string_equal(told(&seq), "A-1=5");
	publish_end(w.publisher, 0, seq, PUBLISH_FAILED, NULL, w.now);
	assert_string_equal(told(&seq), "-");
	set("A-2", 1);
	assert_string_equal(told(&seq), "A-2=1");
	delivered(seq);
	set("A-1", 4);
	assert_string_equal(told(&seq), "A-1=4");
}

/* The channel's own number is what the books say by chance; a restart, and then zero: it is told. */
static void test_zero_after_stale_and_restart(void **state)
{
	int64_t seq = 0;

	(void)state;
	set("A-1", 5);
	assert_string_equal(told(&seq), "A-1=5");
	set("A-1", 4);
	set("A-3", 3);
	publish_end(w.publisher, 0, seq, PUBLISH_DELIVERED, stale_item("A-3", "3"), w.now);
	order_step_restock(w.orders, &w.txn);
	txn_put(&w.txn, W_DELIVERY_STATE, SV_INT(seq), SV_INT(DELIVERY_DELIVERED), SV_INT(1), SV_INT(0), SV_INT(w.now),
		SV_NULL, SV_NULL);
	(void)told(&seq);
	world_reload(&w);
	set("A-3", 0);
	assert_string_equal(told(&seq), "-"); /* one is under way */
	delivered(seq);
	assert_string_equal(told(&seq), "A-3=0");
}

static void test_reload(void **state)
{
	int64_t seq = 0, before;

	(void)state;
	set("A-1", 5);
	assert_string_equal(told(&seq), "A-1=5");
	before = seq;
	set("A-2", 2);
	assert_string_equal(told(&seq), "-");
	world_reload(&w);
	assert_string_equal(told(&seq), "-"); /* the first is still under way */
	publish_end(w.publisher, 0, before, PUBLISH_DELIVERED, NULL, w.now);
	assert_string_equal(told(&seq), "A-2=2");
	txn_put(&w.txn, W_DELIVERY_STATE, SV_INT(before), SV_INT(DELIVERY_DELIVERED), SV_INT(1), SV_INT(0),
		SV_INT(w.now), SV_NULL, SV_NULL);
	txn_put(&w.txn, W_DELIVERY_STATE, SV_INT(seq), SV_INT(DELIVERY_DELIVERED), SV_INT(1), SV_INT(0), SV_INT(w.now),
		SV_NULL, SV_NULL);
	delivered(seq);
	assert_string_equal(told(&seq), "-");
	world_reload(&w);
	assert_string_equal(told(&seq), "-");
	set("A-1", 0);
	assert_string_equal(told(&seq), "A-1=0");
}

static void set_number(int from, int to, qty_t q)
{
	for (int i = from; i < to; i++) {
		char sku[16];

		snprintf(sku, sizeof(sku), "A-%02d", i);
		set(sku, q);
	}
}

/* Deliveries until nothing is left; how many items they had. */
static size_t tell_all(int64_t *seq)
{
	const char *text;
	size_t n = 0;

	while (strcmp(text = told(seq), "-") != 0) {
		for (const char *at = text; (at = strchr(at, '=')) != NULL; at++)
			n++;
		txn_put(&w.txn, W_DELIVERY_STATE, SV_INT(*seq), SV_INT(DELIVERY_DELIVERED), SV_INT(1), SV_INT(0),
			SV_INT(w.now), SV_NULL, SV_NULL);
		delivered(*seq);
	}
	return n;
}

/* After a start with another buffer all is told anew: what happens meanwhile goes first, but leaves it its share. */
static void test_anew(void **state)
{
	size_t live = 0, anew = 0;
	const char *text;
	int64_t seq = 0;

	tear_down(state);
	world_init(&w);
	w.packs[0].operations[OP_AVAILABILITY].batch_items = 8;
	w.packs[3].operations[OP_AVAILABILITY].present = false;
	world_start(&w);
	set_number(0, 24, 9);
	assert_int_equal(tell_all(&seq), 24);
	w.channels[0].buffer = Q(1);
	world_reload(&w);
	(void)told(&seq);
	w.now = w.txn.now = w.now + 2 * PUBLISH_STARVED_MS; /* what waits anew is not what starves */
	set_number(24, 26, 5);
	delivered(seq);
	assert_non_null(strstr(told(&seq), "A-25=4 A-24=4 A-"));
	set_number(26, 38, 7);
	delivered(seq);
	text = told(&seq);
	for (const char *at = text; (at = strchr(at, '=')) != NULL; at++) {
		live += at[1] == '6';
		anew += at[1] == '8';
	}
	assert_int_equal(live, 7);
	assert_int_equal(anew, 1);
	delivered(seq);
	assert_int_equal(tell_all(&seq), 24 - 8 - 6 - 1 + 12 - 7);
	w.channels[0].buffer = 0;
}

/* How old the oldest change is that a delivery carries. */
static void test_changed_at(void **state)
{
	int64_t seq = 0, first = w.now;

	(void)state;
	set("A-1", 5);
	assert_string_equal(told(&seq), "A-1=5");
	assert_int_equal(publish_changed_at(w.publisher, 0, seq), first);
	assert_int_equal(publish_changed_at(w.publisher, 0, seq + 1), 0);
	assert_int_equal(publish_changed_at(w.publisher, 1, seq), 0);
	w.txn.now = w.now = first + 100;
	set("A-2", 1);
	(void)told(&first);
	w.txn.now = w.now += 100;
	set("A-2", 2);
	delivered(seq);
	assert_string_equal(told(&seq), "A-2=2");
	assert_int_equal(publish_changed_at(w.publisher, 0, seq), WORLD_NOW + 100);
}

static void sold(const char *sku, int times)
{
	for (int i = 0; i < times; i++)
		publish_sold(w.publisher, &w.txn, 0, stock_find(w.stock, str_from(sku)), Q(1));
}

/* What the channel sells goes before what it does not, but that is not forgotten. */
static void test_fast_before_slow(void **state)
{
	int64_t seq = 0;

	(void)state;
	for (int i = 1; i <= 4; i++) {
		char sku[8];

		snprintf(sku, sizeof(sku), "A-%d", i);
		set(sku, 9);
	}
	assert_string_equal(told(&seq), "A-4=9 A-3=9");
	delivered(seq);
	assert_string_equal(told(&seq), "A-2=9 A-1=9");
	set("A-1", 8);
	set("A-2", 8);
	sold("A-3", 1);
	sold("A-4", 100);
	set("A-3", 8);
	set("A-4", 8);
	(void)told(&(int64_t){0});
	delivered(seq);
	assert_string_equal(told(&seq), "A-4=8 A-3=8");
	set("A-4", 7);
	set("A-3", 7);
	w.now = w.txn.now = w.now + PUBLISH_STARVED_MS;
	delivered(seq);
	assert_string_equal(told(&seq), "A-2=8 A-1=8");
	w.now = w.txn.now = w.now + 16 * (int64_t)3600000; /* long ago: all are slow */
	set("A-1", 6);
	(void)told(&(int64_t){0});
	set("A-4", 5);
	delivered(seq);
	assert_string_equal(told(&seq), "A-3=7 A-4=5"); /* both wait since then; A-4 is as slow by now */
}

static void test_plenty_may_wait(void **state)
{
	int64_t seq = 0, begun = w.now;

	(void)state;
	w.channels[0].threshold = Q(50);
	set("A-1", 100);
	assert_string_equal(told(&seq), "A-1=100");
	delivered(seq);
	set("A-1", 60);
	assert_string_equal(told(&seq), "-");
	assert_int_equal(publish_next(w.publisher), begun + 300000);
	w.now = w.txn.now = begun + 150000;
	set("A-1", 61);
	assert_string_equal(told(&seq), "-");
	set("A-2", 5); /* goes at once; what has waited half of its time goes with it */
	assert_string_equal(told(&seq), "A-2=5 A-1=61");
	delivered(seq);
	set("A-1", 60);
	assert_string_equal(told(&seq), "-");
	set("A-1", 49);
	assert_string_equal(told(&seq), "A-1=49");
	w.channels[0].threshold = -1;
}

/* A recorded zero is told once; what is only named is not. */
static void test_opening_zero(void **state)
{
	struct err e = ERR_NONE;
	struct item_record kit = {.component_count = 1};
	struct item_part part = {.sku = STR("PART"), .quantity = Q(1)};
	struct stock_item *item = stock_item_make(w.stock, &w.txn, STR("KIT"), STR_NONE);
	int64_t seq = 0;

	(void)state;
	kit.components = &part;
	assert_int_equal(item_set(w.stock, &w.txn, item, &kit, &e), RC_OK);
	item_touch(w.stock, item);
	item_touch(w.stock, stock_find(w.stock, STR("PART")));
	assert_string_equal(told(&seq), "KIT=0");
	delivered(seq);
	assert_string_equal(told(&seq), "-");
	set("PART", 3);
	assert_string_equal(told(&seq), "KIT=3 PART=3");
	delivered(seq);
	set("PART", 0);
	assert_string_equal(told(&seq), "KIT=0 PART=0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_one_delivery_at_a_time),
	    TEST(test_zero_first),
	    TEST(test_coalescing),
	    TEST(test_not_for_other_changes),
	    TEST(test_overtaken),
	    TEST(test_linger),
	    TEST(test_stale),
	    TEST(test_failed),
	    TEST(test_zero_after_stale_and_restart),
	    TEST(test_reload),
	    TEST(test_anew),
	    TEST(test_changed_at),
	    TEST(test_fast_before_slow),
	    TEST(test_plenty_may_wait),
	    TEST(test_opening_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
