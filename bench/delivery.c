/*
 * bench_delivery DIR SYSTEM COUNT KEYS BODIES: puts deliveries into the store of a tenant "bench" that no server has
 * open.
 *
 * COUNT order.status deliveries to SYSTEM, in turn for KEYS orders (the Correlation-Id names it), each with a body of
 * the file BODIES (one a line).
 */
#include "backbone/outbox.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "hub/counters.h"
#include "hub/node.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#define BODIES_MAX 4096
#define BATCH_ROWS 5000

struct filler {
	struct str bodies[BODIES_MAX];
	size_t body_count, count, keys;
	struct str system;
	struct uuid_source ids;
	int64_t now, seq;
};

static void check(enum rc rc, const struct err *e)
{
	if (rc != RC_OK)
		errx(1, "%s: %s", e->code, e->detail);
}

static void read_bodies(struct filler *f, struct arena *a, const char *path)
{
	char *line = NULL;
	size_t room = 0;
	FILE *file = fopen(path, "re");
	if (!file)
		err(1, "%s", path);
	for (ssize_t n; f->body_count < BODIES_MAX && (n = getline(&line, &room, file)) > 1;)
		f->bodies[f->body_count++] = arena_copy(a, (struct str){line, (size_t)n - 1});
	free(line);
	if (fclose(file) != 0 || f->body_count == 0)
		errx(1, "%s: no bodies", path);
}

static void add_row(struct filler *f, struct store_batch *b, size_t i)
{
	char *id = arena_printf(b->arena, "%*s", UUID_TEXT, "");
	struct str order = str_from(arena_printf(b->arena, "bench-%zu", i % f->keys));
	uuid_format(uuid_make(&f->ids, f->now), id);
	enum rc rc = store_batch_put(b, W_DELIVERY, SV_INT(++f->seq), SV_TEXT(str_from(id)), SV_TEXT(f->system),
				     SV_TEXT(STR("order.status")), SV_TEXT(order), SV_TEXT(order), SV_TEXT(order),
				     SV_NULL, SV_NULL, SV_TEXT(f->bodies[i % f->body_count]), SV_INT(DELIVERY_WAITING),
				     SV_INT(0), SV_INT(0), SV_INT(f->now), SV_INT(f->now), SV_NULL, SV_NULL,
				     SV_INT(operation_priority(OP_ORDER_STATUS)));
	if (rc != RC_OK)
		errx(1, "a batch does not fit into memory");
}

static enum rc take_last(void *ctx, const struct store_value *row, size_t columns)
{
	(void)columns;
	*(int64_t *)ctx = row[0].integer;
	return RC_OK;
}

struct total {
	struct str name;
	int64_t value;
};

static enum rc take_total(void *ctx, struct str name, int64_t value)
{
	struct total *t = ctx;
	if (str_eq(name, t->name))
		t->value = value;
	return RC_OK;
}

/* The server counts what it has written itself; a store that has no counts yet it counts when it loads it. */
static void count_them(struct filler *f, struct store *s, int64_t batch, struct arena *a)
{
	struct err e = ERR_NONE;
	struct store_reader *r;
	struct store_batch b;
	int64_t counted;
	arena_reset(a);
	struct total t = {
	    .name = str_from(arena_printf(a, "count:delivery/" STR_FMT "/order.status/open", STR_ARG(f->system)))};
	check(store_reader_open(s, &r, &e), &e);
	check(counters_stored(r, take_total, &t, &counted, &e), &e);
	store_reader_close(r);
	if (counted == 0)
		return;
	store_batch_init(&b, a, batch);
	if (store_batch_put(&b, W_META, SV_TEXT(t.name), SV_INT(t.value + (int64_t)f->count)) != RC_OK)
		errx(1, "a batch does not fit into memory");
	check(store_commit(s, &b, &e), &e);
}

static void fill(struct filler *f, struct store *s, int64_t batch)
{
	struct err e = ERR_NONE;
	struct store_reader *r;
	struct store_stats stats;
	struct arena a;
	arena_init(&a, 256u << 20);
	check(store_reader_open(s, &r, &e), &e);
	check(store_read(r, R_DELIVERY_LAST, NULL, 0, take_last, &f->seq, &e), &e);
	store_reader_close(r);
	for (size_t i = 0; i < f->count;) {
		struct store_batch b;
		arena_reset(&a);
		store_batch_init(&b, &a, ++batch);
		for (size_t n = 0; n < BATCH_ROWS && i < f->count; n++)
			add_row(f, &b, i++);
		check(store_commit(s, &b, &e), &e);
		check(store_maintain(s, &stats, &e), &e);
	}
	count_them(f, s, batch + 1, &a);
	arena_done(&a);
}

int main(int argc, char **argv)
{
	struct err e = ERR_NONE;
	struct config *config;
	struct findings found;
	struct store_options options;
	struct store *store;
	struct arena a;
	int64_t batch;
	if (argc != 6)
		errx(2, "usage: bench_delivery DIR SYSTEM COUNT KEYS BODIES");
	struct filler f = {.system = str_from(argv[2]),
			   .count = strtoul(argv[3], NULL, 10),
			   .keys = strtoul(argv[4], NULL, 10),
			   .now = clock_wall_ms(clock_system())};
	const char *share = getenv("CROSSDOCK_SHARE");
	arena_init(&a, 64u << 20);
	findings_init(&found, &a);
	uuid_source_init(&f.ids);
	read_bodies(&f, &a, argv[5]);
	if (f.keys == 0)
		errx(2, "KEYS is 0");
	if (config_load(argv[1], share ? share : ".", &config, &found) != RC_OK)
		errx(1, "%s: %s", found.list[0].pointer, found.list[0].detail);
	check(node_store_options(config, STR("bench"), &a, &options, &e), &e);
	check(store_open(&options, &store, &batch, &e), &e);
	fill(&f, store, batch);
	store_close(store);
	config_unref(config);
	arena_done(&a);
	return 0;
}
