/*
 * What the delivery engine asks and tells: may this be sent now, and what came of it.
 *
 * A refusal by the business is an exception for a person; what cannot work without a change of configuration, or has
 * failed for too long, is a dead letter. The two are never mixed.
 */
#include "hub/state.h"
#include "orchestrate/order/book.h"
#include "orchestrate/order/progress.h"

/* After a commit that was in doubt its starts and results come again, although it was there after all: what is final
 * stays as it is. */
static bool has_ended(struct hub *h, struct arena *a, int64_t seq, enum delivery_status *status)
{
	struct delivery d;
	struct err e = ERR_NONE;

	if (delivery_load(h->reader, a, seq, &d, &e) != RC_OK || d.head.status < DELIVERY_FINAL)
		return false;
	*status = (enum delivery_status)d.head.status;
	return true;
}

/* As it is called in the rows. */
static struct str system_name(struct hub *h, uint32_t system)
{
	if (!system_is_subscription(system))
		return h->tenant->systems[system].name;
	char name[SUBSCRIPTION_NAME_MAX];
	subscription_name(subscription_seq(system), name);
	return txn_copy(&h->batch.txn, str_from(name));
}

enum delivery_priority system_priority(const struct hub *h, uint32_t system, unsigned operation)
{
	if (system_is_subscription(system))
		return operation_priority((enum operation)operation);
	return config_operation(&h->tenant->systems[system], operation)->priority;
}

/* ---- start ---- */

static bool erp_has_order(struct hub *h, struct str order_id, struct arena *a)
{
	struct store_value row[12];
	struct json *progress;
	struct err e = ERR_NONE;

	if (store_read_one(h->reader, R_ORDER, &SV_TEXT(order_id), 1, a, row, &e) != RC_OK)
		return true;
	if (order_progress_read(a, row[11].bytes, &progress, &e) != RC_OK)
		return true;
	return json_get(progress, "external_ids") != NULL;
}

/* A delivery that was never tried may have lost its reason meanwhile. */
static enum delivery_status decide_start(struct hub *h, struct command *c, const struct delivery_start *s)
{
	if (s->superseded)
		return DELIVERY_SUPERSEDED;
	switch ((enum operation)s->operation) {
	case OP_AVAILABILITY:
		return publish_start(h->state.publisher, s->system, s->seq, s->attempts) ? DELIVERY_SENDING
											 : DELIVERY_SUPERSEDED;
	case OP_ORDER_POST:
		return s->attempts > 0 || order_find(h->state.orders, s->order_id) ? DELIVERY_SENDING
										   : DELIVERY_CANCELLED;
	case OP_ORDER_CANCEL:
		return s->attempts > 0 || erp_has_order(h, s->order_id, &c->arena) ? DELIVERY_SENDING
										   : DELIVERY_CANCELLED;
	case OP_SHIPMENT_REQUEST:
	case OP_STOCK_TRANSACTIONS:
	case OP_ORDER_STATUS:
	case OP_SHIPMENT:
	case OP_INVOICE:
	case OP_PRICE:
	case OP_ITEM:
	case OP_CUSTOMER:
	case OP_STOCK_BALANCES:
	case OP_AVAILABILITY_SHOWN:
	case OP_EVENT:
	case OP_EVENT_REPLAY:
	case OPERATIONS:
		break;
	}
	return DELIVERY_SENDING;
}

/* A cancellation in the same batch must see them. */
static void note_starts(struct hub *h, const struct command *c)
{
	struct batch_starts *n = arena_new(&h->batch.arena, struct batch_starts);

	if (!n) {
		h->batch.txn.failed = true;
		return;
	}
	*n = (struct batch_starts){c, h->batch.starts};
	h->batch.starts = n;
}

