/* What is written through the VFS is what a file holds that every write reached at once, to whoever may look at it. */
#include "store/sqlite/joined_vfs.h"

#include "store/sqlite/fault_vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (1 << 20)
#define STEPS    4000

static char directory[] = "/tmp/joined_vfs_test.XXXXXX";

/* As SQLite names a WAL: behind the database's name. */
struct file {
	char database[64];
	const char *name;
	sqlite3_vfs *vfs;
	sqlite3_file *file;
};

static void open_file(struct file *f, const char *vfs, const char *name)
{
	snprintf(f->database, sizeof(f->database), "%s/%s", directory, name);
	f->vfs = sqlite3_vfs_find(vfs);
	assert_non_null(f->vfs);
	f->name = sqlite3_create_filename(f->database, "", f->database, 0, NULL);
	f->file = calloc(1, (size_t)f->vfs->szOsFile);
	assert_non_null(f->file);
	assert_int_equal(f->vfs->xOpen(f->vfs, sqlite3_filename_wal(f->name), f->file,
				       SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
			 SQLITE_OK);
}

static void close_file(struct file *f)
{
	assert_int_equal(f->file->pMethods->xClose(f->file), SQLITE_OK);
	sqlite3_free_filename((char *)(uintptr_t)f->name);
	free(f->file);
}

static uint64_t random_below(uint64_t *state, uint64_t n)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (*state >> 33) % n;
}

static void expect(struct file *f, const char *bytes, int64_t size)
{
	static char read[FILE_MAX];
	sqlite3_int64 there = -1;

	assert_int_equal(f->file->pMethods->xFileSize(f->file, &there), SQLITE_OK);
	assert_int_equal(there, size);
	if (size > 0)
		assert_int_equal(f->file->pMethods->xRead(f->file, read, (int)size, 0), SQLITE_OK);
	assert_memory_equal(read, bytes, (size_t)size);
}

/* Frames one behind the other, sometimes again from an earlier place, as SQLite writes them; looked at in every way. */
static void a_file_is_what_was_written(void **state)
{
	static char model[FILE_MAX], page[200000];
	struct file joined, other;
	uint64_t seed = 1;
	int64_t at = 0, size = 0;

	(void)state;
	open_file(&joined, joined_vfs(NULL), "model");
	open_file(&other, NULL, "model");
	for (int step = 0; step < STEPS; step++) {
		int64_t n = random_below(&seed, 50) == 0 ? 130000 : random_below(&seed, 2) ? 24 : 4096;

		if (at + n > FILE_MAX || random_below(&seed, 40) == 0)
			at = size > 0 ? (int64_t)random_below(&seed, (uint64_t)size) / 2 : 0;
		memset(page, (int)random_below(&seed, 256), (size_t)n);
		assert_int_equal(joined.file->pMethods->xWrite(joined.file, page, (int)n, at), SQLITE_OK);
		memcpy(model + at, page, (size_t)n);
		at += n;
		size = at > size ? at : size;
		switch (random_below(&seed, 60)) {
		case 0: /* itself */
			expect(&joined, model, size);
			break;
		case 1: /* another, after the sync */
			assert_int_equal(joined.file->pMethods->xSync(joined.file, SQLITE_SYNC_NORMAL), SQLITE_OK);
			expect(&other, model, size);
			break;
		case 2: /* cut */
			size /= 2;
			at = size;
			assert_int_equal(joined.file->pMethods->xTruncate(joined.file, size), SQLITE_OK);
			expect(&other, model, size);
			break;
		default:
			break;
		}
	}
	close_file(&joined);
	expect(&other, model, size);
	close_file(&other);
}

/* Consecutive writes reach the other VFS as one. */
static void consecutive_writes_are_one(void **state)
{
	static char page[4096];
	struct file f;
	uint64_t before;

	(void)state;
	open_file(&f, joined_vfs("fault"), "count");
	before = fault_vfs_writes();
	for (int i = 0; i < 20; i++) {
		int64_t at = i * (int64_t)(sizeof(page) + 24);

		assert_int_equal(f.file->pMethods->xWrite(f.file, page, 24, at), SQLITE_OK);
		assert_int_equal(f.file->pMethods->xWrite(f.file, page, sizeof(page), at + 24), SQLITE_OK);
	}
	assert_int_equal(fault_vfs_writes(), before);
	assert_int_equal(f.file->pMethods->xSync(f.file, SQLITE_SYNC_NORMAL), SQLITE_OK);
	assert_int_equal(fault_vfs_writes(), before + 1);
	close_file(&f);
}

/* What was held and could not be written is told by the sync, as the write's own error, and only once. */
static void an_error_is_told_by_the_sync(void **state)
{
	static const int results[] = {FAULT_DISK_FULL, FAULT_WRITE_ERROR};

	(void)state;
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		struct fault_plan plan = {FAULT_WRITE, 1, results[i], false, 0};
		struct file f;

		open_file(&f, joined_vfs("fault"), "error");
		fault_vfs_plan(&plan);
		assert_int_equal(f.file->pMethods->xWrite(f.file, "held", 4, 0), SQLITE_OK);
		assert_int_equal(f.file->pMethods->xSync(f.file, SQLITE_SYNC_NORMAL), results[i]);
		assert_int_equal(fault_vfs_count(FAULT_SYNC), 0);
		fault_vfs_plan(NULL);
		assert_int_equal(f.file->pMethods->xSync(f.file, SQLITE_SYNC_NORMAL), SQLITE_OK);
		close_file(&f);
	}
}

static void one_vfs_for_each(void **state)
{
	(void)state;
	assert_ptr_equal(joined_vfs(NULL), joined_vfs(NULL));
	assert_ptr_not_equal(joined_vfs(NULL), joined_vfs("fault"));
	assert_null(joined_vfs("unheard-of"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_vfs_for_each),
	    cmocka_unit_test(a_file_is_what_was_written),
	    cmocka_unit_test(consecutive_writes_are_one),
	    cmocka_unit_test(an_error_is_told_by_the_sync),
	};
	char command[64];
	int failed;

	if (!mkdtemp(directory))
		return 1;
	fault_vfs_register("fault");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) == 0 ? failed : 1;
}
