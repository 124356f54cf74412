/*
 * The same sale with Crossdock: the real hub, store and delivery engine under a virtual clock. A customer looks at what
 * the channel shows; what seems to be there is reserved through the hub (POST /v1/reservations); what is short is left
 * out and the rest reserved; then the order is placed with the reservation. The channel shows what it is told, when it
 * is told.
 */
#include "simulate/flash_sale.h"

#include "base/hash.h"
#include "base/mem.h"
#include "connect/canonical.h"
#include "connect/delivery.h"
#include "observe/log.h"
#include "simulate/agenda.h"

#include <unistd.h>

#define LINES_AT_ONCE 500
#define AFTER_MS      600000

static const char *const channels[FLASH_CHANNELS] = {"shop", "portal", "market"};

static const char yaml[] = "tenants:\n"
			   "  sale:\n"
			   "    locations: {main: {}}\n"
			   "    systems:\n"
			   "      shop: {connector: canonical, url: \"http://shop.invalid\", roles: [channel]}\n"
			   "      portal: {connector: canonical, url: \"http://portal.invalid\", roles: [channel]}\n"
			   "      market: {connector: canonical, url: \"http://market.invalid\", roles: [channel]}\n"
			   "      erp: {connector: canonical, url: \"http://erp.invalid\", roles: [erp]}\n"
			   "    channels:\n"
			   "      shop: {locations: [main]}\n"
			   "      portal: {locations: [main]}\n"
			   "      market: {locations: [main]}\n"
			   "    processes: {order: order-to-cash}\n";

struct buyer {
	struct task task;
	struct crossdock *x;
	const struct flash_order *order;
	struct flash_line *lines; /* still wanted */
	int count, attempt, status;
	struct arena arena; /* of the command that is with the hub */
	struct json *answer;
};

struct flash_transfer {
	struct task task;
	struct crossdock *x;
	struct flash_transfer *next;
	http_done_fn done;
	void *ctx;
	struct str body;
	int channel; /* that is told what it may sell; -1: another request */
	bool post_order, arrived, cancelled;
};

struct crossdock {
	struct transport transport;
	struct sale *sale;
	struct clock clock;
	int64_t now; /* from the start of the sale */
	struct config *config;
	struct hub *hub;
	struct delivery_engine *engine;
	struct delivery_hub *engine_hub;
	int64_t hub_at, engine_at;
	struct agenda agenda;
	struct arena arena;
	struct map items; /* struct flash_item by sku */
	struct flash_transfer *ended, **ended_last;
	int posted;
	struct err *e;
	enum rc rc;
};

static struct crossdock *of_clock;

static int64_t wall_ms(const struct clock *c)
{
	(void)c;
	return FLASH_STARTS_AT + of_clock->now;
}

static int64_t mono_ns(const struct clock *c)
{
	return wall_ms(c) * 1000000;
}

static void give_up(struct crossdock *x, const char *what)
{
	if (x->rc == RC_OK)
		x->rc = err_set(x->e, RC_IO, "flash_sale_failed", "%s", what);
}

/* ---- the channels and the ERP ---- */

static void show_all(struct crossdock *x, int channel, struct str body)
{
	struct json *doc = NULL;
	const struct json *items;
	struct arena a;

	arena_init(&a, 16u << 20);
	if (json_parse(&a, body, NULL, &doc, NULL) != RC_OK)
		give_up(x, "a channel is told what is not JSON");
	items = json_get(doc, "items");
	for (uint32_t i = 0; items && i < items->count; i++) {
		struct flash_item *item = map_get(&x->items, json_get_text(&items->items[i], "sku"));
		qty_t q = 0;

		if (item && qty_parse(json_get_text(&items->items[i], "available"), &q, NULL) == RC_OK)
			sale_show(x->sale, x->now, channel, (int)(item - x->sale->demand->items), q / QTY_ONE);
	}
	arena_done(&a);
}

static void run_transfer(void *ctx, struct task *task)
{
	struct flash_transfer *t = (struct flash_transfer *)task;
	struct crossdock *x = ctx;

	if (!t->arrived) {
		t->arrived = true;
		if (t->channel >= 0)
			show_all(x, t->channel, t->body);
		agenda_put(&x->agenda, task, x->now + sale_delay(x->sale));
		return;
	}
	t->next = NULL;
	*x->ended_last = t;
	x->ended_last = &t->next;
}

