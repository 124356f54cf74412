/* The registry of serial numbers at the hub: by verb, in any order of arrival, taken back, over restarts. */
#include "hub/test_serials.h"

/* ---- by verb ---- */

static const struct verb_case {
	const char *name;
	struct fact facts[4];
	const char *where, *drifts;
} verb_cases[] = {
    {"received", {RECEIVED}, "in_stock east", ""},
    {"received aside", {{"receive", .serials = "S1", .line = ",'state':'damaged'"}}, "quarantined east", ""},
    {"received twice", {RECEIVED, {"receive", .serials = "S1", .minute = 2}}, "in_stock east", "serial_in_stock:S1"},
    {"shipped", {RECEIVED, {"ship", .serials = "S1", .minute = 2}}, "shipped east", ""},
    {"never received", {{"ship", .serials = "S1"}}, "shipped east", "serial_not_in_stock:S1"},
    {"from elsewhere",
     {RECEIVED, {"ship", .location = "west", .serials = "S1", .minute = 2}},
     "shipped west",
     "serial_elsewhere:S1"},
    {"another lot",
     {{"receive", .serials = "S1", .line = ",'lot':'A'"}, {"ship", .serials = "S1", .line = ",'lot':'B'", .minute = 2}},
     "shipped east",
     "serial_elsewhere:S1"},
    {"shipped twice",
     {RECEIVED, {"ship", .serials = "S1", .minute = 2}, {"ship", .serials = "S1", .minute = 3}},
     "shipped east",
     "serial_shipped_twice:S1"},
    {"returned",
     {RECEIVED, {"ship", .serials = "S1", .minute = 2}, {"return", .serials = "S1", .minute = 3}},
     "returned east",
     ""},
    {"cleared after its return",
     {RECEIVED,
      {"ship", .serials = "S1", .minute = 2},
      {"return", .serials = "S1", .minute = 3},
      {"clear", .serials = "S1", .minute = 4}},
     "in_stock east",
     ""},
    {"returned, never shipped", {{"return", .serials = "S1"}}, "returned east", "serial_not_shipped:S1"},
    {"received after it was shipped",
     {RECEIVED, {"ship", .serials = "S1", .minute = 2}, {"receive", .serials = "S1", .minute = 3}},
     "in_stock east",
     "serial_unexpected:S1"},
    {"moved", {RECEIVED, {"move", .serials = "S1", .line = ",'to_location':'west'", .minute = 2}}, "in_stock west", ""},
    {"on its way and there",
     {RECEIVED,
      {"move", .serials = "S1", .line = ",'to_location':'west'", .more = ",'transfer_id':'T'", .minute = 2},
      {"receive", .location = "west", .serials = "S1", .more = ",'transfer_id':'T'", .minute = 3}},
     "in_stock west",
     ""},
    {"announced and received",
     {{"announce", .serials = "S1", .more = ",'purchase_order_id':'P'"},
      {"receive", .serials = "S1", .more = ",'purchase_order_id':'P'", .minute = 3}},
     "in_stock east",
     ""},
    {"quarantined", {RECEIVED, {"quarantine", .serials = "S1", .minute = 2}}, "quarantined east", ""},
    {"scrapped", {RECEIVED, {"scrap", .serials = "S1", .minute = 2}}, "scrapped east", ""},
    {"adjusted away", {RECEIVED, {"adjust", .serials = "S1", .quantity = -1, .minute = 2}}, "unknown east", ""},
    {"adjusted in", {{"adjust", .serials = "S1"}}, "in_stock east", ""},
    {"none named", {RECEIVED, {"ship", .quantity = 1, .minute = 2}}, "in_stock east", "serials_missing:"},
    {"too few named", {{"receive", .serials = "S1", .quantity = 2}}, "in_stock east", "serials_differ:"},
    {"late", {{"ship", .serials = "S1", .minute = 5}, RECEIVED}, "shipped east", "serial_not_in_stock:S1"},
    {"shipped after a late receipt is not judged by it",
     {{"move", .serials = "S1", .line = ",'to_location':'west'", .minute = 5}, RECEIVED},
     "in_stock west",
     "serial_not_in_stock:S1"},
    {"for another order",
     {RECEIVED,
      {"pick", .serials = "S1", .more = ",'order_id':'o-1'", .minute = 2},
      {"ship", .serials = "S1", .more = ",'order_id':'o-2'", .minute = 3}},
     "shipped east",
     "serial_of_other_order:S1"},
};

