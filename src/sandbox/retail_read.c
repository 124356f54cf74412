/* Reading the data file: lines of the CSV, gathered into invoices. What an invoice means is decided in retail.c. */
#include "sandbox/retail_read.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/compress.h"
#include "base/decimal.h"
#include "format/csv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const columns[] = {"InvoiceNo",   "StockCode", "Description", "Quantity",
				      "InvoiceDate", "UnitPrice", "CustomerID",  "Country"};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const struct {
	const char *name, *code;
} countries[] = {
    {"Australia", "AU"},
    {"Austria", "AT"},
    {"Bahrain", "BH"},
    {"Belgium", "BE"},
    {"Brazil", "BR"},
    {"Canada", "CA"},
    {"Channel Islands", "JE"},
    {"Cyprus", "CY"},
    {"Czech Republic", "CZ"},
    {"Denmark", "DK"},
    {"EIRE", "IE"},
    {"Finland", "FI"},
    {"France", "FR"},
    {"Germany", "DE"},
    {"Greece", "GR"},
    {"Hong Kong", "HK"},
    {"Iceland", "IS"},
    {"Israel", "IL"},
    {"Italy", "IT"},
    {"Japan", "JP"},
    {"Lebanon", "LB"},
    {"Lithuania", "LT"},
    {"Malta", "MT"},
    {"Netherlands", "NL"},
    {"Norway", "NO"},
    {"Poland", "PL"},
    {"Portugal", "PT"},
    {"RSA", "ZA"},
    {"Saudi Arabia", "SA"},
    {"Singapore", "SG"},
    {"Spain", "ES"},
    {"Sweden", "SE"},
    {"Switzerland", "CH"},
    {"USA", "US"},
    {"United Arab Emirates", "AE"},
    {"United Kingdom", "GB"},
};

static struct str country_code(struct str name)
{
	for (size_t i = 0; i < sizeof(countries) / sizeof(countries[0]); i++)
		if (str_is(name, countries[i].name))
			return str_from(countries[i].code);
	return STR_NONE;
}

static enum rc bad_line(const struct csv *c, struct err *e, const char *what, struct str field)
{
	char where[32];
	(void)snprintf(where, sizeof(where), "line %u", c->line);
	return err_set_at(e, RC_INVALID, "invalid_data", where, "%s \"" STR_FMT "\" is not understood.", what,
			  STR_ARG(field));
}

/* "17850.0" -> "17850": the data went through a program that made numbers of the ids. */
static struct str without_zero_fraction(struct str s)
{
	if (s.n > 2 && s.p[s.n - 2] == '.' && s.p[s.n - 1] == '0')
		s.n -= 2;
	return s;
}

/* "2010-12-01 08:26:00", taken as UTC. */
static bool instant(struct str s, int64_t *out)
{
	char text[TIME_TEXT];
	if (s.n != 19)
		return false;
	(void)snprintf(text, sizeof(text), "%.10sT%.8sZ", s.p, s.p + 11);
	return time_parse(str_from(text), out, NULL) == RC_OK;
}

static bool price(struct arena *a, struct str s, struct raw_line *line)
{
	if (decimal_parse(s, &line->price, NULL))
		return false;
	if (line->price.scale < 2 && decimal_rescale(line->price, 2, DECIMAL_HALF_UP, &line->price))
		return false;
	char text[DECIMAL_TEXT_MAX];
	size_t n = decimal_format(line->price, text);
	line->price_text = arena_copy(a, (struct str){text, n});
	return line->price_text.p != NULL;
}

