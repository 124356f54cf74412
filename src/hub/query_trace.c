/*
 * The trace of a correlation id: messages, events, deliveries with their attempts and exceptions, in order of time. At
 * the same instant a cause comes before its effects: the message, then the event, the exception, the delivery, its
 * attempts, that it was sent again.
 */
#include "hub/query_parts.h"
#include "orchestrate/order/order.h"

#include <stdio.h>
#include <stdlib.h>

enum entry_kind { ENTRY_MESSAGE, ENTRY_EVENT, ENTRY_EXCEPTION, ENTRY_DELIVERY, ENTRY_ATTEMPT, ENTRY_REPLAY };
static const char *const kind_names[] = {"message", "event", "exception", "delivery", "attempt", "replay"};

struct trace_entry {
	int64_t at, seq; /* seq: of its own log; of an attempt, its delivery's */
	int64_t number;  /* of an attempt */
	enum entry_kind kind;
	const struct store_value *row;
	const struct store_value *delivery; /* of an attempt, of a replay */
};

struct trace {
	struct query *q;
	struct trace_entry *list;
	size_t count, room;
};

static enum rc add(struct trace *t, struct trace_entry entry, struct err *e)
{
	if (t->count == t->room) {
		size_t room = t->room ? t->room * 2 : 64;
		struct trace_entry *more =
		    arena_grow(t->q->arena, t->list, t->room * sizeof(*more), room * sizeof(*more));
		if (!more)
			return err_set(e, RC_LIMIT, "answer_too_large", "The answer is too large.");
		t->list = more;
		t->room = room;
	}
	t->list[t->count++] = entry;
	return RC_OK;
}

/* time: the column with the instant. */
static enum rc add_all(struct trace *t, enum store_statement s, struct str correlation_id, enum entry_kind kind,
		       size_t time, struct err *e)
{
	struct store_value arg = SV_TEXT(correlation_id);
	struct query_rows rows;
	enum rc rc = query_all(t->q, s, &arg, 1, &rows, e);

	for (size_t i = 0; rc == RC_OK && i < rows.count; i++) {
		const struct store_value *row = query_row(&rows, i);
		/* The exception itself is an entry. */
		if (kind == ENTRY_EVENT && str_is(row[3].bytes, "exception.raised"))
			continue;
		struct trace_entry entry = {.at = row[time].integer, .seq = row[0].integer, .kind = kind, .row = row};
		rc = add(t, entry, e);
	}
	return rc;
}

static enum rc add_attempts(struct trace *t, const struct store_value *delivery, struct err *e)
{
	struct query_rows rows;
	enum rc rc = query_all(t->q, R_ATTEMPTS, &SV_INT(delivery[0].integer), 1, &rows, e);

	for (size_t i = 0; rc == RC_OK && i < rows.count; i++) {
		const struct store_value *row = query_row(&rows, i);
		struct trace_entry entry = {.at = row[1].integer,
					    .seq = delivery[0].integer,
					    .number = row[0].integer,
					    .kind = ENTRY_ATTEMPT,
					    .row = row,
					    .delivery = delivery};
		rc = add(t, entry, e);
	}
	return rc;
}

/* That it waits again, or that another was sent again as this one. */
static enum rc add_replay(struct trace *t, const struct store_value *delivery, struct err *e)
{
	struct query_rows rows;
	enum rc rc = query_all(t->q, R_DELIVERY_REPLAYED, &SV_INT(delivery[0].integer), 1, &rows, e);

	if (rc != RC_OK || rows.count == 0 || !query_row(&rows, 0)[0].bytes.n)
		return rc;
	const struct store_value *row = query_row(&rows, 0);
	struct trace_entry entry = {.at = row[1].integer ? row[1].integer : delivery[13].integer,
				    .seq = delivery[0].integer,
				    .kind = ENTRY_REPLAY,
				    .row = row,
				    .delivery = delivery};
	return add(t, entry, e);
}

