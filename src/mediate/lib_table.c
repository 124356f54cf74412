/*
 * table.*: lists of plain tables. Every loop charges its turns, and nothing here looks at a metamethod.
 */
#include "mediate/state.h"

#define UNPACK_MAX 250

/* A table that a script made. */
static lua_Integer list_check(lua_State *L, int at)
{
	luaL_checktype(L, at, LUA_TTABLE);
	if (lua_getmetatable(L, at)) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_ARRAY);
		luaL_argcheck(L, lua_rawequal(L, -1, -2), at, "a library cannot be changed");
		lua_pop(L, 2);
	}
	return (lua_Integer)lua_rawlen(L, at);
}

/* table.insert(list, value) or table.insert(list, position, value) */
static int insert(lua_State *L)
{
	lua_Integer n = list_check(L, 1), at = n + 1;
	int arguments = lua_gettop(L);
	luaL_argcheck(L, arguments == 2 || arguments == 3, arguments, "table.insert takes two or three arguments");
	if (arguments == 3) {
		at = luaL_checkinteger(L, 2);
		luaL_argcheck(L, at >= 1 && at <= n + 1, 2, "the position is out of bounds");
	}
	sandbox_charge(L, 1 + (size_t)(n + 1 - at));
	for (lua_Integer i = n; i >= at; i--) {
		lua_rawgeti(L, 1, i);
		lua_rawseti(L, 1, i + 1);
	}
	lua_pushvalue(L, arguments);
	lua_rawseti(L, 1, at);
	return 0;
}

static int remove_item(lua_State *L)
{
	lua_Integer n = list_check(L, 1), at = luaL_optinteger(L, 2, n);
	if (n == 0) {
		lua_pushnil(L);
		return 1;
	}
	luaL_argcheck(L, at >= 1 && at <= n, 2, "the position is out of bounds");
	sandbox_charge(L, 1 + (size_t)(n - at));
	lua_rawgeti(L, 1, at);
	for (lua_Integer i = at; i < n; i++) {
		lua_rawgeti(L, 1, i + 1);
		lua_rawseti(L, 1, i);
	}
	lua_pushnil(L);
	lua_rawseti(L, 1, n);
	return 1;
}

/* table.concat(list [, separator]) */
static int concat(lua_State *L)
{
	lua_Integer n = list_check(L, 1);
	struct str separator;
	separator.p = luaL_optlstring(L, 2, "", &separator.n);
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	for (lua_Integer i = 1; i <= n; i++) {
		sandbox_charge(L, 1 + separator.n / 16);
		lua_rawgeti(L, 1, i);
		if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER && !number_at(L, -1))
			luaL_error(L, "item %I of the list is not text or a number but %s", (LUAI_UACINT)i,
				   kind_name_at(L, -1));
		value_push_text(L, -1);
		lua_remove(L, -2);
		luaL_addvalue(&b);
		if (i < n)
			luaL_addlstring(&b, separator.p, separator.n);
	}
	luaL_pushresult(&b);
	return 1;
}

static int unpack(lua_State *L)
{
	lua_Integer n = list_check(L, 1);
	luaL_argcheck(L, n <= UNPACK_MAX, 1, "the list is too long to unpack");
	luaL_checkstack(L, (int)n, "unpack");
	for (lua_Integer i = 1; i <= n; i++)
		lua_rawgeti(L, 1, i);
	return (int)n;
}

/* ---- sorting: a stable merge sort between two tables that only this file sees ---- */

struct sort {
	lua_State *L;
	int less; /* stack index of the function, or 0: keys or values that Lua can compare */
	bool keys;
};

static size_t text_length(lua_State *L, int at)
{
	return lua_type(L, at) == LUA_TSTRING ? (size_t)lua_rawlen(L, at) : 0;
}

/* Is the value on top less than the one below it? */
static bool top_is_less(struct sort *s)
{
	lua_State *L = s->L;
	size_t a = text_length(L, -1), b = text_length(L, -2);
	sandbox_charge(L, 2 + (a < b ? a : b) / 16);
	if (s->less) {
		lua_pushvalue(L, s->less);
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -4);
		lua_call(L, 2, 1);
		bool less = lua_toboolean(L, -1);
		lua_pop(L, 1);
		return less;
	}
	if (s->keys && lua_type(L, -1) != lua_type(L, -2))
		return lua_type(L, -1) == LUA_TNUMBER;
	return lua_compare(L, -1, -2, LUA_OPLT);
}

static void merge_runs(struct sort *s, int from, int to, lua_Integer low, lua_Integer middle, lua_Integer high)
{
	lua_State *L = s->L;
	lua_Integer a = low, b = middle;
	for (lua_Integer out = low; out < high; out++) {
		bool second = a >= middle;
		if (a < middle && b < high) {
			lua_rawgeti(L, from, a);
			lua_rawgeti(L, from, b);
			second = top_is_less(s);
			lua_pop(L, 2);
		}
		lua_rawgeti(L, from, second ? b++ : a++);
		lua_rawseti(L, to, out);
	}
}

/* Sorts n items of the table at the index; returns where the sorted table is (that one or the spare). */
static int merge_sort(struct sort *s, int items, int spare, lua_Integer n)
{
	for (lua_Integer width = 1; width < n; width *= 2) {
		for (lua_Integer low = 1; low <= n; low += 2 * width) {
			lua_Integer middle = low + width > n + 1 ? n + 1 : low + width;
			lua_Integer high = low + 2 * width > n + 1 ? n + 1 : low + 2 * width;
			sandbox_charge(s->L, (size_t)(high - low));
			merge_runs(s, items, spare, low, middle, high);
		}
		int swap = items;
		items = spare;
		spare = swap;
	}
	return items;
}

/* table.sort(list [, less]): stable. */
static int sort(lua_State *L)
{
	lua_Integer n = list_check(L, 1);
	struct sort s = {.L = L, .less = lua_isnoneornil(L, 2) ? 0 : 2};
	if (s.less)
		luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	lua_newtable(L);
	lua_newtable(L);
	sandbox_charge(L, 2 * (size_t)n);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, 1, i);
		lua_rawseti(L, 3, i);
	}
	int sorted = merge_sort(&s, 3, 4, n);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, sorted, i);
		lua_rawseti(L, 1, i);
	}
	return 0;
}

void table_push_keys(lua_State *L, int at)
{
	at = lua_absindex(L, at);
	lua_newtable(L);
	int keys = lua_gettop(L);
	lua_newtable(L);
	lua_Integer n = 0;
	for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
		sandbox_charge(L, 1);
		if (lua_type(L, -2) != LUA_TSTRING && !lua_isinteger(L, -2))
			luaL_error(L, "pairs needs keys that are text or integers, not %s", kind_name_at(L, -2));
		lua_pushvalue(L, -2);
		lua_rawseti(L, keys, ++n);
	}
	struct sort s = {.L = L, .keys = true};
	lua_pushvalue(L, merge_sort(&s, keys, keys + 1, n));
	lua_replace(L, keys);
	lua_settop(L, keys);
}

void table_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
	    {"insert", insert}, {"remove", remove_item}, {"concat", concat},
	    {"unpack", unpack}, {"sort", sort},          {NULL, NULL},
	};
	library_push(L, functions);
	lua_setfield(L, -2, "table");
}
