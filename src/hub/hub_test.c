/* What a tenant's hub does with commands: over a real store, without its thread. After every test the books add up. */
#include "hub/test_commands.h"

/* ---- orders ---- */

static void test_capture_repeat_contradiction(void **state)
{
	struct reply first, again, same_batch, other, wait;
	(void)state;

	move("receive", "1", "A:10");
	first = order("1001", "A:6");
	assert_int_equal(first.status, 202);
	assert_false(first.replayed);
	assert_non_null(strstr(first.body, "\"status\":\"captured\""));
	assert_string_equal(order_at(first.id, "status"), "reserved");
	assert_string_equal(stock_of("A"), "free 4 allocated 6");

	again = order("1001", "A:6");
	assert_true(again.replayed);
	assert_string_equal(again.id, first.id);
	check_refused(order("1001", "A:5"), 409, "order_exists");
	assert_string_equal(stock_of("A"), "free 4 allocated 6");
	assert_int_equal(count_events("order.captured"), 1);

	/* The same three in one batch. */
	post(make_order("1002", "A:1"), &first);
	post(make_order("1002", "A:1"), &same_batch);
	post(make_order("1002", "A:2"), &other);
	run();
	assert_int_equal(first.status, 202);
	assert_true(same_batch.replayed);
	assert_string_equal(same_batch.id, first.id);
	check_refused(other, 409, "order_exists");
	assert_int_equal(count_events("order.captured"), 2);

	struct command *c = make_order("1003", "A:1");
	c->wait_decision = true;
	wait = do_command(c);
	assert_int_equal(wait.status, 201);
	assert_non_null(strstr(wait.body, "\"status\":\"reserved\""));
	assert_int_equal(count_exceptions(NULL), 0);

	c = make_order_from(world_text("{'channel':'nowhere','external_id':'1','placed_at':'2026-03-01T11:00:00Z',"
				       "'currency':'GBP','lines':%s}",
				       world_lines("A:1", "")));
	check_refused(do_command(c), 422, "unknown_channel");
}

static void test_capture_survives_a_restart(void **state)
{
	struct reply first = order("1001", "A:6"), again;
	(void)state;

	reopen();
	again = order("1001", "A:6");
	assert_true(again.replayed);
	assert_string_equal(again.id, first.id);
	check_refused(order("1001", "A:7"), 409, "order_exists");
}

static void test_backorders_are_filled_by_age(void **state)
{
	struct reply first, second, third;
	(void)state;

	move("receive", "1", "A:2");
	first = order("1", "A:5");
	second = order("2", "A:4");
	third = order("3", "A:1");
	assert_string_equal(order_at(first.id, "status"), "backordered");
	assert_string_equal(order_at(first.id, "lines/0/reserved"), "2");
	assert_string_equal(order_at(first.id, "lines/0/backordered"), "3");
	assert_int_equal(count_exceptions("backordered"), 3);

	move("receive", "2", "A:4");
	assert_string_equal(order_at(first.id, "status"), "reserved");
	assert_string_equal(order_at(second.id, "lines/0/reserved"), "1");
	assert_string_equal(order_at(third.id, "lines/0/backordered"), "1");
	reopen(); /* the order of age is kept */
	move("receive", "3", "A:3");
	assert_string_equal(order_at(second.id, "status"), "reserved");
	assert_string_equal(order_at(third.id, "status"), "backordered");
	move("receive", "4", "A:5");
	assert_string_equal(order_at(third.id, "status"), "reserved");
	assert_string_equal(stock_of("A"), "free 4 allocated 10");
}

static void test_an_order_is_split_only_if_it_must(void **state)
{
	struct reply whole, split;
	(void)state;

	move("receive", "1", "A:3@east A:8@west B:5@west");
	whole = order("1", "A:2 B:2"); /* west has all of it */
	assert_string_equal(order_at(whole.id, "lines/0/allocations/0/location"), "west");
	split = order("2", "A:8");
	assert_string_equal(order_at(split.id, "status"), "reserved");
	assert_string_equal(order_at(split.id, "lines/0/allocations/0/location"), "east");
	assert_string_equal(order_at(split.id, "lines/0/allocations/1/quantity"), "5");
}

