/* The steps of order-to-cash from the warehouse on: shipping, and stock that comes later. */
#include "orchestrate/order/steps.h"

#include "base/mem.h"
#include "orchestrate/stock/item.h"

/* ---- shipping ---- */

static qty_t take_from(struct order_part *p, struct stock_draft *d, struct allocation *a, enum stock_state to,
		       qty_t quantity)
{
	qty_t left = quantity, part;

	if (to == STOCK_OUTSIDE && a->picked > 0) {
		part = a->picked < left ? a->picked : left;
		stock_post(d, a->place, STOCK_PICKED, NULL, to, part);
		a->picked -= part;
		a->place->order_picked -= part;
		left -= part;
	}
	if (a->allocated > 0 && left > 0) {
		part = a->allocated < left ? a->allocated : left;
		stock_post(d, a->place, STOCK_ALLOCATED, NULL, to, part);
		a->allocated -= part;
		left -= part;
		if (to == STOCK_PICKED) {
			a->picked += part;
			a->place->order_picked += part;
		}
	}
	part = quantity - left;
	if (to == STOCK_OUTSIDE) {
		a->released = a->released > part ? a->released - part : 0;
		p->shipped += part;
	}
	return part;
}

/* Lines are looked at in two rounds: those that are meant first, then whatever else is made of the item. */
#define ROUNDS         2
#define RESTOCK_ROUNDS 100

static bool is_meant(const struct order_line_open *l, const struct stock_item *item, const struct stock_item *kit)
{
	return kit ? l->item == kit || l->substitute == kit : !l->kit && l->part_count && l->parts[0].item == item;
}

static struct order_part *part_in_round(const struct order_line_open *l, const struct stock_item *item,
					const struct stock_item *kit, struct str line_id, int round)
{
	if (line_id.n ? round > 0 || !str_eq(l->line_id, line_id) : is_meant(l, item, kit) != (round == 0))
		return NULL;
	return order_part_of(l, item);
}

static qty_t take_line(struct order_line_open *l, struct order_part *p, struct stock_draft *d,
		       const struct order_taking *t, qty_t quantity)
{
	qty_t left = quantity;

	for (uint32_t n = 0; n < l->allocation_count && left > 0; n++) {
		struct allocation *a = &l->allocations[n];

		if (a->place->item == p->item && a->place->position.location == t->location &&
		    (!t->owner.n || str_eq(a->place->position.owner, t->owner)))
			left -= take_from(p, d, a, t->to, left);
	}
	return quantity - left;
}

/* What was shipped beyond the allocation at that place still counts for the order's lines. */
static void count_beyond(struct order_open *o, const struct order_taking *t, qty_t left)
{
	for (int round = 0; round < ROUNDS; round++) {
		for (uint32_t i = 0; i < o->line_count && left > 0; i++) {
			struct order_line_open *l = &o->lines[i];
			struct order_part *p = part_in_round(l, t->item, t->kit, t->line_id, round);
			qty_t part = p ? order_part_due(l, p, l->ordered - l->cancelled) : 0;

			if (part <= 0)
				continue;
			part = part < left ? part : left;
			p->shipped += part;
			left -= part;
		}
	}
}

qty_t order_take(struct order_open *o, struct stock_draft *d, const struct order_taking *t)
{
	qty_t left = t->quantity;

	for (int round = 0; round < ROUNDS; round++) {
		for (uint32_t i = 0; i < o->line_count && left > 0; i++) {
			struct order_part *p = part_in_round(&o->lines[i], t->item, t->kit, t->line_id, round);

			if (p)
				left -= take_line(&o->lines[i], p, d, t, left);
		}
	}
	if (t->to != STOCK_OUTSIDE)
		return t->quantity - left;
	count_beyond(o, t, left);
	for (uint32_t i = 0; i < o->line_count; i++)
		order_count_shipped(&o->lines[i]);
	return t->quantity - left;
}

/* Lines give back what they do not need any more, which is all of it once they are complete, and wait for no more than
 * they lack. True: all are complete. */
static bool settle_lines(struct order_book *b, struct txn *t, struct order_open *o)
{
	struct stock_draft d;
	bool complete = true;

	stock_draft_begin(&d, b->stock, t, STR("deallocate"), t->now);
	d.order_id = o->order_id;
	for (uint32_t i = 0; i < o->line_count; i++) {
		struct order_line_open *l = &o->lines[i];
		qty_t missing;

		order_trim_line(&d, l);
		missing = order_open_quantity(l);
		if (l->backordered > missing)
			l->backordered = missing > 0 ? missing : 0;
		if (l->backordered == 0)
			order_unwait(l);
		if (l->kit) /* of what left from elsewhere it needs no more */
			order_wake(b, l);
		complete = complete && l->ordered - l->shipped - l->cancelled <= 0;
	}
	stock_draft_end(&d, false);
	return complete;
}

