/*
 * The warehouse. A shipment request is picked for a while and then shipped: the goods leave the book at the moment the
 * shipment is written, and the message goes out as often as it takes. Each promise the hub made must be covered by what
 * physically lies there; what is not is never shipped, and counted as short.
 */
#include "sandbox/kinds.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define SHIPMENT_LINES_MAX 500
#define COUNT_LINES_MAX    500

struct position {
	struct str key; /* "location/sku" */
	struct str location, sku;
	qty_t on_hand;
};

struct request {
	struct request *older;           /* of the same order */
	struct str order_id, number, id; /* id: the hub's */
	struct system_lines lines;
};

struct warehouse_book {
	struct map positions;
	struct position **listed; /* the same, in the order in which they came up */
	size_t listed_count, listed_room;
	struct map requests;  /* newest by order_id */
	struct map numbers;   /* by its own number */
	struct map shipments; /* struct system_shipment by shipment_id */
	int64_t pick_ms, request_count, shipment_count, count_count, movement_count;
	qty_t short_units;
};

static void done(struct system *s)
{
	struct warehouse_book *b = s->book;
	map_done(&b->positions);
	free(b->listed);
	map_done(&b->requests);
	map_done(&b->numbers);
	map_done(&b->shipments);
}

static struct position *position_of(struct system *s, struct str location, struct str sku)
{
	struct warehouse_book *b = s->book;
	char text[512];
	int n = snprintf(text, sizeof(text), STR_FMT "/" STR_FMT, STR_ARG(location), STR_ARG(sku));
	struct str key = {text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1};
	struct position *p = map_get(&b->positions, key);
	if (p)
		return p;
	p = arena_new(&s->arena, struct position);
	if (!p) {
		s->full = true;
		return NULL;
	}
	*p = (struct position){
	    .key = system_keep(s, key), .location = system_keep(s, location), .sku = system_keep(s, sku)};
	if (s->full || map_put(&b->positions, p->key, p)) {
		s->full = true;
		return NULL;
	}
	if (b->listed_count == b->listed_room) {
		b->listed_room = b->listed_room ? b->listed_room * 2 : 256;
		b->listed = mem_grow(b->listed, b->listed_room * sizeof(*b->listed));
	}
	b->listed[b->listed_count++] = p;
	return p;
}

static void send(struct system *s, const char *type, struct str key, struct buf *body, int64_t due_ms)
{
	if (buf_ok(body))
		system_send(s, type, key, buf_str(body), due_ms);
	buf_done(body);
}

/* ---- shipping ---- */

static void write_shipment(struct buf *out, const struct system *s, const struct system_shipment *ship, int64_t at)
{
	struct json_writer w;
	char tracking[64];
	int n = snprintf(tracking, sizeof(tracking), "TRK-" STR_FMT, STR_ARG(ship->shipment_id));
	jw_init(&w, out);
	jw_object(&w);
	jw_key_text(&w, "shipment_id", ship->shipment_id);
	jw_key_text(&w, "source", str_from(s->name));
	jw_key_text(&w, "order_id", ship->order_id);
	jw_key_time(&w, "shipped_at", at);
	jw_key_text(&w, "carrier", STR("sandbox-express"));
	jw_key(&w, "tracking_numbers");
	jw_array(&w);
	jw_text(&w, (struct str){tracking, (size_t)n});
	jw_array_end(&w);
	system_lines_write(&ship->lines, &w);
	jw_object_end(&w);
}

static void add_shipment(struct system *s, const struct request *request, const struct system_line *lines, size_t count)
{
	struct warehouse_book *b = s->book;
	struct system_shipment *ship = arena_new(&s->arena, struct system_shipment);
	struct system_line *copy = arena_array(&s->arena, struct system_line, count);
	if (!ship || !copy) {
		s->full = true;
		return;
	}
	char id[64];
	int n = snprintf(id, sizeof(id), "%s-SH-%06lld", s->name, (long long)++b->shipment_count);
	memcpy(copy, lines, count * sizeof(*copy));
	*ship = (struct system_shipment){.shipment_id = system_keep(s, (struct str){id, (size_t)n}),
					 .order_id = request->order_id,
					 .lines = {count, copy}};
	if (s->full || map_put(&b->shipments, ship->shipment_id, ship)) {
		s->full = true;
		return;
	}
	struct buf body;
	buf_init(&body, SYSTEM_BODY_MAX);
	write_shipment(&body, s, ship, s->now_ms + b->pick_ms);
	send(s, "shipment", ship->order_id, &body, s->now_ms + b->pick_ms);
}

