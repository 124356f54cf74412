/*
 * The systems that Crossdock talks to: two shops, an ERP, a warehouse. They do what such systems do with what they are
 * told, and complain when they are told something twice, out of order, or untrue.
 */
#include "simulate/world.h"

#include "base/mem.h"

struct lane_seen {
	char name[40];
	int64_t last;
};

struct arrival {
	struct str key;
	struct wire_answer answer;
};

void receivers_init(struct world *w)
{
	for (int i = 0; i < WORLD_RECEIVERS; i++) {
		struct receiver *r = &w->receivers[i];

		*r = (struct receiver){.keyed = true};
		w->names[i] = i < WORLD_SYSTEMS ? w->tenant->systems[i].name.p : "hook";
		map_init(&r->keys, 1u << 20);
		map_init(&r->lanes, 1u << 20);
		for (int n = 0; n < MODEL_PRODUCTS; n++)
			r->shown[n] = (struct shown){0, -1};
	}
	w->receivers[SYSTEM_ERP].keyed = dice_chance(&w->dice, 500);
	w->receivers[SYSTEM_PORTAL].compares = dice_chance(&w->dice, 500);
	w->receivers[SYSTEM_SHOP].sells = dice_chance(&w->dice, 700);
	w->receivers[SYSTEM_PORTAL].sells = dice_chance(&w->dice, 500);
}

void receivers_done(struct world *w)
{
	for (int i = 0; i < WORLD_RECEIVERS; i++) {
		map_done(&w->receivers[i].keys);
		map_done(&w->receivers[i].lanes);
		free(w->receivers[i].posted);
	}
}

/* Deliveries of one key come in their order, when they come for the first time. */
static void check_lane(struct world *w, struct receiver *to, const struct wire_request *r)
{
	struct lane_seen *lane;
	char name[40];
	int n = snprintf(name, sizeof(name), "%016llx", (unsigned long long)r->lane);

	lane = map_get(&to->lanes, (struct str){name, (size_t)n});
	if (!lane) {
		lane = arena_new(&w->arena, struct lane_seen);
		memcpy(lane->name, name, sizeof(name));
		if (map_put(&to->lanes, str_from(lane->name), lane) != RC_OK)
			world_break(w, "too many lanes");
	}
	if (r->seq < lane->last)
		world_break(w, "order: %s %lld comes after %lld of the same key",
			    operation_name((enum operation)r->operation), (long long)r->seq, (long long)lane->last);
	else
		lane->last = r->seq;
}

static struct posted *post(struct receiver *to, struct str order_id, struct str key, char prefix)
{
	struct posted *p;

	if (to->posted_count == to->posted_room) {
		to->posted_room = to->posted_room ? to->posted_room * 2 : 64;
		to->posted = mem_grow(to->posted, to->posted_room * sizeof(*to->posted));
	}
	p = &to->posted[to->posted_count++];
	*p = (struct posted){0};
	snprintf(p->order_id, sizeof(p->order_id), STR_FMT, STR_ARG(order_id));
	snprintf(p->key, sizeof(p->key), STR_FMT, STR_ARG(key));
	snprintf(p->number, sizeof(p->number), "%c-%zu", prefix, to->posted_count);
	return p;
}

static struct wire_answer created(struct world *w, const struct posted *p)
{
	return (struct wire_answer){.status = 201, .body = world_text(w, "{'external_id':'%s'}", p->number)};
}

/* ---- ERP ---- */

bool receiver_refuses(int number)
{
	return number % 53 == 17;
}

static void check_order_lines(struct world *w, int number, const struct json *doc)
{
	const struct model_order *o = &w->model->orders[number];
	const struct json *lines = json_get(doc, "lines");
	int sums[MODEL_PRODUCTS] = {0}, ordered[MODEL_PRODUCTS] = {0};

	for (int i = 0; i < o->line_count; i++)
		ordered[o->lines[i].item] += o->lines[i].quantity;
	for (uint32_t i = 0; lines && i < lines->count; i++) {
		int item = model_product(json_get_text(&lines->items[i], "sku"));
		qty_t q = 0;

		if (item >= 0 && qty_parse(json_get_text(&lines->items[i], "quantity"), &q, NULL) == RC_OK)
			sums[item] += (int)(q / QTY_ONE);
	}
	for (int i = 0; i < MODEL_PRODUCTS; i++)
		if (sums[i] != ordered[i])
			world_break(w, "orders: the ERP gets o%d with %d of %s, its customer ordered %d", number,
				    sums[i], model_products[i], ordered[i]);
}

