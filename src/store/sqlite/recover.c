/*
 * After a commit in doubt: which batch is the last, and files that can be trusted again.
 *
 * If COMMIT could not write (a full disk), the frame that carries the commit mark is not in the WAL, no sync has
 * failed, and what was there before is as good as it was: the connection itself says so.
 *
 * Otherwise the kernel may show pages that are not on the disk and that no later sync will write. So database and WAL
 * are copied, as they are seen now, to new files; these are synced and take the old names, and SQLite recovers them as
 * after a crash: the batch in doubt is in the WAL as a whole or not at all. Everything that was acknowledged is on the
 * disk in the old files as well as in the new ones, so a crash between the two renames loses nothing; it can only
 * change the fate of the batch in doubt, of which nobody has been told yet.
 *
 * Rejected: to sync again, or to reopen only. Both believe the page cache.
 */
#include "store/sqlite/sqlite_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES ((int)1024 * 1024)

struct names {
	char *wal, *shm, *new_database, *new_wal;
};

static char *joined(const char *path, const char *suffix)
{
	size_t n = strlen(path) + strlen(suffix) + 1;
	char *name = malloc(n);

	assert(name);
	snprintf(name, n, "%s%s", path, suffix);
	return name;
}

static void names_init(struct names *n, const char *path)
{
	n->wal = joined(path, "-wal");
	n->shm = joined(path, "-shm");
	n->new_database = joined(path, "-recover");
	n->new_wal = joined(path, "-recover-wal");
}

static void names_done(struct names *n)
{
	free(n->wal);
	free(n->shm);
	free(n->new_database);
	free(n->new_wal);
}

struct vfs_file {
	sqlite3_file *file;
	sqlite3_filename name;
};

static int vfs_open(sqlite3_vfs *vfs, const char *path, int flags, struct vfs_file *out)
{
	int result;

	out->name = sqlite3_create_filename(path, "", "", 0, NULL);
	out->file = calloc(1, (size_t)vfs->szOsFile);
	assert(out->name && out->file);
	result = vfs->xOpen(vfs, out->name, out->file, flags | SQLITE_OPEN_MAIN_DB, NULL);
	if (result == SQLITE_OK)
		return SQLITE_OK;
	free(out->file);
	sqlite3_free_filename(out->name);
	return result;
}

static void vfs_close(struct vfs_file *f)
{
	f->file->pMethods->xClose(f->file);
	free(f->file);
	sqlite3_free_filename(f->name);
}

static int copy_content(sqlite3_file *from, sqlite3_file *to)
{
	char *chunk = malloc(COPY_BYTES);
	sqlite3_int64 size = 0;
	int result = from->pMethods->xFileSize(from, &size);

	assert(chunk);
	for (sqlite3_int64 at = 0; at < size && result == SQLITE_OK; at += COPY_BYTES) {
		int n = size - at < COPY_BYTES ? (int)(size - at) : COPY_BYTES;
		result = from->pMethods->xRead(from, chunk, n, at);
		if (result == SQLITE_OK)
			result = to->pMethods->xWrite(to, chunk, n, at);
	}
	free(chunk);
	return result == SQLITE_OK ? to->pMethods->xSync(to, SQLITE_SYNC_FULL) : result;
}

/* Through the VFS, which knows how its own locks and caches want to be treated. */
static int copy_file(sqlite3_vfs *vfs, const char *from, const char *to)
{
	struct vfs_file source, target;
	struct stat st;
	int result = vfs_open(vfs, from, SQLITE_OPEN_READWRITE, &source);

	if (result != SQLITE_OK)
		return result;
	if (stat(from, &st) == 0)
		sqlite_create_file(to, st.st_mode & 0777);
	result = vfs_open(vfs, to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &target);
	if (result == SQLITE_OK) {
		result = copy_content(source.file, target.file);
		vfs_close(&target);
	}
	vfs_close(&source);
	return result;
}

