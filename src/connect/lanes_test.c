/* Random operations against a naive model: a list of deliveries and, by key, when the first may be taken. */
#include "base/test.h"

#include "connect/lanes.h"

#define MODEL_MAX 2000
#define KEYS      12
#define STEPS     20000

struct model_entry {
	int64_t seq;
	uint64_t key;
	int64_t next_at;
};

struct model {
	struct model_entry list[MODEL_MAX];
	size_t n;
	bool busy[KEYS];
	int64_t begun[KEYS]; /* seq of the one that was taken and is not settled; 0: none */
	int64_t due[KEYS];   /* of the key's first */
	bool failing[KEYS];
};

static struct model_entry *first_of(struct model *m, uint64_t key)
{
	struct model_entry *first = NULL;
	for (size_t i = 0; i < m->n; i++) {
		struct model_entry *e = &m->list[i];
		if (e->key == key && e->seq == m->begun[key])
			return e;
		if (e->key == key && (!first || e->seq < first->seq))
			first = e;
	}
	return first;
}

static bool model_has(const struct model *m, int64_t seq)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].seq == seq)
			return true;
	return false;
}

static void model_remove(struct model *m, struct model_entry *e)
{
	*e = m->list[--m->n];
}

static bool model_any_ready(struct model *m, int64_t now)
{
	for (uint64_t k = 0; k < KEYS; k++)
		if (!m->busy[k] && first_of(m, k) && m->due[k] <= now)
			return true;
	return false;
}

static struct delivery_head head_of(int64_t seq, uint64_t key, int64_t next_at)
{
	return (struct delivery_head){.seq = seq, .key = key, .next_at = next_at, .created_at = seq};
}

static void add(struct lanes *l, struct model *m, int64_t seq, uint64_t key, int64_t next_at, int64_t now)
{
	struct delivery_head h = head_of(seq, key, next_at);
	struct model_entry *before = first_of(m, key);
	int64_t old = before ? before->seq : 0;
	bool known = model_has(m, seq);
	if (m->n == MODEL_MAX)
		return;
	assert_int_equal(lanes_add(l, &h, now), !known);
	if (known)
		return;
	m->list[m->n++] = (struct model_entry){seq, key, next_at};
	if (first_of(m, key)->seq != old) {
		m->due[key] = next_at;
		m->failing[key] = false;
	}
}

static void random_operations(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		static struct model m;
		memset(&m, 0, sizeof(m));
		struct lanes *l = lanes_new();
		struct lane *busy[KEYS] = {0};
		uint64_t random = seed;
		int64_t now = 1000, seq = 100;
		for (int step = 0; step < STEPS; step++) {
			uint64_t r = test_random(&random), key = test_random(&random) % KEYS;
			int64_t later = now + (int64_t)(test_random(&random) % 50);
			switch (r % 8) {
			case 0:
			case 1:
				add(l, &m, ++seq, key, r % 3 ? 0 : later, now);
				break;
			case 2: { /* an old one comes back; its key stays */
				int64_t old = 1 + (int64_t)(test_random(&random) % 99);
				add(l, &m, old, (uint64_t)old % KEYS, 0, now);
				break;
			}
			case 3:
				now += (int64_t)(r % 20);
				lanes_wake(l, now);
				break;
			case 4: {
				lanes_wake(l, now);
				bool any = model_any_ready(&m, now);
				assert_int_equal(lanes_any_ready(l), any);
				struct lane *lane = lanes_take(l, PRIORITY_EXPEDITED);
				assert_int_equal(lane != NULL, any);
				if (!lane)
					break;
				struct model_entry *e = first_of(&m, lane->key);
				assert_false(m.busy[lane->key]);
				assert_true(m.due[lane->key] <= now);
				assert_int_equal(lane->first->head.seq, e->seq);
				m.busy[lane->key] = true;
				m.begun[lane->key] = e->seq;
				busy[lane->key] = lane;
				break;
			}
			case 5:
			case 6:
				if (!m.busy[key])
					break;
				model_remove(&m, first_of(&m, key));
				m.busy[key] = false;
				m.begun[key] = 0;
				lanes_settle(l, busy[key], busy[key]->first, now);
				if (first_of(&m, key)) {
					m.due[key] = first_of(&m, key)->next_at;
					m.failing[key] = false;
				}
				break;
			case 7:
				if (m.busy[key]) {
					bool failing = r & 64;
					lanes_put_back(l, busy[key], later, failing);
					m.busy[key] = false;
					m.due[key] = later;
					m.failing[key] = failing;
				} else if (r % 64 == 7) {
					lanes_hasten(l);
					for (uint64_t k = 0; k < KEYS; k++)
						if (m.failing[k] && !m.busy[k])
							m.due[k] = 0;
				}
				break;
			}
			assert_int_equal(lanes_count(l), m.n);
		}
		lanes_free(l);
	}
}

