/*
 * Values: JSON as scripts see it, and their results as JSON.
 *
 * Objects and arrays of the argument are read-only views, made when they are touched, so that a mapping that passes
 * most of a document on costs next to nothing, numbers keep their text and members their order. A view returned is the
 * part itself; the result therefore shares with the argument. Plain tables become objects with their members sorted by
 * name (the order in a Lua table differs from run to run), so equal inputs give equal bytes.
 *
 * A missing member raises; its path is found by searching the argument for the parent, when it is needed.
 */
#include "mediate/state.h"

#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 64 /* as JSON_LIMITS_DEFAULT has it */

struct node *node_at(lua_State *L, int at)
{
	struct node *n = lua_type(L, at) == LUA_TUSERDATA ? lua_touserdata(L, at) : NULL;
	return n && n->kind == KIND_NODE ? n : NULL;
}

struct number *number_at(lua_State *L, int at)
{
	struct number *n = lua_type(L, at) == LUA_TUSERDATA ? lua_touserdata(L, at) : NULL;
	return n && n->kind == KIND_NUMBER ? n : NULL;
}

bool is_null_at(lua_State *L, int at)
{
	return lua_type(L, at) == LUA_TLIGHTUSERDATA && !lua_touserdata(L, at);
}

const char *kind_name_at(lua_State *L, int at)
{
	const struct node *n = node_at(L, at);
	if (n)
		return n->json->type == JSON_ARRAY ? "array" : "object";
	if (number_at(L, at))
		return "decimal";
	if (is_null_at(L, at))
		return "null";
	return luaL_typename(L, at);
}

/* ---- paths ---- */

struct path {
	char *p;
	size_t n, room;
	size_t visited; /* values looked at in a search */
};

static void path_add(struct path *path, struct str s, bool escape)
{
	for (size_t i = 0; i < s.n && path->n + 3 < path->room; i++) {
		if (escape && (s.p[i] == '~' || s.p[i] == '/')) {
			path->p[path->n++] = '~';
			path->p[path->n++] = s.p[i] == '~' ? '0' : '1';
		} else {
			path->p[path->n++] = s.p[i] ? s.p[i] : '?';
		}
	}
	path->p[path->n] = '\0';
}

static void path_add_index(struct path *path, size_t index)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "/%zu", index);
	path_add(path, (struct str){text, (size_t)n}, false);
}

static bool path_find(const struct json *in, const struct json *wanted, struct path *path)
{
	if (!in || in == wanted)
		return in == wanted;
	path->visited++;
	size_t start = path->n;
	for (uint32_t i = 0; (in->type == JSON_ARRAY || in->type == JSON_OBJECT) && i < in->count; i++) {
		if (in->type == JSON_ARRAY) {
			path_add_index(path, i);
		} else {
			path_add(path, STR("/"), false);
			path_add(path, in->members[i].name, true);
		}
		if (path_find(in->type == JSON_ARRAY ? &in->items[i] : &in->members[i].value, wanted, path))
			return true;
		path->n = start;
		path->p[start] = '\0';
	}
	return false;
}

int value_missing(lua_State *L, const struct json *parent, struct str name, size_t index)
{
	struct mediator *m = mediator_of(L);
	struct path path = {.p = m->where, .room = sizeof(m->where)};
	m->where[0] = '\0';
	if (!path_find(m->argument, parent, &path))
		path_find(m->context, parent, &path);
	if (name.p) {
		path_add(&path, STR("/"), false);
		path_add(&path, name, true);
	} else {
		path_add_index(&path, index);
	}
	sandbox_charge(L, path.visited);
	return luaL_error(L, "missing %s", m->where);
}

/* ---- views ---- */

static void node_push(lua_State *L, const struct json *j)
{
	struct node *n = lua_newuserdatauv(L, sizeof(*n), 0);
	*n = (struct node){.kind = KIND_NODE, .json = j};
	lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_NODE);
	lua_setmetatable(L, -2);
}

