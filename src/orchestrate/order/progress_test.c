/* The stored form of an order's progress: how short it is for what is usual, and that nothing is lost by it. */
#include "orchestrate/order/progress.h"

#include "orchestrate/order/book.h"
#include "orchestrate/world.h"

static struct world w;

static int set_up(void **state)
{
	(void)state;
	world_init(&w);
	world_start(&w);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

/* What is stored of the order; it is loaded from that, and then says the same. */
static void expect_stored(struct str id, const char *wanted)
{
	struct buf text;

	world_commit(&w, 1);
	buf_init(&text, 4096);
	for (int pass = 0; pass < 2; pass++) {
		const struct order_open *o = order_find(w.orders, id);

		assert_non_null(o);
		buf_reset(&text);
		order_progress_write(&text, w.orders, o);
		buf_add_char(&text, '\0');
		assert_string_equal(text.p, wanted);
		if (pass == 0)
			world_reload(&w);
	}
	buf_done(&text);
}

static void expect_read(const char *stored, const char *wanted)
{
	struct arena a;
	struct json *progress;
	struct buf text;
	struct err e = ERR_NONE;

	arena_init(&a, 1 << 20);
	buf_init(&text, 4096);
	assert_int_equal(order_progress_read(&a, str_from(stored), &progress, &e), RC_OK);
	json_write(&text, progress);
	buf_add_char(&text, '\0');
	assert_string_equal(text.p, wanted);
	buf_done(&text);
	arena_done(&a);
}

/* Lines that are whole at one place say so once, before and after they are released. */
static void whole_lines_share_their_place(void **state)
{
	struct world_line lines[] = {WANT("A-1", NULL, Q(2)), WANT("0", NULL, Q(7))};
	struct order_open *o;
	char id[UUID_TEXT];

	(void)state;
	world_move(&w, MOVE_ADJUST, "A-1", "B", Q(5));
	world_move(&w, MOVE_ADJUST, "0", "B", Q(9));
	o = world_order(&w, "shop", lines, 2, NULL);
	assert_non_null(o);
	memcpy(id, o->order_id.p, UUID_TEXT);
	expect_stored((struct str){id, UUID_TEXT}, "{\"l\":[[\"1\",\"A-1\",\"2\"],[\"2\",\"0\",\"7\"]],\"a\":[\"B\"]}");
	order_step_accepted(w.orders, &w.txn, order_find(w.orders, (struct str){id, UUID_TEXT}), 1, STR("SO-7"));
	expect_stored(
	    (struct str){id, UUID_TEXT},
	    "{\"l\":[[\"1\",\"A-1\",\"2\"],[\"2\",\"0\",\"7\"]],\"a\":[\"B\",\"1\"],\"x\":{\"erp\":\"SO-7\"}}");
}

/* The others say all beside them. */
static void other_lines_say_all(void **state)
{
	struct world_line lines[] = {WANT("A-1", NULL, Q(2)), WANT("0", NULL, Q(7)), WANT("B-1", NULL, Q(1))};
	struct order_open *o;
	char id[UUID_TEXT];

	(void)state;
	world_move(&w, MOVE_ADJUST, "A-1", "A", Q(5));
	world_move(&w, MOVE_ADJUST, "0", "A", Q(3));
	world_move(&w, MOVE_ADJUST, "B-1", "B", Q(3));
	o = world_order(&w, "shop", lines, 3, NULL);
	assert_non_null(o);
	memcpy(id, o->order_id.p, UUID_TEXT);
	expect_stored((struct str){id, UUID_TEXT},
		      "{\"l\":[[\"1\",\"A-1\",\"2\"],[\"2\",\"0\",\"7\",[[\"A\",\"3\"]],\"4\"],"
		      "[\"3\",\"B-1\",\"1\",[[\"B\",\"1\"]]]],\"a\":[\"A\"]}");
}

static void what_is_left_out_is_read(void **state)
{
	(void)state;
	expect_read("{\"l\":[[\"1\",\"A\",\"2\"]],\"a\":[\"B\"]}",
		    "{\"lines\":[{\"line_id\":\"1\",\"sku\":\"A\",\"ordered\":\"2\",\"allocations\":[{\"location\":"
		    "\"B\",\"quantity\":\"2\"}],"
		    "\"reserved\":\"2\"}]}");
	expect_read("{\"l\":[[\"1\",\"A\",\"2\"],[\"2\",\"B\",\"3\",[],\"3\"]],\"a\":[\"B\",\"1\"]}",
		    "{\"lines\":[{\"line_id\":\"1\",\"sku\":\"A\",\"ordered\":\"2\",\"allocations\":[{\"location\":"
		    "\"B\",\"quantity\":\"2\","
		    "\"released\":\"2\"}],\"reserved\":\"2\",\"released\":\"2\"},{\"line_id\":\"2\",\"sku\":\"B\","
		    "\"ordered\":\"3\",\"backordered\":\"3\"}]}");
}

static void what_is_damaged_is_refused(void **state)
{
	static const char *const texts[] = {
	    "{\"l\":[[\"1\",\"A\"]],\"a\":[\"B\"]}",     "{\"l\":[[\"1\",\"A\",\"2\"]]}",
	    "{\"l\":[[\"1\",\"A\",\"2\"]],\"a\":[]}",    "{\"l\":[[\"1\",\"A\",\"2\"]],\"a\":[\"\"]}",
	    "{\"l\":[[\"1\",\"A\",\"2\"]],\"a\":\"B\"}", "{\"l\":[[\"1\",\"A\",\"2\",\"B\"]],\"a\":[\"B\"]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct arena a;
		struct json *progress;
		struct err e = ERR_NONE;

		arena_init(&a, 1 << 20);
		assert_int_equal(order_progress_read(&a, str_from(texts[i]), &progress, &e), RC_IO);
		assert_string_equal(e.code, "store_damaged");
		arena_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(whole_lines_share_their_place, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(other_lines_say_all, set_up, tear_down),
	    cmocka_unit_test(what_is_left_out_is_read),
	    cmocka_unit_test(what_is_damaged_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
