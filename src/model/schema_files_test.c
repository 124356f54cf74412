/*
 * The schemas that are shipped: all compile, each has examples that hold and examples that do not. A good example is
 * the document; *.bad.json is {"pointer", "code", "document"}: the one finding it must lead to.
 */
#include "model/movement.h"
#include "model/order.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const types[] = {
    "order",
    "stock-movement",
    "stock-count",
    "shipment",
    "reservation",
    "availability",
    "invoice",
    "customer",
    "item",
    "price-list",
    "order-cancel",
    "availability-query",
    "exception",
    "order-status",
    "reservation-commit",
    "shipment-request",
};

static struct schema_registry *registry;

static struct json *read_json(struct arena *a, const char *path)
{
	struct buf text;
	struct json *doc;
	struct err e = ERR_NONE;
	struct json_limits limits = JSON_LIMITS_DEFAULT;
	char chunk[4096];
	size_t n;

	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot read %s", path);
	buf_init(&text, 1 << 20);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&text, chunk, n);
	fclose(f);
	if (json_parse(a, buf_str(&text), &limits, &doc, &e) != RC_OK)
		fail_msg("%s: %s %s", path, e.code, e.detail);
	buf_done(&text);
	return doc;
}

/* What the hub does with a document of this type. */
static enum rc read_type(struct arena *a, const char *type, const struct json *doc, struct findings *f)
{
	struct order order;
	struct movement movement;
	struct shipment shipment;
	struct hold_request hold;

	if (strcmp(type, "order") == 0)
		return order_read(a, doc, SKU_AS_IS, &order, f);
	if (strcmp(type, "stock-movement") == 0)
		return movement_read(a, doc, SKU_AS_IS, "", &movement, f);
	if (strcmp(type, "stock-count") == 0)
		return stock_count_read(a, doc, SKU_AS_IS, "", &movement, f);
	if (strcmp(type, "shipment") == 0)
		return shipment_read(a, doc, SKU_AS_IS, "", &shipment, f);
	if (strcmp(type, "reservation") == 0)
		return hold_request_read(a, doc, SKU_AS_IS, "", &hold, f);
	return RC_OK;
}

static void check_good(struct arena *a, const char *type, const char *path)
{
	struct findings f;
	findings_init(&f, a);
	const struct json *doc = read_json(a, path);
	enum rc rc = schema_validate(schema_find(registry, type, 1), doc, SCHEMA_STRICT, &f, NULL);
	if (rc == RC_OK)
		rc = read_type(a, type, doc, &f);
	if (rc != RC_OK)
		fail_msg("%s: %s %s", path, f.list[0].pointer, f.list[0].detail);
	assert_int_equal(f.count, 0);
}

static void check_bad(struct arena *a, const char *type, const char *path)
{
	struct findings f;
	findings_init(&f, a);
	const struct json *example = read_json(a, path);
	const struct json *doc = json_get(example, "document");
	assert_non_null(doc);
	assert_int_equal(schema_validate(schema_find(registry, type, 1), doc, SCHEMA_STRICT, &f, NULL), RC_INVALID);
	assert_int_equal(f.count, 1);
	if (!str_is(json_get_text(example, "pointer"), f.list[0].pointer) ||
	    !str_is(json_get_text(example, "code"), f.list[0].code))
		fail_msg("%s: %s %s %s", path, f.list[0].pointer, f.list[0].code, f.list[0].detail);
}

static void test_examples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		char dir[512], path[1024];
		size_t good = 0, bad = 0;
		snprintf(dir, sizeof(dir), CD_SOURCE_DIR "/schemas/%s/examples", types[i]);
		DIR *d = opendir(dir);
		if (!d)
			fail_msg("there is no %s", dir);
		for (struct dirent *e; (e = readdir(d));) {
			struct arena a;
			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
			arena_init(&a, 1 << 20);
			if (strstr(e->d_name, ".bad.json")) {
				check_bad(&a, types[i], path);
				bad++;
			} else {
				check_good(&a, types[i], path);
				good++;
			}
			arena_done(&a);
		}
		closedir(d);
		assert_true(good > 0 && bad > 0);
	}
}

static void test_find(void **state)
{
	(void)state;
	assert_null(schema_find(registry, "order", 2));
	assert_null(schema_find(registry, "no-such-type", 1));
	assert_null(schema_find_uri(registry, "https://crossdock.dev/schemas/order/v2.json"));
	assert_ptr_equal(schema_find(registry, "order", 1),
			 schema_find_uri(registry, "https://crossdock.dev/schemas/order/v1.json"));
}

static void test_drift_keeps_what_is_unknown(void **state)
{
	struct arena a;
	struct findings f, drift;
	struct json *doc;
	struct err e = ERR_NONE;
	struct json_limits limits = JSON_LIMITS_DEFAULT;

	(void)state;
	arena_init(&a, 1 << 20);
	findings_init(&f, &a);
	findings_init(&drift, &a);
	struct str text = STR(
	    "{\"channel\":\"shop\",\"external_id\":\"1\",\"placed_at\":\"2026-03-01T12:00:00Z\",\"currency\":\"GBP\","
	    "\"customer\":{\"external_id\":\"C\",\"a/b\":{}},\"t~0\":1,"
	    "\"lines\":[{\"line_id\":\"1\",\"sku\":\"A\",\"quantity\":\"1\",\"\":null}]}");
	assert_int_equal(json_parse(&a, text, &limits, &doc, &e), RC_OK);
	const struct schema *s = schema_find(registry, "order", 1);
	assert_int_equal(schema_validate(s, doc, SCHEMA_KEEP_UNKNOWN, &f, &drift), RC_OK);
	assert_int_equal(f.count, 0);
	assert_int_equal(drift.count, 3);
	assert_string_equal(drift.list[0].pointer, "/customer/a~1b");
	assert_string_equal(drift.list[1].pointer, "/t~00");
	assert_string_equal(drift.list[2].pointer, "/lines/0/");
	assert_int_equal(schema_validate(s, doc, SCHEMA_KEEP_UNKNOWN, &f, NULL), RC_OK);
	assert_int_equal(schema_validate_at(s, doc, "/items/7", SCHEMA_STRICT, &f, NULL), RC_INVALID);
	assert_int_equal(f.count, 3);
	assert_string_equal(f.list[0].pointer, "/items/7/customer/a~1b");
	assert_string_equal(f.list[0].code, "unknown_field");
	arena_done(&a);
}

static int load(void **state)
{
	struct err e = ERR_NONE;
	(void)state;
	registry = schema_registry_new();
	if (schema_registry_load(registry, CD_SOURCE_DIR "/schemas", &e) != RC_OK) {
		print_error("%s: %s: %s\n", e.where, e.code, e.detail);
		return -1;
	}
	return 0;
}

static int unload(void **state)
{
	(void)state;
	schema_registry_free(registry);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_examples),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_drift_keeps_what_is_unknown),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
