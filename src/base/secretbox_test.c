#include "base/secretbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_what_was_sealed_opens(void **state)
{
	static const struct str texts[] = {STR(""), STR("x"), STR("a longer secret with \0 inside")};
	struct secretbox_key key;
	struct arena a;
	(void)state;

	secretbox_key_make(&key);
	arena_init(&a, 1 << 16);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct str box, again, plain;
		struct err e = ERR_NONE;
		assert_int_equal(secretbox_seal(&key, &a, texts[i], &box), RC_OK);
		assert_int_equal(secretbox_seal(&key, &a, texts[i], &again), RC_OK);
		assert_false(str_eq(box, again));
		assert_int_equal(secretbox_open(&key, &a, box, &plain, &e), RC_OK);
		assert_true(str_eq(plain, texts[i]));
		assert_int_equal(plain.p[plain.n], 0);
	}
	arena_done(&a);
}

static void test_any_change_is_noticed(void **state)
{
	struct secretbox_key key, other;
	struct arena a;
	struct str box, plain;
	(void)state;

	secretbox_key_make(&key);
	secretbox_key_make(&other);
	arena_init(&a, 1 << 20);
	assert_int_equal(secretbox_seal(&key, &a, STR("secret"), &box), RC_OK);
	for (size_t i = 0; i < box.n; i++) {
		struct str changed = arena_copy(&a, box);
		struct err e = ERR_NONE;
		((char *)changed.p)[i] ^= 1;
		assert_int_equal(secretbox_open(&key, &a, changed, &plain, &e), RC_INVALID);
		assert_string_equal(e.code, "secrets_unreadable");
	}
	for (size_t n = 0; n < box.n; n++)
		assert_int_equal(secretbox_open(&key, &a, (struct str){box.p, n}, &plain, NULL), RC_INVALID);
	assert_int_equal(secretbox_open(&other, &a, box, &plain, NULL), RC_INVALID);
	arena_done(&a);
}

static void test_a_full_arena_is_a_limit(void **state)
{
	struct secretbox_key key;
	struct arena a;
	struct str box;
	(void)state;

	secretbox_key_make(&key);
	arena_init(&a, 16);
	assert_int_equal(secretbox_seal(&key, &a, STR("a secret that does not fit"), &box), RC_LIMIT);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_was_sealed_opens),
	    cmocka_unit_test(test_any_change_is_noticed),
	    cmocka_unit_test(test_a_full_arena_is_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
