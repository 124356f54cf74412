/* What a reversal takes back: around counts and what has moved on since, and by which lines and names. */
#include "orchestrate/stock/test_facts.h"

/* The last movement of this batch, of a type or (NULL) of any. */
static struct movement_undo last(const struct world *w, const char *type)
{
	struct movement_undo undo = {0};

	for (const struct store_write *r = w->txn.batch.first; r; r = r->next)
		if (r->statement == W_MOVEMENT && (!type || str_is(r->values[4].bytes, type)))
			undo = (struct movement_undo){.seq = r->values[0].integer,
						      .occurred_at = r->values[3].integer,
						      .entries = r->values[10].bytes};
	return undo;
}

#define ENTRIES_MAX 32

struct reversal {
	struct movement_line *lines; /* count 0: all of it */
	size_t count;
	struct str order_id;
	bool *taken; /* [ENTRIES_MAX] by earlier ones, and now by this one; NULL: nothing was taken back */
};

static enum rc reverse(struct world *w, struct movement_undo undo, struct reversal r, struct err *e)
{
	struct movement fact = {.type = MOVE_REVERSE,
				.source = STR("wms"),
				.source_event_id = STR("back"),
				.occurred_at = w->now,
				.order_id = r.order_id,
				.line_count = r.count,
				.lines = r.lines};
	bool nothing[ENTRIES_MAX] = {false}, chosen[ENTRIES_MAX] = {false};
	struct movement_result result;
	enum rc rc;

	assert_true(stock_entry_count(undo.entries) <= ENTRIES_MAX);
	undo.taken = r.taken ? r.taken : nothing;
	undo.chosen = chosen;
	rc = stock_step_reverse(w->stock, w->orders, &w->txn, &fact, &undo, &result, e);
	for (int i = 0; rc == RC_OK && r.taken && i < ENTRIES_MAX; i++)
		r.taken[i] |= chosen[i];
	return rc;
}

/* ---- what is taken back ---- */

/* When the count is told. */
enum back_count { BETWEEN, LAST, FIRST };

struct back_case {
	const char *name;
	enum movement_type type;
	int64_t happened, back, counted; /* ms ago */
	const char *count_at;
	qty_t count, a, b;    /* a, b: free in the end */
	enum back_count when; /* between the fact and its reversal, after both, before both */
};

/* 10 are at A; then 4 of them, or 4 more, are told by mistake. */
static const struct back_case backs[] = {
    {"a receipt", MOVE_RECEIVE, 5000, 1000, 3000, "A", 12, 12, 0, BETWEEN},
    {"a receipt, as of before the count", MOVE_RECEIVE, 5000, 4000, 3000, "A", 12, 12, 0, BETWEEN},
    {"a shipment", MOVE_SHIP, 5000, 1000, 3000, "A", 9, 9, 0, BETWEEN},
    {"what was put aside", MOVE_QUARANTINE, 5000, 1000, 3000, "A", 9, 9, 0, BETWEEN},
    {"a move, counted where it left", MOVE_MOVE, 5000, 1000, 3000, "A", 9, 9, 0, BETWEEN},
    {"a move, counted where it came to", MOVE_MOVE, 5000, 1000, 3000, "B", 3, 10, 3, BETWEEN},
    {"a receipt after the count", MOVE_RECEIVE, 5000, 1000, 7000, "A", 9, 9, 0, BETWEEN},
    {"a receipt, the count arrives last", MOVE_RECEIVE, 5000, 1000, 3000, "A", 9, 9, 0, LAST},
    {"a shipment, the count arrives last", MOVE_SHIP, 5000, 1000, 3000, "A", 9, 9, 0, LAST},
    {"a receipt after the count, which arrives last", MOVE_RECEIVE, 5000, 1000, 7000, "A", 9, 9, 0, LAST},
    /* The count's own instant, and both sides of it. */
    {"a receipt, counted a moment later", MOVE_RECEIVE, 5000, 1000, 4999, "A", 12, 12, 0, BETWEEN},
    {"a receipt of the instant, told before the count", MOVE_RECEIVE, 5000, 1000, 5000, "A", 12, 12, 0, BETWEEN},
    {"a receipt, counted a moment before", MOVE_RECEIVE, 5000, 1000, 5001, "A", 12, 12, 0, BETWEEN},
    {"a receipt, told after a count of a moment later", MOVE_RECEIVE, 5000, 1000, 4999, "A", 12, 12, 0, FIRST},
    {"a receipt of the instant, told after the count", MOVE_RECEIVE, 5000, 1000, 5000, "A", 12, 12, 0, FIRST},
    {"a receipt, told after a count of a moment before", MOVE_RECEIVE, 5000, 1000, 5001, "A", 12, 12, 0, FIRST},
    {"a shipment of the instant, told before the count", MOVE_SHIP, 5000, 1000, 5000, "A", 9, 9, 0, BETWEEN},
    {"a shipment of the instant, told after the count", MOVE_SHIP, 5000, 1000, 5000, "A", 9, 9, 0, FIRST},
    {"a move of the instant, counted where it left", MOVE_MOVE, 5000, 1000, 5000, "A", 9, 9, 0, BETWEEN},
    {"a move of the instant, counted where it came to", MOVE_MOVE, 5000, 1000, 5000, "B", 3, 10, 3, BETWEEN},
    {"of the instant, which the reversal is of as well", MOVE_RECEIVE, 5000, 5000, 5000, "A", 12, 12, 0, BETWEEN},
};

