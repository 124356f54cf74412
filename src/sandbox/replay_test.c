/* A replay into a hub that is a few lines here, over real sockets on this machine. */
#include "sandbox/replay.h"

#include "sandbox/client.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
#define AT   ",2011-09-05 08:26:00,1.0,"

static const char data[] = HEAD "1,a1,X,6" AT "5.0,United Kingdom\n"
				"1,A2,X,2" AT "5.0,United Kingdom\n"
				"2,A1,X,3" AT "6.0,France\n"
				"3,A3,X,1" AT "6.0,United Kingdom\n"
				"C4,A1,X,-3" AT "6.0,France\n"
				"C5,a1,X,-6" AT "5.0,United Kingdom\n"
				"C5,A2,X,-2" AT "5.0,United Kingdom\n"
				"C6,A3,X,-1" AT "7.0,United Kingdom\n"
				"7,A2,lost,-1,2011-09-05 08:26:00,0.0,,United Kingdom\n"
				"8,POST,POSTAGE,1" AT "5.0,United Kingdom\n";

/* The hub: answers 503 once, then takes every order; cancels what came through the portal. */
struct fake_hub {
	int calls, orders, messages;
	char last_order[4096], movements[4096];
};

static void hub_handle(struct system *s, const struct system_request *r, struct system_answer *a)
{
	struct fake_hub *h = s->book;
	if (memmem(r->path.p, r->path.n, "/in/", 4) == r->path.p) {
		h->messages++;
		size_t n = strlen(h->movements);
		(void)snprintf(h->movements + n, sizeof(h->movements) - n, STR_FMT "\n", STR_ARG(r->body));
		a->status = 202;
		return;
	}
	if (h->calls++ == 0) {
		a->status = 503;
		return;
	}
	if (str_is(r->path, "/v1/orders")) {
		h->orders++;
		if (memmem(r->body.p, r->body.n, "\"portal\"", 8))
			buf_add_z(&a->body, "{\"order_id\":\"portal-order\"}");
		else
			buf_add_z(&a->body, "{\"order_id\":\"shop-order\"}");
		(void)snprintf(h->last_order, sizeof(h->last_order), STR_FMT, STR_ARG(r->body));
		a->status = 202;
		return;
	}
	a->status = str_is(r->path, "/v1/orders/portal-order/cancel") ? 202 : 409;
}

static void hub_state(const struct system *s, struct json_writer *w)
{
	(void)s;
	(void)w;
}

static void hub_done(struct system *s)
{
	(void)s;
}

static const struct system_kind hub_kind = {"hub", hub_handle, hub_state, NULL, hub_done};

struct bench {
	struct retail retail;
	struct sandbox *sandbox, *hub_side;
	struct meter *meter;
	struct system_watch watch;
	struct replay *replay;
	struct fake_hub *hub;
	char address[64];
};

static void set_up(struct bench *b, int64_t documents)
{
	struct fake_hub hub = {0};
	struct err e = ERR_NONE;
	assert_int_equal(retail_parse(&b->retail, str_from(data), &e), RC_OK);
	b->meter = meter_new(clock_system());
	meter_watch(b->meter, "shop", &b->watch);
	b->hub_side = sandbox_new(&(struct sandbox_options){.clock = clock_system()});
	struct system *s = system_new(&hub_kind, "hub", 1, &hub, sizeof(hub));
	b->hub = s->book;
	assert_int_equal(sandbox_serve(b->hub_side, s, 0, &e), RC_OK);
	(void)snprintf(b->address, sizeof(b->address), "http://127.0.0.1:%u",
		       (unsigned)sandbox_port(b->hub_side, "hub"));
	b->sandbox = sandbox_new(&(struct sandbox_options){.clock = clock_system(), .watch = &b->watch});
	assert_int_equal(sandbox_serve(b->sandbox, sandbox_warehouse_new("wms", 1, 0), 0, &e), RC_OK);
	assert_int_equal(sandbox_serve(b->sandbox, sandbox_shop_new("shop", 1, false), 0, &e), RC_OK);
	struct replay_options o = {.data = &b->retail,
				   .sandbox = b->sandbox,
				   .meter = b->meter,
				   .clock = clock_system(),
				   .warehouse = "wms",
				   .locations = {"east", "west"},
				   .rate = 100000,
				   .documents = documents};
	b->replay = replay_new(&o);
	assert_int_equal(sandbox_start(b->sandbox, b->address, "demo", "key", &e), RC_OK);
}

static void show(struct bench *b, const char *sku, const char *available)
{
	char body[256];
	struct system_answer a = {0};
	(void)snprintf(body, sizeof(body),
		       "{\"channel\":\"shop\",\"items\":[{\"sku\":\"%s\",\"available\":\"%s\",\"version\":1}]}", sku,
		       available);
	buf_init(&a.body, 4096);
	system_handle(
	    sandbox_find(b->sandbox, "shop"),
	    &(struct system_request){.method = STR("POST"), .path = STR("/availability"), .body = str_from(body)}, 0,
	    &a);
	assert_int_equal(a.status, 200);
	buf_done(&a.body);
}

