/*
 * One sandbox system: what all kinds have in common. A request goes in, an answer comes out; sockets are elsewhere
 * (sandbox.c), so that a test can be a caller.
 *
 * system_handle may be called from any thread: a system has one lock. In order, a request is logged, meets the
 * behaviour that was asked for, is looked up under its Idempotency-Key (the same request gets the same answer, another
 * payload 422), and only then reaches the kind. What a careful receiver would complain of is counted as a problem and
 * never hidden.
 *
 * Everything a system holds stays until it is freed: bounded by SYSTEM_BYTES_MAX and SYSTEM_ENTRIES_MAX, then 507.
 */
#ifndef SANDBOX_SYSTEM_H
#define SANDBOX_SYSTEM_H

#include "base/arena.h"
#include "base/decimal.h"
#include "base/hash.h"
#include "base/map.h"
#include "format/json.h"
#include "sandbox/behave.h"

#include <pthread.h>

#define SYSTEM_BYTES_MAX    ((size_t)4 << 30)
#define SYSTEM_ENTRIES_MAX  2000000
#define SYSTEM_BODY_MAX     (16u << 20)
#define SYSTEM_LOG_MAX      10000
#define SYSTEM_PROBLEMS_MAX 50 /* kept with their detail; all are counted */
#define SYSTEM_STATE_MAX    ((size_t)1 << 30)

/* PROBLEM(id, name) */
#define SYSTEM_PROBLEMS(PROBLEM)                                                                                       \
	PROBLEM(PROBLEM_NO_KEY, "no_idempotency_key")                                                                  \
	PROBLEM(PROBLEM_KEY_REUSED, "idempotency_key_reused")                                                          \
	PROBLEM(PROBLEM_NO_CORRELATION, "no_correlation_id")                                                           \
	PROBLEM(PROBLEM_BAD_BODY, "bad_body")                                                                          \
	PROBLEM(PROBLEM_BAD_QUANTITY, "bad_quantity")                                                                  \
	PROBLEM(PROBLEM_UNKNOWN_ORDER, "unknown_order")                                                                \
	PROBLEM(PROBLEM_TWICE, "done_twice")                                                                           \
	PROBLEM(PROBLEM_OUT_OF_ORDER, "out_of_order")                                                                  \
	PROBLEM(PROBLEM_TOO_MUCH, "more_than_ordered")                                                                 \
	PROBLEM(PROBLEM_NOT_THERE, "not_physically_there")

enum system_problem {
#define SYSTEM_PROBLEM_ID(id, name) id,
	SYSTEM_PROBLEMS(SYSTEM_PROBLEM_ID)
#undef SYSTEM_PROBLEM_ID
	    PROBLEM_COUNT
};

struct system_request {
	struct str method, path, query, body;
	struct str idempotency_key, correlation_id; /* may be empty */
};

/* body is the caller's: empty, and with room for SYSTEM_STATE_MAX if it wants _state. */
struct system_answer {
	int status;
	int64_t retry_after_s; /* 0: none */
	int64_t delay_ms;      /* send it this much later */
	bool hang_up;          /* close the connection without an answer */
	struct buf body;
};

/* A message of its own to the hub: POST /in/{tenant}/{system}/{type}. */
struct system_message {
	struct system_message *next;
	struct system *system;
	int64_t due_ms;
	const char *type;
	char key[64]; /* what must keep its order: the message's subject */
	int attempts, copies;
	struct str body; /* owned */
};

/* Told while the system is locked: short, and no calls back. Any may be NULL. */
struct system_watch {
	void *ctx;
	void (*order_posted)(void *ctx, struct str channel, struct str external_id, struct str order_id);
	void (*shown)(void *ctx, const char *shop, struct str sku);
	void (*message_sent)(void *ctx, const struct system_message *m, int status);
};

struct system;

struct system_kind {
	const char *name;
	void (*handle)(struct system *s, const struct system_request *r, struct system_answer *a);
	void (*state)(const struct system *s, struct json_writer *w); /* members of the open object */
	/* Paths of its own that begin with /_; may be NULL. */
	void (*control)(struct system *s, const struct system_request *r, struct system_answer *a);
	void (*done)(struct system *s);
};

