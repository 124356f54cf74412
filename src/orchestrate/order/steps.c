/*
 * The steps of order-to-cash up to the release. One function, set_status, changes an order's status; what follows from
 * a status is in advance: post to the ERP once reserved, ask the warehouses once accepted. A warehouse is asked once
 * for each wave: for what is allocated and was not yet released.
 */
#include "orchestrate/order/steps.h"

#define DATA_MAX (4u << 20)

/* ---- what is told ---- */

void order_data_begin(struct buf *b, struct json_writer *w, const struct order_book *book, const struct order_open *o)
{
	buf_init(b, DATA_MAX);
	jw_init(w, b);
	jw_object(w);
	jw_key_text(w, "order_id", o->order_id);
	jw_key_text(w, "channel", book->tenant->channels[o->channel].name);
	jw_key_text(w, "external_id", o->external_id);
}

struct str order_data_end(struct buf *b, struct json_writer *w, struct txn *t)
{
	struct str text;

	jw_object_end(w);
	text = txn_text(t, b);
	buf_done(b);
	return text;
}

bool system_can(const struct config_system *s, unsigned role, enum operation op)
{
	return (s->roles & role) && s->pack->operations[op].present;
}

void order_deliver(struct txn *t, const struct order_open *o, const struct config_system *s, enum operation op,
		   int64_t event, int64_t document, struct str params)
{
	txn_delivery(t, &(struct txn_delivery){
			    .system = s->name,
			    .system_index = s->index,
			    .operation = op,
			    .priority = config_operation(s, op)->priority,
			    .key = o->order_id,
			    .order_id = o->order_id,
			    .event = event,
			    .document = document,
			    .params = params,
			});
}

static void tell_channel(struct order_book *b, struct txn *t, const struct order_open *o, int64_t event,
			 struct str reason)
{
	const struct config_system *s = &b->tenant->systems[b->tenant->channels[o->channel].system];
	struct json_writer w;
	struct buf data;

	if (!system_can(s, ROLE_CHANNEL, OP_ORDER_STATUS))
		return;
	order_data_begin(&data, &w, b, o);
	jw_key_text(&w, "status", str_from(order_status_name(o->status)));
	jw_key_time(&w, "stage_since", o->stage_since);
	jw_opt_text(&w, "reason", reason);
	order_write_changes(&w, o);
	order_deliver(t, o, s, OP_ORDER_STATUS, event, 0, order_data_end(&data, &w, t));
}

/* The event that says so, "order.<status>". */
int64_t order_set_status(struct order_book *b, struct txn *t, struct order_open *o, enum order_status status,
			 struct str reason)
{
	char *type = arena_printf(t->arena, "order.%s", order_status_name(status));
	struct json_writer w;
	struct buf data;

	txn_count(t, COUNTED_ORDERS, str_from(order_status_name(o->status)), STR_NONE, STR_NONE, -1);
	txn_count(t, COUNTED_ORDERS, str_from(order_status_name(status)), STR_NONE, STR_NONE, 1);
	/* What came while it was on hold was not given to it: the restock looks again. */
	for (uint32_t i = 0; o->status == ORDER_ON_HOLD && i < o->line_count; i++)
		order_wake(b, &o->lines[i]);
	o->status = status;
	o->stage_since = t->now;
	order_changed(b, o);
	order_data_begin(&data, &w, b, o);
	jw_key_text(&w, "status", str_from(order_status_name(status)));
	jw_opt_text(&w, "reason", reason);
	if (status == ORDER_ACCEPTED && o->external.id.n) {
		jw_key_text(&w, "system", b->tenant->systems[o->external.system].name);
		jw_key_text(&w, "system_id", o->external.id);
	}
	return txn_event(t, type ? type : "order", o->order_id, 0, order_data_end(&data, &w, t));
}

/* ---- what follows ---- */

static void accepted(struct order_book *b, struct txn *t, struct order_open *o)
{
	o->posted = true;
	order_changed(b, o);
	if (o->status < ORDER_ACCEPTED)
		order_set_status(b, t, o, ORDER_ACCEPTED, STR_NONE);
	order_release(b, t, o);
}

