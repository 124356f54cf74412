/*
 * JSON numbers by value, of any length, never through a double: value = 0.d1d2d3... * 10^magnitude.
 */
#ifndef MODEL_SCHEMA_NUMBER_H
#define MODEL_SCHEMA_NUMBER_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct number {
	const char *first, *end; /* from the first to behind the last digit that is not zero; may hold one '.' */
	int64_t magnitude;
	uint32_t digits; /* between them, without the '.' */
	int8_t sign;     /* -1, 0, 1 */
};

/* text is a JSON number (RFC 8259, section 6). Exponents are cut at 10^12 and 10^-12 respectively. */
struct number number_read(struct str text);
int number_compare(const struct number *a, const struct number *b);
bool number_is_integer(const struct number *n);
/* The divisor has at most 18 digits that count (NUMBER_DIVISOR_DIGITS) and is positive. */
#define NUMBER_DIVISOR_DIGITS 18
bool number_is_multiple(const struct number *n, const struct number *divisor);
/* The same for equal values. */
uint64_t number_hash(const struct number *n, uint64_t seed);

#endif
