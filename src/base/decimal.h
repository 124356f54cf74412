/*
 * Decimal numbers as scaled 64-bit integers with 128-bit intermediate products; never a binary double.
 *
 * value = units / 10^scale, 0 <= scale <= DECIMAL_SCALE_MAX. Text: an optional '-', digits, optionally '.' and digits;
 * no '+', no exponent, no leading zeros but a single one, at most 18 significant digits ("1.50" keeps its scale 2).
 */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include "base/rc.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define DECIMAL_SCALE_MAX 12
#define DECIMAL_TEXT_MAX  24 /* bytes with the NUL */

/* A quantity of stock: an integer count of 1/10,000 of the item's base unit. */
typedef int64_t qty_t;
#define QTY_SCALE 4
#define QTY_ONE   ((qty_t)10000)
#define QTY_MAX   ((qty_t)900000000000000) /* 90 thousand million units; sums of thousands of these cannot overflow */

struct decimal {
	int64_t units;
	uint8_t scale;
};

enum decimal_round { DECIMAL_HALF_UP, DECIMAL_HALF_EVEN, DECIMAL_DOWN, DECIMAL_FLOOR };

/* RC_INVALID "not_a_decimal" or RC_LIMIT "decimal_too_large". */
enum rc decimal_parse(struct str text, struct decimal *out, struct err *e) MUST_CHECK;
/* Writes text and a NUL; returns the length. */
size_t decimal_format(struct decimal d, char out[DECIMAL_TEXT_MAX]);

/* RC_LIMIT when the result does not fit. add and sub keep the larger scale; mul has the sum of the scales, rounded half
 * up if that is over the maximum. */
enum rc decimal_add(struct decimal a, struct decimal b, struct decimal *out) MUST_CHECK;
enum rc decimal_sub(struct decimal a, struct decimal b, struct decimal *out) MUST_CHECK;
enum rc decimal_mul(struct decimal a, struct decimal b, struct decimal *out) MUST_CHECK;
enum rc decimal_rescale(struct decimal d, uint8_t scale, enum decimal_round round, struct decimal *out) MUST_CHECK;
int decimal_compare(struct decimal a, struct decimal b);
/* n / by, rounded; by is not 0. */
__int128 decimal_quotient(__int128 n, __int128 by, enum decimal_round round);

/* Decimal text to qty_t: RC_INVALID if it has more than QTY_SCALE decimals that are not zero, RC_LIMIT over QTY_MAX. */
enum rc qty_parse(struct str text, qty_t *out, struct err *e) MUST_CHECK;
/* The shortest text: "6", "2.5". Returns the length. */
size_t qty_format(qty_t q, char out[DECIMAL_TEXT_MAX]);

#endif
