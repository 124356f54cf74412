/*
 * libyaml's events to a tree. Open collections are frames; their finished children wait on one stack, and move to the
 * arena when the collection ends.
 */
#include "format/yaml.h"

#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <yaml.h>

#define DEPTH_MOST 1000u /* whatever the limits say: users of the tree recurse */

struct frame {
	size_t base; /* where its children start on the stack */
	bool mapping, has_key;
	struct str key;
	uint32_t line;
};

struct reader {
	struct arena *arena;
	const struct json_limits *limits;
	struct err *e;
	struct frame *frames;
	size_t depth, frames_room;
	struct json_member *stack;
	size_t count, room;
	uint32_t nodes;
	struct json *root;
};

static enum rc fail(const struct reader *r, enum rc rc, const char *code, size_t line, const char *text)
{
	char where[32];
	snprintf(where, sizeof(where), "line %zu", line);
	return err_set_at(r->e, rc, code, where, "%s", text);
}

static enum rc fail_full(const struct reader *r, size_t line)
{
	return fail(r, RC_LIMIT, "json_too_large", line, "no room left");
}

static enum rc put_value(struct reader *r, const struct json *value)
{
	if (!r->depth) {
		r->root = arena_new(r->arena, struct json);
		if (!r->root)
			return fail_full(r, value->line);
		*r->root = *value;
		return RC_OK;
	}
	if (r->count == r->room) {
		r->room = r->room ? r->room * 2 : 64;
		r->stack = mem_grow(r->stack, r->room * sizeof(*r->stack));
	}
	struct frame *f = &r->frames[r->depth - 1];
	r->stack[r->count++] = (struct json_member){f->key, *value};
	f->key = STR_NONE;
	f->has_key = false;
	return RC_OK;
}

static enum rc count_node(struct reader *r, size_t line)
{
	if (++r->nodes > r->limits->nodes)
		return fail(r, RC_LIMIT, "json_too_many_values", line, "too many values");
	return RC_OK;
}

static bool awaits_key(const struct reader *r)
{
	return r->depth && r->frames[r->depth - 1].mapping && !r->frames[r->depth - 1].has_key;
}

static enum rc open_collection(struct reader *r, bool mapping, size_t line)
{
	if (awaits_key(r))
		return fail(r, RC_INVALID, "yaml_not_supported", line, "a key must be a scalar");
	if (r->depth >= r->limits->depth || r->depth >= DEPTH_MOST)
		return fail(r, RC_LIMIT, "json_too_deep", line, "nested too deep");
	if (r->depth == r->frames_room) {
		r->frames_room = r->frames_room ? r->frames_room * 2 : 16;
		r->frames = mem_grow(r->frames, r->frames_room * sizeof(*r->frames));
	}
	r->frames[r->depth++] = (struct frame){.base = r->count, .mapping = mapping, .line = (uint32_t)line};
	return count_node(r, line);
}

static enum rc check_duplicates(const struct reader *r, const struct json_member *members, size_t n)
{
	struct map seen;
	map_init(&seen, n);
	enum rc rc = RC_OK;
	for (size_t i = 0; i < n && rc == RC_OK; i++) {
		if (map_get(&seen, members[i].name))
			rc = fail(r, RC_INVALID, "duplicate_member", members[i].value.line,
				  "the mapping has this key twice");
		else
			rc = map_put(&seen, members[i].name, (void *)&members[i]);
	}
	map_done(&seen);
	return rc;
}

static enum rc close_collection(struct reader *r)
{
	assert(r->depth);
	const struct frame *f = &r->frames[--r->depth];
	size_t n = r->count - f->base;
	const struct json_member *children = n ? r->stack + f->base : NULL;
	struct json value = {.count = (uint32_t)n, .line = f->line};
	if (f->mapping) {
		enum rc rc = n ? check_duplicates(r, children, n) : RC_OK;
		if (rc != RC_OK)
			return rc;
		struct json_member *members = arena_array(r->arena, struct json_member, n);
		if (!members)
			return fail_full(r, f->line);
		if (n)
			memcpy(members, children, n * sizeof(*members));
		value.type = JSON_OBJECT;
		value.members = members;
	} else {
		struct json *items = arena_array(r->arena, struct json, n);
		if (!items)
			return fail_full(r, f->line);
		for (size_t i = 0; i < n; i++)
			items[i] = children[i].value;
		value.type = JSON_ARRAY;
		value.items = items;
	}
	r->count = f->base;
	return put_value(r, &value);
}

