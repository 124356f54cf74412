/* One PostgreSQL connection that speaks for one tenant's schema. One thread at a time. */
#ifndef STORE_POSTGRES_SESSION_H
#define STORE_POSTGRES_SESSION_H

#include "store/backend.h"

#include <libpq-fe.h>

struct session {
	PGconn *connection; /* NULL: closed */
	const char *url, *schema;
	char qualifier[64]; /* "schema". with its dot */
	bool prepared[STORE_STATEMENTS];
};

/* A statement's values as libpq wants them: integers as text (their width is the column's), text and bytes as they are.
 */
struct session_values {
	const char *values[STORE_VALUES_MAX];
	int lengths[STORE_VALUES_MAX], formats[STORE_VALUES_MAX];
	char integers[STORE_VALUES_MAX][24];
};

/* url and schema must outlive the session. RC_IO. */
enum rc session_open(struct session *s, const char *url, const char *schema, struct err *e) MUST_CHECK;
void session_close(struct session *s);
bool session_is_lost(const struct session *s);

/* Runs SQL that has the places of statements.def. RC_IO. The result, if it is wanted, is the caller's to clear. */
enum rc session_exec(struct session *s, const char *sql, PGresult **out, struct err *e) MUST_CHECK;
/* Prepares SQL that has the places of statements.def; a statement under its own name, if it is not prepared yet. RC_IO.
 */
enum rc session_prepare_sql(struct session *s, const char *name, const char *sql, struct err *e) MUST_CHECK;
enum rc session_prepare(struct session *s, enum store_statement statement, struct err *e) MUST_CHECK;

/* false: a value is larger than the protocol can carry. */
bool session_bind(const struct store_value *values, size_t count, struct session_values *out) MUST_CHECK;
struct store_value session_column(const PGresult *result, int row, int column);
/* An integer column of any width, 0 for NULL. */
int64_t session_integer(const PGresult *result, int row, int column);

/* Fills e from a result that failed (NULL: the connection's own error); returns rc. */
enum rc session_error(const struct session *s, enum rc rc, const PGresult *result, const char *doing, struct err *e);
/* The server says that it ends the session. */
bool session_is_fatal(const PGresult *result);

#endif
