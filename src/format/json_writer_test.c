#include "format/json.h"

#include "base/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_document(void **state)
{
	(void)state;
	struct buf b;
	struct json_writer w;
	buf_init(&b, 4096);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key_text(&w, "text", STR("a\"b\n\xff"));
	jw_key_int(&w, "int", INT64_MIN);
	jw_key_bool(&w, "yes", true);
	jw_key_bool(&w, "no", false);
	jw_opt_text(&w, "absent", STR(""));
	jw_opt_text(&w, "present", STR("x"));
	jw_key_time(&w, "at", 1772366400000);
	jw_key_qty(&w, "qty", 25000);
	jw_key(&w, "nothing");
	jw_null(&w);
	jw_key_str(&w, STR("empty \0 name"));
	jw_object(&w);
	jw_object_end(&w);
	jw_key(&w, "list");
	jw_array(&w);
	jw_array(&w);
	jw_array_end(&w);
	jw_int(&w, 1);
	jw_text(&w, STR("t"));
	jw_bool(&w, true);
	jw_raw(&w, STR("{\"raw\":1}"));
	jw_object(&w);
	jw_key_int(&w, "k", 2);
	jw_object_end(&w);
	jw_value(&w, &(struct json){.type = JSON_NUMBER, .text = "1.50", .count = 4});
	jw_array_end(&w);
	jw_key_int(&w, "last", 0);
	jw_object_end(&w);
	assert_true(buf_ok(&b));
	assert_string_equal(
	    b.p, "{\"text\":\"a\\\"b\\n\xef\xbf\xbd\",\"int\":-9223372036854775808,\"yes\":true,\"no\":false,"
		 "\"present\":\"x\",\"at\":\"2026-03-01T12:00:00.000Z\",\"qty\":\"2.5\",\"nothing\":null,"
		 "\"empty \\u0000 name\":{},\"list\":[[],1,\"t\",true,{\"raw\":1},{\"k\":2},1.50],\"last\":0}");
	buf_done(&b);
}

static void test_nesting(void **state)
{
	(void)state;
	struct buf b;
	struct json_writer w;
	buf_init(&b, 4096);
	jw_init(&w, &b);
	for (int i = 0; i < 63; i++)
		jw_array(&w);
	for (int i = 0; i < 63; i++)
		jw_array_end(&w);
	assert_int_equal(b.n, 126);
	struct arena a;
	arena_init(&a, 1u << 16);
	struct json *j;
	assert_int_equal(json_parse(&a, buf_str(&b), NULL, &j, NULL), RC_OK);
	arena_done(&a);
	buf_done(&b);
}

static void key_in_array(struct json_writer *w)
{
	jw_array(w);
	jw_key(w, "k");
}

static void value_without_key(struct json_writer *w)
{
	jw_object(w);
	jw_int(w, 1);
}

static void key_without_value(struct json_writer *w)
{
	jw_object(w);
	jw_key(w, "k");
	jw_object_end(w);
}

static void key_behind_key(struct json_writer *w)
{
	jw_object(w);
	jw_key(w, "k");
	jw_key(w, "l");
}

static void array_closed_as_object(struct json_writer *w)
{
	jw_array(w);
	jw_object_end(w);
}

static void closed_twice(struct json_writer *w)
{
	jw_array(w);
	jw_array_end(w);
	jw_array_end(w);
}

static void two_documents(struct json_writer *w)
{
	jw_int(w, 1);
	jw_int(w, 2);
}

static void too_deep(struct json_writer *w)
{
	for (int i = 0; i < 64; i++)
		jw_array(w);
}

/* Each in a process of its own, which must abort. */
static void test_misuse_aborts(void **state)
{
	(void)state;
	static void (*const misuses[])(struct json_writer *) = {
	    key_in_array,           value_without_key, key_without_value, key_behind_key,
	    array_closed_as_object, closed_twice,      two_documents,     too_deep};
	for (size_t i = 0; i < COUNT(misuses); i++) {
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			struct buf b;
			struct json_writer w;
			close(STDERR_FILENO);
			signal(SIGABRT, SIG_DFL);
			buf_init(&b, 4096);
			jw_init(&w, &b);
			misuses[i](&w);
			_exit(0);
		}
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
			fail_msg("misuse %zu went unnoticed", i);
	}
}

static void test_overflow_shows(void **state)
{
	(void)state;
	struct buf b;
	struct json_writer w;
	buf_init(&b, 10);
	jw_init(&w, &b);
	jw_array(&w);
	jw_text(&w, STR("longer than that"));
	jw_array_end(&w);
	assert_false(buf_ok(&b));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_document),
	    cmocka_unit_test(test_misuse_aborts),
	    cmocka_unit_test(test_nesting),
	    cmocka_unit_test(test_overflow_shows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
