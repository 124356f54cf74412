#include "model/schema_node.h"

#include <stdio.h>

static struct str pointer_escape(struct arena *a, struct str token)
{
	char *out = arena_alloc(a, token.n * 2 + 1);
	size_t n = 0;
	if (!out)
		return STR_NONE;
	for (size_t i = 0; i < token.n; i++) {
		if (token.p[i] == '~' || token.p[i] == '/') {
			out[n++] = '~';
			out[n++] = token.p[i] == '~' ? '0' : '1';
		} else {
			out[n++] = token.p[i];
		}
	}
	return (struct str){out, n};
}

struct str schema_pointer_add(struct arena *a, struct str pointer, struct str token)
{
	struct str escaped = pointer_escape(a, token);
	return str_from(arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(pointer), STR_ARG(escaped)));
}

enum rc schema_error(const struct schema *s, const char *keyword, struct err *e, const char *code, const char *detail)
{
	char where[sizeof(e->where)];
	snprintf(where, sizeof(where), STR_FMT "#" STR_FMT "%s%s", STR_ARG(s->document->file), STR_ARG(s->pointer),
		 keyword ? "/" : "", keyword ? keyword : "");
	return err_set_at(e, RC_INVALID, code, where, "%s", detail);
}

struct index {
	struct schema_registry *r;
	struct schema_document *document;
	struct err *e;
};

static enum rc add_target(struct index *x, struct str uri, const struct json *json, struct str base, struct str pointer)
{
	struct schema_target *t = arena_new(&x->r->arena, struct schema_target);
	if (!t)
		return err_set(x->e, RC_LIMIT, "schemas_too_large", "The schemas are too large.");
	*t =
	    (struct schema_target){.uri = uri, .json = json, .document = x->document, .base = base, .pointer = pointer};
	const struct schema_target *old = map_get(&x->r->targets, uri);
	if (old && old->json != json)
		return err_set_at(x->e, RC_CONFLICT, "schema_exists", "",
				  "There are two schemas with the id " STR_FMT ".", STR_ARG(uri));
	return map_put(&x->r->targets, uri, t);
}

static enum rc index_anchor(struct index *x, const struct json *j, const char *keyword, struct str base,
			    struct str pointer)
{
	struct str name = json_get_text(j, keyword);
	if (name.n == 0)
		return RC_OK;
	char *uri = arena_printf(&x->r->arena, STR_FMT "#" STR_FMT, STR_ARG(base), STR_ARG(name));
	return add_target(x, str_from(uri), j, base, pointer);
}

static enum rc index_schema(struct index *x, const struct json *j, struct str base, struct str pointer);

/* The schemas that one keyword holds. */
static enum rc index_keyword(struct index *x, const struct json_member *m, struct str base, struct str pointer)
{
	struct arena *a = &x->r->arena;
	enum keyword_holds holds = schema_keyword_holds(m->name);
	struct str here = schema_pointer_add(a, pointer, m->name);
	enum rc rc = RC_OK;

	if (holds == HOLDS_SCHEMA)
		return index_schema(x, &m->value, base, here);
	if (holds == HOLDS_SCHEMA_LIST && m->value.type == JSON_ARRAY) {
		for (uint32_t i = 0; rc == RC_OK && i < m->value.count; i++)
			rc = index_schema(x, &m->value.items[i], base,
					  str_from(arena_printf(a, STR_FMT "/%u", STR_ARG(here), i)));
	}
	if (holds == HOLDS_SCHEMA_MAP && m->value.type == JSON_OBJECT) {
		for (uint32_t i = 0; rc == RC_OK && i < m->value.count; i++)
			rc = index_schema(x, &m->value.members[i].value, base,
					  schema_pointer_add(a, here, m->value.members[i].name));
	}
	return rc;
}

/* As deep as the document is nested, which the JSON limits bound. */
static enum rc index_schema(struct index *x, const struct json *j, struct str base, struct str pointer)
{
	enum rc rc = RC_OK;

	if (j->type != JSON_OBJECT)
		return RC_OK;
	struct str id = json_get_text(j, "$id");
	if (id.n) {
		base = uri_resolve(&x->r->arena, base, id);
		rc = add_target(x, base, j, base, pointer);
	}
	if (rc == RC_OK)
		rc = index_anchor(x, j, "$anchor", base, pointer);
	if (rc == RC_OK)
		rc = index_anchor(x, j, "$dynamicAnchor", base, pointer);
	for (uint32_t i = 0; rc == RC_OK && i < j->count; i++)
		if (schema_keyword_holds(j->members[i].name) != HOLDS_NONE)
			rc = index_keyword(x, &j->members[i], base, pointer);
	return rc;
}

