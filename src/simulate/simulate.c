#include "simulate/simulate.h"

#include "base/hash.h"
#include "base/mem.h"
#include "observe/log.h"
#include "simulate/world.h"
#include "store/sqlite/fault_vfs.h"

#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#define STARTS_AT 1772366400000 /* 2026-03-01T12:00:00Z */

static const char yaml[] = "tenants:\n"
			   "  sim:\n"
			   "    locations: {east: {}, west: {}, south: {}}\n"
			   "    systems:\n"
			   "      shop: {connector: canonical, url: \"http://shop.invalid\", roles: [channel]}\n"
			   "      portal: {connector: canonical, url: \"http://portal.invalid\", roles: [channel]}\n"
			   "      erp: {connector: canonical, url: \"http://erp.invalid\", roles: [erp]}\n"
			   "      wms: {connector: canonical, url: \"http://wms.invalid\", roles: [warehouse],"
			   " locations: [east, west, south]}\n"
			   "    channels:\n"
			   "      shop: {locations: [east, west, south]}\n"
			   "      portal: {locations: [east, west, south]}\n"
			   "    records: {stock: wms, item: erp}\n"
			   "    processes: {order: order-to-cash}\n";

struct simulate {
	char folder[64], url[128];
	struct config *config;
	struct world *world;
};

static const struct {
	const char *name, *finds, *text;
} mutations[MUTATIONS] = {
    {"nothing", "", "nothing"},
#define MUTATION(id, name, finds, what) {name, finds, what},
#include "simulate/mutations.def"
#undef MUTATION
};

const char *mutation_name(enum simulate_mutation m)
{
	return mutations[m].name;
}

const char *mutation_text(enum simulate_mutation m)
{
	return mutations[m].text;
}

const char *mutation_finds(enum simulate_mutation m)
{
	return mutations[m].finds;
}

bool mutation_parse(const char *name, enum simulate_mutation *out)
{
	for (int i = 0; i < MUTATIONS; i++)
		if (strcmp(mutations[i].name, name) == 0) {
			*out = (enum simulate_mutation)i;
			return true;
		}
	return false;
}

/* ---- the environment ---- */

static struct world *world_of_clock; /* one simulation at a time */

static int64_t wall_ms(const struct clock *c)
{
	(void)c;
	return world_wall(world_of_clock);
}

static int64_t mono_ns(const struct clock *c)
{
	(void)c;
	return world_of_clock->now * 1000000;
}

static enum rc write_config(struct simulate *s, struct err *e)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/crossdock.yaml", s->folder);
	f = fopen(path, "w");
	if (!f || fputs(yaml, f) == EOF || fclose(f) == EOF)
		return err_set(e, RC_IO, "cannot_write", "%s cannot be written", path);
	return RC_OK;
}

static enum rc load_config(struct simulate *s, const char *share, struct err *e)
{
	struct findings f;
	struct arena a;
	enum rc rc = write_config(s, e);

	arena_init(&a, 16u << 20);
	findings_init(&f, &a);
	if (rc == RC_OK)
		rc = config_load(s->folder, share, &s->config, &f);
	if (rc != RC_OK && f.count)
		err_set(e, rc, "bad_configuration", "%s: %s", f.list[0].pointer, f.list[0].detail);
	arena_done(&a);
	return rc;
}

enum rc simulate_open(const char *share, struct simulate **out, struct err *e)
{
	struct simulate *s = mem_zalloc(1, sizeof(*s));
	enum rc rc;

