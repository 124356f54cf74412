#include "format/json_diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_changes(void **state)
{
	static const struct {
		const char *before, *after, *changes;
	} rows[] = {
	    {"{\"a\":1}", "{\"a\":1.0}", "[]"},
	    {"{\"a\":1,\"b\":2}", "{ \"b\": 2, \"a\": 1 }", "[]"},
	    {"{\"a\":1}", "{\"a\":2}", "[{\"op\":\"replace\",\"pointer\":\"/a\",\"from\":1,\"to\":2}]"},
	    {"{\"a\":1}", "{}", "[{\"op\":\"remove\",\"pointer\":\"/a\",\"from\":1}]"},
	    {"{}", "{\"a/b~\":[]}", "[{\"op\":\"add\",\"pointer\":\"/a~1b~0\",\"to\":[]}]"},
	    {"{\"l\":[1,2]}", "{\"l\":[1,3,4]}",
	     "[{\"op\":\"replace\",\"pointer\":\"/l/1\",\"from\":2,\"to\":3},{\"op\":\"add\",\"pointer\":\"/l/"
	     "2\",\"to\":4}]"},
	    {"{\"l\":[{\"s\":\"x\"},1]}", "{\"l\":[{\"s\":\"y\"}]}",
	     "[{\"op\":\"replace\",\"pointer\":\"/l/0/"
	     "s\",\"from\":\"x\",\"to\":\"y\"},{\"op\":\"remove\",\"pointer\":\"/l/1\",\"from\":1}]"},
	    {"[]", "{}", "[{\"op\":\"replace\",\"pointer\":\"\",\"from\":[],\"to\":{}}]"},
	    {"<a/>", "<b/>", "[{\"op\":\"replace\",\"pointer\":\"\"}]"},
	    {"<a/>", "<a/>", "[]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_writer w;
		struct arena a;
		struct buf b;

		arena_init(&a, 1u << 20);
		buf_init(&b, 1u << 20);
		jw_init(&w, &b);
		json_diff(&a, str_from(rows[i].before), str_from(rows[i].after), &w);
		buf_add_char(&b, '\0');
		assert_string_equal(b.p, rows[i].changes);
		buf_done(&b);
		arena_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
