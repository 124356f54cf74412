#include "backbone/txn.h"

#include "backbone/event_types.h"

#include <assert.h>

void txn_init(struct txn *t, struct arena *arena, struct log_heads *heads, struct dedup *dedup, struct uuid_source *ids,
	      int64_t batch_number, int64_t now)
{
	*t = (struct txn){.arena = arena, .heads = heads, .dedup = dedup, .ids = ids, .now = now};
	store_batch_init(&t->batch, arena, batch_number);
}

void txn_write(struct txn *t, enum store_statement s, const struct store_value *values, size_t count)
{
	if (store_batch_add(&t->batch, s, values, count) != RC_OK)
		t->failed = true;
}

struct str txn_copy(struct txn *t, struct str s)
{
	struct str copy = arena_copy(t->arena, s);

	if (!copy.p)
		t->failed = true;
	return copy;
}

struct str txn_uuid(struct txn *t)
{
	char text[UUID_TEXT + 1];

	uuid_format(uuid_make(t->ids, t->now), text);
	return txn_copy(t, (struct str){text, UUID_TEXT});
}

struct str txn_text(struct txn *t, const struct buf *b)
{
	if (!buf_ok(b))
		t->failed = true;
	return txn_copy(t, buf_str(b));
}

static void tell_subscriptions(struct txn *t, int64_t position, struct str type, struct str subject)
{
	size_t count;
	const int64_t *seqs = subscriptions_match(t->subscriptions, type, subject, &count);

	for (size_t i = 0; i < count; i++)
		txn_event_delivery(t, seqs[i], OP_EVENT, position, subject);
}

int64_t txn_event(struct txn *t, const char *type, struct str subject, int64_t document, struct str data)
{
	int64_t position = ++t->heads->event;

#ifdef CD_TEST_HOOKS
	assert(event_type_known(type)); /* else event_types.def and api/asyncapi.yaml want a row */
#endif
	txn_put(t, W_EVENT, SV_INT(position), SV_TEXT(txn_uuid(t)), SV_INT(t->now), SV_TEXT(str_from(type)),
		SV_TEXT(subject), SV_TEXT_OPT(t->cause.source), SV_TEXT(t->cause.correlation_id),
		document ? SV_INT(document) : SV_NULL, SV_TEXT(data));
	if (t->subscriptions)
		tell_subscriptions(t, position, str_from(type), subject);
	return position;
}

int64_t txn_document(struct txn *t, struct str type, struct str packed)
{
	int64_t seq = ++t->heads->document;

	txn_put(t, W_DOCUMENT, SV_INT(seq), SV_TEXT(type), SV_INT(t->now), SV_BLOB(packed));
	return seq;
}

void txn_dedup(struct txn *t, enum dedup_kind kind, struct hash128 hash, uint64_t fingerprint, int64_t ref)
{
	struct dedup_entry entry = {fingerprint, ref};

	if (t->key_count == t->key_room) {
		size_t room = t->key_room ? t->key_room * 2 : 64;
		unsigned char *more = arena_grow(t->arena, t->keys, t->key_room * DEDUP_PACKED, room * DEDUP_PACKED);

		if (!more) {
			t->failed = true;
			return;
		}
		t->keys = more;
		t->key_room = room;
	}
	dedup_pack(t->keys + t->key_count++ * DEDUP_PACKED, kind, hash, entry);
	if (dedup_insert(t->dedup, hash, entry) != RC_OK)
		t->failed = true;
}

void txn_keys(struct txn *t)
{
	if (t->key_count)
		txn_put(t, W_DEDUP, SV_INT(++t->heads->dedup), SV_INT(t->now),
			SV_BLOB(((struct str){(const char *)t->keys, t->key_count * DEDUP_PACKED})));
	t->key_count = 0;
}

