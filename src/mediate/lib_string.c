/*
 * string.*: the parts of Lua's own that are bounded, and our own where it is not. No Lua patterns: see regex.c.
 *
 * Texts are bytes here, as in Lua; utf8.len and utf8.char speak of characters.
 */
#include "mediate/state.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"

#include <lualib.h>

#define REP_BYTES_MAX     (4u << 20)
#define PERCENT_BYTES_MAX (64u << 10)

static struct str text_check(lua_State *L, int at)
{
	struct str s;
	s.p = luaL_checklstring(L, at, &s.n);
	return s;
}

/* string.rep(text, n [, separator]) */
static int rep(lua_State *L)
{
	struct str s = text_check(L, 1), separator;
	lua_Integer n = luaL_checkinteger(L, 2);
	separator.p = luaL_optlstring(L, 3, "", &separator.n);
	if (n <= 0 || s.n + separator.n == 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	if (n > REP_BYTES_MAX || (s.n + separator.n) > REP_BYTES_MAX / (size_t)n)
		return luaL_error(L, "string.rep makes at most %d bytes", (int)REP_BYTES_MAX);
	luaL_Buffer b;
	char *p = luaL_buffinitsize(L, &b, (size_t)n * (s.n + separator.n));
	sandbox_charge(L, (size_t)n);
	size_t out = 0;
	for (lua_Integer i = 0; i < n; i++) {
		memcpy(p + out, s.p, s.n);
		out += s.n;
		if (i + 1 < n)
			memcpy(p + out, separator.p, separator.n);
		out += i + 1 < n ? separator.n : 0;
	}
	luaL_pushresultsize(&b, out);
	return 1;
}

/* string.find(text, plain [, from]): first and last position, or nil. */
static int find(lua_State *L)
{
	struct str s = text_check(L, 1), wanted = text_check(L, 2);
	lua_Integer from = luaL_optinteger(L, 3, 1);
	sandbox_charge(L, (s.n + wanted.n) / 16);
	if (from < 1 || (size_t)from > s.n + 1) {
		lua_pushnil(L);
		return 1;
	}
	const char *p = memmem(s.p + from - 1, s.n - (size_t)from + 1, wanted.p, wanted.n);
	if (!p) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, p - s.p + 1);
	lua_pushinteger(L, p - s.p + (lua_Integer)wanted.n);
	return 2;
}

static int starts(lua_State *L)
{
	struct str s = text_check(L, 1), with = text_check(L, 2);
	lua_pushboolean(L, s.n >= with.n && memcmp(s.p, with.p, with.n) == 0);
	return 1;
}

