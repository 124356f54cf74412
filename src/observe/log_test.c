/* The lines as they arrive at the other end of stderr. (The parser of format is of the same rank, so they are
 * compared.) */
#include "observe/log.h"

#include "base/clock.h"
#include "base/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int real_stderr, reading_end;

static int set_up(void **state)
{
	(void)state;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	real_stderr = dup(STDERR_FILENO);
	reading_end = ends[0];
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	return real_stderr < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(reading_end);
	log_set_level(LOG_INFO);
	return 0;
}

/* What was logged, behind {"at":"...", whose instant is checked. "" if nothing was. */
static const char *logged(void)
{
	static char line[20000];
	ssize_t n = read(reading_end, line, sizeof(line) - 1);
	if (n <= 0)
		return "";
	line[n] = '\0';
	int64_t ms;
	assert_memory_equal(line, "{\"at\":\"", 7);
	assert_int_equal(time_parse((struct str){line + 7, TIME_TEXT - 1}, &ms, NULL), RC_OK);
	return line + 7 + TIME_TEXT - 1 + 2;
}

static void test_fields(void **state)
{
	(void)state;
	log_info("hub", "tenant \"a\" opened", LOG_TEXT("tenant", "a\n\xff"), LOG_INT("orders", -5),
		 LOG_STR("none", STR_NONE));
	assert_string_equal(logged(), "\"level\":\"info\",\"module\":\"hub\",\"message\":\"tenant \\\"a\\\" opened\","
				      "\"tenant\":\"a\\n\xef\xbf\xbd\",\"orders\":-5,\"none\":\"\"}\n");
	struct err e = ERR_NONE;
	enum rc rc = err_set_at(&e, RC_IO, "disk_full", "store.db", "no room left");
	assert_int_equal(rc, RC_IO);
	log_err(LOG_ERROR, "store", "commit failed", &e);
	assert_string_equal(logged(),
			    "\"level\":\"error\",\"module\":\"store\",\"message\":\"commit failed\",\"class\":\"io\","
			    "\"code\":\"disk_full\",\"where\":\"store.db\",\"detail\":\"no room left\"}\n");
}

static void test_levels(void **state)
{
	(void)state;
	static const char *const names[] = {"debug", "info", "warn", "error"};
	for (int lowest = LOG_DEBUG; lowest <= LOG_ERROR; lowest++) {
		log_set_level((enum log_level)lowest);
		for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
			char wanted[100] = "";
			if (level >= lowest)
				snprintf(wanted, sizeof(wanted),
					 "\"level\":\"%s\",\"module\":\"m\",\"message\":\"t\",\"n\":1}\n",
					 names[level]);
			log_at((enum log_level)level, "m", "t", LOG_INT("n", 1));
			assert_string_equal(logged(), wanted);
		}
	}
}

static void test_too_long(void **state)
{
	(void)state;
	static char text[10000];
	memset(text, 'x', sizeof(text) - 1);
	log_error("m", "t", LOG_TEXT("big", text));
	assert_string_equal(logged(),
			    "\"level\":\"error\",\"module\":\"m\",\"message\":\"t\",\"fields\":\"too long\"}\n");
	log_error("m", text, LOG_INT("n", 1));
	assert_non_null(strstr(logged(), "xx\",\"n\":1}\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_fields, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_levels, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_too_long, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
