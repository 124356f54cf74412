#include "orchestrate/stock/ats.h"

#include "base/test.h"

#define Q(n) ((qty_t)(n)*QTY_ONE)
#define HALF (QTY_ONE / 2)

static const uint16_t both[] = {0, 2};

struct ats_case {
	const char *name;
	qty_t free[3]; /* at locations 0, 1, 2; the channel sells from 0 and 2 */
	qty_t safety[3];
	int32_t share_ppm;
	qty_t buffer, cap, minimum, backorder, want;
};

static const struct ats_case cases[] = {
    {"all of it", {Q(5), 0, Q(3)}, {0}, 1000000, 0, -1, 0, 0, Q(8)},
    {"other locations do not count", {Q(5), Q(90), Q(3)}, {0}, 1000000, 0, -1, 0, 0, Q(8)},
    {"safety by location", {Q(5), 0, Q(3)}, {Q(2), 0, Q(1)}, 1000000, 0, -1, 0, 0, Q(5)},
    {"safety above free is nothing, not less", {Q(5), 0, Q(3)}, {0, 0, Q(9)}, 1000000, 0, -1, 0, 0, Q(5)},
    {"negative free does not eat another location", {Q(5), 0, Q(-3)}, {0}, 1000000, 0, -1, 0, 0, Q(5)},
    {"nothing at all", {0}, {0}, 1000000, 0, -1, 0, 0, 0},
    {"share rounds down to whole units", {Q(5), 0, 0}, {0}, 333333, 0, -1, 0, 0, Q(1)},
    {"share of one unit", {Q(1), 0, 0}, {0}, 999999, 0, -1, 0, 0, 0},
    {"share of all keeps all", {Q(7), 0, 0}, {0}, 1000000, 0, -1, 0, 0, Q(7)},
    {"a part of a unit is not sold", {Q(2) + HALF, 0, 0}, {0}, 1000000, 0, -1, 0, 0, Q(2)},
    {"parts add up before the rounding", {Q(2) + HALF, 0, HALF}, {0}, 1000000, 0, -1, 0, 0, Q(3)},
    {"no share", {Q(7), 0, 0}, {0}, 0, 0, -1, 0, 0, 0},
    {"the buffer comes off after the share", {Q(10), 0, 0}, {0}, 500000, Q(2), -1, 0, 0, Q(3)},
    {"a buffer above it is zero", {Q(1), 0, 0}, {0}, 1000000, Q(2), -1, 0, 0, 0},
    {"cap", {Q(10), 0, 0}, {0}, 1000000, 0, Q(4), 0, 0, Q(4)},
    {"cap of zero", {Q(10), 0, 0}, {0}, 1000000, 0, 0, 0, 0, 0},
    {"cap above it", {Q(3), 0, 0}, {0}, 1000000, 0, Q(4), 0, 0, Q(3)},
    {"below the minimum is zero", {Q(3), 0, 0}, {0}, 1000000, 0, -1, Q(4), 0, 0},
    {"at the minimum is told", {Q(4), 0, 0}, {0}, 1000000, 0, -1, Q(4), 0, Q(4)},
    {"a cap below the minimum is zero", {Q(9), 0, 0}, {0}, 1000000, 0, Q(3), Q(4), 0, 0},
    {"backorder adds", {0}, {0}, 1000000, 0, -1, 0, Q(5), Q(5)},
    {"backorder against the buffer", {Q(1), 0, 0}, {0}, 1000000, Q(3), -1, 0, Q(5), Q(3)},
    {"no overflow", {QTY_MAX, 0, QTY_MAX}, {0}, 1000000, 0, -1, 0, 0, 2 * QTY_MAX},
};

static void test_formula(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct ats_case *c = &cases[i];
		struct ats_channel channel = {both, 2, c->share_ppm, c->buffer, c->cap, c->minimum, c->backorder};
		struct stock_position positions[3] = {{0}};
		qty_t got;

		for (uint16_t n = 0; n < 3; n++) {
			positions[n].location = n;
			positions[n].states[STOCK_FREE] = c->free[n];
		}
		got = ats_compute(&channel, c->safety, positions, 3, NULL);
		if (got != c->want)
			fail_msg("%s: %lld instead of %lld", c->name, (long long)got, (long long)c->want);
	}
}

/* Only what is free counts, lots of a location count together, and a place may be missing. */
static void test_positions(void **state)
{
	static const qty_t safety[3] = {Q(1), 0, 0};
	struct ats_channel channel = {both, 2, 1000000, 0, -1, 0, 0};
	struct stock_position positions[2] = {{.location = 0, .lot = STR("a")}, {.location = 0, .lot = STR("b")}};
	qty_t by_location[2] = {-1, -1};

	(void)state;
	for (int s = 0; s < STOCK_STATES; s++)
		positions[0].states[s] = positions[1].states[s] = Q(100);
	positions[0].states[STOCK_FREE] = Q(5);
	positions[1].states[STOCK_FREE] = Q(-2);
	assert_int_equal(ats_compute(&channel, safety, positions, 2, by_location), Q(2));
	assert_int_equal(by_location[0], Q(2));
	assert_int_equal(by_location[1], 0);
	assert_int_equal(ats_compute(&channel, safety, NULL, 0, by_location), 0);
	assert_int_equal(by_location[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_formula), cmocka_unit_test(test_positions)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
