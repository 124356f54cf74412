/*
 * The registry: documents in, compiled nodes out.
 *
 * Each document is parsed into the registry's arena and indexed: every $id and anchor becomes a target under its
 * absolute URI. Compiling starts with the roots and works through the list of nodes; a reference asks for the node of
 * its target, which is made and put at the end of the list when it is new. So the compiler never recurses, references
 * may go in circles, and what no reference reaches below an unknown place is not compiled.
 *
 * A circle of keywords that apply to the same place in the document ($ref, allOf, if ...) would never end, and is
 * refused when all is compiled.
 */
#include "model/schema_node.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define REGISTRY_BYTES_MAX ((size_t)64 << 20)
#define REGISTRY_NODES_MAX ((size_t)1 << 20)
#define SCHEMA_FILE_MAX    ((size_t)1 << 20)

struct schema_registry *schema_registry_new(void)
{
	struct schema_registry *r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	arena_init(&r->arena, REGISTRY_BYTES_MAX);
	map_init(&r->targets, REGISTRY_NODES_MAX);
	map_init(&r->nodes, REGISTRY_NODES_MAX);
	map_init(&r->types, REGISTRY_NODES_MAX);
	return r;
}

void schema_registry_free(struct schema_registry *r)
{
	if (!r)
		return;
	for (struct schema_pattern *p = r->patterns; p; p = p->next)
		pcre2_code_free(p->code);
	map_done(&r->targets);
	map_done(&r->nodes);
	map_done(&r->types);
	arena_done(&r->arena);
	free(r);
}

static enum rc add_document(struct schema_registry *r, struct str uri, struct str file, struct str json, struct err *e)
{
	struct json_limits limits = JSON_LIMITS_DEFAULT;
	struct json *parsed;

	assert(!r->compiled);
	enum rc rc = json_parse(&r->arena, json, &limits, &parsed, e);
	if (rc != RC_OK)
		return rc;
	struct schema_document *d = arena_new(&r->arena, struct schema_document);
	if (!d)
		return err_set(e, RC_LIMIT, "schemas_too_large", "The schemas need more than %zu bytes.",
			       REGISTRY_BYTES_MAX);
	struct str id = json_get_text(parsed, "$id");
	d->given = arena_copy(&r->arena, uri);
	d->uri = uri_resolve(&r->arena, d->given, id);
	d->file = arena_copy(&r->arena, file.n ? file : d->uri);
	d->json = parsed;
	d->next = r->documents;
	r->documents = d;
	return schema_index(r, d, e);
}

enum rc schema_registry_add(struct schema_registry *r, const char *uri, struct str json, struct err *e)
{
	return add_document(r, str_from(uri), STR_NONE, json, e);
}

struct schema *schema_node(struct schema_registry *r, const struct json *source, struct schema_document *document,
			   struct str base, struct str pointer)
{
	struct schema *s = map_get(&r->nodes, (struct str){(const char *)&source, sizeof(source)});
	if (s)
		return s;
	s = arena_new(&r->arena, struct schema);
	if (!s)
		return NULL;
	s->source = source;
	s->document = document;
	s->base = base;
	s->pointer = pointer;
	if (map_put(&r->nodes, (struct str){(const char *)&s->source, sizeof(s->source)}, s) != RC_OK)
		return NULL;
	if (r->last)
		r->last->next = s;
	else
		r->first = s;
	r->last = s;
	return s;
}

/* The at-th schema that s applies to the same place in the document; NULL behind the last. */
static struct schema *in_place(const struct schema *s, uint32_t at)
{
	const struct logic_rules *l = s->logic;
	const struct schema *found = NULL;

	if (l) {
		const struct schema *single[] = {l->reference, l->not, l->condition, l->then, l->otherwise};
		const struct schema_list lists[] = {l->all, l->any, l->one};
		for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
			if (single[i] && at-- == 0)
				return (struct schema *)single[i];
		for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
			if (at < lists[i].count)
				return (struct schema *)lists[i].list[at];
			at -= lists[i].count;
		}
	}
	for (uint32_t i = 0; s->object && i < s->object->property_count && !found; i++)
		if (s->object->properties[i].dependent && at-- == 0)
			found = s->object->properties[i].dependent;
	return (struct schema *)found;
}

/* Depth first along in_place, with the way back in the nodes. */
static enum rc refuse_loops(struct schema *start, struct err *e)
{
	struct schema *s = start;

	if (s->visited)
		return RC_OK;
	s->visited = 1;
	while (s) {
		struct schema *next = in_place(s, s->visit_at++);
		if (!next) {
			s->visited = 2;
			s = s->visit_up;
		} else if (next->visited == 1) {
			return schema_error(next, NULL, e, "schema_reference_loop",
					    "This schema applies itself without end.");
		} else if (next->visited == 0) {
			next->visited = 1;
			next->visit_up = s;
			s = next;
		}
	}
	return RC_OK;
}

enum rc schema_registry_compile(struct schema_registry *r, struct err *e)
{
	enum rc rc = RC_OK;

