/*
 * Access to the tree, equality and fingerprints.
 *
 * A fingerprint is one keyed hash a value: scalars hash their type and text, together with the member name in front of
 * them; an object adds up its members' hashes, so their order does not count; an array folds its items' in their order;
 * sums and folds are hashed again with the type and the count, so nothing outside the key predicts them.
 */
#include "format/json.h"

#include "base/map.h"

#include <assert.h>

#define FIND_PAIRWISE 32u /* members, above which comparing objects goes through a map */

const struct json *json_get_str(const struct json *j, struct str name)
{
	if (!j || j->type != JSON_OBJECT)
		return NULL;
	for (uint32_t i = 0; i < j->count; i++)
		if (str_eq(j->members[i].name, name))
			return &j->members[i].value;
	return NULL;
}

const struct json *json_get(const struct json *j, const char *name)
{
	return json_get_str(j, str_from(name));
}

struct str json_get_text(const struct json *j, const char *name)
{
	const struct json *v = json_get(j, name);
	return json_is(v, JSON_STRING) ? json_text(v) : STR_NONE;
}

struct str json_text(const struct json *j)
{
	if (!j || (j->type != JSON_STRING && j->type != JSON_NUMBER))
		return STR_NONE;
	return (struct str){j->text, j->count};
}

static size_t digits_end(struct str text, size_t i)
{
	while (i < text.n && text.p[i] >= '0' && text.p[i] <= '9')
		i++;
	return i;
}

static bool starts(struct str text, size_t i, char c, char other)
{
	return i < text.n && (text.p[i] == c || text.p[i] == other);
}

size_t json_number_length(struct str text)
{
	size_t from = starts(text, 0, '-', '-') ? 1 : 0;
	size_t i = starts(text, from, '0', '0') ? from + 1 : digits_end(text, from);
	if (i == from)
		return 0;
	if (starts(text, i, '.', '.')) {
		from = i + 1;
		i = digits_end(text, from);
		if (i == from)
			return 0;
	}
	if (starts(text, i, 'e', 'E')) {
		from = i + 1;
		from += starts(text, from, '+', '-') ? 1 : 0;
		i = digits_end(text, from);
		if (i == from)
			return 0;
	}
	return i;
}

/* A number as 0.DIGITS * 10^exponent without zeros at either end; digits.n is 0 for zero. */
struct number {
	bool negative, point_inside; /* the digits have a '.' among them */
	bool huge;                   /* the exponent is beyond EXPONENT_MAX, and only its text says how far */
	struct str digits;
	int64_t exponent;
};

#define EXPONENT_MAX ((int64_t)1000000000000)

static int64_t read_exponent(const char *p, const char *end, bool *huge)
{
	bool negative = *p == '-';
	int64_t v = 0;
	for (p += *p == '-' || *p == '+'; p < end; p++) {
		v = v * 10 + (*p - '0');
		if (v > EXPONENT_MAX) {
			*huge = true;
			v = EXPONENT_MAX;
		}
	}
	return negative ? -v : v;
}

/* text is a JSON number. */
static struct number number_read(struct str text)
{
	struct number n = {0};
	const char *p = text.p, *end = text.p + text.n;
	n.negative = p < end && *p == '-';
	p += n.negative;
	const char *stop = p, *point = NULL, *first = NULL, *last = NULL;
	for (; stop < end && *stop != 'e' && *stop != 'E'; stop++) {
		if (*stop == '.') {
			point = stop;
		} else if (*stop != '0') {
			first = first ? first : stop;
			last = stop + 1;
		}
	}
	if (!first)
		return (struct number){0};
	if (stop + 1 < end)
		n.exponent = read_exponent(stop + 1, end, &n.huge);
	const char *units = point ? point : stop;
	n.exponent += first < units ? units - first : units - first + 1;
	n.digits = (struct str){first, (size_t)(last - first)};
	n.point_inside = point && first < point && point < last;
	return n;
}

static size_t digit_count(const struct number *n)
{
	return n->digits.n - n->point_inside;
}

static bool numbers_equal(struct str a, struct str b)
{
	if (str_eq(a, b))
		return true;
	struct number x = number_read(a), y = number_read(b);
	if (!x.digits.n || !y.digits.n)
		return !x.digits.n && !y.digits.n;
	if (x.huge || y.huge || x.negative != y.negative || x.exponent != y.exponent ||
	    digit_count(&x) != digit_count(&y))
		return false;
	const char *p = x.digits.p, *q = y.digits.p, *end = p + x.digits.n;
	for (; p < end; p++, q++) {
		p += *p == '.';
		q += *q == '.';
		if (*p != *q)
			return false;
	}
	return true;
}

