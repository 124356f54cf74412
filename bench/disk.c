/*
 * bench_disk FOLDER SECONDS [probe]: what the disk itself can do.
 *
 * First 2 KB appended and synced one at a time, in blocks of an allocated file, as a log does. Then SQLite with the
 * settings of the store's writer: rows of 2 KB in key order, 64 of them a transaction. It checkpoints when the WAL has
 * grown, between two transactions, and that time counts.
 *
 * probe: only 2 KB and a sync twenty times a second, to be run beside something else: how long the disk makes one wait.
 */
#include "histogram.h"
#include "marks.h"

#include <err.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROW_BYTES  2048
#define GROUP      64
#define FILE_BYTES (64 << 20)
#define WAL_FRAMES 8192 /* 64 MB */
#define PROBE_NS   50000000

/* Incompressible, in case the disk compresses. */
static void fill(char *row, uint64_t seed)
{
	for (size_t i = 0; i < ROW_BYTES; i += sizeof(seed)) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		memcpy(row + i, &seed, sizeof(seed));
	}
}

static void print_times(const char *name, const struct histogram *h)
{
	printf("\"%s_p50_us\": %.1f, \"%s_p99_us\": %.1f, \"%s_max_us\": %.1f", name,
	       (double)histogram_quantile(h, 0.5) / 1e3, name, (double)histogram_quantile(h, 0.99) / 1e3, name,
	       (double)h->max / 1e3);
}

static void sync_writes(const char *folder, double seconds, const char *name, long pause_ns)
{
	static struct histogram times;
	char path[4096], row[ROW_BYTES];
	(void)snprintf(path, sizeof(path), "%s/raw", folder);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, FILE_BYTES) != 0 || fsync(fd) != 0)
		err(1, "%s", path);
	int64_t started = marks_now(), until = started + (int64_t)(seconds * 1e9), now = started;
	off_t at = 0;
	while (now < until) {
		fill(row, (uint64_t)now);
		if (pwrite(fd, row, sizeof(row), at) != (ssize_t)sizeof(row) || fdatasync(fd) != 0)
			err(1, "%s", path);
		at = (at + ROW_BYTES) % FILE_BYTES;
		int64_t then = now;
		now = marks_now();
		histogram_add(&times, now - then);
		if (pause_ns > 0) {
			nanosleep(&(struct timespec){0, pause_ns}, NULL);
			now = marks_now();
		}
	}
	close(fd);
	unlink(path);
	printf("\"%s_per_s\": %.1f, ", name, (double)times.count * 1e9 / (double)(now - started));
	print_times(name, &times);
}

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		errx(1, "%s: %s", sql, sqlite3_errmsg(db));
}

static int note_frames(void *frames, sqlite3 *db, const char *name, int pages)
{
	(void)db;
	(void)name;
	*(int *)frames = pages;
	return SQLITE_OK;
}

static void insert(sqlite3 *db, sqlite3_stmt *statement, const char *row)
{
	sqlite3_bind_blob(statement, 1, row, ROW_BYTES, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_DONE)
		errx(1, "insert: %s", sqlite3_errmsg(db));
	sqlite3_reset(statement);
}

static void group_commits(const char *folder, double seconds)
{
	static struct histogram times;
	char path[4096], row[ROW_BYTES];
	sqlite3 *db;
	sqlite3_stmt *statement;
	int frames = 0;
	(void)snprintf(path, sizeof(path), "%s/group.db", folder);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		errx(1, "%s: %s", path, sqlite3_errmsg(db));
	run(db, "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		"PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -16384;"
		"CREATE TABLE t (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)");
	sqlite3_wal_hook(db, note_frames, &frames);
	if (sqlite3_prepare_v2(db, "INSERT INTO t (body) VALUES ($1)", -1, &statement, NULL) != SQLITE_OK)
		errx(1, "%s", sqlite3_errmsg(db));
	int64_t started = marks_now(), until = started + (int64_t)(seconds * 1e9), now = started;
	while (now < until) {
		run(db, "BEGIN IMMEDIATE");
		for (int i = 0; i < GROUP; i++) {
			fill(row, (uint64_t)now + (uint64_t)i);
			insert(db, statement, row);
		}
		run(db, "COMMIT");
		if (frames > WAL_FRAMES) {
			run(db, "PRAGMA wal_checkpoint(RESTART)");
			frames = 0;
		}
		int64_t then = now;
		now = marks_now();
		histogram_add(&times, now - then);
	}
	sqlite3_finalize(statement);
	sqlite3_close(db);
	unlink(path);
	printf(", \"group_rows_per_s\": %.1f, ", (double)times.count * GROUP * 1e9 / (double)(now - started));
	print_times("group", &times);
}

int main(int argc, char **argv)
{
	double seconds = argc >= 3 ? strtod(argv[2], NULL) : 0;
	bool probe = argc == 4 && strcmp(argv[3], "probe") == 0;
	if (seconds <= 0 || argc > 4 || (argc == 4 && !probe))
		errx(2, "usage: bench_disk FOLDER SECONDS [probe]");
	printf("{");
	sync_writes(argv[1], seconds, probe ? "probe" : "fdatasync", probe ? PROBE_NS : 0);
	if (!probe)
		group_commits(argv[1], seconds);
	printf("}\n");
	return 0;
}
