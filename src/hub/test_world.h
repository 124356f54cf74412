/*
 * A hub for tests: a real store in a temporary folder, a clock that the test moves, and commands made from JSON by the
 * readers that the edge uses. For tests only.
 *
 * A test writes documents with ' for " and lines as "SKU:quantity@location+lot": "A:6 B:2@west". It plays the delivery
 * engine itself: world.heads is what the hub has told it.
 */
#ifndef HUB_TEST_WORLD_H
#define HUB_TEST_WORLD_H

#include "base/compress.h"
#include "base/mem.h"
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

/* ---- documents ---- */

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

/* "A:6 B:2@west" as a JSON array of lines; numbered, where there is no location to stand in (an order's). */
static inline const char *world_lines(const char *lines, const char *location)
{
	char text[16000];
	size_t n = 0, number = 1;

	n += (size_t)snprintf(text, sizeof(text), "[");
	for (const char *p = lines; *p;) {
		char sku[64] = "", quantity[32] = "", at[32] = "", lot[32] = "";
		int used = 0;

		assert_true(sscanf(p, "%63[^:]:%31[-0-9.]%n", sku, quantity, &used) == 2);
		p += used;
		snprintf(at, sizeof(at), "%s", location);
		if (*p == '@') {
			assert_true(sscanf(p, "@%31[a-z>]%n", at, &used) == 1);
			p += used;
		}
		if (*p == '+') {
			assert_true(sscanf(p, "+%31[A-Z0-9]%n", lot, &used) == 1);
			p += used;
		}
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s{'sku':'%s','quantity':'%s'",
				      number > 1 ? "," : "", sku, quantity);
		if (!location[0])
			n += (size_t)snprintf(text + n, sizeof(text) - n, ",'line_id':'%zu'", number);
		if (at[0]) {
			char *to = strchr(at, '>');

			if (to)
				*to++ = '\0';
			n += (size_t)snprintf(text + n, sizeof(text) - n, ",'location':'%s'", at);
			if (to)
				n += (size_t)snprintf(text + n, sizeof(text) - n, ",'to_location':'%s'", to);
		}
		if (lot[0])
			n += (size_t)snprintf(text + n, sizeof(text) - n, ",'lot':'%s'", lot);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "}");
		assert_true(n < sizeof(text));
		number++;
		while (*p == ' ')
			p++;
	}
	snprintf(text + n, sizeof(text) - n, "]");
	return world_text("%s", text);
}

/* ---- commands ---- */

static const struct hash_key world_key = {"a-test-of-a-hub"};

static inline struct json *world_parse(struct command *c, const char *text)
{
	struct json *doc = NULL;
	struct err e = ERR_NONE;

	if (json_parse(&c->arena, arena_copy(&c->arena, str_from(text)), NULL, &doc, &e) != RC_OK)
		fail_msg("%s: %s", e.detail, text);
	c->fingerprint = json_fingerprint(doc, &world_key);
	c->request_fingerprint = hash64(&world_key, str_from(text));
	assert_int_equal(compress(&c->arena, str_from(text), &c->document), RC_OK);
	c->correlation_id = STR("c-test");
	return doc;
}

static inline struct command *make_order_from(const char *text)
{
	struct command *c = command_new(COMMAND_ORDER_CAPTURE);
	struct json *doc = world_parse(c, text);
	struct findings f;

	findings_init(&f, &c->arena);
	assert_int_equal(order_read(&c->arena, doc, SKU_AS_IS, &c->order, &f), RC_OK);
	c->source = STR("shop");
	return c;
}

static inline struct command *make_order(const char *external_id, const char *lines)
{
	return make_order_from(world_text("{'channel':'shop','external_id':'%s','placed_at':'2026-03-01T11:00:00Z',"
					  "'currency':'GBP','customer':{'external_id':'C1'},'lines':%s}",
					  external_id, world_lines(lines, "")));
}

static inline void read_movement(struct command *c, const struct json *doc, struct command_movement *m)
{
	struct findings f;

	findings_init(&f, &c->arena);
	assert_int_equal(movement_read(&c->arena, doc, SKU_AS_IS, "", &m->movement, &f), RC_OK);
	m->fingerprint = json_fingerprint(doc, &world_key);
}

/* more: further members, ",'order_id':'...'"; lines without a location are at east. */
static inline const char *movement_text(const char *type, const char *event_id, const char *lines, const char *more)
{
	return world_text("{'source':'wms','source_event_id':'%s','type':'%s','occurred_at':'2026-03-01T11:30:00Z',"
			  "'lines':%s%s}",
			  event_id, type, world_lines(lines, "east"), more);
}