/* rows: of positions that are written before it is loaded; negative: it is not. */
static void tell_and_load(struct world *w, struct told t, int rows)
{
	tell(w, t);
	if (rows < 0)
		return;
	world_commit(w, (size_t)rows);
	world_reload(w);
}

/* A count has seen what was wrong: of the time before it nothing is taken back, whenever that is told. */
static void test_reverse_of_what_was_counted(void **state)
{
	(void)state;
	for (size_t n = 0; n < 3 * COUNT(backs); n++) {
		const struct back_case *c = &backs[n / 3];
		int rows = (const int[]){-1, 0, 10}[n % 3];
		const struct told count = {
		    .type = MOVE_COUNT, .line = OF(c->count, .location = str_from(c->count_at)), .ago = c->counted};
		bool taken[ENTRIES_MAX] = {false};
		struct movement_undo undo;
		char entries[200];
		struct world w;
		struct err e = ERR_NONE;

		world_init(&w);
		world_start(&w);
		tell_and_load(&w, (struct told){.type = MOVE_RECEIVE, .line = OF(10), .ago = 9000}, rows);
		if (c->when == FIRST)
			tell_and_load(&w, count, rows);
		tell(&w, (struct told){.type = c->type, .line = OF(4, .to_location = STR("B")), .ago = c->happened});
		undo = last(&w, NULL);
		assert_true(undo.entries.n <= sizeof(entries));
		memcpy(entries, undo.entries.p, undo.entries.n);
		undo.entries.p = entries;
		if (c->when == BETWEEN)
			tell_and_load(&w, count, rows);
		w.now -= c->back;
		assert_int_equal(reverse(&w, undo, (struct reversal){.taken = taken}, &e), RC_OK);
		w.now += c->back;
		if (rows >= 0) {
			world_commit(&w, (size_t)rows);
			world_reload(&w);
		}
		if (c->when == LAST)
			tell_and_load(&w, count, rows);
		if (at(&w, "A", "", STOCK_FREE) != c->a || at(&w, "B", "", STOCK_FREE) != c->b)
			fail_msg("%s, %d: %d and %d are free", c->name, rows, (int)at(&w, "A", "", STOCK_FREE),
				 (int)at(&w, "B", "", STOCK_FREE));
		assert_int_equal(at(&w, "A", "", STOCK_QUARANTINED), 0);
		world_done(&w);
	}
}

/* A fact from before a count is in the ledger with what takes it back; its line is named by what it moved. */
static void test_reverse_a_line_of_what_came_late(void **state)
{
	static const enum movement_type types[] = {MOVE_RECEIVE, MOVE_SHIP, MOVE_QUARANTINE, MOVE_MOVE};

	(void)state;
	for (size_t i = 0; i < COUNT(types); i++) {
		struct movement_line line = {.sku = STR("A-1"), .location = STR("A"), .quantity = Q(4)};
		bool taken[ENTRIES_MAX] = {false};
		struct movement_undo undo;
		struct world w;
		struct err e = ERR_NONE;

		world_init(&w);
		world_start(&w);
		tell(&w, (struct told){.type = MOVE_COUNT, .line = OF(10), .ago = 3000});
		tell(&w, (struct told){.type = MOVE_COUNT, .line = OF(6, .location = STR("B")), .ago = 3000});
		tell(&w, (struct told){.type = types[i], .line = OF(4, .to_location = STR("B")), .ago = 5000});
		undo = last(&w, NULL);
		assert_int_equal(reverse(&w, undo, (struct reversal){.lines = &line, .count = 1, .taken = taken}, &e),
				 RC_OK);
		assert_int_equal(at(&w, "A", "", STOCK_FREE), 10);
		assert_int_equal(at(&w, "B", "", STOCK_FREE), 6);
		assert_int_equal(at(&w, "A", "", STOCK_QUARANTINED), 0);
		line.quantity = Q(3);
		assert_int_equal(reverse(&w, undo, (struct reversal){.lines = &line, .count = 1}, &e), RC_INVALID);
		assert_string_equal(e.code, "quantity_differs");
		world_done(&w);
	}
}

