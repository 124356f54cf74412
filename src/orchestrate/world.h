/*
 * For *_test.c only: a small tenant, its books in memory, and a disk that keeps the rows of committed batches, so that
 * the state can be loaded again as the hub does it.
 *
 * Systems: 0 "shop" and 3 "market" (channels), 1 "erp", 2 "wms". Locations: 0 "A" and 1 "B" (shipped by the wms),
 * 2 "C" (by nobody). Channels: 0 "shop" sells from A, B; 1 "market" from B, C.
 */
#ifndef ORCHESTRATE_WORLD_H
#define ORCHESTRATE_WORLD_H

#include "base/mem.h"
#include "base/test.h"
#include "orchestrate/order/order.h"
#include "orchestrate/stock/hold.h"
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/publish.h"
#include "orchestrate/stock/terms.h"
#include "orchestrate/stock/verbs.h"
#include "orchestrate/stock/view_writer.h"
#include "orchestrate/world_disk.h"

#include <stdio.h>

#define WORLD_NOW       1772366400000 /* 2026-03-01T12:00:00Z */
#define WORLD_LOCATIONS 3
#define WORLD_CHANNELS  2
#define WORLD_SYSTEMS   4
#define WORLD_OWNERS    2
#define WORLD_ITEMS_MAX 64
#define WORLD_LINES_MAX 8
#define Q(n)            ((qty_t)(n)*QTY_ONE)

struct world {
	struct config_tenant tenant;
	struct config_location locations[WORLD_LOCATIONS];
	struct config_system systems[WORLD_SYSTEMS];
	struct config_channel channels[WORLD_CHANNELS];
	struct str owners[WORLD_OWNERS];
	struct pack packs[WORLD_SYSTEMS];
	struct world_disk disk;
	size_t orders_max, holds_max;
	uint64_t random;
	struct uuid_source ids;
	struct arena arena;
	struct log_heads heads;
	struct dedup *dedup;
	struct stock_view *view;
	struct stock *stock;
	struct order_book *orders;
	struct hold_book *holds;
	struct publisher *publisher;
	struct txn txn;
	int64_t now, batch;
	int64_t replay_behind; /* movements before the floor that are read again, for late counts */
};

struct world_line {
	const char *sku, *location;
	qty_t quantity;
	const char *line_id, *to, *lot, *owner;
};
#define WANT(a, at, q)                                                                                                 \
	{                                                                                                              \
		.sku = (a), .location = (at), .quantity = (q)                                                          \
	}

static uint16_t world_locations_shop[] = {0, 1}, world_locations_market[] = {1, 2};

static inline void world_random(void *ctx, void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((unsigned char *)p)[i] = (unsigned char)(test_random(ctx) >> 32);
}

/* ---- start, commit, reload ---- */

static inline void world_begin(struct world *w)
{
	arena_reset(&w->arena);
	txn_init(&w->txn, &w->arena, &w->heads, w->dedup, &w->ids, ++w->batch, w->now);
	w->txn.cause.correlation_id = STR("correlation");
	w->stock->now = w->now;
}

static inline void world_books(struct world *w)
{
	w->stock = stock_new(&w->tenant, WORLD_ITEMS_MAX, w->view);
	w->orders = order_book_new(&w->tenant, w->stock, w->orders_max);
	w->holds = hold_book_new(&w->tenant, w->stock, w->holds_max);
	w->publisher = publisher_new(&w->tenant, w->stock);
}

static uint8_t world_owners_shop[] = {2, 1}, world_owners_market[] = {1};

/* The shop sells what globex has consigned before what acme has, the market what acme has. */
static inline void world_consign(struct world *w)
{
	w->owners[0] = STR("acme");
	w->owners[1] = STR("globex");
	w->tenant.owners = w->owners;
	w->tenant.owner_count = WORLD_OWNERS;
	w->channels[0].owners = world_owners_shop;
	w->channels[0].owner_count = COUNT(world_owners_shop);
	w->channels[0].consignors = 1 << 1 | 1 << 2;
	w->channels[1].owners = world_owners_market;
	w->channels[1].owner_count = COUNT(world_owners_market);
	w->channels[1].consignors = 1 << 1;
}

