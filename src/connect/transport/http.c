/*
 * A thin layer over curl's multi interface, with curl_multi_poll: the loop has one more descriptor, the engine's
 * eventfd. (The socket interface would save the walk over idle transfers; at some thousands of transfers that walk is
 * not what costs.)
 *
 * Sent or not. The delivery engine must know whether a request may have arrived: curl counts the bytes of it that it
 * has written (CURLINFO_REQUEST_SIZE). Head and body go to the socket together, up to the 64 KiB that curl joins.
 *
 * Never twice. When a kept connection turns out to be dead, curl sends the request again on another one. It asks before
 * it makes a socket and before it sends: once a byte was written it is refused, unless the request is a GET or HEAD.
 * Idle connections are dropped before the usual servers drop them, so that the case is rare.
 *
 * Curl's handles are kept with what never changes of them, and their struct.
 *
 * Names. A resolver thread may hang for many seconds. QUICK_EXIT makes curl leave it behind instead of waiting for it
 * inside curl_multi_perform; here their number is bounded: a look-up holds a place until the first socket is made, and
 * one that was left behind holds it for LOOKUP_LINGER_MS.
 */
#include "connect/transport/http.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_REUSE_S     3
#define LOOKUP_LINGER_MS 30000
#define URL_MAX          8192
#define METHOD_MAX       16
#define POOL_MAX         64 /* transfers kept for reuse */
#define POOL_BODY_MAX    65536

enum { KEPT_RETRY_AFTER, KEPT_RATE_LIMIT, KEPT_RATE_REMAINING, KEPT_RATE_RESET, KEPT_HEADERS };

struct http_transfer {
	struct http *http;
	struct http_transfer *next, **back;
	CURL *easy;
	struct curl_slist *headers;
	struct buf body;
	const struct address_policy *addresses;
	bool repeatable, numeric, resolving, truncated, refused_address, refused_again;
	char kept[KEPT_HEADERS][HTTP_HEADER_VALUE_MAX];
	char error[CURL_ERROR_SIZE];
	http_done_fn done;
	void *ctx;
};

struct http {
	struct transport transport;
	CURLM *multi;
	char user_agent[64];
	struct http_transfer *transfers;
	size_t count;
	size_t lookups;
	int64_t lingering[HTTP_LOOKUPS_MAX]; /* until when; 0: free */
	struct http_transfer *pool;          /* by next */
	size_t pooled;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
	CURLcode failed = curl_global_init(CURL_GLOBAL_DEFAULT);
	assert(!failed);
}

static int64_t mono_ms(void)
{
	return clock_mono_ns(clock_system()) / 1000000;
}

static enum rc transport_start(struct transport *t, const struct http_request *r, http_done_fn done, void *ctx,
			       void **transfer, struct err *e)
{
	struct http_transfer *one = NULL;
	enum rc rc = http_start((struct http *)t, r, done, ctx, &one, e);
	*transfer = one;
	return rc;
}

static void transport_cancel(struct transport *t, void *transfer)
{
	(void)t;
	http_cancel(transfer);
}

static void transport_run(struct transport *t, int timeout_ms, int wake_fd)
{
	http_run((struct http *)t, timeout_ms, wake_fd);
}

struct transport *http_transport(struct http *h)
{
	return &h->transport;
}

struct http *http_new(const char *user_agent)
{
	pthread_once(&once, start_curl);
	struct http *h = mem_zalloc(1, sizeof(*h));
	h->transport = (struct transport){transport_start, transport_cancel, transport_run};
	h->multi = curl_multi_init();
	assert(h->multi);
	curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CONNECTIONS_MAX);
	struct buf b;
	buf_init(&b, sizeof(h->user_agent) - 1);
	buf_add_z(&b, user_agent);
	if (buf_ok(&b) && b.n)
		memcpy(h->user_agent, b.p, b.n);
	buf_done(&b);
	return h;
}

static size_t on_write(char *p, size_t size, size_t count, void *ctx)
{
	struct http_transfer *t = ctx;
	size_t n = size * count, room = HTTP_ANSWER_BYTES_MAX - t->body.n;
	if (n > room) {
		buf_add(&t->body, p, room);
		t->truncated = true;
		return 0;
	}
	buf_add(&t->body, p, n);
	return n;
}

