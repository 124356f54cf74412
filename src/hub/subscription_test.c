/* Subscriptions at the hub: who is told, who is disabled, and what a replay sends. */
#include "hub/test_commands.h"

#include "backbone/subscription.h"

#define DAY ((int64_t)86400 * 1000)

static void init(void)
{
	world_init();
	world_open();
}

static void done(void)
{
	world_close();
	world_done();
}

static void subscribe(const char *types)
{
	struct command *c = make_subscription(COMMAND_SUBSCRIPTION_CREATE, "");

	c->subscription.url = STR("https://example.com/hook?token=1");
	c->subscription.types = arena_copy(&c->arena, str_from(types));
	c->subscription.secret = STR("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
	assert_int_equal(do_command(c).status, 201);
}

static struct reply replay(const char *id, int64_t after)
{
	struct command *c = make_subscription(COMMAND_SUBSCRIPTION_REPLAY, id);

	c->subscription.after = after;
	return do_command(c);
}

static void enable(const char *id, bool enabled)
{
	struct command *c = make_subscription(COMMAND_SUBSCRIPTION_CHANGE, id);

	c->subscription.enabled = enabled;
	assert_int_equal(do_command(c).status, 200);
}

static struct subscription row_of(int64_t seq)
{
	struct subscription s;
	struct err e = ERR_NONE;

	assert_int_equal(subscription_load(world.reader, &world.arena, seq, &s, &e), RC_OK);
	return s;
}

/* The n-th delivery of a subscription since the start, from 0; NULL: there are fewer. */
static struct delivery_head *nth(int64_t seq, enum operation op, size_t n)
{
	for (size_t i = 0; i < world.head_count; i++)
		if (world.heads[i].seq && world.heads[i].system == subscription_system(seq) &&
		    world.heads[i].operation == op && n-- == 0)
			return &world.heads[i];
	return NULL;
}

static size_t how_many(int64_t seq, enum operation op)
{
	size_t n = 0;

	while (nth(seq, op, n))
		n++;
	return n;
}

/* What its attempt came to. */
static void ended(struct delivery_head *head, enum outcome outcome, int http_status)
{
	struct command *c = command_new(COMMAND_DELIVERY_RESULT);
	struct delivery d = delivery_of(head);

	c->correlation_id = d.correlation_id;
	c->results.items = arena_new(&c->arena, struct delivery_result);
	c->results.count = 1;
	c->results.items[0] = (struct delivery_result){.seq = head->seq,
						       .system = head->system,
						       .operation = head->operation,
						       .attempts = ++head->attempts,
						       .created_at = head->created_at,
						       .delivery_id = d.delivery_id,
						       .correlation_id = d.correlation_id,
						       .outcome = outcome,
						       .http_status = http_status,
						       .next_at = outcome == OUTCOME_DELIVERED ? 0 : world.now + 1000,
						       .at = world.now};
	assert_int_equal(do_command(c).status, 200);
}

static void failed(struct delivery_head *head)
{
	ended(head, OUTCOME_TECHNICAL, 500);
}

static void place_order(const char *id)
{
	assert_int_equal(do_command(make_order(id, "A:1")).status, 202);
}

static void test_who_is_told(void **state)
{
	(void)state;
	subscribe("order.captured");
	subscribe("order.*");
	place_order("1");
	assert_int_equal(how_many(1, OP_EVENT), 1);
	assert_true(how_many(2, OP_EVENT) > 1);
	enable("sub_1", false);
	place_order("2");
	assert_int_equal(how_many(1, OP_EVENT), 1);
	assert_int_equal(do_command(make_subscription(COMMAND_SUBSCRIPTION_TEST, "sub_1")).status, 409);
	assert_string_equal(replay("sub_1", 0).code, "subscription_disabled");
	assert_string_equal(replay("sub_3", 0).code, "subscription_not_found");
	assert_string_equal(replay("erp", 0).code, "subscription_not_found");
	enable("sub_1", true);
	place_order("3");
	assert_int_equal(how_many(1, OP_EVENT), 2);
	assert_true(str_is(delivery_of(nth(1, OP_EVENT, 0)).system, "sub_1"));
}

static void test_a_test(void **state)
{
	(void)state;
	subscribe("nothing");
	subscribe("nothing");
	struct reply r = do_command(make_subscription(COMMAND_SUBSCRIPTION_TEST, "sub_2"));
	assert_int_equal(r.status, 202);
	assert_int_equal(how_many(1, OP_EVENT), 0);
	assert_int_equal(how_many(2, OP_EVENT), 1);
	struct delivery d = delivery_of(nth(2, OP_EVENT, 0));
	assert_non_null(strstr(r.body, arena_printf(&world.arena, STR_FMT, STR_ARG(d.delivery_id))));
}

/* Time alone does not disable, nor do attempts alone. */
static void test_sustained_failure(void **state)
{
	(void)state;
	subscribe("order.captured");
	place_order("1");
	place_order("2");
	for (int i = 0; i < 20; i++)
		failed(nth(1, OP_EVENT, 0));
	assert_int_equal(row_of(1).state, SUBSCRIPTION_ENABLED);
	assert_int_equal(row_of(1).failures, 10);
	assert_int_equal(count_events("subscription.failing"), 0);
	ended(nth(1, OP_EVENT, 1), OUTCOME_DELIVERED, 200);
	assert_int_equal(row_of(1).failures, 0);
	assert_int_equal(row_of(1).failing_since, 0);

	failed(nth(1, OP_EVENT, 0));
	world.now += 6 * DAY;
	for (int i = 0; i < 3; i++)
		failed(nth(1, OP_EVENT, 0));
	assert_int_equal(count_events("subscription.failing"), 0); /* four are not half of ten */
	failed(nth(1, OP_EVENT, 0));
	failed(nth(1, OP_EVENT, 0));
	assert_int_equal(count_events("subscription.failing"), 1);
	reopen(); /* what has been counted is in the row */
	run();
	struct delivery_head head = {.seq = 1, .system = subscription_system(1), .operation = OP_EVENT, .attempts = 26};
	while (delivery_of(&head).head.operation != OP_EVENT)
		head.seq++;
	for (int i = 0; i < 3; i++)
		failed(&head);
	assert_int_equal(row_of(1).state, SUBSCRIPTION_ENABLED);
	failed(&head);
	assert_int_equal(row_of(1).state, SUBSCRIPTION_DISABLED);
	assert_int_equal(count_events("subscription.failing"), 1);
	assert_int_equal(count_events("subscription.disabled"), 1);
	enable("sub_1", true);
	assert_int_equal(row_of(1).failures, 0);
	assert_int_equal(row_of(1).failing_since, 0);
	assert_int_equal(row_of(1).reason.n, 0);
}

/* The answer is about what is kept, and tells no secret. */
static void test_rotation(void **state)
{
	(void)state;
	subscribe("order.captured");
	struct command *c = make_subscription(COMMAND_SUBSCRIPTION_ROTATE, "sub_1");
	c->subscription.secret = STR("whsec_AAAA9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
	c->subscription.keep_ms = DAY;
	struct reply r = do_command(c);
	assert_int_equal(r.status, 200);
	assert_non_null(strstr(r.body, "https://example.com/hook"));
	assert_non_null(strstr(r.body, "valid_until"));
	assert_null(strstr(r.body, "whsec_"));
	assert_int_equal(count_events("subscription.rotated"), 1);
}

static void test_gone(void **state)
{
	(void)state;
	subscribe("order.captured");
	place_order("1");
	ended(nth(1, OP_EVENT, 0), OUTCOME_TECHNICAL, 410);
	assert_int_equal(row_of(1).state, SUBSCRIPTION_DISABLED);
	assert_non_null(strstr(arena_printf(&world.arena, STR_FMT, STR_ARG(row_of(1).reason)), "410"));
}

/* Every event once, however often it is asked for while it runs. */
static void test_replays_are_merged(void **state)
{
	const int orders = 400;
	size_t seen = 0, at;
	int64_t *positions = arena_array(&world.arena, int64_t, 10000);

	(void)state;
	for (int i = 0; i < orders; i++)
		place_order(world_text("o%d", i));
	subscribe("order.captured");
	int64_t end = hub_position(world.hub);
	assert_int_equal(replay("sub_1", end / 2).status, 202);
	assert_int_equal(row_of(1).replay.asked.after, end / 2);
	assert_int_equal(replay("sub_1", end / 2 + 20).status, 202);
	assert_int_equal(replay("sub_1", end / 2).status, 202);
	assert_int_equal(replay("sub_1", 0).status, 202);
	for (int i = 0; i < 1000 && row_of(1).replay.count; i++)
		run();
	assert_int_equal(row_of(1).replay.count, 0);
	for (at = 0; nth(1, OP_EVENT_REPLAY, at); at++) {
		assert_int_equal(nth(1, OP_EVENT_REPLAY, at)->priority, PRIORITY_BULK);
		positions[seen++] = delivery_of(nth(1, OP_EVENT_REPLAY, at)).event;
	}
	assert_int_equal(seen, orders);
	for (size_t i = 0; i < seen; i++)
		for (size_t k = i + 1; k < seen; k++)
			assert_int_not_equal(positions[i], positions[k]);
	/* They are under way: not again. When they have been delivered, it is another replay. */
	assert_int_equal(replay("sub_1", end - 5).status, 202);
	run();
	assert_int_equal(how_many(1, OP_EVENT_REPLAY), orders);
	for (at = 0; at < seen; at++)
		ended(nth(1, OP_EVENT_REPLAY, at), OUTCOME_DELIVERED, 200);
	assert_int_equal(replay("sub_1", end - 5).status, 202);
	run();
	assert_true(how_many(1, OP_EVENT_REPLAY) > (size_t)orders);
}

static void test_a_replay_survives_a_restart(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++)
		place_order(world_text("o%d", i));
	subscribe("order.captured");
	assert_int_equal(replay("sub_1", 0).status, 202);
	struct replay_ranges before = row_of(1).replay;
	assert_true(before.count > 0);
	size_t sent = how_many(1, OP_EVENT_REPLAY);
	reopen();
	for (int i = 0; i < 1000 && row_of(1).replay.count; i++)
		run();
	assert_int_equal(sent + how_many(1, OP_EVENT_REPLAY), 200);
}

static void done_with(struct command *c, void *ctx)
{
	*(int *)ctx = c->answer.status;
	command_free(c);
}

static void test_deleting(void **state)
{
	int status = 0;

	(void)state;
	subscribe("order.captured");
	place_order("1");
	struct command *c = make_subscription(COMMAND_SUBSCRIPTION_DELETE, "sub_1");
	c->done = done_with;
	c->ctx = &status;
	assert_int_equal(hub_submit(world.hub, c), RC_OK);
	run();
	assert_int_equal(status, 204);
	struct subscription s = row_of(1);
	assert_int_equal(s.state, SUBSCRIPTION_DELETED);
	assert_int_equal(s.url.n + s.secrets.n + s.types.n, 0);
	failed(nth(1, OP_EVENT, 0)); /* nobody minds */
	place_order("2");
	assert_int_equal(how_many(1, OP_EVENT), 1);
	/* The engine is told that it need not keep it. */
	bool gone = false;
	for (size_t i = 0; i < world.head_count; i++)
		gone |= !world.heads[i].seq && world.heads[i].system == subscription_system(1) &&
			world.heads[i].status >= DELIVERY_FINAL;
	assert_true(gone);
	/* Its name is not given again, not even after a restart. */
	reopen();
	subscribe("*");
	assert_int_equal(row_of(2).state, SUBSCRIPTION_ENABLED);
}

static int setup(void **state)
{
	(void)state;
	init();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	done();
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_who_is_told),
	    TEST(test_a_test),
	    TEST(test_sustained_failure),
	    TEST(test_rotation),
	    TEST(test_gone),
	    TEST(test_replays_are_merged),
	    TEST(test_a_replay_survives_a_restart),
	    TEST(test_deleting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
