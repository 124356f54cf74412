/* Problem details (RFC 9457): application/problem+json. Codes are rows of problems.def. */
#ifndef EDGE_PROBLEM_H
#define EDGE_PROBLEM_H

#include "base/buf.h"
#include "model/schema.h"

#define PROBLEM_TYPE "application/problem+json"

struct problem_row {
	const char *code;
	int status;
	const char *title;
};

/* NULL if there is no such row. */
const struct problem_row *problem_find(const char *code);
/* Every row: from 0; NULL at the end. */
const struct problem_row *problem_at(size_t i);

struct problem {
	const char *code;
	int status;                      /* 0: the row's */
	struct str detail;               /* may be empty */
	struct str instance;             /* the request's path; may be empty */
	struct str correlation_id;       /* may be empty */
	const char *where;               /* a JSON Pointer or a name, becomes the only entry of errors; or NULL */
	const struct findings *findings; /* or NULL */
	const char *prefix;              /* of the findings' pointers, or NULL */
};

/* Returns the status. A code that has no row is answered with its status (500 if 0) and its code as title. */
int problem_write(struct buf *out, const struct problem *p);
/* What the hub says of a problem ({"detail",...}), completed by the members that are missing. */
int problem_complete(struct buf *out, const struct problem *p, const struct json *said);

#endif
