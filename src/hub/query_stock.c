/* Stock: positions and availability from memory, movements and reservations from the store. */
#include "hub/query_parts.h"
#include "orchestrate/stock/ats.h"
#include "orchestrate/stock/entry.h"
#include "orchestrate/stock/hold.h"
#include "orchestrate/stock/item.h"

#include <assert.h>

struct stock_writer {
	struct query *q;
	struct json_writer *w;
};

static void write_states(struct json_writer *w, const qty_t *states)
{
	for (int s = 0; s < STOCK_STATES; s++)
		jw_key_qty(w, stock_state_name((enum stock_state)s), states[s]);
}

static qty_t on_hand(const qty_t *states)
{
	qty_t sum = 0;
	for (int s = 0; s < STOCK_STATES; s++)
		if (stock_state_on_hand((enum stock_state)s))
			sum += states[s];
	return sum;
}

static void write_day(struct json_writer *w, const char *name, int32_t day)
{
	char text[TIME_TEXT];

	if (!day)
		return;
	time_format((int64_t)day * 86400000, text);
	jw_key_text(w, name, (struct str){text, 10});
}

static void write_positions(void *ctx, const struct stock_position *positions, size_t count)
{
	struct stock_writer *sw = ctx;
	const struct config_tenant *t = hub_tenant(sw->q->hub);
	qty_t totals[STOCK_STATES] = {0};

	jw_key(sw->w, "positions");
	jw_array(sw->w);
	for (size_t i = 0; i < count; i++) {
		const struct stock_position *p = &positions[i];
		for (int s = 0; s < STOCK_STATES; s++)
			totals[s] += p->states[s];
		jw_object(sw->w);
		jw_key_text(sw->w, "location", t->locations[p->location].name);
		jw_opt_text(sw->w, "lot", p->lot);
		jw_opt_text(sw->w, "owner", p->owner);
		write_day(sw->w, "expires_on", p->expires_on);
		jw_key_qty(sw->w, "on_hand", on_hand(p->states));
		jw_key(sw->w, "states");
		jw_object(sw->w);
		write_states(sw->w, p->states);
		jw_object_end(sw->w);
		jw_object_end(sw->w);
	}
	jw_array_end(sw->w);
	jw_key_qty(sw->w, "on_hand", on_hand(totals));
	jw_key(sw->w, "totals");
	jw_object(sw->w);
	write_states(sw->w, totals);
	jw_object_end(sw->w);
}

enum rc query_stock(struct query *q, struct str sku, struct buf *out, struct err *e)
{
	const struct stock_view *view = hub_stock(q->hub);
	struct store_value row[4], arg = SV_TEXT(sku);
	struct json_writer w;
	struct stock_writer sw = {q, &w};

	jw_init(&w, out);
	jw_object(&w);
	jw_key_text(&w, "sku", sku);
	if (store_read_one(q->reader, R_ITEM, &arg, 1, q->arena, row, NULL) == RC_OK)
		jw_opt_text(&w, "uom", row[2].bytes);
	jw_key_time(&w, "as_of", stock_view_as_of(view));
	if (stock_view_read(view, sku, write_positions, &sw) != RC_OK) {
		buf_reset(out);
		return err_set(e, RC_NOT_FOUND, "item_not_found", "There is no item '" STR_FMT "'.", STR_ARG(sku));
	}
	jw_object_end(&w);
	return query_done(out, e);
}

struct availability_writer {
	const struct config_tenant *tenant;
	const struct config_channel *channel;
	const struct stock_view *view;
	struct ats_policy policy;
	struct ats_now now;
	struct location_set stale;
	struct json_writer *w;
};

