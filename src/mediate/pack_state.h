/* What the files of the packs share. Not for others. */
#ifndef MEDIATE_PACK_STATE_H
#define MEDIATE_PACK_STATE_H

#include "mediate/pack.h"

#include <stdatomic.h>

/* A function of a script; map is NULL where there is none. */
struct function {
	struct mapping *map;
	const char *name;
};

struct script {
	struct str name; /* "out" of out.lua */
	struct mapping *map;
};

/* A row of the table that says what an answer means. */
struct answer_rule {
	int low, high;   /* of the status */
	struct str code; /* empty: any */
	enum outcome outcome;
};

enum body_source { BODY_NONE, BODY_DOCUMENT, BODY_PARAMS, BODY_MAP, BODY_REQUEST_MAP };

struct operation_plan {
	const char *method;
	struct str path, lookup_path; /* with {names} */
	struct str content_type;
	enum body_source body;
	struct function map, answer_map;
	struct pack_header *headers;
	size_t header_count;
	struct str external_id, detail, code, stale; /* JSON Pointers; empty: not said */
	struct str found, lookup_external_id;
	struct str lookup_list, lookup_id; /* in place of found */
	const struct json *absent;         /* array of statuses, or NULL */
	struct answer_rule *rules;         /* its own, then the pack's */
	size_t rule_count;
};

struct pack_state {
	struct pack pack;
	atomic_uint references;
	struct arena arena;
	struct script *scripts;
	size_t script_count;
	struct function *endpoint_maps; /* beside pack.endpoints */
	struct operation_plan plans[OPERATIONS];
	struct schema_registry *settings_registry;
};

static inline const struct pack_state *pack_state(const struct pack *p)
{
	return p->implementation;
}

#define PACK_FILE_MAX (1u << 20)

/* A whole file into the arena. RC_NOT_FOUND, RC_IO, RC_LIMIT; err.where is the path. */
enum rc pack_read_file(struct arena *a, const char *path, size_t max, struct str *out, struct err *e) MUST_CHECK;
/* Names in a folder that end so, sorted, in the arena; none if there is no such folder. */
size_t pack_list_files(struct arena *a, const char *folder, const char *ending, struct str **out);
bool outcome_parse(struct str name, enum outcome *out);
/* The value a JSON Pointer (RFC 6901) names, or NULL. */
const struct json *pack_at(const struct json *j, struct str pointer);

/* Moves fields that the schema does not know into "extensions", until it knows all: a line's into the line's own,
 * others into the document's, under their JSON Pointer if they are not at its top. drift: where they were. */
enum rc drift_settle(const struct schema *schema, const struct json *document, struct arena *arena,
		     const struct json **out, struct findings *findings, struct findings *drift) MUST_CHECK;

#endif
