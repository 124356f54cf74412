#include "orchestrate/stock/publish.h"

#include "base/mem.h"

#define ITEMS_DEFAULT 500
#define JSON_MAX      (4u << 20)
#define UNKNOWN       ((qty_t)-1)

struct list {
	struct publication *first, **last;
};

struct flight_item {
	struct publication *publication;
	qty_t told;
};

struct channel {
	const struct config_channel *config;
	const struct config_system *system;
	uint16_t index;
	size_t batch; /* 0: the connector cannot be told */
	struct list urgent, rest;
	int64_t under_way; /* seq of the delivery; 0: none */
	int64_t changed_at;
	int64_t lingers_until;
	struct flight_item *items;
	size_t item_count;
	struct publication *dirty, **dirty_last; /* rows to write, the one that is longest wrong first */
	struct publication **untold; /* in this batch: the channel was told something else than what is stored */
	size_t untold_count;
};

struct publisher {
	const struct config_tenant *tenant;
	struct stock *stock;
	struct channel *channels;
};

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
		c->urgent.last = &c->urgent.first;
		c->rest.last = &c->rest.first;
		c->dirty_last = &c->dirty;
		op = &c->system->pack->operations[OP_AVAILABILITY];
		if (op->present)
			c->batch = op->batch_items ? op->batch_items : ITEMS_DEFAULT;
		c->items = mem_zalloc(c->batch, sizeof(*c->items));
		c->untold = mem_zalloc(c->batch, sizeof(*c->untold));
	}
	return p;
}

void publisher_free(struct publisher *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->tenant->channel_count; i++) {
		free(p->channels[i].items);
		free(p->channels[i].untold);
	}
	free(p->channels);
	free(p);
}

static struct publication *publication_of(struct publisher *p, struct stock_item *item, uint16_t channel)
{
	if (!item->publications) {
		item->publications = mem_zalloc(p->tenant->channel_count, sizeof(*item->publications));
		for (size_t i = 0; i < p->tenant->channel_count; i++) {
			item->publications[i].item = item;
			item->publications[i].expected = UNKNOWN;
		}
	}
	return &item->publications[channel];
}

/* ---- the list of changes ---- */

static void list_add(struct list *l, struct publication *p)
{
	p->next = NULL;
	p->previous = l->last;
	*l->last = p;
	l->last = &p->next;
}

static void list_remove(struct channel *c, struct publication *p)
{
	if (!p->previous)
		return;
	*p->previous = p->next;
	if (p->next)
		p->next->previous = p->previous;
	else if (c->urgent.last == &p->next)
		c->urgent.last = p->previous;
	else
		c->rest.last = p->previous;
	p->previous = NULL;
	p->next = NULL;
}

/* Sets what the channel should be told; the item is on the list exactly while that differs from what it was told. */
static void compare(struct channel *c, struct publication *p, qty_t current, int64_t now)
{
	bool zero = current == 0 && p->current != 0;

	p->current = current;
	if (current == p->told) {
		list_remove(c, p);
		return;
	}
	if (!p->previous)
		p->changed_at = now;
	if (!p->previous || zero) {
		list_remove(c, p);
		list_add(current == 0 ? &c->urgent : &c->rest, p);
	}
}

static void compare_item(struct publisher *p, struct stock_item *item, int64_t now)
{
	for (uint16_t i = 0; i < p->tenant->channel_count; i++) {
		struct channel *c = &p->channels[i];

		if (c->batch)
			compare(c, publication_of(p, item, i), stock_available(p->stock, item, c->config), now);
	}
}

/* Its row is to be written; seq: the delivery that it does not know. */
static void mark_dirty(struct channel *c, struct publication *p, int64_t seq)
{
	if (p->dirty_since)
		return;
	p->dirty_since = seq;
	p->next_dirty = NULL;
	*c->dirty_last = p;
	c->dirty_last = &p->next_dirty;
}

/* ---- loading ---- */

void publish_load(struct publisher *p, struct str channel, struct str sku, qty_t told, int64_t version)
{
	struct stock_item *item = stock_find(p->stock, sku);

	for (uint16_t i = 0; item && i < p->tenant->channel_count; i++) {
		if (!str_eq(p->tenant->channels[i].name, channel))
			continue;
		publication_of(p, item, i)->told = told;
		publication_of(p, item, i)->version = version;
	}
}

static struct channel *channel_of(const struct publisher *p, uint16_t system)
{
	for (size_t i = 0; i < p->tenant->channel_count; i++)
		if (p->channels[i].config->system == system)
			return &p->channels[i];
	return NULL;
}

