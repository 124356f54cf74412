#include "base/test.h"

#include "base/calendar.h"
#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

static struct arena arena;

static const struct zone *zone(const char *name)
{
	const struct zone *z;
	struct err e = ERR_NONE;
	assert_int_equal(zone_load(&arena, str_from(name), &z, &e), RC_OK);
	return z;
}

static int64_t at(const char *text)
{
	int64_t ms;
	assert_int_equal(time_parse(str_from(text), &ms, NULL), RC_OK);
	return ms;
}

/* Every zone agrees with the C library's, now and far behind the last change that its file lists. */
static void offsets_are_those_of_the_c_library(void **state)
{
	(void)state;
	static const char *const names[] = {"UTC",
					    "Europe/Berlin",
					    "America/New_York",
					    "Asia/Kolkata",
					    "Australia/Lord_Howe",
					    "America/Sao_Paulo",
					    "Africa/Casablanca",
					    "Asia/Tehran",
					    "Europe/Dublin",
					    "Pacific/Chatham"};
	uint64_t random = 1;
	for (size_t i = 0; i < COUNT(names); i++) {
		const struct zone *z = zone(names[i]);
		setenv("TZ", names[i], 1);
		tzset();
		for (int n = 0; n < 3000; n++) {
			time_t t = (time_t)(test_random(&random) % 4000000000u);
			struct tm tm;
			localtime_r(&t, &tm);
			assert_int_equal(zone_offset(z, t), tm.tm_gmtoff);
		}
	}
	unsetenv("TZ");
	tzset();
}

static void local_times_become_instants(void **state)
{
	(void)state;
	static const struct {
		const char *local, *utc; /* in Berlin */
	} rows[] = {
	    {"2026-01-15T12:00:00Z", "2026-01-15T11:00:00Z"}, {"2026-07-15T12:00:00Z", "2026-07-15T10:00:00Z"},
	    {"2026-03-29T01:59:59Z", "2026-03-29T00:59:59Z"}, {"2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z"},
	    {"2026-03-29T02:30:00Z", "2026-03-29T01:30:00Z"}, /* is not there */
	    {"2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z"}, /* is there twice */
	    {"2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z"},
	};
	const struct zone *z = zone("Europe/Berlin");
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(zone_instant(z, at(rows[i].local) / 1000), at(rows[i].utc) / 1000);
}

static void what_is_no_zone_is_refused(void **state)
{
	(void)state;
	static const char *const names[] = {"",       "Europe/Atlantis", "../etc/passwd", "/etc/passwd",
					    "Europe", "tzdata.zi"};
	for (size_t i = 0; i < COUNT(names); i++) {
		const struct zone *z;
		struct err e = ERR_NONE;
		assert_int_not_equal(zone_load(&arena, str_from(names[i]), &z, &e), RC_OK);
	}
}

enum { MON = 1, TUE = 2, WED = 4, THU = 8, FRI = 16, SAT = 32, SUN = 64 };

static struct calendar_window weekly(const char *name, unsigned days, int from, int to)
{
	return (struct calendar_window){
	    .zone = zone(name), .days = (uint8_t)days, .from_min = (int16_t)(from * 60), .to_min = (int16_t)(to * 60)};
}

static void windows_begin_and_end(void **state)
{
	(void)state;
	struct calendar_window once = {.from_ms = at("2026-12-24T18:00:00Z"), .to_ms = at("2026-12-26T06:00:00Z")};
	struct calendar_window night = weekly("Europe/Berlin", SAT, 22, 4), dawn = weekly("Europe/Berlin", SUN, 4, 5);
	struct calendar_window always = weekly("UTC", 127, 0, 0);
	static const struct {
		int which; /* 0: once, 1: Saturday night, 2: that and Sunday's dawn behind it, 3: always, 4: none */
		const char *now;
		bool within;
		const char *until;
	} rows[] = {
	    {0, "2026-12-24T17:59:59Z", false, "2026-12-24T18:00:00Z"},
	    {0, "2026-12-24T18:00:00Z", true, "2026-12-26T06:00:00Z"},
	    {0, "2026-12-26T06:00:00Z", false, NULL},
	    {1, "2026-01-10T20:59:00Z", false, "2026-01-10T21:00:00Z"}, /* a Saturday in winter */
	    {1, "2026-01-10T21:00:00Z", true, "2026-01-11T03:00:00Z"},
	    {1, "2026-01-11T02:59:00Z", true, "2026-01-11T03:00:00Z"},
	    {1, "2026-01-11T03:00:00Z", false, "2026-01-17T21:00:00Z"},
	    {1, "2026-03-28T22:00:00Z", true, "2026-03-29T02:00:00Z"}, /* the night is an hour shorter */
	    {1, "2026-10-24T20:00:00Z", true, "2026-10-25T03:00:00Z"}, /* an hour longer */
	    {2, "2026-01-10T22:00:00Z", true, "2026-01-11T04:00:00Z"}, /* two that touch are one */
	    {4, "2026-01-10T22:00:00Z", false, NULL},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct calendar_window list[2] = {rows[i].which ? night : once, dawn};
		struct calendar c = {list, rows[i].which == 2 ? 2 : rows[i].which == 4 ? 0 : 1};
		int64_t until;
		assert_int_equal(calendar_within(&c, at(rows[i].now), &until), rows[i].within);
		assert_int_equal(until, rows[i].until ? at(rows[i].until) : INT64_MAX);
	}
	int64_t until, now = at("2026-01-10T22:00:00Z");
	assert_true(calendar_within(&(struct calendar){&always, 1}, now, &until));
	assert_true(until > now + 7 * (int64_t)86400000);
}

static void windows_are_added_up(void **state)
{
	(void)state;
	struct calendar_window list[] = {weekly("UTC", 127, 2, 3), weekly("UTC", 127, 2, 4), weekly("UTC", SUN, 6, 7)};
	struct calendar c = {list, 3};
	const int64_t hour = 3600000;
	int64_t monday = at("2026-01-05T00:00:00Z");
	assert_int_equal(calendar_overlap(&c, monday, monday + 168 * hour), 15 * hour);
	assert_int_equal(calendar_overlap(&c, monday + 2 * hour, monday + 3 * hour), hour);
	assert_int_equal(calendar_overlap(&c, monday + 4 * hour, monday + 26 * hour), 0);
	assert_int_equal(calendar_overlap(&c, monday, monday), 0);
	assert_int_equal(calendar_overlap(&(struct calendar){NULL, 0}, 0, monday), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(offsets_are_those_of_the_c_library),
	    cmocka_unit_test(local_times_become_instants),
	    cmocka_unit_test(what_is_no_zone_is_refused),
	    cmocka_unit_test(windows_begin_and_end),
	    cmocka_unit_test(windows_are_added_up),
	};
	arena_init(&arena, 64u << 20);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_done(&arena);
	return failed;
}
