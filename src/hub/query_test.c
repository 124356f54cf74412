/* Queries over a real hub; and the audit over books that do not add up. */
#include "hub/query_repair.h"

#include "base/compress.h"
#include "base/test.h"
#include "hub/counters.h"
#include "hub/node.h"
#include "orchestrate/order/order.h"
#include "orchestrate/stock/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];
static struct arena arena;
static struct config *config;
static struct node *node;
static struct hub *hub;
static struct query query;
static struct buf out;

static const char text[] = "tenants:\n"
			   "  acme:\n"
			   "    locations: {east: {}, west: {safety_stock: \"2\"}}\n"
			   "    systems:\n"
			   "      shop: {connector: canonical, url: \"http://127.0.0.1:1/secret\", roles: [channel]}\n"
			   "      erp: {connector: canonical, url: \"http://127.0.0.1:1\", roles: [erp]}\n"
			   "    channels:\n"
			   "      shop: {share: 50%, buffer: \"1\"}\n"
			   "    processes: {order: order-to-cash}\n";

static int set_up(void **state)
{
	char path[128];
	struct findings f;
	(void)state;

	snprintf(folder, sizeof(folder), "/tmp/crossdock-query-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/crossdock.yaml", folder);
	FILE *file = fopen(path, "w");
	fputs(text, file);
	fclose(file);
	arena_init(&arena, 64u << 20);
	buf_init(&out, 16u << 20);
	findings_init(&f, &arena);
	return config_load(folder, CD_SOURCE_DIR, &config, &f) == RC_OK ? 0 : -1;
}

static void open_node(void)
{
	struct err e = ERR_NONE;

	if (node_open(config, clock_system(), &node, &e) != RC_OK)
		print_error("%s: %s\n", e.code, e.detail);
	assert_int_equal(e.rc, RC_OK);
	hub = node_hub(node, 0);
	query = (struct query){.hub = hub, .arena = &arena};
	assert_int_equal(store_reader_open(hub_store(hub), &query.reader, &e), RC_OK);
}

static int tear_down(void **state)
{
	char command[128];
	(void)state;

	store_reader_close(query.reader);
	query.reader = NULL;
	node_close(node);
	node = NULL;
	config_unref(config);
	config = NULL;
	buf_done(&out);
	arena_done(&arena);
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command);
}

/* ---- commands ---- */

static void note_done(struct command *c, void *ctx)
{
	(void)c;
	*(bool *)ctx = true;
}

static struct json *parse(struct arena *a, const char *json)
{
	struct json *parsed = NULL;
	struct err e = ERR_NONE;
	assert_int_equal(json_parse(a, str_from(json), NULL, &parsed, &e), RC_OK);
	return parsed;
}

/* Applies it and copies its good answer's member into id. */
static void apply(struct command *c, const char *member, char id[64])
{
	bool done = false;
	int64_t next;

	c->correlation_id = STR("correlation-1");
	c->source = STR("shop");
	c->done = note_done;
	c->ctx = &done;
	assert_int_equal(hub_submit(hub, c), RC_OK);
	hub_run(hub, 0, &next);
	assert_true(done);
	if (c->answer.status / 100 != 2)
		print_error("%d " STR_FMT "\n", c->answer.status, STR_ARG(c->answer.body));
	assert_int_equal(c->answer.status / 100, 2);
	struct json *answer = NULL;
	assert_int_equal(json_parse(&c->arena, c->answer.body, NULL, &answer, NULL), RC_OK);
	struct str value = json_get_text(answer, member);
	snprintf(id, 64, STR_FMT, STR_ARG(value));
	command_free(c);
}

static void move(const char *json)
{
	struct command *c = command_new(COMMAND_STOCK_MOVE);
	struct json *doc = parse(&c->arena, json);
	struct findings f;
	char id[64];

	findings_init(&f, &c->arena);
	c->movements.items = arena_new(&c->arena, struct command_movement);
	c->movements.count = 1;
	c->movements.items[0].fingerprint = json_fingerprint(doc, hash_process_key());
	assert_int_equal(movement_read(&c->arena, doc, SKU_AS_IS, "", &c->movements.items[0].movement, &f), RC_OK);
	apply(c, "movement_id", id);
}

static void capture(const char *json, char id[64])
{
	struct command *c = command_new(COMMAND_ORDER_CAPTURE);
	struct json *doc = parse(&c->arena, json);
	struct findings f;

	findings_init(&f, &c->arena);
	assert_int_equal(order_read(&c->arena, doc, SKU_AS_IS, &c->order, &f), RC_OK);
	c->fingerprint = json_fingerprint(doc, hash_process_key());
	assert_int_equal(compress(&c->arena, str_from(json), &c->document), RC_OK);
	apply(c, "order_id", id);
}

static void hold(const char *json, char id[64])
{
	struct command *c = command_new(COMMAND_HOLD);
	struct json *doc = parse(&c->arena, json);
	struct findings f;

	findings_init(&f, &c->arena);
	assert_true(command_holds(c, 1, false));
	assert_int_equal(hold_request_read(&c->arena, doc, SKU_AS_IS, "", &c->holds.items[0].request, &f), RC_OK);
	c->fingerprint = c->holds.items[0].fingerprint = json_fingerprint(doc, hash_process_key());
	apply(c, "reservation_id", id);
}

