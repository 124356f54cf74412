/* Subscriptions, and single events as they are sent. */
#include "hub/counters.h"
#include "hub/query_parts.h"
#include "hub/subscription_text.h"

static void write_keys(struct json_writer *w, const struct webhook_keys *keys, int64_t now_ms)
{
	jw_key(w, "keys");
	jw_array(w);
	for (size_t i = 0; i < keys->count; i++) {
		const struct webhook_key *k = &keys->list[i];
		char text[WEBHOOK_SECRET_TEXT];
		if (k->until && k->until <= now_ms)
			continue;
		jw_object(w);
		jw_key_text(w, "kind", k->ed25519 ? STR("ed25519") : STR("hmac-sha256"));
		if (k->ed25519) {
			webhook_public_key(k, text);
			jw_key_text(w, "public_key", str_from(text));
		}
		if (k->until)
			jw_key_time(w, "valid_until", k->until);
		jw_object_end(w);
	}
	jw_array_end(w);
}

void subscription_write(struct json_writer *w, const struct subscription *s, const struct webhook_keys *keys,
			int64_t now_ms)
{
	char name[SUBSCRIPTION_NAME_MAX];
	subscription_name(s->seq, name);
	jw_object(w);
	jw_key_text(w, "subscription_id", str_from(name));
	jw_key_text(w, "url", s->url);
	jw_key(w, "types");
	jw_array(w);
	for (size_t at = 0, end; at < s->types.n; at = end + 1) {
		for (end = at; end < s->types.n && s->types.p[end] != ' ';)
			end++;
		jw_text(w, (struct str){s->types.p + at, end - at});
	}
	jw_array_end(w);
	jw_key_bool(w, "enabled", s->state == SUBSCRIPTION_ENABLED);
	jw_opt_text(w, "reason", s->reason);
	jw_key_time(w, "created_at", s->created_at);
	jw_key_time(w, "changed_at", s->changed_at);
	if (s->failing_since)
		jw_key_time(w, "failing_since", s->failing_since);
	write_keys(w, keys, now_ms);
	jw_key(w, "replay");
	if (s->replay.count) {
		jw_object(w);
		jw_key_int(w, "after", s->replay.left[0].after);
		jw_key_int(w, "through", s->replay.asked.through);
		jw_object_end(w);
	} else {
		jw_null(w);
	}
}

static int64_t backlog_of(const struct counter *c, size_t n, struct str name)
{
	int64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		if (c[i].what == COUNTED_DELIVERIES && str_eq(c[i].a, name) && str_is(c[i].c, "open"))
			sum += c[i].total;
	return sum;
}

static enum rc write_one(struct query *q, const struct store_value *row, const struct query_subscription_live *live,
			 struct json_writer *w, struct err *e)
{
	struct subscription s;
	struct webhook_keys keys = {0};
	struct secretbox_key key;
	char name[SUBSCRIPTION_NAME_MAX];
	size_t n;
	int64_t batch;

	if (subscription_from_row(row, &s) != RC_OK)
		return query_damaged(e, "subscription");
	/* Without its key a row is shown all the same. */
	if (hub_secret_key(q->hub, &key, NULL) != RC_OK ||
	    webhook_keys_open(s.secrets, &key, q->arena, &keys, NULL) != RC_OK)
		keys.count = 0;
	subscription_write(w, &s, &keys, hub_clock_ms(q->hub));
	secret_wipe(&keys, sizeof(keys));
	secret_wipe(&key, sizeof(key));
	const struct counter *c = counters_read(hub_counters(q->hub), q->arena, &n, &batch);
	subscription_name(s.seq, name);
	jw_key_int(w, "backlog", c ? backlog_of(c, n, str_from(name)) : 0);
	if (live && live->write)
		live->write(live->ctx, q->hub, subscription_system(s.seq), w);
	jw_object_end(w);
	return RC_OK;
}

enum rc query_subscription(struct query *q, struct str id, const struct query_subscription_live *live, struct buf *out,
			   struct err *e)
{
	struct store_value row[SUBSCRIPTION_COLUMNS];
	struct json_writer w;
	int64_t seq = 0;
	(void)subscription_name_parse(id, &seq);
	enum rc rc = query_one(q, R_SUBSCRIPTION, SV_INT(seq), "subscription_not_found", "subscription", row, e);
	if (rc == RC_OK && row[1].integer == SUBSCRIPTION_DELETED)
		rc = err_set(e, RC_NOT_FOUND, "subscription_not_found", "There is no such subscription.");
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	rc = write_one(q, row, live, &w, e);
	return rc == RC_OK ? query_done(out, e) : rc;
}

struct listing {
	struct query *q;
	const struct query_subscription_live *live;
};

static bool is_there(void *ctx, const struct store_value *row)
{
	(void)ctx;
	return row[1].integer != SUBSCRIPTION_DELETED;
}

static enum rc list_one(void *ctx, struct json_writer *w, const struct store_value *row, struct err *e)
{
	const struct listing *l = ctx;
	return write_one(l->q, row, l->live, w, e);
}

enum rc query_subscriptions(struct query *q, const struct query_subscription_live *live, const struct query_page *p,
			    struct buf *out, struct err *e)
{
	struct listing l = {q, live};
	const struct query_list list = {
	    .statement = R_SUBSCRIPTIONS_BEFORE, .match = is_there, .write = list_one, .ctx = &l};
	return query_list(q, &list, p, out, e);
}

enum rc query_event(struct query *q, int64_t position, struct str *id, struct buf *out, struct err *e)
{
	struct store_value row[10];
	struct json_writer w;
	const struct store_value args[] = {SV_INT(position - 1), SV_INT(1)};
	enum rc rc = store_read_one(q->reader, R_EVENT_AFTER, args, 2, q->arena, row, e);
	if (rc != RC_OK || row[0].integer != position)
		return rc == RC_OK || rc == RC_NOT_FOUND
			   ? err_set(e, RC_NOT_FOUND, "not_found", "There is no such event.")
			   : rc;
	*id = row[1].bytes;
	jw_init(&w, out);
	rc = query_write_event(q, &w, row, e);
	return rc == RC_OK ? query_done(out, e) : rc;
}
