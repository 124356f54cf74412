/*
 * The globals of a mapping: the bounded part of Lua's own, and what mappings need.
 *
 * Not there, and why: load, dofile, require (other code), setmetatable, getmetatable, rawset (hidden code, changed
 * libraries), xpcall (its handler runs after a limit), coroutines, collectgarbage, next (order), os, io, math.random,
 * debug.
 */
#include "mediate/state.h"

#include <lualib.h>
#include <stdlib.h>

/* ---- control ---- */

/* Lua's pcall, but a tripped limit and refuse() go through. */
static int protected_call(lua_State *L)
{
	luaL_checkany(L, 1);
	struct mediator *m = mediator_of(L);
	lua_pushboolean(L, true);
	lua_insert(L, 1);
	int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
	if (status == LUA_ERRMEM && m->trip == TRIP_NONE)
		sandbox_trip(L, TRIP_MEMORY);
	sandbox_check(L);
	sandbox_charge(L, 10);
	if (status == LUA_OK)
		return lua_gettop(L);
	m->where[0] = '\0';
	lua_pushboolean(L, false);
	lua_insert(L, -2);
	return 2;
}

/* refuse(reason): the business says no. */
static int refuse(lua_State *L)
{
	struct mediator *m = mediator_of(L);
	size_t n;
	const char *reason = luaL_checklstring(L, 1, &n);
	if (n >= sizeof(m->refusal))
		n = sizeof(m->refusal) - 1;
	memcpy(m->refusal, reason, n);
	m->refusal[n] = '\0';
	return sandbox_trip(L, TRIP_REFUSED);
}

static int type_of(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_pushstring(L, kind_name_at(L, 1));
	return 1;
}

static int to_text(lua_State *L)
{
	luaL_checkany(L, 1);
	value_push_text(L, 1);
	return 1;
}

/* Digits, which may be more than a decimal has; pushed if they are a 64-bit integer. */
static bool push_integer(lua_State *L, struct str text)
{
	size_t i = text.n && text.p[0] == '-';
	bool digits = i < text.n;
	for (; i < text.n && digits; i++)
		digits = text.p[i] >= '0' && text.p[i] <= '9';
	if (!digits || !lua_stringtonumber(L, text.p))
		return false;
	if (lua_isinteger(L, -1))
		return true;
	lua_pop(L, 1);
	return false;
}

/* An integer or a decimal, never a binary float; nil if the text is not a number. */
static int to_number(lua_State *L)
{
	struct decimal d;
	struct str text = STR_NONE;
	if (lua_type(L, 1) == LUA_TSTRING) {
		text.p = lua_tolstring(L, 1, &text.n);
		sandbox_charge(L, text.n / 16);
		if (push_integer(L, text))
			return 1;
		if (decimal_read(text, &d))
			number_push(L, d);
		else
			lua_pushnil(L);
		return 1;
	}
	if (lua_isinteger(L, 1) || number_at(L, 1))
		lua_pushvalue(L, 1);
	else
		lua_pushnil(L);
	return 1;
}

/* ---- reading ---- */

/* Replaces the value at the index by its member named at `name`; false if there is none. */
static bool step_into(lua_State *L, int at, int name)
{
	const struct node *node = node_at(L, at);
	const struct json *next = NULL;
	sandbox_charge(L, 1 + (node ? node->json->count / 8 : 0));
	if (node && node->json->type == JSON_OBJECT && lua_type(L, name) == LUA_TSTRING) {
		struct str text;
		text.p = lua_tolstring(L, name, &text.n);
		next = json_get_str(node->json, text);
	} else if (node && node->json->type == JSON_ARRAY && lua_isinteger(L, name)) {
		lua_Integer i = lua_tointeger(L, name);
		next = i >= 1 && i <= (lua_Integer)node->json->count ? &node->json->items[i - 1] : NULL;
	}
	if (lua_type(L, at) == LUA_TTABLE) {
		lua_pushvalue(L, name);
		lua_rawget(L, at);
	} else if (next) {
		value_push(L, next);
	} else {
		return false;
	}
	lua_replace(L, at);
	return true;
}

/* opt(value, name, ...): nil where the path ends early or at null. */
static int opt(lua_State *L)
{
	luaL_checkany(L, 1);
	int names = lua_gettop(L);
	for (int i = 2; i <= names; i++) {
		if (!step_into(L, 1, i)) {
			lua_pushnil(L);
			return 1;
		}
	}
	lua_settop(L, 1);
	if (is_null_at(L, 1))
		lua_pushnil(L);
	return 1;
}

