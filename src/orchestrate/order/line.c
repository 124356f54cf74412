/*
 * What an order's line is made of, how much of it that covers, and what it waits for.
 *
 * A kit that is short of several components waits for few of them: at each location for one of which there is not
 * enough, so that nothing can be had before one of these comes. When it comes, the line is looked at, and waits for
 * what is missing then. Without that each arrival of a component that there is plenty of would look at all kits that
 * wait for another one.
 */
#include "base/mem.h"
#include "orchestrate/order/book.h"
#include "orchestrate/stock/item.h"

#include <stddef.h>

/* ---- waiting ---- */

static const struct order_wait *last_waiting(const struct stock_item *i)
{
	const char *link = (const char *)i->waiting_last;

	return (const struct order_wait *)(const void *)(link - offsetof(struct order_wait, next));
}

/* By the age of the order, so that one that was on hold stands where it does after a start. */
bool order_line_before(const struct order_line_open *a, const struct order_line_open *b)
{
	return a->order->seq != b->order->seq ? a->order->seq < b->order->seq : a < b;
}

static void wait_for(struct order_line_open *l, struct order_part *p)
{
	struct stock_item *i = p->item;
	struct order_wait **at, *w = &p->waiting;

	if (w->previous)
		return;
	/* Most come last. */
	at = i->waiting_last;
	if (i->waiting && order_line_before(l, last_waiting(i)->line))
		for (at = &i->waiting; order_line_before((*at)->line, l);)
			at = &(*at)->next;
	*w = (struct order_wait){l, *at, at};
	if (*at)
		(*at)->previous = &w->next;
	else
		i->waiting_last = &w->next;
	*at = w;
}

static void wait_no_more(struct order_part *p)
{
	struct order_wait *w = &p->waiting;

	if (!w->previous)
		return;
	*w->previous = w->next;
	if (w->next)
		w->next->previous = w->previous;
	else
		p->item->waiting_last = w->previous;
	*w = (struct order_wait){.line = w->line};
}

void order_unwait(struct order_line_open *l)
{
	for (uint32_t i = 0; i < l->part_count; i++)
		wait_no_more(&l->parts[i]);
}

/* Is there not enough of a part for one more kit at a location, or if it is ALLOCATE_ANYWHERE at all together? */
static bool lacks(const struct order_line_open *l, const struct order_part *p, const struct config_channel *c,
		  int32_t location)
{
	qty_t one = l->backordered < QTY_ONE ? l->backordered : QTY_ONE, there = 0;
	qty_t want = order_part_due(l, p, order_covered(l) + one) - order_part_has(l, p);

	for (size_t n = 0; n < c->location_count; n++)
		if (location == ALLOCATE_ANYWHERE || c->locations[n] == location)
			there += stock_free_for(p->item, c->locations[n], l->order->channel, c);
	return want > there;
}

/* False: there is a kit at this location. */
static bool mark_at(const struct order_line_open *l, const struct config_channel *c, int32_t location, bool *marks)
{
	for (uint32_t i = 0; i < l->part_count; i++)
		if (marks[i] && lacks(l, &l->parts[i], c, location))
			return true;
	for (uint32_t i = 0; i < l->part_count; i++)
		if (lacks(l, &l->parts[i], c, location))
			return marks[i] = true;
	return false;
}

/* True: the line must wait for all of its parts, because a kit could be had now. */
static bool mark_lacking(const struct order_line_open *l, const struct config_channel *c, bool *marks)
{
	bool together = c->split_kits && !c->unsplit;

	/* One that is missing everywhere is enough. */
	for (uint32_t i = 0; i < l->part_count; i++) {
		bool everywhere = true;

		for (size_t n = 0; n < c->location_count && everywhere; n++)
			everywhere = lacks(l, &l->parts[i], c, together ? ALLOCATE_ANYWHERE : c->locations[n]);
		if (everywhere) {
			marks[i] = true;
			return false;
		}
	}
	for (size_t n = 0; n < c->location_count; n++)
		if (!mark_at(l, c, together ? ALLOCATE_ANYWHERE : c->locations[n], marks))
			return true;
	return false;
}

