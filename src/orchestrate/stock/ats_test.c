#include "orchestrate/stock/ats.h"

#include "base/test.h"

#define Q(n) ((qty_t)(n)*QTY_ONE)
#define HALF (QTY_ONE / 2)

#define NOW  1000000
#define HOUR 3600000

static uint16_t both[] = {0, 2}, middle[] = {1}, second[] = {2};

/* Channel 0 sells from locations 0 and 2, 1 from 1, 2 from 2. */
static struct config_channel channels[3] = {{.locations = both, .location_count = 2},
					    {.locations = middle, .location_count = 1},
					    {.locations = second, .location_count = 1}};
static const struct config_tenant tenant = {.channels = channels, .channel_count = 3};

struct ats_case {
	const char *name;
	qty_t free[3]; /* at locations 0, 1, 2; the channel sells from 0 and 2 */
	qty_t safety[3];
	int32_t share_ppm;
	qty_t buffer, cap, minimum, backorder, want;
};

static const struct ats_case cases[] = {
    {"all of it", {Q(5), 0, Q(3)}, {0}, 1000000, 0, -1, 0, 0, Q(8)},
    {"other locations do not count", {Q(5), Q(90), Q(3)}, {0}, 1000000, 0, -1, 0, 0, Q(8)},
    {"safety by location", {Q(5), 0, Q(3)}, {Q(2), 0, Q(1)}, 1000000, 0, -1, 0, 0, Q(5)},
    {"safety above free is nothing, not less", {Q(5), 0, Q(3)}, {0, 0, Q(9)}, 1000000, 0, -1, 0, 0, Q(5)},
    {"negative free does not eat another location", {Q(5), 0, Q(-3)}, {0}, 1000000, 0, -1, 0, 0, Q(5)},
    {"nothing at all", {0}, {0}, 1000000, 0, -1, 0, 0, 0},
    {"share rounds down to whole units", {Q(5), 0, 0}, {0}, 333333, 0, -1, 0, 0, Q(1)},
    {"share of one unit", {Q(1), 0, 0}, {0}, 999999, 0, -1, 0, 0, 0},
    {"share of all keeps all", {Q(7), 0, 0}, {0}, 1000000, 0, -1, 0, 0, Q(7)},
    {"a part of a unit is not sold", {Q(2) + HALF, 0, 0}, {0}, 1000000, 0, -1, 0, 0, Q(2)},
    {"parts add up before the rounding", {Q(2) + HALF, 0, HALF}, {0}, 1000000, 0, -1, 0, 0, Q(3)},
    {"no share", {Q(7), 0, 0}, {0}, 0, 0, -1, 0, 0, 0},
    {"the buffer comes off after the share", {Q(10), 0, 0}, {0}, 500000, Q(2), -1, 0, 0, Q(3)},
    {"a buffer above it is zero", {Q(1), 0, 0}, {0}, 1000000, Q(2), -1, 0, 0, 0},
    {"cap", {Q(10), 0, 0}, {0}, 1000000, 0, Q(4), 0, 0, Q(4)},
    {"cap of zero", {Q(10), 0, 0}, {0}, 1000000, 0, 0, 0, 0, 0},
    {"cap above it", {Q(3), 0, 0}, {0}, 1000000, 0, Q(4), 0, 0, Q(3)},
    {"below the minimum is zero", {Q(3), 0, 0}, {0}, 1000000, 0, -1, Q(4), 0, 0},
    {"at the minimum is told", {Q(4), 0, 0}, {0}, 1000000, 0, -1, Q(4), 0, Q(4)},
    {"a cap below the minimum is zero", {Q(9), 0, 0}, {0}, 1000000, 0, Q(3), Q(4), 0, 0},
    {"backorder adds", {0}, {0}, 1000000, 0, -1, 0, Q(5), Q(5)},
    {"backorder against the buffer", {Q(1), 0, 0}, {0}, 1000000, Q(3), -1, 0, Q(5), Q(3)},
    {"no overflow", {QTY_MAX, 0, QTY_MAX}, {0}, 1000000, 0, -1, 0, 0, 2 * QTY_MAX},
};

