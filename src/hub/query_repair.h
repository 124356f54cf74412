/* What a replay would do, for a dry run and for the job that does it. */
#ifndef HUB_QUERY_REPAIR_H
#define HUB_QUERY_REPAIR_H

#include "hub/query_parts.h"

struct dead_letter_filter {
	struct str system, class_, operation; /* empty: any */
	int64_t from, to;                     /* 0: any; to is not included */
};

/* {"system","class","operation","from","to"}, or NULL for all. RC_INVALID with a pointer. */
enum rc dead_letter_filter_read(const struct json *j, struct dead_letter_filter *out, struct err *e) MUST_CHECK;
/* The open ones that fit, after < seq <= through, at most max: seq, id, at, class, system. By an index, whatever the
 * filter. */
enum rc dead_letters_read(struct query *q, const struct dead_letter_filter *f, int64_t after, int64_t through,
			  uint32_t max, store_row_fn row, void *ctx, struct err *e) MUST_CHECK;
/* How many open ones fit, and a seq that none of them is behind. Without times it is known without looking at them. */
enum rc dead_letters_count(struct query *q, const struct dead_letter_filter *f, int64_t *count, int64_t *through,
			   struct err *e) MUST_CHECK;

/* A destination's deliveries since a position of the event log or a time. */
struct replay_plan {
	struct str system;
	int64_t after;          /* position; 0: none */
	int64_t first, through; /* seq of deliveries: first < seq <= through */
	bool operations[OPERATIONS];
	int64_t count, counts[OPERATIONS];
};
/* {"after"|"from","operations"?}. Counts what was delivered. RC_INVALID with a pointer. */
enum rc replay_plan_make(struct query *q, struct str system, const struct json *request, struct replay_plan *out,
			 struct err *e) MUST_CHECK;

/* What a dead letter was to do: the raw message, or {"document"?, "params"?} of a delivery. */
struct dead_letter_payload {
	bool is_delivery;
	struct str system, endpoint; /* endpoint: of a message */
	struct str type;             /* of a delivery's document; empty: it has none */
	struct str payload;
};
enum rc query_dead_letter_payload(struct query *q, struct str id, struct dead_letter_payload *out,
				  struct err *e) MUST_CHECK;

enum rc query_job(struct query *q, struct str id, struct buf *out, struct err *e) MUST_CHECK;
enum rc query_jobs(struct query *q, const struct query_page *p, struct buf *out, struct err *e) MUST_CHECK;

#endif
