#include "sandbox/meter.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "sandbox/system.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define STEPS_PER_DOUBLING 8
#define BUCKETS            (STEPS_PER_DOUBLING * 40)

/* Buckets of microseconds, eight to a doubling. */
struct histogram {
	int64_t counts[BUCKETS], total;
};

/* Something has begun: 0 when it has ended. */
struct mark {
	struct str key;
	int64_t since_ns;
};

struct meter {
	const struct clock *clock;
	const char *shop;
	pthread_mutex_t lock;
	struct arena arena;
	struct map orders, items; /* struct mark */
	struct histogram order, stock;
	struct meter_values values;
};

static void histogram_add(struct histogram *h, int64_t us)
{
	int doubling = 0;
	uint64_t v = us < STEPS_PER_DOUBLING ? STEPS_PER_DOUBLING : (uint64_t)us;
	while (v >> (doubling + 1) >= STEPS_PER_DOUBLING)
		doubling++;
	size_t bucket = (size_t)doubling * STEPS_PER_DOUBLING + (size_t)(v >> doubling) - STEPS_PER_DOUBLING;
	h->counts[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
	h->total++;
}

/* The upper end of the bucket in which it lies. */
static double quantile_ms(const struct histogram *h, int64_t percent)
{
	int64_t seen = 0, wanted = (h->total * percent + 99) / 100;
	for (size_t i = 0; i < BUCKETS; i++) {
		seen += h->counts[i];
		if (seen >= wanted && seen > 0) {
			uint64_t us = (uint64_t)(i % STEPS_PER_DOUBLING + STEPS_PER_DOUBLING + 1)
				      << (i / STEPS_PER_DOUBLING);
			return (double)us / 1000;
		}
	}
	return 0;
}

struct meter *meter_new(const struct clock *clock)
{
	struct meter *m = mem_zalloc(1, sizeof(*m));
	m->clock = clock;
	pthread_mutex_init(&m->lock, NULL);
	arena_init(&m->arena, SYSTEM_BYTES_MAX);
	map_init(&m->orders, SYSTEM_ENTRIES_MAX);
	map_init(&m->items, SYSTEM_ENTRIES_MAX);
	return m;
}

void meter_free(struct meter *m)
{
	if (!m)
		return;
	map_done(&m->orders);
	map_done(&m->items);
	arena_done(&m->arena);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* The first beginning counts. What does not fit is not measured. */
static void begin(struct meter *m, struct map *marks, struct str key)
{
	pthread_mutex_lock(&m->lock);
	struct mark *k = map_get(marks, key);
	if (!k && (k = arena_new(&m->arena, struct mark)) != NULL) {
		k->key = arena_copy(&m->arena, key);
		if (!k->key.p || map_put(marks, k->key, k))
			k = NULL;
	}
	if (k && k->since_ns == 0)
		k->since_ns = clock_mono_ns(m->clock);
	pthread_mutex_unlock(&m->lock);
}

/* With the lock. */
static void end(struct meter *m, const struct map *marks, struct str key, struct histogram *h)
{
	struct mark *k = map_get(marks, key);
	if (!k || k->since_ns == 0)
		return;
	histogram_add(h, (clock_mono_ns(m->clock) - k->since_ns) / 1000);
	k->since_ns = 0;
}

static struct str order_key(char text[512], struct str channel, struct str external_id)
{
	int n = snprintf(text, 512, STR_FMT "/" STR_FMT, STR_ARG(channel), STR_ARG(external_id));
	return (struct str){text, n < 512 ? (size_t)n : 511};
}

void meter_order_sent(struct meter *m, struct str channel, struct str external_id)
{
	char text[512];
	begin(m, &m->orders, order_key(text, channel, external_id));
}

void meter_stock_changed(struct meter *m, struct str sku)
{
	begin(m, &m->items, sku);
}

static void order_posted(void *ctx, struct str channel, struct str external_id, struct str order_id)
{
	struct meter *m = ctx;
	char text[512];
	(void)order_id;
	pthread_mutex_lock(&m->lock);
	m->values.posted++;
	end(m, &m->orders, order_key(text, channel, external_id), &m->order);
	pthread_mutex_unlock(&m->lock);
}

static void shown(void *ctx, const char *shop, struct str sku)
{
	struct meter *m = ctx;
	pthread_mutex_lock(&m->lock);
	m->values.shown++;
	if (strcmp(shop, m->shop) == 0)
		end(m, &m->items, sku, &m->stock);
	pthread_mutex_unlock(&m->lock);
}

static void message_sent(void *ctx, const struct system_message *msg, int status)
{
	struct meter *m = ctx;
	pthread_mutex_lock(&m->lock);
	if (status >= 200 && status < 300)
		m->values.shipped += strcmp(msg->type, "shipment") == 0 && msg->copies == 1; /* its last */
	else if (status >= 400 && status < 500 && status != 409 && status != 429)
		m->values.refused++;
	pthread_mutex_unlock(&m->lock);
}

void meter_watch(struct meter *m, const char *shop, struct system_watch *out)
{
	m->shop = shop;
	*out = (struct system_watch){m, order_posted, shown, message_sent};
}

struct meter_values meter_read(struct meter *m)
{
	pthread_mutex_lock(&m->lock);
	struct meter_values v = m->values;
	v.order = (struct meter_lag){m->order.total, quantile_ms(&m->order, 50), quantile_ms(&m->order, 99)};
	v.stock = (struct meter_lag){m->stock.total, quantile_ms(&m->stock, 50), quantile_ms(&m->stock, 99)};
	pthread_mutex_unlock(&m->lock);
	return v;
}
