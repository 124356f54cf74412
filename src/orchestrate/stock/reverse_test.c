/* Which lines a reversal takes back, by the names that its source has for them. */
#include "orchestrate/world.h"

static void set_item(struct world *w, const char *sku, const char *record)
{
	struct err e = ERR_NONE;

	assert_non_null(stock_item_make(w->stock, NULL, str_from(sku), STR("EA")));
	if (item_load(w->stock, str_from(sku), STR("EA"), str_from(record), true, &e) != RC_OK)
		fail_msg("%s: %s", sku, e.code);
}

static void name_items(struct world *w)
{
	set_item(w, "CUP",
		 "{\"sku\":\"CUP\",\"base_uom\":\"EA\",\"uoms\":[{\"uom\":\"CS\",\"factor\":\"12\"}],"
		 "\"aliases\":[{\"system\":\"wms\",\"sku\":\"4711\"},{\"system\":\"wms\",\"sku\":\"twice\"}]}");
	set_item(w, "LID",
		 "{\"sku\":\"LID\",\"base_uom\":\"EA\",\"aliases\":[{\"system\":\"wms\",\"sku\":\"twice\"}]}");
	set_item(w, "SET",
		 "{\"sku\":\"SET\",\"components\":[{\"sku\":\"CUP\",\"quantity\":\"2\"},"
		 "{\"sku\":\"LID\",\"quantity\":\"1\"}]}");
}

static struct movement_undo last(const struct world *w, const char *type)
{
	struct movement_undo undo = {0};

	for (const struct store_write *r = w->txn.batch.first; r; r = r->next)
		if (r->statement == W_MOVEMENT && str_is(r->values[4].bytes, type))
			undo = (struct movement_undo){.seq = r->values[0].integer,
						      .occurred_at = r->values[3].integer,
						      .entries = r->values[10].bytes};
	return undo;
}

static enum rc reverse(struct world *w, struct str order_id, struct movement_line *lines, size_t count,
		       struct movement_undo undo, struct err *e)
{
	struct movement fact = {.type = MOVE_REVERSE,
				.source = STR("wms"),
				.source_event_id = STR("back"),
				.occurred_at = w->now,
				.order_id = order_id,
				.line_count = count,
				.lines = lines};
	bool taken[16] = {false}, chosen[16] = {false};
	struct movement_result result;

	assert_true(stock_entry_count(undo.entries) <= 16);
	undo.taken = taken;
	undo.chosen = chosen;
	return stock_step_reverse(w->stock, w->orders, &w->txn, &fact, &undo, &result, e);
}

/* By the source's own names and spelling, in its units, and kits by what they are made of. */
static void test_reverse_by_name(void **state)
{
	static const struct {
		const char *name, *code, *where;
		struct movement_line lines[2];
		size_t count;
		qty_t cup, lid;
	} cases[] = {
	    {.name = "an alias and a case",
	     .lines = {{.sku = {"4711", 4}, .quantity = Q(2), .uom = {"CS", 2}}},
	     .count = 1,
	     .cup = Q(-24),
	     .lid = 0},
	    {.name = "a prefix", .lines = {{.sku = {"x-LID", 5}, .quantity = Q(5)}}, .count = 1, .lid = Q(-5)},
	    {.name = "a kit",
	     .lines = {{.sku = {"SET", 3}, .quantity = Q(5)}},
	     .count = 1,
	     .code = "quantity_differs",
	     .where = "/lines/0"},
	    {.name = "a kit, and what there is besides of a component",
	     .lines = {{.sku = {"SET", 3}, .quantity = Q(5)}, {.sku = {"CUP", 3}, .quantity = Q(14)}},
	     .count = 2,
	     .cup = Q(-24),
	     .lid = Q(-5)},
	    {.name = "an ambiguous name",
	     .lines = {{.sku = {"LID", 3}, .quantity = Q(5)}, {.sku = {"twice", 5}, .quantity = Q(1)}},
	     .count = 2,
	     .code = "ambiguous_sku",
	     .where = "/lines/1/sku"},
	    {.name = "an unknown unit",
	     .lines = {{.sku = {"CUP", 3}, .quantity = Q(5), .uom = {"PL", 2}}},
	     .count = 1,
	     .code = "unknown_uom",
	     .where = "/lines/0/uom"},
	};

	(void)state;
	for (size_t n = 0; n < COUNT(cases); n++) {
		const struct world_line in[] = {WANT("CUP", "A", Q(24)), WANT("LID", "A", Q(5))};
		struct movement_line lines[2];
		struct err e = ERR_NONE;
		struct movement_undo undo;
		struct world w;
		enum rc rc;

		world_init(&w);
		w.systems[2].sku = (struct config_sku_rule){.strip_prefix = STR("x-")};
		w.tenant.has_sku_rules = true;
		world_start(&w);
		name_items(&w);
		assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_RECEIVE}, in, 2, &e), RC_OK);
		undo = last(&w, "receive");
		memcpy(lines, cases[n].lines, sizeof(lines));
		for (size_t i = 0; i < 2; i++)
			lines[i].location = STR("A");
		rc = reverse(&w, STR_NONE, lines, cases[n].count, undo, &e);
		if ((rc == RC_OK) != !cases[n].code)
			fail_msg("%s: %s", cases[n].name, e.code);
		if (cases[n].code) {
			assert_string_equal(e.code, cases[n].code);
			assert_string_equal(e.where, cases[n].where);
		}
		assert_int_equal(world_state(&w, "CUP", "A", STOCK_FREE), Q(24) + cases[n].cup);
		assert_int_equal(world_state(&w, "LID", "A", STOCK_FREE), Q(5) + cases[n].lid);
		world_done(&w);
	}
}

