/* Exceptions: who sees to one, and how it was resolved. Resolving the exception of an order that is on hold may release
 * or cancel that order, in the same transaction. */
#include "hub/state.h"

#include "orchestrate/stock/serial.h"

enum column { SEQ, ID, AT, KIND, SUBJECT, ORDER, CORRELATION, DETAIL, STATUS, ASSIGNEE };

static bool find_open(struct hub *h, struct command *c, struct store_value *row)
{
	struct err e = ERR_NONE;
	enum rc rc = store_read_one(h->reader, R_EXCEPTION, &SV_TEXT(c->target), 1, &c->arena, row, &e);

	if (rc == RC_NOT_FOUND)
		c->answer = answer_error(&c->arena, 404, "exception_not_found", "there is no such exception");
	else if (rc != RC_OK)
		c->answer = answer_error(&c->arena, 503, "store_unavailable", "the exception cannot be read now");
	else if (row[STATUS].integer != 0)
		c->answer = answer_error(&c->arena, 409, "exception_resolved", "the exception is resolved already");
	else if (batch_touched(h, TOUCHED_EXCEPTION, row[SEQ].integer))
		c->answer = answer_error(&c->arena, 409, "being_changed", "somebody else changes it now; try again");
	else
		return true;
	return false;
}

static void tell(struct hub *h, const char *type, const struct store_value *row, const char *name, struct str text,
		 struct str action)
{
	struct txn *t = &h->batch.txn;
	struct json_writer w;
	struct buf data;

	buf_init(&data, 64 << 10);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "exception_id", row[ID].bytes);
	jw_key_text(&w, "kind", row[KIND].bytes);
	jw_opt_text(&w, "order_id", row[ORDER].bytes);
	jw_opt_text(&w, name, text);
	jw_opt_text(&w, "action", action);
	jw_object_end(&w);
	txn_event(t, type, txn_copy(t, row[SUBJECT].bytes), 0, txn_text(t, &data));
	buf_done(&data);
}

void apply_exception_assign(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;
	struct store_value row[12];

	if (!find_open(h, c, row))
		return;
	batch_touch(h, TOUCHED_EXCEPTION, row[SEQ].integer);
	t->cause.correlation_id = txn_copy(t, row[CORRELATION].bytes);
	txn_put(t, W_EXCEPTION_STATE, SV_INT(row[SEQ].integer), SV_INT(0), SV_TEXT_OPT(c->reason), SV_NULL, SV_NULL);
	tell(h, "exception.assigned", row, "assignee", c->reason, STR_NONE);
	c->answer = answer_fields(&c->arena, 200, "exception_id", c->target, "status", STR("open"), "assignee",
				  c->reason, NULL);
}

static enum rc act(struct hub *h, struct command *c, struct str order_id, struct err *e)
{
	struct order_open *o = order_id.n ? order_find(h->state.orders, order_id) : NULL;

	if (!order_id.n)
		return err_set_at(e, RC_INVALID, "no_order", "/action", "the exception is not about an order");
	if (!o || o->status >= ORDER_CLOSED)
		return err_set(e, RC_CONFLICT, "order_closed", "the order is closed already");
	if (str_is(c->action, "release"))
		return order_step_unhold(h->state.orders, &h->batch.txn, o, e);
	return order_step_cancel(h->state.orders, &h->batch.txn, o, c->reason, e);
}

void apply_exception_resolve(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;
	struct store_value row[12];
	struct err e = ERR_NONE;
	enum rc rc = RC_OK;

	if (!find_open(h, c, row))
		return;
	t->cause.correlation_id = txn_copy(t, row[CORRELATION].bytes);
	/* The order's own end of it would close it a second time. */
	if (row[ORDER].bytes.n && order_find(h->state.orders, row[ORDER].bytes))
		order_exception_ended(h->state.orders, order_find(h->state.orders, row[ORDER].bytes), row[SEQ].integer);
	if (c->action.n)
		rc = act(h, c, row[ORDER].bytes, &e);
	if (rc != RC_OK) {
		c->answer = answer_problem(&c->arena, answer_status_of(rc), &e);
		return;
	}
	serial_exception_closed(h->state.stock->serials, row[SEQ].integer);
	batch_touch(h, TOUCHED_EXCEPTION, row[SEQ].integer);
	txn_put(t, W_EXCEPTION_STATE, SV_INT(row[SEQ].integer), SV_INT(1), SV_TEXT_OPT(row[ASSIGNEE].bytes),
		SV_INT(t->now), SV_TEXT_OPT(c->reason));
	txn_count(t, COUNTED_EXCEPTIONS, row[KIND].bytes, STR_NONE, STR_NONE, -1);
	tell(h, "exception.resolved", row, "resolution", c->reason, c->action);
	c->answer = answer_fields(&c->arena, 200, "exception_id", c->target, "status", STR("resolved"), "action",
				  c->action, NULL);
}
