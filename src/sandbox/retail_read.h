/* The data file as it stands: lines gathered into invoices. Everything in the arena. */
#ifndef SANDBOX_RETAIL_READ_H
#define SANDBOX_RETAIL_READ_H

#include "base/decimal.h"
#include "sandbox/retail.h"

struct raw_line {
	struct str code, description, price_text;
	struct decimal price;
	int64_t quantity;
};

struct raw_invoice {
	struct str number, customer, country; /* customer may be empty */
	bool domestic;
	int64_t placed_at;
	size_t first_line, line_count;
};

struct raw {
	struct raw_line *lines;
	size_t line_count;
	struct raw_invoice *invoices;
	size_t invoice_count;
};

enum rc raw_load(const char *path, struct arena *a, struct str *text, struct err *e) MUST_CHECK;
enum rc raw_read(struct raw *raw, struct arena *a, struct str text, struct err *e) MUST_CHECK;

#endif
