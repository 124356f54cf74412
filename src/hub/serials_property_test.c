/*
 * Random histories of serial numbers against a small model: receipts, shipments, moves, returns, counts and reversals
 * with instants in any order, several in a batch, over restarts.
 *
 * The model keeps every fact of each serial number and looks for the last one that stands; it shares nothing with the
 * registry but the names of the states. CROSSDOCK_SEED runs one seed.
 */
#include "hub/test_world.h"

#define SERIALS 8
#define FACTS   4000
#define ROUNDS  120
#define SEEDS   4

struct model_fact {
	int serial, movement, minute;
	bool stands;
	const char *state, *location;
};

struct model_movement {
	char id[64];
	bool count, reversed;
};

static struct {
	uint64_t seed;
	struct model_fact facts[FACTS];
	int fact_count;
	struct model_movement movements[ROUNDS * 4 + 8];
	int movement_count;
	int counted[2]; /* minute of the newest count by location */
} model;

static const char *const locations[] = {"east", "west"};

static unsigned any(unsigned below)
{
	model.seed = model.seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(model.seed >> 33) % below;
}

static const struct model_fact *last_of(int serial)
{
	const struct model_fact *best = NULL;

	for (int i = 0; i < model.fact_count; i++) {
		const struct model_fact *f = &model.facts[i];

		if (f->serial == serial && f->stands && (!best || f->minute >= best->minute))
			best = f;
	}
	return best;
}

static bool is_here(const struct model_fact *f, const char *location)
{
	static const char *const here[] = {"in_stock", "quarantined", "picked", "returned"};

	for (size_t i = 0; f && i < COUNT(here); i++)
		if (strcmp(f->state, here[i]) == 0)
			return strcmp(f->location, location) == 0;
	return false;
}

static void note(int serial, int minute, const char *state, const char *location)
{
	assert_true(model.fact_count < FACTS);
	model.facts[model.fact_count++] =
	    (struct model_fact){serial, model.movement_count, minute, true, state, location};
}

/* A count that is not stale: of those that were named, and of those that are missing. */
static void model_count(const bool *named, int minute, int at)
{
	const char *here = locations[at];
	const char *states[SERIALS];

	if (minute < model.counted[at])
		return;
	model.counted[at] = minute;
	for (int s = 0; s < SERIALS; s++) {
		const struct model_fact *f = last_of(s);
		bool late = f && f->minute > minute;

		states[s] = NULL;
		if (named[s])
			states[s] = !late && is_here(f, here) ? f->state : "in_stock";
		else if (f && !late && is_here(f, here))
			states[s] = "unknown";
	}
	for (int s = 0; s < SERIALS; s++)
		if (states[s])
			note(s, minute, states[s], here);
}

static const char *text_of(const char *type, const bool *named, int minute, int at)
{
	const char *list = "";
	int n = 0;

	for (int s = 0; s < SERIALS; s++)
		if (named[s])
			list = arena_printf(&world.arena, "%s%s'S%d'", list, n++ ? "," : "", s);
	return world_text(
	    "{'source':'wms','source_event_id':'m-%d','type':'%s','occurred_at':'2026-03-01T%02d:%02d:00Z',"
	    "'lines':[{'sku':'TV','location':'%s','quantity':'%d','serials':[%s]%s}]}",
	    model.movement_count, type, minute / 60, minute % 60, locations[at], n, list,
	    strcmp(type, "move") == 0 ? world_text(",'to_location':'%s'", locations[!at]) : "");
}

/* One movement into the queue, and what the model makes of it. */
static void tell(struct reply *r)
{
	static const struct {
		const char *type, *after;
	} verbs[] = {{"receive", "in_stock"}, {"ship", "shipped"},   {"move", "in_stock"},
		     {"return", "returned"},  {"scrap", "scrapped"}, {"quarantine", "quarantined"},
		     {"clear", "in_stock"},   {"pick", "picked"},    {"count", NULL}};
	unsigned verb = any(COUNT(verbs));
	bool named[SERIALS] = {false};
	int minute = (int)any(600), at = (int)any(2);

	for (unsigned n = 1 + any(3); n > 0; n--)
		named[any(SERIALS)] = true;
	model.movements[model.movement_count].count = !verbs[verb].after;
	post(make_move_from(text_of(verbs[verb].type, named, minute, at)), r);
	if (verbs[verb].after)
		for (int s = 0; s < SERIALS; s++) {
			if (named[s])
				note(s, minute, verbs[verb].after,
				     locations[strcmp(verbs[verb].type, "move") ? at : !at]);
		}
	else
		model_count(named, minute, at);
	model.movement_count++;
}

