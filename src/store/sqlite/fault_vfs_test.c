/*
 * The store on a disk that fails. The same small load is run again and again, and each time another one of its writes,
 * syncs, truncations or opens fails, or the power is cut at it. Whatever happens, afterwards:
 *   a batch that was acknowledged is there in full, one that was answered RC_IO is not there at all, and one that was
 *   answered RC_UNKNOWN is there or not, as a whole, and as store_recover (or the next store_open) said.
 */
#include "store/sqlite/fault_vfs.h"

#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS   6
#define DOCUMENTS  3 /* a batch */
#define BODY_BYTES 3000
#define FILLERS    9 /* batches that make the WAL so large that upkeep lets it begin again */
#define FILLER     ((int64_t)1000000)

/* What is done about a batch in doubt. */
enum answer { RECOVER, RESTART, POWER_CUT };

struct run {
	char path[64], url[80];
	const struct fault_plan *plan;
	enum answer answer;
	struct store *store;
	struct store_reader *reader;
	struct arena arena;
	int64_t last;
	int64_t fillers;
	bool there[ATTEMPTS + 1];
	int in_doubt; /* how many batches were */
};

static char directory[] = "/tmp/fault_vfs_test.XXXXXX";

static void describe(const struct run *r, const char *what)
{
	fail_msg("%s (operation %d, at %d, result %d, from then on %d, seed %d, answer %d)", what, (int)r->plan->op,
		 (int)r->plan->at, r->plan->result, r->plan->from_then, (int)r->plan->seed, (int)r->answer);
}

#define EXPECT(r, condition)                                                                                           \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			describe((r), #condition);                                                                     \
	} while (0)

static enum rc try_open(struct run *r)
{
	struct store_options o = {.url = r->url, .vfs = "fault", .clock = clock_system()};
	enum rc rc = store_open(&o, &r->store, &r->last, NULL);

	if (rc != RC_OK)
		r->store = NULL;
	return rc;
}

static void open_run(struct run *r)
{
	struct err e = ERR_NONE;

	EXPECT(r, try_open(r) == RC_OK);
	EXPECT(r, store_reader_open(r->store, &r->reader, &e) == RC_OK);
}

static void close_run(struct run *r)
{
	store_reader_close(r->reader);
	r->reader = NULL;
	store_close(r->store);
	r->store = NULL;
}

static void body_of(int attempt, int document, char body[BODY_BYTES])
{
	for (int i = 0; i < BODY_BYTES; i++)
		body[i] = (char)(attempt * 31 + document * 7 + i);
}

/* 1: all of the batch is there, 0: nothing, -1: a part or something else. */
static int look(struct run *r, int attempt)
{
	struct store_value row[2];
	char body[BODY_BYTES];
	int found = 0;

	arena_reset(&r->arena);
	for (int i = 0; i < DOCUMENTS; i++) {
		enum rc rc = store_read_one(r->reader, R_DOCUMENT, &SV_INT(attempt * 10 + i), 1, &r->arena, row, NULL);
		if (rc == RC_NOT_FOUND)
			continue;
		EXPECT(r, rc == RC_OK);
		body_of(attempt, i, body);
		if (!str_eq(row[1].bytes, (struct str){body, sizeof(body)}))
			return -1;
		found++;
	}
	return found == DOCUMENTS ? 1 : found == 0 ? 0 : -1;
}

static void check_all(struct run *r, int attempts)
{
	struct store_value row[2];
	int64_t count = r->fillers;

	for (int64_t i = 1; i <= r->fillers; i++)
		EXPECT(r, store_read_one(r->reader, R_DOCUMENT, &SV_INT(FILLER + i), 1, &r->arena, row, NULL) == RC_OK);
	for (int i = 1; i <= attempts; i++) {
		EXPECT(r, look(r, i) == r->there[i]);
		count += r->there[i];
	}
	EXPECT(r, r->last == count);
}

