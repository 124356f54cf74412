#include "orchestrate/order/progress.h"

#define PROGRESS_LIMITS ((struct json_limits){.bytes = 16u << 20, .depth = 16, .nodes = 1u << 20})

/* ---- writing ---- */

static void write_qty(struct json_writer *w, qty_t q)
{
	char text[DECIMAL_TEXT_MAX];

	jw_text(w, (struct str){text, qty_format(q, text)});
}

/* Strings up to the last one that says something. */
static void write_tail(struct json_writer *w, const qty_t *quantities, size_t count)
{
	while (count > 0 && quantities[count - 1] == 0)
		count--;
	for (size_t i = 0; i < count; i++)
		write_qty(w, quantities[i]);
}

static void write_allocation(struct json_writer *w, const struct order_book *b, const struct allocation *a)
{
	const struct stock_position *p = &a->place->position;
	const qty_t more[] = {a->released, a->picked};

	jw_array(w);
	jw_text(w, b->tenant->locations[p->location].name);
	write_qty(w, a->allocated + a->picked);
	if (p->lot.n) {
		write_qty(w, a->released);
		write_qty(w, a->picked);
		jw_text(w, p->lot);
	} else {
		write_tail(w, more, 2);
	}
	jw_array_end(w);
}

static void write_line(struct json_writer *w, const struct order_book *b, const struct order_line_open *l)
{
	const qty_t more[] = {l->backordered, l->shipped, l->cancelled};

	jw_array(w);
	jw_text(w, l->line_id);
	jw_text(w, l->sku);
	write_qty(w, l->ordered);
	jw_array(w);
	for (uint32_t i = 0; i < l->allocation_count; i++)
		if (l->allocations[i].allocated + l->allocations[i].picked != 0)
			write_allocation(w, b, &l->allocations[i]);
	jw_array_end(w);
	write_tail(w, more, 3);
	jw_array_end(w);
}

void order_progress_write(struct buf *out, const struct order_book *b, const struct order_open *o)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "l");
	jw_array(&w);
	for (uint32_t i = 0; i < o->line_count; i++)
		write_line(&w, b, &o->lines[i]);
	jw_array_end(&w);
	if (o->external.id.p) {
		jw_key(&w, "x");
		jw_object(&w);
		jw_key_str(&w, b->tenant->systems[o->external.system].name);
		jw_text(&w, o->external.id);
		jw_object_end(&w);
	}
	if (o->await) {
		jw_key(&w, "w");
		jw_array(&w);
		jw_int(&w, o->await->exception);
		jw_text(&w, o->await->exception_id);
		jw_array_end(&w);
	}
	if (o->country.n || o->postal_code.n) {
		jw_key(&w, "s");
		jw_object(&w);
		jw_opt_text(&w, "country", o->country);
		jw_opt_text(&w, "postal_code", o->postal_code);
		jw_object_end(&w);
	}
	jw_object_end(&w);
}

void order_progress_add_external(struct buf *out, struct str progress, struct str system, struct str id)
{
	struct json_writer w;

	buf_add(out, progress.p, progress.n - 1);
	buf_add_z(out, ",\"x\":");
	jw_init(&w, out);
	jw_object(&w);
	jw_key_str(&w, system);
	jw_text(&w, id);
	jw_object_end(&w);
	buf_add_char(out, '}');
}

/* ---- reading ---- */

struct object {
	struct json_member members[10];
	uint32_t count;
};

static void add(struct object *o, const char *name, const struct json *value)
{
	o->members[o->count++] = (struct json_member){str_from(name), *value};
}

static bool finish(struct arena *a, const struct object *o, struct json *out)
{
	struct json_member *m = arena_array(a, struct json_member, o->count);

	if (!m)
		return false;
	memcpy(m, o->members, o->count * sizeof(*m));
	*out = (struct json){.type = JSON_OBJECT, .count = o->count, .members = m};
	return true;
}

/* A string at a place of an array; NULL if it is not there or empty. */
static const struct json *name_at(const struct json *array, uint32_t at)
{
	const struct json *j = at < array->count ? &array->items[at] : NULL;

	return json_is(j, JSON_STRING) && j->count > 0 ? j : NULL;
}

