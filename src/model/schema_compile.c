/*
 * Keywords to nodes: one row of a table for each keyword. A keyword that is not in the table is refused, because a
 * misspelt "requierd" that is silently ignored is a check that is silently missing; names that begin with "x-" are
 * annotations.
 */
#include "model/schema_compile.h"

#include <stdio.h>

enum rc compile_wrong(struct compile *c, struct str keyword, const char *code, const char *detail)
{
	char name[64];
	snprintf(name, sizeof(name), STR_FMT, STR_ARG(keyword));
	return schema_error(c->s, name, c->e, code, detail);
}

enum rc compile_bad_value(struct compile *c, struct str keyword)
{
	return compile_wrong(c, keyword, "schema_invalid", "The value of this keyword is not what it must be.");
}

enum rc compile_no_room(struct compile *c)
{
	return err_set(c->e, RC_LIMIT, "schemas_too_large", "The schemas are too large.");
}

static enum rc compile_refused(struct compile *c, struct str keyword, const struct json *value)
{
	(void)value;
	return compile_wrong(c, keyword, "schema_not_supported", "This keyword is not supported.");
}

static enum rc compile_ignored(struct compile *c, struct str keyword, const struct json *value)
{
	(void)c, (void)keyword, (void)value;
	return RC_OK;
}

static enum rc compile_dialect(struct compile *c, struct str keyword, const struct json *value)
{
	struct str uri = json_text(value);
	if (str_is(uri, "https://json-schema.org/draft/2020-12/schema") ||
	    str_is(uri, "https://json-schema.org/draft/2020-12/schema#"))
		return RC_OK;
	return compile_wrong(c, keyword, "schema_not_supported", "Only the dialect of 2020-12 is supported.");
}

static enum rc compile_text(struct compile *c, struct str keyword, const struct json *value)
{
	return value->type == JSON_STRING ? RC_OK : compile_bad_value(c, keyword);
}

enum rc compile_child(struct compile *c, struct str keyword, const struct json *value, struct str pointer,
		      const struct schema **out)
{
	if (value->type != JSON_OBJECT && value->type != JSON_BOOL)
		return compile_bad_value(c, keyword);
	struct str id = json_get_text(value, "$id");
	struct str base = id.n ? uri_resolve(&c->r->arena, c->s->base, id) : c->s->base;
	*out = schema_node(c->r, value, c->s->document, base, pointer);
	return *out ? RC_OK : compile_no_room(c);
}

enum rc compile_single(struct compile *c, struct str keyword, const struct json *value, const struct schema **out)
{
	return compile_child(c, keyword, value, schema_pointer_add(&c->r->arena, c->s->pointer, keyword), out);
}

static enum rc list(struct compile *c, struct str keyword, const struct json *value, struct schema_list *out)
{
	struct str pointer = schema_pointer_add(&c->r->arena, c->s->pointer, keyword);
	enum rc rc = RC_OK;

	if (value->type != JSON_ARRAY || value->count == 0)
		return compile_bad_value(c, keyword);
	out->list = arena_array(&c->r->arena, const struct schema *, value->count);
	if (!out->list)
		return compile_no_room(c);
	out->count = value->count;
	for (uint32_t i = 0; rc == RC_OK && i < value->count; i++)
		rc = compile_child(c, keyword, &value->items[i],
				   str_from(arena_printf(&c->r->arena, STR_FMT "/%u", STR_ARG(pointer), i)),
				   &out->list[i]);
	return rc;
}

static uint8_t type_bit(struct str name)
{
	static const struct {
		const char *name;
		uint8_t bit;
	} types[] = {
	    {"null", TYPE_NULL},       {"boolean", TYPE_BOOLEAN}, {"number", TYPE_NUMBER | TYPE_INTEGER},
	    {"integer", TYPE_INTEGER}, {"string", TYPE_STRING},   {"array", TYPE_ARRAY},
	    {"object", TYPE_OBJECT},
	};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_is(name, types[i].name))
			return types[i].bit;
	return 0;
}

static enum rc compile_type(struct compile *c, struct str keyword, const struct json *value)
{
	uint32_t count = value->type == JSON_ARRAY ? value->count : 1;
	const struct json *names = value->type == JSON_ARRAY ? value->items : value;

	for (uint32_t i = 0; i < count; i++) {
		uint8_t bit = names[i].type == JSON_STRING ? type_bit(json_text(&names[i])) : 0;
		if (!bit)
			return compile_bad_value(c, keyword);
		c->s->types |= bit;
	}
	return count ? RC_OK : compile_bad_value(c, keyword);
}