static qty_t compute(const struct config_channel *as, const struct ats_now *now, const struct ats_item *item)
{
	struct ats_policy policy;

	channels[0] = *as;
	channels[0].locations = both;
	channels[0].location_count = 2;
	ats_policy_init(&policy, &tenant, &channels[0]);
	return ats_compute(&policy, now, item);
}

static void test_formula(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct ats_case *c = &cases[i];
		struct config_channel channel = {.share_ppm = c->share_ppm,
						 .buffer = c->buffer,
						 .cap = c->cap,
						 .minimum = c->minimum,
						 .backorder = c->backorder};
		struct ats_level levels[3];
		qty_t got;

		for (uint16_t n = 0; n < 3; n++)
			levels[n] = (struct ats_level){.location = n, .free = c->free[n]};
		got = compute(&channel, &(struct ats_now){.now = NOW, .safety = c->safety},
			      &(struct ats_item){.levels = levels, .level_count = 3});
		if (got != c->want)
			fail_msg("%s: %lld instead of %lld", c->name, (long long)got, (long long)c->want);
	}
}

/* What bears on channel 0, which may sell half of what is shared, besides 10 free at location 0 and 4 at 2. */
struct terms_case {
	const char *name;
	struct ats_fence fences[3];
	struct ats_arrival arrivals[3];
	struct ats_gap gaps[2];
	qty_t in_transit, inbound_cap;
	size_t fence_count, arrival_count, gap_count;
	qty_t want;
	bool stale, zero, blocked, discontinued;
};
#define FENCE(c, l, q, u)                                                                                              \
	{                                                                                                              \
		.channel = (c), .location = (l), .quantity = Q(q), .used = Q(u)                                        \
	}
#define COMING(l, o, at, q)                                                                                            \
	{                                                                                                              \
		.location = (l), .ordered = (o), .expected_at = (at), .quantity = Q(q)                                 \
	}
#define GAP(c, q, t)                                                                                                   \
	{                                                                                                              \
		.channel = (c), .quantity = Q(q), .until = NOW + (t)                                                   \
	}

