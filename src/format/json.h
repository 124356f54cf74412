/*
 * JSON (RFC 8259) to an immutable tree in an arena, and back.
 *
 * Strict: UTF-8 checked, number grammar checked, no duplicate member names, nothing behind the value. Numbers keep
 * their text: no number passes through a double here. Strings are unescaped, may contain NUL (\u0000), are not
 * NUL-terminated. Decoding is simdjson's (on demand), behind json_simdjson.cc.
 */
#ifndef FORMAT_JSON_H
#define FORMAT_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/rc.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_member;

struct json {
	uint8_t type; /* enum json_type */
	bool boolean;
	uint32_t count; /* bytes of text, items, or members */
	uint32_t line;  /* where it stands, from 1, when it came from YAML; else 0 */
	union {
		const char *text;                  /* JSON_NUMBER, JSON_STRING */
		const struct json *items;          /* JSON_ARRAY */
		const struct json_member *members; /* JSON_OBJECT, in the order of the text */
	};
};

struct json_member {
	struct str name;
	struct json value;
};

struct json_limits {
	size_t bytes;   /* of the text */
	uint32_t depth; /* of nesting */
	uint32_t nodes; /* values in all */
};

#define JSON_LIMITS_DEFAULT ((struct json_limits){.bytes = 1u << 20, .depth = 64, .nodes = 200000})

/*
 * RC_INVALID with code invalid_json, invalid_utf8, invalid_number, duplicate_member (where: a JSON Pointer, detail
 * names the byte offset where known); RC_LIMIT with json_too_large, json_too_deep, json_too_many_values.
 *
 * text need not be padded or NUL-terminated and may go away after the call. limits: NULL for JSON_LIMITS_DEFAULT;
 * nesting stops at 1,000 whatever they say.
 */
enum rc json_parse(struct arena *a, struct str text, const struct json_limits *limits, struct json **out,
		   struct err *e) MUST_CHECK;

/* The length of the JSON number (section 6) that text starts with; 0 if it does not. */
size_t json_number_length(struct str text);

/* NULL if j is NULL, is not an object, or has no such member. */
const struct json *json_get(const struct json *j, const char *name);
const struct json *json_get_str(const struct json *j, struct str name);
/* The text of a string member; STR_NONE if it is absent or not a string. */
struct str json_get_text(const struct json *j, const char *name);
struct str json_text(const struct json *j); /* of a string or number; STR_NONE else */
/* false for NULL; here, so that the analyser sees it. */
static inline bool json_is(const struct json *j, enum json_type type)
{
	return j && j->type == type;
}
/* An integral number that fits; false else. */
bool json_int(const struct json *j, int64_t *out);
/* Numbers by value (1.0 equals 1), objects without regard to order. */
bool json_equal(const struct json *a, const struct json *b);
/* The same for equal values as json_equal has it, except that numbers count by their text. */
uint64_t json_fingerprint(const struct json *j, const struct hash_key *key);

/* Compact text. */
void json_write(struct buf *out, const struct json *j);
/* A string with its quotes, escaped; bytes that are not UTF-8 become U+FFFD. */
void json_write_text(struct buf *out, struct str s);

/*
 * A writer that puts the commas. Values are written with jw_* after jw_key in an object, or in a row in an array.
 * Nesting up to 63; mismatched calls are asserts.
 */
struct json_writer {
	struct buf *out;
	uint64_t started; /* bit n: something was written at depth n */
	uint64_t objects; /* bit n: depth n is an object */
	uint8_t depth;
	bool after_key;
};

void jw_init(struct json_writer *w, struct buf *out);
void jw_object(struct json_writer *w);
void jw_object_end(struct json_writer *w);
void jw_array(struct json_writer *w);
void jw_array_end(struct json_writer *w);
void jw_key(struct json_writer *w, const char *name);
void jw_key_str(struct json_writer *w, struct str name);
void jw_text(struct json_writer *w, struct str s);
void jw_int(struct json_writer *w, int64_t v);
void jw_bool(struct json_writer *w, bool v);
void jw_null(struct json_writer *w);
void jw_value(struct json_writer *w, const struct json *j);
void jw_raw(struct json_writer *w, struct str json); /* already JSON */
/* key and value; jw_opt_text writes nothing for an empty slice. */
void jw_key_text(struct json_writer *w, const char *name, struct str s);
void jw_key_int(struct json_writer *w, const char *name, int64_t v);
void jw_key_bool(struct json_writer *w, const char *name, bool v);
void jw_opt_text(struct json_writer *w, const char *name, struct str s);
void jw_key_time(struct json_writer *w, const char *name, int64_t ms); /* RFC 3339 */
void jw_key_qty(struct json_writer *w, const char *name, int64_t qty); /* qty_t as a decimal string */

#endif
