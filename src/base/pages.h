/*
 * Zeroed memory for large tables. A large one comes from the system page by page as it is touched, so making it costs
 * nothing at the time, whatever malloc's own thresholds are; running out aborts, as in mem.h.
 */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stdlib.h>
#include <sys/mman.h>

#define PAGES_FROM ((size_t)1 << 20)

static inline void *pages_zalloc(size_t size)
{
	void *p = size < PAGES_FROM
		      ? calloc(1, size)
		      : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!p || p == MAP_FAILED)
		abort();
	return p;
}

/* size: as it was asked for. NULL is nothing. */
static inline void pages_free(void *p, size_t size)
{
	if (size < PAGES_FROM)
		free(p);
	else if (p)
		(void)munmap(p, size);
}

#endif
