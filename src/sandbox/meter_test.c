#include "sandbox/meter.h"

#include "sandbox/system.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int64_t now_ns;

static int64_t test_wall(const struct clock *c)
{
	(void)c;
	return now_ns / 1000000;
}

static int64_t test_mono(const struct clock *c)
{
	(void)c;
	return now_ns;
}

static const struct clock clock_of_test = {test_wall, test_mono};

static void lags_are_within_a_tenth(void **state)
{
	static const int64_t lags_us[] = {1, 100, 999, 1000, 12345, 700000, 90000000};
	(void)state;
	for (size_t i = 0; i < sizeof(lags_us) / sizeof(lags_us[0]); i++) {
		struct meter *m = meter_new(&clock_of_test);
		struct system_watch w;
		meter_watch(m, "shop", &w);
		now_ns = 1000;
		meter_order_sent(m, STR("shop"), STR("1"));
		now_ns += lags_us[i] * 1000;
		w.order_posted(w.ctx, STR("shop"), STR("1"), STR("o1"));
		struct meter_values v = meter_read(m);
		assert_int_equal(v.order.count, 1);
		double us = v.order.p50_ms * 1000, want = (double)(lags_us[i] < 8 ? 8 : lags_us[i]);
		assert_true(us >= want && us <= want * 1.125);
		meter_free(m);
	}
}

static void quantiles_divide_what_was_seen(void **state)
{
	(void)state;
	struct meter *m = meter_new(&clock_of_test);
	struct system_watch w;
	meter_watch(m, "shop", &w);
	for (int i = 0; i < 100; i++) {
		meter_stock_changed(m, STR("A"));
		now_ns += i < 98 ? 1000000 : 500000000;
		w.shown(w.ctx, "shop", STR("A"));
	}
	struct meter_values v = meter_read(m);
	assert_int_equal(v.stock.count, 100);
	assert_int_equal(v.shown, 100);
	assert_true(v.stock.p50_ms >= 1 && v.stock.p50_ms < 1.2);
	assert_true(v.stock.p99_ms >= 500 && v.stock.p99_ms < 570);
	meter_free(m);
}

static void the_first_change_counts_and_only_that_shop_ends_it(void **state)
{
	(void)state;
	struct meter *m = meter_new(&clock_of_test);
	struct system_watch w;
	meter_watch(m, "shop", &w);
	meter_stock_changed(m, STR("A"));
	now_ns += 4000000;
	meter_stock_changed(m, STR("A"));
	w.shown(w.ctx, "portal", STR("A"));
	w.shown(w.ctx, "shop", STR("B"));
	assert_int_equal(meter_read(m).stock.count, 0);
	w.shown(w.ctx, "shop", STR("A"));
	w.shown(w.ctx, "shop", STR("A"));
	assert_int_equal(meter_read(m).stock.count, 1);
	assert_true(meter_read(m).stock.p50_ms >= 4);
	w.order_posted(w.ctx, STR("shop"), STR("never sent"), STR("o"));
	assert_int_equal(meter_read(m).order.count, 0);
	assert_int_equal(meter_read(m).posted, 1);
	meter_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lags_are_within_a_tenth),
	    cmocka_unit_test(quantiles_divide_what_was_seen),
	    cmocka_unit_test(the_first_change_counts_and_only_that_shop_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