static enum rc compile_enum(struct compile *c, struct str keyword, const struct json *value)
{
	c->s->choices = value;
	return value->type == JSON_ARRAY ? RC_OK : compile_bad_value(c, keyword);
}

static enum rc compile_const(struct compile *c, struct str keyword, const struct json *value)
{
	(void)keyword;
	c->s->constant = value;
	return RC_OK;
}

static enum rc compile_number(struct compile *c, struct str keyword, const struct json *value)
{
	struct number_rules *n = RULES(c, number);
	if (!n)
		return compile_no_room(c);
	if (value->type != JSON_NUMBER)
		return compile_bad_value(c, keyword);
	struct number number = number_read(json_text(value));
	if (str_is(keyword, "minimum")) {
		n->minimum = value;
		n->min = number;
	} else if (str_is(keyword, "maximum")) {
		n->maximum = value;
		n->max = number;
	} else if (str_is(keyword, "exclusiveMinimum")) {
		n->exclusive_minimum = value;
		n->xmin = number;
	} else if (str_is(keyword, "exclusiveMaximum")) {
		n->exclusive_maximum = value;
		n->xmax = number;
	} else {
		if (number.sign <= 0)
			return compile_bad_value(c, keyword);
		if (number.digits > NUMBER_DIVISOR_DIGITS)
			return compile_wrong(c, keyword, "schema_not_supported",
					     "The divisor has more than 18 digits.");
		n->multiple_of = value;
		n->multiple = number;
	}
	return RC_OK;
}

bool compile_read_size(const struct json *value, uint64_t *out)
{
	if (value->type != JSON_NUMBER)
		return false;
	struct number n = number_read(json_text(value));
	if (n.sign < 0 || !number_is_integer(&n))
		return false;
	uint64_t size = 0;
	int64_t digits = 0;
	for (const char *p = n.first; n.sign && p < n.end; p++) {
		if (*p == '.')
			continue;
		if (n.magnitude <= 18)
			size = size * 10 + (uint64_t)(*p - '0');
		digits++;
	}
	for (; n.magnitude <= 18 && digits < n.magnitude; digits++)
		size *= 10;
	*out = n.magnitude <= 18 ? size : UINT64_MAX;
	return true;
}

static struct string_rules *strings(struct compile *c)
{
	bool is_new = !c->string;
	struct string_rules *s = RULES(c, string);
	if (s && is_new)
		s->max_length = UINT64_MAX;
	return s;
}

static enum rc compile_length(struct compile *c, struct str keyword, const struct json *value)
{
	struct string_rules *s = strings(c);
	if (!s)
		return compile_no_room(c);
	return compile_read_size(value, str_is(keyword, "minLength") ? &s->min_length : &s->max_length)
		   ? RC_OK
		   : compile_bad_value(c, keyword);
}

enum rc compile_pattern_code(struct compile *c, struct str keyword, struct str pattern, const pcre2_code **out)
{
	const uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX | PCRE2_MATCH_UNSET_BACKREF |
				 PCRE2_NEVER_BACKSLASH_C | PCRE2_ALLOW_EMPTY_CLASS;
	int error;
	PCRE2_SIZE at;
	char message[120], detail[200];

	struct schema_pattern *p = arena_new(&c->r->arena, struct schema_pattern);
	if (!p)
		return compile_no_room(c);
	p->code = pcre2_compile((PCRE2_SPTR)(pattern.n ? pattern.p : ""), pattern.n, options, &error, &at, NULL);
	if (!p->code) {
		pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof(message));
		snprintf(detail, sizeof(detail), "The pattern is not supported at %zu: %s.", (size_t)at, message);
		return compile_wrong(c, keyword, "schema_not_supported", detail);
	}
	p->next = c->r->patterns;
	c->r->patterns = p;
	*out = p->code;
	return RC_OK;
}

static enum rc compile_pattern(struct compile *c, struct str keyword, const struct json *value)
{
	struct string_rules *s = strings(c);
	if (!s)
		return compile_no_room(c);
	if (value->type != JSON_STRING)
		return compile_bad_value(c, keyword);
	s->pattern_text = json_text(value);
	return compile_pattern_code(c, keyword, s->pattern_text, &s->pattern);
}

static enum rc compile_format(struct compile *c, struct str keyword, const struct json *value)
{
	enum schema_format format;
	if (value->type != JSON_STRING)
		return compile_bad_value(c, keyword);
	if (!schema_format_parse(json_text(value), &format))
		return RC_OK; /* an annotation */
	struct string_rules *s = strings(c);
	if (!s)
		return compile_no_room(c);
	s->format = format;
	return RC_OK;
}

