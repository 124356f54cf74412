#include "base/mem.h"
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/publish_internal.h"
#include "orchestrate/stock/terms.h"

#define ITEMS_DEFAULT 500
#define JSON_MAX      (4u << 20)
#define SWEEP_SLICE   2000
#define DUE_SLICE     2000
#define ORDERS_AGAIN  1000 /* at most about so many are read again at the start for nothing */

struct publisher *publisher_new(const struct config_tenant *tenant, struct stock *stock)
{
	struct publisher *p = mem_zalloc(1, sizeof(*p));

	p->tenant = tenant;
	p->stock = stock;
	p->channels = mem_zalloc(tenant->channel_count, sizeof(*p->channels));
	for (uint16_t i = 0; i < tenant->channel_count; i++) {
		struct channel *c = &p->channels[i];
		const struct pack_operation *op;

		c->config = &tenant->channels[i];
		c->system = &tenant->systems[c->config->system];
		c->index = i;
		op = &c->system->pack->operations[OP_AVAILABILITY];
		if (op->present)
			c->batch = op->batch_items ? op->batch_items : ITEMS_DEFAULT;
		c->items = mem_zalloc(c->batch, sizeof(*c->items));
	}
	age_init(p);
	return p;
}

static void free_changes(struct publisher *p, struct stock_item *item)
{
	for (size_t c = 0; item->publications && c < p->tenant->channel_count; c++) {
		free(item->publications[c].change);
		item->publications[c].change = NULL;
	}
}

void publisher_free(struct publisher *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->tenant->channel_count; i++) {
		free(p->channels[i].items);
		free(p->channels[i].untold);
	}
	for (size_t i = 0; i < p->stock->item_count; i++)
		free_changes(p, p->stock->list[i]);
	free(p->channels);
	free(p->ages);
	free(p->heard);
	free(p->heard_written);
	free(p->records);
	free(p);
}

struct publication *publication_of(struct publisher *p, struct stock_item *item, uint16_t channel)
{
	if (!item->publications) {
		item->publications = mem_zalloc(p->tenant->channel_count, sizeof(*item->publications));
		for (size_t i = 0; i < p->tenant->channel_count; i++)
			item->publications[i].told = UNKNOWN;
	}
	return &item->publications[channel];
}

/* ---- changes, and the lists they are on ---- */

struct change *change_of(struct publisher *p, struct channel *c, struct stock_item *item)
{
	struct publication *pub = publication_of(p, item, c->index);

	if (pub->change)
		return pub->change;
	pub->change = mem_zalloc(1, sizeof(*pub->change));
	pub->change->item = item;
	pub->change->expected = pub->confirmed ? pub->told : UNKNOWN;
	return pub->change;
}

void publish_settle(struct channel *c, struct change *ch)
{
	struct publication *pub = &ch->item->publications[c->index];

	if (ch->list != LIST_NONE || ch->in_flight || ch->dirty_since)
		return;
	if (ch->expected != UNKNOWN && ch->expected != pub->told)
		return;
	for (size_t n = 0; n < c->untold_count; n++)
		if (c->untold[n] == ch)
			return;
	pub->confirmed = ch->expected != UNKNOWN;
	pub->change = NULL;
	free(ch);
}

static void list_remove(struct channel *c, struct change *ch)
{
	struct list *l = &c->lists[ch->list];

	if (ch->list == LIST_NONE)
		return;
	*(ch->previous ? &ch->previous->next : &l->first) = ch->next;
	*(ch->next ? &ch->next->previous : &l->last) = ch->previous;
	ch->next = ch->previous = NULL;
	ch->list = LIST_NONE;
}

/* To the end, but what waits longer than the first of them comes before it: nobody looks further for what starves. */
static void list_move(struct channel *c, struct change *ch, enum change_list to)
{
	struct list *l = &c->lists[to];

	if (ch->list == to)
		return;
	list_remove(c, ch);
	ch->list = to;
	if (l->first && ch->changed_at < l->first->changed_at) {
		ch->next = l->first;
		l->first->previous = ch;
		l->first = ch;
		return;
	}
	ch->previous = l->last;
	*(l->last ? &l->last->next : &l->first) = ch;
	l->last = ch;
}

/* ---- how fast a channel sells ---- */

static uint32_t hours(int64_t now)
{
	return (uint32_t)(now / 3600000);
}

static uint32_t speed_now(const struct publication *pub, int64_t now)
{
	uint32_t passed = hours(now) - pub->speed_at;

	return passed > 15 ? 0 : (uint32_t)pub->speed >> passed;
}

void publish_speed_add(struct publication *pub, int64_t now)
{
	uint32_t speed = speed_now(pub, now) + 16;

	pub->speed = (uint16_t)(speed > UINT16_MAX ? UINT16_MAX : speed);
	pub->speed_at = hours(now);
}

