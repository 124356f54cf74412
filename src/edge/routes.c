#include "edge/routes.h"

#include "edge/auth.h"
#include "edge/exchange.h"
#include "edge/handlers.h"
#include "edge/uri.h"

#include <stdio.h>

static const struct route table[] = {
#define ROUTE(name, method, path, scopes, flags, function) {name, method, path, scopes, flags, function},
#include "edge/routes.def"
#undef ROUTE
};
_Static_assert(sizeof(table) / sizeof(table[0]) <= ROUTES_MAX, "the metrics have a place for each route");

const struct route *edge_routes(size_t i)
{
	return i < sizeof(table) / sizeof(table[0]) ? &table[i] : NULL;
}

size_t route_index(const struct route *r)
{
	return (size_t)(r - table);
}

static bool fits(const struct route *r, struct str path, struct str params[ROUTE_PARAMS_MAX])
{
	const char *t = r->path;
	size_t at = 0, n = 0;
	struct str segment;
	while (uri_segment_next(path, &at, &segment)) {
		if (*t != '/')
			return false;
		t++;
		size_t length = strcspn(t, "/");
		if (*t != '{') {
			if (!str_eq((struct str){t, length}, segment))
				return false;
		} else {
			if (r->flags & ROUTE_REST && t[length] == '\0') {
				params[n] = (struct str){segment.p, (size_t)(path.p + path.n - segment.p)};
				return true;
			}
			if (segment.n == 0)
				return false;
			params[n++] = segment;
		}
		t += length;
	}
	return *t == '\0' && at == path.n;
}

void route_find(struct str method, struct str path, struct route_match *out)
{
	*out = (struct route_match){0};
	if (str_is(method, "HEAD"))
		method = STR("GET");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct route *r = &table[i];
		if (path.n > 1 && r->path[1] != path.p[1] && r->path[1] != '{')
			continue;
		if (!fits(r, path, out->params))
			continue;
		if (str_is(method, r->method)) {
			out->route = r;
			out->allow[0] = '\0';
			return;
		}
		size_t n = strlen(out->allow);
		snprintf(out->allow + n, sizeof(out->allow) - n, "%s%s", n ? ", " : "", r->method);
	}
}