static struct array_rules *arrays(struct compile *c)
{
	bool is_new = !c->array;
	struct array_rules *a = RULES(c, array);
	if (a && is_new) {
		a->max_items = UINT64_MAX;
		a->min_contains = 1;
		a->max_contains = UINT64_MAX;
	}
	return a;
}

static enum rc compile_items(struct compile *c, struct str keyword, const struct json *value)
{
	struct array_rules *a = arrays(c);
	if (!a)
		return compile_no_room(c);
	if (str_is(keyword, "prefixItems"))
		return list(c, keyword, value, &a->prefix);
	if (str_is(keyword, "contains"))
		return compile_single(c, keyword, value, &a->contains);
	if (str_is(keyword, "unevaluatedItems"))
		return compile_single(c, keyword, value, &a->unevaluated);
	return compile_single(c, keyword, value, &a->items);
}

static enum rc compile_item_count(struct compile *c, struct str keyword, const struct json *value)
{
	struct array_rules *a = arrays(c);
	if (!a)
		return compile_no_room(c);
	if (str_is(keyword, "uniqueItems")) {
		a->unique = value->boolean;
		return value->type == JSON_BOOL ? RC_OK : compile_bad_value(c, keyword);
	}
	uint64_t *size = str_is(keyword, "minItems")      ? &a->min_items
			 : str_is(keyword, "maxItems")    ? &a->max_items
			 : str_is(keyword, "minContains") ? &a->min_contains
							  : &a->max_contains;
	return compile_read_size(value, size) ? RC_OK : compile_bad_value(c, keyword);
}

static enum rc compile_logic(struct compile *c, struct str keyword, const struct json *value)
{
	struct logic_rules *l = RULES(c, logic);
	if (!l)
		return compile_no_room(c);
	if (str_is(keyword, "allOf"))
		return list(c, keyword, value, &l->all);
	if (str_is(keyword, "anyOf"))
		return list(c, keyword, value, &l->any);
	if (str_is(keyword, "oneOf"))
		return list(c, keyword, value, &l->one);
	if (str_is(keyword, "not"))
		return compile_single(c, keyword, value, &l->not );
	if (str_is(keyword, "if"))
		return compile_single(c, keyword, value, &l->condition);
	if (str_is(keyword, "then"))
		return compile_single(c, keyword, value, &l->then);
	return compile_single(c, keyword, value, &l->otherwise);
}

static enum rc compile_reference(struct compile *c, struct str keyword, const struct json *value)
{
	struct logic_rules *l = RULES(c, logic);
	if (!l)
		return compile_no_room(c);
	if (value->type != JSON_STRING)
		return compile_bad_value(c, keyword);
	enum rc rc = schema_resolve(c->r, c->s, json_text(value), &l->reference, c->e);
	if (rc == RC_OK && l->reference->source->type != JSON_OBJECT && l->reference->source->type != JSON_BOOL)
		return compile_wrong(c, keyword, "schema_reference_unknown",
				     "The reference does not lead to a schema.");
	return rc;
}

static enum rc compile_definitions(struct compile *c, struct str keyword, const struct json *value)
{
	struct arena *a = &c->r->arena;
	const struct schema *ignored;
	enum rc rc = RC_OK;

	if (value->type != JSON_OBJECT)
		return compile_bad_value(c, keyword);
	struct str pointer = schema_pointer_add(a, c->s->pointer, keyword);
	for (uint32_t i = 0; rc == RC_OK && i < value->count; i++)
		rc = compile_child(c, keyword, &value->members[i].value,
				   schema_pointer_add(a, pointer, value->members[i].name), &ignored);
	return rc;
}

