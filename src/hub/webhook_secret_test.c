#include "hub/webhook_secret.h"

#include "base/test.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
	    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true},
	    {"whsec_c2hvcnQ=", false},
	    {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false},
	    {"whsec_", false},
	    {"whsec_***", false},
	    {"whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", true},
	    {"whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==", true},
	    {"whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGA==", false},
	    {"whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false},
	    {"", false},
	};
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct webhook_key k;
		if (webhook_secret_parse(str_from(rows[i].text), &k) != rows[i].good)
			fail_msg("%s: is not %d", rows[i].text, rows[i].good);
	}
}

/* The example of the standard's reference libraries. */
static void test_sign(void **state)
{
	struct webhook_keys keys = {.count = 1};
	struct arena a;
	char out[WEBHOOK_SIGNATURES_TEXT], twice[WEBHOOK_SIGNATURES_TEXT];
	struct str id = STR("msg_p5jXN8AQM9LWM0D4loKWxJek"), body = STR("{\"test\": 2432232314}");
	(void)state;

	arena_init(&a, 1 << 16);
	assert_true(webhook_secret_parse(STR("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &keys.list[0]));
	assert_int_equal(webhook_keys_sign(&keys, &a, id, 1614265330000, body, out), RC_OK);
	assert_string_equal(out, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	keys.list[1] = keys.list[0];
	keys.list[1].until = 1614265331000;
	keys.count = 2;
	assert_int_equal(webhook_keys_sign(&keys, &a, id, 1614265330999, body, twice), RC_OK);
	assert_int_equal(strlen(twice), 2 * strlen(out) + 1);
	assert_int_equal(webhook_keys_sign(&keys, &a, id, 1614265331000, body, twice), RC_OK);
	assert_int_equal(strlen(twice), strlen(out));
	arena_done(&a);
}

static void test_seal(void **state)
{
	struct webhook_keys keys = {.count = 2}, back;
	struct secretbox_key key, other;
	struct arena a;
	struct str box;
	char text[WEBHOOK_SECRET_TEXT];
	struct err e = ERR_NONE;
	(void)state;

	arena_init(&a, 1 << 16);
	secretbox_key_make(&key);
	secretbox_key_make(&other);
	for (int i = 0; i < 2; i++) {
		webhook_secret_make(i == 1, text);
		assert_true(webhook_secret_parse(str_from(text), &keys.list[i]));
	}
	keys.list[1].until = 1772366400123;
	assert_int_equal(webhook_keys_seal(&keys, &key, &a, &box), RC_OK);
	assert_int_equal(webhook_keys_open(box, &other, &a, &back, &e), RC_INVALID);
	assert_int_equal(webhook_keys_open(box, &key, &a, &back, &e), RC_OK);
	assert_int_equal(back.count, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(back.list[i].ed25519, keys.list[i].ed25519);
		assert_int_equal(back.list[i].until, keys.list[i].until);
		assert_int_equal(back.list[i].n, keys.list[i].n);
		assert_memory_equal(back.list[i].bytes, keys.list[i].bytes, keys.list[i].n);
	}
	webhook_public_key(&back.list[1], text);
	assert_int_equal(strncmp(text, "whpk_", 5), 0);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_sign),
	    cmocka_unit_test(test_seal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
