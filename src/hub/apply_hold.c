/* Reservations. Those of one command are one movement; each has its own answer. */
#include "hub/state.h"

#include "orchestrate/stock/item.h"

#include <stdio.h>

static struct answer held(struct command *c, struct str text)
{
	return answer_json(201, arena_copy(&c->arena, text));
}

static struct answer hold_ended(struct command *c, enum hold_status status, struct str order_id)
{
	return answer_fields(&c->arena, 200, "reservation_id", c->target, "status", str_from(hold_status_name(status)),
			     "order_id", order_id, NULL);
}

/* As it is now. */
static struct answer written(struct hub *h, struct command *c, int status, const struct hold *hold)
{
	struct answer a;
	struct buf b;

	buf_init(&b, 1u << 20);
	hold_write(&b, h->state.holds, hold, HOLD_HELD);
	a = answer_json(status, arena_copy(&c->arena, buf_str(&b)));
	buf_done(&b);
	return a;
}

/* A reservation id that was used before: the first answer, or a contradiction. */
static struct answer repeated(struct hub *h, struct command *c, const struct command_hold *in,
			      const struct dedup_entry *seen)
{
	struct hold *live = hold_find(h->state.holds, in->request.reservation_id);
	struct answer a;

	if (seen->fingerprint != in->fingerprint)
		return answer_error(&c->arena, 409, "reservation_exists",
				    "this reservation exists already, with other content");
	if (!live)
		return answer_error(&c->arena, 409, "reservation_ended", "this reservation has ended");
	a = written(h, c, 201, live);
	a.replayed = true;
	return a;
}

static struct answer insufficient(struct command *c, const struct err *e, struct str shortage)
{
	struct json_writer w;
	struct answer a;
	struct buf b;

	buf_init(&b, 1u << 20);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key_text(&w, "code", STR("insufficient_stock"));
	jw_key_text(&w, "detail", str_from(e->detail));
	jw_key(&w, "short");
	jw_raw(&w, shortage);
	jw_object_end(&w);
	a = (struct answer){.status = 409, .code = "insufficient_stock", .body = arena_copy(&c->arena, buf_str(&b))};
	buf_done(&b);
	return a;
}

/* ---- placing ---- */

/* Its lines as the ledger keeps them: our SKUs, base units. */
static enum rc resolve_lines(struct hub *h, struct str channel, struct movement_line *lines, size_t count,
			     struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		struct movement_line *l = &lines[i];
		struct item_line in = {.sku = l->sku, .uom = l->uom, .quantity = l->quantity};
		enum rc rc = item_resolve_line(h->state.stock, h->batch.txn.arena, channel, i, &in, e);

		if (rc != RC_OK)
			return rc;
		l->sku = in.sku;
		l->quantity = in.quantity;
	}
	return RC_OK;
}

/* A reservation is a promise: over the limits it is refused, whatever the channel does with orders. */
static enum rc judge_away(struct hub *h, struct command *c, const struct hold_request *r, struct err *e)
{
	const struct config_channel *channel = config_find_channel(h->tenant, r->channel);
	struct away_need *needs;
	bool away = false;
	enum rc rc;

	if (!channel || channel->away.over_limit == AWAY_ACCEPT)
		return RC_OK;
	needs = arena_array(&c->arena, struct away_need, r->line_count);
	if (!needs)
		return err_set(e, RC_LIMIT, "batch_too_large", "the batch is full");
	for (size_t i = 0; i < r->line_count; i++)
		needs[i] = (struct away_need){stock_find(h->state.stock, r->lines[i].sku), r->lines[i].quantity};
	rc = away_judge(h->state.away, h->state.stock, (uint16_t)(channel - h->tenant->channels), needs, r->line_count,
			NULL, STR_NONE, h->batch.txn.now, &away, e);
	if (away)
		txn_count(&h->batch.txn, COUNTED_AWAY, channel->name, rc == RC_OK ? STR("accepted") : STR("refused"),
			  STR_NONE, 1);
	return rc;
}

struct placed {
	bool done, repeat;
	struct str id, code; /* of the reservation; of the refusal */
	enum rc rc;
};

static struct answer place_one(struct hub *h, struct command *c, struct hold_draft *d, struct command_hold *in,
			       struct placed *out)
{
	struct hold_request *r = &in->request;
	struct hash128 key = {0};
	const struct dedup_entry *seen = NULL;
	struct hold_result result = {0};
	struct err e = ERR_NONE;

	if (r->reservation_id.n) {
		key = dedup_hash(DEDUP_RESERVATION, r->reservation_id, STR_NONE);
		seen = dedup_find(h->state.dedup, key);
	}
	out->repeat = seen != NULL;
	if (seen)
		return repeated(h, c, in, seen);
	out->rc = resolve_lines(h, r->channel, r->lines, r->line_count, &e);
	if (out->rc == RC_OK)
		out->rc = judge_away(h, c, r, &e);
	if (out->rc == RC_OK)
		out->rc = hold_step_place(d, r, &result, &e);
	if (out->rc != RC_OK) {
		out->code = arena_copy(&c->arena, str_from(e.code));
		return result.shortage.n ? insufficient(c, &e, result.shortage)
					 : answer_problem(&c->arena, answer_status_of(out->rc), &e);
	}
	out->done = true;
	out->id = r->reservation_id.n ? r->reservation_id : txn_copy(&h->batch.txn, result.hold->reservation_id);
	if (r->reservation_id.n)
		txn_dedup(&h->batch.txn, DEDUP_RESERVATION, key, in->fingerprint, result.hold->seq);
	return held(c, result.text);
}

