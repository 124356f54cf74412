/*
 * The compiled form of schemas: inside the module only. Nodes live in the registry's arena and never change after
 * schema_registry_compile.
 */
#ifndef MODEL_SCHEMA_NODE_H
#define MODEL_SCHEMA_NODE_H

#define PCRE2_CODE_UNIT_WIDTH 8

#include "base/map.h"
#include "model/schema.h"
#include "model/schema_number.h"

#include <pcre2.h>

enum schema_type_bit {
	TYPE_NULL = 1,
	TYPE_BOOLEAN = 2,
	TYPE_NUMBER = 4,
	TYPE_INTEGER = 8,
	TYPE_STRING = 16,
	TYPE_ARRAY = 32,
	TYPE_OBJECT = 64,
};

enum schema_format {
	FORMAT_NONE,
	FORMAT_DATE_TIME,
	FORMAT_DATE,
	FORMAT_UUID,
	FORMAT_URI,
	FORMAT_DECIMAL,
	FORMAT_QUANTITY,
};

struct schema_list {
	uint32_t count;
	const struct schema **list;
};

struct number_rules {
	const struct json *minimum, *maximum, *exclusive_minimum, *exclusive_maximum, *multiple_of;
	struct number min, max, xmin, xmax, multiple;
};

struct string_rules {
	uint64_t min_length, max_length; /* in code points */
	const pcre2_code *pattern;
	struct str pattern_text;
	enum schema_format format;
};

struct array_rules {
	uint64_t min_items, max_items, min_contains, max_contains;
	bool unique;
	struct schema_list prefix;
	const struct schema *items, *contains, *unevaluated;
};

/* A name that `properties`, `required` or a dependent keyword speaks of. */
struct property {
	struct str name;
	const struct schema *schema; /* NULL: not in `properties` */
	bool required;
	const struct json *needs;       /* dependentRequired: an array of names, or NULL */
	const struct schema *dependent; /* dependentSchemas */
};

struct pattern_property {
	const pcre2_code *pattern;
	const struct schema *schema;
};

struct object_rules {
	struct property *properties;
	uint32_t property_count, required_count;
	bool has_dependents;
	uint16_t *slots; /* by property_hash, 0: empty, else index + 1; a power of two */
	uint32_t slot_mask;
	struct pattern_property *patterns;
	uint32_t pattern_count;
	const struct schema *additional, *names, *unevaluated;
	uint64_t min_properties, max_properties;
};

struct logic_rules {
	const struct schema *reference, *not, *condition, *then, *otherwise;
	struct schema_list all, any, one;
};

struct schema {
	uint8_t types; /* of enum schema_type_bit; 0: any */
	bool never;    /* the schema `false` */
	const struct json *choices, *constant;
	const struct number_rules *number;
	const struct string_rules *string;
	const struct array_rules *array;
	const struct object_rules *object;
	const struct logic_rules *logic;

	/* Of the compiler. */
	const struct json *source;
	struct schema_document *document;
	struct str base;         /* the URI of the resource it is in */
	struct str pointer;      /* within the document */
	struct schema *next;     /* in the order they were made */
	struct schema *visit_up; /* of the search for loops */
	uint32_t visit_at;
	uint8_t visited; /* 0 not yet, 1 on the way, 2 done */
};

struct schema_document {
	struct schema_document *next;
	struct str given, uri; /* the name it was added by; its $id, resolved against that */
	struct str file;       /* for messages; the uri if there is none */
	const struct json *json;
	struct schema *root;
};

/* Something a URI names: a resource ($id) or an anchor in one ("uri#name"). */
struct schema_target {
	struct str uri;
	const struct json *json;
	struct schema_document *document;
	struct str base, pointer;
};

struct schema_pattern {
	struct schema_pattern *next;
	pcre2_code *code;
};

struct schema_registry {
	struct arena arena;
	struct map targets; /* struct schema_target by uri */
	struct map nodes;   /* struct schema by its source (the pointer's bytes) */
	struct map types;   /* struct schema by "type/major" */
	struct schema_document *documents;
	struct schema *first, *last; /* the nodes in the order they were made, which is the order of compiling */
	struct schema_pattern *patterns;
	bool compiled;
};

static inline uint32_t property_hash(struct str name)
{
	if (name.n == 0)
		return 0;
	return (uint32_t)name.n * 31u + (unsigned char)name.p[0] * 7u + (unsigned char)name.p[name.n / 2] * 131u +
	       (unsigned char)name.p[name.n - 1] * 17u;
}

static inline const struct property *property_find(const struct object_rules *o, struct str name)
{
	if (!o->slots)
		return NULL;
	for (uint32_t i = property_hash(name) & o->slot_mask;; i = (i + 1) & o->slot_mask) {
		if (o->slots[i] == 0)
			return NULL;
		const struct property *p = &o->properties[o->slots[i] - 1];
		if (str_eq(p->name, name))
			return p;
	}
}

/* The node for a schema at `source`, made and queued for compiling when it is new. NULL: the arena is full. */
struct schema *schema_node(struct schema_registry *r, const struct json *source, struct schema_document *document,
			   struct str base, struct str pointer);
/* The keywords of one node. */
enum rc schema_compile_node(struct schema_registry *r, struct schema *s, struct err *e) MUST_CHECK;
/* What a $ref means; RC_INVALID "schema_reference_unknown". */
enum rc schema_resolve(struct schema_registry *r, const struct schema *from, struct str reference,
		       const struct schema **out, struct err *e) MUST_CHECK;
/* Registers every $id and anchor of a document. */
enum rc schema_index(struct schema_registry *r, struct schema_document *d, struct err *e) MUST_CHECK;
enum rc schema_error(const struct schema *s, const char *keyword, struct err *e, const char *code, const char *detail);
/* pointer + "/" + the escaped token. */
struct str schema_pointer_add(struct arena *a, struct str pointer, struct str token);

/* What a keyword holds, as far as schemas are concerned. */
enum keyword_holds { HOLDS_NONE, HOLDS_SCHEMA, HOLDS_SCHEMA_LIST, HOLDS_SCHEMA_MAP };
enum keyword_holds schema_keyword_holds(struct str keyword);

bool schema_format_parse(struct str name, enum schema_format *out);
const char *schema_format_name(enum schema_format format);
bool schema_format_ok(enum schema_format format, struct str text);

/* RFC 3986, section 5.2, without a fragment in the result. */
struct str uri_resolve(struct arena *a, struct str base, struct str reference);
struct str uri_fragment(struct str uri); /* behind '#'; STR_NONE if there is none */
struct str uri_without_fragment(struct str uri);

#endif
