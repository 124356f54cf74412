/* What a tenant's hub does with the results of deliveries, with messages and with paused systems. */
#include "hub/test_commands.h"

static void do_move(const char *type, const char *event_id, const char *lines)
{
	assert_int_equal(do_command(make_move(type, event_id, lines)).status, 200);
}

/* Deliveries of this system and operation that the hub has told of. */
static uint32_t count_told(const char *system, enum operation op)
{
	uint32_t count = 0;

	for (size_t i = 0; i < world.head_count; i++)
		count += world.heads[i].system == system_index(system) && world.heads[i].operation == op;
	return count;
}

static const char *status_of(const struct delivery_head *head)
{
	return delivery_status_name((enum delivery_status)delivery_of(head).head.status);
}

/* ---- orders ---- */

static void test_an_order_goes_to_the_erp_then_to_the_warehouse(void **state)
{
	(void)state;
	do_move("receive", "1", "A:4@east A:4@west");
	struct reply o = order("1", "A:6");
	assert_int_equal(count_told("erp", OP_ORDER_POST), 1);
	assert_null(find_delivery("wms", OP_SHIPMENT_REQUEST, o.id));
	deliver("erp", OP_ORDER_POST, o.id, "E-1");
	assert_string_equal(order_at(o.id, "status"), "accepted");
	assert_string_equal(order_at(o.id, "external_ids/erp"), "E-1");
	assert_int_equal(count_told("wms", OP_SHIPMENT_REQUEST), 1);
	deliver("wms", OP_SHIPMENT_REQUEST, o.id, NULL);
	assert_string_equal(order_at(o.id, "status"), "released");
	assert_int_equal(count_told("erp", OP_ORDER_POST), 1);
}

static void test_a_backordered_rest_is_released_when_it_is_there(void **state)
{
	(void)state;
	do_move("receive", "1", "A:2");
	struct reply o = order("1", "A:5");
	deliver("erp", OP_ORDER_POST, o.id, "E-1");
	struct delivery first = delivery_of(find_delivery("wms", OP_SHIPMENT_REQUEST, o.id));
	assert_non_null(strstr(arena_copy(&world.arena, first.params).p, "\"quantity\":\"2\""));
	do_move("receive", "2", "A:9");
	struct delivery second = delivery_of(find_delivery("wms", OP_SHIPMENT_REQUEST, o.id));
	assert_true(second.head.seq > first.head.seq);
	assert_non_null(strstr(arena_copy(&world.arena, second.params).p, "\"quantity\":\"3\""));
	assert_int_equal(count_told("wms", OP_SHIPMENT_REQUEST), 2);
}

static void test_a_refusal_is_an_exception(void **state)
{
	(void)state;
	do_move("receive", "1", "A:4");
	struct reply o = order("1", "A:3");
	struct delivery_head *post = find_delivery("erp", OP_ORDER_POST, o.id);
	assert_int_equal(start_delivery(post), 1);
	assert_int_equal(
	    end_delivery(post, (struct outcome_told){.outcome = OUTCOME_REFUSED, .detail = "The customer is blocked."}),
	    DELIVERY_DEAD);
	assert_string_equal(order_at(o.id, "status"), "on_hold");
	assert_int_equal(count_exceptions("order_refused"), 1);
	const struct query_page page = {.limit = 10};
	assert_string_equal(world_at(ASK(query_exceptions, &page), "items/0/detail"), "The customer is blocked.");
	assert_int_equal(
	    json_get(ASK(query_dead_letters, &(struct query_dead_letters){.system = STR_NONE}, &page), "items")->count,
	    0);
	assert_non_null(find_delivery("shop", OP_ORDER_STATUS, o.id));

	/* It stays so: neither a restart nor a new item sends it again. */
	reopen();
	do_move("receive", "2", "NEW:1");
	assert_string_equal(order_at(o.id, "status"), "on_hold");
	assert_int_equal(count_told("erp", OP_ORDER_POST), 0);
	assert_int_equal(do_command(make_target(COMMAND_ORDER_CANCEL, o.id)).status, 200);
	assert_string_equal(stock_of("A"), "free 4");
}

