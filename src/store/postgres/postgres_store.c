/*
 * Opening, the lease, migrations, recovery, and the tools' way in.
 *
 * The lease is one row: epoch, last_batch, holder. Whoever opens the tenant for writing raises the epoch; every commit
 * checks its own epoch by updating the row (pipeline.c). The update that raises it waits for a transaction that holds
 * the row, so the last_batch that it returns is final: nothing under an older epoch is committed afterwards.
 * idle_in_transaction_session_timeout bounds that wait when a node dies inside a transaction.
 *
 * A recovery raises the epoch only if it is still its own: a node that was taken over meanwhile stays out.
 */
#include "store/postgres/postgres_store.h"

#include <assert.h>
#include <stdlib.h>

#define SCHEMA_NAME_MAX 48

static bool schema_is_valid(const char *schema)
{
	size_t n = schema ? strspn(schema, "abcdefghijklmnopqrstuvwxyz0123456789_") : 0;

	return n >= 1 && n <= SCHEMA_NAME_MAX && schema[n] == '\0';
}

enum rc postgres_connect(const struct postgres_store *s, struct session *session, struct err *e)
{
	return session_open(session, s->url, s->schema, e);
}

/* One value of a statement's only row; 0 if there is none. */
static enum rc query_integer(struct session *s, const char *sql, int64_t *out, struct err *e)
{
	PGresult *result;
	enum rc rc = session_exec(s, sql, &result, e);

	if (rc != RC_OK)
		return rc;
	*out = PQntuples(result) == 1 ? session_integer(result, 0, 0) : 0;
	PQclear(result);
	return RC_OK;
}

/* 0: a new store. */
static enum rc schema_version(struct session *s, int64_t *version, struct err *e)
{
	struct buf sql;
	enum rc rc;

	buf_init(&sql, 256);
	buf_printf(&sql, "SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE schemaname = '%s' AND tablename = 'meta'",
		   s->schema);
	assert(buf_ok(&sql));
	rc = query_integer(s, sql.p, version, e);
	buf_done(&sql);
	if (rc != RC_OK || *version == 0)
		return rc;
	return query_integer(s, "SELECT value FROM {S}meta WHERE name = 'schema'", version, e);
}

static enum rc check_version(int64_t version, struct err *e)
{
	size_t count;
	const struct store_migration *m = store_migrations(&count);

	if (version <= m[count - 1].version)
		return RC_OK;
	return err_set(e, RC_CONFLICT, "store_is_newer", "the store's schema is version %lld, this program knows %lld",
		       (long long)version, (long long)m[count - 1].version);
}

/* Held for the session while the tenant is set up, so that no two nodes do it at once. */
static enum rc lock_setup(struct session *s, const char *function, struct err *e)
{
	struct buf sql;
	enum rc rc;

	buf_init(&sql, 256);
	buf_printf(&sql, "SELECT %s(hashtext('crossdock %s'))", function, s->schema);
	assert(buf_ok(&sql));
	rc = session_exec(s, sql.p, NULL, e);
	buf_done(&sql);
	return rc;
}

/* The statements of one query are one transaction. */
static enum rc exec_buffer(struct session *s, struct buf *sql, struct err *e)
{
	enum rc rc;

	assert(buf_ok(sql));
	rc = session_exec(s, sql->p, NULL, e);
	buf_done(sql);
	return rc;
}

static enum rc create_schema(struct session *s, struct err *e)
{
	struct buf sql;
	int64_t there = 0;
	enum rc rc;

	buf_init(&sql, 1024);
	buf_printf(&sql, "SELECT COUNT(*) FROM pg_catalog.pg_namespace WHERE nspname = '%s'", s->schema);
	rc = query_integer(s, sql.p, &there, e);
	buf_reset(&sql);
	/* IF NOT EXISTS would want the right to create one even if it is there. */
	if (!there)
		buf_printf(&sql, "CREATE SCHEMA \"%s\";", s->schema);
	buf_add_z(
	    &sql,
	    "CREATE TABLE IF NOT EXISTS {S}lease (only_row INT PRIMARY KEY CHECK (only_row = 1), epoch BIGINT NOT NULL,"
	    " last_batch BIGINT NOT NULL, holder TEXT NOT NULL, taken_at TIMESTAMPTZ NOT NULL DEFAULT now());"
	    "INSERT INTO {S}lease (only_row, epoch, last_batch, holder) VALUES (1, 0, 0, '') ON CONFLICT DO NOTHING");
	if (rc == RC_OK)
		return exec_buffer(s, &sql, e);
	buf_done(&sql);
	return rc;
}

