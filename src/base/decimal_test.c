#include "base/decimal.h"

#include "base/test.h"

static struct decimal parsed(const char *text)
{
	struct decimal d;
	struct err e = ERR_NONE;
	assert_int_equal(decimal_parse(str_from(text), &d, &e), RC_OK);
	return d;
}

static void assert_text(struct decimal d, const char *text)
{
	char out[DECIMAL_TEXT_MAX];
	assert_int_equal(decimal_format(d, out), strlen(text));
	assert_string_equal(out, text);
}

static void test_round_trip(void **state)
{
	(void)state;
	static const char *const same[] = {"0",
					   "1",
					   "-1",
					   "0.0",
					   "1.50",
					   "0.05",
					   "-0.001",
					   "1000",
					   "999999999999999999",
					   "-999999999999999999",
					   "0.000000000001",
					   "-0.999999999999",
					   "999999.999999999999",
					   "100.00"};
	for (size_t i = 0; i < COUNT(same); i++)
		assert_text(parsed(same[i]), same[i]);
	assert_text(parsed("-0"), "0");
	assert_text(parsed("-0.00"), "0.00");
	assert_text((struct decimal){INT64_MIN, 12}, "-9223372.036854775808");
	uint64_t seed = 7;
	for (int i = 0; i < 20000; i++) {
		int64_t units = (int64_t)(test_random(&seed) % 1000000000000000000u) >> (test_random(&seed) % 60);
		struct decimal d = {test_random(&seed) & 1 ? -units : units, (uint8_t)(test_random(&seed) % 13)};
		char text[DECIMAL_TEXT_MAX];
		decimal_format(d, text);
		struct decimal back = parsed(text);
		assert_true(back.units == d.units && back.scale == d.scale);
	}
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *code;
		enum rc rc;
	} cases[] = {
	    {"", "not_a_decimal", RC_INVALID},
	    {"-", "not_a_decimal", RC_INVALID},
	    {"+1", "not_a_decimal", RC_INVALID},
	    {"01", "not_a_decimal", RC_INVALID},
	    {"-00", "not_a_decimal", RC_INVALID},
	    {"1.", "not_a_decimal", RC_INVALID},
	    {".5", "not_a_decimal", RC_INVALID},
	    {"1.2.3", "not_a_decimal", RC_INVALID},
	    {"1e5", "not_a_decimal", RC_INVALID},
	    {" 1", "not_a_decimal", RC_INVALID},
	    {"1 ", "not_a_decimal", RC_INVALID},
	    {"1,5", "not_a_decimal", RC_INVALID},
	    {"0x1", "not_a_decimal", RC_INVALID},
	    {"--1", "not_a_decimal", RC_INVALID},
	    {"1.-5", "not_a_decimal", RC_INVALID},
	    {"1000000000000000000", "decimal_too_large", RC_LIMIT},
	    {"-1000000000000000000", "decimal_too_large", RC_LIMIT},
	    {"99999999999999999999999999999999999999", "decimal_too_large", RC_LIMIT},
	    {"0.0000000000001", "decimal_too_large", RC_LIMIT},
	    {"1234567.123456789012", "decimal_too_large", RC_LIMIT},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct decimal d = {5, 5};
		struct err e = ERR_NONE;
		assert_int_equal(decimal_parse(str_from(cases[i].text), &d, &e), cases[i].rc);
		assert_string_equal(e.code, cases[i].code);
		assert_true(d.units == 5 && d.scale == 5);
	}
}

static void test_arithmetic(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b, *sum, *difference, *product;
	} cases[] = {
	    {"1.5", "0.25", "1.75", "1.25", "0.375"},
	    {"-1", "0.01", "-0.99", "-1.01", "-0.01"},
	    {"0.1", "0.2", "0.3", "-0.1", "0.02"},
	    {"0.000001", "0.0000005", "0.0000015", "0.0000005", "0.000000000001"},
	    {"-0.000001", "0.0000005", "-0.0000005", "-0.0000015", "-0.000000000001"},
	    {"0.000001", "0.0000004", "0.0000014", "0.0000006", "0.000000000000"},
	    {"999999999999999999", "1", NULL, "999999999999999998", "999999999999999999"},
	    {"-999999999999999999", "1", "-999999999999999998", NULL, "-999999999999999999"},
	    {"1000000000", "1000000000", "2000000000", "0", NULL},
	    {"99999999999999999", "0.01", NULL, NULL, "999999999999999.99"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct decimal a = parsed(cases[i].a), b = parsed(cases[i].b), out;
		const struct {
			enum rc (*apply)(struct decimal, struct decimal, struct decimal *);
			const char *text;
		} checks[] = {
		    {decimal_add, cases[i].sum}, {decimal_sub, cases[i].difference}, {decimal_mul, cases[i].product}};
		for (size_t k = 0; k < COUNT(checks); k++) {
			enum rc rc = checks[k].apply(a, b, &out);
			assert_int_equal(rc, checks[k].text ? RC_OK : RC_LIMIT);
			if (checks[k].text)
				assert_text(out, checks[k].text);
		}
	}
}

