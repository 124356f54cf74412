/* What is to happen, by virtual time; what is due at the same instant happens in the order in which it was put there.
 */
#ifndef SIMULATE_AGENDA_H
#define SIMULATE_AGENDA_H

#include <stddef.h>
#include <stdint.h>

/* The first member of what is to happen; lives until it has run. */
struct task {
	int64_t at;
	uint64_t order;
	void (*run)(void *ctx, struct task *t);
};

struct agenda {
	struct task **heap;
	size_t count, room;
	uint64_t order;
};

void agenda_done(struct agenda *a); /* the tasks are somebody else's */
void agenda_put(struct agenda *a, struct task *t, int64_t at);
int64_t agenda_next(const struct agenda *a); /* INT64_MAX: nothing */
struct task *agenda_take(struct agenda *a);

#endif
