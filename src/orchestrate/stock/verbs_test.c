#include "orchestrate/stock/past.h"
#include "orchestrate/stock/test_facts.h"

/* ---- the table of verbs: one place, before and after ---- */

struct verb_case {
	const char *name;
	enum movement_type type;
	qty_t before[STOCK_STATES]; /* free held allocated picked quarantined damaged in_transit on_order returning */
	qty_t quantity;
	qty_t after[STOCK_STATES];
	const char *purchase_order_id;
	const char *exception; /* NULL: none */
};

static const struct verb_case cases[] = {
    {"receive from outside", MOVE_RECEIVE, {5}, 3, {8}, NULL, NULL},
    {"receive leaves what is announced alone without its order",
     MOVE_RECEIVE,
     {0, 0, 0, 0, 0, 0, 4, 4},
     3,
     {3, 0, 0, 0, 0, 0, 4, 4},
     NULL,
     NULL},
    {"receive an announced one", MOVE_RECEIVE, {0, 0, 0, 0, 0, 0, 4, 9}, 3, {3, 0, 0, 0, 0, 0, 1, 9}, "PO", NULL},
    {"receive more than announced", MOVE_RECEIVE, {0, 0, 0, 0, 0, 0, 4, 9}, 6, {6, 0, 0, 0, 0, 0, 0, 7}, "PO", NULL},
    {"receive more than ordered", MOVE_RECEIVE, {0, 0, 0, 0, 0, 0, 1, 1}, 6, {6}, "PO", NULL},
    {"order in", MOVE_ORDER_IN, {1}, 6, {1, 0, 0, 0, 0, 0, 0, 6}, NULL, NULL},
    {"announce what was ordered", MOVE_ANNOUNCE, {0, 0, 0, 0, 0, 0, 0, 6}, 4, {0, 0, 0, 0, 0, 0, 4, 2}, NULL, NULL},
    {"announce more than was ordered", MOVE_ANNOUNCE, {0, 0, 0, 0, 0, 0, 0, 3}, 4, {0, 0, 0, 0, 0, 0, 4}, NULL, NULL},
    {"adjust up", MOVE_ADJUST, {5}, 2, {7}, NULL, NULL},
    {"adjust down", MOVE_ADJUST, {5}, -2, {3}, NULL, NULL},
    {"adjust below nothing", MOVE_ADJUST, {1, 4}, -3, {-2, 4}, NULL, "stock_negative"},
    {"pick without an order", MOVE_PICK, {5, 1}, 2, {3, 1, 0, 2}, NULL, NULL},
    {"pick more than free", MOVE_PICK, {1}, 2, {-1, 0, 0, 2}, NULL, "stock_negative"},
    {"ship without an order takes what is picked first", MOVE_SHIP, {5, 0, 0, 2}, 3, {4}, NULL, NULL},
    {"ship without an order leaves what is promised", MOVE_SHIP, {1, 4, 4}, 2, {-1, 4, 4}, NULL, "stock_negative"},
    {"ship below nothing", MOVE_SHIP, {-1}, 2, {-3}, NULL, "stock_negative"},
    {"quarantine", MOVE_QUARANTINE, {5}, 2, {3, 0, 0, 0, 2}, NULL, NULL},
    {"quarantine more than free", MOVE_QUARANTINE, {1}, 2, {-1, 0, 0, 0, 2}, NULL, "stock_negative"},
    {"clear", MOVE_CLEAR, {1, 0, 0, 0, 3}, 2, {3, 0, 0, 0, 1}, NULL, NULL},
    {"clear damaged as well", MOVE_CLEAR, {0, 0, 0, 0, 1, 3}, 2, {2, 0, 0, 0, 0, 2}, NULL, NULL},
    {"clear more than there is", MOVE_CLEAR, {0, 0, 0, 0, 1}, 3, {3}, NULL, "stock_drift"},
    {"scrap from quarantine", MOVE_SCRAP, {5, 0, 0, 0, 3}, 2, {5, 0, 0, 0, 1}, NULL, NULL},
    {"scrap from damaged, then free", MOVE_SCRAP, {5, 0, 0, 0, 1, 1}, 4, {3}, NULL, NULL},
    {"scrap below nothing", MOVE_SCRAP, {1}, 4, {-3}, NULL, "stock_negative"},
    {"return", MOVE_RETURN, {5}, 2, {5, 0, 0, 0, 2}, NULL, NULL},
    {"count the same", MOVE_COUNT, {5, 1, 1, 1, 1, 1, 9, 9, 9}, 10, {5, 1, 1, 1, 1, 1, 9, 9, 9}, NULL, NULL},
    {"count more", MOVE_COUNT, {5, 1}, 10, {9, 1}, NULL, NULL},
    {"count less", MOVE_COUNT, {5, 1}, 2, {1, 1}, NULL, NULL},
    {"count less than is promised", MOVE_COUNT, {1, 2, 2}, 3, {-1, 2, 2}, NULL, "stock_negative"},
    {"count nothing", MOVE_COUNT, {5}, 0, {0}, NULL, NULL},
    {"count what was negative", MOVE_COUNT, {-3}, 4, {4}, NULL, NULL},
};

