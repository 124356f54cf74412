#include "store/backend.h"

#include <assert.h>

static const struct store_sql statements[STORE_STATEMENTS] = {
#define WRITE(id, count, text)          [id] = {#id, text, count, 0, false},
#define READ(id, count, columns_, text) [id] = {#id, text, count, columns_, true},
#include "store/statements.def"
#undef WRITE
#undef READ
};

#define WRITE(id, count, text) static_assert((count) <= STORE_VALUES_MAX, #id);
#define READ(id, count, columns_, text)                                                                                \
	static_assert((count) <= STORE_VALUES_MAX && (columns_) <= STORE_VALUES_MAX, #id);
#include "store/statements.def"
#undef WRITE
#undef READ

static const struct store_migration real_migrations[] = {
#define MIGRATION(version_, text) {version_, text},
#include "store/migrations.def"
#undef MIGRATION
};

static const struct store_backend *const backends[] = {&store_sqlite, &store_postgres};

const struct store_sql *store_statement_sql(enum store_statement s)
{
	assert(s < STORE_STATEMENTS);
	return &statements[s];
}

#ifdef CD_TEST_HOOKS
static const struct store_migration *test_migrations;
static size_t test_migration_count;

void store_migrations_set(const struct store_migration *migrations, size_t count)
{
	test_migrations = migrations;
	test_migration_count = count;
}
#endif

const struct store_migration *store_migrations(size_t *count)
{
#ifdef CD_TEST_HOOKS
	if (test_migrations) {
		*count = test_migration_count;
		return test_migrations;
	}
#endif
	*count = sizeof(real_migrations) / sizeof(real_migrations[0]);
	return real_migrations;
}

void store_sql_expand(struct buf *out, const char *sql, const struct store_dialect *d)
{
	const struct {
		struct str name;
		const char *text;
	} places[] = {
	    {STR("{S}"), d->schema},
	    {STR("{I}"), d->index},
	    {STR("{ROWID}"), d->rowid},
	    {STR("{BLOB}"), d->blob},
	    {STR("{WITHOUT_ROWID}"), d->without_rowid},
	};

	while (*sql) {
		size_t plain = strcspn(sql, "{$");

		buf_add(out, sql, plain);
		sql += plain;
		if (*sql == '$') {
			buf_add_char(out, d->parameter);
			sql++;
		} else if (*sql == '{') {
			size_t i = 0;
			while (strncmp(sql, places[i].name.p, places[i].name.n) != 0) {
				i++;
				assert(i < sizeof(places) / sizeof(places[0]));
			}
			buf_add_z(out, places[i].text);
			sql += places[i].name.n;
		}
	}
	assert(buf_ok(out));
}

void store_batch_init(struct store_batch *b, struct arena *arena, int64_t number)
{
	*b = (struct store_batch){.arena = arena, .number = number};
	b->last = &b->first;
}

enum rc store_batch_add(struct store_batch *b, enum store_statement s, const struct store_value *values, size_t count)
{
	struct store_write *w;
	struct store_value *copy;

	assert(s < STORE_STATEMENTS && !statements[s].is_read && count == statements[s].parameters);
	w = arena_new(b->arena, struct store_write);
	copy = arena_array(b->arena, struct store_value, count);
	if (!w || !copy)
		return RC_LIMIT;
	memcpy(copy, values, count * sizeof(*values));
	*w = (struct store_write){.statement = s, .values = copy};
	*b->last = w;
	b->last = &w->next;
	b->count++;
	return RC_OK;
}

static enum rc find_backend(const char *url, const struct store_backend **out, struct err *e)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		if (strncmp(url, backends[i]->prefix, strlen(backends[i]->prefix)) == 0) {
			*out = backends[i];
			return RC_OK;
		}
	}
	return err_set(e, RC_INVALID, "store_url", "a store is sqlite:/path or postgresql://...");
}

