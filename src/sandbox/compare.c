#include "sandbox/compare.h"

#include "base/mem.h"
#include "sandbox/compare_hub.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#define BYTES_MAX ((size_t)4 << 30)
#define SKUS_ASK  5000

static const char *const what[] = {
#define COMPARE_ROW_WHAT(id, text) text,
    COMPARE_ROWS(COMPARE_ROW_WHAT)
#undef COMPARE_ROW_WHAT
};

struct comparison {
	struct compare *out;
	struct client *hub;
	const struct compare_systems *systems;
	struct replay *replay;
	struct arena arena;
	struct hub_orders orders;
	const struct json *erp, *warehouse, *shops[2];
	struct map erp_orders, erp_shipments, shop_orders[2], shop_shipments[2], shown[2]; /* struct json by their id */
	struct err *e;
};

static void differs(struct comparison *c, enum compare_row row, const char *format, ...) PRINTF_LIKE(3, 4);
static void differs(struct comparison *c, enum compare_row row, const char *format, ...)
{
	struct compare *out = c->out;
	char text[512];
	va_list args;
	out->differ[row]++;
	if (out->difference_count == COMPARE_SHOWN_MAX)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (asprintf(&out->differences[out->difference_count], "%s: %s", what[row], text) >= 0)
		out->difference_count++;
}

