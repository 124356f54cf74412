#include "backbone/txn.h"

#include "base/test.h"

static struct arena arena;
static struct log_heads heads;
static struct dedup *dedup;
static struct uuid_source ids;
static struct txn t;

static int begin(size_t bytes, size_t keys)
{
	arena_init(&arena, bytes);
	heads = (struct log_heads){
	    .event = 10, .delivery = 20, .document = 30, .exception = 40, .dead_letter = 50, .dedup = 60};
	dedup = dedup_new(keys);
	uuid_source_init(&ids);
	txn_init(&t, &arena, &heads, dedup, &ids, 7, 1772366400000);
	t.cause = (struct txn_cause){STR("correlation"), STR_NONE};
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return begin(1u << 20, 100);
}

static int tear_down(void **state)
{
	(void)state;
	dedup_free(dedup);
	arena_done(&arena);
	return 0;
}

static const struct store_write *row(enum store_statement s, size_t n)
{
	for (const struct store_write *w = t.batch.first; w; w = w->next)
		if (w->statement == s && n-- == 0)
			return w;
	return NULL;
}

static void test_event(void **state)
{
	const struct store_value *v;

	(void)state;
	assert_int_equal(txn_event(&t, "order.captured", STR("o-1"), 0, STR("{}")), 11);
	t.cause.source = STR("wms");
	assert_int_equal(txn_event(&t, "stock.moved", STR("m-1"), 31, STR("{\"a\":1}")), 12);
	assert_int_equal(t.batch.count, 2);
	assert_int_equal(t.batch.number, 7);
	v = row(W_EVENT, 0)->values;
	assert_int_equal(v[0].integer, 11);
	assert_int_equal(v[1].bytes.n, UUID_TEXT);
	assert_int_equal(v[2].integer, t.now);
	assert_true(str_is(v[3].bytes, "order.captured") && str_is(v[4].bytes, "o-1"));
	assert_int_equal(v[5].type, STORE_NULL);
	assert_true(str_is(v[6].bytes, "correlation"));
	assert_int_equal(v[7].type, STORE_NULL);
	v = row(W_EVENT, 1)->values;
	assert_true(str_is(v[5].bytes, "wms"));
	assert_int_equal(v[7].integer, 31);
	assert_true(str_is(v[8].bytes, "{\"a\":1}"));
	assert_false(str_eq(row(W_EVENT, 0)->values[1].bytes, v[1].bytes));
}

static void test_delivery(void **state)
{
	struct txn_delivery d = {
	    .system = STR("erp"), .system_index = 3, .operation = OP_ORDER_POST, .key = STR("o-1")};
	const struct store_value *v;

	(void)state;
	for (int i = 0; i < 200; i++) {
		d.event = i;
		assert_int_equal(txn_delivery(&t, &d), 21 + i);
	}
	assert_int_equal(t.delivery_count, 200);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(t.deliveries[i].seq, 21 + i);
		assert_int_equal(t.deliveries[i].key, delivery_key_hash(STR("o-1")));
		assert_int_equal(t.deliveries[i].system, 3);
		assert_int_equal(t.deliveries[i].operation, OP_ORDER_POST);
		assert_int_equal(t.deliveries[i].status, DELIVERY_WAITING);
		assert_int_equal(t.deliveries[i].next_at, t.now);
		assert_int_equal(t.deliveries[i].attempts, 0);
	}
	v = row(W_DELIVERY, 0)->values;
	assert_true(str_is(v[2].bytes, "erp") && str_is(v[3].bytes, "order.post") && str_is(v[4].bytes, "o-1"));
	assert_int_equal(v[5].type, STORE_NULL);
	assert_int_equal(v[7].type, STORE_NULL);
	assert_int_equal(row(W_DELIVERY, 1)->values[7].integer, 1);
	assert_int_equal(v[10].integer, DELIVERY_WAITING);
	assert_false(t.failed);
}

