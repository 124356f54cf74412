/* What the edge reads of a request by itself: target, parameters, route, key and scopes. */
#include "edge/auth.h"
#include "edge/routes.h"
#include "edge/uri.h"

#include <stdlib.h>

static void require(bool good)
{
	if (!good)
		abort();
}

static void try_decode(struct arena *a, struct str raw, bool form)
{
	struct str out;
	struct err e = ERR_NONE;
	if (uri_decode(a, raw, form, &out, &e) == RC_OK) {
		require(out.n <= raw.n);
		require(!out.n || !memchr(out.p, '\0', out.n));
	} else {
		require(e.code[0] != '\0');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str all = {(const char *)data, size}, name, value, tenant, secret;
	const char *mark = size ? memchr(all.p, '?', size) : NULL;
	struct str path = {all.p, mark ? (size_t)(mark - all.p) : size};
	struct str query = mark ? (struct str){mark + 1, size - path.n - 1} : STR_NONE;
	struct arena a;
	size_t at = 0, taken = 0;

	arena_init(&a, 1 << 20);
	try_decode(&a, all, false);
	while (uri_query_next(query, &at, &name, &value)) {
		taken += name.n + value.n;
		require(taken <= query.n);
		try_decode(&a, name, true);
		try_decode(&a, value, true);
	}
	static const char *const methods[] = {"GET", "POST", "DELETE", "HEAD", "BREW"};
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		struct route_match m;
		route_find(str_from(methods[i]), path, &m);
		require(!m.route || m.allow[0] == '\0');
		for (size_t k = 0; m.route && k < ROUTE_PARAMS_MAX; k++)
			require(!m.params[k].n ||
				(m.params[k].p >= path.p && m.params[k].p + m.params[k].n <= path.p + path.n));
	}
	if (auth_bearer(all, &name) && auth_key_parse(name, &tenant, &secret))
		require(tenant.n > 0 && tenant.n + secret.n + 4 == name.n);
	require(scopes_parse(all) < 1u << SCOPES);
	arena_done(&a);
	return 0;
}
