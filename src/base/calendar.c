#include "base/calendar.h"

#define DAY_S     86400
#define STEPS_MAX 10000 /* of an overlap: years of daily windows */

struct span {
	int64_t from, to;
};

/* The window that begins on this local day. */
static struct span on_day(const struct calendar_window *w, int64_t day)
{
	int64_t from = day * DAY_S + w->from_min * 60, to = day * DAY_S + w->to_min * 60;
	if (to <= from)
		to += DAY_S;
	return (struct span){zone_instant(w->zone, from) * 1000, zone_instant(w->zone, to) * 1000};
}

/* One window's part: is now in it, and if not, when does it begin? */
static void look(const struct span *s, int64_t now, int64_t *end, int64_t *next)
{
	if (s->from <= now && now < s->to)
		*end = s->to > *end ? s->to : *end;
	else if (s->from > now && s->from < s->to && s->from < *next)
		*next = s->from;
}

static void look_at(const struct calendar_window *w, int64_t now, int64_t *end, int64_t *next)
{
	if (!w->zone) {
		look(&(struct span){w->from_ms, w->to_ms}, now, end, next);
		return;
	}
	int64_t local = now / 1000 + zone_offset(w->zone, now / 1000);
	int64_t today = (local - (local < 0 ? DAY_S - 1 : 0)) / DAY_S;
	for (int64_t day = today - 2; day <= today + 8; day++) {
		int weekday = (int)(((day + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
		struct span s = on_day(w, day);
		if (w->days & 1u << weekday)
			look(&s, now, end, next);
	}
}

bool calendar_within(const struct calendar *c, int64_t now_ms, int64_t *until)
{
	int64_t end = INT64_MIN, next = INT64_MAX, at = now_ms;
	/* Windows that touch are one; a week without a gap is as good as for ever. */
	for (size_t step = 0; step <= 2 * c->count + 8; step++) {
		int64_t before = end;
		for (size_t i = 0; i < c->count; i++)
			look_at(&c->windows[i], at, &end, &next);
		if (end == before)
			break;
		at = end;
	}
	*until = end != INT64_MIN ? end : next;
	return end != INT64_MIN;
}

int64_t calendar_overlap(const struct calendar *c, int64_t from_ms, int64_t to_ms)
{
	int64_t sum = 0, at = from_ms, until;
	for (int step = 0; c->count && step < STEPS_MAX && at < to_ms; step++) {
		bool within = calendar_within(c, at, &until);
		until = until < to_ms ? until : to_ms;
		sum += within ? until - at : 0;
		at = until;
	}
	return sum;
}
