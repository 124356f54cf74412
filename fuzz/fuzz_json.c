/* A document that is taken is written; what was written is taken, is equal, has the same fingerprint and is written
 * alike. */
#include "format/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct buf first, second;
	arena_init(&a, 64u << 20);
	buf_init(&first, 64u << 20);
	buf_init(&second, 64u << 20);
	struct json *j = NULL, *again = NULL;
	struct err e = ERR_NONE;
	enum rc rc = json_parse(&a, (struct str){(const char *)data, size}, NULL, &j, &e);
	assert(rc == e.rc);
	if (rc == RC_OK) {
		json_write(&first, j);
		assert(buf_ok(&first));
		rc = json_parse(&a, buf_str(&first), &(struct json_limits){64u << 20, 64, 200000}, &again, &e);
		assert(rc == RC_OK);
		assert(json_equal(j, again) && json_equal(again, j));
		assert(json_fingerprint(j, hash_process_key()) == json_fingerprint(again, hash_process_key()));
		json_write(&second, again);
		assert(str_eq(buf_str(&first), buf_str(&second)));
	} else {
		assert(!j && e.code[0] && e.detail[0]);
	}
	buf_done(&second);
	buf_done(&first);
	arena_done(&a);
	return 0;
}
