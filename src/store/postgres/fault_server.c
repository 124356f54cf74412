#include "store/postgres/fault_server.h"

#include "base/mem.h"
#include "store/postgres/postgres_store.h"

#include <stdio.h>
#include <unistd.h>

#define END_WAIT_MS "10000"

struct fault_server {
	PGconn *control;
	char *url, *schema;
	char application[48];
	struct store_backend watched;
	uint64_t commits, fired;
	int nth, lie; /* 0: nothing is planned */
	bool after, lied;
};

static struct fault_server *watching;

static enum rc run(struct fault_server *f, const char *sql, struct err *e)
{
	PGresult *result = PQexec(f->control, sql);
	ExecStatusType status = PQresultStatus(result);

	PQclear(result);
	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return RC_OK;
	return err_set(e, RC_IO, "store_failed", "the server does not do it: %s", PQerrorMessage(f->control));
}

static void ignore_notice(void *ctx, const char *message)
{
	(void)ctx;
	(void)message;
}

enum rc fault_server_open(const char *url, const char *schema, struct fault_server **out, struct err *e)
{
	struct fault_server *f = mem_zalloc(1, sizeof(*f));
	size_t room = strlen(url) + sizeof(f->application) + 32;
	enum rc rc = RC_OK;

	snprintf(f->application, sizeof(f->application), "crossdock-simulation-%d", (int)getpid());
	f->url = mem_alloc(room);
	snprintf(f->url, room, "%s%capplication_name=%s", url, strchr(url, '?') ? '&' : '?', f->application);
	f->schema = (char *)mem_copy(str_from(schema)).p;
	f->control = PQconnectdb(url);
	if (PQstatus(f->control) != CONNECTION_OK)
		rc = err_set(e, RC_IO, "store_failed", "no connection to the server: %s", PQerrorMessage(f->control));
	PQsetNoticeProcessor(f->control, ignore_notice, NULL);
	if (rc != RC_OK) {
		fault_server_close(f);
		return rc;
	}
	*out = f;
	return RC_OK;
}

void fault_server_close(struct fault_server *f)
{
	if (!f)
		return;
	if (watching == f)
		watching = NULL;
	PQfinish(f->control);
	free(f->schema);
	free(f->url);
	free(f);
}

const char *fault_server_url(const struct fault_server *f)
{
	return f->url;
}

const char *fault_server_schema(const struct fault_server *f)
{
	return f->schema;
}

enum rc fault_server_drop(struct fault_server *f, struct err *e)
{
	char sql[128];

	f->fired = 0;
	snprintf(sql, sizeof(sql), "DROP SCHEMA IF EXISTS \"%s\" CASCADE", f->schema);
	return run(f, sql, e);
}

uint64_t fault_server_commits(const struct fault_server *f)
{
	return f->commits;
}

enum rc fault_server_cut(struct fault_server *f, struct err *e)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
		 "SELECT pg_terminate_backend(pid, " END_WAIT_MS
		 ") FROM pg_stat_activity WHERE application_name = '%s'",
		 f->application);
	return run(f, sql, e);
}

void fault_server_plan(struct fault_server *f, int nth, bool after)
{
	f->nth = nth;
	f->after = after;
}

void fault_server_lie(struct fault_server *f, int nth)
{
	f->lie = nth;
	f->lied = false;
}

bool fault_server_lied(const struct fault_server *f)
{
	return f->lied;
}

uint64_t fault_server_fired(const struct fault_server *f)
{
	return f->fired;
}

/* As if the connection had failed when COMMIT had worked and before its answer came. */
static enum rc lose_answer(struct fault_server *f, struct postgres_store *s, const struct store_batch *b, struct err *e)
{
	int64_t before = s->last_batch;
	enum rc rc = postgres_commit(&s->base, b, e);

	if (rc != RC_OK)
		return rc;
	rc = fault_server_cut(f, e);
	s->last_batch = before;
	s->doubt = true;
	return rc == RC_OK ? err_set(e, RC_UNKNOWN, "store_failed", "the answer to a commit is lost") : rc;
}

static enum rc commit(struct store *store, const struct store_batch *b, struct err *e)
{
	struct fault_server *f = watching;
	enum rc rc = RC_OK;

	f->commits++;
	if (f->lie && --f->lie == 0) {
		f->lied = true;
		((struct postgres_store *)store)->last_batch = b->number;
		return RC_OK;
	}
	if (f->nth == 0 || --f->nth > 0)
		return postgres_commit(store, b, e);
	f->fired++;
	if (f->after)
		return lose_answer(f, (struct postgres_store *)store, b, e);
	rc = fault_server_cut(f, e);
	return rc == RC_OK ? postgres_commit(store, b, e) : rc;
}

void fault_server_watch(struct fault_server *f, struct store *store)
{
	f->watched = *store->backend;
	f->watched.commit = commit;
	store->backend = &f->watched;
	watching = f;
	f->commits++;
}
