/*
 * unevaluatedProperties and unevaluatedItems: what did the other keywords of this schema look at? Instead of collecting
 * that on every walk, the rare schema that asks walks its own keywords once more, trying quietly which of the
 * alternatives hold.
 */
#include "model/schema_run.h"

typedef void mark(struct run *r, const struct schema *s, const struct json *j, const struct place *at, bool *seen);

static void mark_if_valid(struct run *r, const struct schema *s, const struct json *j, const struct place *at,
			  bool *seen, mark *into)
{
	if (run_check(r, s, j, at, false))
		into(r, s, j, at, seen);
}

static void mark_logic(struct run *r, const struct logic_rules *l, const struct json *j, const struct place *at,
		       bool *seen, mark *into)
{
	if (l->reference)
		into(r, l->reference, j, at, seen);
	for (uint32_t i = 0; i < l->all.count; i++)
		into(r, l->all.list[i], j, at, seen);
	for (uint32_t i = 0; i < l->any.count; i++)
		mark_if_valid(r, l->any.list[i], j, at, seen, into);
	for (uint32_t i = 0; i < l->one.count; i++)
		mark_if_valid(r, l->one.list[i], j, at, seen, into);
	if (!l->condition)
		return;
	if (run_check(r, l->condition, j, at, false)) {
		into(r, l->condition, j, at, seen);
		if (l->then)
			into(r, l->then, j, at, seen);
	} else if (l->otherwise) {
		into(r, l->otherwise, j, at, seen);
	}
}

static void mark_dependents(struct run *r, const struct object_rules *o, const struct json *j, const struct place *at,
			    bool *seen, mark *into)
{
	for (uint32_t i = 0; j->type == JSON_OBJECT && o->has_dependents && i < o->property_count; i++)
		if (o->properties[i].dependent && json_get_str(j, o->properties[i].name))
			into(r, o->properties[i].dependent, j, at, seen);
}

static void mark_nested_members(struct run *r, const struct schema *s, const struct json *j, const struct place *at,
				bool *seen)
{
	const struct object_rules *o = s->object;

	if (o && o->unevaluated)
		memset(seen, true, j->count);
	else
		run_evaluated_members(r, s, j, at, seen);
}

void run_evaluated_members(struct run *r, const struct schema *s, const struct json *j, const struct place *at,
			   bool *seen)
{
	const struct object_rules *o = s->object;

	if (r->exhausted || r->depth >= VALIDATE_DEPTH_MAX || ++r->steps > VALIDATE_STEPS_MAX)
		return;
	r->depth++;
	for (uint32_t i = 0; o && i < j->count; i++) {
		const struct property *p = property_find(o, j->members[i].name);
		bool known = o->additional || (p && p->schema);
		for (uint32_t k = 0; !known && k < o->pattern_count; k++)
			known = run_matches(r, o->patterns[k].pattern, j->members[i].name);
		seen[i] |= known;
	}
	if (o)
		mark_dependents(r, o, j, at, seen, mark_nested_members);
	if (s->logic)
		mark_logic(r, s->logic, j, at, seen, mark_nested_members);
	r->depth--;
}

static void mark_nested_items(struct run *r, const struct schema *s, const struct json *j, const struct place *at,
			      bool *seen)
{
	const struct array_rules *a = s->array;

	if (a && a->unevaluated)
		memset(seen, true, j->count);
	else
		run_evaluated_items(r, s, j, at, seen);
}

void run_evaluated_items(struct run *r, const struct schema *s, const struct json *j, const struct place *at,
			 bool *seen)
{
	const struct array_rules *a = s->array;

	if (r->exhausted || r->depth >= VALIDATE_DEPTH_MAX || ++r->steps > VALIDATE_STEPS_MAX)
		return;
	r->depth++;
	for (uint32_t i = 0; a && i < j->count; i++) {
		struct place item = {.up = at, .index = i, .is_item = true};
		seen[i] |= a->items || i < a->prefix.count ||
			   (a->contains && run_check(r, a->contains, &j->items[i], &item, false));
	}
	if (s->object)
		mark_dependents(r, s->object, j, at, seen, mark_nested_items);
	if (s->logic)
		mark_logic(r, s->logic, j, at, seen, mark_nested_items);
	r->depth--;
}
