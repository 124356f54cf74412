#include "base/clock.h"

#include "base/test.h"

#include <time.h>

static void test_good_instants(void **state)
{
	(void)state;
	static const struct {
		const char *text, *utc;
	} cases[] = {
	    {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
	    {"2026-03-01T12:00:00.000Z", "2026-03-01T12:00:00.000Z"},
	    {"2026-03-01t12:00:00z", "2026-03-01T12:00:00.000Z"},
	    {"2024-02-29T23:59:59.999Z", "2024-02-29T23:59:59.999Z"},
	    {"2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"},
	    {"2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000Z"},
	    {"2024-02-29T22:00:00-05:30", "2024-03-01T03:30:00.000Z"},
	    {"2026-06-01T12:00:00-00:00", "2026-06-01T12:00:00.000Z"},
	    {"2026-06-01T12:00:00+23:59", "2026-05-31T12:01:00.000Z"},
	    {"2026-06-01T12:00:00.1Z", "2026-06-01T12:00:00.100Z"},
	    {"2026-06-01T12:00:00.12Z", "2026-06-01T12:00:00.120Z"},
	    {"2026-06-01T12:00:00.1239999999999999999999Z", "2026-06-01T12:00:00.123Z"},
	    {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"},
	    {"2017-01-01T00:59:60+01:00", "2017-01-01T00:00:00.000Z"},
	    {"9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
	    {"1969-12-31T23:00:00-01:00", "1970-01-01T00:00:00.000Z"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms;
		char out[TIME_TEXT];
		struct err e = ERR_NONE;
		assert_int_equal(time_parse(str_from(cases[i].text), &ms, &e), RC_OK);
		time_format(ms, out);
		assert_string_equal(out, cases[i].utc);
	}
}

static void test_bad_instants(void **state)
{
	(void)state;
	static const char *const cases[] = {
	    "",
	    "2026-03-01",
	    "2026-03-01T12:00:00",
	    "2026-03-01 12:00:00Z",
	    "2026-03-01T12:00Z",
	    "2026-3-01T12:00:00Z",
	    "2026-03-01T12:00:00.Z",
	    "2026-03-01T12:00:00,5Z",
	    "2026-03-01T12:00:00Z ",
	    "2026-03-01T12:00:00+0100",
	    "2026-03-01T12:00:00+24:00",
	    "2026-03-01T12:00:00+01:60",
	    "2026-03-01T12:00:00+01",
	    "2026-02-29T00:00:00Z",
	    "1900-02-29T00:00:00Z",
	    "2100-02-29T00:00:00Z",
	    "2026-04-31T00:00:00Z",
	    "2026-00-01T00:00:00Z",
	    "2026-13-01T00:00:00Z",
	    "2026-01-00T00:00:00Z",
	    "2026-01-32T00:00:00Z",
	    "2026-01-01T24:00:00Z",
	    "2026-01-01T00:60:00Z",
	    "2026-01-01T00:00:61Z",
	    "2026-01-01T00:00:60Z",
	    "1969-12-31T23:59:59Z",
	    "1970-01-01T00:00:00+01:00",
	    "9999-12-31T23:59:59-01:00",
	    "+2026-01-01T00:00:00Z",
	    "-026-01-01T00:00:00Z",
	    "2026-01-01T-1:00:00Z",
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms = 77;
		struct err e = ERR_NONE;
		assert_int_equal(time_parse(str_from(cases[i]), &ms, &e), RC_INVALID);
		assert_string_equal(e.code, "not_an_instant");
		assert_int_equal(ms, 77);
	}
}

/* Against the C library, a day and a bit at a time, to the end of the range. */
static void test_calendar(void **state)
{
	(void)state;
	for (int64_t ms = 0; ms < 253402300800000; ms += 86400000 * 3 + 3723004) {
		char out[TIME_TEXT], wanted[64];
		int64_t back;
		time_t seconds = (time_t)(ms / 1000);
		struct tm tm;
		gmtime_r(&seconds, &tm);
		strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%S", &tm);
		time_format(ms, out);
		assert_memory_equal(out, wanted, 19);
		assert_int_equal(time_parse(str_from(out), &back, NULL), RC_OK);
		assert_int_equal(back, ms);
	}
	char out[TIME_TEXT];
	time_format(-5, out);
	assert_string_equal(out, "1970-01-01T00:00:00.000Z");
	time_format(INT64_MAX, out);
	assert_string_equal(out, "9999-12-31T23:59:59.999Z");
}

static void test_durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms; /* -1: none */
	} rows[] = {{"500ms", 500},  {"0s", 0},
		    {"30s", 30000},  {"15m", 900000},
		    {"2h", 7200000}, {"3d", 259200000},
		    {"", -1},        {"s", -1},
		    {"5", -1},       {"5 s", -1},
		    {"-5s", -1},     {"1.5s", -1},
		    {"5S", -1},      {"999999999999d", -1}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t ms = -1;
		assert_int_equal(duration_parse(str_from(rows[i].text), &ms), rows[i].ms >= 0);
		assert_int_equal(ms, rows[i].ms);
	}
}

static void test_system_clock(void **state)
{
	(void)state;
	const struct clock *c = clock_system();
	int64_t a = clock_mono_ns(c), b = clock_mono_ns(c);
	assert_true(a <= b);
	assert_true(clock_wall_ms(c) > 1700000000000);
#ifdef CD_TEST_HOOKS
	int64_t before = clock_wall_ms(c);
	clock_test_advance(86400000);
	assert_true(clock_wall_ms(c) >= before + 86400000);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_instants), cmocka_unit_test(test_bad_instants), cmocka_unit_test(test_calendar),
	    cmocka_unit_test(test_durations),     cmocka_unit_test(test_system_clock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
