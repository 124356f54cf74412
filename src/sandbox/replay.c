/*
 * One thread begins documents at their pace and keeps a list of calls that wait for their time: orders to repeat, and
 * cancellations whose order has no answer yet. At most TRANSFERS_MAX calls are under way; when the hub is slower than
 * the pace, the pace waits. The lock guards the counts and the orders against readers; it is not held while a system is
 * called.
 *
 * Stock is laid out so that only what is meant to be scarce is: the first location holds all that will be asked for or
 * lost of an item, the second a third of it. Of a scarce item (none of which is written off, so that nothing but orders
 * takes it) there is about a third in all.
 */
#include "sandbox/replay.h"

#include "base/map.h"
#include "base/mem.h"
#include "connect/transport/http.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define TRANSFERS_MAX   64
#define CALL_TIMEOUT_MS 10000
#define REPEAT_MS       100
#define RECEIVE_LINES   500
#define SCARCE_ONE_IN   25
#define SCARCE_DEMAND   12

struct call {
	struct call *next;          /* of those that wait */
	struct call *newer, *older; /* of all */
	struct replay *replay;
	struct replay_order *order;
	const struct retail_document *cancel; /* NULL: it is the order itself */
	char suffix[24];                      /* of the round */
	struct buf body;
	int64_t due_ns;
};

struct replay {
	struct replay_options options;
	struct system *warehouse, *shop;
	size_t round_length;
	struct arena arena;
	struct map items; /* struct replay_item by sku */
	pthread_mutex_t lock;
	struct replay_order **orders;
	size_t order_count;
	struct replay_order **current; /* of this round, by document */
	struct replay_counts counts;
	struct call *waiting;
	struct http *http;
	char *hub, *authorization;
	pthread_t thread;
	bool running;
	atomic_bool stopping, dropping, ended;
	struct call *all; /* that are under way or wait */
};

/* ---- the stock ---- */

static struct str upper(struct replay *r, struct str sku)
{
	char text[128];
	size_t n = sku.n < sizeof(text) ? sku.n : sizeof(text);
	for (size_t i = 0; i < n; i++)
		text[i] = sku.p[i] >= 'a' && sku.p[i] <= 'z' ? (char)(sku.p[i] - 'a' + 'A') : sku.p[i];
	const struct replay_item *known = map_get(&r->items, (struct str){text, n});
	return known ? known->sku : arena_copy(&r->arena, (struct str){text, n});
}

static struct replay_item *item_of(struct replay *r, struct str sku)
{
	struct str name = upper(r, sku);
	struct replay_item *item = map_get(&r->items, name);
	if (item)
		return item;
	item = arena_new(&r->arena, struct replay_item);
	if (!item || map_put(&r->items, name, item))
		abort(); /* the data file is bounded, and so are its items */
	item->sku = name;
	return item;
}

static bool picked_to_be_scarce(const struct replay_item *item)
{
	uint32_t h = 2166136261u; /* FNV-1a, so that it is the same each time */
	for (size_t i = 0; i < item->sku.n; i++)
		h = (h ^ (unsigned char)item->sku.p[i]) * 16777619u;
	return item->lost == 0 && item->demand >= SCARCE_DEMAND && h % SCARCE_ONE_IN == 0;
}

static void add_up(struct replay *r)
{
	for (size_t i = 0; i < r->round_length; i++) {
		const struct retail_document *d = &r->options.data->documents[i];
		if (d->kind != RETAIL_ORDER && d->kind != RETAIL_ADJUST)
			continue;
		for (size_t j = 0; j < d->line_count; j++) {
			struct replay_item *item = item_of(r, d->lines[j].sku);
			int64_t quantity = d->lines[j].quantity;
			if (d->kind == RETAIL_ORDER)
				item->demand += quantity;
			else if (quantity < 0)
				item->lost -= quantity;
		}
	}
	struct str key;
	struct replay_item *item;
	for (size_t at = 0; (item = map_next(&r->items, &at, &key)) != NULL;)
		item->scarce = picked_to_be_scarce(item);
}

static qty_t opening(const struct replay_item *item, int location)
{
	int64_t units = item->scarce ? item->demand / 4 : item->demand + item->lost;
	return (location == 0 ? units : units / 3) * QTY_ONE;
}

void replay_stock(struct replay *r)
{
	const struct replay_item *item;
	for (size_t at = 0; (item = replay_item_next(r, &at)) != NULL;)
		for (int i = 0; i < 2; i++)
			sandbox_warehouse_stock(r->warehouse, item->sku, str_from(r->options.locations[i]),
						opening(item, i));
}

static int64_t wall(const struct replay *r)
{
	return clock_wall_ms(r->options.clock);
}

