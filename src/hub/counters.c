#include "hub/counters.h"

#include "base/map.h"
#include "base/mem.h"
#include "observe/metrics.h"
#include "orchestrate/order/order.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#define COUNTERS_MAX  100000
#define NAME_MAX_TEXT 512
#define PREFIX        "count:"
#define BATCH         PREFIX "batch"

/* The parts of a name behind the prefix. */
static const struct {
	const char *name;
	int parts;
} kinds[COUNTED_KINDS] = {
    [COUNTED_ORDERS] = {"order", 1},
    [COUNTED_INBOX] = {"inbox", 2},
    [COUNTED_DELIVERIES] = {"delivery", 3},
    [COUNTED_EXCEPTIONS] = {"exception", 1},
    [COUNTED_DEAD_LETTERS] = {"dead_letter", 3},
    [COUNTED_BACKORDERED_LINES] = {NULL, 0},
    [COUNTED_DRIFT] = {NULL, 0},
    [COUNTED_AWAY] = {NULL, 0},
};

struct total {
	struct counter counter;
	struct total *next;
};

struct counters {
	struct str tenant;
	struct map totals; /* the writer's */
	bool unsaved;      /* no rows yet: the next batch writes all */
	pthread_mutex_t lock;
	struct total *newest; /* with the totals and the batch, under the lock */
	size_t count;
	int64_t batch;
};

struct counters *counters_new(struct str tenant)
{
	struct counters *c = mem_zalloc(1, sizeof(*c));

