/*
 * The inbox side of a command.
 *
 * A /v1 command gets an inbox row in the batch that holds its effects; with an Idempotency-Key the row keeps the
 * answer. A raw message got its row when it was acknowledged: the commands that it was mediated to only settle its
 * fate, the last of them writes it (the worst of its items'). 503 and 429 are never recorded.
 */
#include "hub/state.h"

#include "base/mem.h"
#include "observe/log.h"

/* The one that says most when a message's items differ. */
static enum fate worse(enum fate a, enum fate b)
{
	static const int weight[] = {
	    [FATE_PENDING] = 0,   [FATE_DUPLICATE] = 1, [FATE_STALE] = 2, [FATE_APPLIED] = 3,
	    [FATE_NOT_OWNED] = 4, [FATE_REJECTED] = 5,  [FATE_DEAD] = 6,
	};

	return weight[a] >= weight[b] ? a : b;
}

static enum fate settle_item(struct hub *h, const struct command *c, enum fate fate)
{
	struct message_progress **at = &h->messages, *p;

	while (*at && (*at)->seq != c->message_seq)
		at = &(*at)->next;
	if (*at)
		fate = worse((*at)->fate, fate);
	if (c->message_item + 1 < c->message_items) {
		if (!*at) {
			p = mem_zalloc(1, sizeof(*p));
			p->seq = c->message_seq;
			*at = p;
		}
		(*at)->fate = fate;
		return FATE_PENDING;
	}
	if (*at) {
		p = *at;
		*at = p->next;
		free(p);
	}
	return fate;
}

static struct str endpoint_of(const struct command *c)
{
	return c->type == COMMAND_MESSAGE_ACCEPT ? c->message.endpoint : STR_NONE;
}

static void count_inbox(struct txn *t, struct str kind, enum fate fate, int64_t delta)
{
	txn_count(t, COUNTED_INBOX, kind, str_from(fate_name(fate)), STR_NONE, delta);
}

/* After a commit that was in doubt its messages come again, although it was there after all. */
static bool has_fate(struct hub *h, struct command *c)
{
	struct store_value row[17];
	struct err e = ERR_NONE;

	return h->doubted &&
	       store_read_one(h->reader, R_INBOX_ONE, &SV_INT(c->message_seq), 1, &c->arena, row, &e) == RC_OK &&
	       row[11].integer != FATE_PENDING;
}

static void settle_message(struct hub *h, struct command *c, enum fate fate, struct str detail, struct str ref)
{
	struct txn *t = &h->batch.txn;

	fate = settle_item(h, c, fate);
	if (fate == FATE_PENDING || has_fate(h, c))
		return;
	txn_put(t, W_INBOX_FATE, SV_INT(c->message_seq), SV_INT(fate), SV_INT(t->now), SV_TEXT_OPT(detail),
		SV_TEXT_OPT(ref));
	count_inbox(t, STR("message"), FATE_PENDING, -1);
	count_inbox(t, STR("message"), fate, 1);
}

void inbox_settle(struct hub *h, struct command *c, enum fate fate, struct str natural_key, struct str detail,
		  struct str ref)
{
	struct txn *t = &h->batch.txn;
	bool keyed = c->idempotency_key.n > 0;
	int64_t seq;

	if (natural_key.n && (fate == FATE_APPLIED || fate == FATE_DUPLICATE))
		dead_letters_succeeded(h, c->source, command_type_name(c->type), natural_key);
	detail = txn_copy(t, detail); /* often of an error on the caller's stack */
	if (c->message_seq) {
		settle_message(h, c, fate, detail, ref);
		return;
	}
	seq = ++t->heads->inbox;
	txn_put(t, W_INBOX, SV_INT(seq), SV_INT(t->now), SV_TEXT(str_from(command_type_name(c->type))),
		SV_TEXT_OPT(c->source), SV_TEXT_OPT(endpoint_of(c)), SV_TEXT(c->correlation_id),
		SV_TEXT_OPT(natural_key), SV_TEXT_OPT(c->idempotency_key),
		SV_INT((int64_t)(keyed ? c->request_fingerprint : c->fingerprint)), SV_NULL,
		fate == FATE_NOT_OWNED && c->document.n ? SV_BLOB(c->document) : SV_NULL, SV_INT(fate), SV_INT(t->now),
		SV_TEXT_OPT(detail), SV_TEXT_OPT(ref), keyed ? SV_INT(c->answer.status) : SV_NULL,
		keyed ? SV_TEXT(c->answer.body) : SV_NULL);
	count_inbox(t, str_from(command_type_name(c->type)), fate, 1);
	if (keyed) {
		struct batch_answer *made = arena_new(&h->batch.arena, struct batch_answer);

		txn_dedup(t, DEDUP_IDEMPOTENCY, dedup_hash(DEDUP_IDEMPOTENCY, c->source, c->idempotency_key),
			  c->request_fingerprint, seq);
		if (!made) {
			t->failed = true;
			return;
		}
		*made = (struct batch_answer){.seq = seq, .command = c, .next = h->batch.inbox};
		h->batch.inbox = made;
	}
}

static const char *code_from_body(struct arena *a, struct str body)
{
	struct json *j;
	struct str code;

	if (json_parse(a, body, &JSON_LIMITS_DEFAULT, &j, NULL) != RC_OK)
		return NULL;
	code = json_get_text(j, "code");
	return code.n ? arena_copy(a, code).p : NULL;
}

