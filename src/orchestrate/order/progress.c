#include "orchestrate/order/progress.h"

#include "orchestrate/order/book.h"

#include <assert.h>

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
	if (p->lot.n || p->owner.n) {
		write_qty(w, a->released);
		write_qty(w, a->picked);
		jw_text(w, p->lot);
		if (p->owner.n)
			jw_text(w, p->owner);
	} else {
		write_tail(w, more, 2);
	}
	jw_array_end(w);
}

/* Of one of the line's parts. */
static void write_allocations(struct json_writer *w, const struct order_book *b, const struct order_line_open *l,
			      const struct stock_item *item)
{
	jw_array(w);
	for (uint32_t i = 0; i < l->allocation_count; i++)
		if (l->allocations[i].place->item == item &&
		    l->allocations[i].allocated + l->allocations[i].picked != 0)
			write_allocation(w, b, &l->allocations[i]);
	jw_array_end(w);
}

static void write_parts(struct json_writer *w, const struct order_book *b, const struct order_line_open *l)
{
	jw_array(w);
	for (uint32_t i = 0; i < l->part_count; i++) {
		const struct order_part *p = &l->parts[i];

		jw_array(w);
		jw_text(w, p->item->sku);
		write_qty(w, p->per);
		write_qty(w, p->shipped);
		write_allocations(w, b, l, p->item);
		jw_array_end(w);
	}
	jw_array_end(w);
}

/* Where lines are allocated as a whole, with nothing else to tell of them. */
struct whole {
	const struct config_location *at;
	bool released;
};

/* False: there is more to tell of this line. */
static bool is_whole(const struct order_book *b, const struct order_line_open *l, struct whole *out)
{
	const struct allocation *a = l->allocations;
	const struct stock_position *p;

	if (order_is_composed(l) || l->allocation_count != 1 || a->allocated == 0 || a->allocated != l->ordered ||
	    a->picked != 0 || (a->released != 0 && a->released != l->ordered) || l->backordered != 0 ||
	    l->shipped != 0 || l->cancelled != 0)
		return false;
	p = &a->place->position;
	*out = (struct whole){&b->tenant->locations[p->location], a->released != 0};
	return p->lot.n == 0 && p->owner.n == 0;
}

static void write_line(struct json_writer *w, const struct order_book *b, const struct order_line_open *l,
		       const struct whole *whole)
{
	const qty_t more[] = {l->backordered, l->shipped, l->cancelled};
	bool composed = order_is_composed(l);
	struct whole its;

	jw_array(w);
	jw_text(w, l->line_id);
	jw_text(w, l->sku);
	write_qty(w, l->ordered);
	if (is_whole(b, l, &its) && its.at == whole->at && its.released == whole->released) {
		/* that is all */
	} else if (!composed) {
		write_allocations(w, b, l, l->item);
		write_tail(w, more, 3);
	} else {
		jw_array(w);
		jw_array_end(w);
		for (size_t i = 0; i < 3; i++)
			write_qty(w, more[i]);
		write_parts(w, b, l);
		if (l->substitute)
			jw_text(w, l->substitute->sku);
	}
	jw_array_end(w);
}

static struct whole first_whole(const struct order_book *b, const struct order_open *o)
{
	struct whole whole;

	for (uint32_t i = 0; i < o->line_count; i++)
		if (is_whole(b, &o->lines[i], &whole))
			return whole;
	return (struct whole){NULL, false};
}