static int ends(lua_State *L)
{
	struct str s = text_check(L, 1), with = text_check(L, 2);
	lua_pushboolean(L, s.n >= with.n && memcmp(s.p + s.n - with.n, with.p, with.n) == 0);
	return 1;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int trim(lua_State *L)
{
	struct str s = text_check(L, 1);
	sandbox_charge(L, s.n / 16);
	while (s.n && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	lua_pushlstring(L, s.p, s.n);
	return 1;
}

/* string.split(text, plain separator) */
static int split(lua_State *L)
{
	struct str s = text_check(L, 1), by = text_check(L, 2);
	luaL_argcheck(L, by.n > 0, 2, "the separator is empty");
	sandbox_charge(L, s.n / 16);
	lua_settop(L, 2);
	lua_newtable(L);
	lua_Integer parts = 0;
	for (const char *end = s.p + s.n;;) {
		const char *p = memmem(s.p, (size_t)(end - s.p), by.p, by.n);
		lua_pushlstring(L, s.p, (size_t)((p ? p : end) - s.p));
		lua_rawseti(L, 3, ++parts);
		sandbox_charge(L, 1);
		if (!p)
			return 1;
		s.p = p + by.n;
	}
}

/* Lua's, but %s takes decimals too, and what prints an address is refused. */
static int format(lua_State *L)
{
	struct str text = text_check(L, 1);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != '%')
			continue;
		size_t end = ++i;
		while (end < text.n && strchr("-+ #0123456789.", text.p[end]) && text.p[end])
			end++;
		if (end < text.n && text.p[end] == 'p')
			return luaL_error(L, "string.format does not know %%p");
		i = end;
	}
	for (int i = 2, n = lua_gettop(L); i <= n; i++) {
		sandbox_charge(L, 1 + (lua_type(L, i) == LUA_TSTRING ? lua_rawlen(L, i) / 16 : 0));
		if (lua_type(L, i) == LUA_TNUMBER)
			continue;
		value_push_text(L, i);
		lua_replace(L, i);
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

static int utf8_length(lua_State *L)
{
	struct str s = text_check(L, 1);
	sandbox_charge(L, s.n / 4);
	if (utf8_check(s) != s.n)
		return luaL_error(L, "the text is not UTF-8");
	lua_Integer n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	lua_pushinteger(L, n);
	return 1;
}

/* utf8.sub(text, first, last): characters, from 1; for fields with a maximum length. */
static int utf8_sub(lua_State *L)
{
	struct str s = text_check(L, 1);
	lua_Integer first = luaL_checkinteger(L, 2), last = luaL_optinteger(L, 3, LUA_MAXINTEGER), at = 0;
	sandbox_charge(L, s.n / 4);
	if (utf8_check(s) != s.n)
		return luaL_error(L, "the text is not UTF-8");
	luaL_argcheck(L, first >= 1, 2, "characters are counted from 1");
	size_t from = s.n, to = s.n;
	for (size_t i = 0; i < s.n; i++) {
		if (((unsigned char)s.p[i] & 0xc0) == 0x80)
			continue;
		at++;
		from = at == first ? i : from;
		if (at > last) {
			to = i;
			break;
		}
	}
	lua_pushlstring(L, s.p + from, to > from ? to - from : 0);
	return 1;
}

/* percent(text): percent-encoded for a query (RFC 3986, section 2.3). */
static int percent(lua_State *L)
{
	struct str s = text_check(L, 1);
	luaL_argcheck(L, s.n <= PERCENT_BYTES_MAX, 1, "the text is too long");
	sandbox_charge(L, s.n);
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	for (size_t i = 0; i < s.n; i++) {
		char out[3];
		luaL_addlstring(&b, out, percent_encode(s.p[i], out));
	}
	luaL_pushresult(&b);
	return 1;
}

/* instant(text): RFC 3339 with any offset -> UTC with milliseconds. */
static int instant(lua_State *L)
{
	struct str s = text_check(L, 1);
	int64_t ms;
	char text[TIME_TEXT];
	if (time_parse(s, &ms, NULL) != RC_OK)
		return luaL_error(L, "\"%s\" is not an instant", lua_pushlstring(L, s.p, s.n > 40 ? 40 : s.n));
	time_format(ms, text);
	lua_pushstring(L, text);
	return 1;
}

/* Methods of text; anything else is a missing field of something that is not an object. */
static int text_index(lua_State *L)
{
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	value_push_text(L, 2);
	return luaL_error(L, "cannot read \"%s\" of text", lua_tostring(L, -1));
}

static void copy_field(lua_State *L, int from, const char *name)
{
	lua_getfield(L, from, name);
	lua_setfield(L, -2, name);
}

void string_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
	    {"rep", rep},   {"find", find},   {"starts", starts},   {"ends", ends},
	    {"trim", trim}, {"split", split}, {"percent", percent}, {NULL, NULL},
	};
	static const char *const kept[] = {"sub", "upper", "lower", "len", "byte", "char", "reverse", NULL};
	static const luaL_Reg characters[] = {{"len", utf8_length}, {"sub", utf8_sub}, {NULL, NULL}};
	int globals = lua_gettop(L);
	lua_pushcfunction(L, luaopen_string);
	lua_call(L, 0, 1);
	int standard = lua_gettop(L);
	luaL_newlib(L, functions);
	for (size_t i = 0; kept[i]; i++)
		copy_field(L, standard, kept[i]);
	lua_getfield(L, standard, "format");
	lua_pushcclosure(L, format, 1);
	lua_setfield(L, -2, "format");

	lua_pushliteral(L, "");
	lua_newtable(L);
	lua_pushvalue(L, -3);
	lua_pushcclosure(L, text_index, 1);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);

	library_wrap(L);
	lua_setfield(L, globals, "string");
	lua_settop(L, globals);

	lua_pushcfunction(L, luaopen_utf8);
	lua_call(L, 0, 1);
	luaL_newlib(L, characters);
	copy_field(L, globals + 1, "char");
	library_wrap(L);
	lua_setfield(L, globals, "utf8");
	lua_settop(L, globals);
	lua_pushcfunction(L, instant);
	lua_setfield(L, -2, "instant");
}
