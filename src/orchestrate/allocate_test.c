#include "orchestrate/world.h"

#include "orchestrate/allocate.h"

static struct world w;
static const uint16_t everywhere[] = {0, 1, 2};
/* A serves GB and IE, B IE and FR, C Belfast and the whole of the US. */
static struct str zones_a[] = {{"GB", 2}, {"IE", 2}}, zones_b[] = {{"IE", 2}, {"FR", 2}},
		  zones_c[] = {{"GB-BT", 5}, {"US", 2}};
static struct config_cost costs_a[] = {{{"GB", 2}, 30000}, {{"*", 1}, 200000}},
			  costs_b[] = {{{"IE", 2}, 20000}, {{"*", 1}, 100000}},
			  costs_c[] = {{{"GB-BT", 5}, 10000}, {{"FR", 2}, 80000}, {{"GB", 2}, 40000}};

static void begin(void)
{
	world_init(&w);
	w.channels[0].locations = (uint16_t *)everywhere;
	w.channels[0].location_count = 3;
	w.locations[0].zones = zones_a;
	w.locations[1].zones = zones_b;
	w.locations[2].zones = zones_c;
	w.locations[0].costs = costs_a;
	w.locations[1].costs = costs_b;
	w.locations[2].costs = costs_c;
	w.locations[0].cost_count = w.locations[1].cost_count = 2;
	w.locations[2].cost_count = 3;
	for (int i = 0; i < 3; i++)
		w.locations[i].zone_count = 2;
	world_start(&w);
}

struct allocate_case {
	const char *name;
	enum allocation_rule rule;
	bool unsplit;
	const char *country, *postal_code;
	qty_t there[2][3]; /* of at A, B, C */
	struct {
		int item; /* 1, 2; 9: unknown */
		qty_t want;
		int location; /* 1: A, ...; 0: anywhere */
	} needs[3];
	qty_t want[2][3];
};

static const struct allocate_case cases[] = {
    {"the first that has it", ALLOCATION_PRIORITY, .there = {{5, 9, 9}}, .needs = {{1, 5, 0}}, .want = {{5}}},
    {"where it fits whole", ALLOCATION_PRIORITY, .there = {{4, 9, 9}}, .needs = {{1, 5, 0}}, .want = {{0, 5}}},
    {"else split", ALLOCATION_PRIORITY, .there = {{4, 0, 4}}, .needs = {{1, 5, 0}}, .want = {{4, 0, 1}}},
    {"what there is", ALLOCATION_PRIORITY, .there = {{4, 0, 4}}, .needs = {{1, 9, 0}}, .want = {{4, 0, 4}}},
    {"one that has all before two", ALLOCATION_PRIORITY, .there = {{5, 0, 5}, {0, 5, 5}},
     .needs = {{1, 1, 0}, {2, 1, 0}}, .want = {{0, 0, 1}, {0, 0, 1}}},
    {"needs of one item count together", ALLOCATION_PRIORITY, .there = {{5, 6, 0}}, .needs = {{1, 3, 0}, {1, 3, 0}},
     .want = {{0, 6}}},
    {"and share what there is", ALLOCATION_PRIORITY, .there = {{5}}, .needs = {{1, 3, 0}, {1, 3, 0}}, .want = {{5}}},
    {"a place that is named", ALLOCATION_PRIORITY, .there = {{9, 9, 9}}, .needs = {{1, 5, 2}, {1, 2, 0}},
     .want = {{2, 5}}},
    {"does not spill", ALLOCATION_PRIORITY, .there = {{9, 3, 9}}, .needs = {{1, 5, 2}}, .want = {{0, 3}}},
    {"what owes has nothing", ALLOCATION_PRIORITY, .there = {{-3, 9}}, .needs = {{1, 5, 0}}, .want = {{0, 5}}},
    {"unknown", ALLOCATION_PRIORITY, .there = {{9}}, .needs = {{9, 5, 0}, {1, 2, 0}}, .want = {{2}}},

    {"not split: nothing where it is not whole, but most", ALLOCATION_PRIORITY, .unsplit = true, .there = {{2, 4, 3}},
     .needs = {{1, 5, 0}}, .want = {{0, 4}}},
    {"not split: all at one", ALLOCATION_PRIORITY, .unsplit = true, .there = {{5, 0, 5}, {0, 5, 5}},
     .needs = {{1, 5, 0}, {2, 5, 0}}, .want = {{0, 0, 5}, {0, 0, 5}}},
    {"not split: whole lines before units", ALLOCATION_PRIORITY, .unsplit = true, .there = {{9, 1, 0}, {0, 2, 0}},
     .needs = {{1, 10, 0}, {2, 2, 0}}, .want = {{0, 1}, {0, 2}}},
    {"not split: the cheapest that has all", ALLOCATION_COST, .unsplit = true, .country = "FR", .there = {{5, 5, 5}},
     .needs = {{1, 5, 0}}, .want = {{0, 0, 5}}},

    {"the nearest by zone", ALLOCATION_NEAREST, .country = "IE", .there = {{5, 5, 5}}, .needs = {{1, 5, 0}},
     .want = {{0, 5}}},
    {"then the next", ALLOCATION_NEAREST, .country = "IE", .there = {{5, 2, 5}}, .needs = {{1, 7, 0}},
     .want = {{5, 2}}},
    {"a part of a country", ALLOCATION_NEAREST, .country = "GB", .postal_code = "bt1 1AA", .there = {{0, 5, 5}},
     .needs = {{1, 5, 0}}, .want = {{0, 0, 5}}},
    {"not another part", ALLOCATION_NEAREST, .country = "GB", .postal_code = "M1 1AA", .there = {{0, 5, 5}},
     .needs = {{1, 5, 0}}, .want = {{0, 5}}},
    {"nowhere near: in order", ALLOCATION_NEAREST, .country = "JP", .there = {{0, 5, 5}}, .needs = {{1, 5, 0}},
     .want = {{0, 5}}},
    {"no destination: in order", ALLOCATION_NEAREST, .there = {{5, 5, 5}}, .needs = {{1, 5, 0}}, .want = {{5}}},

    {"one parcel", ALLOCATION_FEWEST_PARCELS, .there = {{3, 3, 5}}, .needs = {{1, 5, 0}}, .want = {{0, 0, 5}}},
    {"two lines from two, not three", ALLOCATION_FEWEST_PARCELS, .there = {{5, 0, 4}, {0, 5, 2}},
     .needs = {{1, 8, 0}, {2, 2, 0}}, .want = {{5, 0, 3}, {0, 0, 2}}},
    {"priority takes three there", ALLOCATION_PRIORITY, .there = {{5, 0, 4}, {0, 5, 2}},
     .needs = {{1, 8, 0}, {2, 2, 0}}, .want = {{5, 0, 3}, {0, 2}}},
    {"fewest for what there is", ALLOCATION_FEWEST_PARCELS, .there = {{1, 2, 3}}, .needs = {{1, 9, 0}},
     .want = {{1, 2, 3}}},

    {"the cheapest", ALLOCATION_COST, .country = "GB", .there = {{5, 5, 5}}, .needs = {{1, 5, 0}}, .want = {{5}}},
    {"by postal code", ALLOCATION_COST, .country = "GB", .postal_code = "BT1", .there = {{5, 5, 5}},
     .needs = {{1, 5, 0}}, .want = {{0, 0, 5}}},
    {"two cheap ones before one dear one", ALLOCATION_COST, .country = "GB", .there = {{3, 5, 2}}, .needs = {{1, 5, 0}},
     .want = {{3, 0, 2}}},
    {"one dear one before three", ALLOCATION_COST, .country = "FR", .there = {{3, 5, 2}}, .needs = {{1, 5, 0}},
     .want = {{0, 5}}},
    {"one without a price comes last", ALLOCATION_COST, .country = "US", .there = {{3, 2, 5}}, .needs = {{1, 5, 0}},
     .want = {{3, 2}}},
};

