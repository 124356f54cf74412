/* Which reservations are admitted, and where they take what they hold. */
#include "orchestrate/world_each.h"

/* ---- admission ---- */

struct hold_case {
	const char *name;
	qty_t free[3]; /* of A-1 at A, B, C */
	struct world_line lines[3];
	size_t count;
	enum rc want;
	qty_t held[3];
	const char *shortage;
};

static const struct hold_case cases[] = {
    {"the last one", {1}, {WANT("A-1", NULL, Q(1))}, 1, RC_OK, {1}, NULL},
    {"one more than there is",
     {1},
     {WANT("A-1", NULL, Q(2))},
     1,
     RC_CONFLICT,
     {0},
     "[{\"sku\":\"A-1\",\"requested\":\"2\",\"available\":\"1\"}]"},
    {"an unknown item",
     {1},
     {WANT("A-9", NULL, Q(2))},
     1,
     RC_CONFLICT,
     {0},
     "[{\"sku\":\"A-9\",\"requested\":\"2\",\"available\":\"0\"}]"},
    {"all or nothing",
     {5},
     {WANT("A-1", NULL, Q(2)), WANT("A-9", NULL, Q(1))},
     2,
     RC_CONFLICT,
     {0},
     "[{\"sku\":\"A-9\",\"requested\":\"1\",\"available\":\"0\"}]"},
    /* The ten ways, 3. */
    {"two lines of one item fit together",
     {5},
     {WANT("A-1", NULL, Q(2)), WANT("A-1", NULL, Q(3))},
     2,
     RC_OK,
     {5},
     NULL},
    {"two lines of one item are checked together",
     {5},
     {WANT("A-1", NULL, Q(3)), WANT("A-1", NULL, Q(3))},
     2,
     RC_CONFLICT,
     {0},
     "[{\"sku\":\"A-1\",\"requested\":\"3\",\"available\":\"2\"}]"},
    /* The ten ways, 6. */
    {"where it fits whole", {1, 3}, {WANT("A-1", NULL, Q(3))}, 1, RC_OK, {0, 3}, NULL},
    {"the preferred one of two that fit", {3, 3}, {WANT("A-1", NULL, Q(3))}, 1, RC_OK, {3}, NULL},
    {"split in the order of preference", {2, 3}, {WANT("A-1", NULL, Q(4))}, 1, RC_OK, {2, 2}, NULL},
    {"not from a location the channel does not sell from",
     {1, 0, 9},
     {WANT("A-1", NULL, Q(2))},
     1,
     RC_CONFLICT,
     {0},
     "[{\"sku\":\"A-1\",\"requested\":\"2\",\"available\":\"1\"}]"},
    {"a location by name", {3, 3}, {WANT("A-1", "B", Q(2))}, 1, RC_OK, {0, 2}, NULL},
    {"a location by name does not spill",
     {3, 1},
     {WANT("A-1", "B", Q(2))},
     1,
     RC_CONFLICT,
     {0},
     "[{\"sku\":\"A-1\",\"location\":\"B\",\"requested\":\"2\",\"available\":\"1\"}]"},
    {"negative elsewhere does not matter", {-3, 2}, {WANT("A-1", NULL, Q(2))}, 1, RC_OK, {0, 2}, NULL},
};

static void test_admission(void **state)
{
	static const char *const locations[] = {"A", "B", "C"};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct hold_case *c = &cases[i];
		struct hold *h = NULL;
		struct str shortage = STR_NONE;

		set_up(state);
		for (int n = 0; n < 3; n++)
			if (c->free[n])
				world_move(&w, MOVE_ADJUST, "A-1", locations[n], Q(c->free[n]));
		if (world_hold(&w, "r-1", "shop", c->lines, c->count, &h, &shortage) != c->want)
			fail_msg("%s: the result", c->name);
		for (int n = 0; n < 3; n++) {
			if (world_state(&w, "A-1", locations[n], STOCK_HELD) != Q(c->held[n]) ||
			    world_state(&w, "A-1", locations[n], STOCK_FREE) != Q(c->free[n] - c->held[n]))
				fail_msg("%s: at %s", c->name, locations[n]);
		}
		if (c->shortage && !str_is(shortage, c->shortage))
			fail_msg("%s: " STR_FMT, c->name, STR_ARG(shortage));
		assert_int_equal(w.holds->heap_count, c->want == RC_OK);
		assert_int_equal(world_count(&w, W_RESERVATION, 0, NULL), c->want == RC_OK);
		tear_down(state);
	}
}

