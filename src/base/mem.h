/*
 * Memory from the heap that is always there: running out aborts the process (the state on disk is complete, a restart
 * is the recovery). For sizes that have a stated limit.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/str.h"

#include <stdlib.h>

static inline void *mem_alloc(size_t size)
{
	void *p = malloc(size ? size : 1);
	if (!p)
		abort();
	return p;
}

static inline void *mem_zalloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);
	if (!p)
		abort();
	return p;
}

static inline void *mem_grow(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);
	if (!p)
		abort();
	return p;
}

/* A copy with a NUL behind it; .p is for free. */
static inline struct str mem_copy(struct str s)
{
	char *p = mem_alloc(s.n + 1);
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct str){p, s.n};
}

#endif
