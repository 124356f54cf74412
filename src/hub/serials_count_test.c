/* Counts that name serial numbers: what they find and miss, what is heard of later, and what explains it. */
#include "hub/test_serials.h"

static void test_counts(void **state)
{
	(void)state;
	record("TV", ",'tracking':'serial'");
	tell((struct fact){"receive", .serials = "S1 S2 S3", .minute = 1});
	tell((struct fact){"receive", .location = "west", .serials = "S4", .minute = 1});
	tell((struct fact){"receive", .serials = "S5", .minute = 30});
	/* S2 is not found; S4 was thought to be at west; S5 came after the count's instant. */
	tell((struct fact){"count", .serials = "S1 S3 S4", .minute = 10});
	assert_string_equal(drifts(), "serial_found:S4 serial_missing:S2");
	assert_where("S1", "in_stock east");
	assert_where("S2", "unknown east");
	assert_where("S4", "in_stock east");
	assert_where("S5", "in_stock east");
	reopen();
	/* Too few are named to say which are missing; an older count says nothing. */
	tell((struct fact){"count", .serials = "S1", .quantity = 3, .minute = 20});
	tell((struct fact){"count", .serials = "S1", .minute = 5});
	assert_where("S3", "in_stock east");
	assert_string_equal(drifts(), "serial_found:S4 serial_missing:S2 serials_differ:");
	/* Nothing is there: all are missing. */
	tell((struct fact){"count", .quantity = 0, .minute = 40});
	assert_where("S5", "unknown east");
}

/* The exceptions serial_missing that are open, or all that there ever were. */
static int missing(bool open)
{
	const struct query_page page = {.limit = 1000};
	const struct json *items = json_get(ASK(query_exceptions, &page), "items");
	int count = 0;

	for (uint32_t i = 0; i < items->count; i++)
		count += str_is(json_get_text(&items->items[i], "kind"), "serial_missing") &&
			 (!open || str_is(json_get_text(&items->items[i], "status"), "open"));
	return count;
}

/* A person closes that of a serial number. */
static struct command *make_resolve(const char *serial)
{
	const struct query_page page = {.limit = 1000};
	const struct json *items = json_get(ASK(query_exceptions, &page), "items");
	struct command *c = command_new(COMMAND_EXCEPTION_RESOLVE);

	for (uint32_t i = 0; i < items->count; i++) {
		struct str detail = json_get_text(&items->items[i], "detail");

		if (memmem(detail.p, detail.n, serial, strlen(serial)))
			c->target = arena_copy(&c->arena, json_get_text(&items->items[i], "exception_id"));
	}
	assert_true(c->target.n > 0);
	c->reason = STR("seen");
	return c;
}

/* What is told after a full count, and happened before it: as if it had been told in order. */
static const struct late_case {
	const char *name;
	struct fact facts[5];
	const char *where;
	int raised, open; /* serial_missing */
} late_cases[] = {
    {"in order", {RECEIVED, {"count", .quantity = 0, .minute = 10}}, "unknown east", 1, 1},
    {"a receipt that the count lacked", {{"count", .quantity = 0, .minute = 10}, RECEIVED}, "unknown east", 1, 1},
    {"of the count's instant, told after it", {{"count", .quantity = 0, .minute = 1}, RECEIVED}, "in_stock east", 0, 0},
    {"after the count", {{"count", .quantity = 0, .minute = 0}, RECEIVED}, "in_stock east", 0, 0},
    {"a receipt that the count named", {{"count", .serials = "S1", .minute = 10}, RECEIVED}, "in_stock east", 0, 0},
    {"at another place", {{"count", .location = "west", .quantity = 0, .minute = 10}, RECEIVED}, "in_stock east", 0, 0},
    {"a count of quantity only says nothing",
     {{"receive", .serials = "S2", .minute = 1}, {"count", .quantity = 1, .minute = 10}, RECEIVED},
     "in_stock east",
     0,
     0},
    {"moved there",
     {{"count", .location = "west", .quantity = 0, .minute = 10},
      RECEIVED,
      {"move", .serials = "S1", .line = ",'to_location':'west'", .minute = 5}},
     "unknown west",
     1,
     1},
    {"and gone before the count",
     {{"count", .quantity = 0, .minute = 10}, RECEIVED, {"ship", .serials = "S1", .minute = 5}},
     "shipped east",
     1,
     0},
    {"the first of two counts",
     {{"count", .quantity = 0, .minute = 10}, {"count", .quantity = 0, .minute = 20}, RECEIVED},
     "unknown east",
     1,
     1},
    {"between two counts",
     {{"count", .quantity = 0, .minute = 10},
      {"count", .quantity = 0, .minute = 20},
      {"receive", .serials = "S1", .minute = 15}},
     "unknown east",
     1,
     1},
    {"shipped after it was missed",
     {{"ship", .serials = "S1", .minute = 15}, {"count", .quantity = 0, .minute = 10}, RECEIVED},
     "shipped east",
     1,
     1},
    {"a shipment explains that it was missing",
     {RECEIVED, {"count", .quantity = 0, .minute = 10}, {"ship", .serials = "S1", .minute = 5}},
     "shipped east",
     1,
     0},
    {"a move does",
     {RECEIVED,
      {"count", .quantity = 0, .minute = 10},
      {"move", .serials = "S1", .line = ",'to_location':'west'", .minute = 5}},
     "in_stock west",
     1,
     0},
    {"a shipment after the count does not",
     {RECEIVED, {"count", .quantity = 0, .minute = 10}, {"ship", .serials = "S1", .minute = 15}},
     "shipped east",
     1,
     1},
    {"it was there again",
     {RECEIVED,
      {"count", .quantity = 0, .minute = 10},
      {"ship", .serials = "S1", .minute = 4},
      {"return", .serials = "S1", .minute = 6}},
     "unknown east",
     2,
     1},
};

