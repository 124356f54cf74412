/* The contract of store.h, once, run against every backend. */
#include "store/test_backends.h"

#include <pthread.h>
#include <stdatomic.h>

static void new_store_is_empty(void **state)
{
	struct place *p = *state;

	assert_int_equal(p->last, 0);
	assert_int_equal(meta_now(p, "nothing"), -1);
}

static void batches_are_numbered_and_found_again(void **state)
{
	struct place *p = *state;
	struct err e = ERR_NONE;

	for (int i = 1; i <= 3; i++)
		put_meta(p, "a", i);
	close_place(p);
	open_place(p);
	assert_int_equal(p->last, 3);
	assert_int_equal(meta_now(p, "a"), 3);

	static const int64_t wrong[] = {-2, 0, 2}; /* beside the right one */
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct store_batch b;
		store_batch_init(&b, &p->arena, p->last + 1 + wrong[i]);
		if (wrong[i] == 0)
			b.number = p->last; /* again */
		PUT(b, W_META, SV_TEXT(STR("a")), SV_INT(99));
		e = ERR_NONE;
		assert_int_equal(store_commit(p->store, &b, &e), RC_DENIED);
	}
	assert_int_equal(meta_now(p, "a"), 3);
	if (p->kind == SQLITE) {
		put_meta(p, "a", 4);
		assert_int_equal(meta_now(p, "a"), 4);
	}
}

/* Text and bytes that are easily damaged on the way. */
static void values_come_back_as_they_went(void **state)
{
	struct place *p = *state;
	struct store_reader *r = reader(p);
	static const struct str texts[] = {
	    {"", 0},
	    {NULL, 0},
	    {"plain", 5},
	    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\xa2", 9},
	    {"it's \"quoted\" \\ $1 {S}\n", 23},
	};
	static const struct str blobs[] = {{"", 0}, {NULL, 0}, {"\0", 1}, {"a\0b\xff\x80\\x00", 9}, {"\\x41", 4}};
	static const int64_t integers[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1LL << 53, (1LL << 53) + 1};
	struct store_value row[STORE_VALUES_MAX];
	int64_t seq = 0;

	for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
		for (size_t k = 0; k < sizeof(blobs) / sizeof(blobs[0]); k++)
			for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
				BATCH(p, b);
				seq++;
				PUT(b, W_MOVEMENT, SV_INT(seq), SV_TEXT(texts[t]), SV_INT(integers[i]), SV_INT(7),
				    SV_TEXT(STR("adjust")), SV_NULL, SV_TEXT_OPT(texts[t]), SV_NULL, SV_TEXT(texts[t]),
				    SV_TEXT(STR("c")), SV_BLOB(blobs[k]));
				commit(p, &b);
				assert_int_equal(store_read_one(r, R_MOVEMENT, &SV_INT(seq), 1, &p->arena, row, NULL),
						 RC_OK);
				assert_int_equal(row[0].integer, seq);
				assert_int_equal(row[1].type, STORE_TEXT);
				assert_true(str_eq(row[1].bytes, texts[t]));
				assert_int_equal(row[2].type, STORE_INT);
				assert_true(row[2].integer == integers[i]);
				assert_int_equal(row[5].type, STORE_NULL);
				assert_int_equal(row[6].type, texts[t].n ? STORE_TEXT : STORE_NULL);
				assert_int_equal(row[8].type, STORE_TEXT);
				assert_int_equal(row[10].type, STORE_BLOB);
				assert_true(str_eq(row[10].bytes, blobs[k]));
			}
	store_reader_close(r);
}

static void a_large_value_fits(void **state)
{
	struct place *p = *state;
	struct store_reader *r = reader(p);
	size_t n = 3000000;
	char *bytes = test_malloc(n);
	struct store_value row[2];
	struct arena a;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(i * 31 >> 3);
	BATCH(p, b);
	PUT(b, W_DOCUMENT, SV_INT(1), SV_TEXT(STR("order")), SV_INT(1), SV_BLOB(((struct str){bytes, n})));
	commit(p, &b);
	arena_init(&a, 4000000);
	assert_int_equal(store_read_one(r, R_DOCUMENT, &SV_INT(1), 1, &a, row, NULL), RC_OK);
	assert_true(str_eq(row[1].bytes, ((struct str){bytes, n})));
	arena_done(&a);
	arena_init(&a, 100000);
	assert_int_equal(store_read_one(r, R_DOCUMENT, &SV_INT(1), 1, &a, row, NULL), RC_LIMIT);
	arena_done(&a);
	test_free(bytes);
	store_reader_close(r);
}