	c->tenant = tenant;
	map_init(&c->totals, COUNTERS_MAX);
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void counters_free(struct counters *c)
{
	if (!c)
		return;
	while (c->newest) {
		struct total *n = c->newest;

		c->newest = n->next;
		free((char *)n->counter.name.p);
		free(n);
	}
	map_done(&c->totals);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* ---- names ---- */

static struct str make_name(char *out, enum counted what, struct str a, struct str b, struct str c)
{
	const struct str parts[] = {a, b, c};
	int n = snprintf(out, NAME_MAX_TEXT, PREFIX "%s", kinds[what].name);

	assert(kinds[what].parts <= 3);
	for (int i = 0; i < kinds[what].parts && n < NAME_MAX_TEXT; i++)
		n += snprintf(out + n, NAME_MAX_TEXT - (size_t)n, "/" STR_FMT, STR_ARG(parts[i]));
	return (struct str){out, n < NAME_MAX_TEXT ? (size_t)n : NAME_MAX_TEXT - 1};
}

/* Sets what, a, b and c; false: it is no name of ours. */
static bool take_apart(struct counter *c)
{
	struct str *const parts[] = {&c->a, &c->b, &c->c};
	const char *at = c->name.p + sizeof(PREFIX) - 1, *end = c->name.p + c->name.n;
	const char *slash = memchr(at, '/', (size_t)(end - at));
	int n = 0;

	for (int k = 0; slash && k < COUNTED_KINDS; k++) {
		if (!kinds[k].name || !str_is((struct str){at, (size_t)(slash - at)}, kinds[k].name))
			continue;
		c->what = (enum counted)k;
		while (slash && n < 3) {
			at = slash + 1;
			slash = memchr(at, '/', (size_t)(end - at));
			*parts[n++] = (struct str){at, (size_t)((slash ? slash : end) - at)};
		}
		return !slash && n == kinds[k].parts;
	}
	return false;
}

/* Found or made; NULL: there are too many, or it is no name of ours. */
static struct total *total_of(struct counters *c, struct str name)
{
	struct total *n = map_get(&c->totals, name);
	char *copy;

	if (n)
		return n;
	n = mem_zalloc(1, sizeof(*n));
	copy = mem_alloc(name.n + 1);
	memcpy(copy, name.p, name.n);
	copy[name.n] = '\0';
	n->counter.name = (struct str){copy, name.n};
	if (!take_apart(&n->counter) || map_put(&c->totals, n->counter.name, n) != RC_OK) {
		free(copy);
		free(n);
		return NULL;
	}
	pthread_mutex_lock(&c->lock);
	n->next = c->newest;
	c->newest = n;
	c->count++;
	pthread_mutex_unlock(&c->lock);
	return n;
}

/* ---- what the store says ---- */

struct visit {
	counters_fn each;
	void *ctx;
	int64_t batch;
	enum counted what;
};

static enum rc visit_stored(void *ctx, const struct store_value *row, size_t count)
{
	struct visit *v = ctx;

	(void)count;
	if (!str_is(row[0].bytes, BATCH))
		return v->each(v->ctx, row[0].bytes, row[1].integer);
	v->batch = row[1].integer;
	return RC_OK;
}

enum rc counters_stored(struct store_reader *r, counters_fn each, void *ctx, int64_t *batch, struct err *e)
{
	struct visit v = {.each = each, .ctx = ctx};
	enum rc rc = store_read(r, R_META_COUNTS, NULL, 0, visit_stored, &v, e);

	*batch = v.batch;
	return rc;
}

static struct str delivery_end(int64_t status)
{
	return status < DELIVERY_FINAL ? STR("open") : str_from(delivery_status_name((enum delivery_status)status));
}

static enum rc visit_table(void *ctx, const struct store_value *row, size_t count)
{
	struct visit *v = ctx;
	char name[NAME_MAX_TEXT];
	struct str a = row[0].bytes, b = STR_NONE, c = STR_NONE;

	if (v->what == COUNTED_ORDERS)
		a = str_from(order_status_name((enum order_status)row[0].integer));
	if (v->what == COUNTED_INBOX)
		b = str_from(fate_name((enum fate)row[1].integer));
	if (v->what == COUNTED_DEAD_LETTERS) {
		b = row[1].bytes;
		c = row[2].bytes;
	}
	if (v->what == COUNTED_DELIVERIES) {
		b = row[1].bytes;
		c = delivery_end(row[2].integer);
	}
	return v->each(v->ctx, make_name(name, v->what, a, b, c), row[count - 1].integer);
}

enum rc counters_scan(struct store_reader *r, counters_fn each, void *ctx, struct err *e)
{
	static const struct {
		enum store_statement statement;
		enum counted what;
	} tables[] = {{R_ORDERS_COUNT, COUNTED_ORDERS},
		      {R_INBOX_FATES, COUNTED_INBOX},
		      {R_DELIVERIES_COUNT, COUNTED_DELIVERIES},
		      {R_EXCEPTIONS_COUNT, COUNTED_EXCEPTIONS},
		      {R_DEAD_LETTERS_COUNT, COUNTED_DEAD_LETTERS}};
	enum rc rc = RC_OK;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && rc == RC_OK; i++) {
		struct visit v = {.each = each, .ctx = ctx, .what = tables[i].what};

		rc = store_read(r, tables[i].statement, NULL, 0, visit_table, &v, e);
	}
	return rc;
}

static enum rc load_one(void *ctx, struct str name, int64_t total)
{
	struct counters *c = ctx;
	struct total *n = total_of(c, name);

	if (!n)
		return RC_OK;
	pthread_mutex_lock(&c->lock);
	n->counter.total += total;
	pthread_mutex_unlock(&c->lock);
	return RC_OK;
}

enum rc counters_load(struct counters *c, struct store_reader *r, struct err *e)
{
	int64_t batch = 0;
	enum rc rc;

	pthread_mutex_lock(&c->lock);
	for (struct total *n = c->newest; n; n = n->next)
		n->counter.total = 0;
	pthread_mutex_unlock(&c->lock);
	rc = counters_stored(r, load_one, c, &batch, e);
	if (rc == RC_OK && batch == 0)
		rc = counters_scan(r, load_one, c, e);
	c->unsaved = batch == 0;
	pthread_mutex_lock(&c->lock);
	c->batch = batch;
	pthread_mutex_unlock(&c->lock);
	return rc;
}

/* ---- a batch ---- */

static void put_total(struct txn *t, struct str name, int64_t total)
{
	txn_put(t, W_META, SV_TEXT(name), SV_INT(total));
}

/* The total of one change; NULL: it is not kept. */
static struct total *total_of_change(struct counters *c, const struct txn_count *n)
{
	char name[NAME_MAX_TEXT];

