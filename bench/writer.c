/*
 * bench_writer DIR INPUT COUNT GROUP: what an order and a delivery cost the writer, without threads or a network, so
 * that the numbers are the same on every run. valgrind --tool=callgrind --toggle-collect=FUNCTION counts the
 * instructions of one part: read_orders (decode, check, compress), intake, deliver.
 *
 * Takes COUNT orders from the folder INPUT (of bench_orders), GROUP a commit, into a new store below DIR, which holds
 * stock of all their items, then delivers each to the ERP, GROUP starts and GROUP results a commit. Prints what was
 * written to the WAL: for an order, for a delivery.
 */
#include "base/compress.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "hub/hub.h"
#include "marks.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_MAX 100000

static const char yaml[] =
    "tenants:\n"
    "  bench:\n"
    "    locations: {east: {}}\n"
    "    systems:\n"
    "      shop: {connector: canonical, url: \"http://127.0.0.1:1\", roles: [channel]}\n"
    "      portal: {connector: canonical, url: \"http://127.0.0.1:1\", roles: [channel]}\n"
    "      erp: {connector: canonical, url: \"http://127.0.0.1:1\", roles: [erp]}\n"
    "      wms: {connector: canonical, url: \"http://127.0.0.1:1\", roles: [warehouse], locations: [east]}\n"
    "    channels: {shop: {}, portal: {}}\n"
    "    sku_case: upper\n"
    "    records: {stock: wms}\n"
    "    processes: {order: order-to-cash}\n";

static struct {
	struct hub *hub;
	int64_t now;
	struct arena arena;
	struct command **orders;
	struct str *bodies, *requests; /* requests: as an attempt keeps them */
	size_t count, group, done;
	struct delivery_head *posts;
	size_t post_count;
	uint32_t erp;
} b;

static void check(enum rc rc, const struct err *e)
{
	if (rc != RC_OK)
		errx(1, "%s: %s", e->code, e->detail);
}

static int64_t wall(const struct clock *c)
{
	(void)c;
	return b.now;
}

static int64_t mono(const struct clock *c)
{
	(void)c;
	return b.now * 1000000;
}

static void told(void *ctx, struct hub *h, const struct delivery_head *heads, size_t count)
{
	(void)ctx;
	(void)h;
	for (size_t i = 0; i < count; i++)
		if (heads[i].system == b.erp && heads[i].operation == OP_ORDER_POST)
			b.posts[b.post_count++] = heads[i];
}

static void answered(struct command *c, void *ctx)
{
	(void)ctx;
	if (c->answer.status >= 300)
		errx(1, "%d " STR_FMT, c->answer.status, STR_ARG(c->answer.body));
	b.done++;
}

static void submit(struct command *c)
{
	c->done = answered;
	if (hub_submit(b.hub, c) != RC_OK)
		errx(1, "the hub takes nothing");
}

static void run(void)
{
	int64_t next;
	b.now += 3;
	(void)hub_run(b.hub, 0, &next);
}

/* Bytes that this process has written to files so far. */
static int64_t written(void)
{
	char line[128];
	long long n = 0;
	FILE *f = fopen("/proc/self/io", "re");
	if (!f)
		err(1, "/proc/self/io");
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "wchar: %lld", &n);
	(void)fclose(f);
	return n;
}

/* As the edge does it. */
static struct command *read_order(struct str body)
{
	struct command *c = command_new(COMMAND_ORDER_CAPTURE);
	struct json *doc;
	struct findings f;
	struct err e = ERR_NONE;
	findings_init(&f, &c->arena);
	check(json_parse(&c->arena, body, NULL, &doc, &e), &e);
	if (order_read(&c->arena, doc, SKU_UPPER, &c->order, &f) != RC_OK)
		errx(1, "not an order: %s %s", f.list[0].pointer, f.list[0].detail);
	c->fingerprint = json_fingerprint(doc, &command_fingerprint_key);
	check(compress(&c->arena, body, &c->document), &e);
	c->correlation_id = str_from(arena_printf(&c->arena, "019a0000-0000-7000-8000-%012zu", b.done++));
	c->source = c->order.channel;
	return c;
}

static FILE *open_input(const char *folder, const char *name)
{
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "re");
	if (!f)
		err(1, "%s", path);
	return f;
}

