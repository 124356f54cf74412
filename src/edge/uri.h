/* Request targets (RFC 3986, RFC 9112 section 3.2): checked and taken apart; decoding never yields NUL or bytes that
 * are not UTF-8. */
#ifndef EDGE_URI_H
#define EDGE_URI_H

#include "base/arena.h"

#include <stdbool.h>

/* Printable ASCII without '#' and blanks, every '%' followed by two hexadecimal digits that are not 00. */
bool uri_valid(struct str raw);

/* Percent-decoded into the arena, or raw itself if there is nothing to decode. form: '+' is a blank. RC_INVALID
 * "bad_encoding"; RC_LIMIT when the arena is full. */
enum rc uri_decode(struct arena *a, struct str raw, bool form, struct str *out, struct err *e) MUST_CHECK;

/* The next name=value of a raw query, not decoded: start with *at = 0; false at the end. Empty parts are skipped. */
bool uri_query_next(struct str query, size_t *at, struct str *name, struct str *value);

/* The next segment of a raw path behind its '/': start with *at = 0; false at the end. "/" has one empty segment. */
bool uri_segment_next(struct str path, size_t *at, struct str *segment);

#endif
