/* What the shops' customers, the warehouse and the operators do. Each is told to the model before it is sent. */
#include "simulate/world.h"

struct basket {
	struct model_line lines[MODEL_LINES];
	int count;
};

static struct basket fill_basket(struct world *w, bool kits)
{
	struct basket b = {.count = dice_between(&w->dice, 1, MODEL_LINES)};

	for (int i = 0; i < b.count; i++)
		b.lines[i] =
		    (struct model_line){.item = dice_between(&w->dice, 0, kits ? MODEL_PRODUCTS - 1 : MODEL_ITEMS - 1),
					.quantity = dice_between(&w->dice, 1, 4)};
	return b;
}

static struct str basket_text(struct world *w, const struct basket *b, bool order)
{
	struct str text = STR("[");

	for (int i = 0; i < b->count; i++)
		text = world_text(w, STR_FMT "%s{%s'sku':'%s','quantity':'%d'}", STR_ARG(text), i ? "," : "",
				  order ? world_text(w, "'line_id':'%d',", i + 1).p : "",
				  model_products[b->lines[i].item], b->lines[i].quantity);
	return world_text(w, STR_FMT "]", STR_ARG(text));
}

static const char *instant(struct world *w, int64_t ms)
{
	char text[TIME_TEXT];

	time_format(ms, text);
	return arena_copy(&w->arena, str_from(text)).p;
}

static int some_channel(struct world *w)
{
	return dice_between(&w->dice, 0, MODEL_CHANNELS - 1);
}

/* ---- orders and reservations ---- */

/* A shop that counts its own sales shows less at once. */
static void sell(struct world *w, int channel, const struct basket *b)
{
	struct receiver *shop = &w->receivers[channel ? SYSTEM_PORTAL : SYSTEM_SHOP];

	for (int i = 0; shop->sells && i < b->count; i++) {
		struct shown *s = &shop->shown[b->lines[i].item];

		s->available = s->available > b->lines[i].quantity ? s->available - b->lines[i].quantity : 0;
	}
}

static struct call *place_order(struct world *w, int channel, const struct basket *b, int reservation, bool webhook)
{
	struct model *m = w->model;
	struct model_order *o = &m->orders[m->order_count];
	struct call *c;

	if (m->order_count == MODEL_ORDERS)
		return NULL;
	c = call_new(w, webhook ? CALL_ORDER_MESSAGE : CALL_ORDER, m->order_count,
		     world_text(w,
				"{'channel':'%s','external_id':'o%d','placed_at':'%s','currency':'EUR','customer':"
				"{'external_id':'C1'}%s,'lines':" STR_FMT "}",
				model_channels[channel], m->order_count, instant(w, w->now),
				reservation < 0 ? "" : world_text(w, ",'reservation_id':'r%d'", reservation).p,
				STR_ARG(basket_text(w, b, true))));
	if (!c)
		return NULL;
	o->channel = channel;
	o->line_count = b->count;
	memcpy(o->lines, b->lines, sizeof(b->lines));
	for (int i = 0; i < b->count; i++)
		for (int n = 0; n < MODEL_ITEMS; n++)
			o->ordered[n] += b->lines[i].quantity * model_in_one(b->lines[i].item, n);
	m->order_count++;
	w->counts.orders++;
	c->source = str_from(model_channels[channel]);
	if (webhook)
		c->key = world_text(w, "%s o%d", model_channels[channel], c->number);
	else if (dice_chance(&w->dice, 300))
		c->key = world_text(w, "key-o%d", c->number);
	sell(w, channel, b);
	call_send(w, c, 0);
	return c;
}

static void send_order(struct world *w)
{
	struct basket b = fill_basket(w, world_has(w, FEATURE_KITS));

	place_order(w, some_channel(w), &b, -1, dice_chance(&w->dice, 300));
}

