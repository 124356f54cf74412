#include "simulate/simulate.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/secretbox.h"
#include "hub/config_secrets.h"
#include "observe/log.h"
#include "simulate/world.h"
#include "store/postgres/fault_server.h"
#include "store/sqlite/fault_vfs.h"

#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#define LYING_COMMIT 30
#define STARTS_AT    1772366400000 /* 2026-03-01T12:00:00Z */

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
			   "      shop: {locations: [east, west, south], consigned: [acme, globex]}\n"
			   "      portal: {locations: [east, west, south], consigned: [acme, globex]}\n"
			   "    records: {stock: wms, item: erp}\n"
			   "    processes: {order: order-to-cash}\n";

struct simulate {
	struct fault_server *server; /* NULL: SQLite */
	char folder[64], url[128];
	struct config *config;
	struct world *world;
};

static const struct {
	const char *name, *finds, *text;
	uint32_t needs;
} mutations[MUTATIONS] = {
    {"nothing", "", "nothing", 0},
#define MUTATION(id, name, finds, needs, what) {name, finds, what, needs},
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

uint32_t mutation_needs(enum simulate_mutation m)
{
	return mutations[m].needs;
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

static enum rc open_server(struct simulate *s, const char *store, struct err *e)
{
	char schema[48];

	snprintf(schema, sizeof(schema), "crossdock_simulation_%d", (int)getpid());
	return store ? fault_server_open(store, schema, &s->server, e) : RC_OK;
}

enum rc simulate_open(const char *share, const char *store, struct simulate **out, struct err *e)
{
	struct simulate *s = mem_zalloc(1, sizeof(*s));
	struct secretbox_key key = {0};
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
	if (rc == RC_OK)
		rc = open_server(s, store, e);
	/* Made once, before any seed draws. */
	if (rc == RC_OK)
		rc = config_secrets_key(s->folder, &key, e);
	secret_wipe(&key, sizeof(key));
	if (rc != RC_OK) {
		simulate_close(s);
		return rc;
	}
	*out = s;
	return RC_OK;
}

static void remove_store(const struct simulate *s)
{
	static const char *const names[] = {"hub.db",      "hub.db-wal",     "hub.db-shm",
					    "hub.db.lock", "hub.db-recover", "hub.db-recover-wal"};
	char path[128];
	struct err e = ERR_NONE;

	if (s->server && fault_server_drop(s->server, &e) != RC_OK)
		fprintf(stderr, "%s\n", e.detail);
	for (size_t i = 0; !s->server && i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->folder, names[i]);
		unlink(path);
	}
}

void simulate_close(struct simulate *s)
{
	static const char *const kept[] = {"crossdock.yaml", "secret.key"};
	char path[128];

	if (!s)
		return;
	remove_store(s);
	fault_server_close(s->server);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->folder, kept[i]);
		unlink(path);
	}
	rmdir(s->folder);
	config_unref(s->config);
	arena_done(&s->world->arena);
	arena_done(&s->world->scratch);
	free(s->world);
	free(s);
}

/* ---- a seed's world ---- */

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
	    .url = s->server ? fault_server_url(s->server) : s->url,
	    .server = s->server,
	    .idle_ms = 500,
	    .trace = o->trace,
	};
	world_of_clock = w;
	random_simulate(o->seed);
	log_set_level(o->log ? LOG_INFO : (enum log_level)(LOG_ERROR + 1));
	choose_world(w, o, &policy);
	w->model = model_new(&policy);
	receivers_init(w);
	w->model->policy.compares = w->receivers[SYSTEM_PORTAL].compares;
	network_init(w);
	remove_store(s);
	fault_vfs_power_on();
	fault_vfs_lie(o->mutation == MUTATE_LYING_DISK);
	if (s->server)
		fault_server_lie(s->server, o->mutation == MUTATE_LYING_DISK ? LYING_COMMIT : 0);
}

static void world_end(struct world *w, uint32_t steps, struct simulate_result *out)
{
	w->counts.in_doubt += w->server ? (int64_t)fault_server_fired(w->server) : 0;
	w->mutated |=
	    w->mutation == MUTATE_LYING_DISK && (w->server ? fault_server_lied(w->server) : w->counts.power_cuts > 0);
	*out = (struct simulate_result){
	    .failed = world_is_broken(w),
	    .features = w->features,
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
	if (w->server)
		fault_server_plan(w->server, 0, false);
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

/* Another run is as good if it breaks the same kind of promise. */
static bool still_fails(struct simulate *s, const struct simulate_options *o, struct simulate_result *result)
{
	size_t word = strcspn(result->broken, ":");
	struct simulate_result r;

	simulate_run(s, o, &r);
	if (!r.failed || strncmp(r.broken, result->broken, word + 1) != 0)
		return false;
	*result = r;
	return true;
}

static void shrink_features(struct simulate *s, struct simulate_options *o, struct simulate_result *result)
{
	for (uint32_t bit = 1; bit < 1u << FEATURES; bit <<= 1) {
		struct simulate_options less = *o;

		less.with &= ~bit;
		less.without |= bit;
		if (result->features & bit && still_fails(s, &less, result))
			*o = less;
	}
}

static void shrink_steps(struct simulate *s, struct simulate_options *o, struct simulate_result *result)
{
	uint32_t good = 0;

	o->steps = result->step;
	while (good + 1 < o->steps) {
		struct simulate_options fewer = *o;

		fewer.steps = good + (o->steps - good) / 2;
		if (still_fails(s, &fewer, result))
			o->steps = fewer.steps;
		else
			good = fewer.steps;
	}
}

void simulate_shrink(struct simulate *s, struct simulate_options *o, struct simulate_result *result)
{
	FILE *trace = o->trace;

	o->trace = NULL;
	shrink_steps(s, o, result);
	shrink_features(s, o, result);
	shrink_steps(s, o, result);
	o->trace = trace;
}
