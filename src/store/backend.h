/*
 * What a backend of the store is: one table of operations, and what store.c shares with the backends.
 *
 * A backend's own struct begins with struct store (struct store_reader); store.c dispatches through the table and
 * checks statements and counts, so a backend may take its arguments as sound.
 */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include "base/buf.h"
#include "store/store.h"

struct store_backend {
	const char *prefix; /* of the URLs it serves */
	enum rc (*open)(const struct store_options *o, struct store **out, int64_t *last_batch, struct err *e);
	void (*close)(struct store *s);
	enum rc (*commit)(struct store *s, const struct store_batch *b, struct err *e);
	enum rc (*recover)(struct store *s, int64_t *last_batch, struct err *e);
	enum rc (*maintain)(struct store *s, struct store_stats *stats, struct err *e);
	enum rc (*reader_open)(struct store *s, struct store_reader **out, struct err *e);
	void (*reader_close)(struct store_reader *r);
	enum rc (*reader_begin)(struct store_reader *r, struct err *e);
	void (*reader_end)(struct store_reader *r);
	enum rc (*read)(struct store_reader *r, enum store_statement s, const struct store_value *args, size_t count,
			store_row_fn row, void *ctx, struct err *e);
	enum rc (*tool_open)(const struct store_options *o, struct store **out, struct err *e);
	enum rc (*tool_write)(struct store *s, enum store_statement w, const struct store_value *values, size_t count,
			      struct err *e);
};

extern const struct store_backend store_sqlite;
extern const struct store_backend store_postgres;

struct store {
	const struct store_backend *backend;
	bool tool; /* opened by store_tool_open */
	struct store_times times;
};

struct store_reader {
	const struct store_backend *backend;
	bool reading; /* inside store_read: a visitor may not read with the same reader */
};

/* What the templates of statements.def and migrations.def become. */
struct store_dialect {
	const char *schema; /* {S} */
	const char *index;  /* {I} */
	const char *rowid;  /* {ROWID} */
	const char *blob;   /* {BLOB} */
	const char *without_rowid;
	char parameter; /* '$', or '?' where $1 would be a name */
};

#define STORE_SQL_MAX ((size_t)64 * 1024)

/* Appends the expanded template. */
void store_sql_expand(struct buf *out, const char *sql, const struct store_dialect *d);

struct store_migration {
	int64_t version;
	const char *sql;
};

/* Ascending by version, without gaps. */
const struct store_migration *store_migrations(size_t *count);
#ifdef CD_TEST_HOOKS
/* Other migrations for the stores that are opened from now on; NULL: the real ones again. */
void store_migrations_set(const struct store_migration *migrations, size_t count);
#endif

#endif