/* Brings the place to a state with plain postings. */
static void arrange(struct world *w, const qty_t states[STOCK_STATES])
{
	struct stock_item *i = stock_item_make(w->stock, &w->txn, STR("A-1"), STR_NONE);
	struct stock_place *p = stock_place_make(w->stock, i, 0, STR_NONE, STR_NONE);
	struct stock_draft d;

	stock_draft_begin(&d, w->stock, &w->txn, STR("arrange"), w->now - 1000);
	for (enum stock_state s = STOCK_FREE; s < STOCK_STATES; s++) {
		if (states[s] > 0)
			stock_post(&d, p, STOCK_OUTSIDE, NULL, s, Q(states[s]));
		if (states[s] < 0)
			stock_post(&d, p, s, NULL, STOCK_OUTSIDE, Q(-states[s]));
	}
	stock_draft_end(&d, false);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct verb_case *c = &cases[i];
		struct world_fact fact = {.type = c->type, .purchase_order_id = c->purchase_order_id};
		struct world_line line = {.sku = "A-1", .location = "A", .quantity = Q(c->quantity)};
		struct world w;
		struct err e = ERR_NONE;

		world_init(&w);
		world_start(&w);
		arrange(&w, c->before);
		assert_int_equal(world_apply(&w, fact, &line, 1, &e), RC_OK);
		for (enum stock_state s = STOCK_FREE; s < STOCK_STATES; s++)
			if (world_state(&w, "A-1", "A", s) != Q(c->after[s]))
				fail_msg("%s: %s is %lld", c->name, stock_state_name(s),
					 (long long)world_state(&w, "A-1", "A", s));
		if (world_count(&w, W_EXCEPTION, 3, NULL) != (c->exception ? 1 : 0) ||
		    (c->exception && world_exceptions(&w, c->exception) != 1))
			fail_msg("%s: the exception", c->name);
		assert_int_equal(world_events(&w, "stock.moved"), 1);
		world_done(&w);
	}
}

static void test_move(void **state)
{
	struct world w;
	struct world_line lines[] = {{.sku = "A-1", .location = "A", .to = "C", .quantity = Q(4)},
				     {.sku = "A-1", .location = "A", .to = "A", .quantity = Q(1)}};
	struct err e = ERR_NONE;

	(void)state;
	world_init(&w);
	world_start(&w);
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(3));
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_MOVE}, lines, 2, &e), RC_OK);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(-1));
	assert_int_equal(world_state(&w, "A-1", "C", STOCK_FREE), Q(4));
	assert_int_equal(world_exceptions(&w, "stock_negative"), 1);
	world_done(&w);
}

/* Lots are places of their own, and move as such. */
static void test_lots(void **state)
{
	struct world w;
	struct world_line line = {.sku = "A-1", .location = "A", .lot = "L1", .to = "B", .quantity = Q(2)};
	struct err e = ERR_NONE;

	(void)state;
	world_init(&w);
	world_start(&w);
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(9));
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_RECEIVE}, &line, 1, &e), RC_OK);
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_MOVE}, &line, 1, &e), RC_OK);
	assert_int_equal(world_place(&w, "A-1", "A", "L1")->position.states[STOCK_FREE], 0);
	assert_int_equal(world_place(&w, "A-1", "B", "L1")->position.states[STOCK_FREE], Q(2));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(9));
	world_done(&w);
}

