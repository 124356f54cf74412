/* What operators change, at the hub: cancelled deliveries against the engine, jobs over restarts, old attempts. */
#include "hub/test_commands.h"

#include "hub/job.h"
#include "hub/query_repair.h"
#include "hub/unsent.h"

static struct reply an_order(const char *external_id)
{
	do_command(make_move("receive", external_id, "A:5"));
	return do_command(make_order(external_id, "A:1"));
}

static struct command *of_delivery(enum command_type type, const struct delivery_head *head)
{
	return make_target(type, arena_copy(&world.arena, delivery_of(head).delivery_id).p);
}

static void test_a_cancelled_delivery_is_not_started(void **state)
{
	(void)state;
	struct reply o = an_order("1");
	struct delivery_head *head = find_delivery("erp", OP_ORDER_POST, o.id);
	assert_int_equal(do_command(of_delivery(COMMAND_DELIVERY_CANCEL, head)).status, 200);
	assert_int_equal(world.change_count, 1);
	assert_int_equal(world.last_change.what, DELIVERY_WAS_CANCELLED);
	assert_int_equal(world.last_change.head.seq, head->seq);
	assert_int_equal(start_delivery(head), 0);
	assert_int_equal(delivery_of(head).head.status, DELIVERY_CANCELLED);
	assert_string_equal(do_command(of_delivery(COMMAND_DELIVERY_CANCEL, head)).code, "delivery_ended");
	assert_int_equal(count_events("delivery.cancelled"), 1);
}

static void test_start_and_cancel_in_one_batch(void **state)
{
	(void)state;
	struct reply o = an_order("1"), r, again;
	struct delivery_head *head = find_delivery("erp", OP_ORDER_POST, o.id);
	post(of_delivery(COMMAND_DELIVERY_CANCEL, head), &r);
	post(of_delivery(COMMAND_DELIVERY_RUN, head), &again);
	assert_int_equal(start_delivery(head), 0); /* all three in one batch */
	assert_int_equal(r.status, 200);
	assert_string_equal(again.code, "being_changed");

	o = an_order("2");
	head = find_delivery("erp", OP_ORDER_POST, o.id);
	assert_int_equal(start_delivery(head), 1);
	assert_string_equal(do_command(of_delivery(COMMAND_DELIVERY_CANCEL, head)).code, "delivery_sending");
}

/* Started, and nothing of it has left: who comes first, the cancellation or the sending, wins. */
static void test_what_is_prepared_is_cancelled(void **state)
{
	static const struct outcome_told taken_back = {.unsent = true};

	(void)state;
	for (int sent = 0; sent <= 1; sent++) {
		struct reply o = an_order(sent ? "2" : "1");
		struct delivery_head *head = find_delivery("erp", OP_ORDER_POST, o.id);
		unsent_add(hub_unsent(world.hub), head->seq);
		assert_int_equal(start_delivery(head), 1);
		if (sent)
			assert_true(unsent_remove(hub_unsent(world.hub), head->seq));
		struct reply r = do_command(of_delivery(COMMAND_DELIVERY_CANCEL, head));
		if (sent) {
			assert_string_equal(r.code, "delivery_sending");
			continue;
		}
		assert_int_equal(r.status, 200);
		assert_string_equal(do_command(of_delivery(COMMAND_DELIVERY_CANCEL, head)).code, "delivery_ended");
		assert_false(unsent_remove(hub_unsent(world.hub), head->seq));
		assert_int_equal(end_delivery(head, taken_back), DELIVERY_CANCELLED);
		assert_int_equal(delivery_of(head).head.status, DELIVERY_CANCELLED);
		assert_int_equal(delivery_of(head).head.attempts, 0);
	}
}

/* The same when the result that takes it back, or a second one, is in the cancellation's batch. */
static void test_what_is_prepared_is_cancelled_in_one_batch(void **state)
{
	static const struct outcome_told taken_back = {.unsent = true};
	struct reply o, r, again;

	(void)state;
	o = an_order("1");
	struct delivery_head *head = find_delivery("erp", OP_ORDER_POST, o.id);
	unsent_add(hub_unsent(world.hub), head->seq);
	assert_int_equal(start_delivery(head), 1);
	post(of_delivery(COMMAND_DELIVERY_CANCEL, head), &r);
	post(of_delivery(COMMAND_DELIVERY_CANCEL, head), &again);
	assert_int_equal(end_delivery(head, taken_back), DELIVERY_CANCELLED);
	assert_int_equal(r.status, 200);
	assert_string_equal(again.code, "being_changed");
	assert_int_equal(delivery_of(head).head.status, DELIVERY_CANCELLED);
	assert_int_equal(count_events("delivery.cancelled"), 1);
}