static void test_verbs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(verb_cases); i++) {
		const struct verb_case *c = &verb_cases[i];

		world_set_up(NULL);
		record("TV", ",'tracking':'serial'");
		for (size_t n = 0; n < COUNT(c->facts) && c->facts[n].type; n++)
			tell(c->facts[n]);
		if (strcmp(where_of("TV", "S1"), c->where) != 0)
			fail_msg("%s: it is %s", c->name, where_of("TV", "S1"));
		if (strcmp(drifts(), c->drifts) != 0)
			fail_msg("%s: told %s", c->name, drifts());
		assert_int_equal(count_exceptions(NULL) > 0, c->drifts[0] != '\0');
		world_tear_down(NULL);
	}
}

/* ---- levels ---- */

static void test_at_shipment_only(void **state)
{
	(void)state;
	record("TV", ",'tracking':'serial','serial_level':'shipment'");
	reopen();
	tell((struct fact){"receive", .quantity = 3, .minute = 1});
	tell((struct fact){"ship", .serials = "S1", .minute = 2});
	assert_string_equal(drifts(), "");
	tell((struct fact){"ship", .serials = "S1", .minute = 3});
	tell((struct fact){"ship", .quantity = 1, .minute = 4});
	tell((struct fact){"return", .quantity = 1, .minute = 5});
	tell((struct fact){"return", .serials = "S2", .minute = 5});
	assert_string_equal(drifts(), "serial_shipped_twice:S1 serials_missing: serial_not_shipped:S2");
}

static void test_an_item_without_serials_has_no_registry(void **state)
{
	const struct query_serials any = {0};
	const struct query_page page = {.limit = 10};

	(void)state;
	tell((struct fact){"receive", .serials = "S1 S2", .quantity = 5});
	assert_string_equal(drifts(), "");
	assert_int_equal(json_get(ASK(query_serials, STR("TV"), &any, &page), "items")->count, 0);
}

static void test_lists(void **state)
{
	const struct query_serials any = {0}, west = {.location = STR("west")}, shipped = {.state = STR("shipped")},
				   one = {.serial = STR("S3")};
	struct query_page page = {.limit = 2};
	const struct json *j;

	(void)state;
	record("TV", ",'tracking':'serial'");
	tell((struct fact){"receive", .serials = "S1 S2 S3", .minute = 1});
	tell((struct fact){"receive", .location = "west", .serials = "S4 S5", .minute = 1});
	tell((struct fact){"ship", .serials = "S2", .minute = 2});
	j = ASK(query_serials, STR("TV"), &any, &page);
	assert_int_equal(json_get(j, "items")->count, 2);
	assert_string_equal(world_at(j, "next_cursor"), "S2");
	page.cursor = STR("S2");
	page.limit = 100;
	assert_int_equal(json_get(ASK(query_serials, STR("TV"), &any, &page), "items")->count, 3);
	page.cursor = STR_NONE;
	assert_int_equal(json_get(ASK(query_serials, STR("TV"), &west, &page), "items")->count, 2);
	j = ASK(query_serials, STR("TV"), &shipped, &page);
	assert_string_equal(world_at(j, "items/0/serial"), "S2");
	assert_int_equal(json_get(j, "items")->count, 1);
	assert_string_equal(world_at(ASK(query_serials, STR("TV"), &one, &page), "items/0/state"), "in_stock");
	page.limit = 1;
	j = ASK(query_serial, STR("TV"), STR("S2"), &page);
	assert_string_equal(world_at(j, "history/0/type"), "ship");
	page.cursor = str_from(world_at(j, "next_cursor"));
	j = ASK(query_serial, STR("TV"), STR("S2"), &page);
	assert_string_equal(world_at(j, "history/0/type"), "receive");
	assert_string_equal(world_at(j, "history/0/after/state"), "in_stock");
	assert_string_equal(world_at(j, "next_cursor"), "");
}

