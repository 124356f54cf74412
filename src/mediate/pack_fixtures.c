/*
 * `crossdock test`: a pack's fixtures.
 *
 *     fixtures/inbound/<endpoint>.<case>.json (or .txt)   what arrives, byte for byte
 *     fixtures/inbound/<endpoint>.<case>.expected.json    {"settings"?,
 * "items":[{"type","document","drift"?,"findings"?}]} or {"error"} fixtures/outbound/<case>.json
 * {"operation","lookup"?,"input","request":{...} or "error"} fixtures/answers/<case>.json
 * {"operation","lookup"?,"status","body"|"text"?,...,"answer":{...} or "error"}
 *
 * What came out is written as JSON of the same shape and compared; the first difference is reported with its pointer.
 * An endpoint or operation without any fixture is a failure too.
 */
#include "mediate/pack_state.h"

#include <assert.h>
#include <stdio.h>

#define FIXTURE_BYTES_MAX (4u << 20)
#define CASE_BYTES_MAX    (64u << 20)

struct tester {
	const struct pack *pack;
	struct mediator *m;
	const char *folder;
	struct findings *f;
	struct arena arena; /* of one case */
	struct buf text;
	size_t passed, failed;
	bool endpoints[200], operations[OPERATIONS]; /* have a fixture */
};

static void fail(struct tester *t, const char *file, const char *code, const char *detail)
{
	findings_add(t->f, file, code, "%s", detail);
	t->failed++;
}

static void fail_err(struct tester *t, const char *file, const struct err *e)
{
	char detail[640];
	snprintf(detail, sizeof(detail), "%s%s%s", e->where, e->where[0] ? ": " : "", e->detail);
	fail(t, file, e->code[0] ? e->code : "fixture", detail);
}

/* ---- comparing ---- */

static const struct json absent; /* only its address counts */

static void write_short(struct buf *out, const struct json *j)
{
	struct buf text;
	buf_init(&text, FIXTURE_BYTES_MAX);
	if (j == &absent)
		buf_add_z(&text, "nothing");
	else
		json_write(&text, j);
	buf_add(out, text.p, text.n > 100 ? 100 : text.n);
	if (text.n > 100)
		buf_add_z(out, "...");
	buf_done(&text);
}

static void report_difference(struct buf *out, const char *pointer, const struct json *expected,
			      const struct json *actual)
{
	buf_printf(out, "%s: expected ", *pointer ? pointer : "the value");
	write_short(out, expected);
	buf_add_z(out, ", got ");
	write_short(out, actual);
}

/* Writes the first difference; false if there is none. */
static bool find_difference(struct arena *a, const char *pointer, const struct json *expected,
			    const struct json *actual, struct buf *out)
{
	if (expected != &absent && actual != &absent && json_equal(expected, actual))
		return false;
	bool same_kind = expected != &absent && actual != &absent && expected->type == actual->type;
	if (same_kind && expected->type == JSON_ARRAY) {
		uint32_t most = expected->count > actual->count ? expected->count : actual->count;
		for (uint32_t i = 0; i < most; i++) {
			const char *at = arena_printf(a, "%s/%u", pointer, i);
			if (find_difference(a, at ? at : pointer, i < expected->count ? &expected->items[i] : &absent,
					    i < actual->count ? &actual->items[i] : &absent, out))
				return true;
		}
	}
	for (int pass = 0; pass < 2 && same_kind && expected->type == JSON_OBJECT; pass++) {
		const struct json *from = pass ? actual : expected;
		for (uint32_t i = 0; i < from->count; i++) {
			struct str name = from->members[i].name;
			const struct json *e = json_get_str(expected, name), *g = json_get_str(actual, name);
			const char *at = arena_printf(a, "%s/" STR_FMT, pointer, STR_ARG(name));
			if (find_difference(a, at ? at : pointer, e ? e : &absent, g ? g : &absent, out))
				return true;
		}
	}
	report_difference(out, pointer, expected, actual);
	return true;
}

