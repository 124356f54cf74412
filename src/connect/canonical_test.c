#include "connect/canonical.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* What names a record, in the tenant's spelling where it is a SKU. */
static void test_record_ids(void **state)
{
	static const struct {
		const char *type, *document;
		enum sku_case sku_case;
		const char *id; /* NULL: a dead letter */
	} cases[] = {
	    {"item", "{\"sku\":\"ab-1\",\"base_uom\":\"EA\"}", SKU_UPPER, "AB-1"},
	    {"item", "{\"sku\":\"ab-1\",\"base_uom\":\"EA\"}", SKU_AS_IS, "ab-1"},
	    {"item", "{\"base_uom\":\"EA\"}", SKU_UPPER, NULL},
	    {"customer", "{\"external_id\":\"c-1\"}", SKU_UPPER, "c-1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_tenant tenant = {.sku_case = cases[i].sku_case};
		struct canonical_origin origin = {.tenant = &tenant, .source = STR("erp"), .items = 1};
		struct err e = ERR_NONE;
		struct command *c;
		struct json *doc;
		struct arena a;

		arena_init(&a, 1u << 20);
		assert_int_equal(json_parse(&a, str_from(cases[i].document), NULL, &doc, &e), RC_OK);
		assert_int_equal(canonical_command(&origin, str_from(cases[i].type), doc, &c, &e), RC_OK);
		assert_int_equal(c->type, cases[i].id ? COMMAND_RECORD : COMMAND_MESSAGE_DEAD);
		if (cases[i].id) {
			assert_true(str_is(c->record.type, cases[i].type));
			assert_true(str_is(c->record.id, cases[i].id));
			assert_int_equal(c->fingerprint, json_fingerprint(doc, &command_fingerprint_key));
		}
		command_free(c);
		arena_done(&a);
	}
}

/* Fingerprints are in stores: the key may never change. */
static void test_fingerprint_key(void **state)
{
	(void)state;
	assert_memory_equal(command_fingerprint_key.bytes, "crossdock/conten", sizeof(command_fingerprint_key.bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_record_ids), cmocka_unit_test(test_fingerprint_key)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