static const struct terms_case terms[] = {
    {.name = "half of it", .want = Q(7)},
    {.name = "its ring-fence, and half of the rest", .fences = {FENCE(0, 0, 4, 0)}, .fence_count = 1, .want = Q(9)},
    {.name = "what is used of it is shared again", .fences = {FENCE(0, 0, 4, 2)}, .fence_count = 1, .want = Q(8)},
    {.name = "more used than it had", .fences = {FENCE(0, 0, 4, 9)}, .fence_count = 1, .want = Q(7)},
    {.name = "another's ring-fence", .fences = {FENCE(2, 2, 4, 0)}, .fence_count = 1, .want = Q(5)},
    {.name = "another's, elsewhere", .fences = {FENCE(1, 1, 4, 0)}, .fence_count = 1, .want = Q(7)},
    {.name = "another's, of more than there is", .fences = {FENCE(2, 2, 90, 0)}, .fence_count = 1, .want = 0},
    {.name = "its own, of more than there is", .fences = {FENCE(0, 0, 90, 0)}, .fence_count = 1, .want = Q(10)},
    {.name = "two of one location, in the order of the channels",
     .fences = {FENCE(0, 2, 3, 0), FENCE(2, 2, 3, 0)},
     .fence_count = 2,
     .want = Q(3) + Q(4)},
    {.name = "what is due within the horizon",
     .arrivals = {COMING(0, false, NOW + HOUR, 6)},
     .arrival_count = 1,
     .in_transit = Q(6),
     .inbound_cap = QTY_MAX,
     .want = Q(10)},
    {.name = "what is due later",
     .arrivals = {COMING(0, false, NOW + HOUR + 1, 6)},
     .arrival_count = 1,
     .in_transit = Q(6),
     .inbound_cap = QTY_MAX,
     .want = Q(7)},
    {.name = "late, and still on its way",
     .arrivals = {COMING(0, false, NOW - HOUR, 6)},
     .arrival_count = 1,
     .in_transit = Q(6),
     .inbound_cap = QTY_MAX,
     .want = Q(10)},
    {.name = "no more than is on its way",
     .arrivals = {COMING(0, false, NOW, 6)},
     .arrival_count = 1,
     .in_transit = Q(2),
     .inbound_cap = QTY_MAX,
     .want = Q(8)},
    {.name = "on its way without a date", .in_transit = Q(6), .inbound_cap = QTY_MAX, .want = Q(7)},
    {.name = "ordered is not announced",
     .arrivals = {COMING(0, true, NOW, 6)},
     .arrival_count = 1,
     .in_transit = Q(6),
     .inbound_cap = QTY_MAX,
     .want = Q(7)},
    {.name = "the cap of what is to come",
     .arrivals = {COMING(0, false, NOW, 6)},
     .arrival_count = 1,
     .in_transit = Q(6),
     .inbound_cap = Q(4),
     .want = Q(9)},
    {.name = "no inbound policy",
     .arrivals = {COMING(0, false, NOW, 6)},
     .arrival_count = 1,
     .in_transit = Q(6),
     .want = Q(7)},
    {.name = "what is to come fills its ring-fence",
     .fences = {FENCE(0, 0, 16, 0)},
     .fence_count = 1,
     .arrivals = {COMING(0, false, NOW, 6)},
     .arrival_count = 1,
     .in_transit = Q(6),
     .inbound_cap = QTY_MAX,
     .want = Q(16) + Q(2)},
    {.name = "what it has sold and not told", .gaps = {GAP(0, 4, 1)}, .gap_count = 1, .want = Q(5)},
    {.name = "what another has sold and not told", .gaps = {GAP(2, 4, 1)}, .gap_count = 1, .want = Q(5)},
    {.name = "what another has sold elsewhere", .gaps = {GAP(1, 4, 1)}, .gap_count = 1, .want = Q(7)},
    {.name = "long ago", .gaps = {GAP(0, 4, 0)}, .gap_count = 1, .want = Q(7)},
    {.name = "more sold than there is", .gaps = {GAP(0, 40, 1)}, .gap_count = 1, .want = 0},
    {.name = "sold from its ring-fence first",
     .fences = {FENCE(0, 0, 4, 0)},
     .fence_count = 1,
     .gaps = {GAP(0, 3, 1)},
     .gap_count = 1,
     .want = Q(1) + Q(5)},
    {.name = "another's sale from the other's ring-fence",
     .fences = {FENCE(2, 2, 4, 0)},
     .fence_count = 1,
     .gaps = {GAP(2, 3, 1)},
     .gap_count = 1,
     .want = Q(5)},
    {.name = "stale, and frozen elsewhere", .stale = true, .want = Q(7)},
    {.name = "a stale location is zero", .stale = true, .zero = true, .want = Q(2)},
    {.name = "with its ring-fence",
     .fences = {FENCE(0, 0, 4, 0), FENCE(0, 2, 2, 0)},
     .fence_count = 2,
     .stale = true,
     .zero = true,
     .want = Q(3)},
    {.name = "blocked", .blocked = true, .want = 0},
};

static void test_terms(void **state)
{
	static const qty_t safety[3];

	(void)state;
	for (size_t i = 0; i < COUNT(terms); i++) {
		const struct terms_case *c = &terms[i];
		struct config_channel channel = {.share_ppm = 500000,
						 .cap = -1,
						 .inbound_cap = c->inbound_cap,
						 .inbound_horizon_ms = HOUR,
						 .stale_zero = c->zero};
		const struct ats_level levels[] = {{.location = 0, .free = Q(10), .in_transit = c->in_transit},
						   {.location = 1, .free = Q(50)},
						   {.location = 2, .free = Q(4)}};
		struct location_set stale = {{0}};
		qty_t got;

		if (c->stale)
			location_set_add(&stale, 0);
		got = compute(&channel, &(struct ats_now){NOW, safety, &stale},
			      &(struct ats_item){.levels = levels,
						 .fences = c->fences,
						 .arrivals = c->arrivals,
						 .gaps = c->gaps,
						 .level_count = 3,
						 .fence_count = c->fence_count,
						 .arrival_count = c->arrival_count,
						 .gap_count = c->gap_count,
						 .blocked = c->blocked});
		if (got != c->want)
			fail_msg("%s: %lld instead of %lld", c->name, (long long)got, (long long)c->want);
	}
}

