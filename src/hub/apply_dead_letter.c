/*
 * Dead letters: mended, replayed, discarded, and closed by a later success.
 *
 * A replay closes the dead letter at once; if it fails again, a new one says so. An inbound one is mediated again as a
 * new row of the inbox, from the edited payload or the original. An outbound one waits again under its id, so that a
 * destination that has it does nothing; with an edited payload it is another message and gets another id. What a
 * channel may sell is not sent again as it was: the items are told anew, with what is true now.
 */
#include "hub/state.h"

#include "base/compress.h"
#include "base/mem.h"

#define DEAD_KEYS_MAX 1000000

enum dead_letter_status { DEAD_OPEN = 0, DEAD_REPLAYED = 1, DEAD_DISCARDED = 2, DEAD_CLOSED = 3 };

enum column {
	SEQ,
	ID,
	AT,
	CLASS,
	SYSTEM,
	INBOX,
	DELIVERY,
	CORRELATION,
	REASON,
	STATUS,
	OPERATION = 12,
	PAYLOAD,
	KEY,
	EDITED,
	COLUMNS = 19
};

/* ---- trace keys ---- */

struct dead_key {
	struct str key;
	uint32_t count;
};

struct str dead_letter_key(struct txn *t, struct str system, const char *what, struct str key)
{
	char *text = arena_printf(t->arena, STR_FMT "/%s/" STR_FMT, STR_ARG(system), what, STR_ARG(key));

	if (!text)
		t->failed = true;
	return str_from(text);
}

void dead_key_add(struct hub *h, struct str key)
{
	struct dead_key *k = key.n ? map_get(&h->state.dead_keys, key) : NULL;

	if (k || !key.n) {
		if (k)
			k->count++;
		return;
	}
	k = mem_zalloc(1, sizeof(*k));
	*k = (struct dead_key){mem_copy(key), 1};
	if (map_put(&h->state.dead_keys, k->key, k) == RC_OK)
		return;
	free((char *)k->key.p);
	free(k);
}

static void dead_key_remove(struct hub *h, struct str key)
{
	struct dead_key *k = key.n ? map_get(&h->state.dead_keys, key) : NULL;

	if (!k || --k->count > 0)
		return;
	map_remove(&h->state.dead_keys, key);
	free((char *)k->key.p);
	free(k);
}

static enum rc load_key(void *ctx, const struct store_value *c, size_t count)
{
	(void)count;
	dead_key_add(ctx, c[0].bytes);
	return RC_OK;
}

enum rc dead_keys_load(struct hub *h, struct err *e)
{
	map_init(&h->state.dead_keys, DEAD_KEYS_MAX);
	return store_read(h->reader, R_DEAD_LETTER_KEYS, NULL, 0, load_key, h, e);
}

void dead_keys_free(struct hub *h)
{
	struct dead_key *k;
	size_t at = 0;

	while ((k = map_next(&h->state.dead_keys, &at, NULL))) {
		free((char *)k->key.p);
		free(k);
	}
	map_done(&h->state.dead_keys);
	h->state.dead_keys = (struct map){0};
}

/* ---- ends ---- */

static void tell(struct hub *h, const char *type, struct str id, struct str system, struct str note)
{
	struct txn *t = &h->batch.txn;
	struct json_writer w;
	struct buf data;

	buf_init(&data, 64 << 10);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "dead_letter_id", id);
	jw_opt_text(&w, "system", system);
	jw_opt_text(&w, "reason", note);
	jw_object_end(&w);
	txn_event(t, type, txn_copy(t, id), 0, txn_text(t, &data));
	buf_done(&data);
}

struct ended {
	int64_t seq;
	struct str id, class_, system, operation, key;
};

static void end(struct hub *h, const struct ended *d, enum dead_letter_status status, struct str note)
{
	static const char *const types[] = {NULL, "dead_letter.replayed", "dead_letter.discarded",
					    "dead_letter.closed"};
	struct txn *t = &h->batch.txn;

	batch_touch(h, TOUCHED_DEAD_LETTER, d->seq);
	txn_put(t, W_DEAD_LETTER_STATE, SV_INT(d->seq), SV_INT(status), SV_INT(t->now), SV_TEXT_OPT(txn_copy(t, note)),
		SV_TEXT_OPT(t->cause.source));
	txn_count(t, COUNTED_DEAD_LETTERS, d->class_, d->system, d->operation, -1);
	dead_key_remove(h, d->key);
	tell(h, types[status], d->id, d->system, note);
}

static void end_row(struct hub *h, const struct store_value *row, enum dead_letter_status status, struct str note)
{
	const struct ended d = {row[SEQ].integer,  row[ID].bytes,        row[CLASS].bytes,
				row[SYSTEM].bytes, row[OPERATION].bytes, row[KEY].bytes};

	h->batch.txn.cause.correlation_id = txn_copy(&h->batch.txn, row[CORRELATION].bytes);
	end(h, &d, status, note);
}

