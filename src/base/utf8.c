#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static bool follows(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

size_t utf8_sequence(const char *p, const char *end)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t room = (size_t)(end - p);
	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xc2 || u[0] > 0xf4 || room < 2 || !follows(u[1]))
		return 0;
	if (u[0] < 0xe0)
		return 2;
	if (room < 3 || !follows(u[2]))
		return 0;
	if (u[0] < 0xf0)
		return (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ? 0 : 3;
	if (room < 4 || !follows(u[3]))
		return 0;
	return (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f) ? 0 : 4;
}

size_t utf8_check(struct str s)
{
	size_t at = 0;
	while (at < s.n) {
		size_t n = utf8_sequence(s.p + at, s.p + s.n);
		if (!n)
			break;
		at += n;
	}
	return at;
}

/* Goes into a JSON string as it is: ASCII but for control characters, '"' and the backslash. */
static bool plain(char c)
{
	static const bool table[256] = {[' '] = true, ['!'] = true, ['#' ... '['] = true, [']' ... 0x7f] = true};
	return table[(unsigned char)c];
}

static void escape(struct buf *out, char c)
{
	switch (c) {
	case '"':
	case '\\':
		buf_add(out, (char[]){'\\', c}, 2);
		break;
	case '\n':
		buf_add(out, "\\n", 2);
		break;
	case '\r':
		buf_add(out, "\\r", 2);
		break;
	case '\t':
		buf_add(out, "\\t", 2);
		break;
	default:
		buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c);
	}
}

/* From the first byte on that is not plain. */
static void quote_rest(struct buf *out, const char *p, const char *end)
{
	const char *from = p;
	while (p < end) {
		size_t n = plain(*p) ? 1 : (unsigned char)*p < 0x80 ? 0 : utf8_sequence(p, end);
		if (n) {
			p += n;
			continue;
		}
		buf_add(out, from, (size_t)(p - from));
		if ((unsigned char)*p < 0x80)
			escape(out, *p);
		else
			buf_add(out, "\xef\xbf\xbd", 3);
		from = ++p;
	}
	buf_add(out, from, (size_t)(end - from));
	buf_add_char(out, '"');
}

/* Are all eight? It may say no for no reason where a byte is not: the subtractions borrow. */
static bool all_plain(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	uint64_t quote = w ^ (ones * '"'), backslash = w ^ (ones * '\\');
	return !((w | (w - ones * ' ') | (quote - ones) | (backslash - ones)) & tops);
}

/* Fewer than eight bytes; how many from the start on were copied. */
static size_t copy_plain_few(char *to, const char *p, size_t n)
{
	uint32_t head, tail;
	size_t at = 0;
	if (n >= sizeof(head)) {
		memcpy(&head, p, sizeof(head));
		memcpy(&tail, p + n - sizeof(tail), sizeof(tail));
		if (all_plain((uint64_t)tail << 32 | head)) {
			memcpy(to, &head, sizeof(head));
			memcpy(to + n - sizeof(tail), &tail, sizeof(tail));
			return n;
		}
	}
	for (; at < n && plain(p[at]); at++)
		to[at] = p[at];
	return at;
}

/* Copies what is plain up to the first byte that may not be; how much that is. Words overlap at the end. */
static size_t copy_plain(char *to, const char *p, size_t n)
{
	uint64_t w;
	size_t at = 0;
	if (n < sizeof(w))
		return copy_plain_few(to, p, n);
	for (;; at = at + 2 * sizeof(w) <= n ? at + sizeof(w) : n - sizeof(w)) {
		memcpy(&w, p + at, sizeof(w));
		if (!all_plain(w))
			return at;
		memcpy(to + at, &w, sizeof(w));
		if (at + sizeof(w) == n)
			return n;
	}
}

void utf8_quote(struct buf *out, struct str s)
{
	char *at = buf_reserve(out, s.n + 2);
	if (!at)
		return;
	at[0] = '"';
	size_t n = copy_plain(at + 1, s.p, s.n);
	at[n + 1] = '"';
	buf_wrote(out, n == s.n ? n + 2 : n + 1);
	if (n < s.n)
		quote_rest(out, s.p + n, s.p + s.n);
}
