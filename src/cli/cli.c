#include "cli/cli.h"

#include "format/json.h"
#include "hub/share.h"

#include <stdarg.h>
#include <string.h>

const struct cli_verb cli_verbs[] = {
    {"init", "Make a configuration folder with an example", cli_init,
     "crossdock init DIR\n\n"
     "Writes DIR/crossdock.yaml, an example to start from, and DIR/README.md. Nothing is overwritten.\n"},
    {"check", "Check a configuration folder", cli_check,
     "crossdock check [DIR] [--json]\n\n"
     "Checks crossdock.yaml, the connectors that it names and those in DIR/connectors. Every finding is printed\n"
     "with its file and line; the exit code is 1 if there is one. DIR is the current folder by default.\n"},
    {"test", "Run the fixtures of connectors", cli_test,
     "crossdock test [PACK...] [--dir DIR] [--json]\n\n"
     "Runs the fixtures of the named connectors, or of all: those that are shipped and those in DIR/connectors\n"
     "(DIR is the current folder by default). PACK is a connector's name or the path of its folder.\n"},
    {"serve", "Run the server", cli_serve,
     "crossdock serve [DIR] [--listen HOST:PORT]\n\n"
     "Runs until SIGTERM or SIGINT, which stop it in good order; a second one stops it at once. When it takes\n"
     "requests it prints 'listening on http://HOST:PORT'. --listen overrides the configuration; port 0 takes any\n"
     "free port. The log goes to stderr, one JSON object a line.\n"},
    {"key", "Make, list and revoke API keys", cli_key,
     "crossdock key create --tenant T --scopes S[,S...] [--system SYSTEM] [--dir DIR] [--json]\n"
     "crossdock key list [--tenant T] [--dir DIR] [--json]\n"
     "crossdock key revoke ID [--tenant T] [--dir DIR] [--json]\n\n"
     "Works whether or not the server runs. The key itself is printed once, when it is made, and is kept nowhere.\n"
     "--system binds the key to one system, for which it may then speak. DIR is the current folder by default.\n"},
    {"secret", "Keep secrets for the configuration, encrypted", cli_secret,
     "crossdock secret set NAME [--dir DIR]\n"
     "crossdock secret list [--dir DIR] [--json]\n"
     "crossdock secret remove NAME [--dir DIR]\n\n"
     "The value of a new secret is read from the terminal, unseen, or from stdin (one line feed at its end is\n"
     "dropped). ${secret:NAME} in crossdock.yaml stands for it. Secrets are in DIR/secrets.enc, under the key in\n"
     "DIR/secret.key or, if it is set, in CROSSDOCK_SECRET_KEY (base64 of 32 bytes).\n"},
    {"sandbox", "Run stand-ins for the systems around Crossdock", cli_sandbox,
     "crossdock sandbox [--erp [NAME:]PORT] [--warehouse [NAME:]PORT] [--shop [NAME:]PORT[:compare]] ...\n"
     "                  [--hub URL] [--tenant T] [--key KEY] [--pick-ms MS] [--seed N]\n"
     "                  [--stock LOCATION:SKU=QUANTITY] ... [--behave SYSTEM:MODE[,NAME=VALUE...]] ...\n\n"
     "Runs stand-ins of ERPs, warehouses and shops that speak the canonical connector, until SIGTERM or SIGINT.\n"
     "Options are taken in their order. --erp, --warehouse, --shop, --stock and --behave may repeat; port 0 takes any\n"
     "free port. A shop with :compare refuses a number whose 'expected' is not what it shows. --pick-ms (500, from a\n"
     "shipment request to its shipment) and --seed (1) hold for the systems behind them. --stock is what lies in the\n"
     "warehouse, counted to the hub at the start. Messages go to --hub (http://127.0.0.1:8080), tenant --tenant\n"
     "(demo), with --key (or CROSSDOCK_KEY). --behave makes a system slow, failing or away. docs/sandbox.md says\n"
     "what the systems do, and lists the modes.\n"},
    {"demo", "Run everything with example data", cli_demo,
     "crossdock demo [--for SECONDS] [--rate N] [--dir DIR] [--data FILE] [--behave LIST]\n\n"
     "Runs a server and its sandbox on this machine, replays example orders through them, N documents a second (100),\n"
     "and at the end compares what every system has. Without --for it goes on until ^C. --dir keeps its folder;\n"
     "--data names the file of orders. LIST is 'SYSTEM:MODE[,NAME=VALUE...] ...': how the systems (erp, wms, shop,\n"
     "portal) misbehave while orders come in. docs/sandbox.md explains the columns, the comparison and the modes.\n"},
    {"simulate", "Run the program in a simulated world where everything fails", cli_simulate,
     "crossdock simulate [--seed N] [--seeds N | --minutes N] [--steps N] [--mutation NAME] [--store URL] [--trace]\n"
     "                   [--log] [--json]\n"
     "crossdock simulate flash-sale [--seed N] [--scale N] [--stock PERCENT] [--delay MS] [--data FILE] [--out DIR]\n"
     "                   [--json]\n\n"
     "Runs hub, store and delivery engine under a virtual clock, in one thread, among simulated shops, an ERP, a\n"
     "warehouse and a network that loses, repeats and delays; the process is killed, disks fail, clocks jump. A model\n"
     "checks after every commit. 200 seeds from 1 on, of 150 steps; --seed alone runs that one. The same seed and\n"
     "steps are the same history. --mutation does something wrong on purpose, to see that it is found; --trace prints\n"
     "what happens, --log the program's own log. docs/simulation.md says what is checked.\n"
     "flash-sale replays a wholesaler's busiest hour against channels that are fed by exports every 30, 15 and 1\n"
     "minutes, and against Crossdock, and prints what was oversold, lost, and how old the shown numbers were. --out\n"
     "writes a picture. docs/flash-sale.md says what is assumed.\n"},
    {"trace", "Show what happened under a correlation id", cli_trace,
     "crossdock trace ID [--url URL] [--key KEY] [--json]\n\n"
     "Asks a running server (CROSSDOCK_URL, http://127.0.0.1:8080 by default) with a key that may operate\n"
     "(CROSSDOCK_KEY).\n"},
    {"dead-letters", "List, show, replay and discard dead letters", cli_dead_letters,
     "crossdock dead-letters list [--system S] [--class C] [--operation O] [--status S]\n"
     "crossdock dead-letters show ID\n"
     "crossdock dead-letters replay ID\n"
     "crossdock dead-letters replay --all [--system S] [--class C] [--operation O] [--from TIME] [--to TIME]\n"
     "crossdock dead-letters discard ID --reason TEXT\n"
     "crossdock dead-letters discard --all --reason TEXT [--system S] ... as for replay\n\n"
     "All take [--url URL] [--key KEY] [--json], as 'crossdock trace'. --status is open (the default), replayed,\n"
     "discarded or closed. A replay of many shows its progress and ends with it; 1 if one of them failed.\n"},
    {"replay", "Send again what a system was told", cli_replay,
     "crossdock replay SYSTEM (--after POSITION | --from TIME) [--operations A,B] [--dry-run] [--new-ids]\n"
     "                 [--url URL] [--key KEY] [--json]\n\n"
     "Sends what SYSTEM was told since a position of the event log or a time again, in order, under the same ids: a\n"
     "system that has it does nothing. --dry-run only counts. --new-ids is for a system that was rebuilt empty.\n"},
    {"reconcile", "Compare a system's balances with the ledger", cli_reconcile,
     "crossdock reconcile SYSTEM [--file BALANCES.csv [--as-of TIME]] [--on-drift report|raise|correct] [--wait]\n"
     "                    [--url URL] [--key KEY] [--json | --csv]\n"
     "crossdock reconcile --cancel ID [--url URL] [--key KEY] [--json]\n\n"
     "Begins a reconciliation. The server reads the balances from the system, or they are sent from a file, which has\n"
     "the columns sku, quantity and, if need be, location, lot, uom, named in its first line; --as-of is the instant\n"
     "that it is true of, by default when it was written last. With --wait or --file it waits for the end and shows\n"
     "what differs. The exit code is 0 if nothing does beyond the tolerance. --cancel stops one that runs.\n"
     "docs/reconciliation.md says more.\n"},
    {"version", "Print the version", cli_version, "crossdock version [--json]\n"},
    {"help", "Print this help, or a verb's", cli_help, "crossdock help [VERB]\n"},
    {NULL, NULL, NULL, NULL},
};

