/*
 * From a request to its handler: correlation, route, key, scope, rate, media type, in this order and before the body is
 * read. What is refused there costs the sender its upload and us nothing.
 */
#include "edge/edge.h"

#include "base/mem.h"
#include "base/uuid.h"
#include "edge/console.h"
#include "edge/exchange.h"
#include "edge/read_pool.h"
#include "edge/streams.h"
#include "edge/uri.h"
#include "observe/log.h"
#include "observe/metrics.h"

#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>

#define CORRELATION_MAX   128
#define DEFAULT_ANSWER_MS 30000
#define DEFAULT_DRAIN_MS  10000
#define STREAM_ROOM       (256u * 1024)
#define READ_THREADS      2
#define READ_QUEUE        1000
#define HEAVY_QUEUE       8
#define STATUS_FIRST      200
#define STATUS_COUNT      400

/* ---- correlation ---- */

static struct str correlation_new(struct arena *a, const struct clock *clock)
{
	static _Thread_local struct uuid_source source;
	char text[UUID_TEXT + 1];
	if (!source.random)
		uuid_source_init(&source);
	uuid_format(uuid_make(&source, clock_wall_ms(clock)), text);
	return arena_copy(a, (struct str){text, UUID_TEXT});
}

static bool correlation_ok(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	return s.n > 0 && s.n <= CORRELATION_MAX;
}

/* W3C Trace Context, version 00: 00-<32 hex>-<16 hex>-<2 hex>, ids not zero. Empty if it is not. */
static struct str traceparent_of(const struct server_request *r)
{
	struct str t = server_header(r, "traceparent");
	bool trace = false, parent = false;
	if (t.n != 55 || memcmp(t.p, "00-", 3) != 0)
		return STR_NONE;
	for (size_t i = 3; i < 55; i++) {
		char c = t.p[i];
		if (i == 35 || i == 52) {
			if (c != '-')
				return STR_NONE;
			continue;
		}
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return STR_NONE;
		if (c != '0')
			*(i < 35 ? &trace : &parent) |= i < 52;
	}
	return trace && parent ? t : STR_NONE;
}

/* ---- the head ---- */

static bool json_type(struct str type)
{
	const char *end = type.n ? memchr(type.p, ';', type.n) : NULL;
	size_t n = end ? (size_t)(end - type.p) : type.n;
	while (n && type.p[n - 1] == ' ')
		n--;
	return n == 0 || (n == 16 && strncasecmp(type.p, "application/json", 16) == 0);
}

/* false: answered. */
static bool route_choose(struct exchange *x)
{
	struct route_match m;
	struct err e = ERR_NONE;
	route_find(x->request->method, x->request->path, &m);
	x->route = m.route;
	if (!m.route) {
		if (!m.allow[0]) {
			exchange_refuse(x, "unknown_route", "There is no such route.");
			return false;
		}
		struct problem p = {.code = "method_not_allowed",
				    .detail = STR("The Allow header names what there is."),
				    .instance = x->request->path,
				    .correlation_id = x->correlation_id};
		struct server_field allow = {"Allow", str_from(m.allow)};
		struct buf out;
		buf_init(&out, 64 * 1024);
		int status = problem_write(&out, &p);
		exchange_answer(x, status, buf_str(&out), &allow, 1);
		buf_done(&out);
		return false;
	}
	for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
		if (uri_decode(x->request->arena, m.params[i], false, &x->params[i], &e) != RC_OK) {
			exchange_fail(x, &e);
			return false;
		}
	return true;
}

static void scope_missing(struct exchange *x)
{
	char names[160] = "";
	for (unsigned s = 0; s < SCOPES; s++)
		if (x->route->scopes & 1u << s)
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", names[0] ? " or " : "",
				 scope_name((enum scope)s));
	exchange_refuse(x, "insufficient_scope", "The key needs the scope %s.", names);
}

