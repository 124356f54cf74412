#include "connect/record.h"

#include "base/compress.h"
#include "base/utf8.h"
#include "connect/headers.h"

#define SECRETS_MAX 64
#define HEADERS_MAX 4096

struct secrets {
	struct str list[SECRETS_MAX];
	size_t n;
};

static void gather(struct secrets *s, const struct json *j)
{
	if (!j)
		return;
	switch ((enum json_type)j->type) {
	case JSON_STRING:
		if (j->count >= RECORD_SECRET_MIN && s->n < SECRETS_MAX)
			s->list[s->n++] = json_text(j);
		break;
	case JSON_ARRAY:
		for (uint32_t i = 0; i < j->count; i++)
			gather(s, &j->items[i]);
		break;
	case JSON_OBJECT:
		for (uint32_t i = 0; i < j->count; i++)
			gather(s, &j->members[i].value);
		break;
	case JSON_NULL:
	case JSON_BOOL:
	case JSON_NUMBER:
		break;
	}
}

static size_t secret_at(const struct secrets *s, const char *p, const char *end)
{
	size_t longest = 0;
	for (size_t i = 0; i < s->n; i++) {
		struct str secret = s->list[i];
		if (secret.n > longest && secret.n <= (size_t)(end - p) && memcmp(p, secret.p, secret.n) == 0)
			longest = secret.n;
	}
	return longest;
}

/* Bytes that are kept as they are, wherever they stand: ASCII that begins no secret. */
static void find_plain(bool plain[256], const struct secrets *secrets)
{
	for (int c = 0; c < 256; c++)
		plain[c] = c > 0 && c < 128;
	for (size_t i = 0; secrets && i < secrets->n; i++)
		plain[(unsigned char)secrets->list[i].p[0]] = false;
}

static struct str clean(struct arena *a, const struct secrets *secrets, struct str raw, size_t max)
{
	struct buf b;
	bool plain[256];
	find_plain(plain, secrets);
	buf_init(&b, max + 8);
	const char *p = raw.n ? raw.p : "", *end = p + raw.n;
	(void)buf_reserve(&b, raw.n < max ? raw.n : max);
	while (p < end && b.n < max) {
		const char *run = p, *stop = (size_t)(end - p) < max - b.n ? end : p + (max - b.n);
		while (run < stop && plain[(unsigned char)*run])
			run++;
		if (run > p) {
			buf_add(&b, p, (size_t)(run - p));
			p = run;
			continue;
		}
		size_t n = secrets ? secret_at(secrets, p, end) : 0;
		if (n) {
			buf_add_z(&b, "***");
			p += n;
			continue;
		}
		n = utf8_sequence(p, end);
		if (n == 0 || *p == '\0') {
			buf_add_z(&b, "\xef\xbf\xbd");
			p++;
		} else {
			if (b.n + n > max)
				break;
			buf_add(&b, p, n);
			p += n;
		}
	}
	if (p < end)
		buf_add_z(&b, "...");
	struct str out = arena_copy(a, buf_str(&b));
	buf_done(&b);
	return out;
}

struct str record_text(struct arena *a, struct str raw, size_t max)
{
	return clean(a, NULL, raw, max);
}

struct str record_masked(struct arena *a, const struct config_system *s, struct str raw, size_t max)
{
	struct secrets secrets = {.n = 0};
	if (s->bearer.n)
		secrets.list[secrets.n++] = s->bearer;
	if (s->secret.n)
		secrets.list[secrets.n++] = s->secret;
	gather(&secrets, s->settings);
	return clean(a, &secrets, raw, max);
}

struct str record_request(struct arena *a, const struct config_system *s, const struct http_request *r)
{
	struct buf b;
	buf_init(&b, 2 * RECORD_BYTES_MAX + HEADERS_MAX);
	buf_add_str(&b, r->method);
	buf_add_char(&b, ' ');
	buf_add_str(&b, r->url);
	buf_add_char(&b, '\n');
	for (size_t i = 0; i < r->header_count; i++) {
		const struct http_header *h = &r->headers[i];
		buf_add_str(&b, h->name);
		buf_add_z(&b, ": ");
		buf_add_str(&b, header_is_public(h->name) ? h->value : STR("***"));
		buf_add_char(&b, '\n');
	}
	buf_add_char(&b, '\n');
	/* One cap more than is kept, so that a secret across the cut is still seen whole. */
	struct str body = r->body;
	if (body.n > RECORD_BYTES_MAX + HEADERS_MAX)
		body.n = RECORD_BYTES_MAX + HEADERS_MAX;
	buf_add_str(&b, body);
	struct str out = record_masked(a, s, buf_str(&b), RECORD_BYTES_MAX);
	buf_done(&b);
	return out;
}

struct str record_answer(struct arena *a, const struct config_system *s, const struct http_answer *answer)
{
	return record_masked(a, s, answer->status ? answer->body : answer->error, RECORD_BYTES_MAX);
}

struct str record_packed(struct arena *a, struct str text)
{
	struct str packed;
	return compress_text(a, text, &packed) == RC_OK ? packed : STR_NONE;
}
