/*
 * A bounded queue of pointers between threads: any number of producers and consumers, one mutex.
 *
 * A full queue refuses (RC_LIMIT); it never blocks a producer. Closing wakes the consumers: they drain what is left and
 * then get 0.
 */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include "base/rc.h"

#include <stddef.h>

struct queue;

/* wake_fd: an eventfd that is written when the queue stops being empty, or -1. */
struct queue *queue_new(size_t max, int wake_fd);
void queue_free(struct queue *q); /* must be empty or its items owned elsewhere */

enum rc queue_push(struct queue *q, void *item) MUST_CHECK; /* RC_LIMIT full, RC_DENIED closed */
/* For what must not be lost because of a limit that guards the outside (results, wake-ups): grows past max. RC_DENIED
 * when closed. */
enum rc queue_push_always(struct queue *q, void *item) MUST_CHECK;
/* The same for several at once, in order. */
enum rc queue_push_many(struct queue *q, void *const *items, size_t count) MUST_CHECK;
/* Up to max items into items[]; waits up to timeout_ms (-1: for ever, 0: not at all) for the first. 0: none. */
size_t queue_take(struct queue *q, void **items, size_t max, int timeout_ms);
/* The same for one of several takers who share what there is: a part of it, rounded up. */
size_t queue_take_part(struct queue *q, void **items, size_t max, size_t parts, int timeout_ms);
size_t queue_length(struct queue *q);
size_t queue_room(struct queue *q);
void queue_close(struct queue *q);

#endif
