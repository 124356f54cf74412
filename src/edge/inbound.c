/*
 * Pushes in a system's own format: the bytes are verified, made durable and acknowledged; they are mediated later. The
 * sender proves itself with a Standard Webhooks signature if the system has a secret, else with a key of the tenant.
 *
 * Standard Webhooks 1.0: webhook-signature is a list of "v1,<base64 of HMAC-SHA256(secret, id.timestamp.body)>", parted
 * by blanks; one that is right is enough. The timestamp bounds replays; within that time the id does, as the natural
 * key.
 */
#include "base/compress.h"
#include "base/hash.h"
#include "edge/exchange.h"
#include "edge/handlers.h"

#define TOLERANCE_S 300
#define ID_MAX      255

static bool timestamp_ok(const struct exchange *x, struct str text)
{
	int64_t at = 0;
	if (text.n == 0 || text.n > 12)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		at = at * 10 + (text.p[i] - '0');
	}
	int64_t now = clock_wall_ms(node_clock(x->edge->node)) / 1000;
	return at >= now - TOLERANCE_S && at <= now + TOLERANCE_S;
}

static bool id_ok(struct str id)
{
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] <= ' ' || id.p[i] > 0x7e || id.p[i] == '.')
			return false;
	return id.n > 0 && id.n <= ID_MAX;
}

static bool signature_matches(struct str list, const unsigned char mac[32])
{
	bool good = false;
	for (size_t i = 0; i < list.n;) {
		const char *start = list.p + i;
		const char *blank = memchr(start, ' ', list.n - i);
		size_t n = blank ? (size_t)(blank - start) : list.n - i;
		unsigned char given[32];
		size_t size = 0;
		if (n > 3 && memcmp(start, "v1,", 3) == 0 &&
		    base64_decode((struct str){start + 3, n - 3}, given, sizeof(given), &size) && size == 32)
			good |= hash_equal(given, mac, 32);
		i += n + 1;
	}
	return good;
}

static const char *signature_check(struct exchange *x, const struct config_system *s)
{
	const struct server_request *r = x->request;
	struct str id = server_header(r, "webhook-id"), at = server_header(r, "webhook-timestamp");
	unsigned char mac[32];
	if (!id_ok(id))
		return "The webhook-id header is missing or not valid.";
	if (!timestamp_ok(x, at))
		return "The webhook-timestamp header is missing, or more than five minutes away from our clock.";
	char *text = arena_alloc(r->arena, id.n + 1 + at.n + 1 + r->body.n + 1);
	if (!text)
		return "The message is too large.";
	char *p = text;
	memcpy(p, id.p, id.n);
	p += id.n;
	*p++ = '.';
	memcpy(p, at.p, at.n);
	p += at.n;
	*p++ = '.';
	if (r->body.n)
		memcpy(p, r->body.p, r->body.n);
	p += r->body.n;
	hash_hmac_sha256(s->secret, (struct str){text, (size_t)(p - text)}, mac);
	return signature_matches(server_header(r, "webhook-signature"), mac) ? NULL : "No webhook-signature matches.";
}

/* A key of this tenant that may push for this system. false: answered. */
static bool key_check(struct exchange *x, struct hub *hub, const struct config_system *s)
{
	struct err e = ERR_NONE;
	struct str key;
	if (!auth_bearer(server_header(x->request, "Authorization"), &key)) {
		exchange_refuse(x, "unauthorized", "Send Authorization: Bearer with a key of the tenant.");
	} else if (auth_check(x->edge->auth, key, &x->principal, &x->rate, &e) != RC_OK) {
		exchange_fail(x, &e);
	} else if (x->principal.hub != hub) {
		exchange_refuse(x, "unauthorized", "The key is not one of this tenant.");
	} else if (!exchange_speaks_for(x, s->name)) {
		exchange_refuse(x, "other_system", "The key speaks for the system %s only.", x->principal.system);
	} else if (!(x->principal.scopes & SCOPE_INBOUND) && !x->principal.system[0]) {
		exchange_refuse(x, "insufficient_scope", "The key needs the scope inbound.");
	} else {
		return true;
	}
	return false;
}

/* What is kept of the headers; nothing that proves an identity. */
static struct str headers_kept(struct exchange *x, struct arena *a)
{
	static const char *const names[] = {"Content-Type", "User-Agent", "webhook-id", "webhook-timestamp"};
	struct json_writer w;
	struct buf out;
	buf_init(&out, 64 * 1024);
	jw_init(&w, &out);
	jw_object(&w);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		jw_opt_text(&w, names[i], server_header(x->request, names[i]));
	jw_object_end(&w);
	struct str text = arena_copy(a, buf_str(&out));
	buf_done(&out);
	return text;
}

static enum server_next take(struct exchange *x, const struct config_system *s, struct str endpoint)
{
	struct command *c = exchange_command(x, COMMAND_MESSAGE_ACCEPT);
	if (!c)
		return SERVER_ANSWERED;
	c->source = s->name;
	c->message.endpoint = arena_copy(&c->arena, endpoint);
	c->message.headers = headers_kept(x, &c->arena);
	struct str id = server_header(x->request, "webhook-id");
	if (id_ok(id))
		c->message.natural_key = arena_copy(&c->arena, id);
	c->fingerprint = hash64(&command_fingerprint_key, x->request->body);
	if (compress(&c->arena, x->request->body, &c->message.payload) == RC_OK)
		return exchange_submit(x, c);
	command_free(c);
	return exchange_refuse(x, "body_too_large", "The message needs too much memory.");
}

enum server_next inbound(struct exchange *x)
{
	struct hub *hub = node_find(x->edge->node, x->params[0]);
	const struct config_tenant *t = hub ? hub_tenant(hub) : NULL;
	const struct config_system *s = t ? config_find_system(t, x->params[1]) : NULL;
	if (s && s->secret.n) {
		const char *wrong = signature_check(x, s);
		if (wrong)
			return exchange_refuse(x, "bad_signature", "%s", wrong);
	} else if (s && !key_check(x, hub, s)) {
		return SERVER_ANSWERED;
	}
	if (!s || !pack_find_endpoint(s->pack, x->params[2]))
		return exchange_refuse(x, "not_found", "There is no such endpoint.");
	x->hub = hub;
	x->tenant = t;
	if (str_is(pack_find_endpoint(s->pack, x->params[2])->type, "order") && exchange_orders_refused(x))
		return SERVER_ANSWERED;
	return take(x, s, x->params[2]);
}
