#include "orchestrate/order/book.h"
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/verbs_internal.h"

#include <stdio.h>

#define WHERE_MAX 64

static enum rc at_line(struct err *e, size_t i, const char *member)
{
	snprintf(e->where, sizeof(e->where), "/lines/%zu/%s", i, member);
	return RC_INVALID;
}

static enum rc check_place(const struct stock *s, const struct movement *m, size_t i, struct err *e)
{
	const struct movement_line *l = &m->lines[i];
	char where[WHERE_MAX];

	snprintf(where, sizeof(where), "/lines/%zu/location", i);
	if (!config_find_location(s->tenant, l->location))
		return err_set_at(e, RC_INVALID, "unknown_location", where, "there is no location " STR_FMT,
				  STR_ARG(l->location));
	snprintf(where, sizeof(where), "/lines/%zu/to_location", i);
	if (m->type == MOVE_MOVE && !config_find_location(s->tenant, l->to_location))
		return err_set_at(e, RC_INVALID, "unknown_location", where, "there is no location " STR_FMT,
				  STR_ARG(l->to_location));
	return RC_OK;
}

/* The line's item (NULL: new), with its quantity in base units. */
static enum rc read_item(const struct stock *s, struct txn *t, const struct movement *m, size_t i,
			 struct movement_line *l, struct stock_item **item, struct err *e)
{
	struct item_line in = {.sku = l->sku, .uom = l->uom, .quantity = l->quantity};
	enum rc rc = item_resolve_line(s, t->arena, m->source, i, &in, e);

	l->sku = in.sku;
	l->quantity = in.quantity;
	*item = in.item;
	if (rc != RC_OK || !*item)
		return rc;
	if ((*item)->uom)
		l->uom = STR_NONE;
	if (item_is_kit(*item) && m->type == MOVE_COUNT) {
		err_set(e, RC_INVALID, "kit_not_stocked", STR_FMT " is a kit: what can be counted are its components",
			STR_ARG(l->sku));
		return at_line(e, i, "sku");
	}
	return RC_OK;
}

/* Of a kit's line: those that it names for the component, or the line's, if only one component has any. */
static const struct json *part_serials(const struct movement_line *l, const struct item_component *parts, size_t count,
				       const struct stock_item *part)
{
	size_t with = 0;

	for (uint32_t i = 0; i < l->component_count; i++)
		if (str_eq(l->component_serials[i].sku, part->sku))
			return l->component_serials[i].serials;
	for (size_t i = 0; i < count; i++)
		with += parts[i].item->rules && parts[i].item->rules->serials;
	return with == 1 && part->rules && part->rules->serials ? l->serials : NULL;
}

struct lines {
	struct movement_line *list;
	size_t count, room;
};

static struct movement_line *add(struct txn *t, struct lines *to, const struct movement_line *l)
{
	if (to->count == to->room) {
		size_t room = to->room ? to->room * 2 : 16;

		to->list = arena_grow(t->arena, to->list, to->room * sizeof(*l), room * sizeof(*l));
		if (!to->list)
			return NULL;
		to->room = room;
	}
	to->list[to->count] = *l;
	return &to->list[to->count++];
}

/* The kit as an order has it, else as its record says. */
static size_t parts_of(const struct stock_item *kit, const struct order_open *order, struct str line_id,
		       struct item_component *out)
{
	for (uint32_t i = 0; order && i < order->line_count; i++) {
		const struct order_line_open *l = &order->lines[i];

		if ((l->item != kit && l->substitute != kit) || !order_is_composed(l) ||
		    (line_id.n && !str_eq(l->line_id, line_id)))
			continue;
		for (uint32_t n = 0; n < l->part_count && n < ITEM_KIT_PARTS_MAX; n++)
			out[n] = (struct item_component){l->parts[n].item, l->parts[n].per};
		return l->part_count;
	}
	return item_parts(kit, out, ITEM_KIT_PARTS_MAX);
}

static enum rc add_kit(struct txn *t, struct lines *to, const struct movement_line *l, const struct stock_item *kit,
		       const struct order_open *order, size_t i, struct err *e)
{
	struct item_component *parts = arena_array(t->arena, struct item_component, ITEM_KIT_PARTS_MAX);
	size_t count = parts ? parts_of(kit, order, l->order_line_id, parts) : 0;

	if (!parts || count > ITEM_KIT_PARTS_MAX)
		return err_set(e, RC_LIMIT, "kit_too_large", "kit " STR_FMT " has too many components",
			       STR_ARG(kit->sku));
	for (size_t n = 0; n < count; n++) {
		__int128 product = (__int128)l->quantity * parts[n].quantity;
		struct movement_line *part = add(t, to, l);

		if (!part)
			return err_set(e, RC_LIMIT, "too_many_lines", "the movement has too many lines");
		if (product % QTY_ONE || product / QTY_ONE > QTY_MAX || product / QTY_ONE < -QTY_MAX) {
			err_set(e, RC_INVALID, "not_exact",
				"this many of kit " STR_FMT " is not an exact quantity of " STR_FMT, STR_ARG(kit->sku),
				STR_ARG(parts[n].item->sku));
			return at_line(e, i, "quantity");
		}
		part->sku = parts[n].item->sku;
		part->kit = kit->sku;
		part->quantity = (qty_t)(product / QTY_ONE);
		part->uom = STR_NONE;
		part->lot = STR_NONE; /* of the kit: it says nothing of the components */
		part->expires_on = 0;
		part->serials = part_serials(l, parts, count, parts[n].item);
		part->component_count = 0;
	}
	return RC_OK;
}

enum rc verbs_prepare(struct stock *s, struct txn *t, struct movement *m, const struct order_open *order, struct err *e)
{
	struct lines lines = {NULL, 0, 0};
	bool plain = s->aliases.count == 0 && !s->tenant->has_sku_rules;

	for (size_t i = 0; i < m->line_count; i++) {
		const struct stock_item *item = stock_find(s, m->lines[i].sku);
		enum rc rc = check_place(s, m, i, e);

		if (rc != RC_OK)
			return rc;
		m->lines[i].number = (uint32_t)i;
		plain = plain && (!item || (!item->rules && !m->lines[i].uom.n));
		if (!item && s->items.count + m->line_count >= s->items.max)
			return err_set(e, RC_LIMIT, "too_many_items", "the limit on items (limits.items) is reached");
	}
	if (plain)
		return RC_OK;
	for (size_t i = 0; i < m->line_count; i++) {
		struct movement_line l = m->lines[i];
		struct stock_item *item = NULL;
		enum rc rc = read_item(s, t, m, i, &l, &item, e);

		if (rc == RC_OK && item && item_is_kit(item))
			rc = add_kit(t, &lines, &l, item, order, i, e);
		else if (rc == RC_OK && !add(t, &lines, &l))
			rc = err_set(e, RC_LIMIT, "too_many_lines", "the movement has too many lines");
		if (rc != RC_OK)
			return rc;
	}
	m->lines = lines.list;
	m->line_count = lines.count;
	return RC_OK;
}
