/* What is sent for an event, what is kept of it, and what answers mean. */
#include "connect/webhook.h"

#include "backbone/subscription.h"
#include "hub/test_commands.h"
#include "hub/webhook_secret.h"

static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

static void subscribe(const char *url)
{
	struct command *c = make_subscription(COMMAND_SUBSCRIPTION_CREATE, "");

	c->subscription.url = arena_copy(&c->arena, str_from(url));
	c->subscription.types = STR("order.captured");
	c->subscription.secret = str_from(secret);
	assert_int_equal(do_command(c).status, 201);
}

static int setup(void **state)
{
	(void)state;
	world_init();
	world_open();
	subscribe("https://example.com/hook?token=very-secret");
	assert_int_equal(do_command(make_order("1", "A:1")).status, 202);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_close();
	world_done();
	return 0;
}

static struct delivery_head event_head(void)
{
	for (size_t i = 0; i < world.head_count; i++)
		if (world.heads[i].seq && OP_IS_EVENT(world.heads[i].operation))
			return world.heads[i];
	fail_msg("there is no event");
	return (struct delivery_head){0};
}

static struct attempt rendered(void)
{
	static const struct config_system system = {.name = STR("sub_1")};
	const struct delivery_head head = event_head();
	struct attempt a;
	struct err e = ERR_NONE;

	attempt_init(&a, ATTEMPT_SEND, &system, &head);
	a.hub = world.hub;
	assert_int_equal(attempt_render(&a, NULL, world.reader, world.now, &e), RC_OK);
	return a;
}

static struct str header(const struct attempt *a, const char *name)
{
	for (size_t i = 0; i < a->request.header_count; i++)
		if (str_is(a->request.headers[i].name, name))
			return a->request.headers[i].value;
	return STR_NONE;
}

static void test_request(void **state)
{
	struct attempt a = rendered();
	struct webhook_keys keys = {.count = 1};
	struct json *body;
	char expected[WEBHOOK_SIGNATURES_TEXT];

	(void)state;
	assert_false(a.ended);
	assert_true(str_is(a.request.url, "https://example.com/hook?token=very-secret"));
	assert_int_equal(json_parse(&world.arena, a.request.body, NULL, &body, NULL), RC_OK);
	assert_string_equal(world_at(body, "type"), "order.captured");
	assert_string_equal(world_at(body, "id"),
			    arena_printf(&world.arena, STR_FMT, STR_ARG(header(&a, "webhook-id"))));
	assert_true(webhook_secret_parse(str_from(secret), &keys.list[0]));
	assert_int_equal(
	    webhook_keys_sign(&keys, &world.arena, header(&a, "webhook-id"), world.now, a.request.body, expected),
	    RC_OK);
	assert_true(str_is(header(&a, "webhook-signature"), expected));
	assert_int_equal(header(&a, "Crossdock-Replay").n, 0);
	attempt_done(&a);
}

/* The query of the URL and the signature are nobody's to read. */
static void test_record(void **state)
{
	struct attempt a = rendered();
	struct str whole;
	const char *text;

	(void)state;
	assert_int_equal(decompress_text(&world.arena, a.request_text, 65536, &whole, NULL), RC_OK);
	text = arena_printf(&world.arena, STR_FMT, STR_ARG(whole));
	assert_non_null(strstr(text, "POST https://example.com/hook?***\n"));
	assert_null(strstr(text, "very-secret"));
	assert_null(strstr(text, "v1,"));
	attempt_done(&a);
}

/* It is answered without a body. */
static void deleted(struct command *c, void *ctx)
{
	(void)ctx;
	assert_int_equal(c->answer.status, 204);
	command_free(c);
}

static void test_nobody_wants_it(void **state)
{
	struct command *c = make_subscription(COMMAND_SUBSCRIPTION_CHANGE, "sub_1");

	(void)state;
	c->subscription.enabled = 0;
	assert_int_equal(do_command(c).status, 200);
	struct attempt a = rendered();
	assert_true(a.ended && a.cancelled && !a.gone);
	attempt_done(&a);
	c = make_subscription(COMMAND_SUBSCRIPTION_DELETE, "sub_1");
	c->done = deleted;
	assert_int_equal(hub_submit(world.hub, c), RC_OK);
	run();
	a = rendered();
	assert_true(a.ended && a.cancelled && a.gone);
	attempt_done(&a);
}

/* It was allowed when it was stored. */
static void test_changed_rules(void **state)
{
	static const char http[] = "webhooks: {allow_http: true, allow_private: [10.0.0.0/8]}\n";
	struct command *c = make_subscription(COMMAND_SUBSCRIPTION_CHANGE, "sub_1");

	(void)state;
	c->subscription.url = STR("http://10.0.0.1:9000/hook");
	assert_int_equal(do_command(c).status, 200);
	struct attempt a = rendered();
	assert_true(a.ended && !a.cancelled);
	assert_int_equal(a.outcome, OUTCOME_TECHNICAL);
	assert_int_equal(a.request.url.n, 0);
	assert_non_null(strstr(arena_printf(&world.arena, STR_FMT, STR_ARG(a.detail)), "allow_http"));
	attempt_done(&a);
	const struct delivery_head head = event_head();
	world_close();
	world_configure(arena_printf(&world.arena, "%s%s", http, world_yaml));
	world_open();
	world.heads[world.head_count++] = head;
	a = rendered();
	assert_false(a.ended);
	attempt_done(&a);
}

static void test_answers(void **state)
{
	static const struct {
		int status;
		bool sent;
		const char *retry_after;
		enum outcome outcome;
		int64_t retry_after_ms;
	} cases[] = {
	    {200, true, "", OUTCOME_DELIVERED, 0},     {204, true, "", OUTCOME_DELIVERED, 0},
	    {302, true, "", OUTCOME_TECHNICAL, 0},     {400, true, "", OUTCOME_TECHNICAL, 0},
	    {401, true, "", OUTCOME_TECHNICAL, 0}, /* the receiver's secret is wrong: not our credentials */
	    {410, true, "", OUTCOME_TECHNICAL, 0}, /* the hub disables (apply_subscription.c) */
	    {429, true, "7", OUTCOME_THROTTLED, 7000}, {503, true, "", OUTCOME_THROTTLED, 0},
	    {503, true, "soon", OUTCOME_THROTTLED, 0}, {503, true, "99999999999999999999", OUTCOME_THROTTLED, 86400000},
	    {500, true, "", OUTCOME_TECHNICAL, 0},     {0, false, "", OUTCOME_TECHNICAL, 0},
	    {0, true, "", OUTCOME_UNKNOWN, 0}, /* sent again under the same id: the operation is idempotent */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		static const struct config_system system = {.name = STR("sub_1")};
		struct attempt a;

		attempt_init(&a, ATTEMPT_SEND, &system, &(struct delivery_head){.operation = OP_EVENT});
		a.transfer = (struct http_answer){.status = cases[i].status,
						  .sent = cases[i].sent,
						  .retry_after = str_from(cases[i].retry_after),
						  .error = STR("no answer")};
		webhook_classify(&a);
		assert_true(a.ended);
		assert_int_equal(a.outcome, cases[i].outcome);
		assert_int_equal(a.retry_after_ms, cases[i].retry_after_ms);
		attempt_done(&a);
	}
	assert_true(webhook_pack()->operations[OP_EVENT].idempotent);
	assert_true(webhook_pack()->operations[OP_EVENT_REPLAY].idempotent);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_request),
	    TEST(test_record),
	    TEST(test_nobody_wants_it),
	    TEST(test_changed_rules),
	    cmocka_unit_test(test_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
