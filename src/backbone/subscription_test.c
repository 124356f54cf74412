#include "backbone/subscription.h"

#include "base/test.h"

#include <stdio.h>

static void test_names(void **state)
{
	static const struct {
		const char *name;
		int64_t seq; /* 0: not one */
	} cases[] = {
	    {"sub_1", 1},
	    {"sub_90", 90},
	    {"sub_2147483647", 2147483647},
	    {"sub_2147483648", 0},
	    {"sub_99999999999", 0},
	    {"sub_", 0},
	    {"sub_0", 0},
	    {"sub_01", 0},
	    {"sub_1x", 0},
	    {"sub_-1", 0},
	    {"Sub_1", 0},
	    {"sub", 0},
	    {"subscription_1", 0},
	    {"", 0},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t seq = 0;
		char name[SUBSCRIPTION_NAME_MAX];

		assert_int_equal(subscription_name_parse(str_from(cases[i].name), &seq), cases[i].seq != 0);
		if (!cases[i].seq)
			continue;
		assert_int_equal(seq, cases[i].seq);
		subscription_name(seq, name);
		assert_string_equal(name, cases[i].name);
		assert_true(system_is_subscription(subscription_system(seq)));
		assert_int_equal(subscription_seq(subscription_system(seq)), seq);
	}
}

static void test_wanted_types(void **state)
{
	static const struct {
		const char *types, *type;
		bool wanted;
	} cases[] = {
	    {"order.captured", "order.captured", true},
	    {"order.captured", "order.capture", false},
	    {"order.captured", "order.captured2", false},
	    {"order.*", "order.captured", true},
	    {"order.*", "order", false},
	    {"order.*", "orders.captured", false},
	    {"*", "anything", true},
	    {"stock.moved order.*", "order.held", true},
	    {"order.* stock.moved", "stock.moved", true},
	    {"stock.moved order.*", "stock.move", false},
	    {"", "order.held", false},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(subscription_wants(str_from(cases[i].types), str_from(cases[i].type)),
				 cases[i].wanted);
}

/* The seqs as text. */
static const char *matched(struct subscriptions *s, const char *type, const char *subject)
{
	static char text[200];
	size_t count, n = 0;
	const int64_t *seqs = subscriptions_match(s, str_from(type), str_from(subject), &count);

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%lld", i ? " " : "", (long long)seqs[i]);
	return text;
}

static void put(struct subscriptions *s, int64_t seq, enum subscription_state state, const char *types)
{
	const struct subscription one = {
	    .seq = seq, .state = state, .types = str_from(types), .url = STR("https://example.com/")};

	subscriptions_put(s, &one);
}

static void test_matching(void **state)
{
	struct subscriptions *s = subscriptions_new();

	(void)state;
	assert_string_equal(matched(s, "order.held", "o1"), "");
	put(s, 7, SUBSCRIPTION_ENABLED, "order.*");
	put(s, 2, SUBSCRIPTION_ENABLED, "*");
	put(s, 5, SUBSCRIPTION_DISABLED, "*");
	assert_string_equal(matched(s, "order.held", "o1"), "2 7");
	assert_string_equal(matched(s, "order.held", "o2"), "2 7"); /* as it was kept */
	assert_string_equal(matched(s, "stock.moved", "A"), "2");
	/* every change counts at once */
	put(s, 5, SUBSCRIPTION_ENABLED, "stock.*");
	assert_string_equal(matched(s, "stock.moved", "A"), "2 5");
	put(s, 2, SUBSCRIPTION_DELETED, "");
	assert_string_equal(matched(s, "stock.moved", "A"), "5");
	assert_string_equal(matched(s, "order.held", "o1"), "7");
	assert_null(subscriptions_find(s, 2));
	put(s, 2, SUBSCRIPTION_DELETED, ""); /* one that is not there */
	assert_int_equal(subscriptions_count(s), 2);
	assert_int_equal(subscriptions_at(s, 0)->seq, 5);
	assert_int_equal(subscriptions_find(s, 7)->seq, 7);
	subscriptions_free(s);
	subscriptions_free(NULL);
}

/* What a subscription's own deliveries do must not make more of them. */
static void test_about_subscriptions(void **state)
{
	struct subscriptions *s = subscriptions_new();

	(void)state;
	put(s, 1, SUBSCRIPTION_ENABLED, "*");
	put(s, 2, SUBSCRIPTION_ENABLED, "subscription.* exception.raised");
	assert_string_equal(matched(s, "subscription.failing", "sub_1"), "2");
	assert_string_equal(matched(s, "subscription.failing", "sub_2"), "1");
	assert_string_equal(matched(s, "subscription.failing", "sub_3"), "1 2");
	assert_string_equal(matched(s, "exception.raised", "sub_3"), "");
	assert_string_equal(matched(s, "exception.raised", "o1"), "1 2");
	subscriptions_free(s);
}

/* More types than are kept: the answers stay right. */
static void test_many_types(void **state)
{
	struct subscriptions *s = subscriptions_new();
	char type[32];

	(void)state;
	put(s, 1, SUBSCRIPTION_ENABLED, "order.*");
	put(s, 2, SUBSCRIPTION_ENABLED, "*");
	for (int i = 0; i < 10000; i++) {
		snprintf(type, sizeof(type), "%s.%d", i % 2 ? "order" : "stock", i);
		assert_string_equal(matched(s, type, "x"), i % 2 ? "1 2" : "2");
	}
	subscriptions_free(s);
}

static void test_rows(void **state)
{
	struct subscription s;
	struct store_value row[SUBSCRIPTION_COLUMNS] = {SV_INT(3),
							SV_INT(SUBSCRIPTION_DISABLED),
							SV_TEXT(STR("https://h/")),
							SV_TEXT(STR("*")),
							SV_BLOB(STR("x")),
							SV_TEXT(STR("why")),
							SV_INT(10),
							SV_INT(11),
							SV_INT(12),
							SV_INT(13),
							SV_INT(4),
							SV_TEXT(STR("0-90 40-90"))};

	(void)state;
	assert_int_equal(subscription_from_row(row, &s), RC_OK);
	assert_int_equal(s.failures, 4);
	assert_int_equal(s.replay.left[0].after, 40);
	row[11] = SV_TEXT(STR("40"));
	assert_int_equal(subscription_from_row(row, &s), RC_IO);
	row[11] = SV_NULL;
	assert_int_equal(subscription_from_row(row, &s), RC_OK);
	assert_int_equal(s.replay.count, 0);
	row[1] = SV_INT(9);
	assert_int_equal(subscription_from_row(row, &s), RC_IO);
	row[1] = SV_INT(0);
	row[0] = SV_INT(0);
	assert_int_equal(subscription_from_row(row, &s), RC_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),      cmocka_unit_test(test_wanted_types),
	    cmocka_unit_test(test_matching),   cmocka_unit_test(test_about_subscriptions),
	    cmocka_unit_test(test_many_types), cmocka_unit_test(test_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
