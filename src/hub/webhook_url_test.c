#include "hub/webhook_url.h"

#include "base/test.h"

#include <stdio.h>

static void test_rules(void **state)
{
	static const struct {
		const char *url;
		enum { BAD, GOOD, IF_HTTP, IF_PRIVATE } is;
	} cases[] = {
	    {"https://example.com", GOOD},
	    {"https://example.com/a?b=c", GOOD},
	    {"https://example.com?b=c", GOOD},
	    {"https://example.com:8443/", GOOD},
	    {"https://[2606:4700::1]:443/", GOOD},
	    {"http://example.com/", IF_HTTP},
	    {"ftp://example.com/", BAD},
	    {"https://10.0.0.1/", IF_PRIVATE},
	    {"https://127.1/", IF_PRIVATE},
	    {"https://[::1]:9000/", IF_PRIVATE},
	    {"https://example.com:22/", BAD},
	    {"https://example.com:/", BAD},
	    {"https://user@example.com/", BAD},
	    {"https://example.com/#x", BAD},
	    {"https:///x", BAD},
	    {"https://", BAD},
	    {"", BAD},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int rules = 0; rules < 4; rules++) {
			const struct config_webhooks w = {.http = rules & 1, .addresses.all_private = rules & 2};
			bool good = cases[i].is == GOOD || (cases[i].is == IF_HTTP && w.http) ||
				    (cases[i].is == IF_PRIVATE && w.addresses.all_private);
			if (!webhook_url_wrong(str_from(cases[i].url), &w) != good)
				fail_msg("%s by rules %d", cases[i].url, rules);
		}
}

static void test_shown(void **state)
{
	static const char *const cases[][2] = {
	    {"https://h/a/b", "https://h/a/b"},
	    {"https://h/a?token=1&x=2", "https://h/a?***"},
	    {"https://h?token=1?2", "https://h?***"},
	    {"", ""},
	};
	struct arena a;

	(void)state;
	arena_init(&a, 100000);
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_true(str_is(webhook_url_shown(str_from(cases[i][0]), &a), cases[i][1]));
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
