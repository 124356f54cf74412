/*
 * Random histories of facts against a model: lots, kits, transfers, counts of the past, late facts, reversals, loading.
 *
 * The model knows nothing of entries or of what is taken back: what is on hand at a place is the last count and every
 * change that happened after its instant; of one instant, that was told after it.
 */
#include "base/test_history.h"
#include "orchestrate/world.h"

#define ITEMS      2 /* P is plain, L is kept by lots; kit K is two P and one L */
#define PLACES     2
#define LOTS       3 /* none, L1, L2: L2 expires before L1 */
#define STEPS      45
#define SEEDS      1500
#define FACTS      (STEPS + 1)
#define EACH(i, n) for (int i = 0; i < (n); i++)

struct change {
	int64_t at;
	int delta;
};

struct m_place {
	int states[STOCK_STATES]; /* FREE: not kept, it follows */
	int on_hand;
	int64_t counted_at;
	int counted_by; /* told */
	struct change changes[400];
	int change_count;
};

/* What a fact did to one place: so many of a state into another. */
struct m_effect {
	int item, place, lot, to_place;
	enum stock_state from, to;
	int n;
};

#define EFFECT(i, p, l, t, f, o, q)                                                                                    \
	(struct m_effect)                                                                                              \
	{                                                                                                              \
		.item = (i), .place = (p), .lot = (l), .to_place = (t), .from = (f), .to = (o), .n = (q)               \
	}

struct m_fact {
	char id[16];
	int64_t at;
	int told; /* its number, in the order of telling */
	struct m_effect effects[40];
	int count;
	bool reversed;
};

static struct world w;
static struct {
	struct m_place places[ITEMS][PLACES][LOTS];
	struct m_fact facts[FACTS];
	int fact_count;
	int told, telling; /* telling: which one is applied or taken back now */
} m;
static const char *const skus[] = {"P", "L", "K"}, *const names[PLACES] = {"A", "B"},
			 *const lots[LOTS] = {"", "L1", "L2"};
static const int taking[LOTS] = {2, 1, 0};

/* ---- the model ---- */

static int m_free(const struct m_place *p)
{
	int others = 0;

	for (int s = STOCK_HELD; s <= STOCK_DAMAGED; s++)
		others += p->states[s];
	return p->on_hand - others;
}

static void m_change(struct m_place *p, int64_t at, int delta)
{
	p->changes[p->change_count++] = (struct change){at, delta};
	p->on_hand += delta;
}

/* A later count has seen it already. */
static bool m_counted(const struct m_place *p, int64_t at)
{
	return at < p->counted_at || (at == p->counted_at && m.telling < p->counted_by);
}

static void m_effect(struct m_fact *f, struct m_effect e, int64_t at)
{
	struct m_place *p = &m.places[e.item][e.place][e.lot], *q = &m.places[e.item][e.to_place][e.lot];
	bool leaves = e.from <= STOCK_DAMAGED, enters = e.to <= STOCK_DAMAGED;

	if (e.n <= 0)
		return;
	if (f)
		f->effects[f->count++] = e;
	if (e.from != STOCK_FREE && e.from != STOCK_OUTSIDE)
		p->states[e.from] -= e.n;
	if (e.to != STOCK_FREE && e.to != STOCK_OUTSIDE)
		q->states[e.to] += e.n;
	if (p == q && leaves && enters)
		return;
	if (leaves && !m_counted(p, at))
		m_change(p, at, -e.n);
	if (enters && !m_counted(q, at))
		m_change(q, at, e.n);
}

/* Out of free at a place: of the lot, or of what expires first; what is not there, of no lot. */
static void m_take(struct m_fact *f, int item, int place, int lot, enum stock_state to, int to_place, int n, int64_t at)
{
	EACH(i, LOTS)
	{
		int k = taking[i], there = m_free(&m.places[item][place][k]), part = there < n ? there : n;

		if ((lot && k != lot) || part <= 0)
			continue;
		m_effect(f, EFFECT(item, place, k, to_place, STOCK_FREE, to, part), at);
		n -= part;
	}
	m_effect(f, EFFECT(item, place, lot, to_place, STOCK_FREE, to, n), at);
}

