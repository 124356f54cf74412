#include "base/uuid.h"

#include "base/test.h"

static void random_seeded(void *ctx, void *p, size_t n)
{
	for (unsigned char *u = p; n--; u++)
		*u = (unsigned char)test_random(ctx);
}

static int64_t timestamp(struct uuid u)
{
	int64_t ms = 0;
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | u.b[i];
	return ms;
}

/* The clock stands still, runs, and goes back, for longer than the counter lasts: ids only rise. */
static void test_monotonic(void **state)
{
	(void)state;
	uint64_t seed = 3;
	struct uuid_source s = {.random = random_seeded, .ctx = &seed};
	const int64_t start = 1700000000000;
	struct uuid last = uuid_make(&s, start);
	assert_int_equal(timestamp(last), start);
	for (int i = 0; i < 30000; i++) {
		int64_t now = i < 10000 ? start : i < 20000 ? start + 1 + i / 100 : start - i;
		struct uuid u = uuid_make(&s, now);
		assert_true(memcmp(last.b, u.b, 16) < 0);
		assert_int_equal(u.b[6] >> 4, 7);
		assert_int_equal(u.b[8] >> 6, 2);
		last = u;
	}
	assert_true(timestamp(last) < start + 300);
	struct uuid later = uuid_make(&s, start + 1000);
	assert_int_equal(timestamp(later), start + 1000);
}

static void test_sources_differ(void **state)
{
	(void)state;
	struct uuid_source a, b;
	uuid_source_init(&a);
	uuid_source_init(&b);
	struct uuid x = uuid_make(&a, 1), y = uuid_make(&b, 1);
	assert_memory_not_equal(x.b, y.b, 16);
}

static void test_text(void **state)
{
	(void)state;
	static const char text[] = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"; /* RFC 9562, appendix A.6 */
	struct uuid u;
	char out[UUID_TEXT + 1];
	assert_true(uuid_parse(str_from(text), &u));
	assert_int_equal(timestamp(u), 0x017f22e279b0);
	uuid_format(u, out);
	assert_string_equal(out, text);
	assert_true(uuid_parse(STR("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &u));
	uuid_format(u, out);
	assert_string_equal(out, text);
	static const char *const bad[] = {
	    "",
	    "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
	    "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
	    "017f22e279b0-7cc3-98c4-dc0c0c07398f--",
	    "017f22e2-79b0-7cc3-98c4_dc0c0c07398f",
	    "g17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
	    "017f22e2-79b0-7cc3-98c4-dc0c0c07398 ",
	    "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
	};
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(uuid_parse(str_from(bad[i]), &u));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_monotonic),
	    cmocka_unit_test(test_sources_differ),
	    cmocka_unit_test(test_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