enum rc schema_index(struct schema_registry *r, struct schema_document *d, struct err *e)
{
	struct index x = {.r = r, .document = d, .e = e};
	enum rc rc = add_target(&x, d->uri, d->json, d->uri, STR_NONE);
	if (rc == RC_OK && !str_eq(d->given, d->uri))
		rc = add_target(&x, d->given, d->json, d->uri, STR_NONE);
	return rc == RC_OK ? index_schema(&x, d->json, d->uri, STR_NONE) : rc;
}

static struct str percent_decode(struct arena *a, struct str s)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0;
	if (!out)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && i + 2 < s.n && str_hex_digit(s.p[i + 1]) >= 0 && str_hex_digit(s.p[i + 2]) >= 0) {
			out[n++] = (char)(str_hex_digit(s.p[i + 1]) * 16 + str_hex_digit(s.p[i + 2]));
			i += 2;
		} else {
			out[n++] = s.p[i];
		}
	}
	return (struct str){out, n};
}

static struct str pointer_unescape(struct arena *a, struct str token)
{
	struct str copy = arena_copy(a, token);
	char *out = (char *)copy.p;
	size_t n = 0;
	for (size_t i = 0; i < copy.n; i++) {
		if (copy.p[i] == '~' && i + 1 < copy.n && (copy.p[i + 1] == '0' || copy.p[i + 1] == '1')) {
			out[n++] = copy.p[i + 1] == '0' ? '~' : '/';
			i++;
		} else {
			out[n++] = copy.p[i];
		}
	}
	return (struct str){out, n};
}

static const struct json *json_child(const struct json *j, struct str token)
{
	uint64_t at = 0;

	if (j->type == JSON_OBJECT)
		return json_get_str(j, token);
	if (j->type != JSON_ARRAY || token.n == 0 || token.n > 9)
		return NULL;
	for (size_t i = 0; i < token.n; i++) {
		if (token.p[i] < '0' || token.p[i] > '9')
			return NULL;
		at = at * 10 + (uint64_t)(token.p[i] - '0');
	}
	return at < j->count ? &j->items[at] : NULL;
}

/* Follows a JSON Pointer (RFC 6901) from a target; the base changes where a schema on the way has an $id. */
static bool follow_pointer(struct arena *a, struct schema_target *t, struct str pointer)
{
	size_t at = 0;

	t->pointer = str_from(arena_printf(a, STR_FMT STR_FMT, STR_ARG(t->pointer), STR_ARG(pointer)));
	while (at < pointer.n) {
		size_t end = ++at; /* behind the '/' */
		while (end < pointer.n && pointer.p[end] != '/')
			end++;
		t->json = json_child(t->json, pointer_unescape(a, (struct str){pointer.p + at, end - at}));
		if (!t->json)
			return false;
		struct str id = json_get_text(t->json, "$id");
		if (id.n)
			t->base = uri_resolve(a, t->base, id);
		at = end;
	}
	return true;
}

enum rc schema_resolve(struct schema_registry *r, const struct schema *from, struct str reference,
		       const struct schema **out, struct err *e)
{
	struct arena *a = &r->arena;
	struct str fragment = percent_decode(a, uri_fragment(reference));
	struct str uri = uri_without_fragment(reference);
	bool is_pointer = fragment.n == 0 || fragment.p[0] == '/';
	char detail[256];

	uri = uri.n ? uri_resolve(a, from->base, uri) : from->base;
	if (!is_pointer)
		uri = str_from(arena_printf(a, STR_FMT "#" STR_FMT, STR_ARG(uri), STR_ARG(fragment)));
	const struct schema_target *found = map_get(&r->targets, uri);
	snprintf(detail, sizeof(detail), "There is no schema " STR_FMT ".", STR_ARG(reference));
	if (!found)
		return schema_error(from, "$ref", e, "schema_reference_unknown", detail);
	struct schema_target t = *found;
	if (is_pointer && fragment.n && !follow_pointer(a, &t, fragment))
		return schema_error(from, "$ref", e, "schema_reference_unknown", detail);
	*out = schema_node(r, t.json, t.document, t.base, t.pointer);
	return *out ? RC_OK : err_set(e, RC_LIMIT, "schemas_too_large", "The schemas are too large.");
}
