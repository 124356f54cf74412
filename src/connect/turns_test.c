#include "base/test.h"

#include "connect/turns.h"

static void shares(const bool waits[PRIORITIES], int turns, int out[PRIORITIES])
{
	struct turns t = {{0}};
	memset(out, 0, PRIORITIES * sizeof(int));
	for (int i = 0; i < turns; i++)
		out[turns_next(&t, waits)]++;
}

static void each_has_its_share(void **state)
{
	(void)state;
	static const struct {
		bool waits[PRIORITIES];
		int share[PRIORITIES]; /* of 8,400 turns, at least */
	} rows[] = {
	    {{true, true, true}, {5900, 1900, 390}}, {{true, true, false}, {6300, 2100, 0}},
	    {{true, false, true}, {8000, 0, 400}},   {{false, true, true}, {0, 8000, 400}},
	    {{false, false, true}, {0, 0, 8400}},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		int got[PRIORITIES];
		shares(rows[i].waits, 8400, got);
		for (int p = 0; p < PRIORITIES; p++) {
			assert_true(got[p] >= rows[i].share[p]);
			assert_true(rows[i].waits[p] || got[p] == 0);
		}
	}
}

static void nobody_waits(void **state)
{
	(void)state;
	struct turns t = {{0}};
	assert_int_equal(turns_next(&t, (bool[PRIORITIES]){false}), PRIORITIES);
}

/* What comes while only bulk was there is next. */
static void the_urgent_one_is_next(void **state)
{
	(void)state;
	struct turns t = {{0}};
	for (int i = 0; i < 1000; i++)
		turns_next(&t, (bool[PRIORITIES]){[PRIORITY_BULK] = true});
	assert_int_equal(turns_next(&t, (bool[PRIORITIES]){true, true, true}), PRIORITY_EXPEDITED);
}

static void bulk_leaves_a_slot(void **state)
{
	(void)state;
	static const struct {
		uint32_t slots, bulk;
	} rows[] = {{1, 1}, {2, 1}, {4, 3}, {8, 7}, {9, 7}, {100, 87}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(turns_slots(PRIORITY_BULK, rows[i].slots), rows[i].bulk);
		assert_int_equal(turns_slots(PRIORITY_NORMAL, rows[i].slots), rows[i].slots);
		assert_int_equal(turns_slots(PRIORITY_EXPEDITED, rows[i].slots), rows[i].slots);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_has_its_share),
	    cmocka_unit_test(nobody_waits),
	    cmocka_unit_test(the_urgent_one_is_next),
	    cmocka_unit_test(bulk_leaves_a_slot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
