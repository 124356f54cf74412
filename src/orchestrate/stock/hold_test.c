/* What becomes of reservations: they end, expire, are committed in part, and are loaded. */
#include "orchestrate/world_each.h"

/* ---- ending ---- */

static void test_void(void **state)
{
	struct world_line lines[] = {{.sku = "A-1", .quantity = Q(4)}, {.sku = "A-2", .quantity = Q(1)}};
	struct hold *h;
	struct str shortage;

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(3));
	world_move(&w, MOVE_RECEIVE, "A-1", "B", Q(3));
	world_move(&w, MOVE_RECEIVE, "A-2", "B", Q(1));
	assert_int_equal(world_hold(&w, "r-1", "shop", lines, 2, &h, &shortage), RC_OK);
	assert_int_equal(h->line_count, 3);
	hold_step_end(w.holds, &w.txn, h, HOLD_VOIDED);
	assert_null(hold_find(w.holds, STR("r-1")));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(3));
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_FREE), Q(3));
	assert_int_equal(world_state(&w, "A-2", "B", STOCK_FREE), Q(1));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_HELD), 0);
	assert_int_equal(world_events(&w, "reservation.voided"), 1);
}

/* An order gets what it needs of a reservation; the rest is free again. */
static void test_commit(void **state)
{
	struct world_line held[] = {{.sku = "A-1", .location = "B", .quantity = Q(4)},
				    {.sku = "A-2", .quantity = Q(2)}};
	struct world_line ordered[] = {{.sku = "A-1", .quantity = Q(3)}};
	struct order_open *o;
	struct hold *h;
	struct str shortage;

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(9));
	world_move(&w, MOVE_RECEIVE, "A-1", "B", Q(4));
	world_move(&w, MOVE_RECEIVE, "A-2", "A", Q(2));
	assert_int_equal(world_hold(&w, "r-1", "shop", held, 2, &h, &shortage), RC_OK);
	o = world_order(&w, "shop", ordered, 1, h);
	assert_int_equal(o->status, ORDER_RESERVED);
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_ALLOCATED), Q(3));
	assert_int_equal(world_state(&w, "A-1", "B", STOCK_FREE), Q(1));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), 0);
	assert_int_equal(world_state(&w, "A-2", "A", STOCK_FREE), Q(2));
	assert_null(hold_find(w.holds, STR("r-1")));
	assert_int_equal(world_events(&w, "reservation.committed"), 1);
	assert_int_equal(world_events(&w, "reservation.voided"), 0);
}

/* ---- expiry: in its order, in slices, each once ---- */

static void test_expiry_order(void **state)
{
	int64_t last = 0;
	uint64_t random = 7;

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(1000));
	for (int i = 0; i < 300; i++) {
		struct movement_line line = {.sku = STR("A-1"), .quantity = Q(1)};
		struct hold_request r = {.channel = STR("shop"), .line_count = 1, .lines = &line};
		struct str shortage;
		struct hold *h;

		r.ttl_ms = 1 + (int64_t)(test_random(&random) % 1000);
		assert_int_equal(world_place_hold(&w, &r, &h, &shortage), RC_OK);
		assert_int_equal(h->expires_at, w.now + r.ttl_ms);
		if (i % 3 == 0) /* out of the middle of the heap */
			hold_step_end(w.holds, &w.txn, w.holds->heap[test_random(&random) % w.holds->heap_count],
				      HOLD_VOIDED);
	}
	for (size_t i = 0; i < w.holds->heap_count; i++)
		assert_int_equal(w.holds->heap[i]->heap_index, i);
	while (w.holds->heap_count) {
		int64_t next = hold_next_expiry(w.holds);

		for (size_t i = 0; i < w.holds->heap_count; i++)
			assert_true(w.holds->heap[i]->expires_at >= next);
		assert_true(next >= last);
		last = next;
		w.txn.now = next - 1;
		assert_false(hold_step_expire(w.holds, &w.txn, 1));
		assert_int_equal(hold_next_expiry(w.holds), next);
		w.txn.now = next;
		hold_step_expire(w.holds, &w.txn, 1);
	}
	assert_int_equal(hold_next_expiry(w.holds), INT64_MAX);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(1000));
	assert_int_equal(world_events(&w, "reservation.expired") + world_events(&w, "reservation.voided"), 300);
}

