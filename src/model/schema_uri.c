#include "model/schema_node.h"

struct uri_parts {
	struct str scheme, authority, path, query;
	bool has_authority, has_query;
};

struct str uri_without_fragment(struct str uri)
{
	const char *hash = uri.n ? memchr(uri.p, '#', uri.n) : NULL;
	return hash ? (struct str){uri.p, (size_t)(hash - uri.p)} : uri;
}

struct str uri_fragment(struct str uri)
{
	struct str before = uri_without_fragment(uri);
	if (before.n == uri.n)
		return STR_NONE;
	return (struct str){uri.p + before.n + 1, uri.n - before.n - 1};
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_scheme(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_letter(s.p[i]) && (i == 0 || !((s.p[i] >= '0' && s.p[i] <= '9') || strchr("+-.", s.p[i]))))
			return false;
	return s.n > 0;
}

static struct uri_parts uri_split(struct str uri)
{
	struct uri_parts u = {0};
	struct str rest = uri_without_fragment(uri);
	const char *colon = rest.n ? memchr(rest.p, ':', rest.n) : NULL;

	if (colon && is_scheme((struct str){rest.p, (size_t)(colon - rest.p)})) {
		u.scheme = (struct str){rest.p, (size_t)(colon - rest.p)};
		rest = (struct str){colon + 1, rest.n - u.scheme.n - 1};
	}
	const char *query = rest.n ? memchr(rest.p, '?', rest.n) : NULL;
	if (query) {
		u.has_query = true;
		u.query = (struct str){query + 1, rest.n - (size_t)(query - rest.p) - 1};
		rest.n = (size_t)(query - rest.p);
	}
	if (rest.n >= 2 && rest.p[0] == '/' && rest.p[1] == '/') {
		const char *slash = memchr(rest.p + 2, '/', rest.n - 2);
		size_t n = slash ? (size_t)(slash - rest.p) : rest.n;
		u.has_authority = true;
		u.authority = (struct str){rest.p + 2, n - 2};
		rest = (struct str){rest.p + n, rest.n - n};
	}
	u.path = rest;
	return u;
}

/* RFC 3986, section 5.2.4, in place. */
static size_t remove_dots(char *path, size_t n)
{
	size_t out = 0, in = 0;

	while (in < n) {
		size_t end = in + 1;
		while (end < n && path[end] != '/')
			end++;
		struct str segment = {path + in, end - in};
		bool last = end == n;
		if (str_is(segment, "/.") || str_is(segment, ".")) {
			if (last && out < n)
				path[out++] = '/';
		} else if (str_is(segment, "/..") || str_is(segment, "..")) {
			while (out > 0 && path[--out] != '/')
				;
			if (last && out < n)
				path[out++] = '/';
		} else {
			memmove(path + out, path + in, segment.n);
			out += segment.n;
		}
		in = end;
	}
	return out;
}

/* The reference's path on the base's, up to its last slash (section 5.2.3). */
static struct str merge_paths(struct arena *a, const struct uri_parts *base, struct str path)
{
	size_t keep = base->path.n;
	while (keep > 0 && base->path.p[keep - 1] != '/')
		keep--;
	bool add_slash = keep == 0 && base->has_authority;
	char *merged = arena_alloc(a, keep + path.n + 2);
	if (!merged)
		return STR_NONE;
	size_t n = 0;
	if (add_slash)
		merged[n++] = '/';
	if (keep)
		memcpy(merged + n, base->path.p, keep);
	n += keep;
	if (path.n)
		memcpy(merged + n, path.p, path.n);
	return (struct str){merged, n + path.n};
}

struct str uri_resolve(struct arena *a, struct str base, struct str reference)
{
	struct uri_parts r = uri_split(reference), b = uri_split(base);

	if (r.scheme.n)
		return arena_copy(a, uri_without_fragment(reference));
	if (!r.has_authority) {
		r.has_authority = b.has_authority;
		r.authority = b.authority;
		if (r.path.n == 0) {
			r.path = b.path;
			if (!r.has_query) {
				r.has_query = b.has_query;
				r.query = b.query;
			}
		} else if (r.path.p[0] != '/') {
			r.path = merge_paths(a, &b, r.path);
		}
	}
	r.scheme = b.scheme;
	struct str path = arena_copy(a, r.path);
	if (path.n && path.p[0] == '/')
		path.n = remove_dots((char *)path.p, path.n);
	char *text = arena_printf(a, STR_FMT "%s%s" STR_FMT STR_FMT "%s" STR_FMT, STR_ARG(r.scheme),
				  r.scheme.n ? ":" : "", r.has_authority ? "//" : "", STR_ARG(r.authority),
				  STR_ARG(path), r.has_query ? "?" : "", STR_ARG(r.query));
	return str_from(text);
}
