#include "store/sqlite/fault_vfs.h"

#include "store/sqlite/fault_locks.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

_Static_assert(FAULT_DISK_FULL == SQLITE_FULL && FAULT_WRITE_ERROR == SQLITE_IOERR_WRITE &&
		   FAULT_SYNC_ERROR == SQLITE_IOERR_FSYNC,
	       "fault_result holds SQLite's numbers");

/* A change that is in the page cache only. */
struct pending {
	struct pending *next;
	int64_t offset; /* of a write; the size of a truncation */
	size_t n;
	bool truncates;
	unsigned char bytes[];
};

/* A file as the page cache has it, by inode: names come and go. Its descriptor keeps the inode from being used again.
 */
struct node {
	struct node *next;
	dev_t device;
	ino_t inode;
	int fd, users;
	unsigned char *image;
	int64_t size, room;
	struct pending *first, **last;
	/* Where this process is alone: what has reached the disk, and who has locked it. */
	unsigned char *disk;
	int64_t disk_size, disk_room;
	struct fault_locks locks;
};

struct fault_file {
	sqlite3_file base;
	struct node *node; /* NULL: passed through */
	sqlite3_file *real;
	struct fault_locker locker;
};

static struct {
	pthread_mutex_t mutex;
	sqlite3_vfs *real;
	sqlite3_vfs vfs;
	struct node *nodes;
	struct fault_plan plan;
	uint64_t counts[FAULT_OPS];
	bool fired, dark, lies, alone; /* dark: the power is off */
	uint64_t writes;
	int open_files;
	uint64_t random;
} f = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t random_next(void)
{
	uint64_t z = f.random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void pending_free(struct node *node)
{
	for (struct pending *p = node->first, *next; p; p = next) {
		next = p->next;
		free(p);
	}
	node->first = NULL;
	node->last = &node->first;
}

static void bytes_resize(unsigned char **bytes, int64_t *room, int64_t *size, int64_t to)
{
	if (to > *room) {
		*room = to + to / 2;
		*bytes = realloc(*bytes, (size_t)*room);
		assert(*bytes);
	}
	if (to > *size)
		memset(*bytes + *size, 0, (size_t)(to - *size));
	*size = to;
}

static void to_disk(struct node *node, const struct pending *p, size_t n)
{
	if (f.alone) {
		int64_t end = p->truncates ? p->offset : p->offset + (int64_t)n;

		if (p->truncates || end > node->disk_size)
			bytes_resize(&node->disk, &node->disk_room, &node->disk_size, end);
		if (!p->truncates && n > 0)
			memcpy(node->disk + p->offset, p->bytes, n);
		return;
	}
	if (p->truncates) {
		int r = ftruncate(node->fd, p->offset);
		assert(r == 0);
		return;
	}
	ssize_t w = pwrite(node->fd, p->bytes, n, p->offset);
	assert(w == (ssize_t)n);
}

/* In the order in which they were made: the page cache never writes an older state over a newer one. */
static void flush_some(struct node *node)
{
	for (const struct pending *p = node->first; p; p = p->next) {
		uint64_t fate = random_next() % 8;
		if (fate < 4)
			to_disk(node, p, p->n);
		else if (fate < 6 && !p->truncates)
			to_disk(node, p, random_next() % (p->n / SECTOR + 1) * SECTOR);
	}
	pending_free(node);
}

static void flush_all(struct node *node)
{
	for (const struct pending *p = node->first; p; p = p->next)
		to_disk(node, p, p->n);
	pending_free(node);
}

static void power_cut(void)
{
	for (struct node *node = f.nodes; node; node = node->next)
		flush_some(node);
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

static void image_resize(struct node *node, int64_t size)
{
	bytes_resize(&node->image, &node->room, &node->size, size);
}

static void remember(struct node *node, bool truncates, const void *bytes, size_t n, int64_t offset)
{
	struct pending *p = malloc(sizeof(*p) + n);

	assert(p);
	*p = (struct pending){.offset = offset, .n = n, .truncates = truncates};
	if (truncates) {
		image_resize(node, offset);
	} else {
		memcpy(p->bytes, bytes, n);
		if (offset + (int64_t)n > node->size)
			image_resize(node, offset + (int64_t)n);
		memcpy(node->image + offset, bytes, n);
	}
	*node->last = p;
	node->last = &p->next;
}

static struct node *node_find(const struct stat *st)
{
	for (struct node *node = f.nodes; node; node = node->next)
		if (node->device == st->st_dev && node->inode == st->st_ino)
			return node;
	return NULL;
}

static struct node *node_get(const char *path)
{
	struct stat st;
	struct node *node;
	ssize_t n;
	int fd;

	assert(stat(path, &st) == 0);
	node = node_find(&st);
	if (node)
		return node;
	/* Kept open while the node lives: closing it would drop the process's locks on the file. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert(fd >= 0);
	node = calloc(1, sizeof(*node));
	assert(node);
	*node = (struct node){.next = f.nodes, .device = st.st_dev, .inode = st.st_ino, .fd = fd};
	node->last = &node->first;
	image_resize(node, st.st_size);
	n = pread(fd, node->image, (size_t)st.st_size, 0);
	assert(n == st.st_size);
	if (f.alone) {
		bytes_resize(&node->disk, &node->disk_room, &node->disk_size, st.st_size);
		if (n > 0) {
			assert(node->disk);
			memcpy(node->disk, node->image, (size_t)n);
		}
	}
	f.nodes = node;
	return node;
}

static bool is_deleted(const struct node *node)
{
	struct stat st;

	return fstat(node->fd, &st) != 0 || st.st_nlink == 0;
}

static void node_free(struct node *node)
{
	close(node->fd);
	free(node->image);
	free(node->disk);
	free(node);
}

/* Nobody has these open, and nobody can open them again. */
static void forget_deleted(void)
{
	struct node *node, **link = &f.nodes;

	while ((node = *link)) {
		if (node->users > 0 || !is_deleted(node)) {
			link = &node->next;
			continue;
		}
		*link = node->next;
		pending_free(node);
		node_free(node);
	}
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
	if (file->node && f.alone) {
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
		remember(file->node, false, bytes, (size_t)n, offset);
	else if (!f.dark)
		remember(file->node, false, bytes, random_next() % (uint64_t)n, offset);
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
		remember(file->node, true, NULL, 0, size);
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
		flush_all(file->node);
	else if (result == SQLITE_OK)
		; /* it is in the page cache, and stays there */
	else if (!f.dark)
		flush_some(file->node);
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
	return f.alone && file->node;
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
		file->node = node_get(name);
	if (file->node)
		file->node->users++;
	forget_deleted();
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
	struct node *node;

	(void)vfs;
	if (flags != SQLITE_ACCESS_EXISTS || stat(name, &st) != 0)
		return f.real->xAccess(f.real, name, flags, out);
	pthread_mutex_lock(&f.mutex);
	node = node_find(&st);
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
	f.random = f.plan.seed;
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
	f.random = seed;
	if (!f.dark)
		power_cut();
	pthread_mutex_unlock(&f.mutex);
}

void fault_vfs_kill(void)
{
	pthread_mutex_lock(&f.mutex);
	for (struct node *node = f.nodes; node && !f.dark; node = node->next)
		flush_all(node);
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
	assert(!f.nodes);
	f.alone = true;
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
	struct node *node, **link = &f.nodes;

	pthread_mutex_lock(&f.mutex);
	assert(f.open_files == 0);
	while ((node = *link)) {
		pending_free(node);
		if (f.alone && !is_deleted(node)) {
			/* The page cache is read again. */
			node->size = 0;
			image_resize(node, node->disk_size);
			if (node->disk_size > 0)
				memcpy(node->image, node->disk, (size_t)node->disk_size);
			link = &node->next;
		} else {
			*link = node->next;
			node_free(node);
		}
	}
	f.dark = false;
	f.plan = (struct fault_plan){0};
	pthread_mutex_unlock(&f.mutex);
}