static void test_expiry_in_slices(void **state)
{
	struct world_line line = {.sku = "A-1", .quantity = Q(1)};
	struct hold *h;
	struct str shortage;

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(5));
	for (int i = 0; i < 5; i++)
		assert_int_equal(world_hold(&w, NULL, "shop", &line, 1, &h, &shortage), RC_OK);
	w.txn.now = w.now + 900000;
	assert_true(hold_step_expire(w.holds, &w.txn, 2));
	assert_int_equal(world_events(&w, "reservation.expired"), 2);
	assert_false(hold_step_expire(w.holds, &w.txn, 3));
	assert_int_equal(world_events(&w, "reservation.expired"), 5);
	assert_false(hold_step_expire(w.holds, &w.txn, 3));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(5));
}

/* ---- loading ---- */

static void test_reload(void **state)
{
	struct world_line lines[] = {{.sku = "A-1", .quantity = Q(4)}};
	struct hold *h;
	struct str shortage;
	struct buf before, after;

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(3));
	world_move(&w, MOVE_RECEIVE, "A-1", "B", Q(3));
	assert_int_equal(world_hold(&w, "r-1", "market", lines, 1, &h, &shortage), RC_CONFLICT);
	assert_int_equal(world_hold(&w, "r-1", "shop", lines, 1, &h, &shortage), RC_OK);
	assert_int_equal(
	    world_hold(&w, "r-2", "shop", &(struct world_line){.sku = "A-1", .quantity = Q(1)}, 1, &h, &shortage),
	    RC_OK);
	hold_step_end(w.holds, &w.txn, h, HOLD_VOIDED);
	buf_init(&before, 4096);
	buf_init(&after, 4096);
	hold_write(&before, w.holds, hold_find(w.holds, STR("r-1")), HOLD_HELD);
	world_commit(&w, 1);
	world_reload(&w);
	assert_int_equal(w.holds->heap_count, 1);
	h = hold_find(w.holds, STR("r-1"));
	assert_non_null(h);
	hold_write(&after, w.holds, h, HOLD_HELD);
	assert_true(str_eq(buf_str(&before), buf_str(&after)));
	assert_int_equal(hold_next_expiry(w.holds), w.now + 900000);
	hold_step_end(w.holds, &w.txn, h, HOLD_VOIDED);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(3));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_HELD), 0);
	buf_done(&before);
	buf_done(&after);
}

static void test_damaged_row(void **state)
{
	static const char *const lines[] = {"[",
					    "[{\"sku\":\"A-9\",\"quantity\":\"1\",\"location\":\"A\"}]",
					    "[{\"sku\":\"A-1\",\"quantity\":\"x\",\"location\":\"A\"}]",
					    "[{\"sku\":\"A-1\",\"quantity\":\"1\",\"location\":\"Z\"}]",
					    "[{\"sku\":\"A-1\",\"quantity\":\"1\",\"location\":\"B\"}]",
					    "[null]"};

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(3));
	for (size_t i = 0; i < COUNT(lines); i++) {
		const char *data = arena_printf(&w.arena, "{\"channel\":\"shop\",\"lines\":%s}", lines[i]);
		struct store_value row[] = {SV_INT(1), SV_INT(HOLD_HELD),   SV_INT(1),         SV_INT(2),
					    SV_NULL,   SV_TEXT(STR("r-1")), SV_TEXT(STR("c")), SV_TEXT(str_from(data))};
		struct hold_book *book = hold_book_new(&w.tenant, w.stock, 10);
		struct err e = ERR_NONE;

		assert_int_not_equal(hold_load(book, row, &e), RC_OK);
		hold_book_free(book);
	}
}