/* ---- answers ---- */

static const struct json *answer(enum rc rc, const struct err *e)
{
	struct json *parsed = NULL;
	struct json_limits limits = {.bytes = 16u << 20, .depth = 64, .nodes = 1u << 20};

	if (rc != RC_OK)
		print_error("%s: %s\n", e->code, e->detail);
	assert_int_equal(rc, RC_OK);
	assert_int_equal(json_parse(&arena, buf_str(&out), &limits, &parsed, NULL), RC_OK);
	buf_reset(&out);
	return parsed;
}

/* "items/0/sku": the text of what is there, or of its number. */
static struct str at(const struct json *j, const char *path)
{
	while (*path && j) {
		size_t n = strcspn(path, "/");
		if (json_is(j, JSON_ARRAY)) {
			unsigned long i = strtoul(path, NULL, 10);
			j = i < j->count ? &j->items[i] : NULL;
		} else {
			j = json_get_str(j, (struct str){path, n});
		}
		path += n + (path[n] == '/');
	}
	return json_text(j);
}

static void check(const struct json *j, const char *path, const char *expected)
{
	struct str have = at(j, path);
	if (!str_eq(have, str_from(expected)))
		print_error("%s is '" STR_FMT "', not '%s'\n", path, STR_ARG(have), expected ? expected : "");
	assert_true(str_eq(have, str_from(expected)));
}

#define ASK(call)                                                                                                      \
	({                                                                                                             \
		struct err e = ERR_NONE;                                                                               \
		enum rc rc_ = (call);                                                                                  \
		answer(rc_, &e);                                                                                       \
	})

#define REFUSED(call, expected_rc, expected_code)                                                                      \
	do {                                                                                                           \
		struct err e = ERR_NONE;                                                                               \
		assert_int_equal((call), (expected_rc));                                                               \
		assert_string_equal(e.code, (expected_code));                                                          \
		buf_reset(&out);                                                                                       \
	} while (0)

static char order_id[64], second_id[64], hold_id[64];

static void fill(void)
{
	open_node();
	move("{\"source\":\"shop\",\"source_event_id\":\"1\",\"type\":\"receive\",\"occurred_at\":\"2026-03-01T12:00:"
	     "00Z\","
	     "\"lines\":[{\"sku\":\"A\",\"location\":\"east\",\"quantity\":\"10\"},"
	     "{\"sku\":\"B\",\"location\":\"west\",\"quantity\":\"5\",\"lot\":\"L1\"}]}");
	capture("{\"channel\":\"shop\",\"external_id\":\"1001\",\"placed_at\":\"2026-03-01T12:00:00Z\",\"currency\":"
		"\"GBP\","
		"\"customer\":{\"external_id\":\"C1\"},\"notes\":[{\"text\":\"ring twice\"}],\"lines\":["
		"{\"line_id\":\"1\",\"sku\":\"A\",\"quantity\":\"6\",\"unit_price\":\"2.55\"},"
		"{\"line_id\":\"2\",\"sku\":\"B\",\"quantity\":\"9\"}]}",
		order_id);
	capture("{\"channel\":\"shop\",\"external_id\":\"1002\",\"placed_at\":\"2026-03-02T12:00:00Z\",\"currency\":"
		"\"GBP\","
		"\"lines\":[{\"line_id\":\"1\",\"sku\":\"A\",\"quantity\":\"1\"}]}",
		second_id);
	hold("{\"channel\":\"shop\",\"lines\":[{\"sku\":\"A\",\"quantity\":\"2\"}]}", hold_id);
}

static void test_an_order(void **state)
{
	(void)state;
	fill();
	const struct json *j = ASK(query_order(&query, str_from(order_id), &out, &e));
	check(j, "order_id", order_id);
	check(j, "status", "backordered");
	check(j, "correlation_id", "correlation-1");
	check(j, "notes/0/text", "ring twice");
	check(j, "lines/0/status", "reserved");
	check(j, "lines/0/quantity", "6");
	check(j, "lines/0/unit_price", "2.55");
	check(j, "lines/0/allocations/0/location", "east");
	check(j, "lines/1/status", "backordered");
	check(j, "lines/1/reserved", "5");
	check(j, "lines/1/backordered", "4");
	check(j, "lines/1/allocations/0/lot", "L1");
	REFUSED(query_order(&query, STR("nobody"), &out, &e), RC_NOT_FOUND, "order_not_found");
}

