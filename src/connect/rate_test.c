#include "base/test.h"

#include "connect/rate.h"
#include "connect/ratelimit.h"

/* Requests as fast as they may go: how many in a time, and how many at once at its begin. */
static void a_bucket_keeps_its_rate(void **state)
{
	(void)state;
	static const struct {
		int64_t count, per_ms, burst, ms, at_once, all;
	} rows[] = {
	    {40, 1000, 0, 10000, 40, 440},    /* 40/s */
	    {40, 1000, 1, 10000, 1, 401},     /* evenly */
	    {1, 60000, 0, 600000, 1, 11},     /* 1/m */
	    {20, 3600000, 5, 3600000, 5, 25}, /* 20/h */
	    {3, 1000, 3, 1000000, 3, 3003},   /* thirds of a second do not add up to anything else */
	    {1000, 1000, 10, 5000, 10, 5010},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const int64_t start = 1700000000000;
		struct rate r;
		int64_t now = start, sent = 0, at_once = 0;
		rate_init(&r, rows[i].count, rows[i].per_ms, rows[i].burst, now);
		while ((now = rate_at(&r, now)) <= start + rows[i].ms) {
			rate_take(&r, now);
			sent++;
			at_once += now == start;
		}
		assert_int_equal(at_once, rows[i].at_once);
		assert_int_equal(sent, rows[i].all);
	}
}

static void an_idle_bucket_holds_its_burst_only(void **state)
{
	(void)state;
	struct rate r;
	rate_init(&r, 10, 1000, 20, 1000);
	int n = 0;
	for (; rate_at(&r, 1000) <= 1000; n++)
		rate_take(&r, 1000);
	assert_int_equal(n, 20);
	assert_int_equal(rate_at(&r, 1000), 1100);
	assert_int_equal(rate_at(&r, 500), 600); /* a clock that went back neither fills nor hangs */
	for (n = 0; rate_at(&r, INT64_MAX / 4) <= INT64_MAX / 4; n++)
		rate_take(&r, INT64_MAX / 4);
	assert_int_equal(n, 20);
	rate_init(&r, 0, 0, 0, 1000);
	rate_take(&r, 1000);
	assert_int_equal(rate_at(&r, 1000), 1000);
}

#define POINT ((int64_t)1000)

static struct pack_cost cost(int64_t requested, int64_t available)
{
	return (struct pack_cost){.known = true,
				  .requested = requested * POINT,
				  .available = available * POINT,
				  .maximum = 1000 * POINT,
				  .restore_rate = 50 * POINT};
}

static void points_are_waited_for(void **state)
{
	(void)state;
	struct points p = {0};
	assert_int_equal(points_at(&p, OP_PRICE, 5000), 5000); /* nothing is known */
	struct pack_cost c = cost(100, 150);
	points_note(&p, OP_PRICE, &c, 5000);
	assert_int_equal(points_at(&p, OP_PRICE, 5000), 5000);
	assert_int_equal(points_at(&p, OP_ITEM, 5000), 5000);
	int64_t kept = points_take(&p, OP_PRICE);
	assert_int_equal(kept, 100 * POINT);
	assert_int_equal(points_at(&p, OP_PRICE, 5000), 6000); /* 50 points are missing: a second */
	assert_int_equal(points_at(&p, OP_PRICE, 6000), 6000);
	points_give(&p, kept);
	c = cost(100, 0);
	points_note(&p, OP_PRICE, &c, 10000);
	assert_int_equal(points_at(&p, OP_PRICE, 10000), 12000);
	assert_int_equal(points_at(&p, OP_PRICE, 11000), 12000);
	assert_int_equal(points_at(&p, OP_PRICE, 3600000), 3600000);
	/* What costs more than there can be is asked for when all is there. */
	c = cost(5000, 0);
	points_note(&p, OP_PRICE, &c, 20000);
	assert_int_equal(points_at(&p, OP_PRICE, 20000), 40000);
}

