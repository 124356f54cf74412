#include "backbone/outbox.h"

#include "backbone/inbox.h"
#include "base/test.h"

#define COLUMNS 17

static void make_row(struct store_value *c)
{
	static const struct store_value row[COLUMNS] = {
	    {.type = STORE_INT, .integer = 5},
	    {.type = STORE_TEXT, .bytes = STR("id")},
	    {.type = STORE_TEXT, .bytes = STR("erp")},
	    {.type = STORE_TEXT, .bytes = STR("order.post")},
	    {.type = STORE_TEXT, .bytes = STR("o-1")},
	    {.type = STORE_TEXT, .bytes = STR("o-1")},
	    {.type = STORE_TEXT, .bytes = STR("correlation")},
	    {.type = STORE_NULL},
	    {.type = STORE_INT, .integer = 8},
	    {.type = STORE_NULL},
	    {.type = STORE_INT, .integer = DELIVERY_UNKNOWN},
	    {.type = STORE_INT, .integer = 3},
	    {.type = STORE_INT, .integer = 12},
	    {.type = STORE_INT, .integer = 13},
	    {.type = STORE_INT, .integer = 14},
	    {.type = STORE_NULL},
	    {.type = STORE_TEXT, .bytes = STR("reason")},
	};

	memcpy(c, row, sizeof(row));
}

static void test_row(void **state)
{
	struct store_value c[COLUMNS];
	struct delivery d;

	(void)state;
	make_row(c);
	assert_int_equal(delivery_from_row(c, &d), RC_OK);
	assert_int_equal(d.head.seq, 5);
	assert_int_equal(d.head.operation, OP_ORDER_POST);
	assert_int_equal(d.head.status, DELIVERY_UNKNOWN);
	assert_int_equal(d.head.attempts, 3);
	assert_int_equal(d.head.next_at, 12);
	assert_int_equal(d.head.created_at, 13);
	assert_int_equal(d.updated_at, 14);
	assert_int_equal(d.event, 0);
	assert_int_equal(d.document, 8);
	assert_true(str_is(d.delivery_id, "id") && str_is(d.system, "erp") && str_is(d.reason, "reason"));
	assert_int_equal(d.params.n, 0);
	assert_int_equal(d.head.key, delivery_key_hash(STR("o-1")));
	assert_int_not_equal(d.head.key, delivery_key_hash(STR("o-2")));
}

static void test_damaged_row(void **state)
{
	static const struct {
		size_t column;
		struct store_value value;
	} damages[] = {
	    {3, {.type = STORE_TEXT, .bytes = STR("order.eat")}},
	    {3, {.type = STORE_NULL}},
	    {10, {.type = STORE_INT, .integer = 3}},
	    {10, {.type = STORE_INT, .integer = -1}},
	    {10, {.type = STORE_INT, .integer = 94}},
	    {11, {.type = STORE_INT, .integer = -1}},
	    {11, {.type = STORE_INT, .integer = (int64_t)UINT32_MAX + 1}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(damages); i++) {
		struct store_value c[COLUMNS];
		struct delivery d;

		make_row(c);
		c[damages[i].column] = damages[i].value;
		assert_int_equal(delivery_from_row(c, &d), RC_IO);
	}
}

/* Names that the outside sees, and numbers that are stored. */
static void test_names(void **state)
{
	static const struct {
		int stored;
		const char *name;
	} statuses[] = {{0, "waiting"},     {1, "sending"},    {2, "unknown"},     {90, "delivered"},
			{91, "superseded"}, {92, "cancelled"}, {93, "dead_letter"}},
	  fates[] = {{0, "pending"},   {1, "applied"},  {2, "duplicate"},  {3, "stale"},
		     {4, "not_owned"}, {5, "rejected"}, {6, "dead_letter"}};

	(void)state;
	for (size_t i = 0; i < COUNT(statuses); i++) {
		assert_string_equal(delivery_status_name((enum delivery_status)statuses[i].stored), statuses[i].name);
		assert_int_equal(statuses[i].stored >= DELIVERY_FINAL, i >= 3);
	}
	for (size_t i = 0; i < COUNT(fates); i++)
		assert_string_equal(fate_name((enum fate)fates[i].stored), fates[i].name);
}

/* The names of requests are made of it: it must be the same after a restart, and depend on everything in its order. */
static void test_hash(void **state)
{
	uint64_t ab = delivery_hash(delivery_hash(0, STR("a")), STR("b"));

	(void)state;
	assert_int_equal(delivery_hash(0, STR("a")), 0x96c20860cd93a249u);
	assert_int_not_equal(ab, delivery_hash(delivery_hash(0, STR("b")), STR("a")));
	assert_int_not_equal(ab, delivery_hash(0, STR("ab")));
	assert_int_equal(delivery_batch_hash(STR("E-1")), 0);
	assert_int_equal(delivery_batch_hash(STR(DELIVERY_BATCH "x")), delivery_hash(0, STR(DELIVERY_BATCH "x")) | 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_row), cmocka_unit_test(test_damaged_row),
					   cmocka_unit_test(test_names), cmocka_unit_test(test_hash)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
