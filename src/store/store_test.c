/* The contract of store.h, once, run against every backend. PostgreSQL is a real server, started by
 * tools/with-postgres. */
#include "store/backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
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

static struct store_options options(const struct place *p)
{
	return (struct store_options){
	    .url = p->url, .schema = p->schema, .holder = "store_test", .clock = clock_system()};
}

static void open_place(struct place *p)
{
	struct err e = ERR_NONE;
	struct store_options o = options(p);
	enum rc rc = store_open(&o, &p->store, &p->last, &e);

	if (rc != RC_OK)
		fail_msg("open %s: %s %s", p->url, e.code, e.detail);
}

static void close_place(struct place *p)
{
	store_close(p->store);
	p->store = NULL;
}

static void new_place(struct place *p, enum backend_kind kind)
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

static int setup(void **state, enum backend_kind kind)
{
	struct place *p = test_malloc(sizeof(*p));

	new_place(p, kind);
	open_place(p);
	*state = p;
	return 0;
}

static int setup_sqlite(void **state)
{
	return setup(state, SQLITE);
}

static int setup_postgres(void **state)
{
	return setup(state, POSTGRES);
}

static int teardown(void **state)
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

static void commit(struct place *p, struct store_batch *b)
{
	struct err e = ERR_NONE;

	if (store_commit(p->store, b, &e) != RC_OK)
		fail_msg("commit: %s %s", e.code, e.detail);
	p->last = b->number;
}

static struct store_reader *reader(struct place *p)
{
	struct store_reader *r;

	assert_int_equal(store_reader_open(p->store, &r, NULL), RC_OK);
	return r;
}

static int64_t meta(struct store_reader *r, struct arena *a, const char *name)
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

static int64_t meta_now(struct place *p, const char *name)
{
	struct store_reader *r = reader(p);
	int64_t v = meta(r, &p->arena, name);

	store_reader_close(r);
	return v;
}

static void put_meta(struct place *p, const char *name, int64_t value)
{
	BATCH(p, b);
	PUT(b, W_META, SV_TEXT(str_from(name)), SV_INT(value));
	commit(p, &b);
}

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

/* Types of the parameters, in order: i integer, t text, b bytes. A statement that is missing here fails the test. */
static void put_serial_move(struct store_batch *b, int64_t movement, int64_t kind, int64_t at, int64_t state)
{
	const struct store_value none = SV_TEXT(STR(""));

	PUT(*b, W_SERIAL_MOVE, SV_TEXT(STR("TV")), SV_TEXT(STR("S1")), SV_INT(movement), SV_INT(kind), SV_INT(at),
	    SV_TEXT(STR("east")), SV_INT(state), SV_TEXT(STR("east")), none, none, none, SV_INT(0), SV_INT(0));
}

/* What movement made of serial number S1, state after it; the registry says the same. */
static void put_serial(struct store_batch *b, int64_t movement, int64_t at, int64_t state)
{
	const struct store_value sku = SV_TEXT(STR("TV")), serial = SV_TEXT(STR("S1")), none = SV_TEXT(STR(""));

	PUT(*b, W_SERIAL, sku, serial, SV_INT(state), SV_TEXT(STR("east")), none, none, none, SV_INT(movement),
	    SV_INT(at));
	put_serial_move(b, movement, 0, at, state);
	PUT(*b, W_MOVEMENT, SV_INT(movement), SV_TEXT(STR("m")), SV_INT(at), SV_INT(at), SV_TEXT(STR("ship")), SV_NULL,
	    SV_NULL, SV_NULL, SV_NULL, SV_TEXT(STR("c")), SV_BLOB(STR("")));
}

struct movements {
	int64_t sum;
	size_t count;
};

static enum rc add_movement(void *ctx, const struct store_value *columns, size_t count)
{
	struct movements *m = ctx;

	assert_int_equal(count, 12);
	assert_memory_equal(columns[1].bytes.p, "S1", 2);
	m->sum += columns[7].integer;
	m->count++;
	return RC_OK;
}

static int64_t unexplained(struct place *p, struct store_reader *r)
{
	struct store_value row[2];

	assert_int_equal(store_read_one(r, R_SERIALS_UNEXPLAINED, NULL, 0, &p->arena, row, NULL), RC_OK);
	assert_int_equal(row[0].integer, 1);
	return row[1].integer;
}

