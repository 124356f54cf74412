#include "connect/turns.h"

/* After so many turns of others it is its own. */
static const uint32_t patience[PRIORITIES] = {
    [PRIORITY_EXPEDITED] = 0,
    [PRIORITY_NORMAL] = 3,
    [PRIORITY_BULK] = 20,
};

enum delivery_priority turns_next(struct turns *t, const bool waits[PRIORITIES])
{
	int next = PRIORITIES;
	for (int p = PRIORITIES - 1; p >= 0; p--)
		if (waits[p] && (next == PRIORITIES || t->passed[next] < patience[next]))
			next = p;
	for (int p = 0; p < PRIORITIES && next < PRIORITIES; p++)
		t->passed[p] = p != next && waits[p] ? t->passed[p] + 1 : 0;
	return (enum delivery_priority)next;
}

uint32_t turns_slots(enum delivery_priority p, uint32_t slots)
{
	uint32_t kept = p == PRIORITY_BULK ? (slots + 7) / 8 : 0;
	return slots > kept ? slots - kept : 1;
}