/* Only free may be less than nothing. */
static void test_reverse_of_what_has_moved_on(void **state)
{
	static const struct {
		enum movement_type first, then;
		int free; /* after the first is taken back */
	} chains[] = {
	    {MOVE_RETURN, MOVE_CLEAR, 5},     /* it was not returned */
	    {MOVE_QUARANTINE, MOVE_CLEAR, 5}, /* nothing has happened */
	    {MOVE_ANNOUNCE, MOVE_RECEIVE, 8}, /* it has come, without notice */
	    {MOVE_QUARANTINE, MOVE_SCRAP, 2}, /* from wherever it was scrapped */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(chains); i++) {
		bool taken[ENTRIES_MAX] = {false};
		struct movement_undo undo;
		struct world w;
		struct err e = ERR_NONE;

		world_init(&w);
		world_start(&w);
		tell(&w, (struct told){.type = MOVE_RECEIVE, .line = OF(5)});
		tell(&w, (struct told){.type = chains[i].first, .line = OF(3)});
		undo = last(&w, NULL);
		tell(&w, (struct told){.type = chains[i].then, .line = OF(3)});
		assert_int_equal(reverse(&w, undo, (struct reversal){.taken = taken}, &e), RC_OK);
		assert_int_equal(at(&w, "A", "", STOCK_FREE), chains[i].free);
		for (int s = STOCK_FREE + 1; s < STOCK_STATES; s++)
			if (at(&w, "A", "", (enum stock_state)s) != 0)
				fail_msg("case %zu: %d is in state %d", i, (int)at(&w, "A", "", (enum stock_state)s),
					 s);
		world_done(&w);
	}
}

static void test_reverse(void **state)
{
	struct movement_line lot = {.sku = STR("A-1"), .location = STR("A"), .lot = STR("L"), .quantity = Q(2)};
	bool taken[ENTRIES_MAX] = {false};
	struct movement_undo undo;
	struct world w;
	struct err e = ERR_NONE;

	(void)state;
	world_init(&w);
	world_start(&w);
	tell(&w, (struct told){.type = MOVE_RECEIVE, .line = OF(2, .lot = STR("L"), .expires_on = 100)});
	tell(&w, (struct told){.type = MOVE_RECEIVE, .line = OF(5)});
	tell(&w, (struct told){.type = MOVE_SHIP, .line = OF(4)});
	undo = last(&w, NULL);
	lot.quantity = Q(1);
	assert_int_equal(reverse(&w, undo, (struct reversal){.lines = &lot, .count = 1, .taken = taken}, &e),
			 RC_INVALID);
	assert_string_equal(e.code, "quantity_differs");
	lot.quantity = Q(2);
	lot.location = STR("B");
	e = ERR_NONE;
	assert_int_equal(reverse(&w, undo, (struct reversal){.lines = &lot, .count = 1, .taken = taken}, &e),
			 RC_INVALID);
	assert_string_equal(e.code, "not_in_movement");
	lot.location = STR("A");
	assert_int_equal(reverse(&w, undo, (struct reversal){.lines = &lot, .count = 1, .taken = taken}, &e), RC_OK);
	assert_int_equal(at(&w, "A", "L", STOCK_FREE), 2);
	assert_int_equal(at(&w, "A", "", STOCK_FREE), 3);
	e = ERR_NONE;
	assert_int_equal(reverse(&w, undo, (struct reversal){.lines = &lot, .count = 1, .taken = taken}, &e),
			 RC_CONFLICT);
	assert_int_equal(reverse(&w, undo, (struct reversal){.taken = taken}, &e), RC_OK);
	assert_int_equal(at(&w, "A", "", STOCK_FREE), 5);
	e = ERR_NONE;
	assert_int_equal(reverse(&w, undo, (struct reversal){.taken = taken}, &e), RC_CONFLICT);
	assert_string_equal(e.code, "already_reversed");
	world_done(&w);
}

/* ---- which lines, by the names that its source has for them ---- */

