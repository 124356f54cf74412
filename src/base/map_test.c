#include "base/map.h"

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>

#define KEYS 300

struct entry {
	char name[16];
	bool present;
	int value;
};

/* Every key of the model is found with its value, every other is absent, and map_next visits each once. */
static void check_against(const struct map *m, struct entry *model)
{
	size_t expected = 0, visited = 0;
	for (int i = 0; i < KEYS; i++) {
		void *got = map_get(m, str_from(model[i].name));
		assert_ptr_equal(got, model[i].present ? &model[i].value : NULL);
		expected += model[i].present;
	}
	assert_int_equal(m->count, expected);
	struct str key;
	bool seen[KEYS] = {0};
	for (size_t at = 0; map_next(m, &at, &key); visited++) {
		int i = (int)strtol(key.p, NULL, 10);
		assert_false(seen[i]);
		assert_true(model[i].present);
		seen[i] = true;
	}
	assert_int_equal(visited, expected);
}

static void test_random_against_model(void **state)
{
	(void)state;
	static struct entry model[KEYS];
	for (int i = 0; i < KEYS; i++)
		snprintf(model[i].name, sizeof(model[i].name), "%d", i);
	struct map m;
	map_init(&m, KEYS);
	uint64_t seed = 42;
	for (int step = 0; step < 60000; step++) {
		struct entry *e = &model[test_random(&seed) % KEYS];
		/* Swings between filling and emptying, so that the table meets many tombs. */
		bool put = test_random(&seed) % 100 < (step / 5000 % 2 ? 25u : 75u);
		if (put) {
			assert_int_equal(map_put(&m, str_from(e->name), &e->value), RC_OK);
		} else {
			assert_ptr_equal(map_remove(&m, str_from(e->name)), e->present ? &e->value : NULL);
		}
		e->present = put;
		if (step % 997 == 0)
			check_against(&m, model);
	}
	check_against(&m, model);
	assert_true(m.room <= 2048);
	map_done(&m);
}

/* A table so large that it moves a little at a time: all of it is found meanwhile, once. */
static void test_many(void **state)
{
	enum { MANY = 150000 };
	(void)state;
	static char names[MANY][8];
	struct map m;
	map_init(&m, MANY);
	for (int i = 0; i < MANY; i++) {
		int n = snprintf(names[i], sizeof(names[i]), "%d", i);
		assert_int_equal(map_put(&m, (struct str){names[i], (size_t)n}, names[i]), RC_OK);
		int back = i - i % 1009, gone = i * 3 / 4;
		if (i > 0 && i % 4 == 0)
			assert_ptr_equal(map_remove(&m, str_from(names[gone])), names[gone]);
		assert_ptr_equal(map_get(&m, (struct str){names[i], (size_t)n}), names[i]);
		if (back % 3)
			assert_ptr_equal(map_get(&m, str_from(names[back])), names[back]);
	}
	size_t visited = 0;
	for (size_t at = 0; map_next(&m, &at, NULL); visited++)
		;
	assert_int_equal(visited, m.count);
	for (int i = 0; i < MANY; i++)
		assert_ptr_equal(map_get(&m, str_from(names[i])),
				 i > 0 && i % 3 == 0 && i < MANY * 3 / 4 ? NULL : names[i]);
	map_done(&m);
}

static void test_limit_and_replace(void **state)
{
	(void)state;
	struct map m;
	int one = 1, two = 2;
	map_init(&m, 2);
	assert_null(map_get(&m, STR("a")));
	assert_null(map_remove(&m, STR("a")));
	assert_int_equal(map_put(&m, STR("a"), &one), RC_OK);
	assert_int_equal(map_put(&m, STR_NONE, &one), RC_OK);
	assert_int_equal(map_put(&m, STR("b"), &one), RC_LIMIT);
	assert_int_equal(map_put(&m, STR("a"), &two), RC_OK);
	assert_ptr_equal(map_get(&m, STR("a")), &two);
	assert_ptr_equal(map_get(&m, STR("")), &one);
	assert_ptr_equal(map_remove(&m, STR("a")), &two);
	assert_int_equal(map_put(&m, STR("b"), &one), RC_OK);
	map_done(&m);
}

static void test_remove_while_visiting(void **state)
{
	(void)state;
	static char keys[1000];
	struct map m;
	map_init(&m, sizeof(keys));
	for (size_t i = 0; i < sizeof(keys); i++)
		assert_int_equal(map_put(&m, (struct str){keys, i}, &keys[i]), RC_OK);
	size_t removed = 0;
	struct str key;
	for (size_t at = 0; map_next(&m, &at, &key);)
		if (key.n % 3) {
			assert_ptr_equal(map_remove(&m, key), &keys[key.n]);
			removed++;
		}
	assert_int_equal(m.count, sizeof(keys) - removed);
	for (size_t i = 0; i < sizeof(keys); i++)
		assert_ptr_equal(map_get(&m, (struct str){keys, i}), i % 3 ? NULL : &keys[i]);
	map_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random_against_model),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_limit_and_replace),
	    cmocka_unit_test(test_remove_while_visiting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