static enum rc migrate_step(struct session *s, const struct store_migration *m, struct err *e)
{
	struct buf sql;

	buf_init(&sql, STORE_SQL_MAX);
	buf_add_z(&sql, m->sql);
	buf_add_z(&sql, ";INSERT INTO {S}meta (name, value) VALUES ('schema', ");
	buf_add_int(&sql, m->version);
	buf_add_z(&sql, ") ON CONFLICT (name) DO UPDATE SET value = excluded.value");
	return exec_buffer(s, &sql, e);
}

static enum rc migrate(struct session *s, struct err *e)
{
	size_t count;
	const struct store_migration *m = store_migrations(&count);
	int64_t version;
	enum rc rc = schema_version(s, &version, e);

	for (size_t i = 0; i < count && rc == RC_OK; i++)
		if (m[i].version > version)
			rc = migrate_step(s, &m[i], e);
	return rc;
}

static enum rc check_setting(struct session *s, const char *show, struct err *e)
{
	PGresult *result;
	enum rc rc = session_exec(s, show, &result, e);

	if (rc != RC_OK)
		return rc;
	if (strcmp(PQgetvalue(result, 0, 0), "off") == 0)
		rc = err_set(e, RC_DENIED, "not_durable", "the server has %s off: what it acknowledges can be lost",
			     show + strlen("SHOW "));
	PQclear(result);
	return rc;
}

enum rc postgres_connect_writer(struct postgres_store *s, struct err *e)
{
	enum rc rc = postgres_connect(s, &s->session, e);

	if (rc == RC_OK)
		rc = check_setting(&s->session, "SHOW fsync", e);
	if (rc == RC_OK)
		rc = check_setting(&s->session, "SHOW synchronous_commit", e);
	if (rc == RC_OK)
		rc = session_exec(&s->session,
				  "SET idle_in_transaction_session_timeout = '5s'; SET lock_timeout = '20s'", NULL, e);
	if (rc != RC_OK)
		session_close(&s->session);
	return rc;
}

enum rc postgres_take_lease(struct postgres_store *s, int64_t only, struct err *e)
{
	struct buf sql;
	struct session_values v;
	struct store_value values[] = {SV_TEXT(str_from(s->holder)), SV_INT(only)};
	PGresult *result;
	enum rc rc = RC_OK;

	if (!session_bind(values, 2, &v))
		return err_set(e, RC_IO, "store_failed", "the holder's name is too long");
	buf_init(&sql, 512);
	buf_printf(&sql,
		   "UPDATE %slease SET epoch = epoch + 1, holder = $1, taken_at = now() WHERE $2::int8 IN (-1, epoch)"
		   " RETURNING epoch, last_batch",
		   s->session.qualifier);
	assert(buf_ok(&sql));
	result = PQexecParams(s->session.connection, sql.p, 2, NULL, v.values, v.lengths, v.formats, 1);
	buf_done(&sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		rc = session_error(&s->session, RC_IO, result, "take the lease", e);
	} else if (PQntuples(result) != 1) {
		rc = err_set(e, RC_DENIED, "taken_over", "another node has the tenant");
	} else {
		s->epoch = session_integer(result, 0, 0);
		s->last_batch = session_integer(result, 0, 1);
	}
	PQclear(result);
	return rc;
}

static void postgres_close(struct store *base)
{
	struct postgres_store *s = (struct postgres_store *)base;

	session_close(&s->session);
	free(s->holder);
	free(s->schema);
	free(s->url);
	free(s);
}

static enum rc store_new(const struct store_options *o, struct postgres_store **out, struct err *e)
{
	struct postgres_store *s = NULL;

	if (!schema_is_valid(o->schema))
		return err_set(e, RC_INVALID, "schema_name", "a tenant's schema has 1 to 48 of a-z, 0-9 and _");
	s = calloc(1, sizeof(*s));
	assert(s);
	s->base.backend = &store_postgres;
	s->url = strdup(o->url);
	s->schema = strdup(o->schema);
	s->holder = strdup(o->holder ? o->holder : "");
	assert(s->url && s->schema && s->holder);
	*out = s;
	return RC_OK;
}

static enum rc take_tenant(struct postgres_store *s, struct err *e)
{
	int64_t version;
	enum rc rc = postgres_connect_writer(s, e);

