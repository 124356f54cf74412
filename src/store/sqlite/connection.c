#include "store/sqlite/connection.h"

#include "store/sqlite/joined_vfs.h"

#include <assert.h>
#include <pthread.h>

#define BUSY_WRITER_MS 2000
#define BUSY_READER_MS 5000
/* Truncates the WAL file when it restarts after a burst. */
#define WAL_KEEP_BYTES "67108864"

const struct store_dialect sqlite_dialect = {
    .schema = "",
    .index = "",
    .rowid = "INTEGER PRIMARY KEY",
    .blob = "BLOB",
    .without_rowid = "WITHOUT ROWID",
    .parameter = '?', /* $1 would be a name, ?1 is an index */
};

static const char *const own_statements[] = {
    [OWN_BEGIN - STORE_STATEMENTS] = "BEGIN IMMEDIATE",
    [OWN_BEGIN_READ - STORE_STATEMENTS] = "BEGIN",
    [OWN_COMMIT - STORE_STATEMENTS] = "COMMIT",
    [OWN_ROLLBACK - STORE_STATEMENTS] = "ROLLBACK",
    [OWN_FENCE - STORE_STATEMENTS] = "UPDATE meta SET value = $1 WHERE name = 'batch' AND value = $1 - 1",
    [OWN_LAST_BATCH - STORE_STATEMENTS] = "SELECT value FROM meta WHERE name = 'batch'",
    [OWN_TOUCH - STORE_STATEMENTS] = "UPDATE meta SET value = value WHERE name = 'batch'",
};

static const char *const role_pragmas[] = {
    /* page_size counts only while the database is new. */
    [CONNECTION_WRITER] = ("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			   "PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = OFF; PRAGMA mmap_size = 0;"
			   "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;"
			   "PRAGMA journal_size_limit = " WAL_KEEP_BYTES),
    /* The first read makes its checkpoints work: before it they are silent no-ops. */
    [CONNECTION_CHECKPOINTER] = ("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -256;"
				 "SELECT COUNT(*) FROM sqlite_schema"),
    [CONNECTION_READER] = "PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -4096",
};

/* Nobody asks SQLite how much memory it uses; counting costs a process-wide lock at each allocation. In a program that
 * has used SQLite before it comes too late, and changes nothing. */
