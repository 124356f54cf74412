#include "cli/cli.h"

#include "base/test.h"
#include "format/json.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/crossdock-cli-XXXXXX");
	setenv("CROSSDOCK_SHARE", CD_SOURCE_DIR, 1);
	unsetenv("CROSSDOCK_SECRET_KEY");
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command);
}

struct ran {
	int code;
	char out[16384], err[16384];
};

static void read_back(FILE *f, char *out, size_t room)
{
	rewind(f);
	size_t n = fread(out, 1, room - 1, f);
	out[n] = '\0';
	fclose(f);
}

/* Runs a command line, split at blanks, with its input and output in files. */
static void run(struct ran *r, const char *line, const char *input)
{
	char text[512], *argv[32] = {"crossdock"};
	int argc = 1, before[3];
	FILE *files[3];

	snprintf(text, sizeof(text), "%s", line);
	for (char *p = text; *p;) {
		size_t n = strcspn(p, " ");
		argv[argc++] = p;
		p += n;
		if (*p)
			*p++ = '\0';
	}
	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 3; i++) {
		files[i] = tmpfile();
		assert_non_null(files[i]);
		if (i == 0)
			fputs(input ? input : "", files[0]);
		rewind(files[i]);
		before[i] = dup(i);
		dup2(fileno(files[i]), i);
	}
	r->code = cli_main(argc, argv);
	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 3; i++) {
		dup2(before[i], i);
		close(before[i]);
	}
	fclose(files[0]);
	read_back(files[1], r->out, sizeof(r->out));
	read_back(files[2], r->err, sizeof(r->err));
}

static void test_exit_codes_and_messages(void **state)
{
	static const struct {
		const char *line;
		int code;
		const char *out, *err; /* part of it */
	} cases[] = {
	    {"", CLI_USAGE, "", "crossdock VERB"},
	    {"--help", CLI_DONE, "crossdock VERB", ""},
	    {"help", CLI_DONE, "serve", ""},
	    {"help serve", CLI_DONE, "--listen", ""},
	    {"help srve", CLI_USAGE, "", "did you mean 'serve'"},
	    {"version", CLI_DONE, CROSSDOCK_VERSION, ""},
	    {"--version", CLI_DONE, CROSSDOCK_VERSION, ""},
	    {"version --json", CLI_DONE, "{\"version\":\"" CROSSDOCK_VERSION "\"}", ""},
	    {"version extra", CLI_USAGE, "", "one argument too many"},
	    {"chekc", CLI_USAGE, "", "did you mean 'check'?"},
	    {"frobnicate", CLI_USAGE, "", "there is no verb 'frobnicate'"},
	    {"check --nope", CLI_USAGE, "", "there is no option '--nope'"},
	    {"check -x", CLI_USAGE, "", "there is no option '-x'"},
	    {"check --json=yes", CLI_USAGE, "", "--json takes no value"},
	    {"check a b", CLI_USAGE, "", "one argument too many"},
	    {"check /nonexistent-folder", CLI_FAILED, "/nonexistent-folder/crossdock.yaml: There is no such file", ""},
	    {"check /nonexistent-folder --json", CLI_FAILED, "{\"ok\":false,\"findings\":[{\"file\":", ""},
	    {"init", CLI_USAGE, "", "DIR is missing"},
	    {"serve --listen nowhere", CLI_USAGE, "", "HOST:PORT"},
	    {"serve --listen", CLI_USAGE, "", "--listen needs a value"},
	    {"serve /nonexistent-folder", CLI_FAILED, "", "crossdock.yaml"},
	    {"key", CLI_USAGE, "", "create --tenant T"},
	    {"reconcile", CLI_USAGE, "", "which system?"},
	    {"reconcile wms --json --csv", CLI_USAGE, "", "not both"},
	    {"reconcile wms --on-drift mend", CLI_USAGE, "", "report, raise or correct"},
	    {"reconcile wms --as-of 2026-03-01T02:00:00Z", CLI_USAGE, "", "of a --file"},
	    {"reconcile wms --cancel 01", CLI_USAGE, "", "goes alone"},
	    {"reconcile --key k --cancel ../x", CLI_USAGE, "", "takes the id"},
	    {"reconcile wms --file a.csv --as-of yesterday", CLI_USAGE, "", "is a time"},
	    {"reconcile wms --key k --file /nonexistent.csv", CLI_FAILED, "", "/nonexistent.csv: No such file"},
	    {"reconcile wms --key k --file /dev/null", CLI_FAILED, "", "no regular file"},
	    {"reconcile wms --key k --url http://127.0.0.1:1", CLI_FAILED, "", "no_answer"},
	    {"key create", CLI_USAGE, "", "needs --tenant and --scopes"},
	    {"key revoke", CLI_USAGE, "", "revoke ID"},
	    {"secret", CLI_USAGE, "", "set NAME"},
	    {"secret set", CLI_USAGE, "", "set NAME"},
	    {"test no-such-pack", CLI_FAILED, "", "there is no connector 'no-such-pack'"},
	};
	static struct ran r;
	(void)state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		run(&r, cases[i].line, NULL);
		bool good = r.code == cases[i].code && strstr(r.out, cases[i].out) && strstr(r.err, cases[i].err) &&
			    (cases[i].code == CLI_DONE || r.err[0] || r.out[0]);
		if (!good)
			print_error("%s: %d\n%s\n%s\n", cases[i].line, r.code, r.out, r.err);
		assert_true(good);
	}
}

