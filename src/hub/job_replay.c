/*
 * Replay of what a system was told: its delivered deliveries, in their order, wait again.
 *
 * params: {"system","after"?,"first","through","operations":[...]?,"new_ids"}; the position is the seq of the last
 * delivery that was looked at. They are bulk, whatever their operation: live traffic goes first and finds a free slot.
 * The job waits while much is open for the system, so that memory stays bounded. Under the same ids a destination that
 * has them does nothing. With new ids each is a new delivery, for a destination that was rebuilt empty. What a channel
 * may sell is told anew with what is true now, not as it was.
 *
 * Order is kept: a replayed delivery has its place among the live ones of its key (connect/lanes.h). Where the latest
 * wins, one behind which there is a newer one of its key and operation, delivered or on its way, is not sent again: it
 * ends as superseded, and none is made anew. That is known from a look through the system's outbox, before the first
 * slice, and on before each (hub/newest.h).
 */
#include "hub/state.h"

#include "base/compress.h"
#include "hub/newest.h"
#include "hub/query_parts.h"

#define OPEN_MAX     900 /* deliveries for the system, then the job waits; with a slice less than connect's WINDOW_ROWS */
#define KEYS_AT_ONCE 1000 /* rows that are looked through in one slice */

struct replaying {
	const struct config_system *system;
	bool operations[OPERATIONS], new_ids;
	int64_t after, through;
};

static enum rc read_params(struct hub *h, const struct job *j, struct replaying *r, struct err *e)
{
	const struct json *names = json_get(j->params, "operations");
	const struct json *fresh = json_get(j->params, "new_ids");
	enum operation op;

	*r = (struct replaying){.system = config_find_system(h->tenant, json_get_text(j->params, "system"))};
	if (!r->system)
		return err_set(e, RC_INVALID, "system_not_found", "the system is not configured any more");
	json_int(json_get(j->params, "after"), &r->after);
	json_int(json_get(j->params, "through"), &r->through);
	r->new_ids = json_is(fresh, JSON_BOOL) && fresh->boolean;
	for (int i = 0; i < OPERATIONS; i++)
		r->operations[i] = !names;
	for (uint32_t i = 0; names && i < names->count; i++)
		if (operation_parse(json_text(&names->items[i]), &op))
			r->operations[op] = true;
	return RC_OK;
}

static int64_t open_for(struct hub *h, struct str system)
{
	int64_t open = 0;

	for (int op = 0; op < OPERATIONS; op++)
		open += counters_total(h->counters, COUNTED_DELIVERIES, system,
				       str_from(operation_name((enum operation)op)), STR("open"));
	return open;
}

/* What may be open for the system while there is more to replay: below the limit of its backlog, and all of it in the
 * engine's memory. */
static int64_t open_max(const struct config_system *s)
{
	int64_t limit = (int64_t)s->delivery.backlog.count * 8 / 10;
	int64_t most = s->delivery.queue_max < OPEN_MAX ? s->delivery.queue_max : OPEN_MAX;

	return limit && limit < most ? limit : most;
}

/* The params of a delivery that are its event's data, for whoever needs them themselves. */
static enum rc tell_anew(struct hub *h, const struct delivery *d, struct err *e)
{
	const struct json_limits limits = {.bytes = DOCUMENT_BYTES_MAX, .depth = 16, .nodes = 1u << 20};
	struct arena *a = h->batch.txn.arena;
	struct delivery whole;
	struct json *params;
	enum rc rc = delivery_load(h->reader, a, d->head.seq, &whole, e);

	if (rc == RC_OK && json_parse(a, whole.params, &limits, &params, NULL) == RC_OK)
		publish_again(h->state.publisher, &h->batch.txn, d->head.system, params);
	return rc;
}

static void deliver_anew(struct hub *h, const struct delivery *d, struct str job)
{
	struct txn *t = &h->batch.txn;
	struct txn_delivery made = {.system = d->system,
				    .system_index = d->head.system,
				    .operation = (enum operation)d->head.operation,
				    .priority = PRIORITY_BULK,
				    .replayed = true,
				    .key = d->key,
				    .order_id = d->order_id,
				    .event = d->event,
				    .document = d->document,
				    .params = d->params};

	txn_put(t, W_DELIVERY_REPLAY, SV_INT(txn_delivery(t, &made)), SV_TEXT(txn_copy(t, job)));
}

/* Of this batch: they are not in the store yet. */
static bool made_now(const struct txn *t, const struct delivery_head *head)
{
	for (size_t i = 0; i < t->delivery_count; i++) {
		const struct delivery_head *made = &t->deliveries[i];

		if (made->key == head->key && made->system == head->system && made->operation == head->operation &&
		    made->seq > head->seq)
			return true;
	}
	return false;
}