/* false: answered. */
static bool key_check(struct exchange *x)
{
	struct err e = ERR_NONE;
	struct str key;
	if (x->route->flags & ROUTE_OPEN)
		return true;
	if (!auth_bearer(server_header(x->request, "Authorization"), &key)) {
		exchange_refuse(x, "unauthorized", "Send Authorization: Bearer with a key.");
		return false;
	}
	if (auth_check(x->edge->auth, key, &x->principal, &x->rate, &e) != RC_OK) {
		exchange_fail(x, &e);
		return false;
	}
	x->hub = x->principal.hub;
	x->tenant = hub_tenant(x->hub);
	if (x->principal.scopes & x->route->scopes)
		return true;
	scope_missing(x);
	return false;
}

static bool has_body(const struct server_request *r)
{
	struct str length = server_header(r, "Content-Length");
	return server_header(r, "Transfer-Encoding").n || (length.n && !str_is(length, "0"));
}

static void head(void *ctx, struct server_request *r)
{
	struct edge *edge = ctx;
	struct exchange *x = arena_new(r->arena, struct exchange);
	struct str given = server_header(r, "Correlation-Id");
	x->edge = edge;
	x->request = r;
	r->user = x;
	x->correlation_id = correlation_ok(given) ? given : correlation_new(r->arena, node_clock(edge->node));
	x->traceparent = traceparent_of(r);
	if (!route_choose(x) || !key_check(x))
		return;
	if (given.p && !correlation_ok(given))
		exchange_refuse(x, "bad_parameter", "Correlation-Id is 1 to %d visible ASCII characters.",
				CORRELATION_MAX);
	else if (r->query.n && x->route->scopes && !(x->route->flags & ROUTE_QUERY))
		exchange_refuse(x, "unknown_parameter", "This route takes no query parameters.");
	else if (has_body(r) && !(x->route->flags & (ROUTE_JSON | ROUTE_RAW)))
		exchange_refuse(x, "body_not_expected", "This route takes no body.");
	else if (x->route->flags & ROUTE_JSON && !json_type(server_header(r, "Content-Type")))
		exchange_refuse(x, "unsupported_media_type", "The Content-Type is not application/json.");
	else if (x->route->flags & ROUTE_JSON && server_header(r, "Content-Encoding").n)
		exchange_refuse(x, "unsupported_media_type", "A Content-Encoding is not taken.");
}

static enum server_next handle(void *ctx, struct server_request *r)
{
	struct edge *edge = ctx;
	struct exchange *x = r->user;
	if (!(x->route->flags & (ROUTE_READ | ROUTE_HEAVY)))
		return x->route->run(x);
	if (read_pool_run(x->route->flags & ROUTE_HEAVY ? edge->heavy : edge->reads, x) == RC_OK)
		return SERVER_PENDING;
	return exchange_refuse(x, "busy", "Too many reads are waiting.");
}

static size_t refuse(void *ctx, struct server_request *r, int status, const char *code, const char *detail,
		     struct server_field *fields, struct str *body)
{
	struct edge *edge = ctx;
	struct str given = server_header(r, "Correlation-Id");
	struct str id = correlation_ok(given) ? given : correlation_new(r->arena, node_clock(edge->node));
	struct problem p = {.code = code,
			    .status = status,
			    .detail = str_from(detail),
			    .instance = uri_valid(r->path) ? r->path : STR_NONE,
			    .correlation_id = id};
	struct buf out;
	buf_init(&out, 16 * 1024);
	problem_write(&out, &p);
	*body = arena_copy(r->arena, buf_str(&out));
	buf_done(&out);
	fields[0] = (struct server_field){"Content-Type", STR(PROBLEM_TYPE)};
	fields[1] = (struct server_field){"Correlation-Id", id};
	fields[2] = (struct server_field){"Cache-Control", STR("no-store")};
	return 3;
}

/* ---- metrics ---- */

static struct metric *requests_of(const struct route *route, int status)
{
	static _Atomic(struct metric *) known[ROUTES_MAX + 1][STATUS_COUNT];
	bool inside = status >= STATUS_FIRST && status < STATUS_FIRST + STATUS_COUNT;
	_Atomic(struct metric *) *place =
	    inside ? &known[route ? route_index(route) : ROUTES_MAX][status - STATUS_FIRST] : NULL;
	struct metric *m = place ? atomic_load_explicit(place, memory_order_acquire) : NULL;
	if (m)
		return m;
	char text[12];
	snprintf(text, sizeof(text), "%d", status);
	m = metric_find(M_HTTP_REQUESTS, (const char *const[]){route ? route->name : "none", text});
	if (place)
		atomic_store_explicit(place, m, memory_order_release);
	return m;
}

