/*
 * The canonical order as a struct: what the hub needs of it. The whole document (schemas/order/v1.json) is kept beside
 * it. Everything points into the arena and the parsed document, which must stay.
 */
#ifndef MODEL_ORDER_H
#define MODEL_ORDER_H

#include "base/decimal.h"
#include "format/json.h"
#include "model/schema.h"

struct order_line {
	struct str line_id;
	struct str sku; /* as the tenant's rules make it (letter case) */
	qty_t quantity;
	struct str uom;
};

/* Where goods go, as far as it decides where they come from. */
struct ship_to {
	struct str country, postal_code; /* may be empty */
	int32_t latitude, longitude;     /* millionths of a degree */
	bool has_point;
};

struct order {
	struct str channel;
	struct str external_id;
	struct str currency;
	struct str customer_id;    /* customer.external_id; may be empty */
	struct str reservation_id; /* may be empty: stock was held beforehand */
	struct ship_to ship_to;
	struct decimal value; /* its total, else the sum of its lines; without prices 0 and not known */
	bool value_known;
	int64_t placed_at;
	int64_t version; /* the source's version or updated_at in ms; 0 if it has none */
	size_t line_count;
	struct order_line *lines;
};

#define ORDER_LINES_MAX 2000

enum sku_case { SKU_AS_IS, SKU_UPPER, SKU_LOWER };

/* A SKU as the tenant's rules make it (ASCII letters only); a copy where it changes. STR_NONE when the arena is full.
 */
struct str sku_apply_case(struct arena *a, struct str sku, enum sku_case sku_case);

/*
 * From a document that is valid by its schema. Checks what a schema cannot: quantities that fit and are positive, line
 * ids that do not repeat, prices that are decimals, instants. RC_INVALID with findings.
 */
enum rc order_read(struct arena *a, const struct json *doc, enum sku_case sku_case, struct order *out,
		   struct findings *f) MUST_CHECK;

#endif
