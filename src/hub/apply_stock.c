/* Movements, shipments and records. */
#include "hub/state.h"

#include "orchestrate/stock/item.h"
#include "orchestrate/stock/verbs.h"

bool owns_record(const struct hub *h, int16_t record, struct str source)
{
	return record < 0 || str_eq(h->tenant->systems[record].name, source);
}

/* ---- movements ---- */

struct known_movement {
	struct str movement_id, correlation_id, source, source_event_id;
};

static enum rc find_known(struct hub *h, struct command *c, int64_t seq, struct known_movement *out)
{
	struct store_value row[11];
	struct err e = ERR_NONE;
	enum rc rc;

	for (struct batch_answer *b = h->batch.movements; b; b = b->next) {
		if (b->seq != seq)
			continue;
		*out = (struct known_movement){b->movement_id, b->command->correlation_id, STR_NONE, STR_NONE};
		return RC_OK;
	}
	rc = store_read_one(h->reader, R_MOVEMENT, &SV_INT(seq), 1, &c->arena, row, &e);
	if (rc == RC_OK)
		*out = (struct known_movement){row[1].bytes, row[9].bytes, row[5].bytes, row[6].bytes};
	return rc;
}

static struct answer moved(struct command *c, struct str movement_id, struct str correlation_id, bool duplicate)
{
	struct json_writer w;
	struct answer a;
	struct buf b;

	buf_init(&b, 4096);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key_text(&w, "movement_id", movement_id);
	jw_key_text(&w, "correlation_id", correlation_id);
	jw_key_bool(&w, "duplicate", duplicate);
	jw_object_end(&w);
	a = answer_json(200, arena_copy(&c->arena, buf_str(&b)));
	a.replayed = duplicate;
	buf_done(&b);
	return a;
}

static void remember_movement(struct hub *h, struct command *c, const struct movement_result *r)
{
	struct batch_answer *made = arena_new(&h->batch.arena, struct batch_answer);

	if (!made) {
		h->batch.txn.failed = true;
		return;
	}
	*made = (struct batch_answer){
	    .seq = r->seq, .command = c, .movement_id = r->movement_id, .next = h->batch.movements};
	h->batch.movements = made;
}

/* A repeat of a movement: its first result again, or a contradiction. */
static struct answer repeated(struct hub *h, struct command *c, const struct command_movement *m,
			      const struct dedup_entry *seen, enum fate *fate)
{
	struct known_movement known;

	if (find_known(h, c, seen->ref, &known) != RC_OK)
		return answer_error(&c->arena, 503, "store_unavailable", "the first answer cannot be read now");
	if (seen->fingerprint != m->fingerprint) {
		*fate = FATE_REJECTED;
		return answer_error(&c->arena, 409, "movement_exists",
				    "movement " STR_FMT " of " STR_FMT " exists already, with other content",
				    STR_ARG(m->movement.source_event_id), STR_ARG(m->movement.source));
	}
	*fate = FATE_DUPLICATE;
	return moved(c, known.movement_id, known.correlation_id, true);
}

/* What a ship movement with an order reference means for the order. */
static void ship_order(struct hub *h, const struct movement *m, struct str consigned, struct str shipment_id,
		       int64_t document)
{
	struct txn *t = &h->batch.txn;
	struct order_open *o = order_find(h->state.orders, m->order_id);

	if (m->type != MOVE_SHIP || !m->order_id.n)
		return;
	if (!o || o->status >= ORDER_CLOSED) {
		txn_exception(t, "shipment_without_order", m->order_id, m->order_id,
			      STR("A shipment names an order that is not open."));
		return;
	}
	order_step_shipped(h->state.orders, t, o, &(struct order_shipment){shipment_id, document, m, consigned});
}

/* What follows from a movement of an order belongs to the order's transaction. */
static void follow_order(struct hub *h, struct str order_id)
{
	struct order_open *o = order_id.n ? order_find(h->state.orders, order_id) : NULL;

	if (o)
		h->batch.txn.cause.correlation_id = txn_copy(&h->batch.txn, o->correlation_id);
}