/* A refused movement leaves nothing behind, whichever line is wrong. */
static void test_refused(void **state)
{
	static const struct {
		enum movement_type type;
		struct world_line bad;
		const char *where;
	} refused[] = {
	    {MOVE_RECEIVE, {.sku = "A-1", .location = "Z", .quantity = Q(1)}, "/lines/1/location"},
	    {MOVE_MOVE, {.sku = "A-1", .location = "A", .to = "Z", .quantity = Q(1)}, "/lines/1/to_location"},
	    {MOVE_MOVE, {.sku = "A-1", .location = "A", .quantity = Q(1)}, "/lines/1/to_location"},
	};
	struct world w;

	(void)state;
	world_init(&w);
	world_start(&w);
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct world_line lines[] = {{.sku = "A-1", .location = "A", .to = "B", .quantity = Q(1)},
					     refused[i].bad};
		struct err e = ERR_NONE;

		assert_int_equal(world_apply(&w, (struct world_fact){.type = refused[i].type}, lines, 2, &e),
				 RC_INVALID);
		assert_string_equal(e.code, "unknown_location");
		assert_string_equal(e.where, refused[i].where);
	}
	assert_int_equal(w.txn.batch.count, 0);
	assert_null(stock_find(w.stock, STR("A-1")));
	for (int i = 0; i < WORLD_ITEMS_MAX; i++) {
		char sku[16];

		snprintf(sku, sizeof(sku), "N-%d", i);
		stock_item_make(w.stock, NULL, str_from(sku), STR_NONE);
	}
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_RECEIVE},
				     &(struct world_line){.sku = "new", .location = "A", .quantity = Q(1)}, 1,
				     &(struct err){0}),
			 RC_LIMIT);
	world_done(&w);
}

/* ---- counts and time ---- */

struct change {
	int minute; /* from now: when it happened */
	qty_t delta;
};

static const struct {
	const char *name;
	struct change changes[4]; /* in the order of their arrival; the first is the opening stock */
	int counted_at;
	qty_t counted, want;
} counts[] = {
    {"late, with a shipment after it", {{-60, 10}, {-5, -3}}, -10, 9, 6},
    {"a change at the instant itself is counted", {{-60, 10}, {-10, -3}}, -10, 7, 7},
    {"a change that arrived late but happened before", {{-60, 10}, {-20, -3}}, -10, 7, 7},
    {"changes on both sides", {{-60, 10}, {-5, 4}, {-20, -3}, {-1, -2}}, -10, 7, 9},
    {"of now", {{-60, 10}, {-5, -3}}, 0, 7, 7},
    {"before everything", {{-5, 10}}, -10, 2, 12},
};

/* The ten ways, 5: an absolute quantity does not re-inflate what was sold after it was taken. */
static void test_count_keeps_what_came_after(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(counts); i++) {
		for (int reloaded = 0; reloaded < 2; reloaded++) {
			struct world w;
			struct world_line line = {.sku = "A-1", .location = "A"};
			struct world_fact fact = {.type = MOVE_ADJUST};
			struct err e = ERR_NONE;

			world_init(&w);
			world_start(&w);
			for (size_t n = 0; n < COUNT(counts[i].changes) && counts[i].changes[n].delta; n++) {
				fact.occurred_at = w.now + counts[i].changes[n].minute * 60000;
				line.quantity = Q(counts[i].changes[n].delta);
				assert_int_equal(world_apply(&w, fact, &line, 1, &e), RC_OK);
			}
			world_commit(&w, 10);
			if (reloaded)
				world_reload(&w);
			fact = (struct world_fact){.type = MOVE_COUNT,
						   .occurred_at = w.now + counts[i].counted_at * 60000};
			line.quantity = Q(counts[i].counted);
			assert_int_equal(world_apply(&w, fact, &line, 1, &e), RC_OK);
			if (world_state(&w, "A-1", "A", STOCK_FREE) != Q(counts[i].want))
				fail_msg("%s%s: %lld", counts[i].name, reloaded ? " (loaded)" : "",
					 (long long)world_state(&w, "A-1", "A", STOCK_FREE));
			/* The same count again changes nothing. */
			assert_int_equal(world_apply(&w, fact, &line, 1, &e), RC_OK);
			assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(counts[i].want));
			world_done(&w);
		}
	}
}