/* The tenant; what a test wants otherwise it changes before world_start. */
static inline void world_init(struct world *w)
{
	static const struct {
		const char *name;
		unsigned roles;
		enum operation operations[4];
		size_t count;
	} systems[WORLD_SYSTEMS] = {
	    {"shop", ROLE_CHANNEL, {OP_AVAILABILITY, OP_ORDER_STATUS, OP_SHIPMENT}, 3},
	    {"erp", ROLE_ERP, {OP_ORDER_POST, OP_ORDER_CANCEL, OP_STOCK_TRANSACTIONS, OP_SHIPMENT}, 4},
	    {"wms", ROLE_WAREHOUSE, {OP_SHIPMENT_REQUEST}, 1},
	    {"market", ROLE_CHANNEL, {OP_AVAILABILITY}, 1},
	};
	static const char *const locations[WORLD_LOCATIONS] = {"A", "B", "C"};

	*w = (struct world){.random = 88172645463325252u,
			    .now = WORLD_NOW,
			    .orders_max = 1000,
			    .holds_max = 1000,
			    .replay_behind = 5000};
	for (uint16_t i = 0; i < WORLD_SYSTEMS; i++) {
		for (size_t n = 0; n < systems[i].count; n++)
			w->packs[i].operations[systems[i].operations[n]].present = true;
		w->systems[i] = (struct config_system){
		    .name = str_from(systems[i].name), .pack = &w->packs[i], .roles = systems[i].roles, .index = i};
	}
	for (uint16_t i = 0; i < WORLD_LOCATIONS; i++)
		w->locations[i] = (struct config_location){
		    .name = str_from(locations[i]), .index = i, .warehouse = (int16_t)(i < 2 ? 2 : -1)};
	for (uint16_t i = 0; i < WORLD_CHANNELS; i++)
		w->channels[i] = (struct config_channel){.name = w->systems[i ? 3 : 0].name,
							 .system = i ? 3 : 0,
							 .locations = i ? world_locations_market : world_locations_shop,
							 .location_count = 2,
							 .share_ppm = 1000000,
							 .cap = -1,
							 .threshold = -1,
							 .max_wait_ms = 300000,
							 .provisional_ms = 600000,
							 .hold_ttl_ms = 900000};
	w->tenant = (struct config_tenant){.name = STR("test"),
					   .locations = w->locations,
					   .location_count = WORLD_LOCATIONS,
					   .systems = w->systems,
					   .system_count = WORLD_SYSTEMS,
					   .channels = w->channels,
					   .channel_count = WORLD_CHANNELS,
					   .record_stock = -1,
					   .record_price = -1,
					   .record_customer = -1,
					   .record_item = -1,
					   .has_order_process = true};
}

static inline void world_start(struct world *w)
{
	w->ids = (struct uuid_source){.random = world_random, .ctx = &w->random};
	w->dedup = dedup_new(1000);
	w->view = stock_view_new();
	arena_init(&w->arena, 64u << 20);
	world_books(w);
	world_begin(w);
}

static inline void world_drop_books(struct world *w)
{
	publisher_free(w->publisher);
	hold_book_free(w->holds);
	order_book_free(w->orders);
	stock_free(w->stock);
}

static inline void world_done(struct world *w)
{
	world_drop_books(w);
	stock_view_free(w->view);
	dedup_free(w->dedup);
	arena_done(&w->arena);
	disk_done(&w->disk);
}

/* What the hub adds to a batch. */
static inline void world_finish(struct world *w, size_t flush)
{
	publish_step(w->publisher, w->orders, &w->txn);
	order_flush(w->orders, &w->txn);
	stock_flush(w->stock, &w->txn, flush);
	publish_flush(w->publisher, &w->txn, flush);
	assert_false(w->txn.failed);
}

/* The finished batch is on the disk and visible; begins the next. */
static inline void world_committed(struct world *w)
{
	for (const struct store_write *r = w->txn.batch.first; r; r = r->next)
		disk_write(&w->disk, &w->txn.batch, r);
	order_committed(w->orders);
	stock_publish(w->stock, w->now);
	world_begin(w);
}

static inline void world_commit(struct world *w, size_t flush)
{
	world_finish(w, flush);
	world_committed(w);
}