static enum change_list list_for(const struct channel *c, const struct publication *pub, qty_t current, int64_t now)
{
	qty_t plenty = c->config->threshold;
	uint32_t speed = speed_now(pub, now) / 16;

	/* What was never told is no news that hurts: there may be a million of them. */
	if (current == 0 && pub->version > 0)
		return LIST_URGENT;
	if (plenty > 0 && pub->told != UNKNOWN && pub->told >= plenty && current >= plenty)
		return LIST_CALM;
	return speed >= 64 ? LIST_FAST : speed >= 8 ? LIST_BRISK : speed >= 1 ? LIST_STEADY : LIST_SLOW;
}

/* ---- comparing ---- */

static bool is_recorded(const struct stock_item *item)
{
	return item->recorded || item->place_count > 0;
}

static bool has_stale(const struct location_set *stale, const struct stock_item *item)
{
	for (uint32_t n = 0; n < item->place_count; n++)
		if (location_set_has(stale, item->places[n]->position.location))
			return true;
	for (uint32_t n = 0; item_is_kit(item) && n < item->rules->component_count; n++)
		if (has_stale(stale, item->rules->components[n].item))
			return true;
	return false;
}

static bool is_frozen(const struct publisher *p, const struct channel *c, const struct stock_item *item)
{
	return c->config->max_age_ms > 0 && !c->config->stale_zero && publish_stale_locations(p, c->index) &&
	       has_stale(&p->stock->stale[c->index], item);
}

/* Sets what the channel should be told; the item is on a list exactly while that differs from what it was told. */
static void compare(struct publisher *p, struct channel *c, struct stock_item *item, qty_t current, int64_t now,
		    bool anew)
{
	struct publication *pub = item->publications ? &item->publications[c->index] : NULL;
	struct change *ch = pub ? pub->change : NULL;
	qty_t told = pub ? pub->told : UNKNOWN;
	enum change_list to;

	if (current == 0 && (!pub || !pub->version) && !is_recorded(item))
		current = told;
	if (is_frozen(p, c, item)) {
		qty_t most = told != UNKNOWN || !pub || !pub->version ? told : ch ? ch->at_most : 0;

		if (current > most) /* UNKNOWN is less than any */
			current = most;
	}
	if (current == told) {
		if (!ch)
			return;
		ch->current = current;
		list_remove(c, ch);
		publish_settle(c, ch);
		return;
	}
	ch = change_of(p, c, item);
	pub = &item->publications[c->index];
	if (ch->list == LIST_NONE)
		ch->changed_at = now;
	ch->current = current;
	to = list_for(c, pub, current, now);
	if (anew && to == LIST_SLOW && (ch->list == LIST_NONE || ch->list == LIST_ANEW))
		to = LIST_ANEW;
	list_move(c, ch, to);
}

static void compare_all(struct publisher *p, struct stock_item *item, int64_t now, bool anew)
{
	qty_t current[CONFIG_CHANNELS_MAX];

	stock_available_all(p->stock, item, current);
	for (uint16_t i = 0; i < p->tenant->channel_count; i++)
		if (p->channels[i].batch)
			compare(p, &p->channels[i], item, current[i], now, anew);
}

void publish_compare(struct publisher *p, struct stock_item *item, int64_t now)
{
	compare_all(p, item, now, false);
}

void publish_compare_anew(struct publisher *p, struct stock_item *item, int64_t now)
{
	compare_all(p, item, now, true);
}

void publish_compare_one(struct publisher *p, struct channel *c, struct stock_item *item, int64_t now)
{
	compare(p, c, item, stock_available(p->stock, item, c->config), now, false);
}

/* Its row is to be written; seq: the delivery that it does not know. */
void publish_mark_dirty(const struct publisher *p, struct channel *c, struct change *ch, int64_t seq)
{
	if (ch->dirty_since)
		return;
	ch->dirty_since = seq;
	ch->orders = p->orders;
	ch->next_dirty = NULL;
	*(c->dirty ? &c->dirty_last->next_dirty : &c->dirty) = ch;
	c->dirty_last = ch;
}

void publish_write_soon(struct channel *c, struct change *ch)
{
	if (c->untold_count == c->untold_room) {
		c->untold_room = c->untold_room ? c->untold_room * 2 : 64;
		c->untold = mem_grow(c->untold, c->untold_room * sizeof(struct change *));
	}
	c->untold[c->untold_count++] = ch;
}

struct channel *publish_channel(const struct publisher *p, uint16_t system)
{
	for (size_t i = 0; i < p->tenant->channel_count; i++)
		if (p->channels[i].config->system == system)
			return &p->channels[i];
	return NULL;
}

/* ---- cutting ---- */