static struct wire_answer erp_post(struct world *w, const struct wire_request *r, const struct json *doc)
{
	struct receiver *erp = &w->receivers[SYSTEM_ERP];
	struct str order_id = json_get_text(doc, "order_id");
	int number = model_number(json_get_text(doc, "external_id"), 'o');

	if (number < 0 || number >= w->model->order_count) {
		world_break(w, "orders: the ERP gets an order that nobody placed: " STR_FMT, STR_ARG(r->body));
		return (struct wire_answer){.status = 200};
	}
	check_order_lines(w, number, doc);
	if (receiver_refuses(number))
		return (struct wire_answer){.status = 422, .body = STR("{\"detail\":\"The customer is blocked.\"}")};
	for (size_t i = 0; i < erp->posted_count; i++)
		if (str_is(order_id, erp->posted[i].order_id))
			world_break(w, "once: order o%d is in the ERP a second time", number);
	return created(w, post(erp, order_id, r->key, 'N'));
}

/* The ERP looks by the order. An order may have several shipment requests: the warehouse looks by the key too, which a
 * look-up carries as the request did. */
static struct wire_answer found(struct world *w, const struct wire_request *r)
{
	const struct receiver *to = &w->receivers[r->system];
	struct str order_id = {r->query.p + 9, r->query.n - 9}; /* order_id= */

	struct str items = STR_NONE;

	for (size_t i = 0; i < to->posted_count; i++)
		if (str_is(order_id, to->posted[i].order_id))
			items = world_text(w, STR_FMT "%s{'external_id':'%s','shipment_request_id':'%s'}",
					   STR_ARG(items), items.n ? "," : "", to->posted[i].number, to->posted[i].key);
	return (struct wire_answer){.status = 200, .body = world_text(w, "{'items':[" STR_FMT "]}", STR_ARG(items))};
}

/* Each shipment once: it may come again to an ERP that does not know its key. */
static void erp_settle(struct world *w, const struct json *doc)
{
	int told[MODEL_OWNERS][MODEL_ITEMS], m = model_number(json_get_text(doc, "shipment_id"), 'm');

	if (m < 0 || m >= w->model->fact_count) {
		world_break(w, "owners: the ERP hears of a shipment that nobody has sent");
		return;
	}
	model_read_consigned(json_get(doc, "consigned"), told);
	for (int n = 0; !w->settles[m] && n < MODEL_OWNERS * MODEL_ITEMS; n++)
		w->settled[n / MODEL_ITEMS][n % MODEL_ITEMS] += told[n / MODEL_ITEMS][n % MODEL_ITEMS];
	w->settles[m] = true;
}

static struct wire_answer erp_cancel(struct world *w, struct str path)
{
	struct receiver *erp = &w->receivers[SYSTEM_ERP];
	struct str number = {path.p + 8, path.n - 8 - 7};

	for (size_t i = 0; i < erp->posted_count; i++)
		if (str_is(number, erp->posted[i].number)) {
			erp->posted[i].cancelled = true;
			return (struct wire_answer){.status = 200, .body = STR("{}")};
		}
	world_break(w, "orders: the ERP is asked to cancel " STR_FMT ", which it does not have", STR_ARG(number));
	return (struct wire_answer){.status = 404};
}

static bool ends_with(struct str s, const char *z)
{
	size_t n = strlen(z);

	return s.n > n && memcmp(s.p + s.n - n, z, n) == 0;
}

/* ---- shops ---- */

static struct wire_answer show(struct world *w, const struct wire_request *r, const struct json *doc)
{
	struct receiver *shop = &w->receivers[r->system];
	const struct json *items = json_get(doc, "items");
	int channel = r->system == SYSTEM_PORTAL;
	struct str stale = STR_NONE;

