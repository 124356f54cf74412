/* The readers: what they take from good documents, and every kind of error with its pointer. */
#include "base/clock.h"
#include "model/movement.h"
#include "model/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;
static struct findings findings;

/* Single quotes stand for double ones. */
static struct json *parse(const char *text)
{
	struct json *doc;
	struct err e = ERR_NONE;
	struct json_limits limits = JSON_LIMITS_DEFAULT;
	struct str copy = arena_copy(&arena, str_from(text));

	for (size_t i = 0; i < copy.n; i++)
		if (copy.p[i] == '\'')
			((char *)copy.p)[i] = '"';
	if (json_parse(&arena, copy, &limits, &doc, &e) != RC_OK)
		fail_msg("%s: %s", text, e.detail);
	return doc;
}

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 16 << 20);
	findings_init(&findings, &arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

enum kind { ORDER, MOVEMENT, COUNT, SHIPMENT, HOLD };

static enum rc read_kind(enum kind kind, const struct json *doc, const char *at)
{
	struct order order;
	struct movement movement;
	struct shipment shipment;
	struct hold_request hold;

	switch (kind) {
	case ORDER:
		return order_read(&arena, doc, SKU_AS_IS, &order, &findings);
	case MOVEMENT:
		return movement_read(&arena, doc, SKU_AS_IS, at, &movement, &findings);
	case COUNT:
		return stock_count_read(&arena, doc, SKU_AS_IS, at, &movement, &findings);
	case SHIPMENT:
		return shipment_read(&arena, doc, SKU_AS_IS, at, &shipment, &findings);
	case HOLD:
		return hold_request_read(&arena, doc, SKU_AS_IS, "", &hold, &findings);
	}
	return RC_INVALID;
}

#define HEAD                                                                                                           \
	"{'channel':'shop','external_id':'1','placed_at':'2026-03-01T12:00:00Z','currency':'GBP','customer':{'"        \
	"external_id':'C'},"
#define MOVED   "{'source':'wms','source_event_id':'e','occurred_at':'2026-03-01T12:00:00Z',"
#define COUNTED "{'source_event_id':'e','occurred_at':'2026-03-01T12:00:00Z',"
#define SENT    "{'shipment_id':'s','order_id':'o','shipped_at':'2026-03-01T12:00:00Z',"

/* clang-format off */
static const struct bad {
	enum kind kind;
	const char *text, *pointer, *code;
} bad[] = {
	{ORDER, HEAD "'lines':[]}", "/lines", "required"},
	{ORDER, HEAD "'x':1}", "/lines", "required"},
	{ORDER, HEAD "'lines':[{'line_id':'1','sku':'A','quantity':'0'}]}", "/lines/0/quantity", "not_positive"},
	{ORDER, HEAD "'lines':[{'line_id':'1','sku':'A','quantity':'-1'}]}", "/lines/0/quantity", "not_positive"},
	{ORDER, HEAD "'lines':[{'line_id':'1','sku':'A','quantity':1}]}", "/lines/0/quantity", "wrong_type"},
	{ORDER, HEAD "'lines':[{'line_id':'1','sku':'A'}]}", "/lines/0/quantity", "required"},
	{ORDER, HEAD "'lines':[{'line_id':'1','sku':'A','quantity':'1','unit_price':'1,5'}]}", "/lines/0/unit_price", "not_a_decimal"},
	{ORDER, HEAD "'lines':[{'line_id':'1','sku':'A','quantity':'1','unit_price':1}]}", "/lines/0/unit_price", "wrong_type"},
	{ORDER, HEAD "'lines':[{'line_id':'1','sku':'A','quantity':'1','amount':'12345678901234567890'}]}", "/lines/0/amount", "decimal_too_large"},
	{ORDER, HEAD "'lines':[{'line_id':'1','sku':'A','quantity':'1'},{'line_id':'1','sku':'B','quantity':'1'}]}", "/lines/1/line_id", "line_id_repeats"},
	{ORDER, HEAD "'lines':[{'line_id':'1','quantity':'1'}]}", "/lines/0/sku", "required"},
	{ORDER, HEAD "'lines':[{'sku':'A','quantity':'1'}]}", "/lines/0/line_id", "required"},
	{ORDER, HEAD "'version':-1,'lines':[{'line_id':'1','sku':'A','quantity':'1'}]}", "/version", "wrong_type"},
	{ORDER, HEAD "'updated_at':'soon','lines':[{'line_id':'1','sku':'A','quantity':'1'}]}", "/updated_at", "not_an_instant"},
	{ORDER, "{'channel':'shop','external_id':'1','currency':'GBP','lines':[{'line_id':'1','sku':'A','quantity':'1'}]}", "/placed_at", "required"},
	{ORDER, "{'channel':'shop','placed_at':'2026-03-01T12:00:00Z','currency':'GBP','lines':[{'line_id':'1','sku':'A','quantity':'1'}]}", "/external_id", "required"},
	{MOVEMENT, MOVED "'type':'teleport','lines':[{'sku':'A','location':'e','quantity':'1'}]}", "/items/3/type", "not_in_enum"},
	{MOVEMENT, MOVED "'lines':[{'sku':'A','location':'e','quantity':'1'}]}", "/items/3/type", "required"},
	{MOVEMENT, MOVED "'type':'receive'}", "/items/3/lines", "required"},
	{MOVEMENT, MOVED "'type':'receive','lines':[{'sku':'A','location':'e','quantity':'-1'}]}", "/items/3/lines/0/quantity", "not_positive"},
	{MOVEMENT, MOVED "'type':'receive','lines':[{'sku':'A','quantity':'1'}]}", "/items/3/lines/0/location", "required"},
	{MOVEMENT, MOVED "'type':'adjust','lines':[{'sku':'A','location':'e','quantity':'0'}]}", "/items/3/lines/0/quantity", "zero"},
	{MOVEMENT, MOVED "'type':'count','lines':[{'sku':'A','location':'e','quantity':'-1'}]}", "/items/3/lines/0/quantity", "negative"},
	{MOVEMENT, MOVED "'type':'move','lines':[{'sku':'A','location':'e','quantity':'1'}]}", "/items/3/lines/0/to_location", "required"},
	{MOVEMENT, MOVED "'type':'move','lines':[{'sku':'A','location':'e','to_location':'e','quantity':'1'}]}", "/items/3/lines/0/to_location", "same_location"},
	{MOVEMENT, MOVED "'type':'ship','lines':[{'sku':'A','location':'e','to_location':'w','quantity':'1'}]}", "/items/3/lines/0/to_location", "not_applicable"},
	{MOVEMENT, MOVED "'type':'announce','expected_at':'tomorrow','lines':[{'sku':'A','location':'e','quantity':'1'}]}", "/items/3/expected_at", "not_an_instant"},
	{MOVEMENT, "{'source':'wms','type':'receive','occurred_at':'2026-03-01T12:00:00Z','lines':[{'sku':'A','location':'e','quantity':'1'}]}", "/items/3/source_event_id", "required"},
	{MOVEMENT, "{'source_event_id':'e','type':'receive','occurred_at':'2026-03-01T12:00:00Z','lines':[{'sku':'A','location':'e','quantity':'1'}]}", "/items/3/source", "required"},
	{COUNT, COUNTED "'lines':[{'sku':'A','location':'e','quantity':'-0.5'}]}", "/items/3/lines/0/quantity", "negative"},
	{COUNT, "{'source_event_id':'e','occurred_at':'1969-01-01T00:00:00Z','lines':[{'sku':'A','location':'e','quantity':'1'}]}", "/items/3/occurred_at", "not_an_instant"},
	{SHIPMENT, SENT "'lines':[{'sku':'A','location':'e','quantity':'0'}]}", "/items/3/lines/0/quantity", "not_positive"},
	{SHIPMENT, "{'shipment_id':'s','shipped_at':'2026-03-01T12:00:00Z','lines':[{'sku':'A','location':'e','quantity':'1'}]}", "/items/3/order_id", "required"},
	{HOLD, "{'channel':'shop','ttl_s':0,'lines':[{'sku':'A','quantity':'1'}]}", "/ttl_s", "out_of_range"},
	{HOLD, "{'channel':'shop','ttl_s':31536001,'lines':[{'sku':'A','quantity':'1'}]}", "/ttl_s", "out_of_range"},
	{HOLD, "{'lines':[{'sku':'A','quantity':'1'}]}", "/channel", "required"},
	{HOLD, "{'channel':'shop','lines':[{'sku':'A','quantity':'0'}]}", "/lines/0/quantity", "not_positive"},
};
/* clang-format on */

static void test_errors_are_pointed_at(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		findings_init(&findings, &arena);
		assert_int_equal(read_kind(bad[i].kind, parse(bad[i].text), "/items/3"), RC_INVALID);
		if (findings.count != 1 || strcmp(findings.list[0].pointer, bad[i].pointer) != 0 ||
		    strcmp(findings.list[0].code, bad[i].code) != 0)
			fail_msg("%s: %zu, %s %s", bad[i].text, findings.count, findings.list[0].pointer,
				 findings.list[0].code);
		assert_true(findings.list[0].detail[0] != '\0');
	}
}