static void name_items(struct world *w)
{
	world_record(w, "CUP",
		     "{\"sku\":\"CUP\",\"base_uom\":\"EA\",\"uoms\":[{\"uom\":\"CS\",\"factor\":\"12\"}],"
		     "\"aliases\":[{\"system\":\"wms\",\"sku\":\"4711\"},{\"system\":\"wms\",\"sku\":\"twice\"}]}");
	world_record(w, "LID",
		     "{\"sku\":\"LID\",\"base_uom\":\"EA\",\"aliases\":[{\"system\":\"wms\",\"sku\":\"twice\"}]}");
	world_record(w, "SET",
		     "{\"sku\":\"SET\",\"components\":[{\"sku\":\"CUP\",\"quantity\":\"2\"},"
		     "{\"sku\":\"LID\",\"quantity\":\"1\"}]}");
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
		rc = reverse(&w, undo, (struct reversal){.lines = lines, .count = cases[n].count}, &e);
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

/* Of 3 and 4 CUP, 12 in a case, 5 LID, and two kits, in this order; 2 CUP come late, after they were counted. */
static void receive_lines(struct world *w, struct movement_undo *undo)
{
	struct world_line in[] = {WANT("CUP", "A", Q(3)), WANT("CUP", "A", Q(4)), WANT("CUP", "A", Q(12)),
				  WANT("LID", "A", Q(5)), WANT("SET", "A", Q(1)), WANT("SET", "A", Q(2)),
				  WANT("CUP", "B", Q(2)), WANT("CUP", "B", Q(2))};
	struct err e = ERR_NONE;

	name_items(w);
	assert_int_equal(world_apply(w, (struct world_fact){.type = MOVE_COUNT},
				     &(struct world_line){.sku = "CUP", .location = "B", .quantity = 0}, 1, &e),
			 RC_OK);
	assert_int_equal(
	    world_apply(w, (struct world_fact){.type = MOVE_RECEIVE, .occurred_at = w->now - 1000}, in, COUNT(in), &e),
	    RC_OK);
	*undo = last(w, "receive");
}

/* One of several lines of the same goods, and each only once, whether it is named or all are. */
static void test_reverse_a_line_by_number(void **state)
{
	static const struct {
		const char *name, *code, *where;
		struct movement_line lines[3];
		size_t count;
		qty_t cup, lid; /* what is taken back at A */
	} cases[] = {
	    {.name = "the first",
	     .lines = {{.sku = {"CUP", 3}, .quantity = Q(3), .of_line = 1}},
	     .count = 1,
	     .cup = Q(3)},
	    {.name = "the second",
	     .lines = {{.sku = {"CUP", 3}, .quantity = Q(4), .of_line = 2}},
	     .count = 1,
	     .cup = Q(4)},
	    {.name = "by the case",
	     .lines = {{.sku = {"4711", 4}, .quantity = Q(1), .uom = {"CS", 2}, .of_line = 3}},
	     .count = 1,
	     .cup = Q(12)},
	    {.name = "two of them",
	     .lines = {{.sku = {"CUP", 3}, .quantity = Q(4), .of_line = 2},
		       {.sku = {"CUP", 3}, .quantity = Q(3), .of_line = 1}},
	     .count = 2,
	     .cup = Q(7)},
	    {.name = "one of two kits",
	     .lines = {{.sku = {"SET", 3}, .quantity = Q(2), .of_line = 6}},
	     .count = 1,
	     .cup = Q(4),
	     .lid = Q(2)},
	    {.name = "one of goods, all of others",
	     .lines = {{.sku = {"CUP", 3}, .quantity = Q(4), .of_line = 2}, {.sku = {"LID", 3}, .quantity = Q(8)}},
	     .count = 2,
	     .cup = Q(4),
	     .lid = Q(8)},
	    {.name = "another's quantity",
	     .code = "quantity_differs",
	     .where = "/lines/0",
	     .lines = {{.sku = {"CUP", 3}, .quantity = Q(4), .of_line = 1}},
	     .count = 1},
	    {.name = "twice in one",
	     .code = "quantity_differs",
	     .where = "/lines/0",
	     .lines = {{.sku = {"CUP", 3}, .quantity = Q(3), .of_line = 1},
		       {.sku = {"CUP", 3}, .quantity = Q(3), .of_line = 1}},
	     .count = 2},
	    {.name = "of other goods",
	     .code = "not_in_movement",
	     .where = "/lines/0",
	     .lines = {{.sku = {"LID", 3}, .quantity = Q(3), .of_line = 1}},
	     .count = 1},
	    {.name = "that it does not have",
	     .code = "not_in_movement",
	     .where = "/lines/0",
	     .lines = {{.sku = {"CUP", 3}, .quantity = Q(3), .of_line = 9}},
	     .count = 1},
	    {.name = "one by number, and all",
	     .code = "ambiguous_line",
	     .where = "/lines/0",
	     .lines = {{.sku = {"CUP", 3}, .quantity = Q(3), .of_line = 1}, {.sku = {"CUP", 3}, .quantity = Q(25)}},
	     .count = 2},
	};

	(void)state;
	for (size_t n = 0; n < COUNT(cases); n++) {
		struct movement_line lines[3];
		struct err e = ERR_NONE;
		struct movement_undo undo;
		struct world w;
		enum rc rc;

		world_init(&w);
		world_start(&w);
		receive_lines(&w, &undo);
		memcpy(lines, cases[n].lines, sizeof(lines));
		for (size_t i = 0; i < COUNT(lines); i++)
			lines[i].location = STR("A");
		rc = reverse(&w, undo, (struct reversal){.lines = lines, .count = cases[n].count}, &e);
		if ((rc == RC_OK) != !cases[n].code || (cases[n].code && strcmp(e.code, cases[n].code) != 0))
			fail_msg("%s: %s", cases[n].name, e.code);
		if (cases[n].code)
			assert_string_equal(e.where, cases[n].where);
		if (world_state(&w, "CUP", "A", STOCK_FREE) != Q(25) - cases[n].cup ||
		    world_state(&w, "LID", "A", STOCK_FREE) != Q(8) - cases[n].lid)
			fail_msg("%s: %lld and %lld are left", cases[n].name,
				 (long long)(world_state(&w, "CUP", "A", STOCK_FREE) / QTY_ONE),
				 (long long)(world_state(&w, "LID", "A", STOCK_FREE) / QTY_ONE));
		assert_int_equal(world_state(&w, "CUP", "B", STOCK_FREE), 0);
		world_done(&w);
	}
}

/* What was taken back by number is refused by number, by goods and as a whole, until only the rest is left. */
static void test_reverse_a_line_once(void **state)
{
	struct movement_line first = {.sku = STR("CUP"), .location = STR("A"), .quantity = Q(3), .of_line = 1},
			     all = {.sku = STR("CUP"), .location = STR("A"), .quantity = Q(25)},
			     counted = {.sku = STR("CUP"), .location = STR("B"), .quantity = Q(2), .of_line = 8};
	bool taken[ENTRIES_MAX] = {false};
	const struct {
		struct movement_line *line;
		bool refused;
		qty_t left;
	} steps[] = {{&first, false, Q(22)},  {&first, true, Q(22)}, {&all, true, Q(22)}, {&counted, false, Q(22)},
		     {&counted, true, Q(22)}, {NULL, false, 0},      {NULL, true, 0},     {&first, true, 0}};
	struct movement_undo undo;
	struct world w;

	(void)state;
	world_init(&w);
	world_start(&w);
	receive_lines(&w, &undo);
	for (size_t n = 0; n < COUNT(steps); n++) {
		struct reversal back = {.lines = steps[n].line, .count = steps[n].line ? 1 : 0, .taken = taken};
		struct err e = ERR_NONE;

		assert_int_equal(reverse(&w, undo, back, &e), steps[n].refused ? RC_CONFLICT : RC_OK);
		assert_int_equal(world_state(&w, "CUP", "A", STOCK_FREE), steps[n].left);
		assert_int_equal(world_state(&w, "CUP", "B", STOCK_FREE), 0);
	}
	world_done(&w);
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
	assert_int_equal(reverse(&w, undo, (struct reversal){.lines = &back, .count = 1, .order_id = o->order_id}, &e),
			 RC_OK);
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
	world_record(&w, "SET", "{\"sku\":\"SET\",\"components\":[{\"sku\":\"CUP\",\"quantity\":\"1\"}]}");
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_SHIP, .order_id = o->order_id},
				     &(struct world_line)WANT("SET", "A", Q(1)), 1, &e),
			 RC_OK);
	assert_int_equal(
	    reverse(&w, last(&w, "ship"), (struct reversal){.lines = &back, .count = 1, .order_id = o->order_id}, &e),
	    RC_OK);
	assert_int_equal(world_state(&w, "CUP", "A", STOCK_FREE), Q(2));
	assert_int_equal(world_state(&w, "LID", "A", STOCK_FREE), Q(1));
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reverse),
	    cmocka_unit_test(test_reverse_of_what_has_moved_on),
	    cmocka_unit_test(test_reverse_a_line_of_what_came_late),
	    cmocka_unit_test(test_reverse_of_what_was_counted),
	    cmocka_unit_test(test_reverse_by_name),
	    cmocka_unit_test(test_reverse_a_line_by_number),
	    cmocka_unit_test(test_reverse_a_line_once),
	    cmocka_unit_test(test_reverse_a_shipment_of_consigned_stock),
	    cmocka_unit_test(test_reverse_a_shipped_kit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
