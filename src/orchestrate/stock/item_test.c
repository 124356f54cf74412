#include "orchestrate/world.h"

#define KIT(sku, part)  "{\"sku\":\"" sku "\",\"components\":[{\"sku\":\"" part "\",\"quantity\":\"2\"}]}"
#define UNIT(uom, n)    "{\"uom\":\"" uom "\",\"factor\":\"" n "\"}"
#define ALIAS(sys, sku) "{\"system\":\"" sys "\",\"sku\":\"" sku "\"}"

/* What is less than the smallest quantity in a kit is not in it; a kit of nothing can not be had. */
static void test_parts_of_nothing(void **state)
{
	struct item_component parts[8];
	struct world w;

	(void)state;
	world_init(&w);
	world_start(&w);
	world_move(&w, MOVE_RECEIVE, "P", "A", Q(5));
	world_move(&w, MOVE_RECEIVE, "Q", "A", Q(5));
	world_record(&w, "BIT", "{\"sku\":\"BIT\",\"components\":[{\"sku\":\"P\",\"quantity\":\"0.0001\"}]}");
	world_record(&w, "K",
		     "{\"sku\":\"K\",\"components\":[{\"sku\":\"BIT\",\"quantity\":\"0.1\"},"
		     "{\"sku\":\"Q\",\"quantity\":\"2\"}]}");
	assert_int_equal(item_parts(stock_find(w.stock, STR("K")), parts, 8), 1);
	assert_true(str_is(parts[0].item->sku, "Q"));
	assert_int_equal(stock_available(w.stock, stock_find(w.stock, STR("K")), &w.channels[0]), Q(2));
	world_record(&w, "K", "{\"sku\":\"K\",\"components\":[{\"sku\":\"BIT\",\"quantity\":\"0.1\"}]}");
	assert_int_equal(item_parts(stock_find(w.stock, STR("K")), parts, 8), 0);
	assert_int_equal(stock_available(w.stock, stock_find(w.stock, STR("K")), &w.channels[0]), 0);
	world_done(&w);
}

static void test_kits(void **state)
{
	struct item_component parts[8];
	struct world w;
	struct err e = ERR_NONE;

	(void)state;
	world_init(&w);
	world_start(&w);
	world_record(&w, "K1", KIT("K1", "P"));
	world_record(&w, "K2",
		     "{\"sku\":\"K2\",\"components\":[{\"sku\":\"K1\",\"quantity\":\"3\"},"
		     "{\"sku\":\"P\",\"quantity\":\"0.5\"}]}");
	assert_int_equal(item_parts(stock_find(w.stock, STR("K2")), parts, 8), 1);
	assert_true(str_is(parts[0].item->sku, "P"));
	assert_int_equal(parts[0].quantity, 65000);
	assert_int_equal(item_parts(stock_find(w.stock, STR("P")), parts, 8), 1);
	assert_int_equal(parts[0].quantity, QTY_ONE);

	/* Touching a component touches the kits above it. */
	stock_publish(w.stock, w.now);
	assert_true(stock_view_has(w.view, STR("P"))); /* an item that is only named is known, as after a restart */
	item_touch(w.stock, stock_find(w.stock, STR("P")));
	assert_true(stock_find(w.stock, STR("K2"))->touched && stock_find(w.stock, STR("K1"))->touched);

	assert_int_equal(world_try_record(&w, "P", KIT("P", "K2"), &e), RC_INVALID);
	assert_string_equal(e.code, "kit_cycle");
	assert_false(item_is_kit(stock_find(w.stock, STR("P"))));
	world_move(&w, MOVE_RECEIVE, "Q", "A", Q(1));
	e = ERR_NONE;
	assert_int_equal(world_try_record(&w, "Q", KIT("Q", "P"), &e), RC_INVALID);
	assert_string_equal(e.code, "kit_has_stock");

	/* A later record takes the place of the first. */
	world_record(&w, "K1", "{\"sku\":\"K1\"}");
	assert_int_equal(item_parts(stock_find(w.stock, STR("K2")), parts, 8), 2);
	assert_int_equal(stock_find(w.stock, STR("P"))->rules->used_in_count, 1);
	world_done(&w);
}

