#include "store/sqlite/joined_vfs.h"

#include "base/mem.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SQLite's own VFS for unix takes 0x1ffff bytes at once, and of more nothing. */
#define HELD_MAX  (124 * 1024)
#define NAME_ROOM 64

/* A WAL; the other VFS's file is behind it. */
struct joined_file {
	sqlite3_file base;
	sqlite3_file *real;
	sqlite3_int64 at; /* where what is held begins */
	int held;
	char *bytes;
};

struct joined {
	sqlite3_vfs vfs;
	char name[NAME_ROOM];
	struct joined *next;
};

static struct joined_file *file_of(sqlite3_file *base)
{
	return (struct joined_file *)base;
}

static int flush(struct joined_file *f)
{
	int n = f->held;

	f->held = 0;
	return n > 0 ? f->real->pMethods->xWrite(f->real, f->bytes, n, f->at) : SQLITE_OK;
}

/* ---- the WAL ---- */

static int joined_close(sqlite3_file *base)
{
	struct joined_file *f = file_of(base);
	int held = flush(f), result = f->real->pMethods->xClose(f->real);

	free(f->bytes);
	return held != SQLITE_OK ? held : result;
}

static int joined_read(sqlite3_file *base, void *out, int n, sqlite3_int64 offset)
{
	struct joined_file *f = file_of(base);
	int result = flush(f);

	return result == SQLITE_OK ? f->real->pMethods->xRead(f->real, out, n, offset) : result;
}

static int joined_write(sqlite3_file *base, const void *bytes, int n, sqlite3_int64 offset)
{
	struct joined_file *f = file_of(base);

	if (f->held > 0 && (offset != f->at + f->held || n > HELD_MAX - f->held)) {
		int result = flush(f);

		if (result != SQLITE_OK)
			return result;
	}
	if (n > HELD_MAX)
		return f->real->pMethods->xWrite(f->real, bytes, n, offset);
	if (f->held == 0)
		f->at = offset;
	memcpy(f->bytes + f->held, bytes, (size_t)n);
	f->held += n;
	return SQLITE_OK;
}

static int joined_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct joined_file *f = file_of(base);
	int result = flush(f);

	return result == SQLITE_OK ? f->real->pMethods->xTruncate(f->real, size) : result;
}

static int joined_sync(sqlite3_file *base, int flags)
{
	struct joined_file *f = file_of(base);
	int result = flush(f);

	return result == SQLITE_OK ? f->real->pMethods->xSync(f->real, flags) : result;
}

static int joined_file_size(sqlite3_file *base, sqlite3_int64 *size)
{
	struct joined_file *f = file_of(base);
	int result = flush(f);

	return result == SQLITE_OK ? f->real->pMethods->xFileSize(f->real, size) : result;
}

static int joined_lock(sqlite3_file *base, int lock)
{
	struct joined_file *f = file_of(base);

	return f->real->pMethods->xLock(f->real, lock);
}

static int joined_unlock(sqlite3_file *base, int lock)
{
	struct joined_file *f = file_of(base);

	return f->real->pMethods->xUnlock(f->real, lock);
}

static int joined_check_reserved_lock(sqlite3_file *base, int *out)
{
	struct joined_file *f = file_of(base);

	return f->real->pMethods->xCheckReservedLock(f->real, out);
}

static int joined_file_control(sqlite3_file *base, int op, void *arg)
{
	struct joined_file *f = file_of(base);

	return f->real->pMethods->xFileControl(f->real, op, arg);
}

static int joined_sector_size(sqlite3_file *base)
{
	struct joined_file *f = file_of(base);

	return f->real->pMethods->xSectorSize(f->real);
}

static int joined_device_characteristics(sqlite3_file *base)
{
	struct joined_file *f = file_of(base);

	return f->real->pMethods->xDeviceCharacteristics(f->real);
}

/* Version 1: shared memory is the database's, and a WAL is not mapped. */
static const sqlite3_io_methods wal_methods = {
    .iVersion = 1,
    .xClose = joined_close,
    .xRead = joined_read,
    .xWrite = joined_write,
    .xTruncate = joined_truncate,
    .xSync = joined_sync,
    .xFileSize = joined_file_size,
    .xLock = joined_lock,
    .xUnlock = joined_unlock,
    .xCheckReservedLock = joined_check_reserved_lock,
    .xFileControl = joined_file_control,
    .xSectorSize = joined_sector_size,
    .xDeviceCharacteristics = joined_device_characteristics,
};

/* ---- the VFS ---- */

static sqlite3_vfs *under(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static int joined_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags, int *out_flags)
{
	struct joined_file *f = file_of(base);
	int result;

	if (!(flags & SQLITE_OPEN_WAL))
		return under(vfs)->xOpen(under(vfs), name, base, flags, out_flags);
	*f = (struct joined_file){.real = (sqlite3_file *)(f + 1)};
	memset(f->real, 0, (size_t)under(vfs)->szOsFile);
	result = under(vfs)->xOpen(under(vfs), name, f->real, flags, out_flags);
	if (result == SQLITE_OK) {
		f->bytes = mem_alloc(HELD_MAX);
		f->base.pMethods = &wal_methods;
	} else if (f->real->pMethods) {
		f->real->pMethods->xClose(f->real);
	}
	return result;
}

static int joined_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
	return under(vfs)->xDelete(under(vfs), name, sync_directory);
}

static int joined_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	return under(vfs)->xAccess(under(vfs), name, flags, out);
}

static int joined_full_pathname(sqlite3_vfs *vfs, const char *name, int room, char *out)
{
	return under(vfs)->xFullPathname(under(vfs), name, room, out);
}

static int joined_randomness(sqlite3_vfs *vfs, int n, char *out)
{
	return under(vfs)->xRandomness(under(vfs), n, out);
}

static int joined_sleep(sqlite3_vfs *vfs, int us)
{
	return under(vfs)->xSleep(under(vfs), us);
}

static int joined_current_time(sqlite3_vfs *vfs, double *out)
{
	return under(vfs)->xCurrentTime(under(vfs), out);
}

static int joined_get_last_error(sqlite3_vfs *vfs, int room, char *out)
{
	return under(vfs)->xGetLastError(under(vfs), room, out);
}

static struct joined *make(sqlite3_vfs *base)
{
	struct joined *j = mem_zalloc(1, sizeof(*j));

	snprintf(j->name, sizeof(j->name), "joined-%s", base->zName);
	j->vfs = (sqlite3_vfs){
	    .iVersion = 1,
	    .szOsFile = (int)sizeof(struct joined_file) + base->szOsFile,
	    .mxPathname = base->mxPathname,
	    .zName = j->name,
	    .pAppData = base,
	    .xOpen = joined_open,
	    .xDelete = joined_delete,
	    .xAccess = joined_access,
	    .xFullPathname = joined_full_pathname,
	    .xRandomness = joined_randomness,
	    .xSleep = joined_sleep,
	    .xCurrentTime = joined_current_time,
	    .xGetLastError = joined_get_last_error,
	};
	return j;
}

const char *joined_vfs(const char *name)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static struct joined *all;
	sqlite3_vfs *base = sqlite3_vfs_find(name);
	struct joined *j;

	if (!base)
		return NULL;
	pthread_mutex_lock(&mutex);
	for (j = all; j && j->vfs.pAppData != base; j = j->next)
		;
	if (!j) {
		j = make(base);
		if (sqlite3_vfs_register(&j->vfs, 0) == SQLITE_OK) {
			j->next = all;
			all = j;
		} else {
			free(j);
			j = NULL;
		}
	}
	pthread_mutex_unlock(&mutex);
	return j ? j->name : NULL;
}