static void test_rescale(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint8_t scale;
		const char *half_up, *half_even, *down, *floor;
	} cases[] = {
	    {"2.5", 0, "3", "2", "2", "2"},
	    {"3.5", 0, "4", "4", "3", "3"},
	    {"-2.5", 0, "-3", "-2", "-2", "-3"},
	    {"2.51", 0, "3", "3", "2", "2"},
	    {"-0.4", 0, "0", "0", "0", "-1"},
	    {"1.005", 2, "1.01", "1.00", "1.00", "1.00"},
	    {"1", 3, "1.000", "1.000", "1.000", "1.000"},
	    {"-1.999", 2, "-2.00", "-2.00", "-1.99", "-2.00"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *const wanted[] = {cases[i].half_up, cases[i].half_even, cases[i].down, cases[i].floor};
		for (int round = DECIMAL_HALF_UP; round <= DECIMAL_FLOOR; round++) {
			struct decimal out;
			enum rc rc =
			    decimal_rescale(parsed(cases[i].text), cases[i].scale, (enum decimal_round)round, &out);
			assert_int_equal(rc, RC_OK);
			assert_text(out, wanted[round]);
		}
	}
	struct decimal out;
	assert_int_equal(decimal_rescale(parsed("10000000"), 12, DECIMAL_DOWN, &out), RC_LIMIT);
	assert_int_equal(decimal_rescale(parsed("1"), 13, DECIMAL_DOWN, &out), RC_LIMIT);
}

static void test_compare(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		int order;
	} cases[] = {
	    {"1", "1.000", 0},    {"1", "1.001", -1}, {"-1", "1", -1},
	    {"-1.5", "-1.50", 0}, {"0", "-0.0", 0},   {"999999999999999999", "0.000000000001", 1},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(decimal_compare(parsed(cases[i].a), parsed(cases[i].b)), cases[i].order);
		assert_int_equal(decimal_compare(parsed(cases[i].b), parsed(cases[i].a)), -cases[i].order);
	}
}

static void test_quantity(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum rc rc;
		qty_t q;
		const char *out;
	} cases[] = {
	    {"6", RC_OK, 60000, "6"},
	    {"6.0000000", RC_OK, 60000, "6"},
	    {"2.50", RC_OK, 25000, "2.5"},
	    {"-0.0001", RC_OK, -1, "-0.0001"},
	    {"0", RC_OK, 0, "0"},
	    {"90000000000", RC_OK, QTY_MAX, "90000000000"},
	    {"-90000000000", RC_OK, -QTY_MAX, "-90000000000"},
	    {"90000000000.0001", RC_LIMIT, 0, NULL},
	    {"999999999999999999", RC_LIMIT, 0, NULL},
	    {"0.00001", RC_INVALID, 0, NULL},
	    {"six", RC_INVALID, 0, NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		qty_t q;
		char out[DECIMAL_TEXT_MAX];
		struct err e = ERR_NONE;
		assert_int_equal(qty_parse(str_from(cases[i].text), &q, &e), cases[i].rc);
		assert_int_equal(e.rc, cases[i].rc);
		if (cases[i].rc != RC_OK)
			continue;
		assert_int_equal(q, cases[i].q);
		assert_int_equal(qty_format(q, out), strlen(cases[i].out));
		assert_string_equal(out, cases[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused), cmocka_unit_test(test_arithmetic),
	    cmocka_unit_test(test_rescale),    cmocka_unit_test(test_compare), cmocka_unit_test(test_quantity),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
