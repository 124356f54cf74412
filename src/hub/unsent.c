/*
 * Deliveries that the store says are being sent, and of which nothing has left yet: they wait for a slot, or are about
 * to be taken back. A set of numbers under a lock of its own: open addressing, removal shifts back. What is claimed
 * stays in it until it is removed.
 */
#include "hub/unsent.h"

#include "base/mem.h"

#include <pthread.h>

#define ROOM_FIRST 64

struct one {
	int64_t seq; /* 0: free */
	bool claimed;
};

struct unsent {
	pthread_mutex_t lock;
	struct one *slots;
	size_t count, room;
};

struct unsent *unsent_new(void)
{
	struct unsent *u = mem_zalloc(1, sizeof(*u));

	pthread_mutex_init(&u->lock, NULL);
	u->room = ROOM_FIRST;
	u->slots = mem_zalloc(u->room, sizeof(*u->slots));
	return u;
}

void unsent_free(struct unsent *u)
{
	if (!u)
		return;
	pthread_mutex_destroy(&u->lock);
	free(u->slots);
	free(u);
}

static size_t home(const struct unsent *u, int64_t seq)
{
	return (size_t)((uint64_t)seq * 0x9e3779b97f4a7c15u >> 32) & (u->room - 1);
}

/* Where it is, or would be. */
static size_t find(const struct unsent *u, int64_t seq)
{
	size_t i = home(u, seq);

	while (u->slots[i].seq && u->slots[i].seq != seq)
		i = (i + 1) & (u->room - 1);
	return i;
}

static void widen(struct unsent *u)
{
	struct one *old = u->slots;
	size_t n = u->room;

	u->room *= 2;
	u->slots = mem_zalloc(u->room, sizeof(*u->slots));
	for (size_t i = 0; i < n; i++)
		if (old[i].seq)
			u->slots[find(u, old[i].seq)] = old[i];
	free(old);
}

void unsent_add(struct unsent *u, int64_t seq)
{
	pthread_mutex_lock(&u->lock);
	if (2 * (u->count + 1) > u->room)
		widen(u);
	size_t i = find(u, seq);
	u->count += u->slots[i].seq == 0;
	u->slots[i] = (struct one){.seq = seq};
	pthread_mutex_unlock(&u->lock);
}

bool unsent_remove(struct unsent *u, int64_t seq)
{
	pthread_mutex_lock(&u->lock);
	size_t hole = find(u, seq), mask = u->room - 1;
	bool claimed = u->slots[hole].claimed;
	if (u->slots[hole].seq) {
		/* May it move into the hole? Only if its home is not between the hole and itself. */
		for (size_t i = (hole + 1) & mask; u->slots[i].seq; i = (i + 1) & mask) {
			if (((i - home(u, u->slots[i].seq)) & mask) >= ((i - hole) & mask)) {
				u->slots[hole] = u->slots[i];
				hole = i;
			}
		}
		u->slots[hole] = (struct one){0};
		u->count--;
	}
	pthread_mutex_unlock(&u->lock);
	return !claimed;
}

bool unsent_claim(struct unsent *u, int64_t seq)
{
	pthread_mutex_lock(&u->lock);
	struct one *one = &u->slots[find(u, seq)];
	bool free = one->seq == seq && !one->claimed;
	one->claimed |= free;
	pthread_mutex_unlock(&u->lock);
	return free;
}

bool unsent_has(struct unsent *u, int64_t seq)
{
	pthread_mutex_lock(&u->lock);
	bool has = u->slots[find(u, seq)].seq == seq;
	pthread_mutex_unlock(&u->lock);
	return has;
}