/* t->text holds what came out. */
static void compare(struct tester *t, const char *file, const struct json *expected)
{
	struct err e = ERR_NONE;
	struct json *actual;
	struct json_limits limits = JSON_LIMITS_DEFAULT;
	struct buf difference;
	limits.bytes = FIXTURE_BYTES_MAX;
	if (json_parse(&t->arena, buf_str(&t->text), &limits, &actual, &e) != RC_OK) {
		fail_err(t, file, &e);
		return;
	}
	buf_init(&difference, 2000);
	if (find_difference(&t->arena, "", expected, actual, &difference))
		fail(t, file, "fixture_differs", difference.p);
	else
		t->passed++;
	buf_done(&difference);
}

/* ---- what came out, as JSON ---- */

static void write_error(struct json_writer *w, const struct err *e)
{
	jw_key(w, "error");
	jw_object(w);
	jw_key_text(w, "code", str_from(e->code));
	jw_opt_text(w, "where", str_from(e->where));
	jw_object_end(w);
}

static void write_pointers(struct json_writer *w, const char *key, const struct findings *f)
{
	if (!f->count)
		return;
	jw_key(w, key);
	jw_array(w);
	for (size_t i = 0; i < f->count; i++)
		jw_text(w, str_from(f->list[i].pointer));
	jw_array_end(w);
}

