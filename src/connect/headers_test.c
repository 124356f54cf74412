#include "base/test_arena.h"

#include "base/hash.h"
#include "connect/headers.h"
#include "connect/record.h"

/* The example of the Standard Webhooks reference libraries. */
static void signs_as_standard_webhooks_says(void **state)
{
	(void)state;
	unsigned char secret[64];
	char signature[SIGNATURE_TEXT];
	size_t n;
	assert_true(base64_decode(STR("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), secret, sizeof(secret), &n));
	assert_int_equal(webhook_sign(&arena, (struct str){(char *)secret, n}, STR("msg_p5jXN8AQM9LWM0D4loKWxJek"),
				      1614265330, STR("{\"test\": 2432232314}"), signature),
			 RC_OK);
	assert_string_equal(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

static void a_trace_is_the_same_for_a_correlation(void **state)
{
	(void)state;
	char a[TRACEPARENT_TEXT], b[TRACEPARENT_TEXT];
	traceparent_derive(STR("01890a5d-ac96-774b-bcce-b302099a8057"), STR("d1"), a);
	assert_memory_equal(a, "00-01890a5dac96774bbcceb302099a8057-", 36);
	assert_int_equal(strlen(a), TRACEPARENT_TEXT - 1);
	assert_string_equal(a + 52, "-01");
	traceparent_derive(STR("order 17"), STR("d1"), a);
	traceparent_derive(STR("order 17"), STR("d2"), b);
	assert_int_equal(strlen(a), TRACEPARENT_TEXT - 1);
	assert_memory_equal(a, b, 36);
	assert_string_not_equal(a, b);
	traceparent_derive(STR("order 18"), STR("d1"), b);
	assert_memory_not_equal(a, b, 36);
}

static const struct http_header *find(const struct http_header *list, size_t n, const char *name)
{
	const struct http_header *found = NULL;
	for (size_t i = 0; i < n; i++) {
		if (!str_is(list[i].name, name))
			continue;
		assert_null(found); /* once only */
		found = &list[i];
	}
	return found;
}

static void every_request_has_our_headers(void **state)
{
	(void)state;
	struct pack_header packs[] = {{STR("Content-Type"), STR("text/xml")},
				      {STR("X-Shop-Token"), STR("token")},
				      {STR("idempotency-key"), STR("of the pack")},
				      {STR("Authorization"), STR("of the pack")}};
	struct pack_request r = {.body = STR("<a/>"), .headers = packs, .header_count = 4};
	struct header_facts facts = {.delivery_id = STR("d1"), .correlation_id = STR("c1"), .now_ms = 1700000000123};
	struct http_header *list;
	size_t n;
	assert_int_equal(headers_build(&arena, &facts, &r, &list, &n), RC_OK);
	assert_true(str_is(find(list, n, "Content-Type")->value, "text/xml"));
	assert_true(str_is(find(list, n, "X-Shop-Token")->value, "token"));
	assert_true(str_is(find(list, n, "Idempotency-Key")->value, "d1"));
	assert_null(find(list, n, "idempotency-key"));
	assert_true(str_is(find(list, n, "Correlation-Id")->value, "c1"));
	assert_non_null(find(list, n, "traceparent"));
	assert_true(str_is(find(list, n, "Authorization")->value, "of the pack"));
	assert_null(find(list, n, "webhook-id"));

	facts.bearer = STR("b");
	facts.secret = STR("0123456789abcdef01234567");
	r.header_count = 0;
	assert_int_equal(headers_build(&arena, &facts, &r, &list, &n), RC_OK);
	assert_true(str_is(find(list, n, "Authorization")->value, "Bearer b"));
	assert_true(str_is(find(list, n, "Content-Type")->value, "application/json"));
	assert_true(str_is(find(list, n, "webhook-id")->value, "d1"));
	assert_true(str_is(find(list, n, "webhook-timestamp")->value, "1700000000"));
	char expected[SIGNATURE_TEXT];
	assert_int_equal(webhook_sign(&arena, facts.secret, STR("d1"), 1700000000, r.body, expected), RC_OK);
	assert_true(str_is(find(list, n, "webhook-signature")->value, expected));
}

static void a_url_has_one_slash(void **state)
{
	(void)state;
	static const char *const rows[][3] = {{"http://h", "/a", "http://h/a"},
					      {"http://h/", "/a", "http://h/a"},
					      {"http://h/x//", "a?b=c", "http://h/x/a?b=c"},
					      {"http://h/x", "", "http://h/x"}};
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_true(str_is(url_join(&arena, str_from(rows[i][0]), str_from(rows[i][1])), rows[i][2]));
}

static void a_record_shows_no_secret(void **state)
{
	(void)state;
	struct json_member settings[] = {{STR("token"), {.type = JSON_STRING, .count = 12, .text = "set-me-free!"}}};
	const struct json object = {.type = JSON_OBJECT, .count = 1, .members = settings};
	struct config_system s = {.secret = STR("hook-secret"), .bearer = STR("bearer-x"), .settings = &object};
	struct http_header headers[] = {{STR("Authorization"), STR("Bearer bearer-x")},
					{STR("X-Token"), STR("derived from it")},
					{STR("Correlation-Id"), STR("c1")}};
	struct http_request r = {.method = STR("POST"),
				 .url = STR("http://h/?t=set-me-free!"),
				 .headers = headers,
				 .header_count = 3,
				 .body = STR("{\"hook-secret\":\"bearer-x set-me-free!\"}")};
	struct str text = record_request(&arena, &s, &r);
	static const char *const secrets[] = {"set-me-free!", "hook-secret", "bearer-x", "derived from it"};
	for (size_t i = 0; i < COUNT(secrets); i++)
		assert_null(strstr(text.p, secrets[i]));
	assert_non_null(strstr(text.p, "POST http://h/?t=***\n"));
	assert_non_null(strstr(text.p, "Correlation-Id: c1\n"));
	assert_non_null(strstr(text.p, "{\"***\":\"*** ***\"}"));
	struct http_answer answer = {.status = 200, .body = STR("you said bearer-x")};
	assert_true(str_is(record_answer(&arena, &s, &answer), "you said ***"));
}

/* The earliest goes first, and of those that begin there the longest. */
static void secrets_may_overlap(void **state)
{
	(void)state;
	const struct config_system s = {.bearer = STR("abcd"), .secret = STR("abcdefgh-abcd")};
	static const struct {
		const char *body, *text;
	} rows[] = {
	    {"abcdefgh-abcd", "***"},
	    {"abcdefgh-abcabcd", "***efgh-abc***"},
	    {"abcdabcd", "******"},
	    {"\xc3\xa4"
	     "abcd\xff"
	     "abcdefgh-abcd.abcdefgh-abc",
	     "\xc3\xa4"
	     "***\xef\xbf\xbd***.***efgh-abc"},
	    {"a long text of ASCII, abc, abc, abcd, and so on", "a long text of ASCII, abc, abc, ***, and so on"},
	    {"aabcabcdd", "aabc***d"},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(record_masked(&arena, &s, str_from(rows[i].body), 100).p, rows[i].text);
}

static void a_record_is_capped_and_clean(void **state)
{
	(void)state;
	static const struct {
		struct str raw;
		size_t max;
		const char *text;
	} rows[] = {
	    {STR(""), 8, ""},
	    {STR("abc"), 3, "abc"},
	    {STR("abcd"), 3, "abc..."},
	    {STR("a\0b"), 8,
	     "a\xef\xbf\xbd"
	     "b"},
	    {STR("a\xff"), 8, "a\xef\xbf\xbd"},
	    {STR("ab\xc3\xa4"), 3, "ab..."},
	    {STR("ab\xc3\xa4"), 4, "ab\xc3\xa4"},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_true(str_is(record_text(&arena, rows[i].raw, rows[i].max), rows[i].text));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(signs_as_standard_webhooks_says), T(a_trace_is_the_same_for_a_correlation),
	    T(every_request_has_our_headers),   T(a_url_has_one_slash),
	    T(a_record_shows_no_secret),        T(secrets_may_overlap),
	    T(a_record_is_capped_and_clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