static inline void world_load_deliveries(struct world *w)
{
	struct disk_row *meta = disk_row(&w->disk, W_META, &SV_TEXT(STR("publication_floor")), 1);
	int64_t floor = meta ? meta->values[1].integer : 0;

	for (size_t i = 0; i < w->disk.count; i++) {
		const struct store_value *v = w->disk.rows[i].values;
		struct arena a;
		struct json *params;

		if (w->disk.rows[i].table != W_DELIVERY || v[0].integer <= floor || !str_is(v[3].bytes, "availability"))
			continue;
		arena_init(&a, 1u << 20);
		assert_int_equal(json_parse(&a, v[9].bytes, NULL, &params, NULL), RC_OK);
		for (uint16_t n = 0; n < WORLD_SYSTEMS; n++)
			if (str_eq(w->systems[n].name, v[2].bytes))
				publish_load_delivery(w->publisher, n, v[0].integer,
						      (enum delivery_status)v[10].integer, (uint32_t)v[11].integer,
						      params);
		arena_done(&a);
	}
}

static inline void world_load_rows(struct world *w, enum store_statement table, int64_t floor, struct err *e)
{
	for (size_t i = 0; i < w->disk.count; i++) {
		const struct store_value *v = w->disk.rows[i].values;
		enum rc rc = RC_OK;
		qty_t told, sold = PUBLISH_UNKNOWN;

		if (w->disk.rows[i].table != table)
			continue;
		if (table == W_ITEM)
			rc = item_load(w->stock, v[0].bytes, v[2].bytes, v[4].bytes, v[3].type != STORE_NULL, e);
		else if (table == W_POSITION)
			rc = stock_load_position(w->stock, v[0].bytes, v[1].bytes, v[2].bytes, v[3].bytes, v[4].integer,
						 v[5].bytes, e);
		else if (table == W_MOVEMENT && v[0].integer > floor - w->replay_behind)
			rc = stock_replay(w->stock, v[0].integer, v[3].integer, v[10].bytes, e);
		else if (table == W_RESERVATION && v[1].integer == HOLD_HELD)
			rc = hold_load(w->holds, v, e);
		else if (table == W_ORDER && v[4].integer < ORDER_CLOSED)
			rc = order_load(w->orders, v, e);
		else if (table == W_RING_FENCE)
			rc = fence_load(w->stock, (struct store_value[]){v[1], v[0], v[2], v[3], v[4]}, e);
		else if (table == W_ARRIVAL)
			rc = arrival_load(w->stock, v, e);
		else if (table == W_GAP)
			rc = gap_load(w->stock, (struct store_value[]){v[1], v[0], v[2], v[3]}, e);
		else if (table == W_META)
			publish_load_heard(w->publisher, v[0].bytes, v[1].integer);
		else if (table == W_PUBLICATION && qty_parse(v[2].bytes, &told, NULL) == RC_OK &&
			 (v[5].type == STORE_NULL || qty_parse(v[5].bytes, &sold, NULL) == RC_OK))
			publish_load(w->publisher, v[0].bytes, v[1].bytes, told, v[3].integer, sold, v[6].integer);
		if (rc != RC_OK)
			fail_msg("%s: %s", e->code, e->detail);
	}
}

/* Loads the state again from the disk, in the hub's order. What was not committed is gone. */
static inline void world_reload(struct world *w)
{
	static const enum store_statement tables[] = {W_ITEM, W_POSITION,    W_MOVEMENT, W_RING_FENCE,  W_ARRIVAL,
						      W_GAP,  W_RESERVATION, W_ORDER,    W_PUBLICATION, W_META};
	struct disk_row *floor = disk_row(&w->disk, W_META, &SV_TEXT(STR("position_floor")), 1);
	struct disk_row *sold = disk_row(&w->disk, W_META, &SV_TEXT(STR("publication_orders")), 1);
	struct disk_row *told = disk_row(&w->disk, W_META, &SV_TEXT(STR("publication_floor")), 1);
	int64_t orders = sold ? sold->values[1].integer : 0;
	int64_t from = floor ? floor->values[1].integer : 0;
	struct err e = ERR_NONE;

	world_drop_books(w);
	world_books(w);
	disk_sort(&w->disk);
	publish_load_floor(w->publisher, told ? told->values[1].integer : 0, orders);
	for (size_t i = 0; i < COUNT(tables); i++)
		world_load_rows(w, tables[i], from, &e);
	world_load_deliveries(w);
	for (size_t i = 0; i < w->disk.count; i++)
		if (w->disk.rows[i].table == W_ORDER && w->disk.rows[i].values[0].integer > orders)
			assert_int_equal(publish_load_order(w->publisher, w->disk.rows[i].values[0].integer,
							    w->disk.rows[i].values[2].bytes,
							    w->disk.rows[i].values[11].bytes, &e),
					 RC_OK);
	terms_loaded(w->stock, w->now);
	publish_load_ages(w->publisher, w->now);
	publish_load_done(w->publisher, w->now);
	w->orders->items_seen = 0;
	stock_publish_all(w->stock, w->now);
	world_begin(w);
}

