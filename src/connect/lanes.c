/*
 * States are lists, and move() is the only function that takes a lane from one to another:
 *
 *     NEW -> READY <-> BUSY -> DELAYED -> READY,  BUSY -> GONE,  NEW -> DELAYED
 *
 * READY is a doubly linked list in order of arrival for each priority, DELAYED a binary heap by (due, seq), BUSY is
 * held by whoever took deliveries of the lane until the last of these has come back, and a lane without deliveries does
 * not exist. A lane is found by its key in an open-addressing table without tombstones (removal shifts back): keys are
 * hashes already. The cost of a waiting delivery is one entry of 64 bytes, and a lane of its own if no other delivery
 * has its key.
 */
#include "connect/lanes.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define TABLE_FIRST 16

struct lanes {
	struct lane **table; /* by key */
	size_t room, lane_count;
	struct lane *ready_first[PRIORITIES], *ready_last[PRIORITIES];
	struct lane **heap;
	size_t heap_count, heap_room;
	struct lane_entry *oldest[PRIORITIES], *newest[PRIORITIES];
	size_t count, counts[PRIORITIES];
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
	for (int p = 0; p < PRIORITIES; p++) {
		for (struct lane_entry *e = l->oldest[p], *newer; e; e = newer) {
			newer = e->newer;
			free(e);
		}
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

/* A key has one lane a priority. */
static uint64_t lane_key(uint64_t key, unsigned priority)
{
	return key + priority * 0x632be59bd9b4e019u;
}

static struct lane *lane_of(struct lanes *l, const struct delivery_head *head)
{
	uint64_t key = lane_key(head->key, head->replayed ? head->live : head->priority);

	size_t i = find(l, key);
	if (l->table[i])
		return l->table[i];
	if (2 * (l->lane_count + 1) > l->room) {
		widen(l);
		i = find(l, key);
	}
	struct lane *lane = mem_zalloc(1, sizeof(*lane));
	lane->key = key;
	lane->priority = head->priority;
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
	*(lane->previous ? &lane->previous->next : &l->ready_first[lane->priority]) = lane->next;
	*(lane->next ? &lane->next->previous : &l->ready_last[lane->priority]) = lane->previous;
	lane->next = lane->previous = NULL;
}

static void ready_add(struct lanes *l, struct lane *lane)
{
	lane->previous = l->ready_last[lane->priority];
	*(lane->previous ? &lane->previous->next : &l->ready_first[lane->priority]) = lane;
	l->ready_last[lane->priority] = lane;
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
		lane->failing = lane->lingers = false;
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

/* Where a delivery of this seq belongs; NULL: it is there already. Nothing gets before those that were taken once; the
 * others are sorted. */
static struct lane_entry **place(struct lane *lane, int64_t seq)
{
	struct lane_entry **at = &lane->first;
	for (uint32_t i = 0; i < lane->begun; i++, at = &(*at)->behind)
		if ((*at)->head.seq == seq)
			return NULL;
	if (*at && lane->last->head.seq < seq)
		return &lane->last->behind;
	while (*at && (*at)->head.seq < seq)
		at = &(*at)->behind;
	return *at && (*at)->head.seq == seq ? NULL : at;
}

/* One that is more urgent came into it. */
static void promote(struct lanes *l, struct lane *lane, uint8_t priority)
{
	if (priority >= lane->priority)
		return;
	if (lane->state == LANE_READY)
		ready_remove(l, lane);
	lane->priority = priority;
	if (lane->state == LANE_READY)
		ready_add(l, lane);
}

/* Into its lane. false: it is there already. */
static bool enter(struct lanes *l, struct lane_entry *e, int64_t due, int64_t now)
{
	struct lane *lane = lane_of(l, &e->head);
	struct lane_entry **at = place(lane, e->head.seq);
	if (!at)
		return false;
	promote(l, lane, e->head.priority);
	/* The lists go by a lane's first delivery: out of them before it changes. */
	bool first = at == &lane->first;
	if (first && lane->state != LANE_NEW)
		move(l, lane, LANE_BUSY);
	e->behind = *at;
	*at = e;
	if (!e->behind)
		lane->last = e;
	if (first) {
		lane->doubt = (struct lane_doubt){0};
		wait_until(l, lane, due, now);
	}
	return true;
}

bool lanes_add(struct lanes *l, const struct delivery_head *head, int64_t now)
{
	struct lane_entry *e = mem_zalloc(1, sizeof(*e));
	unsigned p = head->priority;
	assert(p < PRIORITIES);
	e->head = *head;
	if (!enter(l, e, head->next_at, now)) {
		free(e);
		return false;
	}
	e->older = l->newest[p];
	*(e->older ? &e->older->newer : &l->oldest[p]) = e;
	l->newest[p] = e;
	l->count++;
	l->counts[p]++;
	return true;
}

void lanes_wake(struct lanes *l, int64_t now)
{
	while (l->heap_count && l->heap[0]->due <= now)
		move(l, l->heap[0], LANE_READY);
}

struct lane_entry *lanes_next(const struct lane *lane)
{
	struct lane_entry *e = lane->first;
	for (uint32_t i = 0; e && i < lane->taken; i++)
		e = e->behind;
	return e;
}

struct lane_entry *lanes_take_more(struct lane *lane)
{
	struct lane_entry *e = lanes_next(lane);
	if (e && ++lane->taken > lane->begun)
		lane->begun = lane->taken;
	return e;
}

void lanes_take_one(struct lanes *l, struct lane *lane)
{
	assert(lane->state == LANE_READY);
	move(l, lane, LANE_BUSY);
	lane->due = 0;
	lane->taken = 0;
	lanes_take_more(lane);
}

struct lane *lanes_look(struct lanes *l, enum delivery_priority p, const struct lane *behind)
{
	return behind ? behind->next : l->ready_first[p];
}

struct lane *lanes_take(struct lanes *l, enum delivery_priority p)
{
	struct lane *lane = l->ready_first[p];
	if (lane)
		lanes_take_one(l, lane);
	return lane;
}

/* When none of its deliveries is under way any more. */
static void come_back(struct lanes *l, struct lane *lane, int64_t now)
{
	if (lane->taken > 0)
		return;
	if (lane->first)
		wait_until(l, lane, lane->due, now);
	else
		move(l, lane, LANE_GONE);
}

void lanes_put_back(struct lanes *l, struct lane *lane, int64_t due, bool failing)
{
	assert(lane->state == LANE_BUSY && lane->taken > 0);
	lane->taken--;
	lane->failing = failing;
	lane->due = due > lane->due ? due : lane->due;
	come_back(l, lane, 0);
	if (!lane->taken && lane->state != LANE_DELAYED)
		lane->failing = false;
}

static void leave(struct lane *lane, struct lane_entry *e)
{
	struct lane_entry **at = &lane->first, *before = NULL;
	for (uint32_t i = 0; *at != e; i++) {
		assert(*at && i < lane->begun);
		before = *at;
		at = &before->behind;
	}
	*at = e->behind;
	if (lane->last == e)
		lane->last = before;
	if (!before)
		lane->doubt = (struct lane_doubt){0};
	lane->begun--;
	lane->taken--;
	/* What is behind waits for its own time, unless one before it came back. */
	if (lane->first && lane->begun == 0 && lane->first->head.next_at > lane->due)
		lane->due = lane->first->head.next_at;
}

static void forget_entry(struct lanes *l, struct lane_entry *e)
{
	unsigned p = e->head.priority;
	*(e->older ? &e->older->newer : &l->oldest[p]) = e->newer;
	*(e->newer ? &e->newer->older : &l->newest[p]) = e->older;
	free(e);
	l->count--;
	l->counts[p]--;
}

void lanes_settle(struct lanes *l, struct lane *lane, struct lane_entry *e, int64_t now)
{
	assert(lane->state == LANE_BUSY && lane->taken > 0);
	leave(lane, e);
	forget_entry(l, e);
	come_back(l, lane, now);
}

static uint64_t key_aside(uint64_t key, int64_t seq)
{
	return key ^ ((uint64_t)seq * 0xd6e8feb86659fd93u);
}

void lane_aside(struct delivery_head *head)
{
	head->key = key_aside(head->key, head->seq);
	head->aside = true;
}

void lanes_set_aside(struct lanes *l, struct lane *lane, struct lane_entry *e, int64_t due, int64_t now)
{
	assert(lane->state == LANE_BUSY && lane->taken > 0);
	leave(lane, e);
	come_back(l, lane, now);
	lane_aside(&e->head);
	e->behind = NULL;
	bool entered = enter(l, e, due, 0);
	assert(entered);
}

/* Where a delivery is; the entry, or NULL. Its priority is not known to those who ask. */
static struct lane_entry *search(struct lanes *l, uint64_t key, int64_t seq, struct lane **lane,
				 struct lane_entry **before)
{
	const uint64_t keys[] = {key, key_aside(key, seq)};
	for (unsigned i = 0; i < 2 * PRIORITIES; i++) {
		*lane = l->table[find(l, lane_key(keys[i % 2], i / 2))];
		*before = NULL;
		for (struct lane_entry *e = *lane ? (*lane)->first : NULL; e; e = e->behind) {
			if (e->head.seq == seq)
				return e;
			*before = e;
		}
	}
	return NULL;
}

void lanes_hurry(struct lanes *l, uint64_t key, int64_t seq)
{
	struct lane *lane;
	struct lane_entry *before;
	if (search(l, key, seq, &lane, &before) && lane->state == LANE_DELAYED)
		move(l, lane, LANE_READY);
}

static bool is_taken(const struct lane *lane, const struct lane_entry *e)
{
	const struct lane_entry *at = lane->first;
	for (uint32_t i = 0; i < lane->taken; i++, at = at->behind)
		if (at == e)
			return true;
	return false;
}

bool lanes_remove(struct lanes *l, uint64_t key, int64_t seq, int64_t now)
{
	struct lane *lane;
	struct lane_entry *before, *e = search(l, key, seq, &lane, &before);
	if (!e || (lane->state == LANE_BUSY && is_taken(lane, e)))
		return false;
	if (!before) {
		move(l, lane, LANE_BUSY);
		lane->due = 0;
		lane->taken = 0;
		lanes_take_more(lane);
		lanes_settle(l, lane, e, now);
		return true;
	}
	uint32_t at = 0;
	for (const struct lane_entry *one = lane->first; one != e; one = one->behind)
		at++;
	if (at < lane->begun)
		lane->begun--;
	before->behind = e->behind;
	if (lane->last == e)
		lane->last = before;
	forget_entry(l, e);
	return true;
}

/* What is marked so in the heap is due. */
static void mature(struct lanes *l, bool lingering)
{
	for (size_t i = 0; i < l->heap_count; i++)
		if (lingering ? l->heap[i]->lingers : l->heap[i]->failing)
			l->heap[i]->due = 0;
	for (size_t i = l->heap_count / 2; i-- > 0;)
		heap_down(l, i);
	lanes_wake(l, 0);
}

void lanes_hasten(struct lanes *l)
{
	mature(l, false);
}

void lanes_linger(struct lanes *l, struct lane *lane, int64_t due)
{
	lanes_put_back(l, lane, due, false);
	lane->lingers = lane->state == LANE_DELAYED;
}

void lanes_end_linger(struct lanes *l)
{
	mature(l, true);
}

size_t lanes_count(const struct lanes *l)
{
	return l->count;
}

size_t lanes_count_of(const struct lanes *l, enum delivery_priority p)
{
	return l->counts[p];
}

bool lanes_ready(const struct lanes *l, enum delivery_priority p)
{
	return l->ready_first[p] != NULL;
}

bool lanes_any_ready(const struct lanes *l)
{
	for (int p = 0; p < PRIORITIES; p++)
		if (l->ready_first[p])
			return true;
	return false;
}

int64_t lanes_next_due(const struct lanes *l)
{
	return l->heap_count ? l->heap[0]->due : INT64_MAX;
}

int64_t lanes_oldest(const struct lanes *l)
{
	int64_t oldest = 0;
	for (int p = 0; p < PRIORITIES; p++) {
		const struct lane_entry *e = l->oldest[p];
		if (e && (!oldest || e->head.created_at < oldest))
			oldest = e->head.created_at;
	}
	return oldest;
}