static void test_order(void **state)
{
	struct order o;
	(void)state;
	const struct json *doc =
	    parse(HEAD "'reservation_id':'r','version':7,'updated_at':'2026-03-01T12:00:00Z','lines':["
		       "{'line_id':'1','sku':'85123a','quantity':'6','uom':'EA','unit_price':'-2.55'},"
		       "{'line_id':'2','sku':'B','quantity':'0.0001'}]}");
	assert_int_equal(order_read(&arena, doc, SKU_AS_IS, &o, &findings), RC_OK);
	assert_true(str_is(o.channel, "shop"));
	assert_true(str_is(o.external_id, "1"));
	assert_true(str_is(o.currency, "GBP"));
	assert_true(str_is(o.customer_id, "C"));
	assert_true(str_is(o.reservation_id, "r"));
	assert_int_equal(o.placed_at, 1772366400000);
	assert_int_equal(o.version, 7);
	assert_int_equal(o.line_count, 2);
	assert_true(str_is(o.lines[0].line_id, "1"));
	assert_true(str_is(o.lines[0].sku, "85123a"));
	assert_int_equal(o.lines[0].quantity, 6 * QTY_ONE);
	assert_true(str_is(o.lines[0].uom, "EA"));
	assert_int_equal(o.lines[1].quantity, 1);
	assert_int_equal(o.lines[1].uom.n, 0);
	assert_int_equal(order_read(&arena, doc, SKU_UPPER, &o, &findings), RC_OK);
	assert_true(str_is(o.lines[0].sku, "85123A"));
	assert_true(str_is(json_get_text(&json_get(doc, "lines")->items[0], "sku"), "85123a"));

	doc = parse(HEAD "'updated_at':'2026-03-01T12:00:01Z','lines':[{'line_id':'1','sku':'A','quantity':'1'}]}");
	assert_int_equal(order_read(&arena, doc, SKU_AS_IS, &o, &findings), RC_OK);
	assert_int_equal(o.version, 1772366401000);
	doc = parse(HEAD "'lines':[{'line_id':'1','sku':'A','quantity':'1'}]}");
	assert_int_equal(order_read(&arena, doc, SKU_AS_IS, &o, &findings), RC_OK);
	assert_int_equal(o.version, 0);
	assert_int_equal(o.reservation_id.n, 0);
}