static void a_serial_number_is_where_its_history_says(void **state)
{
	struct place *p = *state;
	struct store_reader *r = reader(p);
	struct store_value row[18], named[17] = {SV_TEXT(STR("TV")), SV_TEXT(STR("S1"))};
	const struct store_value before[] = {SV_TEXT(STR("TV")), SV_TEXT(STR("S1")), SV_INT(3), SV_INT(10)};
	struct movements m = {0};

	for (size_t i = 2; i < 17; i++)
		named[i] = SV_TEXT(STR("S9"));
	BATCH(p, b);
	put_serial(&b, 2, 100, 1);
	put_serial(&b, 3, 200, 6);
	commit(p, &b);
	assert_int_equal(store_read_one(r, R_SERIALS_NAMED, named, 17, &p->arena, row, NULL), RC_OK);
	assert_int_equal(row[2].integer, 6);
	assert_int_equal(row[7].integer, 3);
	assert_int_equal(store_read_one(r, R_SERIAL_HISTORY, before, 4, &p->arena, row, NULL), RC_OK);
	assert_int_equal(row[0].integer, 2);
	assert_int_equal(store_read(r, R_SERIAL_HISTORIES, &SV_INT(3), 1, add_movement, &m, NULL), RC_OK);
	assert_int_equal(m.count, 2);
	assert_int_equal(m.sum, 5);
	assert_int_equal(unexplained(p, r), 0);
	BATCH(p, back);
	put_serial_move(&back, 3, 1, 200, 6);
	commit(p, &back);
	/* The registry still says what the movement said that was taken back. */
	assert_int_equal(unexplained(p, r), 1);
	m = (struct movements){0};
	assert_int_equal(store_read(r, R_SERIAL_HISTORIES, &SV_INT(2), 1, add_movement, &m, NULL), RC_OK);
	assert_int_equal(m.sum, 2);
	assert_int_equal(store_read(r, R_SERIAL_HISTORIES, &SV_INT(3), 1, add_movement, &m, NULL), RC_OK);
	assert_int_equal(m.sum, 2);
	store_reader_close(r);
}