/* The oldest of what its numbers rest on: of its locations, the one whose record was heard of the longest ago. */
static void write_age(const struct availability_writer *aw, const struct stock_offer *offer)
{
	const struct config_channel *c = aw->channel;
	int64_t oldest = INT64_MAX;
	bool stale = false;

	for (size_t i = 0; i < c->location_count; i++) {
		int64_t heard = stock_view_heard_at(aw->view, c->locations[i]);

		if (heard < 0 || !location_set_has(&offer->at, c->locations[i]))
			continue;
		oldest = heard < oldest ? heard : oldest;
		stale = stale || location_set_has(&aw->stale, c->locations[i]);
	}
	if (oldest > 0 && oldest != INT64_MAX)
		jw_key_time(aw->w, "as_of", oldest);
	if (stale)
		jw_key_bool(aw->w, "stale", true);
}

/* An item that is not known has no stock; what the channel may backorder of it is nothing either. */
static void write_available(const struct availability_writer *aw, struct str asked, struct arena *a)
{
	struct err e = ERR_NONE;
	struct str sku = asked;
	enum rc rc = item_resolve_view(aw->view, aw->tenant, a, aw->channel->name, asked, &sku, &e);
	const struct config_channel *c = aw->channel;
	qty_t by_location[CONFIG_LOCATIONS_MAX];
	struct stock_offer offer = {.by_location = by_location};
	bool known = rc == RC_OK && stock_view_offer(aw->view, sku, c, &aw->policy, &aw->now, &offer) == RC_OK;

	assert(c->location_count <= CONFIG_LOCATIONS_MAX);
	jw_object(aw->w);
	jw_key_text(aw->w, "sku", sku);
	if (!str_eq(asked, sku))
		jw_key_text(aw->w, "asked", asked);
	if (rc != RC_OK)
		jw_key_text(aw->w, "problem", str_from(e.code));
	jw_key_qty(aw->w, "available", known ? offer.available : 0);
	jw_key(aw->w, "locations");
	jw_object(aw->w);
	for (size_t i = 0; known && i < c->location_count; i++) {
		char text[DECIMAL_TEXT_MAX];

		jw_key_str(aw->w, aw->tenant->locations[c->locations[i]].name);
		jw_text(aw->w, (struct str){text, qty_format(by_location[i], text)});
	}
	jw_object_end(aw->w);
	write_age(aw, &offer);
	jw_object_end(aw->w);
}

/* What is older than the channel allows. */
static void find_stale(struct availability_writer *aw)
{
	const struct config_channel *c = aw->channel;

	for (size_t i = 0; c->max_age_ms > 0 && i < c->location_count; i++) {
		int64_t heard = stock_view_heard_at(aw->view, c->locations[i]);

		if (heard >= 0 && heard + c->max_age_ms < aw->now.now)
			location_set_add(&aw->stale, c->locations[i]);
	}
	aw->now.stale = &aw->stale;
}

enum rc query_availability(struct query *q, struct str channel, const struct str *skus, size_t count, struct buf *out,
			   struct err *e)
{
	const struct config_tenant *t = hub_tenant(q->hub);
	qty_t safety[CONFIG_LOCATIONS_MAX];
	struct json_writer w;
	struct availability_writer aw = {
	    .tenant = t, .channel = config_find_channel(t, channel), .view = hub_stock(q->hub), .w = &w};

	if (!aw.channel)
		return err_set(e, RC_NOT_FOUND, "unknown_channel", "There is no channel '" STR_FMT "'.",
			       STR_ARG(channel));
	for (size_t i = 0; i < t->location_count; i++)
		safety[i] = t->locations[i].safety_stock;
	aw.now = (struct ats_now){.now = hub_clock_ms(q->hub), .safety = safety};
	ats_policy_init(&aw.policy, t, aw.channel);
	find_stale(&aw);
	jw_init(&w, out);
	jw_object(&w);
	jw_key_text(&w, "channel", channel);
	jw_key_time(&w, "as_of", stock_view_as_of(aw.view));
	jw_key(&w, "items");
	jw_array(&w);
	for (size_t i = 0; i < count; i++)
		write_available(&aw, skus[i], q->arena);
	jw_array_end(&w);
	jw_object_end(&w);
	return query_done(out, e);
}

