#include "connect/rate.h"

#include <string.h>

void rate_init(struct rate *r, int64_t count, int64_t per_ms, int64_t burst, int64_t now)
{
	*r = (struct rate){.count = count, .per_ms = per_ms, .burst = burst, .at = now};
	if (count > 0 && burst <= 0)
		r->burst = count * 1000 / per_ms > 1 ? count * 1000 / per_ms : 1;
	r->level = r->burst * r->per_ms;
}

static void refill(struct rate *r, int64_t now)
{
	int64_t full = r->burst * r->per_ms, passed = now - r->at;
	r->at = now;
	if (passed <= 0)
		return; /* a clock that went back fills nothing */
	if (passed > full / r->count)
		r->level = full;
	else
		r->level = r->level + passed * r->count < full ? r->level + passed * r->count : full;
}

int64_t rate_at(struct rate *r, int64_t now)
{
	if (r->count <= 0)
		return now;
	refill(r, now);
	int64_t missing = r->per_ms - r->level;
	return missing <= 0 ? now : now + (missing + r->count - 1) / r->count;
}

void rate_take(struct rate *r, int64_t now)
{
	if (r->count <= 0)
		return;
	refill(r, now);
	r->level -= r->per_ms;
}

void rate_give(struct rate *r)
{
	if (r->count > 0)
		r->level += r->per_ms;
}

/* ---- points ---- */

static int64_t points_now(const struct points *p, int64_t now)
{
	int64_t passed = now > p->at ? now - p->at : 0, missing = p->maximum - p->available;
	if (missing <= 0 || p->restore_per_s <= 0)
		return p->available;
	if (passed >= missing / p->restore_per_s * 1000 + 1000)
		return p->maximum;
	int64_t level = p->available + passed * p->restore_per_s / 1000;
	return level < p->maximum ? level : p->maximum;
}

int64_t points_at(const struct points *p, enum operation op, int64_t now)
{
	if (!p->known)
		return now;
	/* What costs more than all there can be is asked for when all is there. */
	int64_t cost = p->expected[op] < p->maximum ? p->expected[op] : p->maximum;
	int64_t missing = p->reserved + cost - points_now(p, now);
	if (missing <= 0)
		return now;
	if (p->restore_per_s > 0)
		return now + (missing * 1000 + p->restore_per_s - 1) / p->restore_per_s;
	/* It is not said that any come back, so only another answer can tell: one request at a time asks for it. */
	int64_t at = (p->at < now ? p->at : now) + POINTS_ASK_MS;
	return p->reserved ? now + POINTS_ASK_MS : at > now ? at : now;
}

int64_t points_take(struct points *p, enum operation op)
{
	int64_t cost = p->known ? p->expected[op] : 0;
	p->reserved += cost;
	return cost;
}

void points_give(struct points *p, int64_t reserved)
{
	p->reserved -= reserved < p->reserved ? reserved : p->reserved;
}

void points_restore(struct points *p, int64_t maximum, int64_t restore_per_s, int64_t now)
{
	if (maximum <= 0 || restore_per_s <= 0)
		return; /* it would never be more than nothing */
	*p = (struct points){
	    .known = true, .remembered = true, .maximum = maximum, .restore_per_s = restore_per_s, .at = now};
}

void points_silent(struct points *p)
{
	if (p->remembered)
		p->known = p->remembered = false;
}

void points_note(struct points *p, enum operation op, const struct pack_cost *c, int64_t now)
{
	int64_t cost = c->requested > c->actual ? c->requested : c->actual;
	p->known = true;
	p->remembered = false;
	p->available = c->available;
	p->maximum = c->maximum > c->available ? c->maximum : c->available;
	p->restore_per_s = c->restore_rate;
	p->at = now;
	if (cost > 0)
		p->expected[op] = cost;
}

/* ---- how many ---- */

static void turn(struct meter *m, int64_t slice)
{
	if (slice - m->slice >= METER_SLICES || slice < m->slice)
		memset(m->counts, 0, sizeof(m->counts));
	else
		for (int64_t i = m->slice + 1; i <= slice; i++)
			m->counts[i % METER_SLICES] = 0;
	m->slice = slice;
}

void meter_add(struct meter *m, int64_t now)
{
	turn(m, now / METER_SLICE_MS);
	m->counts[m->slice % METER_SLICES]++;
}

int64_t meter_per_minute(const struct meter *m, int64_t now)
{
	struct meter copy = *m;
	int64_t sum = 0;
	turn(&copy, now / METER_SLICE_MS);
	for (int i = 0; i < METER_SLICES; i++)
		sum += copy.counts[i];
	return sum;
}