static struct answer move_one(struct hub *h, struct command *c, const struct command_movement *m, enum fate *fate)
{
	struct txn *t = &h->batch.txn;
	struct hash128 key = dedup_hash(DEDUP_MOVEMENT, m->movement.source, m->movement.source_event_id);
	const struct dedup_entry *seen = dedup_find(h->state.dedup, key);
	struct movement_result result = {.stale = false};
	struct err e = ERR_NONE;
	struct txn_cause cause = t->cause;
	enum rc rc;

	publish_heard(h->state.publisher, m->movement.source, t->now);
	if (seen)
		return repeated(h, c, m, seen, fate);
	if (!owns_record(h, h->tenant->record_stock, m->movement.source)) {
		*fate = FATE_NOT_OWNED;
		return answer_fields(&c->arena, 202, "status", STR("not_owned"), "correlation_id", c->correlation_id,
				     NULL);
	}
	if (m->movement.type == MOVE_REVERSE) {
		rc = reverse_movement(h, c, &m->movement, &result, &e);
	} else {
		follow_order(h, m->movement.order_id);
		rc = serials_fetch(h, &m->movement, &e);
		if (rc == RC_OK)
			rc = stock_step_movement(h->state.stock, h->state.orders, t, &m->movement, &result, &e);
	}
	serials_closed(h);
	if (rc != RC_OK) {
		t->cause = cause;
		*fate = FATE_REJECTED;
		return answer_problem(&c->arena, answer_status_of(rc), &e);
	}
	ship_order(h, &m->movement, result.consigned, result.movement_id, 0);
	t->cause = cause;
	txn_dedup(t, DEDUP_MOVEMENT, key, m->fingerprint, result.seq);
	remember_movement(h, c, &result);
	*fate = result.stale ? FATE_STALE : FATE_APPLIED;
	return moved(c, result.movement_id, c->correlation_id, false);
}

/* Of several movements: the fate that the message gets. */
static int says_more(enum fate fate)
{
	return fate == FATE_DUPLICATE ? 0 : fate == FATE_STALE ? 1 : fate == FATE_APPLIED ? 2 : 3;
}

