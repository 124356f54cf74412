/*
 * Subscriptions. A secret is told once, in the answer to the request that made it; it is added here and not by the hub,
 * so that the answer that is kept for repeats (Idempotency-Key) has none.
 */
#include "backbone/subscription.h"
#include "connect/connect.h"
#include "edge/exchange.h"
#include "edge/handlers.h"
#include "hub/webhook_secret.h"
#include "hub/webhook_url.h"

#include <assert.h>
#include <stdio.h>

#define KEEP_DEFAULT_S 86400
#define KEEP_MAX_S     (30 * 86400)

/* ---- what is asked ---- */

static bool type_valid(struct str t)
{
	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
			      c == '_' || c == '-';
		if (!letter && !(c == '*' && i + 1 == t.n))
			return false;
	}
	return t.n > 0 && t.n <= SUBSCRIPTION_TYPE_MAX;
}

/* false: answered. */
static bool read_types(struct exchange *x, struct command *c, const struct json *types)
{
	struct buf out;
	bool good = json_is(types, JSON_ARRAY) && types->count > 0 && types->count <= SUBSCRIPTION_TYPES_MAX;
	buf_init(&out, SUBSCRIPTION_TYPES_MAX * (SUBSCRIPTION_TYPE_MAX + 1));
	for (uint32_t i = 0; good && i < types->count; i++) {
		struct str t = json_text(&types->items[i]);
		good = json_is(&types->items[i], JSON_STRING) && type_valid(t);
		if (out.n)
			buf_add_char(&out, ' ');
		buf_add_str(&out, t);
	}
	if (good)
		c->subscription.types = arena_copy(&c->arena, buf_str(&out));
	else
		exchange_wrong(
		    x, "validation_failed", "/types",
		    "1 to %d names of event types, each up to %d characters; \"order.*\" is all that begin so.",
		    SUBSCRIPTION_TYPES_MAX, SUBSCRIPTION_TYPE_MAX);
	buf_done(&out);
	return good;
}

static bool read_url(struct exchange *x, struct command *c, const struct json *url)
{
	struct str text = json_text(url);
	const char *wrong = !json_is(url, JSON_STRING) || text.n == 0 || text.n > SUBSCRIPTION_URL_MAX
				? "It is a text of up to 2000 characters."
				: webhook_url_wrong(text, &hub_config(x->hub)->webhooks);
	if (wrong)
		exchange_wrong(x, "validation_failed", "/url", "%s", wrong);
	else
		c->subscription.url = text;
	return !wrong;
}

/* One that was given, or a new one. false: answered. */
static bool read_secret(struct exchange *x, struct command *c, const struct json *doc)
{
	const struct json *secret = json_get(doc, "secret"), *kind = json_get(doc, "kind");
	struct webhook_key key;
	char text[WEBHOOK_SECRET_TEXT];
	bool ed25519 = str_is(json_text(kind), "ed25519");
	if (kind && !ed25519 && !str_is(json_text(kind), "hmac-sha256")) {
		exchange_wrong(x, "validation_failed", "/kind", "It is \"hmac-sha256\" or \"ed25519\".");
		return false;
	}
	if (!secret) {
		webhook_secret_make(ed25519, text);
		c->subscription.secret = arena_copy(&c->arena, str_from(text));
		secret_wipe(text, sizeof(text));
		return true;
	}
	bool good = json_is(secret, JSON_STRING) && webhook_secret_parse(json_text(secret), &key);
	if (good)
		c->subscription.secret = json_text(secret);
	else
		exchange_wrong(x, "validation_failed", "/secret",
			       "It is \"whsec_\" and the base64 of 24 to 64 bytes, or \"whsk_\" and that of 32 or 64.");
	secret_wipe(&key, sizeof(key));
	return good;
}