static bool same_sku(struct str a, struct str b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

static qty_t quantity_of(const struct json *j, const char *name)
{
	qty_t q;
	return qty_parse(json_get_text(j, name), &q, NULL) == RC_OK ? q : INT64_MIN;
}

static size_t count_of(const struct json *array)
{
	return json_is(array, JSON_ARRAY) ? array->count : 0;
}

/* ---- what there is ---- */

static const struct json *state_of(struct comparison *c, const struct sandbox *sandbox, const char *name)
{
	static const struct json_limits limits = {.bytes = SYSTEM_STATE_MAX, .depth = 16, .nodes = UINT32_MAX};
	struct system_answer a = {0};
	struct json *json = NULL;
	buf_init(&a.body, SYSTEM_STATE_MAX);
	system_handle(sandbox_find(sandbox, name),
		      &(struct system_request){.method = STR("GET"), .path = STR("/_state")}, 0, &a);
	if (a.status != 200 || json_parse(&c->arena, buf_str(&a.body), &limits, &json, c->e))
		json = NULL;
	buf_done(&a.body);
	return json;
}

/* Two of one id: the first is kept, the second differs. */
static enum rc index_by(struct comparison *c, struct map *m, const struct json *state, const char *list, const char *id,
			enum compare_row row)
{
	const struct json *items = json_get(state, list);
	map_init(m, SYSTEM_ENTRIES_MAX);
	for (size_t i = 0; i < count_of(items); i++) {
		struct str key = json_get_text(&items->items[i], id);
		if (map_get(m, key)) {
			differs(c, row, "%s " STR_FMT " is there twice", list, STR_ARG(key));
			continue;
		}
		enum rc rc = map_put(m, key, (void *)&items->items[i]);
		if (rc)
			return rc;
	}
	return RC_OK;
}

static enum rc gather(struct comparison *c, const struct sandbox *sandbox)
{
	c->erp = state_of(c, sandbox, c->systems->erp);
	c->warehouse = state_of(c, sandbox, c->systems->warehouse);
	c->shops[0] = state_of(c, sandbox, c->systems->shops[0]);
	c->shops[1] = state_of(c, sandbox, c->systems->shops[1]);
	if (!c->erp || !c->warehouse || !c->shops[0] || !c->shops[1])
		return err_set(c->e, RC_LIMIT, "state_too_large",
			       "The sandbox systems hold more than can be compared.");
	enum rc rc = index_by(c, &c->erp_orders, c->erp, "orders", "order_id", COMPARE_ERP);
	if (rc == RC_OK)
		rc = index_by(c, &c->erp_shipments, c->erp, "shipments", "shipment_id", COMPARE_SHIPMENT_ERP);
	for (int i = 0; i < 2 && rc == RC_OK; i++) {
		rc = index_by(c, &c->shop_orders[i], c->shops[i], "orders", "order_id", COMPARE_STATUS);
		if (rc == RC_OK)
			rc = index_by(c, &c->shop_shipments[i], c->shops[i], "shipments", "shipment_id",
				      COMPARE_SHIPMENT_SHOP);
		if (rc == RC_OK)
			rc = index_by(c, &c->shown[i], c->shops[i], "items", "sku", COMPARE_SHOWN);
	}
	return rc;
}

static int shop_of(const struct comparison *c, struct str channel)
{
	for (int i = 0; i < 2; i++)
		if (str_is(channel, c->systems->shops[i]))
			return i;
	return -1;
}

/* ---- orders ---- */

static bool sent_lines_agree(const struct replay_order *sent, const struct hub_order *o)
{
	if (sent->line_count != o->line_count)
		return false;
	for (size_t i = 0; i < o->line_count; i++) {
		char id[24];
		(void)snprintf(id, sizeof(id), "%zu", i + 1);
		const struct hub_line *l = hub_line_find(o, str_from(id));
		if (!l || !same_sku(l->sku, sent->lines[i].sku) || l->ordered != sent->lines[i].quantity * QTY_ONE)
			return false;
	}
	return true;
}

static void compare_sent(struct comparison *c)
{
	for (size_t i = 0; i < replay_order_count(c->replay); i++) {
		const struct replay_order *sent = replay_order_at(c->replay, i);
		char name[256];
		if (sent->fate == REPLAY_NOT_PLACED)
			continue;
		c->out->checked[COMPARE_SENT]++;
		int n = snprintf(name, sizeof(name), "%s/" STR_FMT, sent->channel, STR_ARG(sent->external_id));
		struct hub_order *o = map_get(&c->orders.by_name, (struct str){name, (size_t)n});
		bool taken = sent->fate == REPLAY_TAKEN || sent->fate == REPLAY_CANCELLED;
		if (o)
			o->sent = true;
		if (!o && taken)
			c->out->lost++;
		if (!taken)
			differs(c, COMPARE_SENT, "%s was not taken", name);
		else if (!o)
			differs(c, COMPARE_SENT, "%s was acknowledged and is not in the hub", name);
		else if (!str_eq(o->order_id, sent->order_id))
			differs(c, COMPARE_SENT, "%s is in the hub under another id than was answered", name);
		else if (!sent_lines_agree(sent, o))
			differs(c, COMPARE_SENT, "%s has other lines in the hub", name);
		if (o && taken && str_is(o->status, "cancelled") != (sent->fate == REPLAY_CANCELLED))
			differs(c, COMPARE_CANCELLED, "%s is " STR_FMT " in the hub, and %s", name, STR_ARG(o->status),
				sent->fate == REPLAY_CANCELLED ? "its cancellation was confirmed"
							       : "nobody cancelled it");
	}
}

static bool erp_lines_agree(const struct hub_order *o, const struct json *lines)
{
	if (count_of(lines) != o->line_count)
		return false;
	for (size_t i = 0; i < o->line_count; i++) {
		const struct hub_line *l = hub_line_find(o, json_get_text(&lines->items[i], "line_id"));
		if (!l || !same_sku(l->sku, json_get_text(&lines->items[i], "sku")) ||
		    l->ordered != quantity_of(&lines->items[i], "quantity"))
			return false;
	}
	return true;
}

static bool one_of(struct str s, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_is(s, list[i]))
			return true;
	return false;
}

/* A shop is told of what does not go its usual way: of shipments it hears by the shipments. */
static void compare_status(struct comparison *c, const struct hub_order *o)
{
	static const char *const stopped[] = {"on_hold", "cancelled", "rejected"};
	static const char *const waits[] = {"backordered", "partially_shipped"};
	int shop = shop_of(c, o->channel);
	const struct json *heard = shop >= 0 ? map_get(&c->shop_orders[shop], o->order_id) : NULL;
	struct str status = json_get_text(heard, "status");
	bool is_stopped = one_of(o->status, stopped, 3), is_waiting = one_of(o->status, waits, 2);
	if (!heard && !is_stopped && !is_waiting)
		return;
	c->out->checked[COMPARE_STATUS]++;
	if (is_stopped ? !str_eq(status, o->status) : one_of(status, stopped, 3) || (is_waiting && !heard))
		differs(c, COMPARE_STATUS, STR_FMT " is " STR_FMT " in the hub and " STR_FMT " in the shop",
			STR_ARG(o->name), STR_ARG(o->status), STR_ARG(heard ? status : STR("unheard of")));
}

