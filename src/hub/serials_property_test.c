/*
 * Random histories of serial numbers against a small model: receipts, shipments, moves, returns, counts and reversals
 * with instants in any order, with and without lots, several in a batch, over restarts; and the same facts told in
 * different orders, which must leave the same registry.
 *
 * The model keeps every fact of each serial number and goes through those that stand in order of their instants, anew
 * for each question; it shares nothing with the registry but the names of the states.
 */
#include "base/test_history.h"
#include "hub/test_commands.h"

#include <limits.h>

#define SERIALS 8
#define LOTS    2
#define NO_LOT  LOTS
#define FACTS   4000
#define ROUNDS  120
#define SEEDS   4

enum model_kind { SAID, SEEN, MISSED };

struct model_fact {
	int serial, movement, minute;
	bool stands;
	enum model_kind kind;
	const char *state, *location;
	int lot; /* NO_LOT: it does not say */
};

/* What the facts of a serial number come to. */
struct model_state {
	const char *state, *location;
	int lot, minute; /* minute -1: there is none */
};

/* A count that was not stale, and what it named. */
struct model_counted {
	int movement, minute, at, lot;
};

struct model_movement {
	char id[64];
	bool count, reversed;
};

static struct {
	struct test_step *step; /* what is random comes from it */
	struct model_fact facts[FACTS];
	int fact_count;
	struct model_movement movements[ROUNDS * 4 + 8];
	int movement_count;
	int counted[2][LOTS + 1]; /* minute of the newest count by location and lot */
	struct model_counted counts[ROUNDS * 4 + 8];
	int count_count;
} model;

static const char *const locations[] = {"east", "west"};

static unsigned any(unsigned below)
{
	return (unsigned)test_draw(model.step, (int)below);
}

static bool is_here(const struct model_state *m, const char *location, int lot)
{
	static const char *const here[] = {"in_stock", "quarantined", "picked", "returned"};

	for (size_t i = 0; i < COUNT(here); i++)
		if (strcmp(m->state, here[i]) == 0)
			return strcmp(m->location, location) == 0 && (lot == NO_LOT || m->lot == lot);
	return false;
}

static void come_to(struct model_state *m, const struct model_fact *f)
{
	bool here = is_here(m, f->location, f->lot);

	m->minute = f->minute;
	if (f->kind == MISSED && !here)
		return;
	if (f->kind != SEEN || !here)
		m->state = f->state;
	m->location = f->location;
	if (f->lot != NO_LOT && f->kind != MISSED)
		m->lot = f->lot;
}

static bool is_before(const struct model_fact *f, int minute, int movement)
{
	return f->minute < minute || (f->minute == minute && f->movement < movement);
}

/* Before a movement. */
static struct model_state state_before(int serial, int minute, int movement)
{
	struct model_state m = {"unknown", "", NO_LOT, -1};
	static const struct model_fact *sorted[FACTS];
	int n = 0;

