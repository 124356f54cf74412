/* The validator: what a schema is refused for and where, what a document is told and where, and the limits. */
#include "model/schema.h"
#include "model/schema_number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena arena;
static struct findings findings;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 64 << 20);
	findings_init(&findings, &arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

/* Single quotes stand for double ones. */
static struct str quoted(const char *text)
{
	struct str s = arena_copy(&arena, str_from(text));
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\'')
			((char *)s.p)[i] = '"';
	return s;
}

static struct json *parse(const char *text)
{
	struct json *doc;
	struct err e = ERR_NONE;
	struct json_limits limits = {.bytes = 32 << 20, .depth = 600, .nodes = 1000000};
	if (json_parse(&arena, quoted(text), &limits, &doc, &e) != RC_OK)
		fail_msg("%.200s: %s", text, e.detail);
	return doc;
}

static enum rc compile(struct schema_registry *r, const char *schema, struct err *e)
{
	enum rc rc = schema_registry_add(r, "s", quoted(schema), e);
	return rc == RC_OK ? schema_registry_compile(r, e) : rc;
}

static const struct refused {
	const char *schema, *code, *where;
} refused[] = {
    {"{'requierd':['a']}", "schema_not_supported", "s#/requierd"},
    {"{'properties':{'a/b':{'~':1}}}", "schema_not_supported", "s#/properties/a~1b/~"},
    {"{'$dynamicRef':'#x'}", "schema_not_supported", "s#/$dynamicRef"},
    {"{'additionalItems':false}", "schema_not_supported", "s#/additionalItems"},
    {"{'dependencies':{}}", "schema_not_supported", "s#/dependencies"},
    {"{'definitions':{}}", "schema_not_supported", "s#/definitions"},
    {"{'$schema':'http://json-schema.org/draft-07/schema#'}", "schema_not_supported", "s#/$schema"},
    {"{'items':{'pattern':'('}}", "schema_not_supported", "s#/items/pattern"},
    {"{'patternProperties':{'[':true}}", "schema_not_supported", "s#/patternProperties"},
    {"{'multipleOf':1.234567890123456789}", "schema_not_supported", "s#/multipleOf"},
    {"{'multipleOf':0}", "schema_invalid", "s#/multipleOf"},
    {"{'type':'text'}", "schema_invalid", "s#/type"},
    {"{'type':[]}", "schema_invalid", "s#/type"},
    {"{'enum':1}", "schema_invalid", "s#/enum"},
    {"{'minLength':-1}", "schema_invalid", "s#/minLength"},
    {"{'minLength':1.5}", "schema_invalid", "s#/minLength"},
    {"{'maximum':'1'}", "schema_invalid", "s#/maximum"},
    {"{'required':[1]}", "schema_invalid", "s#/required"},
    {"{'dependentRequired':{'a':'b'}}", "schema_invalid", "s#/dependentRequired"},
    {"{'items':[]}", "schema_invalid", "s#/items"},
    {"{'allOf':[]}", "schema_invalid", "s#/allOf"},
    {"{'properties':{'a':1}}", "schema_invalid", "s#/properties"},
    {"{'uniqueItems':'yes'}", "schema_invalid", "s#/uniqueItems"},
    {"{'format':1}", "schema_invalid", "s#/format"},
    {"[]", "schema_invalid", "s#"},
    {"{'allOf':[true,{'$ref':'#/$defs/x'}]}", "schema_reference_unknown", "s#/allOf/1/$ref"},
    {"{'$ref':'other'}", "schema_reference_unknown", "s#/$ref"},
    {"{'$ref':'#nowhere'}", "schema_reference_unknown", "s#/$ref"},
    {"{'$ref':'#/enum','enum':[1]}", "schema_reference_unknown", "s#/$ref"},
    {"{'$ref':'#'}", "schema_reference_loop", "s#"},
    {"{'items':{'if':true,'then':{'$ref':'#/items'}}}", "schema_reference_loop", "s#/items"},
    {"{'dependentSchemas':{'a':{'anyOf':[{'$ref':'#'}]}}}", "schema_reference_loop", "s#"},
    {"{'$defs':{'a':{'$id':'x'},'b':{'$id':'x'}}}", "schema_exists", ""},
};

