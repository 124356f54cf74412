#include "connect/timers.h"

#include "base/mem.h"

#define ROOM_FIRST 16

void timers_done(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){0};
}

static void put(struct timers *t, size_t at, struct timer *one)
{
	t->heap[at - 1] = one;
	one->at = at;
}

static void up(struct timers *t, struct timer *one, size_t at)
{
	for (; at > 1 && one->due < t->heap[at / 2 - 1]->due; at /= 2)
		put(t, at, t->heap[at / 2 - 1]);
	put(t, at, one);
}

static void down(struct timers *t, struct timer *one, size_t at)
{
	for (size_t child; (child = 2 * at) <= t->count; at = child) {
		if (child < t->count && t->heap[child]->due < t->heap[child - 1]->due)
			child++;
		if (one->due <= t->heap[child - 1]->due)
			break;
		put(t, at, t->heap[child - 1]);
	}
	put(t, at, one);
}

static void take_out(struct timers *t, struct timer *one)
{
	struct timer *last = t->heap[--t->count];
	size_t at = one->at;
	one->at = 0;
	if (last == one)
		return;
	put(t, at, last);
	up(t, last, at);
	down(t, last, last->at);
}

void timers_set(struct timers *t, struct timer *one, int64_t due)
{
	if (one->at && one->due == due)
		return;
	if (one->at)
		take_out(t, one);
	one->due = due;
	if (due == INT64_MAX)
		return;
	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : ROOM_FIRST;
		t->heap = mem_grow(t->heap, t->room * sizeof(*t->heap));
	}
	up(t, one, ++t->count);
}

struct timer *timers_first(const struct timers *t)
{
	return t->count ? t->heap[0] : NULL;
}
