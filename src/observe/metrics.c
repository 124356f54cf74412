/*
 * Series are found in a map under one mutex and never freed; their numbers are atomics that are updated without it.
 * Each family's series form a list that only grows at its head, so rendering walks it without the mutex.
 *
 * A histogram counts twice. Its log-linear buckets (exact below SUB microseconds, then SUB a power of two, so that the
 * middle of a bucket is at most 1/(2*SUB) off) serve quantiles; the fixed bounds of the exported histogram do not
 * coincide with them and have counters of their own. The exported count is the sum of the latter, so that a rendering
 * is consistent in itself whatever is added meanwhile.
 */
#include "observe/metrics.h"

#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#define SUB_BITS     3
#define SUB          (1u << SUB_BITS)
#define EXPONENT_MAX 37u /* 2^37 us are 38 hours; longer counts as that */
#define BUCKETS      ((EXPONENT_MAX - SUB_BITS + 1) * SUB)
#define KEY_MAX      ((size_t)512)

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const struct family {
	enum kind kind;
	const char *name, *labels, *help;
} families[METRIC_COUNT] = {
#define METRIC(id, kind, name, labels, help) [id] = {kind, name, labels, help},
#include "observe/metrics.def"
#undef METRIC
};

static const struct bound {
	int64_t us;
	const char *le;
} bounds[] = {
    {100, "0.0001"},    {250, "0.00025"},   {500, "0.0005"},      {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},
    {10000, "0.01"},    {25000, "0.025"},   {50000, "0.05"},      {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},     {2500000, "2.5"},   {5000000, "5"},       {10000000, "10"}, {30000000, "30"}, {60000000, "60"},
    {300000000, "300"}, {900000000, "900"}, {3600000000, "3600"},
};

#define BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

struct histogram {
	_Atomic uint64_t bounded[BOUNDS + 1]; /* the last: over all bounds */
	_Atomic uint64_t buckets[BUCKETS];
};

struct metric {
	enum metric_id id;
	struct str labels; /* as rendered, without the braces; the family's number in front as the map's key */
	struct str key;
	struct metric *older;
	_Atomic int64_t value; /* of a histogram: the sum in microseconds */
	struct histogram *histogram;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map series = {.max = METRICS_SERIES_MAX};
static struct metric *overflow[METRIC_COUNT];
static struct metric *_Atomic newest[METRIC_COUNT];

static void add_label_value(struct buf *b, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			buf_add_char(b, '\\');
		if (*value == '\n')
			buf_add_z(b, "\\n");
		else
			buf_add_char(b, *value);
	}
}

/* "ID|name="value",..."; values NULL: each is "overflow". */
static void add_key(struct buf *b, enum metric_id id, const char *const *values)
{
	buf_printf(b, "%d|", (int)id);
	const char *name = families[id].labels;
	for (size_t i = 0; *name; i++) {
		size_t n = strcspn(name, ",");
		buf_add_z(b, i ? "," : "");
		buf_add(b, name, n);
		buf_add_z(b, "=\"");
		add_label_value(b, values ? values[i] : "overflow");
		buf_add_char(b, '"');
		name += n + (name[n] == ',');
	}
}

static struct metric *make(enum metric_id id, struct str key)
{
	struct metric *m = mem_zalloc(1, sizeof(*m));
	char *copy = mem_alloc(key.n + 1);
	memcpy(copy, key.p, key.n);
	copy[key.n] = '\0';
	m->id = id;
	m->key = (struct str){copy, key.n};
	const char *labels = strchr(copy, '|') + 1;
	m->labels = str_from(labels);
	if (families[id].kind == HISTOGRAM)
		m->histogram = mem_zalloc(1, sizeof(*m->histogram));
	m->older = atomic_load_explicit(&newest[id], memory_order_relaxed);
	atomic_store_explicit(&newest[id], m, memory_order_release);
	return m;
}

static struct metric *make_overflow(enum metric_id id)
{
	struct buf key;
	buf_init(&key, KEY_MAX);
	add_key(&key, id, NULL);
	assert(buf_ok(&key));
	overflow[id] = make(id, buf_str(&key));
	buf_done(&key);
	return overflow[id];
}

struct metric *metric_find(enum metric_id id, const char *const *values)
{
	assert(id < METRIC_COUNT);
	struct buf key;
	buf_init(&key, KEY_MAX);
	add_key(&key, id, values);
	pthread_mutex_lock(&lock);
	struct metric *m = buf_ok(&key) ? map_get(&series, buf_str(&key)) : NULL;
	if (!m && buf_ok(&key) && series.count < series.max) {
		m = make(id, buf_str(&key));
		enum rc rc = map_put(&series, m->key, m);
		assert(rc == RC_OK);
	}
	if (!m)
		m = overflow[id] ? overflow[id] : make_overflow(id);
	pthread_mutex_unlock(&lock);
	buf_done(&key);
	return m;
}

