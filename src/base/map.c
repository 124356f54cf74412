/*
 * Linear probing in a table of a power of two slots, at most three quarters of them used or tombs. A slot is empty when
 * its value is NULL, a tomb when its value is &tomb. Removing leaves a tomb unless the next slot is empty, so that
 * map_next may go on behind a removed entry.
 *
 * Growing and clearing out tombs is the same: entries move to a new table. They move a few at a time, with each put, so
 * that no put waits for a million others (a small table moves at once); meanwhile an entry is in one of the two tables,
 * and a moved one leaves a tomb in the old. The new table takes as many puts as a quarter of its slots before it is
 * full, and the old one has no more slots than it, so MOVE slots a put are done by then.
 */
#include "base/map.h"

#include "base/hash.h"
#include "base/pages.h"

#include <assert.h>

#define ROOM_FIRST ((size_t)16)
#define MOVE       8
#define AT_ONCE    ((size_t)16384) /* slots, up to which a table moves as a whole */

struct map_slot {
	struct str key;
	uint64_t hash;
	void *value;
};

static char tomb;

void map_init(struct map *m, size_t max)
{
	*m = (struct map){.max = max};
}

void map_done(struct map *m)
{
	pages_free(m->slots, m->room * sizeof(*m->slots));
	pages_free(m->old, m->old_room * sizeof(*m->old));
	map_init(m, m->max);
}

static bool live(const struct map_slot *s)
{
	return s->value && s->value != &tomb;
}

/* The slot of the table that holds key, or NULL; free_slot: where it would go (a tomb on the way, or the empty end). */
static struct map_slot *probe(struct map_slot *slots, size_t room, struct str key, uint64_t hash,
			      struct map_slot **free_slot)
{
	struct map_slot *reuse = NULL;
	for (size_t i = hash & (room - 1);; i = (i + 1) & (room - 1)) {
		struct map_slot *s = &slots[i];
		if (!s->value) {
			if (free_slot)
				*free_slot = reuse ? reuse : s;
			return NULL;
		}
		if (s->value == &tomb) {
			if (!reuse)
				reuse = s;
		} else if (s->hash == hash && str_eq(s->key, key)) {
			return s;
		}
	}
}

static struct map_slot *lookup(const struct map *m, struct str key, uint64_t hash)
{
	struct map_slot *s = m->room ? probe(m->slots, m->room, key, hash, NULL) : NULL;
	return s || !m->old ? s : probe(m->old, m->old_room, key, hash, NULL);
}

static void insert(struct map *m, const struct map_slot *entry)
{
	size_t i = entry->hash & (m->room - 1);
	while (live(&m->slots[i]))
		i = (i + 1) & (m->room - 1);
	if (m->slots[i].value)
		m->tombs--;
	m->slots[i] = *entry;
}

/* At most count slots further. */
static void move(struct map *m, size_t count)
{
	for (; m->old && count > 0; count--) {
		struct map_slot *s = &m->old[m->moved];
		if (live(s)) {
			insert(m, s);
			*s = (struct map_slot){.value = &tomb};
		}
		if (++m->moved == m->old_room) {
			pages_free(m->old, m->old_room * sizeof(*m->old));
			m->old = NULL;
			m->old_room = 0;
		}
	}
}

static void resize(struct map *m, size_t room)
{
	move(m, SIZE_MAX);
	m->old = m->slots;
	m->old_room = m->room;
	m->moved = 0;
	m->slots = pages_zalloc(room * sizeof(*m->slots));
	m->room = room;
	m->tombs = 0;
	if (m->old_room <= AT_ONCE)
		move(m, m->old_room);
}

void *map_get(const struct map *m, struct str key)
{
	if (!m->count)
		return NULL;
	struct map_slot *s = lookup(m, key, hash64(hash_process_key(), key));
	return s ? s->value : NULL;
}

enum rc map_put(struct map *m, struct str key, void *value)
{
	assert(value);
	uint64_t hash = hash64(hash_process_key(), key);
	struct map_slot *s = lookup(m, key, hash);
	if (s) {
		s->key = key;
		s->value = value;
		return RC_OK;
	}
	if (m->count >= m->max)
		return RC_LIMIT;
	if ((m->count + m->tombs + 1) * 4 > m->room * 3) {
		size_t room = m->room ? m->room : ROOM_FIRST;
		while ((m->count + 1) * 2 > room)
			room *= 2;
		resize(m, room);
	}
	move(m, MOVE);
	insert(m, &(struct map_slot){key, hash, value});
	m->count++;
	return RC_OK;
}

static bool is_in(const struct map_slot *slots, size_t room, const struct map_slot *s)
{
	return s >= slots && s < slots + room;
}

void *map_remove(struct map *m, struct str key)
{
	struct map_slot *s = m->count ? lookup(m, key, hash64(hash_process_key(), key)) : NULL;
	if (!s)
		return NULL;
	void *value = s->value;
	bool is_new = is_in(m->slots, m->room, s);
	bool last = is_new && !m->slots[((size_t)(s - m->slots) + 1) & (m->room - 1)].value;
	*s = (struct map_slot){.value = last ? NULL : &tomb};
	m->tombs += is_new && !last;
	m->count--;
	return value;
}

void *map_next(const struct map *m, size_t *at, struct str *key)
{
	while (*at < m->room + m->old_room) {
		size_t i = (*at)++;
		const struct map_slot *s = i < m->room ? &m->slots[i] : &m->old[i - m->room];
		if (!live(s))
			continue;
		if (key)
			*key = s->key;
		return s->value;
	}
	return NULL;
}