/* What another lot owes is not there to be held: the books have 2 at A, whatever the lots say. */
static void test_lots_of_a_location_count_together(void **state)
{
	struct world_line lot = {.sku = "A-1", .location = "A", .lot = "L1", .quantity = Q(5)};
	struct world_line three = {.sku = "A-1", .quantity = Q(3)}, two = {.sku = "A-1", .quantity = Q(2)};
	struct hold *h;
	struct str shortage;
	struct err e = ERR_NONE;

	(void)state;
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_RECEIVE}, &lot, 1, &e), RC_OK);
	world_move(&w, MOVE_SHIP, "A-1", "A", Q(3)); /* the warehouse did not say which lot */
	assert_int_equal(world_hold(&w, "r-1", "shop", &three, 1, &h, &shortage), RC_CONFLICT);
	three.location = "A";
	assert_int_equal(world_hold(&w, "r-1", "shop", &three, 1, &h, &shortage), RC_CONFLICT);
	assert_int_equal(world_hold(&w, "r-1", "shop", &two, 1, &h, &shortage), RC_OK);
	assert_int_equal(world_hold(&w, "r-2", "shop", &two, 1, &h, &shortage), RC_CONFLICT);
	assert_int_equal(world_place(&w, "A-1", "A", "L1")->position.states[STOCK_HELD], Q(2));
}

/* The ten ways, 1: of many who want the last one, one gets it. */
static void test_last_unit(void **state)
{
	struct world_line line = {.sku = "A-1", .quantity = Q(1)};
	struct hold *h;
	struct str shortage;
	int got = 0;

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(3));
	world_move(&w, MOVE_RECEIVE, "A-1", "B", Q(2));
	for (int i = 0; i < 20; i++) {
		char id[8];

		snprintf(id, sizeof(id), "r-%d", i);
		got += world_hold(&w, id, i % 2 ? "shop" : "market", &line, 1, &h, &shortage) == RC_OK;
	}
	assert_int_equal(got, 5);
}

static void test_refused(void **state)
{
	struct world_line line = {.sku = "A-1", .location = "Z", .quantity = Q(1)};
	struct hold *h;
	struct str shortage;

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(3));
	assert_int_equal(world_hold(&w, "r-1", "shop", &line, 1, &h, &shortage), RC_INVALID);
	world_move(&w, MOVE_RECEIVE, "A-1", "C", Q(3));
	line.location = "C"; /* the shop does not sell from there */
	assert_int_equal(world_hold(&w, "r-1", "shop", &line, 1, &h, &shortage), RC_INVALID);
	assert_int_equal(world_state(&w, "A-1", "C", STOCK_HELD), 0);
	line.location = NULL;
	assert_int_equal(world_hold(&w, "r-1", "nobody", &line, 1, &h, &shortage), RC_INVALID);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_HELD), 0);
	assert_null(hold_find(w.holds, STR("r-1")));
}

static void test_limit(void **state)
{
	struct world_line line = {.sku = "A-1", .quantity = Q(1)};
	struct hold *h;
	struct str shortage;

	tear_down(state);
	world_init(&w);
	w.holds_max = 2;
	world_start(&w);
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(9));
	assert_int_equal(world_hold(&w, "r-1", "shop", &line, 1, &h, &shortage), RC_OK);
	assert_int_equal(world_hold(&w, "r-2", "shop", &line, 1, &h, &shortage), RC_OK);
	assert_int_equal(world_hold(&w, "r-3", "shop", &line, 1, &h, &shortage), RC_LIMIT);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_HELD), Q(2));
	hold_step_end(w.holds, &w.txn, hold_find(w.holds, STR("r-1")), HOLD_VOIDED);
	assert_int_equal(world_hold(&w, "r-3", "shop", &line, 1, &h, &shortage), RC_OK);
}

