/*
 * The official JSON Schema test suite, draft 2020-12: all required tests, and of the optional ones those of what we
 * promise. It is found in $CROSSDOCK_SCHEMA_SUITE (a checkout of the suite) or where Debian's package
 * libtest-json-schema-acceptance-perl puts it; without either the test fails.
 *
 * `refused` names exactly the cases whose schemas are not supported: each must really be refused, and nothing else may
 * be refused or judged differently.
 */
#include "model/schema.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define DEBIAN_SUITE "/usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance"
#define DRAFT        "draft2020-12"
#define FILES_MAX    200
#define REMOTES_MAX  200

/* File without ".json", and the case's description; NULL: every case of the file. A case may exist in some versions of
 * the suite only. */
struct listed {
	const char *file, *description;
};

static const struct listed refused[] = {
    /* $dynamicRef */
    {"dynamicRef",
     "A $dynamicRef to a $dynamicAnchor in the same schema resource behaves like a normal $ref to an $anchor"},
    {"dynamicRef", "A $dynamicRef to an $anchor in the same schema resource behaves like a normal $ref to an $anchor"},
    {"dynamicRef", "A $dynamicRef resolves to the first $dynamicAnchor still in scope that is encountered when the "
		   "schema is evaluated"},
    {"dynamicRef", "A $dynamicRef without anchor in fragment behaves identical to $ref"},
    {"dynamicRef", "A $dynamicRef with intermediate scopes that don't include a matching $dynamicAnchor does not "
		   "affect dynamic scope resolution"},
    {"dynamicRef", "An $anchor with the same name as a $dynamicAnchor is not used for dynamic scope resolution"},
    {"dynamicRef", "A $dynamicRef without a matching $dynamicAnchor in the same schema resource behaves like a normal "
		   "$ref to $anchor"},
    {"dynamicRef", "A $dynamicRef with a non-matching $dynamicAnchor in the same schema resource behaves like a normal "
		   "$ref to $anchor"},
    {"dynamicRef", "A $dynamicRef that initially resolves to a schema with a matching $dynamicAnchor resolves to the "
		   "first $dynamicAnchor in the dynamic scope"},
    {"dynamicRef", "A $dynamicRef that initially resolves to a schema without a matching $dynamicAnchor behaves like a "
		   "normal $ref to $anchor"},
    {"dynamicRef", "multiple dynamic paths to the $dynamicRef keyword"},
    {"dynamicRef", "after leaving a dynamic scope, it is not used by a $dynamicRef"},
    {"dynamicRef", "$dynamicRef points to a boolean schema"},
    {"dynamicRef", "$dynamicRef skips over intermediate resources - direct reference"},
    {"dynamicRef", "$dynamicRef avoids the root of each schema, but scopes are still registered"},
    {"unevaluatedItems", "unevaluatedItems with $dynamicRef"},
    {"unevaluatedProperties", "unevaluatedProperties with $dynamicRef"},
    /* remote documents with $dynamicRef */
    {"dynamicRef", "strict-tree schema, guards against misspelled properties"},
    {"dynamicRef", "tests for implementation dynamic anchor and reference link"},
    {"dynamicRef", "$ref and $dynamicAnchor are independent of order - $defs first"},
    {"dynamicRef", "$ref and $dynamicAnchor are independent of order - $ref first"},
    {"dynamicRef", "$ref to $dynamicRef finds detached $dynamicAnchor"},
    /* the meta-schema, which uses $dynamicRef */
    {"anchor", "invalid anchors"},
    {"defs", "validate definition against metaschema"},
    {"id", "Invalid use of fragments in location-independent $id"},
    {"id", "Valid use of empty fragments in location-independent $id"},
    {"id", "Unnormalized $ids are allowed but discouraged"},
    {"ref", "remote ref, containing refs itself"},
    {"ref", "URN base URI with f-component"},
    /* a dialect of its own */
    {"vocabulary", NULL},
    /* \\p{Letter}, which PCRE2 calls \\p{L} */
    {"pattern", "pattern with Unicode property escape requires unicode mode"},
    {"patternProperties", "patternProperties with Unicode property escape"},
    /* unknown keywords */
    {"unknownKeyword", "$id inside an unknown keyword is not a real identifier"},
};

/* Here the suite wants `format` to be an annotation; for these formats it is an assertion with us. */
static const struct listed asserted[] = {
    {"format", "date format"},
    {"format", "date-time format"},
    {"format", "uri format"},
    {"format", "uuid format"},
};

