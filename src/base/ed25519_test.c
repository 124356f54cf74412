#include "base/ed25519.h"

#include "base/test.h"

#include <stdio.h>

static void from_hex(const char *hex, unsigned char *out)
{
	for (size_t i = 0; hex[2 * i]; i++) {
		unsigned byte;
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (unsigned char)byte;
	}
}

/* RFC 8032, section 7.1 */
static void test_vectors(void **state)
{
	static const struct {
		const char *seed, *public, *message, *signature;
	} rows[] = {
	    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f05"
	     "95bbe246551"
	     "41438e7a100b"},
	    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb"
	     "4302aeeb00d"
	     "291612bb0c00"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned char seed[32], secret[64], public[32], want_public[32], message[8], signature[64], want[64];

		from_hex(rows[i].seed, seed);
		from_hex(rows[i].public, want_public);
		from_hex(rows[i].message, message);
		from_hex(rows[i].signature, want);
		ed25519_from_seed(seed, secret);
		ed25519_public(secret, public);
		ed25519_sign(secret, (struct str){(char *)message, strlen(rows[i].message) / 2}, signature);
		assert_memory_equal(public, want_public, 32);
		assert_memory_equal(signature, want, 64);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