/* What an order had of ours and of others comes back to whose it was, also where the line does not say it. */
static void test_reverse_a_shipment_of_consigned_stock(void **state)
{
	struct world_line ours = WANT("W", "A", Q(2)),
			  theirs = {.sku = "W", .location = "A", .owner = "acme", .quantity = Q(2)};
	struct movement_line back = {.sku = STR("W"), .location = STR("A"), .quantity = Q(3)};
	struct err e = ERR_NONE;
	struct movement_undo undo;
	struct order_open *o;
	struct world w;

	(void)state;
	world_init(&w);
	world_consign(&w);
	world_start(&w);
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_RECEIVE}, &ours, 1, &e), RC_OK);
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_RECEIVE}, &theirs, 1, &e), RC_OK);
	o = world_order(&w, "shop", &(struct world_line)WANT("W", NULL, Q(3)), 1, NULL);
	ours.quantity = Q(3);
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_SHIP, .order_id = o->order_id}, &ours, 1, &e),
			 RC_OK);
	undo = last(&w, "ship");
	assert_int_equal(reverse(&w, o->order_id, &back, 1, undo, &e), RC_OK);
	assert_int_equal(world_state_of(&w, NULL, "W", 0, STOCK_FREE), Q(2));
	assert_int_equal(world_state_of(&w, "acme", "W", 0, STOCK_FREE), Q(2));
	world_done(&w);
}

/* Of an order for a kit what it was made of then, whatever its record says now. */
static void test_reverse_a_shipped_kit(void **state)
{
	const struct world_line in[] = {WANT("CUP", "A", Q(4)), WANT("LID", "A", Q(2))};
	struct movement_line back = {.sku = STR("SET"), .location = STR("A"), .quantity = Q(1)};
	struct err e = ERR_NONE;
	struct order_open *o;
	struct world w;

	(void)state;
	world_init(&w);
	world_start(&w);
	name_items(&w);
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_RECEIVE}, in, 2, &e), RC_OK);
	o = world_order(&w, "shop", &(struct world_line)WANT("SET", NULL, Q(2)), 1, NULL);
	set_item(&w, "SET", "{\"sku\":\"SET\",\"components\":[{\"sku\":\"CUP\",\"quantity\":\"1\"}]}");
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_SHIP, .order_id = o->order_id},
				     &(struct world_line)WANT("SET", "A", Q(1)), 1, &e),
			 RC_OK);
	assert_int_equal(reverse(&w, o->order_id, &back, 1, last(&w, "ship"), &e), RC_OK);
	assert_int_equal(world_state(&w, "CUP", "A", STOCK_FREE), Q(2));
	assert_int_equal(world_state(&w, "LID", "A", STOCK_FREE), Q(1));
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reverse_by_name),
	    cmocka_unit_test(test_reverse_a_shipment_of_consigned_stock),
	    cmocka_unit_test(test_reverse_a_shipped_kit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
