#include "orchestrate/stock/entry.h"

const char *stock_state_name(enum stock_state s)
{
	static const char *const names[] = {"free",    "held",       "allocated", "picked",    "quarantined",
					    "damaged", "in_transit", "on_order",  "returning", "outside"};

	return names[s];
}

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

void entry_pack(struct buf *out, const struct entry *e)
{
	pack_str(out, e->sku);
	pack_str(out, e->location);
	pack_str(out, e->lot);
	pack_str(out, e->owner);
	pack_str(out, e->to_location);
	buf_add_char(out, (char)e->from);
	buf_add_char(out, (char)e->to);
	pack_varint(out, (uint64_t)e->quantity);
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

static bool take_state(struct str *in, enum stock_state *s)
{
	if (in->n == 0 || (unsigned char)*in->p > STOCK_OUTSIDE)
		return false;
	*s = (enum stock_state)(unsigned char)*in->p++;
	in->n--;
	return true;
}

enum rc entries_each(struct str in, entry_fn visit, void *ctx)
{
	while (in.n > 0) {
		struct entry e;
		uint64_t quantity;
		enum rc rc;

		if (!take_str(&in, &e.sku) || !take_str(&in, &e.location) || !take_str(&in, &e.lot) ||
		    !take_str(&in, &e.owner) || !take_str(&in, &e.to_location) || !take_state(&in, &e.from) ||
		    !take_state(&in, &e.to) || !take_varint(&in, &quantity))
			return RC_IO;
		e.quantity = (qty_t)quantity;
		rc = visit(ctx, &e);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}
