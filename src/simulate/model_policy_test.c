/* Quotas, ring-fences, kits, reports, what is published: rules that are broken. */
#include "simulate/model_test.h"

static void test_more_than_the_quota(void **state)
{
	(void)state;
	m->policy.channels[0].quota = 1;
	event("reservation.held", "r0", HELD);
	finds("quota: ");
}

static void keep_for_the_other(int quantity)
{
	char data[160];

	m->fences[1][0][0].asked = 1u << 4;
	snprintf(data, sizeof(data),
		 "{\"items\":[{\"sku\":\"A-1\",\"channel\":\"portal\",\"location\":\"east\",\"quantity\":\"%d\"}]}",
		 quantity);
	event("ring_fences.set", "ring-fences", data);
	model_check(m);
}

static void test_what_is_kept_for_another(void **state)
{
	(void)state;
	keep_for_the_other(4);
	entry(0, 0, STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	assert_string_equal(m->broken, "");
	entry(0, 0, STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	finds("fences: ");
}

static void test_a_ring_fence_of_nobody(void **state)
{
	(void)state;
	keep_for_the_other(3);
	finds("fences: ");
}

static void test_what_is_kept_is_not_published(void **state)
{
	(void)state;
	keep_for_the_other(4);
	told("A-1", 1);
	assert_string_equal(m->broken, "");
	told("A-1", 2);
	finds("published: ");
}

static void test_more_kits_than_components(void **state)
{
	(void)state;
	event("item.recorded", "K-1", "{}");
	fact(MOVE_RECEIVE, 3);
	m->facts[1].lines[0].item = 1;
	entry(1, 0, STOCK_OUTSIDE, STOCK_FREE, 3);
	movement("receive", "m1", "", "");
	told("K-1", 1); /* two of the second component in each */
	assert_string_equal(m->broken, "");
	told("K-1", 2);
	finds("published: ");
}

/* An order of two K-1, of 1 A-1 and 2 A-2 each. */
static void order_kits(void)
{
	m->orders[1] =
	    (struct model_order){.lines = {{.item = MODEL_ITEMS, .quantity = 2}}, .line_count = 1, .ordered = {2, 4}};
	m->order_count = 2;
	event("order.captured", "order-1", "{\"external_id\":\"o1\"}");
	fact(MOVE_RECEIVE, 4);
	m->facts[1].lines[0].item = 1;
	entry(1, 0, STOCK_OUTSIDE, STOCK_FREE, 4);
	movement("receive", "m1", "", "");
}

static void test_half_a_kit_is_kept(void **state)
{
	(void)state;
	order_kits();
	entry(0, 0, STOCK_FREE, STOCK_ALLOCATED, 1);
	entry(1, 0, STOCK_FREE, STOCK_ALLOCATED, 2);
	movement("allocate", "", "order-1", "");
	model_check(m);
	assert_string_equal(m->broken, "");
	entry(1, 0, STOCK_FREE, STOCK_ALLOCATED, 2);
	movement("allocate", "", "order-1", "");
	finds("kits: what o1 has makes no whole kits");
}

static void test_a_kit_of_two_places(void **state)
{
	(void)state;
	order_kits();
	fact(MOVE_RECEIVE, 2);
	m->facts[2].lines[0].item = 1;
	m->facts[2].lines[0].place = 1;
	entry(1, 1, STOCK_OUTSIDE, STOCK_FREE, 2);
	movement("receive", "m2", "", "");
	entry(0, 0, STOCK_FREE, STOCK_ALLOCATED, 1);
	entry(1, 1, STOCK_FREE, STOCK_ALLOCATED, 2);
	movement("allocate", "", "order-1", "");
	finds("kits: what o1 has makes no whole kits");
}

static void test_a_held_kit_of_two_places(void **state)
{
	(void)state;
	m->holds[0] =
	    (struct model_hold){.lines = {{.item = MODEL_ITEMS, .quantity = 1}}, .line_count = 1, .wanted = {1, 2}};
	event("reservation.held", "r0",
	      "{\"expires_at\":\"2026-03-01T12:00:00Z\",\"lines\":[{\"sku\":\"A-1\",\"quantity\":\"1\",\"location\":"
	      "\"east\"},{\"sku\":\"A-2\",\"quantity\":\"2\",\"location\":\"west\"}]}");
	finds("kits: what r0 has makes no whole kits");
}

static void test_a_kit_that_waits_for_nothing(void **state)
{
	(void)state;
	order_kits();
	assert_true(model_waits_for_nothing(m, &m->orders[1]));
	m->states[1][0][STOCK_FREE] = 1;
	assert_false(model_waits_for_nothing(m, &m->orders[1]));
	m->states[1][1][STOCK_FREE] = 1;
	m->policy.channels[0].places[1] = 1;
	m->policy.channels[0].place_count = 2;
	assert_false(model_waits_for_nothing(m, &m->orders[1]));
	m->policy.channels[0].split_kits = true;
	assert_true(model_waits_for_nothing(m, &m->orders[1]));
}

/* One component too few leaves. */
static void test_a_shipped_kit_is_its_components(void **state)
{
	(void)state;
	order_kits();
	fact(MOVE_SHIP, 1);
	m->facts[2].lines[0].item = MODEL_ITEMS;
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, 1);
	entry(1, 0, STOCK_FREE, STOCK_OUTSIDE, 1);
	movement("ship", "m2", "order-1", "");
	finds("conservation: ship m2 changes A-2 at east by -1, its warehouse said -2");
}

/* One less than the books have. */
static void report(void)
{
	m->reports[0] = (struct model_report){.id = "run", .as_of = 1000, .theirs = {{4}}};
	m->report_count = 1;
}

static void correct(int by)
{
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, by);
	movement("count", "run/A-1 at east", "", "");
}

