#include "base/buf.h"

#include "base/test.h"

static void test_adds(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1000);
	buf_add_z(&b, "a");
	buf_add_z(&b, NULL);
	buf_add_str(&b, STR("bc"));
	buf_add_str(&b, STR_NONE);
	buf_add_char(&b, '-');
	buf_add_int(&b, INT64_MIN);
	buf_add_char(&b, ' ');
	buf_add_int(&b, INT64_MAX);
	buf_add_char(&b, ' ');
	buf_add_int(&b, 0);
	buf_printf(&b, "%5d", 42);
	assert_true(buf_ok(&b));
	assert_string_equal(b.p, "abc--9223372036854775808 9223372036854775807 0   42");
	assert_int_equal(b.n, strlen(b.p));
	buf_reset(&b);
	assert_string_equal(b.p, "");
	buf_printf(&b, "%0500d", 1);
	assert_int_equal(b.n, 500);
	assert_int_equal(b.p[499], '1');
	buf_done(&b);
	assert_null(b.p);
	assert_int_equal(b.max, 1000);
}

static void test_reserve(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 300);
	buf_add_char(&b, 'a');
	memset(buf_reserve(&b, 299), 'b', 299);
	assert_int_equal(b.n, 1);
	buf_wrote(&b, 3);
	assert_string_equal(b.p, "abbb");
	assert_null(buf_reserve(&b, 297));
	assert_false(buf_ok(&b));
	assert_null(buf_reserve(&b, 1));
	buf_done(&b);
}

static void test_overflow_drops(void **state)
{
	(void)state;
	static const size_t limits[] = {0, 1, 5, 255, 256, 257, 4096};
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct buf b;
		buf_init(&b, limits[i]);
		for (size_t n = 0; n < limits[i]; n++)
			buf_add_char(&b, 'x');
		assert_true(buf_ok(&b));
		assert_int_equal(b.n, limits[i]);
		buf_add_char(&b, 'y');
		assert_false(buf_ok(&b));
		assert_int_equal(b.n, limits[i]);
		buf_reset(&b);
		assert_true(buf_ok(&b));
		buf_printf(&b, "%05000d", 1);
		assert_false(buf_ok(&b));
		assert_int_equal(b.n, 0);
		buf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_adds),
	    cmocka_unit_test(test_reserve),
	    cmocka_unit_test(test_overflow_drops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
