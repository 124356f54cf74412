/*
 * Loading a tenant's state: at the start, and after a commit that failed (the state in memory is then ahead of the
 * disk).
 *
 * One snapshot. The order matters: items, positions, the movements that the positions do not hold yet, reservations and
 * orders (which refer to positions), then what the channels were told.
 */
#include "hub/state.h"

#include "observe/log.h"
#include "orchestrate/order/book.h"
#include "orchestrate/stock/item.h"
#include "orchestrate/stock/terms.h"

#include <stdio.h>

#define PAGE 5000

struct loading {
	struct hub *h;
	struct state *s;
	struct err *e;
	int64_t last, floor, publication_floor, publication_orders;
	uint64_t rows;
	bool newest[CONFIG_CHANNELS_MAX]; /* by channel: seen */
};

static enum rc load_dedup(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;
	enum rc rc = dedup_unpack(l->s->dedup, c[1].bytes);

	(void)count;
	l->s->heads.dedup = c[0].integer;
	if (rc == RC_LIMIT)
		return err_set(l->e, rc, "too_many_keys", "more dedup keys than fit in memory");
	if (rc != RC_OK)
		return err_set(l->e, rc, "store_damaged", "dedup row %lld is damaged", (long long)c[0].integer);
	return RC_OK;
}

static enum rc load_item(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;

	(void)count;
	return item_load(l->s->stock, c[0].bytes, c[1].bytes, c[2].bytes, c[3].integer != 0, l->e);
}

static enum rc load_position(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;

	(void)count;
	return stock_load_position(l->s->stock, c[0].bytes, c[1].bytes, c[2].bytes, c[3].bytes, c[4].integer,
				   c[5].bytes, l->e);
}

static enum rc load_movement(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;

	(void)count;
	l->last = c[0].integer;
	l->rows++;
	return stock_replay(l->s->stock, c[0].integer, c[2].integer, c[3].bytes, l->e);
}

static enum rc load_order(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;

	(void)count;
	l->last = c[0].integer;
	l->rows++;
	return order_load(l->s->orders, c, l->e);
}

/* The newest order of each channel, open or not: what a channel is told counts up to it. */
static enum rc load_newest(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;
	const struct config_tenant *t = l->h->tenant;

	(void)count;
	for (uint16_t i = 0; i < t->channel_count; i++) {
		if (l->newest[i] || !str_eq(t->channels[i].name, c[2].bytes))
			continue;
		l->newest[i] = true;
		order_note_external(l->s->orders, i, c[3].bytes);
	}
	return RC_OK;
}

static enum rc load_hold(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;

	(void)count;
	l->last = c[0].integer;
	l->rows++;
	return hold_load(l->s->holds, c, l->e);
}

static enum rc load_fence(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;

	(void)count;
	return fence_load(l->s->stock, c, l->e);
}

static enum rc load_arrival(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;

	(void)count;
	return arrival_load(l->s->stock, c, l->e);
}

static enum rc load_gap(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;

	(void)count;
	return gap_load(l->s->stock, c, l->e);
}

static enum rc load_publication(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;
	qty_t told, sold = PUBLISH_UNKNOWN;

	(void)count;
	if (c[4].type != STORE_NULL && qty_parse(c[4].bytes, &sold, NULL) != RC_OK)
		sold = PUBLISH_UNKNOWN;
	if (qty_parse(c[2].bytes, &told, NULL) == RC_OK)
		publish_load(l->s->publisher, c[0].bytes, c[1].bytes, told, c[3].integer, sold, c[5].integer);
	return RC_OK;
}

static enum rc load_availability(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;
	struct arena a;
	struct json *params;

	(void)count;
	l->last = c[0].integer;
	l->rows++;
	arena_init(&a, 64u << 20);
	if (json_parse(&a, c[3].bytes, &(struct json_limits){16u << 20, 16, 1u << 20}, &params, NULL) == RC_OK)
		for (uint16_t i = 0; i < l->h->tenant->system_count; i++)
			if (str_eq(l->h->tenant->systems[i].name, c[1].bytes))
				publish_load_delivery(l->s->publisher, i, c[0].integer,
						      (enum delivery_status)c[2].integer, (uint32_t)c[4].integer,
						      params);
	arena_done(&a);
	return RC_OK;
}

static enum rc load_sold(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;

	(void)count;
	l->last = c[0].integer;
	l->rows++;
	return publish_load_order(l->s->publisher, c[0].integer, c[1].bytes, c[2].bytes, l->e);
}

static enum rc load_subscription(void *ctx, const struct store_value *c, size_t count)
{
	struct loading *l = ctx;
	struct subscription one;

	(void)count;
	l->last = c[0].integer;
	l->rows++;
	if (subscription_from_row(c, &one) != RC_OK)
		return err_set(l->e, RC_IO, "store_damaged", "subscription %lld makes no sense", (long long)l->last);
	l->s->replaying |= one.replay.count > 0;
	subscriptions_put(l->s->subscriptions, &one);
	return RC_OK;
}