static bool is_passed(struct hub *h, const struct job *j, const struct replaying *r, const struct delivery_head *head)
{
	return config_operation(r->system, head->operation)->on_failure == ON_FAILURE_LATEST &&
	       (newest_is_behind(j->newest, (enum operation)head->operation, head->key, head->seq) ||
		made_now(&h->batch.txn, head));
}

/* It was delivered, and what was said since holds. */
static void supersede(struct hub *h, const struct delivery *d)
{
	struct txn *t = &h->batch.txn;
	struct str operation = str_from(operation_name((enum operation)d->head.operation));

	txn_put(t, W_DELIVERY_STATE, SV_INT(d->head.seq), SV_INT(DELIVERY_SUPERSEDED), SV_INT(d->head.attempts),
		SV_INT(0), SV_INT(t->now), SV_TEXT_OPT(txn_copy(t, d->result)),
		SV_TEXT(STR("replayed, but a newer delivery of the same key holds")));
	txn_count(t, COUNTED_DELIVERIES, d->system, operation, str_from(delivery_status_name(DELIVERY_DELIVERED)), -1);
	txn_count(t, COUNTED_DELIVERIES, d->system, operation, str_from(delivery_status_name(DELIVERY_SUPERSEDED)), 1);
}

/* Looks on through the outbox, as far as it is needed. RC_RETRY: there is more, in the next slice. */
static enum rc look_through(struct hub *h, struct job *j, const struct replaying *r, struct err *e)
{
	bool operations[OPERATIONS], any = false, done = false;

	for (int op = 0; op < OPERATIONS; op++) {
		operations[op] = r->operations[op] && op != OP_AVAILABILITY &&
				 config_operation(r->system, (unsigned)op)->on_failure == ON_FAILURE_LATEST;
		any = any || operations[op];
	}
	if (!j->newest)
		j->newest = newest_new(operations, NEWEST_KEYS_MAX);
	enum rc rc = any ? newest_read(j->newest, h->reader, r->system->name, KEYS_AT_ONCE, &done, e) : RC_OK;
	return rc == RC_OK && any && !done ? RC_RETRY : rc;
}

/* *slow: it cost as much as a slice. */
static enum rc replay_one(struct hub *h, struct job *j, const struct replaying *r, const struct store_value *row,
			  bool *slow, struct err *e)
{
	struct txn *t = &h->batch.txn;
	struct delivery d;
	enum rc rc = RC_OK;

	if (delivery_from_row(row, &d) != RC_OK) {
		j->failed++;
		return RC_OK;
	}
	if (!r->operations[d.head.operation] || (d.event && d.event <= r->after) ||
	    batch_touched(h, TOUCHED_DELIVERY, d.head.seq))
		return RC_OK;
	d.head.system = r->system->index;
	d.head.priority = PRIORITY_BULK;
	d.system = r->system->name;
	t->cause.correlation_id = txn_copy(t, d.correlation_id);
	*slow = d.head.operation == OP_AVAILABILITY;
	if (*slow) {
		rc = tell_anew(h, &d, e);
	} else if (is_passed(h, j, r, &d.head)) {
		batch_touch(h, TOUCHED_DELIVERY, d.head.seq);
		if (!r->new_ids)
			supersede(h, &d);
	} else if (r->new_ids) {
		deliver_anew(h, &d, j->id);
	} else {
		batch_touch(h, TOUCHED_DELIVERY, d.head.seq);
		txn_delivery_reopen(t, &d, j->id);
	}
	if (rc == RC_OK)
		j->done++;
	return rc;
}

enum rc job_step_replay(struct hub *h, struct job *j, uint32_t max, bool *finished, struct err *e)
{
	struct query q = {.hub = h, .reader = h->reader, .arena = h->batch.txn.arena};
	struct query_rows rows;
	struct replaying r;
	bool slow = false;
	enum rc rc = read_params(h, j, &r, e);

	if (rc != RC_OK)
		return rc;
	int64_t left = open_max(r.system) - open_for(h, r.system->name);

	if (hub_system_crowded(h, r.system->index) || left <= 0)
		return RC_RETRY;
	rc = look_through(h, j, &r, e);
	if (rc == RC_RETRY)
		return RC_OK; /* the next slice goes on with it */
	if (rc != RC_OK)
		return rc;
	max = max < left ? max : (uint32_t)left;
	const struct store_value args[] = {SV_TEXT(r.system->name), SV_INT(j->position), SV_INT(r.through),
					   SV_INT(max)};
	rc = query_all(&q, R_DELIVERIES_REPLAY, args, 4, &rows, e);
	for (size_t i = 0; rc == RC_OK && i < rows.count && !slow; i++) {
		const struct store_value *row = query_row(&rows, i);

		rc = replay_one(h, j, &r, row, &slow, e);
		j->position = row[0].integer;
	}
	*finished = rows.count < max && !slow;
	return rc;
}