static void test_late_facts_around_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT(late_cases); i++) {
		const struct late_case *c = &late_cases[i / 2];

		world_set_up(NULL);
		record("TV", ",'tracking':'serial'");
		for (size_t n = 0; n < COUNT(c->facts) && c->facts[n].type; n++) {
			tell(c->facts[n]);
			if (i % 2)
				reopen();
		}
		if (strcmp(where_of("TV", "S1"), c->where) != 0)
			fail_msg("%s: it is %s", c->name, where_of("TV", "S1"));
		if (missing(false) != c->raised || missing(true) != c->open)
			fail_msg("%s: %d are told, %d are open", c->name, missing(false), missing(true));
		check_audit();
		world_tear_down(NULL);
	}
}

/* The same by what is taken back: the fact that was missed or explains it, and the count itself. */
static void test_counts_and_reversals(void **state)
{
	struct reply ship, count, in;

	(void)state;
	record("TV", ",'tracking':'serial'");
	tell((struct fact){"receive", .serials = "S1", .minute = 1});
	ship = tell((struct fact){"ship", .serials = "S1", .minute = 5});
	count = tell((struct fact){"count", .quantity = 0, .minute = 10});
	assert_int_equal(missing(false), 0);
	reopen();
	assert_int_equal(do_command(make_reverse(ship.id)).status, 200); /* so the count has missed it */
	assert_where("S1", "unknown east");
	assert_int_equal(missing(true), 1);
	reopen();
	tell((struct fact){"scrap", .serials = "S1", .minute = 6});
	assert_where("S1", "scrapped east");
	assert_int_equal(missing(true), 0);
	/* Of a count that was taken back nothing is missing. */
	in = tell((struct fact){"receive", .serials = "S2", .minute = 2});
	assert_int_equal(in.status, 200);
	assert_where("S2", "unknown east");
	assert_int_equal(missing(true), 1);
	tell((struct fact){"adjust", .serials = "S3", .minute = 12});
	count = tell((struct fact){"count", .quantity = 0, .minute = 14});
	assert_int_equal(missing(true), 2);
	tell((struct fact){"receive", .serials = "S4", .minute = 13});
	assert_int_equal(missing(true), 3);
	reopen();
	assert_int_equal(do_command(make_reverse(count.id)).status, 200);
	assert_where("S2", "unknown east"); /* of the first count */
	assert_where("S3", "in_stock east");
	assert_where("S4", "in_stock east");
	assert_int_equal(missing(true), 1);
	reopen();
	tell((struct fact){"receive", .serials = "S5", .minute = 13});
	assert_where("S5", "in_stock east");
	assert_int_equal(missing(true), 1);
	check_audit();
}

/* What a person has closed is not closed again, in the same batch neither, and the other way round. */
static void test_closed_once(void **state)
{
	struct reply r[3];

	(void)state;
	record("TV", ",'tracking':'serial'");
	tell((struct fact){"receive", .serials = "S1 S2 S3", .minute = 1});
	tell((struct fact){"count", .quantity = 0, .minute = 10});
	assert_int_equal(missing(true), 3);
	post(make_resolve("S1"), &r[0]);
	run();
	assert_int_equal(r[0].status, 200);
	tell((struct fact){"ship", .serials = "S1", .minute = 5});
	assert_int_equal(missing(true), 2);
	post(make_resolve("S2"), &r[0]);
	post(make_move_from(fact_text(next_id(), (struct fact){"ship", .serials = "S2", .minute = 5})), &r[1]);
	run();
	assert_int_equal(r[0].status, 200);
	assert_int_equal(r[1].status, 200);
	assert_int_equal(missing(true), 1);
	post(make_move_from(fact_text(next_id(), (struct fact){"ship", .serials = "S3", .minute = 5})), &r[0]);
	post(make_resolve("S3"), &r[1]);
	run();
	assert_int_equal(r[0].status, 200);
	assert_int_equal(r[1].status, 409);
	assert_int_equal(missing(true), 0);
	check_audit();
	/* Raised and explained in one batch. */
	post(make_move_from(fact_text(next_id(), (struct fact){"receive", .serials = "S9", .minute = 2})), &r[0]);
	post(make_move_from(fact_text(next_id(), (struct fact){"scrap", .serials = "S9", .minute = 3})), &r[1]);
	run();
	assert_where("S9", "scrapped east");
	assert_int_equal(missing(true), 0);
	check_audit();
}

static void test_a_count_of_more_than_a_page(void **state)
{
	char serials[20000] = "";

	(void)state;
	record("TV", ",'tracking':'serial'");
	for (int i = 0; i < 1500; i++)
		snprintf(serials + strlen(serials), sizeof(serials) - strlen(serials), "%sN%04d", i ? " " : "", i);
	tell((struct fact){"receive", .serials = serials, .minute = 1});
	*strrchr(serials, ' ') = '\0';
	tell((struct fact){"count", .serials = serials, .minute = 2});
	assert_string_equal(drifts(), "serial_missing:N1499");
	/* Many at once are told one by one up to a number, then as a number. */
	tell((struct fact){"count", .quantity = 0, .minute = 3});
	assert_int_equal(count_events("serial.drift"), 1 + SERIALS_REPORTED_MAX);
	assert_int_equal(count_exceptions("serials_unexplained"), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_counts),      cmocka_unit_test(test_late_facts_around_counts), TEST(test_counts_and_reversals),
	    TEST(test_closed_once), TEST(test_a_count_of_more_than_a_page),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