static void test_a_warehouse_may_refuse(void **state)
{
	(void)state;
	do_move("receive", "1", "A:4");
	struct reply o = order("1", "A:3");
	deliver("erp", OP_ORDER_POST, o.id, "E-1");
	struct delivery_head *request = find_delivery("wms", OP_SHIPMENT_REQUEST, o.id);
	assert_int_equal(start_delivery(request), 1);
	end_delivery(request, (struct outcome_told){.outcome = OUTCOME_REFUSED});
	assert_int_equal(count_exceptions("shipment_request_refused"), 1);
	assert_string_equal(order_at(o.id, "status"), "accepted");
}

static void test_failures_are_retried_then_given_up(void **state)
{
	static const struct {
		enum outcome outcome;
		bool again;
		int status;
		const char *dead_class;
	} rows[] = {
	    {OUTCOME_TECHNICAL, true, DELIVERY_WAITING, NULL},
	    {OUTCOME_THROTTLED, true, DELIVERY_WAITING, NULL},
	    {OUTCOME_UNAUTHORIZED, true, DELIVERY_WAITING, NULL},
	    {OUTCOME_UNKNOWN, true, DELIVERY_UNKNOWN, NULL},
	    {OUTCOME_TECHNICAL, false, DELIVERY_DEAD, "technical"},
	    {OUTCOME_UNKNOWN, false, DELIVERY_DEAD, "unknown"},
	    {OUTCOME_CONFIGURATION, false, DELIVERY_DEAD, "configuration"},
	};
	const struct query_page page = {.limit = 10};
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reply o = order(world_text("%zu", i), "A:3");
		(void)o;
		do_move("receive", world_text("e%zu", i), "A:1");
		struct delivery_head *told = find_delivery("erp", OP_STOCK_TRANSACTIONS, NULL);
		assert_int_equal(start_delivery(told), 1);
		assert_string_equal(status_of(told), "sending");
		struct outcome_told o2 = {
		    .outcome = rows[i].outcome, .detail = "why", .next_at = rows[i].again ? 99 : 0};
		assert_int_equal(end_delivery(told, o2), rows[i].status);
		struct delivery d = delivery_of(told);
		assert_int_equal(d.head.status, rows[i].status);
		assert_int_equal(d.head.attempts, 1);
		assert_true(str_is(d.reason, "why"));
		const struct json *dead = ASK(
		    query_dead_letters, &(struct query_dead_letters){.class_ = str_from(rows[i].dead_class)}, &page);
		assert_int_equal(json_get(dead, "items")->count, rows[i].dead_class ? 1 : i > 4 ? i - 4 : 0);
		if (!rows[i].again)
			continue;
		assert_int_equal(start_delivery(told), 1);
		assert_int_equal(end_delivery(told, (struct outcome_told){.outcome = OUTCOME_DELIVERED}),
				 DELIVERY_DELIVERED);
		assert_int_equal(delivery_of(told).head.attempts, 2);
	}
	assert_int_equal(count_exceptions("order_refused"), 0);
}

/* ---- cancelling ---- */

static void test_cancel_before_the_erp_has_it(void **state)
{
	(void)state;
	do_move("receive", "1", "A:4");
	struct reply o = order("1", "A:3");
	struct delivery_head *post = find_delivery("erp", OP_ORDER_POST, o.id);
	do_command(make_target(COMMAND_ORDER_CANCEL, o.id));
	assert_int_equal(start_delivery(post), 0);
	assert_string_equal(status_of(post), "cancelled");
	struct delivery_head *cancel = find_delivery("erp", OP_ORDER_CANCEL, o.id);
	assert_non_null(cancel);
	assert_int_equal(start_delivery(cancel), 0);
	assert_string_equal(status_of(cancel), "cancelled");
}

