#include "store/sqlite/fault_locks.h"

#include "base/test.h"

#include <sqlite3.h>

/* Steps of two connections, and what each gets. */
struct lock_step {
	int who, level; /* level below what it has: unlock */
	int want;
};
struct lock_case {
	const char *name;
	struct lock_step steps[8];
	size_t count;
	bool reserved;
};
#define NONE      SQLITE_LOCK_NONE
#define SHARED    SQLITE_LOCK_SHARED
#define RESERVED  SQLITE_LOCK_RESERVED
#define EXCLUSIVE SQLITE_LOCK_EXCLUSIVE
#define OK        SQLITE_OK
#define BUSY      SQLITE_BUSY

static const struct lock_case cases[] = {
    {"readers share", {{0, SHARED, OK}, {1, SHARED, OK}}, 2, false},
    {"one writer", {{0, SHARED, OK}, {1, SHARED, OK}, {0, RESERVED, OK}, {1, RESERVED, BUSY}}, 4, true},
    {"a reader joins a reserved database", {{0, SHARED, OK}, {0, RESERVED, OK}, {1, SHARED, OK}}, 3, true},
    {"exclusive waits for readers and lets none in",
     {{0, SHARED, OK},
      {1, SHARED, OK},
      {0, RESERVED, OK},
      {0, EXCLUSIVE, BUSY},
      {1, NONE, OK},
      {1, SHARED, BUSY},
      {0, EXCLUSIVE, OK}},
     7,
     true},
    {"given up, it is free again",
     {{0, SHARED, OK}, {0, EXCLUSIVE, OK}, {1, SHARED, BUSY}, {0, NONE, OK}, {1, SHARED, OK}, {1, EXCLUSIVE, OK}},
     6,
     true},
    {"the writer goes back to reading",
     {{0, SHARED, OK}, {0, EXCLUSIVE, OK}, {0, SHARED, OK}, {1, SHARED, OK}},
     4,
     false},
    {"asking twice is nothing new",
     {{0, SHARED, OK}, {0, SHARED, OK}, {0, NONE, OK}, {1, SHARED, OK}, {1, EXCLUSIVE, OK}},
     5,
     true},
};

static void test_levels(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fault_locks locks = {0};
		struct fault_locker who[2] = {{0}, {0}};

		for (size_t n = 0; n < cases[i].count; n++) {
			const struct lock_step *s = &cases[i].steps[n];
			struct fault_locker *by = &who[s->who];
			int got = s->level < by->level ? fault_locks_unlock(&locks, by, s->level)
						       : fault_locks_lock(&locks, by, s->level);

			if (got != s->want)
				fail_msg("%s: step %zu is %d", cases[i].name, n, got);
		}
		assert_int_equal(fault_locks_reserved(&locks), cases[i].reserved);
	}
}

#define LOCK_SHARED      (SQLITE_SHM_LOCK | SQLITE_SHM_SHARED)
#define LOCK_EXCLUSIVE   (SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE)
#define UNLOCK_SHARED    (SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED)
#define UNLOCK_EXCLUSIVE (SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE)

static void test_slots(void **state)
{
	struct fault_locks locks = {0};
	struct fault_locker a = {0}, b = {0};

	(void)state;
	assert_int_equal(fault_locks_slots(&locks, &a, 3, 1, LOCK_SHARED), OK);
	assert_int_equal(fault_locks_slots(&locks, &b, 3, 1, LOCK_SHARED), OK);
	/* All slots or none: nothing is kept of what did not work. */
	assert_int_equal(fault_locks_slots(&locks, &a, 1, 3, LOCK_EXCLUSIVE), BUSY);
	assert_int_equal(fault_locks_slots(&locks, &b, 1, 2, LOCK_EXCLUSIVE), OK);
	assert_int_equal(fault_locks_slots(&locks, &a, 2, 1, LOCK_SHARED), BUSY);
	assert_int_equal(fault_locks_slots(&locks, &b, 1, 2, UNLOCK_EXCLUSIVE), OK);
	assert_int_equal(fault_locks_slots(&locks, &b, 3, 1, UNLOCK_SHARED), OK);
	assert_int_equal(fault_locks_slots(&locks, &a, 1, 2, LOCK_EXCLUSIVE), OK);
	/* What a connection leaves behind, it gives up. */
	fault_locks_unmap(&locks, &a);
	assert_int_equal(fault_locks_slots(&locks, &b, 0, FAULT_LOCK_SLOTS, LOCK_EXCLUSIVE), OK);
	fault_locks_unmap(&locks, &b);
}

static void test_memory_is_shared_until_the_last_leaves(void **state)
{
	struct fault_locks locks = {0};
	struct fault_locker a = {0}, b = {0};
	void volatile *of_a, *of_b;

	(void)state;
	assert_int_equal(fault_locks_map(&locks, &a, 0, 64, false, &of_a), OK);
	assert_null((void *)of_a);
	assert_int_equal(fault_locks_map(&locks, &a, 0, 64, true, &of_a), OK);
	assert_int_equal(fault_locks_map(&locks, &b, 0, 64, false, &of_b), OK);
	assert_ptr_equal((void *)of_a, (void *)of_b);
	*(unsigned char volatile *)of_a = 7;
	fault_locks_unmap(&locks, &a);
	assert_int_equal(*(unsigned char volatile *)of_b, 7);
	fault_locks_unmap(&locks, &b);
	assert_int_equal(fault_locks_map(&locks, &a, 0, 64, false, &of_a), OK);
	assert_null((void *)of_a);
	assert_int_not_equal(fault_locks_map(&locks, &a, FAULT_LOCK_REGIONS, 64, true, &of_a), OK);
	fault_locks_unmap(&locks, &a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_levels),
	    cmocka_unit_test(test_slots),
	    cmocka_unit_test(test_memory_is_shared_until_the_last_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
