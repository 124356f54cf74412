/*
 * One batch, one transaction.
 *
 * What an error means depends on where it comes from. Before COMMIT the transaction is rolled back: nothing of it was
 * committed, and frames that a large batch spilled into the WAL have no commit mark and are overwritten (RC_IO). From
 * COMMIT, from a rollback, or from any sync (a large batch may sync a restarted WAL before its COMMIT) it means that
 * the batch is in doubt, and nothing more is written until sqlite_recover.
 *
 * The WAL's size is bounded here: a writer that finds it over WAL_BYTES_MAX ends the snapshots that pin it and
 * checkpoints before it begins.
 */
#include "store/sqlite/sqlite_store.h"

#include <assert.h>

bool sqlite_is_write_error(int result)
{
	return (result & 0xff) == SQLITE_FULL || result == SQLITE_IOERR_WRITE;
}

int sqlite_rollback(struct connection *c)
{
	/* Some errors have ended the transaction already. */
	if (sqlite3_get_autocommit(c->db))
		return SQLITE_OK;
	return connection_run(c, OWN_ROLLBACK, NULL, 0);
}

static enum rc abandon(struct sqlite_store *s, int result, const char *doing, struct err *e)
{
	enum rc rc = connection_is_sync_error(result) ? RC_UNKNOWN : RC_IO;

	connection_error(&s->writer, rc, result, doing, e);
	if (sqlite_rollback(&s->writer) != SQLITE_OK || !sqlite3_get_autocommit(s->writer.db))
		rc = RC_UNKNOWN;
	if (rc == RC_UNKNOWN) {
		s->doubt = DOUBT_FILES;
		if (e)
			e->rc = RC_UNKNOWN;
	}
	return rc;
}

static enum rc run_batch(struct sqlite_store *s, const struct store_batch *b, struct err *e)
{
	int64_t began = clock_mono_ns(s->clock);
	int result = connection_run(&s->writer, OWN_BEGIN, NULL, 0);

	if (result != SQLITE_OK)
		return abandon(s, result, "begin", e);
	result = connection_run(&s->writer, OWN_FENCE, &SV_INT(b->number), 1);
	if (result != SQLITE_OK)
		return abandon(s, result, "fence", e);
	if (sqlite3_changes(s->writer.db) != 1) {
		enum rc rc = abandon(s, SQLITE_OK, "fence", NULL);
		return rc == RC_UNKNOWN ? err_set(e, rc, "store_failed", "a rollback failed")
					: err_set(e, RC_DENIED, "batch_out_of_order",
						  "batch %lld does not follow the last one", (long long)b->number);
	}
	for (const struct store_write *w = b->first; w; w = w->next) {
		const struct store_sql *sql = store_statement_sql(w->statement);
		result = connection_run(&s->writer, w->statement, w->values, sql->parameters);
		if (result != SQLITE_OK)
			return abandon(s, result, sql->name, e);
	}
	s->base.times.write_ns = clock_mono_ns(s->clock) - began;
	result = connection_run(&s->writer, OWN_COMMIT, NULL, 0);
	if (result != SQLITE_OK) {
		connection_error(&s->writer, RC_UNKNOWN, result, "commit", e);
		s->doubt = sqlite_is_write_error(result) ? DOUBT_WRITE : DOUBT_FILES;
		if (sqlite_rollback(&s->writer) != SQLITE_OK)
			s->doubt = DOUBT_FILES;
		return RC_UNKNOWN;
	}
	s->last_batch = b->number;
	return RC_OK;
}

/* The writer is parked here, for as long as its busy timeout at most. */
static enum rc bound_wal(struct sqlite_store *s, struct err *e)
{
	int result;

	if (s->wal_bytes <= WAL_BYTES_MAX)
		return RC_OK;
	sqlite_readers_evict(s, 0);
	result = sqlite3_wal_checkpoint_v2(s->writer.db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
	if (result == SQLITE_OK) {
		s->wal_bytes = 0;
		return RC_OK;
	}
	if (connection_is_sync_error(result)) {
		s->doubt = DOUBT_FILES;
		return connection_error(&s->writer, RC_UNKNOWN, result, "checkpoint", e);
	}
	return err_set(e, RC_IO, "wal_full", "the WAL is at its limit and cannot be checkpointed: %s",
		       sqlite3_errmsg(s->writer.db));
}

enum rc sqlite_commit(struct store *base, const struct store_batch *b, struct err *e)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	int64_t began = clock_mono_ns(s->clock);
	enum rc rc;

	pthread_mutex_lock(&s->commit);
	s->base.times = (struct store_times){.wait_ns = clock_mono_ns(s->clock) - began};
	if (s->doubt != DOUBT_NONE) {
		rc = err_set(e, RC_UNKNOWN, "store_in_doubt", "an earlier commit is in doubt");
	} else {
		rc = bound_wal(s, e);
		if (rc == RC_OK)
			rc = run_batch(s, b, e);
	}
	pthread_mutex_unlock(&s->commit);
	return rc;
}