static void test_cancel_after_the_erp_has_it(void **state)
{
	(void)state;
	struct reply o = do_command(make_item("A", "erp"));
	o = order("1", "A:3");
	deliver("erp", OP_ORDER_POST, o.id, "E-1");
	assert_int_equal(do_command(make_target(COMMAND_ORDER_CANCEL, o.id)).status, 200);
	deliver("erp", OP_ORDER_CANCEL, o.id, NULL);
	assert_string_equal(order_at(o.id, "status"), "cancelled");
}

/* The post was under way when the order was cancelled: the ERP has it, so it must hear of the cancellation. */
static void test_cancel_while_the_erp_gets_it(void **state)
{
	(void)state;
	do_move("receive", "1", "A:9");
	for (int same_batch = 0; same_batch <= 1; same_batch++) {
		struct reply o = order(same_batch ? "2" : "1", "A:3"), cancelled;
		struct delivery_head *post = find_delivery("erp", OP_ORDER_POST, o.id);
		assert_int_equal(start_delivery(post), 1);
		struct command *c = make_target(COMMAND_ORDER_CANCEL, o.id);
		if (same_batch) {
			cancelled = (struct reply){0};
			c->done = world_keep;
			c->ctx = &cancelled;
			assert_int_equal(hub_submit(world.hub, c), RC_OK);
		} else {
			cancelled = do_command(c);
		}
		assert_int_equal(
		    end_delivery(post, (struct outcome_told){.outcome = OUTCOME_DELIVERED, .external_id = "E-1"}),
		    DELIVERY_DELIVERED);
		assert_int_equal(cancelled.status, 200);
		assert_string_equal(order_at(o.id, "status"), "cancelled");
		assert_string_equal(order_at(o.id, "external_ids/erp"), "E-1");
		deliver("erp", OP_ORDER_CANCEL, o.id, NULL);
	}
	assert_string_equal(stock_of("A"), "free 9");
}

static void test_an_answer_of_the_erp_never_takes_an_order_back(void **state)
{
	(void)state;
	do_move("receive", "1", "A:9");
	for (int restart = 0; restart <= 1; restart++) {
		struct reply o = order(restart ? "2" : "1", "A:3");
		struct delivery_head post = *find_delivery("erp", OP_ORDER_POST, o.id);
		assert_int_equal(start_delivery(&post), 1);
		do_command(make_shipment(restart ? "S2" : "S1", o.id, "A:1"));
		assert_string_equal(order_at(o.id, "status"), "partially_shipped");
		if (restart)
			reopen();
		end_delivery(&post, (struct outcome_told){.outcome = OUTCOME_DELIVERED, .external_id = "E-1"});
		assert_string_equal(order_at(o.id, "status"), "partially_shipped");
		assert_string_equal(order_at(o.id, "external_ids/erp"), "E-1");
		assert_non_null(find_delivery("wms", OP_SHIPMENT_REQUEST, o.id));
	}
}

/* ---- availability ---- */

static const char *told(const char *system)
{
	struct delivery_head *head = find_delivery(system, OP_AVAILABILITY, NULL);

	return head ? arena_copy(&world.arena, delivery_of(head).params).p : "";
}

static void test_a_channel_is_told_the_newest_value_once(void **state)
{
	(void)state;
	do_move("receive", "1", "A:10 B:3");
	assert_int_equal(count_told("shop", OP_AVAILABILITY), 1);
	assert_string_equal(told("shop"), "{\"channel\":\"shop\",\"orders\":0,\"items\":["
					  "{\"sku\":\"B\",\"available\":\"3\",\"version\":1},"
					  "{\"sku\":\"A\",\"available\":\"10\",\"version\":1}]}");
	/* While that is under way nothing is cut; then only the newest, zero first. */
	do_move("receive", "2", "A:5");
	order("1", "A:1 B:3");
	assert_int_equal(count_told("shop", OP_AVAILABILITY), 1);
	deliver("shop", OP_AVAILABILITY, NULL, NULL);
	assert_int_equal(count_told("shop", OP_AVAILABILITY), 2);
	assert_string_equal(told("shop"), "{\"channel\":\"shop\",\"orders\":1,\"items\":["
					  "{\"sku\":\"B\",\"available\":\"0\",\"version\":2,\"expected\":\"0\","
					  "\"counts_through\":\"1\"},"
					  "{\"sku\":\"A\",\"available\":\"14\",\"version\":2,\"expected\":\"9\","
					  "\"counts_through\":\"1\"}]}");
	deliver("shop", OP_AVAILABILITY, NULL, NULL);
	assert_int_equal(count_told("shop", OP_AVAILABILITY), 2);
	assert_int_equal(count_told("portal", OP_AVAILABILITY), 1);
}