static void test_kit_depth(void **state)
{
	struct world w;
	char sku[8], json[128];
	struct err e = ERR_NONE;
	int i;

	(void)state;
	world_init(&w);
	world_start(&w);
	for (i = 1; i <= ITEM_KIT_DEPTH + 1; i++) {
		snprintf(sku, sizeof(sku), "K%d", i);
		snprintf(json, sizeof(json), "{\"sku\":\"K%d\",\"components\":[{\"sku\":\"K%d\",\"quantity\":\"1\"}]}",
			 i, i - 1);
		if (world_try_record(&w, sku, json, &e) != RC_OK)
			break;
	}
	assert_int_equal(i, ITEM_KIT_DEPTH + 1);
	assert_string_equal(e.code, "kit_too_deep");
	/* From above as well: K0 may not become a kit below eight. */
	e = ERR_NONE;
	assert_int_equal(world_try_record(&w, "K0", KIT("K0", "P"), &e), RC_INVALID);
	assert_string_equal(e.code, "kit_too_deep");
	world_done(&w);
}

static void test_units(void **state)
{
	static const struct {
		const char *uom;
		qty_t quantity, want;
		const char *code;
	} cases[] = {
	    {"EA", Q(5), Q(5), NULL},       {"", Q(5), Q(5), NULL},       {"CS", Q(2), Q(24), NULL},
	    {"CS", 5000, Q(6), NULL},       {"PL", Q(-1), Q(-480), NULL}, {"TH", Q(3), 1, NULL},
	    {"BX", Q(1), 0, "unknown_uom"}, {"TH", Q(1), 0, "not_exact"}, {"PL", QTY_MAX, 0, "quantity_too_large"},
	};
	struct world w;
	struct err e = ERR_NONE;

	(void)state;
	world_init(&w);
	world_start(&w);
	world_record(&w, "A",
		     "{\"sku\":\"A\",\"base_uom\":\"EA\",\"uoms\":[" UNIT("CS", "12") "," UNIT("PL", "480") "," UNIT(
			 "TH", "0.0001") "]}");
	for (size_t i = 0; i < COUNT(cases); i++) {
		qty_t q = cases[i].quantity;
		enum rc rc;

		if (str_is(str_from(cases[i].uom), "TH"))
			q = cases[i].code ? 1 : QTY_ONE;
		e = ERR_NONE;
		rc = item_convert(w.stock, stock_find(w.stock, STR("A")), str_from(cases[i].uom), &q, &e);
		if (rc != (cases[i].code ? RC_INVALID : RC_OK) || (!cases[i].code && q != cases[i].want) ||
		    (cases[i].code && strcmp(e.code, cases[i].code) != 0))
			fail_msg("case %zu: %lld %s", i, (long long)q, e.code);
	}
	world_done(&w);
}

/* A document's line: as the ledger keeps it, or the member that is wrong. */
static void test_lines(void **state)
{
	static const struct {
		const char *sku, *uom, *own, *code, *where;
		qty_t quantity, want;
	} cases[] = {
	    {"123", "CS", "A", NULL, NULL, Q(2), Q(24)},
	    {"A", "", "A", NULL, NULL, Q(2), Q(2)},
	    {"new", "CS", "new", NULL, NULL, Q(2), Q(2)},
	    {"W", "", NULL, "ambiguous_sku", "/lines/7/sku", Q(1), 0},
	    {"A", "BX", NULL, "unknown_uom", "/lines/7/uom", Q(1), 0},
	    {"A", "TH", NULL, "not_exact", "/lines/7/quantity", 1, 0},
	};
	struct world w;

	(void)state;
	world_init(&w);
	world_start(&w);
	world_record(&w, "A",
		     "{\"sku\":\"A\",\"base_uom\":\"EA\",\"uoms\":[" UNIT("CS", "12") "," UNIT(
			 "TH", "0.0001") "],\"aliases\":[" ALIAS("shop", "123") "," ALIAS("shop", "W") "]}");
	world_record(&w, "B", "{\"sku\":\"B\",\"aliases\":[" ALIAS("shop", "W") "]}");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct item_line l = {str_from(cases[i].sku), str_from(cases[i].uom), cases[i].quantity, NULL};
		struct err e = ERR_NONE;
		enum rc rc = item_resolve_line(w.stock, &w.arena, STR("shop"), 7, &l, &e);

		assert_string_equal(e.code, cases[i].code ? cases[i].code : "");
		assert_string_equal(e.where, cases[i].where ? cases[i].where : "");
		assert_int_equal(rc, cases[i].code ? RC_INVALID : RC_OK);
		if (rc != RC_OK)
			continue;
		assert_true(str_is(l.sku, cases[i].own));
		assert_int_equal(l.quantity, cases[i].want);
		assert_ptr_equal(l.item, stock_find(w.stock, l.sku));
	}
	world_done(&w);
}

