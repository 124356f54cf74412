#include "store/sqlite/fault_vfs.h"

#include "store/sqlite/fault_disk.h"

#include <assert.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(FAULT_DISK_FULL == SQLITE_FULL && FAULT_WRITE_ERROR == SQLITE_IOERR_WRITE &&
		   FAULT_SYNC_ERROR == SQLITE_IOERR_FSYNC,
	       "fault_result holds SQLite's numbers");

struct fault_file {
	sqlite3_file base;
	struct fault_node *node; /* NULL: passed through */
	sqlite3_file *real;
	struct fault_locker locker;
};

static struct {
	pthread_mutex_t mutex;
	sqlite3_vfs *real;
	sqlite3_vfs vfs;
	struct fault_disk disk;
	struct fault_plan plan;
	uint64_t counts[FAULT_OPS];
	bool fired, dark, lies; /* dark: the power is off */
	uint64_t writes;
	int open_files;
} f = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void power_cut(void)
{
	for (struct fault_node *node = f.disk.nodes; node; node = node->next)
		fault_disk_flush_some(&f.disk, node);
	f.dark = true;
}

/* The result with which this operation has to fail, or SQLITE_OK. */
static int strike(enum fault_op op)
{
	bool hit;

	if (f.dark)
		return SQLITE_IOERR;
	f.counts[op]++;
	if (f.plan.at == 0 || f.plan.op != op)
		return SQLITE_OK;
	hit = f.plan.from_then ? f.counts[op] >= f.plan.at : f.counts[op] == f.plan.at;
	if (!hit)
		return SQLITE_OK;
	f.fired = true;
	if (f.plan.result != SQLITE_OK)
		return f.plan.result;
	power_cut();
	return SQLITE_IOERR;
}

static struct fault_file *file_of(sqlite3_file *base)
{
	return (struct fault_file *)base;
}

static int fault_close(sqlite3_file *base)
{
	struct fault_file *file = file_of(base);
	int result = file->real->pMethods->xClose(file->real);

	pthread_mutex_lock(&f.mutex);
	if (file->node && f.disk.alone) {
		fault_locks_unlock(&file->node->locks, &file->locker, SQLITE_LOCK_NONE);
		fault_locks_unmap(&file->node->locks, &file->locker);
	}
	if (file->node)
		file->node->users--;
	f.open_files--;
	pthread_mutex_unlock(&f.mutex);
	free(file->real);
	return result;
}

static int fault_read(sqlite3_file *base, void *out, int n, sqlite3_int64 offset)
{
	struct fault_file *file = file_of(base);
	int64_t there;
	int result = SQLITE_OK;

	if (!file->node)
		return file->real->pMethods->xRead(file->real, out, n, offset);
	pthread_mutex_lock(&f.mutex);
	there = file->node->size - offset;
	if (f.dark) {
		result = SQLITE_IOERR_READ;
	} else if (there >= n) {
		memcpy(out, file->node->image + offset, (size_t)n);
	} else {
		memset(out, 0, (size_t)n);
		if (there > 0)
			memcpy(out, file->node->image + offset, (size_t)there);
		result = SQLITE_IOERR_SHORT_READ;
	}
	pthread_mutex_unlock(&f.mutex);
	return result;
}

static int fault_write(sqlite3_file *base, const void *bytes, int n, sqlite3_int64 offset)
{
	struct fault_file *file = file_of(base);
	int result;

	if (!file->node)
		return file->real->pMethods->xWrite(file->real, bytes, n, offset);
	pthread_mutex_lock(&f.mutex);
	f.writes++;
	result = strike(FAULT_WRITE);
	if (result == SQLITE_OK)
		fault_disk_write(file->node, bytes, (size_t)n, offset);
	else if (!f.dark)
		fault_disk_write(file->node, bytes, fault_disk_random(&f.disk) % (uint64_t)n, offset);
	pthread_mutex_unlock(&f.mutex);
	return result;
}

static int fault_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct fault_file *file = file_of(base);
	int result;

	if (!file->node)
		return file->real->pMethods->xTruncate(file->real, size);
	pthread_mutex_lock(&f.mutex);
	result = strike(FAULT_TRUNCATE);
	if (result == SQLITE_OK)
		fault_disk_truncate(file->node, size);
	pthread_mutex_unlock(&f.mutex);
	return result;
}