/* What the ERP is told beside the order as it was placed. */
static struct str changes(const struct order_book *b, struct txn *t, const struct order_open *o)
{
	struct json_writer w;
	struct buf data;

	if (!order_has_changes(o))
		return STR_NONE;
	order_data_begin(&data, &w, b, o);
	order_write_changes(&w, o);
	return order_data_end(&data, &w, t);
}

/* Posts to the ERP; a tenant without one goes straight on. */
static void post(struct order_book *b, struct txn *t, struct order_open *o, int64_t event)
{
	for (size_t i = 0; i < b->tenant->system_count; i++) {
		const struct config_system *s = &b->tenant->systems[i];

		if (!system_can(s, ROLE_ERP, OP_ORDER_POST))
			continue;
		order_deliver(t, o, s, OP_ORDER_POST, event, o->document, changes(b, t, o));
		return;
	}
	if (b->tenant->has_order_process)
		accepted(b, t, o);
}

static bool nothing_left(const struct order_open *o)
{
	for (uint32_t i = 0; i < o->line_count; i++)
		if (o->lines[i].ordered > o->lines[i].cancelled)
			return false;
	return true;
}

/* What there is too little of will not come again. True: there is nothing more to do for now. */
static bool refuse_discontinued(struct order_book *b, struct txn *t, struct order_open *o)
{
	bool hold = b->tenant->channels[o->channel].discontinued == DISCONTINUED_HOLD;
	struct str reason = order_end_discontinued(b, t, o);
	int64_t event;

	if (!reason.n)
		return false;
	txn_exception(t, "discontinued", o->order_id, o->order_id, reason);
	if (!hold && !nothing_left(o))
		return false;
	event = order_set_status(b, t, o, hold ? ORDER_ON_HOLD : ORDER_REJECTED, reason);
	tell_channel(b, t, o, event, reason);
	return true;
}

static void note_backorder(struct txn *t, const struct order_book *b, const struct order_open *o)
{
	for (uint32_t i = 0; i < o->line_count; i++)
		if (o->lines[i].backordered > 0)
			txn_count(t, COUNTED_BACKORDERED_LINES, STR_NONE, STR_NONE, STR_NONE, 1);
	txn_exception(t, "backordered", o->order_id, o->order_id,
		      str_from(arena_printf(t->arena,
					    "Order " STR_FMT " of " STR_FMT
					    " is for more than is in stock: the rest is backordered.",
					    STR_ARG(o->external_id), STR_ARG(b->tenant->channels[o->channel].name))));
}

void order_decide(struct order_book *b, struct txn *t, struct order_open *o, bool as_is)
{
	int64_t event;
	bool whole;

	order_reserve(b, t, o);
	if (!order_is_whole(o) && !as_is && refuse_discontinued(b, t, o))
		return;
	whole = order_is_whole(o); /* what will not come again is not waited for */
	event = order_set_status(b, t, o, whole ? ORDER_RESERVED : ORDER_BACKORDERED, STR_NONE);
	if (!whole)
		note_backorder(t, b, o);
	if (!whole || order_has_changes(o))
		tell_channel(b, t, o, event, STR_NONE);
	post(b, t, o, event);
}

static bool hold_for_unknown(struct order_book *b, struct txn *t, struct order_open *o)
{
	for (uint32_t i = 0; i < o->line_count; i++) {
		struct str reason;
		int64_t event;

		if (o->lines[i].item)
			continue;
		reason =
		    str_from(arena_printf(t->arena, "Line " STR_FMT " is for the item " STR_FMT ", which is not known.",
					  STR_ARG(o->lines[i].line_id), STR_ARG(o->lines[i].sku)));
		event = order_set_status(b, t, o, ORDER_ON_HOLD, reason);
		order_hold(b, o);
		txn_exception(t, "unknown_item", o->order_id, o->order_id, reason);
		tell_channel(b, t, o, event, reason);
		return true;
	}
	return false;
}

