#include "model/schema_number.h"

#include <assert.h>

#define EXPONENT_MAX 1000000000000

static int64_t read_exponent(const char *p, const char *end)
{
	if (p == end)
		return 0;
	p++; /* e or E */
	bool negative = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	int64_t value = 0;
	for (; p < end; p++)
		if (value < EXPONENT_MAX)
			value = value * 10 + (*p - '0');
	if (value > EXPONENT_MAX)
		value = EXPONENT_MAX;
	return negative ? -value : value;
}

struct number number_read(struct str text)
{
	struct number n = {.sign = 1};
	const char *p = text.p, *end = text.p + text.n;
	int64_t whole = 0, seen = 0; /* digits before the point; digits from the first that counts */
	bool point = false;

	if (p < end && *p == '-') {
		n.sign = -1;
		p++;
	}
	for (; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		if (*p != '0' && !n.first)
			n.first = p;
		if (n.first)
			seen++;
		if (!n.first && point)
			whole--;
		if (n.first && !point)
			whole++;
		if (*p != '0') {
			n.end = p + 1;
			n.digits = (uint32_t)seen;
		}
	}
	if (!n.first) {
		n.sign = 0;
		return n;
	}
	n.magnitude = whole + read_exponent(p, end);
	return n;
}

int number_compare(const struct number *a, const struct number *b)
{
	if (a->sign != b->sign)
		return a->sign < b->sign ? -1 : 1;
	if (a->sign == 0)
		return 0;
	if (a->magnitude != b->magnitude)
		return (a->magnitude < b->magnitude ? -1 : 1) * a->sign;
	const char *p = a->first, *q = b->first;
	while (p < a->end && q < b->end) {
		if (*p == '.')
			p++;
		if (*q == '.')
			q++;
		if (*p != *q)
			return (*p < *q ? -1 : 1) * a->sign;
		p++;
		q++;
	}
	if (p < a->end || q < b->end)
		return (q < b->end ? -1 : 1) * a->sign;
	return 0;
}

bool number_is_integer(const struct number *n)
{
	return n->sign == 0 || (int64_t)n->digits <= n->magnitude;
}

static uint64_t multiply_mod(uint64_t a, uint64_t b, uint64_t m)
{
	return (uint64_t)((unsigned __int128)a * b % m);
}

static uint64_t power_of_ten_mod(uint64_t exponent, uint64_t m)
{
	uint64_t result = 1 % m, factor = 10 % m;
	for (; exponent; exponent >>= 1) {
		if (exponent & 1)
			result = multiply_mod(result, factor, m);
		factor = multiply_mod(factor, factor, m);
	}
	return result;
}

bool number_is_multiple(const struct number *n, const struct number *divisor)
{
	uint64_t d = 0, rest = 0;

	if (n->sign == 0)
		return true;
	for (const char *p = divisor->first; p < divisor->end; p++)
		if (*p != '.')
			d = d * 10 + (uint64_t)(*p - '0');
	assert(d > 0);
	/* Both are whole numbers without trailing zeros, times a power of ten. If the divisor's power is the larger
	 * one, n would have to end in a zero. */
	int64_t zeros = (n->magnitude - (int64_t)n->digits) - (divisor->magnitude - (int64_t)divisor->digits);
	if (zeros < 0)
		return false;
	for (const char *p = n->first; p < n->end; p++)
		if (*p != '.')
			rest = (uint64_t)(((unsigned __int128)rest * 10 + (uint64_t)(*p - '0')) % d);
	return multiply_mod(rest, power_of_ten_mod((uint64_t)zeros, d), d) == 0;
}

uint64_t number_hash(const struct number *n, uint64_t seed)
{
	uint64_t h = (seed ^ (uint64_t)n->magnitude ^ (uint64_t)(n->sign + 1)) * 1099511628211u;
	for (const char *p = n->first; p < n->end; p++)
		if (*p != '.')
			h = (h ^ (unsigned char)*p) * 1099511628211u;
	return h;
}