/* What did not wait its turn out, but long enough. */
static struct change *starved(struct channel *c, int64_t now)
{
	struct change *oldest = NULL;

	for (enum change_list l = LIST_FAST; l <= LIST_SLOW; l++) {
		struct change *first = c->lists[l].first;

		if (first && first->changed_at + PUBLISH_STARVED_MS <= now &&
		    (!oldest || first->changed_at < oldest->changed_at))
			oldest = first;
	}
	return oldest;
}

struct change *publish_news(struct channel *c, int64_t now)
{
	struct change *ch = c->lists[LIST_URGENT].first ? c->lists[LIST_URGENT].first : starved(c, now);

	if (c->since_anew + 1 >= PUBLISH_ANEW_EVERY && !c->lists[LIST_URGENT].first && c->lists[LIST_ANEW].first)
		ch = c->lists[LIST_ANEW].first;
	for (enum change_list l = LIST_FAST; !ch && l <= LIST_ANEW; l++)
		ch = c->lists[l].first;
	return ch;
}

/* Those that may wait go together: when one is due, what has waited half of the time goes with it. */
static struct change *next_change(struct channel *c, int64_t now)
{
	struct change *ch = publish_news(c, now), *calm = c->lists[LIST_CALM].first;

	if (!ch && calm && calm->changed_at + c->config->max_wait_ms / 2 <= now)
		ch = calm;
	return ch;
}

static void write_item(struct json_writer *w, const struct change *ch, int64_t version, struct str counts_through)
{
	jw_object(w);
	jw_key_text(w, "sku", ch->item->sku);
	jw_key_qty(w, "available", ch->current);
	jw_key_int(w, "version", version);
	if (ch->expected != UNKNOWN)
		jw_key_qty(w, "expected", ch->expected);
	jw_opt_text(w, "counts_through", counts_through);
	jw_object_end(w);
}

/* What the channel's orders have taken off what it was told. */
static qty_t sold_of(const struct channel *c, const struct publication *pub)
{
	const struct change *ch = pub->change;

	if (pub->told == UNKNOWN || !ch)
		return pub->told == UNKNOWN || !pub->confirmed ? UNKNOWN : 0;
	if (ch->in_flight && c->items[ch->flight].change == ch && c->items[ch->flight].told == pub->told)
		return c->items[ch->flight].sold;
	return ch->expected == UNKNOWN ? UNKNOWN : pub->told > ch->expected ? pub->told - ch->expected : 0;
}

static struct store_value qty_value(struct txn *t, qty_t q)
{
	char text[DECIMAL_TEXT_MAX];
	struct str s = {text, qty_format(q, text)};

	return SV_TEXT(txn_copy(t, s));
}

void publish_write_row(struct channel *c, struct txn *t, const struct stock_item *item)
{
	const struct publication *pub = &item->publications[c->index];
	qty_t sold = sold_of(c, pub);

	txn_put(t, W_PUBLICATION, SV_TEXT(c->config->name), SV_TEXT(item->sku), qty_value(t, pub->told),
		SV_INT(pub->version), SV_INT(t->now), sold == UNKNOWN ? SV_NULL : qty_value(t, sold),
		SV_INT(t->heads->orders));
}

/* Tells one item: it leaves the list and joins the delivery. */
static void take_item(const struct publisher *p, struct channel *c, struct txn *t, struct change *ch)
{
	struct publication *pub = &ch->item->publications[c->index];

	c->since_anew = ch->list == LIST_ANEW ? 0 : c->since_anew + 1;
	list_remove(c, ch);
	pub->told = ch->current;
	pub->version++;
	if (ch->changed_at < c->changed_at)
		c->changed_at = ch->changed_at;
	ch->flight = (uint32_t)c->item_count;
	c->items[c->item_count++] = (struct flight_item){ch, ch->current, ch->expected, 0};
	ch->in_flight = true;
	publish_mark_dirty(p, c, ch, t->heads->delivery + 1);
}