void apply_delivery_start(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;

	for (size_t i = 0; i < c->starts.count; i++) {
		struct delivery_start *s = &c->starts.items[i];
		enum delivery_status status, final;

		s->go = false;
		if (batch_touched(h, TOUCHED_DELIVERY, s->seq) ||
		    (delivery_cancelled(h, s->seq) && has_ended(h, &c->arena, s->seq, &final)))
			continue;
		if (h->doubted && has_ended(h, &c->arena, s->seq, &final))
			continue;
		status = decide_start(h, c, s);
		s->go = status == DELIVERY_SENDING;
		if (!s->go && has_ended(h, &c->arena, s->seq, &final))
			continue;
		if (!s->go)
			txn_delivery_ended(t, system_name(h, s->system), (enum operation)s->operation, status);
		txn_put(t, W_DELIVERY_STATE, SV_INT(s->seq), SV_INT(status), SV_INT(s->attempts + (s->go ? 1 : 0)),
			SV_INT(0), SV_INT(t->now), s->go ? SV_TEXT_OPT(s->batch) : SV_NULL,
			s->superseded ? SV_TEXT(STR("a newer delivery of the same key takes its place")) : SV_NULL);
	}
	note_starts(h, c);
	c->answer = answer_json(200, STR("{}"));
}

/* ---- result ---- */

/* The ERP has an order that was closed meanwhile: its id there is noted, so that a cancellation can name it. */
static void note_external(struct hub *h, const struct delivery_result *r, struct order_open *o)
{
	struct txn *t = &h->batch.txn;
	struct store_value row[12];
	struct json *progress;
	struct buf text;

	if (o) {
		order_set_external(o, r->system, r->external_id);
		order_changed(h->state.orders, o);
		return;
	}
	if (store_read_one(h->reader, R_ORDER, &SV_TEXT(r->order_id), 1, t->arena, row, NULL) != RC_OK ||
	    order_progress_read(t->arena, row[11].bytes, &progress, NULL) != RC_OK ||
	    json_get(progress, "external_ids"))
		return;
	buf_init(&text, 8u << 20);
	order_progress_add_external(&text, row[11].bytes, system_name(h, r->system), r->external_id);
	txn_put(t, W_ORDER_STATE, SV_INT(row[0].integer), SV_INT(row[4].integer), SV_INT(row[5].integer),
		SV_TEXT(txn_text(t, &text)));
	buf_done(&text);
}

static void on_delivered(struct hub *h, const struct delivery_result *r)
{
	struct txn *t = &h->batch.txn;
	struct order_open *o = r->order_id.n ? order_find(h->state.orders, r->order_id) : NULL;

	switch ((enum operation)r->operation) {
	case OP_ORDER_POST:
		if (o && o->status < ORDER_CLOSED)
			order_step_accepted(h->state.orders, t, o, r->system, r->external_id);
		else
			note_external(h, r, o);
		return;
	case OP_SHIPMENT_REQUEST:
		if (o)
			order_step_released(h->state.orders, t, o);
		return;
	case OP_AVAILABILITY:
		publish_end(h->state.publisher, r->system, r->seq, PUBLISH_DELIVERED, r->stale, t->now);
		return;
	case OP_ORDER_CANCEL:
	case OP_STOCK_BALANCES: /* these two are read by reconciliations, never delivered */
	case OP_AVAILABILITY_SHOWN:
	case OP_STOCK_TRANSACTIONS:
	case OP_ORDER_STATUS:
	case OP_SHIPMENT:
	case OP_INVOICE:
	case OP_PRICE:
	case OP_ITEM:
	case OP_CUSTOMER:
	case OP_EVENT:
	case OP_EVENT_REPLAY:
	case OPERATIONS:
		return;
	}
}

static struct str reason_of(struct hub *h, const struct delivery_result *r)
{
	if (r->detail.n)
		return r->detail;
	return str_from(arena_printf(h->batch.txn.arena, STR_FMT " answered %s to %s (HTTP %d)",
				     STR_ARG(system_name(h, r->system)), outcome_name(r->outcome),
				     operation_name((enum operation)r->operation), r->http_status));
}

static void on_refused(struct hub *h, const struct delivery_result *r)
{
	struct txn *t = &h->batch.txn;
	struct order_open *o = r->order_id.n ? order_find(h->state.orders, r->order_id) : NULL;
	const char *kind = r->operation == OP_ORDER_POST         ? "order_refused"
			   : r->operation == OP_SHIPMENT_REQUEST ? "shipment_request_refused"
			   : r->operation == OP_ORDER_CANCEL     ? "cancel_refused"
								 : "delivery_refused";

	if (o && r->operation == OP_ORDER_POST)
		order_step_refused(h->state.orders, t, o, kind, reason_of(h, r));
	else
		txn_exception(t, kind, r->order_id.n ? r->order_id : r->delivery_id, r->order_id, reason_of(h, r));
}