static void test_cancel(void **state)
{
	struct reply waiting, r;
	(void)state;

	move("receive", "1", "A:10");
	waiting = order("1", "A:6");
	r = do_command(make_target(COMMAND_ORDER_CANCEL, waiting.id));
	assert_int_equal(r.status, 200);
	assert_string_equal(order_at(waiting.id, "status"), "cancelled");
	assert_string_equal(stock_of("A"), "free 10");
	r = do_command(make_target(COMMAND_ORDER_CANCEL, waiting.id));
	assert_int_equal(r.status, 200);
	assert_int_equal(count_events("order.cancelled"), 1);
	check_refused(do_command(make_target(COMMAND_ORDER_CANCEL, "nobody")), 404, "order_not_found");

	/* In one batch: captured, cancelled, and cancelled again. */
	struct reply replies[2];
	r = order("2", "A:20");
	post(make_target(COMMAND_ORDER_CANCEL, r.id), &replies[0]);
	post(make_target(COMMAND_ORDER_CANCEL, r.id), &replies[1]);
	run();
	assert_int_equal(replies[0].status, 200);
	assert_int_equal(replies[1].status, 200);
	assert_int_equal(count_events("order.cancelled"), 2);

	/* What it waited for goes to the next one. */
	r = order("3", "A:10");
	struct reply next = order("4", "A:4");
	do_command(make_target(COMMAND_ORDER_CANCEL, r.id));
	assert_string_equal(order_at(next.id, "status"), "reserved");
}

static void test_an_unknown_item_holds_an_order_until_it_is_known(void **state)
{
	struct reply by_record, by_movement;
	(void)state;

	by_record = order("1", "NEW:1");
	by_movement = order("2", "OTHER:2");
	assert_string_equal(order_at(by_record.id, "status"), "on_hold");
	assert_int_equal(count_exceptions("unknown_item"), 2);
	reopen();
	assert_string_equal(order_at(by_record.id, "status"), "on_hold");
	assert_int_equal(do_command(make_item("NEW", "erp")).status, 200);
	assert_string_equal(order_at(by_record.id, "status"), "backordered");
	assert_string_equal(order_at(by_movement.id, "status"), "on_hold");
	move("receive", "1", "OTHER:2 NEW:1");
	assert_string_equal(order_at(by_record.id, "status"), "reserved");
	assert_string_equal(order_at(by_movement.id, "status"), "reserved");
	assert_int_equal(count_events("order.captured"), 2);
}

static void test_records_and_who_owns_them(void **state)
{
	(void)state;
	assert_int_equal(do_command(make_item("NEW", "shop")).status, 202); /* erp is the record for items */
	assert_string_equal(order_at(order("1", "NEW:1").id, "status"), "on_hold");
	assert_false(do_command(make_item("NEW", "erp")).replayed);
	assert_true(do_command(make_item("NEW", "erp")).replayed);
	assert_int_equal(count_events("item.recorded"), 1);
}

/* ---- Idempotency-Key ---- */

static void test_idempotency_keys(void **state)
{
	struct reply first, again, same_batch, refused;
	(void)state;

	move("receive", "1", "A:10");
	/* Reservations without an id of their own: nothing but the key tells a repeat. */
	post(keyed(make_hold("", "shop", "A:2", 60), "k1"), &first);
	post(keyed(make_hold("", "shop", "A:2", 60), "k1"), &same_batch);
	run();
	again = do_command(keyed(make_hold("", "shop", "A:2", 60), "k1"));
	assert_int_equal(first.status, 201);
	assert_false(first.replayed);
	assert_true(same_batch.replayed);
	assert_true(again.replayed);
	assert_string_equal(same_batch.body, first.body);
	assert_string_equal(again.body, first.body);
	assert_string_equal(stock_of("A"), "free 8 held 2");

	check_refused(do_command(keyed(make_hold("", "shop", "A:3", 60), "k1")), 422, "idempotency_key_reused");
	check_refused(do_command(keyed(make_order("1", "A:1"), "k1")), 422, "idempotency_key_reused");

	/* The first one's answer is gone before the repeat is answered. */
	post(keyed(make_hold("", "nobody", "A:1", 60), "k0"), &refused);
	post(keyed(make_hold("", "nobody", "A:1", 60), "k0"), &same_batch);
	run();
	assert_true(same_batch.replayed && refused.status == same_batch.status);
	assert_string_equal(same_batch.code, refused.code);

	/* A refusal is an answer too: it stays although there is stock now. */
	refused = do_command(keyed(make_hold("", "shop", "A:20", 60), "k2"));
	check_refused(refused, 409, "insufficient_stock");
	move("receive", "2", "A:100");
	reopen();
	again = do_command(keyed(make_hold("", "shop", "A:20", 60), "k2"));
	check_refused(again, 409, "insufficient_stock");
	assert_true(again.replayed);
	assert_string_equal(again.body, refused.body);
	again = do_command(keyed(make_hold("", "shop", "A:2", 60), "k1"));
	assert_true(again.replayed);
	assert_string_equal(again.body, first.body);
	assert_string_equal(stock_of("A"), "free 108 held 2");

	/* Why it was refused is kept with it. */
	struct store_value row[17];
	int refusals = 0;
	for (int64_t seq = 1;
	     store_read_one(world.reader, R_INBOX_ONE, &SV_INT(seq), 1, &world.arena, row, NULL) == RC_OK; seq++)
		refusals += row[11].integer == FATE_REJECTED && str_is(row[13].bytes, "insufficient_stock");
	assert_int_equal(refusals, 1);

	/* Of one caller only. */
	struct command *c = keyed(make_move("receive", "3", "A:1"), "k1");
	assert_int_equal(do_command(c).status, 200);
}