/* ---- what was written in this batch ---- */

static inline size_t world_count(const struct world *w, enum store_statement s, size_t column, const char *text)
{
	size_t count = 0;

	for (const struct store_write *r = w->txn.batch.first; r; r = r->next)
		count += r->statement == s && (!text || str_is(r->values[column].bytes, text));
	return count;
}

static inline size_t world_events(const struct world *w, const char *type)
{
	return world_count(w, W_EVENT, 3, type);
}

static inline size_t world_exceptions(const struct world *w, const char *kind)
{
	return world_count(w, W_EXCEPTION, 3, kind);
}

static inline size_t world_deliveries(const struct world *w, const char *operation)
{
	return world_count(w, W_DELIVERY, 3, operation);
}

/* The last one of this batch; its params. NULL if there is none. */
static inline const struct store_write *world_delivery(const struct world *w, const char *system, const char *operation)
{
	const struct store_write *found = NULL;

	for (const struct store_write *r = w->txn.batch.first; r; r = r->next)
		if (r->statement == W_DELIVERY && str_is(r->values[2].bytes, system) &&
		    str_is(r->values[3].bytes, operation))
			found = r;
	if (found)
		disk_resolve(&w->txn.batch, found);
	return found;
}

/* ---- commands ---- */

static inline size_t world_lines(const struct world_line *in, size_t count, struct movement_line *out)
{
	for (size_t i = 0; i < count; i++)
		out[i] = (struct movement_line){.sku = str_from(in[i].sku),
						.location = str_from(in[i].location),
						.lot = str_from(in[i].lot),
						.owner = str_from(in[i].owner),
						.to_location = str_from(in[i].to),
						.order_line_id = str_from(in[i].line_id),
						.quantity = in[i].quantity};
	return count;
}

struct world_fact {
	enum movement_type type;
	int64_t occurred_at; /* 0: now */
	struct str order_id;
	const char *purchase_order_id;
	int64_t expected_at;
};

/* A movement, and for a shipment of an order what it means for the order, and the restock after it. */
static inline enum rc world_apply(struct world *w, struct world_fact f, const struct world_line *lines, size_t count,
				  struct err *e)
{
	struct movement_line out[WORLD_LINES_MAX];
	struct movement m = {.type = f.type,
			     .source = STR("wms"),
			     .source_event_id = STR("event"),
			     .occurred_at = f.occurred_at ? f.occurred_at : w->now,
			     .order_id = f.order_id,
			     .purchase_order_id = str_from(f.purchase_order_id),
			     .expected_at = f.expected_at,
			     .line_count = world_lines(lines, count, out),
			     .lines = out};
	struct order_open *o = order_find(w->orders, f.order_id);
	struct movement_result result;
	enum rc rc = stock_step_movement(w->stock, w->orders, &w->txn, &m, &result, e);

	if (rc != RC_OK)
		return rc;
	if (o && f.type == MOVE_SHIP)
		order_step_shipped(w->orders, &w->txn, o,
				   &(struct order_shipment){STR("shipment"), 0, &m, result.consigned});
	order_step_restock(w->orders, &w->txn);
	return RC_OK;
}

static inline void world_move(struct world *w, enum movement_type type, const char *sku, const char *location, qty_t q)
{
	struct err e = ERR_NONE;

	assert_int_equal(world_apply(w, (struct world_fact){.type = type},
				     &(struct world_line){.sku = sku, .location = location, .quantity = q}, 1, &e),
			 RC_OK);
}

static inline enum rc world_place_hold(struct world *w, const struct hold_request *r, struct hold **out,
				       struct str *shortage)
{
	struct err e = ERR_NONE;
	struct hold_result result;
	struct hold_draft d;
	enum rc rc;

	hold_draft_begin(&d, w->holds, &w->txn);
	rc = hold_step_place(&d, r, &result, &e);
	hold_draft_end(&d);
	*out = result.hold;
	*shortage = result.shortage;
	order_step_restock(w->orders, &w->txn);
	return rc;
}

