/* One order the whole way with the real hub, and what a destination may do to it. */
#include "connect/test_systems.h"

static void open_with_order(void)
{
	open_world();
	receive_stock();
	place_order(1);
}

static void an_order_goes_its_way(void **state)
{
	(void)state;
	open_world();
	receive_stock();
	wait_for(w.erp.availability > 0);
	place_order(1);
	wait_for(w.erp.shipment_requests == 1);
	stop_world();
	assert_int_equal(w.erp.posts, 1);
	assert_non_null(strstr(w.erp.body, "\"order_id\""));
	assert_string_equal(w.erp.type, "application/json");
	assert_memory_equal(w.erp.trace, "00-", 3);
	assert_memory_equal(w.erp.signature, "v1,", 3);
	assert_true(strlen(w.erp.correlation) > 0);
	assert_int_equal(deliveries("erp", "order.post", DELIVERY_DELIVERED), 1);
	assert_int_equal(deliveries("wms", "shipment.request", DELIVERY_DELIVERED), 1);
	close_world();
}

static void an_unknown_outcome_is_looked_up(void **state)
{
	(void)state;
	w.erp.mood = MOOD_MUTE;
	open_with_order();
	wait_for(w.erp.shipment_requests == 1);
	stop_world();
	assert_int_equal(w.erp.posts, 1);
	assert_int_equal(w.erp.lookups, 1);
	assert_int_equal(deliveries("erp", "order.post", DELIVERY_DELIVERED), 1);
	close_world();
}

static void what_the_destination_does_not_have_is_sent_again(void **state)
{
	(void)state;
	w.erp.mood = MOOD_LOSES;
	open_with_order();
	wait_for(w.erp.shipment_requests == 1);
	stop_world();
	assert_int_equal(w.erp.posts, 2);
	assert_true(w.erp.lookups >= 2);
	assert_string_equal(w.erp.first_key, w.erp.last_key);
	assert_int_equal(deliveries("erp", "order.post", DELIVERY_DELIVERED), 1);
	close_world();
}

static void what_was_being_sent_is_looked_up_after_a_restart(void **state)
{
	(void)state;
	w.erp.mood = MOOD_HANGS;
	options.stop_ms = 1;
	open_with_order();
	wait_for(w.erp.posts == 1);
	stop_world();
	options.stop_ms = 0;
	assert_int_equal(deliveries("erp", "order.post", DELIVERY_SENDING), 1);
	close_world();
	pthread_mutex_lock(&w.server.lock);
	w.erp.mood = MOOD_MUTE; /* it has the order */
	pthread_mutex_unlock(&w.server.lock);
	open_world();
	wait_for(w.erp.shipment_requests == 1);
	stop_world();
	assert_int_equal(w.erp.posts, 1);
	assert_int_equal(w.erp.lookups, 1);
	assert_int_equal(deliveries("erp", "order.post", DELIVERY_DELIVERED), 1);
	close_world();
}

static void a_refusal_is_final(void **state)
{
	(void)state;
	w.erp.mood = MOOD_REFUSES;
	open_with_order();
	wait_for(w.erp.posts == 1);
	stop_world();
	assert_int_equal(w.erp.posts, 1);
	assert_int_equal(deliveries("erp", "order.post", DELIVERY_DEAD), 1);
	close_world();
}

static void a_busy_destination_is_asked_later(void **state)
{
	(void)state;
	w.erp.mood = MOOD_BUSY_ONCE;
	open_with_order();
	wait_for(w.erp.posts == 2);
	stop_world();
	assert_string_equal(w.erp.first_key, w.erp.last_key);
	assert_int_equal(deliveries("erp", "order.post", DELIVERY_DELIVERED), 1);
	close_world();
}

static void refused_credentials_stop_the_destination(void **state)
{
	(void)state;
	w.erp.mood = MOOD_UNAUTHORIZED;
	open_with_order();
	wait_for(w.erp.unauthorized > 0); /* the order, or the stock before it */
	for (int i = 2; i <= 20; i++)
		place_order(i);
	wait_for(w.erp.statuses > 0 || w.erp.availability > 1);
	stop_world();
	assert_in_range(w.erp.unauthorized, 1, 4); /* those that were under way at the first answer: the slots */
	assert_string_equal(view_of("erp").state, "stopped");
	assert_true(deliveries("erp", "order.post", DELIVERY_WAITING) > 0);
	assert_int_equal(deliveries("erp", "order.post", DELIVERY_DEAD), 0);
	close_world();
}

struct letters {
	int count;
	char reasons[1024];
};

static enum rc add_letter(void *ctx, const struct store_value *c, size_t n)
{
	struct letters *l = ctx;
	(void)n;
	size_t at = strlen(l->reasons);
	l->count++;
	snprintf(l->reasons + at, sizeof(l->reasons) - at, STR_FMT "\n", STR_ARG(c[8].bytes));
	return RC_OK;
}

static void a_bad_message_becomes_a_dead_letter(void **state)
{
	(void)state;
	struct letters l = {0};
	struct store_reader *r;
	open_world();
	post("shop", "order", "{\"channel\":");
	post("shop", "order", "{\"channel\":\"shop\"}");
	post("shop", "no-such", "{}");
	post("shop", "order", "{\"items\":[]}");
	receive_stock();
	place_order(1);
	wait_for(w.erp.shipment_requests == 1);
	stop_world();
	const struct store_value args[] = {SV_INT(INT64_MAX), SV_INT(100)};
	assert_int_equal(store_reader_open(hub_store(w.hub), &r, NULL), RC_OK);
	assert_int_equal(store_read(r, R_DEAD_LETTERS_BEFORE, args, 2, add_letter, &l, NULL), RC_OK);
	store_reader_close(r);
	assert_int_equal(l.count, 4);
	assert_non_null(strstr(l.reasons, "no-such"));
	assert_non_null(strstr(l.reasons, "external_id"));
	close_world();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_order_goes_its_way),
	    TEST(an_unknown_outcome_is_looked_up),
	    TEST(what_the_destination_does_not_have_is_sent_again),
	    TEST(what_was_being_sent_is_looked_up_after_a_restart),
	    TEST(a_refusal_is_final),
	    TEST(a_busy_destination_is_asked_later),
	    TEST(refused_credentials_stop_the_destination),
	    TEST(a_bad_message_becomes_a_dead_letter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
