#include "observe/metrics.h"

#include "base/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void assert_rendered(const char *text)
{
	struct buf b;
	buf_init(&b, 16u << 20);
	metrics_render(&b);
	assert_true(buf_ok(&b));
	if (!strstr(b.p, text))
		fail_msg("not rendered: %s", text);
	buf_done(&b);
}

static void test_numbers(void **state)
{
	(void)state;
	struct metric *a = metric_find(M_HTTP_REQUESTS, (const char *const[]){"/v1/orders", "201"});
	struct metric *b = metric_find(M_HTTP_REQUESTS, (const char *const[]){"a\"b\\c\nd", "500"});
	assert_ptr_equal(a, metric_find(M_HTTP_REQUESTS, (const char *const[]){"/v1/orders", "201"}));
	assert_ptr_not_equal(a, b);
	metric_add(a, 2);
	metric_add(a, 3);
	metric_add(b, 1);
	assert_int_equal(metric_value(a), 5);
	struct metric *gauge = metric_find(M_HUB_QUEUE, (const char *const[]){"t1"});
	metric_set(gauge, 7);
	metric_add(gauge, -10);
	assert_rendered("# HELP crossdock_http_requests_total Requests answered\n"
			"# TYPE crossdock_http_requests_total counter\n"
			"crossdock_http_requests_total{route=\"a\\\"b\\\\c\\nd\",status=\"500\"} 1\n"
			"crossdock_http_requests_total{route=\"/v1/orders\",status=\"201\"} 5\n");
	assert_rendered("# TYPE crossdock_hub_queue_length gauge\ncrossdock_hub_queue_length{tenant=\"t1\"} -3\n");
}

static void test_histogram_text(void **state)
{
	(void)state;
	struct metric *m = metric_find(M_HTTP_SECONDS, (const char *const[]){"/x"});
	static const int64_t observed[] = {-5, 0, 100, 101, 1000, 2000000, 7200000000};
	for (size_t i = 0; i < COUNT(observed); i++)
		metric_observe_us(m, observed[i]);
	assert_int_equal(metric_value(m), 7);
	assert_rendered("crossdock_http_request_seconds_bucket{route=\"/x\",le=\"0.0001\"} 3\n"
			"crossdock_http_request_seconds_bucket{route=\"/x\",le=\"0.00025\"} 4\n"
			"crossdock_http_request_seconds_bucket{route=\"/x\",le=\"0.0005\"} 4\n"
			"crossdock_http_request_seconds_bucket{route=\"/x\",le=\"0.001\"} 5\n");
	assert_rendered("{route=\"/x\",le=\"1\"} 5\n");
	assert_rendered("{route=\"/x\",le=\"2.5\"} 6\n");
	assert_rendered("{route=\"/x\",le=\"3600\"} 6\n"
			"crossdock_http_request_seconds_bucket{route=\"/x\",le=\"+Inf\"} 7\n"
			"crossdock_http_request_seconds_sum{route=\"/x\"} 7202.001201\n"
			"crossdock_http_request_seconds_count{route=\"/x\"} 7\n");
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

/* Quantiles of values from 1 us to hours against the sorted values themselves. */
static void test_quantiles(void **state)
{
	(void)state;
	struct metric *m = metric_find(M_HUB_COMMIT_SECONDS, (const char *const[]){"quantiles"});
	assert_int_equal(metric_quantile_us(m, 0.5), 0);
	static int64_t values[20000];
	uint64_t seed = 11;
	for (size_t i = 0; i < COUNT(values); i++) {
		values[i] = (int64_t)(test_random(&seed) % (UINT64_C(1) << (1 + test_random(&seed) % 33)));
		metric_observe_us(m, values[i]);
	}
	qsort(values, COUNT(values), sizeof(values[0]), by_value);
	static const double quantiles[] = {0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999};
	for (size_t i = 0; i < COUNT(quantiles); i++) {
		int64_t wanted = values[(size_t)(quantiles[i] * (double)COUNT(values)) - 1];
		int64_t got = metric_quantile_us(m, quantiles[i]);
		if (llabs(got - wanted) * 10 > wanted)
			fail_msg("%f: %lld, not %lld", quantiles[i], (long long)got, (long long)wanted);
	}
}

/* One value a time over the whole range: the bucket that it falls into is at most 10% off. */
static void test_bucket_error(void **state)
{
	(void)state;
	int series = 0;
	for (int64_t us = 1; us < 130000000000; us += us / 7 + 1) {
		char name[32];
		snprintf(name, sizeof(name), "single %d", series++);
		struct metric *m = metric_find(M_HUB_COMMIT_SECONDS, (const char *const[]){name});
		metric_observe_us(m, us);
		assert_true(llabs(metric_quantile_us(m, 0.5) - us) * 10 <= us);
	}
}

static void *count(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10000; i++) {
		metric_add(metric_find(M_EXCEPTIONS, (const char *const[]){"t", i % 2 ? "odd" : "even"}), 1);
		metric_observe_us(metric_find(M_MEDIATE_SECONDS, (const char *const[]){"t", "p"}), i);
	}
	return NULL;
}

