#include "connect/record.h"

#include "base/compress.h"
#include "base/utf8.h"
#include "connect/headers.h"

#define SECRETS_MAX  64
#define HEADERS_MAX  4096
#define HEADERS_ROOM 1024 /* most need less */

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

/* Where each secret comes next; NULL: not any more. */
struct next {
	const char *at[SECRETS_MAX];
};

static void look(struct next *next, const struct secrets *s, size_t i, const char *p, const char *end)
{
	next->at[i] = memmem(p, (size_t)(end - p), s->list[i].p, s->list[i].n);
}

/* The first one from p on, the longest if several begin there; its index, or SECRETS_MAX. */
static size_t nearest(struct next *next, const struct secrets *s, const char *p, const char *end)
{
	size_t best = SECRETS_MAX;
	for (size_t i = 0; s && i < s->n; i++) {
		if (next->at[i] && next->at[i] < p)
			look(next, s, i, p, end);
		const char *at = next->at[i];
		if (at && (best == SECRETS_MAX || at < next->at[best] ||
			   (at == next->at[best] && s->list[i].n > s->list[best].n)))
			best = i;
	}
	return best;
}

/* How many from p on are ASCII, without NUL. */
static size_t ascii_run(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	const char *from = p;
	uint64_t w;
	for (; (size_t)(end - p) >= sizeof(w); p += sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		if ((w | (w - ones)) & tops)
			break;
	}
	while (p < end && *p && (unsigned char)*p < 0x80)
		p++;
	return (size_t)(p - from);
}

static struct str clean(struct arena *a, const struct secrets *secrets, struct str raw, size_t max)
{
	struct buf b;
	struct next next;
	buf_init(&b, max + 8);
	const char *p = raw.n ? raw.p : "", *end = p + raw.n;
	for (size_t i = 0; secrets && i < secrets->n; i++)
		look(&next, secrets, i, p, end);
	(void)buf_reserve(&b, raw.n < max ? raw.n : max);
	while (p < end && b.n < max) {
		size_t secret = nearest(&next, secrets, p, end);
		const char *stop = secret == SECRETS_MAX ? end : next.at[secret];
		if (p == stop) {
			buf_add_z(&b, "***");
			p += secrets->list[secret].n;
			continue;
		}
		size_t room = max - b.n, n = ascii_run(p, (size_t)(stop - p) < room ? stop : p + room);
		if (n) {
			buf_add(&b, p, n);
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
	(void)buf_reserve(&b, HEADERS_ROOM + (r->body.n < RECORD_BYTES_MAX ? r->body.n : RECORD_BYTES_MAX));
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