static enum rc attempt_batch(struct run *r, int attempt)
{
	static char bodies[DOCUMENTS][BODY_BYTES];
	struct store_batch b;

	arena_reset(&r->arena);
	store_batch_init(&b, &r->arena, r->last + 1);
	for (int i = 0; i < DOCUMENTS; i++) {
		body_of(attempt, i, bodies[i]);
		EXPECT(r, store_batch_put(&b, W_DOCUMENT, SV_INT(attempt * 10 + i), SV_TEXT(STR("order")), SV_INT(1),
					  SV_BLOB(((struct str){bodies[i], BODY_BYTES}))) == RC_OK);
	}
	return store_commit(r->store, &b, NULL);
}

static void recover(struct run *r)
{
	if (store_recover(r->store, &r->last, NULL) == RC_OK)
		return;
	/* Still in doubt; the disk is mended only now. */
	EXPECT(r, attempt_batch(r, ATTEMPTS + 1) == RC_UNKNOWN);
	fault_vfs_plan(NULL);
	EXPECT(r, store_recover(r->store, &r->last, NULL) == RC_OK);
}

static void restart(struct run *r, bool power_cut)
{
	if (power_cut)
		fault_vfs_power_cut(r->plan->seed + 1);
	close_run(r);
	if (power_cut)
		fault_vfs_power_on();
	fault_vfs_plan(NULL);
	open_run(r);
}

static void settle(struct run *r, int attempt, enum rc rc)
{
	int64_t before = r->last;

	EXPECT(r, rc == RC_UNKNOWN || rc == RC_IO);
	r->in_doubt += rc == RC_UNKNOWN;
	if (r->plan->result == 0 && fault_vfs_fired())
		restart(r, true);
	else if (rc == RC_IO)
		return;
	else if (r->answer == RECOVER)
		recover(r);
	else
		restart(r, r->answer == POWER_CUT);
	EXPECT(r, r->last == before || (r->last == before + 1 && rc == RC_UNKNOWN));
	r->there[attempt] = r->last > before;
	check_all(r, attempt);
}

static void load(struct run *r)
{
	struct store_stats stats;

	for (int i = 1; i <= ATTEMPTS; i++) {
		enum rc rc = attempt_batch(r, i);
		if (rc == RC_OK) {
			r->last++;
			r->there[i] = true;
			EXPECT(r, look(r, i) == 1);
		} else {
			settle(r, i, rc);
		}
		/* Its faults are seen by the next commit. */
		if (i % 2 == 0 && store_maintain(r->store, &stats, NULL) != RC_OK)
			EXPECT(r, fault_vfs_fired());
	}
}

static void check_integrity(struct run *r)
{
	sqlite3 *db;
	sqlite3_stmt *statement;

	EXPECT(r, sqlite3_open(r->path, &db) == SQLITE_OK);
	EXPECT(r, sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) == SQLITE_OK);
	EXPECT(r, sqlite3_step(statement) == SQLITE_ROW);
	EXPECT(r, strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

static void run_init(struct run *r, const struct fault_plan *plan, enum answer answer)
{
	static int number;
	char name[128];
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};

	*r = (struct run){.plan = plan, .answer = answer};
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(name, sizeof(name), "%s/%d.db%s", directory, number, suffixes[i]);
		unlink(name);
	}
	snprintf(r->path, sizeof(r->path), "%s/%d.db", directory, ++number);
	snprintf(r->url, sizeof(r->url), "sqlite:%s", r->path);
	arena_init(&r->arena, 1 << 20);
	fault_vfs_power_on();
}

static void run_done(struct run *r)
{
	close_run(r);
	fault_vfs_power_on();
	check_integrity(r);
	arena_done(&r->arena);
}

/* Returns how many batches were in doubt. */
static int run(const struct fault_plan *plan, enum answer answer, uint64_t counts[FAULT_OPS])
{
	struct run r;

	run_init(&r, plan, answer);
	open_run(&r);
	fault_vfs_plan(plan);
	load(&r);
	for (int i = 0; counts && i < FAULT_OPS; i++)
		counts[i] = fault_vfs_count(i);
	/* What was acknowledged survives a power cut, whatever the store has gone through. */
	restart(&r, true);
	check_all(&r, ATTEMPTS);
	run_done(&r);
	return r.in_doubt;
}

