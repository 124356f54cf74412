/* The calendar arithmetic is the proleptic Gregorian one, in eras of 400 years counted from 1 March of year 0. */
#include "base/clock.h"

#include <time.h>

#define MS_DAY  ((int64_t)86400000)
#define MS_LAST ((int64_t)253402300799999) /* 9999-12-31T23:59:59.999Z */

#ifdef CD_TEST_HOOKS
#include <stdatomic.h>

static _Atomic int64_t test_offset_ms;

void clock_test_advance(int64_t ms)
{
	atomic_fetch_add(&test_offset_ms, ms);
}

static int64_t offset_ms(void)
{
	return atomic_load_explicit(&test_offset_ms, memory_order_relaxed);
}
#else
static int64_t offset_ms(void)
{
	return 0;
}
#endif

static int64_t system_wall_ms(const struct clock *c)
{
	(void)c;
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + offset_ms();
}

static int64_t system_mono_ns(const struct clock *c)
{
	(void)c;
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

const struct clock *clock_system(void)
{
	static const struct clock clock = {system_wall_ms, system_mono_ns};
	return &clock;
}

static void put(char *out, int digits, int64_t v)
{
	while (digits--) {
		out[digits] = (char)('0' + v % 10);
		v /= 10;
	}
}

/* Out of range is shown as the nearest instant in range. */
void time_format(int64_t ms, char out[TIME_TEXT])
{
	ms = ms < 0 ? 0 : ms > MS_LAST ? MS_LAST : ms;
	int64_t z = ms / MS_DAY + 719468, in_day = ms % MS_DAY;
	int64_t era = z / 146097, doe = z % 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9;
	memcpy(out, "0000-00-00T00:00:00.000Z", TIME_TEXT);
	put(out, 4, yoe + era * 400 + (month <= 2));
	put(out + 5, 2, month);
	put(out + 8, 2, doy - (153 * mp + 2) / 5 + 1);
	put(out + 11, 2, in_day / 3600000);
	put(out + 14, 2, in_day / 60000 % 60);
	put(out + 17, 2, in_day / 1000 % 60);
	put(out + 20, 3, in_day % 1000);
}

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
	year -= month <= 2;
	int64_t era = year / 400, yoe = year % 400;
	int64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int days_in_month(int64_t year, int64_t month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return days[month - 1] + (month == 2 && leap);
}

/* Moves over exactly n digits, or makes the rest unreadable. */
static int64_t digits(struct str *s, size_t n)
{
	int64_t v = 0;
	if (s->n < n)
		return s->n = 0, -1;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return s->n = 0, -1;
		v = v * 10 + (s->p[i] - '0');
	}
	*s = (struct str){s->p + n, s->n - n};
	return v;
}

static bool eat(struct str *s, char c, char other)
{
	if (!s->n || (*s->p != c && *s->p != other))
		return false;
	*s = (struct str){s->p + 1, s->n - 1};
	return true;
}

static bool parse_fraction(struct str *s, int64_t *ms)
{
	*ms = 0;
	if (!eat(s, '.', '.'))
		return true;
	int n = 0;
	for (; s->n && *s->p >= '0' && *s->p <= '9'; n++, s->p++, s->n--)
		if (n < 3)
			*ms = *ms * 10 + (*s->p - '0');
	for (int i = n; i < 3; i++)
		*ms *= 10;
	return n > 0;
}

static bool parse_offset(struct str *s, int64_t *ms)
{
	*ms = 0;
	if (eat(s, 'Z', 'z'))
		return s->n == 0;
	bool west = s->n && *s->p == '-';
	if (!eat(s, '+', '-'))
		return false;
	int64_t hours = digits(s, 2);
	if (!eat(s, ':', ':'))
		return false;
	int64_t minutes = digits(s, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || s->n)
		return false;
	*ms = (hours * 60 + minutes) * 60000 * (west ? -1 : 1);
	return true;
}

static bool parse_instant(struct str s, int64_t *out)
{
	int64_t fraction, offset;
	int64_t year = digits(&s, 4);
	if (!eat(&s, '-', '-'))
		return false;
	int64_t month = digits(&s, 2);
	if (!eat(&s, '-', '-'))
		return false;
	int64_t day = digits(&s, 2);
	if (!eat(&s, 'T', 't'))
		return false;
	int64_t hour = digits(&s, 2);
	if (!eat(&s, ':', ':'))
		return false;
	int64_t minute = digits(&s, 2);
	if (!eat(&s, ':', ':'))
		return false;
	int64_t second = digits(&s, 2);
	if (second < 0 || !parse_fraction(&s, &fraction) || !parse_offset(&s, &offset))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 ||
	    second > 60)
		return false;
	int64_t to_minute = days_from_civil(year, month, day) * MS_DAY + (hour * 60 + minute) * 60000 - offset;
	/* A leap second is only at the end of a UTC day; it counts as the first of the next. */
	if (second == 60 && (to_minute + 60000) % MS_DAY != 0)
		return false;
	*out = to_minute + second * 1000 + fraction;
	return *out >= 0 && *out <= MS_LAST;
}

enum rc time_parse(struct str text, int64_t *out, struct err *e)
{
	int64_t ms;
	if (!parse_instant(text, &ms))
		return err_set(e, RC_INVALID, "not_an_instant",
			       "an instant is written as RFC 3339 has it, as in 2026-03-01T12:00:00.000Z");
	*out = ms;
	return RC_OK;
}

bool duration_parse(struct str text, int64_t *ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	int64_t n = 0;
	size_t digits = 0;

	if (!text.n)
		return false;
	while (digits < text.n && digits < 12 && text.p[digits] >= '0' && text.p[digits] <= '9')
		n = n * 10 + (text.p[digits++] - '0');
	if (!digits)
		return false;
	struct str unit = {text.p + digits, text.n - digits};
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!str_is(unit, units[i].unit) || n > INT64_MAX / 2 / units[i].ms)
			continue;
		*ms = n * units[i].ms;
		return true;
	}
	return false;
}
