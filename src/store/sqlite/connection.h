/* One SQLite connection with its prepared statements. One thread at a time. */
#ifndef STORE_SQLITE_CONNECTION_H
#define STORE_SQLITE_CONNECTION_H

#include "store/backend.h"

#include <sqlite3.h>

enum connection_role { CONNECTION_WRITER, CONNECTION_CHECKPOINTER, CONNECTION_READER };

/* Statements of the backend itself, beside those of statements.def. */
enum own_statement {
	OWN_BEGIN = STORE_STATEMENTS, /* takes the write lock */
	OWN_BEGIN_READ,
	OWN_COMMIT,
	OWN_ROLLBACK,
	OWN_FENCE, /* $1: the batch's number; one row changes if the one before it is there */
	OWN_LAST_BATCH,
	OWN_TOUCH, /* writes a page and changes nothing */
	OWN_STATEMENTS_END
};

struct connection {
	sqlite3 *db; /* NULL: closed */
	sqlite3_stmt *statements[OWN_STATEMENTS_END];
};

extern const struct store_dialect sqlite_dialect;

/* RC_IO. On failure the connection is closed. */
enum rc connection_open(struct connection *c, const char *path, const char *vfs, enum connection_role role,
			struct err *e) MUST_CHECK;
void connection_close(struct connection *c);

/* These return SQLite's (extended) result: SQLITE_OK, or an error for connection_error. */
int connection_exec(struct connection *c, const char *sql) MUST_CHECK;
/* s: enum store_statement or enum own_statement. Binds; the next call is connection_step. */
int connection_bind(struct connection *c, unsigned s, const struct store_value *values, size_t count,
		    sqlite3_stmt **out) MUST_CHECK;
/* To its end, without rows: a write. */
int connection_run(struct connection *c, unsigned s, const struct store_value *values, size_t count) MUST_CHECK;
/* The only column of the only row of a statement without parameters. */
int connection_integer(struct connection *c, unsigned s, int64_t *out) MUST_CHECK;

struct store_value connection_column(sqlite3_stmt *statement, int column);

/* Fills e with class rc and what the result means; returns rc. */
enum rc connection_error(struct connection *c, enum rc rc, int result, const char *doing, struct err *e);
/* After a sync that failed the page cache may show what the disk lacks. */
bool connection_is_sync_error(int result);

#endif