void publish_load_delivery(struct publisher *p, uint16_t system, int64_t seq, enum delivery_status status,
			   const struct json *params)
{
	const struct json *items = json_get(params, "items");
	struct channel *c = channel_of(p, system);
	bool open = status < DELIVERY_FINAL;

	if (!c || !json_is(items, JSON_ARRAY))
		return;
	if (open) {
		c->under_way = seq;
		c->item_count = 0;
	}
	for (uint32_t i = 0; i < items->count; i++) {
		struct stock_item *item = stock_find(p->stock, json_get_text(&items->items[i], "sku"));
		struct publication *pub;
		int64_t version;
		qty_t told;

		if (!item || qty_parse(json_get_text(&items->items[i], "available"), &told, NULL) != RC_OK)
			continue;
		pub = publication_of(p, item, c->index);
		/* A row of this version is newer: it knows how the delivery ended. */
		if (json_int(json_get(&items->items[i], "version"), &version) && version > pub->version) {
			pub->version = version;
			pub->told = told;
			mark_dirty(c, pub, seq);
		}
		if (open && c->item_count < c->batch)
			c->items[c->item_count++] = (struct flight_item){pub, told};
	}
}

void publish_load_done(struct publisher *p, int64_t now)
{
	struct stock_item *item;
	size_t at = 0;

	while ((item = map_next(&p->stock->items, &at, NULL)))
		compare_item(p, item, now);
}

/* ---- cutting ---- */

static struct publication *next_change(struct channel *c)
{
	return c->urgent.first ? c->urgent.first : c->rest.first;
}

static void write_item(struct json_writer *w, const struct publication *p, struct str counts_through)
{
	jw_object(w);
	jw_key_text(w, "sku", p->item->sku);
	jw_key_qty(w, "available", p->current);
	jw_key_int(w, "version", p->version);
	if (p->expected != UNKNOWN)
		jw_key_qty(w, "expected", p->expected);
	jw_opt_text(w, "counts_through", counts_through);
	jw_object_end(w);
}

/* told may be UNKNOWN: it is a quantity like any other. */
static void write_row(struct channel *c, struct txn *t, const struct publication *p)
{
	char told[DECIMAL_TEXT_MAX];
	struct str text = {told, qty_format(p->told, told)};

	txn_put(t, W_PUBLICATION, SV_TEXT(c->config->name), SV_TEXT(p->item->sku), SV_TEXT(txn_copy(t, text)),
		SV_INT(p->version), SV_INT(t->now));
}

/* Tells one item: it leaves the list and joins the delivery. */
static void take_item(struct channel *c, struct txn *t, struct publication *p)
{
	list_remove(c, p);
	p->told = p->current;
	p->version++;
	if (p->changed_at < c->changed_at)
		c->changed_at = p->changed_at;
	c->items[c->item_count++] = (struct flight_item){p, p->told};
	mark_dirty(c, p, t->heads->delivery + 1);
}

static void cut(struct channel *c, struct order_book *orders, struct txn *t)
{
	struct str counts_through = orders->counts_through[c->index], params;
	struct json_writer w;
	bool to_zero = c->urgent.first != NULL;
	enum delivery_priority priority = config_operation(c->system, OP_AVAILABILITY)->priority;
	struct publication *p;
	struct buf json;
	int64_t event;

	c->item_count = 0;
	c->changed_at = t->now;
	c->lingers_until = t->now + c->config->linger_ms;
	buf_init(&json, JSON_MAX);
	jw_init(&w, &json);
	jw_object(&w);
	jw_key_text(&w, "channel", c->config->name);
	jw_key(&w, "items");
	jw_array(&w);
	while (c->item_count < c->batch && (p = next_change(c))) {
		take_item(c, t, p);
		write_item(&w, p, counts_through);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	params = txn_text(t, &json);
	buf_done(&json);
	event = txn_event(t, "availability.changed", c->config->name, 0, params);
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

static int64_t next_cut(const struct channel *c)
{
	if (c->under_way || !(c->urgent.first || c->rest.first))
		return INT64_MAX;
	return c->urgent.first ? 0 : c->lingers_until;
}

int64_t publish_next(const struct publisher *p)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < p->tenant->channel_count; i++)
		if (next_cut(&p->channels[i]) < next)
			next = next_cut(&p->channels[i]);
	return next;
}