static void m_count(int item, int place, int lot, int n, int64_t at)
{
	bool all = item == 1 && !lot;
	int then = 0;

	EACH(k, LOTS)
	if ((all || k == lot) && at < m.places[item][place][k].counted_at)
		return;
	EACH(k, LOTS)
	{
		struct m_place *p = &m.places[item][place][k];

		if (!all && k != lot)
			continue;
		then += p->on_hand;
		EACH(i, p->change_count)
		if (p->changes[i].at > at)
			then -= p->changes[i].delta;
	}
	if (n > then)
		m_effect(NULL, EFFECT(item, place, lot, place, STOCK_OUTSIDE, STOCK_FREE, n - then), at);
	EACH(i, LOTS)
	{
		struct m_place *p = &m.places[item][place][taking[i]];
		int part = m_free(p) < then - n ? m_free(p) : then - n;

		if ((!all && taking[i] != lot) || part <= 0)
			continue;
		m_effect(NULL, EFFECT(item, place, taking[i], place, STOCK_FREE, STOCK_OUTSIDE, part), at);
		then -= part;
	}
	m_effect(NULL, EFFECT(item, place, lot, place, STOCK_FREE, STOCK_OUTSIDE, then - n), at);
	EACH(k, LOTS)
	if (all || k == lot) {
		m.places[item][place][k].counted_at = at;
		m.places[item][place][k].counted_by = m.telling;
	}
}

/* ---- steps ---- */

static void apply(struct test_step *s, const char *id, enum movement_type type, struct movement_line *line, int64_t at,
		  const char *transfer)
{
	struct movement fact = {.type = type,
				.source = STR("wms"),
				.source_event_id = str_from(id),
				.occurred_at = at,
				.transfer_id = str_from(transfer),
				.line_count = 1,
				.lines = line};
	struct movement_result result;
	struct err e = ERR_NONE;

	snprintf(s->text, sizeof(s->text), "%s: %s %lld of " STR_FMT " at " STR_FMT " lot " STR_FMT ", %lld ms ago %s",
		 id, movement_type_name(type), (long long)(line->quantity / QTY_ONE), STR_ARG(line->sku),
		 STR_ARG(line->location), STR_ARG(line->lot), (long long)(w.now - at), transfer);
	assert_int_equal(stock_step_movement(w.stock, w.orders, &w.txn, &fact, &result, &e), RC_OK);
	m.telling = ++m.told;
}

static void step_fact(struct test_step *s)
{
	static const enum movement_type types[] = {MOVE_RECEIVE, MOVE_RECEIVE, MOVE_SHIP,  MOVE_SHIP,
						   MOVE_ADJUST,  MOVE_MOVE,    MOVE_SCRAP, MOVE_QUARANTINE};
	struct m_fact *f = &m.facts[m.fact_count];
	enum movement_type type = types[test_draw(s, COUNT(types))];
	int sku = test_draw(s, 3), place = test_draw(s, PLACES), lot = sku == 1 ? test_draw(s, LOTS) : 0,
	    n = 1 + test_draw(s, 6);
	bool transfer = test_draw(s, 2);
	int64_t at = w.now - (test_draw(s, 3) ? 0 : test_draw(s, 5000));
	struct movement_line line = {.sku = str_from(skus[sku]),
				     .location = str_from(names[place]),
				     .lot = str_from(lots[lot]),
				     .expires_on = lot ? 300 - 100 * lot : 0,
				     .to_location = str_from(names[!place]),
				     .quantity = Q(n)};

	*f = (struct m_fact){.at = at, .told = m.told + 1};
	snprintf(f->id, sizeof(f->id), "f%d", m.fact_count++);
	apply(s, f->id, type, &line, at, type == MOVE_MOVE && transfer ? "T" : "");
	EACH(item, ITEMS)
	{
		int of = sku == 2 ? n * (2 - item) : item == sku ? n : 0, left;
		struct m_place *p = &m.places[item][place][lot];

		if (!of)
			continue;
		if (type == MOVE_RECEIVE || type == MOVE_ADJUST)
			m_effect(f, EFFECT(item, place, lot, place, STOCK_OUTSIDE, STOCK_FREE, of), at);
		if (type == MOVE_SHIP)
			m_take(f, item, place, lot, STOCK_OUTSIDE, place, of, at);
		if (type == MOVE_QUARANTINE)
			m_take(f, item, place, lot, STOCK_QUARANTINED, place, of, at);
		if (type == MOVE_MOVE)
			m_take(f, item, place, lot, transfer ? STOCK_IN_TRANSIT : STOCK_FREE, !place, of, at);
		left = of;
		EACH(i, LOTS)
		{
			int there = m.places[item][place][taking[i]].states[STOCK_QUARANTINED];
			int part = there < left ? there : left;

			if (type != MOVE_SCRAP || (lot && taking[i] != lot) || part <= 0)
				continue;
			m_effect(f, EFFECT(item, place, taking[i], place, STOCK_QUARANTINED, STOCK_OUTSIDE, part), at);
			left -= part;
		}
		if (type == MOVE_SCRAP)
			m_take(f, item, place, lot, STOCK_OUTSIDE, place, left, at);
		(void)p;
	}
}