bool json_int(const struct json *j, int64_t *out)
{
	if (!json_is(j, JSON_NUMBER))
		return false;
	struct number n = number_read(json_text(j));
	size_t digits = digit_count(&n);
	if (!n.digits.n) {
		*out = 0;
		return true;
	}
	if (n.huge || n.exponent > 19 || n.exponent < (int64_t)digits)
		return false;
	const uint64_t most = (uint64_t)INT64_MAX + n.negative;
	uint64_t v = 0;
	const char *p = n.digits.p;
	for (int64_t i = 0; i < n.exponent; i++) {
		uint64_t digit = 0;
		if (i < (int64_t)digits) {
			p += *p == '.';
			digit = (uint64_t)(*p++ - '0');
		}
		if (v > (most - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = n.negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

static bool objects_equal(const struct json *a, const struct json *b)
{
	struct map index;
	map_init(&index, b->count);
	bool equal = true, indexed = b->count > FIND_PAIRWISE;
	for (uint32_t i = 0; indexed && i < b->count; i++) {
		enum rc rc = map_put(&index, b->members[i].name, (void *)&b->members[i].value);
		assert(rc == RC_OK);
	}
	for (uint32_t i = 0; equal && i < a->count; i++) {
		struct str name = a->members[i].name;
		const struct json *other;
		if (str_eq(b->members[i].name, name))
			other = &b->members[i].value;
		else
			other = indexed ? map_get(&index, name) : json_get_str(b, name);
		equal = other && json_equal(&a->members[i].value, other);
	}
	map_done(&index);
	return equal;
}

bool json_equal(const struct json *a, const struct json *b)
{
	if (!a || !b || a == b)
		return a == b;
	if (a->type != b->type)
		return false;
	switch ((enum json_type)a->type) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return a->boolean == b->boolean;
	case JSON_NUMBER:
		return numbers_equal(json_text(a), json_text(b));
	case JSON_STRING:
		return str_eq(json_text(a), json_text(b));
	case JSON_ARRAY:
		if (a->count != b->count)
			return false;
		for (uint32_t i = 0; i < a->count; i++)
			if (!json_equal(&a->items[i], &b->items[i]))
				return false;
		return true;
	case JSON_OBJECT:
		return a->count == b->count && objects_equal(a, b);
	}
	return false;
}

static uint64_t rotated(uint64_t v)
{
	return v << 7 | v >> 57;
}

/* One hash over head, name and text; head tells the type and where the name ends. */
static uint64_t hash_parts(const struct hash_key *key, const uint64_t head[3], size_t heads, struct str name,
			   struct str text)
{
	char small[256];
	size_t room = heads * sizeof(head[0]);
	size_t n = room + name.n + text.n;
	if (n > sizeof(small)) {
		struct hash128 of_text = hash128(key, text);
		struct hash128 of_name = hash128(key, name);
		uint64_t digest[7] = {head[0], head[1], head[2], of_name.high, of_name.low, of_text.high, of_text.low};
		return hash64(key, (struct str){(const char *)digest, sizeof(digest)});
	}
	memcpy(small, head, room);
	if (name.n)
		memcpy(small + room, name.p, name.n);
	if (text.n)
		memcpy(small + room + name.n, text.p, text.n);
	return hash64(key, (struct str){small, n});
}

static uint64_t fingerprint(const struct json *j, const struct hash_key *key, struct str name)
{
	uint64_t content = 0;
	struct str text = STR_NONE;
	switch ((enum json_type)j->type) {
	case JSON_NULL:
		break;
	case JSON_BOOL:
		content = j->boolean;
		break;
	case JSON_NUMBER:
	case JSON_STRING:
		text = json_text(j);
		content = text.n;
		break;
	case JSON_ARRAY:
		for (uint32_t i = 0; i < j->count; i++)
			content = rotated(content) * 0x9e3779b97f4a7c15u + fingerprint(&j->items[i], key, STR_NONE);
		break;
	case JSON_OBJECT:
		for (uint32_t i = 0; i < j->count; i++)
			content += fingerprint(&j->members[i].value, key, j->members[i].name);
		break;
	}
	uint64_t type = (uint64_t)j->type | (uint64_t)name.n << 8;
	if (j->type == JSON_ARRAY || j->type == JSON_OBJECT)
		return hash_parts(key, (const uint64_t[3]){type, j->count, content}, 3, name, text);
	/* What is short enough to be hashed in one piece has lengths that fit into one word. */
	return hash_parts(key, (const uint64_t[3]){type | content << 32}, 1, name, text);
}

uint64_t json_fingerprint(const struct json *j, const struct hash_key *key)
{
	return fingerprint(j, key, STR_NONE);
}