static void test_count_older_than_memory(void **state)
{
	struct world w;
	struct world_line line = {.sku = "A-1", .location = "A", .quantity = Q(1)};
	struct world_fact fact = {.type = MOVE_RECEIVE};
	struct err e = ERR_NONE;

	(void)state;
	world_init(&w);
	world_start(&w);
	for (int i = 0; i < STOCK_RECENTS + 1; i++) {
		fact.occurred_at = w.now - 100000 + i * 1000;
		assert_int_equal(world_apply(&w, fact, &line, 1, &e), RC_OK);
	}
	/* As the rows have it, too. */
	world_commit(&w, 10);
	world_reload(&w);
	fact = (struct world_fact){.type = MOVE_COUNT, .occurred_at = w.now - 200000};
	assert_int_equal(world_apply(&w, fact, &line, 1, &e), RC_OK);
	assert_int_equal(world_exceptions(&w, "count_too_old"), 1);
	assert_int_equal(world_events(&w, "stock.drift"), 1);
	fact.occurred_at = w.now - 100000 + 1000;
	assert_int_equal(world_apply(&w, fact, &line, 1, &e), RC_OK);
	assert_int_equal(world_exceptions(&w, "count_too_old"), 1);
	world_done(&w);
}

/* A correction larger than any line is written so that it can be loaded. */
static void test_large_count(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_start(&w);
	world_move(&w, MOVE_RECEIVE, "A-1", "A", QTY_MAX);
	world_move(&w, MOVE_RECEIVE, "A-1", "A", QTY_MAX);
	world_move(&w, MOVE_COUNT, "A-1", "A", 0);
	world_commit(&w, 0);
	world_reload(&w);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), 0);
	world_done(&w);
}

/* ---- lots, consigned stock, transfers, late facts ---- */

/* A shipment that names no lot takes what expires first. */
static void test_first_expired_first_out(void **state)
{
	(void)state;
	for (int reloaded = 0; reloaded < 2; reloaded++) {
		struct world w;

		world_init(&w);
		world_start(&w);
		tell(&w, (struct told){
			     .type = MOVE_RECEIVE, .line = OF(5, .lot = STR("late"), .expires_on = 900), .ago = 9000});
		tell(&w, (struct told){.type = MOVE_RECEIVE, .line = OF(5, .lot = STR("old")), .ago = 8000});
		tell(&w, (struct told){
			     .type = MOVE_RECEIVE, .line = OF(5, .lot = STR("soon"), .expires_on = 100), .ago = 7000});
		tell(&w, (struct told){.type = MOVE_RECEIVE, .line = OF(5, .lot = STR("new")), .ago = 6000});
		world_commit(&w, reloaded ? 10 : 0);
		if (reloaded)
			world_reload(&w);
		tell(&w, (struct told){.type = MOVE_SHIP, .line = OF(12)});
		assert_int_equal(at(&w, "A", "soon", STOCK_FREE), 0);
		assert_int_equal(at(&w, "A", "late", STOCK_FREE), 0);
		assert_int_equal(at(&w, "A", "old", STOCK_FREE), 3);
		assert_int_equal(at(&w, "A", "new", STOCK_FREE), 5);
		/* The expiry is known better: of all places of the lot. */
		tell(&w, (struct told){.type = MOVE_RECEIVE,
				       .line = OF(1, .lot = STR("new"), .location = STR("B"), .expires_on = 50)});
		world_commit(&w, 0);
		world_reload(&w);
		assert_int_equal(world_place(&w, "A-1", "A", "new")->position.expires_on, 50);
		assert_ptr_equal(stock_find(w.stock, STR("A-1"))->places[0], world_place(&w, "A-1", "A", "new"));
		assert_int_equal(world_count(&w, W_EXCEPTION, 3, NULL), 0);
		world_done(&w);
	}
}