static enum rc copy_files(const struct sqlite_store *s, const struct names *n, struct err *e)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(s->vfs);
	int result;

	assert(vfs);
	sqlite_recover_tidy(s);
	result = copy_file(vfs, s->path, n->new_database);
	/* Without a WAL there is nothing in it. */
	if (result == SQLITE_OK && access(n->wal, F_OK) == 0)
		result = copy_file(vfs, n->wal, n->new_wal);
	if (result != SQLITE_OK)
		return err_set(e, RC_IO, (result & 0xff) == SQLITE_FULL ? "disk_full" : "recover_failed",
			       "copy of %s: %s (SQLite %d)", s->path, sqlite3_errstr(result), result);
	return sqlite_sync_directory(s->path, e);
}

static enum rc swap_files(const struct sqlite_store *s, const struct names *n, struct err *e)
{
	/* The index of the old WAL must not be found by the new one; old readers keep theirs open. */
	if ((unlink(n->shm) != 0 && errno != ENOENT) || (rename(n->new_wal, n->wal) != 0 && errno != ENOENT) ||
	    rename(n->new_database, s->path) != 0)
		return err_set(e, RC_IO, "recover_failed", "replace %s: %s", s->path, strerror(errno));
	return sqlite_sync_directory(s->path, e);
}

void sqlite_recover_tidy(const struct sqlite_store *s)
{
	struct names n;

	names_init(&n, s->path);
	unlink(n.new_database);
	unlink(n.new_wal);
	names_done(&n);
}

/* Under the locks maintain and commit. May be repeated after any failure. */
static enum rc replace_files(struct sqlite_store *s, struct err *e)
{
	struct names n;
	enum rc rc;

	names_init(&n, s->path);
	connection_close(&s->checkpointer);
	connection_close(&s->writer);
	if (!sqlite_file_lock(s->lock_fd, LOCK_FILES, F_WRLCK, true)) {
		names_done(&n);
		return err_set(e, RC_IO, "recover_failed", "lock of %s: %s", s->path, strerror(errno));
	}
	pthread_mutex_lock(&s->readers);
	rc = copy_files(s, &n, e);
	if (rc == RC_OK) {
		rc = swap_files(s, &n, e);
		s->generation++;
	}
	pthread_mutex_unlock(&s->readers);
	sqlite_file_lock(s->lock_fd, LOCK_FILES, F_UNLCK, false);
	names_done(&n);
	return rc == RC_OK ? sqlite_open_connections(s, e) : rc;
}

/* See the head of the file. */
static enum rc overwrite_torn(struct sqlite_store *s, struct err *e)
{
	int64_t batch = -1;
	int result = connection_run(&s->writer, OWN_BEGIN, NULL, 0);

	if (result == SQLITE_OK)
		result = connection_run(&s->writer, OWN_TOUCH, NULL, 0);
	if (result == SQLITE_OK)
		result = connection_run(&s->writer, OWN_COMMIT, NULL, 0);
	if (result == SQLITE_OK)
		result = connection_integer(&s->writer, OWN_LAST_BATCH, &batch);
	if (result == SQLITE_OK && batch == s->last_batch) {
		s->doubt = DOUBT_NONE;
		return RC_OK;
	}
	connection_error(&s->writer, RC_IO, result, "recover", e);
	if (sqlite_rollback(&s->writer) != SQLITE_OK || !sqlite_is_write_error(result))
		s->doubt = DOUBT_FILES;
	return RC_IO;
}

static enum rc recover_locked(struct sqlite_store *s, struct err *e)
{
	enum rc rc;

	if (s->doubt == DOUBT_NONE)
		return RC_OK;
	if (s->doubt == DOUBT_WRITE) {
		struct err first = ERR_NONE;
		rc = overwrite_torn(s, &first);
		if (s->doubt != DOUBT_FILES)
			return rc == RC_OK ? RC_OK : err_set(e, rc, first.code, "%s", first.detail);
	}
	rc = replace_files(s, e);
	if (rc == RC_OK)
		s->doubt = DOUBT_NONE;
	return rc;
}

enum rc sqlite_recover(struct store *base, int64_t *last_batch, struct err *e)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	enum rc rc;

	pthread_mutex_lock(&s->maintain);
	pthread_mutex_lock(&s->commit);
	rc = recover_locked(s, e);
	*last_batch = s->last_batch;
	pthread_mutex_unlock(&s->commit);
	pthread_mutex_unlock(&s->maintain);
	return rc;
}
