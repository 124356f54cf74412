/*
 * Linear probing in a table of a power of two slots, at most three quarters of them used or tombs. A slot is empty when
 * its value is NULL, a tomb when its value is &tomb. Removing leaves a tomb unless the next slot is empty, so that
 * map_next may go on behind a removed entry. Growing and clearing out tombs is the same: entries move to a new table.
 */
#include "base/map.h"

#include "base/hash.h"
#include "base/mem.h"

#include <assert.h>

#define ROOM_FIRST ((size_t)16)

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
	free(m->slots);
	map_init(m, m->max);
}

static bool live(const struct map_slot *s)
{
	return s->value && s->value != &tomb;
}

/* The slot that holds key, or NULL; free_slot: where it would go (a tomb on the way, or the empty end). */
static struct map_slot *lookup(const struct map *m, struct str key, uint64_t hash, struct map_slot **free_slot)
{
	struct map_slot *reuse = NULL;
	for (size_t i = hash & (m->room - 1);; i = (i + 1) & (m->room - 1)) {
		struct map_slot *s = &m->slots[i];
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

static void resize(struct map *m, size_t room)
{
	struct map_slot *old = m->slots;
	size_t old_room = m->room;
	m->slots = mem_zalloc(room, sizeof(*m->slots));
	m->room = room;
	m->tombs = 0;
	for (size_t i = 0; i < old_room; i++) {
		if (!live(&old[i]))
			continue;
		size_t at = old[i].hash & (room - 1);
		while (m->slots[at].value)
			at = (at + 1) & (room - 1);
		m->slots[at] = old[i];
	}
	free(old);
}

void *map_get(const struct map *m, struct str key)
{
	if (!m->count)
		return NULL;
	struct map_slot *s = lookup(m, key, hash64(hash_process_key(), key), NULL);
	return s ? s->value : NULL;
}

enum rc map_put(struct map *m, struct str key, void *value)
{
	assert(value);
	uint64_t hash = hash64(hash_process_key(), key);
	struct map_slot *s = m->room ? lookup(m, key, hash, NULL) : NULL;
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
	lookup(m, key, hash, &s);
	if (s->value == &tomb)
		m->tombs--;
	*s = (struct map_slot){key, hash, value};
	m->count++;
	return RC_OK;
}

void *map_remove(struct map *m, struct str key)
{
	struct map_slot *s = m->count ? lookup(m, key, hash64(hash_process_key(), key), NULL) : NULL;
	if (!s)
		return NULL;
	void *value = s->value;
	size_t after = ((size_t)(s - m->slots) + 1) & (m->room - 1);
	bool last = !m->slots[after].value;
	*s = (struct map_slot){.value = last ? NULL : &tomb};
	m->tombs += last ? 0 : 1;
	m->count--;
	return value;
}

void *map_next(const struct map *m, size_t *at, struct str *key)
{
	while (*at < m->room) {
		const struct map_slot *s = &m->slots[(*at)++];
		if (!live(s))
			continue;
		if (key)
			*key = s->key;
		return s->value;
	}
	return NULL;
}