static void push_number(lua_State *L, const struct json *j)
{
	struct str text = json_text(j);
	bool integral = true;
	for (size_t i = 0; i < text.n; i++)
		integral = integral && text.p[i] != '.' && text.p[i] != 'e' && text.p[i] != 'E';
	int64_t v;
	if (integral && json_int(j, &v))
		lua_pushinteger(L, v);
	else
		number_push_text(L, text);
}

void value_push(lua_State *L, const struct json *j)
{
	switch ((enum json_type)j->type) {
	case JSON_NULL:
		lua_pushlightuserdata(L, NULL);
		return;
	case JSON_BOOL:
		lua_pushboolean(L, j->boolean);
		return;
	case JSON_NUMBER:
		push_number(L, j);
		return;
	case JSON_STRING:
		lua_pushlstring(L, j->count ? j->text : "", j->count);
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
		node_push(L, j);
		return;
	}
}

static int node_index(lua_State *L)
{
	const struct node *n = node_at(L, 1);
	if (!n)
		return luaL_error(L, "not a document");
	const struct json *j = n->json;
	if (j->type == JSON_OBJECT && lua_type(L, 2) == LUA_TSTRING) {
		struct str name;
		name.p = lua_tolstring(L, 2, &name.n);
		sandbox_charge(L, j->count / 8);
		const struct json *member = json_get_str(j, name);
		if (!member)
			return value_missing(L, j, name, 0);
		value_push(L, member);
		return 1;
	}
	if (j->type == JSON_ARRAY && lua_isinteger(L, 2)) {
		lua_Integer i = lua_tointeger(L, 2);
		if (i < 1 || i > (lua_Integer)j->count)
			return value_missing(L, j, STR_NONE, i < 1 ? 0 : (size_t)i - 1);
		value_push(L, &j->items[i - 1]);
		return 1;
	}
	value_push_text(L, 2);
	return luaL_error(L, "an %s has no member \"%s\"", kind_name_at(L, 1), lua_tostring(L, -1));
}

static int node_newindex(lua_State *L)
{
	return luaL_error(L, "documents are read-only: use merge(document, changes) or copy(document)");
}

static int node_len(lua_State *L)
{
	const struct node *n = node_at(L, 1);
	if (!n || n->json->type != JSON_ARRAY)
		return luaL_error(L, "only an array has a length");
	lua_pushinteger(L, n->json->count);
	return 1;
}

static int node_eq(lua_State *L)
{
	const struct node *a = node_at(L, 1), *b = node_at(L, 2);
	lua_pushboolean(L, a && b && a->json == b->json);
	return 1;
}

static int null_index(lua_State *L)
{
	value_push_text(L, 2);
	return luaL_error(L, "cannot read \"%s\" of null", lua_tostring(L, -1));
}

void value_push_text(lua_State *L, int at)
{
	const struct number *n = number_at(L, at);
	if (n) {
		lua_pushlstring(L, n->text, n->length);
	} else if (lua_type(L, at) == LUA_TSTRING) {
		lua_pushvalue(L, at);
	} else if (lua_type(L, at) == LUA_TNUMBER) {
		lua_pushvalue(L, at);
		lua_tolstring(L, -1, NULL);
	} else if (lua_type(L, at) == LUA_TBOOLEAN) {
		lua_pushstring(L, lua_toboolean(L, at) ? "true" : "false");
	} else {
		lua_pushstring(L, kind_name_at(L, at));
	}
}

void value_open(lua_State *L)
{
	static const luaL_Reg node_methods[] = {
	    {"__index", node_index},
	    {"__newindex", node_newindex},
	    {"__len", node_len},
	    {"__eq", node_eq},
	    {NULL, NULL},
	};
	luaL_newlib(L, node_methods);
	lua_pushliteral(L, "document");
	lua_setfield(L, -2, "__name");
	lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_NODE);
	lua_newtable(L);
	lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_ARRAY);
	lua_pushlightuserdata(L, NULL);
	lua_newtable(L);
	lua_pushcfunction(L, null_index);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}

/* ---- results ---- */

struct reader {
	lua_State *L;
	struct mediator *m;
	bool final; /* the call's result, not a step towards it */
	int depth;
	struct {
		struct str name;
		size_t index;
	} at[DEPTH_MAX + 1];
};

