#include "orchestrate/stock/view_writer.h"

#include "base/mem.h"
#include "base/test.h"
#include "orchestrate/stock/item.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define READERS  4
#define ITEMS    200
#define BATCHES  1500
#define EXPECTED 10000

static struct stock_item *item_new(int n)
{
	struct stock_item *i = mem_zalloc(1, sizeof(*i));
	char sku[16];
	int length = snprintf(sku, sizeof(sku), "sku-%d", n);
	char *p = mem_alloc((size_t)length);

	memcpy(p, sku, (size_t)length);
	i->sku = (struct str){p, (size_t)length};
	i->place_count = 2;
	i->places = mem_zalloc(2, sizeof(struct stock_place *));
	for (int k = 0; k < 2; k++) {
		i->places[k] = mem_zalloc(1, sizeof(struct stock_place));
		i->places[k]->position.location = (uint16_t)k;
		i->places[k]->position.lot = STR("lot");
		i->places[k]->position.expires_on = n;
	}
	i->places[0]->position.states[STOCK_FREE] = EXPECTED;
	return i;
}

static void item_free(struct stock_item *i)
{
	free(i->places[0]);
	free(i->places[1]);
	free(i->places);
	free((char *)i->sku.p);
	free(i);
}

struct seen {
	qty_t sum;
	size_t positions, visits;
	bool lots;
};

static void add_up(void *ctx, const struct stock_position *p, size_t count)
{
	struct seen *seen = ctx;

	*seen = (struct seen){.positions = count, .visits = seen->visits + 1, .lots = true};
	for (size_t i = 0; i < count; i++) {
		for (int s = 0; s < STOCK_STATES; s++)
			seen->sum += p[i].states[s];
		seen->lots = seen->lots && str_is(p[i].lot, "lot") && p[i].owner.n == 0;
	}
}

static void test_read(void **state)
{
	struct stock_view *v = stock_view_new();
	struct stock_item *i = item_new(1);
	struct seen seen = {0};

	(void)state;
	assert_int_equal(stock_view_read(v, STR("sku-1"), add_up, &seen), RC_NOT_FOUND);
	assert_int_equal(seen.visits, 0);
	assert_false(stock_view_has(v, STR("sku-1")));
	stock_view_put(v, i);
	assert_true(stock_view_has(v, STR("sku-1")));
	assert_false(stock_view_has(v, STR("sku-2")));
	stock_view_committed(v, 42);
	assert_int_equal(stock_view_as_of(v), 42);
	assert_int_equal(stock_view_read(v, STR("sku-1"), add_up, &seen), RC_OK);
	assert_int_equal(seen.sum, EXPECTED);
	i->places[0]->position.states[STOCK_FREE] = 1; /* the writer's own: not visible before it is put */
	assert_int_equal(stock_view_read(v, STR("sku-1"), add_up, &seen), RC_OK);
	assert_int_equal(seen.sum, EXPECTED);
	stock_view_put(v, i);
	item_free(i); /* the view has copies */
	assert_int_equal(stock_view_read(v, STR("sku-1"), add_up, &seen), RC_OK);
	assert_int_equal(seen.sum, 1);
	assert_true(seen.lots);
	assert_int_equal(seen.positions, 2);
	assert_int_equal(seen.visits, 3);
	assert_int_equal(stock_view_items(v), 1);
	stock_view_free(v);
	stock_view_free(NULL);
}

struct listing {
	bool found[3000];
	size_t count;
};

static void note(void *ctx, struct str sku, const struct stock_position *p, size_t count)
{
	struct listing *l = ctx;
	int n = 0;

	(void)p;
	assert_int_equal(count, 2);
	for (size_t i = 4; i < sku.n; i++)
		n = n * 10 + (sku.p[i] - '0');
	assert_false(l->found[n]);
	l->found[n] = true;
	l->count++;
}

/* More than the first table holds. */
static void test_grow(void **state)
{
	static struct listing l;
	struct stock_view *v = stock_view_new();

	(void)state;
	l = (struct listing){.count = 0};
	for (int n = 0; n < 3000; n++) {
		struct stock_item *i = item_new(n);

		stock_view_put(v, i);
		if (n % 100 == 0)
			stock_view_committed(v, n);
		item_free(i);
	}
	assert_int_equal(stock_view_items(v), 3000);
	stock_view_each(v, note, &l);
	assert_int_equal(l.count, 3000);
	stock_view_free(v);
}

/* ---- a writer and readers ---- */

struct shared {
	struct stock_view *view;
	atomic_bool over;
	atomic_size_t wrong, reads, ready, named;
};