static void send_hold(struct world *w)
{
	struct basket b = fill_basket(w, world_has(w, FEATURE_KITS));
	struct model *m = w->model;
	struct model_hold *h = &m->holds[m->hold_count];
	int channel = some_channel(w);
	bool partial = world_has(w, FEATURE_PARTIAL) && dice_chance(&w->dice, 500);
	struct call *c;

	if (m->hold_count == MODEL_HOLDS)
		return;
	/* Before its record is there, a kit is unknown, and cannot be reserved. */
	for (int i = 0; i < b.count; i++)
		if (b.lines[i].item >= MODEL_ITEMS && !m->recorded[b.lines[i].item])
			b.lines[i].item -= MODEL_ITEMS;
	c = call_new(w, CALL_HOLD, m->hold_count,
		     world_text(w, "{'reservation_id':'r%d','channel':'%s','ttl_s':%d%s,'lines':" STR_FMT "}",
				m->hold_count, model_channels[channel], dice_between(&w->dice, 2, 120),
				partial ? ",'partial':true" : "", STR_ARG(basket_text(w, &b, false))));
	if (!c)
		return;
	h->channel = channel;
	h->partial = partial;
	h->line_count = b.count;
	memcpy(h->lines, b.lines, sizeof(b.lines));
	for (int i = 0; i < b.count; i++)
		for (int n = 0; n < MODEL_ITEMS; n++)
			h->wanted[n] += b.lines[i].quantity * model_in_one(b.lines[i].item, n);
	m->hold_count++;
	w->counts.reservations++;
	c->source = str_from(model_channels[channel]);
	if (dice_chance(&w->dice, 300))
		c->key = world_text(w, "key-r%d", c->number);
	call_send(w, c, 0);
}

static void end_hold(struct world *w, const struct call *hold)
{
	struct call *c = call_new(w, CALL_VOID, hold->number, world_text(w, "{'reservation':'r%d'}", hold->number));

	if (!c)
		return;
	c->source = hold->source;
	call_send(w, c, dice_between(&w->dice, 0, 20000));
}

void send_after_hold(struct world *w, const struct call *hold)
{
	const struct model_hold *h = &w->model->holds[hold->number];
	int what = dice_between(&w->dice, 0, 99);
	struct basket b = {.count = 0};
	bool as_it_is; /* else by component */
	struct call *c;

	if (what < 20)
		end_hold(w, hold);
	if (what < 45)
		return; /* or it is forgotten, and expires */
	as_it_is = world_has(w, FEATURE_KITS) && dice_chance(&w->dice, 700);
	if (as_it_is) {
		b.count = h->line_count;
		memcpy(b.lines, h->lines, sizeof(b.lines));
	}
	for (int i = 0; !as_it_is && i < MODEL_ITEMS && b.count < MODEL_LINES; i++)
		if (h->wanted[i] > 0)
			b.lines[b.count++] = (struct model_line){.item = i, .quantity = h->wanted[i]};
	c = place_order(w, h->channel, &b, what < 75 ? hold->number : -1, false);
	if (c && what >= 75)
		c->order = hold->number;
}

/* Some of its lines, or all of them, by as much as was asked for or less. */
static void send_part(struct world *w, int reservation, int order, const char *order_id)
{
	struct model_hold *h = &w->model->holds[reservation];
	struct model_ask ask = {.order = order, .asked = true, .keep_rest = dice_chance(&w->dice, 600)};
	struct basket b = {.count = 0};
	struct call *c;

	for (int i = 0; i < h->line_count; i++) {
		struct model_line l = h->lines[i];

		l.quantity = dice_between(&w->dice, 0, l.quantity);
		for (int n = 0; l.quantity && n < MODEL_ITEMS; n++)
			ask.units[n] += l.quantity * model_in_one(l.item, n);
		if (l.quantity)
			b.lines[b.count++] = l;
	}
	if (!b.count)
		return;
	c = call_new(w, CALL_COMMIT, reservation,
		     world_text(w, "{'reservation':'r%d','order_id':'%s','keep_rest':%s,'lines':" STR_FMT "}",
				reservation, order_id, ask.keep_rest ? "true" : "false",
				STR_ARG(basket_text(w, &b, false))));
	if (!c)
		return;
	h->ask = ask;
	c->part = true;
	c->order = order;
	c->key = world_text(w, "key-part%d", (int)(c - w->calls));
	call_send(w, c, dice_between(&w->dice, 0, 3000));
}

static void send_whole(struct world *w, int reservation, const char *order_id)
{
	struct call *c = call_new(w, CALL_COMMIT, reservation,
				  world_text(w, "{'reservation':'r%d','order_id':'%s'}", reservation, order_id));

	if (c)
		call_send(w, c, dice_between(&w->dice, 0, 3000));
}

