/*
 * Random histories against a model.
 *
 * After every step the books must equal the model (property_model.h): states by item and place, orders line by line,
 * reservations. Besides: sums change only against the outside, nothing is promised that was not free, a reservation
 * ends once, what is published is what the model's formula says, and what is loaded from the rows equals what was in
 * memory.
 */
#include "base/test_history.h"
#include "orchestrate/property_publish.h"

/* ---- one step: a command to the books and to the model ---- */

static struct m_order *draw_order(struct test_step *s)
{
	int from = m.order_count ? test_draw(s, m.order_count) : 0;

	EACH(i, m.order_count)
	{
		struct m_order *o = &m.orders[(from + i) % m.order_count];

		if (o->status < ORDER_CLOSED)
			return o;
	}
	return NULL;
}

static struct m_hold *draw_hold(struct test_step *s)
{
	int from = m.hold_count ? test_draw(s, m.hold_count) : 0;

	EACH(i, m.hold_count)
	if (m.holds[(from + i) % m.hold_count].live)
		return &m.holds[(from + i) % m.hold_count];
	return NULL;
}

static struct order_open *open_order(const struct m_order *o)
{
	return order_find(w.orders, (struct str){o->id, UUID_TEXT});
}

static void step_fact(struct test_step *s)
{
	static const enum movement_type types[] = {MOVE_RECEIVE, MOVE_RECEIVE,    MOVE_RECEIVE, MOVE_ADJUST,
						   MOVE_MOVE,    MOVE_QUARANTINE, MOVE_CLEAR,   MOVE_SCRAP,
						   MOVE_RETURN,  MOVE_ORDER_IN,   MOVE_ANNOUNCE};
	enum movement_type type = types[test_draw(s, COUNT(types))];
	int item = test_draw(s, ITEMS), p = test_draw(s, PLACES), to = test_draw(s, PLACES), n = 1 + test_draw(s, 6);
	bool purchase = test_draw(s, 2);
	struct world_line line = {.sku = skus[item], .location = places[p], .to = places[to]};
	struct err e = ERR_NONE;

	if (type == MOVE_ADJUST && test_draw(s, 2))
		n = -n;
	line.quantity = Q(n);
	snprintf(s->text, sizeof(s->text), "%s %d of %s at %s to %s", movement_type_name(type), n, skus[item],
		 places[p], places[to]);
	assert_int_equal(
	    world_apply(&w, (struct world_fact){.type = type, .purchase_order_id = purchase ? "PO" : ""}, &line, 1, &e),
	    RC_OK);
	m_fact(type, item, p, to, n, purchase);
}

static void step_count(struct test_step *s)
{
	int item = test_draw(s, ITEMS), p = test_draw(s, PLACES), n = test_draw(s, 12);
	int64_t at = w.now - test_draw(s, 3) * 1000;
	struct world_line line = {.sku = skus[item], .location = places[p], .quantity = Q(n)};
	struct err e = ERR_NONE;

	snprintf(s->text, sizeof(s->text), "count %d of %s at %s, %d ms ago", n, skus[item], places[p],
		 (int)(w.now - at));
	assert_int_equal(world_apply(&w, (struct world_fact){.type = MOVE_COUNT, .occurred_at = at}, &line, 1, &e),
			 RC_OK);
	m_count(item, p, n, at);
}

static void step_ship_or_pick(struct test_step *s, bool ship)
{
	struct m_order *o = test_draw(s, 5) ? draw_order(s) : NULL;
	int item = test_draw(s, ITEMS), p = test_draw(s, PLACES), n = 1 + test_draw(s, 5), line = -1, left;
	struct world_fact fact = {.type = ship ? MOVE_SHIP : MOVE_PICK};
	enum stock_state to = ship ? STOCK_OUTSIDE : STOCK_PICKED;
	struct world_line in = {.sku = skus[item], .location = places[p], .quantity = Q(n)};
	char line_id[16];
	struct err e = ERR_NONE;

	if (o && test_draw(s, 4)) {
		line = test_draw(s, o->line_count);
		in.sku = skus[item = o->lines[line].item];
		snprintf(line_id, sizeof(line_id), "%d", line + 1);
		in.line_id = line_id;
	}
	if (o)
		fact.order_id = (struct str){o->id, UUID_TEXT};
	snprintf(s->text, sizeof(s->text), "%s %d of %s at %s for order %d line %d", ship ? "ship" : "pick", n,
		 skus[item], places[p], o ? (int)(o - m.orders) : -1, line);
	assert_int_equal(world_apply(&w, fact, &in, 1, &e), RC_OK);
	left = o ? m_of_order(o, item, p, line, to, n) : n;
	if (ship) {
		int loose, beyond = left;

		/* What the order is short of there is shipped out of what nobody owns. */
		loose = most(0, least(left, m_loose(item, p)));
		m_move(item, p, STOCK_PICKED, to, loose, w.now);
		m_move(item, p, STOCK_FREE, to, left - loose, w.now);
		if (o)
			m_shipped(o, item, line, beyond);
		return;
	}
	m_move(item, p, STOCK_FREE, to, left, w.now);
}

