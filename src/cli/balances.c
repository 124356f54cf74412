#include "cli/balances.h"

#include "base/decimal.h"
#include "format/json.h"

#include <stdio.h>
#include <string.h>

enum { SKU, LOCATION, LOT, QUANTITY, AVAILABLE, UOM };
static const char *const names[BALANCES_COLUMNS] = {"sku", "location", "lot", "quantity", "available", "uom"};

#define FIELDS_MAX 32

static enum rc wrong(const struct balances *b, const char *code, struct err *e, const char *format, struct str what)
{
	char where[32];

	(void)snprintf(where, sizeof(where), "line %u", b->csv.line);
	return err_set_at(e, RC_INVALID, code, where, "%s '" STR_FMT "'", format, STR_ARG(what));
}

static enum rc read_names(struct balances *b, const struct str *fields, size_t count, struct err *e)
{
	for (int c = 0; c < BALANCES_COLUMNS; c++)
		b->column[c] = -1;
	for (size_t i = 0; i < count; i++) {
		int c = 0;
		while (c < BALANCES_COLUMNS && !str_is(fields[i], names[c]))
			c++;
		if (c == BALANCES_COLUMNS)
			return wrong(b, "unknown_column", e,
				     "the columns are sku, location, lot, quantity or available, uom; not", fields[i]);
		if (b->column[c] >= 0)
			return wrong(b, "column_twice", e, "there are two columns", fields[i]);
		b->column[c] = (int)i;
	}
	if (b->column[SKU] < 0)
		return wrong(b, "column_missing", e, "there is no column", STR("sku"));
	if ((b->column[QUANTITY] < 0) == (b->column[AVAILABLE] < 0))
		return wrong(b, "column_missing", e, "there must be one column", STR("quantity"));
	b->width = count;
	return RC_OK;
}

enum rc balances_open(struct balances *b, struct str text, struct err *e)
{
	struct str fields[FIELDS_MAX];
	size_t count = 0;
	enum rc rc;

	*b = (struct balances){.rows = 0};
	arena_init(&b->arena, 16u << 20);
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = (struct str){text.p + 3, text.n - 3};
	csv_init(&b->csv, text);
	rc = csv_next(&b->csv, &b->arena, fields, FIELDS_MAX, &count, e);
	if (rc == RC_NOT_FOUND)
		return err_set(e, RC_INVALID, "empty_file", "The file is empty; its first line names the columns.");
	return rc == RC_OK ? read_names(b, fields, count, e) : rc;
}

void balances_done(struct balances *b)
{
	arena_done(&b->arena);
}

static enum rc write_row(struct balances *b, const struct str *fields, size_t count, struct json_writer *w,
			 struct err *e)
{
	struct str sku = fields[b->column[SKU]];
	struct str number = fields[b->column[b->column[QUANTITY] < 0 ? AVAILABLE : QUANTITY]];
	qty_t quantity;

	if (count != b->width)
		return wrong(b, "other_width", e, "there are more or fewer fields than columns, after", sku);
	if (!sku.n)
		return wrong(b, "sku_missing", e, "there is no sku beside", number);
	if (qty_parse(number, &quantity, NULL) != RC_OK)
		return wrong(b, "bad_quantity", e, "this is not a quantity:", number);
	jw_object(w);
	for (int c = 0; c < BALANCES_COLUMNS; c++)
		if (b->column[c] >= 0)
			jw_opt_text(w, names[c], fields[b->column[c]]);
	jw_object_end(w);
	b->rows++;
	return RC_OK;
}

enum rc balances_page(struct balances *b, const char *as_of, struct buf *out, bool *last, struct err *e)
{
	struct str fields[FIELDS_MAX];
	struct json_writer w;
	enum rc rc = RC_OK;
	size_t count = 0;

	buf_reset(out);
	jw_init(&w, out);
	jw_object(&w);
	jw_key_text(&w, "as_of", str_from(as_of));
	jw_key(&w, "items");
	jw_array(&w);
	for (size_t n = 0; rc == RC_OK && n < BALANCES_PAGE && out->n < BALANCES_PAGE_BYTES;) {
		arena_reset(&b->arena);
		for (size_t i = 0; i < FIELDS_MAX; i++)
			fields[i] = STR_NONE;
		rc = csv_next(&b->csv, &b->arena, fields, FIELDS_MAX, &count, e);
		if (rc != RC_OK || (count == 1 && !fields[0].n)) /* an empty line is nothing */
			continue;
		rc = write_row(b, fields, count, &w, e);
		n++;
	}
	*last = rc == RC_NOT_FOUND;
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return rc;
	jw_array_end(&w);
	jw_key_bool(&w, "last", *last);
	jw_object_end(&w);
	return buf_ok(out) ? RC_OK : err_set(e, RC_LIMIT, "row_too_long", "A record is too long.");
}