	for (int i = 0; i < model.fact_count; i++) {
		int at = n;

		if (model.facts[i].serial != serial || !model.facts[i].stands ||
		    !is_before(&model.facts[i], minute, movement))
			continue;
		for (; at > 0 && is_before(&model.facts[i], sorted[at - 1]->minute, sorted[at - 1]->movement); at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = &model.facts[i];
		n++;
	}
	for (int i = 0; i < n; i++)
		come_to(&m, sorted[i]);
	return m;
}

static struct model_state state_of(int serial)
{
	return state_before(serial, INT_MAX, 0);
}

static void note(int serial, int movement, int minute, enum model_kind kind, const char *state, const char *location,
		 int lot)
{
	assert_true(model.fact_count < FACTS);
	model.facts[model.fact_count++] =
	    (struct model_fact){serial, movement, minute, true, kind, state, location, lot};
}

static bool says(int serial, int movement)
{
	for (int i = 0; i < model.fact_count; i++)
		if (model.facts[i].serial == serial && model.facts[i].movement == movement && model.facts[i].stands)
			return true;
	return false;
}

/* After something of that movement has changed: later counts that did not name it have missed it where it was. */
static void recount(int serial, int minute, int movement)
{
	for (int i = 0; i < model.count_count; i++) {
		const struct model_counted *first = NULL;
		struct model_state m;

		/* By their instants, and as they were told. */
		for (int k = 0; k < model.count_count; k++) {
			const struct model_counted *c = &model.counts[k];

			if (c->minute < minute || (c->minute == minute && c->movement <= movement))
				continue;
			if (!first || c->minute < first->minute ||
			    (c->minute == first->minute && c->movement < first->movement))
				first = c;
		}
		if (!first)
			return;
		minute = first->minute;
		movement = first->movement;
		m = state_before(serial, minute, movement);
		if (!says(serial, movement) && is_here(&m, locations[first->at], first->lot))
			note(serial, movement, minute, MISSED, "unknown", locations[first->at], first->lot);
	}
}

/* Of one lot, or of all. */
static bool is_stale(int minute, int at, int lot)
{
	for (int n = 0; n <= LOTS; n++)
		if ((lot == NO_LOT || n == lot || n == NO_LOT) && minute < model.counted[at][n])
			return true;
	return false;
}

/* A count that is not stale: of those that were named, and of those that are missing. */
static void model_count(const bool *named, int minute, int at, int lot)
{
	if (is_stale(minute, at, lot))
		return;
	for (int n = 0; n <= LOTS; n++)
		if (lot == NO_LOT || n == lot)
			model.counted[at][n] = minute;
	for (int s = 0; s < SERIALS; s++) {
		struct model_state m = state_of(s);

		if (named[s]) {
			note(s, model.movement_count, minute, SEEN, "in_stock", locations[at], lot);
			recount(s, minute, model.movement_count);
		} else if (m.minute <= minute && is_here(&m, locations[at], lot)) {
			note(s, model.movement_count, minute, MISSED, "unknown", locations[at], lot);
		}
	}
	model.counts[model.count_count++] = (struct model_counted){model.movement_count, minute, at, lot};
}

static const char *text_of(const char *type, const bool *named, int minute, int at, int lot)
{
	const char *list = "";
	int n = 0;

	for (int s = 0; s < SERIALS; s++)
		if (named[s])
			list = arena_printf(&world.arena, "%s%s'S%d'", list, n++ ? "," : "", s);
	return world_text(
	    "{'source':'wms','source_event_id':'m-%d','type':'%s','occurred_at':'2026-03-01T%02d:%02d:00Z',"
	    "'lines':[{'sku':'TV','location':'%s','quantity':'%d','serials':[%s]%s%s}]}",
	    model.movement_count, type, minute / 60, minute % 60, locations[at], n, list,
	    strcmp(type, "move") == 0 ? world_text(",'to_location':'%s'", locations[!at]) : "",
	    lot < NO_LOT ? world_text(",'lot':'L%d'", lot) : "");
}

static const struct {
	const char *type, *after;
} verbs[] = {{"receive", "in_stock"}, {"ship", "shipped"},   {"move", "in_stock"},
	     {"return", "returned"},  {"scrap", "scrapped"}, {"quarantine", "quarantined"},
	     {"clear", "in_stock"},   {"pick", "picked"},    {"count", NULL}};

/* Adds to what the step did. */
__attribute__((format(printf, 2, 3))) static void describe(const bool *named, const char *format, ...)
{
	char *text = model.step->text, *end = text + sizeof(model.step->text);
	va_list ap;

	text += strlen(text);
	va_start(ap, format);
	text += vsnprintf(text, (size_t)(end - text), format, ap);
	va_end(ap);
	for (int s = 0; named && s < SERIALS && text < end; s++)
		if (named[s])
			text += snprintf(text, (size_t)(end - text), " S%d", s);
	if (text < end)
		snprintf(text, (size_t)(end - text), "; ");
}

/* One movement into the queue, and what the model makes of it. */
static void tell(struct reply *r)
{
	unsigned verb = any(COUNT(verbs));
	bool named[SERIALS] = {false};
	int minute = (int)any(600), at = (int)any(2), lot = any(2) ? NO_LOT : (int)any(LOTS);

	for (unsigned n = 1 + any(3); n > 0; n--)
		named[any(SERIALS)] = true;
	model.movements[model.movement_count].count = !verbs[verb].after;
	describe(named, "m-%d: %s at %02d:%02d in %s%s of", model.movement_count, verbs[verb].type, minute / 60,
		 minute % 60, locations[at],
		 lot == NO_LOT ? ""
		 : lot         ? ", L1,"
			       : ", L0,");
	post(make_move_from(text_of(verbs[verb].type, named, minute, at, lot)), r);
	if (verbs[verb].after)
		for (int s = 0; s < SERIALS; s++) {
			if (!named[s])
				continue;
			note(s, model.movement_count, minute, SAID, verbs[verb].after,
			     locations[strcmp(verbs[verb].type, "move") ? at : !at], lot);
			recount(s, minute, model.movement_count);
		}
	else
		model_count(named, minute, at, lot);
	model.movement_count++;
}

/* Of a movement that was told before, perhaps in this batch; not of a count. */
static bool take_back(struct reply *r)
{
	int which = (int)any((unsigned)model.movement_count + 1);

	if (which >= model.movement_count || model.movements[which].count || model.movements[which].reversed)
		return false;
	model.movements[which].reversed = true;
	describe(NULL, "m-%d is taken back", which);
	post(make_move_from(world_text("{'source':'wms','source_event_id':'r-%d','type':'reverse','occurred_at':"
				       "'2026-03-01T11:00:00Z','reverses_event_id':'m-%d'}",
				       which, which)),
	     r);
	for (int i = 0, count = model.fact_count; i < count; i++) {
		struct model_fact *f = &model.facts[i];

		if (f->movement != which || !f->stands)
			continue;
		f->stands = false;
		recount(f->serial, f->minute, which);
	}
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

static const char *text_at(const struct json *o, const char *name)
{
	return json_get(o, name) ? world_at(o, name) : "";
}

static const char *compare(void)
{
	static const char *const lots[] = {"L0", "L1", ""};
	const struct query_page page = {.limit = 100};
	const struct query_serials all = {0};
	const struct json *items = json_get(ASK(query_serials, STR("TV"), &all, &page), "items");
	static char wrong[160];

	for (uint32_t i = 0; i < items->count; i++) {
		const struct json *one = &items->items[i];
		int serial = world_at(one, "serial")[1] - '0';
		struct model_state m = state_of(serial);

		snprintf(wrong, sizeof(wrong), "S%d is %s at %s of '%s', the model says %s at %s of '%s'", serial,
			 text_at(one, "state"), text_at(one, "location"), text_at(one, "lot"), m.state, m.location,
			 lots[m.lot]);
		if (strcmp(text_at(one, "state"), m.state) != 0 || strcmp(text_at(one, "location"), m.location) != 0 ||
		    strcmp(text_at(one, "lot"), lots[m.lot]) != 0)
			return wrong;
	}
	return items->count == named_ever() ? NULL : "not all that were named are known";
}

/* The ledger itself may be negative in such a history. */
static const char *check_serials(void)
{
	const struct json *checks = json_get(ASK(query_audit), "checks");

	for (uint32_t i = 0; i < checks->count; i++)
		if (str_is(json_get_text(&checks->items[i], "name"), "serials"))
			return json_get(&checks->items[i], "ok")->boolean ? NULL : "the audit finds the registry wrong";
	return "the audit has no check of serial numbers";
}

static void make_tracked(void)
{
	struct command *c = make_item("TV", "erp");

	c->record.item = (struct item_record){
	    .sku = STR("TV"), .base_uom = STR("EA"), .lot_tracked = true, .serials = ITEM_SERIALS_FULL};
	c->record.rules = STR("{\"sku\":\"TV\",\"base_uom\":\"EA\",\"tracking\":\"lot_and_serial\"}");
	assert_int_equal(do_command(c).status, 200);
}

static void begin(uint64_t seed)
{
	(void)seed;
	memset(&model, 0, sizeof(model));
	world_init();
	world_open();
	make_tracked();
}

static const char *step(struct test_step *s)
{
	struct reply replies[4];
	unsigned count = 0;

	model.step = s;
	for (unsigned n = 1 + any(3); n > 0; n--) {
		if (any(4) > 0)
			tell(&replies[count++]);
		else if (take_back(&replies[count]))
			count++;
	}
	run();
	for (unsigned n = 0; n < count; n++)
		if (replies[n].status != 200) {
			describe(NULL, "%s", replies[n].body);
			return "a movement was refused";
		}
	if (any(40) == 0) {
		describe(NULL, "restart");
		reopen();
	}
	return compare();
}

static void end(void)
{
	world_close();
	world_done();
}

static void test_facts(void **state)
{
	(void)state;
	test_histories(&(struct test_history){
	    .steps = ROUNDS, .seeds = SEEDS, .begin = begin, .step = step, .settle = check_serials, .end = end});
}

/* ---- the same facts in different orders ---- */

#define SHUFFLED 60
#define ORDERS   6

struct told_fact {
	unsigned verb;
	bool named[SERIALS];
	int at, lot;
};

static void make_facts(struct told_fact *facts)
{
	memset(facts, 0, SHUFFLED * sizeof(*facts));
	for (int i = 0; i < SHUFFLED; i++) {
		facts[i].verb = any(COUNT(verbs) - 1); /* no counts: they say something of what nobody named */
		facts[i].at = (int)any(2);
		facts[i].lot = any(2) ? NO_LOT : (int)any(LOTS);
		for (unsigned n = 1 + any(3); n > 0; n--)
			facts[i].named[any(SERIALS)] = true;
	}
}

/* The registry after the facts in that order, a few in a batch. */
static void registry_after(const struct told_fact *facts, const int *order, char *out, size_t size)
{
	const struct query_page page = {.limit = 100};
	const struct query_serials all = {0};
	const struct json *items;
	size_t length = 0;

	world_init();
	world_open();
	make_tracked();
	for (int i = 0; i < SHUFFLED;) {
		struct reply replies[4];
		int n = 0;

		for (; n < 4 && i < SHUFFLED && (n == 0 || any(3) > 0); n++, i++) {
			const struct told_fact *f = &facts[order[i]];

			model.movement_count = order[i];
			post(make_move_from(text_of(verbs[f->verb].type, f->named, order[i], f->at, f->lot)),
			     &replies[n]);
		}
		run();
		for (int k = 0; k < n; k++)
			assert_int_equal(replies[k].status, 200);
	}
	items = json_get(ASK(query_serials, STR("TV"), &all, &page), "items");
	for (uint32_t i = 0; i < items->count; i++) {
		const struct json *one = &items->items[i];

		length += (size_t)snprintf(out + length, size - length, "%s %s %s '%s' %s\n", text_at(one, "serial"),
					   text_at(one, "state"), text_at(one, "location"), text_at(one, "lot"),
					   text_at(one, "occurred_at"));
		assert_true(length < size);
	}
	assert_null(check_serials());
	world_close();
	world_done();
}

static void test_any_order(void **state)
{
	static struct told_fact facts[SHUFFLED];
	char in_order[4096], other[4096];
	int order[SHUFFLED];

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct test_step s = {.word = seed * 0x9e3779b97f4a7c15u};

		memset(&model, 0, sizeof(model));
		model.step = &s;
		make_facts(facts);
		for (int i = 0; i < SHUFFLED; i++)
			order[i] = i;
		registry_after(facts, order, in_order, sizeof(in_order));
		for (int n = 0; n < ORDERS; n++) {
			for (int i = SHUFFLED - 1; i > 0; i--) {
				int with = (int)any((unsigned)i + 1), was = order[i];

				order[i] = order[with];
				order[with] = was;
			}
			registry_after(facts, order, other, sizeof(other));
			if (strcmp(in_order, other) != 0)
				fail_msg("seed %llu: in order:\n%sin another:\n%s", (unsigned long long)seed, in_order,
					 other);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_facts, test_history_teardown),
					   cmocka_unit_test(test_any_order)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