static const char *const optional_files[] = {
    "optional/bignum",      "optional/float-overflow", "optional/format/date-time", "optional/format/date",
    "optional/format/uuid", "optional/format/uri",     "optional/non-bmp-regex",
};

struct totals {
	size_t files, cases, tests, passed, failed, asserted, refused_cases, refused_tests, wrongly_refused;
};

struct remote {
	char *uri, *path;
};

static struct {
	char root[512];
	struct remote remotes[REMOTES_MAX];
	size_t remote_count;
} suite;

static bool find_suite(void)
{
	const char *roots[] = {getenv("CROSSDOCK_SCHEMA_SUITE"), DEBIAN_SUITE};
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		char path[600];
		if (!roots[i])
			continue;
		snprintf(path, sizeof(path), "%s/tests/" DRAFT, roots[i]);
		DIR *d = opendir(path);
		if (d) {
			closedir(d);
			snprintf(suite.root, sizeof(suite.root), "%s", roots[i]);
			return true;
		}
	}
	return false;
}

static struct buf read_file(const char *path)
{
	struct buf text;
	char chunk[4096];
	size_t n;
	buf_init(&text, 1 << 24);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot read %s", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&text, chunk, n);
	fclose(f);
	assert_true(buf_ok(&text));
	return text;
}

static bool is_supported(const char *uri, struct str text)
{
	struct schema_registry *r = schema_registry_new();
	struct err e = ERR_NONE;
	enum rc rc = schema_registry_add(r, uri, text, &e);
	if (rc == RC_OK)
		rc = schema_registry_compile(r, &e);
	schema_registry_free(r);
	return rc == RC_OK || strcmp(e.code, "schema_not_supported") != 0;
}

/* The remote documents that are supported: one of another dialect would refuse the whole registry. */
static void collect_remotes(const char *dir, const char *uri)
{
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		char path[1024], name[1024];
		if (e->d_name[0] == '.' || (strncmp(e->d_name, "draft", 5) == 0 && strcmp(e->d_name, DRAFT) != 0))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		snprintf(name, sizeof(name), "%s/%s", uri, e->d_name);
		if (e->d_type == DT_DIR) {
			collect_remotes(path, name);
			continue;
		}
		struct buf text = read_file(path);
		bool usable = is_supported(name, buf_str(&text));
		buf_done(&text);
		if (!usable)
			continue;
		assert_true(suite.remote_count < REMOTES_MAX);
		suite.remotes[suite.remote_count++] = (struct remote){strdup(name), strdup(path)};
	}
	closedir(d);
}

static enum rc add_remotes(struct schema_registry *r, const char *file, struct err *e)
{
	enum rc rc = RC_OK;
	bool wanted = strcmp(file, "refRemote") == 0;
	for (size_t i = 0; wanted && rc == RC_OK && i < suite.remote_count; i++) {
		struct buf text = read_file(suite.remotes[i].path);
		rc = schema_registry_add(r, suite.remotes[i].uri, buf_str(&text), e);
		buf_done(&text);
	}
	return rc;
}

static bool is_listed(const struct listed *list, size_t count, const char *file, struct str description)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].file, file) == 0 &&
		    (!list[i].description || str_is(description, list[i].description)))
			return true;
	return false;
}

#define IS_LISTED(list, file, description) is_listed(list, sizeof(list) / sizeof((list)[0]), file, description)

static void judge_case(const struct schema *s, const char *file, struct str name, const struct json *tests,
		       struct totals *t)
{
	for (uint32_t i = 0; i < tests->count; i++) {
		const struct json *test = &tests->items[i];
		struct arena arena;
		struct findings f;
		arena_init(&arena, 1 << 20);
		findings_init(&f, &arena);
		bool expected = json_get(test, "valid")->boolean;
		bool valid = schema_validate(s, json_get(test, "data"), SCHEMA_STRICT, &f, NULL) == RC_OK;
		struct str description = json_get_text(test, "description");
		assert_int_equal(valid, f.count == 0);
		t->tests++;
		if (valid == expected) {
			t->passed++;
		} else if (expected && IS_LISTED(asserted, file, name) && strcmp(f.list[0].code, "wrong_format") == 0) {
			t->asserted++;
		} else {
			t->failed++;
			print_error("%s: " STR_FMT ": " STR_FMT ": must be %s %s\n", file, STR_ARG(name),
				    STR_ARG(description), expected ? "valid" : "invalid",
				    f.count ? f.list[0].code : "");
		}
		arena_done(&arena);
	}
}

