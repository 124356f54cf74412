/* A document that is taken is written as JSON, and read from there is the same. */
#include "format/yaml.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct buf text;
	arena_init(&a, 64u << 20);
	buf_init(&text, 64u << 20);
	struct json *j = NULL, *again = NULL;
	struct err e = ERR_NONE;
	enum rc rc = yaml_parse(&a, (struct str){(const char *)data, size}, NULL, &j, &e);
	assert(rc == e.rc);
	if (rc == RC_OK) {
		json_write(&text, j);
		assert(buf_ok(&text));
		rc = json_parse(&a, buf_str(&text), &(struct json_limits){64u << 20, 64, 200000}, &again, &e);
		assert(rc == RC_OK && json_equal(j, again));
	} else {
		assert(!j && e.code[0] && e.where[0] == (size > JSON_LIMITS_DEFAULT.bytes ? '\0' : 'l'));
	}
	buf_done(&text);
	arena_done(&a);
	return 0;
}