static const char *const never_posted[] = {"captured", "on_hold", "rejected"};

static void compare_hub_order(struct comparison *c, const struct hub_order *o)
{
	const struct json *erp = map_get(&c->erp_orders, o->order_id);
	bool cancelled = str_is(o->status, "cancelled"), stopped = cancelled || one_of(o->status, never_posted, 3);
	const struct json *flag = json_get(erp, "cancelled");
	c->out->checked[COMPARE_ERP]++;
	if (!o->sent)
		differs(c, COMPARE_SENT, STR_FMT " is in the hub and was never sent", STR_ARG(o->name));
	if (!erp && !stopped) {
		c->out->lost++;
		differs(c, COMPARE_ERP, STR_FMT " (" STR_FMT ") is not in the ERP", STR_ARG(o->name),
			STR_ARG(o->status));
	} else if (erp && !erp_lines_agree(o, json_get(erp, "lines"))) {
		differs(c, COMPARE_ERP, STR_FMT " has other lines in the ERP", STR_ARG(o->name));
	}
	c->out->checked[COMPARE_CANCELLED] += cancelled;
	if (erp && cancelled != (json_is(flag, JSON_BOOL) && flag->boolean))
		differs(c, COMPARE_CANCELLED, STR_FMT " is cancelled in one of hub and ERP", STR_ARG(o->name));
	compare_status(c, o);
}

static void compare_orders(struct comparison *c)
{
	struct hub_order *o;
	struct str key;
	compare_sent(c);
	for (size_t at = 0; (o = map_next(&c->orders.by_id, &at, &key)) != NULL;)
		compare_hub_order(c, o);
	for (size_t at = 0; map_next(&c->erp_orders, &at, &key);)
		if (!map_get(&c->orders.by_id, key))
			differs(c, COMPARE_ERP, STR_FMT " is in the ERP and not in the hub", STR_ARG(key));
}

/* ---- shipments ---- */

static bool shipment_lines_agree(const struct json *a, const struct json *b)
{
	const struct json *x = json_get(a, "lines"), *y = json_get(b, "lines");
	if (count_of(x) != count_of(y))
		return false;
	for (size_t i = 0; i < count_of(x); i++)
		if (!same_sku(json_get_text(&x->items[i], "sku"), json_get_text(&y->items[i], "sku")) ||
		    !str_eq(json_get_text(&x->items[i], "line_id"), json_get_text(&y->items[i], "line_id")) ||
		    quantity_of(&x->items[i], "quantity") != quantity_of(&y->items[i], "quantity"))
			return false;
	return true;
}

static void compare_shipment_at(struct comparison *c, enum compare_row row, const struct map *there,
				const struct json *shipment)
{
	struct str id = json_get_text(shipment, "shipment_id");
	const struct json *other = map_get(there, id);
	c->out->checked[row]++;
	if (!other)
		differs(c, row, STR_FMT " is missing", STR_ARG(id));
	else if (!str_eq(json_get_text(other, "order_id"), json_get_text(shipment, "order_id")) ||
		 !shipment_lines_agree(shipment, other))
		differs(c, row, STR_FMT " has other lines", STR_ARG(id));
}