static void run_case(const char *file, const struct json *c, struct totals *t)
{
	struct schema_registry *r = schema_registry_new();
	struct str description = json_get_text(c, "description");
	struct err e = ERR_NONE;
	struct buf text;

	buf_init(&text, 1 << 20);
	json_write(&text, json_get(c, "schema"));
	enum rc rc = add_remotes(r, file, &e);
	assert_int_equal(rc, RC_OK);
	rc = schema_registry_add(r, "test://case", buf_str(&text), &e);
	if (rc == RC_OK)
		rc = schema_registry_compile(r, &e);
	t->cases++;
	bool listed = IS_LISTED(refused, file, description);
	if (rc == RC_OK && !listed) {
		judge_case(schema_find_uri(r, "test://case"), file, description, json_get(c, "tests"), t);
	} else if (rc == RC_OK) {
		print_error("%s: " STR_FMT ": listed as refused, but is not\n", file, STR_ARG(description));
		t->wrongly_refused++;
	} else {
		t->refused_cases++;
		t->refused_tests += json_get(c, "tests")->count;
		bool understood =
		    strcmp(e.code, "schema_not_supported") == 0 || strcmp(e.code, "schema_reference_unknown") == 0;
		if (!listed || !understood) {
			print_error("%s: " STR_FMT ": refused: %s %s %s\n", file, STR_ARG(description), e.code, e.where,
				    e.detail);
			t->wrongly_refused++;
		}
	}
	buf_done(&text);
	schema_registry_free(r);
}

static void run_file(const char *file, struct totals *t)
{
	char path[1024];
	struct arena arena;
	struct json *cases;
	struct err e = ERR_NONE;
	struct json_limits limits = {.bytes = 1 << 24, .depth = 512, .nodes = 1000000};

	snprintf(path, sizeof(path), "%s/tests/" DRAFT "/%s.json", suite.root, file);
	struct buf text = read_file(path);
	arena_init(&arena, 1 << 26);
	if (json_parse(&arena, buf_str(&text), &limits, &cases, &e) != RC_OK)
		fail_msg("%s: %s %s", path, e.code, e.detail);
	for (uint32_t i = 0; i < cases->count; i++)
		run_case(file, &cases->items[i], t);
	t->files++;
	arena_done(&arena);
	buf_done(&text);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_totals(const char *what, const struct totals *t)
{
	print_message("%s: %zu files, %zu cases, %zu tests run: %zu as expected, %zu with a format asserted; "
		      "%zu cases (%zu tests) refused\n",
		      what, t->files, t->cases, t->tests, t->passed, t->asserted, t->refused_cases, t->refused_tests);
	assert_int_equal(t->failed, 0);
	assert_int_equal(t->wrongly_refused, 0);
}

static void test_required(void **state)
{
	char path[600], *names[FILES_MAX];
	struct totals t = {0};
	size_t count = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/tests/" DRAFT, suite.root);
	DIR *d = opendir(path);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		char *dot = strstr(e->d_name, ".json");
		assert_true(count < FILES_MAX);
		if (dot)
			names[count++] = strndup(e->d_name, (size_t)(dot - e->d_name));
	}
	closedir(d);
	assert_true(count > 40);
	qsort(names, count, sizeof(names[0]), compare_names);
	for (size_t i = 0; i < count; i++) {
		run_file(names[i], &t);
		free(names[i]);
	}
	print_totals("required", &t);
}

static void test_optional(void **state)
{
	struct totals t = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(optional_files) / sizeof(optional_files[0]); i++)
		run_file(optional_files[i], &t);
	print_totals("optional", &t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_required), cmocka_unit_test(test_optional)};

	if (!find_suite()) {
		fprintf(stderr,
			"The JSON Schema test suite is not here: install libtest-json-schema-acceptance-perl, or "
			"set CROSSDOCK_SCHEMA_SUITE.\n");
		return EXIT_FAILURE;
	}
	char dir[600];
	snprintf(dir, sizeof(dir), "%s/remotes", suite.root);
	collect_remotes(dir, "http://localhost:1234");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; i < suite.remote_count; i++) {
		free(suite.remotes[i].uri);
		free(suite.remotes[i].path);
	}
	return failed;
}
