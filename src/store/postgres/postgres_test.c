/*
 * What only PostgreSQL has: the lease, and connections that are lost at the worst time. The server is a real one
 * (tools/with-postgres); the answers are lost by a proxy that stands between it and the store.
 */
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <postgresql/libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *server_url;
static PGconn *admin;

struct node {
	char url[256], schema[49], name[32];
	struct store *store;
	int64_t last;
	struct arena arena;
};

static void node_init(struct node *n, const char *schema, const char *name)
{
	*n = (struct node){0};
	arena_init(&n->arena, 1 << 20);
	snprintf(n->schema, sizeof(n->schema), "p%d_%s", (int)getpid(), schema);
	snprintf(n->name, sizeof(n->name), "%s", name);
	snprintf(n->url, sizeof(n->url), "%s?application_name=%s", server_url, name);
}

static enum rc node_try(struct node *n, struct err *e)
{
	struct store_options o = {.url = n->url, .schema = n->schema, .holder = n->name, .clock = clock_system()};

	return store_open(&o, &n->store, &n->last, e);
}

static void node_open(struct node *n)
{
	struct err e = ERR_NONE;

	if (node_try(n, &e) != RC_OK)
		fail_msg("open: %s %s", e.code, e.detail);
}

static void node_close(struct node *n)
{
	store_close(n->store);
	arena_done(&n->arena);
}

static enum rc node_commit(struct node *n, int64_t value, struct err *e)
{
	struct store_batch b;
	enum rc rc;

	store_batch_init(&b, &n->arena, n->last + 1);
	assert_int_equal(store_batch_put(&b, W_META, SV_TEXT(STR("a")), SV_INT(value)), RC_OK);
	rc = store_commit(n->store, &b, e);
	if (rc == RC_OK)
		n->last = b.number;
	return rc;
}

static int64_t node_value(struct node *n)
{
	struct store_reader *r;
	struct store_value v;

	assert_int_equal(store_reader_open(n->store, &r, NULL), RC_OK);
	assert_int_equal(store_read_one(r, R_META, &SV_TEXT(STR("a")), 1, &n->arena, &v, NULL), RC_OK);
	store_reader_close(r);
	return v.integer;
}

/* The first column of the first row, as an integer; 0 without one. */
PRINTF_LIKE(1, 2) static long ask(const char *format, ...)
{
	char sql[512];
	PGresult *result;
	va_list arguments;
	long n;

	va_start(arguments, format);
	vsnprintf(sql, sizeof(sql), format, arguments);
	va_end(arguments);
	result = PQexec(admin, sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(admin));
	n = PQntuples(result) > 0 ? strtol(PQgetvalue(result, 0, 0), NULL, 10) : 0;
	PQclear(result);
	return n;
}

/* Ends the node's sessions and waits until they are gone. */
static void terminate(const struct node *n)
{
	assert_true(
	    ask("SELECT COUNT(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE application_name = '%s'",
		n->name) > 0);
}

static void wait_until_blocked(const struct node *n)
{
	for (int i = 0; i < 50000; i++) {
		/* Inside a transaction the view would not move. */
		ask("SELECT pg_stat_clear_snapshot()");
		if (ask("SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = '%s' AND wait_event_type = "
			"'Lock'",
			n->name))
			return;
	}
	fail_msg("%s does not wait for a lock", n->name);
}

static void a_second_node_takes_the_tenant(void **state)
{
	struct node a, b;
	struct err e = ERR_NONE;

	(void)state;
	node_init(&a, "takeover", "takeover_a");
	node_init(&b, "takeover", "takeover_b");
	node_open(&a);
	assert_int_equal(node_commit(&a, 1, NULL), RC_OK);
	node_open(&b);
	assert_int_equal(b.last, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(node_commit(&a, 2, &e), RC_DENIED);
		assert_string_equal(e.code, "taken_over");
	}
	assert_int_equal(node_value(&b), 1);
	assert_int_equal(node_commit(&b, 3, NULL), RC_OK);
	assert_int_equal(node_commit(&a, 4, NULL), RC_DENIED);
	assert_int_equal(node_value(&a), 3);
	node_close(&a);
	node_close(&b);
}

static void a_lost_session_is_in_doubt_until_recovered(void **state)
{
	struct node a;
	int64_t last = -1;

	(void)state;
	node_init(&a, "lost", "lost_a");
	node_open(&a);
	assert_int_equal(node_commit(&a, 1, NULL), RC_OK);
	terminate(&a);
	assert_int_equal(node_commit(&a, 2, NULL), RC_UNKNOWN);
	assert_int_equal(node_commit(&a, 2, NULL), RC_UNKNOWN);
	assert_int_equal(store_recover(a.store, &last, NULL), RC_OK);
	assert_int_equal(last, 1);
	assert_int_equal(node_value(&a), 1);
	assert_int_equal(node_commit(&a, 3, NULL), RC_OK);
	assert_int_equal(node_value(&a), 3);
	node_close(&a);
}