void publish_step(struct publisher *p, struct order_book *orders, struct txn *t)
{
	for (struct stock_item *i = p->stock->touched; i; i = i->next_touched)
		compare_item(p, i, t->now);
	for (size_t i = 0; i < p->tenant->channel_count; i++) {
		struct channel *c = &p->channels[i];

		if (next_cut(c) <= t->now) {
			t->cause = (struct txn_cause){.correlation_id = txn_uuid(t)};
			cut(c, orders, t);
		}
		for (size_t n = 0; n < c->untold_count; n++)
			write_row(c, t, c->untold[n]);
		c->untold_count = 0;
	}
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

void publish_flush(struct publisher *p, struct txn *t, size_t max)
{
	if (!publish_dirty(p))
		return;
	for (size_t i = 0; i < p->tenant->channel_count; i++) {
		struct channel *c = &p->channels[i];

		for (size_t n = 0; c->dirty && n < max; n++) {
			struct publication *pub = c->dirty;

			c->dirty = pub->next_dirty;
			if (!c->dirty)
				c->dirty_last = &c->dirty;
			pub->dirty_since = 0;
			write_row(c, t, pub);
		}
	}
	txn_put(t, W_META, SV_TEXT(STR("publication_floor")), SV_INT(floor_of(p, t->heads->delivery)));
}

bool publish_dirty(const struct publisher *p)
{
	for (size_t i = 0; i < p->tenant->channel_count; i++)
		if (p->channels[i].dirty)
			return true;
	return false;
}

/* ---- what became of it ---- */

bool publish_start(struct publisher *p, uint16_t system, int64_t seq, uint32_t attempts)
{
	struct channel *c = channel_of(p, system);

	if (!c || c->under_way != seq)
		return false;
	if (attempts == 0 || !next_change(c))
		return true;
	publish_end(p, system, seq, PUBLISH_OVERTAKEN, NULL, c->changed_at);
	return false;
}

/* It goes back to the list, and is found there after a restart too. */
static void tell_again(struct channel *c, struct publication *p, int64_t now)
{
	compare(c, p, p->current, now);
	if (c->untold_count < c->batch)
		c->untold[c->untold_count++] = p;
}

void publish_shown(struct publisher *p, uint16_t system, struct str sku, qty_t shown, int64_t now)
{
	struct channel *c = channel_of(p, system);
	struct stock_item *item = c ? stock_find(p->stock, sku) : NULL;
	struct publication *pub;

	if (!item)
		return;
	pub = publication_of(p, item, c->index);
	pub->expected = shown;
	pub->told = shown;
	tell_again(c, pub, now);
}

static void note_stale(struct publisher *p, uint16_t system, const struct json *stale, int64_t now)
{
	for (uint32_t i = 0; stale && i < stale->count; i++) {
		qty_t shown;

		if (qty_parse(json_get_text(&stale->items[i], "available"), &shown, NULL) == RC_OK)
			publish_shown(p, system, json_get_text(&stale->items[i], "sku"), shown, now);
	}
}

void publish_end(struct publisher *p, uint16_t system, int64_t seq, enum publish_result result,
		 const struct json *stale, int64_t now)
{
	struct channel *c = channel_of(p, system);

	if (!c || c->under_way != seq)
		return;
	c->under_way = 0;
	for (size_t i = 0; i < c->item_count; i++) {
		struct publication *pub = c->items[i].publication;

		if (result == PUBLISH_DELIVERED) {
			pub->expected = c->items[i].told;
			continue;
		}
		pub->expected = UNKNOWN;
		if (pub->told == c->items[i].told)
			pub->told = UNKNOWN;
		if (result == PUBLISH_OVERTAKEN)
			tell_again(c, pub, now);
	}
	c->item_count = 0;
	note_stale(p, system, stale, now);
}

int64_t publish_changed_at(const struct publisher *p, uint16_t system, int64_t seq)
{
	const struct channel *c = channel_of(p, system);

	return c && c->under_way == seq ? c->changed_at : 0;
}

void publish_again(struct publisher *p, struct txn *t, uint16_t system, const struct json *params)
{
	struct channel *c = channel_of(p, system);
	const struct json *items = json_get(params, "items");

	for (uint32_t i = 0; c && json_is(items, JSON_ARRAY) && i < items->count; i++) {
		struct stock_item *item = stock_find(p->stock, json_get_text(&items->items[i], "sku"));
		struct publication *pub;

		if (!item)
			continue;
		pub = publication_of(p, item, c->index);
		pub->told = UNKNOWN;
		pub->expected = UNKNOWN;
		compare(c, pub, pub->current, t->now);
		write_row(c, t, pub);
	}
}