static const struct fault_plan healthy = {.seed = 1};

static uint64_t operations(enum fault_op op)
{
	uint64_t counts[FAULT_OPS];

	assert_int_equal(run(&healthy, RECOVER, counts), 0);
	return counts[op];
}

/* Fails each operation of this kind in turn, with each way to go on. */
static void fail_each(enum fault_op op, int result, bool from_then, bool doubts)
{
	uint64_t n = operations(op);
	int in_doubt = 0;

	assert_true(n > 0);
	for (uint64_t at = 1; at <= n; at++)
		for (enum answer answer = RECOVER; answer <= POWER_CUT; answer++) {
			struct fault_plan plan = {op, at, result, from_then, at * 3 + answer};
			in_doubt += run(&plan, answer, NULL);
		}
	/* Else the faults have hit nothing that matters. */
	assert_int_equal(in_doubt > 0, doubts);
}

static void writes_that_fail(void **state)
{
	(void)state;
	fail_each(FAULT_WRITE, SQLITE_IOERR_WRITE, false, true);
}

static void a_disk_that_is_full(void **state)
{
	(void)state;
	fail_each(FAULT_WRITE, SQLITE_FULL, true, true);
}

static void syncs_that_fail(void **state)
{
	(void)state;
	fail_each(FAULT_SYNC, SQLITE_IOERR_FSYNC, false, true);
}

static void a_disk_that_does_not_sync_any_more(void **state)
{
	(void)state;
	fail_each(FAULT_SYNC, SQLITE_IOERR_FSYNC, true, true);
}

static void power_cuts(void **state)
{
	static const enum fault_op ops[] = {FAULT_WRITE, FAULT_SYNC};

	(void)state;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		uint64_t n = operations(ops[i]);
		for (uint64_t at = 1; at <= n; at++)
			for (uint64_t seed = 0; seed < 3; seed++) {
				struct fault_plan plan = {ops[i], at, 0, false, at * 3 + seed};
				run(&plan, RECOVER, NULL);
			}
	}
}

static void fill(struct run *r)
{
	static char body[1 << 20];

	while (r->fillers < FILLERS) {
		struct store_batch b;

		arena_reset(&r->arena);
		store_batch_init(&b, &r->arena, r->last + 1);
		EXPECT(r, store_batch_put(&b, W_DOCUMENT, SV_INT(FILLER + r->fillers + 1), SV_TEXT(STR("order")),
					  SV_INT(1), SV_BLOB(((struct str){body, sizeof(body)}))) == RC_OK);
		EXPECT(r, store_commit(r->store, &b, NULL) == RC_OK);
		r->last++;
		r->fillers++;
	}
}

static uint64_t run_upkeep(const struct fault_plan *plan, enum answer answer)
{
	struct store_stats stats;
	uint64_t count;
	struct run r;

	run_init(&r, plan, answer);
	arena_done(&r.arena);
	arena_init(&r.arena, 16 << 20);
	open_run(&r);
	fill(&r);
	fault_vfs_plan(plan);
	if (store_maintain(r.store, &stats, NULL) != RC_OK)
		EXPECT(&r, fault_vfs_fired());
	load(&r);
	count = fault_vfs_count(plan->op);
	restart(&r, true);
	check_all(&r, ATTEMPTS);
	run_done(&r);
	return count;
}