/* A hold whose channel was taken out of the configuration is no other channel's; it ends as any hold. */
static void test_channel_gone(void **state)
{
	struct store_value row[] = {
	    SV_INT(1),
	    SV_INT(HOLD_HELD),
	    SV_INT(1),
	    SV_INT(2),
	    SV_NULL,
	    SV_TEXT(STR("r-1")),
	    SV_TEXT(STR("c")),
	    SV_TEXT(
		STR("{\"channel\":\"closed\",\"lines\":[{\"sku\":\"A-1\",\"quantity\":\"1\",\"location\":\"A\"}]}"))};
	struct err e = ERR_NONE;
	struct hold *h;
	struct buf text;

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(3));
	assert_int_equal(hold_load(w.holds, row, &e), RC_OK);
	h = hold_find(w.holds, STR("r-1"));
	assert_non_null(h);
	assert_int_equal(h->channel, HOLD_NO_CHANNEL);
	buf_init(&text, 4096);
	hold_write(&text, w.holds, h, HOLD_HELD);
	assert_non_null(memmem(text.p, text.n, "\"channel\":\"closed\"", 18));
	buf_done(&text);
	assert_false(hold_step_expire(w.holds, &w.txn, 10));
	assert_null(hold_find(w.holds, STR("r-1")));
}

/* ---- commit in part ---- */

static void test_commit_in_part(void **state)
{
	struct world_line held[] = {{.sku = "A-1", .quantity = Q(5)}, {.sku = "A-2", .quantity = Q(2)}},
			  wants = {.sku = "A-1", .quantity = Q(4)}, more = {.sku = "A-2", .quantity = Q(2)};
	struct movement_line part = {.sku = STR("A-1"), .quantity = Q(2)},
			     too_much = {.sku = STR("A-1"), .quantity = Q(6)},
			     rest = {.sku = STR("A-2"), .quantity = Q(1)};
	struct err e = ERR_NONE;
	struct order_open *o;
	struct str shortage;
	struct hold *h;
	bool kept;

	(void)state;
	world_move(&w, MOVE_RECEIVE, "A-1", "A", Q(5));
	world_move(&w, MOVE_RECEIVE, "A-2", "A", Q(2));
	assert_int_equal(world_hold(&w, "r-1", "shop", held, 2, &h, &shortage), RC_OK);
	o = world_order(&w, "shop", &wants, 1, NULL);
	assert_int_equal(hold_step_commit_part(w.holds, &w.txn, h, o, &too_much, 1, true, &kept, &e), RC_CONFLICT);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_HELD), Q(5));
	assert_int_equal(hold_step_commit_part(w.holds, &w.txn, h, o, &part, 1, true, &kept, &e), RC_OK);
	assert_true(kept);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_HELD), Q(3));
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_ALLOCATED), Q(2));
	assert_int_equal(world_state(&w, "A-2", "A", STOCK_HELD), Q(2));
	assert_int_equal(world_events(&w, "reservation.committed_in_part"), 1);
	world_commit(&w, 1);
	world_reload(&w);
	h = hold_find(w.holds, STR("r-1"));
	assert_non_null(h);
	assert_int_equal(h->lines[0].quantity, Q(3));
	assert_int_equal(h->lines[1].quantity, Q(2));
	/* Without keeping it, what is not named is free. */
	o = world_order(&w, "shop", &more, 1, NULL);
	assert_int_equal(hold_step_commit_part(w.holds, &w.txn, h, o, &rest, 1, false, &kept, &e), RC_OK);
	assert_false(kept);
	assert_null(hold_find(w.holds, STR("r-1")));
	assert_int_equal(world_state(&w, "A-2", "A", STOCK_ALLOCATED), Q(1));
	assert_int_equal(world_state(&w, "A-2", "A", STOCK_HELD), 0);
	assert_int_equal(world_state(&w, "A-1", "A", STOCK_FREE), Q(3));
	assert_int_equal(world_events(&w, "reservation.committed"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_void),         TEST(test_commit), TEST(test_expiry_order), TEST(test_expiry_in_slices),
	    TEST(test_channel_gone), TEST(test_reload), TEST(test_damaged_row),  TEST(test_commit_in_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