static void count_no_memory(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int configure(struct connection *c, enum connection_role role)
{
	int result = sqlite3_extended_result_codes(c->db, 1);

	/* A close never checkpoints: only store_maintain and a clean store_close do. */
	if (result == SQLITE_OK)
		result = sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_busy_timeout(c->db, role == CONNECTION_WRITER   ? BUSY_WRITER_MS
						     : role == CONNECTION_READER ? BUSY_READER_MS
										 : 0);
	return result == SQLITE_OK ? connection_exec(c, role_pragmas[role]) : result;
}

/* A file system without shared memory refuses WAL silently. */
static bool is_wal(struct connection *c)
{
	sqlite3_stmt *statement = NULL;
	bool wal = sqlite3_prepare_v2(c->db, "PRAGMA journal_mode", -1, &statement, NULL) == SQLITE_OK &&
		   sqlite3_step(statement) == SQLITE_ROW &&
		   strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;

	sqlite3_finalize(statement);
	return wal;
}

enum rc connection_open(struct connection *c, const char *path, const char *vfs, enum connection_role role,
			struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
	int result;

	pthread_once(&once, count_no_memory);
	*c = (struct connection){0};
	if (role == CONNECTION_WRITER) {
		flags |= SQLITE_OPEN_CREATE;
		vfs = joined_vfs(vfs);
		assert(vfs);
	}
	result = sqlite3_open_v2(path, &c->db, flags, vfs);
	assert(c->db);
	if (result == SQLITE_OK)
		result = configure(c, role);
	if (result != SQLITE_OK) {
		connection_error(c, RC_IO, result, "open", e);
		connection_close(c);
		return RC_IO;
	}
	if (role == CONNECTION_WRITER && !is_wal(c)) {
		connection_close(c);
		return err_set(e, RC_IO, "store_failed", "the file system of %s cannot hold a WAL", path);
	}
	return RC_OK;
}

void connection_close(struct connection *c)
{
	if (!c->db)
		return;
	for (size_t i = 0; i < OWN_STATEMENTS_END; i++)
		sqlite3_finalize(c->statements[i]);
	int result = sqlite3_close(c->db);
	assert(result == SQLITE_OK);
	*c = (struct connection){0};
}

int connection_exec(struct connection *c, const char *sql)
{
	int result = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

	return result == SQLITE_OK ? SQLITE_OK : sqlite3_extended_errcode(c->db);
}

static int prepare(struct connection *c, unsigned s)
{
	const char *template =
	    s < STORE_STATEMENTS ? store_statement_sql(s)->sql : own_statements[s - STORE_STATEMENTS];
	struct buf sql;
	int result;

	buf_init(&sql, STORE_SQL_MAX);
	store_sql_expand(&sql, template, &sqlite_dialect);
	result = sqlite3_prepare_v3(c->db, sql.p, -1, SQLITE_PREPARE_PERSISTENT, &c->statements[s], NULL);
	buf_done(&sql);
	if (result == SQLITE_OK && s < STORE_STATEMENTS) {
		assert(sqlite3_bind_parameter_count(c->statements[s]) == store_statement_sql(s)->parameters);
		assert(sqlite3_column_count(c->statements[s]) == store_statement_sql(s)->columns);
	}
	return result;
}

static int bind(sqlite3_stmt *statement, int index, const struct store_value *v)
{
	const char *bytes = v->bytes.p ? v->bytes.p : ""; /* a NULL pointer would bind NULL */

	switch (v->type) {
	case STORE_NULL:
		return sqlite3_bind_null(statement, index);
	case STORE_INT:
		return sqlite3_bind_int64(statement, index, v->integer);
	case STORE_TEXT:
		return sqlite3_bind_text64(statement, index, bytes, v->bytes.n, SQLITE_STATIC, SQLITE_UTF8);
	case STORE_BLOB:
		return sqlite3_bind_blob64(statement, index, bytes, v->bytes.n, SQLITE_STATIC);
	}
	assert(!"value type");
	return SQLITE_MISUSE;
}

int connection_bind(struct connection *c, unsigned s, const struct store_value *values, size_t count,
		    sqlite3_stmt **out)
{
	int result = c->statements[s] ? SQLITE_OK : prepare(c, s);

	for (size_t i = 0; i < count && result == SQLITE_OK; i++)
		result = bind(c->statements[s], (int)i + 1, &values[i]);
	*out = c->statements[s];
	return result;
}

int connection_run(struct connection *c, unsigned s, const struct store_value *values, size_t count)
{
	sqlite3_stmt *statement;
	int result = connection_bind(c, s, values, count, &statement);

	if (result != SQLITE_OK)
		return result;
	result = sqlite3_step(statement);
	assert(result != SQLITE_ROW);
	/* Of a step that failed it returns the error again. */
	sqlite3_reset(statement);
	return result == SQLITE_DONE ? SQLITE_OK : result;
}

int connection_integer(struct connection *c, unsigned s, int64_t *out)
{
	sqlite3_stmt *statement;
	int result = connection_bind(c, s, NULL, 0, &statement);

	if (result != SQLITE_OK)
		return result;
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW) {
		*out = sqlite3_column_int64(statement, 0);
		result = SQLITE_OK;
	} else if (result == SQLITE_DONE) {
		result = SQLITE_CORRUPT;
	}
	sqlite3_reset(statement);
	return result;
}

struct store_value connection_column(sqlite3_stmt *statement, int column)
{
	struct store_value v = {0};
	const void *p;

	switch (sqlite3_column_type(statement, column)) {
	case SQLITE_INTEGER:
		return SV_INT(sqlite3_column_int64(statement, column));
	case SQLITE_TEXT:
		v.type = STORE_TEXT;
		p = sqlite3_column_text(statement, column);
		break;
	case SQLITE_BLOB:
		v.type = STORE_BLOB;
		p = sqlite3_column_blob(statement, column);
		break;
	case SQLITE_NULL:
		return SV_NULL;
	default:
		assert(!"no statement yields a floating-point number");
		return SV_NULL;
	}
	v.bytes = (struct str){p ? p : "", (size_t)sqlite3_column_bytes(statement, column)};
	return v;
}

enum rc connection_error(struct connection *c, enum rc rc, int result, const char *doing, struct err *e)
{
	const char *code = "store_failed";

	switch (result & 0xff) {
	case SQLITE_FULL:
		code = "disk_full";
		break;
	case SQLITE_CONSTRAINT:
		code = "constraint";
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		code = "store_busy";
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		code = "store_damaged";
		break;
	case SQLITE_IOERR:
		code = connection_is_sync_error(result) ? "sync_failed" : "disk_error";
		break;
	}
	return err_set(e, rc, code, "%s: %s (SQLite %d)", doing, sqlite3_errmsg(c->db), result);
}

bool connection_is_sync_error(int result)
{
	return result == SQLITE_IOERR_FSYNC || result == SQLITE_IOERR_DIR_FSYNC;
}
