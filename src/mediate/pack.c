/* Loading packs: the manifest, checked by schemas/connector, its scripts compiled, its tables made. */
#include "mediate/pack_state.h"

#include "base/clock.h"
#include "base/mem.h"
#include "format/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACK_BYTES_MAX (8u << 20)

static const char *const operation_names[OPERATIONS] = {
    [OP_ORDER_POST] = "order.post",
    [OP_ORDER_CANCEL] = "order.cancel",
    [OP_SHIPMENT_REQUEST] = "shipment.request",
    [OP_STOCK_TRANSACTIONS] = "stock.transactions",
    [OP_AVAILABILITY] = "availability",
    [OP_ORDER_STATUS] = "order.status",
    [OP_SHIPMENT] = "shipment",
    [OP_INVOICE] = "invoice",
    [OP_PRICE] = "price",
    [OP_ITEM] = "item",
    [OP_CUSTOMER] = "customer",
    [OP_STOCK_BALANCES] = "stock.balances",
    [OP_AVAILABILITY_SHOWN] = "availability.shown",
    [OP_EVENT] = "event",
    [OP_EVENT_REPLAY] = "event.replay",
};

static const char *const outcome_names[OUTCOMES] = {
    [OUTCOME_DELIVERED] = "delivered",
    [OUTCOME_REFUSED] = "refused",
    [OUTCOME_THROTTLED] = "throttled",
    [OUTCOME_TECHNICAL] = "technical",
    [OUTCOME_CONFIGURATION] = "configuration",
    [OUTCOME_UNAUTHORIZED] = "unauthorized",
    [OUTCOME_UNKNOWN] = "unknown",
};

const char *operation_name(enum operation op)
{
	return operation_names[op];
}

bool operation_parse(struct str name, enum operation *out)
{
	for (unsigned i = 0; i < OPERATIONS; i++) {
		if (str_is(name, operation_names[i])) {
			*out = (enum operation)i;
			return true;
		}
	}
	return false;
}

enum delivery_priority operation_priority(enum operation op)
{
	switch (op) {
	case OP_ORDER_POST:
	case OP_ORDER_CANCEL:
	case OP_SHIPMENT_REQUEST:
	case OP_ORDER_STATUS:
	case OP_SHIPMENT:
		return PRIORITY_EXPEDITED;
	case OP_STOCK_TRANSACTIONS:
	case OP_AVAILABILITY: /* what goes to zero: expedited */
	case OP_INVOICE:
	case OP_EVENT:
	case OP_STOCK_BALANCES:
	case OP_AVAILABILITY_SHOWN:
		return PRIORITY_NORMAL;
	case OP_PRICE:
	case OP_ITEM:
	case OP_CUSTOMER:
	case OP_EVENT_REPLAY:
	case OPERATIONS:
		break;
	}
	return PRIORITY_BULK;
}

const char *outcome_name(enum outcome o)
{
	return outcome_names[o];
}

bool outcome_parse(struct str name, enum outcome *out)
{
	for (unsigned i = 0; i < OUTCOMES; i++) {
		if (str_is(name, outcome_names[i])) {
			*out = (enum outcome)i;
			return true;
		}
	}
	return false;
}

/* ---- files ---- */

static enum rc read_all(struct arena *a, int fd, const char *path, size_t max, struct str *out, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st))
		return err_set_at(e, RC_IO, "file_unreadable", path, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set_at(e, RC_INVALID, "file_unreadable", path, "not a file");
	if ((size_t)st.st_size > max)
		return err_set_at(e, RC_LIMIT, "file_too_large", path, "the file is larger than %zu bytes", max);
	char *p = arena_alloc(a, (size_t)st.st_size + 1);
	if (!p)
		return err_set_at(e, RC_LIMIT, "file_too_large", path, "the pack is too large");
	size_t n = 0;
	while (n < (size_t)st.st_size) {
		ssize_t got = read(fd, p + n, (size_t)st.st_size - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_at(e, RC_IO, "file_unreadable", path, "%s", strerror(errno));
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*out = (struct str){p, n};
	return RC_OK;
}

enum rc pack_read_file(struct arena *a, const char *path, size_t max, struct str *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set_at(e, errno == ENOENT ? RC_NOT_FOUND : RC_IO, "file_unreadable", path, "%s",
				  strerror(errno));
	enum rc rc = read_all(a, fd, path, max, out, e);
	close(fd);
	return rc;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct str *)a)->p, ((const struct str *)b)->p);
}

