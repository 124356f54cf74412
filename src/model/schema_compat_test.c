/*
 * A schema that was released may grow, not shrink: where schemas/<type>/v<n>.released.json exists (the copy made at a
 * release), v<n>.json must take every document that it took. Compared keyword by keyword along the same paths:
 * no field newly required, no property, enum value or type taken away, no limit tightened, no new check.
 */
#include "model/schema.h"
#include "model/schema_number.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BREAKS_MAX 20

struct breaks {
	size_t count;
	char list[BREAKS_MAX][256];
};

static void note(struct breaks *b, const char *path, const char *what, struct str name)
{
	if (b->count < BREAKS_MAX)
		snprintf(b->list[b->count], sizeof(b->list[0]), "%.180s: %s " STR_FMT, path, what, STR_ARG(name));
	b->count++;
}

static bool holds(const struct json *list, const struct json *value)
{
	if (list->type != JSON_ARRAY)
		return json_equal(list, value);
	for (uint32_t i = 0; i < list->count; i++)
		if (json_equal(&list->items[i], value))
			return true;
	return false;
}

/* What `from` lists and `to` does not. The keyword being absent means everything (enum, type) or nothing (required). */
static void compare_lists(struct breaks *b, const char *path, const char *what, const struct json *from,
			  const struct json *to)
{
	const struct json *items = from->type == JSON_ARRAY ? from->items : from;
	for (uint32_t i = 0; i < (from->type == JSON_ARRAY ? from->count : 1); i++)
		if (!to || !holds(to, &items[i]))
			note(b, path, what, json_text(&items[i]));
}

static void compare_limits(struct breaks *b, const char *path, const struct json *old, const struct json *new)
{
	static const struct {
		const char *keyword;
		int tighter; /* the sign of new - old that tightens */
	} limits[] = {
	    {"minLength", 1},        {"maxLength", -1},        {"minItems", 1}, {"maxItems", -1},
	    {"minProperties", 1},    {"maxProperties", -1},    {"minimum", 1},  {"maximum", -1},
	    {"exclusiveMinimum", 1}, {"exclusiveMaximum", -1},
	};
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct json *from = json_get(old, limits[i].keyword), *to = json_get(new, limits[i].keyword);
		if (!to)
			continue;
		struct number x = number_read(from ? json_text(from) : STR("0")), y = number_read(json_text(to));
		if (!from || number_compare(&y, &x) == limits[i].tighter)
			note(b, path, "tightened", str_from(limits[i].keyword));
	}
}

static void compare_schemas(struct breaks *b, const char *path, const struct json *old, const struct json *new);

/* The schemas under the names of a map: properties must stay, definitions may go. */
static void compare_maps(struct breaks *b, const char *path, const char *keyword, const struct json *old,
			 const struct json *new)
{
	const struct json *from = json_get(old, keyword), *to = json_get(new, keyword);
	for (uint32_t i = 0; from && i < from->count; i++) {
		char below[400];
		const struct json *value = json_get_str(to, from->members[i].name);
		snprintf(below, sizeof(below), "%.250s/%s/" STR_FMT, path, keyword, STR_ARG(from->members[i].name));
		if (value)
			compare_schemas(b, below, &from->members[i].value, value);
		else if (strcmp(keyword, "properties") == 0)
			note(b, path, "removed", from->members[i].name);
	}
}

static void compare_schemas(struct breaks *b, const char *path, const struct json *old, const struct json *new)
{
	static const char *const checks[] = {"pattern",
					     "format",
					     "const",
					     "multipleOf",
					     "allOf",
					     "anyOf",
					     "oneOf",
					     "not",
					     "if",
					     "$ref",
					     "propertyNames",
					     "uniqueItems",
					     "contains",
					     "then",
					     "else",
					     "dependentRequired",
					     "dependentSchemas"};
	static const char *const below[] = {"items", "additionalProperties"};
	const struct json *to;

	if (new->type == JSON_BOOL && !new->boolean && !(old->type == JSON_BOOL && !old->boolean))
		note(b, path, "forbidden", STR_NONE);
	if (old->type != JSON_OBJECT || new->type != JSON_OBJECT)
		return;
	if ((to = json_get(new, "required")))
		compare_lists(b, path, "newly required", to, json_get(old, "required"));
	if ((to = json_get(new, "enum")))
		json_get(old, "enum") ? compare_lists(b, path, "no longer allowed", json_get(old, "enum"), to)
				      : note(b, path, "new", STR("enum"));
	if ((to = json_get(new, "type")))
		json_get(old, "type") ? compare_lists(b, path, "no longer a type", json_get(old, "type"), to)
				      : note(b, path, "new", STR("type"));
	compare_limits(b, path, old, new);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if ((to = json_get(new, checks[i])) &&
		    (!json_get(old, checks[i]) || !json_equal(to, json_get(old, checks[i]))))
			note(b, path, "changed", str_from(checks[i]));
	compare_maps(b, path, "properties", old, new);
	compare_maps(b, path, "$defs", old, new);
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		char deeper[300];
		const struct json anything = {.type = JSON_BOOL, .boolean = true};
		snprintf(deeper, sizeof(deeper), "%.250s/%s", path, below[i]);
		if ((to = json_get(new, below[i])))
			compare_schemas(b, deeper, json_get(old, below[i]) ? json_get(old, below[i]) : &anything, to);
	}
}

