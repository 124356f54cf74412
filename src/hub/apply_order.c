/* Orders: a repeat gets the first answer, a contradiction is refused, the rest goes to the steps of order-to-cash. */
#include "hub/state.h"

#include "orchestrate/stock/item.h"

#include <stdio.h>

struct known_order {
	struct str order_id, correlation_id, channel, external_id;
	enum order_status status;
};

/* The order that has this natural key already: in memory if the open batch made it, else from the store. */
static enum rc find_known(struct hub *h, struct command *c, int64_t seq, struct known_order *out, struct err *e)
{
	struct store_value row[12];
	enum rc rc;

	for (struct order_open *o = h->state.orders->changed; o && seq > h->batch.committed.orders;
	     o = o->next_changed) {
		if (o->seq != seq)
			continue;
		*out = (struct known_order){o->order_id, o->correlation_id, h->tenant->channels[o->channel].name,
					    o->external_id, o->status};
		return RC_OK;
	}
	rc = store_read_one(h->reader, R_ORDER_BY_SEQ, &SV_INT(seq), 1, &c->arena, row, e);
	if (rc == RC_OK)
		*out = (struct known_order){row[1].bytes, row[9].bytes, row[2].bytes, row[3].bytes,
					    (enum order_status)row[4].integer};
	return rc;
}

/* Decided, for a caller that waits for it: 201 with the status; else 202 captured. */
static struct answer captured(struct command *c, struct str order_id, struct str correlation_id,
			      enum order_status status)
{
	struct str said = STR("captured");
	int code = 202;

	if (c->wait_decision && status != ORDER_CAPTURED) {
		said = str_from(order_status_name(status));
		code = 201;
	}
	return answer_fields(&c->arena, code, "order_id", order_id, "correlation_id", correlation_id, "status", said,
			     NULL);
}

static void repeated(struct hub *h, struct command *c, const struct dedup_entry *seen, struct str natural_key)
{
	struct known_order known;
	struct err e = ERR_NONE;
	enum rc rc = find_known(h, c, seen->ref, &known, &e);

	if (rc != RC_OK) {
		c->answer = answer_error(&c->arena, 503, "store_unavailable", "the first answer cannot be read now");
		return;
	}
	if (seen->fingerprint == c->fingerprint && str_eq(known.channel, c->order.channel) &&
	    str_eq(known.external_id, c->order.external_id)) {
		c->answer = captured(c, known.order_id, known.correlation_id, known.status);
		c->answer.replayed = true;
		if (c->message_seq)
			inbox_settle(h, c, FATE_DUPLICATE, natural_key, STR_NONE, known.order_id);
		return;
	}
	c->answer = answer_error(&c->arena, 409, "order_exists",
				 "order " STR_FMT " of channel " STR_FMT " exists already, with other content",
				 STR_ARG(c->order.external_id), STR_ARG(c->order.channel));
	if (c->message_seq) {
		/* The channel has changed an order that we have: a person decides what that means. */
		txn_exception(&h->batch.txn, "order_changed", known.order_id, known.order_id,
			      STR("The channel has sent this order again with other content."));
		inbox_settle(h, c, FATE_REJECTED, natural_key, STR("order_exists"), known.order_id);
	}
}

/* Its lines as the ledger keeps them: our SKUs, base units. The document stays as the channel wrote it. */
static enum rc resolve_lines(struct hub *h, struct command *c, struct err *e)
{
	for (size_t i = 0; i < c->order.line_count; i++) {
		struct order_line *l = &c->order.lines[i];
		struct item_line in = {.sku = l->sku, .uom = l->uom, .quantity = l->quantity};
		enum rc rc = item_resolve_line(h->state.stock, &c->arena, c->order.channel, i, &in, e);

		if (rc != RC_OK)
			return rc;
		l->sku = in.sku;
		l->quantity = in.quantity;
	}
	return RC_OK;
}

/* The channel has taken it off what it shows. */
static void note_sold(struct hub *h, uint16_t channel, const struct order *order)
{
	for (size_t i = 0; i < order->line_count; i++) {
		struct stock_item *item = stock_find(h->state.stock, order->lines[i].sku);

		if (item)
			publish_sold(h->state.publisher, &h->batch.txn, channel, item, order->lines[i].quantity);
	}
}

/* What it asks for beyond what a reservation holds for it already. */
static size_t needs_of(struct hub *h, const struct order *order, struct away_need *needs)
{
	const struct hold *hold = order->reservation_id.n ? hold_find(h->state.holds, order->reservation_id) : NULL;
	size_t count = 0;

	for (size_t i = 0; hold && i < hold->line_count; i++)
		hold->lines[i].place->item->wanted = 0;
	for (size_t i = 0; hold && i < hold->line_count; i++)
		hold->lines[i].place->item->wanted += hold->lines[i].quantity;
	for (size_t i = 0; i < order->line_count; i++) {
		struct away_need n = {stock_find(h->state.stock, order->lines[i].sku), order->lines[i].quantity};
		qty_t held = hold && n.item ? n.item->wanted : 0;

		held = held < n.quantity ? held : n.quantity;
		n.quantity -= held;
		if (n.item)
			n.item->wanted -= held;
		if (n.quantity > 0)
			needs[count++] = n;
	}
	return count;
}