static void step_order(struct test_step *s)
{
	struct m_order *o = &m.orders[m.order_count];
	struct m_hold *h = test_draw(s, 3) ? NULL : draw_hold(s);
	struct world_line lines[LINES] = {{0}};
	struct order_open *made;

	*o = (struct m_order){
	    .channel = test_draw(s, WORLD_CHANNELS), .line_count = 1 + test_draw(s, LINES), .status = ORDER_CAPTURED};
	EACH(i, o->line_count)
	{
		o->lines[i] = (struct m_line){.item = test_draw(s, ITEMS), .ordered = 1 + test_draw(s, 5)};
		lines[i] = (struct world_line){.sku = skus[o->lines[i].item], .quantity = Q(o->lines[i].ordered)};
	}
	snprintf(s->text, sizeof(s->text), "order %d: %d lines, first %d of %s, by %s%s", m.order_count, o->line_count,
		 o->lines[0].ordered, lines[0].sku, o->channel ? "market" : "shop", h ? ", with a reservation" : "");
	made = world_order(&w, o->channel ? "market" : "shop", lines, (size_t)o->line_count,
			   h ? hold_find(w.holds, str_from(h->id)) : NULL);
	assert_non_null(made);
	EACH(i, o->line_count)
	m_sold(o->channel, o->lines[i].item, o->lines[i].ordered);
	memcpy(o->id, made->order_id.p, UUID_TEXT);
	m.order_count++;
	if (h)
		m_end(h, o);
	m_decide(o);
}

static void step_cancel(struct test_step *s)
{
	struct m_order *o = draw_order(s);
	bool may = true;
	struct err e = ERR_NONE;

	if (!o)
		return;
	snprintf(s->text, sizeof(s->text), "cancel order %d", (int)(o - m.orders));
	EACH(i, o->line_count)
	{
		may = may && o->lines[i].shipped == 0;
		EACH(p, PLACES)
		may = may && o->lines[i].released[p] == 0 && o->lines[i].picked[p] == 0;
	}
	assert_int_equal(order_step_cancel(w.orders, &w.txn, open_order(o), STR("why not"), &e),
			 may ? RC_OK : RC_CONFLICT);
	order_step_restock(w.orders, &w.txn);
	if (!may)
		return;
	EACH(i, o->line_count)
	{
		EACH(p, PLACES)
		m_give_back(o->channel, &o->lines[i], p, STOCK_ALLOCATED, o->lines[i].allocated[p]);
		o->lines[i].backordered = 0;
		o->lines[i].cancelled = o->lines[i].ordered;
	}
	o->status = ORDER_CANCELLED;
}

static void step_answer(struct test_step *s)
{
	struct m_order *o = draw_order(s);
	int what = test_draw(s, 4);

	if (!o)
		return;
	snprintf(s->text, sizeof(s->text), "order %d is %s", (int)(o - m.orders),
		 what == 0   ? "refused"
		 : what == 1 ? "released"
			     : "accepted");
	if (what == 0) {
		order_step_refused(w.orders, &w.txn, open_order(o), "order_refused", STR("no"));
		if (!o->posted)
			o->status = ORDER_ON_HOLD;
	} else if (what == 1) {
		order_step_released(w.orders, &w.txn, open_order(o));
		if (o->status == ORDER_ACCEPTED)
			o->status = ORDER_RELEASED;
	} else {
		order_step_accepted(w.orders, &w.txn, open_order(o), 1, test_draw(s, 2) ? STR("SO-1") : STR(""));
		if (!o->posted) {
			o->posted = true;
			o->status = (enum order_status)most((int)o->status, ORDER_ACCEPTED);
			m_release(o);
		}
	}
	order_step_restock(w.orders, &w.txn);
}