static void on_dead(struct hub *h, const struct delivery_result *r)
{
	const char *class_ = r->outcome == OUTCOME_CONFIGURATION ? "configuration"
			     : r->outcome == OUTCOME_UNKNOWN     ? "unknown"
								 : "technical";
	struct str system = system_name(h, r->system),
		   operation = str_from(operation_name((enum operation)r->operation));
	struct str key = STR_NONE;

	/* What a channel may sell is told anew with its next change, and no event stands for another. */
	if (r->operation != OP_AVAILABILITY && !system_is_subscription(r->system))
		key = dead_letter_key(&h->batch.txn, system, operation.p, r->key);
	txn_dead_letter(&h->batch.txn, class_, system, operation, 0, r->seq, reason_of(h, r), STR_NONE, key);
	dead_key_add(h, key);
}

static enum delivery_status status_after(const struct delivery_result *r)
{
	switch (r->outcome) {
	case OUTCOME_DELIVERED:
		return DELIVERY_DELIVERED;
	case OUTCOME_REFUSED:
	case OUTCOME_CONFIGURATION:
		return DELIVERY_DEAD;
	case OUTCOME_UNKNOWN:
		return r->next_at ? DELIVERY_UNKNOWN : DELIVERY_DEAD;
	case OUTCOME_THROTTLED:
	case OUTCOME_TECHNICAL:
	case OUTCOME_UNAUTHORIZED:
	case OUTCOMES:
		break;
	}
	return r->next_at ? DELIVERY_WAITING : DELIVERY_DEAD;
}

/* It says as well whether the system is there. */
static void note_answer(struct hub *h, const struct delivery_result *r)
{
	bool good = r->outcome == OUTCOME_DELIVERED || r->outcome == OUTCOME_REFUSED;

	if (good || r->outcome == OUTCOME_TECHNICAL || r->outcome == OUTCOME_UNKNOWN ||
	    r->outcome == OUTCOME_UNAUTHORIZED)
		away_answered(h->state.away, &h->batch.txn, (uint16_t)r->system, (enum operation)r->operation, good);
}

/* No answer, or one that does not say what was done. */
static bool may_have_worked(const struct delivery_result *r)
{
	return r->outcome == OUTCOME_UNKNOWN || (r->outcome == OUTCOME_TECHNICAL && r->http_status);
}

static void apply_result(struct hub *h, struct command *c, struct delivery_result *r)
{
	struct txn *t = &h->batch.txn;

	if ((h->doubted || delivery_cancelled(h, r->seq)) && has_ended(h, &c->arena, r->seq, &r->status))
		return;
	if (batch_touched(h, TOUCHED_DELIVERY, r->seq)) {
		r->status = DELIVERY_CANCELLED;
		return;
	}
	if (r->unsent) {
		r->status = DELIVERY_WAITING;
		txn_put(t, W_DELIVERY_STATE, SV_INT(r->seq), SV_INT(r->status), SV_INT(r->attempts), SV_INT(t->now),
			SV_INT(t->now), SV_NULL, SV_NULL);
		return;
	}
	r->status = r->cancelled ? DELIVERY_CANCELLED : status_after(r);
	t->cause.correlation_id = r->correlation_id;
	t->cause.source = system_name(h, r->system);
	if (!r->cancelled && !system_is_subscription(r->system))
		note_answer(h, r);
	if (!r->cancelled)
		txn_put(t, W_ATTEMPT, SV_INT(++t->heads->attempt), SV_INT(r->seq), SV_INT(r->attempts), SV_INT(r->at),
			SV_INT(r->duration_us), SV_INT(r->outcome), SV_INT(r->http_status), SV_TEXT_OPT(r->detail),
			r->request.n ? SV_BLOB(r->request) : SV_NULL, r->response.n ? SV_BLOB(r->response) : SV_NULL);
	txn_put(t, W_DELIVERY_STATE, SV_INT(r->seq), SV_INT(r->status), SV_INT(r->attempts), SV_INT(r->next_at),
		SV_INT(t->now), SV_TEXT_OPT(r->external_id),
		r->status == DELIVERY_DELIVERED ? SV_NULL : SV_TEXT(reason_of(h, r)));
	if (r->status >= DELIVERY_FINAL)
		txn_delivery_ended(t, system_name(h, r->system), (enum operation)r->operation, r->status);
	if (r->status == DELIVERY_DELIVERED) {
		on_delivered(h, r);
		dead_letters_succeeded(h, system_name(h, r->system), operation_name((enum operation)r->operation),
				       r->key);
	} else if (r->outcome == OUTCOME_REFUSED) {
		on_refused(h, r);
	} else if (r->status == DELIVERY_DEAD) {
		on_dead(h, r);
	}
	if (system_is_subscription(r->system))
		subscription_note(h, r);
	if (r->status == DELIVERY_DEAD && r->operation == OP_AVAILABILITY)
		publish_end(h->state.publisher, r->system, r->seq, PUBLISH_FAILED, NULL, t->now);
	else if (r->operation == OP_AVAILABILITY && may_have_worked(r))
		publish_doubt(h->state.publisher, (uint16_t)r->system, r->seq);
}

