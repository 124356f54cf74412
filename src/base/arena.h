/*
 * An arena: memory that is freed all at once, for what lives as long as one message, request or batch.
 *
 * Bounded: past `max` bytes an allocation returns NULL and the arena stays usable for what it holds. Running out of the
 * machine's memory aborts the process (the state on disk is complete, a restart is the recovery).
 * Not thread-safe; may be handed from one thread to another.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/rc.h"
#include "base/str.h"

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	char *next, *end;           /* the free part of the newest block */
	size_t used, max;           /* bytes handed out, and the most that may be */
};

void arena_init(struct arena *a, size_t max);
void arena_reset(struct arena *a); /* forgets everything, keeps one block for reuse */
void arena_done(struct arena *a);

/* Zeroed, aligned for any type; NULL past the limit. size 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size);
/* Grows the last allocation in place if it can, else copies. NULL past the limit, the old one stays valid. A smaller
 * size gives memory back if it is the last allocation. */
void *arena_grow(struct arena *a, void *old, size_t old_size, size_t new_size);

/* Copies; always NUL-terminated behind the slice. {NULL,0} past the limit. */
struct str arena_copy(struct arena *a, struct str s);
char *arena_printf(struct arena *a, const char *format, ...) PRINTF_LIKE(2, 3);

#define arena_new(a, type)          ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, count) ((type *)arena_alloc((a), sizeof(type) * (size_t)(count)))

#endif
