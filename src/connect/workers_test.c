#include "connect/workers.h"

#include "base/test.h"

#include <pthread.h>

#define REST  20
#define FIRST 3

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool begun, open;
	int order[1 + REST + FIRST], ran;
} s = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct job {
	struct work work;
	int number;
};

static void note(struct work *work, struct worker *w)
{
	(void)w;
	pthread_mutex_lock(&s.lock);
	s.order[s.ran++] = ((struct job *)work)->number;
	pthread_mutex_unlock(&s.lock);
}

static void hold(struct work *work, struct worker *w)
{
	pthread_mutex_lock(&s.lock);
	s.begun = true;
	pthread_cond_signal(&s.changed);
	while (!s.open)
		pthread_cond_wait(&s.changed, &s.lock);
	pthread_mutex_unlock(&s.lock);
	note(work, w);
}

/* Behind one that takes long wait many, then come some that go first: these run next, the others in their order, and
 * all of them are told. */
static void what_goes_first(void **state)
{
	(void)state;
	struct job jobs[1 + REST + FIRST];
	struct queue *done = queue_new(100, -1);
	struct workers *w = workers_new(1, 0, done);
	for (int i = 0; i < 1 + REST + FIRST; i++) {
		jobs[i] = (struct job){{i ? note : hold, &jobs[i]}, i};
		void *one = &jobs[i];
		workers_run(w, &one, 1, i > REST);
		pthread_mutex_lock(&s.lock);
		while (!s.begun)
			pthread_cond_wait(&s.changed, &s.lock);
		pthread_mutex_unlock(&s.lock);
	}
	pthread_mutex_lock(&s.lock);
	s.open = true;
	pthread_cond_signal(&s.changed);
	pthread_mutex_unlock(&s.lock);
	workers_stop(w);
	assert_int_equal(s.ran, 1 + REST + FIRST);
	assert_int_equal(queue_length(done), 1 + REST + FIRST);
	for (int i = 0; i <= REST + FIRST; i++)
		assert_int_equal(s.order[i], i == 0 ? 0 : i <= FIRST ? REST + i : i - FIRST);
	for (void *got; queue_take(done, &got, 1, 0);)
		assert_in_range((uintptr_t)got, (uintptr_t)jobs, (uintptr_t)&jobs[REST + FIRST]);
	workers_free(w);
	queue_free(done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_goes_first)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
