/*
 * The deliveries of one destination that are in memory: one lane a key, in order within a lane, lanes independent.
 *
 * Not thread-safe; the delivery loop owns it. Times are wall milliseconds.
 */
#ifndef CONNECT_LANES_H
#define CONNECT_LANES_H

#include "backbone/outbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lane_state {
	LANE_NEW,     /* in no list */
	LANE_READY,   /* its first delivery may be sent: in the ready list, first come first served */
	LANE_DELAYED, /* not before due: in the heap */
	LANE_BUSY,    /* its first delivery is under way */
	LANE_GONE,    /* empty: freed by the move */
};

struct lane_entry {
	struct delivery_head head;
	struct lane_entry *behind;        /* in its lane, by seq */
	struct lane_entry *older, *newer; /* in the destination, by arrival */
};

/* What is known about a delivery with an unknown outcome; of the lane's first one. */
struct lane_doubt {
	/* First and last look-up that found nothing; monotonic: the wall clock may jump. 0: none yet. */
	int64_t empty_since, empty_last;
	uint32_t empties;  /* look-ups that found nothing */
	uint32_t failures; /* look-ups in a row that failed */
};

struct lane {
	uint64_t key;
	enum lane_state state;
	bool begun;   /* its first delivery was taken once: it stays the first until it is settled */
	bool failing; /* delayed because of a failure of the destination: hasten when it is back */
	uint32_t heap_at;
	int64_t due;
	struct lane *next, *previous; /* of the ready list */
	struct lane_entry *first, *last;
	struct lane_doubt doubt;
};

struct lanes;

struct lanes *lanes_new(void);
void lanes_free(struct lanes *l);

/* Adds one delivery behind those of its key. false: it is there already. */
bool lanes_add(struct lanes *l, const struct delivery_head *head, int64_t now);
/* Lanes whose time has come become ready. */
void lanes_wake(struct lanes *l, int64_t now);
/* The next ready lane, now busy; NULL if none is ready. */
struct lane *lanes_take(struct lanes *l);
/* The busy lane's first delivery waits until due (0: at once). */
void lanes_put_back(struct lanes *l, struct lane *lane, int64_t due, bool failing);
/* The busy lane's first delivery is settled; the lane may be freed. */
void lanes_settle(struct lanes *l, struct lane *lane, int64_t now);
/* The key's first delivery is due now, unless it is under way. */
void lanes_hurry(struct lanes *l, uint64_t key);
/* Forgets one that waits; false: it is not here, or under way. */
bool lanes_remove(struct lanes *l, uint64_t key, int64_t seq, int64_t now);
/* The destination is back: what waits only because of its failure is ready. */
void lanes_hasten(struct lanes *l);

size_t lanes_count(const struct lanes *l); /* deliveries, those under way included */
bool lanes_any_ready(const struct lanes *l);
int64_t lanes_next_due(const struct lanes *l); /* of the delayed; INT64_MAX: none */
int64_t lanes_oldest(const struct lanes *l);   /* created_at; 0: none */

#endif
