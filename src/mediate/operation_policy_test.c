#include "base/test.h"

#include "format/yaml.h"
#include "mediate/operation_policy.h"

static bool read(struct arena *a, const char *yaml, struct operation_policy *p, const char **member)
{
	struct json *j;
	const char *detail;
	assert_int_equal(yaml_parse(a, str_from(yaml), NULL, &j, NULL), RC_OK);
	return operation_policy_read(j, p, member, &detail);
}

static void each_member_is_read_over_what_there_was(void **state)
{
	(void)state;
	struct operation_policy p = {.priority = PRIORITY_EXPEDITED, .retry_base_ms = 7, .batch_count = 3};
	const char *member;
	struct arena a;
	arena_init(&a, 1u << 20);
	assert_true(read(&a, "{path: /x}", &p, &member));
	assert_int_equal(p.priority, PRIORITY_EXPEDITED);
	assert_int_equal(p.on_failure, ON_FAILURE_BLOCK);
	assert_true(read(&a, "{priority: bulk, on_failure: {skip_after: 5}, batch: 500}", &p, &member));
	assert_int_equal(p.priority, PRIORITY_BULK);
	assert_int_equal(p.on_failure, ON_FAILURE_SKIP);
	assert_int_equal(p.skip_after, 5);
	assert_int_equal(p.batch_count, 3); /* a number is the pack's own, for what it cuts */
	assert_true(read(&a, "{retry: [5s, 1m], on_failure: latest_wins}", &p, &member));
	assert_int_equal(p.delay_count, 2);
	assert_int_equal(p.delays[1], 60000);
	assert_int_equal(p.on_failure, ON_FAILURE_LATEST);
	assert_true(read(&a, "{retry: {max: 1h}, on_failure: block, batch: {count: 9, bytes: 2048, linger: 20ms}}", &p,
			 &member));
	assert_int_equal(p.delay_count, 0);
	assert_int_equal(p.retry_base_ms, 7);
	assert_int_equal(p.retry_max_ms, 3600000);
	assert_int_equal(p.on_failure, ON_FAILURE_BLOCK);
	assert_int_equal(p.batch_count, 9);
	assert_int_equal(p.batch_bytes, 2048);
	assert_int_equal(p.batch_linger_ms, 20);
	arena_done(&a);
}

static void what_makes_no_sense_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *member;
	} rows[] = {
	    {"{retry: [soon]}", "retry"},
	    {"{retry: [0s]}", "retry"},
	    {"{retry: {base: 1h, max: 1s}}", "retry"},
	    {"{retry: {base: never}}", "retry"},
	    {"{batch: {count: 3, linger: x}}", "batch"},
	};
	struct arena a;
	arena_init(&a, 1u << 20);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct operation_policy p = {0};
		const char *member;
		assert_false(read(&a, rows[i].yaml, &p, &member));
		assert_string_equal(member, rows[i].member);
	}
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_member_is_read_over_what_there_was),
	    cmocka_unit_test(what_makes_no_sense_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