/* The value of a header line of this name, into out; a list that comes in several lines is joined. */
static bool keep_header(const char *p, size_t n, const char *name, char out[HTTP_HEADER_VALUE_MAX])
{
	size_t skip = strlen(name), used = strlen(out), comma = used ? 2 : 0;
	if (n <= skip || p[skip] != ':' || strncasecmp(p, name, skip) != 0)
		return false;
	for (skip++; skip < n && (p[skip] == ' ' || p[skip] == '\t');)
		skip++;
	while (n > skip && (p[n - 1] == '\r' || p[n - 1] == '\n' || p[n - 1] == ' '))
		n--;
	if (used + comma + n - skip >= HTTP_HEADER_VALUE_MAX)
		return true;
	memcpy(out + used, ", ", comma);
	memcpy(out + used + comma, p + skip, n - skip);
	out[used + comma + n - skip] = '\0';
	return true;
}

static void forget_headers(struct http_transfer *t)
{
	for (int i = 0; i < KEPT_HEADERS; i++)
		t->kept[i][0] = '\0';
}

static size_t on_header(char *p, size_t size, size_t count, void *ctx)
{
	static const char *const names[KEPT_HEADERS] = {"retry-after", "ratelimit", "ratelimit-remaining",
							"ratelimit-reset"};
	struct http_transfer *t = ctx;
	size_t n = size * count;
	if (n >= 5 && memcmp(p, "HTTP/", 5) == 0)
		forget_headers(t); /* a new status line: what came before was interim */
	for (int i = 0; i < KEPT_HEADERS && n && (*p == 'r' || *p == 'R'); i++)
		if (keep_header(p, n, names[i], t->kept[i]))
			break;
	return n;
}

static size_t lookups_open(struct http *h)
{
	size_t n = h->lookups;
	int64_t now = mono_ms();
	for (size_t i = 0; i < HTTP_LOOKUPS_MAX; i++) {
		if (h->lingering[i] && h->lingering[i] <= now)
			h->lingering[i] = 0;
		n += h->lingering[i] != 0;
	}
	return n;
}

static int on_resolve(void *resolver, void *reserved, void *ctx)
{
	(void)resolver;
	(void)reserved;
	struct http_transfer *t = ctx;
	if (t->resolving || t->numeric)
		return 0;
	if (lookups_open(t->http) >= HTTP_LOOKUPS_MAX)
		return 1;
	t->resolving = true;
	t->http->lookups++;
	return 0;
}

static void lookup_end(struct http_transfer *t, bool left_behind)
{
	struct http *h = t->http;
	if (!t->resolving)
		return;
	t->resolving = false;
	h->lookups--;
	for (size_t i = 0; left_behind && i < HTTP_LOOKUPS_MAX; i++) {
		if (!h->lingering[i]) {
			h->lingering[i] = mono_ms() + LOOKUP_LINGER_MS;
			break;
		}
	}
}

/* What systems of the configuration may have: all but what no system has a business at. */
static const struct address_policy of_systems = {.all_private = true};

static bool socket_allowed(const struct http_transfer *t, const struct sockaddr *s)
{
	struct address a;
	return address_of(s, &a) && address_allowed(t->addresses, &a);
}

/* See "Never twice" above. */
static bool is_again(struct http_transfer *t)
{
	long written = 0;
	if (t->repeatable)
		return false;
	curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &written);
	t->refused_again |= written > 0;
	return written > 0;
}

static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http_transfer *t = ctx;
	lookup_end(t, false);
	if (is_again(t))
		return CURL_SOCKET_BAD;
	if (purpose != CURLSOCKTYPE_IPCXN || !socket_allowed(t, &a->addr)) {
		t->refused_address = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* Before a request is sent. A kept connection may have been made for somebody who may go where this request may not. */
static int on_connected(void *ctx, char *remote, char *local, int remote_port, int local_port)
{
	struct http_transfer *t = ctx;
	struct address a;
	(void)local;
	(void)remote_port;
	(void)local_port;
	if (is_again(t))
		return CURL_PREREQFUNC_ABORT;
	if (address_parse(str_from(remote), &a) && address_allowed(t->addresses, &a))
		return CURL_PREREQFUNC_OK;
	t->refused_address = true;
	return CURL_PREREQFUNC_ABORT;
}

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("\"(),/:;<=>?@[\\]{}", s.p[i]))
			return false;
	return s.n > 0;
}

