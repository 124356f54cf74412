/*
 * What an item record says beyond "there is this item": kits, units, tracking, substitutes, names elsewhere. Plain
 * items have none of it (item->rules is NULL), so they cost nothing. Writer only.
 *
 * A kit has no stock of its own: it is its components, which other kits may share and which may be kits themselves, at
 * most ITEM_KIT_DEPTH deep and without a cycle.
 */
#ifndef ORCHESTRATE_STOCK_ITEM_H
#define ORCHESTRATE_STOCK_ITEM_H

#include "model/item.h"
#include "orchestrate/stock/stock.h"

#define ITEM_KIT_DEPTH     8
#define ITEM_KIT_PARTS_MAX 1000 /* different stocked items in one kit, all levels */

struct item_component {
	struct stock_item *item;
	qty_t quantity; /* of it in one kit */
};

struct item_rules {
	struct item_component *components; /* not empty: a kit */
	uint32_t component_count;
	enum item_serials serials;
	bool lot_tracked;
	bool discontinued; /* no new backorder; what is left is sold */
	bool blocked;      /* not sold at all */
	uint32_t unit_count, substitute_count, used_in_count, alias_count;
	struct item_unit *units;
	struct stock_item **substitutes; /* in order of preference */
	struct stock_item **used_in;     /* kits that name it as a component */
	struct item_alias **aliases;
	int32_t shelf_life_days;
};

/* An alias of this system is good for everybody who asks for what is no SKU. */
#define ITEM_GTIN "gtin"

/* What a system calls an item; several items may claim one name, which is then ambiguous. */
struct item_alias {
	struct str key; /* system, NUL, its SKU */
	struct stock_item **items;
	uint32_t count;
};

static inline bool item_is_kit(const struct stock_item *i)
{
	return i->rules && i->rules->component_count > 0;
}

static inline bool item_is_discontinued(const struct stock_item *i)
{
	return i->rules && (i->rules->discontinued || i->rules->blocked);
}

/*
 * Sets what a record says, in place of what an earlier one said. t: writes rows of components that are new; NULL while
 * loading. RC_INVALID "kit_cycle", "kit_too_deep", "kit_has_stock"; RC_LIMIT: nothing was changed.
 */
enum rc item_set(struct stock *s, struct txn *t, struct stock_item *i, const struct item_record *r,
		 struct err *e) MUST_CHECK;
/* Loading a row of R_ITEMS: sku, uom, rules (item_record_write, or empty), whether it has a record. */
enum rc item_load(struct stock *s, struct str sku, struct str uom, struct str rules, bool recorded,
		  struct err *e) MUST_CHECK;

/* The stocked items in one of i, all levels, each once and more than 0 of it: itself once if it is no kit. What comes
 * to less than the smallest quantity is left out. Returns how many; at most max are written. */
size_t item_parts(const struct stock_item *i, struct item_component *out, size_t max);

/* Touches it and the kits that it is in, all levels: what may be sold of them has changed. */
void item_touch(struct stock *s, struct stock_item *i);

void item_set_uom(struct stock *s, struct stock_item *i, struct str uom);
struct str item_uom(const struct stock *s, const struct stock_item *i); /* its base unit; may be empty */
/* quantity of `uom` in base units. RC_INVALID "unknown_uom", "not_exact", "quantity_too_large". */
enum rc item_convert(const struct stock *s, const struct stock_item *i, struct str uom, qty_t *quantity,
		     struct err *e) MUST_CHECK;

/* The item that a system means: what its rule leaves of the SKU, by the cross-reference as the system spells it, then
 * in the rule's letter case; else by itself, as the rule makes it. NULL and RC_OK: there is no such item; *own is the
 * SKU that it would have, in the arena where it is not the caller's. RC_INVALID "ambiguous_sku", "unknown_alias" name
 * it; RC_LIMIT. */
enum rc item_resolve(const struct stock *s, struct arena *a, struct str system, struct str sku, struct str *own,
		     struct stock_item **out, struct err *e) MUST_CHECK;

/* What a document's line says, as the ledger keeps it: our SKU, the quantity in base units; its item, NULL if there is
 * none. On a refusal e->where is the member of the document's line number `at`. */
struct item_line {
	struct str sku, uom;
	qty_t quantity;
	struct stock_item *item; /* out */
};
enum rc item_resolve_line(const struct stock *s, struct arena *a, struct str system, size_t at, struct item_line *l,
			  struct err *e) MUST_CHECK;

/* item_resolve for any thread, by what is committed; *own: its SKU, or what it would be. */
enum rc item_resolve_view(const struct stock_view *v, const struct config_tenant *t, struct arena *a, struct str system,
			  struct str sku, struct str *own, struct err *e) MUST_CHECK;
/* The other way: what the system calls an item of ours: its alias as the record spells it, if it has one that is no
 * other item's; else our SKU without what its rule adds; with the prefix and suffix that the system puts around it.
 * STR_NONE: the arena is full. */
struct str item_spell(const struct stock_view *v, const struct config_tenant *t, struct arena *a, struct str system,
		      struct str own);
/* After the commit: readers see the names that have changed; at the start: all names. */
void item_show_names(struct stock *s, bool all);

void item_rules_free(struct stock_item *i);
void item_aliases_free(struct stock *s);

#endif