/* Safety, buffer and cap bind the holds of a strict channel, and nobody else's. */
static void test_strict(void **state)
{
	static const struct {
		bool strict;
		qty_t quantity[2];
		enum rc want;
	} strict[] = {
	    {false, {8, 0}, RC_OK},      {true, {8, 0}, RC_CONFLICT}, {true, {5, 0}, RC_OK},
	    {true, {6, 0}, RC_CONFLICT}, {true, {3, 2}, RC_OK},       {true, {3, 3}, RC_CONFLICT},
	};

	for (size_t i = 0; i < COUNT(strict); i++) {
		struct world_line lines[] = {{.sku = "A-1", .quantity = Q(strict[i].quantity[0])},
					     {.sku = "A-1", .quantity = Q(strict[i].quantity[1])}};
		struct hold *h;
		struct str shortage;

		tear_down(state);
		world_init(&w);
		w.channels[0].strict = strict[i].strict;
		w.channels[0].buffer = Q(1);
		w.locations[0].safety_stock = Q(2);
		world_start(&w);
		world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(8));
		assert_int_equal(world_hold(&w, "r-1", "shop", lines, lines[1].quantity ? 2 : 1, &h, &shortage),
				 strict[i].want);
	}
}

/* ---- several at once ---- */

static enum rc place_in(struct hold_draft *d, const char *id, const char *channel, qty_t quantity)
{
	struct movement_line line = {.sku = STR("A-1"), .quantity = quantity};
	struct hold_request r = {
	    .reservation_id = str_from(id), .channel = str_from(channel), .line_count = 1, .lines = &line};
	struct hold_result result;
	struct err e = ERR_NONE;

	return hold_step_place(d, &r, &result, &e);
}

/* One movement with one entry for each place; what is planned is not there for the next. */
static void test_one_movement_for_many(void **state)
{
	struct hold_draft d;
	char id[16];

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(30));
	world_move(&w, MOVE_RECEIVE, "A-1", "B", Q(2));
	world_commit(&w, 10);
	hold_draft_begin(&d, w.holds, &w.txn);
	for (int i = 0; i < 10; i++) {
		snprintf(id, sizeof(id), "r-%d", i);
		assert_int_equal(place_in(&d, id, "shop", Q(3)), RC_OK);
	}
	assert_int_equal(place_in(&d, "refused", "shop", Q(3)), RC_CONFLICT);
	assert_int_equal(place_in(&d, "last", "shop", Q(2)), RC_OK);
	assert_int_equal(place_in(&d, "none", "shop", Q(1)), RC_CONFLICT);
	hold_draft_end(&d);
	assert_int_equal(world_count(&w, W_MOVEMENT, 0, NULL), 1);
	assert_int_equal(world_count(&w, W_RESERVATION, 0, NULL), 11);
	assert_int_equal(world_events(&w, "reservation.held"), 11);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_HELD), Q(30));
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_HELD), Q(2));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), 0);
	world_commit(&w, 1);
	world_reload(&w);
	assert_int_equal(w.holds->heap_count, 11);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_HELD), Q(30));
}

/* Half of 20 for a strict channel: by ones as together. */
static void test_strict_at_once(void **state)
{
	int got[2] = {0};

	for (int together = 0; together < 2; together++) {
		struct hold_draft d;

		tear_down(state);
		set_up(state);
		w.channels[0].strict = true;
		w.channels[0].share_ppm = 500000;
		ats_policy_init(&w.stock->policies[0], &w.tenant, &w.channels[0]);
		world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(20));
		for (int i = 0; i < 8; i++) {
			if (i == 0 || !together)
				hold_draft_begin(&d, w.holds, &w.txn);
			got[together] += place_in(&d, NULL, "shop", Q(4)) == RC_OK;
			if (i == 7 || !together)
				hold_draft_end(&d);
		}
	}
	assert_int_equal(got[0], got[1]);
	assert_int_equal(got[0], 4); /* 10, 8, 6 and 4 were to be sold, then 2 */
}

