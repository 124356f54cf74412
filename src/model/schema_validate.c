/*
 * A walk over the document along the compiled nodes.
 *
 * Nothing is allocated while a document is right, but for match data when a pattern is reached and for large arrays
 * that must be unique. Alternatives (anyOf, oneOf, not, if, contains) are tried quietly: the first failure ends the try
 * and leaves no trace. Depth and number of steps are limited, and a document that reaches a limit is not valid.
 */
#include "model/schema_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PATTERN_MATCH_LIMIT 100000
#define PATTERN_DEPTH_LIMIT 10000
#define PATTERN_HEAP_KIB    1024
#define POINTER_TEXT_MAX    2048

static void write_token(struct buf *out, const struct place *at)
{
	buf_add_char(out, '/');
	if (at->is_item)
		buf_add_int(out, at->index);
	for (size_t i = 0; !at->is_item && i < at->name.n && buf_ok(out); i++) {
		char c = at->name.p[i];
		if (c == '~' || c == '/')
			buf_add_z(out, c == '~' ? "~0" : "~1");
		else
			buf_add_char(out, c);
	}
}

/* A pointer that would be too long ends at the last place that fits. */
static struct str write_place(struct buf *out, const struct place *at)
{
	const struct place *chain[VALIDATE_DEPTH_MAX];
	size_t n = 0;

	for (; at && at->up && n < VALIDATE_DEPTH_MAX; at = at->up)
		chain[n++] = at;
	struct str fits = buf_str(out);
	while (n-- > 0 && buf_ok(out)) {
		write_token(out, chain[n]);
		if (buf_ok(out))
			fits = buf_str(out);
	}
	return (struct str){out->p, fits.n};
}

static void PRINTF_LIKE(6, 7) note(struct run *r, struct findings *to, const struct json *j, const struct place *at,
				   const char *code, const char *format, ...)
{
	char detail[256];
	struct buf pointer;
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	buf_init(&pointer, POINTER_TEXT_MAX);
	buf_add_z(&pointer, r->prefix);
	struct str text = write_place(&pointer, at);
	if (text.n < pointer.n)
		pointer.p[text.n] = '\0';
	size_t before = to->count;
	findings_add(to, text.p ? text.p : "", code, "%s", detail);
	if (to->count > before)
		to->list[before].line = j->line;
	buf_done(&pointer);
}

/* false; with a finding when it is asked for. */
#define fail(r, j, at, loud, ...) ((loud) ? noted(r, j, at, __VA_ARGS__) : false)
#define noted(r, j, at, ...)      (note(r, (r)->findings, j, at, __VA_ARGS__), false)

static uint8_t type_bits(const struct json *j)
{
	switch ((enum json_type)j->type) {
	case JSON_NULL:
		return TYPE_NULL;
	case JSON_BOOL:
		return TYPE_BOOLEAN;
	case JSON_NUMBER:
		return TYPE_NUMBER;
	case JSON_STRING:
		return TYPE_STRING;
	case JSON_ARRAY:
		return TYPE_ARRAY;
	case JSON_OBJECT:
		return TYPE_OBJECT;
	}
	return 0;
}

static bool type_ok(uint8_t types, const struct json *j)
{
	if (types & type_bits(j))
		return true;
	if (j->type != JSON_NUMBER || !(types & TYPE_INTEGER))
		return false;
	struct number n = number_read(json_text(j));
	return number_is_integer(&n);
}

static bool fail_type(struct run *r, const struct schema *s, const struct json *j, const struct place *at, bool loud)
{
	static const struct {
		uint8_t bit;
		const char *text;
	} names[] = {
	    {TYPE_NULL, "null"},        {TYPE_BOOLEAN, "true or false"},
	    {TYPE_NUMBER, "a number"},  {TYPE_INTEGER, "a whole number"},
	    {TYPE_STRING, "a string"},  {TYPE_ARRAY, "an array"},
	    {TYPE_OBJECT, "an object"},
	};
	char text[128] = "";
	size_t n = 0;

	for (size_t i = 0; loud && i < sizeof(names) / sizeof(names[0]); i++)
		if ((s->types & names[i].bit) && !(names[i].bit == TYPE_INTEGER && (s->types & TYPE_NUMBER)))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? " or " : "", names[i].text);
	return fail(r, j, at, loud, "wrong_type", "This must be %s.", text);
}

