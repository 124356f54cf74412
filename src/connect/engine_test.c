/* The hub and the engine in one thread under a clock that the test moves, with answers that the test invents. */
#include "connect/delivery.h"

#include "backbone/subscription.h"
#include "hub/test_commands.h"

#include <inttypes.h>

#define TRANSFERS_MAX 256
#define LOG_BYTES_MAX 20000

/* ---- a transport ---- */

struct fake_transfer {
	http_done_fn done;
	void *ctx;
	struct http_answer answer;
	int64_t at; /* 0: free */
};

struct fake {
	struct transport transport;
	struct fake_transfer transfers[TRANSFERS_MAX];
	struct buf log;
	int orders, fail_orders, drop_orders; /* fail: answered 500; drop: no answer after it was sent */
	bool mute;                            /* nothing is answered */
	bool away;                            /* no connection; that many orders were refused: */
	int refused;
	size_t most, open;
	char key[64];
};

static struct fake fake;

static bool is_order(const struct http_request *r)
{
	return str_is(r->method, "POST") && str_is(r->url, "http://127.0.0.1:1/orders");
}

static struct http_answer invent(struct fake *f, const struct http_request *r)
{
	f->refused += f->away && is_order(r);
	if (f->away)
		return (struct http_answer){.error = STR("refused")};
	if (!is_order(r))
		return (struct http_answer){.status = 200, .body = STR("{}"), .sent = true};
	f->orders++;
	if (f->fail_orders > 0) {
		f->fail_orders--;
		return (struct http_answer){.status = 500, .body = STR("{\"detail\":\"out of order\"}"), .sent = true};
	}
	if (f->drop_orders > 0) {
		f->drop_orders--;
		return (struct http_answer){.error = STR("closed"), .sent = true};
	}
	return (struct http_answer){.status = 201, .body = STR("{\"external_id\":\"E-1\"}"), .sent = true};
}

static void note_key(struct fake *f, const struct http_request *r)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (is_order(r) && str_is(r->headers[i].name, "Idempotency-Key"))
			snprintf(f->key, sizeof(f->key), STR_FMT, STR_ARG(r->headers[i].value));
}

static enum rc fake_start(struct transport *t, const struct http_request *r, http_done_fn done, void *ctx,
			  void **transfer, struct err *e)
{
	struct fake *f = (struct fake *)t;
	struct fake_transfer *one = f->transfers;
	(void)e;
	while (one->at)
		assert_true(++one < f->transfers + TRANSFERS_MAX);
	*one = (struct fake_transfer){done, ctx, invent(f, r), f->mute ? INT64_MAX : world.now + 5};
	f->most = ++f->open > f->most ? f->open : f->most;
	note_key(f, r);
	struct str url = {r->url.p, r->url.n};
	if (memchr(url.p, '?', url.n))
		url.n = (size_t)((const char *)memchr(url.p, '?', url.n) - url.p); /* an id is behind it */
	buf_printf(&f->log, "%" PRId64 " " STR_FMT " " STR_FMT " %d\n", world.now - 1772366400000, STR_ARG(r->method),
		   STR_ARG(url), one->answer.status);
	*transfer = one;
	return RC_OK;
}

static void fake_cancel(struct transport *t, void *transfer)
{
	((struct fake *)t)->open--;
	((struct fake_transfer *)transfer)->at = 0;
}

static void fake_run(struct transport *t, int timeout_ms, int wake_fd)
{
	struct fake *f = (struct fake *)t;
	assert_int_equal(timeout_ms, 0);
	assert_int_equal(wake_fd, -1);
	for (size_t i = 0; i < TRANSFERS_MAX; i++) {
		struct fake_transfer one = f->transfers[i];
		if (!one.at || one.at > world.now)
			continue;
		f->transfers[i].at = 0;
		f->open--;
		one.done(one.ctx, &one.answer);
	}
}

static int64_t fake_next(const struct fake *f)
{
	int64_t next = INT64_MAX;
	for (size_t i = 0; i < TRANSFERS_MAX; i++)
		if (f->transfers[i].at && f->transfers[i].at < next)
			next = f->transfers[i].at;
	return next;
}

/* ---- the world, one round after the other ---- */

static struct delivery_engine *engine;

static void on_deliveries(void *ctx, struct hub *h, const struct delivery_head *heads, size_t count)
{
	(void)h;
	(void)ctx;
	delivery_heads(delivery_hub_of(engine, 0), heads, count);
}

static void on_events(void *ctx, struct hub *h, int64_t position)
{
	(void)ctx;
	(void)h;
	(void)position;
}

