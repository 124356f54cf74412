/*
 * The deliveries of one destination that are in memory: one lane for each key and priority, in order within a lane,
 * lanes independent. Which priority goes first is the taker's to say (turns.h).
 *
 * What is replayed is in the lane of the live ones of its key (delivery_head.live), in the order of both by seq,
 * although its own priority is another. Such a lane has the most urgent priority of those that came into it, so that no
 * live delivery waits behind a replayed one for longer than its turn takes.
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
	LANE_READY,   /* its first delivery may be sent: in its priority's ready list, first come first served */
	LANE_DELAYED, /* not before due: in the heap */
	LANE_BUSY,    /* its first delivery, or several from the first on, are under way */
	LANE_GONE,    /* empty: freed by the move */
};

struct lane_entry {
	struct delivery_head head;
	struct lane_entry *behind;        /* in its lane, by seq */
	struct lane_entry *older, *newer; /* in the destination, of its priority, by arrival */
	bool alone;                       /* not in a batch: one that it was in could not be made */
};

/* What is known about a delivery with an unknown outcome; of the lane's first one. */
struct lane_doubt {
	/* First and last look-up that found nothing; monotonic: the wall clock may jump. 0: none yet. */
	int64_t empty_since, empty_last;
	uint32_t empties;  /* look-ups that found nothing */
	uint32_t failures; /* look-ups in a row that failed */
};

struct lane {
	uint64_t key; /* of its deliveries, mixed with the priority of the live ones */
	enum lane_state state;
	uint8_t priority;  /* when it is ready */
	uint8_t passed_op; /* enum operation, of passed */
	bool lingers;      /* delayed because more may come that go with it */
	bool failing;      /* delayed because of a failure of the destination: hasten when it is back */
	uint32_t begun;    /* deliveries from the first on that were taken once: nothing gets before them */
	uint32_t taken;    /* that are under way */
	uint32_t heap_at;
	int64_t passed;               /* the last delivered one after which nothing older is wanted; 0: none */
	int64_t due;                  /* while it is busy: when those that came back wait until */
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
/* The next ready lane of this priority, now busy with its first delivery; NULL if none is ready. */
struct lane *lanes_take(struct lanes *l, enum delivery_priority p);
/* The same of the lane that is the next one behind this one in the ready list (NULL: the first): to look before taking.
 */
struct lane *lanes_look(struct lanes *l, enum delivery_priority p, const struct lane *behind);
void lanes_take_one(struct lanes *l, struct lane *lane);
/* One more of a busy lane, the first that is not taken; NULL if there is none. */
struct lane_entry *lanes_take_more(struct lane *lane);
struct lane_entry *lanes_next(const struct lane *lane); /* that one, without taking it */
/* One that was taken waits until due (0: at once). The lane waits when none of its deliveries is under way. */
void lanes_put_back(struct lanes *l, struct lane *lane, int64_t due, bool failing);
/* One that was taken is settled; the lane may be freed. */
void lanes_settle(struct lanes *l, struct lane *lane, struct lane_entry *e, int64_t now);
/* One that was taken waits beside the others of its key from now on, in a lane of its own. */
void lanes_set_aside(struct lanes *l, struct lane *lane, struct lane_entry *e, int64_t due, int64_t now);
/* The same for one that is not added yet. */
void lane_aside(struct delivery_head *head);
/* This delivery's lane is due now, unless it is under way. */
void lanes_hurry(struct lanes *l, uint64_t key, int64_t seq);
/* Forgets one that waits; false: it is not here, or under way. */
bool lanes_remove(struct lanes *l, uint64_t key, int64_t seq, int64_t now);
/* One that was taken waits for more; what waits so is ready together. */
void lanes_linger(struct lanes *l, struct lane *lane, int64_t due);
void lanes_end_linger(struct lanes *l);
/* The destination is back: what waits only because of its failure is ready. */
void lanes_hasten(struct lanes *l);

size_t lanes_count(const struct lanes *l); /* deliveries, those under way included */
size_t lanes_count_of(const struct lanes *l, enum delivery_priority p);
bool lanes_ready(const struct lanes *l, enum delivery_priority p);
bool lanes_any_ready(const struct lanes *l);
int64_t lanes_next_due(const struct lanes *l); /* of the delayed; INT64_MAX: none */
int64_t lanes_oldest(const struct lanes *l);   /* created_at; 0: none */

#endif