static void test_threads(void **state)
{
	(void)state;
	pthread_t threads[4];
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
	struct buf b;
	buf_init(&b, 16u << 20);
	metrics_render(&b);
	assert_true(buf_ok(&b));
	buf_done(&b);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metric_value(metric_find(M_EXCEPTIONS, (const char *const[]){"t", "odd"})), 20000);
	assert_int_equal(metric_value(metric_find(M_MEDIATE_SECONDS, (const char *const[]){"t", "p"})), 40000);
}

/* ---- docs/metrics.md ---- */

#define COUNTER   "counter"
#define GAUGE     "gauge"
#define HISTOGRAM "histogram"

/* "a,b" as "`a`, `b`". */
static const char *label_cell(const char *labels)
{
	static char cell[128];
	size_t n = 0;
	cell[n++] = '`';
	for (; *labels; labels++) {
		if (*labels == ',') {
			memcpy(cell + n, "`, `", 4);
			n += 4;
		} else {
			cell[n++] = *labels;
		}
	}
	cell[n++] = '`';
	cell[n] = '\0';
	return cell;
}

static void test_the_documentation(void **state)
{
	static const struct {
		const char *kind, *name, *labels, *help;
	} families[] = {
#define METRIC(id, kind, name, labels, help) {kind, name, labels, help},
#include "observe/metrics.def"
#undef METRIC
	};
	static char text[64 << 10];
	size_t documented = 0;
	(void)state;
	FILE *f = fopen(CD_SOURCE_DIR "/docs/metrics.md", "r");
	assert_non_null(f);
	size_t size = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	assert_true(size < sizeof(text) - 1);
	text[size] = '\0';
	for (size_t i = 0; i < COUNT(families); i++) {
		char row[512];
		snprintf(row, sizeof(row), "\n| `%s` | %s | %s | %s | ", families[i].name, families[i].kind,
			 label_cell(families[i].labels), families[i].help);
		if (!strstr(text, row))
			fail_msg("docs/metrics.md has no row%s", row);
	}
	for (const char *at = text; (at = strstr(at, "\n| `crossdock_")); at++)
		documented++;
	assert_int_equal(documented, COUNT(families));
}

/* Last: it uses the series up. */
static void test_bounded(void **state)
{
	(void)state;
	char name[600];
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	struct metric *over = metric_find(M_STORE_WAL_BYTES, (const char *const[]){name});
	for (int i = 0; i < METRICS_SERIES_MAX + 10; i++) {
		snprintf(name, sizeof(name), "tenant %d", i);
		metric_add(metric_find(M_STORE_WAL_BYTES, (const char *const[]){name}), 1);
	}
	assert_ptr_equal(metric_find(M_STORE_WAL_BYTES, (const char *const[]){"one more"}), over);
	assert_true(metric_value(over) >= 10);
	assert_int_equal(metric_value(metric_find(M_STORE_WAL_BYTES, (const char *const[]){"tenant 0"})), 1);
	assert_rendered("crossdock_store_wal_bytes{tenant=\"overflow\"} ");
	metric_add(metric_find(M_ORDERS, (const char *const[]){"a", "b"}), 1);
	assert_rendered("crossdock_orders_total{tenant=\"overflow\",status=\"overflow\"} 1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers),           cmocka_unit_test(test_histogram_text),
	    cmocka_unit_test(test_quantiles),         cmocka_unit_test(test_bucket_error),
	    cmocka_unit_test(test_the_documentation), cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