static void step_hold(struct test_step *s)
{
	struct m_hold *h = &m.holds[m.hold_count];
	struct movement_line lines[LINES];
	int count = 1 + test_draw(s, LINES), planned[ITEMS][PLACES] = {{0}}, items[LINES], wants[LINES],
	    asked[ITEMS] = {0}, any = 0;
	bool partial = test_draw(s, 4) == 0, fits = true;
	struct hold_request r = {.partial = partial, .line_count = (size_t)count, .lines = lines};
	struct hold *made = NULL;
	struct str shortage;

	*h = (struct m_hold){.channel = test_draw(s, WORLD_CHANNELS), .expires_at = w.now + 900000};
	snprintf(h->id, sizeof(h->id), "h%d", m.hold_count++);
	EACH(i, count)
	{
		int limit;

		items[i] = test_draw(s, ITEMS);
		wants[i] = 1 + test_draw(s, 5);
		lines[i] = (struct movement_line){.sku = str_from(skus[items[i]]), .quantity = Q(wants[i])};
		limit = h->channel == 1 ? most(0, m_sellable(1, items[i]) - asked[items[i]]) : 1000;
		if (wants[i] > limit) {
			fits = false;
			wants[i] = partial ? limit : 0;
		}
		asked[items[i]] += wants[i];
	}
	fits = m_plan(h, items, wants, count, planned) == 0 && fits;
	EACH(i, ITEMS)
	EACH(p, PLACES)
	any += planned[i][p];
	fits = partial ? any > 0 : fits;
	snprintf(s->text, sizeof(s->text), "hold %s: %d lines, first %s, by %s%s", h->id, count, skus[items[0]],
		 h->channel ? "market" : "shop", partial ? ", what there is" : "");
	r.reservation_id = str_from(h->id);
	r.channel = str_from(h->channel ? "market" : "shop");
	assert_int_equal(world_place_hold(&w, &r, &made, &shortage), fits ? RC_OK : RC_CONFLICT);
	if (!fits)
		return;
	h->live = true;
	memcpy(h->held, planned, sizeof(planned));
	EACH(item, ITEMS)
	EACH(p, PLACES)
	{
		m_promise(item, p, STOCK_HELD, planned[item][p]);
		m_use(h->channel, item, p, planned[item][p]);
	}
}

static void step_fence(struct test_step *s)
{
	int channel = test_draw(s, WORLD_CHANNELS), item = test_draw(s, ITEMS), p = test_draw(s, PLACES),
	    n = test_draw(s, 8);

	snprintf(s->text, sizeof(s->text), "ring-fence %d of %s at %s for %s", n, skus[item], places[p],
		 channel ? "market" : "shop");
	fence_set(w.stock, stock_find(w.stock, str_from(skus[item])), (uint16_t)channel, (uint16_t)p, Q(n));
	order_step_restock(w.orders, &w.txn);
	m.fences[channel][item][p] = (struct m_fence){.quantity = n};
}

/* A part of what is held of one item at one place; now and then more than that. */
static void commit_part(struct test_step *s, struct m_hold *h, struct m_order *o)
{
	int item = test_draw(s, ITEMS), place = test_draw(s, PLACES), n = 1 + test_draw(s, 4);
	struct movement_line line = {
	    .sku = str_from(skus[item]), .location = str_from(places[place]), .quantity = Q(n)};
	bool keep = test_draw(s, 2), fits = n <= h->held[item][place], kept;
	struct err e = ERR_NONE;

	snprintf(s->text, sizeof(s->text), "commit %d of %s at %s of %s, order %d%s", n, skus[item], places[place],
		 h->id, (int)(o - m.orders), keep ? ", keep the rest" : "");
	assert_int_equal(hold_step_commit_part(w.holds, &w.txn, hold_find(w.holds, str_from(h->id)), open_order(o),
					       &line, 1, keep, &kept, &e),
			 fits ? RC_OK : RC_CONFLICT);
	if (!fits)
		return;
	order_step_given(w.orders, &w.txn, open_order(o));
	order_step_restock(w.orders, &w.txn);
	m_end_part(h, o, item, place, n, keep);
	assert_int_equal(kept, h->live);
	m_given(o);
}