static void open_all(void)
{
	struct err e = ERR_NONE;
	world_open();
	const struct delivery_setup setup = {
	    .hubs = &world.hub, .hub_count = 1, .clock = &world.clock, .transport = &fake.transport, .seed = 7};
	assert_int_equal(delivery_open(&setup, &engine, &e), RC_OK);
	hub_set_sinks(world.hub, &(struct hub_sinks){.deliveries = on_deliveries, .events = on_events});
}

static void close_all(void)
{
	delivery_free(engine);
	engine = NULL;
	world_close();
}

/* Until nothing is left to do before `until`. */
static void go_on(int64_t until)
{
	for (;;) {
		int64_t wait;
		int64_t next = delivery_turn(engine), transfer = fake_next(&fake);
		size_t applied = hub_run(world.hub, 0, &wait);
		if (applied || next <= world.now)
			continue;
		next = transfer < next ? transfer : next;
		next = world.now + wait < next ? world.now + wait : next;
		if (next >= until)
			break;
		world.now = next > world.now ? next : world.now + 1;
	}
	world.now = until;
}

static void init_all(void)
{
	world_init();
	memset(&fake, 0, sizeof(fake));
	fake.transport = (struct transport){fake_start, fake_cancel, fake_run};
	buf_init(&fake.log, LOG_BYTES_MAX);
	open_all();
	do_command(make_move("receive", "m1", "A:1000"));
	go_on(world.now + 1000);
}

static void done_all(void)
{
	close_all();
	buf_done(&fake.log);
	world_done();
}

static struct delivery_view view_of(const char *system)
{
	struct delivery_view v;
	assert_true(delivery_snapshot(engine, world.hub, system_index(system), &v));
	return v;
}

/* ---- tests ---- */

static void subscription_done(struct command *c, void *ctx)
{
	*(int *)ctx = c->answer.status;
	command_free(c);
}