void order_step_await(struct order_book *b, struct txn *t, struct order_open *o, struct str reason)
{
	struct str id;
	int64_t event;

	if (hold_for_unknown(b, t, o))
		return;
	event = order_set_status(b, t, o, ORDER_ON_HOLD, reason);
	id = txn_exception(t, "erp_away", o->order_id, o->order_id, reason);
	order_set_await(o, t->heads->exception, id);
	order_hold(b, o);
	tell_channel(b, t, o, event, reason);
}

/* The exception is over with what it was about, unless a person was faster. */
static void end_exception(struct txn *t, const struct order_open *o, struct str resolution)
{
	struct json_writer w;
	struct buf data;

	if (!o->await || !o->await->exception)
		return;
	txn_put(t, W_EXCEPTION_CLOSE, SV_INT(o->await->exception), SV_INT(t->now), SV_TEXT(resolution));
	txn_count(t, COUNTED_EXCEPTIONS, STR("erp_away"), STR_NONE, STR_NONE, -1);
	buf_init(&data, DATA_MAX);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "exception_id", o->await->exception_id);
	jw_key_text(&w, "kind", STR("erp_away"));
	jw_key_text(&w, "order_id", o->order_id);
	jw_key_text(&w, "resolution", resolution);
	txn_event(t, "exception.resolved", o->order_id, 0, order_data_end(&data, &w, t));
}

void order_step_resume(struct order_book *b, struct txn *t, struct order_open *o)
{
	t->cause = (struct txn_cause){.correlation_id = o->correlation_id};
	end_exception(t, o, STR("The ERP is there again."));
	order_unhold(b, o);
	order_decide(b, t, o, false);
}

void order_exception_ended(struct order_book *b, struct order_open *o, int64_t exception)
{
	if (!o->await || o->await->exception != exception)
		return;
	o->await->exception = 0;
	order_changed(b, o);
}

enum rc order_step_capture(struct order_book *b, struct txn *t, struct order_capture *c, struct err *e)
{
	const struct order *in = c->order;
	struct order_texts texts = {
	    .order_id = txn_uuid(t),
	    .external_id = in->external_id,
	    .correlation_id = t->cause.correlation_id,
	    .customer = in->customer_id,
	    .currency = in->currency,
	    .line_count = in->line_count,
	};
	struct order_open *o;
	struct json_writer w;
	struct buf data;
	uint16_t channel = 0;
	enum allocation_rule rule;

	while (channel < b->tenant->channel_count && !str_eq(b->tenant->channels[channel].name, in->channel))
		channel++;
	if (channel == b->tenant->channel_count)
		return err_set_at(e, RC_INVALID, "unknown_channel", "/channel", "there is no channel " STR_FMT,
				  STR_ARG(in->channel));
	rule = b->tenant->channels[channel].allocation;
	if (rule == ALLOCATION_NEAREST || rule == ALLOCATION_COST) {
		texts.country = in->ship_to.country;
		texts.postal_code = in->ship_to.postal_code;
	}
	texts.line_ids = arena_array(t->arena, struct str, in->line_count);
	texts.skus = arena_array(t->arena, struct str, in->line_count);
	if (!texts.line_ids || !texts.skus)
		return err_set(e, RC_LIMIT, "batch_too_large", "the batch is full");
	for (size_t i = 0; i < in->line_count; i++) {
		texts.line_ids[i] = in->lines[i].line_id;
		texts.skus[i] = in->lines[i].sku;
	}
	o = order_make(b, &texts);
	if (!o)
		return err_set(e, RC_LIMIT, "too_many_orders",
			       "the limit on open orders (limits.open_orders) is reached");
	for (size_t i = 0; i < in->line_count; i++) {
		o->lines[i].ordered = in->lines[i].quantity;
		order_make_parts(&o->lines[i]);
	}
	o->seq = ++t->heads->orders;
	o->fresh = true;
	o->channel = channel;
	o->placed_at = in->placed_at;
	o->document = txn_document(t, STR("order"), c->document);
	order_note_external(b, channel, in->external_id);
	o->status = ORDER_CAPTURED;
	txn_count(t, COUNTED_ORDERS, STR("captured"), STR_NONE, STR_NONE, 1);
	o->stage_since = t->now;
	order_changed(b, o);
	order_data_begin(&data, &w, b, o);
	jw_key_text(&w, "status", STR("captured"));
	txn_event(t, "order.captured", o->order_id, o->document, order_data_end(&data, &w, t));
	c->out = o;
	return RC_OK;
}