/* Reads page after page of rows that are ordered by their first column. */
static enum rc load_pages(struct loading *l, enum store_statement s, int64_t after, store_row_fn row)
{
	enum rc rc;

	l->last = after;
	do {
		struct store_value args[] = {SV_INT(l->last), SV_INT(PAGE)};

		l->rows = 0;
		rc = store_read(l->h->reader, s, args, 2, row, l, l->e);
	} while (rc == RC_OK && l->rows == PAGE);
	return rc;
}

static enum rc one_int(void *ctx, const struct store_value *c, size_t count)
{
	(void)count;
	*(int64_t *)ctx = c[0].integer;
	return RC_OK;
}

static enum rc load_heads(struct loading *l)
{
	struct log_heads *heads = &l->s->heads;
	const struct {
		enum store_statement statement;
		int64_t *head;
	} logs[] = {
	    {R_INBOX_LAST, &heads->inbox},
	    {R_DOCUMENT_LAST, &heads->document},
	    {R_EVENT_LAST, &heads->event},
	    {R_ORDERS_LAST, &heads->orders},
	    {R_MOVEMENT_LAST, &heads->movement},
	    {R_DELIVERY_LAST, &heads->delivery},
	    {R_ATTEMPT_LAST, &heads->attempt},
	    {R_DEAD_LETTER_LAST, &heads->dead_letter},
	    {R_EXCEPTION_LAST, &heads->exception},
	    {R_SUBSCRIPTION_LAST, &heads->subscription},
	    {R_RECONCILIATION_LAST, &heads->reconciliation},
	    {R_DRIFT_LAST, &heads->drift},
	    {R_JOB_LAST, &heads->job},
	    {R_RESERVATION_LAST, &heads->reservation},
	};

	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		enum rc rc = store_read(l->h->reader, logs[i].statement, NULL, 0, one_int, logs[i].head, l->e);

		if (rc != RC_OK)
			return rc;
	}
	enum rc rc = store_read(l->h->reader, R_META, &SV_TEXT(STR("position_floor")), 1, one_int, &l->floor, l->e);

	if (rc == RC_OK)
		rc = store_read(l->h->reader, R_META, &SV_TEXT(STR("publication_floor")), 1, one_int,
				&l->publication_floor, l->e);
	if (rc == RC_OK)
		rc = store_read(l->h->reader, R_META, &SV_TEXT(STR("publication_orders")), 1, one_int,
				&l->publication_orders, l->e);
	return rc;
}

static enum rc load_pauses(struct loading *l)
{
	for (size_t i = 0; i < l->h->tenant->system_count; i++) {
		char name[128];
		int64_t paused = 0;
		struct str key = {name, 0};
		enum rc rc;

		key.n = (size_t)snprintf(name, sizeof(name), "paused:" STR_FMT, STR_ARG(l->h->tenant->systems[i].name));
		if (key.n >= sizeof(name))
			continue;
		rc = store_read(l->h->reader, R_META, &SV_TEXT(key), 1, one_int, &paused, l->e);
		if (rc != RC_OK)
			return rc;
		l->h->paused_now[i] = paused != 0;
		atomic_store(&l->h->paused[i], paused != 0);
	}
	return RC_OK;
}

/* When each system was heard of last. */
static enum rc load_heard(struct loading *l)
{
	for (size_t i = 0; i < l->h->tenant->system_count; i++) {
		char name[128];
		int64_t at = 0;
		struct str key = {name, 0};
		enum rc rc;

		key.n = (size_t)snprintf(name, sizeof(name), "heard:" STR_FMT, STR_ARG(l->h->tenant->systems[i].name));
		if (key.n >= sizeof(name))
			continue;
		rc = store_read(l->h->reader, R_META, &SV_TEXT(key), 1, one_int, &at, l->e);
		if (rc != RC_OK)
			return rc;
		publish_load_heard(l->s->publisher, key, at);
	}
	return RC_OK;
}

/* Which systems failed. */
static enum rc load_away(struct loading *l)
{
	for (uint16_t i = 0; i < l->h->tenant->system_count; i++) {
		for (enum away_sign sign = 0; sign < AWAY_SIGNS; sign++) {
			char name[128];
			int64_t until = 0;
			struct str key = away_meta_name(sign, l->h->tenant->systems[i].name, name, sizeof(name));
			enum rc rc;

			if (!key.n)
				continue;
			rc = store_read(l->h->reader, R_META, &SV_TEXT(key), 1, one_int, &until, l->e);
			if (rc != RC_OK)
				return rc;
			away_load(l->s->away, i, sign, until);
		}
	}
	return RC_OK;
}

static enum rc load_all(struct loading *l)
{
	const struct store_value newest[] = {SV_INT(INT64_MAX), SV_INT(PAGE)};
	struct store_reader *r = l->h->reader;
	enum rc rc = load_heads(l);

