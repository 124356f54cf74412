/*
 * One batch, one transaction, one round trip.
 *
 * BEGIN, the fence, the writes and COMMIT go out in one pipeline with one sync, non-blocking, so that results are taken
 * in while statements still go out. Nobody looks at a result before COMMIT is sent, so the fence has to fail by itself:
 * it divides by the number of rows that its UPDATE hit. Any error makes the server skip the rest, COMMIT too, up to the
 * sync, and leaves a failed transaction that is rolled back (RC_IO; RC_DENIED for the fence).
 *
 * The fence is an UPDATE of the lease's row under our epoch, not a read: a take-over, which updates the same row, then
 * waits for an open transaction, and what it reads afterwards is final.
 *
 * Once the first byte is sent, a connection that is lost, is silent for too long, or ends with a fatal error leaves the
 * batch in doubt. So does an error of COMMIT itself.
 */
#include "store/postgres/postgres_store.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <time.h>

/* The server has to answer a batch in this time. */
#define COMMIT_TIMEOUT_MS 60000

#define FENCE            "fence"
#define DIVISION_BY_ZERO "22012"

enum step { STEP_BEGIN, STEP_FENCE, STEP_WRITE, STEP_COMMIT, STEP_SYNC };

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum rc postgres_prepare_commit(struct postgres_store *s, struct err *e)
{
	enum rc rc = session_prepare_sql(
	    &s->session, FENCE,
	    "WITH fenced AS (UPDATE {S}lease SET last_batch = $1"
	    " WHERE epoch = $2 AND last_batch = $1 - 1 RETURNING 1) SELECT 1 / COUNT(*) FROM fenced",
	    e);

	for (unsigned i = 0; i < STORE_STATEMENTS && rc == RC_OK; i++)
		if (!store_statement_sql(i)->is_read)
			rc = session_prepare(&s->session, i, e);
	return rc;
}

static bool send_fence(struct postgres_store *s, int64_t number)
{
	struct store_value values[] = {SV_INT(number), SV_INT(s->epoch)};
	struct session_values v;

	return session_bind(values, 2, &v) &&
	       PQsendQueryPrepared(s->session.connection, FENCE, 2, v.values, v.lengths, v.formats, 1);
}

static bool send_plain(struct postgres_store *s, const char *sql)
{
	return PQsendQueryParams(s->session.connection, sql, 0, NULL, NULL, NULL, NULL, 1);
}

static bool send_batch(struct postgres_store *s, const struct store_batch *b)
{
	struct session_values v;

	if (!send_plain(s, "BEGIN") || !send_fence(s, b->number))
		return false;
	for (const struct store_write *w = b->first; w; w = w->next) {
		const struct store_sql *sql = store_statement_sql(w->statement);
		if (!session_bind(w->values, sql->parameters, &v) ||
		    !PQsendQueryPrepared(s->session.connection, sql->name, sql->parameters, v.values, v.lengths,
					 v.formats, 1))
			return false;
	}
	return send_plain(s, "COMMIT") && PQpipelineSync(s->session.connection);
}

/* Moves bytes both ways until a result can be had without waiting. false: lost, or too late. */
static bool await_result(PGconn *c, int64_t deadline)
{
	for (;;) {
		int unsent = PQflush(c);
		if (unsent < 0 || PQstatus(c) != CONNECTION_OK)
			return false;
		if (!PQisBusy(c))
			return true;

		struct pollfd p = {.fd = PQsocket(c), .events = (short)(POLLIN | (unsent ? POLLOUT : 0))};
		int64_t left = deadline - now_ms();
		int ready = left > 0 ? poll(&p, 1, (int)left) : 0;
		if (ready == 0 || (ready < 0 && errno != EINTR))
			return false;
		if (ready > 0 && (p.revents & ~POLLOUT) && !PQconsumeInput(c))
			return false;
	}
}

/* The outcome of one step, NULL when the connection is lost. The result is the caller's. */
static PGresult *take_result(PGconn *c, enum step step, int64_t deadline)
{
	PGresult *result, *end = NULL;

	if (!await_result(c, deadline))
		return NULL;
	result = PQgetResult(c);
	if (step == STEP_SYNC || !result)
		return result;
	/* A statement's results end with NULL. */
	if (!await_result(c, deadline) || (end = PQgetResult(c)) != NULL) {
		PQclear(result);
		PQclear(end);
		return NULL;
	}
	return result;
}