static enum rc transfer_start(struct transport *transport, const struct http_request *r, http_done_fn done, void *ctx,
			      void **transfer, struct err *e)
{
	struct crossdock *x = (struct crossdock *)transport;
	struct flash_transfer *t = arena_new(&x->arena, struct flash_transfer);

	(void)e;
	*t = (struct flash_transfer){.task = {.run = run_transfer}, .x = x, .done = done, .ctx = ctx, .channel = -1};
	for (int c = 0; c < FLASH_CHANNELS; c++)
		if (r->url.n > 7 + strlen(channels[c]) && memcmp(r->url.p + 7, channels[c], strlen(channels[c])) == 0 &&
		    r->url.n > 13 && memcmp(r->url.p + r->url.n - 13, "/availability", 13) == 0)
			t->channel = c;
	t->post_order = r->url.n > 7 && memcmp(r->url.p + r->url.n - 7, "/orders", 7) == 0;
	t->body = t->channel >= 0 ? arena_copy(&x->arena, r->body) : STR_NONE;
	agenda_put(&x->agenda, &t->task, x->now + sale_delay(x->sale));
	*transfer = t;
	return RC_OK;
}

static void transfer_cancel(struct transport *transport, void *transfer)
{
	(void)transport;
	((struct flash_transfer *)transfer)->cancelled = true;
}

static void transfers_run(struct transport *transport, int timeout_ms, int wake_fd)
{
	struct crossdock *x = (struct crossdock *)transport;

	(void)timeout_ms;
	(void)wake_fd;
	while (x->ended) {
		struct flash_transfer *t = x->ended;
		struct http_answer a = {.status = 200, .sent = true, .body = STR("{}")};
		char body[48];

		x->ended = t->next;
		if (!x->ended)
			x->ended_last = &x->ended;
		if (t->post_order)
			a.body = (struct str){
			    body, (size_t)snprintf(body, sizeof(body), "{\"external_id\":\"N-%d\"}", ++x->posted)};
		if (!t->cancelled)
			t->done(t->ctx, &a);
	}
}

/* ---- customers ---- */

static void reserve(void *ctx, struct task *task);
static void hear(void *ctx, struct task *task);

static void write_lines(struct buf *out, const struct buyer *b, bool order)
{
	for (int i = 0; i < b->count; i++) {
		struct str sku = b->x->sale->demand->items[b->lines[i].item].sku;

		buf_printf(out, "%s{", i ? "," : "");
		if (order)
			buf_printf(out, "\"line_id\":\"%d\",", i + 1);
		buf_printf(out, "\"sku\":\"" STR_FMT "\",\"quantity\":\"%d\"}", STR_ARG(sku), b->lines[i].quantity);
	}
}

static void command_done(struct command *c, void *ctx)
{
	struct buyer *b = ctx;
	struct crossdock *x = b->x;
	bool hold = c->type == COMMAND_HOLD;

	b->status = c->answer.status;
	if (!hold && b->status >= 300)
		give_up(x, "an order whose stock is reserved was refused");
	if (hold && b->status == 201)
		sale_accept(x->sale, x->now, b->lines, b->count);
	if (hold && b->status == 409 &&
	    json_parse(&b->arena, arena_copy(&b->arena, c->answer.body), NULL, &b->answer, NULL) != RC_OK)
		give_up(x, "a refusal is not JSON");
	command_free(c);
	if (!hold) {
		arena_done(&b->arena);
		return;
	}
	b->task.run = hear;
	agenda_put(&x->agenda, &b->task, x->now + sale_delay(x->sale));
}

static struct json *parse(struct buyer *b, const struct buf *text)
{
	struct json *doc = NULL;

	if (json_parse(&b->arena, arena_copy(&b->arena, buf_str(text)), NULL, &doc, NULL) != RC_OK)
		give_up(b->x, "a request cannot be made");
	return doc;
}

static void submit(struct buyer *b, struct command *c)
{
	c->done = command_done;
	c->ctx = b;
	if (hub_submit(b->x->hub, c) != RC_OK) {
		command_free(c);
		give_up(b->x, "the hub takes nothing");
	}
}

