/*
 * The demand of a flash sale: the orders of the wholesaler's busiest hour, each placed `scale` times at random within
 * half a minute around its own time, on a channel that the seed chooses. Every model gets the same orders, the same
 * opening stock and the same kind of network; each draws its delays from the same seed.
 *
 * Measured in one way for all: a promise that stock does not cover is oversold, whoever made it; what a customer was
 * refused while stock was left is lost; the age of a shown number is how long it has not been true, at the moment at
 * which a customer looks at it.
 */
#include "simulate/flash_sale.h"

#include "base/clock.h"
#include "base/mem.h"
#include "sandbox/retail.h"

#define HOUR_MS   ((int64_t)3600000)
#define MINUTE_MS ((int64_t)60000)
#define JITTER_MS 30000

/* ---- demand ---- */

static int64_t peak_hour(const struct retail *r, int64_t *orders)
{
	int64_t best = 0, hour = -1, count = 0;

	*orders = 0;
	for (size_t i = 0; i < r->count; i++) {
		const struct retail_document *d = &r->documents[i];

		if (d->kind != RETAIL_ORDER)
			continue;
		if (d->placed_at / HOUR_MS != hour) {
			hour = d->placed_at / HOUR_MS;
			count = 0;
		}
		if (++count > *orders) {
			*orders = count;
			best = hour;
		}
	}
	return best;
}

static int item_of(struct demand *d, struct map *items, struct str sku)
{
	struct flash_item *i = map_get(items, sku);

	if (!i) {
		i = &d->items[d->item_count++];
		i->sku = sku;
		if (map_put(items, sku, i) != RC_OK)
			abort(); /* there are no more items than lines */
	}
	return (int)(i - d->items);
}

static void copy_order(struct demand *d, struct map *items, const struct retail_document *from, struct flash_order *o)
{
	o->lines = arena_array(&d->arena, struct flash_line, from->line_count);
	for (size_t i = 0; i < from->line_count; i++) {
		struct str sku = arena_copy(&d->arena, from->lines[i].sku);
		int item, known = 0;

		for (size_t n = 0; n < sku.n; n++)
			if (sku.p[n] >= 'a' && sku.p[n] <= 'z')
				((char *)sku.p)[n] = (char)(sku.p[n] - 'a' + 'A');
		item = item_of(d, items, sku);
		while (known < o->line_count && o->lines[known].item != item)
			known++;
		if (known == o->line_count)
			o->lines[o->line_count++].item = item;
		o->lines[known].quantity += (int)from->lines[i].quantity;
	}
}

static int by_time(const void *a, const void *b)
{
	const struct flash_order *x = a, *y = b;

	return x->at != y->at ? (x->at < y->at ? -1 : 1) : x->number - y->number;
}

static void repeat(struct demand *d, const struct flash_order *order, int scale, struct dice *dice)
{
	for (int n = 0; n < scale; n++) {
		struct flash_order *o = &d->orders[d->order_count];
		int who = dice_between(dice, 0, 99);

		*o = *order;
		o->number = (int)d->order_count++;
		o->channel = who < 50 ? 0 : who < 80 ? 1 : 2;
		o->at += dice_between(dice, 0, 2 * JITTER_MS) - JITTER_MS;
		if (o->at < 0)
			o->at = 0;
	}
}

static void make_demand(const struct retail *r, const struct flash_options *o, struct demand *d, struct flash *out)
{
	int64_t hour = peak_hour(r, &out->peak_orders);
	struct dice dice = {o->seed};
	struct map items;
	size_t lines = 0;
	char text[TIME_TEXT];

	time_format(hour * HOUR_MS, text);
	snprintf(out->peak, sizeof(out->peak), "%.10s %.5s", text, text + 11);
	for (size_t i = 0; i < r->count; i++)
		if (r->documents[i].kind == RETAIL_ORDER && r->documents[i].placed_at / HOUR_MS == hour)
			lines += r->documents[i].line_count;
	d->items = arena_array(&d->arena, struct flash_item, lines);
	d->orders = arena_array(&d->arena, struct flash_order, (size_t)out->peak_orders * (size_t)o->scale);
	map_init(&items, lines + 1);
	for (size_t i = 0; i < r->count; i++) {
		struct flash_order order = {.at = r->documents[i].placed_at - hour * HOUR_MS};

		if (r->documents[i].kind != RETAIL_ORDER || r->documents[i].placed_at / HOUR_MS != hour)
			continue;
		copy_order(d, &items, &r->documents[i], &order);
		repeat(d, &order, o->scale, &dice);
	}
	map_done(&items);
	qsort(d->orders, d->order_count, sizeof(*d->orders), by_time);
	for (size_t i = 0; i < d->order_count; i++)
		for (int n = 0; n < d->orders[i].line_count; n++) {
			d->items[d->orders[i].lines[n].item].stock += d->orders[i].lines[n].quantity;
			out->units += d->orders[i].lines[n].quantity;
			out->lines++;
		}
	for (size_t i = 0; i < d->item_count; i++) {
		d->items[i].receipt = d->items[i].stock * FLASH_RECEIPT_PERCENT / 100;
		d->items[i].stock = (d->items[i].stock * o->stock_percent + 99) / 100;
		out->stock_units += d->items[i].stock;
	}
	out->orders = (int64_t)d->order_count;
	out->items = (int64_t)d->item_count;
}

/* ---- measuring ---- */

/* Not at a tick of any export. */
const int64_t flash_receipts_at[FLASH_RECEIPTS] = {17 * MINUTE_MS + 20000, 41 * MINUTE_MS + 40000};

int64_t sale_balance(const struct sale *s, int item)
{
	return s->demand->items[item].stock + s->items[item].received - s->items[item].sold;
}