	/* Each seed takes what the one before gave back. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	random_simulate(0);
	fault_vfs_register("fault");
	fault_vfs_alone();
	snprintf(s->folder, sizeof(s->folder), "%s/crossdock-sim-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(s->folder)) {
		free(s);
		return err_set(e, RC_IO, "no_folder", "a temporary folder cannot be made");
	}
	snprintf(s->url, sizeof(s->url), "sqlite:%s/hub.db", s->folder);
	s->world = mem_zalloc(1, sizeof(*s->world));
	arena_init(&s->world->arena, 1u << 30);
	arena_init(&s->world->scratch, 64u << 20);
	rc = load_config(s, share, e);
	if (rc != RC_OK) {
		simulate_close(s);
		return rc;
	}
	*out = s;
	return RC_OK;
}

static void remove_files(const struct simulate *s)
{
	static const char *const names[] = {"hub.db",      "hub.db-wal",     "hub.db-shm",
					    "hub.db.lock", "hub.db-recover", "hub.db-recover-wal"};
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->folder, names[i]);
		unlink(path);
	}
}

void simulate_close(struct simulate *s)
{
	char path[128];

	if (!s)
		return;
	remove_files(s);
	snprintf(path, sizeof(path), "%s/crossdock.yaml", s->folder);
	unlink(path);
	rmdir(s->folder);
	config_unref(s->config);
	arena_done(&s->world->arena);
	arena_done(&s->world->scratch);
	free(s->world);
	free(s);
}

/* ---- a seed's world ---- */

static void choose_weather(struct world *w)
{
	struct dice *d = &w->dice;
	int bad = dice_between(d, 0, 3);

	w->weather = (struct weather){
	    .lose = bad * dice_between(d, 0, 60),
	    .repeat = bad * dice_between(d, 0, 60),
	    .slow = bad * dice_between(d, 0, 60),
	    .refuse = bad * dice_between(d, 0, 40),
	    .crash = bad * dice_between(d, 0, 25),
	    .disk = bad * dice_between(d, 0, 25),
	    .clock = bad * dice_between(d, 0, 15),
	    .outage = bad * dice_between(d, 0, 15),
	    .delay_ms = dice_between(d, 5, 400),
	};
}

/* In the configuration as in the model. */
static void choose_channel(struct world *w, int n, struct model_policy *p)
{
	static const int shares[] = {1000000, 1000000, 500000, 333333, 800000};
	struct config_channel *c = &w->tenant->channels[n];
	struct dice *d = &w->dice;
	int count = dice_between(d, 1, MODEL_PLACES), first = dice_between(d, 0, MODEL_PLACES - 1);

	p->channels[n].place_count = count;
	for (int i = 0; i < count; i++) {
		p->channels[n].places[i] = (first + i) % MODEL_PLACES;
		c->locations[i] = (uint16_t)p->channels[n].places[i];
	}
	c->location_count = (size_t)count;
	c->share_ppm = p->channels[n].share_ppm = shares[dice_between(d, 0, 4)];
	p->channels[n].buffer = dice_chance(d, 400) ? dice_between(d, 1, 3) : 0;
	p->channels[n].cap = dice_chance(d, 300) ? dice_between(d, 3, 15) : -1;
	p->channels[n].minimum = dice_chance(d, 200) ? dice_between(d, 1, 4) : 0;
	p->channels[n].backorder = dice_chance(d, 200) ? dice_between(d, 1, 5) : 0;
	p->channels[n].strict = dice_chance(d, 400);
	c->buffer = p->channels[n].buffer * QTY_ONE;
	c->cap = p->channels[n].cap < 0 ? -1 : p->channels[n].cap * QTY_ONE;
	c->minimum = p->channels[n].minimum * QTY_ONE;
	c->backorder = p->channels[n].backorder * QTY_ONE;
	c->strict = p->channels[n].strict;
	c->linger_ms = dice_chance(d, 500) ? 0 : dice_between(d, 1, 1000);
	world_say(w, "%s sells from %d places, share %d ppm, buffer %d, cap %d, minimum %d, backorder %d%s",
		  model_channels[n], count, c->share_ppm, p->channels[n].buffer, p->channels[n].cap,
		  p->channels[n].minimum, p->channels[n].backorder, c->strict ? ", strict" : "");
}

static void choose_policy(struct world *w, struct model_policy *p)
{
	for (int i = 0; i < MODEL_PLACES; i++) {
		p->safety[i] = dice_chance(&w->dice, 300) ? dice_between(&w->dice, 1, 3) : 0;
		w->tenant->locations[i].safety_stock = p->safety[i] * QTY_ONE;
	}
	for (int i = 0; i < MODEL_CHANNELS; i++)
		choose_channel(w, i, p);
	for (int i = 0; i < WORLD_SYSTEMS; i++) {
		struct config_delivery *d = &w->tenant->systems[i].delivery;

		d->slots = (uint32_t)dice_between(&w->dice, 1, 4);
		d->timeout_ms = dice_between(&w->dice, 1000, 10000);
		d->retry_base_ms = dice_between(&w->dice, 100, 2000);
		d->retry_max_ms = 60000;
		d->queue_max = dice_chance(&w->dice, 300) ? 16 : 10000;
	}
}

static void world_begin(struct simulate *s, const struct simulate_options *o)
{
	struct world *w = s->world;
	struct arena arena = w->arena, scratch = w->scratch;
	struct model_policy policy = {0};

	arena_reset(&arena);
	arena_reset(&scratch);
	*w = (struct world){
	    .arena = arena,
	    .scratch = scratch,
	    .dice = {o->seed},
	    .mutation = o->mutation,
	    .now = STARTS_AT,
	    .started = STARTS_AT,
	    .clock = {wall_ms, mono_ns},
	    .config = s->config,
	    .tenant = &s->config->tenants[0],
	    .url = s->url,
	    .idle_ms = 500,
	    .trace = o->trace,
	};
	world_of_clock = w;
	random_simulate(o->seed);
	log_set_level(o->log ? LOG_INFO : (enum log_level)(LOG_ERROR + 1));
	choose_weather(w);
	choose_policy(w, &policy);
	w->model = model_new(&policy);
	receivers_init(w);
	network_init(w);
	remove_files(s);
	fault_vfs_power_on();
	fault_vfs_lie(o->mutation == MUTATE_LYING_DISK);
}

static void world_end(struct world *w, uint32_t steps, struct simulate_result *out)
{
	w->mutated |= w->mutation == MUTATE_LYING_DISK && w->counts.power_cuts > 0;
	*out = (struct simulate_result){
	    .failed = world_is_broken(w),
	    .mutated = w->mutated,
	    .step = w->step < steps ? w->step : steps,
	    .last_count = w->last_count,
	    .trace_hash = w->trace_hash,
	    .counts = w->counts,
	};
	out->counts.virtual_ms = w->now - w->started;
	memcpy(out->broken, w->broken, sizeof(out->broken));
	memcpy(out->last, w->last, sizeof(out->last));
	fault_vfs_plan(NULL);
	if (w->hub)
		world_stop(w, END_KILL);
	messages_drop(w);
	fault_vfs_lie(false);
	receivers_done(w);
	agenda_done(&w->agenda);
	model_free(w->model);
}

void simulate_run(struct simulate *s, const struct simulate_options *o, struct simulate_result *out)
{
	struct world *w = s->world;

	world_begin(s, o);
	if (!world_start(w))
		world_break(w, "the hub does not start");
	if (!world_is_broken(w))
		send_first(w);
	for (w->step = 1; w->step <= o->steps && !world_is_broken(w); w->step++) {
		send_something(w);
		fault_something(w);
		world_pass(w, dice_chance(&w->dice, 30) ? dice_between(&w->dice, 1000, 200000)
							: dice_between(&w->dice, 0, 1500));
	}
	if (!world_is_broken(w))
		check_ending(w);
	world_end(w, o->steps, out);
	out->seed = o->seed;
}

void simulate_shrink(struct simulate *s, const struct simulate_options *o, struct simulate_result *result)
{
	struct simulate_options fewer = *o;
	uint32_t good = 0, bad = result->step;

	fewer.trace = NULL;
	while (good + 1 < bad) {
		struct simulate_result r;

		fewer.steps = good + (bad - good) / 2;
		simulate_run(s, &fewer, &r);
		if (r.failed) {
			bad = fewer.steps;
			*result = r;
		} else {
			good = fewer.steps;
		}
	}
}
