/* Packs: the canonical pack's fixtures, and what is wrong with packs that are wrong. */
#include "mediate/pack_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct schema_registry *schemas;
static struct mediator *mediator;

static void print_findings(const struct findings *f)
{
	for (size_t i = 0; i < f->count; i++)
		print_error("%s:%u: %s: %s\n", f->list[i].pointer, f->list[i].line, f->list[i].code, f->list[i].detail);
}

static int open_all(void **state)
{
	struct err e = ERR_NONE;
	(void)state;
	schemas = schema_registry_new();
	if (schema_registry_load(schemas, CD_SOURCE_DIR "/schemas", &e) != RC_OK) {
		print_error("%s: %s\n", e.where, e.detail);
		return -1;
	}
	mediator = mediator_new(NULL);
	return mediator ? 0 : -1;
}

static int close_all(void **state)
{
	(void)state;
	mediator_free(mediator);
	schema_registry_free(schemas);
	return 0;
}

static void test_canonical_fixtures(void **state)
{
	(void)state;
	struct arena a;
	struct findings f;
	size_t passed, failed;
	arena_init(&a, 1u << 20);
	findings_init(&f, &a);
	enum rc rc = pack_test(mediator, CD_SOURCE_DIR "/connectors/canonical", schemas, &passed, &failed, &f);
	print_findings(&f);
	assert_int_equal(failed, 0);
	assert_int_equal(rc, RC_OK);
	assert_true(passed >= 60);
	arena_done(&a);
}

/* ---- packs of our own, in a folder of their own ---- */

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void remove_files(const char *folder)
{
	static const char *const names[] = {"connector.yaml", "map.lua"};
	char path[300];
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
}

struct folder {
	char top[64], pack[80];
};

static struct folder make_folder(const char *manifest, const char *script)
{
	struct folder f = {.top = "/tmp/pack_test_XXXXXX"};
	assert_non_null(mkdtemp(f.top));
	snprintf(f.pack, sizeof(f.pack), "%s/demo", f.top);
	assert_int_equal(mkdir(f.pack, 0700), 0);
	if (manifest)
		write_file(f.pack, "connector.yaml", manifest);
	write_file(f.pack, "map.lua", script);
	return f;
}

static void drop_folder(const struct folder *f)
{
	remove_files(f->pack);
	assert_int_equal(rmdir(f->pack), 0);
	assert_int_equal(rmdir(f->top), 0);
}

#define HEAD "connector: demo\ntitle: Demo\n"

