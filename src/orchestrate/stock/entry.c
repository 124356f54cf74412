#include "orchestrate/stock/entry.h"

const char *stock_state_name(enum stock_state s)
{
	static const char *const names[] = {"free",    "held",       "allocated", "picked",    "quarantined",
					    "damaged", "in_transit", "on_order",  "returning", "outside"};

	return names[s];
}

#define CHAINED  0x80 /* of from */
#define NEW_LINE 0x80 /* of to */

bool stock_state_on_hand(enum stock_state s)
{
	return s <= STOCK_DAMAGED;
}

static void pack_varint(struct buf *out, uint64_t v)
{
	while (v >= 0x80) {
		buf_add_char(out, (char)(0x80 | (v & 0x7f)));
		v >>= 7;
	}
	buf_add_char(out, (char)v);
}

static void pack_str(struct buf *out, struct str s)
{
	pack_varint(out, s.n);
	buf_add_str(out, s);
}

void entry_pack(struct buf *out, const struct entry *e, uint32_t *line)
{
	pack_str(out, e->sku);
	pack_str(out, e->location);
	pack_str(out, e->lot);
	pack_str(out, e->owner);
	pack_str(out, e->to_location);
	buf_add_char(out, (char)(e->from | (e->previous ? CHAINED : 0)));
	buf_add_char(out, (char)(e->to | (e->line != *line ? NEW_LINE : 0)));
	pack_varint(out, (uint64_t)e->quantity);
	if (e->line != *line)
		pack_varint(out, e->line);
	*line = e->line;
	if (e->previous)
		pack_varint(out, (uint64_t)e->previous);
}

static bool take_varint(struct str *in, uint64_t *v)
{
	*v = 0;
	for (unsigned shift = 0; shift < 63 && in->n > 0; shift += 7) {
		unsigned char c = (unsigned char)*in->p++;

		in->n--;
		*v |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return true;
	}
	return false;
}

static bool take_str(struct str *in, struct str *s)
{
	uint64_t n;

	if (!take_varint(in, &n) || n > in->n)
		return false;
	*s = (struct str){in->p, (size_t)n};
	in->p += n;
	in->n -= (size_t)n;
	return true;
}

static bool take_state(struct str *in, enum stock_state *s, bool *flag)
{
	unsigned char c;

	if (in->n == 0)
		return false;
	c = (unsigned char)*in->p++;
	in->n--;
	*flag = c & 0x80;
	c &= 0x7f;
	if (c > STOCK_OUTSIDE)
		return false;
	*s = (enum stock_state)c;
	return true;
}

/* e->line: of the entry before. */
static bool take_entry(struct str *in, struct entry *e)
{
	uint64_t quantity, previous = 0, line = e->line;
	bool chained, new_line;

	if (!take_str(in, &e->sku) || !take_str(in, &e->location) || !take_str(in, &e->lot) ||
	    !take_str(in, &e->owner) || !take_str(in, &e->to_location) || !take_state(in, &e->from, &chained) ||
	    !take_state(in, &e->to, &new_line) || !take_varint(in, &quantity) ||
	    (new_line && !take_varint(in, &line)) || (chained && !take_varint(in, &previous)) || line > UINT32_MAX)
		return false;
	e->line = (uint32_t)line;
	e->quantity = (qty_t)quantity;
	e->previous = (int64_t)previous;
	return true;
}

enum rc entries_each(struct str in, entry_fn visit, void *ctx)
{
	struct entry e = {.line = 0};

	while (in.n > 0) {
		enum rc rc;

		if (!take_entry(&in, &e))
			return RC_IO;
		rc = visit(ctx, &e);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}
