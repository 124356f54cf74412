/* Dead letters: one, and lists of them by every filter. */
#include "hub/query_world.h"

#include "hub/query_repair.h"

static void put_dead_letter(struct writing *w, int64_t seq, const char *id, const char *class_, struct str payload)
{
	PUT(w, W_DEAD_LETTER, SV_INT(seq), SV_TEXT(str_from(id)), SV_INT(5), SV_TEXT(str_from(class_)),
	    SV_TEXT(STR("shop")), SV_INT(seq), SV_NULL, SV_TEXT(STR("c")), SV_TEXT(STR("The field /lines is missing.")),
	    SV_INT(seq - 1), SV_NULL, SV_NULL, payload.n ? SV_BLOB(payload) : SV_NULL, SV_NULL, SV_NULL);
}

static void test_dead_letters(void **state)
{
	const struct query_page page = {.limit = 10};
	struct writing w;
	struct str packed;
	(void)state;

	write_begin(&w);
	assert_int_equal(compress(&world.arena, STR("{\"id\":\"sent\"}"), &packed), RC_OK);
	PUT(&w, W_INBOX, SV_INT(1), SV_INT(1), SV_TEXT(STR("message")), SV_TEXT(STR("shop")), SV_TEXT(STR("order")),
	    SV_TEXT(STR("c")), SV_NULL, SV_NULL, SV_INT(1), SV_TEXT(STR("authorization: hidden")), SV_BLOB(packed),
	    SV_INT(FATE_DEAD), SV_NULL, SV_NULL, SV_NULL, SV_NULL, SV_NULL);
	put_dead_letter(&w, 1, "open", "mapping", STR_NONE);
	put_dead_letter(&w, 2, "replayed", "validation", STR("\xff\xfe"));
	write_end(&w);
	world_open();

	const struct json *j = ASK(query_dead_letter, STR("open"));
	check(j, "status", "open");
	check(j, "kind", "message");
	check(j, "message/payload", "{\"id\":\"sent\"}");
	assert_null(json_get(json_get(j, "message"), "headers"));
	j = ASK(query_dead_letter, STR("replayed"));
	check(j, "payload_base64", "//4=");
	check(j, "status", "replayed");
	assert_null(json_get(j, "message")); /* retention has taken it away */
	j = ASK(query_dead_letters, &(struct query_dead_letters){.system = STR("shop"), .class_ = STR("mapping")},
		&page);
	assert_int_equal(json_get(j, "items")->count, 1);
	check(j, "items/0/id", "open");
	j = ASK(query_dead_letters, &(struct query_dead_letters){.system = STR("erp")}, &page);
	assert_int_equal(json_get(j, "items")->count, 0);
	j = ASK(query_overview);
	check(j, "dead_letters_open", "1");
}

/* Systems, classes, times, states and operations of dead letters 1, 2, ... */
static const struct {
	const char *system, *class_;
	int64_t at;
	int status;
	const char *operation; /* empty: of a message */
} dead[] = {{"shop", "mapping", 1000, 0, ""},
	    {"erp", "technical", 2000, 0, "order.post"},
	    {"erp", "unknown", 3000, 0, "order.post"},
	    {"erp", "technical", 3000, 1, "order.post"},
	    {NULL, "mapping", 4000, 0, ""},
	    {"erp", "technical", 5000, 0, "order.cancel"},
	    {"shop", "technical", 6000, 0, "order.post"},
	    {"shop", "mapping", 7000, 2, ""}};

static enum rc note_seq(void *ctx, const struct store_value *row, size_t count)
{
	(void)count;
	buf_printf(ctx, "%lld ", (long long)row[0].integer);
	return RC_OK;
}

static void write_dead(void)
{
	struct writing w;

	write_begin(&w);
	for (size_t i = 0; i < COUNT(dead); i++) {
		const char *id = arena_printf(&world.arena, "d%zu", i + 1);

		PUT(&w, W_DEAD_LETTER, SV_INT((int64_t)i + 1), SV_TEXT(str_from(id)), SV_INT(dead[i].at),
		    SV_TEXT(str_from(dead[i].class_)), dead[i].system ? SV_TEXT(str_from(dead[i].system)) : SV_NULL,
		    SV_NULL, SV_NULL, SV_TEXT(STR("c")), SV_TEXT(STR("why")), SV_INT(dead[i].status), SV_NULL, SV_NULL,
		    SV_NULL, SV_NULL, SV_TEXT_OPT(str_from(dead[i].operation)));
	}
	write_end(&w);
}