static void test_cross_reference(void **state)
{
	struct stock_item *i = NULL;
	struct world w;
	struct str own;
	struct err e = ERR_NONE;

	(void)state;
	world_init(&w);
	w.tenant.has_sku_rules = true;
	w.systems[0].sku = (struct config_sku_rule){.strip_prefix = STR("X-"), .strip_suffix = STR("-EU")};
	w.systems[3].sku = (struct config_sku_rule){.aliases_only = true};
	world_start(&w);
	world_record(&w, "A", "{\"sku\":\"A\",\"aliases\":[" ALIAS("shop", "123") "," ALIAS("wms", "W") "]}");
	world_record(&w, "B", "{\"sku\":\"B\",\"aliases\":[" ALIAS("wms", "W") "]}");

	assert_int_equal(item_resolve(w.stock, &w.arena, STR("shop"), STR("X-123-EU"), &own, &i, &e), RC_OK);
	assert_true(i && str_is(i->sku, "A"));
	assert_int_equal(item_resolve(w.stock, &w.arena, STR("shop"), STR("X-B"), &own, &i, &e), RC_OK);
	assert_true(i && str_is(i->sku, "B"));
	assert_int_equal(item_resolve(w.stock, &w.arena, STR("erp"), STR("123"), &own, &i, &e), RC_OK);
	assert_null(i);
	assert_int_equal(item_resolve(w.stock, &w.arena, STR("shop"), STR("X-new"), &own, &i, &e), RC_OK);
	assert_null(i);
	assert_true(str_is(own, "new"));
	assert_int_equal(item_resolve(w.stock, &w.arena, STR("wms"), STR("W"), &own, &i, &e), RC_INVALID);
	assert_string_equal(e.code, "ambiguous_sku");
	e = ERR_NONE;
	assert_int_equal(item_resolve(w.stock, &w.arena, STR("market"), STR("A"), &own, &i, &e), RC_INVALID);
	assert_string_equal(e.code, "unknown_alias");

	/* B gives the name up. */
	world_record(&w, "B", "{\"sku\":\"B\"}");
	assert_int_equal(item_resolve(w.stock, &w.arena, STR("wms"), STR("W"), &own, &i, &e), RC_OK);
	assert_true(str_is(i->sku, "A"));
	world_done(&w);
}

