/* What every text of a canonical document must be, whatever its schema says. */
#ifndef MODEL_TEXTS_H
#define MODEL_TEXTS_H

#include "model/schema.h"

/*
 * No text and no member name contains U+0000: JSON allows it, but C strings, PostgreSQL's text and most receivers do
 * not. RC_INVALID with findings ("zero_byte"). Documents are at most 64 levels deep (limits.json_depth).
 */
enum rc texts_check(const struct json *document, struct findings *f) MUST_CHECK;

#endif
