/*
 * The order of starting and stopping. The stores and hubs first (node_open), then what the hubs tell of (connect_start
 * sets their sinks), the writers, and last the listener, so that whoever reaches it finds everything at work. Stopping
 * goes the other way: the listener drains, the deliveries end while the writers still take their results, then the
 * writers.
 *
 * Signals are blocked in all threads and waited for here. After the first SIGTERM or SIGINT both have their default
 * effect again, so that a second one ends the process at once: what was acknowledged is on the disk in any case.
 */
#include "cli/cli.h"
#include "connect/connect.h"
#include "edge/edge.h"
#include "hub/node.h"
#include "hub/share.h"
#include "observe/log.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

struct server_run {
	struct node *node;
	struct connect *connect;
	pthread_mutex_t lock; /* guards edge against the writers' news while it starts and stops */
	struct edge *edge;
};

static void tell_edge(void *ctx, struct hub *h, int64_t position)
{
	struct server_run *r = ctx;

	pthread_mutex_lock(&r->lock);
	if (r->edge)
		edge_events_committed(r->edge, h, position);
	pthread_mutex_unlock(&r->lock);
}

static void set_edge(struct server_run *r, struct edge *edge)
{
	pthread_mutex_lock(&r->lock);
	r->edge = edge;
	pthread_mutex_unlock(&r->lock);
}

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void wait_for_stop(const sigset_t *set)
{
	sigset_t again;
	int number = 0;

	while (number != SIGTERM && number != SIGINT) {
		if (sigwait(set, &number) != 0)
			continue;
		if (number == SIGHUP)
			log_warn("cli", "a changed configuration needs a restart", LOG_TEXT("signal", "SIGHUP"));
	}
	log_info("cli", "stopping", LOG_TEXT("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
	sigemptyset(&again);
	sigaddset(&again, SIGTERM);
	sigaddset(&again, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &again, NULL);
}

/* A listener needs one descriptor a connection, a delivery one a transfer. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void say_listening(const struct config *c, const struct edge *edge)
{
	const char *colon = memrchr(c->listen.p, ':', c->listen.n);
	struct str host = {c->listen.p, colon ? (size_t)(colon - c->listen.p) : c->listen.n};
	printf("listening on http://" STR_FMT ":%u\n", STR_ARG(host), edge_port(edge));
	fflush(stdout);
}

static enum rc start(struct server_run *r, struct config *c, const char *share, struct err *e)
{
	const struct connect_options connect = {.events = tell_edge, .ctx = r};
	struct edge_options options = {.share = share};
	struct edge *edge = NULL;

	enum rc rc = node_open(c, clock_system(), &r->node, e);
	if (rc == RC_OK)
		rc = connect_start(r->node, &connect, &r->connect, e);
	if (rc == RC_OK)
		rc = node_start(r->node, e);
	options.connect = r->connect;
	if (rc == RC_OK)
		rc = edge_start(r->node, &options, &edge, e);
	if (rc == RC_OK) {
		set_edge(r, edge);
		say_listening(c, edge);
	}
	return rc;
}

static void stop(struct server_run *r)
{
	struct edge *edge = r->edge;

	set_edge(r, NULL);
	edge_stop(edge);
	if (r->connect)
		connect_stop(r->connect);
	if (r->node)
		node_stop(r->node);
	connect_free(r->connect);
	if (r->node)
		node_close(r->node);
}

int cli_serve(int argc, char **argv)
{
	const char *listen = NULL, *share;
	struct server_run r = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct cli_args args;
	struct err e = ERR_NONE;
	struct arena a;
	sigset_t signals;

	if (!cli_parse(argc, argv, (const struct cli_option[]){{"listen", &listen, NULL}, {0}}, 1, &args))
		return CLI_USAGE;
	if (listen && !config_listen_ok(str_from(listen)))
		return cli_usage(argv[0], "--listen is HOST:PORT, such as 127.0.0.1:8080");
	struct config *c = cli_config(args.count ? args.positional[0] : ".");
	if (!c)
		return CLI_FAILED;
	if (listen)
		c->listen = str_from(listen);
	arena_init(&a, 1u << 20);
	block_signals(&signals);
	raise_descriptor_limit();
	enum rc rc = share_find(&a, &share, &e);
	if (rc == RC_OK)
		rc = start(&r, c, share, &e);
	if (rc == RC_OK)
		wait_for_stop(&signals);
	stop(&r);
	config_unref(c);
	arena_done(&a);
	return rc == RC_OK ? CLI_DONE : cli_fail(&e);
}
