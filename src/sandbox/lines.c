/* Lines and shipments as several kinds of systems hold them. */
#include "sandbox/system.h"

#include <string.h>

static bool bad_lines(struct system *s, enum system_problem p, struct system_answer *a, const char *detail)
{
	system_problem(s, p, "%s", detail);
	system_refuse(a, 422, "bad_lines", detail);
	return false;
}

static bool read_line(struct system *s, const struct json *j, struct system_line *line, struct system_answer *a)
{
	struct str sku = json_get_text(j, "sku"), quantity = json_get_text(j, "quantity");
	if (sku.n == 0)
		return bad_lines(s, PROBLEM_BAD_BODY, a, "A line has no sku.");
	if (qty_parse(quantity, &line->quantity, NULL) || line->quantity <= 0)
		return bad_lines(s, PROBLEM_BAD_QUANTITY, a, "A line's quantity is not a decimal above zero.");
	line->line_id = system_keep(s, json_get_text(j, "line_id"));
	line->sku = system_keep(s, sku);
	line->location = system_keep(s, json_get_text(j, "location"));
	return true;
}

/* What is picked for a line: itself, or the components that it names. */
static uint32_t picks(const struct json *line)
{
	const struct json *components = json_get(line, "components");
	return json_is(components, JSON_ARRAY) ? components->count : 1;
}

static bool read_components(struct system *s, const struct json *j, struct system_line *out, struct system_answer *a)
{
	struct system_line line;
	if (!read_line(s, j, &line, a))
		return false;
	for (uint32_t i = 0; i < picks(j); i++) {
		if (!read_line(s, &json_get(j, "components")->items[i], &out[i], a))
			return false;
		out[i].line_id = line.line_id;
		out[i].location = line.location;
	}
	return true;
}

bool system_lines_read(struct system *s, const struct json *doc, struct system_lines *out, struct system_answer *a)
{
	const struct json *lines = json_get(doc, "lines");
	if (!json_is(lines, JSON_ARRAY) || lines->count == 0)
		return bad_lines(s, PROBLEM_BAD_BODY, a, "There are no lines.");
	out->count = 0;
	for (uint32_t i = 0; i < lines->count; i++)
		out->count += picks(&lines->items[i]);
	out->items = arena_array(&s->arena, struct system_line, out->count);
	if (!out->items) {
		s->full = true;
		system_refuse(a, 507, "sandbox_full", "The sandbox system can hold no more.");
		return false;
	}
	struct system_line *to = out->items;
	for (uint32_t i = 0; i < lines->count; i++) {
		const struct json *j = &lines->items[i];
		if (!(json_get(j, "components") ? read_components(s, j, to, a) : read_line(s, j, to, a)))
			return false;
		to += picks(j);
	}
	return true;
}

void system_lines_write(const struct system_lines *lines, struct json_writer *w)
{
	jw_key(w, "lines");
	jw_array(w);
	for (size_t i = 0; i < lines->count; i++) {
		jw_object(w);
		jw_opt_text(w, "line_id", lines->items[i].line_id);
		jw_key_text(w, "sku", lines->items[i].sku);
		jw_opt_text(w, "location", lines->items[i].location);
		jw_key_qty(w, "quantity", lines->items[i].quantity);
		jw_object_end(w);
	}
	jw_array_end(w);
}

struct system_shipment *system_shipment_read(struct system *s, struct map *shipments, const struct json *doc,
					     struct system_answer *a)
{
	struct str id = json_get_text(doc, "shipment_id"), order_id = json_get_text(doc, "order_id");
	if (id.n == 0 || order_id.n == 0) {
		system_problem(s, PROBLEM_BAD_BODY, "a shipment without its id or order");
		system_refuse(a, 422, "bad_shipment", "A shipment needs shipment_id and order_id.");
		return NULL;
	}
	if (map_get(shipments, id)) {
		system_problem(s, PROBLEM_TWICE, "shipment " STR_FMT, STR_ARG(id));
		a->status = 200;
		buf_add_z(&a->body, "{}");
		return NULL;
	}
	struct system_shipment *ship = arena_new(&s->arena, struct system_shipment);
	if (!ship || !system_lines_read(s, doc, &ship->lines, a))
		return NULL;
	ship->shipment_id = system_keep(s, id);
	ship->order_id = system_keep(s, order_id);
	ship->external_id = system_keep(s, json_get_text(doc, "order_external_id"));
	if (!system_put(s, shipments, ship->shipment_id, ship, a))
		return NULL;
	a->status = 200;
	buf_add_z(&a->body, "{}");
	return ship;
}

void system_shipments_write(const struct map *shipments, struct json_writer *w)
{
	size_t at = 0;
	const struct system_shipment *ship;
	struct str key;
	jw_key(w, "shipments");
	jw_array(w);
	while ((ship = map_next(shipments, &at, &key)) != NULL) {
		jw_object(w);
		jw_key_text(w, "shipment_id", ship->shipment_id);
		jw_key_text(w, "order_id", ship->order_id);
		jw_opt_text(w, "order_external_id", ship->external_id);
		system_lines_write(&ship->lines, w);
		jw_object_end(w);
	}
	jw_array_end(w);
}
