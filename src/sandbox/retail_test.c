#include "sandbox/retail.h"

#include "base/buf.h"
#include "format/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define HEAD "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
#define UK   "United Kingdom\n"

static struct retail parsed(const char *text)
{
	struct retail r;
	struct err e = ERR_NONE;
	assert_int_equal(retail_parse(&r, str_from(text), &e), RC_OK);
	return r;
}

/* What the last invoice of the text becomes, and the rules that applied to all of it (a zero ends the list). */
static const struct {
	const char *lines;
	enum retail_kind kind;
	int32_t order;
	size_t line_count, charge_count;
	const char *channel, *customer, *country;
	struct {
		enum retail_rule rule;
		int64_t count;
	} applied[5];
} oddities[] = {
    {"1,85123A,HEART,6,2011-09-05 08:26:00,2.55,17850.0," UK,
     RETAIL_ORDER,
     -1,
     1,
     0,
     "shop",
     "17850",
     "GB",
     {{RULE_ORDER, 1}}},
    {"1,85123A,HEART,6,2011-09-05 08:26:00,2.55,12583.0,France\n",
     RETAIL_ORDER,
     -1,
     1,
     0,
     "portal",
     "12583",
     "FR",
     {{RULE_ORDER, 1}}},
    {"1,85123A,HEART,6,2011-09-05 08:26:00,2.55,1.0,Unspecified\n",
     RETAIL_ORDER,
     -1,
     1,
     0,
     "portal",
     "1",
     "",
     {{RULE_ORDER, 1}}},
    {"1,A1,HEART,6,2011-09-05 08:26:00,2.55,," UK,
     RETAIL_ORDER,
     -1,
     1,
     0,
     "shop",
     "GUEST",
     "GB",
     {{RULE_ORDER, 1}, {RULE_GUEST, 1}}},
    {"1,A1,X,6,2011-09-05 08:26:00,0.0,5.0," UK "1,A2,X,1,2011-09-05 08:26:00,1.0,5.0," UK,
     RETAIL_ORDER,
     -1,
     2,
     0,
     "shop",
     "5",
     "GB",
     {{RULE_ORDER, 1}, {RULE_SAMPLE, 1}}},
    {"1,a1,X,6,2011-09-05 08:26:00,1.0,5.0," UK "1,A1,X,1,2011-09-05 08:26:00,1.0,5.0," UK,
     RETAIL_ORDER,
     -1,
     2,
     0,
     "shop",
     "5",
     "GB",
     {{RULE_ORDER, 1}, {RULE_REPEATED, 1}, {RULE_LETTER_CASE, 1}}},
    {"1,A1,X,6,2011-09-05 08:26:00,1.0,5.0," UK "1,POST,POSTAGE,2,2011-09-05 08:26:00,18.0,5.0," UK
     "1,m,Manual,1,2011-09-05 08:26:00,3.0,5.0," UK "1,D,Discount,1,2011-09-05 08:26:00,1.5,5.0," UK
     "1,gift_0001_20,Voucher,1,2011-09-05 08:26:00,17.02,5.0," UK,
     RETAIL_ORDER,
     -1,
     1,
     4,
     "shop",
     "5",
     "GB",
     {{RULE_ORDER, 1}, {RULE_FREIGHT, 1}, {RULE_CHARGE, 2}, {RULE_ALLOWANCE, 1}}},
    {"1,POST,POSTAGE,1,2011-09-05 08:26:00,18.0,5.0," UK,
     RETAIL_ACCOUNTING,
     -1,
     0,
     1,
     "shop",
     "5",
     "GB",
     {{RULE_CHARGES_ONLY, 1}}},
    {"A1,B,Adjust bad debt,1,2011-08-12 08:26:00,-11062.06,," UK,
     RETAIL_ACCOUNTING,
     -1,
     0,
     1,
     "shop",
     "GUEST",
     "GB",
     {{RULE_BAD_DEBT, 1}}},
    {"A1,B,Adjust bad debt,1,2011-08-12 08:26:00,11062.06,," UK,
     RETAIL_ACCOUNTING,
     -1,
     0,
     1,
     "shop",
     "GUEST",
     "GB",
     {{RULE_BAD_DEBT, 1}}},
    {"1,A1,damages,-7,2011-09-05 08:26:00,0.0,," UK,
     RETAIL_ADJUST,
     -1,
     1,
     0,
     "shop",
     "GUEST",
     "GB",
     {{RULE_WRITE_OFF, 1}}},
    {"1,A1,Found,53,2011-09-05 08:26:00,0.0,," UK, RETAIL_ADJUST, -1, 1, 0, "shop", "GUEST", "GB", {{RULE_FOUND, 1}}},
    {"1,A1,X,6,2011-09-05 08:26:00,1.0,5.0," UK "C2,A1,X,-6,2011-09-05 08:26:00,1.0,5.0," UK,
     RETAIL_CANCEL,
     0,
     1,
     0,
     "shop",
     "5",
     "GB",
     {{RULE_ORDER, 1}, {RULE_CANCEL, 1}}},
    {"1,A1,X,6,2011-09-05 08:26:00,1.0,5.0," UK "C2,A1,X,-4,2011-09-05 08:26:00,1.0,5.0," UK,
     RETAIL_RETURN,
     0,
     1,
     0,
     "shop",
     "5",
     "GB",
     {{RULE_RETURN_PART, 1}}},
    {"1,A1,X,6,2011-09-05 08:26:00,1.0,6.0," UK "C2,A1,X,-6,2011-09-05 08:26:00,1.0,5.0," UK,
     RETAIL_RETURN,
     -1,
     1,
     0,
     "shop",
     "5",
     "GB",
     {{RULE_RETURN_OTHER, 1}}},
    /* The exact order, though a newer one has more. */
    {"1,A1,X,6,2011-09-05 08:26:00,1.0,5.0," UK "2,A1,X,9,2011-09-05 08:26:00,1.0,5.0," UK
     "C3,a1,X,-6,2011-09-05 08:26:00,1.0,5.0," UK,
     RETAIL_CANCEL,
     0,
     1,
     0,
     "shop",
     "5",
     "GB",
     {{RULE_CANCEL, 1}}},
    /* The newest of two that are the same. */
    {"1,A1,X,6,2011-09-05 08:26:00,1.0,5.0," UK "2,A1,X,6,2011-09-05 08:26:00,1.0,5.0," UK
     "C3,A1,X,-6,2011-09-05 08:26:00,1.0,5.0," UK,
     RETAIL_CANCEL,
     1,
     1,
     0,
     "shop",
     "5",
     "GB",
     {{RULE_CANCEL, 1}}},
    /* An order can be cancelled once. */
    {"1,A1,X,6,2011-09-05 08:26:00,1.0,5.0," UK "C2,A1,X,-6,2011-09-05 08:26:00,1.0,5.0," UK
     "C3,A1,X,-6,2011-09-05 08:26:00,1.0,5.0," UK,
     RETAIL_RETURN,
     -1,
     1,
     0,
     "shop",
     "5",
     "GB",
     {{RULE_CANCEL, 1}, {RULE_RETURN_OTHER, 1}}},
    /* Two lines of one item are cancelled as one. */
    {"1,A1,X,4,2011-09-05 08:26:00,1.0,5.0," UK "1,A1,X,2,2011-09-05 08:26:00,1.0,5.0," UK
     "C2,A1,X,-6,2011-09-05 08:26:00,1.0,5.0," UK,
     RETAIL_CANCEL,
     0,
     1,
     0,
     "shop",
     "5",
     "GB",
     {{RULE_CANCEL, 1}, {RULE_REPEATED, 1}}},
    {"C2,D,Discount,-1,2011-09-05 08:26:00,27.5,5.0," UK,
     RETAIL_ACCOUNTING,
     -1,
     0,
     1,
     "shop",
     "5",
     "GB",
     {{RULE_CREDIT, 1}}},
    /* Guests are nobody: their orders are not theirs to cancel. */
    {"1,A1,X,6,2011-09-05 08:26:00,1.0,," UK "C2,A1,X,-6,2011-09-05 08:26:00,1.0,," UK,
     RETAIL_RETURN,
     -1,
     1,
     0,
     "shop",
     "GUEST",
     "GB",
     {{RULE_RETURN_OTHER, 1}}},
};

