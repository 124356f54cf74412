/* Each rule of the model against rows that break it: a model that finds nothing proves nothing. */
#include "simulate/model_test.h"

static void test_more_promised_than_free(void **state)
{
	(void)state;
	entry(0, 0, STOCK_FREE, STOCK_ALLOCATED, 6);
	movement("allocate", "", "order-0", "");
	finds("oversold");
}

static void test_more_allocated_than_ordered(void **state)
{
	(void)state;
	entry(0, 0, STOCK_FREE, STOCK_ALLOCATED, 4);
	movement("allocate", "", "order-0", "");
	finds("orders: o0");
}

static void test_stock_from_nowhere(void **state)
{
	(void)state;
	entry(0, 0, STOCK_OUTSIDE, STOCK_FREE, 1);
	movement("allocate", "", "", "");
	finds("without a fact");
}

static void test_a_fact_twice(void **state)
{
	(void)state;
	entry(0, 0, STOCK_OUTSIDE, STOCK_FREE, 5);
	movement("receive", "m0", "", "");
	finds("a second time");
}

static void test_a_fact_of_another_quantity(void **state)
{
	(void)state;
	fact(MOVE_ADJUST, -2);
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, 1);
	movement("adjust", "m1", "", "");
	finds("its warehouse said -2");
}

static void test_a_count_of_the_past(void **state)
{
	(void)state;
	/* At 1500 there were 5; 3 left at 2000. The count says 4 of then: one less, not one more. */
	fact(MOVE_SHIP, 3);
	m->facts[1].at = 2000;
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, 3);
	movement("ship", "m1", "", "");
	fact(MOVE_COUNT, 4);
	m->facts[2].at = 1500;
	entry(0, 0, STOCK_OUTSIDE, STOCK_FREE, 2);
	movement("count", "m2", "", "");
	finds("by 2, its warehouse said -1");
}

static void test_a_reservation_ends_twice(void **state)
{
	(void)state;
	event("reservation.held", "r0", HELD);
	event("reservation.voided", "r0", HELD);
	event("reservation.expired", "r0", "{}");
	finds("had ended before");
}

static void test_a_reservation_that_holds_nothing(void **state)
{
	(void)state;
	event("reservation.held", "r0", HELD);
	finds("live reservations hold 2");
}

static void hold_partially(int wanted)
{
	m->holds[0] = (struct model_hold){
	    .lines = {{.item = 0, .quantity = wanted}}, .line_count = 1, .wanted = {wanted}, .partial = true};
}

#define SHORT(requested)                                                                                               \
	"{\"expires_at\":\"2026-03-01T12:00:00Z\",\"lines\":[{\"sku\":\"A-1\",\"quantity\":\"2\",\"location\":"        \
	"\"east\"}],\"short\":[{\"sku\":\"A-1\",\"requested\":\"" requested "\",\"available\":\"2\"}]}"

static void test_less_is_taken_than_there_is(void **state)
{
	(void)state;
	hold_partially(6);
	event("reservation.held", "r0", SHORT("6"));
	entry(0, 0, STOCK_FREE, STOCK_HELD, 2);
	movement("hold", "", "", "r0");
	finds("r0 takes 2 of A-1, and could have had 5");
}

static void test_what_is_lacking_is_told_wrong(void **state)
{
	(void)state;
	hold_partially(4);
	event("reservation.held", "r0", SHORT("3"));
	finds("r0 holds 2 of A-1 of 4, and says that it lacks 1");
}

static void hold_two(void)
{
	event("reservation.held", "r0", HELD);
	entry(0, 0, STOCK_FREE, STOCK_HELD, 2);
	movement("hold", "", "", "r0");
	model_check(m);
	assert_string_equal(m->broken, "");
}