static bool is_good(const PGresult *result, enum step step)
{
	switch (step) {
	case STEP_BEGIN:
	case STEP_WRITE:
		return PQresultStatus(result) == PGRES_COMMAND_OK;
	case STEP_FENCE:
		return PQresultStatus(result) == PGRES_TUPLES_OK;
	case STEP_COMMIT:
		/* COMMIT of a failed transaction succeeds, as ROLLBACK. */
		return PQresultStatus(result) == PGRES_COMMAND_OK &&
		       strcmp(PQcmdStatus((PGresult *)result), "COMMIT") == 0;
	case STEP_SYNC:
		return PQresultStatus(result) == PGRES_PIPELINE_SYNC;
	}
	assert(!"step");
	return false;
}

struct outcome {
	enum rc rc; /* of the first step that failed */
	struct err *e;
	int64_t deadline;
};

static void take_step(struct postgres_store *s, enum step step, const char *name, struct outcome *o)
{
	PGresult *result;
	const char *state;

	if (o->rc == RC_UNKNOWN)
		return;
	result = take_result(s->session.connection, step, o->deadline);
	state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	if (!result) {
		o->rc = session_error(&s->session, RC_UNKNOWN, NULL, name, o->e);
	} else if (!is_good(result, step)) {
		if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED && o->rc != RC_OK)
			; /* skipped because of the first failure */
		else if (step == STEP_COMMIT || step == STEP_SYNC || session_is_fatal(result))
			o->rc = session_error(&s->session, RC_UNKNOWN, result, name, o->e);
		else if (step == STEP_FENCE && state && strcmp(state, DIVISION_BY_ZERO) == 0)
			o->rc = err_set(o->e, RC_DENIED, "taken_over",
					"another node has the tenant, or the batch does not follow the last one");
		else
			o->rc = session_error(&s->session, RC_IO, result, name, o->e);
	}
	PQclear(result);
}

/* After an error the transaction is open and failed. */
static enum rc roll_back(struct postgres_store *s, enum rc rc, struct err *e)
{
	if (!PQexitPipelineMode(s->session.connection) || PQsetnonblocking(s->session.connection, 0) != 0 ||
	    session_exec(&s->session, "ROLLBACK", NULL, NULL) != RC_OK ||
	    PQtransactionStatus(s->session.connection) != PQTRANS_IDLE)
		return session_error(&s->session, RC_UNKNOWN, NULL, "rollback", e);
	return rc;
}

static enum rc run_batch(struct postgres_store *s, const struct store_batch *b, struct err *e)
{
	PGconn *c = s->session.connection;
	struct outcome o = {.e = e, .deadline = now_ms() + COMMIT_TIMEOUT_MS};

	if (PQsetnonblocking(c, 1) != 0 || !PQenterPipelineMode(c) || !send_batch(s, b))
		return session_error(&s->session, RC_UNKNOWN, NULL, "send a batch", e);
	take_step(s, STEP_BEGIN, "begin", &o);
	take_step(s, STEP_FENCE, "fence", &o);
	for (const struct store_write *w = b->first; w; w = w->next)
		take_step(s, STEP_WRITE, store_statement_sql(w->statement)->name, &o);
	take_step(s, STEP_COMMIT, "commit", &o);
	take_step(s, STEP_SYNC, "sync", &o);
	if (o.rc == RC_UNKNOWN)
		return RC_UNKNOWN;
	if (o.rc != RC_OK)
		return roll_back(s, o.rc, e);
	if (!PQexitPipelineMode(c))
		return session_error(&s->session, RC_UNKNOWN, NULL, "end of a batch", e);
	return RC_OK;
}

enum rc postgres_commit(struct store *base, const struct store_batch *b, struct err *e)
{
	struct postgres_store *s = (struct postgres_store *)base;
	enum rc rc;

	if (s->doubt)
		return err_set(e, RC_UNKNOWN, "store_in_doubt", "an earlier commit is in doubt");
	rc = run_batch(s, b, e);
	if (rc == RC_UNKNOWN) {
		if (e)
			e->rc = RC_UNKNOWN;
		s->doubt = true;
	}
	if (rc == RC_OK)
		s->last_batch = b->number;
	return rc;
}
