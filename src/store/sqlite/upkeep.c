/*
 * Keeping the WAL small beside the commits.
 *
 * A passive checkpoint runs beside the writer, but while commits go on it is never quite done, and the WAL restarts
 * from its beginning only at the first write after everything has been copied. So once only a small gap is left the
 * writer is held, the gap is copied, and the WAL's next write restarts it.
 *
 * What the writer waits for then must be short. The last step syncs the database, and a sync takes as long as there are
 * unsynced pages: so they are synced before, beside the commits, and what came in meanwhile is copied and synced
 * again, until both are small. A reader whose snapshot is older than the WAL's end prevents the restart; the writer
 * does not wait for it, and the next call tries again. Only when the WAL has grown large are readers waited for,
 * briefly, and snapshots that are too old ended.
 *
 * A sync that fails here puts the store in doubt like one in a commit: after it the page cache shows what the disk
 * lacks.
 */
#include "store/sqlite/sqlite_store.h"

#include <assert.h>
#include <sys/stat.h>

/* The writer is held for copying so much, or, when PASSES do not get there, at most GAP_BYTES_MAX. */
#define GAP_BYTES     ((int64_t)256 * 1024)
#define GAP_BYTES_MAX ((int64_t)2 * 1024 * 1024)
#define PASSES        4
/* A smaller WAL is left alone: a page that is written again and again is copied and synced once. */
#define RESTART_BYTES ((int64_t)8 * 1024 * 1024)
/* How long the writer is held for short readers to finish, when the WAL is large. */
#define READERS_WAIT_MS 10

static enum rc checkpoint(struct sqlite_store *s, int mode, int *frames, int *copied, struct err *e)
{
	int result = sqlite3_wal_checkpoint_v2(s->checkpointer.db, NULL, mode, frames, copied);

	if (result == SQLITE_OK || (result & 0xff) == SQLITE_BUSY || (result & 0xff) == SQLITE_LOCKED)
		return RC_OK;
	if (connection_is_sync_error(result))
		s->doubt = DOUBT_FILES;
	return connection_error(&s->checkpointer, RC_IO, result, "checkpoint", e);
}

/* Of the database file, beside the commits. */
static enum rc sync_database(struct sqlite_store *s, struct err *e)
{
	sqlite3_file *file = NULL;
	int result = sqlite3_file_control(s->checkpointer.db, "main", SQLITE_FCNTL_FILE_POINTER, &file);

	if (result == SQLITE_OK)
		result = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
	if (result == SQLITE_OK)
		return RC_OK;
	s->doubt = DOUBT_FILES;
	return err_set(e, RC_IO, "sync_failed", "sync of the database beside the commits (SQLite %d)", result);
}

static enum rc close_gap(struct sqlite_store *s, struct err *e)
{
	bool large = s->wal_bytes > WAL_BYTES_LARGE;
	int frames = -1, copied = -1;
	enum rc rc = RC_OK;

	pthread_mutex_lock(&s->commit);
	if (s->doubt == DOUBT_NONE) {
		sqlite3_busy_timeout(s->checkpointer.db, large ? READERS_WAIT_MS : 0);
		rc = checkpoint(s, large ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, &frames, &copied, e);
		sqlite3_busy_timeout(s->checkpointer.db, 0);
		if (rc == RC_OK && frames >= 0 && copied == frames)
			s->wal_grew = false;
	}
	pthread_mutex_unlock(&s->commit);
	return rc;
}

static enum rc upkeep(struct sqlite_store *s, struct err *e)
{
	int64_t frame = s->page_size + 24, gap = INT64_MAX;
	enum rc rc = RC_OK;

	if (s->doubt != DOUBT_NONE)
		return err_set(e, RC_IO, "store_in_doubt", "a commit is in doubt");
	if (s->wal_bytes > WAL_BYTES_LARGE)
		sqlite_readers_evict(s, SNAPSHOT_AGE_MAX_MS);
	if (!s->wal_grew || s->wal_bytes < RESTART_BYTES)
		return RC_OK;
	for (int pass = 0; pass < PASSES && gap > GAP_BYTES; pass++) {
		int frames = -1, copied = -1;

		rc = checkpoint(s, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied, e);
		if (rc == RC_OK)
			rc = sync_database(s, e);
		if (rc != RC_OK)
			return rc;
		gap = s->wal_bytes - copied * frame;
	}
	return gap <= GAP_BYTES_MAX ? close_gap(s, e) : RC_OK;
}

static int64_t file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

enum rc sqlite_maintain(struct store *base, struct store_stats *stats, struct err *e)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	struct buf name;
	enum rc rc;

	pthread_mutex_lock(&s->maintain);
	rc = upkeep(s, e);
	pthread_mutex_unlock(&s->maintain);
	buf_init(&name, STORE_SQL_MAX);
	buf_printf(&name, "%s-wal", s->path);
	assert(buf_ok(&name));
	stats->wal_bytes = file_size(name.p);
	stats->bytes = file_size(s->path) + stats->wal_bytes;
	buf_done(&name);
	return rc;
}