/* Members of the event that it was held with. */
static void write_data(struct json_writer *w, const struct json *data)
{
	static const char *const names[] = {"lines", "short"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct json *value = json_get(data, names[i]);

		if (!value)
			continue;
		jw_key(w, names[i]);
		jw_value(w, value);
	}
}

static void write_fence(struct json_writer *w, struct str channel, const struct store_value *row)
{
	qty_t quantity = 0, used = 0;

	if (qty_parse(row[2].bytes, &quantity, NULL) != RC_OK || qty_parse(row[3].bytes, &used, NULL) != RC_OK)
		return;
	jw_object(w);
	jw_key_text(w, "sku", row[0].bytes);
	jw_key_text(w, "channel", channel);
	jw_key_text(w, "location", row[1].bytes);
	jw_key_qty(w, "quantity", quantity);
	jw_key_qty(w, "used", used);
	jw_key_qty(w, "left", quantity > used ? quantity - used : 0);
	jw_object_end(w);
}

/* The cursor is the last row's SKU and location, with a blank between: a location's name has none. */
enum rc query_ring_fences(struct query *q, struct str channel, const struct query_page *p, struct buf *out,
			  struct err *e)
{
	struct str sku = STR(""), location = STR(""), cursor = STR_NONE;
	struct query_rows rows;
	struct json_writer w;
	enum rc rc;

	if (!config_find_channel(hub_tenant(q->hub), channel))
		return err_set(e, RC_INVALID, "unknown_channel", "There is no channel '" STR_FMT "'.",
			       STR_ARG(channel));
	for (size_t n = p->cursor.n; n > 0 && !location.n; n--)
		if (p->cursor.p[n - 1] == ' ') {
			sku = (struct str){p->cursor.p, n - 1};
			location = (struct str){p->cursor.p + n, p->cursor.n - n};
		}
	if (p->cursor.n && !location.n)
		return err_set(e, RC_INVALID, "bad_cursor", "There is no such page.");
	rc = query_all(q, R_RING_FENCES,
		       (struct store_value[]){SV_TEXT(channel), SV_TEXT(sku), SV_TEXT(location), SV_INT(p->limit)}, 4,
		       &rows, e);
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	for (size_t i = 0; i < rows.count; i++)
		write_fence(&w, channel, query_row(&rows, i));
	if (rows.count == p->limit) {
		const struct store_value *last = query_row(&rows, rows.count - 1);

		cursor = str_from(
		    arena_printf(q->arena, STR_FMT " " STR_FMT, STR_ARG(last[0].bytes), STR_ARG(last[1].bytes)));
	}
	return query_end(&w, cursor, out, e);
}

enum rc query_reservation(struct query *q, struct str id, struct buf *out, struct err *e)
{
	const struct json_limits limits = {.bytes = 16u << 20, .depth = 16, .nodes = 1u << 20};
	struct store_value row[8];
	struct json_writer w;
	struct json *data;

	enum rc rc = hub_find_reservation(q->hub, q->reader, id, q->arena, row, e);
	if (rc == RC_NOT_FOUND)
		return err_set(e, rc, "reservation_not_found", "There is no such reservation.");
	if (rc == RC_OK)
		rc = json_parse(q->arena, row[7].bytes, &limits, &data, e);
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	jw_object(&w);
	jw_key_text(&w, "reservation_id", row[5].bytes);
	jw_key_text(&w, "status", str_from(hold_status_name((enum hold_status)row[1].integer)));
	jw_key_text(&w, "channel", json_get_text(data, "channel"));
	jw_key_time(&w, "created_at", row[2].integer);
	jw_key_time(&w, "expires_at", row[3].integer);
	jw_opt_text(&w, "order_id", row[4].bytes);
	jw_key_text(&w, "correlation_id", row[6].bytes);
	write_data(&w, data);
	jw_object_end(&w);
	return query_done(out, e);
}