	if (rc == RC_OK)
		rc = lock_setup(&s->session, "pg_advisory_lock", e);
	/* Before the tenant is taken from a server that knows more. */
	if (rc == RC_OK)
		rc = schema_version(&s->session, &version, e);
	if (rc == RC_OK)
		rc = check_version(version, e);
	if (rc == RC_OK)
		rc = create_schema(&s->session, e);
	/* Before the tables change under a server that knows less. */
	if (rc == RC_OK)
		rc = postgres_take_lease(s, -1, e);
	if (rc == RC_OK)
		rc = migrate(&s->session, e);
	if (rc == RC_OK)
		rc = lock_setup(&s->session, "pg_advisory_unlock", e);
	return rc == RC_OK ? postgres_prepare_commit(s, e) : rc;
}

static enum rc postgres_open(const struct store_options *o, struct store **out, int64_t *last_batch, struct err *e)
{
	struct postgres_store *s = NULL;
	enum rc rc = store_new(o, &s, e);

	if (rc != RC_OK)
		return rc;
	rc = take_tenant(s, e);
	if (rc != RC_OK) {
		postgres_close(&s->base);
		return rc;
	}
	*last_batch = s->last_batch;
	*out = &s->base;
	return RC_OK;
}

static enum rc postgres_recover(struct store *base, int64_t *last_batch, struct err *e)
{
	struct postgres_store *s = (struct postgres_store *)base;
	enum rc rc = RC_OK;

	if (s->doubt) {
		session_close(&s->session);
		rc = postgres_connect_writer(s, e);
		if (rc == RC_OK)
			rc = postgres_take_lease(s, s->epoch, e);
		if (rc == RC_OK)
			rc = postgres_prepare_commit(s, e);
		if (rc == RC_OK)
			s->doubt = false;
	}
	*last_batch = s->last_batch;
	return rc;
}

static enum rc postgres_maintain(struct store *base, struct store_stats *stats, struct err *e)
{
	(void)base;
	(void)e;
	*stats = (struct store_stats){0};
	return RC_OK;
}

/* A missing store is created; an older one is left to the server that takes the tenant. */
static enum rc tool_prepare(struct postgres_store *s, struct err *e)
{
	size_t count;
	const struct store_migration *m = store_migrations(&count);
	int64_t version;
	enum rc rc = lock_setup(&s->session, "pg_advisory_lock", e);

	if (rc == RC_OK)
		rc = schema_version(&s->session, &version, e);
	if (rc == RC_OK)
		rc = check_version(version, e);
	if (rc == RC_OK && version > 0 && version < m[count - 1].version)
		rc = err_set(e, RC_CONFLICT, "store_is_older", "start the server once: it migrates the store");
	if (rc == RC_OK && version == 0) {
		rc = create_schema(&s->session, e);
		if (rc == RC_OK)
			rc = migrate(&s->session, e);
	}
	return rc == RC_OK ? lock_setup(&s->session, "pg_advisory_unlock", e) : rc;
}

static enum rc postgres_tool_open(const struct store_options *o, struct store **out, struct err *e)
{
	struct postgres_store *s = NULL;
	enum rc rc = store_new(o, &s, e);

	if (rc != RC_OK)
		return rc;
	rc = postgres_connect_writer(s, e);
	if (rc == RC_OK)
		rc = tool_prepare(s, e);
	if (rc != RC_OK) {
		postgres_close(&s->base);
		return rc;
	}
	*out = &s->base;
	return RC_OK;
}

static enum rc postgres_tool_write(struct store *base, enum store_statement w, const struct store_value *values,
				   size_t count, struct err *e)
{
	struct postgres_store *s = (struct postgres_store *)base;
	const struct store_sql *sql = store_statement_sql(w);
	struct session_values v;
	PGresult *result;
	enum rc rc = session_is_lost(&s->session) ? RC_IO : session_prepare(&s->session, w, e);

	if (rc != RC_OK)
		return session_is_lost(&s->session) ? session_error(&s->session, RC_IO, NULL, sql->name, e) : rc;
	if (!session_bind(values, count, &v))
		return err_set(e, RC_IO, "store_failed", "%s: a value is too large", sql->name);
	result = PQexecPrepared(s->session.connection, sql->name, (int)count, v.values, v.lengths, v.formats, 1);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		rc = session_error(&s->session, session_is_fatal(result) ? RC_UNKNOWN : RC_IO, result, sql->name, e);
	PQclear(result);
	return rc;
}

const struct store_backend store_postgres = {
    .prefix = "postgresql:",
    .open = postgres_open,
    .close = postgres_close,
    .commit = postgres_commit,
    .recover = postgres_recover,
    .maintain = postgres_maintain,
    .reader_open = postgres_reader_open,
    .reader_close = postgres_reader_close,
    .reader_begin = postgres_reader_begin,
    .reader_end = postgres_reader_end,
    .read = postgres_read,
    .tool_open = postgres_tool_open,
    .tool_write = postgres_tool_write,
};
