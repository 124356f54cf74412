/*
 * What is done with a line that there is not enough for, before it is backordered.
 *
 * Substitution, where the channel takes it: the line is filled whole by the first substitute of the item's record that
 * there is enough of. A line is never mixed of two items, and it keeps the SKU that was ordered. Otherwise, and for a
 * substitute that is short as well, it stays what it is.
 *
 * What is discontinued, or needs a component that is, will not come again: what is lacking is cancelled, or the order
 * waits for a person, by the channel's policy.
 */
#include "base/mem.h"
#include "orchestrate/order/steps.h"
#include "orchestrate/stock/item.h"

/* ---- substitutes ---- */

/* Is there enough of an item for the whole line? Nothing is taken. */
static bool could_have(struct order_book *b, const struct order_line_open *l, struct stock_item *item)
{
	const struct order_open *o = l->order;
	const struct config_channel *c = &b->tenant->channels[o->channel];
	struct ship_to to = {.country = o->country, .postal_code = o->postal_code};
	struct allocate_request r = {
	    .tenant = b->tenant, .channel = c, .ship_to = &to, .only = order_only_location(c, o)};
	struct allocate_need need = {.item = item, .want = l->ordered - l->cancelled, .location = ALLOCATE_ANYWHERE};
	struct item_component *list = NULL;
	struct allocate_component *parts = NULL;
	size_t count = 1;

	if (item_is_kit(item)) {
		list = mem_zalloc(ITEM_KIT_PARTS_MAX, sizeof(*list));
		parts = mem_zalloc(ITEM_KIT_PARTS_MAX, sizeof(*parts));
		count = item_parts(item, list, ITEM_KIT_PARTS_MAX);
		need.item = NULL;
		need.components = parts;
		for (size_t i = 0; i < count && i < ITEM_KIT_PARTS_MAX; i++)
			parts[need.component_count++] = (struct allocate_component){list[i].item, list[i].quantity, 0};
	}
	allocate(&r, &need, 1, &b->parts);
	free(list);
	free(parts);
	return count <= ITEM_KIT_PARTS_MAX && need.want > 0 && need.got >= need.want;
}

static bool may_be_substituted(const struct order_line_open *l)
{
	if (l->backordered <= 0 || l->substitute || !l->item || !l->item->rules || l->shipped > 0)
		return false;
	for (uint32_t i = 0; i < l->part_count; i++)
		if (l->parts[i].shipped > 0)
			return false;
	for (uint32_t i = 0; i < l->allocation_count; i++)
		if (l->allocations[i].picked > 0 || l->allocations[i].released > 0)
			return false;
	return true;
}

static bool is_blocked(const struct stock_item *i)
{
	return i->rules && i->rules->blocked;
}

bool order_substitute(struct order_book *b, struct stock_draft *d, struct order_open *o)
{
	bool any = false;

	if (!b->tenant->channels[o->channel].substitute)
		return false;
	for (uint32_t i = 0; i < o->line_count; i++) {
		struct order_line_open *l = &o->lines[i];

		for (uint32_t n = 0; may_be_substituted(l) && n < l->item->rules->substitute_count; n++) {
			struct stock_item *instead = l->item->rules->substitutes[n];

			if (instead == l->item || is_blocked(instead) || !could_have(b, l, instead))
				continue;
			order_deallocate_line(d, l);
			order_unwait(l);
			l->substitute = instead;
			order_make_parts(l);
			order_allocate_line(b, d, l);
			any = true;
		}
	}
	return any;
}

/* ---- discontinued ---- */

/* What the line lacks will not come again. */
static bool is_over(const struct order_line_open *l)
{
	if (l->item && item_is_discontinued(l->item) && !l->substitute)
		return true;
	for (uint32_t i = 0; i < l->part_count; i++) {
		const struct order_part *p = &l->parts[i];

		if (item_is_discontinued(p->item) &&
		    order_part_has(l, p) < order_part_due(l, p, order_covered(l) + l->backordered))
			return true;
	}
	return false;
}

struct str order_end_discontinued(struct order_book *b, struct txn *t, struct order_open *o)
{
	enum discontinued_rule rule = b->tenant->channels[o->channel].discontinued;
	const struct order_line_open *first = NULL;

	for (uint32_t i = 0; i < o->line_count && rule != DISCONTINUED_BACKORDER; i++) {
		struct order_line_open *l = &o->lines[i];

		if (l->backordered <= 0 || !is_over(l))
			continue;
		if (!first)
			first = l;
		if (rule == DISCONTINUED_HOLD)
			continue;
		l->cancelled += l->backordered;
		l->backordered = 0;
		order_unwait(l);
		order_changed(b, o);
	}
	if (!first)
		return STR_NONE;
	return str_from(arena_printf(
	    t->arena, "Line " STR_FMT " is for more of " STR_FMT ", which is discontinued, than there is left.",
	    STR_ARG(first->line_id), STR_ARG(first->sku)));
}

/* ---- what is told ---- */

bool order_has_changes(const struct order_open *o)
{
	for (uint32_t i = 0; i < o->line_count; i++)
		if (o->lines[i].substitute || o->lines[i].cancelled > 0)
			return true;
	return false;
}

void order_write_changes(struct json_writer *w, const struct order_open *o)
{
	if (o->status == ORDER_CANCELLED || !order_has_changes(o))
		return;
	jw_key(w, "changes");
	jw_array(w);
	for (uint32_t i = 0; i < o->line_count; i++) {
		const struct order_line_open *l = &o->lines[i];

		if (!l->substitute && l->cancelled <= 0)
			continue;
		jw_object(w);
		jw_key_text(w, "line_id", l->line_id);
		jw_key_text(w, "sku", l->sku);
		if (l->substitute)
			jw_key_text(w, "substitute", l->substitute->sku);
		if (l->cancelled > 0) {
			jw_key_qty(w, "cancelled", l->cancelled);
			jw_key_text(w, "reason", STR("discontinued"));
		}
		jw_object_end(w);
	}
	jw_array_end(w);
}
