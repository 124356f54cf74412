#include "cli/cli.h"

#include "base/clock.h"
#include "format/json.h"
#include "hub/share.h"
#include "simulate/simulate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS_DEFAULT 60
#define STEPS_MAX     1000
#define SEEDS_DEFAULT 200

struct plan {
	uint64_t first, count;
	uint32_t steps;
	double minutes; /* 0: count decides */
	enum simulate_mutation mutation;
	uint32_t with, without;
	const char *store; /* NULL: SQLite */
	bool trace, json, log;
};

static bool number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	if (!text)
		return true;
	if (*text < '0' || *text > '9')
		return false;
	*out = strtoull(text, &end, 10);
	return !*end && *out <= max;
}

static int read_plan(int argc, char **argv, struct plan *p)
{
	const char *seed = NULL, *seeds = NULL, *steps = NULL, *mutation = NULL, *minutes = NULL;
	const char *with = NULL, *without = NULL;
	struct cli_args args;
	uint64_t steps_number = STEPS_DEFAULT, minutes_number = 0;
	const struct cli_option options[] = {
	    {"seed", &seed, NULL},         {"seeds", &seeds, NULL},     {"steps", &steps, NULL},
	    {"mutation", &mutation, NULL}, {"minutes", &minutes, NULL}, {"trace", NULL, &p->trace},
	    {"json", NULL, &p->json},      {"log", NULL, &p->log},      {"with", &with, NULL},
	    {"without", &without, NULL},   {"store", &p->store, NULL},  {0},
	};

	if (!cli_parse(argc, argv, options, 0, &args))
		return CLI_USAGE;
	p->count = seed && !seeds ? 1 : SEEDS_DEFAULT;
	p->first = 1;
	if (!number(seed, UINT64_MAX - 1, &p->first) || !number(seeds, 1000000000, &p->count) ||
	    !number(steps, STEPS_MAX, &steps_number) || !number(minutes, 100000, &minutes_number) || !p->count)
		return cli_usage("simulate", "--seed, --seeds, --steps (up to %d) and --minutes take a number",
				 STEPS_MAX);
	if (mutation && !mutation_parse(mutation, &p->mutation))
		return cli_usage("simulate", "there is no mutation '%s'; docs/simulation.md lists them", mutation);
	if ((with && !features_parse(with, &p->with)) || (without && !features_parse(without, &p->without)))
		return cli_usage("simulate",
				 "--with and --without take names by commas; docs/simulation.md lists them");
	if (p->store && strncmp(p->store, "postgresql:", 11) != 0)
		return cli_usage("simulate", "--store takes a URL postgresql://...; without it the store is SQLite");
	p->with |= mutation_needs(p->mutation);
	p->steps = (uint32_t)steps_number;
	p->minutes = (double)minutes_number;
	return CLI_DONE;
}

/* ---- what is printed ---- */

static void print_features(const char *option, uint32_t features)
{
	char text[FEATURES_TEXT];

	features_write(features, text, sizeof(text));
	if (text[0])
		printf(" --%s %s", option, text);
}

/* o: the smallest run that fails. */
static void print_failure(const struct simulate_result *r, const struct simulate_options *o, const char *store)
{
	uint32_t n = r->last_count < SIMULATE_LAST_MAX ? r->last_count : SIMULATE_LAST_MAX;
	char text[FEATURES_TEXT];

	features_write(r->features, text, sizeof(text));
	printf("\nseed %" PRIu64 " fails at step %u: %s\nin a world with %s\n\nwhat happened last (step, time):\n",
	       r->seed, r->step, r->broken, text[0] ? text : "nothing special");
	for (uint32_t i = 0; i < n; i++)
		printf("  %s\n", r->last[(r->last_count - n + i) % SIMULATE_LAST_MAX]);
	printf("\nagain: crossdock simulate --seed %" PRIu64 " --steps %u", r->seed, o->steps);
	print_features("with", o->with);
	print_features("without", o->without);
	printf("%s%s%s --trace\n", o->mutation ? " --mutation " : "", o->mutation ? mutation_name(o->mutation) : "",
	       store ? " --store URL" : "");
}

static void add(struct simulate_counts *sum, const struct simulate_counts *one)
{
	int64_t *to = (int64_t *)sum;
	const int64_t *from = (const int64_t *)one;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(int64_t); i++)
		to[i] += from[i];
}