/* What was on its way arrives, told with a lot or without. */
static void step_arrive(struct test_step *s)
{
	struct m_fact *f = &m.facts[m.fact_count];
	int item = test_draw(s, ITEMS), place = test_draw(s, PLACES), lot = item ? test_draw(s, LOTS) : 0,
	    n = 1 + test_draw(s, 6);
	int order[LOTS + 2] = {lot, 0, 2, 1, 0};
	struct movement_line line = {.sku = str_from(skus[item]),
				     .location = str_from(names[place]),
				     .lot = str_from(lots[lot]),
				     .expires_on = lot ? 300 - 100 * lot : 0,
				     .quantity = Q(n)};

	*f = (struct m_fact){.at = w.now, .told = m.told + 1};
	snprintf(f->id, sizeof(f->id), "f%d", m.fact_count++);
	apply(s, f->id, MOVE_RECEIVE, &line, w.now, "T");
	EACH(i, (int)COUNT(order))
	{
		int there = m.places[item][place][order[i]].states[STOCK_IN_TRANSIT], part = there < n ? there : n;

		if (part <= 0)
			continue;
		m_effect(f, EFFECT(item, place, order[i], place, STOCK_IN_TRANSIT, STOCK_OUTSIDE, part), w.now);
		m_effect(f, EFFECT(item, place, lot, place, STOCK_OUTSIDE, STOCK_FREE, part), w.now);
		n -= part;
	}
	m_effect(f, EFFECT(item, place, lot, place, STOCK_OUTSIDE, STOCK_FREE, n), w.now);
}

static void step_count(struct test_step *s)
{
	int item = test_draw(s, ITEMS), place = test_draw(s, PLACES), lot = item ? test_draw(s, LOTS) : 0,
	    n = test_draw(s, 12);
	int64_t at = w.now - test_draw(s, 4000);
	const struct m_fact *same = m.fact_count ? &m.facts[test_draw(s, m.fact_count)] : NULL;
	struct movement_line line = {.sku = str_from(skus[item]),
				     .location = str_from(names[place]),
				     .lot = str_from(lots[lot]),
				     .expires_on = lot ? 300 - 100 * lot : 0,
				     .quantity = Q(n)};

	if (same && test_draw(s, 3) == 0)
		at = same->at;
	apply(s, "count", MOVE_COUNT, &line, at, "");
	m_count(item, place, lot, n, at);
}

static struct movement_undo undo_of(const char *id)
{
	const struct store_value *row = NULL;

	for (const struct store_write *r = w.txn.batch.first; r; r = r->next)
		if (r->statement == W_MOVEMENT && str_is(r->values[6].bytes, id))
			row = r->values;
	for (size_t i = 0; i < w.disk.count; i++)
		if (w.disk.rows[i].table == W_MOVEMENT && str_is(w.disk.rows[i].values[6].bytes, id))
			row = w.disk.rows[i].values;
	assert_non_null(row);
	return (struct movement_undo){.seq = row[0].integer, .occurred_at = row[3].integer, .entries = row[10].bytes};
}