static void read_bodies(const char *folder)
{
	static const size_t hole = sizeof(MARKS_PLACEHOLDER) - 1;
	char *line = NULL;
	size_t room = 0;
	FILE *f = open_input(folder, "orders.ndjson");
	for (size_t i = 0; i < b.count; i++) {
		ssize_t n = getline(&line, &room, f);
		if (n <= 1) {
			rewind(f);
			n = getline(&line, &room, f);
		}
		if (n <= 1)
			errx(1, "no orders");
		/* The placeholder is what makes a repeated body another order. */
		char *at = strstr(line, MARKS_PLACEHOLDER), number[32];
		if (!at)
			errx(1, "an order without a placeholder");
		(void)snprintf(number, sizeof(number), "-b%020zu", i);
		memcpy(at + 2, number + 22 - (hole - 2), hole - 2);
		b.bodies[i] = arena_copy(&b.arena, (struct str){line, (size_t)n - 1});
	}
	free(line);
	(void)fclose(f);
}

static struct command *read_stock(struct str body)
{
	struct command *c = command_new(COMMAND_STOCK_MOVE);
	struct json *doc;
	struct findings f;
	struct err e = ERR_NONE;
	findings_init(&f, &c->arena);
	c->movements.items = arena_new(&c->arena, struct command_movement);
	c->movements.count = 1;
	check(json_parse(&c->arena, body, NULL, &doc, &e), &e);
	if (movement_read(&c->arena, doc, SKU_UPPER, "", &c->movements.items->movement, &f) != RC_OK)
		errx(1, "not a movement: %s %s", f.list[0].pointer, f.list[0].detail);
	c->movements.items->fingerprint = json_fingerprint(doc, &command_fingerprint_key);
	check(compress(&c->arena, body, &c->document), &e);
	c->correlation_id = STR("stock");
	c->source = STR("wms");
	return c;
}

static void take_stock(const char *folder)
{
	char *line = NULL;
	size_t room = 0;
	FILE *f = open_input(folder, "movements.ndjson");
	for (ssize_t n; (n = getline(&line, &room, f)) > 1;) {
		struct command *c = read_stock((struct str){line, (size_t)n - 1});
		submit(c);
		run();
		command_free(c);
	}
	free(line);
	(void)fclose(f);
	/* All its rows are written, so that the orders do not pay for them. */
	for (int i = 0; i < 100; i++)
		run();
}

static void make_requests(void)
{
	static const char head[] = "POST http://127.0.0.1:1/orders\ncontent-type: application/json\n"
				   "idempotency-key: 019a0000-0000-7000-8000-000000000000\n"
				   "correlation-id: 019a0000-0000-7000-8000-000000000000\nauthorization: ***\n\n";
	for (size_t i = 0; i < b.count; i++) {
		struct str text = str_from(arena_printf(&b.arena, "%s" STR_FMT, head, STR_ARG(b.bodies[i])));
		if (compress_text(&b.arena, text, &b.requests[i]) != RC_OK)
			errx(1, "out of room");
	}
}

static void __attribute__((noinline)) read_orders(void)
{
	for (size_t i = 0; i < b.count; i++)
		b.orders[i] = read_order(b.bodies[i]);
	b.done = 0;
}

static void __attribute__((noinline)) intake(void)
{
	for (size_t i = 0; i < b.count; i++) {
		submit(b.orders[i]);
		if ((i + 1) % b.group == 0)
			run();
	}
	run();
}

static struct str order_id(size_t i)
{
	static const char before[] = "{\"order_id\":\"";
	return (struct str){b.orders[i]->answer.body.p + sizeof(before) - 1, UUID_TEXT};
}

static void start(const struct delivery_head *heads, size_t from, size_t count)
{
	struct command *c = command_new(COMMAND_DELIVERY_START);
	c->starts.items = arena_array(&c->arena, struct delivery_start, count);
	for (size_t i = 0; i < count; i++)
		c->starts.items[c->starts.count++] = (struct delivery_start){.seq = heads[i].seq,
									     .system = heads[i].system,
									     .operation = heads[i].operation,
									     .order_id = order_id(from + i)};
	submit(c);
	run();
	for (size_t i = 0; i < count; i++)
		if (!c->starts.items[i].go)
			errx(1, "a delivery was not started");
	command_free(c);
}