static void test_every_verb_has_help_and_is_documented(void **state)
{
	static char text[65536];
	static struct ran r;
	(void)state;

	FILE *f = fopen(CD_SOURCE_DIR "/docs/cli.md", "r");
	assert_non_null(f);
	read_back(f, text, sizeof(text));
	for (const struct cli_verb *v = cli_verbs; v->name; v++) {
		char line[64];
		snprintf(line, sizeof(line), "%s --help", v->name);
		run(&r, line, NULL);
		assert_int_equal(r.code, CLI_DONE);
		snprintf(line, sizeof(line), "crossdock %s", v->name);
		assert_int_equal(strncmp(r.out, line, strlen(line)), 0);
		snprintf(line, sizeof(line), "`crossdock %s", v->name);
		if (!strstr(text, line))
			print_error("docs/cli.md does not mention %s\n", v->name);
		assert_non_null(strstr(text, line));
	}
}

static void test_init_makes_a_folder_that_is_good(void **state)
{
	static struct ran r;
	char line[128];
	(void)state;

	snprintf(line, sizeof(line), "init %s/new", folder);
	run(&r, line, NULL);
	assert_int_equal(r.code, CLI_DONE);
	run(&r, line, NULL);
	assert_int_equal(r.code, CLI_FAILED);
	assert_non_null(strstr(r.err, "there already"));
	snprintf(line, sizeof(line), "check %s/new", folder);
	run(&r, line, NULL);
	if (r.code != CLI_DONE)
		print_error("%s\n%s\n", r.out, r.err);
	assert_int_equal(r.code, CLI_DONE);
	assert_non_null(strstr(r.out, "tenants 1, systems 4"));
	snprintf(line, sizeof(line), "check %s/new --json", folder);
	run(&r, line, NULL);
	assert_string_equal(r.out, "{\"ok\":true,\"findings\":[]}\n");
}

static void test_check_names_file_and_line(void **state)
{
	static struct ran r;
	char path[128], line[160];
	(void)state;

	snprintf(path, sizeof(path), "%s/crossdock.yaml", folder);
	FILE *f = fopen(path, "w");
	fputs("listen: 127.0.0.1:0\ntenants:\n  acme:\n    colour: red\n", f);
	fclose(f);
	snprintf(line, sizeof(line), "check %s", folder);
	run(&r, line, NULL);
	assert_int_equal(r.code, CLI_FAILED);
	snprintf(line, sizeof(line), "%s:4: ", path);
	assert_int_equal(strncmp(r.out, line, strlen(line)), 0);
	assert_non_null(strstr(r.out, "[unknown_field] /tenants/acme/colour\n"));
}