static void upserts_keep_what_is_not_given(void **state)
{
	struct place *p = *state;
	struct store_reader *r = reader(p);
	struct store_value row[4];

	BATCH(p, b);
	PUT(b, W_ITEM, SV_TEXT(STR("A")), SV_INT(1), SV_TEXT(STR("EA")), SV_NULL, SV_NULL);
	PUT(b, W_ITEM, SV_TEXT(STR("A")), SV_INT(2), SV_NULL, SV_INT(5), SV_TEXT(STR("{}")));
	PUT(b, W_ITEM, SV_TEXT(STR("A")), SV_INT(3), SV_TEXT(STR("CS")), SV_NULL, SV_NULL);
	commit(p, &b);
	assert_int_equal(store_read_one(r, R_ITEM, &SV_TEXT(STR("A")), 1, &p->arena, row, NULL), RC_OK);
	assert_int_equal(row[1].integer, 1);
	assert_true(str_is(row[2].bytes, "CS"));
	assert_int_equal(row[3].integer, 5);
	store_reader_close(r);
}

static void put_order(struct store_batch *b, int64_t seq, const char *id)
{
	PUT(*b, W_ORDER, SV_INT(seq), SV_TEXT(str_from(id)), SV_TEXT(STR("shop")), SV_TEXT(STR("x1")), SV_INT(1),
	    SV_INT(2), SV_INT(3), SV_TEXT(STR("EUR")), SV_NULL, SV_TEXT(STR("c")), SV_INT(1), SV_TEXT(STR("{}")));
}

static void a_batch_is_all_or_nothing(void **state)
{
	struct place *p = *state;
	struct store_reader *r = reader(p);
	struct store_value row[12];
	struct err e;

	BATCH(p, first);
	put_order(&first, 1, "O1");
	commit(p, &first);
	for (int again = 0; again < 3; again++) {
		BATCH(p, b);
		PUT(b, W_META, SV_TEXT(STR("a")), SV_INT(1));
		put_order(&b, 2, "O2");
		put_order(&b, 3, "O1"); /* is there */
		put_order(&b, 4, "O4");
		e = ERR_NONE;
		assert_int_equal(store_commit(p->store, &b, &e), RC_IO);
		assert_string_equal(e.code, "constraint");
		assert_non_null(strstr(e.detail, "W_ORDER"));
		assert_int_equal(meta(r, &p->arena, "a"), -1);
		assert_int_equal(store_read_one(r, R_ORDER, &SV_TEXT(STR("O2")), 1, &p->arena, row, NULL),
				 RC_NOT_FOUND);
		assert_int_equal(store_read_one(r, R_ORDER, &SV_TEXT(STR("O4")), 1, &p->arena, row, NULL),
				 RC_NOT_FOUND);
	}
	/* The store goes on with the same number. */
	BATCH(p, b);
	put_order(&b, 2, "O2");
	commit(p, &b);
	assert_int_equal(store_read_one(r, R_ORDER, &SV_TEXT(STR("O2")), 1, &p->arena, row, NULL), RC_OK);
	store_reader_close(r);
	close_place(p);
	open_place(p);
	assert_int_equal(p->last, 2);
}

static void a_snapshot_does_not_move(void **state)
{
	struct place *p = *state;
	struct store_reader *r = reader(p), *other = reader(p);

	put_meta(p, "a", 1);
	assert_int_equal(store_reader_begin(r, NULL), RC_OK);
	put_meta(p, "a", 2);
	assert_int_equal(meta(r, &p->arena, "a"), 1);
	assert_int_equal(meta(other, &p->arena, "a"), 2);
	put_meta(p, "a", 3);
	assert_int_equal(meta(r, &p->arena, "a"), 1);
	store_reader_end(r);
	assert_int_equal(meta(r, &p->arena, "a"), 3);
	assert_int_equal(store_reader_begin(r, NULL), RC_OK);
	assert_int_equal(meta(r, &p->arena, "a"), 3);
	store_reader_end(r);
	store_reader_close(other);
	store_reader_close(r);
}

struct counted {
	int rows, stop_after;
	int64_t sum;
};

static enum rc count_row(void *ctx, const struct store_value *columns, size_t count)
{
	struct counted *c = ctx;

	assert_int_equal(count, 12);
	c->sum += columns[0].integer;
	return ++c->rows == c->stop_after ? RC_LIMIT : RC_OK;
}

