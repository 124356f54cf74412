/* What channels were told, from its rows and the deliveries that are not in them. */
#include "orchestrate/order/progress.h"
#include "orchestrate/stock/publish_internal.h"

void publish_load_floor(struct publisher *p, int64_t delivery, int64_t orders)
{
	p->delivery_floor = delivery;
	p->orders = p->orders_floor = orders;
}

void publish_load(struct publisher *p, struct str channel, struct str sku, qty_t told, int64_t version, qty_t sold,
		  int64_t orders)
{
	struct stock_item *item = stock_find(p->stock, sku);

	for (uint16_t i = 0; item && i < p->tenant->channel_count; i++) {
		struct publication *pub;
		struct change *ch;

		if (!str_eq(p->tenant->channels[i].name, channel))
			continue;
		pub = publication_of(p, item, i);
		pub->told = told;
		pub->version = version;
		pub->confirmed = told != UNKNOWN && sold != UNKNOWN;
		if (!pub->confirmed || !p->channels[i].batch || (!sold && orders <= p->orders_floor))
			continue;
		ch = change_of(p, &p->channels[i], item);
		ch->expected = told > sold ? told - sold : 0;
		ch->counted = orders;
		ch->sold = sold;
	}
}

/* Under way: what was believed when it was cut is in it. Whether the request has gone out nobody knows any more if it
 * was being sent. */
static void load_flight(struct channel *c, struct change *ch, const struct json *j, qty_t told,
			enum delivery_status status)
{
	struct str text = json_get_text(j, "expected");
	qty_t before = UNKNOWN, sold = ch->sold;

	if (status == DELIVERY_WAITING && text.n && qty_parse(text, &before, NULL) != RC_OK)
		before = UNKNOWN;
	ch->in_flight = true;
	ch->expected = before == UNKNOWN ? UNKNOWN : before > sold ? before - sold : 0;
	ch->flight = (uint32_t)c->item_count;
	c->items[c->item_count++] = (struct flight_item){ch, told, before, sold};
}

static void load_item(struct publisher *p, struct channel *c, const struct json *j, int64_t seq, int64_t orders,
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
	/* A row of this version is newer: it knows how the delivery ended. */
	if (json_int(json_get(j, "version"), &version) && version > pub->version) {
		pub->version = version;
		pub->told = told;
		pub->confirmed = status == DELIVERY_DELIVERED;
		ch = change_of(p, c, item);
		ch->expected = pub->confirmed ? told : UNKNOWN;
		ch->counted = orders;
		ch->sold = 0;
		publish_mark_dirty(p, c, ch, seq);
	}
	if (open && c->item_count < c->batch)
		load_flight(c, change_of(p, c, item), j, told, status);
}

void publish_load_delivery(struct publisher *p, uint16_t system, int64_t seq, enum delivery_status status,
			   uint32_t attempts, const struct json *params)
{
	const struct json *items = json_get(params, "items");
	struct channel *c = publish_channel(p, system);
	int64_t orders = 0;

	if (!c || !c->batch || !json_is(items, JSON_ARRAY))
		return;
	if (status < DELIVERY_FINAL) {
		c->under_way = seq;
		c->in_doubt = attempts > 0;
		c->item_count = 0;
	}
	(void)json_int(json_get(params, "orders"), &orders);
	for (uint32_t i = 0; i < items->count; i++)
		load_item(p, c, &items->items[i], seq, orders, status);
}

enum rc publish_load_order(struct publisher *p, int64_t seq, struct str channel, struct str progress, struct err *e)
{
	const struct json *lines;
	struct channel *c = NULL;
	struct json *order;
	struct arena a;
	enum rc rc;

	for (uint16_t i = 0; i < p->tenant->channel_count; i++)
		if (str_eq(p->tenant->channels[i].name, channel))
			c = &p->channels[i];
	if (!c || !c->batch)
		return RC_OK;
	arena_init(&a, 64u << 20);
	rc = order_progress_read(&a, progress, &order, e);
	lines = rc == RC_OK ? json_get(order, "lines") : NULL;
	for (uint32_t i = 0; lines && i < lines->count; i++) {
		struct stock_item *item = stock_find(p->stock, json_get_text(&lines->items[i], "sku"));
		struct publication *pub = item && item->publications ? &item->publications[c->index] : NULL;
		qty_t quantity;

		if (!pub || (!pub->change && !pub->confirmed) || (pub->change && pub->change->counted >= seq) ||
		    qty_parse(json_get_text(&lines->items[i], "ordered"), &quantity, NULL) != RC_OK)
			continue;
		publish_take_off(p, c, item, quantity, c->dirty ? c->dirty_last->dirty_since : p->delivery_floor + 1);
	}
	arena_done(&a);
	return rc;
}

void publish_load_done(struct publisher *p, int64_t now)
{
	p->stock->now = now;
	for (size_t i = 0; i < p->stock->item_count; i++)
		publish_compare_anew(p, p->stock->list[i], now);
}