static void test_discontinued(void **state)
{
	static const qty_t safety[3];
	const struct ats_level levels[] = {{.free = Q(1)}};
	struct config_channel channel = {.share_ppm = 1000000, .cap = -1, .backorder = Q(5)};
	struct ats_item item = {.levels = levels, .level_count = 1};

	(void)state;
	assert_int_equal(compute(&channel, &(struct ats_now){.safety = safety}, &item), Q(6));
	item.discontinued = true;
	assert_int_equal(compute(&channel, &(struct ats_now){.safety = safety}, &item), Q(1));
}

struct consigned_case {
	const char *name;
	qty_t free, consigned, safety, fence, fence_of_other, gap, want, base;
};

/* At location 0, all of which channel 0 may sell. */
static const struct consigned_case consigned[] = {
    {.name = "besides ours", .free = Q(10), .consigned = Q(5), .want = Q(15), .base = Q(15)},
    {.name = "without ours", .consigned = Q(5), .want = Q(5), .base = Q(5)},
    {.name = "safety comes off ours", .free = Q(10), .consigned = Q(5), .safety = Q(4), .want = Q(11), .base = Q(11)},
    {.name = "then off the rest", .free = Q(3), .consigned = Q(5), .safety = Q(4), .want = Q(4), .base = Q(4)},
    {.name = "safety above both", .free = Q(3), .consigned = Q(5), .safety = Q(9)},
    {.name = "what ours owes", .free = Q(-2), .consigned = Q(5), .want = Q(3), .base = Q(3)},
    {.name = "what the owner owes is not ours", .free = Q(4), .consigned = Q(-2), .want = Q(4), .base = Q(4)},
    {.name = "a ring-fence of another is of ours",
     .free = Q(10),
     .consigned = Q(5),
     .fence_of_other = Q(8),
     .want = Q(7),
     .base = Q(15)},
    {.name = "and keeps none of the rest",
     .free = Q(3),
     .consigned = Q(5),
     .fence_of_other = Q(8),
     .want = Q(5),
     .base = Q(8)},
    {.name = "the same of its own", .free = Q(3), .consigned = Q(5), .fence = Q(8), .want = Q(8), .base = Q(8)},
    {.name = "what is sold and not told", .free = Q(3), .consigned = Q(5), .gap = Q(4), .want = Q(4), .base = Q(8)},
    {.name = "and more than ours is ring-fenced",
     .free = Q(3),
     .consigned = Q(5),
     .fence_of_other = Q(8),
     .gap = Q(4),
     .want = Q(1),
     .base = Q(8)},
};

static void test_consigned(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(consigned); i++) {
		const struct consigned_case *c = &consigned[i];
		struct config_channel channel = {.share_ppm = 1000000, .cap = -1};
		const struct ats_level levels[] = {{.free = c->free, .consigned = c->consigned}};
		struct ats_fence fences[] = {{.channel = 0, .quantity = c->fence},
					     {.channel = 1, .quantity = c->fence_of_other}};
		struct ats_gap gaps[] = {{.channel = 0, .quantity = c->gap, .until = NOW + 1}};
		struct ats_now now = {.now = NOW, .safety = &c->safety};
		struct ats_item item = {.levels = levels,
					.fences = fences,
					.gaps = gaps,
					.level_count = 1,
					.fence_count = 2,
					.gap_count = 1};

		if (compute(&channel, &now, &item) != c->want)
			fail_msg("%s: %lld", c->name, (long long)compute(&channel, &now, &item));
		if (ats_base(&now, &item, 0) != c->base)
			fail_msg("%s: base %lld", c->name, (long long)ats_base(&now, &item, 0));
	}
}

#define COMING_OF(owner, at, q)                                                                                        \
	{                                                                                                              \
		.consignor = (owner), .expected_at = (at), .quantity = Q(q)                                            \
	}

