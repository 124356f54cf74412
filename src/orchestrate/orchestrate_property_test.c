/*
 * Random histories against a model.
 *
 * After every step the books must equal the model (property_model.h): states by item and place, orders line by line,
 * reservations. Besides: sums change only against the outside, nothing is promised that was not free, a reservation
 * ends once, what is published is what the model's formula says, and what is loaded from the rows equals what was in
 * memory.
 */
#include "base/test_history.h"
#include "orchestrate/property_model.h"

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

static void m_count(int item, int place, int n, int64_t at)
{
	int on_hand = 0;

	/* A later instant was counted already. */
	if (at < m.counted[item][place])
		return;
	m.counted[item][place] = at;
	for (int s = STOCK_FREE; s <= STOCK_DAMAGED; s++)
		on_hand += m.states[item][place][s];
	EACH(i, m.change_count)
	if (m.changes[i].at > at && m.changes[i].item == item && m.changes[i].place == place)
		on_hand -= m.changes[i].delta;
	m_move(item, place, STOCK_OUTSIDE, STOCK_FREE, n - on_hand, at);
	m_move(item, place, STOCK_FREE, STOCK_OUTSIDE, on_hand - n, at);
}

static void m_fact(enum movement_type type, int item, int p, int to, int n, bool purchase)
{
	int left = n;

	switch (type) {
	case MOVE_RECEIVE:
		if (purchase) {
			left = m_take(item, p, STOCK_IN_TRANSIT, STOCK_FREE, left);
			left = m_take(item, p, STOCK_ON_ORDER, STOCK_FREE, left);
		}
		m_move(item, p, STOCK_OUTSIDE, STOCK_FREE, left, w.now);
		return;
	case MOVE_ADJUST:
		m_move(item, p, STOCK_OUTSIDE, STOCK_FREE, n, w.now);
		m_move(item, p, STOCK_FREE, STOCK_OUTSIDE, -n, w.now);
		return;
	case MOVE_MOVE:
		if (to != p) {
			m_move(item, p, STOCK_FREE, STOCK_OUTSIDE, n, w.now);
			m_move(item, to, STOCK_OUTSIDE, STOCK_FREE, n, w.now);
		}
		return;
	case MOVE_QUARANTINE:
		m_move(item, p, STOCK_FREE, STOCK_QUARANTINED, n, w.now);
		return;
	case MOVE_CLEAR:
		left = m_take(item, p, STOCK_QUARANTINED, STOCK_FREE, left);
		m_move(item, p, STOCK_OUTSIDE, STOCK_FREE, left, w.now);
		return;
	case MOVE_SCRAP:
		left = m_take(item, p, STOCK_QUARANTINED, STOCK_OUTSIDE, left);
		m_move(item, p, STOCK_FREE, STOCK_OUTSIDE, left, w.now);
		return;
	case MOVE_RETURN:
		m_move(item, p, STOCK_OUTSIDE, STOCK_QUARANTINED, n, w.now);
		return;
	case MOVE_ORDER_IN:
		m_move(item, p, STOCK_OUTSIDE, STOCK_ON_ORDER, n, w.now);
		return;
	case MOVE_ANNOUNCE:
		left = m_take(item, p, STOCK_ON_ORDER, STOCK_IN_TRANSIT, left);
		m_move(item, p, STOCK_OUTSIDE, STOCK_IN_TRANSIT, left, w.now);
		return;
	case MOVE_PICK:
	case MOVE_SHIP:
	case MOVE_COUNT:
	case MOVE_REVERSE:
		fail_msg("has a step of its own");
	}
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

/* Where n of an item are, not counting what is planned; round 0: only where they fit whole. */
static int plan_at(struct m_hold *h, int planned[ITEMS][PLACES], int item, int p, int n, int round)
{
	int there = m_free_for(h->channel, item, p) - planned[item][p],
	    part = n > 0 && there > 0 && (round == 1 || there >= n) ? least(n, there) : 0;

	if (part && !planned[item][p])
		h->used[item][h->used_count[item]++] = p;
	planned[item][p] += part;
	return n - part;
}

/* Lines of a hold: at the first place that has all of them, else each where it fits whole, else split. Returns how much
 * of them there is not. */
static int plan_lines(struct m_hold *h, const int *items, const int *wants, int count, int planned[ITEMS][PLACES])
{
	int sums[ITEMS] = {0}, missing = 0;

	EACH(i, count)
	sums[items[i]] += wants[i];
	EACH(k, 2)
	{
		int p = sells_at[h->channel][k];
		bool all = true;

		EACH(i, ITEMS)
		all = all && m_free_for(h->channel, i, p) >= sums[i];
		if (!all)
			continue;
		EACH(i, ITEMS)
		plan_at(h, planned, i, p, sums[i], 0);
		return 0;
	}
	EACH(i, count)
	{
		int n = wants[i];

		EACH(round, 2)
		EACH(k, 2)
		n = plan_at(h, planned, items[i], sells_at[h->channel][k], n, round);
		missing += n;
	}
	return missing;
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
	fits = plan_lines(h, items, wants, count, planned) == 0 && fits;
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

/* ---- publishing ---- */

static void set_delivery(int64_t seq, enum delivery_status status)
{
	txn_put(&w.txn, W_DELIVERY_STATE, SV_INT(seq), SV_INT(status), SV_INT(1), SV_INT(0), SV_INT(w.now), SV_NULL,
		SV_NULL);
}

/* Not delivered: nobody knows what the channel shows. */
static void note_end(int channel, bool delivered)
{
	EACH(i, ITEMS)
	{
		struct m_told *t = &m.shown[channel][i];

		if (!t->in_flight)
			continue;
		t->believed = delivered ? most(0, t->sent - t->sold) : -1;
		if (!delivered)
			t->told = -1;
	}
}

static void note_landed(int channel)
{
	EACH(i, ITEMS)
	m.shown[channel][i].in_flight = false;
}

/* It shows something else; what is missing and we do not know of, it has sold. */
static void note_shown(int channel, int item, int shown)
{
	struct m_told *t = &m.shown[channel][item];

	if (t->in_flight && t->expected >= 0 && t->expected - t->sold > shown) {
		m.gap[channel][item] += t->expected - t->sold - shown;
		m.gap_until[channel][item] = w.now + 600000;
	}
	t->believed = t->told = m.told[channel][item] = shown;
}

/* What is believed outlives it. */
static void note_load(void)
{
	EACH(c, WORLD_CHANNELS)
	EACH(i, ITEMS)
	if (m.gap_until[c][i] <= w.now)
		m.gap[c][i] = 0;
}

static void end_delivery(int channel, enum publish_result result, const struct json *stale)
{
	note_end(channel, result == PUBLISH_DELIVERED);
	publish_end(w.publisher, w.channels[channel].system, m.under_way[channel], result, stale, w.now);
	set_delivery(m.under_way[channel], result == PUBLISH_DELIVERED ? DELIVERY_DELIVERED : DELIVERY_DEAD);
	m.under_way[channel] = 0;
	if (!stale)
		note_landed(channel);
}

static void forget_what_failed(int channel)
{
	struct world_row *row = world_row(&w, W_DELIVERY, &SV_INT(m.under_way[channel]), 1);
	struct json *params;

	assert_non_null(row);
	assert_int_equal(json_parse(&w.arena, row->values[9].bytes, NULL, &params, NULL), RC_OK);
	EACH(n, (int)json_get(params, "items")->count)
	EACH(i, ITEMS)
	if (str_is(json_get_text(&json_get(params, "items")->items[n], "sku"), skus[i]))
		m.told[channel][i] = -1;
}

static void step_delivery(struct test_step *s)
{
	int channel = test_draw(s, WORLD_CHANNELS), what = test_draw(s, 6);
	char text[96];
	struct json *stale;

	if (!m.under_way[channel])
		return;
	snprintf(s->text, sizeof(s->text), "availability of %s: %s", channel ? "market" : "shop",
		 what == 0   ? "failed"
		 : what == 1 ? "tried again"
		 : what == 2 ? "stale"
			     : "delivered");
	if (what == 0) {
		forget_what_failed(channel);
		end_delivery(channel, PUBLISH_FAILED, NULL);
	} else if (what == 1) {
		if (publish_start(w.publisher, w.channels[channel].system, m.under_way[channel], 1))
			return;
		set_delivery(m.under_way[channel], DELIVERY_SUPERSEDED);
		m.under_way[channel] = 0;
		note_end(channel, false);
		note_landed(channel);
	} else if (what == 2) {
		int item = test_draw(s, ITEMS), shown = test_draw(s, 5);

		snprintf(text, sizeof(text), "[{\"sku\":\"%s\",\"available\":\"%d\"}]", skus[item], shown);
		assert_int_equal(json_parse(&w.arena, str_from(text), NULL, &stale, NULL), RC_OK);
		end_delivery(channel, PUBLISH_DELIVERED, stale);
		note_shown(channel, item, shown);
		note_landed(channel);
	} else {
		end_delivery(channel, PUBLISH_DELIVERED, NULL);
	}
}

/* What this batch tells a channel is what the model says that it may sell. */
static const char *check_cuts(void)
{
	for (const struct store_write *r = w.txn.batch.first; r; r = r->next) {
		const struct json *items;
		struct json *params;
		int channel;

		world_resolve(&w, r);
		if (r->statement != W_DELIVERY || !str_is(r->values[3].bytes, "availability"))
			continue;
		channel = str_is(r->values[2].bytes, "market");
		if (m.under_way[channel])
			return "two deliveries of a channel's availability at once";
		m.under_way[channel] = r->values[0].integer;
		assert_int_equal(json_parse(&w.arena, r->values[9].bytes, NULL, &params, NULL), RC_OK);
		items = json_get(params, "items");
		for (uint32_t n = 0; n < items->count; n++) {
			qty_t available = -1, expected = -1;
			struct str text = json_get_text(&items->items[n], "expected");

			assert_int_equal(qty_parse(json_get_text(&items->items[n], "available"), &available, NULL),
					 RC_OK);
			EACH(i, ITEMS)
			{
				if (!str_is(json_get_text(&items->items[n], "sku"), skus[i]))
					continue;
				if (available != Q(m_sellable(channel, i)))
					return "published is not what may be sold";
				if (text.n)
					assert_int_equal(qty_parse(text, &expected, NULL), RC_OK);
				if (expected !=
				    (m.shown[channel][i].believed < 0 ? -1 : Q(m.shown[channel][i].believed)))
					return "what the channel shows is believed wrongly";
				m.told[channel][i] = m_sellable(channel, i);
				m.shown[channel][i] = (struct m_told){.believed = m.shown[channel][i].believed,
								      .told = m.told[channel][i],
								      .sent = m.told[channel][i],
								      .expected = m.shown[channel][i].believed,
								      .in_flight = true};
			}
		}
	}
	return NULL;
}

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