void apply_delivery_result(struct hub *h, struct command *c)
{
	c->answer = answer_json(200, STR("{}"));
	for (size_t i = 0; i < c->results.count; i++)
		apply_result(h, c, &c->results.items[i]);
}

/* ---- systems ---- */

void apply_system_pause(struct hub *h, struct command *c, bool pause)
{
	struct txn *t = &h->batch.txn;

	for (size_t i = 0; i < h->tenant->system_count; i++) {
		struct str name = h->tenant->systems[i].name;

		if (!str_eq(name, c->target))
			continue;
		c->answer = answer_fields(&c->arena, 200, "system", c->target, "state",
					  pause ? STR("paused") : STR("running"), NULL);
		if (h->paused_now[i] == pause)
			return;
		h->paused_now[i] = pause;
		h->batch.pauses_changed = true;
		txn_put(t, W_META, SV_TEXT(str_from(arena_printf(t->arena, "paused:" STR_FMT, STR_ARG(name)))),
			SV_INT(pause));
		txn_event(t, pause ? "system.paused" : "system.resumed", name, 0,
			  str_from(arena_printf(t->arena, "{\"system\":\"" STR_FMT "\"}", STR_ARG(name))));
		return;
	}
	c->answer = answer_error(&c->arena, 404, "system_not_found", "there is no such system");
}

/* What the engine says of a system decides what may be promised meanwhile. */
static void note_away(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;
	const struct config_system *s = config_find_system(h->tenant, c->target);
	struct json *data;
	enum operation op;

	if (!s)
		return;
	if (strcmp(c->note.type, "system.failing") == 0 || strcmp(c->note.type, "system.credentials_refused") == 0)
		away_failing(h->state.away, t, s->index, AWAY_SIGN_FAILING);
	else if (strcmp(c->note.type, "system.recovered") == 0)
		away_back(h->state.away, t, s->index, AWAY_SIGN_FAILING);
	if (strncmp(c->note.type, "delivery.breaker_", 17) != 0 ||
	    json_parse(&c->arena, c->note.data, &(struct json_limits){64u << 10, 4, 64}, &data, NULL) != RC_OK ||
	    !operation_parse(json_get_text(data, "operation"), &op) || op != OP_ORDER_POST)
		return;
	if (strcmp(c->note.type, "delivery.breaker_closed") == 0)
		away_back(h->state.away, t, s->index, AWAY_SIGN_REFUSING);
	else
		away_failing(h->state.away, t, s->index, AWAY_SIGN_REFUSING);
}

void apply_system_note(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;

	if (c->note.state.n)
		txn_put(t, W_META, SV_TEXT(c->note.state), SV_INT(c->note.value));
	if (c->note.type) {
		t->cause.correlation_id = txn_uuid(t);
		txn_event(t, c->note.type, c->target, 0, c->note.data);
		note_away(h, c);
	}
	c->answer = answer_json(200, STR("{}"));
}
