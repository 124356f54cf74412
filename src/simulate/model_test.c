/* Each rule of the model against rows that break it: a model that finds nothing proves nothing. */
#include "simulate/model.h"

#include "base/test.h"

#include <stdio.h>
#include <string.h>

static struct model *m;
static struct buf entries;
static const char *const model_facts[] = {"m0", "m1", "m2", "m3", "m4"};

static void entry(int item, int place, enum stock_state from, enum stock_state to, int quantity)
{
	const struct entry e = {.sku = str_from(model_items[item]),
				.location = str_from(model_places[place]),
				.from = from,
				.to = to,
				.quantity = quantity * QTY_ONE};

	entry_pack(&entries, &e, &(uint32_t){0});
}

static void movement(const char *type, const char *event, const char *order, const char *reason)
{
	const struct model_movement row = {m->movement + 1, str_from(type),   str_from(event),
					   str_from(order), str_from(reason), buf_str(&entries)};

	model_take_movement(m, &row);
	buf_reset(&entries);
}

static void event(const char *type, const char *subject, const char *data)
{
	const struct model_event row = {m->position + 1, 1000, str_from(type), str_from(subject), str_from(data)};

	model_take_event(m, &row);
}

static void fact(enum movement_type type, int quantity)
{
	m->facts[m->fact_count++] = (struct model_fact){
	    .type = type, .at = 1000, .lines = {{.item = 0, .place = 0, .quantity = quantity}}, .line_count = 1};
}

static int setup(void **state)
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

static int teardown(void **state)
{
	(void)state;
	model_free(m);
	buf_done(&entries);
	return 0;
}

static void finds(const char *words)
{
	model_check(m);
	model_check_told(m);
	if (!strstr(m->broken, words))
		fail_msg("found '%s', not '%s'", m->broken, words);
}

#define HELD                                                                                                           \
	"{\"expires_at\":\"2026-03-01T12:00:00Z\",\"lines\":[{\"sku\":\"A-1\",\"quantity\":\"2\",\"location\":"        \
	"\"east\"}]}"

static void test_more_promised_than_free(void **state)
{
	(void)state;
	entry(0, 0, STOCK_FREE, STOCK_ALLOCATED, 6);
	movement("allocate", "", "order-0", "");
	finds("oversold");
}

static void test_more_allocated_than_ordered(void **state)
{
	(void)state;
	entry(0, 0, STOCK_FREE, STOCK_ALLOCATED, 4);
	movement("allocate", "", "order-0", "");
	finds("orders: o0");
}

static void test_stock_from_nowhere(void **state)
{
	(void)state;
	entry(0, 0, STOCK_OUTSIDE, STOCK_FREE, 1);
	movement("allocate", "", "", "");
	finds("without a fact");
}

static void test_a_fact_twice(void **state)
{
	(void)state;
	entry(0, 0, STOCK_OUTSIDE, STOCK_FREE, 5);
	movement("receive", "m0", "", "");
	finds("a second time");
}

static void test_a_fact_of_another_quantity(void **state)
{
	(void)state;
	fact(MOVE_ADJUST, -2);
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, 1);
	movement("adjust", "m1", "", "");
	finds("its warehouse said -2");
}

static void test_a_count_of_the_past(void **state)
{
	(void)state;
	/* At 1500 there were 5; 3 left at 2000. The count says 4 of then: one less, not one more. */
	fact(MOVE_SHIP, 3);
	m->facts[1].at = 2000;
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, 3);
	movement("ship", "m1", "", "");
	fact(MOVE_COUNT, 4);
	m->facts[2].at = 1500;
	entry(0, 0, STOCK_OUTSIDE, STOCK_FREE, 2);
	movement("count", "m2", "", "");
	finds("by 2, its warehouse said -1");
}

static void test_a_reservation_ends_twice(void **state)
{
	(void)state;
	event("reservation.held", "r0", HELD);
	event("reservation.voided", "r0", HELD);
	event("reservation.expired", "r0", "{}");
	finds("had ended before");
}

static void test_a_reservation_that_holds_nothing(void **state)
{
	(void)state;
	event("reservation.held", "r0", HELD);
	finds("live reservations hold 2");
}