static void test_lists_of_orders(void **state)
{
	const struct query_page page = {.limit = 10}, one = {.limit = 1};
	(void)state;
	fill();
	const struct json *j = ASK(query_orders(&query, &(struct query_orders){0}, &one, &out, &e));
	check(j, "items/0/order_id", second_id);
	assert_int_equal(json_get(j, "items")->count, 1);
	struct query_page next = {1, arena_copy(&arena, at(j, "next_cursor"))};
	j = ASK(query_orders(&query, &(struct query_orders){0}, &next, &out, &e));
	check(j, "items/0/order_id", order_id);
	assert_int_equal(json_get(j, "next_cursor")->type, JSON_NULL);

	const struct {
		struct query_orders filter;
		const char *found;
	} cases[] = {
	    {{.status = STR("backordered")}, order_id},
	    {{.status = STR("reserved")}, second_id},
	    {{.channel = STR("shop"), .external_id = STR("1001")}, order_id},
	    {{.external_id = STR("1002")}, second_id},
	    {{.placed_after = 1772409600000}, second_id}, /* 2026-03-02T00:00:00Z */
	    {{.channel = STR("portal")}, NULL},
	    {{.channel = STR("shop"), .external_id = STR("9")}, NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		j = ASK(query_orders(&query, &cases[i].filter, &page, &out, &e));
		assert_int_equal(json_get(j, "items")->count, cases[i].found ? 1 : 0);
		if (cases[i].found)
			check(j, "items/0/order_id", cases[i].found);
	}
	REFUSED(query_orders(&query, &(struct query_orders){.status = STR("odd")}, &page, &out, &e), RC_INVALID,
		"unknown_status");
	REFUSED(query_orders(&query, &(struct query_orders){0}, &(struct query_page){1, STR("x1")}, &out, &e),
		RC_INVALID, "bad_cursor");
}

static void test_stock(void **state)
{
	const struct query_page page = {.limit = 10}, one = {.limit = 1};
	const struct str skus[] = {STR("A"), STR("B"), STR("none")};
	(void)state;
	fill();
	const struct json *j = ASK(query_stock(&query, STR("A"), &out, &e));
	check(j, "on_hand", "10");
	check(j, "totals/free", "1");
	check(j, "totals/held", "2");
	check(j, "positions/0/location", "east");
	check(j, "positions/0/states/allocated", "7");
	j = ASK(query_availability(&query, STR("shop"), skus, 3, &out, &e));
	check(j, "items/0/available", "0"); /* half of 1, to whole units, less 1 */
	check(j, "items/0/locations/east", "1");
	check(j, "items/1/sku", "B");
	check(j, "items/2/available", "0");
	j = ASK(query_movements(&query, STR("A"), &page, &out, &e));
	assert_int_equal(json_get(j, "items")->count, 4);
	check(j, "items/0/entries/0/to", "held");
	check(j, "items/3/type", "receive");
	check(j, "items/3/entries/0/quantity", "10");
	assert_int_equal(json_get(&json_get(j, "items")->items[3], "entries")->count, 1);
	j = ASK(query_movements(&query, STR("B"), &one, &out, &e));
	struct query_page next = {10, arena_copy(&arena, at(j, "next_cursor"))};
	j = ASK(query_movements(&query, STR("B"), &next, &out, &e));
	assert_int_equal(json_get(j, "items")->count, 1);
	check(j, "items/0/type", "receive");
	j = ASK(query_reservation(&query, str_from(hold_id), &out, &e));
	check(j, "status", "held");
	check(j, "lines/0/quantity", "2");
	REFUSED(query_stock(&query, STR("none"), &out, &e), RC_NOT_FOUND, "item_not_found");
	REFUSED(query_availability(&query, STR("erp"), skus, 1, &out, &e), RC_NOT_FOUND, "unknown_channel");
	REFUSED(query_reservation(&query, STR("none"), &out, &e), RC_NOT_FOUND, "reservation_not_found");
}

static void test_events(void **state)
{
	const struct str captured[] = {STR("order.captured")}, orders[] = {STR("order.*")};
	int64_t last;
	(void)state;
	fill();
	const struct json *j = ASK(query_events(&query, 0, NULL, 0, 2, &out, &last, &e));
	assert_int_equal(json_get(j, "items")->count, 2);
	assert_int_equal(last, 2);
	check(j, "next_cursor", "2");
	check(j, "items/0/specversion", "1.0");
	check(j, "items/0/position", "1");
	check(j, "items/0/type", "stock.moved");
	check(j, "items/0/source", "/crossdock/acme/shop");
	check(j, "items/0/correlationid", "correlation-1");
	j = ASK(query_events(&query, 0, captured, 1, 100, &out, &last, &e));
	assert_int_equal(json_get(j, "items")->count, 2);
	assert_int_equal(json_get(j, "next_cursor")->type, JSON_NULL);
	assert_int_equal(last, hub_position(hub));
	check(j, "items/0/subject", order_id);
	check(j, "items/0/data/document/notes/0/text", "ring twice");
	j = ASK(query_events(&query, 0, captured, 1, 1, &out, &last, &e));
	j = ASK(query_events(&query, last, captured, 1, 1, &out, &last, &e));
	check(j, "items/0/subject", second_id);
	j = ASK(query_events(&query, 0, orders, 1, 100, &out, &last, &e));
	assert_int_equal(json_get(j, "items")->count, 4);
	j = ASK(query_events(&query, hub_position(hub), NULL, 0, 100, &out, &last, &e));
	assert_int_equal(json_get(j, "items")->count, 0);
}

static void test_traces(void **state)
{
	(void)state;
	fill();
	const struct json *j = ASK(query_trace(&query, STR("correlation-1"), &out, &e));
	const struct json *entries = json_get(j, "entries");
	bool delivery = false, exception = false;
	struct str before = STR_NONE;

	check(j, "entries/0/kind", "message");
	for (uint32_t i = 0; i < entries->count; i++) {
		const struct json *entry = &entries->items[i];
		struct str when = json_get_text(entry, "at");
		assert_true(!before.n || memcmp(before.p, when.p, when.n) <= 0);
		before = when;
		assert_true(json_get_text(entry, "summary").n > 0);
		delivery |= str_is(json_get_text(entry, "summary"), "Order to erp: waiting");
		exception |= str_is(json_get_text(entry, "kind"), "exception");
	}
	assert_true(delivery);
	assert_true(exception);
	j = ASK(query_timeline(&query, str_from(order_id), &out, &e));
	check(j, "status", "backordered");
	REFUSED(query_trace(&query, STR("none"), &out, &e), RC_NOT_FOUND, "trace_not_found");
	REFUSED(query_timeline(&query, STR("none"), &out, &e), RC_NOT_FOUND, "order_not_found");
}

static void write_index(void *ctx, const struct hub *h, const struct config_system *s, int64_t oldest_age_ms,
			struct json_writer *w)
{
	(void)oldest_age_ms;
	assert_ptr_equal(ctx, &query);
	assert_ptr_equal(h, hub);
	jw_key_int(w, "index", s->index);
}

static void test_operating(void **state)
{
	const struct query_page page = {.limit = 100};
	const struct query_live live = {write_index, &query};
	(void)state;
	fill();
	const struct json *j = ASK(query_systems(&query, &live, &out, &e));
	check(j, "items/0/id", "shop");
	check(j, "items/0/index", "0");
	check(j, "items/1/index", "1");
	check(j, "items/0/url", "http://127.0.0.1:1"); /* a path may hold a secret */
	j = ASK(query_system(&query, STR("erp"), NULL, &out, &e));
	check(j, "roles/0", "erp");
	check(j, "backlog", "3");
	check(j, "outcomes/delivered", "0");
	check(j, "lag/count", "0");
	assert_non_null(json_get(j, "oldest_age_ms"));
	assert_null(json_get(j, "index"));
	j = ASK(query_deliveries(&query, STR("erp"), STR("waiting"), &page, &out, &e));
	assert_true(json_get(j, "items")->count > 0);
	check(j, "items/0/operation", "order.post");
	struct str delivery = arena_copy(&arena, at(j, "items/0/delivery_id"));
	j = ASK(query_delivery(&query, delivery, &out, &e));
	check(j, "order_id", second_id);
	check(j, "document/external_id", "1002");
	assert_int_equal(json_get(j, "attempts")->count, 0);
	j = ASK(query_deliveries(&query, STR("erp"), STR("delivered"), &page, &out, &e));
	assert_int_equal(json_get(j, "items")->count, 0);
	j = ASK(query_exceptions(&query, &page, &out, &e));
	check(j, "items/0/order_id", order_id);
	check(j, "items/0/status", "open");
	j = ASK(query_dead_letters(&query, &(struct query_dead_letters){.system = STR_NONE}, &page, &out, &e));
	assert_int_equal(json_get(j, "items")->count, 0);
	j = ASK(query_overview(&query, &out, &e));
	check(j, "orders/backordered", "1");
	check(j, "orders_total", "2");
	check(j, "exceptions_open", "1");
	REFUSED(query_system(&query, STR("none"), NULL, &out, &e), RC_NOT_FOUND, "system_not_found");
	REFUSED(query_delivery(&query, STR("none"), &out, &e), RC_NOT_FOUND, "delivery_not_found");
	REFUSED(query_dead_letter(&query, STR("none"), &out, &e), RC_NOT_FOUND, "dead_letter_not_found");
	REFUSED(query_deliveries(&query, STR_NONE, STR("odd"), &page, &out, &e), RC_INVALID, "unknown_status");
}

static bool audit_says(const struct json *j, const char *name)
{
	const struct json *checks = json_get(j, "checks");
	for (uint32_t i = 0; i < checks->count; i++)
		if (str_is(json_get_text(&checks->items[i], "name"), name))
			return json_get(&checks->items[i], "ok")->boolean;
	fail_msg("there is no check %s", name);
	return false;
}

static void test_the_audit_of_good_books(void **state)
{
	(void)state;
	fill();
	const struct json *j = ASK(query_audit(&query, &out, &e));
	assert_true(json_get(j, "ok")->boolean);
	check(j, "checks/0/detail", "4 movements, 2 positions");
	check(j, "checks/2/detail", "compared");
	check(j, "checks/3/detail", "1 live reservations");
	check(j, "checks/5/detail", "2 open orders");
}

/* ---- books that do not add up ---- */

static struct store_batch batch;

static void put(enum store_statement s, const struct store_value *values, size_t count)
{
	assert_int_equal(store_batch_add(&batch, s, values, count), RC_OK);
}
#define PUT(s, ...)                                                                                                    \
	put((s), (const struct store_value[]){__VA_ARGS__},                                                            \
	    sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value))

