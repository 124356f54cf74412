/*
 * The warehouse ships what it is asked to: usually at once, sometimes in parts, seldom never; some is picked before. A
 * kit leaves as the kit, or component by component.
 */
#include "simulate/world.h"

struct parcel {
	struct str order_id;
	struct model_line lines[MODEL_FACT_LINES];
	int count, order;
	bool picked, was_picked;
};

/* Those that have numbers are taken one by one, as far as there are any. */
static void take_units(struct world *w, struct parcel *p)
{
	int kept = 0;

	for (int i = 0; i < p->count; i++) {
		if (p->lines[i].item == MODEL_SERIAL_ITEM && world_has(w, FEATURE_SERIALS))
			serials_pack(w, &p->lines[i]);
		if (p->lines[i].quantity)
			p->lines[kept++] = p->lines[i];
	}
	p->count = kept;
}

static void send_parcel(struct world *w, void *arg)
{
	struct parcel *p = arg;
	int number;
	struct model_fact *f;

	if (!p->was_picked)
		take_units(w, p);
	f = p->count ? fact_new(w, p->picked ? MOVE_SHIP : MOVE_PICK, &number) : NULL;
	if (!f)
		return;
	memcpy(f->lines, p->lines, sizeof(p->lines));
	f->line_count = p->count;
	f->order = p->order;
	for (int n = 0; n < p->count * MODEL_ITEMS; n++) {
		const struct model_line *l = &p->lines[n / MODEL_ITEMS];
		int item = n % MODEL_ITEMS, units = l->quantity * model_in_one(l->item, item);

		w->physical[item][l->place] -= p->picked && !l->serial_count ? units : 0;
		if (p->order >= 0)
			w->picked[p->order][item] += p->picked ? (p->was_picked ? -units : 0) : units;
	}
	if (p->picked)
		serials_leave(w, f, number);
	send_fact(w, f, number, p->order_id, 0);
	if (p->picked)
		return;
	p->picked = p->was_picked = true;
	world_later(w, dice_between(&w->dice, 1000, 30000), send_parcel, p);
}

static int order_number(const struct world *w, struct str order_id)
{
	const struct model_order *o = map_get(&w->model->by_id, order_id);

	return o ? (int)(o - w->model->orders) : -1;
}

static struct parcel *parcel_new(struct world *w, struct str order_id)
{
	struct parcel *p = arena_new(&w->arena, struct parcel);

	p->order_id = arena_copy(&w->arena, order_id);
	p->picked = !dice_chance(&w->dice, 300);
	p->order = order_number(w, order_id);
	return p;
}

struct shipping {
	struct world *w;
	struct parcel *first, *second;
	int how;
	bool named; /* it says for which of the order's lines */
};

/* A warehouse that says for some orders for which line it ships says so for all of them; it has to where an item is in
 * several lines, of which one is a kit. */
static bool names_lines(const struct world *w, int order)
{
	const struct model_order *o = &w->model->orders[order < 0 ? 0 : order];
	int lines[MODEL_ITEMS] = {0};

	for (int n = 0; n < o->line_count * MODEL_ITEMS; n++)
		lines[n % MODEL_ITEMS] += model_in_one(o->lines[n / MODEL_ITEMS].item, n % MODEL_ITEMS) > 0;
	for (int i = 0; model_has_kit(o->lines, o->line_count) && i < MODEL_ITEMS; i++)
		if (lines[i] > 1)
			return true;
	return order % 3 == 1;
}

static void put(struct parcel *p, const struct model_line *l, int quantity)
{
	if (quantity <= 0 || p->count == MODEL_FACT_LINES)
		return;
	p->lines[p->count] = *l;
	p->lines[p->count++].quantity = quantity;
}

/* One line in one parcel, or in two. */
static void pack(struct shipping *s, const struct model_line *l)
{
	int part = s->how < 20 ? dice_between(&s->w->dice, 0, l->quantity) : l->quantity;

	put(s->first, l, part);
	put(s->second, l, l->quantity - part);
}

/* Whose it is, if the warehouse was told; most say nothing of that. */
static int read_owner(struct world *w, const struct json *j)
{
	for (int o = 0; o < MODEL_OWNERS; o++)
		if (str_is(json_get_text(j, "owner"), model_owners[o]))
			return dice_chance(&w->dice, 300) ? 1 + o : 0;
	return 0;
}

static bool read_line(struct world *w, const struct json *j, struct model_line *l)
{
	struct str place = json_get_text(j, "location");
	qty_t q = 0;

	l->item = model_product(json_get_text(j, "sku"));
	l->place = place.n ? model_place(place) : l->place;
	if (l->item < 0 || l->place < 0 || qty_parse(json_get_text(j, "quantity"), &q, NULL) != RC_OK || q <= 0 ||
	    q % QTY_ONE) {
		world_break(w, "orders: the warehouse is asked for something that is not there");
		return false;
	}
	l->quantity = (int)(q / QTY_ONE);
	l->owner = read_owner(w, j);
	return true;
}

/* What is asked for of a kit are just its components. */
static void check_components(struct world *w, const struct model_line *kit, const struct json *components)
{
	int sums[MODEL_ITEMS] = {0};

	for (uint32_t i = 0; i < components->count; i++) {
		struct model_line l = *kit;

		if (!read_line(w, &components->items[i], &l))
			return;
		sums[l.item % MODEL_ITEMS] += l.quantity;
	}
	for (int i = 0; i < MODEL_ITEMS; i++)
		if (sums[i] != kit->quantity * model_in_one(kit->item, i))
			world_break(w, "kits: the warehouse is asked for %d of %s with %d of %s", kit->quantity,
				    model_products[kit->item], sums[i], model_items[i]);
}

static void pack_line(struct shipping *s, const struct json *j)
{
	const struct json *components = json_get(j, "components");
	struct world *w = s->w;
	struct model_line l = {.place = -1};
	qty_t line = 0;

	if (!read_line(w, j, &l))
		return;
	for (int i = 0; s->first->order >= 0 && i < MODEL_ITEMS; i++)
		w->asked[s->first->order][i] += l.quantity * model_in_one(l.item, i);
	if (s->named && qty_parse(json_get_text(j, "line_id"), &line, NULL) == RC_OK)
		l.line = (int)(line / QTY_ONE);
	if (components)
		check_components(w, &l, components);
	if (!components || dice_chance(&w->dice, 500)) {
		pack(s, &l);
		return;
	}
	for (uint32_t i = 0; i < components->count; i++)
		if (read_line(w, &components->items[i], &l))
			pack(s, &l);
}

void send_shipment(struct world *w, struct str order_id, const struct json *lines)
{
	struct shipping s = {.w = w, .first = parcel_new(w, order_id)};

	s.second = parcel_new(w, order_id);
	s.how = dice_between(&w->dice, 0, 99);
	s.named = names_lines(w, s.first->order);
	for (uint32_t i = 0; lines && i < lines->count; i++)
		pack_line(&s, &lines->items[i]);
	if (s.how >= 95)
		return;
	if (s.first->count)
		world_later(w, dice_between(&w->dice, 500, 40000), send_parcel, s.first);
	if (s.second->count)
		world_later(w, dice_between(&w->dice, 40000, 90000), send_parcel, s.second);
}
