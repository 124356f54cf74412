#include "store/sqlite/fault_locks.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(FAULT_LOCK_SLOTS == SQLITE_SHM_NLOCK, "SQLite has as many slots");

int fault_locks_lock(struct fault_locks *l, struct fault_locker *by, int level)
{
	if (by->level >= level)
		return SQLITE_OK;
	if (level == SQLITE_LOCK_SHARED) {
		if (l->pending)
			return SQLITE_BUSY;
		l->readers++;
		by->level = level;
		return SQLITE_OK;
	}
	if (l->writer && l->writer != by)
		return SQLITE_BUSY;
	l->writer = by;
	by->level = SQLITE_LOCK_RESERVED;
	if (level == SQLITE_LOCK_RESERVED)
		return SQLITE_OK;
	l->pending = true;
	by->level = SQLITE_LOCK_PENDING;
	if (l->readers > 1)
		return SQLITE_BUSY;
	by->level = level;
	return SQLITE_OK;
}

int fault_locks_unlock(struct fault_locks *l, struct fault_locker *by, int level)
{
	if (by->level <= level)
		return SQLITE_OK;
	if (l->writer == by) {
		l->writer = NULL;
		l->pending = false;
	}
	if (level == SQLITE_LOCK_NONE)
		l->readers--;
	by->level = level;
	return SQLITE_OK;
}

bool fault_locks_reserved(const struct fault_locks *l)
{
	return l->writer != NULL;
}

static void release(struct fault_locks *l, struct fault_locker *by, int slot)
{
	unsigned bit = 1u << slot;

	if (by->exclusive & bit)
		l->slot_taken[slot] = false;
	if (by->shared & bit)
		l->slot_readers[slot]--;
	by->exclusive &= ~bit;
	by->shared &= ~bit;
}

int fault_locks_slots(struct fault_locks *l, struct fault_locker *by, int first, int count, int flags)
{
	for (int i = first; i < first + count && flags & SQLITE_SHM_UNLOCK; i++)
		release(l, by, i);
	if (flags & SQLITE_SHM_UNLOCK)
		return SQLITE_OK;
	for (int i = first; i < first + count; i++) {
		bool mine = by->exclusive & 1u << i, reads = by->shared & 1u << i;

		if (l->slot_taken[i] && !mine)
			return SQLITE_BUSY;
		if (flags & SQLITE_SHM_EXCLUSIVE && l->slot_readers[i] > reads)
			return SQLITE_BUSY;
	}
	for (int i = first; i < first + count; i++) {
		if (flags & SQLITE_SHM_EXCLUSIVE) {
			l->slot_taken[i] = true;
			by->exclusive |= 1u << i;
		} else if (!(by->shared & 1u << i)) {
			l->slot_readers[i]++;
			by->shared |= 1u << i;
		}
	}
	return SQLITE_OK;
}

int fault_locks_map(struct fault_locks *l, struct fault_locker *by, int region, int size, bool make,
		    void volatile **out)
{
	*out = NULL;
	if (!by->mapped)
		l->mapped++;
	by->mapped = true;
	if (region >= FAULT_LOCK_REGIONS)
		return SQLITE_IOERR_SHMMAP;
	if (!l->regions[region] && make) {
		l->regions[region] = calloc(1, (size_t)size);
		if (!l->regions[region])
			return SQLITE_NOMEM;
	}
	*out = l->regions[region];
	return SQLITE_OK;
}

void fault_locks_unmap(struct fault_locks *l, struct fault_locker *by)
{
	for (int i = 0; i < FAULT_LOCK_SLOTS; i++)
		release(l, by, i);
	if (!by->mapped)
		return;
	by->mapped = false;
	if (--l->mapped > 0)
		return;
	for (int i = 0; i < FAULT_LOCK_REGIONS; i++) {
		free(l->regions[i]);
		l->regions[i] = NULL;
	}
}