/* The wholesaler writes 85123A and 85123a, and means one item or two. */
static void test_letter_case_per_system(void **state)
{
	static const struct {
		enum sku_case letter_case;
		const char *strip, *add, *sku, *own, *item;
	} cases[] = {
	    {SKU_AS_IS, "", "", "85123A", "85123A", "85123A"},
	    {SKU_AS_IS, "", "", "85123a", "85123a", "85123a"},
	    {SKU_UPPER, "", "", "85123a", "85123A", "85123A"},
	    {SKU_UPPER, "", "", "85123A", "85123A", "85123A"},
	    {SKU_LOWER, "", "", "85123A", "85123a", "85123a"},
	    {SKU_UPPER, "", "", "15056bl", "15056BL", "15056BL"},
	    {SKU_UPPER, "", "", "15056p", "15056P", NULL},
	    {SKU_UPPER, "", "", "dcgs0003", "DCGS0003", NULL},
	    {SKU_UPPER, "", "", "gift_0001_20", "GIFT_0001_20", NULL},
	    {SKU_UPPER, "UK-", "", "UK-85123a", "85123A", "85123A"},
	    {SKU_UPPER, "uk-", "", "UK-85123a", "UK-85123A", NULL},
	    {SKU_AS_IS, "", "W-", "1", "W-1", "W-1"},
	    {SKU_UPPER, "x-", "W-", "x-a", "W-A", NULL},
	    {SKU_UPPER, "", "w-", "a", "w-A", NULL},
	    /* The cross-reference knows its own spelling, and finds another one by the rule's letter case. */
	    {SKU_UPPER, "", "W-", "Pink", "85123A", "85123A"},
	    {SKU_UPPER, "", "W-", "ROSE", "85123a", "85123a"},
	    {SKU_UPPER, "", "W-", "rose", "85123a", "85123a"},
	    {SKU_AS_IS, "", "", "rose", "rose", NULL},
	    {SKU_UPPER, "", "", "pINK", "85123A", "85123A"},
	    {SKU_UPPER, "", "",
	     "\xc3\xa9"
	     "a",
	     "\xc3\xa9"
	     "A",
	     NULL},
	};

	(void)state;
	for (size_t n = 0; n < COUNT(cases); n++) {
		struct stock_item *i = NULL;
		struct str own = STR_NONE;
		struct world w;
		struct err e = ERR_NONE;

		world_init(&w);
		w.tenant.has_sku_rules = true;
		w.systems[0].sku = (struct config_sku_rule){.strip_prefix = str_from(cases[n].strip),
							    .add_prefix = str_from(cases[n].add),
							    .letter_case = cases[n].letter_case};
		world_start(&w);
		world_record(&w, "85123A", "{\"sku\":\"85123A\",\"aliases\":[" ALIAS("shop", "Pink") "]}");
		world_record(&w, "85123a", "{\"sku\":\"85123a\",\"aliases\":[" ALIAS("shop", "ROSE") "]}");
		world_record(&w, "15056BL", "{\"sku\":\"15056BL\"}");
		world_record(&w, "W-1", "{\"sku\":\"W-1\"}");
		assert_int_equal(item_resolve(w.stock, &w.arena, STR("shop"), str_from(cases[n].sku), &own, &i, &e),
				 RC_OK);
		if (!str_is(own, cases[n].own) || (i != NULL) != (cases[n].item != NULL) ||
		    (i && !str_is(i->sku, cases[n].item)))
			fail_msg("case %zu: " STR_FMT ", " STR_FMT, n, STR_ARG(own), STR_ARG(i ? i->sku : STR_NONE));
		/* The rule is that system's alone. */
		assert_int_equal(item_resolve(w.stock, &w.arena, STR("erp"), STR("85123a"), &own, &i, &e), RC_OK);
		assert_true(i && str_is(i->sku, "85123a"));
		world_done(&w);
	}
}

/* Readers see names after the commit, and no longer when they are given up. */
static void test_readers_resolve(void **state)
{
	static const struct {
		const char *system, *sku, *own, *code; /* code: of the refusal */
	} cases[] = {
	    {"shop", "gid-1", "A", NULL},        {"erp", "gid-1", "gid-1", NULL},        {"shop", "A", "A", NULL},
	    {"erp", "5012345678900", "A", NULL}, {"shop", "5012345678900", "A", NULL},   {"shop", "b", "B", NULL},
	    {"wms", "W", NULL, "ambiguous_sku"}, {"market", "A", NULL, "unknown_alias"},
	};
	struct world w;
	struct str own;
	struct err e = ERR_NONE;

	(void)state;
	world_init(&w);
	w.tenant.has_sku_rules = true;
	w.systems[0].sku = (struct config_sku_rule){.letter_case = SKU_UPPER};
	w.systems[3].sku = (struct config_sku_rule){.aliases_only = true};
	world_start(&w);
	world_record(&w, "A",
		     "{\"sku\":\"A\",\"aliases\":[" ALIAS("shop", "gid-1") "," ALIAS("gtin", "5012345678900") "," ALIAS(
			 "wms", "W") "]}");
	world_record(&w, "B", "{\"sku\":\"B\",\"aliases\":[" ALIAS("wms", "W") "]}");
	assert_int_equal(item_resolve_view(w.view, &w.tenant, &w.arena, STR("erp"), STR("5012345678900"), &own, &e),
			 RC_OK);
	assert_true(str_is(own, "5012345678900"));
	stock_publish_all(w.stock, w.now);
	for (size_t n = 0; n < COUNT(cases); n++) {
		struct stock_item *i;
		enum rc rc = item_resolve_view(w.view, &w.tenant, &w.arena, str_from(cases[n].system),
					       str_from(cases[n].sku), &own, &e);

		if (rc != (cases[n].code ? RC_INVALID : RC_OK) ||
		    (cases[n].code && strcmp(e.code, cases[n].code) != 0) ||
		    (!cases[n].code && !str_is(own, cases[n].own)))
			fail_msg("case %zu: " STR_FMT " %s", n, STR_ARG(own), e.code);
		/* The writer says the same. */
		e = ERR_NONE;
		assert_int_equal(
		    item_resolve(w.stock, &w.arena, str_from(cases[n].system), str_from(cases[n].sku), &own, &i, &e),
		    rc);
		assert_true(cases[n].code || str_is(own, cases[n].own));
		e = ERR_NONE;
	}
	world_record(&w, "A", "{\"sku\":\"A\"}");
	stock_publish(w.stock, w.now);
	assert_int_equal(item_resolve_view(w.view, &w.tenant, &w.arena, STR("shop"), STR("GID-1"), &own, &e), RC_OK);
	assert_true(str_is(own, "GID-1"));
	assert_int_equal(item_resolve_view(w.view, &w.tenant, &w.arena, STR("wms"), STR("W"), &own, &e), RC_OK);
	assert_true(str_is(own, "B"));
	world_done(&w);
}