static void write_inbound(struct json_writer *w, const struct inbound *in)
{
	jw_key(w, "items");
	jw_array(w);
	for (size_t i = 0; i < in->count; i++) {
		jw_object(w);
		jw_key_text(w, "type", in->items[i].type);
		jw_key(w, "document");
		jw_value(w, in->items[i].document);
		write_pointers(w, "drift", &in->items[i].drift);
		write_pointers(w, "findings", &in->items[i].findings);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void write_request(struct tester *t, struct json_writer *w, const struct pack_request *r)
{
	struct json *body;
	jw_key(w, "request");
	jw_object(w);
	jw_key_text(w, "method", r->method);
	jw_key_text(w, "path", r->path);
	if (r->header_count) {
		jw_key(w, "headers");
		jw_object(w);
		for (size_t i = 0; i < r->header_count; i++) {
			jw_key_str(w, r->headers[i].name);
			jw_text(w, r->headers[i].value);
		}
		jw_object_end(w);
	}
	if (r->body.p && json_parse(&t->arena, r->body, NULL, &body, NULL) == RC_OK) {
		jw_key(w, "body");
		jw_value(w, body);
	} else if (r->body.p) {
		jw_key_text(w, "text", r->body);
	}
	jw_object_end(w);
}

static void write_cost(struct json_writer *w, const struct pack_cost *c)
{
	jw_key(w, "cost_thousandths");
	jw_object(w);
	jw_key_int(w, "requested", c->requested);
	jw_key_int(w, "actual", c->actual);
	jw_key_int(w, "available", c->available);
	jw_key_int(w, "maximum", c->maximum);
	jw_key_int(w, "restore_rate", c->restore_rate);
	jw_object_end(w);
}

static void write_parts(struct json_writer *w, const struct pack_part *parts, uint32_t count)
{
	jw_key(w, "results");
	jw_array(w);
	for (uint32_t i = 0; i < count; i++) {
		if (!parts[i].said) {
			jw_null(w);
			continue;
		}
		jw_object(w);
		jw_key_text(w, "outcome", str_from(outcome_name(parts[i].outcome)));
		jw_opt_text(w, "external_id", parts[i].external_id);
		jw_opt_text(w, "detail", parts[i].detail);
		jw_object_end(w);
	}
	jw_array_end(w);
}

/* parts: of a batch, how many. */
static void write_answer(struct json_writer *w, const struct pack_answer *a, const bool *found, uint32_t parts)
{
	jw_key(w, "answer");
	jw_object(w);
	jw_key_text(w, "outcome", str_from(outcome_name(a->outcome)));
	if (found)
		jw_key_bool(w, "found", *found);
	jw_opt_text(w, "external_id", a->external_id);
	jw_opt_text(w, "detail", a->detail);
	if (a->retry_after_ms)
		jw_key_int(w, "retry_after_ms", a->retry_after_ms);
	if (a->retry_at_ms)
		jw_key_time(w, "retry_at", a->retry_at_ms);
	if (a->items) {
		jw_key(w, "items");
		jw_value(w, a->items);
	}
	if (a->page) {
		jw_key(w, "page");
		jw_value(w, a->page);
	}
	if (a->cost.known)
		write_cost(w, &a->cost);
	if (a->parts)
		write_parts(w, a->parts, parts);
	jw_object_end(w);
}

/* ---- the cases ---- */

static bool load_json(struct tester *t, const char *path, struct json **out)
{
	struct err e = ERR_NONE;
	struct str text;
	struct json_limits limits = JSON_LIMITS_DEFAULT;
	limits.bytes = FIXTURE_BYTES_MAX;
	if (pack_read_file(&t->arena, path, FIXTURE_BYTES_MAX, &text, &e) == RC_OK &&
	    json_parse(&t->arena, text, &limits, out, &e) == RC_OK)
		return true;
	fail_err(t, path, &e);
	return false;
}

static void begin_text(struct tester *t, struct json_writer *w)
{
	buf_reset(&t->text);
	jw_init(w, &t->text);
	jw_object(w);
}

/* Members of the fixture that are what should come out, alone in an object. */
static const struct json *expectation(struct tester *t, const struct json *fixture, const char *name)
{
	struct json *out = arena_new(&t->arena, struct json);
	struct json_member *member = arena_new(&t->arena, struct json_member);
	const char *key = json_get(fixture, "error") ? "error" : name;
	const struct json *value = json_get(fixture, key);
	assert(out && member);
	*member = (struct json_member){str_from(key), value ? *value : (struct json){.type = JSON_NULL}};
	*out = (struct json){.type = JSON_OBJECT, .count = 1, .members = member};
	return out;
}

static void test_inbound(struct tester *t, const char *folder, struct str name)
{
	static const char tail[] = ".expected.json";
	struct err e = ERR_NONE;
	struct json_writer w;
	struct json *fixture;
	struct str body, stem = {name.p, name.n - (sizeof(tail) - 1)};
	const char *dot = memchr(stem.p, '.', stem.n);
	struct str endpoint = {stem.p, dot ? (size_t)(dot - stem.p) : stem.n};
	const struct pack_endpoint *found = pack_find_endpoint(t->pack, endpoint);
	char *path = arena_printf(&t->arena, "%s/%s", folder, name.p);
	if (!found) {
		fail(t, path, "fixture", "the connector has no endpoint of this name");
		return;
	}
	const char *ending = str_is(found->decode, "json") ? "json" : "txt";
	char *raw = arena_printf(&t->arena, "%s/" STR_FMT ".%s", folder, STR_ARG(stem), ending);
	if (!load_json(t, path, &fixture))
		return;
	if (pack_read_file(&t->arena, raw, FIXTURE_BYTES_MAX, &body, &e) != RC_OK) {
		fail_err(t, raw, &e);
		return;
	}
	struct inbound in;
	enum rc rc = pack_inbound(t->pack, t->m, endpoint, json_get(fixture, "settings"), body, &t->arena, &in, &e);
	begin_text(t, &w);
	if (rc == RC_OK)
		write_inbound(&w, &in);
	else
		write_error(&w, &e);
	jw_object_end(&w);
	t->endpoints[found - t->pack->endpoints] = true;
	compare(t, path, expectation(t, fixture, "items"));
}

static bool read_operation(struct tester *t, const char *path, const struct json *fixture, enum operation *op)
{
	if (operation_parse(json_get_text(fixture, "operation"), op) && t->pack->operations[*op].present) {
		t->operations[*op] = true;
		return true;
	}
	fail(t, path, "fixture", "\"operation\" names no operation of the connector");
	return false;
}

static bool is_lookup(const struct json *fixture)
{
	const struct json *lookup = json_get(fixture, "lookup");
	return lookup && lookup->boolean;
}

static void test_outbound(struct tester *t, const char *folder, struct str name)
{
	struct err e = ERR_NONE;
	struct json_writer w;
	struct json *fixture;
	struct pack_request request;
	enum operation op;
	char *path = arena_printf(&t->arena, "%s/%s", folder, name.p);
	if (!load_json(t, path, &fixture) || !read_operation(t, path, fixture, &op))
		return;
	const struct json *input = json_get(fixture, "input");
	if (!json_is(input, JSON_OBJECT)) {
		fail(t, path, "fixture", "\"input\" is missing");
		return;
	}
	enum rc rc = is_lookup(fixture) ? pack_render_lookup(t->pack, t->m, op, input, &t->arena, &request, &e)
					: pack_render(t->pack, t->m, op, input, &t->arena, &request, &e);
	begin_text(t, &w);
	if (rc == RC_OK)
		write_request(t, &w, &request);
	else
		write_error(&w, &e);
	jw_object_end(&w);
	compare(t, path, expectation(t, fixture, "request"));
}

static void test_answer(struct tester *t, const char *folder, struct str name)
{
	struct err e = ERR_NONE;
	struct json_writer w;
	struct json *fixture;
	struct pack_answer answer;
	enum operation op;
	struct buf body;
	int64_t status = 0;
	bool found = false;
	char *path = arena_printf(&t->arena, "%s/%s", folder, name.p);
	if (!load_json(t, path, &fixture) || !read_operation(t, path, fixture, &op))
		return;
	bool lookup = is_lookup(fixture);
	const struct json *json = json_get(fixture, "body"), *sent = json_get(fixture, "sent");
	const struct json *batch = json_get(fixture, "batch");
	if (!json_get(fixture, "status") || !json_int(json_get(fixture, "status"), &status)) {
		fail(t, path, "fixture", "\"status\" is missing");
		return;
	}
	buf_init(&body, FIXTURE_BYTES_MAX);
	if (json)
		json_write(&body, json);
	else
		buf_add_str(&body, json_get_text(fixture, "text"));
	struct str text = buf_str(&body), retry_after = json_get_text(fixture, "retry_after");
	enum rc rc = lookup ? pack_classify_lookup(t->pack, t->m, op, json_get_text(fixture, "delivery_id"),
						   (int)status, text, &t->arena, &found, &answer, &e)
			    : pack_classify_batch(t->pack, t->m, op, (int)status, retry_after, text,
						  !sent || sent->boolean, batch, &t->arena, &answer, &e);
	begin_text(t, &w);
	if (rc == RC_OK)
		write_answer(&w, &answer, lookup ? &found : NULL, batch ? batch->count : 0);
	else
		write_error(&w, &e);
	jw_object_end(&w);
	compare(t, path, expectation(t, fixture, "answer"));
	buf_done(&body);
}

static void run_folder(struct tester *t, const char *sub, const char *ending,
		       void (*test)(struct tester *t, const char *folder, struct str name))
{
	struct arena names_arena;
	struct str *names;
	arena_init(&names_arena, FIXTURE_BYTES_MAX);
	char *folder = arena_printf(&names_arena, "%s/fixtures/%s", t->folder, sub);
	size_t count = folder ? pack_list_files(&names_arena, folder, ending, &names) : 0;
	for (size_t i = 0; i < count; i++) {
		arena_reset(&t->arena);
		test(t, folder, names[i]);
	}
	arena_done(&names_arena);
}

static void check_coverage(struct tester *t)
{
	char detail[200];
	for (size_t i = 0; i < t->pack->endpoint_count && i < sizeof(t->endpoints); i++) {
		snprintf(detail, sizeof(detail), "the endpoint " STR_FMT " has no fixture",
			 STR_ARG(t->pack->endpoints[i].name));
		if (!t->endpoints[i])
			fail(t, t->folder, "no_fixture", detail);
	}
	for (unsigned op = 0; op < OPERATIONS; op++) {
		snprintf(detail, sizeof(detail), "the operation %s has no fixture", operation_name((enum operation)op));
		if (t->pack->operations[op].present && !t->operations[op])
			fail(t, t->folder, "no_fixture", detail);
	}
}

enum rc pack_test(struct mediator *m, const char *folder, const struct schema_registry *schemas, size_t *passed,
		  size_t *failed, struct findings *f)
{
	struct pack *pack;
	*passed = *failed = 0;
	enum rc rc = pack_load(folder, schemas, &pack, f);
	if (rc != RC_OK) {
		*failed = 1;
		return rc;
	}
	struct tester t = {.pack = pack, .m = m, .folder = folder, .f = f};
	arena_init(&t.arena, CASE_BYTES_MAX);
	buf_init(&t.text, FIXTURE_BYTES_MAX);
	run_folder(&t, "inbound", ".expected.json", test_inbound);
	run_folder(&t, "outbound", ".json", test_outbound);
	run_folder(&t, "answers", ".json", test_answer);
	check_coverage(&t);
	*passed = t.passed;
	*failed = t.failed;
	buf_done(&t.text);
	arena_done(&t.arena);
	pack_unref(pack);
	return t.failed ? RC_INVALID : RC_OK;
}
