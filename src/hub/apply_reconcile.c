/* Reconciliations: a run begins, its differences are written down and acted upon, it ends. */
#include "hub/reconciliation.h"
#include "hub/state.h"

#include "orchestrate/stock/verbs.h"

const char *reconciliation_status_name(int64_t status)
{
	switch (status) {
	case RECONCILIATION_RUNNING:
		return "running";
	case RECONCILIATION_DONE:
		return "done";
	case RECONCILIATION_FAILED:
		return "failed";
	case RECONCILIATION_CANCELLED:
		return "cancelled";
	default:
		return "invalid";
	}
}

static void event(struct hub *h, const char *type, struct str id, struct str system, struct str summary)
{
	struct txn *t = &h->batch.txn;
	struct json_writer w;
	struct buf data;

	buf_init(&data, 1u << 20);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "reconciliation_id", id);
	jw_opt_text(&w, "system", system);
	if (summary.n) {
		jw_key(&w, "summary");
		jw_raw(&w, summary);
	}
	jw_object_end(&w);
	txn_event(t, type, id, 0, txn_text(t, &data));
	buf_done(&data);
}

void apply_reconcile_begin(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;
	struct str id = txn_uuid(t);

	txn_put(t, W_RECONCILIATION, SV_INT(++t->heads->reconciliation), SV_TEXT(id), SV_INT(t->now),
		SV_TEXT(txn_copy(t, c->target)), SV_TEXT(c->reconcile.given ? STR("given") : STR("read")),
		SV_TEXT(str_from(drift_reaction_name(c->reconcile.on_drift))), SV_TEXT(c->correlation_id),
		SV_INT(RECONCILIATION_RUNNING), SV_NULL, SV_NULL);
	h->batch.reconciliations_changed = true;
	event(h, "reconciliation.started", id, c->target, STR_NONE);
	c->answer = answer_fields(&c->arena, 202, "reconciliation_id", id, "status", STR("running"), "system",
				  c->target, "correlation_id", c->correlation_id, NULL);
}

/* ---- cancelling ---- */

enum column { SEQ, ID, AT, SYSTEM, SOURCE, ON_DRIFT, CORRELATION, STATUS, COLUMNS = 10 };

/* It was cancelled while the reconciler was still at it: what that says of it does not count. */
static bool is_over(struct hub *h, struct command *c, int64_t seq, struct str id)
{
	struct store_value row[COLUMNS];

	if (batch_touched(h, TOUCHED_RECONCILIATION, seq))
		return true;
	return store_read_one(h->reader, R_RECONCILIATION, &SV_TEXT(id), 1, &c->arena, row, NULL) == RC_OK &&
	       row[STATUS].integer == RECONCILIATION_CANCELLED;
}

static struct str reason_json(struct txn *t, struct str reason)
{
	struct json_writer w;
	struct buf data;
	struct str text;

	buf_init(&data, 64u << 10);
	jw_init(&w, &data);
	jw_object(&w);
	jw_opt_text(&w, "reason", reason);
	jw_object_end(&w);
	text = txn_text(t, &data);
	buf_done(&data);
	return text;
}

void apply_reconcile_cancel(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;
	struct store_value row[COLUMNS];
	struct err e = ERR_NONE;
	enum rc rc = store_read_one(h->reader, R_RECONCILIATION, &SV_TEXT(c->target), 1, &c->arena, row, &e);
	struct str summary;

	if (rc == RC_NOT_FOUND) {
		c->answer = answer_error(&c->arena, 404, "reconciliation_not_found", "there is no such reconciliation");
		return;
	}
	if (rc != RC_OK) {
		c->answer = answer_error(&c->arena, 503, "store_unavailable", "the reconciliation cannot be read now");
		return;
	}
	if (row[STATUS].integer != RECONCILIATION_RUNNING ||
	    batch_touched(h, TOUCHED_RECONCILIATION, row[SEQ].integer)) {
		c->answer = answer_error(&c->arena, 409, "reconciliation_ended", "the reconciliation is over");
		return;
	}
	batch_touch(h, TOUCHED_RECONCILIATION, row[SEQ].integer);
	h->batch.reconciliations_changed = true;
	summary = reason_json(t, c->reason);
	txn_put(t, W_RECONCILIATION_END, SV_INT(row[SEQ].integer), SV_INT(RECONCILIATION_CANCELLED), SV_INT(t->now),
		SV_TEXT(summary));
	t->cause.correlation_id = txn_copy(t, row[CORRELATION].bytes);
	event(h, "reconciliation.cancelled", txn_copy(t, row[ID].bytes), row[SYSTEM].bytes, summary);
	c->answer = answer_fields(&c->arena, 200, "reconciliation_id", c->target, "status", STR("cancelled"), NULL);
}

/* ---- what differs ---- */

static struct str place_text(struct txn *t, const struct drift *d)
{
	return str_from(arena_printf(t->arena, STR_FMT "%s" STR_FMT "%s" STR_FMT, STR_ARG(d->sku),
				     d->place.n ? " at " : "", STR_ARG(d->place), d->lot.n ? " lot " : "",
				     STR_ARG(d->lot)));
}

