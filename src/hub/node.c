#include "hub/node.h"

#include "base/mem.h"
#include "observe/log.h"
#include "observe/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

/* How often the stores are looked after. */
#define MAINTAIN_MS 50

struct upkeep {
	struct metric *wal_bytes, *seconds;
};

struct node {
	struct config *config;
	const struct clock *clock;
	struct hub **hubs;
	struct upkeep *upkeep; /* by hub */
	size_t count;
	pthread_t maintenance;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool started, stopping;
};

static enum rc make_folder(const char *path, struct err *e)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_set(e, RC_IO, "no_data_folder", "%s cannot be made: %s", path, strerror(errno));
	return RC_OK;
}

enum rc node_store_options(const struct config *config, struct str tenant, struct arena *a, struct store_options *out,
			   struct err *e)
{
	char host[64] = "localhost";
	enum rc rc;

	gethostname(host, sizeof(host) - 1);
	*out = (struct store_options){
	    .schema = arena_copy(a, tenant).p,
	    .holder = arena_printf(a, "%s:%d", host, (int)getpid()),
	    .clock = clock_system(),
	};
	if (!str_is(config->store, "sqlite")) {
		out->url = arena_copy(a, config->store).p;
		out->schema = arena_printf(a, "crossdock_" STR_FMT, STR_ARG(tenant));
		return RC_OK;
	}
	rc = make_folder(arena_printf(a, STR_FMT "/data", STR_ARG(config->folder)), e);
	if (rc == RC_OK)
		rc =
		    make_folder(arena_printf(a, STR_FMT "/data/" STR_FMT, STR_ARG(config->folder), STR_ARG(tenant)), e);
	out->url = arena_printf(a, "sqlite:" STR_FMT "/data/" STR_FMT "/crossdock.db", STR_ARG(config->folder),
				STR_ARG(tenant));
	return rc;
}

static enum rc open_tenant(struct node *n, const struct config_tenant *tenant, struct err *e)
{
	struct store_options store;
	struct arena a;
	enum rc rc;

	arena_init(&a, 64 << 10);
	rc = node_store_options(n->config, tenant->name, &a, &store, e);
	store.clock = n->clock;
	if (rc == RC_OK)
		rc = hub_open(n->config, tenant, &store, n->clock, &n->hubs[n->count], e);
	if (rc == RC_OK) {
		const char *labels[] = {arena_copy(&a, tenant->name).p};

		n->upkeep[n->count] = (struct upkeep){metric_find(M_STORE_WAL_BYTES, labels),
						      metric_find(M_STORE_CHECKPOINT_SECONDS, labels)};
		n->count++;
	}
	arena_done(&a);
	return rc;
}

enum rc node_open(struct config *config, const struct clock *clock, struct node **out, struct err *e)
{
	struct node *n = mem_zalloc(1, sizeof(*n));
	enum rc rc = RC_OK;

	n->config = config_ref(config);
	n->clock = clock;
	n->hubs = mem_zalloc(config->tenant_count, sizeof(struct hub *));
	n->upkeep = mem_zalloc(config->tenant_count, sizeof(struct upkeep));
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->wake, NULL);
	for (size_t i = 0; i < config->tenant_count && rc == RC_OK; i++)
		rc = open_tenant(n, &config->tenants[i], e);
	if (rc != RC_OK) {
		node_close(n);
		return rc;
	}
	*out = n;
	return RC_OK;
}

void node_close(struct node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->count; i++)
		hub_close(n->hubs[i]);
	free(n->hubs);
	free(n->upkeep);
	config_unref(n->config);
	pthread_cond_destroy(&n->wake);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

static void maintain(struct node *n)
{
	for (size_t i = 0; i < n->count; i++) {
		int64_t started = clock_mono_ns(n->clock);
		struct store_stats stats = {0};
		struct err e = ERR_NONE;

		if (!hub_ready(n->hubs[i]))
			continue;
		if (store_maintain(hub_store(n->hubs[i]), &stats, &e) != RC_OK)
			log_err(LOG_WARN, "node", "upkeep of a store failed", &e);
		metric_set(n->upkeep[i].wal_bytes, stats.wal_bytes);
		metric_observe_us(n->upkeep[i].seconds, (clock_mono_ns(n->clock) - started) / 1000);
	}
}

static void *maintenance(void *ctx)
{
	struct node *n = ctx;

	pthread_setname_np(pthread_self(), "upkeep");
	pthread_mutex_lock(&n->lock);
	while (!n->stopping) {
		struct timespec until;

		pthread_mutex_unlock(&n->lock);
		maintain(n);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += MAINTAIN_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_mutex_lock(&n->lock);
		if (!n->stopping)
			pthread_cond_timedwait(&n->wake, &n->lock, &until);
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

enum rc node_start(struct node *n, struct err *e)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < n->count && rc == RC_OK; i++)
		rc = hub_start(n->hubs[i], e);
	if (rc == RC_OK && pthread_create(&n->maintenance, NULL, maintenance, n) != 0)
		rc = err_set(e, RC_IO, "no_thread", "the maintenance thread cannot be started");
	n->started = rc == RC_OK;
	return rc;
}

void node_stop(struct node *n)
{
	for (size_t i = 0; i < n->count; i++)
		hub_stop(n->hubs[i]);
	if (!n->started)
		return;
	pthread_mutex_lock(&n->lock);
	n->stopping = true;
	pthread_cond_signal(&n->wake);
	pthread_mutex_unlock(&n->lock);
	pthread_join(n->maintenance, NULL);
	n->started = false;
}

size_t node_tenants(const struct node *n)
{
	return n->count;
}

struct hub *node_hub(const struct node *n, size_t i)
{
	return n->hubs[i];
}

struct hub *node_find(const struct node *n, struct str tenant)
{
	for (size_t i = 0; i < n->count; i++)
		if (str_eq(hub_tenant(n->hubs[i])->name, tenant))
			return n->hubs[i];
	return NULL;
}

const struct config *node_config(const struct node *n)
{
	return n->config;
}

const struct clock *node_clock(const struct node *n)
{
	return n->clock;
}

bool node_ready(const struct node *n)
{
	for (size_t i = 0; i < n->count; i++)
		if (!hub_ready(n->hubs[i]))
			return false;
	return n->count > 0;
}
