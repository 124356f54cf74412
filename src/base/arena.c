/*
 * Blocks in a list, the newest in front; allocation moves a pointer in the newest. Blocks double up to BLOCK_MAX, so
 * that a small message costs one and a large one few. Under AddressSanitizer what is not handed out is poisoned.
 */
#include "base/arena.h"

#include "base/mem.h"

#include <assert.h>
#include <sanitizer/asan_interface.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#define ALIGN       16u
#define BLOCK_FIRST ((size_t)4096)
#define BLOCK_MAX   ((size_t)256 * 1024)

struct arena_block {
	struct arena_block *older;
	size_t size; /* of the data */
	_Alignas(ALIGN) char data[];
};

static size_t rounded(size_t size)
{
	return size ? (size + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
}

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){.max = max};
}

static void block_free(struct arena_block *b)
{
	ASAN_UNPOISON_MEMORY_REGION(b->data, b->size);
	free(b);
}

static void block_use(struct arena *a, struct arena_block *b)
{
	ASAN_POISON_MEMORY_REGION(b->data, b->size);
	a->next = b->data;
	a->end = b->data + b->size;
}

void arena_reset(struct arena *a)
{
	a->used = 0;
	if (!a->blocks)
		return;
	while (a->blocks->older) {
		struct arena_block *older = a->blocks->older;
		a->blocks->older = older->older;
		block_free(older);
	}
	block_use(a, a->blocks);
}

void arena_done(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *b = a->blocks;
		a->blocks = b->older;
		block_free(b);
	}
	arena_init(a, a->max);
}

static void block_add(struct arena *a, size_t need)
{
	size_t size = a->blocks ? a->blocks->size * 2 : BLOCK_FIRST;
	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (size < need)
		size = need;
	struct arena_block *b = mem_alloc(sizeof(*b) + size);
	b->older = a->blocks;
	b->size = size;
	a->blocks = b;
	block_use(a, b);
}

static void *take(struct arena *a, size_t size)
{
	if (size > a->max || rounded(size) > a->max - a->used)
		return NULL;
	size_t need = rounded(size);
	if (need > (size_t)(a->end - a->next))
		block_add(a, need);
	char *p = a->next;
	a->next += need;
	a->used += need;
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	void *p = take(a, size);
	return p && size ? memset(p, 0, size) : p;
}

void *arena_grow(struct arena *a, void *old, size_t old_size, size_t new_size)
{
	if (!old)
		return arena_alloc(a, new_size);
	size_t had = rounded(old_size), need = rounded(new_size);
	if (need < new_size || (need > had && need - had > a->max - a->used))
		return NULL;
	if ((char *)old + had == a->next && need <= had + (size_t)(a->end - a->next)) {
		a->next = (char *)old + need;
		a->used = a->used - had + need;
		ASAN_POISON_MEMORY_REGION(old, had);
		ASAN_UNPOISON_MEMORY_REGION(old, new_size);
	} else if (new_size > old_size) {
		void *p = take(a, new_size);
		if (!p)
			return NULL;
		memcpy(p, old, old_size);
		old = p;
	}
	if (new_size > old_size)
		memset((char *)old + old_size, 0, new_size - old_size);
	return old;
}

struct str arena_copy(struct arena *a, struct str s)
{
	char *p = s.n < SIZE_MAX ? take(a, s.n + 1) : NULL;
	if (!p)
		return STR_NONE;
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct str){p, s.n};
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	char small[256];
	int n = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	assert(n >= 0);
	char *p = take(a, (size_t)n + 1);
	if (p && (size_t)n < sizeof(small))
		memcpy(p, small, (size_t)n + 1);
	else if (p)
		vsnprintf(p, (size_t)n + 1, format, again);
	va_end(again);
	return p;
}
