/*
 * For *_test.c only: the whole way with the real hub. A system's message goes in, is mediated and applied, and what
 * follows from it goes out to real servers, whose mood the test chooses.
 */
#ifndef CONNECT_TEST_SYSTEMS_H
#define CONNECT_TEST_SYSTEMS_H

#include "base/test.h"

#include "base/compress.h"
#include "connect/connect.h"
#include "connect/transport/test_server.h"

#include <ftw.h>
#include <sched.h>
#include <time.h>

#define WAIT_S 8

enum mood {
	MOOD_GOOD,         /* 201 with an external id */
	MOOD_MUTE,         /* takes the order, says nothing: closes */
	MOOD_LOSES,        /* loses the first order and closes, then good */
	MOOD_REFUSES,      /* 422 */
	MOOD_UNAUTHORIZED, /* 401 */
	MOOD_HANGS,        /* takes the order and does not answer until the server stops */
	MOOD_BUSY_ONCE,    /* 503 with Retry-After, then good */
};

struct erp {
	enum mood mood;
	int posts, lookups, shipment_requests, availability, statuses, unauthorized;
	char first_key[64], last_key[64], correlation[64], trace[64], signature[64], type[64];
	char body[4096];
};

struct world {
	char folder[64];
	struct test_server server;
	struct erp erp;
	struct config *config;
	struct node *node;
	struct connect *connect;
	struct hub *hub;
	pthread_mutex_t lock;
	pthread_cond_t done;
	int open_commands;
};

static struct world w;

/* ---- the systems ---- */

static inline void note_order(struct erp *e, const struct test_request *r)
{
	assert_true(test_header(r, "Idempotency-Key", e->last_key, sizeof(e->last_key)));
	if (++e->posts == 1)
		memcpy(e->first_key, e->last_key, sizeof(e->first_key));
	assert_true(test_header(r, "Correlation-Id", e->correlation, sizeof(e->correlation)));
	assert_true(test_header(r, "traceparent", e->trace, sizeof(e->trace)));
	assert_true(test_header(r, "Content-Type", e->type, sizeof(e->type)));
	assert_true(test_header(r, "webhook-signature", e->signature, sizeof(e->signature)));
	snprintf(e->body, sizeof(e->body), "%s", r->body);
}

static inline struct test_answer text(int status, const char *body)
{
	return (struct test_answer){.status = status, .body = body, .body_n = strlen(body)};
}

static inline struct test_answer answer_order(struct erp *e)
{
	switch (e->mood) {
	case MOOD_GOOD:
		break;
	case MOOD_MUTE:
		return (struct test_answer){.status = 0};
	case MOOD_LOSES:
		if (e->posts == 1)
			return (struct test_answer){.status = 0};
		break;
	case MOOD_HANGS:
		return (struct test_answer){.status = -1};
	case MOOD_REFUSES:
		return text(422, "{\"detail\":\"credit limit\"}");
	case MOOD_UNAUTHORIZED:
		e->unauthorized++;
		return text(401, "{}");
	case MOOD_BUSY_ONCE:
		if (e->posts == 1)
			return (struct test_answer){.status = 503, .headers = "Retry-After: 1\r\n"};
		break;
	}
	return text(201, "{\"external_id\":\"E-1\"}");
}

static inline struct test_answer systems(void *ctx, const struct test_request *r)
{
	struct erp *e = ctx;
	if (strncmp(r->head, "POST /erp/orders ", 17) == 0) {
		note_order(e, r);
		return answer_order(e);
	}
	if (strncmp(r->head, "GET /erp/orders?order_id=", 25) == 0) {
		e->lookups++;
		return text(200, e->mood == MOOD_MUTE ? "{\"items\":[{\"external_id\":\"E-7\"}]}" : "{\"items\":[]}");
	}
	if (e->mood == MOOD_UNAUTHORIZED && strncmp(r->head, "POST /erp/", 10) == 0) {
		e->unauthorized++;
		return text(401, "{}");
	}
	e->shipment_requests += strncmp(r->head, "POST /wms/shipment-requests ", 28) == 0;
	e->availability += strncmp(r->head, "POST /shop/availability ", 24) == 0;
	e->statuses += strncmp(r->head, "POST /shop/order-status ", 24) == 0;
	return text(200, "{}");
}

/* ---- the world ---- */

static int queue_max = 10000;

static inline void write_config(const char *wms_url)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/crossdock.yaml", w.folder);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f,
		"listen: 127.0.0.1:0\n"
		"store: sqlite\n"
		"tenants:\n"
		"  acme:\n"
		"    locations: {east: {}}\n"
		"    delivery: {retry_base: 20ms, retry_max: 200ms, confirm_after: 60ms, timeout: 5s, queue: %d}\n"
		"    systems:\n"
		"      shop: {connector: canonical, url: \"http://127.0.0.1:%d/shop\", roles: [channel]}\n"
		"      erp: {connector: canonical, url: \"http://127.0.0.1:%d/erp\", roles: [erp],"
		" webhook_secret: \"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\", bearer: \"bearer-of-erp\"}\n"
		"      wms: {connector: canonical, url: \"%s\", roles: [warehouse], locations: [east]}\n"
		"    channels:\n"
		"      shop: {locations: [east]}\n"
		"    records: {stock: wms}\n"
		"    processes: {order: order-to-cash}\n",
		queue_max, w.server.port, w.server.port, wms_url);
	assert_int_equal(fclose(f), 0);
}

static struct connect_options options;

static inline void load_config(void)
{
	struct arena a;
	struct findings f;
	arena_init(&a, 1u << 20);
	findings_init(&f, &a);
	enum rc rc = config_load(w.folder, CD_SOURCE_DIR, &w.config, &f);
	for (size_t i = 0; i < f.count; i++)
		print_error("%s: %s %s\n", f.list[i].pointer, f.list[i].code, f.list[i].detail);
	assert_int_equal(rc, RC_OK);
	arena_done(&a);
}