size_t pack_list_files(struct arena *a, const char *folder, const char *ending, struct str **out)
{
	struct str *names = NULL;
	size_t count = 0, room = 0, tail = strlen(ending);
	DIR *dir = opendir(folder);
	for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir)) {
		size_t n = strlen(d->d_name);
		if (d->d_name[0] == '.' || n <= tail || strcmp(d->d_name + n - tail, ending) != 0)
			continue;
		if (count == room) {
			names = arena_grow(a, names, room * sizeof(*names), (room * 2 + 16) * sizeof(*names));
			room = room * 2 + 16;
		}
		struct str name = names ? arena_copy(a, (struct str){d->d_name, n}) : STR_NONE;
		if (!name.p)
			break;
		names[count++] = name;
	}
	if (dir)
		closedir(dir);
	if (count)
		qsort(names, count, sizeof(*names), compare_names);
	*out = names;
	return count;
}

/* ---- reading the manifest ---- */

struct loader {
	struct pack_state *s;
	const char *folder, *manifest_path;
	const struct json *manifest;
	struct findings *f;
	bool failed;
};

static void problem(struct loader *l, const char *file, const struct json *at, const char *code, const char *detail)
{
	size_t before = l->f->count;
	findings_add(l->f, file, code, "%s", detail);
	if (l->f->count > before && at)
		l->f->list[before].line = at->line;
	l->failed = true;
}

static void problem_err(struct loader *l, const char *file, const struct err *e)
{
	char detail[640];
	snprintf(detail, sizeof(detail), "%s%s%s", e->where, e->where[0] ? ": " : "", e->detail);
	size_t before = l->f->count;
	unsigned line = 0;
	problem(l, file, NULL, e->code, detail);
	if (l->f->count > before && sscanf(e->where, "line %u", &line) == 1)
		l->f->list[before].line = line;
}

static void load_scripts(struct loader *l)
{
	struct pack_state *s = l->s;
	struct str *names;
	size_t count = pack_list_files(&s->arena, l->folder, ".lua", &names);
	s->scripts = arena_array(&s->arena, struct script, count);
	for (size_t i = 0; s->scripts && i < count; i++) {
		struct err e = ERR_NONE;
		struct str text;
		char *path = arena_printf(&s->arena, "%s/%s", l->folder, names[i].p);
		char *title = arena_printf(&s->arena, STR_FMT "/%s", STR_ARG(s->pack.name), names[i].p);
		struct script script = {.name = {names[i].p, names[i].n - 4}};
		if (!path || !title || pack_read_file(&s->arena, path, PACK_FILE_MAX, &text, &e) != RC_OK ||
		    mapping_compile(title, text, &script.map, &e) != RC_OK)
			problem_err(l, path ? path : l->folder, &e);
		else
			s->scripts[s->script_count++] = script;
	}
}

/* "out.order" -> the function order of out.lua. */
static struct function find_function(struct loader *l, const struct json *at)
{
	struct function none = {0};
	struct str text = json_text(at);
	if (!text.p)
		return none;
	const char *dot = memchr(text.p, '.', text.n);
	struct str script = {text.p, dot ? (size_t)(dot - text.p) : 0};
	struct str name = dot ? arena_copy(&l->s->arena, (struct str){dot + 1, text.n - script.n - 1}) : STR_NONE;
	for (size_t i = 0; name.p && i < l->s->script_count; i++) {
		struct err e = ERR_NONE;
		if (!str_eq(l->s->scripts[i].name, script))
			continue;
		if (mapping_has(l->s->scripts[i].map, name.p, &e) != RC_OK)
			problem(l, l->manifest_path, at, e.code, e.detail);
		return (struct function){l->s->scripts[i].map, name.p};
	}
	problem(l, l->manifest_path, at, "unknown_script",
		"names no function of a script that compiles: \"<script>.<function>\"");
	return none;
}

/* "30s" -> ms */
static int64_t read_duration(struct loader *l, const struct json *at, int64_t absent)
{
	int64_t ms = absent;
	if (at && !duration_parse(json_text(at), &ms))
		problem(l, l->manifest_path, at, "not_a_duration", "a duration is a number and ms, s, m, h or d: 30s");
	return ms;
}

