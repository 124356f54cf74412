/*
 * For tests of queries only: the tenant that they ask about, rows that no command wrote, and what an answer says.
 *
 * A location with safety stock, and a channel with a share and a buffer; no warehouse.
 */
#ifndef HUB_QUERY_WORLD_H
#define HUB_QUERY_WORLD_H

#include "hub/test_commands.h"

static const char query_yaml[] =
    "tenants:\n"
    "  acme:\n"
    "    locations: {east: {}, west: {safety_stock: \"2\"}}\n"
    "    systems:\n"
    "      shop: {connector: canonical, url: \"http://127.0.0.1:1/secret\", roles: [channel]}\n"
    "      erp: {connector: canonical, url: \"http://127.0.0.1:1\", roles: [erp]}\n"
    "    channels:\n"
    "      shop: {share: 50%, buffer: \"1\"}\n"
    "    processes: {order: order-to-cash}\n";

/* For cmocka; the hub is not open yet. */
static inline int query_set_up(void **state)
{
	(void)state;
	world_init();
	world_configure(query_yaml);
	return 0;
}

static inline int query_tear_down(void **state)
{
	(void)state;
	world_close();
	world_done();
	return 0;
}

#define QUERY_TEST(f) cmocka_unit_test_setup_teardown(f, query_set_up, query_tear_down)

static inline void receive(const char *event_id, const char *lines)
{
	struct command *c = make_move("receive", event_id, lines);

	c->source = STR("shop");
	assert_int_equal(do_command(c).status, 200);
}

struct two_orders {
	char first[64], second[64], hold[64];
};

/* Opens the hub: 10 of A and 5 of B came; an order for 6 and 9, the next day one for 1 of A, and 2 of A held. */
static inline struct two_orders open_with_orders(void)
{
	struct two_orders o;
	struct reply r;

	world_open();
	receive("1", "A:10 B:5@west+L1");
	r = do_command(make_order_from(
	    world_text("{'channel':'shop','external_id':'1001','placed_at':'2026-03-01T12:00:00Z','currency':'GBP',"
		       "'customer':{'external_id':'C1'},'notes':[{'text':'ring twice'}],'lines':["
		       "{'line_id':'1','sku':'A','quantity':'6','unit_price':'2.55'},"
		       "{'line_id':'2','sku':'B','quantity':'9'}]}")));
	snprintf(o.first, sizeof(o.first), "%s", r.id);
	r = do_command(make_order_from(
	    world_text("{'channel':'shop','external_id':'1002','placed_at':'2026-03-02T12:00:00Z','currency':'GBP',"
		       "'lines':[{'line_id':'1','sku':'A','quantity':'1'}]}")));
	snprintf(o.second, sizeof(o.second), "%s", r.id);
	r = do_command(make_hold("", "shop", "A:2", 900));
	assert_int_equal(r.status, 201);
	snprintf(o.hold, sizeof(o.hold), "%s", r.id);
	return o;
}

/* ---- rows that no command wrote, before the hub opens ---- */

struct writing {
	struct store *store;
	struct store_batch batch;
};

static inline void write_begin(struct writing *w)
{
	const struct store_options o = {.url = world.url, .clock = &world.clock};
	struct err e = ERR_NONE;
	int64_t last;

	assert_int_equal(store_open(&o, &w->store, &last, &e), RC_OK);
	store_batch_init(&w->batch, &world.arena, last + 1);
}

#define PUT(w, s, ...) assert_int_equal(store_batch_put(&(w)->batch, (s), __VA_ARGS__), RC_OK)

static inline void write_end(struct writing *w)
{
	struct err e = ERR_NONE;

	assert_int_equal(store_commit(w->store, &w->batch, &e), RC_OK);
	store_close(w->store);
}

/* ---- answers ---- */

static inline void check(const struct json *j, const char *path, const char *expected)
{
	if (strcmp(world_at(j, path), expected) != 0)
		fail_msg("%s is '%s', not '%s'", path, world_at(j, path), expected);
}

/* Like ASK, of a query that is refused. */
#define REFUSED(expected_rc, expected_code, function, ...)                                                             \
	do {                                                                                                           \
		struct query q_ = {world.hub, world.reader, &world.arena};                                             \
		struct err e_ = ERR_NONE;                                                                              \
		buf_reset(&world.out);                                                                                 \
		assert_int_equal(function(&q_, ##__VA_ARGS__, &world.out, &e_), (expected_rc));                        \
		assert_string_equal(e_.code, (expected_code));                                                         \
	} while (0)

#endif
