/*
 * Calling mappings.
 *
 * One Lua state a mediator; everything that can raise happens below one lua_pcall with `run` (or `setup`, `compile`,
 * `collect`): also pushing the argument and reading the result, since any push can run out of memory. Nothing that has
 * to be released is held above it but what the caller's arena and the Lua state own, so an error unwinds by itself.
 *
 * A mapping's text is compiled once a state. Its top level then runs for each call, in an environment that starts
 * empty: two tables, whose cost is below a microsecond. So a mapping is a pure function: nothing that one call leaves
 * in a variable is seen by another one, of another message or tenant. When the top level has run, the globals become
 * read-only.
 *
 * A result may contain parts of the argument (see value.c).
 */
#include "mediate/state.h"

#include "base/mem.h"

#include <assert.h>
#include <stdatomic.h>

#define MAPPING_BYTES_MAX (1u << 20)
#define MAPPINGS_KEPT     256 /* compiled ones a state keeps */

struct mapping {
	atomic_uint references;
	uint64_t id; /* never used again */
	char *name;  /* with '=' before it: how Lua is told that it is a name */
	char *text;
	size_t length;
};

struct call {
	struct mapping *map;
	const char *function;
	struct json *result;
};

/* ---- below lua_pcall ---- */

static int setup(lua_State *L)
{
	lua_newtable(L);
	lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_CACHE);
	value_open(L);
	library_open(L);
	lua_newtable(L); /* the metatable of an environment: missing globals are found in the library */
	lua_pushvalue(L, -2);
	lua_setfield(L, -2, "__index");
	lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_BASE);
	return 0;
}

static void load_text(lua_State *L, const struct mapping *map)
{
	if (luaL_loadbufferx(L, map->text, map->length, map->name, "t") != LUA_OK)
		lua_error(L);
}

static int compile(lua_State *L)
{
	load_text(L, lua_touserdata(L, 1));
	return 0;
}

static int collect(lua_State *L)
{
	lua_gc(L, LUA_GCCOLLECT);
	return 0;
}

static int global_written(lua_State *L)
{
	value_push_text(L, 2);
	return luaL_error(L, "globals are read-only: is a \"local\" missing for \"%s\"?", lua_tostring(L, -1));
}

/* The main function of the mapping, from the cache. */
static void push_main(lua_State *L, struct mediator *m, const struct mapping *map)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_CACHE);
	if (lua_rawgeti(L, -1, (lua_Integer)map->id) == LUA_TFUNCTION) {
		lua_remove(L, -2);
		return;
	}
	lua_pop(L, 1);
	if (m->cached >= MAPPINGS_KEPT) {
		m->cached = 0;
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_rawseti(L, LUA_REGISTRYINDEX, SLOT_CACHE);
	}
	load_text(L, map);
	lua_pushvalue(L, -1);
	lua_rawseti(L, -3, (lua_Integer)map->id);
	m->cached++;
	lua_remove(L, -2);
}

/* Runs the top level and leaves the function to call on the stack. All closures share the main function's _ENV. */
static void push_function(lua_State *L, struct mediator *m, const struct call *c)
{
	push_main(L, m, c->map);
	int main = lua_gettop(L);
	lua_newtable(L);
	int globals = main + 1;
	lua_rawgeti(L, LUA_REGISTRYINDEX, SLOT_BASE);
	lua_setmetatable(L, globals);
	lua_pushvalue(L, globals);
	lua_setupvalue(L, main, 1);
	lua_pushvalue(L, main);
	lua_call(L, 0, 0);

	lua_newtable(L);
	lua_createtable(L, 0, 2);
	lua_pushvalue(L, globals);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, global_written);
	lua_setfield(L, -2, "__newindex");
	lua_setmetatable(L, -2);
	lua_setupvalue(L, main, 1);

	lua_pushstring(L, c->function);
	if (lua_rawget(L, globals) != LUA_TFUNCTION)
		luaL_error(L, "%s has no function \"%s\"", c->map->name + 1, c->function);
}

static int find(lua_State *L)
{
	push_function(L, mediator_of(L), lua_touserdata(L, 1));
	return 0;
}

static int run(lua_State *L)
{
	struct call *c = lua_touserdata(L, 1);
	struct mediator *m = mediator_of(L);
	push_function(L, m, c);
	value_push(L, m->argument);
	if (m->context)
		value_push(L, m->context);
	lua_call(L, m->context ? 2 : 1, 1);
	sandbox_check(L);
	if (lua_isnil(L, -1))
		luaL_error(L, "%s: %s returned nothing", c->map->name + 1, c->function);
	struct json *result = value_take(L, sizeof(*result));
	*result = value_read(L, -1);
	c->result = result;
	return 0;
}

/* ---- above it ---- */

static enum rc limit_failed(const struct mediator *m, struct err *e)
{
	const struct mediator_limits *l = &m->limits;
	switch (m->trip) {
	case TRIP_MEMORY:
		return err_set(e, RC_LIMIT, "mapping_limit", "the mapping needs more than %zu bytes of memory",
			       l->memory);
	case TRIP_INSTRUCTIONS:
		return err_set(e, RC_LIMIT, "mapping_limit", "the mapping needs more than %llu instructions",
			       (unsigned long long)l->instructions);
	case TRIP_CPU:
		return err_set(e, RC_LIMIT, "mapping_limit", "the mapping needs more than %lld ms of CPU time",
			       (long long)l->cpu_ms);
	case TRIP_RESULT:
		return err_set(e, RC_LIMIT, "mapping_limit", "the mapping's result is larger than %zu bytes",
			       l->result);
	case TRIP_ARENA:
		return err_set(e, RC_LIMIT, "mapping_limit", "the mapping's result does not fit the message's memory");
	case TRIP_REFUSED:
		return err_set(e, RC_REJECT, "refused", "%s", m->refusal);
	case TRIP_NONE:
		break;
	}
	return RC_OK;
}

