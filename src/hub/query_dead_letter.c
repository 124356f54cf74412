/* Dead letters as an operator sees them: what was to be done, what came of it, and how it was mended. */
#include "base/compress.h"
#include "base/utf8.h"
#include "format/json_diff.h"
#include "hub/query_repair.h"

#include <stdio.h>

#define PAYLOAD_SHOWN_MAX (4u << 20)

enum column { SEQ, ID, AT, CLASS, SYSTEM, INBOX, DELIVERY, CORRELATION, REASON, STATUS, CLOSED_AT, NOTE };
enum more { OPERATION = 12, PAYLOAD, KEY, EDITED, EDITED_AT, EDITED_BY, CLOSED_BY, COLUMNS };

/* Numbers as they are stored. */
static const char *const statuses[] = {"open", "replayed", "discarded", "closed"};

static int status_of(struct str name)
{
	for (int i = 0; i < 4; i++)
		if (str_is(name, statuses[i]))
			return i;
	return -1;
}

/* ---- lists ---- */

struct list_filter {
	struct query_dead_letters by;
	int status;
};

static bool fits(void *ctx, const struct store_value *row)
{
	const struct list_filter *f = ctx;

	return (f->status < 0 || row[STATUS].integer == f->status) &&
	       (!f->by.class_.n || str_eq(row[CLASS].bytes, f->by.class_)) &&
	       (!f->by.system.n || str_eq(row[SYSTEM].bytes, f->by.system)) &&
	       (!f->by.operation.n || str_eq(row[OPERATION].bytes, f->by.operation));
}

static void write_head(struct json_writer *w, const struct store_value *row)
{
	int64_t status = row[STATUS].integer;

	jw_object(w);
	jw_key_text(w, "id", row[ID].bytes);
	jw_key_time(w, "at", row[AT].integer);
	jw_key_text(w, "class", row[CLASS].bytes);
	jw_opt_text(w, "system", row[SYSTEM].bytes);
	jw_opt_text(w, "operation", row[OPERATION].bytes);
	jw_key_text(w, "kind", row[DELIVERY].integer ? STR("delivery") : STR("message"));
	jw_key_text(w, "correlation_id", row[CORRELATION].bytes);
	jw_key_text(w, "reason", row[REASON].bytes);
	jw_key_text(w, "status", status >= 0 && status < 4 ? str_from(statuses[status]) : STR("invalid"));
	query_write_time(w, "closed_at", row[CLOSED_AT]);
	jw_opt_text(w, "note", row[NOTE].bytes);
}

static enum rc write_item(void *ctx, struct json_writer *w, const struct store_value *row, struct err *e)
{
	(void)ctx;
	(void)e;
	write_head(w, row);
	jw_object_end(w);
	return RC_OK;
}

enum rc query_dead_letters(struct query *q, const struct query_dead_letters *by, const struct query_page *p,
			   struct buf *out, struct err *e)
{
	static const enum store_statement open[2][2][2] = {
	    {{R_DEAD_LETTERS_OPEN_BEFORE, R_DEAD_LETTERS_OPEN_OPERATION_BEFORE},
	     {R_DEAD_LETTERS_OPEN_CLASS_BEFORE, R_DEAD_LETTERS_OPEN_CLASS_OPERATION_BEFORE}},
	    {{R_DEAD_LETTERS_OPEN_SYSTEM_BEFORE, R_DEAD_LETTERS_OPEN_SYSTEM_OPERATION_BEFORE},
	     {R_DEAD_LETTERS_OPEN_BOTH_BEFORE, R_DEAD_LETTERS_OPEN_ALL_BEFORE}}};
	struct list_filter f = {*by, status_of(by->status)};
	struct query_list list = {.statement = R_DEAD_LETTERS_BEFORE, .match = fits, .write = write_item, .ctx = &f};
	struct store_value more[3];

