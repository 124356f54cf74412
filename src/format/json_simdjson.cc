/*
 * JSON decoding with simdjson's on-demand front end.
 *
 * The text is copied between '[' and ']' into a padded buffer of this thread, so that every value, a lone scalar too,
 * is read in one way, and whatever stands behind the value shows as a second element or as tokens behind the last
 * bracket. simdjson's first stage checks UTF-8, closed strings and control characters in them; its iterators check
 * brackets, commas and colons, but only of what is visited, so everything is visited. raw_json_token() hands out
 * numbers and literals unchecked up to the next token: their grammar is checked here, as are depth, duplicates and the
 * end.
 *
 * Strings are unescaped straight into one block of the arena. All of them together are no longer than the text;
 * simdjson writes in strides, hence the slack behind it. Arrays and members gather on stacks of this thread and move to
 * the arena when their bracket closes.
 *
 * No exception leaves: simdjson is built without, and parse() is noexcept (out of memory ends the process).
 */
#define SIMDJSON_EXCEPTIONS         0
#define SIMDJSON_DEVELOPMENT_CHECKS 0

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* a struct and a function of one name are fine in C */
extern "C" {
#include "format/json.h"
#include "base/utf8.h"
}
#pragma GCC diagnostic pop

#include <cstdio>
#include <cstring>
#include <simdjson.h>
#include <vector>