/* At location 0, where 3 of ours are free; channel 0 sells consignor 2. */
static const struct arriving_case {
	const char *name;
	qty_t in_transit, consigned_in_transit, inbound_cap, fence, fence_of_other;
	struct ats_arrival arrivals[2];
	qty_t want;
} arriving[] = {
    {"counts like ours", 0, Q(4), QTY_MAX, 0, 0, {COMING_OF(2, NOW, 4)}, Q(7)},
    {"besides ours", Q(5), Q(4), QTY_MAX, 0, 0, {COMING_OF(0, NOW, 5), COMING_OF(2, NOW, 4)}, Q(12)},
    {"due later", 0, Q(4), QTY_MAX, 0, 0, {COMING_OF(2, NOW + HOUR + 1, 4)}, Q(3)},
    {"no more than is on its way", 0, Q(2), QTY_MAX, 0, 0, {COMING_OF(2, NOW, 4)}, Q(5)},
    {"on its way without a date", 0, Q(4), QTY_MAX, 0, 0, {{0}}, Q(3)},
    {"of another owner", 0, Q(4), QTY_MAX, 0, 0, {COMING_OF(1, NOW, 4)}, Q(3)},
    {"the date of ours is not theirs", 0, Q(4), QTY_MAX, 0, 0, {COMING_OF(0, NOW, 4)}, Q(3)},
    {"no inbound policy", Q(5), Q(4), 0, 0, 0, {COMING_OF(0, NOW, 5), COMING_OF(2, NOW, 4)}, Q(3)},
    {"under one cap, ours first", Q(5), Q(4), Q(6), 0, 0, {COMING_OF(0, NOW, 5), COMING_OF(2, NOW, 4)}, Q(9)},
    {"under the cap of ours", Q(5), Q(4), Q(4), 0, 0, {COMING_OF(0, NOW, 5), COMING_OF(2, NOW, 4)}, Q(7)},
    {"it is not what a ring-fence lacks", 0, Q(4), QTY_MAX, Q(9), 0, {COMING_OF(2, NOW, 4)}, Q(7)},
    {"nor kept by one", 0, Q(4), QTY_MAX, 0, Q(9), {COMING_OF(2, NOW, 4)}, Q(4)},
};

static void test_consigned_on_its_way(void **state)
{
	static const qty_t safety[3];

	(void)state;
	for (size_t i = 0; i < COUNT(arriving); i++) {
		const struct arriving_case *c = &arriving[i];
		struct config_channel channel = {.share_ppm = 1000000,
						 .cap = -1,
						 .consignors = 1 << 2,
						 .inbound_cap = c->inbound_cap,
						 .inbound_horizon_ms = HOUR};
		const struct ats_level levels[] = {
		    {.free = Q(3), .in_transit = c->in_transit, .consigned_in_transit = c->consigned_in_transit}};
		const struct ats_fence fences[] = {{.channel = 0, .quantity = c->fence},
						   {.channel = 1, .quantity = c->fence_of_other}};
		qty_t got = compute(&channel, &(struct ats_now){.now = NOW, .safety = safety},
				    &(struct ats_item){.levels = levels,
						       .fences = fences,
						       .arrivals = c->arrivals,
						       .level_count = 1,
						       .fence_count = 2,
						       .arrival_count = 2});

		if (got != c->want)
			fail_msg("%s: %lld instead of %lld", c->name, (long long)got, (long long)c->want);
	}
}

/* Nobody gets what is kept for another, and all of it adds up to what is there. */
static void test_fences_share(void **state)
{
	const struct ats_fence fences[] = {FENCE(0, 0, 10, 0), FENCE(1, 0, 10, 2), FENCE(2, 1, 10, 0)};
	const struct {
		qty_t there, others[3];
	} want[] = {
	    {Q(30), {Q(8), Q(10), Q(18)}}, {Q(12), {Q(2), Q(10), Q(12)}}, {Q(7), {0, Q(7), Q(7)}}, {0, {0, 0, 0}}};

	(void)state;
	for (size_t i = 0; i < COUNT(want); i++)
		for (uint16_t c = 0; c < 3; c++)
			assert_int_equal(ats_fenced_for_others(fences, 3, 0, c, want[i].there), want[i].others[c]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_formula),
					   cmocka_unit_test(test_terms),
					   cmocka_unit_test(test_discontinued),
					   cmocka_unit_test(test_consigned),
					   cmocka_unit_test(test_consigned_on_its_way),
					   cmocka_unit_test(test_fences_share)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
