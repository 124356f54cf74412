/* One validation, between the files that carry it out. */
#ifndef MODEL_SCHEMA_RUN_H
#define MODEL_SCHEMA_RUN_H

#include "model/schema_node.h"

/* How deep schemas may nest in each other and how many may be applied in one validation: a schema's author can make
 * them explode, a document's cannot be allowed to. */
#define VALIDATE_DEPTH_MAX 256
#define VALIDATE_STEPS_MAX 5000000

/* Where we are in the document: a chain up to the root, on the stack; made into text only for a finding. */
struct place {
	const struct place *up; /* NULL: the root */
	struct str name;
	uint32_t index;
	bool is_item;
};

struct run {
	enum schema_mode mode;
	struct findings *findings, *drift;
	const char *prefix; /* of every pointer */
	uint32_t depth, steps;
	bool exhausted; /* a limit was reached: the document is not valid */
	pcre2_match_data *match;
	pcre2_match_context *match_limits;
};

/* loud: findings are recorded and everything is looked at; else the first failure ends it. */
bool run_check(struct run *r, const struct schema *s, const struct json *j, const struct place *at, bool loud);
bool run_matches(struct run *r, const pcre2_code *pattern, struct str text);
/* Marks in seen[] what s, applied to j, evaluates; all is said when it is everything. j is valid by s. */
void run_evaluated_members(struct run *r, const struct schema *s, const struct json *j, const struct place *at,
			   bool *seen);
void run_evaluated_items(struct run *r, const struct schema *s, const struct json *j, const struct place *at,
			 bool *seen);
/* Whether two items are equal; charges the steps. */
bool run_has_duplicate(struct run *r, const struct json *array, uint32_t *which);

#endif
