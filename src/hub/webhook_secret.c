#include "hub/webhook_secret.h"

#include "base/ed25519.h"
#include "base/hash.h"

#include <stdio.h>

#define SYMMETRIC "whsec_"
#define PRIVATE   "whsk_"
#define PUBLIC    "whpk_"
#define MADE      32
/* A sealed key: kind, length, until (8 bytes, low first), the bytes. */
#define SEALED_HEAD 10

static bool decode(struct str text, const char *head, struct webhook_key *out)
{
	size_t n = strlen(head);
	return text.n > n && memcmp(text.p, head, n) == 0 &&
	       base64_decode((struct str){text.p + n, text.n - n}, out->bytes, sizeof(out->bytes), &out->n);
}

bool webhook_secret_parse(struct str text, struct webhook_key *out)
{
	*out = (struct webhook_key){0};
	if (decode(text, SYMMETRIC, out))
		return out->n >= 24;
	*out = (struct webhook_key){.ed25519 = true};
	if (!decode(text, PRIVATE, out) || (out->n != ED25519_SEED_BYTES && out->n != ED25519_SECRET_BYTES))
		return false;
	unsigned char secret[ED25519_SECRET_BYTES];
	ed25519_from_seed(out->bytes, secret);
	/* The second half of 64 bytes is the public key of the first. */
	bool good = out->n == ED25519_SEED_BYTES || memcmp(secret, out->bytes, sizeof(secret)) == 0;
	memcpy(out->bytes, secret, sizeof(secret));
	out->n = sizeof(secret);
	secret_wipe(secret, sizeof(secret));
	return good;
}

static void encode(const char *head, const unsigned char *bytes, size_t n, char *out)
{
	while (*head)
		*out++ = *head++;
	base64_encode(bytes, n, out);
}

void webhook_secret_make(bool ed25519, char out[WEBHOOK_SECRET_TEXT])
{
	unsigned char raw[MADE], secret[ED25519_SECRET_BYTES];
	random_bytes(raw, sizeof(raw));
	if (ed25519) {
		ed25519_from_seed(raw, secret);
		char text[4 * ((sizeof(secret) + 2) / 3) + sizeof(PRIVATE)];
		_Static_assert(sizeof(text) <= WEBHOOK_SECRET_TEXT, "a key has room");
		encode(PRIVATE, secret, sizeof(secret), out);
		secret_wipe(secret, sizeof(secret));
	} else {
		encode(SYMMETRIC, raw, sizeof(raw), out);
	}
	secret_wipe(raw, sizeof(raw));
}

void webhook_public_key(const struct webhook_key *k, char out[WEBHOOK_SECRET_TEXT])
{
	unsigned char public[ED25519_PUBLIC_BYTES];
	ed25519_public(k->bytes, public);
	encode(PUBLIC, public, sizeof(public), out);
}

enum rc webhook_keys_seal(const struct webhook_keys *keys, const struct secretbox_key *key, struct arena *a,
			  struct str *box)
{
	unsigned char plain[WEBHOOK_KEYS_MAX * (SEALED_HEAD + WEBHOOK_KEY_BYTES)], *p = plain;
	for (size_t i = 0; i < keys->count; i++) {
		const struct webhook_key *k = &keys->list[i];
		*p++ = k->ed25519;
		*p++ = (unsigned char)k->n;
		for (int b = 0; b < 8; b++)
			*p++ = (unsigned char)((uint64_t)k->until >> (8 * b));
		memcpy(p, k->bytes, k->n);
		p += k->n;
	}
	enum rc rc = secretbox_seal(key, a, (struct str){(const char *)plain, (size_t)(p - plain)}, box);
	secret_wipe(plain, sizeof(plain));
	return rc;
}

enum rc webhook_keys_open(struct str box, const struct secretbox_key *key, struct arena *a, struct webhook_keys *out,
			  struct err *e)
{
	struct str plain;
	*out = (struct webhook_keys){0};
	enum rc rc = secretbox_open(key, a, box, &plain, e);
	if (rc != RC_OK)
		return rc;
	const unsigned char *p = (const unsigned char *)plain.p, *end = p + plain.n;
	while (end - p >= SEALED_HEAD && out->count < WEBHOOK_KEYS_MAX) {
		struct webhook_key *k = &out->list[out->count];
		uint64_t until = 0;
		for (int b = 0; b < 8; b++)
			until |= (uint64_t)p[2 + b] << (8 * b);
		*k = (struct webhook_key){.ed25519 = p[0], .n = p[1], .until = (int64_t)until};
		p += SEALED_HEAD;
		if (k->n > WEBHOOK_KEY_BYTES || (size_t)(end - p) < k->n)
			break;
		memcpy(k->bytes, p, k->n);
		p += k->n;
		out->count++;
	}
	bool whole = p == end && out->count > 0;
	secret_wipe((char *)plain.p, plain.n);
	return whole ? RC_OK : err_set(e, RC_INVALID, "secrets_unreadable", "the keys of a subscription make no sense");
}

static size_t sign_one(const struct webhook_key *k, struct str message, char *out)
{
	unsigned char raw[ED25519_SIGNATURE_BYTES];
	if (k->ed25519) {
		ed25519_sign(k->bytes, message, raw);
		encode("v1a,", raw, ED25519_SIGNATURE_BYTES, out);
	} else {
		hash_hmac_sha256((struct str){(const char *)k->bytes, k->n}, message, raw);
		encode("v1,", raw, 32, out);
	}
	return strlen(out);
}

enum rc webhook_keys_sign(const struct webhook_keys *keys, struct arena *a, struct str id, int64_t now_ms,
			  struct str body, char out[WEBHOOK_SIGNATURES_TEXT])
{
	size_t room = id.n + body.n + 32, n = 0;
	char *text = arena_alloc(a, room);
	if (!text)
		return RC_LIMIT;
	int head = snprintf(text, room, STR_FMT ".%lld.", STR_ARG(id), (long long)(now_ms / 1000));
	memcpy(text + head, body.p, body.n);
	out[0] = '\0';
	for (size_t i = 0; i < keys->count; i++) {
		if (keys->list[i].until && keys->list[i].until <= now_ms)
			continue;
		if (n)
			out[n++] = ' ';
		n += sign_one(&keys->list[i], (struct str){text, (size_t)head + body.n}, out + n);
	}
	return RC_OK;
}