struct system_log_entry {
	int64_t at;
	int status;
	char method[8], path[96], key[64];
};

struct system {
	const struct system_kind *kind;
	char name[64];
	pthread_mutex_t lock;
	struct arena arena;   /* what it holds */
	struct arena scratch; /* of one request */
	int64_t now_ms;       /* of the request at hand */
	struct behave behave;
	struct map keys; /* struct remembered by Idempotency-Key */
	struct system_log_entry *log;
	uint64_t requests, replayed, lost_answers;
	int64_t problems[PROBLEM_COUNT];
	char *problem_details[SYSTEM_PROBLEMS_MAX];
	size_t problem_detail_count;
	struct system_message *outbox; /* by due_ms */
	size_t outbox_count, in_flight, sent, refused;
	bool full; /* it can hold no more */
	const struct system_watch *watch;
	void *book; /* the kind's own, in the arena */
};

struct system *system_new(const struct system_kind *kind, const char *name, uint64_t seed, void *book_template,
			  size_t book_size);
void system_free(struct system *s);

void system_handle(struct system *s, const struct system_request *r, int64_t now_ms, struct system_answer *a);

/* The next message that is due, or NULL; the caller gives it back with system_message_done. */
struct system_message *system_take(struct system *s, int64_t now_ms);
/* status: the hub's answer, 0: none. 2xx and what cannot be mended by waiting end it, the rest is repeated later. */
void system_message_done(struct system_message *m, int status, int64_t now_ms);
/* As POST /_behave does; the text as behave_set_text has it. */
enum rc system_behave(struct system *s, const char *text, int64_t now_ms, struct err *e) MUST_CHECK;
/* Nothing to send and nothing under way. */
bool system_idle(struct system *s);

/* ---- for the kinds, under the lock ---- */

void system_problem(struct system *s, enum system_problem p, const char *format, ...) PRINTF_LIKE(3, 4);
/* An RFC 9457 problem. */
void system_refuse(struct system_answer *a, int status, const char *code, const char *detail);
/* The body, or NULL and a 400. */
const struct json *system_body(struct system *s, const struct system_request *r, struct system_answer *a);
/* Keeps a text; empty when the system is full. */
struct str system_keep(struct system *s, struct str text);
/* RC_OK, or the system is full: 507. */
bool system_put(struct system *s, struct map *m, struct str key, void *value, struct system_answer *a);
/* The value of name=value, decoded; empty if absent. */
struct str system_query(struct system *s, const struct system_request *r, const char *name);
void system_send(struct system *s, const char *type, struct str key, struct str body, int64_t due_ms);
/* If it is unauthorised, refused or malformed nothing is remembered under its key. */
bool system_post(const struct system_request *r, const char *path);
bool system_get(const struct system_request *r, const char *path);
/* A page of `count` things, as ?limit= and ?cursor= ask: {"as_of","items":[...],"next_cursor"}. */
void system_page(struct system *s, const struct system_request *r, struct system_answer *a, size_t count,
		 void (*write)(void *ctx, size_t i, struct json_writer *w), void *ctx);

/* ---- lines, as orders, requests and shipments have them ---- */

struct system_line {
	struct str line_id, sku, location;
	qty_t quantity;
};

struct system_lines {
	size_t count;
	struct system_line *items;
};

/* Kept in the arena. Complains of missing, repeated or not positive ones; false: it answered. */
bool system_lines_read(struct system *s, const struct json *doc, struct system_lines *out, struct system_answer *a);
void system_lines_write(const struct system_lines *lines, struct json_writer *w);

/* A shipment as ERP and shops are told of it, kept by its id. */
struct system_shipment {
	struct str shipment_id, order_id, external_id;
	struct system_lines lines;
};
/* Reads and keeps it; the same id again under another Idempotency-Key is a problem. NULL: it answered. */
struct system_shipment *system_shipment_read(struct system *s, struct map *shipments, const struct json *doc,
					     struct system_answer *a);
void system_shipments_write(const struct map *shipments, struct json_writer *w);

#endif