/* As of when it was told to have happened. What is not there any more was cleared, or has arrived. */
static void m_back(struct m_effect back, int64_t at)
{
	bool kept = back.from != STOCK_FREE && back.from != STOCK_OUTSIDE;
	bool on_site = back.from == STOCK_QUARANTINED || back.from == STOCK_DAMAGED;
	int n = back.n, there = kept ? m.places[back.item][back.place][back.lot].states[back.from] : n;

	if (there < n) {
		back.n = there;
		m_effect(NULL, back, at);
		back.from = on_site ? STOCK_FREE : STOCK_OUTSIDE;
		back.n = n - there;
	}
	m_effect(NULL, back, at);
}

static void step_reverse(struct test_step *s)
{
	struct m_fact *f = m.fact_count ? &m.facts[test_draw(s, m.fact_count)] : NULL;
	struct movement fact = {.type = MOVE_REVERSE,
				.source = STR("wms"),
				.source_event_id = STR("reversal"),
				.occurred_at = w.now - test_draw(s, 3000)};
	struct movement_undo undo;
	bool taken[64] = {false}, chosen[64] = {false};
	struct movement_result result;
	struct err e = ERR_NONE;

	if (!f)
		return;
	snprintf(s->text, sizeof(s->text), "reverse %s%s", f->id, f->reversed ? " again" : "");
	EACH(i, (int)COUNT(taken))
	taken[i] = f->reversed;
	undo = undo_of(f->id);
	undo.taken = taken;
	undo.chosen = chosen;
	assert_true(stock_entry_count(undo.entries) < COUNT(taken));
	assert_int_equal(stock_step_reverse(w.stock, w.orders, &w.txn, &fact, &undo, &result, &e),
			 f->reversed ? RC_CONFLICT : RC_OK);
	if (f->reversed)
		return;
	f->reversed = true;
	m.telling = f->told;
	for (int i = f->count - 1; i >= 0; i--) {
		struct m_effect back = f->effects[i];

		back.place = f->effects[i].to_place;
		back.to_place = f->effects[i].place;
		back.from = f->effects[i].to;
		back.to = f->effects[i].from;
		m_back(back, f->at);
	}
}

static const char *check(void)
{
	EACH(item, ITEMS)
	EACH(place, PLACES)
	EACH(lot, LOTS)
	{
		const struct m_place *p = &m.places[item][place][lot];
		const struct stock_place *got = world_place(&w, skus[item], names[place], lots[lot]);

		EACH(st, STOCK_STATES)
		if ((got ? got->position.states[st] : 0) != Q(st == STOCK_FREE ? m_free(p) : p->states[st]))
			return "the states differ";
		if (got && lot && got->position.expires_on && got->position.expires_on != 300 - 100 * lot)
			return "the expiry differs";
		EACH(st, STOCK_STATES)
		if (st != STOCK_FREE && got && got->position.states[st] < 0)
			return "there is less than nothing in a state";
	}
	return NULL;
}

static const char *run_step(struct test_step *s)
{
	int kind = test_draw(s, 20);

	if (kind < 10)
		step_fact(s);
	else if (kind < 12)
		step_arrive(s);
	else if (kind < 15)
		step_count(s);
	else if (kind < 17)
		step_reverse(s);
	else if (kind < 18)
		w.txn.now = w.now += test_draw(s, 3000);
	else {
		snprintf(s->text, sizeof(s->text), "commit%s", kind == 19 ? ", and load" : "");
		world_commit(&w, (size_t)test_draw(s, 4));
		if (kind == 19)
			world_reload(&w);
	}
	return check();
}

static void begin(uint64_t seed)
{
	memset(&m, 0, sizeof(m));
	world_init(&w);
	w.random = seed;
	world_start(&w);
	world_record(&w, "P", "{\"sku\":\"P\"}");
	world_record(&w, "L", "{\"sku\":\"L\",\"tracking\":\"lot\"}");
	world_record(&w, "K",
		     "{\"sku\":\"K\",\"components\":[{\"sku\":\"P\",\"quantity\":\"2\"},"
		     "{\"sku\":\"L\",\"quantity\":\"1\"}]}");
}

static void end(void)
{
	world_done(&w);
}

static void test_facts(void **state)
{
	(void)state;
	test_histories(
	    &(struct test_history){.steps = STEPS, .seeds = SEEDS, .begin = begin, .step = run_step, .end = end});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_facts, test_history_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