/* The ten ways, 4: the key is there for the next command of the same batch, and in the batch. */
static void test_dedup(void **state)
{
	struct hash128 hash = dedup_hash(DEDUP_ORDER, STR("shop"), STR("1001"));
	struct hash128 other = dedup_hash(DEDUP_MOVEMENT, STR("wms"), STR("m-1"));
	struct dedup *loaded = dedup_new(2);
	const struct store_value *v;

	(void)state;
	txn_dedup(&t, DEDUP_ORDER, hash, 0xfedcba9876543210u, 5);
	assert_int_equal(dedup_find(dedup, hash)->ref, 5);
	txn_dedup(&t, DEDUP_MOVEMENT, other, 7, INT64_MAX);
	txn_keys(&t);
	txn_keys(&t);
	assert_int_equal(t.batch.count, 1);
	v = row(W_DEDUP, 0)->values;
	assert_int_equal(v[0].integer, 61);
	assert_int_equal(v[2].bytes.n, 2 * DEDUP_PACKED);
	assert_int_equal(v[2].bytes.p[0], DEDUP_ORDER);
	assert_int_equal(v[2].bytes.p[DEDUP_PACKED], DEDUP_MOVEMENT);
	assert_int_equal(dedup_unpack(loaded, v[2].bytes), RC_OK);
	assert_int_equal(dedup_find(loaded, hash)->fingerprint, 0xfedcba9876543210u);
	assert_int_equal(dedup_find(loaded, hash)->ref, 5);
	assert_int_equal(dedup_find(loaded, other)->ref, INT64_MAX);
	assert_int_equal(dedup_unpack(loaded, (struct str){v[2].bytes.p, DEDUP_PACKED - 1}), RC_IO);
	dedup_free(loaded);
}

static void test_exception(void **state)
{
	const struct store_value *v;
	struct json *data;

	(void)state;
	txn_exception(&t, "backordered", STR("o-1"), STR("o-1"), STR("not \"enough\""));
	v = row(W_EXCEPTION, 0)->values;
	assert_int_equal(v[0].integer, 41);
	assert_true(str_is(v[3].bytes, "backordered") && str_is(v[7].bytes, "not \"enough\""));
	assert_int_equal(json_parse(&arena, row(W_EVENT, 0)->values[8].bytes, NULL, &data, NULL), RC_OK);
	assert_true(str_eq(json_get_text(data, "exception_id"), v[1].bytes));
	assert_true(str_is(json_get_text(data, "detail"), "not \"enough\""));
}

static void test_dead_letter_and_document(void **state)
{
	const struct store_value *v;

	(void)state;
	assert_int_equal(txn_document(&t, STR("order"), STR("packed")), 31);
	assert_true(str_is(row(W_DOCUMENT, 0)->values[3].bytes, "packed"));
	txn_dead_letter(&t, "technical", STR("erp"), STR("order.post"), 0, 9, STR("too old"), STR_NONE,
			STR("erp/order.post/o1"));
	txn_dead_letter(&t, "mapping", STR_NONE, STR_NONE, 8, 0, STR("no field"), STR("payload"), STR_NONE);
	v = row(W_DEAD_LETTER, 0)->values;
	assert_int_equal(v[0].integer, 51);
	assert_int_equal(v[5].type, STORE_NULL);
	assert_int_equal(v[6].integer, 9);
	assert_true(str_is(v[14].bytes, "order.post"));
	assert_int_equal(v[12].type, STORE_NULL);
	v = row(W_DEAD_LETTER, 1)->values;
	assert_int_equal(v[4].type, STORE_NULL);
	assert_int_equal(v[5].integer, 8);
	assert_true(str_is(v[12].bytes, "payload"));
}

/* A full arena, a full key table, a text that is too long: the whole transaction is given up. */
static void test_failure_is_remembered(void **state)
{
	struct buf b;

	assert_false(t.failed);
	buf_init(&b, 4);
	buf_add_z(&b, "too long");
	(void)txn_text(&t, &b);
	buf_done(&b);
	assert_true(t.failed);
	tear_down(state);

	begin(20000, 100);
	for (int i = 0; i < 1000; i++)
		txn_delivery(&t, &(struct txn_delivery){.system = STR("erp"), .key = STR("o")});
	assert_true(t.failed);
	txn_exception(&t, "kind", STR("s"), STR("o"), STR("d"));
	assert_int_equal(txn_copy(&t, STR("x")).n > 0 && !t.failed, 0);
	tear_down(state);

	begin(1u << 20, 1);
	txn_dedup(&t, DEDUP_ORDER, (struct hash128){1, 1}, 0, 0);
	assert_false(t.failed);
	txn_dedup(&t, DEDUP_ORDER, (struct hash128){2, 2}, 0, 0);
	assert_true(t.failed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_event),
	    TEST(test_delivery),
	    TEST(test_dedup),
	    TEST(test_exception),
	    TEST(test_dead_letter_and_document),
	    TEST(test_failure_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