/* A shipment may overtake the warehouse's answer to the request for it: that it was released is told all the same. */
static void note_release(struct order_book *b, struct txn *t, struct order_open *o)
{
	for (size_t i = 0; i < b->tenant->system_count && o->status == ORDER_ACCEPTED; i++)
		if (system_can(&b->tenant->systems[i], ROLE_WAREHOUSE, OP_SHIPMENT_REQUEST))
			order_step_released(b, t, o);
}

/* ---- what is told of a shipment ---- */

struct told {
	struct order_book *book;
	struct txn *txn;
	const struct order_open *order;
	const struct order_shipment *shipment;
	struct json_writer w;
	size_t lines; /* that say what has left of the order's lines */
};

static void tell_line(struct told *v, const struct movement_line *m)
{
	jw_object(&v->w);
	jw_opt_text(&v->w, "line_id", m->order_line_id);
	jw_key_text(&v->w, "sku", m->sku);
	jw_key_text(&v->w, "location", m->location);
	jw_opt_text(&v->w, "lot", m->lot);
	jw_key_qty(&v->w, "quantity", m->quantity);
	movement_write_serials(&v->w, m);
	jw_object_end(&v->w);
}

static const struct stock_item *item_of(const struct told *v, const struct movement_line *m)
{
	struct stock_item *item = NULL;
	struct err e = ERR_NONE;
	struct str own;

	return item_resolve(v->book->stock, v->txn->arena, v->shipment->movement->source, m->sku, &own, &item, &e) ==
		       RC_OK
		   ? item
		   : NULL;
}

static bool names(const struct movement_line *m, const struct order_line_open *l)
{
	return m->order_line_id.n == 0 || str_eq(m->order_line_id, l->line_id);
}

/* A component of a kit that was ordered, or a substitute: the channel knows what was ordered. */
static bool is_component(const struct told *v, const struct movement_line *m)
{
	const struct stock_item *item = item_of(v, m);
	bool component = false;

	for (uint32_t i = 0; item && i < v->order->line_count; i++) {
		const struct order_line_open *l = &v->order->lines[i];

		if (!names(m, l) || !order_part_of(l, item))
			continue;
		if (!order_is_composed(l))
			return false;
		component = true;
	}
	return component;
}

static const struct movement_line *last_component(const struct told *v, const struct order_line_open *l)
{
	const struct movement *m = v->shipment->movement;
	const struct movement_line *last = NULL;

	for (size_t n = 0; n < m->line_count && order_is_composed(l); n++)
		if (names(&m->lines[n], l) && is_component(v, &m->lines[n]))
			last = &m->lines[n];
	return last;
}

/* Less what the shipment says by the name that was ordered, each unit once. */
static qty_t not_named(const struct told *v, const struct order_line_open *l, qty_t quantity, qty_t *rest)
{
	const struct movement *m = v->shipment->movement;

	for (size_t n = 0; n < m->line_count && quantity > 0; n++) {
		qty_t part = rest[n] < quantity ? rest[n] : quantity;

		if (!names(&m->lines[n], l) || item_of(v, &m->lines[n]) != l->item)
			continue;
		rest[n] -= part;
		quantity -= part;
	}
	return quantity;
}

static void tell_kit(struct told *v, const struct order_line_open *l, const struct movement_line *last, qty_t quantity)
{
	v->lines++;
	jw_object(&v->w);
	jw_key_text(&v->w, "line_id", l->line_id);
	jw_key_text(&v->w, "sku", l->sku);
	if (l->substitute)
		jw_key_text(&v->w, "substitute", l->substitute->sku);
	jw_key_text(&v->w, "location", last->location);
	jw_key_qty(&v->w, "quantity", quantity);
	jw_object_end(&v->w);
}

/* What became whole of the line with what was shipped for it by another name. by_component: of lines that a component
 * was shipped for, or of the others. */
static void tell_whole(struct told *v, struct order_line_open *l, qty_t *rest, bool by_component)
{
	const struct movement_line *last = last_component(v, l);
	qty_t left;

	if ((last != NULL) != by_component)
		return;
	left = not_named(v, l, l->shipped - l->told, rest);
	l->told = l->shipped;
	if (left > 0 && last)
		tell_kit(v, l, last, left);
}

