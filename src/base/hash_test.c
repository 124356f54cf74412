#include "base/hash.h"

#include "base/test.h"

#include <stdio.h>

static void hex(const unsigned char *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

/* RFC 4231, cases 1 to 4, 6 and 7. */
static void test_hmac(void **state)
{
	(void)state;
	char key20[20], key20_aa[20], key25[25], key131[131], data_dd[50], data_cd[50];
	memset(key20, 0x0b, 20);
	memset(key20_aa, 0xaa, 20);
	memset(key131, 0xaa, 131);
	memset(data_dd, 0xdd, 50);
	memset(data_cd, 0xcd, 50);
	for (int i = 0; i < 25; i++)
		key25[i] = (char)(i + 1);
	const struct {
		struct str key, data;
		const char *mac;
	} cases[] = {
	    {{key20, 20}, STR("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	    {STR("Jefe"), STR("what do ya want for nothing?"),
	     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	    {{key20_aa, 20}, {data_dd, 50}, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	    {{key25, 25}, {data_cd, 50}, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	    {{key131, 131},
	     STR("Test Using Larger Than Block-Size Key - Hash Key First"),
	     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	    {{key131, 131},
	     STR("This is a test using a larger than block-size key and a larger than block-size data. The key needs "
		 "to be hashed before being used by the HMAC algorithm."),
	     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned char mac[32];
		char text[65];
		hash_hmac_sha256(cases[i].key, cases[i].data, mac);
		hex(mac, 32, text);
		assert_string_equal(text, cases[i].mac);
	}
}

/* The vector of the SipHash paper: key 00..0f, message 00..0e. */
static void test_siphash(void **state)
{
	(void)state;
	struct hash_key key;
	char message[15];
	for (int i = 0; i < 16; i++)
		key.bytes[i] = (unsigned char)i;
	for (int i = 0; i < 15; i++)
		message[i] = (char)i;
	assert_true(hash64(&key, (struct str){message, 15}) == 0xa129ca6149be45e5u);
	struct hash128 a = hash128(&key, (struct str){message, 15});
	struct hash128 b = hash128(&key, (struct str){message, 14});
	assert_true(hash128_eq(a, hash128(&key, (struct str){message, 15})));
	assert_false(hash128_eq(a, b));
	assert_true(hash64(&key, STR_NONE) == hash64(&key, STR("")));
	key.bytes[0] = 1;
	assert_false(hash128_eq(a, hash128(&key, (struct str){message, 15})));
	assert_ptr_equal(hash_process_key(), hash_process_key());
}

/* BLAKE2b-256 of the empty string and of "abc". */
static void test_secret(void **state)
{
	(void)state;
	unsigned char out[32];
	char text[65];
	hash_secret(STR_NONE, out);
	hex(out, 32, text);
	assert_string_equal(text, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
	hash_secret(STR("abc"), out);
	hex(out, 32, text);
	assert_string_equal(text, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
	assert_true(hash_equal("abc", "abc", 3));
	assert_false(hash_equal("abc", "abd", 3));
	assert_true(hash_equal("abc", "abd", 2));
}

static void test_random_differs(void **state)
{
	(void)state;
	unsigned char a[32] = {0}, b[32] = {0};
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

/* RFC 4648, section 10. */
static void test_base64(void **state)
{
	(void)state;
	static const struct {
		struct str raw;
		const char *text;
	} good[] = {
	    {STR(""), ""},
	    {STR("f"), "Zg=="},
	    {STR("fo"), "Zm8="},
	    {STR("foo"), "Zm9v"},
	    {STR("foob"), "Zm9vYg=="},
	    {STR("fooba"), "Zm9vYmE="},
	    {STR("foobar"), "Zm9vYmFy"},
	    {STR("\0\xff\xfe"), "AP/+"},
	};
	for (size_t i = 0; i < COUNT(good); i++) {
		char text[16], raw[16];
		size_t n;
		base64_encode(good[i].raw.p, good[i].raw.n, text);
		assert_string_equal(text, good[i].text);
		assert_true(base64_decode(str_from(good[i].text), raw, sizeof(raw), &n));
		assert_true(str_eq((struct str){raw, n}, good[i].raw));
		if (n)
			assert_false(base64_decode(str_from(good[i].text), raw, n - 1, &n));
	}
	static const char *const bad[] = {"Z",    "Zg",   "Zg=",         "Zg===", "Zm9v Zg==", "Zm9v\n",
					  "Zm-_", "Zh==", "Zm\xb9vYmE=", "=",     "Zm9vZ"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		char raw[16];
		size_t n;
		assert_false(base64_decode(str_from(bad[i]), raw, sizeof(raw), &n));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hmac),           cmocka_unit_test(test_siphash), cmocka_unit_test(test_secret),
	    cmocka_unit_test(test_random_differs), cmocka_unit_test(test_base64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