static void result_of(struct delivery_result *r, const struct delivery_head *head, size_t i)
{
	*r = (struct delivery_result){
	    .seq = head->seq,
	    .system = head->system,
	    .operation = head->operation,
	    .attempts = 1,
	    .created_at = head->created_at,
	    .delivery_id = STR("019a0000-0000-7000-8000-000000000000"),
	    .key = order_id(i),
	    .order_id = order_id(i),
	    .correlation_id = b.orders[i]->correlation_id,
	    .outcome = OUTCOME_DELIVERED,
	    .at = b.now,
	    .duration_us = 812,
	    .http_status = 201,
	    .external_id = STR("SO-100042"),
	    .request = b.requests[i],
	    .response = STR("{\"order_number\":\"SO-100042\",\"status\":\"accepted\"}"),
	};
}

static void finish(const struct delivery_head *heads, size_t from, size_t count)
{
	struct command *c = command_new(COMMAND_DELIVERY_RESULT);
	c->results.items = arena_array(&c->arena, struct delivery_result, count);
	for (; c->results.count < count; c->results.count++)
		result_of(&c->results.items[c->results.count], &heads[c->results.count], from + c->results.count);
	submit(c);
	run();
	command_free(c);
}

static void __attribute__((noinline)) deliver(void)
{
	for (size_t i = 0; i < b.post_count; i += b.group) {
		size_t n = b.post_count - i < b.group ? b.post_count - i : b.group;
		start(&b.posts[i], i, n);
		finish(&b.posts[i], i, n);
	}
}

static void open_hub(const char *dir)
{
	static const struct clock clock = {wall, mono};
	char path[4096], url[4200];
	struct config *config;
	struct findings found;
	struct err e = ERR_NONE;
	const char *share = getenv("CROSSDOCK_SHARE");
	(void)snprintf(path, sizeof(path), "%s/crossdock.yaml", dir);
	FILE *f = fopen(path, "we");
	if (!f || fputs(yaml, f) < 0 || fclose(f) != 0)
		err(1, "%s", path);
	findings_init(&found, &b.arena);
	if (config_load(dir, share ? share : ".", &config, &found) != RC_OK)
		errx(1, "%s: %s", found.list[0].pointer, found.list[0].detail);
	(void)snprintf(url, sizeof(url), "sqlite:%s/writer.db", dir);
	struct store_options store = {.url = url, .clock = &clock};
	check(hub_open(config, &config->tenants[0], &store, &clock, &b.hub, &e), &e);
	hub_set_sinks(b.hub, &(struct hub_sinks){.deliveries = told});
	for (size_t i = 0; i < config->tenants[0].system_count; i++)
		if (str_is(config->tenants[0].systems[i].name, "erp"))
			b.erp = (uint32_t)i;
	config_unref(config);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		errx(2, "usage: bench_writer DIR INPUT COUNT GROUP");
	b.count = strtoul(argv[3], NULL, 10);
	b.group = strtoul(argv[4], NULL, 10);
	if (b.count == 0 || b.count > COUNT_MAX || b.group == 0 || b.group > b.count)
		errx(2, "COUNT is 1 to %d, GROUP 1 to COUNT", COUNT_MAX);
	b.now = 1772366400000;
	arena_init(&b.arena, (size_t)4 << 30);
	b.orders = mem_zalloc(b.count, sizeof(struct command *));
	b.bodies = mem_zalloc(b.count, sizeof(*b.bodies));
	b.requests = mem_zalloc(b.count, sizeof(*b.requests));
	b.posts = mem_zalloc(2 * b.count, sizeof(*b.posts));
	read_bodies(argv[2]);
	read_orders();
	make_requests();
	open_hub(argv[1]);
	take_stock(argv[2]);
	b.post_count = 0;
	int64_t at = written();
	intake();
	printf("order: %lld bytes written\n", (long long)((written() - at) / (int64_t)b.count));
	if (b.post_count != b.count)
		errx(1, "%zu deliveries to the ERP", b.post_count);
	at = written();
	deliver();
	printf("delivery: %lld bytes written\n", (long long)((written() - at) / (int64_t)b.count));
	for (size_t i = 0; i < b.count; i++)
		command_free(b.orders[i]);
	hub_close(b.hub);
	arena_done(&b.arena);
	free(b.orders);
	free(b.bodies);
	free(b.requests);
	free(b.posts);
	return 0;
}