void apply_stock_move(struct hub *h, struct command *c)
{
	enum fate worst = FATE_DUPLICATE;
	struct json_writer w;
	struct buf body;

	buf_init(&body, 8u << 20);
	jw_init(&w, &body);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	for (size_t i = 0; i < c->movements.count; i++) {
		struct command_movement *m = &c->movements.items[i];
		enum fate fate = FATE_REJECTED;

		if (m->problem.n)
			c->answer = (struct answer){.status = m->problem_status, .code = "invalid", .body = m->problem};
		else
			c->answer = move_one(h, c, m, &fate);
		if (says_more(fate) > says_more(worst))
			worst = fate;
		answer_write_item(&w, &c->answer);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	if (c->movements.array)
		c->answer = answer_json(200, arena_copy(&c->arena, buf_str(&body)));
	buf_done(&body);
	if ((worst != FATE_DUPLICATE && c->answer.status < 500) || c->message_seq)
		inbox_settle(h, c, worst, STR_NONE, c->answer.code ? c->answer.body : STR_NONE, STR_NONE);
}

void apply_shipment(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;
	struct movement *m = &c->shipment.movement;
	struct hash128 key = dedup_hash(DEDUP_MOVEMENT, m->source, m->source_event_id);
	const struct dedup_entry *seen = dedup_find(h->state.dedup, key);
	struct movement_result result = {.stale = false};
	struct err e = ERR_NONE;
	int64_t document;
	enum rc rc;

	if (seen) {
		enum fate fate = FATE_REJECTED;
		struct command_movement same = {.movement = *m, .fingerprint = c->fingerprint};

		c->answer = repeated(h, c, &same, seen, &fate);
		inbox_settle(h, c, fate, m->source_event_id, STR_NONE, m->order_id);
		return;
	}
	if (!owns_record(h, h->tenant->record_stock, m->source)) {
		c->answer = answer_fields(&c->arena, 202, "status", STR("not_owned"), NULL);
		inbox_settle(h, c, FATE_NOT_OWNED, m->source_event_id, STR_NONE, m->order_id);
		return;
	}
	rc = serials_fetch(h, m, &e);
	if (rc != RC_OK) {
		c->answer = answer_problem(&c->arena, answer_status_of(rc), &e);
		return;
	}
	follow_order(h, m->order_id);
	rc = stock_step_movement(h->state.stock, h->state.orders, t, m, &result, &e);
	serials_closed(h);
	if (rc != RC_OK) {
		c->answer = answer_problem(&c->arena, answer_status_of(rc), &e);
		txn_exception(t, "shipment_refused", m->source_event_id, m->order_id, txn_copy(t, str_from(e.detail)));
		inbox_settle(h, c, FATE_REJECTED, m->source_event_id, txn_copy(t, str_from(e.detail)), m->order_id);
		return;
	}
	document = txn_document(t, STR("shipment"), c->document);
	ship_order(h, m, result.consigned, c->shipment.shipment_id, document);
	txn_dedup(t, DEDUP_MOVEMENT, key, c->fingerprint, result.seq);
	remember_movement(h, c, &result);
	c->answer = moved(c, result.movement_id, c->correlation_id, false);
	inbox_settle(h, c, FATE_APPLIED, m->source_event_id, STR_NONE, result.movement_id);
}

/* ---- records ---- */

static int16_t record_of(const struct hub *h, struct str type)
{
	if (str_is(type, "item"))
		return h->tenant->record_item;
	if (str_is(type, "customer"))
		return h->tenant->record_customer;
	if (str_is(type, "price-list"))
		return h->tenant->record_price;
	return -1;
}

void apply_record(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;
	struct hash128 key = dedup_hash(DEDUP_RECORD, c->record.type, c->record.id);
	const struct dedup_entry *seen = dedup_find(h->state.dedup, key);
	char *type = arena_printf(t->arena, STR_FMT ".recorded", STR_ARG(c->record.type));
	struct stock_item *item = NULL;
	bool known = false;
	struct err e = ERR_NONE;
	enum rc rc = RC_OK;
	struct json_writer w;
	struct buf data;
	int64_t document;

	c->answer = answer_fields(&c->arena, 200, "correlation_id", c->correlation_id, NULL);
	if (seen && seen->fingerprint == c->fingerprint) {
		c->answer.replayed = true;
		inbox_settle(h, c, FATE_DUPLICATE, c->record.id, STR_NONE, STR_NONE);
		return;
	}
	if (!owns_record(h, record_of(h, c->record.type), c->source)) {
		c->answer = answer_fields(&c->arena, 202, "status", STR("not_owned"), NULL);
		inbox_settle(h, c, FATE_NOT_OWNED, c->record.id, STR_NONE, STR_NONE);
		return;
	}
	if (str_is(c->record.type, "item")) {
		known = stock_find(h->state.stock, c->record.id);
		item = stock_item_make(h->state.stock, NULL, c->record.id, STR_NONE);
		rc = item ? item_set(h->state.stock, t, item, &c->record.item, &e)
			  : err_set(&e, RC_LIMIT, "too_many_items", "the limit on items (limits.items) is reached");
	}
	if (rc != RC_OK) {
		if (item && !known)
			txn_put(t, W_ITEM, SV_TEXT(c->record.id), SV_INT(t->now), SV_NULL, SV_NULL, SV_NULL);
		c->answer = answer_problem(&c->arena, answer_status_of(rc), &e);
		txn_exception(t, "item_refused", c->record.id, STR_NONE, txn_copy(t, str_from(e.detail)));
		inbox_settle(h, c, FATE_REJECTED, c->record.id, str_from(e.detail), STR_NONE);
		return;
	}
	document = txn_document(t, c->record.type, c->document);
	if (str_is(c->record.type, "item")) {
		item_touch(h->state.stock, item);
		if (item->waiting) /* it may be a kit now, whose components are there */
			stock_restock(h->state.stock, item);
		txn_put(t, W_ITEM, SV_TEXT(c->record.id), SV_INT(t->now), SV_TEXT_OPT(c->record.uom), SV_INT(document),
			SV_TEXT_OPT(c->record.rules));
	}
	buf_init(&data, 64 << 10);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "id", c->record.id);
	jw_object_end(&w);
	txn_event(t, type ? type : "record", c->record.id, document, txn_text(t, &data));
	buf_done(&data);
	txn_dedup(t, DEDUP_RECORD, key, c->fingerprint, document);
	inbox_settle(h, c, FATE_APPLIED, c->record.id, STR_NONE, STR_NONE);
}
