#include "backbone/dedup.h"

#include "base/pages.h"

#include <pthread.h>
#include <stdlib.h>

/*
 * One open-addressing table; a slot is 40 bytes. The hash is uniform (SipHash), so its low bits index directly. The
 * kind is mixed into the hash by dedup_hash.
 *
 * It grows into a table of twice the size, a few slots with each insertion, so that no batch waits for millions of keys
 * to move. The old table stays as it is until all have moved; an entry that is in both counts as it is in the new one.
 *
 * Only the writer changes it, so the writer reads without a lock; it takes the lock to change, others to read.
 */
struct slot {
	struct hash128 hash;
	struct dedup_entry entry;
	bool used;
};

/* Slots an insertion: the new table takes 7/10 of the old one's slots in insertions before it is full itself. */
#define MOVE    4
#define AT_ONCE ((size_t)16384) /* slots, up to which the table moves as a whole */

struct dedup {
	struct slot *slots, *old; /* old: NULL unless it grows; its slots below moved are in slots as well */
	size_t room, old_room, moved, count, max;
	pthread_rwlock_t lock;
	bool loading;
};

struct dedup *dedup_new(size_t max)
{
	struct dedup *d = calloc(1, sizeof(*d));

	if (!d)
		abort();
	pthread_rwlock_init(&d->lock, NULL);
	d->max = max;
	d->room = 1024;
	d->slots = pages_zalloc(d->room * sizeof(*d->slots));
	return d;
}

static void drop_old(struct dedup *d)
{
	pages_free(d->old, d->old_room * sizeof(*d->old));
	d->old = NULL;
	d->old_room = 0;
}

void dedup_free(struct dedup *d)
{
	if (!d)
		return;
	pthread_rwlock_destroy(&d->lock);
	drop_old(d);
	pages_free(d->slots, d->room * sizeof(*d->slots));
	free(d);
}

struct hash128 dedup_hash(enum dedup_kind kind, struct str a, struct str b)
{
	/* Not a secret: it must be the same on every node, and the keyed hash only has to spread well. What a hostile
	 * caller could gain from collisions is bounded by the verification of the full key. */
	static const struct hash_key key = {"crossdock-dedup"};
	unsigned char stack[512], *p = stack;
	size_t n = a.n + b.n + 9;
	struct hash128 h;

	if (n > sizeof(stack)) {
		p = malloc(n);
		if (!p)
			abort();
	}
	p[0] = (unsigned char)kind;
	for (int i = 0; i < 8; i++)
		p[1 + i] = (unsigned char)((uint64_t)a.n >> (8 * i));
	if (a.n)
		memcpy(p + 9, a.p, a.n);
	if (b.n)
		memcpy(p + 9 + a.n, b.p, b.n);
	h = hash128(&key, (struct str){(const char *)p, n});
	if (p != stack)
		free(p);
	return h;
}

static struct slot *find_slot(struct slot *slots, size_t room, struct hash128 hash)
{
	size_t i = hash.low & (room - 1);

	while (slots[i].used && !hash128_eq(slots[i].hash, hash))
		i = (i + 1) & (room - 1);
	return &slots[i];
}

const struct dedup_entry *dedup_find(const struct dedup *d, struct hash128 hash)
{
	const struct slot *s = find_slot(d->slots, d->room, hash);

	if (!s->used && d->old)
		s = find_slot(d->old, d->old_room, hash);
	return s->used ? &s->entry : NULL;
}

/* At most count slots further. */
static void move(struct dedup *d, size_t count)
{
	for (; d->old && count > 0; count--) {
		const struct slot *from = &d->old[d->moved];
		struct slot *to = from->used ? find_slot(d->slots, d->room, from->hash) : NULL;

		if (to && !to->used)
			*to = *from;
		if (++d->moved == d->old_room)
			drop_old(d);
	}
}

static void grow(struct dedup *d)
{
	move(d, SIZE_MAX);
	d->old = d->slots;
	d->old_room = d->room;
	d->moved = 0;
	d->room *= 2;
	d->slots = pages_zalloc(d->room * sizeof(*d->slots));
	if (d->old_room <= AT_ONCE)
		move(d, d->old_room);
}

enum rc dedup_look(struct dedup *d, struct hash128 hash, struct dedup_entry *out)
{
	const struct dedup_entry *found = NULL;
	enum rc rc = RC_RETRY;

	pthread_rwlock_rdlock(&d->lock);
	if (!d->loading) {
		found = dedup_find(d, hash);
		rc = found ? RC_OK : RC_NOT_FOUND;
	}
	if (found)
		*out = *found;
	pthread_rwlock_unlock(&d->lock);
	return rc;
}

void dedup_clear(struct dedup *d)
{
	pthread_rwlock_wrlock(&d->lock);
	drop_old(d);
	memset(d->slots, 0, d->room * sizeof(*d->slots));
	d->count = 0;
	d->loading = true;
	pthread_rwlock_unlock(&d->lock);
}

void dedup_loaded(struct dedup *d)
{
	pthread_rwlock_wrlock(&d->lock);
	d->loading = false;
	pthread_rwlock_unlock(&d->lock);
}

static enum rc insert(struct dedup *d, struct hash128 hash, struct dedup_entry entry)
{
	bool is_new = !dedup_find(d, hash);

	if (is_new && d->count >= d->max)
		return RC_LIMIT;
	if (is_new && d->count * 10 >= d->room * 7)
		grow(d);
	move(d, MOVE);
	*find_slot(d->slots, d->room, hash) = (struct slot){hash, entry, true};
	d->count += is_new;
	return RC_OK;
}

enum rc dedup_insert(struct dedup *d, struct hash128 hash, struct dedup_entry entry)
{
	enum rc rc;

	pthread_rwlock_wrlock(&d->lock);
	rc = insert(d, hash, entry);
	pthread_rwlock_unlock(&d->lock);
	return rc;
}

static void put64(unsigned char *p, uint64_t n)
{
	for (int i = 0; i < 8; i++)
		p[i] = (unsigned char)(n >> (8 * i));
}

static uint64_t get64(const unsigned char *p)
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n |= (uint64_t)p[i] << (8 * i);
	return n;
}

void dedup_pack(unsigned char out[DEDUP_PACKED], enum dedup_kind kind, struct hash128 hash, struct dedup_entry entry)
{
	out[0] = (unsigned char)kind;
	put64(out + 1, hash.low);
	put64(out + 9, hash.high);
	put64(out + 17, entry.fingerprint);
	put64(out + 25, (uint64_t)entry.ref);
}

enum rc dedup_unpack(struct dedup *d, struct str keys)
{
	const unsigned char *p = (const unsigned char *)keys.p, *end = p + keys.n;
	enum rc rc = keys.n && keys.n % DEDUP_PACKED == 0 ? RC_OK : RC_IO;

	pthread_rwlock_wrlock(&d->lock);
	for (; rc == RC_OK && p < end; p += DEDUP_PACKED)
		rc = insert(d, (struct hash128){.low = get64(p + 1), .high = get64(p + 9)},
			    (struct dedup_entry){get64(p + 17), (int64_t)get64(p + 25)});
	pthread_rwlock_unlock(&d->lock);
	return rc;
}

size_t dedup_count(const struct dedup *d)
{
	return d->count;
}