static bool check_choices(struct run *r, const struct schema *s, const struct json *j, const struct place *at,
			  bool loud)
{
	if (s->constant && !json_equal(s->constant, j))
		return fail(r, j, at, loud, "not_the_constant", "This is not the one value that is allowed here.");
	if (!s->choices)
		return true;
	for (uint32_t i = 0; i < s->choices->count; i++) {
		const struct json *choice = &s->choices->items[i];
		bool same = choice->type == JSON_STRING
				? j->type == JSON_STRING && str_eq(json_text(choice), json_text(j))
				: json_equal(choice, j);
		if (same)
			return true;
	}
	if (!loud)
		return false;
	struct buf list;
	buf_init(&list, 200);
	for (uint32_t i = 0; i < s->choices->count && buf_ok(&list); i++) {
		buf_add_z(&list, i ? ", " : "");
		json_write(&list, &s->choices->items[i]);
	}
	if (buf_ok(&list))
		note(r, r->findings, j, at, "not_in_enum", "This is none of " STR_FMT ".", STR_ARG(buf_str(&list)));
	else
		note(r, r->findings, j, at, "not_in_enum", "This is none of the values that are allowed here.");
	buf_done(&list);
	return false;
}

static bool check_number(struct run *r, const struct number_rules *n, const struct json *j, const struct place *at,
			 bool loud)
{
	struct number value = number_read(json_text(j));
	bool ok = true;

	if (n->minimum && number_compare(&value, &n->min) < 0)
		ok = fail(r, j, at, loud, "too_small", "The least is " STR_FMT ".", STR_ARG(json_text(n->minimum)));
	if (n->maximum && number_compare(&value, &n->max) > 0)
		ok = fail(r, j, at, loud, "too_large", "The most is " STR_FMT ".", STR_ARG(json_text(n->maximum)));
	if (n->exclusive_minimum && number_compare(&value, &n->xmin) <= 0)
		ok = fail(r, j, at, loud, "too_small", "This must be more than " STR_FMT ".",
			  STR_ARG(json_text(n->exclusive_minimum)));
	if (n->exclusive_maximum && number_compare(&value, &n->xmax) >= 0)
		ok = fail(r, j, at, loud, "too_large", "This must be less than " STR_FMT ".",
			  STR_ARG(json_text(n->exclusive_maximum)));
	if (n->multiple_of && !number_is_multiple(&value, &n->multiple))
		ok = fail(r, j, at, loud, "not_a_multiple", "This must be a multiple of " STR_FMT ".",
			  STR_ARG(json_text(n->multiple_of)));
	return ok;
}

static uint64_t code_points(struct str s)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
	return n;
}

bool run_matches(struct run *r, const pcre2_code *pattern, struct str text)
{
	if (!r->match) {
		r->match = pcre2_match_data_create(1, NULL);
		r->match_limits = pcre2_match_context_create(NULL);
		if (!r->match || !r->match_limits)
			return false;
		pcre2_set_match_limit(r->match_limits, PATTERN_MATCH_LIMIT);
		pcre2_set_depth_limit(r->match_limits, PATTERN_DEPTH_LIMIT);
		pcre2_set_heap_limit(r->match_limits, PATTERN_HEAP_KIB);
	}
	int rc = pcre2_match(pattern, (PCRE2_SPTR)(text.n ? text.p : ""), text.n, 0, PCRE2_NO_UTF_CHECK, r->match,
			     r->match_limits);
	if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
		r->exhausted = true;
	return rc >= 0;
}