static void reserve(void *ctx, struct task *task)
{
	struct buyer *b = (struct buyer *)task;
	struct crossdock *x = ctx;
	struct command *c = command_new(COMMAND_HOLD);
	struct findings f;
	struct buf text;

	arena_init(&b->arena, 16u << 20);
	buf_init(&text, 4u << 20);
	buf_printf(&text, "{\"reservation_id\":\"r%d-%d\",\"channel\":\"%s\",\"ttl_s\":900,\"lines\":[",
		   b->order->number, b->attempt, channels[b->order->channel]);
	write_lines(&text, b, false);
	buf_add_z(&text, "]}");
	struct json *doc = parse(b, &text);
	findings_init(&f, &b->arena);
	if (x->rc == RC_OK &&
	    (!command_holds(c, 1, false) ||
	     hold_request_read(&b->arena, doc, SKU_AS_IS, "", &c->holds.items[0].request, &f) != RC_OK))
		give_up(x, "a reservation cannot be made");
	else if (x->rc == RC_OK)
		c->holds.items[0].fingerprint = (uint64_t)b->order->number;
	c->fingerprint = (uint64_t)b->order->number;
	c->correlation_id = STR("flash-sale");
	c->source = str_from(channels[b->order->channel]);
	buf_done(&text);
	submit(b, c);
}

static void place(void *ctx, struct task *task)
{
	struct buyer *b = (struct buyer *)task;
	struct crossdock *x = ctx;
	struct command *c = NULL;
	struct canonical_origin origin = {.tenant = &x->config->tenants[0],
					  .source = str_from(channels[b->order->channel]),
					  .correlation_id = STR("flash-sale"),
					  .items = 1};
	struct buf text;
	char at[TIME_TEXT];

	arena_init(&b->arena, 16u << 20);
	buf_init(&text, 4u << 20);
	time_format(FLASH_STARTS_AT + b->order->at, at);
	buf_printf(&text,
		   "{\"channel\":\"%s\",\"external_id\":\"%d\",\"placed_at\":\"%s\",\"currency\":\"GBP\",\"customer\":"
		   "{\"external_id\":\"C\"},\"reservation_id\":\"r%d-%d\",\"lines\":[",
		   channels[b->order->channel], b->order->number, at, b->order->number, b->attempt);
	write_lines(&text, b, true);
	buf_add_z(&text, "]}");
	struct json *doc = parse(b, &text);
	if (x->rc == RC_OK && canonical_command(&origin, STR("order"), doc, &c, x->e) != RC_OK)
		give_up(x, "an order cannot be made");
	buf_done(&text);
	if (c)
		submit(b, c);
}

static bool is_short(const struct buyer *b, const struct flash_line *l)
{
	const struct json *list = json_get(b->answer, "short");

	for (uint32_t i = 0; list && i < list->count; i++)
		if (str_eq(json_get_text(&list->items[i], "sku"), b->x->sale->demand->items[l->item].sku))
			return true;
	return false;
}

/* The customer, or the channel for him, hears of the reservation. */
static void hear(void *ctx, struct task *task)
{
	struct buyer *b = (struct buyer *)task;
	struct crossdock *x = ctx;
	int count = 0, before = b->count;

	if (b->status == 201) {
		arena_done(&b->arena);
		b->task.run = place;
		agenda_put(&x->agenda, &b->task, x->now + sale_delay(x->sale));
		return;
	}
	for (int i = 0; i < b->count; i++)
		if (is_short(b, &b->lines[i]))
			sale_refused(x->sale, x->now, &b->lines[i]);
		else
			b->lines[count++] = b->lines[i];
	b->count = count;
	b->attempt++;
	arena_done(&b->arena);
	if (count == before || b->status != 409) {
		give_up(x, "a reservation is refused, and nothing is short");
		return;
	}
	b->task.run = reserve;
	if (count > 0)
		agenda_put(&x->agenda, &b->task, x->now + sale_delay(x->sale));
}

static void come(void *ctx, struct task *task)
{
	struct buyer *b = (struct buyer *)task;
	struct crossdock *x = ctx;

	b->lines = arena_array(&x->arena, struct flash_line, b->order->line_count);
	for (int i = 0; i < b->order->line_count; i++)
		if (sale_look(x->sale, x->now, b->order->channel, &b->order->lines[i]))
			b->lines[b->count++] = b->order->lines[i];
	b->task.run = reserve;
	if (b->count > 0)
		agenda_put(&x->agenda, &b->task, x->now + sale_delay(x->sale));
}

