/*
 * A hub for tests: a real store in a temporary folder, a clock that the test moves, the answers to commands and what
 * can be seen of it. world.heads is what the delivery engine would have been told. For tests only.
 */
#ifndef HUB_TEST_WORLD_H
#define HUB_TEST_WORLD_H

#include "base/test.h"
#include "hub/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WORLD_HEADS_MAX 20000

/* The answer to a command; filled when it is done. */
struct reply {
	int status;
	bool done, replayed;
	char code[48], body[2000], id[64]; /* id: of the order, movement or reservation */
};

static struct world {
	char folder[64], url[160];
	const char *vfs;
	struct arena arena; /* scratch of a test */
	struct config *config;
	struct hub *hub;
	struct store_reader *reader;
	struct buf out;
	struct clock clock;
	int64_t now;
	struct delivery_head heads[WORLD_HEADS_MAX]; /* that the sink was told of since the start of the hub */
	struct delivery_change last_change;
	size_t change_count;
	size_t head_count;
	struct {
		int64_t seq;
		struct str payload;
	} messages[64];
	size_t message_count;
	int64_t told_position;
} world;

static const char world_yaml[] =
    "tenants:\n"
    "  acme:\n"
    "    locations: {east: {}, west: {}}\n"
    "    systems:\n"
    "      shop: {connector: canonical, url: \"http://127.0.0.1:1\", roles: [channel]}\n"
    "      portal: {connector: canonical, url: \"http://127.0.0.1:1\", roles: [channel]}\n"
    "      erp: {connector: canonical, url: \"http://127.0.0.1:1\", roles: [erp]}\n"
    "      wms: {connector: canonical, url: \"http://127.0.0.1:1\", roles: [warehouse],"
    " locations: [east, west]}\n"
    "    channels:\n"
    "      shop: {locations: [east, west], linger: 0ms}\n"
    "      portal: {locations: [east], share: 50%, buffer: \"1\", strict: true, linger: 0ms}\n"
    "    records: {stock: wms, item: erp}\n"
    "    processes: {order: order-to-cash}\n";

/* ---- open and close ---- */

static inline int64_t world_wall(const struct clock *c)
{
	(void)c;
	return world.now;
}

static inline int64_t world_mono(const struct clock *c)
{
	(void)c;
	return world.now * 1000000;
}

static inline void world_told_deliveries(void *ctx, struct hub *h, const struct delivery_head *heads, size_t count)
{
	(void)ctx;
	(void)h;
	assert_true(world.head_count + count <= WORLD_HEADS_MAX);
	memcpy(world.heads + world.head_count, heads, count * sizeof(*heads));
	world.head_count += count;
}

static inline void world_told_message(void *ctx, struct hub *h, struct message *m)
{
	(void)ctx;
	(void)h;
	assert_true(world.message_count < COUNT(world.messages));
	world.messages[world.message_count].seq = m->seq;
	world.messages[world.message_count++].payload = arena_copy(&world.arena, m->payload);
	message_free(m);
}

static inline void world_told_changes(void *ctx, struct hub *h, const struct delivery_change *changes, size_t count)
{
	(void)ctx;
	(void)h;
	assert_true(count > 0);
	world.last_change = changes[count - 1];
	world.change_count += count;
}

static inline void world_told_events(void *ctx, struct hub *h, int64_t position)
{
	(void)ctx;
	(void)h;
	assert_true(position > world.told_position);
	world.told_position = position;
}

static inline enum rc world_try_open(struct err *e)
{
	const struct hub_sinks sinks = {.deliveries = world_told_deliveries,
					.message = world_told_message,
					.events = world_told_events,
					.changes = world_told_changes};
	const struct store_options store = {.url = world.url, .vfs = world.vfs, .clock = &world.clock};
	enum rc rc = hub_open(world.config, &world.config->tenants[0], &store, &world.clock, &world.hub, e);

	world.head_count = 0;
	world.message_count = 0;
	world.told_position = 0;
	if (rc != RC_OK) {
		world.hub = NULL;
		return rc;
	}
	hub_set_sinks(world.hub, &sinks);
	rc = hub_resume(world.hub, e);
	if (rc == RC_OK)
		rc = store_reader_open(hub_store(world.hub), &world.reader, e);
	return rc;
}