/* Takes the goods from the book; what is not there is left out. */
static void pick(struct system *s, const struct request *request)
{
	struct warehouse_book *b = s->book;
	struct system_line lines[SHIPMENT_LINES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < request->lines.count; i++) {
		struct system_line line = request->lines.items[i];
		struct position *p = position_of(s, line.location, line.sku);
		qty_t there = p && p->on_hand > 0 ? p->on_hand : 0;
		if (line.quantity > there) {
			system_problem(s, PROBLEM_NOT_THERE, "order " STR_FMT ": " STR_FMT " at " STR_FMT,
				       STR_ARG(request->order_id), STR_ARG(line.sku), STR_ARG(line.location));
			b->short_units += line.quantity - there;
			line.quantity = there;
		}
		if (!p || line.quantity == 0)
			continue;
		p->on_hand -= line.quantity;
		lines[count++] = line;
		if (count == SHIPMENT_LINES_MAX) {
			add_shipment(s, request, lines, count);
			count = 0;
		}
	}
	if (count > 0)
		add_shipment(s, request, lines, count);
}

/* ---- requests ---- */

static void post_request(struct system *s, const struct system_request *r, struct system_answer *a)
{
	struct warehouse_book *b = s->book;
	const struct json *doc = system_body(s, r, a);
	if (!doc)
		return;
	struct str order_id = json_get_text(doc, "order_id"), location = json_get_text(doc, "location");
	struct request *request = arena_new(&s->arena, struct request);
	if (order_id.n == 0 || !request) {
		system_problem(s, PROBLEM_BAD_BODY, "a shipment request without its order");
		system_refuse(a, 422, "bad_request", "A shipment request needs its order_id.");
		return;
	}
	if (!system_lines_read(s, doc, &request->lines, a))
		return;
	for (size_t i = 0; i < request->lines.count; i++)
		if (request->lines.items[i].location.n == 0)
			request->lines.items[i].location = system_keep(s, location);
	char number[32];
	int n = snprintf(number, sizeof(number), "WR-%06lld", (long long)++b->request_count);
	request->number = system_keep(s, (struct str){number, (size_t)n});
	request->order_id = system_keep(s, order_id);
	request->id = system_keep(s, json_get_text(doc, "shipment_request_id"));
	request->older = map_get(&b->requests, order_id);
	if (!system_put(s, &b->numbers, request->number, request, a) ||
	    !system_put(s, &b->requests, request->order_id, request, a))
		return;
	pick(s, request);
	struct json_writer w;
	jw_init(&w, &a->body);
	jw_object(&w);
	jw_key_text(&w, "external_id", request->number);
	jw_object_end(&w);
	a->status = 201;
}