static void read_value(struct reader *r, int at, struct json *out);

static int read_failed(struct reader *r, const char *problem)
{
	struct path path = {.p = r->m->where, .room = sizeof(r->m->where)};
	r->m->where[0] = '\0';
	for (int i = 0; i < r->depth; i++) {
		if (!r->at[i].name.p) {
			path_add_index(&path, r->at[i].index);
			continue;
		}
		path_add(&path, STR("/"), false);
		path_add(&path, r->at[i].name, true);
	}
	return luaL_error(r->L, "the result's \"%s\" %s", r->m->where, problem);
}

void *value_take(lua_State *L, size_t size)
{
	struct mediator *m = mediator_of(L);
	sandbox_charge(L, 1 + size / 16);
	if (size > m->result_left)
		sandbox_trip(L, TRIP_RESULT);
	m->result_left -= size;
	void *p = arena_alloc(m->arena, size);
	if (!p)
		sandbox_trip(L, TRIP_ARENA);
	return p;
}

static struct str take_text(struct reader *r, struct str s)
{
	char *p = value_take(r->L, s.n + 1);
	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct str){p, s.n};
}

static void count_bytes(struct reader *r, size_t size)
{
	if (!r->final)
		return;
	if (size > r->m->result_left)
		sandbox_trip(r->L, TRIP_RESULT);
	r->m->result_left -= size;
}

/* A part of the argument, or of what merge built, at this depth: how deep it goes, and what it counts towards the
 * result. */
static void check_shared(struct reader *r, const struct json *j, int depth)
{
	sandbox_charge(r->L, 1);
	count_bytes(r, sizeof(*j) + (j->type == JSON_STRING || j->type == JSON_NUMBER ? j->count : 0));
	if (j->type != JSON_ARRAY && j->type != JSON_OBJECT)
		return;
	if (depth >= DEPTH_MAX)
		read_failed(r, "is nested too deep");
	for (uint32_t i = 0; i < j->count; i++) {
		if (j->type == JSON_OBJECT)
			count_bytes(r, j->members[i].name.n);
		check_shared(r, j->type == JSON_ARRAY ? &j->items[i] : &j->members[i].value, depth + 1);
	}
}

static void read_text(struct reader *r, int at, struct json *out)
{
	struct str s;
	s.p = lua_tolstring(r->L, at, &s.n);
	if (s.n > UINT32_MAX)
		sandbox_trip(r->L, TRIP_RESULT);
	if (utf8_check(s) != s.n)
		read_failed(r, "is text that is not UTF-8");
	s = take_text(r, s);
	*out = (struct json){.type = JSON_STRING, .count = (uint32_t)s.n, .text = s.p};
}

static void read_number(struct reader *r, int at, struct json *out)
{
	char text[24];
	struct str s = {text, 0};
	const struct number *n = number_at(r->L, at);
	if (n) {
		s = (struct str){n->text, n->length};
	} else if (lua_isinteger(r->L, at)) {
		s.n = (size_t)snprintf(text, sizeof(text), "%lld", (long long)lua_tointeger(r->L, at));
	} else {
		read_failed(r, "is a binary float, which is never exact: use integers, // and decimal()");
	}
	s = take_text(r, s);
	*out = (struct json){.type = JSON_NUMBER, .count = (uint32_t)s.n, .text = s.p};
}

static void read_array(struct reader *r, int at, size_t count, struct json *out)
{
	lua_State *L = r->L;
	struct json *items = value_take(r->L, count * sizeof(*items));
	for (size_t i = 0; i < count; i++) {
		r->at[r->depth - 1].name = STR_NONE;
		r->at[r->depth - 1].index = i;
		lua_rawgeti(L, at, (lua_Integer)i + 1);
		read_value(r, lua_gettop(L), &items[i]);
		lua_pop(L, 1);
	}
	*out = (struct json){.type = JSON_ARRAY, .count = (uint32_t)count, .items = items};
}

