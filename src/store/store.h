/*
 * The store: one tenant's durable data, behind one contract with two backends.
 *
 * Everything a tenant owns is in its own store: a SQLite file, or a PostgreSQL schema. There is one writer (the
 * tenant's hub) that commits whole batches, and any number of readers, each on a connection and a snapshot of its own.
 *
 * Writes and reads are named statements (statements.def): portable SQL with $1, $2 ... A batch is a list of writes with
 * their values; the backends know no table. Tables are created by migrations.def, forward only, one step a version.
 *
 * How a commit fails (store_commit):
 *   RC_OK       the batch is on the disk.
 *   RC_IO       the batch is not there and never will be; the store is usable.
 *   RC_UNKNOWN  in doubt (an error from the sync or from COMMIT itself, a lost connection). The store refuses all
 * further commits with RC_UNKNOWN until store_recover has said which batch is the last that is there. RC_DENIED another
 * node has taken the tenant over (the epoch is not ours): the caller stops. After anything but RC_OK the caller's state
 * in memory is ahead of the disk and has to be loaded again.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/rc.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum store_type { STORE_NULL, STORE_INT, STORE_TEXT, STORE_BLOB };

struct store_value {
	enum store_type type;
	int64_t integer;
	struct str bytes; /* STORE_TEXT (UTF-8, no NUL inside), STORE_BLOB; not copied */
};

#define SV_NULL    ((struct store_value){.type = STORE_NULL})
#define SV_INT(i)  ((struct store_value){.type = STORE_INT, .integer = (i)})
#define SV_TEXT(s) ((struct store_value){.type = STORE_TEXT, .bytes = (s)})
#define SV_BLOB(s) ((struct store_value){.type = STORE_BLOB, .bytes = (s)})
/* NULL for an empty slice. */
#define SV_TEXT_OPT(s) ((s).n ? SV_TEXT(s) : SV_NULL)

#define STORE_VALUES_MAX 20

/* Names of the statements: W_... write, R_... read. */
enum store_statement {
#define WRITE(id, count, sql)         id,
#define READ(id, count, columns, sql) id,
#include "store/statements.def"
#undef WRITE
#undef READ
	STORE_STATEMENTS
};

struct store_write {
	struct store_write *next;
	enum store_statement statement;
	const struct store_value *values; /* as many as the statement has parameters */
};

/* One transaction. The memory is the arena's; it must stay until store_commit returns. */
struct store_batch {
	struct arena *arena;
	struct store_write *first, **last;
	uint32_t count;
	int64_t number; /* 1, 2, 3 ...: each committed batch has the next one */
};

void store_batch_init(struct store_batch *b, struct arena *arena, int64_t number);
/* Copies the values (not the bytes they point to). RC_LIMIT when the arena is full. */
enum rc store_batch_add(struct store_batch *b, enum store_statement s, const struct store_value *values,
			size_t count) MUST_CHECK;
#define store_batch_put(b, s, ...)                                                                                     \
	store_batch_add((b), (s), (const struct store_value[]){__VA_ARGS__},                                           \
			sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value))

struct store;
struct store_reader;

struct store_options {
	const char *url;    /* "sqlite:/path/of/the/file.db" or a libpq URL "postgresql://..." */
	const char *schema; /* PostgreSQL: the tenant's schema, [a-z0-9_]{1,48}; SQLite: not used */
	const char *vfs;    /* SQLite: name of the VFS, NULL for the default (fault tests) */
	const char *holder; /* who takes the lease, for people: host and process id */
	const struct clock *clock;
};

/*
 * Opens for writing: creates what is missing, migrates forward (RC_CONFLICT "store_is_newer" if the schema's version is
 * unknown), takes the tenant: SQLite with a lock on a file beside the database (RC_CONFLICT "store_in_use"), PostgreSQL
 * by raising the lease's epoch. *last_batch is the number of the last committed batch, 0 for a new store. PostgreSQL:
 * RC_DENIED "not_durable" if fsync or synchronous_commit is off.
 */
enum rc store_open(const struct store_options *o, struct store **out, int64_t *last_batch, struct err *e) MUST_CHECK;
void store_close(struct store *s);

/* Writer only. See the head of this file. */
enum rc store_commit(struct store *s, const struct store_batch *b, struct err *e) MUST_CHECK;
/* Where the last commit's time went; the writer's thread only. The rest is the commit itself: pages to the log, the
 * sync. PostgreSQL: zeros, all of it is the rest. */
struct store_times {
	int64_t wait_ns;  /* for upkeep, which holds the writer */
	int64_t write_ns; /* the batch's statements */
};
void store_commit_times(const struct store *s, struct store_times *out);
/*
 * After RC_UNKNOWN: makes the store usable again and tells the last batch that is there. SQLite: closes, copies the
 * database and its WAL to new files, syncs them, opens those. PostgreSQL: a new connection, raises the epoch, reads.
 */
enum rc store_recover(struct store *s, int64_t *last_batch, struct err *e) MUST_CHECK;

struct store_stats {
	int64_t wal_bytes; /* SQLite: size of the WAL file; 0 else */
	int64_t bytes;     /* of the database, about */
};

/*
 * One step of upkeep, on any one thread that is not the writer: SQLite checkpoints beside the commits and holds the
 * writer only for the last small gap, so that the WAL restarts. PostgreSQL: nothing. Never longer than about 100 ms.
 */
enum rc store_maintain(struct store *s, struct store_stats *stats, struct err *e) MUST_CHECK;

/* A row given to a visitor; the bytes are valid during the call only. A visitor returns RC_OK to go on; anything else
 * ends the read, which then returns that. */
typedef enum rc (*store_row_fn)(void *ctx, const struct store_value *columns, size_t count);

/* Readers: one thread at a time each. Any thread may open one. A reader sees commits that were made before its read
 * began; between begin and end it sees one snapshot (keep it short: it pins the WAL). */
enum rc store_reader_open(struct store *s, struct store_reader **out, struct err *e) MUST_CHECK;
void store_reader_close(struct store_reader *r);
enum rc store_reader_begin(struct store_reader *r, struct err *e) MUST_CHECK;
void store_reader_end(struct store_reader *r);
enum rc store_read(struct store_reader *r, enum store_statement s, const struct store_value *args, size_t count,
		   store_row_fn row, void *ctx, struct err *e) MUST_CHECK;
/* The first row only, its bytes copied into the arena; RC_NOT_FOUND if there is none. columns: room for the
 * statement's. */
enum rc store_read_one(struct store_reader *r, enum store_statement s, const struct store_value *args, size_t count,
		       struct arena *a, struct store_value *columns, struct err *e) MUST_CHECK;

/*
 * For tools beside a running server (crossdock key create): opens without taking the tenant, and runs single writes of
 * the few statements that are declared with TOOL_WRITE semantics (api keys) in a transaction of their own. The store
 * must exist or is created. Not fenced: these tables are not in the hub's memory.
 */
enum rc store_tool_open(const struct store_options *o, struct store **out, struct err *e) MUST_CHECK;
enum rc store_tool_write(struct store *s, enum store_statement w, const struct store_value *values, size_t count,
			 struct err *e) MUST_CHECK;

/* The text of a statement and its number of parameters and columns; for backends and tests. */
struct store_sql {
	const char *name;
	const char *sql;
	uint8_t parameters;
	uint8_t columns; /* 0 for writes */
	bool is_read;
};
const struct store_sql *store_statement_sql(enum store_statement s);

#endif
