/* The keywords of objects. */
#include "model/schema_compile.h"

static struct object_rules *objects(struct compile *c)
{
	bool is_new = !c->object;
	struct object_rules *o = RULES(c, object);
	if (o && is_new)
		o->max_properties = UINT64_MAX;
	return o;
}

/* The entry for a name; made when it is new. The table grows by doubling. */
static struct property *property_named(struct compile *c, struct str name)
{
	struct object_rules *o = objects(c);
	if (!o)
		return NULL;
	for (uint32_t i = 0; i < o->property_count; i++)
		if (str_eq(o->properties[i].name, name))
			return &o->properties[i];
	if ((o->property_count & (o->property_count - 1)) == 0) {
		uint32_t room = o->property_count ? o->property_count * 2 : 1;
		struct property *grown = arena_array(&c->r->arena, struct property, room);
		if (!grown)
			return NULL;
		if (o->property_count)
			memcpy(grown, o->properties, o->property_count * sizeof(*grown));
		o->properties = grown;
	}
	o->properties[o->property_count].name = name;
	return &o->properties[o->property_count++];
}

#define PROPERTIES_MAX 4096

enum rc compile_properties(struct compile *c, struct str keyword, const struct json *value)
{
	struct arena *a = &c->r->arena;
	struct str pointer = schema_pointer_add(a, c->s->pointer, keyword);
	bool dependent = str_is(keyword, "dependentSchemas");
	enum rc rc = RC_OK;

	if (value->type != JSON_OBJECT || value->count > PROPERTIES_MAX)
		return compile_bad_value(c, keyword);
	for (uint32_t i = 0; rc == RC_OK && i < value->count; i++) {
		const struct json_member *m = &value->members[i];
		struct property *p = property_named(c, m->name);
		if (!p)
			return compile_no_room(c);
		rc = compile_child(c, keyword, &m->value, schema_pointer_add(a, pointer, m->name),
				   dependent ? &p->dependent : &p->schema);
		c->object->has_dependents |= dependent;
	}
	return rc;
}

static bool is_name_list(const struct json *value)
{
	bool ok = value->type == JSON_ARRAY && value->count <= PROPERTIES_MAX;
	for (uint32_t i = 0; ok && i < value->count; i++)
		ok = value->items[i].type == JSON_STRING;
	return ok;
}

enum rc compile_required(struct compile *c, struct str keyword, const struct json *value)
{
	if (!is_name_list(value))
		return compile_bad_value(c, keyword);
	for (uint32_t i = 0; i < value->count; i++) {
		struct property *p = property_named(c, json_text(&value->items[i]));
		if (!p)
			return compile_no_room(c);
		c->object->required_count += !p->required;
		p->required = true;
	}
	return RC_OK;
}

enum rc compile_dependent_required(struct compile *c, struct str keyword, const struct json *value)
{
	if (value->type != JSON_OBJECT || value->count > PROPERTIES_MAX)
		return compile_bad_value(c, keyword);
	for (uint32_t i = 0; i < value->count; i++) {
		struct property *p = property_named(c, value->members[i].name);
		if (!p)
			return compile_no_room(c);
		if (!is_name_list(&value->members[i].value))
			return compile_bad_value(c, keyword);
		p->needs = &value->members[i].value;
		c->object->has_dependents = true;
	}
	return RC_OK;
}

enum rc compile_pattern_properties(struct compile *c, struct str keyword, const struct json *value)
{
	struct arena *a = &c->r->arena;
	struct object_rules *o = objects(c);
	enum rc rc = RC_OK;

	if (!o)
		return compile_no_room(c);
	if (value->type != JSON_OBJECT)
		return compile_bad_value(c, keyword);
	struct str pointer = schema_pointer_add(a, c->s->pointer, keyword);
	o->patterns = arena_array(a, struct pattern_property, value->count);
	if (!o->patterns)
		return compile_no_room(c);
	o->pattern_count = value->count;
	for (uint32_t i = 0; rc == RC_OK && i < value->count; i++) {
		const struct json_member *m = &value->members[i];
		rc = compile_pattern_code(c, keyword, m->name, &o->patterns[i].pattern);
		if (rc == RC_OK)
			rc = compile_child(c, keyword, &m->value, schema_pointer_add(a, pointer, m->name),
					   &o->patterns[i].schema);
	}
	return rc;
}

enum rc compile_members(struct compile *c, struct str keyword, const struct json *value)
{
	struct object_rules *o = objects(c);
	if (!o)
		return compile_no_room(c);
	if (str_is(keyword, "minProperties") || str_is(keyword, "maxProperties"))
		return compile_read_size(value,
					 str_is(keyword, "minProperties") ? &o->min_properties : &o->max_properties)
			   ? RC_OK
			   : compile_bad_value(c, keyword);
	if (str_is(keyword, "propertyNames"))
		return compile_single(c, keyword, value, &o->names);
	if (str_is(keyword, "unevaluatedProperties"))
		return compile_single(c, keyword, value, &o->unevaluated);
	return compile_single(c, keyword, value, &o->additional);
}

enum rc compile_hash_properties(struct compile *c)
{
	struct object_rules *o = c->object;
	uint32_t room = 4;

	if (o->property_count == 0)
		return RC_OK;
	if (o->property_count > PROPERTIES_MAX)
		return compile_wrong(c, STR("properties"), "schema_not_supported", "There are too many properties.");
	while (room < o->property_count * 2)
		room *= 2;
	o->slots = arena_array(&c->r->arena, uint16_t, room);
	if (!o->slots)
		return compile_no_room(c);
	o->slot_mask = room - 1;
	for (uint32_t i = 0; i < o->property_count; i++) {
		uint32_t at = property_hash(o->properties[i].name) & o->slot_mask;
		while (o->slots[at])
			at = (at + 1) & o->slot_mask;
		o->slots[at] = (uint16_t)(i + 1);
	}
	return RC_OK;
}
