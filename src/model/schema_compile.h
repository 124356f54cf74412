/* One node being compiled, between the files that hold the keywords. */
#ifndef MODEL_SCHEMA_COMPILE_H
#define MODEL_SCHEMA_COMPILE_H

#include "model/schema_node.h"

struct compile {
	struct schema_registry *r;
	struct schema *s;
	struct err *e;
	struct number_rules *number;
	struct string_rules *string;
	struct array_rules *array;
	struct object_rules *object;
	struct logic_rules *logic;
};

typedef enum rc compile_keyword(struct compile *c, struct str keyword, const struct json *value);

/* The group of rules that a keyword belongs to, made when its first keyword comes. */
#define RULES(c, group) ((c)->group ? (c)->group : ((c)->group = arena_new(&(c)->r->arena, struct group##_rules)))

enum rc compile_wrong(struct compile *c, struct str keyword, const char *code, const char *detail);
enum rc compile_bad_value(struct compile *c, struct str keyword);
enum rc compile_no_room(struct compile *c);
/* The node of a schema at `pointer`, or below a keyword that holds one. */
enum rc compile_child(struct compile *c, struct str keyword, const struct json *value, struct str pointer,
		      const struct schema **out);
enum rc compile_single(struct compile *c, struct str keyword, const struct json *value, const struct schema **out);
/* A whole number that is not negative ("2.0" is one); what does not fit is as good as no limit. */
bool compile_read_size(const struct json *value, uint64_t *out);
enum rc compile_pattern_code(struct compile *c, struct str keyword, struct str pattern, const pcre2_code **out);

compile_keyword compile_properties, compile_required, compile_dependent_required, compile_pattern_properties,
    compile_members;
/* The hash table over the properties, when all are known. */
enum rc compile_hash_properties(struct compile *c);

#endif
