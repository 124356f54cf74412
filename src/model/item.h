/*
 * The canonical item record as a struct: what the ledger needs of it (schemas/item/v1.json). The same members, and only
 * those, are kept in the item's row (item_record_write), so that loading reads what the record's reader reads.
 * Everything points into the arena and the parsed document.
 */
#ifndef MODEL_ITEM_H
#define MODEL_ITEM_H

#include "model/order.h"

#define ITEM_COMPONENTS_MAX 500
#define ITEM_ALIASES_MAX    1000

struct item_part {
	struct str sku;
	qty_t quantity;
};

/* One `uom` is so many of the base unit. */
struct item_unit {
	struct str uom;
	qty_t factor;
};

/* What a system or partner calls it. */
struct item_name {
	struct str system, sku;
};

struct item_record {
	struct str sku;
	struct str base_uom; /* may be empty */
	bool lot_tracked, serial_tracked, discontinued, blocked;
	int32_t shelf_life_days; /* 0: not said */
	struct item_part *components;
	struct item_unit *units;
	struct str *substitutes; /* in order of preference; replaced_by is the first */
	struct item_name *aliases;
	uint32_t component_count, unit_count, substitute_count, alias_count;
};

enum rc item_record_read(struct arena *a, const struct json *doc, enum sku_case sku_case, struct item_record *out,
			 struct findings *f) MUST_CHECK;
/* Writes nothing for an item without rules. */
void item_record_write(struct buf *out, const struct item_record *r);

#endif