static struct str words(struct hub *h, const struct drift *d, uint16_t system)
{
	struct txn *t = &h->batch.txn;
	char theirs[DECIMAL_TEXT_MAX], ours[DECIMAL_TEXT_MAX];
	bool channel = h->tenant->systems[system].roles & ROLE_CHANNEL;

	qty_format(d->theirs, theirs);
	qty_format(d->ours, ours);
	return str_from(arena_printf(t->arena, STR_FMT " %s %s of " STR_FMT ", %s %s%s" STR_FMT ".",
				     STR_ARG(h->tenant->systems[system].name), channel ? "shows" : "has", theirs,
				     STR_ARG(place_text(t, d)), channel ? "it should show" : "the ledger has", ours,
				     d->why.n ? ": " : "", STR_ARG(d->why)));
}

/* Theirs is the record: a count of it, as of its instant. false: the books cannot take it. */
static bool correct_stock(struct hub *h, const struct command *c, const struct drift *d)
{
	struct txn *t = &h->batch.txn;
	const struct config_system *s = &h->tenant->systems[c->drift.system];
	struct movement_line line = {.sku = d->sku, .location = d->place, .lot = d->lot, .quantity = d->theirs};
	struct movement m = {.type = MOVE_COUNT,
			     .source = s->name,
			     .occurred_at = d->as_of,
			     .reason = STR("reconciliation"),
			     .quantity_only = true,
			     .line_count = 1,
			     .lines = &line};
	struct movement_result result;
	struct err e = ERR_NONE;

	if (d->lots || d->location == RECONCILE_ANYWHERE)
		return false;
	m.source_event_id =
	    str_from(arena_printf(t->arena, STR_FMT "/" STR_FMT, STR_ARG(c->drift.id), STR_ARG(place_text(t, d))));
	return stock_step_movement(h->state.stock, h->state.orders, t, &m, &result, &e) == RC_OK;
}

static bool correct(struct hub *h, const struct command *c, const struct drift *d)
{
	if (d->class_ != DRIFT_LOST && d->class_ != DRIFT_DOUBLE)
		return false;
	if (!(h->tenant->systems[c->drift.system].roles & ROLE_CHANNEL))
		return correct_stock(h, c, d);
	publish_shown(h->state.publisher, c->drift.system, d->sku, d->theirs, h->batch.txn.now);
	return true;
}

static void apply_row(struct hub *h, const struct command *c, struct drift_row *row)
{
	struct txn *t = &h->batch.txn;
	const struct drift *d = &row->drift;
	char theirs[DECIMAL_TEXT_MAX], ours[DECIMAL_TEXT_MAX];
	struct str detail = words(h, d, c->drift.system);

	if (row->action == DRIFT_CORRECTED && !correct(h, c, d))
		row->action = DRIFT_RAISED;
	if (row->action == DRIFT_RAISED)
		txn_exception(t, "stock_drift", place_text(t, d), STR_NONE, detail);
	txn_put(t, W_DRIFT, SV_INT(++t->heads->drift), SV_INT(c->drift.seq), SV_TEXT(d->sku), SV_TEXT_OPT(d->place),
		SV_TEXT_OPT(d->lot), SV_TEXT(txn_copy(t, (struct str){theirs, qty_format(d->theirs, theirs)})),
		SV_TEXT(txn_copy(t, (struct str){ours, qty_format(d->ours, ours)})), SV_INT(d->as_of),
		SV_INT(d->class_), SV_INT(row->action), SV_TEXT_OPT(d->why));
}

void apply_reconcile_drift(struct hub *h, struct command *c)
{
	for (size_t i = 0; i < c->drift.count && (i > 0 || !is_over(h, c, c->drift.seq, c->drift.id)); i++)
		apply_row(h, c, &c->drift.rows[i]);
	c->answer = answer_json(200, STR("{}"));
}

void apply_reconcile_end(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;

	c->answer = answer_json(200, STR("{}"));
	if (is_over(h, c, c->reconcile_end.seq, c->reconcile_end.id))
		return;
	batch_touch(h, TOUCHED_RECONCILIATION, c->reconcile_end.seq);
	if (c->reconcile_end.unraised)
		txn_exception(t, "stock_drift", c->reconcile_end.id, STR_NONE,
			      str_from(arena_printf(t->arena, "%lld more differences than are raised one by one.",
						    (long long)c->reconcile_end.unraised)));
	txn_put(t, W_RECONCILIATION_END, SV_INT(c->reconcile_end.seq),
		SV_INT(c->reconcile_end.failed ? RECONCILIATION_FAILED : RECONCILIATION_DONE), SV_INT(t->now),
		SV_TEXT(c->reconcile_end.summary));
	event(h, c->reconcile_end.failed ? "reconciliation.failed" : "reconciliation.completed", c->reconcile_end.id,
	      STR_NONE, c->reconcile_end.summary);
}
