/*
 * Deterministic simulation: the real hub, store and delivery engine in one thread, under a virtual clock, in a world
 * where everything goes wrong, watched by a model of its own (model.h). docs/simulation.md tells what is checked.
 *
 * One at a time in a process. random_simulate is called: a process that simulates does nothing else.
 */
#ifndef SIMULATE_SIMULATE_H
#define SIMULATE_SIMULATE_H

#include "base/rc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What can be done wrong on purpose, to see that the model finds it. */
enum simulate_mutation {
	MUTATE_NOTHING,
#define MUTATION(id, name, finds, needs, what) id,
#include "simulate/mutations.def"
#undef MUTATION
	MUTATIONS
};
const char *mutation_name(enum simulate_mutation m);
const char *mutation_text(enum simulate_mutation m);
const char *mutation_finds(enum simulate_mutation m); /* how the words begin in which it is found */
uint32_t mutation_needs(enum simulate_mutation m);    /* features of the worlds in which it is done */
bool mutation_parse(const char *name, enum simulate_mutation *out);

/* What a world may have, by bit; each seed has some of them. */
enum simulate_feature {
#define FEATURE(id, name, chance, text) id,
#include "simulate/features.def"
#undef FEATURE
	FEATURES
};
const char *feature_name(enum simulate_feature f);
const char *feature_text(enum simulate_feature f);
/* Names by commas. */
bool features_parse(const char *names, uint32_t *out);
void features_write(uint32_t features, char *out, size_t size);
#define FEATURES_TEXT 400

struct simulate_counts {
	int64_t commits, commands, movements, events, deliveries, crashes, power_cuts, disk_faults, in_doubt;
	int64_t lost, repeated, refused, orders, reservations, virtual_ms;
};

struct simulate_options {
	uint64_t seed;
	uint32_t steps;         /* things that are begun; then everything is let end */
	uint32_t with, without; /* features that it has in any case, and that it does not have */
	enum simulate_mutation mutation;
	FILE *trace; /* NULL: none */
	bool log;    /* the program's own log too */
};

#define SIMULATE_LAST_MAX 40

struct simulate_result {
	bool failed;
	bool mutated; /* the mutation was carried out */
	uint64_t seed;
	uint32_t step, features;
	char broken[400]; /* what is not true that should be */
	char last[SIMULATE_LAST_MAX][200];
	uint32_t last_count;
	uint64_t trace_hash;
	struct simulate_counts counts;
};

struct simulate;

/* share: the folder with schemas/ and connectors/. store: NULL for SQLite on a disk in memory; or postgresql://..., a
 * server on which a schema is made and dropped, and whose sessions end where a disk would fail. */
enum rc simulate_open(const char *share, const char *store, struct simulate **out, struct err *e) MUST_CHECK;
void simulate_close(struct simulate *s);
void simulate_run(struct simulate *s, const struct simulate_options *o, struct simulate_result *out);
/* The fewest features and steps with which this seed fails; a failed result is replaced by that of the smallest run,
 * and o says how to do it again. */
void simulate_shrink(struct simulate *s, struct simulate_options *o, struct simulate_result *result);

#endif
