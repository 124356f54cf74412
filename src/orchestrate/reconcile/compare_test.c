#include "orchestrate/reconcile/compare.h"

#include "base/test.h"

#define Q(n)  ((qty_t)(n)*QTY_ONE)
#define NOON  ((int64_t)1772366400000)
#define EARLY (NOON - 60000)
#define LATER (NOON + 60000)

static struct config_location locations[] = {
    {.name = {"east", 4}, .index = 0}, {.name = {"west", 4}, .index = 1}, {.name = {"far", 3}, .index = 2}};
static const struct config_tenant tenant = {.locations = locations, .location_count = 3};
static const uint16_t scope[] = {0, 1};

static struct stock_position at(uint16_t location, qty_t free, qty_t allocated)
{
	struct stock_position p = {.location = location};
	p.states[STOCK_FREE] = free;
	p.states[STOCK_ALLOCATED] = allocated;
	p.states[STOCK_ON_ORDER] = Q(1000); /* not on hand */
	return p;
}

static enum rc moved(struct reconcile *r, const char *location, const char *type, const char *id, int64_t when,
		     qty_t delta)
{
	return reconcile_moved(r, &(struct reconcile_change){.sku = STR("A"),
							     .location = str_from(location),
							     .type = str_from(type),
							     .event_id = str_from(id),
							     .occurred_at = when,
							     .delta = delta});
}

static enum rc theirs(struct reconcile *r, const char *sku, const char *location, qty_t quantity,
		      const struct stock_position *ours, size_t count)
{
	return reconcile_balance(r,
				 &(struct reconcile_balance){.sku = str_from(sku),
							     .location = str_from(location),
							     .quantity = quantity,
							     .as_of = NOON,
							     .unit = STR("EA")},
				 ours, count);
}

static void what_agrees_is_no_candidate(void **state)
{
	(void)state;
	struct reconcile *r = reconcile_new(&tenant, scope, 2);
	const struct stock_position ours[] = {at(0, Q(3), Q(2)), at(1, Q(7), 0), at(2, Q(50), 0)};
	/* Shipped after their count was taken: they still had it. */
	assert_int_equal(moved(r, "east", "ship", "e1", LATER, -Q(4)), RC_OK);
	assert_int_equal(theirs(r, "A", "east", Q(9), ours, 3), RC_OK);
	assert_int_equal(theirs(r, "A", "west", Q(7), ours, 3), RC_OK);
	assert_int_equal(theirs(r, "B", "east", 0, NULL, 0), RC_OK); /* unknown, and none of it */
	assert_int_equal(reconcile_ours(r, STR("A"), ours, 3, NOON), RC_OK);
	assert_int_equal(reconcile_count(r), 0);
	assert_int_equal(reconcile_totals(r).compared, 3);
	assert_int_equal(reconcile_totals(r).equal, 3);
	reconcile_free(r);
}

static void without_a_location_all_of_the_scope_counts(void **state)
{
	(void)state;
	struct reconcile *r = reconcile_new(&tenant, scope, 2);
	const struct stock_position ours[] = {at(0, Q(3), Q(2)), at(1, Q(7), 0), at(2, Q(50), 0)};
	assert_int_equal(theirs(r, "A", "", Q(12), ours, 3), RC_OK);
	assert_int_equal(reconcile_ours(r, STR("A"), ours, 3, NOON), RC_OK);
	assert_int_equal(reconcile_count(r), 0);
	reconcile_free(r);
}

struct judged {
	const char *name;
	qty_t theirs, now; /* now: ours, when it is judged */
	enum drift_class want;
	struct {
		const char *type, *id;
		int64_t when;
		qty_t delta;
	} after[3]; /* booked after the first look */
};

static const struct judged cases[] = {
    {"its message came late", Q(10), Q(10), DRIFT_LATE, {{"receive", "e1", EARLY, Q(4)}}},
    {"late, and more moved since",
     Q(10),
     Q(8),
     DRIFT_LATE,
     {{"receive", "e1", EARLY, Q(4)}, {"ship", "e2", LATER, -Q(2)}}},
    {"nothing came", Q(10), Q(6), DRIFT_LOST, {{0}}},
    {"what came does not explain it", Q(10), Q(7), DRIFT_LOST, {{"receive", "e1", EARLY, Q(1)}}},
    {"a receipt was booked twice",
     Q(6),
     Q(10),
     DRIFT_DOUBLE,
     {{"receive", "e1", EARLY, Q(4)}, {"receive", "e1-again", EARLY, Q(4)}}},
    {"one receipt is not two", Q(6), Q(10), DRIFT_LOST, {{"receive", "e1", EARLY, Q(4)}}},
    {"like quantities of unlike kinds are not one",
     Q(6),
     Q(10),
     DRIFT_LOST,
     {{"receive", "e1", EARLY, Q(4)}, {"adjust", "e2", EARLY, Q(4)}}},
    {"a day apart is not twice",
     Q(6),
     Q(10),
     DRIFT_LOST,
     {{"receive", "e1", EARLY, Q(4)}, {"receive", "e2", EARLY - 90000000, Q(4)}}},
};

