#include "model/read.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>

#define POINTER_MAX 512

void read_note(struct reader *r, const struct json *j, const char *code, const char *detail, const char *pointer, ...)
{
	char rest[POINTER_MAX], all[2 * POINTER_MAX];
	va_list args;

	r->failed = true;
	va_start(args, pointer);
	vsnprintf(rest, sizeof(rest), pointer, args);
	va_end(args);
	snprintf(all, sizeof(all), "%.*s%s", POINTER_MAX, r->at, rest);
	size_t before = r->findings->count;
	findings_add(r->findings, all, code, "%s", detail);
	if (j && r->findings->count > before)
		r->findings->list[before].line = j->line;
}

struct str read_required(struct reader *r, const struct json *j, const char *name, const char *pointer)
{
	struct str text = json_get_text(j, name);
	if (text.n == 0)
		read_note(r, j, "required", "This is missing or empty.", "%s/%s", pointer, name);
	return text;
}

struct str read_of_line(struct reader *r, const struct json *line, const char *name, size_t i)
{
	struct str text = json_get_text(line, name);
	char pointer[32];

	if (text.n > 0)
		return text;
	snprintf(pointer, sizeof(pointer), "/lines/%zu", i);
	return read_required(r, line, name, pointer);
}

int64_t read_instant(struct reader *r, const struct json *j, const char *name, bool required)
{
	const struct json *value = json_get(j, name);
	struct err e = ERR_NONE;
	int64_t ms = 0;

	if (!value && !required)
		return 0;
	if (!value)
		read_note(r, j, "required", "This is missing.", "/%s", name);
	else if (value->type != JSON_STRING)
		read_note(r, value, "wrong_type", "This must be a string.", "/%s", name);
	else if (time_parse(json_text(value), &ms, &e) != RC_OK)
		read_note(r, value, e.code, e.detail, "/%s", name);
	return ms;
}

qty_t read_quantity(struct reader *r, const struct json *line, size_t i, enum read_sign sign)
{
	const struct json *value = json_get(line, "quantity");
	qty_t quantity = 0;

	if (!value || value->type != JSON_STRING) {
		read_note(r, value ? value : line, value ? "wrong_type" : "required",
			  "A quantity is a decimal number as text.", "/lines/%zu/quantity", i);
		return 0;
	}
	if (qty_parse(json_text(value), &quantity, NULL) != RC_OK) {
		struct err e = ERR_NONE; /* large: only when it is needed */
		if (qty_parse(json_text(value), &quantity, &e) != RC_OK)
			read_note(r, value, e.code, e.detail, "/lines/%zu/quantity", i);
		return 0;
	}
	switch (sign) {
	case READ_POSITIVE:
		if (quantity <= 0)
			read_note(r, value, "not_positive", "This must be more than 0.", "/lines/%zu/quantity", i);
		break;
	case READ_NOT_NEGATIVE:
		if (quantity < 0)
			read_note(r, value, "negative", "This must be 0 or more.", "/lines/%zu/quantity", i);
		break;
	case READ_NOT_ZERO:
		if (quantity == 0)
			read_note(r, value, "zero", "This must not be 0.", "/lines/%zu/quantity", i);
		break;
	}
	return quantity;
}

struct str sku_apply_case(struct arena *a, struct str sku, enum sku_case sku_case)
{
	char from = sku_case == SKU_UPPER ? 'a' : 'A';
	size_t at = 0;

	if (sku_case == SKU_AS_IS)
		return sku;
	while (at < sku.n && !(sku.p[at] >= from && sku.p[at] <= from + 25))
		at++;
	if (at == sku.n)
		return sku;
	sku = arena_copy(a, sku);
	for (; at < sku.n; at++)
		if (sku.p[at] >= from && sku.p[at] <= from + 25)
			((char *)sku.p)[at] ^= 'a' ^ 'A';
	return sku;
}

struct str read_sku(struct reader *r, const struct json *line, size_t i)
{
	struct str sku = read_of_line(r, line, "sku", i);
	struct str made = sku_apply_case(r->arena, sku, r->sku_case);
	if (made.n < sku.n)
		r->full = true;
	return made;
}

const struct json *read_lines(struct reader *r, const struct json *doc, size_t max)
{
	const struct json *lines = json_get(doc, "lines");

	if (!lines || lines->type != JSON_ARRAY || lines->count == 0) {
		read_note(r, doc, "required", "There must be at least one line.", "/lines");
		return NULL;
	}
	if (lines->count > max) {
		read_note(r, lines, "too_many_items", "There are too many lines.", "/lines");
		return NULL;
	}
	return lines;
}

enum rc read_result(const struct reader *r, const void *lines)
{
	if (r->failed)
		return RC_INVALID;
	return lines && !r->full ? RC_OK : RC_LIMIT;
}
