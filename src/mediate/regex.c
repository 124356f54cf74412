/*
 * re.match, re.test, re.gsub, re.split: Perl patterns through PCRE2 (10.42), interpreted, UTF-8.
 *
 * A pattern comes from a script and its subject from outside, so matching is bounded as the script is: a callout before
 * every item of the pattern charges the bytes that were passed over since the last one (the match limit alone counts
 * neither long scans nor restarts, and the library has no clock), and ends the match when the budget or the CPU time is
 * used up. PCRE2's memory comes from the sandbox's allocator. Compiled patterns are kept for the state's life, the
 * table emptied when full; each owns the block its matches go into, so nothing has to be released when an error
 * unwinds.
 */
#include "mediate/state.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <assert.h>

#define PATTERN_BYTES_MAX 4096
#define PATTERNS_KEPT     64
#define SUBJECT_BYTES_MAX (1u << 20)
#define MATCH_LIMIT       1000000
#define DEPTH_LIMIT       10000
#define HEAP_LIMIT_KIB    4096

struct pattern {
	uint8_t kind;
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	struct mediator *m;
	size_t last; /* where the last callout stood */
	uint32_t captures;
};

/* PCRE2 frees without a size, so it stands in front. */
union block {
	size_t size;
	max_align_t align;
};

static void *block_alloc(size_t size, void *m)
{
	union block *b = sandbox_alloc(m, NULL, 0, size + sizeof(*b));
	if (!b)
		return NULL;
	b->size = size + sizeof(*b);
	return b + 1;
}

static void block_free(void *p, void *m)
{
	union block *b = p ? (union block *)p - 1 : NULL;
	if (b)
		sandbox_alloc(m, b, b->size, 0);
}

static int on_item(pcre2_callout_block *at, void *pattern)
{
	struct pattern *p = pattern;
	size_t from = p->last, to = at->current_position;
	p->last = to;
	return sandbox_spend(p->m, 1 + (to > from ? to - from : from - to) / 16) ? 0 : PCRE2_ERROR_CALLOUT;
}

static void pattern_clear(struct pattern *p)
{
	pcre2_match_data_free(p->data);
	pcre2_match_context_free(p->context);
	pcre2_code_free(p->code);
	p->data = NULL;
	p->context = NULL;
	p->code = NULL;
}

static int pattern_free(lua_State *L)
{
	pattern_clear(lua_touserdata(L, 1));
	return 0;
}

/* Fills p, which is a userdata already, so whatever is made here is freed with it. Returns PCRE2's error, 0 if none. */
static int pattern_make(struct pattern *p, struct str text, size_t *offset)
{
	int error = 0;
	pcre2_general_context *general = pcre2_general_context_create(block_alloc, block_free, p->m);
	pcre2_compile_context *compile = general ? pcre2_compile_context_create(general) : NULL;
	uint32_t options = PCRE2_UTF | PCRE2_AUTO_CALLOUT | PCRE2_NEVER_BACKSLASH_C;
	if (compile)
		p->code = pcre2_compile((PCRE2_SPTR)text.p, text.n, options, &error, offset, compile);
	if (p->code) {
		p->data = pcre2_match_data_create_from_pattern(p->code, general);
		p->context = pcre2_match_context_create(general);
		pcre2_pattern_info(p->code, PCRE2_INFO_CAPTURECOUNT, &p->captures);
	}
	pcre2_compile_context_free(compile);
	pcre2_general_context_free(general);
	if (!p->code || !p->data || !p->context)
		return p->code || !error ? PCRE2_ERROR_NOMEMORY : error;
	pcre2_set_match_limit(p->context, MATCH_LIMIT);
	pcre2_set_depth_limit(p->context, DEPTH_LIMIT);
	pcre2_set_heap_limit(p->context, HEAP_LIMIT_KIB);
	pcre2_set_callout(p->context, on_item, p);
	return 0;
}

static void make_room(lua_State *L, int cache)
{
	lua_Integer kept = 0;
	for (lua_pushnil(L); lua_next(L, cache); lua_pop(L, 1))
		kept++;
	if (kept < PATTERNS_KEPT)
		return;
	lua_newtable(L);
	lua_copy(L, -1, cache);
	lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_PATTERNS);
}