void order_wait(const struct order_book *b, struct order_line_open *l)
{
	bool *marks, all;

	if (l->part_count <= 1) {
		if (l->part_count)
			wait_for(l, &l->parts[0]);
		return;
	}
	marks = mem_zalloc(l->part_count, sizeof(*marks));
	all = mark_lacking(l, &b->tenant->channels[l->order->channel], marks);
	for (uint32_t i = 0; i < l->part_count; i++) {
		if (all || marks[i])
			wait_for(l, &l->parts[i]);
		else
			wait_no_more(&l->parts[i]);
	}
	free(marks);
}

void order_wake(const struct order_book *b, const struct order_line_open *l)
{
	for (uint32_t i = 0; l->backordered > 0 && i < l->part_count; i++)
		if (l->parts[i].waiting.previous)
			stock_restock(b->stock, l->parts[i].item);
}

/* ---- what a line is made of ---- */

void order_set_parts(struct order_line_open *l, uint32_t count)
{
	if (l->parts != &l->part)
		free(l->parts);
	l->part = (struct order_part){.item = NULL};
	l->parts = count > 1 ? mem_zalloc(count, sizeof(*l->parts)) : &l->part;
	l->part_count = count;
}

void order_note_kit(struct order_line_open *l)
{
	l->kit = l->part_count != 1 || l->parts[0].per != QTY_ONE;
}

static void make_kit(struct order_line_open *l, const struct stock_item *item)
{
	struct item_component *list = mem_zalloc(ITEM_KIT_PARTS_MAX, sizeof(*list));
	size_t count = item_parts(item, list, ITEM_KIT_PARTS_MAX);

	if (count > ITEM_KIT_PARTS_MAX) /* none of it can be had */
		count = 0;
	order_set_parts(l, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		l->parts[i] = (struct order_part){.item = list[i].item, .per = list[i].quantity};
	order_note_kit(l);
	free(list);
}

void order_make_parts(struct order_line_open *l)
{
	struct stock_item *item = l->substitute ? l->substitute : l->item;

	if (!item)
		return;
	if (item_is_kit(item)) {
		make_kit(l, item);
		return;
	}
	order_set_parts(l, 1);
	l->part = (struct order_part){.item = item, .per = QTY_ONE};
	l->kit = false;
}

struct order_part *order_part_of(const struct order_line_open *l, const struct stock_item *item)
{
	for (uint32_t i = 0; i < l->part_count; i++)
		if (l->parts[i].item == item)
			return &l->parts[i];
	return NULL;
}

bool order_is_composed(const struct order_line_open *l)
{
	return l->kit || (l->part_count && l->parts[0].item != l->item);
}

qty_t order_part_has(const struct order_line_open *l, const struct order_part *p)
{
	qty_t has = 0;

	for (uint32_t i = 0; i < l->allocation_count; i++)
		if (l->allocations[i].place->item == p->item)
			has += l->allocations[i].allocated + l->allocations[i].picked;
	return has;
}

qty_t order_part_due(const struct order_line_open *l, const struct order_part *p, qty_t quantity)
{
	qty_t due = (l->kit ? allocate_times(quantity, p->per) : quantity) - p->shipped;

	return due > 0 ? due : 0;
}

/* How many kits so much of each part makes: of `shipped` only, or with what it has. */
static qty_t whole_kits(const struct order_line_open *l, bool with_stock)
{
	qty_t total = l->ordered - l->cancelled, least = total;

	for (uint32_t i = 0; i < l->part_count; i++) {
		const struct order_part *p = &l->parts[i];
		qty_t there = p->shipped + (with_stock ? order_part_has(l, p) : 0);

		if (there < allocate_times(total, p->per) && there / p->per * QTY_ONE < least)
			least = there / p->per * QTY_ONE;
	}
	return l->part_count && least > 0 ? least : 0;
}

qty_t order_covered(const struct order_line_open *l)
{
	if (!l->part_count)
		return l->shipped;
	return l->kit ? whole_kits(l, true) : l->parts[0].shipped + order_part_has(l, &l->parts[0]);
}

void order_count_shipped(struct order_line_open *l)
{
	if (l->part_count)
		l->shipped = l->kit ? whole_kits(l, false) : l->parts[0].shipped;
}
