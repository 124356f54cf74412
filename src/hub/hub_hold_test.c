/* What a tenant's hub does with reservations. After every test the books add up. */
#include "hub/test_commands.h"

static void test_holds(void **state)
{
	struct reply r, again, o;
	(void)state;

	move("receive", "1", "A:10");
	r = do_command(make_hold("r1", "shop", "A:4", 60));
	assert_int_equal(r.status, 201);
	assert_string_equal(stock_of("A"), "free 6 held 4");
	again = do_command(make_hold("r1", "shop", "A:4", 60));
	assert_true(again.replayed);
	assert_string_equal(again.body, r.body);
	check_refused(do_command(make_hold("r1", "shop", "A:5", 60)), 409, "reservation_exists");

	r = do_command(make_hold("", "shop", "A:7 A:2", 60));
	check_refused(r, 409, "insufficient_stock");
	assert_non_null(strstr(r.body, "\"short\":[{\"sku\":\"A\",\"requested\":\"7\",\"available\":\"6\"}"));
	assert_string_equal(stock_of("A"), "free 6 held 4");

	/* To an order that needs three of them: the fourth is free again. */
	move("adjust", "2", "A:-6");
	o = order("1", "A:3");
	assert_string_equal(order_at(o.id, "status"), "backordered");
	r = do_command(make_commit("r1", o.id));
	assert_int_equal(r.status, 200);
	assert_string_equal(order_at(o.id, "status"), "reserved");
	assert_string_equal(stock_of("A"), "free 1 allocated 3");
	assert_int_equal(do_command(make_commit("r1", o.id)).status, 200);
	check_refused(do_command(make_target(COMMAND_HOLD_VOID, "r1")), 409, "reservation_ended");
	check_refused(do_command(make_hold("r1", "shop", "A:4", 60)), 409, "reservation_ended");
	check_refused(do_command(make_commit("none", o.id)), 404, "reservation_not_found");

	do_command(make_hold("r2", "shop", "A:1", 60));
	check_refused(do_command(make_commit("r2", "none")), 404, "order_not_found");
	assert_int_equal(do_command(make_target(COMMAND_HOLD_VOID, "r2")).status, 200);
	assert_int_equal(do_command(make_target(COMMAND_HOLD_VOID, "r2")).status, 200);
	assert_string_equal(stock_of("A"), "free 1 allocated 3");
	assert_int_equal(count_events("reservation.voided"), 1);
}

/* Several in one command: each has its own answer, and what one takes the next has not. */
static void test_holds_of_one_command(void **state)
{
	static const char *const documents =
	    "[{'reservation_id':'r1','channel':'shop','lines':[{'sku':'A','quantity':'2'}]},"
	    "{'channel':'shop','lines':[{'sku':'A','quantity':'2'}]},"
	    "{'reservation_id':'r3','channel':'shop','lines':[{'sku':'A','quantity':'2'}]},"
	    "{'reservation_id':'r1','channel':'shop','lines':[{'sku':'A','quantity':'2'}]},"
	    "{'reservation_id':'r1','channel':'shop','lines':[{'sku':'A','quantity':'1'}]},"
	    "{'channel':'shop','partial':true,'lines':[{'sku':'A','quantity':'2'}]}]";
	struct json *items;
	struct reply r, o;
	(void)state;

	move("receive", "1", "A:5");
	r = do_command(make_hold_documents(world_text("%s", documents)));
	assert_int_equal(r.status, 200);
	assert_string_equal(stock_of("A"), "held 5");
	assert_int_equal(count_events("reservation.held"), 3);
	assert_int_equal(json_parse(&world.arena, arena_copy(&world.arena, str_from(r.body)), NULL, &items, NULL),
			 RC_OK);
	assert_string_equal(world_at(items, "items/0/reservation_id"), "r1");
	assert_string_equal(world_at(items, "items/0/status"), "held");
	assert_string_equal(world_at(items, "items/1/lines/0/quantity"), "2");
	assert_string_equal(world_at(items, "items/2/problem/code"), "insufficient_stock");
	assert_string_equal(world_at(items, "items/2/problem/short/0/available"), "1");
	assert_string_equal(world_at(items, "items/3/reservation_id"), "r1");
	assert_string_equal(world_at(items, "items/4/problem/code"), "reservation_exists");
	assert_string_equal(world_at(items, "items/5/lines/0/requested"), "2");
	assert_string_equal(world_at(items, "items/5/lines/0/quantity"), "1");
	char made[64];
	snprintf(made, sizeof(made), "%s", world_at(items, "items/1/reservation_id"));
	reopen();
	assert_string_equal(world_at(ASK(query_reservation, str_from(made)), "status"), "held");
	assert_int_equal(do_command(make_target(COMMAND_HOLD_VOID, made)).status, 200);
	assert_string_equal(stock_of("A"), "free 2 held 3");
	assert_string_equal(world_at(ASK(query_reservation, str_from(made)), "status"), "voided");
	/* An id that says it is of a row, which is another one's. */
	made[0] = made[0] == '0' ? '1' : '0';
	check_refused(do_command(make_target(COMMAND_HOLD_VOID, made)), 404, "reservation_not_found");

	/* In part, over a restart. */
	o = order("1", "A:4");
	r = do_command(make_commit_part("r1", o.id, "A:1", true));
	assert_int_equal(r.status, 200);
	assert_non_null(strstr(r.body, "\"status\":\"held\""));
	reopen();
	assert_string_equal(world_at(ASK(query_reservation, STR("r1")), "lines/0/quantity"), "1");
	check_refused(do_command(make_commit_part("r1", o.id, "A:2", true)), 409, "more_than_held");
	r = do_command(make_commit_part("r1", o.id, "A:1", true));
	assert_non_null(strstr(r.body, "\"status\":\"committed\""));
	assert_string_equal(stock_of("A"), "held 1 allocated 4");
}