static bool is_field_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool is_url(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return s.n > 0 && s.n < URL_MAX;
}

/* An address needs no look-up: names that hang do not hold it up. */
static bool is_numeric(struct str url)
{
	char host[INET6_ADDRSTRLEN];
	struct in_addr address;
	const char *begin = memmem(url.p, url.n, "://", 3), *end = url.p + url.n;
	if (!begin)
		return false;
	begin += 3;
	size_t n = 0;
	while (begin + n < end && !strchr("/:?#", begin[n]))
		n++;
	if (begin < end && *begin == '[')
		return true;
	if (n >= sizeof(host))
		return false;
	memcpy(host, begin, n);
	host[n] = '\0';
	return inet_pton(AF_INET, host, &address) == 1;
}

static enum rc add_headers(struct http_transfer *t, const struct http_request *r, struct err *e)
{
	struct buf line;
	enum rc rc = RC_OK;
	buf_init(&line, 16u << 10);
	for (size_t i = 0; i < r->header_count && rc == RC_OK; i++) {
		const struct http_header *h = &r->headers[i];
		buf_reset(&line);
		buf_add_str(&line, h->name);
		buf_add_z(&line, h->value.n ? ": " : ";"); /* curl's way to send an empty one */
		buf_add_str(&line, h->value);
		if (!is_token(h->name) || !is_field_value(h->value) || !buf_ok(&line))
			rc = err_set_at(e, RC_INVALID, "invalid_request", "headers", "header %zu cannot be sent", i);
		else
			t->headers = curl_slist_append(t->headers, line.p);
	}
	/* Curl's own additions that we do not want. */
	t->headers = curl_slist_append(t->headers, "Expect:");
	buf_done(&line);
	return rc;
}

static void set_request(struct http_transfer *t, const struct http_request *r)
{
	CURL *c = t->easy;
	char method[METHOD_MAX + 1] = "";
	memcpy(method, r->method.p, r->method.n);
	bool get = strcmp(method, "GET") == 0, head = strcmp(method, "HEAD") == 0;
	t->repeatable = (get || head) && !r->body.n;
	if (t->repeatable) {
		curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
	} else {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body.n ? r->body.p : "");
	}
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	if (head)
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	char url[URL_MAX];
	memcpy(url, r->url.p, r->url.n);
	url[r->url.n] = '\0';
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_timeout_ms);
}

static void set_behaviour(struct http_transfer *t)
{
	CURL *c = t->easy;
	curl_easy_setopt(c, CURLOPT_PRIVATE, t);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, (long)IDLE_REUSE_S);
	curl_easy_setopt(c, CURLOPT_USERAGENT, t->http->user_agent);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_write);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
	curl_easy_setopt(c, CURLOPT_RESOLVER_START_DATA, t);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_connected);
	curl_easy_setopt(c, CURLOPT_PREREQDATA, t);
}

static struct http_transfer *transfer_take(struct http *h)
{
	struct http_transfer *t = h->pool;
	if (t) {
		h->pool = t->next;
		h->pooled--;
		return t;
	}
	t = mem_zalloc(1, sizeof(*t));
	t->http = h;
	t->easy = curl_easy_init();
	assert(t->easy);
	buf_init(&t->body, HTTP_ANSWER_BYTES_MAX);
	set_behaviour(t);
	return t;
}

static void transfer_free(struct http_transfer *t)
{
	curl_easy_cleanup(t->easy);
	buf_done(&t->body);
	free(t);
}

/* It is in no list, and not with curl. */
static void transfer_give(struct http_transfer *t)
{
	struct http *h = t->http;
	curl_slist_free_all(t->headers);
	t->headers = NULL;
	if (t->body.room > POOL_BODY_MAX)
		buf_done(&t->body);
	buf_reset(&t->body);
	if (h->pooled == POOL_MAX) {
		transfer_free(t);
		return;
	}
	t->next = h->pool;
	h->pool = t;
	h->pooled++;
}

