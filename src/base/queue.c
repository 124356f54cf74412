/*
 * A ring under one mutex. Everything but wake_fd is guarded by it. Waiters are counted to spare the signal when nobody
 * waits; they and the eventfd are woken after the lock is free, so that who wakes does not run into it.
 *
 * The wake-up may so come late, when another take has emptied the queue meanwhile, and wake the reader for nothing.
 * None is missed: whoever makes the queue non-empty writes, and the reader of the eventfd clears it first and then
 * takes until the queue is empty.
 */
#include "base/queue.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#define ROOM_FIRST ((size_t)64)

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t ready;
	void **ring;
	size_t room, first, count; /* room is a power of two */
	size_t max, waiting;
	int wake_fd;
	bool closed;
};

struct queue *queue_new(size_t max, int wake_fd)
{
	struct queue *q = mem_zalloc(1, sizeof(*q));
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&q->ready, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&q->lock, NULL);
	q->room = ROOM_FIRST;
	q->ring = mem_zalloc(q->room, sizeof(*q->ring));
	q->max = max;
	q->wake_fd = wake_fd;
	return q;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	pthread_cond_destroy(&q->ready);
	pthread_mutex_destroy(&q->lock);
	free(q->ring);
	free(q);
}

static void wake(const struct queue *q)
{
	if (q->wake_fd < 0)
		return;
	const uint64_t one = 1;
	ssize_t n;
	do
		n = write(q->wake_fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
	/* EAGAIN: the counter is full, so the reader is woken anyway. */
	assert(n == (ssize_t)sizeof(one) || errno == EAGAIN);
}

static void widen(struct queue *q)
{
	void **ring = mem_alloc(q->room * 2 * sizeof(*ring));
	for (size_t i = 0; i < q->count; i++)
		ring[i] = q->ring[(q->first + i) & (q->room - 1)];
	free(q->ring);
	q->ring = ring;
	q->room *= 2;
	q->first = 0;
}

/* Whoever waits is woken after the lock is free, so that it does not run into it. */
static enum rc push(struct queue *q, void *const *items, size_t n, bool always)
{
	enum rc rc = RC_OK;
	pthread_mutex_lock(&q->lock);
	bool was_empty = q->count == 0;
	size_t waiting = q->waiting;
	if (q->closed) {
		rc = RC_DENIED;
	} else if (!always && q->count >= q->max) {
		rc = RC_LIMIT;
	} else {
		for (size_t i = 0; i < n; i++) {
			if (q->count == q->room)
				widen(q);
			q->ring[(q->first + q->count++) & (q->room - 1)] = items[i];
		}
	}
	pthread_mutex_unlock(&q->lock);
	if (rc != RC_OK || n == 0)
		return rc;
	if (was_empty)
		wake(q);
	for (size_t i = 0; i < waiting && i < n; i++)
		pthread_cond_signal(&q->ready);
	return rc;
}

enum rc queue_push(struct queue *q, void *item)
{
	return push(q, &item, 1, false);
}

enum rc queue_push_always(struct queue *q, void *item)
{
	return push(q, &item, 1, true);
}

enum rc queue_push_many(struct queue *q, void *const *items, size_t count)
{
	return push(q, items, count, true);
}

static struct timespec deadline(int timeout_ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += timeout_ms / 1000;
	t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

size_t queue_take(struct queue *q, void **items, size_t max, int timeout_ms)
{
	return queue_take_part(q, items, max, 1, timeout_ms);
}

size_t queue_take_part(struct queue *q, void **items, size_t max, size_t parts, int timeout_ms)
{
	struct timespec until = {0};
	if (timeout_ms > 0)
		until = deadline(timeout_ms);
	pthread_mutex_lock(&q->lock);
	int failed = 0;
	q->waiting++;
	while (!q->count && !q->closed && timeout_ms != 0 && !failed)
		failed = timeout_ms < 0 ? pthread_cond_wait(&q->ready, &q->lock)
					: pthread_cond_timedwait(&q->ready, &q->lock, &until);
	q->waiting--;
	size_t part = (q->count + parts - 1) / parts, n = part < max ? part : max;
	for (size_t i = 0; i < n; i++)
		items[i] = q->ring[(q->first + i) & (q->room - 1)];
	q->first = (q->first + n) & (q->room - 1);
	q->count -= n;
	pthread_mutex_unlock(&q->lock);
	return n;
}

size_t queue_length(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	size_t n = q->count;
	pthread_mutex_unlock(&q->lock);
	return n;
}

size_t queue_room(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	size_t n = q->count < q->max ? q->max - q->count : 0;
	pthread_mutex_unlock(&q->lock);
	return n;
}

void queue_close(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->ready);
	wake(q);
	pthread_mutex_unlock(&q->lock);
}