void order_step_decide(struct order_book *b, struct txn *t, struct order_open *o)
{
	if (!hold_for_unknown(b, t, o))
		order_decide(b, t, o, false);
}

enum rc order_step_cancel(struct order_book *b, struct txn *t, struct order_open *o, struct str reason, struct err *e)
{
	struct stock_draft d;
	int64_t event;

	for (uint32_t i = 0; i < o->line_count; i++) {
		for (uint32_t n = 0; n < o->lines[i].allocation_count; n++)
			if (o->lines[i].allocations[n].released > 0 || o->lines[i].allocations[n].picked > 0)
				return err_set(e, RC_CONFLICT, "order_released",
					       "the warehouse was already asked to ship this order");
		for (uint32_t n = 0; n < o->lines[i].part_count; n++)
			if (o->lines[i].parts[n].shipped > 0)
				return err_set(e, RC_CONFLICT, "order_shipped",
					       "a part of this order was already shipped");
	}
	stock_draft_begin(&d, b->stock, t, STR("deallocate"), t->now);
	d.order_id = o->order_id;
	d.reason = reason;
	for (uint32_t i = 0; i < o->line_count; i++) {
		struct order_line_open *l = &o->lines[i];

		order_deallocate_line(&d, l);
		order_unwait(l);
		l->backordered = 0;
		l->cancelled = l->ordered;
	}
	stock_draft_end(&d, false);
	end_exception(t, o, STR("The order was cancelled."));
	order_unhold(b, o);
	event = order_set_status(b, t, o, ORDER_CANCELLED, reason);
	for (size_t i = 0; i < b->tenant->system_count; i++) {
		const struct config_system *s = &b->tenant->systems[i];
		struct json_writer w;
		struct buf data;

		if (!system_can(s, ROLE_ERP, OP_ORDER_CANCEL))
			continue;
		order_data_begin(&data, &w, b, o);
		jw_opt_text(&w, "reason", reason);
		order_deliver(t, o, s, OP_ORDER_CANCEL, event, 0, order_data_end(&data, &w, t));
	}
	tell_channel(b, t, o, event, reason);
	return RC_OK;
}

enum rc order_step_unhold(struct order_book *b, struct txn *t, struct order_open *o, struct err *e)
{
	if (o->status != ORDER_ON_HOLD)
		return err_set(e, RC_CONFLICT, "order_not_on_hold", "the order is not on hold");
	for (uint32_t i = 0; i < o->line_count; i++) {
		struct order_line_open *l = &o->lines[i];

		if (l->item)
			continue;
		l->item = stock_item_make(b->stock, t, l->sku, STR_NONE);
		if (!l->item)
			return err_set(e, RC_LIMIT, "too_many_items", "the limit on items (limits.items) is reached");
		order_make_parts(l);
		stock_touch(b->stock, l->item);
	}
	order_unhold(b, o);
	order_decide(b, t, o, true);
	return RC_OK;
}

void order_step_accepted(struct order_book *b, struct txn *t, struct order_open *o, uint16_t system,
			 struct str external_id)
{
	if (o->posted)
		return;
	order_set_external(o, system, external_id);
	accepted(b, t, o);
}

void order_step_released(struct order_book *b, struct txn *t, struct order_open *o)
{
	if (o->status == ORDER_ACCEPTED)
		order_set_status(b, t, o, ORDER_RELEASED, STR_NONE);
}

void order_step_refused(struct order_book *b, struct txn *t, struct order_open *o, const char *kind, struct str detail)
{
	int64_t event;

	txn_exception(t, kind, o->order_id, o->order_id, detail);
	if (o->posted)
		return;
	event = order_set_status(b, t, o, ORDER_ON_HOLD, detail);
	tell_channel(b, t, o, event, detail);
}
