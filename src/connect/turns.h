/*
 * Whose turn it is: the more urgent goes first, and what is less urgent has a share that nothing takes from it. Pure.
 *
 * While all wait, of 21 turns 15 are for what is expedited, 5 for what is normal and 1 for bulk. And bulk never has all
 * slots: what is urgent does not wait for a slow bulk request to end.
 */
#ifndef CONNECT_TURNS_H
#define CONNECT_TURNS_H

#include "mediate/operation_policy.h"

struct turns {
	uint32_t passed[PRIORITIES]; /* turns of others while it waited */
};

/* The next of those that wait; PRIORITIES: none does. */
enum delivery_priority turns_next(struct turns *t, const bool waits[PRIORITIES]);
/* How many of a destination's slots this priority may have. */
uint32_t turns_slots(enum delivery_priority p, uint32_t slots);

#endif