static void hold_partially(int wanted)
{
	m->holds[0] = (struct model_hold){
	    .lines = {{.item = 0, .quantity = wanted}}, .line_count = 1, .wanted = {wanted}, .partial = true};
}

#define SHORT(requested)                                                                                               \
	"{\"expires_at\":\"2026-03-01T12:00:00Z\",\"lines\":[{\"sku\":\"A-1\",\"quantity\":\"2\",\"location\":"        \
	"\"east\"}],\"short\":[{\"sku\":\"A-1\",\"requested\":\"" requested "\",\"available\":\"2\"}]}"

static void test_less_is_taken_than_there_is(void **state)
{
	(void)state;
	hold_partially(6);
	event("reservation.held", "r0", SHORT("6"));
	entry(0, 0, STOCK_FREE, STOCK_HELD, 2);
	movement("hold", "", "", "r0");
	finds("r0 takes 2 of A-1, and could have had 5");
}

static void test_what_is_lacking_is_told_wrong(void **state)
{
	(void)state;
	hold_partially(4);
	event("reservation.held", "r0", SHORT("3"));
	finds("r0 holds 2 of A-1 of 4, and says that it lacks 1");
}

static void hold_two(void)
{
	event("reservation.held", "r0", HELD);
	entry(0, 0, STOCK_FREE, STOCK_HELD, 2);
	movement("hold", "", "", "r0");
	model_check(m);
	assert_string_equal(m->broken, "");
}

#define PART(kept, given)                                                                                              \
	"{\"order_id\":\"order-0\",\"lines\":[{\"sku\":\"A-1\",\"quantity\":\"" kept                                   \
	"\",\"location\":\"east\"}],\"committed\":[{\"sku\":\"A-1\",\"quantity\":\"" given                             \
	"\",\"location\":\"east\"}]}"

static void commit_one(void)
{
	entry(0, 0, STOCK_HELD, STOCK_ALLOCATED, 1);
	movement("commit", "", "order-0", "r0");
}

static void test_a_part_is_committed_twice(void **state)
{
	(void)state;
	hold_two();
	m->holds[0].ask = (struct model_ask){.units = {1}, .asked = true, .keep_rest = true};
	event("reservation.committed_in_part", "r0", PART("1", "1"));
	commit_one();
	model_check(m);
	assert_string_equal(m->broken, "");
	event("reservation.committed_in_part", "r0", PART("0", "1"));
	finds("once: a part of r0");
}

static void test_the_rest_is_lost(void **state)
{
	(void)state;
	hold_two();
	m->holds[0].ask = (struct model_ask){.units = {1}, .asked = true, .keep_rest = true};
	event("reservation.committed_in_part", "r0", PART("0", "1"));
	finds("of 2 of A-1 that r0 holds at east 1 are committed and 0 are left");
}

static void test_an_order_gets_less_than_it_needs(void **state)
{
	(void)state;
	hold_two();
	event("reservation.committed", "r0", HELD);
	entry(0, 0, STOCK_HELD, STOCK_ALLOCATED, 1);
	entry(0, 0, STOCK_HELD, STOCK_FREE, 1);
	movement("commit", "", "order-0", "r0");
	finds("of r0 the order gets 1 of A-1, it needs 3 and is to get 2");
}

static void test_a_commit_that_moves_something_else(void **state)
{
	(void)state;
	hold_two();
	m->holds[0].ask = (struct model_ask){.units = {2}, .asked = true, .keep_rest = true};
	event("reservation.committed_in_part", "r0", PART("1", "1"));
	finds("1 more of A-1 at east are told to be committed of r0");
}

static void test_a_strict_channel_holds_too_much(void **state)
{
	(void)state;
	m->policy.channels[0].buffer = 4;
	event("reservation.held", "r0", HELD);
	entry(0, 0, STOCK_FREE, STOCK_HELD, 2);
	movement("hold", "", "", "r0");
	finds("policy: r0");
}

static void test_a_channel_is_told_too_much(void **state)
{
	(void)state;
	/* Half of 5. */
	event("availability.changed", "portal", "{\"items\":[{\"sku\":\"A-1\",\"available\":\"3\",\"version\":1}]}");
	finds("published: portal is told 3");
}

