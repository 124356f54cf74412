#include "format/json.h"

#include "base/mem.h"
#include "base/test_arena.h"

#include <pthread.h>
#include <stdio.h>

/* From a copy of exactly the text's size, so that AddressSanitizer sees a read past it. */
static enum rc parse(struct str text, const struct json_limits *limits, struct json **out, struct err *e)
{
	char *exact = mem_alloc(text.n);
	if (text.n)
		memcpy(exact, text.p, text.n);
	enum rc rc = json_parse(&arena, (struct str){exact, text.n}, limits, out, e);
	memset(exact, '!', text.n);
	free(exact);
	return rc;
}

static struct json *good(const char *text)
{
	struct json *j = NULL;
	struct err e = ERR_NONE;
	if (parse(str_from(text), NULL, &j, &e) != RC_OK)
		fail_msg("%s: %s %s", text, e.code, e.detail);
	return j;
}

static void test_accepted(void **state)
{
	(void)state;
	static const struct {
		struct str text;
		const char *written; /* NULL: as the text */
	} cases[] = {
	    {STR("null"), NULL},
	    {STR("true"), NULL},
	    {STR(" false\n"), "false"},
	    {STR("0"), NULL},
	    {STR("-0"), NULL},
	    {STR("\t-1 \r\n"), "-1"},
	    {STR("123456789012345678901234567890123456789012345678901234567890"), NULL},
	    {STR("0.10000000000000000000000000000000000001"), NULL},
	    {STR("1e5"), NULL},
	    {STR("1E+005"), NULL},
	    {STR("-1.5e-999999999999999999999"), NULL},
	    {STR("\"\""), NULL},
	    {STR("[]"), NULL},
	    {STR("{}"), NULL},
	    {STR("[ ]"), "[]"},
	    {STR("{ }"), "{}"},
	    {STR("{\"\":0}"), NULL},
	    {STR("[[],[[]],{},[{}]]"), NULL},
	    {STR("{\"b\":1,\"a\":2,\"B\":3}"), NULL},
	    {STR("\"\\u0000\\u001f\""), NULL},
	    {STR("\"\\u0041\\u00e4\\u20ac\\ud83d\\ude00\""), "\"A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
	    {STR("\"\\/\\b\\f\\n\\r\\t\\\"\\\\\""), "\"/\\u0008\\u000c\\n\\r\\t\\\"\\\\\""},
	    {STR("\"\x7f\xf4\x8f\xbf\xbf\xef\xbf\xbe\""), NULL},
	    {STR("[1 , 2\t,\n3]"), "[1,2,3]"},
	    {STR("{\"a\" : {\"a\" : [{\"a\" : null}]}}"), "{\"a\":{\"a\":[{\"a\":null}]}}"},
	    {STR("\"]\""), NULL},
	    {STR("[\"],[\",\"}{\"]"), NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json *j = NULL;
		struct err e = ERR_NONE;
		if (parse(cases[i].text, NULL, &j, &e) != RC_OK)
			fail_msg("case %zu: %s %s", i, e.code, e.detail);
		struct buf b;
		buf_init(&b, 1000);
		json_write(&b, j);
		assert_string_equal(b.p, cases[i].written ? cases[i].written : cases[i].text.p);
		buf_done(&b);
	}
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		struct str text;
		const char *code, *where;
	} cases[] = {
	    {STR(""), "invalid_json", ""},
	    {STR("  \n"), "invalid_json", ""},
	    {STR("\xef\xbb\xbf{}"), "invalid_json", ""},
	    {STR("01"), "invalid_number", ""},
	    {STR("-01"), "invalid_number", ""},
	    {STR("1."), "invalid_number", ""},
	    {STR("-"), "invalid_number", ""},
	    {STR("-.5"), "invalid_number", ""},
	    {STR("1.e5"), "invalid_number", ""},
	    {STR("1e"), "invalid_number", ""},
	    {STR("1e+"), "invalid_number", ""},
	    {STR("12abc"), "invalid_number", ""},
	    {STR("0x10"), "invalid_number", ""},
	    {STR("1\0"), "invalid_number", ""},
	    {STR("[1,{\"n\":[-a]}]"), "invalid_number", "/1/n/0"},
	    {STR(".5"), "invalid_json", ""},
	    {STR("+1"), "invalid_json", ""},
	    {STR("NaN"), "invalid_json", ""},
	    {STR("-Infinity"), "invalid_number", ""},
	    {STR("truex"), "invalid_json", ""},
	    {STR("tru"), "invalid_json", ""},
	    {STR("True"), "invalid_json", ""},
	    {STR("nul"), "invalid_json", ""},
	    {STR("nulx"), "invalid_json", ""},
	    {STR("null\0"), "invalid_json", ""},
	    {STR("true\"x\""), "invalid_json", ""},
	    {STR("falsefalse"), "invalid_json", ""},
	    {STR("1 2"), "invalid_json", ""},
	    {STR("1,2"), "invalid_json", ""},
	    {STR("[1]]"), "invalid_json", ""},
	    {STR("[1],[2"), "invalid_json", ""},
	    {STR("1]"), "invalid_json", ""},
	    {STR("{}}"), "invalid_json", ""},
	    {STR("{},"), "invalid_json", ""},
	    {STR("[1]x"), "invalid_json", ""},
	    {STR("[1]\0"), "invalid_json", ""},
	    {STR("[1]//c"), "invalid_json", ""},
	    {STR("["), "invalid_json", NULL},
	    {STR("[[[]"), "invalid_json", NULL},
	    {STR("{"), "invalid_json", NULL},
	    {STR("{\"a\""), "invalid_json", NULL},
	    {STR("{\"a\":"), "invalid_json", NULL},
	    {STR("{\"a\":1"), "invalid_json", NULL},
	    {STR("{\"a\":1,"), "invalid_json", NULL},
	    {STR("]"), "invalid_json", NULL},
	    {STR("}"), "invalid_json", NULL},
	    {STR("[}"), "invalid_json", NULL},
	    {STR("{]"), "invalid_json", NULL},
	    {STR("[1,]"), "invalid_json", NULL},
	    {STR("[,1]"), "invalid_json", NULL},
	    {STR("[1,,2]"), "invalid_json", NULL},
	    {STR("[1 2]"), "invalid_json", NULL},
	    {STR("[\"a\"1]"), "invalid_json", NULL},
	    {STR("[1\"a\"]"), "invalid_number", NULL},
	    {STR("[1:2]"), "invalid_json", NULL},
	    {STR("[1\f]"), "invalid_json", NULL},
	    {STR("[1,\v2]"), "invalid_json", NULL},
	    {STR("[1,\xc2\xa0 2]"), "invalid_json", NULL},
	    {STR("{\"a\":1,}"), "invalid_json", NULL},
	    {STR("{\"a\" 1}"), "invalid_json", NULL},
	    {STR("{\"a\",1}"), "invalid_json", NULL},
	    {STR("{a:1}"), "invalid_json", NULL},
	    {STR("{'a':1}"), "invalid_json", NULL},
	    {STR("{1:1}"), "invalid_json", NULL},
	    {STR("{null:1}"), "invalid_json", NULL},
	    {STR("{\"a\":1 \"b\":2}"), "invalid_json", NULL},
	    {STR("{\"a\":1,\"b\":tru}"), "invalid_json", "/b"},
	    {STR("{\"a/b\":{\"~\":[0,nul]}}"), "invalid_json", "/a~1b/~0/1"},
	    {STR("\"abc"), "invalid_json", ""},
	    {STR("\"abc\\\""), "invalid_json", ""},
	    {STR("\"\\"), "invalid_json", ""},
	    {STR("\\\"a\""), "invalid_json", ""},
	    {STR("'a'"), "invalid_json", ""},
	    {STR("\"a\nb\""), "invalid_json", ""},
	    {STR("\"a\tb\""), "invalid_json", ""},
	    {STR("\"a\0b\""), "invalid_json", ""},
	    {STR("\"\\q\""), "invalid_json", ""},
	    {STR("\"\\U0041\""), "invalid_json", ""},
	    {STR("\"\\u12\""), "invalid_json", ""},
	    {STR("\"\\u00zz\""), "invalid_json", ""},
	    {STR("\"\\ud800\""), "invalid_json", ""},
	    {STR("\"\\udc00\""), "invalid_json", ""},
	    {STR("\"\\ud800\\u0041\""), "invalid_json", ""},
	    {STR("\"\\ud800\\ud800\""), "invalid_json", ""},
	    {STR("\"\\ude00\\ud83d\""), "invalid_json", ""},
	    {STR("\"\\ud83d\\n\""), "invalid_json", ""},
	    {STR("{\"\\ud800\":1}"), "invalid_json", ""},
	    {STR("\xff"), "invalid_utf8", ""},
	    {STR("\"a\x80\""), "invalid_utf8", ""},
	    {STR("\"\xc0\xaf\""), "invalid_utf8", ""},
	    {STR("\"\xed\xa0\x80\""), "invalid_utf8", ""},
	    {STR("\"\xf4\x90\x80\x80\""), "invalid_utf8", ""},
	    {STR("\"\xe2\x82\""), "invalid_utf8", ""},
	    {STR("{\"a\":1,\"a\":1}"), "duplicate_member", "/a"},
	    {STR("{\"a\":1,\"b\":{\"x\":[{\"c\":0,\"d\":0,\"c\":0}]}}"), "duplicate_member", "/b/x/0/c"},
	    {STR("{\"a\":1,\"\\u0061\":2}"), "duplicate_member", "/a"},
	    {STR("{\"\":1,\"\":2}"), "duplicate_member", "/"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json *j = NULL;
		struct err e = ERR_NONE;
		if (parse(cases[i].text, NULL, &j, &e) != RC_INVALID || strcmp(e.code, cases[i].code) != 0)
			fail_msg("case %zu: %.*s: %s", i, STR_ARG(cases[i].text), e.code);
		assert_null(j);
		if (cases[i].where)
			assert_string_equal(e.where, cases[i].where);
		assert_true(parse(cases[i].text, NULL, &j, NULL) == RC_INVALID);
	}
}

/* Every beginning of a good document but the whole is refused, and so is the whole with one more byte behind it. */
static void test_cut_anywhere(void **state)
{
	(void)state;
	static const char text[] = "{\"id\":\"a\\u20ac\\\\\",\"n\":[1,-2.5e3,true,null],\"o\":{\"x\":{},\"y\":[[]]}}";
	struct json *j;
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_int_equal(parse((struct str){text, n}, NULL, &j, NULL), RC_INVALID);
	assert_int_equal(parse((struct str){text, sizeof(text) - 1}, NULL, &j, NULL), RC_OK);
	for (int c = 0; c < 256; c++) {
		char more[sizeof(text)];
		memcpy(more, text, sizeof(text));
		more[sizeof(text) - 1] = (char)c;
		bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
		assert_int_equal(parse((struct str){more, sizeof(more)}, NULL, &j, NULL), space ? RC_OK : RC_INVALID);
	}
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
	    {"[[{}]]", {100, 3, 9}, NULL},
	    {"[[{}]]", {100, 2, 9}, "json_too_deep"},
	    {"7", {100, 0, 1}, NULL},
	    {"7", {100, 0, 0}, "json_too_many_values"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json *j;
		struct err e = ERR_NONE;
		enum rc rc = parse(str_from(cases[i].text), &cases[i].limits, &j, &e);
		assert_int_equal(rc, cases[i].code ? RC_LIMIT : RC_OK);
		assert_string_equal(e.code, cases[i].code ? cases[i].code : "");
	}
	struct arena small;
	arena_init(&small, 300);
	struct json *j;
	assert_int_equal(json_parse(&small, STR("[1,2,3,4,5,6,7,8,9,10]"), NULL, &j, NULL), RC_LIMIT);
	arena_done(&small);
}

static void test_deep_nesting(void **state)
{
	(void)state;
	static char text[200000];
	memset(text, '[', sizeof(text));
	const struct json_limits loose = {sizeof(text), UINT32_MAX, UINT32_MAX};
	struct json *j;
	struct err e = ERR_NONE;
	assert_int_equal(parse((struct str){text, sizeof(text)}, &loose, &j, &e), RC_LIMIT);
	assert_string_equal(e.code, "json_too_deep");
	for (size_t i = 0; i + 5 <= sizeof(text); i += 5)
		memcpy(text + i, "{\"a\":", 5);
	e = ERR_NONE;
	assert_int_equal(parse((struct str){text, sizeof(text)}, &loose, &j, &e), RC_LIMIT);
	memset(text, '[', 64);
	memset(text + 64, ']', 64);
	assert_int_equal(parse((struct str){text, 128}, NULL, &j, NULL), RC_OK);
	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	assert_int_equal(parse((struct str){text, 130}, NULL, &j, NULL), RC_LIMIT);
}

/* Around and far over the size at which duplicates are looked for through hashing; the duplicate in every place. */
static void test_wide_objects(void **state)
{
	(void)state;
	static const size_t sizes[] = {2, 15, 16, 17, 18, 100, 5000};
	struct buf b;
	buf_init(&b, 1u << 20);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		size_t n = sizes[i];
		for (size_t twin = 0; twin <= n; twin += 1 + n / 20) {
			struct json *j;
			buf_reset(&b);
			for (size_t k = 0; k < n; k++)
				buf_printf(&b, "%c\"k%zu\":%zu", k ? ',' : '{', k, k);
			if (twin < n)
				buf_printf(&b, ",\"k%zu\":0", twin);
			buf_add_char(&b, '}');
			struct err e = ERR_NONE;
			enum rc rc = parse(buf_str(&b), NULL, &j, &e);
			assert_int_equal(rc, twin < n ? RC_INVALID : RC_OK);
			char where[32];
			snprintf(where, sizeof(where), "/k%zu", twin);
			assert_string_equal(e.where, twin < n ? where : "");
		}
	}
	buf_done(&b);
}

static void test_access(void **state)
{
	(void)state;
	const struct json *j =
	    good("{\"s\":\"x\\u0000y\",\"n\":1.50,\"b\":true,\"z\":null,\"a\":[1,2],\"o\":{\"k\":\"v\"}}");
	assert_int_equal(j->count, 6);
	assert_true(str_eq(json_get_text(j, "s"), STR("x\0y")));
	assert_true(str_is(json_text(json_get(j, "n")), "1.50"));
	assert_true(json_get(j, "b")->boolean);
	assert_true(json_is(json_get(j, "z"), JSON_NULL));
	assert_int_equal(json_get(j, "a")->count, 2);
	assert_true(str_is(json_text(&json_get(j, "a")->items[1]), "2"));
	assert_true(str_is(json_get_text(json_get(j, "o"), "k"), "v"));
	assert_null(json_get(j, "none"));
	assert_null(json_get(json_get(j, "s"), "x"));
	assert_null(json_get(NULL, "x"));
	assert_int_equal(json_get_text(j, "n").n, 0);
	assert_null(json_text(json_get(j, "a")).p);
	assert_false(json_is(NULL, JSON_NULL));
	assert_int_equal(j->line, 0);
}

static void test_int(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool integral;
		int64_t v;
	} cases[] = {
	    {"0", true, 0},
	    {"-0", true, 0},
	    {"0.000", true, 0},
	    {"0e99999999999999999999", true, 0},
	    {"42", true, 42},
	    {"-42", true, -42},
	    {"42.0", true, 42},
	    {"4.2e1", true, 42},
	    {"4200e-2", true, 42},
	    {"0.0042e4", true, 42},
	    {"10.5e1", true, 105},
	    {"9223372036854775807", true, INT64_MAX},
	    {"-9223372036854775808", true, INT64_MIN},
	    {"9223372036854775808", false, 0},
	    {"-9223372036854775809", false, 0},
	    {"10000000000000000000", false, 0},
	    {"99999999999999999999999999", false, 0},
	    {"1.5", false, 0},
	    {"42e-1", false, 0},
	    {"1e19", false, 0},
	    {"1e99999999999999999999", false, 0},
	    {"1e-99999999999999999999", false, 0},
	    {"\"1\"", false, 0},
	    {"true", false, 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t v = 7;
		assert_int_equal(json_int(good(cases[i].text), &v), cases[i].integral);
		assert_int_equal(v, cases[i].integral ? cases[i].v : 7);
	}
	assert_false(json_int(NULL, &(int64_t){0}));
}

static void test_equality(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool equal, same_print;
	} cases[] = {
	    {"null", "null", true, true},
	    {"null", "false", false, false},
	    {"true", "true", true, true},
	    {"true", "false", false, false},
	    {"\"a\"", "\"\\u0061\"", true, true},
	    {"\"1\"", "1", false, false},
	    {"1", "1.0", true, false},
	    {"1", "10e-1", true, false},
	    {"100", "1e2", true, false},
	    {"-0", "0.00e7", true, false},
	    {"1", "-1", false, false},
	    {"12", "21", false, false},
	    {"12", "1.2", false, false},
	    {"1.25", "125e-2", true, false},
	    {"100200", "1002e2", true, false},
	    {"123456789012345678901234567890", "123456789012345678901234567891", false, false},
	    {"1e99999999999999999999", "1e99999999999999999998", false, false},
	    {"[]", "{}", false, false},
	    {"[1,2]", "[2,1]", false, false},
	    {"[1,2]", "[1,2]", true, true},
	    {"[1,2]", "[1,2,null]", false, false},
	    {"[[1],2]", "[[1,2]]", false, false},
	    {"[[],[[]]]", "[[[]],[]]", false, false},
	    {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true, true},
	    {"{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}", false, false},
	    {"{\"a\":1}", "{\"a\":1,\"b\":2}", false, false},
	    {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false, false},
	    {"{\"a\":\"b\"}", "{\"b\":\"a\"}", false, false},
	    {"{\"ab\":\"c\"}", "{\"a\":\"bc\"}", false, false},
	    {"{\"a\":{\"b\":1},\"c\":{}}", "{\"a\":{},\"c\":{\"b\":1}}", false, false},
	    {"{\"x\":[{\"a\":1,\"b\":[2]}]}", "{\"x\":[{\"b\":[2],\"a\":1}]}", true, true},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct json *a = good(cases[i].a), *b = good(cases[i].b);
		assert_int_equal(json_equal(a, b), cases[i].equal);
		assert_int_equal(json_equal(b, a), cases[i].equal);
		bool same = json_fingerprint(a, hash_process_key()) == json_fingerprint(b, hash_process_key());
		assert_int_equal(same, cases[i].same_print);
	}
	assert_true(json_equal(NULL, NULL));
	assert_false(json_equal(NULL, good("1")));
}

