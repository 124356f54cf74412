/* What a channel is told when what is known of its locations is old. */
#include "orchestrate/stock/publish.h"
#include "orchestrate/stock/test_publish.h"

/* What the warehouse says is good for a second, and it has just said something. */
static void start(bool stale_zero)
{
	world_init(&w);
	w.packs[3].operations[OP_AVAILABILITY].present = false;
	w.channels[0].max_age_ms = 1000;
	w.channels[0].stale_zero = stale_zero;
	world_start(&w);
	publish_heard(w.publisher, STR("shop"), w.now); /* no record of anything */
	publish_heard(w.publisher, STR("wms"), w.now);
}

/* As of the last message of the warehouse: what is older does not rise, or does not count; also after a restart. */
static void check_age(bool zero)
{
	int64_t seq = 0, begun;

	start(zero);
	begun = w.now;
	set("A-1", 5);
	assert_string_equal(told(&seq), "A-1=5");
	delivered(seq);
	assert_int_equal(publish_next(w.publisher), begun + 1001);
	w.now = w.txn.now = begun + 1000;
	set("A-1", 4);
	assert_string_equal(told(&seq), "A-1=4");
	delivered(seq);
	w.now = w.txn.now = begun + 1001;
	set("A-1", 9);
	assert_string_equal(told(&seq), zero ? "A-1=0" : "-");
	delivered(seq);
	assert_int_equal(publish_stale_locations(w.publisher, 0), 2);
	set("A-1", 2); /* it may fall */
	assert_string_equal(told(&seq), zero ? "-" : "A-1=2");
	delivered(seq);
	set("A-1", 7);
	assert_string_equal(told(&seq), "-");
	world_reload(&w);
	assert_int_equal(publish_stale_locations(w.publisher, 0), 2);
	w.now = w.txn.now = begun + 2000;
	publish_heard(w.publisher, STR("wms"), w.now);
	publish_end(w.publisher, 0, seq, PUBLISH_DELIVERED, NULL, w.now);
	assert_string_equal(told(&seq), "A-1=7");
	assert_int_equal(publish_heard_at(w.publisher, 0), w.now);
	assert_int_equal(publish_heard_at(w.publisher, 2), -1); /* nobody's */
}

static void test_old_numbers_are_frozen(void **state)
{
	(void)state;
	check_age(false);
}

static void test_old_numbers_are_zero(void **state)
{
	(void)state;
	check_age(true);
}

/* A frozen number may fall, also where nobody knows whether the channel has heard the one before. */
static void test_age_in_doubt(void **state)
{
	int64_t seq = 0;

	(void)state;
	start(false);
	set("A-1", 5);
	assert_string_equal(told(&seq), "A-1=5");
	delivered(seq);
	w.now = w.txn.now = w.now + 1001;
	set("A-1", 4);
	assert_string_equal(told(&seq), "A-1=4");
	publish_end(w.publisher, 0, seq, PUBLISH_FAILED, NULL, w.now);
	set("A-1", 9);
	assert_string_equal(told(&seq), "A-1=4");
	publish_end(w.publisher, 0, seq, PUBLISH_FAILED, NULL, w.now);
	set("A-1", 2);
	assert_string_equal(told(&seq), "A-1=2");
	delivered(seq);
	set("A-1", 3);
	assert_string_equal(told(&seq), "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_old_numbers_are_frozen, tear_down),
	    cmocka_unit_test_teardown(test_old_numbers_are_zero, tear_down),
	    cmocka_unit_test_teardown(test_age_in_doubt, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