static bool check_string(struct run *r, const struct string_rules *s, const struct json *j, const struct place *at,
			 bool loud)
{
	struct str text = json_text(j);
	bool ok = true;

	/* Bytes bound the code points from both sides; counting is for what lies between. */
	if (text.n > s->max_length && code_points(text) > s->max_length)
		ok =
		    fail(r, j, at, loud, "too_long", "The most is %llu characters.", (unsigned long long)s->max_length);
	if ((text.n + 3) / 4 < s->min_length && code_points(text) < s->min_length)
		ok = fail(r, j, at, loud, "too_short", "The least is %llu characters.",
			  (unsigned long long)s->min_length);
	if (ok && s->pattern && !run_matches(r, s->pattern, text))
		ok =
		    fail(r, j, at, loud, "wrong_pattern", "This does not match " STR_FMT ".", STR_ARG(s->pattern_text));
	if (ok && !schema_format_ok(s->format, text))
		ok = fail(r, j, at, loud, "wrong_format", "This is not a valid %s.", schema_format_name(s->format));
	return ok;
}

static bool check_unique(struct run *r, const struct json *j, const struct place *at, bool loud)
{
	uint32_t which;
	if (!run_has_duplicate(r, j, &which))
		return true;
	struct place item = {.up = at, .index = which, .is_item = true};
	return fail(r, &j->items[which], &item, loud, "duplicate_item", "The same is in the list already.");
}

static bool check_contains(struct run *r, const struct array_rules *a, const struct json *j, const struct place *at,
			   bool loud)
{
	uint64_t found = 0;
	for (uint32_t i = 0; i < j->count; i++) {
		struct place item = {.up = at, .index = i, .is_item = true};
		found += run_check(r, a->contains, &j->items[i], &item, false);
	}
	if (found < a->min_contains)
		return fail(r, j, at, loud, "missing_item",
			    "The list must hold %llu of what is asked for, and holds %llu.",
			    (unsigned long long)a->min_contains, (unsigned long long)found);
	if (found > a->max_contains)
		return fail(r, j, at, loud, "too_many_items",
			    "The list may hold %llu of what is asked for, and holds %llu.",
			    (unsigned long long)a->max_contains, (unsigned long long)found);
	return true;
}

static bool check_array(struct run *r, const struct array_rules *a, const struct json *j, const struct place *at,
			bool loud)
{
	bool ok = true;

	if (j->count < a->min_items)
		ok = fail(r, j, at, loud, "too_few_items", "The least is %llu.", (unsigned long long)a->min_items);
	if (j->count > a->max_items)
		return fail(r, j, at, loud, "too_many_items", "The most is %llu.", (unsigned long long)a->max_items);
	for (uint32_t i = 0; i < j->count && (ok || loud); i++) {
		const struct schema *s = i < a->prefix.count ? a->prefix.list[i] : a->items;
		struct place item = {.up = at, .index = i, .is_item = true};
		if (s && !run_check(r, s, &j->items[i], &item, loud))
			ok = false;
	}
	if ((ok || loud) && a->unique && !check_unique(r, j, at, loud))
		ok = false;
	if ((ok || loud) && a->contains && !check_contains(r, a, j, at, loud))
		ok = false;
	return ok;
}

/* A member that the schema has no place for: a finding, or drift. */
static bool unknown_member(struct run *r, const struct json *j, const struct place *at, bool loud)
{
	if (r->mode == SCHEMA_KEEP_UNKNOWN) {
		if (loud && r->drift)
			note(r, r->drift, j, at, "unknown_field", "There is no field " STR_FMT ".", STR_ARG(at->name));
		return true;
	}
	return fail(r, j, at, loud, "unknown_field", "There is no field " STR_FMT ".", STR_ARG(at->name));
}

static bool check_rest(struct run *r, const struct schema *rest, const struct json *j, const struct place *at,
		       bool loud)
{
	return rest->never ? unknown_member(r, j, at, loud) : run_check(r, rest, j, at, loud);
}

static bool check_dependents(struct run *r, const struct property *p, const struct json *j, const struct place *at,
			     bool loud)
{
	bool ok = true;

	for (uint32_t i = 0; p->needs && i < p->needs->count; i++) {
		struct str name = json_text(&p->needs->items[i]);
		struct place missing = {.up = at, .name = name};
		if (!json_get_str(j, name))
			ok = fail(r, j, &missing, loud, "required",
				  "The field " STR_FMT " is missing; " STR_FMT " needs it.", STR_ARG(name),
				  STR_ARG(p->name));
	}
	if (p->dependent && (ok || loud) && !run_check(r, p->dependent, j, at, loud))
		ok = false;
	return ok;
}

