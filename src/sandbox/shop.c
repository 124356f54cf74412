#include "sandbox/kinds.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

struct shop_item {
	struct str sku;
	qty_t shown;
	int64_t version;
};

struct shop_order {
	struct str order_id, external_id, status;
	int64_t since, updates; /* since: stage_since of the status */
};

struct shop_book {
	struct map items;          /* by sku */
	struct shop_item **listed; /* the same, in the order in which they came up */
	size_t listed_count, listed_room;
	struct map orders;    /* by order_id */
	struct map shipments; /* struct system_shipment by shipment_id */
	bool compare;
	int64_t updates, ignored, stale, sold, sold_out, others;
};

static void done(struct system *s)
{
	struct shop_book *b = s->book;
	map_done(&b->items);
	free(b->listed);
	map_done(&b->orders);
	map_done(&b->shipments);
}

static struct shop_item *item_of(struct system *s, struct str sku, struct system_answer *a)
{
	struct shop_book *b = s->book;
	struct shop_item *item = map_get(&b->items, sku);
	if (item)
		return item;
	item = arena_new(&s->arena, struct shop_item);
	if (!item) {
		s->full = true;
		system_refuse(a, 507, "sandbox_full", "The sandbox system can hold no more.");
		return NULL;
	}
	item->sku = system_keep(s, sku);
	item->version = -1;
	if (!system_put(s, &b->items, item->sku, item, a))
		return NULL;
	if (b->listed_count == b->listed_room) {
		b->listed_room = b->listed_room ? b->listed_room * 2 : 256;
		b->listed = mem_grow(b->listed, b->listed_room * sizeof(struct shop_item *));
	}
	b->listed[b->listed_count++] = item;
	return item;
}

/* Does it expect something else than what is shown? An item that was never shown has nothing to compare with. */
static bool is_stale(const struct shop_book *b, const struct shop_item *item, const struct json *j)
{
	qty_t expected;
	struct str text = json_get_text(j, "expected");
	return b->compare && item->version >= 0 && text.n > 0 && qty_parse(text, &expected, NULL) == RC_OK &&
	       expected != item->shown;
}

static bool take_number(struct system *s, const struct json *j, struct json_writer *stale, struct system_answer *a)
{
	struct shop_book *b = s->book;
	struct str sku = json_get_text(j, "sku");
	qty_t available;
	int64_t version = 0;
	if (sku.n == 0 || !json_int(json_get(j, "version"), &version)) {
		system_problem(s, PROBLEM_BAD_BODY, "availability without sku or version");
		return true;
	}
	if (qty_parse(json_get_text(j, "available"), &available, NULL) || available < 0) {
		system_problem(s, PROBLEM_BAD_QUANTITY, "availability of " STR_FMT, STR_ARG(sku));
		return true;
	}
	struct shop_item *item = item_of(s, sku, a);
	if (!item)
		return false;
	if (version <= item->version) {
		b->ignored++;
		return true;
	}
	if (is_stale(b, item, j)) {
		b->stale++;
		jw_object(stale);
		jw_key_text(stale, "sku", sku);
		jw_key_qty(stale, "available", item->shown);
		jw_object_end(stale);
		return true;
	}
	item->shown = available;
	item->version = version;
	b->updates++;
	if (s->watch && s->watch->shown)
		s->watch->shown(s->watch->ctx, s->name, sku);
	return true;
}

static void take_availability(struct system *s, const struct system_request *r, struct system_answer *a)
{
	const struct json *doc = system_body(s, r, a);
	if (!doc)
		return;
	const struct json *items = json_get(doc, "items");
	if (!json_is(items, JSON_ARRAY) || !str_is(json_get_text(doc, "channel"), s->name)) {
		system_problem(s, PROBLEM_BAD_BODY, "availability without items, or of another channel");
		system_refuse(a, 422, "bad_availability", "There are no items for this channel.");
		return;
	}
	struct buf stale;
	struct json_writer w;
	buf_init(&stale, SYSTEM_BODY_MAX);
	jw_init(&w, &stale);
	jw_array(&w);
	bool taken = true;
	for (uint32_t i = 0; taken && i < items->count; i++)
		taken = take_number(s, &items->items[i], &w, a);
	if (taken) {
		jw_array_end(&w);
		a->status = 200;
		buf_printf(&a->body, "{\"stale\":%s}", stale.p);
	}
	buf_done(&stale);
}

/* For two that came about at the same instant. */
static int rank_of(struct str status)
{
	static const char *const ranks[] = {"captured", "on_hold",           "backordered", "reserved", "accepted",
					    "released", "partially_shipped", "shipped",     "invoiced", "closed"};
	for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++)
		if (str_is(status, ranks[i]))
			return (int)i;
	return status.n > 0 ? 100 : -1;
}

static void take_status(struct system *s, const struct system_request *r, struct system_answer *a)
{
	struct shop_book *b = s->book;
	const struct json *doc = system_body(s, r, a);
	if (!doc)
		return;
	struct str order_id = json_get_text(doc, "order_id"), status = json_get_text(doc, "status");
	if (order_id.n == 0 || status.n == 0) {
		system_problem(s, PROBLEM_BAD_BODY, "an order status without its order");
		system_refuse(a, 422, "bad_status", "It needs order_id and status.");
		return;
	}
	struct shop_order *o = map_get(&b->orders, order_id);
	if (!o) {
		o = arena_new(&s->arena, struct shop_order);
		if (o) {
			o->order_id = system_keep(s, order_id);
			o->external_id = system_keep(s, json_get_text(doc, "external_id"));
		}
		if (!system_put(s, &b->orders, o ? o->order_id : STR_NONE, o, a))
			return;
	}
	int64_t since = 0;
	if (time_parse(json_get_text(doc, "stage_since"), &since, NULL))
		since = o->since;
	if (since < o->since || (since == o->since && rank_of(status) < rank_of(o->status)))
		system_problem(s, PROBLEM_OUT_OF_ORDER, "order " STR_FMT ": " STR_FMT " after " STR_FMT,
			       STR_ARG(order_id), STR_ARG(status), STR_ARG(o->status));
	o->status = system_keep(s, status);
	o->since = since;
	o->updates++;
	a->status = 200;
	buf_add_z(&a->body, "{}");
}