static void test_refused_schemas(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct err e = ERR_NONE;
		struct schema_registry *r = schema_registry_new();
		enum rc rc = compile(r, refused[i].schema, &e);
		if (rc == RC_OK || rc != e.rc || strcmp(e.code, refused[i].code) != 0 ||
		    (refused[i].where[0] && strcmp(e.where, refused[i].where) != 0))
			fail_msg("%s: %s %s %s", refused[i].schema, e.code, e.where, e.detail);
		schema_registry_free(r);
	}
}

static const struct judged {
	const char *schema, *document;
	const char *pointer, *code; /* NULL: valid */
} judged[] = {
    {"{'x-note':1,'title':'t','description':'d','default':0,'examples':[],'deprecated':true,'readOnly':true}", "1",
     NULL, NULL},
    {"false", "1", "", "forbidden"},
    {"{'properties':{'a/b':{'items':{'type':'null'}}}}", "{'a/b':[null,0]}", "/a~1b/1", "wrong_type"},
    {"{'properties':{'m~n':false}}", "{'m~n':0}", "/m~0n", "forbidden"},
    {"{'additionalProperties':false}", "{'':{}}", "/", "unknown_field"},
    {"{'required':['a~b']}", "{}", "/a~0b", "required"},
    {"{'type':'integer'}", "1.0", NULL, NULL},
    {"{'type':'integer'}", "10e-1", NULL, NULL},
    {"{'type':'integer'}", "1.5", "", "wrong_type"},
    {"{'type':'integer'}", "123456789012345678901234567890", NULL, NULL},
    {"{'minimum':123456789012345678901234567890}", "123456789012345678901234567889.999", "", "too_small"},
    {"{'maximum':0.1}", "0.10000000000000000000000001", "", "too_large"},
    {"{'exclusiveMaximum':0.1}", "1e-1", "", "too_large"},
    {"{'exclusiveMinimum':-0.0}", "0", "", "too_small"},
    {"{'multipleOf':0.01}", "19.99", NULL, NULL},
    {"{'multipleOf':0.01}", "19.999", "", "not_a_multiple"},
    {"{'multipleOf':3}", "1e30", "", "not_a_multiple"},
    {"{'multipleOf':3}", "3e300", NULL, NULL},
    {"{'enum':[1,'a',{'b':[2.0]}]}", "{'b':[2]}", NULL, NULL},
    {"{'enum':[1,'a']}", "'b'", "", "not_in_enum"},
    {"{'const':[1]}", "[2]", "", "not_the_constant"},
    {"{'minLength':2,'maxLength':2}", "'\xf0\x9f\x93\xa6\xc3\xa9'", NULL, NULL},
    {"{'maxLength':1}", "'\xf0\x9f\x93\xa6\xc3\xa9'", "", "too_long"},
    {"{'minLength':3}", "'\xf0\x9f\x93\xa6\xc3\xa9'", "", "too_short"},
    {"{'pattern':'^[A-Z]{3}$'}", "'GBP'", NULL, NULL},
    {"{'pattern':'^[A-Z]{3}$'}", "'GBP\\n'", "", "wrong_pattern"},
    {"{'pattern':'^.$'}", "'\xf0\x9f\x93\xa6'", NULL, NULL},
    {"{'format':'date-time'}", "'2026-03-01T12:00:00+00:00'", NULL, NULL},
    {"{'format':'date-time'}", "'2026-03-01'", "", "wrong_format"},
    {"{'format':'decimal'}", "'-10.00'", NULL, NULL},
    {"{'format':'decimal'}", "'1e3'", "", "wrong_format"},
    {"{'format':'quantity'}", "'0.0001'", NULL, NULL},
    {"{'format':'quantity'}", "'0.00001'", "", "wrong_format"},
    {"{'format':'uri'}", "'http:// a'", "", "wrong_format"},
    {"{'format':'email'}", "'not asserted'", NULL, NULL},
    {"{'format':'decimal'}", "5", NULL, NULL},
    {"{'uniqueItems':true}", "[1,{'a':1,'b':2},{'b':2.0,'a':1}]", "/2", "duplicate_item"},
    {"{'uniqueItems':true}", "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,'a','b',{'x':[1.0,true]},{'x':[1,true]}]",
     "/22", "duplicate_item"},
    {"{'uniqueItems':true}", "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,'0','1',false,null,[],{}]", NULL, NULL},
    {"{'contains':{'type':'null'}}", "[1,2]", "", "missing_item"},
    {"{'contains':{'type':'null'},'maxContains':1}", "[null,null]", "", "too_many_items"},
    {"{'dependentRequired':{'a':['b']}}", "{'a':1}", "/b", "required"},
    {"{'propertyNames':{'maxLength':2}}", "{'ab':1,'abc':1}", "/abc", "wrong_field_name"},
    {"{'minProperties':1}", "{}", "", "too_few_fields"},
    {"{'maxProperties':1}", "{'a':1,'b':1}", "", "too_many_fields"},
    {"{'anyOf':[{'type':'null'},{'type':'string'}]}", "1", "", "no_alternative"},
    {"{'oneOf':[{'type':'number'},{'minimum':0}]}", "1", "", "several_alternatives"},
    {"{'not':{}}", "1", "", "excluded"},
    {"{'if':{'required':['a']},'then':{'required':['b']}}", "{'a':1}", "/b", "required"},
    {"{'allOf':[{'properties':{'a':true}}],'unevaluatedProperties':false}", "{'a':1,'b':1}", "/b", "unknown_field"},
    {"{'prefixItems':[true],'unevaluatedItems':false}", "[1,2]", "/1", "forbidden"},
    {"{'$defs':{'t':{'properties':{'k':{'items':{'$ref':'#/$defs/t'}}},'additionalProperties':false}},'$ref':'#/$defs/"
     "t'}",
     "{'k':[{'k':[{'z':1}]}]}", "/k/0/k/0/z", "unknown_field"},
};

