#include "base/secretbox.h"

#include <assert.h>
#include <sodium.h>

_Static_assert(SECRETBOX_KEY_BYTES == crypto_secretbox_KEYBYTES, "the key has the library's size");

void secretbox_key_make(struct secretbox_key *out)
{
	int failed = sodium_init();
	assert(failed >= 0);
	randombytes_buf(out->bytes, sizeof(out->bytes));
}

void secret_wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}

enum rc secretbox_seal(const struct secretbox_key *key, struct arena *a, struct str plain, struct str *box)
{
	int failed = sodium_init();
	assert(failed >= 0);

	size_t size = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + plain.n;
	unsigned char *out = arena_alloc(a, size);
	if (!out)
		return RC_LIMIT;
	randombytes_buf(out, crypto_secretbox_NONCEBYTES);
	failed = crypto_secretbox_easy(out + crypto_secretbox_NONCEBYTES,
				       (const unsigned char *)(plain.p ? plain.p : ""), plain.n, out, key->bytes);
	assert(!failed);
	*box = (struct str){(const char *)out, size};
	return RC_OK;
}

enum rc secretbox_open(const struct secretbox_key *key, struct arena *a, struct str box, struct str *plain,
		       struct err *e)
{
	size_t overhead = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
	const unsigned char *in = (const unsigned char *)box.p;

	if (box.n < overhead)
		return err_set(e, RC_INVALID, "secrets_unreadable", "The encrypted secrets are cut short.");
	unsigned char *out = arena_alloc(a, box.n - overhead + 1);
	if (!out)
		return err_set(e, RC_LIMIT, "secrets_too_large", "The encrypted secrets are too large.");
	if (crypto_secretbox_open_easy(out, in + crypto_secretbox_NONCEBYTES, box.n - crypto_secretbox_NONCEBYTES, in,
				       key->bytes))
		return err_set(e, RC_INVALID, "secrets_unreadable",
			       "The secrets cannot be decrypted: the key is another one, or the file was changed.");
	*plain = (struct str){(const char *)out, box.n - overhead};
	return RC_OK;
}