/* RC_OK: it is taken; *held: it is on hold until the ERP is there again. RC_RETRY: it is refused. */
static enum rc judge_away(struct hub *h, struct command *c, bool *held, struct err *e)
{
	const struct config_channel *channel = config_find_channel(h->tenant, c->order.channel);
	struct str decision = STR("accepted");
	struct away_need *needs;
	bool away = false;
	size_t count;
	enum rc rc;

	*held = false;
	if (!channel || channel->away.over_limit == AWAY_ACCEPT)
		return RC_OK;
	needs = arena_array(&c->arena, struct away_need, c->order.line_count);
	if (!needs)
		return err_set(e, RC_LIMIT, "batch_too_large", "the batch is full");
	for (size_t i = 0; i < c->order.line_count; i++) {
		struct stock_item *item = stock_find(h->state.stock, c->order.lines[i].sku);

		if (item)
			item->wanted = 0;
	}
	count = needs_of(h, &c->order, needs);
	if (count == 0)
		return RC_OK;
	rc = away_judge(h->state.away, h->state.stock, (uint16_t)(channel - h->tenant->channels), needs, count,
			c->order.value_known ? &c->order.value : NULL, c->order.currency, h->batch.txn.now, &away, e);
	if (rc != RC_OK) {
		*held = channel->away.over_limit == AWAY_HOLD;
		decision = *held ? STR("held") : STR("refused");
		rc = *held ? RC_OK : rc;
	}
	if (away)
		txn_count(&h->batch.txn, COUNTED_AWAY, channel->name, decision, STR_NONE, 1);
	return rc;
}

void apply_order_capture(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;
	struct hash128 key = dedup_hash(DEDUP_ORDER, c->order.channel, c->order.external_id);
	const struct dedup_entry *seen = dedup_find(h->state.dedup, key);
	struct order_capture capture = {.order = &c->order, .document = c->document};
	struct str natural_key = str_from(
	    arena_printf(&c->arena, STR_FMT "/" STR_FMT, STR_ARG(c->order.channel), STR_ARG(c->order.external_id)));
	struct err e = ERR_NONE;
	struct hold *hold;
	bool held = false;
	enum rc rc;

	if (seen) {
		repeated(h, c, seen, natural_key);
		return;
	}
	rc = resolve_lines(h, c, &e);
	if (rc == RC_OK)
		rc = judge_away(h, c, &held, &e);
	if (rc == RC_OK)
		rc = order_step_capture(h->state.orders, t, &capture, &e);
	if (rc != RC_OK) {
		c->answer = answer_problem(&c->arena, answer_status_of(rc), &e);
		/* Who sent it as a message was told that we have it. */
		if ((rc == RC_INVALID || rc == RC_RETRY) && c->message_seq)
			txn_exception(t, "order_not_taken", natural_key, STR_NONE, txn_copy(t, str_from(e.detail)));
		if (rc == RC_INVALID || (rc == RC_RETRY && c->message_seq))
			inbox_settle(h, c, FATE_REJECTED, natural_key, str_from(e.code), STR_NONE);
		return;
	}
	txn_dedup(t, DEDUP_ORDER, key, c->fingerprint, capture.out->seq);
	note_sold(h, capture.out->channel, &c->order);
	hold = c->order.reservation_id.n ? hold_find(h->state.holds, c->order.reservation_id) : NULL;
	if (hold)
		hold_step_commit(h->state.holds, t, hold, capture.out);
	if (held)
		order_step_await(h->state.orders, t, capture.out, txn_copy(t, str_from(e.detail)));
	else
		order_step_decide(h->state.orders, t, capture.out);
	c->answer = captured(c, capture.out->order_id, t->cause.correlation_id, capture.out->status);
	inbox_settle(h, c, FATE_APPLIED, natural_key, STR_NONE, txn_copy(t, capture.out->order_id));
}

static struct answer cancelled(struct command *c)
{
	return answer_fields(&c->arena, 200, "order_id", c->target, "status", STR("cancelled"), "correlation_id",
			     c->correlation_id, NULL);
}

void apply_order_cancel(struct hub *h, struct command *c)
{
	struct order_open *o = order_find(h->state.orders, c->target);
	struct store_value row[12];
	struct err e = ERR_NONE;
	enum rc rc;

	if (o && o->status < ORDER_CLOSED) {
		/* What follows belongs to the order's transaction. */
		h->batch.txn.cause.correlation_id = txn_copy(&h->batch.txn, o->correlation_id);
		rc = order_step_cancel(h->state.orders, &h->batch.txn, o, c->reason, &e);
		c->answer = rc == RC_OK ? cancelled(c) : answer_problem(&c->arena, answer_status_of(rc), &e);
		inbox_settle(h, c, rc == RC_OK ? FATE_APPLIED : FATE_REJECTED, STR_NONE, str_from(e.code), c->target);
		return;
	}
	if (o) {
		row[4].integer = o->status;
		rc = RC_OK;
	} else {
		rc = store_read_one(h->reader, R_ORDER, &SV_TEXT(c->target), 1, &c->arena, row, &e);
	}
	if (rc == RC_NOT_FOUND)
		c->answer = answer_error(&c->arena, 404, "order_not_found", "there is no such order");
	else if (rc != RC_OK)
		c->answer = answer_error(&c->arena, 503, "store_unavailable", "the order cannot be read now");
	else if (row[4].integer == ORDER_CANCELLED)
		c->answer = cancelled(c);
	else
		c->answer = answer_error(&c->arena, 409, "order_closed", "the order is %s and cannot be cancelled",
					 order_status_name((enum order_status)row[4].integer));
}
