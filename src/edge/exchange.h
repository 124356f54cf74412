/* One request on its way through the edge, and what every handler needs to answer it. Inside the module. */
#ifndef EDGE_EXCHANGE_H
#define EDGE_EXCHANGE_H

#include "edge/auth.h"
#include "edge/problem.h"
#include "edge/routes.h"
#include "edge/server.h"
#include "hub/node.h"
#include "hub/query.h"

#define ROUTES_MAX       128
#define ANSWER_BYTES_MAX ((size_t)64 << 20)
#define LIST_LIMIT       100 /* items of a page */
#define LIST_LIMIT_MAX   1000

struct connect;
struct console;
struct streams;
struct read_pool;

struct edge {
	struct node *node;
	struct connect *connect; /* or NULL */
	struct server *server;
	struct auth *auth;
	struct readers *readers;
	struct console *console; /* or NULL */
	struct streams *streams;
	struct read_pool *reads, *heavy;
	int64_t drain_ms;
};

struct exchange {
	struct edge *edge;
	struct server_request *request;
	const struct route *route;
	struct principal principal; /* not of open routes */
	struct hub *hub;            /* of the tenant; NULL on open routes */
	const struct config_tenant *tenant;
	struct str params[ROUTE_PARAMS_MAX]; /* decoded */
	struct str correlation_id, traceparent;
	struct auth_rate rate;
};

/* ---- answering ---- */

/* JSON. fields may be NULL. */
enum server_next exchange_answer(struct exchange *x, int status, struct str body, const struct server_field *fields,
				 size_t count);
/* Another media type, with no header of the API's but the given ones. */
enum server_next exchange_answer_as(struct exchange *x, int status, const char *type, struct str body,
				    const struct server_field *fields, size_t count);
enum server_next exchange_problem(struct exchange *x, const struct problem *p);
/* code and sentence. */
enum server_next exchange_refuse(struct exchange *x, const char *code, const char *format, ...) PRINTF_LIKE(3, 4);
/* code, detail and where of e; a code without a row is answered by the class of rc. */
enum server_next exchange_fail(struct exchange *x, const struct err *e);
enum server_next exchange_invalid(struct exchange *x, const struct findings *f);
/* One thing that is wrong with the body, at a JSON Pointer. */
enum server_next exchange_wrong(struct exchange *x, const char *code, const char *pointer, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* ---- asking ---- */

/* The body as a document, into the arena. On failure e is for exchange_fail. */
enum rc exchange_document(struct exchange *x, struct arena *a, const struct json **out, struct err *e) MUST_CHECK;
/* By schemas/<type>/v1.json. */
enum rc exchange_valid(const struct exchange *x, const char *type, const struct json *doc,
		       struct findings *f) MUST_CHECK;
/* May the key speak for this system? */
bool exchange_speaks_for(const struct exchange *x, struct str system);

/* A query parameter: once, or `many` times. */
struct parameter {
	const char *name;
	struct str value; /* decoded; of the last one */
	bool given;
	struct str *many; /* room for many_max, or NULL */
	size_t many_max, many_count;
};
/* All parameters of the query; an unknown or a repeated one is an error. */
enum rc exchange_parameters(struct exchange *x, struct parameter *list, size_t count, struct err *e) MUST_CHECK;
/* A whole number in a range; `otherwise` if it is not given. */
enum rc parameter_int(const struct parameter *p, int64_t low, int64_t high, int64_t otherwise, int64_t *out,
		      struct err *e) MUST_CHECK;

/* ---- commands ---- */

/* A command of this exchange: correlation id, source, idempotency key and fingerprint are set. NULL: it was answered (a
 * bad Idempotency-Key). */
struct command *exchange_command(struct exchange *x, enum command_type type);
/* Orders are not taken while too much waits for an ERP whose configuration says so. true: answered. */
bool exchange_orders_refused(struct exchange *x);
/* Gives it to the hub, and its answer to the client. The command is no longer the caller's. */
enum server_next exchange_submit(struct exchange *x, struct command *c);
/* The same with another done, which ends with exchange_command_done (on the writer's thread; ctx is the exchange). */
enum server_next exchange_submit_to(struct exchange *x, struct command *c, void (*done)(struct command *c, void *ctx));
void exchange_command_done(struct command *c, void *ctx);
/* Forgets the command and answers with the error, which may point into its arena. */
enum server_next exchange_drop(struct exchange *x, struct command *c, const struct err *e);

/* ---- reading ---- */

struct reading {
	struct query query;
	struct buf out;
};
/* false: it was answered. */
bool reading_begin(struct exchange *x, struct reading *r);
/* The same for a list: p begins with limit and cursor, and is read. */
bool reading_begin_page(struct exchange *x, struct parameter *p, size_t count, struct reading *r,
			struct query_page *page);
/* Answers 200 with what was written, as JSON or as another media type, or the error. */
enum server_next reading_end(struct exchange *x, struct reading *r, enum rc rc, const struct err *e);
enum server_next reading_end_as(struct exchange *x, struct reading *r, const char *type, enum rc rc,
				const struct err *e);
/* Answers nothing. */
void reading_drop(struct exchange *x, struct reading *r);
/* The whole answer of a query that takes nothing, the thing that the path names, or a page of a list. */
enum server_next reading_all(struct exchange *x, enum rc (*read)(struct query *, struct buf *, struct err *));
enum server_next reading_one(struct exchange *x,
			     enum rc (*read)(struct query *, struct str, struct buf *, struct err *));
enum server_next reading_page(struct exchange *x,
			      enum rc (*read)(struct query *, const struct query_page *, struct buf *, struct err *));

#endif