static void compare_shipments(struct comparison *c)
{
	const struct json *shipments = json_get(c->warehouse, "shipments");
	for (size_t i = 0; i < count_of(shipments); i++) {
		const struct json *s = &shipments->items[i], *lines = json_get(s, "lines");
		const struct hub_order *o = map_get(&c->orders.by_id, json_get_text(s, "order_id"));
		compare_shipment_at(c, COMPARE_SHIPMENT_ERP, &c->erp_shipments, s);
		int shop = o ? shop_of(c, o->channel) : -1;
		if (shop >= 0)
			compare_shipment_at(c, COMPARE_SHIPMENT_SHOP, &c->shop_shipments[shop], s);
		for (size_t j = 0; o && j < count_of(lines); j++) {
			struct hub_line *l = hub_line_find(o, json_get_text(&lines->items[j], "line_id"));
			if (l)
				l->told += quantity_of(&lines->items[j], "quantity");
			else
				differs(c, COMPARE_SHIPPED, STR_FMT " has a line that the order has not",
					STR_ARG(json_get_text(s, "shipment_id")));
		}
		if (!o)
			differs(c, COMPARE_SHIPPED, STR_FMT " is for no order of the hub",
				STR_ARG(json_get_text(s, "shipment_id")));
	}
	size_t elsewhere = c->erp_shipments.count + c->shop_shipments[0].count + c->shop_shipments[1].count;
	if (elsewhere > 2 * count_of(shipments))
		differs(c, COMPARE_SHIPMENT_SHOP, "ERP and shops know of %zu shipments, the warehouse of %zu",
			elsewhere / 2, count_of(shipments));
	const struct hub_order *o;
	struct str key;
	for (size_t at = 0; (o = map_next(&c->orders.by_id, &at, &key)) != NULL;)
		for (size_t i = 0; i < o->line_count; i++) {
			c->out->checked[COMPARE_SHIPPED] += o->lines[i].shipped > 0 || o->lines[i].told > 0;
			if (o->lines[i].shipped != o->lines[i].told)
				differs(c, COMPARE_SHIPPED, STR_FMT " line " STR_FMT, STR_ARG(o->name),
					STR_ARG(o->lines[i].line_id));
		}
}

/* ---- stock ---- */

static qty_t shown_at(const struct comparison *c, int shop, struct str sku)
{
	const struct json *item = map_get(&c->shown[shop], sku);
	return item ? quantity_of(item, "available") : 0; /* never told of: it does not sell it */
}

static enum rc ask_available(struct comparison *c, int shop, const struct buf *question)
{
	struct arena a;
	const struct json *j;
	arena_init(&a, 256u << 20);
	enum rc rc = client_call(c->hub, "/v1/availability/query", question, &a, &j, c->e);
	const struct json *items = rc == RC_OK ? json_get(j, "items") : NULL;
	for (size_t i = 0; i < count_of(items); i++) {
		struct str sku = json_get_text(&items->items[i], "sku");
		c->out->checked[COMPARE_SHOWN]++;
		if (shown_at(c, shop, sku) != quantity_of(&items->items[i], "available"))
			differs(c, COMPARE_SHOWN, "%s shows " STR_FMT " otherwise than the hub's " STR_FMT,
				c->systems->shops[shop], STR_ARG(sku),
				STR_ARG(json_get_text(&items->items[i], "available")));
	}
	arena_done(&a);
	return rc;
}

static enum rc compare_shown(struct comparison *c, int shop)
{
	const struct replay_item *item;
	enum rc rc = RC_OK;
	size_t at = 0;
	do {
		struct buf question;
		struct json_writer w;
		size_t count = 0;
		buf_init(&question, 1u << 20);
		jw_init(&w, &question);
		jw_object(&w);
		jw_key_text(&w, "channel", str_from(c->systems->shops[shop]));
		jw_key(&w, "skus");
		jw_array(&w);
		while (count < SKUS_ASK && (item = replay_item_next(c->replay, &at)) != NULL) {
			jw_text(&w, item->sku);
			count++;
		}
		jw_array_end(&w);
		jw_object_end(&w);
		if (count > 0)
			rc = ask_available(c, shop, &question);
		buf_done(&question);
	} while (rc == RC_OK && item);
	return rc;
}

static bool hub_on_hand(const struct json *stock, struct str location, qty_t *sum)
{
	const struct json *positions = json_get(stock, "positions");
	*sum = 0;
	for (size_t i = 0; i < count_of(positions); i++)
		if (str_eq(json_get_text(&positions->items[i], "location"), location))
			*sum += quantity_of(&positions->items[i], "on_hand");
	return positions != NULL;
}