static int by_time(const void *left, const void *right)
{
	const struct trace_entry *a = left, *b = right;
	int64_t keys[][2] = {
	    {a->at, b->at}, {(int64_t)a->kind, (int64_t)b->kind}, {a->seq, b->seq}, {a->number, b->number}};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1] ? -1 : 1;
	return 0;
}

/* ---- in plain words ---- */

/* "order.partially_shipped" to "Order partially shipped". */
static void plain_words(struct str name, char *out, size_t room)
{
	size_t n = name.n < room - 1 ? name.n : room - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = name.p[i] == '.' || name.p[i] == '_' || name.p[i] == '-' ? ' ' : name.p[i];
	out[n] = '\0';
	if (n && out[0] >= 'a' && out[0] <= 'z')
		out[0] = (char)(out[0] - 'a' + 'A');
}

static const char *operation_words(struct str name)
{
	enum operation op;
	if (!operation_parse(name, &op))
		return "Message to";
	switch (op) {
	case OP_ORDER_POST:
		return "Order to";
	case OP_ORDER_CANCEL:
		return "Cancellation to";
	case OP_SHIPMENT_REQUEST:
		return "Shipment request to";
	case OP_STOCK_TRANSACTIONS:
		return "Stock transactions to";
	case OP_AVAILABILITY:
		return "Availability to";
	case OP_ORDER_STATUS:
		return "Order status to";
	case OP_SHIPMENT:
		return "Shipment to";
	case OP_INVOICE:
		return "Invoice to";
	case OP_PRICE:
		return "Prices to";
	case OP_ITEM:
		return "Items to";
	case OP_CUSTOMER:
		return "Customer to";
	case OP_EVENT:
		return "Event to";
	case OP_EVENT_REPLAY:
		return "Event again to";
	case OP_STOCK_BALANCES:
	case OP_AVAILABILITY_SHOWN:
	case OPERATIONS:
		break;
	}
	return "Message to";
}

static char *event_summary(struct query *q, const struct store_value *row)
{
	char words[128];
	struct json *data = NULL;
	struct str detail = STR_NONE;

	plain_words(row[3].bytes, words, sizeof(words));
	if (json_parse(q->arena, row[7].bytes, NULL, &data, NULL) == RC_OK) {
		detail = json_get_text(data, "reason");
		if (!detail.n)
			detail = json_get_text(data, "detail");
	}
	return arena_printf(q->arena, "%s%s" STR_FMT, words, detail.n ? ": " : "", STR_ARG(detail));
}

static char *message_summary(struct query *q, const struct store_value *row)
{
	char words[128];
	struct str source = row[3].bytes.n ? row[3].bytes : STR("a caller");
	bool key = row[3].bytes.n && !config_find_system(hub_tenant(q->hub), source);
	plain_words(row[4].bytes.n ? row[4].bytes : row[2].bytes, words, sizeof(words));
	return arena_printf(q->arena, "%s from %s" STR_FMT ": %s%s" STR_FMT, words, key ? "API key " : "",
			    STR_ARG(source), fate_name((enum fate)row[5].integer), row[7].bytes.n ? ", " : "",
			    STR_ARG(row[7].bytes));
}

static char *attempt_summary(struct query *q, const struct trace_entry *entry)
{
	const struct store_value *row = entry->row;
	int64_t outcome = row[3].integer;
	char http[32] = "";

	if (row[4].integer)
		snprintf(http, sizeof(http), " (HTTP %lld)", (long long)row[4].integer);
	return arena_printf(q->arena, "%s " STR_FMT ", attempt %lld: %s%s%s" STR_FMT,
			    operation_words(entry->delivery[3].bytes), STR_ARG(entry->delivery[2].bytes),
			    (long long)entry->number,
			    outcome >= 0 && outcome < OUTCOMES ? outcome_name((enum outcome)outcome) : "invalid", http,
			    row[5].bytes.n ? ", " : "", STR_ARG(row[5].bytes));
}