static void put_movement(int64_t seq, enum stock_state from, enum stock_state to, qty_t quantity)
{
	struct entry entry = {.sku = STR("A"), .location = STR("east"), .from = from, .to = to, .quantity = quantity};
	struct buf packed;

	buf_init(&packed, 4096);
	entry_pack(&packed, &entry);
	PUT(W_MOVEMENT, SV_INT(seq), SV_TEXT(STR("m")), SV_INT(1), SV_INT(1), SV_TEXT(STR("receive")), SV_NULL, SV_NULL,
	    SV_NULL, SV_NULL, SV_TEXT(STR("c")), SV_BLOB(arena_copy(&arena, buf_str(&packed))));
	buf_done(&packed);
}

/* What each of the wrong books is. */
enum wrong {
	WRONG_NOTHING,
	WRONG_BALANCE,
	WRONG_STATE,
	WRONG_HOLD,
	WRONG_ALLOCATION,
	WRONG_LINE,
	WRONG_PENDING,
	WRONG_COUNTER
};

/* Ten received, of these two held for a reservation and three allocated to an order for five; unless `w`. */
static void write_books(enum wrong w)
{
	struct store_options o;
	struct store *s = NULL;
	struct err e = ERR_NONE;
	struct str document;
	int64_t last;

	assert_int_equal(node_store_options(config, STR("acme"), &arena, &o, &e), RC_OK);
	assert_int_equal(store_open(&o, &s, &last, &e), RC_OK);
	store_batch_init(&batch, &arena, last + 1);
	PUT(W_ITEM, SV_TEXT(STR("A")), SV_INT(1), SV_NULL, SV_NULL, SV_NULL);
	put_movement(1, STOCK_OUTSIDE, STOCK_FREE, 10 * QTY_ONE);
	put_movement(2, STOCK_FREE, STOCK_HELD, 2 * QTY_ONE);
	put_movement(3, STOCK_FREE, STOCK_ALLOCATED, 3 * QTY_ONE);
	if (w == WRONG_STATE)
		put_movement(4, STOCK_DAMAGED, STOCK_FREE, QTY_ONE);
	PUT(W_POSITION, SV_TEXT(STR("A")), SV_TEXT(STR("east")), SV_TEXT(STR("")), SV_TEXT(STR("")), SV_INT(2),
	    SV_TEXT(w == WRONG_BALANCE ? STR("90000 20000 0 0 0 0 0 0 0") : STR("80000 20000 0 0 0 0 0 0 0")));
	PUT(W_META, SV_TEXT(STR("position_floor")), SV_INT(2));
	PUT(W_EVENT, SV_INT(1), SV_TEXT(STR("e")), SV_INT(1), SV_TEXT(STR("reservation.held")), SV_TEXT(STR("r")),
	    SV_NULL, SV_TEXT(STR("c")), SV_NULL,
	    SV_TEXT(
		w == WRONG_HOLD
		    ? STR("{\"channel\":\"shop\",\"lines\":[{\"sku\":\"A\",\"quantity\":\"1\",\"location\":\"east\"}]}")
		    : STR("{\"channel\":\"shop\",\"lines\":[{\"sku\":\"A\",\"quantity\":\"2\",\"location\":\"east\"}]"
			  "}")));
	PUT(W_RESERVATION, SV_INT(1), SV_INT(1), SV_INT(1), SV_INT(INT64_MAX / 2));
	assert_int_equal(compress(&arena, STR("{}"), &document), RC_OK);
	PUT(W_DOCUMENT, SV_INT(1), SV_TEXT(STR("order")), SV_INT(1), SV_BLOB(document));
	PUT(W_ORDER, SV_INT(1), SV_TEXT(STR("o")), SV_TEXT(STR("shop")), SV_TEXT(STR("1")), SV_INT(ORDER_BACKORDERED),
	    SV_INT(1), SV_INT(1), SV_TEXT(STR("GBP")), SV_NULL, SV_TEXT(STR("c")), SV_INT(1),
	    SV_TEXT(w == WRONG_ALLOCATION ? STR("{\"l\":[[\"1\",\"A\",\"5\",[[\"east\",\"4\"]],\"1\"]]}")
		    : w == WRONG_LINE     ? STR("{\"l\":[[\"1\",\"A\",\"5\",[[\"east\",\"3\"]],\"1\"]]}")
					  : STR("{\"l\":[[\"1\",\"A\",\"5\",[[\"east\",\"3\"]],\"2\"]]}")));
	PUT(W_INBOX, SV_INT(1), SV_INT(1), SV_TEXT(STR("message")), SV_TEXT(STR("shop")), SV_TEXT(STR("order")),
	    SV_TEXT(STR("c")), SV_NULL, SV_NULL, SV_INT(1), SV_NULL, SV_NULL,
	    SV_INT(w == WRONG_PENDING ? FATE_PENDING : FATE_DEAD), SV_NULL, SV_NULL, SV_NULL, SV_NULL, SV_NULL);
	if (w == WRONG_COUNTER) {
		PUT(W_META, SV_TEXT(STR("count:batch")), SV_INT(last + 1));
		PUT(W_META, SV_TEXT(STR("count:order/backordered")), SV_INT(1));
		PUT(W_META, SV_TEXT(STR("count:inbox/message/applied")), SV_INT(1));
	}
	assert_int_equal(store_commit(s, &batch, &e), RC_OK);
	store_close(s);
}