static int push_entry(lua_State *L, int holder, lua_Integer at)
{
	const struct node *node = node_at(L, holder);
	if (!node)
		return lua_rawgeti(L, holder, at);
	if (at > (lua_Integer)node->json->count) {
		lua_pushnil(L);
		return LUA_TNIL;
	}
	value_push(L, &node->json->items[at - 1]);
	return LUA_TTABLE;
}

/* Upvalues: the list, how many came. */
static lua_Integer next_position(lua_State *L)
{
	lua_Integer at = lua_tointeger(L, lua_upvalueindex(2)) + 1;
	lua_pushinteger(L, at);
	lua_replace(L, lua_upvalueindex(2));
	sandbox_charge(L, 1);
	return at;
}

static int each_next(lua_State *L)
{
	lua_Integer at = next_position(L);
	if (push_entry(L, lua_upvalueindex(1), at) == LUA_TNIL)
		return 1;
	lua_pushinteger(L, at);
	return 2;
}

static int ipairs_next(lua_State *L)
{
	lua_Integer at = next_position(L);
	lua_pushinteger(L, at);
	return push_entry(L, lua_upvalueindex(1), at) == LUA_TNIL ? 1 : 2;
}

static void check_list(lua_State *L, const char *who)
{
	const struct node *node = node_at(L, 1);
	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_newtable(L);
	} else if (lua_type(L, 1) != LUA_TTABLE && (!node || node->json->type != JSON_ARRAY)) {
		luaL_error(L, "%s needs a list, not %s", who, kind_name_at(L, 1));
	}
	lua_settop(L, 1);
}

/* for item, position in each(list); nothing for nil. */
static int each(lua_State *L)
{
	check_list(L, "each");
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, each_next, 2);
	return 1;
}

static int ipairs(lua_State *L)
{
	check_list(L, "ipairs");
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, ipairs_next, 2);
	lua_insert(L, 1);
	lua_settop(L, 1);
	return 1;
}

static int pairs_next_member(lua_State *L)
{
	const struct node *node = node_at(L, lua_upvalueindex(1));
	lua_Integer at = next_position(L);
	if (at > (lua_Integer)node->json->count) {
		lua_pushnil(L);
		return 1;
	}
	const struct json_member *member = &node->json->members[at - 1];
	lua_pushlstring(L, member->name.p, member->name.n);
	value_push(L, &member->value);
	return 2;
}

/* Upvalues: the sorted keys, how many came, the table. */
static int pairs_next_key(lua_State *L)
{
	lua_Integer at = next_position(L);
	if (lua_rawgeti(L, lua_upvalueindex(1), at) == LUA_TNIL)
		return 1;
	lua_pushvalue(L, -1);
	lua_rawget(L, lua_upvalueindex(3));
	return 2;
}