/* Of a movement that was told before, perhaps in this batch; not of a count. */
static bool take_back(struct reply *r)
{
	int which = (int)any((unsigned)model.movement_count + 1);

	if (which >= model.movement_count || model.movements[which].count || model.movements[which].reversed)
		return false;
	model.movements[which].reversed = true;
	post(make_move_from(world_text("{'source':'wms','source_event_id':'r-%d','type':'reverse','occurred_at':"
				       "'2026-03-01T11:00:00Z','reverses_event_id':'m-%d'}",
				       which, which)),
	     r);
	for (int i = 0; i < model.fact_count; i++)
		if (model.facts[i].movement == which)
			model.facts[i].stands = false;
	return true;
}

static uint32_t named_ever(void)
{
	bool named[SERIALS] = {false};
	uint32_t count = 0;

	for (int i = 0; i < model.fact_count; i++) {
		count += !named[model.facts[i].serial];
		named[model.facts[i].serial] = true;
	}
	return count;
}

static void compare(uint64_t seed)
{
	const struct query_page page = {.limit = 100};
	const struct query_serials all = {0};
	const struct json *items = json_get(ASK(query_serials, STR("TV"), &all, &page), "items");

	for (uint32_t i = 0; i < items->count; i++) {
		int serial = world_at(&items->items[i], "serial")[1] - '0';
		const struct model_fact *f = last_of(serial);
		const char *state = f ? f->state : "unknown", *location = f ? f->location : "";

		if (strcmp(world_at(&items->items[i], "state"), state) != 0 ||
		    strcmp(world_at(&items->items[i], "location"), location) != 0)
			fail_msg("seed %llu: S%d is %s at %s, the model says %s at %s", (unsigned long long)seed,
				 serial, world_at(&items->items[i], "state"), world_at(&items->items[i], "location"),
				 state, location);
	}
	assert_int_equal(items->count, named_ever());
}

/* The ledger itself may be negative in such a history. */
static void check_serials(void)
{
	const struct json *checks = json_get(ASK(query_audit), "checks");
	bool seen = false;

	for (uint32_t i = 0; i < checks->count; i++) {
		if (!str_is(json_get_text(&checks->items[i], "name"), "serials"))
			continue;
		seen = true;
		assert_true(json_get(&checks->items[i], "ok")->boolean);
	}
	assert_true(seen);
}

static void make_tracked(void)
{
	struct command *c = make_item("TV", "erp");

	c->record.item = (struct item_record){.sku = STR("TV"), .base_uom = STR("EA"), .serials = ITEM_SERIALS_FULL};
	c->record.rules = STR("{\"sku\":\"TV\",\"base_uom\":\"EA\",\"tracking\":\"serial\"}");
	assert_int_equal(do_command(c).status, 200);
}

static void run_seed(uint64_t seed)
{
	memset(&model, 0, sizeof(model));
	model.seed = seed * 2654435761u + 1;
	world_init();
	world_open();
	make_tracked();
	for (int round = 0; round < ROUNDS; round++) {
		struct reply replies[4];
		unsigned count = 0;

		for (unsigned n = 1 + any(3); n > 0; n--) {
			if (any(4) > 0)
				tell(&replies[count++]);
			else if (take_back(&replies[count]))
				count++;
		}
		run();
		for (unsigned n = 0; n < count; n++)
			if (replies[n].status != 200)
				fail_msg("seed %llu: %s", (unsigned long long)seed, replies[n].body);
		if (any(40) == 0) {
			world_close();
			world_open();
		}
		if (round % 10 == 0 || round == ROUNDS - 1)
			compare(seed);
	}
	check_serials();
	world_close();
	world_done();
}

static void test_histories(void **state)
{
	const char *one = getenv("CROSSDOCK_SEED");

	(void)state;
	if (one)
		run_seed(strtoull(one, NULL, 10));
	for (uint64_t seed = 1; !one && seed <= SEEDS; seed++)
		run_seed(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_histories)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