static void test_judged_documents(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(judged) / sizeof(judged[0]); i++) {
		struct err e = ERR_NONE;
		struct schema_registry *r = schema_registry_new();
		if (compile(r, judged[i].schema, &e) != RC_OK)
			fail_msg("%s: %s %s", judged[i].schema, e.where, e.detail);
		findings_init(&findings, &arena);
		enum rc rc =
		    schema_validate(schema_find_uri(r, "s"), parse(judged[i].document), SCHEMA_STRICT, &findings, NULL);
		assert_int_equal(rc, judged[i].code ? RC_INVALID : RC_OK);
		if (findings.count != (judged[i].code ? 1 : 0) ||
		    (judged[i].code && (strcmp(findings.list[0].pointer, judged[i].pointer) != 0 ||
					strcmp(findings.list[0].code, judged[i].code) != 0)))
			fail_msg("%s, %s: %zu, %s %s", judged[i].schema, judged[i].document, findings.count,
				 findings.list[0].pointer, findings.list[0].code);
		schema_registry_free(r);
	}
}

static enum rc judge(const char *schema, const struct json *doc, enum schema_mode mode, struct findings *drift)
{
	struct err e = ERR_NONE;
	struct schema_registry *r = schema_registry_new();
	if (compile(r, schema, &e) != RC_OK)
		fail_msg("%s: %s", e.where, e.detail);
	enum rc rc = schema_validate(schema_find_uri(r, "s"), doc, mode, &findings, drift);
	schema_registry_free(r);
	return rc;
}

static void test_findings_past_the_limit_count(void **state)
{
	struct buf text;
	(void)state;
	buf_init(&text, 1 << 16);
	buf_add_char(&text, '[');
	for (size_t i = 0; i < FINDINGS_MAX + 7; i++)
		buf_add_z(&text, i ? ",0" : "0");
	buf_add_char(&text, ']');
	assert_int_equal(judge("{'items':{'type':'string'}}", parse(text.p), SCHEMA_STRICT, NULL), RC_INVALID);
	assert_int_equal(findings.count, FINDINGS_MAX);
	assert_int_equal(findings.more, 7);
	assert_string_equal(findings.list[49].pointer, "/49");
	buf_done(&text);
}

static void test_findings_survive_a_full_arena(void **state)
{
	struct arena small;
	struct findings f;
	(void)state;
	arena_init(&small, 4);
	findings_init(&f, &small);
	findings_add(&f, "/a/long/pointer", "some_code", "a detail");
	assert_int_equal(f.count, 1);
	assert_non_null(f.list[0].pointer);
	assert_non_null(f.list[0].code);
	assert_non_null(f.list[0].detail);
	arena_done(&small);
}

