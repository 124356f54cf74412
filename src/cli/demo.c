/*
 * `crossdock demo`: a hub as a child process, four sandbox systems in this one, and the example orders replayed through
 * them.
 *
 *     prepare -> open (counts reach the shops) -> replay -> drain -> compare
 *
 * Without --for the replay goes on until ^C, and the end is the same: drain, compare, clean up. A second ^C, or the end
 * of the hub, cuts it short. Signals are blocked in every thread and taken here, between two lines of the summary.
 */
#include "cli/cli.h"
#include "format/json.h"
#include "hub/share.h"
#include "sandbox/compare.h"
#include "sandbox/hub_process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TENANT       "demo"
#define RATE         "100" /* documents a second */
#define PICK_MS      500
#define DRAIN_MAX_MS 120000
#define OPEN_MAX_MS  60000
#define QUIET_LOOKS  3 /* in a row */
#define HEAD_EVERY   20

static const char *const locations[] = {"east", "west"};
static const struct compare_systems systems = {"erp", "wms", {"shop", "portal"}};

struct demo {
	const char *seconds, *folder, *rate, *data, *behave;
	int64_t rate_n, for_s;
	const struct clock *clock;
	struct retail retail;
	struct meter *meter;
	struct system_watch watch;
	struct sandbox *sandbox;
	struct replay *replay;
	struct hub_process hub;
	struct client *client;
	sigset_t signals;
	int64_t started_ms;
	int lines, interrupts;
};

/* What a look at the hub says. */
struct look {
	bool good;
	int64_t reserved, backordered, dead, open; /* open: deliveries and messages that have not ended */
};

static int64_t now(const struct demo *d)
{
	return clock_mono_ns(d->clock) / 1000000;
}

/* Waits, at most until `until`. false: the demo must stop what it does (^C, or the hub has ended). */
static bool wait_until(struct demo *d, int64_t until_ms)
{
	int64_t left = until_ms - now(d);
	struct timespec t = {.tv_sec = left > 0 ? left / 1000 : 0, .tv_nsec = left > 0 ? left % 1000 * 1000000 : 0};
	if (sigtimedwait(&d->signals, NULL, &t) > 0)
		d->interrupts++;
	return d->interrupts == 0 && hub_process_alive(&d->hub);
}

/* ---- preparing ---- */

static enum rc find_data(struct demo *d, struct arena *a, struct err *e)
{
	const char *share;
	if (d->data)
		return RC_OK;
	enum rc rc = share_find(a, &share, e);
	if (rc == RC_OK)
		d->data = arena_printf(a, "%s/examples/online-retail/orders.csv.zst", share);
	return rc;
}

static enum rc serve_systems(struct demo *d, struct err *e)
{
	struct system *all[] = {sandbox_erp_new("erp", 1), sandbox_warehouse_new("wms", 2, PICK_MS),
				sandbox_shop_new("shop", 3, false), sandbox_shop_new("portal", 4, false)};
	enum rc rc = RC_OK;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (rc == RC_OK)
			rc = sandbox_serve(d->sandbox, all[i], 0, e);
		else
			system_free(all[i]);
	}
	return rc;
}

