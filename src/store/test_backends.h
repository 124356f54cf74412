/*
 * For tests of the store only: each test runs against every backend, in a place of its own (a file, a schema).
 * PostgreSQL is a real server, started by tools/with-postgres.
 */
#ifndef STORE_TEST_BACKENDS_H
#define STORE_TEST_BACKENDS_H

#include "base/test.h"
#include "store/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum backend_kind { SQLITE, POSTGRES };

static const char *postgres_url;
static char directory[] = "/tmp/store_test.XXXXXX";
static int places; /* each test has a place of its own: a file, a schema */

struct place {
	enum backend_kind kind;
	char url[256], schema[49];
	struct store *store;
	int64_t last;
	struct arena arena;
};

static inline struct store_options options(const struct place *p)
{
	return (struct store_options){
	    .url = p->url, .schema = p->schema, .holder = "store_test", .clock = clock_system()};
}

static inline void open_place(struct place *p)
{
	struct err e = ERR_NONE;
	struct store_options o = options(p);
	enum rc rc = store_open(&o, &p->store, &p->last, &e);

	if (rc != RC_OK)
		fail_msg("open %s: %s %s", p->url, e.code, e.detail);
}

static inline void close_place(struct place *p)
{
	store_close(p->store);
	p->store = NULL;
}

static inline void new_place(struct place *p, enum backend_kind kind)
{
	*p = (struct place){.kind = kind};
	arena_init(&p->arena, 1 << 20);
	places++;
	snprintf(p->schema, sizeof(p->schema), "t%d_%d", (int)getpid(), places);
	if (kind == SQLITE)
		snprintf(p->url, sizeof(p->url), "sqlite:%s/%d.db", directory, places);
	else
		snprintf(p->url, sizeof(p->url), "%s", postgres_url);
}

static inline int setup(void **state, enum backend_kind kind)
{
	struct place *p = test_malloc(sizeof(*p));

	new_place(p, kind);
	open_place(p);
	*state = p;
	return 0;
}

static inline int setup_sqlite(void **state)
{
	return setup(state, SQLITE);
}

static inline int setup_postgres(void **state)
{
	return setup(state, POSTGRES);
}

static inline int teardown(void **state)
{
	struct place *p = *state;

	store_close(p->store);
	arena_done(&p->arena);
	test_free(p);
	return 0;
}

#define BATCH(p, b)                                                                                                    \
	struct store_batch b;                                                                                          \
	store_batch_init(&(b), &(p)->arena, (p)->last + 1)
#define PUT(b, s, ...) assert_int_equal(store_batch_put(&(b), s, __VA_ARGS__), RC_OK)

static inline void commit(struct place *p, struct store_batch *b)
{
	struct err e = ERR_NONE;

	if (store_commit(p->store, b, &e) != RC_OK)
		fail_msg("commit: %s %s", e.code, e.detail);
	p->last = b->number;
}

static inline struct store_reader *reader(struct place *p)
{
	struct store_reader *r;

	assert_int_equal(store_reader_open(p->store, &r, NULL), RC_OK);
	return r;
}

static inline int64_t meta(struct store_reader *r, struct arena *a, const char *name)
{
	struct store_value v;
	struct err e = ERR_NONE;
	enum rc rc = store_read_one(r, R_META, &SV_TEXT(str_from(name)), 1, a, &v, &e);

	if (rc == RC_NOT_FOUND)
		return -1;
	if (rc != RC_OK)
		fail_msg("meta: %s %s", e.code, e.detail);
	assert_int_equal(v.type, STORE_INT);
	return v.integer;
}

static inline int64_t meta_now(struct place *p, const char *name)
{
	struct store_reader *r = reader(p);
	int64_t v = meta(r, &p->arena, name);

	store_reader_close(r);
	return v;
}

static inline void put_meta(struct place *p, const char *name, int64_t value)
{
	BATCH(p, b);
	PUT(b, W_META, SV_TEXT(str_from(name)), SV_INT(value));
	commit(p, &b);
}

#define CONTRACT(test, kind) cmocka_unit_test_setup_teardown(test, setup_##kind, teardown)

/* The result of the program. The tests of both are the same ones. */
static inline int backends_main(char **argv, const struct CMUnitTest *sqlite, const struct CMUnitTest *postgres,
				size_t count)
{
	char remove[64];
	int failed;

	postgres_url = getenv("CROSSDOCK_TEST_PG");
	if (!postgres_url) {
		execl(CD_SOURCE_DIR "/tools/with-postgres", "with-postgres", argv[0], (char *)NULL);
		perror("tools/with-postgres");
		return 1;
	}
	if (!mkdtemp(directory))
		return 1;
	failed = _cmocka_run_group_tests("sqlite", sqlite, count, NULL, NULL);
	failed += _cmocka_run_group_tests("postgres", postgres, count, NULL, NULL);
	snprintf(remove, sizeof(remove), "rm -rf %s", directory);
	return system(remove) != 0 || failed != 0;
}

#endif