/* The channel's open availability delivery, as the engine finds it after a restart. */
static bool find_open(struct delivery *out)
{
	const struct query_page page = {.limit = 100};
	const struct json *items = json_get(ASK(query_deliveries, STR("shop"), STR("waiting"), &page), "items");

	for (uint32_t i = 0; i < items->count; i++) {
		const char *id = world_at(&items->items[i], "delivery_id");
		struct store_value row[17];

		if (!str_is(json_get_text(&items->items[i], "operation"), "availability"))
			continue;
		assert_int_equal(
		    store_read_one(world.reader, R_DELIVERY_BY_ID, &SV_TEXT(str_from(id)), 1, &world.arena, row, NULL),
		    RC_OK);
		assert_int_equal(delivery_from_row(row, out), RC_OK);
		out->head.system = system_index("shop");
		return true;
	}
	return false;
}

/* Also when that order is closed and another start has come since. */
static void test_what_is_counted_is_known_after_a_restart(void **state)
{
	(void)state;
	do_move("receive", "1", "A:10");
	deliver("shop", OP_AVAILABILITY, NULL, NULL);
	order("1", "A:20");
	struct reply o = order("2", "B:1");
	do_move("receive", "2", "B:1");
	do_command(make_shipment("S1", o.id, "B:1"));
	assert_string_equal(order_at(o.id, "status"), "shipped");
	reopen();
	struct delivery d;
	while (find_open(&d)) {
		assert_int_equal(start_delivery(&d.head), 1);
		end_delivery(&d.head, (struct outcome_told){.outcome = OUTCOME_DELIVERED});
	}
	do_move("receive", "3", "C:1");
	assert_non_null(strstr(told("shop"), "\"counts_through\":\"2\""));
}

static void test_a_failed_one_is_superseded_when_it_is_overtaken(void **state)
{
	(void)state;
	do_move("receive", "1", "A:10 B:3");
	struct delivery_head *first = find_delivery("shop", OP_AVAILABILITY, NULL);
	assert_int_equal(start_delivery(first), 1);
	end_delivery(first, (struct outcome_told){.outcome = OUTCOME_TECHNICAL, .next_at = 99});
	assert_int_equal(start_delivery(first), 1); /* not overtaken: the same again */
	end_delivery(first, (struct outcome_told){.outcome = OUTCOME_TECHNICAL, .next_at = 99});
	do_move("adjust", "2", "A:-4");
	assert_int_equal(count_told("shop", OP_AVAILABILITY), 1);
	assert_int_equal(start_delivery(first), 0);
	assert_string_equal(status_of(first), "superseded");
	assert_int_equal(count_told("shop", OP_AVAILABILITY), 2);
	assert_non_null(strstr(told("shop"), "{\"sku\":\"A\",\"available\":\"6\",\"version\":2}"));
	assert_non_null(strstr(told("shop"), "{\"sku\":\"B\",\"available\":\"3\",\"version\":2}"));
	assert_int_equal(start_delivery(first), 0); /* it is final */
}

static void test_what_the_channel_compared_and_refused_is_told_again(void **state)
{
	(void)state;
	do_move("receive", "1", "A:10");
	struct delivery_head *first = find_delivery("shop", OP_AVAILABILITY, NULL);
	assert_int_equal(start_delivery(first), 1);
	end_delivery(first,
		     (struct outcome_told){.outcome = OUTCOME_DELIVERED, .stale = "[{'sku':'A','available':'7'}]"});
	assert_string_equal(told("shop"), "{\"channel\":\"shop\",\"orders\":0,\"items\":[{\"sku\":\"A\",\"available\":"
					  "\"10\",\"version\":2,\"expected\":\"7\"}]}");
}

