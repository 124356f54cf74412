/* What became of what a channel was told: delivered, overtaken, refused, and what it shows and sells meanwhile. */
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/publish_internal.h"
#include "orchestrate/stock/terms.h"

bool publish_start(struct publisher *p, uint16_t system, int64_t seq, uint32_t attempts)
{
	struct channel *c = publish_channel(p, system);

	if (!c || c->under_way != seq)
		return false;
	if (attempts == 0 || !publish_news(c, p->stock->now))
		return true;
	publish_end(p, system, seq, PUBLISH_OVERTAKEN, NULL, c->changed_at);
	return false;
}

void publish_doubt(struct publisher *p, uint16_t system, int64_t seq)
{
	struct channel *c = publish_channel(p, system);

	if (c && c->under_way == seq)
		c->in_doubt = true;
}

/* It goes back to the list, and is found there after a restart too. */
static void tell_again(struct publisher *p, struct channel *c, struct change *ch, int64_t now)
{
	publish_write_soon(c, ch);
	publish_compare_one(p, c, ch->item, now);
}

void publish_shown(struct publisher *p, uint16_t system, struct str sku, qty_t shown, int64_t now)
{
	struct channel *c = publish_channel(p, system);
	struct stock_item *item = c ? stock_find(p->stock, sku) : NULL;
	struct change *ch;

	if (!item || !c->batch)
		return;
	ch = change_of(p, c, item);
	ch->expected = shown;
	item->publications[c->index].told = shown;
	tell_again(p, c, ch, now);
}

/* The channel has sold these and has not told us: of a kit, its parts. */
static void book_gap(struct publisher *p, struct channel *c, struct stock_item *item, qty_t gap, int64_t now)
{
	struct item_component parts[ITEM_KIT_PARTS_MAX];
	size_t count = item_parts(item, parts, ITEM_KIT_PARTS_MAX);

	for (size_t n = 0; n < count && n < ITEM_KIT_PARTS_MAX; n++) {
		__int128 units = (__int128)gap * parts[n].quantity / QTY_ONE;

		gap_add(p->stock, parts[n].item, c->index, units > QTY_MAX ? QTY_MAX : (qty_t)units,
			now + c->config->provisional_ms);
	}
}

/* Of `quantity` that the channel's order has, what it was known to have sold. */
static qty_t tell_gap(struct publisher *p, struct channel *c, struct stock_item *item, qty_t quantity)
{
	struct item_component parts[ITEM_KIT_PARTS_MAX];
	size_t count = item_parts(item, parts, ITEM_KIT_PARTS_MAX);
	qty_t known = quantity;

	for (size_t n = 0; n < count && n < ITEM_KIT_PARTS_MAX; n++) {
		__int128 units = (__int128)quantity * parts[n].quantity / QTY_ONE;
		qty_t told = gap_tell(p->stock, parts[n].item, c->index, units > QTY_MAX ? QTY_MAX : (qty_t)units);

		if (told / parts[n].quantity < known / QTY_ONE)
			known = told / parts[n].quantity * QTY_ONE;
	}
	return known;
}

void publish_take_off(struct publisher *p, struct channel *c, struct stock_item *item, qty_t quantity,
		      int64_t next_delivery)
{
	struct change *ch = change_of(p, c, item);

	if (ch->expected != UNKNOWN)
		ch->expected = ch->expected > quantity ? ch->expected - quantity : 0;
	if (ch->in_flight && c->items[ch->flight].change == ch)
		c->items[ch->flight].sold += quantity;
	publish_mark_dirty(p, c, ch, next_delivery);
}

void publish_sold(struct publisher *p, struct txn *t, uint16_t channel, struct stock_item *item, qty_t quantity)
{
	struct channel *c = &p->channels[channel];
	struct publication *pub;
	qty_t known;

	if (!c->batch)
		return;
	known = tell_gap(p, c, item, quantity);
	pub = publication_of(p, item, channel);
	publish_speed_add(pub, t->now);
	if (!pub->change && !pub->confirmed)
		return;
	if (quantity > known)
		publish_take_off(p, c, item, quantity - known, t->heads->delivery + 1);
	/* Reading the order again would not tell what was known of it. */
	if (known > 0)
		publish_write_soon(c, change_of(p, c, item));
}

