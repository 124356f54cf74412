/* Inbound: bytes through the endpoint's codec and mapping, then each object through its schema. */
#include "mediate/pack_state.h"

#include "base/utf8.h"

#define BODY_BYTES_MAX (64u << 20)
#define BODY_NODES_MAX 4000000
#define ITEMS_MAX      10000

static enum rc decode(const struct pack_endpoint *endpoint, struct str body, struct arena *arena, struct json **out,
		      struct err *e)
{
	struct json_limits limits = JSON_LIMITS_DEFAULT;
	limits.bytes = BODY_BYTES_MAX;
	limits.nodes = BODY_NODES_MAX;
	if (str_is(endpoint->decode, "json"))
		return json_parse(arena, body, &limits, out, e);
	if (body.n > limits.bytes)
		return err_set(e, RC_LIMIT, "body_too_large", "the message is larger than %zu bytes", limits.bytes);
	if (utf8_check(body) != body.n)
		return err_set(e, RC_INVALID, "invalid_utf8", "the message is not UTF-8 text");
	struct json *j = arena_new(arena, struct json);
	if (!j)
		return err_set(e, RC_LIMIT, "message_too_large", "the message does not fit its memory");
	*j = (struct json){.type = JSON_STRING, .count = (uint32_t)body.n, .text = body.p ? body.p : ""};
	*out = j;
	return RC_OK;
}

/* {"endpoint", "settings"}: the mapping's second argument. */
static const struct json *make_context(struct arena *arena, const struct pack_endpoint *endpoint,
				       const struct json *settings)
{
	struct json *context = arena_new(arena, struct json);
	struct json_member *members = arena_array(arena, struct json_member, 2);
	if (!context || !members)
		return NULL;
	members[0] = (struct json_member){
	    STR("endpoint"), {.type = JSON_STRING, .count = (uint32_t)endpoint->name.n, .text = endpoint->name.p}};
	members[1] = (struct json_member){STR("settings"), settings ? *settings : (struct json){.type = JSON_OBJECT}};
	*context = (struct json){.type = JSON_OBJECT, .count = 2, .members = members};
	return context;
}

/* One of the mapping's results: the document, or {type, document} where the endpoint has no type. */
static enum rc make_item(const struct pack *p, const struct pack_endpoint *endpoint, const struct json *result,
			 struct arena *arena, struct inbound_item *item, struct err *e)
{
	item->type = endpoint->type;
	if (!endpoint->type.p) {
		item->type = json_get_text(result, "type");
		result = json_get(result, "document");
	}
	struct str name = item->type.p ? arena_copy(arena, item->type) : STR_NONE;
	const struct schema *schema = name.p ? schema_find(p->schemas, name.p, 1) : NULL;
	if (!schema || !result)
		return err_set(e, RC_INVALID, "mapping_failed",
			       "the mapping's result needs a document and a canonical type, not \"" STR_FMT "\"",
			       STR_ARG(name));
	enum rc rc = drift_settle(schema, result, arena, &item->document, &item->findings, &item->drift);
	return rc == RC_INVALID ? RC_OK : rc;
}

enum rc pack_inbound(const struct pack *p, struct mediator *m, struct str endpoint_name, const struct json *settings,
		     struct str body, struct arena *arena, struct inbound *out, struct err *e)
{
	const struct pack_endpoint *endpoint = pack_find_endpoint(p, endpoint_name);
	struct json *document, *result;
	*out = (struct inbound){0};
	if (!endpoint)
		return err_set(e, RC_INVALID, "unknown_endpoint", "the connector has no endpoint \"" STR_FMT "\"",
			       STR_ARG(endpoint_name));
	enum rc rc = decode(endpoint, body, arena, &document, e);
	if (rc != RC_OK)
		return rc;
	const struct json *context = make_context(arena, endpoint, settings);
	if (!context)
		return err_set(e, RC_LIMIT, "message_too_large", "the message does not fit its memory");
	const struct function *map = &pack_state(p)->endpoint_maps[endpoint - p->endpoints];
	rc = mediator_call_with(m, map->map, map->name, document, context, arena, &result, e);
	if (rc != RC_OK)
		return rc;
	bool list = json_is(result, JSON_ARRAY);
	size_t count = list ? result->count : 1;
	if (count > ITEMS_MAX)
		return err_set(e, RC_LIMIT, "too_many_items", "a message has at most %d objects", ITEMS_MAX);
	out->items = arena_array(arena, struct inbound_item, count);
	if (!out->items)
		return err_set(e, RC_LIMIT, "message_too_large", "the message does not fit its memory");
	for (; out->count < count; out->count++) {
		rc = make_item(p, endpoint, list ? &result->items[out->count] : result, arena, &out->items[out->count],
			       e);
		if (rc != RC_OK)
			return err_set(e, rc, "message_too_large", "the message does not fit its memory");
	}
	return RC_OK;
}