/* The names that a body may have; the first `needed` must be there. false: answered. */
static bool read_names(struct exchange *x, const struct json *doc, const char *const *names, size_t count,
		       size_t needed)
{
	if (!json_is(doc, JSON_OBJECT)) {
		exchange_wrong(x, "validation_failed", "", "The body is an object.");
		return false;
	}
	for (uint32_t i = 0; i < doc->count; i++) {
		bool known = false;
		for (size_t k = 0; k < count; k++)
			known |= str_is(doc->members[i].name, names[k]);
		if (!known) {
			exchange_wrong(x, "validation_failed", "", "There is no field \"%.*s\" here.",
				       doc->members[i].name.n > 64 ? 64 : (int)doc->members[i].name.n,
				       doc->members[i].name.p);
			return false;
		}
	}
	for (size_t k = 0; k < needed; k++) {
		char pointer[32];
		snprintf(pointer, sizeof(pointer), "/%s", names[k]);
		if (!json_get(doc, names[k])) {
			exchange_wrong(x, "validation_failed", pointer, "It is missing.");
			return false;
		}
	}
	return true;
}

static bool read_enabled(struct exchange *x, struct command *c, const struct json *enabled)
{
	c->subscription.enabled = -1;
	if (enabled && !json_is(enabled, JSON_BOOL)) {
		exchange_wrong(x, "validation_failed", "/enabled", "It is true or false.");
		return false;
	}
	if (enabled)
		c->subscription.enabled = enabled->boolean;
	return true;
}

/* A command with a body; NULL: answered. */
static struct command *begin(struct exchange *x, enum command_type type, const char *const *names, size_t count,
			     size_t needed, const struct json **doc)
{
	static const struct json none = {.type = JSON_OBJECT};
	struct command *c = exchange_command(x, type);
	struct err e = ERR_NONE;
	*doc = &none;
	if (!c)
		return NULL;
	c->target = arena_copy(&c->arena, x->params[0]);
	if ((x->request->body.n || needed) && exchange_document(x, &c->arena, doc, &e) != RC_OK) {
		exchange_drop(x, c, &e);
		return NULL;
	}
	if (read_names(x, *doc, names, count, needed))
		return c;
	command_free(c);
	return NULL;
}

static enum server_next forget(struct command *c)
{
	command_free(c);
	return SERVER_ANSWERED;
}

/* ---- what is answered ---- */

/* On the writer's thread. */
static void with_secret(struct command *c, void *ctx)
{
	struct answer *a = &c->answer;
	if (a->status < 300 && !a->replayed && a->body.n) {
		char *body = arena_printf(&c->arena, STR_FMT ",\"secret\":\"" STR_FMT "\"}", (int)a->body.n - 1,
					  a->body.p, STR_ARG(c->subscription.secret));
		if (body)
			a->body = str_from(body);
	}
	exchange_command_done(c, ctx);
}

enum server_next subscriptions_create(struct exchange *x)
{
	static const char *const names[] = {"url", "types", "secret", "kind", "enabled"};
	const struct json *doc;
	struct command *c = begin(x, COMMAND_SUBSCRIPTION_CREATE, names, 5, 2, &doc);
	if (!c)
		return SERVER_ANSWERED;
	if (!read_url(x, c, json_get(doc, "url")) || !read_types(x, c, json_get(doc, "types")) ||
	    !read_secret(x, c, doc) || !read_enabled(x, c, json_get(doc, "enabled")))
		return forget(c);
	return exchange_submit_to(x, c, with_secret);
}

enum server_next subscriptions_change(struct exchange *x)
{
	static const char *const names[] = {"url", "types", "enabled"};
	const struct json *doc;
	struct command *c = begin(x, COMMAND_SUBSCRIPTION_CHANGE, names, 3, 0, &doc);
	if (!c)
		return SERVER_ANSWERED;
	const struct json *url = json_get(doc, "url"), *types = json_get(doc, "types");
	if ((url && !read_url(x, c, url)) || (types && !read_types(x, c, types)) ||
	    !read_enabled(x, c, json_get(doc, "enabled")))
		return forget(c);
	return exchange_submit(x, c);
}

