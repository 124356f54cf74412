/*
 * An SQLite VFS that fails where it is told, and a power cut.
 *
 * It stands over the default VFS and plays the page cache: databases, journals and WALs are read and written in memory,
 * and what is written reaches the real file only by a sync. It outlives closing a file, as the kernel's does. A sync
 * that fails loses part of what it should have written: some of it is on the disk, the rest never will be, and reads
 * show all of it. A later sync succeeds without it. A write that fails may have written a part. At a power cut some of
 * the unsynced writes survive, whole or torn; then every file fails until the power is back. Creating, deleting and
 * renaming files is durable at once; locks and shared memory are the default VFS's.
 *
 * For the crash tests and `crossdock simulate`; the server never registers it. One instance a process; thread-safe.
 */
#ifndef STORE_SQLITE_FAULT_VFS_H
#define STORE_SQLITE_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum fault_op { FAULT_OPEN, FAULT_WRITE, FAULT_SYNC, FAULT_TRUNCATE, FAULT_OPS };

/* SQLite's numbers for what a failing operation returns. */
enum fault_result {
	FAULT_POWER_CUT = 0,
	FAULT_DISK_FULL = 13,
	FAULT_WRITE_ERROR = 778,
	FAULT_SYNC_ERROR = 1034,
};

struct fault_plan {
	enum fault_op op;
	uint64_t at;    /* the Nth such operation since the plan was made, from 1; 0: none */
	int result;     /* enum fault_result or another of SQLite's; 0: the power is cut */
	bool from_then; /* fail all later ones too */
	uint64_t seed;  /* of what survives */
};

void fault_vfs_register(const char *name);
/* Nobody else looks at these files: locks, shared memory and what is on the disk are kept in memory, which is several
 * times faster; of the real files there are only the names. Before any file is opened. */
void fault_vfs_alone(void);
/* Grows with every write, also one that fails: what has not grown has committed nothing. */
uint64_t fault_vfs_writes(void);
/* NULL: nothing fails. Sets the counters to zero. */
void fault_vfs_plan(const struct fault_plan *plan);
/* How many there were since the plan was made. */
uint64_t fault_vfs_count(enum fault_op op);
/* Whether the plan has struck. */
bool fault_vfs_fired(void);

void fault_vfs_power_cut(uint64_t seed);
/* The process is killed: everything that was written survives, and every file fails until the power is back. */
void fault_vfs_kill(void);
/* Syncs succeed and do nothing: a disk that lies. */
void fault_vfs_lie(bool lie);
/* After a power cut, or for a new start: what is not on the disk is forgotten. All files must be closed. */
void fault_vfs_power_on(void);

#endif
