/*
 * The head of a request: what the HTTP library lets through is checked again where it is lenient. Both Content-Length
 * and Transfer-Encoding, or two lengths, are refused: they are how a request is smuggled past a proxy (RFC 9112,
 * section 6.3).
 */
#include "edge/server_internal.h"
#include "edge/uri.h"

#include <assert.h>
#include <strings.h>

struct str server_header(const struct server_request *r, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < r->header_count; i++)
		if (r->headers[i].name.n == n && strncasecmp(r->headers[i].name.p, name, n) == 0)
			return r->headers[i].value;
	return STR_NONE;
}

static void refuse(struct connection *c, int status, const char *code, const char *detail)
{
	if (!c->refusal.status)
		c->refusal = (struct refusal){.status = status, .code = code, .detail = detail, .close = true};
}

/* The target as it was sent. The library cuts its own copy at the '?'. */
void head_target(struct connection *c, const char *uri)
{
	struct server_request *r = &c->request;
	c->target = arena_copy(&c->arena, str_from(uri));
	struct str t = c->target;
	if (t.n > 7 && strncasecmp(t.p, "http://", 7) == 0) {
		const char *slash = memchr(t.p + 7, '/', t.n - 7);
		t = slash ? (struct str){slash, t.n - (size_t)(slash - t.p)} : STR("/");
	}
	const char *mark = t.n ? memchr(t.p, '?', t.n) : NULL;
	r->path = mark ? (struct str){t.p, (size_t)(mark - t.p)} : t;
	r->query = mark ? (struct str){mark + 1, t.n - r->path.n - 1} : STR_NONE;
	if (t.n == 0 || t.p[0] != '/' || !uri_valid(t))
		refuse(c, 400, "bad_target", "The request target is not a valid path and query.");
}

struct head_scan {
	struct connection *c;
	size_t count, bytes;
	int lengths, encodings;
	bool bad;
};

static bool value_ok(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)p[i] < ' ' && p[i] != '\t') || p[i] == 0x7f)
			return false;
	return true;
}

static enum MHD_Result scan_header(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_n,
				   const char *value, size_t value_n)
{
	struct head_scan *s = ctx;
	(void)kind;
	s->bytes += name_n + value_n;
	if (s->count == SERVER_HEADERS_MAX || s->bytes > s->c->server->options.limits.header_bytes) {
		s->count = SERVER_HEADERS_MAX + 1;
		return MHD_NO;
	}
	if (!value_ok(value, value_n))
		s->bad = true;
	if (name_n == 14 && strncasecmp(name, "Content-Length", 14) == 0)
		s->lengths++;
	if (name_n == 17 && strncasecmp(name, "Transfer-Encoding", 17) == 0)
		s->encodings++;
	/* Offsets for now: the buffer may move. */
	s->c->headers[s->count].name = (struct str){NULL, name_n};
	s->c->headers[s->count++].value = (struct str){NULL, value_n};
	buf_add(&s->c->head, name, name_n);
	buf_add(&s->c->head, value, value_n);
	return MHD_YES;
}

static uint64_t announced_length(const struct server_request *r)
{
	struct str text = server_header(r, "Content-Length");
	uint64_t n = 0;
	for (size_t i = 0; i < text.n && i < 18; i++)
		n = n * 10 + (uint64_t)(text.p[i] - '0');
	return n;
}

void head_read(struct connection *c, const char *method)
{
	struct server_request *r = &c->request;
	struct head_scan s = {.c = c};
	MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND, scan_header, &s);
	r->method = arena_copy(&c->arena, str_from(method));
	r->headers = c->headers;
	if (s.count > SERVER_HEADERS_MAX) {
		refuse(c, 431, "headers_too_large", "The headers of the request are too many or too large.");
		return;
	}
	const char *p = c->head.p;
	for (size_t i = 0; i < s.count; i++) {
		c->headers[i].name.p = p;
		p += c->headers[i].name.n;
		c->headers[i].value.p = p;
		p += c->headers[i].value.n;
	}
	assert(!c->head.overflow);
	r->header_count = s.count;
	if (s.bad || s.lengths > 1 || s.encodings > 1 || (s.lengths && s.encodings))
		refuse(c, 400, "bad_request", "The headers of the request are not valid, or contradict each other.");
	else if (announced_length(r) > c->server->options.limits.body_bytes)
		refuse(c, 413, "body_too_large", "The body of the request is larger than the limit.");
}