/* A key belongs to the first request that was answered with it, also where that changed nothing. */
static void test_a_key_belongs_to_one_request(void **state)
{
	static const struct {
		const char *name;
		int status;
	} rows[] = {{"repeated order", 202},       {"order with other content", 409},
		    {"repeated movement", 200},    {"void of nothing", 404},
		    {"repeated reservation", 201}, {"cancel of nothing", 404},
		    {"commit of nothing", 404},    {"pause again", 200}};
	(void)state;

	move("receive", "1", "A:10");
	order("1", "A:1");
	do_command(make_hold("r", "shop", "A:1", 60));
	do_command(make_target(COMMAND_SYSTEM_PAUSE, "erp"));
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *key = world_text("key-%zu", i);
		struct reply first, again;

		for (int round = 0; round < 2; round++) {
			struct command *c = i == 0   ? make_order("1", "A:1")
					    : i == 1 ? make_order("1", "A:2")
					    : i == 2 ? make_move("receive", "1", "A:10")
					    : i == 3 ? make_target(COMMAND_HOLD_VOID, "nothing")
					    : i == 4 ? make_hold("r", "shop", "A:1", 60)
					    : i == 5 ? make_target(COMMAND_ORDER_CANCEL, "nothing")
					    : i == 6 ? make_commit("nothing", "nothing")
						     : make_target(COMMAND_SYSTEM_PAUSE, "erp");
			*(round ? &again : &first) = do_command(keyed(c, key));
		}
		if (first.status != rows[i].status || !again.replayed)
			fail_msg("%s: %d, then %s", rows[i].name, first.status, again.replayed ? "again" : "anew");
		assert_string_equal(again.body, first.body);
		struct command *other = keyed(make_hold("", "shop", "A:1", 61), key);
		other->source = i == 2 ? STR("wms") : STR("shop");
		check_refused(do_command(other), 422, "idempotency_key_reused");
	}
	assert_string_equal(stock_of("A"), "free 8 held 1 allocated 1");
}

/* ---- movements ---- */

