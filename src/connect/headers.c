#include "connect/headers.h"

#include "base/hash.h"
#include "base/uuid.h"

#include <stdio.h>
#include <strings.h>

#define OURS_MAX 8

/* Trace ids have to be the same in every process: not the process key. */
static const struct hash_key trace_key = {{'t', 'r', 'a', 'c', 'e', 'p', 'a', 'r', 'e', 'n', 't'}};

void traceparent_derive(struct str correlation_id, struct str delivery_id, char out[TRACEPARENT_TEXT])
{
	struct uuid u;
	uint64_t high = 0, low = 0;
	if (uuid_parse(correlation_id, &u)) {
		for (int i = 0; i < 8; i++) {
			high = high << 8 | u.b[i];
			low = low << 8 | u.b[i + 8];
		}
	} else {
		struct hash128 h = hash128(&trace_key, correlation_id);
		high = h.high;
		low = h.low;
	}
	uint64_t parent = hash64(&trace_key, delivery_id);
	/* All zeros is not a valid id. */
	snprintf(out, TRACEPARENT_TEXT, "00-%016llx%016llx-%016llx-01", (unsigned long long)high,
		 (unsigned long long)(low ? low : 1), (unsigned long long)(parent ? parent : 1));
}

enum rc webhook_sign(struct arena *a, struct str secret, struct str id, int64_t timestamp_s, struct str body,
		     char out[SIGNATURE_TEXT])
{
	char stamp[32];
	int stamp_n = snprintf(stamp, sizeof(stamp), ".%lld.", (long long)timestamp_s);
	size_t n = id.n + (size_t)stamp_n + body.n;
	char *text = arena_alloc(a, n);
	if (!text)
		return RC_LIMIT;
	memcpy(text, id.p, id.n);
	memcpy(text + id.n, stamp, (size_t)stamp_n);
	if (body.n)
		memcpy(text + id.n + stamp_n, body.p, body.n);
	unsigned char mac[32];
	hash_hmac_sha256(secret, (struct str){text, n}, mac);
	memcpy(out, "v1,", sizeof("v1,"));
	base64_encode(mac, sizeof(mac), out + 3);
	return RC_OK;
}

static bool name_is(struct str name, const char *z)
{
	return name.n == strlen(z) && strncasecmp(name.p, z, name.n) == 0;
}

static bool is_ours(struct str name, const struct header_facts *f)
{
	if (name_is(name, "Authorization"))
		return f->bearer.n > 0;
	return name_is(name, "Idempotency-Key") || name_is(name, "Correlation-Id") || name_is(name, "traceparent") ||
	       name_is(name, "webhook-id") || name_is(name, "webhook-timestamp") || name_is(name, "webhook-signature");
}

bool header_is_public(struct str name)
{
	static const char *const shown[] = {"Content-Type", "Accept",     "Idempotency-Key",   "Correlation-Id",
					    "traceparent",  "webhook-id", "webhook-timestamp", "Crossdock-Replay"};
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		if (name_is(name, shown[i]))
			return true;
	return false;
}

struct list {
	struct arena *arena;
	struct http_header *items;
	size_t n;
	bool full;
};

static void add(struct list *l, const char *name, struct str value)
{
	struct str copy = arena_copy(l->arena, value);
	if (!copy.p)
		l->full = true;
	else
		l->items[l->n++] = (struct http_header){str_from(name), copy};
}

static void add_signature(struct list *l, const struct header_facts *f, struct str body)
{
	char signature[SIGNATURE_TEXT], stamp[24];
	int64_t seconds = f->now_ms / 1000;
	if (webhook_sign(l->arena, f->secret, f->delivery_id, seconds, body, signature) != RC_OK) {
		l->full = true;
		return;
	}
	snprintf(stamp, sizeof(stamp), "%lld", (long long)seconds);
	add(l, "webhook-id", f->delivery_id);
	add(l, "webhook-timestamp", str_from(stamp));
	add(l, "webhook-signature", str_from(signature));
}

enum rc headers_build(struct arena *a, const struct header_facts *f, const struct pack_request *r,
		      struct http_header **out, size_t *count)
{
	struct list l = {.arena = a, .items = arena_array(a, struct http_header, r->header_count + OURS_MAX)};
	if (!l.items)
		return RC_LIMIT;
	bool typed = false;
	for (size_t i = 0; i < r->header_count; i++) {
		if (is_ours(r->headers[i].name, f))
			continue;
		typed |= name_is(r->headers[i].name, "Content-Type");
		l.items[l.n++] = (struct http_header){r->headers[i].name, r->headers[i].value};
	}
	if (!typed && r->body.n)
		add(&l, "Content-Type", STR("application/json"));
	char trace[TRACEPARENT_TEXT];
	traceparent_derive(f->correlation_id, f->delivery_id, trace);
	add(&l, "Idempotency-Key", f->delivery_id);
	add(&l, "Correlation-Id", f->correlation_id);
	add(&l, "traceparent", str_from(trace));
	if (f->bearer.n) {
		char *bearer = arena_printf(a, "Bearer " STR_FMT, STR_ARG(f->bearer));
		if (!bearer)
			return RC_LIMIT;
		l.items[l.n++] = (struct http_header){STR("Authorization"), str_from(bearer)};
	}
	if (f->secret.n)
		add_signature(&l, f, r->body);
	*out = l.items;
	*count = l.n;
	return l.full ? RC_LIMIT : RC_OK;
}

struct str url_join(struct arena *a, struct str url, struct str path)
{
	while (url.n && url.p[url.n - 1] == '/')
		url.n--;
	const char *slash = path.n && path.p[0] != '/' ? "/" : "";
	return str_from(arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(url), slash, STR_ARG(path)));
}