static void test_a_long_pointer_ends_at_a_place(void **state)
{
	struct buf text;
	(void)state;
	buf_init(&text, 1 << 16);
	buf_add_z(&text, "{'list':[{'");
	for (size_t i = 0; i < 5000; i++)
		buf_add_char(&text, '/');
	buf_add_z(&text, "':1}]}");
	assert_int_equal(judge("{'properties':{'list':{'items':{'additionalProperties':false}}}}", parse(text.p),
			       SCHEMA_STRICT, NULL),
			 RC_INVALID);
	assert_int_equal(findings.count, 1);
	assert_string_equal(findings.list[0].pointer, "/list/0");
	buf_done(&text);
}

static void test_drift_in_alternatives(void **state)
{
	struct findings drift;
	(void)state;
	const char *schema = "{'oneOf':[{'type':'string'},{'properties':{'a':{'additionalProperties':false}},"
			     "'additionalProperties':false,'required':['a']}]}";
	findings_init(&drift, &arena);
	assert_int_equal(judge(schema, parse("{'a':{'new':1}}"), SCHEMA_KEEP_UNKNOWN, &drift), RC_OK);
	assert_int_equal(drift.count, 1);
	assert_string_equal(drift.list[0].pointer, "/a/new");
	assert_int_equal(findings.count, 0);
	assert_int_equal(judge(schema, parse("{'a':{'new':1}}"), SCHEMA_STRICT, NULL), RC_INVALID);
	/* Keeping what is unknown forgives nothing else. */
	assert_int_equal(judge(schema, parse("{'b':1}"), SCHEMA_KEEP_UNKNOWN, &drift), RC_INVALID);
}

/* 2^20 ways through the schema for one value, and a pattern that never ends. */
static void test_limits(void **state)
{
	struct buf schema;
	(void)state;
	buf_init(&schema, 1 << 16);
	buf_add_z(&schema, "{'$defs':{'d0':{'type':'string'}");
	for (int i = 1; i <= 24; i++)
		buf_printf(&schema, ",'d%d':{'anyOf':[{'$ref':'#/$defs/d%d'},{'$ref':'#/$defs/d%d'}]}", i, i - 1,
			   i - 1);
	buf_add_z(&schema, "},'not':{'$ref':'#/$defs/d24'}}");
	assert_int_equal(judge(schema.p, parse("1"), SCHEMA_STRICT, NULL), RC_INVALID);
	assert_string_equal(findings.list[findings.count - 1].code, "too_complex");
	buf_done(&schema);

	/* Deeper than a schema may nest, and far from the end of the stack. */
	struct buf deep;
	buf_init(&deep, 1 << 16);
	for (int i = 0; i < 500; i++)
		buf_add_char(&deep, '[');
	for (int i = 0; i < 500; i++)
		buf_add_char(&deep, ']');
	findings_init(&findings, &arena);
	assert_int_equal(judge("{'items':{'$ref':'#'}}", parse(deep.p), SCHEMA_STRICT, NULL), RC_INVALID);
	assert_string_equal(findings.list[findings.count - 1].code, "too_complex");
	buf_done(&deep);

	findings_init(&findings, &arena);
	assert_int_equal(
	    judge("{'not':{'pattern':'^(a|aa|b?a)+c(a|aa)+$'}}",
		  parse("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaacaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'"),
		  SCHEMA_STRICT, NULL),
	    RC_INVALID);
	assert_string_equal(findings.list[findings.count - 1].code, "too_complex");
}