static void keys_do_not_block_each_other(void **state)
{
	(void)state;
	struct lanes *l = lanes_new();
	for (int64_t i = 1; i <= 6; i++) {
		struct delivery_head h = head_of(i, (uint64_t)i % 2, 0);
		assert_true(lanes_add(l, &h, 10));
		assert_false(lanes_add(l, &h, 10));
	}
	struct lane *odd = lanes_take(l, PRIORITY_EXPEDITED), *even = lanes_take(l, PRIORITY_EXPEDITED);
	assert_int_equal(odd->first->head.seq, 1);
	assert_int_equal(even->first->head.seq, 2);
	assert_null(lanes_take(l, PRIORITY_EXPEDITED)); /* one in flight per key */
	lanes_put_back(l, odd, 1000, true);
	assert_int_equal(lanes_next_due(l), 1000);
	for (int64_t seq = 4; seq <= 6; seq += 2) {
		lanes_settle(l, even, even->first, 10);
		even = lanes_take(l, PRIORITY_EXPEDITED);
		assert_int_equal(even->first->head.seq, seq);
	}
	lanes_settle(l, even, even->first, 10); /* the lane is gone */
	assert_null(lanes_take(l, PRIORITY_EXPEDITED));
	lanes_wake(l, 999);
	assert_false(lanes_any_ready(l));
	lanes_hasten(l);
	assert_int_equal(lanes_take(l, PRIORITY_EXPEDITED)->first->head.seq, 1);
	assert_int_equal(lanes_count(l), 3);
	assert_int_equal(lanes_oldest(l), 1);
	lanes_free(l);
}

/* One key with two priorities has two lanes; each priority is taken by itself, in order. */
static void priorities_have_lanes_of_their_own(void **state)
{
	(void)state;
	struct lanes *l = lanes_new();
	for (int64_t i = 1; i <= 9; i++) {
		struct delivery_head h = head_of(i, 7, 0);
		h.priority = (uint8_t)(i % PRIORITIES);
		assert_true(lanes_add(l, &h, 10));
	}
	for (int p = 0; p < PRIORITIES; p++)
		assert_int_equal(lanes_count_of(l, (enum delivery_priority)p), 3);
	struct lane *bulk = lanes_take(l, PRIORITY_BULK);
	assert_int_equal(bulk->first->head.seq, 2);
	assert_false(lanes_ready(l, PRIORITY_BULK));
	assert_true(lanes_ready(l, PRIORITY_NORMAL));
	lanes_hurry(l, 7, 5);
	assert_true(lanes_remove(l, 7, 5, 10));
	assert_false(lanes_remove(l, 7, 2, 10)); /* under way */
	lanes_settle(l, bulk, bulk->first, 10);
	assert_int_equal(lanes_take(l, PRIORITY_BULK)->first->head.seq, 8);
	assert_int_equal(lanes_count(l), 7);
	lanes_free(l);
}

/* What is replayed is bulk, and yet in line with the live ones of its key, which make the lane as urgent as they are.
 */