static void a_visitor_sees_rows_in_order_and_may_stop(void **state)
{
	struct place *p = *state;
	struct store_reader *r = reader(p);
	struct counted c = {0};
	char ids[50][8];

	BATCH(p, b);
	for (int i = 1; i <= 50; i++) {
		snprintf(ids[i - 1], sizeof(ids[0]), "O%d", i);
		put_order(&b, i, ids[i - 1]);
	}
	commit(p, &b);
	assert_int_equal(
	    store_read(r, R_ORDERS_OPEN, (struct store_value[]){SV_INT(10), SV_INT(30)}, 2, count_row, &c, NULL),
	    RC_OK);
	assert_int_equal(c.rows, 30);
	assert_int_equal(c.sum, (11 + 40) * 30 / 2);
	for (int i = 0; i < 3; i++) {
		c = (struct counted){.stop_after = 7};
		assert_int_equal(
		    store_read(r, R_ORDERS_OPEN, (struct store_value[]){SV_INT(0), SV_INT(50)}, 2, count_row, &c, NULL),
		    RC_LIMIT);
		assert_int_equal(c.rows, 7);
	}
	store_reader_close(r);
}

#ifdef CD_TEST_HOOKS
static void a_new_version_migrates_and_an_unknown_one_is_refused(void **state)
{
	struct place *p = *state;
	size_t count;
	struct store_migration m[3];
	struct store_options o = options(p);
	struct err e = ERR_NONE;

	m[0] = store_migrations(&count)[0];
	assert_int_equal(m[0].version, 1);
	put_meta(p, "a", 1);
	close_place(p);

	/* A step that fails half way leaves nothing behind. */
	m[1] = (struct store_migration){2, "CREATE TABLE {S}extra (x {BLOB}); CREATE TABLE {S}extra (x {BLOB});"};
	store_migrations_set(m, 2);
	assert_int_equal(store_open(&o, &p->store, &p->last, &e), RC_IO);
	p->store = NULL;
	store_migrations_set(m, 1);
	open_place(p);
	assert_int_equal(meta_now(p, "schema"), 1);
	close_place(p);

	m[1] = (struct store_migration){2, "CREATE TABLE {S}extra (x {BLOB});"};
	m[2] = (struct store_migration){3, "CREATE INDEX {I}extra_x ON {S}extra (x);"};
	store_migrations_set(m, 3);
	open_place(p);
	assert_int_equal(p->last, 1);
	assert_int_equal(meta_now(p, "schema"), 3);
	assert_int_equal(meta_now(p, "a"), 1);
	put_meta(p, "a", 2);
	close_place(p);

	store_migrations_set(m, 2);
	e = ERR_NONE;
	assert_int_equal(store_open(&o, &p->store, &p->last, &e), RC_CONFLICT);
	assert_string_equal(e.code, "store_is_newer");
	e = ERR_NONE;
	assert_int_equal(store_tool_open(&o, &p->store, &e), RC_CONFLICT);
	assert_string_equal(e.code, "store_is_newer");
	store_migrations_set(m, 3);
	open_place(p);
	assert_int_equal(p->last, 2);
	store_migrations_set(NULL, 0);
}
#endif

static void add_key(struct store *tool, const char *id)
{
	struct err e = ERR_NONE;
	struct store_value v[] = {SV_TEXT(str_from(id)), SV_BLOB(str_from(id)), SV_TEXT(STR("read")), SV_NULL,
				  SV_INT(1)};

	if (store_tool_write(tool, W_API_KEY, v, 5, &e) != RC_OK)
		fail_msg("tool: %s %s", e.code, e.detail);
}

static void a_tool_writes_beside_the_writer(void **state)
{
	struct place *p = *state;
	struct store_options o = options(p);
	struct store_reader *r = reader(p);
	struct store *tool;
	struct store_value row[5];
	struct err e = ERR_NONE;

	assert_int_equal(store_tool_open(&o, &tool, NULL), RC_OK);
	put_meta(p, "a", 1);
	add_key(tool, "k1");
	put_meta(p, "a", 2);
	add_key(tool, "k2");
	struct store_value again[] = {SV_TEXT(STR("k2")), SV_BLOB(STR("s")), SV_TEXT(STR("")), SV_NULL, SV_INT(1)};
	assert_int_equal(store_tool_write(tool, W_API_KEY, again, 5, &e), RC_IO);
	assert_string_equal(e.code, "constraint");
	struct store_value revoke[] = {SV_TEXT(STR("k2")), SV_INT(9)};
	assert_int_equal(store_tool_write(tool, W_API_KEY_REVOKE, revoke, 2, NULL), RC_OK);
	store_close(tool);
	put_meta(p, "a", 3);
	assert_int_equal(store_read_one(r, R_API_KEY_BY_SECRET, &SV_BLOB(STR("k1")), 1, &p->arena, row, NULL), RC_OK);
	assert_true(str_is(row[0].bytes, "k1"));
	assert_int_equal(row[4].type, STORE_NULL);
	assert_int_equal(store_read_one(r, R_API_KEY_BY_SECRET, &SV_BLOB(STR("k2")), 1, &p->arena, row, NULL), RC_OK);
	assert_int_equal(row[4].integer, 9);
	store_reader_close(r);
}