static void test_every_verb(void **state)
{
	static const struct {
		const char *type, *lines, *more, *stock; /* of item A afterwards */
		const char *exception;
	} rows[] = {
	    {"receive", "A:10", "", "free 10", NULL},
	    {"adjust", "A:-2", "", "free 8", NULL},
	    {"adjust", "A:3", "", "free 11", NULL},
	    {"pick", "A:4", "", "free 7 picked 4", NULL},
	    {"ship", "A:5", "", "free 6", NULL}, /* what was picked first */
	    {"move", "A:2@east>west", "", "free 6", NULL},
	    {"quarantine", "A:3", "", "free 3 quarantined 3", NULL},
	    {"clear", "A:1", "", "free 4 quarantined 2", NULL},
	    {"scrap", "A:1", "", "free 4 quarantined 1", NULL},
	    {"return", "A:2", "", "free 4 quarantined 3", NULL},
	    {"count", "A:1@west", "", "free 3 quarantined 3", NULL},
	    {"count", "A:20", "", "free 18 quarantined 3", NULL}, /* 20 on hand at east, 1 at west */
	    {"order-in", "A:5", "", "free 18 quarantined 3 on_order 5", NULL},
	    {"announce", "A:5", "", "free 18 quarantined 3 in_transit 5", NULL},
	    {"receive", "A:5", ",'purchase_order_id':'P1'", "free 23 quarantined 3", NULL},
	    {"clear", "A:4", "", "free 27", "stock_drift"},
	    {"ship", "A:30", "", "free -3", "stock_negative"},
	    {"receive", "A:3@east", "", "free 0", NULL},
	};
	char last[64] = "";
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t exceptions = count_exceptions(NULL);
		const char *text = movement_text(rows[i].type, world_text("e%zu", i), rows[i].lines, rows[i].more);
		struct reply first = do_command(make_move_from(text)), again = do_command(make_move_from(text));

		assert_int_equal(first.status, 200);
		assert_non_null(strstr(first.body, "\"duplicate\":false"));
		assert_non_null(strstr(again.body, "\"duplicate\":true"));
		assert_true(again.replayed);
		assert_string_equal(again.id, first.id);
		assert_string_not_equal(first.id, last);
		snprintf(last, sizeof(last), "%s", first.id);
		if (strcmp(rows[i].stock, "free 0") == 0)
			assert_string_equal(stock_of("A"), "");
		else if (strcmp(stock_of("A"), rows[i].stock) != 0)
			fail_msg("after %s %s: %s, not %s", rows[i].type, rows[i].lines, stock_of("A"), rows[i].stock);
		assert_int_equal(count_exceptions(NULL) - exceptions, rows[i].exception ? 1 : 0);
		if (rows[i].exception)
			assert_int_equal(count_exceptions(rows[i].exception), 1);
		if (!strchr(rows[i].stock, '-'))
			check_audit();
	}
	assert_int_equal(count_events("stock.moved"), COUNT(rows));
}

static void test_movements_that_are_refused(void **state)
{
	struct command *c;
	struct reply first, again;
	(void)state;

	first = move("receive", "1", "A:10");
	check_refused(move("receive", "1", "A:11"), 409, "movement_exists");
	check_refused(move("receive", "2", "A:1 B:1@nowhere"), 422, "unknown_location");
	check_refused(move("move", "3", "A:1@east>nowhere"), 422, "unknown_location");
	/* The warehouse is the record for stock. */
	c = make_move_from(world_text("{'source':'shop','source_event_id':'1','type':'receive','occurred_at':"
				      "'2026-03-01T11:30:00Z','lines':%s}",
				      world_lines("A:5", "east")));
	c->source = STR("shop");
	again = do_command(c);
	assert_int_equal(again.status, 202);
	assert_non_null(strstr(again.body, "not_owned"));
	assert_string_equal(stock_of("A"), "free 10");
	/* What was refused may come again, mended. */
	assert_int_equal(move("receive", "2", "A:1 B:1").status, 200);
	/* Repeats within one batch. */
	post(make_move("receive", "4", "A:1"), &first);
	post(make_move("receive", "4", "A:1"), &again);
	run();
	assert_string_equal(again.id, first.id);
	assert_true(again.replayed);
	assert_string_equal(stock_of("A"), "free 12");
}