static void differences_are_judged_after_a_while(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct judged *c = &cases[i];
		struct reconcile *r = reconcile_new(&tenant, scope, 2);
		struct stock_position ours[] = {at(0, Q(1), 0)};
		assert_int_equal(theirs(r, "A", "east", c->theirs, ours, 1), RC_OK);
		assert_int_equal(reconcile_count(r), 1);
		for (size_t k = 0; k < 3 && c->after[k].type; k++)
			assert_int_equal(
			    moved(r, "east", c->after[k].type, c->after[k].id, c->after[k].when, c->after[k].delta),
			    RC_OK);
		ours[0] = at(0, c->now, 0);
		struct drift *d = reconcile_at(r, 0);
		reconcile_judge(r, d, STR("EA"), ours, 1);
		if (d->class_ != c->want)
			fail_msg("%s: %s instead of %s", c->name, drift_class_name(d->class_),
				 drift_class_name(c->want));
		assert_ptr_equal(reconcile_find(r, STR("A"), STR("east"), STR_NONE), d);
		reconcile_free(r);
	}
}

static void what_one_side_does_not_know_is_master_data(void **state)
{
	(void)state;
	struct reconcile *r = reconcile_new(&tenant, scope, 2);
	const struct stock_position ours[] = {at(0, Q(5), 0)};
	struct reconcile_balance other = {
	    .sku = STR("A"), .location = STR("east"), .quantity = Q(1), .as_of = NOON, .unit = STR("CS")};
	assert_int_equal(theirs(r, "X", "east", Q(1), NULL, 0), RC_OK);
	assert_int_equal(theirs(r, "A", "nowhere", Q(1), ours, 1), RC_OK);
	assert_int_equal(theirs(r, "A", "far", Q(1), ours, 1), RC_OK);
	assert_int_equal(reconcile_balance(r, &other, ours, 1), RC_OK);
	assert_int_equal(reconcile_count(r), 4);
	for (size_t i = 0; i < 4; i++) {
		struct drift *d = reconcile_at(r, i);
		reconcile_judge(r, d, STR("EA"), ours, 1);
		assert_int_equal(d->class_, DRIFT_MASTER_DATA);
		assert_true(d->why.n > 0);
	}
	reconcile_free(r);
}

static void what_they_leave_out_is_nothing(void **state)
{
	(void)state;
	struct reconcile *r = reconcile_new(&tenant, scope, 2);
	const struct stock_position ours[] = {at(0, Q(5), 0), at(1, 0, 0), at(2, Q(9), 0)};
	assert_int_equal(reconcile_ours(r, STR("A"), ours, 3, NOON), RC_OK);
	assert_int_equal(reconcile_count(r), 1);
	assert_int_equal(reconcile_at(r, 0)->ours, Q(5));
	assert_int_equal(reconcile_at(r, 0)->theirs, 0);
	assert_true(str_is(reconcile_at(r, 0)->place, "east"));
	reconcile_free(r);
}

static void lots_are_compared_by_lot(void **state)
{
	(void)state;
	struct reconcile *r = reconcile_new(&tenant, scope, 2);
	struct stock_position ours[] = {at(0, Q(5), 0), at(0, Q(3), 0), at(0, Q(2), 0)};
	ours[0].lot = STR("L1");
	ours[1].lot = STR("L2");
	ours[2].lot = STR("L3");
	struct reconcile_balance b = {
	    .sku = STR("A"), .location = STR("east"), .lot = STR("L1"), .quantity = Q(5), .as_of = NOON};
	assert_int_equal(reconcile_balance(r, &b, ours, 3), RC_OK);
	b.lot = STR("L2");
	b.quantity = Q(4);
	assert_int_equal(reconcile_balance(r, &b, ours, 3), RC_OK);
	assert_int_equal(reconcile_ours(r, STR("A"), ours, 3, NOON), RC_OK);
	assert_int_equal(reconcile_count(r), 2);
	assert_true(str_is(reconcile_at(r, 0)->lot, "L2"));
	assert_false(reconcile_at(r, 0)->lots);
	assert_true(str_is(reconcile_at(r, 1)->lot, "L3"));
	reconcile_free(r);
	r = reconcile_new(&tenant, scope, 2);
	assert_int_equal(theirs(r, "A", "east", Q(9), ours, 3), RC_OK);
	assert_true(reconcile_at(r, 0)->lots);
	reconcile_free(r);
}

