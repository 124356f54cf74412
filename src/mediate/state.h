/*
 * What the files of the mediator share: the state of one thread, and the kinds of values that scripts see. Not for
 * others.
 *
 * Everything here that takes a lua_State may raise (longjmp) unless it says otherwise, so it is called only below the
 * one protected trampoline in mediator.c, and holds nothing that would have to be released.
 */
#ifndef MEDIATE_STATE_H
#define MEDIATE_STATE_H

#include "mediate/mediator.h"

#include "base/decimal.h"

#include <lauxlib.h>
#include <lua.h>

/* Why a call has to end, whatever the script does. Set once a call, first cause. */
enum trip { TRIP_NONE, TRIP_MEMORY, TRIP_INSTRUCTIONS, TRIP_CPU, TRIP_RESULT, TRIP_ARENA, TRIP_REFUSED };

struct mediator {
	struct mediator_limits limits;
	lua_State *lua;

	/* sandbox.c */
	size_t used;         /* bytes that the state and its patterns hold */
	int64_t budget;      /* instructions left */
	int64_t cpu_end_ns;  /* of the thread's CPU clock */
	uint32_t ticks;      /* hooks since the call began */
	int stride;          /* instructions between hooks */
	const void *refused; /* the block and size that the allocator refused last: the second time is final */
	size_t refused_size;
	enum trip trip;

	/* the running call */
	struct arena *arena;
	const struct json *argument, *context;
	size_t result_left;
	char where[192];   /* path of the field that an error is about; empty if none */
	char refusal[320]; /* of refuse() */

	size_t cached; /* mappings in the cache */
};

static inline struct mediator *mediator_of(lua_State *L)
{
	return *(struct mediator **)lua_getextraspace(L);
}

/* ---- sandbox.c ---- */

void *sandbox_alloc(void *mediator, void *old, size_t old_size, size_t new_size); /* a lua_Alloc; does not raise */
void sandbox_begin(struct mediator *m);                                           /* fresh limits; does not raise */
void sandbox_end(struct mediator *m);          /* no limit but memory, for our own work between calls; does not raise */
int sandbox_trip(lua_State *L, enum trip why); /* never returns */
void sandbox_check(lua_State *L);              /* raises again what was tripped */
bool sandbox_spend(struct mediator *m,
		   size_t work);                /* false when the budget or the CPU time is used up; does not raise */
void sandbox_charge(lua_State *L, size_t work); /* one unit is about one instruction, or 16 bytes touched */

/* ---- value.c: what scripts see ---- */

enum kind { KIND_NODE = 1, KIND_NUMBER, KIND_PATTERN };

/* An object or array of the argument, or built by merge; read-only. */
struct node {
	uint8_t kind;
	const struct json *json;
};

/* A decimal. exact: d is its value; else only its text is kept (a JSON number that struct decimal cannot hold). */
struct number {
	uint8_t kind;
	bool exact;
	struct decimal d;
	uint32_t length;
	char text[];
};

enum registry_slot {
	SLOT_NODE = 10,
	SLOT_ARRAY,
	SLOT_NUMBER,
	SLOT_PATTERN,
	SLOT_BASE,
	SLOT_CACHE,
	SLOT_PATTERNS,
	SLOT_METHODS
};

/* NULL if it is not one; do not raise. */
struct node *node_at(lua_State *L, int at);
struct number *number_at(lua_State *L, int at);
bool is_null_at(lua_State *L, int at);
/* "object", "array", "decimal", "null", or Lua's own. Does not raise. */
const char *kind_name_at(lua_State *L, int at);

void value_push(lua_State *L, const struct json *j);
/* The value at the index as JSON in the call's arena; charged to the result's limit. */
struct json value_read(lua_State *L, int at);
/* The same for a step towards the result: only what is new is charged. */
const struct json *value_read_part(lua_State *L, int at);
/* Memory of the call's arena, charged to the result's limit. */
void *value_take(lua_State *L, size_t size);
/* The text of a scalar is pushed, of anything else the name of its kind: no addresses, which differ from run to run. */
void value_push_text(lua_State *L, int at);
/* Raises "missing <path>". */
int value_missing(lua_State *L, const struct json *parent, struct str name, size_t index);
void value_open(lua_State *L); /* makes the metatables */

/* ---- library ---- */

void number_push(lua_State *L, struct decimal d);
void number_push_text(lua_State *L, struct str text); /* text: a JSON number */
/* Decimal text, also with zeros in front. */
bool decimal_read(struct str text, struct decimal *out);
/* An integer or a decimal that arithmetic can use; else raises. */
struct decimal number_check(lua_State *L, int at);
void decimal_open(lua_State *L); /* adds to the table on top */
void regex_open(lua_State *L);
void string_open(lua_State *L);
void table_open(lua_State *L);
void library_open(lua_State *L); /* pushes the table of globals */

/* The table on top becomes a read-only one. */
void library_wrap(lua_State *L);
/* The functions become the fields of a new read-only table, pushed. */
void library_push(lua_State *L, const luaL_Reg *functions);
/* The keys of the plain table at the index, in order, as a new array table, pushed: integers first, strings by bytes.
 */
void table_push_keys(lua_State *L, int at);

#endif