	if (by->status.n && f.status < 0)
		return err_set(e, RC_INVALID, "unknown_status", "There is no dead letter status '" STR_FMT "'.",
			       STR_ARG(by->status));
	/* What is open is found by an index; what is done with is looked through, newest first. */
	if (f.status == 0) {
		list.statement = open[by->system.n > 0][by->class_.n > 0][by->operation.n > 0];
		list.more = more;
		if (by->system.n)
			more[list.more_count++] = SV_TEXT(by->system);
		if (by->class_.n)
			more[list.more_count++] = SV_TEXT(by->class_);
		if (by->operation.n)
			more[list.more_count++] = SV_TEXT(by->operation);
	}
	return query_list(q, &list, p, out, e);
}

/* ---- payloads ---- */

static struct str unpacked(struct query *q, struct str stored)
{
	struct str raw;

	if (decompress(q->arena, stored, PAYLOAD_SHOWN_MAX, &raw, NULL) != RC_OK)
		return stored;
	return raw;
}

/* As text where it is text, else in base64. */
static void write_payload(struct query *q, struct json_writer *w, const char *name, struct str raw)
{
	char key[64];

	if (!raw.n)
		return;
	if (utf8_check(raw) == raw.n) {
		jw_key_text(w, name, raw);
		return;
	}
	char *text = arena_alloc(q->arena, 4 * ((raw.n + 2) / 3) + 1);
	if (!text)
		return;
	base64_encode(raw.p, raw.n, text);
	snprintf(key, sizeof(key), "%s_base64", name);
	jw_key_text(w, key, str_from(text));
}

/* A row that retention may have taken away. */
static enum rc read_kept(struct query *q, enum store_statement s, int64_t seq, struct store_value *row, bool *found,
			 struct err *e)
{
	struct err cause = ERR_NONE;
	*found = false;
	if (!seq)
		return RC_OK;
	enum rc rc = store_read_one(q->reader, s, &SV_INT(seq), 1, q->arena, row, &cause);
	*found = rc == RC_OK;
	if (rc != RC_OK && rc != RC_NOT_FOUND && e)
		*e = cause;
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* What a delivery is made from: {"document"?, "params"?}. */
static enum rc delivery_payload(struct query *q, const struct store_value *delivery, struct str *type, struct str *out,
				struct err *e)
{
	struct store_value document[2];
	struct json_writer w;
	struct str text;
	bool found;
	struct buf b;
	enum rc rc = read_kept(q, R_DOCUMENT, delivery[8].integer, document, &found, e);

	if (rc == RC_OK && found)
		rc = decompress(q->arena, document[1].bytes, DOCUMENT_BYTES_MAX, &text, e);
	if (rc != RC_OK)
		return rc;
	buf_init(&b, DOCUMENT_BYTES_MAX * 2);
	jw_init(&w, &b);
	jw_object(&w);
	*type = STR_NONE;
	if (found) {
		*type = document[0].bytes;
		jw_key(&w, "document");
		jw_raw(&w, text);
	}
	if (delivery[9].bytes.n) {
		jw_key(&w, "params");
		jw_raw(&w, delivery[9].bytes);
	}
	jw_object_end(&w);
	*out = arena_copy(q->arena, buf_str(&b));
	buf_done(&b);
	return out->p ? RC_OK : err_set(e, RC_LIMIT, "answer_too_large", "The payload is too large.");
}

/* Payload and edited payload, and what differs. */
static void write_edit(struct query *q, struct json_writer *w, const struct store_value *row, struct str original)
{
	struct str edited = unpacked(q, row[EDITED].bytes);

	jw_key(w, "edit");
	jw_object(w);
	query_write_time(w, "at", row[EDITED_AT]);
	jw_opt_text(w, "by", row[EDITED_BY].bytes);
	write_payload(q, w, "payload", edited);
	jw_key(w, "changes");
	json_diff(q->arena, original, edited, w);
	jw_object_end(w);
}

enum rc query_dead_letter_payload(struct query *q, struct str id, struct dead_letter_payload *out, struct err *e)
{
	struct store_value row[COLUMNS], other[17];
	bool found = false;
	enum rc rc = query_one(q, R_DEAD_LETTER, SV_TEXT(id), "dead_letter_not_found", "dead letter", row, e);

