/*
 * Channels that are fed by batch exports, as they are found everywhere, at their best: at each tick the ERP imports all
 * orders that the channels have taken, then exports what is left (goods that came in are in its books at once); the
 * file reaches each channel after the network's delay; the channel shows that number less what it has sold itself since
 * the export was made, and between imports it takes its own sales off. What it cannot know is what the other channels
 * have sold since.
 */
#include "simulate/flash_sale.h"

#include "base/mem.h"

struct export
{
	int64_t arrives;
	bool pending;
	int64_t *numbers;
};

struct batch {
	struct sale *sale;
	int64_t interval, next;
	int receipts;                 /* that have come in */
	int64_t *own[FLASH_CHANNELS]; /* sold since the export on its way was made */
	struct export on_way[FLASH_CHANNELS];
};

static void export_stock(struct batch *b, int64_t now)
{
	const struct demand *d = b->sale->demand;

	for (int c = 0; c < FLASH_CHANNELS; c++) {
		struct export *e = &b->on_way[c];

		for (size_t i = 0; i < d->item_count; i++) {
			e->numbers[i] = sale_balance(b->sale, (int)i);
			b->own[c][i] = 0;
		}
		e->arrives = now + sale_delay(b->sale);
		e->pending = true;
	}
}

static void arrive(struct batch *b, int channel)
{
	struct export *e = &b->on_way[channel];

	e->pending = false;
	for (size_t i = 0; i < b->sale->demand->item_count; i++)
		sale_show(b->sale, e->arrives, channel, (int)i, e->numbers[i] - b->own[channel][i]);
}

/* Everything that happens up to this instant, in order. */
static void pass(struct batch *b, int64_t until)
{
	for (;;) {
		int first = -1;
		int64_t at = b->next;

		for (int c = 0; c < FLASH_CHANNELS; c++)
			if (b->on_way[c].pending && b->on_way[c].arrives <= at) {
				first = c;
				at = b->on_way[c].arrives;
			}
		if (b->receipts < FLASH_RECEIPTS && flash_receipts_at[b->receipts] <= at) {
			if (flash_receipts_at[b->receipts] > until)
				return;
			sale_receive(b->sale, flash_receipts_at[b->receipts++]);
			continue;
		}
		if (at > until)
			return;
		if (first >= 0) {
			arrive(b, first);
		} else {
			export_stock(b, b->next);
			b->next += b->interval;
		}
	}
}

static void buy(struct batch *b, const struct flash_order *o)
{
	struct flash_line *taken = mem_zalloc((size_t)o->line_count, sizeof(*taken));
	struct sale *s = b->sale;
	int count = 0;

	for (int i = 0; i < o->line_count; i++) {
		const struct flash_line *l = &o->lines[i];

		if (!sale_look(s, o->at, o->channel, l))
			continue;
		b->own[o->channel][l->item] += l->quantity;
		sale_show(s, o->at, o->channel, l->item, s->items[l->item].shown[o->channel] - l->quantity);
		taken[count++] = *l;
	}
	sale_accept(s, o->at, taken, count);
	free(taken);
}

void flash_batch(struct sale *s, int64_t interval_ms)
{
	struct batch b = {.sale = s, .interval = interval_ms, .next = interval_ms};
	size_t n = s->demand->item_count;

	for (int c = 0; c < FLASH_CHANNELS; c++) {
		b.own[c] = mem_zalloc(n, sizeof(int64_t));
		b.on_way[c].numbers = mem_zalloc(n, sizeof(int64_t));
	}
	for (size_t i = 0; i < s->demand->order_count; i++) {
		pass(&b, s->demand->orders[i].at);
		buy(&b, &s->demand->orders[i]);
	}
	for (int c = 0; c < FLASH_CHANNELS; c++) {
		free(b.own[c]);
		free(b.on_way[c].numbers);
	}
}