/* ---- taking back ---- */

static void test_reversal(void **state)
{
	struct reply in, out, again, r[4];

	(void)state;
	record("TV", ",'tracking':'serial'");
	in = tell((struct fact){"receive", .serials = "S1 S2", .minute = 1});
	out = tell((struct fact){"ship", .serials = "S1", .minute = 5});
	/* Late: it would be the last without the shipment. */
	tell((struct fact){"quarantine", .serials = "S1", .minute = 3});
	reopen();
	assert_int_equal(do_command(make_reverse(out.id)).status, 200);
	assert_where("S1", "quarantined east");
	assert_int_equal(do_command(make_reverse(out.id)).status, 409);
	assert_int_equal(do_command(make_reverse(in.id)).status, 200);
	assert_where("S1", "quarantined east");
	assert_where("S2", "unknown");
	/* Told, taken back and told again in one batch. */
	post(make_move_from(fact_text("b-1", (struct fact){"receive", .serials = "S3", .minute = 1})), &r[0]);
	post(make_move_from(fact_text("b-2", (struct fact){"ship", .serials = "S3", .minute = 2})), &r[1]);
	post(make_move_from(world_text("{'source':'wms','source_event_id':'b-3','type':'reverse','occurred_at':"
				       "'2026-03-01T20:00:00Z','reverses_event_id':'b-2'}")),
	     &r[2]);
	run();
	assert_int_equal(r[2].status, 200);
	assert_where("S3", "in_stock east");
	again = tell((struct fact){"ship", .serials = "S3", .minute = 3});
	assert_int_equal(again.status, 200);
	assert_where("S3", "shipped east");
	reopen();
	assert_int_equal(do_command(make_reverse(again.id)).status, 200);
	assert_where("S3", "in_stock east");
}

static void test_a_line_is_taken_back(void **state)
{
	struct reply in;

	(void)state;
	record("TV", ",'tracking':'serial'");
	in = do_command(make_move_from(
	    world_text("{'source':'wms','source_event_id':'two','type':'receive','occurred_at':'2026-03-01T09:00:00Z',"
		       "'lines':[{'sku':'TV','location':'east','quantity':'1','serials':['S1']},"
		       "{'sku':'TV','location':'west','quantity':'1','serials':['S2']}]}")));
	assert_int_equal(
	    do_command(make_move_from(world_text(
			   "{'source':'wms','source_event_id':'back','type':'reverse','occurred_at':'2026-03-01T10:00:"
			   "00Z','reverses':'%s','lines':[{'sku':'TV','location':'west','quantity':'1'}]}",
			   in.id)))
		.status,
	    200);
	assert_where("S1", "in_stock east");
	assert_where("S2", "unknown");
}

/* Of two lines of the same goods the serial numbers of the one that is named. */
static void test_a_line_is_taken_back_by_number(void **state)
{
	static const char back[] =
	    "{'source':'wms','source_event_id':'back-%d','type':'reverse','occurred_at':'2026-03-01T10:00:00Z',"
	    "'reverses_event_id':'two','lines':[{'line':%d,'sku':'TV','location':'east','quantity':'%d'}]}";

	(void)state;
	record("TV", ",'tracking':'serial'");
	do_command(make_move_from(
	    world_text("{'source':'wms','source_event_id':'two','type':'receive','occurred_at':'2026-03-01T09:00:00Z',"
		       "'lines':[{'sku':'TV','location':'east','quantity':'1','serials':['S1']},"
		       "{'sku':'TV','location':'east','quantity':'2','serials':['S2','S3']}]}")));
	reopen();
	assert_int_equal(do_command(make_move_from(world_text(back, 1, 2, 3))).status, 422);
	assert_int_equal(do_command(make_move_from(world_text(back, 2, 2, 2))).status, 200);
	assert_where("S1", "in_stock east");
	assert_where("S2", "unknown");
	assert_where("S3", "unknown");
	reopen();
	assert_int_equal(do_command(make_move_from(world_text(back, 3, 2, 2))).status, 409);
	assert_int_equal(do_command(make_move_from(world_text(back, 4, 1, 1))).status, 200);
	assert_where("S1", "unknown");
}

