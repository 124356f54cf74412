/* For *_test.c only: an arena of each test. */
#ifndef BASE_TEST_ARENA_H
#define BASE_TEST_ARENA_H

#include "base/arena.h"
#include "base/test.h"

static struct arena arena;

static inline int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 64u << 20);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

#endif