static void who_was_taken_over_does_not_recover(void **state)
{
	struct node a, b;
	int64_t last;

	(void)state;
	node_init(&a, "usurped", "usurped_a");
	node_init(&b, "usurped", "usurped_b");
	node_open(&a);
	terminate(&a);
	assert_int_equal(node_commit(&a, 1, NULL), RC_UNKNOWN);
	node_open(&b);
	assert_int_equal(store_recover(a.store, &last, NULL), RC_DENIED);
	assert_int_equal(node_commit(&a, 1, NULL), RC_UNKNOWN);
	assert_int_equal(node_commit(&b, 2, NULL), RC_OK);
	node_close(&a);
	node_close(&b);
}

static void *open_in_thread(void *ctx)
{
	node_open(ctx);
	return NULL;
}

static void *commit_in_thread(void *ctx)
{
	return (void *)(intptr_t)node_commit(ctx, 2, NULL);
}

/* The writer's transaction is held open by a lock on a table that it writes after the fence. */
static void block_writes(struct node *n)
{
	ask("BEGIN");
	ask("LOCK TABLE \"%s\".meta IN SHARE ROW EXCLUSIVE MODE", n->schema);
}

static void a_takeover_waits_for_the_open_transaction(void **state)
{
	struct node a, b;
	pthread_t committing, opening;
	void *rc;

	(void)state;
	node_init(&a, "waits", "waits_a");
	node_init(&b, "waits", "waits_b");
	node_open(&a);
	assert_int_equal(node_commit(&a, 1, NULL), RC_OK);
	block_writes(&a);
	assert_int_equal(pthread_create(&committing, NULL, commit_in_thread, &a), 0);
	wait_until_blocked(&a);
	assert_int_equal(pthread_create(&opening, NULL, open_in_thread, &b), 0);
	wait_until_blocked(&b);
	ask("COMMIT");
	pthread_join(committing, &rc);
	assert_int_equal((intptr_t)rc, RC_OK);
	pthread_join(opening, NULL);
	assert_int_equal(b.last, 2);
	assert_int_equal(node_value(&b), 2);
	assert_int_equal(node_commit(&a, 3, NULL), RC_DENIED);
	node_close(&a);
	node_close(&b);
}

static void a_session_that_ends_inside_a_batch_leaves_nothing(void **state)
{
	struct node a;
	pthread_t committing;
	int64_t last;
	void *rc;

	(void)state;
	node_init(&a, "inside", "inside_a");
	node_open(&a);
	assert_int_equal(node_commit(&a, 1, NULL), RC_OK);
	block_writes(&a);
	assert_int_equal(pthread_create(&committing, NULL, commit_in_thread, &a), 0);
	wait_until_blocked(&a);
	terminate(&a);
	pthread_join(committing, &rc);
	assert_int_equal((intptr_t)rc, RC_UNKNOWN);
	ask("COMMIT");
	assert_int_equal(store_recover(a.store, &last, NULL), RC_OK);
	assert_int_equal(last, 1);
	assert_int_equal(node_commit(&a, 5, NULL), RC_OK);
	node_close(&a);
}

/* Between a store and the server. Once `swallow` is set, the next answer is lost and both connections end. */
struct proxy {
	int listener, port, target_port;
	atomic_bool swallow, stop;
	pthread_t thread;
};

static int connect_to(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool forward(int from, int to)
{
	char bytes[65536];
	ssize_t n = read(from, bytes, sizeof(bytes));

	for (ssize_t at = 0; at < n;) {
		ssize_t w = write(to, bytes + at, (size_t)(n - at));
		if (w <= 0)
			return false;
		at += w;
	}
	return n > 0;
}

static void serve(struct proxy *p, int client, int server)
{
	struct pollfd fds[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};

	while (!p->stop && poll(fds, 2, 50) >= 0) {
		if (fds[1].revents && p->swallow)
			return;
		if ((fds[0].revents && !forward(client, server)) || (fds[1].revents && !forward(server, client)))
			return;
	}
}

static void *proxy_run(void *ctx)
{
	struct proxy *p = ctx;

	while (!p->stop) {
		struct pollfd fd = {.fd = p->listener, .events = POLLIN};
		if (poll(&fd, 1, 50) <= 0)
			continue;
		int client = accept(p->listener, NULL, NULL), server = connect_to(p->target_port);
		if (client >= 0 && server >= 0)
			serve(p, client, server);
		p->swallow = false;
		close(client);
		close(server);
	}
	return NULL;
}

static void proxy_start(struct proxy *p)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t n = sizeof(at);

	*p = (struct proxy){0};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->target_port = (int)strtol(PQport(admin), NULL, 10);
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(p->listener, 8), 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&at, &n), 0);
	p->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&p->thread, NULL, proxy_run, p), 0);
}

static void proxy_stop(struct proxy *p)
{
	p->stop = true;
	pthread_join(p->thread, NULL);
	close(p->listener);
}