static const char *const parameter_types[STORE_STATEMENTS] = {
    [W_META] = "ti",
    [R_META] = "t",
    [R_META_COUNTS] = "",
    [W_INBOX] = "iittttttitbiittit",
    [W_INBOX_FATE] = "iiitt",
    [R_INBOX_LAST] = "",
    [R_INBOX_ONE] = "i",
    [R_INBOX_PENDING] = "ii",
    [R_INBOX_TRACE] = "t",
    [R_INBOX_FATES] = "",
    [W_DEDUP] = "iib",
    [R_DEDUP_ALL] = "",
    [W_DOCUMENT] = "itib",
    [R_DOCUMENT] = "i",
    [R_DOCUMENT_LAST] = "",
    [W_EVENT] = "itittttit",
    [R_EVENT_LAST] = "",
    [R_EVENT_AFTER] = "ii",
    [R_EVENT_TRACE] = "t",
    [W_ORDER] = "itttiiitttit",
    [W_ORDER_STATE] = "iiit",
    [R_ORDERS_OPEN] = "ii",
    [R_ORDER] = "t",
    [R_ORDER_BY_SEQ] = "i",
    [R_ORDERS_BEFORE] = "ii",
    [R_ORDERS_SOLD] = "ii",
    [R_ORDERS_LAST] = "",
    [R_ORDERS_COUNT] = "",
    [W_MOVEMENT] = "itiittttttb",
    [R_MOVEMENT_LAST] = "",
    [R_MOVEMENTS_AFTER] = "ii",
    [R_MOVEMENTS_BEFORE] = "ii",
    [R_MOVEMENT] = "i",
    [W_POSITION] = "ttttit",
    [R_POSITIONS] = "",
    [R_POSITIONS_OF] = "t",
    [W_SERIAL] = "ttittttii",
    [W_SERIAL_MOVE] = "ttiiitittttii",
    [R_SERIALS_NAMED] = "ttttttttttttttttt",
    [R_SERIALS] = "tti",
    [R_SERIALS_AT] = "ttti",
    [R_SERIALS_HERE] = "tti",
    [R_SERIAL] = "tt",
    [R_SERIAL_HISTORIES] = "i",
    [R_SERIAL_STANDING] = "tt",
    [R_SERIAL_HISTORY] = "ttii",
    [R_SERIALS_UNEXPLAINED] = "",
    [W_ITEM] = "titit",
    [R_ITEMS] = "",
    [R_ITEM] = "t",
    [W_RESERVATION] = "iiii",
    [W_RESERVATION_CHANGE] = "ii",
    [W_RESERVATION_END] = "iit",
    [R_RESERVATION_LAST] = "",
    [R_RESERVATION] = "i",
    [R_RESERVATIONS_HELD] = "ii",
    [W_PUBLICATION] = "tttiiti",
    [R_PUBLICATIONS] = "",
    [W_RING_FENCE] = "ttttt",
    [R_RING_FENCES_ALL] = "",
    [R_RING_FENCES] = "ttti",
    [W_ARRIVAL] = "tt",
    [R_ARRIVALS] = "",
    [W_GAP] = "ttti",
    [R_GAPS] = "",
    [W_DELIVERY] = "itttttt"
		   "iitiiiiitti",
    [W_DELIVERY_STATE] = "iiiiitt",
    [R_DELIVERY_LAST] = "",
    [R_AVAILABILITY_AFTER] = "ii",
    [R_DELIVERY] = "i",
    [R_DELIVERY_TO_SEND] = "i",
    [R_DELIVERY_BY_ID] = "t",
    [R_DELIVERIES_OPEN] = "tiii",
    [R_DELIVERIES_KEYS] = "tii",
    [R_DELIVERIES_BEFORE] = "ii",
    [R_DELIVERIES_TRACE] = "t",
    [R_DELIVERIES_COUNT] = "",
    [W_ATTEMPT] = "iiiiiiitbb",
    [R_ATTEMPT_LAST] = "",
    [R_ATTEMPTS] = "i",
    [W_DEAD_LETTER] = "ititt"
		      "iittiitbtt",
    [W_DEAD_LETTER_STATE] = "iiitt",
    [R_DEAD_LETTER_LAST] = "",
    [R_DEAD_LETTER] = "t",
    [R_DEAD_LETTERS_BEFORE] = "ii",
    [R_DEAD_LETTERS_COUNT] = "",
    [W_EXCEPTION] = "itit"
		    "ttttitit",
    [R_EXCEPTION_LAST] = "",
    [R_MOVEMENTS_OLDER] = "ii",
    [R_MOVEMENTS_NEWER] = "ii",
    [W_RECONCILIATION] = "itittttiit",
    [W_RECONCILIATION_END] = "iiit",
    [R_RECONCILIATION_LAST] = "",
    [R_RECONCILIATION] = "t",
    [R_RECONCILIATIONS_BEFORE] = "ii",
    [R_RECONCILIATIONS_OPEN] = "",
    [W_DRIFT] = "iitttttiiit",
    [R_DRIFT_LAST] = "",
    [R_DRIFT_AFTER] = "iii",
    [R_EXCEPTIONS_BEFORE] = "ii",
    [R_EXCEPTIONS_TRACE] = "t",
    [R_EXCEPTIONS_COUNT] = "",
    [W_SUBSCRIPTION] = "iittbtiiiiit",
    [R_SUBSCRIPTION_LAST] = "",
    [R_SUBSCRIPTION] = "i",
    [R_SUBSCRIPTIONS_AFTER] = "ii",
    [R_SUBSCRIPTIONS_BEFORE] = "ii",
    [R_EVENTS_BRIEF] = "iii",
    [R_DELIVERIES_SYSTEM_BEFORE] = "iit",
    [R_DELIVERIES_OPEN_BEFORE] = "ii",
    [R_DELIVERIES_OPEN_SYSTEM_BEFORE] = "iit",
    [R_DELIVERIES_FAILED_BEFORE] = "iii",
    [R_DELIVERIES_FAILED_SYSTEM_BEFORE] = "iiti",
    [R_DELIVERIES_REPLAY] = "tiii",
    [R_DELIVERIES_REPLAY_COUNT] = "tiii",
    [R_DELIVERY_FROM] = "i",
    [R_DELIVERY_REPLAYED] = "i",
    [W_DELIVERY_REOPEN] = "iiti",
    [W_DELIVERY_REPLAY] = "it",
    [W_DELIVERY_DUE] = "ii",
    [R_ATTEMPTS_OLDEST] = "i",
    [W_ATTEMPTS_FORGET] = "i",
    [W_DEAD_LETTER_EDIT] = "ibit",
    [R_DEAD_LETTERS_OPEN_HEADS] = "iii",
    [R_DEAD_LETTERS_OPEN_HEADS_OPERATION] = "iiit",
    [R_DEAD_LETTERS_OPEN_HEADS_CLASS] = "iiit",
    [R_DEAD_LETTERS_OPEN_HEADS_CLASS_OPERATION] = "iiitt",
    [R_DEAD_LETTERS_OPEN_HEADS_SYSTEM] = "iiit",
    [R_DEAD_LETTERS_OPEN_HEADS_SYSTEM_OPERATION] = "iiitt",
    [R_DEAD_LETTERS_OPEN_HEADS_BOTH] = "iiitt",
    [R_DEAD_LETTERS_OPEN_HEADS_ALL] = "iiittt",
    [R_DEAD_LETTER_FROM] = "i",
    [R_DEAD_LETTERS_OPEN_BEFORE] = "ii",
    [R_DEAD_LETTERS_OPEN_OPERATION_BEFORE] = "iit",
    [R_DEAD_LETTERS_OPEN_CLASS_BEFORE] = "iit",
    [R_DEAD_LETTERS_OPEN_CLASS_OPERATION_BEFORE] = "iitt",
    [R_DEAD_LETTERS_OPEN_SYSTEM_BEFORE] = "iit",
    [R_DEAD_LETTERS_OPEN_SYSTEM_OPERATION_BEFORE] = "iitt",
    [R_DEAD_LETTERS_OPEN_BOTH_BEFORE] = "iitt",
    [R_DEAD_LETTERS_OPEN_ALL_BEFORE] = "iittt",
    [R_DEAD_LETTER_KEYS] = "",
    [R_DEAD_LETTERS_BY_KEY] = "t",
    [W_EXCEPTION_STATE] = "iitit",
    [W_EXCEPTION_CLOSE] = "iit",
    [R_EXCEPTION] = "t",
    [W_JOB] = "ittiittti",
    [W_JOB_STATE] = "iiiiiiiit",
    [R_JOB_LAST] = "",
    [R_JOB] = "t",
    [R_JOBS_RUNNING] = "",
    [R_JOBS_BEFORE] = "ii",
    [W_API_KEY] = "tbtti",
    [W_API_KEY_REVOKE] = "ti",
    [R_API_KEY_BY_SECRET] = "b",
    [R_API_KEYS] = "",
};