static void test_an_array_is_answered_item_by_item(void **state)
{
	struct reply r, again;
	const struct json *items;
	(void)state;

	for (int round = 0; round < 2; round++) {
		struct command *c = command_new(COMMAND_STOCK_MOVE);

		world_parse(c, "{}");
		c->source = STR("wms");
		c->movements.array = true;
		c->movements.count = 4;
		c->movements.items = arena_array(&c->arena, struct command_movement, 4);
		memset(c->movements.items, 0, 4 * sizeof(struct command_movement));
		static const char *const ids[] = {"1", "1", "2", NULL};
		for (size_t i = 0; ids[i]; i++) {
			const char *text = movement_text("receive", ids[i], i == 2 ? "A:1@nowhere" : "A:5", "");
			struct json *doc = NULL;

			assert_int_equal(json_parse(&c->arena, str_from(text), NULL, &doc, NULL), RC_OK);
			read_movement(c, doc, &c->movements.items[i]);
		}
		c->movements.items[3].problem = STR("{\"code\":\"validation_failed\"}");
		c->movements.items[3].problem_status = 422;
		r = do_command(c);
		assert_int_equal(r.status, 200);
		struct json *body = NULL;
		assert_int_equal(
		    json_parse(&world.arena, arena_copy(&world.arena, str_from(r.body)), NULL, &body, NULL), RC_OK);
		items = json_get(body, "items");
		assert_int_equal(items->count, 4);
		assert_string_equal(world_at(body, "items/1/movement_id"), world_at(body, "items/0/movement_id"));
		assert_int_equal(json_get(&items->items[0], "duplicate")->boolean, round == 1);
		assert_true(json_get(&items->items[1], "duplicate")->boolean);
		assert_string_equal(world_at(body, "items/2/status"), "422");
		assert_string_equal(world_at(body, "items/2/problem/code"), "unknown_location");
		assert_string_equal(world_at(body, "items/3/problem/code"), "validation_failed");
		again = r;
	}
	assert_int_equal(again.status, 200);
	assert_string_equal(stock_of("A"), "free 5");
}

/* A count stands for its instant: what was received before it is not on top of it, also after a restart. */
static void test_a_count_after_a_restart(void **state)
{
	(void)state;
	move("receive", "1", "A:9");
	reopen();
	move("count", "2", "A:6");
	assert_string_equal(stock_of("A"), "free 6");
}

/* What was received by mistake, counted since and then taken back is as it was counted, also after a restart. */
static void test_a_reversal_after_a_count(void **state)
{
	static const char back[] = "{'source':'wms','source_event_id':'%s','type':'reverse',"
				   "'occurred_at':'2026-03-01T13:00:00Z','reverses_event_id':'%s'}";
	(void)state;

	move("receive", "1", "A:9 B:9");
	move("receive", "2", "A:4");
	move("ship", "3", "B:4");
	reopen();
	do_command(
	    make_move_from(world_text("{'source':'wms','source_event_id':'4','type':'count','occurred_at':"
				      "'2026-03-01T12:00:00Z','lines':[{'sku':'A','location':'east','quantity':'10'},"
				      "{'sku':'B','location':'east','quantity':'8'}]}")));
	reopen();
	assert_int_equal(do_command(make_move_from(world_text(back, "5", "2"))).status, 200);
	assert_int_equal(do_command(make_move_from(world_text(back, "6", "3"))).status, 200);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(stock_of("A"), "free 10");
		assert_string_equal(stock_of("B"), "free 8");
		check_audit();
		reopen();
	}
	/* Of the time after the last count. */
	move("count", "7", "A:3"); /* older: nothing */
	do_command(make_move_from(
	    world_text("{'source':'wms','source_event_id':'8','type':'receive','occurred_at':"
		       "'2026-03-01T12:30:00Z','lines':[{'sku':'A','location':'east','quantity':'5'}]}")));
	assert_int_equal(do_command(make_move_from(world_text(back, "9", "8"))).status, 200);
	do_command(make_move_from(
	    world_text("{'source':'wms','source_event_id':'10','type':'count','occurred_at':"
		       "'2026-03-01T12:45:00Z','lines':[{'sku':'A','location':'east','quantity':'10'}]}")));
	assert_string_equal(stock_of("A"), "free 10");
	/* Of the count's own instant: what was told before it is in it, what was told after it is not. */
	reopen();
	move("receive", "11", "D:4");
	move("count", "12", "D:3");
	move("receive", "13", "D:2");
	assert_string_equal(stock_of("D"), "free 5");
	reopen();
	assert_int_equal(do_command(make_move_from(world_text(back, "14", "11"))).status, 200);
	assert_string_equal(stock_of("D"), "free 5");
	assert_int_equal(do_command(make_move_from(world_text(back, "15", "13"))).status, 200);
	assert_string_equal(stock_of("D"), "free 3");
	check_audit();
	reopen();
	assert_string_equal(stock_of("D"), "free 3");
}

/* ---- shipments of orders ---- */