static void print_verbs(FILE *out)
{
	fprintf(out, "crossdock VERB [ARGUMENTS]\n\n");
	for (const struct cli_verb *v = cli_verbs; v->name; v++)
		fprintf(out, "  %-12s %s\n", v->name, v->summary);
	fprintf(out, "\n'crossdock VERB --help' says more. Exit codes: 0 done, 1 failed, 2 usage.\n");
}

static const struct cli_verb *find(const char *name)
{
	for (const struct cli_verb *v = cli_verbs; v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

/* How many letters differ, at most; enough to guess what was meant. */
static size_t distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), row[32];

	if (n >= 32 || m >= 32)
		return 32;
	for (size_t k = 0; k <= m; k++)
		row[k] = k;
	for (size_t i = 1; i <= n; i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t k = 1; k <= m; k++) {
			size_t best = corner + (a[i - 1] != b[k - 1]);
			corner = row[k];
			best = row[k] + 1 < best ? row[k] + 1 : best;
			row[k] = row[k - 1] + 1 < best ? row[k - 1] + 1 : best;
		}
	}
	return row[m];
}

static int unknown(const char *name)
{
	const char *near = NULL;
	size_t nearest = 3;

	for (const struct cli_verb *v = cli_verbs; v->name; v++)
		if (distance(name, v->name) < nearest) {
			nearest = distance(name, v->name);
			near = v->name;
		}
	fprintf(stderr, "crossdock: there is no verb '%s'", name);
	if (near)
		fprintf(stderr, "; did you mean '%s'?", near);
	fprintf(stderr, "\n'crossdock help' lists the verbs.\n");
	return CLI_USAGE;
}