static inline void open_world(void)
{
	struct err e = ERR_NONE;
	load_config();
	enum rc rc = node_open(w.config, clock_system(), &w.node, &e);
	if (rc == RC_OK)
		rc = connect_start(w.node, &options, &w.connect, &e);
	if (rc == RC_OK)
		rc = node_start(w.node, &e);
	if (rc != RC_OK)
		print_error("%s: %s\n", e.code, e.detail);
	assert_int_equal(rc, RC_OK);
	w.hub = node_hub(w.node, 0);
}

static inline void wait_for_commands(void)
{
	pthread_mutex_lock(&w.lock);
	while (w.open_commands)
		pthread_cond_wait(&w.done, &w.lock);
	pthread_mutex_unlock(&w.lock);
}

/* Everything that is under way is settled then, and can be read. */
static inline void stop_world(void)
{
	wait_for_commands();
	connect_stop(w.connect);
	node_stop(w.node);
}

static inline void close_world(void)
{
	connect_free(w.connect);
	w.connect = NULL;
	node_close(w.node);
	config_unref(w.config);
}

static inline int remove_one(const char *path, const struct stat *s, int type, struct FTW *at)
{
	(void)s;
	(void)type;
	(void)at;
	return remove(path);
}

static inline int set_up(void **state)
{
	(void)state;
	char url[64];
	memset(&w, 0, sizeof(w));
	snprintf(w.folder, sizeof(w.folder), "/tmp/crossdock-connect-XXXXXX");
	if (!mkdtemp(w.folder))
		return -1;
	pthread_mutex_init(&w.lock, NULL);
	pthread_cond_init(&w.done, NULL);
	test_server_start(&w.server, systems, &w.erp);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/wms", w.server.port);
	write_config(url);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	test_server_stop(&w.server);
	nftw(w.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* ---- in and out ---- */

static inline void accepted(struct command *c, void *ctx)
{
	(void)ctx;
	assert_in_range(c->answer.status, 200, 299);
	command_free(c);
	pthread_mutex_lock(&w.lock);
	w.open_commands--;
	pthread_cond_signal(&w.done);
	pthread_mutex_unlock(&w.lock);
}

static inline void post(const char *source, const char *endpoint, const char *body)
{
	static int number;
	struct command *c = command_new(COMMAND_MESSAGE_ACCEPT);
	c->correlation_id = str_from(arena_printf(&c->arena, "corr-%d", ++number));
	c->source = str_from(source);
	c->message.endpoint = str_from(endpoint);
	assert_int_equal(compress(&c->arena, str_from(body), &c->message.payload), RC_OK);
	c->done = accepted;
	pthread_mutex_lock(&w.lock);
	w.open_commands++;
	pthread_mutex_unlock(&w.lock);
	assert_int_equal(hub_submit(w.hub, c), RC_OK);
}

static inline void receive_stock(void)
{
	post("wms", "stock-movement",
	     "{\"source\":\"wms\",\"source_event_id\":\"m1\",\"type\":\"receive\",\"occurred_at\":\"2026-01-01T00:00:"
	     "00Z\","
	     "\"lines\":[{\"sku\":\"A\",\"location\":\"east\",\"quantity\":\"1000\"}]}");
}

static inline void place_order(int number)
{
	char body[512];
	snprintf(
	    body, sizeof(body),
	    "{\"channel\":\"shop\",\"external_id\":\"%d\",\"placed_at\":\"2026-01-01T00:00:00Z\",\"currency\":\"GBP\","
	    "\"customer\":{\"external_id\":\"C1\"},\"lines\":[{\"line_id\":\"1\",\"sku\":\"A\",\"quantity\":\"1\","
	    "\"uom\":\"EA\",\"unit_price\":\"2.55\"}]}",
	    number);
	post("shop", "order", body);
}

/* Waits for the systems to have seen something. */
#define wait_for(condition)                                                                                            \
	do {                                                                                                           \
		struct timespec until;                                                                                 \
		int late = 0;                                                                                          \
		clock_gettime(CLOCK_REALTIME, &until);                                                                 \
		until.tv_sec += WAIT_S;                                                                                \
		pthread_mutex_lock(&w.server.lock);                                                                    \
		while (!(condition) && !late)                                                                          \
			late = pthread_cond_timedwait(&w.server.changed, &w.server.lock, &until);                      \
		pthread_mutex_unlock(&w.server.lock);                                                                  \
		if (late)                                                                                              \
			fail_msg("never: %s", #condition);                                                             \
	} while (0)

struct totals {
	const char *system, *operation;
	int status;
	int64_t count;
};

static inline enum rc add_total(void *ctx, const struct store_value *c, size_t n)
{
	struct totals *t = ctx;
	(void)n;
	if (str_is(c[0].bytes, t->system) && str_is(c[1].bytes, t->operation) && c[2].integer == t->status)
		t->count += c[3].integer;
	return RC_OK;
}

static inline int64_t deliveries(const char *system, const char *operation, int status)
{
	struct totals t = {system, operation, status, 0};
	struct store_reader *r;
	assert_int_equal(store_reader_open(hub_store(w.hub), &r, NULL), RC_OK);
	assert_int_equal(store_read(r, R_DELIVERIES_COUNT, NULL, 0, add_total, &t, NULL), RC_OK);
	store_reader_close(r);
	return t.count;
}

static inline struct delivery_view view_of(const char *system)
{
	struct delivery_view v;
	const struct config_system *s = config_find_system(hub_tenant(w.hub), str_from(system));
	assert_true(connect_delivery(w.connect, w.hub, s->index, &v));
	return v;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