/* 409, "5xx" */
static bool read_status(const struct json *j, struct answer_rule *rule)
{
	struct str text = json_text(j);
	int64_t v;
	if (json_is(j, JSON_NUMBER) && json_int(j, &v) && v >= 100 && v <= 599) {
		rule->low = rule->high = (int)v;
		return true;
	}
	if (!json_is(j, JSON_STRING) || text.n != 3 || text.p[0] < '1' || text.p[0] > '5' || text.p[1] != 'x' ||
	    text.p[2] != 'x')
		return false;
	rule->low = (text.p[0] - '0') * 100;
	rule->high = rule->low + 99;
	return true;
}

static size_t count_rules(const struct json *rows)
{
	size_t n = 0;
	for (uint32_t i = 0; rows && i < rows->count; i++) {
		const struct json *status = json_get(&rows->items[i], "status");
		n += json_is(status, JSON_ARRAY) ? status->count : 1;
	}
	return n;
}

static void add_rules(struct loader *l, struct operation_plan *plan, const struct json *rows)
{
	for (uint32_t i = 0; rows && i < rows->count; i++) {
		const struct json *row = &rows->items[i], *status = json_get(row, "status");
		struct answer_rule rule = {.code = json_get_text(row, "code")};
		bool list = json_is(status, JSON_ARRAY),
		     ok = outcome_parse(json_get_text(row, "outcome"), &rule.outcome);
		for (uint32_t k = 0; k < (list ? status->count : 1); k++) {
			ok = ok && read_status(list ? &status->items[k] : status, &rule);
			plan->rules[plan->rule_count++] = rule;
		}
		if (!ok)
			problem(l, l->manifest_path, row, "not_a_status",
				"a status is a number from 100 to 599, or 1xx to 5xx");
	}
}

static void read_headers(struct loader *l, struct operation_plan *plan, const struct json *headers)
{
	size_t count = headers ? headers->count : 0;
	plan->headers = arena_array(&l->s->arena, struct pack_header, count);
	for (size_t i = 0; plan->headers && i < count; i++)
		plan->headers[plan->header_count++] =
		    (struct pack_header){headers->members[i].name, json_text(&headers->members[i].value)};
}

static void read_answer(struct loader *l, struct operation_plan *plan, const struct json *answer,
			const struct json *lookup)
{
	plan->external_id = json_get_text(answer, "external_id");
	plan->detail = json_get_text(answer, "detail");
	plan->code = json_get_text(answer, "code");
	plan->stale = json_get_text(answer, "stale");
	plan->answer_map = find_function(l, json_get(answer, "map"));
	if (!plan->detail.p)
		plan->detail = STR("/detail");
	if (!plan->code.p)
		plan->code = STR("/code");
	plan->lookup_path = json_get_text(lookup, "path");
	plan->found = json_get_text(lookup, "found");
	plan->lookup_list = json_get_text(lookup, "list");
	plan->lookup_id = json_get_text(lookup, "id");
	if (lookup && plan->found.p && plan->lookup_list.p)
		problem(l, l->manifest_path, lookup, "found_and_list", "a look-up has found or list, not both");
	if (lookup && !plan->found.p && !(plan->lookup_list.p && plan->lookup_id.p))
		problem(l, l->manifest_path, lookup, "nothing_to_find", "a look-up has found, or list and id");
	plan->lookup_external_id = json_get_text(lookup, "external_id");
	plan->absent = json_get(lookup, "absent");
}

