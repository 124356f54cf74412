/*
 * SQLite's locks of a file and its shared memory between the connections of one process, kept in memory: for the fault
 * VFS where no other process opens the files. The rules are those of sqlite3_io_methods: a database is locked
 * shared, reserved, pending or exclusive; a slot of the shared memory shared or exclusive. The caller serializes.
 */
#ifndef STORE_SQLITE_FAULT_LOCKS_H
#define STORE_SQLITE_FAULT_LOCKS_H

#include <stdbool.h>

#define FAULT_LOCK_SLOTS   8 /* SQLITE_SHM_NLOCK */
#define FAULT_LOCK_REGIONS 64

/* Of one connection to a file. Zeroes: nothing is locked. */
struct fault_locker {
	int level;
	bool mapped;
	unsigned shared, exclusive; /* slots, by bit */
};

/* Of a file. Zeroes: nothing is locked. */
struct fault_locks {
	int readers;                       /* shared and above */
	const struct fault_locker *writer; /* reserved and above */
	bool pending;                      /* no new readers */
	int mapped;
	void *regions[FAULT_LOCK_REGIONS];
	int slot_readers[FAULT_LOCK_SLOTS];
	bool slot_taken[FAULT_LOCK_SLOTS];
};

/* These return SQLITE_OK or SQLITE_BUSY. */
int fault_locks_lock(struct fault_locks *l, struct fault_locker *by, int level);
int fault_locks_unlock(struct fault_locks *l, struct fault_locker *by, int level);
int fault_locks_slots(struct fault_locks *l, struct fault_locker *by, int first, int count, int flags);
bool fault_locks_reserved(const struct fault_locks *l);
/* A region of shared memory, zeroed when it is new; *out is NULL if it is not there and not to be made. */
int fault_locks_map(struct fault_locks *l, struct fault_locker *by, int region, int size, bool make,
		    void volatile **out);
/* The last one to unmap it forgets what is in it. */
void fault_locks_unmap(struct fault_locks *l, struct fault_locker *by);

#endif
