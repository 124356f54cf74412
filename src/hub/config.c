/*
 * Loading: read crossdock.yaml, replace ${env:...}, validate by schemas/config/v1.json, then read the tree into structs
 * and load the packs it names. The tree is read even where the schema found something: readers pass over what has a
 * wrong type, so that one run reports everything. Secrets are put in last and only where they belong (urls, bearer,
 * webhook_secret, settings, store), so that no finding of the schema can quote one.
 */
#include "hub/config.h"

#include "base/mem.h"
#include "format/yaml.h"
#include "hub/config_load.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define CONFIG_FILE_MAX  ((size_t)8 << 20)
#define CONFIG_ARENA_MAX ((size_t)256 << 20)
#define PACKS_MAX        1000

static enum rc file_read(const char *path, struct buf *out)
{
	char chunk[8192];
	size_t n;
	FILE *f = fopen(path, "rbe");

	if (!f)
		return errno == ENOENT ? RC_NOT_FOUND : RC_IO;
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	bool failed = ferror(f) != 0;
	fclose(f);
	return failed ? RC_IO : buf_ok(out) ? RC_OK : RC_LIMIT;
}

static bool is_folder(const char *path)
{
	struct stat s;
	return path && stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

static bool same_folder(const char *a, const char *b)
{
	struct stat s, t;
	return stat(a, &s) == 0 && stat(b, &t) == 0 && s.st_dev == t.st_dev && s.st_ino == t.st_ino;
}

enum rc config_schemas(const char *folder, const char *share, struct schema_registry **out, struct err *e)
{
	char shipped[PATH_MAX], own[PATH_MAX];
	struct schema_registry *r = schema_registry_new();

	snprintf(shipped, sizeof(shipped), "%s/schemas", share);
	snprintf(own, sizeof(own), "%s/schemas", folder);
	enum rc rc = schema_registry_add_dir(r, shipped, e);
	if (rc == RC_OK && is_folder(own) && !same_folder(own, shipped))
		rc = schema_registry_add_dir(r, own, e);
	if (rc == RC_OK)
		rc = schema_registry_compile(r, e);
	if (rc != RC_OK) {
		schema_registry_free(r);
		return rc;
	}
	*out = r;
	return RC_OK;
}

static bool load_schemas(struct config_loader *l)
{
	struct err e = ERR_NONE;
	enum rc rc = config_schemas(l->config->folder.p, l->share, &l->config->schemas, &e);

	if (rc == RC_OK && schema_find(l->config->schemas, "config", 1))
		return true;
	if (rc == RC_OK)
		err_set_at(&e, RC_NOT_FOUND, "schema_unreadable", l->share, "schemas/config/v1.json is not there.");
	findings_add(l->findings, e.where[0] ? e.where : l->share, e.code, "%s", e.detail);
	return false;
}

struct pack *config_pack(struct config_loader *l, const struct json *at, const char *pointer, struct str connector)
{
	struct pack *p = map_get(&l->packs, connector);
	if (p)
		return p;

	const char *folder =
	    arena_printf(l->arena, STR_FMT "/connectors/" STR_FMT, STR_ARG(l->config->folder), STR_ARG(connector));
	if (!is_folder(folder))
		folder = arena_printf(l->arena, "%s/connectors/" STR_FMT, l->share, STR_ARG(connector));
	if (!is_folder(folder)) {
		config_finding(l, at, pointer, "unknown_connector", "There is no connector '" STR_FMT "'.",
			       STR_ARG(connector));
		return NULL;
	}
	size_t before = l->findings->count + l->findings->more;
	if (pack_load(folder, l->config->schemas, &p, l->findings) != RC_OK) {
		if (l->findings->count + l->findings->more == before)
			config_finding(l, at, pointer, "pack_invalid", "The pack in %s cannot be loaded.", folder);
		return NULL;
	}
	if (map_put(&l->packs, connector, p) != RC_OK) {
		config_finding(l, at, pointer, "too_many_packs", "There may be %d connectors at most.", PACKS_MAX);
		pack_unref(p);
		return NULL;
	}
	return p;
}

static void read_threads(struct config *c, const struct json *threads)
{
	config_read_u32(threads, "listeners", &c->listener_threads);
	config_read_u32(threads, "mediation", &c->mediation_threads);
	config_read_u32(threads, "writers", &c->writer_threads);
}

static void read_limits(struct config_limits *m, const struct json *limits)
{
	config_read_u32(limits, "body_bytes", &m->body_bytes);
	config_read_u32(limits, "header_bytes", &m->header_bytes);
	config_read_u32(limits, "json_depth", &m->json_depth);
	config_read_u32(limits, "connections", &m->connections);
	config_read_u32(limits, "connections_per_ip", &m->connections_per_ip);
	config_read_duration(limits, "request", &m->request_ms);
	config_read_duration(limits, "idle", &m->idle_ms);
	config_read_u32(limits, "queue", &m->queue);
	config_read_u32(limits, "batch", &m->batch);
	config_read_u32(limits, "requests_per_s", &m->requests_per_s);
	config_read_u32(limits, "stream_clients", &m->stream_clients);
	config_read_u32(limits, "items", &m->items);
	config_read_u32(limits, "open_orders", &m->open_orders);
	config_read_u32(limits, "holds", &m->holds);
	config_read_u32(limits, "subscriptions", &m->subscriptions);
}

static bool is_true(const struct json *j)
{
	return json_is(j, JSON_BOOL) && j->boolean;
}

static void read_webhooks(struct config_loader *l, const struct json *webhooks)
{
	struct config_webhooks *w = &l->config->webhooks;
	const struct json *private = json_get(webhooks, "allow_private");
	size_t n = json_is(private, JSON_ARRAY) ? private->count : 0;
	struct address_range *ranges = arena_array(l->arena, struct address_range, n);

	w->http = is_true(json_get(webhooks, "allow_http"));
	config_read_duration(webhooks, "disable_after", &w->disable_after_ms);
	config_read_u32(webhooks, "disable_attempts", &w->disable_attempts);
	w->addresses = (struct address_policy){.all_private = is_true(private), .ranges = ranges};
	for (size_t i = 0; i < n; i++) {
		const struct json *item = &private->items[i];
		if (!json_is(item, JSON_STRING))
			continue;
		if (address_range_parse(json_text(item), &ranges[w->addresses.range_count]))
			w->addresses.range_count++;
		else
			config_finding(l, item, "/webhooks/allow_private", "bad_range",
				       "A range is an address and the number of its bits, such as 10.1.0.0/16.");
	}
}

bool config_listen_ok(struct str listen)
{
	const char *colon = listen.n ? memrchr(listen.p, ':', listen.n) : NULL;
	if (!colon || colon == listen.p)
		return false;
	struct str host = {listen.p, (size_t)(colon - listen.p)};
	struct str port = {colon + 1, listen.n - host.n - 1};
	unsigned number = 0;
	for (size_t i = 0; i < port.n; i++) {
		if (port.p[i] < '0' || port.p[i] > '9' || i > 4)
			return false;
		number = number * 10 + (unsigned)(port.p[i] - '0');
	}
	bool bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	return port.n && number <= 65535 && (bracketed || !memchr(host.p, ':', host.n));
}

static void read_store(struct config_loader *l, const struct json *root)
{
	const struct json *value = config_resolve(l, json_get(root, "store"), "/store", REFERENCES_SECRET, NULL);
	if (!json_is(value, JSON_STRING))
		return;
	struct str text = arena_copy(l->arena, json_text(value));
	bool postgres = (text.n > 13 && memcmp(text.p, "postgresql://", 13) == 0) ||
			(text.n > 11 && memcmp(text.p, "postgres://", 11) == 0);
	if (!postgres && !str_is(text, "sqlite") && !config_has_reference(text))
		config_finding(l, value, "/store", "bad_store", "The store is 'sqlite' or a postgresql:// URL.");
	l->config->store = text;
}

static void read_root(struct config_loader *l, const struct json *root)
{
	struct config *c = l->config;
	const struct json *listen = json_get(root, "listen"), *tenants = json_get(root, "tenants");

	if (json_is(listen, JSON_STRING)) {
		c->listen = arena_copy(l->arena, json_text(listen));
		if (!config_listen_ok(c->listen) && !config_has_reference(c->listen))
			config_finding(l, listen, "/listen", "bad_address",
				       "An address is HOST:PORT, such as 127.0.0.1:8080.");
	}
	read_store(l, root);
	read_threads(c, json_get(root, "threads"));
	read_limits(&c->limits, json_get(root, "limits"));
	read_webhooks(l, json_get(root, "webhooks"));
	if (!json_is(tenants, JSON_OBJECT))
		return;
	c->tenants = arena_array(l->arena, struct config_tenant, tenants->count);
	c->tenant_count = c->tenants ? tenants->count : 0;
	for (size_t i = 0; i < c->tenant_count; i++)
		config_read_tenant(l, tenants->members[i].name, &tenants->members[i].value, &c->tenants[i]);
}

static void set_defaults(struct config *c)
{
	c->listen = STR("127.0.0.1:8080");
	c->store = STR("sqlite");
	c->listener_threads = 2;
	c->mediation_threads = 2;
	c->writer_threads = 1;
	c->limits = (struct config_limits){
	    .body_bytes = 1u << 20,
	    .header_bytes = 16u << 10,
	    .json_depth = 64,
	    .connections = 1024,
	    .connections_per_ip = 256,
	    .request_ms = 30000,
	    .idle_ms = 60000,
	    .queue = 10000,
	    .batch = 1000,
	    .requests_per_s = 0,
	    .stream_clients = 100,
	    .items = 5000000,
	    .open_orders = 1000000,
	    .holds = 1000000,
	    .subscriptions = 1000,
	};
	c->webhooks.disable_after_ms = (int64_t)5 * 86400 * 1000;
	c->webhooks.disable_attempts = 10;
}

static const struct json *parse(struct config_loader *l)
{
	struct json_limits limits = {.bytes = CONFIG_FILE_MAX, .depth = 64, .nodes = 1000000};
	struct json *root = NULL;
	struct err e = ERR_NONE;
	struct buf text;

	buf_init(&text, CONFIG_FILE_MAX);
	enum rc rc = file_read(l->file, &text);
	if (rc == RC_NOT_FOUND) {
		findings_add(l->findings, l->file, "config_missing",
			     "There is no such file; crossdock init DIR makes a folder.");
	} else if (rc != RC_OK) {
		findings_add(l->findings, l->file, "config_unreadable", "%s",
			     rc == RC_LIMIT ? "The file is too large." : strerror(errno));
	} else if (yaml_parse(l->arena, buf_str(&text), &limits, &root, &e) != RC_OK) {
		size_t before = l->findings->count;
		findings_add(l->findings, l->file, e.code, "%s", e.detail);
		if (l->findings->count > before && strncmp(e.where, "line ", 5) == 0)
			l->findings->list[before].line = (uint32_t)strtoul(e.where + 5, NULL, 10);
		root = NULL;
	}
	buf_done(&text);
	return root;
}

static void load(struct config_loader *l)
{
	const struct json *root = parse(l);
	struct findings schema_findings;

	if (!root || !load_schemas(l))
		return;
	root = config_resolve(l, root, "", REFERENCES_ENV, NULL);
	findings_init(&schema_findings, l->findings->arena);
	if (schema_validate(schema_find(l->config->schemas, "config", 1), root, SCHEMA_STRICT, &schema_findings,
			    NULL) != RC_OK)
		config_findings_append(l, root, "", &schema_findings, false);
	read_root(l, root);
}

enum rc config_load(const char *folder, const char *share, struct config **out, struct findings *f)
{
	struct config *c = mem_zalloc(1, sizeof(*c));
	size_t before = f->count + f->more;
	struct config_loader l = {.config = c, .findings = f, .share = share};

	c->references = 1;
	c->arena = mem_zalloc(1, sizeof(*c->arena));
	arena_init(c->arena, CONFIG_ARENA_MAX);
	l.arena = c->arena;
	map_init(&l.packs, PACKS_MAX);
	c->folder = arena_copy(c->arena, str_from(folder));
	l.file = strcmp(folder, ".") == 0 ? "crossdock.yaml" : arena_printf(c->arena, "%s/crossdock.yaml", folder);
	set_defaults(c);
	load(&l);

	config_secrets_close(l.secrets);
	struct pack *p;
	for (size_t at = 0; (p = map_next(&l.packs, &at, NULL));)
		pack_unref(p);
	map_done(&l.packs);
	if (f->count + f->more > before) {
		config_unref(c);
		return RC_INVALID;
	}
	*out = c;
	return RC_OK;
}

struct config *config_ref(struct config *c)
{
	__atomic_add_fetch(&c->references, 1, __ATOMIC_RELAXED);
	return c;
}

void config_unref(struct config *c)
{
	if (!c || __atomic_sub_fetch(&c->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < c->tenant_count; i++)
		for (size_t k = 0; k < c->tenants[i].system_count; k++)
			pack_unref(c->tenants[i].systems[k].pack);
	schema_registry_free(c->schemas);
	arena_done(c->arena);
	free(c->arena);
	free(c);
}

const struct config_tenant *config_find_tenant(const struct config *c, struct str name)
{
	for (size_t i = 0; i < c->tenant_count; i++)
		if (str_eq(c->tenants[i].name, name))
			return &c->tenants[i];
	return NULL;
}

const struct config_system *config_find_system(const struct config_tenant *t, struct str name)
{
	for (size_t i = 0; i < t->system_count; i++)
		if (str_eq(t->systems[i].name, name))
			return &t->systems[i];
	return NULL;
}

const struct config_channel *config_find_channel(const struct config_tenant *t, struct str name)
{
	for (size_t i = 0; i < t->channel_count; i++)
		if (str_eq(t->channels[i].name, name))
			return &t->channels[i];
	return NULL;
}