static void test_partial(void **state)
{
	struct movement_line lines[] = {{.sku = STR("A-1"), .quantity = Q(5)}, {.sku = STR("A-2"), .quantity = Q(1)}};
	struct hold_request r = {.reservation_id = STR("r-1"), .channel = STR("shop"), .partial = true, .lines = lines};
	struct str shortage;
	struct hold *h;
	struct buf text;

	(void)state;
	r.line_count = 2;
	assert_int_equal(world_place_hold(&w, &r, &h, &shortage), RC_CONFLICT);
	assert_true(str_is(shortage, "[{\"sku\":\"A-1\",\"requested\":\"5\",\"available\":\"0\"},"
				     "{\"sku\":\"A-2\",\"requested\":\"1\",\"available\":\"0\"}]"));
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(2));
	world_move(&w, MOVE_RECEIVE, "A-1", "B", Q(1));
	assert_int_equal(world_place_hold(&w, &r, &h, &shortage), RC_OK);
	buf_init(&text, 4096);
	for (int reloaded = 0; reloaded < 2; reloaded++) {
		buf_reset(&text);
		hold_write(&text, w.holds, hold_find(w.holds, STR("r-1")), HOLD_HELD);
		buf_add_char(&text, '\0');
		if (!strstr(text.p, "\"lines\":[{\"sku\":\"A-1\",\"requested\":\"5\",\"quantity\":\"2\",") ||
		    !strstr(text.p, "{\"sku\":\"A-2\",\"requested\":\"1\",\"available\":\"0\"}]}"))
			fail_msg(STR_FMT, STR_ARG(buf_str(&text)));
		world_commit(&w, 1);
		world_reload(&w);
	}
	buf_done(&text);
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_HELD), Q(1));
	h = hold_find(w.holds, STR("r-1"));
	assert_int_equal(h->line_count, 2);
	hold_step_end(w.holds, &w.txn, h, HOLD_VOIDED);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(2));
}

/* Named by its row; what looks like such an id but is another's is for the row to say. */
static void test_made_ids(void **state)
{
	struct world_line line = {.sku = "A-1", .quantity = Q(1)};
	struct str shortage;
	struct hold *h;

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(600));
	for (int i = 1; i <= 600; i++) {
		assert_int_equal(world_hold(&w, NULL, "shop", &line, 1, &h, &shortage), RC_OK);
		assert_int_equal(h->seq, i);
		assert_int_equal(hold_seq_of_id(h->reservation_id), i);
	}
	assert_int_equal(hold_seq_of_id(STR("r-1")), 0);
	assert_int_equal(hold_seq_of_id(STR("")), 0);
}

/* ---- kits ---- */