/* A large order takes the other way of finding ids that repeat. */
static void test_many_lines(void **state)
{
	struct order o;
	struct buf text;
	(void)state;
	for (size_t repeat = 0; repeat < 2; repeat++) {
		findings_init(&findings, &arena);
		buf_init(&text, 1 << 20);
		buf_add_z(&text, HEAD "'lines':[");
		for (size_t i = 0; i < ORDER_LINES_MAX; i++)
			buf_printf(&text, "%s{'line_id':'%zu','sku':'A','quantity':'1'}", i ? "," : "",
				   repeat && i == 1500 ? 3 : i);
		buf_add_z(&text, "]}");
		enum rc rc = order_read(&arena, parse(text.p), SKU_AS_IS, &o, &findings);
		assert_int_equal(rc, repeat ? RC_INVALID : RC_OK);
		assert_int_equal(findings.count, repeat);
		if (repeat)
			assert_string_equal(findings.list[0].pointer, "/lines/1500/line_id");
		buf_done(&text);
	}
}

static void test_too_many_lines(void **state)
{
	struct movement m;
	struct buf text;
	(void)state;
	buf_init(&text, 1 << 20);
	buf_add_z(&text, MOVED "'type':'receive','lines':[");
	for (size_t i = 0; i <= MOVEMENT_LINES_MAX; i++)
		buf_printf(&text, "%s{'sku':'A','location':'e','quantity':'1'}", i ? "," : "");
	buf_add_z(&text, "]}");
	assert_int_equal(movement_read(&arena, parse(text.p), SKU_AS_IS, "", &m, &findings), RC_INVALID);
	assert_string_equal(findings.list[0].pointer, "/lines");
	assert_string_equal(findings.list[0].code, "too_many_items");
	buf_done(&text);
}