static void check_item(void *ctx, struct str sku, const struct stock_position *p, size_t count)
{
	struct shared *s = ctx;
	struct seen seen = {0};

	add_up(&seen, p, count);
	if (seen.sum != EXPECTED || !seen.lots || seen.positions != 2 || sku.n < 5)
		atomic_fetch_add(&s->wrong, 1);
}

struct asked {
	struct shared *s;
	int item;
};

static void check_positions(void *ctx, const struct stock_position *p, size_t count)
{
	struct asked *a = ctx;

	check_item(a->s, STR("sku-?"), p, count);
	if (p[0].expires_on != a->item)
		atomic_fetch_add(&a->s->wrong, 1);
}

/* A name means its item, or for a while nothing or several. */
static void check_name(struct shared *s, int n)
{
	char name[16], sku[16];
	struct str found;
	int length = snprintf(name, sizeof(name), "shop+%d", n);
	enum rc rc = stock_view_alias(s->view, (struct str){name, (size_t)length}, &found);

	snprintf(sku, sizeof(sku), "sku-%d", n);
	if (rc != RC_NOT_FOUND && rc != RC_CONFLICT && (rc != RC_OK || !str_is(found, sku)))
		atomic_fetch_add(&s->wrong, 1);
	if (rc == RC_OK)
		atomic_fetch_add(&s->named, 1);
}

static void *read_on(void *ctx)
{
	struct shared *s = ctx;
	uint64_t random = (uint64_t)(uintptr_t)&random | 1;
	int64_t last = 0;

	atomic_fetch_add(&s->ready, 1);
	while (!atomic_load(&s->over)) {
		char sku[16];
		int64_t as_of = stock_view_as_of(s->view);
		struct asked asked = {s, (int)(test_random(&random) % (ITEMS * 10))};
		int n = snprintf(sku, sizeof(sku), "sku-%d", asked.item);

		if (as_of < last)
			atomic_fetch_add(&s->wrong, 1);
		last = as_of;
		if (stock_view_read(s->view, (struct str){sku, (size_t)n}, check_positions, &asked) == RC_OK)
			atomic_fetch_add(&s->reads, 1);
		check_name(s, (int)(test_random(&random) % (ITEMS * 10)));
		if (test_random(&random) % 64 == 0)
			stock_view_each(s->view, check_item, s);
	}
	return NULL;
}

static void rename_item(struct stock_view *v, int n, struct stock_item **items, uint64_t how)
{
	char name[16];
	int length = snprintf(name, sizeof(name), "shop+%d", n);

	stock_view_name(v, (struct str){name, (size_t)length}, how == 0 ? NULL : items[n], how == 1);
}

/* Every snapshot of an item is whole: its states add up, whatever the writer does meanwhile. */
static void test_readers(void **state)
{
	struct shared s = {.view = stock_view_new()};
	struct stock_item *items[ITEMS * 10];
	pthread_t threads[READERS];
	uint64_t random = 11;

	(void)state;
	for (int n = 0; n < ITEMS * 10; n++)
		items[n] = item_new(n);
	for (int n = 0; n < ITEMS; n++)
		stock_view_put(s.view, items[n]);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_on, &s), 0);
	while (atomic_load(&s.ready) < READERS || atomic_load(&s.reads) == 0)
		sched_yield();
	for (int batch = 0; batch < BATCHES; batch++) {
		int room = batch < BATCHES / 2 ? ITEMS : ITEMS * 10; /* the table grows while it is read */

		for (int n = 0; n < 20; n++) {
			struct stock_item *i = items[test_random(&random) % (uint64_t)room];
			struct stock_place *from = i->places[test_random(&random) % 2],
					   *to = i->places[test_random(&random) % 2];
			qty_t q = (qty_t)(test_random(&random) % 100);

			from->position.states[test_random(&random) % STOCK_STATES] -= q;
			to->position.states[test_random(&random) % STOCK_STATES] += q;
			stock_view_put(s.view, i);
			rename_item(s.view, (int)(test_random(&random) % (uint64_t)room), items,
				    test_random(&random) % 8);
		}
		stock_view_committed(s.view, batch + 1);
	}
	atomic_store(&s.over, true);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&s.wrong), 0);
	assert_true(atomic_load(&s.reads) > 0);
	for (int n = 0; n < ITEMS * 10; n++)
		check_name(&s, n);
	assert_int_equal(atomic_load(&s.wrong), 0);
	assert_true(atomic_load(&s.named) > 0);
	assert_int_equal(stock_view_as_of(s.view), BATCHES);
	for (int n = 0; n < ITEMS * 10; n++)
		item_free(items[n]);
	stock_view_free(s.view);
}