/* As much again, at the beginning of a later round. */
static void receive(struct replay *r, int64_t round)
{
	struct sandbox_movement_line lines[RECEIVE_LINES];
	const struct replay_item *item;
	size_t count = 0, at = 0;
	char id[64];
	int part = 0;
	do {
		item = replay_item_next(r, &at);
		for (int i = 0; item && i < 2; i++)
			if (opening(item, i) > 0)
				lines[count++] = (struct sandbox_movement_line){
				    item->sku, str_from(r->options.locations[i]), opening(item, i)};
		if (count > 0 && (!item || count + 2 > RECEIVE_LINES)) {
			int n = snprintf(id, sizeof(id), "receive-%lld-%d", (long long)round, ++part);
			sandbox_warehouse_move(r->warehouse, "receive", (struct str){id, (size_t)n}, STR_NONE, lines,
					       count, wall(r));
			count = 0;
		}
	} while (item);
}

/* ---- the warehouse's own ---- */

static void move(struct replay *r, const char *type, const struct retail_document *d, const char *suffix)
{
	struct sandbox_movement_line *lines = mem_zalloc(d->line_count, sizeof(*lines));
	char id[96], reason[128];
	for (size_t i = 0; i < d->line_count; i++)
		lines[i] = (struct sandbox_movement_line){upper(r, d->lines[i].sku), str_from(r->options.locations[0]),
							  d->lines[i].quantity * QTY_ONE};
	int n = snprintf(id, sizeof(id), STR_FMT "%s", STR_ARG(d->invoice), suffix);
	int m = snprintf(reason, sizeof(reason), "invoice %s " STR_FMT, id, STR_ARG(d->lines[0].description));
	sandbox_warehouse_move(r->warehouse, type, (struct str){id, (size_t)n},
			       (struct str){reason, (size_t)m < sizeof(reason) ? (size_t)m : sizeof(reason) - 1}, lines,
			       d->line_count, wall(r));
	if (d->kind == RETAIL_ADJUST)
		for (size_t i = 0; i < d->line_count; i++)
			meter_stock_changed(r->options.meter, lines[i].sku);
	free(lines);
}

static void suffix_of(char out[24], int64_t round)
{
	if (round == 0)
		out[0] = '\0';
	else
		(void)snprintf(out, 24, "-%lld", (long long)round + 1);
}

/* ---- calls ---- */

static int64_t mono(const struct replay *r)
{
	return clock_mono_ns(r->options.clock);
}

static void wait_again(struct call *c, int64_t ms)
{
	c->due_ns = mono(c->replay) + ms * 1000000;
	c->next = c->replay->waiting;
	c->replay->waiting = c;
}

static void finish(struct call *c)
{
	if (c->newer)
		c->newer->older = c->older;
	else
		c->replay->all = c->older;
	if (c->older)
		c->older->newer = c->newer;
	buf_done(&c->body);
	free(c);
}

static void order_answered(struct call *c, int status, struct str body)
{
	struct replay *r = c->replay;
	struct json *json = NULL;
	struct arena a;
	arena_init(&a, 1u << 20);
	bool good = status >= 200 && status < 300 && json_parse(&a, body, NULL, &json, NULL) == RC_OK;
	struct str id = good ? json_get_text(json, "order_id") : STR_NONE;
	pthread_mutex_lock(&r->lock);
	if (id.n > 0) {
		c->order->order_id = arena_copy(&r->arena, id);
		c->order->fate = REPLAY_TAKEN;
		r->counts.taken++;
	} else {
		c->order->fate = REPLAY_REFUSED;
		r->counts.refused++;
	}
	pthread_mutex_unlock(&r->lock);
	arena_done(&a);
}

static void cancel_answered(struct call *c, int status)
{
	struct replay *r = c->replay;
	bool good = status >= 200 && status < 300;
	pthread_mutex_lock(&r->lock);
	if (good)
		c->order->fate = REPLAY_CANCELLED;
	r->counts.cancelled += good;
	r->counts.too_late += !good;
	pthread_mutex_unlock(&r->lock);
	if (!good)
		move(r, "return", c->cancel, c->suffix);
}

static void answered(void *ctx, const struct http_answer *a)
{
	struct call *c = ctx;
	if (a->status == 0 || a->status == 429 || a->status >= 500) {
		pthread_mutex_lock(&c->replay->lock);
		c->replay->counts.repeats++;
		pthread_mutex_unlock(&c->replay->lock);
		wait_again(c, REPEAT_MS);
		return;
	}
	if (c->cancel)
		cancel_answered(c, a->status);
	else
		order_answered(c, a->status, a->body);
	finish(c);
}