static int fault_sync(sqlite3_file *base, int flags)
{
	struct fault_file *file = file_of(base);
	int result;

	if (!file->node)
		return file->real->pMethods->xSync(file->real, flags);
	pthread_mutex_lock(&f.mutex);
	result = strike(FAULT_SYNC);
	if (result == SQLITE_OK && !f.lies)
		fault_disk_flush(&f.disk, file->node);
	else if (result == SQLITE_OK)
		; /* it is in the page cache, and stays there */
	else if (!f.dark)
		fault_disk_flush_some(&f.disk, file->node);
	pthread_mutex_unlock(&f.mutex);
	return result;
}

static int fault_file_size(sqlite3_file *base, sqlite3_int64 *size)
{
	struct fault_file *file = file_of(base);

	if (!file->node)
		return file->real->pMethods->xFileSize(file->real, size);
	pthread_mutex_lock(&f.mutex);
	*size = file->node->size;
	pthread_mutex_unlock(&f.mutex);
	return SQLITE_OK;
}

static bool locks_here(const struct fault_file *file)
{
	return f.disk.alone && file->node;
}

static int fault_lock(sqlite3_file *base, int level)
{
	struct fault_file *file = file_of(base);
	int result;

	if (!locks_here(file))
		return file->real->pMethods->xLock(file->real, level);
	pthread_mutex_lock(&f.mutex);
	result = fault_locks_lock(&file->node->locks, &file->locker, level);
	pthread_mutex_unlock(&f.mutex);
	return result;
}

static int fault_unlock(sqlite3_file *base, int level)
{
	struct fault_file *file = file_of(base);
	int result;

	if (!locks_here(file))
		return file->real->pMethods->xUnlock(file->real, level);
	pthread_mutex_lock(&f.mutex);
	result = fault_locks_unlock(&file->node->locks, &file->locker, level);
	pthread_mutex_unlock(&f.mutex);
	return result;
}

static int fault_check_lock(sqlite3_file *base, int *out)
{
	struct fault_file *file = file_of(base);

	if (!locks_here(file))
		return file->real->pMethods->xCheckReservedLock(file->real, out);
	pthread_mutex_lock(&f.mutex);
	*out = fault_locks_reserved(&file->node->locks);
	pthread_mutex_unlock(&f.mutex);
	return SQLITE_OK;
}

static int fault_control(sqlite3_file *base, int op, void *argument)
{
	/* Sizes are the image's business. */
	if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE)
		return SQLITE_OK;
	return file_of(base)->real->pMethods->xFileControl(file_of(base)->real, op, argument);
}

static int fault_sector_size(sqlite3_file *base)
{
	return file_of(base)->real->pMethods->xSectorSize(file_of(base)->real);
}

static int fault_characteristics(sqlite3_file *base)
{
	return file_of(base)->real->pMethods->xDeviceCharacteristics(file_of(base)->real);
}

static int fault_shm_map(sqlite3_file *base, int page, int size, int extend, void volatile **out)
{
	struct fault_file *file = file_of(base);
	int result;

	if (!locks_here(file))
		return file->real->pMethods->xShmMap(file->real, page, size, extend, out);
	pthread_mutex_lock(&f.mutex);
	result = fault_locks_map(&file->node->locks, &file->locker, page, size, extend != 0, out);
	pthread_mutex_unlock(&f.mutex);
	return result;
}

static int fault_shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
	struct fault_file *file = file_of(base);
	int result;

	if (!locks_here(file))
		return file->real->pMethods->xShmLock(file->real, offset, n, flags);
	pthread_mutex_lock(&f.mutex);
	result = fault_locks_slots(&file->node->locks, &file->locker, offset, n, flags);
	pthread_mutex_unlock(&f.mutex);
	return result;
}

static void fault_shm_barrier(sqlite3_file *base)
{
	if (locks_here(file_of(base)))
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	else
		file_of(base)->real->pMethods->xShmBarrier(file_of(base)->real);
}

static int fault_shm_unmap(sqlite3_file *base, int delete_file)
{
	struct fault_file *file = file_of(base);

	if (!locks_here(file))
		return file->real->pMethods->xShmUnmap(file->real, delete_file);
	pthread_mutex_lock(&f.mutex);
	fault_locks_unmap(&file->node->locks, &file->locker);
	pthread_mutex_unlock(&f.mutex);
	return SQLITE_OK;
}