struct succeeded {
	struct hub *h;
	struct str key;
};

static enum rc close_one(void *ctx, const struct store_value *c, size_t count)
{
	struct succeeded *s = ctx;
	const struct ended d = {c[0].integer, c[1].bytes, c[2].bytes, c[3].bytes, c[4].bytes, s->key};

	(void)count;
	if (!batch_touched(s->h, TOUCHED_DEAD_LETTER, d.seq))
		end(s->h, &d, DEAD_CLOSED, STR("a later message about the same went through"));
	return RC_OK;
}

void dead_letters_succeeded(struct hub *h, struct str system, const char *what, struct str key)
{
	struct succeeded s = {.h = h};
	struct err e = ERR_NONE;

	if (h->state.dead_keys.count == 0)
		return;
	s.key = dead_letter_key(&h->batch.txn, system, what, key);
	if (map_get(&h->state.dead_keys, s.key))
		(void)!store_read(h->reader, R_DEAD_LETTERS_BY_KEY, &SV_TEXT(s.key), 1, close_one, &s, &e);
}

/* ---- replay ---- */

static enum rc replay_message(struct hub *h, struct arena *a, const struct store_value *row, struct err *e)
{
	struct store_value inbox[17];
	struct str payload = row[EDITED].bytes;
	enum rc rc = store_read_one(h->reader, R_INBOX_ONE, &SV_INT(row[INBOX].integer), 1, a, inbox, e);

	if (rc == RC_NOT_FOUND || (rc == RC_OK && !payload.n && !inbox[10].bytes.n))
		return err_set(e, RC_CONFLICT, "payload_gone", "the message is not kept any more");
	if (rc != RC_OK)
		return rc;
	message_again(h, inbox, payload.n ? payload : inbox[10].bytes);
	return RC_OK;
}

/* The delivery as it was mended: {"document"?, "params"?}, under a new id. */
static enum rc deliver_edited(struct hub *h, struct arena *a, const struct delivery *d, struct str edited,
			      struct str mark, struct err *e)
{
	struct txn *t = &h->batch.txn;
	struct txn_delivery made = {.system = txn_copy(t, d->system),
				    .system_index = d->head.system,
				    .operation = (enum operation)d->head.operation,
				    .priority = system_priority(h, d->head.system, d->head.operation),
				    .key = txn_copy(t, d->key),
				    .order_id = txn_copy(t, d->order_id),
				    .event = d->event,
				    .replayed = true};
	const struct json_limits limits = {.bytes = DOCUMENT_BYTES_MAX, .depth = 64, .nodes = 1u << 20};
	const struct json *document, *params;
	struct store_value type[2];
	struct str text, packed;
	struct json *parsed;
	struct buf b;
	enum rc rc = decompress(a, edited, DOCUMENT_BYTES_MAX, &text, e);

	if (rc == RC_OK)
		rc = json_parse(a, text, &limits, &parsed, e);
	if (rc != RC_OK)
		return rc;
	document = json_get(parsed, "document");
	params = json_get(parsed, "params");
	buf_init(&b, DOCUMENT_BYTES_MAX);
	if (document && d->document) {
		rc = store_read_one(h->reader, R_DOCUMENT, &SV_INT(d->document), 1, a, type, e);
		json_write(&b, document);
		if (rc == RC_OK)
			rc = compress(t->arena, buf_str(&b), &packed);
		if (rc == RC_OK)
			made.document = txn_document(t, txn_copy(t, type[0].bytes), packed);
		buf_reset(&b);
	}
	if (rc == RC_OK && params) {
		json_write(&b, params);
		made.params = txn_text(t, &b);
	}
	buf_done(&b);
	if (rc == RC_OK)
		txn_put(t, W_DELIVERY_REPLAY, SV_INT(txn_delivery(t, &made)), SV_TEXT(txn_copy(t, mark)));
	return rc;
}

static enum rc tell_anew(struct hub *h, struct arena *a, const struct delivery *d)
{
	const struct json_limits limits = {.bytes = DOCUMENT_BYTES_MAX, .depth = 16, .nodes = 1u << 20};
	struct json *params;

	if (json_parse(a, d->params, &limits, &params, NULL) == RC_OK)
		publish_again(h->state.publisher, &h->batch.txn, d->head.system, params);
	return RC_OK;
}

static enum rc replay_delivery(struct hub *h, struct arena *a, const struct store_value *row, struct str mark,
			       struct err *e)
{
	struct delivery d;
	enum rc rc = delivery_load(h->reader, a, row[DELIVERY].integer, &d, e);