enum rc http_start(struct http *h, const struct http_request *r, http_done_fn done, void *ctx,
		   struct http_transfer **out, struct err *e)
{
	if (!is_token(r->method) || r->method.n > METHOD_MAX)
		return err_set_at(e, RC_INVALID, "invalid_request", "method", "not a method");
	if (!is_url(r->url))
		return err_set_at(e, RC_INVALID, "invalid_request", "url", "not a URL, or longer than %d", URL_MAX);
	struct http_transfer *t = transfer_take(h);
	t->done = done;
	t->ctx = ctx;
	t->addresses = r->addresses ? r->addresses : &of_systems;
	t->numeric = is_numeric(r->url);
	t->resolving = t->truncated = t->refused_address = t->refused_again = false;
	forget_headers(t);
	t->error[0] = '\0';
	enum rc rc = add_headers(t, r, e);
	if (rc != RC_OK) {
		transfer_give(t);
		return rc;
	}
	set_request(t, r);
	t->next = h->transfers;
	t->back = &h->transfers;
	if (t->next)
		t->next->back = &t->next;
	h->transfers = t;
	h->count++;
	CURLMcode failed = curl_multi_add_handle(h->multi, t->easy);
	assert(!failed);
	if (out)
		*out = t;
	return RC_OK;
}

/* Out of the list and out of curl. */
static void detach(struct http_transfer *t, bool left_behind)
{
	struct http *h = t->http;
	lookup_end(t, left_behind);
	curl_multi_remove_handle(h->multi, t->easy);
	*t->back = t->next;
	if (t->next)
		t->next->back = t->back;
	h->count--;
}

void http_cancel(struct http_transfer *t)
{
	detach(t, true);
	transfer_give(t);
}

static void finish(struct http_transfer *t, CURLcode result)
{
	long status = 0, request_size = 0;
	curl_off_t total_us = 0;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &request_size);
	curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &total_us);
	bool whole = result == CURLE_OK || t->truncated;
	struct http_answer a = {
	    .status = whole ? (int)status : 0,
	    .truncated = t->truncated,
	    .sent = request_size > 0,
	    .duration_us = total_us,
	};
	detach(t, result == CURLE_OPERATION_TIMEDOUT);
	if (whole) {
		a.retry_after = str_from(t->kept[KEPT_RETRY_AFTER]);
		a.rate_limit = str_from(t->kept[KEPT_RATE_LIMIT]);
		a.rate_remaining = str_from(t->kept[KEPT_RATE_REMAINING]);
		a.rate_reset = str_from(t->kept[KEPT_RATE_RESET]);
		a.body = buf_str(&t->body);
	} else if (t->refused_address) {
		a.error = STR("the address is not allowed");
	} else if (t->refused_again) {
		a.error = STR("the connection was closed before an answer");
	} else {
		a.error = str_from(t->error[0] ? t->error : curl_easy_strerror(result));
	}
	t->done(t->ctx, &a);
	transfer_give(t);
}

static void finish_all(struct http *h)
{
	int left;
	for (CURLMsg *m; (m = curl_multi_info_read(h->multi, &left));) {
		if (m->msg != CURLMSG_DONE)
			continue;
		struct http_transfer *t = NULL;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		finish(t, m->data.result);
	}
}

void http_run(struct http *h, int timeout_ms, int wake_fd)
{
	int running, ready;
	CURLMcode failed = curl_multi_perform(h->multi, &running);
	assert(!failed);
	size_t before = h->count;
	finish_all(h);
	if (h->count != before)
		timeout_ms = 0; /* the caller has news to act on */
	struct curl_waitfd wake = {.fd = wake_fd, .events = CURL_WAIT_POLLIN};
	failed = curl_multi_poll(h->multi, wake_fd >= 0 ? &wake : NULL, wake_fd >= 0, timeout_ms, &ready);
	assert(!failed);
	if (wake_fd >= 0 && wake.revents) {
		uint64_t n;
		ssize_t got = read(wake_fd, &n, sizeof(n));
		(void)got;
	}
	failed = curl_multi_perform(h->multi, &running);
	assert(!failed);
	finish_all(h);
}

size_t http_transfers(const struct http *h)
{
	return h->count;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	for (struct http_transfer *t = h->transfers, *next; t; t = next) {
		next = t->next;
		http_cancel(t);
	}
	for (struct http_transfer *t = h->pool, *next; t; t = next) {
		next = t->next;
		transfer_free(t);
	}
	curl_multi_cleanup(h->multi);
	free(h);
}