static void cut(const struct publisher *p, struct channel *c, struct order_book *orders, struct txn *t)
{
	struct str counts_through = orders->counts_through[c->index], params;
	struct json_writer w;
	bool to_zero = c->lists[LIST_URGENT].first != NULL;
	enum delivery_priority priority = config_operation(c->system, OP_AVAILABILITY)->priority;
	struct change *ch;
	struct buf json;
	int64_t event;

	c->item_count = 0;
	c->changed_at = t->now;
	c->lingers_until = t->now + c->config->linger_ms;
	buf_init(&json, JSON_MAX);
	jw_init(&w, &json);
	jw_object(&w);
	jw_key_text(&w, "channel", c->config->name);
	jw_key_int(&w, "orders", t->heads->orders);
	jw_key(&w, "items");
	jw_array(&w);
	while (c->item_count < c->batch && (ch = next_change(c, t->now))) {
		take_item(p, c, t, ch);
		write_item(&w, ch, ch->item->publications[c->index].version, counts_through);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	params = txn_text(t, &json);
	buf_done(&json);
	event = txn_event(t, "availability.changed", c->config->name, 0, params);
	c->in_doubt = false;
	c->under_way = txn_delivery(t, &(struct txn_delivery){
					   .system = c->system->name,
					   .system_index = c->system->index,
					   .operation = OP_AVAILABILITY,
					   .priority = to_zero ? PRIORITY_EXPEDITED : priority,
					   .key = STR("availability"),
					   .event = event,
					   .params = DELIVERY_PARAMS_EVENT,
				       });
}

static int64_t next_cut(struct channel *c, int64_t now)
{
	const struct change *calm = c->lists[LIST_CALM].first;
	int64_t due = INT64_MAX;

	if (c->under_way)
		return INT64_MAX;
	if (c->lists[LIST_URGENT].first)
		return 0;
	if (publish_news(c, now))
		due = c->lingers_until;
	else if (calm)
		due = calm->changed_at + c->config->max_wait_ms;
	return due < c->lingers_until ? c->lingers_until : due;
}

int64_t publish_next(const struct publisher *p)
{
	int64_t next = age_next(p), due = terms_next(p->stock);

	if (p->sweep || due < next)
		next = p->sweep ? 0 : due;
	for (size_t i = 0; i < p->tenant->channel_count; i++) {
		due = next_cut(&p->channels[i], p->stock->now);
		if (due < next)
			next = due;
	}
	return next;
}

static void cut_all(struct publisher *p, struct order_book *orders, struct txn *t)
{
	for (size_t i = 0; i < p->tenant->channel_count; i++) {
		struct channel *c = &p->channels[i];

		if (next_cut(c, t->now) <= t->now) {
			t->cause = (struct txn_cause){.correlation_id = txn_uuid(t)};
			cut(p, c, orders, t);
		}
		while (c->untold_count) {
			struct change *ch = c->untold[--c->untold_count];

			publish_write_row(c, t, ch->item);
			publish_settle(c, ch);
		}
	}
}

void publish_step(struct publisher *p, struct order_book *orders, struct txn *t)
{
	p->stock->now = t->now;
	age_step(p, t);
	terms_due(p->stock, t->now, DUE_SLICE);
	for (struct stock_item *i = p->stock->touched; i; i = i->next_touched)
		if (i->terms)
			arrival_settle(p->stock, i);
	for (struct stock_item *i = p->stock->touched; i; i = i->next_touched)
		publish_compare(p, i, t->now);
	for (size_t n = 0; p->sweep && n < SWEEP_SLICE; n++)
		publish_compare_anew(p, p->stock->list[--p->sweep], t->now);
	cut_all(p, orders, t);
	terms_flush(p->stock, t);
	p->orders = t->heads->orders;
}

/* Deliveries up to here are in the rows: nothing that is wrong or under way came before. */
static int64_t floor_of(const struct publisher *p, int64_t last)
{
	for (size_t i = 0; i < p->tenant->channel_count; i++) {
		const struct channel *c = &p->channels[i];

		if (c->dirty && c->dirty->dirty_since <= last)
			last = c->dirty->dirty_since - 1;
		if (c->under_way && c->under_way <= last)
			last = c->under_way - 1;
	}
	return last;
}

/* Orders up to here are in the rows. */
static int64_t orders_of(const struct publisher *p, int64_t last)
{
	for (size_t i = 0; i < p->tenant->channel_count; i++)
		if (p->channels[i].dirty && p->channels[i].dirty->orders < last)
			last = p->channels[i].dirty->orders;
	return last;
}

void publish_flush(struct publisher *p, struct txn *t, size_t max)
{
	if (!publish_dirty(p) && t->heads->orders - p->orders_floor < ORDERS_AGAIN)
		return;
	for (size_t i = 0; i < p->tenant->channel_count; i++) {
		struct channel *c = &p->channels[i];

		for (size_t n = 0; c->dirty && n < max; n++) {
			struct change *ch = c->dirty;

			c->dirty = ch->next_dirty;
			ch->dirty_since = 0;
			publish_write_row(c, t, ch->item);
			publish_settle(c, ch);
		}
	}
	txn_put(t, W_META, SV_TEXT(STR("publication_floor")), SV_INT(floor_of(p, t->heads->delivery)));
	p->orders_floor = orders_of(p, t->heads->orders);
	txn_put(t, W_META, SV_TEXT(STR("publication_orders")), SV_INT(p->orders_floor));
}

bool publish_dirty(const struct publisher *p)
{
	for (size_t i = 0; i < p->tenant->channel_count; i++)
		if (p->channels[i].dirty)
			return true;
	return false;
}