static inline void world_open(void)
{
	struct err e = ERR_NONE;

	if (world_try_open(&e) != RC_OK)
		fail_msg("%s: %s", e.code, e.detail);
}

static inline void world_close(void)
{
	store_reader_close(world.reader);
	world.reader = NULL;
	hub_close(world.hub);
	world.hub = NULL;
}

static inline void reopen(void)
{
	world_close();
	world_open();
}

static inline void world_configure(const char *yaml)
{
	char path[96];
	struct findings f;
	FILE *file;

	snprintf(path, sizeof(path), "%s/crossdock.yaml", world.folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(yaml, file);
	fclose(file);
	config_unref(world.config);
	world.config = NULL;
	findings_init(&f, &world.arena);
	assert_int_equal(config_load(world.folder, CD_SOURCE_DIR, &world.config, &f), RC_OK);
}

static inline void world_init(void)
{
	world = (struct world){.now = 1772366400000, .clock = {world_wall, world_mono}};
	snprintf(world.folder, sizeof(world.folder), "/tmp/crossdock-hub-XXXXXX");
	assert_non_null(mkdtemp(world.folder));
	snprintf(world.url, sizeof(world.url), "sqlite:%s/hub.db", world.folder);
	arena_init(&world.arena, 256u << 20);
	buf_init(&world.out, 16u << 20);
	world_configure(world_yaml);
}

static inline void world_done(void)
{
	char command[128];

	config_unref(world.config);
	buf_done(&world.out);
	arena_done(&world.arena);
	snprintf(command, sizeof(command), "rm -r '%s'", world.folder);
	assert_int_equal(system(command), 0);
}

/* The same text with " for '; in the arena. */
static inline char *world_text(const char *format, ...) PRINTF_LIKE(1, 2);
static inline char *world_text(const char *format, ...)
{
	char text[20000];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	assert_true(n >= 0 && (size_t)n < sizeof(text));
	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	return (char *)arena_copy(&world.arena, str_from(text)).p;
}

/* ---- submit, run, answer ---- */

static inline void world_answered(struct command *c, void *ctx)
{
	static const char *const ids[] = {"order_id", "movement_id", "reservation_id"};
	struct reply *r = ctx;
	struct json *body = NULL;

	assert_false(r->done);
	r->done = true;
	r->status = c->answer.status;
	r->replayed = c->answer.replayed;
	assert_int_equal(r->status >= 400, c->answer.code != NULL);
	snprintf(r->code, sizeof(r->code), "%s", c->answer.code ? c->answer.code : "");
	snprintf(r->body, sizeof(r->body), STR_FMT, STR_ARG(c->answer.body));
	if (json_parse(&c->arena, c->answer.body, NULL, &body, NULL) != RC_OK)
		fail_msg("the answer is not JSON: %s", r->body);
	for (size_t i = 0; i < COUNT(ids); i++)
		if (json_get_text(body, ids[i]).n)
			snprintf(r->id, sizeof(r->id), STR_FMT, STR_ARG(json_get_text(body, ids[i])));
}

static inline void world_keep(struct command *c, void *ctx)
{
	world_answered(c, ctx);
	command_free(c);
}

/* Queued for the next batch. The reply must stay. */
static inline void post(struct command *c, struct reply *r)
{
	*r = (struct reply){0};
	c->done = world_keep;
	c->ctx = r;
	assert_int_equal(hub_submit(world.hub, c), RC_OK);
}

static inline int64_t run(void)
{
	int64_t next;

	hub_run(world.hub, 0, &next);
	return next;
}

static inline struct reply do_command(struct command *c)
{
	struct reply r;

	post(c, &r);
	run();
	assert_true(r.done);
	return r;
}

/* ---- what can be seen ---- */

static inline const struct json *world_answer(enum rc rc, const struct err *e)
{
	const struct json_limits limits = {.bytes = 16u << 20, .depth = 64, .nodes = 1u << 20};
	struct json *parsed = NULL;

	if (rc != RC_OK)
		fail_msg("%s: %s", e->code, e->detail);
	assert_int_equal(
	    json_parse(&world.arena, arena_copy(&world.arena, buf_str(&world.out)), &limits, &parsed, NULL), RC_OK);
	return parsed;
}

/* The answer of a query, whose first argument is the query and whose last are buffer and error. */
#define ASK(function, ...)                                                                                             \
	({                                                                                                             \
		struct query q_ = {world.hub, world.reader, &world.arena};                                             \
		struct err e_ = ERR_NONE;                                                                              \
		buf_reset(&world.out);                                                                                 \
		enum rc rc_ = function(&q_, ##__VA_ARGS__, &world.out, &e_);                                           \
		world_answer(rc_, &e_);                                                                                \
	})

/* "lines/0/status": the text of what is there, or of its number. */
static inline const char *world_at(const struct json *j, const char *path)
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
	return j ? arena_printf(&world.arena, STR_FMT, STR_ARG(json_text(j))) : "";
}

static inline const char *order_at(const char *order_id, const char *path)
{
	return world_at(ASK(query_order, str_from(order_id)), path);
}

/* An item's states that are not zero, over all positions: "free 4 allocated 6". */
static inline const char *stock_of(const char *sku)
{
	const struct json *totals = json_get(ASK(query_stock, str_from(sku)), "totals");
	const char *text = "";

	for (uint32_t i = 0; i < totals->count; i++) {
		struct str value = json_text(&totals->members[i].value);

		if (!str_is(value, "0"))
			text = arena_printf(&world.arena, "%s%s" STR_FMT " " STR_FMT, text, text[0] ? " " : "",
					    STR_ARG(totals->members[i].name), STR_ARG(value));
	}
	return text;
}

static inline const char *available(const char *channel, const char *sku)
{
	const struct str skus[] = {str_from(sku)};

	return world_at(ASK(query_availability, str_from(channel), skus, 1), "items/0/available");
}

static inline uint32_t count_events(const char *type)
{
	const struct str types[] = {str_from(type)};
	struct query q = {world.hub, world.reader, &world.arena};
	struct err e = ERR_NONE;
	uint32_t count = 0;
	int64_t last = 0;

	do {
		buf_reset(&world.out);
		enum rc rc = query_events(&q, last, types, 1, 1000, &world.out, &last, &e);
		count += json_get(world_answer(rc, &e), "items")->count;
	} while (last < hub_position(world.hub));
	return count;
}

/* Exceptions of this kind; all if NULL. */
static inline uint32_t count_exceptions(const char *kind)
{
	const struct query_page page = {.limit = 1000};
	const struct json *items = json_get(ASK(query_exceptions, &page), "items");
	uint32_t count = 0;

	for (uint32_t i = 0; i < items->count; i++)
		count += !kind || str_is(json_get_text(&items->items[i], "kind"), kind);
	return count;
}

static inline void check_audit(void)
{
	const struct json *j = ASK(query_audit);

	if (!json_get(j, "ok")->boolean)
		fail_msg("the books do not add up: %s", world.out.p);
}

/* For cmocka: a world with its hub, and an end at which the books add up. */
static inline int world_set_up(void **state)
{
	(void)state;
	world_init();
	world_open();
	return 0;
}

static inline int world_tear_down(void **state)
{
	(void)state;
	check_audit();
	world_close();
	world_done();
	return 0;
}

#endif
