/* Ring-fences: what is kept for one channel of an item at a location. */
#include "edge/exchange.h"
#include "edge/handlers.h"

#include <stdio.h>

/* false: it was answered. */
static bool read_fence(struct exchange *x, struct command *c, const struct json *j, size_t i)
{
	const struct config_tenant *t = x->tenant;
	const struct config_channel *channel = config_find_channel(t, json_get_text(j, "channel"));
	const struct config_location *location = config_find_location(t, json_get_text(j, "location"));
	struct command_fence *f = &c->fences.items[i];
	char at[48];

	if (!channel || !location) {
		snprintf(at, sizeof(at), "/items/%zu/%s", i, channel ? "location" : "channel");
		exchange_wrong(x, channel ? "unknown_location" : "unknown_channel", at, "There is no such %s.",
			       channel ? "location" : "channel");
		return false;
	}
	if (qty_parse(json_get_text(j, "quantity"), &f->quantity, NULL) != RC_OK || f->quantity < 0) {
		snprintf(at, sizeof(at), "/items/%zu/quantity", i);
		exchange_wrong(x, "bad_quantity", at, "A ring-fence is not less than nothing.");
		return false;
	}
	f->sku = sku_apply_case(&c->arena, json_get_text(j, "sku"), t->sku_case);
	f->channel = (uint16_t)(channel - t->channels);
	f->location = location->index;
	return true;
}

enum server_next ring_fences_set(struct exchange *x)
{
	struct err e = ERR_NONE;
	struct findings f;
	const struct json *doc, *items;
	struct command *c = exchange_command(x, COMMAND_RING_FENCES);
	if (!c)
		return SERVER_ANSWERED;
	findings_init(&f, &c->arena);
	if (exchange_document(x, &c->arena, &doc, &e) != RC_OK)
		return exchange_drop(x, c, &e);
	if (exchange_valid(x, "ring-fences", doc, &f) != RC_OK) {
		exchange_invalid(x, &f);
		command_free(c);
		return SERVER_ANSWERED;
	}
	items = json_get(doc, "items");
	c->fences.items = arena_array(&c->arena, struct command_fence, items->count);
	if (!c->fences.items) {
		err_set(&e, RC_LIMIT, "body_too_large", "The request needs too much memory.");
		return exchange_drop(x, c, &e);
	}
	for (uint32_t i = 0; i < items->count; i++) {
		if (read_fence(x, c, &items->items[i], i))
			continue;
		command_free(c);
		return SERVER_ANSWERED;
	}
	c->fences.count = items->count;
	return exchange_submit(x, c);
}

enum server_next ring_fences_list(struct exchange *x)
{
	struct parameter p[] = {{.name = "limit"}, {.name = "cursor"}, {.name = "channel"}};
	struct reading r;
	struct query_page page;
	struct err e = ERR_NONE;
	if (!reading_begin_page(x, p, 3, &r, &page))
		return SERVER_ANSWERED;
	enum rc rc = query_ring_fences(&r.query, p[2].value, &page, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}
