#include "orchestrate/stock/item_names.h"

#include "base/mem.h"

#include <assert.h>

#define UOMS_MAX 60000

/* ---- base units: few, shared by all items ---- */

static uint16_t intern_uom(struct stock *s, struct str uom)
{
	if (!uom.n)
		return 0;
	for (uint32_t i = 1; i < s->uom_count; i++)
		if (str_eq(s->uoms[i], uom))
			return (uint16_t)i;
	if (s->uom_count >= UOMS_MAX)
		return 0;
	if (!s->uom_count)
		s->uom_count = 1;
	s->uoms = mem_grow(s->uoms, (s->uom_count + 1) * sizeof(*s->uoms));
	s->uoms[0] = STR_NONE;
	s->uoms[s->uom_count] = mem_copy(uom);
	return (uint16_t)s->uom_count++;
}

void item_set_uom(struct stock *s, struct stock_item *i, struct str uom)
{
	i->uom = intern_uom(s, uom);
}

struct str item_uom(const struct stock *s, const struct stock_item *i)
{
	return i->uom ? s->uoms[i->uom] : STR_NONE;
}

enum rc item_convert(const struct stock *s, const struct stock_item *i, struct str uom, qty_t *quantity, struct err *e)
{
	struct str base = item_uom(s, i);
	const struct item_rules *r = i->rules;
	__int128 product;

	if (!uom.n || !base.n || str_eq(uom, base))
		return RC_OK;
	for (uint32_t n = 0; r && n < r->unit_count; n++) {
		if (!str_eq(r->units[n].uom, uom))
			continue;
		product = (__int128)*quantity * r->units[n].factor;
		if (product % QTY_ONE)
			return err_set(e, RC_INVALID, "not_exact",
				       "this many " STR_FMT " of " STR_FMT " is not an exact number of " STR_FMT,
				       STR_ARG(uom), STR_ARG(i->sku), STR_ARG(base));
		product /= QTY_ONE;
		if (product > QTY_MAX || product < -QTY_MAX)
			return err_set(e, RC_INVALID, "quantity_too_large",
				       "this many " STR_FMT " of " STR_FMT " is more than there can be", STR_ARG(uom),
				       STR_ARG(i->sku));
		*quantity = (qty_t)product;
		return RC_OK;
	}
	return err_set(e, RC_INVALID, "unknown_uom",
		       STR_FMT " is kept in " STR_FMT ", and " STR_FMT " is no unit of it", STR_ARG(i->sku),
		       STR_ARG(base), STR_ARG(uom));
}

/* ---- kits ---- */