/* What fits is found from its index, and counted, with any bounds. */
static void test_dead_letters_by_filter(void **state)
{
	static const struct {
		const char *system, *class_, *operation;
		int64_t from, to, after, through;
		uint32_t max;
		const char *found;
	} cases[] = {
	    {"", "", "", 0, 0, 0, INT64_MAX, 100, "1 2 3 5 6 7 "},
	    {"", "", "", 0, 0, 2, 6, 100, "3 5 6 "},
	    {"", "", "", 0, 0, 0, INT64_MAX, 2, "1 2 "},
	    {"erp", "", "", 0, 0, 0, INT64_MAX, 100, "2 3 6 "},
	    {"erp", "", "", 0, 0, 2, INT64_MAX, 1, "3 "},
	    {"", "technical", "", 0, 0, 0, INT64_MAX, 100, "2 6 7 "},
	    {"erp", "technical", "", 0, 0, 0, INT64_MAX, 100, "2 6 "},
	    {"erp", "technical", "", 0, 0, 2, 5, 100, ""},
	    {"", "", "", 3000, 0, 0, INT64_MAX, 100, "3 5 6 7 "},
	    {"", "", "", 2500, 5000, 0, INT64_MAX, 100, "3 5 "},
	    {"erp", "", "", 2000, 3000, 0, INT64_MAX, 100, "2 "},
	    {"", "", "", 9000, 0, 0, INT64_MAX, 100, ""},
	    {"", "mapping", "", 0, 1001, 0, INT64_MAX, 100, "1 "},
	    {"wms", "", "", 0, 0, 0, INT64_MAX, 100, ""},
	    {"", "", "order.post", 0, 0, 0, INT64_MAX, 100, "2 3 7 "},
	    {"", "", "order.post", 0, 0, 2, 6, 100, "3 "},
	    {"erp", "", "order.post", 0, 0, 0, INT64_MAX, 100, "2 3 "},
	    {"", "technical", "order.post", 0, 0, 0, INT64_MAX, 100, "2 7 "},
	    {"erp", "technical", "order.post", 0, 0, 0, INT64_MAX, 100, "2 "},
	    {"erp", "", "order.post", 2500, 0, 0, INT64_MAX, 100, "3 "},
	    {"", "", "price", 0, 0, 0, INT64_MAX, 100, ""},
	};
	(void)state;

	write_dead();
	world_open();
	struct query q = {world.hub, world.reader, &world.arena};
	struct err e = ERR_NONE;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct dead_letter_filter f = {str_from(cases[i].system), str_from(cases[i].class_),
						     str_from(cases[i].operation), cases[i].from, cases[i].to};
		int64_t count, through;
		struct buf seqs;
		size_t n = 0;

		buf_init(&seqs, 1000);
		assert_int_equal(
		    dead_letters_read(&q, &f, cases[i].after, cases[i].through, cases[i].max, note_seq, &seqs, &e),
		    RC_OK);
		if (!str_eq(buf_str(&seqs), str_from(cases[i].found)))
			fail_msg("case %zu: " STR_FMT, i, STR_ARG(buf_str(&seqs)));
		for (size_t j = 0; j < seqs.n; j++)
			n += seqs.p[j] == ' ';
		assert_int_equal(dead_letters_count(&q, &f, &count, &through, &e), RC_OK);
		if (!cases[i].after && cases[i].max == 100)
			assert_int_equal(count, n);
		buf_done(&seqs);
	}
}

/* By the same indexes, the newest first, two at once. */
static void test_lists_of_dead_letters(void **state)
{
	const struct query_page page = {.limit = 2};
	static const struct {
		struct query_dead_letters by;
		int first, second; /* 0: there is none */
	} cases[] = {
	    {{.system = STR("erp"), .status = STR("open")}, 6, 3},
	    {{.system = STR("erp"), .class_ = STR("technical"), .status = STR("open")}, 6, 2},
	    {{.class_ = STR("mapping"), .status = STR("open")}, 5, 1},
	    {{.operation = STR("order.post"), .status = STR("open")}, 7, 3},
	    {{.system = STR("erp"), .operation = STR("order.post"), .status = STR("open")}, 3, 2},
	    {{.class_ = STR("technical"), .operation = STR("order.post"), .status = STR("open")}, 7, 2},
	    {{STR("shop"), STR("technical"), STR("order.post"), STR("open")}, 7, 0},
	    {{.operation = STR("order.post")}, 7, 4}, /* the closed ones as well */
	};
	(void)state;

	write_dead();
	world_open();
	for (size_t i = 0; i < COUNT(cases); i++) {
		const int found[] = {cases[i].first, cases[i].second};
		const struct json *items = json_get(ASK(query_dead_letters, &cases[i].by, &page), "items");

		assert_int_equal(items->count, cases[i].second ? 2 : 1);
		for (uint32_t n = 0; n < items->count; n++) {
			check(&items->items[n], "id", world_text("d%d", found[n]));
			check(&items->items[n], "operation", dead[found[n] - 1].operation);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    QUERY_TEST(test_dead_letters),
	    QUERY_TEST(test_dead_letters_by_filter),
	    QUERY_TEST(test_lists_of_dead_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
