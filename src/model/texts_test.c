#include "model/texts.h"

#include "base/test.h"

static void test_zero_bytes(void **state)
{
	static const struct {
		const char *json, *pointer;
	} cases[] = {
	    {"{\"sku\":\"A\"}", NULL},
	    {"{\"sku\":\"A\\u0000B\"}", "/sku"},
	    {"{\"lines\":[{\"sku\":\"A\"},{\"sku\":\"\\u0000\"}]}", "/lines/1/sku"},
	    {"{\"a/b~\":{\"c\":\"\\u0000\"}}", "/a~1b~0/c"},
	    {"{\"x\\u0000\":1}", "/x?"},
	    {"[\"\",\"\\u0001\"]", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct findings f;
		struct arena a;
		struct json *doc;

		arena_init(&a, 1u << 20);
		findings_init(&f, &a);
		assert_int_equal(json_parse(&a, str_from(cases[i].json), NULL, &doc, NULL), RC_OK);
		assert_int_equal(texts_check(doc, &f), cases[i].pointer ? RC_INVALID : RC_OK);
		assert_int_equal(f.count, cases[i].pointer ? 1 : 0);
		if (cases[i].pointer) {
			assert_string_equal(f.list[0].pointer, cases[i].pointer);
			assert_string_equal(f.list[0].code, "zero_byte");
		}
		arena_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_zero_bytes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