static void put_dead_letter(int64_t seq, const char *id, const char *class_, struct str payload)
{
	PUT(W_DEAD_LETTER, SV_INT(seq), SV_TEXT(str_from(id)), SV_INT(5), SV_TEXT(str_from(class_)),
	    SV_TEXT(STR("shop")), SV_INT(seq), SV_NULL, SV_TEXT(STR("c")), SV_TEXT(STR("The field /lines is missing.")),
	    SV_INT(seq - 1), SV_NULL, SV_NULL, payload.n ? SV_BLOB(payload) : SV_NULL, SV_NULL, SV_NULL);
}

static void test_dead_letters(void **state)
{
	const struct query_page page = {.limit = 10};
	struct store_options o;
	struct store *s = NULL;
	struct err e0 = ERR_NONE;
	struct str packed;
	int64_t last;
	(void)state;

	assert_int_equal(node_store_options(config, STR("acme"), &arena, &o, &e0), RC_OK);
	assert_int_equal(store_open(&o, &s, &last, &e0), RC_OK);
	store_batch_init(&batch, &arena, last + 1);
	assert_int_equal(compress(&arena, STR("{\"id\":\"sent\"}"), &packed), RC_OK);
	PUT(W_INBOX, SV_INT(1), SV_INT(1), SV_TEXT(STR("message")), SV_TEXT(STR("shop")), SV_TEXT(STR("order")),
	    SV_TEXT(STR("c")), SV_NULL, SV_NULL, SV_INT(1), SV_TEXT(STR("authorization: hidden")), SV_BLOB(packed),
	    SV_INT(FATE_DEAD), SV_NULL, SV_NULL, SV_NULL, SV_NULL, SV_NULL);
	put_dead_letter(1, "open", "mapping", STR_NONE);
	put_dead_letter(2, "replayed", "validation", STR("\xff\xfe"));
	assert_int_equal(store_commit(s, &batch, &e0), RC_OK);
	store_close(s);
	open_node();

	const struct json *j = ASK(query_dead_letter(&query, STR("open"), &out, &e));
	check(j, "status", "open");
	check(j, "kind", "message");
	check(j, "message/payload", "{\"id\":\"sent\"}");
	assert_null(json_get(json_get(j, "message"), "headers"));
	j = ASK(query_dead_letter(&query, STR("replayed"), &out, &e));
	check(j, "payload_base64", "//4=");
	check(j, "status", "replayed");
	assert_null(json_get(j, "message")); /* retention has taken it away */
	j = ASK(query_dead_letters(
	    &query, &(struct query_dead_letters){.system = STR("shop"), .class_ = STR("mapping")}, &page, &out, &e));
	assert_int_equal(json_get(j, "items")->count, 1);
	check(j, "items/0/id", "open");
	j = ASK(query_dead_letters(&query, &(struct query_dead_letters){.system = STR("erp")}, &page, &out, &e));
	assert_int_equal(json_get(j, "items")->count, 0);
	j = ASK(query_overview(&query, &out, &e));
	check(j, "dead_letters_open", "1");
}