void metric_add(struct metric *m, int64_t n)
{
	assert(!m->histogram && (n >= 0 || families[m->id].kind == GAUGE));
	atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed);
}

void metric_set(struct metric *m, int64_t v)
{
	assert(families[m->id].kind == GAUGE);
	atomic_store_explicit(&m->value, v, memory_order_relaxed);
}

static unsigned bucket_of(uint64_t us)
{
	if (us < SUB)
		return (unsigned)us;
	unsigned exponent = 63u - (unsigned)__builtin_clzll(us);
	if (exponent >= EXPONENT_MAX)
		return BUCKETS - 1;
	unsigned sub = (unsigned)(us >> (exponent - SUB_BITS)) & (SUB - 1);
	return (exponent - SUB_BITS + 1) * SUB + sub;
}

static int64_t bucket_middle(unsigned bucket)
{
	if (bucket < SUB)
		return bucket;
	unsigned shift = bucket / SUB - 1;
	uint64_t low = (uint64_t)(SUB + bucket % SUB) << shift;
	return (int64_t)(low + (((uint64_t)1 << shift) - 1) / 2);
}

void metric_observe_us(struct metric *m, int64_t us)
{
	assert(m->histogram);
	if (us < 0)
		us = 0;
	size_t i = 0;
	while (i < BOUNDS && us > bounds[i].us)
		i++;
	atomic_fetch_add_explicit(&m->histogram->bounded[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&m->histogram->buckets[bucket_of((uint64_t)us)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&m->value, us, memory_order_relaxed);
}

int64_t metric_value(const struct metric *m)
{
	if (!m->histogram)
		return atomic_load_explicit(&m->value, memory_order_relaxed);
	uint64_t n = 0;
	for (size_t i = 0; i <= BOUNDS; i++)
		n += atomic_load_explicit(&m->histogram->bounded[i], memory_order_relaxed);
	return (int64_t)n;
}

int64_t metric_quantile_us(const struct metric *m, double q)
{
	assert(m->histogram && q > 0 && q < 1);
	uint64_t counts[BUCKETS], total = 0, seen = 0;
	for (unsigned i = 0; i < BUCKETS; i++)
		total += counts[i] = atomic_load_explicit(&m->histogram->buckets[i], memory_order_relaxed);
	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += counts[i];
		if (seen && (double)seen >= q * (double)total)
			return bucket_middle(i);
	}
	return 0;
}

static void render_histogram(struct buf *out, const struct metric *m)
{
	const char *name = families[m->id].name, *comma = m->labels.n ? "," : "";
	uint64_t seen = 0;
	for (size_t i = 0; i <= BOUNDS; i++) {
		seen += atomic_load_explicit(&m->histogram->bounded[i], memory_order_relaxed);
		buf_printf(out, "%s_bucket{" STR_FMT "%sle=\"%s\"} %llu\n", name, STR_ARG(m->labels), comma,
			   i < BOUNDS ? bounds[i].le : "+Inf", (unsigned long long)seen);
	}
	const char *open = m->labels.n ? "{" : "", *close = m->labels.n ? "}" : "";
	int64_t us = atomic_load_explicit(&m->value, memory_order_relaxed);
	buf_printf(out, "%s_sum%s" STR_FMT "%s %lld.%06d\n", name, open, STR_ARG(m->labels), close,
		   (long long)(us / 1000000), (int)(us % 1000000));
	buf_printf(out, "%s_count%s" STR_FMT "%s %llu\n", name, open, STR_ARG(m->labels), close,
		   (unsigned long long)seen);
}

static void render_number(struct buf *out, const struct metric *m)
{
	buf_add_z(out, families[m->id].name);
	if (m->labels.n) {
		buf_add_char(out, '{');
		buf_add_str(out, m->labels);
		buf_add_char(out, '}');
	}
	buf_add_char(out, ' ');
	buf_add_int(out, metric_value(m));
	buf_add_char(out, '\n');
}

void metrics_render(struct buf *out)
{
	static const char *const kinds[] = {[COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};
	for (int id = 0; id < METRIC_COUNT; id++) {
		const struct family *f = &families[id];
		const struct metric *m = atomic_load_explicit(&newest[id], memory_order_acquire);
		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, kinds[f->kind]);
		for (; m; m = m->older) {
			if (m->histogram)
				render_histogram(out, m);
			else
				render_number(out, m);
		}
	}
}