/* What a system is told is what it says itself, and means the same item when it comes back. */
static void test_spelling(void **state)
{
	static const struct {
		struct config_sku_rule rule;
		const char *own, *told;
	} cases[] = {
	    {{.send_theirs = true}, "85123A", "85123a"},
	    {{.send_theirs = true, .letter_case = SKU_UPPER}, "85123A", "85123a"},
	    {{.send_theirs = true, .letter_case = SKU_UPPER}, "22423", "22423"},
	    {{.send_theirs = true, .letter_case = SKU_UPPER, .add_prefix = STR("W-")}, "W-1", "1"},
	    {{.send_theirs = true, .strip_prefix = STR("UK-"), .strip_suffix = STR("/EA")}, "85123A", "UK-85123a/EA"},
	    {{.send_theirs = true, .strip_prefix = STR("UK-")}, "22423", "UK-22423"},
	    {{.send_theirs = true}, "TWO", "TWO"}, /* its name is another one's too */
	};

	(void)state;
	for (size_t n = 0; n < COUNT(cases); n++) {
		struct world w;
		struct err e = ERR_NONE;
		struct str told, own;

		world_init(&w);
		w.tenant.has_sku_rules = true;
		w.systems[0].sku = cases[n].rule;
		world_start(&w);
		world_record(&w, "22423", "{\"sku\":\"22423\"}");
		world_record(&w, "W-1", "{\"sku\":\"W-1\"}");
		world_record(&w, "ONE", "{\"sku\":\"ONE\",\"aliases\":[" ALIAS("shop", "both") "]}");
		world_record(&w, "TWO", "{\"sku\":\"TWO\",\"aliases\":[" ALIAS("shop", "both") "]}");
		stock_publish_all(w.stock, w.now);
		world_record(&w, "85123A",
			     "{\"sku\":\"85123A\",\"aliases\":[" ALIAS("wms", "w") "," ALIAS(
				 "shop", "85123a") "," ALIAS("shop", "more") "]}");
		stock_touch(w.stock, stock_find(w.stock, STR("85123A")));
		stock_publish(w.stock, w.now);
		told = item_spell(w.view, &w.tenant, &w.arena, STR("shop"), str_from(cases[n].own));
		if (!str_is(told, cases[n].told))
			fail_msg("case %zu: " STR_FMT, n, STR_ARG(told));
		assert_int_equal(item_resolve_view(w.view, &w.tenant, &w.arena, STR("shop"), told, &own, &e), RC_OK);
		assert_true(str_is(own, cases[n].own));
		assert_true(str_is(item_spell(w.view, &w.tenant, &w.arena, STR("erp"), STR("85123A")), "85123A"));
		/* Without its record's names it is ours again; also when all is shown anew. */
		world_record(&w, "85123A", "{\"sku\":\"85123A\"}");
		stock_publish(w.stock, w.now);
		stock_publish_all(w.stock, w.now);
		assert_int_equal(item_resolve_view(w.view, &w.tenant, &w.arena, STR("shop"), STR("more"), &own, &e),
				 RC_OK);
		assert_false(str_is(own, "85123A"));
		world_done(&w);
	}
}