#define PART(kept, given)                                                                                              \
	"{\"order_id\":\"order-0\",\"lines\":[{\"sku\":\"A-1\",\"quantity\":\"" kept                                   \
	"\",\"location\":\"east\"}],\"committed\":[{\"sku\":\"A-1\",\"quantity\":\"" given                             \
	"\",\"location\":\"east\"}]}"

static void commit_one(void)
{
	entry(0, 0, STOCK_HELD, STOCK_ALLOCATED, 1);
	movement("commit", "", "order-0", "r0");
}

static void test_a_part_is_committed_twice(void **state)
{
	(void)state;
	hold_two();
	m->holds[0].ask = (struct model_ask){.units = {1}, .asked = true, .keep_rest = true};
	event("reservation.committed_in_part", "r0", PART("1", "1"));
	commit_one();
	model_check(m);
	assert_string_equal(m->broken, "");
	event("reservation.committed_in_part", "r0", PART("0", "1"));
	finds("once: a part of r0");
}

static void test_the_rest_is_lost(void **state)
{
	(void)state;
	hold_two();
	m->holds[0].ask = (struct model_ask){.units = {1}, .asked = true, .keep_rest = true};
	event("reservation.committed_in_part", "r0", PART("0", "1"));
	finds("of 2 of A-1 that r0 holds at east 1 are committed and 0 are left");
}

static void test_an_order_gets_less_than_it_needs(void **state)
{
	(void)state;
	hold_two();
	event("reservation.committed", "r0", HELD);
	entry(0, 0, STOCK_HELD, STOCK_ALLOCATED, 1);
	entry(0, 0, STOCK_HELD, STOCK_FREE, 1);
	movement("commit", "", "order-0", "r0");
	finds("of r0 the order gets 1 of A-1, it needs 3 and is to get 2");
}

static void test_a_commit_that_moves_something_else(void **state)
{
	(void)state;
	hold_two();
	m->holds[0].ask = (struct model_ask){.units = {2}, .asked = true, .keep_rest = true};
	event("reservation.committed_in_part", "r0", PART("1", "1"));
	finds("1 more of A-1 at east are told to be committed of r0");
}

static void test_a_strict_channel_holds_too_much(void **state)
{
	(void)state;
	m->policy.channels[0].buffer = 4;
	event("reservation.held", "r0", HELD);
	entry(0, 0, STOCK_FREE, STOCK_HELD, 2);
	movement("hold", "", "", "r0");
	finds("policy: r0");
}

static void test_a_channel_is_told_too_much(void **state)
{
	(void)state;
	/* Half of 5. */
	event("availability.changed", "portal", "{\"items\":[{\"sku\":\"A-1\",\"available\":\"3\",\"version\":1}]}");
	finds("published: portal is told 3");
}

static void test_an_order_twice(void **state)
{
	(void)state;
	event("order.captured", "order-1", "{\"external_id\":\"o0\"}");
	finds("captured a second time");
}

static void test_a_gap_in_the_log(void **state)
{
	(void)state;
	model_take_movement(m, &(struct model_movement){.seq = m->movement + 2, .type = STR("pick")});
	finds("log: movement");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_more_promised_than_free),
	    TEST(test_more_allocated_than_ordered),
	    TEST(test_stock_from_nowhere),
	    TEST(test_a_fact_twice),
	    TEST(test_a_fact_of_another_quantity),
	    TEST(test_a_count_of_the_past),
	    TEST(test_a_reservation_ends_twice),
	    TEST(test_a_reservation_that_holds_nothing),
	    TEST(test_less_is_taken_than_there_is),
	    TEST(test_what_is_lacking_is_told_wrong),
	    TEST(test_a_part_is_committed_twice),
	    TEST(test_the_rest_is_lost),
	    TEST(test_an_order_gets_less_than_it_needs),
	    TEST(test_a_commit_that_moves_something_else),
	    TEST(test_a_strict_channel_holds_too_much),
	    TEST(test_a_channel_is_told_too_much),
	    TEST(test_an_order_twice),
	    TEST(test_a_gap_in_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
