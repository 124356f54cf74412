/* What a damaged store may hold: it is refused, or read as something; the first byte chooses the reader. */
#include "backbone/dedup.h"
#include "base/compress.h"
#include "orchestrate/order/progress.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_payload(struct arena *a, struct str text)
{
	struct err e = ERR_NONE;
	struct str out;
	enum rc rc = decompress(a, text, 1u << 20, &out, &e);

	assert(rc == RC_OK ? out.n <= 1u << 20 : e.rc == rc && e.code[0]);
}

static void try_text(struct arena *a, struct str text)
{
	struct str out;
	enum rc rc = decompress_text(a, text, 1u << 20, &out, NULL);

	assert(rc != RC_OK || out.n <= 1u << 20);
}

static void try_keys(struct arena *a, struct str text)
{
	struct dedup *d = dedup_new(1000);
	enum rc rc = dedup_unpack(d, text);

	(void)a;
	assert(rc == RC_OK || rc == RC_IO || rc == RC_LIMIT);
	dedup_free(d);
}

/* What is read of an order's progress can be written as JSON. */
static void try_progress(struct arena *a, struct str text)
{
	struct err e = ERR_NONE;
	struct json *progress;
	struct buf out;

	if (order_progress_read(a, text, &progress, &e) != RC_OK) {
		assert(e.rc == RC_IO && e.code[0]);
		return;
	}
	buf_init(&out, 16u << 20);
	json_write(&out, progress);
	assert(json_is(json_get(progress, "lines"), JSON_ARRAY));
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct arena *, struct str) = {try_payload, try_text, try_keys, try_progress};
	struct arena a;

	if (size < 2)
		return 0;
	arena_init(&a, 64u << 20);
	tries[data[0] % (sizeof(tries) / sizeof(tries[0]))](&a, (struct str){(const char *)data + 1, size - 1});
	arena_done(&a);
	return 0;
}