static void test_shipments_close_an_order(void **state)
{
	struct reply o, first, again;
	(void)state;

	move("receive", "1", "A:10 B:5");
	o = order("1", "A:6 B:2");
	deliver("erp", OP_ORDER_POST, o.id, "E-1");
	deliver("wms", OP_SHIPMENT_REQUEST, o.id, "W-1");
	assert_string_equal(order_at(o.id, "status"), "released");
	check_refused(do_command(make_target(COMMAND_ORDER_CANCEL, o.id)), 409, "order_released");

	first = do_command(make_shipment("S1", o.id, "A:4"));
	assert_int_equal(first.status, 200);
	assert_string_equal(order_at(o.id, "status"), "partially_shipped");
	assert_string_equal(order_at(o.id, "lines/0/shipped"), "4");
	assert_string_equal(stock_of("A"), "free 4 allocated 2");
	again = do_command(make_shipment("S1", o.id, "A:4"));
	assert_string_equal(again.id, first.id);
	check_refused(do_command(make_shipment("S1", o.id, "A:5")), 409, "movement_exists");
	assert_string_equal(order_at(o.id, "lines/0/shipped"), "4");
	assert_int_equal(count_events("shipment.created"), 1);

	/* The rest is picked, then shipped, by plain movements. */
	const char *named = world_text(",'order_id':'%s'", o.id);
	do_command(make_move_from(movement_text("pick", "2", "B:2", named)));
	assert_string_equal(stock_of("B"), "free 3 picked 2");
	reopen();
	do_command(make_move_from(movement_text("ship", "3", "A:2 B:2", named)));
	assert_string_equal(order_at(o.id, "status"), "shipped");
	assert_string_equal(stock_of("A"), "free 4");
	assert_string_equal(stock_of("B"), "free 3");
	assert_int_equal(count_exceptions(NULL), 0);
	check_refused(do_command(make_target(COMMAND_ORDER_CANCEL, o.id)), 409, "order_closed");
	do_command(make_shipment("S9", o.id, "A:1"));
	assert_int_equal(count_exceptions("shipment_without_order"), 1);
	assert_string_equal(stock_of("A"), "free 3");
}

/* ---- restart ---- */

/* What is seen of a tenant: every order, every item, what channels may sell, and the log. */
static const char *everything(void)
{
	static const char *const skus[] = {"A", "B"};
	const struct query_page page = {.limit = 100};
	const char *text = "";

	ASK(query_orders, &(struct query_orders){0}, &page);
	text = arena_printf(&world.arena, "%s", world.out.p);
	for (size_t i = 0; i < COUNT(skus); i++)
		text = arena_printf(&world.arena, "%s\n%s: %s; %s %s", text, skus[i], stock_of(skus[i]),
				    available("shop", skus[i]), available("portal", skus[i]));
	return arena_printf(&world.arena, "%s\n%lld", text, (long long)hub_position(world.hub));
}

static void test_a_restart_changes_nothing(void **state)
{
	struct reply o;
	(void)state;

	move("receive", "1", "A:10 B:5@west+L1 B:2");
	o = order("1", "A:6 B:6");
	deliver("erp", OP_ORDER_POST, o.id, "E-1");
	do_command(make_shipment("S1", o.id, "A:2"));
	order("2", "A:9");
	order("3", "NEW:1");
	do_command(make_hold("r1", "shop", "B:1", 60));
	run();
	const char *before = everything();
	for (int i = 0; i < 3; i++) {
		reopen();
		run();
		assert_string_equal(everything(), before);
		check_audit();
	}
	/* And it goes on from there. */
	move("receive", "2", "A:20");
	do_command(make_shipment("S2", o.id, "A:4 B:6@west"));
	assert_string_equal(order_at(o.id, "status"), "shipped");
	assert_string_equal(order_at(o.id, "external_ids/erp"), "E-1");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_capture_repeat_contradiction),
	    TEST(test_capture_survives_a_restart),
	    TEST(test_backorders_are_filled_by_age),
	    TEST(test_an_order_is_split_only_if_it_must),
	    TEST(test_cancel),
	    TEST(test_an_unknown_item_holds_an_order_until_it_is_known),
	    TEST(test_records_and_who_owns_them),
	    TEST(test_idempotency_keys),
	    TEST(test_a_key_belongs_to_one_request),
	    TEST(test_every_verb),
	    TEST(test_movements_that_are_refused),
	    TEST(test_an_array_is_answered_item_by_item),
	    TEST(test_a_count_after_a_restart),
	    TEST(test_a_reversal_after_a_count),
	    TEST(test_shipments_close_an_order),
	    TEST(test_a_restart_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