static enum rc compare_stock(struct comparison *c)
{
	const struct json *stock = json_get(c->warehouse, "stock");
	enum rc rc = RC_OK;
	for (size_t i = 0; rc == RC_OK && i < count_of(stock); i++) {
		const struct json *p = &stock->items[i], *j = NULL;
		struct str sku = json_get_text(p, "sku"), location = json_get_text(p, "location");
		struct arena a;
		char path[256];
		qty_t there = 0, here = quantity_of(p, "on_hand");
		(void)snprintf(path, sizeof(path), "/v1/stock/" STR_FMT, STR_ARG(sku));
		arena_init(&a, 4u << 20);
		rc = client_call(c->hub, path, NULL, &a, &j, c->e);
		if (rc == RC_NOT_FOUND)
			rc = RC_OK;
		c->out->checked[COMPARE_STOCK]++;
		bool known = rc == RC_OK && hub_on_hand(j, location, &there);
		if (rc == RC_OK && there != here)
			differs(c, COMPARE_STOCK, STR_FMT " at " STR_FMT ": warehouse %lld, hub %lld%s", STR_ARG(sku),
				STR_ARG(location), (long long)(here / QTY_ONE), (long long)(there / QTY_ONE),
				known ? "" : " (unknown)");
		arena_done(&a);
	}
	return rc;
}

/* ---- the rest ---- */

static void compare_problems(struct comparison *c)
{
	const struct json *states[] = {c->erp, c->warehouse, c->shops[0], c->shops[1]};
	int64_t requests;
	for (size_t i = 0; i < 4; i++) {
		const struct json *details = json_get(states[i], "problem_details"),
				  *counts = json_get(states[i], "problems");
		if (json_int(json_get(states[i], "requests"), &requests))
			c->out->checked[COMPARE_PROBLEMS] += requests;
		for (size_t j = 0; j < count_of(details); j++)
			differs(c, COMPARE_PROBLEMS, STR_FMT ": " STR_FMT, STR_ARG(json_get_text(states[i], "system")),
				STR_ARG(json_text(&details->items[j])));
		if (json_is(counts, JSON_OBJECT) && counts->count > 0 && count_of(details) == 0)
			differs(c, COMPARE_PROBLEMS, STR_FMT, STR_ARG(json_get_text(states[i], "system")));
	}
	const struct json *requests_made = json_get(c->warehouse, "shipment_requests");
	c->out->checked[COMPARE_OVERSOLD] = (int64_t)count_of(requests_made);
	qty_t missing = quantity_of(c->warehouse, "short_units");
	if (missing != 0)
		differs(c, COMPARE_OVERSOLD, "%lld units were to be shipped and were not there",
			(long long)(missing / QTY_ONE));
}

/* Good ends of a delivery; anything else is under way or dead. */
static bool ended_well(struct str status)
{
	return str_is(status, "delivered") || str_is(status, "superseded") || str_is(status, "cancelled");
}

static enum rc compare_deliveries(struct comparison *c)
{
	struct arena a;
	const struct json *j = NULL;
	int64_t n, too_late = replay_read(c->replay).too_late;
	arena_init(&a, 16u << 20);
	enum rc rc = client_call(c->hub, "/v1/overview", NULL, &a, &j, c->e);
	const struct json *d = json_get(j, "deliveries"), *inbox = json_get(j, "inbox");
	for (size_t i = 0; i < count_of(d); i++) {
		const struct json *row = &d->items[i];
		if (!json_int(json_get(row, "count"), &n))
			continue;
		c->out->checked[COMPARE_DELIVERIES] += n;
		if (!ended_well(json_get_text(row, "status")) && n > 0)
			differs(c, COMPARE_DELIVERIES, "%lld of " STR_FMT " " STR_FMT " are " STR_FMT, (long long)n,
				STR_ARG(json_get_text(row, "system")), STR_ARG(json_get_text(row, "operation")),
				STR_ARG(json_get_text(row, "status")));
	}
	for (size_t i = 0; i < count_of(inbox); i++) {
		struct str fate = json_get_text(&inbox->items[i], "fate");
		if (!json_int(json_get(&inbox->items[i], "count"), &n))
			continue;
		c->out->checked[COMPARE_DELIVERIES] += n;
		/* What came too late to be cancelled may be here as rejected, and its sender knows. */
		if (str_is(fate, "rejected"))
			n = n > too_late ? n - too_late : 0;
		if (!str_is(fate, "applied") && !str_is(fate, "duplicate") && !str_is(fate, "stale") && n > 0)
			differs(c, COMPARE_DELIVERIES, "%lld messages are " STR_FMT, (long long)n, STR_ARG(fate));
	}
	arena_done(&a);
	return rc;
}

