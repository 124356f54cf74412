/* What channels were told, from its rows and the deliveries that are not in them. */
#include "orchestrate/stock/publish_internal.h"

void publish_load(struct publisher *p, struct str channel, struct str sku, qty_t told, int64_t version)
{
	struct stock_item *item = stock_find(p->stock, sku);

	for (uint16_t i = 0; item && i < p->tenant->channel_count; i++) {
		struct publication *pub;

		if (!str_eq(p->tenant->channels[i].name, channel))
			continue;
		pub = publication_of(p, item, i);
		pub->told = told;
		pub->version = version;
		pub->confirmed = told != UNKNOWN;
		pub->loaded = true;
	}
}

static void load_item(struct publisher *p, struct channel *c, const struct json *j, int64_t seq,
		      enum delivery_status status)
{
	struct stock_item *item = stock_find(p->stock, json_get_text(j, "sku"));
	bool open = status < DELIVERY_FINAL;
	struct publication *pub;
	struct change *ch;
	int64_t version;
	qty_t told;

	if (!item || qty_parse(json_get_text(j, "available"), &told, NULL) != RC_OK)
		return;
	pub = publication_of(p, item, c->index);
	pub->loaded = true;
	/* A row of this version is newer: it knows how the delivery ended. */
	if (json_int(json_get(j, "version"), &version) && version > pub->version) {
		pub->version = version;
		pub->told = told;
		pub->confirmed = status == DELIVERY_DELIVERED;
		ch = change_of(p, c, item);
		ch->expected = pub->confirmed ? told : UNKNOWN;
		publish_mark_dirty(c, ch, seq);
	}
	if (!open || c->item_count >= c->batch)
		return;
	ch = change_of(p, c, item);
	ch->in_flight = true;
	ch->expected = UNKNOWN;
	ch->flight = (uint32_t)c->item_count;
	c->items[c->item_count++] = (struct flight_item){ch, told, UNKNOWN, 0};
}

void publish_load_delivery(struct publisher *p, uint16_t system, int64_t seq, enum delivery_status status,
			   const struct json *params)
{
	const struct json *items = json_get(params, "items");
	struct channel *c = publish_channel(p, system);

	if (!c || !c->batch || !json_is(items, JSON_ARRAY))
		return;
	if (status < DELIVERY_FINAL) {
		c->under_way = seq;
		c->item_count = 0;
	}
	for (uint32_t i = 0; i < items->count; i++)
		load_item(p, c, &items->items[i], seq, status);
}

void publish_load_done(struct publisher *p, int64_t now)
{
	p->stock->now = now;
	for (size_t i = 0; i < p->stock->item_count; i++)
		publish_compare_anew(p, p->stock->list[i], now);
}
