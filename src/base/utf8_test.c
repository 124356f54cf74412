#include "base/utf8.h"

#include "base/test.h"

#include <stdio.h>

static void test_check(void **state)
{
	(void)state;
	static const struct {
		struct str text;
		size_t good; /* bytes before the first bad one */
	} cases[] = {
	    {STR(""), 0},
	    {STR("abc"), 3},
	    {STR("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), 9},
	    {STR("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"), 10},
	    {STR("a\x80"), 1},
	    {STR("a\xc0\x80"), 1},
	    {STR("a\xc1\xbf"), 1},
	    {STR("\xe0\x9f\xbf"), 0},
	    {STR("\xed\xa0\x80"), 0},
	    {STR("\xf0\x8f\xbf\xbf"), 0},
	    {STR("\xf4\x90\x80\x80"), 0},
	    {STR("\xf5\x80\x80\x80"), 0},
	    {STR("ab\xc3"), 2},
	    {STR("ab\xe2\x82"), 2},
	    {STR("ab\xf0\x9f\x98"), 2},
	    {STR("\xff"), 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(utf8_check(cases[i].text), cases[i].good);
}

static void test_quote(void **state)
{
	(void)state;
	static const struct {
		struct str text;
		const char *quoted;
	} cases[] = {
	    {STR_NONE, "\"\""},
	    {STR("plain /text"), "\"plain /text\""},
	    {STR("\"\\\n\r\t"), "\"\\\"\\\\\\n\\r\\t\""},
	    {STR("a\0b\x1f\x7f"), "\"a\\u0000b\\u001f\x7f\""},
	    {STR("\xe2\x82\xac"), "\"\xe2\x82\xac\""},
	    {STR("x\xffy"), "\"x\xef\xbf\xbdy\""},
	    {STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	    {STR("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b;
		buf_init(&b, 100);
		utf8_quote(&b, cases[i].text);
		assert_string_equal(b.p, cases[i].quoted);
		buf_done(&b);
	}
}

/* Every byte at every place of texts of some words' length. */
static void test_quote_each(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 0x80 * 20 * 20; i++) {
		unsigned c = i / 400;
		size_t n = i / 20 % 20 + 1, at = i % 20;
		char text[] = "abcdefgh ~!#[]09\x7fxyz", expected[64], one[8] = {(char)c};
		struct buf b;
		if (at >= n)
			continue;
		if (c == '"' || c == '\\')
			snprintf(one, sizeof(one), "\\%c", c);
		else if (c < ' ' && c != '\n' && c != '\r' && c != '\t')
			snprintf(one, sizeof(one), "\\u%04x", c);
		else if (c < ' ')
			snprintf(one, sizeof(one), "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
		snprintf(expected, sizeof(expected), "\"%.*s%s%.*s\"", (int)at, text, one, (int)(n - at - 1),
			 text + at + 1);
		text[at] = (char)c;
		buf_init(&b, 100);
		utf8_quote(&b, (struct str){text, n});
		assert_string_equal(b.p, expected);
		buf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_check),
	    cmocka_unit_test(test_quote),
	    cmocka_unit_test(test_quote_each),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