static void test_holds_expire(void **state)
{
	(void)state;
	move("receive", "1", "A:10");
	do_command(make_hold("long", "shop", "A:1", 3600));
	do_command(make_hold("short", "shop", "A:2", 60));
	do_command(make_hold("middle", "shop", "A:3", 120));
	world.now += 59999;
	run();
	assert_string_equal(stock_of("A"), "free 4 held 6");
	world.now += 1;
	run();
	assert_string_equal(stock_of("A"), "free 6 held 4");
	assert_string_equal(world_at(ASK(query_reservation, STR("short")), "status"), "expired");
	reopen();
	world.now += 60000;
	/* What expires is there for the same batch's commands, and the hold is gone for them. */
	struct reply commit, hold;
	struct reply o = order("1", "A:1");
	post(make_commit("middle", o.id), &commit);
	post(make_hold("", "shop", "A:8", 60), &hold);
	run();
	check_refused(commit, 409, "reservation_ended");
	assert_int_equal(hold.status, 201);
	assert_string_equal(stock_of("A"), "held 9 allocated 1");
	assert_int_equal(count_events("reservation.expired"), 2);
}

/* A channel that is strict may hold what it is shown, not what is there: half of 10, less a buffer of 1. */
static void test_a_strict_channel(void **state)
{
	(void)state;
	move("receive", "1", "A:10@east A:10@west");
	assert_string_equal(available("portal", "A"), "4");
	check_refused(do_command(make_hold("", "portal", "A:5", 60)), 409, "insufficient_stock");
	check_refused(do_command(make_hold("", "portal", "A:3 A:2", 60)), 409, "insufficient_stock");
	assert_int_equal(do_command(make_hold("", "portal", "A:4", 60)).status, 201);
	assert_int_equal(do_command(make_hold("", "shop", "A:16", 60)).status, 201);
	assert_string_equal(stock_of("A"), "held 20");
}

static void test_an_order_takes_its_reservation(void **state)
{
	(void)state;
	move("receive", "1", "A:5");
	do_command(make_hold("r1", "shop", "A:5", 60));
	struct command *c = make_order_from(
	    world_text("{'channel':'shop','external_id':'1','placed_at':'2026-03-01T11:00:00Z','currency':'GBP',"
		       "'reservation_id':'r1','lines':%s}",
		       world_lines("A:4", "")));
	struct reply r = do_command(c);
	assert_string_equal(order_at(r.id, "status"), "reserved");
	assert_string_equal(stock_of("A"), "free 1 allocated 4");
	assert_int_equal(count_exceptions(NULL), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_holds),
	    TEST(test_holds_of_one_command),
	    TEST(test_holds_expire),
	    TEST(test_a_strict_channel),
	    TEST(test_an_order_takes_its_reservation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