static size_t count_hash(struct str a, struct str b, struct str c)
{
	const struct str parts[] = {a, b, c};
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < 3; i++)
		for (size_t n = 0; n < parts[i].n; n++)
			hash = (hash ^ (uint8_t)parts[i].p[n]) * 16777619u;
	return hash % TXN_COUNT_BUCKETS;
}

void txn_count(struct txn *t, enum counted what, struct str a, struct str b, struct str c, int64_t delta)
{
	struct txn_count **at = &t->counts[count_hash(a, b, c)], *n;

	while (*at && ((*at)->what != what || !str_eq((*at)->a, a) || !str_eq((*at)->b, b) || !str_eq((*at)->c, c)))
		at = &(*at)->next;
	if (!*at) {
		n = arena_new(t->arena, struct txn_count);
		if (!n) {
			t->failed = true;
			return;
		}
		*n = (struct txn_count){.what = what, .a = txn_copy(t, a), .b = txn_copy(t, b), .c = txn_copy(t, c)};
		*at = n;
	}
	(*at)->delta += delta;
	if (delta > 0)
		(*at)->added += delta;
}

void txn_delivery_ended(struct txn *t, struct str system, enum operation op, enum delivery_status status)
{
	struct str operation = str_from(operation_name(op));

	assert(status >= DELIVERY_FINAL);
	txn_count(t, COUNTED_DELIVERIES, system, operation, STR("open"), -1);
	txn_count(t, COUNTED_DELIVERIES, system, operation, str_from(delivery_status_name(status)), 1);
}

static void remember_head(struct txn *t, const struct delivery_head *head)
{
	if (t->delivery_count == t->delivery_room) {
		size_t room = t->delivery_room ? t->delivery_room * 2 : 64;
		struct delivery_head *more =
		    arena_grow(t->arena, t->deliveries, t->delivery_room * sizeof(*more), room * sizeof(*more));

		if (!more) {
			t->failed = true;
			return;
		}
		t->deliveries = more;
		t->delivery_room = room;
	}
	t->deliveries[t->delivery_count++] = *head;
}

int64_t txn_delivery(struct txn *t, const struct txn_delivery *d)
{
	struct delivery_head head = {
	    .seq = ++t->heads->delivery,
	    .key = delivery_key_hash(d->key),
	    .next_at = t->now,
	    .created_at = t->now,
	    .system = d->system_index,
	    .operation = (uint8_t)d->operation,
	    .status = DELIVERY_WAITING,
	    .priority = (uint8_t)d->priority,
	    .replayed = d->replayed,
	};

	txn_put(t, W_DELIVERY, SV_INT(head.seq), SV_TEXT(d->id.n ? d->id : txn_uuid(t)), SV_TEXT(d->system),
		SV_TEXT(str_from(operation_name(d->operation))), SV_TEXT(d->key), SV_TEXT_OPT(d->order_id),
		SV_TEXT(t->cause.correlation_id), d->event ? SV_INT(d->event) : SV_NULL,
		d->document ? SV_INT(d->document) : SV_NULL, SV_TEXT_OPT(d->params), SV_INT(DELIVERY_WAITING),
		SV_INT(0), SV_INT(t->now), SV_INT(t->now), SV_INT(t->now), SV_NULL, SV_NULL, SV_INT(head.priority));
	txn_count(t, COUNTED_DELIVERIES, d->system, str_from(operation_name(d->operation)), STR("open"), 1);
	remember_head(t, &head);
	return head.seq;
}

int64_t txn_event_delivery(struct txn *t, int64_t seq, enum operation op, int64_t position, struct str subject)
{
	char name[SUBSCRIPTION_NAME_MAX];

	subscription_name(seq, name);
	struct txn_delivery d = {
	    .system = txn_copy(t, str_from(name)),
	    .system_index = subscription_system(seq),
	    .operation = op,
	    .priority = operation_priority(op),
	    .key = subject,
	    .event = position,
	    .params = DELIVERY_PARAMS_EVENT,
	};
	return txn_delivery(t, &d);
}

void txn_system_changed(struct txn *t, uint32_t system)
{
	remember_head(t, &(struct delivery_head){.system = system});
}

