/* {"schema": ..., "document": ...}: the schema is refused with a place and a reason, or judges the document: valid
 * without findings or invalid with some, whose pointers lead somewhere. */
#include "model/schema.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct schema *s, const struct json *doc, struct arena *a)
{
	struct findings strict, kept, drift;

	findings_init(&strict, a);
	findings_init(&kept, a);
	findings_init(&drift, a);
	enum rc rc = schema_validate(s, doc, SCHEMA_STRICT, &strict, NULL);
	assert((rc == RC_OK) == (strict.count == 0));
	assert(rc == RC_OK || rc == RC_INVALID);
	for (size_t i = 0; i < strict.count; i++)
		assert((strict.list[i].pointer[0] == '\0' || strict.list[i].pointer[0] == '/') &&
		       strict.list[i].code[0] && strict.list[i].detail[0]);
	rc = schema_validate(s, doc, SCHEMA_KEEP_UNKNOWN, &kept, &drift);
	assert((rc == RC_OK) == (kept.count == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct buf text;
	struct json *input = NULL;
	struct err e = ERR_NONE;
	struct json_limits limits = {.bytes = 1 << 16, .depth = 64, .nodes = 5000};

	arena_init(&a, 64u << 20);
	buf_init(&text, 1 << 20);
	struct schema_registry *r = schema_registry_new();
	if (json_parse(&a, (struct str){(const char *)data, size}, &limits, &input, &e) == RC_OK &&
	    json_get(input, "schema") && json_get(input, "document")) {
		json_write(&text, json_get(input, "schema"));
		enum rc rc = schema_registry_add(r, "fuzz://schema", buf_str(&text), &e);
		if (rc == RC_OK)
			rc = schema_registry_compile(r, &e);
		if (rc == RC_OK)
			judge(schema_find_uri(r, "fuzz://schema"), json_get(input, "document"), &a);
		else
			assert(e.rc == rc && e.code[0] && e.detail[0]);
	}
	schema_registry_free(r);
	buf_done(&text);
	arena_done(&a);
	return 0;
}