/* What was announced without a lot is what arrives with one. */
static void test_arrivals(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_start(&w);
	tell(&w, (struct told){.type = MOVE_ORDER_IN, .line = OF(10), .purchase_order_id = "PO"});
	tell(&w, (struct told){.type = MOVE_ANNOUNCE, .line = OF(6), .purchase_order_id = "PO"});
	tell(&w, (struct told){.type = MOVE_RECEIVE, .line = OF(8, .lot = STR("L")), .purchase_order_id = "PO"});
	assert_int_equal(at(&w, "A", "L", STOCK_FREE), 8);
	assert_int_equal(at(&w, "A", "", STOCK_IN_TRANSIT), 0);
	assert_int_equal(at(&w, "A", "", STOCK_ON_ORDER), 2);

	tell(&w, (struct told){.type = MOVE_MOVE, .line = OF(3, .to_location = STR("B")), .transfer_id = "T"});
	assert_int_equal(at(&w, "A", "L", STOCK_FREE), 5);
	assert_int_equal(at(&w, "B", "L", STOCK_IN_TRANSIT), 3);
	tell(&w, (struct told){.type = MOVE_RECEIVE, .line = OF(3, .location = STR("B")), .transfer_id = "T"});
	assert_int_equal(at(&w, "B", "L", STOCK_IN_TRANSIT), 0);
	assert_int_equal(at(&w, "B", "", STOCK_FREE), 3);
	assert_int_equal(world_events(&w, "stock.drift"), 0);
	tell(&w, (struct told){.type = MOVE_RECEIVE, .line = OF(1, .location = STR("B")), .transfer_id = "T"});
	assert_int_equal(world_exceptions(&w, "transfer_unexplained"), 1);

	tell(&w, (struct told){.type = MOVE_RETURN, .line = OF(2), .return_id = "R", .expected_at = w.now + 1});
	assert_int_equal(at(&w, "A", "", STOCK_RETURNING), 2);
	tell(&w, (struct told){.type = MOVE_RETURN, .line = OF(2, .state = MOVE_STATE_FREE), .return_id = "R"});
	assert_int_equal(at(&w, "A", "", STOCK_RETURNING), 0);
	assert_int_equal(at(&w, "A", "", STOCK_FREE), 2);
	tell(&w, (struct told){.type = MOVE_RECEIVE, .line = OF(4, .state = MOVE_STATE_QUARANTINED)});
	assert_int_equal(at(&w, "A", "", STOCK_QUARANTINED), 4);
	world_done(&w);
}

static void test_consigned(void **state)
{
	const struct world_line line = {.sku = "A-1", .quantity = Q(1)};
	struct stock_item *i;
	struct hold *made = NULL;
	struct str shortage;
	struct world w;

	(void)state;
	world_init(&w);
	world_start(&w);
	tell(&w, (struct told){.type = MOVE_RECEIVE, .line = OF(5, .owner = STR("Maker"))});
	i = stock_find(w.stock, STR("A-1"));
	assert_int_equal(stock_available(w.stock, i, &w.channels[0]), 0);
	assert_int_equal(world_hold(&w, "h", "shop", &line, 1, &made, &shortage), RC_CONFLICT);
	assert_int_equal(world_order(&w, "shop", &line, 1, NULL)->status, ORDER_BACKORDERED);
	tell(&w, (struct told){.type = MOVE_SHIP, .line = OF(2, .owner = STR("Maker"))});
	assert_int_equal(stock_place_find(i, 0, STR_NONE, STR("Maker"))->position.states[STOCK_FREE], Q(3));
	world_done(&w);
}

/* Whatever the order of arrival, a count and the facts around it come to the same. */
static void test_any_order_of_arrival(void **state)
{
	static const int orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}, {1, 3, 0, 2}, {2, 3, 1, 0}};

	(void)state;
	for (size_t n = 0; n < COUNT(orders); n++) {
		const struct told facts[] = {{.type = MOVE_RECEIVE, .line = OF(10), .ago = 9000},
					     {.type = MOVE_SHIP, .line = OF(3), .ago = 7000},
					     {.type = MOVE_COUNT, .line = OF(6), .ago = 5000},
					     {.type = MOVE_SHIP, .line = OF(2), .ago = 3000}};
		struct world w;

		world_init(&w);
		world_start(&w);
		for (size_t k = 0; k < COUNT(facts); k++) {
			tell(&w, facts[orders[n][k]]);
			world_commit(&w, k % 2);
			world_reload(&w);
		}
		assert_int_equal(at(&w, "A", "", STOCK_FREE), 4);
		/* An older count says nothing any more. */
		tell(&w, (struct told){.type = MOVE_COUNT, .line = OF(50), .ago = 6000});
		assert_int_equal(at(&w, "A", "", STOCK_FREE), 4);
		world_done(&w);
	}
}

