/*
 * Subscriptions: made, changed, deleted, and what their deliveries say about them.
 *
 * One whose every attempt has failed for webhooks.disable_after, and in that time webhooks.disable_attempts times, is
 * disabled; half-way there an event warns of it. 410 Gone disables at once. What waits for a subscription that is
 * disabled or deleted is cancelled by the delivery engine, when it comes to it: it asks before each request.
 *
 * A replay is ranges of positions in the row (backbone/replay.h). The writer turns it into deliveries a slice at a
 * time, so it survives a restart and never holds up what else there is.
 */
#include "base/mem.h"
#include "format/json.h"
#include "hub/state.h"
#include "hub/subscription_text.h"
#include "hub/webhook_secret.h"
#include "observe/log.h"

#define REPLAY_SLICE    200
#define REPLAY_OPEN_MAX 1000 /* of one subscription, not yet delivered */
#define ANSWER_MAX      (64u << 10)

static void save(struct hub *h, const struct subscription *s)
{
	struct txn *t = &h->batch.txn;
	char replay[REPLAY_TEXT_MAX];

	/* The table's texts may be replaced before the commit. */
	txn_put(t, W_SUBSCRIPTION, SV_INT(s->seq), SV_INT(s->state), SV_TEXT(txn_copy(t, s->url)),
		SV_TEXT(txn_copy(t, s->types)), SV_BLOB(txn_copy(t, s->secrets)), SV_TEXT_OPT(txn_copy(t, s->reason)),
		SV_INT(s->created_at), SV_INT(s->changed_at), SV_INT(s->failing_since), SV_INT(s->warned_at),
		SV_INT(s->failures), SV_TEXT_OPT(txn_copy(t, replay_format(&s->replay, replay))));
}

/* Its row, its place in the table, and the engine's attention. The texts that it came with may be gone then: afterwards
 * it has the table's. */
static void put(struct hub *h, struct subscription *s)
{
	const struct subscription *kept;

	s->changed_at = h->batch.txn.now;
	save(h, s);
	subscriptions_put(h->state.subscriptions, s);
	kept = subscriptions_find(h->state.subscriptions, s->seq);
	if (kept)
		*s = *kept;
	txn_system_changed(&h->batch.txn, subscription_system(s->seq));
}

static struct subscription *find(struct hub *h, struct command *c)
{
	int64_t seq;
	struct subscription *s = NULL;

	if (subscription_name_parse(c->target, &seq))
		s = subscriptions_find(h->state.subscriptions, seq);
	if (!s)
		c->answer = answer_error(&c->arena, 404, "subscription_not_found", "there is no such subscription");
	return s;
}

static void answer_with(struct hub *h, struct command *c, int status, const struct subscription *s)
{
	struct buf out;
	struct json_writer w;
	struct webhook_keys keys = {0};
	struct secretbox_key key;

	if (hub_secret_key(h, &key, NULL) == RC_OK &&
	    webhook_keys_open(s->secrets, &key, &c->arena, &keys, NULL) != RC_OK)
		keys.count = 0;
	buf_init(&out, ANSWER_MAX);
	jw_init(&w, &out);
	subscription_write(&w, s, &keys, h->now);
	jw_object_end(&w);
	struct str body = arena_copy(&c->arena, buf_str(&out));
	buf_done(&out);
	secret_wipe(&keys, sizeof(keys));
	c->answer = body.p ? answer_json(status, body) : answer_error(&c->arena, 500, "internal", "no memory");
}

static void tell(struct hub *h, const char *type, const struct subscription *s)
{
	struct txn *t = &h->batch.txn;
	char name[SUBSCRIPTION_NAME_MAX];
	struct buf data;
	struct json_writer w;

	subscription_name(s->seq, name);
	buf_init(&data, ANSWER_MAX);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "subscription_id", str_from(name));
	jw_opt_text(&w, "reason", s->reason);
	if (s->failing_since)
		jw_key_time(&w, "failing_since", s->failing_since);
	if (s->failing_since && s->state == SUBSCRIPTION_ENABLED)
		jw_key_time(&w, "disabled_at", s->failing_since + h->config->webhooks.disable_after_ms);
	jw_object_end(&w);
	txn_event(t, type, txn_copy(t, str_from(name)), 0, txn_text(t, &data));
	buf_done(&data);
}