static inline struct command *make_move_from(const char *text)
{
	struct command *c = command_new(COMMAND_STOCK_MOVE);
	struct json *doc = world_parse(c, text);

	c->movements.items = arena_new(&c->arena, struct command_movement);
	c->movements.count = 1;
	read_movement(c, doc, c->movements.items);
	c->source = STR("wms");
	return c;
}

static inline struct command *make_move(const char *type, const char *event_id, const char *lines)
{
	return make_move_from(movement_text(type, event_id, lines, ""));
}

static inline struct command *make_hold(const char *id, const char *channel, const char *lines, int ttl_s)
{
	struct command *c = command_new(COMMAND_HOLD);
	const char *named = id[0] ? world_text("'reservation_id':'%s',", id) : "";
	struct json *doc = world_parse(
	    c, world_text("{%s'channel':'%s','ttl_s':%d,'lines':%s}", named, channel, ttl_s, world_lines(lines, "")));
	struct findings f;

	findings_init(&f, &c->arena);
	assert_true(command_holds(c, 1, false));
	assert_int_equal(hold_request_read(&c->arena, doc, SKU_AS_IS, "", &c->holds.items[0].request, &f), RC_OK);
	c->holds.items[0].fingerprint = c->fingerprint;
	c->source = STR("shop");
	return c;
}

/* Several reservations in one command: an array of their documents. */
static inline struct command *make_hold_documents(const char *documents)
{
	struct command *c = command_new(COMMAND_HOLD);
	struct json *doc = world_parse(c, documents);
	struct findings f;

	findings_init(&f, &c->arena);
	assert_true(command_holds(c, doc->count, true));
	for (uint32_t i = 0; i < doc->count; i++) {
		struct command_hold *h = &c->holds.items[i];

		assert_int_equal(hold_request_read(&c->arena, &doc->items[i], SKU_AS_IS, "", &h->request, &f), RC_OK);
		h->fingerprint = json_fingerprint(&doc->items[i], &command_fingerprint_key);
	}
	c->source = STR("shop");
	return c;
}

/* A command about a thing that has an id: cancel, void, pause ... */
static inline struct command *make_target(enum command_type type, const char *id)
{
	struct command *c = command_new(type);

	world_parse(c, world_text("{'id':'%s','type':%d}", id, (int)type));
	c->target = arena_copy(&c->arena, str_from(id));
	c->source = STR("shop");
	return c;
}

static inline struct command *make_commit(const char *reservation_id, const char *order_id)
{
	struct command *c = make_target(COMMAND_HOLD_COMMIT, reservation_id);

	c->order_id = arena_copy(&c->arena, str_from(order_id));
	return c;
}

/* lines: "A:1 B:2" */
static inline struct command *make_commit_part(const char *reservation_id, const char *order_id, const char *lines,
					       bool keep_rest)
{
	struct command *c = make_commit(reservation_id, order_id);
	struct json *doc = world_parse(c, world_text("{'order_id':'%s','keep_rest':%s,'lines':%s}", order_id,
						     keep_rest ? "true" : "false", world_lines(lines, "")));
	struct findings f;

	findings_init(&f, &c->arena);
	c->target = arena_copy(&c->arena, str_from(reservation_id));
	c->order_id = arena_copy(&c->arena, str_from(order_id));
	assert_int_equal(hold_commit_read(&c->arena, doc, SKU_AS_IS, &c->hold_commit, &f), RC_OK);
	return c;
}

static inline struct command *make_item(const char *sku, const char *source)
{
	struct command *c = command_new(COMMAND_RECORD);

	world_parse(c, world_text("{'sku':'%s','uom':'EA'}", sku));
	c->record.type = STR("item");
	c->record.id = arena_copy(&c->arena, str_from(sku));
	c->record.uom = STR("EA");
	c->source = arena_copy(&c->arena, str_from(source));
	return c;
}

static inline struct command *make_shipment(const char *id, const char *order_id, const char *lines)
{
	struct command *c = command_new(COMMAND_SHIPMENT);
	struct json *doc = world_parse(c, world_text("{'shipment_id':'%s','source':'wms','order_id':'%s','shipped_at':"
						     "'2026-03-01T11:40:00Z','lines':%s}",
						     id, order_id, world_lines(lines, "east")));
	struct findings f;

	findings_init(&f, &c->arena);
	assert_int_equal(shipment_read(&c->arena, doc, SKU_AS_IS, "", &c->shipment, &f), RC_OK);
	c->source = STR("wms");
	return c;
}