static void test_registry_with_several_documents(void **state)
{
	struct err e = ERR_NONE;
	struct schema_registry *r = schema_registry_new();
	(void)state;
	assert_int_equal(
	    schema_registry_add(r, "file:///a.json",
				quoted("{'$id':'https://x.example/s/a.json','items':{'$ref':'../t/b.json#n'}}"), &e),
	    RC_OK);
	assert_int_equal(schema_registry_add(r, "https://x.example/t/b.json",
					     quoted("{'$defs':{'n':{'$anchor':'n','type':'number'}}}"), &e),
			 RC_OK);
	assert_int_equal(schema_registry_compile(r, &e), RC_OK);
	const struct schema *s = schema_find_uri(r, "https://x.example/s/a.json");
	assert_non_null(s);
	assert_ptr_equal(s, schema_find_uri(r, "file:///a.json"));
	assert_int_equal(schema_validate(s, parse("[1]"), SCHEMA_STRICT, &findings, NULL), RC_OK);
	assert_int_equal(schema_validate(s, parse("['1']"), SCHEMA_STRICT, &findings, NULL), RC_INVALID);
	assert_string_equal(findings.list[0].pointer, "/0");
	schema_registry_free(r);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void test_load_says_file_and_pointer(void **state)
{
	char dir[] = "/tmp/schemas-XXXXXX", type[64], where[128];
	struct err e = ERR_NONE;
	(void)state;
	assert_non_null(mkdtemp(dir));
	struct schema_registry *r = schema_registry_new();
	assert_int_equal(schema_registry_load(r, "/no/such/folder", &e), RC_IO);
	schema_registry_free(r);

	snprintf(type, sizeof(type), "%s/widget", dir);
	assert_int_equal(mkdir(type, 0700), 0);
	write_file(type, "v1.json", "{\"$id\":\"w\",\"properties\":{\"a\":{\"typ\":\"string\"}}}");
	write_file(type, "notes.txt", "not a schema");
	write_file(dir, "README", "not a folder");
	r = schema_registry_new();
	e = ERR_NONE;
	assert_int_equal(schema_registry_load(r, dir, &e), RC_INVALID);
	snprintf(where, sizeof(where), "%s/widget/v1.json#/properties/a/typ", dir);
	assert_string_equal(e.where, where);
	schema_registry_free(r);

	write_file(type, "v1.json", "{\"$id\":\"w\"");
	r = schema_registry_new();
	e = ERR_NONE;
	assert_int_equal(schema_registry_load(r, dir, &e), RC_INVALID);
	snprintf(where, sizeof(where), "%s/widget/v1.json", dir);
	assert_string_equal(e.where, where);
	schema_registry_free(r);

	write_file(type, "v1.json", "{\"$id\":\"w\"}");
	write_file(type, "v12.json", "{\"$id\":\"x:w12\",\"type\":\"null\"}");
	r = schema_registry_new();
	assert_int_equal(schema_registry_add_dir(r, dir, &e), RC_OK);
	assert_int_equal(schema_registry_add_dir(r, dir, &e), RC_CONFLICT);
	schema_registry_free(r);
	r = schema_registry_new();
	assert_int_equal(schema_registry_load(r, dir, &e), RC_OK);
	assert_non_null(schema_find(r, "widget", 1));
	assert_null(schema_find(r, "widget", 2));
	assert_ptr_equal(schema_find(r, "widget", 12), schema_find_uri(r, "x:w12"));
	schema_registry_free(r);

	char path[128];
	const char *files[] = {"widget/v1.json", "widget/v12.json", "widget/notes.txt", "README"};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(type), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *a, *b;
		int order;
	} pairs[] = {
	    {"0", "-0.00e7", 0},
	    {"1", "1.0", 0},
	    {"100", "1e2", 0},
	    {"0.001", "1E-3", 0},
	    {"1", "2", -1},
	    {"-1", "-2", 1},
	    {"10", "9", 1},
	    {"-10", "9", -1},
	    {"0.1", "0.09", 1},
	    {"1.50", "1.5", 0},
	    {"1.5", "1.51", -1},
	    {"-1.5", "-1.51", 1},
	    {"99", "1e2", -1},
	    {"1e-400", "0", 1},
	    {"1e400", "9e399", 1},
	    {"12.34", "1234e-2", 0},
	    {"1e999999999999999999999", "1e3", 1},
	    {"1e-999999999999999999999", "1e-3", -1},
	    {"9007199254740993", "9007199254740992", 1},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct number a = number_read(str_from(pairs[i].a)), b = number_read(str_from(pairs[i].b));
		if (number_compare(&a, &b) != pairs[i].order || number_compare(&b, &a) != -pairs[i].order)
			fail_msg("%s and %s", pairs[i].a, pairs[i].b);
		if (pairs[i].order == 0)
			assert_true(number_hash(&a, 1) == number_hash(&b, 1));
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_refused_schemas),
	    TEST(test_judged_documents),
	    TEST(test_findings_past_the_limit_count),
	    TEST(test_findings_survive_a_full_arena),
	    TEST(test_a_long_pointer_ends_at_a_place),
	    TEST(test_drift_in_alternatives),
	    TEST(test_limits),
	    TEST(test_registry_with_several_documents),
	    TEST(test_load_says_file_and_pointer),
	    TEST(test_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