/* ---- the hub ---- */

static void told(void *ctx, struct hub *h, const struct delivery_head *heads, size_t count)
{
	struct crossdock *x = ctx;

	(void)h;
	delivery_heads(x->engine_hub, heads, count);
}

static void pump(struct crossdock *x)
{
	size_t commands;
	bool more = true;

	do {
		int64_t next, at;

		commands = hub_run(x->hub, 0, &next);
		x->hub_at = x->now + (next > 5 ? next : 5);
		if (commands == 0 && !more)
			return;
		at = delivery_turn(x->engine);
		x->engine_at = at == INT64_MAX ? at : at - FLASH_STARTS_AT;
		more = x->engine_at <= x->now;
	} while (x->rc == RC_OK);
}

static void pass(struct crossdock *x, int64_t until)
{
	while (x->rc == RC_OK) {
		int64_t at = agenda_next(&x->agenda);

		if (x->hub_at < at)
			at = x->hub_at;
		if (x->engine_at < at)
			at = x->engine_at;
		if (at > until)
			break;
		x->now = at > x->now ? at : x->now;
		while (agenda_next(&x->agenda) <= x->now && x->rc == RC_OK) {
			struct task *t = agenda_take(&x->agenda);

			t->run(x, t);
		}
		pump(x);
		if (x->engine_at <= x->now)
			x->engine_at = x->now + 1;
	}
	x->now = until;
}

static void receive_done(struct command *c, void *ctx)
{
	if (c->answer.status >= 300)
		give_up(ctx, "the opening stock is not taken");
	command_free(c);
}

static void receive(struct crossdock *x, const char *id, bool opening)
{
	const struct demand *d = x->sale->demand;

	for (size_t from = 0; from < d->item_count; from += LINES_AT_ONCE) {
		struct command *c = command_new(COMMAND_STOCK_MOVE);
		size_t n = d->item_count - from < LINES_AT_ONCE ? d->item_count - from : LINES_AT_ONCE;
		struct movement *m;

		c->movements.items = arena_new(&c->arena, struct command_movement);
		c->movements.count = 1;
		m = &c->movements.items[0].movement;
		*m = (struct movement){.type = MOVE_RECEIVE,
				       .source = STR("erp"),
				       .source_event_id = str_from(arena_printf(&c->arena, "%s-%zu", id, from)),
				       .occurred_at = FLASH_STARTS_AT + x->now,
				       .lines = arena_array(&c->arena, struct movement_line, n)};
		for (size_t i = 0; i < n; i++) {
			const struct flash_item *item = &d->items[from + i];

			if ((opening ? item->stock : item->receipt) > 0)
				m->lines[m->line_count++] = (struct movement_line){
				    .sku = item->sku,
				    .location = STR("main"),
				    .quantity = (opening ? item->stock : item->receipt) * QTY_ONE};
		}
		c->correlation_id = STR("receipt");
		c->source = STR("erp");
		c->done = receive_done;
		c->ctx = x;
		if (hub_submit(x->hub, c) != RC_OK)
			give_up(x, "the hub takes nothing");
	}
}

/* Goods come in; the hub hears of it by the same network as everybody. */
struct receipt {
	struct task task;
	bool heard;
	char id[16];
};

static void come_in(void *ctx, struct task *task)
{
	struct receipt *r = (struct receipt *)task;
	struct crossdock *x = ctx;

	if (r->heard) {
		receive(x, r->id, false);
		return;
	}
	r->heard = true;
	sale_receive(x->sale, x->now);
	agenda_put(&x->agenda, task, x->now + sale_delay(x->sale));
}

/* What the hub has promised is what the customers were promised. */
static void add_promised(void *ctx, const struct stock_position *positions, size_t count)
{
	qty_t *sum = ctx;

	for (size_t i = 0; i < count; i++)
		*sum += positions[i].states[STOCK_ALLOCATED] + positions[i].states[STOCK_HELD];
}

static void check_promises(struct crossdock *x)
{
	for (size_t i = 0; i < x->sale->demand->item_count; i++) {
		qty_t promised = 0;

		if (stock_view_read(hub_stock(x->hub), x->sale->demand->items[i].sku, add_promised, &promised) !=
			RC_OK ||
		    promised != x->sale->items[i].sold * QTY_ONE)
			give_up(x, "the hub has promised something else than the customers were promised");
	}
}