/* Seals the new key, in front of the one before for as long as that is kept. */
static bool seal(struct hub *h, struct command *c, struct str before, struct str *box)
{
	struct webhook_keys keys = {.count = 1}, old = {0};
	struct secretbox_key key;
	struct err e = ERR_NONE;
	enum rc rc = hub_secret_key(h, &key, &e);

	if (!webhook_secret_parse(c->subscription.secret, &keys.list[0]))
		rc = err_set(&e, RC_INVALID, "validation_failed", "not a secret");
	if (rc == RC_OK && before.n)
		rc = webhook_keys_open(before, &key, &c->arena, &old, &e);
	if (rc == RC_OK && old.count && c->subscription.keep_ms) {
		keys.list[1] = old.list[0];
		keys.list[1].until = h->now + c->subscription.keep_ms;
		keys.count = 2;
	}
	if (rc == RC_OK)
		rc = webhook_keys_seal(&keys, &key, &c->arena, box);
	secret_wipe(&keys, sizeof(keys));
	secret_wipe(&old, sizeof(old));
	secret_wipe(&key, sizeof(key));
	if (rc != RC_OK)
		c->answer = answer_error(&c->arena, 503, "secrets_unavailable",
					 "the key that secrets are sealed with cannot be used: %s", e.detail);
	return rc == RC_OK;
}

void apply_subscription_create(struct hub *h, struct command *c)
{
	struct subscription s = {.url = c->subscription.url, .types = c->subscription.types, .created_at = h->now};

	if (subscriptions_count(h->state.subscriptions) >= h->config->limits.subscriptions) {
		c->answer = answer_error(&c->arena, 409, "too_many_subscriptions",
					 "a tenant may have %u subscriptions (limits.subscriptions)",
					 h->config->limits.subscriptions);
		return;
	}
	if (!seal(h, c, STR_NONE, &s.secrets))
		return;
	s.seq = ++h->batch.txn.heads->subscription;
	if (c->subscription.enabled == 0)
		s.state = SUBSCRIPTION_DISABLED;
	put(h, &s);
	tell(h, "subscription.created", &s);
	answer_with(h, c, 201, &s);
}

static void forget_trouble(struct subscription *s)
{
	s->failing_since = s->warned_at = s->failures = 0;
}

static void disable(struct hub *h, const struct subscription *known, const char *reason)
{
	struct subscription s = *known;

	s.state = SUBSCRIPTION_DISABLED;
	s.reason = str_from(reason);
	s.replay = (struct replay_ranges){0};
	put(h, &s);
	tell(h, "subscription.disabled", &s);
}

void apply_subscription_change(struct hub *h, struct command *c)
{
	const struct subscription *known = find(h, c);

	if (!known)
		return;
	struct subscription s = *known;
	if (c->subscription.url.n)
		s.url = c->subscription.url;
	if (c->subscription.types.n)
		s.types = c->subscription.types;
	if (c->subscription.enabled == 0 && s.state == SUBSCRIPTION_ENABLED) {
		put(h, &s);
		disable(h, subscriptions_find(h->state.subscriptions, s.seq), "its owner disabled it");
	} else {
		bool enable = c->subscription.enabled == 1 && s.state == SUBSCRIPTION_DISABLED;
		if (enable || c->subscription.url.n)
			forget_trouble(&s);
		if (enable) {
			s.reason = STR_NONE;
			s.state = SUBSCRIPTION_ENABLED;
		}
		put(h, &s);
		if (enable)
			tell(h, "subscription.enabled", &s);
	}
	answer_with(h, c, 200, subscriptions_find(h->state.subscriptions, s.seq));
}

void apply_subscription_delete(struct hub *h, struct command *c)
{
	const struct subscription *known = find(h, c);

	if (!known)
		return;
	struct subscription s = {.seq = known->seq, .state = SUBSCRIPTION_DELETED, .created_at = known->created_at};
	put(h, &s);
	txn_system_gone(&h->batch.txn, subscription_system(s.seq));
	tell(h, "subscription.deleted", &s);
	c->answer = answer_json(204, STR_NONE);
}

void apply_subscription_rotate(struct hub *h, struct command *c)
{
	const struct subscription *known = find(h, c);

	if (!known)
		return;
	struct subscription s = *known;
	if (!seal(h, c, known->secrets, &s.secrets))
		return;
	put(h, &s);
	tell(h, "subscription.rotated", &s);
	answer_with(h, c, 200, &s);
}

void apply_subscription_test(struct hub *h, struct command *c)
{
	struct txn *t = &h->batch.txn;
	const struct subscription *s = find(h, c);
	char name[SUBSCRIPTION_NAME_MAX];

	if (!s)
		return;
	if (s->state != SUBSCRIPTION_ENABLED) {
		c->answer = answer_error(&c->arena, 409, "subscription_disabled", "the subscription is disabled");
		return;
	}
	subscription_name(s->seq, name);
	struct str id = txn_copy(t, str_from(name)),
		   data = str_from(arena_printf(t->arena, "{\"subscription_id\":\"%s\"}", name));
	int64_t position = txn_event(t, "subscription.test", id, 0, data);
	struct txn_delivery d = {.id = txn_uuid(t),
				 .system = id,
				 .system_index = subscription_system(s->seq),
				 .operation = OP_EVENT,
				 .priority = PRIORITY_NORMAL,
				 /* Not behind what failed before: a key of its own. */
				 .key = str_from(arena_printf(t->arena, "test %lld", (long long)position)),
				 .event = position,
				 .params = DELIVERY_PARAMS_EVENT};
	(void)txn_delivery(t, &d);
	c->answer = answer_fields(&c->arena, 202, "delivery_id", d.id, "status", STR("waiting"), NULL);
	txn_system_changed(t, subscription_system(s->seq));
}

