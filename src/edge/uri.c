#include "edge/uri.h"

#include "base/utf8.h"

bool uri_valid(struct str raw)
{
	for (size_t i = 0; i < raw.n; i++) {
		unsigned char c = (unsigned char)raw.p[i];
		if (c <= ' ' || c >= 0x7f || c == '#')
			return false;
		if (c != '%')
			continue;
		if (raw.n - i < 3 || str_hex_digit(raw.p[i + 1]) < 0 || str_hex_digit(raw.p[i + 2]) < 0)
			return false;
		if (raw.p[i + 1] == '0' && raw.p[i + 2] == '0')
			return false;
	}
	return true;
}

static enum rc check(struct str decoded, struct err *e)
{
	if (utf8_check(decoded) == decoded.n && (decoded.n == 0 || !memchr(decoded.p, '\0', decoded.n)))
		return RC_OK;
	return err_set(e, RC_INVALID, "bad_encoding", "The decoded text is not UTF-8, or has a NUL.");
}

enum rc uri_decode(struct arena *a, struct str raw, bool form, struct str *out, struct err *e)
{
	*out = raw;
	if (raw.n == 0 || (!memchr(raw.p, '%', raw.n) && !(form && memchr(raw.p, '+', raw.n))))
		return check(raw, e);
	char *p = arena_alloc(a, raw.n + 1);
	if (!p)
		return err_set(e, RC_LIMIT, "request_too_large", "The request needs too much memory.");
	size_t n = 0;
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];
		if (c == '%') {
			int high = i + 2 < raw.n ? str_hex_digit(raw.p[i + 1]) : -1;
			int low = i + 2 < raw.n ? str_hex_digit(raw.p[i + 2]) : -1;
			if (high < 0 || low < 0 || high + low == 0)
				return err_set(e, RC_INVALID, "bad_encoding",
					       "A percent sign is not followed by two "
					       "hexadecimal digits, or by 00.");
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && form) {
			c = ' ';
		}
		p[n++] = c;
	}
	*out = (struct str){p, n};
	return check(*out, e);
}

bool uri_query_next(struct str query, size_t *at, struct str *name, struct str *value)
{
	while (*at < query.n) {
		const char *start = query.p + *at;
		const char *end = memchr(start, '&', query.n - *at);
		size_t n = end ? (size_t)(end - start) : query.n - *at;
		*at += n + 1;
		if (n == 0)
			continue;
		const char *equals = memchr(start, '=', n);
		*name = (struct str){start, equals ? (size_t)(equals - start) : n};
		*value = equals ? (struct str){equals + 1, n - name->n - 1} : STR_NONE;
		return true;
	}
	return false;
}

bool uri_segment_next(struct str path, size_t *at, struct str *segment)
{
	if (*at >= path.n || path.p[*at] != '/')
		return false;
	const char *start = path.p + *at + 1;
	size_t left = path.n - *at - 1;
	const char *end = memchr(start, '/', left);
	*segment = (struct str){start, end ? (size_t)(end - start) : left};
	*at += 1 + segment->n;
	return true;
}