/* ---- memory ---- */

/* A reader that stays: what it sees stays as it is, over any number of batches. */
struct staying {
	struct stock_view *view;
	struct stock_item *item;
};

static void write_meanwhile(void *ctx, const struct stock_position *p, size_t count)
{
	struct staying *s = ctx;

	for (int batch = 0; batch < 50; batch++) {
		s->item->places[1]->position.states[STOCK_FREE] = batch;
		stock_view_put(s->view, s->item);
		stock_view_committed(s->view, batch);
		assert_int_equal(p[0].states[STOCK_FREE], EXPECTED);
		assert_int_equal(p[1].states[STOCK_FREE], 0);
		assert_int_equal(count, 2);
		assert_true(str_is(p[1].lot, "lot"));
	}
}

static void test_reader_that_stays(void **state)
{
	struct staying s = {stock_view_new(), item_new(1)};
	struct seen seen = {0};

	(void)state;
	stock_view_put(s.view, s.item);
	stock_view_committed(s.view, 0);
	assert_int_equal(stock_view_read(s.view, s.item->sku, write_meanwhile, &s), RC_OK);
	assert_int_equal(stock_view_read(s.view, s.item->sku, add_up, &seen), RC_OK);
	assert_int_equal(seen.sum, EXPECTED + 49);
	item_free(s.item);
	stock_view_free(s.view);
}

/* What is replaced is freed: a snapshot of 2 MB, a thousand times, would be 2 GB. */
static void test_reclaimed(void **state)
{
	struct stock_view *v = stock_view_new();
	struct stock_item *i = item_new(1);
	char *lot = mem_zalloc(1, 2u << 20);
	long before = 0, after = 0;

	(void)state;
	i->places[0]->position.lot = (struct str){lot, 2u << 20};
	for (int batch = 0; batch < 1000; batch++) {
		FILE *f = NULL;
		long *pages = batch == 10 ? &before : &after;

		stock_view_put(v, i);
		stock_view_committed(v, batch);
		if (batch != 10 && batch != 999)
			continue;
		f = fopen("/proc/self/statm", "r");
		assert_non_null(f);
		assert_int_equal(fscanf(f, "%*d %ld", pages), 1);
		fclose(f);
	}
	assert_true(after - before < 262144); /* 1 GB in pages: a sanitizer keeps freed memory for a while */
	i->places[0]->position.lot = STR("lot");
	free(lot);
	item_free(i);
	stock_view_free(v);
}

/* A kit of as many items as there may be can be had; of one more, it cannot. */
static void test_a_kit_of_too_many(void **state)
{
	struct config_channel channel = {.location_count = 1, .locations = (uint16_t[]){0}};
	struct ats_policy policy = {.share_ppm = 1000000, .cap = -1};
	const qty_t safety[2] = {0};
	const struct ats_now now = {.safety = safety};
	struct stock_view *v = stock_view_new();
	struct item_component *parts = mem_zalloc(ITEM_KIT_PARTS_MAX + 1, sizeof(*parts));
	struct item_rules rules = {.components = parts};
	struct stock_item *kit = item_new(0);
	qty_t there;
	struct stock_offer offer = {.by_location = &there};

	(void)state;
	location_set_add(&policy.locations, 0);
	kit->place_count = 0;
	kit->rules = &rules;
	for (int i = 0; i <= ITEM_KIT_PARTS_MAX; i++) {
		parts[i] = (struct item_component){item_new(i + 1), QTY_ONE};
		stock_view_put(v, parts[i].item);
	}
	for (uint32_t more = 0; more < 2; more++) {
		rules.component_count = ITEM_KIT_PARTS_MAX + more;
		stock_view_put(v, kit);
		stock_view_committed(v, 1);
		assert_int_equal(stock_view_offer(v, kit->sku, &channel, &policy, &now, &offer), RC_OK);
		assert_int_equal(offer.available, more ? 0 : EXPECTED);
		assert_int_equal(there, more ? 0 : EXPECTED);
	}
	stock_view_free(v);
	for (int i = 0; i <= ITEM_KIT_PARTS_MAX; i++)
		item_free(parts[i].item);
	kit->place_count = 2;
	item_free(kit);
	free(parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read),      cmocka_unit_test(test_grow),    cmocka_unit_test(test_reader_that_stays),
	    cmocka_unit_test(test_reclaimed), cmocka_unit_test(test_readers), cmocka_unit_test(test_a_kit_of_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
