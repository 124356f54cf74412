/* Much at once with the real hub: a destination that is away or paused, a small window, a large inbox, restarts. */
#include "connect/test_systems.h"

static void place_orders(int count)
{
	for (int i = 1; i <= count; i++)
		place_order(i);
}

static void a_dead_destination_costs_a_probe(void **state)
{
	(void)state;
	int port;
	char url[64];
	close(test_listen(&port)); /* nobody listens there now */
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
	write_config(url);
	open_world();
	receive_stock();
	place_orders(100);
	wait_for(w.erp.posts == 100);
	stop_world();
	assert_int_equal(deliveries("erp", "order.post", DELIVERY_DELIVERED), 100);
	struct delivery_view v = view_of("wms");
	assert_string_equal(v.state, "backing_off");
	assert_true(v.failures > 0 && v.failures < 100);
	assert_true(v.last_failure[0]);
	close_world();
	/* It comes back: what waited is delivered, and nothing twice. */
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/wms", w.server.port);
	write_config(url);
	open_world();
	wait_for(w.erp.shipment_requests == 100);
	stop_world();
	assert_int_equal(w.erp.posts, 100);
	assert_int_equal(deliveries("wms", "shipment.request", DELIVERY_DELIVERED), 100);
	close_world();
}

static void nothing_is_forgotten_across_a_restart(void **state)
{
	(void)state;
	open_world();
	receive_stock();
	place_orders(300);
	wait_for(w.erp.posts >= 20);
	stop_world();
	close_world();
	open_world();
	wait_for(w.erp.shipment_requests >= 300);
	stop_world();
	assert_int_equal(w.erp.posts, 300);
	assert_int_equal(w.erp.shipment_requests, 300);
	assert_int_equal(deliveries("erp", "order.post", DELIVERY_DELIVERED), 300);
	close_world();
}

static void tell_system(enum command_type type, const char *system)
{
	struct command *c = command_new(type);
	c->correlation_id = STR("corr-system");
	c->target = str_from(system);
	c->done = accepted;
	pthread_mutex_lock(&w.lock);
	w.open_commands++;
	pthread_mutex_unlock(&w.lock);
	assert_int_equal(hub_submit(w.hub, c), RC_OK);
	wait_for_commands();
}

struct positions {
	int count, last;
	bool in_order;
};

/* Newest first. */
static enum rc add_position(void *ctx, const struct store_value *c, size_t n)
{
	struct positions *p = ctx;
	(void)n;
	int number = 0;
	for (size_t i = 0; i < c[3].bytes.n; i++)
		number = number * 10 + (c[3].bytes.p[i] - '0');
	p->in_order = p->count == 0 || (p->in_order && number == p->last - 1);
	p->last = number;
	p->count++;
	return RC_OK;
}

/* More is open than the engine may hold: the rest is read from the store as it goes. */
static void a_small_window_sees_everything(void **state)
{
	(void)state;
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/wms", w.server.port);
	queue_max = 5;
	write_config(url);
	queue_max = 10000;
	open_world();
	receive_stock();
	place_orders(200);
	wait_for(w.erp.shipment_requests >= 200);
	stop_world();
	assert_int_equal(w.erp.posts, 200);
	assert_int_equal(w.erp.shipment_requests, 200);
	assert_int_equal(deliveries("erp", "order.post", DELIVERY_DELIVERED), 200);
	close_world();
}

static void a_paused_system_gets_nothing(void **state)
{
	(void)state;
	open_world();
	receive_stock();
	wait_for(w.erp.availability > 0);
	tell_system(COMMAND_SYSTEM_PAUSE, "erp");
	place_orders(5);
	while (view_of("erp").waiting < 5)
		sched_yield();
	pthread_mutex_lock(&w.server.lock);
	assert_int_equal(w.erp.posts, 0);
	pthread_mutex_unlock(&w.server.lock);
	assert_string_equal(view_of("erp").state, "paused");
	tell_system(COMMAND_SYSTEM_RESUME, "erp");
	wait_for(w.erp.shipment_requests == 5);
	stop_world();
	assert_int_equal(w.erp.posts, 5);
	close_world();
}

/* More raw bytes wait in the inbox than mediation may hold in memory. */
static void a_large_inbox_is_mediated_in_order(void **state)
{
	(void)state;
	enum { MESSAGES = 40, PADDING = 900000 };
	char *body = malloc(PADDING + 1000);
	struct err e = ERR_NONE;
	open_world();
	receive_stock();
	wait_for(w.erp.availability > 0);
	stop_world();
	close_world();
	load_config();
	assert_int_equal(node_open(w.config, clock_system(), &w.node, &e), RC_OK);
	assert_int_equal(node_start(w.node, &e), RC_OK); /* without connect: they wait in the inbox */
	w.hub = node_hub(w.node, 0);
	for (int i = 1; i <= MESSAGES; i++) {
		int n =
		    snprintf(body, 900,
			     "{\"channel\":\"shop\",\"external_id\":\"%d\",\"placed_at\":\"2026-01-01T00:00:00Z\","
			     "\"currency\":\"GBP\",\"customer\":{\"external_id\":\"C1\"},\"lines\":[{\"line_id\":\"1\","
			     "\"sku\":\"A\",\"quantity\":\"1\"}],\"extensions\":{\"padding\":\"",
			     i);
		memset(body + n, 'p', PADDING);
		memcpy(body + n + PADDING, "\"}}", 4);
		post("shop", "order", body);
	}
	stop_world();
	close_world();
	open_world();
	wait_for(w.erp.shipment_requests >= MESSAGES);
	stop_world();
	struct store_reader *r;
	struct positions seen = {0};
	assert_int_equal(store_reader_open(hub_store(w.hub), &r, NULL), RC_OK);
	const struct store_value args[] = {SV_INT(INT64_MAX), SV_INT(1000)};
	assert_int_equal(store_read(r, R_ORDERS_BEFORE, args, 2, add_position, &seen, NULL), RC_OK);
	store_reader_close(r);
	assert_int_equal(seen.count, MESSAGES);
	assert_true(seen.in_order);
	close_world();
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_dead_destination_costs_a_probe),   TEST(nothing_is_forgotten_across_a_restart),
	    TEST(a_small_window_sees_everything),     TEST(a_paused_system_gets_nothing),
	    TEST(a_large_inbox_is_mediated_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