static void print_sums(uint64_t seeds, uint64_t failed, const struct simulate_counts *c, double seconds)
{
	printf("%" PRIu64 " seeds, %" PRIu64 " failed, %.1f s, %.1f h of virtual time\n"
	       "commits %lld, commands %lld, events %lld, deliveries %lld, orders %lld, reservations %lld\n"
	       "killed %lld, power cuts %lld, faults of the disk %lld, commits in doubt %lld\n"
	       "on the network: lost %lld, repeated %lld, refused %lld\n",
	       seeds, failed, seconds, (double)c->virtual_ms / 3.6e6, (long long)c->commits, (long long)c->commands,
	       (long long)c->events, (long long)c->deliveries, (long long)c->orders, (long long)c->reservations,
	       (long long)c->crashes, (long long)c->power_cuts, (long long)c->disk_faults, (long long)c->in_doubt,
	       (long long)c->lost, (long long)c->repeated, (long long)c->refused);
}

static int print_json(uint64_t seeds, uint64_t failed, const struct simulate_result *first,
		      const struct simulate_counts *c, double seconds)
{
	struct json_writer w;
	struct buf b;
	int code;

	buf_init(&b, 1u << 20);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key_int(&w, "seeds", (int64_t)seeds);
	jw_key_int(&w, "failed", (int64_t)failed);
	jw_key_int(&w, "ms", (int64_t)(seconds * 1000));
	jw_key_int(&w, "virtual_ms", c->virtual_ms);
	jw_key_int(&w, "commits", c->commits);
	jw_key_int(&w, "commands", c->commands);
	jw_key_int(&w, "killed", c->crashes);
	jw_key_int(&w, "power_cuts", c->power_cuts);
	jw_key_int(&w, "disk_faults", c->disk_faults);
	if (first->failed) {
		jw_key(&w, "failure");
		jw_object(&w);
		jw_key_int(&w, "seed", (int64_t)first->seed);
		jw_key_int(&w, "step", first->step);
		jw_key_text(&w, "broken", str_from(first->broken));
		jw_object_end(&w);
	}
	jw_object_end(&w);
	code = cli_print(&b);
	buf_done(&b);
	return code;
}

/* ---- the run ---- */

static double now_s(void)
{
	return (double)clock_mono_ns(clock_system()) / 1e9;
}

static bool goes_on(const struct plan *p, uint64_t done, double seconds)
{
	return p->minutes > 0 ? seconds < p->minutes * 60 : done < p->count;
}

static int run(struct simulate *s, const struct plan *p)
{
	struct simulate_options o = {
	    .steps = p->steps, .mutation = p->mutation, .with = p->with, .without = p->without, .log = p->log};
	struct simulate_result first = {0}, r = {0};
	struct simulate_counts sums = {0};
	uint64_t done = 0, failed = 0;
	double begun = now_s(), shown = begun;
	bool bar = isatty(STDERR_FILENO) && !p->trace;

	o.trace = p->trace ? stdout : NULL;
	for (; goes_on(p, done, now_s() - begun); done++) {
		o.seed = p->first + done;
		simulate_run(s, &o, &r);
		add(&sums, &r.counts);
		failed += r.failed;
		if (r.failed && !p->json) {
			printf("seed %" PRIu64 ": %s\n", r.seed, r.broken);
			fflush(stdout);
		}
		if (r.failed && !first.failed)
			first = r;
		if (bar && now_s() - shown > 0.5) {
			shown = now_s();
			fprintf(stderr, "\r%" PRIu64 " seeds, %" PRIu64 " failed ", done + 1, failed);
		}
		if (failed >= 20)
			break;
	}
	if (bar)
		fprintf(stderr, "\r                                          \r");
	double seconds = now_s() - begun;
	if (first.failed && !p->trace) {
		o.seed = first.seed;
		simulate_shrink(s, &o, &first);
	}
	if (p->json)
		return print_json(done, failed, &first, &sums, seconds) ? CLI_FAILED : failed ? CLI_FAILED : CLI_DONE;
	print_sums(done, failed, &sums, seconds);
	if (p->count == 1 && !p->minutes)
		printf("trace %016" PRIx64 "\n", r.trace_hash);
	if (first.failed)
		print_failure(&first, &o, p->store);
	return failed ? CLI_FAILED : CLI_DONE;
}

int cli_simulate(int argc, char **argv)
{
	struct plan p = {0};
	struct simulate *s = NULL;
	struct err e = ERR_NONE;
	const char *share;
	struct arena a;
	int code;

	if (argc > 1 && strcmp(argv[1], "flash-sale") == 0)
		return cli_flash_sale(argc - 1, argv + 1);
	code = read_plan(argc, argv, &p);
	if (code != CLI_DONE)
		return code;
	arena_init(&a, 1u << 20);
	if (share_find(&a, &share, &e) != RC_OK || simulate_open(share, p.store, &s, &e) != RC_OK)
		code = cli_fail(&e);
	else
		code = run(s, &p);
	simulate_close(s);
	arena_done(&a);
	return code;
}
