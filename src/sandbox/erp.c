#include "sandbox/kinds.h"

#include <stdio.h>
#include <string.h>

struct erp_order {
	struct erp_order *again; /* the same order, posted once more */
	struct str order_id, channel, external_id, number;
	bool cancelled;
	struct system_lines lines;
	qty_t ordered, shipped;
};

struct erp_book {
	struct map orders;    /* by order_id */
	struct map numbers;   /* by its own number */
	struct map shipments; /* struct system_shipment by shipment_id */
	struct map movements; /* by movement_id: the delivery that it came with */
	int64_t order_count, cancellations, transactions, transaction_lines, others;
};

static void done(struct system *s)
{
	struct erp_book *b = s->book;
	map_done(&b->orders);
	map_done(&b->numbers);
	map_done(&b->shipments);
	map_done(&b->movements);
}

static void answer_number(struct system_answer *a, int status, struct str number)
{
	struct json_writer w;
	jw_init(&w, &a->body);
	jw_object(&w);
	jw_key_text(&w, "external_id", number);
	jw_object_end(&w);
	a->status = status;
}

static bool new_order(struct system *s, const struct json *doc, struct erp_order *o, struct system_answer *a)
{
	struct erp_book *b = s->book;
	char number[32];
	if (!system_lines_read(s, doc, &o->lines, a))
		return false;
	int n = snprintf(number, sizeof(number), "SO-%06lld", (long long)++b->order_count);
	o->number = system_keep(s, (struct str){number, (size_t)n});
	o->order_id = system_keep(s, json_get_text(doc, "order_id"));
	o->channel = system_keep(s, json_get_text(doc, "channel"));
	o->external_id = system_keep(s, json_get_text(doc, "external_id"));
	for (size_t i = 0; i < o->lines.count; i++) {
		o->ordered += o->lines.items[i].quantity;
		for (size_t j = 0; j < i; j++)
			if (str_eq(o->lines.items[i].line_id, o->lines.items[j].line_id))
				system_problem(s, PROBLEM_BAD_BODY, "order " STR_FMT ": line " STR_FMT " twice",
					       STR_ARG(o->order_id), STR_ARG(o->lines.items[i].line_id));
	}
	return true;
}

static void post_order(struct system *s, const struct system_request *r, struct system_answer *a)
{
	struct erp_book *b = s->book;
	const struct json *doc = system_body(s, r, a);
	if (!doc)
		return;
	struct str order_id = json_get_text(doc, "order_id");
	if (order_id.n == 0) {
		system_problem(s, PROBLEM_BAD_BODY, "an order without order_id");
		system_refuse(a, 422, "bad_order", "An order needs its order_id.");
		return;
	}
	struct erp_order *o = arena_new(&s->arena, struct erp_order);
	if (!o) {
		s->full = true;
		system_refuse(a, 507, "sandbox_full", "The sandbox system can hold no more.");
		return;
	}
	if (!new_order(s, doc, o, a))
		return;
	o->again = map_get(&b->orders, order_id);
	if (o->again)
		system_problem(s, PROBLEM_TWICE, "order " STR_FMT, STR_ARG(order_id));
	if (!system_put(s, &b->numbers, o->number, o, a) || !system_put(s, &b->orders, o->order_id, o, a))
		return;
	if (s->watch && s->watch->order_posted)
		s->watch->order_posted(s->watch->ctx, o->channel, o->external_id, o->order_id);
	answer_number(a, 201, o->number);
}