	for (uint32_t i = 0; items && i < items->count; i++) {
		const struct json *one = &items->items[i];
		int item = model_product(json_get_text(one, "sku")), available, may;
		int64_t version = 0;
		qty_t q = 0, expected = 0;

		json_int(json_get(one, "version"), &version);
		if (item < 0 || qty_parse(json_get_text(one, "available"), &q, NULL) != RC_OK) {
			world_break(w, "published: %s gets " STR_FMT, model_channels[channel], STR_ARG(r->body));
			continue;
		}
		available = (int)(q / QTY_ONE) + (w->mutation == MUTATE_PUBLISH_MORE);
		w->mutated |= w->mutation == MUTATE_PUBLISH_MORE;
		may = w->model->told[channel][item][version % MODEL_VERSIONS];
		if (available > may)
			world_break(w, "published: %s gets %d of %s as version %lld, which was made for %d",
				    model_channels[channel], available, model_products[item], (long long)version, may);
		if (version <= shop->shown[item].version)
			continue;
		if (shop->compares && json_get_text(one, "expected").n &&
		    qty_parse(json_get_text(one, "expected"), &expected, NULL) == RC_OK &&
		    (int)(expected / QTY_ONE) != shop->shown[item].available) {
			stale = world_text(w, STR_FMT "%s{'sku':'%s','available':'%d'}", STR_ARG(stale),
					   stale.n ? "," : "", model_products[item], shop->shown[item].available);
			/* It tells what it shows: to be told that again is no rise. */
			if (w->model->last[channel][item] < shop->shown[item].available)
				w->model->last[channel][item] = shop->shown[item].available;
			continue;
		}
		shop->shown[item] = (struct shown){available, version};
	}
	if (stale.n)
		return (struct wire_answer){.status = 200,
					    .body = world_text(w, "{'stale':[" STR_FMT "]}", STR_ARG(stale))};
	return (struct wire_answer){.status = 200, .body = STR("{}")};
}

/* ---- all ---- */

static struct wire_answer take(struct world *w, const struct wire_request *r)
{
	struct receiver *to = &w->receivers[r->system];
	struct wire_answer a = {.status = 200, .body = STR("{}")};
	struct json *doc = NULL;

	arena_reset(&w->scratch);
	if (str_is(r->method, "GET"))
		return found(w, r);
	if (json_parse(&w->scratch, r->body, NULL, &doc, NULL) != RC_OK) {
		world_break(w, "a request is not JSON: " STR_FMT, STR_ARG(r->body));
		return a;
	}
	if (r->system == SUBSCRIBER) {
		if (r->seq < WORLD_HEARD_MAX)
			w->event_heard[r->seq] = 1;
		return a;
	}
	if (str_is(r->path, "/orders"))
		return erp_post(w, r, doc);
	if (r->system == SYSTEM_ERP && ends_with(r->path, "/cancel"))
		return erp_cancel(w, r->path);
	if (r->system == SYSTEM_ERP && str_is(r->path, "/shipments"))
		erp_settle(w, doc);
	if (str_is(r->path, "/availability"))
		return show(w, r, doc);
	if (str_is(r->path, "/shipment-requests")) {
		a = created(w,
			    post(to, json_get_text(doc, "order_id"), json_get_text(doc, "shipment_request_id"), 'W'));
		send_shipment(w, json_get_text(doc, "order_id"), json_get(doc, "lines"));
	}
	return a;
}

/* What a system may say instead of doing what it is asked to. 0: it does it. */
static int excuse(struct world *w)
{
	static const int excuses[] = {500, 503, 429, 502};

	if (w->calm || !dice_chance(&w->dice, w->weather.refuse))
		return 0;
	w->counts.refused++;
	return excuses[dice_between(&w->dice, 0, 3)];
}

void receive(struct world *w, const struct wire_request *r, bool late, struct wire_answer *a)
{
	struct receiver *to = &w->receivers[r->system];
	bool asks = str_is(r->method, "GET");
	struct arrival *known = asks || !to->keyed ? NULL : map_get(&to->keys, r->key);
	int status = excuse(w);

	if (!known && status) {
		*a = (struct wire_answer){.status = status, .retry_after_s = status == 503 ? 2 : 0};
		return;
	}
	if (known) {
		*a = known->answer;
	} else {
		if (!asks && !late)
			check_lane(w, to, r);
		*a = take(w, r);
		world_say(w, "%s %s" STR_FMT " (delivery %lld%s): %d", w->names[r->system], asks ? "? " : "",
			  STR_ARG(r->path), (long long)r->seq, late ? ", late" : "", a->status);
	}
	if (asks || !to->keyed)
		return;
	if (!known) {
		known = arena_new(&w->arena, struct arrival);
		*known = (struct arrival){r->key, *a};
		if (map_put(&to->keys, known->key, known) != RC_OK)
			world_break(w, "too many keys");
	}
	/* It is done, and the answer is an error all the same. */
	if (status)
		*a = (struct wire_answer){.status = 500};
}
