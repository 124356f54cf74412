#include "cli/remote.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define URL_DEFAULT "http://127.0.0.1:8080"
#define BAR_WIDTH   30

bool remote_open(struct remote *r, const char *verb)
{
	if (!r->url)
		r->url = getenv("CROSSDOCK_URL");
	if (!r->key)
		r->key = getenv("CROSSDOCK_KEY");
	if (!r->key) {
		cli_usage(verb, "a key is needed: --key KEY, or CROSSDOCK_KEY");
		return false;
	}
	r->client = client_new(r->url ? r->url : URL_DEFAULT, r->key);
	arena_init(&r->arena, 256u << 20);
	return true;
}

int remote_close(struct remote *r, int code)
{
	client_free(r->client);
	arena_done(&r->arena);
	return code;
}

const struct json *remote_ask(struct remote *r, const char *path, const struct buf *body)
{
	const struct json *out = NULL;
	struct err e = ERR_NONE;

	if (client_call(r->client, path, body, &r->arena, &out, &e) == RC_OK)
		return out;
	cli_fail(&e);
	return NULL;
}

int remote_print(const struct json *j)
{
	struct buf b;
	int code;

	buf_init(&b, 256u << 20);
	json_write(&b, j);
	code = cli_print(&b);
	buf_done(&b);
	return code;
}

const char *remote_encoded(struct arena *a, const char *text)
{
	static const char hex[] = "0123456789ABCDEF", plain[] = "-._~";
	char *out = arena_alloc(a, 3 * strlen(text) + 1), *p = out;

	for (; out && *text; text++) {
		unsigned char c = (unsigned char)*text;
		if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr(plain, c)) {
			*p++ = (char)c;
		} else {
			*p++ = '%';
			*p++ = hex[c >> 4];
			*p++ = hex[c & 15];
		}
	}
	if (out)
		*p = '\0';
	return out;
}

int64_t remote_number(const struct json *j, const char *name)
{
	int64_t n = 0;
	return json_int(json_get(j, name), &n) ? n : 0;
}

void remote_bar(int64_t done, int64_t total)
{
	int filled = total > 0 ? (int)(done < total ? done * BAR_WIDTH / total : BAR_WIDTH) : 0;

	fprintf(stderr, "\r[%.*s%*s] %" PRId64 " of %" PRId64, filled, "##############################",
		BAR_WIDTH - filled, "", done, total);
	fflush(stderr);
}
