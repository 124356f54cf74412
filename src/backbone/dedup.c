#include "backbone/dedup.h"

#include <pthread.h>
#include <stdlib.h>

/*
 * One open-addressing table; a slot is 40 bytes. The hash is uniform (SipHash), so its low bits index directly. The
 * kind is mixed into the hash by dedup_hash.
 *
 * Only the writer changes it, so the writer reads without a lock; it takes the lock to change, others to read.
 */
struct slot {
	struct hash128 hash;
	struct dedup_entry entry;
	bool used;
};

struct dedup {
	struct slot *slots;
	size_t room, count, max;
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
	d->slots = calloc(d->room, sizeof(*d->slots));
	if (!d->slots)
		abort();
	return d;
}

void dedup_free(struct dedup *d)
{
	if (!d)
		return;
	pthread_rwlock_destroy(&d->lock);
	free(d->slots);
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

	return s->used ? &s->entry : NULL;
}

static void grow(struct dedup *d)
{
	size_t room = d->room * 2;
	struct slot *slots = calloc(room, sizeof(*slots));

	if (!slots)
		abort();
	for (size_t i = 0; i < d->room; i++)
		if (d->slots[i].used)
			*find_slot(slots, room, d->slots[i].hash) = d->slots[i];
	free(d->slots);
	d->slots = slots;
	d->room = room;
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
	struct slot *s;

	s = find_slot(d->slots, d->room, hash);
	if (!s->used && d->count >= d->max)
		return RC_LIMIT;
	if (!s->used && d->count * 10 >= d->room * 7) {
		grow(d);
		s = find_slot(d->slots, d->room, hash);
	}
	if (!s->used)
		d->count++;
	*s = (struct slot){hash, entry, true};
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