/* Receives one each of I<from> to I<to - 1>. */
static void receive_many(const char *event_id, int from, int to)
{
	struct buf lines;

	buf_init(&lines, 1 << 20);
	for (int i = from; i < to; i++)
		buf_printf(&lines, "%sI%d:1", i > from ? " " : "", i);
	do_move("receive", event_id, lines.p);
	buf_done(&lines);
}

/* What a superseded delivery carried is told also when the process ends before it is cut again. */
static void test_nothing_untold_is_lost_by_a_restart(void **state)
{
	const struct json_limits limits = {.bytes = 1u << 20, .depth = 8, .nodes = 1u << 16};
	struct delivery d;
	bool told_of[1100] = {false};
	(void)state;

	receive_many("1", 0, 1);
	receive_many("2", 1, 251);
	receive_many("3", 251, 501);
	deliver("shop", OP_AVAILABILITY, NULL, NULL);
	struct delivery_head *first = find_delivery("shop", OP_AVAILABILITY, NULL); /* I1 to I500 */
	assert_int_equal(start_delivery(first), 1);
	end_delivery(first, (struct outcome_told){.outcome = OUTCOME_TECHNICAL, .next_at = 99});
	receive_many("4", 501, 800);
	receive_many("5", 800, 1100);
	assert_int_equal(start_delivery(first), 0); /* superseded, and the next one is full without its items */
	reopen();
	while (find_open(&d)) {
		struct json *params = NULL;

		assert_int_equal(json_parse(&world.arena, d.params, &limits, &params, NULL), RC_OK);
		assert_int_equal(start_delivery(&d.head), 1);
		end_delivery(&d.head, (struct outcome_told){.outcome = OUTCOME_DELIVERED});
		for (uint32_t i = 0; i < json_get(params, "items")->count; i++)
			told_of[strtoul(world_at(params, world_text("items/%u/sku", i)) + 1, NULL, 10)] = true;
	}
	for (int n = 1; n < 1100; n++)
		if (!told_of[n])
			fail_msg("the shop was not told of I%d", n);
}

/* ---- messages ---- */

static const char *fate_of(int64_t seq)
{
	struct store_value row[17];

	assert_int_equal(store_read_one(world.reader, R_INBOX_ONE, &SV_INT(seq), 1, &world.arena, row, NULL), RC_OK);
	return fate_name((enum fate)row[11].integer);
}

static void test_messages_and_their_fates(void **state)
{
	(void)state;
	assert_int_equal(do_command(make_message("m1", "raw 1")).status, 202);
	assert_true(do_command(make_message("m1", "raw 1")).replayed);
	do_command(make_message("", "raw 2"));
	do_command(make_message("", "raw 2")); /* nothing tells these two apart or makes them one */
	assert_int_equal(world.message_count, 3);
	assert_true(str_is(world.messages[0].payload, "raw 1"));
	int64_t first = world.messages[0].seq, second = world.messages[1].seq, third = world.messages[2].seq;

	/* What was not mediated before the end is handed out again after the start. */
	reopen();
	assert_int_equal(world.message_count, 3);
	assert_int_equal(world.messages[1].seq, second);

	/* Two orders in one message, and one of them again in the next. */
	do_command(of_message(make_order("1", "A:1"), first, 0, 2));
	assert_string_equal(fate_of(first), "pending");
	do_command(of_message(make_order("2", "A:1"), first, 1, 2));
	assert_string_equal(fate_of(first), "applied");
	assert_true(do_command(of_message(make_order("1", "A:1"), second, 0, 1)).replayed);
	assert_string_equal(fate_of(second), "duplicate");

	/* Of several items the fate that says most: a changed order is a person's to decide. */
	do_command(of_message(make_order("1", "A:9"), third, 0, 2));
	do_command(of_message(make_order("3", "A:1"), third, 1, 2));
	assert_string_equal(fate_of(third), "rejected");
	assert_int_equal(count_exceptions("order_changed"), 1);

	reopen();
	assert_int_equal(world.message_count, 0);
	assert_int_equal(count_events("order.captured"), 3);
}

