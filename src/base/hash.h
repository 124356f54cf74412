/*
 * Hashes: SipHash-2-4 (64 and 128 bit, keyed, for tables whose keys come from outside), BLAKE2b-256 (for secrets).
 * SipHash: Aumasson and Bernstein, 2012; from libsodium.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct hash128 {
	uint64_t high, low;
};

struct hash_key {
	unsigned char bytes[16];
};

/* A key made at random at the first call, the same for the life of the process: for tables in memory only. */
const struct hash_key *hash_process_key(void);

uint64_t hash64(const struct hash_key *key, struct str s);
struct hash128 hash128(const struct hash_key *key, struct str s);

static inline bool hash128_eq(struct hash128 a, struct hash128 b)
{
	return a.high == b.high && a.low == b.low;
}

/* For a secret with at least 128 random bits (an API key); 32 bytes out. */
void hash_secret(struct str secret, unsigned char out[32]);
/* Equal in constant time. */
bool hash_equal(const void *a, const void *b, size_t n);
/* HMAC-SHA256; 32 bytes out. (RFC 2104) */
void hash_hmac_sha256(struct str key, struct str message, unsigned char out[32]);
void random_bytes(void *p, size_t n);
/* For simulations, never in a server: from now on random_bytes gives the sequence of this seed, and the process key is
 * a constant. The first call comes before anything is hashed; one thread. */
void random_simulate(uint64_t seed);

/* Standard base64 (RFC 4648, section 4). out: 4 * ((n + 2) / 3) + 1 bytes. */
void base64_encode(const void *p, size_t n, char *out);
/* false if it is not valid base64 or does not fit. */
bool base64_decode(struct str text, void *out, size_t room, size_t *n);

#endif