/* Systems, classes, times, states and operations of dead letters 1, 2, ... */
static const struct {
	const char *system, *class_;
	int64_t at;
	int status;
	const char *operation; /* empty: of a message */
} dead[] = {{"shop", "mapping", 1000, 0, ""},
	    {"erp", "technical", 2000, 0, "order.post"},
	    {"erp", "unknown", 3000, 0, "order.post"},
	    {"erp", "technical", 3000, 1, "order.post"},
	    {NULL, "mapping", 4000, 0, ""},
	    {"erp", "technical", 5000, 0, "order.cancel"},
	    {"shop", "technical", 6000, 0, "order.post"},
	    {"shop", "mapping", 7000, 2, ""}};

static enum rc note_seq(void *ctx, const struct store_value *row, size_t count)
{
	(void)count;
	buf_printf(ctx, "%lld ", (long long)row[0].integer);
	return RC_OK;
}

/* What fits is found from its index, and counted, with any bounds. */
static void test_dead_letters_by_filter(void **state)
{
	static const struct {
		const char *system, *class_, *operation;
		int64_t from, to, after, through;
		uint32_t max;
		const char *found;
	} cases[] = {
	    {"", "", "", 0, 0, 0, INT64_MAX, 100, "1 2 3 5 6 7 "},
	    {"", "", "", 0, 0, 2, 6, 100, "3 5 6 "},
	    {"", "", "", 0, 0, 0, INT64_MAX, 2, "1 2 "},
	    {"erp", "", "", 0, 0, 0, INT64_MAX, 100, "2 3 6 "},
	    {"erp", "", "", 0, 0, 2, INT64_MAX, 1, "3 "},
	    {"", "technical", "", 0, 0, 0, INT64_MAX, 100, "2 6 7 "},
	    {"erp", "technical", "", 0, 0, 0, INT64_MAX, 100, "2 6 "},
	    {"erp", "technical", "", 0, 0, 2, 5, 100, ""},
	    {"", "", "", 3000, 0, 0, INT64_MAX, 100, "3 5 6 7 "},
	    {"", "", "", 2500, 5000, 0, INT64_MAX, 100, "3 5 "},
	    {"erp", "", "", 2000, 3000, 0, INT64_MAX, 100, "2 "},
	    {"", "", "", 9000, 0, 0, INT64_MAX, 100, ""},
	    {"", "mapping", "", 0, 1001, 0, INT64_MAX, 100, "1 "},
	    {"wms", "", "", 0, 0, 0, INT64_MAX, 100, ""},
	    {"", "", "order.post", 0, 0, 0, INT64_MAX, 100, "2 3 7 "},
	    {"", "", "order.post", 0, 0, 2, 6, 100, "3 "},
	    {"erp", "", "order.post", 0, 0, 0, INT64_MAX, 100, "2 3 "},
	    {"", "technical", "order.post", 0, 0, 0, INT64_MAX, 100, "2 7 "},
	    {"erp", "technical", "order.post", 0, 0, 0, INT64_MAX, 100, "2 "},
	    {"erp", "", "order.post", 2500, 0, 0, INT64_MAX, 100, "3 "},
	    {"", "", "price", 0, 0, 0, INT64_MAX, 100, ""},
	};
	struct store_options o;
	struct store *s = NULL;
	struct err e0 = ERR_NONE;
	int64_t last;
	(void)state;

	assert_int_equal(node_store_options(config, STR("acme"), &arena, &o, &e0), RC_OK);
	assert_int_equal(store_open(&o, &s, &last, &e0), RC_OK);
	store_batch_init(&batch, &arena, last + 1);
	for (size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++) {
		const char *id = arena_printf(&arena, "d%zu", i + 1);

		PUT(W_DEAD_LETTER, SV_INT((int64_t)i + 1), SV_TEXT(str_from(id)), SV_INT(dead[i].at),
		    SV_TEXT(str_from(dead[i].class_)), dead[i].system ? SV_TEXT(str_from(dead[i].system)) : SV_NULL,
		    SV_NULL, SV_NULL, SV_TEXT(STR("c")), SV_TEXT(STR("why")), SV_INT(dead[i].status), SV_NULL, SV_NULL,
		    SV_NULL, SV_NULL, SV_TEXT_OPT(str_from(dead[i].operation)));
	}
	assert_int_equal(store_commit(s, &batch, &e0), RC_OK);
	store_close(s);
	open_node();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct dead_letter_filter f = {str_from(cases[i].system), str_from(cases[i].class_),
						     str_from(cases[i].operation), cases[i].from, cases[i].to};
		int64_t count, through;
		struct buf seqs;
		size_t n = 0;

		buf_init(&seqs, 1000);
		assert_int_equal(
		    dead_letters_read(&query, &f, cases[i].after, cases[i].through, cases[i].max, note_seq, &seqs, &e0),
		    RC_OK);
		if (!str_eq(buf_str(&seqs), str_from(cases[i].found)))
			fail_msg("case %zu: " STR_FMT, i, STR_ARG(buf_str(&seqs)));
		for (size_t j = 0; j < seqs.n; j++)
			n += seqs.p[j] == ' ';
		assert_int_equal(dead_letters_count(&query, &f, &count, &through, &e0), RC_OK);
		if (!cases[i].after && cases[i].max == 100)
			assert_int_equal(count, n);
		buf_done(&seqs);
	}
	/* The lists by the same indexes, newest first. */
	const struct query_page page = {.limit = 2};
	const struct json *j = ASK(query_dead_letters(
	    &query, &(struct query_dead_letters){.system = STR("erp"), .status = STR("open")}, &page, &out, &e));
	check(j, "items/0/id", "d6");
	check(j, "items/1/id", "d3");
	j = ASK(query_dead_letters(&query,
				   &(struct query_dead_letters){STR("erp"), STR("technical"), STR_NONE, STR("open")},
				   &page, &out, &e));
	check(j, "items/1/id", "d2");
	j = ASK(query_dead_letters(
	    &query, &(struct query_dead_letters){.class_ = STR("mapping"), .status = STR("open")}, &page, &out, &e));
	check(j, "items/0/id", "d5");
	check(j, "items/1/id", "d1");
	static const struct {
		struct query_dead_letters by;
		const char *first, *second;
	} lists[] = {
	    {{.operation = STR("order.post"), .status = STR("open")}, "d7", "d3"},
	    {{.system = STR("erp"), .operation = STR("order.post"), .status = STR("open")}, "d3", "d2"},
	    {{.class_ = STR("technical"), .operation = STR("order.post"), .status = STR("open")}, "d7", "d2"},
	    {{STR("shop"), STR("technical"), STR("order.post"), STR("open")}, "d7", NULL},
	    {{.operation = STR("order.post")}, "d7", "d4"}, /* the closed ones as well */
	};
	for (size_t i = 0; i < COUNT(lists); i++) {
		j = ASK(query_dead_letters(&query, &lists[i].by, &page, &out, &e));
		check(j, "items/0/id", lists[i].first);
		check(j, "items/0/operation", "order.post");
		if (lists[i].second)
			check(j, "items/1/id", lists[i].second);
		assert_int_equal(json_get(j, "items")->count, lists[i].second ? 2 : 1);
	}
}

