#include "base/arena.h"

#include "base/test.h"

static void test_zeroed_and_aligned(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1u << 20);
	for (int round = 0; round < 2; round++) {
		for (size_t size = 0; size < 600; size += 7) {
			unsigned char *p = arena_alloc(&a, size);
			assert_non_null(p);
			assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
			for (size_t i = 0; i < size; i++)
				assert_int_equal(p[i], 0);
			memset(p, 0xff, size);
		}
		arena_reset(&a);
		assert_int_equal(a.used, 0);
	}
	arena_done(&a);
}

static void test_limit_leaves_it_usable(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1000);
	char *kept = arena_alloc(&a, 900);
	assert_non_null(kept);
	assert_null(arena_alloc(&a, 101));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_copy(&a, (struct str){kept, 200}).p);
	assert_null(arena_grow(&a, kept, 900, 1200));
	memset(kept, 1, 900);
	assert_non_null(arena_alloc(&a, 10));
	arena_done(&a);
}

static void test_grow(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1u << 20);
	char *p = arena_alloc(&a, 10);
	memcpy(p, "0123456789", 10);
	char *in_place = arena_grow(&a, p, 10, 500);
	assert_ptr_equal(in_place, p);
	for (size_t i = 10; i < 500; i++)
		assert_int_equal(p[i], 0);
	size_t used = a.used;
	assert_ptr_equal(arena_grow(&a, p, 500, 20), p);
	assert_true(a.used < used);
	arena_alloc(&a, 1);
	char *copied = arena_grow(&a, p, 20, 100000);
	assert_ptr_not_equal(copied, p);
	assert_memory_equal(copied, "0123456789", 10);
	for (size_t i = 20; i < 100000; i++)
		assert_int_equal(copied[i], 0);
	assert_non_null(arena_grow(&a, NULL, 0, 5));
	arena_done(&a);
}

static void test_copy_and_printf(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1u << 16);
	struct str s = arena_copy(&a, (struct str){"abcdef", 3});
	assert_int_equal(s.n, 3);
	assert_string_equal(s.p, "abc");
	s = arena_copy(&a, STR_NONE);
	assert_string_equal(s.p, "");
	assert_string_equal(arena_printf(&a, "%s-%d", "x", 5), "x-5");
	char *wide = arena_printf(&a, "%0300d", 7);
	assert_int_equal(strlen(wide), 300);
	assert_int_equal(wide[299], '7');
	assert_null(arena_printf(&a, "%070000d", 1));
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_zeroed_and_aligned),
	    cmocka_unit_test(test_limit_leaves_it_usable),
	    cmocka_unit_test(test_grow),
	    cmocka_unit_test(test_copy_and_printf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