static const struct keyword {
	const char *name;
	enum keyword_holds holds;
	compile_keyword *compile;
} keywords[] = {
    {"$schema", HOLDS_NONE, compile_dialect},
    {"$id", HOLDS_NONE, compile_text},
    {"$anchor", HOLDS_NONE, compile_text},
    {"$dynamicAnchor", HOLDS_NONE, compile_text},
    {"$ref", HOLDS_NONE, compile_reference},
    {"$defs", HOLDS_SCHEMA_MAP, compile_definitions},
    {"$comment", HOLDS_NONE, compile_ignored},
    {"type", HOLDS_NONE, compile_type},
    {"enum", HOLDS_NONE, compile_enum},
    {"const", HOLDS_NONE, compile_const},
    {"minimum", HOLDS_NONE, compile_number},
    {"maximum", HOLDS_NONE, compile_number},
    {"exclusiveMinimum", HOLDS_NONE, compile_number},
    {"exclusiveMaximum", HOLDS_NONE, compile_number},
    {"multipleOf", HOLDS_NONE, compile_number},
    {"minLength", HOLDS_NONE, compile_length},
    {"maxLength", HOLDS_NONE, compile_length},
    {"pattern", HOLDS_NONE, compile_pattern},
    {"format", HOLDS_NONE, compile_format},
    {"items", HOLDS_SCHEMA, compile_items},
    {"prefixItems", HOLDS_SCHEMA_LIST, compile_items},
    {"contains", HOLDS_SCHEMA, compile_items},
    {"minItems", HOLDS_NONE, compile_item_count},
    {"maxItems", HOLDS_NONE, compile_item_count},
    {"uniqueItems", HOLDS_NONE, compile_item_count},
    {"minContains", HOLDS_NONE, compile_item_count},
    {"maxContains", HOLDS_NONE, compile_item_count},
    {"unevaluatedItems", HOLDS_SCHEMA, compile_items},
    {"properties", HOLDS_SCHEMA_MAP, compile_properties},
    {"patternProperties", HOLDS_SCHEMA_MAP, compile_pattern_properties},
    {"additionalProperties", HOLDS_SCHEMA, compile_members},
    {"propertyNames", HOLDS_SCHEMA, compile_members},
    {"minProperties", HOLDS_NONE, compile_members},
    {"maxProperties", HOLDS_NONE, compile_members},
    {"unevaluatedProperties", HOLDS_SCHEMA, compile_members},
    {"required", HOLDS_NONE, compile_required},
    {"dependentRequired", HOLDS_NONE, compile_dependent_required},
    {"dependentSchemas", HOLDS_SCHEMA_MAP, compile_properties},
    {"allOf", HOLDS_SCHEMA_LIST, compile_logic},
    {"anyOf", HOLDS_SCHEMA_LIST, compile_logic},
    {"oneOf", HOLDS_SCHEMA_LIST, compile_logic},
    {"not", HOLDS_SCHEMA, compile_logic},
    {"if", HOLDS_SCHEMA, compile_logic},
    {"then", HOLDS_SCHEMA, compile_logic},
    {"else", HOLDS_SCHEMA, compile_logic},
    {"title", HOLDS_NONE, compile_ignored},
    {"description", HOLDS_NONE, compile_ignored},
    {"default", HOLDS_NONE, compile_ignored},
    {"examples", HOLDS_NONE, compile_ignored},
    {"deprecated", HOLDS_NONE, compile_ignored},
    {"readOnly", HOLDS_NONE, compile_ignored},
    {"writeOnly", HOLDS_NONE, compile_ignored},
    {"contentEncoding", HOLDS_NONE, compile_ignored},
    {"contentMediaType", HOLDS_NONE, compile_ignored},
    {"contentSchema", HOLDS_SCHEMA, compile_ignored},
    {"$dynamicRef", HOLDS_NONE, compile_refused},
    {"$vocabulary", HOLDS_NONE, compile_refused},
};

static const struct keyword *find_keyword(struct str name)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (str_is(name, keywords[i].name))
			return &keywords[i];
	return NULL;
}

enum keyword_holds schema_keyword_holds(struct str name)
{
	const struct keyword *k = find_keyword(name);
	return k ? k->holds : HOLDS_NONE;
}

enum rc schema_compile_node(struct schema_registry *r, struct schema *s, struct err *e)
{
	struct compile c = {.r = r, .s = s, .e = e};
	enum rc rc = RC_OK;

	if (s->source->type == JSON_BOOL) {
		s->never = !s->source->boolean;
		return RC_OK;
	}
	if (s->source->type != JSON_OBJECT)
		return schema_error(s, NULL, e, "schema_invalid", "A schema is an object or a boolean.");
	for (uint32_t i = 0; rc == RC_OK && i < s->source->count; i++) {
		const struct json_member *m = &s->source->members[i];
		const struct keyword *k = find_keyword(m->name);
		bool annotation = !k && m->name.n > 2 && memcmp(m->name.p, "x-", 2) == 0;
		if (!annotation)
			rc = k ? k->compile(&c, m->name, &m->value) : compile_refused(&c, m->name, &m->value);
	}
	if (rc == RC_OK && c.object)
		rc = compile_hash_properties(&c);
	if (c.logic && !c.logic->condition)
		c.logic->then = c.logic->otherwise = NULL;
	s->number = c.number;
	s->string = c.string;
	s->array = c.array;
	s->object = c.object;
	s->logic = c.logic;
	return rc;
}