static enum rc failed(struct mediator *m, int status, const char *code, struct err *e)
{
	lua_State *L = m->lua;
	if (status == LUA_ERRMEM && m->trip == TRIP_NONE)
		m->trip = TRIP_MEMORY;
	if (m->trip != TRIP_NONE)
		return limit_failed(m, e);
	/* A string is read without allocating. */
	if (lua_type(L, -1) == LUA_TSTRING)
		return err_set_at(e, RC_INVALID, code, m->where, "%s", lua_tostring(L, -1));
	return err_set(e, RC_INVALID, code, "the mapping raised %s", kind_name_at(L, -1));
}

/* lua_pcall with one light argument; the stack is empty afterwards. */
static enum rc protect(struct mediator *m, lua_CFunction function, void *argument, const char *code, struct err *e)
{
	lua_State *L = m->lua;
	sandbox_begin(m);
	lua_pushcfunction(L, function);
	lua_pushlightuserdata(L, argument);
	int status = lua_pcall(L, 1, 0, 0);
	enum rc rc = status == LUA_OK ? RC_OK : failed(m, status, code, e);
	lua_settop(L, 0);
	sandbox_end(m);
	return rc;
}

struct mediator *mediator_new(const struct mediator_limits *limits)
{
	struct mediator *m = mem_zalloc(1, sizeof(*m));
	m->limits = limits ? *limits : MEDIATOR_LIMITS_DEFAULT;
	m->budget = INT64_MAX;
	m->cpu_end_ns = INT64_MAX;
	m->lua = lua_newstate(sandbox_alloc, m);
	if (!m->lua) {
		free(m);
		return NULL;
	}
	*(struct mediator **)lua_getextraspace(m->lua) = m;
	if (protect(m, setup, NULL, "mapping_failed", NULL) != RC_OK) {
		mediator_free(m);
		return NULL;
	}
	return m;
}

void mediator_free(struct mediator *m)
{
	if (!m)
		return;
	sandbox_end(m);
	lua_close(m->lua);
	assert(m->used == 0);
	free(m);
}

enum rc mapping_compile(const char *name, struct str text, struct mapping **out, struct err *e)
{
	static atomic_uint_fast64_t last_id;
	*out = NULL;
	if (text.n > MAPPING_BYTES_MAX)
		return err_set_at(e, RC_INVALID, "mapping_syntax", name, "the mapping is longer than %u bytes",
				  MAPPING_BYTES_MAX);
	struct mapping *map = mem_zalloc(1, sizeof(*map));
	size_t n = strlen(name);
	atomic_init(&map->references, 1);
	map->id = atomic_fetch_add(&last_id, 1) + 1;
	map->name = mem_alloc(n + 2);
	map->name[0] = '=';
	memcpy(map->name + 1, name, n + 1);
	map->text = mem_alloc(text.n);
	map->length = text.n;
	if (text.n)
		memcpy(map->text, text.p, text.n);

	struct mediator *m = mediator_new(NULL);
	enum rc rc = m ? protect(m, compile, map, "mapping_syntax", e)
		       : err_set(e, RC_LIMIT, "mapping_limit", "no state for a mapping could be made");
	mediator_free(m);
	if (rc != RC_OK) {
		mapping_unref(map);
		return rc;
	}
	*out = map;
	return RC_OK;
}

enum rc mapping_has(struct mapping *map, const char *function, struct err *e)
{
	struct mediator *m = mediator_new(NULL);
	struct call c = {.map = map, .function = function};
	if (!m)
		return err_set(e, RC_LIMIT, "mapping_limit", "no state for a mapping could be made");
	struct arena arena;
	arena_init(&arena, m->limits.result);
	m->arena = &arena;
	enum rc rc = protect(m, find, &c, "mapping_failed", e);
	mediator_free(m);
	arena_done(&arena);
	return rc;
}

struct mapping *mapping_ref(struct mapping *m)
{
	atomic_fetch_add(&m->references, 1);
	return m;
}

void mapping_unref(struct mapping *m)
{
	if (!m || atomic_fetch_sub(&m->references, 1) != 1)
		return;
	free(m->name);
	free(m->text);
	free(m);
}

enum rc mediator_call_with(struct mediator *m, struct mapping *map, const char *function, const struct json *argument,
			   const struct json *context, struct arena *arena, struct json **out, struct err *e)
{
	assert(!m->argument && argument);
	struct call c = {.map = map, .function = function};
	m->argument = argument;
	m->context = context;
	m->arena = arena;
	enum rc rc = protect(m, run, &c, "mapping_failed", e);
	m->argument = m->context = NULL;
	m->arena = NULL;
	if (m->used > m->limits.memory / 4)
		(void)!protect(m, collect, NULL, "mapping_failed", NULL);
	*out = rc == RC_OK ? c.result : NULL;
	return rc;
}

enum rc mediator_call(struct mediator *m, struct mapping *map, const char *function, const struct json *argument,
		      struct arena *arena, struct json **out, struct err *e)
{
	return mediator_call_with(m, map, function, argument, NULL, arena, out, e);
}
