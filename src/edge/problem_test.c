#include "edge/problem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_row_of_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; problem_at(i); i++) {
		const struct problem_row *r = problem_at(i);
		assert_ptr_equal(problem_find(r->code), r); /* so no code is there twice */
		assert_true(r->status >= 400 && r->status < 600);
		assert_true(strlen(r->title) > 10);
	}
	assert_null(problem_find("no_such_code"));
}

static void check(const struct problem *p, const char *said, int status, const char *expected)
{
	struct arena a;
	struct json *doc = NULL;
	struct buf out;
	arena_init(&a, 1 << 20);
	buf_init(&out, 1 << 20);
	if (said)
		assert_int_equal(json_parse(&a, str_from(said), NULL, &doc, NULL), RC_OK);
	assert_int_equal(problem_complete(&out, p, doc), status);
	assert_string_equal(out.p, expected);
	buf_done(&out);
	arena_done(&a);
}

static void is_written(void **state)
{
	(void)state;
	struct arena a;
	struct findings f;
	arena_init(&a, 1 << 20);
	findings_init(&f, &a);
	findings_add(&f, "/lines/0", "required", "It is %s.", "missing");
	f.more = 3;
	check(&(struct problem){.code = "not_found"}, NULL, 404,
	      "{\"type\":\"urn:crossdock:problem:not_found\",\"title\":\"There is no such thing\",\"status\":404,"
	      "\"code\":\"not_found\"}");
	check(
	    &(struct problem){.code = "validation_failed",
			      .detail = STR("a \"b\""),
			      .instance = STR("/v1/x"),
			      .correlation_id = STR("c"),
			      .findings = &f,
			      .prefix = "/items/2"},
	    NULL, 422,
	    "{\"type\":\"urn:crossdock:problem:validation_failed\",\"title\":\"The request is not "
	    "valid\",\"status\":422,"
	    "\"detail\":\"a \\\"b\\\"\",\"instance\":\"/v1/x\",\"code\":\"validation_failed\",\"correlation_id\":\"c\","
	    "\"errors\":[{\"pointer\":\"/items/2/lines/0\",\"code\":\"required\",\"detail\":\"It is missing.\"}],"
	    "\"more_errors\":3}");
	check(
	    &(struct problem){.code = "other_system", .where = "/source", .detail = STR("d")}, NULL, 403,
	    "{\"type\":\"urn:crossdock:problem:other_system\",\"title\":\"The key speaks for another "
	    "system\",\"status\":403,"
	    "\"detail\":\"d\",\"code\":\"other_system\",\"errors\":[{\"pointer\":\"/source\",\"code\":\"other_system\","
	    "\"detail\":\"d\"}]}");
	arena_done(&a);
}

static void is_completed(void **state)
{
	(void)state;
	check(&(struct problem){.code = "internal", .status = 409, .instance = STR("/x")},
	      "{\"code\":\"insufficient_stock\",\"detail\":\"short\",\"short\":[{\"sku\":\"A\"}]}", 409,
	      "{\"type\":\"urn:crossdock:problem:insufficient_stock\",\"title\":\"There is not enough "
	      "stock\",\"status\":409,"
	      "\"instance\":\"/x\",\"code\":\"insufficient_stock\",\"detail\":\"short\",\"short\":[{\"sku\":\"A\"}]}");
	check(&(struct problem){.code = "brand_new"}, NULL, 500,
	      "{\"type\":\"urn:crossdock:problem:brand_new\",\"title\":\"brand_new\",\"status\":500,\"code\":\"brand_"
	      "new\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_row_of_its_own),
	    cmocka_unit_test(is_written),
	    cmocka_unit_test(is_completed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
