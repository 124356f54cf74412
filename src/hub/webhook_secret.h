/*
 * The keys that a subscription's webhooks are signed with (Standard Webhooks 1.0): "whsec_" is HMAC-SHA256 ("v1"),
 * "whsk_" is Ed25519 ("v1a", public key "whpk_"). Two at most: while a rotation lasts the one before signs as well.
 *
 * In the store they are sealed with the key of the configuration folder (hub/config_secrets.h).
 */
#ifndef HUB_WEBHOOK_SECRET_H
#define HUB_WEBHOOK_SECRET_H

#include "base/arena.h"
#include "base/secretbox.h"

#include <stdbool.h>
#include <stdint.h>

#define WEBHOOK_KEYS_MAX    2
#define WEBHOOK_KEY_BYTES   64
#define WEBHOOK_SECRET_TEXT 96 /* of a key as text, with the NUL */

struct webhook_key {
	bool ed25519;
	unsigned char bytes[WEBHOOK_KEY_BYTES];
	size_t n;
	int64_t until; /* ms; 0: no end */
};

struct webhook_keys {
	struct webhook_key list[WEBHOOK_KEYS_MAX]; /* newest first */
	size_t count;
};

/* "whsec_" and the base64 of 24 to 64 bytes, "whsk_" and that of 32 (a seed) or 64. */
bool webhook_secret_parse(struct str text, struct webhook_key *out);
void webhook_secret_make(bool ed25519, char out[WEBHOOK_SECRET_TEXT]);
/* "whpk_..."; of an ed25519 key. */
void webhook_public_key(const struct webhook_key *k, char out[WEBHOOK_SECRET_TEXT]);

/* RC_LIMIT: the arena is full. */
enum rc webhook_keys_seal(const struct webhook_keys *keys, const struct secretbox_key *key, struct arena *a,
			  struct str *box) MUST_CHECK;
enum rc webhook_keys_open(struct str box, const struct secretbox_key *key, struct arena *a, struct webhook_keys *out,
			  struct err *e) MUST_CHECK;

#define WEBHOOK_SIGNATURES_TEXT 256
/* The value of webhook-signature: one for each key that is valid, by spaces. RC_LIMIT: the arena is full. */
enum rc webhook_keys_sign(const struct webhook_keys *keys, struct arena *a, struct str id, int64_t now_ms,
			  struct str body, char out[WEBHOOK_SIGNATURES_TEXT]) MUST_CHECK;

#endif
