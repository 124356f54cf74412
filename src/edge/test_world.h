/* What the tests of the edge share: a node with two tenants on a real store, its keys, and a small client. */
#ifndef EDGE_TEST_WORLD_H
#define EDGE_TEST_WORLD_H

#include "base/hash.h"
#include "base/mem.h"
#include "edge/edge.h"
#include "edge/exchange.h"
#include "edge/test_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET(c)                                                                                                      \
#c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c #c
#define ADMIN   "Authorization: Bearer cd_acme_" SECRET(a) "\r\n"
#define READER  "Authorization: Bearer cd_acme_" SECRET(b) "\r\n"
#define SHOP    "Authorization: Bearer cd_acme_" SECRET(c) "\r\n"
#define REVOKED "Authorization: Bearer cd_acme_" SECRET(d) "\r\n"
#define OTHER   "Authorization: Bearer cd_other_" SECRET(e) "\r\n"
#define BUSY    "Authorization: Bearer cd_acme_" SECRET(g) "\r\n"
#define BRIEF   "Authorization: Bearer cd_acme_" SECRET(h) "\r\n"
#define UNKNOWN "Authorization: Bearer cd_acme_" SECRET(f) "\r\n"

static const char configuration[] =
    "listen: 127.0.0.1:0\n"
    "store: sqlite\n"
    "limits: {stream_clients: 1, body_bytes: 65536, requests_per_s: 300}\n"
    "tenants:\n"
    "  acme:\n"
    "    locations: {east: {}}\n"
    "    systems:\n"
    "      shop: {connector: canonical, url: \"http://127.0.0.1:9\", roles: [channel]}\n"
    "      portal: {connector: canonical, url: \"http://127.0.0.1:9\", roles: [channel],\n"
    "               webhook_secret: \"${env:EDGE_TEST_SECRET}\"}\n"
    "      wms: {connector: canonical, url: \"http://127.0.0.1:9\", roles: [warehouse], locations: [east]}\n"
    "    channels:\n"
    "      shop: {locations: [east]}\n"
    "      portal: {locations: [east]}\n"
    "    records: {stock: wms}\n"
    "  other:\n"
    "    locations: {east: {}}\n";

/* Real time, that a test may stop or move on. */
static _Atomic int64_t moved_ns, stopped_ns;

static inline int64_t wall_ms(const struct clock *c)
{
	(void)c;
	return clock_wall_ms(clock_system());
}

static inline int64_t mono_ns(const struct clock *c)
{
	(void)c;
	int64_t stopped = atomic_load(&stopped_ns);
	return stopped ? stopped : clock_mono_ns(clock_system()) + atomic_load(&moved_ns);
}

static const struct clock test_clock_of_ours = {wall_ms, mono_ns};

static struct world {
	char folder[64];
	struct config *config;
	struct node *node;
	struct edge *edge;
} world;

static inline void tool_write(const char *tenant, enum store_statement w, const struct store_value *values,
			      size_t count)
{
	struct arena a;
	struct err e = ERR_NONE;
	struct store_options o;
	struct store *s;
	arena_init(&a, 65536);
	assert_int_equal(node_store_options(world.config, str_from(tenant), &a, &o, &e), RC_OK);
	assert_int_equal(store_tool_open(&o, &s, &e), RC_OK);
	assert_int_equal(store_tool_write(s, w, values, count, &e), RC_OK);
	store_close(s);
	arena_done(&a);
}

static inline void key_revoke(const char *tenant, const char *id)
{
	const struct store_value values[] = {SV_TEXT(str_from(id)), SV_INT(2)};
	tool_write(tenant, W_API_KEY_REVOKE, values, 2);
}

static inline void key_add(const char *tenant, const char *id, const char *secret, const char *scopes,
			   const char *system)
{
	unsigned char hash[32];
	hash_secret(str_from(secret), hash);
	const struct store_value values[] = {SV_TEXT(str_from(id)), SV_BLOB(((struct str){(char *)hash, 32})),
					     SV_TEXT(str_from(scopes)), SV_TEXT_OPT(str_from(system)), SV_INT(1)};
	tool_write(tenant, W_API_KEY, values, 5);
}

static inline void tell_edge(void *ctx, struct hub *h, int64_t position)
{
	(void)ctx;
	if (world.edge)
		edge_events_committed(world.edge, h, position);
}

