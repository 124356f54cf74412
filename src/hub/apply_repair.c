/*
 * Deliveries that an operator runs at once or cancels.
 *
 * The delivery engine works on its own copy of what waits, so both are decided here and told to it after the commit
 * (hub_sinks.changes). Between the commit and that moment it may ask to start what was cancelled, or bring a look-up's
 * result: `cancelled` keeps the last few as a filter, and whoever is in it is looked up in the store. What this batch
 * has changed or started is not in the store yet: the batch remembers it, and a second change of the same thing in one
 * batch is refused (409 being_changed), to be tried again.
 *
 * What was started may be cancelled while nothing of it has left (hub/unsent.h); the engine then takes it back, and its
 * result finds that it has ended.
 */
#include "hub/state.h"
#include "hub/unsent.h"

bool batch_touched(const struct hub *h, enum touched what, int64_t seq)
{
	for (const struct batch_touch *n = h->batch.touched; n; n = n->next)
		if (n->what == what && n->seq == seq)
			return true;
	return false;
}

void batch_touch(struct hub *h, enum touched what, int64_t seq)
{
	struct batch_touch *n = arena_new(&h->batch.arena, struct batch_touch);

	if (!n) {
		h->batch.txn.failed = true;
		return;
	}
	*n = (struct batch_touch){what, seq, h->batch.touched};
	h->batch.touched = n;
}

bool delivery_cancelled(const struct hub *h, int64_t seq)
{
	if (h->cancelled_count > CANCELLED_KEPT)
		return true;
	for (size_t i = 0; i < h->cancelled_count; i++)
		if (h->cancelled[i] == seq)
			return true;
	return false;
}

bool system_by_name(const struct hub *h, struct str name, uint32_t *system)
{
	const struct config_system *s = config_find_system(h->tenant, name);
	int64_t subscription;

	if (!s && !subscription_name_parse(name, &subscription))
		return false;
	*system = s ? s->index : subscription_system(subscription);
	return true;
}

static bool started_now(const struct hub *h, int64_t seq)
{
	for (const struct batch_starts *n = h->batch.starts; n; n = n->next)
		for (size_t i = 0; i < n->command->starts.count; i++)
			if (n->command->starts.items[i].seq == seq)
				return true;
	return false;
}

static void tell_engine(struct hub *h, const struct delivery_head *head, int what)
{
	size_t room = h->batch.change_room;

	if (h->batch.change_count == room) {
		struct delivery_change *more;

		room = room ? room * 2 : 16;
		more = arena_grow(&h->batch.arena, h->batch.changes, h->batch.change_room * sizeof(*more),
				  room * sizeof(*more));
		if (!more) {
			h->batch.txn.failed = true;
			return;
		}
		h->batch.changes = more;
		h->batch.change_room = room;
	}
	h->batch.changes[h->batch.change_count++] = (struct delivery_change){.head = *head, .what = what};
}

/* The delivery that the command names, if it waits; else the command is answered. claim: also one that was started, if
 * it can be kept from being sent; it counts as waiting again then. */
static bool find_waiting(struct hub *h, struct command *c, bool claim, struct delivery *out)
{
	struct store_value row[17];
	struct err e = ERR_NONE;
	enum rc rc = store_read_one(h->reader, R_DELIVERY_BY_ID, &SV_TEXT(c->target), 1, &c->arena, row, &e);
	bool known, started;

	if (rc == RC_OK && delivery_from_row(row, out) != RC_OK)
		rc = RC_IO;
	if (rc == RC_NOT_FOUND) {
		c->answer = answer_error(&c->arena, 404, "delivery_not_found", "there is no such delivery");
		return false;
	}
	if (rc != RC_OK) {
		c->answer = answer_error(&c->arena, 503, "store_unavailable", "the delivery cannot be read now");
		return false;
	}
	known = system_by_name(h, out->system, &out->head.system);
	started = out->head.status == DELIVERY_SENDING || started_now(h, out->head.seq);
	if (out->head.status >= DELIVERY_FINAL)
		c->answer = answer_error(&c->arena, 409, "delivery_ended", "the delivery has ended: %s",
					 delivery_status_name((enum delivery_status)out->head.status));
	else if (batch_touched(h, TOUCHED_DELIVERY, out->head.seq))
		c->answer = answer_error(&c->arena, 409, "being_changed", "somebody else changes it now; try again");
	else if (!known)
		c->answer = answer_error(&c->arena, 409, "system_not_found", "its system is not configured any more");
	else if (started && !(claim && unsent_claim(h->unsent, out->head.seq)))
		c->answer = answer_error(&c->arena, 409, "delivery_sending", "the delivery is being sent now");
	else
		return true;
	return false;
}

static void tell(struct hub *h, const struct delivery *d, const char *type, struct str reason)
{
	struct txn *t = &h->batch.txn;
	struct json_writer w;
	struct buf data;

	t->cause.correlation_id = txn_copy(t, d->correlation_id);
	buf_init(&data, 64 << 10);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "delivery_id", d->delivery_id);
	jw_key_text(&w, "system", d->system);
	jw_key_text(&w, "operation", str_from(operation_name((enum operation)d->head.operation)));
	jw_opt_text(&w, "order_id", d->order_id);
	jw_opt_text(&w, "reason", reason);
	jw_object_end(&w);
	txn_event(t, type, txn_copy(t, d->delivery_id), 0, txn_text(t, &data));
	buf_done(&data);
}

void apply_delivery_run(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;
	struct delivery d;

	if (!find_waiting(h, c, false, &d))
		return;
	txn_put(t, W_DELIVERY_DUE, SV_INT(d.head.seq), SV_INT(t->now));
	tell(h, &d, "delivery.run", STR_NONE);
	d.head.next_at = t->now;
	tell_engine(h, &d.head, DELIVERY_RUN_NOW);
	c->answer = answer_fields(&c->arena, 202, "delivery_id", c->target, "status",
				  str_from(delivery_status_name((enum delivery_status)d.head.status)), NULL);
}

void apply_delivery_cancel(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;
	struct delivery d;
	struct str reason;

	if (!find_waiting(h, c, true, &d))
		return;
	if (d.head.status == DELIVERY_SENDING)
		d.head.attempts--; /* the start has counted one */
	reason = c->reason.n ? c->reason : STR("cancelled by an operator");
	batch_touch(h, TOUCHED_DELIVERY, d.head.seq);
	h->cancelled[h->cancelled_count % CANCELLED_KEPT] = d.head.seq;
	h->cancelled_count++;
	txn_put(t, W_DELIVERY_STATE, SV_INT(d.head.seq), SV_INT(DELIVERY_CANCELLED), SV_INT(d.head.attempts), SV_INT(0),
		SV_INT(t->now), SV_NULL, SV_TEXT(txn_copy(t, reason)));
	txn_delivery_ended(t, txn_copy(t, d.system), (enum operation)d.head.operation, DELIVERY_CANCELLED);
	if (d.head.operation == OP_AVAILABILITY)
		publish_end(h->state.publisher, d.head.system, d.head.seq, PUBLISH_FAILED, NULL, t->now);
	tell(h, &d, "delivery.cancelled", reason);
	tell_engine(h, &d.head, DELIVERY_WAS_CANCELLED);
	c->answer = answer_fields(&c->arena, 200, "delivery_id", c->target, "status", STR("cancelled"), NULL);
}
