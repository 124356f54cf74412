#include "orchestrate/cover.h"

#include "base/test.h"

#define ITEMS     3
#define LOCATIONS 6
#define MANY      40

struct cover_case {
	const char *name;
	qty_t target[ITEMS];
	qty_t there[LOCATIONS][ITEMS];
	int64_t price[LOCATIONS];
	const char *want; /* by location: "1" is chosen */
};

static const struct cover_case cases[] = {
    {"nothing is wanted", {0}, {{5}, {5}}, {1, 1}, "00"},
    {"the most preferred", {5}, {{5}, {5}}, {1, 1}, "10"},
    {"one, not two", {5}, {{3}, {2}, {5}}, {1, 1, 1}, "001"},
    {"two, not three", {5, 5}, {{5, 0}, {0, 5}, {4, 2}}, {1, 1, 1}, "110"},
    {"the most preferred two", {5}, {{2}, {3}, {3}, {2}}, {1, 1, 1, 1}, "110"},
    {"cheap", {5}, {{5}, {5}}, {3, 2}, "01"},
    {"two cheap ones before one dear one", {5}, {{5}, {3}, {2}}, {9, 4, 4}, "011"},
    {"of the same price, fewer", {5}, {{3}, {2}, {5}}, {2, 2, 4}, "001"},
    {"for nothing, but not needed", {5}, {{5}, {5}}, {0, 0}, "10"},
    {"all of them", {9}, {{3}, {3}, {3}}, {1, 7, 1}, "111"},
};

static void test_choices(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct cover_case *c = &cases[i];
		bool chosen[LOCATIONS] = {false};
		char got[LOCATIONS + 1] = "";

		cover_choose(&(struct cover){ITEMS, strlen(c->want), c->target, c->there[0], c->price}, chosen);
		for (size_t k = 0; k < strlen(c->want); k++)
			got[k] = chosen[k] ? '1' : '0';
		if (strcmp(got, c->want) != 0)
			fail_msg("%s: %s, not %s", c->name, got, c->want);
	}
}

struct made {
	qty_t target[ITEMS], there[MANY * ITEMS];
	int64_t price[MANY];
	struct cover cover;
};

static void make(struct made *m, size_t locations, uint64_t *random)
{
	*m = (struct made){.cover = {ITEMS, locations, m->target, m->there, m->price}};
	for (size_t i = 0; i < ITEMS; i++) {
		qty_t sum = 0;

		for (size_t k = 0; k < locations; k++)
			sum += m->there[k * ITEMS + i] = (qty_t)(test_random(random) % 6);
		m->target[i] = (qty_t)(test_random(random) % (uint64_t)(sum + 1));
	}
	for (size_t k = 0; k < locations; k++)
		m->price[k] = (int64_t)(test_random(random) % 4);
}

static bool has_all(const struct made *m, const bool *chosen)
{
	for (size_t i = 0; i < ITEMS; i++) {
		qty_t sum = 0;

		for (size_t k = 0; k < m->cover.locations; k++)
			sum += chosen[k] ? m->there[k * ITEMS + i] : 0;
		if (sum < m->target[i])
			return false;
	}
	return true;
}

static bool is_better(const struct made *m, const bool *a, const bool *b)
{
	int64_t price = 0;
	int count = 0, first = 0;

	for (size_t k = 0; k < m->cover.locations; k++) {
		price += (a[k] - b[k]) * m->price[k];
		count += a[k] - b[k];
		first = first ? first : a[k] - b[k];
	}
	return price ? price < 0 : count ? count < 0 : first > 0;
}

/* No set is better, of few. */
static void test_the_best_of_few(void **state)
{
	uint64_t random = 1;
	struct made m;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		bool chosen[MANY] = {false};

		make(&m, 1 + (size_t)(round % LOCATIONS), &random);
		cover_choose(&m.cover, chosen);
		assert_true(has_all(&m, chosen));
		for (unsigned set = 0; set < 1u << m.cover.locations; set++) {
			bool other[MANY];

			for (size_t k = 0; k < m.cover.locations; k++)
				other[k] = set >> k & 1;
			if (has_all(&m, other) && is_better(&m, other, chosen))
				fail_msg("round %d: set %x is better", round, set);
		}
	}
}

/* Of many it is a set that has what is wanted, and none of it is needless. */
static void test_no_needless_one_of_many(void **state)
{
	uint64_t random = 3;
	struct made m;

	(void)state;
	for (int round = 0; round < 500; round++) {
		bool chosen[MANY] = {false};

		make(&m, MANY, &random);
		cover_choose(&m.cover, chosen);
		assert_true(has_all(&m, chosen));
		for (size_t k = 0; k < MANY; k++) {
			if (!chosen[k])
				continue;
			chosen[k] = false;
			if (has_all(&m, chosen))
				fail_msg("round %d: location %zu is not needed", round, k);
			chosen[k] = true;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_choices),
	    cmocka_unit_test(test_the_best_of_few),
	    cmocka_unit_test(test_no_needless_one_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
