/*
 * Drift: fields of a system's own that no schema knows are kept, not dropped and not guessed at.
 *
 * The document is validated; what it does not know comes back as pointers. Each field moves to the extensions of the
 * item that it is in, if it is directly in an item of a list (an order's line), else to the document's. An item whose
 * type has no extensions shows up as a new unknown field in the next round, and its extensions move on to the
 * document's. So two or three rounds end it; the trees between are new along the changed path only.
 */
#include "mediate/pack_state.h"
#include "model/texts.h"

#include <assert.h>
#include <stdlib.h>

#define ROUNDS_MAX 100

#define TOKENS_MAX 66

/* The parts of a JSON Pointer; false if it is not one or too deep. */
static bool split_pointer(struct arena *a, struct str pointer, struct str tokens[TOKENS_MAX], size_t *count)
{
	*count = 0;
	for (size_t i = 0; i < pointer.n;) {
		if (pointer.p[i] != '/' || *count == TOKENS_MAX)
			return false;
		size_t end = ++i;
		while (end < pointer.n && pointer.p[end] != '/')
			end++;
		char *out = arena_alloc(a, end - i + 1);
		if (!out)
			return false;
		size_t n = 0;
		for (; i < end; i++) {
			bool escape = pointer.p[i] == '~' && i + 1 < end;
			out[n++] = !escape ? pointer.p[i] : pointer.p[i + 1] == '1' ? '/' : '~';
			i += escape;
		}
		tokens[(*count)++] = (struct str){out, n};
	}
	return true;
}

