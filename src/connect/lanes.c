/*
 * States are lists, and move() is the only function that takes a lane from one to another:
 *
 *     NEW -> READY <-> BUSY -> DELAYED -> READY,  BUSY -> GONE,  NEW -> DELAYED
 *
 * READY is a doubly linked list in order of arrival, DELAYED a binary heap by (due, seq), BUSY is held by whoever took
 * the lane, and a lane without deliveries does not exist. A lane is found by its key in an open-addressing table
 * without tombstones (removal shifts back): keys are hashes already. The cost of a waiting delivery is one entry of 64
 * bytes, and a lane of its own if no other delivery has its key.
 */
#include "connect/lanes.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define TABLE_FIRST 16

struct lanes {
	struct lane **table; /* by key */
	size_t room, lane_count;
	struct lane *ready_first, *ready_last;
	struct lane **heap;
	size_t heap_count, heap_room;
	struct lane_entry *oldest, *newest;
	size_t count;
};

struct lanes *lanes_new(void)
{
	struct lanes *l = mem_zalloc(1, sizeof(*l));
	l->room = TABLE_FIRST;
	l->table = mem_zalloc(l->room, sizeof(struct lane *));
	return l;
}

void lanes_free(struct lanes *l)
{
	if (!l)
		return;
	for (struct lane_entry *e = l->oldest, *newer; e; e = newer) {
		newer = e->newer;
		free(e);
	}
	for (size_t i = 0; i < l->room; i++)
		free(l->table[i]);
	free(l->table);
	free(l->heap);
	free(l);
}

/* ---- by key ---- */

static size_t home(const struct lanes *l, uint64_t key)
{
	return (size_t)(key * 0x9e3779b97f4a7c15u >> 32) & (l->room - 1);
}

static size_t find(const struct lanes *l, uint64_t key)
{
	size_t i = home(l, key);
	while (l->table[i] && l->table[i]->key != key)
		i = (i + 1) & (l->room - 1);
	return i;
}

static void widen(struct lanes *l)
{
	struct lane **old = l->table;
	size_t n = l->room;
	l->room *= 2;
	l->table = mem_zalloc(l->room, sizeof(struct lane *));
	for (size_t i = 0; i < n; i++)
		if (old[i])
			l->table[find(l, old[i]->key)] = old[i];
	free(old);
}

static struct lane *lane_of(struct lanes *l, uint64_t key)
{
	size_t i = find(l, key);
	if (l->table[i])
		return l->table[i];
	if (2 * (l->lane_count + 1) > l->room) {
		widen(l);
		i = find(l, key);
	}
	struct lane *lane = mem_zalloc(1, sizeof(*lane));
	lane->key = key;
	l->table[i] = lane;
	l->lane_count++;
	return lane;
}

static void forget(struct lanes *l, struct lane *lane)
{
	size_t hole = find(l, lane->key), mask = l->room - 1;
	assert(l->table[hole] == lane);
	for (size_t i = (hole + 1) & mask; l->table[i]; i = (i + 1) & mask) {
		/* May it move into the hole? Only if its home is not between the hole and itself. */
		if (((i - home(l, l->table[i]->key)) & mask) >= ((i - hole) & mask)) {
			l->table[hole] = l->table[i];
			hole = i;
		}
	}
	l->table[hole] = NULL;
	l->lane_count--;
	free(lane);
}

/* ---- the heap ---- */

static bool sooner(const struct lane *a, const struct lane *b)
{
	if (a->due != b->due)
		return a->due < b->due;
	return a->first->head.seq < b->first->head.seq;
}

static void heap_set(struct lanes *l, size_t i, struct lane *lane)
{
	l->heap[i] = lane;
	lane->heap_at = (uint32_t)i;
}