static void test_a_correction_without_a_reason(void **state)
{
	(void)state;
	report();
	correct(1);
	finds("drift: A-1 at east is corrected by -1 to 4");
}

static void test_a_correction_of_what_was_never_told(void **state)
{
	(void)state;
	report();
	fact(MOVE_SCRAP, 1);
	correct(1);
	model_check(m);
	assert_string_equal(m->broken, "");
	correct(1);
	finds("a second time");
}

static void test_a_correction_by_too_much(void **state)
{
	(void)state;
	report();
	fact(MOVE_SCRAP, 1);
	correct(2);
	finds("conservation: ");
}

static void test_more_on_its_way_than_is_due(void **state)
{
	(void)state;
	m->policy.channels[0].inbound_cap = 10;
	m->policy.channels[0].horizon_ms = 500;
	fact(MOVE_ANNOUNCE, 3);
	m->facts[1].expected_at = 1400;
	entry(0, 0, STOCK_OUTSIDE, STOCK_IN_TRANSIT, 3);
	movement("announce", "m1", "", "");
	fact(MOVE_ANNOUNCE, 3);
	m->facts[2].expected_at = 1600;
	entry(0, 0, STOCK_OUTSIDE, STOCK_IN_TRANSIT, 3);
	movement("announce", "m2", "", "");
	told("A-1", 8);
	assert_string_equal(m->broken, "");
	told("A-1", 9);
	finds("published: ");
}

static void test_old_data_rises(void **state)
{
	(void)state;
	m->policy.channels[0].max_age_ms = 100;
	told("A-1", 3);
	assert_string_equal(m->broken, "");
	told("A-1", 2);
	assert_string_equal(m->broken, "");
	told("A-1", 4);
	finds("age: ");
}

static void test_old_data_is_sold(void **state)
{
	(void)state;
	m->policy.channels[0].max_age_ms = 100;
	m->policy.channels[0].stale_zero = true;
	told("A-1", 1);
	finds("published: ");
}

static void test_backorder_of_a_discontinued_item(void **state)
{
	(void)state;
	m->policy.channels[0].backorder = 2;
	m->policy.discontinued = 1;
	told("A-1", 7);
	assert_string_equal(m->broken, "");
	event("item.recorded", "A-1", "{}");
	told("A-1", 6);
	finds("published: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_more_than_the_quota),
	    TEST(test_what_is_kept_for_another),
	    TEST(test_a_ring_fence_of_nobody),
	    TEST(test_what_is_kept_is_not_published),
	    TEST(test_more_kits_than_components),
	    TEST(test_a_correction_without_a_reason),
	    TEST(test_a_correction_of_what_was_never_told),
	    TEST(test_a_correction_by_too_much),
	    TEST(test_half_a_kit_is_kept),
	    TEST(test_a_kit_of_two_places),
	    TEST(test_a_held_kit_of_two_places),
	    TEST(test_a_kit_that_waits_for_nothing),
	    TEST(test_a_shipped_kit_is_its_components),
	    TEST(test_more_on_its_way_than_is_due),
	    TEST(test_old_data_rises),
	    TEST(test_old_data_is_sold),
	    TEST(test_backorder_of_a_discontinued_item),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