static char *delivery_summary(struct query *q, const struct store_value *row)
{
	return arena_printf(q->arena, "%s " STR_FMT ": %s%s" STR_FMT, operation_words(row[3].bytes),
			    STR_ARG(row[2].bytes), delivery_status_name(query_delivery_shown(q->hub, row).status),
			    row[16].bytes.n ? ", " : "", STR_ARG(row[16].bytes));
}

/* ---- entries ---- */

static void write_message(struct json_writer *w, const struct store_value *row)
{
	jw_key_text(w, "type", row[2].bytes);
	jw_opt_text(w, "source", row[3].bytes);
	jw_opt_text(w, "endpoint", row[4].bytes);
	jw_key_text(w, "fate", str_from(fate_name((enum fate)row[5].integer)));
	query_write_time(w, "fate_at", row[6]);
	jw_opt_text(w, "detail", row[7].bytes);
	jw_opt_text(w, "natural_key", row[9].bytes);
}

static void write_event(struct json_writer *w, const struct store_value *row)
{
	jw_key_text(w, "type", row[3].bytes);
	jw_key_text(w, "subject", row[4].bytes);
	jw_opt_text(w, "source", row[5].bytes);
	jw_key_int(w, "position", row[0].integer);
	query_write_json(w, "data", row[7].bytes);
}

static void write_delivery(const struct query *q, struct json_writer *w, const struct store_value *row)
{
	const struct delivery_shown now = query_delivery_shown(q->hub, row);

	jw_key_text(w, "delivery_id", row[1].bytes);
	jw_key_text(w, "system", row[2].bytes);
	jw_key_text(w, "operation", row[3].bytes);
	jw_key_text(w, "status", str_from(delivery_status_name(now.status)));
	jw_opt_text(w, "order_id", row[5].bytes);
	jw_key_int(w, "attempts", now.attempts);
	query_write_time(w, "updated_at", row[14]);
	jw_opt_text(w, "result", row[15].bytes);
	jw_opt_text(w, "reason", row[16].bytes);
}

static void write_attempt(struct json_writer *w, const struct trace_entry *entry)
{
	const struct store_value *row = entry->row;
	int64_t outcome = row[3].integer;

	jw_key_text(w, "delivery_id", entry->delivery[1].bytes);
	jw_key_text(w, "system", entry->delivery[2].bytes);
	jw_key_text(w, "operation", entry->delivery[3].bytes);
	jw_key_int(w, "number", row[0].integer);
	jw_key_text(w, "outcome",
		    str_from(outcome >= 0 && outcome < OUTCOMES ? outcome_name((enum outcome)outcome) : "invalid"));
	jw_key_int(w, "duration_us", row[2].integer);
	if (row[4].integer)
		jw_key_int(w, "http_status", row[4].integer);
	jw_opt_text(w, "detail", row[5].bytes);
}

static void write_exception(struct json_writer *w, const struct store_value *row)
{
	jw_key_text(w, "exception_id", row[1].bytes);
	jw_key_text(w, "type", row[3].bytes);
	jw_key_text(w, "subject", row[4].bytes);
	jw_key_text(w, "status", row[8].integer == 0 ? STR("open") : STR("resolved"));
}

