#include "format/yaml.h"

#include "base/test_arena.h"

static void test_accepted(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *json;
	} cases[] = {
	    {"a: 1", "{\"a\":1}"},
	    {"---\na: 1\n...\n", "{\"a\":1}"},
	    {"\xef\xbb\xbf"
	     "a: 1",
	     "{\"a\":1}"},
	    {"plain", "\"plain\""},
	    {"- 1\n- -2.50\n- 1e5\n- 01\n- 1.\n- 0x10\n- +1\n- .5",
	     "[1,-2.50,1e5,\"01\",\"1.\",\"0x10\",\"+1\",\".5\"]"},
	    {"[null, ~, '', \"\", 'null', \"~\", Null]", "[null,null,\"\",\"\",\"null\",\"~\",\"Null\"]"},
	    {"[true, false, yes, no, on, True, 'true']", "[true,false,\"yes\",\"no\",\"on\",\"True\",\"true\"]"},
	    {"['1', \"2\", 3]", "[\"1\",\"2\",3]"},
	    {"a:\nb: ", "{\"a\":null,\"b\":null}"},
	    {"a: |\n  one\n  two\nb: >\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\",\"b\":\"one two\\n\"}"},
	    {"a: {b: [1, {c: d}], e: {}}\nf: []", "{\"a\":{\"b\":[1,{\"c\":\"d\"}],\"e\":{}},\"f\":[]}"},
	    {"1: one\ntrue: yes\n~: no", "{\"1\":\"one\",\"true\":\"yes\",\"~\":\"no\"}"},
	    {"'<<': 1", "{\"<<\":1}"},
	    {"a: 2026-03-01\nb: 12:30:45\nc: 1_000", "{\"a\":\"2026-03-01\",\"b\":\"12:30:45\",\"c\":\"1_000\"}"},
	    {"n: 123456789012345678901234567890", "{\"n\":123456789012345678901234567890}"},
	    {"a: \"x\\0y\\u20ac\"", "{\"a\":\"x\\u0000y\xe2\x82\xac\"}"},
	    {"# only\na: b # a comment\n", "{\"a\":\"b\"}"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json *j = NULL;
		struct err e = ERR_NONE;
		if (yaml_parse(&arena, str_from(cases[i].yaml), NULL, &j, &e) != RC_OK)
			fail_msg("case %zu: %s %s %s", i, e.code, e.where, e.detail);
		struct buf b;
		buf_init(&b, 1000);
		json_write(&b, j);
		assert_string_equal(b.p, cases[i].json);
		buf_done(&b);
	}
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *code, *where;
	} cases[] = {
	    {"", "invalid_yaml", "line 1"},
	    {"# nothing\n", "invalid_yaml", "line 1"},
	    {"a: 1\nb: [1,\nc: 2", "invalid_yaml", NULL},
	    {"a: 1\n\tb: 2", "invalid_yaml", "line 2"},
	    {"a: 'open", "invalid_yaml", NULL},
	    {"a: b: c", "invalid_yaml", "line 1"},
	    {"a: 1\nb: \"\xff\"", "invalid_yaml", "line 2"},
	    {"a: 1\nb: 2\na: 3", "duplicate_member", "line 3"},
	    {"x:\n  - {a: 1, b: 2, 'a': 3}", "duplicate_member", "line 2"},
	    {"a: &x 1", "yaml_not_supported", "line 1"},
	    {"a: 1\nb: *x", "yaml_not_supported", "line 2"},
	    {"a: &x [1]", "yaml_not_supported", "line 1"},
	    {"a: &x {b: 1}", "yaml_not_supported", "line 1"},
	    {"a: !!str 1", "yaml_not_supported", "line 1"},
	    {"a: !x {}", "yaml_not_supported", "line 1"},
	    {"a: !x []", "yaml_not_supported", "line 1"},
	    {"a:\n  <<: {b: 1}", "yaml_not_supported", "line 2"},
	    {"? [1]\n: 2", "yaml_not_supported", "line 1"},
	    {"? {a: 1}\n: 2", "yaml_not_supported", "line 1"},
	    {"a: 1\n---\nb: 2", "yaml_not_supported", "line 2"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json *j = NULL;
		struct err e = ERR_NONE;
		enum rc rc = yaml_parse(&arena, str_from(cases[i].yaml), NULL, &j, &e);
		if (rc != RC_INVALID || strcmp(e.code, cases[i].code) != 0)
			fail_msg("case %zu: %s %s %s", i, e.code, e.where, e.detail);
		if (cases[i].where)
			assert_string_equal(e.where, cases[i].where);
		assert_null(j);
	}
}

static void test_lines(void **state)
{
	(void)state;
	struct json *j;
	assert_int_equal(yaml_parse(&arena, STR("# first\na: 1\nb:\n  - x\n  - y: z\n    w: |\n      text\nc: {}\n"),
				    NULL, &j, NULL),
			 RC_OK);
	assert_int_equal(j->line, 2);
	assert_int_equal(json_get(j, "a")->line, 2);
	const struct json *b = json_get(j, "b");
	assert_int_equal(b->line, 4);
	assert_int_equal(b->items[0].line, 4);
	assert_int_equal(b->items[1].line, 5);
	assert_int_equal(json_get(&b->items[1], "y")->line, 5);
	assert_int_equal(json_get(&b->items[1], "w")->line, 6);
	assert_int_equal(json_get(j, "c")->line, 8);
}

static void test_limits(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		struct json_limits limits;
		const char *code; /* NULL: taken */
	} cases[] = {
	    {"[1,2]", {5, 1, 3}, NULL},
	    {"[1,2]", {4, 1, 3}, "json_too_large"},
	    {"[1,2]", {5, 0, 3}, "json_too_deep"},
	    {"[1,2]", {5, 1, 2}, "json_too_many_values"},
	    {"a:\n b:\n  c: 1", {100, 3, 4}, NULL},
	    {"a:\n b:\n  c: 1", {100, 2, 4}, "json_too_deep"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json *j;
		struct err e = ERR_NONE;
		enum rc rc = yaml_parse(&arena, str_from(cases[i].text), &cases[i].limits, &j, &e);
		assert_int_equal(rc, cases[i].code ? RC_LIMIT : RC_OK);
		assert_string_equal(e.code, cases[i].code ? cases[i].code : "");
	}
	struct arena small;
	arena_init(&small, 100);
	struct json *j;
	assert_int_equal(yaml_parse(&small, STR("[a, b, c, d, e, f, g, h]"), NULL, &j, NULL), RC_LIMIT);
	arena_done(&small);
	static char deep[5000];
	memset(deep, '[', sizeof(deep));
	struct err e = ERR_NONE;
	assert_int_equal(yaml_parse(&arena, (struct str){deep, sizeof(deep)}, NULL, &j, &e), RC_LIMIT);
	assert_string_equal(e.code, "json_too_deep");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
