#include "base/test.h"

#include "connect/timers.h"

#include <stdlib.h>

#define TIMERS 200

static int64_t least(const struct timer *all)
{
	int64_t due = INT64_MAX;
	for (size_t i = 0; i < TIMERS; i++)
		if (all[i].at && all[i].due < due)
			due = all[i].due;
	return due;
}

/* Whatever is set, moved and taken out: the first is the one that is due first. */
static void the_first_is_due_first(void **state)
{
	(void)state;
	struct timers t = {0};
	struct timer all[TIMERS] = {0};
	unsigned seed = 5;
	for (int i = 0; i < 20000; i++) {
		struct timer *one = &all[rand_r(&seed) % TIMERS];
		int64_t due = rand_r(&seed) % 4 ? rand_r(&seed) % 1000 : INT64_MAX;
		timers_set(&t, one, due);
		assert_int_equal(one->at != 0, due != INT64_MAX);
		struct timer *first = timers_first(&t);
		assert_int_equal(first ? first->due : INT64_MAX, least(all));
	}
	for (int64_t last = 0; timers_first(&t);) {
		struct timer *first = timers_first(&t);
		assert_true(first->due >= last);
		last = first->due;
		timers_set(&t, first, INT64_MAX);
	}
	timers_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_first_is_due_first)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