static bool fail_required(struct run *r, const struct object_rules *o, const struct json *j, const struct place *at,
			  bool loud)
{
	for (uint32_t i = 0; loud && i < o->property_count; i++) {
		const struct property *p = &o->properties[i];
		struct place missing = {.up = at, .name = p->name};
		if (p->required && !json_get_str(j, p->name))
			note(r, r->findings, j, &missing, "required", "The field " STR_FMT " is missing.",
			     STR_ARG(p->name));
	}
	return false;
}

static bool check_member(struct run *r, const struct object_rules *o, const struct property *p,
			 const struct json_member *m, const struct place *at, bool loud)
{
	struct place here = {.up = at, .name = m->name};
	bool known = false, ok = true;

	if (p && p->schema) {
		known = true;
		ok = run_check(r, p->schema, &m->value, &here, loud);
	}
	for (uint32_t i = 0; i < o->pattern_count && (ok || loud); i++) {
		if (run_matches(r, o->patterns[i].pattern, m->name)) {
			known = true;
			if (!run_check(r, o->patterns[i].schema, &m->value, &here, loud))
				ok = false;
		}
	}
	if (!known && o->additional && !check_rest(r, o->additional, &m->value, &here, loud))
		ok = false;
	if (o->names && (ok || loud)) {
		struct json name = {
		    .type = JSON_STRING, .count = (uint32_t)m->name.n, .line = m->value.line, .text = m->name.p};
		if (!run_check(r, o->names, &name, &here, false))
			ok = fail(r, &m->value, &here, loud, "wrong_field_name",
				  "A field may not have the name " STR_FMT ".", STR_ARG(m->name));
	}
	return ok;
}

static bool check_object(struct run *r, const struct object_rules *o, const struct json *j, const struct place *at,
			 bool loud)
{
	uint32_t required = 0;
	bool ok = true;

	if (j->count < o->min_properties)
		ok =
		    fail(r, j, at, loud, "too_few_fields", "The least is %llu.", (unsigned long long)o->min_properties);
	if (j->count > o->max_properties)
		ok =
		    fail(r, j, at, loud, "too_many_fields", "The most is %llu.", (unsigned long long)o->max_properties);
	for (uint32_t i = 0; i < j->count && (ok || loud); i++) {
		const struct json_member *m = &j->members[i];
		const struct property *p = property_find(o, m->name);
		required += p && p->required;
		if (!check_member(r, o, p, m, at, loud))
			ok = false;
		if (p && o->has_dependents && (ok || loud) && !check_dependents(r, p, j, at, loud))
			ok = false;
	}
	if ((ok || loud) && required < o->required_count)
		return fail_required(r, o, j, at, loud);
	return ok;
}

/* anyOf and oneOf. A branch that holds is walked again for its drift. */
static bool check_alternatives(struct run *r, const struct schema_list *l, bool only_one, const struct json *j,
			       const struct place *at, bool loud)
{
	const struct schema *holds = NULL;

	for (uint32_t i = 0; i < l->count; i++) {
		if (!run_check(r, l->list[i], j, at, false))
			continue;
		if (holds)
			return fail(r, j, at, loud, "several_alternatives", "This is valid in more than one way.");
		holds = l->list[i];
		if (!only_one)
			break;
	}
	if (!holds && l->count == 1)
		return run_check(r, l->list[0], j, at, loud);
	if (!holds)
		return fail(r, j, at, loud, "no_alternative", "This is valid in none of the allowed ways.");
	return !(loud && r->drift) || run_check(r, holds, j, at, true);
}

static bool check_logic(struct run *r, const struct logic_rules *l, const struct json *j, const struct place *at,
			bool loud)
{
	bool ok = true;

	if (l->reference)
		ok = run_check(r, l->reference, j, at, loud);
	for (uint32_t i = 0; i < l->all.count && (ok || loud); i++)
		if (!run_check(r, l->all.list[i], j, at, loud))
			ok = false;
	if (l->any.count && (ok || loud) && !check_alternatives(r, &l->any, false, j, at, loud))
		ok = false;
	if (l->one.count && (ok || loud) && !check_alternatives(r, &l->one, true, j, at, loud))
		ok = false;
	if (l->not &&(ok || loud) && run_check(r, l->not, j, at, false))
		ok = fail(r, j, at, loud, "excluded", "This is what must not be here.");
	if (l->condition && (ok || loud)) {
		const struct schema *next = run_check(r, l->condition, j, at, false) ? l->then : l->otherwise;
		if (next && !run_check(r, next, j, at, loud))
			ok = false;
	}
	return ok;
}

