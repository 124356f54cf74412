/* The audit: over good books, and over books that do not add up; and the counters that it checks. */
#include "hub/query_world.h"

#include "hub/counters.h"
#include "orchestrate/order/order.h"
#include "orchestrate/stock/entry.h"

static bool audit_says(const struct json *j, const char *name)
{
	const struct json *checks = json_get(j, "checks");
	for (uint32_t i = 0; i < checks->count; i++)
		if (str_is(json_get_text(&checks->items[i], "name"), name))
			return json_get(&checks->items[i], "ok")->boolean;
	fail_msg("there is no check %s", name);
	return false;
}

static void test_the_audit_of_good_books(void **state)
{
	(void)state;
	open_with_orders();
	const struct json *j = ASK(query_audit);
	assert_true(json_get(j, "ok")->boolean);
	check(j, "checks/0/detail", "4 movements, 2 positions");
	check(j, "checks/2/detail", "compared");
	check(j, "checks/3/detail", "1 live reservations");
	check(j, "checks/5/detail", "2 open orders");
}

/* ---- books that do not add up ---- */

static void put_movement(struct writing *w, int64_t seq, enum stock_state from, enum stock_state to, qty_t quantity)
{
	struct entry entry = {.sku = STR("A"), .location = STR("east"), .from = from, .to = to, .quantity = quantity};
	struct buf packed;

	buf_init(&packed, 4096);
	entry_pack(&packed, &entry, &(uint32_t){0});
	PUT(w, W_MOVEMENT, SV_INT(seq), SV_TEXT(STR("m")), SV_INT(1), SV_INT(1), SV_TEXT(STR("receive")), SV_NULL,
	    SV_NULL, SV_NULL, SV_NULL, SV_TEXT(STR("c")), SV_BLOB(arena_copy(&world.arena, buf_str(&packed))));
	buf_done(&packed);
}

/* What each of the wrong books is. */
enum wrong {
	WRONG_NOTHING,
	WRONG_BALANCE,
	WRONG_STATE,
	WRONG_HOLD,
	WRONG_ALLOCATION,
	WRONG_LINE,
	WRONG_PENDING,
	WRONG_COUNTER
};

/* Ten received, of these two held for a reservation and three allocated to an order for five; unless `w`. */
static void write_books(enum wrong w)
{
	struct writing to;
	struct str document;

	write_begin(&to);
	PUT(&to, W_ITEM, SV_TEXT(STR("A")), SV_INT(1), SV_NULL, SV_NULL, SV_NULL);
	put_movement(&to, 1, STOCK_OUTSIDE, STOCK_FREE, 10 * QTY_ONE);
	put_movement(&to, 2, STOCK_FREE, STOCK_HELD, 2 * QTY_ONE);
	put_movement(&to, 3, STOCK_FREE, STOCK_ALLOCATED, 3 * QTY_ONE);
	if (w == WRONG_STATE)
		put_movement(&to, 4, STOCK_DAMAGED, STOCK_FREE, QTY_ONE);
	PUT(&to, W_POSITION, SV_TEXT(STR("A")), SV_TEXT(STR("east")), SV_TEXT(STR("")), SV_TEXT(STR("")), SV_INT(2),
	    SV_TEXT(w == WRONG_BALANCE ? STR("90000 20000 0 0 0 0 0 0 0") : STR("80000 20000 0 0 0 0 0 0 0")));
	PUT(&to, W_META, SV_TEXT(STR("position_floor")), SV_INT(2));
	PUT(&to, W_EVENT, SV_INT(1), SV_TEXT(STR("e")), SV_INT(1), SV_TEXT(STR("reservation.held")), SV_TEXT(STR("r")),
	    SV_NULL, SV_TEXT(STR("c")), SV_NULL,
	    SV_TEXT(
		w == WRONG_HOLD
		    ? STR("{\"channel\":\"shop\",\"lines\":[{\"sku\":\"A\",\"quantity\":\"1\",\"location\":\"east\"}]}")
		    : STR("{\"channel\":\"shop\",\"lines\":[{\"sku\":\"A\",\"quantity\":\"2\",\"location\":\"east\"}]"
			  "}")));
	PUT(&to, W_RESERVATION, SV_INT(1), SV_INT(1), SV_INT(1), SV_INT(INT64_MAX / 2));
	assert_int_equal(compress(&world.arena, STR("{}"), &document), RC_OK);
	PUT(&to, W_DOCUMENT, SV_INT(1), SV_TEXT(STR("order")), SV_INT(1), SV_BLOB(document));
	PUT(&to, W_ORDER, SV_INT(1), SV_TEXT(STR("o")), SV_TEXT(STR("shop")), SV_TEXT(STR("1")),
	    SV_INT(ORDER_BACKORDERED), SV_INT(1), SV_INT(1), SV_TEXT(STR("GBP")), SV_NULL, SV_TEXT(STR("c")), SV_INT(1),
	    SV_TEXT(w == WRONG_ALLOCATION ? STR("{\"l\":[[\"1\",\"A\",\"5\",[[\"east\",\"4\"]],\"1\"]]}")
		    : w == WRONG_LINE     ? STR("{\"l\":[[\"1\",\"A\",\"5\",[[\"east\",\"3\"]],\"1\"]]}")
					  : STR("{\"l\":[[\"1\",\"A\",\"5\",[[\"east\",\"3\"]],\"2\"]]}")));
	PUT(&to, W_INBOX, SV_INT(1), SV_INT(1), SV_TEXT(STR("message")), SV_TEXT(STR("shop")), SV_TEXT(STR("order")),
	    SV_TEXT(STR("c")), SV_NULL, SV_NULL, SV_INT(1), SV_NULL, SV_NULL,
	    SV_INT(w == WRONG_PENDING ? FATE_PENDING : FATE_DEAD), SV_NULL, SV_NULL, SV_NULL, SV_NULL, SV_NULL);
	if (w == WRONG_COUNTER) {
		PUT(&to, W_META, SV_TEXT(STR("count:batch")), SV_INT(to.batch.number));
		PUT(&to, W_META, SV_TEXT(STR("count:order/backordered")), SV_INT(1));
		PUT(&to, W_META, SV_TEXT(STR("count:inbox/message/applied")), SV_INT(1));
	}
	write_end(&to);
}