static void run(const struct allocate_case *c)
{
	static const char *const skus[] = {"A-1", "A-2"}, *const names[] = {"A", "B", "C"};
	struct allocate_need needs[3] = {{.item = NULL}};
	struct allocate_list parts = {0};
	struct ship_to to = {.country = str_from(c->country), .postal_code = str_from(c->postal_code)};
	struct allocate_request r = {
	    .tenant = &w.tenant, .channel = &w.channels[0], .ship_to = &to, .only = ALLOCATE_ANYWHERE};
	qty_t got[2][3] = {{0}};
	size_t count = 0;

	begin();
	w.channels[0].allocation = c->rule;
	w.channels[0].unsplit = c->unsplit;
	for (int i = 0; i < 2; i++)
		for (int p = 0; p < 3; p++)
			if (c->there[i][p])
				world_move(&w, MOVE_ADJUST, skus[i], names[p], Q(c->there[i][p]));
	for (; count < 3 && c->needs[count].want; count++)
		needs[count] = (struct allocate_need){
		    .item = c->needs[count].item == 9 ? NULL
						      : stock_find(w.stock, str_from(skus[c->needs[count].item - 1])),
		    .want = Q(c->needs[count].want),
		    .location = c->needs[count].location - 1};
	/* Twice: it leaves nothing behind. */
	for (int again = 0; again < 2; again++)
		allocate(&r, needs, count, &parts);
	for (size_t i = 0; i < parts.count; i++)
		got[c->needs[parts.parts[i].need].item - 1][parts.parts[i].location] += parts.parts[i].quantity;
	for (int i = 0; i < 2; i++)
		for (int p = 0; p < 3; p++)
			if (got[i][p] != Q(c->want[i][p]))
				fail_msg("%s: %lld of %s at %s", c->name, (long long)(got[i][p] / QTY_ONE), skus[i],
					 names[p]);
	allocate_list_free(&parts);
	world_done(&w);
}

static void test_choices(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		run(&cases[i]);
}

/* From London, Dublin and Belfast. */
static void test_distance(void **state)
{
	static const struct {
		const char *name;
		struct ship_to to;
		uint16_t first, last;
	} places[] = {
	    {"Glasgow", {.latitude = 55864000, .longitude = -4252000, .has_point = true}, 2, 0},
	    {"Cork", {.latitude = 51898000, .longitude = -8476000, .has_point = true}, 1, 0},
	    {"Paris", {.latitude = 48857000, .longitude = 2352000, .has_point = true}, 0, 2},
	};
	uint16_t order[CONFIG_LOCATIONS_MAX];

	(void)state;
	begin();
	w.channels[0].allocation = ALLOCATION_NEAREST;
	w.locations[0].latitude = 51507000;
	w.locations[0].longitude = -128000;
	w.locations[1].latitude = 53350000;
	w.locations[1].longitude = -6260000;
	w.locations[2].latitude = 54597000;
	w.locations[2].longitude = -5930000;
	for (int i = 0; i < 3; i++)
		w.locations[i].has_point = true;
	for (size_t i = 0; i < COUNT(places); i++) {
		struct allocate_request r = {.tenant = &w.tenant,
					     .channel = &w.channels[0],
					     .ship_to = &places[i].to,
					     .only = ALLOCATE_ANYWHERE};

		assert_int_equal(allocate_rank(&r, order), 3);
		if (order[0] != places[i].first || order[2] != places[i].last)
			fail_msg("%s: %d %d %d", places[i].name, order[0], order[1], order[2]);
	}
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_choices),
	    cmocka_unit_test(test_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
