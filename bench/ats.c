/*
 * bench_ats DIR POSITIONS: available-to-sell, one JSON line.
 *
 * Loads POSITIONS positions (one an item) from a store in DIR that it makes first, as a start does: rows, then the view
 * for readers. Then one movement after another, each to the new numbers of 20 channels, and the numbers of all items
 * for 10 channels.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/publish.h"
#include "orchestrate/stock/view_writer.h"
#include "store/store.h"

#include <err.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define LOCATIONS  4
#define CHANNELS   20
#define BATCH_ROWS 5000
#define MOVEMENTS  200000

static uint16_t all_locations[LOCATIONS] = {0, 1, 2, 3};
static struct config_location locations[LOCATIONS];
static struct config_channel channels[CHANNELS];
static struct config_tenant tenant = {.locations = locations, .location_count = LOCATIONS, .channels = channels};
static char names[LOCATIONS][8];

static void check(enum rc rc, const struct err *e)
{
	if (rc != RC_OK)
		errx(1, "%s: %s", e->code, e->detail);
}

static double seconds_since(int64_t started)
{
	return (double)(clock_mono_ns(clock_system()) - started) / 1e9;
}

static void make_tenant(size_t channel_count)
{
	for (uint16_t i = 0; i < LOCATIONS; i++) {
		snprintf(names[i], sizeof(names[i]), "n%u", i);
		locations[i] = (struct config_location){.name = str_from(names[i]), .index = i, .warehouse = -1};
	}
	for (size_t i = 0; i < CHANNELS; i++)
		channels[i] = (struct config_channel){.locations = all_locations,
						      .location_count = 1 + i % LOCATIONS,
						      .share_ppm = i % 2 ? 500000 : 1000000,
						      .buffer = QTY_ONE,
						      .cap = -1};
	tenant.channel_count = channel_count;
	tenant.record_stock = -1;
}

static void fill(struct store *s, int64_t batch, size_t count)
{
	struct err e = ERR_NONE;
	struct store_stats stats;
	struct arena a;

	arena_init(&a, 64u << 20);
	for (size_t i = 0; i < count;) {
		struct store_batch b;

		arena_reset(&a);
		store_batch_init(&b, &a, ++batch);
		for (size_t n = 0; n < BATCH_ROWS && i < count; n++, i++) {
			struct str sku = str_from(arena_printf(&a, "SKU-%08zu", i));
			struct str states = str_from(arena_printf(&a, "%zu 0 0 0 0 0 0 0 0", (i % 500) * QTY_ONE));

			if (store_batch_put(&b, W_ITEM, SV_TEXT(sku), SV_INT(1), SV_TEXT(STR("EA")), SV_NULL,
					    SV_NULL) != RC_OK ||
			    store_batch_put(&b, W_POSITION, SV_TEXT(sku), SV_TEXT(locations[i % LOCATIONS].name),
					    SV_TEXT(STR("")), SV_TEXT(STR("")), SV_INT(1), SV_TEXT(states)) != RC_OK)
				errx(1, "a batch does not fit into memory");
		}
		check(store_commit(s, &b, &e), &e);
		check(store_maintain(s, &stats, &e), &e);
	}
	arena_done(&a);
}

static enum rc load_item(void *ctx, const struct store_value *c, size_t columns)
{
	struct err e = ERR_NONE;

	(void)columns;
	return item_load(ctx, c[0].bytes, c[1].bytes, c[2].bytes, c[3].integer != 0, &e);
}

static enum rc load_position(void *ctx, const struct store_value *c, size_t columns)
{
	struct err e = ERR_NONE;

	(void)columns;
	return stock_load_position(ctx, c[0].bytes, c[1].bytes, c[2].bytes, c[3].bytes, c[4].integer, c[5].bytes, &e);
}

static struct stock *load(struct store *s, struct stock_view *view, size_t count)
{
	struct stock *stock = stock_new(&tenant, count, view);
	struct err e = ERR_NONE;
	struct store_reader *r;

	check(store_reader_open(s, &r, &e), &e);
	check(store_read(r, R_ITEMS, NULL, 0, load_item, stock, &e), &e);
	check(store_read(r, R_POSITIONS, NULL, 0, load_position, stock, &e), &e);
	store_reader_close(r);
	return stock;
}

/* From one movement to the numbers of all channels, without the store. */
static double movement_ns(struct stock *s, qty_t *sum)
{
	struct log_heads heads = {0};
	struct txn t;
	struct arena a;
	int64_t started;

	arena_init(&a, 1u << 20);
	started = clock_mono_ns(clock_system());
	for (uint64_t i = 0; i < MOVEMENTS; i++) {
		struct stock_item *item = s->list[i * 2654435761u % s->item_count];
		struct stock_draft d;
		qty_t out[CONFIG_CHANNELS_MAX];

		arena_reset(&a);
		txn_init(&t, &a, &heads, NULL, NULL, 1, 1000);
		d = (struct stock_draft){0};
		stock_draft_begin(&d, s, &t, STR("adjust"), 1000);
		stock_post(&d, item->places[0], STOCK_OUTSIDE, NULL, STOCK_FREE, QTY_ONE);
		buf_done(&d.entries);
		stock_available_all(s, item, out);
		*sum += out[i % CHANNELS];
	}
	arena_done(&a);
	return seconds_since(started) * 1e9 / MOVEMENTS;
}

static double recompute_s(struct stock *s, qty_t *sum)
{
	int64_t started = clock_mono_ns(clock_system());
	qty_t out[CONFIG_CHANNELS_MAX];

	for (size_t i = 0; i < s->item_count; i++) {
		stock_available_all(s, s->list[i], out);
		*sum += out[0];
	}
	return seconds_since(started);
}

static size_t heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

int main(int argc, char **argv)
{
	struct err e = ERR_NONE;
	struct store *store;
	struct stock *s;
	struct stock_view *view;
	size_t count, before, ledger, both;
	int64_t batch, started;
	double load_s, view_s, all_s;
	char url[4096];
	qty_t sum = 0;

	if (argc != 3)
		errx(2, "usage: bench_ats DIR POSITIONS");
	count = strtoul(argv[2], NULL, 10);
	make_tenant(10);
	snprintf(url, sizeof(url), "sqlite:%s/ats.db", argv[1]);
	check(store_open(&(struct store_options){.url = url, .holder = "bench", .clock = clock_system()}, &store,
			 &batch, &e),
	      &e);
	fill(store, batch, count);
	before = heap();
	started = clock_mono_ns(clock_system());
	view = stock_view_new();
	s = load(store, view, count);
	load_s = seconds_since(started);
	ledger = heap() - before;
	started = clock_mono_ns(clock_system());
	stock_publish_all(s, 1);
	view_s = seconds_since(started);
	both = heap() - before;
	all_s = recompute_s(s, &sum);
	stock_free(s);
	stock_view_free(view);
	make_tenant(CHANNELS);
	view = stock_view_new();
	s = load(store, view, count);
	printf("{\"positions\":%zu,\"load_s\":%.3f,\"view_s\":%.3f,\"ledger_bytes\":%.0f,\"view_bytes\":%.0f,"
	       "\"recompute_s\":%.3f,\"movement_ns\":%.0f,\"sum\":%s}\n",
	       count, load_s, view_s, (double)ledger / (double)count, (double)(both - ledger) / (double)count, all_s,
	       movement_ns(s, &sum), sum > 0 ? "true" : "false");
	stock_free(s);
	stock_view_free(view);
	store_close(store);
	return 0;
}