static void audit_finds(enum wrong w, const char *name)
{
	static const char *const names[] = {"ledger", "states", "memory",     "holds",    "allocations",
					    "orders", "inbox",  "deliveries", "counters", "serials"};

	write_books(w);
	open_node();
	const struct json *j = ASK(query_audit(&query, &out, &e));
	assert_int_equal(json_get(j, "ok")->boolean, name == NULL);
	for (size_t i = 0; i < COUNT(names); i++) {
		bool expected = !name || strcmp(names[i], name) != 0;
		/* A balance that is wrong on the disk is wrong in memory too. */
		if (w == WRONG_BALANCE && strcmp(names[i], "memory") == 0)
			expected = false;
		if (audit_says(j, names[i]) != expected)
			print_error("%s is %s\n", names[i], expected ? "wrong" : "right");
		assert_int_equal(audit_says(j, names[i]), expected);
	}
}

#define AUDIT_TEST(title, wrong, name)                                                                                 \
	static void title(void **state)                                                                                \
	{                                                                                                              \
		(void)state;                                                                                           \
		audit_finds(wrong, name);                                                                              \
	}

AUDIT_TEST(test_audit_of_written_books, WRONG_NOTHING, NULL)
AUDIT_TEST(test_audit_finds_a_wrong_balance, WRONG_BALANCE, "ledger")
AUDIT_TEST(test_audit_finds_a_negative_state, WRONG_STATE, "states")
AUDIT_TEST(test_audit_finds_a_hold_without_reservation, WRONG_HOLD, "holds")
AUDIT_TEST(test_audit_finds_an_allocation_without_order, WRONG_ALLOCATION, "allocations")
AUDIT_TEST(test_audit_finds_a_line_that_does_not_add_up, WRONG_LINE, "orders")
AUDIT_TEST(test_audit_finds_a_message_that_waits, WRONG_PENDING, "inbox")
AUDIT_TEST(test_audit_finds_a_wrong_counter, WRONG_COUNTER, "counters")

