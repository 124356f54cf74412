/*
 * The "Online Retail" invoices (examples/online-retail) as what a distributor would make of them: orders,
 * cancellations, returns, stock corrections, and entries that are the accountant's alone. Pure; the texts point into
 * the retail's arena.
 */
#ifndef SANDBOX_RETAIL_H
#define SANDBOX_RETAIL_H

#include "base/arena.h"
#include "base/rc.h"
#include "base/str.h"

#include <stdint.h>

#define RETAIL_GUEST     "GUEST"
#define RETAIL_BYTES_MAX (64u << 20) /* of the CSV text */

/* RULE(id, name, what it does): counted by what it was applied to. docs/sandbox.md lists them. */
#define RETAIL_RULES(RULE)                                                                                             \
	RULE(RULE_ORDER, "order", "an invoice with goods is an order; United Kingdom: shop, elsewhere: portal")        \
	RULE(RULE_GUEST, "guest", "an order without a customer is the channel's walk-in customer's")                   \
	RULE(RULE_SAMPLE, "sample line", "a line at price zero among others is kept at price 0")                       \
	RULE(RULE_REPEATED, "repeated item", "an item on two lines of an order stays on two lines")                    \
	RULE(RULE_LETTER_CASE, "letter case", "a code in lower case is sent as it is; the tenant has sku_case: upper") \
	RULE(RULE_FREIGHT, "freight", "postage and carriage (POST, DOT, C2) are charges of the order")                 \
	RULE(RULE_CHARGE, "other charge", "manual, fees, samples, vouchers and the like are charges of the order")     \
	RULE(RULE_ALLOWANCE, "allowance", "a discount, or a charge below zero, is an allowance of the order")          \
	RULE(RULE_CHARGES_ONLY, "charges only", "an invoice without goods is an accounting entry")                     \
	RULE(RULE_BAD_DEBT, "bad debt", "a price below zero, or code B, is an accounting entry")                       \
	RULE(RULE_CANCEL, "cancellation", "a C invoice over all of an earlier order cancels it while it is open")      \
	RULE(RULE_RETURN_PART, "return in part", "a C invoice over a part of an earlier order returns those goods")    \
	RULE(RULE_RETURN_OTHER, "return", "a C invoice without a matching order returns its goods")                    \
	RULE(RULE_CREDIT, "credit", "a C invoice, or line of one, without goods is an accounting entry")               \
	RULE(RULE_WRITE_OFF, "write-off", "goods below zero without a C are lost: a stock correction")                 \
	RULE(RULE_FOUND, "found", "goods at price zero for nobody were found: a stock correction")

enum retail_rule {
#define RETAIL_RULE_ID(id, name, text) id,
	RETAIL_RULES(RETAIL_RULE_ID)
#undef RETAIL_RULE_ID
	    RETAIL_RULE_COUNT
};
const char *retail_rule_name(enum retail_rule rule);
const char *retail_rule_text(enum retail_rule rule);

enum retail_kind {
	RETAIL_ORDER,
	RETAIL_CANCEL,     /* of `order`, which it covers; its lines are what comes back if it is too late */
	RETAIL_RETURN,     /* lines: what comes back, positive */
	RETAIL_ADJUST,     /* lines: signed */
	RETAIL_ACCOUNTING, /* nothing for the hub */
};

struct retail_line {
	struct str sku, description; /* sku: letter case as in the data */
	struct str price;            /* decimal text with at least two places */
	int64_t quantity;
};

enum retail_charge_type { CHARGE_FREIGHT, CHARGE_OTHER, CHARGE_ALLOWANCE };

struct retail_charge {
	enum retail_charge_type type;
	struct str code, description;
	struct str amount; /* decimal text, two places, not negative */
};

struct retail_document {
	enum retail_kind kind;
	struct str invoice, customer; /* customer: RETAIL_GUEST if there was none */
	struct str country;           /* ISO 3166-1 alpha-2; empty if the data does not say */
	const char *channel;          /* "shop" or "portal" */
	int64_t placed_at;
	int32_t order; /* index of the order that is cancelled or returned, -1: none */
	size_t line_count, charge_count;
	struct retail_line *lines;
	struct retail_charge *charges;
};

struct retail {
	struct arena arena;
	size_t count;
	struct retail_document *documents; /* in order of time */
	int64_t applied[RETAIL_RULE_COUNT];
};

/* A .csv, or a .csv.zst whose frame has the size. RC_IO "cannot_read"; RC_INVALID with the line. */
enum rc retail_load(struct retail *r, const char *path, struct err *e) MUST_CHECK;
/* The text may go away. After a failure there is nothing to free. */
enum rc retail_parse(struct retail *r, struct str text, struct err *e) MUST_CHECK;
void retail_done(struct retail *r);

/* Codes that are not goods: "POST", "M", "gift_0001_20" ... */
bool retail_is_charge(struct str code);

/* The canonical order (schemas/order/v1.json). suffix goes behind the invoice number in external_id; may be "". */
struct buf;
void retail_write_order(struct buf *out, const struct retail_document *d, const char *suffix);

#endif