static void read_operation(struct loader *l, enum operation op, const struct json *j)
{
	struct pack_operation *o = &l->s->pack.operations[op];
	struct operation_plan *plan = &l->s->plans[op];
	const struct json *map = json_get(j, "map"), *method = json_get(j, "method"), *lookup = json_get(j, "lookup");
	const struct json *batch = json_get(j, "batch"), *idempotent = json_get(j, "idempotent");
	struct str body = json_get_text(j, "body"), content_type = json_get_text(j, "content_type");
	int64_t batch_items = 1;
	*o = (struct pack_operation){.op = op, .present = true, .has_lookup = lookup != NULL};
	o->idempotent = idempotent && idempotent->boolean;
	o->timeout_ms = read_duration(l, json_get(j, "timeout"), 30000);
	o->confirm_after_ms = read_duration(l, json_get(j, "confirm_after"), 30000);
	if (batch && json_int(batch, &batch_items))
		o->batch_items = (uint32_t)batch_items;
	else
		o->batch_items = 1;
	const char *member, *detail;
	o->policy.priority = operation_priority(op);
	if (!operation_policy_read(j, &o->policy, &member, &detail))
		problem(l, l->manifest_path, json_get(j, member), "bad_policy", detail);
	if (o->policy.batch_count > 1 && !(o->idempotent && map))
		problem(
		    l, l->manifest_path, batch, "bad_policy",
		    "an operation that is batched has a mapping and is idempotent: the destination knows items again");
	if (map && body.n)
		problem(l, l->manifest_path, j, "map_and_body", "an operation has a mapping or a body, not both");
	plan->map = find_function(l, map);
	plan->body = str_is(body, "document") ? BODY_DOCUMENT : str_is(body, "params") ? BODY_PARAMS : BODY_NONE;
	if (map)
		plan->body = str_is(json_get_text(j, "result"), "request") ? BODY_REQUEST_MAP : BODY_MAP;
	struct str method_text = method ? json_text(method) : STR("POST");
	struct str method_copy = arena_copy(&l->s->arena, method_text);
	plan->method = method_copy.p ? method_copy.p : "POST";
	plan->path = json_get_text(j, "path");
	plan->content_type = content_type.p ? content_type : STR("application/json");
	read_headers(l, plan, json_get(j, "headers"));
	read_answer(l, plan, json_get(j, "answer"), lookup);
	const struct json *own = json_get(j, "answers"), *all = json_get(l->manifest, "answers");
	plan->rules = arena_array(&l->s->arena, struct answer_rule, count_rules(own) + count_rules(all));
	if (!plan->rules) {
		problem(l, l->manifest_path, j, "pack_too_large", "the pack is too large");
		return;
	}
	add_rules(l, plan, own);
	add_rules(l, plan, all);
}

static void read_endpoints(struct loader *l, const struct json *list)
{
	struct pack_state *s = l->s;
	size_t count = list ? list->count : 0;
	s->pack.endpoints = arena_array(&s->arena, struct pack_endpoint, count);
	s->endpoint_maps = arena_array(&s->arena, struct function, count);
	for (size_t i = 0; s->pack.endpoints && s->endpoint_maps && i < count; i++) {
		const struct json *j = &list->items[i];
		struct pack_endpoint endpoint = {.name = json_get_text(j, "endpoint"),
						 .type = json_get_text(j, "type"),
						 .decode = json_get_text(j, "decode")};
		if (!endpoint.decode.p)
			endpoint.decode = STR("json");
		struct str type = endpoint.type.p ? arena_copy(&s->arena, endpoint.type) : STR_NONE;
		if (type.p && !schema_find(s->pack.schemas, type.p, 1))
			problem(l, l->manifest_path, j, "unknown_type", "there is no canonical type of this name");
		if (pack_find_endpoint(&s->pack, endpoint.name))
			problem(l, l->manifest_path, j, "duplicate_endpoint", "another endpoint has this name");
		s->endpoint_maps[i] = find_function(l, json_get(j, "map"));
		s->pack.endpoints[s->pack.endpoint_count++] = endpoint;
	}
}

static void read_settings(struct loader *l, const struct json *settings)
{
	struct err e = ERR_NONE;
	struct buf text;
	if (!settings)
		return;
	buf_init(&text, PACK_FILE_MAX);
	json_write(&text, settings);
	l->s->settings_registry = schema_registry_new();
	if (schema_registry_add(l->s->settings_registry, "crossdock:settings", buf_str(&text), &e) != RC_OK ||
	    schema_registry_compile(l->s->settings_registry, &e) != RC_OK)
		problem_err(l, l->manifest_path, &e);
	else
		l->s->pack.settings = schema_find_uri(l->s->settings_registry, "crossdock:settings");
	buf_done(&text);
}

static bool validate_manifest(struct loader *l)
{
	const struct schema *schema = schema_find(l->s->pack.schemas, "connector", 1);
	struct findings found;
	findings_init(&found, l->f->arena);
	if (!schema) {
		problem(l, l->manifest_path, NULL, "no_schema", "schemas/connector/v1.json is missing");
		return false;
	}
	enum rc rc = schema_validate(schema, l->manifest, SCHEMA_STRICT, &found, NULL);
	for (size_t i = 0; i < found.count; i++) {
		struct json at = {.line = found.list[i].line};
		char detail[512];
		snprintf(detail, sizeof(detail), "%s: %s", found.list[i].pointer, found.list[i].detail);
		problem(l, l->manifest_path, &at, found.list[i].code, detail);
	}
	return rc == RC_OK;
}