static int64_t left_of(const struct sale *s, int item)
{
	int64_t left = sale_balance(s, item);

	return left > 0 ? left : 0;
}

static void note_truth(struct sale *s, int64_t now, int item)
{
	struct ledger_item *i = &s->items[item];

	for (int c = 0; c < FLASH_CHANNELS; c++) {
		if (i->shown[c] == left_of(s, item))
			i->wrong_since[c] = -1;
		else if (i->wrong_since[c] < 0)
			i->wrong_since[c] = now;
	}
}

void sale_receive(struct sale *s, int64_t now)
{
	for (size_t i = 0; i < s->demand->item_count; i++) {
		s->items[i].received += s->demand->items[i].receipt;
		note_truth(s, now, (int)i);
	}
}

static int minute_of(int64_t now)
{
	int64_t m = now / MINUTE_MS;

	return m < FLASH_MINUTES ? (int)m : FLASH_MINUTES - 1;
}

void sale_begin(struct sale *s, const struct demand *d, const struct flash_options *o, struct flash_result *r)
{
	*s = (struct sale){.demand = d,
			   .result = r,
			   .items = mem_zalloc(d->item_count, sizeof(struct ledger_item)),
			   .dice = {o->seed + 1},
			   .delay_min_ms = o->delay_min_ms,
			   .delay_max_ms = o->delay_max_ms};
	for (size_t i = 0; i < d->item_count; i++)
		for (int c = 0; c < FLASH_CHANNELS; c++) {
			s->items[i].shown[c] = (int)d->items[i].stock;
			s->items[i].wrong_since[c] = -1;
		}
	r->orders = (int64_t)d->order_count;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

void sale_end(struct sale *s)
{
	struct flash_result *r = s->result;
	double sum = 0;

	for (size_t i = 0; i < s->age_count; i++)
		sum += (double)s->ages[i];
	if (s->age_count) {
		qsort(s->ages, s->age_count, sizeof(*s->ages), by_value);
		r->stale_mean_s = sum / (double)s->age_count / 1000;
		size_t p99 = (s->age_count - 1) * 99 / 100;
		r->stale_p99_s = (double)s->ages[p99] / 1000;
	}
	for (int m = 1; m < FLASH_MINUTES; m++) {
		r->oversold_by[m] += r->oversold_by[m - 1];
		r->lost_by[m] += r->lost_by[m - 1];
	}
	free(s->ages);
	free(s->items);
}

int64_t sale_delay(struct sale *s)
{
	return dice_between(&s->dice, s->delay_min_ms, s->delay_max_ms);
}

void sale_show(struct sale *s, int64_t now, int channel, int item, int64_t number)
{
	s->items[item].shown[channel] = number > 0 ? (int)number : 0;
	note_truth(s, now, item);
}

static void lose(struct sale *s, int64_t now, const struct flash_line *l)
{
	int64_t left = left_of(s, l->item), lost = left < l->quantity ? left : l->quantity;

	s->result->lost_units += lost;
	s->result->lost_by[minute_of(now)] += lost;
}

bool sale_look(struct sale *s, int64_t now, int channel, const struct flash_line *l)
{
	const struct ledger_item *i = &s->items[l->item];

	if (s->age_count == s->age_room) {
		s->age_room = s->age_room ? s->age_room * 2 : 4096;
		s->ages = mem_grow(s->ages, s->age_room * sizeof(*s->ages));
	}
	s->ages[s->age_count++] = i->wrong_since[channel] < 0 ? 0 : now - i->wrong_since[channel];
	if (i->shown[channel] >= l->quantity)
		return true;
	if (left_of(s, l->item) >= l->quantity)
		lose(s, now, l);
	return false;
}

void sale_refused(struct sale *s, int64_t now, const struct flash_line *l)
{
	if (left_of(s, l->item) >= l->quantity)
		lose(s, now, l);
}

void sale_accept(struct sale *s, int64_t now, const struct flash_line *lines, int count)
{
	bool over = false;

	for (int n = 0; n < count; n++) {
		int64_t left = left_of(s, lines[n].item);
		int64_t missing = lines[n].quantity > left ? lines[n].quantity - left : 0;

		s->items[lines[n].item].sold += lines[n].quantity;
		s->result->accepted_units += lines[n].quantity;
		s->result->oversold_units += missing;
		s->result->oversold_by[minute_of(now)] += missing;
		over = over || missing > 0;
		note_truth(s, now, lines[n].item);
	}
	s->result->accepted_orders += count > 0;
	s->result->oversold_orders += over;
}

/* ---- all models ---- */

enum rc flash_run(const struct flash_options *o, struct flash *out, struct err *e)
{
	static const int minutes[] = {30, 15, 1};
	struct demand demand = {0};
	struct retail retail;
	struct sale sale;
	enum rc rc;

	*out = (struct flash){.options = *o};
	rc = retail_load(&retail, o->data, e);
	if (rc != RC_OK)
		return rc;
	arena_init(&demand.arena, 256u << 20);
	make_demand(&retail, o, &demand, out);
	retail_done(&retail);
	for (int i = 0; i < FLASH_MODELS - 1; i++) {
		snprintf(out->results[i].name, sizeof(out->results[i].name), "export every %d minute%s", minutes[i],
			 minutes[i] > 1 ? "s" : "");
		sale_begin(&sale, &demand, o, &out->results[i]);
		flash_batch(&sale, minutes[i] * MINUTE_MS);
		sale_end(&sale);
	}
	snprintf(out->results[3].name, sizeof(out->results[3].name), "Crossdock");
	sale_begin(&sale, &demand, o, &out->results[3]);
	rc = flash_crossdock(&sale, o, e);
	sale_end(&sale);
	arena_done(&demand.arena);
	return rc;
}
