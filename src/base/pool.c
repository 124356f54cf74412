#include "base/pool.h"

#include "base/mem.h"
#include "base/pages.h"

#define CHUNK ((size_t)1 << 20)
#define HEAD  POOL_STEP /* of a chunk */

struct pool_piece {
	struct pool_piece *next;
};

struct pool_chunk {
	struct pool_chunk *next;
};

#ifdef __has_feature
#define WITH_ASAN __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#else
#define WITH_ASAN 0
#endif

void pool_init(struct pool *p)
{
	*p = (struct pool){0};
}

void pool_done(struct pool *p)
{
	while (p->chunks) {
		struct pool_chunk *c = p->chunks;

		p->chunks = c->next;
		pages_free(c, CHUNK);
	}
	pool_init(p);
}

/* 0: the heap's. */
static size_t class_of(size_t size)
{
	size_t steps = (size + POOL_STEP - 1) / POOL_STEP;

	if (WITH_ASAN || steps > POOL_CLASSES)
		return 0;
	return steps ? steps : 1;
}

static void add_chunk(struct pool *p)
{
	struct pool_chunk *c = pages_zalloc(CHUNK);

	c->next = p->chunks;
	p->chunks = c;
	p->next = (char *)c + HEAD;
	p->left = CHUNK - HEAD;
}

void *pool_alloc(struct pool *p, size_t size)
{
	size_t class = class_of(size), bytes = class * POOL_STEP;
	struct pool_piece *piece = p->unused[class];

	if (class == 0)
		return mem_zalloc(1, size);
	if (piece) {
		p->unused[class] = piece->next;
		memset(piece, 0, bytes);
		return piece;
	}
	/* What is left of the last chunk is lost: at most as much as a piece. */
	if (p->left < bytes)
		add_chunk(p);
	piece = (struct pool_piece *)(void *)p->next;
	p->next += bytes;
	p->left -= bytes;
	return piece;
}

void pool_free(struct pool *p, void *memory, size_t size)
{
	size_t class = class_of(size);
	struct pool_piece *piece = memory;

	if (class == 0) {
		free(memory);
	} else if (piece) {
		piece->next = p->unused[class];
		p->unused[class] = piece;
	}
}