static void test_wrong_packs(void **state)
{
	static const struct {
		const char *manifest, *script, *file, *code;
		uint32_t line;
	} rows[] = {
	    {NULL, "", "connector.yaml", "file_unreadable", 0},
	    {"connector: demo\n  title: x\n", "", "connector.yaml", "invalid_yaml", 2},
	    {"connector: other\ntitle: x\n", "", "connector.yaml", "wrong_name", 1},
	    {HEAD "speed: 1\n", "", "connector.yaml", "unknown_field", 3},
	    {HEAD "operations:\n  order.post:\n    path: /o\n    mapp: map.f\n", "", "connector.yaml", "unknown_field",
	     6},
	    {HEAD "operations:\n  order.post: {path: /o, map: map.g}\n", "function f() end", "connector.yaml",
	     "mapping_failed", 4},
	    {HEAD "operations:\n  order.post: {path: /o, map: other.f}\n", "function f() end", "connector.yaml",
	     "unknown_script", 4},
	    {HEAD "operations:\n  order.post: {path: /o, map: map.f}\n", "function f(", "map.lua", "mapping_syntax", 0},
	    {HEAD "operations:\n  order.post: {path: /o, map: map.f}\n", "x.y = 1 function f() end", "connector.yaml",
	     "mapping_failed", 4},
	    {HEAD "operations:\n  order.post: {path: /o, map: map.f}\n", "while true do end", "connector.yaml",
	     "mapping_limit", 4},
	    {HEAD "operations:\n  order.post: {path: /o, map: map.f, body: params}\n", "function f() end",
	     "connector.yaml", "map_and_body", 4},
	    {HEAD "operations:\n  order.post:\n    path: /o\n    timeout: soon\n", "", "connector.yaml",
	     "not_a_duration", 6},
	    {HEAD "answers:\n  - {status: 6xx, outcome: delivered}\noperations:\n  item: {path: /o}\n", "",
	     "connector.yaml", "not_a_status", 4},
	    {HEAD "inbound:\n  - {endpoint: a, type: nothing, map: map.f}\n", "function f() end", "connector.yaml",
	     "unknown_type", 4},
	    {HEAD "inbound:\n  - {endpoint: a, type: order, map: map.f}\n  - {endpoint: a, type: item, map: map.f}\n",
	     "function f() end", "connector.yaml", "duplicate_endpoint", 5},
	    {HEAD "settings: {type: wrong}\n", "", "connector.yaml", NULL, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct folder folder = make_folder(rows[i].manifest, rows[i].script);
		struct arena a;
		struct findings f;
		struct pack *pack = (struct pack *)&a;
		arena_init(&a, 1u << 20);
		findings_init(&f, &a);
		assert_int_equal(pack_load(folder.pack, schemas, &pack, &f), RC_INVALID);
		assert_null(pack);
		assert_true(f.count > 0);
		const char *file = strrchr(f.list[0].pointer, '/') + 1;
		if ((rows[i].code && strcmp(f.list[0].code, rows[i].code) != 0) || f.list[0].line != rows[i].line)
			print_findings(&f);
		assert_string_equal(file, rows[i].file);
		if (rows[i].code)
			assert_string_equal(f.list[0].code, rows[i].code);
		assert_int_equal(f.list[0].line, rows[i].line);
		arena_done(&a);
		drop_folder(&folder);
	}
}

static const char whole_manifest[] =
    HEAD "signature: none\n"
	 "settings: {type: object, properties: {shop: {type: string}}, required: [shop]}\n"
	 "inbound:\n"
	 "  - {endpoint: mixed, decode: text, map: map.mixed}\n"
	 "operations:\n"
	 "  order.post:\n"
	 "    method: PUT\n"
	 "    path: \"/{settings.shop}/orders\"\n"
	 "    map: map.request\n"
	 "    result: request\n"
	 "    headers: {X-Api: \"2\"}\n"
	 "    timeout: 1500ms\n"
	 "    lookup: {path: \"/o?id={order_id}\", found: /id, absent: [404]}\n"
	 "    answer: {map: map.answered}\n"
	 "  item: {path: /items, body: document, batch: 20}\n"
	 "answers:\n"
	 "  - {status: 2xx, outcome: delivered}\n";

static const char whole_script[] =
    "function mixed(text, context)\n"
    "  local out = array{}\n"
    "  for row in each(text:split('\\n')) do\n"
    "    local kind, id = re.match(row, '^(\\\\w+);(\\\\w+)$')\n"
    "    if kind == 'no' then refuse('row ' .. id) end\n"
    "    if kind then table.insert(out, {type = kind, document = {sku = id, external_id = context.settings.shop}}) "
    "end\n"
    "  end\n"
    "  return out\n"
    "end\n"
    "function request(d)\n"
    "  return {path = opt(d, 'params', 'path'), headers = opt(d, 'params', 'headers'), text = 'ORDER ' .. d.order_id, "
    "method = 'POST'}\n"
    "end\n"
    "function answered(a)\n"
    "  if opt(a, 'body', 'cost') then return {cost = a.body.cost, results = opt(a, 'body', 'results')} end\n"
    "  if opt(a, 'body', 'ok') == false then return {outcome = 'refused', detail = a.body.why} end\n"
    "  return {external_id = opt(a, 'body', 'id')}\n"
    "end\n";

static struct json *parse(struct arena *a, const char *text)
{
	struct json *j;
	assert_int_equal(json_parse(a, str_from(text), NULL, &j, NULL), RC_OK);
	return j;
}

static void check_inbound(const struct pack *p, struct arena *a)
{
	struct inbound in;
	struct err e = ERR_NONE;
	const struct json *settings = parse(a, "{\"shop\":\"s1\"}");
	assert_int_equal(pack_inbound(p, mediator, STR("mixed"), settings, STR("item;A\nitem;B\n"), a, &in, &e), RC_OK);
	assert_int_equal(in.count, 2);
	assert_true(str_is(in.items[1].type, "item"));
	assert_true(str_is(json_get_text(in.items[1].document, "sku"), "B"));
	assert_true(str_is(json_get_text(in.items[1].document, "external_id"), "s1"));
	assert_int_equal(pack_inbound(p, mediator, STR("mixed"), settings, STR("no;7"), a, &in, &e), RC_REJECT);
	assert_string_equal(e.detail, "row 7");
	e = ERR_NONE;
	assert_int_equal(pack_inbound(p, mediator, STR("mixed"), settings, STR("thing;7"), a, &in, &e), RC_INVALID);
	e = ERR_NONE;
	assert_int_equal(pack_inbound(p, mediator, STR("mixed"), settings, STR("\xff"), a, &in, &e), RC_INVALID);
	assert_string_equal(e.code, "invalid_utf8");
	e = ERR_NONE;
	assert_int_equal(pack_inbound(p, mediator, STR("nowhere"), settings, STR("{}"), a, &in, &e), RC_INVALID);
	assert_string_equal(e.code, "unknown_endpoint");
}

static void check_outbound(const struct pack *p, struct arena *a)
{
	static const struct {
		const char *input;
		enum rc rc;
		const char *path, *where;
	} rows[] = {
	    {"{\"order_id\":\"o1\",\"settings\":{\"shop\":\"a b\"}}", RC_OK, "/a%20b/orders", NULL},
	    {"{\"order_id\":\"o1\",\"settings\":{\"shop\":\"a\"},\"params\":{\"path\":\"/x?y=1\"}}", RC_OK, "/x?y=1",
	     NULL},
	    {"{\"order_id\":\"o1\",\"settings\":{}}", RC_INVALID, NULL, "/settings/shop"},
	    {"{\"order_id\":\"o1\",\"settings\":{\"shop\":\"..\"}}", RC_INVALID, NULL, "/settings/shop"},
	    {"{\"settings\":{\"shop\":\"a\"}}", RC_INVALID, NULL, "/order_id"},
	    {"{\"order_id\":\"o1\",\"settings\":{\"shop\":\"a\"},\"params\":{\"path\":\"/x y\"}}", RC_INVALID, NULL,
	     "/path"},
	    {"{\"order_id\":\"o1\",\"settings\":{\"shop\":\"a\"},\"params\":{\"headers\":{\"A\":\"b\\r\\nC: d\"}}}",
	     RC_INVALID, NULL, "/headers"},
	    {"{\"order_id\":\"o1\",\"settings\":{\"shop\":\"a\"},\"params\":{\"headers\":{\"content-Length\":\"1\"}}}",
	     RC_INVALID, NULL, "/headers"},
	};
	struct pack_request r;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = ERR_NONE;
		assert_int_equal(pack_render(p, mediator, OP_ORDER_POST, parse(a, rows[i].input), a, &r, &e),
				 rows[i].rc);
		if (rows[i].path)
			assert_true(str_is(r.path, rows[i].path));
		else
			assert_string_equal(e.where, rows[i].where);
		if (rows[i].path) {
			assert_true(str_is(r.method, "POST"));
			assert_true(str_is(r.body, "ORDER o1"));
			assert_int_equal(r.header_count, 2);
		}
	}
	struct err e = ERR_NONE;
	assert_int_equal(pack_render(p, mediator, OP_ITEM, parse(a, "{\"document\":{\"n\":1.50}}"), a, &r, &e), RC_OK);
	assert_true(str_is(r.body, "{\"n\":1.50}"));
	assert_int_equal(pack_render(p, mediator, OP_PRICE, parse(a, "{}"), a, &r, &e), RC_INVALID);
	assert_string_equal(e.code, "operation_not_supported");
}