static int compare_members(const void *a, const void *b)
{
	const struct json_member *x = a, *y = b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int c = n ? memcmp(x->name.p, y->name.p, n) : 0;
	return c ? c : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

static void read_object(struct reader *r, int at, size_t count, struct json *out)
{
	lua_State *L = r->L;
	struct json_member *members = value_take(r->L, count * sizeof(*members));
	size_t n = 0;
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
		struct str name;
		name.p = lua_tolstring(L, -2, &name.n);
		if (utf8_check(name) != name.n)
			read_failed(r, "has a member whose name is not UTF-8");
		members[n++].name = take_text(r, name);
	}
	qsort(members, n, sizeof(*members), compare_members);
	for (size_t i = 0; i < n; i++) {
		r->at[r->depth - 1].name = members[i].name;
		lua_pushlstring(L, members[i].name.p, members[i].name.n);
		lua_rawget(L, at);
		read_value(r, lua_gettop(L), &members[i].value);
		lua_pop(L, 1);
	}
	*out = (struct json){.type = JSON_OBJECT, .count = (uint32_t)count, .members = members};
}

/* Integer keys 1 to n make an array, string keys an object; an empty table is an object unless array{} made it. */
static void read_table(struct reader *r, int at, struct json *out)
{
	lua_State *L = r->L;
	size_t integers = 0, strings = 0, others = 0;
	lua_Integer largest = 0;
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
		sandbox_charge(L, 1);
		if (lua_type(L, -2) == LUA_TSTRING) {
			strings++;
		} else if (lua_isinteger(L, -2) && lua_tointeger(L, -2) > 0) {
			integers++;
			largest = lua_tointeger(L, -2) > largest ? lua_tointeger(L, -2) : largest;
		} else {
			others++;
		}
	}
	bool array = integers > 0;
	if (lua_getmetatable(L, at)) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_ARRAY);
		if (!lua_rawequal(L, -1, -2))
			read_failed(r, "is a library or the globals");
		array = true;
		lua_pop(L, 2);
	}
	if (others || (array && strings))
		read_failed(r, "is a table that is neither a list (keys 1 to n) nor an object (text keys)");
	if (array && (size_t)largest != integers)
		read_failed(r, "is a list with holes (a nil in it)");
	if (integers > UINT32_MAX || strings > UINT32_MAX)
		sandbox_trip(L, TRIP_RESULT);
	if (r->depth >= DEPTH_MAX)
		read_failed(r, "is nested too deep, or contains itself");
	r->depth++;
	r->at[r->depth - 1].name = STR_NONE;
	if (array)
		read_array(r, at, integers, out);
	else
		read_object(r, at, strings, out);
	r->depth--;
}

static void read_value(struct reader *r, int at, struct json *out)
{
	lua_State *L = r->L;
	luaL_checkstack(L, 8, "result");
	const struct node *n = node_at(L, at);
	if (n) {
		check_shared(r, n->json, r->depth);
		*out = *n->json;
		return;
	}
	switch (lua_type(L, at)) {
	case LUA_TBOOLEAN:
		*out = (struct json){.type = JSON_BOOL, .boolean = lua_toboolean(L, at)};
		return;
	case LUA_TSTRING:
		read_text(r, at, out);
		return;
	case LUA_TTABLE:
		read_table(r, at, out);
		return;
	default:
		break;
	}
	if (is_null_at(L, at))
		*out = (struct json){.type = JSON_NULL};
	else if (lua_type(L, at) == LUA_TNUMBER || number_at(L, at))
		read_number(r, at, out);
	else
		read_failed(r, lua_pushfstring(L, "is a %s", kind_name_at(L, at)));
}

static struct json read_at(lua_State *L, int at, bool final)
{
	struct reader r = {.L = L, .m = mediator_of(L), .final = final};
	struct json out;
	read_value(&r, lua_absindex(L, at), &out);
	return out;
}

struct json value_read(lua_State *L, int at)
{
	return read_at(L, at, true);
}

const struct json *value_read_part(lua_State *L, int at)
{
	struct json *out = value_take(L, sizeof(*out));
	*out = read_at(L, at, false);
	return out;
}