static void step_end_hold(struct test_step *s)
{
	struct m_hold *h = draw_hold(s);
	struct m_order *o = test_draw(s, 2) ? draw_order(s) : NULL;
	bool part = o && test_draw(s, 2);

	if (!h)
		return;
	if (part) {
		commit_part(s, h, o);
		return;
	}
	snprintf(s->text, sizeof(s->text), "%s %s, order %d", o ? "commit" : "void", h->id,
		 o ? (int)(o - m.orders) : -1);
	if (o) {
		hold_step_commit(w.holds, &w.txn, hold_find(w.holds, str_from(h->id)), open_order(o));
		order_step_given(w.orders, &w.txn, open_order(o));
	} else {
		hold_step_end(w.holds, &w.txn, hold_find(w.holds, str_from(h->id)), HOLD_VOIDED);
	}
	order_step_restock(w.orders, &w.txn);
	m_end(h, o);
	if (o)
		m_given(o);
}

static void step_time(struct test_step *s)
{
	w.now += test_draw(s, 6) ? 500 + test_draw(s, 1000) : 900000;
	w.txn.now = w.stock->now = w.now;
	snprintf(s->text, sizeof(s->text), "time is %lld", (long long)w.now);
	while (hold_step_expire(w.holds, &w.txn, 1))
		;
	order_step_restock(w.orders, &w.txn);
	EACH(i, m.hold_count)
	if (m.holds[i].live && m.holds[i].expires_at <= w.now)
		m_end(&m.holds[i], NULL);
}

/* ---- the end of a batch ---- */

/* A reservation ends once. */
static const char *check_ends(void)
{
	static const char *const types[] = {"reservation.committed", "reservation.voided", "reservation.expired"};

	for (const struct store_write *r = w.txn.batch.first; r; r = r->next) {
		EACH(t, (int)COUNT(types))
		EACH(i, m.hold_count)
		if (r->statement == W_EVENT && str_is(r->values[3].bytes, types[t]) &&
		    str_is(r->values[4].bytes, m.holds[i].id))
			m.holds[i].ended++;
	}
	EACH(i, m.hold_count)
	if (m.holds[i].ended > 1 || (m.holds[i].live && m.holds[i].ended))
		return "a reservation ended twice";
	return NULL;
}

static const char *commit(struct test_step *s, bool reload)
{
	const char *wrong;
	int flush = s ? test_draw(s, 5) : 9;

	if (s)
		snprintf(s->text, sizeof(s->text), "commit, %d rows%s", flush, reload ? ", and load" : "");
	world_finish(&w, (size_t)flush);
	wrong = check_cuts();
	if (!wrong)
		wrong = check_ends();
	world_committed(&w);
	if (reload) {
		world_reload(&w);
		note_load();
		EACH(i, m.order_count)
		EACH(n, m.orders[i].line_count)
		m_load_line(&m.orders[i].lines[n]);
	}
	return wrong;
}

/* ---- the checks after each step ---- */

static const char *check_states(void)
{
	EACH(i, ITEMS)
	{
		qty_t sum = 0;

		EACH(p, PLACES)
		EACH(state, STOCK_STATES)
		{
			qty_t got = world_state(&w, skus[i], places[p], (enum stock_state)state);

			sum += got;
			if (got != Q(m.states[i][p][state]))
				return "the states differ";
		}
		if (sum != Q(m.entered[i]))
			return "the sum is not what entered";
	}
	return m.oversold ? "promised what was not free" : NULL;
}