static void write_entry(struct query *q, struct json_writer *w, const struct trace_entry *entry)
{
	const char *summary = NULL;

	switch (entry->kind) {
	case ENTRY_MESSAGE:
		summary = message_summary(q, entry->row);
		break;
	case ENTRY_EVENT:
		summary = event_summary(q, entry->row);
		break;
	case ENTRY_EXCEPTION:
		summary = arena_printf(q->arena, "Exception: " STR_FMT, STR_ARG(entry->row[7].bytes));
		break;
	case ENTRY_DELIVERY:
		summary = delivery_summary(q, entry->row);
		break;
	case ENTRY_ATTEMPT:
		summary = attempt_summary(q, entry);
		break;
	case ENTRY_REPLAY:
		summary = arena_printf(q->arena, "%s " STR_FMT ": sent again by a replay",
				       operation_words(entry->delivery[3].bytes), STR_ARG(entry->delivery[2].bytes));
		break;
	}
	jw_object(w);
	jw_key_time(w, "at", entry->at);
	jw_key_text(w, "kind", str_from(kind_names[entry->kind]));
	jw_key_text(w, "summary", str_from(summary ? summary : kind_names[entry->kind]));
	switch (entry->kind) {
	case ENTRY_MESSAGE:
		write_message(w, entry->row);
		break;
	case ENTRY_EVENT:
		write_event(w, entry->row);
		break;
	case ENTRY_EXCEPTION:
		write_exception(w, entry->row);
		break;
	case ENTRY_DELIVERY:
		write_delivery(q, w, entry->row);
		break;
	case ENTRY_ATTEMPT:
		write_attempt(w, entry);
		break;
	case ENTRY_REPLAY:
		jw_key_text(w, "delivery_id", entry->delivery[1].bytes);
		jw_key_text(w, "system", entry->delivery[2].bytes);
		jw_key_text(w, "operation", entry->delivery[3].bytes);
		jw_key_text(w, "replayed_by", entry->row[0].bytes);
		break;
	}
	jw_object_end(w);
}

static enum rc collect(struct trace *t, struct str correlation_id, struct err *e)
{
	enum rc rc = add_all(t, R_INBOX_TRACE, correlation_id, ENTRY_MESSAGE, 1, e);
	if (rc == RC_OK)
		rc = add_all(t, R_EVENT_TRACE, correlation_id, ENTRY_EVENT, 2, e);
	if (rc == RC_OK)
		rc = add_all(t, R_EXCEPTIONS_TRACE, correlation_id, ENTRY_EXCEPTION, 2, e);
	size_t before = t->count;
	if (rc == RC_OK)
		rc = add_all(t, R_DELIVERIES_TRACE, correlation_id, ENTRY_DELIVERY, 13, e);
	size_t after = t->count;
	for (size_t i = before; rc == RC_OK && i < after; i++) {
		const struct store_value *delivery = t->list[i].row;

		rc = add_attempts(t, delivery, e);
		if (rc == RC_OK)
			rc = add_replay(t, delivery, e);
	}
	if (t->count)
		qsort(t->list, t->count, sizeof(t->list[0]), by_time);
	return rc;
}

static void write_entries(struct trace *t, struct json_writer *w)
{
	jw_key(w, "entries");
	jw_array(w);
	for (size_t i = 0; i < t->count; i++)
		write_entry(t->q, w, &t->list[i]);
	jw_array_end(w);
}

enum rc query_trace(struct query *q, struct str correlation_id, struct buf *out, struct err *e)
{
	struct trace t = {.q = q};
	struct json_writer w;

	enum rc rc = collect(&t, correlation_id, e);
	if (rc != RC_OK)
		return rc;
	if (!t.count)
		return err_set(e, RC_NOT_FOUND, "trace_not_found", "Nothing is known under this correlation id.");
	jw_init(&w, out);
	jw_object(&w);
	jw_key_text(&w, "correlation_id", correlation_id);
	write_entries(&t, &w);
	jw_object_end(&w);
	return query_done(out, e);
}

enum rc query_timeline(struct query *q, struct str order_id, struct buf *out, struct err *e)
{
	struct trace t = {.q = q};
	struct store_value row[12];
	struct json_writer w;

	enum rc rc = query_one(q, R_ORDER, SV_TEXT(order_id), "order_not_found", "order", row, e);
	if (rc == RC_OK)
		rc = collect(&t, row[9].bytes, e);
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	jw_object(&w);
	jw_key_text(&w, "order_id", order_id);
	jw_key_text(&w, "correlation_id", row[9].bytes);
	jw_key_text(&w, "status", str_from(order_status_name((enum order_status)row[4].integer)));
	jw_key_time(&w, "stage_since", row[5].integer);
	write_entries(&t, &w);
	jw_object_end(&w);
	return query_done(out, e);
}