static inline enum rc world_hold(struct world *w, const char *id, const char *channel, const struct world_line *lines,
				 size_t count, struct hold **out, struct str *shortage)
{
	struct movement_line to[WORLD_LINES_MAX];
	struct hold_request r = {.reservation_id = str_from(id),
				 .channel = str_from(channel),
				 .line_count = world_lines(lines, count, to),
				 .lines = to};

	return world_place_hold(w, &r, out, shortage);
}

/* Captures and decides; h: stock that was held for it, or NULL. NULL: refused. */
static inline struct order_open *world_order(struct world *w, const char *channel, const struct world_line *lines,
					     size_t count, struct hold *h)
{
	struct order_line out[WORLD_LINES_MAX];
	char ids[WORLD_LINES_MAX][8];
	struct order order = {.channel = str_from(channel),
			      .external_id = STR("1001"),
			      .currency = STR("EUR"),
			      .placed_at = w->now,
			      .line_count = count,
			      .lines = out};
	struct order_capture capture = {.order = &order, .document = STR("document")};
	struct err e = ERR_NONE;

	for (size_t i = 0; i < count; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%zu", i + 1);
		out[i] = (struct order_line){
		    .line_id = str_from(ids[i]), .sku = str_from(lines[i].sku), .quantity = lines[i].quantity};
	}
	if (order_step_capture(w->orders, &w->txn, &capture, &e) != RC_OK)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (stock_find(w->stock, out[i].sku))
			publish_sold(w->publisher, &w->txn, capture.out->channel, stock_find(w->stock, out[i].sku),
				     out[i].quantity);
	if (h)
		hold_step_commit(w->holds, &w->txn, h, capture.out);
	order_step_decide(w->orders, &w->txn, capture.out);
	order_step_restock(w->orders, &w->txn);
	return capture.out;
}

/* An order's id, for after it has left the memory; of one order at a time. */
static inline struct str world_keep_id(const struct order_open *o)
{
	static char id[UUID_TEXT];

	assert_int_equal(o->order_id.n, UUID_TEXT);
	memcpy(id, o->order_id.p, UUID_TEXT);
	return (struct str){id, UUID_TEXT};
}

/* ---- looking ---- */

static inline struct stock_place *world_place(const struct world *w, const char *sku, const char *location,
					      const char *lot)
{
	const struct stock_item *i = stock_find(w->stock, str_from(sku));

	for (uint16_t n = 0; i && n < WORLD_LOCATIONS; n++)
		if (str_is(w->locations[n].name, location))
			return stock_place_find(i, n, str_from(lot), STR_NONE);
	return NULL;
}

/* Of an owner's stock without a lot. */
static inline qty_t world_state_of(const struct world *w, const char *owner, const char *sku, uint16_t location,
				   enum stock_state s)
{
	const struct stock_item *i = stock_find(w->stock, str_from(sku));
	const struct stock_place *p = i ? stock_place_find(i, location, STR_NONE, str_from(owner)) : NULL;

	return p ? p->position.states[s] : 0;
}

static inline qty_t world_state(const struct world *w, const char *sku, const char *location, enum stock_state s)
{
	const struct stock_place *p = world_place(w, sku, location, NULL);

	return p ? p->position.states[s] : 0;
}

/* The item's record becomes this JSON, as PUT /v1/items does it. */
static inline enum rc world_try_record(struct world *w, const char *sku, const char *text, struct err *e)
{
	struct stock_item *item = stock_item_make(w->stock, &w->txn, str_from(sku), STR_NONE);
	struct item_record r;
	struct findings f;
	struct json *doc;
	struct buf rules;
	enum rc rc;

	findings_init(&f, &w->arena);
	assert_int_equal(json_parse(&w->arena, str_from(text), NULL, &doc, NULL), RC_OK);
	assert_int_equal(item_record_read(&w->arena, doc, SKU_AS_IS, &r, &f), RC_OK);
	rc = item_set(w->stock, &w->txn, item, &r, e);
	if (rc != RC_OK)
		return rc;
	buf_init(&rules, 1u << 16);
	item_record_write(&rules, &r);
	txn_put(&w->txn, W_ITEM, SV_TEXT(str_from(sku)), SV_INT(w->now), SV_NULL, SV_INT(1),
		SV_TEXT_OPT(txn_text(&w->txn, &rules)));
	buf_done(&rules);
	return RC_OK;
}

static inline void world_record(struct world *w, const char *sku, const char *text)
{
	struct err e = ERR_NONE;

	if (world_try_record(w, sku, text, &e) != RC_OK)
		fail_msg("%s: %s", sku, e.code);
}

#endif
