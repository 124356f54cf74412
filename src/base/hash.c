#include "base/hash.h"

#include <assert.h>
#include <sodium.h>
#include <threads.h>

static once_flag once = ONCE_FLAG_INIT;
static struct hash_key process_key;
static struct {
	bool on;
	uint64_t state;
} simulated;

static void start(void)
{
	int failed = sodium_init();
	assert(failed >= 0);
	randombytes_buf(process_key.bytes, sizeof(process_key.bytes));
}

const struct hash_key *hash_process_key(void)
{
	call_once(&once, start);
	return &process_key;
}

static const unsigned char *bytes(struct str s)
{
	return (const unsigned char *)(s.p ? s.p : "");
}

uint64_t hash64(const struct hash_key *key, struct str s)
{
	uint64_t out;
	crypto_shorthash_siphash24((unsigned char *)&out, bytes(s), s.n, key->bytes);
	return out;
}

struct hash128 hash128(const struct hash_key *key, struct str s)
{
	struct hash128 out;
	unsigned char raw[crypto_shorthash_siphashx24_BYTES];
	crypto_shorthash_siphashx24(raw, bytes(s), s.n, key->bytes);
	memcpy(&out.high, raw, 8);
	memcpy(&out.low, raw + 8, 8);
	return out;
}

void hash_secret(struct str secret, unsigned char out[32])
{
	int failed = crypto_generichash(out, 32, bytes(secret), secret.n, NULL, 0);
	assert(!failed);
}

bool hash_equal(const void *a, const void *b, size_t n)
{
	return sodium_memcmp(a, b, n) == 0;
}

void hash_hmac_sha256(struct str key, struct str message, unsigned char out[32])
{
	crypto_auth_hmacsha256_state s;
	crypto_auth_hmacsha256_init(&s, bytes(key), key.n);
	crypto_auth_hmacsha256_update(&s, bytes(message), message.n);
	crypto_auth_hmacsha256_final(&s, out);
	sodium_memzero(&s, sizeof(s));
}

void random_bytes(void *p, size_t n)
{
	call_once(&once, start);
	if (!simulated.on) {
		randombytes_buf(p, n);
		return;
	}
	/* SplitMix64 (Steele, Lea and Flood, 2014). */
	for (size_t i = 0; i < n; i++) {
		uint64_t z = simulated.state += 0x9e3779b97f4a7c15;
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
		((unsigned char *)p)[i] = (unsigned char)(z >> 56);
	}
}

void random_simulate(uint64_t seed)
{
	call_once(&once, start);
	if (!simulated.on)
		memset(process_key.bytes, 0, sizeof(process_key.bytes));
	simulated.on = true;
	simulated.state = seed;
}

void base64_encode(const void *p, size_t n, char *out)
{
	sodium_bin2base64(out, sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL), n ? p : "", n,
			  sodium_base64_VARIANT_ORIGINAL);
}

bool base64_decode(struct str text, void *out, size_t room, size_t *n)
{
	*n = 0;
	if (!text.n)
		return true;
	/* libsodium 1.0.18 takes some bytes over 0x7f for characters of the alphabet. */
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] > 0x7f)
			return false;
	return sodium_base642bin(out, room, text.p, text.n, NULL, n, NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
}