/* Its syncs of the database, beside the commits and while the writer is held, and some of its many writes. */
static void upkeep_of_a_large_wal(void **state)
{
	static const struct {
		enum fault_op op;
		int result;
		uint64_t step;
	} rows[] = {
	    {FAULT_SYNC, SQLITE_IOERR_FSYNC, 1},
	    {FAULT_SYNC, 0, 1},
	    {FAULT_WRITE, SQLITE_FULL, 131},
	    {FAULT_WRITE, 0, 131},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fault_plan none = {.op = rows[i].op};
		uint64_t n = run_upkeep(&none, RECOVER);

		for (uint64_t at = 1; at <= n; at += rows[i].step) {
			struct fault_plan plan = {rows[i].op, at, rows[i].result, false, at};
			run_upkeep(&plan, at % 3);
		}
	}
}

/* A recovery replaces the files: a snapshot goes on in the old ones, what is read after it comes from the new ones. */
static void readers_go_on_through_a_recovery(void **state)
{
	struct fault_plan plan = {FAULT_SYNC, 1, SQLITE_IOERR_FSYNC, false, 7};
	struct run r;
	struct stat before, after;

	(void)state;
	run_init(&r, &plan, RECOVER);
	open_run(&r);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(attempt_batch(&r, i), RC_OK);
		r.last++;
	}
	assert_int_equal(store_reader_begin(r.reader, NULL), RC_OK);
	assert_int_equal(attempt_batch(&r, 3), RC_OK);
	r.last++;
	fault_vfs_plan(&plan);
	assert_int_equal(attempt_batch(&r, 4), RC_UNKNOWN);
	assert_int_equal(stat(r.path, &before), 0);
	assert_int_equal(store_recover(r.store, &r.last, NULL), RC_OK);
	assert_int_equal(stat(r.path, &after), 0);
	assert_true(before.st_ino != after.st_ino);
	assert_true(before.st_mode == after.st_mode);
	assert_int_equal(r.last, 4); /* it was in the page cache as a whole */
	assert_int_equal(attempt_batch(&r, 5), RC_OK);
	assert_int_equal(look(&r, 2), 1);
	assert_int_equal(look(&r, 3), 0);
	assert_int_equal(look(&r, 5), 0);
	store_reader_end(r.reader);
	for (int i = 1; i <= 5; i++)
		assert_int_equal(look(&r, i), 1);
	run_done(&r);
}

/* An open that is cut short is repeated; a store that was there before is there afterwards. */
static void opens_that_fail(void **state)
{
	static const struct {
		enum fault_op op;
		int result;
	} rows[] = {
	    {FAULT_OPEN, SQLITE_CANTOPEN},           {FAULT_WRITE, SQLITE_FULL},
	    {FAULT_SYNC, SQLITE_IOERR_FSYNC},        {FAULT_WRITE, 0},
	    {FAULT_TRUNCATE, SQLITE_IOERR_TRUNCATE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int filled = 0; filled <= 1; filled++) {
			bool fired = true;
			for (uint64_t at = 1; fired; at++) {
				struct fault_plan plan = {rows[i].op, at, rows[i].result, false, at};
				struct run r;
				run_init(&r, &plan, RESTART);
				if (filled) {
					open_run(&r);
					load(&r);
					restart(&r, true);
					close_run(&r);
				}
				fault_vfs_plan(&plan);
				if (try_open(&r) == RC_OK)
					store_close(r.store);
				fired = fault_vfs_fired();
				fault_vfs_power_cut(at);
				fault_vfs_power_on();
				open_run(&r);
				check_all(&r, filled ? ATTEMPTS : 0);
				run_done(&r);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_that_fail), cmocka_unit_test(a_disk_that_is_full),
	    cmocka_unit_test(syncs_that_fail),  cmocka_unit_test(a_disk_that_does_not_sync_any_more),
	    cmocka_unit_test(power_cuts),       cmocka_unit_test(upkeep_of_a_large_wal),
	    cmocka_unit_test(opens_that_fail),  cmocka_unit_test(readers_go_on_through_a_recovery),
	};
	char remove[64];
	int failed;

	if (!mkdtemp(directory))
		return 1;
	fault_vfs_register("fault");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(remove, sizeof(remove), "rm -rf %s", directory);
	return system(remove) != 0 || failed != 0;
}