static enum rc run(struct crossdock *x, const char *folder)
{
	const struct hub_sinks sinks = {.ctx = x, .deliveries = told};
	char url[128];
	const struct store_options store = {.url = url, .clock = &x->clock};
	struct buyer *buyers;
	enum rc rc;

	snprintf(url, sizeof(url), "sqlite:%s/sale.db", folder);
	rc = hub_open(x->config, &x->config->tenants[0], &store, &x->clock, &x->hub, x->e);
	if (rc != RC_OK)
		return rc;
	hub_set_sinks(x->hub, &sinks);
	rc = delivery_open(&(struct delivery_setup){&x->hub, 1, &x->clock, &x->transport, 1}, &x->engine, x->e);
	if (rc != RC_OK)
		return rc;
	x->engine_hub = delivery_hub_of(x->engine, 0);
	/* Known to all before the doors open. */
	receive(x, "opening", true);
	pass(x, 0);
	for (int i = 0; i < FLASH_RECEIPTS; i++) {
		struct receipt *r = arena_new(&x->arena, struct receipt);

		r->task.run = come_in;
		snprintf(r->id, sizeof(r->id), "receipt-%d", i);
		agenda_put(&x->agenda, &r->task, flash_receipts_at[i]);
	}
	buyers = arena_array(&x->arena, struct buyer, x->sale->demand->order_count);
	for (size_t i = 0; i < x->sale->demand->order_count; i++) {
		buyers[i] = (struct buyer){.task = {.run = come}, .x = x, .order = &x->sale->demand->orders[i]};
		agenda_put(&x->agenda, &buyers[i].task, x->sale->demand->orders[i].at);
	}
	pass(x, (int64_t)FLASH_MINUTES * 60000 + AFTER_MS);
	if (x->rc == RC_OK)
		check_promises(x);
	return x->rc;
}

static enum rc configure(struct crossdock *x, const char *folder, const char *share)
{
	char path[128];
	struct findings f;
	struct arena a;
	FILE *file;
	enum rc rc;

	snprintf(path, sizeof(path), "%s/crossdock.yaml", folder);
	file = fopen(path, "w");
	if (!file || fputs(yaml, file) == EOF || fclose(file) == EOF)
		return err_set(x->e, RC_IO, "cannot_write", "%s cannot be written", path);
	arena_init(&a, 16u << 20);
	findings_init(&f, &a);
	rc = config_load(folder, share, &x->config, &f);
	if (rc != RC_OK && f.count)
		err_set(x->e, rc, "bad_configuration", "%s: %s", f.list[0].pointer, f.list[0].detail);
	arena_done(&a);
	return rc;
}

static void tidy(const char *folder)
{
	static const char *const names[] = {"crossdock.yaml", "sale.db", "sale.db-wal", "sale.db-shm", "sale.db.lock"};
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

enum rc flash_crossdock(struct sale *s, const struct flash_options *o, struct err *e)
{
	struct crossdock x = {.transport = {transfer_start, transfer_cancel, transfers_run},
			      .sale = s,
			      .clock = {wall_ms, mono_ns},
			      .now = -60000,
			      .hub_at = -60000,
			      .engine_at = INT64_MAX,
			      .e = e};
	char folder[64];
	enum rc rc;

	random_simulate(o->seed);
	log_set_level(LOG_ERROR);
	of_clock = &x;
	x.ended_last = &x.ended;
	arena_init(&x.arena, (size_t)2 << 30);
	map_init(&x.items, s->demand->item_count + 1);
	for (size_t i = 0; i < s->demand->item_count; i++)
		if (map_put(&x.items, s->demand->items[i].sku, &s->demand->items[i]) != RC_OK)
			abort();
	snprintf(folder, sizeof(folder), "%s/crossdock-sale-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(folder))
		return err_set(e, RC_IO, "no_folder", "a temporary folder cannot be made");
	rc = configure(&x, folder, o->share);
	if (rc == RC_OK)
		rc = run(&x, folder);
	delivery_free(x.engine);
	hub_close(x.hub);
	config_unref(x.config);
	tidy(folder);
	agenda_done(&x.agenda);
	map_done(&x.items);
	arena_done(&x.arena);
	return rc;
}