/* The same of a quantity; NULL as well if it is zero. */
static const struct json *said(const struct json *array, uint32_t at)
{
	const struct json *j = name_at(array, at);

	return j && !str_is(json_text(j), "0") ? j : NULL;
}

static qty_t quantity(const struct json *j)
{
	qty_t q = 0;

	return j && qty_parse(json_text(j), &q, NULL) == RC_OK ? q : 0;
}

static bool add_sum(struct arena *a, struct object *o, const char *name, qty_t sum)
{
	char text[DECIMAL_TEXT_MAX];
	struct str s = {text, qty_format(sum, text)};

	if (sum == 0)
		return true;
	s = arena_copy(a, s);
	if (!s.p)
		return false;
	add(o, name, &(struct json){.type = JSON_STRING, .count = (uint32_t)s.n, .text = s.p});
	return true;
}

static bool read_allocations(struct arena *a, const struct json *from, struct json *out, qty_t *reserved,
			     qty_t *released)
{
	struct json *items = arena_array(a, struct json, from->count);

	if (!items)
		return false;
	for (uint32_t i = 0; i < from->count; i++) {
		static const char *const names[] = {"location", "quantity", "released", "picked", "lot"};
		const struct json *j = &from->items[i];
		struct object o = {.count = 0};

		if (!json_is(j, JSON_ARRAY) || j->count < 2)
			return false;
		for (uint32_t n = 0; n < 5; n++) {
			const struct json *value = n == 0 || n == 4 ? name_at(j, n) : said(j, n);

			if (value)
				add(&o, names[n], value);
		}
		*reserved += quantity(said(j, 1));
		*released += quantity(said(j, 2));
		if (!finish(a, &o, &items[i]))
			return false;
	}
	*out = (struct json){.type = JSON_ARRAY, .count = from->count, .items = items};
	return true;
}

static bool read_line(struct arena *a, const struct json *j, struct json *out)
{
	static const char *const names[] = {"line_id", "sku", "ordered", NULL, "backordered", "shipped", "cancelled"};
	qty_t reserved = 0, released = 0;
	struct object o = {.count = 0};
	struct json allocations;

	if (!json_is(j, JSON_ARRAY) || j->count < 4 || !json_is(&j->items[3], JSON_ARRAY) ||
	    !json_is(&j->items[0], JSON_STRING) || !json_is(&j->items[1], JSON_STRING))
		return false;
	add(&o, names[0], &j->items[0]);
	add(&o, names[1], &j->items[1]);
	for (uint32_t n = 2; n < 7; n++)
		if (names[n] && said(j, n))
			add(&o, names[n], said(j, n));
	if (!read_allocations(a, &j->items[3], &allocations, &reserved, &released))
		return false;
	if (allocations.count > 0)
		add(&o, "allocations", &allocations);
	return add_sum(a, &o, "reserved", reserved) && add_sum(a, &o, "released", released) && finish(a, &o, out);
}

enum rc order_progress_read(struct arena *a, struct str text, struct json **out, struct err *e)
{
	struct json *stored, *lines, all;
	const struct json *from, *external;
	struct object o = {.count = 0};

	if (json_parse(a, text, &PROGRESS_LIMITS, &stored, NULL) != RC_OK)
		goto damaged;
	from = json_get(stored, "l");
	external = json_get(stored, "x");
	if (!json_is(from, JSON_ARRAY))
		goto damaged;
	lines = arena_array(a, struct json, from->count);
	if (!lines)
		goto damaged;
	for (uint32_t i = 0; i < from->count; i++)
		if (!read_line(a, &from->items[i], &lines[i]))
			goto damaged;
	all = (struct json){.type = JSON_ARRAY, .count = from->count, .items = lines};
	add(&o, "lines", &all);
	if (json_is(external, JSON_OBJECT))
		add(&o, "external_ids", external);
	if (json_is(json_get(stored, "s"), JSON_OBJECT))
		add(&o, "ship_to", json_get(stored, "s"));
	if (json_is(json_get(stored, "w"), JSON_ARRAY))
		add(&o, "await", json_get(stored, "w"));
	*out = arena_new(a, struct json);
	if (*out && finish(a, &o, *out))
		return RC_OK;
damaged:
	return err_set(e, RC_IO, "store_damaged", "the progress of an order is damaged");
}
