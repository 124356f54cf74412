/* Serial numbers, lots, owners, reversals: rules that are broken. */
#include "simulate/model_test.h"

static const char *const model_facts[] = {"m0", "m1", "m2", "m3", "m4"};

/* ---- serial numbers ---- */

/* A fact of the item with serial numbers S(from), S(from + 1) ..., and its movement. */
static struct model_fact *serials_told(enum movement_type type, int64_t at, int from, int count)
{
	struct model_fact *f = &m->facts[m->fact_count++];
	const char *id = model_facts[m->fact_count - 1];
	bool in = type == MOVE_RECEIVE;

	*f = (struct model_fact){.type = type, .at = at, .line_count = 1, .order = -1, .serial = true};
	f->lines[0] = (struct model_line){
	    .item = MODEL_SERIAL_ITEM, .to = 1, .quantity = count, .serials = m->named_count, .serial_count = count};
	for (int i = 0; i < count; i++) {
		m->named[m->named_count++] = (short)(from + i);
		m->serial_count = from + i >= m->serial_count ? from + i + 1 : m->serial_count;
	}
	if (type != MOVE_COUNT)
		entry(MODEL_SERIAL_ITEM, 0, in ? STOCK_OUTSIDE : STOCK_FREE, in ? STOCK_FREE : STOCK_OUTSIDE, count);
	movement("", id, "", "");
	return f;
}

static void is_now(int serial, enum model_serial_state state, int place)
{
	struct model_serial now = model_serial_now(m, serial);

	assert_string_equal(m->broken, "");
	assert_int_equal(now.state, state);
	assert_int_equal(now.place, place);
}

static void test_serials_follow_what_happened(void **state)
{
	(void)state;
	(void)serials_told(MOVE_RECEIVE, 1000, 0, 2);
	is_now(0, SERIAL_IS_IN_STOCK, 0);
	(void)serials_told(MOVE_SCRAP, 3000, 0, 1);
	(void)serials_told(MOVE_SHIP, 2000, 1, 1);
	is_now(0, SERIAL_IS_SCRAPPED, 0);
	is_now(1, SERIAL_IS_SHIPPED, 0);
	assert_int_equal(model_serials_at(m, 0), 0);
	/* It came late, and happened before. */
	(void)serials_told(MOVE_SCRAP, 1500, 1, 1);
	is_now(1, SERIAL_IS_SHIPPED, 0);
	model_check(m);
	assert_string_equal(m->broken, "");
}

static void test_a_serial_that_leaves_twice(void **state)
{
	(void)state;
	(void)serials_told(MOVE_RECEIVE, 1000, 0, 2);
	(void)serials_told(MOVE_SHIP, 2000, 0, 1);
	(void)serials_told(MOVE_SHIP, 3000, 0, 1);
	finds("serials: of S0 1 more contradictions were told than said");
}

static void test_a_contradiction_that_is_none(void **state)
{
	(void)state;
	(void)serials_told(MOVE_RECEIVE, 1000, 0, 1);
	event("serial.drift", "A-4", "{\"serial\":\"S0\"}");
	finds("serials: of S0 -1 more");
}

static void test_a_count_that_misses_one(void **state)
{
	(void)state;
	(void)serials_told(MOVE_RECEIVE, 1000, 0, 1);
	(void)serials_told(MOVE_RECEIVE, 1000, 1, 1);
	event("serial.drift", "A-4", "{\"serial\":\"S1\"}");
	entry(MODEL_SERIAL_ITEM, 0, STOCK_FREE, STOCK_OUTSIDE, 1);
	(void)serials_told(MOVE_COUNT, 2000, 0, 1);
	is_now(0, SERIAL_IS_IN_STOCK, 0);
	is_now(1, SERIAL_IS_UNKNOWN, 0);
	model_check(m);
	assert_string_equal(m->broken, "");
	/* It had been scrapped before: the count did not miss it. */
	m->counted_at[MODEL_SERIAL_ITEM][0] = 0;
	(void)serials_told(MOVE_SCRAP, 1500, 1, 1);
	is_now(1, SERIAL_IS_SCRAPPED, 0);
}

/* It was received before a count that did not see it, and is heard of after that. */
static void test_a_count_misses_what_is_heard_of_later(void **state)
{
	(void)state;
	(void)serials_told(MOVE_RECEIVE, 1000, 0, 1);
	(void)serials_told(MOVE_COUNT, 2000, 0, 1);
	m->counted_at[MODEL_SERIAL_ITEM][0] = 0; /* what it does to quantities is not looked at */
	m->serial_count = 2;
	event("serial.drift", "A-4", "{\"serial\":\"S1\"}");
	(void)serials_told(MOVE_RECEIVE, 1500, 1, 1);
	is_now(1, SERIAL_IS_UNKNOWN, 0);
	model_check(m);
	assert_string_equal(m->broken, "");
	/* It had left before the count. */
	(void)serials_told(MOVE_SHIP, 1700, 1, 1);
	is_now(1, SERIAL_IS_SHIPPED, 0);
	model_check(m);
	assert_string_equal(m->broken, "");
}

/* ---- goods ---- */

