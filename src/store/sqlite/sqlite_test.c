/* What only SQLite has: the lock beside the file, the WAL and its upkeep, a process that ends without closing. */
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1024 * 1024)

struct file {
	char path[64], url[80];
	struct store *store;
	int64_t last;
	struct arena arena;
};

static char directory[] = "/tmp/sqlite_test.XXXXXX";
static int files;
static int64_t now_ns = 1;

static int64_t test_wall_ms(const struct clock *c)
{
	(void)c;
	return 1;
}

static int64_t test_mono_ns(const struct clock *c)
{
	(void)c;
	return now_ns;
}

static const struct clock test_clock = {test_wall_ms, test_mono_ns};

static enum rc try_open(const struct file *f, struct store **out, int64_t *last, struct err *e)
{
	struct store_options o = {.url = f->url, .clock = &test_clock};

	return store_open(&o, out, last, e);
}

static void open_file(struct file *f)
{
	struct err e = ERR_NONE;

	if (try_open(f, &f->store, &f->last, &e) != RC_OK)
		fail_msg("open: %s %s", e.code, e.detail);
}

static int setup(void **state)
{
	struct file *f = test_calloc(1, sizeof(*f));

	snprintf(f->path, sizeof(f->path), "%s/%d.db", directory, ++files);
	snprintf(f->url, sizeof(f->url), "sqlite:%s", f->path);
	arena_init(&f->arena, MIB);
	open_file(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct file *f = *state;

	store_close(f->store);
	arena_done(&f->arena);
	test_free(f);
	return 0;
}

static void commit(struct file *f, int64_t documents, struct str body)
{
	struct store_batch b;
	struct err e = ERR_NONE;

	arena_reset(&f->arena);
	store_batch_init(&b, &f->arena, f->last + 1);
	for (int64_t i = 0; i < documents; i++)
		assert_int_equal(store_batch_put(&b, W_DOCUMENT, SV_INT(f->last * 1000 + i), SV_TEXT(STR("order")),
						 SV_INT(1), SV_BLOB(body)),
				 RC_OK);
	if (store_commit(f->store, &b, &e) != RC_OK)
		fail_msg("commit: %s %s", e.code, e.detail);
	f->last = b.number;
}

static int64_t documents(struct store_reader *r, struct arena *a, struct err *e, enum rc *rc)
{
	struct store_value v = SV_INT(-1);

	*rc = store_read_one(r, R_DOCUMENT_LAST, NULL, 0, a, &v, e);
	return v.integer;
}

static int64_t wal_size(const struct file *f)
{
	char name[80];
	struct stat st;

	snprintf(name, sizeof(name), "%s-wal", f->path);
	return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

static void a_store_is_private(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	struct file *f = *state;
	char name[80];
	struct stat st;

	commit(f, 1, STR("x"));
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", f->path, suffixes[i]);
		assert_int_equal(stat(name, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void only_one_server_has_a_file(void **state)
{
	struct file *f = *state;
	struct store *second = NULL;
	struct err e = ERR_NONE;
	int64_t last;
	int status;
	pid_t child;

	assert_int_equal(try_open(f, &second, &last, &e), RC_CONFLICT);
	assert_string_equal(e.code, "store_in_use");
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		e = ERR_NONE;
		_exit(try_open(f, &second, &last, &e) == RC_CONFLICT ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	store_close(f->store);
	open_file(f);
}

static void a_process_that_ends_loses_nothing_that_was_committed(void **state)
{
	struct file *f = *state;
	int status;
	pid_t child;

	store_close(f->store);
	f->store = NULL;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (try_open(f, &f->store, &f->last, NULL) != RC_OK)
			_exit(1);
		commit(f, 1, STR("x"));
		commit(f, 2, STR("x"));
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(wal_size(f) > 0);
	open_file(f);
	assert_int_equal(f->last, 2);
	/* What was in the WAL is in the database now. */
	assert_int_equal(wal_size(f), 0);
}

static struct str megabyte(void)
{
	static char bytes[MIB];

	return (struct str){bytes, sizeof(bytes)};
}

static void upkeep_restarts_the_wal(void **state)
{
	struct file *f = *state;
	struct store_stats stats;

	for (int i = 0; i < 40; i++) {
		commit(f, 1, megabyte());
		assert_int_equal(store_maintain(f->store, &stats, NULL), RC_OK);
		assert_true(stats.wal_bytes < 12 * MIB);
		assert_true(stats.wal_bytes == wal_size(f));
	}
	assert_true(stats.bytes > 40 * MIB);
}

/* A snapshot keeps the WAL from restarting, until it is old and the WAL is large. */
static void an_old_snapshot_is_ended(void **state)
{
	struct file *f = *state;
	struct store_reader *r;
	struct store_stats stats;
	struct err e = ERR_NONE;
	struct arena a;
	enum rc rc;

	arena_init(&a, MIB);
	assert_int_equal(store_reader_open(f->store, &r, NULL), RC_OK);
	commit(f, 1, STR("x"));
	assert_int_equal(store_reader_begin(r, NULL), RC_OK);
	for (int i = 0; i < 70; i++) {
		commit(f, 1, megabyte());
		assert_int_equal(store_maintain(f->store, &stats, NULL), RC_OK);
	}
	assert_true(stats.wal_bytes > 64 * MIB);
	assert_int_equal(documents(r, &a, NULL, &rc), 0);
	assert_int_equal(rc, RC_OK);
	now_ns += (int64_t)11 * 1000000000;
	assert_int_equal(store_maintain(f->store, &stats, NULL), RC_OK);
	documents(r, &a, &e, &rc);
	assert_int_equal(rc, RC_RETRY);
	assert_string_equal(e.code, "snapshot_too_old");
	store_reader_end(r);
	assert_int_equal(documents(r, &a, NULL, &rc), 70000);
	commit(f, 1, STR("x"));
	assert_int_equal(store_maintain(f->store, &stats, NULL), RC_OK);
	/* Restarted, and cut to what is kept. */
	assert_true(stats.wal_bytes <= 64 * MIB);
	store_reader_close(r);
	arena_done(&a);
}

struct scan {
	struct file *file;
	int rows;
	enum rc rc; /* of the commit that did not fit */
	struct err e;
};

/* Inside the read, the writer fills the WAL to its limit; then it is this very read that keeps it from going on. */
static enum rc fill_the_wal(void *ctx, const struct store_value *columns, size_t count)
{
	struct scan *scan = ctx;
	struct store_batch b;

	(void)columns;
	(void)count;
	scan->rows++;
	while (wal_size(scan->file) <= 256 * MIB)
		commit(scan->file, 1, megabyte());
	store_batch_init(&b, &scan->file->arena, scan->file->last + 1);
	scan->e = ERR_NONE;
	scan->rc = store_commit(scan->file->store, &b, &scan->e);
	return RC_OK;
}

static void the_writer_bounds_the_wal_itself(void **state)
{
	struct file *f = *state;
	struct store_reader *pinned, *r;
	struct scan scan = {.file = f};
	struct arena a;
	struct err e = ERR_NONE;
	enum rc rc;

	arena_init(&a, MIB);
	assert_int_equal(store_reader_open(f->store, &pinned, NULL), RC_OK);
	assert_int_equal(store_reader_open(f->store, &r, NULL), RC_OK);
	commit(f, 1, STR("x"));
	struct store_batch b;
	store_batch_init(&b, &f->arena, f->last + 1);
	for (int i = 1; i <= 2; i++)
		assert_int_equal(store_batch_put(&b, W_DEDUP, SV_INT(i), SV_INT(1), SV_BLOB(STR("h"))), RC_OK);
	assert_int_equal(store_commit(f->store, &b, NULL), RC_OK);
	f->last++;

	assert_int_equal(store_reader_begin(pinned, NULL), RC_OK);
	assert_int_equal(store_read(r, R_DEDUP_ALL, NULL, 0, fill_the_wal, &scan, &e), RC_RETRY);
	assert_string_equal(e.code, "snapshot_too_old");
	assert_int_equal(scan.rows, 1);
	assert_int_equal(scan.rc, RC_IO);
	assert_string_equal(scan.e.code, "wal_full");
	assert_true(wal_size(f) > 256 * MIB);
	documents(pinned, &a, NULL, &rc);
	assert_int_equal(rc, RC_RETRY);
	commit(f, 1, STR("x"));
	assert_true(wal_size(f) <= 64 * MIB);
	store_reader_end(pinned);
	assert_int_equal(documents(pinned, &a, NULL, &rc), (f->last - 1) * 1000);
	store_reader_close(r);
	store_reader_close(pinned);
	arena_done(&a);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	struct file *f = *state, other = *f;
	struct store *s;
	struct err e = ERR_NONE;
	int64_t last;
	FILE *out;

	snprintf(other.url, sizeof(other.url), "sqlite:%s.txt", f->path);
	out = fopen(other.url + strlen("sqlite:"), "w");
	assert_non_null(out);
	for (int i = 0; i < 1000; i++)
		fputs("this is not a database\n", out);
	fclose(out);
	assert_int_equal(try_open(&other, &s, &last, &e), RC_IO);
	assert_string_equal(e.code, "store_damaged");
	e = ERR_NONE;
	snprintf(other.url, sizeof(other.url), "sqlite:%s/missing/x.db", directory);
	assert_int_equal(try_open(&other, &s, &last, &e), RC_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_store_is_private, setup, teardown),
	    cmocka_unit_test_setup_teardown(only_one_server_has_a_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_process_that_ends_loses_nothing_that_was_committed, setup, teardown),
	    cmocka_unit_test_setup_teardown(upkeep_restarts_the_wal, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_old_snapshot_is_ended, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_writer_bounds_the_wal_itself, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_file_that_is_no_database_is_refused, setup, teardown),
	};
	char remove[64];
	int failed;

	if (!mkdtemp(directory))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(remove, sizeof(remove), "rm -rf %s", directory);
	return system(remove) != 0 || failed != 0;
}