static void run_to_the_end(struct bench *b)
{
	struct err e = ERR_NONE;
	assert_int_equal(replay_start(b->replay, b->address, "key", &e), RC_OK);
	while (!replay_ended(b->replay) || !sandbox_idle(b->sandbox))
		sched_yield();
	replay_stop(b->replay);
}

static void tear_down(struct bench *b)
{
	sandbox_free(b->sandbox);
	replay_free(b->replay);
	sandbox_free(b->hub_side);
	meter_free(b->meter);
	retail_done(&b->retail);
}

static void orders_are_repeated_cancelled_or_returned(void **state)
{
	(void)state;
	struct bench b = {0};
	set_up(&b, 8);
	show(&b, "A1", "6");
	show(&b, "A2", "1");
	run_to_the_end(&b);
	struct replay_counts c = replay_read(b.replay);
	assert_int_equal(c.documents, 8);
	assert_int_equal(c.sent, 2);
	assert_int_equal(c.taken, 2);
	assert_int_equal(c.repeats, 1);
	assert_int_equal(c.lines_sold_out, 2);
	assert_int_equal(c.not_placed, 1);
	assert_int_equal(c.cancelled, 1);
	assert_int_equal(c.too_late, 1);
	assert_int_equal(c.returns, 1);
	assert_int_equal(c.adjustments, 1);
	assert_int_equal(c.accounting, 1);
	assert_int_equal(b.hub->orders, 2);
	assert_int_equal(b.hub->messages, 3);
	/* What is too late to cancel comes back; codes are in upper case in the warehouse. */
	assert_non_null(strstr(b.hub->movements, "\"source_event_id\":\"C5\""));
	assert_non_null(strstr(b.hub->movements, "\"source_event_id\":\"C6\""));
	assert_null(strstr(b.hub->movements, "\"source_event_id\":\"C4\""));
	assert_non_null(strstr(b.hub->movements, "\"sku\":\"A1\",\"location\":\"east\",\"quantity\":\"6\""));
	assert_null(strstr(b.hub->movements, "a1"));
	assert_non_null(strstr(b.hub->movements,
			       "\"type\":\"adjust\",\"reason\":\"invoice 7 lost\",\"lines\":[{\"sku\":\"A2\","
			       "\"location\":\"east\",\"quantity\":\"-1\""));

	assert_int_equal(replay_order_count(b.replay), 3);
	const struct replay_order *first = replay_order_at(b.replay, 0), *second = replay_order_at(b.replay, 1);
	assert_int_equal(first->fate, REPLAY_TAKEN);
	assert_int_equal(first->line_count, 1);
	assert_true(str_is(first->lines[0].sku, "a1"));
	assert_int_equal(second->fate, REPLAY_CANCELLED);
	assert_true(str_is(second->order_id, "portal-order"));
	assert_int_equal(replay_order_at(b.replay, 2)->fate, REPLAY_NOT_PLACED);
	tear_down(&b);
}

static void a_second_round_has_ids_of_its_own_and_new_stock(void **state)
{
	(void)state;
	struct bench b = {0};
	set_up(&b, 10);
	show(&b, "A1", "100");
	show(&b, "A2", "100");
	run_to_the_end(&b);
	assert_int_equal(replay_read(b.replay).documents, 10);
	const struct replay_order *again = replay_order_at(b.replay, 3);
	assert_true(str_is(again->external_id, "1-2"));
	assert_int_equal(again->line_count, 2);
	assert_non_null(strstr(b.hub->movements, "\"source_event_id\":\"receive-1-1\""));
	tear_down(&b);
}

static void there_is_enough_of_what_is_not_scarce(void **state)
{
	static const struct {
		const char *sku;
		int64_t demand, lost;
	} want[] = {{"A1", 9, 0}, {"A2", 2, 1}, {"A3", 1, 0}};
	(void)state;
	struct bench b = {0};
	set_up(&b, 8);
	const struct replay_item *item;
	size_t at = 0, found = 0;
	while ((item = replay_item_next(b.replay, &at)) != NULL)
		for (size_t i = 0; i < 3; i++)
			if (str_is(item->sku, want[i].sku)) {
				found++;
				assert_int_equal(item->demand, want[i].demand);
				assert_int_equal(item->lost, want[i].lost);
				assert_false(item->scarce);
			}
	assert_int_equal(found, 3);
	tear_down(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(orders_are_repeated_cancelled_or_returned),
	    cmocka_unit_test(a_second_round_has_ids_of_its_own_and_new_stock),
	    cmocka_unit_test(there_is_enough_of_what_is_not_scarce),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