static void start(struct call *c)
{
	struct replay *r = c->replay;
	char url[512];
	struct http_header headers[] = {{STR("Authorization"), str_from(r->authorization)},
					{STR("Content-Type"), STR("application/json")}};
	if (c->cancel)
		(void)snprintf(url, sizeof(url), "%s/v1/orders/" STR_FMT "/cancel", r->hub,
			       STR_ARG(c->order->order_id));
	else
		(void)snprintf(url, sizeof(url), "%s/v1/orders", r->hub);
	struct http_request request = {.method = STR("POST"),
				       .url = str_from(url),
				       .headers = headers,
				       .header_count = 2,
				       .body = buf_str(&c->body),
				       .timeout_ms = CALL_TIMEOUT_MS,
				       .connect_timeout_ms = CALL_TIMEOUT_MS};
	struct http_transfer *transfer;
	if (http_start(r->http, &request, answered, c, &transfer, NULL))
		wait_again(c, REPEAT_MS);
}

/* A cancellation can go when its order has been answered; what was never an order has nothing to cancel. */
static void run_waiting(struct replay *r)
{
	struct call *c, *due = NULL, **at = &r->waiting;
	int64_t now = mono(r);
	while ((c = *at) != NULL) {
		if (c->due_ns > now) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		c->next = due;
		due = c;
	}
	while ((c = due) != NULL) {
		due = c->next;
		if (c->cancel && c->order->fate == REPLAY_SENDING)
			wait_again(c, REPEAT_MS);
		else if (c->cancel && c->order->fate != REPLAY_TAKEN)
			finish(c);
		else
			start(c);
	}
}

static struct call *call_new(struct replay *r, struct replay_order *o, const struct retail_document *cancel)
{
	struct call *c = mem_zalloc(1, sizeof(*c));
	*c = (struct call){.replay = r, .order = o, .cancel = cancel, .older = r->all};
	if (r->all)
		r->all->newer = c;
	r->all = c;
	buf_init(&c->body, 4u << 20);
	return c;
}

/* ---- documents ---- */

/* Leaves out what the shop shows as sold out; the portal takes everything. */
static size_t sell(struct replay *r, const struct retail_document *d, struct retail_line *lines)
{
	bool careful = strcmp(d->channel, r->shop->name) == 0;
	size_t count = 0;
	for (size_t i = 0; i < d->line_count; i++)
		if (!careful || sandbox_shop_sell(r->shop, upper(r, d->lines[i].sku), d->lines[i].quantity * QTY_ONE))
			lines[count++] = d->lines[i];
	return count;
}

static void place_order(struct replay *r, size_t index, const struct retail_document *d, const char *suffix)
{
	struct replay_order *o = arena_new(&r->arena, struct replay_order);
	struct retail_line *lines = arena_array(&r->arena, struct retail_line, d->line_count);
	assert(o && lines);
	char id[96];
	int n = snprintf(id, sizeof(id), STR_FMT "%s", STR_ARG(d->invoice), suffix);
	size_t count = sell(r, d, lines);
	*o = (struct replay_order){.external_id = arena_copy(&r->arena, (struct str){id, (size_t)n}),
				   .channel = d->channel,
				   .fate = count > 0 ? REPLAY_SENDING : REPLAY_NOT_PLACED,
				   .line_count = count,
				   .lines = lines};
	r->current[index] = o;
	pthread_mutex_lock(&r->lock);
	r->orders[r->order_count++] = o;
	r->counts.lines_sold_out += (int64_t)(d->line_count - count);
	r->counts.sent += count > 0;
	r->counts.not_placed += count == 0;
	pthread_mutex_unlock(&r->lock);
	if (count == 0)
		return;
	struct call *c = call_new(r, o, NULL);
	struct retail_document sent = *d;
	sent.lines = lines;
	sent.line_count = count;
	retail_write_order(&c->body, &sent, suffix);
	meter_order_sent(r->options.meter, str_from(d->channel), o->external_id);
	for (size_t i = 0; i < count; i++) {
		const struct replay_item *item = item_of(r, lines[i].sku);
		if (!item->scarce)
			meter_stock_changed(r->options.meter, item->sku);
	}
	start(c);
}

static void cancel_order(struct replay *r, const struct retail_document *d, const char *suffix)
{
	struct replay_order *o = r->current[d->order];
	if (!o)
		return;
	struct call *c = call_new(r, o, d);
	(void)snprintf(c->suffix, sizeof(c->suffix), "%s", suffix);
	struct json_writer w;
	char reason[96];
	int n = snprintf(reason, sizeof(reason), "invoice " STR_FMT, STR_ARG(d->invoice));
	jw_init(&w, &c->body);
	jw_object(&w);
	jw_key_text(&w, "reason", (struct str){reason, (size_t)n});
	jw_object_end(&w);
	wait_again(c, 0);
}

