/* Reconciliations: begin one, give it balances, see what it found. */
#include "connect/connect.h"
#include "connect/reconcile.h"
#include "edge/exchange.h"
#include "edge/handlers.h"
#include "hub/query_parts.h"
#include "hub/reconciliation.h"

static void write_progress(void *ctx, int64_t seq, struct json_writer *w)
{
	struct exchange *x = ctx;
	if (x->edge->connect)
		reconciler_progress(connect_reconciler(x->edge->connect), x->hub, seq, w);
}

enum server_next reconciliations_create(struct exchange *x)
{
	struct err e = ERR_NONE;
	struct findings f;
	const struct json *doc;
	struct command *c = exchange_command(x, COMMAND_RECONCILE_BEGIN);
	if (!c)
		return SERVER_ANSWERED;
	findings_init(&f, &c->arena);
	if (exchange_document(x, &c->arena, &doc, &e) != RC_OK)
		return exchange_drop(x, c, &e);
	if (exchange_valid(x, "reconciliation", doc, &f) != RC_OK) {
		exchange_invalid(x, &f);
		command_free(c);
		return SERVER_ANSWERED;
	}
	const struct config_system *s = config_find_system(x->tenant, json_get_text(doc, "system"));
	if (!s || !x->edge->connect) {
		command_free(c);
		return exchange_wrong(x, "unknown_system", "/system", "There is no such system.");
	}
	c->target = s->name;
	c->reconcile.given = str_is(json_get_text(doc, "balances"), "given");
	c->reconcile.on_drift = s->reconcile.on_drift;
	drift_reaction_parse(json_get_text(doc, "on_drift"), &c->reconcile.on_drift);
	enum operation op = s->roles & ROLE_CHANNEL ? OP_AVAILABILITY_SHOWN : OP_STOCK_BALANCES;
	if (!c->reconcile.given && !s->pack->operations[op].present) {
		command_free(c);
		return exchange_wrong(x, "no_such_operation", "/system",
				      "The connector cannot read balances: give them (\"balances\": \"given\").");
	}
	if (c->reconcile.on_drift == ON_DRIFT_CORRECT && !(s->roles & ROLE_CHANNEL) &&
	    x->tenant->record_stock != (int16_t)s->index) {
		command_free(c);
		return exchange_wrong(
		    x, "not_the_record", "/on_drift",
		    "Only what differs from the record for stock, or from a channel, can be corrected.");
	}
	return exchange_submit(x, c);
}

/* Whether the reconciliation is open and compares what it is given. false: *next is the answer. */
static bool takes_balances(struct exchange *x, enum server_next *next)
{
	struct reading r;
	struct store_value row[10];
	struct err e = ERR_NONE;
	*next = SERVER_ANSWERED;
	if (!reading_begin(x, &r))
		return false;
	enum rc rc = query_one(&r.query, R_RECONCILIATION, SV_TEXT(x->params[0]), "reconciliation_not_found",
			       "reconciliation", row, &e);
	bool open = rc == RC_OK && row[7].integer == RECONCILIATION_RUNNING && str_is(row[4].bytes, "given");
	reading_drop(x, &r);
	if (rc == RC_OK && !open)
		*next = exchange_refuse(x, "reconciliation_not_found", "No such reconciliation waits for balances.");
	else if (!open)
		*next = exchange_fail(x, &e);
	return open;
}

enum server_next reconciliations_balances(struct exchange *x)
{
	struct err e = ERR_NONE;
	struct findings f;
	enum server_next next;
	findings_init(&f, x->request->arena);
	if (!x->edge->connect)
		return exchange_refuse(x, "not_ready", "Reconciliations do not run here.");
	if (!takes_balances(x, &next))
		return next;
	struct reconciler *reconciler = connect_reconciler(x->edge->connect);
	enum rc rc = reconciler_give(reconciler, x->hub, x->params[0], x->request->body, &f, &e);
	if (rc == RC_OK)
		return exchange_answer(x, 202, STR("{\"status\":\"taken\"}"), NULL, 0);
	if (rc == RC_INVALID && f.count)
		return exchange_invalid(x, &f);
	if (rc != RC_NOT_FOUND)
		return exchange_fail(x, &e);
	reconciler_wake(reconciler);
	return exchange_refuse(x, "busy", "The reconciliation is beginning, or ending; send the page again.");
}

enum server_next reconciliations_get(struct exchange *x)
{
	const struct query_reconciliation_live live = {write_progress, x};
	struct reading r;
	struct err e = ERR_NONE;
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = query_reconciliation(&r.query, x->params[0], &live, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next reconciliations_list(struct exchange *x)
{
	const struct query_reconciliation_live live = {write_progress, x};
	struct parameter p[] = {{.name = "limit"}, {.name = "cursor"}};
	struct reading r;
	struct query_page page;
	struct err e = ERR_NONE;
	if (!reading_begin_page(x, p, 2, &r, &page))
		return SERVER_ANSWERED;
	enum rc rc = query_reconciliations(&r.query, &live, &page, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next reconciliations_drift(struct exchange *x)
{
	struct parameter p[] = {{.name = "limit"}, {.name = "cursor"}, {.name = "class"}};
	struct reading r;
	struct query_page page;
	struct err e = ERR_NONE;
	if (!reading_begin_page(x, p, 3, &r, &page))
		return SERVER_ANSWERED;
	enum rc rc = query_drift(&r.query, x->params[0], p[2].value, &page, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next reconciliations_report(struct exchange *x)
{
	struct parameter p[] = {{.name = "class"}};
	struct reading r;
	struct err e = ERR_NONE;
	if (exchange_parameters(x, p, 1, &e) != RC_OK)
		return exchange_fail(x, &e);
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = query_drift_csv(&r.query, x->params[0], p[0].value, &r.out, &e);
	return reading_end_as(x, &r, "text/csv; charset=utf-8", rc, &e);
}