static void place_single(struct hub *h, struct command *c, struct hold_draft *d)
{
	struct command_hold *in = &c->holds.items[0];
	struct placed p = {0};

	c->answer = place_one(h, c, d, in, &p);
	if (p.done || (!p.repeat && p.rc != RC_LIMIT && p.rc != RC_RETRY && c->idempotency_key.n))
		inbox_settle(h, c, p.done ? FATE_APPLIED : FATE_REJECTED, in->request.reservation_id, p.code, p.id);
}

static void place_array(struct hub *h, struct command *c, struct hold_draft *d)
{
	struct json_writer w;
	struct buf body;
	bool any = false;

	buf_init(&body, 16u << 20);
	jw_init(&w, &body);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	for (size_t i = 0; i < c->holds.count; i++) {
		struct command_hold *in = &c->holds.items[i];
		struct placed p = {0};
		struct answer a;

		if (in->problem.n)
			a = (struct answer){.status = in->problem_status, .code = "invalid", .body = in->problem};
		else
			a = place_one(h, c, d, in, &p);
		any = any || p.done;
		answer_write_item(&w, &a);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	c->answer = answer_json(200, arena_copy(&c->arena, buf_str(&body)));
	buf_done(&body);
	if (any || c->idempotency_key.n)
		inbox_settle(h, c, any ? FATE_APPLIED : FATE_REJECTED, STR_NONE, STR_NONE, STR_NONE);
}

void apply_hold(struct hub *h, struct command *c)
{
	struct hold_draft d;

	hold_draft_begin(&d, h->state.holds, &h->batch.txn);
	if (c->holds.array)
		place_array(h, c, &d);
	else
		place_single(h, c, &d);
	hold_draft_end(&d);
}

/* ---- ending ---- */

/* A reservation that is not live: how it ended, or 404. */
static bool find_ended(struct hub *h, struct command *c, enum hold_status *status, struct str *order_id)
{
	struct store_value row[8];
	struct err e = ERR_NONE;
	enum rc rc = hub_find_reservation(h, h->reader, c->target, &c->arena, row, &e);

	if (rc == RC_NOT_FOUND) {
		c->answer = answer_error(&c->arena, 404, "reservation_not_found", "there is no such reservation");
		return false;
	}
	if (rc != RC_OK) {
		c->answer = answer_error(&c->arena, 503, "store_unavailable", "the reservation cannot be read now");
		return false;
	}
	*status = (enum hold_status)row[1].integer;
	*order_id = row[4].bytes;
	return true;
}

static void commit_again(struct hub *h, struct command *c)
{
	enum hold_status status;
	struct str order_id;

	if (!find_ended(h, c, &status, &order_id))
		return;
	if (status == HOLD_COMMITTED && str_eq(order_id, c->order_id))
		c->answer = hold_ended(c, status, order_id);
	else
		c->answer = answer_error(&c->arena, 409, "reservation_ended", "this reservation is %s",
					 hold_status_name(status));
}

static void commit_part(struct hub *h, struct command *c, struct hold *hold, struct order_open *o)
{
	const struct hold_commit *part = &c->hold_commit;
	struct err e = ERR_NONE;
	bool kept = false;
	struct str channel = hold->channel == HOLD_NO_CHANNEL ? STR_NONE : h->tenant->channels[hold->channel].name;
	enum rc rc = resolve_lines(h, channel, part->lines, part->line_count, &e);

	if (rc == RC_OK)
		rc = hold_step_commit_part(h->state.holds, &h->batch.txn, hold, o, part->lines, part->line_count,
					   part->keep_rest, &kept, &e);
	if (rc != RC_OK)
		c->answer = answer_problem(&c->arena, answer_status_of(rc), &e);
	else
		c->answer = kept ? written(h, c, 200, hold) : hold_ended(c, HOLD_COMMITTED, c->order_id);
}

void apply_hold_commit(struct hub *h, struct command *c)
{
	struct hold *hold = hold_find(h->state.holds, c->target);
	struct order_open *o = order_find(h->state.orders, c->order_id);

	if (!hold) {
		commit_again(h, c);
		return;
	}
	if (!o || o->status >= ORDER_CLOSED) {
		c->answer = answer_error(&c->arena, 404, "order_not_found", "there is no such open order");
		return;
	}
	if (c->hold_commit.lines) {
		commit_part(h, c, hold, o);
		if (c->answer.status >= 400)
			return;
	} else {
		hold_step_commit(h->state.holds, &h->batch.txn, hold, o);
		c->answer = hold_ended(c, HOLD_COMMITTED, c->order_id);
	}
	order_step_given(h->state.orders, &h->batch.txn, o);
	inbox_settle(h, c, FATE_APPLIED, c->target, STR_NONE, c->order_id);
}

void apply_hold_void(struct hub *h, struct command *c)
{
	struct hold *hold = hold_find(h->state.holds, c->target);
	enum hold_status status;
	struct str order_id;

	if (!hold) {
		if (!find_ended(h, c, &status, &order_id))
			return;
		if (status == HOLD_COMMITTED)
			c->answer = answer_error(&c->arena, 409, "reservation_ended", "this reservation is committed");
		else
			c->answer = hold_ended(c, status, STR_NONE);
		return;
	}
	hold_step_end(h->state.holds, &h->batch.txn, hold, HOLD_VOIDED);
	c->answer = hold_ended(c, HOLD_VOIDED, STR_NONE);
	inbox_settle(h, c, FATE_APPLIED, c->target, STR_NONE, STR_NONE);
}