static void each_oddity_becomes_what_a_distributor_wants(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(oddities) / sizeof(oddities[0]); i++) {
		char text[2048];
		(void)snprintf(text, sizeof(text), HEAD "%s", oddities[i].lines);
		struct retail r = parsed(text);
		const struct retail_document *d = &r.documents[r.count - 1];
		assert_int_equal(d->kind, oddities[i].kind);
		assert_int_equal(d->order, oddities[i].order);
		assert_int_equal(d->line_count, oddities[i].line_count);
		assert_int_equal(d->charge_count, oddities[i].charge_count);
		assert_string_equal(d->channel, oddities[i].channel);
		assert_true(str_is(d->customer, oddities[i].customer));
		assert_true(str_is(d->country, oddities[i].country));
		for (size_t j = 0; j < 5 && oddities[i].applied[j].count; j++)
			assert_int_equal(r.applied[oddities[i].applied[j].rule], oddities[i].applied[j].count);
		retail_done(&r);
	}
}

static void quantities_are_signed_as_the_movement_wants_them(void **state)
{
	(void)state;
	struct retail r =
	    parsed(HEAD "1,A1,lost,-7,2011-09-05 08:26:00,0.0,," UK "2,A1,found,7,2011-09-05 08:26:00,0.0,," UK
			"C3,A1,back,-7,2011-09-05 08:26:00,1.0,," UK);
	assert_int_equal(r.documents[0].lines[0].quantity, -7);
	assert_int_equal(r.documents[1].lines[0].quantity, 7);
	assert_int_equal(r.documents[2].lines[0].quantity, 7);
	retail_done(&r);
}