static void test_a_later_lot_first(void **state)
{
	(void)state;
	fact(MOVE_RECEIVE, 2);
	lot_entry("L1", "", STOCK_OUTSIDE, STOCK_FREE, 2);
	movement("receive", "m1", "", "");
	lot_entry("L1", "", STOCK_FREE, STOCK_ALLOCATED, 2);
	lot_entry("", "", STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	assert_string_equal(m->broken, "");
	lot_entry("L1", "", STOCK_ALLOCATED, STOCK_FREE, 2);
	movement("release", "", "order-0", "");
	lot_entry("", "", STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	finds("lots: ");
}

static void test_what_others_own_is_promised(void **state)
{
	(void)state;
	fact(MOVE_RECEIVE, 2);
	m->facts[1].lines[0].owner = 1;
	lot_entry("", "acme", STOCK_OUTSIDE, STOCK_FREE, 2);
	movement("receive", "m1", "", "");
	assert_string_equal(m->broken, "");
	lot_entry("", "acme", STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	finds("owners: ");
}

static void test_what_others_own_vanishes(void **state)
{
	(void)state;
	fact(MOVE_SCRAP, 2);
	m->facts[1].lines[0].owner = 1;
	lot_entry("", "acme", STOCK_FREE, STOCK_OUTSIDE, 1);
	movement("scrap", "m1", "", "");
	finds("owners: ");
}

/* Two of acme's beside five of ours. */
static void consign_two(int owners)
{
	m->policy.channels[0].owner_count = owners;
	fact(MOVE_RECEIVE, 2);
	m->facts[1].lines[0].owner = 1;
	event("stock.moved", "x",
	      "{\"consigned\":[{\"sku\":\"A-1\",\"owner\":\"acme\",\"from\":\"outside\",\"to\":\"free\",\"quantity\":"
	      "\"2\"}]}");
	lot_entry("", "acme", STOCK_OUTSIDE, STOCK_FREE, 2);
	movement("receive", "m1", "", "");
	model_check(m);
	assert_string_equal(m->broken, "");
}

static void scrap_ours(int quantity)
{
	fact(MOVE_SCRAP, quantity);
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, quantity);
	movement("scrap", "m2", "", "");
}

static void test_consigned_before_ours(void **state)
{
	(void)state;
	consign_two(1);
	lot_entry("", "acme", STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	finds("owners: movement 3 promises A-1 of acme at east, while 5 of ours are free");
}

static void test_consigned_of_nobody_that_is_sold(void **state)
{
	(void)state;
	consign_two(0);
	scrap_ours(5);
	lot_entry("", "acme", STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	finds("to shop, who does not sell it");
}

static void test_more_consigned_than_there_is(void **state)
{
	(void)state;
	consign_two(1);
	scrap_ours(6);
	lot_entry("", "acme", STOCK_FREE, STOCK_ALLOCATED, 2);
	movement("allocate", "", "order-0", "");
	finds("of acme 0, of ours -1");
}

static void test_a_shipment_takes_what_is_not_the_orders(void **state)
{
	(void)state;
	consign_two(1);
	fact(MOVE_SHIP, 1);
	lot_entry("", "acme", STOCK_FREE, STOCK_OUTSIDE, 1);
	movement("ship", "m2", "order-0", "");
	finds("takes 1 of A-1 of acme at east, of which its order had 0");
}

static void test_what_left_of_others_is_not_told(void **state)
{
	(void)state;
	consign_two(1);
	fact(MOVE_SCRAP, 1);
	m->facts[2].lines[0].owner = 1;
	lot_entry("", "acme", STOCK_FREE, STOCK_OUTSIDE, 1);
	movement("scrap", "m2", "", "");
	finds("1 more units were moved than told");
}

static void test_consigned_is_published(void **state)
{
	(void)state;
	consign_two(1);
	told("A-1", 7);
	assert_string_equal(m->broken, "");
	told("A-1", 8);
	finds("published: ");
}

static void test_a_reversal_of_something_else(void **state)
{
	(void)state;
	fact(MOVE_REVERSE, 0);
	m->facts[1].reverses = 0;
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, 4);
	movement("reverse", "m1", "", "");
	finds("conservation: ");
}

/* What was received at 1000 and counted at 2000 is taken back at 3000: the count stands. */
static void test_a_reversal_of_what_was_counted(void **state)
{
	(void)state;
	fact(MOVE_COUNT, 5);
	m->facts[1].at = 2000;
	movement("count", "m1", "", "");
	fact(MOVE_REVERSE, 0);
	m->facts[2].at = 3000;
	m->facts[2].reverses = 0;
	assert_string_equal(m->broken, "");
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, 5);
	movement("reverse", "m2", "", "");
	finds("by -5, its warehouse said 0");
}

/* The same, counted at 1000 after it was told; what is told of that instant after the count is on top of it. */
static void test_a_reversal_of_the_instant_of_a_count(void **state)
{
	(void)state;
	fact(MOVE_COUNT, 5);
	m->facts[1].at = m->facts[0].at;
	movement("count", "m1", "", "");
	fact(MOVE_REVERSE, 0);
	m->facts[2].reverses = 0;
	assert_string_equal(m->broken, "");
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, 5);
	movement("reverse", "m2", "", "");
	finds("by -5, its warehouse said 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_serials_follow_what_happened),
	    TEST(test_a_serial_that_leaves_twice),
	    TEST(test_a_contradiction_that_is_none),
	    TEST(test_a_count_that_misses_one),
	    TEST(test_a_count_misses_what_is_heard_of_later),
	    TEST(test_a_later_lot_first),
	    TEST(test_what_others_own_is_promised),
	    TEST(test_what_others_own_vanishes),
	    TEST(test_consigned_before_ours),
	    TEST(test_consigned_of_nobody_that_is_sold),
	    TEST(test_more_consigned_than_there_is),
	    TEST(test_a_shipment_takes_what_is_not_the_orders),
	    TEST(test_what_left_of_others_is_not_told),
	    TEST(test_consigned_is_published),
	    TEST(test_a_reversal_of_something_else),
	    TEST(test_a_reversal_of_what_was_counted),
	    TEST(test_a_reversal_of_the_instant_of_a_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
