#include "backbone/dedup.h"

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>

/* Keys that must not be taken for one another, and one that must. */
static void test_hash(void **state)
{
	static const struct {
		enum dedup_kind kind;
		struct str a, b;
	} keys[] = {
	    {DEDUP_ORDER, STR("a"), STR("bc")},     {DEDUP_ORDER, STR("ab"), STR("c")},
	    {DEDUP_ORDER, STR("abc"), STR("")},     {DEDUP_ORDER, STR(""), STR("abc")},
	    {DEDUP_ORDER, STR(""), STR("")},        {DEDUP_MOVEMENT, STR("a"), STR("bc")},
	    {DEDUP_ORDER, STR("a"), STR("bc\x00")}, {DEDUP_ORDER, STR("A"), STR("bc")},
	    {DEDUP_MESSAGE, STR("a"), STR("bc")},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++)
		for (size_t n = 0; n < COUNT(keys); n++)
			assert_int_equal(hash128_eq(dedup_hash(keys[i].kind, keys[i].a, keys[i].b),
						    dedup_hash(keys[n].kind, keys[n].a, keys[n].b)),
					 i == n);
}

/* It is stored: the same on every node and in every release. */
static void test_hash_never_changes(void **state)
{
	struct hash128 h = dedup_hash(DEDUP_ORDER, STR("shop"), STR("1001"));

	(void)state;
	assert_true(h.high == 0x93361aa7063a9de8u && h.low == 0xdbc68c44ef203295u);
}

static void test_long_keys(void **state)
{
	char *a = calloc(1, 100000);

	(void)state;
	assert_non_null(a);
	for (size_t n = 500; n < 516; n++) {
		struct hash128 whole = dedup_hash(DEDUP_MESSAGE, (struct str){a, n}, STR("x"));
		struct hash128 other = dedup_hash(DEDUP_MESSAGE, (struct str){a, n + 1}, STR("x"));

		assert_false(hash128_eq(whole, other));
		assert_true(hash128_eq(whole, dedup_hash(DEDUP_MESSAGE, (struct str){a, n}, STR("x"))));
	}
	assert_true(hash128_eq(dedup_hash(DEDUP_MESSAGE, (struct str){a, 100000}, STR_NONE),
			       dedup_hash(DEDUP_MESSAGE, (struct str){a, 100000}, STR_NONE)));
	free(a);
}

static struct hash128 key_of(int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", n);

	return dedup_hash(DEDUP_ORDER, STR("shop"), (struct str){text, (size_t)length});
}

/* The ten ways, 4 and 8: what was there is found, and nothing else, over all the growing. */
static void test_many(void **state)
{
	struct dedup *d = dedup_new(100000);

	(void)state;
	for (int n = 0; n < 50000; n++) {
		assert_null(dedup_find(d, key_of(n)));
		assert_int_equal(dedup_insert(d, key_of(n), (struct dedup_entry){(uint64_t)n * 3, n}), RC_OK);
	}
	assert_int_equal(dedup_count(d), 50000);
	for (int n = 0; n < 100000; n++) {
		const struct dedup_entry *e = dedup_find(d, key_of(n));

		assert_int_equal(e != NULL, n < 50000);
		if (e) {
			assert_int_equal(e->ref, n);
			assert_int_equal(e->fingerprint, (uint64_t)n * 3);
		}
	}
	dedup_free(d);
	dedup_free(NULL);
}

/* Hashes that begin at the last slot go on at the first. */
static void test_collisions(void **state)
{
	struct dedup *d = dedup_new(1000);

	(void)state;
	for (uint64_t n = 0; n < 600; n++)
		assert_int_equal(dedup_insert(d, (struct hash128){n, 1023}, (struct dedup_entry){n, 0}), RC_OK);
	for (uint64_t n = 0; n < 600; n++)
		assert_int_equal(dedup_find(d, (struct hash128){n, 1023})->fingerprint, n);
	assert_null(dedup_find(d, (struct hash128){600, 1023}));
	assert_null(dedup_find(d, (struct hash128){0, 1022}));
	dedup_free(d);
}

static void test_limit_and_replace(void **state)
{
	struct dedup *d = dedup_new(3);

	(void)state;
	for (int n = 0; n < 3; n++)
		assert_int_equal(dedup_insert(d, key_of(n), (struct dedup_entry){1, n}), RC_OK);
	assert_int_equal(dedup_insert(d, key_of(3), (struct dedup_entry){1, 3}), RC_LIMIT);
	assert_null(dedup_find(d, key_of(3)));
	assert_int_equal(dedup_insert(d, key_of(1), (struct dedup_entry){2, 7}), RC_OK);
	assert_int_equal(dedup_find(d, key_of(1))->ref, 7);
	assert_int_equal(dedup_find(d, key_of(1))->fingerprint, 2);
	assert_int_equal(dedup_count(d), 3);
	dedup_free(d);
}

static void test_look(void **state)
{
	struct dedup *d = dedup_new(10);
	struct dedup_entry e = {0};

	(void)state;
	assert_int_equal(dedup_insert(d, key_of(1), (struct dedup_entry){2, 7}), RC_OK);
	assert_int_equal(dedup_look(d, key_of(1), &e), RC_OK);
	assert_int_equal(e.ref, 7);
	assert_int_equal(dedup_look(d, key_of(2), &e), RC_NOT_FOUND);
	dedup_clear(d);
	assert_int_equal(dedup_count(d), 0);
	assert_int_equal(dedup_insert(d, key_of(2), (struct dedup_entry){2, 8}), RC_OK);
	assert_int_equal(dedup_look(d, key_of(2), &e), RC_RETRY);
	dedup_loaded(d);
	assert_int_equal(dedup_look(d, key_of(1), &e), RC_NOT_FOUND);
	assert_int_equal(dedup_look(d, key_of(2), &e), RC_OK);
	assert_int_equal(e.ref, 8);
	dedup_free(d);
}

/* Each key again with another content while the table grows: the newer content is what counts, and counts once. */
static void test_replaced_while_growing(void **state)
{
	struct dedup *d = dedup_new(200000);

	(void)state;
	for (int n = 0; n < 150000; n++) {
		int again = n * 7 / 8;

		assert_int_equal(dedup_insert(d, key_of(n), (struct dedup_entry){1, n}), RC_OK);
		assert_int_equal(dedup_insert(d, key_of(again), (struct dedup_entry){2, again}), RC_OK);
		assert_int_equal(dedup_find(d, key_of(again))->fingerprint, 2);
	}
	assert_int_equal(dedup_count(d), 150000);
	for (int n = 0; n < 150000; n++) {
		const struct dedup_entry *e = dedup_find(d, key_of(n));

		assert_non_null(e);
		assert_true(e->ref == n && e->fingerprint == (n <= 149999 * 7 / 8 ? 2 : 1));
	}
	dedup_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hash),
	    cmocka_unit_test(test_hash_never_changes),
	    cmocka_unit_test(test_long_keys),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_replaced_while_growing),
	    cmocka_unit_test(test_collisions),
	    cmocka_unit_test(test_limit_and_replace),
	    cmocka_unit_test(test_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