/* The compiled pattern of the text at the index; it stays on the stack. */
static struct pattern *pattern_check(lua_State *L, int at)
{
	struct str text;
	text.p = luaL_checklstring(L, at, &text.n);
	lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_PATTERNS);
	lua_pushvalue(L, at);
	if (lua_rawget(L, -2) == LUA_TUSERDATA) {
		lua_remove(L, -2);
		return lua_touserdata(L, -1);
	}
	lua_pop(L, 1);
	if (text.n > PATTERN_BYTES_MAX)
		luaL_error(L, "a pattern is longer than %d bytes", PATTERN_BYTES_MAX);
	sandbox_charge(L, 100 + text.n * 8);
	make_room(L, lua_gettop(L));
	struct pattern *p = lua_newuserdatauv(L, sizeof(*p), 0);
	*p = (struct pattern){.kind = KIND_PATTERN, .m = mediator_of(L)};
	lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_PATTERN);
	lua_setmetatable(L, -2);
	size_t offset = 0;
	int error = pattern_make(p, text, &offset);
	if (error == PCRE2_ERROR_NOMEMORY || error == PCRE2_ERROR_HEAP_FAILED) {
		/* What Lua does by itself when it is refused memory. */
		pattern_clear(p);
		lua_gc(L, LUA_GCCOLLECT);
		error = pattern_make(p, text, &offset);
	}
	if (error == PCRE2_ERROR_NOMEMORY || error == PCRE2_ERROR_HEAP_FAILED)
		sandbox_trip(L, TRIP_MEMORY);
	if (error) {
		PCRE2_UCHAR why[120];
		pcre2_get_error_message(error, why, sizeof(why));
		luaL_error(L, "the pattern is wrong at character %d: %s", (int)offset + 1, (const char *)why);
	}
	size_t size = 0;
	pcre2_pattern_info(p->code, PCRE2_INFO_SIZE, &size);
	sandbox_charge(L, size / 4);
	lua_pushvalue(L, at);
	lua_pushvalue(L, -2);
	lua_rawset(L, -4);
	lua_remove(L, -2);
	return p;
}

static struct str subject_check(lua_State *L, int at)
{
	struct str s;
	s.p = luaL_checklstring(L, at, &s.n);
	if (s.n > SUBJECT_BYTES_MAX)
		luaL_error(L, "text for a pattern is longer than %d bytes", (int)SUBJECT_BYTES_MAX);
	return s;
}

/* Matches from `start`; false if it does not. The first run of a call starts at 0 and checks that the subject is UTF-8.
 */
static bool pattern_run(lua_State *L, struct pattern *p, struct str subject, size_t start, uint32_t options)
{
	sandbox_charge(L, 4 + (start == 0 ? subject.n / 16 : 0));
	p->last = start;
	int n = pcre2_match(p->code, (PCRE2_SPTR)subject.p, subject.n, start,
			    options | (start ? PCRE2_NO_UTF_CHECK : 0), p->data, p->context);
	sandbox_check(L);
	if (n > 0)
		return true;
	if (n == PCRE2_ERROR_NOMATCH)
		return false;
	if (n == PCRE2_ERROR_MATCHLIMIT || n == PCRE2_ERROR_DEPTHLIMIT || n == PCRE2_ERROR_CALLOUT)
		sandbox_trip(L, TRIP_INSTRUCTIONS);
	if (n == PCRE2_ERROR_HEAPLIMIT || n == PCRE2_ERROR_NOMEMORY)
		sandbox_trip(L, TRIP_MEMORY);
	PCRE2_UCHAR why[120];
	pcre2_get_error_message(n, why, sizeof(why));
	luaL_error(L, "the pattern cannot be matched: %s", (const char *)why);
	return false;
}

static void push_group(lua_State *L, const struct pattern *p, struct str subject, uint32_t group)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(p->data);
	PCRE2_SIZE from = at[2 * group], to = at[2 * group + 1];
	if (group >= pcre2_get_ovector_count(p->data) || from == PCRE2_UNSET || to < from)
		lua_pushnil(L);
	else
		lua_pushlstring(L, subject.p + from, to - from);
}

