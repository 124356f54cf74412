/*
 * Random histories; for *_test.c only.
 *
 * A history is a seed and a list of random words, one a step. A step draws all that it decides from its word, so the
 * same words are the same history, and what is left when steps are taken out of it is a history as well. That makes
 * a failing one small: it is cut off behind the step that failed, and every step without which it fails too is left
 * out, the last one first; twice, since a step may have been needed only by one that is gone. What is left is printed.
 * SEED=<n> in the environment runs one history.
 *
 * What a step asserts cannot be made smaller, cmocka leaves the test there: the seed is printed, no more.
 */
#ifndef BASE_TEST_HISTORY_H
#define BASE_TEST_HISTORY_H

#include "base/test.h"

#include <stdbool.h>
#include <stdlib.h>

#define TEST_STEPS_MAX 128

struct test_step {
	uint64_t word;
	char text[160]; /* what it did; a step that did nothing says nothing */
};

/* What finds something wrong returns what; NULL: all is well. */
struct test_history {
	int steps, seeds;
	void (*begin)(uint64_t seed);
	const char *(*step)(struct test_step *s);
	const char *(*settle)(void); /* after the last step of a history that went well; may be NULL */
	void (*end)(void);
};

static uint64_t test_history_seed; /* of the history that is running; 0: none is */

/* From 0 to n - 1. */
static inline int test_draw(struct test_step *s, int n)
{
	return (int)(test_random(&s->word) % (uint64_t)n);
}

/* Of the first `count` steps, those that are not skipped. *failed: the step that found something; count: settle did. */
static inline const char *test_history_run(const struct test_history *h, const uint64_t *words, const bool *skip,
					   int count, int *failed, bool tell)
{
	const char *wrong = NULL;
	int i;

	h->begin(test_history_seed);
	for (i = 0; i < count && !wrong; i++) {
		struct test_step s = {.word = words[i]};

		if (skip[i])
			continue;
		wrong = h->step(&s);
		if (tell && (s.text[0] || wrong))
			print_error("  %3d  %s%s%s\n", i, s.text, wrong ? ": " : "", wrong ? wrong : "");
	}
	*failed = wrong ? i - 1 : count;
	if (!wrong && h->settle) {
		wrong = h->settle();
		if (tell && wrong)
			print_error("  end  %s\n", wrong);
	}
	h->end();
	return wrong;
}

static inline void test_history_shrink(const struct test_history *h, const uint64_t *words, int failed)
{
	int count = failed < h->steps ? failed + 1 : h->steps, at;
	bool skip[TEST_STEPS_MAX] = {false};

	for (int round = 0; round < 2; round++) {
		for (int i = count - 1; i >= 0; i--) {
			if (skip[i])
				continue;
			skip[i] = true;
			if (!test_history_run(h, words, skip, count, &at, false))
				skip[i] = false;
		}
	}
	test_history_run(h, words, skip, count, &at, true);
}

static inline void test_histories(const struct test_history *h)
{
	const char *only = getenv("SEED");
	uint64_t first = only ? strtoull(only, NULL, 10) : 1, last = only ? first : (uint64_t)h->seeds;

	assert_true(h->steps <= TEST_STEPS_MAX);
	for (uint64_t seed = first; seed <= last; seed++) {
		uint64_t words[TEST_STEPS_MAX], random = seed * 0x9e3779b97f4a7c15u;
		bool skip[TEST_STEPS_MAX] = {false};
		const char *wrong;
		int failed;

		for (int i = 0; i < h->steps; i++)
			words[i] = test_random(&random) | 1;
		test_history_seed = seed;
		wrong = test_history_run(h, words, skip, h->steps, &failed, false);
		if (!wrong)
			continue;
		print_error("step %d: %s\n", failed, wrong);
		test_history_shrink(h, words, failed);
		fail();
	}
	test_history_seed = 0;
}

/* The teardown of a test that runs histories. */
static inline int test_history_teardown(void **state)
{
	(void)state;
	if (test_history_seed)
		print_error("SEED=%llu\n", (unsigned long long)test_history_seed);
	test_history_seed = 0;
	return 0;
}

#endif
