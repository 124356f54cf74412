/* For *_test.c only: a disk that keeps the rows of committed batches, as the store's statements leave them. */
#ifndef ORCHESTRATE_WORLD_DISK_H
#define ORCHESTRATE_WORLD_DISK_H

#include "backbone/outbox.h"
#include "base/mem.h"
#include "base/test.h"
#include "orchestrate/stock/hold.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

struct disk_row {
	enum store_statement table;
	size_t count;
	struct store_value values[STORE_VALUES_MAX];
};

struct world_disk {
	struct disk_row *rows;
	size_t count, room;
};

static inline struct store_value disk_copy(struct store_value v)
{
	if (v.type == STORE_TEXT || v.type == STORE_BLOB) {
		char *p = mem_alloc(v.bytes.n + 1);

		if (v.bytes.n)
			memcpy(p, v.bytes.p, v.bytes.n);
		v.bytes.p = p;
	}
	return v;
}

static inline void disk_set(struct disk_row *r, size_t column, struct store_value v)
{
	v = disk_copy(v);
	if (r->values[column].type == STORE_TEXT || r->values[column].type == STORE_BLOB)
		free((char *)r->values[column].bytes.p);
	r->values[column] = v;
}

static inline struct disk_row *disk_row(struct world_disk *d, enum store_statement table,
					const struct store_value *values, size_t keys)
{
	for (size_t i = 0; i < d->count; i++) {
		struct disk_row *r = &d->rows[i];
		bool same = r->table == table;

		for (size_t n = 0; same && n < keys; n++)
			same = r->values[n].type == STORE_INT ? r->values[n].integer == values[n].integer
							      : str_eq(r->values[n].bytes, values[n].bytes);
		if (same)
			return r;
	}
	return NULL;
}

static inline void disk_upsert(struct world_disk *d, const struct store_write *write, size_t keys, bool may_exist)
{
	size_t count = store_statement_sql(write->statement)->parameters;
	struct disk_row *r = keys ? disk_row(d, write->statement, write->values, keys) : NULL;

	assert_true(may_exist || !r);
	if (!r) {
		if (d->count == d->room) {
			d->room = d->room ? d->room * 2 : 256;
			d->rows = mem_grow(d->rows, d->room * sizeof(*d->rows));
		}
		r = &d->rows[d->count++];
		*r = (struct disk_row){.table = write->statement, .count = count};
	}
	for (size_t i = 0; i < count; i++)
		disk_set(r, i, write->values[i]);
}

static inline void disk_update(struct world_disk *d, enum store_statement table, const struct store_write *write,
			       const size_t *columns, size_t count)
{
	struct disk_row *r = disk_row(d, table, write->values, 1);

	assert_non_null(r);
	for (size_t i = 0; i < count; i++)
		disk_set(r, columns[i], write->values[i + 1]);
}

/* A delivery whose params are its event's data gets them, as the store's readers do. */
static inline void disk_resolve(const struct store_batch *b, const struct store_write *delivery)
{
	struct store_value *v = (struct store_value *)delivery->values;

	if (delivery->statement != W_DELIVERY || !str_eq(v[9].bytes, DELIVERY_PARAMS_EVENT))
		return;
	for (const struct store_write *r = b->first; r; r = r->next)
		if (r->statement == W_EVENT && r->values[0].integer == v[7].integer)
			v[9] = r->values[8];
}

/* A reservation as R_RESERVATIONS_HELD reads it: with what its event says. */
static inline void disk_reservation(struct world_disk *d, const struct store_batch *b, const struct store_write *write)
{
	const struct store_write *e = b->first;
	const struct store_value *v = write->values;
	struct disk_row *r;

	while (e && (e->statement != W_EVENT || e->values[0].integer != v[1].integer))
		e = e->next;
	assert_non_null(e);
	if (write->statement == W_RESERVATION) {
		disk_upsert(d, write, 1, false);
		r = &d->rows[d->count - 1];
		r->count = 8;
		disk_set(r, 1, SV_INT(HOLD_HELD));
		disk_set(r, 4, SV_NULL);
		disk_set(r, 5, e->values[4]);
		disk_set(r, 6, e->values[6]);
	} else {
		r = disk_row(d, W_RESERVATION, v, 1);
	}
	assert_non_null(r);
	disk_set(r, 7, e->values[8]);
}

static inline void disk_write(struct world_disk *d, const struct store_batch *b, const struct store_write *write)
{
	static const size_t order_columns[] = {4, 5, 11}, delivery_columns[] = {10, 11}, reservation_columns[] = {1, 4};

	switch ((int)write->statement) {
	case W_MOVEMENT:
	case W_ORDER:
	case W_DELIVERY:
		disk_resolve(b, write);
		disk_upsert(d, write, 1, false);
		return;
	case W_EVENT:
	case W_EXCEPTION:
	case W_DOCUMENT:
		return;
	case W_RESERVATION:
	case W_RESERVATION_CHANGE:
		disk_reservation(d, b, write);
		return;
	case W_RESERVATION_END:
		disk_update(d, W_RESERVATION, write, reservation_columns, COUNT(reservation_columns));
		return;
	case W_ITEM:
	case W_META:
		disk_upsert(d, write, 1, true);
		return;
	case W_ARRIVAL:
		disk_upsert(d, write, 1, true);
		return;
	case W_PUBLICATION:
	case W_GAP:
		disk_upsert(d, write, 2, true);
		return;
	case W_RING_FENCE:
		disk_upsert(d, write, 3, true);
		return;
	case W_POSITION:
		disk_upsert(d, write, 4, true);
		return;
	case W_ORDER_STATE:
		disk_update(d, W_ORDER, write, order_columns, COUNT(order_columns));
		return;
	case W_DELIVERY_STATE:
		disk_update(d, W_DELIVERY, write, delivery_columns, COUNT(delivery_columns));
		return;
	default:
		fail_msg("a row for %s", store_statement_sql(write->statement)->name);
	}
}

static inline int disk_order(const void *a, const void *b)
{
	const struct disk_row *x = a, *y = b;
	int64_t p = x->values[0].integer, q = y->values[0].integer;

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return p < q ? -1 : p > q;
}

static inline void disk_sort(struct world_disk *d)
{
	if (d->count)
		qsort(d->rows, d->count, sizeof(*d->rows), disk_order);
}

static inline void disk_done(struct world_disk *d)
{
	for (size_t i = 0; i < d->count; i++)
		for (size_t n = 0; n < d->rows[i].count; n++)
			if (d->rows[i].values[n].type == STORE_TEXT || d->rows[i].values[n].type == STORE_BLOB)
				free((char *)d->rows[i].values[n].bytes.p);
	free(d->rows);
}

#endif
