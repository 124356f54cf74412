#include "connect/breaker.h"

#include <string.h>

const char *breaker_state_name(enum breaker_state s)
{
	switch (s) {
	case BREAKER_CLOSED:
		return "closed";
	case BREAKER_OPEN:
		return "open";
	case BREAKER_HALF_OPEN:
		return "half_open";
	}
	return "invalid";
}

bool breaker_allows(const struct breaker *b, int64_t now)
{
	switch (b->state) {
	case BREAKER_CLOSED:
		return true;
	case BREAKER_OPEN:
		return now >= b->until;
	case BREAKER_HALF_OPEN:
		return !b->trying;
	}
	return false;
}

static void enter(struct breaker *b, enum breaker_state s, int64_t now)
{
	b->state = s;
	b->since = now;
	b->good = 0;
	b->trying = false;
	memset(b->all, 0, sizeof(b->all));
	memset(b->bad, 0, sizeof(b->bad));
}

bool breaker_go(struct breaker *b, int64_t now, bool *probe)
{
	bool changed = b->state == BREAKER_OPEN;
	if (changed)
		enter(b, BREAKER_HALF_OPEN, now);
	*probe = b->state == BREAKER_HALF_OPEN;
	b->trying = *probe;
	return changed;
}

void breaker_stay(struct breaker *b)
{
	b->trying = false;
}

static void open_it(struct breaker *b, const struct breaker_policy *p, int64_t now)
{
	enter(b, BREAKER_OPEN, now);
	b->until = now + (p->open_ms << (b->opened < BREAKER_LONGER_MAX ? b->opened : BREAKER_LONGER_MAX));
	b->opened++;
}

void breaker_restore(struct breaker *b, int64_t until, int64_t now)
{
	enter(b, BREAKER_OPEN, now);
	b->until = until;
	b->opened = 1;
}

static void count(struct breaker *b, const struct breaker_policy *p, bool good, int64_t now)
{
	int64_t width = p->window_ms / BREAKER_SLICES > 0 ? p->window_ms / BREAKER_SLICES : 1, slice = now / width;
	int64_t passed = slice - b->slice;
	for (int64_t i = 0; i < BREAKER_SLICES && (i < passed || passed < 0); i++) {
		int64_t old = (b->slice + 1 + i) % BREAKER_SLICES;
		b->all[old] = b->bad[old] = 0;
	}
	b->slice = slice;
	b->all[slice % BREAKER_SLICES]++;
	b->bad[slice % BREAKER_SLICES] += !good;
}

void breaker_counts(const struct breaker *b, uint32_t *all, uint32_t *bad)
{
	*all = *bad = 0;
	for (int i = 0; i < BREAKER_SLICES; i++) {
		*all += b->all[i];
		*bad += b->bad[i];
	}
}

bool breaker_note(struct breaker *b, const struct breaker_policy *p, bool good, int64_t started_at, int64_t now)
{
	uint32_t all, bad;
	if (p->samples == 0 || started_at < b->since)
		return false; /* it says how things were before */
	switch (b->state) {
	case BREAKER_CLOSED:
		count(b, p, good, now);
		breaker_counts(b, &all, &bad);
		if (all < p->samples || (uint64_t)bad * 100 < (uint64_t)all * p->percent)
			return false;
		open_it(b, p, now);
		return true;
	case BREAKER_OPEN:
		return false;
	case BREAKER_HALF_OPEN:
		b->trying = false;
		if (good && ++b->good < p->probes)
			return false;
		if (good) {
			enter(b, BREAKER_CLOSED, now);
			b->opened = 0;
		} else {
			open_it(b, p, now);
		}
		return true;
	}
	return false;
}