static void a_tool_creates_a_missing_store(void **state)
{
	struct place *p = *state, other;
	struct store_options o;
	struct store *tool;
	struct store_value row[5];
	struct store_reader *r;

	new_place(&other, p->kind);
	o = options(&other);
	assert_int_equal(store_tool_open(&o, &tool, NULL), RC_OK);
	add_key(tool, "k1");
	assert_int_equal(store_reader_open(tool, &r, NULL), RC_OK);
	assert_int_equal(store_read_one(r, R_API_KEYS, NULL, 0, &p->arena, row, NULL), RC_OK);
	store_reader_close(r);
	open_place(&other); /* the tool does not hold the tenant */
	assert_int_equal(other.last, 0);
	store_close(tool);
	put_meta(&other, "a", 1);
	close_place(&other);
	arena_done(&other.arena);
}

struct concurrent {
	struct place *place;
	atomic_bool stop;
	int reads;
};

static void *read_on(void *ctx)
{
	struct concurrent *c = ctx;
	struct store_reader *r = reader(c->place);
	struct arena a;

	arena_init(&a, 1 << 20);
	do {
		arena_reset(&a);
		assert_int_equal(store_reader_begin(r, NULL), RC_OK);
		int64_t first = meta(r, &a, "a"), second = meta(r, &a, "b");
		store_reader_end(r);
		assert_int_equal(first, second);
		c->reads++;
	} while (!c->stop);
	arena_done(&a);
	store_reader_close(r);
	return NULL;
}

static void *maintain_on(void *ctx)
{
	struct concurrent *c = ctx;
	struct store_stats stats;

	while (!c->stop)
		assert_int_equal(store_maintain(c->place->store, &stats, NULL), RC_OK);
	return NULL;
}

static void readers_and_upkeep_run_beside_the_writer(void **state)
{
	struct place *p = *state;
	struct concurrent c = {.place = p};
	pthread_t reading, maintaining;
	struct store_stats stats;

	assert_int_equal(pthread_create(&reading, NULL, read_on, &c), 0);
	assert_int_equal(pthread_create(&maintaining, NULL, maintain_on, &c), 0);
	for (int i = 0; i < 200; i++) {
		arena_reset(&p->arena);
		BATCH(p, b);
		PUT(b, W_META, SV_TEXT(STR("a")), SV_INT(i));
		PUT(b, W_META, SV_TEXT(STR("b")), SV_INT(i));
		commit(p, &b);
	}
	c.stop = true;
	pthread_join(reading, NULL);
	pthread_join(maintaining, NULL);
	assert_true(c.reads > 0);
	assert_int_equal(store_maintain(p->store, &stats, NULL), RC_OK);
	assert_int_equal(stats.bytes > 0, p->kind == SQLITE);
	assert_int_equal(meta_now(p, "b"), 199);
}

#ifdef CD_TEST_HOOKS
#define MIGRATION_TEST(kind) CONTRACT(a_new_version_migrates_and_an_unknown_one_is_refused, kind),
#else
#define MIGRATION_TEST(kind)
#endif
#define CONTRACT_TESTS(kind)                                                                                           \
	CONTRACT(new_store_is_empty, kind), CONTRACT(batches_are_numbered_and_found_again, kind),                      \
	    CONTRACT(values_come_back_as_they_went, kind), CONTRACT(a_large_value_fits, kind),                         \
	    CONTRACT(upserts_keep_what_is_not_given, kind), CONTRACT(a_batch_is_all_or_nothing, kind),                 \
	    CONTRACT(a_snapshot_does_not_move, kind), CONTRACT(a_visitor_sees_rows_in_order_and_may_stop, kind),       \
	    MIGRATION_TEST(kind) CONTRACT(a_tool_writes_beside_the_writer, kind),                                      \
	    CONTRACT(a_tool_creates_a_missing_store, kind), CONTRACT(readers_and_upkeep_run_beside_the_writer, kind)

int main(int argc, char **argv)
{
	const struct CMUnitTest sqlite[] = {CONTRACT_TESTS(sqlite)};
	const struct CMUnitTest postgres[] = {CONTRACT_TESTS(postgres)};

	(void)argc;
	return backends_main(argv, sqlite, postgres, COUNT(sqlite));
}