static void test_secrets(void **state)
{
	static struct ran r;
	char line[128];
	(void)state;

	snprintf(line, sizeof(line), "secret set ERP --dir %s", folder);
	run(&r, line, "top secret\n");
	assert_int_equal(r.code, CLI_DONE);
	assert_null(strstr(r.out, "top"));
	snprintf(line, sizeof(line), "secret list --dir=%s", folder);
	run(&r, line, NULL);
	assert_string_equal(r.out, "ERP\n");
	snprintf(line, sizeof(line), "secret list --json --dir %s", folder);
	run(&r, line, NULL);
	assert_string_equal(r.out, "{\"items\":[{\"name\":\"ERP\"}]}\n");
	snprintf(line, sizeof(line), "secret remove ERP --dir %s", folder);
	run(&r, line, NULL);
	assert_int_equal(r.code, CLI_DONE);
	run(&r, line, NULL);
	assert_int_equal(r.code, CLI_FAILED);
	snprintf(line, sizeof(line), "secret set bad/name --dir %s", folder);
	run(&r, line, "x");
	assert_int_equal(r.code, CLI_FAILED);
}

static struct str member(struct arena *a, const char *json, const char *name)
{
	struct json *parsed = NULL;
	struct err e = ERR_NONE;
	assert_int_equal(json_parse(a, str_from(json), NULL, &parsed, &e), RC_OK);
	return json_get_text(parsed, name);
}

static void test_keys(void **state)
{
	static struct ran r;
	char line[256], id[64];
	struct arena a;
	(void)state;

	arena_init(&a, 1u << 20);
	snprintf(line, sizeof(line), "init %s/k", folder);
	run(&r, line, NULL);
	snprintf(line, sizeof(line),
		 "key create --tenant acme --scopes orders:write,stock:read --system shop --json --dir %s/k", folder);
	run(&r, line, NULL);
	if (r.code != CLI_DONE)
		print_error("%s\n%s\n", r.out, r.err);
	assert_int_equal(r.code, CLI_DONE);
	struct str key = member(&a, r.out, "key");
	assert_int_equal(key.n, strlen("cd_acme_") + 43);
	assert_int_equal(memcmp(key.p, "cd_acme_", 8), 0);
	assert_true(str_is(member(&a, r.out, "tenant"), "acme"));
	assert_true(str_is(member(&a, r.out, "system"), "shop"));
	assert_non_null(strstr(r.out, "\"scopes\":[\"orders:write\",\"stock:read\"]"));
	snprintf(id, sizeof(id), STR_FMT, STR_ARG(member(&a, r.out, "id")));

	snprintf(line, sizeof(line), "key list --json --dir %s/k", folder);
	run(&r, line, NULL);
	assert_int_equal(r.code, CLI_DONE);
	assert_non_null(strstr(r.out, id));
	assert_null(strstr(r.out, key.p + 8));
	assert_null(strstr(r.out, "revoked_at"));
	snprintf(line, sizeof(line), "key revoke %s --dir %s/k", id, folder);
	run(&r, line, NULL);
	assert_int_equal(r.code, CLI_DONE);
	snprintf(line, sizeof(line), "key list --json --dir %s/k", folder);
	run(&r, line, NULL);
	assert_non_null(strstr(r.out, "revoked_at"));
	snprintf(line, sizeof(line), "key revoke key_none --dir %s/k", folder);
	run(&r, line, NULL);
	assert_int_equal(r.code, CLI_FAILED);
	snprintf(line, sizeof(line), "key create --tenant nobody --scopes admin --dir %s/k", folder);
	run(&r, line, NULL);
	assert_int_equal(r.code, CLI_FAILED);
	snprintf(line, sizeof(line), "key create --tenant acme --scopes nonsense --dir %s/k", folder);
	run(&r, line, NULL);
	assert_int_equal(r.code, CLI_USAGE);
	assert_non_null(strstr(r.err, "there is no scope 'nonsense'"));
	arena_done(&a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_exit_codes_and_messages),
	    TEST(test_every_verb_has_help_and_is_documented),
	    TEST(test_init_makes_a_folder_that_is_good),
	    TEST(test_check_names_file_and_line),
	    TEST(test_secrets),
	    TEST(test_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
