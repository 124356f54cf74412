/*
 * The newest delivery of each key of one system, of the operations where the latest wins: what a replay passes over
 * because something newer was said. Filled from the outbox in slices, in order; lives in memory as long as its job.
 */
#ifndef HUB_NEWEST_H
#define HUB_NEWEST_H

#include "mediate/pack.h"
#include "store/store.h"

#include <stdbool.h>

#define NEWEST_KEYS_MAX (1u << 20)

struct newest;

/* operations: that are asked for. keys_max: NEWEST_KEYS_MAX, but for tests. */
struct newest *newest_new(const bool operations[OPERATIONS], size_t keys_max);
void newest_free(struct newest *n); /* NULL is fine */
/* Goes on through the system's deliveries, at most max of them. *done: there are no more now. RC_LIMIT "too_many_keys":
 * more than keys_max. */
enum rc newest_read(struct newest *n, struct store_reader *r, struct str system, uint32_t max, bool *done,
		    struct err *e) MUST_CHECK;
/* Was a delivery of this operation and key made after this one, and is it delivered or on its way? */
bool newest_is_behind(const struct newest *n, enum operation op, uint64_t key, int64_t seq);

#endif