/* RC_INVALID if `kit` would be below i, or i's parts are deeper than `left`. */
static enum rc check_below(const struct stock_item *kit, const struct stock_item *i, int left, struct err *e)
{
	if (i == kit)
		return err_set(e, RC_INVALID, "kit_cycle", "kit " STR_FMT " would contain itself", STR_ARG(kit->sku));
	if (!item_is_kit(i))
		return RC_OK;
	if (left == 0)
		return err_set(e, RC_INVALID, "kit_too_deep", "kit " STR_FMT " would be more than %d kits deep",
			       STR_ARG(kit->sku), ITEM_KIT_DEPTH);
	for (uint32_t n = 0; n < i->rules->component_count; n++) {
		enum rc rc = check_below(kit, i->rules->components[n].item, left - 1, e);

		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static int height_above(const struct stock_item *i, int most)
{
	int height = 0;

	for (uint32_t n = 0; most > 0 && i->rules && n < i->rules->used_in_count; n++) {
		int h = 1 + height_above(i->rules->used_in[n], most - 1);

		if (h > height)
			height = h;
	}
	return height;
}

static void add_part(struct stock_item *i, qty_t quantity, struct item_component *out, size_t max, size_t *count)
{
	for (size_t n = 0; n < *count && n < max; n++) {
		if (out[n].item != i)
			continue;
		out[n].quantity += quantity;
		return;
	}
	if (*count < max)
		out[*count] = (struct item_component){i, quantity};
	++*count;
}

static void add_parts(const struct stock_item *i, qty_t times, struct item_component *out, size_t max, size_t *count)
{
	if (!item_is_kit(i)) {
		if (times > 0)
			add_part((struct stock_item *)i, times, out, max, count);
		return;
	}
	for (uint32_t n = 0; n < i->rules->component_count; n++) {
		__int128 product = (__int128)times * i->rules->components[n].quantity / QTY_ONE;

		add_parts(i->rules->components[n].item, product > QTY_MAX ? QTY_MAX : (qty_t)product, out, max, count);
	}
}

size_t item_parts(const struct stock_item *i, struct item_component *out, size_t max)
{
	size_t count = 0;

	add_parts(i, QTY_ONE, out, max, &count);
	return count;
}

void item_touch(struct stock *s, struct stock_item *i)
{
	stock_touch(s, i);
	for (uint32_t n = 0; i->rules && n < i->rules->used_in_count; n++)
		item_touch(s, i->rules->used_in[n]);
}

static bool has_stock(const struct stock_item *i)
{
	for (uint32_t n = 0; n < i->place_count; n++)
		for (int st = 0; st < STOCK_STATES; st++)
			if (i->places[n]->position.states[st] != 0)
				return true;
	return false;
}

static enum rc check_kit(const struct stock *s, const struct stock_item *i, const struct item_record *r, struct err *e)
{
	int above = height_above(i, ITEM_KIT_DEPTH);

	if (!r->component_count)
		return RC_OK;
	if (has_stock(i))
		return err_set(e, RC_INVALID, "kit_has_stock",
			       STR_FMT " has stock of its own: take it off before it becomes a kit", STR_ARG(i->sku));
	if (above >= ITEM_KIT_DEPTH)
		return err_set(e, RC_INVALID, "kit_too_deep", "kit " STR_FMT " would be more than %d kits deep",
			       STR_ARG(i->sku), ITEM_KIT_DEPTH);
	for (uint32_t n = 0; n < r->component_count; n++) {
		const struct stock_item *part = stock_find(s, r->components[n].sku);
		enum rc rc = part ? check_below(i, part, ITEM_KIT_DEPTH - 1 - above, e) : RC_OK;

		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

/* ---- rules ---- */

static struct item_rules *rules_of(struct stock_item *i)
{
	if (!i->rules)
		i->rules = mem_zalloc(1, sizeof(*i->rules));
	return i->rules;
}

static void use_in(struct stock_item *part, struct stock_item *kit)
{
	struct item_rules *r = rules_of(part);

	r->used_in = mem_grow(r->used_in, (r->used_in_count + 1) * sizeof(struct stock_item *));
	r->used_in[r->used_in_count++] = kit;
}

static void use_in_no_more(struct stock_item *part, const struct stock_item *kit)
{
	struct item_rules *r = part->rules;

	for (uint32_t n = 0; n < r->used_in_count; n++)
		if (r->used_in[n] == kit)
			r->used_in[n--] = r->used_in[--r->used_in_count];
}

/* What the record before said; where it is used stays. */
static void clear(struct stock *s, struct stock_item *i)
{
	struct item_rules *r = i->rules;

	for (uint32_t n = 0; n < r->component_count; n++)
		use_in_no_more(r->components[n].item, i);
	for (uint32_t n = 0; n < r->unit_count; n++)
		free((char *)r->units[n].uom.p);
	for (uint32_t n = 0; n < r->alias_count; n++) {
		item_renamed(s, i, r->aliases[n]->key);
		item_alias_drop(s, r->aliases[n], i);
	}
	s->serial_items -= r->serials != ITEM_SERIALS_NONE;
	free(r->components);
	free(r->units);
	free(r->substitutes);
	free(r->aliases);
	*r = (struct item_rules){.used_in = r->used_in, .used_in_count = r->used_in_count};
}

static void fill_components(struct stock *s, struct txn *t, struct stock_item *i, const struct item_record *from)
{
	struct item_rules *r = i->rules;

	r->components = from->component_count ? mem_zalloc(from->component_count, sizeof(*r->components)) : NULL;
	for (uint32_t n = 0; n < from->component_count; n++) {
		struct stock_item *part = stock_item_make(s, t, from->components[n].sku, STR_NONE);

		assert(part);
		r->components[r->component_count++] = (struct item_component){part, from->components[n].quantity};
		use_in(part, i);
	}
}

static void fill_lists(struct stock *s, struct txn *t, struct stock_item *i, const struct item_record *from)
{
	struct item_rules *r = i->rules;

	r->units = from->unit_count ? mem_zalloc(from->unit_count, sizeof(*r->units)) : NULL;
	for (; r->unit_count < from->unit_count; r->unit_count++)
		r->units[r->unit_count] =
		    (struct item_unit){mem_copy(from->units[r->unit_count].uom), from->units[r->unit_count].factor};
	r->substitutes =
	    from->substitute_count ? mem_zalloc(from->substitute_count, sizeof(struct stock_item *)) : NULL;
	for (; r->substitute_count < from->substitute_count; r->substitute_count++)
		r->substitutes[r->substitute_count] =
		    stock_item_make(s, t, from->substitutes[r->substitute_count], STR_NONE);
	r->aliases = from->alias_count ? mem_zalloc(2 * from->alias_count, sizeof(struct item_alias *)) : NULL;
	for (uint32_t n = 0; n < from->alias_count; n++)
		item_names_add(s, i, &from->aliases[n], t != NULL);
}

static bool is_plain(const struct item_record *r)
{
	return !r->lot_tracked && !r->serials && !r->discontinued && !r->blocked && !r->shelf_life_days &&
	       !r->component_count && !r->unit_count && !r->substitute_count && !r->alias_count;
}

enum rc item_set(struct stock *s, struct txn *t, struct stock_item *i, const struct item_record *from, struct err *e)
{
	enum rc rc = check_kit(s, i, from, e);

	if (rc != RC_OK)
		return rc;
	if (s->items.count + from->component_count + from->substitute_count > s->items.max)
		return err_set(e, RC_LIMIT, "too_many_items", "the limit on items (limits.items) is reached");
	if (from->base_uom.n)
		item_set_uom(s, i, from->base_uom);
	i->recorded = true;
	if (i->rules)
		clear(s, i);
	if (is_plain(from))
		return RC_OK;
	rules_of(i);
	i->rules->lot_tracked = from->lot_tracked;
	i->rules->serials = from->serials;
	s->serial_items += from->serials != ITEM_SERIALS_NONE;
	i->rules->discontinued = from->discontinued;
	i->rules->blocked = from->blocked;
	i->rules->shelf_life_days = from->shelf_life_days;
	fill_components(s, t, i, from);
	fill_lists(s, t, i, from);
	return RC_OK;
}

void item_rules_free(struct stock_item *i)
{
	struct item_rules *r = i->rules;

	if (!r)
		return;
	for (uint32_t n = 0; n < r->unit_count; n++)
		free((char *)r->units[n].uom.p);
	free(r->components);
	free(r->units);
	free(r->substitutes);
	free(r->used_in);
	free(r->aliases);
	free(r);
	i->rules = NULL;
}

enum rc item_load(struct stock *s, struct str sku, struct str uom, struct str rules, bool recorded, struct err *e)
{
	struct stock_item *i = stock_item_make(s, NULL, sku, uom);
	struct item_record record;
	struct findings f;
	struct json *doc;
	struct arena a;
	enum rc rc;

	if (!i)
		return err_set(e, RC_LIMIT, "too_many_items", "the limit on items (limits.items) is reached");
	i->recorded = recorded;
	if (!rules.n)
		return RC_OK;
	arena_init(&a, 16u << 20);
	findings_init(&f, &a);
	rc = json_parse(&a, rules, NULL, &doc, e);
	if (rc == RC_OK)
		rc = item_record_read(&a, doc, SKU_AS_IS, &record, &f);
	if (rc == RC_OK)
		rc = item_set(s, NULL, i, &record, e);
	arena_done(&a);
	return rc == RC_INVALID
		   ? err_set(e, RC_IO, "store_damaged", "the record of item " STR_FMT " is damaged", STR_ARG(sku))
		   : rc;
}
