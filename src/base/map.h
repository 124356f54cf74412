/*
 * A hash map from byte strings to pointers: open addressing, keyed SipHash (the keys come from outside), bounded.
 *
 * Keys are not copied: they must stay valid and unchanged while they are in the map (usually they are a field of the
 * value). Not thread-safe.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/rc.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct map_slot;

struct map {
	struct map_slot *slots, *old; /* old: what is moving to slots, a few with each put */
	size_t count, room, old_room, moved, tombs;
	size_t max; /* the most entries it may hold */
};

void map_init(struct map *m, size_t max);
void map_done(struct map *m); /* frees the table, not the values */

void *map_get(const struct map *m, struct str key); /* NULL if absent */
/* Inserts, or replaces key and value. value is not NULL. RC_LIMIT when full. */
enum rc map_put(struct map *m, struct str key, void *value) MUST_CHECK;
void *map_remove(struct map *m, struct str key); /* the value that was there, or NULL */

/* Visits every entry in no particular order: start with *at = 0; NULL at the end. The entry just returned may be
 * removed; nothing may be inserted meanwhile. */
void *map_next(const struct map *m, size_t *at, struct str *key);

#endif
