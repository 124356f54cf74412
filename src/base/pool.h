/*
 * Memory for many pieces of a few sizes that live long: taken from the system in large chunks, and reused by size. The
 * heap would grow by a page at a time and ask the system for each. A piece does not know its size: its owner does. One
 * thread. Under AddressSanitizer each piece is the heap's.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

#define POOL_STEP    ((size_t)128)
#define POOL_CLASSES 128 /* larger pieces are the heap's */

struct pool_piece;
struct pool_chunk;

struct pool {
	struct pool_piece *unused[POOL_CLASSES + 1]; /* by size in steps */
	struct pool_chunk *chunks;
	char *next;
	size_t left;
};

void pool_init(struct pool *p);
void pool_done(struct pool *p); /* frees the chunks; larger pieces were given back before */

/* Zeroed, aligned for any type. */
void *pool_alloc(struct pool *p, size_t size);
/* size: as it was asked for. */
void pool_free(struct pool *p, void *piece, size_t size);

#endif
