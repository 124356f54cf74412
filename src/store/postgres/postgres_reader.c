/*
 * Readers, each on a session of its own. Rows come one at a time (a result may be larger than memory); a visitor that
 * stops early has the rest thrown away. A session that was lost is opened again by the next read outside a snapshot.
 */
#include "store/postgres/postgres_store.h"

#include <assert.h>
#include <stdlib.h>

struct postgres_reader {
	struct store_reader base;
	struct postgres_store *store;
	struct session session;
	bool snapshot;
};

static enum rc reopen(struct postgres_reader *r, struct err *e)
{
	enum rc rc;

	session_close(&r->session);
	rc = postgres_connect(r->store, &r->session, e);
	if (rc == RC_OK)
		rc = session_exec(
		    &r->session,
		    "SET idle_in_transaction_session_timeout = '60s'; SET default_transaction_read_only = on", NULL, e);
	return rc;
}

enum rc postgres_reader_open(struct store *base, struct store_reader **out, struct err *e)
{
	struct postgres_reader *r = calloc(1, sizeof(*r));
	enum rc rc;

	assert(r);
	r->base.backend = &store_postgres;
	r->store = (struct postgres_store *)base;
	rc = reopen(r, e);
	if (rc != RC_OK) {
		postgres_reader_close(&r->base);
		return rc;
	}
	*out = &r->base;
	return RC_OK;
}

void postgres_reader_close(struct store_reader *base)
{
	struct postgres_reader *r = (struct postgres_reader *)base;

	session_close(&r->session);
	free(r);
}

static enum rc begin(struct postgres_reader *r, struct err *e)
{
	/* The snapshot is taken by the first query. */
	return session_exec(&r->session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1", NULL, e);
}

enum rc postgres_reader_begin(struct store_reader *base, struct err *e)
{
	struct postgres_reader *r = (struct postgres_reader *)base;
	enum rc rc;

	assert(!r->snapshot);
	rc = session_is_lost(&r->session) ? RC_IO : begin(r, NULL);
	if (rc != RC_OK && session_is_lost(&r->session)) {
		rc = reopen(r, e);
		if (rc == RC_OK)
			rc = begin(r, e);
	}
	r->snapshot = rc == RC_OK;
	return rc;
}

void postgres_reader_end(struct store_reader *base)
{
	struct postgres_reader *r = (struct postgres_reader *)base;

	if (r->snapshot && !session_is_lost(&r->session) && session_exec(&r->session, "ROLLBACK", NULL, NULL) != RC_OK)
		session_close(&r->session);
	r->snapshot = false;
}

struct visit {
	store_row_fn row;
	void *ctx;
	bool visited; /* at least one row */
	enum rc rc;   /* the visitor's */
};

static enum rc take_rows(struct postgres_reader *r, const struct store_sql *sql, struct visit *v, struct err *e)
{
	struct store_value columns[STORE_VALUES_MAX];
	PGresult *result;
	enum rc rc = RC_OK;

	while ((result = PQgetResult(r->session.connection)) != NULL) {
		ExecStatusType status = PQresultStatus(result);
		if (status == PGRES_SINGLE_TUPLE) {
			assert(PQnfields(result) == sql->columns);
			for (int i = 0; i < sql->columns && v->rc == RC_OK; i++)
				columns[i] = session_column(result, 0, i);
			v->visited = true;
			if (v->rc == RC_OK)
				v->rc = v->row(v->ctx, columns, sql->columns);
		} else if (status != PGRES_TUPLES_OK && rc == RC_OK) {
			rc = session_error(&r->session, RC_IO, result, sql->name, e);
		}
		PQclear(result);
	}
	return v->rc != RC_OK ? v->rc : rc;
}

static enum rc read_once(struct postgres_reader *r, enum store_statement s, const struct session_values *args,
			 size_t count, struct visit *v, struct err *e)
{
	const struct store_sql *sql = store_statement_sql(s);
	enum rc rc;

	if (session_is_lost(&r->session))
		return session_error(&r->session, RC_IO, NULL, sql->name, e);
	rc = session_prepare(&r->session, s, e);
	if (rc != RC_OK)
		return rc;
	if (!PQsendQueryPrepared(r->session.connection, sql->name, (int)count, args->values, args->lengths,
				 args->formats, 1))
		return session_error(&r->session, RC_IO, NULL, sql->name, e);
	PQsetSingleRowMode(r->session.connection);
	return take_rows(r, sql, v, e);
}

enum rc postgres_read(struct store_reader *base, enum store_statement s, const struct store_value *args, size_t count,
		      store_row_fn row, void *ctx, struct err *e)
{
	struct postgres_reader *r = (struct postgres_reader *)base;
	struct visit v = {.row = row, .ctx = ctx};
	struct session_values values;
	struct err first = ERR_NONE;
	enum rc rc;

	if (!session_bind(args, count, &values))
		return err_set(e, RC_IO, "store_failed", "%s: a value is too large", store_statement_sql(s)->name);
	rc = read_once(r, s, &values, count, &v, &first);
	if (rc != RC_OK && session_is_lost(&r->session) && !r->snapshot && !v.visited) {
		rc = reopen(r, e);
		return rc == RC_OK ? read_once(r, s, &values, count, &v, e) : rc;
	}
	if (rc != RC_OK && first.rc != RC_OK)
		return err_set(e, rc, first.code, "%s", first.detail);
	return rc;
}