	if (rc == RC_OK)
		rc = store_read(r, R_DEDUP_ALL, NULL, 0, load_dedup, l, l->e);
	if (rc == RC_OK)
		rc = store_read(r, R_ITEMS, NULL, 0, load_item, l, l->e);
	if (rc == RC_OK)
		rc = store_read(r, R_POSITIONS, NULL, 0, load_position, l, l->e);
	if (rc == RC_OK)
		rc = load_pages(l, R_MOVEMENTS_AFTER, l->floor, load_movement);
	if (rc == RC_OK)
		rc = store_read(r, R_RING_FENCES_ALL, NULL, 0, load_fence, l, l->e);
	if (rc == RC_OK)
		rc = store_read(r, R_ARRIVALS, NULL, 0, load_arrival, l, l->e);
	if (rc == RC_OK)
		rc = store_read(r, R_GAPS, NULL, 0, load_gap, l, l->e);
	if (rc == RC_OK)
		rc = load_pages(l, R_RESERVATIONS_HELD, 0, load_hold);
	if (rc == RC_OK)
		rc = load_pages(l, R_ORDERS_OPEN, 0, load_order);
	if (rc == RC_OK)
		rc = store_read(r, R_ORDERS_BEFORE, newest, 2, load_newest, l, l->e);
	publish_load_floor(l->s->publisher, l->publication_floor, l->publication_orders);
	if (rc == RC_OK)
		rc = store_read(r, R_PUBLICATIONS, NULL, 0, load_publication, l, l->e);
	if (rc == RC_OK)
		rc = load_pages(l, R_AVAILABILITY_AFTER, l->publication_floor, load_availability);
	if (rc == RC_OK)
		rc = load_pages(l, R_ORDERS_SOLD, l->publication_orders, load_sold);
	if (rc == RC_OK)
		rc = load_pages(l, R_SUBSCRIPTIONS_AFTER, 0, load_subscription);
	if (rc == RC_OK)
		rc = load_heard(l);
	if (rc == RC_OK)
		rc = load_pauses(l);
	if (rc == RC_OK)
		rc = load_away(l);
	if (rc == RC_OK)
		rc = job_load(l->h, l->e);
	if (rc == RC_OK)
		rc = dead_keys_load(l->h, l->e);
	if (rc == RC_OK)
		rc = counters_load(l->h->counters, r, l->e);
	return rc;
}

static void state_init(struct hub *h, struct state *s)
{
	const struct config_limits *limits = &h->config->limits;

	*s = (struct state){0};
	s->dedup = h->keys;
	dedup_clear(s->dedup);
	s->stock = stock_new(h->tenant, limits->items, h->view);
	s->orders = order_book_new(h->tenant, s->stock, limits->open_orders);
	s->holds = hold_book_new(h->tenant, s->stock, limits->holds);
	s->subscriptions = subscriptions_new();
	s->publisher = publisher_new(h->tenant, s->stock);
	s->away = away_new(h->tenant, s->publisher, h->paused_now);
}

void state_done(struct state *s)
{
	away_free(s->away);
	publisher_free(s->publisher);
	subscriptions_free(s->subscriptions);
	hold_book_free(s->holds);
	order_book_free(s->orders);
	stock_free(s->stock);
	*s = (struct state){0};
}

enum rc state_load(struct hub *h, struct err *e)
{
	struct loading l = {.h = h, .s = &h->state, .e = e};
	int64_t started = clock_mono_ns(h->clock);
	enum rc rc;

	job_free_all(h);
	dead_keys_free(h);
	state_done(&h->state);
	state_init(h, &h->state);
	rc = store_reader_begin(h->reader, e);
	if (rc != RC_OK)
		return rc;
	rc = load_all(&l);
	store_reader_end(h->reader);
	if (rc != RC_OK)
		return rc;
	dedup_loaded(h->state.dedup);
	h->now = clock_wall_ms(h->clock);
	terms_loaded(h->state.stock, h->now);
	publish_load_ages(h->state.publisher, h->now);
	publish_load_done(h->state.publisher, h->now);
	away_load_done(h->state.away, h->now);
	h->state.orders->items_seen = 0;
	publish_show_heard(h->state.publisher, h->view);
	stock_publish_all(h->state.stock, h->now);
	atomic_store(&h->position, h->state.heads.event);
	log_info("hub", "state loaded", LOG_STR("tenant", h->tenant->name),
		 LOG_INT("items", (int64_t)h->state.stock->items.count),
		 LOG_INT("open_orders", (int64_t)h->state.orders->orders.count),
		 LOG_INT("reservations", (int64_t)h->state.holds->heap_count),
		 LOG_INT("position", h->state.heads.event),
		 LOG_INT("ms", (clock_mono_ns(h->clock) - started) / 1000000));
	return RC_OK;
}
