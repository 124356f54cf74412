/* What a tenant's hub does with orders while the ERP is away, and how it finds out that it is back. */
#include "hub/test_commands.h"

#define MINUTE 60000

static void configure(const char *policy)
{
	char text[4096];
	const char *at = strstr(world_yaml, "linger: 0ms}");

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*slinger: 0ms, when_erp_away: {%s}%s", (int)(at - world_yaml), world_yaml,
		 policy, at + strlen("linger: 0ms"));
	world_configure(text);
	world_open();
	assert_int_equal(do_command(make_move("receive", "1", "A:20@east B:20@east")).status, 200);
}

static int set_up(void **state)
{
	(void)state;
	world_init();
	return 0;
}

static void note(const char *type, const char *data)
{
	struct command *c = make_target(COMMAND_SYSTEM_NOTE, "erp");

	c->note.type = type;
	c->note.data = arena_copy(&c->arena, str_from(data));
	assert_int_equal(do_command(c).status, 200);
}

#define FAILS()   note("system.failing", "{\"system\":\"erp\"}")
#define IS_BACK() note("system.recovered", "{\"system\":\"erp\"}")

static void test_limits(void **state)
{
	static const struct {
		const char *policy, *lines;
		bool within;
	} rows[] = {
	    {"over_limit: hold", "A:1", false},
	    {"over_limit: hold, max_quantity: \"5\"", "A:5 B:5", true},
	    {"over_limit: hold, max_quantity: \"5\"", "A:5 B:6", false},
	    {"over_limit: hold, max_share: 50%", "A:10 B:10", true},
	    {"over_limit: hold, max_share: 50%", "A:6 A:5", false},
	    {"over_limit: hold, max_share: 0%", "A:1", false},
	    {"over_limit: hold, max_quantity: \"5\", max_share: 10%", "A:3", false},
	    {"over_limit: hold, max_quantity: \"5\", max_value: {XXX: \"9\"}", "A:1", false},
	    {"over_limit: accept, max_quantity: \"1\"", "A:9", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reply before, o;

		configure(rows[i].policy);
		before = order("before", rows[i].lines);
		assert_string_equal(order_at(before.id, "status"), "reserved");
		assert_int_equal(do_command(make_target(COMMAND_ORDER_CANCEL, before.id)).status, 200);
		FAILS();
		o = order("1", rows[i].lines);
		assert_string_equal(order_at(o.id, "status"), rows[i].within ? "reserved" : "on_hold");
		if (i + 1 == COUNT(rows))
			break;
		world_close();
		world_done();
		world_init();
	}
}

static void test_a_start_decides_the_same(void **state)
{
	struct reply o, p;

	(void)state;
	configure("over_limit: hold, max_quantity: \"5\"");
	FAILS();
	o = order("1", "A:6");
	reopen();
	p = order("2", "A:7");
	assert_string_equal(order_at(o.id, "status"), "on_hold");
	assert_string_equal(order_at(p.id, "status"), "on_hold");
	assert_int_equal(count_events("channel.erp_away"), 1);
	reopen();
	IS_BACK();
	run();
	assert_string_equal(order_at(o.id, "status"), "reserved");
	assert_string_equal(order_at(p.id, "status"), "reserved");
	assert_int_equal(count_events("channel.erp_back"), 1);
	assert_int_equal(count_events("exception.resolved"), 2);
}

/* Of the breaker of order.post too; that of another operation says nothing. */
static void test_a_breaker(void **state)
{
	struct reply o;

	(void)state;
	configure("over_limit: hold");
	note("delivery.breaker_opened", "{\"system\":\"erp\",\"operation\":\"price\"}");
	assert_string_equal(order_at(order("1", "A:1").id, "status"), "reserved");
	note("delivery.breaker_opened", "{\"system\":\"erp\",\"operation\":\"order.post\"}");
	o = order("2", "A:1");
	assert_string_equal(order_at(o.id, "status"), "on_hold");
	IS_BACK();
	assert_string_equal(order_at(o.id, "status"), "on_hold");
	note("delivery.breaker_closed", "{\"system\":\"erp\",\"operation\":\"order.post\"}");
	run();
	assert_string_equal(order_at(o.id, "status"), "reserved");
}

/* Nothing is sent while all is held: after a while one order goes and sees. */
static void test_one_order_goes_and_sees(void **state)
{
	struct reply o[3];
	struct delivery_head *probe;

	(void)state;
	configure("over_limit: hold");
	FAILS();
	for (int i = 0; i < 3; i++)
		o[i] = order(world_text("%d", i), "A:1");
	assert_null(find_delivery("erp", OP_ORDER_POST, o[0].id));
	assert_true(run() <= 30 * MINUTE);
	world.now += 30 * MINUTE;
	run();
	assert_string_equal(order_at(o[0].id, "status"), "reserved");
	assert_string_equal(order_at(o[1].id, "status"), "on_hold");
	probe = find_delivery("erp", OP_ORDER_POST, o[0].id);
	assert_non_null(probe);
	assert_true(start_delivery(probe));
	end_delivery(probe, (struct outcome_told){.outcome = OUTCOME_TECHNICAL, .next_at = world.now + MINUTE});
	run();
	assert_string_equal(order_at(o[1].id, "status"), "on_hold");
	deliver("erp", OP_ORDER_POST, o[0].id, "e-1");
	run();
	assert_string_equal(order_at(o[1].id, "status"), "reserved");
	assert_string_equal(order_at(o[2].id, "status"), "reserved");
	/* With nothing that waits it is over by itself. */
	FAILS();
	world.now += 30 * MINUTE;
	run();
	assert_string_equal(order_at(order("late", "A:1").id, "status"), "reserved");
}

/* What a reservation holds was promised already. */
static void test_what_is_held_is_not_judged_again(void **state)
{
	struct reply r, o;

	(void)state;
	configure("over_limit: refuse, max_quantity: \"2\"");
	assert_int_equal(do_command(make_hold("r", "shop", "A:10", 600)).status, 201);
	FAILS();
	r = do_command(make_hold("s", "shop", "A:3", 600));
	assert_int_equal(r.status, 503);
	assert_string_equal(r.code, "erp_away");
	assert_int_equal(do_command(make_hold("s", "shop", "A:2", 600)).status, 201);
	o = order("1", "A:3");
	assert_int_equal(o.status, 503);
	assert_string_equal(o.code, "erp_away");
	IS_BACK();
	assert_int_equal(order("1", "A:3").status, 202);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_limits, set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(test_a_start_decides_the_same, set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(test_a_breaker, set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(test_one_order_goes_and_sees, set_up, world_tear_down),
	    cmocka_unit_test_setup_teardown(test_what_is_held_is_not_judged_again, set_up, world_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
