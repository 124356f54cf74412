/* What the readers of documents share; inside the module only. */
#ifndef MODEL_READ_H
#define MODEL_READ_H

#include "model/order.h"

struct reader {
	struct arena *arena;
	struct findings *findings;
	const char *at; /* the JSON Pointer prefix */
	enum sku_case sku_case;
	bool failed; /* there is a finding */
	bool full;   /* the arena is */
};

/* A finding at r->at and the pointer behind it. */
void read_note(struct reader *r, const struct json *j, const char *code, const char *detail, const char *pointer, ...)
    PRINTF_LIKE(5, 6);
/* A member that must be there: a schema says so, but a reader does not trust that it was asked. */
struct str read_required(struct reader *r, const struct json *j, const char *name, const char *pointer);
/* The same of line i. */
struct str read_of_line(struct reader *r, const struct json *line, const char *name, size_t i);
/* 0 when it is absent, which is a finding if it is required. */
int64_t read_instant(struct reader *r, const struct json *j, const char *name, bool required);

enum read_sign { READ_POSITIVE, READ_NOT_NEGATIVE, READ_NOT_ZERO };
/* The member `quantity` of line i. */
qty_t read_quantity(struct reader *r, const struct json *line, size_t i, enum read_sign sign);
struct str read_sku(struct reader *r, const struct json *line, size_t i);
/* The member "lines": 1 to max objects, else NULL and a finding. */
const struct json *read_lines(struct reader *r, const struct json *doc, size_t max);
/* RC_OK, RC_INVALID or, when the arena is full, RC_LIMIT. */
enum rc read_result(const struct reader *r, const void *lines);

#endif