/* Members of a document in its order; keys of a table sorted. */
static int pairs(lua_State *L)
{
	const struct node *node = node_at(L, 1);
	if (node && node->json->type == JSON_ARRAY)
		return ipairs(L);
	if (node) {
		lua_settop(L, 1);
		lua_pushinteger(L, 0);
		lua_pushcclosure(L, pairs_next_member, 2);
		return 1;
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	table_push_keys(L, 1);
	lua_pushinteger(L, 0);
	lua_pushvalue(L, 1);
	lua_pushcclosure(L, pairs_next_key, 3);
	return 1;
}

/* ---- building ---- */

/* array{...}: a list, even if it is empty. */
static int array(lua_State *L)
{
	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_newtable(L);
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	if (lua_getmetatable(L, 1)) {
		lua_settop(L, 1);
		return 1;
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_ARRAY);
	lua_setmetatable(L, 1);
	return 1;
}

static void copy_value(lua_State *L, const struct json *j)
{
	luaL_checkstack(L, 6, "copy");
	if (j->type != JSON_ARRAY && j->type != JSON_OBJECT) {
		value_push(L, j);
		return;
	}
	sandbox_charge(L, j->count);
	if (j->type == JSON_ARRAY) {
		lua_createtable(L, j->count < INT32_MAX ? (int)j->count : 0, 0);
		lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_ARRAY);
		lua_setmetatable(L, -2);
		for (uint32_t i = 0; i < j->count; i++) {
			copy_value(L, &j->items[i]);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		return;
	}
	lua_createtable(L, 0, j->count < INT32_MAX ? (int)j->count : 0);
	for (uint32_t i = 0; i < j->count; i++) {
		lua_pushlstring(L, j->members[i].name.p, j->members[i].name.n);
		copy_value(L, &j->members[i].value);
		lua_rawset(L, -3);
	}
}

/* copy(document): as plain tables, to be changed. */
static int copy(lua_State *L)
{
	luaL_checkany(L, 1);
	copy_value(L, value_read_part(L, 1));
	return 1;
}

static const struct json *check_object(lua_State *L, int at)
{
	const struct json *j = value_read_part(L, at);
	if (j->type != JSON_OBJECT)
		luaL_argerror(L, at, "an object is expected");
	return j;
}

static int push_object(lua_State *L, struct json_member *members, size_t count)
{
	if (count > UINT32_MAX)
		return sandbox_trip(L, TRIP_RESULT);
	struct json *j = value_take(L, sizeof(*j));
	*j = (struct json){.type = JSON_OBJECT, .count = (uint32_t)count, .members = members};
	value_push(L, j);
	return 1;
}

/* merge(object, changes): the members of the first in their order, with the values of the second, then its new ones. */
static int merge(lua_State *L)
{
	const struct json *a = check_object(L, 1), *b = check_object(L, 2);
	sandbox_charge(L, (size_t)a->count * b->count / 4 + a->count + b->count);
	struct json_member *out = value_take(L, sizeof(*out) * ((size_t)a->count + b->count));
	size_t n = 0;
	for (uint32_t i = 0; i < a->count; i++) {
		const struct json *changed = json_get_str(b, a->members[i].name);
		out[n++] = (struct json_member){a->members[i].name, changed ? *changed : a->members[i].value};
	}
	for (uint32_t i = 0; i < b->count; i++)
		if (!json_get_str(a, b->members[i].name))
			out[n++] = b->members[i];
	return push_object(L, out, n);
}

/* without(object, name, ...) */
static int without(lua_State *L)
{
	const struct json *a = check_object(L, 1);
	int names = lua_gettop(L);
	for (int i = 2; i <= names; i++)
		luaL_checkstring(L, i);
	sandbox_charge(L, (size_t)a->count * (size_t)names);
	struct json_member *out = value_take(L, sizeof(*out) * (a->count));
	size_t n = 0;
	for (uint32_t i = 0; i < a->count; i++) {
		bool drop = false;
		for (int k = 2; k <= names && !drop; k++) {
			struct str name;
			name.p = lua_tolstring(L, k, &name.n);
			drop = str_eq(name, a->members[i].name);
		}
		if (!drop)
			out[n++] = a->members[i];
	}
	return push_object(L, out, n);
}

/* ---- the table of globals ---- */

static int read_only(lua_State *L)
{
	return luaL_error(L, "libraries are read-only");
}

void library_wrap(lua_State *L)
{
	lua_newtable(L);
	lua_newtable(L);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, read_only);
	lua_setfield(L, -2, "__newindex");
	lua_setmetatable(L, -2);
	lua_remove(L, -2);
}

void library_push(lua_State *L, const luaL_Reg *functions)
{
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
	library_wrap(L);
}

static void take_standard(lua_State *L, lua_CFunction open, const char *const *names)
{
	int to = lua_gettop(L);
	lua_pushcfunction(L, open);
	lua_call(L, 0, 1);
	for (size_t i = 0; names[i]; i++) {
		lua_getfield(L, -1, names[i]);
		lua_setfield(L, to, names[i]);
	}
	lua_settop(L, to);
}

void library_open(lua_State *L)
{
	static const char *const base[] = {"assert", "error", "select", NULL};
	static const char *const math[] = {"abs",  "ceil", "floor",      "max",        "min", "tointeger",
					   "type", "ult",  "maxinteger", "mininteger", NULL};
	static const luaL_Reg functions[] = {
	    {"pcall", protected_call}, {"refuse", refuse}, {"type", type_of}, {"tostring", to_text},
	    {"tonumber", to_number},   {"opt", opt},       {"each", each},    {"ipairs", ipairs},
	    {"pairs", pairs},          {"array", array},   {"copy", copy},    {"merge", merge},
	    {"without", without},      {NULL, NULL},
	};
	lua_newtable(L);
	take_standard(L, luaopen_base, base);
	luaL_setfuncs(L, functions, 0);
	lua_newtable(L);
	take_standard(L, luaopen_math, math);
	library_wrap(L);
	lua_setfield(L, -2, "math");
	string_open(L);
	table_open(L);
	regex_open(L);
	decimal_open(L);
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
	lua_newtable(L); /* what luaopen_base filled */
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}
