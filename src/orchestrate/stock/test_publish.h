/*
 * For *_test.c only: the world of orchestrate/world.h, where only the shop is told, at most two items at once. Counts
 * at A are what changes; the test says what becomes of each delivery.
 */
#ifndef ORCHESTRATE_STOCK_TEST_PUBLISH_H
#define ORCHESTRATE_STOCK_TEST_PUBLISH_H

#include "orchestrate/world.h"

static struct world w;

static inline int set_up(void **state)
{
	(void)state;
	world_init(&w);
	w.packs[0].operations[OP_AVAILABILITY].batch_items = 2;
	w.packs[3].operations[OP_AVAILABILITY].present = false; /* one channel is enough here */
	world_start(&w);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	world_done(&w);
	return 0;
}

/* Ends the batch; what it tells the shop, as "sku=available ..." or "-" for nothing. *seq: of the delivery. */
static inline const char *told(int64_t *seq)
{
	static char text[512];
	const struct store_write *r;
	const struct json *items;
	struct json *params;
	size_t n = 0;

	world_finish(&w, 9);
	r = world_delivery(&w, "shop", "availability");
	snprintf(text, sizeof(text), "-");
	if (r) {
		assert_int_equal(json_parse(&w.arena, r->values[9].bytes, NULL, &params, NULL), RC_OK);
		assert_true(str_is(json_get_text(params, "channel"), "shop"));
		items = json_get(params, "items");
		for (uint32_t i = 0; i < items->count; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s" STR_FMT "=" STR_FMT, i ? " " : "",
					      STR_ARG(json_get_text(&items->items[i], "sku")),
					      STR_ARG(json_get_text(&items->items[i], "available")));
		*seq = r->values[0].integer;
	}
	world_committed(&w);
	return text;
}

static inline void set(const char *sku, qty_t q)
{
	world_move(&w, MOVE_COUNT, sku, "A", Q(q));
}

static inline void delivered(int64_t seq)
{
	publish_end(w.publisher, 0, seq, PUBLISH_DELIVERED, NULL, w.now);
}

static inline struct json *stale_item(const char *sku, const char *available)
{
	char text[96];
	struct json *stale;

	snprintf(text, sizeof(text), "[{\"sku\":\"%s\",\"available\":\"%s\"}]", sku, available);
	assert_int_equal(json_parse(&w.arena, str_from(text), NULL, &stale, NULL), RC_OK);
	return stale;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
