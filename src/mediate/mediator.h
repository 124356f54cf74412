/*
 * Mappings: pure Lua 5.4 functions in a sandbox, from one JSON value to another.
 *
 * A mediator is one thread's Lua state; it runs any number of mappings, each in an environment of its own with
 * read-only globals. A mapping is a script's text and version, immutable, used by any thread. No files, network, clock,
 * random numbers, coroutines or Lua patterns (re.* is PCRE2 with match limits); 64-bit integers kept, decimals as a
 * type; limits on instructions, CPU time, memory and result size are sticky: a script cannot catch them.
 *
 * How it fails: RC_INVALID "mapping_failed" (the script raised an error; where: the path of the missing or wrong field
 * if it is one, detail: its message with file and line), RC_REJECT "refused" (the script called refuse(reason)),
 * RC_LIMIT "mapping_limit" (detail: which). After any failure the mediator is usable.
 */
#ifndef MEDIATE_MEDIATOR_H
#define MEDIATE_MEDIATOR_H

#include "base/arena.h"
#include "format/json.h"

#include <stddef.h>
#include <stdint.h>

struct mediator_limits {
	size_t memory;         /* bytes of the Lua state; default 32 MiB */
	uint64_t instructions; /* for one call; default 20,000,000 */
	int64_t cpu_ms;        /* for one call; default 1,000 */
	size_t result;         /* bytes of the result; default 8 MiB */
};

#define MEDIATOR_LIMITS_DEFAULT                                                                                        \
	((struct mediator_limits){.memory = 32u << 20, .instructions = 20000000, .cpu_ms = 1000, .result = 8u << 20})

struct mediator;
struct mapping;

struct mediator *mediator_new(const struct mediator_limits *limits);
void mediator_free(struct mediator *m);

/* name: for messages ("canonical/order.lua"). RC_INVALID "mapping_syntax". Counted: mapping_ref, mapping_unref. */
enum rc mapping_compile(const char *name, struct str text, struct mapping **out, struct err *e) MUST_CHECK;
/* RC_INVALID unless its top level runs and defines the function. */
enum rc mapping_has(struct mapping *m, const char *function, struct err *e) MUST_CHECK;
struct mapping *mapping_ref(struct mapping *m);
void mapping_unref(struct mapping *m);

/* Calls the script's global function with one value; the result is in the arena, but its parts may be parts of the
 * argument, which has to live as long. */
enum rc mediator_call(struct mediator *m, struct mapping *map, const char *function, const struct json *argument,
		      struct arena *arena, struct json **out, struct err *e) MUST_CHECK;
/* The same with a second value, NULL for none. */
enum rc mediator_call_with(struct mediator *m, struct mapping *map, const char *function, const struct json *argument,
			   const struct json *context, struct arena *arena, struct json **out,
			   struct err *e) MUST_CHECK;

#endif