enum rc store_open(const struct store_options *o, struct store **out, int64_t *last_batch, struct err *e)
{
	const struct store_backend *backend = NULL;
	enum rc rc = find_backend(o->url, &backend, e);

	return rc == RC_OK ? backend->open(o, out, last_batch, e) : rc;
}

void store_close(struct store *s)
{
	if (s)
		s->backend->close(s);
}

enum rc store_commit(struct store *s, const struct store_batch *b, struct err *e)
{
	assert(!s->tool);
	return s->backend->commit(s, b, e);
}

void store_commit_times(const struct store *s, struct store_times *out)
{
	*out = s->times;
}

enum rc store_recover(struct store *s, int64_t *last_batch, struct err *e)
{
	assert(!s->tool);
	return s->backend->recover(s, last_batch, e);
}

enum rc store_maintain(struct store *s, struct store_stats *stats, struct err *e)
{
	assert(!s->tool);
	return s->backend->maintain(s, stats, e);
}

enum rc store_reader_open(struct store *s, struct store_reader **out, struct err *e)
{
	return s->backend->reader_open(s, out, e);
}

void store_reader_close(struct store_reader *r)
{
	if (r)
		r->backend->reader_close(r);
}

enum rc store_reader_begin(struct store_reader *r, struct err *e)
{
	assert(!r->reading);
	return r->backend->reader_begin(r, e);
}

void store_reader_end(struct store_reader *r)
{
	assert(!r->reading);
	r->backend->reader_end(r);
}

enum rc store_read(struct store_reader *r, enum store_statement s, const struct store_value *args, size_t count,
		   store_row_fn row, void *ctx, struct err *e)
{
	enum rc rc;

	assert(s < STORE_STATEMENTS && statements[s].is_read && count == statements[s].parameters);
	assert(!r->reading);
	r->reading = true;
	rc = r->backend->read(r, s, args, count, row, ctx, e);
	r->reading = false;
	return rc;
}

struct first_row {
	struct arena *arena;
	struct store_value *columns;
	bool found, full;
};

/* Ends the read after the first row: any class but RC_OK does, the outcome is in the struct. */
static enum rc keep_first(void *ctx, const struct store_value *columns, size_t count)
{
	struct first_row *first = ctx;

	first->found = true;
	for (size_t i = 0; i < count; i++) {
		first->columns[i] = columns[i];
		if (columns[i].type != STORE_TEXT && columns[i].type != STORE_BLOB)
			continue;
		first->columns[i].bytes = arena_copy(first->arena, columns[i].bytes);
		if (!first->columns[i].bytes.p)
			first->full = true;
	}
	return RC_NOT_FOUND;
}

enum rc store_read_one(struct store_reader *r, enum store_statement s, const struct store_value *args, size_t count,
		       struct arena *a, struct store_value *columns, struct err *e)
{
	struct first_row first = {.arena = a, .columns = columns};
	enum rc rc = store_read(r, s, args, count, keep_first, &first, e);

	if (first.full)
		return err_set(e, RC_LIMIT, "row_too_large", "a row of %s is over the limit of its reader",
			       statements[s].name);
	if (first.found)
		return RC_OK;
	return rc == RC_OK ? RC_NOT_FOUND : rc;
}

enum rc store_tool_open(const struct store_options *o, struct store **out, struct err *e)
{
	const struct store_backend *backend = NULL;
	enum rc rc = find_backend(o->url, &backend, e);

	if (rc != RC_OK)
		return rc;
	rc = backend->tool_open(o, out, e);
	if (rc == RC_OK)
		(*out)->tool = true;
	return rc;
}

enum rc store_tool_write(struct store *s, enum store_statement w, const struct store_value *values, size_t count,
			 struct err *e)
{
	assert(s->tool);
	/* Only what the hub does not hold in memory. */
	assert(w == W_API_KEY || w == W_API_KEY_REVOKE);
	assert(count == statements[w].parameters);
	return s->backend->tool_write(s, w, values, count, e);
}
