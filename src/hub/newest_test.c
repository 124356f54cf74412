#include "hub/newest.h"

#include "backbone/outbox.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
	char folder[64];
	struct arena arena;
	struct store *store;
	struct store_reader *reader;
	int64_t batch, seq; /* of the last batch and of the last delivery */
} w;

static int set_up(void **state)
{
	struct store_options o = {.clock = clock_system()};
	struct err e = ERR_NONE;
	char url[128];

	(void)state;
	memset(&w, 0, sizeof(w));
	arena_init(&w.arena, 64u << 20);
	snprintf(w.folder, sizeof(w.folder), "/tmp/crossdock-newest-XXXXXX");
	assert_non_null(mkdtemp(w.folder));
	snprintf(url, sizeof(url), "sqlite:%s/hub.db", w.folder);
	o.url = url;
	assert_int_equal(store_open(&o, &w.store, &w.batch, &e), RC_OK);
	return store_reader_open(w.store, &w.reader, &e) == RC_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	store_reader_close(w.reader);
	store_close(w.store);
	arena_done(&w.arena);
	snprintf(command, sizeof(command), "rm -r '%s'", w.folder);
	return system(command);
}

/* ---- deliveries, and reading them ---- */

struct made {
	const char *system, *key;
	enum operation op;
	enum delivery_status status;
};

/* Under the next sequence numbers; they start at 1. */
static void deliver(const struct made *made, size_t count)
{
	struct store_batch b;
	struct err e = ERR_NONE;

	store_batch_init(&b, &w.arena, ++w.batch);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(store_batch_put(&b, W_DELIVERY, SV_INT(++w.seq),
						 SV_TEXT(str_from(arena_printf(&w.arena, "d%lld", (long long)w.seq))),
						 SV_TEXT(str_from(made[i].system)),
						 SV_TEXT(str_from(operation_name(made[i].op))),
						 SV_TEXT(str_from(made[i].key)), SV_NULL, SV_TEXT(STR("c")), SV_NULL,
						 SV_NULL, SV_NULL, SV_INT(made[i].status), SV_INT(0), SV_INT(0),
						 SV_INT(1), SV_INT(1), SV_NULL, SV_NULL, SV_INT(0)),
				 RC_OK);
	assert_int_equal(store_commit(w.store, &b, &e), RC_OK);
}

static struct newest *newest_of(enum operation op, size_t keys_max)
{
	bool operations[OPERATIONS] = {false};

	operations[op] = true;
	return newest_new(operations, keys_max);
}

/* Were there no more than these? */
static bool read_some(struct newest *n, uint32_t max)
{
	struct err e = ERR_NONE;
	bool done = false;

	if (newest_read(n, w.reader, STR("erp"), max, &done, &e) != RC_OK)
		fail_msg("%s: %s", e.code, e.detail);
	return done;
}

static bool is_behind(const struct newest *n, enum operation op, const char *key, int64_t seq)
{
	return newest_is_behind(n, op, delivery_key_hash(str_from(key)), seq);
}

/* ---- tests ---- */

