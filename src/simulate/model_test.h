/* For *_test.c only: a model that has seen five A-1 at east, an order o0 of three and a reservation r0 of two, and the
 * rows that break it. */
#ifndef SIMULATE_MODEL_TEST_H
#define SIMULATE_MODEL_TEST_H

#include "simulate/model.h"

#include "base/test.h"

#include <stdio.h>
#include <string.h>

static struct model *m;
static struct buf entries;

static inline void entry(int item, int place, enum stock_state from, enum stock_state to, int quantity)
{
	const struct entry e = {.sku = str_from(model_items[item]),
				.location = str_from(model_places[place]),
				.from = from,
				.to = to,
				.quantity = quantity * QTY_ONE};

	entry_pack(&entries, &e, &(uint32_t){0});
}

static inline void movement(const char *type, const char *event, const char *order, const char *reason)
{
	const struct model_movement row = {m->movement + 1, str_from(type),   str_from(event),
					   str_from(order), str_from(reason), buf_str(&entries)};

	model_take_movement(m, &row);
	buf_reset(&entries);
}

static inline void event(const char *type, const char *subject, const char *data)
{
	const struct model_event row = {m->position + 1, 1000, str_from(type), str_from(subject), str_from(data)};

	model_take_event(m, &row);
}

static inline void fact(enum movement_type type, int quantity)
{
	m->facts[m->fact_count++] = (struct model_fact){
	    .type = type, .at = 1000, .lines = {{.item = 0, .place = 0, .quantity = quantity}}, .line_count = 1};
}

static inline int setup(void **state)
{
	struct model_policy p = {.channels = {{.place_count = 1, .share_ppm = 1000000, .cap = -1, .strict = true},
					      {.place_count = 1, .share_ppm = 500000, .cap = -1}}};

	(void)state;
	m = model_new(&p);
	buf_init(&entries, 1u << 16);
	fact(MOVE_RECEIVE, 5);
	entry(0, 0, STOCK_OUTSIDE, STOCK_FREE, 5);
	movement("receive", "m0", "", "");
	m->orders[0] = (struct model_order){.lines = {{.item = 0, .quantity = 3}}, .line_count = 1, .ordered = {3}};
	m->order_count = 1;
	event("order.captured", "order-0", "{\"external_id\":\"o0\"}");
	m->holds[0] = (struct model_hold){.wanted = {2}};
	m->hold_count = 1;
	model_check(m);
	assert_string_equal(m->broken, "");
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	model_free(m);
	buf_done(&entries);
	return 0;
}

static inline void finds(const char *words)
{
	model_check(m);
	model_check_told(m);
	if (!strstr(m->broken, words))
		fail_msg("found '%s', not '%s'", m->broken, words);
}

#define HELD                                                                                                           \
	"{\"expires_at\":\"2026-03-01T12:00:00Z\",\"lines\":[{\"sku\":\"A-1\",\"quantity\":\"2\",\"location\":"        \
	"\"east\"}]}"

static inline void lot_entry(const char *lot, const char *owner, enum stock_state from, enum stock_state to,
			     int quantity)
{
	const struct entry e = {.sku = str_from(model_items[0]),
				.location = str_from(model_places[0]),
				.lot = str_from(lot),
				.owner = str_from(owner),
				.from = from,
				.to = to,
				.quantity = quantity * QTY_ONE};

	entry_pack(&entries, &e, &(uint32_t){0});
}

static inline void told(const char *sku, int available)
{
	char data[120];

	snprintf(data, sizeof(data), "{\"items\":[{\"sku\":\"%s\",\"available\":\"%d\",\"version\":1}]}", sku,
		 available);
	event("availability.changed", "shop", data);
	model_check_told(m);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
