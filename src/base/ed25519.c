#include "base/ed25519.h"

#include <assert.h>
#include <sodium.h>

void ed25519_from_seed(const unsigned char seed[ED25519_SEED_BYTES], unsigned char secret[ED25519_SECRET_BYTES])
{
	unsigned char public[ED25519_PUBLIC_BYTES];
	int failed = crypto_sign_seed_keypair(public, secret, seed);
	assert(!failed);
}

void ed25519_public(const unsigned char secret[ED25519_SECRET_BYTES], unsigned char out[ED25519_PUBLIC_BYTES])
{
	int failed = crypto_sign_ed25519_sk_to_pk(out, secret);
	assert(!failed);
}

void ed25519_sign(const unsigned char secret[ED25519_SECRET_BYTES], struct str message,
		  unsigned char out[ED25519_SIGNATURE_BYTES])
{
	int failed = crypto_sign_detached(out, NULL, (const unsigned char *)message.p, message.n, secret);
	assert(!failed);
}