static void test_an_order_twice(void **state)
{
	(void)state;
	event("order.captured", "order-1", "{\"external_id\":\"o0\"}");
	finds("captured a second time");
}

static void test_a_gap_in_the_log(void **state)
{
	(void)state;
	model_take_movement(m, &(struct model_movement){.seq = m->movement + 2, .type = STR("pick")});
	finds("log: movement");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* ---- serial numbers ---- */

/* A fact of the item with serial numbers S(from), S(from + 1) ..., and its movement. */
static struct model_fact *serials_told(enum movement_type type, int64_t at, int from, int count)
{
	struct model_fact *f = &m->facts[m->fact_count++];
	const char *id = model_facts[m->fact_count - 1];
	bool in = type == MOVE_RECEIVE;

	*f = (struct model_fact){.type = type, .at = at, .line_count = 1, .order = -1, .serial = true};
	f->lines[0] = (struct model_line){
	    .item = MODEL_SERIAL_ITEM, .to = 1, .quantity = count, .serials = m->named_count, .serial_count = count};
	for (int i = 0; i < count; i++) {
		m->named[m->named_count++] = (short)(from + i);
		m->serial_count = from + i >= m->serial_count ? from + i + 1 : m->serial_count;
	}
	if (type != MOVE_COUNT)
		entry(MODEL_SERIAL_ITEM, 0, in ? STOCK_OUTSIDE : STOCK_FREE, in ? STOCK_FREE : STOCK_OUTSIDE, count);
	movement("", id, "", "");
	return f;
}

static void is_now(int serial, enum model_serial_state state, int place)
{
	struct model_serial now = model_serial_now(m, serial);

	assert_string_equal(m->broken, "");
	assert_int_equal(now.state, state);
	assert_int_equal(now.place, place);
}

static void test_serials_follow_what_happened(void **state)
{
	(void)state;
	(void)serials_told(MOVE_RECEIVE, 1000, 0, 2);
	is_now(0, SERIAL_IS_IN_STOCK, 0);
	(void)serials_told(MOVE_SCRAP, 3000, 0, 1);
	(void)serials_told(MOVE_SHIP, 2000, 1, 1);
	is_now(0, SERIAL_IS_SCRAPPED, 0);
	is_now(1, SERIAL_IS_SHIPPED, 0);
	assert_int_equal(model_serials_at(m, 0), 0);
	/* It came late, and happened before. */
	(void)serials_told(MOVE_SCRAP, 1500, 1, 1);
	is_now(1, SERIAL_IS_SHIPPED, 0);
	model_check(m);
	assert_string_equal(m->broken, "");
}

static void test_a_serial_that_leaves_twice(void **state)
{
	(void)state;
	(void)serials_told(MOVE_RECEIVE, 1000, 0, 2);
	(void)serials_told(MOVE_SHIP, 2000, 0, 1);
	(void)serials_told(MOVE_SHIP, 3000, 0, 1);
	finds("serials: of S0 1 more contradictions were told than said");
}

static void test_a_contradiction_that_is_none(void **state)
{
	(void)state;
	(void)serials_told(MOVE_RECEIVE, 1000, 0, 1);
	event("serial.drift", "A-4", "{\"serial\":\"S0\"}");
	finds("serials: of S0 -1 more");
}

static void test_a_count_that_misses_one(void **state)
{
	(void)state;
	(void)serials_told(MOVE_RECEIVE, 1000, 0, 1);
	(void)serials_told(MOVE_RECEIVE, 1000, 1, 1);
	event("serial.drift", "A-4", "{\"serial\":\"S1\"}");
	entry(MODEL_SERIAL_ITEM, 0, STOCK_FREE, STOCK_OUTSIDE, 1);
	(void)serials_told(MOVE_COUNT, 2000, 0, 1);
	is_now(0, SERIAL_IS_IN_STOCK, 0);
	is_now(1, SERIAL_IS_UNKNOWN, 0);
	model_check(m);
	assert_string_equal(m->broken, "");
	/* It had been scrapped before: the count did not miss it. */
	m->counted_at[MODEL_SERIAL_ITEM][0] = 0;
	(void)serials_told(MOVE_SCRAP, 1500, 1, 1);
	is_now(1, SERIAL_IS_SCRAPPED, 0);
}

/* ---- goods ---- */

static void lot_entry(const char *lot, const char *owner, enum stock_state from, enum stock_state to, int quantity)
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

static void test_a_later_lot_first(void **state)
{
	(void)state;
	fact(MOVE_RECEIVE, 2);
	lot_entry("L1", "", STOCK_OUTSIDE, STOCK_FREE, 2);
	movement("receive", "m1", "", "");
	lot_entry("L1", "", STOCK_FREE, STOCK_ALLOCATED, 2);
	lot_entry("", "", STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	assert_string_equal(m->broken, "");
	lot_entry("L1", "", STOCK_ALLOCATED, STOCK_FREE, 2);
	movement("release", "", "order-0", "");
	lot_entry("", "", STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	finds("lots: ");
}

static void test_what_others_own_is_promised(void **state)
{
	(void)state;
	fact(MOVE_RECEIVE, 2);
	m->facts[1].lines[0].owner = 1;
	lot_entry("", "acme", STOCK_OUTSIDE, STOCK_FREE, 2);
	movement("receive", "m1", "", "");
	assert_string_equal(m->broken, "");
	lot_entry("", "acme", STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	finds("owners: ");
}

static void test_what_others_own_vanishes(void **state)
{
	(void)state;
	fact(MOVE_SCRAP, 2);
	m->facts[1].lines[0].owner = 1;
	lot_entry("", "acme", STOCK_FREE, STOCK_OUTSIDE, 1);
	movement("scrap", "m1", "", "");
	finds("owners: ");
}

static void told(const char *sku, int available)
{
	char data[120];

	snprintf(data, sizeof(data), "{\"items\":[{\"sku\":\"%s\",\"available\":\"%d\",\"version\":1}]}", sku,
		 available);
	event("availability.changed", "shop", data);
	model_check_told(m);
}

/* Two of acme's beside five of ours. */
static void consign_two(int owners)
{
	m->policy.channels[0].owner_count = owners;
	fact(MOVE_RECEIVE, 2);
	m->facts[1].lines[0].owner = 1;
	event("stock.moved", "x",
	      "{\"consigned\":[{\"sku\":\"A-1\",\"owner\":\"acme\",\"from\":\"outside\",\"to\":\"free\",\"quantity\":"
	      "\"2\"}]}");
	lot_entry("", "acme", STOCK_OUTSIDE, STOCK_FREE, 2);
	movement("receive", "m1", "", "");
	model_check(m);
	assert_string_equal(m->broken, "");
}

static void scrap_ours(int quantity)
{
	fact(MOVE_SCRAP, quantity);
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, quantity);
	movement("scrap", "m2", "", "");
}

static void test_consigned_before_ours(void **state)
{
	(void)state;
	consign_two(1);
	lot_entry("", "acme", STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	finds("owners: movement 3 promises A-1 of acme at east, while 5 of ours are free");
}

static void test_consigned_of_nobody_that_is_sold(void **state)
{
	(void)state;
	consign_two(0);
	scrap_ours(5);
	lot_entry("", "acme", STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	finds("to shop, who does not sell it");
}

static void test_more_consigned_than_there_is(void **state)
{
	(void)state;
	consign_two(1);
	scrap_ours(6);
	lot_entry("", "acme", STOCK_FREE, STOCK_ALLOCATED, 2);
	movement("allocate", "", "order-0", "");
	finds("of acme 0, of ours -1");
}

static void test_a_shipment_takes_what_is_not_the_orders(void **state)
{
	(void)state;
	consign_two(1);
	fact(MOVE_SHIP, 1);
	lot_entry("", "acme", STOCK_FREE, STOCK_OUTSIDE, 1);
	movement("ship", "m2", "order-0", "");
	finds("takes 1 of A-1 of acme at east, of which its order had 0");
}

static void test_what_left_of_others_is_not_told(void **state)
{
	(void)state;
	consign_two(1);
	fact(MOVE_SCRAP, 1);
	m->facts[2].lines[0].owner = 1;
	lot_entry("", "acme", STOCK_FREE, STOCK_OUTSIDE, 1);
	movement("scrap", "m2", "", "");
	finds("1 more units were moved than told");
}

static void test_consigned_is_published(void **state)
{
	(void)state;
	consign_two(1);
	told("A-1", 7);
	assert_string_equal(m->broken, "");
	told("A-1", 8);
	finds("published: ");
}

static void test_a_reversal_of_something_else(void **state)
{
	(void)state;
	fact(MOVE_REVERSE, 0);
	m->facts[1].reverses = 0;
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, 4);
	movement("reverse", "m1", "", "");
	finds("conservation: ");
}

/* What was received at 1000 and counted at 2000 is taken back at 3000: the count stands. */
static void test_a_reversal_of_what_was_counted(void **state)
{
	(void)state;
	fact(MOVE_COUNT, 5);
	m->facts[1].at = 2000;
	movement("count", "m1", "", "");
	fact(MOVE_REVERSE, 0);
	m->facts[2].at = 3000;
	m->facts[2].reverses = 0;
	assert_string_equal(m->broken, "");
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, 5);
	movement("reverse", "m2", "", "");
	finds("by -5, its warehouse said 0");
}

/* The same, counted at 1000 after it was told; what is told of that instant after the count is on top of it. */
static void test_a_reversal_of_the_instant_of_a_count(void **state)
{
	(void)state;
	fact(MOVE_COUNT, 5);
	m->facts[1].at = m->facts[0].at;
	movement("count", "m1", "", "");
	fact(MOVE_REVERSE, 0);
	m->facts[2].reverses = 0;
	assert_string_equal(m->broken, "");
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, 5);
	movement("reverse", "m2", "", "");
	finds("by -5, its warehouse said 0");
}

static void test_more_than_the_quota(void **state)
{
	(void)state;
	m->policy.channels[0].quota = 1;
	event("reservation.held", "r0", HELD);
	finds("quota: ");
}

static void keep_for_the_other(int quantity)
{
	char data[160];

	m->fences[1][0][0].asked = 1u << 4;
	snprintf(data, sizeof(data),
		 "{\"items\":[{\"sku\":\"A-1\",\"channel\":\"portal\",\"location\":\"east\",\"quantity\":\"%d\"}]}",
		 quantity);
	event("ring_fences.set", "ring-fences", data);
	model_check(m);
}

static void test_what_is_kept_for_another(void **state)
{
	(void)state;
	keep_for_the_other(4);
	entry(0, 0, STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	assert_string_equal(m->broken, "");
	entry(0, 0, STOCK_FREE, STOCK_ALLOCATED, 1);
	movement("allocate", "", "order-0", "");
	finds("fences: ");
}

static void test_a_ring_fence_of_nobody(void **state)
{
	(void)state;
	keep_for_the_other(3);
	finds("fences: ");
}

static void test_what_is_kept_is_not_published(void **state)
{
	(void)state;
	keep_for_the_other(4);
	told("A-1", 1);
	assert_string_equal(m->broken, "");
	told("A-1", 2);
	finds("published: ");
}

static void test_more_kits_than_components(void **state)
{
	(void)state;
	event("item.recorded", "K-1", "{}");
	fact(MOVE_RECEIVE, 3);
	m->facts[1].lines[0].item = 1;
	entry(1, 0, STOCK_OUTSIDE, STOCK_FREE, 3);
	movement("receive", "m1", "", "");
	told("K-1", 1); /* two of the second component in each */
	assert_string_equal(m->broken, "");
	told("K-1", 2);
	finds("published: ");
}

/* An order of two K-1, of 1 A-1 and 2 A-2 each. */
static void order_kits(void)
{
	m->orders[1] =
	    (struct model_order){.lines = {{.item = MODEL_ITEMS, .quantity = 2}}, .line_count = 1, .ordered = {2, 4}};
	m->order_count = 2;
	event("order.captured", "order-1", "{\"external_id\":\"o1\"}");
	fact(MOVE_RECEIVE, 4);
	m->facts[1].lines[0].item = 1;
	entry(1, 0, STOCK_OUTSIDE, STOCK_FREE, 4);
	movement("receive", "m1", "", "");
}

static void test_half_a_kit_is_kept(void **state)
{
	(void)state;
	order_kits();
	entry(0, 0, STOCK_FREE, STOCK_ALLOCATED, 1);
	entry(1, 0, STOCK_FREE, STOCK_ALLOCATED, 2);
	movement("allocate", "", "order-1", "");
	model_check(m);
	assert_string_equal(m->broken, "");
	entry(1, 0, STOCK_FREE, STOCK_ALLOCATED, 2);
	movement("allocate", "", "order-1", "");
	finds("kits: what o1 has makes no whole kits");
}

static void test_a_kit_of_two_places(void **state)
{
	(void)state;
	order_kits();
	fact(MOVE_RECEIVE, 2);
	m->facts[2].lines[0].item = 1;
	m->facts[2].lines[0].place = 1;
	entry(1, 1, STOCK_OUTSIDE, STOCK_FREE, 2);
	movement("receive", "m2", "", "");
	entry(0, 0, STOCK_FREE, STOCK_ALLOCATED, 1);
	entry(1, 1, STOCK_FREE, STOCK_ALLOCATED, 2);
	movement("allocate", "", "order-1", "");
	finds("kits: what o1 has makes no whole kits");
}

static void test_a_held_kit_of_two_places(void **state)
{
	(void)state;
	m->holds[0] =
	    (struct model_hold){.lines = {{.item = MODEL_ITEMS, .quantity = 1}}, .line_count = 1, .wanted = {1, 2}};
	event("reservation.held", "r0",
	      "{\"expires_at\":\"2026-03-01T12:00:00Z\",\"lines\":[{\"sku\":\"A-1\",\"quantity\":\"1\",\"location\":"
	      "\"east\"},{\"sku\":\"A-2\",\"quantity\":\"2\",\"location\":\"west\"}]}");
	finds("kits: what r0 has makes no whole kits");
}

static void test_a_kit_that_waits_for_nothing(void **state)
{
	(void)state;
	order_kits();
	assert_true(model_waits_for_nothing(m, &m->orders[1]));
	m->states[1][0][STOCK_FREE] = 1;
	assert_false(model_waits_for_nothing(m, &m->orders[1]));
	m->states[1][1][STOCK_FREE] = 1;
	m->policy.channels[0].places[1] = 1;
	m->policy.channels[0].place_count = 2;
	assert_false(model_waits_for_nothing(m, &m->orders[1]));
	m->policy.channels[0].split_kits = true;
	assert_true(model_waits_for_nothing(m, &m->orders[1]));
}

/* One component too few leaves. */
static void test_a_shipped_kit_is_its_components(void **state)
{
	(void)state;
	order_kits();
	fact(MOVE_SHIP, 1);
	m->facts[2].lines[0].item = MODEL_ITEMS;
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, 1);
	entry(1, 0, STOCK_FREE, STOCK_OUTSIDE, 1);
	movement("ship", "m2", "order-1", "");
	finds("conservation: ship m2 changes A-2 at east by -1, its warehouse said -2");
}

/* One less than the books have. */
static void report(void)
{
	m->reports[0] = (struct model_report){.id = "run", .as_of = 1000, .theirs = {{4}}};
	m->report_count = 1;
}

static void correct(int by)
{
	entry(0, 0, STOCK_FREE, STOCK_OUTSIDE, by);
	movement("count", "run/A-1 at east", "", "");
}

static void test_a_correction_without_a_reason(void **state)
{
	(void)state;
	report();
	correct(1);
	finds("drift: A-1 at east is corrected by -1 to 4");
}

static void test_a_correction_of_what_was_never_told(void **state)
{
	(void)state;
	report();
	fact(MOVE_SCRAP, 1);
	correct(1);
	model_check(m);
	assert_string_equal(m->broken, "");
	correct(1);
	finds("a second time");
}

static void test_a_correction_by_too_much(void **state)
{
	(void)state;
	report();
	fact(MOVE_SCRAP, 1);
	correct(2);
	finds("conservation: ");
}

static void test_more_on_its_way_than_is_due(void **state)
{
	(void)state;
	m->policy.channels[0].inbound_cap = 10;
	m->policy.channels[0].horizon_ms = 500;
	fact(MOVE_ANNOUNCE, 3);
	m->facts[1].expected_at = 1400;
	entry(0, 0, STOCK_OUTSIDE, STOCK_IN_TRANSIT, 3);
	movement("announce", "m1", "", "");
	fact(MOVE_ANNOUNCE, 3);
	m->facts[2].expected_at = 1600;
	entry(0, 0, STOCK_OUTSIDE, STOCK_IN_TRANSIT, 3);
	movement("announce", "m2", "", "");
	told("A-1", 8);
	assert_string_equal(m->broken, "");
	told("A-1", 9);
	finds("published: ");
}

static void test_old_data_rises(void **state)
{
	(void)state;
	m->policy.channels[0].max_age_ms = 100;
	told("A-1", 3);
	assert_string_equal(m->broken, "");
	told("A-1", 2);
	assert_string_equal(m->broken, "");
	told("A-1", 4);
	finds("age: ");
}

static void test_old_data_is_sold(void **state)
{
	(void)state;
	m->policy.channels[0].max_age_ms = 100;
	m->policy.channels[0].stale_zero = true;
	told("A-1", 1);
	finds("published: ");
}

static void test_backorder_of_a_discontinued_item(void **state)
{
	(void)state;
	m->policy.channels[0].backorder = 2;
	m->policy.discontinued = 1;
	told("A-1", 7);
	assert_string_equal(m->broken, "");
	event("item.recorded", "A-1", "{}");
	told("A-1", 6);
	finds("published: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_more_promised_than_free),
	    TEST(test_more_allocated_than_ordered),
	    TEST(test_stock_from_nowhere),
	    TEST(test_a_fact_twice),
	    TEST(test_a_fact_of_another_quantity),
	    TEST(test_a_count_of_the_past),
	    TEST(test_a_reservation_ends_twice),
	    TEST(test_a_reservation_that_holds_nothing),
	    TEST(test_less_is_taken_than_there_is),
	    TEST(test_what_is_lacking_is_told_wrong),
	    TEST(test_a_part_is_committed_twice),
	    TEST(test_the_rest_is_lost),
	    TEST(test_an_order_gets_less_than_it_needs),
	    TEST(test_a_commit_that_moves_something_else),
	    TEST(test_a_strict_channel_holds_too_much),
	    TEST(test_a_channel_is_told_too_much),
	    TEST(test_an_order_twice),
	    TEST(test_a_gap_in_the_log),
	    TEST(test_serials_follow_what_happened),
	    TEST(test_a_serial_that_leaves_twice),
	    TEST(test_a_contradiction_that_is_none),
	    TEST(test_a_count_that_misses_one),
	    TEST(test_a_later_lot_first),
	    TEST(test_what_others_own_is_promised),
	    TEST(test_what_others_own_vanishes),
	    TEST(test_consigned_before_ours),
	    TEST(test_consigned_of_nobody_that_is_sold),
	    TEST(test_more_consigned_than_there_is),
	    TEST(test_a_shipment_takes_what_is_not_the_orders),
	    TEST(test_what_left_of_others_is_not_told),
	    TEST(test_consigned_is_published),
	    TEST(test_a_reversal_of_something_else),
	    TEST(test_a_reversal_of_what_was_counted),
	    TEST(test_a_reversal_of_the_instant_of_a_count),
	    TEST(test_more_than_the_quota),
	    TEST(test_what_is_kept_for_another),
	    TEST(test_a_ring_fence_of_nobody),
	    TEST(test_what_is_kept_is_not_published),
	    TEST(test_more_kits_than_components),
	    TEST(test_a_correction_without_a_reason),
	    TEST(test_a_correction_of_what_was_never_told),
	    TEST(test_a_correction_by_too_much),
	    TEST(test_half_a_kit_is_kept),
	    TEST(test_a_kit_of_two_places),
	    TEST(test_a_held_kit_of_two_places),
	    TEST(test_a_kit_that_waits_for_nothing),
	    TEST(test_a_shipped_kit_is_its_components),
	    TEST(test_more_on_its_way_than_is_due),
	    TEST(test_old_data_rises),
	    TEST(test_old_data_is_sold),
	    TEST(test_backorder_of_a_discontinued_item),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
