/* The systems behind real sockets on this machine. */
#include "sandbox/sandbox.h"

#include "sandbox/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ORDER "{\"order_id\":\"o1\",\"lines\":[{\"line_id\":\"1\",\"sku\":\"A\",\"quantity\":\"2\"}]}"

struct bench {
	struct sandbox *sandbox;
	struct client *client;
	struct arena arena;
};

static void set_up(struct bench *b)
{
	struct err e = ERR_NONE;
	char address[64];
	arena_init(&b->arena, 1u << 20);
	b->sandbox = sandbox_new(&(struct sandbox_options){.clock = clock_system()});
	assert_int_equal(sandbox_serve(b->sandbox, sandbox_erp_new("erp", 1), 0, &e), RC_OK);
	assert_int_equal(sandbox_start(b->sandbox, "http://127.0.0.1:9", "demo", "key", &e), RC_OK);
	(void)snprintf(address, sizeof(address), "http://127.0.0.1:%u", (unsigned)sandbox_port(b->sandbox, "erp"));
	b->client = client_new(address, "key");
}

static void tear_down(struct bench *b)
{
	client_free(b->client);
	sandbox_free(b->sandbox);
	arena_done(&b->arena);
}

static enum rc call(struct bench *b, const char *path, const char *body, const struct json **out)
{
	struct buf text;
	struct err e = ERR_NONE;
	buf_init(&text, 4096);
	buf_add_z(&text, body ? body : "");
	enum rc rc = client_call(b->client, path, body ? &text : NULL, &b->arena, out, &e);
	buf_done(&text);
	return rc;
}

static void a_lost_answer_is_no_answer(void **state)
{
	(void)state;
	struct bench b;
	const struct json *j;
	set_up(&b);
	assert_int_equal(call(&b, "/_behave", "{\"mode\":\"lose_answers\",\"every\":2}", &j), RC_OK);
	assert_int_equal(call(&b, "/orders?order_id=o1", NULL, &j), RC_OK);
	assert_int_equal(json_get(j, "items")->count, 0);
	assert_int_equal(call(&b, "/orders", ORDER, &j), RC_IO);
	assert_int_equal(call(&b, "/orders?order_id=o1", NULL, &j), RC_OK);
	assert_int_equal(json_get(j, "items")->count, 1);
	tear_down(&b);
}

static void a_system_that_is_down_answers_503_or_hangs_up(void **state)
{
	(void)state;
	struct bench b;
	const struct json *j;
	set_up(&b);
	assert_int_equal(call(&b, "/_behave", "{\"mode\":\"down\"}", &j), RC_OK);
	assert_int_equal(call(&b, "/orders", ORDER, &j), RC_RETRY);
	assert_int_equal(call(&b, "/_behave", "{\"mode\":\"down\",\"close\":true}", &j), RC_OK);
	assert_int_equal(call(&b, "/orders", ORDER, &j), RC_IO);
	assert_int_equal(call(&b, "/_state", NULL, &j), RC_OK);
	assert_int_equal(json_get(j, "orders")->count, 0);
	tear_down(&b);
}

static void a_late_answer_comes(void **state)
{
	(void)state;
	struct bench b;
	const struct json *j;
	set_up(&b);
	assert_int_equal(call(&b, "/_behave", "{\"mode\":\"slow\",\"ms\":20}", &j), RC_OK);
	assert_int_equal(call(&b, "/orders", ORDER, &j), RC_OK);
	assert_true(str_is(json_get_text(j, "external_id"), "SO-000001"));
	tear_down(&b);
}

static void names_are_taken_once(void **state)
{
	(void)state;
	struct err e = ERR_NONE;
	struct sandbox *s = sandbox_new(&(struct sandbox_options){.clock = clock_system()});
	assert_int_equal(sandbox_serve(s, sandbox_erp_new("erp", 1), 0, &e), RC_OK);
	assert_int_equal(sandbox_serve(s, sandbox_erp_new("erp", 1), 0, &e), RC_INVALID);
	struct err second = ERR_NONE;
	assert_int_equal(sandbox_serve(s, sandbox_erp_new("other", 1), sandbox_port(s, "erp"), &second), RC_IO);
	assert_int_equal(sandbox_count(s), 1);
	assert_int_equal(sandbox_port(s, "other"), 0);
	sandbox_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_lost_answer_is_no_answer),
	    cmocka_unit_test(a_system_that_is_down_answers_503_or_hangs_up),
	    cmocka_unit_test(a_late_answer_comes),
	    cmocka_unit_test(names_are_taken_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