void send_commit(struct world *w, const struct call *order)
{
	if (world_has(w, FEATURE_PARTIAL) && dice_chance(&w->dice, 700))
		send_part(w, order->order, order->number, order->id);
	else
		send_whole(w, order->order, order->id);
}

/* The rest is committed as well, given up, or forgotten. */
void send_after_part(struct world *w, const struct call *part)
{
	const struct model_hold *h = &w->model->holds[part->number];
	int what = dice_between(&w->dice, 0, 99);

	if (!h->ask.keep_rest)
		return;
	if (what < 50)
		send_part(w, part->number, part->order, w->model->orders[part->order].id);
	else if (what < 65)
		send_whole(w, part->number, w->model->orders[part->order].id);
	else if (what < 80)
		end_hold(w, part);
}

/* ---- the warehouse ---- */

struct model_fact *fact_new(struct world *w, enum movement_type type, int *number)
{
	struct model *m = w->model;
	struct model_fact *f = &m->facts[m->fact_count];

	if (m->fact_count == MODEL_FACTS)
		return NULL;
	*number = m->fact_count++;
	*f = (struct model_fact){.type = type, .at = w->now, .lot = MODEL_LOTS - 1, .reverses = -1, .order = -1};
	return f;
}

static struct str fact_lines(struct world *w, const struct model_fact *f)
{
	struct str text = STR(",'lines':[");

	for (int i = 0; i < f->line_count; i++) {
		const struct model_line *l = &f->lines[i];
		const char *to =
		    f->type == MOVE_MOVE ? world_text(w, ",'to_location':'%s'", model_places[l->to]).p : "";

		text = world_text(w, STR_FMT "%s{%s'sku':'%s','location':'%s','quantity':'%d'%s%s}", STR_ARG(text),
				  i ? "," : "", l->line ? world_text(w, "'line_id':'%d',", l->line).p : "",
				  model_products[l->item], model_places[l->place], f->cases ? f->cases : l->quantity,
				  to, goods_line(w, f, l));
	}
	return world_text(w, STR_FMT "]", STR_ARG(text));
}

void send_fact(struct world *w, const struct model_fact *f, int number, struct str order_id, int64_t in_ms)
{
	struct str lines = f->type == MOVE_REVERSE ? STR_NONE : fact_lines(w, f);
	struct call *c;
	bool shipment = f->type == MOVE_SHIP && order_id.n;

	if (shipment)
		c = call_new(w, CALL_SHIPMENT, number,
			     world_text(w,
					"{'shipment_id':'m%d','source':'wms','order_id':'" STR_FMT
					"','shipped_at':'%s'" STR_FMT "}",
					number, STR_ARG(order_id), instant(w, f->at), STR_ARG(lines)));
	else
		c = call_new(
		    w, CALL_MOVEMENT, number,
		    world_text(w,
			       "{'source':'wms','source_event_id':'m%d','type':'%s','occurred_at':'%s'%s%s" STR_FMT "}",
			       number, movement_type_name(f->type), instant(w, f->at),
			       order_id.n ? world_text(w, ",'order_id':'" STR_FMT "'", STR_ARG(order_id)).p : "",
			       goods_document(w, f, number), STR_ARG(lines)));
	if (!c)
		return;
	c->source = STR("wms");
	call_send(w, c, in_ms);
}

static void send_movement(struct world *w, enum movement_type type, int item, int place, int quantity)
{
	int number, to = (place + dice_between(&w->dice, 1, MODEL_PLACES - 1)) % MODEL_PLACES;
	struct model_fact *f = fact_new(w, type, &number);
	int *here = &w->physical[item][place];

	if (!f)
		return;
	if (type == MOVE_RECEIVE || type == MOVE_RETURN || type == MOVE_ADJUST)
		*here += quantity;
	else if (type == MOVE_SCRAP || type == MOVE_MOVE)
		*here -= quantity;
	if (type == MOVE_MOVE)
		w->physical[item][to] += quantity;
	if (type == MOVE_COUNT) {
		*here = *here > 0 ? *here : 0;
		quantity = *here;
	}
	f->lines[f->line_count++] = (struct model_line){.item = item, .place = place, .to = to, .quantity = quantity};
	if (report_forgets(w, f, number))
		return;
	send_fact(w, f, number, STR_NONE,
		  dice_chance(&w->dice, w->weather.slow) ? dice_between(&w->dice, 0, 60000) : 0);
}