	return kinds[n->what].name ? total_of(c, make_name(name, n->what, n->a, n->b, n->c)) : NULL;
}

void counters_flush(struct counters *c, struct txn *t)
{
	bool changed = c->unsaved && t->batch.count > 0;

	if (changed)
		for (struct total *n = c->newest; n; n = n->next)
			put_total(t, n->counter.name, n->counter.total);
	for (size_t i = 0; i < TXN_COUNT_BUCKETS; i++) {
		for (const struct txn_count *n = t->counts[i]; n; n = n->next) {
			struct total *found = n->delta ? total_of_change(c, n) : NULL;

			if (!found)
				continue;
			put_total(t, found->counter.name, found->counter.total + n->delta);
			changed = true;
		}
	}
	if (changed)
		put_total(t, STR(BATCH), t->batch.number);
}

static void tell_metric(const struct counters *c, const struct txn_count *n)
{
	static const struct {
		bool told;
		enum metric_id id;
	} metrics[COUNTED_KINDS] = {[COUNTED_ORDERS] = {true, M_ORDERS},
				    [COUNTED_EXCEPTIONS] = {true, M_EXCEPTIONS},
				    [COUNTED_DEAD_LETTERS] = {true, M_DEAD_LETTERS},
				    [COUNTED_BACKORDERED_LINES] = {true, M_UNITS_BACKORDERED},
				    [COUNTED_DRIFT] = {true, M_STOCK_DRIFT},
				    [COUNTED_AWAY] = {true, M_ERP_AWAY_DECISIONS}};
	char tenant[64], label[128], second[64];

	if (!metrics[n->what].told || n->added == 0)
		return;
	snprintf(tenant, sizeof(tenant), STR_FMT, STR_ARG(c->tenant));
	snprintf(label, sizeof(label), STR_FMT, STR_ARG(n->a));
	snprintf(second, sizeof(second), STR_FMT, STR_ARG(n->b));
	metric_add(metric_find(metrics[n->what].id, (const char *const[]){tenant, label, second}), n->added);
}

void counters_committed(struct counters *c, const struct txn *t)
{
	bool changed = c->unsaved && t->batch.count > 0;

	for (size_t i = 0; i < TXN_COUNT_BUCKETS; i++)
		for (const struct txn_count *n = t->counts[i]; n; n = n->next)
			tell_metric(c, n);
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < TXN_COUNT_BUCKETS; i++) {
		for (const struct txn_count *n = t->counts[i]; n; n = n->next) {
			char name[NAME_MAX_TEXT];
			struct total *found = n->delta && kinds[n->what].name
						  ? map_get(&c->totals, make_name(name, n->what, n->a, n->b, n->c))
						  : NULL;

			if (!found)
				continue;
			found->counter.total += n->delta;
			changed = true;
		}
	}
	if (changed)
		c->batch = t->batch.number;
	pthread_mutex_unlock(&c->lock);
	if (t->batch.count > 0)
		c->unsaved = false;
}

/* ---- reading ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct counter *)a)->name.p, ((const struct counter *)b)->name.p);
}

struct counter *counters_read(struct counters *c, struct arena *a, size_t *count, int64_t *batch)
{
	struct counter *out;

	*count = 0;
	pthread_mutex_lock(&c->lock);
	out = arena_array(a, struct counter, c->count + 1);
	if (out)
		for (const struct total *n = c->newest; n; n = n->next)
			out[(*count)++] = n->counter;
	*batch = c->batch;
	pthread_mutex_unlock(&c->lock);
	if (out)
		qsort(out, *count, sizeof(*out), by_name);
	return out;
}

int64_t counters_total(const struct counters *c, enum counted what, struct str a, struct str b, struct str third)
{
	char name[NAME_MAX_TEXT];
	const struct total *n = map_get(&c->totals, make_name(name, what, a, b, third));

	return n ? n->counter.total : 0;
}