static int subscription(enum command_type type)
{
	struct command *c = command_new(type);
	int status = 0;
	c->correlation_id = STR("c-sub");
	c->target = STR("sub_1");
	c->subscription.url = STR("https://example.com/hook");
	c->subscription.types = STR("order.captured");
	c->subscription.secret = STR("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
	c->subscription.enabled = -1;
	c->done = subscription_done;
	c->ctx = &status;
	assert_int_equal(hub_submit(world.hub, c), RC_OK);
	run();
	return status;
}

/* Whether it was idle when it was deleted, or had something to cancel first. */
static void test_a_deleted_subscription_is_forgotten(void **state)
{
	struct delivery_view v;
	(void)state;
	for (int waiting = 0; waiting < 2; waiting++) {
		init_all();
		assert_int_equal(subscription(COMMAND_SUBSCRIPTION_CREATE), 201);
		fake.away = waiting;
		do_command(make_order("1", "A:1"));
		go_on(world.now + 500);
		assert_true(delivery_snapshot(engine, world.hub, subscription_system(1), &v));
		assert_int_equal(v.waiting, waiting);
		assert_int_equal(subscription(COMMAND_SUBSCRIPTION_DELETE), 204);
		go_on(world.now + 500);
		assert_false(delivery_snapshot(engine, world.hub, subscription_system(1), &v));
		go_on(world.now + 100000);
		done_all();
	}
}

static char *failing_order(void)
{
	init_all();
	fake.fail_orders = 2;
	do_command(make_order("1", "A:6"));
	go_on(world.now + 500);
	assert_int_equal(fake.orders, 1);
	assert_int_equal(view_of("erp").waiting, 1);
	go_on(world.now + 60000);
	assert_int_equal(fake.orders, 3);
	assert_int_equal(view_of("erp").waiting, 0);
	assert_string_equal(stock_of("A"), "free 994 allocated 6");
	check_audit();
	char *log = strndup(fake.log.p, fake.log.n);
	done_all();
	return log;
}

static void a_failed_order_is_retried_and_every_run_is_the_same(void **state)
{
	(void)state;
	char *one = failing_order(), *two = failing_order();
	assert_non_null(strstr(one, "/shipment-requests 200"));
	assert_string_equal(one, two);
	free(one);
	free(two);
}

/* Dropped at any point of its way, as by a crash: nothing is lost, and what is sent again has the same id. */
static void a_crash_loses_nothing(void **state)
{
	(void)state;
	int sent = 0, rounds = 12;
	for (int turns = 0; turns < rounds; turns++) {
		char first[64];
		int64_t wait;
		init_all();
		fake.mute = true;
		struct reply order = do_command(make_order("1", "A:6"));
		for (int i = 0; i < turns; i++) {
			delivery_turn(engine);
			hub_run(world.hub, 0, &wait);
		}
		memcpy(first, fake.key, sizeof(first));
		int before = fake.orders;
		sent += before;
		close_all();
		assert_int_equal(fake.open, 0);
		fake.mute = false;
		open_all();
		go_on(world.now + 120000);
		assert_int_equal(fake.orders, before + 1);
		if (before)
			assert_string_equal(fake.key, first);
		assert_string_equal(order_at(order.id, "status"), "released");
		check_audit();
		done_all();
	}
	assert_in_range(sent, 1, rounds - 2);
}

static void a_lost_answer_is_looked_up_and_sent_again(void **state)
{
	(void)state;
	init_all();
	fake.drop_orders = 1;
	do_command(make_order("1", "A:6"));
	go_on(world.now + 200000);
	/* It was sent and not answered: looked up twice at least, not there, sent again. */
	assert_int_equal(fake.orders, 2);
	assert_non_null(memmem(fake.log.p, fake.log.n, "GET http://127.0.0.1:1/orders 200", 33));
	check_audit();
	done_all();
}

/* More wait than are in memory: probes find the destination away, one at a time; when it is back, each comes once. */
static void what_is_not_in_memory_waits_in_the_store(void **state)
{
	enum { ORDERS = 60, QUEUE = 5 };
	(void)state;
	init_all();
	close_all();
	char *yaml = strdup(world_yaml);
	char *erp = strstr(yaml, "roles: [erp]}");
	assert_non_null(erp);
	world_configure(
	    world_text("%.*sroles: [erp], delivery: {queue: %d}%s", (int)(erp - yaml), yaml, QUEUE, erp + 12));
	free(yaml);
	open_all();
	fake.away = true;
	for (int i = 0; i < ORDERS; i++)
		do_command(make_order(world_text("%d", i), "A:1"));
	go_on(world.now + 3600000);
	struct delivery_view v = view_of("erp");
	assert_true(v.more);
	assert_in_range(v.waiting, 1, QUEUE + 1);
	assert_int_equal(fake.orders, 0);
	/* An hour with pauses of up to 5 minutes: some dozens of probes, however many wait. */
	assert_in_range(fake.refused, 10, ORDERS - 1);
	fake.away = false;
	go_on(world.now + 3600000);
	assert_int_equal(fake.orders, ORDERS);
	assert_false(view_of("erp").more);
	assert_int_equal(view_of("erp").waiting, 0);
	check_audit();
	done_all();
}

/* What was away before a restart is tried with one request after it, however much waits; then all of it is sent. */
static void a_restart_begins_with_a_probe(void **state)
{
	(void)state;
	for (int away = 0; away < 2; away++) {
		init_all();
		fake.mute = !away;
		fake.away = away;
		for (int i = 0; i < 20; i++)
			do_command(make_order(world_text("%d", i), "A:1"));
		go_on(world.now + 5000);
		assert_string_equal(view_of("erp").state, away ? "backing_off" : "running");
		close_all();
		memset(fake.transfers, 0, sizeof(fake.transfers));
		fake.open = fake.log.n = 0;
		fake.away = false;
		fake.mute = true;
		open_all();
		go_on(world.now + 1000);
		assert_string_equal(view_of("erp").state, away ? "backing_off" : "running");
		int asked = 0;
		for (const char *at = fake.log.p, *end = at + fake.log.n;
		     (at = memmem(at, (size_t)(end - at), "/orders", 7)); at++)
			asked++;
		assert_int_equal(asked, 1); /* sent, or looked up */
		fake.mute = false;
		for (size_t i = 0; i < TRANSFERS_MAX; i++)
			if (fake.transfers[i].at)
				fake.transfers[i].at = world.now + 5;
		go_on(world.now + 600000);
		assert_string_equal(view_of("erp").state, "running");
		assert_int_equal(view_of("erp").waiting, 0);
		check_audit();
		done_all();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_deleted_subscription_is_forgotten),
	    cmocka_unit_test(a_failed_order_is_retried_and_every_run_is_the_same),
	    cmocka_unit_test(a_crash_loses_nothing),
	    cmocka_unit_test(a_lost_answer_is_looked_up_and_sent_again),
	    cmocka_unit_test(what_is_not_in_memory_waits_in_the_store),
	    cmocka_unit_test(a_restart_begins_with_a_probe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