static void find_requests(struct system *s, const struct system_request *r, struct system_answer *a)
{
	struct warehouse_book *b = s->book;
	struct json_writer w;
	jw_init(&w, &a->body);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	for (const struct request *q = map_get(&b->requests, system_query(s, r, "order_id")); q; q = q->older) {
		jw_object(&w);
		jw_key_text(&w, "external_id", q->number);
		jw_key_text(&w, "order_id", q->order_id);
		jw_opt_text(&w, "shipment_request_id", q->id);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	a->status = 200;
}

static void write_balance(void *ctx, size_t i, struct json_writer *w)
{
	const struct position *p = ((struct warehouse_book *)ctx)->listed[i];
	jw_object(w);
	jw_key_text(w, "sku", p->sku);
	jw_key_text(w, "location", p->location);
	jw_key_qty(w, "quantity", p->on_hand);
	jw_key_text(w, "uom", STR("EA"));
	jw_object_end(w);
}

/* POST /_stock {"items":[{"sku","location","on_hand"}]}: what lies there from now on; nobody is told. */
static void control(struct system *s, const struct system_request *r, struct system_answer *a)
{
	const struct json *items = NULL;
	const struct json *doc = system_post(r, "/_stock") ? system_body(s, r, a) : NULL;
	if (!system_post(r, "/_stock"))
		system_refuse(a, 404, "not_found", "A sandbox warehouse has no such control.");
	if (!doc)
		return;
	items = json_get(doc, "items");
	for (uint32_t i = 0; json_is(items, JSON_ARRAY) && i < items->count; i++) {
		struct str sku = json_get_text(&items->items[i], "sku");
		struct str location = json_get_text(&items->items[i], "location");
		qty_t quantity;
		struct position *p = NULL;
		if (sku.n && location.n &&
		    qty_parse(json_get_text(&items->items[i], "on_hand"), &quantity, NULL) == RC_OK)
			p = position_of(s, location, sku);
		if (!p) {
			system_refuse(a, 422, "bad_stock", "An item needs sku, location and on_hand.");
			return;
		}
		p->on_hand = quantity;
	}
	a->status = 200;
	buf_add_z(&a->body, "{}");
}

static void handle(struct system *s, const struct system_request *r, struct system_answer *a)
{
	struct warehouse_book *b = s->book;
	if (system_post(r, "/shipment-requests"))
		post_request(s, r, a);
	else if (system_get(r, "/shipment-requests"))
		find_requests(s, r, a);
	else if (system_get(r, "/stock-balances"))
		system_page(s, r, a, b->listed_count, write_balance, b);
	else
		system_refuse(a, 404, "not_found", "The warehouse knows no such thing.");
}

static void state(const struct system *s, struct json_writer *w)
{
	const struct warehouse_book *b = s->book;
	struct str key;
	jw_key_int(w, "movements", b->movement_count);
	jw_key_qty(w, "short_units", b->short_units);
	jw_key(w, "stock");
	jw_array(w);
	const struct position *p;
	for (size_t at = 0; (p = map_next(&b->positions, &at, &key)) != NULL;) {
		jw_object(w);
		jw_key_text(w, "sku", p->sku);
		jw_key_text(w, "location", p->location);
		jw_key_qty(w, "on_hand", p->on_hand);
		jw_object_end(w);
	}
	jw_array_end(w);
	jw_key(w, "shipment_requests");
	jw_array(w);
	const struct request *q;
	for (size_t at = 0; (q = map_next(&b->numbers, &at, &key)) != NULL;) {
		jw_object(w);
		jw_key_text(w, "external_id", q->number);
		jw_key_text(w, "order_id", q->order_id);
		system_lines_write(&q->lines, w);
		jw_object_end(w);
	}
	jw_array_end(w);
	system_shipments_write(&b->shipments, w);
}

struct system *sandbox_warehouse_new(const char *name, uint64_t seed, int64_t pick_ms)
{
	static const struct system_kind kind = {"warehouse", handle, state, control, done};
	struct warehouse_book b = {.pick_ms = pick_ms};
	map_init(&b.positions, SYSTEM_ENTRIES_MAX);
	map_init(&b.requests, SYSTEM_ENTRIES_MAX);
	map_init(&b.numbers, SYSTEM_ENTRIES_MAX);
	map_init(&b.shipments, SYSTEM_ENTRIES_MAX);
	return system_new(&kind, name, seed, &b, sizeof(b));
}

/* ---- its own stock ---- */

void sandbox_warehouse_stock(struct system *s, struct str sku, struct str location, qty_t quantity)
{
	pthread_mutex_lock(&s->lock);
	struct position *p = position_of(s, location, sku);
	if (p)
		p->on_hand = quantity;
	pthread_mutex_unlock(&s->lock);
}

/* Opens a message up to its lines. */
static void begin(struct json_writer *w, struct buf *body, const struct system *s, struct str id, int64_t now_ms)
{
	buf_init(body, SYSTEM_BODY_MAX);
	jw_init(w, body);
	jw_object(w);
	jw_key_text(w, "source", str_from(s->name));
	jw_key_text(w, "source_event_id", id);
	jw_key_time(w, "occurred_at", now_ms);
}

static void add_line(struct json_writer *w, struct str sku, struct str location, qty_t quantity)
{
	jw_object(w);
	jw_key_text(w, "sku", sku);
	jw_key_text(w, "location", location);
	jw_key_qty(w, "quantity", quantity);
	jw_key_text(w, "uom", STR("EA"));
	jw_object_end(w);
}

static void end(struct json_writer *w)
{
	jw_array_end(w);
	jw_object_end(w);
}

void sandbox_warehouse_count(struct system *s, int64_t now_ms)
{
	pthread_mutex_lock(&s->lock);
	struct warehouse_book *b = s->book;
	struct buf body;
	struct json_writer w;
	struct str key, id = STR_NONE;
	char text[32];
	size_t at = 0, lines = 0;
	const struct position *p;
	while ((p = map_next(&b->positions, &at, &key)) != NULL) {
		if (lines == 0) {
			int n = snprintf(text, sizeof(text), "count-%lld", (long long)++b->count_count);
			id = (struct str){text, (size_t)n};
			begin(&w, &body, s, id, now_ms);
			jw_key(&w, "lines");
			jw_array(&w);
		}
		add_line(&w, p->sku, p->location, p->on_hand);
		if (++lines == COUNT_LINES_MAX) {
			end(&w);
			send(s, "stock-count", id, &body, now_ms);
			lines = 0;
		}
	}
	if (lines > 0) {
		end(&w);
		send(s, "stock-count", id, &body, now_ms);
	}
	pthread_mutex_unlock(&s->lock);
}

void sandbox_warehouse_move(struct system *s, const char *type, struct str id, struct str reason,
			    const struct sandbox_movement_line *lines, size_t count, int64_t now_ms)
{
	pthread_mutex_lock(&s->lock);
	struct warehouse_book *b = s->book;
	struct buf body;
	struct json_writer w;
	begin(&w, &body, s, id, now_ms);
	jw_key_text(&w, "type", str_from(type));
	jw_opt_text(&w, "reason", reason);
	jw_key(&w, "lines");
	jw_array(&w);
	for (size_t i = 0; i < count; i++) {
		struct position *p = position_of(s, lines[i].location, lines[i].sku);
		if (!p)
			continue;
		p->on_hand += lines[i].quantity;
		add_line(&w, lines[i].sku, lines[i].location, lines[i].quantity);
	}
	end(&w);
	b->movement_count++;
	send(s, "stock-movement", id, &body, now_ms);
	pthread_mutex_unlock(&s->lock);
}

qty_t sandbox_warehouse_short(struct system *s)
{
	pthread_mutex_lock(&s->lock);
	qty_t n = ((const struct warehouse_book *)s->book)->short_units;
	pthread_mutex_unlock(&s->lock);
	return n;
}
