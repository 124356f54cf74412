/* Stock for an order: allocated for its lines, kept for whole kits only, given back. */
#include "orchestrate/order/steps.h"

#include "base/mem.h"
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/terms.h"

qty_t order_open_quantity(const struct order_line_open *l)
{
	return l->ordered - l->cancelled - order_covered(l);
}

struct taking {
	struct stock_draft *draft;
	struct order_line_open *line;
};

static void take_place(void *ctx, struct stock_place *p, qty_t part)
{
	const struct taking *t = ctx;

	stock_post(t->draft, p, STOCK_FREE, NULL, STOCK_ALLOCATED, part);
	fence_use(t->draft->stock, p, t->line->order->channel, part);
	order_allocation(t->line, p)->allocated += part;
}

/* Allocates so much of a line's item or component at one location, or what there is. */
static void allocate_at(struct stock_draft *d, struct order_line_open *l, const struct allocate_part *from)
{
	uint16_t channel = l->order->channel;

	allocate_take(from->item, from->location, channel, &d->stock->tenant->channels[channel], from->quantity,
		      take_place, &(struct taking){d, l});
}

int32_t order_only_location(const struct config_channel *c, const struct order_open *o)
{
	for (uint32_t i = 0; c->unsplit && i < o->line_count; i++)
		for (uint32_t n = 0; n < o->lines[i].allocation_count; n++)
			if (o->lines[i].allocations[n].allocated + o->lines[i].allocations[n].picked > 0)
				return o->lines[i].allocations[n].place->position.location;
	return ALLOCATE_ANYWHERE;
}

/* An item that has become a kit since the order came, of which nothing could be had yet. */
static void renew_parts(struct order_line_open *l)
{
	if (!l->item || order_is_composed(l) || !item_is_kit(l->item) || order_covered(l) > 0)
		return;
	order_unwait(l);
	order_make_parts(l);
}

static void make_needs(struct order_book *b, struct order_line_open *lines, uint32_t count)
{
	size_t parts = 0, used = 0;

	for (uint32_t i = 0; i < count; i++) {
		renew_parts(&lines[i]);
		parts += lines[i].kit ? lines[i].part_count : 0;
	}
	if (b->need_room < count) {
		b->need_room = count;
		b->needs = mem_grow(b->needs, b->need_room * sizeof(*b->needs));
	}
	if (b->component_room < parts) {
		b->component_room = parts;
		b->components = mem_grow(b->components, b->component_room * sizeof(*b->components));
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct order_line_open *l = &lines[i];
		struct allocate_need *n = &b->needs[i];
		qty_t covered = order_covered(l);

		*n = (struct allocate_need){.want = l->ordered - l->cancelled - covered, .location = ALLOCATE_ANYWHERE};
		if (!l->kit) {
			n->item = l->part_count ? l->parts[0].item : NULL;
			continue;
		}
		n->components = &b->components[used];
		n->component_count = l->part_count;
		for (uint32_t k = 0; k < l->part_count; k++) {
			const struct order_part *p = &l->parts[k];
			qty_t spare = p->shipped + order_part_has(l, p) - allocate_times(covered, p->per);

			b->components[used++] = (struct allocate_component){p->item, p->per, spare > 0 ? spare : 0};
		}
	}
}

/* Allocates what there is of some lines of an order; the rest is backordered. */
static void allocate_lines(struct order_book *b, struct stock_draft *d, struct order_open *o,
			   struct order_line_open *lines, uint32_t count)
{
	const struct config_channel *c = &b->tenant->channels[o->channel];
	struct ship_to to = {.country = o->country, .postal_code = o->postal_code};
	struct allocate_request r = {
	    .tenant = b->tenant, .channel = c, .ship_to = &to, .only = order_only_location(c, o)};
	bool gave = false;

	make_needs(b, lines, count);
	allocate(&r, b->needs, count, &b->parts);
	for (size_t i = 0; i < b->parts.count; i++)
		allocate_at(d, &lines[b->parts.parts[i].need], &b->parts.parts[i]);
	for (uint32_t i = 0; i < count; i++) {
		struct order_line_open *l = &lines[i];
		qty_t want;

		gave = order_trim_line(d, l) || gave;
		want = order_open_quantity(l);
		l->backordered = want > 0 ? want : 0;
		if (want > 0)
			order_wait(b, l);
		else
			order_unwait(l);
	}
	/* It may be what another of these lines is short of, which did not wait yet. */
	for (uint32_t i = 0; gave && i < count; i++)
		order_wake(b, &lines[i]);
}

void order_allocate_line(struct order_book *b, struct stock_draft *d, struct order_line_open *l)
{
	allocate_lines(b, d, l->order, l, 1);
}

bool order_is_whole(const struct order_open *o)
{
	for (uint32_t i = 0; i < o->line_count; i++)
		if (o->lines[i].backordered > 0)
			return false;
	return true;
}

void order_reserve(struct order_book *b, struct txn *t, struct order_open *o)
{
	struct stock_draft d;

	stock_draft_begin(&d, b->stock, t, STR("allocate"), t->now);
	d.order_id = o->order_id;
	allocate_lines(b, &d, o, o->lines, o->line_count);
	order_substitute(b, &d, o);
	stock_draft_end(&d, false);
	order_changed(b, o);
}

static void give_back(struct stock_draft *d, const struct order_line_open *l, struct allocation *a,
		      enum stock_state from, qty_t quantity)
{
	stock_post(d, a->place, from, NULL, STOCK_FREE, quantity);
	fence_use(d->stock, a->place, l->order->channel, -quantity);
	if (from == STOCK_PICKED) {
		a->picked -= quantity;
		a->place->order_picked -= quantity;
	} else {
		a->allocated -= quantity;
	}
	if (a->released > a->allocated + a->picked)
		a->released = a->allocated + a->picked;
}

void order_deallocate_line(struct stock_draft *d, struct order_line_open *l)
{
	for (uint32_t i = 0; i < l->allocation_count; i++)
		if (l->allocations[i].allocated > 0)
			give_back(d, l, &l->allocations[i], STOCK_ALLOCATED, l->allocations[i].allocated);
}

/* Gives so much of a part back, what nobody was asked for first. */
static void trim_part(struct stock_draft *d, struct order_line_open *l, const struct order_part *p, qty_t surplus)
{
	for (int round = 0; round < 3 && surplus > 0; round++) {
		for (uint32_t i = l->allocation_count; i-- > 0 && surplus > 0;) {
			struct allocation *a = &l->allocations[i];
			qty_t part = round == 0   ? a->allocated + a->picked - a->released
				     : round == 1 ? a->allocated
						  : a->picked;

			if (a->place->item != p->item)
				continue;
			if (round == 0 && part > a->allocated)
				part = a->allocated;
			part = part < surplus ? part : surplus;
			if (part <= 0)
				continue;
			give_back(d, l, a, round == 2 ? STOCK_PICKED : STOCK_ALLOCATED, part);
			surplus -= part;
		}
	}
}

bool order_trim_line(struct stock_draft *d, struct order_line_open *l)
{
	qty_t total = l->ordered - l->cancelled, covered = order_covered(l);
	bool gave = false;

	if (covered > total)
		covered = total;
	for (uint32_t i = 0; i < l->part_count; i++) {
		const struct order_part *p = &l->parts[i];
		qty_t surplus = order_part_has(l, p) - order_part_due(l, p, covered);

		trim_part(d, l, p, surplus);
		gave = gave || surplus > 0;
	}
	return gave;
}