static void test_a_message_that_cannot_be_mapped(void **state)
{
	const struct query_page page = {.limit = 10};
	(void)state;
	do_command(make_message("m1", "no JSON"));
	struct command *c = command_new(COMMAND_MESSAGE_DEAD);
	c->correlation_id = STR("c-message");
	c->source = STR("shop");
	c->reason = STR("It is not JSON.");
	do_command(of_message(c, world.messages[0].seq, 0, 1));
	assert_string_equal(fate_of(world.messages[0].seq), "dead_letter");
	const struct json *dead = ASK(
	    query_dead_letters, &(struct query_dead_letters){.system = STR("shop"), .class_ = STR("mapping")}, &page);
	assert_string_equal(world_at(dead, "items/0/reason"), "It is not JSON.");
	assert_true(do_command(make_message("m1", "no JSON")).replayed);
}

static void test_messages_that_are_not_owned_or_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		do_command(make_message(world_text("m%d", i), "raw"));
	struct command *c = make_move("receive", "1", "A:1");
	c->movements.items[0].movement.source = STR("shop");
	do_command(of_message(c, world.messages[0].seq, 0, 1));
	assert_string_equal(fate_of(world.messages[0].seq), "not_owned");
	do_command(of_message(make_move("receive", "2", "A:1@nowhere"), world.messages[1].seq, 0, 1));
	assert_string_equal(fate_of(world.messages[1].seq), "rejected");
	do_command(of_message(make_shipment("S1", "none", "A:1"), world.messages[2].seq, 0, 1));
	assert_string_equal(fate_of(world.messages[2].seq), "applied"); /* it is a fact all the same */
	assert_int_equal(count_exceptions("shipment_without_order"), 1);
	assert_int_equal(do_command(make_move("receive", "9", "A:1")).status, 200);
}

/* ---- systems ---- */

static void test_a_pause_is_kept(void **state)
{
	(void)state;
	assert_false(hub_system_paused(world.hub, system_index("erp")));
	assert_int_equal(do_command(make_target(COMMAND_SYSTEM_PAUSE, "erp")).status, 200);
	do_command(make_target(COMMAND_SYSTEM_PAUSE, "erp"));
	assert_true(hub_system_paused(world.hub, system_index("erp")));
	assert_int_equal(count_events("system.paused"), 1);
	reopen();
	assert_true(hub_system_paused(world.hub, system_index("erp")));
	assert_false(hub_system_paused(world.hub, system_index("wms")));
	assert_int_equal(do_command(make_target(COMMAND_SYSTEM_RESUME, "erp")).status, 200);
	reopen();
	assert_false(hub_system_paused(world.hub, system_index("erp")));
	assert_int_equal(do_command(make_target(COMMAND_SYSTEM_PAUSE, "nobody")).status, 404);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_an_order_goes_to_the_erp_then_to_the_warehouse),
	    TEST(test_a_backordered_rest_is_released_when_it_is_there),
	    TEST(test_a_refusal_is_an_exception),
	    TEST(test_a_warehouse_may_refuse),
	    TEST(test_failures_are_retried_then_given_up),
	    TEST(test_cancel_before_the_erp_has_it),
	    TEST(test_cancel_after_the_erp_has_it),
	    TEST(test_cancel_while_the_erp_gets_it),
	    TEST(test_an_answer_of_the_erp_never_takes_an_order_back),
	    TEST(test_a_channel_is_told_the_newest_value_once),
	    TEST(test_what_is_counted_is_known_after_a_restart),
	    TEST(test_a_failed_one_is_superseded_when_it_is_overtaken),
	    TEST(test_what_the_channel_compared_and_refused_is_told_again),
	    TEST(test_nothing_untold_is_lost_by_a_restart),
	    TEST(test_messages_and_their_fates),
	    TEST(test_a_message_that_cannot_be_mapped),
	    TEST(test_messages_that_are_not_owned_or_refused),
	    TEST(test_a_pause_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
