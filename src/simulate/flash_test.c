#include "base/hash.h"
#include "base/test.h"
#include "simulate/flash.h"

#include <string.h>

static struct flash one, other;

static void run(struct flash *out, uint64_t seed)
{
	const struct flash_options o = {.share = CD_SOURCE_DIR,
					.data = CD_SOURCE_DIR "/examples/online-retail/orders.csv.zst",
					.seed = seed,
					.scale = 3,
					.stock_percent = 50,
					.delay_min_ms = 20,
					.delay_max_ms = 120};
	struct err e = ERR_NONE;

	if (flash_run(&o, out, &e) != RC_OK)
		fail_msg("%s: %s", e.code, e.detail);
}

static void test_who_oversells(void **state)
{
	(void)state;
	run(&one, 1);
	/* Batches oversell, the longer the worse; Crossdock does not, and still sells. */
	assert_true(one.results[0].oversold_units > one.results[2].oversold_units);
	assert_true(one.results[2].oversold_units > 0);
	assert_int_equal(one.results[3].oversold_units, 0);
	assert_int_equal(one.results[3].oversold_orders, 0);
	assert_true(one.results[3].accepted_units > one.stock_units / 2);
	assert_true(one.results[3].stale_p99_s < one.results[2].stale_p99_s);
	for (int i = 0; i < FLASH_MODELS; i++) {
		const struct flash_result *r = &one.results[i];

		/* No more than there was: the opening stock and the receipts. */
		assert_true(r->accepted_units - r->oversold_units <=
			    one.stock_units + one.units * FLASH_RECEIPTS * FLASH_RECEIPT_PERCENT / 100);
		assert_int_equal(r->oversold_by[FLASH_MINUTES - 1], r->oversold_units);
		assert_int_equal(r->orders, one.orders);
	}
}

static void test_a_seed_gives_the_same_sale(void **state)
{
	(void)state;
	run(&one, 7);
	run(&other, 7);
	assert_memory_equal(one.results, other.results, sizeof(one.results));
	run(&other, 8);
	assert_memory_not_equal(one.results, other.results, sizeof(one.results));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_who_oversells),
	    cmocka_unit_test(test_a_seed_gives_the_same_sale),
	};

	random_simulate(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
