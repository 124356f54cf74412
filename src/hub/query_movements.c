/*
 * The movements of one item, newest first, for as long as there are any.
 *
 * Each movement of an item names the one before it (orchestrate/stock/entry.h), so a page reads as many movements as it
 * shows. Where the chain begins: the newest position row of the item says, but for the movements after position_floor,
 * whose positions may not be written yet: these few are looked through.
 */
#include "hub/query_parts.h"
#include "orchestrate/stock/entry.h"

enum { SEQ, ID, AT, OCCURRED, TYPE, SOURCE, EVENT, ORDER, REASON, CORRELATION, ENTRIES, COLUMNS };
#define TAIL_PAGE 500

struct chain {
	struct query *q;
	struct str sku;
	struct json_writer *w;
	struct err *e;
	int64_t previous; /* of the entry that was looked at */
	int64_t found;    /* seq of the newest in the tail */
	int64_t floor, seq;
	bool damaged;
};

static enum rc look(void *ctx, const struct entry *entry)
{
	struct chain *c = ctx;

	if (!str_eq(entry->sku, c->sku))
		return RC_OK;
	c->found = c->seq;
	if (entry->previous)
		c->previous = entry->previous;
	return RC_OK;
}

static enum rc tail_row(void *ctx, const struct store_value *row, size_t count)
{
	struct chain *c = ctx;

	(void)count;
	c->seq = row[SEQ].integer;
	if (c->seq <= c->floor || c->found)
		return RC_LIMIT;
	c->damaged |= entries_each(row[ENTRIES].bytes, look, c) != RC_OK;
	return RC_OK;
}

/* The newest movement of the item. 0: there is none. */
static enum rc find_head(struct chain *c, int64_t *head)
{
	struct store_value row, args[] = {SV_INT(INT64_MAX), SV_INT(TAIL_PAGE)};
	enum rc rc = store_read_one(c->q->reader, R_META, &SV_TEXT(STR("position_floor")), 1, c->q->arena, &row, NULL);

	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return rc;
	c->floor = rc == RC_OK ? row.integer : 0;
	c->seq = INT64_MAX;
	do {
		args[0].integer = c->seq;
		rc = store_read(c->q->reader, R_MOVEMENTS_BEFORE, args, 2, tail_row, c, c->e);
		if (rc == RC_OK && c->seq == args[0].integer)
			break;
	} while (rc == RC_OK && !c->found && c->seq > c->floor + 1);
	if (rc != RC_OK && rc != RC_LIMIT)
		return rc;
	*head = c->found;
	if (c->found)
		return RC_OK;
	rc = store_read_one(c->q->reader, R_POSITIONS_OF, &SV_TEXT(c->sku), 1, c->q->arena, &row, c->e);
	*head = rc == RC_OK ? row.integer : 0;
	return rc;
}

static enum rc write_entry(void *ctx, const struct entry *entry)
{
	struct chain *c = ctx;
	char day[TIME_TEXT];

	if (!str_eq(entry->sku, c->sku))
		return RC_OK;
	if (entry->previous)
		c->previous = entry->previous;
	jw_object(c->w);
	jw_key_text(c->w, "location", entry->location);
	jw_opt_text(c->w, "lot", entry->lot);
	jw_opt_text(c->w, "owner", entry->owner);
	if (entry->from == STOCK_OUTSIDE && entry->to == STOCK_OUTSIDE) {
		if (entry->quantity == 0)
			jw_key_bool(c->w, "counted", true);
		else {
			time_format(entry->quantity * 86400000, day);
			jw_key_text(c->w, "expires_on", (struct str){day, 10});
		}
		jw_object_end(c->w);
		return RC_OK;
	}
	jw_opt_text(c->w, "to_location", entry->to_location);
	jw_key_text(c->w, "from", str_from(stock_state_name(entry->from)));
	jw_key_text(c->w, "to", str_from(stock_state_name(entry->to)));
	jw_key_qty(c->w, "quantity", entry->quantity);
	jw_object_end(c->w);
	return RC_OK;
}

static enum rc write_movement(struct chain *c, const struct store_value *row)
{
	struct json_writer *w = c->w;
	enum rc rc;

	jw_object(w);
	jw_key_text(w, "movement_id", row[ID].bytes);
	jw_key_text(w, "type", row[TYPE].bytes);
	jw_key_time(w, "at", row[AT].integer);
	jw_key_time(w, "occurred_at", row[OCCURRED].integer);
	jw_opt_text(w, "source", row[SOURCE].bytes);
	jw_opt_text(w, "source_event_id", row[EVENT].bytes);
	jw_opt_text(w, "order_id", row[ORDER].bytes);
	jw_opt_text(w, "reason", row[REASON].bytes);
	jw_key_text(w, "correlation_id", row[CORRELATION].bytes);
	jw_key(w, "entries");
	jw_array(w);
	c->previous = 0;
	rc = entries_each(row[ENTRIES].bytes, write_entry, c);
	jw_array_end(w);
	jw_object_end(w);
	return rc == RC_OK ? RC_OK : query_damaged(c->e, "movement");
}

static enum rc write_page(struct chain *c, int64_t *at, uint32_t limit)
{
	for (uint32_t n = 0; *at > 0 && n < limit; n++) {
		struct store_value row[COLUMNS];
		int64_t seq = *at;
		enum rc rc = store_read_one(c->q->reader, R_MOVEMENT, &SV_INT(seq), 1, c->q->arena, row, c->e);

		if (rc == RC_OK)
			rc = write_movement(c, row);
		if (rc != RC_OK)
			return rc;
		*at = c->previous;
		if (*at >= seq)
			return query_damaged(c->e, "movement");
	}
	return RC_OK;
}

/* The cursor is the seq of the next movement to show. */
enum rc query_movements(struct query *q, struct str sku, const struct query_page *p, struct buf *out, struct err *e)
{
	struct json_writer w;
	struct chain c = {.q = q, .sku = sku, .w = &w, .e = e};
	int64_t at = 0;
	enum rc rc = query_cursor(p->cursor, &at, e);

	if (rc == RC_OK && !p->cursor.n)
		rc = find_head(&c, &at);
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	rc = write_page(&c, &at, p->limit);
	if (rc != RC_OK)
		return rc == RC_NOT_FOUND ? err_set(e, RC_INVALID, "bad_cursor", "The cursor is not one of ours.") : rc;
	return query_end_at(&w, at != 0, at, out, e);
}
