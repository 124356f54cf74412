#include "hub/newest.h"

#include "backbone/outbox.h"
#include "base/mem.h"

#define ROOM_FIRST 1024

struct slot {
	uint64_t key; /* with the operation in it */
	int64_t seq;  /* 0: free */
};

struct newest {
	bool operations[OPERATIONS];
	struct slot *slots;
	size_t count, room, max;
	int64_t through; /* what was read */
};

struct newest *newest_new(const bool operations[OPERATIONS], size_t keys_max)
{
	struct newest *n = mem_zalloc(1, sizeof(*n));

	memcpy(n->operations, operations, sizeof(n->operations));
	n->max = keys_max;
	n->room = ROOM_FIRST;
	n->slots = mem_zalloc(n->room, sizeof(*n->slots));
	return n;
}

void newest_free(struct newest *n)
{
	if (!n)
		return;
	free(n->slots);
	free(n);
}

static uint64_t key_of(enum operation op, uint64_t key)
{
	return key + ((uint64_t)op + 1) * 0x9e3779b97f4a7c15u;
}

static struct slot *find(const struct newest *n, uint64_t key)
{
	size_t i = (size_t)key & (n->room - 1);

	while (n->slots[i].seq && n->slots[i].key != key)
		i = (i + 1) & (n->room - 1);
	return &n->slots[i];
}

static void widen(struct newest *n)
{
	struct slot *old = n->slots;
	size_t room = n->room;

	n->room *= 2;
	n->slots = mem_zalloc(n->room, sizeof(*n->slots));
	for (size_t i = 0; i < room; i++)
		if (old[i].seq)
			*find(n, old[i].key) = old[i];
	free(old);
}

struct reading {
	struct newest *newest;
	uint32_t rows;
};

static enum rc take_row(void *ctx, const struct store_value *row, size_t count)
{
	struct reading *r = ctx;
	struct newest *n = r->newest;
	int64_t status = row[3].integer;
	enum operation op;

	(void)count;
	r->rows++;
	n->through = row[0].integer;
	if (!operation_parse(row[1].bytes, &op) || !n->operations[op] || status > DELIVERY_DELIVERED)
		return RC_OK;
	if (2 * (n->count + 1) > n->room)
		widen(n);
	struct slot *s = find(n, key_of(op, delivery_key_hash(row[2].bytes)));
	n->count += s->seq == 0;
	*s = (struct slot){key_of(op, delivery_key_hash(row[2].bytes)), row[0].integer};
	return RC_OK;
}

enum rc newest_read(struct newest *n, struct store_reader *r, struct str system, uint32_t max, bool *done,
		    struct err *e)
{
	struct reading reading = {.newest = n};
	const struct store_value args[] = {SV_TEXT(system), SV_INT(n->through), SV_INT(max)};
	enum rc rc = store_read(r, R_DELIVERIES_KEYS, args, 3, take_row, &reading, e);

	*done = reading.rows < max;
	if (rc == RC_OK && n->count > n->max)
		return err_set(e, RC_LIMIT, "too_many_keys",
			       "more than %zu keys have operations where the latest wins: replay fewer operations",
			       n->max);
	return rc;
}

bool newest_is_behind(const struct newest *n, enum operation op, uint64_t key, int64_t seq)
{
	return n->operations[op] && find(n, key_of(op, key))->seq > seq;
}
