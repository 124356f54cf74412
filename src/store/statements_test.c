/* The statements of statements.def, against every backend: that each runs, and what those say that join several rows.
 */
#include "store/test_backends.h"

/* ---- each, with what it takes ---- */

/* Types of the parameters, in order: i integer, t text, b bytes. A statement that is missing here fails the test. */
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
    [W_SERIAL_MOVE] = "ttiiitittttiiii",
    [W_SERIAL_COUNT] = "tiitttii",
    [W_SERIAL_COUNT_BACK] = "tiittt",
    [R_SERIAL_COUNTS] = "tii",
    [R_SERIAL_COUNTS_OF] = "i",
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

/* ---- serial numbers ---- */

static void put_serial_move(struct store_batch *b, int64_t movement, int64_t kind, int64_t at, int64_t state)
{
	const struct store_value none = SV_TEXT(STR(""));

	PUT(*b, W_SERIAL_MOVE, SV_TEXT(STR("TV")), SV_TEXT(STR("S1")), SV_INT(movement), SV_INT(kind), SV_INT(at),
	    SV_TEXT(STR("east")), SV_INT(state), SV_TEXT(STR("east")), none, none, none, SV_INT(0), SV_INT(0),
	    SV_INT(0), SV_INT(0));
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

	assert_int_equal(count, 15);
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

#define CONTRACT_TESTS(kind)                                                                                           \
	CONTRACT(every_statement_runs, kind), CONTRACT(a_serial_number_is_where_its_history_says, kind)

int main(int argc, char **argv)
{
	const struct CMUnitTest sqlite[] = {CONTRACT_TESTS(sqlite)};
	const struct CMUnitTest postgres[] = {CONTRACT_TESTS(postgres)};

	(void)argc;
	return backends_main(argv, sqlite, postgres, COUNT(sqlite));
}
