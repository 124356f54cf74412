/*
 * Readers: each on a connection of its own, so that it sees a snapshot and never waits for the writer.
 *
 * A snapshot pins the WAL. Upkeep and a parked writer end those that are too old: an idle one is rolled back under the
 * reader's mutex, one inside a read is interrupted and rolls itself back. The reader is then told RC_RETRY
 * "snapshot_too_old" by everything it does until store_reader_end.
 *
 * A recovery replaces the files; a reader outside a snapshot notices it by the generation and opens the new ones.
 */
#include "store/sqlite/sqlite_store.h"

#include <assert.h>
#include <stdlib.h>

static void unlink_reader(struct sqlite_store *s, struct sqlite_reader *r)
{
	struct sqlite_reader **at = &s->reader_list;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
}

/* Under the readers' lock: an eviction may not meet a connection that is being replaced. */
static enum rc reopen(struct sqlite_reader *r, struct err *e)
{
	struct sqlite_store *s = r->store;
	enum rc rc;

	pthread_mutex_lock(&s->readers);
	connection_close(&r->connection);
	r->generation = s->generation;
	rc = connection_open(&r->connection, s->path, s->vfs, CONNECTION_READER, e);
	pthread_mutex_unlock(&s->readers);
	return rc;
}

enum rc sqlite_reader_open(struct store *base, struct store_reader **out, struct err *e)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	struct sqlite_reader *r = calloc(1, sizeof(*r));
	enum rc rc;

	assert(r);
	r->base.backend = &store_sqlite;
	r->store = s;
	pthread_mutex_init(&r->mutex, NULL);
	rc = reopen(r, e);
	if (rc != RC_OK) {
		pthread_mutex_destroy(&r->mutex);
		free(r);
		return rc;
	}
	pthread_mutex_lock(&s->readers);
	r->next = s->reader_list;
	s->reader_list = r;
	pthread_mutex_unlock(&s->readers);
	*out = &r->base;
	return RC_OK;
}

void sqlite_reader_close(struct store_reader *base)
{
	struct sqlite_reader *r = (struct sqlite_reader *)base;
	struct sqlite_store *s = r->store;

	pthread_mutex_lock(&s->readers);
	unlink_reader(s, r);
	pthread_mutex_unlock(&s->readers);
	connection_close(&r->connection);
	pthread_mutex_destroy(&r->mutex);
	free(r);
}

static enum rc too_old(struct err *e)
{
	return err_set(e, RC_RETRY, "snapshot_too_old",
		       "the snapshot was ended because it kept the WAL from restarting");
}

/* The reader's mutex is held. */
static void drop_snapshot(struct sqlite_reader *r)
{
	sqlite_rollback(&r->connection);
	r->since_ns = 0;
	r->evict = false;
	r->lost = r->snapshot;
}

/* Before anything is read outside a snapshot. */
static enum rc refresh(struct sqlite_reader *r, struct err *e)
{
	if (r->connection.db && r->generation == r->store->generation)
		return RC_OK;
	return reopen(r, e);
}

static enum rc begin_locked(struct sqlite_reader *r, struct err *e)
{
	int64_t batch;
	enum rc rc = refresh(r, e);
	int result;

	if (rc != RC_OK)
		return rc;
	r->evict = false;
	r->since_ns = clock_mono_ns(r->store->clock);
	result = connection_run(&r->connection, OWN_BEGIN_READ, NULL, 0);
	/* The snapshot is taken by the first read. */
	if (result == SQLITE_OK)
		result = connection_integer(&r->connection, OWN_LAST_BATCH, &batch);
	if (result != SQLITE_OK) {
		rc = connection_error(&r->connection, RC_IO, result, "begin a snapshot", e);
		drop_snapshot(r);
		return rc;
	}
	r->snapshot = true;
	r->lost = false;
	return RC_OK;
}

enum rc sqlite_reader_begin(struct store_reader *base, struct err *e)
{
	struct sqlite_reader *r = (struct sqlite_reader *)base;
	enum rc rc;

	pthread_mutex_lock(&r->mutex);
	assert(!r->snapshot);
	rc = begin_locked(r, e);
	pthread_mutex_unlock(&r->mutex);
	return rc;
}

void sqlite_reader_end(struct store_reader *base)
{
	struct sqlite_reader *r = (struct sqlite_reader *)base;

	pthread_mutex_lock(&r->mutex);
	r->snapshot = false;
	if (r->connection.db)
		drop_snapshot(r);
	pthread_mutex_unlock(&r->mutex);
}

static enum rc visit(sqlite3_stmt *statement, store_row_fn row, void *ctx, int *result)
{
	struct store_value columns[STORE_VALUES_MAX];
	int count = sqlite3_column_count(statement);
	enum rc rc = RC_OK;

	while (rc == RC_OK && (*result = sqlite3_step(statement)) == SQLITE_ROW) {
		for (int i = 0; i < count; i++)
			columns[i] = connection_column(statement, i);
		rc = row(ctx, columns, (size_t)count);
	}
	if (*result == SQLITE_ROW || *result == SQLITE_DONE)
		*result = SQLITE_OK;
	/* The values are the caller's and end with this call. */
	sqlite3_reset(statement);
	return rc;
}

static enum rc read_locked(struct sqlite_reader *r, enum store_statement s, const struct store_value *args,
			   size_t count, store_row_fn row, void *ctx, struct err *e)
{
	sqlite3_stmt *statement;
	enum rc rc = RC_OK;
	int result;

	if (r->lost)
		return too_old(e);
	if (!r->snapshot) {
		rc = refresh(r, e);
		if (rc != RC_OK)
			return rc;
		r->evict = false;
		r->since_ns = clock_mono_ns(r->store->clock);
	}
	result = connection_bind(&r->connection, s, args, count, &statement);
	if (result == SQLITE_OK)
		rc = visit(statement, row, ctx, &result);
	if (rc == RC_OK && result != SQLITE_OK)
		rc = result == SQLITE_INTERRUPT
			 ? too_old(e)
			 : connection_error(&r->connection, RC_IO, result, store_statement_sql(s)->name, e);
	if (r->snapshot && r->evict)
		drop_snapshot(r);
	if (!r->snapshot)
		r->since_ns = 0;
	return rc;
}

enum rc sqlite_read(struct store_reader *base, enum store_statement s, const struct store_value *args, size_t count,
		    store_row_fn row, void *ctx, struct err *e)
{
	struct sqlite_reader *r = (struct sqlite_reader *)base;
	enum rc rc;

	pthread_mutex_lock(&r->mutex);
	rc = read_locked(r, s, args, count, row, ctx, e);
	pthread_mutex_unlock(&r->mutex);
	return rc;
}

static void evict(struct sqlite_reader *r)
{
	r->evict = true;
	if (pthread_mutex_trylock(&r->mutex) != 0) {
		sqlite3_interrupt(r->connection.db);
		return;
	}
	if (r->snapshot && !r->lost)
		drop_snapshot(r);
	pthread_mutex_unlock(&r->mutex);
}

void sqlite_readers_evict(struct sqlite_store *s, int64_t age_ms)
{
	int64_t now = clock_mono_ns(s->clock);

	pthread_mutex_lock(&s->readers);
	for (struct sqlite_reader *r = s->reader_list; r; r = r->next) {
		int64_t since = r->since_ns;
		if (since != 0 && now - since >= age_ms * 1000000)
			evict(r);
	}
	pthread_mutex_unlock(&s->readers);
}