/* ---- kits ---- */

static void test_kits(void **state)
{
	(void)state;
	record("TV", ",'tracking':'serial'");
	record("BOX", ",'tracking':'serial'");
	record("CABLE", "");
	record("SET", ",'components':[{'sku':'TV','quantity':'1'},{'sku':'CABLE','quantity':'2'}]");
	record("DUO", ",'components':[{'sku':'TV','quantity':'1'},{'sku':'BOX','quantity':'1'}]");
	tell((struct fact){"receive", .serials = "S1 S2 S3", .minute = 1});
	tell((struct fact){"receive", .sku = "BOX", .serials = "B1", .minute = 1});
	tell((struct fact){"receive", .sku = "CABLE", .quantity = 10, .minute = 1});
	/* The only component with serial numbers has those of the line. */
	tell((struct fact){"ship", .sku = "SET", .serials = "S1", .minute = 2});
	assert_where("S1", "shipped east");
	tell((struct fact){"ship", .sku = "DUO", .quantity = 1, .minute = 3,
			   .line = ",'component_serials':["
				   "{'sku':'BOX','serials':['B1']},{'sku':'TV','serials':['S2']}]"});
	assert_string_equal(where_of("BOX", "B1"), "shipped east");
	assert_where("S2", "shipped east");
	assert_string_equal(drifts(), "");
	tell((struct fact){"ship", .sku = "SET", .quantity = 1, .minute = 4});
	assert_string_equal(drifts(), "serials_missing:");
}

/* ---- lots ---- */

static void test_the_lot_is_known_by_the_serial(void **state)
{
	(void)state;
	record("TV", ",'tracking':'lot_and_serial'");
	tell((struct fact){"receive", .serials = "S1 S2", .line = ",'lot':'OLD'", .minute = 1});
	tell((struct fact){"receive", .serials = "S3 S4", .line = ",'lot':'NEW'", .minute = 2});
	reopen();
	tell((struct fact){"ship", .serials = "S3", .minute = 3});
	assert_string_equal(world_at(ASK(query_stock, STR("TV")), "positions/0/lot"), "OLD");
	assert_string_equal(world_at(ASK(query_stock, STR("TV")), "positions/0/on_hand"), "2");
	assert_string_equal(world_at(ASK(query_stock, STR("TV")), "positions/1/on_hand"), "1");
	assert_string_equal(drifts(), "");
}

/* ---- orders ---- */

static void test_a_shipment_carries_them(void **state)
{
	struct reply o;
	struct delivery_head *head;

	(void)state;
	record("TV", ",'tracking':'serial'");
	tell((struct fact){"receive", .serials = "S1 S2", .minute = 1});
	o = do_command(make_order("1", "TV:1"));
	deliver("erp", OP_ORDER_POST, o.id, "E1");
	tell((struct fact){"ship", .serials = "S2", .minute = 2,
			   .more = arena_printf(&world.arena, ",'order_id':'%s'", o.id)});
	assert_string_equal(world_at(ASK(query_serials, STR("TV"), &(struct query_serials){.state = STR("shipped")},
					 &(struct query_page){.limit = 10}),
				     "items/0/order_id"),
			    o.id);
	head = find_delivery("erp", OP_SHIPMENT, o.id);
	assert_non_null(head);
	assert_non_null(strstr(arena_printf(&world.arena, STR_FMT, STR_ARG(delivery_of(head).params)), "\"S2\""));
	assert_string_equal(drifts(), "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verbs),
	    TEST(test_at_shipment_only),
	    TEST(test_an_item_without_serials_has_no_registry),
	    TEST(test_lists),
	    TEST(test_reversal),
	    TEST(test_a_line_is_taken_back),
	    TEST(test_a_line_is_taken_back_by_number),
	    TEST(test_kits),
	    TEST(test_the_lot_is_known_by_the_serial),
	    TEST(test_a_shipment_carries_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