	if (rc != RC_OK)
		return rc;
	*out = (struct dead_letter_payload){.system = row[SYSTEM].bytes, .is_delivery = row[DELIVERY].integer != 0};
	rc = read_kept(q, out->is_delivery ? R_DELIVERY : R_INBOX_ONE,
		       out->is_delivery ? row[DELIVERY].integer : row[INBOX].integer, other, &found, e);
	if (rc == RC_OK && !found)
		return err_set(e, RC_CONFLICT, "payload_gone", "What it is about is not kept any more.");
	if (rc != RC_OK)
		return rc;
	if (out->is_delivery)
		return delivery_payload(q, other, &out->type, &out->payload, e);
	out->endpoint = other[4].bytes;
	out->payload = unpacked(q, other[10].bytes);
	return RC_OK;
}

/* ---- one ---- */

static enum rc write_delivery(struct query *q, struct json_writer *w, const struct store_value *delivery, struct err *e)
{
	struct query_rows attempts;
	enum rc rc;

	jw_key(w, "delivery");
	rc = query_write_delivery(q, w, delivery, e);
	if (rc != RC_OK)
		return rc;
	jw_object_end(w);
	rc = query_all(q, R_ATTEMPTS, &SV_INT(delivery[0].integer), 1, &attempts, e);
	if (rc != RC_OK)
		return rc;
	jw_key(w, "attempts");
	jw_array(w);
	for (size_t i = 0; i < attempts.count; i++) {
		rc = query_write_attempt(q, w, query_row(&attempts, i), e);
		if (rc != RC_OK)
			return rc;
		jw_object_end(w);
	}
	jw_array_end(w);
	return RC_OK;
}

static void write_message(struct query *q, struct json_writer *w, const struct store_value *message, struct str payload)
{
	jw_key(w, "message");
	jw_object(w);
	jw_key_time(w, "at", message[1].integer);
	jw_opt_text(w, "source", message[3].bytes);
	jw_opt_text(w, "endpoint", message[4].bytes);
	jw_opt_text(w, "detail", message[13].bytes);
	write_payload(q, w, "payload", payload);
	jw_object_end(w);
}

enum rc query_dead_letter(struct query *q, struct str id, struct buf *out, struct err *e)
{
	struct store_value row[COLUMNS], message[17], delivery[17];
	struct str original = STR_NONE, type;
	bool has_message = false, has_delivery = false;
	struct json_writer w;

	enum rc rc = query_one(q, R_DEAD_LETTER, SV_TEXT(id), "dead_letter_not_found", "dead letter", row, e);
	if (rc == RC_OK)
		rc = read_kept(q, R_INBOX_ONE, row[INBOX].integer, message, &has_message, e);
	if (rc == RC_OK)
		rc = read_kept(q, R_DELIVERY, row[DELIVERY].integer, delivery, &has_delivery, e);
	if (rc == RC_OK && has_delivery)
		rc = delivery_payload(q, delivery, &type, &original, e);
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	write_head(&w, row);
	jw_opt_text(&w, "closed_by", row[CLOSED_BY].bytes);
	if (has_message)
		original = unpacked(q, message[10].bytes);
	/* Of a message: the object in it that could not be used. */
	write_payload(q, &w, "payload", has_delivery ? original : unpacked(q, row[PAYLOAD].bytes));
	if (has_message)
		write_message(q, &w, message, original);
	if (has_delivery)
		rc = write_delivery(q, &w, delivery, e);
	if (rc != RC_OK)
		return rc;
	if (row[EDITED].bytes.n)
		write_edit(q, &w, row, original);
	jw_object_end(&w);
	return query_done(out, e);
}
