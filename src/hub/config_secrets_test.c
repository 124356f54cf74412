/* Secrets: how a configuration names them, that no finding quotes one, and how they are kept. */
#include "hub/config_secrets.h"

#include "hub/test_config.h"

#include <sys/stat.h>

static void set_secret(const char *name, const char *value)
{
	struct config_secrets *s;
	struct err e = ERR_NONE;

	assert_int_equal(config_secrets_open(folder, true, &s, &e), RC_OK);
	assert_int_equal(config_secrets_set(s, str_from(name), str_from(value), &e), RC_OK);
	config_secrets_close(s);
}

static void test_references(void **state)
{
	(void)state;
	set_secret("HOOK", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz");
	set_secret("TOKEN", "t0ken");
	struct config *c = load_good(HEAD "      shop:\n"
					  "        connector: canonical\n"
					  "        url: http://h:${env:TEST_PORT}/${secret:TOKEN}\n"
					  "        roles: [channel]\n"
					  "        bearer: ${secret:TOKEN}\n"
					  "        webhook_secret: ${secret:HOOK}\n");
	const struct config_system *s = &c->tenants[0].systems[0];
	assert_true(str_is(s->url, "http://h:9001/t0ken"));
	assert_true(str_is(s->bearer, "t0ken"));
	assert_true(str_is(s->secret, "012345678901234567890123"));
	config_unref(c);
}

static void test_no_finding_quotes_a_secret(void **state)
{
	struct findings f;
	(void)state;

	set_secret("BAD", "pa ss{word}");
	load_bad(HEAD "      shop:\n"
		      "        connector: canonical\n"
		      "        url: http://${secret:BAD}\n"
		      "        roles: [channel]\n"
		      "        bearer: ${secret:BAD}\n"
		      "        webhook_secret: ${secret:BAD}\n"
		      "        settings: {unknown: \"${secret:BAD}\"}\n",
		 &f);
	assert_int_equal(f.count, 4);
	for (size_t i = 0; i < f.count; i++) {
		assert_null(strstr(f.list[i].detail, "pa ss"));
		assert_int_equal(f.list[i].line, i < 2 ? 7 + (i ? 3 : 0) : 9 + (i == 3 ? 2 : 0));
	}
}

static void test_secrets_are_encrypted_and_kept(void **state)
{
	struct config_secrets *s;
	struct err e = ERR_NONE;
	struct str value;
	struct stat st;
	char raw[4096];
	(void)state;

	set_secret("B", "visible-secret");
	set_secret("A", "first");
	set_secret("A", "second");
	assert_int_equal(stat(path_of("secret.key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(path_of("secrets.enc"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	FILE *file = fopen(path_of("secrets.enc"), "r");
	size_t n = fread(raw, 1, sizeof(raw), file);
	fclose(file);
	assert_true(n > 0);
	assert_null(memmem(raw, n, "visible-secret", 14));

	assert_int_equal(config_secrets_open(folder, true, &s, &e), RC_OK);
	assert_int_equal(config_secrets_count(s), 2);
	assert_true(str_is(config_secrets_name(s, 0), "A"));
	assert_true(config_secrets_get(s, STR("A"), &value) && str_is(value, "second"));
	assert_true(config_secrets_get(s, STR("B"), &value) && str_is(value, "visible-secret"));
	assert_false(config_secrets_get(s, STR("C"), &value));
	assert_int_equal(config_secrets_set(s, STR("a b"), STR("x"), &e), RC_INVALID);
	assert_int_equal(config_secrets_set(s, STR("C"), STR(""), NULL), RC_INVALID);
	assert_int_equal(config_secrets_remove(s, STR("C"), NULL), RC_NOT_FOUND);
	assert_int_equal(config_secrets_remove(s, STR("A"), NULL), RC_OK);
	config_secrets_close(s);
	assert_int_equal(config_secrets_open(folder, false, &s, NULL), RC_OK);
	assert_int_equal(config_secrets_count(s), 1);
	config_secrets_close(s);
}

static void test_another_key_opens_nothing(void **state)
{
	struct config_secrets *s = NULL;
	struct err e = ERR_NONE;
	(void)state;

	set_secret("A", "first");
	setenv("CROSSDOCK_SECRET_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 1);
	assert_int_equal(config_secrets_open(folder, false, &s, &e), RC_INVALID);
	assert_string_equal(e.code, "secrets_unreadable");
	setenv("CROSSDOCK_SECRET_KEY", "c2hvcnQ=", 1);
	e = ERR_NONE;
	assert_int_equal(config_secrets_open(folder, false, &s, &e), RC_INVALID);
	assert_string_equal(e.code, "secret_key_invalid");
	unsetenv("CROSSDOCK_SECRET_KEY");
	unlink(path_of("secret.key"));
	e = ERR_NONE;
	assert_int_equal(config_secrets_open(folder, false, &s, &e), RC_INVALID);
	assert_string_equal(e.code, "secret_key_missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_references),
	    TEST(test_no_finding_quotes_a_secret),
	    TEST(test_secrets_are_encrypted_and_kept),
	    TEST(test_another_key_opens_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