int cli_main(int argc, char **argv)
{
	if (argc < 2) {
		print_verbs(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_verbs(stdout);
		return CLI_DONE;
	}
	if (strcmp(argv[1], "--version") == 0)
		return cli_version(1, argv + 1);
	const struct cli_verb *v = find(argv[1]);
	if (!v)
		return unknown(argv[1]);
	for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(v->usage, stdout);
			return CLI_DONE;
		}
	return v->run(argc - 1, argv + 1);
}

int cli_help(int argc, char **argv)
{
	struct cli_args args;
	if (!cli_parse(argc, argv, (const struct cli_option[]){{0}}, 1, &args))
		return CLI_USAGE;
	if (!args.count) {
		print_verbs(stdout);
		return CLI_DONE;
	}
	const struct cli_verb *v = find(args.positional[0]);
	if (!v)
		return unknown(args.positional[0]);
	fputs(v->usage, stdout);
	return CLI_DONE;
}

int cli_version(int argc, char **argv)
{
	struct cli_args args;
	bool json = false;
	if (!cli_parse(argc, argv, (const struct cli_option[]){{"json", NULL, &json}, {0}}, 0, &args))
		return CLI_USAGE;
	printf(json ? "{\"version\":\"%s\"}\n" : "crossdock %s\n", CROSSDOCK_VERSION);
	return CLI_DONE;
}

int cli_usage(const char *verb, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "crossdock %s: ", verb);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n'crossdock %s --help' says more.\n", verb);
	return CLI_USAGE;
}

int cli_fail(const struct err *e)
{
	if (e->where[0] && !strstr(e->detail, e->where))
		fprintf(stderr, "crossdock: %s: %s [%s]\n", e->where, e->detail, e->code);
	else
		fprintf(stderr, "crossdock: %s [%s]\n", e->detail, e->code);
	return CLI_FAILED;
}

static const struct cli_option *option_find(const struct cli_option *options, const char *name, size_t n)
{
	for (const struct cli_option *o = options; o->name; o++)
		if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
			return o;
	return NULL;
}

