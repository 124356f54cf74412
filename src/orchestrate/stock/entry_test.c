#include "orchestrate/stock/entry.h"

#include "base/test.h"

#include <stdlib.h>

static const struct entry samples[] = {
    {.sku = STR("A"), .location = STR("L"), .from = STOCK_OUTSIDE, .to = STOCK_FREE, .quantity = 1},
    {.sku = STR("A"), .location = STR("L"), .from = STOCK_FREE, .to = STOCK_HELD, .quantity = 127},
    {.sku = STR("A"), .location = STR("L"), .from = STOCK_HELD, .to = STOCK_ALLOCATED, .quantity = 128},
    {.sku = STR("MUG-001"),
     .location = STR("berlin"),
     .lot = STR("lot 7"),
     .owner = STR("owner"),
     .to_location = STR("hamburg"),
     .from = STOCK_FREE,
     .to = STOCK_FREE,
     .quantity = QTY_MAX,
     .line = 1},
    {.sku = STR("\xc3\xa4\x00z"),
     .location = STR("L"),
     .from = STOCK_RETURNING,
     .to = STOCK_OUTSIDE,
     .quantity = 16384,
     .previous = 129,
     .line = 1},
    {.sku = STR("A"), .location = STR("L"), .from = STOCK_FREE, .to = STOCK_OUTSIDE, .quantity = 5, .line = 999},
    {.sku = STR("A"), .location = STR("L"), .from = STOCK_FREE, .to = STOCK_OUTSIDE, .quantity = 5},
};

struct seen {
	size_t count, stop_at;
};

static enum rc compare(void *ctx, const struct entry *e)
{
	struct seen *seen = ctx;
	const struct entry *want = &samples[seen->count++];

	assert_true(str_eq(e->sku, want->sku) && str_eq(e->location, want->location) && str_eq(e->lot, want->lot));
	assert_true(str_eq(e->owner, want->owner) && str_eq(e->to_location, want->to_location));
	assert_int_equal(e->from, want->from);
	assert_int_equal(e->to, want->to);
	assert_int_equal(e->quantity, want->quantity);
	assert_int_equal(e->previous, want->previous);
	assert_int_equal(e->line, want->line);
	return seen->count == seen->stop_at ? RC_CONFLICT : RC_OK;
}

static void pack_samples(struct buf *b)
{
	uint32_t line = 0;

	buf_init(b, 4096);
	for (size_t i = 0; i < COUNT(samples); i++)
		entry_pack(b, &samples[i], &line);
}

static void test_round_trip(void **state)
{
	struct seen seen = {0};
	struct buf b;

	(void)state;
	pack_samples(&b);
	assert_int_equal(entries_each(buf_str(&b), compare, &seen), RC_OK);
	assert_int_equal(seen.count, COUNT(samples));
	seen = (struct seen){.stop_at = 2};
	assert_int_equal(entries_each(buf_str(&b), compare, &seen), RC_CONFLICT);
	assert_int_equal(seen.count, 2);
	assert_int_equal(entries_each(STR_NONE, compare, &seen), RC_OK);
	buf_done(&b);
}

static enum rc note_quantity(void *ctx, const struct entry *e)
{
	*(qty_t *)ctx = e->quantity;
	return RC_OK;
}

/* A count can correct by more than one line of a movement can carry. */
static void test_any_quantity_that_fits(void **state)
{
	static const qty_t quantities[] = {QTY_MAX + 1, 2 * QTY_MAX, INT64_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT(quantities); i++) {
		struct entry e = samples[0];
		qty_t got = 0;
		struct buf b;

		e.quantity = quantities[i];
		buf_init(&b, 4096);
		entry_pack(&b, &e, &(uint32_t){0});
		assert_int_equal(entries_each(buf_str(&b), note_quantity, &got), RC_OK);
		assert_int_equal(got, quantities[i]);
		buf_done(&b);
	}
}

static enum rc check_sane(void *ctx, const struct entry *e)
{
	const struct str *all = ctx;

	assert_true(e->from <= STOCK_OUTSIDE && e->to <= STOCK_OUTSIDE && e->quantity >= 0);
	assert_true(e->sku.n <= all->n && e->location.n <= all->n && e->to_location.n <= all->n);
	return RC_OK;
}

/* Every prefix, in memory of exactly its size: RC_IO where it ends inside an entry, and never a byte behind it. */
static void test_truncated(void **state)
{
	struct buf b;
	size_t whole = 0;

	(void)state;
	pack_samples(&b);
	for (size_t n = 1; n <= b.n; n++) {
		char *p = malloc(n);
		struct str all = {p, n};

		assert_non_null(p);
		memcpy(p, b.p, n);
		whole += entries_each(all, check_sane, &all) == RC_OK;
		free(p);
	}
	assert_int_equal(whole, COUNT(samples));
	buf_done(&b);
}

static void test_damaged(void **state)
{
	static const struct {
		const char *name;
		struct str bytes;
	} cases[] = {
	    {"a text longer than the rest", STR("\x05"
						"ab")},
	    {"a length that overflows", STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
	    {"an endless length", STR("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80")},
	    {"an unknown state", STR("\x01"
				     "A\x01L\x00\x00\x00\x0a\x00\x01")},
	    {"no quantity", STR("\x01"
				"A\x01L\x00\x00\x00\x00\x01")},
	    {"a quantity above 63 bits", STR("\x01"
					     "A\x01L\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f")},
	};
	uint64_t random = 42;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (entries_each(cases[i].bytes, check_sane, (void *)&cases[i].bytes) != RC_IO)
			fail_msg("%s: taken", cases[i].name);
	pack_samples(&b);
	for (int round = 0; round < 20000; round++) {
		char *p = malloc(b.n);
		struct str all = {p, b.n};

		assert_non_null(p);
		memcpy(p, b.p, b.n);
		for (int n = 0; n < 3; n++)
			p[test_random(&random) % b.n] = (char)test_random(&random);
		(void)!entries_each(all, check_sane, &all);
		free(p);
	}
	buf_done(&b);
}

static void test_states(void **state)
{
	static const bool on_hand[] = {true, true, true, true, true, true, false, false, false, false};

	(void)state;
	for (enum stock_state s = STOCK_FREE; s <= STOCK_OUTSIDE; s++) {
		assert_int_equal(stock_state_on_hand(s), on_hand[s]);
		assert_true(strlen(stock_state_name(s)) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip), cmocka_unit_test(test_any_quantity_that_fits),
	    cmocka_unit_test(test_truncated),  cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