/* What names the kit and no line is first of those lines that no component was shipped for. */
static void tell_kits(struct told *v)
{
	const struct movement *m = v->shipment->movement;
	const struct order_open *o = v->order;
	qty_t *rest = arena_array(v->txn->arena, qty_t, m->line_count);

	if (!rest) {
		v->txn->failed = true;
		return;
	}
	for (size_t n = 0; n < m->line_count; n++)
		rest[n] = m->lines[n].quantity;
	for (uint32_t i = 0; i < o->line_count; i++)
		tell_whole(v, &o->lines[i], rest, false);
	for (uint32_t i = 0; i < o->line_count; i++)
		tell_whole(v, &o->lines[i], rest, true);
}

/* "lines" in terms of the order's; what left as a component is beside them, in "components". */
static void tell_lines(struct told *v)
{
	const struct movement *m = v->shipment->movement;
	size_t components = 0;

	jw_key(&v->w, "lines");
	jw_array(&v->w);
	for (size_t i = 0; i < m->line_count; i++) {
		if (is_component(v, &m->lines[i])) {
			components++;
			continue;
		}
		tell_line(v, &m->lines[i]);
		v->lines++;
	}
	tell_kits(v);
	jw_array_end(&v->w);
	if (!components)
		return;
	jw_key(&v->w, "components");
	jw_array(&v->w);
	for (size_t i = 0; i < m->line_count; i++)
		if (is_component(v, &m->lines[i]))
			tell_line(v, &m->lines[i]);
	jw_array_end(&v->w);
}

/* Of consigned stock it says what left with it, and with the components that were not told before it. */
static void tell_consigned(struct told *v, struct order_open *o)
{
	struct str now = v->shipment->consigned;
	struct str list = now.n > 2 ? (struct str){now.p + 1, now.n - 2} : STR_NONE;

	if (o->untold.n) {
		char *all = arena_printf(v->txn->arena, STR_FMT "%s" STR_FMT, STR_ARG(o->untold), list.n ? "," : "",
					 STR_ARG(list));

		v->txn->failed |= !all;
		list = all ? str_from(all) : STR_NONE;
	}
	if (v->lines && list.n) {
		jw_key(&v->w, "consigned");
		jw_array(&v->w);
		jw_raw(&v->w, list);
		jw_array_end(&v->w);
	}
	if (v->lines ? o->untold.n : list.n)
		order_set_untold(o, v->lines ? STR_NONE : list);
}

void order_step_shipped(struct order_book *b, struct txn *t, struct order_open *o, const struct order_shipment *s)
{
	bool complete = settle_lines(b, t, o);
	struct told v = {.book = b, .txn = t, .order = o, .shipment = s};
	struct buf data;
	int64_t event;

	note_release(b, t, o);
	order_changed(b, o);
	if (complete || o->status != ORDER_PARTIALLY_SHIPPED)
		order_set_status(b, t, o, complete ? ORDER_SHIPPED : ORDER_PARTIALLY_SHIPPED, STR_NONE);
	order_data_begin(&data, &v.w, b, o);
	jw_key_text(&v.w, "shipment_id", s->shipment_id);
	jw_key_text(&v.w, "status", str_from(order_status_name(o->status)));
	jw_key_time(&v.w, "shipped_at", t->now);
	tell_lines(&v);
	tell_consigned(&v, o);
	event = txn_event(t, "shipment.created", o->order_id, s->document, order_data_end(&data, &v.w, t));
	/* Components that make no whole kit yet are told with the ones that do. */
	for (size_t i = 0; i < b->tenant->system_count && v.lines; i++) {
		const struct config_system *to = &b->tenant->systems[i];
		bool channel = to->index == b->tenant->channels[o->channel].system;

		if ((channel && system_can(to, ROLE_CHANNEL, OP_SHIPMENT)) || system_can(to, ROLE_ERP, OP_SHIPMENT))
			order_deliver(t, o, to, OP_SHIPMENT, event, s->document, DELIVERY_PARAMS_EVENT);
	}
}

/* ---- stock that comes later ---- */

qty_t order_give(struct order_open *o, struct stock_draft *d, struct stock_place *p, const struct stock_item *kit,
		 qty_t quantity)
{
	qty_t left = quantity;

	for (int round = 0; round < ROUNDS; round++) {
		for (uint32_t i = 0; i < o->line_count && left > 0; i++) {
			struct order_line_open *l = &o->lines[i];
			struct order_part *in = part_in_round(l, p->item, kit, STR_NONE, round);
			qty_t part = in ? order_part_due(l, in, l->ordered - l->cancelled) - order_part_has(l, in) : 0;

			/* A kit takes what it lacks where it makes whole ones (order_step_given). */
			if (part <= 0 || (l->kit && round > 0))
				continue;
			part = part < left ? part : left;
			stock_post(d, p, STOCK_HELD, NULL, STOCK_ALLOCATED, part);
			order_allocation(l, p)->allocated += part;
			left -= part;
			if (l->kit)
				continue;
			l->backordered = l->backordered > part ? l->backordered - part : 0;
			if (l->backordered == 0)
				order_unwait(l);
		}
	}
	return quantity - left;
}