/* Nothing would ever be there by counting along: one request at a time asks. */
static void points_that_do_not_come_back_are_asked_for(void **state)
{
	(void)state;
	struct points p = {0};
	struct pack_cost c = cost(100, 150);
	c.restore_rate = 0;
	points_note(&p, OP_PRICE, &c, 5000);
	assert_int_equal(points_at(&p, OP_PRICE, 5000), 5000);
	c = cost(100, 40);
	c.restore_rate = 0;
	points_note(&p, OP_PRICE, &c, 6000);
	assert_int_equal(points_at(&p, OP_PRICE, 6000), 6000 + POINTS_ASK_MS);
	assert_int_equal(points_at(&p, OP_PRICE, 6500), 6000 + POINTS_ASK_MS);
	assert_int_equal(points_at(&p, OP_PRICE, 7000), 7000);
	assert_int_equal(points_at(&p, OP_PRICE, 90000), 90000);
	int64_t kept = points_take(&p, OP_PRICE);
	assert_int_equal(points_at(&p, OP_PRICE, 90000), 90000 + POINTS_ASK_MS); /* one is asking */
	points_give(&p, kept);
	points_note(&p, OP_PRICE, &c, 90100);
	assert_int_equal(points_at(&p, OP_PRICE, 90100), 90100 + POINTS_ASK_MS);
	c = cost(100, 1000);
	points_note(&p, OP_PRICE, &c, 92000);
	assert_int_equal(points_at(&p, OP_PRICE, 92000), 92000);
}

static void the_meter_forgets(void **state)
{
	(void)state;
	struct meter m = {0};
	for (int i = 0; i < 100; i++)
		meter_add(&m, 1000000 + i * 100);
	assert_int_equal(meter_per_minute(&m, 1010000), 100);
	assert_in_range(meter_per_minute(&m, 1062000), 40, 60);
	assert_int_equal(meter_per_minute(&m, 1100000), 0);
}

static void rate_limits_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *field, *left, *reset;
		int64_t wait;
	} rows[] = {
	    {"\"default\";r=0;t=30", "", "", 30000},
	    {"\"default\";r=5;t=30", "", "", 0},
	    {"\"default\";t=7;r=0", "", "", 7000},
	    {"\"burst\";r=0;t=2, \"day\";r=0;t=600", "", "", 600000},
	    {"\"burst\";r=3;t=2,\"day\";r=0;t=600", "", "", 600000},
	    {"\"a;r=0;t=9, b\";r=1;t=2", "", "", 0},
	    {"\"default\";r=0", "", "", 0},
	    {"limit=100, remaining=0, reset=12", "", "", 12000},
	    {"limit=100, remaining=1, reset=12", "", "", 0},
	    {"", "0", "4", 4000},
	    {"", "1", "4", 0},
	    {"", "0", "999999999999999999999", 86400000},
	    {"", "0", "soon", 0},
	    {"", "", "", 0},
	    {";;;,,,===\"", "x", "y", 0},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_answer a = {.rate_limit = str_from(rows[i].field),
					.rate_remaining = str_from(rows[i].left),
					.rate_reset = str_from(rows[i].reset)};
		assert_int_equal(ratelimit_wait_ms(&a), rows[i].wait);
	}
}

/* After a restart nothing is left, whatever there was, until it has come back or an answer says how much there is. */
static void remembered_points_are_none(void **state)
{
	(void)state;
	struct points p = {0};
	points_restore(&p, 1000000, 50000, 10000);
	p.expected[OP_PRICE] = 100000;
	assert_int_equal(points_at(&p, OP_PRICE, 10000), 12000);
	assert_int_equal(points_at(&p, OP_PRICE, 12000), 12000);
	int64_t taken = points_take(&p, OP_PRICE);
	assert_int_equal(points_at(&p, OP_PRICE, 12000), 14000); /* one that is under way has what there was */
	struct pack_cost c = {
	    .known = true, .requested = 100000, .available = 900000, .maximum = 1000000, .restore_rate = 50000};
	points_give(&p, taken);
	points_note(&p, OP_PRICE, &c, 12000);
	assert_int_equal(points_at(&p, OP_PRICE, 12000), 12000);
	points_silent(&p);
	assert_true(p.known); /* it was said since */
	points_restore(&p, 1000000, 50000, 20000);
	points_silent(&p);
	assert_false(p.known);
	/* What never comes back says nothing. */
	points_restore(&p, 1000000, 0, 20000);
	points_restore(&p, 0, 50000, 20000);
	assert_false(p.known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_bucket_keeps_its_rate), cmocka_unit_test(an_idle_bucket_holds_its_burst_only),
	    cmocka_unit_test(points_are_waited_for),   cmocka_unit_test(points_that_do_not_come_back_are_asked_for),
	    cmocka_unit_test(the_meter_forgets),       cmocka_unit_test(remembered_points_are_none),
	    cmocka_unit_test(rate_limits_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