/* ---- what deliveries say ---- */

static bool half_way(int64_t n, int64_t limit)
{
	return 2 * n >= limit;
}

static void note_failure(struct hub *h, struct subscription *s, bool gone)
{
	const struct config_webhooks *w = &h->config->webhooks;
	bool counts = s->failures < w->disable_attempts;

	if (!s->failing_since)
		s->failing_since = h->now;
	int64_t ms = h->now - s->failing_since;
	s->failures += counts;
	if (gone) {
		disable(h, s, "it answered 410 Gone");
	} else if (ms >= w->disable_after_ms && s->failures >= w->disable_attempts) {
		disable(h, s, "every attempt has failed for too long");
	} else if (!s->warned_at && half_way(ms, w->disable_after_ms) && half_way(s->failures, w->disable_attempts)) {
		s->warned_at = h->now;
		save(h, s);
		tell(h, "subscription.failing", s);
	} else if (counts) {
		save(h, s);
	}
}

void subscription_note(struct hub *h, const struct delivery_result *r)
{
	struct subscription *s = subscriptions_find(h->state.subscriptions, subscription_seq(r->system));

	if (!s)
		return;
	if (r->cancelled || s->state != SUBSCRIPTION_ENABLED)
		return;
	if (r->outcome != OUTCOME_DELIVERED) {
		note_failure(h, s, r->http_status == 410);
	} else if (s->failing_since) {
		forget_trouble(s);
		save(h, s);
	}
}

/* ---- replay ---- */

/* Queued and not yet delivered, before this batch. */
static int64_t replay_open(const struct hub *h, int64_t seq)
{
	char name[SUBSCRIPTION_NAME_MAX];

	subscription_name(seq, name);
	return counters_total(h->counters, COUNTED_DELIVERIES, str_from(name),
			      str_from(operation_name(OP_EVENT_REPLAY)), STR("open"));
}

void apply_subscription_replay(struct hub *h, struct command *c)
{
	struct subscription *s = find(h, c);

	if (!s)
		return;
	if (s->state != SUBSCRIPTION_ENABLED) {
		c->answer = answer_error(&c->arena, 409, "subscription_disabled", "the subscription is disabled");
		return;
	}
	if (s->replay.count == 0 && replay_open(h, s->seq) == 0)
		s->replay = (struct replay_ranges){0};
	if (!replay_ask(&s->replay, c->subscription.after, h->state.heads.event)) {
		c->answer = answer_error(&c->arena, 409, "replay_running",
					 "replays that were asked for before are still running");
		return;
	}
	save(h, s);
	h->state.replaying = true;
	answer_with(h, c, 202, s);
}

struct slice {
	struct hub *h;
	struct subscription *s;
	size_t rows;
	int64_t last;
};

static enum rc replay_row(void *ctx, const struct store_value *row, size_t count)
{
	struct slice *l = ctx;
	struct txn *t = &l->h->batch.txn;
	struct str type = row[1].bytes, subject = txn_copy(t, row[2].bytes);
	int64_t about;

	(void)count;
	l->rows++;
	l->last = row[0].integer;
	/* What is about subscriptions has had its time. */
	if (!subscription_wants(l->s->types, type) || subscription_name_parse(subject, &about))
		return RC_OK;
	t->cause = (struct txn_cause){.correlation_id = txn_copy(t, row[3].bytes)};
	txn_event_delivery(t, l->s->seq, OP_EVENT_REPLAY, row[0].integer, subject);
	return RC_OK;
}

void subscription_step_replay(struct hub *h)
{
	struct subscriptions *all = h->state.subscriptions;

	h->state.replaying = false;
	for (size_t i = 0; i < subscriptions_count(all); i++) {
		struct subscription *s = subscriptions_at(all, i);
		struct slice l = {.h = h, .s = s};
		struct err e = ERR_NONE;

		if (s->replay.count == 0)
			continue;
		const struct replay_range range = s->replay.left[0];
		h->state.replaying = true;
		if (replay_open(h, s->seq) >= REPLAY_OPEN_MAX)
			continue;
		/* The range ends before this batch: all of it is committed. */
		const struct store_value args[] = {SV_INT(range.after), SV_INT(range.through), SV_INT(REPLAY_SLICE)};
		if (store_read(h->reader, R_EVENTS_BRIEF, args, 3, replay_row, &l, &e) != RC_OK) {
			log_err(LOG_ERROR, "hub", "the log cannot be read for a replay", &e);
			return;
		}
		replay_reached(&s->replay, l.rows < REPLAY_SLICE ? range.through : l.last);
		save(h, s);
		return;
	}
}
