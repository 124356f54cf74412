#include "store/postgres/session.h"

#include <assert.h>
#include <endian.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define OID_INT8    20
#define OID_INT4    23
#define OID_BYTEA   17
#define OID_TEXT    25
#define OID_UNKNOWN 705

static void ignore_notice(void *ctx, const char *message)
{
	(void)ctx;
	(void)message;
}

enum rc session_open(struct session *s, const char *url, const char *schema, struct err *e)
{
	/* The URL's own parameters come later and win over those before it. */
	static const char *const names[] = {"fallback_application_name",
					    "connect_timeout",
					    "keepalives_idle",
					    "keepalives_interval",
					    "keepalives_count",
					    "tcp_user_timeout",
					    "dbname",
					    "client_encoding",
					    NULL};
	const char *const values[] = {"crossdock", "10", "10", "5", "3", "30000", url, "UTF8", NULL};

	*s = (struct session){.url = url, .schema = schema};
	snprintf(s->qualifier, sizeof(s->qualifier), "\"%s\".", schema);
	s->connection = PQconnectdbParams(names, values, 1);
	assert(s->connection);
	if (PQstatus(s->connection) != CONNECTION_OK) {
		session_error(s, RC_IO, NULL, "connect", e);
		session_close(s);
		return RC_IO;
	}
	PQsetNoticeProcessor(s->connection, ignore_notice, NULL);
	return RC_OK;
}

void session_close(struct session *s)
{
	PQfinish(s->connection);
	s->connection = NULL;
	memset(s->prepared, 0, sizeof(s->prepared));
}

bool session_is_lost(const struct session *s)
{
	return !s->connection || PQstatus(s->connection) != CONNECTION_OK;
}

static void expand(const struct session *s, struct buf *out, const char *sql)
{
	const struct store_dialect dialect = {
	    .schema = s->qualifier,
	    .index = "",
	    .rowid = "BIGINT PRIMARY KEY",
	    .blob = "BYTEA",
	    .without_rowid = "",
	    .parameter = '$',
	};

	buf_init(out, STORE_SQL_MAX);
	store_sql_expand(out, sql, &dialect);
}

enum rc session_exec(struct session *s, const char *sql, PGresult **out, struct err *e)
{
	struct buf text;
	PGresult *result;
	ExecStatusType status;
	enum rc rc = RC_OK;

	expand(s, &text, sql);
	result = PQexec(s->connection, text.p);
	buf_done(&text);
	status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		rc = session_error(s, RC_IO, result, "statement", e);
	if (rc == RC_OK && out)
		*out = result;
	else
		PQclear(result);
	return rc;
}

enum rc session_prepare_sql(struct session *s, const char *name, const char *sql, struct err *e)
{
	struct buf text;
	PGresult *result;
	enum rc rc = RC_OK;

	expand(s, &text, sql);
	result = PQprepare(s->connection, name, text.p, 0, NULL);
	buf_done(&text);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		rc = session_error(s, RC_IO, result, name, e);
	PQclear(result);
	return rc;
}

enum rc session_prepare(struct session *s, enum store_statement statement, struct err *e)
{
	const struct store_sql *sql = store_statement_sql(statement);
	enum rc rc = s->prepared[statement] ? RC_OK : session_prepare_sql(s, sql->name, sql->sql, e);

	if (rc == RC_OK)
		s->prepared[statement] = true;
	return rc;
}

bool session_bind(const struct store_value *values, size_t count, struct session_values *out)
{
	for (size_t i = 0; i < count; i++) {
		out->formats[i] = 0;
		out->lengths[i] = 0;
		switch (values[i].type) {
		case STORE_NULL:
			out->values[i] = NULL;
			break;
		case STORE_INT:
			snprintf(out->integers[i], sizeof(out->integers[i]), "%lld", (long long)values[i].integer);
			out->values[i] = out->integers[i];
			break;
		case STORE_TEXT:
		case STORE_BLOB:
			if (values[i].bytes.n > INT_MAX)
				return false;
			out->values[i] = values[i].bytes.p ? values[i].bytes.p : "";
			out->lengths[i] = (int)values[i].bytes.n;
			out->formats[i] = 1;
			break;
		}
	}
	return true;
}

/* Results are in binary, but for those of PQexec. */
int64_t session_integer(const PGresult *result, int row, int column)
{
	const char *p = PQgetvalue(result, row, column);
	uint64_t wide;
	uint32_t narrow;

	if (PQgetisnull(result, row, column))
		return 0;
	if (PQfformat(result, column) == 0)
		return strtoll(p, NULL, 10);
	if (PQftype(result, column) == OID_INT8) {
		memcpy(&wide, p, sizeof(wide));
		return (int64_t)be64toh(wide);
	}
	memcpy(&narrow, p, sizeof(narrow));
	return (int32_t)be32toh(narrow);
}

struct store_value session_column(const PGresult *result, int row, int column)
{
	struct str bytes = {PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column)};

	if (PQgetisnull(result, row, column))
		return SV_NULL;
	switch (PQftype(result, column)) {
	case OID_INT8:
	case OID_INT4:
		return SV_INT(session_integer(result, row, column));
	case OID_BYTEA:
		return SV_BLOB(bytes);
	case OID_TEXT:
	case OID_UNKNOWN:
		return SV_TEXT(bytes);
	default:
		assert(!"no statement yields another type");
		return SV_NULL;
	}
}

static const char *error_code(const char *state)
{
	if (!state)
		return "connection_lost";
	if (strncmp(state, "23", 2) == 0)
		return "constraint";
	if (strcmp(state, "53100") == 0)
		return "disk_full";
	if (strncmp(state, "40", 2) == 0 || strncmp(state, "55", 2) == 0)
		return "store_busy";
	return "store_failed";
}

enum rc session_error(const struct session *s, enum rc rc, const PGresult *result, const char *doing, struct err *e)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	/* Without the detail, which quotes values. */
	const char *message =
	    state ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : PQerrorMessage(s->connection);

	if (!message)
		message = "";
	return err_set(e, rc, error_code(state), "%s: %.*s (SQLSTATE %s)", doing, (int)strcspn(message, "\n"), message,
		       state ? state : "none");
}

bool session_is_fatal(const PGresult *result)
{
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	/* An error that libpq made up itself has no severity: the connection is gone. */
	return !severity || strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
}