static void an_order_is_written_as_the_schema_has_it(void **state)
{
	(void)state;
	struct retail r =
	    parsed(HEAD "536365,15056bl,\"EDWARDIAN, \"\"PARASOL\"\"\",6,2010-12-01 08:26:00,5.9,17850.0," UK
			"536365,DOT,DOTCOM POSTAGE,3,2010-12-01 08:26:00,1.255,17850.0," UK
			"536365,D,Discount,-2,2010-12-01 08:26:00,1.5,17850.0," UK
			"536365,85123A,HEART,2,2010-12-01 08:26:00,0.0,17850.0," UK);
	struct buf out;
	buf_init(&out, 4096);
	retail_write_order(&out, &r.documents[0], "-2");
	assert_true(buf_ok(&out));
	assert_string_equal(
	    out.p, "{\"channel\":\"shop\",\"external_id\":\"536365-2\",\"placed_at\":\"2010-12-01T08:26:00.000Z\","
		   "\"currency\":\"GBP\",\"customer\":{\"external_id\":\"17850\"},"
		   "\"parties\":{\"ship_to\":{\"address\":{\"country\":\"GB\"}}},"
		   "\"charges\":[{\"code\":\"DOT\",\"description\":\"DOTCOM POSTAGE\",\"amount\":\"3.77\"}],"
		   "\"allowances\":[{\"code\":\"D\",\"description\":\"Discount\",\"amount\":\"3.00\"}],"
		   "\"lines\":[{\"line_id\":\"1\",\"sku\":\"15056bl\",\"description\":\"EDWARDIAN, \\\"PARASOL\\\"\","
		   "\"quantity\":\"6\",\"uom\":\"EA\",\"unit_price\":\"5.90\"},"
		   "{\"line_id\":\"2\",\"sku\":\"85123A\",\"description\":\"HEART\",\"quantity\":\"2\",\"uom\":\"EA\","
		   "\"unit_price\":\"0.00\"}]}");
	buf_done(&out);
	retail_done(&r);
}

static void refuses_what_it_does_not_understand(void **state)
{
	static const struct {
		const char *text, *where;
	} cases[] = {
	    {"", "line 1"},
	    {"a,b\n", "line 1"},
	    {HEAD "1,A1,X,six,2011-09-05 08:26:00,1.0,5.0," UK, "line 2"},
	    {HEAD "1,A1,X,0,2011-09-05 08:26:00,1.0,5.0," UK, "line 2"},
	    {HEAD "1,A1,X,1.5,2011-09-05 08:26:00,1.0,5.0," UK, "line 2"},
	    {HEAD "1,A1,X,6,05/09/2011,1.0,5.0," UK, "line 2"},
	    {HEAD "1,A1,X,6,2011-09-05 08:26:00,cheap,5.0," UK, "line 2"},
	    {HEAD "1,A1,X,6,2011-09-05 08:26:00,1.0,5.0\n", "line 2"},
	    {HEAD ",A1,X,6,2011-09-05 08:26:00,1.0,5.0," UK, "line 2"},
	    {HEAD "1,A1,X,6,2011-09-05 08:26:00,1.0,5.0," UK "1,A2,X,-6,2011-09-05 08:26:00,1.0,5.0," UK, "Quantity"},
	    {HEAD "C1,A1,X,6,2011-09-05 08:26:00,1.0,5.0," UK, "Quantity"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct retail r;
		struct err e = ERR_NONE;
		assert_int_equal(retail_parse(&r, str_from(cases[i].text), &e), RC_INVALID);
		assert_string_equal(e.where, cases[i].where);
	}
}

static void the_example_has_every_oddity(void **state)
{
	(void)state;
	struct retail r;
	struct err e = ERR_NONE;
	assert_int_equal(retail_load(&r, CD_SOURCE_DIR "/examples/online-retail/orders.csv.zst", &e), RC_OK);
	assert_int_equal(r.count, 3817);
	for (size_t i = 0; i < RETAIL_RULE_COUNT; i++) {
		print_message("%6lld  %s\n", (long long)r.applied[i], retail_rule_name((enum retail_rule)i));
		/* Discounts stand in C invoices only. */
		assert_int_equal(r.applied[i] > 0, i != RULE_ALLOWANCE);
	}
	int64_t documents = r.applied[RULE_ORDER] + r.applied[RULE_CHARGES_ONLY] + r.applied[RULE_BAD_DEBT] +
			    r.applied[RULE_CANCEL] + r.applied[RULE_RETURN_PART] + r.applied[RULE_RETURN_OTHER] +
			    r.applied[RULE_WRITE_OFF] + r.applied[RULE_FOUND];
	int64_t credits = 0;
	for (size_t i = 0; i < r.count; i++) {
		assert_true(i == 0 || r.documents[i].placed_at >= r.documents[i - 1].placed_at - 3600000);
		credits += r.documents[i].kind == RETAIL_ACCOUNTING && r.documents[i].invoice.p[0] == 'C';
	}
	assert_int_equal(documents + credits, r.count);
	retail_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_oddity_becomes_what_a_distributor_wants),
	    cmocka_unit_test(quantities_are_signed_as_the_movement_wants_them),
	    cmocka_unit_test(an_order_is_written_as_the_schema_has_it),
	    cmocka_unit_test(refuses_what_it_does_not_understand),
	    cmocka_unit_test(the_example_has_every_oddity),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
