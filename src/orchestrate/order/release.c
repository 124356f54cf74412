/*
 * What the warehouses are asked for: what is allocated in their locations and was not asked for yet.
 *
 * A line for a kit is asked for as the kit, with the components to pick, for as many whole kits as a location has of
 * it. Where the components of one kit are at several locations, each is asked for what it has, component by component.
 */
#include "orchestrate/order/steps.h"

struct wave {
	struct order_book *book;
	const struct config_system *system; /* that is asked */
	struct json_writer w;
	bool any;
};

static qty_t unreleased(const struct wave *v, const struct allocation *a)
{
	const struct config_location *where = &v->book->tenant->locations[a->place->position.location];

	return where->warehouse == (int16_t)v->system->index ? a->allocated + a->picked - a->released : 0;
}

static struct str kit_of(const struct order_line_open *l)
{
	return l->substitute ? l->substitute->sku : l->sku;
}

static void release_one(struct wave *v, const struct order_line_open *l, struct allocation *a)
{
	const struct stock_position *p = &a->place->position;

	jw_object(&v->w);
	jw_key_text(&v->w, "line_id", l->line_id);
	jw_key_text(&v->w, "sku", a->place->item->sku);
	if (l->kit)
		jw_key_text(&v->w, "kit", kit_of(l));
	if (l->substitute)
		jw_key_text(&v->w, "substitute_for", l->sku);
	jw_key_text(&v->w, "location", v->book->tenant->locations[p->location].name);
	jw_opt_text(&v->w, "lot", p->lot);
	jw_opt_text(&v->w, "owner", p->owner);
	jw_key_qty(&v->w, "quantity", unreleased(v, a));
	jw_object_end(&v->w);
	a->released = a->allocated + a->picked;
	v->any = true;
}

static qty_t unreleased_at(const struct wave *v, const struct order_line_open *l, const struct order_part *p,
			   uint16_t location)
{
	qty_t sum = 0;

	for (uint32_t i = 0; i < l->allocation_count; i++)
		if (l->allocations[i].place->item == p->item && l->allocations[i].place->position.location == location)
			sum += unreleased(v, &l->allocations[i]);
	return sum;
}

/* How many kits are made of what is to be asked for at a location; 0: it is not just whole ones. */
static qty_t kits_at(const struct wave *v, const struct order_line_open *l, uint16_t location)
{
	qty_t kits = 0;

	for (uint32_t i = 0; i < l->part_count; i++) {
		qty_t there = unreleased_at(v, l, &l->parts[i], location);

		if (i == 0)
			kits = there / l->parts[i].per * QTY_ONE;
		if (kits <= 0 || there != allocate_times(kits, l->parts[i].per))
			return 0;
	}
	return kits;
}

static void release_kits(struct wave *v, struct order_line_open *l, uint16_t location, qty_t kits)
{
	jw_object(&v->w);
	jw_key_text(&v->w, "line_id", l->line_id);
	jw_key_text(&v->w, "sku", kit_of(l));
	if (l->substitute)
		jw_key_text(&v->w, "substitute_for", l->sku);
	jw_key_text(&v->w, "location", v->book->tenant->locations[location].name);
	jw_key_qty(&v->w, "quantity", kits);
	jw_key(&v->w, "components");
	jw_array(&v->w);
	for (uint32_t i = 0; i < l->allocation_count; i++) {
		struct allocation *a = &l->allocations[i];

		if (a->place->position.location != location || unreleased(v, a) <= 0)
			continue;
		jw_object(&v->w);
		jw_key_text(&v->w, "sku", a->place->item->sku);
		jw_opt_text(&v->w, "lot", a->place->position.lot);
		jw_opt_text(&v->w, "owner", a->place->position.owner);
		jw_key_qty(&v->w, "quantity", unreleased(v, a));
		jw_object_end(&v->w);
		a->released = a->allocated + a->picked;
	}
	jw_array_end(&v->w);
	jw_object_end(&v->w);
	v->any = true;
}

static void release_line(struct wave *v, struct order_line_open *l)
{
	for (uint32_t i = 0; i < l->allocation_count; i++) {
		struct allocation *a = &l->allocations[i];
		qty_t kits;

		if (unreleased(v, a) <= 0)
			continue;
		kits = l->kit ? kits_at(v, l, a->place->position.location) : 0;
		if (kits > 0)
			release_kits(v, l, a->place->position.location, kits);
		else
			release_one(v, l, a);
	}
}

static bool release_to(struct order_book *b, struct txn *t, struct order_open *o, const struct config_system *s)
{
	struct wave v = {.book = b, .system = s};
	struct buf data;

	order_data_begin(&data, &v.w, b, o);
	jw_key_text(&v.w, "warehouse", s->name);
	jw_key(&v.w, "lines");
	jw_array(&v.w);
	for (uint32_t i = 0; i < o->line_count; i++)
		release_line(&v, &o->lines[i]);
	jw_array_end(&v.w);
	if (v.any)
		order_deliver(t, o, s, OP_SHIPMENT_REQUEST, 0, o->document, order_data_end(&data, &v.w, t));
	else
		buf_done(&data);
	return v.any;
}

void order_release(struct order_book *b, struct txn *t, struct order_open *o)
{
	bool any = false;

	for (size_t i = 0; i < b->tenant->system_count; i++) {
		const struct config_system *s = &b->tenant->systems[i];

		if (system_can(s, ROLE_WAREHOUSE, OP_SHIPMENT_REQUEST))
			any = release_to(b, t, o, s) || any;
	}
	if (any)
		order_changed(b, o);
}
