#include "format/json_diff.h"

#include <string.h>

struct diff {
	struct arena *arena;
	struct json_writer *w;
	uint32_t changes;
};

static const char *below(struct diff *d, const char *pointer, struct str name)
{
	size_t n = strlen(pointer), at = n + 1;
	char *out = arena_alloc(d->arena, n + 2 + 2 * name.n);

	if (!out)
		return pointer;
	memcpy(out, pointer, n);
	out[n] = '/';
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '~' || name.p[i] == '/') {
			out[at++] = '~';
			out[at++] = name.p[i] == '~' ? '0' : '1';
		} else {
			out[at++] = name.p[i];
		}
	}
	out[at] = '\0';
	return out;
}

static void change(struct diff *d, const char *op, const char *pointer, const struct json *from, const struct json *to)
{
	if (d->changes > JSON_DIFF_MAX)
		return;
	jw_object(d->w);
	jw_key_text(d->w, "op", d->changes == JSON_DIFF_MAX ? STR("more") : str_from(op));
	if (d->changes++ < JSON_DIFF_MAX) {
		jw_key_text(d->w, "pointer", str_from(pointer));
		if (from) {
			jw_key(d->w, "from");
			jw_value(d->w, from);
		}
		if (to) {
			jw_key(d->w, "to");
			jw_value(d->w, to);
		}
	}
	jw_object_end(d->w);
}

static void compare(struct diff *d, const char *pointer, const struct json *a, const struct json *b);

static void compare_objects(struct diff *d, const char *pointer, const struct json *a, const struct json *b)
{
	for (uint32_t i = 0; i < a->count; i++) {
		const struct json *other = json_get_str(b, a->members[i].name);
		const char *at = below(d, pointer, a->members[i].name);

		if (other)
			compare(d, at, &a->members[i].value, other);
		else
			change(d, "remove", at, &a->members[i].value, NULL);
	}
	for (uint32_t i = 0; i < b->count; i++)
		if (!json_get_str(a, b->members[i].name))
			change(d, "add", below(d, pointer, b->members[i].name), NULL, &b->members[i].value);
}

static void compare_arrays(struct diff *d, const char *pointer, const struct json *a, const struct json *b)
{
	for (uint32_t i = 0; i < a->count || i < b->count; i++) {
		char *number = arena_printf(d->arena, "%u", i);
		const char *at = below(d, pointer, number ? str_from(number) : STR("?"));

		if (i >= a->count)
			change(d, "add", at, NULL, &b->items[i]);
		else if (i >= b->count)
			change(d, "remove", at, &a->items[i], NULL);
		else
			compare(d, at, &a->items[i], &b->items[i]);
	}
}

/* Recursion is bounded by the depth that the parser allows. */
static void compare(struct diff *d, const char *pointer, const struct json *a, const struct json *b)
{
	if (json_equal(a, b))
		return;
	if (a->type == JSON_OBJECT && b->type == JSON_OBJECT)
		compare_objects(d, pointer, a, b);
	else if (a->type == JSON_ARRAY && b->type == JSON_ARRAY)
		compare_arrays(d, pointer, a, b);
	else
		change(d, "replace", pointer, a, b);
}

void json_diff(struct arena *a, struct str before, struct str after, struct json_writer *w)
{
	const struct json_limits limits = {.bytes = 16u << 20, .depth = 64, .nodes = 1u << 20};
	struct diff d = {.arena = a, .w = w};
	struct json *x = NULL, *y = NULL;

	jw_array(w);
	if (!str_eq(before, after)) {
		if (json_parse(a, before, &limits, &x, NULL) == RC_OK &&
		    json_parse(a, after, &limits, &y, NULL) == RC_OK)
			compare(&d, "", x, y);
		else
			change(&d, "replace", "", NULL, NULL);
	}
	jw_array_end(w);
}