static void write_shown(void *ctx, size_t i, struct json_writer *w)
{
	const struct shop_item *item = ((struct shop_book *)ctx)->listed[i];
	jw_object(w);
	jw_key_text(w, "sku", item->sku);
	jw_key_qty(w, "available", item->shown);
	jw_object_end(w);
}

/* POST /_shown {"items":[{"sku","available"}]}: what it shows from now on; nobody is told. */
static void control(struct system *s, const struct system_request *r, struct system_answer *a)
{
	const struct json *doc = system_post(r, "/_shown") ? system_body(s, r, a) : NULL;
	if (!system_post(r, "/_shown"))
		system_refuse(a, 404, "not_found", "A sandbox shop has no such control.");
	if (!doc)
		return;
	const struct json *items = json_get(doc, "items");
	for (uint32_t i = 0; json_is(items, JSON_ARRAY) && i < items->count; i++) {
		struct shop_item *item =
		    map_get(&((struct shop_book *)s->book)->items, json_get_text(&items->items[i], "sku"));
		if (!item || qty_parse(json_get_text(&items->items[i], "available"), &item->shown, NULL) != RC_OK) {
			system_refuse(a, 422, "bad_item", "An item needs a sku that is shown, and available.");
			return;
		}
	}
	a->status = 200;
	buf_add_z(&a->body, "{}");
}

static void handle(struct system *s, const struct system_request *r, struct system_answer *a)
{
	static const char *const taken[] = {"/invoices", "/prices", "/items", "/customers"};
	struct shop_book *b = s->book;
	if (system_post(r, "/availability")) {
		take_availability(s, r, a);
		return;
	}
	if (system_get(r, "/availability")) {
		system_page(s, r, a, b->listed_count, write_shown, b);
		return;
	}
	if (system_post(r, "/order-status")) {
		take_status(s, r, a);
		return;
	}
	if (system_post(r, "/shipments")) {
		const struct json *doc = system_body(s, r, a);
		if (doc)
			(void)system_shipment_read(s, &b->shipments, doc, a);
		return;
	}
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (!system_post(r, taken[i]) || !system_body(s, r, a))
			continue;
		b->others++;
		a->status = 200;
		buf_add_z(&a->body, "{}");
		return;
	}
	if (a->status == 0)
		system_refuse(a, 404, "not_found", "The shop knows no such thing.");
}

static void state(const struct system *s, struct json_writer *w)
{
	const struct shop_book *b = s->book;
	struct str key;
	jw_key_int(w, "updates", b->updates);
	jw_key_int(w, "ignored", b->ignored);
	jw_key_int(w, "stale", b->stale);
	jw_key_int(w, "sold_lines", b->sold);
	jw_key_int(w, "sold_out_lines", b->sold_out);
	jw_key_int(w, "others", b->others);
	jw_key(w, "items");
	jw_array(w);
	const struct shop_item *item;
	for (size_t at = 0; (item = map_next(&b->items, &at, &key)) != NULL;) {
		jw_object(w);
		jw_key_text(w, "sku", item->sku);
		jw_key_qty(w, "available", item->shown);
		jw_key_int(w, "version", item->version);
		jw_object_end(w);
	}
	jw_array_end(w);
	jw_key(w, "orders");
	jw_array(w);
	const struct shop_order *o;
	for (size_t at = 0; (o = map_next(&b->orders, &at, &key)) != NULL;) {
		jw_object(w);
		jw_key_text(w, "order_id", o->order_id);
		jw_opt_text(w, "external_id", o->external_id);
		jw_key_text(w, "status", o->status);
		jw_key_int(w, "updates", o->updates);
		jw_object_end(w);
	}
	jw_array_end(w);
	system_shipments_write(&b->shipments, w);
}

struct system *sandbox_shop_new(const char *name, uint64_t seed, bool compare)
{
	static const struct system_kind kind = {"shop", handle, state, control, done};
	struct shop_book b = {.compare = compare};
	map_init(&b.items, SYSTEM_ENTRIES_MAX);
	map_init(&b.orders, SYSTEM_ENTRIES_MAX);
	map_init(&b.shipments, SYSTEM_ENTRIES_MAX);
	return system_new(&kind, name, seed, &b, sizeof(b));
}

bool sandbox_shop_sell(struct system *s, struct str sku, qty_t quantity)
{
	pthread_mutex_lock(&s->lock);
	struct shop_book *b = s->book;
	struct shop_item *item = map_get(&b->items, sku);
	bool sells = item && item->shown >= quantity;
	if (sells && b->compare)
		item->shown -= quantity;
	b->sold += sells;
	b->sold_out += !sells;
	pthread_mutex_unlock(&s->lock);
	return sells;
}

bool sandbox_shop_shown(struct system *s, struct str sku, qty_t *quantity)
{
	pthread_mutex_lock(&s->lock);
	struct shop_book *b = s->book;
	const struct shop_item *item = map_get(&b->items, sku);
	if (item)
		*quantity = item->shown;
	pthread_mutex_unlock(&s->lock);
	return item != NULL;
}
