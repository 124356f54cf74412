/*
 * The SQLite backend: one database file in WAL mode with a lock file beside it.
 *
 * Locks, in the order in which they are taken: maintain, commit, readers, a reader's own.
 *   maintain   the checkpointer's connection
 *   commit     the writer's connection, last_batch; the writer holds it for a commit, upkeep for the last small gap
 *   readers    the list of readers, and their connections being opened and closed
 */
#ifndef STORE_SQLITE_STORE_H
#define STORE_SQLITE_STORE_H

#include "store/sqlite/connection.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* The writer waits for a full checkpoint before it lets the WAL grow past this. */
#define WAL_BYTES_MAX ((int64_t)256 * 1024 * 1024)
/* Past this, snapshots that are older than SNAPSHOT_AGE_MAX_MS are ended, because they keep the WAL from restarting. */
#define WAL_BYTES_LARGE     ((int64_t)64 * 1024 * 1024)
#define SNAPSHOT_AGE_MAX_MS 10000

enum doubt {
	DOUBT_NONE,
	DOUBT_WRITE, /* COMMIT could not write: the batch is torn at best */
	DOUBT_FILES  /* anything else: what the files hold has to be copied before it is believed */
};

struct sqlite_reader;

struct sqlite_store {
	struct store base;
	char *path;
	char *vfs; /* NULL: the default */
	const struct clock *clock;
	int lock_fd;
	pthread_mutex_t maintain, commit, readers;
	struct connection writer, checkpointer;
	int64_t last_batch;
	int64_t page_size;
	_Atomic int64_t wal_bytes;   /* the part of the WAL that is in use */
	_Atomic bool wal_grew;       /* since upkeep had all of it in the database */
	_Atomic enum doubt doubt;    /* raised by commit and upkeep, lowered by recover */
	_Atomic uint64_t generation; /* of the files: a reader of an older one opens them again */
	struct sqlite_reader *reader_list;
};

struct sqlite_reader {
	struct store_reader base;
	struct sqlite_store *store;
	struct sqlite_reader *next;
	pthread_mutex_t mutex; /* held while the connection is used */
	struct connection connection;
	uint64_t generation;
	bool snapshot;            /* between begin and end */
	bool lost;                /* the snapshot was ended because it was too old */
	_Atomic int64_t since_ns; /* when the read or the snapshot began; 0: none */
	_Atomic bool evict;
};

/* commit.c */
enum rc sqlite_commit(struct store *s, const struct store_batch *b, struct err *e);
/* Ends the transaction that is open on c, if one is; what it returns is SQLite's. */
int sqlite_rollback(struct connection *c);
/* The disk did not take a write: nothing is synced wrongly, and the write is not there as a whole. */
bool sqlite_is_write_error(int result);

/* upkeep.c */
enum rc sqlite_maintain(struct store *s, struct store_stats *stats, struct err *e);

/* recover.c */
enum rc sqlite_recover(struct store *s, int64_t *last_batch, struct err *e);
/* Removes what a recovery left that was cut short. */
void sqlite_recover_tidy(const struct sqlite_store *s);

/* reader.c */
enum rc sqlite_reader_open(struct store *s, struct store_reader **out, struct err *e);
void sqlite_reader_close(struct store_reader *r);
enum rc sqlite_reader_begin(struct store_reader *r, struct err *e);
void sqlite_reader_end(struct store_reader *r);
enum rc sqlite_read(struct store_reader *r, enum store_statement s, const struct store_value *args, size_t count,
		    store_row_fn row, void *ctx, struct err *e);
/* Ends the snapshots that are older than age_ms; those inside a read end at its next row. */
void sqlite_readers_evict(struct sqlite_store *s, int64_t age_ms);

/* sqlite_store.c */
enum file_lock {
	LOCK_TENANT, /* who commits batches */
	LOCK_FILES   /* shared: a tool writes; exclusive: the files are being replaced */
};
/* Takes a lock (F_RDLCK, F_WRLCK) or gives it back (F_UNLCK) on a byte of the lock file. */
bool sqlite_file_lock(int fd, enum file_lock lock, short type, bool wait);
enum rc sqlite_open_connections(struct sqlite_store *s, struct err *e) MUST_CHECK;
/* With this mode, if there is none: SQLite's own default lets everybody read. Its WAL takes the mode of the database.
 */
void sqlite_create_file(const char *path, mode_t mode);
enum rc sqlite_sync_directory(const char *path, struct err *e) MUST_CHECK;

#endif
