#include "base/queue.h"

#include "base/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void test_order_and_limits(void **state)
{
	(void)state;
	static char items[500];
	void *got[500];
	struct queue *q = queue_new(100, -1);
	assert_int_equal(queue_take(q, got, 10, 0), 0);
	assert_int_equal(queue_take(q, got, 10, 1), 0);
	/* The ring starts off its beginning, so that it wraps before it is widened. */
	for (int i = 0; i < 10; i++)
		assert_int_equal(queue_push(q, &items[i]), RC_OK);
	assert_int_equal(queue_take(q, got, 10, 0), 10);
	for (int i = 0; i < 100; i++)
		assert_int_equal(queue_push(q, &items[i]), RC_OK);
	assert_int_equal(queue_room(q), 0);
	assert_int_equal(queue_push(q, &items[100]), RC_LIMIT);
	for (int i = 100; i < 500; i++)
		assert_int_equal(queue_push_always(q, &items[i]), RC_OK);
	assert_int_equal(queue_length(q), 500);
	assert_int_equal(queue_room(q), 0);
	assert_int_equal(queue_take(q, got, 7, -1), 7);
	assert_int_equal(queue_take(q, got + 7, 500, -1), 493);
	for (int i = 0; i < 500; i++)
		assert_ptr_equal(got[i], &items[i]);
	assert_int_equal(queue_room(q), 100);
	queue_free(q);
	queue_free(NULL);
}

static void test_close_drains(void **state)
{
	(void)state;
	char item;
	void *got[4];
	struct queue *q = queue_new(4, -1);
	assert_int_equal(queue_push(q, &item), RC_OK);
	queue_close(q);
	assert_int_equal(queue_push(q, &item), RC_DENIED);
	assert_int_equal(queue_push_always(q, &item), RC_DENIED);
	assert_int_equal(queue_take(q, got, 4, -1), 1);
	assert_int_equal(queue_take(q, got, 4, -1), 0);
	queue_free(q);
}

static void test_part(void **state)
{
	(void)state;
	static const struct {
		size_t there, max, parts, taken;
	} rows[] = {{0, 8, 2, 0}, {1, 8, 2, 1}, {2, 8, 2, 1}, {5, 8, 2, 3}, {16, 8, 2, 8}, {40, 8, 2, 8}, {5, 8, 1, 5}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		void *got[8];
		struct queue *q = queue_new(64, -1);
		for (size_t n = 0; n < rows[i].there; n++)
			assert_int_equal(queue_push(q, &got[n % 8]), RC_OK);
		assert_int_equal(queue_take_part(q, got, rows[i].max, rows[i].parts, 0), rows[i].taken);
		assert_int_equal(queue_length(q), rows[i].there - rows[i].taken);
		queue_free(q);
	}
}

static uint64_t wakes(int fd)
{
	uint64_t n = 0;
	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void test_wake_fd(void **state)
{
	(void)state;
	char item;
	void *got[4];
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(fd >= 0);
	struct queue *q = queue_new(4, fd);
	assert_int_equal(wakes(fd), 0);
	assert_int_equal(queue_push(q, &item), RC_OK);
	assert_int_equal(queue_push(q, &item), RC_OK);
	assert_int_equal(wakes(fd), 1);
	assert_int_equal(queue_take(q, got, 4, 0), 2);
	assert_int_equal(queue_push_always(q, &item), RC_OK);
	assert_int_equal(wakes(fd), 1);
	queue_close(q);
	assert_int_equal(wakes(fd), 1);
	queue_free(q);
	close(fd);
}

#define PRODUCERS    4
#define CONSUMERS    3
#define PER_PRODUCER 5000

struct run {
	struct queue *q;
	_Atomic int taken[PRODUCERS * PER_PRODUCER];
	_Atomic bool out_of_order;
	_Atomic int next_producer;
};

static void *produce(void *arg)
{
	struct run *r = arg;
	int base = atomic_fetch_add(&r->next_producer, 1) * PER_PRODUCER;
	for (int i = 0; i < PER_PRODUCER; i++)
		while (queue_push(r->q, (void *)&r->taken[base + i]) != RC_OK)
			sched_yield();
	return NULL;
}

static void *consume(void *arg)
{
	struct run *r = arg;
	int last[PRODUCERS];
	for (int i = 0; i < PRODUCERS; i++)
		last[i] = -1;
	void *items[16];
	for (size_t n; (n = queue_take(r->q, items, 16, -1)) > 0;)
		for (size_t i = 0; i < n; i++) {
			int at = (int)((_Atomic int *)items[i] - r->taken);
			if (at <= last[at / PER_PRODUCER])
				atomic_store(&r->out_of_order, true);
			last[at / PER_PRODUCER] = at;
			atomic_fetch_add(&r->taken[at], 1);
		}
	return NULL;
}

/* Every item is taken once, in its producer's order as each consumer sees it, and closing ends all consumers. */
static void test_threads(void **state)
{
	(void)state;
	static struct run r;
	r.q = queue_new(64, -1);
	pthread_t producers[PRODUCERS], consumers[CONSUMERS];
	for (int i = 0; i < CONSUMERS; i++)
		assert_int_equal(pthread_create(&consumers[i], NULL, consume, &r), 0);
	for (int i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&producers[i], NULL, produce, &r), 0);
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(producers[i], NULL);
	queue_close(r.q);
	for (int i = 0; i < CONSUMERS; i++)
		pthread_join(consumers[i], NULL);
	for (int i = 0; i < PRODUCERS * PER_PRODUCER; i++)
		assert_int_equal(r.taken[i], 1);
	assert_false(r.out_of_order);
	assert_int_equal(queue_length(r.q), 0);
	queue_free(r.q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order_and_limits), cmocka_unit_test(test_close_drains),
	    cmocka_unit_test(test_wake_fd),          cmocka_unit_test(test_part),
	    cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
