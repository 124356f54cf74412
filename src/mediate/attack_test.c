/*
 * What hostile mappings try. Each attack runs twice: in the sandbox one would write first (an allocator limit and a
 * count hook that raises, with Lua's own libraries), where it must still be running when its CPU time is over, and in
 * ours, where it must end by itself. Controls show that the first sandbox stops what it is meant to stop. Every run is
 * a process of its own.
 */
#include "mediate/mediator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <lua5.4/lauxlib.h>
#include <lua5.4/lualib.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAIVE_MEMORY       (32u << 20)
#define NAIVE_INSTRUCTIONS 1000000
#define NAIVE_CPU_MS       300
#define OURS_CPU_MS        20000 /* far above the limit that has to end it */

/* How our sandbox ends it. */
enum end {
	LIMITED,  /* by a limit */
	ABSENT,   /* what it needs is not there, or refuses */
	HARMLESS, /* it runs, and is soon done */
};

struct attack {
	const char *name;
	const char *script; /* defines f */
	bool naive_stops;   /* a control */
	enum end ours;
};

static const struct attack attacks[] = {
    {"loop around pcall", "function f() while true do pcall(function() while true do end end) end end", false, LIMITED},
    {"xpcall handler",
     "function f() local function spin() while true do end end\n"
     "while true do xpcall(spin, function() xpcall(spin, spin) end) end end",
     false, ABSENT},
    {"__gc",
     "function f() for i = 1, 10 do setmetatable({}, {__gc = function() while true do pcall(function() while true do "
     "end end) end end}) end\n"
     "collectgarbage() return {} end",
     false, ABSENT},
    {"string.rep of nothing", "function f() return {string.rep('', 1 << 60)} end", false, HARMLESS},
    {"table.move", "function f() table.move({}, 1, 1 << 60, 2) return {} end", false, ABSENT},
    {"table.insert with __len",
     "function f() local t = setmetatable({}, {__len = function() return 1 << 60 end}) table.insert(t, 1, 0) return {} "
     "end",
     false, ABSENT},
    {"pattern",
     "function f() return {string.find(string.rep('a', 60), string.rep('a?', 60) .. string.rep('a', 61))} end", false,
     HARMLESS},
    {"pattern through re",
     "function f() if re then re.test(('a'):rep(60) .. 'b', '^(a+)+$') return {} end\n"
     "string.find(string.rep('a', 500), string.rep('a-', 30) .. 'b') end",
     false, LIMITED},
    {"instructions on large text",
     "function f() local s, n = string.rep('x', 4 << 20), 0\nwhile true do local t = s .. n n = n + 1 end end", false,
     LIMITED},
    {"coroutines",
     "function f() while true do coroutine.resume(coroutine.create(function() while true do end end)) end end", false,
     ABSENT},

    {"comparing large texts",
     "function f() local a, b, n = string.rep('x', 4 << 20) .. 'a', string.rep('x', 4 << 20) .. 'b', 0\n"
     "while true do if a < b then n = n + 1 end end end",
     false, LIMITED},
    {"sorting large texts",
     "function f() local a, b, t = string.rep('x', 4 << 20) .. 'a', string.rep('x', 4 << 20) .. 'b', {}\n"
     "for i = 1, 20000 do t[i] = i % 2 == 0 and a or b end table.sort(t) return {} end",
     false, LIMITED},
    {"pcall in pcall", "function f() pcall(f) pcall(f) end", false, LIMITED},

    {"a plain loop", "function f() while true do end end", true, LIMITED},
    {"a table that grows", "function f() local t = {} while true do t[#t + 1] = {} end end", true, LIMITED},
    {"a text that doubles", "function f() local s = 'x' while true do s = s .. s end end", true, LIMITED},
    {"string.rep", "function f() return {string.rep('x', 1 << 40)} end", true, ABSENT},
    {"endless recursion", "function f() return 1 + f() end", true, LIMITED},
};

/* ---- the sandbox one would write first ---- */

struct naive {
	size_t used;
};

static void *naive_alloc(void *ud, void *p, size_t old_size, size_t new_size)
{
	struct naive *n = ud;
	old_size = p ? old_size : 0;
	if (new_size > old_size && n->used + (new_size - old_size) > NAIVE_MEMORY)
		return NULL;
	n->used = n->used - old_size + new_size;
	if (new_size)
		return realloc(p, new_size);
	free(p);
	return NULL;
}

static void naive_hook(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	luaL_error(L, "too many instructions");
}

static void run_naive(const char *script)
{
	struct naive n = {0};
	lua_State *L = lua_newstate(naive_alloc, &n);
	luaL_openlibs(L);
	lua_sethook(L, naive_hook, LUA_MASKCOUNT, NAIVE_INSTRUCTIONS);
	if (luaL_dostring(L, script) == LUA_OK && lua_getglobal(L, "f") == LUA_TFUNCTION)
		(void)lua_pcall(L, 0, 0, 0);
	_exit(0);
}

static void run_ours(const char *script)
{
	struct mediator_limits limits = MEDIATOR_LIMITS_DEFAULT;
	struct mediator *m = mediator_new(&limits);
	struct arena a;
	struct json argument = {.type = JSON_OBJECT}, *out;
	struct mapping *map;
	struct err e = ERR_NONE;
	arena_init(&a, 1u << 20);
	if (mapping_compile("attack.lua", str_from(script), &map, &e) != RC_OK)
		_exit(10);
	enum rc rc = mediator_call(m, map, "f", &argument, &a, &out, &e);
	/* The mediator is usable afterwards. */
	struct mapping *good;
	struct err none = ERR_NONE;
	if (mapping_compile("good.lua", STR("function f() return {1} end"), &good, &none) != RC_OK ||
	    mediator_call(m, good, "f", &argument, &a, &out, &none) != RC_OK)
		_exit(11);
	mapping_unref(good);
	mapping_unref(map);
	mediator_free(m);
	arena_done(&a);
	_exit(rc == RC_LIMIT ? LIMITED : rc == RC_INVALID ? ABSENT : rc == RC_OK ? HARMLESS : 12);
}

/* The exit status of the run, or -1 when its CPU time was over. */
static int run_child(void (*run)(const char *script), const char *script, int cpu_ms)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct itimerval t = {.it_value = {.tv_sec = cpu_ms / 1000, .tv_usec = cpu_ms % 1000 * 1000}};
		signal(SIGPROF, SIG_DFL);
		setitimer(ITIMER_PROF, &t, NULL);
		run(script);
	}
	int status;
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGPROF);
		return -1;
	}
	return WEXITSTATUS(status);
}

static void test_naive(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++) {
		int status = run_child(run_naive, attacks[i].script, NAIVE_CPU_MS);
		if ((status == 0) != attacks[i].naive_stops)
			print_error("%s: %d\n", attacks[i].name, status);
		assert_int_equal(status, attacks[i].naive_stops ? 0 : -1);
	}
}

static void test_ours(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++) {
		int status = run_child(run_ours, attacks[i].script, OURS_CPU_MS);
		if (status != (int)attacks[i].ours)
			print_error("%s: %d\n", attacks[i].name, status);
		assert_int_equal(status, attacks[i].ours);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_naive),
	    cmocka_unit_test(test_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