	assert(!r->compiled);
	for (struct schema_document *d = r->documents; d; d = d->next) {
		d->root = schema_node(r, d->json, d, d->uri, STR_NONE);
		if (!d->root)
			return err_set(e, RC_LIMIT, "schemas_too_large", "The schemas need more than %zu bytes.",
				       REGISTRY_BYTES_MAX);
	}
	for (struct schema *s = r->first; rc == RC_OK && s; s = s->next)
		rc = schema_compile_node(r, s, e);
	for (struct schema *s = r->first; rc == RC_OK && s; s = s->next)
		rc = refuse_loops(s, e);
	r->compiled = rc == RC_OK;
	return rc;
}

static enum rc read_file(const char *path, struct buf *out, struct err *e)
{
	char chunk[4096];
	size_t n;
	FILE *f = fopen(path, "rb");

	if (!f)
		return err_set_at(e, RC_IO, "schema_unreadable", path, "%s", strerror(errno));
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	bool failed = ferror(f);
	fclose(f);
	if (failed)
		return err_set_at(e, RC_IO, "schema_unreadable", path, "%s", strerror(errno));
	if (!buf_ok(out))
		return err_set_at(e, RC_LIMIT, "schema_too_large", path, "The file is larger than %zu bytes.",
				  SCHEMA_FILE_MAX);
	return RC_OK;
}

/* "v12.json" -> 12; 0 for any other name. */
static int major_of(const char *name)
{
	char *end;
	if (name[0] != 'v' || name[1] < '1' || name[1] > '9')
		return 0;
	long major = strtol(name + 1, &end, 10);
	return strcmp(end, ".json") == 0 && major < 1000 ? (int)major : 0;
}

static enum rc load_file(struct schema_registry *r, const char *dir, const char *type, int major, struct err *e)
{
	char path[512], key[128];
	struct buf text;

	if (snprintf(path, sizeof(path), "%s/%s/v%d.json", dir, type, major) >= (int)sizeof(path) ||
	    snprintf(key, sizeof(key), "%s/%d", type, major) >= (int)sizeof(key))
		return err_set_at(e, RC_LIMIT, "schema_name_too_long", type, "The name of the schema is too long.");
	if (map_get(&r->types, str_from(key)))
		return err_set_at(e, RC_CONFLICT, "schema_exists", path,
				  "There is another schema of this type and version.");
	buf_init(&text, SCHEMA_FILE_MAX);
	enum rc rc = read_file(path, &text, e);
	struct err cause = ERR_NONE;
	if (rc == RC_OK) {
		rc = add_document(r, str_from(path), str_from(path), buf_str(&text), &cause);
		if (rc != RC_OK) {
			char where[sizeof(path) + sizeof(cause.where) + 1];
			snprintf(where, sizeof(where), "%s%s%s", path, cause.where[0] ? "#" : "", cause.where);
			err_set_at(e, rc, cause.code, where, "%s", cause.detail);
		}
	}
	if (rc == RC_OK) {
		struct schema_document *d = r->documents;
		struct str name = arena_copy(&r->arena, str_from(key));
		d->root = schema_node(r, d->json, d, d->uri, STR_NONE);
		if (!name.p || !d->root)
			rc = err_set(e, RC_LIMIT, "schemas_too_large", "The schemas need more than %zu bytes.",
				     REGISTRY_BYTES_MAX);
		else
			rc = map_put(&r->types, name, d->root);
	}
	buf_done(&text);
	return rc;
}

static enum rc load_type(struct schema_registry *r, const char *dir, const char *type, struct err *e)
{
	char path[512];
	enum rc rc = RC_OK;

	if (snprintf(path, sizeof(path), "%s/%s", dir, type) >= (int)sizeof(path))
		return err_set_at(e, RC_LIMIT, "schema_name_too_long", type, "The name of the schema is too long.");
	DIR *d = opendir(path);
	if (!d)
		return errno == ENOTDIR ? RC_OK
					: err_set_at(e, RC_IO, "schema_unreadable", path, "%s", strerror(errno));
	for (struct dirent *entry; rc == RC_OK && (entry = readdir(d));)
		if (major_of(entry->d_name))
			rc = load_file(r, dir, type, major_of(entry->d_name), e);
	closedir(d);
	return rc;
}

enum rc schema_registry_add_dir(struct schema_registry *r, const char *dir, struct err *e)
{
	enum rc rc = RC_OK;
	DIR *d = opendir(dir);

	if (!d)
		return err_set_at(e, RC_IO, "schema_unreadable", dir, "%s", strerror(errno));
	for (struct dirent *entry; rc == RC_OK && (entry = readdir(d));)
		if (entry->d_name[0] != '.')
			rc = load_type(r, dir, entry->d_name, e);
	closedir(d);
	return rc;
}

enum rc schema_registry_load(struct schema_registry *r, const char *dir, struct err *e)
{
	enum rc rc = schema_registry_add_dir(r, dir, e);
	return rc == RC_OK ? schema_registry_compile(r, e) : rc;
}

const struct schema *schema_find(const struct schema_registry *r, const char *type, int major)
{
	char key[128];
	assert(r->compiled);
	int n = snprintf(key, sizeof(key), "%s/%d", type, major);
	return n < (int)sizeof(key) ? map_get(&r->types, (struct str){key, (size_t)n}) : NULL;
}

const struct schema *schema_find_uri(const struct schema_registry *r, const char *uri)
{
	assert(r->compiled);
	const struct schema_target *t = map_get(&r->targets, str_from(uri));
	return t ? map_get(&r->nodes, (struct str){(const char *)&t->json, sizeof(t->json)}) : NULL;
}
