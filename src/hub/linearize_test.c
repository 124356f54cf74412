/*
 * Are concurrent reservations linearizable? Threads submit holds and voids to a running hub and wait for each answer.
 * Invocations and returns are numbered by one counter. The history of each item must then have an order of its
 * operations that keeps to these numbers (what had returned before another began comes before it) and in which every
 * answer is the one that a plain counter gives: a hold fits or not, and a refusal says exactly what there is.
 *
 * The search is Wing and Gong's ("Testing and verifying concurrent objects", 1993), item by item, for linearizability
 * is local (Herlihy and Wing, 1990). A thread's operations follow each other, so a set of operations that are done is a
 * number for each thread, and the counter follows from the set: sets that led nowhere are remembered (Lowe), which
 * bounds the search.
 */
#include "hub/test_commands.h"

#include "base/map.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#define THREADS 6
#define STEPS   120
#define SKUS    2
#define STOCK   12

struct op {
	int64_t invoked, returned;
	int sku, quantity; /* negative: a void of so many */
	bool good;
	int there; /* what a refusal says there is */
};

struct history {
	struct op ops[STEPS];
	int count;
};

static _Atomic int64_t tick;
static struct history histories[THREADS];
static const char *const skus[SKUS] = {"A", "B"};

/* ---- the search ---- */

struct search {
	const struct op *ops[THREADS][STEPS]; /* of one item */
	int counts[THREADS];
	struct map seen;
	struct arena arena;
};

static bool may_be_next(const struct search *s, const uint8_t *at, int thread)
{
	int64_t invoked = s->ops[thread][at[thread]]->invoked;

	for (int t = 0; t < THREADS; t++)
		if (t != thread && at[t] < s->counts[t] && s->ops[t][at[t]]->returned < invoked)
			return false;
	return true;
}

static bool agrees(const struct op *o, int there)
{
	if (o->quantity < 0)
		return o->good;
	return o->good ? o->quantity <= there : o->quantity > there && o->there == there;
}

static bool search(struct search *s, uint8_t *at, int there)
{
	struct str key = {(const char *)at, THREADS};
	bool done = true;

	for (int t = 0; t < THREADS; t++)
		done = done && at[t] == s->counts[t];
	if (done)
		return true;
	if (map_get(&s->seen, key))
		return false;
	for (int t = 0; t < THREADS; t++) {
		const struct op *o;

		if (at[t] == s->counts[t] || !may_be_next(s, at, t))
			continue;
		o = s->ops[t][at[t]];
		if (!agrees(o, there))
			continue;
		at[t]++;
		if (search(s, at, o->good ? there - o->quantity : there))
			return true;
		at[t]--;
	}
	key = arena_copy(&s->arena, key);
	assert_int_equal(map_put(&s->seen, key, s), RC_OK);
	return false;
}

static bool linearizable(int sku)
{
	static struct search s;
	uint8_t at[THREADS] = {0};
	bool good;

	map_init(&s.seen, 1u << 24);
	arena_init(&s.arena, 1u << 30);
	for (int t = 0; t < THREADS; t++) {
		s.counts[t] = 0;
		for (int i = 0; i < histories[t].count; i++)
			if (histories[t].ops[i].sku == sku)
				s.ops[t][s.counts[t]++] = &histories[t].ops[i];
	}
	good = search(&s, at, STOCK);
	map_done(&s.seen);
	arena_done(&s.arena);
	return good;
}

/* ---- the hub under load ---- */

struct waiting {
	sem_t done;
	int status, there;
	char id[64];
};

static void answered(struct command *c, void *ctx)
{
	struct waiting *w = ctx;
	const char *short_of = strstr(c->answer.body.p, "\"available\":\""),
		   *id = strstr(c->answer.body.p, "\"reservation_id\":\"");

	w->status = c->answer.status;
	w->there = short_of ? (int)strtol(short_of + strlen("\"available\":\""), NULL, 10) : 0;
	w->id[0] = '\0';
	if (id)
		sscanf(id + strlen("\"reservation_id\":\""), "%63[^\"]", w->id);
	sem_post(&w->done);
}

