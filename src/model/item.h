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

/* Where a serial number must be named: tracking "serial" or "lot_and_serial", and serial_level. */
enum item_serials {
	ITEM_SERIALS_NONE,
	ITEM_SERIALS_SHIPMENT, /* what is shipped only */
	ITEM_SERIALS_FULL,     /* whatever moves */
};

struct item_record {
	struct str sku;
	struct str base_uom; /* may be empty */
	enum item_serials serials;
	bool lot_tracked, discontinued, blocked;
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
