/*
 * Keeping the WAL small beside the commits.
 *
 * A passive checkpoint runs beside the writer, but while commits go on it is never quite done, and the WAL restarts
 * from its beginning only at the first write after everything has been copied. So once only a small gap is left the
 * writer is held, the gap is copied, and the WAL's next write restarts it. A reader whose snapshot is older than the
 * WAL's end prevents that; it is waited for briefly and, when the WAL has grown large, snapshots that are too old are
 * ended.
 *
 * A sync that fails here puts the store in doubt like one in a commit: after it the page cache shows what the disk
 * lacks.
 */
#include "store/sqlite/sqlite_store.h"

#include <assert.h>
#include <sys/stat.h>

/* The writer is held for copying at most so much. */
#define GAP_BYTES ((int64_t)2 * 1024 * 1024)
/* A smaller WAL is not worth holding the writer for. */
#define RESTART_BYTES ((int64_t)4 * 1024 * 1024)
/* How long the writer is held for short readers to finish. */
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

static enum rc close_gap(struct sqlite_store *s, struct err *e)
{
	int frames = -1, copied = -1;
	enum rc rc = RC_OK;

	pthread_mutex_lock(&s->commit);
	if (s->doubt == DOUBT_NONE) {
		sqlite3_busy_timeout(s->checkpointer.db, READERS_WAIT_MS);
		rc = checkpoint(s, SQLITE_CHECKPOINT_RESTART, &frames, &copied, e);
		sqlite3_busy_timeout(s->checkpointer.db, 0);
	}
	pthread_mutex_unlock(&s->commit);
	return rc;
}

static enum rc upkeep(struct sqlite_store *s, struct err *e)
{
	int frames = -1, copied = -1;
	int64_t frame = s->page_size + 24;
	enum rc rc;

	if (s->doubt != DOUBT_NONE)
		return err_set(e, RC_IO, "store_in_doubt", "a commit is in doubt");
	if (s->wal_bytes > WAL_BYTES_LARGE)
		sqlite_readers_evict(s, SNAPSHOT_AGE_MAX_MS);
	rc = checkpoint(s, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied, e);
	if (rc != RC_OK || frames * frame < RESTART_BYTES || (frames - copied) * frame > GAP_BYTES)
		return rc;
	return close_gap(s, e);
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
