/*
 * JSON Schema 2020-12, validation vocabulary: compiled once, validated without allocation but for the errors.
 *
 * Numbers are compared as decimals, not as doubles. What is not supported is refused when a schema is compiled
 * (RC_INVALID "schema_not_supported", where: pointer to the keyword); docs/schemas.md lists it with the measured
 * conformance. A compiled schema is immutable and may be used by any thread.
 */
#ifndef MODEL_SCHEMA_H
#define MODEL_SCHEMA_H

#include "base/arena.h"
#include "format/json.h"

#include <stddef.h>

struct schema;

/* One thing that is wrong with a document. */
struct finding {
	const char *pointer; /* JSON Pointer into the document */
	const char *code;    /* stable, lower snake: required, wrong_type, unknown_field, too_short, not_in_enum, ... */
	const char *detail;  /* one sentence */
	uint32_t line;       /* in a YAML document; else 0 */
};

#define FINDINGS_MAX 50

/* What a validation found; the texts are in the arena. Past FINDINGS_MAX only `more` counts. */
struct findings {
	struct arena *arena;
	struct finding list[FINDINGS_MAX];
	size_t count, more;
};

void findings_init(struct findings *f, struct arena *arena);
void findings_add(struct findings *f, const char *pointer, const char *code, const char *format, ...) PRINTF_LIKE(4, 5);

enum schema_mode {
	SCHEMA_STRICT,       /* a field that the schema does not know is a finding */
	SCHEMA_KEEP_UNKNOWN, /* it goes into drift instead (a system's own format) */
};

/* The schema's JSON may go away. References: within the document ($ref with # and $defs, $anchor), and to other files
 * of the registry by their $id. */
struct schema_registry;
struct schema_registry *schema_registry_new(void);
void schema_registry_free(struct schema_registry *r);
/* Adds one document under its $id and the given uri; compiled at schema_registry_compile, when all are there. */
enum rc schema_registry_add(struct schema_registry *r, const char *uri, struct str json, struct err *e) MUST_CHECK;
enum rc schema_registry_compile(struct schema_registry *r, struct err *e) MUST_CHECK;
/* Adds DIR/<type>/v<major>.json for all types and majors. */
enum rc schema_registry_add_dir(struct schema_registry *r, const char *dir, struct err *e) MUST_CHECK;
/* schema_registry_add_dir and schema_registry_compile. err.where is file and pointer. */
enum rc schema_registry_load(struct schema_registry *r, const char *dir, struct err *e) MUST_CHECK;
/* "order", 1 -> the schema, or NULL. */
const struct schema *schema_find(const struct schema_registry *r, const char *type, int major);
const struct schema *schema_find_uri(const struct schema_registry *r, const char *uri);

/* RC_OK, or RC_INVALID with findings. drift may be NULL. */
enum rc schema_validate(const struct schema *s, const struct json *doc, enum schema_mode mode, struct findings *f,
			struct findings *drift) MUST_CHECK;
/* The same for a part of a larger document: `at` is the JSON Pointer to it ("/items/3"), put before every pointer. */
enum rc schema_validate_at(const struct schema *s, const struct json *doc, const char *at, enum schema_mode mode,
			   struct findings *f, struct findings *drift) MUST_CHECK;

#endif
