/*
 * Dedup keys: 128-bit keyed hashes of what must have one effect, in memory, appended to the log with the batch: one row
 * holds all keys of a batch.
 *
 * A key maps to a fingerprint of the content and a reference to the row that was made (by kind). The full key is
 * verified against that row by whoever finds a hit. Writer only, but for dedup_look. Entries of a batch that was not
 * committed are gone after the reload.
 */
#ifndef BACKBONE_DEDUP_H
#define BACKBONE_DEDUP_H

#include "base/hash.h"
#include "store/store.h"

/* Stored as numbers: never renumber. */
enum dedup_kind {
	DEDUP_IDEMPOTENCY = 1, /* an Idempotency-Key; ref: inbox seq */
	DEDUP_ORDER = 2,       /* channel, external id; ref: orders seq */
	DEDUP_MOVEMENT = 3,    /* source, source event id; ref: movement seq */
	DEDUP_MESSAGE = 4,     /* an inbound message; ref: inbox seq */
	DEDUP_RECORD = 5,      /* type, id: the last content; ref: document seq */
	DEDUP_RESERVATION = 6, /* a caller's reservation id; ref: reservation seq */
	DEDUP_REVERSAL = 7,    /* movement id, number of its entry; ref: movement seq of the reversal */
};

struct dedup_entry {
	uint64_t fingerprint;
	int64_t ref;
};

/* A key in a row: kind, hash (low, high), fingerprint, ref; little-endian. */
#define DEDUP_PACKED 33
void dedup_pack(unsigned char out[DEDUP_PACKED], enum dedup_kind kind, struct hash128 hash, struct dedup_entry entry);

struct dedup;
struct dedup *dedup_new(size_t max);
void dedup_free(struct dedup *d);
/* The key's parts are hashed with their lengths, so that ("a","bc") is not ("ab","c"). The hash key is fixed and stored
 * with nothing secret in it: the same on every node. */
struct hash128 dedup_hash(enum dedup_kind kind, struct str a, struct str b);
const struct dedup_entry *dedup_find(const struct dedup *d, struct hash128 hash);
/* RC_LIMIT when full. Replaces an entry that is there. */
enum rc dedup_insert(struct dedup *d, struct hash128 hash, struct dedup_entry entry) MUST_CHECK;
/* The keys of a row. RC_IO: it is damaged; RC_LIMIT: full. */
enum rc dedup_unpack(struct dedup *d, struct str keys) MUST_CHECK;
/* Any thread. RC_NOT_FOUND; RC_RETRY while the keys are being loaded. What it finds may not be committed (yet, or
 * ever): the row says. */
enum rc dedup_look(struct dedup *d, struct hash128 hash, struct dedup_entry *out) MUST_CHECK;
/* Empties it for a load; dedup_look waits for dedup_loaded. */
void dedup_clear(struct dedup *d);
void dedup_loaded(struct dedup *d);
size_t dedup_count(const struct dedup *d);

#endif