/* ---- counters ---- */

static int64_t counter(const char *name)
{
	int64_t last, total = 0;
	size_t count;
	const struct counter *c = counters_read(hub_counters(hub), &arena, &count, &last);

	for (size_t i = 0; i < count; i++)
		total += str_is(c[i].name, name) ? c[i].total : 0;
	return total;
}

static void reopen(void)
{
	store_reader_close(query.reader);
	node_close(node);
	open_node();
}

static void audit_is_good(void)
{
	const struct json *j = ASK(query_audit(&query, &out, &e));

	if (!json_get(j, "ok")->boolean)
		fail_msg("the books do not add up: " STR_FMT, STR_ARG(buf_str(&out)));
}

static void test_counters_outlive_a_restart(void **state)
{
	(void)state;
	fill();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(counter("count:order/backordered") + counter("count:order/reserved"), 2);
		assert_int_equal(counter("count:order/captured"), 0);
		assert_int_equal(counter("count:exception/backordered"), 1);
		assert_int_equal(counter("count:inbox/order/applied"), 2);
		assert_int_equal(counter("count:delivery/erp/order.post/open"), 2);
		audit_is_good();
		reopen();
	}
	move("{\"source\":\"shop\",\"source_event_id\":\"2\",\"type\":\"receive\",\"occurred_at\":\"2026-03-01T12:00:"
	     "00Z\",\"lines\":[{\"sku\":\"A\",\"location\":\"east\",\"quantity\":\"1\"}]}");
	assert_int_equal(counter("count:inbox/stock-movement/applied"), 2);
	audit_is_good();
}

static void test_a_store_without_counters_is_counted(void **state)
{
	(void)state;
	write_books(WRONG_NOTHING);
	open_node();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(counter("count:order/backordered"), 1);
		assert_int_equal(counter("count:inbox/message/dead_letter"), 1);
		move("{\"source\":\"shop\",\"source_event_id\":\"3\",\"type\":\"receive\",\"occurred_at\":\"2026-03-"
		     "01T12:"
		     "00:00Z\",\"lines\":[{\"sku\":\"B\",\"location\":\"east\",\"quantity\":\"1\"}]}");
		audit_is_good();
		reopen();
	}
	assert_int_equal(counter("count:inbox/stock-movement/applied"), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_counters_outlive_a_restart),
	    TEST(test_a_store_without_counters_is_counted),
	    TEST(test_audit_finds_a_wrong_counter),
	    TEST(test_an_order),
	    TEST(test_lists_of_orders),
	    TEST(test_stock),
	    TEST(test_events),
	    TEST(test_traces),
	    TEST(test_operating),
	    TEST(test_dead_letters),
	    TEST(test_dead_letters_by_filter),
	    TEST(test_the_audit_of_good_books),
	    TEST(test_audit_of_written_books),
	    TEST(test_audit_finds_a_wrong_balance),
	    TEST(test_audit_finds_a_negative_state),
	    TEST(test_audit_finds_a_hold_without_reservation),
	    TEST(test_audit_finds_an_allocation_without_order),
	    TEST(test_audit_finds_a_line_that_does_not_add_up),
	    TEST(test_audit_finds_a_message_that_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
