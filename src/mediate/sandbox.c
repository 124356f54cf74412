/*
 * The limits of a mapping.
 *
 * A script is data from outside: it may be wrong or hostile, and it runs on a thread that others need. Four limits hold
 * it: bytes of the state (the allocator), work (a count hook, and charges from every library function and allocation,
 * in units of about one instruction or 16 bytes), the thread's CPU time (looked at in the hook, for work that the
 * charges underrate), and the size of the result. Each trips once and stays tripped for the call: the flag is looked at
 * by the hook, by every charge and by our pcall, which raises again instead of returning, and the allocator grows
 * nothing any more. So no script survives by catching its error.
 *
 * What a count hook alone does not see, and what does: one instruction that touches megabytes (the allocator charges
 * bytes; with much memory in use the hook comes ten times as often, for comparisons, which allocate nothing), loops
 * inside C functions (our own library charges each turn; the standard ones that loop freely are not there), a full
 * collection at each allocation when memory is nearly full (a refusal is charged with what is in use), finalizers
 * (scripts cannot set metatables).
 *
 * When memory runs out Lua collects and asks again; the second refusal of the same request trips the limit. The
 * allocator never raises, so it may run anywhere.
 */
#include "mediate/state.h"

#include <setjmp.h>
#include <stdlib.h>
#include <time.h>

#define STRIDE_CALM     1000 /* instructions between hooks */
#define STRIDE_HEAVY    100  /* with much memory in use */
#define HEAVY_BYTES     (1u << 20)
#define TICKS_PER_CLOCK 8 /* hooks between looks at the CPU clock while calm */
#define BYTES_PER_UNIT  16
#define CPU_CHECK_WORK  4096 /* a charge this large looks at the clock too */

static const char trip_key; /* its address is the error value of a tripped limit */

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
/* Lua raises by the fortified longjmp, which this sanitizer does not know: it would never hear that our frames are
 * gone, and run out of room for them. */
_Noreturn void __longjmp_chk(struct __jmp_buf_tag env[1], int value);
_Noreturn void __longjmp_chk(struct __jmp_buf_tag env[1], int value)
{
	longjmp(env, value);
}
#endif
#endif

static int64_t thread_cpu_ns(void)
{
	struct timespec t;
	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t))
		return 0;
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void trip_set(struct mediator *m, enum trip why)
{
	if (m->trip == TRIP_NONE)
		m->trip = why;
}

static bool refuse(struct mediator *m, const void *old, size_t size)
{
	m->budget -= (int64_t)(m->used / BYTES_PER_UNIT);
	if (m->budget < 0)
		trip_set(m, TRIP_INSTRUCTIONS);
	else if (m->refused_size == size && m->refused == old)
		trip_set(m, TRIP_MEMORY);
	m->refused = old;
	m->refused_size = size;
	return false;
}

static bool may_grow(struct mediator *m, const void *old, size_t old_size, size_t new_size)
{
	if (m->trip != TRIP_NONE)
		return false;
	m->budget -= (int64_t)(new_size / BYTES_PER_UNIT);
	if (m->budget < 0) {
		trip_set(m, TRIP_INSTRUCTIONS);
		return false;
	}
	if (new_size - old_size > m->limits.memory || m->used > m->limits.memory - (new_size - old_size))
		return refuse(m, old, new_size);
	m->refused_size = 0;
	return true;
}

void *sandbox_alloc(void *mediator, void *old, size_t old_size, size_t new_size)
{
	struct mediator *m = mediator;
	if (!old)
		old_size = 0; /* Lua passes a type there */
	if (new_size == 0) {
		free(old);
		m->used -= old_size;
		return NULL;
	}
	if (new_size > old_size && !may_grow(m, old, old_size, new_size))
		return NULL;
	void *p = realloc(old, new_size);
	if (!p)
		abort();
	m->used = m->used - old_size + new_size;
	return p;
}

int sandbox_trip(lua_State *L, enum trip why)
{
	trip_set(mediator_of(L), why);
	lua_pushlightuserdata(L, (void *)&trip_key);
	return lua_error(L);
}

void sandbox_check(lua_State *L)
{
	if (mediator_of(L)->trip != TRIP_NONE)
		sandbox_trip(L, TRIP_NONE);
}

bool sandbox_spend(struct mediator *m, size_t work)
{
	if (m->trip != TRIP_NONE)
		return false;
	if (work > (size_t)INT64_MAX / 2 || (m->budget -= (int64_t)work) < 0)
		trip_set(m, TRIP_INSTRUCTIONS);
	else if (work >= CPU_CHECK_WORK && thread_cpu_ns() > m->cpu_end_ns)
		trip_set(m, TRIP_CPU);
	return m->trip == TRIP_NONE;
}

void sandbox_charge(lua_State *L, size_t work)
{
	if (!sandbox_spend(mediator_of(L), work))
		sandbox_check(L);
}

static void hook(lua_State *L, lua_Debug *where)
{
	(void)where;
	struct mediator *m = mediator_of(L);
	bool heavy = m->used > HEAVY_BYTES;
	m->budget -= m->stride;
	if (m->budget < 0)
		trip_set(m, TRIP_INSTRUCTIONS);
	else if ((heavy || ++m->ticks % TICKS_PER_CLOCK == 0) && thread_cpu_ns() > m->cpu_end_ns)
		trip_set(m, TRIP_CPU);
	sandbox_check(L);
	int stride = heavy ? STRIDE_HEAVY : STRIDE_CALM;
	if (stride != m->stride) {
		m->stride = stride;
		lua_sethook(L, hook, LUA_MASKCOUNT, stride);
	}
}

void sandbox_begin(struct mediator *m)
{
	m->trip = TRIP_NONE;
	m->budget = m->limits.instructions > INT64_MAX ? INT64_MAX : (int64_t)m->limits.instructions;
	m->cpu_end_ns = thread_cpu_ns() + m->limits.cpu_ms * 1000000;
	m->ticks = 0;
	m->stride = STRIDE_CALM;
	m->refused_size = 0;
	m->result_left = m->limits.result;
	m->where[0] = m->refusal[0] = '\0';
	lua_sethook(m->lua, hook, LUA_MASKCOUNT, STRIDE_CALM);
}

void sandbox_end(struct mediator *m)
{
	m->trip = TRIP_NONE;
	m->budget = INT64_MAX;
	m->cpu_end_ns = INT64_MAX;
	m->refused_size = 0;
	lua_sethook(m->lua, NULL, 0, 0);
}