static void classify(struct json *value, struct str text, bool plain)
{
	value->type = JSON_STRING;
	if (!plain)
		return;
	if (!text.n || str_is(text, "null") || str_is(text, "~")) {
		value->type = JSON_NULL;
	} else if (str_is(text, "true") || str_is(text, "false")) {
		value->type = JSON_BOOL;
		value->boolean = str_is(text, "true");
	} else if (json_number_length(text) == text.n) {
		value->type = JSON_NUMBER;
	}
}

static enum rc read_scalar(struct reader *r, const yaml_event_t *event, size_t line)
{
	struct str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE, key = awaits_key(r);
	if (key && plain && str_is(text, "<<"))
		return fail(r, RC_INVALID, "yaml_not_supported", line, "merge keys are not supported");
	struct str copy = arena_copy(r->arena, text);
	if (!copy.p)
		return fail_full(r, line);
	if (key) {
		r->frames[r->depth - 1].key = copy;
		r->frames[r->depth - 1].has_key = true;
		return RC_OK;
	}
	struct json value = {.line = (uint32_t)line};
	classify(&value, text, plain);
	if (value.type == JSON_STRING || value.type == JSON_NUMBER) {
		value.text = copy.p;
		value.count = (uint32_t)copy.n;
	}
	enum rc rc = count_node(r, line);
	return rc == RC_OK ? put_value(r, &value) : rc;
}

static enum rc check_extras(const struct reader *r, const yaml_char_t *anchor, const yaml_char_t *tag, size_t line)
{
	if (anchor)
		return fail(r, RC_INVALID, "yaml_not_supported", line, "anchors are not supported");
	if (tag)
		return fail(r, RC_INVALID, "yaml_not_supported", line, "tags are not supported");
	return RC_OK;
}

static enum rc read_event(struct reader *r, const yaml_event_t *event)
{
	size_t line = event->start_mark.line + 1;
	enum rc rc;
	switch (event->type) {
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return RC_OK;
	case YAML_DOCUMENT_START_EVENT:
		return r->root ? fail(r, RC_INVALID, "yaml_not_supported", line, "only one document is supported")
			       : RC_OK;
	case YAML_ALIAS_EVENT:
		return fail(r, RC_INVALID, "yaml_not_supported", line, "aliases are not supported");
	case YAML_SCALAR_EVENT:
		rc = check_extras(r, event->data.scalar.anchor, event->data.scalar.tag, line);
		return rc == RC_OK ? read_scalar(r, event, line) : rc;
	case YAML_SEQUENCE_START_EVENT:
		rc = check_extras(r, event->data.sequence_start.anchor, event->data.sequence_start.tag, line);
		return rc == RC_OK ? open_collection(r, false, line) : rc;
	case YAML_MAPPING_START_EVENT:
		rc = check_extras(r, event->data.mapping_start.anchor, event->data.mapping_start.tag, line);
		return rc == RC_OK ? open_collection(r, true, line) : rc;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_collection(r);
	}
	return RC_OK;
}

static size_t line_of(const char *text, size_t n, size_t offset)
{
	size_t line = 1;
	for (size_t i = 0; i < n && i < offset; i++)
		line += text[i] == '\n';
	return line;
}

static enum rc fail_parser(const struct reader *r, const yaml_parser_t *parser, struct str text)
{
	if (parser->error == YAML_MEMORY_ERROR)
		abort();
	size_t line = parser->problem_mark.line + 1;
	if (parser->error == YAML_READER_ERROR)
		line = line_of(text.p, text.n, parser->problem_offset);
	return fail(r, RC_INVALID, "invalid_yaml", line, parser->problem ? parser->problem : "not YAML");
}

static enum rc read_stream(struct reader *r, struct str text)
{
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
	enum rc rc = RC_OK;
	for (bool end = false; !end && rc == RC_OK;) {
		yaml_event_t event;
		if (!yaml_parser_parse(&parser, &event)) {
			rc = fail_parser(r, &parser, text);
			break;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		rc = read_event(r, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return rc;
}

enum rc yaml_parse(struct arena *a, struct str text, const struct json_limits *limits, struct json **out, struct err *e)
{
	struct reader r = {.arena = a, .limits = limits ? limits : &JSON_LIMITS_DEFAULT, .e = e};
	if (text.n > r.limits->bytes || text.n > UINT32_MAX)
		return err_set(e, RC_LIMIT, "json_too_large", "%zu bytes, at most %zu are taken", text.n,
			       r.limits->bytes);
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = (struct str){text.p + 3, text.n - 3};
	enum rc rc = read_stream(&r, text);
	if (rc == RC_OK && !r.root)
		rc = fail(&r, RC_INVALID, "invalid_yaml", 1, "there is no document");
	if (rc == RC_OK)
		*out = r.root;
	free(r.frames);
	free(r.stack);
	return rc;
}