static void test_a_full_arena_is_a_limit(void **state)
{
	struct arena small;
	struct order o;
	(void)state;
	const struct json *doc = parse(HEAD "'lines':[{'line_id':'1','sku':'A','quantity':'1'}]}");
	arena_init(&small, 8);
	assert_int_equal(order_read(&small, doc, SKU_AS_IS, &o, &findings), RC_LIMIT);
	arena_done(&small);
	doc = parse(HEAD "'lines':[{'line_id':'1','sku':'abcdefghijklmnopqrstuvwxyz','quantity':'1'}]}");
	arena_init(&small, sizeof(struct order_line) + 16);
	assert_int_equal(order_read(&small, doc, SKU_UPPER, &o, &findings), RC_LIMIT);
	assert_int_equal(findings.count, 0);
	arena_done(&small);
}

static void test_movement(void **state)
{
	struct movement m;
	(void)state;
	const struct json *doc =
	    parse(MOVED "'type':'announce','expected_at':'2026-03-01T12:00:01Z','purchase_order_id':'P','order_id':'O',"
			"'reason':'why',"
			"'lines':[{'line_id':'9','sku':'a','location':'e','quantity':'2.5','uom':'KGM','lot':'L'}]}");
	assert_int_equal(movement_read(&arena, doc, SKU_UPPER, "", &m, &findings), RC_OK);
	assert_int_equal(m.type, MOVE_ANNOUNCE);
	assert_true(str_is(m.source, "wms"));
	assert_true(str_is(m.source_event_id, "e"));
	assert_true(str_is(m.order_id, "O"));
	assert_true(str_is(m.purchase_order_id, "P"));
	assert_true(str_is(m.reason, "why"));
	assert_int_equal(m.occurred_at, 1772366400000);
	assert_int_equal(m.expected_at, 1772366401000);
	assert_int_equal(m.line_count, 1);
	assert_true(str_is(m.lines[0].sku, "A"));
	assert_true(str_is(m.lines[0].location, "e"));
	assert_true(str_is(m.lines[0].lot, "L"));
	assert_true(str_is(m.lines[0].uom, "KGM"));
	assert_true(str_is(m.lines[0].order_line_id, "9"));
	assert_int_equal(m.lines[0].quantity, 25000);

	doc = parse(MOVED "'type':'move','lines':[{'sku':'A','location':'e','to_location':'w','quantity':'1'}]}");
	assert_int_equal(movement_read(&arena, doc, SKU_AS_IS, "", &m, &findings), RC_OK);
	assert_true(str_is(m.lines[0].to_location, "w"));
	assert_int_equal(m.expected_at, 0);
	doc = parse(MOVED "'type':'adjust','lines':[{'sku':'A','location':'e','quantity':'-3'}]}");
	assert_int_equal(movement_read(&arena, doc, SKU_AS_IS, "", &m, &findings), RC_OK);
	assert_int_equal(m.lines[0].quantity, -3 * QTY_ONE);
}