static struct json *parse(struct arena *a, struct str text)
{
	struct json *doc;
	struct err e = ERR_NONE;
	struct str copy = arena_copy(a, text);
	for (size_t i = 0; i < copy.n; i++)
		if (copy.p[i] == '\'')
			((char *)copy.p)[i] = '"';
	struct json_limits limits = JSON_LIMITS_DEFAULT;
	if (json_parse(a, copy, &limits, &doc, &e) != RC_OK)
		fail_msg("%s %s", e.code, e.detail);
	return doc;
}

/* NULL when the file does not exist. */
static struct json *read_json(struct arena *a, const char *path)
{
	struct buf text;
	char chunk[4096];
	size_t n;
	FILE *f = fopen(path, "rb");
	if (!f)
		return NULL;
	buf_init(&text, 1 << 20);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&text, chunk, n);
	fclose(f);
	struct json *doc;
	struct err e = ERR_NONE;
	struct json_limits limits = JSON_LIMITS_DEFAULT;
	if (json_parse(a, buf_str(&text), &limits, &doc, &e) != RC_OK)
		fail_msg("%s: %s", path, e.detail);
	buf_done(&text);
	return doc;
}

static void test_shipped_schemas(void **state)
{
	(void)state;
	DIR *d = opendir(CD_SOURCE_DIR "/schemas");
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		for (int major = 1; e->d_name[0] != '.' && major < 10; major++) {
			char path[600];
			struct arena a;
			struct breaks b = {0};
			arena_init(&a, 4 << 20);
			snprintf(path, sizeof(path), CD_SOURCE_DIR "/schemas/%s/v%d.released.json", e->d_name, major);
			struct json *old = read_json(&a, path);
			snprintf(path, sizeof(path), CD_SOURCE_DIR "/schemas/%s/v%d.json", e->d_name, major);
			struct json *new = read_json(&a, path);
			if (old && !new)
				fail_msg("%s was released and is gone", path);
			if (old)
				compare_schemas(&b, e->d_name, old, new);
			for (size_t i = 0; i < b.count && i < BREAKS_MAX; i++)
				print_error("%s\n", b.list[i]);
			assert_int_equal(b.count, 0);
			arena_done(&a);
		}
	}
	closedir(d);
}

#define OLD                                                                                                            \
	"{'type':'object','required':['a'],'additionalProperties':false,'properties':{'a':{'type':['string','null'],"  \
	"'maxLength':9},'b':{'enum':['x','y']},'c':{'items':{'$ref':'#/$defs/d'}}},'$defs':{'d':{'minimum':1}}}"

static void test_what_breaks(void **state)
{
	static const struct {
		const char *new, *breaks; /* NULL: nothing */
	} changes[] = {
	    {OLD, NULL},
	    /* A new optional field, a new value, a wider type, a looser limit, nothing required any more. */
	    {"{'type':'object','additionalProperties':false,'properties':{'a':{'type':['string','null','number'],'"
	     "maxLength':10},"
	     "'b':{'enum':['x','y','z']},'c':{'items':{'$ref':'#/$defs/"
	     "d'}},'e':{'type':'string'}},'$defs':{'d':{'minimum':0}}}",
	     NULL},
	    {"{'required':['a','b'],'properties':{'a':{},'b':{},'c':{}}}", "t: newly required b"},
	    {"{'properties':{'a':{},'c':{}}}", "t: removed b"},
	    {"{'properties':{'a':{'type':'string'},'b':{},'c':{}}}", "t/properties/a: no longer a type null"},
	    {"{'properties':{'a':{'maxLength':8},'b':{},'c':{}}}", "t/properties/a: tightened maxLength"},
	    {"{'properties':{'a':{'minLength':1},'b':{},'c':{}}}", "t/properties/a: tightened minLength"},
	    {"{'properties':{'a':{},'b':{'enum':['x']},'c':{}}}", "t/properties/b: no longer allowed y"},
	    {"{'properties':{'a':{'enum':['x']},'b':{},'c':{}}}", "t/properties/a: new enum"},
	    {"{'properties':{'a':{'pattern':'x'},'b':{},'c':{}}}", "t/properties/a: changed pattern"},
	    {"{'properties':{'a':{},'b':{},'c':{'items':false}}}", "t/properties/c/items: forbidden "},
	    {"{'properties':{'a':{},'b':{},'c':{}},'$defs':{'d':{'minimum':2}}}", "t/$defs/d: tightened minimum"},
	    {"{'type':'array','properties':{'a':{},'b':{},'c':{}}}", "t: no longer a type object"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct arena a;
		struct breaks b = {0};
		arena_init(&a, 1 << 20);
		compare_schemas(&b, "t", parse(&a, str_from(OLD)), parse(&a, str_from(changes[i].new)));
		if (b.count != (changes[i].breaks ? 1 : 0) || (b.count && strcmp(b.list[0], changes[i].breaks) != 0))
			fail_msg("%s: %zu, %s", changes[i].new, b.count, b.list[0]);
		arena_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_shipped_schemas), cmocka_unit_test(test_what_breaks)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
