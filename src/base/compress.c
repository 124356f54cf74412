#include "base/compress.h"

#include "base/compress_dictionary.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <threads.h>
#include <zstd.h>

#define LEVEL 1

struct contexts {
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
};

static once_flag once = ONCE_FLAG_INIT;
static tss_t key;
static ZSTD_CDict *pack_with; /* the newest dictionary */
static ZSTD_DDict *unpack_with[COMPRESS_DICTIONARIES];

static void contexts_free(void *p)
{
	struct contexts *c = p;
	ZSTD_freeCCtx(c->pack);
	ZSTD_freeDCtx(c->unpack);
	free(c);
}

static void load_dictionary(size_t i)
{
	const struct compress_dictionary *d = &compress_dictionaries[i];
	size_t n = d->head.n + d->text.n;
	char *whole = mem_alloc(n);
	memcpy(whole, d->head.p, d->head.n);
	memcpy(whole + d->head.n, d->text.p, d->text.n);
	assert(ZSTD_getDictID_fromDict(whole, n) == i + 1);
	unpack_with[i] = ZSTD_createDDict(whole, n);
	if (i + 1 == COMPRESS_DICTIONARIES)
		pack_with = ZSTD_createCDict(whole, n, LEVEL);
	free(whole);
	if (!unpack_with[i])
		abort();
}

static void start(void)
{
	for (size_t i = 0; i < COMPRESS_DICTIONARIES; i++)
		load_dictionary(i);
	if (!pack_with)
		abort();
	int failed = tss_create(&key, contexts_free);
	assert(failed == thrd_success);
}

static struct contexts *contexts(void)
{
	call_once(&once, start);
	struct contexts *c = tss_get(key);
	if (!c) {
		c = mem_zalloc(1, sizeof(*c));
		c->pack = ZSTD_createCCtx();
		c->unpack = ZSTD_createDCtx();
		if (!c->pack || !c->unpack || tss_set(key, c) != thrd_success)
			abort();
	}
	return c;
}

enum rc compress(struct arena *a, struct str raw, struct str *out)
{
	size_t room = ZSTD_compressBound(raw.n);
	char *p = arena_alloc(a, room);
	if (!p)
		return RC_LIMIT;
	struct contexts *c = contexts();
	size_t n = ZSTD_compress_usingCDict(c->pack, p, room, raw.p, raw.n, pack_with);
	assert(!ZSTD_isError(n));
	*out = (struct str){arena_grow(a, p, room, n), n};
	return RC_OK;
}

enum rc decompress(struct arena *a, struct str packed, size_t max, struct str *out, struct err *e)
{
	unsigned long long size = ZSTD_getFrameContentSize(packed.p, packed.n);
	if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN ||
	    ZSTD_findFrameCompressedSize(packed.p, packed.n) != packed.n)
		return err_set(e, RC_IO, "payload_damaged", "not a complete compressed frame");
	if (size > max)
		return err_set(e, RC_LIMIT, "payload_too_large", "%llu bytes, at most %zu are taken", size, max);
	unsigned number = ZSTD_getDictID_fromFrame(packed.p, packed.n);
	if (number > COMPRESS_DICTIONARIES)
		return err_set(e, RC_IO, "payload_is_newer", "packed with dictionary %u, this program knows less",
			       number);
	char *p = arena_alloc(a, (size_t)size + 1);
	if (!p)
		return err_set(e, RC_LIMIT, "out_of_room", "no room for %llu bytes", size);
	struct contexts *c = contexts();
	const ZSTD_DDict *with = number ? unpack_with[number - 1] : NULL;
	size_t n = ZSTD_decompress_usingDDict(c->unpack, p, (size_t)size, packed.p, packed.n, with);
	if (ZSTD_isError(n) || n != size)
		return err_set(e, RC_IO, "payload_damaged", "the compressed frame is damaged: %s",
			       ZSTD_isError(n) ? ZSTD_getErrorName(n) : "wrong size");
	*out = (struct str){p, n};
	return RC_OK;
}

enum rc compress_text(struct arena *a, struct str text, struct str *out)
{
	*out = text;
	if (text.n <= COMPRESS_TEXT_MIN)
		return RC_OK;
	struct str packed;
	enum rc rc = compress(a, text, &packed);
	if (rc == RC_OK && packed.n < text.n)
		*out = packed;
	return rc;
}

enum rc decompress_text(struct arena *a, struct str packed, size_t max, struct str *out, struct err *e)
{
	static const unsigned char magic[] = {0x28, 0xb5, 0x2f,
					      0xfd}; /* RFC 8878; the second byte begins no character */
	*out = packed;
	if (packed.n < sizeof(magic) || memcmp(packed.p, magic, sizeof(magic)) != 0)
		return RC_OK;
	return decompress(a, packed, max, out, e);
}
