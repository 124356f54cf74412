#include "cli/cli.h"

#include "base/hash.h"
#include "hub/share.h"
#include "simulate/flash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool number(const char *text, int from, int to, int *out)
{
	char *end;
	long n;

	if (!text)
		return true;
	n = strtol(text, &end, 10);
	if (!*text || *end || n < from || n > to)
		return false;
	*out = (int)n;
	return true;
}

static int write_file(const char *folder, const char *name, const struct buf *b)
{
	char path[1024];
	FILE *f;
	bool ok;

	if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
		fprintf(stderr, "crossdock: %s cannot be made: %s\n", folder, strerror(errno));
		return CLI_FAILED;
	}
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	ok = f && fwrite(b->p, 1, b->n, f) == b->n;
	ok = f && fclose(f) == 0 && ok;
	if (!ok)
		fprintf(stderr, "crossdock: %s cannot be written: %s\n", path, strerror(errno));
	return ok ? CLI_DONE : CLI_FAILED;
}

static int report(const struct flash *f, const char *folder, bool json)
{
	struct json_writer w;
	struct buf b;
	int code = CLI_DONE;

	buf_init(&b, 4u << 20);
	if (json) {
		jw_init(&w, &b);
		flash_write_json(f, &w);
		code = cli_print(&b);
	} else {
		flash_print(f, stdout);
	}
	if (folder && code == CLI_DONE) {
		buf_reset(&b);
		flash_write_html(f, &b);
		code = write_file(folder, "flash-sale.html", &b);
	}
	if (folder && code == CLI_DONE) {
		buf_reset(&b);
		flash_write_svg(f, &b);
		code = write_file(folder, "flash-sale.svg", &b);
	}
	buf_done(&b);
	return code;
}

int cli_flash_sale(int argc, char **argv)
{
	const char *seed = NULL, *scale = NULL, *stock = NULL, *delay = NULL, *folder = NULL, *data = NULL;
	struct flash_options o = {.seed = 1, .scale = 20, .stock_percent = 50, .delay_min_ms = 20, .delay_max_ms = 120};
	bool json = false;
	const struct cli_option options[] = {
	    {"seed", &seed, NULL}, {"scale", &scale, NULL}, {"stock", &stock, NULL}, {"delay", &delay, NULL},
	    {"data", &data, NULL}, {"out", &folder, NULL},  {"json", NULL, &json},   {0},
	};
	static struct flash f;
	struct cli_args args;
	struct err e = ERR_NONE;
	struct arena a;
	int seed_number = 1, code;

	if (!cli_parse(argc, argv, options, 0, &args))
		return CLI_USAGE;
	if (!number(seed, 0, 1000000000, &seed_number) || !number(scale, 1, 200, &o.scale) ||
	    !number(stock, 1, 200, &o.stock_percent) || !number(delay, 1, 10000, &o.delay_max_ms))
		return cli_usage("simulate",
				 "--seed, --scale (1 to 200), --stock (percent) and --delay (ms) take a number");
	o.seed = (uint64_t)seed_number;
	o.delay_min_ms = o.delay_max_ms < o.delay_min_ms ? o.delay_max_ms : o.delay_min_ms;
	random_simulate(o.seed);
	arena_init(&a, 1u << 20);
	if (share_find(&a, &o.share, &e) != RC_OK) {
		code = cli_fail(&e);
	} else {
		o.data = data ? data : arena_printf(&a, "%s/examples/online-retail/orders.csv.zst", o.share);
		code = flash_run(&o, &f, &e) == RC_OK ? report(&f, folder, json) : cli_fail(&e);
	}
	arena_done(&a);
	return code;
}