static void a_channel_is_looked_at_twice(void **state)
{
	(void)state;
	struct reconcile *r = reconcile_new(&tenant, scope, 2);
	assert_int_equal(reconcile_shown(r, STR("A"), Q(5), Q(5), true, NOON), RC_OK);
	assert_int_equal(reconcile_shown(r, STR("B"), Q(5), Q(4), true, NOON), RC_OK);
	assert_int_equal(reconcile_shown(r, STR("C"), Q(5), Q(4), true, NOON), RC_OK);
	assert_int_equal(reconcile_shown(r, STR("X"), Q(1), 0, false, NOON), RC_OK);
	assert_int_equal(reconcile_count(r), 3);
	assert_int_equal(reconcile_shown(r, STR("B"), Q(4), Q(4), true, LATER), RC_OK);
	assert_int_equal(reconcile_shown(r, STR("C"), Q(5), Q(3), true, LATER), RC_OK);
	assert_int_equal(reconcile_count(r), 3);
	assert_int_equal(reconcile_find(r, STR("B"), STR_NONE, STR_NONE)->class_, DRIFT_LATE);
	assert_int_equal(reconcile_find(r, STR("C"), STR_NONE, STR_NONE)->class_, DRIFT_LOST);
	assert_int_equal(reconcile_find(r, STR("C"), STR_NONE, STR_NONE)->ours, Q(3));
	assert_int_equal(reconcile_find(r, STR("X"), STR_NONE, STR_NONE)->class_, DRIFT_MASTER_DATA);
	reconcile_free(r);
}

static void history_is_kept_for_candidates_only(void **state)
{
	(void)state;
	struct reconcile *r = reconcile_new(&tenant, scope, 2);
	struct stock_position ours[] = {at(0, Q(10), 0)};
	struct reconcile_change twice[] = {
	    {STR("A"), STR("east"), STR_NONE, STR("receive"), STR("e1"), EARLY, Q(4)},
	    {STR("A"), STR("east"), STR_NONE, STR("receive"), STR("e2"), EARLY, Q(4)},
	};
	assert_int_equal(reconcile_history(r, &twice[0]), RC_OK); /* nothing is wrong yet: not kept */
	assert_int_equal(theirs(r, "A", "east", Q(6), ours, 1), RC_OK);
	assert_int_equal(reconcile_history(r, &twice[1]), RC_OK);
	reconcile_judge(r, reconcile_at(r, 0), STR("EA"), ours, 1);
	assert_int_equal(reconcile_at(r, 0)->class_, DRIFT_LOST);
	assert_int_equal(reconcile_history(r, &twice[0]), RC_OK);
	reconcile_judge(r, reconcile_at(r, 0), STR("EA"), ours, 1);
	assert_int_equal(reconcile_at(r, 0)->class_, DRIFT_DOUBLE);
	reconcile_free(r);
}

static void tolerance_is_units_or_a_part(void **state)
{
	(void)state;
	struct drift d = {.ours = Q(1000), .theirs = Q(990)};
	assert_true(drift_tolerable(&d, Q(10), 0));
	assert_false(drift_tolerable(&d, Q(9), 0));
	assert_true(drift_tolerable(&d, 0, 10000));
	assert_false(drift_tolerable(&d, 0, 9999));
	d = (struct drift){.ours = -Q(1), .theirs = 0};
	assert_false(drift_tolerable(&d, 0, 1000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_agrees_is_no_candidate),
	    cmocka_unit_test(without_a_location_all_of_the_scope_counts),
	    cmocka_unit_test(differences_are_judged_after_a_while),
	    cmocka_unit_test(what_one_side_does_not_know_is_master_data),
	    cmocka_unit_test(what_they_leave_out_is_nothing),
	    cmocka_unit_test(lots_are_compared_by_lot),
	    cmocka_unit_test(a_channel_is_looked_at_twice),
	    cmocka_unit_test(history_is_kept_for_candidates_only),
	    cmocka_unit_test(tolerance_is_units_or_a_part),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