static qty_t less(qty_t shown, qty_t sold)
{
	return shown == UNKNOWN ? UNKNOWN : shown > sold ? shown - sold : 0;
}

/*
 * What a channel that refuses an item has sold and not told. If an earlier try got through, it has shown what it was
 * told since, else what we believed. Of the two it is the one that needs no sale to explain what it shows, or can
 * explain it at all; where both take one, the greater sale is believed.
 */
static qty_t untold_sales(const struct flight_item *f, bool in_doubt, qty_t shown)
{
	qty_t believed = less(f->expected, f->sold), told = less(f->told, f->sold);

	if (believed == UNKNOWN)
		return 0;
	if (in_doubt && (shown == told || shown > believed))
		believed = told;
	return believed > shown ? believed - shown : 0;
}

/* Items that the channel compared and refused: it shows something else than we believed. */
static void note_stale(struct publisher *p, struct channel *c, const struct flight_item *items, size_t count,
		       const struct json *stale, int64_t now)
{
	for (uint32_t i = 0; stale && i < stale->count; i++) {
		struct str sku = json_get_text(&stale->items[i], "sku");
		qty_t shown;

		if (qty_parse(json_get_text(&stale->items[i], "available"), &shown, NULL) != RC_OK)
			continue;
		for (size_t n = 0; n < count; n++) {
			qty_t gap =
			    str_eq(items[n].change->item->sku, sku) ? untold_sales(&items[n], c->in_doubt, shown) : 0;

			if (gap > 0)
				book_gap(p, c, items[n].change->item, gap, now);
		}
		publish_shown(p, c->config->system, sku, shown, now);
	}
}

/* It shows what it did, or what it was told. */
static void doubt(struct change *ch, qty_t shown, qty_t told)
{
	qty_t before = shown != UNKNOWN ? shown : ch->at_most;

	ch->at_most = told == UNKNOWN || before < told ? before : told;
	ch->expected = UNKNOWN;
}

void publish_end(struct publisher *p, uint16_t system, int64_t seq, enum publish_result result,
		 const struct json *stale, int64_t now)
{
	struct channel *c = publish_channel(p, system);
	size_t count;

	if (!c || c->under_way != seq)
		return;
	c->under_way = 0;
	count = c->item_count;
	for (size_t i = 0; i < count; i++) {
		struct flight_item *f = &c->items[i];
		struct publication *pub = &f->change->item->publications[c->index];

		if (result == PUBLISH_DELIVERED) {
			f->change->expected = less(f->told, f->sold);
			continue;
		}
		doubt(f->change, less(f->expected, f->sold), less(f->told, f->sold));
		if (pub->told == f->told)
			pub->told = UNKNOWN;
		publish_write_soon(c, f->change);
		if (result == PUBLISH_OVERTAKEN)
			publish_compare_one(p, c, f->change->item, now);
	}
	note_stale(p, c, c->items, count, stale, now);
	c->item_count = 0;
	for (size_t i = 0; i < count; i++) {
		c->items[i].change->in_flight = false;
		publish_settle(c, c->items[i].change);
	}
}

int64_t publish_changed_at(const struct publisher *p, uint16_t system, int64_t seq)
{
	const struct channel *c = publish_channel(p, system);

	return c && c->under_way == seq ? c->changed_at : 0;
}

void publish_again(struct publisher *p, struct txn *t, uint16_t system, const struct json *params)
{
	struct channel *c = publish_channel(p, system);
	const struct json *items = json_get(params, "items");

	for (uint32_t i = 0; c && c->batch && json_is(items, JSON_ARRAY) && i < items->count; i++) {
		struct stock_item *item = stock_find(p->stock, json_get_text(&items->items[i], "sku"));
		struct change *ch;

		if (!item)
			continue;
		ch = change_of(p, c, item);
		doubt(ch, ch->expected, item->publications[c->index].told);
		item->publications[c->index].told = UNKNOWN;
		publish_compare_one(p, c, item, t->now);
		publish_write_row(c, t, item);
	}
}