static void test_kits(void **state)
{
	static const struct {
		const char *name;
		qty_t there[2]; /* of */
		struct world_line lines[2];
		bool partial;
		qty_t held[2];
		const char *shortage;
	} kits[] = {
	    {"whole", {4, 2}, {{.sku = "KIT", .quantity = Q(2)}}, false, {4, 2}, NULL},
	    {"one component short",
	     {9, 1},
	     {{.sku = "KIT", .quantity = Q(2)}},
	     false,
	     {0},
	     "[{\"sku\":\"KIT\",\"requested\":\"2\",\"available\":\"1\"}]"},
	    {"half a kit is none",
	     {3, 9},
	     {{.sku = "KIT", .quantity = Q(2)}},
	     false,
	     {0},
	     "[{\"sku\":\"KIT\",\"requested\":\"2\",\"available\":\"1\"}]"},
	    /* The ten ways, 3. */
	    {"a kit and its component count together",
	     {4, 9},
	     {{.sku = "KIT", .quantity = Q(2)}, {.sku = "A-1", .quantity = Q(1)}},
	     false,
	     {0},
	     "[{\"sku\":\"A-1\",\"requested\":\"1\",\"available\":\"0\"}]"},
	    {"two lines of a kit",
	     {6, 9},
	     {{.sku = "KIT", .quantity = Q(2)}, {.sku = "KIT", .quantity = Q(1)}},
	     false,
	     {6, 3},
	     NULL},
	    {"what there is: whole kits", {5, 9}, {{.sku = "KIT", .quantity = Q(4)}}, true, {4, 2}, NULL},
	    {"and what is left over for others",
	     {5, 9},
	     {{.sku = "KIT", .quantity = Q(4)}, {.sku = "A-2", .quantity = Q(9)}},
	     true,
	     {4, 9},
	     NULL},
	};

	for (size_t i = 0; i < COUNT(kits); i++) {
		struct movement_line lines[2];
		struct hold_request r = {.channel = STR("shop"), .partial = kits[i].partial, .lines = lines};
		struct str shortage = STR_NONE;
		struct hold *h;
		enum rc rc;

		set_up(state);
		world_record(&w, "KIT",
			     "{\"sku\":\"KIT\",\"components\":[{\"sku\":\"A-1\",\"quantity\":\"2\"},"
			     "{\"sku\":\"A-2\",\"quantity\":\"1\"}]}");
		for (int n = 0; n < 2; n++)
			world_move(&w, MOVE_RECEIVE, n ? "A-2" : "A-1", "A", Q(kits[i].there[n]));
		r.line_count = world_lines(kits[i].lines, kits[i].lines[1].sku ? 2 : 1, lines);
		rc = world_place_hold(&w, &r, &h, &shortage);
		if (rc != (kits[i].shortage ? RC_CONFLICT : RC_OK) ||
		    (kits[i].shortage && !str_is(shortage, kits[i].shortage)))
			fail_msg("%s: %d " STR_FMT, kits[i].name, rc, STR_ARG(shortage));
		for (int n = 0; n < 2; n++) {
			const char *sku = n ? "A-2" : "A-1";

			if (world_state(&w, sku, "A", STOCK_HELD) != Q(kits[i].held[n]) ||
			    world_state(&w, sku, "A", STOCK_FREE) != Q(kits[i].there[n] - kits[i].held[n]))
				fail_msg("%s: %s", kits[i].name, sku);
		}
		tear_down(state);
	}
}

/* ---- quota ---- */

static void test_quota(void **state)
{
	static const struct {
		const char *name;
		qty_t units;
		int32_t ppm;
		uint32_t holds;
		int admitted; /* of holds for 3 of 30 each */
	} quotas[] = {{"none", 0, 0, 0, 10},        {"holds", 0, 0, 2, 2},        {"units", Q(7), 0, 0, 2},
		      {"all of it", Q(9), 0, 0, 3}, {"a share", 0, 200000, 0, 2}, {"both", Q(7), 0, 1, 1}};

	for (size_t i = 0; i < COUNT(quotas); i++) {
		struct world_line line = {.sku = "A-1", .quantity = Q(3)};
		struct str shortage;
		struct hold *h;
		int admitted = 0;
		char ids[11][16];

		set_up(state);
		w.channels[0].quota_units = quotas[i].units;
		w.channels[0].quota_ppm = quotas[i].ppm;
		w.channels[0].quota_holds = quotas[i].holds;
		world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(30));
		for (int n = 0; n < 11; n++) {
			snprintf(ids[n], sizeof(ids[n]), "r-%d", n);
			admitted += world_hold(&w, ids[n], "shop", &line, 1, &h, &shortage) == RC_OK;
		}
		if (admitted != quotas[i].admitted)
			fail_msg("%s: %d", quotas[i].name, admitted);
		/* The same after a reload, and what has ended counts no more. */
		world_commit(&w, 1);
		world_reload(&w);
		if (quotas[i].admitted < 10)
			assert_int_equal(world_hold(&w, "more", "shop", &line, 1, &h, &shortage), RC_CONFLICT);
		hold_step_end(w.holds, &w.txn, hold_find(w.holds, STR("r-0")), HOLD_VOIDED);
		assert_int_equal(world_hold(&w, "more", "shop", &line, 1, &h, &shortage), RC_OK);
		assert_int_equal(world_state(&w, "A-1", "A", STOCK_HELD), Q(3 * admitted));
		tear_down(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_admission),
	    TEST(test_lots_of_a_location_count_together),
	    TEST(test_last_unit),
	    TEST(test_refused),
	    TEST(test_limit),
	    TEST(test_strict),
	    TEST(test_one_movement_for_many),
	    TEST(test_strict_at_once),
	    TEST(test_partial),
	    TEST(test_made_ids),
	    cmocka_unit_test(test_kits),
	    cmocka_unit_test(test_quota),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