static enum rc compare_audit(struct comparison *c)
{
	struct arena a;
	const struct json *j = NULL;
	arena_init(&a, 16u << 20);
	enum rc rc = client_call(c->hub, "/v1/audit", NULL, &a, &j, c->e);
	const struct json *checks = json_get(j, "checks"), *ok = json_get(j, "ok");
	for (size_t i = 0; i < count_of(checks); i++) {
		const struct json *good = json_get(&checks->items[i], "ok");
		c->out->checked[COMPARE_AUDIT]++;
		if (!json_is(good, JSON_BOOL) || !good->boolean)
			differs(c, COMPARE_AUDIT, STR_FMT ": " STR_FMT,
				STR_ARG(json_get_text(&checks->items[i], "name")),
				STR_ARG(json_get_text(&checks->items[i], "detail")));
	}
	if (rc == RC_OK && !(json_is(ok, JSON_BOOL) && ok->boolean) && c->out->differ[COMPARE_AUDIT] == 0)
		differs(c, COMPARE_AUDIT, "it does not say ok");
	arena_done(&a);
	return rc;
}

static void forget(struct comparison *c)
{
	map_done(&c->erp_orders);
	map_done(&c->erp_shipments);
	for (int i = 0; i < 2; i++) {
		map_done(&c->shop_orders[i]);
		map_done(&c->shop_shipments[i]);
		map_done(&c->shown[i]);
	}
	hub_orders_done(&c->orders);
	arena_done(&c->arena);
}

enum rc compare_run(struct compare *out, struct client *hub, const struct sandbox *sandbox,
		    const struct compare_systems *systems, struct replay *replay, struct err *e)
{
	struct comparison c = {.out = out, .hub = hub, .systems = systems, .replay = replay, .e = e};
	*out = (struct compare){0};
	arena_init(&c.arena, BYTES_MAX);
	enum rc rc = hub_orders_read(hub, &c.arena, &c.orders, e);
	if (rc == RC_OK)
		rc = gather(&c, sandbox);
	if (rc == RC_OK) {
		compare_orders(&c);
		compare_shipments(&c);
		compare_problems(&c);
	}
	for (int i = 0; i < 2 && rc == RC_OK; i++)
		rc = compare_shown(&c, i);
	if (rc == RC_OK)
		rc = compare_stock(&c);
	if (rc == RC_OK)
		rc = compare_deliveries(&c);
	if (rc == RC_OK)
		rc = compare_audit(&c);
	forget(&c);
	return rc;
}

void compare_done(struct compare *c)
{
	for (size_t i = 0; i < c->difference_count; i++)
		free(c->differences[i]);
	*c = (struct compare){0};
}

bool compare_agrees(const struct compare *c)
{
	for (size_t i = 0; i < COMPARE_ROW_COUNT; i++)
		if (c->differ[i])
			return false;
	return c->lost == 0;
}

void compare_print(const struct compare *c, FILE *out)
{
	fprintf(out, "%-60s %10s %10s\n", "compared", "checked", "differ");
	for (size_t i = 0; i < COMPARE_ROW_COUNT; i++)
		fprintf(out, "%-60s %10lld %10lld\n", what[i], (long long)c->checked[i], (long long)c->differ[i]);
	for (size_t i = 0; i < c->difference_count; i++)
		fprintf(out, "  differs: %s\n", c->differences[i]);
}
