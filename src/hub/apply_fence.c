/* Ring-fences: set together or not at all. */
#include "hub/state.h"
#include "orchestrate/stock/terms.h"

#include <stdio.h>

#define FENCES_JSON_MAX (1u << 20)

static bool all_known(const struct hub *h, struct command *c)
{
	for (size_t i = 0; i < c->fences.count; i++) {
		struct err e = ERR_NONE;
		char where[48];

		if (stock_find(h->state.stock, c->fences.items[i].sku))
			continue;
		snprintf(where, sizeof(where), "/items/%zu/sku", i);
		err_set_at(&e, RC_INVALID, "unknown_item", where, "there is no item " STR_FMT,
			   STR_ARG(c->fences.items[i].sku));
		c->answer = answer_problem(&c->arena, 422, &e);
		return false;
	}
	return true;
}

void apply_ring_fences(struct hub *h, struct command *c)
{
	const struct config_tenant *tenant = h->tenant;
	struct txn *t = &h->batch.txn;
	struct json_writer w;
	struct str set;
	struct buf text;

	if (!all_known(h, c)) {
		inbox_settle(h, c, FATE_REJECTED, STR_NONE, STR("unknown_item"), STR_NONE);
		return;
	}
	buf_init(&text, FENCES_JSON_MAX);
	jw_init(&w, &text);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	for (size_t i = 0; i < c->fences.count; i++) {
		const struct command_fence *f = &c->fences.items[i];
		struct stock_item *item = stock_find(h->state.stock, f->sku);

		fence_set(h->state.stock, item, f->channel, f->location, f->quantity);
		jw_object(&w);
		jw_key_text(&w, "sku", item->sku);
		jw_key_text(&w, "channel", tenant->channels[f->channel].name);
		jw_key_text(&w, "location", tenant->locations[f->location].name);
		jw_key_qty(&w, "quantity", f->quantity);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	set = txn_text(t, &text);
	buf_done(&text);
	txn_event(t, "ring_fences.set", STR("ring-fences"), 0, set);
	c->answer = answer_json(200, arena_copy(&c->arena, set));
	inbox_settle(h, c, FATE_APPLIED, STR_NONE, STR_NONE, STR_NONE);
}