static inline struct command *make_message(const char *natural_key, const char *payload)
{
	struct command *c = command_new(COMMAND_MESSAGE_ACCEPT);

	c->correlation_id = STR("c-message");
	c->source = STR("shop");
	c->message.endpoint = STR("order");
	c->message.natural_key = arena_copy(&c->arena, str_from(natural_key));
	assert_int_equal(compress(&c->arena, str_from(payload), &c->message.payload), RC_OK);
	c->fingerprint = hash64(&world_key, str_from(payload));
	return c;
}

static inline struct command *keyed(struct command *c, const char *key)
{
	c->idempotency_key = arena_copy(&c->arena, str_from(key));
	return c;
}

/* As mediation makes them. */
static inline struct command *of_message(struct command *c, int64_t seq, int item, int items)
{
	c->message_seq = seq;
	c->message_item = item;
	c->message_items = items;
	return c;
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

/* ---- what the delivery engine does ---- */

static inline uint16_t system_index(const char *name)
{
	const struct config_system *s = config_find_system(&world.config->tenants[0], str_from(name));

	assert_non_null(s);
	return s->index;
}

static inline struct delivery delivery_of(const struct delivery_head *head)
{
	struct delivery d;
	struct err e = ERR_NONE;

	assert_int_equal(delivery_load(world.reader, &world.arena, head->seq, &d, &e), RC_OK);
	d.head.system = head->system;
	return d;
}

/* The last delivery to this system with this operation, for this order if one is named; NULL: there is none. */
static inline struct delivery_head *find_delivery(const char *system, enum operation op, const char *order_id)
{
	for (size_t i = world.head_count; i-- > 0;) {
		struct delivery_head *head = &world.heads[i];

		if (head->system != system_index(system) || head->operation != op)
			continue;
		if (!order_id || str_is(delivery_of(head).order_id, order_id))
			return head;
	}
	return NULL;
}

/* Submits and runs; false: the hub takes nothing or did not commit. The command is still the caller's. */
static inline bool apply(struct command *c)
{
	struct reply r = {0};

	c->done = world_answered;
	c->ctx = &r;
	if (hub_submit(world.hub, c) != RC_OK)
		return false;
	run();
	assert_true(r.done);
	return r.status < 500;
}

/* 1: send it; 0: it is not to be sent any more; -1: the hub did not commit. */
static inline int start_delivery(struct delivery_head *head)
{
	struct command *c = command_new(COMMAND_DELIVERY_START);
	int go = -1;

	c->correlation_id = STR("c-start");
	c->starts.items = arena_new(&c->arena, struct delivery_start);
	c->starts.count = 1;
	c->starts.items[0] = (struct delivery_start){.seq = head->seq,
						     .system = head->system,
						     .operation = head->operation,
						     .attempts = head->attempts,
						     .order_id = delivery_of(head).order_id};
	if (apply(c))
		go = c->starts.items[0].go;
	command_free(c);
	return go;
}

struct outcome_told {
	enum outcome outcome;
	const char *external_id, *detail, *stale; /* may be NULL */
	int64_t next_at;
};

/* Returns what the delivery is now, -1: the hub did not commit. */
static inline int end_delivery(struct delivery_head *head, struct outcome_told o)
{
	struct command *c = command_new(COMMAND_DELIVERY_RESULT);
	struct delivery d = delivery_of(head);
	struct json *stale = NULL;
	int status = -1;

	if (o.stale)
		stale = world_parse(c, world_text("%s", o.stale));
	c->correlation_id = d.correlation_id;
	c->results.items = arena_new(&c->arena, struct delivery_result);
	c->results.count = 1;
	c->results.items[0] = (struct delivery_result){
	    .seq = head->seq,
	    .system = head->system,
	    .operation = head->operation,
	    .attempts = head->attempts + 1,
	    .created_at = head->created_at,
	    .delivery_id = d.delivery_id,
	    .order_id = d.order_id,
	    .correlation_id = d.correlation_id,
	    .outcome = o.outcome,
	    .next_at = o.next_at,
	    .at = world.now,
	    .external_id = str_from(o.external_id),
	    .detail = str_from(o.detail),
	    .stale = stale,
	};
	if (apply(c)) {
		status = (int)c->results.items[0].status;
		head->attempts++;
	}
	command_free(c);
	return status;
}

static inline void deliver(const char *system, enum operation op, const char *order_id, const char *external_id)
{
	struct delivery_head *head = find_delivery(system, op, order_id);

	assert_non_null(head);
	assert_true(start_delivery(head));
	assert_int_equal(
	    end_delivery(head, (struct outcome_told){.outcome = OUTCOME_DELIVERED, .external_id = external_id}),
	    DELIVERY_DELIVERED);
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
