/* Which movement a reversal takes back, and what of it was taken back before. */
#include "hub/state.h"

#include "orchestrate/stock/verbs.h"

#include <stdio.h>

enum { SEQ, ID, AT, OCCURRED, TYPE, SOURCE, EVENT, ORDER, REASON, CORRELATION, ENTRIES, COLUMNS };

/* Of the open batch: it cannot be read yet. */
static const struct store_value *written_now(const struct hub *h, int64_t seq, struct str movement_id)
{
	for (const struct store_write *w = h->batch.txn.batch.first; w; w = w->next)
		if (w->statement == W_MOVEMENT &&
		    (w->values[SEQ].integer == seq || (movement_id.n && str_eq(w->values[ID].bytes, movement_id))))
			return w->values;
	return NULL;
}

static int compare(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* Ids ascend with the ledger (UUIDv7): found by halves. */
static enum rc find_by_id(struct hub *h, struct command *c, struct str id, struct store_value row[COLUMNS],
			  struct err *e)
{
	int64_t low = 1, high = h->batch.committed.movement;

	while (low <= high) {
		int64_t middle = low + (high - low) / 2;
		enum rc rc = store_read_one(h->reader, R_MOVEMENT, &SV_INT(middle), 1, &c->arena, row, e);
		int order;

		if (rc != RC_OK)
			return rc;
		order = compare(row[ID].bytes, id);
		if (order == 0)
			return RC_OK;
		if (order < 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return RC_NOT_FOUND;
}

static enum rc find_movement(struct hub *h, struct command *c, const struct movement *m,
			     struct store_value row[COLUMNS], struct err *e)
{
	const struct dedup_entry *seen = NULL;
	const struct store_value *now;
	enum rc rc = RC_NOT_FOUND;

	if (m->reverses_event_id.n)
		seen = dedup_find(h->state.dedup, dedup_hash(DEDUP_MOVEMENT, m->source, m->reverses_event_id));
	now = seen || m->reverses.n ? written_now(h, seen ? seen->ref : -1, m->reverses) : NULL;
	if (now) {
		memcpy(row, now, COLUMNS * sizeof(*row));
		return RC_OK;
	}
	if (seen)
		rc = store_read_one(h->reader, R_MOVEMENT, &SV_INT(seen->ref), 1, &c->arena, row, e);
	else if (m->reverses.n)
		rc = find_by_id(h, c, m->reverses, row, e);
	if (rc == RC_NOT_FOUND)
		return err_set_at(e, RC_NOT_FOUND, "movement_not_found", "/reverses", "there is no such movement");
	return rc;
}

static struct hash128 entry_key(struct str movement_id, size_t n)
{
	char number[24];
	int length = snprintf(number, sizeof(number), "%zu", n);

	return dedup_hash(DEDUP_REVERSAL, movement_id, (struct str){number, (size_t)length});
}

enum rc reverse_movement(struct hub *h, struct command *c, const struct movement *given, struct movement_result *out,
			 struct err *e)
{
	struct txn *t = &h->batch.txn;
	struct store_value row[COLUMNS];
	struct movement m = *given;
	struct movement_undo undo;
	bool *taken, *chosen;
	size_t count;
	enum rc rc = find_movement(h, c, given, row, e);

	if (rc != RC_OK)
		return rc;
	if (str_is(row[TYPE].bytes, "reverse") || !row[EVENT].bytes.n)
		return err_set_at(
		    e, RC_INVALID, "not_reversible", "/reverses",
		    "only what a system has told can be taken back, and a reversal cannot: tell it again");
	count = stock_entry_count(row[ENTRIES].bytes);
	taken = arena_array(t->arena, bool, 2 * count + 1);
	if (!taken)
		return err_set(e, RC_LIMIT, "movement_too_large", "the movement has too many entries");
	chosen = taken + count;
	for (size_t i = 0; i < count; i++) {
		chosen[i] = false;
		taken[i] = dedup_find(h->state.dedup, entry_key(row[ID].bytes, i)) != NULL;
	}
	m.reverses = txn_copy(t, row[ID].bytes);
	m.order_id = row[ORDER].bytes;
	rc = serials_fetch_undo(h, row[SEQ].integer, row[OCCURRED].integer, e);
	if (rc != RC_OK)
		return rc;
	undo = (struct movement_undo){row[SEQ].integer, row[OCCURRED].integer, row[ENTRIES].bytes, taken, chosen};
	rc = stock_step_reverse(h->state.stock, h->state.orders, t, &m, &undo, out, e);
	for (size_t i = 0; rc == RC_OK && i < count; i++)
		if (chosen[i] && !taken[i])
			txn_dedup(t, DEDUP_REVERSAL, entry_key(m.reverses, i), 0, out->seq);
	if (rc == RC_OK && m.order_id.n)
		txn_exception(
		    t, "movement_reversed", m.order_id, m.order_id,
		    STR("A movement of this order was taken back: its stock is free again, the order is as it was."));
	return rc;
}