static enum rc read_line(struct arena *a, const struct csv *c, const struct str *f, struct raw_invoice *invoice,
			 struct raw_line *line, struct err *e)
{
	struct decimal quantity;
	if (f[0].n == 0 || f[1].n == 0)
		return bad_line(c, e, "Invoice", f[0]);
	if (decimal_parse(f[3], &quantity, NULL) || quantity.scale != 0 || quantity.units == 0)
		return bad_line(c, e, "Quantity", f[3]);
	line->quantity = quantity.units;
	if (!instant(f[4], &invoice->placed_at))
		return bad_line(c, e, "InvoiceDate", f[4]);
	if (!price(a, f[5], line))
		return bad_line(c, e, "UnitPrice", f[5]);
	line->code = arena_copy(a, f[1]);
	line->description = arena_copy(a, f[2]);
	invoice->number = arena_copy(a, f[0]);
	invoice->customer = arena_copy(a, without_zero_fraction(f[6]));
	invoice->country = country_code(f[7]);
	invoice->domestic = str_is(f[7], "United Kingdom");
	return RC_OK;
}

static enum rc check_head(struct csv *c, struct arena *a, struct str *fields, struct err *e)
{
	size_t count;
	enum rc rc = csv_next(c, a, fields, COLUMNS, &count, e);
	if (rc && rc != RC_NOT_FOUND)
		return rc;
	bool good = rc == RC_OK && count == COLUMNS;
	for (size_t i = 0; good && i < COLUMNS; i++)
		good = str_is(fields[i], columns[i]);
	if (!good)
		return err_set_at(e, RC_INVALID, "invalid_data", "line 1",
				  "The columns are not those of Online Retail.");
	return RC_OK;
}

/* The lines of an invoice stand together. */
static struct raw_invoice *invoice_of(struct raw *raw, const struct raw_invoice *found)
{
	if (raw->invoice_count > 0) {
		struct raw_invoice *last = &raw->invoices[raw->invoice_count - 1];
		if (str_eq(last->number, found->number))
			return last;
	}
	raw->invoices[raw->invoice_count] = *found;
	raw->invoices[raw->invoice_count].first_line = raw->line_count;
	return &raw->invoices[raw->invoice_count++];
}

enum rc raw_read(struct raw *raw, struct arena *a, struct str text, struct err *e)
{
	size_t room = 1;
	for (size_t i = 0; i < text.n; i++)
		room += text.p[i] == '\n';
	*raw = (struct raw){.lines = arena_array(a, struct raw_line, room),
			    .invoices = arena_array(a, struct raw_invoice, room)};
	if (!raw->lines || !raw->invoices)
		return err_set(e, RC_LIMIT, "data_too_large", "The data file is larger than the reader allows.");
	struct csv c;
	struct str fields[COLUMNS];
	csv_init(&c, text);
	enum rc rc = check_head(&c, a, fields, e);
	if (rc)
		return rc;
	size_t count;
	while ((rc = csv_next(&c, a, fields, COLUMNS, &count, e)) == RC_OK) {
		struct raw_invoice found = {0};
		struct raw_line line = {0};
		if (count != COLUMNS)
			return bad_line(&c, e, "Record", fields[0]);
		rc = read_line(a, &c, fields, &found, &line, e);
		if (rc)
			return rc;
		invoice_of(raw, &found)->line_count++;
		raw->lines[raw->line_count++] = line;
	}
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc read_file(const char *path, struct buf *out, struct err *e)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return err_set_at(e, RC_IO, "cannot_read", path, "%s", strerror(errno));
	char chunk[1 << 16];
	size_t n;
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(out, chunk, n);
	bool failed = ferror(file) != 0;
	(void)fclose(file);
	if (failed || !buf_ok(out))
		return err_set_at(e, RC_IO, "cannot_read", path, "The file cannot be read whole.");
	return RC_OK;
}

enum rc raw_load(const char *path, struct arena *a, struct str *text, struct err *e)
{
	struct buf bytes;
	buf_init(&bytes, RETAIL_BYTES_MAX);
	enum rc rc = read_file(path, &bytes, e);
	size_t n = strlen(path);
	if (rc == RC_OK && n > 4 && strcmp(path + n - 4, ".zst") == 0)
		rc = decompress(a, buf_str(&bytes), RETAIL_BYTES_MAX, text, e);
	else if (rc == RC_OK)
		*text = arena_copy(a, buf_str(&bytes));
	buf_done(&bytes);
	return rc;
}
