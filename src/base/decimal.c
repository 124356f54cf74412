#include "base/decimal.h"

#include <assert.h>
#include <stddef.h>

#define UNITS_MAX ((int64_t)999999999999999999) /* 18 digits */

typedef __int128 wide;

static wide pow10_wide(unsigned n)
{
	wide p = 1;
	while (n--)
		p *= 10;
	return p;
}

static wide magnitude(wide v)
{
	return v < 0 ? -v : v;
}

static enum rc store(wide units, uint8_t scale, struct decimal *out)
{
	if (magnitude(units) > UNITS_MAX)
		return RC_LIMIT;
	*out = (struct decimal){(int64_t)units, scale};
	return RC_OK;
}

wide decimal_quotient(wide n, wide by, enum decimal_round round)
{
	if (by < 0) {
		n = -n;
		by = -by;
	}
	wide quotient = n / by, rest = magnitude(n % by);
	int away = n < 0 ? -1 : 1;
	switch (round) {
	case DECIMAL_HALF_UP:
		return rest * 2 >= by ? quotient + away : quotient;
	case DECIMAL_HALF_EVEN:
		return rest * 2 > by || (rest * 2 == by && quotient % 2) ? quotient + away : quotient;
	case DECIMAL_DOWN:
		return quotient;
	case DECIMAL_FLOOR:
		return rest && n < 0 ? quotient - 1 : quotient;
	}
	return quotient;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

enum rc decimal_parse(struct str text, struct decimal *out, struct err *e)
{
	const char *p = text.p, *end = text.n ? text.p + text.n : text.p;
	bool negative = p < end && *p == '-', point = false, fits = true;
	if (negative)
		p++;
	if (p == end || !is_digit(*p) || (*p == '0' && p + 1 < end && is_digit(p[1])))
		return err_set(e, RC_INVALID, "not_a_decimal", "a decimal number is digits, optionally '.' and digits");
	int64_t units = 0;
	unsigned scale = 0;
	for (; p < end; p++) {
		if (*p == '.' && !point && p + 1 < end) {
			point = true;
			continue;
		}
		if (!is_digit(*p))
			return err_set(e, RC_INVALID, "not_a_decimal",
				       "a decimal number is digits, optionally '.' and digits");
		if (point && scale <= DECIMAL_SCALE_MAX)
			scale++;
		if (units > UNITS_MAX / 10)
			fits = false;
		else
			units = units * 10 + (*p - '0');
	}
	if (!fits || scale > DECIMAL_SCALE_MAX)
		return err_set(e, RC_LIMIT, "decimal_too_large",
			       "a decimal number has at most 18 digits, %d behind the point", DECIMAL_SCALE_MAX);
	*out = (struct decimal){negative ? -units : units, (uint8_t)scale};
	return RC_OK;
}

size_t decimal_format(struct decimal d, char out[DECIMAL_TEXT_MAX])
{
	assert(d.scale <= DECIMAL_SCALE_MAX);
	char text[DECIMAL_TEXT_MAX];
	char *p = text + sizeof(text);
	uint64_t u = d.units < 0 ? 0 - (uint64_t)d.units : (uint64_t)d.units;
	unsigned digits = 0;
	do {
		if (digits == d.scale && digits)
			*--p = '.';
		*--p = (char)('0' + u % 10);
		u /= 10;
		digits++;
	} while (u || digits <= d.scale);
	if (d.units < 0)
		*--p = '-';
	size_t n = (size_t)(text + sizeof(text) - p);
	memcpy(out, p, n);
	out[n] = '\0';
	return n;
}

static void align(struct decimal a, struct decimal b, wide *x, wide *y, uint8_t *scale)
{
	*scale = a.scale > b.scale ? a.scale : b.scale;
	*x = a.units * pow10_wide((unsigned)(*scale - a.scale));
	*y = b.units * pow10_wide((unsigned)(*scale - b.scale));
}

enum rc decimal_add(struct decimal a, struct decimal b, struct decimal *out)
{
	wide x, y;
	uint8_t scale;
	align(a, b, &x, &y, &scale);
	return store(x + y, scale, out);
}

enum rc decimal_sub(struct decimal a, struct decimal b, struct decimal *out)
{
	wide x, y;
	uint8_t scale;
	align(a, b, &x, &y, &scale);
	return store(x - y, scale, out);
}

enum rc decimal_mul(struct decimal a, struct decimal b, struct decimal *out)
{
	wide product = (wide)a.units * b.units;
	unsigned scale = (unsigned)a.scale + b.scale;
	if (scale > DECIMAL_SCALE_MAX) {
		product = decimal_quotient(product, pow10_wide(scale - DECIMAL_SCALE_MAX), DECIMAL_HALF_UP);
		scale = DECIMAL_SCALE_MAX;
	}
	return store(product, (uint8_t)scale, out);
}

enum rc decimal_rescale(struct decimal d, uint8_t scale, enum decimal_round round, struct decimal *out)
{
	if (scale > DECIMAL_SCALE_MAX)
		return RC_LIMIT;
	if (scale >= d.scale)
		return store(d.units * pow10_wide((unsigned)(scale - d.scale)), scale, out);
	return store(decimal_quotient(d.units, pow10_wide((unsigned)(d.scale - scale)), round), scale, out);
}

int decimal_compare(struct decimal a, struct decimal b)
{
	wide x, y;
	uint8_t scale;
	align(a, b, &x, &y, &scale);
	return x < y ? -1 : x > y;
}

enum rc qty_parse(struct str text, qty_t *out, struct err *e)
{
	struct decimal d, q;
	enum rc rc = decimal_parse(text, &d, e);
	if (rc != RC_OK)
		return rc;
	rc = decimal_rescale(d, QTY_SCALE, DECIMAL_DOWN, &q);
	if (rc != RC_OK || q.units > QTY_MAX || q.units < -QTY_MAX)
		return err_set(e, RC_LIMIT, "decimal_too_large", "a quantity is at most 90000000000 units");
	if (decimal_compare(d, q) != 0)
		return err_set(e, RC_INVALID, "too_many_decimals", "a quantity has at most %d decimals", QTY_SCALE);
	*out = q.units;
	return RC_OK;
}

size_t qty_format(qty_t q, char out[DECIMAL_TEXT_MAX])
{
	uint8_t scale = QTY_SCALE;
	for (; scale && q % 10 == 0; scale--)
		q /= 10;
	return decimal_format((struct decimal){q, scale}, out);
}