/* Members in the other order, with names and texts too long for the short way of hashing. */
static void test_equality_of_wide_objects(void **state)
{
	(void)state;
	struct buf up, down;
	buf_init(&up, 1u << 20);
	buf_init(&down, 1u << 20);
	for (int i = 0; i < 200; i++) {
		buf_printf(&up, "%c\"%0*d\":\"%0*d\"", i ? ',' : '{', 3 + i, i, i * 3 + 1, i);
		buf_printf(&down, "%c\"%0*d\":\"%0*d\"", i ? ',' : '{', 202 - i, 199 - i, (199 - i) * 3 + 1, 199 - i);
	}
	buf_add_char(&up, '}');
	buf_add_char(&down, '}');
	const struct json *a = good(up.p), *b = good(down.p);
	assert_true(json_equal(a, b));
	assert_true(json_fingerprint(a, hash_process_key()) == json_fingerprint(b, hash_process_key()));
	down.p[down.n - 3] = '7';
	b = good(down.p);
	assert_false(json_equal(a, b));
	assert_true(json_fingerprint(a, hash_process_key()) != json_fingerprint(b, hash_process_key()));
	buf_done(&up);
	buf_done(&down);
}

static void *parse_a_while(void *arg)
{
	size_t *failures = arg;
	struct arena a;
	arena_init(&a, 1u << 20);
	for (int i = 0; i < 200; i++) {
		struct json *j;
		int64_t v;
		char text[64];
		snprintf(text, sizeof(text), "{\"%d\":[%d,{\"a\":\"b\"}]}", i, i);
		if (json_parse(&a, str_from(text), NULL, &j, NULL) != RC_OK ||
		    !json_int(&j->members[0].value.items[0], &v) || v != i)
			++*failures;
		arena_reset(&a);
	}
	arena_done(&a);
	return NULL;
}

static void test_threads(void **state)
{
	(void)state;
	pthread_t threads[4];
	size_t failures[4] = {0};
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, parse_a_while, &failures[i]), 0);
	for (size_t i = 0; i < COUNT(threads); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(failures[i], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),     cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_deep_nesting), cmocka_unit_test(test_wide_objects),
	    cmocka_unit_test(test_access),       cmocka_unit_test(test_int),
	    cmocka_unit_test(test_equality),     cmocka_unit_test(test_equality_of_wide_objects),
	    cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
