/*
 * Encryption of small secrets at rest: XSalsa20-Poly1305 (libsodium's secretbox) under a key of 256 bits, a fresh nonce
 * in front of every box.
 */
#ifndef BASE_SECRETBOX_H
#define BASE_SECRETBOX_H

#include "base/arena.h"

#define SECRETBOX_KEY_BYTES 32

struct secretbox_key {
	unsigned char bytes[SECRETBOX_KEY_BYTES];
};

void secretbox_key_make(struct secretbox_key *out);
/* Overwrites memory that held a secret, and is not optimised away. */
void secret_wipe(void *p, size_t n);

/* Into the arena. RC_LIMIT when it is full. */
enum rc secretbox_seal(const struct secretbox_key *key, struct arena *a, struct str plain, struct str *box) MUST_CHECK;
/* NUL-terminated, in the arena. RC_INVALID "secrets_unreadable": another key, or the box was changed. */
enum rc secretbox_open(const struct secretbox_key *key, struct arena *a, struct str box, struct str *plain,
		       struct err *e) MUST_CHECK;

#endif