/* argv[*i] is "--..."; takes its value too. */
static bool option_take(int argc, char **argv, int *i, const struct cli_option *options)
{
	const char *name = argv[*i] + 2, *equals = strchr(name, '=');
	const struct cli_option *o = option_find(options, name, equals ? (size_t)(equals - name) : strlen(name));

	if (!o) {
		cli_usage(argv[0], "there is no option '%s'", argv[*i]);
		return false;
	}
	if (o->flag) {
		if (equals) {
			cli_usage(argv[0], "--%s takes no value", o->name);
			return false;
		}
		*o->flag = true;
		return true;
	}
	if (!equals && *i + 1 >= argc) {
		cli_usage(argv[0], "--%s needs a value", o->name);
		return false;
	}
	*o->text = equals ? equals + 1 : argv[++*i];
	return true;
}

bool cli_parse(int argc, char **argv, const struct cli_option *options, size_t max, struct cli_args *out)
{
	bool positional_only = false;

	out->count = 0;
	for (int i = 1; i < argc; i++) {
		if (!positional_only && strcmp(argv[i], "--") == 0) {
			positional_only = true;
		} else if (!positional_only && strncmp(argv[i], "--", 2) == 0) {
			if (!option_take(argc, argv, &i, options))
				return false;
		} else if (!positional_only && argv[i][0] == '-' && argv[i][1]) {
			cli_usage(argv[0], "there is no option '%s'", argv[i]);
			return false;
		} else if (out->count == max || out->count == CLI_POSITIONAL_MAX) {
			cli_usage(argv[0], "'%s' is one argument too many", argv[i]);
			return false;
		} else {
			out->positional[out->count++] = argv[i];
		}
	}
	return true;
}

/* "FILE#POINTER" apart. */
static struct str finding_file(const struct finding *f, const char **pointer)
{
	const char *hash = strchr(f->pointer, '#');
	*pointer = hash ? hash + 1 : "";
	return (struct str){f->pointer, hash ? (size_t)(hash - f->pointer) : strlen(f->pointer)};
}

void cli_print_findings(FILE *out, const struct findings *f)
{
	for (size_t i = 0; i < f->count; i++) {
		const char *pointer;
		struct str file = finding_file(&f->list[i], &pointer);
		fprintf(out, STR_FMT, STR_ARG(file));
		if (f->list[i].line)
			fprintf(out, ":%u", f->list[i].line);
		fprintf(out, ": %s [%s]%s%s\n", f->list[i].detail, f->list[i].code, *pointer ? " " : "", pointer);
	}
	if (f->more)
		fprintf(out, "and %zu more\n", f->more);
}

void cli_write_findings(struct json_writer *w, const struct findings *f)
{
	jw_array(w);
	for (size_t i = 0; i < f->count; i++) {
		const char *pointer;
		struct str file = finding_file(&f->list[i], &pointer);
		jw_object(w);
		jw_key_text(w, "file", file);
		if (f->list[i].line)
			jw_key_int(w, "line", f->list[i].line);
		jw_opt_text(w, "pointer", str_from(pointer));
		jw_key_text(w, "code", str_from(f->list[i].code));
		jw_key_text(w, "detail", str_from(f->list[i].detail));
		jw_object_end(w);
	}
	jw_array_end(w);
}

struct config *cli_config(const char *folder)
{
	struct config *c = NULL;
	struct findings f;
	struct err e = ERR_NONE;
	struct arena a;
	const char *share;

	arena_init(&a, 16u << 20);
	findings_init(&f, &a);
	if (share_find(&a, &share, &e) != RC_OK)
		cli_fail(&e);
	else if (config_load(folder, share, &c, &f) != RC_OK)
		cli_print_findings(stderr, &f);
	arena_done(&a);
	return c;
}

int cli_print(const struct buf *text)
{
	if (buf_ok(text) && fwrite(text->p ? text->p : "", 1, text->n, stdout) == text->n && putchar('\n') != EOF &&
	    fflush(stdout) == 0)
		return CLI_DONE;
	fprintf(stderr, "crossdock: the output cannot be written.\n");
	return CLI_FAILED;
}