static void begin_document(struct replay *r, int64_t number)
{
	size_t index = (size_t)number % r->round_length;
	int64_t round = number / (int64_t)r->round_length;
	const struct retail_document *d = &r->options.data->documents[index];
	char suffix[24];
	suffix_of(suffix, round);
	if (index == 0 && round > 0) {
		memset(r->current, 0, r->round_length * sizeof(*r->current));
		receive(r, round);
	}
	pthread_mutex_lock(&r->lock);
	r->counts.documents++;
	r->counts.returns += d->kind == RETAIL_RETURN;
	r->counts.adjustments += d->kind == RETAIL_ADJUST;
	r->counts.accounting += d->kind == RETAIL_ACCOUNTING;
	pthread_mutex_unlock(&r->lock);
	switch (d->kind) {
	case RETAIL_ORDER:
		place_order(r, index, d, suffix);
		break;
	case RETAIL_CANCEL:
		cancel_order(r, d, suffix);
		break;
	case RETAIL_RETURN:
		move(r, "return", d, suffix);
		break;
	case RETAIL_ADJUST:
		move(r, "adjust", d, suffix);
		break;
	case RETAIL_ACCOUNTING:
		break;
	}
}

static void *work(void *ctx)
{
	struct replay *r = ctx;
	int64_t begun = 0, started = mono(r);
	int64_t last = r->options.documents ? r->options.documents : REPLAY_DOCUMENTS_MAX;
	while (begun < last && !atomic_load(&r->stopping)) {
		int64_t due = (mono(r) - started) / 1000 * r->options.rate / 1000000 + 1;
		while (begun < last && begun < due && http_transfers(r->http) < TRANSFERS_MAX)
			begin_document(r, begun++);
		run_waiting(r);
		http_run(r->http, 2, -1);
	}
	while (!atomic_load(&r->dropping) && (http_transfers(r->http) > 0 || r->waiting)) {
		run_waiting(r);
		http_run(r->http, 2, -1);
	}
	atomic_store(&r->ended, true);
	return NULL;
}

/* ---- the whole ---- */

struct replay *replay_new(const struct replay_options *o)
{
	struct replay *r = mem_zalloc(1, sizeof(*r));
	r->options = *o;
	r->warehouse = sandbox_find(o->sandbox, o->warehouse);
	r->shop = sandbox_find(o->sandbox, "shop");
	assert(r->warehouse && r->shop && o->data->count > 0);
	if (o->documents > REPLAY_DOCUMENTS_MAX)
		r->options.documents = REPLAY_DOCUMENTS_MAX;
	r->round_length = o->documents && (size_t)o->documents < o->data->count ? (size_t)o->documents : o->data->count;
	arena_init(&r->arena, SYSTEM_BYTES_MAX);
	map_init(&r->items, SYSTEM_ENTRIES_MAX);
	pthread_mutex_init(&r->lock, NULL);
	r->orders = mem_zalloc(REPLAY_DOCUMENTS_MAX, sizeof(struct replay_order *));
	r->current = mem_zalloc(r->round_length, sizeof(struct replay_order *));
	add_up(r);
	return r;
}

enum rc replay_start(struct replay *r, const char *hub, const char *key, struct err *e)
{
	r->http = http_new("crossdock-demo");
	if (asprintf(&r->hub, "%s", hub) < 0 || asprintf(&r->authorization, "Bearer %s", key) < 0)
		abort();
	if (pthread_create(&r->thread, NULL, work, r) != 0)
		return err_set(e, RC_IO, "no_thread", "A thread could not be started.");
	r->running = true;
	return RC_OK;
}

void replay_quit(struct replay *r)
{
	atomic_store(&r->stopping, true);
}

void replay_stop(struct replay *r)
{
	atomic_store(&r->dropping, true);
	atomic_store(&r->stopping, true);
	if (r->running)
		pthread_join(r->thread, NULL);
	r->running = false;
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	assert(!r->running);
	if (r->http)
		http_free(r->http);
	for (struct call *c = r->all, *older; c; c = older) {
		older = c->older;
		finish(c);
	}
	map_done(&r->items);
	arena_done(&r->arena);
	pthread_mutex_destroy(&r->lock);
	free(r->orders);
	free(r->current);
	free(r->hub);
	free(r->authorization);
	free(r);
}

bool replay_ended(const struct replay *r)
{
	return atomic_load(&r->ended);
}

struct replay_counts replay_read(struct replay *r)
{
	pthread_mutex_lock(&r->lock);
	struct replay_counts c = r->counts;
	pthread_mutex_unlock(&r->lock);
	return c;
}

size_t replay_order_count(const struct replay *r)
{
	return r->order_count;
}

const struct replay_order *replay_order_at(const struct replay *r, size_t i)
{
	return r->orders[i];
}

const struct replay_item *replay_item_next(const struct replay *r, size_t *at)
{
	struct str key;
	return map_next(&r->items, at, &key);
}