static void test_count_shipment_and_hold(void **state)
{
	struct movement m;
	struct shipment s;
	struct hold_request h;
	(void)state;
	const struct json *doc = parse(COUNTED "'lines':[{'sku':'A','location':'e','quantity':'0'}]}");
	assert_int_equal(stock_count_read(&arena, doc, SKU_AS_IS, "", &m, &findings), RC_OK);
	assert_int_equal(m.type, MOVE_COUNT);
	assert_int_equal(m.source.n, 0);
	assert_int_equal(m.lines[0].quantity, 0);

	doc = parse(SENT "'lines':[{'line_id':'1','sku':'A','location':'e','quantity':'6'}]}");
	assert_int_equal(shipment_read(&arena, doc, SKU_AS_IS, "", &s, &findings), RC_OK);
	assert_int_equal(s.movement.type, MOVE_SHIP);
	assert_true(str_is(s.shipment_id, "s"));
	assert_true(str_is(s.movement.source_event_id, "s"));
	assert_true(str_is(s.movement.order_id, "o"));
	assert_true(str_is(s.movement.lines[0].order_line_id, "1"));
	assert_int_equal(s.movement.occurred_at, 1772366400000);

	doc = parse("{'reservation_id':'r','channel':'shop','ttl_s':900,'lines':[{'sku':'A','quantity':'1'},"
		    "{'sku':'B','quantity':'2','location':'e'}]}");
	assert_int_equal(hold_request_read(&arena, doc, SKU_AS_IS, "", &h, &findings), RC_OK);
	assert_true(str_is(h.reservation_id, "r"));
	assert_true(str_is(h.channel, "shop"));
	assert_int_equal(h.ttl_ms, 900000);
	assert_int_equal(h.line_count, 2);
	assert_int_equal(h.lines[0].location.n, 0);
	assert_true(str_is(h.lines[1].location, "e"));
	doc = parse("{'channel':'shop','lines':[{'sku':'A','quantity':'1'}]}");
	assert_int_equal(hold_request_read(&arena, doc, SKU_AS_IS, "", &h, &findings), RC_OK);
	assert_int_equal(h.ttl_ms, 0);
}

static void test_sku_case(void **state)
{
	(void)state;
	struct str same = STR("AB-1"), mixed = STR("aB-\xc3\xa4z");
	assert_ptr_equal(sku_apply_case(&arena, same, SKU_UPPER).p, same.p);
	assert_ptr_equal(sku_apply_case(&arena, mixed, SKU_AS_IS).p, mixed.p);
	assert_true(str_is(sku_apply_case(&arena, mixed, SKU_UPPER), "AB-\xc3\xa4Z"));
	assert_true(str_is(mixed, "aB-\xc3\xa4z"));
	assert_int_equal(sku_apply_case(&arena, STR_NONE, SKU_UPPER).n, 0);
}

static void test_type_names(void **state)
{
	enum movement_type t;
	(void)state;
	for (enum movement_type i = MOVE_RECEIVE; i <= MOVE_ANNOUNCE; i++) {
		assert_true(movement_type_parse(str_from(movement_type_name(i)), &t));
		assert_int_equal(t, i);
	}
	assert_false(movement_type_parse(STR("RECEIVE"), &t));
	assert_false(movement_type_parse(STR_NONE, &t));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_errors_are_pointed_at),   TEST(test_order),      TEST(test_many_lines),
	    TEST(test_too_many_lines),          TEST(test_movement),   TEST(test_a_full_arena_is_a_limit),
	    TEST(test_count_shipment_and_hold), TEST(test_type_names), TEST(test_sku_case),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