static void read_manifest(struct loader *l)
{
	struct pack_state *s = l->s;
	struct str signature = json_get_text(l->manifest, "signature"), name = json_get_text(l->manifest, "connector");
	const struct json *operations = json_get(l->manifest, "operations");
	if (!str_eq(name, s->pack.name))
		problem(l, l->manifest_path, json_get(l->manifest, "connector"), "wrong_name",
			"the name is not the folder's");
	s->pack.signature = signature.p ? signature : STR("none");
	load_scripts(l);
	read_endpoints(l, json_get(l->manifest, "inbound"));
	for (uint32_t i = 0; operations && i < operations->count; i++) {
		enum operation op;
		if (operation_parse(operations->members[i].name, &op))
			read_operation(l, op, &operations->members[i].value);
	}
	read_settings(l, json_get(l->manifest, "settings"));
}

/* The manifest's and the scripts' names and bytes. */
static struct str make_version(struct loader *l, struct str manifest)
{
	struct pack_state *s = l->s;
	struct buf all;
	unsigned char digest[32];
	char *hex = arena_alloc(&s->arena, 2 * 16 + 1);
	struct str *names;
	buf_init(&all, PACK_BYTES_MAX);
	buf_printf(&all, "connector.yaml %zu\n", manifest.n);
	buf_add_str(&all, manifest);
	size_t count = pack_list_files(&s->arena, l->folder, ".lua", &names);
	for (size_t i = 0; i < count; i++) {
		struct str text = STR_NONE;
		char *path = arena_printf(&s->arena, "%s/%s", l->folder, names[i].p);
		if (!path || pack_read_file(&s->arena, path, PACK_FILE_MAX, &text, NULL) != RC_OK)
			continue;
		buf_printf(&all, "%s %zu\n", names[i].p, text.n);
		buf_add_str(&all, text);
	}
	if (!buf_ok(&all))
		problem(l, l->folder, NULL, "pack_too_large", "the pack is too large");
	hash_secret(buf_str(&all), digest);
	buf_done(&all);
	for (int i = 0; hex && i < 16; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
	return str_from(hex);
}

static struct str folder_name(struct arena *a, const char *folder)
{
	size_t n = strlen(folder);
	while (n > 1 && folder[n - 1] == '/')
		n--;
	size_t start = n;
	while (start && folder[start - 1] != '/')
		start--;
	return arena_copy(a, (struct str){folder + start, n - start});
}

enum rc pack_load(const char *folder, const struct schema_registry *schemas, struct pack **out, struct findings *f)
{
	struct pack_state *s = mem_zalloc(1, sizeof(*s));
	struct err e = ERR_NONE;
	struct str text;
	struct json *manifest = NULL;
	atomic_init(&s->references, 1);
	arena_init(&s->arena, PACK_BYTES_MAX);
	s->pack.implementation = s;
	s->pack.schemas = schemas;
	s->pack.name = folder_name(&s->arena, folder);
	struct loader l = {.s = s, .folder = folder, .f = f};
	l.manifest_path = arena_printf(&s->arena, "%s/connector.yaml", folder);
	*out = NULL;
	if (pack_read_file(&s->arena, l.manifest_path, PACK_FILE_MAX, &text, &e) != RC_OK ||
	    yaml_parse(&s->arena, text, NULL, &manifest, &e) != RC_OK)
		problem_err(&l, l.manifest_path, &e);
	l.manifest = manifest;
	if (!l.failed && validate_manifest(&l)) {
		read_manifest(&l);
		s->pack.version = make_version(&l, text);
	}
	if (l.failed) {
		pack_unref(&s->pack);
		return RC_INVALID;
	}
	*out = &s->pack;
	return RC_OK;
}

struct pack *pack_ref(struct pack *p)
{
	struct pack_state *s = p->implementation;
	atomic_fetch_add(&s->references, 1);
	return p;
}

void pack_unref(struct pack *p)
{
	struct pack_state *s = p ? p->implementation : NULL;
	if (!s || atomic_fetch_sub(&s->references, 1) != 1)
		return;
	for (size_t i = 0; i < s->script_count; i++)
		mapping_unref(s->scripts[i].map);
	schema_registry_free(s->settings_registry);
	arena_done(&s->arena);
	free(s);
}

const struct pack_endpoint *pack_find_endpoint(const struct pack *p, struct str name)
{
	for (size_t i = 0; i < p->endpoint_count; i++)
		if (str_eq(p->endpoints[i].name, name))
			return &p->endpoints[i];
	return NULL;
}
