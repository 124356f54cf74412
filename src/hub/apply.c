/* What each command does: the one place where a command meets the function that applies it. */
#include "hub/state.h"

/* A key belongs to the first request that was answered with it, also if that wrote no row of its own. */
static void keep_answer(struct hub *h, struct command *c, int64_t inbox_before)
{
	enum fate fate = c->answer.replayed ? FATE_DUPLICATE : c->answer.status >= 400 ? FATE_REJECTED : FATE_APPLIED;

	if (c->idempotency_key.n && !c->message_seq && c->type != COMMAND_MESSAGE_ACCEPT && c->answer.status < 500 &&
	    h->state.heads.inbox == inbox_before)
		inbox_settle(h, c, fate, STR_NONE, STR_NONE, STR_NONE);
}

/* What the hub does for a system by itself says nothing of whether the system is alive: it may be a reconciliation that
 * gets no answer. */
static bool is_heard(enum command_type type)
{
	switch (type) {
	case COMMAND_DELIVERY_START:
	case COMMAND_DELIVERY_RESULT:
	case COMMAND_RECONCILE_BEGIN:
	case COMMAND_RECONCILE_DRIFT:
	case COMMAND_RECONCILE_END:
	case COMMAND_RECONCILE_CANCEL:
		return false;
	default:
		return true;
	}
}

void apply_command(struct hub *h, struct command *c)
{
	int64_t inbox = h->state.heads.inbox;

	h->batch.txn.cause = (struct txn_cause){c->correlation_id, c->source};
	if (c->source.n && is_heard(c->type))
		publish_heard(h->state.publisher, c->source, h->now);
	if (inbox_replayed(h, c))
		return;
	switch (c->type) {
	case COMMAND_ORDER_CAPTURE:
		apply_order_capture(h, c);
		break;
	case COMMAND_ORDER_CANCEL:
		apply_order_cancel(h, c);
		break;
	case COMMAND_STOCK_MOVE:
		apply_stock_move(h, c);
		break;
	case COMMAND_SHIPMENT:
		apply_shipment(h, c);
		break;
	case COMMAND_HOLD:
		apply_hold(h, c);
		break;
	case COMMAND_HOLD_COMMIT:
		apply_hold_commit(h, c);
		break;
	case COMMAND_HOLD_VOID:
		apply_hold_void(h, c);
		break;
	case COMMAND_RECORD:
		apply_record(h, c);
		break;
	case COMMAND_MESSAGE_ACCEPT:
		apply_message_accept(h, c);
		break;
	case COMMAND_MESSAGE_DEAD:
		apply_message_dead(h, c);
		break;
	case COMMAND_DELIVERY_START:
		apply_delivery_start(h, c);
		break;
	case COMMAND_DELIVERY_RESULT:
		apply_delivery_result(h, c);
		break;
	case COMMAND_SYSTEM_PAUSE:
		apply_system_pause(h, c, true);
		break;
	case COMMAND_SYSTEM_RESUME:
		apply_system_pause(h, c, false);
		break;
	case COMMAND_SYSTEM_NOTE:
		apply_system_note(h, c);
		break;
	case COMMAND_SUBSCRIPTION_CREATE:
		apply_subscription_create(h, c);
		break;
	case COMMAND_SUBSCRIPTION_CHANGE:
		apply_subscription_change(h, c);
		break;
	case COMMAND_SUBSCRIPTION_DELETE:
		apply_subscription_delete(h, c);
		break;
	case COMMAND_SUBSCRIPTION_ROTATE:
		apply_subscription_rotate(h, c);
		break;
	case COMMAND_SUBSCRIPTION_REPLAY:
		apply_subscription_replay(h, c);
		break;
	case COMMAND_SUBSCRIPTION_TEST:
		apply_subscription_test(h, c);
		break;
	case COMMAND_RECONCILE_BEGIN:
		apply_reconcile_begin(h, c);
		break;
	case COMMAND_RECONCILE_DRIFT:
		apply_reconcile_drift(h, c);
		break;
	case COMMAND_RECONCILE_END:
		apply_reconcile_end(h, c);
		break;
	case COMMAND_RECONCILE_CANCEL:
		apply_reconcile_cancel(h, c);
		break;
	case COMMAND_DELIVERY_RUN:
		apply_delivery_run(h, c);
		break;
	case COMMAND_DELIVERY_CANCEL:
		apply_delivery_cancel(h, c);
		break;
	case COMMAND_DEAD_LETTER_EDIT:
		apply_dead_letter_edit(h, c);
		break;
	case COMMAND_DEAD_LETTER_REPLAY:
		apply_dead_letter_replay(h, c);
		break;
	case COMMAND_DEAD_LETTER_DISCARD:
		apply_dead_letter_discard(h, c);
		break;
	case COMMAND_EXCEPTION_ASSIGN:
		apply_exception_assign(h, c);
		break;
	case COMMAND_EXCEPTION_RESOLVE:
		apply_exception_resolve(h, c);
		break;
	case COMMAND_JOB_START:
		apply_job_start(h, c);
		break;
	case COMMAND_JOB_PROGRESS:
		apply_job_progress(h, c);
		break;
	case COMMAND_JOB_CANCEL:
		apply_job_cancel(h, c);
		break;
	case COMMAND_RING_FENCES:
		apply_ring_fences(h, c);
		break;
	case COMMAND_TYPES:
		break;
	}
	keep_answer(h, c, inbox);
	order_step_restock(h->state.orders, &h->batch.txn);
}
