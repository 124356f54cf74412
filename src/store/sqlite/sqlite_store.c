/*
 * Opening and closing, migrations, and the tools' way in.
 *
 * Whoever holds LOCK_TENANT in the lock file (an open file description lock: it goes with the process, and a second
 * open in the same process is refused too) is the one writer of batches; as a second fence every batch moves meta.batch
 * by one. A tool does not take the tenant. It opens the database for each write, under LOCK_FILES, so that it cannot
 * write into a file that a recovery is replacing.
 *
 * An open checkpoints the whole WAL before it believes it: had an earlier process died after a failed sync, the page
 * cache might show frames that the disk lacks, and commits behind them would be lost with them. The checkpoint writes
 * them anew.
 */
#include "store/sqlite/sqlite_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

bool sqlite_file_lock(int fd, enum file_lock lock, short type, bool wait)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = lock, .l_len = 1};
	int r;

	do
		r = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &l);
	while (r != 0 && errno == EINTR);
	return r == 0;
}

void sqlite_create_file(const char *path, mode_t mode)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	/* What fails here fails in SQLite's open, and is told there. */
	if (fd >= 0)
		close(fd);
}

enum rc sqlite_sync_directory(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	char *directory = slash ? strndup(path, n ? n : 1) : strdup(".");
	int fd, failed;

	assert(directory);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	failed = fd < 0 || fsync(fd) != 0;
	if (failed)
		err_set(e, RC_IO, "sync_failed", "sync of directory %s: %s", directory, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(directory);
	return failed ? RC_IO : RC_OK;
}

static int query_integer(sqlite3 *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *statement = NULL;
	int result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	*out = 0;
	if (result == SQLITE_OK) {
		result = sqlite3_step(statement);
		if (result == SQLITE_ROW)
			*out = sqlite3_column_int64(statement, 0);
		if (result == SQLITE_ROW || result == SQLITE_DONE)
			result = SQLITE_OK;
	}
	sqlite3_finalize(statement);
	return result;
}

/* 0: a new store. */
static int schema_version(sqlite3 *db, int64_t *version)
{
	int result = query_integer(db, "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'meta'", version);

	if (result != SQLITE_OK || *version == 0)
		return result;
	return query_integer(db, "SELECT value FROM meta WHERE name = 'schema'", version);
}

static int migrate_step(struct connection *c, const struct store_migration *m)
{
	struct buf sql;
	int result;

	buf_init(&sql, STORE_SQL_MAX);
	buf_add_z(&sql, "BEGIN IMMEDIATE;");
	store_sql_expand(&sql, m->sql, &sqlite_dialect);
	buf_add_z(&sql, "INSERT INTO meta (name, value) VALUES ('batch', 0) ON CONFLICT (name) DO NOTHING;"
			"INSERT INTO meta (name, value) VALUES ('schema', ");
	buf_add_int(&sql, m->version);
	buf_add_z(&sql, ") ON CONFLICT (name) DO UPDATE SET value = excluded.value; COMMIT");
	assert(buf_ok(&sql));
	result = connection_exec(c, sql.p);
	buf_done(&sql);
	return result;
}

static enum rc newer(int64_t version, struct err *e)
{
	return err_set(e, RC_CONFLICT, "store_is_newer", "the store's schema is version %lld, this program knows less",
		       (long long)version);
}

static enum rc migrate(struct connection *c, struct err *e)
{
	size_t count;
	const struct store_migration *m = store_migrations(&count);
	int64_t version;
	int result = schema_version(c->db, &version);

	if (result == SQLITE_OK && version > m[count - 1].version)
		return newer(version, e);
	for (size_t i = 0; i < count && result == SQLITE_OK; i++)
		if (m[i].version > version)
			result = migrate_step(c, &m[i]);
	if (result == SQLITE_OK)
		return RC_OK;
	connection_error(c, RC_IO, result, "migrate", e);
	sqlite_rollback(c);
	return RC_IO;
}

/* See the head of the file. */
static enum rc settle_wal(struct sqlite_store *s, struct err *e)
{
	int frames = -1, copied = -1;
	int result = sqlite3_wal_checkpoint_v2(s->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &frames, &copied);

	if (result == SQLITE_OK || (result == SQLITE_BUSY && frames >= 0 && frames == copied))
		return RC_OK;
	return connection_error(&s->writer, RC_IO, result, "checkpoint at the start", e);
}

static int note_wal(void *ctx, sqlite3 *db, const char *name, int frames)
{
	struct sqlite_store *s = ctx;

	(void)db;
	(void)name;
	s->wal_bytes = frames * (s->page_size + 24) + 32;
	s->wal_grew = true;
	return SQLITE_OK;
}

enum rc sqlite_open_connections(struct sqlite_store *s, struct err *e)
{
	enum rc rc = connection_open(&s->writer, s->path, s->vfs, CONNECTION_WRITER, e);
	int result;

	if (rc == RC_OK)
		rc = migrate(&s->writer, e);
	if (rc == RC_OK)
		rc = settle_wal(s, e);
	if (rc == RC_OK)
		rc = sqlite_sync_directory(s->path, e);
	if (rc == RC_OK)
		rc = connection_open(&s->checkpointer, s->path, s->vfs, CONNECTION_CHECKPOINTER, e);
	if (rc == RC_OK) {
		result = query_integer(s->writer.db, "PRAGMA page_size", &s->page_size);
		if (result == SQLITE_OK)
			result = connection_integer(&s->writer, OWN_LAST_BATCH, &s->last_batch);
		if (result != SQLITE_OK)
			rc = connection_error(&s->writer, RC_IO, result, "read the last batch", e);
	}
	if (rc != RC_OK) {
		connection_close(&s->checkpointer);
		connection_close(&s->writer);
		return rc;
	}
	s->wal_bytes = 0;
	sqlite3_wal_hook(s->writer.db, note_wal, s);
	return RC_OK;
}

static void store_free(struct sqlite_store *s)
{
	connection_close(&s->checkpointer);
	connection_close(&s->writer);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	pthread_mutex_destroy(&s->readers);
	pthread_mutex_destroy(&s->commit);
	pthread_mutex_destroy(&s->maintain);
	free(s->vfs);
	free(s->path);
	free(s);
}

/* Everything but the connections and the tenant's lock. */
static enum rc store_new(const struct store_options *o, struct sqlite_store **out, struct err *e)
{
	struct sqlite_store *s = calloc(1, sizeof(*s));
	struct buf name;

	assert(s);
	s->base.backend = &store_sqlite;
	s->path = strdup(o->url + strlen(store_sqlite.prefix));
	s->vfs = o->vfs ? strdup(o->vfs) : NULL;
	s->clock = o->clock ? o->clock : clock_system();
	assert(s->path && (s->vfs || !o->vfs));
	pthread_mutex_init(&s->maintain, NULL);
	pthread_mutex_init(&s->commit, NULL);
	pthread_mutex_init(&s->readers, NULL);
	buf_init(&name, STORE_SQL_MAX);
	buf_printf(&name, "%s.lock", s->path);
	s->lock_fd = buf_ok(&name) ? open(name.p, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	buf_done(&name);
	if (s->lock_fd < 0) {
		err_set(e, RC_IO, "store_failed", "lock file of %s: %s", s->path, strerror(errno));
		store_free(s);
		return RC_IO;
	}
	sqlite_create_file(s->path, 0600);
	*out = s;
	return RC_OK;
}

static enum rc take_tenant(struct sqlite_store *s, struct err *e)
{
	if (sqlite_file_lock(s->lock_fd, LOCK_TENANT, F_WRLCK, false))
		return RC_OK;
	return err_set(e, RC_CONFLICT, "store_in_use", "%s is open in another server", s->path);
}

static enum rc sqlite_open(const struct store_options *o, struct store **out, int64_t *last_batch, struct err *e)
{
	struct sqlite_store *s;
	enum rc rc = store_new(o, &s, e);

	if (rc != RC_OK)
		return rc;
	rc = take_tenant(s, e);
	if (rc == RC_OK) {
		sqlite_recover_tidy(s);
		rc = sqlite_open_connections(s, e);
	}
	if (rc != RC_OK) {
		store_free(s);
		return rc;
	}
	*last_batch = s->last_batch;
	*out = &s->base;
	return RC_OK;
}

static void sqlite_close(struct store *base)
{
	struct sqlite_store *s = (struct sqlite_store *)base;

	assert(!s->reader_list);
	/* Only tidiness: what it does not do, the next open does. */
	if (s->writer.db && s->doubt == DOUBT_NONE)
		sqlite3_wal_checkpoint_v2(s->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	store_free(s);
}

/* A missing store is created, and an older one migrated if no server has it. */
static enum rc tool_prepare(struct sqlite_store *s, struct connection *c, struct err *e)
{
	size_t count;
	const struct store_migration *m = store_migrations(&count);
	int64_t version;
	int result = schema_version(c->db, &version);
	enum rc rc;

	if (result != SQLITE_OK)
		return connection_error(c, RC_IO, result, "read the schema's version", e);
	if (version > m[count - 1].version)
		return newer(version, e);
	if (version == m[count - 1].version)
		return RC_OK;
	rc = take_tenant(s, e);
	if (rc != RC_OK)
		return rc;
	rc = migrate(c, e);
	sqlite_file_lock(s->lock_fd, LOCK_TENANT, F_UNLCK, false);
	return rc;
}

/* c is open and the files' lock held only after RC_OK. */
static enum rc tool_begin(struct sqlite_store *s, struct connection *c, struct err *e)
{
	enum rc rc;

	if (!sqlite_file_lock(s->lock_fd, LOCK_FILES, F_RDLCK, true))
		return err_set(e, RC_IO, "store_failed", "lock of %s: %s", s->path, strerror(errno));
	rc = connection_open(c, s->path, s->vfs, CONNECTION_WRITER, e);
	if (rc == RC_OK) {
		rc = tool_prepare(s, c, e);
		if (rc != RC_OK)
			connection_close(c);
	}
	if (rc != RC_OK)
		sqlite_file_lock(s->lock_fd, LOCK_FILES, F_UNLCK, false);
	return rc;
}

static void tool_end(struct sqlite_store *s, struct connection *c)
{
	connection_close(c);
	sqlite_file_lock(s->lock_fd, LOCK_FILES, F_UNLCK, false);
}

static enum rc sqlite_tool_open(const struct store_options *o, struct store **out, struct err *e)
{
	struct sqlite_store *s;
	struct connection c;
	enum rc rc = store_new(o, &s, e);

	if (rc != RC_OK)
		return rc;
	rc = tool_begin(s, &c, e);
	if (rc != RC_OK) {
		store_free(s);
		return rc;
	}
	tool_end(s, &c);
	*out = &s->base;
	return RC_OK;
}

static enum rc sqlite_tool_write(struct store *base, enum store_statement w, const struct store_value *values,
				 size_t count, struct err *e)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	struct connection c;
	enum rc rc = tool_begin(s, &c, e);
	int result;

	if (rc != RC_OK)
		return rc;
	result = connection_run(&c, OWN_BEGIN, NULL, 0);
	if (result == SQLITE_OK)
		result = connection_run(&c, w, values, count);
	if (result != SQLITE_OK) {
		rc = connection_error(&c, RC_IO, result, store_statement_sql(w)->name, e);
		sqlite_rollback(&c);
	} else {
		result = connection_run(&c, OWN_COMMIT, NULL, 0);
		if (result != SQLITE_OK)
			rc = connection_error(&c, RC_UNKNOWN, result, "commit", e);
	}
	tool_end(s, &c);
	return rc;
}

const struct store_backend store_sqlite = {
    .prefix = "sqlite:",
    .open = sqlite_open,
    .close = sqlite_close,
    .commit = sqlite_commit,
    .recover = sqlite_recover,
    .maintain = sqlite_maintain,
    .reader_open = sqlite_reader_open,
    .reader_close = sqlite_reader_close,
    .reader_begin = sqlite_reader_begin,
    .reader_end = sqlite_reader_end,
    .read = sqlite_read,
    .tool_open = sqlite_tool_open,
    .tool_write = sqlite_tool_write,
};
