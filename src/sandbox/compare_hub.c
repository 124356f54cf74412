#include "sandbox/compare_hub.h"

#include <stdio.h>

#define PAGE 500

static bool quantity(const struct json *line, const char *name, qty_t *out)
{
	return qty_parse(json_get_text(line, name), out, NULL) == RC_OK;
}

static enum rc bad_answer(struct err *e, struct str order_id)
{
	return err_set(e, RC_INVALID, "bad_answer", "The hub's answer for order " STR_FMT " is not understood.",
		       STR_ARG(order_id));
}

static enum rc read_order(struct client *hub, struct arena *a, struct hub_orders *all, struct str order_id,
			  struct err *e)
{
	struct arena scratch;
	const struct json *j;
	char path[256];
	(void)snprintf(path, sizeof(path), "/v1/orders/" STR_FMT, STR_ARG(order_id));
	arena_init(&scratch, 64u << 20);
	enum rc rc = client_call(hub, path, NULL, &scratch, &j, e);
	if (rc)
		goto done;
	const struct json *lines = json_get(j, "lines");
	struct hub_order *o = arena_new(a, struct hub_order);
	if (o && json_is(lines, JSON_ARRAY))
		o->lines = arena_array(a, struct hub_line, lines->count);
	if (!o || !o->lines) {
		rc = bad_answer(e, order_id);
		goto done;
	}
	o->order_id = arena_copy(a, json_get_text(j, "order_id"));
	o->channel = arena_copy(a, json_get_text(j, "channel"));
	o->external_id = arena_copy(a, json_get_text(j, "external_id"));
	o->status = arena_copy(a, json_get_text(j, "status"));
	o->name = str_from(arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(o->channel), STR_ARG(o->external_id)));
	o->line_count = lines->count;
	for (size_t i = 0; rc == RC_OK && i < o->line_count; i++) {
		struct hub_line *l = &o->lines[i];
		l->line_id = arena_copy(a, json_get_text(&lines->items[i], "line_id"));
		l->sku = arena_copy(a, json_get_text(&lines->items[i], "sku"));
		if (!quantity(&lines->items[i], "ordered", &l->ordered) ||
		    !quantity(&lines->items[i], "shipped", &l->shipped))
			rc = bad_answer(e, order_id);
	}
	if (rc == RC_OK)
		rc = map_put(&all->by_id, o->order_id, o);
	if (rc == RC_OK)
		rc = map_put(&all->by_name, o->name, o);
done:
	arena_done(&scratch);
	return rc;
}

enum rc hub_orders_read(struct client *hub, struct arena *a, struct hub_orders *out, struct err *e)
{
	char path[512], cursor[256] = "";
	enum rc rc = RC_OK;
	bool more = true;
	map_init(&out->by_id, HUB_ORDERS_MAX);
	map_init(&out->by_name, HUB_ORDERS_MAX);
	while (rc == RC_OK && more) {
		struct arena scratch;
		const struct json *j;
		arena_init(&scratch, 64u << 20);
		(void)snprintf(path, sizeof(path), "/v1/orders?limit=%d%s%s", PAGE, cursor[0] ? "&cursor=" : "",
			       cursor);
		rc = client_call(hub, path, NULL, &scratch, &j, e);
		const struct json *items = rc == RC_OK ? json_get(j, "items") : NULL;
		for (uint32_t i = 0; rc == RC_OK && json_is(items, JSON_ARRAY) && i < items->count; i++)
			rc = read_order(hub, a, out, json_get_text(&items->items[i], "order_id"), e);
		struct str next = rc == RC_OK ? json_get_text(j, "next_cursor") : STR_NONE;
		(void)snprintf(cursor, sizeof(cursor), STR_FMT, STR_ARG(next));
		more = next.n > 0;
		arena_done(&scratch);
	}
	if (rc)
		hub_orders_done(out);
	return rc;
}

void hub_orders_done(struct hub_orders *o)
{
	map_done(&o->by_id);
	map_done(&o->by_name);
}

struct hub_line *hub_line_find(const struct hub_order *o, struct str line_id)
{
	for (size_t i = 0; i < o->line_count; i++)
		if (str_eq(o->lines[i].line_id, line_id))
			return &o->lines[i];
	return NULL;
}
