/* `crossdock sandbox`: the sandbox systems until SIGTERM or SIGINT. Options are taken in the order given, and some
 * repeat. */
#include "sandbox/sandbox.h"
#include "cli/cli.h"
#include "sandbox/kinds.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define BEHAVIOURS_MAX 64
#define STOCK_MAX      1000

struct sandbox_plan {
	struct sandbox *sandbox;
	const char *hub, *tenant, *key, *pick;
	const char *behave[BEHAVIOURS_MAX], *stock[STOCK_MAX];
	size_t behave_count, stock_count;
	struct system *warehouse; /* the last one, which --stock is for */
	uint64_t seed;
};

static bool number(const char *text, long max, long *out)
{
	char *end;
	*out = strtol(text, &end, 10);
	return *text && !*end && *out >= 0 && *out <= max;
}

/* "PORT" or "NAME:PORT"; with compare "NAME:PORT:compare". */
static int add_system(struct sandbox_plan *p, const char *option, const char *value)
{
	char name[64];
	const char *colon = strchr(value, ':'), *port_text = colon ? colon + 1 : value;
	const char *usual = strcmp(option, "warehouse") == 0 ? "wms" : option;
	size_t n = colon ? (size_t)(colon - value) : strlen(usual);
	long port, pick_ms;
	char digits[8];
	size_t digit_count = strcspn(port_text, ":");
	bool shop = strcmp(option, "shop") == 0, compare = shop && strcmp(port_text + digit_count, ":compare") == 0;

	(void)snprintf(name, sizeof(name), "%.*s", (int)n, colon ? value : usual);
	(void)snprintf(digits, sizeof(digits), "%.*s", (int)digit_count, port_text);
	if (n == 0 || n >= sizeof(name) || !number(digits, 65535, &port) || (port_text[digit_count] && !compare))
		return cli_usage("sandbox", "--%s takes [NAME:]PORT, not '%s'", option, value);
	if (!number(p->pick, 3600000, &pick_ms))
		return cli_usage("sandbox", "--pick-ms takes milliseconds, not '%s'", p->pick);

	struct err e = ERR_NONE;
	struct system *s = shop                         ? sandbox_shop_new(name, p->seed, compare)
			   : strcmp(option, "erp") == 0 ? sandbox_erp_new(name, p->seed)
							: sandbox_warehouse_new(name, p->seed, pick_ms);
	if (sandbox_serve(p->sandbox, s, (uint16_t)port, &e))
		return cli_fail(&e);
	if (strcmp(option, "warehouse") == 0)
		p->warehouse = s;
	printf("%s %s http://127.0.0.1:%u\n", option, name, (unsigned)sandbox_port(p->sandbox, name));
	return CLI_DONE;
}

static int take_option(struct sandbox_plan *p, const char *name, const char *value)
{
	const struct {
		const char *name;
		const char **text;
	} texts[] = {{"hub", &p->hub}, {"tenant", &p->tenant}, {"key", &p->key}, {"pick-ms", &p->pick}};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(name, texts[i].name) == 0) {
			*texts[i].text = value;
			return CLI_DONE;
		}
	if (strcmp(name, "erp") == 0 || strcmp(name, "warehouse") == 0 || strcmp(name, "shop") == 0)
		return add_system(p, name, value);
	long seed;
	if (strcmp(name, "seed") == 0 && number(value, INT32_MAX, &seed)) {
		p->seed = (uint64_t)seed;
		return CLI_DONE;
	}
	if (strcmp(name, "behave") == 0 && p->behave_count < BEHAVIOURS_MAX) {
		p->behave[p->behave_count++] = value;
		return CLI_DONE;
	}
	if (strcmp(name, "stock") == 0 && p->stock_count < STOCK_MAX) {
		p->stock[p->stock_count++] = value;
		return CLI_DONE;
	}
	return cli_usage("sandbox", "there is no option '--%s' with the value '%s'", name, value);
}

/* "SYSTEM:MODE,name=value": behaviours of one system add up. */
static int set_behaviour(struct sandbox_plan *p, const char *text)
{
	char name[64], rule[512];
	size_t n = strcspn(text, ":");
	struct err e = ERR_NONE;

	(void)snprintf(name, sizeof(name), "%.*s", (int)n, text);
	struct system *s = text[n] ? sandbox_find(p->sandbox, name) : NULL;
	if (!s)
		return cli_usage("sandbox", "--behave takes SYSTEM:MODE of a system that runs, not '%s'", text);
	(void)snprintf(rule, sizeof(rule), "%s,add", text + n + 1);
	if (system_behave(s, rule, clock_wall_ms(clock_system()), &e))
		return cli_fail(&e);
	return CLI_DONE;
}

/* "LOCATION:SKU=QUANTITY": what lies in the warehouse; it is counted to the hub at the start. */
static int put_stock(struct sandbox_plan *p, const char *text)
{
	size_t location = strcspn(text, ":");
	const char *sku = text + location + 1, *equals = text[location] ? strrchr(sku, '=') : NULL;
	qty_t quantity;

	if (!p->warehouse || location == 0 || !equals || equals == sku ||
	    qty_parse(str_from(equals + 1), &quantity, NULL) != RC_OK || quantity < 0)
		return cli_usage("sandbox", "--stock takes LOCATION:SKU=QUANTITY, and needs --warehouse, not '%s'",
				 text);
	sandbox_warehouse_stock(p->warehouse, (struct str){sku, (size_t)(equals - sku)}, (struct str){text, location},
				quantity);
	return CLI_DONE;
}

static int prepare(struct sandbox_plan *p, int argc, char **argv)
{
	int code = CLI_DONE;

	for (int i = 1; code == CLI_DONE && i < argc; i++) {
		char *name = argv[i], *equals = strchr(name, '=');
		if (strncmp(name, "--", 2) != 0)
			return cli_usage("sandbox", "'%s' is one argument too many", name);
		if (!equals && i + 1 >= argc)
			return cli_usage("sandbox", "%s needs a value", name);
		char option[32];
		(void)snprintf(option, sizeof(option), "%.*s", equals ? (int)(equals - name - 2) : (int)strlen(name),
			       name + 2);
		code = take_option(p, option, equals ? equals + 1 : argv[++i]);
	}
	for (size_t i = 0; code == CLI_DONE && i < p->behave_count; i++)
		code = set_behaviour(p, p->behave[i]);
	for (size_t i = 0; code == CLI_DONE && i < p->stock_count; i++)
		code = put_stock(p, p->stock[i]);
	if (code == CLI_DONE && p->stock_count > 0)
		sandbox_warehouse_count(p->warehouse, clock_wall_ms(clock_system()));
	return code;
}

int cli_sandbox(int argc, char **argv)
{
	struct sandbox_options o = {.clock = clock_system()};
	struct sandbox_plan p = {.sandbox = sandbox_new(&o),
				 .hub = "http://127.0.0.1:8080",
				 .tenant = "demo",
				 .key = getenv("CROSSDOCK_KEY"),
				 .pick = "500",
				 .seed = 1};
	struct err e = ERR_NONE;
	sigset_t signals;
	int got;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	int code = prepare(&p, argc, argv);
	if (code == CLI_DONE && sandbox_count(p.sandbox) == 0)
		code = cli_usage("sandbox", "at least one of --erp, --warehouse, --shop");
	if (code == CLI_DONE && sandbox_start(p.sandbox, p.hub, p.tenant, p.key ? p.key : "", &e))
		code = cli_fail(&e);
	if (code == CLI_DONE) {
		fflush(stdout);
		sigwait(&signals, &got);
	}
	sandbox_free(p.sandbox);
	return code;
}