/* What a request cost in points, in thousandths; and the single results of a batch, which have to be as many. */
static void check_costs(const struct pack *p, struct arena *a)
{
	const struct json *batch = parse(a, "[{\"n\":1},{\"n\":2}]");
	struct pack_answer answer;
	struct err e = ERR_NONE;
	assert_int_equal(pack_classify_batch(
			     p, mediator, OP_ORDER_POST, 200, STR_NONE,
			     STR("{\"cost\":{\"requested\":101,\"actual\":46.5,\"available\":\"1953.25\","
				 "\"maximum\":2000.0,\"restore_rate\":100},\"results\":[null,{\"outcome\":\"refused\","
				 "\"detail\":\"no\"}]}"),
			     true, batch, a, &answer, &e),
			 RC_OK);
	assert_true(answer.cost.known);
	assert_int_equal(answer.cost.requested, 101000);
	assert_int_equal(answer.cost.actual, 46500);
	assert_int_equal(answer.cost.available, 1953250);
	assert_int_equal(answer.cost.maximum, 2000000);
	assert_int_equal(answer.cost.restore_rate, 100000);
	assert_false(answer.parts[0].said);
	assert_int_equal(answer.parts[1].outcome, OUTCOME_REFUSED);
	assert_true(str_is(answer.parts[1].detail, "no"));
	static const char *const bad[] = {"{\"cost\":{},\"results\":[null]}",
					  "{\"cost\":{},\"results\":[null,{\"outcome\":\"fine\"}]}"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		e = ERR_NONE;
		assert_int_equal(pack_classify_batch(p, mediator, OP_ORDER_POST, 200, STR_NONE, str_from(bad[i]), true,
						     batch, a, &answer, &e),
				 RC_INVALID);
		assert_string_equal(e.code, "mapping_failed");
	}
	e = ERR_NONE;
	assert_int_equal(pack_classify(p, mediator, OP_ORDER_POST, 200, STR_NONE,
				       STR("{\"cost\":{\"requested\":1},\"results\":[null]}"), true, a, &answer, &e),
			 RC_OK);
	assert_false(answer.cost.known); /* without what is left it says nothing */
	assert_null(answer.parts);
}

