/* Packs: the canonical pack's fixtures, and what is wrong with packs that are wrong. */
#include "mediate/pack_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct schema_registry *schemas;
static struct mediator *mediator;

static void print_findings(const struct findings *f)
{
	for (size_t i = 0; i < f->count; i++)
		print_error("%s:%u: %s: %s\n", f->list[i].pointer, f->list[i].line, f->list[i].code, f->list[i].detail);
}

static int open_all(void **state)
{
	struct err e = ERR_NONE;
	(void)state;
	schemas = schema_registry_new();
	if (schema_registry_load(schemas, CD_SOURCE_DIR "/schemas", &e) != RC_OK) {
		print_error("%s: %s\n", e.where, e.detail);
		return -1;
	}
	mediator = mediator_new(NULL);
	return mediator ? 0 : -1;
}

static int close_all(void **state)
{
	(void)state;
	mediator_free(mediator);
	schema_registry_free(schemas);
	return 0;
}

static void test_canonical_fixtures(void **state)
{
	(void)state;
	struct arena a;
	struct findings f;
	size_t passed, failed;
	arena_init(&a, 1u << 20);
	findings_init(&f, &a);
	enum rc rc = pack_test(mediator, CD_SOURCE_DIR "/connectors/canonical", schemas, &passed, &failed, &f);
	print_findings(&f);
	assert_int_equal(failed, 0);
	assert_int_equal(rc, RC_OK);
	assert_true(passed >= 60);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_canonical_fixtures),
	};
	return cmocka_run_group_tests(tests, open_all, close_all);
}