/* The delivery with number 1 is "item" of A to the erp; a second one comes after it. */
static void test_what_puts_it_behind(void **state)
{
	static const struct {
		struct made later;
		bool behind;
	} cases[] = {
	    {{"erp", "A", OP_ITEM, DELIVERY_WAITING}, true},     {{"erp", "A", OP_ITEM, DELIVERY_SENDING}, true},
	    {{"erp", "A", OP_ITEM, DELIVERY_UNKNOWN}, true},     {{"erp", "A", OP_ITEM, DELIVERY_DELIVERED}, true},
	    {{"erp", "A", OP_ITEM, DELIVERY_SUPERSEDED}, false}, {{"erp", "A", OP_ITEM, DELIVERY_CANCELLED}, false},
	    {{"erp", "A", OP_ITEM, DELIVERY_DEAD}, false},       {{"erp", "B", OP_ITEM, DELIVERY_DELIVERED}, false},
	    {{"erp", "A", OP_PRICE, DELIVERY_DELIVERED}, false}, {{"shop", "A", OP_ITEM, DELIVERY_DELIVERED}, false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct made both[] = {{"erp", "A", OP_ITEM, DELIVERY_DELIVERED}, cases[i].later};
		struct newest *n = newest_of(OP_ITEM, 10);

		if (i > 0)
			assert_int_equal(tear_down(state) || set_up(state), 0);
		assert_false(is_behind(n, OP_ITEM, "A", 1));
		deliver(both, COUNT(both));
		assert_true(read_some(n, 10));
		if (is_behind(n, OP_ITEM, "A", 1) != cases[i].behind)
			fail_msg("case %zu", i);
		assert_false(is_behind(n, OP_ITEM, "A", 2));
		newest_free(n);
	}
}

/* It has them by operation, and knows of no other than were asked for. */
static void test_operations_keep_apart(void **state)
{
	static const struct made made[] = {{"erp", "A", OP_ITEM, DELIVERY_DELIVERED},
					   {"erp", "A", OP_CUSTOMER, DELIVERY_DELIVERED},
					   {"erp", "A", OP_PRICE, DELIVERY_DELIVERED}};
	bool operations[OPERATIONS] = {[OP_ITEM] = true, [OP_CUSTOMER] = true};
	struct newest *n = newest_new(operations, 10);

	(void)state;
	deliver(made, COUNT(made));
	assert_true(read_some(n, 10));
	assert_true(is_behind(n, OP_ITEM, "A", 0));
	assert_false(is_behind(n, OP_ITEM, "A", 1));
	assert_true(is_behind(n, OP_CUSTOMER, "A", 1));
	assert_false(is_behind(n, OP_CUSTOMER, "A", 2));
	assert_false(is_behind(n, OP_PRICE, "A", 0));
	newest_free(n);
}

/* Each slice goes on behind the last one, and so does one after the end. */
static void test_in_slices(void **state)
{
	static const struct made made[] = {{"erp", "A", OP_ITEM, DELIVERY_DELIVERED},
					   {"shop", "A", OP_ITEM, DELIVERY_DELIVERED},
					   {"erp", "B", OP_PRICE, DELIVERY_DELIVERED},
					   {"erp", "A", OP_ITEM, DELIVERY_WAITING},
					   {"erp", "B", OP_ITEM, DELIVERY_DEAD}};
	struct newest *n = newest_of(OP_ITEM, 10);

	(void)state;
	deliver(made, COUNT(made));
	assert_false(read_some(n, 2));
	assert_false(is_behind(n, OP_ITEM, "A", 1));
	assert_false(read_some(n, 2));
	assert_true(is_behind(n, OP_ITEM, "A", 1));
	assert_true(read_some(n, 2));
	assert_false(is_behind(n, OP_ITEM, "A", 4));
	deliver(made, 1);
	assert_true(read_some(n, 2));
	assert_true(is_behind(n, OP_ITEM, "A", 4));
	assert_false(is_behind(n, OP_ITEM, "A", 6));
	newest_free(n);
}

/* Enough that the table is made wider, twice. */
static void test_many_keys(void **state)
{
	enum { KEYS = 2000 };
	static struct made made[2 * KEYS];
	struct newest *n = newest_of(OP_ITEM, KEYS);

	(void)state;
	for (int i = 0; i < 2 * KEYS; i++)
		made[i] = (struct made){"erp", arena_printf(&w.arena, "K%d", i % KEYS), OP_ITEM, DELIVERY_DELIVERED};
	deliver(made, COUNT(made));
	while (!read_some(n, 300))
		continue;
	for (int i = 0; i < KEYS; i++) {
		assert_true(is_behind(n, OP_ITEM, made[i].key, KEYS + i));
		assert_false(is_behind(n, OP_ITEM, made[i].key, KEYS + i + 1));
	}
	newest_free(n);
}

static void test_the_limit(void **state)
{
	static const struct made made[] = {
	    {"erp", "A", OP_ITEM, DELIVERY_DELIVERED}, {"erp", "B", OP_ITEM, DELIVERY_DELIVERED},
	    {"erp", "A", OP_ITEM, DELIVERY_DELIVERED}, {"erp", "C", OP_ITEM, DELIVERY_DEAD},
	    {"erp", "C", OP_PRICE, DELIVERY_WAITING},  {"shop", "C", OP_ITEM, DELIVERY_WAITING}};
	static const struct made one_more = {"erp", "C", OP_ITEM, DELIVERY_WAITING};
	struct newest *n = newest_of(OP_ITEM, 2);
	struct err e = ERR_NONE;
	bool done;

	(void)state;
	deliver(made, COUNT(made));
	assert_true(read_some(n, 10));
	deliver(&one_more, 1);
	assert_int_equal(newest_read(n, w.reader, STR("erp"), 10, &done, &e), RC_LIMIT);
	assert_string_equal(e.code, "too_many_keys");
	assert_non_null(strstr(e.detail, "more than 2 keys"));
	newest_free(n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_what_puts_it_behind), TEST(test_operations_keep_apart),
	    TEST(test_in_slices),           TEST(test_many_keys),
	    TEST(test_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
