#include "base/decimal.h"
#include "model/schema_node.h"

#include <arpa/inet.h>

static const char *const format_names[] = {
    [FORMAT_NONE] = "",   [FORMAT_DATE_TIME] = "date-time", [FORMAT_DATE] = "date",         [FORMAT_UUID] = "uuid",
    [FORMAT_URI] = "uri", [FORMAT_DECIMAL] = "decimal",     [FORMAT_QUANTITY] = "quantity",
};

bool schema_format_parse(struct str name, enum schema_format *out)
{
	for (enum schema_format i = FORMAT_DATE_TIME; i <= FORMAT_QUANTITY; i++) {
		if (str_is(name, format_names[i])) {
			*out = i;
			return true;
		}
	}
	return false;
}

const char *schema_format_name(enum schema_format format)
{
	return format_names[format];
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* n digits at *at, moving it; -1 if they are not there. */
static int take_digits(struct str s, size_t *at, size_t n)
{
	int value = 0;
	if (s.n - *at < n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		char c = s.p[*at + i];
		if (!is_digit(c))
			return -1;
		value = value * 10 + (c - '0');
	}
	*at += n;
	return value;
}

static bool take_char(struct str s, size_t *at, const char *any_of)
{
	if (*at == s.n || s.p[*at] == '\0' || !strchr(any_of, s.p[*at]))
		return false;
	(*at)++;
	return true;
}

static bool take_date(struct str s, size_t *at)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = take_digits(s, at, 4);
	if (year < 0 || !take_char(s, at, "-"))
		return false;
	int month = take_digits(s, at, 2);
	if (month < 1 || month > 12 || !take_char(s, at, "-"))
		return false;
	int day = take_digits(s, at, 2);
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

static bool date_ok(struct str s)
{
	size_t at = 0;
	return take_date(s, &at) && at == s.n;
}

/* RFC 3339, section 5.6; a leap second only where UTC could have one. */
static bool date_time_ok(struct str s)
{
	size_t at = 0;
	int hour, minute, second, offset = 0;

	if (!take_date(s, &at) || !take_char(s, &at, "Tt"))
		return false;
	if ((hour = take_digits(s, &at, 2)) < 0 || hour > 23 || !take_char(s, &at, ":"))
		return false;
	if ((minute = take_digits(s, &at, 2)) < 0 || minute > 59 || !take_char(s, &at, ":"))
		return false;
	if ((second = take_digits(s, &at, 2)) < 0 || second > 60)
		return false;
	if (take_char(s, &at, ".")) {
		if (take_digits(s, &at, 1) < 0)
			return false;
		while (at < s.n && is_digit(s.p[at]))
			at++;
	}
	if (!take_char(s, &at, "Zz")) {
		if (at == s.n)
			return false;
		int sign = s.p[at] == '-' ? -1 : 1;
		if (!take_char(s, &at, "+-"))
			return false;
		int hours = take_digits(s, &at, 2);
		if (hours < 0 || hours > 23 || !take_char(s, &at, ":"))
			return false;
		int minutes = take_digits(s, &at, 2);
		if (minutes < 0 || minutes > 59)
			return false;
		offset = sign * (hours * 60 + minutes);
	}
	if (second == 60 && (hour * 60 + minute - offset + 2 * 1440) % 1440 != 1439)
		return false;
	return at == s.n;
}

static bool uuid_ok(struct str s)
{
	if (s.n != 36)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
		if (hyphen ? s.p[i] != '-' : !is_hex(s.p[i]))
			return false;
	}
	return true;
}

/* The characters of RFC 3986 and complete percent escapes. */
static bool uri_chars_ok(struct str s, const char *extra)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '%') {
			if (i + 2 >= s.n || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]))
				return false;
			i += 2;
		} else if (!is_digit(c) && !((c | 32) >= 'a' && (c | 32) <= 'z') &&
			   (c == '\0' || (!strchr("-._~!$&'()*+,;=", c) && !strchr(extra, c)))) {
			return false;
		}
	}
	return true;
}

/* Between the brackets: an IPv6 address, or one of a version to come. */
static bool ip_literal_ok(struct str s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (s.n && (s.p[0] | 32) == 'v')
		return uri_chars_ok(s, ":");
	if (s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

static bool uri_authority_ok(struct str a)
{
	const char *at = a.n ? memchr(a.p, '@', a.n) : NULL;
	if (at) {
		struct str user = {a.p, (size_t)(at - a.p)};
		if (!uri_chars_ok(user, ":"))
			return false;
		a = (struct str){at + 1, a.n - user.n - 1};
	}
	if (a.n && a.p[0] == '[') {
		const char *close = memchr(a.p, ']', a.n);
		if (!close || !ip_literal_ok((struct str){a.p + 1, (size_t)(close - a.p) - 1}))
			return false;
		a = (struct str){close + 1, a.n - (size_t)(close - a.p) - 1};
	} else {
		const char *colon = a.n ? memchr(a.p, ':', a.n) : NULL;
		struct str host = {a.p, colon ? (size_t)(colon - a.p) : a.n};
		if (!uri_chars_ok(host, ""))
			return false;
		a = (struct str){a.p ? a.p + host.n : NULL, a.n - host.n};
	}
	if (a.n == 0)
		return true;
	if (a.p[0] != ':')
		return false;
	for (size_t i = 1; i < a.n; i++)
		if (!is_digit(a.p[i]))
			return false;
	return true;
}

static bool uri_ok(struct str s)
{
	size_t scheme = 0;
	while (scheme < s.n && s.p[scheme] != ':')
		scheme++;
	if (scheme == 0 || scheme == s.n || is_digit(s.p[0]) || strchr("+-.", s.p[0]))
		return false;
	for (size_t i = 0; i < scheme; i++)
		if (!is_digit(s.p[i]) && !((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z') &&
		    (s.p[i] == '\0' || !strchr("+-.", s.p[i])))
			return false;
	struct str rest = {s.p + scheme + 1, s.n - scheme - 1};
	if (uri_without_fragment(rest).n != rest.n && !uri_chars_ok(uri_fragment(rest), ":@/?"))
		return false;
	rest = uri_without_fragment(rest);
	if (rest.n >= 2 && rest.p[0] == '/' && rest.p[1] == '/') {
		size_t n = 2;
		while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
			n++;
		if (!uri_authority_ok((struct str){rest.p + 2, n - 2}))
			return false;
		rest = (struct str){rest.p + n, rest.n - n};
	}
	return uri_chars_ok(rest, ":@/?");
}

bool schema_format_ok(enum schema_format format, struct str text)
{
	struct decimal decimal;
	qty_t quantity;

	switch (format) {
	case FORMAT_NONE:
		return true;
	case FORMAT_DATE_TIME:
		return date_time_ok(text);
	case FORMAT_DATE:
		return date_ok(text);
	case FORMAT_UUID:
		return uuid_ok(text);
	case FORMAT_URI:
		return uri_ok(text);
	case FORMAT_DECIMAL:
		return decimal_parse(text, &decimal, NULL) == RC_OK;
	case FORMAT_QUANTITY:
		return qty_parse(text, &quantity, NULL) == RC_OK;
	}
	return false;
}
