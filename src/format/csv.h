/*
 * CSV (RFC 4180), strict: comma, double quotes around whole fields, "" for a quote inside; records end with LF or CRLF.
 */
#ifndef FORMAT_CSV_H
#define FORMAT_CSV_H

#include "base/arena.h"
#include "base/rc.h"
#include "base/str.h"

#include <stdint.h>

struct csv {
	struct str text;
	size_t at;
	uint32_t line; /* of the record read last, from 1 */
	uint32_t next_line;
};

void csv_init(struct csv *c, struct str text);

/*
 * The next record into fields[max]; *count is how many it has. A field points into the text, or into the arena if it
 * held "" (then a copy). A last record needs no line end; an empty line is a record with one empty field.
 * RC_NOT_FOUND at the end; RC_INVALID "invalid_csv"; RC_LIMIT "too_many_fields", or "csv_too_large" when the arena is
 * full; where is "line N".
 */
enum rc csv_next(struct csv *c, struct arena *a, struct str *fields, size_t max, size_t *count,
		 struct err *e) MUST_CHECK;

#endif