void txn_system_gone(struct txn *t, uint32_t system)
{
	remember_head(t, &(struct delivery_head){.system = system, .status = DELIVERY_CANCELLED});
}

void txn_delivery_reopen(struct txn *t, const struct delivery *d, struct str replay)
{
	enum delivery_status was = (enum delivery_status)d->head.status;
	struct str operation = str_from(operation_name((enum operation)d->head.operation));
	struct delivery_head head = d->head;

	assert(was >= DELIVERY_FINAL);
	head.status = DELIVERY_WAITING;
	head.replayed = true;
	head.next_at = head.created_at = t->now;
	txn_put(t, W_DELIVERY_REOPEN, SV_INT(head.seq), SV_INT(t->now), SV_TEXT(txn_copy(t, replay)),
		SV_INT(head.priority));
	txn_count(t, COUNTED_DELIVERIES, d->system, operation, str_from(delivery_status_name(was)), -1);
	txn_count(t, COUNTED_DELIVERIES, d->system, operation, STR("open"), 1);
	remember_head(t, &head);
}

struct str txn_exception(struct txn *t, const char *kind, struct str subject, struct str order_id, struct str detail)
{
	struct str id = txn_uuid(t);
	struct buf data;
	struct json_writer w;

	buf_init(&data, 64 << 10);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "exception_id", id);
	jw_key_text(&w, "kind", str_from(kind));
	jw_opt_text(&w, "order_id", order_id);
	jw_key_text(&w, "detail", detail);
	jw_object_end(&w);
	txn_put(t, W_EXCEPTION, SV_INT(++t->heads->exception), SV_TEXT(id), SV_INT(t->now), SV_TEXT(str_from(kind)),
		SV_TEXT(subject), SV_TEXT_OPT(order_id), SV_TEXT(t->cause.correlation_id), SV_TEXT(detail), SV_INT(0),
		SV_NULL, SV_NULL, SV_NULL);
	txn_count(t, COUNTED_EXCEPTIONS, str_from(kind), STR_NONE, STR_NONE, 1);
	txn_event(t, "exception.raised", subject, 0, txn_text(t, &data));
	buf_done(&data);
	return id;
}

/* Of a subscription there is none: it would be sent to it, and be the next to fail. */
static void tell_dead_letter(struct txn *t, struct str id, const char *class_, struct str system, struct str reason)
{
	struct json_writer w;
	struct buf data;
	int64_t subscription;

	if (subscription_name_parse(system, &subscription))
		return;
	buf_init(&data, 64 << 10);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "dead_letter_id", id);
	jw_key_text(&w, "class", str_from(class_));
	jw_opt_text(&w, "system", system);
	jw_key_text(&w, "reason", reason);
	jw_object_end(&w);
	txn_event(t, "dead_letter.raised", id, 0, txn_text(t, &data));
	buf_done(&data);
}

void txn_dead_letter(struct txn *t, const char *class_, struct str system, struct str operation, int64_t inbox,
		     int64_t delivery, struct str reason, struct str payload, struct str trace_key)
{
	struct str id = txn_uuid(t);

	tell_dead_letter(t, id, class_, system, reason);
	txn_put(t, W_DEAD_LETTER, SV_INT(++t->heads->dead_letter), SV_TEXT(id), SV_INT(t->now),
		SV_TEXT(str_from(class_)), SV_TEXT_OPT(system), inbox ? SV_INT(inbox) : SV_NULL,
		delivery ? SV_INT(delivery) : SV_NULL, SV_TEXT(t->cause.correlation_id), SV_TEXT(reason), SV_INT(0),
		SV_NULL, SV_NULL, payload.n ? SV_BLOB(payload) : SV_NULL, SV_TEXT_OPT(trace_key),
		SV_TEXT_OPT(operation));
	txn_count(t, COUNTED_DEAD_LETTERS, str_from(class_), system, operation, 1);
}
