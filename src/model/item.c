#include "model/item.h"

#include "model/read.h"

/* A list of objects or texts: its items' number, 0 if there is none; a finding if it is none or too long. */
static uint32_t list_of(struct reader *r, const struct json *doc, const char *name, uint32_t max,
			const struct json **out)
{
	const struct json *list = json_get(doc, name);

	*out = list;
	if (!list)
		return 0;
	if (list->type != JSON_ARRAY || list->count > max) {
		read_note(r, list, list->type == JSON_ARRAY ? "too_many_items" : "wrong_type",
			  "This must be a list, and not a longer one than allowed.", "/%s", name);
		return 0;
	}
	return list->count;
}

static qty_t positive(struct reader *r, const struct json *j, const char *list, uint32_t i, const char *name)
{
	const struct json *value = json_get(j, name);
	struct err e = ERR_NONE;
	qty_t q = 0;

	if (!json_is(value, JSON_STRING))
		read_note(r, value ? value : j, value ? "wrong_type" : "required",
			  "A quantity is a decimal number as text.", "/%s/%u/%s", list, i, name);
	else if (qty_parse(json_text(value), &q, &e) != RC_OK)
		read_note(r, value, e.code, e.detail, "/%s/%u/%s", list, i, name);
	else if (q <= 0)
		read_note(r, value, "not_positive", "This must be more than 0.", "/%s/%u/%s", list, i, name);
	return q;
}

static struct str text_of(struct reader *r, const struct json *j, const char *list, uint32_t i, const char *name)
{
	struct str text = name ? json_get_text(j, name) : json_text(j);

	if (!text.n)
		read_note(r, j, "required", "This is missing or empty.", "/%s/%u%s%s", list, i, name ? "/" : "",
			  name ? name : "");
	return text;
}

static struct str sku_of(struct reader *r, const struct json *j, const char *list, uint32_t i, const char *name)
{
	struct str sku = text_of(r, j, list, i, name), made = sku_apply_case(r->arena, sku, r->sku_case);

	if (made.n < sku.n)
		r->full = true;
	return made;
}

static void *room(struct reader *r, size_t count, size_t size)
{
	void *p = count ? arena_alloc(r->arena, count * size) : NULL;

	if (count && !p)
		r->full = true;
	return p;
}

static void read_parts(struct reader *r, const struct json *doc, struct item_record *out)
{
	const struct json *list;
	uint32_t n = list_of(r, doc, "components", ITEM_COMPONENTS_MAX, &list);

	out->components = room(r, n, sizeof(*out->components));
	for (uint32_t i = 0; out->components && i < n; i++) {
		struct item_part *p = &out->components[out->component_count++];

		p->sku = sku_of(r, &list->items[i], "components", i, "sku");
		p->quantity = positive(r, &list->items[i], "components", i, "quantity");
		if (p->sku.n && str_eq(p->sku, out->sku))
			read_note(r, &list->items[i], "kit_cycle", "A kit cannot contain itself.", "/components/%u/sku",
				  i);
		for (uint32_t k = 0; k < i; k++)
			if (str_eq(p->sku, out->components[k].sku))
				read_note(r, &list->items[i], "repeated", "This component is named twice.",
					  "/components/%u/sku", i);
	}
}

static void read_units(struct reader *r, const struct json *doc, struct item_record *out)
{
	const struct json *list;
	uint32_t n = list_of(r, doc, "uoms", 50, &list);

	out->units = room(r, n, sizeof(*out->units));
	for (uint32_t i = 0; out->units && i < n; i++) {
		struct item_unit *u = &out->units[out->unit_count++];

		u->uom = text_of(r, &list->items[i], "uoms", i, "uom");
		u->factor = positive(r, &list->items[i], "uoms", i, "factor");
		if (str_eq(u->uom, out->base_uom) && u->factor != QTY_ONE)
			read_note(r, &list->items[i], "base_uom", "The base unit is one of itself.", "/uoms/%u/factor",
				  i);
		for (uint32_t k = 0; k < i; k++)
			if (str_eq(u->uom, out->units[k].uom))
				read_note(r, &list->items[i], "repeated", "This unit is named twice.", "/uoms/%u/uom",
					  i);
	}
	if (n && !out->base_uom.n)
		read_note(r, doc, "required", "Other units need a base unit.", "/base_uom");
}

static void read_substitutes(struct reader *r, const struct json *doc, struct item_record *out)
{
	const struct json *list;
	uint32_t n = list_of(r, doc, "substitutes", 50, &list);
	struct str first = sku_apply_case(r->arena, json_get_text(doc, "replaced_by"), r->sku_case);

	out->substitutes = room(r, n + 1, sizeof(*out->substitutes));
	if (out->substitutes && first.n)
		out->substitutes[out->substitute_count++] = first;
	for (uint32_t i = 0; out->substitutes && i < n; i++) {
		struct str sku = sku_of(r, &list->items[i], "substitutes", i, NULL);

		if (!str_eq(sku, first))
			out->substitutes[out->substitute_count++] = sku;
	}
}

