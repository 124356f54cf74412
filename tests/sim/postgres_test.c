/* The same worlds over a real PostgreSQL (tools/with-postgres): where no store fails, each is the history that it is
 * over SQLite, to the last id; and no seed breaks a promise when the server ends sessions between, before and after
 * commits. */
#include "base/test.h"
#include "simulate/simulate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define SEEDS 10
#define STEPS 40

static struct simulate *on_postgres, *on_sqlite;

static void run(struct simulate *simulation, struct simulate_options o, struct simulate_result *out)
{
	simulate_run(simulation, &o, out);
	if (out->failed)
		fail_msg("seed %" PRIu64 ", step %u: %s\nagain: crossdock simulate --seed %" PRIu64
			 " --steps %u%s --trace",
			 out->seed, out->step, out->broken, out->seed, o.steps,
			 simulation == on_postgres ? " --store URL" : "");
}

static void test_a_seed_is_the_same_history(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		const struct simulate_options o = {
		    .seed = seed, .steps = STEPS, .without = 1u << FEATURE_CRASH | 1u << FEATURE_DISK};
		struct simulate_result postgres, sqlite;

		run(on_postgres, o, &postgres);
		run(on_sqlite, o, &sqlite);
		assert_true(postgres.trace_hash == sqlite.trace_hash);
	}
}

static void test_no_lost_session_breaks_a_promise(void **state)
{
	struct simulate_counts sums = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct simulate_result r;

		run(on_postgres,
		    (struct simulate_options){
			.seed = seed, .steps = STEPS, .with = 1u << FEATURE_CRASH | 1u << FEATURE_DISK},
		    &r);
		for (size_t i = 0; i < sizeof(sums) / sizeof(int64_t); i++)
			((int64_t *)&sums)[i] += ((int64_t *)&r.counts)[i];
	}
	assert_true(sums.crashes > 0 && sums.disk_faults > 0 && sums.in_doubt > 0);
}

/* A commit that is answered and not made. */
static void test_a_lost_commit_is_found(void **state)
{
	struct simulate_result r;

	(void)state;
	simulate_run(on_postgres, &(struct simulate_options){.seed = 1, .steps = STEPS, .mutation = MUTATE_LYING_DISK},
		     &r);
	assert_true(r.mutated && r.failed);
	print_message("%s\n", r.broken);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_seed_is_the_same_history),
	    cmocka_unit_test(test_no_lost_session_breaks_a_promise),
	    cmocka_unit_test(test_a_lost_commit_is_found),
	};

	const char *server = getenv("CROSSDOCK_TEST_PG");
	struct err e = ERR_NONE;
	int failed;

	(void)argc;
	if (!server) {
		if (access("/dev/shm", W_OK) == 0)
			(void)setenv("TMPDIR", "/dev/shm", 0);
		execl(CD_SOURCE_DIR "/tools/with-postgres", "with-postgres", argv[0], (char *)NULL);
		perror("tools/with-postgres");
		return 1;
	}
	if (simulate_open(CD_SOURCE_DIR, server, &on_postgres, &e) != RC_OK ||
	    simulate_open(CD_SOURCE_DIR, NULL, &on_sqlite, &e) != RC_OK) {
		print_error("%s\n", e.detail);
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	simulate_close(on_sqlite);
	simulate_close(on_postgres);
	return failed != 0;
}