void order_progress_write(struct buf *out, const struct order_book *b, const struct order_open *o)
{
	struct whole whole = first_whole(b, o);
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "l");
	jw_array(&w);
	for (uint32_t i = 0; i < o->line_count; i++)
		write_line(&w, b, &o->lines[i], &whole);
	jw_array_end(&w);
	if (whole.at) {
		jw_key(&w, "a");
		jw_array(&w);
		jw_text(&w, whole.at->name);
		if (whole.released)
			jw_text(&w, STR("1"));
		jw_array_end(&w);
	}
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
	if (o->untold.n) {
		jw_key(&w, "c");
		jw_array(&w);
		jw_raw(&w, o->untold);
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
	struct json_member members[12];
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

	return j && j->type == JSON_STRING && j->count > 0 ? j : NULL;
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

/* What allocations add up to. */
struct sums {
	qty_t reserved, released;
};

/* sku: of a component, or NULL. */
static bool read_allocations(struct arena *a, const struct json *from, const struct json *sku, struct json *out,
			     struct sums *sums)
{
	for (uint32_t i = 0; i < from->count; i++) {
		static const char *const names[] = {"location", "quantity", "released", "picked", "lot", "owner"};
		const struct json *j = &from->items[i];
		struct object o = {.count = 0};

		if (!json_is(j, JSON_ARRAY) || j->count < 2)
			return false;
		if (sku)
			add(&o, "sku", sku);
		for (uint32_t n = 0; n < 6; n++) {
			const struct json *value = n == 0 || n >= 4 ? name_at(j, n) : said(j, n);

			if (value)
				add(&o, names[n], value);
		}
		sums->reserved += quantity(said(j, 1));
		sums->released += quantity(said(j, 2));
		if (!finish(a, &o, &out[i]))
			return false;
	}
	return true;
}

static bool is_part(const struct json *j)
{
	return json_is(j, JSON_ARRAY) && j->count == 4 && name_at(j, 0) && quantity(said(j, 1)) > 0 &&
	       json_is(&j->items[3], JSON_ARRAY);
}

static qty_t whole(qty_t there, qty_t per, qty_t total)
{
	qty_t kits;

	assert(per > 0); /* is_part */
	if (there >= allocate_times(total, per))
		return total;
	kits = there / per * QTY_ONE;
	return kits < total ? kits : total;
}

/* The components of a kit, and all of their allocations; sums: in kits. */
static bool read_parts(struct arena *a, const struct json *from, qty_t total, qty_t shipped, struct json *components,
		       struct json *allocations, struct sums *sums)
{
	struct json *items = arena_array(a, struct json, from->count), *all;
	uint32_t count = 0;

	for (uint32_t i = 0; i < from->count; i++) {
		if (!is_part(&from->items[i]))
			return false;
		count += from->items[i].items[3].count;
	}
	all = arena_array(a, struct json, count);
	if (!items || !all)
		return false;
	*allocations = (struct json){.type = JSON_ARRAY, .count = count, .items = all};
	*sums = (struct sums){total, total};
	for (uint32_t i = 0; i < from->count; i++) {
		const struct json *j = &from->items[i];
		qty_t per = quantity(said(j, 1)), gone = quantity(said(j, 2)), kits;
		struct sums of = {0, 0};
		struct object o = {.count = 0};

		add(&o, "sku", &j->items[0]);
		add(&o, "quantity", &j->items[1]);
		if (said(j, 2))
			add(&o, "shipped", said(j, 2));
		if (!read_allocations(a, &j->items[3], &j->items[0], all, &of) || !finish(a, &o, &items[i]))
			return false;
		all += j->items[3].count;
		kits = whole(gone + of.reserved, per, total);
		sums->reserved = kits < sums->reserved ? kits : sums->reserved;
		kits = whole(gone + of.released, per, total);
		sums->released = kits < sums->released ? kits : sums->released;
	}
	*components = (struct json){.type = JSON_ARRAY, .count = from->count, .items = items};
	if (!from->count)
		*sums = (struct sums){shipped, shipped};
	sums->reserved -= shipped;
	sums->released = sums->released > shipped ? sums->released - shipped : 0;
	return true;
}

/* What a line that ends after its quantity leaves out: one allocation of all of it, at "a". */
static const struct json *unsaid(struct arena *a, const struct json *line, const struct json *at)
{
	struct json *all = arena_array(a, struct json, 5);

	if (!all || !json_is(at, JSON_ARRAY) || !name_at(at, 0) || line->count != 3)
		return NULL;
	all[0] = (struct json){.type = JSON_ARRAY, .count = 1, .items = &all[1]};
	all[1] = (struct json){.type = JSON_ARRAY, .count = said(at, 1) ? 3 : 2, .items = &all[2]};
	all[2] = at->items[0];
	all[3] = all[4] = line->items[2];
	return all;
}

static bool read_line(struct arena *a, const struct json *j, const struct json *at, struct json *out)
{
	static const char *const names[] = {"line_id", "sku", "ordered", NULL, "backordered", "shipped", "cancelled"};
	struct sums sums = {0, 0};
	struct object o = {.count = 0};
	struct json allocations, components = {.count = 0};
	const struct json *allocated;

	if (!json_is(j, JSON_ARRAY) || j->count < 3 || !json_is(&j->items[0], JSON_STRING) ||
	    !json_is(&j->items[1], JSON_STRING))
		return false;
	allocated = j->count > 3 ? &j->items[3] : unsaid(a, j, at);
	if (!json_is(allocated, JSON_ARRAY))
		return false;
	add(&o, names[0], &j->items[0]);
	add(&o, names[1], &j->items[1]);
	for (uint32_t n = 2; n < 7; n++)
		if (names[n] && said(j, n))
			add(&o, names[n], said(j, n));
	if (j->count > 7) {
		qty_t total = quantity(said(j, 2)) - quantity(said(j, 6));

		if (!json_is(&j->items[7], JSON_ARRAY) ||
		    !read_parts(a, &j->items[7], total, quantity(said(j, 5)), &components, &allocations, &sums))
			return false;
		if (name_at(j, 8))
			add(&o, "substitute", name_at(j, 8));
		add(&o, "components", &components);
	} else {
		struct json *items = arena_array(a, struct json, allocated->count);

		if (!items || !read_allocations(a, allocated, NULL, items, &sums))
			return false;
		allocations = (struct json){.type = JSON_ARRAY, .count = allocated->count, .items = items};
	}
	if (allocations.count > 0)
		add(&o, "allocations", &allocations);
	return add_sum(a, &o, "reserved", sums.reserved) && add_sum(a, &o, "released", sums.released) &&
	       finish(a, &o, out);
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
		if (!read_line(a, &from->items[i], json_get(stored, "a"), &lines[i]))
			goto damaged;
	all = (struct json){.type = JSON_ARRAY, .count = from->count, .items = lines};
	add(&o, "lines", &all);
	if (json_is(external, JSON_OBJECT))
		add(&o, "external_ids", external);
	if (json_is(json_get(stored, "s"), JSON_OBJECT))
		add(&o, "ship_to", json_get(stored, "s"));
	if (json_is(json_get(stored, "w"), JSON_ARRAY))
		add(&o, "await", json_get(stored, "w"));
	if (json_is(json_get(stored, "c"), JSON_ARRAY))
		add(&o, "consigned", json_get(stored, "c"));
	*out = arena_new(a, struct json);
	if (*out && finish(a, &o, *out))
		return RC_OK;
damaged:
	return err_set(e, RC_IO, "store_damaged", "the progress of an order is damaged");
}

struct str order_progress_external(struct arena *a, struct str text, struct str system)
{
	static const char member[] = "\"x\":{";
	struct json *progress;

	if (!text.n || !memmem(text.p, text.n, member, sizeof(member) - 1) ||
	    order_progress_read(a, text, &progress, NULL) != RC_OK)
		return STR_NONE;
	return json_text(json_get_str(json_get(progress, "external_ids"), system));
}
