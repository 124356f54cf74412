/* The first byte chooses the parser. What a parser takes, its formatter writes, and that is taken as the same value. */
#include "base/clock.h"
#include "base/decimal.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/uuid.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_decimal(struct str text)
{
	struct decimal d, again, other;
	char out[DECIMAL_TEXT_MAX];
	if (decimal_parse(text, &d, NULL) != RC_OK)
		return;
	struct str written = {out, decimal_format(d, out)};
	enum rc rc = decimal_parse(written, &again, NULL);
	assert(rc == RC_OK && d.units == again.units && d.scale == again.scale);
	assert(str_eq(written, text) || (d.units == 0 && text.p[0] == '-'));
	assert(decimal_sub(d, again, &other) == RC_OK && other.units == 0);
	if (decimal_rescale(d, DECIMAL_SCALE_MAX, DECIMAL_DOWN, &other) == RC_OK)
		assert(decimal_compare(d, other) == 0);
}

static void try_quantity(struct str text)
{
	qty_t q, again;
	char out[DECIMAL_TEXT_MAX];
	if (qty_parse(text, &q, NULL) != RC_OK)
		return;
	assert(q <= QTY_MAX && q >= -QTY_MAX);
	struct str written = {out, qty_format(q, out)};
	enum rc rc = qty_parse(written, &again, NULL);
	assert(rc == RC_OK && q == again);
}

static void try_time(struct str text)
{
	int64_t ms, again;
	char out[TIME_TEXT];
	if (time_parse(text, &ms, NULL) != RC_OK)
		return;
	time_format(ms, out);
	enum rc rc = time_parse(str_from(out), &again, NULL);
	assert(rc == RC_OK && ms == again);
}

static void try_uuid(struct str text)
{
	struct uuid u, again;
	char out[UUID_TEXT + 1];
	if (!uuid_parse(text, &u))
		return;
	uuid_format(u, out);
	assert(uuid_parse(str_from(out), &again) && memcmp(u.b, again.b, sizeof(u.b)) == 0);
}

static void try_base64(struct str text)
{
	size_t n;
	char *raw = mem_alloc(text.n), *out = mem_alloc(text.n + 8);
	base64_encode(text.p, text.n / 2, out);
	assert(base64_decode(str_from(out), raw, text.n, &n) && n == text.n / 2 && memcmp(raw, text.p, n) == 0);
	if (base64_decode(text, raw, text.n, &n)) {
		base64_encode(raw, n, out);
		assert(str_eq(str_from(out), text));
	}
	free(out);
	free(raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct str) = {try_decimal, try_quantity, try_time, try_uuid, try_base64};
	if (size < 2)
		return 0;
	tries[data[0] % (sizeof(tries) / sizeof(tries[0]))]((struct str){(const char *)data + 1, size - 1});
	return 0;
}
