/* A test of the tester: what is done wrong on purpose is found, and in the words of the promise that it breaks. */
#include "base/test.h"
#include "simulate/simulate.h"

#include <string.h>

#define SEEDS_MAX 120

static struct simulate *simulation;

static bool finds(enum simulate_mutation m)
{
	const char *words = mutation_finds(m);
	int done = 0;

	for (uint64_t seed = 1; seed <= SEEDS_MAX; seed++) {
		struct simulate_options o = {.seed = seed, .steps = 50, .mutation = m, .with = mutation_needs(m)};
		struct simulate_result r;

		simulate_run(simulation, &o, &r);
		done += r.mutated;
		if (r.failed && !r.mutated)
			fail_msg("%s: seed %d fails, and nothing was done wrong: %s", mutation_name(m), (int)seed,
				 r.broken);
		if (r.failed && strncmp(r.broken, words, strlen(words)) == 0) {
			print_message("%s: seed %d, %s\n", mutation_name(m), (int)seed, r.broken);
			return true;
		}
		if (r.failed)
			print_message("%s: seed %d, in other words: %s\n", mutation_name(m), (int)seed, r.broken);
	}
	print_error("%s (%s) was done %d times and never found\n", mutation_name(m), mutation_text(m), done);
	return false;
}

static void test_each_mutation_is_found(void **state)
{
	int blind = 0;

	(void)state;
	for (int m = MUTATE_NOTHING + 1; m < MUTATIONS; m++)
		blind += !finds((enum simulate_mutation)m);
	assert_int_equal(blind, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_mutation_is_found)};
	struct err e = ERR_NONE;
	int failed;

	if (simulate_open(CD_SOURCE_DIR, NULL, &simulation, &e) != RC_OK) {
		print_error("%s\n", e.detail);
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	simulate_close(simulation);
	return failed != 0;
}