static inline void file_write(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", world.folder, name);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static inline void folder_make(const char *name)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", world.folder, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static inline int build(void **state)
{
	(void)state;
	char path[128];
	struct err e = ERR_NONE;
	struct arena a;
	struct findings f;
	arena_init(&a, 1 << 20);
	findings_init(&f, &a);
	setenv("EDGE_TEST_SECRET", "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", 1);
	snprintf(world.folder, sizeof(world.folder), "/tmp/edge-test-XXXXXX");
	assert_non_null(mkdtemp(world.folder));
	file_write("crossdock.yaml", configuration);
	folder_make("share");
	folder_make("share/console");
	folder_make("share/console/assets");
	file_write("share/console/index.html", "<!doctype html>");
	file_write("share/console/app.js", "let a;");
	file_write("share/console/assets/a.css", "a{}");
	file_write("share/secret.txt", "no");
	if (config_load(world.folder, CD_SOURCE_DIR, &world.config, &f) != RC_OK)
		fail_msg("%s: %s", f.list[0].pointer, f.list[0].detail);
	assert_int_equal(node_open(world.config, &test_clock_of_ours, &world.node, &e), RC_OK);
	static const struct hub_sinks sinks = {.events = tell_edge};
	for (size_t i = 0; i < node_tenants(world.node); i++) {
		hub_set_sinks(node_hub(world.node, i), &sinks);
		assert_int_equal(hub_resume(node_hub(world.node, i), &e), RC_OK);
	}
	key_add("acme", "key_admin", SECRET(a), "admin", NULL);
	key_add("acme", "key_reader", SECRET(b), "stock:read orders:read", NULL);
	key_add("acme", "key_shop", SECRET(c), "orders:write stock:write", "shop");
	key_add("acme", "key_revoked", SECRET(d), "admin", NULL);
	key_revoke("acme", "key_revoked");
	key_add("acme", "key_busy", SECRET(g), "admin", NULL);
	key_add("acme", "key_brief", SECRET(h), "admin", NULL);
	key_add("other", "key_other", SECRET(e), "admin", NULL);
	assert_int_equal(node_start(world.node, &e), RC_OK);
	snprintf(path, sizeof(path), "%s/share", world.folder);
	assert_int_equal(edge_start(world.node, &(struct edge_options){.share = path}, &world.edge, &e), RC_OK);
	arena_done(&a);
	return 0;
}

static inline int remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
	(void)s, (void)type, (void)f;
	return remove(path);
}

static inline int tear_down(void **state)
{
	(void)state;
	edge_stop(world.edge);
	if (world.node)
		node_stop(world.node);
	node_close(world.node);
	config_unref(world.config);
	nftw(world.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* ---- a small client ---- */

struct heard {
	int status;
	char head[4096], body[131072];
	struct arena arena;
	struct json *json; /* of the body, or NULL */
};

static inline int dial(void)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_port = htons(edge_port(world.edge)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* line: "POST /v1/orders"; headers end with CRLF each. */
static inline void ask(struct heard *h, const char *line, const char *headers, const char *body)
{
	int fd = dial();
	struct buf out;
	buf_init(&out, 1 << 20);
	buf_printf(&out, "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s", line, headers);
	if (body)
		buf_printf(&out, "Content-Length: %zu\r\n", strlen(body));
	buf_printf(&out, "\r\n%s", body ? body : "");
	assert_int_equal(send(fd, out.p, out.n, MSG_NOSIGNAL), (ssize_t)out.n);
	buf_done(&out);
	*h = (struct heard){0};
	assert_true(hear_until(fd, h->head, sizeof(h->head), "\r\n\r\n"));
	h->status = (int)strtol(h->head + 9, NULL, 10);
	size_t n = 0;
	ssize_t part;
	while ((part = recv(fd, h->body + n, sizeof(h->body) - 1 - n, 0)) > 0)
		n += (size_t)part;
	close(fd);
	arena_init(&h->arena, 8 << 20);
	if (n && json_parse(&h->arena, (struct str){h->body, n}, NULL, &h->json, NULL) != RC_OK)
		h->json = NULL;
}

static inline void forget(struct heard *h)
{
	arena_done(&h->arena);
}

static inline bool text_is(const struct heard *h, const char *name, const char *value)
{
	return str_is(json_get_text(h->json, name), value);
}

#define ORDER(id, channel, quantity)                                                                                   \
	"{\"channel\":\"" channel "\",\"external_id\":\"" id                                                           \
	"\",\"placed_at\":\"2026-03-01T12:00:00Z\",\"currency\":\"GBP\","                                              \
	"\"customer\":{\"external_id\":\"C1\"},\"lines\":[{\"line_id\":\"1\",\"sku\":\"A\",\"quantity\":\"" quantity   \
	"\",\"uom\":\"EA\",\"unit_price\":\"2.55\"}]}"
#define MOVE(id, source, quantity)                                                                                     \
	"{\"source\":\"" source "\",\"source_event_id\":\"" id                                                         \
	"\",\"type\":\"receive\",\"occurred_at\":\"2026-03-01T10:00:00Z\","                                            \
	"\"lines\":[{\"sku\":\"A\",\"location\":\"east\",\"quantity\":\"" quantity "\"}]}"

#endif