	if (rc == RC_NOT_FOUND)
		return err_set(e, RC_CONFLICT, "payload_gone", "the delivery is not kept any more");
	if (rc != RC_OK)
		return rc;
	if (!system_by_name(h, d.system, &d.head.system))
		return err_set(e, RC_CONFLICT, "system_not_found", "its system is not configured any more");
	if (row[EDITED].bytes.n)
		return deliver_edited(h, a, &d, row[EDITED].bytes, mark, e);
	if (d.head.operation == OP_AVAILABILITY)
		return tell_anew(h, a, &d);
	if (d.head.status < DELIVERY_FINAL || batch_touched(h, TOUCHED_DELIVERY, d.head.seq))
		return err_set(e, RC_CONFLICT, "delivery_open", "the delivery is on its way again already");
	d.system = txn_copy(&h->batch.txn, d.system);
	d.head.priority = (uint8_t)system_priority(h, d.head.system, d.head.operation);
	batch_touch(h, TOUCHED_DELIVERY, d.head.seq);
	txn_delivery_reopen(&h->batch.txn, &d, mark);
	return RC_OK;
}

static enum rc check_open(struct hub *h, const struct store_value *row, struct err *e)
{
	if (row[STATUS].integer != DEAD_OPEN)
		return err_set(e, RC_CONFLICT, "dead_letter_closed", "the dead letter is closed already");
	if (batch_touched(h, TOUCHED_DEAD_LETTER, row[SEQ].integer))
		return err_set(e, RC_CONFLICT, "being_changed", "somebody else changes it now; try again");
	return RC_OK;
}

enum rc dead_letter_replay(struct hub *h, struct arena *a, const struct store_value *row, struct str job, struct err *e)
{
	enum rc rc = check_open(h, row, e);

	if (rc != RC_OK)
		return rc;
	h->batch.txn.cause.correlation_id = txn_copy(&h->batch.txn, row[CORRELATION].bytes);
	if (row[DELIVERY].integer)
		rc = replay_delivery(h, a, row, job.n ? job : row[ID].bytes, e);
	else
		rc = replay_message(h, a, row, e);
	if (rc == RC_OK)
		end_row(h, row, DEAD_REPLAYED,
			row[EDITED].bytes.n ? STR("replayed with the edited payload") : STR("replayed"));
	return rc;
}

enum rc dead_letter_discard(struct hub *h, const struct store_value *row, struct str reason, struct err *e)
{
	enum rc rc = check_open(h, row, e);

	if (rc == RC_OK)
		end_row(h, row, DEAD_DISCARDED, reason);
	return rc;
}

/* ---- commands ---- */

static bool find_open(struct hub *h, struct command *c, struct store_value *row)
{
	struct err e = ERR_NONE;
	enum rc rc = store_read_one(h->reader, R_DEAD_LETTER, &SV_TEXT(c->target), 1, &c->arena, row, &e);

	if (rc == RC_NOT_FOUND)
		c->answer = answer_error(&c->arena, 404, "dead_letter_not_found", "there is no such dead letter");
	else if (rc != RC_OK)
		c->answer = answer_error(&c->arena, 503, "store_unavailable", "the dead letter cannot be read now");
	else if (row[STATUS].integer != DEAD_OPEN)
		c->answer = answer_error(&c->arena, 409, "dead_letter_closed", "the dead letter is closed already");
	else if (batch_touched(h, TOUCHED_DEAD_LETTER, row[SEQ].integer))
		c->answer = answer_error(&c->arena, 409, "being_changed", "somebody else changes it now; try again");
	else
		return true;
	return false;
}

void apply_dead_letter_edit(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;
	struct store_value row[COLUMNS];

	if (!find_open(h, c, row))
		return;
	batch_touch(h, TOUCHED_DEAD_LETTER, row[SEQ].integer);
	t->cause.correlation_id = txn_copy(t, row[CORRELATION].bytes);
	txn_put(t, W_DEAD_LETTER_EDIT, SV_INT(row[SEQ].integer), SV_BLOB(c->document), SV_INT(t->now),
		SV_TEXT_OPT(c->source));
	tell(h, "dead_letter.edited", c->target, row[SYSTEM].bytes, STR_NONE);
	c->answer = answer_json(200, c->reason);
}

void apply_dead_letter_replay(struct hub *h, struct command *c)
{
	struct store_value row[COLUMNS];
	struct err e = ERR_NONE;
	enum rc rc;

	if (!find_open(h, c, row))
		return;
	rc = dead_letter_replay(h, &c->arena, row, STR_NONE, &e);
	if (rc == RC_OK)
		c->answer = answer_fields(&c->arena, 202, "id", c->target, "status", STR("replayed"), "correlation_id",
					  row[CORRELATION].bytes, NULL);
	else
		c->answer = answer_problem(&c->arena, answer_status_of(rc), &e);
}

void apply_dead_letter_discard(struct hub *h, struct command *c)
{
	struct store_value row[COLUMNS];

	if (!find_open(h, c, row))
		return;
	end_row(h, row, DEAD_DISCARDED, c->reason);
	c->answer = answer_fields(&c->arena, 200, "id", c->target, "status", STR("discarded"), NULL);
}
