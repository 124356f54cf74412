/*
 * A zone is a sorted list of changes (when, the offset after it), and behind the last of them the rule of its POSIX TZ
 * string, if it has one: "CET-1CEST,M3.5.0,M10.5.0/3". Files have both; some databases leave out changes that the rule
 * tells as well.
 */
#include "base/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES ((off_t)1 << 20)
#define CHANGES_MAX    10000
#define HEADER         44
#define DAY            86400

struct zone_day {
	char kind; /* 'M': month, week, weekday; 'J': day 1 to 365 without 29 February; '0': day 0 to 365 */
	int month, week, day;
	int32_t at; /* seconds of the local day */
};

struct zone_rule {
	bool present, summer;
	int32_t standard, daylight; /* east of UTC */
	struct zone_day from, to;   /* of daylight time */
};

struct zone {
	size_t count;
	const int64_t *at;
	const int32_t *offset;
	int32_t before; /* the first change */
	struct zone_rule rule;
};

/* ---- days ---- */

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t day_of(int64_t year, int month, int day)
{
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t year_of(int64_t day)
{
	int64_t year = 1970 + day / 366;
	while (day_of(year + 1, 1, 1) <= day)
		year++;
	while (day_of(year, 1, 1) > day)
		year--;
	return year;
}

static int64_t rule_day(const struct zone_day *d, int64_t year)
{
	if (d->kind == '0')
		return day_of(year, 1, 1) + d->day;
	if (d->kind == 'J')
		return day_of(year, 1, 1) + d->day - 1 + (is_leap(year) && d->day >= 60);
	int64_t first = day_of(year, d->month, 1);
	int64_t next = d->month == 12 ? day_of(year + 1, 1, 1) : day_of(year, d->month + 1, 1);
	int weekday = (int)(((first + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday; 0: Sunday */
	int64_t day = first + (d->day - weekday + 7) % 7 + 7 * (int64_t)(d->week - 1);
	return day >= next ? day - 7 : day;
}

static int32_t rule_offset(const struct zone_rule *r, int64_t utc_s)
{
	if (!r->summer)
		return r->standard;
	int64_t local = utc_s + r->standard;
	int64_t year = year_of(local >= 0 ? local / DAY : -((DAY - 1 - local) / DAY));
	int64_t from = rule_day(&r->from, year) * DAY + r->from.at - r->standard;
	int64_t to = rule_day(&r->to, year) * DAY + r->to.at - r->daylight;
	bool summer = from < to ? utc_s >= from && utc_s < to : utc_s >= from || utc_s < to;
	return summer ? r->daylight : r->standard;
}

int32_t zone_offset(const struct zone *z, int64_t utc_s)
{
	if (z->count == 0 || utc_s >= z->at[z->count - 1])
		return z->rule.present ? rule_offset(&z->rule, utc_s) : z->count ? z->offset[z->count - 1] : z->before;
	size_t low = 0, high = z->count; /* how many changes are not after it */
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (z->at[middle] <= utc_s)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? z->offset[low - 1] : z->before;
}

int64_t zone_instant(const struct zone *z, int64_t local_s)
{
	/* No zone is further than a day from UTC, and none changes twice within two. */
	int32_t before = zone_offset(z, local_s - DAY), after = zone_offset(z, local_s + DAY);
	int64_t first = local_s - before, second = local_s - after;
	if (zone_offset(z, first) == before)
		return first;
	return zone_offset(z, second) == after ? second : first;
}

/* ---- the rule's text ---- */

static bool skip_name(const char **p)
{
	const char *s = *p;
	if (*s == '<') {
		s = strchr(s, '>');
		if (!s)
			return false;
		*p = s + 1;
		return true;
	}
	while ((*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z'))
		s++;
	bool any = s - *p >= 3;
	*p = s;
	return any;
}

static bool read_number(const char **p, int max, int *out)
{
	int n = 0, digits = 0;
	for (; **p >= '0' && **p <= '9' && digits < 4; digits++)
		n = n * 10 + (*(*p)++ - '0');
	*out = n;
	return digits > 0 && n <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool read_seconds(const char **p, int32_t *out)
{
	int sign = 1, part[3] = {0};
	if (**p == '-' || **p == '+')
		sign = *(*p)++ == '-' ? -1 : 1;
	if (!read_number(p, 167, &part[0]))
		return false;
	for (int i = 1; i < 3 && **p == ':'; i++) {
		(*p)++;
		if (!read_number(p, 59, &part[i]))
			return false;
	}
	*out = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
	return true;
}

static bool read_day(const char **p, struct zone_day *d)
{
	bool ok;
	d->at = 7200;
	d->kind = **p == 'M' || **p == 'J' ? *(*p)++ : '0';
	if (d->kind == 'M') {
		ok = read_number(p, 12, &d->month) && d->month >= 1 && *(*p)++ == '.' && read_number(p, 5, &d->week) &&
		     d->week >= 1 && *(*p)++ == '.' && read_number(p, 6, &d->day);
	} else {
		ok = read_number(p, 365, &d->day) && (d->kind == '0' || d->day >= 1);
	}
	if (!ok || **p != '/')
		return ok;
	(*p)++;
	return read_seconds(p, &d->at);
}

static bool read_rule(const char *p, struct zone_rule *r)
{
	*r = (struct zone_rule){.present = true};
	if (!skip_name(&p) || !read_seconds(&p, &r->standard))
		return false;
	r->standard = -r->standard;
	r->daylight = r->standard + 3600;
	if (!*p)
		return true;
	r->summer = true;
	if (!skip_name(&p))
		return false;
	if (*p != ',') {
		if (!read_seconds(&p, &r->daylight))
			return false;
		r->daylight = -r->daylight;
	}
	return *p++ == ',' && read_day(&p, &r->from) && *p++ == ',' && read_day(&p, &r->to) && !*p;
}

/* ---- the file ---- */

static int64_t big_endian(const unsigned char *p, int n)
{
	uint64_t v = p[0] & 0x80 && n == 8 ? UINT64_MAX : 0;
	for (int i = 0; i < n; i++)
		v = v << 8 | p[i];
	return n == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

struct counts {
	size_t isut, isstd, leap, time, type, chars;
};

static bool read_header(const unsigned char *p, size_t n, struct counts *c)
{
	if (n < HEADER || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
		return false;
	size_t *out[] = {&c->isut, &c->isstd, &c->leap, &c->time, &c->type, &c->chars};
	for (int i = 0; i < 6; i++) {
		int64_t v = big_endian(p + 20 + 4 * i, 4);
		if (v < 0 || v > CHANGES_MAX)
			return false;
		*out[i] = (size_t)v;
	}
	return c->type > 0;
}

static size_t block_size(const struct counts *c, size_t time)
{
	return c->time * (time + 1) + c->type * 6 + c->chars + c->leap * (time + 4) + c->isstd + c->isut;
}

static bool read_file(struct arena *a, const unsigned char *p, size_t n, struct zone *z)
{
	struct counts c;
	if (!read_header(p, n, &c) || n < HEADER + block_size(&c, 4))
		return false;
	p += HEADER + block_size(&c, 4);
	n -= HEADER + block_size(&c, 4);
	if (!read_header(p, n, &c) || n < HEADER + block_size(&c, 8))
		return false;
	const unsigned char *times = p + HEADER, *kinds = times + 8 * c.time, *types = kinds + c.time;
	int64_t *at = arena_array(a, int64_t, c.time);
	int32_t *offset = arena_array(a, int32_t, c.time);
	if (!at || !offset)
		return false;
	for (size_t i = 0; i < c.time; i++) {
		at[i] = big_endian(times + 8 * i, 8);
		if (kinds[i] >= c.type || (i && at[i] <= at[i - 1]))
			return false;
		offset[i] = (int32_t)big_endian(types + 6 * kinds[i], 4);
	}
	*z = (struct zone){.count = c.time, .at = at, .offset = offset, .before = (int32_t)big_endian(types, 4)};
	/* The rule stands between two line ends. */
	char rule[128] = "";
	const unsigned char *foot = p + HEADER + block_size(&c, 8);
	size_t left = n - HEADER - block_size(&c, 8);
	const unsigned char *end = left > 1 && foot[0] == '\n' ? memchr(foot + 1, '\n', left - 1) : NULL;
	if (!end || (size_t)(end - foot) > sizeof(rule))
		return end == NULL;
	memcpy(rule, foot + 1, (size_t)(end - foot - 1));
	return !rule[0] || read_rule(rule, &z->rule);
}

static bool name_ok(struct str name)
{
	if (!name.n || name.n > 64 || name.p[0] == '/' || memmem(name.p, name.n, "..", 2))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/", name.p[i]))
			return false;
	return true;
}

static unsigned char *load_bytes(struct arena *a, struct str name, size_t *n)
{
	const char *folder = getenv("TZDIR");
	char path[512];
	struct stat st;
	unsigned char *p = NULL;
	snprintf(path, sizeof(path), "%s/" STR_FMT, folder ? folder : "/usr/share/zoneinfo", STR_ARG(name));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= FILE_MAX_BYTES)
		p = arena_alloc(a, (size_t)st.st_size);
	if (p && read(fd, p, (size_t)st.st_size) != st.st_size)
		p = NULL;
	*n = p ? (size_t)st.st_size : 0;
	close(fd);
	return p;
}

enum rc zone_load(struct arena *a, struct str name, const struct zone **out, struct err *e)
{
	struct zone *z = arena_new(a, struct zone);
	size_t n;
	if (!z)
		return err_set(e, RC_LIMIT, "too_large", "the time zone does not fit into memory");
	*out = z;
	*z = (struct zone){0};
	if (str_is(name, "UTC"))
		return RC_OK;
	unsigned char *p = name_ok(name) ? load_bytes(a, name, &n) : NULL;
	if (!p)
		return err_set(e, RC_NOT_FOUND, "unknown_zone",
			       "there is no time zone '" STR_FMT "' in the system's time zone database", STR_ARG(name));
	if (!read_file(a, p, n, z))
		return err_set(e, RC_INVALID, "bad_zone", "the file of the time zone '" STR_FMT "' makes no sense",
			       STR_ARG(name));
	return RC_OK;
}
