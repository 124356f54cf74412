/* For *_test.c only: each test has a world of its own. */
#ifndef ORCHESTRATE_WORLD_EACH_H
#define ORCHESTRATE_WORLD_EACH_H

#include "orchestrate/world.h"

static struct world w;

static inline int set_up(void **state)
{
	(void)state;
	world_init(&w);
	world_start(&w);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
