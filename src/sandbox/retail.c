/*
 * What a distributor makes of an invoice. An invoice is taken apart into goods and charges, then one of the rules of
 * RETAIL_RULES decides what it is:
 *
 *     C...                          goods: cancellation of the newest earlier order of that customer that has exactly
 * these goods, else a return (of the newest that has at least these, or of none) no goods: a credit note, the
 * accountant's price below zero, or code B   bad debt, the accountant's no goods                      the accountant's
 *     quantities below zero         a write-off: stock correction downwards
 *     all goods at price zero and   found goods: stock correction upwards
 *       no customer
 *     else                          an order
 *
 * A cancellation takes its order out: a second one cannot have it again. What never happens in the data (goods above
 * and below zero in one invoice) is refused, so that nothing is dropped in silence.
 */
#include "sandbox/retail.h"

#include "base/buf.h"
#include "base/decimal.h"
#include "base/mem.h"
#include "sandbox/retail_read.h"

#include <string.h>
#include <strings.h>

static const struct {
	const char *name, *text;
} rules[] = {
#define RETAIL_RULE_ROW(id, name, text) {name, text},
    RETAIL_RULES(RETAIL_RULE_ROW)
#undef RETAIL_RULE_ROW
};

const char *retail_rule_name(enum retail_rule rule)
{
	return rules[rule].name;
}

const char *retail_rule_text(enum retail_rule rule)
{
	return rules[rule].text;
}

static const struct {
	const char *code;
	enum retail_charge_type type;
} charge_codes[] = {
    {"POST", CHARGE_FREIGHT},    {"DOT", CHARGE_FREIGHT}, {"C2", CHARGE_FREIGHT}, {"M", CHARGE_OTHER},
    {"D", CHARGE_ALLOWANCE},     {"S", CHARGE_OTHER},     {"B", CHARGE_OTHER},    {"BANK CHARGES", CHARGE_OTHER},
    {"AMAZONFEE", CHARGE_OTHER}, {"CRUK", CHARGE_OTHER},  {"PADS", CHARGE_OTHER},
};

static bool charge_type(struct str code, enum retail_charge_type *type)
{
	*type = CHARGE_OTHER;
	if (code.n > 5 && strncasecmp(code.p, "gift_", 5) == 0)
		return true;
	for (size_t i = 0; i < sizeof(charge_codes) / sizeof(charge_codes[0]); i++) {
		if (strlen(charge_codes[i].code) == code.n && strncasecmp(charge_codes[i].code, code.p, code.n) == 0) {
			*type = charge_codes[i].type;
			return true;
		}
	}
	return false;
}

bool retail_is_charge(struct str code)
{
	enum retail_charge_type type;
	return charge_type(code, &type);
}