static bool check_unevaluated(struct run *r, const struct schema *s, const struct json *j, const struct place *at,
			      bool loud)
{
	bool object = j->type == JSON_OBJECT, ok = true, few[64] = {false};
	const struct schema *rest = NULL;

	if (object && s->object)
		rest = s->object->unevaluated;
	else if (j->type == JSON_ARRAY && s->array)
		rest = s->array->unevaluated;
	if (!rest || j->count == 0)
		return true;
	bool *seen = j->count <= sizeof(few) ? few : calloc(j->count, sizeof(bool));
	if (!seen)
		abort();
	if (object)
		run_evaluated_members(r, s, j, at, seen);
	else
		run_evaluated_items(r, s, j, at, seen);
	for (uint32_t i = 0; i < j->count && (ok || loud); i++) {
		if (seen[i])
			continue;
		struct place here = {.up = at, .index = i, .is_item = !object};
		if (object)
			here.name = j->members[i].name;
		const struct json *value = object ? &j->members[i].value : &j->items[i];
		if (!(object ? check_rest(r, rest, value, &here, loud) : run_check(r, rest, value, &here, loud)))
			ok = false;
	}
	if (seen != few)
		free(seen);
	return ok;
}

static bool check_type_rules(struct run *r, const struct schema *s, const struct json *j, const struct place *at,
			     bool loud)
{
	switch ((enum json_type)j->type) {
	case JSON_NUMBER:
		return !s->number || check_number(r, s->number, j, at, loud);
	case JSON_STRING:
		return !s->string || check_string(r, s->string, j, at, loud);
	case JSON_ARRAY:
		return !s->array || check_array(r, s->array, j, at, loud);
	case JSON_OBJECT:
		return !s->object || check_object(r, s->object, j, at, loud);
	case JSON_NULL:
	case JSON_BOOL:
		return true;
	}
	return true;
}

bool run_check(struct run *r, const struct schema *s, const struct json *j, const struct place *at, bool loud)
{
	bool ok = true;

	if (r->exhausted || r->depth >= VALIDATE_DEPTH_MAX || ++r->steps > VALIDATE_STEPS_MAX) {
		r->exhausted = true;
		return false;
	}
	if (s->never)
		return fail(r, j, at, loud, "forbidden", "Nothing is allowed here.");
	if (s->types && !type_ok(s->types, j))
		return fail_type(r, s, j, at, loud);
	r->depth++;
	if ((s->choices || s->constant) && !check_choices(r, s, j, at, loud))
		ok = false;
	if ((ok || loud) && !check_type_rules(r, s, j, at, loud))
		ok = false;
	if (s->logic && (ok || loud) && !check_logic(r, s->logic, j, at, loud))
		ok = false;
	if (ok && (s->object || s->array) && !check_unevaluated(r, s, j, at, loud))
		ok = false;
	r->depth--;
	return ok;
}

enum rc schema_validate_at(const struct schema *s, const struct json *doc, const char *at, enum schema_mode mode,
			   struct findings *f, struct findings *drift)
{
	struct run r = {.mode = mode, .findings = f, .drift = drift, .prefix = at};
	struct place root = {0};

	bool ok = run_check(&r, s, doc, &root, true);
	/* Whatever a `not` made of it. */
	if (r.exhausted) {
		note(&r, f, doc, &root, "too_complex", "Judging this takes more steps than are allowed.");
		ok = false;
	}
	pcre2_match_data_free(r.match);
	pcre2_match_context_free(r.match_limits);
	return ok ? RC_OK : RC_INVALID;
}

enum rc schema_validate(const struct schema *s, const struct json *doc, enum schema_mode mode, struct findings *f,
			struct findings *drift)
{
	return schema_validate_at(s, doc, "", mode, f, drift);
}
