#include "simulate/agenda.h"

#include "base/mem.h"

#include <stdbool.h>

static bool before(const struct task *a, const struct task *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

void agenda_done(struct agenda *a)
{
	free(a->heap);
	*a = (struct agenda){0};
}

void agenda_put(struct agenda *a, struct task *t, int64_t at)
{
	size_t i = a->count++;

	if (a->count > a->room) {
		a->room = a->room ? a->room * 2 : 64;
		a->heap = mem_grow(a->heap, a->room * sizeof(struct task *));
	}
	t->at = at;
	t->order = a->order++;
	for (; i > 0 && before(t, a->heap[(i - 1) / 2]); i = (i - 1) / 2)
		a->heap[i] = a->heap[(i - 1) / 2];
	a->heap[i] = t;
}

int64_t agenda_next(const struct agenda *a)
{
	return a->count ? a->heap[0]->at : INT64_MAX;
}

struct task *agenda_take(struct agenda *a)
{
	struct task *first = a->heap[0], *last = a->heap[--a->count];
	size_t i = 0;

	for (size_t child; (child = 2 * i + 1) < a->count; i = child) {
		if (child + 1 < a->count && before(a->heap[child + 1], a->heap[child]))
			child++;
		if (!before(a->heap[child], last))
			break;
		a->heap[i] = a->heap[child];
	}
	a->heap[i] = last;
	return first;
}