enum server_next subscriptions_delete(struct exchange *x)
{
	const struct json *doc;
	struct command *c = begin(x, COMMAND_SUBSCRIPTION_DELETE, NULL, 0, 0, &doc);
	return c ? exchange_submit(x, c) : SERVER_ANSWERED;
}

/* A whole number of a member, or what it is without one. false: answered. */
static bool read_number(struct exchange *x, const struct json *doc, const char *name, int64_t high, int64_t *out)
{
	const struct json *j = json_get(doc, name);
	char pointer[32];
	snprintf(pointer, sizeof(pointer), "/%s", name);
	if (!j || (json_is(j, JSON_NUMBER) && json_int(j, out) && *out >= 0 && *out <= high))
		return true;
	exchange_wrong(x, "validation_failed", pointer, "It is a whole number from 0 to %lld.", (long long)high);
	return false;
}

enum server_next subscriptions_rotate(struct exchange *x)
{
	static const char *const names[] = {"secret", "kind", "keep_s"};
	const struct json *doc;
	int64_t keep_s = KEEP_DEFAULT_S;
	struct command *c = begin(x, COMMAND_SUBSCRIPTION_ROTATE, names, 3, 0, &doc);
	if (!c)
		return SERVER_ANSWERED;
	if (!read_secret(x, c, doc) || !read_number(x, doc, "keep_s", KEEP_MAX_S, &keep_s))
		return forget(c);
	c->subscription.keep_ms = keep_s * 1000;
	return exchange_submit_to(x, c, with_secret);
}

enum server_next subscriptions_replay(struct exchange *x)
{
	static const char *const names[] = {"after"};
	const struct json *doc;
	struct command *c = begin(x, COMMAND_SUBSCRIPTION_REPLAY, names, 1, 1, &doc);
	if (!c)
		return SERVER_ANSWERED;
	if (!read_number(x, doc, "after", INT64_MAX / 2, &c->subscription.after))
		return forget(c);
	return exchange_submit(x, c);
}

/* Answered when its delivery is durable, not when it has been tried: that may take as long as the receiver likes. */
enum server_next subscriptions_test(struct exchange *x)
{
	const struct json *doc;
	struct command *c = begin(x, COMMAND_SUBSCRIPTION_TEST, NULL, 0, 0, &doc);
	return c ? exchange_submit(x, c) : SERVER_ANSWERED;
}

/* ---- reading ---- */

static void write_live(void *ctx, const struct hub *h, uint32_t system, struct json_writer *w)
{
	struct delivery_view v;
	if (!connect_delivery(ctx, h, system, &v))
		return;
	jw_key_text(w, "state", str_from(v.state));
	jw_key_int(w, "in_flight", v.in_flight);
	if (v.oldest_at)
		jw_key_time(w, "oldest_at", v.oldest_at);
	if (v.next_attempt_at)
		jw_key_time(w, "next_attempt_at", v.next_attempt_at);
	if (v.last_success_at)
		jw_key_time(w, "last_success_at", v.last_success_at);
	if (v.last_failure_at)
		jw_key_time(w, "last_failure_at", v.last_failure_at);
	jw_opt_text(w, "last_failure", str_from(v.last_failure));
}

static struct query_subscription_live live_of(const struct exchange *x)
{
	return (struct query_subscription_live){x->edge->connect ? write_live : NULL, x->edge->connect};
}

enum server_next subscriptions_get(struct exchange *x)
{
	const struct query_subscription_live live = live_of(x);
	struct reading r;
	struct err e = ERR_NONE;
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = query_subscription(&r.query, x->params[0], &live, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next subscriptions_list(struct exchange *x)
{
	const struct query_subscription_live live = live_of(x);
	struct parameter p[] = {{.name = "limit"}, {.name = "cursor"}};
	struct reading r;
	struct query_page page;
	struct err e = ERR_NONE;
	if (!reading_begin_page(x, p, 2, &r, &page))
		return SERVER_ANSWERED;
	enum rc rc = query_subscriptions(&r.query, &live, &page, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}