bool inbox_replayed(struct hub *h, struct command *c)
{
	const struct dedup_entry *seen;
	struct store_value row[17];
	struct err e = ERR_NONE;

	if (!c->idempotency_key.n || c->message_seq)
		return false;
	seen = dedup_find(h->state.dedup, dedup_hash(DEDUP_IDEMPOTENCY, c->source, c->idempotency_key));
	if (!seen)
		return false;
	if (seen->fingerprint != c->request_fingerprint) {
		c->answer = answer_error(&c->arena, 422, "idempotency_key_reused",
					 "this Idempotency-Key was used before, for another request");
		return true;
	}
	for (struct batch_answer *b = h->batch.inbox; b; b = b->next) {
		if (b->seq != seen->ref)
			continue;
		c->answer = b->command->answer;
		c->answer.body = arena_copy(&c->arena, b->command->answer.body);
		if (c->answer.code) /* the other command goes first */
			c->answer.code = arena_copy(&c->arena, str_from(c->answer.code)).p;
		c->answer.replayed = true;
		return true;
	}
	if (store_read_one(h->reader, R_INBOX_ONE, &SV_INT(seen->ref), 1, &c->arena, row, &e) != RC_OK) {
		c->answer = answer_error(&c->arena, 503, "store_unavailable", "the first answer cannot be read now");
		return true;
	}
	c->answer = answer_json((int)row[15].integer, row[16].bytes);
	if (c->answer.status >= 400)
		c->answer.code = code_from_body(&c->arena, c->answer.body);
	c->answer.replayed = true;
	return true;
}

/* It has no effect, but it was answered 2xx: what its sender counts as sent is counted here too. The payload is the
 * first one's. */
static void note_duplicate(struct txn *t, const struct command *c)
{
	txn_put(t, W_INBOX, SV_INT(++t->heads->inbox), SV_INT(t->now), SV_TEXT(STR("message")), SV_TEXT(c->source),
		SV_TEXT(c->message.endpoint), SV_TEXT(c->correlation_id), SV_TEXT(c->message.natural_key), SV_NULL,
		SV_INT((int64_t)c->fingerprint), SV_NULL, SV_NULL, SV_INT(FATE_DUPLICATE), SV_INT(t->now), SV_NULL,
		SV_NULL, SV_NULL, SV_NULL);
	count_inbox(t, STR("message"), FATE_DUPLICATE, 1);
}

void apply_message_accept(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;
	struct hash128 key = dedup_hash(DEDUP_MESSAGE, c->source, c->message.natural_key);
	struct message *m;
	int64_t seq;

	c->answer = answer_fields(&c->arena, 202, "correlation_id", c->correlation_id, NULL);
	if (c->message.natural_key.n && dedup_find(h->state.dedup, key)) {
		c->answer.replayed = true;
		note_duplicate(t, c);
		return;
	}
	seq = ++t->heads->inbox;
	txn_put(t, W_INBOX, SV_INT(seq), SV_INT(t->now), SV_TEXT(STR("message")), SV_TEXT(c->source),
		SV_TEXT(c->message.endpoint), SV_TEXT(c->correlation_id), SV_TEXT_OPT(c->message.natural_key), SV_NULL,
		SV_INT((int64_t)c->fingerprint), SV_TEXT_OPT(c->message.headers), SV_BLOB(c->message.payload),
		SV_INT(FATE_PENDING), SV_NULL, SV_NULL, SV_NULL, SV_NULL, SV_NULL);
	count_inbox(t, STR("message"), FATE_PENDING, 1);
	if (c->message.natural_key.n)
		txn_dedup(t, DEDUP_MESSAGE, key, c->fingerprint, seq);
	if (!h->sinks.message)
		return;
	m = message_new(seq, t->now, c->source, c->message.endpoint, c->correlation_id, c->message.headers,
			c->message.payload);
	if (!m) {
		log_error("hub", "a message cannot be unpacked", LOG_INT("inbox", seq));
		return;
	}
	*h->batch.messages_last = m;
	h->batch.messages_last = &m->next;
}

void message_again(struct hub *h, const struct store_value *inbox, struct str payload)
{
	struct txn *t = &h->batch.txn;
	int64_t seq = ++t->heads->inbox;
	struct message *m = NULL;

	txn_put(t, W_INBOX, SV_INT(seq), SV_INT(t->now), SV_TEXT(STR("message")), SV_TEXT(inbox[3].bytes),
		SV_TEXT(inbox[4].bytes), SV_TEXT(inbox[5].bytes), SV_TEXT_OPT(inbox[6].bytes), SV_NULL, inbox[8],
		SV_TEXT_OPT(inbox[9].bytes), SV_BLOB(payload), SV_INT(FATE_PENDING), SV_NULL, SV_NULL, SV_NULL, SV_NULL,
		SV_NULL);
	count_inbox(t, STR("message"), FATE_PENDING, 1);
	if (h->sinks.message)
		m = message_new(seq, t->now, inbox[3].bytes, inbox[4].bytes, inbox[5].bytes, inbox[9].bytes, payload);
	if (!m)
		return;
	*h->batch.messages_last = m;
	h->batch.messages_last = &m->next;
}

void apply_message_dead(struct hub *h, struct command *c)
{
	struct str key = STR_NONE;

	if (c->refused) {
		txn_exception(&h->batch.txn, "message_refused", c->source, STR_NONE, c->reason);
	} else {
		if (c->natural_key.n)
			key = dead_letter_key(&h->batch.txn, c->source, command_type_name(c->natural_type),
					      c->natural_key);
		txn_dead_letter(&h->batch.txn, "mapping", c->source, STR_NONE, c->message_seq, 0, c->reason,
				c->document, key);
		dead_key_add(h, key);
	}
	inbox_settle(h, c, c->refused ? FATE_REJECTED : FATE_DEAD, STR_NONE, c->reason, STR_NONE);
	c->answer = answer_json(200, STR("{}"));
}