static void a_commit_whose_answer_is_lost_is_found(void **state)
{
	struct node a, direct;
	struct proxy proxy;
	int64_t last;

	(void)state;
	proxy_start(&proxy);
	node_init(&a, "answer", "answer_a");
	node_init(&direct, "answer", "answer_direct");
	/* One connection at a time goes through the proxy: this node has no readers. */
	snprintf(a.url, sizeof(a.url), "postgresql://%s@127.0.0.1:%d/%s?sslmode=disable&gssencmode=disable",
		 PQuser(admin), proxy.port, PQdb(admin));
	node_open(&a);
	assert_int_equal(node_commit(&a, 1, NULL), RC_OK);
	proxy.swallow = true;
	assert_int_equal(node_commit(&a, 2, NULL), RC_UNKNOWN);
	assert_int_equal(store_recover(a.store, &last, NULL), RC_OK);
	assert_int_equal(last, 2);
	a.last = last;
	assert_int_equal(node_commit(&a, 3, NULL), RC_OK);
	node_open(&direct);
	assert_int_equal(direct.last, 3);
	assert_int_equal(node_value(&direct), 3);
	node_close(&a);
	node_close(&direct);
	proxy_stop(&proxy);
}

static void a_reader_comes_back_after_its_session_was_lost(void **state)
{
	struct node a;
	struct store_reader *r;
	struct store_value v;

	(void)state;
	node_init(&a, "reader", "reader_a");
	node_open(&a);
	assert_int_equal(node_commit(&a, 1, NULL), RC_OK);
	assert_int_equal(store_reader_open(a.store, &r, NULL), RC_OK);
	terminate(&a);
	assert_int_equal(store_read_one(r, R_META, &SV_TEXT(STR("a")), 1, &a.arena, &v, NULL), RC_OK);
	terminate(&a);
	assert_int_equal(store_reader_begin(r, NULL), RC_OK);
	terminate(&a);
	/* A snapshot cannot come back. */
	assert_int_equal(store_read_one(r, R_META, &SV_TEXT(STR("a")), 1, &a.arena, &v, NULL), RC_IO);
	store_reader_end(r);
	assert_int_equal(store_read_one(r, R_META, &SV_TEXT(STR("a")), 1, &a.arena, &v, NULL), RC_OK);
	store_reader_close(r);
	node_close(&a);
}

static void a_role_without_create_uses_its_own_schema(void **state)
{
	struct node a;

	(void)state;
	node_init(&a, "role", "role_a");
	ask("CREATE ROLE \"%s\" LOGIN", a.schema);
	ask("CREATE SCHEMA \"%s\" AUTHORIZATION \"%s\"", a.schema, a.schema);
	snprintf(a.url, sizeof(a.url), "postgresql://%s@%s:%s/%s", a.schema, PQhost(admin), PQport(admin), PQdb(admin));
	node_open(&a);
	assert_int_equal(node_commit(&a, 1, NULL), RC_OK);
	node_close(&a);
}

static void what_cannot_be_durable_or_named_is_refused(void **state)
{
	static const struct {
		const char *schema, *parameters;
		enum rc rc;
		const char *code;
	} rows[] = {
	    {"x", "&options=-c%20synchronous_commit%3Doff", RC_DENIED, "not_durable"},
	    {"X", "", RC_INVALID, "schema_name"},
	    {"", "", RC_INVALID, "schema_name"},
	    {"a\"; DROP TABLE x", "", RC_INVALID, "schema_name"},
	    {"a2345678901234567890123456789012345678901234567890", "", RC_INVALID, "schema_name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct node n;
		struct err e = ERR_NONE;
		struct store_options o = {.url = n.url, .schema = rows[i].schema};

		node_init(&n, "refused", "refused");
		strncat(n.url, rows[i].parameters, sizeof(n.url) - strlen(n.url) - 1);
		assert_int_equal(store_open(&o, &n.store, &n.last, &e), rows[i].rc);
		assert_string_equal(e.code, rows[i].code);
		arena_done(&n.arena);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_second_node_takes_the_tenant),
	    cmocka_unit_test(a_lost_session_is_in_doubt_until_recovered),
	    cmocka_unit_test(who_was_taken_over_does_not_recover),
	    cmocka_unit_test(a_takeover_waits_for_the_open_transaction),
	    cmocka_unit_test(a_session_that_ends_inside_a_batch_leaves_nothing),
	    cmocka_unit_test(a_commit_whose_answer_is_lost_is_found),
	    cmocka_unit_test(a_reader_comes_back_after_its_session_was_lost),
	    cmocka_unit_test(a_role_without_create_uses_its_own_schema),
	    cmocka_unit_test(what_cannot_be_durable_or_named_is_refused),
	};
	int failed;

	(void)argc;
	server_url = getenv("CROSSDOCK_TEST_PG");
	if (!server_url) {
		execl(CD_SOURCE_DIR "/tools/with-postgres", "with-postgres", argv[0], (char *)NULL);
		perror("tools/with-postgres");
		return 1;
	}
	admin = PQconnectdb(server_url);
	if (PQstatus(admin) != CONNECTION_OK) {
		fprintf(stderr, "%s", PQerrorMessage(admin));
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	PQfinish(admin);
	return failed != 0;
}