static void send_some_movement(struct world *w)
{
	static const enum movement_type types[] = {
	    MOVE_RECEIVE, MOVE_RECEIVE, MOVE_RECEIVE,    MOVE_RECEIVE, MOVE_ADJUST, MOVE_ADJUST, MOVE_COUNT,
	    MOVE_MOVE,    MOVE_MOVE,    MOVE_QUARANTINE, MOVE_CLEAR,   MOVE_SCRAP,  MOVE_RETURN, MOVE_SHIP,
	};
	enum movement_type type = types[dice_between(&w->dice, 0, (int)(sizeof(types) / sizeof(types[0])) - 1)];
	int item = dice_between(&w->dice, 0, MODEL_ITEMS - 1), place = dice_between(&w->dice, 0, MODEL_PLACES - 1);
	int quantity = dice_between(&w->dice, 1, type == MOVE_RECEIVE ? 12 : 3);

	if (item == MODEL_SERIAL_ITEM && world_has(w, FEATURE_SERIALS)) {
		send_serials(w);
		return;
	}
	if (type == MOVE_COUNT && (!world_has(w, FEATURE_COUNTS) || !goods_countable(w, item)))
		return;
	if (type == MOVE_ADJUST && dice_chance(&w->dice, 600))
		quantity = -quantity;
	if (type == MOVE_SHIP)
		w->physical[item][place] -= quantity;
	send_movement(w, type, item, place, quantity);
}

/* ---- all ---- */

static void send_item(struct world *w, int item)
{
	struct call *c = call_new(w, CALL_ITEM, item, goods_record(w, item));

	if (!c)
		return;
	c->source = STR("erp");
	call_send(w, c, 0);
}

static void send_pause(struct world *w)
{
	static const char *const systems[WORLD_SYSTEMS] = {"shop", "portal", "erp", "wms"};
	int system = dice_between(&w->dice, 0, WORLD_SYSTEMS - 1);
	struct str document = world_text(w, "{'system':'%s'}", systems[system]);
	struct call *pause = call_new(w, CALL_PAUSE, system, document),
		    *resume = call_new(w, CALL_RESUME, system, document);

	if (!pause || !resume)
		return;
	call_send(w, pause, 0);
	/* After every repeat of the pause. */
	call_send(w, resume, dice_between(&w->dice, 200000, 300000));
}

void send_first(struct world *w)
{
	for (int i = 0; i < MODEL_ITEMS - 1; i++)
		if (i != MODEL_SERIAL_ITEM || !world_has(w, FEATURE_SERIALS))
			send_movement(w, MOVE_RECEIVE, i, i % MODEL_PLACES,
				      dice_between(&w->dice, 3, goods_scarce(w, i) ? 5 : 25));
	for (int i = 0; world_has(w, FEATURE_CONSIGNED) && i < 4; i++)
		goods_consign(w, i);
	for (int i = 0; i < MODEL_ITEMS; i++)
		if (dice_chance(&w->dice, i == MODEL_SERIAL_ITEM && world_has(w, FEATURE_SERIALS) ? 1000 : 500))
			send_item(w, i);
	if (world_has(w, FEATURE_EVENTS))
		send_subscription(w);
	for (int i = MODEL_ITEMS; world_has(w, FEATURE_KITS) && i < MODEL_PRODUCTS; i++)
		send_item(w, i);
}

void send_something(struct world *w)
{
	int what = dice_between(&w->dice, 0, 99);

	if (world_has(w, FEATURE_REPORTS) && dice_chance(&w->dice, 60) && send_report(w))
		return;
	if (world_has(w, FEATURE_SERIALS) && dice_chance(&w->dice, 150) && send_serials(w))
		return;
	if (what < 35)
		send_order(w);
	else if (what < 60 && world_has(w, FEATURE_HOLDS))
		send_hold(w);
	else if (what < 94 && send_goods(w))
		return;
	else if (what < 94)
		send_some_movement(w);
	else if (what < 98)
		send_item(w, dice_between(&w->dice, 0, MODEL_ITEMS - 1));
	else if (world_has(w, FEATURE_OUTAGE))
		send_pause(w);
}
