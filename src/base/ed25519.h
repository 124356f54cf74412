/* Ed25519 signatures (RFC 8032), from libsodium. */
#ifndef BASE_ED25519_H
#define BASE_ED25519_H

#include "base/str.h"

#define ED25519_SEED_BYTES      32
#define ED25519_SECRET_BYTES    64 /* seed and public key */
#define ED25519_PUBLIC_BYTES    32
#define ED25519_SIGNATURE_BYTES 64

void ed25519_from_seed(const unsigned char seed[ED25519_SEED_BYTES], unsigned char secret[ED25519_SECRET_BYTES]);
void ed25519_public(const unsigned char secret[ED25519_SECRET_BYTES], unsigned char out[ED25519_PUBLIC_BYTES]);
void ed25519_sign(const unsigned char secret[ED25519_SECRET_BYTES], struct str message,
		  unsigned char out[ED25519_SIGNATURE_BYTES]);

#endif