static void check_answers(const struct pack *p, struct arena *a)
{
	check_costs(p, a);
	struct pack_answer answer;
	struct err e = ERR_NONE;
	bool found = true;
	assert_int_equal(pack_classify(p, mediator, OP_ORDER_POST, 200, STR_NONE,
				       STR("{\"ok\":false,\"why\":\"closed\"}"), true, a, &answer, &e),
			 RC_OK);
	assert_int_equal(answer.outcome, OUTCOME_REFUSED);
	assert_true(str_is(answer.detail, "closed"));
	assert_int_equal(pack_classify(p, mediator, OP_ORDER_POST, 200, STR_NONE, STR("{\"id\":12345678901234567890}"),
				       true, a, &answer, &e),
			 RC_OK);
	assert_int_equal(answer.outcome, OUTCOME_DELIVERED);
	assert_true(str_is(answer.external_id, "12345678901234567890"));
	assert_int_equal(
	    pack_classify_lookup(p, mediator, OP_ORDER_POST, STR("d"), 404, STR("gone"), a, &found, &answer, &e),
	    RC_OK);
	assert_false(found);
	assert_int_equal(answer.outcome, OUTCOME_DELIVERED);
	assert_int_equal(
	    pack_classify_lookup(p, mediator, OP_ORDER_POST, STR("d"), 200, STR("<html>"), a, &found, &answer, &e),
	    RC_OK);
	assert_false(found);
	assert_int_equal(answer.outcome, OUTCOME_TECHNICAL);
}

static void test_whole_pack(void **state)
{
	struct folder folder = make_folder(whole_manifest, whole_script);
	struct arena a;
	struct findings f;
	struct pack *p, *again;
	(void)state;
	arena_init(&a, 8u << 20);
	findings_init(&f, &a);
	enum rc rc = pack_load(folder.pack, schemas, &p, &f);
	print_findings(&f);
	assert_int_equal(rc, RC_OK);
	assert_non_null(p->settings);
	assert_int_equal(p->operations[OP_ORDER_POST].timeout_ms, 1500);
	assert_true(p->operations[OP_ORDER_POST].has_lookup);
	assert_false(p->operations[OP_ORDER_POST].idempotent);
	assert_int_equal(p->operations[OP_ITEM].batch_items, 20);
	assert_false(p->operations[OP_PRICE].present);
	check_inbound(p, &a);
	check_outbound(p, &a);
	check_answers(p, &a);

	/* The version is that of the content. */
	assert_int_equal(pack_load(folder.pack, schemas, &again, &f), RC_OK);
	assert_true(str_eq(p->version, again->version));
	pack_unref(pack_ref(again));
	pack_unref(again);
	write_file(folder.pack, "map.lua", "function mixed() end function request() end function answered() end");
	assert_int_equal(pack_load(folder.pack, schemas, &again, &f), RC_OK);
	assert_false(str_eq(p->version, again->version));
	pack_unref(again);
	pack_unref(p);
	arena_done(&a);
	drop_folder(&folder);
}

/* A fixture that is wrong is told with the place of the first difference. */
static void test_no_fixtures(void **state)
{
	struct folder folder = make_folder(whole_manifest, whole_script);
	struct arena a;
	struct findings f;
	size_t passed, failed;
	(void)state;
	arena_init(&a, 1u << 20);
	findings_init(&f, &a);
	assert_int_equal(pack_test(mediator, folder.pack, schemas, &passed, &failed, &f), RC_INVALID);
	assert_int_equal(passed, 0);
	assert_int_equal(failed, 3);
	assert_string_equal(f.list[0].code, "no_fixture");

	char fixtures[120], answers[140], path[200];
	snprintf(fixtures, sizeof(fixtures), "%s/fixtures", folder.pack);
	snprintf(answers, sizeof(answers), "%s/answers", fixtures);
	assert_int_equal(mkdir(fixtures, 0700), 0);
	assert_int_equal(mkdir(answers, 0700), 0);
	write_file(answers, "a.json", "{\"operation\":\"item\",\"status\":200,\"answer\":{\"outcome\":\"refused\"}}");
	findings_init(&f, &a);
	assert_int_equal(pack_test(mediator, folder.pack, schemas, &passed, &failed, &f), RC_INVALID);
	assert_string_equal(f.list[0].code, "fixture_differs");
	assert_string_equal(f.list[0].detail, "/answer/outcome: expected \"refused\", got \"delivered\"");
	snprintf(path, sizeof(path), "%s/a.json", answers);
	unlink(path);
	rmdir(answers);
	rmdir(fixtures);
	arena_done(&a);
	drop_folder(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_canonical_fixtures),
	    cmocka_unit_test(test_wrong_packs),
	    cmocka_unit_test(test_whole_pack),
	    cmocka_unit_test(test_no_fixtures),
	};
	return cmocka_run_group_tests(tests, open_all, close_all);
}
