/*
 * For orchestrate_property_test.c only: what channels are told of availability, what becomes of those deliveries, and
 * what the model says that they show.
 */
#ifndef ORCHESTRATE_PROPERTY_PUBLISH_H
#define ORCHESTRATE_PROPERTY_PUBLISH_H

#include "base/test_history.h"
#include "orchestrate/property_model.h"

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
	struct disk_row *row = disk_row(&w.disk, W_DELIVERY, &SV_INT(m.under_way[channel]), 1);
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

		disk_resolve(&w.txn.batch, r);
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

#endif