/* More cancellations than are remembered: the store is asked. */
static void test_many_cancelled(void **state)
{
	struct delivery_head *heads[300];

	(void)state;
	do_command(make_move("receive", "r", "A:500"));
	for (int i = 0; i < 300; i++) {
		struct reply o = do_command(make_order(world_text("o%d", i), "A:1"));
		heads[i] = find_delivery("erp", OP_ORDER_POST, o.id);
		assert_int_equal(do_command(of_delivery(COMMAND_DELIVERY_CANCEL, heads[i])).status, 200);
	}
	assert_int_equal(start_delivery(heads[0]), 0);
	struct reply o = do_command(make_order("last", "A:1"));
	assert_int_equal(start_delivery(find_delivery("erp", OP_ORDER_POST, o.id)), 1);
}

static struct command *make_job(const char *kind, const char *params)
{
	struct command *c = make_target(COMMAND_JOB_START, kind);

	c->job.kind = arena_copy(&c->arena, str_from(kind));
	c->job.params = arena_copy(&c->arena, str_from(world_text("%s", params)));
	c->job.total = 7;
	return c;
}

static void test_a_job_without_its_driver_has_failed(void **state)
{
	const struct query_page page = {.limit = 10};

	(void)state;
	assert_int_equal(do_command(make_job("reconciliation", "{}")).status, 202);
	const char *id = world_at(ASK(query_jobs, &page), "items/0/job_id");
	struct command *c = make_target(COMMAND_JOB_PROGRESS, id);
	c->job.done = 3;
	c->job.total = 9;
	c->job.status = JOB_RUNNING;
	assert_int_equal(do_command(c).status, 200);
	assert_string_equal(world_at(ASK(query_job, str_from(id)), "progress/done"), "3");
	reopen();
	run();
	const struct json *j = ASK(query_job, str_from(id));
	assert_string_equal(world_at(j, "status"), "failed");
	assert_string_equal(world_at(j, "progress/total"), "9");
	assert_string_equal(do_command(make_target(COMMAND_JOB_CANCEL, id)).code, "job_ended");
	assert_int_equal(do_command(make_target(COMMAND_JOB_CANCEL, "none")).status, 404);
	assert_int_equal(count_events("job.finished"), 1);
}

static void test_a_replay_goes_on_after_a_restart(void **state)
{
	const struct query_page page = {.limit = 10};
	const char *id, *status = "";

	(void)state;
	for (int i = 0; i < 150; i++) {
		struct reply o = an_order(world_text("o%d", i));
		deliver("erp", OP_ORDER_POST, o.id, "E");
	}
	assert_int_equal(
	    do_command(make_job("system.replay", "{'system':'erp','first':0,'through':100000,'new_ids':false,"
						 "'operations':['order.post']}"))
		.status,
	    202);
	id = world_at(ASK(query_jobs, &page), "items/0/job_id");
	assert_string_equal(world_at(ASK(query_job, str_from(id)), "status"), "running");
	reopen();
	for (int i = 0; i < 20 && strcmp(status, "done") != 0; i++) {
		world.now += JOB_PAUSE_MS;
		run();
		status = world_at(ASK(query_job, str_from(id)), "status");
	}
	assert_string_equal(status, "done");
	assert_string_equal(world_at(ASK(query_job, str_from(id)), "progress/done"), "150");
	assert_string_equal(world_at(ASK(query_job, str_from(id)), "progress/failed"), "0");
}

static uint32_t attempts_of(const struct delivery_head *head)
{
	return json_get(ASK(query_delivery, arena_copy(&world.arena, delivery_of(head).delivery_id)), "attempts")
	    ->count;
}

static void test_old_attempts_are_forgotten(void **state)
{
	(void)state;
	struct reply o = an_order("1");
	struct delivery_head *first = find_delivery("erp", OP_ORDER_POST, o.id);
	deliver("erp", OP_ORDER_POST, o.id, "E");
	world.now += 20 * (int64_t)86400000;
	o = an_order("2");
	struct delivery_head *second = find_delivery("erp", OP_ORDER_POST, o.id);
	deliver("erp", OP_ORDER_POST, o.id, "E");
	assert_int_equal(attempts_of(first), 1);
	world.now += 11 * (int64_t)86400000;
	run();
	assert_int_equal(attempts_of(first), 0);
	assert_int_equal(attempts_of(second), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_a_cancelled_delivery_is_not_started),
	    TEST(test_start_and_cancel_in_one_batch),
	    TEST(test_what_is_prepared_is_cancelled),
	    TEST(test_what_is_prepared_is_cancelled_in_one_batch),
	    TEST(test_many_cancelled),
	    TEST(test_a_job_without_its_driver_has_failed),
	    TEST(test_a_replay_goes_on_after_a_restart),
	    TEST(test_old_attempts_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