static void replayed_ones_keep_their_place(void **state)
{
	(void)state;
	struct lanes *l = lanes_new();
	struct delivery_head h = head_of(2, 7, 0), other = head_of(3, 8, 0);
	h.priority = other.priority = PRIORITY_BULK;
	h.replayed = other.replayed = true;
	h.live = other.live = PRIORITY_NORMAL;
	assert_true(lanes_add(l, &h, 10));
	assert_true(lanes_add(l, &other, 10));
	assert_false(lanes_ready(l, PRIORITY_NORMAL));
	struct delivery_head live = head_of(5, 7, 0);
	live.priority = PRIORITY_NORMAL;
	assert_true(lanes_add(l, &live, 10));
	h.seq = 1;
	assert_true(lanes_add(l, &h, 10));
	h.seq = 4;
	assert_true(lanes_add(l, &h, 10));
	assert_false(lanes_add(l, &h, 10));
	for (int64_t wanted[] = {1, 2, 4, 5}, i = 0; i < 4; i++) {
		struct lane *lane = lanes_take(l, PRIORITY_NORMAL);
		assert_non_null(lane);
		assert_int_equal(lane->first->head.seq, wanted[i]);
		assert_false(lanes_ready(l, PRIORITY_NORMAL));
		lanes_settle(l, lane, lane->first, 10);
	}
	/* The other key has no live one: it is as bulk as before. */
	assert_int_equal(lanes_count_of(l, PRIORITY_BULK), 1);
	struct lane *bulk = lanes_take(l, PRIORITY_BULK);
	assert_int_equal(bulk->first->head.seq, 3);
	/* One that is under way is not overtaken, and the lane is urgent when it comes back. */
	live.key = 8;
	live.seq = 9;
	assert_true(lanes_add(l, &live, 10));
	assert_false(lanes_any_ready(l));
	lanes_put_back(l, bulk, 0, false);
	assert_false(lanes_ready(l, PRIORITY_BULK));
	assert_int_equal(lanes_take(l, PRIORITY_NORMAL)->first->head.seq, 3);
	assert_true(lanes_remove(l, 8, 9, 10));
	lanes_free(l);
}

/* Several of one lane are under way: the lane waits for the last of them, and goes on with what is left, in order. */
static void a_lane_gives_several(void **state)
{
	(void)state;
	struct lanes *l = lanes_new();
	struct lane_entry *e[4];
	for (int64_t i = 1; i <= 4; i++) {
		struct delivery_head h = head_of(10 * i, 1, 0);
		assert_true(lanes_add(l, &h, 10));
	}
	struct lane *lane = lanes_take(l, PRIORITY_EXPEDITED);
	e[0] = lane->first;
	for (int i = 1; i < 3; i++)
		e[i] = lanes_take_more(lane);
	assert_int_equal(e[2]->head.seq, 30);
	lanes_settle(l, lane, e[1], 10);
	lanes_put_back(l, lane, 500, true);
	assert_false(lanes_any_ready(l));
	struct delivery_head late = head_of(5, 1, 0); /* nothing gets before what was taken once */
	assert_true(lanes_add(l, &late, 10));
	lanes_settle(l, lane, e[2], 20);
	assert_int_equal(lanes_next_due(l), 500);
	lanes_hasten(l);
	for (int64_t wanted[] = {10, 5, 40}, i = 0; i < 3; i++) {
		lane = lanes_take(l, PRIORITY_EXPEDITED);
		assert_int_equal(lane->first->head.seq, wanted[i]);
		lanes_settle(l, lane, lane->first, 20);
	}
	assert_int_equal(lanes_count(l), 0);
	lanes_free(l);
}

static void one_is_set_aside(void **state)
{
	(void)state;
	struct lanes *l = lanes_new();
	for (int64_t i = 1; i <= 3; i++) {
		struct delivery_head h = head_of(i, 1, 0);
		assert_true(lanes_add(l, &h, 10));
	}
	struct lane *lane = lanes_take(l, PRIORITY_EXPEDITED);
	lanes_set_aside(l, lane, lane->first, 700, 10);
	lane = lanes_take(l, PRIORITY_EXPEDITED);
	assert_int_equal(lane->first->head.seq, 2);
	assert_int_equal(lanes_next_due(l), 700);
	lanes_hurry(l, 1, 1); /* an operator finds it by its key */
	struct lane *aside = lanes_take(l, PRIORITY_EXPEDITED);
	assert_int_equal(aside->first->head.seq, 1);
	lanes_put_back(l, aside, 900, false);
	assert_true(lanes_remove(l, 1, 1, 10));
	lanes_settle(l, lane, lane->first, 10);
	assert_int_equal(lanes_count(l), 1);
	lanes_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_operations),
	    cmocka_unit_test(keys_do_not_block_each_other),
	    cmocka_unit_test(priorities_have_lanes_of_their_own),
	    cmocka_unit_test(replayed_ones_keep_their_place),
	    cmocka_unit_test(a_lane_gives_several),
	    cmocka_unit_test(one_is_set_aside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