static void fill(const char *types, struct store_value *values)
{
	for (size_t i = 0; types[i]; i++)
		values[i] = types[i] == 'i' ? SV_INT(1) : types[i] == 't' ? SV_TEXT(STR("x")) : SV_BLOB(STR("\0y"));
}

static enum rc count_columns(void *ctx, const struct store_value *columns, size_t count)
{
	const struct store_sql *sql = ctx;

	(void)columns;
	assert_int_equal(count, sql->columns);
	return RC_OK;
}

static void every_statement_runs(void **state)
{
	struct place *p = *state;
	struct store_reader *r = reader(p);
	struct store_value values[STORE_VALUES_MAX];

	for (unsigned s = 0; s < STORE_STATEMENTS; s++) {
		const struct store_sql *sql = store_statement_sql(s);
		struct err e = ERR_NONE;
		enum rc rc = RC_OK;

		assert_non_null(parameter_types[s]);
		if (strlen(parameter_types[s]) != sql->parameters)
			fail_msg("%s has %d parameters", sql->name, sql->parameters);
		fill(parameter_types[s], values);
		if (sql->is_read) {
			rc = store_read(r, s, values, sql->parameters, count_columns, (void *)(uintptr_t)sql, &e);
		} else {
			BATCH(p, b);
			assert_int_equal(store_batch_add(&b, s, values, sql->parameters), RC_OK);
			rc = store_commit(p->store, &b, &e);
			p->last++;
		}
		if (rc != RC_OK)
			fail_msg("%s: %s %s", sql->name, e.code, e.detail);
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

#define CONTRACT(test, kind) cmocka_unit_test_setup_teardown(test, setup_##kind, teardown)
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
	    CONTRACT(a_serial_number_is_where_its_history_says, kind), CONTRACT(every_statement_runs, kind),           \
	    MIGRATION_TEST(kind) CONTRACT(a_tool_writes_beside_the_writer, kind),                                      \
	    CONTRACT(a_tool_creates_a_missing_store, kind), CONTRACT(readers_and_upkeep_run_beside_the_writer, kind)

int main(int argc, char **argv)
{
	const struct CMUnitTest sqlite[] = {CONTRACT_TESTS(sqlite)};
	const struct CMUnitTest postgres[] = {CONTRACT_TESTS(postgres)};
	char remove[64];
	int failed;

	(void)argc;
	postgres_url = getenv("CROSSDOCK_TEST_PG");
	if (!postgres_url) {
		execl(CD_SOURCE_DIR "/tools/with-postgres", "with-postgres", argv[0], (char *)NULL);
		perror("tools/with-postgres");
		return 1;
	}
	if (!mkdtemp(directory))
		return 1;
	failed = cmocka_run_group_tests(sqlite, NULL, NULL);
	failed += cmocka_run_group_tests(postgres, NULL, NULL);
	snprintf(remove, sizeof(remove), "rm -rf %s", directory);
	return system(remove) != 0 || failed != 0;
}
