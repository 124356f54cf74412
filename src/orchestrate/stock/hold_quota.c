/* How much a channel holds, against hoarding. Counted for channels that have a quota, by channel and item. */
#include "orchestrate/stock/hold_internal.h"

#include "base/mem.h"

struct quota {
	struct stock_item *item; /* with the channel the key */
	uint16_t channel;
	qty_t held;
};
#define KEY_BYTES (offsetof(struct quota, channel) + sizeof(uint16_t))

static struct str key_of(const struct quota *q)
{
	return (struct str){(const char *)q, KEY_BYTES};
}

static qty_t held_of(const struct hold_book *b, uint16_t channel, struct stock_item *item)
{
	struct quota key = {.item = item, .channel = channel}, *q = map_get(&b->quotas, key_of(&key));

	return q ? q->held : 0;
}

static void change(struct hold_book *b, uint16_t channel, struct stock_item *item, qty_t by)
{
	struct quota key = {.item = item, .channel = channel}, *q = map_get(&b->quotas, key_of(&key));

	if (!q) {
		q = mem_zalloc(1, sizeof(*q));
		q->item = item;
		q->channel = channel;
		if (map_put(&b->quotas, key_of(q), q) != RC_OK) {
			free(q);
			return;
		}
	}
	q->held += by;
	if (q->held)
		return;
	map_remove(&b->quotas, key_of(q));
	free(q);
}

void hold_quota_count(struct hold_book *b, const struct hold *h, int sign)
{
	const struct config_channel *c = h->channel == HOLD_NO_CHANNEL ? NULL : &b->tenant->channels[h->channel];

	if (!c)
		return;
	b->counts[h->channel] += (uint32_t)sign;
	for (size_t i = 0; (c->quota_units || c->quota_ppm) && i < h->line_count; i++)
		change(b, h->channel, h->lines[i].place->item, sign * h->lines[i].quantity);
}

void hold_quota_free(struct hold_book *b)
{
	struct quota *q;

	for (size_t at = 0; (q = map_next(&b->quotas, &at, NULL));)
		free(q);
	map_done(&b->quotas);
}

/* A share is of what would be free without this channel's holds. */
static qty_t limit_of(const struct hold_draft *d, uint16_t channel, const struct stock_item *item, qty_t held)
{
	const struct config_channel *c = &d->book->tenant->channels[channel];
	qty_t all = held;

	if (c->quota_units)
		return c->quota_units;
	for (size_t i = 0; i < c->location_count; i++)
		all += stock_free_for(item, c->locations[i], channel, c);
	return (qty_t)((__int128)all * c->quota_ppm / 1000000);
}

enum rc hold_quota_check(const struct hold_draft *d, uint16_t channel, struct err *e)
{
	const struct config_channel *c = &d->book->tenant->channels[channel];

	if (c->quota_holds && d->book->counts[channel] >= c->quota_holds)
		return err_set(e, RC_CONFLICT, "hold_quota_exceeded", "the channel has as many reservations as it may");
	for (size_t i = 0; (c->quota_units || c->quota_ppm) && i < d->plan_count; i++) {
		struct stock_item *item = d->plan[i].place->item;
		qty_t held = held_of(d->book, channel, item);
		size_t first = 0;

		while (d->plan[first].place->item != item)
			first++;
		if (first < i)
			continue;
		for (size_t n = i; n < d->plan_count; n++)
			held += d->plan[n].place->item == item ? d->plan[n].quantity : 0;
		if (held > limit_of(d, channel, item, held))
			return err_set(e, RC_CONFLICT, "hold_quota_exceeded",
				       "the channel would hold more of " STR_FMT " than it may", STR_ARG(item->sku));
	}
	return RC_OK;
}