static void submit(struct command *c, struct waiting *w)
{
	c->source = STR("shop");
	c->correlation_id = STR("c");
	c->done = answered;
	c->ctx = w;
	assert_int_equal(hub_submit(world.hub, c), RC_OK);
	while (sem_wait(&w->done) != 0)
		continue;
	command_free(c);
}

static struct command *hold(int sku, int quantity)
{
	struct command *c = command_new(COMMAND_HOLD);
	struct movement_line *line = arena_new(&c->arena, struct movement_line);

	assert_true(command_holds(c, 1, false));
	*line = (struct movement_line){.sku = str_from(skus[sku]), .quantity = quantity * QTY_ONE};
	c->holds.items[0].request = (struct hold_request){.channel = STR("shop"), .line_count = 1, .lines = line};
	return c;
}

static void *load(void *ctx)
{
	struct history *h = ctx;
	uint64_t random = 77 + (uint64_t)(h - histories);
	struct held {
		char id[64];
		int sku, quantity;
	} held[STEPS];
	int holding = 0;
	struct waiting w = {.status = 0};

	sem_init(&w.done, 0, 0);
	for (; h->count < STEPS; h->count++) {
		struct op *o = &h->ops[h->count];
		struct command *c;

		/* Few are kept, so that the stock is short all the time and given back all the time. */
		if (holding > 0 && test_random(&random) % 5 < (uint64_t)(holding > 2 ? 4 : 2)) {
			struct held *last = &held[test_random(&random) % (uint64_t)holding];

			c = command_new(COMMAND_HOLD_VOID);
			c->target = arena_copy(&c->arena, str_from(last->id));
			*o = (struct op){.sku = last->sku, .quantity = -last->quantity};
			*last = held[--holding];
		} else {
			*o = (struct op){.sku = (int)(test_random(&random) % SKUS),
					 .quantity = 1 + (int)(test_random(&random) % 4)};
			c = hold(o->sku, o->quantity);
		}
		o->invoked = atomic_fetch_add(&tick, 1);
		submit(c, &w);
		o->returned = atomic_fetch_add(&tick, 1);
		o->good = w.status < 300;
		o->there = w.there;
		if (o->quantity < 0 || !o->good)
			continue;
		held[holding] = (struct held){.sku = o->sku, .quantity = o->quantity};
		memcpy(held[holding++].id, w.id, sizeof(w.id));
	}
	sem_destroy(&w.done);
	return NULL;
}

static void test_concurrent_reservations_are_linearizable(void **state)
{
	pthread_t threads[THREADS];
	struct err e = ERR_NONE;
	int refused = 0, overlaps = 0;
	struct op *victim = NULL;

	(void)state;
	do_command(make_move("receive", "1", world_text("A:%d", STOCK)));
	do_command(make_move("receive", "2", world_text("B:%d", STOCK)));
	memset(histories, 0, sizeof(histories));
	assert_int_equal(hub_start(world.hub, &e), RC_OK);
	for (int t = 0; t < THREADS; t++)
		assert_int_equal(pthread_create(&threads[t], NULL, load, &histories[t]), 0);
	for (int t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	hub_stop(world.hub);
	for (int t = 0; t < THREADS; t++)
		for (int i = 0; i < STEPS; i++) {
			struct op *o = &histories[t].ops[i];

			refused += !o->good;
			overlaps += o->returned - o->invoked > 1;
			if (!o->good)
				victim = o;
		}
	assert_true(refused > 0 && overlaps > 0);
	for (int sku = 0; sku < SKUS; sku++)
		if (!linearizable(sku))
			fail_msg("the history of %s has no order that explains it", skus[sku]);
	/* It would notice: a refusal that saw another number, a hold that went over what there is. */
	victim->there += STOCK;
	assert_false(linearizable(victim->sku));
	victim->there -= STOCK;
	victim->good = true;
	victim->quantity = STOCK + 1;
	assert_false(linearizable(victim->sku));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_concurrent_reservations_are_linearizable, world_set_up,
					    world_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