static const char *check_line(const struct m_line *l, const struct order_line_open *got)
{
	EACH(p, PLACES)
	{
		struct allocation sum = {0};

		for (uint32_t i = 0; i < got->allocation_count; i++)
			if (got->allocations[i].place->position.location == p)
				sum = got->allocations[i];
		if (sum.allocated != Q(l->allocated[p]) || sum.picked != Q(l->picked[p]))
			return "an allocation differs";
		if (sum.released != Q(l->released[p]))
			return "what is released differs";
	}
	if (got->shipped != Q(l->shipped) || got->cancelled != Q(l->cancelled) || got->backordered != Q(l->backordered))
		return "the quantities of a line differ";
	if (m_open(l) != l->backordered)
		return "the quantities of a line do not add up";
	return NULL;
}

static const char *check_orders(void)
{
	int open = 0;

	EACH(n, m.order_count)
	{
		const struct m_order *o = &m.orders[n];
		const struct order_open *got = open_order(o);

		if (o->status >= ORDER_CLOSED) {
			EACH(i, o->line_count)
			EACH(p, PLACES)
			if (o->lines[i].allocated[p] || o->lines[i].picked[p] || o->lines[i].backordered)
				return "a closed order has stock";
			continue;
		}
		open++;
		if (!got)
			return "an order is missing";
		if (got->status != o->status || got->posted != o->posted)
			return "the status of an order differs";
		EACH(i, o->line_count)
		{
			const char *wrong = check_line(&o->lines[i], &got->lines[i]);

			if (wrong)
				return wrong;
		}
	}
	return (int)w.orders->orders.count < open ? "orders are missing" : NULL;
}

static const char *check_holds(void)
{
	size_t live = 0;

	EACH(i, m.hold_count)
	{
		live += m.holds[i].live;
		if (m.holds[i].live != (hold_find(w.holds, str_from(m.holds[i].id)) != NULL))
			return "a reservation differs";
	}
	return live != w.holds->heap_count ? "reservations in the heap" : NULL;
}

static const char *run_step(struct test_step *s)
{
	const char *wrong = NULL;
	int kind = test_draw(s, 26);

	if (kind < 6)
		step_fact(s);
	else if (kind < 7)
		step_count(s);
	else if (kind < 9)
		step_ship_or_pick(s, true);
	else if (kind < 10)
		step_ship_or_pick(s, false);
	else if (kind < 13)
		step_order(s);
	else if (kind < 14)
		step_cancel(s);
	else if (kind < 16)
		step_answer(s);
	else if (kind < 18)
		step_hold(s);
	else if (kind < 19)
		step_end_hold(s);
	else if (kind < 20)
		step_time(s);
	else if (kind < 22)
		step_delivery(s);
	else if (kind < 23)
		step_fence(s);
	else
		wrong = commit(s, kind == 25);
	m_restock();
	if (!wrong)
		wrong = check_states();
	if (!wrong)
		wrong = check_orders();
	if (!wrong)
		wrong = check_holds();
	return wrong;
}

/* When all is delivered, every channel has been told the last number, unless a person has to look at its failure. */
static const char *settle(void)
{
	const char *wrong = NULL;

	EACH(round, 4)
	{
		if (!wrong)
			wrong = commit(NULL, false);
		EACH(c, WORLD_CHANNELS)
		if (m.under_way[c])
			end_delivery(c, PUBLISH_DELIVERED, NULL);
	}
	EACH(c, WORLD_CHANNELS)
	EACH(i, ITEMS)
	if (!wrong && m.told[c][i] >= 0 && m.told[c][i] != m_sellable(c, i))
		wrong = "a channel was not told";
	return wrong;
}

/* ---- histories ---- */

static void begin(uint64_t seed)
{
	memset(&m, 0, sizeof(m));
	world_init(&w);
	w.random = seed;
	w.locations[2].safety_stock = Q(1);
	w.channels[1].strict = true;
	w.channels[1].share_ppm = 500000;
	w.channels[1].buffer = Q(1);
	world_start(&w);
	EACH(i, ITEMS)
	stock_item_make(w.stock, &w.txn, str_from(skus[i]), STR_NONE);
	EACH(c, WORLD_CHANNELS)
	EACH(i, ITEMS)
	m.shown[c][i].believed = m.shown[c][i].told = -1;
}

static void end(void)
{
	world_done(&w);
}

static void test_books(void **state)
{
	(void)state;
	test_histories(&(struct test_history){
	    .steps = STEPS, .seeds = SEEDS, .begin = begin, .step = run_step, .settle = settle, .end = end});
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_books, test_history_teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
