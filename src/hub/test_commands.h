/*
 * What is told to the hub of hub/test_world.h: commands, made from JSON by the readers that the edge uses, and what the
 * delivery engine says of world.heads. For tests only.
 *
 * A test writes documents with ' for " and lines as "SKU:quantity@location+lot": "A:6 B:2@west".
 */
#ifndef HUB_TEST_COMMANDS_H
#define HUB_TEST_COMMANDS_H

#include "base/compress.h"
#include "hub/test_world.h"

/* ---- documents ---- */

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

static inline struct command *make_subscription(enum command_type type, const char *id)
{
	struct command *c = command_new(type);

	c->correlation_id = STR("c-sub");
	c->target = arena_copy(&c->arena, str_from(id));
	c->subscription.enabled = -1;
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

/* ---- the commonest ones, told and answered ---- */

static inline struct reply move(const char *type, const char *event_id, const char *lines)
{
	return do_command(make_move(type, event_id, lines));
}

static inline struct reply order(const char *external_id, const char *lines)
{
	return do_command(make_order(external_id, lines));
}

static inline void check_refused(struct reply r, int status, const char *code)
{
	assert_string_equal(r.code, code);
	assert_int_equal(r.status, status);
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
	bool unsent;
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
	    .unsent = o.unsent,
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

#endif
