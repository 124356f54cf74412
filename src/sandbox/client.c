#include "sandbox/client.h"

#include "base/mem.h"
#include "connect/transport/http.h"

#include <stdio.h>

#define TIMEOUT_MS 20000

struct client {
	struct http *http;
	char *hub, *authorization;
};

struct waiting {
	struct arena *arena;
	const char *path;
	const struct json *json;
	enum rc rc;
	struct err *e;
	bool done;
};

struct client *client_new(const char *hub, const char *key)
{
	struct client *c = mem_zalloc(1, sizeof(*c));
	c->http = http_new("crossdock-demo");
	if (asprintf(&c->hub, "%s", hub) < 0 || asprintf(&c->authorization, "Bearer %s", key) < 0)
		abort();
	return c;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	http_free(c->http);
	free(c->hub);
	free(c->authorization);
	free(c);
}

static void answered(void *ctx, const struct http_answer *a)
{
	static const struct json_limits limits = {.bytes = 64u << 20, .depth = 64, .nodes = 8000000};
	struct waiting *w = ctx;
	struct json *json;
	w->done = true;
	if (a->status == 0) {
		w->rc = err_set_at(w->e, RC_IO, "no_answer", w->path, STR_FMT, STR_ARG(a->error));
	} else if (a->status == 404) {
		w->rc = err_set_at(w->e, RC_NOT_FOUND, "not_found", w->path, "The hub has no such thing.");
	} else if (a->status == 429 || a->status == 503) {
		w->rc = err_set_at(w->e, RC_RETRY, "busy", w->path, "%d: " STR_FMT, a->status, STR_ARG(a->body));
	} else if (a->status < 200 || a->status >= 300) {
		w->rc = err_set_at(w->e, RC_REJECT, "refused", w->path, "%d: " STR_FMT, a->status, STR_ARG(a->body));
	} else {
		w->rc = json_parse(w->arena, a->body, &limits, &json, w->e);
		if (w->rc == RC_OK)
			w->json = json;
	}
}

enum rc client_call(struct client *c, const char *path, const struct buf *body, struct arena *a,
		    const struct json **out, struct err *e)
{
	char url[1024];
	struct waiting w = {.arena = a, .path = path, .e = e};
	struct http_header headers[] = {{STR("Authorization"), str_from(c->authorization)},
					{STR("Content-Type"), STR("application/json")}};
	(void)snprintf(url, sizeof(url), "%s%s", c->hub, path);
	struct http_request r = {.method = body ? STR("POST") : STR("GET"),
				 .url = str_from(url),
				 .headers = headers,
				 .header_count = body ? 2 : 1,
				 .body = body ? buf_str(body) : STR_NONE,
				 .timeout_ms = TIMEOUT_MS,
				 .connect_timeout_ms = TIMEOUT_MS};
	struct http_transfer *transfer;
	enum rc rc = http_start(c->http, &r, answered, &w, &transfer, e);
	if (rc)
		return rc;
	while (!w.done)
		http_run(c->http, 1000, -1);
	*out = w.json;
	return w.rc;
}