static struct metric *seconds_of(const struct route *route)
{
	static _Atomic(struct metric *) known[ROUTES_MAX + 1];
	_Atomic(struct metric *) *place = &known[route ? route_index(route) : ROUTES_MAX];
	struct metric *m = atomic_load_explicit(place, memory_order_acquire);
	if (m)
		return m;
	m = metric_find(M_HTTP_SECONDS, (const char *const[]){route ? route->name : "none"});
	atomic_store_explicit(place, m, memory_order_release);
	return m;
}

static void answered(void *ctx, struct server_request *r, int status)
{
	struct edge *edge = ctx;
	const struct exchange *x = r->user;
	const struct route *route = x ? x->route : NULL;
	metric_add(requests_of(route, status), 1);
	metric_observe_us(seconds_of(route), (clock_mono_ns(node_clock(edge->node)) - r->started_ns) / 1000);
}

/* ---- start and stop ---- */

static enum rc schemas_check(const struct config *c, struct err *e)
{
	static const char *const types[] = {"order",       "order-cancel",       "stock-movement",
					    "reservation", "reservation-commit", "availability-query"};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!schema_find(c->schemas, types[i], 1))
			return err_set(e, RC_INVALID, "schema_missing", "The schema %s/v1.json is not installed.",
				       types[i]);
	return RC_OK;
}

static void edge_free(struct edge *e)
{
	read_pool_free(e->reads);
	read_pool_free(e->heavy);
	streams_free(e->streams);
	auth_free(e->auth);
	readers_free(e->readers);
	console_free(e->console);
	free(e);
}

enum rc edge_start(struct node *node, const struct edge_options *options, struct edge **out, struct err *e)
{
	const struct config *config = node_config(node);
	const struct config_limits *l = &config->limits;
	enum rc rc = schemas_check(config, e);
	if (rc != RC_OK)
		return rc;
	struct arena a;
	arena_init(&a, 4096);
	struct edge *edge = mem_zalloc(1, sizeof(*edge));
	edge->node = node;
	edge->connect = options->connect;
	edge->drain_ms = options->drain_ms ? options->drain_ms : DEFAULT_DRAIN_MS;
	edge->readers = readers_new(node);
	edge->auth = auth_new(node, edge->readers, l->requests_per_s);
	edge->console = console_load(options->share);
	edge->reads = read_pool_new(READ_THREADS, READ_QUEUE);
	edge->heavy = read_pool_new(1, HEAVY_QUEUE);
	edge->streams = streams_new(edge->readers, node_clock(node), l->stream_clients);
	const struct server_options s = {
	    .listen = options->listen ? options->listen : arena_copy(&a, config->listen).p,
	    .threads = config->listener_threads ? config->listener_threads : 1,
	    .limits = {.body_bytes = l->body_bytes,
		       .header_bytes = l->header_bytes,
		       .connections = l->connections,
		       .connections_per_ip = l->connections_per_ip,
		       .request_ms = l->request_ms,
		       .idle_ms = l->idle_ms,
		       .answer_ms = options->answer_ms ? options->answer_ms : DEFAULT_ANSWER_MS,
		       .stream_bytes = l->body_bytes + STREAM_ROOM},
	    .clock = node_clock(node),
	    .ctx = edge,
	    .handler = handle,
	    .head = head,
	    .refuse = refuse,
	    .answered = answered,
	};
	rc = server_start(&s, &edge->server, e);
	arena_done(&a);
	if (rc != RC_OK) {
		edge_free(edge);
		return rc;
	}
	*out = edge;
	return RC_OK;
}

void edge_stop(struct edge *e)
{
	if (!e)
		return;
	server_stop(e->server, e->drain_ms);
	edge_free(e);
}

uint16_t edge_port(const struct edge *e)
{
	return server_port(e->server);
}

void edge_events_committed(struct edge *e, struct hub *hub, int64_t position)
{
	(void)hub;
	(void)position;
	streams_wake(e->streams);
}
