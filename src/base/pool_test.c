#include "base/pool.h"

#include "base/test.h"

#include <stdint.h>
#include <string.h>

#define PIECES 2000

/* Pieces of all sizes come and go: each is zeroed and aligned, and none overlaps another. */
static void test_pieces(void **state)
{
	(void)state;
	static struct {
		unsigned char *p;
		size_t size;
	} pieces[PIECES];
	struct pool pool;
	pool_init(&pool);
	uint64_t seed = 7;
	for (int step = 0; step < 40000; step++) {
		size_t i = test_random(&seed) % PIECES;
		unsigned char mark = (unsigned char)(i % 255 + 1);
		if (pieces[i].p) {
			for (size_t n = 0; n < pieces[i].size; n++)
				assert_int_equal(pieces[i].p[n], mark);
			pool_free(&pool, pieces[i].p, pieces[i].size);
			pieces[i].p = NULL;
			continue;
		}
		pieces[i].size = test_random(&seed) % (step % 10 ? 1000 : POOL_STEP * POOL_CLASSES + 300);
		pieces[i].p = pool_alloc(&pool, pieces[i].size);
		assert_int_equal((uintptr_t)pieces[i].p % 16, 0);
		for (size_t n = 0; n < pieces[i].size; n++)
			assert_int_equal(pieces[i].p[n], 0);
		memset(pieces[i].p, mark, pieces[i].size);
	}
	for (size_t i = 0; i < PIECES; i++)
		if (pieces[i].p)
			pool_free(&pool, pieces[i].p, pieces[i].size);
	pool_free(&pool, NULL, 100);
	pool_done(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pieces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
