/* Many seeds: none breaks a promise, each is the same history again, and what was to go wrong has gone wrong. */
#include "base/test.h"
#include "simulate/simulate.h"

#include <inttypes.h>
#include <stdlib.h>

#define SEEDS 500

static struct simulate *simulation;

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void add(struct simulate_counts *sum, const struct simulate_counts *one)
{
	for (size_t i = 0; i < sizeof(*sum) / sizeof(int64_t); i++)
		((int64_t *)sum)[i] += ((const int64_t *)one)[i];
}

static void test_no_seed_breaks_a_promise(void **state)
{
	uint64_t first = setting("SIM_FIRST", 1), count = setting("SIM_SEEDS", SEEDS);
	struct simulate_options o = {.steps = (uint32_t)setting("SIM_STEPS", 40)};
	struct simulate_counts sums = {0};

	(void)state;
	for (uint64_t i = 0; i < count; i++) {
		struct simulate_result r;

		o.seed = first + i;
		simulate_run(simulation, &o, &r);
		add(&sums, &r.counts);
		if (r.failed)
			fail_msg("seed %" PRIu64 ", step %u: %s\nagain: crossdock simulate --seed %" PRIu64
				 " --steps %u --trace",
				 r.seed, r.step, r.broken, r.seed, o.steps);
	}
	print_message("%" PRIu64
		      " seeds, %.1f h of virtual time, %lld commits, %lld power cuts, %lld faults of the disk\n",
		      count, (double)sums.virtual_ms / 3.6e6, (long long)sums.commits, (long long)sums.power_cuts,
		      (long long)sums.disk_faults);
	if (count < 100)
		return;
	/* Else they have looked at fair weather only. */
	assert_true(sums.crashes > 0 && sums.power_cuts > 0 && sums.disk_faults > 0 && sums.in_doubt > 0);
	assert_true(sums.lost > 0 && sums.repeated > 0 && sums.refused > 0);
}

static void test_a_seed_is_a_history(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct simulate_options o = {.seed = seed, .steps = 40};
		struct simulate_result one, other;

		simulate_run(simulation, &o, &one);
		simulate_run(simulation, &o, &other);
		assert_true(one.trace_hash == other.trace_hash);
		o.seed = seed + 1000;
		simulate_run(simulation, &o, &other);
		assert_true(one.trace_hash != other.trace_hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_seed_is_a_history),
	    cmocka_unit_test(test_no_seed_breaks_a_promise),
	};
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