/* Version 2: without memory-mapped reads, which would pass the image by. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_file_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_check_lock,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector_size,
    .xDeviceCharacteristics = fault_characteristics,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
};

static int fault_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags, int *out_flags)
{
	struct fault_file *file = file_of(base);
	int result;

	(void)vfs;
	*file = (struct fault_file){0};
	pthread_mutex_lock(&f.mutex);
	result = strike(FAULT_OPEN);
	pthread_mutex_unlock(&f.mutex);
	if (result != SQLITE_OK)
		return result == SQLITE_IOERR ? SQLITE_CANTOPEN : result;
	file->real = calloc(1, (size_t)f.real->szOsFile);
	assert(file->real);
	result = f.real->xOpen(f.real, name, file->real, flags, out_flags);
	if (result != SQLITE_OK) {
		free(file->real);
		return result;
	}
	pthread_mutex_lock(&f.mutex);
	if (name && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)))
		file->node = fault_disk_get(&f.disk, name);
	if (file->node)
		file->node->users++;
	fault_disk_forget_deleted(&f.disk);
	f.open_files++;
	pthread_mutex_unlock(&f.mutex);
	base->pMethods = &methods;
	return SQLITE_OK;
}

static int fault_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
	(void)vfs;
	return f.dark ? SQLITE_IOERR_DELETE : f.real->xDelete(f.real, name, sync_directory);
}

/* To SQLite an empty file does not exist, and the real one may be empty when the image is not. */
static int fault_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	struct stat st;
	struct fault_node *node;

	(void)vfs;
	if (flags != SQLITE_ACCESS_EXISTS || stat(name, &st) != 0)
		return f.real->xAccess(f.real, name, flags, out);
	pthread_mutex_lock(&f.mutex);
	node = fault_disk_find(&f.disk, &st);
	*out = (node ? node->size : (int64_t)st.st_size) > 0;
	pthread_mutex_unlock(&f.mutex);
	return SQLITE_OK;
}

static int fault_full_pathname(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
	(void)vfs;
	return f.real->xFullPathname(f.real, name, n, out);
}

void fault_vfs_register(const char *name)
{
	int result;

	f.real = sqlite3_vfs_find(NULL);
	assert(f.real);
	f.vfs = *f.real;
	f.vfs.zName = name;
	f.vfs.pNext = NULL;
	f.vfs.szOsFile = sizeof(struct fault_file);
	f.vfs.xOpen = fault_open;
	f.vfs.xDelete = fault_delete;
	f.vfs.xAccess = fault_access;
	f.vfs.xFullPathname = fault_full_pathname;
	result = sqlite3_vfs_register(&f.vfs, 0);
	assert(result == SQLITE_OK);
}

void fault_vfs_plan(const struct fault_plan *plan)
{
	pthread_mutex_lock(&f.mutex);
	f.plan = plan ? *plan : (struct fault_plan){0};
	f.disk.random = f.plan.seed;
	f.fired = false;
	memset(f.counts, 0, sizeof(f.counts));
	pthread_mutex_unlock(&f.mutex);
}

uint64_t fault_vfs_count(enum fault_op op)
{
	pthread_mutex_lock(&f.mutex);
	uint64_t n = f.counts[op];
	pthread_mutex_unlock(&f.mutex);
	return n;
}

bool fault_vfs_fired(void)
{
	pthread_mutex_lock(&f.mutex);
	bool fired = f.fired;
	pthread_mutex_unlock(&f.mutex);
	return fired;
}

void fault_vfs_power_cut(uint64_t seed)
{
	pthread_mutex_lock(&f.mutex);
	f.disk.random = seed;
	if (!f.dark)
		power_cut();
	pthread_mutex_unlock(&f.mutex);
}

void fault_vfs_kill(void)
{
	pthread_mutex_lock(&f.mutex);
	for (struct fault_node *node = f.disk.nodes; node && !f.dark; node = node->next)
		fault_disk_flush(&f.disk, node);
	f.dark = true;
	pthread_mutex_unlock(&f.mutex);
}

void fault_vfs_lie(bool lie)
{
	pthread_mutex_lock(&f.mutex);
	f.lies = lie;
	pthread_mutex_unlock(&f.mutex);
}

void fault_vfs_alone(void)
{
	pthread_mutex_lock(&f.mutex);
	assert(!f.disk.nodes);
	f.disk.alone = true;
	pthread_mutex_unlock(&f.mutex);
}

uint64_t fault_vfs_writes(void)
{
	pthread_mutex_lock(&f.mutex);
	uint64_t n = f.writes;
	pthread_mutex_unlock(&f.mutex);
	return n;
}

void fault_vfs_power_on(void)
{
	pthread_mutex_lock(&f.mutex);
	assert(f.open_files == 0);
	fault_disk_restart(&f.disk);
	f.dark = false;
	f.plan = (struct fault_plan){0};
	pthread_mutex_unlock(&f.mutex);
}