static void find_order(struct system *s, const struct system_request *r, struct system_answer *a)
{
	struct erp_book *b = s->book;
	struct json_writer w;
	jw_init(&w, &a->body);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	for (const struct erp_order *o = map_get(&b->orders, system_query(s, r, "order_id")); o; o = o->again) {
		jw_object(&w);
		jw_key_text(&w, "external_id", o->number);
		jw_key_text(&w, "order_id", o->order_id);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	a->status = 200;
}

static void cancel_order(struct system *s, struct str number, struct system_answer *a)
{
	struct erp_book *b = s->book;
	struct erp_order *o = map_get(&b->numbers, number);
	if (!o) {
		system_problem(s, PROBLEM_UNKNOWN_ORDER, "cancellation of " STR_FMT, STR_ARG(number));
		system_refuse(a, 404, "not_found", "There is no such order.");
		return;
	}
	b->cancellations += !o->cancelled;
	o->cancelled = true;
	answer_number(a, 200, o->number);
}

static void take_shipment(struct system *s, const struct system_request *r, struct system_answer *a)
{
	struct erp_book *b = s->book;
	const struct json *doc = system_body(s, r, a);
	const struct system_shipment *ship = doc ? system_shipment_read(s, &b->shipments, doc, a) : NULL;
	if (!ship)
		return;
	struct erp_order *o = map_get(&b->orders, ship->order_id);
	if (!o) {
		system_problem(s, PROBLEM_UNKNOWN_ORDER, "shipment " STR_FMT " of order " STR_FMT,
			       STR_ARG(ship->shipment_id), STR_ARG(ship->order_id));
		return;
	}
	for (size_t i = 0; i < ship->lines.count; i++)
		o->shipped += ship->lines.items[i].quantity;
	if (o->shipped > o->ordered)
		system_problem(s, PROBLEM_TOO_MUCH, "order " STR_FMT, STR_ARG(o->order_id));
}

static bool keep_movement(struct system *s, struct str id, struct str delivery, struct system_answer *a)
{
	struct erp_book *b = s->book;
	struct str *kept = arena_new(&s->arena, struct str);
	if (!kept) {
		s->full = true;
		system_refuse(a, 507, "sandbox_full", "The sandbox system can hold no more.");
		return false;
	}
	*kept = system_keep(s, delivery);
	return system_put(s, &b->movements, system_keep(s, id), kept, a);
}

static void take_transactions(struct system *s, const struct system_request *r, struct system_answer *a)
{
	struct erp_book *b = s->book;
	const struct json *doc = system_body(s, r, a);
	if (!doc)
		return;
	const struct json *items = json_get(doc, "items");
	if (!json_is(items, JSON_ARRAY)) {
		system_problem(s, PROBLEM_BAD_BODY, "stock transactions without items");
		system_refuse(a, 422, "bad_transactions", "There are no items.");
		return;
	}
	for (uint32_t i = 0; i < items->count; i++) {
		struct str id = json_get_text(&items->items[i], "movement_id");
		struct str delivery = json_get_text(&items->items[i], "delivery_id");
		const struct str *known = id.n > 0 ? map_get(&b->movements, id) : NULL;
		if (known) {
			/* The same delivery in another request is no second one. */
			if (!known->n || !str_eq(*known, delivery))
				system_problem(s, PROBLEM_TWICE, "movement " STR_FMT, STR_ARG(id));
			continue;
		}
		if (id.n > 0 && !keep_movement(s, id, delivery, a))
			return;
		const struct json *lines = json_get(&items->items[i], "lines");
		b->transactions++;
		b->transaction_lines += json_is(lines, JSON_ARRAY) ? lines->count : 0;
	}
	a->status = 200;
	buf_add_z(&a->body, "{}");
}

static bool cancel_path(const struct system_request *r, struct str *number)
{
	static const struct str head = {"/orders/", 8}, tail = {"/cancel", 7};
	struct str p = r->path;
	if (!str_is(r->method, "POST") || p.n <= head.n + tail.n || memcmp(p.p, head.p, head.n) != 0 ||
	    memcmp(p.p + p.n - tail.n, tail.p, tail.n) != 0)
		return false;
	*number = (struct str){p.p + head.n, p.n - head.n - tail.n};
	return true;
}

static void handle(struct system *s, const struct system_request *r, struct system_answer *a)
{
	static const char *const taken[] = {"/availability", "/order-status", "/invoices",
					    "/prices",       "/items",        "/customers"};
	struct erp_book *b = s->book;
	struct str number;
	if (system_post(r, "/orders")) {
		post_order(s, r, a);
	} else if (str_is(r->method, "GET") && str_is(r->path, "/orders")) {
		find_order(s, r, a);
	} else if (cancel_path(r, &number)) {
		cancel_order(s, number, a);
	} else if (system_post(r, "/shipments")) {
		take_shipment(s, r, a);
	} else if (system_post(r, "/stock-transactions")) {
		take_transactions(s, r, a);
	} else {
		for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
			if (!system_post(r, taken[i]) || !system_body(s, r, a))
				continue;
			b->others++;
			a->status = 200;
			buf_add_z(&a->body, "{}");
			return;
		}
		if (a->status == 0)
			system_refuse(a, 404, "not_found", "The ERP knows no such thing.");
	}
}

static void state(const struct system *s, struct json_writer *w)
{
	const struct erp_book *b = s->book;
	size_t at = 0;
	struct str key;
	const struct erp_order *o;
	jw_key_int(w, "cancellations", b->cancellations);
	jw_key_int(w, "stock_transactions", b->transactions);
	jw_key_int(w, "stock_transaction_lines", b->transaction_lines);
	jw_key_int(w, "others", b->others);
	jw_key(w, "orders");
	jw_array(w);
	while ((o = map_next(&b->numbers, &at, &key)) != NULL) {
		jw_object(w);
		jw_key_text(w, "external_id", o->number);
		jw_key_text(w, "order_id", o->order_id);
		jw_key_text(w, "channel", o->channel);
		jw_key_text(w, "channel_order", o->external_id);
		jw_key_bool(w, "cancelled", o->cancelled);
		system_lines_write(&o->lines, w);
		jw_object_end(w);
	}
	jw_array_end(w);
	system_shipments_write(&b->shipments, w);
}

struct system *sandbox_erp_new(const char *name, uint64_t seed)
{
	static const struct system_kind kind = {"erp", handle, state, NULL, done};
	struct erp_book b = {0};
	map_init(&b.orders, SYSTEM_ENTRIES_MAX);
	map_init(&b.numbers, SYSTEM_ENTRIES_MAX);
	map_init(&b.shipments, SYSTEM_ENTRIES_MAX);
	map_init(&b.movements, SYSTEM_ENTRIES_MAX);
	return system_new(&kind, name, seed, &b, sizeof(b));
}