static void go_on(struct order_book *b, struct txn *t, struct order_open *o)
{
	order_changed(b, o);
	if (o->status == ORDER_BACKORDERED && order_is_whole(o))
		order_set_status(b, t, o, ORDER_RESERVED, STR_NONE);
	if (o->posted)
		order_release(b, t, o);
}

void order_step_given(struct order_book *b, struct txn *t, struct order_open *o)
{
	struct stock_draft d;

	if (o->status != ORDER_ON_HOLD) {
		stock_draft_begin(&d, b->stock, t, STR("allocate"), t->now);
		d.order_id = o->order_id;
		for (uint32_t i = 0; i < o->line_count; i++)
			if (o->lines[i].kit)
				order_allocate_line(b, &d, &o->lines[i]);
		stock_draft_end(&d, false);
	}
	go_on(b, t, o);
}

static bool channel_sells_at(const struct config_channel *c, uint16_t location)
{
	for (size_t i = 0; i < c->location_count; i++)
		if (c->locations[i] == location)
			return true;
	return false;
}

static bool any_free(const struct stock_item *item, const struct config_channel *c)
{
	for (uint32_t i = 0; item && i < item->place_count; i++)
		if (item->places[i]->position.states[STOCK_FREE] > 0 &&
		    stock_is_sold_by(&item->places[i]->position, c) &&
		    channel_sells_at(c, item->places[i]->position.location))
			return true;
	return false;
}

static void restock_line(struct order_book *b, struct txn *t, struct order_line_open *l)
{
	struct stock_draft d;

	if (l->order->status == ORDER_ON_HOLD || l->backordered <= 0 ||
	    (l->part_count == 1 && !any_free(l->parts[0].item, &b->tenant->channels[l->order->channel]) &&
	     !item_is_kit(l->item)))
		return;
	t->cause.correlation_id = l->order->correlation_id;
	stock_draft_begin(&d, b->stock, t, STR("allocate"), t->now);
	d.order_id = l->order->order_id;
	order_allocate_line(b, &d, l);
	if (stock_draft_end(&d, false))
		go_on(b, t, l->order);
}

static int by_age(const void *a, const void *b)
{
	const struct order_line_open *const *x = a, *const *y = b;

	return *x == *y ? 0 : order_line_before(*x, *y) ? -1 : 1;
}

/* The lines that wait for an item, added to those that are to be looked at. */
static size_t wake(struct order_book *b, const struct stock_item *item, size_t count)
{
	for (const struct order_wait *w = item->waiting; w; w = w->next) {
		if (count == b->woken_room) {
			b->woken_room = b->woken_room ? b->woken_room * 2 : 64;
			b->woken = mem_grow(b->woken, b->woken_room * sizeof(*b->woken));
		}
		b->woken[count++] = w->line;
	}
	return count;
}

/* Lines of all items together, the oldest first: a kit may wait for one of them and need another. */
static void restock(struct order_book *b, struct txn *t)
{
	size_t count = 0, items = 0;

	while (b->stock->restocked) {
		struct stock_item *i = b->stock->restocked;

		b->stock->restocked = i->next_restocked;
		i->restocked = false;
		count = wake(b, i, count);
		items++;
	}
	if (items > 1 && count > 1)
		qsort(b->woken, count, sizeof(*b->woken), by_age);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || b->woken[i] != b->woken[i - 1])
			restock_line(b, t, b->woken[i]);
}

/* Orders on hold for an unknown item go on when the item has become known. */
static void resume_held(struct order_book *b, struct txn *t)
{
	struct order_open *o, *next;

	if (b->items_seen == b->stock->items.count)
		return;
	b->items_seen = b->stock->items.count;
	for (o = b->held.first; o; o = next) {
		bool known = true;

		next = o->next_held;
		for (uint32_t i = 0; i < o->line_count; i++) {
			if (!o->lines[i].item) {
				o->lines[i].item = stock_find(b->stock, o->lines[i].sku);
				order_make_parts(&o->lines[i]);
			}
			known = known && o->lines[i].item;
		}
		if (!known)
			continue;
		order_unhold(b, o);
		t->cause.correlation_id = o->correlation_id;
		order_decide(b, t, o, false);
	}
}

void order_step_restock(struct order_book *b, struct txn *t)
{
	struct txn_cause cause = t->cause;

	resume_held(b, t);
	/* One round, and one more where what was given back is what others wait for; the rest with the next command. */
	for (int round = 0; b->stock->restocked && round < RESTOCK_ROUNDS; round++)
		restock(b, t);
	t->cause = cause;
}
