/* What differs between two texts, as a list of changes with JSON Pointers (RFC 6901). */
#ifndef FORMAT_JSON_DIFF_H
#define FORMAT_JSON_DIFF_H

#include "format/json.h"

#define JSON_DIFF_MAX 1000 /* changes; then there is one more with "op":"more" */

/* Writes an array: {"op":"add|remove|replace","pointer","from"?,"to"?}. Arrays are compared item by item. Where one of
 * them is not JSON, the whole is one change with pointer "", without its values. Nothing if they are equal. */
void json_diff(struct arena *a, struct str before, struct str after, struct json_writer *w);

#endif