/* What a row holds is what a record said. */
static void test_rows(void **state)
{
	static const char *const records[] = {
	    "{\"sku\":\"A\",\"base_uom\":\"EA\",\"status\":\"discontinued\",\"tracking\":\"lot_and_serial\",\"shelf_"
	    "life_days\":30,"
	    "\"uoms\":[" UNIT("CS", "12") "],\"substitutes\":[\"B\",\"C\"],\"aliases\":[" ALIAS("shop", "1") "]}",
	    KIT("A", "P"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(records); i++) {
		struct world w;
		struct item_record record;
		struct findings f;
		struct json *doc;
		struct buf row;
		struct err e = ERR_NONE;

		world_init(&w);
		world_start(&w);
		findings_init(&f, &w.arena);
		assert_int_equal(json_parse(&w.arena, str_from(records[i]), NULL, &doc, NULL), RC_OK);
		assert_int_equal(item_record_read(&w.arena, doc, SKU_AS_IS, &record, &f), RC_OK);
		buf_init(&row, 4096);
		item_record_write(&row, &record);
		assert_string_equal(row.p, records[i]);
		assert_int_equal(item_load(w.stock, STR("A"), STR("EA"), buf_str(&row), true, &e), RC_OK);
		assert_int_equal(item_is_kit(stock_find(w.stock, STR("A"))), i == 1);
		assert_int_equal(item_is_discontinued(stock_find(w.stock, STR("A"))), i == 0);
		assert_true(str_is(item_uom(w.stock, stock_find(w.stock, STR("A"))), "EA"));
		buf_reset(&row);
		buf_add_z(&row, "{\"sku\":");
		assert_int_equal(item_load(w.stock, STR("A"), STR("EA"), buf_str(&row), true, &e), RC_IO);
		buf_done(&row);
		world_done(&w);
	}
}

static void test_bad_records(void **state)
{
	static const struct {
		const char *json, *pointer;
	} bad[] = {
	    {"{}", "/sku"},
	    {"{\"sku\":\"A\",\"uoms\":[" UNIT("CS", "12") "]}", "/base_uom"},
	    {"{\"sku\":\"A\",\"base_uom\":\"EA\",\"uoms\":[" UNIT("CS", "0") "]}", "/uoms/0/factor"},
	    {"{\"sku\":\"A\",\"base_uom\":\"EA\",\"uoms\":[" UNIT("EA", "2") "]}", "/uoms/0/factor"},
	    {"{\"sku\":\"A\",\"base_uom\":\"EA\",\"uoms\":[" UNIT("CS", "2") "," UNIT("CS", "3") "]}", "/uoms/1/uom"},
	    {KIT("A", "A"), "/components/0/sku"},
	    {"{\"sku\":\"A\",\"components\":[{\"sku\":\"B\"}]}", "/components/0/quantity"},
	    {"{\"sku\":\"A\",\"aliases\":[{\"system\":\"shop\"}]}", "/aliases/0/sku"},
	};
	struct arena a;

	(void)state;
	arena_init(&a, 1u << 20);
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct item_record record;
		struct findings f;
		struct json *doc;

		findings_init(&f, &a);
		assert_int_equal(json_parse(&a, str_from(bad[i].json), NULL, &doc, NULL), RC_OK);
		assert_int_equal(item_record_read(&a, doc, SKU_AS_IS, &record, &f), RC_INVALID);
		assert_string_equal(f.list[0].pointer, bad[i].pointer);
	}
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kits),
	    cmocka_unit_test(test_parts_of_nothing),
	    cmocka_unit_test(test_kit_depth),
	    cmocka_unit_test(test_units),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_cross_reference),
	    cmocka_unit_test(test_letter_case_per_system),
	    cmocka_unit_test(test_readers_resolve),
	    cmocka_unit_test(test_spelling),
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_bad_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