static void audit_finds(enum wrong w, const char *name)
{
	static const char *const names[] = {"ledger", "states", "memory",     "holds",    "allocations",
					    "orders", "inbox",  "deliveries", "counters", "serials"};

	write_books(w);
	world_open();
	const struct json *j = ASK(query_audit);
	assert_int_equal(json_get(j, "ok")->boolean, name == NULL);
	for (size_t i = 0; i < COUNT(names); i++) {
		bool expected = !name || strcmp(names[i], name) != 0;
		/* A balance that is wrong on the disk is wrong in memory too. */
		if (w == WRONG_BALANCE && strcmp(names[i], "memory") == 0)
			expected = false;
		if (audit_says(j, names[i]) != expected)
			print_error("%s is %s\n", names[i], expected ? "wrong" : "right");
		assert_int_equal(audit_says(j, names[i]), expected);
	}
}

#define AUDIT_TEST(title, wrong, name)                                                                                 \
	static void title(void **state)                                                                                \
	{                                                                                                              \
		(void)state;                                                                                           \
		audit_finds(wrong, name);                                                                              \
	}

AUDIT_TEST(test_audit_of_written_books, WRONG_NOTHING, NULL)
AUDIT_TEST(test_audit_finds_a_wrong_balance, WRONG_BALANCE, "ledger")
AUDIT_TEST(test_audit_finds_a_negative_state, WRONG_STATE, "states")
AUDIT_TEST(test_audit_finds_a_hold_without_reservation, WRONG_HOLD, "holds")
AUDIT_TEST(test_audit_finds_an_allocation_without_order, WRONG_ALLOCATION, "allocations")
AUDIT_TEST(test_audit_finds_a_line_that_does_not_add_up, WRONG_LINE, "orders")
AUDIT_TEST(test_audit_finds_a_message_that_waits, WRONG_PENDING, "inbox")
AUDIT_TEST(test_audit_finds_a_wrong_counter, WRONG_COUNTER, "counters")

/* ---- counters ---- */

static int64_t counter(const char *name)
{
	int64_t last, total = 0;
	size_t count;
	const struct counter *c = counters_read(hub_counters(world.hub), &world.arena, &count, &last);

	for (size_t i = 0; i < count; i++)
		total += str_is(c[i].name, name) ? c[i].total : 0;
	return total;
}

static void test_counters_outlive_a_restart(void **state)
{
	(void)state;
	open_with_orders();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(counter("count:order/backordered") + counter("count:order/reserved"), 2);
		assert_int_equal(counter("count:order/captured"), 0);
		assert_int_equal(counter("count:exception/backordered"), 1);
		assert_int_equal(counter("count:inbox/order/applied"), 2);
		assert_int_equal(counter("count:delivery/erp/order.post/open"), 2);
		check_audit();
		reopen();
	}
	receive("2", "A:1");
	assert_int_equal(counter("count:inbox/stock-movement/applied"), 2);
	check_audit();
}

static void test_a_store_without_counters_is_counted(void **state)
{
	(void)state;
	write_books(WRONG_NOTHING);
	world_open();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(counter("count:order/backordered"), 1);
		assert_int_equal(counter("count:inbox/message/dead_letter"), 1);
		receive("3", "B:1");
		check_audit();
		reopen();
	}
	assert_int_equal(counter("count:inbox/stock-movement/applied"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    QUERY_TEST(test_the_audit_of_good_books),
	    QUERY_TEST(test_audit_of_written_books),
	    QUERY_TEST(test_audit_finds_a_wrong_balance),
	    QUERY_TEST(test_audit_finds_a_negative_state),
	    QUERY_TEST(test_audit_finds_a_hold_without_reservation),
	    QUERY_TEST(test_audit_finds_an_allocation_without_order),
	    QUERY_TEST(test_audit_finds_a_line_that_does_not_add_up),
	    QUERY_TEST(test_audit_finds_a_message_that_waits),
	    QUERY_TEST(test_audit_finds_a_wrong_counter),
	    QUERY_TEST(test_counters_outlive_a_restart),
	    QUERY_TEST(test_a_store_without_counters_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
