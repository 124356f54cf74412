#include "model/order.h"

#include "base/map.h"
#include "model/read.h"

#define PAIRWISE_MAX 32

static void check_price(struct reader *r, const struct json *line, size_t i, const char *name)
{
	const struct json *value = json_get(line, name);
	struct decimal price;

	if (!value)
		return;
	if (value->type != JSON_STRING) {
		read_note(r, value, "wrong_type", "An amount is a decimal number as text.", "/lines/%zu/%s", i, name);
	} else if (decimal_parse(json_text(value), &price, NULL) != RC_OK) {
		struct err e = ERR_NONE; /* large: only when it is needed */
		if (decimal_parse(json_text(value), &price, &e) != RC_OK)
			read_note(r, value, e.code, e.detail, "/lines/%zu/%s", i, name);
	}
}

static void note_repeated(struct reader *r, const struct json *lines, size_t i)
{
	read_note(r, &lines->items[i], "line_id_repeats", "Another line has this line_id already.",
		  "/lines/%zu/line_id", i);
}

static void check_line_ids(struct reader *r, const struct order *o, const struct json *lines)
{
	if (o->line_count <= PAIRWISE_MAX) {
		for (size_t i = 1; i < o->line_count; i++)
			for (size_t k = 0; k < i; k++)
				if (o->lines[i].line_id.n && str_eq(o->lines[i].line_id, o->lines[k].line_id)) {
					note_repeated(r, lines, i);
					break;
				}
		return;
	}
	struct map seen;
	map_init(&seen, ORDER_LINES_MAX);
	for (size_t i = 0; i < o->line_count; i++) {
		struct str id = o->lines[i].line_id;
		if (id.n && map_get(&seen, id))
			note_repeated(r, lines, i);
		else if (id.n && map_put(&seen, id, &o->lines[i]) != RC_OK)
			r->failed = true;
	}
	map_done(&seen);
}

static void read_order_line(struct reader *r, const struct json *j, size_t i, struct order_line *out)
{
	out->line_id = read_of_line(r, j, "line_id", i);
	out->sku = read_sku(r, j, i);
	out->quantity = read_quantity(r, j, i, READ_POSITIVE);
	out->uom = json_get_text(j, "uom");
	check_price(r, j, i, "unit_price");
	check_price(r, j, i, "list_price");
	check_price(r, j, i, "amount");
}

static int64_t read_version(struct reader *r, const struct json *doc)
{
	const struct json *value = json_get(doc, "version");
	int64_t version;

	if (!value)
		return read_instant(r, doc, "updated_at", false);
	if (json_int(value, &version) && version >= 0)
		return version;
	read_note(r, value, "wrong_type", "A version is a whole number that is not negative.", "/version");
	return 0;
}

/* What a line says it costs. A price for several units (price_per) says nothing without the amount. */
static bool line_value(const struct json *j, struct decimal *out)
{
	struct decimal price, quantity;

	if (decimal_parse(json_get_text(j, "amount"), out, NULL) == RC_OK)
		return true;
	return !json_get(j, "price_per") && decimal_parse(json_get_text(j, "unit_price"), &price, NULL) == RC_OK &&
	       decimal_parse(json_get_text(j, "quantity"), &quantity, NULL) == RC_OK &&
	       decimal_mul(price, quantity, out) == RC_OK;
}

static void read_value(const struct json *doc, const struct json *lines, struct order *o)
{
	struct decimal sum = {0}, one;

	o->value_known = decimal_parse(json_get_text(json_get(doc, "totals"), "total"), &o->value, NULL) == RC_OK;
	if (o->value_known)
		return;
	for (uint32_t i = 0; i < lines->count; i++)
		if (!line_value(&lines->items[i], &one) || decimal_add(sum, one, &sum) != RC_OK)
			return;
	o->value = sum;
	o->value_known = true;
}

enum rc order_read(struct arena *a, const struct json *doc, enum sku_case sku_case, struct order *out,
		   struct findings *f)
{
	struct reader r = {.arena = a, .findings = f, .at = "", .sku_case = sku_case};
	const struct json *address = json_get(json_get(json_get(doc, "parties"), "ship_to"), "address");

	*out = (struct order){
	    .channel = read_required(&r, doc, "channel", ""),
	    .external_id = read_required(&r, doc, "external_id", ""),
	    .currency = read_required(&r, doc, "currency", ""),
	    .customer_id = json_get_text(json_get(doc, "customer"), "external_id"),
	    .reservation_id = json_get_text(doc, "reservation_id"),
	    .placed_at = read_instant(&r, doc, "placed_at", true),
	    .version = read_version(&r, doc),
	    .ship_to = {.country = json_get_text(address, "country"),
			.postal_code = json_get_text(address, "postal_code")},
	};
	const struct json *lines = read_lines(&r, doc, ORDER_LINES_MAX);
	if (!lines)
		return RC_INVALID;
	out->lines = arena_array(a, struct order_line, lines->count);
	if (!out->lines)
		return RC_LIMIT;
	out->line_count = lines->count;
	for (size_t i = 0; i < out->line_count; i++)
		read_order_line(&r, &lines->items[i], i, &out->lines[i]);
	read_value(doc, lines, out);
	check_line_ids(&r, out, lines);
	return read_result(&r, out->lines);
}