static void heap_up(struct lanes *l, size_t i)
{
	struct lane *lane = l->heap[i];
	for (; i && sooner(lane, l->heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap_set(l, i, l->heap[(i - 1) / 2]);
	heap_set(l, i, lane);
}

static void heap_down(struct lanes *l, size_t i)
{
	struct lane *lane = l->heap[i];
	for (size_t child; (child = 2 * i + 1) < l->heap_count; i = child) {
		if (child + 1 < l->heap_count && sooner(l->heap[child + 1], l->heap[child]))
			child++;
		if (!sooner(l->heap[child], lane))
			break;
		heap_set(l, i, l->heap[child]);
	}
	heap_set(l, i, lane);
}

static void heap_add(struct lanes *l, struct lane *lane)
{
	if (l->heap_count == l->heap_room) {
		l->heap_room = l->heap_room ? 2 * l->heap_room : TABLE_FIRST;
		l->heap = mem_grow(l->heap, l->heap_room * sizeof(struct lane *));
	}
	heap_set(l, l->heap_count, lane);
	heap_up(l, l->heap_count++);
}

static void heap_remove(struct lanes *l, struct lane *lane)
{
	size_t i = lane->heap_at;
	assert(i < l->heap_count && l->heap[i] == lane);
	struct lane *last = l->heap[--l->heap_count];
	if (last == lane)
		return;
	heap_set(l, i, last);
	heap_up(l, i);
	heap_down(l, last->heap_at);
}

/* ---- states ---- */

static void ready_remove(struct lanes *l, struct lane *lane)
{
	*(lane->previous ? &lane->previous->next : &l->ready_first) = lane->next;
	*(lane->next ? &lane->next->previous : &l->ready_last) = lane->previous;
	lane->next = lane->previous = NULL;
}

static void ready_add(struct lanes *l, struct lane *lane)
{
	lane->previous = l->ready_last;
	*(l->ready_last ? &l->ready_last->next : &l->ready_first) = lane;
	l->ready_last = lane;
}

static void move(struct lanes *l, struct lane *lane, enum lane_state to)
{
	switch (lane->state) {
	case LANE_READY:
		ready_remove(l, lane);
		break;
	case LANE_DELAYED:
		heap_remove(l, lane);
		break;
	case LANE_NEW:
	case LANE_BUSY:
		break;
	case LANE_GONE:
		assert(0);
	}
	lane->state = to;
	switch (to) {
	case LANE_READY:
		lane->failing = false;
		ready_add(l, lane);
		break;
	case LANE_DELAYED:
		heap_add(l, lane);
		break;
	case LANE_BUSY:
		break;
	case LANE_GONE:
		assert(!lane->first);
		forget(l, lane);
		break;
	case LANE_NEW:
		assert(0);
	}
}

static void wait_until(struct lanes *l, struct lane *lane, int64_t due, int64_t now)
{
	lane->due = due;
	move(l, lane, due > now ? LANE_DELAYED : LANE_READY);
}

/* Where a delivery of this seq belongs; NULL: it is there already. Nothing gets before one that was taken once; the
 * others are sorted. */
static struct lane_entry **place(struct lane *lane, int64_t seq)
{
	struct lane_entry **at = &lane->first;
	if (lane->begun) {
		if ((*at)->head.seq == seq)
			return NULL;
		at = &(*at)->behind;
	}
	if (*at && lane->last->head.seq < seq)
		return &lane->last->behind;
	while (*at && (*at)->head.seq < seq)
		at = &(*at)->behind;
	return *at && (*at)->head.seq == seq ? NULL : at;
}

bool lanes_add(struct lanes *l, const struct delivery_head *head, int64_t now)
{
	struct lane *lane = lane_of(l, head->key);
	struct lane_entry **at = place(lane, head->seq);
	if (!at)
		return false;
	/* The lists go by a lane's first delivery: out of them before it changes. */
	bool first = at == &lane->first;
	if (first && lane->state != LANE_NEW)
		move(l, lane, LANE_BUSY);
	struct lane_entry *e = mem_zalloc(1, sizeof(*e));
	e->head = *head;
	e->behind = *at;
	*at = e;
	if (!e->behind)
		lane->last = e;
	e->older = l->newest;
	*(l->newest ? &l->newest->newer : &l->oldest) = e;
	l->newest = e;
	l->count++;
	if (first) {
		lane->doubt = (struct lane_doubt){0};
		wait_until(l, lane, head->next_at, now);
	}
	return true;
}

void lanes_wake(struct lanes *l, int64_t now)
{
	while (l->heap_count && l->heap[0]->due <= now)
		move(l, l->heap[0], LANE_READY);
}

struct lane *lanes_take(struct lanes *l)
{
	struct lane *lane = l->ready_first;
	if (lane) {
		move(l, lane, LANE_BUSY);
		lane->begun = true;
	}
	return lane;
}

void lanes_put_back(struct lanes *l, struct lane *lane, int64_t due, bool failing)
{
	assert(lane->state == LANE_BUSY);
	wait_until(l, lane, due, 0);
	lane->failing = failing && lane->state == LANE_DELAYED;
}

void lanes_settle(struct lanes *l, struct lane *lane, int64_t now)
{
	assert(lane->state == LANE_BUSY);
	struct lane_entry *e = lane->first;
	lane->first = e->behind;
	if (!lane->first)
		lane->last = NULL;
	*(e->older ? &e->older->newer : &l->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &l->newest) = e->older;
	free(e);
	l->count--;
	lane->begun = false;
	lane->doubt = (struct lane_doubt){0};
	if (lane->first)
		wait_until(l, lane, lane->first->head.next_at, now);
	else
		move(l, lane, LANE_GONE);
}

void lanes_hurry(struct lanes *l, uint64_t key)
{
	struct lane *lane = l->table[find(l, key)];
	if (lane && lane->state == LANE_DELAYED)
		move(l, lane, LANE_READY);
}

bool lanes_remove(struct lanes *l, uint64_t key, int64_t seq, int64_t now)
{
	struct lane *lane = l->table[find(l, key)];
	struct lane_entry *e = lane ? lane->first : NULL, *before = NULL;
	while (e && e->head.seq != seq) {
		before = e;
		e = e->behind;
	}
	if (!e || (!before && lane->state == LANE_BUSY))
		return false;
	if (!before) {
		move(l, lane, LANE_BUSY);
		lanes_settle(l, lane, now);
		return true;
	}
	before->behind = e->behind;
	if (lane->last == e)
		lane->last = before;
	*(e->older ? &e->older->newer : &l->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &l->newest) = e->older;
	free(e);
	l->count--;
	return true;
}

void lanes_hasten(struct lanes *l)
{
	for (size_t i = 0; i < l->heap_count; i++)
		if (l->heap[i]->failing)
			l->heap[i]->due = 0;
	for (size_t i = l->heap_count / 2; i-- > 0;)
		heap_down(l, i);
	lanes_wake(l, 0);
}

size_t lanes_count(const struct lanes *l)
{
	return l->count;
}

bool lanes_any_ready(const struct lanes *l)
{
	return l->ready_first != NULL;
}

int64_t lanes_next_due(const struct lanes *l)
{
	return l->heap_count ? l->heap[0]->due : INT64_MAX;
}

int64_t lanes_oldest(const struct lanes *l)
{
	return l->oldest ? l->oldest->head.created_at : 0;
}