static void write_configuration(const struct demo *d, struct buf *out)
{
	static const struct {
		const char *name, *rest;
	} rows[] = {
	    {"shop", "roles: [channel]"},
	    {"portal", "roles: [channel]"},
	    {"erp", "roles: [erp]"},
	    {"wms", "roles: [warehouse], locations: [east, west]"},
	};
	buf_printf(out, "listen: 127.0.0.1:0\nstore: sqlite\ntenants:\n  " TENANT ":\n    sku_case: upper\n"
			"    locations: {east: {}, west: {}}\n    systems:\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		buf_printf(out, "      %s: {connector: canonical, url: \"http://127.0.0.1:%u\", %s}\n", rows[i].name,
			   (unsigned)sandbox_port(d->sandbox, rows[i].name), rows[i].rest);
	buf_printf(out, "    channels:\n      shop: {locations: [east, west], share: 100%%, buffer: \"0\"}\n"
			"      portal: {locations: [east], share: 50%%, buffer: \"1\", cap: \"100\"}\n"
			"    records: {stock: wms, price: erp, customer: erp, item: erp}\n"
			"    processes: {order: order-to-cash}\n"
			"    delivery: {retry_base: 200ms, retry_max: 2s, confirm_after: 2s}\n");
}

/* Six tenths of the time are for the replay, the rest for what is under way. */
static int64_t documents(const struct demo *d)
{
	int64_t n = d->rate_n * d->for_s * 6 / 10;
	return d->for_s == 0 ? 0 : n > 0 ? n : 1;
}

static enum rc prepare(struct demo *d, struct err *e)
{
	struct sandbox_options options = {.clock = d->clock, .watch = &d->watch};
	struct buf yaml;
	enum rc rc = retail_load(&d->retail, d->data, e);
	if (rc)
		return rc;
	d->meter = meter_new(d->clock);
	meter_watch(d->meter, systems.shops[0], &d->watch);
	d->sandbox = sandbox_new(&options);
	rc = serve_systems(d, e);
	if (rc)
		return rc;
	struct replay_options r = {.data = &d->retail,
				   .sandbox = d->sandbox,
				   .meter = d->meter,
				   .clock = d->clock,
				   .warehouse = systems.warehouse,
				   .locations = {locations[0], locations[1]},
				   .rate = d->rate_n,
				   .documents = documents(d)};
	d->replay = replay_new(&r);
	buf_init(&yaml, 1u << 16);
	write_configuration(d, &yaml);
	rc = hub_process_prepare(&d->hub, d->folder, yaml.p, e);
	buf_done(&yaml);
	if (rc == RC_OK)
		rc = hub_process_start(&d->hub, TENANT, e);
	if (rc)
		return rc;
	d->client = client_new(d->hub.address, d->hub.key);
	return sandbox_start(d->sandbox, d->hub.address, TENANT, d->hub.key, e);
}

/* ---- the summary ---- */

static int64_t count_of(const struct json *object, const char *name)
{
	int64_t n = 0;
	return json_int(json_get(object, name), &n) ? n : 0;
}

static struct look look_at_hub(struct demo *d)
{
	static const char *const with_stock[] = {"reserved", "accepted", "released", "partially_shipped",
						 "shipped",  "invoiced", "closed"};
	struct look l = {0};
	struct arena a;
	const struct json *j = NULL;
	arena_init(&a, 16u << 20);
	if (client_call(d->client, "/v1/overview", NULL, &a, &j, NULL) == RC_OK) {
		const struct json *orders = json_get(j, "orders"), *rows = json_get(j, "deliveries");
		l.good = true;
		for (size_t i = 0; i < sizeof(with_stock) / sizeof(with_stock[0]); i++)
			l.reserved += count_of(orders, with_stock[i]);
		l.backordered = count_of(json_get(j, "exceptions"), "backordered");
		l.dead = count_of(j, "dead_letters_open");
		for (uint32_t i = 0; json_is(rows, JSON_ARRAY) && i < rows->count; i++) {
			struct str status = json_get_text(&rows->items[i], "status");
			if (str_is(status, "open"))
				l.open += count_of(&rows->items[i], "count");
		}
		const struct json *inbox = json_get(j, "inbox");
		for (uint32_t i = 0; json_is(inbox, JSON_ARRAY) && i < inbox->count; i++)
			if (str_is(json_get_text(&inbox->items[i], "fate"), "pending"))
				l.open += count_of(&inbox->items[i], "count");
	}
	arena_done(&a);
	return l;
}

static void print_console(const struct demo *d)
{
	printf("console: %s/console/#key=%s\n", d->hub.address, d->hub.key);
}

static void print_line(struct demo *d)
{
	struct replay_counts c = replay_read(d->replay);
	struct meter_values m = meter_read(d->meter);
	struct look l = look_at_hub(d);
	long long lost = l.dead + m.refused + c.refused;
	long long oversold = sandbox_warehouse_short(sandbox_find(d->sandbox, systems.warehouse)) / QTY_ONE;
	if (d->lines++ % HEAD_EVERY == 0)
		printf("%5s %7s %8s %8s %8s %7s %9s  %-15s  %-15s %8s %5s\n", "s", "orders", "reserved", "posted",
		       "shipped", "backord", "published", "order-ERP ms", "stock-shop ms", "oversold", "lost");
	printf("%5.1f %7lld %8lld %8lld %8lld %7lld %9lld  p50 %4.0f p99 %4.0f  p50 %4.0f p99 %4.0f %8lld %5lld\n",
	       (double)(now(d) - d->started_ms) / 1000, (long long)c.taken, (long long)l.reserved, (long long)m.posted,
	       (long long)m.shipped, (long long)l.backordered, (long long)m.shown, m.order.p50_ms, m.order.p99_ms,
	       m.stock.p50_ms, m.stock.p99_ms, oversold, lost);
	fflush(stdout);
}

static void print_rules(const struct demo *d)
{
	struct replay_counts c = replay_read(d->replay);
	printf("\nwhat the data holds (docs/sandbox.md says more):\n");
	for (int i = 0; i < RETAIL_RULE_COUNT; i++)
		printf("%7lld  %-15s %s\n", (long long)d->retail.applied[i], retail_rule_name((enum retail_rule)i),
		       retail_rule_text((enum retail_rule)i));
	printf("\nof it %lld invoices were replayed: %lld orders sent, %lld of them again; %lld lines and %lld whole "
	       "orders\n"
	       "not sold because the shop showed them sold out; %lld cancelled in time, %lld too late; %lld returns, "
	       "%lld stock\n"
	       "corrections, %lld accounting entries.\n\n",
	       (long long)c.documents, (long long)c.sent, (long long)c.repeats, (long long)c.lines_sold_out,
	       (long long)c.not_placed, (long long)c.cancelled, (long long)c.too_late, (long long)c.returns,
	       (long long)c.adjustments, (long long)c.accounting);
}

/* ---- the run ---- */

/* "SYSTEM:MODE,name=value SYSTEM:MODE ...": how the systems behave while orders come in. */
static enum rc misbehave(struct demo *d, struct err *e)
{
	enum rc rc = RC_OK;
	for (const char *p = d->behave; rc == RC_OK && p && *p;) {
		char name[64], mode[256];
		size_t n = strcspn(p, " "), colon = strcspn(p, ":");
		(void)snprintf(name, sizeof(name), "%.*s", (int)(colon < n ? colon : n), p);
		(void)snprintf(mode, sizeof(mode), "%.*s,add", colon < n ? (int)(n - colon - 1) : 0,
			       p + (colon < n ? colon + 1 : n));
		struct system *s = sandbox_find(d->sandbox, name);
		rc = s ? system_behave(s, mode, clock_wall_ms(d->clock), e)
		       : err_set_at(e, RC_INVALID, "unknown_system", name,
				    "--behave takes SYSTEM:MODE of one of the demo's systems.");
		p += n;
		p += strspn(p, " ");
	}
	return rc;
}

static void behave(struct demo *d)
{
	const char *const names[] = {systems.erp, systems.warehouse, systems.shops[0], systems.shops[1]};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (system_behave(sandbox_find(d->sandbox, names[i]), "ok", clock_wall_ms(d->clock), NULL))
			abort();
}

/* Until nobody has anything left to do. false: interrupted, or it took too long. */
static bool drain(struct demo *d, int64_t max_ms, bool summary)
{
	int64_t end = now(d) + max_ms, next = now(d) + 1000;
	int quiet = 0;
	while (quiet < QUIET_LOOKS) {
		d->interrupts = 0;
		if (!wait_until(d, now(d) + 100) || now(d) > end)
			return false;
		struct look l = look_at_hub(d);
		quiet = l.good && l.open == 0 && sandbox_idle(d->sandbox) ? quiet + 1 : 0;
		if (summary && now(d) >= next) {
			print_line(d);
			next += 1000;
		}
	}
	return true;
}

static bool open_stock(struct demo *d, struct err *e)
{
	replay_stock(d->replay);
	sandbox_warehouse_count(sandbox_find(d->sandbox, systems.warehouse), clock_wall_ms(d->clock));
	if (!drain(d, OPEN_MAX_MS, false)) {
		(void)err_set(e, RC_IO, "not_opened", "The opening stock did not reach the shops.");
		return false;
	}
	return true;
}

/* false: the hub has ended, or somebody insisted. */
static bool replay(struct demo *d, struct err *e)
{
	d->started_ms = now(d);
	if (misbehave(d, e) || replay_start(d->replay, d->hub.address, d->hub.key, e))
		return false;
	bool go_on = true, stopping = false;
	for (int64_t next = d->started_ms + 1000; go_on && !replay_ended(d->replay); next += 1000) {
		go_on = wait_until(d, next);
		print_line(d);
		if (!go_on && !stopping && hub_process_alive(&d->hub)) {
			printf("stopping; once more to stop at once\n");
			replay_quit(d->replay);
			d->interrupts = 0;
			go_on = stopping = true;
		}
	}
	replay_stop(d->replay);
	behave(d);
	bool alive = go_on && drain(d, DRAIN_MAX_MS, true);
	if (!alive)
		(void)err_set(e, RC_IO, "not_drained", "The hub has ended, or did not come to rest.");
	print_line(d);
	return alive;
}

static int finish(struct demo *d, struct err *e)
{
	struct compare c;
	print_rules(d);
	if (compare_run(&c, d->client, d->sandbox, &systems, d->replay, e))
		return cli_fail(e);
	compare_print(&c, stdout);
	bool agrees = compare_agrees(&c);
	printf("\n%s: oversold %lld, lost %lld\n", agrees ? "all agree" : "there are differences",
	       (long long)c.differ[COMPARE_OVERSOLD], (long long)c.lost);
	compare_done(&c);
	return agrees ? CLI_DONE : CLI_FAILED;
}

static int run(struct demo *d)
{
	struct err e = ERR_NONE;
	struct arena a;
	int code = CLI_FAILED;
	arena_init(&a, 1u << 20);
	enum rc rc = find_data(d, &a, &e);
	if (rc == RC_OK)
		rc = prepare(d, &e);
	if (rc == RC_OK)
		print_console(d);
	if (rc == RC_OK && open_stock(d, &e) && replay(d, &e))
		code = finish(d, &e);
	else
		code = cli_fail(&e);
	if (rc == RC_OK)
		print_console(d);
	if (d->replay)
		replay_stop(d->replay);
	hub_process_stop(&d->hub);
	sandbox_free(d->sandbox);
	replay_free(d->replay);
	meter_free(d->meter);
	client_free(d->client);
	retail_done(&d->retail);
	arena_done(&a);
	return code;
}

static bool number(const char *text, int64_t max, int64_t *out)
{
	char *end;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	*out = n;
	return *text && !*end && !errno && n > 0 && n <= max;
}

int cli_demo(int argc, char **argv)
{
	struct demo d = {.clock = clock_system(), .rate = RATE};
	struct cli_args args;
	const struct cli_option options[] = {{"for", &d.seconds, NULL},   {"dir", &d.folder, NULL},
					     {"rate", &d.rate, NULL},     {"data", &d.data, NULL},
					     {"behave", &d.behave, NULL}, {NULL, NULL, NULL}};
	if (!cli_parse(argc, argv, options, 0, &args))
		return CLI_USAGE;
	if (d.seconds && !number(d.seconds, 86400, &d.for_s))
		return cli_usage("demo", "--for takes seconds, not '%s'", d.seconds);
	if (!number(d.rate, 100000, &d.rate_n))
		return cli_usage("demo", "--rate takes documents a second, not '%s'", d.rate);
	sigemptyset(&d.signals);
	sigaddset(&d.signals, SIGINT);
	sigaddset(&d.signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &d.signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	return run(&d);
}