static bool token_index(struct str token, uint32_t count, uint32_t *out)
{
	uint64_t v = 0;
	if (!token.n || token.n > 10)
		return false;
	for (size_t i = 0; i < token.n; i++) {
		if (token.p[i] < '0' || token.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(token.p[i] - '0');
	}
	*out = (uint32_t)v;
	return v < count;
}

static const struct json *child(const struct json *j, struct str token)
{
	uint32_t index;
	if (json_is(j, JSON_ARRAY))
		return token_index(token, j->count, &index) ? &j->items[index] : NULL;
	return json_get_str(j, token);
}

const struct json *pack_at(const struct json *j, struct str pointer)
{
	struct arena a;
	struct str tokens[TOKENS_MAX];
	size_t count;
	arena_init(&a, 4096);
	if (!split_pointer(&a, pointer, tokens, &count))
		j = NULL;
	for (size_t i = 0; j && pointer.n && i < count; i++)
		j = child(j, tokens[i]);
	arena_done(&a);
	return j;
}

/* A copy of an object or array with its own items; NULL past the arena's limit. extra: room for one more member. */
static struct json *copy_level(struct arena *a, const struct json *j, bool extra)
{
	struct json *out = arena_new(a, struct json);
	size_t size = j->type == JSON_ARRAY ? sizeof(struct json) : sizeof(struct json_member);
	void *items = arena_alloc(a, size * ((size_t)j->count + extra));
	if (!out || !items)
		return NULL;
	if (j->count)
		memcpy(items, j->type == JSON_ARRAY ? (const void *)j->items : (const void *)j->members,
		       size * j->count);
	*out = *j;
	if (j->type == JSON_ARRAY)
		out->items = items;
	else
		out->members = items;
	return out;
}

static struct json *slot_of(struct json *j, struct str token)
{
	return (struct json *)child(j, token); /* of a copy_level */
}

static struct json_member *find_member(const struct json *j, struct str name)
{
	for (uint32_t i = 0; i < j->count; i++)
		if (str_eq(j->members[i].name, name))
			return (struct json_member *)&j->members[i];
	return NULL;
}

/* root with the object at tokens[0..count) without the member `name`; *removed gets it. NULL: no such thing or no room.
 */
static struct json *remove_member(struct arena *a, const struct json *root, const struct str *tokens, size_t count,
				  struct str name, struct json *removed)
{
	struct json *out = json_is(root, JSON_OBJECT) || json_is(root, JSON_ARRAY) ? copy_level(a, root, false) : NULL;
	if (!out)
		return NULL;
	if (count) {
		struct json *slot = slot_of(out, tokens[0]);
		struct json *below = slot ? remove_member(a, slot, tokens + 1, count - 1, name, removed) : NULL;
		if (!below)
			return NULL;
		*slot = *below;
		return out;
	}
	struct json_member *member = out->type == JSON_OBJECT ? find_member(out, name) : NULL;
	if (!member)
		return NULL;
	*removed = member->value;
	size_t at = (size_t)(member - out->members);
	memmove(member, member + 1, sizeof(*member) * (out->count - at - 1));
	out->count--;
	return out;
}

/* An object with one more member, or NULL. The name is not in it. */
static struct json *add_member(struct arena *a, const struct json *object, struct str name, struct json value)
{
	struct json *out = copy_level(a, object, true);
	struct str own = arena_copy(a, name);
	if (!out || !own.p)
		return NULL;
	((struct json_member *)out->members)[out->count++] = (struct json_member){own, value};
	return out;
}

/* root with name: value in the extensions of the object at tokens[0..count). */
static struct json *extend(struct arena *a, const struct json *root, const struct str *tokens, size_t count,
			   struct str name, struct str pointer, struct json value)
{
	if (count) {
		struct json *out = copy_level(a, root, false);
		struct json *slot = out ? slot_of(out, tokens[0]) : NULL;
		struct json *below = slot ? extend(a, slot, tokens + 1, count - 1, name, pointer, value) : NULL;
		if (!below)
			return NULL;
		*slot = *below;
		return out;
	}
	const struct json *extensions = json_get(root, "extensions");
	if (!json_is(extensions, JSON_OBJECT)) {
		if (extensions)
			return NULL;
		struct json empty = {.type = JSON_OBJECT};
		struct json *only = add_member(a, &empty, name, value);
		return only ? add_member(a, root, STR("extensions"), *only) : NULL;
	}
	if (json_get_str(extensions, name))
		name = pointer;
	struct json *more = json_get_str(extensions, name) ? NULL : add_member(a, extensions, name, value);
	struct json *out = more ? copy_level(a, root, false) : NULL;
	if (out)
		*slot_of(out, STR("extensions")) = *more;
	return out;
}

/* The document with the field at the pointer moved; NULL if it cannot be. */
static const struct json *move_field(struct arena *a, const struct json *document, const char *at)
{
	struct str pointer = str_from(at), tokens[TOKENS_MAX], name;
	struct json value;
	size_t count;
	uint32_t index;
	if (!split_pointer(a, pointer, tokens, &count) || count == 0)
		return NULL;
	name = tokens[count - 1];
	const struct json *out = remove_member(a, document, tokens, count - 1, name, &value);
	if (!out)
		return NULL;
	bool in_item = count == 3 && token_index(tokens[1], UINT32_MAX, &index) && !str_is(name, "extensions");
	if (in_item)
		return extend(a, out, tokens, count - 1, name, pointer, value);
	return extend(a, out, tokens, 0, count == 1 ? name : pointer, pointer, value);
}

static bool is_ours(const char *pointer)
{
	static const char name[] = "/extensions";
	size_t n = strlen(pointer);
	return n >= sizeof(name) - 1 && strcmp(pointer + n - (sizeof(name) - 1), name) == 0;
}

enum rc drift_settle(const struct schema *schema, const struct json *document, struct arena *arena,
		     const struct json **out, struct findings *findings, struct findings *drift)
{
	struct findings *unknown = arena_new(arena, struct findings);
	if (!unknown)
		return RC_LIMIT;
	findings_init(findings, arena);
	findings_init(drift, arena);
	for (int round = 0; round < ROUNDS_MAX; round++) {
		findings_init(findings, arena);
		findings_init(unknown, arena);
		*out = document;
		enum rc rc = schema_validate(schema, document, SCHEMA_KEEP_UNKNOWN, findings, unknown);
		if (texts_check(document, findings) != RC_OK)
			return RC_INVALID;
		if (unknown->count == 0 || (rc != RC_OK && rc != RC_INVALID))
			return rc;
		for (size_t i = 0; i < unknown->count; i++) {
			const struct finding *f = &unknown->list[i];
			if (round == 0 || !is_ours(f->pointer))
				findings_add(drift, f->pointer, f->code, "%s", f->detail);
			const struct json *moved = move_field(arena, document, f->pointer);
			if (!moved) {
				findings_add(findings, f->pointer, "unknown_field",
					     "an unknown field could not be kept");
				return RC_INVALID;
			}
			document = moved;
		}
	}
	findings_add(findings, "", "too_many_fields", "the document has too many unknown fields");
	return RC_INVALID;
}
