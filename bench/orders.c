/*
 * bench_orders DATA FOLDER: the real orders as canonical bodies.
 *
 * FOLDER/orders.ndjson: one body a line, those of 1.5 to 3 KB, with a placeholder at the end of external_id.
 * FOLDER/movements.ndjson: bodies for POST /v1/stock/movements that receive plenty of all their items.
 */
#include "base/buf.h"
#include "base/map.h"
#include "format/json.h"
#include "marks.h"
#include "sandbox/retail.h"

#include <err.h>
#include <stdio.h>

#define BODY_MIN       1500
#define BODY_MAX       3072
#define ITEMS_MAX      100000
#define MOVEMENT_LINES 500

static FILE *create(const char *folder, const char *name)
{
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "we");
	if (!f)
		err(1, "%s", path);
	return f;
}

static void finish(FILE *f)
{
	if (fclose(f) != 0)
		err(1, "a file of orders");
}

/* Once each; the tenant has sku_case: upper. */
static void note_items(struct map *items, struct arena *a, const struct retail_document *d)
{
	for (size_t i = 0; i < d->line_count; i++) {
		struct str sku = arena_copy(a, d->lines[i].sku);
		char *text = (char *)sku.p;
		for (size_t j = 0; j < sku.n; j++)
			if (text[j] >= 'a' && text[j] <= 'z')
				text[j] = (char)(text[j] - 'a' + 'A');
		if (!map_get(items, sku) && map_put(items, sku, text))
			errx(1, "too many items");
	}
}

static size_t write_orders(const struct retail *r, FILE *f, struct map *items, struct arena *a, size_t *bytes)
{
	size_t count = 0;
	struct buf body;
	buf_init(&body, 1u << 20);
	for (size_t i = 0; i < r->count; i++) {
		const struct retail_document *d = &r->documents[i];
		if (d->kind != RETAIL_ORDER)
			continue;
		buf_reset(&body);
		retail_write_order(&body, d, MARKS_PLACEHOLDER);
		if (!buf_ok(&body) || body.n < BODY_MIN || body.n > BODY_MAX)
			continue;
		note_items(items, a, d);
		(void)fprintf(f, "%s\n", body.p);
		*bytes += body.n;
		count++;
	}
	buf_done(&body);
	return count;
}

static void begin_movement(struct json_writer *w, struct buf *b, size_t number)
{
	char id[32];
	int n = snprintf(id, sizeof(id), "opening-%zu", number);
	buf_reset(b);
	jw_init(w, b);
	jw_object(w);
	jw_key_text(w, "source", STR("wms"));
	jw_key_text(w, "source_event_id", (struct str){id, (size_t)n});
	jw_key_text(w, "type", STR("receive"));
	jw_key_text(w, "occurred_at", STR("2024-01-01T00:00:00.000Z"));
	jw_key(w, "lines");
	jw_array(w);
}

static void end_movement(struct json_writer *w, const struct buf *b, FILE *f)
{
	jw_array_end(w);
	jw_object_end(w);
	(void)fprintf(f, "%s\n", b->p);
}

static size_t write_movements(const struct map *items, FILE *f)
{
	struct json_writer w;
	struct buf b;
	struct str sku;
	size_t count = 0, at = 0;
	buf_init(&b, 1u << 20);
	while (map_next(items, &at, &sku)) {
		if (count % MOVEMENT_LINES == 0) {
			if (count)
				end_movement(&w, &b, f);
			begin_movement(&w, &b, count / MOVEMENT_LINES);
		}
		jw_object(&w);
		jw_key_text(&w, "sku", sku);
		jw_key_text(&w, "location", STR("east"));
		jw_key_text(&w, "quantity", STR("1000000000"));
		jw_object_end(&w);
		count++;
	}
	if (count)
		end_movement(&w, &b, f);
	buf_done(&b);
	return count;
}

int main(int argc, char **argv)
{
	struct retail r;
	struct err e = ERR_NONE;
	struct arena a;
	struct map items;
	size_t bytes = 0;
	if (argc != 3)
		errx(2, "usage: bench_orders DATA FOLDER");
	if (retail_load(&r, argv[1], &e))
		errx(1, "%s: %s", e.where[0] ? e.where : argv[1], e.detail);
	arena_init(&a, 256u << 20);
	map_init(&items, ITEMS_MAX);
	FILE *orders = create(argv[2], "orders.ndjson"), *movements = create(argv[2], "movements.ndjson");
	size_t count = write_orders(&r, orders, &items, &a, &bytes);
	size_t skus = write_movements(&items, movements);
	finish(orders);
	finish(movements);
	printf("{\"orders\": %zu, \"mean_bytes\": %zu, \"items\": %zu}\n", count, count ? bytes / count : 0, skus);
	map_done(&items);
	arena_done(&a);
	retail_done(&r);
	return count ? 0 : 1;
}
