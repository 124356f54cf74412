/* Matching, and the table against api/openapi.yaml and docs/api.md. */
#include "edge/auth.h"
#include "edge/problem.h"
#include "edge/routes.h"
#include "format/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <cmocka.h>

static void matches(void **state)
{
	(void)state;
	static const struct {
		const char *method, *path, *name; /* name: NULL for none */
		const char *first, *second, *allow;
	} rows[] = {
	    {"POST", "/v1/orders", "orders.capture", NULL, NULL, ""},
	    {"GET", "/v1/orders/a%2Fb", "orders.get", "a%2Fb", NULL, ""},
	    {"HEAD", "/v1/orders", "orders.list", NULL, NULL, ""},
	    {"GET", "/v1/stock/movements", "stock.get", "movements", NULL, ""},
	    {"POST", "/v1/stock/movements", "stock.move", NULL, NULL, ""},
	    {"PUT", "/v1/reservations/x", NULL, NULL, NULL, "GET, DELETE"},
	    {"GET", "/v1/events/stream", "events.stream", NULL, NULL, ""},
	    {"POST", "/in/acme/shop/order", "inbound", "acme", "shop", ""},
	    {"GET", "/console/assets/app.js", "console", "assets/app.js", NULL, ""},
	    {"GET", "/console/", "console", "", NULL, ""},
	    {"GET", "/console", "console.root", NULL, NULL, ""},
	    {"GET", "/", "root", NULL, NULL, ""},
	    {"GET", "/v1/orders/", NULL, NULL, NULL, ""},
	    {"GET", "/v1/orders//timeline", NULL, NULL, NULL, ""},
	    {"GET", "/v1/order", NULL, NULL, NULL, ""},
	    {"GET", "/v1/orders/x/y", NULL, NULL, NULL, ""},
	    {"GET", "//v1/orders", NULL, NULL, NULL, ""},
	    {"get", "/v1/orders", NULL, NULL, NULL, "POST, GET"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct route_match m;
		route_find(str_from(rows[i].method), str_from(rows[i].path), &m);
		if ((m.route == NULL) != (rows[i].name == NULL) ||
		    (m.route && strcmp(m.route->name, rows[i].name) != 0))
			fail_msg("%s %s is %s", rows[i].method, rows[i].path, m.route ? m.route->name : "nothing");
		assert_string_equal(m.allow, rows[i].allow);
		if (rows[i].first)
			assert_true(str_is(m.params[0], rows[i].first));
		if (rows[i].second)
			assert_true(str_is(m.params[1], rows[i].second));
	}
}

static char *read_file(const char *path)
{
	FILE *in = fopen(path, "rb");
	if (!in)
		fail_msg("%s cannot be read", path);
	char *text = calloc(1, 1 << 20);
	assert_true(fread(text, 1, (1 << 20) - 1, in) > 0);
	fclose(in);
	return text;
}

static const struct route *find(struct str path, struct str method)
{
	for (size_t i = 0; edge_routes(i); i++)
		if (str_is(path, edge_routes(i)->path) && strlen(edge_routes(i)->method) == method.n &&
		    strncasecmp(method.p, edge_routes(i)->method, method.n) == 0)
			return edge_routes(i);
	return NULL;
}

static unsigned scopes_of(const struct json *operation)
{
	const struct json *list = json_get(operation, "security");
	unsigned bits = 0;
	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->count; i++) {
		const struct json *names = json_get(&list->items[i], "key");
		assert_true(json_is(names, JSON_ARRAY) && names->count == 1);
		struct str name = json_text(&names->items[0]);
		for (unsigned s = 0; s < SCOPES; s++)
			if (str_is(name, scope_name((enum scope)s)))
				bits |= 1u << s;
	}
	return bits;
}

static bool is_optional(const struct json *body)
{
	const struct json *required = json_get(body, "required");
	return json_is(required, JSON_BOOL) && !required->boolean;
}

/* Has it a parameter in the query, itself or in the components? */
static bool takes_query(const struct json *doc, const struct json *operation)
{
	const struct json *list = json_get(operation, "parameters");
	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->count; i++) {
		struct str reference = json_get_text(&list->items[i], "$ref");
		const char *slash = reference.n ? memrchr(reference.p, '/', reference.n) : NULL;
		const struct json *p = &list->items[i];
		if (slash)
			p = json_get_str(json_get(json_get(doc, "components"), "parameters"),
					 (struct str){slash + 1, (size_t)(reference.p + reference.n - slash - 1)});
		assert_non_null(p);
		if (str_is(json_get_text(p, "in"), "query"))
			return true;
	}
	return false;
}

/* Each way: nothing is missing on either side; names, scopes and bodies are the same. */
static void is_what_openapi_says(void **state)
{
	(void)state;
	struct arena a;
	struct json *doc;
	struct err e = ERR_NONE;
	size_t documented = 0, contract = 0;
	arena_init(&a, 16 << 20);
	char *text = read_file(CD_SOURCE_DIR "/api/openapi.yaml");
	if (yaml_parse(&a, str_from(text), NULL, &doc, &e) != RC_OK)
		fail_msg("openapi.yaml, %s: %s", e.where, e.detail);
	const struct json *paths = json_get(doc, "paths");
	assert_true(json_is(paths, JSON_OBJECT));
	for (size_t i = 0; i < paths->count; i++) {
		const struct json *operations = &paths->members[i].value;
		for (size_t k = 0; k < operations->count; k++, documented++) {
			const struct json *o = &operations->members[k].value;
			const struct route *r = find(paths->members[i].name, operations->members[k].name);
			if (!r)
				fail_msg(STR_FMT " " STR_FMT " has no route", STR_ARG(operations->members[k].name),
					 STR_ARG(paths->members[i].name));
			assert_true(str_is(json_get_text(o, "operationId"), r->name));
			if (scopes_of(o) != r->scopes)
				fail_msg("%s: other scopes", r->name);
			assert_int_equal(takes_query(doc, o), (r->flags & ROUTE_QUERY) != 0);
			const struct json *body = json_get(o, "requestBody");
			assert_int_equal(body != NULL, (r->flags & (ROUTE_JSON | ROUTE_RAW)) != 0);
			if (body)
				assert_int_equal(is_optional(body), (r->flags & ROUTE_OPTIONAL) != 0);
		}
	}
	for (size_t i = 0; edge_routes(i); i++)
		contract += !(edge_routes(i)->flags & ROUTE_HIDDEN);
	assert_int_equal(documented, contract);
	arena_done(&a);
	free(text);
}

static void are_all_explained(void **state)
{
	(void)state;
	char *text = read_file(CD_SOURCE_DIR "/docs/api.md"), quoted[64];
	for (size_t i = 0; problem_at(i); i++) {
		snprintf(quoted, sizeof(quoted), "`%s` | %d |", problem_at(i)->code, problem_at(i)->status);
		if (!strstr(text, quoted))
			fail_msg("docs/api.md does not list %s", quoted);
	}
	for (unsigned s = 0; s < SCOPES; s++) {
		snprintf(quoted, sizeof(quoted), "`%s`", scope_name((enum scope)s));
		if (!strstr(text, quoted))
			fail_msg("docs/api.md does not list %s", quoted);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(matches),
	    cmocka_unit_test(is_what_openapi_says),
	    cmocka_unit_test(are_all_explained),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