/* The lot was there when all lots were counted, though the books did not know it. */
static void test_late_receipt_of_a_counted_lot(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_start(&w);
	world_record(&w, "A-1", "{\"sku\":\"A-1\",\"tracking\":\"lot\"}");
	w.now += 2000;
	tell(&w, (struct told){.type = MOVE_COUNT, .line = OF(4)});
	w.now -= 1000;
	tell(&w, (struct told){.type = MOVE_RECEIVE, .line = OF(3, .lot = STR("L"), .expires_on = 100)});
	assert_int_equal(at(&w, "A", "", STOCK_FREE) + at(&w, "A", "L", STOCK_FREE), 4);
	w.now += 2000;
	tell(&w, (struct told){.type = MOVE_RECEIVE, .line = OF(3, .lot = STR("L"))});
	assert_int_equal(at(&w, "A", "", STOCK_FREE) + at(&w, "A", "L", STOCK_FREE), 7);
	world_done(&w);
}

/* ---- orders ---- */

static void test_shipped_otherwise_than_allocated(void **state)
{
	static const struct {
		struct world_line line;
		const char *exception;
		qty_t free;
	} shipments[] = {
	    {{.sku = "A-1", .location = "A", .line_id = "1", .quantity = Q(2)}, NULL, 8},
	    {{.sku = "A-1", .location = "A", .line_id = "1", .quantity = Q(3)}, "over_shipped", 7},
	    {{.sku = "A-1", .location = "A", .line_id = "9", .quantity = Q(2)}, "unknown_order_line", 8},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(shipments); i++) {
		const struct world_line line = {.sku = "A-1", .quantity = Q(2)};
		struct err e = ERR_NONE;
		struct order_open *o;
		struct world w;

		world_init(&w);
		world_start(&w);
		world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(10));
		o = world_order(&w, "shop", &line, 1, NULL);
		assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_SHIP, .order_id = o->order_id},
					     &shipments[i].line, 1, &e),
				 RC_OK);
		assert_int_equal(world_count(&w, W_EXCEPTION, 3, NULL), shipments[i].exception != NULL);
		assert_int_equal(shipments[i].exception ? world_exceptions(&w, shipments[i].exception) : 1, 1);
		assert_int_equal(at(&w, "A", "", STOCK_FREE), shipments[i].free);
		assert_int_equal(at(&w, "A", "", STOCK_ALLOCATED), 0);
		assert_int_equal(o->lines[0].shipped, Q(2));
		world_done(&w);
	}
}

/* ---- what the ERP is told ---- */

static void test_erp_is_told(void **state)
{
	static const struct {
		enum movement_type type;
		const char *order_id;
		bool told;
	} told[] = {
	    {MOVE_RECEIVE, "", true}, {MOVE_COUNT, "", true}, {MOVE_SHIP, "", true},
	    {MOVE_SHIP, "o", false},  {MOVE_PICK, "", false}, {MOVE_ADJUST, "o", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(told); i++) {
		struct world w;
		struct err e = ERR_NONE;

		world_init(&w);
		world_start(&w);
		assert_int_equal(
		    world_apply(&w, (struct world_fact){.type = told[i].type, .order_id = str_from(told[i].order_id)},
				&(struct world_line){.sku = "A-1", .location = "A", .quantity = Q(1)}, 1, &e),
		    RC_OK);
		assert_int_equal(world_deliveries(&w, "stock.transactions"), told[i].told);
		world_done(&w);
	}
}

/* Its own movements do not come back to the ERP. */
static void test_erp_is_not_told_its_own(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_start(&w);
	w.systems[1].name = STR("wms"); /* the name that world_apply gives as the source */
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(1));
	assert_int_equal(world_deliveries(&w, "stock.transactions"), 0);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_move),
	    cmocka_unit_test(test_lots),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_count_keeps_what_came_after),
	    cmocka_unit_test(test_count_older_than_memory),
	    cmocka_unit_test(test_large_count),
	    cmocka_unit_test(test_first_expired_first_out),
	    cmocka_unit_test(test_arrivals),
	    cmocka_unit_test(test_consigned),
	    cmocka_unit_test(test_any_order_of_arrival),
	    cmocka_unit_test(test_shipped_otherwise_than_allocated),
	    cmocka_unit_test(test_late_receipt_of_a_counted_lot),
	    cmocka_unit_test(test_erp_is_told),
	    cmocka_unit_test(test_erp_is_not_told_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
