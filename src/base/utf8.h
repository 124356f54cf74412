/* UTF-8 (RFC 3629): no surrogates, nothing over U+10FFFF, no overlong forms. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

/* The length of the sequence at p, 1 to 4; 0 if it is not one. p < end. */
size_t utf8_sequence(const char *p, const char *end);
/* The offset of the first byte that is not UTF-8; s.n if there is none. */
size_t utf8_check(struct str s);
/* s as a JSON string with its quotes, escaped; bytes that are not UTF-8 become U+FFFD. */
void utf8_quote(struct buf *out, struct str s);

#endif
