/* Records end, stay within the text, and written again as RFC 4180 says they are the same records. */
#include "base/buf.h"
#include "format/csv.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIELDS_MAX 8

static void write_field(struct buf *out, struct str field)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < field.n; i++) {
		if (field.p[i] == '"')
			buf_add_char(out, '"');
		buf_add_char(out, field.p[i]);
	}
	buf_add_char(out, '"');
}

static void expect(struct csv *c, struct arena *a, const struct str *fields, size_t count)
{
	struct str again[FIELDS_MAX];
	size_t n;
	enum rc rc = csv_next(c, a, again, FIELDS_MAX, &n, NULL);

	assert(rc == RC_OK && n == count);
	for (size_t i = 0; i < n; i++)
		assert(str_eq(again[i], fields[i]));
}

static void check(struct arena *a, const struct str *fields, size_t count)
{
	struct buf text;
	struct csv c;
	size_t n;

	buf_init(&text, 8u << 20);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_add_char(&text, ',');
		write_field(&text, fields[i]);
	}
	buf_add_z(&text, "\r\n");
	assert(buf_ok(&text));
	csv_init(&c, buf_str(&text));
	expect(&c, a, fields, count);
	enum rc rc = csv_next(&c, a, (struct str[FIELDS_MAX]){STR_NONE}, FIELDS_MAX, &n, NULL);
	assert(rc == RC_NOT_FOUND);
	buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str fields[FIELDS_MAX], text = {(const char *)data, size};
	struct arena a;
	struct csv c;
	size_t count, at = 0;
	uint32_t line = 0;
	enum rc rc;

	arena_init(&a, 16u << 20);
	csv_init(&c, text);
	for (;;) {
		struct err e = ERR_NONE;

		rc = csv_next(&c, &a, fields, FIELDS_MAX, &count, &e);
		if (rc != RC_OK) {
			assert(rc == RC_NOT_FOUND ? c.at == size : e.code[0] && e.where[0]);
			break;
		}
		assert(count > 0 && count <= FIELDS_MAX && c.at > at && c.at <= size && c.line > line);
		at = c.at;
		line = c.line;
		check(&a, fields, count);
	}
	assert(rc == RC_NOT_FOUND || rc == RC_INVALID || rc == RC_LIMIT);
	arena_done(&a);
	return 0;
}