/* re.match(text, pattern): nil, or the groups (the whole match if there are none). */
static int re_match(lua_State *L)
{
	struct str subject = subject_check(L, 1);
	struct pattern *p = pattern_check(L, 2);
	if (!pattern_run(L, p, subject, 0, 0)) {
		lua_pushnil(L);
		return 1;
	}
	luaL_checkstack(L, (int)p->captures + 4, "too many groups");
	for (uint32_t i = p->captures ? 1 : 0; i <= p->captures; i++)
		push_group(L, p, subject, i);
	return p->captures ? (int)p->captures : 1;
}

static int re_test(lua_State *L)
{
	struct str subject = subject_check(L, 1);
	lua_pushboolean(L, pattern_run(L, pattern_check(L, 2), subject, 0, 0));
	return 1;
}

/* The next match at or behind *at that is not empty where the last one ended; *from, *to: where it is. */
static bool next_match(lua_State *L, struct pattern *p, struct str s, size_t at, bool after_empty, size_t *from,
		       size_t *to)
{
	for (;;) {
		uint32_t options = after_empty ? PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED : 0;
		if (pattern_run(L, p, s, at, options)) {
			const PCRE2_SIZE *ovector = pcre2_get_ovector_pointer(p->data);
			*from = ovector[0];
			*to = ovector[1];
			if (*to < *from || *from < at) /* \K in a look-around */
				luaL_error(L, "the pattern matches backwards");
			return true;
		}
		if (!after_empty || at >= s.n)
			return false;
		for (at++; at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80; at++)
			;
		after_empty = false;
	}
}

static void add_replacement(lua_State *L, luaL_Buffer *b, const struct pattern *p, struct str subject, struct str by)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(p->data);
	for (size_t i = 0; i < by.n; i++) {
		if (by.p[i] != '$' || i + 1 == by.n) {
			luaL_addchar(b, by.p[i]);
			continue;
		}
		char c = by.p[++i];
		uint32_t group = (uint32_t)(c - '0');
		if (c == '$')
			luaL_addchar(b, '$');
		else if (c < '0' || c > '9' || group > p->captures)
			luaL_error(L, "the replacement names a group that the pattern does not have");
		else if (at[2 * group] != PCRE2_UNSET && at[2 * group + 1] >= at[2 * group])
			luaL_addlstring(b, subject.p + at[2 * group], at[2 * group + 1] - at[2 * group]);
	}
}

/* re.gsub(text, pattern, replacement): $1 to $9 are groups, $0 the match, $$ a dollar. */
static int re_gsub(lua_State *L)
{
	struct str subject = subject_check(L, 1), by;
	by.p = luaL_checklstring(L, 3, &by.n);
	struct pattern *p = pattern_check(L, 2);
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	size_t done = 0, from, to, count = 0;
	bool after_empty = false;
	while (next_match(L, p, subject, done, after_empty, &from, &to)) {
		luaL_addlstring(&b, subject.p + done, from - done);
		sandbox_charge(L, by.n / 16);
		add_replacement(L, &b, p, subject, by);
		done = to;
		after_empty = from == to;
		count++;
	}
	luaL_addlstring(&b, subject.p + done, subject.n - done);
	luaL_pushresult(&b);
	lua_pushinteger(L, (lua_Integer)count);
	return 2;
}

/* re.split(text, pattern): the parts between the matches that are not empty. */
static int re_split(lua_State *L)
{
	struct str subject = subject_check(L, 1);
	struct pattern *p = pattern_check(L, 2);
	lua_newtable(L);
	lua_Integer parts = 0;
	size_t start = 0, at = 0, from, to;
	bool after_empty = false;
	while (next_match(L, p, subject, at, after_empty, &from, &to)) {
		at = to;
		after_empty = from == to;
		if (from == to)
			continue;
		lua_pushlstring(L, subject.p + start, from - start);
		lua_rawseti(L, -2, ++parts);
		start = to;
	}
	lua_pushlstring(L, subject.p + start, subject.n - start);
	lua_rawseti(L, -2, ++parts);
	return 1;
}

void regex_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
	    {"match", re_match}, {"test", re_test}, {"gsub", re_gsub}, {"split", re_split}, {NULL, NULL},
	};
	lua_newtable(L);
	lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_PATTERNS);
	lua_newtable(L);
	lua_pushcfunction(L, pattern_free);
	lua_setfield(L, -2, "__gc");
	lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_PATTERN);
	library_push(L, functions);
	lua_setfield(L, -2, "re");
}