static bool same_code(struct str a, struct str b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

static bool has_lower_case(struct str code)
{
	for (size_t i = 0; i < code.n; i++)
		if (code.p[i] >= 'a' && code.p[i] <= 'z')
			return true;
	return false;
}

/* Quantity times price, two places, its sign in *negative. */
static enum rc charge_amount(struct arena *a, const struct raw_line *line, struct str *amount, bool *negative)
{
	struct decimal d;
	enum rc rc = decimal_mul((struct decimal){line->quantity, 0}, line->price, &d);
	if (rc == RC_OK)
		rc = decimal_rescale(d, 2, DECIMAL_HALF_UP, &d);
	if (rc)
		return rc;
	*negative = d.units < 0;
	if (*negative)
		d.units = -d.units;
	char text[DECIMAL_TEXT_MAX];
	size_t n = decimal_format(d, text);
	*amount = arena_copy(a, (struct str){text, n});
	return amount->p ? RC_OK : RC_LIMIT;
}

struct parts {
	size_t goods, charges, up, down, priced, bad_debt;
};

static struct parts count_parts(const struct raw_line *lines, size_t count)
{
	struct parts p = {0};
	for (size_t i = 0; i < count; i++) {
		if (lines[i].price.units < 0 || same_code(lines[i].code, STR("B")))
			p.bad_debt++;
		if (retail_is_charge(lines[i].code)) {
			p.charges++;
			continue;
		}
		p.goods++;
		p.up += lines[i].quantity > 0;
		p.down += lines[i].quantity < 0;
		p.priced += lines[i].price.units != 0;
	}
	return p;
}

static enum rc take_apart(struct arena *a, const struct raw_line *lines, size_t count, const struct parts *p,
			  struct retail_document *d)
{
	d->lines = arena_array(a, struct retail_line, p->goods);
	d->charges = arena_array(a, struct retail_charge, p->charges);
	if (!d->lines || !d->charges)
		return RC_LIMIT;
	for (size_t i = 0; i < count; i++) {
		const struct raw_line *l = &lines[i];
		enum retail_charge_type type;
		if (!charge_type(l->code, &type)) {
			d->lines[d->line_count++] =
			    (struct retail_line){l->code, l->description, l->price_text, l->quantity};
			continue;
		}
		struct retail_charge *c = &d->charges[d->charge_count++];
		*c = (struct retail_charge){.type = type, .code = l->code, .description = l->description};
		bool negative;
		enum rc rc = charge_amount(a, l, &c->amount, &negative);
		if (rc)
			return rc;
		if (negative)
			c->type = CHARGE_ALLOWANCE;
	}
	return RC_OK;
}

static int64_t units_of(const struct retail_document *d, struct str sku)
{
	int64_t sum = 0;
	for (size_t i = 0; i < d->line_count; i++)
		if (same_code(d->lines[i].sku, sku))
			sum += d->lines[i].quantity;
	return sum;
}

/* The order has at least these goods; *whole: it has exactly these. */
static bool covers(const struct retail_document *order, const struct retail_document *goods, bool *whole)
{
	*whole = true;
	for (size_t i = 0; i < goods->line_count; i++) {
		int64_t back = units_of(goods, goods->lines[i].sku), had = units_of(order, goods->lines[i].sku);
		if (had < back)
			return false;
		if (had != back)
			*whole = false;
	}
	for (size_t i = 0; *whole && i < order->line_count; i++)
		*whole = units_of(goods, order->lines[i].sku) > 0;
	return true;
}

/* An exact match goes before a newer one that has more. */
static void find_cancelled(const struct retail *r, struct retail_document *d, const bool *gone)
{
	bool whole = false;
	d->kind = RETAIL_RETURN;
	if (str_is(d->customer, RETAIL_GUEST))
		return;
	for (size_t i = r->count; i-- > 0;) {
		const struct retail_document *o = &r->documents[i];
		if (o->kind != RETAIL_ORDER || gone[i] || !str_eq(o->customer, d->customer) || !covers(o, d, &whole))
			continue;
		if (whole) {
			d->kind = RETAIL_CANCEL;
			d->order = (int32_t)i;
			return;
		}
		if (d->order < 0)
			d->order = (int32_t)i;
	}
}

static void count_order(struct retail *r, const struct retail_document *d)
{
	r->applied[RULE_ORDER]++;
	r->applied[RULE_GUEST] += str_is(d->customer, RETAIL_GUEST);
	for (size_t i = 0; i < d->line_count; i++) {
		const struct retail_line *l = &d->lines[i];
		struct decimal price;
		r->applied[RULE_SAMPLE] += decimal_parse(l->price, &price, NULL) == RC_OK && price.units == 0;
		r->applied[RULE_LETTER_CASE] += has_lower_case(l->sku);
		for (size_t j = 0; j < i; j++) {
			if (same_code(d->lines[j].sku, l->sku)) {
				r->applied[RULE_REPEATED]++;
				break;
			}
		}
	}
	for (size_t i = 0; i < d->charge_count; i++) {
		switch (d->charges[i].type) {
		case CHARGE_FREIGHT:
			r->applied[RULE_FREIGHT]++;
			break;
		case CHARGE_OTHER:
			r->applied[RULE_CHARGE]++;
			break;
		case CHARGE_ALLOWANCE:
			r->applied[RULE_ALLOWANCE]++;
			break;
		}
	}
}

static void decide_credit(struct retail *r, struct retail_document *d, bool *gone)
{
	r->applied[RULE_CREDIT] += d->line_count == 0 || d->charge_count > 0;
	if (d->line_count == 0) {
		d->kind = RETAIL_ACCOUNTING;
		return;
	}
	for (size_t i = 0; i < d->line_count; i++)
		d->lines[i].quantity = -d->lines[i].quantity;
	find_cancelled(r, d, gone);
	if (d->kind == RETAIL_CANCEL) {
		gone[d->order] = true;
		r->applied[RULE_CANCEL]++;
	} else {
		r->applied[d->order >= 0 ? RULE_RETURN_PART : RULE_RETURN_OTHER]++;
	}
}

static void decide(struct retail *r, const struct parts *p, bool guest, struct retail_document *d, bool *gone)
{
	if (d->invoice.p[0] == 'C') {
		decide_credit(r, d, gone);
	} else if (p->bad_debt > 0) {
		d->kind = RETAIL_ACCOUNTING;
		r->applied[RULE_BAD_DEBT]++;
	} else if (p->goods == 0) {
		d->kind = RETAIL_ACCOUNTING;
		r->applied[RULE_CHARGES_ONLY]++;
	} else if (p->down > 0) {
		d->kind = RETAIL_ADJUST;
		r->applied[RULE_WRITE_OFF]++;
	} else if (guest && p->priced == 0 && p->charges == 0) {
		d->kind = RETAIL_ADJUST;
		r->applied[RULE_FOUND]++;
	} else {
		d->kind = RETAIL_ORDER;
		count_order(r, d);
	}
}

static enum rc add_invoice(struct retail *r, const struct raw *raw, const struct raw_invoice *invoice, bool *gone,
			   struct err *e)
{
	const struct raw_line *lines = &raw->lines[invoice->first_line];
	struct parts p = count_parts(lines, invoice->line_count);
	bool credit = invoice->number.p[0] == 'C';
	if (credit ? p.up > 0 : p.up > 0 && p.down > 0)
		return err_set_at(e, RC_INVALID, "invalid_data", "Quantity",
				  "Invoice " STR_FMT " has goods above and below zero.", STR_ARG(invoice->number));
	struct retail_document *d = &r->documents[r->count];
	bool guest = invoice->customer.n == 0;
	*d = (struct retail_document){.invoice = invoice->number,
				      .customer = guest ? STR(RETAIL_GUEST) : invoice->customer,
				      .country = invoice->country,
				      .channel = invoice->domestic ? "shop" : "portal",
				      .placed_at = invoice->placed_at,
				      .order = -1};
	enum rc rc = take_apart(&r->arena, lines, invoice->line_count, &p, d);
	if (rc)
		return err_set(e, rc, "data_too_large", "The charges of invoice " STR_FMT " do not fit.",
			       STR_ARG(invoice->number));
	decide(r, &p, guest, d, gone);
	r->count++;
	return RC_OK;
}

enum rc retail_parse(struct retail *r, struct str text, struct err *e)
{
	*r = (struct retail){0};
	arena_init(&r->arena, (size_t)RETAIL_BYTES_MAX * 8);
	struct raw raw;
	bool *gone = NULL;
	enum rc rc = raw_read(&raw, &r->arena, text, e);
	if (rc)
		goto done;
	r->documents = arena_array(&r->arena, struct retail_document, raw.invoice_count);
	if (!r->documents) {
		rc = err_set(e, RC_LIMIT, "data_too_large", "The data file is larger than the reader allows.");
		goto done;
	}
	gone = mem_zalloc(raw.invoice_count, sizeof(*gone));
	for (size_t i = 0; rc == RC_OK && i < raw.invoice_count; i++)
		rc = add_invoice(r, &raw, &raw.invoices[i], gone, e);
done:
	free(gone);
	if (rc)
		retail_done(r);
	return rc;
}

enum rc retail_load(struct retail *r, const char *path, struct err *e)
{
	struct arena a;
	arena_init(&a, (size_t)RETAIL_BYTES_MAX + 4096);
	struct str text;
	enum rc rc = raw_load(path, &a, &text, e);
	if (rc == RC_OK)
		rc = retail_parse(r, text, e);
	arena_done(&a);
	return rc;
}

void retail_done(struct retail *r)
{
	arena_done(&r->arena);
	*r = (struct retail){0};
}
