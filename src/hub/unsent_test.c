#include "hub/unsent.h"

#include "base/test.h"

#define MANY 5000

/* Against a table: whatever is added, claimed and removed in whatever order, it has exactly what is left. */
static void test_set(void **state)
{
	static bool in[MANY + 1], claimed[MANY + 1];
	struct unsent *u = unsent_new();
	uint64_t x = 1;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		int64_t seq = (int64_t)(x >> 33) % MANY + 1;
		bool add = i < 20000 ? x >> 63 || i % 3 : i % 3 == 0;

		assert_int_equal(unsent_has(u, seq), in[seq]);
		if (i % 4 == 0) {
			assert_int_equal(unsent_claim(u, seq), in[seq] && !claimed[seq]);
			claimed[seq] = in[seq];
			continue;
		}
		if (add)
			unsent_add(u, seq);
		else
			assert_int_equal(unsent_remove(u, seq), !claimed[seq]);
		in[seq] = add;
		claimed[seq] = false;
	}
	for (int64_t seq = 1; seq <= MANY; seq++)
		assert_int_equal(unsent_has(u, seq), in[seq]);
	for (int64_t seq = 1; seq <= MANY; seq++)
		assert_int_equal(unsent_remove(u, seq), !claimed[seq]);
	for (int64_t seq = 1; seq <= MANY; seq++)
		assert_false(unsent_has(u, seq));
	unsent_free(u);
	unsent_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_set)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