namespace
{
namespace ondemand = simdjson::ondemand;

constexpr size_t slack = 128;         /* behind the text and behind the strings */
constexpr size_t keep = 1u << 20;     /* buffers of a thread over this are freed after use */
constexpr uint32_t depth_most = 1000; /* whatever the limits say: the C stack is finite */
constexpr size_t pairwise_members = 16;

struct decoder {
	ondemand::parser parser;
	std::vector<char> padded;
	std::vector<struct json> items;
	std::vector<struct json_member> members;
	std::vector<uint32_t> table;
};

thread_local decoder thread_decoder;

/* Where the walk is, for the JSON Pointer of an error. */
struct frame {
	const frame *up;
	struct str name; /* name.p is NULL: an array's item */
	size_t index;
};

struct walk {
	decoder &d;
	struct arena *arena;
	const struct json_limits &limits;
	struct err *e;
	uint8_t *strings;  /* the free part of the block */
	const char *token; /* the last one looked at */
	uint32_t nodes;
};

void pointer_write(const frame *at, struct buf *out)
{
	if (!at)
		return;
	pointer_write(at->up, out);
	buf_add_char(out, '/');
	if (!at->name.p) {
		buf_add_int(out, (int64_t)at->index);
		return;
	}
	for (size_t i = 0; i < at->name.n; i++) {
		char c = at->name.p[i];
		if (c == '~' || c == '/')
			buf_add_z(out, c == '~' ? "~0" : "~1");
		else
			buf_add_char(out, c);
	}
}

enum rc fail(walk &w, const frame *at, enum rc rc, const char *code, const char *text)
{
	struct buf where;
	buf_init(&where, sizeof(w.e->where) - 1);
	if (w.e)
		pointer_write(at, &where);
	ptrdiff_t offset = w.token - w.d.padded.data() - 1;
	err_set_at(w.e, rc, code, where.p ? where.p : "", "%s near byte %td", text, offset < 0 ? 0 : offset);
	buf_done(&where);
	return rc;
}

enum rc fail_simdjson(walk &w, const frame *at, simdjson::error_code error)
{
	const char *text = "brackets, commas, colons and names do not fit together";
	if (error == simdjson::UNCLOSED_STRING)
		text = "a string is not closed";
	else if (error == simdjson::UNESCAPED_CHARS)
		text = "a control character stands unescaped in a string";
	return fail(w, at, RC_INVALID, "invalid_json", text);
}

bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

enum rc read_scalar(walk &w, std::string_view token, ondemand::json_type type, struct json &out, const frame *at)
{
	while (!token.empty() && is_space(token.back()))
		token.remove_suffix(1);
	if (type == ondemand::json_type::number) {
		if (json_number_length({token.data(), token.size()}) != token.size())
			return fail(w, at, RC_INVALID, "invalid_number", "not a number");
		memcpy(w.strings, token.data(), token.size());
		out.type = JSON_NUMBER;
		out.text = (const char *)w.strings;
		out.count = (uint32_t)token.size();
		w.strings += token.size();
		return RC_OK;
	}
	if (type == ondemand::json_type::null) {
		out.type = JSON_NULL;
		return token == "null" ? RC_OK : fail(w, at, RC_INVALID, "invalid_json", "not a value");
	}
	out.type = JSON_BOOL;
	out.boolean = token == "true";
	return out.boolean || token == "false" ? RC_OK : fail(w, at, RC_INVALID, "invalid_json", "not a value");
}

enum rc read_string(walk &w, ondemand::raw_json_string raw, struct str &out, const frame *at)
{
	std::string_view text;
	simdjson::error_code error = w.d.parser.unescape(raw, w.strings).get(text);
	if (error)
		return fail(w, at, RC_INVALID, "invalid_json", "a string has an escape that is not one");
	out = {text.data(), text.size()};
	return RC_OK;
}

enum rc fail_duplicate(walk &w, const frame *up, const struct json_member &m)
{
	frame at = {up, m.name, 0};
	return fail(w, &at, RC_INVALID, "duplicate_member", "the object has this member twice; it ends");
}

enum rc check_duplicates(walk &w, const struct json_member *members, size_t count, const frame *at)
{
	if (count <= pairwise_members) {
		for (size_t i = 1; i < count; i++)
			for (size_t k = 0; k < i; k++)
				if (str_eq(members[i].name, members[k].name))
					return fail_duplicate(w, at, members[i]);
		return RC_OK;
	}
	size_t room = 64;
	while (room < count * 2)
		room *= 2;
	w.d.table.assign(room, 0);
	for (size_t i = 0; i < count; i++) {
		size_t slot = hash64(hash_process_key(), members[i].name) & (room - 1);
		for (; w.d.table[slot]; slot = (slot + 1) & (room - 1))
			if (str_eq(members[i].name, members[w.d.table[slot] - 1].name))
				return fail_duplicate(w, at, members[i]);
		w.d.table[slot] = (uint32_t)i + 1;
	}
	return RC_OK;
}

template <typename T> enum rc to_arena(walk &w, std::vector<T> &stack, size_t base, const T *&out, const frame *at)
{
	size_t n = stack.size() - base;
	T *p = (T *)arena_alloc(w.arena, n * sizeof(T));
	if (!p)
		return fail(w, at, RC_LIMIT, "json_too_large", "no room left");
	if (n)
		memcpy(p, stack.data() + base, n * sizeof(T));
	stack.resize(base);
	out = p;
	return RC_OK;
}

enum rc read_value(walk &w, ondemand::value &v, struct json &out, const frame *at, uint32_t depth);

enum rc read_array(walk &w, ondemand::value &v, struct json &out, const frame *up, uint32_t depth)
{
	ondemand::array array;
	simdjson::error_code error = v.get_array().get(array);
	if (error)
		return fail_simdjson(w, up, error);
	size_t base = w.d.items.size();
	frame at = {up, STR_NONE, 0};
	for (auto result : array) {
		ondemand::value item;
		struct json node = {};
		if ((error = std::move(result).get(item)))
			return fail_simdjson(w, &at, error);
		enum rc rc = read_value(w, item, node, &at, depth);
		if (rc != RC_OK)
			return rc;
		w.d.items.push_back(node);
		at.index++;
	}
	out.type = JSON_ARRAY;
	out.count = (uint32_t)(w.d.items.size() - base);
	return to_arena(w, w.d.items, base, out.items, up);
}

enum rc read_object(walk &w, ondemand::value &v, struct json &out, const frame *up, uint32_t depth)
{
	ondemand::object object;
	simdjson::error_code error = v.get_object().get(object);
	if (error)
		return fail_simdjson(w, up, error);
	size_t base = w.d.members.size();
	for (auto result : object) {
		ondemand::field field;
		struct json_member member = {};
		if ((error = std::move(result).get(field)))
			return fail_simdjson(w, up, error);
		enum rc rc = read_string(w, field.key(), member.name, up);
		if (rc != RC_OK)
			return rc;
		frame at = {up, member.name, 0};
		rc = read_value(w, field.value(), member.value, &at, depth);
		if (rc != RC_OK)
			return rc;
		w.d.members.push_back(member);
	}
	out.type = JSON_OBJECT;
	out.count = (uint32_t)(w.d.members.size() - base);
	enum rc rc = check_duplicates(w, w.d.members.data() + base, out.count, up);
	return rc != RC_OK ? rc : to_arena(w, w.d.members, base, out.members, up);
}

enum rc read_value(walk &w, ondemand::value &v, struct json &out, const frame *at, uint32_t depth)
{
	if (++w.nodes > w.limits.nodes)
		return fail(w, at, RC_LIMIT, "json_too_many_values", "too many values");
	std::string_view token = v.raw_json_token();
	w.token = token.data();
	ondemand::json_type type;
	if (v.type().get(type))
		return fail(w, at, RC_INVALID, "invalid_json", "not a value");
	switch (type) {
	case ondemand::json_type::array:
	case ondemand::json_type::object:
		if (depth >= w.limits.depth || depth >= depth_most)
			return fail(w, at, RC_LIMIT, "json_too_deep", "nested too deep");
		return type == ondemand::json_type::array ? read_array(w, v, out, at, depth + 1)
							  : read_object(w, v, out, at, depth + 1);
	case ondemand::json_type::string: {
		ondemand::raw_json_string raw;
		simdjson::error_code error = v.get_raw_json_string().get(raw);
		if (error)
			return fail_simdjson(w, at, error);
		struct str text;
		enum rc rc = read_string(w, raw, text, at);
		if (rc != RC_OK)
			return rc;
		out.type = JSON_STRING;
		out.text = text.p;
		out.count = (uint32_t)text.n;
		return RC_OK;
	}
	case ondemand::json_type::number:
	case ondemand::json_type::boolean:
	case ondemand::json_type::null:
		return read_scalar(w, token, type, out, at);
	}
	return fail(w, at, RC_INVALID, "invalid_json", "not a value");
}

/* The one value between our brackets. */
enum rc read_document(walk &w, size_t n, struct json &out)
{
	ondemand::document document;
	ondemand::array array;
	simdjson::error_code error = w.d.parser.iterate(w.d.padded.data(), n, w.d.padded.size()).get(document);
	if (!error)
		error = document.get_array().get(array);
	if (error == simdjson::UTF8_ERROR) {
		w.token = w.d.padded.data() + utf8_check({w.d.padded.data(), n});
		return fail(w, nullptr, RC_INVALID, "invalid_utf8", "not UTF-8");
	}
	if (error)
		return fail_simdjson(w, nullptr, error);
	size_t count = 0;
	for (auto result : array) {
		ondemand::value value;
		if ((error = std::move(result).get(value)))
			return fail_simdjson(w, nullptr, error);
		if (count++)
			return fail(w, nullptr, RC_INVALID, "invalid_json", "something stands behind the value");
		enum rc rc = read_value(w, value, out, nullptr, 0);
		if (rc != RC_OK)
			return rc;
	}
	if (!count)
		return fail(w, nullptr, RC_INVALID, "invalid_json", "there is no value");
	const char *behind;
	if (!document.current_location().get(behind)) {
		w.token = behind;
		return fail(w, nullptr, RC_INVALID, "invalid_json", "something stands behind the value");
	}
	return RC_OK;
}

void load(decoder &d, struct str text)
{
	size_t n = text.n + 2;
	if (d.padded.size() < n + slack)
		d.padded.resize(n + n / 2 + slack);
	if (d.parser.capacity() < n && d.parser.allocate(d.padded.size(), simdjson::DEFAULT_MAX_DEPTH))
		abort();
	char *p = d.padded.data();
	*p = '[';
	if (text.n)
		memcpy(p + 1, text.p, text.n);
	p[n - 1] = ']';
	memset(p + n, ' ', slack);
}

void unload(decoder &d)
{
	d.items.clear();
	d.members.clear();
	if (d.padded.size() > keep || d.items.capacity() * sizeof(struct json) > keep ||
	    d.members.capacity() * sizeof(struct json_member) > keep)
		d = decoder();
}

enum rc parse(struct arena *a, struct str text, const struct json_limits &limits, struct json **out,
	      struct err *e) noexcept
{
	decoder &d = thread_decoder;
	uint8_t *strings = (uint8_t *)arena_alloc(a, text.n + slack);
	struct json *root = arena_new(a, struct json);
	if (!strings || !root)
		return err_set(e, RC_LIMIT, "json_too_large", "no room left");
	load(d, text);
	walk w = {d, a, limits, e, strings, d.padded.data(), 0};
	enum rc rc = read_document(w, text.n + 2, *root);
	unload(d);
	if (rc == RC_OK)
		*out = root;
	return rc;
}
} // namespace

extern "C" enum rc json_parse(struct arena *a, struct str text, const struct json_limits *limits, struct json **out,
			      struct err *e)
{
	struct json_limits defaults;
	defaults.bytes = 1u << 20;
	defaults.depth = 64;
	defaults.nodes = 200000;
	if (!limits)
		limits = &defaults;
	if (text.n > limits->bytes || text.n > UINT32_MAX - 4 * slack)
		return err_set(e, RC_LIMIT, "json_too_large", "%zu bytes, at most %zu are taken", text.n,
			       limits->bytes);
	return parse(a, text, *limits, out, e);
}