static void read_aliases(struct reader *r, const struct json *doc, struct item_record *out)
{
	const struct json *list;
	uint32_t n = list_of(r, doc, "aliases", ITEM_ALIASES_MAX, &list);

	out->aliases = room(r, n, sizeof(*out->aliases));
	for (uint32_t i = 0; out->aliases && i < n; i++) {
		struct item_name *a = &out->aliases[out->alias_count++];

		a->system = text_of(r, &list->items[i], "aliases", i, "system");
		a->sku = sku_of(r, &list->items[i], "aliases", i, "sku");
	}
}

static enum item_serials read_serial_level(struct reader *r, const struct json *doc, bool tracked)
{
	const struct json *level = json_get(doc, "serial_level");

	if (!level)
		return tracked ? ITEM_SERIALS_FULL : ITEM_SERIALS_NONE;
	if (!tracked)
		read_note(r, level, "not_applicable", "Only an item that is tracked by serial has a level of it.",
			  "/serial_level");
	else if (str_is(json_text(level), "shipment"))
		return ITEM_SERIALS_SHIPMENT;
	else if (str_is(json_text(level), "full"))
		return ITEM_SERIALS_FULL;
	else
		read_note(r, level, "not_in_enum", "This is shipment or full.", "/serial_level");
	return ITEM_SERIALS_NONE;
}

enum rc item_record_read(struct arena *a, const struct json *doc, enum sku_case sku_case, struct item_record *out,
			 struct findings *f)
{
	struct reader r = {.arena = a, .findings = f, .at = "", .sku_case = sku_case};
	struct str tracking = json_get_text(doc, "tracking"), status = json_get_text(doc, "status");
	struct str sku = read_required(&r, doc, "sku", "");
	int64_t days = 0;

	*out = (struct item_record){
	    .sku = sku_apply_case(a, sku, sku_case),
	    .base_uom = json_get_text(doc, "base_uom"),
	    .lot_tracked = str_is(tracking, "lot") || str_is(tracking, "lot_and_serial"),
	    .serials = read_serial_level(&r, doc, str_is(tracking, "serial") || str_is(tracking, "lot_and_serial")),
	    .discontinued = str_is(status, "discontinued"),
	    .blocked = str_is(status, "blocked"),
	};
	if (json_int(json_get(doc, "shelf_life_days"), &days) && days >= 0 && days <= 36500)
		out->shelf_life_days = (int32_t)days;
	if (out->sku.n < sku.n)
		r.full = true;
	read_parts(&r, doc, out);
	read_units(&r, doc, out);
	read_substitutes(&r, doc, out);
	read_aliases(&r, doc, out);
	return read_result(&r, out);
}

static bool has_rules(const struct item_record *r)
{
	return r->lot_tracked || r->serials || r->discontinued || r->blocked || r->shelf_life_days ||
	       r->component_count || r->unit_count || r->substitute_count || r->alias_count;
}

static void write_lists(struct json_writer *w, const struct item_record *r)
{
	if (r->component_count) {
		jw_key(w, "components");
		jw_array(w);
		for (uint32_t i = 0; i < r->component_count; i++) {
			jw_object(w);
			jw_key_text(w, "sku", r->components[i].sku);
			jw_key_qty(w, "quantity", r->components[i].quantity);
			jw_object_end(w);
		}
		jw_array_end(w);
	}
	if (r->unit_count) {
		jw_key(w, "uoms");
		jw_array(w);
		for (uint32_t i = 0; i < r->unit_count; i++) {
			jw_object(w);
			jw_key_text(w, "uom", r->units[i].uom);
			jw_key_qty(w, "factor", r->units[i].factor);
			jw_object_end(w);
		}
		jw_array_end(w);
	}
	if (r->substitute_count) {
		jw_key(w, "substitutes");
		jw_array(w);
		for (uint32_t i = 0; i < r->substitute_count; i++)
			jw_text(w, r->substitutes[i]);
		jw_array_end(w);
	}
	if (r->alias_count) {
		jw_key(w, "aliases");
		jw_array(w);
		for (uint32_t i = 0; i < r->alias_count; i++) {
			jw_object(w);
			jw_key_text(w, "system", r->aliases[i].system);
			jw_key_text(w, "sku", r->aliases[i].sku);
			jw_object_end(w);
		}
		jw_array_end(w);
	}
}

void item_record_write(struct buf *out, const struct item_record *r)
{
	struct json_writer w;

	if (!has_rules(r))
		return;
	jw_init(&w, out);
	jw_object(&w);
	jw_key_text(&w, "sku", r->sku);
	jw_opt_text(&w, "base_uom", r->base_uom);
	if (r->discontinued || r->blocked)
		jw_key_text(&w, "status", r->blocked ? STR("blocked") : STR("discontinued"));
	if (r->lot_tracked || r->serials)
		jw_key_text(&w, "tracking",
			    !r->serials      ? STR("lot")
			    : r->lot_tracked ? STR("lot_and_serial")
					     : STR("serial"));
	if (r->serials == ITEM_SERIALS_SHIPMENT)
		jw_key_text(&w, "serial_level", STR("shipment"));
	if (r->shelf_life_days)
		jw_key_int(&w, "shelf_life_days", r->shelf_life_days);
	write_lists(&w, r);
	jw_object_end(&w);
}
