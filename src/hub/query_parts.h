/* What the queries share; inside the hub only. */
#ifndef HUB_QUERY_PARTS_H
#define HUB_QUERY_PARTS_H

#include "format/json.h"
#include "hub/query.h"

/* Rows that one page of a list looks at, at most; then it ends with a cursor, full or not. */
#define QUERY_SCAN_MAX 20000

/* The first row, or RC_NOT_FOUND with the given code and "There is no such WHAT.". */
enum rc query_one(struct query *q, enum store_statement s, struct store_value arg, const char *code, const char *what,
		  struct store_value *columns, struct err *e) MUST_CHECK;

/* All rows, copied into q->arena. */
struct query_rows {
	struct arena *arena;
	size_t columns, count, room;
	struct store_value *values; /* count * columns */
};
enum rc query_all(struct query *q, enum store_statement s, const struct store_value *args, size_t arg_count,
		  struct query_rows *out, struct err *e) MUST_CHECK;
static inline const struct store_value *query_row(const struct query_rows *r, size_t i)
{
	return &r->values[i * r->columns];
}

/*
 * A list, newest first: {"items":[...],"next_cursor":null|"..."}. statement takes ($1 below this seq, $2 limit, and
 * what is in more) and has seq as its first column. match may be NULL; write writes one value. The cursor is the seq of
 * the last row that was looked at.
 */
#define QUERY_MORE_MAX 3
struct query_list {
	enum store_statement statement;
	bool (*match)(void *ctx, const struct store_value *row);
	enum rc (*write)(void *ctx, struct json_writer *w, const struct store_value *row, struct err *e);
	void *ctx;
	const struct store_value *more;
	size_t more_count;
};
enum rc query_list(struct query *q, const struct query_list *l, const struct query_page *p, struct buf *out,
		   struct err *e) MUST_CHECK;
/* RC_INVALID "bad_cursor". Empty: from the newest. */
enum rc query_cursor(struct str cursor, int64_t *before, struct err *e) MUST_CHECK;

/* The end of a list: closes its array and the object about it. cursor: where the next page begins; empty: there is
 * none. As query_done. */
enum rc query_end(struct json_writer *w, struct str cursor, const struct buf *out, struct err *e) MUST_CHECK;
enum rc query_end_at(struct json_writer *w, bool more, int64_t seq, const struct buf *out, struct err *e) MUST_CHECK;
/* RC_OK, or RC_LIMIT "answer_too_large". */
enum rc query_done(const struct buf *out, struct err *e) MUST_CHECK;
enum rc query_damaged(struct err *e, const char *what);

/* JSON text of a column as a value; an empty object where it is not there. */
void query_write_json(struct json_writer *w, const char *name, struct str json);
void query_write_time(struct json_writer *w, const char *name, struct store_value v); /* nothing for NULL and 0 */
/* A delivery without its attempts, as an object left open. */
enum rc query_write_delivery(const struct query *q, struct json_writer *w, const struct store_value *row,
			     struct err *e) MUST_CHECK;
/* As a delivery's row says, but what the store knows as being sent waits as long as nothing of it has left. */
struct delivery_shown {
	enum delivery_status status;
	int64_t attempts, next_at; /* next_at 0: there is none */
};
struct delivery_shown query_delivery_shown(const struct hub *h, const struct store_value *row);
/* One attempt: a row of R_ATTEMPTS as an object left open. */
enum rc query_write_attempt(struct query *q, struct json_writer *w, const struct store_value *row,
			    struct err *e) MUST_CHECK;
void query_write_exception(struct json_writer *w, const struct store_value *row); /* an object left open */

/* The columns of R_EVENT_AFTER as a CloudEvent. */
enum rc query_write_event(struct query *q, struct json_writer *w, const struct store_value *row,
			  struct err *e) MUST_CHECK;

#endif
